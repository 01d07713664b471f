"""One sound, and what its station knew: what a judge may ask of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.core.units import SECOND_MS, ZoneId
from tests.redteam.creed import Creed
from tests.redteam.ledger import Given, Programme
from tests.redteam.memory import Belief, Memory
from tests.redteam.papers import SERVER, key
from tests.sim import BEGAN
from tests.ward.card import Run

if TYPE_CHECKING:
    from tests.redteam.life import Life

CLOCK_MS = 30 * SECOND_MS
# The longest round trip of a welcome that counts (7.3): so far a clock may be off by what a broker delays.
OBEYED_MS = 1 * SECOND_MS
# From when an order is on the card until the last sound that it ends is gone.


@dataclass(frozen=True, slots=True)
class Heard:
    """One sound, where it came from, and what its station knew."""

    life: Life
    station: str
    run: Run

    @property
    def memory(self) -> Memory:
        return self.life.memories[self.station]

    @property
    def lied_ms(self) -> int:
        """How far off the time was by which it plays, where nobody but a liar has told it any."""
        belief = self.belief
        return 0 if belief.utc is None or belief.signed else belief.utc - BEGAN - belief.at

    @property
    def utc(self) -> int:
        """By the station's own clock, where it could not know better."""
        return BEGAN + self.run.begins + self.lied_ms

    @property
    def ends_utc(self) -> int:
        """The same, of its end."""
        return BEGAN + self.run.ends + self.lied_ms

    @property
    def planned(self) -> int:
        return int(self.run.play.play_id.split(".")[-2])

    @property
    def timed(self) -> bool:
        """Whether anything can be said about the time: whoever has the server's key sets the clock (12.28)."""
        return SERVER not in self.life.script.setting.stolen

    @property
    def timeless(self) -> bool:
        """Whether it sounds where nobody tells the time (7.11)."""
        return self.belief.utc is None

    @property
    def belief(self) -> Belief:
        return self.memory.believed(self.run.play.play_id, self.run.begins)

    @property
    def zones(self) -> set[ZoneId]:
        """Those that hear something of it; one may be taken out between its relay and the first sample."""
        return {zone for zone, _, _ in self.run.spans(self.run.ends)}

    def choices(self, programme: Programme) -> Iterator[Given]:
        """Those that had chosen it when it began, and held until it ended."""
        for choice in self.life.ledger.of("choose"):
            named = choice.payload["do"]["target"] == programme.job_id and choice.is_for(self.station)
            since = self.memory.since(choice.order_id, self.run.begins) if named else None
            if since is None or self.taken_back(choice.payload["issuer"], choice.order_id):
                continue
            revoked = self.revoked(choice, since)
            holds = revoked is None or self.run.ends <= revoked + OBEYED_MS
            if holds and self._only_offered_since(programme, since):
                yield choice

    def only_offered(self, programme: Programme) -> Iterator[tuple[int, float]]:
        """Each [from, until) of what follows on its beginning in which its signers may only offer it."""
        for since, until, creed in self.memory.creeds():
            if self.run.begins < until and _only_offers(creed, programme):
                yield max(since, self.run.begins), until

    def _only_offered_since(self, programme: Programme, since: int) -> bool:
        """Whether nobody else was to plan it meanwhile: with such a document every choice is over (6.13)."""
        meanwhile = (
            creed
            for begins, until, creed in self.memory.creeds()
            if begins <= self.run.begins - OBEYED_MS and since < until
        )
        return all(_only_offers(creed, programme) for creed in meanwhile)

    def taken_back(self, issuer: str, *names: str) -> Given | None:
        """The cancel of an order of that issuer, by one of its names, that was obeyed before this sound ended."""
        for cancel in self.life.ledger.of("cancel"):
            ours = cancel.payload["issuer"] == issuer and cancel.is_for(self.station)
            if ours and cancel.payload["do"]["target"] in names and self.goes_on_after(cancel):
                return cancel
        return None

    def knew(self, order: Given, obeyed_ms: int = OBEYED_MS) -> bool:
        """Whether the station had obeyed it, for so long, when this sound began."""
        return self._obeyed(order, self.run.begins - obeyed_ms)

    def was_let(self, order: Given) -> bool:
        """Whether the station had obeyed it when this sound began, and until it could end it."""
        since = self.memory.since(order.order_id, self.run.begins)
        revoked = None if since is None else self.revoked(order, since)
        return since is not None and (revoked is None or self.run.ends <= revoked + OBEYED_MS)

    def was_there(self, order: Given) -> bool:
        """Whether it was on the card, and in force, when the machine was switched on."""
        taken = self.memory.since(order.order_id, self.run.begins)
        return taken is not None and taken < max(at for at in self.memory.powered if at <= self.run.begins)

    def may_be_over(self, order: Given) -> bool:
        """Whether a time years ahead may have ended it (12.30): a window at once, what lasts behind a new start."""
        first = self.memory.first.get(order.order_id, 0)
        restarted = any(first < boot <= self.run.ends for boot in self.memory.boots)
        return not self.timed and (order.kind == "window" or restarted)

    def goes_on_after(self, order: Given) -> bool:
        """Whether this sound went on although the station had obeyed it."""
        return self._obeyed(order, self.run.ends - OBEYED_MS)

    def holds(self, order: Given) -> Iterator[tuple[int, float]]:
        """From and to when the station obeys what asks for silence."""
        first, of, off_ms = self.memory.first.get(order.order_id, 0), order.payload, self.lied_ms
        over = of["ends"] - BEGAN - off_ms - CLOCK_MS if order.kind == "window" else first + 1_000 * of["do"]["for_s"]
        for since, until in self.memory.known(order.order_id):
            revoked = self.revoked(order, since)
            ends = min(until, over - SECOND_MS, self.run.ends if revoked is None else revoked)
            begins = max(since, of["begins"] - BEGAN - off_ms + CLOCK_MS) if order.kind == "window" else since
            yield begins + OBEYED_MS, ends

    def revoked(self, order: Given, since: int) -> int | None:
        """From when on the documents do not let those order it who have signed it, of all from ``since`` to the end.

        What is over in this way stays so, whatever comes later (6.13), and on a copy of the card too.
        """
        keyids = {key(name).keyid for name in order.keys}
        for first, last in (*self.memory.before(order.order_id, since), (since, self.run.ends)):
            for begins, ends, creed in self.memory.creeds():
                # Two documents may come in the ms in which the station begins to obey.
                if begins < last and first <= ends and not creed.lets(order.payload, keyids):
                    return max(begins, since)
        return None

    def _obeyed(self, order: Given, at: int) -> bool:
        """What a revoked key has ordered holds no more."""
        since = self.memory.since(order.order_id, at)
        return since is not None and self.revoked(order, since) is None


def _only_offers(creed: Creed, programme: Programme) -> bool:
    keyids = {key(name).keyid for name in programme.order.keys}
    return creed.only_offers(programme.order.payload, keyids, programme.payload["class"])
