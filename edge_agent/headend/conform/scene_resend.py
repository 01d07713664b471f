"""The scene of an acknowledgement that does not come: an upload meets silence, then wrong words, then the right one."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.headend import signing
from edge_agent.headend.conform.asking import ask
from edge_agent.headend.conform.bench import Bench, Seen
from edge_agent.headend.conform.orders import digest_of
from edge_agent.headend.conform.scene_return import places
from edge_agent.sync.reports import LogCursor
from edge_agent.sync.topics import Down, Up
from edge_agent.trust.keys import Signer, new_signer

BEYOND = 1_000
# Records that a wrong acknowledgement claims to hold and that do not exist.


@dataclass(frozen=True, slots=True)
class Resend:
    """An upload that nobody acknowledged rightly, and what came after."""

    first: Seen | None
    repeated: Seen | None
    held: frozenset[tuple[str, int, str]]
    after: frozenset[tuple[str, int, str]]
    waiting: int | None


def resend(bench: Bench) -> Resend:
    """Refuse a record its acknowledgement, give wrong ones, then the right one."""
    bench.serving.acks = False
    try:
        mark = len(bench.seen)
        bench.send(bench.orders.for_nobody())
        first = bench.wait(lambda one: one.kind == Up.LOG, bench.pace.answer_s, mark)
        if first is not None:
            _acknowledge_wrongly(bench, first)
        bench.serving.acks = True
        patience_s = bench.pace.log_again_s + bench.pace.slack_s
        repeated = bench.wait(lambda one: one.kind == Up.LOG, patience_s, mark if first is None else first.number + 1)
    finally:
        bench.serving.acks = True
    held = places(bench, mark)
    mark = len(bench.seen)
    last = bench.orders.for_nobody()
    bench.send(last)
    bench.record(last.digest, bench.pace.answer_s)
    after = places(bench, mark)
    bench.settle(bench.pace.silence_s)
    return Resend(first, repeated, held, after, _waiting(bench))


def _waiting(bench: Bench) -> int | None:
    mark = len(bench.seen)
    ask(bench, bench.orders.normal())
    state = bench.wait(lambda one: one.kind == Up.STATE, bench.pace.show_s, mark)
    return None if state is None else state.told.get("records_waiting")


def _acknowledge_wrongly(bench: Bench, upload: Seen) -> None:
    """Signed by a stranger; by the right key, but of another chain; and of records that do not exist yet."""
    batch = upload.batch
    if batch is None:
        return  # not in its form: a clause of its own says so
    last, right = batch.records[-1], bench.orders.keyring.signer("ack")
    stranger = _ack(bench, LogCursor(batch.epoch, last.seq, last.hash), new_signer())
    bench.say(Down.ACK, stranger, digest_of(stranger))
    bench.say(Down.ACK, _ack(bench, LogCursor("0123456789abcdef", last.seq, last.hash), right))
    bench.say(Down.ACK, _ack(bench, LogCursor(batch.epoch, last.seq + BEYOND, "0" * 64), right))


def _ack(bench: Bench, cursor: LogCursor, signer: Signer) -> bytes:
    return signing.ack(bench.orders.keyring.realm, bench.station, cursor, signer)
