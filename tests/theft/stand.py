"""A station on an ordinary noon, real from the judge to the core: what does it make of what a thief has signed?

Of honest orders a programme sounds in one zone and a warning in another, an offer waits, an exception is laid down.
What comes of a message is seen in what the core asks its devices and its journal for, within the next three
seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import time

from edge_agent.core import effects as fx
from edge_agent.core import standing, station
from edge_agent.core.effects import Verdict
from edge_agent.core.events import (
    Connected,
    DeviceUp,
    HeadsFetched,
    Judgement,
    ManifestRead,
    Rejected,
    Restored,
    TrustChanged,
)
from edge_agent.core.heads import Head, Manifest, scopes_of
from edge_agent.core.job import Accepted, Job, JobClass, Welcome
from edge_agent.core.manifests import HEAD_TOPIC
from edge_agent.core.occurrence import Phase
from edge_agent.core.plays import ZonePart
from edge_agent.core.site import STANDARD, LocalPolicy
from edge_agent.core.units import JobId, ZoneId
from edge_agent.trust.keeper import Keeper
from edge_agent.trust.strict_json import INTEGER_MAX
from tests.core.bench import Bench
from tests.theft import network
from tests.theft.network import KEY_NAMES, Document, signed
from tests.trust import makers
from tests.trust.makers import DAY_MS, HOUR_MS, NOON

NEWS, FLOOD, OFFER = JobId("honest-news"), JobId("honest-flood"), JobId("honest-offer")
WRITTEN, ACKED = 9, 3
"""Records in the log, and how many of them the centre is known to hold."""
SECONDS = 3
QUIET_NOW = LocalPolicy(clauses=(replace(STANDARD, quiet=(time(11), time(13))),))

MOVES_CLOCK = "the clock is set"
MOVES_LOG = "the log is taken for safe"
TRUSTS = "others are obeyed"
SOUNDS = "ordinary sound begins"
WARNS = "a warning begins"
ENDS_NEWS = "ordinary sound ends"
ENDS_FLOOD = "a warning ends"
BINDS = "other rules hold"
WARMS = "an amplifier is switched"
RESTARTS = "the software is started anew"
TELLS = "a day is told"


def topic_of(payload: Document) -> str:
    """Where such a message has to come."""
    if payload["type"] == "head":
        return HEAD_TOPIC  # it is fetched, and comes by no broker
    last = payload["type"] if payload["type"] in ("welcome", "ack") else "job"
    return f"loa/1/d/{makers.STATION}/{last}"


@dataclass(frozen=True, slots=True)
class Tried:
    """Whether it was obeyed, and what came of it."""

    obeyed: bool
    brought: frozenset[str]


class Stand:
    """One station; each try finds it as it was, whatever was tried before."""

    def __init__(self, keeper: Keeper, *, quiet: bool = False) -> None:
        self._keeper = keeper
        self._before = _at_noon(quiet=quiet)

    def sounding(self) -> set[JobId]:
        """What sounds before anybody tries anything."""
        return {job_id for job_id in self._before.state.jobs if _hearing(self._before, job_id)}

    def try_out(self, payload: Document, envelope: bytes) -> Tried:
        """He has signed the payload, and sends its envelope."""
        judgement = self._keeper.judge(topic_of(payload), envelope)
        if isinstance(judgement, Rejected):
            return Tried(False, frozenset())
        bench = self.as_it_was()
        if isinstance(judgement, Head):
            fetched(bench, judgement, envelope)
        else:
            bench.arrive(judgement, topic_of(payload))
            self._believe(bench, envelope)
        for _ in range(SECONDS):
            bench.pass_s(1)
        return Tried(_obeyed(bench, judgement), frozenset(self._brought(bench)))

    def as_it_was(self) -> Bench:
        """The station before the try, to go on with."""
        bench = Bench()
        bench.state, bench.now = self._before.state, self._before.now
        return bench

    def _believe(self, bench: Bench, envelope: bytes) -> None:
        """What the shell does with a document that the core has taken; this stand's own judge goes on as it was."""
        if not bench.every(fx.TakeTrust):
            return
        beside = Keeper(self._keeper.chain, bench.state.site, self._keeper.anchor)
        beside.take(envelope)
        orders = [known.accepted for known in (*bench.state.jobs.values(), *bench.state.rules.values())]
        again = beside.again(orders)
        bench.send(TrustChanged(beside.standing, again.revoked, changed=again.changed))

    def _brought(self, bench: Bench) -> Iterator[str]:
        yield from (_SEEN[type(one)] for one in bench.said if type(one) in _SEEN)
        begun = [_job_of(bench, one) for one in bench.every(fx.StartPlay)]
        yield from (WARNS if job.plays_as is JobClass.EMERGENCY else SOUNDS for job in begun)
        for what, job_id in ((ENDS_NEWS, NEWS), (ENDS_FLOOD, FLOOD)):
            if _hearing(self._before, job_id) - _hearing(bench, job_id):
                yield what
        if _bound(bench) != _bound(self._before):
            yield BINDS
        if not begun and any(one.on for one in bench.every(fx.SwitchRelay)):
            yield WARMS


