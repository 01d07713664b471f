"""Decide what follows from the manifests of a station's scopes: what is withdrawn, what is lacking, when to ask again.

A head's key lies on a server. So nothing here starts a sound of its own accord, ends an emergency, takes away what
protects residents (regulations, windows, locks), or deletes a record: by a manifest alone only jobs and timetables end.
What it lists was signed by officers, and is judged as if the broker had brought it. A stale manifest stops nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from edge_agent.core import enforcing, sounding
from edge_agent.core.clock_trust import TIMETABLE_ERROR_MAX_MS, Now
from edge_agent.core.effects import FetchHeads, FetchManifest, FetchPaper, FetchRoot, KeepManifest, Level
from edge_agent.core.events import (
    AckToken,
    HeadsFetched,
    Judgement,
    ManifestRead,
    MessageArrived,
    PaperMissed,
    PaperRead,
    Rejected,
    RootFetched,
)
from edge_agent.core.heads import (
    HEAD_GOOD_MS,
    Head,
    Home,
    Kept,
    ListedOrder,
    ListedTrust,
    Manifest,
    Paper,
    ScopeStatus,
    Wanted,
    area_scope,
    scopes_of,
    station_scope,
)
from edge_agent.core.job import Accepted, Audience, JobClass
from edge_agent.core.occurrence import Cause
from edge_agent.core.order import AcceptedRule, Timetable
from edge_agent.core.reasons import Reason, explain
from edge_agent.core.site import Site
from edge_agent.core.spent import Papers
from edge_agent.core.state import State, Turn
from edge_agent.core.trust_standing import ROOT_AREA
from edge_agent.core.units import HOUR_MS, MINUTE_MS, SECOND_MS, JobId, MonoMs, UtcMs

HEAD_TOPIC = "head"
"""How a head is told from what the broker brings: it has no topic."""
NO_DELIVERY = AckToken(0, 0)
"""Nobody waits for an acknowledgement: connections are counted from 1."""
SOON_MS = 30 * SECOND_MS
# After a welcome; a ward that comes back together after a power cut is spread over so long.
ASK_GAP_MS = MINUTE_MS
# Whoever replays what was withdrawn makes us ask no more often than that.
HOUR_BYTES_MAX = 2_000_000
# Off the line within an hour, for all of this; the next one goes on from there. A server that lies and a broker that
# hangs up each minute cost 48 MB of SIM a day with it, a quarter of what audio may, and hardly more.
NEW_BYTES_KEPT = 1_000_000
# Of it for what is new in this hour: heads, their manifests, and what those list and the ones before did not. Else what
# is wrong or withheld would take all of it, and a warning that lies ready would wait. Sixty looks of 13 kB (measured:
# ``tests/sync/test_home_contract.py``), one of the longest manifests and one of the longest orders. The other half is
# for all else: twice a ward's 60 orders of 3 kB, each with a handshake of 3 kB.

STRANGERS = frozenset({Reason.SIGNATURE_INVALID, Reason.UNKNOWN_ISSUER})
"""Of a head that nobody has signed who may, by what is believed here: a newer root may name whoever did."""

Verify = Callable[[str, bytes], Judgement]


def restored(turn: Turn, kept: tuple[Kept, ...]) -> None:
    """What the journal holds counts from the first step on; a crash may have come between it and what it ends."""
    if not turn.state.site.polls_home:
        return
    now, until = turn.now.mono, turn.state.spent.papers.until
    if until is None or not now < until <= now + HOUR_MS:
        turn.spend(papers=Papers(MonoMs(now + turn.state.site.share_of(HOUR_MS))))
    ours = {one.head.scope: one for one in kept if one.head.scope in scopes_of(turn.state.site)}  # it may have moved
    _put(turn, kept=ours)
    _withdraw(turn)


def disowned(turn: Turn, scopes: frozenset[str]) -> None:
    """A head of a key that may sign none any more proves nothing, and binds no later one: what a thief drove up.

    One whose manifest is still to be had is asked for anew, and judged by what is believed now. So is what was refused:
    the document that names its issuer may have been out of reach a while ago.
    """
    if not turn.state.site.polls_home:
        return
    kept = {scope: one for scope, one in turn.state.home.kept.items() if scope not in scopes}
    _put(turn, kept=kept, wanted={}, tried=frozenset())
    listed = frozenset[str]().union(*(one.manifest.digests for one in kept.values()))
    for rule in [rule for rule in turn.state.rules.values() if rule.vouched and rule.accepted.digest not in listed]:
        turn.put_rule(replace(rule, vouched=False))
    for known in [one for one in turn.state.jobs.values() if one.vouched and one.accepted.digest not in listed]:
        turn.put_job(replace(known, vouched=False))
    ask_soon(turn)


def ask_soon(turn: Turn) -> None:
    """Look at the heads within seconds: after a welcome, and where an order comes that should be listed and is not."""
    home = turn.state.home
    if not turn.state.site.polls_home or home.soon_at is not None:
        return
    at = turn.now.mono + turn.state.site.share_of(SOON_MS)
    if home.asked_at is not None:
        at = max(at, home.asked_at + ASK_GAP_MS)
    _put(turn, soon_at=MonoMs(at))


def withdrawn(state: State, accepted: Accepted | AcceptedRule) -> bool:
    """Whether an order is no longer in force: every scope that it is addressed by knows of it, and none lists it.

    Jobs and timetables alone, and no emergency: whoever has stolen a head's key must not take away a warning, nor what
    protects people from noise. An entry ends with its timetable.
    """
    if isinstance(accepted, Accepted):
        job = accepted.signed or accepted.job
        if job.plays_as is JobClass.EMERGENCY or accepted.edition is not None:
            return False
        audience, issuer, serial = job.audience, job.issuer, job.serial
    elif isinstance(accepted.order, Timetable):
        heading = accepted.order.heading
        audience, issuer, serial = heading.audience, heading.issuer, heading.serial
    else:
        return False
    scopes = _scopes_by(state.site, audience)
    kept = [state.home.kept[scope].manifest for scope in scopes if scope in state.home.kept]
    if not scopes or len(kept) < len(scopes):
        return False
    return all(one.upto.get(issuer, 0) >= serial and accepted.digest not in one.digests for one in kept)


def heads_fetched(turn: Turn, event: HeadsFetched, verify: Verify) -> None:
    """What the server gave for each scope; a newer head's manifest is to be had."""
    _put(turn, asking=False)
    _cost(turn, event.came_bytes)
    for scope, got in event.heads:
        trouble = got if isinstance(got, Reason) else _head_came(turn, scope, verify(HEAD_TOPIC, got), got)
        _tell_trouble(turn, scope, trouble)


