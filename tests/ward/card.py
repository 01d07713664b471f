"""A sound card in virtual time: an ``audio.port.Player`` that plays exactly on time until it is told to fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay
from edge_agent.core.events import PlayEnded, PlayProgress, PlayStarted, ZoneHeard
from edge_agent.core.programme import SIGNAL_MS, Live, Relayed, Sound, length_ms
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Group
from edge_agent.core.units import ClipKey, MonoMs, PlayId, ZoneId
from tests.turn_ears import heard_ms, pieces
from tests.ward.timing import LINK_MS, STOP_MS

if TYPE_CHECKING:
    from edge_agent.audio.port import HeardReports
    from tests.ward.air import Air
    from tests.ward.world import World

FRAMES_A_MS = 48
HEARD_DB, STREET_DB = -12, -58
# What an ear at a horn has of it, and of a quiet street.


@dataclass
class Run:
    """One programme on the card, in true ms; ``routes`` is who heard it from when on."""

    play: StartPlay
    begins: int
    routes: list[tuple[int, frozenset[ZoneId]]]
    air: Air
    left_out: frozenset[ClipKey] = frozenset()
    stopped: int | None = None
    over: bool = False
    groups: dict[ZoneId, Group] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.groups |= {feed.zone: feed.group for feed in self.play.feeds}

    @property
    def job_id(self) -> str:
        """Whose sound it is."""
        return self.play.play_id.rsplit(".", 2)[0]

    @property
    def ends(self) -> int:
        whole = self.begins + length_ms(self.play.parts)
        return whole if self.stopped is None else min(whole, self.stopped)

    def zone_ms(self, until: int) -> dict[ZoneId, int]:
        """What each zone heard up to ``until``."""
        total: dict[ZoneId, int] = {}
        for zone, start, end in self.spans(until):
            heard = heard_ms(self.play.parts, self.groups[zone], start - self.begins, end - self.begins)
            total[zone] = total.get(zone, 0) + heard
        return total

    def spans(self, until: int) -> Iterator[tuple[ZoneId, int, int]]:
        """(zone, from, to) of everything routed up to ``until``."""
        last = min(self.ends, until)
        for index, (since, zones) in enumerate(self.routes):
            upto = self.routes[index + 1][0] if index + 1 < len(self.routes) else last
            start, end = max(since, self.begins), min(upto, last)
            if start < end:
                for zone in zones:
                    yield zone, start, end

    def sounds(self, names: dict[ClipKey, str], group: Group = Group.A) -> Iterator[tuple[str, int, int]]:
        """(what, from, to) of its parts that are no silence, where a group hears it."""
        for first, last, part in pieces(self.play.parts, group):
            at, ends_at = self.begins + first, self.begins + last
            if isinstance(part, Sound) and part.key not in self.left_out:
                yield names.get(part.key, part.key), at, ends_at
            elif isinstance(part, Live):
                for key, begins, ends in self.air.pieces(part, at, ends_at):
                    yield names.get(key, key), begins, ends


class CardTrouble:
    """How the card fails: ``dead`` refuses every play, ``mute`` wedges its writer, ``late_ms`` is a slow one.

    ``rotten`` sounds turn out altered while they play; of a signal nothing is heard, and all else is. Behind it
    ``ears`` listen at the horns of some zones, and the cable to a horn may be broken from and to a true instant.
    """

    def __init__(self) -> None:
        self.dead = False
        self.mute = False
        self.late_ms = 0
        self.rotten: set[ClipKey] = set()
        self.ears: frozenset[ZoneId] = frozenset()
        self.broken: list[tuple[ZoneId, int, float]] = []

    def broken_at(self, zone: ZoneId, at: int) -> bool:
        """Whether nothing comes out of that zone's horn."""
        return any(where == zone and since <= at < until for where, since, until in self.broken)

    def signals(self) -> frozenset[ClipKey]:
        """Those of the station's own that have rotted."""
        return frozenset(self.rotten & SIGNAL_MS.keys())


