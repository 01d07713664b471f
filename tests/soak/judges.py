"""What the street, the centre and the auditor may count on when a life is over: one judge for each promise.

They look at contacts, card, disk and what the headend holds, and keep to an oracle of their own for what had to happen.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from edge_agent.core.clock_trust import TIMETABLE_ERROR_MAX_MS
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.programme import Live, Relayed, begun_at
from edge_agent.core.reasons import Reason
from edge_agent.core.units import DAY_MS, MINUTE_MS, JobId
from edge_agent.relay.interlock import LEASE_MS
from tests.sim import BEGAN, WARM_UP_MS
from tests.soak.promises import Broken
from tests.soak.script import ALONE, ALONE_MS
from tests.ward.air import CLOSING_MS
from tests.ward.card import Run, closed_spans
from tests.ward.ears import CLOCK_MS, EARS_MS, at_night
from tests.ward.timing import DEVICE_WATCHDOG_MS, DISK_MS, LINK_MS, STOP_MS

if TYPE_CHECKING:
    from tests.soak.life import Life, Ordered

UNSEEN_MS = DISK_MS + LINK_MS + EARS_MS + STOP_MS
# How long a first sample may sound before the journal knows of it, and go on after a death: a crash within that is as
# if nothing had sounded.
ORPHANED_MS = 500
# How long a contact may stay closed when the kernel has told the device process that its agent is gone.
LEASE_SLACK_MS = 1_100
# The device's loop looks at least once a second.
SETTLED_CLOCK_MS = 5 * MINUTE_MS
# How far a clock that was stepped may end a lock early, beside what it says of itself.
SETTLED_MS = 45 * MINUTE_MS
# An occurrence this long before the end has had its late limit, its length, and the way of its record to the centre.
GIVEN_UP_MS = 20_000
# Until a device process that hangs is given up, the programme tried once more, and that given up too.
RELAYED_LATE_MS = 16_000
# How long behind its time a relayed programme may still be heard (10.10), the chime before it and the pauses.
ATTEMPTS = {JobClass.NORMAL: 1, JobClass.PRIORITY: 1, JobClass.EMERGENCY: 3}
NOT_PLAYED = ("missed", "rejected", "expired")
_ENDS_IT = ("power_cut", "kill_agent", "kill_io", "kill_both")

Judge = Callable[["Life"], Iterator[str]]
JUDGES: list[Judge] = []


def judge(life: Life) -> None:
    """Raises ``Broken`` with the name of the first promise that was not kept."""
    for promise in JUDGES:
        for told in promise(life):
            raise Broken(promise.__name__, told)


def _judge(promise: Judge) -> Judge:
    JUDGES.append(promise)
    return promise


@_judge
def only_honest_orders_sound(life: Life) -> Iterator[str]:
    for run in life.world.runs:
        ordered = life.orders.get(run.job_id)
        if ordered is None or ordered.tampering:
            yield f"{run.job_id} sounds, and nobody may order that"


@_judge
def relays_need_a_lease(life: Life) -> Iterator[str]:
    """No line stays driven without an agent that steps."""
    for zone in life.world.site.zones.keys() - life.zones_with("relay_dead"):
        for on, off in closed_spans(life.world.relays.driven, zone):
            for since, until in life.world.absences:
                alone = min(off, until) - max(on, since) > LEASE_MS + LEASE_SLACK_MS
                if alone and not _device_hung(life, on, off):
                    yield f"{zone} is closed from {on} to {off}, with no agent from {since} to {until}"


@_judge
def relays_open_when_the_agent_dies(life: Life) -> Iterator[str]:
    """At once, not when its lease has run out: what it had ordered is nobody's any more."""
    for zone in life.world.site.zones.keys() - life.zones_with("relay_dead"):
        for on, off in closed_spans(life.world.relays.driven, zone):
            for died in life.world.kills:
                if on <= died < off - ORPHANED_MS and not _device_hung(life, on, off):
                    yield f"{zone} is closed from {on} to {off}, and the agent died at {died}"


@_judge
def relays_are_open_in_the_end(life: Life) -> Iterator[str]:
    for zone, closed in life.world.relays.contacts.items():
        if closed:
            yield f"{zone} stayed closed"


@_judge
def nobody_hears_a_cold_amplifier(life: Life) -> Iterator[str]:
    """Sound is routed where the contact has been closed for a warm-up, and stays so."""
    if life.had("relay_slow"):
        return
    world, troubled = life.world, life.zones_with("relay_stuck", "relay_dead", "relay_unread", "relay_bounces")
    for run in world.runs:
        for zone, start, end in run.spans(world.mono):
            if zone in troubled:
                continue
            spans = closed_spans(world.relays.moved, zone)
            if not any(on + _warm_up(life) <= start and end <= off + STOP_MS + EARS_MS for on, off in spans):
                yield f"{run.job_id} sounds in {zone} from {start} to {end}, closed {spans}"