def manifest_read(turn: Turn, event: ManifestRead) -> None:
    """A manifest is here whole. It counts if it says what its head does of itself; from here on it is kept."""
    _came(turn, event.came_bytes)
    home, manifest = turn.state.home, event.manifest
    wanted = next((one for one in home.wanted.values() if one.head.digest == event.digest), None)
    if wanted is None:
        return
    head = wanted.head
    if (manifest.scope, manifest.epoch, manifest.counter) != (head.scope, head.epoch, head.counter):
        _missed(turn, event.digest, Reason.MANIFEST_ALTERED, "it is another one than its head says")
        return
    left = {scope: one for scope, one in home.wanted.items() if scope != head.scope}
    before = home.kept.get(head.scope)
    fresh = home.fresh if before is None else home.fresh | (manifest.papers - before.manifest.papers)
    kept = {**home.kept, head.scope: Kept(head, wanted.envelope, manifest)}
    _put(turn, kept=kept, wanted=left, tried=frozenset(), missed={}, stale=home.stale - {head.scope}, fresh=fresh)
    turn.emit(KeepManifest(head.scope, wanted.envelope, event.raw))
    turn.note(Level.INFO, "manifest", scope=head.scope, epoch=head.epoch, counter=head.counter)
    _withdraw(turn)


def paper_missed(turn: Turn, event: PaperMissed) -> None:
    """Not to be had: the next hour tries again, or the next look where a line broke off."""
    _came(turn, event.came_bytes)
    _missed(turn, event.envelope, event.reason, event.detail, broke_off=event.broke_off)


