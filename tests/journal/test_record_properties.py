"""Any record that the core can make: canonical JSON that every strict reader takes, and its place in the chain."""

from __future__ import annotations

import json
from dataclasses import fields, replace

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.as_run import AsRun, Evidence, ItemAsRun, RecordKind, ZoneAsRun
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey, MonoMs, StationId, UtcMs, ZoneId
from edge_agent.journal.record import BODY_BYTES_MAX, ChainPoint, body_of, canonical, chain, verify_chain
from edge_agent.sync.messages import Sender, log
from edge_agent.sync.reports import LogRecord
from edge_agent.trust.strict_json import dump, parse
from tests.journal.samples import ORIGIN, record_of
from tests.trust.strategies import hashes, instants, languages, names, words

ZONES_MAX = 64
ITEMS_MAX = 20
count = st.integers(0, 2**40)
monos = count.map(MonoMs)
perhaps_reason = st.none() | st.sampled_from(Reason)
items = st.builds(
    ItemAsRun,
    title=words(1, 200),
    field=words(0, 40),
    language=languages,
    source=words(0, 200),
    approver=words(0, 80),
    key=hashes.map(ClipKey),
)
zones = st.builds(
    ZoneAsRun,
    zone=names.map(ZoneId),
    evidence=st.sampled_from(Evidence),
    played_ms=st.none() | count,
    volume=st.integers(0, 100),
    relay_on=st.none() | monos,
    reason=perhaps_reason,
)
records = st.builds(
    AsRun,
    kind=st.sampled_from(RecordKind),
    job_id=names | st.just(""),
    digest=hashes | st.just(""),
    issuer=names | st.just(""),
    level=names,
    role=names,
    signers=st.lists(hashes, max_size=3).map(tuple),
    cls=st.none() | st.sampled_from(JobClass),
    event=names | st.just(""),
    items=st.lists(items, max_size=3).map(tuple),
    planned=st.none() | instants,
    outcome=st.sampled_from(Phase),
    reason=perhaps_reason,
    detail=st.text(st.characters(codec=None), max_size=600),
    evidence=st.sampled_from(Evidence),
    zones=st.lists(zones, max_size=3).map(tuple),
    started=st.none() | instants,
    ended=instants.map(UtcMs),
    ended_mono=monos,
    planned_ms=count,
    played_ms=st.none() | count,
    frames=count,
    underruns=count,
    attempt=st.integers(0, 9),
    clock=st.sampled_from(ClockSource),
    clock_error_ms=count,
)


@given(records)
def test_a_body_is_the_one_way_to_write_what_it_says(record: AsRun) -> None:
    body = body_of(record, ORIGIN)
    value = parse(body)  # the strict reader of orders; json.loads would take more
    assert canonical(value) == dump(value) == body
    assert value.keys() == {field.name for field in fields(AsRun)} | {"station", "software", "boot_id"}
    written = [value[name] for name in ("job_id", "planned", "frames", "outcome", "clock_error_ms")]
    assert written == [record.job_id, record.planned, record.frames, record.outcome.value, record.clock_error_ms]
    assert [item["title"] for item in json.loads(body)["items"]] == [item.title for item in record.items]


@given(st.sampled_from("xế😀\\"), items, zones, st.sampled_from((1, 15, ITEMS_MAX)), st.sampled_from((1, ZONES_MAX)))
def test_the_longest_record_still_fits_an_upload(
    letter: str, item: ItemAsRun, zone: ZoneAsRun, item_count: int, zone_count: int
) -> None:
    item = replace(item, title=letter * 200, field=letter * 40, source=letter * 200, approver=letter * 80)
    zone = replace(zone, zone=ZoneId("z" * 64))
    record = record_of(items=(item,) * item_count, zones=(zone,) * zone_count, detail=letter * 700)
    body = body_of(record, ORIGIN)
    assert len(body) <= BODY_BYTES_MAX
    told = LogRecord(1, "0" * 64, "f" * 64, body)
    assert log(Sender("loa-vn", StationId(ORIGIN.station), ORIGIN.boot_id, "1"), "e" * 16, [told]) is not None


@given(st.lists(records, min_size=2, max_size=3), st.data())
def test_no_record_of_a_chain_can_be_changed_left_out_or_moved(made: list[AsRun], data: st.DataObject) -> None:
    before, kept = ChainPoint(), []
    for record in made:
        kept.append(chain("e1", before, body_of(record, ORIGIN)))
        before = ChainPoint(kept[-1].seq, kept[-1].hash)
    assert verify_chain(kept, head=before) is None
    at = data.draw(st.integers(0, len(kept) - 1), "place")
    forged = replace(kept[at], body=body_of(replace(made[at], frames=made[at].frames + 1), ORIGIN))
    assert verify_chain([*kept[:at], forged, *kept[at + 1 :]], head=before) is not None
    assert verify_chain([*kept[:at], *kept[at + 1 :]], head=before) is not None
    other = data.draw(st.integers(0, len(kept) - 1).filter(lambda index: index != at), "other place")
    moved = [*kept]
    moved[at], moved[other] = moved[other], moved[at]
    assert verify_chain(moved, head=before) is not None
