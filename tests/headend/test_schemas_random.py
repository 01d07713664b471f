"""For random messages: what a parser takes is valid by the schema, and what a station writes always is."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.as_run import AsRun, Evidence, ItemAsRun, RecordKind, ZoneAsRun
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.effects import Verdict
from edge_agent.core.job import Job, JobClass
from edge_agent.core.occurrence import OUTCOMES, Phase
from edge_agent.core.order import RuleOrder
from edge_agent.core.outlook import InForce, Planned
from edge_agent.core.reasons import Reason
from edge_agent.core.trust_standing import TrustHead
from edge_agent.core.units import ClipKey, JobId, MonoMs, StationId, UtcMs, ZoneId
from edge_agent.headend.schemas import faults
from edge_agent.journal.record import ChainPoint, Origin, body_of, chain
from edge_agent.sync import messages as say
from edge_agent.sync import reports
from edge_agent.sync.messages import Outgoing, Sender
from edge_agent.sync.reports import HostStatus, LogCursor, LogRecord, PlayStatus, Why, ZoneStatus
from edge_agent.trust.fields import Fields
from edge_agent.trust.orders import OrderType, parse_order
from edge_agent.trust.strict_json import INTEGER_MAX, WireError, parse
from tests.headend.schema_papers import BEYOND_RULE
from tests.headend.schema_walk import replaced
from tests.trust.strategies import (
    EXAMPLES,
    anything,
    areas,
    hashes,
    instants,
    jobs,
    names,
    rule_orders,
    unhurried,
    words,
)
from tools.order_payloads import job_payload, rule_payload

some = settings(unhurried, max_examples=max(20, EXAMPLES // 5))
"""Each change costs a walk through a schema; the bounds themselves are tried one by one in ``test_schemas``.
``TRUST_EXAMPLES=5000`` tries a fifth of that many."""
whatever = st.text(max_size=120)
"""What a configuration, a driver or an error may say, fit to be sent or not."""
counts = st.integers(0, INTEGER_MAX)
clocks = st.builds(Now, counts.map(MonoMs), instants, st.sampled_from(ClockSource), counts)
senders = st.builds(Sender, names, names.map(StationId), hashes.map(lambda one: one[:16]), whatever)
heads = st.builds(TrustHead, st.just("") | areas, counts, st.integers(1, INTEGER_MAX), instants)
cursors = st.builds(LogCursor, hashes.map(lambda one: one[:16]), counts, hashes)
reasons = st.none() | st.sampled_from(Reason)
zone_lists = st.lists(names.map(ZoneId), max_size=5, unique=True).map(tuple)


def plays(*phases: Phase) -> st.SearchStrategy[tuple[PlayStatus, ...]]:
    one = st.builds(
        PlayStatus,
        *(
            names.map(JobId),
            whatever,
            st.sampled_from(JobClass),
            st.sampled_from(phases),
            instants,
            zone_lists,
            reasons,
        ),
    )
    return st.lists(one, max_size=12).map(tuple)


hosts = st.builds(
    HostStatus,
    st.none() | whatever,
    st.none() | whatever,
    st.none() | counts,
    st.none() | st.integers(-60, 150),
    st.none() | st.booleans(),
)
zones = st.builds(
    ZoneStatus,
    names.map(ZoneId),
    whatever,
    st.none() | st.booleans(),
    st.none() | names.map(JobId),
    st.integers(0, 100),
)
offers = st.builds(reports.OfferStatus, names.map(JobId), whatever, st.sampled_from(JobClass), names, instants)
holding = st.builds(InForce, whatever, st.none() | st.tuples(st.times(), st.times()), zone_lists, zone_lists)
entries = st.builds(
    Planned,
    *(names.map(JobId), whatever, st.sampled_from(JobClass), names, st.none() | counts, instants, instants, instants),
    st.dictionaries(names.map(ZoneId), st.integers(0, 100), max_size=4),
    st.dictionaries(names.map(ZoneId), st.sampled_from(Reason), max_size=4),
    *(reasons, st.just("") | names, st.booleans()),
)
plans = st.builds(
    reports.PlanMsg,
    *(st.dates(), st.sampled_from(("Asia/Ho_Chi_Minh", "UTC")), instants),
    st.none() | st.builds(reports.PolicyStatus, whatever, st.dates()),
    st.lists(entries, max_size=8).map(tuple),
    st.lists(offers, max_size=12).map(tuple),
)
states = st.builds(
    reports.StateMsg,
    *(st.booleans(), st.sampled_from(Why), areas, whatever, clocks, st.lists(zones, max_size=8).map(tuple)),
    *(plays(Phase.ARMED, Phase.PLAYING), plays(Phase.RECEIVED, Phase.STAGED, Phase.QUEUED), counts),
    *(st.booleans(), st.booleans(), hosts, st.lists(offers, max_size=12).map(tuple), holding),
)
played = st.none() | counts
records = st.builds(
    AsRun,
    kind=st.just(RecordKind.PLAY),
    job_id=names,
    digest=hashes,
    issuer=names,
    level=names,
    role=names,
    signers=st.lists(hashes, min_size=1, max_size=16, unique=True).map(tuple),
    cls=st.sampled_from(JobClass),
    event=st.text("abcdefghijklmnopqrstuvwxyz0123456789-", max_size=40),
    items=st.lists(
        st.builds(
            ItemAsRun, words(1, 200), words(0, 40), st.just("vi"), words(0, 200), words(0, 80), hashes.map(ClipKey)
        ),
        min_size=1,
        max_size=20,
    ).map(tuple),
    planned=instants,
    outcome=st.sampled_from(sorted(OUTCOMES - {Phase.SUCCEEDED})),
    reason=st.sampled_from(Reason),
    detail=st.text(max_size=200) | st.just("\u0958" * 500),  # a letter that NFC makes two of
    evidence=st.sampled_from(Evidence),
    zones=st.lists(
        st.builds(
            ZoneAsRun,
            names.map(ZoneId),
            st.sampled_from(Evidence),
            played,
            st.integers(0, 100),
            st.none() | counts.map(MonoMs),
            reasons,
        ),
        max_size=6,
    ).map(tuple),
    started=st.none() | instants,
    ended=instants,
    ended_mono=counts.map(MonoMs),
    planned_ms=counts,
    played_ms=played,
    frames=counts,
    underruns=counts,
    attempt=st.integers(0, 3),
    clock=st.sampled_from(ClockSource),
    clock_error_ms=counts,
)


orders = jobs() | rule_orders


def _written(order: Job | RuleOrder) -> Any:
    payload = job_payload(order, "demo") if isinstance(order, Job) else rule_payload(order, "demo")
    return json.loads(json.dumps(payload))


@given(order=orders)
@some
def test_every_order_that_the_code_can_write_is_valid(order: Job | RuleOrder) -> None:
    payload = _written(order)
    assert faults(payload["type"], payload) == []


@given(order=orders, data=st.data(), value=anything)
@some
def test_what_a_station_takes_is_valid_and_what_is_not_valid_it_refuses(
    order: Job | RuleOrder, data: st.DataObject, value: Any
) -> None:
    payload = _written(order)
    # Realm and type are the judge's to check, before this parser.
    paths = [path for path in _paths(payload, ()) if path[0] not in ("realm", "type")]
    path = data.draw(st.sampled_from(paths))
    changed = json.dumps(
        replaced(payload, path, data.draw(st.just(value) | st.sampled_from(_leaves(payload))))
    ).encode()
    refusal = _refusal(payload["type"], changed)
    found = faults(payload["type"], json.loads(changed))
    if refusal is None:
        assert found == []
    elif not found:
        assert any(rule in refusal for rule in (*BEYOND_RULE, *STRICT)), refusal


STRICT = ("NFC", "control characters", "integers only", "2^53", "levels", "a field only once")
"""What the strict reader forbids before any form is looked at."""


def _refusal(kind: str, payload: bytes) -> str | None:
    try:
        parse_order(Fields(parse(payload)), OrderType(kind))
    except WireError as error:
        return str(error)
    return None


def _paths(value: Any, path: tuple[Any, ...]) -> Any:
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, under in inner:
        yield from _paths(under, (*path, step))


def _leaves(payload: Any) -> list[Any]:
    return list(payload.values())


def _faults_of(out: Outgoing | None) -> list[str]:
    assert out is not None
    return faults(out.kind.value, parse(out.payload))


@given(sender=senders, nonce=hashes, trust=st.lists(heads, min_size=1, max_size=7), cursor=cursors, clock=clocks)
@some
def test_every_hello_is_valid(
    sender: Sender, nonce: str, trust: list[TrustHead], cursor: LogCursor, clock: Now
) -> None:
    assert _faults_of(say.hello(sender, reports.HelloMsg(nonce[:32], tuple(trust), cursor, clock))) == []


@given(sender=senders, state=states)
@some
def test_every_state_is_valid_whatever_a_configuration_calls_things(sender: Sender, state: reports.StateMsg) -> None:
    assert _faults_of(say.state(sender, state)) == []


@given(sender=senders, plan=plans)
@some
def test_every_plan_is_valid_whatever_a_configuration_calls_things(sender: Sender, plan: reports.PlanMsg) -> None:
    assert _faults_of(say.plan(sender, plan)) == []


@given(sender=senders, up=counts, clock=clocks, playing=st.lists(names.map(JobId), unique=True), host=hosts)
@some
def test_every_heartbeat_is_valid(sender: Sender, up: int, clock: Now, playing: list[JobId], host: HostStatus) -> None:
    assert _faults_of(say.heartbeat(sender, reports.HeartbeatMsg(up, clock, tuple(playing), 0, host))) == []


@given(sender=senders, digest=hashes, job_id=names, at=instants)
@some
def test_every_answer_is_valid(sender: Sender, digest: str, job_id: str, at: UtcMs) -> None:
    for verdict, reason in (
        (Verdict.ACCEPTED, None),
        (Verdict.KNOWN, Reason.REPLAYED),
        (Verdict.REFUSED, Reason.OVER_LIMIT),
    ):
        assert _faults_of(say.answer(sender, reports.AnswerMsg(verdict, digest, job_id, reason, at))) == []
    assert _faults_of(say.answer(sender, reports.AnswerMsg(Verdict.REFUSED, "", "", Reason.TOO_LARGE, at))) == []


@given(sender=senders, record=records)
@some
def test_every_record_is_valid_whatever_an_error_says(sender: Sender, record: AsRun) -> None:
    body = body_of(record, Origin(sender.station, "edge-agent 0.1.0", sender.boot_id))
    one = chain("e1", ChainPoint(), body)
    assert _faults_of(say.log(sender, "e1", [LogRecord(one.seq, one.prev, one.hash, one.body)])) == []