def paper_read(turn: Turn, event: PaperRead) -> MessageArrived | None:
    """An order, or a trust document: to be judged as if it had come where orders come. None: it is listed no more."""
    _came(turn, event.came_bytes)
    home = turn.state.home
    missed = {paper: reason for paper, reason in home.missed.items() if paper != event.envelope}
    _put(turn, tried=home.tried | {event.envelope}, missed=missed)
    if not any(event.envelope in kept.manifest.papers for kept in home.kept.values()):
        return None
    return MessageArrived(event.topic, event.payload, NO_DELIVERY, vouched=True)


def root_fetched(turn: Turn, event: RootFetched) -> None:
    """The root's next document, or none: either way it is not asked for again in this hour, for it may be anything.

    But at the next look where a line broke off.
    """
    _came(turn, event.came_bytes)
    _not_again(turn, _root_name(event.version), broke_off=event.broke_off)


def not_kept(turn: Turn, order_id: JobId) -> None:
    """The disk has not taken it: it is lacking again, and the next look tries again, for a full disk stays full."""
    home = turn.state.home
    listed = [one for kept in home.kept.values() for one in kept.manifest.orders if one.order_id == order_id]
    papers = {one.paper.envelope for one in listed}
    _put(turn, tried=home.tried - papers, put_off=home.put_off | papers)


def advance(turn: Turn) -> None:
    """Ask for heads when it is time, and fetch what is lacking, one after the other."""
    home = turn.state.home
    if not turn.state.site.polls_home:
        return
    _ask(turn, home)
    _tell_stale(turn)
    if not turn.state.home.under_way:
        _fetch_next(turn, turn.state.home)


def next_wake(state: State) -> list[MonoMs]:
    """When the heads are to be looked at."""
    home = state.home
    if not state.site.polls_home:
        return []
    return [at for at in (home.soon_at, state.spent.papers.until) if at is not None and not home.asking]


def shown(state: State, now: Now) -> tuple[object, ...]:
    """What of it the centre wants to know at once."""
    home = state.home
    scopes = told(state, now) or ()
    return tuple((one.scope, one.lacking, home.trouble.get(one.scope), one.scope in home.stale) for one in scopes)


def told(state: State, now: Now) -> tuple[ScopeStatus, ...] | None:
    """What the station says of its scopes; None where no home is configured."""
    if not state.site.polls_home:
        return None
    return tuple(_status(state, now, scope) for scope in scopes_of(state.site))


def _status(state: State, now: Now, scope: str) -> ScopeStatus:
    home = state.home
    kept = home.kept.get(scope)
    missed = [
        home.missed[one.head.digest] for one in (home.wanted.get(scope),) if one and one.head.digest in home.missed
    ]
    if kept is None:
        reason = next(iter(missed), None) or home.trouble.get(scope)
        return ScopeStatus(scope, 0, 0, UtcMs(0), 0, reason)
    lacking = lacks(state, kept.manifest, now)
    missed += [home.missed[one.paper.envelope] for one in lacking if one.paper.envelope in home.missed]
    stale = Reason.HEAD_STALE if _is_old(kept.head, now) else None
    reason = home.trouble.get(scope) or stale or next(iter(missed), None)
    return ScopeStatus(scope, kept.head.epoch, kept.head.counter, kept.head.issued_at, len(lacking), reason)


def lacks(state: State, manifest: Manifest, now: Now) -> tuple[ListedOrder, ...]:
    """What is listed and still valid, and is neither held here, nor known to be over, nor was judged already."""
    past = now.utc if now.tells_validity else 0
    valid = [one for one in manifest.orders if one.not_after >= past and one.paper.envelope not in state.home.tried]
    return tuple(one for one in valid if not _is_known(state, one))


def _is_known(state: State, listed: ListedOrder) -> bool:
    seen = state.seen.get(listed.order_id)
    return seen is not None and seen.digest == listed.digest


