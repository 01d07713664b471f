"""The scene of a cut line: the will appears after its delay, and the station comes back when the line is whole."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.headend.conform.bench import Bench, Seen
from edge_agent.headend.conform.verdicts import CannotTry
from edge_agent.sync.messages import Why
from edge_agent.sync.topics import Up

NO_RELAY = "the station must connect through the kit, so that its line can be cut: --relay HOST:PORT"


@dataclass(frozen=True, slots=True)
class Cut:
    """What was seen. ``cut_s`` is the instant of the cut."""

    before: Seen
    cut_s: float
    will: Seen | None
    mended_s: float
    hello: Seen | None


def cut_off(bench: Bench) -> Cut:
    """Cut, wait for the will, mend, wait for the hello. Raises CannotTry where the station does not come this way."""
    if bench.relay is None or not bench.relay.joined:
        raise CannotTry(NO_RELAY)
    before = bench.newest_state()
    if before is None:
        raise CannotTry("no state was seen before")
    mark, cut_s = len(bench.seen), bench.clock()
    bench.relay.cut()
    try:
        will = bench.wait(_is_will, bench.pace.will_delay_s + bench.pace.answer_s, mark)
    finally:
        bench.relay.mend()
    mended_s = bench.clock()
    hello = bench.wait(lambda one: one.kind == Up.HELLO, bench.pace.back_s_max, len(bench.seen))
    return Cut(before, cut_s, will, mended_s, hello)


def _is_will(one: Seen) -> bool:
    # Believed or not: that it is signed is a clause of its own. One that nobody can read is a will too.
    return one.kind == Up.STATE and one.claims.get("why", Why.CONNECTION_LOST) == Why.CONNECTION_LOST
