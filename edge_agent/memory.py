"""Settle down after the start: what was loaded stays for good, so the collector need not look at it again."""

from __future__ import annotations

import ctypes
import gc


def settle() -> None:
    """To be called once, when everything is loaded.

    A full round of the collector over the 35,000 objects of the modules takes 25 ms on amd64, four times that on a
    small board, and comes when it likes: with an emergency, too. Frozen, they are passed over. What loading left free
    goes back to the system: 0.5 MB (glibc only).
    """
    gc.collect()
    gc.freeze()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
