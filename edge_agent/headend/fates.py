"""Tell what became of an order that was taken back, at one station: cancelled, played already, or nobody knows. Pure.

A station that does not answer may be out of reach and play on from its own timetable: that is said, with the hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from zoneinfo import ZoneInfo

from edge_agent.core.as_run import RecordKind
from edge_agent.core.effects import Verdict
from edge_agent.core.job import Job, PlayAt, PlayNow, Rule
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import AllStop, Amplify, Command, Lock, Pause, RuleOrder, Window
from edge_agent.core.past import LATE_GRACE_MS
from edge_agent.core.schedule import instants_between, sounds_once
from edge_agent.core.units import UtcMs
from edge_agent.headend.given import Given
from edge_agent.headend.plays import Play
from edge_agent.headend.words import PHASES, day_and_hour, reason_explained, seconds
from edge_agent.sync.reports import AnswerMsg

TOLD_MAX = 3
# The next instants: who has not been reached by then is visited.


def fate(answer: AnswerMsg | None, plays: Sequence[Play], target: Given | None, now: UtcMs, zone: ZoneInfo) -> str:
    """One line. ``answer`` is the station's to the cancel, ``plays`` its records of ``target``, None where unknown."""
    sounded = [play for play in plays if play.kind is RecordKind.PLAY]
    last = _last(sounded, zone)
    if sounded and isinstance(target, Job) and sounds_once(target):
        return f"{last}, không còn gì để hủy / nothing is left to cancel"
    before = f"; trước đó {last}" if last else ""
    if answer is None:
        return f"CHƯA TRẢ LỜI: {_may_still(target, now, zone)}{before}"
    if answer.verdict is Verdict.REFUSED:
        why = reason_explained(answer.reason) if answer.reason else ""
        return f"TỪ CHỐI hủy / refused: {why}{before}"
    return f"đã hủy lúc {day_and_hour(answer.at, zone)} / cancelled{before}"


def _last(sounded: Sequence[Play], zone: ZoneInfo) -> str:
    """đã phát xong lúc 06/10/2026 05h31. What was heard of one that has not succeeded may have to be put right."""
    if not sounded:
        return ""
    last = max(sounded, key=lambda play: play.ended)
    ended = f"{PHASES[last.outcome]} lúc {day_and_hour(last.ended, zone)}"
    if last.outcome is Phase.SUCCEEDED or last.played_ms == 0:
        return ended
    return f"{ended} (đã phát {'không rõ bao lâu' if last.played_ms is None else f'{seconds(last.played_ms)} giây'})"


def _may_still(target: Given | None, now: UtcMs, zone: ZoneInfo) -> str:
    if target is None:
        return "vẫn có thể phát, không rõ giờ nào (thêm --job-envelope) / may still play, its hours are not known here"
    if not isinstance(target, Job):
        return f"vẫn có thể có hiệu lực đến {day_and_hour(_holds_until(target), zone)} / may still hold until then"
    if isinstance(target.when, PlayNow):
        until = target.when.until or target.not_after
        return f"vẫn có thể phát đến {day_and_hour(until, zone)} / may still play until then"
    instants = [day_and_hour(at, zone) for at in islice(_instants(target, now), TOLD_MAX)]
    if not instants:
        return "theo lịch không còn lần phát nào / by its timetable nothing is left to play"
    return f"vẫn có thể phát lúc {', '.join(instants)} / may still play then"


def _holds_until(rule: RuleOrder) -> UtcMs:
    match rule:
        case Window(ends=ends):
            return ends
        case Command(action=AllStop(for_ms) | Amplify(_, for_ms) | Lock(for_ms) | Pause(for_ms)):
            return UtcMs(rule.heading.not_after + for_ms)  # it may have come at the last moment
        case _:
            return rule.heading.not_after


def _instants(job: Job, now: UtcMs) -> Iterator[UtcMs]:
    """The planned instants at which a station that knows the job may still play, or may play late now."""
    after = UtcMs(now - max(job.late_limit_ms, job.zones_limit_ms, LATE_GRACE_MS))
    match job.when:
        case PlayAt(at=at) if after < at <= job.not_after:
            yield at
        case Rule():
            yield from instants_between(job, after, UtcMs(job.not_after + 1))
