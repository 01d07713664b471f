"""What the station says of itself, read by the very code that reads it at the headend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, time

import pytest

from edge_agent.console.screen import View, coming_lines
from edge_agent.console.status import read_status
from edge_agent.console.words import Language
from edge_agent.core import effects as fx
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.effects import SendAnswer, Verdict
from edge_agent.core.events import DeviceDown, Disconnected, RecordSaved, Restored
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import Lock, Regulation, SetVolume
from edge_agent.core.outlook import InForce
from edge_agent.core.reasons import Reason
from edge_agent.core.site import LocalPolicy
from edge_agent.core.state import State
from edge_agent.core.trust_standing import TrustHead, TrustStanding
from edge_agent.core.units import HOUR_MS, MINUTE_MS, JobId, MonoMs, StationId, UtcMs
from edge_agent.headend.enrolment import Enrolled
from edge_agent.headend.listening import Heard, LogBatch, Said, hear
from edge_agent.journal.port import StoredRecord
from edge_agent.journal.record import ChainPoint, canonical, chain, verify_chain
from edge_agent.sync.messages import PAYLOAD_BYTES_MAX, Sender
from edge_agent.sync.reports import (
    AnswerMsg,
    HeartbeatMsg,
    HelloMsg,
    HostStatus,
    LogCursor,
    PlanMsg,
    PlayStatus,
    PolicyStatus,
    StateMsg,
    Why,
)
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.upstream import PLANS_AN_HOUR, RUBBISH_ANSWERS_A_MINUTE, Identity, Upstream
from tests.core.bench import CHO, DINH, Bench, at_work
from tests.core.series import EMERGENCY, alert
from tests.fakes.session import FakeBroker, FakeSession, Message
from tests.trust import makers

STATION = StationId(makers.STATION)
BOOT_ID = "0123abcd"
SOFTWARE = "edge-agent 1.2.3"
BOX = HostStatus("10.0.0.7", "100000002fa5b61c", 21_000, 58, undervoltage=False)
NOW = Now(MonoMs(1_000_000), UtcMs(makers.NOON), ClockSource.SIGNED, 10)
TODAY = date(2026, 10, 1)
TRUST = TrustStanding((TrustHead("", 0, 3, UtcMs(makers.NOON + makers.DAY_MS)),))
CURSOR = LogCursor("e" * 16, 7, "cd" * 32)


@dataclass
class Wire:
    """A station's voice, and the headend's ear at the other end of a broker in memory."""

    broker: FakeBroker = field(default_factory=FakeBroker)
    key: str = "station"

    def __post_init__(self) -> None:
        self.session = FakeSession(self.broker, STATION, makers.AREA, lambda event: None, lambda: b"")
        self.upstream = Upstream(
            Identity(Sender(makers.REALM, STATION, BOOT_ID, SOFTWARE), makers.AREA, "Trạm loa Đông Thành 01"),
            self.session,
            lambda kind, payload: sign(payload_type(kind), payload, [makers.signer(self.key)]),
            lambda: BOX,
        )
        self.session.start()

    def heard(self) -> list[Heard]:
        """Everything that was said, as far as the headend believes it."""
        believed = [believe(message) for message in self.broker.heard]
        assert all(isinstance(one, Heard) for one in believed), believed
        return [one for one in believed if isinstance(one, Heard)]

    def said(self) -> list[Said]:
        return [one.said for one in self.heard()]


def believe(message: Message):
    enrolled = Enrolled(STATION, makers.AREA, "Trạm loa", makers.signer("station").public)
    return hear({STATION: enrolled}, makers.REALM, message.topic, message.payload)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def state() -> State:
    return Bench().boot().state


@pytest.fixture
def mute() -> Wire:
    """Of a station whose key fails."""
    wire = Wire()
    wire.upstream._sign = lambda kind, payload: None
    return wire


def at_the_server(clock: Now) -> Now:
    """Boot time means nothing there."""
    return replace(clock, mono=MonoMs(0))


# -- who speaks, and why -----------------------------------------------------------------------------------------------


def test_a_station_that_cannot_sign_says_nothing_that_nobody_could_believe(mute: Wire, state: State) -> None:
    mute.upstream.hello(makers.NONCE, NOW, CURSOR, TRUST)
    mute.upstream.state(state, NOW, online=True)
    mute.upstream.heartbeat(state, NOW)
    mute.upstream.answer(SendAnswer(Verdict.ACCEPTED, "d" * 64, JobId("j1"), None, ()), NOW)
    assert mute.upstream.hello_by_home(makers.NONCE, NOW, CURSOR, TRUST) is None
    assert mute.upstream.will(NOW) is None
    assert mute.broker.heard == []
    assert mute.upstream.picture_bytes(state, NOW), "the technician is shown the same as ever"


def test_after_a_hello_comes_a_birth_then_changes(wire: Wire, state: State) -> None:
    wire.upstream.hello(makers.NONCE, NOW, CURSOR, TRUST)
    for _ in range(3):
        wire.upstream.state(state, NOW, online=True)
    hello, *states = wire.said()
    assert hello == HelloMsg(makers.NONCE, TRUST.heads, CURSOR, at_the_server(NOW))
    assert [one.why for one in states if isinstance(one, StateMsg)] == [Why.BIRTH, Why.CHANGE, Why.CHANGE]


def test_a_new_session_begins_with_a_birth_again(wire: Wire, state: State) -> None:
    for _ in range(2):
        wire.upstream.hello(makers.NONCE, NOW, CURSOR, TRUST)
        wire.upstream.state(state, NOW, online=True)
    assert [one.why for one in wire.said() if isinstance(one, StateMsg)] == [Why.BIRTH, Why.BIRTH]


def test_asking_again_within_a_session_makes_no_second_birth(wire: Wire, state: State) -> None:
    wire.upstream.hello(makers.NONCE, NOW, CURSOR, TRUST)
    wire.upstream.hello(makers.NONCE, NOW, CURSOR, TRUST, again=True)
    wire.upstream.state(state, NOW, online=True)
    wire.upstream.hello(makers.NONCE, NOW, CURSOR, TRUST, again=True)
    wire.upstream.state(state, NOW, online=True)
    assert [one.why for one in wire.said() if isinstance(one, StateMsg)] == [Why.BIRTH, Why.CHANGE]


def test_a_goodbye_says_that_it_is_one(wire: Wire, state: State) -> None:
    wire.upstream.state(state, NOW, online=False)
    (goodbye,) = wire.said()
    assert isinstance(goodbye, StateMsg)
    assert (goodbye.online, goodbye.why) == (False, Why.GOODBYE)


def test_the_will_claims_nothing_but_the_boot_that_left_it(wire: Wire, state: State) -> None:
    wire.upstream.state(state, NOW, online=True)
    wire.broker.take(f"loa/1/u/{STATION}/state", wire.upstream.will(NOW), retain=True)
    alive, gone = wire.heard()
    assert isinstance(gone.said, StateMsg)
    assert (gone.said.online, gone.said.why) == (False, Why.CONNECTION_LOST)
    assert (gone.said.zones, gone.said.playing, gone.said.next, gone.said.host) == ((), (), (), HostStatus())
    assert gone.boot_id == alive.boot_id == BOOT_ID


def test_every_message_names_station_boot_and_software(wire: Wire, state: State) -> None:
    wire.upstream.hello(makers.NONCE, NOW, CURSOR, TRUST)
    wire.upstream.state(state, NOW, online=True)
    wire.upstream.heartbeat(state, NOW)
    wire.upstream.answer(SendAnswer(Verdict.ACCEPTED, "ab" * 32, "job-1", None), NOW)
    wire.upstream.records(records(2))
    heard = wire.heard()
    assert {one.station for one in heard} == {STATION}
    assert [one.boot_id for one in heard] == [BOOT_ID, BOOT_ID, BOOT_ID, "", ""]
    assert [one.software for one in heard[:2]] == [SOFTWARE, SOFTWARE]
    assert list(wire.broker.retained) == [f"loa/1/u/{STATION}/state"]


def test_a_station_with_another_key_is_not_believed(state: State) -> None:
    wire = Wire(key="stranger")
    wire.upstream.state(state, NOW, online=True)
    (message,) = wire.broker.heard
    assert not isinstance(believe(message), Heard)


def test_a_message_changed_on_the_way_is_not_believed(wire: Wire, state: State) -> None:
    wire.upstream.heartbeat(state, NOW)
    (message,) = wire.broker.heard
    for at in range(0, len(message.payload), 37):
        flipped = bytearray(message.payload)
        flipped[at] ^= 1
        assert not isinstance(believe(Message(message.topic, bytes(flipped))), Heard)


def test_without_a_session_nothing_is_queued(wire: Wire, state: State) -> None:
    wire.broker.stop()
    wire.upstream.hello(makers.NONCE, NOW, CURSOR, TRUST)
    wire.upstream.state(state, NOW, online=True)
    wire.upstream.heartbeat(state, NOW)
    wire.upstream.records(records(2))
    wire.broker.start()
    assert wire.broker.heard == []


# -- answers and heartbeats --------------------------------------------------------------------------------------------


def test_an_answer_carries_verdict_reason_and_instant(wire: Wire) -> None:
    wire.upstream.answer(SendAnswer(Verdict.REFUSED, "ab" * 32, "job-1", Reason.QUIET_HOURS), NOW)
    wire.upstream.answer(SendAnswer(Verdict.REFUSED, "", "", Reason.MALFORMED), NOW)
    assert wire.said() == [
        AnswerMsg(Verdict.REFUSED, "ab" * 32, JobId("job-1"), Reason.QUIET_HOURS, NOW.utc),
        AnswerMsg(Verdict.REFUSED, "", JobId(""), Reason.MALFORMED, NOW.utc),
    ]


def test_rubbish_is_answered_so_often_a_minute_and_orders_always(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    rubbish = SendAnswer(Verdict.REFUSED, "", "", Reason.SIGNATURE_INVALID)
    for _ in range(RUBBISH_ANSWERS_A_MINUTE + 7):
        wire.upstream.answer(rubbish, NOW)
    wire.upstream.answer(SendAnswer(Verdict.REFUSED, "ab" * 32, "job-1", Reason.EXPIRED), NOW)
    said = [message.reason for message in wire.said() if isinstance(message, AnswerMsg)]
    assert said == [Reason.SIGNATURE_INVALID] * RUBBISH_ANSWERS_A_MINUTE + [Reason.EXPIRED]
    assert "flooded" not in caplog.text
    wire.upstream.answer(rubbish, replace(NOW, mono=MonoMs(NOW.mono + MINUTE_MS)))
    assert len(wire.said()) == RUBBISH_ANSWERS_A_MINUTE + 2
    assert "flooded with rubbish not_answered=7" in caplog.text


def test_whoever_has_stolen_a_key_that_may_ask_has_the_line_full_of_no_plans(wire: Wire) -> None:
    """One may have 64 kB, for a question of one: of what is under way nothing else would find a place."""
    assert [wire.upstream.may_plan(NOW) for _ in range(PLANS_AN_HOUR + 2)] == [True] * PLANS_AN_HOUR + [False] * 2
    assert wire.upstream.may_plan(replace(NOW, mono=MonoMs(NOW.mono + HOUR_MS)))


def test_a_plan_tells_the_day_by_the_rules_that_play_it(wire: Wire) -> None:
    bench = Bench().boot()
    bench.at(600)
    bench.rule(Lock(HOUR_MS), zones=[DINH])
    bench.rule(lambda head: Regulation(head, 1, "12/QĐ-UBND", TODAY, LocalPolicy()), not_after=UtcMs(NOW.utc + HOUR_MS))
    wire.upstream.plan(bench.state, bench.now, TODAY)
    (plan,) = wire.said()
    assert isinstance(plan, PlanMsg)
    assert (plan.day, plan.timezone, plan.now) == (TODAY, "Asia/Ho_Chi_Minh", bench.now.utc)
    assert plan.policy == PolicyStatus("12/QĐ-UBND", TODAY)
    (entry,) = plan.entries
    assert (dict(entry.volumes), dict(entry.out), entry.reason) == ({CHO: 70}, {DINH: Reason.ZONE_LOCKED}, None)
    assert entry.starts == entry.planned


def test_a_state_tells_what_holds_and_what_waits_to_be_chosen(wire: Wire) -> None:
    bench = Bench().boot()
    bench.rule(Lock(HOUR_MS), zones=[DINH])
    job = bench.make(when={"kind": "at", "utc": bench.now.utc + HOUR_MS})
    bench.arrive(replace(bench.accept(job), offered=True))
    wire.upstream.state(bench.state, bench.now, online=True)
    (state,) = wire.said()
    assert isinstance(state, StateMsg)
    assert state.rules == InForce("", (time(21), time(5)), locked=(DINH,))
    assert [offer.job_id for offer in state.offers] == [job.job_id]


def test_a_heartbeat_names_what_sounds_and_only_that(wire: Wire) -> None:
    bench = Bench().boot()
    bench.at(600, job_id="later")
    bench.order(job_id="sounding")
    wire.upstream.heartbeat(bench.state, NOW)
    (beat,) = wire.said()
    assert beat == HeartbeatMsg(1_000, at_the_server(NOW), (JobId("sounding"),), 0, BOX)


def test_a_state_for_which_the_line_had_no_room_is_said_with_the_next_heartbeat_and_no_later_one(
    wire: Wire, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection stands, so nobody says all anew; and the one before it is kept by the broker, and is not true."""
    with monkeypatch.context() as full:
        full.setattr(wire.session, "publish", lambda *_, **__: False)
        wire.upstream.state(state, NOW, online=True)
    wire.upstream.heartbeat(state, NOW)
    wire.upstream.heartbeat(state, NOW)
    assert [type(one) for one in wire.said()] == [HeartbeatMsg, StateMsg, HeartbeatMsg]


