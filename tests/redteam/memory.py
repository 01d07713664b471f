"""What a station remembers, as the judges see it: taken and obeyed, until an older card, or a new one, is put in."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.redteam.creed import Creed


@dataclass(frozen=True, slots=True)
class Belief:
    """What it knew of the time at the true time ``at``, and the last signed time on its card.

    ``utc`` is its own clock's; None: it could not even tell what is still valid. ``signed``: a centre had told it.
    """

    at: int
    utc: int | None
    signed: bool
    floor: int

    @property
    def dates(self) -> bool:
        """Whether it could tell how old an order is, whoever lies about the time."""
        return self.utc is not None and self.signed


@dataclass(frozen=True, slots=True)
class Card:
    """In use from ``since`` on, with what it knew at ``as_of``; -1: it was new."""

    since: int
    as_of: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the card keeps of one scope: where its head stands, who has signed that, and what it says."""

    place: tuple[int, int]
    signers: frozenset[str]
    upto: Mapping[str, int]
    digests: frozenset[str]
    papers: frozenset[str] = frozenset()
    """The envelopes that it lists, by their SHA-256."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """The manifests that a card keeps from ``since`` on, by scope; ``card`` counts the cards."""

    since: int
    card: int
    kept: Mapping[str, Manifest]


class Memory:
    """Of one station, and of whichever card is in it."""

    def __init__(self) -> None:
        self._spans: dict[str, list[tuple[int, int]]] = {}
        self.first: dict[str, int] = {}
        """When it was obeyed for the first time: from then on counts what holds for a while."""
        self.beliefs: dict[str, list[Belief]] = {}
        """By play, what the station knew of the time when it was about to begin: a restored card plays again."""
        self.deaths: list[int] = []
        self.powered: list[int] = [0]
        """When the machine was switched on: from then until a welcome nobody has told it the time."""
        self.boots: list[int] = []
        self.lives: list[Card] = [Card(0, -1)]
        self.told: list[int] = []
        """When it took a time that was signed."""
        self.shown_old: list[int] = []
        """When it took a welcome that shows the card to have forgotten something."""
        self.shelves: list[Shelf] = []
        self._open: dict[str, int] = {}
        self._creeds: list[tuple[int, Creed]] = []

    def believes(self, at: int, creed: Creed) -> None:
        """Of the documents, from here on."""
        if not self._creeds or self._creeds[-1][1] is not creed:
            self._creeds.append((at, creed))

    def creeds(self) -> Iterator[tuple[int, float, Creed]]:
        """Each [from, until) with what must be believed then."""
        for (since, creed), (until, _) in pairwise(self._creeds):
            yield since, until, creed
        for since, creed in self._creeds[-1:]:
            yield since, math.inf, creed

    def creed(self, at: int) -> Creed | None:
        """What must be believed then."""
        return next((creed for since, until, creed in self.creeds() if since <= at < until), None)

    def keeps(self, at: int, manifests: Mapping[str, tuple[bytes, bytes]]) -> None:
        """The card keeps these (head, manifest) by their scopes."""
        kept = {scope: _read(*one) for scope, one in manifests.items()}
        self.shelves.append(Shelf(at, len(self.lives) - 1, kept))

    def manifests(self) -> Iterator[tuple[int, float, Mapping[str, Manifest]]]:
        """Each [from, until) with what is kept then, and believed: whose head's key has been replaced tells nothing."""
        for since, until, kept in self._shelved():
            for begins, ends, creed in self.creeds():
                if begins < until and since < ends:
                    believed = {scope: one for scope, one in kept.items() if creed.shows(one.signers)}
                    yield max(since, begins), min(until, ends), believed

    def _shelved(self) -> Iterator[tuple[int, float, Mapping[str, Manifest]]]:
        """The same, whoever has signed it."""
        for one, other in pairwise(self.shelves):
            yield one.since, other.since, one.kept
        for last in self.shelves[-1:]:
            yield last.since, math.inf, last.kept

    def obeys(self, name: str, at: int) -> None:
        """It is on the card, and in force."""
        self.first.setdefault(name, at)
        self._open.setdefault(name, at)

    def died(self, at: int) -> None:
        """Processes ended: what sounded may be begun again as often as the protocol says."""
        self.deaths.append(at)

    def ended(self, since: int, at: int) -> int:
        """When the process of ``since`` ended, of those that had ended by ``at``."""
        return min((died for died in self.deaths if since <= died), default=at)

    def copied(self, at: int) -> tuple[int, Mapping[str, int]]:
        """What a copy made now will know."""
        return at, dict(self._open)

    def restored(self, at: int, copy: tuple[int, Mapping[str, int]] | None) -> None:
        """The card knows what it knew then; None: a new one, which knows nothing."""
        as_of, known = copy or (-1, {})
        for name, since in self._open.items():
            self._spans.setdefault(name, []).append((since, at))
        self._open = dict.fromkeys(known, at)
        self.lives.append(Card(at, as_of))

    def believed(self, play_id: str, at: int) -> Belief:
        """What it knew of the time when the sound that begins at ``at`` was ordered from the card."""
        return [belief for belief in self.beliefs[play_id] if belief.at <= at][-1]

    def since(self, name: str, at: int) -> int | None:
        """From when on it was known without a break, of what is known at ``at``."""
        return next((since for since, until in self.known(name) if since <= at < until), None)

    def before(self, name: str, since: int) -> Iterator[tuple[int, int]]:
        """Each [from, to] in which a card that was put back at ``since`` had known of it before it was copied."""
        for card in self.lives:
            first = self.since(name, card.as_of) if card.since == since else None
            if first is not None:
                yield first, card.as_of
                yield from self.before(name, first)

    def known(self, name: str) -> Iterator[tuple[int, float]]:
        """Each [from, until) in which the card knew of it; without an end where it still does."""
        yield from self._spans.get(name, ())
        if name in self._open:
            yield self._open[name], math.inf


def _read(head: bytes, body: bytes) -> Manifest:
    envelope: dict[str, Any] = json.loads(head)
    signed: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    signers = frozenset(one["keyid"] for one in envelope["signatures"])
    says: dict[str, Any] = json.loads(body)
    digests = frozenset(one["digest"] for one in says["orders"])
    papers = frozenset(one["envelope"] for one in (*says["orders"], *says["trust"]))
    return Manifest((signed["epoch"], signed["counter"]), signers, says["upto"], digests, papers)
