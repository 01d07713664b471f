"""What this station is: its name, place, zones and the ward's own rules. Parsed by ``config``, immutable afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum

from edge_agent.core.job import JobClass
from edge_agent.core.units import MINUTE_MS, SECOND_MS, StationId, ZoneId

VOLUME_MAX = 100
# As loud as the amplifier is set; every volume is counted up to it.
ZONES_MAX = 64
# As many as one order can name (its audience).
BANDS_MAX = 24
# Of volume in a day: one for each hour.
SESSIONS_MAX = 96
# In a day: one every quarter of an hour.
WARM_UP_MS_MAX = 60 * SECOND_MS
# The slowest thing we drive: an old FM transmitter or valve amplifier (requirement S9).
FETCH_BYTES_PER_DAY = 200_000_000
# Six hours of audio at 64 kbit/s: more than a ward plays in a week, and a tenth of a small SIM's month.
SOUND_MS_MAX = 5 * 60 * MINUTE_MS
# 1.7 GB at 48 kHz, within what a station's file gives it if it says nothing: five days of what a ward may sound.
RELAY_ON_MS_MAX = 2 * 60 * MINUTE_MS
# Longest programme the field knows is a 45-minute session with relays; twice that and some (requirement S3).
LEAST_ON_MS_MAX = 10 * SECOND_MS
# An amplifier is up within seconds of its power; closed for longer in silence a horn hums for nothing (S3).
LEAST_OFF_MS_MAX = 60 * SECOND_MS
# What limits the inrush current (an NTC thermistor) has to cool down: about a minute by its makers' data (S3).

LEVEL_DB_MIN = -96
# What 16 bits hold, in dB of full scale: how loud an ear has it where there is nothing at all.
RISE_MS_MAX = 3 * SECOND_MS
# The longest that requirement N6 asks for; a voice that rises for longer has lost its first sentence.

STAGGER_MS_MAX = 10 * SECOND_MS
# The silence between two turns. An echo from a kilometre away comes after 6 s; in a longer one people think it is over.

TRAINING_PREFIX = "tap-huan"
"""How the name of every training realm begins (tập huấn, requirement B21)."""


class Group(StrEnum):
    """Whose turn it is: clusters that are heard over each other are of different groups (requirement S8)."""

    A = "a"
    B = "b"


@dataclass(frozen=True, slots=True)
class ZoneSite:
    """One speaker cluster: how long its amplifier warms up and how loud it may ever be.

    Its relay stays closed for ``least_on_ms`` and open for ``least_off_ms`` at least, but for an emergency. Where the
    groups take turns, ``group`` says in which it speaks.
    """

    zone: ZoneId
    name: str
    warm_up_ms: int
    volume_max: int = VOLUME_MAX
    on_ms_max: int = RELAY_ON_MS_MAX
    least_on_ms: int = 0
    least_off_ms: int = 0
    group: Group = Group.A


@dataclass(frozen=True, slots=True)
class VolumeBand:
    """A ceiling by time of day, wall time, ``start`` included and ``end`` excluded."""

    start: time
    end: time
    volume_max: int


class IntoQuiet(StrEnum):
    """What becomes of an ordinary programme that would run into quiet hours."""

    REFUSE = "refuse"  # it does not begin
    CUT = "cut"  # it begins, and ends where they begin


@dataclass(frozen=True, slots=True)
class Clause:
    """Limits for ordinary sound of some classes in some zones; an empty set means all of them, None says nothing.

    ``quiet`` is wall time, end excluded, over midnight if need be. Weekdays are ISO (Monday = 1). A session is what
    starts less than ``sessions.SESSION_GAP_MS`` after the sound before it ended; a day is the local one it began on.
    With ``live_day_ms`` what is relayed live (tiếp âm) has minutes of its own; without, it counts as all else does.
    """

    classes: frozenset[JobClass] = frozenset()
    zones: frozenset[ZoneId] = frozenset()
    quiet: tuple[time, time] | None = None
    weekdays: frozenset[int] | None = None
    holidays: frozenset[date] = frozenset()
    sessions_per_day: int | None = None
    day_ms: int | None = None
    session_ms: int | None = None
    live_day_ms: int | None = None
    volume_bands: tuple[VolumeBand, ...] = ()


STANDARD = Clause(
    quiet=(time(21, 0), time(5, 0)),
    weekdays=frozenset(range(1, 8)),
    sessions_per_day=4,
    day_ms=60 * MINUTE_MS,
    session_ms=30 * MINUTE_MS,
    live_day_ms=60 * MINUTE_MS,
    volume_bands=(
        VolumeBand(time(5, 0), time(6, 0), 55),  # noise rules count 21–6 h as night
        VolumeBand(time(0, 0), time(0, 0), 80),  # the whole day
    ),
)
"""What holds where nobody has laid down anything: safe for whoever lives beside the horns."""


@dataclass(frozen=True, slots=True)
class LocalPolicy:
    """The ward's rules that no ordinary job can pass (requirement B10): every clause that applies must allow it."""

    clauses: tuple[Clause, ...] = (STANDARD,)
    into_quiet: IntoQuiet = IntoQuiet.REFUSE


@dataclass(frozen=True, slots=True)
class Frame:
    """What the station puts around an ordinary programme by itself, so that it startles nobody (requirement N6).

    ``opening`` and ``closing``: the ward's chimes. ``rise_ms``: how long it takes from silence to its full loudness.
    """

    opening: bool = False
    closing: bool = False
    rise_ms: int = 0


UNFRAMED = Frame()
"""What was ordered, and nothing else."""

STANDARD_FRAME = Frame(opening=True, closing=True, rise_ms=1 * SECOND_MS)
"""What a station does whose file says nothing of it."""


@dataclass(frozen=True, slots=True)
class Site:
    """The station as the core knows it."""

    station: StationId
    realm: str
    area: str  # "vn/ha-noi/dong-thanh": every prefix is an area the station belongs to
    timezone: str
    zones: Mapping[ZoneId, ZoneSite]
    policy: LocalPolicy = LocalPolicy()
    fetch_bytes_per_day: int = FETCH_BYTES_PER_DAY
    sound_ms_max: int = SOUND_MS_MAX  # of staged sound together
    polls_home: bool = False  # whether a content server is configured that keeps manifests
    frame: Frame = UNFRAMED
    line_ins: frozenset[str] = frozenset()  # what is plugged in, as orders name it: "line-in:mic"
    stagger_ms: int = 0  # silence between the turns of its groups; 0: all of its zones speak at once
    neighbours_take_turns: bool = False  # whether a group that it has no zone of is a neighbouring station's

    def areas(self) -> frozenset[str]:
        """Every area that contains this station, from the country down to the ward."""
        parts = self.area.split("/")
        return frozenset("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))

    def share_of(self, span_ms: int) -> int:
        """This station's own place within a span: the same at every start, and spread over the stations."""
        return int(hashlib.sha256(self.station.encode()).hexdigest()[:12], 16) % span_ms


def is_training(realm: str) -> bool:
    """Whether a realm is for training: its stations may switch no real relay.

    In its name, because that is signed: it stands in the trust file and in every order, and a station refuses others.
    """
    return realm.startswith(TRAINING_PREFIX)
