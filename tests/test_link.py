"""The line between the two processes: what may be said, who may say it, and what a broken line looks like."""

from __future__ import annotations

import json
import os
import pwd
import queue
import select
import socket
import string
from pathlib import Path
from types import SimpleNamespace, UnionType
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.audio.clip import ClipMissing, Shelf
from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay, SwitchRelay
from edge_agent.core.events import (
    DeviceDown,
    DeviceUp,
    Event,
    PlayEnded,
    PlayProgress,
    PlayStarted,
    RelayChanged,
    RelayFailed,
    ZoneHeard,
    ZonesLost,
)
from edge_agent.core.programme import Gap, Pause, Sound, ZoneFeed
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Group
from edge_agent.core.turns import staggered
from edge_agent.core.units import ClipKey, MonoMs, PlayId, ZoneId
from edge_agent.link.client import DeviceClient
from edge_agent.link.messages import (
    PACKET_BYTES_MAX,
    LinkError,
    Renew,
    ToCore,
    ToDevice,
    decode_to_core,
    decode_to_device,
    encode,
)
from edge_agent.link.server import DeviceServer, LinkLost, agent_uids

PATIENCE_S = 30
# Only so that a broken test ends; nothing is measured by it.

A, B = ZoneId("a"), ZoneId("b")
TO_DEVICE: list[ToDevice] = [
    SwitchRelay(A, True, 60_000),
    SwitchRelay(B, False, 0),
    StartPlay(
        PlayId("p1"), (Sound(ClipKey("attention"), 5_000, 1_000), Pause(500)), (ZoneFeed(A, 55),), MonoMs(7), 3_000
    ),
    StartPlay(PlayId("p2"), (Pause(500),), (ZoneFeed(A, 55),), MonoMs(7), 0, (B,), True),
    StartPlay(PlayId("p3"), (Pause(1, Group.A), Gap(7), Sound(ClipKey("x"), 1, 0, Group.B)), (), MonoMs(7)),
    RoutePlay(PlayId("p3"), (ZoneFeed(A, 0), ZoneFeed(B, 100, Group.B))),
    RoutePlay(PlayId("p1"), (ZoneFeed(A, 0), ZoneFeed(B, 100))),
    StopPlay(PlayId("p1")),
    Renew(),
]
TO_CORE: list[ToCore] = [
    DeviceUp(),
    RelayChanged(A, True, "order", MonoMs(5)),
    RelayFailed(B, "rơ-le không đóng"),
    PlayStarted(PlayId("p1"), MonoMs(5)),
    PlayProgress(PlayId("p1"), {A: 1_000, B: 0}, 2),
    ZonesLost(PlayId("p1"), (A, B), Reason.DEVICE_FAILED),
    ZoneHeard(A, False, -58),
    PlayEnded(PlayId("p1"), {A: 5}, 240, 0, MonoMs(9), None),
    PlayEnded(PlayId("p1"), {}, 0, 0, MonoMs(9), Reason.DEVICE_FAILED),
]


# -- messages ---------------------------------------------------------------------------------------------------------


def test_every_message_there_is_survives_the_line() -> None:
    assert [decode_to_device(encode(message)) for message in TO_DEVICE] == TO_DEVICE
    assert [decode_to_core(encode(message)) for message in TO_CORE] == TO_CORE


@pytest.mark.parametrize(("union", "samples"), [(ToDevice, TO_DEVICE), (ToCore, TO_CORE)])
def test_the_samples_above_name_every_kind_of_message(union: UnionType, samples: list[object]) -> None:
    assert {type(sample) for sample in samples} == set(get_args(union))


