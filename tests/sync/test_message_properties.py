"""Whatever a station has to say, its words arrive: strict JSON, within a packet, and read back as they were meant."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.effects import Verdict
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import Reason
from edge_agent.core.text import tidy
from edge_agent.core.trust_standing import TrustHead
from edge_agent.core.units import JobId, MonoMs, StationId, UtcMs, ZoneId
from edge_agent.sync import messages
from edge_agent.sync.messages import PAYLOAD_BYTES_MAX, TITLE_CHARS_MAX, Outgoing, Sender
from edge_agent.sync.reports import (
    AnswerMsg,
    HeartbeatMsg,
    HelloMsg,
    HostStatus,
    LogCursor,
    PlayStatus,
    StateMsg,
    Why,
    ZoneStatus,
)
from edge_agent.trust.envelope import Envelope, open_envelope, payload_type, sign
from edge_agent.trust.strict_json import INTEGER_MAX, dump, parse
from tests.trust.makers import signer
from tests.trust.strategies import areas, hashes, instants, names

foreign = st.text(st.characters(codec=None), max_size=120)
"""From the operating system or the configuration: anything, half letters included."""
whole = st.integers(0, INTEGER_MAX)
clocks = st.builds(Now, whole.map(MonoMs), instants, st.sampled_from(ClockSource), whole)
senders = st.builds(Sender, names, names.map(StationId), names, foreign)
cursors = st.builds(LogCursor, names, whole, hashes)
hosts = st.builds(
    HostStatus,
    st.none() | foreign,
    st.none() | foreign,
    st.none() | whole,
    st.none() | st.integers(-80, 150),
    st.none() | st.booleans(),
)
jobs = names.map(JobId)
zones = st.builds(
    ZoneStatus, names.map(ZoneId), foreign, st.none() | st.booleans(), st.none() | jobs, st.integers(0, 100)
)
plays = st.builds(
    PlayStatus,
    jobs,
    foreign,
    st.sampled_from(JobClass),
    st.sampled_from(Phase),
    instants,
    st.lists(names.map(ZoneId), max_size=4).map(tuple),
    st.none() | st.sampled_from(Reason),
)
states = st.builds(
    StateMsg,
    st.booleans(),
    st.sampled_from(Why),
    areas,
    foreign,
    clocks,
    st.lists(zones, max_size=4).map(tuple),
    st.lists(plays, max_size=3).map(tuple),
    st.lists(plays, max_size=3).map(tuple),
    whole,
    st.booleans(),
    st.booleans(),
    hosts,
)


def received(out: Outgoing, sender: Sender) -> dict[str, Any]:
    """What the centre reads, after the message went through an envelope as ``upstream`` makes them."""
    assert len(out.payload) <= PAYLOAD_BYTES_MAX
    envelope = open_envelope(sign(payload_type(out.kind.value), out.payload, [signer("station")]))
    assert isinstance(envelope, Envelope)
    value = parse(envelope.payload)
    assert dump(value) == envelope.payload
    whom = (value["realm"], value["type"], value["station"])
    assert whom == (sender.realm, out.kind.value, sender.station)
    return value


def shown(text: str) -> str:
    """A foreign text as it may be sent."""
    clean = tidy(text)
    return clean if len(clean) <= TITLE_CHARS_MAX else clean[: TITLE_CHARS_MAX - 1] + "…"


@given(senders, states)
def test_a_state_arrives_as_it_was_meant(sender: Sender, msg: StateMsg) -> None:
    value = received(messages.state(sender, msg), sender)
    assert (value["online"], value["why"], value["area"], value["at"]) == (msg.online, msg.why, msg.area, msg.clock.utc)
    assert [(zone["zone"], zone["name"]) for zone in value["zones"]] == [
        (zone.zone, shown(zone.name)) for zone in msg.zones
    ]
    assert [(play["job_id"], play["title"]) for play in value["playing"]] == [
        (play.job_id, shown(play.title)) for play in msg.playing
    ]
    assert [play["reason"] for play in value["next"]] == [play.reason for play in msg.next]
    assert value["host"]["address"] == (None if msg.host.address is None else shown(msg.host.address))


@given(senders, names, whole, cursors, clocks)
def test_a_hello_arrives_as_it_was_meant(
    sender: Sender, nonce: str, version: int, cursor: LogCursor, clock: Now
) -> None:
    head = TrustHead("vn", 1, version, UtcMs(0))
    value = received(messages.hello(sender, HelloMsg(nonce, (head,), cursor, clock)), sender)
    assert (value["nonce"], value["software"]) == (nonce, shown(sender.software))
    assert value["trust"] == [{"area": "vn", "epoch": 1, "version": version, "expires": 0}]
    assert value["log"] == {"epoch": cursor.epoch, "seq": cursor.seq, "hash": cursor.hash}
    assert value["clock"] == {"utc": clock.utc, "source": clock.source.value, "max_error_ms": clock.max_error_ms}


@given(senders, whole, clocks, st.lists(jobs, max_size=12).map(tuple), whole, hosts)
def test_a_heartbeat_arrives_as_it_was_meant(
    sender: Sender, uptime_s: int, clock: Now, playing: tuple[JobId, ...], waiting: int, host: HostStatus
) -> None:
    msg = HeartbeatMsg(uptime_s, clock, playing, waiting, host)
    value = received(messages.heartbeat(sender, msg), sender)
    assert (value["uptime_s"], value["records_waiting"]) == (uptime_s, waiting)
    assert value["playing"] == list(playing[:8])
    assert value["host"]["temperature_c"] == host.temperature_c


@given(senders, st.sampled_from(Verdict), hashes | st.just(""), jobs, st.none() | st.sampled_from(Reason), instants)
def test_an_answer_arrives_as_it_was_meant(
    sender: Sender, verdict: Verdict, digest: str, job_id: JobId, reason: Reason | None, at: UtcMs
) -> None:
    value = received(messages.answer(sender, AnswerMsg(verdict, digest, job_id, reason, at)), sender)
    told = (value["verdict"], value["digest"], value["job_id"], value["reason"], value["at"])
    assert told == (verdict.value, digest, job_id, reason and reason.value, at)


@given(senders, states, st.integers(1, 64), st.text(st.characters(codec="utf-8"), min_size=80, max_size=99))
def test_a_full_state_leaves_out_what_is_far_off_and_stays_readable(
    sender: Sender, msg: StateMsg, zone_count: int, title: str
) -> None:
    """64 zones, each named in every play: the most that a station and an order can be."""
    crowd = tuple(ZoneId(f"{number:032}") for number in range(zone_count))
    play = PlayStatus(JobId("j" * 64), title, JobClass.EMERGENCY, Phase.PLAYING, UtcMs(1), crowd, Reason.SHUTDOWN)
    crowded = tuple(ZoneStatus(zone, title, None, JobId("j" * 64), 100) for zone in crowd)
    full = replace(msg, zones=crowded, playing=(play,) * 9, next=(play,) * 11)
    value = received(messages.state(sender, full), sender)
    assert len(value["zones"]) == zone_count
