"""The scene of the hello: wrong welcomes first, then none, then a late one, then the right one, then one too many.

Every wrong welcome tells a time ten minutes ahead, so that whoever believes one shows it by his clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.core.units import MINUTE_MS, StationId, UtcMs
from edge_agent.headend import signing
from edge_agent.headend.conform.asking import ask, awaited
from edge_agent.headend.conform.bench import Bench, Seen
from edge_agent.headend.conform.orders import NOBODY, Order, digest_of
from edge_agent.sync.reports import AnswerMsg
from edge_agent.sync.topics import Down, Up
from edge_agent.trust.keys import Signer

AHEAD_MS = 10 * MINUTE_MS
# Far more than any honest error, and less than would hurt if a station did believe it for a minute.


@dataclass(frozen=True, slots=True)
class Greeting:
    """What was seen. ``again`` is the hello after the first went unanswered, ``anew`` the one after a late welcome."""

    first: Seen
    forged: AnswerMsg | None
    other_station: AnswerMsg | None
    other_realm: AnswerMsg | None
    again: Seen | None
    anew: Seen | None
    settled: Seen | None


def greet(bench: Bench, first: Seen) -> Greeting:
    """Play it; the first hello has come and was not answered."""
    nonce = str(first.told.get("nonce", ""))
    mark = bench.say(Down.WELCOME, _welcome(bench, "0" * 32, AHEAD_MS))
    forged = _answer_to(bench, _welcome(bench, nonce, AHEAD_MS, signer=bench.orders.pen().signers[0]))
    station = _answer_to(bench, _welcome(bench, nonce, AHEAD_MS, station=NOBODY))
    realm = _answer_to(bench, _welcome(bench, nonce, AHEAD_MS, realm=f"{bench.orders.keyring.realm[:60]}-2"))
    again = _hello(bench, bench.pace.hello_again_s + bench.pace.slack_s, mark)
    anew = None if again is None else _answer_late(bench, nonce, again)
    settled = _welcome_at_last(bench, anew or again or first)
    return Greeting(first, forged, station, realm, again, anew, settled)


def _answer_late(bench: Bench, old_nonce: str, again: Seen) -> Seen | None:
    """First an answer to the hello before, then a late one to this. Returns the hello that must follow."""
    bench.say(Down.WELCOME, _welcome(bench, old_nonce, AHEAD_MS))
    bench.settle(bench.pace.welcome_late_s + 1)
    mark = bench.say(Down.WELCOME, _welcome(bench, str(again.told.get("nonce", "")), AHEAD_MS))
    return _hello(bench, bench.pace.answer_s, mark)


def _welcome_at_last(bench: Bench, hello: Seen) -> Seen | None:
    """The right welcome, and a second one to the same hello. Returns the state that follows."""
    nonce = str(hello.told.get("nonce", ""))
    bench.say(Down.WELCOME, _welcome(bench, nonce, 0))
    bench.settle(bench.pace.silence_s)
    bench.say(Down.WELCOME, _welcome(bench, nonce, AHEAD_MS))
    bench.serving.welcomes = True
    mark = len(bench.seen)
    ask(bench, bench.orders.normal())  # a change, so that a state is told
    return bench.wait(lambda one: one.kind == Up.STATE, bench.pace.show_s, mark)


def _hello(bench: Bench, seconds: float, since: int) -> Seen | None:
    return bench.wait(lambda one: one.kind == Up.HELLO, seconds, since)


def _answer_to(bench: Bench, envelope: bytes) -> AnswerMsg | None:
    order = Order(envelope, digest_of(envelope))
    mark = bench.say(Down.WELCOME, envelope, order.digest)
    return awaited(bench, order, mark)


def _welcome(
    bench: Bench, nonce: str, ahead_ms: int, *, realm: str = "", station: str = "", signer: Signer | None = None
) -> bytes:
    keyring = bench.orders.keyring
    area = keyring.stations[StationId(bench.station)].area
    return signing.welcome(
        realm or keyring.realm,
        StationId(station or bench.station),
        nonce,
        UtcMs(bench.orders.now() + ahead_ms),
        keyring.newest(area),
        keyring.marks(area),
        bench.logbook.of(bench.station).cursor(),
        signer or keyring.signer("welcome"),
    )
