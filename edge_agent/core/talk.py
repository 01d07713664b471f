"""Decide what to say to the central side, and when to say it again: hello, state, heartbeat, log."""

from __future__ import annotations

import hashlib

from edge_agent.core import explain, freshness, manifests, reasons
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import (
    AskHome,
    CompareLog,
    Level,
    SaveLogAck,
    SendHello,
    SendLog,
    SendState,
)
from edge_agent.core.events import Connected, LogCompared, RecordsRotten
from edge_agent.core.job import LogAck, Welcome
from edge_agent.core.occurrence import Phase
from edge_agent.core.plays import ZonePart
from edge_agent.core.reasons import Reason
from edge_agent.core.state import Link, State, Turn
from edge_agent.core.units import HOUR_MS, MINUTE_MS, SECOND_MS, MonoMs

HELLO_AGAIN_MS = 30 * SECOND_MS
# Without a welcome after this, ask again (protocol, "Freshness": an unset clock waits 30 s for one).
WELCOME_LATE_MS = 5 * SECOND_MS
WELCOME_TRIES = 3
# A welcome is as imprecise as its round trip, and whoever delays it moves our clock. 4G answers within a second, a bad
# 2G cell within three. After three late ones the line is taken for that slow; HELLO_AGAIN_MS bounds the error then.
COARSE_MS, FINER_AFTER_MS, FINER_HELLOS = 500, 1_000, 3
# The first words over 4G wait for the radio, and for a server to which a whole ward comes back: who then knows the time
# no better than within half a second asks again, while the radio is awake; three hellos a session at most.
SHOW_AGAIN_MS = 500
# Two relays and a phase change within milliseconds: one message of 2 kB instead of four; nobody reads faster.
SHOWS_AN_HOUR, SHOW_RARELY_MS = 500, MINUTE_MS
# An hour at a desk has a change every few seconds at most. A contact that chatters, or a device process that ends each
# second, would have the whole state, some 8 kB, sent as often: 700 MB a day.
NONCE_DIGITS = 32
HOME_AFTER = 2
# Hellos without an answer before the home server is asked too: somebody keeps the answers, or their server is down.
HOME_FIRST_MS, HOME_AGAIN_MS = MINUTE_MS, 15 * MINUTE_MS
# Without a session: a reconnect takes seconds; then 96 questions a day of 6 kB, the handshake included.
HOME_AT_ONCE, HOME_EVERY = 5, HOME_AGAIN_MS // HELLO_AGAIN_MS
# Within one: with the second to the fifth hello, then at the pace of above. With each it was 17 MB a day over 4G.
LOG_AGAIN_MS, LOG_DOUBLINGS_MAX = 60 * SECOND_MS, 6
# A batch without its acknowledgement is sent again; 4G with a full uplink needs some 10 s for 48 kB. Each time after
# twice as long, up to an hour: a broker whose headend is down takes them all, and each minute were 69 MB a day. Over
# the next connections too, but for one: a broker that hangs up each minute costs no more than one that does not.


def connected(turn: Turn, event: Connected) -> None:
    """A new session: say hello, show the whole state, go on with the log."""
    turn.put_link(connected=True, seed=event.nonce, hellos=0, shown=())
    if turn.state.link.log_tries <= 1:  # what was sent last may have gone with the line
        turn.put_link(log_sent_at=None)
    turn.note(Level.INFO, "connected", epoch=event.epoch)
    hello(turn)


def hello(turn: Turn) -> None:
    """Ask for a welcome. Every asking has its own nonce, or an answer to an earlier one would pass for a quick one."""
    link = turn.state.link
    by_home = turn.state.site.polls_home and link.seed != "" and (not link.connected or _is_homes_turn(link.unanswered))
    by_home = by_home and not link.asking_home  # its answer is on the way, or its failure, and then we ask again
    if not (link.connected or by_home):
        turn.put_link(hello_again_at=None)  # nobody to ask: who comes up is asked then
        return
    nonce = hashlib.sha256(f"{link.seed} {link.hellos}".encode()).hexdigest()[:NONCE_DIGITS]
    again_at = MonoMs(turn.now.mono + (HELLO_AGAIN_MS if link.connected else HOME_AGAIN_MS))
    turn.put_link(nonce=nonce, hellos=link.hellos + 1, unanswered=link.unanswered + 1, hello_again_at=again_at)
    turn.put_link(asked_at=turn.now.mono)
    if link.connected:
        turn.emit(SendHello(nonce, again=link.hellos > 0))
    if by_home:
        turn.put_link(asking_home=True, hello_again_at=None)  # until that is answered: another nonce would make it void
        turn.emit(AskHome(nonce))
    _alarm_of_expiry(turn)


def _is_homes_turn(unanswered: int) -> bool:
    """Whether the home server is asked too, after so many hellos that the broker brought no answer to."""
    return HOME_AFTER <= unanswered <= HOME_AT_ONCE or (unanswered > 0 and unanswered % HOME_EVERY == 0)


