"""How much of the disk each kind of sound leaves free. Decides who finds it full first: what is fetched, then
recordings that are made ready, then words; and the journal never. A warning that the station speaks itself must be
the last to be refused, so what the others leave is enough for the longest one.
"""

from __future__ import annotations

MIB = 1_024 * 1_024

TEXT_FREE_BYTES_MIN = 64 * MIB
# Left to the journal, which must never be stopped by sound: 13 months of records are about 40 MB.
MEMORY_FREE_BYTES_MIN = 8 * MIB
# The same in memory, for a warning that the card does not take: the status file, and live sources to come.
# A board of 512 MB has some 85 there (systemd gives /run a fifth of what the kernel leaves): a warning of 800 letters.
CLIP_FREE_BYTES_MIN = 256 * MIB
# Beside that the longest text, a quarter of an hour: 173 MB while it is made.
FETCH_FREE_BYTES_MIN = 512 * MIB
# Beside that a bulletin of twenty minutes: 230 MB while it is made. What cannot be made ready need not be fetched.