def test_the_longest_programme_that_an_order_can_name_fits_into_one_packet() -> None:
    # 20 items, the station's own words before and after them, and the signal.
    once = [part for _ in range(23) for part in (Pause(300), Sound(ClipKey("f" * 64), 7_200_000, 7_200_000))]
    feeds = tuple(ZoneFeed(ZoneId(f"{n:064}"), 100) for n in range(64))
    play = StartPlay(PlayId("p" * 128), staggered(tuple(once * 20), 10_000), feeds, MonoMs(2**53 - 1), 3_000)
    packet = encode(play)
    assert decode_to_device(packet) == play
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with here, there:
        here.setblocking(False)  # as long as the buffer takes it, whoever reads or not
        here.send(packet)
        assert there.recv(PACKET_BYTES_MAX) == packet


def test_every_key_that_is_let_in_is_one_that_the_shelf_takes(tmp_path: Path) -> None:
    """Where it took offence, the thread that reads would end, and the device process with it."""
    for key in ("a" * 64, "attention", "-"):
        order = decode_to_device(encode(StartPlay(PlayId("p"), (Sound(ClipKey(key), 1),), (), MonoMs(0))))
        assert isinstance(order, StartPlay)
        (part,) = order.parts
        assert isinstance(part, Sound)
        with pytest.raises(ClipMissing):
            Shelf(tmp_path).open(part.key)


def test_a_message_too_long_for_a_packet_is_not_sent_in_part() -> None:
    with pytest.raises(LinkError, match="packet holds"):
        encode(RelayFailed(A, "x" * PACKET_BYTES_MAX))


def test_an_error_text_that_is_no_utf8_does_not_break_the_line() -> None:
    failed = decode_to_core(encode(RelayFailed(A, "no \udcff file")))
    assert failed == RelayFailed(A, "no ? file")


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b'"Renew"',
        b'["Reboot"]',
        b'[["Renew"]]',
        b'["Renew",1]',
        b'{"Renew":[]}',
        b'["DeviceUp"]',  # the other direction
        b'["StopPlay"]',
        b'["StopPlay",7]',
        b'["StopPlay",null]',
        b'["StopPlay","\\ud800"]',
        b'["SwitchRelay","a",1,1000]',  # 1 is not true
        b'["SwitchRelay","a",true,1000.0]',
        b'["SwitchRelay","a",true,true]',
        b'["SwitchRelay","a",true,0]',  # closed for no time at all
        b'["SwitchRelay","a",true,-1]',
        b'["SwitchRelay","a",false,-1]',
        b'["SwitchRelay","a",true,9007199254740992]',
        b'["StartPlay","p",[],[],-9007199254740992,0,[],false]',
        b'["SwitchRelay","a",true,NaN]',
        b'["SwitchRelay","a",true,1000,"and more"]',
        b'["RoutePlay","p",[["ZoneFeed","a",101,"a"]]]',
        b'["RoutePlay","p",[["ZoneFeed","a",-1,"a"]]]',
        b'["RoutePlay","p",[["Sound","a",1,0,null]]]',
        b'["RoutePlay","p",[["ZoneFeed","a",1]]]',  # does not say in whose turn
        b'["RoutePlay","p",[["ZoneFeed","a",1,"c"]]]',
        b'["RoutePlay","p",[["ZoneFeed","a",1,null]]]',
        b'["StartPlay","p",[["Gap",-1]],[],0,0,[],false]',
        b'["StartPlay","p",[["Sound","x",1,0,"c"]],[],0,0,[],false]',
        b'["RoutePlay","p","all"]',
        b'["StartPlay","p",[["Pause",-1,null]],[],0,0,[],false]',
        b'["StartPlay","p",[["Sound","x",-1,0,null]],[],0,0,[],false]',
        b'["StartPlay","p",[["Sound","x",1,null,null]],[],0,0,[],false]',
        b'["StartPlay","p",[["Sound","x",1,-1,null]],[],0,0,[],false]',
        b'["StartPlay","p",[["Sound","x",1,10800001,null]],[],0,0,[],false]',
        b'["StartPlay","p",[["Sound","x",1,null]],[],0,0,[],false]',  # does not say where it begins
        b'["StartPlay","p",[],[],0]',  # does not say how it rises
        b'["StartPlay","p",[],[],0,-1,[],false]',
        b'["StartPlay","p",[],[],0,3001,[],false]',
        b'["StartPlay","p",[["Sound","../x",1,0,null]],[],0,0,[],false]',  # would name a file
        b'["StartPlay","p",[["Live","x",-1,null]],[],0,0,[],false]',
        b'["StartPlay","p",[["Live","../x",1,null]],[],0,0,[],false]',
        b'["StartPlay","p",[["Live","x",1,"../x"]],[],0,0,[],false]',
        b'["SwitchRelay","a\\nERROR relay zone=b",true,1000]',  # would begin a line of the log
        b'["SwitchRelay","a error=none",true,1000]',  # would say something else in a line of the log
        b'["SwitchRelay","' + b"z" * (PACKET_BYTES_MAX - 25) + b'",true,1]',  # its answer would fit no packet
        b'["StartPlay","' + b"p" * 1_000 + b'",[],[],0,0,[],false]',
        b"[" * 60_000,
        b'["StopPlay","' + b"p" * PACKET_BYTES_MAX + b'"]',
        b'["SwitchRelay","a",true,' + b"9" * 5_000 + b"]",
    ],
)
def test_whatever_is_not_exactly_an_order_is_refused(packet: bytes) -> None:
    with pytest.raises(LinkError):
        decode_to_device(packet)


