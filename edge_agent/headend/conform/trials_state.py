"""STA and UP: what a station says of itself, and the form of everything it says (docs/protocol.md, section 9)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from edge_agent.headend.conform import judges
from edge_agent.headend.conform.asking import ask
from edge_agent.headend.conform.bench import Bench, Seen
from edge_agent.headend.conform.clause import Clause
from edge_agent.headend.conform.envelopes import payload_of
from edge_agent.headend.conform.scene_return import come_back
from edge_agent.headend.conform.scene_silent import order_in_silence
from edge_agent.headend.conform.trials_session import quality
from edge_agent.headend.conform.verdicts import CannotTry, Failed, Passed, Verdict
from edge_agent.headend.listening import Unheard
from edge_agent.headend.schemas import UP, faults
from edge_agent.journal.record import canonical
from edge_agent.sync.messages import STATE_BYTES_MAX
from edge_agent.sync.reports import Why
from edge_agent.sync.topics import Up
from edge_agent.trust.envelope import ENVELOPE_BYTES_MAX


def _live(bench: Bench) -> Mapping[str, Any]:
    """A state of the station that is there now."""
    states = [one.told for one in bench.of(Up.STATE) if one.told.get("online") is True]
    if not states:
        ask(bench, bench.orders.normal())
        bench.wait(lambda one: one.told.get("online") is True, bench.pace.show_s)
        states = [one.told for one in bench.of(Up.STATE) if one.told.get("online") is True]
    if not states:
        raise CannotTry("no state of a living station was seen")
    return states[-1]


def _birth(bench: Bench) -> Verdict:
    birth = bench.act(come_back).birth
    if birth is None:
        return Failed("a state after the hello", "none")
    if birth.told.get("why") != Why.BIRTH:
        return Failed("why birth", f"{birth.told.get('why')!a}")
    return Passed("the first state of the connection is a birth")


def _place(bench: Bench) -> Verdict:
    state, enrolled = _live(bench), bench.orders.station
    if state.get("area") != enrolled.area:
        return Failed(f"area {enrolled.area}", f"{state.get('area')!a}")
    return Passed(f"{enrolled.area}, {state.get('software')}")


def _zones(bench: Bench) -> Verdict:
    zones = _live(bench).get("zones", [])
    if not zones:
        return Failed("one entry for each zone", "none")
    return Passed(", ".join(str(zone.get("zone")) for zone in zones))


def _silent(bench: Bench) -> Verdict:
    state = _live(bench)
    if state.get("playing"):
        raise CannotTry("something plays that the kit did not order")
    closed = [
        str(zone.get("zone")) for zone in state.get("zones", []) if zone.get("relay") == "on" or zone.get("playing")
    ]
    if closed:
        return Failed("no relay closed while nothing sounds", f"{', '.join(closed)}")
    return Passed("every relay open")


def _coming(bench: Bench) -> Verdict:
    mark = len(bench.seen)
    ordered = bench.act(order_in_silence)
    order = ordered.once
    if not isinstance(verdict := judges.accepted(ordered.answer, order.job_id), Passed):
        return verdict
    shown = bench.wait(lambda one: _shows(one, order.job_id), bench.pace.show_s, mark)
    if shown is None:
        return Failed("the order under `next` in a state", "no such state")
    entry = next(each for each in shown.told["next"] if each.get("job_id") == order.job_id)
    if entry.get("planned") != order.payload["when"]["utc"]:
        return Failed(f"planned {order.payload['when']['utc']}", f"{entry.get('planned')}")
    return Passed(f"phase {entry.get('phase')}")


def _shows(one: Seen, job_id: str) -> bool:
    return one.kind == Up.STATE and job_id in [each.get("job_id") for each in one.told.get("next", [])]


def _heartbeat(bench: Bench) -> Verdict:
    if not bench.of(Up.HEARTBEAT):
        bench.wait(lambda one: one.kind == Up.HEARTBEAT, bench.pace.heartbeat_s + bench.pace.slack_s)
    if not bench.of(Up.HEARTBEAT):
        return Failed(f"a heartbeat every {bench.pace.heartbeat_s:.0f} s", "none")
    return quality(bench.of(Up.HEARTBEAT), qos=0, retained=False)


def _own_word(bench: Bench) -> Verdict:
    _live(bench)
    for one in bench.seen:
        if isinstance(one.heard, Unheard):
            return Failed(
                "signed by the station, and in its form", f"{one.kind}: {one.heard.doubt}: {one.heard.detail}"
            )
    return Passed(f"{len(bench.seen)} messages")


def _fits_schema(bench: Bench) -> Verdict:
    _live(bench)
    for one in bench.seen:
        if one.kind in UP and one.claims and (wrong := faults(one.kind, dict(one.claims))):
            return Failed("a message that fits its JSON Schema", f"{one.kind}: {wrong[0]}")
    return Passed(f"{len(bench.seen)} messages")


def _canonical(bench: Bench) -> Verdict:
    _live(bench)
    for one in bench.seen:
        if one.claims and _content(one) != canonical(dict(one.claims)):
            return Failed("canonical JSON: UTF-8, names sorted, no spaces", f"a {one.kind} that is written otherwise")
    return Passed(f"{len(bench.seen)} messages")


def _content(one: Seen) -> bytes:
    return payload_of(one.raw)


def _one_start(bench: Bench) -> Verdict:
    _live(bench)
    boots = {str(one.told["boot_id"]) for one in bench.seen[1:] if "boot_id" in one.told}
    if len(boots) > 1:
        return Failed("one boot id, as long as the station was not started anew", f"{len(boots)}")
    return Passed(f"boot id {', '.join(boots)}")


def _small_enough(bench: Bench) -> Verdict:
    largest = max(len(one.raw) for one in bench.seen)
    states = [len(_content(one)) for one in bench.of(Up.STATE) if one.claims]
    if largest > ENVELOPE_BYTES_MAX or max(states, default=0) > STATE_BYTES_MAX:
        return Failed(f"at most {ENVELOPE_BYTES_MAX} bytes, a state's payload {STATE_BYTES_MAX}", f"{largest} bytes")
    return Passed(f"at most {largest} bytes")


def _own_topics(bench: Bench) -> Verdict:
    kinds = {one.kind for one in bench.seen}
    foreign = kinds - {kind.value for kind in Up}
    if foreign:
        return Failed("only the topics of section 2", f"{json.dumps(sorted(foreign))}")
    return Passed(", ".join(sorted(kinds)))


CLAUSES: tuple[Clause, ...] = (
    Clause(
        "STA-1",
        "9, state",
        "trạng thái đầu tiên là “birth”",
        "the first state of a connection says `birth`",
        "after the lost session the first state is read",
        _birth,
    ),
    Clause(
        "STA-2",
        "9, state",
        "đúng địa bàn đã đăng ký",
        "a state names the area and the software",
        "a state is compared with the enrolment",
        _place,
    ),
    Clause(
        "STA-3", "9, state", "liệt kê mọi cụm loa", "a state has one entry for each zone", "a state is read", _zones
    ),
    Clause(
        "STA-4",
        "9, state",
        "không phát thì rơ-le mở",
        "while nothing sounds no relay is closed",
        "a state is read while nothing was ordered that sounds",
        _silent,
    ),
    Clause(
        "STA-5",
        "9, state",
        "báo trước buổi sắp phát",
        "what comes is shown under `next`",
        "silent orders are sent one after the other; a state must show the first, with its instant",
        _coming,
    ),
)

LAST: tuple[Clause, ...] = (
    Clause(
        "STA-6",
        "9, heartbeat",
        "báo sống mỗi 300 giây",
        "a heartbeat every 300 s, with QoS 0",
        "the kit waits for one",
        _heartbeat,
    ),
    Clause(
        "UP-1",
        "9",
        "mọi tin đều ký số, đúng mẫu",
        "each message is signed by the station's own key and has its fields",
        "every message of the run is opened and read",
        _own_word,
    ),
    Clause(
        "UP-2",
        "9",
        "mọi tin đúng JSON Schema",
        "the JSON Schemas say what each message has",
        "every message of the run is held to its schema",
        _fits_schema,
    ),
    Clause(
        "UP-3",
        "9",
        "JSON chuẩn tắc",
        "payloads are canonical JSON",
        "every payload of the run is written anew and compared",
        _canonical,
    ),
    Clause(
        "UP-4",
        "9",
        "một mã cho mỗi lần khởi động",
        "the boot id is new at each start, and only then",
        "every boot id of the run is compared",
        _one_start,
    ),
    Clause(
        "UP-5",
        "13",
        "tin không quá lớn",
        "an envelope has at most 65,536 bytes, a state's payload 36,000",
        "every message of the run is measured",
        _small_enough,
    ),
    Clause(
        "UP-6",
        "2",
        "chỉ dùng các chủ đề đã định",
        "a station writes on the six upward topics only",
        "every topic of the run is looked at",
        _own_topics,
    ),
)
