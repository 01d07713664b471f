"""Drive a real card through alsa-lib, and the player's threads. Besides, ``level`` and ``capture`` know pyalsaaudio.

The card is opened without blocking: a write never waits, so a card that stops taking sound is found out and reported
instead of holding the thread. Waiting is done by poll: woken at the very moment at which the card has taken a period,
we see where the stream is within 0.3 ms; after a sleep of our own the answer is stale by up to 30 ms (both measured).
"""

from __future__ import annotations

import contextlib
import errno
import logging
import queue
import select
import threading
import time
from collections.abc import Callable

import alsaaudio

from edge_agent.audio.bell import Bell
from edge_agent.audio.card import UNDERRUN, Card, CardConfig, CardHangs, Wiring
from edge_agent.audio.desk import Desk, Order
from edge_agent.audio.feeder import Feeder
from edge_agent.audio.level import set_level
from edge_agent.audio.live_shared import LiveShared
from edge_agent.audio.port import PlayerError, Reports
from edge_agent.audio.prefetch import Clips, Reader
from edge_agent.audio.stream_clock import mono_ms
from edge_agent.boot_time import boot_ns
from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay
from edge_agent.core.reasons import Reason
from edge_agent.core.units import SECOND_MS

ORDERS_MAX = 64
# Orders are taken at every period; more than this many within one is a fault elsewhere.
CLOSE_S_MAX = 1.0
# Each of the two threads needs a period or one block's reading to see that it is to end.
LAST_WORD_S = 0.5
# For the relays' thread to hear and send on why the plays ended, before the process ends.

log = logging.getLogger(__name__)


class AlsaCard:
    """A card that was opened as ``config`` says. Implements ``card.Card``; for one thread."""

    def __init__(self, config: CardConfig) -> None:
        self.name = config.device
        try:
            self._pcm = alsaaudio.PCM(
                alsaaudio.PCM_PLAYBACK,
                alsaaudio.PCM_NONBLOCK,
                device=config.device,
                rate=config.rate,
                channels=config.channels,
                format=alsaaudio.PCM_FORMAT_S16_LE,
                periodsize=config.period_frames,
                periods=config.periods,
            )
        except alsaaudio.ALSAAudioError as exc:
            raise PlayerError(f"{config.device} does not open: {exc}") from exc
        self._poll = select.poll()
        for descriptor, events in self._pcm.polldescriptors():
            self._poll.register(descriptor, events)
        given = self._pcm.info()
        self.buffer_frames: int = given["buffer_size"]
        self.period_frames: int = given["period_size"]
        self._dropped = False
        if (given["rate"], given["channels"], given["format_name"]) != (config.rate, config.channels, "S16_LE"):
            self.close()
            raise PlayerError(f"{config.device} wants another format than {config.rate} Hz, {config.channels} × S16_LE")
        if config.mixer:
            _set_level(config)

    def room(self) -> int:
        if self._dropped:
            return self.buffer_frames  # alsa-lib goes on saying what it was before the drop
        room: int = self._pcm.avail()
        if room == -errno.EPIPE:
            return self.buffer_frames  # it ran empty; the next write says so too
        if room < 0:
            raise PlayerError(f"{self.name} is lost: {errno.errorcode.get(-room, room)}")
        return room

    def write(self, block: bytes) -> int:
        self._dropped = False
        try:
            taken: int = self._pcm.write(block)
        except alsaaudio.ALSAAudioError as exc:
            raise PlayerError(f"{self.name} takes no sound: {exc}") from exc
        return UNDERRUN if taken == -errno.EPIPE else taken

    def wait(self, seconds: float, bell: Bell) -> None:
        self._poll.register(bell, select.POLLIN)
        until = time.monotonic() + seconds
        while (left_s := until - time.monotonic()) > 0:
            events = self._poll.poll(left_s * SECOND_MS)
            if (bell.fileno(), select.POLLIN) in events or self._has_room(events):
                return

    def _has_room(self, events: list[tuple[int, int]]) -> bool:
        """Whether the card meant it: a sound server wakes us in the middle of each period too, for nothing."""
        if not events:
            return False
        try:
            meant: int = self._pcm.polldescriptors_revents(events)  # takes the wake-up back, too
        except alsaaudio.ALSAAudioError as exc:
            raise PlayerError(f"{self.name} is lost: {exc}") from exc
        return meant != 0

    def drop(self) -> None:
        try:
            self._pcm.drop()
        except alsaaudio.ALSAAudioError as exc:
            raise PlayerError(f"{self.name} does not stop: {exc}") from exc
        self._dropped = True

    def close(self) -> None:
        # Drop first: the binding's own close() waits until all that is queued has sounded.
        with contextlib.suppress(alsaaudio.ALSAAudioError):
            self._pcm.drop()
        self._pcm.close()


def _set_level(config: CardConfig) -> None:
    """A warning at a level that nobody has chosen is better than none."""
    try:
        set_level(config)
    except PlayerError as exc:
        log.error("level not set device=%s error=%r next=plays_as_the_card_stands", config.device, str(exc))


