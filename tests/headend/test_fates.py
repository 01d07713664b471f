"""What a cancel is answered with, station by station: nothing is called cancelled that nobody has confirmed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import cast
from zoneinfo import ZoneInfo

import pytest

from edge_agent.core.effects import Verdict
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import Lock
from edge_agent.core.reasons import Reason
from edge_agent.core.units import HOUR_MS, JobId, StationId, UtcMs
from edge_agent.headend.cli.shown import answered
from edge_agent.headend.enrolment import Enrolled
from edge_agent.headend.fates import fate
from edge_agent.headend.given import Given
from edge_agent.headend.listening import Heard, hear
from edge_agent.headend.plays import Play, read_play
from edge_agent.sync.reports import AnswerMsg
from edge_agent.trust.keys import new_signer
from tests.headend.fake_station import AREA, AT, NEWER, RECORD, FakeStation, newer
from tests.trust.makers import make_command, make_job, make_window, rule_when

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
NOW = UtcMs(AT - 60_000)  # 05:29 on Tuesday, 6 October
CANCELLED = AnswerMsg(Verdict.ACCEPTED, "a" * 64, JobId("huy-1"), None, NOW)
DAILY = make_job(when=rule_when(), not_before=AT - 100_000_000, not_after=AT + 100 * 86_400_000)
ONCE = make_job(when={"kind": "at", "utc": AT}, not_before=AT - 100_000_000, not_after=AT + 600_000)


def play(**over: object) -> Play:
    chain = FakeStation(new_signer())
    chain.play(replace(RECORD, **over))
    return read_play(chain.records[0])


def told(answer: AnswerMsg | None, target: Given | None, *plays: Play, now: UtcMs = NOW) -> str:
    return fate(answer, plays, target, now, HANOI)


def test_a_station_that_obeyed_says_when() -> None:
    assert told(CANCELLED, DAILY) == "đã hủy lúc 06/10/2026 05h29 / cancelled"


def test_what_a_timetable_has_played_already_is_told_beside() -> None:
    earlier = play(ended=UtcMs(AT - 86_400_000))
    assert told(CANCELLED, DAILY, earlier) == (
        "đã hủy lúc 06/10/2026 05h29 / cancelled; trước đó đã phát xong lúc 05/10/2026 05h30"
    )


@pytest.mark.parametrize("answer", [CANCELLED, None])
def test_of_what_plays_once_and_has_played_nothing_is_left(answer: AnswerMsg | None) -> None:
    line = "đã phát xong lúc 06/10/2026 05h31:01, không còn gì để hủy / nothing is left to cancel"
    assert told(answer, ONCE, play()) == line


def test_one_that_was_cut_by_the_cancel_says_so() -> None:
    cut = play(outcome=Phase.CANCELLED, reason=Reason.CANCELLED, ended=NOW)
    assert told(CANCELLED, ONCE, cut).startswith("đã hủy lệnh phát lúc 06/10/2026 05h29")


@pytest.mark.parametrize(("ms", "heard"), [(30_000, "đã phát 30,0 giây"), (None, "đã phát không rõ bao lâu"), (0, "")])
def test_what_was_heard_of_one_that_failed_is_told(ms: int | None, heard: str) -> None:
    """ "không phát được" alone says that nobody has heard it, and that nothing need be put right."""
    failed = play(outcome=Phase.FAILED, reason=Reason.DEVICE_FAILED, ended=NOW, played_ms=ms)
    so_far = f" ({heard})" if heard else ""
    line = f"không phát được lúc 06/10/2026 05h29{so_far}, không còn gì để hủy / nothing is left to cancel"
    assert told(CANCELLED, ONCE, failed) == line


def test_a_refusal_by_a_name_that_only_a_newer_station_knows_is_told_as_it_is() -> None:
    key = new_signer()
    stations = {StationId("tram-01"): Enrolled(StationId("tram-01"), AREA, "", key.public)}
    heard = hear(stations, "demo", *newer(key, "answer", ("reason",)))
    assert isinstance(heard, Heard)
    assert isinstance(heard.said, AnswerMsg)
    assert told(heard.said, DAILY) == f"TỪ CHỐI hủy / refused: {NEWER}"
    assert answered(heard.said, HANOI) == f"từ chối lệnh / refused: {NEWER}"


def test_whoever_has_a_stations_key_turns_no_officers_line_round() -> None:
    """A name that is not known here may be anything that JSON may hold."""
    refused = replace(CANCELLED, verdict=Verdict.REFUSED, reason=cast(Reason, "\u202edellecnac"))
    assert told(refused, DAILY) == "TỪ CHỐI hủy / refused: ?dellecnac"
    assert answered(refused, HANOI) == "từ chối lệnh / refused: ?dellecnac"


def test_a_station_out_of_reach_plays_on_at_the_next_instants_of_the_timetable() -> None:
    assert told(None, DAILY) == (
        "CHƯA TRẢ LỜI: vẫn có thể phát lúc 06/10/2026 05h30, 06/10/2026 17h00, 07/10/2026 05h30 / may still play then"
    )


def test_an_instant_at_which_it_may_begin_late_counts() -> None:
    late = make_job(
        when={"kind": "at", "utc": AT},
        not_before=AT - HOUR_MS,
        not_after=AT + HOUR_MS,
        missed={"policy": "late", "limit_s": 600},
    )
    line = "CHƯA TRẢ LỜI: vẫn có thể phát lúc 06/10/2026 05h30 / may still play then"
    assert told(None, late, now=UtcMs(AT + 500_000)) == line
    nothing = "CHƯA TRẢ LỜI: theo lịch không còn lần phát nào / by its timetable nothing is left to play"
    assert told(None, late, now=UtcMs(AT + 700_000)) == nothing
    ended = replace(DAILY, when=replace(DAILY.when, last_day=date(2026, 10, 5)))  # type: ignore[type-var]
    assert told(None, ended) == nothing


def test_what_plays_now_may_play_until_its_end() -> None:
    now = make_job(not_before=NOW, not_after=NOW + 600_000)
    again = replace(now, when=replace(now.when, every_ms=60_000, until=UtcMs(NOW + 300_000)))  # type: ignore[type-var]
    assert "vẫn có thể phát đến 06/10/2026 05h39 " in told(None, now)
    assert "vẫn có thể phát đến 06/10/2026 05h34 " in told(None, again)


def test_where_the_order_is_not_known_its_hours_are_not_guessed() -> None:
    assert "không rõ giờ nào (thêm --job-envelope)" in told(None, None)
    assert "trước đó đã phát xong" in told(None, None, play())


def test_a_rule_out_of_reach_may_hold_until_its_end() -> None:
    window = make_window(begins=NOW, ends=NOW + HOUR_MS)
    assert "vẫn có thể có hiệu lực đến 06/10/2026 06h29 " in told(None, window)
    lock = make_command(do={"what": "lock", "for_s": 7_200}, not_before=NOW, not_after=NOW + 120_000)
    assert isinstance(lock.action, Lock)
    assert "vẫn có thể có hiệu lực đến 06/10/2026 07h31 " in told(None, lock)


def test_a_refused_cancel_says_why() -> None:
    refused = replace(CANCELLED, verdict=Verdict.REFUSED, reason=Reason.NOT_THE_OWNER)
    assert told(refused, DAILY).startswith("TỪ CHỐI hủy / refused: lệnh của đơn vị khác")
