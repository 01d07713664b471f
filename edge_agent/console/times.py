"""Instants and lengths of time as people at the station read them, in both languages. Pure; callers pass the zone."""

from __future__ import annotations

from datetime import date, time

from edge_agent.console.words import Text
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.units import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, UtcMs
from edge_agent.core.wall_time import local_time

_WEEKDAYS_VI = ("T2", "T3", "T4", "T5", "T6", "T7", "CN")
_WEEKDAYS_EN = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
NOT_SET = Text("chưa đặt giờ", "not set")
SECONDS_MS_MAX = 10 * MINUTE_MS
# Below this people count in seconds.


def moment(utc: UtcMs, timezone: str) -> Text:
    """An instant of a plan: ``06h00 T4 25/11/2026``."""
    local = local_time(utc, timezone)
    return Text(
        f"{local:%Hh%M} {_WEEKDAYS_VI[local.weekday()]} {local:%d/%m/%Y}",
        f"{local:%H:%M} {_WEEKDAYS_EN[local.weekday()]} {local:%Y-%m-%d}",
    )


def clock_face(utc: UtcMs, timezone: str) -> Text:
    """What a clock on the wall would show, to the second, with its offset from UTC."""
    local = local_time(utc, timezone)
    return Text(
        f"{local:%H:%M:%S} {_WEEKDAYS_VI[local.weekday()]} {local:%d/%m/%Y} (UTC{local:%z})",
        f"{local:%H:%M:%S} {_WEEKDAYS_EN[local.weekday()]} {local:%Y-%m-%d} (UTC{local:%z})",
    )


def face_of(clock: Now, timezone: str) -> Text:
    """What a clock says, be it that nobody has set it: from boot on it counts the hours of a day in 1970."""
    return NOT_SET if clock.source is ClockSource.UNSET else clock_face(clock.utc, timezone)


def wall(at: time) -> Text:
    """A time of day."""
    return Text(f"{at:%Hh%M}", f"{at:%H:%M}")


def weekday(day: date) -> Text:
    """``T3``."""
    return Text(_WEEKDAYS_VI[day.weekday()], _WEEKDAYS_EN[day.weekday()])


def span(length_ms: int) -> Text:
    """A length of time in the one or two units that matter; none is negative."""
    length_ms = max(0, length_ms)
    if length_ms < SECONDS_MS_MAX:
        return _units((length_ms // MINUTE_MS, "phút", "min"), (length_ms % MINUTE_MS // SECOND_MS, "giây", "s"))
    if length_ms < DAY_MS:
        return _units((length_ms // HOUR_MS, "giờ", "h"), (length_ms % HOUR_MS // MINUTE_MS, "phút", "min"))
    return _units((length_ms // DAY_MS, "ngày", "d"), (length_ms % DAY_MS // HOUR_MS, "giờ", "h"))


def _units(large: tuple[int, str, str], small: tuple[int, str, str]) -> Text:
    shown = [unit for unit in (large, small) if unit[0]] or [small]
    return Text(" ".join(f"{number} {vi}" for number, vi, _ in shown), " ".join(f"{n} {en}" for n, _, en in shown))
