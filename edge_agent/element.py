"""Let one thread at a time into a secure element's library (PKCS#11), and wait for no element longer than it may take.

Two ways lead into the same library: python-pkcs11, which initialises it without locks of its own, and OpenSSL, for the
key of our certificate (ADR 18). Two threads in it at once made signatures that were none, and broke the heap. A chip
that neither answers nor fails holds whoever asked it for ever: a station that plays and warns must not be that one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, TypeVar

OPEN_S = 10
# To find a key, log in and try it: three commands of a slow TPM, at 1 s each, three times over. Systemd gives a start
# a minute, and both keys may have to be waited for.
SIGN_S = 2
# Twice what `doctor` lets pass. The core waits for it between two steps, and may stand still for 5 s.

T = TypeVar("T")


class ElementHangs(OSError):
    """It has not answered in its time. Its library holds whoever asked, so nobody gets in any more in this process."""

    def __init__(self, within_s: float) -> None:
        super().__init__(f"thiết bị ký số không trả lời / the element does not answer within {within_s:g} s")


class _Turn:
    """A lock that the same thread may take again; ``acquire`` raises ElementHangs where it is not to be had."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def acquire(self) -> None:
        if not self._lock.acquire(timeout=OPEN_S):
            raise ElementHangs(OPEN_S)

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


IN_USE = _Turn()
"""Held for one call into the library, or one step of a handshake; never while the network is waited for."""
_within = threading.local()
_left_behind: set[Future[Any]] = set()


def hangs() -> bool:
    """Whether somebody is left behind in the library, which then lets no process end in good order either."""
    return bool(_left_behind)


def answered(ask: Callable[[], T], within_s: float) -> T:
    """What ``ask`` comes to, or raises, in a thread that is left behind where the element hangs: ElementHangs then.

    Whoever holds ``IN_USE`` must not wait here. Asked within another ``ask``, the outer time counts.
    """
    if getattr(_within, "ours", False):
        return ask()
    came: Future[T] = Future()
    threading.Thread(target=_ask, args=(ask, came), name="element", daemon=True).start()
    if not wait([came], within_s).done:
        _left_behind.add(came)
        came.add_done_callback(_left_behind.discard)
        raise ElementHangs(within_s)
    return came.result()


def _ask(ask: Callable[[], T], came: Future[T]) -> None:
    _within.ours = True
    try:
        came.set_result(ask())
    except Exception as error:  # noqa: BLE001  whatever it is, it is the asker's
        came.set_exception(error)
