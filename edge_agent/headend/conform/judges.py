"""Judge what was seen: an answer, a chain of records, a clock, a play. Pure; the trials bring what they saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edge_agent.core.clock_trust import TIMETABLE_ERROR_MAX_MS, ClockSource
from edge_agent.core.effects import Verdict as Said
from edge_agent.core.occurrence import OUTCOMES, Phase
from edge_agent.core.reasons import UNAUTHENTICATED, Reason
from edge_agent.headend.conform.verdicts import Failed, NotTried, Passed, Verdict
from edge_agent.headend.listening import LogBatch
from edge_agent.journal.port import StoredRecord
from edge_agent.journal.record import GENESIS, ChainPoint, verify_chain
from edge_agent.sync.reports import AnswerMsg

NO_ANSWER = "no answer"
WARD_RULES = frozenset(
    {
        *(Reason.HOLIDAY, Reason.WEEKDAY_MASK, Reason.SESSIONS_PER_DAY, Reason.SESSION_TOO_LONG),
        *(Reason.MINUTES_PER_DAY, Reason.LIVE_MINUTES_PER_DAY, Reason.BATTERY_RESERVE),
        *(Reason.ZONE_SILENCED, Reason.ZONE_LOCKED, Reason.OUTSIDE_EXCEPTION),
    }
)
# What a ward may have laid down and nobody has told the kit, but for its quiet hours: a right station refuses by them.
FORBIDDEN = "the ward's rules forbid sound now"
NO_TIME = (ClockSource.UNSET, ClockSource.FLOOR)
# A clock that says so bounds nothing (protocol, 7.6).
TRANSIT_MS = 2_000
# Between the station's reading of its clock and ours: its own queue, the broker, and this process.


def told(answer: AnswerMsg) -> str:
    """An answer in a few words."""
    return answer.verdict.value + (f", {answer.reason}" if answer.reason else "")


def forbidden(answer: AnswerMsg | None) -> NotTried | None:
    """Whether the ward's rules of that day, and not the protocol, had the order refused."""
    if answer is None or answer.verdict is not Said.REFUSED or answer.reason not in WARD_RULES:
        return None
    return NotTried(f"{FORBIDDEN}: {answer.reason}")


def kept_silent(records: Sequence[Mapping[str, Any]]) -> NotTried | None:
    """The same of what was taken, and met the day's limits when it was due."""
    reasons = [record.get("reason") for record in records if record.get("reason") in list(WARD_RULES)]
    return NotTried(f"{FORBIDDEN}: {reasons[0]}") if reasons else None


def refused(answer: AnswerMsg | None, *reasons: Reason) -> Verdict:
    """The order must be refused by one of these names; by those that anybody can provoke, without its job id."""
    expected = f"refused, {' or '.join(reason.value for reason in reasons)}"
    if answer is None:
        return Failed(expected, NO_ANSWER)
    if untried := forbidden(answer):
        return untried
    if answer.verdict is not Said.REFUSED or answer.reason not in reasons:
        return Failed(expected, told(answer))
    if answer.reason in UNAUTHENTICATED - {Reason.UNSUPPORTED, Reason.MALFORMED} and answer.job_id:
        return Failed("nothing of a message that is not authentic repeated", f"its job id {answer.job_id!a}")
    return Passed(told(answer))


def accepted(answer: AnswerMsg | None, job_id: str, *, or_known: bool = False) -> Verdict:
    """The order must be taken, by its own id."""
    wanted = (Said.ACCEPTED, Said.KNOWN) if or_known else (Said.ACCEPTED,)
    expected = " or ".join(verdict.value for verdict in wanted)
    if answer is None:
        return Failed(expected, NO_ANSWER)
    if untried := forbidden(answer):
        return untried
    if answer.verdict not in wanted:
        return Failed(expected, told(answer))
    if answer.job_id != job_id:
        return Failed(f"an answer about {job_id}", f"about {answer.job_id!a}")
    if answer.verdict is Said.ACCEPTED and answer.reason is not None:
        return Failed("no reason with accepted", str(answer.reason))
    return Passed(told(answer))


def known(answer: AnswerMsg | None, job_id: str) -> Verdict:
    """The very same order once more has no effect."""
    if answer is None:
        return Failed("known", NO_ANSWER)
    if answer.verdict is not Said.KNOWN or answer.job_id != job_id:
        return Failed(f"known, about {job_id}", f"{told(answer)}, about {answer.job_id or '?'}")
    return Passed(told(answer))


def answered_once(due: Mapping[str, int], answers: Sequence[AnswerMsg]) -> Verdict:
    """Every order is answered, no more often than it may have been delivered, and taken once at most.

    The very same acceptance again is one that was sent anew, and no second one.
    """
    for digest, times in due.items():
        about = [answer for answer in answers if answer.digest == digest]
        if not 1 <= len(about) <= times:
            seen = f"{len(about)}: {'; '.join(map(told, about))}" if about else NO_ANSWER
            return Failed(f"1 to {times} answer(s) to order {digest[:12]}…", seen)
        if len({answer for answer in about if answer.verdict is Said.ACCEPTED}) > 1:
            return Failed(f"order {digest[:12]}… accepted once", "accepted again")
    return Passed(f"{len(due)} orders, each answered")


def chained(batches: Sequence[LogBatch]) -> Verdict:
    """Every upload holds together: hashes, order, no gap within it, and no place filled twice with other content."""
    places: dict[tuple[str, int], StoredRecord] = {}
    for batch in batches:
        first = batch.records[0]
        if first.seq == 1 and first.prev != GENESIS:
            return Failed("record 1 behind 64 zeros", "it names a record before it")
        # A later one may come first: what stands before it was acknowledged before the run.
        fault = verify_chain(batch.records, ChainPoint(first.seq - 1, first.prev))
        if fault is not None:
            return Failed("a chain of hashes without a gap", f"record {fault.seq}: {fault.damage.value}")
        for record in batch.records:
            before = places.setdefault((record.epoch, record.seq), record)
            if before.hash != record.hash:
                return Failed("the same record as before", f"record {record.seq} has another hash now")
    return _joined(places)