def _alarm_of_expiry(turn: Turn) -> None:
    expires, until = turn.state.trust.expires, turn.state.trust.routine_until
    if expires is not None and turn.now.trusted and turn.now.utc > expires:
        turn.note(Level.ERROR, "trust documents have expired", since=expires, routine_until=until, next="renew them")


def is_late(turn: Turn) -> bool:
    """Whether a welcome comes too late after its hello to tell the time by, as long as a better one may be had."""
    link = turn.state.link
    return link.unanswered <= WELCOME_TRIES and turn.now.mono - link.asked_at > WELCOME_LATE_MS


def is_answer(link: Link, nonce: str) -> bool:
    """Whether a welcome answers our last hello."""
    return link.nonce != "" and nonce == link.nonce


def welcomed(turn: Turn) -> None:
    """The nonce is used up; the next proof of freshness is hours away (HelloDue), but for a finer time."""
    link, now = turn.state.link, turn.now
    known = now.trusted and now.max_error_ms <= COARSE_MS
    finer = not known and now.mono - link.asked_at > COARSE_MS and link.connected and link.hellos < FINER_HELLOS
    again_at = MonoMs(now.mono + FINER_AFTER_MS) if finer else None
    turn.put_link(nonce="", unanswered=0, hello_again_at=again_at, log_tries=0)  # who answers may hold the log as well


def disconnected(turn: Turn, detail: str) -> None:
    """The session is gone, or there is still none; what plays, plays on."""
    if turn.state.link.connected:  # another attempt that failed is no reason to wait anew for the home server
        # What the home server was asked stays asked: else whoever keeps welcomes hangs up, and keeps that one too.
        nonce = turn.state.link.nonce if turn.state.link.asking_home else ""
        turn.put_link(connected=False, nonce=nonce)
        alone(turn)
    turn.note(Level.WARNING, "disconnected, playing on from the cache", detail=detail)


def alone(turn: Turn) -> None:
    """Without a session the home server is asked for the time, if there is one; soon, then now and then."""
    soon = MonoMs(turn.now.mono + HOME_FIRST_MS + turn.state.site.share_of(HOME_FIRST_MS))
    turn.put_link(hello_again_at=soon if turn.state.site.polls_home else None)


def home_answered(turn: Turn) -> None:
    """The home server has made of our hello what it could; if that was no welcome, we ask again in time."""
    link = turn.state.link
    again_ms = HELLO_AGAIN_MS if link.connected else HOME_AGAIN_MS
    waits = link.nonce != "" or not link.connected
    turn.put_link(asking_home=False, hello_again_at=MonoMs(turn.now.mono + again_ms) if waits else link.hello_again_at)


def record_saved(turn: Turn, seq: int) -> None:
    """The log has grown."""
    turn.put_link(last_seq=max(seq, turn.state.link.last_seq))


def records_rotten(turn: Turn, event: RecordsRotten) -> None:
    """What has rotted on the card no centre would take, and it would hold up all that comes after it."""
    link = turn.state.link
    if (event.epoch, event.seq) == (link.log_epoch, link.acked_seq + 1):
        freshness.leave_out(turn, event)


def log_acked(turn: Turn, ack: LogAck, word: bytes) -> None:
    """The server holds everything up to ``ack.seq``, and has signed its ``word`` for it.

    Of this card's, if the hash is: what it had said before the card was put back may come again, and what that card has
    written since would never be sent.
    """
    if _is_news(turn.state.link, ack.epoch, ack.seq):
        turn.emit(CompareLog(ack.epoch, ack.seq, ack.head_hash, word))


def log_held(turn: Turn, welcome: Welcome, *, by_home: bool) -> bool:
    """What the centre holds of our log; whether that shows that this card has forgotten something.

    Either may have come back from a copy: what the centre has lost since is sent again, and what this card has lost
    it cannot know any more (``freshness``). Who answers at home may not have the log: what is not there says nothing.
    """
    link, forgot = turn.state.link, False
    there = welcome.log_epoch, welcome.log_seq, welcome.log_hash
    held, begins = welcome.log_seq, link.chain_from or 0
    turn.put_link(comparing=None)
    if held > 0 and welcome.log_epoch != link.log_epoch:
        held = begins  # of this chain nothing, or there is a newer one
        if link.chain_from is None or link.acked_seq > begins or freshness.lost_its_marks(turn.state):
            forgot = freshness.card_forgot(turn, there, fork=False)
    elif held > link.last_seq:
        forgot = freshness.card_forgot(turn, there, fork=True)
    elif held > 0:
        turn.put_link(comparing=there)
        turn.emit(CompareLog(*there))
    if held < link.acked_seq and not by_home:
        turn.note(Level.WARNING, "the server has lost records, sending them again", seq_there=held, seq=link.acked_seq)
        turn.put_link(acked_seq=held, log_sent_at=None)
    return forgot


def log_compared(turn: Turn, event: LogCompared) -> bool:
    """Whether a welcome has another record in the place of ours: this card was copied, or put back, and wrote on."""
    if event.word:
        _acknowledged(turn, event)
        return False
    if (event.epoch, event.seq, event.hash) != turn.state.link.comparing:
        return False  # of a welcome before: whoever has said so may not be believed any more
    turn.put_link(comparing=None)
    if event.same or event.epoch != turn.state.link.log_epoch:
        return False
    return freshness.card_forgot(turn, (event.epoch, event.seq, event.hash), fork=True)