def _head_came(turn: Turn, scope: str, head: Judgement, envelope: bytes) -> Reason | None:
    """What is wrong with it, if anything; a newer one is wanted."""
    if isinstance(head, Rejected):
        return head.reason
    if not isinstance(head, Head) or head.scope != scope:
        return Reason.MANIFEST_ALTERED
    if turn.now.trusted and head.issued_at > turn.now.utc + TIMETABLE_ERROR_MAX_MS:
        return Reason.NOT_YET_VALID
    kept = turn.state.home.kept.get(scope)
    if kept is not None and head.place == kept.head.place:
        return None if head.digest == kept.head.digest else Reason.HEAD_EQUIVOCAL
    if kept is not None and head.place < kept.head.place:
        return Reason.HEAD_STALE
    _put(turn, wanted={**turn.state.home.wanted, scope: Wanted(head, envelope)})
    return None


def _tell_trouble(turn: Turn, scope: str, trouble: Reason | None) -> None:
    """What is wrong is told once, when it begins."""
    before = turn.state.home.trouble
    if trouble is None:
        _put(turn, trouble={other: reason for other, reason in before.items() if other != scope})
    elif before.get(scope) is not trouble:
        _put(turn, trouble={**before, scope: trouble})
        turn.note(Level.WARNING, "manifest head", scope=scope, reason=trouble, words=explain(trouble))


def _tell_stale(turn: Turn) -> None:
    old = {scope for scope, kept in turn.state.home.kept.items() if _is_old(kept.head, turn.now)}
    for scope in sorted(old - turn.state.home.stale):
        words = explain(Reason.HEAD_STALE)
        turn.note(Level.WARNING, "manifest not renewed, everything plays on", scope=scope, words=words)
    if old != turn.state.home.stale:
        _put(turn, stale=frozenset(old))


def _is_old(head: Head, now: Now) -> bool:
    return now.tells_validity and now.utc > head.issued_at + HEAD_GOOD_MS


def _came(turn: Turn, came_bytes: int) -> None:
    """What was under way is answered. Its length was counted when it was asked for; so is what it cost beyond that."""
    _cost(turn, max(0, came_bytes - turn.state.home.asked_bytes))
    _put(turn, under_way="", asked_bytes=0)


def _missed(turn: Turn, paper: str, reason: Reason, detail: str, *, broke_off: bool = False) -> None:
    home = turn.state.home
    listed = (one.manifest.papers for one in home.kept.values())
    named = frozenset(one.head.digest for one in home.wanted.values()).union(*listed)
    before = {one: why for one, why in home.missed.items() if one in named}  # else a server has it grow with each head
    _put(turn, missed={**before, paper: reason})
    _not_again(turn, paper, broke_off=broke_off)
    turn.note(Level.WARNING, "not to be had from the content server", sha256=paper, reason=reason, detail=detail)


def _not_again(turn: Turn, paper: str, *, broke_off: bool) -> None:
    """In this hour; or at this look."""
    home = turn.state.home
    if broke_off:
        _put(turn, put_off=home.put_off | {paper})
    else:
        _put(turn, given_up=home.given_up | {paper})


def _withdraw(turn: Turn) -> None:
    """What is no longer in force ends, what sounds of it too, each with its record."""
    gone: set[str] = set()
    for rule in [rule for rule in turn.state.rules.values() if withdrawn(turn.state, rule.accepted)]:
        gone.add(rule.accepted.order_id)
        enforcing.end(turn, rule, Reason.WITHDRAWN)
    for known in list(turn.state.jobs.values()):
        with_it = known.accepted.edition is not None and known.accepted.edition.order_id in gone
        if with_it or withdrawn(turn.state, known.accepted):
            sounding.call_off(turn, known, Cause.CALLED_OFF, Reason.WITHDRAWN)


def _ask(turn: Turn, home: Home) -> None:
    """Look at the heads. Each hour with a new allowance; between, as long as there is something left of it."""
    now, papers = turn.now.mono, turn.state.spent.papers
    due = [at for at in (home.soon_at, papers.until) if at is not None and now >= at]
    if not due or home.asking:
        return
    until = papers.until or now
    if until <= now:
        turn.spend(papers=Papers(MonoMs(now + HOUR_MS - (now - until) % HOUR_MS)))
        _put(turn, given_up=frozenset(), fresh=frozenset())
    elif papers.bytes >= HOUR_BYTES_MAX:
        _put(turn, soon_at=None)
        return
    _put(turn, asking=True, asked_at=now, soon_at=None, put_off=frozenset())
    turn.emit(FetchHeads(scopes_of(turn.state.site)))