@_judge
def one_programme_at_a_time_in_a_zone(life: Life) -> Iterator[str]:
    spans = sorted(span for run in life.world.runs for span in run.spans(life.world.mono))
    for (zone, _, end), (next_zone, start, _) in pairwise(spans):
        if zone == next_zone and start < end - STOP_MS - EARS_MS:
            yield f"two programmes sound in {zone} at {start}"


@_judge
def quiet_hours_are_quiet(life: Life) -> Iterator[str]:
    """By the true time. How far the station's own clock may be off is what it says of it, and two minutes at most."""
    for run in life.world.runs:
        if life.orders[run.job_id].order.cls == JobClass.EMERGENCY:
            continue
        belief = life.watch.believed(run)
        off_ms = 0 if belief is None else abs(belief.utc - belief.true_utc)
        if off_ms > TIMETABLE_ERROR_MAX_MS and belief is not None:
            machine = life.world.machine
            if belief.signed or not (machine.ntp or machine.chip):
                yield f"{run.job_id} plays by a clock that is {off_ms} ms off, and nobody but the centre tells the time"
            continue  # nobody but a liar has told it the time since it booted
        for _, start, end in run.spans(life.world.mono):
            if at_night(BEGAN + start + CLOCK_MS + off_ms, BEGAN + end - CLOCK_MS - off_ms):
                yield f"{run.job_id} sounds in the quiet hours, from {start} to {end}"


@_judge
def nothing_sounds_early(life: Life) -> Iterator[str]:
    """By the true time, but for what the station's clock may honestly be off, or was lied to."""
    timed = [run for run in life.world.runs if life.orders[run.job_id].order.at_s is not None]
    for run in timed:
        planned = int(run.play.play_id.split(".")[-2])
        belief = life.watch.believed(run)
        off_ms = 0 if belief is None else abs(belief.utc - belief.true_utc)
        early_ms = planned - (BEGAN + run.begins)
        if early_ms > off_ms + CLOCK_MS and off_ms <= TIMETABLE_ERROR_MAX_MS:
            yield f"{run.job_id} begins {early_ms} ms before its instant, by a clock that is {off_ms} ms off"


@_judge
def who_is_alone_plays_on(life: Life) -> Iterator[str]:
    """What is due while the power stays on is heard for ten days; without a chip a power cut takes the time away."""
    if life.script.name != ALONE:
        return
    gone = life.script.setting.chaos_until_ms - ALONE_MS
    cuts = [one.at_ms for one in life.script.happenings if one.what == "power_cut"]
    troubles = [(one.at_ms, one.args.get("for_ms", 0)) for one in life.script.happenings if one.what in _ENDS_IT]
    reasons = {(one["job_id"], one["planned"]): one["reason"] for one in _records(life, "play")}
    for job_id in _accepted(life) - life.void:
        for instant in _instants(life, job_id):
            at = instant - BEGAN
            beside = any(since - SETTLED_MS < at < since + for_ms + SETTLED_MS for since, for_ms in troubles)
            if beside or not gone < at < gone + ALONE_MS - SETTLED_MS:
                continue
            expected: set[str | None] = {None}
            if not life.script.setting.chip and any(cut < at for cut in cuts):
                expected = {Reason.CLOCK_NOT_TRUSTED}
                if any(since > at for since, _ in troubles):
                    expected.add(Reason.MISSED)  # whoever starts anew knows only that nobody told him the time
            if reasons.get((job_id, instant), "no record") not in expected:
                yield f"{job_id} at {instant}: {reasons.get((job_id, instant), 'no record')}, expected {expected}"


@_judge
def who_asks_for_silence_gets_it(life: Life) -> Iterator[str]:
    """From when a lock or a silence is on disk until it ends, whatever dies meanwhile; a clock may be minutes off."""
    for order_id, hushed in life.hushes.items():
        since = life.watch.obeyed_at.get(order_id)
        if since is None or order_id in life.void:
            continue
        until = hushed.until_ms - TIMETABLE_ERROR_MAX_MS - SETTLED_CLOCK_MS
        for run in life.world.runs:
            urgent = life.orders[run.job_id].order.cls == JobClass.EMERGENCY
            for zone, start, end in run.spans(life.world.mono):
                loud = min(end, until) - max(start, since) > STOP_MS + EARS_MS + DISK_MS
                if zone == hushed.zone and loud and (hushed.everybody or not urgent):
                    yield f"{run.job_id} sounds in {zone} from {start} to {end}, silenced by {order_id} from {since}"


