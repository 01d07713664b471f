"""For whatever a station signs: what is believed of it can be told to people and machines, and stand in a report."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from edge_agent.core.as_run import RecordKind
from edge_agent.core.effects import Conflict, Verdict
from edge_agent.core.reasons import Reason
from edge_agent.core.units import JobId, StationId, UtcMs
from edge_agent.headend.desk import Kept
from edge_agent.headend.enrolment import Enrolled
from edge_agent.headend.headend import Shown
from edge_agent.headend.listening import LogBatch, hear
from edge_agent.headend.plays import read_play
from edge_agent.headend.report import Reported, as_json, as_table
from edge_agent.headend.rule_words import KINDS
from edge_agent.headend.telling import for_machines, for_people
from edge_agent.journal.port import StoredRecord
from edge_agent.journal.record import ChainPoint, hash_of
from edge_agent.sync.topics import Up, up_topic
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.keys import new_signer
from edge_agent.trust.strict_json import INTEGER_MAX, WireError, dump, parse
from edge_agent.trust.timetable import UTC_MS_MAX
from tests.headend.fake_station import AREA, AT, PLAN, RECORD, FakeStation, Place
from tests.trust.strategies import unhurried

KEY = new_signer()
STATION = StationId("tram-01")
STATIONS = {STATION: Enrolled(STATION, AREA, "", KEY.public)}
HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
NOW = UtcMs(AT + 5_000)
MANY_NINES = "9" * 400

extremes = st.sampled_from([0, 1, -1, INTEGER_MAX, -INTEGER_MAX, UTC_MS_MAX])
odd_words = st.sampled_from(
    ["", "a", "x" * 500, MANY_NINES, "{0}", "%s%n", "Asia", "../..", "Etc/GMT+12", "0001-01-01", "9999-12-31", "23:59"]
)
values = st.sampled_from([MANY_NINES, "-1", "1e999", "٣", "nan", "all", "c1,,", "", str(INTEGER_MAX)])
"""What stands behind ``name=`` in the line that tells a rule."""
named = st.builds("{}={}".format, st.sampled_from("zones name target for_ms on number basis volume c1".split()), values)
details = st.builds(
    lambda kind, said: " ".join([kind, *said])[:500],
    st.sampled_from([*KINDS, "rotten", "after", "what-only-newer-software-does"]),
    st.lists(named, max_size=4),
)
anything = extremes | odd_words | details | st.booleans() | st.none() | st.just([]) | st.just({})


def payload_of(message: tuple[str, bytes]) -> Any:
    return json.loads(b64decode(json.loads(message[1])["payload"]))


def said() -> dict[Up, Any]:
    station, conflict = FakeStation(KEY), Conflict(JobId("sang"), AT, Reason.QUIET_HOURS, ())
    station.play(RECORD)
    return {
        Up.HELLO: payload_of(station.hello()),
        Up.STATE: payload_of(station.state()),
        Up.HEARTBEAT: payload_of(station.heartbeat()),
        Up.ANSWER: payload_of(station.answer(Verdict.REFUSED, "job-9", Reason.WRONG_AUDIENCE, conflict)),
        Up.PLAN: payload_of(station.plan(PLAN)),
        Up.LOG: payload_of(station.log()),
    }


def places(value: Any, here: Place = ()) -> list[Place]:
    """Of everything within a payload."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([here] if here else []), *(place for name, one in inner for place in places(one, (*here, name)))]


SAID = said()
PLACES = [(kind, place) for kind, payload in SAID.items() for place in places(payload)]
INSTEAD = st.lists(st.tuples(st.sampled_from(PLACES), anything), min_size=1, max_size=3)


def put(payload: Any, place: Place, what: Any) -> None:
    *outer, last = place
    for step in outer:
        payload = payload[step]
    payload[last] = what


def altered(kind: Up, changes: list[tuple[Place, Any]]) -> Any:
    payload = json.loads(json.dumps(SAID[kind]))
    for place, what in changes:
        try:
            put(payload, place, what)
        except (TypeError, IndexError, KeyError):
            continue  # an earlier change has taken the place away
    return payload


def believed(kind: Up, payload: Any) -> Shown | None:
    """What the desk makes of it."""
    try:
        heard = hear(STATIONS, "demo", up_topic(STATION, kind), sign(payload_type(kind), dump(payload), [KEY]))
    except WireError:
        return None  # no station can send it
    said = getattr(heard, "said", None)
    return Kept(STATION, said.epoch, said.records) if isinstance(said, LogBatch) else heard


def kept(detail: str, kind: RecordKind) -> Kept:
    body = dump({**parse(payload_body()), "kind": kind.value, "detail": detail})
    start = ChainPoint()
    return Kept(STATION, "e", (StoredRecord("e", 1, start.hash, hash_of(start.hash, body), body),))


def payload_body() -> bytes:
    return dump(SAID[Up.LOG]["records"][0]["body"])


def told(shown: Shown) -> None:
    assert for_people(shown, NOW, HANOI)
    assert json.loads(for_machines(shown, NOW))["at"] == NOW
    for record in shown.new if isinstance(shown, Kept) else ():
        try:
            play = read_play(record)
        except WireError:
            continue  # a report names the file instead
        assert as_table(Reported((play,)), HANOI)
        assert as_json(Reported((play,)))


@unhurried
@given(INSTEAD)
def test_whatever_a_station_says_can_be_told(changes: list[tuple[tuple[Up, Place], Any]]) -> None:
    kind = changes[0][0][0]
    shown = believed(kind, altered(kind, [(place, what) for (of, place), what in changes if of is kind]))
    if shown is not None:
        told(shown)


@unhurried
@given(details, st.sampled_from([RecordKind.RULE, RecordKind.CHAIN]))
@example(f"lock zones=all for_ms={MANY_NINES}", RecordKind.RULE)
@example("lock zones=all for_ms=٣", RecordKind.RULE)
def test_whatever_a_record_says_of_a_rule_can_be_told_and_reported(detail: str, kind: RecordKind) -> None:
    told(kept(detail, kind))


def test_the_places_that_are_tried_hold_every_kind_of_message() -> None:
    assert {kind for kind, _ in PLACES} == set(Up)
    assert all(believed(kind, payload) is not None for kind, payload in SAID.items())
