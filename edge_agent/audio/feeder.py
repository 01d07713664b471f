"""Keep one running stream full, period by period, from the opening of a card to its closing.

Decides when to write and when to look; what is written is the desk's business. What is due now does not wait until the
queue has left: the queue is dropped, and the stream goes on from where the card is (ADR 11). Owns no thread and no
clock: the player passes in what reads one, so the same loop runs in virtual time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from edge_agent.audio.bell import Bell
from edge_agent.audio.card import UNDERRUN, Card, CardConfig, CardHangs
from edge_agent.audio.desk import Desk
from edge_agent.audio.mixer import SAMPLE_BYTES
from edge_agent.audio.port import PlayerError, Reports
from edge_agent.audio.prefetch import KEPT_MS
from edge_agent.audio.stream_clock import SECOND_NS, StreamClock
from edge_agent.audio.timeline import frames_of
from edge_agent.audio.voice import Block
from edge_agent.core.units import SECOND_MS

WEDGED_NS = 2 * SECOND_NS
# Many buffers long, and shorter than the relay lease (3 s): we say what is wrong before the relays fall.
LINGER_NS = 2 * SECOND_NS
# Plays that follow each other, and a rejoin after an emergency, share one stream; then the card is given back.
WAIT_S = 0.4
# More than a period: only a card that hangs lets it pass, and closing the player waits no longer for such a one.
HURRY_S = 0.002
# How often a play that is due is looked for on the reader's side; a clip is opened and its first block read in 2–5 ms.
REACH_BACK_MS = 10
# Less than this in the queue is waited for: to drop it and begin anew takes some 2 ms of silence in every zone.
EXACT_MS = 1
# A sound card tells the frame that it plays; a sound server is up to a period late, and then our clock knows better.
RUSH_NS = SECOND_NS
RUSH_SHARE = 100
# A card may be a second and a hundredth of the time ahead of the clock: far more than any crystal is off in a day.
# ALSA's own "null" and "file" take an hour of sound in a second, and would have it count as played.

log = logging.getLogger(__name__)


def refuse_deep(card: Card, rate: int) -> None:
    """Raise PlayerError for a card that holds more than an emergency could take back: some drivers round up."""
    if card.buffer_frames > frames_of(KEPT_MS, rate):
        holds_ms = -(-card.buffer_frames * SECOND_MS // rate)
        raise PlayerError(f"{card.name} holds {holds_ms} ms, of {KEPT_MS} at most: choose shorter periods, or fewer")


class Feeder:
    """One stream. ``now_ns`` reads boot time."""

    def __init__(
        self,
        card: Card,
        config: CardConfig,
        desk: Desk,
        report: Reports,
        now_ns: Callable[[], int],
        bell: Bell,
        tap: Callable[[int, bytes], None] | None = None,
    ) -> None:
        """``tap`` is told when each block will leave the card, and its frames. Raises PlayerError (``refuse_deep``)."""
        refuse_deep(card, config.rate)
        self._card = card
        self._tap = tap
        self._desk = desk
        # ALSA's own mixers have a period and a depth of theirs. Who waits for more than a card wakes us for looks at it
        # without a pause; what is written in one piece of the whole buffer comes when that has run empty.
        self._period = min(config.period_frames, card.period_frames, card.buffer_frames // 2)
        self._frame_bytes = SAMPLE_BYTES * config.channels
        self._report = report
        self._now_ns = now_ns
        self._bell = bell
        self._clock = StreamClock(config.rate)
        self._rate = config.rate
        self._opened_ns = self._moved_ns = now_ns()
        self._written = 0
        self._full = False  # known to have no room for another period, until the next wait
        self._full_at = card.buffer_frames  # from here on what is queued says where the stream is
        self._idle_since_ns: int | None = None

    @property
    def over(self) -> bool:
        """Whether nothing has lived on the desk for so long that the card should be given back."""
        return self._idle_since_ns is not None and self._now_ns() - self._idle_since_ns >= LINGER_NS

    def step(self) -> bool:
        """Write one period and tell what left meanwhile; where there is no room yet, wait for it, a bell or a start.

        Says whether it wrote. Raises PlayerError when the card fails, CardHangs too.
        """
        if self._desk.overdue(self._now_ns()):
            self._reach_back()
        room = 0 if self._full else self._card.room()
        if room < self._period:
            self._await_room()
            return False
        self._look(room)
        # Asking a card costs as much as writing to it where a server is behind it: not to be told what we know.
        self._full = room < 2 * self._period
        block = Block(self._written, self._period, self._now_ns(), self._clock)
        sound = self._desk.next_block(block)
        if self._tap is not None:
            self._tap(self._leaves_ns(block, room), sound)
        self._push(sound)
        self._moved_ns = block.now_ns
        if self._desk.busy:
            self._idle_since_ns = None
        elif self._idle_since_ns is None:
            self._idle_since_ns = block.now_ns
        return True

    def _leaves_ns(self, block: Block, room: int) -> int:
        told = self._clock.instant_ns(block.first)
        return block.now_ns + self._queued(room) * SECOND_NS // self._rate if told is None else told

    def _await_room(self) -> None:
        now_ns = self._now_ns()
        if now_ns - self._moved_ns > WEDGED_NS:
            raise CardHangs(f"{self._card.name} has taken no sound for {WEDGED_NS // SECOND_NS} s")
        start_ns = self._desk.next_start_ns()
        due_in_s = WAIT_S if start_ns is None else (start_ns - now_ns) / SECOND_NS
        self._card.wait(min(max(due_in_s, HURRY_S), WAIT_S), self._bell)
        self._full = False

    def _reach_back(self) -> None:
        frame = self._position(self._card.room())
        if self._written - frame <= frames_of(REACH_BACK_MS, self._rate):
            return
        self._card.drop()
        self._desk.back_to(frame)
        self._written = frame
        self._begin_anew()

    def _position(self, room: int) -> int:
        """The frame that is about to leave the card."""
        left = self._written - self._queued(room)
        told = self._clock.frame_at(self._now_ns())
        if told is None or told - left < frames_of(EXACT_MS, self._rate):
            return left
        return min(told, self._written)

    def _queued(self, room: int) -> int:
        return min(max(self._card.buffer_frames - room, 0), self._written)

    def _look(self, room: int) -> None:
        now_ns = self._now_ns()
        queued = self._queued(room)
        self._check_pace(self._written - queued, now_ns - self._opened_ns)
        if self._written >= self._full_at:
            self._clock.observe(now_ns, self._written, queued)
        for report in self._desk.reports(self._written - queued, now_ns, self._clock):
            self._report(report)

    def _check_pace(self, left: int, passed_ns: int) -> None:
        if left * SECOND_NS // self._rate > passed_ns + passed_ns // RUSH_SHARE + RUSH_NS:
            raise PlayerError(f"{self._card.name} takes sound faster than time passes: it is no sound card")

    def _push(self, block: bytes) -> None:
        """Give the block to the card, again after an underrun, and what is left of it when only a part was taken."""
        until = self._now_ns() + WEDGED_NS
        while block:
            taken = self._card.write(block)
            if taken == UNDERRUN:
                self._underran()
            elif taken == 0:
                self._card.wait(HURRY_S, self._bell)
            else:
                block = block[taken * self._frame_bytes :]
                self._written += taken
            if block and self._now_ns() > until:
                raise CardHangs(f"{self._card.name} refuses sound for {WEDGED_NS // SECOND_NS} s")

    def _underran(self) -> None:
        log.warning("underrun device=%s next=same_block_again", self._card.name)
        self._begin_anew()
        self._desk.underran()

    def _begin_anew(self) -> None:
        """The card stands still until the next write: what was seen of its pace says nothing any more."""
        self._full = False
        self._clock.forget()
        self._full_at = self._written + self._card.buffer_frames