@_judge
def nothing_sounds_twice(life: Life) -> Iterator[str]:
    """A routine occurrence sounds once, an emergency begins three times at most.

    A disk that takes nothing keeps no mark of what has begun: each crash meanwhile repeats it.
    """
    if life.had("disk_full", "write_fails"):
        return
    heard: Counter[str] = Counter()
    for run in life.world.runs:
        if run.job_id not in life.void and not _by_a_wrong_date(life, run):
            heard[run.play.play_id.rpartition(".")[0]] += _sounded(life, run)
    for occurrence, times in heard.items():
        if times > ATTEMPTS[JobClass(life.orders[occurrence.rpartition(".")[0]].order.cls)]:
            yield f"{occurrence} sounded {times} times"


@_judge
def one_outcome_and_one_record_each(life: Life) -> Iterator[str]:
    """Every occurrence of an accepted job, by our own count of its instants."""
    told: dict[str, Counter[int]] = defaultdict(Counter)
    for record in _records(life, "play"):
        told[record["job_id"]][record["planned"]] += 1
    refused = {record["job_id"] for record in _records(life, "refusal")}
    for job_id, planned in told.items():
        for instant, times in planned.items():
            again = (job_id, instant) in life.watch.again
            if times > 1 + again and job_id not in life.void:
                yield f"{job_id} has {times} records for {instant}"
    for job_id in _accepted(life) - life.void - refused:
        for instant in _instants(life, job_id):
            if told[job_id][instant] == 0:
                yield f"{job_id} has no record for {instant}"
        if not told[job_id] and not life.orders[job_id].order.recurring:
            yield f"{job_id} was accepted, and never heard of again"


@_judge
def no_order_vanishes(life: Life) -> Iterator[str]:
    """What an officer sent is answered, or recorded at last; unless a disk has lost it, or a network for good."""
    if life.had("disk_full", "write_fails") or (life.had("messages_lost", "broker_wiped") and not _listed(life)):
        return
    headend = life.world.headend
    known = {one["job_id"] for one in (*headend.answers, *headend.records)} | life.void
    for job_id, ordered in life.orders.items():
        if not ordered.tampering and job_id not in known:
            yield f"{job_id} was sent, and is neither answered nor recorded"


@_judge
def every_silence_has_a_name(life: Life) -> Iterator[str]:
    names = {str(reason) for reason in Reason}
    for record in life.world.headend.records:
        reasons = [record["reason"], *(zone["reason"] for zone in record["zones"])]
        for reason in reasons:
            if reason is not None and reason not in names:
                yield f"{record['job_id']}: {reason} is not in the catalogue"
        if (record["outcome"] == "succeeded") != (record["reason"] is None):
            yield f"{record['job_id']} is {record['outcome']} with the reason {record['reason']}"


@_judge
def a_source_is_asked_for_to_be_heard(life: Life) -> Iterator[str]:
    yield from life.world.air.in_vain(GIVEN_UP_MS if life.had("hang_io", "card_mute") else CLOSING_MS)


@_judge
def what_is_relayed_is_over_in_time(life: Life) -> Iterator[str]:
    """What a source gives later is another programme (10.10); it is the last item of these."""
    for run in life.world.runs:
        order, belief = life.orders[run.job_id].order, life.watch.believed(run)
        if order.relay is None or order.at_s is None or belief is None or run.job_id in life.void:
            continue
        ordered_ms = round(1000 * (order.relay.seconds + sum(tone.seconds for tone in order.tones)))
        over = int(run.play.play_id.split(".")[-2]) + ordered_ms + RELAYED_LATE_MS
        live = [at + part.duration_ms for at, part in begun_at(run.play.parts) if isinstance(part, Live)]
        ends = belief.utc + min(max(live, default=0), run.ends - run.begins)
        if live and ends > over + CLOCK_MS:
            yield f"{run.job_id} is relayed until {ends}, and it is over at {over}"


@_judge
def records_tell_what_was_heard(life: Life) -> Iterator[str]:
    for record in _records(life, "play"):
        job_id = record["job_id"]
        if job_id in life.void or life.had("disk_full", "write_fails"):
            continue  # nor can it tell after a crash what no disk remembers
        runs = _runs_of(life, record)
        routine = life.orders[job_id].order.cls != JobClass.EMERGENCY
        if routine and record["outcome"] in NOT_PLAYED and any(_sounded(life, run) for run in runs):
            yield f"{job_id} sounded, and the record says {record['outcome']}"
        if record["outcome"] == "succeeded":
            yield from _counted(life, record, runs)


@_judge
def records_tell_what_was_relayed(life: Life) -> Iterator[str]:
    """How long a source was heard, and how long its programme was, of what sounded to its end."""
    for record in _records(life, "play"):
        told = record["relayed"]
        excused = record["job_id"] in life.void or life.had("disk_full", "write_fails")
        if told is None or record["outcome"] != "succeeded" or excused:
            continue
        runs = [run for run in _runs_of(life, record) if _sounded(life, run)]
        given = sum((life.world.air.relayed(run.play.parts, run.begins, run.ends) for run in runs), Relayed())
        if (told["live_ms"], sum(told.values())) != (given.live_ms, given.whole_ms):
            yield f"{record['job_id']}: {told} told, {given} given"