@pytest.mark.parametrize(
    "packet",
    [
        b'["PlayProgress","p",{"a":1,"a":2},0]',
        b'["PlayProgress","p",[["a",1]],0]',
        b'["PlayProgress","p",{"a":true},0]',
        b'["PlayEnded","p",{},0,0,0,"because"]',
        b'["PlayEnded","p",{},0,0,0,5]',
        b'["ZoneHeard","a",true,1]',  # louder than all there is
        b'["Renew"]',  # the other direction
    ],
)
def test_whatever_is_not_exactly_a_report_is_refused(packet: bytes) -> None:
    with pytest.raises(LinkError):
        decode_to_core(packet)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["Sound", "Pause", "ZoneFeed"]),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
NAMES = st.sampled_from([kind.__name__ for kind in (*get_args(ToDevice), *get_args(ToCore))])


def _read_or_refused(packet: bytes) -> None:
    for decode, union in ((decode_to_device, ToDevice), (decode_to_core, ToCore)):
        try:
            message = decode(packet)
        except LinkError:
            continue
        assert type(message) in get_args(union)
        assert decode(encode(message)) == message


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_link_error(packet: bytes) -> None:
    _read_or_refused(packet)


@given(NAMES, st.lists(JSON, max_size=7))
def test_any_fields_are_a_message_or_a_link_error(name: str, values: list[object]) -> None:
    _read_or_refused(json.dumps([name, *values]).encode())


@given(st.sampled_from(TO_DEVICE + TO_CORE), st.data())
def test_a_message_with_a_damaged_byte_is_a_message_or_a_link_error(
    message: ToDevice | ToCore, data: st.DataObject
) -> None:
    packet = bytearray(encode(message))
    packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.sampled_from(string.printable.encode()))
    _read_or_refused(bytes(packet))


# -- the two ends -----------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "io.sock"


@pytest.fixture
def server(path: Path):
    server = DeviceServer(path, agent_uids())
    yield server
    server.close()


def _knock(path: Path) -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    line.settimeout(PATIENCE_S)
    line.connect(os.fspath(path))
    return line


