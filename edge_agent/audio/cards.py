"""Play on several cards as on one: split orders by card, give all the same instant, tell what they report as one.

Each card keeps a player of its own with its own threads, so that none waits for another. Decides which cards a play
needs, when one of them is given up, and whether the process must live on for the others; how the reports of one play
become one is ``merging``'s.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from edge_agent.audio.card import CardHangs
from edge_agent.audio.desk import Order
from edge_agent.audio.merging import Merger
from edge_agent.audio.port import Player, PlayerError, PlayReport, Reports
from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay
from edge_agent.core.events import PlayEnded, PlayStarted
from edge_agent.core.programme import ZoneFeed
from edge_agent.core.reasons import Reason
from edge_agent.core.units import MonoMs, PlayId, ZoneId

TOGETHER_MS = 150
# By how much a play that is due at once on several cards is put off, so that all of them are open and filled by then:
# one that plays already would begin before one that is opened first, and neighbours would hear an echo. Less than what
# is left of a relay's lead when its contact has closed (zones.RELAY_LEAD_MS is 200): what is planned is not put off.
STUCK_MS = 2_500
# A writer that is silent for longer hangs within its device. More than the feeder needs to find out by itself (2 s),
# less than the relays' lease on the slowest writer (3 s): that would silence every zone.
PAUSED_MS = 2_000
# The loop asks for signs of life at least once a second. Where it has not for so long, all of us stood still.
LAST_WORD_MS = 500
# What is left to a card that was given up, and to what was told of it, before the process ends. As in ``alsa``.

OpenPlayer = Callable[[Reports, Callable[[], bool]], Player]
"""Makes one card's player: where it reports to, and what says whether others need the process (``AlsaPlayer``)."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Served:
    """One card: the zones that it feeds, and how its player is made."""

    zones: tuple[ZoneId, ...]
    open_player: OpenPlayer


@dataclass(slots=True)
class _Play:
    """One that has not ended; sound of it is owed from ``owed_from`` on."""

    merger: Merger
    owed_from: int
    urgent: bool


@dataclass(slots=True)
class _Card:
    """``stuck_at``: its last sign of life when it was given up, at ``given_up_at``; another one, and it is back.

    ``called_for``: something urgent did not even begin on it, and nothing has begun there since.
    """

    zones: tuple[ZoneId, ...]
    player: Player
    stuck_at: int | None = None
    given_up_at: int = 0
    called_for: bool = False

    @property
    def stuck(self) -> bool:
        return self.stuck_at is not None and self.stuck_at == self.player.alive_at()