def _obeyed(bench: Bench, judgement: Judgement) -> bool:
    """An order or a document is answered; a server's word has no answer, and counts unless nothing came of it."""
    if isinstance(judgement, Head):
        return bench.every(fx.KeepManifest) != []
    answers = bench.answers()
    return not answers or answers[0][0] == Verdict.ACCEPTED


def fetched(bench: Bench, head: Head, envelope: bytes) -> None:
    """The content server is his as well, and answers with this head wherever the station asks.

    Its manifest says the worst: that every order is known there, and none is in force.
    """
    bench._judgements[envelope] = head
    bench.send(HeadsFetched(tuple((scope, envelope) for scope in scopes_of(bench.state.site))))
    upto = dict.fromkeys((network.WARD_NAME, network.OWNER_NAME, network.PROVINCE_NAME), INTEGER_MAX)
    body = Manifest(head.scope, head.epoch, head.counter, upto, (), ())
    bench.send(ManifestRead(head.digest, body, b"body"))


_SEEN = {
    fx.AdoptTime: MOVES_CLOCK,
    fx.SaveLogAck: MOVES_LOG,
    fx.TakeTrust: TRUSTS,
    fx.EndProcess: RESTARTS,
    fx.SendPlan: TELLS,
}


def _bound(bench: Bench) -> object:
    """What rules there are, beside what has sounded."""
    rules = standing.rules_of(bench.state, bench.now)
    return rules.policy, rules.windows, set(rules.locked), rules.volumes


def _job_of(bench: Bench, begun: fx.StartPlay) -> Job:
    (play,) = [play for play in bench.state.plays.values() if play.play_id == begun.play_id]
    return bench.state.jobs[play.job_id].job


def _hearing(bench: Bench, job_id: JobId) -> set[ZoneId]:
    playing = [one for one in bench.state.plays.values() if one.job_id == job_id and one.phase is Phase.PLAYING]
    return {zone for one in playing if one.ending is None for zone in one.zones_in(ZonePart.HEARING)}


def _at_noon(*, quiet: bool) -> Bench:
    """The station before anybody tries anything. Its honest orders were judged by the documents that all begin with."""
    bench, judge = Bench(), network.keeper().judge
    bench.state = station.start(network.site(policy=QUIET_NOW if quiet else LocalPolicy()))
    bench.send(Restored((), (), {}, WRITTEN, ACKED, "e1", trust=network.keeper().standing))
    bench.send(DeviceUp())
    bench.send(Connected(1, makers.NONCE))
    bench.arrive(Welcome(bench.state.link.nonce, bench.now.utc, (), (), "e1", ACKED, ""), makers.WELCOME_TOPIC)
    for payload, names in _honest(quiet=quiet):
        accepted = judge(topic_of(payload), signed(payload, names))
        assert not isinstance(accepted, Rejected), accepted
        if isinstance(accepted, Accepted):
            accepted = replace(accepted, offered=accepted.order_id == OFFER)
        bench.arrive(accepted)
    for _ in range(SECONDS):
        bench.pass_s(1)
    bench.said.clear()
    return bench


def _honest(*, quiet: bool) -> Iterator[tuple[Document, tuple[str, ...]]]:
    to = {"areas": [makers.AREA], "zones": ["dinh"]}
    warning = {"class": "emergency", "not_after": NOON + HOUR_MS, "audience": to}
    yield makers.job_dict(job_id=FLOOD, **warning), KEY_NAMES["ward-emergency"]
    yield makers.job_dict(job_id=OFFER, when={"kind": "at", "utc": NOON + DAY_MS}), KEY_NAMES["ward-routine"]
    yield makers.window_dict(order_id="honest-window"), KEY_NAMES["ward-policy"]
    if not quiet:
        yield makers.job_dict(job_id=NEWS, audience={**to, "zones": ["cho"]}), KEY_NAMES["ward-routine"]
