"""The soak's short form, and that it catches, replays and shrinks what it is there for.

Of the lives that take days two of a kind are lived, in one a box with a clock of its own and in one without, and of
evenings ten; ``SOAK_LIVES=6`` lives three times as many, ``./run soak`` years of them.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.soak import faults, script
from tests.soak.__main__ import main
from tests.soak.campaign import KINDS, play
from tests.soak.life import Life
from tests.soak.script import Happening, Script, calm, evening, fitted, relays
from tests.soak.shrink import live, shrunk
from tests.soak.trace import told
from tests.soak.years import year

LIVES = int(os.environ.get("SOAK_LIVES", "2"))
EVENINGS = (*range(5 * LIVES), 4684)
# In the last one the agent stepped each millisecond for the length of a warm-up.
ROUTINE = {"cls": "normal", "in_s": 5, "tone": "a", "seconds": 12.0}


def keeps_every_promise(kind: str, seed: int) -> None:
    """Else it is said how to play that life again."""
    failure = live(KINDS[kind](seed))
    assert failure is None, f"./run soak --kind {kind} --life {seed}: {failure}"


@pytest.mark.parametrize("seed", EVENINGS)
def test_an_evening_of_faults_breaks_no_promise(seed: int) -> None:
    keeps_every_promise("evening", seed)


def test_ten_days_of_troubles_break_no_promise() -> None:
    keeps_every_promise("ten-days", 1)


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(1, 1 + LIVES))
def test_ten_days_without_anybody_play_on_or_say_that_the_time_is_not_known(seed: int) -> None:
    keeps_every_promise("alone", seed)


@pytest.mark.parametrize("seed", range(2, 2 + LIVES))
def test_days_of_meddled_clocks_play_nothing_early_twice_or_in_silence(seed: int) -> None:
    keeps_every_promise("clocks", seed)


@pytest.mark.parametrize("seed", range(2 * LIVES))
def test_an_evening_of_a_station_with_all_there_is_breaks_no_promise(seed: int) -> None:
    keeps_every_promise("fitted", seed)


@pytest.mark.parametrize("seed", range(9, 9 + LIVES))
def test_relays_in_trouble_are_over_in_time_and_asked_for_to_be_heard(seed: int) -> None:
    keeps_every_promise("relays", seed)


@pytest.mark.deep
def test_a_year_of_rules_is_what_the_oracle_expects() -> None:
    occurrences, differences = year(1)
    assert occurrences > 1_000
    assert differences == [], "./run soak --year 1"


def test_ten_ordinary_days_play_everything_and_at_a_pace_that_makes_years_cheap() -> None:
    days = Life(calm(10))
    assert days.live() is None
    plays = [record for record in days.world.headend.records if record["kind"] == "play"]
    assert {record["outcome"] for record in plays} == {"succeeded"}
    assert len(plays) >= 3 * 9 + 9
    assert days.world.steps < 13_000, "jumps from wake to wake"


def test_the_same_seed_is_the_same_life() -> None:
    assert evening(3) == evening(3)
    assert evening(3) != evening(4)
    one, other = Life(evening(3)), Life(evening(3))
    one.live()
    other.live()
    assert one.world.headend.records == other.world.headend.records
    assert one.world.relays.moved == other.world.relays.moved


def test_every_fault_of_the_list_is_thrown() -> None:
    scripts = [*map(fitted, range(150)), *map(relays, range(10))]
    thrown = {happening.what for made in scripts for happening in made.happenings}
    assert thrown == set(faults.TABLE)


def test_a_failure_is_told_shrunk_and_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    """Planted: an order that nobody may give sounds, because its officer's name was taken off the books."""
    whole = evening(0)
    noise = [replace(one, at_ms=20_000 + one.at_ms - whole.setting.begins_ms) for one in whole.happenings[:20]]
    noise = [one for one in noise if one.what != "order"]
    noisy = _script(Happening(1_000, "order", {"serial": 70, **ROUTINE}), *noise)

    def plant(one: Script):
        life = Life(one)
        life.ordered = lambda *args: Life.ordered(life, args[0], args[1], "forged")  # type: ignore[method-assign]
        return life.live()

    failure = plant(noisy)
    assert failure is not None
    assert failure.name == "only_honest_orders_sound"
    short = shrunk(noisy, failure, plant)
    assert [happening.what for happening in short.happenings] == ["order"]
    trace = told(short)
    for expected in (">> order serial=", "armed job=", "[c1 closes]", "outcome job="):
        assert expected in trace
    assert main(["--kind", "evening", "--life", "0"]) == 0
    assert "everything held" in capsys.readouterr().out


def test_a_campaign_counts_what_it_played() -> None:
    outcome = play("evening", 5)
    assert outcome.virtual_ms == script.EVENING_MS + script.CALM_MS
    assert outcome.happened.total() == len(evening(5).happenings)


def _script(*happenings: Happening) -> Script:
    quiet = evening(0)
    setting = replace(quiet.setting, begins_ms=0, chaos_until_ms=script.EVENING_MS, welcome=True, wired=True)
    return Script("evening", setting, tuple(sorted(happenings, key=lambda one: one.at_ms)))
