"""Decide what a TLS connection may cost: how long it may take, and how many bytes may come off the line.

The deadline holds for all of it: name (``resolving``), addresses, handshake, answer.

Counted is what the kernel hands over, not what TLS and HTTP make of it: whoever wants a SIM to pay pads records, sends
tickets, or says 60 kB beside each byte of an answer. Both are looked at after each piece (``tls_stream``).
"""

from __future__ import annotations

import fcntl
import math
import random
import socket
import ssl
import struct
import termios
import time
from collections.abc import Callable

from edge_agent.sync.resolving import addresses
from edge_agent.sync.tls_stream import TlsStream

WORDS_BYTES_MAX = 64 * 1_024
# Beside what was asked for, once before an answer's body and once more with it. http.client alone takes up to 6 MB of
# headers, and trailers and `100 Continue` without end.
TOO_LONG = f"more than {WORDS_BYTES_MAX} bytes before anything of use"
TOO_SLOW = "too slow: the time for this file is used up"
SEGMENT_BYTES_MAX = 1_220
# Either way, told the other side as we connect: with its heads what any way carries whole (1,280 bytes, RFC 8200). In a
# SIM's tunnels larger ones are lost, and so is the word that they were: a name, a connection, and never a handshake,
# whose first words are 1,500 bytes with OpenSSL 3.5. It costs half a percent more in heads.
ADDRESSES_MAX = 4
# Of one name. A server has one of each kind, or two; an answer may hold hundreds, of which each may be silent.
UNREAD_BYTES_MAX = 16 * 1_024
# What the kernel may take in for a reader who is late; Linux doubles it for its own books. Left alone it grows to
# tcp_rmem's 6 or 32 MB, of what nobody asked for and the SIM has paid. As much is on its way, and in a slow cell waits
# there in one line with all that the broker says. Measured at 20 kbit/s, an answer came after 57 s behind 128 KiB, so
# that no welcome was for the last hello, and no handshake in time; after 7 s behind 16, and 16 s behind two downloads.
# Each 60 ms, these are still 2 Mbit/s.

Meter = Callable[[int], str]
"""Told how many bytes more have come; answers "", or why that is too much."""


def up_to(bytes_max: int, why: str) -> Meter:
    """So many from now on, and not one more."""
    left = bytes_max

    def meter(count: int) -> str:
        nonlocal left
        left -= count
        return why if left < 0 else ""

    return meter


def both(one: Meter, other: Meter) -> Meter:
    """What is too much for either is too much."""

    def meter(count: int) -> str:
        said = (one(count), other(count))
        return said[0] or said[1]

    return meter


def counted(meter: Meter) -> Meter:
    """Told of the same, and finds nothing too much."""

    def tally(count: int) -> str:
        meter(count)
        return ""

    return tally


class Tally:
    """A ``Meter`` that finds nothing too much: how many ``bytes`` have come, over all the connections that have it."""

    def __init__(self) -> None:
        self.bytes = 0

    def __call__(self, count: int) -> str:
        self.bytes += count
        return ""


def up_to_a_head() -> Meter:
    """What may come before the body of an answer: the handshake, the head, and every head that announces another."""
    return up_to(WORDS_BYTES_MAX, TOO_LONG)


def with_words(bytes_max: int, answers: int = 1) -> int:
    """What may come with so many bytes of use, in so many answers.

    An eighth more: TLS in records of 1,400 bytes adds 2 %, chunks of 500 bytes 2 %.
    """
    return bytes_max + bytes_max // 8 + answers * WORDS_BYTES_MAX


def up_to_a_body(bytes_max: int) -> Meter:
    """What may come with a body of so many bytes."""
    most = with_words(bytes_max)
    return up_to(most, f"more than {most} bytes for a body of {bytes_max} at most")


def dial(
    host: str, port: int, context: ssl.SSLContext, stall_s: float, deadline: float, meter: Meter | None = None
) -> TimedSocket:
    """A connection to whoever ``context`` believes to be ``host``. Raises OSError, ValueError.

    ``meter`` is told of the handshake too, be it the last that is heard: whoever has no certificate costs as much.
    """
    plain = connected(host, port, stall_s, deadline)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.settimeout(min(stall_s, _left_s(deadline)))
        sock = TimedSocket(plain, context, host)
        sock.deadline, sock.meter = deadline, meter
        sock.do_handshake()
    except (OSError, ValueError):
        plain.close()
        raise
    return sock


def connected(host: str, port: int, stall_s: float, deadline: float) -> socket.socket:
    """The first address that answers, each within its share: one that is dead leaves time for the next. Raises OSError.

    The name, and each of its addresses, has ``stall_s`` at most. Which is the first, chance says: behind one that takes
    whoever comes there may be no TLS (a server that hangs, a way on which large packets are lost), each time anew.
    """
    found = addresses(host, min(stall_s, _left_s(deadline)))
    found = random.sample(found, min(len(found), ADDRESSES_MAX))
    trouble = OSError(f"no address of {host}")
    for left, address in zip(range(len(found), 0, -1), found, strict=True):
        within_s = min(stall_s, _left_s(deadline) / left)
        try:
            return _connected(address, port, within_s)
        except OSError as error:
            trouble = error
    raise trouble


def _connected(address: str, port: int, within_s: float) -> socket.socket:
    plain = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Both before it connects: the first window counts too.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES_MAX)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UNREAD_BYTES_MAX)
        plain.settimeout(within_s)
        plain.connect((address, port))
    except OSError:
        plain.close()
        raise
    return plain


def _left_s(deadline: float) -> float:
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError(TOO_SLOW)
    return left_s


class TimedSocket(TlsStream):
    """A TLS connection with a ``deadline`` (of ``time.monotonic``) and a ``meter`` for everything that it receives."""

    deadline = math.inf
    meter: Meter | None = None
    _unmetered = 0
    _settled = 0

    def _turn(self, bytes_max: int) -> bytes | None:
        _left_s(self.deadline)
        return super()._turn(bytes_max)

    def _wait(self, wanted: int, until: float) -> None:
        _left_s(self.deadline)
        try:
            super()._wait(wanted, min(until, self.deadline))
        except TimeoutError:
            _left_s(self.deadline)  # where that is over, it was no mere silence
            raise

    def _arrived(self, count: int) -> None:
        self._unmetered += count
        if self.meter is not None:
            unmetered, self._unmetered = self._unmetered, 0
            if why := self.meter(unmetered):
                raise OSError(why)
        super()._arrived(count)

    def _break_off(self) -> None:
        self.settle()
        super()._break_off()

    def settle(self) -> None:
        """Before it is closed: what has come and nobody has read was paid for too. It may be closed already."""
        if self.fileno() < 0 or self.meter is None:
            return
        unread = int(struct.unpack("=i", fcntl.ioctl(self.fileno(), termios.FIONREAD, bytes(4)))[0])
        self.meter(self._unmetered + unread - self._settled)
        self._unmetered, self._settled = 0, unread
