"""Drafts of the ward's policy, of windows and of commands: what is filled in, and how a slip is named."""

from __future__ import annotations

import tomllib
from datetime import date, time
from pathlib import Path

import pytest

from edge_agent.core.job import JobClass, PlayAt, PlayNow
from edge_agent.core.order import (
    Action,
    AllStop,
    Amplify,
    Ask,
    Cancel,
    Choose,
    Command,
    Lock,
    Loosening,
    Rank,
    Regulation,
    SetVolume,
    Stop,
    Window,
)
from edge_agent.core.site import Clause, IntoQuiet, VolumeBand
from edge_agent.core.units import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, JobId, UtcMs
from edge_agent.headend.audio_facts import AudioFacts
from edge_agent.headend.cli import draft_examples
from edge_agent.headend.drafting import DraftError, Surroundings
from edge_agent.headend.drafts import finish
from edge_agent.headend.given import Given, heading_of
from tests.headend.test_refusals import assert_both

NOW = UtcMs(1_790_000_000_000)  # 2026-09-21 21:13:20 in Hanoi
WARD = 'areas = ["vn/ha-noi/dong-thanh"]\n'
GENERAL = '[[clauses]]\nquiet = ["21:00", "05:00"]\nsession_minutes = 15\nvolume = 70\n'
REGULATION = f'type = "regulation"\nnumber = "128/QĐ-UBND"\ndated = 2026-09-28\n{WARD}{GENERAL}'
EXCEPTION = f'type = "window"\nkind = "exception"\nbasis = "Tìm trẻ lạc"\nclasses = ["priority"]\n{WARD}'
CHILD = f"{EXCEPTION}for_minutes = 90\nsession_minutes = 5\ntotal_minutes = 20\nvolume = 60\n"


class World:
    """The surroundings of a draft, with a memory of serials."""

    def __init__(self) -> None:
        self.serial = 41

    def next_serial(self, issuer: str) -> int:
        self.serial += 1
        return self.serial

    def finish(self, text: str, **changes: object) -> Given:
        def no_audio(path: Path, duration_ms: int | None) -> AudioFacts:
            raise AssertionError("nothing to be looked up")

        around = Surroundings(
            "demo", "ubnd-dong-thanh", "commune", NOW, self.next_serial, no_audio, None, letters=lambda: "k7qm-4dtx"
        )
        draft = {name: value for name, value in {**tomllib.loads(text), **changes}.items() if value is not None}
        return finish(draft, around).order

    def does(self, do: str, **more: object) -> Action:
        order = self.finish('type = "command"\nstations = ["tram-01"]\n', do=do, **more)
        assert isinstance(order, Command)
        return order.action


@pytest.fixture
def world() -> World:
    return World()


def test_a_policy_of_minutes_and_a_volume_for_the_whole_day(world: World) -> None:
    order = world.finish(f'{REGULATION}[[clauses]]\nclasses = ["normal"]\nweekdays = [1, 2]\nday_minutes = 0\n')
    assert isinstance(order, Regulation)
    assert (order.number, order.dated) == ("128/QĐ-UBND", date(2026, 9, 28))
    assert order.policy.into_quiet is IntoQuiet.REFUSE
    assert order.policy.clauses == (
        Clause(
            quiet=(time(21), time(5)),
            session_ms=15 * MINUTE_MS,
            volume_bands=(VolumeBand(time(0), time(0), 70),),
        ),
        Clause(classes=frozenset({JobClass.NORMAL}), weekdays=frozenset({1, 2}), day_ms=0),
    )


def test_each_new_policy_takes_the_place_of_the_one_before(world: World) -> None:
    first, second = world.finish(REGULATION), world.finish(REGULATION)
    assert isinstance(first, Regulation)
    assert isinstance(second, Regulation)
    assert (first.version, second.version) == (42, 43)
    chosen = world.finish(REGULATION, version=7)
    assert isinstance(chosen, Regulation)
    assert chosen.version == 7


def test_a_policy_holds_as_long_as_one_may(world: World) -> None:
    heading = heading_of(world.finish(REGULATION, not_before="2027-01-01T00:00:00+07:00"))
    assert heading.not_before == 1_798_736_400_000
    assert heading.not_after == heading.not_before + 400 * DAY_MS


def test_wall_times_may_be_tomls_own(world: World) -> None:
    bands = GENERAL.replace('["21:00", "05:00"]', "[21:00:00, 05:00:00]")
    bands = bands.replace("volume = 70", 'volume = [[05:00:00, 06:00:00, 45], ["00:00", "00:00", 80]]')
    order = world.finish(REGULATION.replace(GENERAL, bands))
    assert isinstance(order, Regulation)
    (clause,) = order.policy.clauses
    assert clause.quiet == (time(21), time(5))
    assert clause.volume_bands == (VolumeBand(time(5), time(6), 45), VolumeBand(time(0), time(0), 80))