def test_only_the_owner_and_the_group_can_open_the_socket(server: DeviceServer, path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o660


def test_an_order_crosses_and_its_report_comes_back(server: DeviceServer, path: Path) -> None:
    with _knock(path) as agent:
        assert server.accept() is None
        agent.send(encode(TO_DEVICE[0]))
        assert server.receive() == TO_DEVICE[0]
        assert server.receive() is None
        server.send(TO_CORE[1])
        assert decode_to_core(agent.recv(PACKET_BYTES_MAX)) == TO_CORE[1]


def test_a_stranger_may_not_command_relays(path: Path) -> None:
    server = DeviceServer(path, frozenset({os.geteuid() + 1}))
    with _knock(path) as stranger:
        assert server.accept() == f"uid {os.geteuid()} may not command relays"
        assert server.client is None
        assert stranger.recv(1) == b""
    server.close()


@pytest.mark.parametrize("installed", [True, False])
def test_who_may_command_relays_is_this_user_and_the_agents_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    """Not root either, where the device process is none: whoever sounds the horns is one of two accounts."""
    agent = SimpleNamespace(pw_uid=991)
    known = {"edge-agent": agent} if installed else {}
    monkeypatch.setattr(pwd, "getpwnam", known.__getitem__)
    monkeypatch.setattr(os, "geteuid", lambda: 990)
    assert agent_uids() == ({990, 991} if installed else {990})


def test_a_second_agent_is_turned_away_and_the_first_stays(server: DeviceServer, path: Path) -> None:
    with _knock(path) as first, _knock(path) as second:
        assert server.accept() is None
        assert server.accept() == "another agent is connected"
        assert second.recv(1) == b""
        first.send(encode(Renew()))
        assert server.receive() == Renew()


def test_the_agent_hanging_up_is_a_lost_line(server: DeviceServer, path: Path) -> None:
    agent = _knock(path)
    server.accept()
    agent.close()
    with pytest.raises(LinkLost, match="hung up"):
        server.receive()


def test_an_agent_that_speaks_nonsense_is_a_lost_line(server: DeviceServer, path: Path) -> None:
    with _knock(path) as agent:
        server.accept()
        agent.send(b'["SwitchRelay","a",1,1000]')
        with pytest.raises(LinkLost, match="SwitchRelay"):
            server.receive()


def test_a_packet_cut_by_the_buffer_is_a_lost_line(server: DeviceServer, path: Path) -> None:
    with _knock(path) as agent:
        server.accept()
        agent.send(encode(Renew()) + b" " * PACKET_BYTES_MAX)
        with pytest.raises(LinkLost, match="packet holds"):
            server.receive()


def test_an_agent_that_does_not_read_is_a_lost_line_and_not_a_wait(server: DeviceServer, path: Path) -> None:
    with _knock(path):
        server.accept()
        with pytest.raises(LinkLost):
            _report_for_ever(server)


def _report_for_ever(server: DeviceServer) -> None:
    while True:
        server.send(RelayFailed(A, "x" * 1_000))


def test_a_socket_left_by_a_killed_process_is_replaced(path: Path) -> None:
    left = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    left.bind(os.fspath(path))
    left.close()
    server = DeviceServer(path, agent_uids())
    with _knock(path):
        assert server.accept() is None
    server.close()


def test_a_second_device_process_does_not_take_the_socket_over(server: DeviceServer, path: Path) -> None:
    with pytest.raises(LinkError, match="in use"):
        DeviceServer(path, agent_uids())
    with _knock(path):
        pass


def test_a_path_that_cannot_be_bound_is_named(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="nowhere"):
        DeviceServer(tmp_path / "nowhere" / "io.sock", agent_uids())


class Agent:
    """A client with a memory of what it posted."""

    def __init__(self, path: Path) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self.client = DeviceClient(path, self.events.put)
        self.client.start()

    def next(self) -> Event:
        return self.events.get(timeout=PATIENCE_S)


@pytest.fixture
def agent(path: Path):
    agent = Agent(path)
    yield agent
    agent.client.stop()


def _admit(server: DeviceServer) -> None:
    server.listener.settimeout(PATIENCE_S)
    assert server.accept() is None
    server.send(DeviceUp())
    assert server.client is not None
    server.client.settimeout(PATIENCE_S)


def test_the_agent_hears_of_the_device_then_its_reports_then_its_loss(server: DeviceServer, agent: Agent) -> None:
    _admit(server)
    server.send(TO_CORE[1])
    assert [agent.next(), agent.next()] == [DeviceUp(), TO_CORE[1]]
    server.drop()
    assert agent.next() == DeviceDown("the device process hung up")


def test_the_agent_finds_a_restarted_device_process(path: Path) -> None:
    first = DeviceServer(path, agent_uids())
    agent = Agent(path)
    _admit(first)
    assert agent.next() == DeviceUp()
    first.close()
    assert isinstance(agent.next(), DeviceDown)
    assert not agent.client.renew()
    second = DeviceServer(path, agent_uids())
    _admit(second)
    assert agent.next() == DeviceUp()
    assert agent.client.renew()
    assert second.receive() == Renew()
    agent.client.stop()
    second.close()


def test_an_order_without_a_device_process_is_not_kept_for_later(path: Path, agent: Agent) -> None:
    assert not agent.client.send(TO_DEVICE[0])
    server = DeviceServer(path, agent_uids())
    _admit(server)
    assert agent.next() == DeviceUp()
    agent.client.renew()
    assert server.receive() == Renew()
    server.close()


def test_a_device_process_that_begins_with_a_report_is_not_believed(
    server: DeviceServer, path: Path, agent: Agent
) -> None:
    server.listener.settimeout(PATIENCE_S)
    assert server.accept() is None
    server.send(TO_CORE[1])
    assert server.client is not None
    server.client.settimeout(PATIENCE_S)
    with pytest.raises(LinkLost):
        server.receive()
    server.drop()
    _admit(server)
    assert agent.next() == DeviceUp()


def test_a_device_process_that_comes_to_speak_nonsense_is_told_as_lost(server: DeviceServer, agent: Agent) -> None:
    """Hung up on and not told of, it would be waited for by a core that takes it to be there."""
    _admit(server)
    assert agent.next() == DeviceUp()
    assert server.client is not None
    server.client.send(b'["Renew"]')
    assert isinstance(agent.next(), DeviceDown)


def test_a_device_process_that_says_nothing_is_left_and_knocked_at_again(
    server: DeviceServer, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    monkeypatch.setattr("edge_agent.link.client.ANSWER_S", 0.1)
    agent = Agent(path)
    server.listener.settimeout(PATIENCE_S)
    assert server.accept() is None
    assert server.client is not None
    server.client.settimeout(PATIENCE_S)
    with pytest.raises(LinkLost, match="hung up"):
        server.receive()
    server.drop()
    agent.client.stop()


def test_a_device_process_that_stopped_reading_costs_a_line_and_no_wait(server: DeviceServer, agent: Agent) -> None:
    _admit(server)
    assert agent.next() == DeviceUp()
    while agent.client.send(StopPlay(PlayId("p" * 1_000))):
        pass
    assert isinstance(agent.next(), DeviceDown)


def test_the_longest_programmes_of_eight_zones_at_once_break_no_line(server: DeviceServer, agent: Agent) -> None:
    """One key may order them for one moment. They are written faster than they are read, and a line that breaks opens
    the relay of an emergency too."""
    _admit(server)
    assert agent.next() == DeviceUp()
    parts = tuple(part for _ in range(23 * 20) for part in (Pause(300), Sound(ClipKey("f" * 64), 7_200_000)))
    for zone in range(8):
        feeds = (ZoneFeed(ZoneId(f"c{zone}"), 100),)
        assert agent.client.send(StartPlay(PlayId(f"p{zone}"), parts, feeds, MonoMs(7)))


def test_the_client_never_renews_by_itself(server: DeviceServer, agent: Agent) -> None:
    _admit(server)
    assert agent.next() == DeviceUp()
    assert server.client is not None
    readable, _, _ = select.select([server.client], [], [], 1.5)  # a renewal and a half
    assert readable == []


def test_stopping_hangs_up_and_ends_the_thread(server: DeviceServer, path: Path) -> None:
    agent = Agent(path)
    _admit(server)
    assert agent.next() == DeviceUp()
    agent.client.stop()
    with pytest.raises(LinkLost, match="hung up"):
        server.receive()
    assert not agent.client._thread.is_alive()
