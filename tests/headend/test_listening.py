"""What the headend believes: a station's own signed word, read back as the station wrote it; and nothing else."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import time

import pytest

from edge_agent.core.effects import Conflict, Verdict
from edge_agent.core.outlook import InForce
from edge_agent.core.reasons import Reason
from edge_agent.core.units import JobId, StationId, ZoneId
from edge_agent.headend.enrolment import Enrolled
from edge_agent.headend.listening import Doubt, Heard, LogBatch, Unheard, hear
from edge_agent.sync import messages
from edge_agent.sync.reports import AnswerMsg, HeartbeatMsg, HelloMsg
from edge_agent.sync.topics import Up
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.keys import Ed25519Signer, new_signer
from tests.headend.fake_station import (
    AREA,
    AT,
    NEWER,
    NEWER_NAMES,
    NONCE,
    PLAN,
    RECORD,
    STATE,
    FakeStation,
    Place,
    newer,
)

KEY = new_signer()
OTHER = new_signer()


def enrolled(station: str, key: Ed25519Signer) -> Enrolled:
    return Enrolled(StationId(station), AREA, station, key.public)


STATIONS = {StationId("tram-01"): enrolled("tram-01", KEY), StationId("tram-02"): enrolled("tram-02", OTHER)}


def heard(message: tuple[str, bytes]) -> Heard | Unheard:
    return hear(STATIONS, "demo", *message)


@pytest.fixture
def station() -> FakeStation:
    return FakeStation(KEY)


def test_a_state_is_read_back_as_it_was_written(station: FakeStation) -> None:
    assert heard(station.state()) == Heard(StationId("tram-01"), Up.STATE, "boot-1", "0.1.0", STATE, AT)


def test_hello_heartbeat_and_answer_are_read_back(station: FakeStation) -> None:
    hello, beat = heard(station.hello()), heard(station.heartbeat())
    conflict = Conflict(JobId("sang"), AT, Reason.QUIET_HOURS, (ZoneId("c1"),))
    answer = heard(station.answer(Verdict.REFUSED, "job-9", Reason.WRONG_AUDIENCE, conflict))
    assert isinstance(hello, Heard)
    assert isinstance(hello.said, HelloMsg)
    assert hello.said.nonce == NONCE
    assert isinstance(beat, Heard)
    assert isinstance(beat.said, HeartbeatMsg)
    assert (beat.said.uptime_s, beat.said.host.address) == (4_000, None)
    assert isinstance(answer, Heard)
    assert isinstance(answer.said, AnswerMsg)
    assert (answer.said.verdict, answer.said.reason) == (Verdict.REFUSED, Reason.WRONG_AUDIENCE)
    assert answer.said.conflicts == (conflict,)


def test_a_plan_is_read_back_as_it_was_written(station: FakeStation) -> None:
    plan = heard(station.plan(PLAN))
    assert isinstance(plan, Heard)
    assert plan.said == PLAN
    bare = heard(station.plan(replace(PLAN, policy=None, entries=(), offers=())))
    assert isinstance(bare, Heard)
    assert bare.said == replace(PLAN, policy=None, entries=(), offers=())


def test_a_state_tells_what_holds_and_what_waits_to_be_chosen(station: FakeStation) -> None:
    full = replace(
        STATE,
        offers=PLAN.offers,
        rules=InForce("128/QĐ-UBND", (time(21), time(5)), (ZoneId("c1"),), (ZoneId("c2"),)),
    )
    said = heard(station.state(full))
    assert isinstance(said, Heard)
    assert said.said == full


def test_a_state_of_the_version_before_is_read_without_them(station: FakeStation) -> None:
    state = json.loads(messages.state(station.sender, STATE).payload)
    del state["offers"], state["rules"]
    said = heard(("loa/1/u/tram-01/state", sign(payload_type("state"), json.dumps(state).encode(), [KEY])))
    assert isinstance(said, Heard)
    assert said.said == STATE


@pytest.mark.parametrize("quiet", [["21:00"], ["21:00", "24:00"], [21, 5], "night"])
def test_quiet_hours_that_are_no_two_times_are_malformed(station: FakeStation, quiet: object) -> None:
    state = json.loads(messages.state(station.sender, STATE).payload)
    state["rules"]["quiet"] = quiet
    envelope = sign(payload_type("state"), json.dumps(state).encode(), [KEY])
    assert doubt(("loa/1/u/tram-01/state", envelope)) is Doubt.MALFORMED


def test_records_come_back_as_the_very_bytes_that_were_chained(station: FakeStation) -> None:
    station.play(RECORD, RECORD)
    batch = heard(station.log())
    assert isinstance(batch, Heard)
    assert batch.said == LogBatch("epoch-1", tuple(station.records))


def test_records_of_an_epoch_without_a_name_are_malformed_today_and_read_where_they_are_kept() -> None:
    """In a welcome the empty name says that nothing is held: such a chain could never be told of."""
    station = FakeStation(KEY)
    station.new_chain("")
    station.play(RECORD)
    topic, message = station.log()
    assert heard((topic, message)) == Unheard("tram-01", Doubt.MALFORMED, "epoch: 1 to 64 letters, digits and -")
    kept = hear(STATIONS, "demo", topic, message, kept=True)
    assert isinstance(kept, Heard)
    assert kept.said == LogBatch("", tuple(station.records))


def doubt(message: tuple[str, bytes]) -> Doubt:
    result = heard(message)
    assert isinstance(result, Unheard)
    return result.doubt


def test_a_message_signed_by_another_station_is_forged(station: FakeStation) -> None:
    assert doubt(FakeStation(OTHER).state()) is Doubt.FORGED


def test_one_stations_message_on_anothers_topic_is_forged(station: FakeStation) -> None:
    _, envelope = station.state()
    assert doubt(("loa/1/u/tram-02/state", envelope)) is Doubt.FORGED


def test_one_kind_of_message_cannot_be_passed_off_as_another(station: FakeStation) -> None:
    _, envelope = station.state()
    assert doubt(("loa/1/u/tram-01/hello", envelope)) is Doubt.OTHER_SENDER


def test_a_payload_signed_under_another_type_does_not_count(station: FakeStation) -> None:
    envelope = sign(payload_type("log"), messages.state(station.sender, STATE).payload, [KEY])
    assert doubt(("loa/1/u/tram-01/state", envelope)) is Doubt.OTHER_SENDER


def test_a_payload_that_calls_itself_another_kind_does_not_count(station: FakeStation) -> None:
    state = json.loads(messages.state(station.sender, STATE).payload) | {"type": "log"}
    envelope = sign(payload_type("state"), json.dumps(state).encode(), [KEY])
    assert doubt(("loa/1/u/tram-01/state", envelope)) is Doubt.OTHER_SENDER


def test_a_station_cannot_speak_for_another_even_with_its_own_key() -> None:
    _, envelope = FakeStation(KEY, "tram-02").state()
    assert doubt(("loa/1/u/tram-01/state", envelope)) is Doubt.OTHER_SENDER


def test_a_message_of_another_realm_does_not_count() -> None:
    assert doubt(FakeStation(KEY, realm="other").state()) is Doubt.OTHER_REALM


@pytest.mark.parametrize(
    "topic", ["loa/1/u/tram-09/state", "loa/1/u/tram-01/job", "loa/1/u/tram-01", "tram-01/state", "x/state", ""]
)
def test_who_is_not_enrolled_or_speaks_elsewhere_is_not_heard(station: FakeStation, topic: str) -> None:
    assert doubt((topic, station.state()[1])) is Doubt.NOT_ENROLLED


@pytest.mark.parametrize("message", [b"", b"{}", b"\xff", b"[" * 70_000, b"x" * 70_000])
def test_what_is_no_envelope_is_malformed(message: bytes) -> None:
    assert doubt(("loa/1/u/tram-01/state", message)) is Doubt.MALFORMED


Change = Callable[[dict[str, object]], object]


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("online"),
        lambda state: state.update(online=1),
        lambda state: state.update(why=""),
        lambda state: state.update(zones=[{"zone": "c1"}]),
        lambda state: state.update(area="../x"),
        lambda state: state["clock"].update(source=None),
        lambda state: state["host"].pop("address"),
        lambda state: state["zones"][0].update(relay="perhaps"),
        lambda state: state["next"][0].update(reason=["because"]),
    ],
)
def test_a_signed_state_with_a_wrong_field_is_malformed(station: FakeStation, change: Change) -> None:
    state = json.loads(messages.state(station.sender, STATE).payload)
    change(state)
    envelope = sign(payload_type("state"), json.dumps(state).encode(), [KEY])
    assert doubt(("loa/1/u/tram-01/state", envelope)) is Doubt.MALFORMED


@pytest.mark.parametrize(
    "change",
    [
        lambda log: log.update(records=[]),
        lambda log: log["records"][0].update(seq=0),
        lambda log: log["records"][0].update(hash="f"),
        lambda log: log["records"][0].pop("prev"),
    ],
    ids=["none", "before the first", "half a hash", "behind nothing"],
)
def test_records_that_are_none_are_malformed(station: FakeStation, change: Change) -> None:
    """Of a batch the desk takes the last one, so there must be one."""
    station.play(RECORD)
    topic, envelope = station.log()
    log = json.loads(base64.b64decode(json.loads(envelope)["payload"]))
    change(log)
    assert doubt((topic, sign(payload_type("log"), json.dumps(log).encode(), [KEY]))) is Doubt.MALFORMED


@pytest.mark.parametrize(("kind", "path"), NEWER_NAMES)
def test_a_name_that_only_a_newer_station_knows_is_taken_as_plain_text(kind: str, path: Place) -> None:
    said = heard(newer(KEY, kind, path))
    assert isinstance(said, Heard), said
    assert f"'{NEWER}'" in repr(said)


def test_a_field_that_a_newer_station_adds_is_ignored(station: FakeStation) -> None:
    state = json.loads(messages.state(station.sender, STATE).payload) | {"mood": "fine"}
    envelope = sign(payload_type("state"), json.dumps(state).encode(), [KEY])
    assert isinstance(heard(("loa/1/u/tram-01/state", envelope)), Heard)
