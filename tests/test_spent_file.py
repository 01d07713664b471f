"""What was spent of an hour's and a day's bounds outlives the agent: a thief who restarts it has nothing anew."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_agent.core.reasons import Reason
from edge_agent.core.spent import NOTHING_SPENT, Fetched, Given, Papers, Refusals, Sort, Spent
from edge_agent.core.units import MonoMs
from edge_agent.spent_file import AREAS_MAX, COUNTS_MAX, FILE_BYTES_MAX, SpentFile
from tests.agent_rig import Agent
from tests.trust import makers

COUNTS = {("k1", Sort.WARNING): 3, ("k1", Sort.OTHER): 500, ("k2", Sort.SILENCE): 1}
SPENT = Spent(
    audio=Fetched(739_000, 200_000_000),
    papers=Papers(MonoMs(7_200_000), 150_000),
    given=Given(2, COUNTS, {"": 1, "vn/ha-noi": 99}),
    refusals=Refusals(0, {Reason.EXPIRED: 100, Reason.TOO_MANY_ORDERS: 1}),
    chain_at=MonoMs(3_600_000),
)


def test_the_next_process_reads_what_the_one_before_has_kept(tmp_path: Path) -> None:
    file = tmp_path / "spent.json"
    SpentFile(file).keep(SPENT)
    assert SpentFile(file).read() == SPENT
    assert [path.name for path in tmp_path.iterdir()] == ["spent.json"]


KEYS_MAX = 7 * 64
FULL = Spent(
    audio=Fetched(2**40, 2**50),
    papers=Papers(MonoMs(2**50), 2**50),
    given=Given(
        2**40,
        {(f"{key:064x}", sort): 500 for key in range(KEYS_MAX) for sort in Sort},
        {"": 100, **{"/".join([name * 64] * 6): 100 for name in "abcdef"}},
    ),
    refusals=Refusals(2**40, dict.fromkeys(Reason, 100)),
    chain_at=MonoMs(2**50),
)


def test_the_fullest_hour_of_all_keys_that_a_station_knows_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "spent.json"
    SpentFile(file).keep(FULL)
    assert SpentFile(file).read() == FULL


def test_whoever_has_new_keys_signed_without_end_has_no_other_bound_begin_anew_by_them(tmp_path: Path) -> None:
    """Of a file that is not read nothing counts: not the bytes of the night either."""
    file = tmp_path / "spent.json"
    many = {(f"{key:064x}", Sort.WARNING): 499 for key in range(1, 2 * COUNTS_MAX)}
    much = {("0" * 64, Sort.WARNING): 500}  # first by its name, and last to go
    areas = {"/".join(["x" * 64] * 5 + [f"{number:064}"]): 100 for number in range(2 * AREAS_MAX)}
    SpentFile(file).keep(replace(FULL, given=Given(2, many | much, areas)))
    read = SpentFile(file).read()
    assert replace(read, given=FULL.given) == FULL
    assert (len(read.given.counts), len(read.given.documents)) == (COUNTS_MAX, AREAS_MAX)
    assert read.given.counts.items() > much.items()


def test_it_is_written_when_it_has_changed_alone(tmp_path: Path) -> None:
    file = tmp_path / "spent.json"
    SpentFile(file).keep(SPENT)
    before = file.stat().st_ino
    again = SpentFile(file)
    again.keep(again.read())
    assert file.stat().st_ino == before
    again.keep(replace(SPENT, papers=Papers()))
    assert SpentFile(file).read() == replace(SPENT, papers=Papers())


def test_a_machine_that_was_switched_on_has_spent_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert SpentFile(tmp_path / "spent.json").read() == NOTHING_SPENT
    assert caplog.text == ""


@pytest.mark.parametrize("content", [b"", b"[", b"[]", b"{}", b"\xff", b"9" * 5_000, b"[" * FILE_BYTES_MAX])
def test_what_is_not_whole_counts_as_nothing_spent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    file = tmp_path / "spent.json"
    file.write_bytes(content)
    assert SpentFile(file).read() == NOTHING_SPENT
    assert "counting anew" in caplog.text


@pytest.mark.parametrize("wrong", [-1, 1.5, None, True, 2**53])
def test_nor_does_anything_where_one_value_is_wrong(tmp_path: Path, wrong: object) -> None:
    file = tmp_path / "spent.json"
    SpentFile(file).keep(SPENT)
    whole = json.loads(file.read_text())
    places = [(*where, name) for where in parts(whole, ()) for name in keys_of(at(whole, where))]
    assert len(places) == 39
    for *where, name in places:
        spoiled = deepcopy(whole)
        at(spoiled, where)[name] = wrong
        file.write_text(json.dumps(spoiled))
        assert SpentFile(file).read() == NOTHING_SPENT, (where, name)


def parts(whole: Any, where: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """The way to each object and list."""
    if isinstance(whole, (dict, list)):
        yield where
        for name in keys_of(whole):
            yield from parts(whole[name], (*where, name))


def keys_of(part: Any) -> list[Any]:
    return list(part) if isinstance(part, dict) else list(range(len(part)))


def at(whole: Any, where: Iterable[Any]) -> Any:
    for name in where:
        whole = whole[name]
    return whole


@pytest.mark.parametrize("lay", ["link", "pipe", "folder"])
def test_what_somebody_else_has_laid_there_is_not_believed_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, lay: str
) -> None:
    file, other = tmp_path / "spent.json", tmp_path / "other"
    SpentFile(other).keep(SPENT)
    match lay:
        case "link":
            file.symlink_to(other)
        case "pipe":
            os.mkfifo(file)
        case _:
            file.mkdir()
    assert SpentFile(file).read() == NOTHING_SPENT
    assert "counting anew" in caplog.text


def test_another_accounts_file_holds_back_no_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "spent.json"
    SpentFile(file).keep(Spent(Fetched(739_000, 10**15)))
    ours = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: ours + 1)
    assert SpentFile(file).read() == NOTHING_SPENT


def test_where_it_cannot_be_kept_that_is_told_and_nothing_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = SpentFile(tmp_path / "nowhere" / "spent.json")
    for _ in range(3):  # it is kept behind each step
        file.keep(SPENT)
    assert caplog.text.count("a restart counts anew") == 1


def test_it_is_not_written_to_where_a_link_leads_that_somebody_else_has_laid(tmp_path: Path) -> None:
    file, other = tmp_path / "spent.json", tmp_path / "other"
    other.write_text("kept")
    file.symlink_to(other)
    SpentFile(file).keep(SPENT)
    assert (other.read_text(), SpentFile(file).read()) == ("kept", SPENT)


def test_the_agent_keeps_it_and_the_next_one_begins_with_it(tmp_path: Path) -> None:
    with Agent(tmp_path) as agent:
        agent.until_welcomed()
        agent.broker.publish(makers.JOB_TOPIC, makers.signed_job(items=[makers.clip_item(length=80_000)]))
        agent.until(lambda: agent.staging.asked != [])
        spent = agent.runtime._state.spent
    assert spent.audio.bytes == 80_000
    with Agent(tmp_path) as agent:
        assert agent.runtime._state.spent == spent
