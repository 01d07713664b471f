"""What must hold after a day, however its lives ended: each promise is a function that yields what breaks it.

Looks at the ward (what sounded, what moved, what the centre holds) and at the journal as it lies on the disk. How the
lives ended is known only as ``deaths``: what was planned well after one must come about as if nothing had been.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_agent.audio.clip import ClipMissing, ClipUnusable
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.core.as_run import RecordKind
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey, ZoneId
from edge_agent.journal.port import Contents, StoredRecord
from edge_agent.journal.record import ChainPoint, Origin, verify_chain
from edge_agent.journal.store import Store
from edge_agent.trust.strict_json import parse
from tests.crash.day import HOUR_S, MINUTE_S, ORDERS
from tests.rig import HONEST
from tests.sim import WARM_UP_MS
from tests.ward.card import Run, closed_spans
from tests.ward.ears import CLOCK_MS, EARS_MS, at_night
from tests.ward.timing import DISK_MS, LINK_MS, STOP_MS

if TYPE_CHECKING:
    from tests.crash.street import Street

UNSEEN_MS = DISK_MS + LINK_MS
# How long a first sample may sound before the journal knows of it: a crash within that is as if nothing had sounded.
SETTLED_MS = 2 * MINUTE_S * 1000
# A restart, a welcome, a download that is tried again after half a minute: after this a crash is forgotten.
EMERGENCY_TRIES = 3
NO_NETWORK_MS = (2 * HOUR_S * 1000, 3 * HOUR_S * 1000)
# A station without clock chip that starts in there learns the time only afterwards, and plays no timetable.


def of_day(street: Street, *, refusals: bool = False) -> list[str]:
    """Everything that the day broke. With ``refusals`` the disk has refused something, and may have its say."""
    journal = Readback(street)
    found = list(street.trouble)
    for promise in (warm_relays, nobody_home, one_at_a_time, quiet_nights, honest_only, not_again, nothing_waits):
        found += promise(street)
    for told in (whole_chain, one_record_each, named_reasons, truth):
        found += told(street, journal)
    if not refusals:
        found += forgotten(street, journal)
    return found


def at_rest(state_dir: Path) -> Iterator[str]:
    """A file under its final name is what the name says, whatever happened just now."""
    for original in (state_dir / "originals").glob("*"):
        if original.suffix != ".part" and hashlib.sha256(original.read_bytes()).hexdigest() != original.name:
            yield f"{original.name} is not what its name says"
    store = PcmStore(state_dir / "audio")
    for listing in (state_dir / "audio").glob("*/*.blocks"):
        try:
            with store.open(ClipKey(listing.stem)) as clip:
                clip.verify()
        except ClipMissing:
            continue  # its digests are there, its sound has gone with a sweep or was not yet named
        except ClipUnusable as exc:
            yield f"staged sound is not what was staged: {exc}"


class Readback:
    """The journal as the next boot would find it."""

    def __init__(self, street: Street) -> None:
        store = Store(street.state_dir / "journal", Origin("reader", "", ""))
        self.contents: Contents = store.load()
        self.stored: tuple[StoredRecord, ...] = store.records_after(0, 1 << 40)
        store.close()
        self.records: list[Any] = [parse(record.body) for record in self.stored]


def whole_chain(street: Street, journal: Readback) -> Iterator[str]:
    """Gapless, chained, of one epoch, and the same at the centre, to the end."""
    contents, centre = journal.contents, street.headend
    head = ChainPoint(contents.last_seq, contents.last_hash)
    if fault := verify_chain(journal.stored, head=head):
        yield f"the chain is broken: {fault}"
    if contents.quarantined or list(street.state_dir.glob("*quarantined*")) or centre.lost_epochs:
        yield "the journal was put aside although nothing had rotted"
    if centre.broken:
        yield f"the centre says: {centre.broken}"
    if centre.records != journal.records:
        yield f"the centre holds {len(centre.records)} records, the journal {len(journal.records)}"


def one_record_each(street: Street, journal: Readback) -> Iterator[str]:
    """Every honest order of the day has one occurrence, so one record, and nothing of it is left over.

    One that was refused comes again after a death. Where it was accepted then, to wait for the time, that ends in a
    record of its own. A timetable has its end, and most often that it took effect; one that never did, because the
    disk refused it until the next one was there, has entries that nobody has heard of.
    """
    counted = Counter(record["job_id"] for record in journal.records)
    accepted = Counter(answer["job_id"] for answer in street.headend.answers if answer["verdict"] == "accepted")
    for job, ordered in ORDERS.items():
        again = accepted[job] if ordered.outcome == Phase.REJECTED else 0
        rightly = {1, 1 + again} if ordered.outcome else {0}
        rightly |= {1, 2} if ordered.entries else set()
        rightly |= {0} if job == "cu" and not accepted["lich-1"] else set()
        if counted[job] not in rightly:
            yield f"{job} has {counted[job]} records"
    if journal.contents.jobs or journal.contents.marks:
        yield f"never over: {[job.job_id for job in journal.contents.jobs]} {journal.contents.marks}"


def named_reasons(street: Street, journal: Readback) -> Iterator[str]:
    for record in journal.records:
        if record["outcome"] != "succeeded" and record["reason"] not in list(Reason):
            yield f"{record['job_id']} is {record['outcome']} for no reason of the catalogue"


def forgotten(street: Street, journal: Readback) -> Iterator[str]:
    """What was planned well after a death is as it is on a day without one."""
    for record in [record for record in journal.records if record["kind"] != RecordKind.CHAIN]:
        planned = None if record["planned"] is None else record["planned"] - street.began
        wanted = ORDERS[record["job_id"]].outcome
        if _disturbed(street, planned) or record["outcome"] == wanted or record["reason"] == wanted:
            continue
        if record["kind"] == RecordKind.RULE and record["outcome"] == Phase.SUCCEEDED:
            continue
        yield f"{record['job_id']} is {record['outcome']} ({record['reason']})"


def _disturbed(street: Street, planned: int | None) -> bool:
    """Whether a death may have had a say in what was planned then."""
    if planned is None:
        return False
    early, late = NO_NETWORK_MS
    return any(
        planned - SETTLED_MS < death < planned + SETTLED_MS or (early - SETTLED_MS < death < planned < late)
        for death in street.deaths
    )


def truth(street: Street, journal: Readback) -> Iterator[str]:
    """What the record says was seen: a success sounded, a miss did not."""
    for record in journal.records:
        runs = [run for run in street.runs if run.job_id == record["job_id"]]
        if record["outcome"] in ("missed", "rejected", "expired") and any(
            _heard(street, run, UNSEEN_MS) for run in runs
        ):
            yield f"{record['job_id']} sounded, and its record denies it"
        if record["outcome"] == "succeeded":
            yield from _success(street, runs, record)


def _success(street: Street, runs: list[Run], record: dict[str, Any]) -> Iterator[str]:
    total: Counter[str] = Counter()
    for zone, start, end in _heard(street, runs[-1]) if runs else []:
        total[zone] += end - start
    for zone in record["zones"]:
        if zone["played_ms"] != total[zone["zone"]]:
            yield f"{record['job_id']} says {zone['played_ms']} ms in {zone['zone']}, heard {total[zone['zone']]}"
        if zone["reason"] is None and zone["played_ms"] != record["planned_ms"]:
            yield f"{record['job_id']} was cut short without a reason"


def warm_relays(street: Street) -> Iterator[str]:
    """No sound through an amplifier that is not warm, and none that is cut off by its own relay."""
    for run in street.runs:
        for zone, start, end in run.spans(street.mono):
            closed = closed_spans(street.relays.moved, zone)
            warm = any(on + WARM_UP_MS <= start and end <= off + STOP_MS + EARS_MS for on, off in closed)
            if not warm:
                yield f"{run.job_id} sounds in {zone} from {start} to {end}, its relay is closed {closed}"


def nobody_home(street: Street) -> Iterator[str]:
    """No relay stays on after the agent's death, nor after the day: without the core there is no lease."""
    for zone in street.site.zones:
        for on, off in closed_spans(street.relays.moved, zone):
            if off == float("inf") or any(on <= death < off - EARS_MS for death in street.deaths):
                yield f"the relay of {zone} is on from {on} to {off}"


