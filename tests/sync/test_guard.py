"""What a broker may send at all, whatever portions it comes in."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.sync.guard import PacketGuard, PacketRefused
from edge_agent.sync.limits import ANSWER_BYTES_MAX, PACKET_BYTES_MAX
from tests.host.hostile_broker import packet, publish, var_int

CONNACKS = [packet(0x20, b"\0\0\0"), packet(0x20, bytes(ANSWER_BYTES_MAX))]
"""One of them, and before any other answer."""
AGREED = [
    packet(0x90, b"\0\1\0\1\1"),
    packet(0xD0, b""),
    packet(0x40, b"\0\7"),
    publish("loa/1/d/st-a/job", b"order", 1),
    publish("loa/1/d/st-a/job", b"x" * 300, 2, qos=0),
    packet(0x3A, b"\0\1t\0\1\0" + bytes(PACKET_BYTES_MAX - 6)),
]


def portions(data: bytes, sizes: list[int]) -> list[bytes]:
    cuts = [0]
    for size in sizes:
        cuts.append(min(len(data), cuts[-1] + size))
    cuts.append(len(data))
    return [data[a:b] for a, b in pairwise(cuts)]


def feed(guard: PacketGuard, stream: list[bytes]) -> None:
    for portion in stream:
        guard.feed(portion)


@given(
    st.sampled_from([b"", *CONNACKS]),
    st.lists(st.sampled_from(AGREED), max_size=6),
    st.lists(st.integers(0, 40), max_size=30),
)
def test_agreed_packets_pass_in_any_portions(first: bytes, packets: list[bytes], sizes: list[int]) -> None:
    feed(PacketGuard(), portions(first + b"".join(packets), sizes))


@pytest.mark.parametrize(
    "forbidden",
    [
        pytest.param(b"\x30" + var_int(PACKET_BYTES_MAX + 1), id="one byte over the cap"),
        pytest.param(b"\x30" + var_int(268_435_455), id="the largest length there is"),
        pytest.param(b"\x30\xff\xff\xff\xff", id="a length that does not end"),
        pytest.param(b"\x30\x80\x80\x80\x80\x80", id="a length of nothing that does not end"),
        pytest.param(b"\x20" + var_int(ANSWER_BYTES_MAX + 1), id="a CONNACK that is long to read"),
        pytest.param(b"\x90" + var_int(ANSWER_BYTES_MAX + 1), id="a SUBACK that is long to read"),
        pytest.param(b"\xe0" + var_int(PACKET_BYTES_MAX), id="a DISCONNECT that is long to read"),
        pytest.param(publish("t", b"", 1, qos=2), id="QoS 2"),
        pytest.param(b"\x36", id="QoS 3"),
        pytest.param(b"\x00", id="type 0"),
        pytest.param(CONNACKS[0] + b"\x20", id="a second CONNACK"),
    ],
)
@given(before=st.lists(st.sampled_from(AGREED), max_size=3), sizes=st.lists(st.integers(0, 40), max_size=10))
def test_anything_else_is_refused_wherever_it_stands(forbidden: bytes, before: list[bytes], sizes: list[int]) -> None:
    with pytest.raises(PacketRefused):
        feed(PacketGuard(), portions(b"".join(before) + forbidden, sizes))
