"""Decide when a handshake may use the element that holds our own key: one step at a time, and never while it waits."""

from __future__ import annotations

import select
import ssl
import time

from edge_agent.element import IN_USE
from edge_agent.sync.guard import GuardedSocket


class KeySilent(OSError):
    """The element that holds our certificate's key did not sign."""


class TurnTakingSocket(GuardedSocket):
    """One whose own key lies in an element: a step of its handshake waits for its turn there, never for the network."""

    def do_handshake(self, block: bool = False) -> None:
        """As ever, within the timeout in all. ``KeySilent``: it is our own key that fails."""
        assert not block  # what is asked for by a socket without a timeout, which ours has
        patience_s = self.gettimeout()
        end_s = None if patience_s is None else time.monotonic() + patience_s
        self.settimeout(0)
        try:
            while (wanted := self._step()) != 0:
                self._wait(wanted, end_s)
        finally:
            self.settimeout(patience_s)

    def _step(self) -> int:
        """What the handshake waits for (``select.poll``); 0 when it is done."""
        try:
            with IN_USE:
                super().do_handshake()
        except ssl.SSLWantReadError:
            return select.POLLIN
        except ssl.SSLWantWriteError:
            return select.POLLOUT
        except ssl.SSLError as error:
            # Whatever the other side says or does has a name; that our own signature failed has none.
            if type(error) is ssl.SSLError and error.reason is None:
                raise KeySilent(
                    "[broker] key_file: chip không ký / the element does not sign; is it there, and is it the one "
                    f"that the station was enrolled with? sudo edge-agent doctor ({error})"
                ) from error
            raise
        return 0

    def _wait(self, wanted: int, end_s: float | None) -> None:
        poll = select.poll()
        poll.register(self, wanted)
        left_ms = None if end_s is None else max(0.0, end_s - time.monotonic()) * 1_000
        if not poll.poll(left_ms):
            raise TimeoutError("the handshake timed out")
