"""The power is cut while a bulletin plays, and comes back: by the bench's own switch, by a command, or by a hand.

The station is silent without it, does nothing that nobody ordered when it is back, says what was cut off, and plays
what is ordered next. A word that a person gives is in the report beside what the wires told.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hil_tests import evidence
from hil_tests.drivers.person import Person
from hil_tests.reached import beside, switch
from hil_tests.rig import ZONES, RigFile, read

MODULE, PLAYS, RETURNS = "hil_tests.from_outside.cut_off", "plays", "returns"
# Named and not imported: it is the station's.
READY_S_MAX, BACK_S_MAX = 400, 500
# What its own waits add up to, and a slow machine's boot and broker.
QUIET_S = 10.0
WITHOUT_POWER = {
    "look": ("Mọi rơ-le đã nhả (đèn tắt)?", "are all relays open, their lamps dark?"),
    "listen": ("Loa im hẳn?", "are the loudspeakers silent?"),
}
POWER_BACK = {
    "look": ("Từ lúc có điện lại, mọi rơ-le vẫn nhả?", "have all relays stayed open since the power is back?"),
    "listen": ("Từ lúc có điện lại, loa vẫn im?", "have the loudspeakers been silent since then?"),
}
# Before the bench's own program looks at the contacts again, nobody else sees them.

pytestmark = [pytest.mark.wants("power"), pytest.mark.shows("bench.1", "S3", "U4")]


@dataclass(frozen=True)
class Story:
    """What was told before the cut and after it; what a person said ``without`` power and when it was ``back``."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    person: Person
    without: Mapping[str, bool] = field(default_factory=dict)
    back: Mapping[str, bool] = field(default_factory=dict)


@pytest.fixture(scope="module")
def file() -> Path:
    return Path(os.environ["BENCH_RIG"])


@pytest.fixture(scope="module")
def story(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    return lived(read(file), file, tmp_path_factory.mktemp("beside"), Person())


def lived(rig: RigFile, file: Path, here: Path, person: Person) -> Story:
    """The whole of it. Raises PowerError, PersonError, BenchError where it does not come to its end."""
    assert rig.power is not None
    with beside(rig, file, here) as station:
        power = switch(rig.power, station, person)
        bulletin = station.run(MODULE, station.rig, station.folder, PLAYS)
        before = bulletin.until(PLAYS, READY_S_MAX)
        power.off()
        bulletin.wait_until_over()
        without = seen(rig, person, WITHOUT_POWER)
        time.sleep(rig.power.off_s)
        power.on()
        station.wait_until_up(rig.power.up_s)
        back = seen(rig, person, POWER_BACK)
        returned = station.run(MODULE, station.rig, station.folder, RETURNS, before["job"], str(QUIET_S))
        after = returned.until(RETURNS, BACK_S_MAX)
        return Story(before, after, person, without, back)


def seen(rig: RigFile, person: Person, asked: Mapping[str, tuple[str, str]]) -> dict[str, bool]:
    """What a person says, where the file has one for it."""
    return {part: person.saw(*words) for part, words in asked.items() if part in rig.by_hand}


@pytest.fixture(autouse=True)
def kept(story: Story, request: pytest.FixtureRequest) -> Iterator[None]:
    """All of them rest on one story."""
    yield
    seen = {name: story.after[name] for name in ("edges", "heard")}
    evidence.write(request.node.name, **seen, words=[asdict(word) for word in story.person.words])


def test_the_bulletin_was_heard_and_the_power_really_cut(story: Story) -> None:
    assert story.before["closed"] == sorted(ZONES)
    assert sorted((one["zone"], one["what"]) for one in story.before["heard"]) == [(zone, "b") for zone in ZONES]
    assert story.before["boot"] != story.after["boot"], "the station has not booted again: the switch switched nothing"


@pytest.mark.wants("look")
def test_relays_are_open_while_there_is_no_power(story: Story) -> None:
    assert story.without["look"], f"{story.person.name()} saw a relay that is not open"


@pytest.mark.wants("listen")
def test_nothing_sounds_while_there_is_no_power(story: Story) -> None:
    assert story.without["listen"], f"{story.person.name()} heard something"


@pytest.mark.wants("look")
def test_relays_stay_open_while_the_station_boots(story: Story) -> None:
    assert story.back["look"], f"{story.person.name()} saw a relay that closed"


@pytest.mark.wants("listen")
def test_nothing_sounds_while_the_station_boots(story: Story) -> None:
    assert story.back["listen"], f"{story.person.name()} heard something"


def test_nothing_moves_or_sounds_after_the_return_before_it_is_ordered(story: Story) -> None:
    ordered_s = story.after["ordered_s"]
    assert ordered_s >= QUIET_S
    assert [edge for edge in story.after["edges"] if edge["at_s"] < ordered_s] == []
    assert [sound for sound in story.after["heard"] if sound["start_s"] < ordered_s] == []


def test_the_record_says_that_the_power_cut_it_off(story: Story) -> None:
    (record,) = story.after["records"]
    assert (record["outcome"], record["reason"]) == ("interrupted", "power_cut"), record


def test_the_next_bulletin_is_heard_and_nothing_else(story: Story) -> None:
    (record,) = story.after["then"]
    assert record["outcome"] == "succeeded", record
    assert sorted((sound["zone"], sound["what"]) for sound in story.after["heard"]) == [(zone, "a") for zone in ZONES]
    moves = sorted((edge["zone"], edge["at_s"], edge["on"]) for edge in story.after["edges"])
    assert [(zone, on) for zone, _, on in moves] == [(zone, on) for zone in ZONES for on in (True, False)]