class AlsaPlayer:
    """Plays on one card, with one writer thread. Implements ``port.Player``.

    The card is opened when the first play is ordered, well before its first sample, and given back some seconds after
    the last one ended. A card that fails ends all its plays with DEVICE_FAILED; the next order opens it anew. After one
    that hangs the writer's thread ends with CardHangs; while the process is ``needed`` all the same, which is asked a
    few times a second, plays are refused with DEVICE_FAILED instead.
    """

    def __init__(
        self,
        config: CardConfig,
        wiring: Wiring,
        clips: Clips,
        reports: Reports,
        open_card: Callable[[CardConfig], Card] = AlsaCard,
        now_ns: Callable[[], int] = boot_ns,
        live: LiveShared | None = None,
        needed: Callable[[], bool] = lambda: False,
        tap: Callable[[int, bytes], None] | None = None,
    ) -> None:
        """``now_ns`` is boot time, but for a card with its own time. ``live`` are the station's live sources.

        ``tap`` hears all that the card gets (``feeder``).

        ``needed`` is asked on the writer's thread.
        """
        self._config = config
        self._wiring = wiring
        self._tell = reports
        self._open_card = open_card
        self._reader = Reader(clips, config.rate, live, config.buffer_ms)
        self._desk = Desk(wiring, config.tail_ms, self._reader.open)
        self._orders: queue.Queue[Order | None] = queue.Queue(ORDERS_MAX)
        self._bell = Bell()  # open as long as the process: an order may come after the end
        self._closing = threading.Event()
        self._now_ns = now_ns
        self._alive_ns = now_ns()
        self._needed = needed
        self._tap = tap
        self._hung: Card | None = None  # kept, because letting go of it would close it
        self._writer = threading.Thread(target=self._run, name="audio-writer", daemon=True)
        self._writer.start()

    def start(self, play: StartPlay) -> None:
        assert all(feed.zone in self._wiring.outlets for feed in play.feeds), "a zone that this card does not serve"
        self._order(play)

    def route(self, play: RoutePlay) -> None:
        assert all(feed.zone in self._wiring.outlets for feed in play.feeds), "a zone that this card does not serve"
        self._order(play)

    def stop(self, play: StopPlay) -> None:
        self._order(play)

    def alive_at(self) -> int:
        return mono_ms(self._alive_ns)

    def close(self) -> None:
        self._closing.set()
        self._bell.ring()
        with contextlib.suppress(queue.Full):
            self._orders.put_nowait(None)  # only an idle writer needs to be woken, and its queue is empty
        self._writer.join(CLOSE_S_MAX)
        self._reader.close(CLOSE_S_MAX)
        if self._writer.is_alive():
            log.error("writer hangs device=%s next=left_to_the_end_of_the_process", self._config.device)

    def _order(self, order: Order) -> None:
        try:
            self._orders.put_nowait(order)
        except queue.Full as exc:
            raise PlayerError(
                f"{self._config.device}: {ORDERS_MAX} orders wait, the writer does not take them"
            ) from exc
        self._bell.ring()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._take_orders(self._orders.get())
            self._alive_ns = self._now_ns()
            if self._desk.busy and not self._closing.is_set():
                self._stream()
        self._take_orders(None)
        self._end_all(Reason.SHUTDOWN)

    def _take_orders(self, order: Order | None) -> None:
        """Obey this one and all that wait behind it."""
        self._bell.hush()
        if order is not None:
            self._desk.obey(order)
        while not self._orders.empty():
            if (waiting := self._orders.get_nowait()) is not None:
                self._desk.obey(waiting)

    def _stream(self) -> None:
        try:
            card = self._open_card(self._config)
        except PlayerError as exc:
            self._failed(exc)
            return
        log.info(
            "card opened device=%s buffer_frames=%d period_frames=%d",
            *(self._config.device, card.buffer_frames, card.period_frames),
        )
        try:
            self._feed(card)
        except CardHangs as exc:
            self._failed(exc)
            self._hung = card
            self._give_up(exc)
            return
        except PlayerError as exc:
            self._failed(exc)
        card.close()
        log.info("card given back device=%s", self._config.device)

    def _feed(self, card: Card) -> None:
        feeder = Feeder(card, self._config, self._desk, self._tell, self._now_ns, self._bell, self._tap)
        while not feeder.over and not self._closing.is_set():
            self._take_orders(None)
            if feeder.step():
                self._alive_ns = self._now_ns()

    def _give_up(self, exc: CardHangs) -> None:
        """End this thread, and with it the process: only a new one can be sure of a card that hung.

        The binding closes a card with the interpreter's lock held, so closing this one could stop the relays' thread.
        """
        while not self._closing.is_set():
            try:
                self._take_orders(self._orders.get(timeout=LAST_WORD_S))
            except queue.Empty:
                if not self._needed():
                    raise exc from None
            self._end_all(Reason.SHUTDOWN if self._closing.is_set() else Reason.DEVICE_FAILED)

    def _failed(self, exc: PlayerError) -> None:
        log.error("card failed device=%s error=%r next=all_plays_end", self._config.device, str(exc))
        self._end_all(Reason.DEVICE_FAILED)

    def _end_all(self, reason: Reason) -> None:
        for report in self._desk.end_all(reason, self._now_ns()):
            self._tell(report)
