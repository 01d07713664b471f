"""One station that says more than anybody can read fills no log, and hides nothing but its own words of that kind."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from edge_agent.core.units import HOUR_MS, StationId, UtcMs
from edge_agent.headend.cli.servers import teller
from edge_agent.headend.desk import CloneSuspected, Kept
from edge_agent.headend.headend import Shown, Untold
from edge_agent.headend.hush import SHOWN_BYTES_PER_HOUR_MAX, Hush, Hushed
from edge_agent.headend.inbox import Overrun
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.listening import Doubt, Heard, Unheard
from edge_agent.headend.session import LinkDown, LinkUp
from edge_agent.sync.reports import PlanMsg
from edge_agent.sync.topics import Up
from edge_agent.trust.keys import new_signer
from tests.headend.fake_station import NOW, PLAN, RECORD, STATE, FakeStation

THIEF, HONEST = StationId("tram-01"), StationId("tram-02")
LINE = 50_000


def plan(station: StationId = THIEF, said: PlanMsg = PLAN) -> Heard:
    return Heard(station, Up.PLAN, "boot-1", "0.1.0", said)


def flooded(hush: Hush, now: UtcMs = NOW) -> list[Shown | Hushed | None]:
    return [hush.hold(plan(), LINE, now) for _ in range(1_000)]


def test_a_flood_of_one_stations_plans_is_written_up_to_a_bound_and_told_once() -> None:
    seen = [one for one in flooded(Hush()) if one is not None]
    assert seen[-1] == Hushed(THIEF, "plan", UtcMs(NOW + HOUR_MS))
    assert seen[:-1] == [plan()] * (SHOWN_BYTES_PER_HOUR_MAX // LINE)


@pytest.mark.parametrize("json", [False, True])
def test_what_a_thief_says_to_watch_without_end_fills_no_log(
    keyring: Keyring, capsys: pytest.CaptureFixture[str], json: bool
) -> None:
    tell = teller(Namespace(json=json, timezone=ZoneInfo("Asia/Ho_Chi_Minh")), keyring)
    entries = tuple(replace(PLAN.entries[0], title="T" * 200) for _ in range(500))
    for _ in range(60):
        tell(plan(said=replace(PLAN, entries=entries)))
    told = capsys.readouterr().out
    assert SHOWN_BYTES_PER_HOUR_MAX / 2 < len(told.encode()) < SHOWN_BYTES_PER_HOUR_MAX + 1_000
    assert "hushed" in told.splitlines()[-1]


def test_a_flood_hides_no_other_station_and_nothing_else_of_its_own() -> None:
    hush = Hush()
    flooded(hush)
    others: list[Shown] = [
        plan(HONEST),
        Heard(THIEF, Up.STATE, "boot-1", "0.1.0", STATE),
        CloneSuspected(THIEF, "boot-1"),
        Untold(THIEF, "kept", "words.py:110"),
    ]
    assert [hush.hold(one, LINE, NOW) for one in others] == others


def test_strangers_under_ever_new_names_are_one_and_hide_no_doubt_about_who_is_enrolled() -> None:
    hush = Hush()
    seen = [hush.hold(Unheard(f"tram-{n}", Doubt.NOT_ENROLLED, "?"), LINE, NOW) for n in range(1_000)]
    assert len([one for one in seen if one is not None]) == SHOWN_BYTES_PER_HOUR_MAX // LINE + 1
    assert Hushed("", "unheard", UtcMs(NOW + HOUR_MS)) in seen
    forged = Unheard(THIEF, Doubt.FORGED, "?")
    assert hush.hold(forged, LINE, NOW) == forged


def test_the_next_hour_is_shown_again_and_so_is_an_earlier_one_where_the_clock_was_put_back() -> None:
    hush = Hush()
    flooded(hush)
    assert hush.hold(plan(), LINE, UtcMs(NOW + HOUR_MS - 1)) is None
    assert hush.hold(plan(), LINE, UtcMs(NOW + HOUR_MS)) == plan()
    assert hush.hold(plan(), LINE, UtcMs(NOW - HOUR_MS)) == plan()


def test_what_tells_of_the_connection_and_each_new_record_is_never_held_back() -> None:
    """A station that was away for a year has much to tell."""
    hush, station = Hush(), FakeStation(new_signer())
    station.play(RECORD)
    shown: list[Shown] = [LinkUp(), LinkDown("gone", for_good=False), Overrun(THIEF, 1)]
    for one in (*shown, Kept(THIEF, "epoch-1", tuple(station.records))):
        assert [hush.hold(one, SHOWN_BYTES_PER_HOUR_MAX, NOW) for _ in range(2)] == [one, one]


def test_records_that_are_held_already_and_are_sent_again_without_end_are_held_back() -> None:
    hush, known = Hush(), Kept(THIEF, "epoch-1", ())
    seen = [hush.hold(known, SHOWN_BYTES_PER_HOUR_MAX, NOW) for _ in range(3)]
    assert seen == [known, Hushed(THIEF, "kept", UtcMs(NOW + HOUR_MS)), None]
