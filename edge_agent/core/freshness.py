"""Decide how fresh what arrives must be taken to be: what waits for a welcome, and what this card may have forgotten.

A signature tells who has ordered, not when the order came: a broker may keep one back, and a card that was restored
from a copy has forgotten what it has sounded. Only what is kept elsewhere, and told in a welcome, shows that. Online
keys sign welcomes, so nothing here ends an emergency or begins one; and what was verified before plays on.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from edge_agent.core import records, standing
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import CommitRecord, Level, NewChain
from edge_agent.core.events import RecordsRotten
from edge_agent.core.job import Accepted, Job, JobClass, Welcome
from edge_agent.core.order import AcceptedRule, RuleOrder, Timetable
from edge_agent.core.reasons import Reason
from edge_agent.core.state import State, Told, Turn
from edge_agent.core.units import HOUR_MS

WELCOME_GOOD_MS = 26 * HOUR_MS
# A welcome is asked for every 6 h: four in a row are missing, and a night's work on the server is no reason.
EPOCH_DIGITS = 32
CHAIN_AGAIN_MS = 24 * HOUR_MS
# A card is put back with the power off, and then this begins anew. The centre keeps 128 chains of a station.


def obstacle(state: State, now: Now) -> Reason | None:
    """Why an order that has just come, and is no emergency, must wait; None: it need not."""
    if not now.trusted:
        return Reason.CLOCK_NOT_TRUSTED
    told = state.told
    stale = told.at is not None and now.mono > told.at + WELCOME_GOOD_MS
    # What a welcome says of this card is not known whole yet, or the time that it tells is not the clock's yet.
    if not state.welcomed or not now.signed or stale or state.link.comparing is not None:
        return Reason.NOT_WELCOMED
    return Reason.TRUST_BEHIND if state.trust.lacks(told.trust) else None


def told(turn: Turn, welcome: Welcome, word: bytes) -> None:
    """Remember what a welcome that answers our hello says of what we should have; ``word`` is its envelope."""
    floor = max(turn.state.floor, turn.state.trust.within_root(welcome.utc))
    told = Told(turn.now.mono, welcome.utc, welcome.trust, welcome.serial_marks, word)
    turn.state = replace(turn.state, welcomed=True, told=told, floor=floor)
    lacking = turn.state.trust.lacks(welcome.trust)
    if lacking:
        areas = ", ".join(area or "root" for area in lacking)
        turn.note(Level.WARNING, "newer trust documents exist, new orders wait for them", lacking=areas)


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


def is_ahead(state: State, order: RuleOrder, now: Now) -> bool:
    """Whether it is a timetable whose day is still to come: nobody has heard that, whatever this card has forgotten.

    In the step of the first welcome it is the welcome that tells the time. Before it nobody can tell: a clock that
    nobody has signed may be behind the day on which it was heard.
    """
    utc = now.utc if now.dates else state.told.utc
    known = now.dates or state.told.at is not None
    return known and isinstance(order, Timetable) and utc < order.heading.not_before


def card_forgot(turn: Turn, held: tuple[str, int, str], *, fork: bool) -> bool:
    """The centre holds more of our log than this card, or something else (``fork``), or that of another journal.

    From here on nothing that may have been heard before is taken for new. The records go on in a chain that cites what
    is ``held`` (epoch, seq, hash) there: where the old one would be written twice, under a name of its own. False where
    that was said a short while ago: whoever has the key of welcomes could have us begin one chain after the other.
    """
    link, told, begun_at = turn.state.link, turn.state.told, turn.state.spent.chain_at
    if begun_at is not None and turn.now.mono < begun_at + CHAIN_AGAIN_MS:
        return False
    # Not with those of before: they would stand by the word of whoever says this, and outlive the key that said them.
    marks = dict(told.marks)
    epoch, begins = (_new_epoch(turn), link.acked_seq) if fork else (link.log_epoch, link.chain_from or 0)
    turn.state = replace(turn.state, forgotten=marks, forgot_by=told.word)
    turn.put_link(log_epoch=epoch, chain_from=begins, log_sent_at=None)
    turn.spend(chain_at=turn.now.mono)
    turn.note(Level.ERROR, "this card has forgotten what it did", held_there="{} {}".format(*held[:2]), chain=epoch)
    chain = NewChain(epoch, begins, tuple(sorted(marks.items())), told.word)
    turn.emit(CommitRecord(records.of_chain(held, turn.now), closes=None, job_over=False, chain=chain))
    return True


def lost_its_marks(state: State) -> bool:
    """Whether this card has begun a chain by the word of one who is believed no more: what he told is void with it.

    So it is still to be told up to where it may have forgotten.
    """
    return state.forgot_by != b"" and not state.forgotten


def leave_out(turn: Turn, rotten: RecordsRotten) -> None:
    """Go on behind records that cannot be sent any more, in a chain that names them: a gap that nobody could doubt.

    It cites what the centre has acknowledged of the chain before it, as a card's that has forgotten does. What may have
    been heard stays as it is.
    """
    state, link, epoch = turn.state, turn.state.link, _new_epoch(turn)
    known = rotten.before != "" and link.acked_seq > (link.chain_from or 0)
    held = (link.log_epoch, link.acked_seq, rotten.before) if known else None
    turn.put_link(log_epoch=epoch, chain_from=rotten.until, acked_seq=rotten.until, log_sent_at=None)
    turn.note(
        Level.ERROR,
        "records have rotted on the card and cannot be sent",
        first=rotten.seq,
        last=rotten.until,
        chain=epoch,
        next="those behind them are sent; replace the card",
    )
    chain = NewChain(epoch, rotten.until, tuple(sorted(state.forgotten.items())), state.forgot_by)
    record = records.of_rotten(rotten.seq, rotten.until, held, turn.now)
    turn.emit(CommitRecord(record, closes=None, job_over=False, chain=chain))


def _new_epoch(turn: Turn) -> str:
    """A name that no chain had: by the connection's own random seed."""
    link = turn.state.link
    return hashlib.sha256(f"{link.log_epoch} {link.last_seq} {link.seed}".encode()).hexdigest()[:EPOCH_DIGITS]
