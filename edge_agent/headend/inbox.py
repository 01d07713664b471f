"""Keep what came until the desk takes it: each station's words in a lane of their own, and a message of each in turn.

One station can say as much as its line carries. In one queue for all it would stand before everybody else, and where
that queue makes the network wait, the broker's own queue for us fills, and loses what others were told is delivered.
So nobody waits here: what one station says beyond its lane pushes out the oldest of its own words, and of what only
the newest counts one is kept. Reads no clock; ``put`` and ``get`` may be used from any threads.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from edge_agent.headend.session import Arrival, Message
from edge_agent.sync.topics import ROOT, Up

LANE_MESSAGES_MAX = 1_000
# Of the 10,000 that a commune of 50 stations may say in a day without us (``broker.QUEUED_MESSAGES_MAX``), one station
# says 200: five times that.
LANE_BYTES_MAX = 4 * 1_024 * 1_024
# So many of the usual 4 kB, or 64 of the largest; were all stations of a commune stolen, they would hold 200 MiB.
NEWEST_COUNTS = frozenset({Up.HELLO, Up.HEARTBEAT})
# Of several hellos that wait only the last one's nonce is still asked for (protocol, 12.9).


@dataclass(frozen=True, slots=True)
class Overrun:
    """A station says more than is taken: so many of its messages were dropped so far, the oldest that waited."""

    station: str
    dropped: int


@dataclass(slots=True)
class _Lane:
    waiting: deque[Arrival] = field(default_factory=deque)
    size_bytes: int = 0

    def add(self, arrival: Arrival) -> int:
        """How many others had to go for it."""
        if _takes_the_place(arrival):
            self._remove_like(arrival)
        self.waiting.append(arrival)
        self.size_bytes += _size(arrival)
        dropped = 0
        while len(self.waiting) > LANE_MESSAGES_MAX or (self.size_bytes > LANE_BYTES_MAX and len(self.waiting) > 1):
            self.take()
            dropped += 1
        return dropped

    def take(self) -> Arrival:
        arrival = self.waiting.popleft()
        self.size_bytes -= _size(arrival)
        return arrival

    def _remove_like(self, arrival: Arrival) -> None:
        for one in self.waiting:
            if type(one) is type(arrival) and _topic(one) == _topic(arrival):
                self.waiting.remove(one)
                self.size_bytes -= _size(one)
                return


class Inbox:
    """What waits, by who said it. None ends whoever takes, when everything before it was taken."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lanes: OrderedDict[str, _Lane] = OrderedDict()  # whose turn it is comes first
        self._dropped: dict[str, int] = {}
        self._told: deque[Overrun] = deque()
        self._ends = False

    def put(self, arrival: Arrival | None) -> None:
        """Never waits: the network's thread serves everybody."""
        with self._changed:
            if arrival is None:
                self._ends = True
            else:
                who = _who(arrival)
                self._count(who, self._lanes.setdefault(who, _Lane()).add(arrival))
            self._changed.notify()

    def get(self, timeout_s: float | None = None) -> Arrival | Overrun | None:
        """The next, of whoever has waited longest for his turn; waits for one. None also when ``timeout_s`` is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._lanes or self._told or self._ends, timeout_s)
            if self._told:
                return self._told.popleft()
            if not self._lanes:
                return None
            who, lane = self._lanes.popitem(last=False)
            arrival = lane.take()
            if lane.waiting:
                self._lanes[who] = lane  # behind all the others
            return arrival

    def waiting(self) -> int:
        """How many messages wait."""
        with self._changed:
            return sum(len(lane.waiting) for lane in self._lanes.values())

    def _count(self, who: str, dropped: int) -> None:
        """Told at the first that was dropped, and each time they have doubled: thirty lines for a billion."""
        if not dropped:
            return
        before = self._dropped.get(who, 0)
        self._dropped[who] = before + dropped
        if self._dropped[who].bit_length() > before.bit_length():
            self._told.append(Overrun(who, self._dropped[who]))


def _who(arrival: Arrival) -> str:
    """Whose lane: the station that the broker let publish there; "" for the connection itself, and for anything else.

    A certificate's name is all that the broker lets a client publish under: there are no more lanes than certificates.
    """
    topic = _topic(arrival)
    return topic.removeprefix(f"{ROOT}/u/").partition("/")[0] if topic.startswith(f"{ROOT}/u/") else ""


def _topic(arrival: Arrival) -> str:
    return arrival.topic if isinstance(arrival, Message) else ""


def _size(arrival: Arrival) -> int:
    return len(arrival.payload) if isinstance(arrival, Message) else 0


def _takes_the_place(arrival: Arrival) -> bool:
    """Whether an earlier one of its kind that still waits means nothing any more. So it is with the connection too."""
    return not isinstance(arrival, Message) or arrival.topic.rpartition("/")[2] in NEWEST_COUNTS
