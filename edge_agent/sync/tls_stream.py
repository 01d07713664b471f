"""Decide how much a TLS server may say without a word of use, and that nothing it sends keeps us from our own turns.

OpenSSL, given a socket, stays in one read for as long as records come that hold nothing for us (KeyUpdates, tickets,
empty ones): neither a timeout nor a deadline, a meter or a watchdog is looked at meanwhile. So it is given none. A
piece at a time is taken off the line and handed to it in memory, and between two pieces whoever waits looks at the
clock. The checks of the other side's certificate are the context's own, as ever.
"""

from __future__ import annotations

import contextlib
import io
import math
import select
import socket
import ssl
import time
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

PIECE_BYTES = 16 * 1_024
# A record's content at most (RFC 8446, 5.1). At worst it is 600 KeyUpdates that each ask for another, and takes 10 ms
# of a PC's core (measured); the network's turn has 2 s.
BARE_BYTES_MAX = 64 * 1_024
# Without a word of use: in the handshake, and again after it. An honest one is 2 kB with our own authority, and 10 kB
# with a chain of RSA; two tickets with our certificate in them are 5 kB, and a record that is on its way 17 kB.
BESIDE_BYTES = 1_024
# That come with each record of use and count for nothing: 22 are its own, and whoever pads it (RFC 8446, 5.4) does so
# to 512 at most. What is left makes up for a KeyUpdate (27) now and then, in a session of years, pinged each minute.
UNTAKEN_BYTES_MAX = 64 * 1_024
# Of ours that the other side asks for and does not take. Our own words are one piece at most.
REST_S = 0.1
# At timeout 0, for the rest of a message of which TLS has half, before it writes again. The line is writable meanwhile:
# whoever selects would come back at once, 20,000 times a second, until the other side has been silent for too long.
BARE = f"TLS sends without end: more than {BARE_BYTES_MAX} bytes without a word of use"
UNTAKEN = f"TLS asks for answers and takes none: more than {UNTAKEN_BYTES_MAX} bytes of them wait"


class TlsRefused(OSError):
    """The other side's TLS says too much, or asks for too much. An OSError, as any other broken connection."""