def test_an_exception_begins_now_and_its_order_ends_with_it(world: World) -> None:
    order = world.finish(CHILD)
    assert isinstance(order, Window)
    assert (order.begins, order.ends, order.heading.not_after) == (NOW, NOW + 90 * MINUTE_MS, NOW + 90 * MINUTE_MS)
    assert order.loosens == Loosening(frozenset({JobClass.PRIORITY}), 5 * MINUTE_MS, 20 * MINUTE_MS, 60)
    assert (order.heading.order_id, order.heading.serial) == ("ubnd-dong-thanh-20260921-k7qm-4dtx", 42)


def test_a_silence_stands_between_two_instants(world: World) -> None:
    silence = f'type = "window"\nkind = "silence"\nbasis = "Nhà có tang"\n{WARD}zones = ["c2"]\n'
    span = {"begins": "2026-10-07T05:00:00", "ends": "2026-10-09T12:00:00+07:00", "timezone": "Asia/Ho_Chi_Minh"}
    order = world.finish(silence, **span)
    assert isinstance(order, Window)
    assert order.loosens is None
    assert (order.begins, order.ends - order.begins) == (1_791_324_000_000, 55 * HOUR_MS)
    assert order.heading.not_before == NOW


def test_a_command_is_valid_for_two_minutes(world: World) -> None:
    heading = heading_of(world.finish('type = "command"\ndo = "stop"\nstations = ["tram-01"]\nzones = ["c1"]\n'))
    assert (heading.not_before, heading.not_after) == (NOW, NOW + 120 * SECOND_MS)
    assert (heading.audience.stations, heading.audience.zones) == ({"tram-01"}, {"c1"})


@pytest.mark.parametrize(
    ("do", "more", "action"),
    [
        ("stop", {}, Stop()),
        ("lock", {"for_minutes": 120}, Lock(2 * HOUR_MS)),
        ("all-stop", {"for_s": 90}, AllStop(90 * SECOND_MS)),
        ("all_stop", {"for_minutes": 15}, AllStop(15 * MINUTE_MS)),
        ("volume", {"volume": 60}, SetVolume(60)),
        ("amplifier", {"on": True, "for_minutes": 5}, Amplify(True, 5 * MINUTE_MS)),
        ("cancel", {"target": "job-1"}, Cancel(JobId("job-1"), UtcMs(NOW + 400 * DAY_MS))),
        (
            "cancel",
            {"target": "job-1", "until": "2026-10-01T12:00:00+07:00"},
            Cancel(JobId("job-1"), UtcMs(1_790_830_800_000)),
        ),
        ("rank", {"job_ids": ["job-2", "job-1"]}, Rank((JobId("job-2"), JobId("job-1")))),
        ("choose", {"target": "job-1", "when": "now"}, Choose(JobId("job-1"), PlayNow())),
        (
            "choose",
            {"target": "job-1", "when": {"at": "2026-10-01T12:00:00+07:00"}},
            Choose(JobId("job-1"), PlayAt(UtcMs(1_790_830_800_000))),
        ),
        ("ask", {"day": date(2026, 10, 6)}, Ask(date(2026, 10, 6))),
    ],
)
def test_a_command_says_what_is_done_in_one_word(
    world: World, do: str, more: dict[str, object], action: Action
) -> None:
    assert world.does(do, **more) == action


