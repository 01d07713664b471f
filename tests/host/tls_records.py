"""A TLS 1.3 server that writes records of its own once it has shaken hands: such as its library would never write.

Whoever holds a server's key can; here the library says by which secrets it would have written.
"""

from __future__ import annotations

import hashlib
import hmac
import socket
import ssl
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HANDSHAKE, WORDS = 22, 23
# Kinds of content (RFC 8446, 5.1).
# Of each there may be any number; OpenSSL takes 32 empty ones in a row and no more.
CONTENT_BYTES_MAX = 16 * 1_024
TICKET = b"\4\0\0\x0e" + b"\0\0\x1c\x20" + b"\0\0\0\0" + b"\0" + b"\0\1t" + b"\0\0"
TICKETS = TICKET * (CONTENT_BYTES_MAX // len(TICKET))
# A NewSessionTicket, as short as can be, and as many of them as a record holds.


class Records:
    """The server's writing direction of ``sock``, from now on; ``keys`` is the ``keylog_filename`` of its context.

    Of the connections of that context it must be the last to have shaken hands, and nothing may be written yet, not
    even tickets.
    """

    def __init__(self, sock: ssl.SSLSocket, keys: Path) -> None:
        suite = (sock.cipher() or ("",))[0]
        assert "AES" in suite, suite
        self._sock = sock
        self._hash = "sha384" if "SHA384" in suite else "sha256"
        self._key_bytes = 32 if "AES_256" in suite else 16
        lines = [line.split() for line in keys.read_text().splitlines() if not line.startswith("#")]
        self._secret = [bytes.fromhex(secret) for what, _, secret in lines if what == "SERVER_TRAFFIC_SECRET_0"][-1]
        self._begin()

    def record(self, kind: int, content: bytes) -> bytes:
        """One of that kind, whatever it says."""
        inner = content + bytes([kind])
        head = b"\x17\x03\x03" + (len(inner) + 16).to_bytes(2, "big")
        nonce = (self._mask ^ self._number).to_bytes(12, "big")
        self._number += 1
        return head + self._cipher.encrypt(nonce, inner, head)

    def words(self, content: bytes) -> bytes:
        """A record that is read as it stands."""
        return self.record(WORDS, content)

    def tickets(self) -> bytes:
        """A record of nothing but session tickets, as long as can be."""
        return self.record(HANDSHAKE, TICKETS)

    def ticket_in_two(self) -> tuple[bytes, bytes]:
        """One ticket that begins in a record and ends in the next."""
        return self.record(HANDSHAKE, TICKET[:9]), self.record(HANDSHAKE, TICKET[9:])

    def key_updates(self, count: int = 600, *, asking: bool = False) -> bytes:
        """So many records of 27 bytes that begin new keys; ``asking`` for as many answers."""
        return b"".join(self._key_update(asking) for _ in range(count))

    def write(self, data: bytes) -> None:
        """To the line, below TLS."""
        socket.socket.sendall(self._sock, data)

    def let_go(self) -> None:
        """Take whatever comes, unread, until the other side hangs up."""
        with suppress(OSError):
            while socket.socket.recv(self._sock, 64 * 1_024):
                pass

    def _key_update(self, asking: bool) -> bytes:
        record = self.record(HANDSHAKE, b"\x18\0\0\1" + bytes([asking]))
        self._secret = self._expanded(b"traffic upd", hashlib.new(self._hash).digest_size)
        self._begin()
        return record

    def _begin(self) -> None:
        self._cipher = AESGCM(self._expanded(b"key", self._key_bytes))
        self._mask = int.from_bytes(self._expanded(b"iv", 12), "big")
        self._number = 0

    def _expanded(self, label: bytes, count: int) -> bytes:
        """HKDF-Expand-Label (RFC 8446, 7.1); nothing here is longer than one hash."""
        full = b"tls13 " + label
        info = count.to_bytes(2, "big") + bytes([len(full)]) + full + b"\0"
        return hmac.new(self._secret, info + b"\1", self._hash).digest()[:count]
