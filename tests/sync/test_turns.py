"""A handshake that takes turns at the element keeps nobody from it while the network makes it wait, and ends in time.

How it goes with an element is in ``tests/identity/test_tls_token.py``.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edge_agent.element import IN_USE
from edge_agent.sync.turns import TurnTakingSocket

LONG_S = 60
# Nothing here takes as long, unless somebody holds what he must not.


@contextmanager
def silent_peer() -> Iterator[tuple[TurnTakingSocket, socket.socket]]:
    """A connection to somebody who says nothing."""
    context = ssl.create_default_context()
    theirs, ours = socket.socketpair()
    with theirs, TurnTakingSocket(ours, context, "localhost") as tls:
        yield tls, theirs


def test_while_the_other_side_is_silent_the_element_is_free_for_others() -> None:
    ended: list[Exception] = []

    def shake_hands(tls: TurnTakingSocket) -> None:
        try:
            tls.do_handshake()
        except OSError as error:
            ended.append(error)

    with silent_peer() as (tls, theirs):
        tls.settimeout(LONG_S * 2)
        waiting = threading.Thread(target=shake_hands, args=(tls,))
        waiting.start()
        assert theirs.recv(1) != b""  # it has begun
        with IN_USE:  # raises where it is not free
            pass
        theirs.shutdown(socket.SHUT_RDWR)
        waiting.join(LONG_S)
    assert len(ended) == 1


def test_a_side_that_stays_silent_is_given_up_in_time_and_the_timeout_stays_for_what_follows() -> None:
    with silent_peer() as (tls, _theirs):
        tls.settimeout(0.05)
        with pytest.raises(TimeoutError):
            tls.do_handshake()
        assert tls.gettimeout() == 0.05


@pytest.mark.parametrize("number", [1, 99, 255])
def test_an_alert_that_nobody_knows_is_not_told_as_an_element_that_does_not_sign(number: int) -> None:
    """Else somebody on the way has a good element exchanged."""
    with silent_peer() as (tls, theirs):
        theirs.sendall(b"\x15\x03\x03\0\2\2" + bytes([number]))
        tls.settimeout(LONG_S)
        with pytest.raises(ssl.SSLError):
            tls.do_handshake()