def one_at_a_time(street: Street) -> Iterator[str]:
    spans = sorted(span for run in street.runs for span in _heard(street, run))
    for (zone, _, end), (next_zone, start, _) in pairwise(spans):
        if zone == next_zone and start < end - STOP_MS - EARS_MS:
            yield f"two programmes sound in {zone} at {start}"


def quiet_nights(street: Street) -> Iterator[str]:
    for run in street.runs:
        if ORDERS[run.job_id].order.cls == JobClass.EMERGENCY:
            continue
        for _, start, end in _heard(street, run):
            if at_night(street.began + start + CLOCK_MS, street.began + end - CLOCK_MS):
                yield f"{run.job_id} sounds in the quiet hours"


def honest_only(street: Street) -> Iterator[str]:
    for run in street.runs:
        if ORDERS[run.job_id].tampering != HONEST:
            yield f"{run.job_id} sounds"


def not_again(street: Street) -> Iterator[str]:
    """A routine job sounds once, an emergency begins three times at most."""
    heard = Counter(run.job_id for run in street.runs if _heard(street, run, UNSEEN_MS))
    for job, times in heard.items():
        if times > (EMERGENCY_TRIES if ORDERS[job].order.cls == JobClass.EMERGENCY else 1):
            yield f"{job} sounded {times} times"


def nothing_waits(street: Street) -> Iterator[str]:
    """The broker has nothing left for the station: what was not acknowledged would come for ever."""
    waiting = street.broker.memories[street.site.station].waiting
    if waiting:
        yield f"{len(waiting)} deliveries are not acknowledged"


def _heard(street: Street, run: Run, longer_than_ms: int = 0) -> list[tuple[ZoneId, int, int]]:
    """(zone, from, to) of what came out of the horns: sound on a line whose contact was closed."""
    found = []
    for zone, start, end in run.spans(street.mono):
        for on, off in closed_spans(street.relays.moved, zone):
            begins, ends = max(start, on), min(end, round(min(off, end)))
            if ends - begins > longer_than_ms:
                found.append((zone, begins, ends))
    return found