class CardsPlayer:
    """Plays on several cards. Implements ``port.Player``.

    A play runs from its beginning on every card that it needs, now or later, heard there or not: so a zone of another
    card joins it where the others are. A card that hangs is left alone. The process ends for its sake (CardHangs) when
    nothing plays on the others, or when something urgent is wanted of it and nothing urgent plays on them.
    """

    def __init__(self, cards: Mapping[str, Served], reports: Reports, now_ms: Callable[[], int]) -> None:
        """``now_ms`` is boot time."""
        self._tell = reports
        self._now_ms = now_ms
        self._lock = threading.RLock()  # orders come from the loop, reports from each card's writer
        self._asked_at = now_ms()
        self._plays: dict[PlayId, _Play] = {}
        self._card_of = {zone: name for name, served in cards.items() for zone in served.zones}
        self._cards: dict[str, _Card] = {}
        with self._lock:
            for name, served in cards.items():
                self._cards[name] = _Card(served.zones, self._open(name, served))

    def start(self, play: StartPlay) -> None:
        with self._lock:
            if play.play_id in self._plays:
                return  # told twice is told once: a play id is never used again
            feeds, now = self._by_card(play.feeds), self._now_ms()
            needed = self._needed_by(play)
            at = play.at if len(needed) == 1 else MonoMs(max(play.at, now + TOGETHER_MS))
            merger = Merger(play.play_id, {name: self._cards[name].zones for name in needed}, feeds.keys())
            self._plays[play.play_id] = _Play(merger, max(at, now), play.urgent)
            for name in needed:
                self._order(name, replace(play, feeds=feeds.get(name, ()), at=at, later=()))

    def route(self, play: RoutePlay) -> None:
        with self._lock:
            known = self._plays.get(play.play_id)
            if known is None:
                return
            feeds = self._by_card(play.feeds)
            assert feeds.keys() <= known.merger.cards, "a zone of a card that the play was not started with"
            for name in known.merger.living:
                self._order(name, RoutePlay(play.play_id, feeds.get(name, ())))
            self._pass_on(play.play_id, known.merger.route(feeds.keys()))

    def stop(self, play: StopPlay) -> None:
        with self._lock:
            if play.play_id in self._plays:
                for name in self._plays[play.play_id].merger.living:
                    self._order(name, play)

    def alive_at(self) -> int:
        """That of the slowest writer that owes sound. Raises CardHangs where only a new process helps."""
        with self._lock:
            now = self._now_ms()
            if now - self._asked_at < PAUSED_MS:
                self._look_after_the_stuck(now)
            self._asked_at = now
            playing = [name for name in self._cards if self._plays_on(name)]
            if playing:
                return min(self._sign_of(name, now) for name in playing)
            return max(card.player.alive_at() for card in self._cards.values())

    def close(self) -> None:
        for card in self._cards.values():  # not under the lock: each waits for its writer, which has a last word
            card.player.close()
        with self._lock:
            for play_id, play in list(self._plays.items()):
                for name in play.merger.living:
                    self._pass_on(play_id, play.merger.lose(name, self._moment(), Reason.SHUTDOWN))

    def _open(self, name: str, served: Served) -> Player:
        return served.open_player(lambda report: self._hear(name, report), lambda: self._others_need_us(name))

    def _needed_by(self, play: StartPlay) -> list[str]:
        zones = {*play.later, *(feed.zone for feed in play.feeds)}
        cards = {self._card_of[zone] for zone in zones if zone in self._card_of}
        # One that nobody hears keeps its time all the same, wherever that is.
        return [name for name in self._cards if name in cards] or [next(iter(self._cards))]

    def _by_card(self, feeds: tuple[ZoneFeed, ...]) -> dict[str, tuple[ZoneFeed, ...]]:
        names = dict.fromkeys(self._card_of[feed.zone] for feed in feeds)
        return {name: tuple(feed for feed in feeds if self._card_of[feed.zone] == name) for name in names}

    def _order(self, name: str, order: Order) -> None:
        card = self._cards[name]
        if card.stuck:
            self._lose(name, order.play_id)
            return
        try:
            if isinstance(order, StartPlay):
                card.player.start(order)
            elif isinstance(order, RoutePlay):
                card.player.route(order)
            else:
                card.player.stop(order)
        except PlayerError as exc:
            self._give_up(name, str(exc))

    def _hear(self, name: str, report: PlayReport) -> None:
        with self._lock:
            play = self._plays.get(report.play_id)
            if play is None or name not in play.merger.living:
                return
            if isinstance(report, PlayStarted):
                self._cards[name].called_for = False
            elif isinstance(report, PlayEnded) and report.reason is Reason.DEVICE_FAILED:
                self._failed(name, play)
            self._pass_on(report.play_id, play.merger.take_in(name, report))
            if play.merger.spoilt:
                for other in play.merger.living:
                    self._order(other, StopPlay(report.play_id))

    def _give_up(self, name: str, why: str) -> None:
        """Leave a card alone whose writer does not answer; the others go on."""
        card = self._cards[name]
        card.stuck_at, card.given_up_at = card.player.alive_at(), self._now_ms()
        log.error("card given up name=%s error=%r next=its_zones_are_lost", name, why)
        for play_id in self._plays_on(name):
            with contextlib.suppress(PlayerError):
                card.player.stop(StopPlay(play_id))  # should it ever wake up, it is not to go on with this
            self._lose(name, play_id)

    def _look_after_the_stuck(self, now: int) -> None:
        for name, card in self._cards.items():
            if now - self._sign_of(name, now) > STUCK_MS:
                self._give_up(name, f"no sign of life for {STUCK_MS} ms")
            elif card.stuck and now - card.given_up_at >= LAST_WORD_MS and not self._others_need_us(name):
                raise CardHangs(f"card {name} shows no sign of life")

    def _lose(self, name: str, play_id: PlayId) -> None:
        play = self._plays.get(play_id)
        if play is not None and name in play.merger.living:
            self._failed(name, play)
            self._pass_on(play_id, play.merger.lose(name, self._moment()))

    def _failed(self, name: str, play: _Play) -> None:
        if play.urgent and not play.merger.began_on(name):
            self._cards[name].called_for = True

    def _pass_on(self, play_id: PlayId, reports: list[PlayReport]) -> None:
        for report in reports:
            if isinstance(report, PlayEnded):
                del self._plays[play_id]
            self._tell(report)

    def _plays_on(self, name: str) -> list[PlayId]:
        return [play_id for play_id, play in self._plays.items() if name in play.merger.living]

    def _sign_of(self, name: str, now: int) -> int:
        """A card's last sign of life, never earlier than the first sound that it owes, and never in the future."""
        owed = [self._plays[play_id].owed_from for play_id in self._plays_on(name)]
        return min(max(self._cards[name].player.alive_at(), min(owed)), now) if owed else now

    def _others_need_us(self, name: str) -> bool:
        """Whether the process must live on although this card is lost to it."""
        with self._lock:
            urgent_only = self._cards[name].called_for
            return any(
                any(other != name for other in play.merger.living)
                for play in self._plays.values()
                if play.urgent or not urgent_only
            )

    def _moment(self) -> MonoMs:
        return MonoMs(self._now_ms())