def _acknowledged(turn: Turn, event: LogCompared) -> None:
    """What the centre holds is sent no more; the records stay."""
    if not event.same:
        turn.note(Level.WARNING, "acknowledgement of another log, ignored", seq=event.seq)
    elif _is_news(turn.state.link, event.epoch, event.seq):
        turn.put_link(acked_seq=event.seq, log_sent_at=None, log_tries=0)
        turn.emit(SaveLogAck(event.epoch, event.seq, event.word))


def _is_news(link: Link, epoch: str, seq: int) -> bool:
    return epoch == link.log_epoch and link.acked_seq < seq <= link.last_seq


def say_refused(turn: Turn, reason: Reason, digest: str, job_id: str, detail: str = "") -> None:
    """Answer that something is refused, by name, and leave a line for whoever reads the log."""
    turn.refuse(reason, digest, job_id)
    turn.note(
        Level.WARNING, "order refused", reason=reason, job=job_id or "?", words=reasons.explain(reason), detail=detail
    )


def keep_talking(turn: Turn) -> None:
    """Whatever is due to be said now; called at the end of every step."""
    _hello_again(turn)
    if not turn.state.link.connected:
        return
    _send_log(turn)
    _show_changes(turn)


def next_wake(link: Link) -> list[MonoMs]:
    """When something has to be said again."""
    if not link.connected:
        return [] if link.hello_again_at is None else [link.hello_again_at]
    again = [wake for wake in (link.hello_again_at, link.show_at) if wake is not None]
    if link.log_sent_at is not None:
        again.append(_log_again_at(link, link.log_sent_at))
    return again


def _hello_again(turn: Turn) -> None:
    """Repeat an unanswered hello."""
    link = turn.state.link
    if link.hello_again_at is not None and turn.now.mono >= link.hello_again_at:
        hello(turn)


def _send_log(turn: Turn) -> None:
    link = turn.state.link
    if link.acked_seq >= link.last_seq or (link.chain_from is None and not turn.state.welcomed):
        # What a new card sends before its welcome would make the centre's word on the old one unheard (``freshness``).
        return
    if link.log_sent_at is not None and turn.now.mono < _log_again_at(link, link.log_sent_at):
        return
    turn.put_link(log_sent_at=turn.now.mono, log_tries=link.log_tries + 1)
    turn.emit(SendLog(link.acked_seq))


def _log_again_at(link: Link, sent_at: MonoMs) -> MonoMs:
    doublings = min(max(0, link.log_tries - 1), LOG_DOUBLINGS_MAX)
    return MonoMs(sent_at + LOG_AGAIN_MS * 2**doublings)


def _show_changes(turn: Turn) -> None:
    """Publish the state when it has changed; what changes again within SHOW_AGAIN_MS, or more rarely, goes into one."""
    link = turn.state.link
    shown = _worth_showing(turn.state, turn.now)
    if shown == link.shown:
        if link.show_at is not None:
            turn.put_link(show_at=None)
    elif link.shown and turn.now.mono < (again_at := _show_again_at(link)):
        turn.put_link(show_at=again_at)
    else:
        shows = link.shows + 1 if link.shown_at // HOUR_MS == turn.now.mono // HOUR_MS else 1
        turn.put_link(shown=shown, shown_at=turn.now.mono, show_at=None, shows=shows)
        turn.emit(SendState())


def _show_again_at(link: Link) -> MonoMs:
    return MonoMs(link.shown_at + (SHOW_AGAIN_MS if link.shows < SHOWS_AN_HOUR else SHOW_RARELY_MS))


def _worth_showing(state: State, now: Now) -> tuple[object, ...]:
    """What the centre wants to know at once (requirement U1); everything else waits for the heartbeat."""
    sounding = tuple(
        (play.key, play.phase, play.zones_in(ZonePart.HEARING))
        for play in state.plays.values()
        if play.phase in (Phase.ARMED, Phase.PLAYING)
    )
    relays = tuple((zone, relay.on) for zone, relay in state.relays.items())
    heard = tuple((zone, one.heard) for zone, one in state.heard.items())  # how loud is no news
    # What is not saved yet is not planned: shown then, it would be missing from ``next`` until something else changes.
    waits = tuple((job_id, known.offered) for job_id, known in state.jobs.items() if known.offered or known.may_sound)
    trust = (state.device_up, state.welcomed, now.trusted, freshness.obstacle(state, now))
    return (sounding, relays, heard, waits, _laid_down(state, now), manifests.shown(state, now), *trust)


def _laid_down(state: State, now: Now) -> tuple[object, ...]:
    """Whose policy holds, who must be silent, how loud each may be. Quiet hours come every day, and all know them."""
    if not state.rules:
        return ()
    told = explain.in_force(state, now)
    return (told.regulation, told.locked, told.silenced, tuple(explain.ceilings(state, now).items()))
