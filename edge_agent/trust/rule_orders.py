"""Read the commune's policy, dated windows and commands into types, or one error that says why.

How a policy is obeyed is decided in ``core.policy``. Here only what no policy may leave open is refused: a regulation
that forgets the night must not mean a night without rules, nor a limit that nobody reads a day without limits.
"""

from __future__ import annotations

from datetime import time
from enum import StrEnum

from edge_agent.core.job import JobClass
from edge_agent.core.order import Cancel, Command, Loosening, Regulation, Window
from edge_agent.core.site import BANDS_MAX, SESSIONS_MAX, VOLUME_MAX, Clause, IntoQuiet, LocalPolicy, VolumeBand
from edge_agent.core.units import DAY_MS, SECOND_MS, ZoneId
from edge_agent.trust.commands import read_action
from edge_agent.trust.fields import NAME, WALL_MINUTE, Fields, free_text
from edge_agent.trust.heading import AUDIENCE_MAX, read_heading
from edge_agent.trust.strict_json import INTEGER_MAX, WireError
from edge_agent.trust.timetable import MONDAY, SUNDAY, read_day, read_days, read_instant

CLAUSES_MAX = 16  # a general one, and a few for classes, hamlets and seasons
DAY_S_MAX = 86_400
EXCEPTION_MS_MAX = 16 * DAY_MS  # the nine days of Tết, and a week of storm before or after them
SILENCE_MS_MAX = 31 * DAY_MS  # a month of mourning or building; for longer there is the regulation
CANCEL_MS_MAX = 400 * DAY_MS  # no order is valid for longer, so nobody need remember for longer that it was cancelled
NUMBER = free_text(80, least=1)
BASIS = free_text(200, least=1)
_CLAUSE_FIELDS = (
    *("classes", "zones", "quiet", "weekdays", "holidays"),
    *("sessions_per_day", "day_s", "session_s", "live_day_s", "volume"),
)
_GENERAL = ("quiet", "session_s", "volume")
_LOOSENING = ("classes", "session_s", "total_s", "volume")
_ONLY_ORDINARY = "normal and priority alone: no rule binds an emergency"


class _WindowKind(StrEnum):
    EXCEPTION = "exception"
    SILENCE = "silence"


def parse_regulation(fields: Fields) -> Regulation:
    """The ward's policy as a signed order."""
    regulation = Regulation(
        heading=read_heading(fields),
        version=fields.integer("version", 1, INTEGER_MAX),
        number=fields.text("number", NUMBER),
        dated=read_day(fields, "dated"),
        policy=LocalPolicy(
            clauses=_read_clauses(fields),
            into_quiet=fields.choice("into_quiet", IntoQuiet, default=IntoQuiet.REFUSE),
        ),
    )
    if regulation.heading.audience.zones:
        raise fields.record("audience").wrong("zones", "none: it is for whole stations, its clauses name their zones")
    return regulation


def parse_window(fields: Fields) -> Window:
    """A dated exception, or a dated silence."""
    kind = fields.choice("kind", _WindowKind)
    window = Window(
        heading=read_heading(fields),
        begins=read_instant(fields, "begins"),
        ends=read_instant(fields, "ends"),
        basis=fields.text("basis", BASIS),
        loosens=_read_loosening(fields) if kind is _WindowKind.EXCEPTION else None,
    )
    for name in _LOOSENING if window.loosens is None else ():
        if name in fields:
            raise fields.wrong(name, 'remove it: a silence loosens nothing, an "exception" does')
    _check_span(fields, window, EXCEPTION_MS_MAX if window.loosens else SILENCE_MS_MAX)
    return window


def parse_command(fields: Fields) -> Command:
    """Something to be done at once."""
    command = Command(read_heading(fields), read_action(fields.record("do")))
    if isinstance(command.action, Cancel):
        if command.action.until - command.heading.not_before > CANCEL_MS_MAX:
            raise fields.record("do").wrong("until", f"at most {CANCEL_MS_MAX // DAY_MS} days after not_before")
        if command.action.target == command.heading.order_id:
            raise fields.record("do").wrong("target", "another order, this one cannot take itself back")
    return command


