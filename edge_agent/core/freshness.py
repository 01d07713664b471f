"""Decide how fresh what arrives must be taken to be: what waits for a welcome, and what this card may have forgotten.

A signature tells who has ordered, not when the order came: a broker may keep one back, and a card that was restored
from a copy has forgotten what it has sounded. Only what is kept elsewhere, and told in a welcome, shows that. Online
keys sign welcomes, so nothing here ends an emergency or begins one; and what was verified before plays on.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime

from edge_agent.core import records, series, standing
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import CommitRecord, Level, NewChain
from edge_agent.core.job import Accepted, Job, JobClass, PlayNow, TextItem, Welcome
from edge_agent.core.order import AcceptedRule
from edge_agent.core.policy import local_time
from edge_agent.core.programme import text_key
from edge_agent.core.reasons import Reason
from edge_agent.core.state import ClipStatus, KnownJob, State, Told, Turn, Unproven
from edge_agent.core.units import HOUR_MS, SECOND_MS, MonoMs

WELCOME_GOOD_MS = 26 * HOUR_MS
# A welcome is asked for every 6 h: four in a row are missing, and a night's work on the server is no reason.
EPOCH_DIGITS = 32
UNPROVEN_SIGNERS = 2
UNPROVEN_WAIT_MS = 30 * SECOND_MS
# A hello is repeated after so long: one answer may be lost.


def obstacle(state: State, now: Now) -> Reason | None:
    """Why an order that has just come, and is no emergency, must wait; None: it need not."""
    if not now.trusted:
        return Reason.CLOCK_NOT_TRUSTED
    told = state.told
    if not state.welcomed or (told.at is not None and now.mono > told.at + WELCOME_GOOD_MS):
        return Reason.NOT_WELCOMED
    return Reason.TRUST_BEHIND if state.trust.lacks(told.trust) else None


def told(turn: Turn, welcome: Welcome) -> None:
    """Remember what a welcome that answers our hello says of what we should have."""
    floor = max(turn.state.floor, turn.state.trust.floor(welcome.utc))
    told = Told(turn.now.mono, welcome.trust, welcome.serial_marks)
    turn.state = replace(turn.state, welcomed=True, told=told, floor=floor)
    lacking = turn.state.trust.lacks(welcome.trust)
    if lacking:
        areas = ", ".join(area or "root" for area in lacking)
        turn.note(Level.WARNING, "newer trust documents exist, new orders wait for them", lacking=areas)


def sound_unproven(turn: Turn) -> None:
    """A warning sounds once by its signatures alone, where the time is not known and nobody answers.

    Two officers must have signed it, after the last signed time that is known here; it says first when that was, so
    that whoever hears an old one knows it for one.
    """
    for known in turn.state.jobs.values() if not turn.now.tells_validity else ():
        at = _unproven_at(turn.state, known)
        if at is not None and turn.now.mono >= at:
            turn.put_job(as_unproven(turn.state, known))
            turn.note(Level.WARNING, "sounds once, nobody can tell how old it is", job=known.job.job_id)
        elif known.unproven is Unproven.SOUNDS and _cannot_be_spoken(turn.state, known):
            turn.put_job(with_opening(known, ()))


def next_wake(state: State, now: Now) -> list[MonoMs]:
    """When a warning has waited for long enough."""
    if now.tells_validity:
        return []
    return [at for known in state.jobs.values() if (at := _unproven_at(state, known)) is not None]


def as_unproven(state: State, known: KnownJob) -> KnownJob:
    """It sounds, and says first when it was signed."""
    signed = local_time(known.job.issued_at, state.site.timezone)
    return replace(with_opening(known, (_date_words(signed),)), unproven=Unproven.SOUNDS)


def with_opening(known: KnownJob, opening: tuple[TextItem, ...]) -> KnownJob:
    """What the station says before a job by itself; the job as it was signed is kept beside it."""
    signed = known.accepted.signed or replace(known.job, opening=())
    job = replace(known.job, opening=opening)
    return replace(known, accepted=replace(known.accepted, job=job, signed=None if signed == job else signed))


def _unproven_at(state: State, known: KnownJob) -> MonoMs | None:
    """When a warning that waits sounds by its signatures alone; None: it does not."""
    job = known.job
    if not known.held or known.unproven is not None or not (known.saved or known.unsaved_sounds):
        return None
    warns = job.plays_as is JobClass.EMERGENCY and isinstance(job.when, PlayNow) and not job.all_clear
    proven = len({*known.accepted.signers}) >= UNPROVEN_SIGNERS and job.issued_at >= state.floor
    if not (warns and proven) or series.is_outdated(state, job):
        return None
    return MonoMs(known.asked_at + UNPROVEN_WAIT_MS)


def _cannot_be_spoken(state: State, known: KnownJob) -> bool:
    """A station without a voice warns all the same."""
    clips = [state.clips.get(text_key(item)) for item in known.job.opening]
    return any(clip is not None and clip.status is ClipStatus.FAILED for clip in clips)


def _date_words(signed: datetime) -> TextItem:
    day = f"ngày {signed.day} tháng {signed.month} năm {signed.year}"
    told = f"Lệnh phát này được ký lúc {signed.hour} giờ {signed.minute} phút, {day}."
    return TextItem("Ngày ký", field="", language="vi", source="", approver="", text=told)


def maybe_heard(state: State, accepted: Accepted | AcceptedRule) -> bool:
    """Whether an order that is not known here may be one that this card has forgotten.

    Not an emergency: a welcome, whoever has signed it, must not end one. Not what only silences: it harms nobody twice.
    """
    order = accepted.job if isinstance(accepted, Accepted) else accepted.order
    if isinstance(order, Job):
        exempt, issuer, serial = order.plays_as is JobClass.EMERGENCY, order.issuer, order.serial
    else:
        exempt, issuer, serial = standing.only_silences(order), order.heading.issuer, order.heading.serial
    return not exempt and serial <= state.forgotten.get(issuer, 0)


def card_forgot(turn: Turn, held: tuple[str, int, str], *, fork: bool) -> None:
    """The centre holds more of our log than this card, or something else (``fork``), or that of another journal.

    From here on nothing that may have been heard before is taken for new. The records go on in a chain that cites what
    is ``held`` (epoch, seq, hash) there: where the old one would be written twice, under a name of its own.
    """
    link, marks = turn.state.link, dict(turn.state.forgotten)
    for issuer, serial in turn.state.told.marks:
        marks[issuer] = max(serial, marks.get(issuer, 0))
    epoch, begins = (_new_epoch(turn), link.acked_seq) if fork else (link.log_epoch, 0)
    turn.state = replace(turn.state, forgotten=marks)
    turn.put_link(log_epoch=epoch, chain_from=begins, log_sent_at=None)
    turn.note(Level.ERROR, "this card has forgotten what it did", held_there="{} {}".format(*held[:2]), chain=epoch)
    chain = NewChain(epoch, tuple(sorted(marks.items())))
    turn.emit(CommitRecord(records.of_chain(held, turn.now), closes=None, job_over=False, chain=chain))


def _new_epoch(turn: Turn) -> str:
    """A name that no chain had: by the connection's own random seed."""
    link = turn.state.link
    return hashlib.sha256(f"{link.log_epoch} {link.last_seq} {link.seed}".encode()).hexdigest()[:EPOCH_DIGITS]
