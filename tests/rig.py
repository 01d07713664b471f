"""What a scenario may ask of a station, wherever that station runs: in virtual time, on this host, on a real bench.

Scenarios speak in seconds from their own beginning. What sounds is told apart by ear: each recorded item is a tone of
its own pitch, so a rig recognises it in a recording as well as in a simulated street.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

LEFT, RIGHT = "c1", "c2"
"""The two zones of every rig."""

ATTENTION, CHIME, SPEECH = "attention", "chime", "speech"
"""How a rig names the stored signal and the station's own voice in what it heard."""


@dataclass(frozen=True)
class Tone:
    """A recorded item: ``name`` decides the pitch."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Relay:
    """A live item: the source ``name`` gives a tone of that pitch, and ``stand_in`` is heard where it gives nothing."""

    name: str
    seconds: float
    stand_in: Tone


@dataclass(frozen=True)
class Order:
    """What an officer wants; a rig fills in ids, serials, validity and signatures.

    ``at_s`` None means now. ``recurring`` orders the same instant as a rule of that day and ``days - 1`` more.
    ``spoken`` adds a text item.
    """

    cls: str = "normal"
    at_s: float | None = None
    recurring: bool = False
    days: int = 1
    tones: tuple[Tone, ...] = ()
    spoken: str = ""
    relay: Relay | None = None
    zones: tuple[str, ...] = ()
    volume: int = 100
    preemption: str = "rejoin"
    loops: int = 1
    gap_s: int = 0
    late_limit_s: int = 0


@dataclass(frozen=True)
class Tampering:
    """What an attacker does to an otherwise good order."""

    forged: bool = False  # signed by a key that nobody trusts
    other_ward: bool = False  # addressed to the ward next door, yet delivered here
    under_signed: bool = False  # an emergency by one officer, where the ward wants two
    altered_audio: bool = False  # the server hands out other bytes than were signed
    wall_time: str = ""  # planned for this wall time tomorrow, e.g. "03:15:00"


HONEST = Tampering()


@dataclass(frozen=True)
class Edge:
    """A relay moved, ``at_s`` seconds after the scenario began."""

    zone: str
    on: bool
    at_s: float


@dataclass(frozen=True)
class Heard:
    """A sound in a zone, in seconds after the scenario began."""

    zone: str
    what: str
    start_s: float
    end_s: float


@dataclass
class Told:
    """What the headend received, verified: answers, states and the as-run log in order."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)


class Rig(Protocol):
    """A station with two zones, a broker, a headend, and ears."""

    tolerance_s: float
    warm_up_s: float

    def switch_on(self, *, welcome: bool = True) -> None:
        """Boot; with ``welcome`` False the headend stays silent until ``allow_welcome``."""
        ...

    def allow_welcome(self) -> None: ...

    def publish(self, order: Order, tampering: Tampering = HONEST) -> str:
        """Sign, publish, return the job id."""
        ...

    def command(self, zones: tuple[str, ...] = (), **do: Any) -> str:
        """Sign and publish a command, by the officer at the desk; returns its id."""
        ...

    def window(self, kind: str, from_s: float, to_s: float, zones: tuple[str, ...] = ()) -> str:
        """Sign and publish an exception or a silence, by the policy's owner; returns its id."""
        ...

    def regulate(self, **clause: Any) -> str:
        """Sign and publish a newer regulation of one general clause, by the policy's owner; returns its id."""
        ...

    def source(self, name: str, *, gives: bool) -> None:
        """A live source gives its tone from now on, or nothing; before it is told to it gives nothing."""
        ...

    def replay(self, job_id: str) -> None:
        """Publish the very same bytes once more."""
        ...

    def run_until(self, at_s: float) -> None:
        """Let time pass."""
        ...

    def cut_network(self) -> None: ...

    def restore_network(self) -> None: ...

    def cut_power(self) -> None:
        """Everything dies at once; what was not durable is gone."""
        ...

    def kill_agent(self) -> None:
        """SIGKILL for the agent; the device process stays."""
        ...

    def run_until_told(self, job_id: str, at_most_s: float) -> None:
        """Let time pass, at most so long, until the headend has a record of the job: a station returns with jitter."""
        ...

    def relay_edges(self) -> list[Edge]: ...

    def heard(self) -> list[Heard]: ...

    def told(self) -> Told: ...