class Card:
    """One life of the card, that of the device process that drives it. ``tell`` reports, ``wedged_at`` freezes."""

    def __init__(self, world: World, trouble: CardTrouble, runs: list[Run], tell: HeardReports) -> None:
        self._world = world
        self._trouble = trouble
        self._street = runs
        self._tell = tell
        self._runs: dict[PlayId, Run] = {}
        self._alive_at = world.machine.boot()
        self.gone = False
        self.frozen = False
        """Whether its process stands still."""

    def start(self, play: StartPlay) -> None:
        world = self._world
        begins = max(world.machine.true_of(play.at), world.mono + LINK_MS) + self._trouble.late_ms
        run = Run(play, begins, [(0, frozenset(feed.zone for feed in play.feeds))], world.air, self._trouble.signals())
        self._runs[play.play_id] = run
        if self._trouble.dead or self._trouble.mute:
            run.stopped = run.begins = world.mono
            world.after(LINK_MS, lambda: self._ended(run, Reason.DEVICE_FAILED))
            return
        self._street.append(run)
        world.after(begins - world.mono, lambda: self._started(run))

    def route(self, play: RoutePlay) -> None:
        run = self._runs.get(play.play_id)
        if run is not None and not run.over:
            run.groups |= {feed.zone: feed.group for feed in play.feeds}
            run.routes.append((self._world.mono, frozenset(feed.zone for feed in play.feeds)))

    def stop(self, play: StopPlay) -> None:
        run = self._runs.get(play.play_id)
        if run is not None and not run.over:
            # What has stopped by itself does not go on, and what has not begun never does.
            begun = self._world.mono >= run.begins
            run.stopped = min(run.ends, self._world.mono + STOP_MS) if begun else run.begins
            self._world.after(STOP_MS, lambda: self._ended(run, Reason.SHUTDOWN))

    def alive_at(self) -> int:
        if not self._trouble.mute:
            self._alive_at = self._world.machine.boot()
        return self._alive_at

    def close(self) -> None:
        """The process is told to end: nothing is drained, and every end is told."""
        for run in self._open():
            run.stopped = self._world.mono
            self._ended(run, Reason.SHUTDOWN)
        self.die()

    def wedge(self) -> None:
        """The writer hangs: from now on nothing leaves the card, and nobody says so."""
        for run in self._open():
            run.stopped = min(run.ends, self._world.mono)

    def recover(self) -> None:
        """The writer goes on, and finds that the device had failed under what it played."""
        if not self.gone:
            for run in self._open():
                self._ended(run, Reason.DEVICE_FAILED)

    def die(self) -> None:
        """The process is gone, and what it played with it."""
        self.gone = True
        for run in self._open():
            run.stopped, run.over = min(run.ends, self._world.mono), True

    def _started(self, run: Run) -> None:
        if self._silent(run):
            return
        self._world.after(run.ends - self._world.mono, lambda: self._ended(run))
        self._world.sounds()
        self._say(PlayStarted(run.play.play_id, self._world.machine.boot()))
        self._world.after(self._world.progress_ms, lambda: self._progress(run))

    def _progress(self, run: Run) -> None:
        if self._silent(run):
            return
        rotten = self._trouble.rotten - SIGNAL_MS.keys()
        if any(isinstance(part, Sound) and part.key in rotten for part in run.play.parts):
            run.stopped = self._world.mono
            self._ended(run, Reason.AUDIO_ALTERED)
            return
        self._say(PlayProgress(run.play.play_id, run.zone_ms(self._world.mono), 0, self._relayed(run)))
        self._world.after(self._world.progress_ms, lambda: self._progress(run))

    def _ended(self, run: Run, reason: Reason | None = None) -> None:
        if self._silent(run):
            return
        run.over = True
        zone_ms = run.zone_ms(self._world.mono)
        frames = max(zone_ms.values(), default=0) * FRAMES_A_MS
        boot = self._world.machine.boot()
        for zone in sorted(zone_ms.keys() & self._trouble.ears):
            heard = not self._trouble.broken_at(zone, self._world.mono)
            self._say(ZoneHeard(zone, heard, HEARD_DB if heard else STREET_DB))
        self._say(PlayEnded(run.play.play_id, zone_ms, frames, 0, boot, reason, self._relayed(run)))

    def _relayed(self, run: Run) -> Relayed:
        return self._world.air.relayed(run.play.parts, run.begins, min(run.ends, self._world.mono))

    def _open(self) -> list[Run]:
        return [run for run in self._runs.values() if not run.over]

    def _silent(self, run: Run) -> bool:
        """Whether nobody is there, or able, to report on it."""
        return run.over or self.gone or self.frozen or self._trouble.mute

    def _say(self, report: PlayStarted | PlayProgress | ZoneHeard | PlayEnded) -> None:
        self._tell(report)


def closed_spans(edges: list[tuple[ZoneId, bool, int]], zone: ZoneId) -> list[tuple[int, float]]:
    """(from, to) of each time that the zone's contact was closed; the last may be open-ended."""
    spans: list[tuple[int, float]] = []
    for where, on, mono in edges:
        if where != zone:
            continue
        if on:
            spans.append((mono, float("inf")))
        elif spans:
            spans[-1] = (spans[-1][0], mono)
    return spans


def heard(
    runs: list[Run], edges: list[tuple[ZoneId, bool, int]], names: dict[ClipKey, str], now: int
) -> list[tuple[ZoneId, str, int, int]]:
    """(zone, what, from, to) of everything that sounded through a closed contact; what goes on is one sound."""
    found = []
    for run in runs:
        for zone, start, end in run.spans(now):
            for what, begins, ends in run.sounds(names, run.groups[zone]):
                for on, off in closed_spans(edges, zone):
                    a, b = max(begins, start, on), min(ends, end, off)
                    if a < b:
                        found.append((zone, what, a, int(b)))
    return _joined(sorted(found, key=lambda one: (one[0], one[2])))


def _joined(found: list[tuple[ZoneId, str, int, int]]) -> list[tuple[ZoneId, str, int, int]]:
    joined: list[tuple[ZoneId, str, int, int]] = []
    for zone, what, start, end in found:
        if joined and joined[-1][:2] == (zone, what) and joined[-1][3] == start:
            joined[-1] = (zone, what, joined[-1][2], end)
        else:
            joined.append((zone, what, start, end))
    return joined


__all__ = ["Card", "CardTrouble", "MonoMs", "Run", "closed_spans", "heard"]
