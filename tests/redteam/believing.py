"""Look at every step whether a station believes the documents that it was shown, and no others (``creed``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.core.effects import AdoptTime
from edge_agent.core.events import Event, HomeAnswered, MessageArrived, PaperRead, RootFetched
from tests.redteam.creed import Creed
from tests.redteam.offices import FROM_AHEAD_MS
from tests.redteam.papers import STATIONS
from tests.soak.promises import Broken
from tests.ward.agent import Agent

if TYPE_CHECKING:
    from tests.redteam.life import Life

KEPT_MS = 1_000
# A document that was believed for so long is on the card.


class Believing:
    """Of one station; ``creed`` is what it must believe now."""

    def __init__(self, life: Life, station: str) -> None:
        self._life = life
        self._station = station
        self._since = 0
        self._card = 0
        self._seen: dict[str, bytes] = {}
        self.creed: Creed | None = None

    def booted(self, agent: Agent) -> None:
        """What it believes is what its card and its trust file say, and no less than before."""
        world, memory = self._life.worlds[self._station], self._life.memories[self._station]
        kept = [envelope for _, envelope in world.disk.committed.trust.values()]
        creed = Creed.begun(STATIONS[self._station].area, world.trust_file, kept)
        card, before = len(memory.lives), self.creed
        lasted_ms = memory.ended(self._since, world.mono) - self._since
        if before is not None and card == self._card and lasted_ms > KEPT_MS:
            back = [area for area in before.newest if creed.place(area) < before.place(area)]
            self._promise("a_document_that_counts_is_kept", not back, f"{back} went back in a restart")
        self._card = card
        places, kept_places = _places(Creed(creed.ward, agent.documents)), _places(creed)
        back = [area for area, place in places.items() if place < kept_places.get(area, place)]
        self._promise("no_document_goes_back", not back, f"{back} in a restart")
        self._promise("what_is_kept_counts", places == kept_places, f"{places}, and not {kept_places}")
        self._believes(creed, agent)

    def stepped(self, agent: Agent, event: Event) -> None:
        """One event."""
        assert self.creed is not None
        documents = agent.documents
        if documents is not self._seen:
            for area, envelope in documents.items():
                if self._seen.get(area) is not envelope:
                    self._takes(area, envelope)
            self._believes(self.creed, agent)
        came = _came(event)
        if isinstance(came, MessageArrived | PaperRead):
            self._was_shown(agent, came)
        if isinstance(came, MessageArrived) and any(isinstance(effect, AdoptTime) for effect in agent.effects):
            said = f"at {self._life.now} by a key that its root does not name"
            self._promise("only_a_server_of_today_tells_the_time", self.creed.welcomes(came.payload), said)

    def _takes(self, area: str, envelope: bytes) -> None:
        """It believes another one of an area."""
        assert self.creed is not None
        after = self.creed.taking(envelope)
        alone = Creed(self.creed.ward, {**self.creed.newest, area: envelope})
        back = alone.place(area) < self.creed.place(area)
        self._promise("no_document_goes_back", not back, f"{area or 'root'}: {alone.place(area)}")
        said = f"{area or 'root'} {alone.place(area)}"
        self._promise("only_what_enough_have_signed_is_believed", after is not None, said)
        self.creed = after or alone

    def _was_shown(self, agent: Agent, event: MessageArrived | PaperRead) -> None:
        """A document of the honest ones that it must believe by what it believes now, and by its clock."""
        assert self.creed is not None
        now, offices = agent.now(), self._life.centre.offices
        if event.payload not in offices.issued or not event.topic.endswith("/job"):
            return
        if isinstance(event, PaperRead) and not self.is_listed(event.envelope):
            return
        area, issued_at = offices.issued[event.payload]
        dated = area == "" or (now.tells_validity and now.utc + FROM_AHEAD_MS >= issued_at)
        lacks = dated and self.creed.taking(event.payload) is not None
        self._promise("a_document_that_is_shown_counts", not lacks, f"{area or 'root'}, shown on {event.topic}")

    def is_listed(self, paper: str) -> bool:
        """By a manifest on its card whose key is believed now: what is no longer listed is not asked for (17.2)."""
        shelves, creed = self._life.memories[self._station].shelves, self.creed
        kept = shelves[-1].kept.values() if shelves else ()
        return creed is not None and any(paper in one.papers and creed.shows(one.signers) for one in kept)

    def _believes(self, creed: Creed, agent: Agent) -> None:
        world, memory = self._life.worlds[self._station], self._life.memories[self._station]
        self.creed, self._since, self._seen = creed, world.mono, agent.documents
        memory.believes(world.mono, creed)
        heads = tuple((one.area, one.epoch, one.version) for one in agent.standing)
        self._promise("what_stands_is_what_those_above_stand_for", heads == creed.heads, f"{heads}, not {creed.heads}")

    def _promise(self, name: str, kept: object, said: str) -> None:
        if not kept:
            raise Broken(name, f"{self._station}: {said}")


def _places(creed: Creed) -> dict[str, tuple[int, int]]:
    return {area: creed.place(area) for area in creed.newest}


def _came(event: Event) -> Event | None:
    """What it brings, whichever way."""
    match event:
        case HomeAnswered():
            return event.welcome
        case RootFetched():
            return event.root
    return event
