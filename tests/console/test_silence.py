"""Answers: "Why is it silent?" names every cause there is, the weightiest first, and what to do about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

import pytest

from edge_agent.console.silence import NOTHING, why_silent
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.outlook import InForce
from edge_agent.core.reasons import WORDS_EN, WORDS_VI, Reason
from edge_agent.core.units import HOUR_MS, UtcMs
from edge_agent.sync.reports import ZoneStatus
from tests.console.pictures import BULLETIN, CHO, DINH, FLOOD, FLOOR, NIGHT, SITE, TRUSTED, held, status


def causes(device_up: bool | None = True, **changes: object) -> list[str]:
    return [cause.words.en for cause in why_silent(status(**changes), SITE, device_up)]


def test_a_healthy_station_says_when_it_is_due() -> None:
    assert causes() == ['Not due yet: "Bản tin sáng" plays 17:30 Wed 2026-11-25, in 8 h.']


def test_the_words_are_vietnamese_too() -> None:
    (cause,) = why_silent(status(), SITE, True)
    assert cause.words.vi == "Chưa đến giờ: “Bản tin sáng” phát 17h30 T4 25/11/2026, còn 8 giờ."
    assert cause.remedy == NOTHING


def test_no_jobs() -> None:
    assert causes(next=()) == ["There is no broadcast job to play."]


def test_quiet_hours_until_when() -> None:
    quiet, due = causes(clock=NIGHT, next=(replace(BULLETIN, planned=UtcMs(NIGHT.utc + 8 * HOUR_MS)),))
    assert quiet == "Quiet hours (21:00 – 05:00): only emergencies sound."
    assert due.startswith("Not due yet")


def test_the_quiet_hours_are_those_of_the_regulation_and_not_of_the_stations_file() -> None:
    rules = InForce("128/QĐ-UBND", (time(9), time(10)))
    assert causes(rules=rules)[0] == "Quiet hours (09:00 – 10:00): only emergencies sound."
    assert causes(clock=NIGHT, rules=InForce(quiet=None))[0].startswith("Not due yet")


def test_an_agent_that_does_not_tell_its_rules_is_judged_by_the_stations_file() -> None:
    told = why_silent(replace(status(clock=NIGHT), rules=None), SITE, True)
    assert told[0].words.en.startswith("Quiet hours (21:00 – 05:00)")


def test_a_locked_zone_and_a_silenced_one_are_named() -> None:
    rules = InForce(locked=(CHO,), silenced=(DINH,))
    locked, silent, _ = why_silent(status(rules=rules), SITE, True)
    assert locked.words.vi == "Cụm loa chợ Đông Thành: cụm loa đang khóa bảo trì (cấm phát)."
    assert "4 hours" in locked.remedy.en
    assert silent.words.en == "Zone Cụm loa đình làng Lương Nỗ: the zone is silent at the ward's own request."
    assert silent.remedy == NOTHING


@pytest.mark.parametrize("source", [ClockSource.UNSET, ClockSource.FLOOR, ClockSource.DISPUTED])
def test_a_clock_that_is_not_trusted_is_told_once_and_not_for_every_plan(source: ClockSource) -> None:
    clock = replace(FLOOR, source=source)
    plans = (held(Reason.CLOCK_NOT_TRUSTED), replace(held(Reason.CLOCK_NOT_TRUSTED), title="Bản tin chiều"))
    (cause,) = why_silent(status(clock=clock, next=plans), SITE, True)
    assert cause.words.en.startswith("CLOCK NOT TRUSTED")
    assert cause.words.vi.startswith("GIỜ CHƯA CHUẨN")
    assert "NTP" in cause.remedy.vi


def test_without_a_trusted_clock_nothing_is_said_of_quiet_hours() -> None:
    assert len(causes(clock=replace(NIGHT, source=ClockSource.FLOOR))) == 1


def test_a_clock_with_too_large_an_error_is_not_trusted_whatever_its_source() -> None:
    (cause,) = causes(clock=replace(TRUSTED, source=ClockSource.HOLDOVER, max_error_ms=121_000))
    assert cause.startswith("CLOCK NOT TRUSTED")


def test_a_dead_device_process_comes_first() -> None:
    first, due = why_silent(status(), SITE, device_up=False)
    assert "device process" in first.words.en
    assert "edge-agent-io" in first.remedy.vi
    assert due.words.en.startswith("Not due yet")


def test_a_device_process_that_nobody_may_ask_is_no_cause() -> None:
    assert causes(device_up=None) == causes(device_up=True)


def test_a_server_that_has_not_answered() -> None:
    waits, due = causes(welcomed=False)
    assert waits.startswith("The server has not answered since the start: new orders wait")
    assert due.startswith("Not due yet")


def test_a_server_that_has_answered_and_cannot_be_reached_now_is_named_with_the_network() -> None:
    """A SIM that was used up this morning: the centre need not be asked why it sends nothing."""
    gone, none = why_silent(status(online=False, next=()), SITE, True)
    assert gone.words.en.startswith("There is no connection to the server now: new orders do not come")
    assert "không còn lịch nào đã nạp" in gone.words.vi
    assert "SIM" in gone.remedy.vi
    assert none.words.en == "There is no broadcast job to play."


def test_a_server_that_has_been_silent_for_a_day_did_answer_since_the_start() -> None:
    first, *_ = causes(waits=Reason.NOT_WELCOMED)
    assert first.startswith("The server has not answered for more than 26 h: new orders wait")


@pytest.mark.parametrize(
    "waits",
    [{"welcomed": False}, {"waits": Reason.TRUST_BEHIND}, {"online": False}],
    ids=lambda one: next(iter(one)),
)
def test_who_waits_for_the_server_is_told_that_the_timetable_plays_only_where_there_is_one(
    waits: dict[str, object],
) -> None:
    """A trust document has just cancelled it."""
    assert why_silent(status(**waits), SITE, True)[0].words.vi.endswith("; lịch đã nạp vẫn phát.")
    told, _ = why_silent(status(**waits, next=(), playing=()), SITE, True)
    assert "vẫn phát" not in told.words.vi
    assert "không còn lịch nào đã nạp" in told.words.vi
    assert "cancelled with the key that signed it" in told.words.en


def test_a_zone_that_is_turned_down_to_nothing_is_named() -> None:
    zones = (ZoneStatus(CHO, "Chợ", False, None, 0), ZoneStatus(DINH, "Đình", False, None, 50))
    muted, _ = causes(zones=zones)
    assert muted == "Zone Chợ: its volume_max is 0."


def test_a_zone_whose_relay_does_not_answer_is_named() -> None:
    """Somebody holds its line: the zone is silent, and every other one is well."""
    zones = (ZoneStatus(CHO, "Chợ", None, None, 80), ZoneStatus(DINH, "Đình", False, None, 80))
    cause, due = why_silent(status(zones=zones), SITE, True)
    assert cause.words.en == "Zone Chợ: nobody can tell whether its relay is on: its line or contact does not answer."
    assert "gpioinfo" in cause.remedy.vi
    assert due.words.en.startswith("Not due yet")
    down, *_ = why_silent(status(zones=zones), SITE, False)
    assert "device process" in down.words.en, "which is why nobody can tell"
    assert len(causes(device_up=False, zones=zones)) == 2


def test_a_horn_at_which_nothing_was_heard_is_named_with_what_to_look_at() -> None:
    zones = (ZoneStatus(CHO, "Chợ", False, None, 80, False, -58), ZoneStatus(DINH, "Đình", False, None, 80, True, -12))
    cause, _ = why_silent(status(zones=zones), SITE, True)
    assert cause.words.vi == "Cụm Chợ: đã phát nhưng không đo được tiếng tại loa."
    assert "amplifier" in cause.remedy.en


@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.CLOCK_NOT_TRUSTED}))
def test_every_reason_that_holds_a_plan_is_told_in_both_languages(reason: Reason) -> None:
    (cause,) = why_silent(status(next=(held(reason),)), SITE, True)
    assert cause.words.en == f'"Bản tin sáng" 17:30 Wed 2026-11-25: {WORDS_EN[reason]}.'
    assert cause.words.vi == f"“Bản tin sáng” 17h30 T4 25/11/2026: {WORDS_VI[reason]}."


def test_the_first_plan_that_nothing_holds_is_named_beside_the_held_ones() -> None:
    later = replace(BULLETIN, title="Bản tin chiều")
    assert [words.split(":")[0] for words in causes(next=(held(Reason.AUDIO_UNREACHABLE), later))] == [
        "Not due yet",
        '"Bản tin sáng" 17',
    ]


def test_what_sounds_is_named_with_what_to_check_in_the_street() -> None:
    (cause,) = why_silent(status(playing=(FLOOD,)), SITE, True)
    where = "Cụm loa chợ Đông Thành, Cụm loa đình làng Lương Nỗ"
    assert cause.words.vi == f"ĐANG PHÁT “Lũ trên sông Hồng” tại {where}."
    assert "amplifier" in cause.remedy.en


def test_a_cluster_may_be_waiting_for_its_turn_where_there_are_turns_and_a_warning_never_does() -> None:
    turns = replace(SITE, stagger_ms=1_000)
    (bulletin,) = why_silent(status(playing=(replace(FLOOD, cls=JobClass.NORMAL),)), turns, True)
    assert bulletin.remedy.vi.startswith("phát lệch giờ: ")
    assert "amplifier" in bulletin.remedy.en
    (warning,) = why_silent(status(playing=(FLOOD,)), turns, True)
    (plain,) = why_silent(status(playing=(replace(FLOOD, cls=JobClass.NORMAL),)), SITE, True)
    assert warning.remedy == plain.remedy


def test_relays_that_are_closing_are_not_yet_sound() -> None:
    (cause,) = causes(playing=(replace(FLOOD, phase=Phase.ARMED),), next=())
    assert cause.startswith('Not due yet: "Lũ trên sông Hồng"')


def test_all_at_once_come_in_the_order_of_their_weight() -> None:
    told = causes(
        device_up=False, clock=FLOOR, welcomed=False, next=(held(Reason.CACHE_FULL),), zones=(
            ZoneStatus(CHO, "Chợ", False, None, 0),
        ),
    )  # fmt: skip
    assert [words.split()[0] for words in told] == ["The", "CLOCK", "The", "Zone", '"Bản']