class TlsStream:
    """A client's TLS over ``plain``, which is its own from now on; used as a socket is, by one thread.

    The timeout is ``plain``'s, and holds for the whole of a call. At 0 a call takes one piece off the line at most, and
    what would block raises SSLWantReadError or SSLWantWriteError (see REST_S); what was not sent is to be sent again.
    """

    def __init__(self, plain: socket.socket, context: ssl.SSLContext, host: str | None) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._timeout_s = plain.gettimeout()
        self._plain = plain
        self._bare = 0
        self._untaken = b""
        self._sending = 0
        self._readers = 0
        self._given_up = self._hung_up = False
        plain.setblocking(False)

    def do_handshake(self) -> None:
        """Within the timeout in all. Raises OSError; then it is closed."""
        until = self._until()
        try:
            while not self._step():
                self._wait(select.POLLIN if self._flush() else select.POLLIN | select.POLLOUT, until)
                self._pull()
            while not self._flush():
                self._wait(select.POLLOUT, until)
        except OSError:
            self._break_off()
            raise
        self._bare = 0

    def recv(self, bytes_max: int = 1_024) -> bytes:
        """What has come, as soon as there is any; empty at the end, whichever way it came."""
        until = self._until()
        while (came := self._turn(bytes_max)) is None:
            self._wait(select.POLLIN, until)
        return came

    def recv_into(self, buffer: Any) -> int:
        """The same, into ``buffer``."""
        view = memoryview(buffer).cast("B")
        came = self.recv(len(view))
        view[: len(came)] = came
        return len(came)

    def send(self, data: bytes | bytearray | memoryview) -> int:
        """Hand a piece of them to the kernel; how many that were."""
        until = self._until()
        # As in OpenSSL: a record once begun is ended before the next, so what it holds is asked for again.
        self._sending = self._sending or self._written(memoryview(data)[:PIECE_BYTES], until)
        while not self._flush():
            self._wait(select.POLLOUT, until)
        sent, self._sending = self._sending, 0
        return sent

    def sendall(self, data: bytes | bytearray | memoryview) -> None:
        """Hand all of them to the kernel, a piece within the timeout."""
        left = memoryview(data)
        while left:
            left = left[self.send(left) :]

    def pending(self) -> int:
        """Bytes that are here already, though the line may be silent: whoever selects must not wait for more."""
        return self.tls.pending() + self._incoming.pending

    def makefile(self, mode: str) -> BinaryIO:
        """What comes, as a file; the line is kept for it, whoever closes the stream before."""
        assert mode == "rb"
        self._readers += 1
        return cast(BinaryIO, io.BufferedReader(_Reader(self)))

    def fileno(self) -> int:
        return self._plain.fileno()

    def gettimeout(self) -> float | None:
        return self._timeout_s

    def settimeout(self, timeout_s: float | None) -> None:
        self._timeout_s = timeout_s

    def setblocking(self, flag: bool) -> None:
        self.settimeout(None if flag else 0.0)

    def setsockopt(self, level: int, name: int, value: int) -> None:
        self._plain.setsockopt(level, name, value)

    def hang_up(self) -> None:
        """From any thread: whoever reads is told of an end."""
        self._hung_up = True
        with contextlib.suppress(OSError):
            self._plain.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """As soon as nobody reads from its files. Nothing is said to the other side."""
        self._given_up = True
        self._close_unread()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _break_off(self) -> None:
        """There was no handshake."""
        with contextlib.suppress(OSError):
            self._flush()  # why we turned it away
        self.close()

    def _written(self, data: memoryview, until: float) -> int:
        """While it has half a message of the other side's, TLS writes nothing: it asks for the rest, or an end."""
        while True:
            try:
                return self.tls.write(data)
            except ssl.SSLWantReadError:
                if self._timeout_s == 0:
                    self._poll(select.POLLIN, REST_S)
                    raise
                self._wait(select.POLLIN, until)
                self._pull()

    def _turn(self, bytes_max: int) -> bytes | None:
        """One piece at most; None: there is nothing of use so far."""
        came = self._read(bytes_max)
        if came is None:
            self._pull()
            came = self._read(bytes_max)
        with contextlib.suppress(OSError):
            self._flush()  # what it was asked for; that nobody takes it is told by whoever sends
        if len(self._untaken) > UNTAKEN_BYTES_MAX:
            raise TlsRefused(UNTAKEN)
        return came

    def _read(self, bytes_max: int) -> bytes | None:
        begun = self.tls.pending() > 0
        try:
            came = self.tls.read(bytes_max)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLEOFError:
            return b""  # without a goodbye: what came is measured by whoever wanted it
        if came:
            self._bare = max(0, self._bare - len(came) - (0 if begun else BESIDE_BYTES))
        return came

    def _pull(self) -> None:
        """A piece off the line, if one is there."""
        try:
            piece = b"" if self._hung_up else self._plain.recv(PIECE_BYTES)
        except BlockingIOError:
            return
        if piece:
            self._incoming.write(piece)
            self._arrived(len(piece))
        else:
            self._incoming.write_eof()

    def _arrived(self, count: int) -> None:
        """So many bytes came off the line. Raises OSError where that is too much."""
        self._bare += count
        if self._bare > BARE_BYTES_MAX:
            raise TlsRefused(BARE)

    def _flush(self) -> bool:
        """Whether the kernel has all that TLS had to say."""
        self._untaken += self._outgoing.read()
        while self._untaken:
            try:
                sent = self._plain.send(self._untaken)
            except BlockingIOError:
                return False
            self._untaken = self._untaken[sent:]
        return True

    def _step(self) -> bool:
        """Whether the handshake is done, as far as it goes with what has come."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def _until(self) -> float:
        return math.inf if self._timeout_s is None else time.monotonic() + self._timeout_s

    def _wait(self, wanted: int, until: float) -> None:
        """For the line, but not beyond the timeout; the clock is looked at even where the line is never silent."""
        if self._timeout_s == 0:
            raise ssl.SSLWantReadError if wanted & select.POLLIN else ssl.SSLWantWriteError
        left_s = until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(f"nothing of use within {self._timeout_s:g} s")
        self._poll(wanted, left_s)

    def _poll(self, wanted: int, within_s: float) -> None:
        poll = select.poll()
        poll.register(self._plain, wanted)
        poll.poll(None if within_s == math.inf else math.ceil(within_s * 1_000))

    def _read_no_more(self) -> None:
        self._readers -= 1
        self._close_unread()

    def _close_unread(self) -> None:
        if self._given_up and self._readers == 0:
            self._plain.close()


class _Reader(io.RawIOBase):
    def __init__(self, stream: TlsStream) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._stream.recv_into(buffer)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._stream._read_no_more()
