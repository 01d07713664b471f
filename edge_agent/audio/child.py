"""What every confined child starts with, whoever confines it. Small: a worker loads it anew for each piece of sound."""

from __future__ import annotations

ENVIRONMENT = {
    "PATH": "/usr/bin",
    "LANG": "C.UTF-8",
    # One arena: glibc would reserve 64 MiB of address space for each thread.
    "MALLOC_ARENA_MAX": "1",
}
ADDRESS_BYTES_MAX = 1_024 * 1_024 * 1_024
# Debian's ffmpeg maps 320 MB of libraries before its first line [measured, amd64]; this only stops the absurd.
STACK_BYTES = 1_024 * 1_024
# Also the size of each thread's stack, which counts as data; the usual 8 MiB would eat the limit unused.
OPEN_FILES_MAX = 64
PROCESSES_MAX = 64
# ffmpeg runs about ten threads. Counted by user, and within a user namespace; not enforced for root itself.
