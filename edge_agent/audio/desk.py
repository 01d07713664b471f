"""The mixing desk of one card: which voices there are, what they sound like together, what is told of them.

Decides who is heard where; each voice decides when. Pure but for the sound it is given: no clock, no card, no thread.
"""

from __future__ import annotations

from collections.abc import Callable

from edge_agent.audio.card import Wiring
from edge_agent.audio.mixer import interleaved
from edge_agent.audio.port import PlayReport
from edge_agent.audio.stream_clock import StreamClock, mono_ms
from edge_agent.audio.voice import Block, Pcm, Voice
from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay
from edge_agent.core.programme import ZoneFeed
from edge_agent.core.reasons import Reason
from edge_agent.core.units import PlayId, ZoneId

Order = StartPlay | RoutePlay | StopPlay


class Desk:
    """All voices of one card. Orders for a play that has ended, or never began, are ignored: they may cross its end."""

    def __init__(self, wiring: Wiring, tail_ms: int, open_pcm: Callable[[StartPlay], Pcm]) -> None:
        self._wiring = wiring
        self._tail_ms = tail_ms
        self._open_pcm = open_pcm
        self._voices: dict[PlayId, Voice] = {}

    @property
    def busy(self) -> bool:
        """Whether any play has not ended."""
        return bool(self._voices)

    def obey(self, order: Order) -> None:
        """Takes effect with the next block."""
        if isinstance(order, StartPlay):
            self._start(order)
        elif voice := self._voices.get(order.play_id):
            if isinstance(order, RoutePlay):
                self._claim(order.play_id, order.feeds)
                voice.route(order.feeds)
            else:
                voice.stop()

    def overdue(self, now_ns: int) -> bool:
        """Whether a play could sound, should sound by now, and is not written yet."""
        return any(voice.overdue(now_ns) for voice in self._voices.values())

    def next_start_ns(self) -> int | None:
        """When the next play that is not written yet is due; in the past where it waits for its sound."""
        return min((at for voice in self._voices.values() if (at := voice.starts_at_ns) is not None), default=None)

    def back_to(self, frame: int) -> None:
        """Nothing that was written from this stream frame on will leave; orders take effect from there on."""
        for voice in self._voices.values():
            voice.back_to(frame)

    def next_block(self, block: Block) -> bytes:
        """Interleaved frames for the card."""
        channels: list[list[bytes]] = [[] for _ in range(self._wiring.channels)]
        for voice in self._voices.values():
            for channel, sound in voice.sounds(block):
                channels[channel].append(sound)
        return interleaved(channels, block.frames)

    def reports(self, left: int, now_ns: int, clock: StreamClock) -> list[PlayReport]:
        """What is new now that every frame before ``left`` has left the card."""
        news = [report for voice in self._voices.values() for report in voice.reports(left, now_ns, clock)]
        self._voices = {play_id: voice for play_id, voice in self._voices.items() if not voice.ended}
        return news

    def underran(self) -> None:
        """The card ran empty."""
        for voice in self._voices.values():
            voice.underran()

    def end_all(self, reason: Reason, now_ns: int) -> list[PlayReport]:
        """Nothing will sound any more: one last word for every play."""
        ends: list[PlayReport] = [voice.end(reason, mono_ms(now_ns)) for voice in self._voices.values()]
        self._voices = {}
        return ends

    def _start(self, play: StartPlay) -> None:
        if play.play_id not in self._voices:  # told twice is told once: a play id is never used again
            self._claim(play.play_id, play.feeds)
            self._voices[play.play_id] = Voice(play, self._open_pcm(play), self._wiring, self._tail_ms)

    def _claim(self, play_id: PlayId, feeds: tuple[ZoneFeed, ...]) -> None:
        """The core routes no two plays to one zone; should it happen all the same, the later order has the zone."""
        zones: set[ZoneId] = {feed.zone for feed in feeds}
        for other, voice in self._voices.items():
            if other != play_id:
                for zone in zones:
                    voice.leave(zone)