def _fetch_next(turn: Turn, home: Home) -> None:
    """What makes heads believed first, then manifests, then what makes orders believed, then orders."""
    root = _root_wanted(turn.state)
    if root is not None and _may_cost(turn.state, _root_name(root), 0, HOUR_BYTES_MAX):
        _under_way(turn, _root_name(root), 0)
        turn.emit(FetchRoot(station_scope(turn.state.site.station), root))
        return
    for wanted in home.wanted.values():
        if _may_cost(turn.state, wanted.head.digest, wanted.head.length, HOUR_BYTES_MAX):
            _under_way(turn, wanted.head.digest, wanted.head.length)
            turn.emit(FetchManifest(wanted.head.digest, wanted.head.length))
            return
    for scope, paper in _papers(turn.state, turn.now):
        most = HOUR_BYTES_MAX - (0 if paper.envelope in home.fresh else NEW_BYTES_KEPT)
        if _may_cost(turn.state, paper.envelope, paper.length, most):
            _under_way(turn, paper.envelope, paper.length)
            turn.emit(FetchPaper(scope, paper.envelope, paper.length))
            return


def _root_wanted(state: State) -> int | None:
    """The version of the root that may name who signs heads today.

    A server whose key was stolen has another, its manifests list the root that names it, and its heads are a stranger's
    to whoever has not that root: it cannot be had by them.
    """
    have = next((head.version for head in state.trust.heads if head.area == ROOT_AREA), None)
    if have is None or STRANGERS.isdisjoint(state.home.trouble.values()):
        return None
    return have + 1


def _root_name(version: int) -> str:
    """What is under way, or given up, where there is no SHA-256 to name it by."""
    return f"root/{version}"


def _may_cost(state: State, digest: str, length: int, bytes_max: int) -> bool:
    given_up = state.home.given_up | state.home.put_off
    return digest not in given_up and state.spent.papers.bytes + length <= bytes_max


def _cost(turn: Turn, more: int) -> None:
    papers = turn.state.spent.papers
    turn.spend(papers=replace(papers, bytes=papers.bytes + more))


def _under_way(turn: Turn, digest: str, length: int) -> None:
    _put(turn, under_way=digest, asked_bytes=length)
    _cost(turn, length)


def _papers(state: State, now: Now) -> Iterator[tuple[str, Paper]]:
    """What to fetch. By an old head, or by nobody knows which time, no order: it may have been withdrawn since.

    What ends soonest goes first: a manifest does not tell a warning apart, but a warning is valid for hours.
    """
    for scope, kept in state.home.kept.items():
        yield from ((scope, one.paper) for one in _newer_trust(state, kept.manifest, now))
    known = now.tells_validity  # in a dispute signed time counts: NTP that lies must keep no warning back
    fresh = [(scope, kept) for scope, kept in state.home.kept.items() if known and not _is_old(kept.head, now)]
    listed = [(scope, one) for scope, kept in fresh for one in lacks(state, kept.manifest, now)]
    yield from ((scope, one.paper) for scope, one in sorted(listed, key=lambda each: each[1].not_after))


def _newer_trust(state: State, manifest: Manifest, now: Now) -> list[ListedTrust]:
    """Those that can be judged now: an area's is refused while nobody knows the time (``entrusted``)."""
    have = {head.area: (head.epoch, head.version) for head in state.trust.heads}
    newer = [one for one in manifest.trust if (one.epoch, one.version) > have.get(one.area, (0, 0))]
    judged = [one for one in newer if one.area == ROOT_AREA or now.tells_validity]
    ours = [one for one in judged if one.paper.envelope not in state.home.tried]
    return sorted(ours, key=lambda one: (one.area.count("/"), one.area != "", one.epoch, one.version))


def _scopes_by(site: Site, audience: Audience) -> tuple[str, ...]:
    """The scopes of this station that an order is addressed by."""
    named = [area_scope(area) for area in audience.areas & site.areas()]
    return (*named, *((station_scope(site.station),) if site.station in audience.stations else ()))


def _put(turn: Turn, **changes: object) -> None:
    turn.state = replace(turn.state, home=replace(turn.state.home, **changes))  # type: ignore[arg-type]