@_judge
def the_log_is_whole(life: Life) -> Iterator[str]:
    """The chain arrived without a gap and to its end."""
    headend = life.world.headend
    disk = life.world.disk.committed
    held = len(disk.records)
    if headend.broken:
        yield headend.broken
    elif len(headend.records) != held and (held or headend.epoch == disk.epoch):
        yield f"the station holds {held} records, the centre {len(headend.records)}"


@_judge
def nothing_hangs_in_the_end(life: Life) -> Iterator[str]:
    agent = life.world.agent
    if agent is None or not agent.connected:
        yield "the station is not there"
        return
    for play in agent.state.plays.values():
        if play.phase is not Phase.STAGED and play.planned < life.world.utc() - SETTLED_MS:
            yield f"{play.job_id} is still {play.phase}"


def _listed(life: Life) -> bool:
    """Whether a manifest brings what the broker has lost: where there are some, and no trouble outlasts an order."""
    lasting = max((one.args.get("for_ms", 0) for one in life.script.happenings), default=0)
    return life.script.setting.home and lasting < 5 * MINUTE_MS


def _device_hung(life: Life, since: float, until: float) -> bool:
    """Nothing opens a line while the only process that may do so stands still; its watchdog does, in the end."""
    return any(hung < until and since < hung + DEVICE_WATCHDOG_MS for hung in life.world.device_hangs)


def _counted(life: Life, record: dict[str, Any], runs: list[Run]) -> Iterator[str]:
    """A zone counts what it heard in the last attempt that it took part in."""
    heard = {run.play.play_id: _heard(life, run) for run in runs}
    for zone in record["zones"]:
        name = zone["zone"]
        told_ms, last_ms = zone["played_ms"], heard[runs[-1].play.play_id][name]
        earlier_ms = max((one[name] for one in heard.values()), default=0)
        if told_ms != last_ms and (last_ms or told_ms > earlier_ms):
            yield f"{record['job_id']} in {name}: {told_ms} ms told, {last_ms} ms routed"
        passed_over = life.had("next_item") and told_ms < record["planned_ms"]  # its own record says so
        if zone["reason"] is None and told_ms != record["planned_ms"] and not passed_over:
            yield f"{record['job_id']} was cut short in {name}, and nobody says why"


def _runs_of(life: Life, record: dict[str, Any]) -> list[Run]:
    name = f"{record['job_id']}.{record['planned']}."
    return [run for run in life.world.runs if run.play.play_id.startswith(name)]


def _heard(life: Life, run: Run) -> Counter[str]:
    return Counter(dict(run.zone_ms(life.world.mono)))


def _records(life: Life, kind: str) -> list[dict[str, Any]]:
    headend = life.world.headend
    return [record for record in headend.records if record["kind"] == kind]


def _accepted(life: Life) -> set[str]:
    accepted = {answer["job_id"] for answer in life.world.headend.answers if answer["verdict"] == "accepted"}
    return accepted & life.orders.keys()


def _instants(life: Life, job_id: str) -> Iterator[int]:
    """The instants of a recurring order that must have their records by now: one a day, after it counts."""
    ordered: Ordered = life.orders[job_id]
    if not ordered.order.recurring or ordered.order.at_s is None:
        return
    counts_from = life.watch.counts_from.get(JobId(job_id), life.world.utc())
    first = BEGAN + round(ordered.order.at_s * 1000)
    first -= first % 1000  # a timetable counts in seconds
    for day in range(ordered.order.days):
        instant = first + day * DAY_MS
        if counts_from < instant < life.world.utc() - SETTLED_MS:
            yield instant


def _sounded(life: Life, run: Run) -> bool:
    """Long enough for a station to know of it: one that hangs hears nothing until its lease has run out."""
    unseen_ms = UNSEEN_MS + life.slowest_disk_ms + (LEASE_MS + LEASE_SLACK_MS if life.had("hang_agent") else 0)
    return any(end - start > unseen_ms for _, start, end in run.spans(life.world.mono))


def _by_a_wrong_date(life: Life, run: Run) -> bool:
    """By a clock that nobody had signed, and that was more than a day ahead: its instant comes again."""
    belief = life.watch.believed(run)
    return belief is not None and not belief.signed and belief.utc - belief.true_utc > DAY_MS


def _warm_up(life: Life) -> int:
    """By the station's crystal; a ms is lost in rounding."""
    return WARM_UP_MS - WARM_UP_MS * abs(life.script.setting.drift_ppm) // 1_000_000 - 1