def _joined(places: Mapping[tuple[str, int], StoredRecord]) -> Verdict:
    for (epoch, seq), record in places.items():
        after = places.get((epoch, seq + 1))
        if after is not None and after.prev != record.hash:
            return Failed(f"record {seq + 1} chained to record {seq}", "it names another hash before it")
    for epoch in {epoch for epoch, _ in places}:
        seqs = sorted(seq for other, seq in places if other == epoch)
        missing = set(range(seqs[0], seqs[-1])) - set(seqs)
        if missing:
            return Failed("every place of the log filled", f"record {min(missing)} never came")
    return Passed(f"{len(places)} records, each chained to the one before")


def clock_right(clock: Mapping[str, Any], ours: int, expected: str = "within what it claims") -> Verdict:
    """A clock that says how wrong it may be must not be more wrong than that."""
    utc, error_ms = clock.get("utc"), clock.get("max_error_ms")
    if not isinstance(utc, int) or not isinstance(error_ms, int):
        return Failed("a clock in a message that counts", "none")
    if clock.get("source") in NO_TIME:
        return Passed(f"source {clock.get('source')}, which claims nothing")
    off_ms, allowed_ms = abs(utc - ours), error_ms + TRANSIT_MS
    if off_ms > allowed_ms:
        return Failed(f"a clock {expected} ({allowed_ms} ms with the transit)", f"{off_ms} ms off")
    return Passed(f"{off_ms} ms off, {error_ms} ms claimed, source {clock.get('source')}")


def clock_proven(clock: Mapping[str, Any]) -> Verdict:
    """After a welcome the time comes from it, or from what was tighter: NTP, also such as has gone since (7.4)."""
    source, error_ms = clock.get("source"), clock.get("max_error_ms", 0)
    if source not in (ClockSource.SIGNED, ClockSource.NTP, ClockSource.HOLDOVER):
        return Failed("source signed, ntp or holdover after a welcome", f"{source}")
    if error_ms > TIMETABLE_ERROR_MAX_MS:
        # Whoever claims that any time may be right is never wrong.
        return Failed(f"a clock that is trusted (7.7), within {TIMETABLE_ERROR_MAX_MS} ms", f"{error_ms} ms")
    return Passed(f"source {source}")


def one_play(records: Sequence[Mapping[str, Any]], outcomes: Sequence[Phase], *reasons: Reason | None) -> Verdict:
    """An occurrence ends in exactly one record of kind play, with an outcome that fits."""
    plays = [record for record in records if record.get("kind") == "play"]
    expected = f"one play record, {'/'.join(outcome.value for outcome in outcomes)}"
    if reasons and reasons != (None,):
        expected += f", {'/'.join(reason.value for reason in reasons if reason)}"
    if len(plays) != 1:
        return Failed(expected, f"{len(plays)} of them")
    outcome, reason = plays[0].get("outcome"), plays[0].get("reason")
    if outcome not in list(outcomes) or (reasons and reason not in [each and each.value for each in reasons]):
        return Failed(expected, f"{outcome}, {reason}")
    return Passed(f"one record: {outcome}" + (f", {reason}" if reason else ""))


def one_refusal(records: Sequence[Mapping[str, Any]], reason: Reason) -> Verdict:
    """An authentic order that was refused leaves exactly one record, with the answer's reason."""
    expected = f"one refusal record, {reason.value}"
    if len(records) != 1:
        return Failed(expected, f"{len(records)} records")
    kind, why = records[0].get("kind"), records[0].get("reason")
    if kind != "refusal" or why != reason.value:
        return Failed(expected, f"{kind}, {why}")
    return Passed(f"one record: {why}")


def reasons_named(bodies: Sequence[Mapping[str, Any]]) -> Verdict:
    """Whatever did not sound whole says why, by a name of the catalogue."""
    # Lists: a station may write there what no set can be asked for.
    codes, outcomes = [reason.value for reason in Reason], [phase.value for phase in OUTCOMES]
    for body in bodies:
        outcome, reason = body.get("outcome"), body.get("reason")
        if outcome not in outcomes:
            return Failed("an outcome of section 8", f"{outcome!a} in the record of {body.get('job_id')}")
        if outcome != Phase.SUCCEEDED and reason not in codes:
            return Failed("a reason of the catalogue (section 11)", f"{reason!a} in the record of {body.get('job_id')}")
        if outcome == Phase.SUCCEEDED and reason is not None:
            return Failed("no reason where all of it sounded", f"{reason!a}")
    return Passed(f"{len(bodies)} records")


def unchanged(body: Mapping[str, Any], payload: Mapping[str, Any]) -> Verdict:
    """The record repeats what was ordered: who, what, and the particulars of every item (requirement B9)."""
    wanted: dict[str, Any] = {name: payload[name] for name in ("job_id", "issuer", "level")}
    wanted["cls"] = payload["class"]
    wanted["items"] = [_particulars(item) for item in payload["items"]]
    found = {name: body.get(name) for name in wanted}
    items = body.get("items")
    found["items"] = [_particulars(item) for item in items] if isinstance(items, list) else items
    for name, value in wanted.items():
        if found[name] != value:
            return Failed(f"{name} {value!a}", f"{found[name]!a}")
    return Passed("issuer, level, class and particulars as ordered")


def _particulars(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item.get(name) for name in ("title", "field", "language", "source", "approver")}
