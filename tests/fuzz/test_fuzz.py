"""The campaign in its short form: it finds what is planted, says how to see it again, and counts what it did."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import campaign
from tests.fuzz.__main__ import main
from tests.fuzz.campaign import Tally, run
from tests.fuzz.targets import Target, all_targets


@pytest.fixture(autouse=True)
def profile() -> Iterator[None]:
    """A campaign has settings of its own."""
    yield
    settings.load_profile("house")


def once(*targets: Target, seed: int = 1) -> Tally:
    return run(targets, seed, lambda: False)


@given(st.integers())
def small(number: int) -> None:
    assert number < 1_000


@given(st.integers())
def harmless(number: int) -> None:
    assert number == number + 0


@given(st.integers())
def too_mild(number: int) -> None:
    with pytest.raises(ZeroDivisionError):
        _ = 1 // number


@given(st.just(1))
def endless(number: int) -> None:
    while number:
        pass


def test_the_properties_are_found_where_they_stand_and_no_two_share_a_name() -> None:
    names = [target.name for target in all_targets()]
    assert len(set(names)) == len(names) > 100
    assert {"trust.strict_json", "core.wall_time", "link"} <= {name.partition(":")[0] for name in names}
    assert not [name for name in names if name.startswith("fuzz.")]


PLANTS = {
    "a name twice in an object counts once": ("edge_agent.trust.strict_json._distinct", dict, "names_twice"),
    "a signature over anything else will do": (
        "edge_agent.trust.judge.signers_of",
        lambda envelope, keys: frozenset(
            key for key in keys if key.keyid in {one.keyid for one in envelope.signatures}
        ),
        "a_changed_payload_of_a_job",
    ),
    "a mistake is blamed on the first line": ("edge_agent.config.reader.line_of", lambda *_: 1, "each_wrong_value"),
    "a rubbed out letter stays on the screen": ("edge_agent.console.line_editor.RUBOUT", "", "the_screen_shows"),
}


@pytest.mark.deep
@pytest.mark.parametrize("fault", PLANTS)
def test_a_planted_fault_is_found_with_the_command_that_shows_it_again(
    fault: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    where, instead, name = PLANTS[fault]
    with monkeypatch.context() as planted:
        planted.setattr(where, instead)
        assert main(["--minutes", "0", "--seed", "7", "--target", name]) == 1
        said = capsys.readouterr().out
        (again,) = re.findall(r"again: \./run fuzz (.*)", said)
        assert re.search(r"fuzz: [0-9,]+ examples of 1 properties .* seed 7, 1 failures\n\Z", said)
        assert "Failing test case" in said or "Falsifying example" in said
        assert main(again.split()) == 1
    assert main(again.split()) == 0


def test_a_campaign_counts_its_examples_goes_on_after_a_failure_and_does_not_try_it_again() -> None:
    rounds = iter(range(8))
    bad, good = Target("bad", small), Target("good", harmless)
    tally = run([bad, good], 1, lambda: next(rounds) < 5)
    assert [failure.target for failure in tally.failures] == ["bad"]
    assert tally.examples["good"] == 100 * tally.rounds > 100
    assert 0 < tally.examples["bad"] <= 1_000


def test_each_round_tries_other_examples_and_one_seed_always_the_same() -> None:
    tried: list[list[int]] = []

    @given(st.integers())
    def remembered(number: int) -> None:
        tried[-1].append(number)

    for seed in (1, 1, 2):
        tried.append([])
        once(Target("remembered", remembered), seed=seed)
    assert tried[0] == tried[1] != tried[2]


def test_a_refusal_that_does_not_come_is_a_failure_like_any_other() -> None:
    (failure,) = once(Target("too mild", too_mild), Target("harmless", harmless)).failures
    assert (failure.target, "DID NOT RAISE" in failure.told) == ("too mild", True)


def test_an_example_without_end_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "HANG_S", 0.05)
    (failure,) = once(Target("endless", endless)).failures
    assert "longer than 0.05 s with {'number': 1}" in failure.told


def test_a_name_that_nothing_has_is_told() -> None:
    assert main(["--target", "no such thing"]) == 2
