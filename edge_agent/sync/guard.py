"""Decide which MQTT packets of a broker come in at all, byte by byte, before the MQTT library buffers them.

It also counts the broker's answers, which the library hides: they are the only proof that it still listens to us.

The library takes whatever length a packet announces (256 MB are legal), keeps QoS 2 messages for ever, and unpacks what
an answer may bring along in a time that grows with its square; a hostile broker must have neither the station's memory
nor its time. A session that asked for QoS 1 and 64 KiB gets nothing else from an honest
one.
"""

from __future__ import annotations

import ssl
from typing import NoReturn

from edge_agent.sync.limits import ANSWER_BYTES_MAX, PACKET_BYTES_MAX
from edge_agent.sync.tls_stream import TlsRefused, TlsStream

PUBLISH = 0x30
QOS_2_OR_MORE = 0x04
# In a PUBLISH packet's first byte: bits 1 and 2 hold the QoS, so bit 2 means 2, or the forbidden 3.
ANSWERS = frozenset({0x20, 0x40, 0x90, 0xB0, 0xD0})
# CONNACK, PUBACK, SUBACK, UNSUBACK, PINGRESP: each answers a packet of ours, so it ends a round trip.
CONNACK = 0x20
# Comes once, before any other answer. The library subscribes anew at each: 200 bytes of SIM for five of the broker's.
COMES = ANSWERS | {PUBLISH, 0xE0}
# What a broker may send to a session without QoS 2: those, messages, DISCONNECT. The library answers PINGREQ and PUBREC
# as often as they come, and keeps its answers for as long as nobody takes them.
LENGTH_BYTES_MAX = 4


class PacketRefused(OSError):
    """The broker sent what we did not agree to; the connection is over. An OSError, as any other broken connection."""


class PacketGuard:
    """Follows the packets in a byte stream. ``feed`` takes the bytes in any portions and raises PacketRefused.

    ``refused`` says why afterwards, and ``alert`` what TLS said, because the library swallows what exceptions tell.
    ``answers`` counts up.
    """

    def __init__(self) -> None:
        self.refused = ""
        self.answers = 0
        self.alert: ssl.SSLError | None = None
        self._command = 0
        self._length = 0
        self._length_bytes = 0
        self._body_left = 0

    def feed(self, data: bytes) -> None:
        """Follow the next bytes of the stream."""
        at = 0
        while at < len(data):
            if self._body_left:
                step = min(self._body_left, len(data) - at)
                self._body_left -= step
                at += step
            else:
                self._head(data[at])
                at += 1

    def _head(self, byte: int) -> None:
        if self._command == 0:
            self._begin(byte)
            return
        self._length |= (byte & 0x7F) << (7 * self._length_bytes)
        self._length_bytes += 1
        most = PACKET_BYTES_MAX if self._command & 0xF0 == PUBLISH else ANSWER_BYTES_MAX
        if self._length_bytes > LENGTH_BYTES_MAX or self._length > most:
            self._refuse(f"packet of {self._length} bytes or more")
        if byte < 0x80:
            self.answers += self._command & 0xF0 in ANSWERS
            self._body_left = self._length
            self._command = 0

    def _begin(self, byte: int) -> None:
        if byte & 0xF0 not in COMES:
            self._refuse(f"packet of type {byte >> 4}")
        if byte & 0xF0 == CONNACK and self.answers:
            self._refuse("second CONNACK")
        if byte & 0xF0 == PUBLISH and byte & QOS_2_OR_MORE:
            self._refuse("message with QoS 2")
        self._command, self._length, self._length_bytes = byte, 0, 0

    def _refuse(self, why: str) -> NoReturn:
        self.refused = f"broker sent a {why}"
        raise PacketRefused(self.refused)


class GuardedSocket(TlsStream):
    """A TLS connection whose incoming bytes pass the guard first."""

    guard: PacketGuard | None = None

    def recv(self, bytes_max: int = 1_024) -> bytes:
        try:
            data = super().recv(bytes_max)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except TlsRefused as error:
            if self.guard is not None:
                self.guard.refused = str(error)
            raise
        except ssl.SSLError as error:
            # A broker that will not have our certificate says so here, after the handshake.
            if self.guard is not None:
                self.guard.alert = error
            raise
        if self.guard is not None:
            self.guard.feed(data)
        return data