def _check_span(fields: Fields, window: Window, longest_ms: int) -> None:
    if window.ends <= window.begins:
        raise fields.wrong("ends", "later than begins")
    if window.ends > window.heading.not_after:
        raise fields.wrong("ends", "not later than not_after")
    if window.ends - window.begins > longest_ms:
        raise fields.wrong("ends", f"at most {longest_ms // DAY_MS} days after begins")


def _read_loosening(fields: Fields) -> Loosening:
    total_s = fields.integer("total_s", 1, EXCEPTION_MS_MAX // SECOND_MS, default=0)
    return Loosening(
        classes=_read_ordinary(fields),
        session_ms=fields.integer("session_s", 1, DAY_S_MAX) * SECOND_MS,
        total_ms=total_s * SECOND_MS or None,
        volume_max=fields.integer("volume", 0, VOLUME_MAX) if "volume" in fields else None,
    )


def _read_clauses(fields: Fields) -> tuple[Clause, ...]:
    listed = fields.records("clauses", 1, CLAUSES_MAX)
    for name in _GENERAL:
        if name not in listed[0]:
            raise listed[0].wrong(name, "missing; the first clause holds for all, and must state it")
    for name in ("classes", "zones"):
        if name in listed[0]:
            raise listed[0].wrong(name, "remove it; the first clause holds for all, later ones for some")
    return tuple(_read_clause(clause) for clause in listed)


def _read_clause(fields: Fields) -> Clause:
    fields.only(*_CLAUSE_FIELDS)
    return Clause(
        classes=_read_ordinary(fields) if "classes" in fields else frozenset(),
        zones=_read_zones(fields),
        quiet=_read_quiet(fields),
        weekdays=fields.integers("weekdays", MONDAY, SUNDAY) if "weekdays" in fields else None,
        holidays=read_days(fields, "holidays"),
        sessions_per_day=_limit(fields, "sessions_per_day", 0, SESSIONS_MAX),
        day_ms=_limit(fields, "day_s", 0, DAY_S_MAX, SECOND_MS),
        session_ms=_limit(fields, "session_s", 1, DAY_S_MAX, SECOND_MS),
        live_day_ms=_limit(fields, "live_day_s", 0, DAY_S_MAX, SECOND_MS),
        volume_bands=_read_bands(fields),
    )


def _limit(fields: Fields, name: str, least: int, most: int, unit: int = 1) -> int | None:
    return fields.integer(name, least, most) * unit if name in fields else None


def _read_ordinary(fields: Fields) -> frozenset[JobClass]:
    classes = fields.choices("classes", JobClass)
    if JobClass.EMERGENCY in classes:
        raise fields.wrong("classes", _ONLY_ORDINARY)
    return classes


def _read_zones(fields: Fields) -> frozenset[ZoneId]:
    # An empty list is refused: the type's empty set means every zone, and whoever wrote it may have meant none.
    texts = fields.texts("zones", NAME, 1, AUDIENCE_MAX) if "zones" in fields else ()
    return frozenset(ZoneId(zone) for zone in texts)


def _read_quiet(fields: Fields) -> tuple[time, time] | None:
    if "quiet" not in fields:
        return None
    match fields.value("quiet"):
        case [str() as start, str() as end] if _is_wall(start) and _is_wall(end):
            return time.fromisoformat(start), time.fromisoformat(end)
        case _:
            raise fields.wrong("quiet", 'two wall times as ["21:00", "05:00"]')


def _read_bands(fields: Fields) -> tuple[VolumeBand, ...]:
    if "volume" not in fields:
        return ()
    return tuple(_read_band(where, entry) for where, entry in fields.entries("volume", 1, BANDS_MAX))


def _read_band(where: str, entry: object) -> VolumeBand:
    match entry:
        case [str() as start, str() as end, int() as loudest] if (
            _is_wall(start) and _is_wall(end) and 0 <= loudest <= VOLUME_MAX and not isinstance(loudest, bool)
        ):
            return VolumeBand(time.fromisoformat(start), time.fromisoformat(end), loudest)
        case _:
            raise WireError(where, 'two wall times and a volume from 0 to 100 as ["05:00", "06:00", 45]')


def _is_wall(text: str) -> bool:
    return WALL_MINUTE.pattern.fullmatch(text) is not None
