"""Name the quantities that must never be mixed up. Decides nothing; everything else is typed with these."""

from __future__ import annotations

from typing import NewType

UtcMs = NewType("UtcMs", int)
"""Milliseconds since 1970-01-01T00:00Z. Comes from a clock whose trust is known, see ``clock_trust.Now``."""

MonoMs = NewType("MonoMs", int)
"""Milliseconds of CLOCK_BOOTTIME: one timescale for both processes of a station, never stepped."""

StationId = NewType("StationId", str)
ZoneId = NewType("ZoneId", str)
JobId = NewType("JobId", str)
ClipKey = NewType("ClipKey", str)
"""What a piece of staged sound is found by: the SHA-256 (hex) of the signed audio, or of the text to be spoken."""

PlayId = NewType("PlayId", str)
"""One run of a programme on the device. A re-armed occurrence gets a new one, so a late report cannot be misread."""

SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000

NEVER = UtcMs(2**53)
"""An instant that does not come; JSON still counts that far."""
