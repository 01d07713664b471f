"""What the kit's judges make of what was seen: each passes what is right, and names what is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge_agent.core.clock_trust import ClockState, adopt_ntp, adopt_signed
from edge_agent.core.effects import Verdict as Said
from edge_agent.core.occurrence import OUTCOMES, Phase
from edge_agent.core.reasons import Reason
from edge_agent.core.units import MINUTE_MS, JobId, MonoMs, UtcMs
from edge_agent.headend.conform import judges
from edge_agent.headend.conform.verdicts import Failed, NotTried, Passed, Verdict, first_failure
from edge_agent.headend.listening import LogBatch
from edge_agent.journal.port import StoredRecord
from edge_agent.journal.record import ChainPoint, chain
from edge_agent.sync.reports import AnswerMsg

ACCEPTED = AnswerMsg(Said.ACCEPTED, "a" * 64, JobId("job-1"), None, UtcMs(1))
REFUSED = AnswerMsg(Said.REFUSED, "a" * 64, JobId(""), Reason.SIGNATURE_INVALID, UtcMs(1))
KNOWN = AnswerMsg(Said.KNOWN, "a" * 64, JobId("job-1"), Reason.REPLAYED, UtcMs(1))
EPOCH = "e" * 16
NOON = UtcMs(1_790_830_800_000)


def records(count: int, epoch: str = EPOCH) -> list[StoredRecord]:
    made: list[StoredRecord] = []
    for number in range(count):
        before = ChainPoint(made[-1].seq, made[-1].hash) if made else ChainPoint()
        made.append(chain(epoch, before, b'{"n":%d}' % number))
    return made


def batch(*listed: StoredRecord) -> LogBatch:
    return LogBatch(EPOCH, listed)


def failure(verdict: Verdict) -> str:
    assert isinstance(verdict, Failed), verdict
    return f"{verdict.expected} | {verdict.seen}"


def passes(verdict: Verdict) -> bool:
    return isinstance(verdict, Passed)


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (None, "no answer"),
        (ACCEPTED, "accepted"),
        (replace(REFUSED, reason=Reason.EXPIRED), "refused, expired"),
        (replace(REFUSED, job_id=JobId("job-1")), "its job id 'job-1'"),
    ],
)
def test_a_forged_order_must_be_refused_by_its_name_and_without_its_words(answer: AnswerMsg | None, seen: str) -> None:
    assert passes(judges.refused(REFUSED, Reason.SIGNATURE_INVALID))
    assert seen in failure(judges.refused(answer, Reason.SIGNATURE_INVALID))


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (None, "no answer"),
        (REFUSED, "refused, signature_invalid"),
        (KNOWN, "known, replayed"),
        (replace(ACCEPTED, job_id=JobId("job-2")), "about 'job-2'"),
        (replace(ACCEPTED, reason=Reason.EXPIRED), "expired"),
    ],
)
def test_a_good_order_must_be_accepted_by_its_own_id(answer: AnswerMsg | None, seen: str) -> None:
    assert passes(judges.accepted(ACCEPTED, "job-1"))
    assert seen in failure(judges.accepted(answer, "job-1"))


@pytest.mark.parametrize("answer", [None, ACCEPTED, replace(KNOWN, job_id=JobId("job-2"))])
def test_a_replay_must_be_known(answer: AnswerMsg | None) -> None:
    assert passes(judges.known(KNOWN, "job-1"))
    assert "known" in failure(judges.known(answer, "job-1"))


@pytest.mark.parametrize("reason", ["weekday_mask", "holiday", "sessions_per_day", "minutes_per_day", "zone_silenced"])
def test_a_day_on_which_nothing_may_sound_is_not_the_stations_fault(reason: str) -> None:
    """Five days a week, two sessions a day: nobody tells the kit what a ward has laid down."""
    answer = replace(REFUSED, job_id=JobId("job-1"), reason=Reason(reason))
    untried = NotTried(f"the ward's rules forbid sound now: {reason}")
    assert judges.accepted(answer, "job-1") == untried
    assert judges.refused(answer, Reason.QUIET_HOURS) == untried


def test_a_day_whose_sessions_are_used_up_when_it_is_due_is_not_the_stations_fault_either() -> None:
    said = judges.kept_silent([play(), play(outcome="rejected", reason="sessions_per_day")])
    assert said == NotTried("the ward's rules forbid sound now: sessions_per_day")
    assert judges.kept_silent([play(), play(outcome="rejected", reason="quiet_hours")]) is None
    assert judges.kept_silent([play(reason=["holiday"])]) is None


def test_quiet_hours_are_what_the_kit_was_told() -> None:
    assert failure(judges.accepted(replace(REFUSED, reason=Reason.QUIET_HOURS), "job-1"))


def test_every_order_has_its_answer_and_no_more_than_it_had_deliveries() -> None:
    sent = {"a" * 64: 2}
    assert passes(judges.answered_once(sent, [ACCEPTED, KNOWN]))
    assert passes(judges.answered_once(sent, [ACCEPTED]))
    assert failure(judges.answered_once(sent, [])).endswith("| no answer")
    assert failure(judges.answered_once(sent, [ACCEPTED, KNOWN, KNOWN])).endswith(
        "| 3: accepted; known, replayed; known, replayed"
    )
    again = replace(ACCEPTED, at=UtcMs(ACCEPTED.at + 1))
    assert "accepted again" in failure(judges.answered_once(sent, [ACCEPTED, again]))
    assert passes(judges.answered_once(sent, [ACCEPTED, ACCEPTED]))  # the same words, sent anew over a new line
    assert passes(judges.answered_once({}, [ACCEPTED]))  # an answer to somebody else's order


def test_a_whole_chain_passes_in_overlapping_and_repeated_uploads() -> None:
    listed = records(5)
    assert passes(judges.chained([batch(*listed[:3]), batch(*listed[:3]), batch(*listed[2:])]))
    assert passes(judges.chained([batch(*listed[2:])]))  # what came before was acknowledged to somebody else


def test_a_log_that_begins_behind_another_hash_than_zeros_is_named() -> None:
    first = chain(EPOCH, ChainPoint(0, "a" * 64), b'{"n":1}')
    second = chain(EPOCH, ChainPoint(1, first.hash), b'{"n":2}')
    assert "record 1 behind 64 zeros" in failure(judges.chained([batch(first, second)]))
    assert passes(judges.chained([batch(second)]))  # its record 1 came before the run


def test_a_gap_between_uploads_is_named() -> None:
    listed = records(5)
    assert "record 3 never came" in failure(judges.chained([batch(*listed[:2]), batch(*listed[3:])]))


def test_a_gap_within_an_upload_is_named() -> None:
    listed = records(3)
    assert "record 2: cut" in failure(judges.chained([batch(listed[0], listed[2])]))


def test_a_record_that_came_again_with_another_hash_is_named() -> None:
    first, other = records(1)[0], chain(EPOCH, ChainPoint(), b'{"n":9}')
    assert "record 1 has another hash" in failure(judges.chained([batch(first), batch(other)]))


def test_a_record_that_was_changed_is_named() -> None:
    listed = records(2)
    listed[1] = replace(listed[1], body=b'{"n":9}')
    assert "record 2: changed" in failure(judges.chained([batch(*listed)]))


def test_an_upload_that_follows_another_history_is_named() -> None:
    mine, theirs = records(1), [chain(EPOCH, ChainPoint(), b'{"n":8}')]
    theirs.append(chain(EPOCH, ChainPoint(1, theirs[0].hash), b'{"n":9}'))
    assert "another hash before it" in failure(judges.chained([batch(mine[0]), batch(theirs[1])]))


def test_a_clock_may_be_as_wrong_as_it_says() -> None:
    clock = {"utc": 1_000_000, "max_error_ms": 500, "source": "signed"}
    assert passes(judges.clock_right(clock, 1_002_400))
    assert "600000 ms off" in failure(judges.clock_right(clock, 1_600_000))
    assert "none" in failure(judges.clock_right({}, 1_000_000))


@pytest.mark.parametrize("source", ["unset", "floor"])
def test_a_clock_that_knows_no_time_claims_none(source: str) -> None:
    assert passes(judges.clock_right({"utc": 5_000, "max_error_ms": 0, "source": source}, NOON))


def test_a_welcome_over_a_slow_line_leaves_a_right_station_in_the_holdover_of_ntp() -> None:
    mono = MonoMs(60 * MINUTE_MS)
    ntp = adopt_ntp(ClockState(), NOON, mono, 5)
    later = MonoMs(mono + 20 * MINUTE_MS)
    clock = adopt_signed(ntp, UtcMs(NOON + 20 * MINUTE_MS), later, 900).read(later)
    assert passes(judges.clock_proven({"source": clock.source.value})), clock.source


@pytest.mark.parametrize(("source", "good"), [("signed", True), ("ntp", True), ("rtc", False), ("unset", False)])
def test_after_a_welcome_the_time_comes_from_it_or_from_ntp(source: str, good: bool) -> None:
    assert passes(judges.clock_proven({"source": source})) is good


def test_a_clock_that_may_be_wrong_by_anything_has_not_been_set_by_a_welcome() -> None:
    clock = {"source": "ntp", "max_error_ms": 120_000}
    assert passes(judges.clock_proven(clock))
    assert "3600000 ms" in failure(judges.clock_proven(clock | {"max_error_ms": 3_600_000}))


def play(**over: Any) -> dict[str, Any]:
    return {"kind": "play", "outcome": "succeeded", "reason": None} | over


@pytest.mark.parametrize(
    ("bodies", "seen"),
    [
        ([], "0 of them"),
        ([play(), play()], "2 of them"),
        ([play(kind="refusal")], "0 of them"),
        ([play(outcome="failed", reason="relay_failed")], "failed, relay_failed"),
    ],
)
def test_an_occurrence_has_one_record_and_one_outcome(bodies: list[dict[str, Any]], seen: str) -> None:
    assert passes(judges.one_play([play()], (Phase.SUCCEEDED,)))
    assert seen in failure(judges.one_play(bodies, (Phase.SUCCEEDED,)))


def test_an_outcome_with_another_reason_than_its_cause_is_named() -> None:
    body = play(outcome="failed", reason="audio_altered")
    assert passes(judges.one_play([body], (Phase.FAILED,), Reason.AUDIO_ALTERED))
    assert "failed, audio_altered" in failure(judges.one_play([body], (Phase.FAILED,), Reason.AUDIO_UNREACHABLE))


def test_a_refusal_has_one_record_with_the_reason_of_the_answer() -> None:
    body = {"kind": "refusal", "reason": "wrong_audience"}
    assert passes(judges.one_refusal([body], Reason.WRONG_AUDIENCE))
    assert "0 records" in failure(judges.one_refusal([], Reason.WRONG_AUDIENCE))
    assert "2 records" in failure(judges.one_refusal([body, body], Reason.WRONG_AUDIENCE))
    assert "wrong_audience" in failure(judges.one_refusal([body], Reason.WRONG_REALM))


@pytest.mark.parametrize(
    "body",
    [
        *(play(reason="missed"), play(outcome="failed"), play(outcome="failed", reason="bad luck")),
        *(play(outcome="armed"), play(outcome=["failed"]), play(outcome="failed", reason=["missed"])),
    ],
)
def test_what_did_not_sound_whole_must_say_why_in_the_words_of_the_catalogue(body: dict[str, Any]) -> None:
    assert passes(judges.reasons_named([play(), play(outcome="missed", reason="missed")]))
    assert failure(judges.reasons_named([body]))


def test_every_outcome_of_the_protocol_is_one() -> None:
    """What somebody has cancelled that morning lies in the log that the kit is sent."""
    for outcome in OUTCOMES - {Phase.SUCCEEDED}:
        assert passes(judges.reasons_named([play(outcome=outcome.value, reason="cancelled")])), outcome


def test_a_record_repeats_what_was_ordered() -> None:
    item = {"title": "T", "field": "f", "language": "vi", "source": "s", "approver": "a"}
    payload = {"job_id": "j", "issuer": "i", "level": "l", "class": "normal", "items": [item | {"kind": "text"}]}
    body = {"job_id": "j", "issuer": "i", "level": "l", "cls": "normal", "items": [item | {"key": "k"}]}
    assert passes(judges.unchanged(body, payload))
    assert "'l2'" in failure(judges.unchanged(body | {"level": "l2"}, payload))
    assert "'T2'" in failure(judges.unchanged(body | {"items": [item | {"title": "T2"}]}, payload))
    assert "None" in failure(judges.unchanged(body | {"items": None}, payload))


def test_of_several_looks_the_first_failure_counts() -> None:
    good, bad, unknown = Passed("x"), Failed("y", "z"), NotTried("w")
    assert first_failure([good, bad, unknown]) is bad
    assert first_failure([unknown, good]) is good
    assert first_failure([unknown]) is unknown
    assert isinstance(first_failure([]), NotTried)
