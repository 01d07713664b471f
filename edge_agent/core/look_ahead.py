"""Decide when a sound is fetched ahead, and when it is made ready to play.

What is due soon is fetched within minutes, the rest spread over the night, within a day's bytes.

Two hundred stations of a commune get the same order in the same second, or their power back, and their SIM cards are
paid for: each takes its own moment of the minutes or of the night, drawn from its name and the sound's. None waits so
long that a slow line would be late by it. An emergency, and whatever plays now, never waits here.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, time, timedelta

from edge_agent.core.clock_trust import Now
from edge_agent.core.site import Site
from edge_agent.core.units import HOUR_MS, MINUTE_MS, SECOND_MS, ClipKey, MonoMs, UtcMs
from edge_agent.core.wall_time import local_time

SOON_MS = 12 * HOUR_MS
# What is due within this does not wait for the night, but is spread over SPREAD_MS.
SPREAD_MS = 10 * MINUTE_MS
# Or over less: what the slowest line that is borne would need before the sound is due is for nobody's waiting.
FETCH_BYTES_S_MIN, FETCH_SLACK_MS = 4_000, MINUTE_MS
# Such a line: 32 kbit/s is what EDGE leaves in a full cell; a bulletin of five minutes (2.4 MB) may take eleven.
NIGHT_BEGINS, NIGHT_MS = time(22, 0), 5 * HOUR_MS
# From 22:00, when the networks are empty, to 03:00: two hours are left for other tries before the first session.
MARGIN_MS = 1 * HOUR_MS
# A night that ends later than this before the sound is due is no night to wait for.
STAGE_AHEAD_MS = 36 * HOUR_MS
# Requirement sound.1: the next day's sessions lie ready through a night without a network, or with a decoder that needs
# other tries. An hour of sound is 350 MB then; as it was signed, it is 30.


def ask_at(site: Site, now: Now, key: ClipKey, due: UtcMs | None, length_bytes: int) -> MonoMs:
    """The boot time at which a sound that is ``due`` is asked for; now, where it is urgent (None).

    ``length_bytes`` is all that has to be here then. Where nobody knows the time, nothing that waits for its instant
    sounds, and a ward whose power is back asks within minutes of that.
    """
    if due is None:
        return now.mono
    share = _share(site, key)
    if not now.trusted:
        return MonoMs(max(now.mono, int(SPREAD_MS * share)))
    if due - now.utc <= SOON_MS:
        left_ms = due - now.utc - fetch_ms_max(length_bytes)
        return MonoMs(now.mono + int(max(min(SPREAD_MS, left_ms), 0) * share))
    begins = _night(site, now.utc)
    first = max(begins, now.utc)
    at = UtcMs(first + int((begins + NIGHT_MS - first) * share))
    return now.mono_of(at) if at <= due - MARGIN_MS else now.mono


def fetch_ms_max(length_bytes: int) -> int:
    """How long a recording of this length may be on its way, connecting included."""
    return FETCH_SLACK_MS + length_bytes * SECOND_MS // FETCH_BYTES_S_MIN


def retry_pause_ms(site: Site, key: ClipKey, tries: int, pause_ms: int) -> int:
    """A pause before another try, cut by up to its half: whoever failed together must not try together for ever."""
    return pause_ms - int(pause_ms // 2 * _share(site, key, tries))


def stage_at(now: Now, due: UtcMs | None) -> MonoMs:
    """The boot time from which on a sound that is ``due`` is to lie ready; what is due now (None): now.

    By whatever time is known: as long as that cannot be trusted, what waits for its instant does not sound.
    """
    return now.mono if due is None else now.mono_of(UtcMs(due - STAGE_AHEAD_MS))


def is_urgent(now: Now, due: UtcMs | None) -> bool:
    """Whether a sound is fetched whatever it costs."""
    return due is None or not now.trusted or due - now.utc <= SOON_MS


def next_night(site: Site, now: Now, key: ClipKey) -> MonoMs:
    """The same moment of the night after this one: the day's bytes are used up."""
    begins = _night(site, UtcMs(now.utc + NIGHT_MS))
    return now.mono_of(UtcMs(begins + int(NIGHT_MS * _share(site, key))))


def soon_at(site: Site, now: Now, key: ClipKey, due: UtcMs) -> MonoMs:
    """Its own moment of the minutes from which on a sound that is ``due`` is fetched whatever it costs."""
    return MonoMs(now.mono_of(UtcMs(due - SOON_MS)) + int(SPREAD_MS * _share(site, key)))


def night_of(site: Site, utc: UtcMs) -> int:
    """Which day's bytes an instant counts in: from one night's beginning to the next, as the number of the day."""
    return (local_time(utc, site.timezone) - timedelta(hours=NIGHT_BEGINS.hour)).toordinal()


def _night(site: Site, utc: UtcMs) -> UtcMs:
    """The beginning of the night that ``utc`` is in, or else of the next one."""
    local = local_time(utc, site.timezone)
    today = datetime.combine(local.date(), NIGHT_BEGINS, local.tzinfo)
    yesterdays = _utc(today - timedelta(days=1))
    return yesterdays if utc < yesterdays + NIGHT_MS else _utc(today)


def _utc(moment: datetime) -> UtcMs:
    return UtcMs(round(moment.timestamp() * 1000))


def _share(site: Site, key: ClipKey, tries: int = 0) -> float:
    """A number from 0 to 1 that is this station's for this sound: always the same, and no two stations' alike."""
    drawn = hashlib.sha256(f"{site.station}\0{key}{tries or ''}".encode()).digest()
    return int.from_bytes(drawn[:6]) / 2**48