# -- the log -----------------------------------------------------------------------------------------------------------


def records(count: int, bytes_each: int = 500, epoch: str = "e" * 16) -> tuple[StoredRecord, ...]:
    """A chain of records of about that size."""
    made: list[StoredRecord] = []
    before = ChainPoint()
    for number in range(count):
        body = canonical({"detail": "Đ" * (bytes_each // 2), "job_id": f"job-{number}"})
        made.append(chain(epoch, before, body))
        before = ChainPoint(made[-1].seq, made[-1].hash)
    return tuple(made)


def batches(wire: Wire) -> Iterator[LogBatch]:
    for said in wire.said():
        assert isinstance(said, LogBatch)
        yield said


def test_records_arrive_as_they_were_chained(wire: Wire) -> None:
    wire.upstream.records(records(5))
    (batch,) = batches(wire)
    assert batch.records == records(5)
    assert verify_chain(batch.records) is None


def test_a_batch_is_halved_until_it_fits_and_begins_with_the_oldest(wire: Wire) -> None:
    wire.upstream.records(records(10, bytes_each=9_000))
    (batch,) = batches(wire)
    assert [one.seq for one in batch.records] == [1, 2, 3, 4, 5]
    wire.upstream.records(records(7, bytes_each=20_000))
    _, batch = batches(wire)
    assert [one.seq for one in batch.records] == [1]


def test_a_record_that_fits_no_packet_is_said_and_not_sent(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    wire.upstream.records(records(2, bytes_each=PAYLOAD_BYTES_MAX))
    assert wire.broker.heard == []
    assert [entry.message for entry in caplog.records] == [
        "record too large to send seq=1 next=it stays in the journal"
    ]


def test_a_batch_holds_records_of_one_chain(wire: Wire) -> None:
    wire.upstream.records((*records(2), *records(3, epoch="f" * 16)))
    (batch,) = batches(wire)
    assert (batch.epoch, [one.seq for one in batch.records]) == ("e" * 16, [1, 2])


# -- the picture -------------------------------------------------------------------------------------------------------


def test_a_rehearsal_is_shown_as_one_to_the_centre_and_at_the_console(wire: Wire) -> None:
    bench = at_work()
    at = {"kind": "at", "utc": bench.now.utc + HOUR_MS}
    drill = bench.order(job_id="drill", rehearsal=True, when=at, event="dien-tap", **EMERGENCY)
    flood = alert(bench, 1)
    shown = picture(wire, bench)
    assert {play.job_id: play.rehearsal for play in (*shown.playing, *shown.next)} == {flood: False, drill: True}
    seen = read_status(wire.upstream.picture_bytes(bench.state, bench.now))
    lines = "\n".join(coming_lines(seen, View(seen, device_up=True), bench.state.site, Language.VI))
    assert (lines.count("[DIỄN TẬP] "), lines.count("[KHẨN CẤP] ")) == (1, 1)


def picture(wire: Wire, bench: Bench) -> StateMsg:
    """The state as the headend sees it."""
    wire.upstream.state(bench.state, bench.now, online=True)
    said = wire.said()[-1]
    assert isinstance(said, StateMsg)
    return said


def zones_of(shown: StateMsg) -> list[tuple[str, bool | None, str | None]]:
    return [(zone.zone, zone.relay_on, zone.playing) for zone in shown.zones]


def test_an_idle_station_shows_its_zones_off_and_its_box(wire: Wire) -> None:
    shown = picture(wire, Bench().boot())
    assert (shown.playing, shown.next, shown.records_waiting, shown.welcomed) == ((), (), 0, True)
    assert (shown.area, shown.name, shown.host) == (makers.AREA, "Trạm loa Đông Thành 01", BOX)
    assert [zone.volume_max for zone in shown.zones] == [100, 100]
    assert zones_of(shown) == [(CHO, False, None), (DINH, False, None)]


def test_a_zone_that_a_command_has_turned_down_is_shown_so(wire: Wire) -> None:
    """Whoever stands below a horn that plays at 0 must not have to look for a loose cable."""
    bench = Bench().boot()
    bench.rule(SetVolume(0), zones=[CHO])
    assert [(zone.zone, zone.volume_max) for zone in picture(wire, bench).zones] == [(CHO, 0), (DINH, 100)]
    bench.rule(SetVolume(60))
    assert [zone.volume_max for zone in picture(wire, bench).zones] == [60, 60]


def test_an_armed_play_is_shown_with_the_zones_that_it_is_for(wire: Wire) -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SwitchRelay)
    job = bench.order()
    shown = picture(wire, bench)
    planned = bench.play(job).planned
    assert shown.playing == (PlayStatus(job, "Bản tin sáng", JobClass.NORMAL, Phase.ARMED, planned, (CHO, DINH), None),)
    assert zones_of(shown) == [(CHO, False, None), (DINH, False, None)]
    assert shown.next == ()


def test_a_playing_station_shows_what_sounds_where(wire: Wire) -> None:
    bench = Bench().boot()
    bulletin = bench.order(job_id="bulletin")
    flood = bench.order(job_id="flood", **{"class": "emergency"}, audience={"areas": [makers.AREA], "zones": [CHO]})
    shown = picture(wire, bench)
    assert {(one.job_id, one.phase, one.zones) for one in shown.playing} == {
        (bulletin, Phase.PLAYING, (DINH,)),
        (flood, Phase.PLAYING, (CHO,)),
    }
    assert zones_of(shown) == [(CHO, True, flood), (DINH, True, bulletin)]


def test_what_is_to_come_is_shown_by_instant_and_with_what_it_waits_for(wire: Wire) -> None:
    bench = Bench().boot()
    bench.at(900, job_id="second")
    bench.at(600, job_id="first")
    bench.pass_s(300)  # each is fetched in a moment of its own
    shown = picture(wire, bench)
    assert [(one.job_id, one.phase, one.reason) for one in shown.next] == [
        ("first", Phase.STAGED, None),
        ("second", Phase.STAGED, None),
    ]
    assert shown.next[0].planned == bench.now.utc + 300_000
    bench.send(DeviceDown("gone"))
    bench.order(job_id="waiting")
    shown = picture(wire, bench)
    assert [(one.job_id, one.phase, one.reason) for one in shown.next[:1]] == [
        ("waiting", Phase.QUEUED, Reason.DEVICE_FAILED)
    ]


def test_an_untrusted_station_says_so(wire: Wire) -> None:
    bench = Bench()
    bench.send(Restored((), (), {}, 0, 0))
    bench.now = replace(bench.now, source=ClockSource.FLOOR)
    shown = picture(wire, bench)
    assert (shown.welcomed, shown.clock.trusted, shown.clock.source) == (False, False, ClockSource.FLOOR)


def test_relays_that_nobody_has_reported_are_unknown(wire: Wire) -> None:
    bench = Bench()
    bench.send(Restored((), (), {}, 0, 0))
    assert zones_of(picture(wire, bench)) == [(CHO, None, None), (DINH, None, None)]


def test_records_that_wait_for_the_server_are_counted(wire: Wire) -> None:
    bench = Bench()
    bench.send(Restored((), (), {}, last_seq=9, acked_seq=4))
    assert picture(wire, bench).records_waiting == 5
    bench.send(RecordSaved(10))
    assert picture(wire, bench).records_waiting == 6


def test_the_technician_sees_the_same_picture_as_the_centre(wire: Wire) -> None:
    bench = Bench().boot()
    bench.order()
    own = wire.upstream.picture_bytes(bench.state, bench.now)
    signed = sign(payload_type("state"), own, [makers.signer("station")])
    read = believe(Message(f"loa/1/u/{STATION}/state", signed))
    assert isinstance(read, Heard)
    assert read.said == replace(picture(wire, bench), why=Why.CHANGE)


def test_the_technician_sees_whether_there_is_a_connection_now(wire: Wire) -> None:
    """What goes to the centre goes over one; the file is there without it too, and for days."""
    bench = Bench().boot()
    assert read_status(wire.upstream.picture_bytes(bench.state, bench.now)).online
    bench.send(Disconnected("timed out"))
    without = read_status(wire.upstream.picture_bytes(bench.state, bench.now))
    assert without.welcomed
    assert not without.online