@pytest.mark.parametrize(
    ("text", "changes", "field", "remedy"),
    [
        (REGULATION, {"type": "law"}, "type", "one of job, regulation, window, command"),
        (REGULATION, {"type": "welcome"}, "type", "one of job, regulation, window, command"),
        (REGULATION, {"number": None}, "number", "missing"),
        (REGULATION, {"dated": "28/09/2026"}, "dated", '"2026-10-01"'),
        (REGULATION, {"zones": ["c1"]}, "zones", "its clauses name their zones"),
        (REGULATION, {"clauses": []}, "clauses", "1 to 16"),
        (REGULATION, {"clauses": [{}]}, "clauses[0].quiet", "the first clause holds for all"),
        (
            REGULATION,
            {"clauses": [{"quiet": ["21:00", "05:00"], "volume": 70}]},
            "clauses[0].session_minutes",
            "missing",
        ),
        (REGULATION, {"clauses": [{"quiet": ["9pm", "5am"]}]}, "clauses[0].session_minutes", "missing"),
        (REGULATION, {"clauses": [{"sesion_minutes": 15}]}, "clauses[0].sesion_minutes", 'mean "session_minutes"'),
        (REGULATION, {"clauses": [{"session_minutes": 0}]}, "clauses[0].session_minutes", "1 to 1440"),
        (REGULATION, {"clauses": [{"day_minutes": 9, "day_s": 1}]}, "clauses[0].day_minutes", "not both"),
        (
            REGULATION,
            {"clauses": [{"volume": 70.5}]},
            "clauses[0].volume",
            "a whole number from 0 to 100",
        ),
        (REGULATION, {"not_before": "2020-01-01T00:00:00+07:00"}, "not_before", "is over"),
        (
            CHILD,
            {"for_minutes": None, "ends": "2026-10-01T12:00:00+07:00", "not_before": "2026-10-02T12:00:00+07:00"},
            "ends",
            "later than not_before",
        ),
        (CHILD, {"begins": "2026-10-01T12:00:00+07:00", "not_before": "2026-10-02T12:00:00+07:00"}, "begins", "later"),
        (CHILD, {"kind": "party"}, "kind", "exception, silence"),
        (CHILD, {"basis": ""}, "basis", "1 to 200"),
        (CHILD, {"classes": ["emergency"]}, "classes", "no rule binds an emergency"),
        (CHILD, {"session_minutes": None}, "session_minutes", "missing"),
        (CHILD, {"for_minutes": None}, "ends", "or for_minutes"),
        (CHILD, {"ends": "2026-10-01T12:00:00+07:00"}, "ends", "not both"),
        (CHILD, {"for_minutes": None, "ends": "2026-10-01T12:00:00"}, "ends", "offset"),
        (CHILD, {"for_minutes": None, "ends": "2026-09-20T12:00:00+07:00"}, "ends", "later than now"),
        (CHILD, {"begins": "2026-09-20T12:00:00+07:00"}, "begins", "later than now"),
        (CHILD, {"timezone": "Hanoi", "begins": "2026-10-01T12:00:00"}, "timezone", "Asia/Ho_Chi_Minh"),
        (CHILD, {"for_minutes": 17 * 1440}, "ends", "at most 16 days"),
        (CHILD, {"kind": "silence"}, "classes", "a silence loosens nothing"),
        (CHILD, {"areas": None}, "areas", "stations or areas"),
    ],
)
def test_a_slip_is_named_as_the_draft_has_it(
    world: World, text: str, changes: dict[str, object], field: str, remedy: str
) -> None:
    with pytest.raises(DraftError) as caught:
        world.finish(text, **changes)
    assert caught.value.field == field
    assert_both(caught.value.remedy, remedy)
    assert world.serial == 41


@pytest.mark.parametrize(
    ("do", "more", "field", "remedy"),
    [
        ("halt", {}, "do", "one of cancel, stop"),
        ("lock", {}, "for_minutes", "for how long, at most 240"),
        ("lock", {"for_minutes": 241}, "for_minutes", "1 to 240"),
        ("all-stop", {"for_s": 901}, "for_s", "1 to 900"),
        ("stop", {"for_minutes": 5}, "for_minutes", "unknown field"),
        ("volume", {"volume": 101}, "volume", "0 to 100"),
        ("volume", {}, "volume", "missing"),
        ("cancel", {"target": "Job 1"}, "target", "a-z"),
        ("cancel", {"target": "x", "until": "2029-01-01T00:00:00Z"}, "until", "at most 400 days"),
        ("amplifier", {"on": 1, "for_s": 9}, "on", "true or false"),
        ("choose", {"target": "x"}, "when", "missing"),
        ("choose", {"target": "x", "when": {"at": "05:30"}}, "when.at", "offset"),
        ("choose", {"target": "x", "when": {"at": "2200-10-06T05:30:00Z"}}, "when.at", "0 to 4102444800000"),
        ("stop", {"not_before": "2020-01-01T00:00:00Z"}, "not_before", "is over"),
        (
            "choose",
            {"target": "x", "when": {"at": "2026-10-06T05:30:00Z"}, "not_before": "2020-01-01T00:00:00Z"},
            "not_before",
            "is over",
        ),
        ("ask", {"day": "today"}, "day", "2026-10-01"),
        ("cancel", {"target": "x", "zones": ["c1"]}, "zones", "for whole stations"),
        ("all-stop", {"for_s": 9, "zones": ["c1"]}, "zones", "for whole stations"),
    ],
)
def test_a_slip_in_a_command_is_named(world: World, do: str, more: dict[str, object], field: str, remedy: str) -> None:
    with pytest.raises(DraftError) as caught:
        world.does(do, **more)
    assert caught.value.field == field
    assert_both(caught.value.remedy, remedy)
    assert world.serial == 41


@pytest.mark.parametrize("name", ["EXCEPTION", "SILENCE", "REGULATION", "COMMAND", "TIMETABLE"])
def test_the_drafts_that_help_shows_are_good_ones(world: World, name: str) -> None:
    for text in getattr(draft_examples, name).split("  type = ")[1:]:
        lines = [line.removeprefix("  ") for line in text.splitlines() if line.startswith(("  ", '"'))]
        assert heading_of(world.finish("type = " + "\n".join(lines))).issuer == "ubnd-dong-thanh"
