"""Decide how much work a packet may be for whoever reads it: messages come without properties, and one packet a turn.

The library unpacks properties in a time that grows with their square. A packet of 64 KiB of them, which every broker
passes on from whoever publishes, kept its thread busy for two seconds of a PC, and it reads as many packets in one turn
as messages of ours are under way: nobody sees to anything else meanwhile. Nothing here means anything by the properties
of a message (protocol 2.3).
"""

from __future__ import annotations

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode

from edge_agent.sync.guard import LENGTH_BYTES_MAX, PUBLISH

QOS = 0x06
# In a PUBLISH packet's first byte: who asks for an acknowledgement has an id behind the topic.
NO_PROPERTIES = b"\0"


class BareClient(Client):
    """The library's client for whom a message is its topic and its payload."""

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:  # noqa: ARG002 -- the library does not heed it either
        """One packet; what else has come is read in the next turn, which does not wait for more."""
        if self._sock is None:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        outcome = self._packet_read()
        return self._loop_rc_handle(outcome) if outcome > 0 else MQTTErrorCode.MQTT_ERR_SUCCESS

    def _packet_handle(self) -> MQTTErrorCode:
        command = self._in_packet["command"]
        if command & 0xF0 == PUBLISH:
            bare = without_properties(bytes(self._in_packet["packet"]), has_id=command & QOS != 0)
            if bare is None:
                return MQTTErrorCode.MQTT_ERR_PROTOCOL
            self._in_packet["packet"] = bytearray(bare)
        return super()._packet_handle()


def without_properties(body: bytes, *, has_id: bool) -> bytes | None:
    """A PUBLISH packet behind its length, with no properties; None where it ends before they do.

    MQTT 5, 3.3.2: the topic behind two bytes of length, two of an id if it ``has_id``, the properties behind up to four
    bytes of length, seven bits in each; the rest is the payload.
    """
    begins = 2 + int.from_bytes(body[:2]) + (2 if has_id else 0)
    length = 0
    for place in range(LENGTH_BYTES_MAX):
        at = begins + place
        if at >= len(body):
            return None
        length |= (body[at] & 0x7F) << (7 * place)
        if body[at] < 0x80:
            ends = at + 1 + length
            return body[:begins] + NO_PROPERTIES + body[ends:] if ends <= len(body) else None
    return None
