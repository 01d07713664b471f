"""Run the clauses against one station: sets the bench up, tries one after the other, hands the results back.

The kit is the headend while it runs. It keeps a lock in the ward's directory, so that it and a ``watch`` of the same
ward are never connected at once: one would throw the other out of the broker.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_agent.core.units import StationId
from edge_agent.headend.conform.bench import Bench, BenchError
from edge_agent.headend.conform.clause import Clause, Result
from edge_agent.headend.conform.content import Content
from edge_agent.headend.conform.hand import Hand, TakenOver
from edge_agent.headend.conform.orders import Orders, Rules
from edge_agent.headend.conform.pace import PROTOCOL, Pace
from edge_agent.headend.conform.relay import Relay
from edge_agent.headend.conform.verdicts import CannotTry, NotTried, Verdict
from edge_agent.headend.desk import Desk
from edge_agent.headend.headend import utc_now
from edge_agent.headend.headend_lock import headend_lock
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.logbook import Logbook
from edge_agent.headend.session import BrokerAddress

CONNECT_S = 30


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run is asked for. ``content`` is where the station reaches the kit's content server, ``relay`` where it
    connects instead of the broker; None: nowhere."""

    station: str
    broker: BrokerAddress
    records: Path
    rules: Rules
    content: BrokerAddress | None = None
    relay: BrokerAddress | None = None
    audible: bool = False
    pace: Pace = PROTOCOL


def run(
    keyring: Keyring, wanted: Wanted, clauses: Sequence[Clause], tell: Callable[[Result], None] = lambda _: None
) -> list[Result]:
    """Try ``clauses`` in their order, and tell of each when it is decided. Raises HeadendError where nothing can be
    said of the station: no such enrolment, no broker, no word."""
    if wanted.station not in keyring.stations:
        raise BenchError(
            f"--station {wanted.station}: trạm chưa đăng ký ở đây / not enrolled here; `keys station` enrols it"
        )
    with _bench(keyring, wanted) as bench:
        bench.begin()
        results = []
        for clause in clauses:
            results.append(Result(clause, attempt(bench, clause)))
            tell(results[-1])
        return results


def attempt(bench: Bench, clause: Clause) -> Verdict:
    """The verdict of one clause."""
    try:
        return clause.trial(bench)
    except CannotTry as reason:
        return NotTried(str(reason))


@contextmanager
def _bench(keyring: Keyring, wanted: Wanted) -> Iterator[Bench]:
    with ExitStack() as opened:
        opened.enter_context(headend_lock(keyring.directory, alone=True))
        content = _content(keyring, wanted, opened)
        relay = _relay(wanted, opened)
        hand = Hand(keyring, wanted.broker)
        opened.callback(hand.stop)
        hand.start()
        hand.wait_until_up(CONNECT_S)
        logbook = Logbook(wanted.records)
        orders = Orders(keyring, keyring.stations[StationId(wanted.station)], wanted.rules, utc_now)
        yield Bench(
            line=hand,
            desk=Desk(keyring, logbook),
            logbook=logbook,
            orders=orders,
            pace=wanted.pace,
            take_over=lambda: TakenOver(keyring, wanted.broker, wanted.station),
            content=content,
            relay=relay,
            audible=wanted.audible,
        )


def _content(keyring: Keyring, wanted: Wanted, opened: contextlib.ExitStack) -> Content | None:
    if wanted.content is None:
        return None
    try:
        return opened.enter_context(Content(keyring, wanted.content))
    except OSError as error:
        where = f"{wanted.content.host}:{wanted.content.port}"
        raise BenchError(
            f"--content {where}: {error.strerror or error}; `content` đang chạy ở đó? / is `content` running there?"
        ) from error


def _relay(wanted: Wanted, opened: contextlib.ExitStack) -> Relay | None:
    if wanted.relay is None:
        return None
    try:
        return opened.enter_context(Relay(wanted.relay, wanted.broker))
    except OSError as error:
        raise BenchError(f"--relay {wanted.relay.host}:{wanted.relay.port}: {error.strerror or error}") from error
