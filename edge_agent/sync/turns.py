"""Decide when a handshake may use the element that holds our own key: one step at a time, and never while it waits."""

from __future__ import annotations

import ssl

from edge_agent.element import IN_USE
from edge_agent.sync.guard import GuardedSocket

WORDLESS = "unknown error"
# What Python makes of an alert by a number that no table has. Anybody on the way may send one, without a certificate.


class KeySilent(OSError):
    """The element that holds our certificate's key did not sign."""


class TurnTakingSocket(GuardedSocket):
    """One whose own key lies in an element: a step of its handshake waits for its turn there, never for the network.

    ``do_handshake`` raises ``KeySilent`` too: it is our own key that fails.
    """

    def _step(self) -> bool:
        try:
            with IN_USE:
                return super()._step()
        except ssl.SSLError as error:
            # Whatever else the other side says or does has a name; that our own signature failed has only words.
            if type(error) is ssl.SSLError and WORDLESS not in str(error) and error.reason is None:
                raise KeySilent(
                    "[broker] key_file: chip không ký / the element does not sign; is it there, and is it the one "
                    f"that the station was enrolled with? sudo edge-agent doctor ({error})"
                ) from error
            raise
