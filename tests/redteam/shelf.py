"""What is in force, as the centre lays it on the content server, and what the attacker shows of it instead."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from edge_agent.core.heads import Manifest, area_scope, station_scope
from edge_agent.core.units import UtcMs
from edge_agent.headend.errors import HeadendError
from edge_agent.headend.manifests import (
    Made,
    Published,
    addressed_by,
    listed_order,
    listed_trust,
    make,
    manifest_of,
    paper_of,
    published,
)
from edge_agent.trust.manifests import write_manifest
from tests.redteam import forging
from tests.redteam.papers import HERE, SERVER, STATIONS, THERE, key, site
from tests.trust import makers

if TYPE_CHECKING:
    from tests.redteam.life import Life

AHEAD = 1_000
# Counters by which a thief's head is newer than all honest ones.
EVERY_SERIAL = 1_000_000
SCOPES: dict[str, str] = {
    **{station_scope(station): ward.area for station, ward in STATIONS.items()},
    **{area_scope(area): area for station in STATIONS for area in sorted(site(station).areas())},
}
"""Every scope, with its area."""


class Shelf:
    """Of each scope every manifest that was ever made, the newest last; and every paper that one of them lists."""

    def __init__(self) -> None:
        self.made: dict[str, list[Made]] = {scope: [] for scope in SCOPES}
        self.papers: dict[str, bytes] = {}
        self._orders: list[Published] = []
        self._documents: tuple[bytes, ...] = ()

    def renew(self, now: UtcMs, server: str, documents: tuple[bytes, ...], *orders: bytes) -> None:
        """New manifests by the server's key where these orders, or other documents, change something."""
        self._orders += map(published, orders)
        self._documents = documents
        self._lay((*orders, *documents))
        for scope in SCOPES:
            mine = [one for one in self._orders if addressed_by(scope, one.order)]
            before = self.made[scope][-1].body if self.made[scope] else b""
            counter = len(self.made[scope])
            if not before or write_manifest(self._manifest(scope, counter, mine, now), makers.REALM) != before:
                made = make(self._manifest(scope, counter + 1, mine, now), makers.REALM, now, key(server))
                self.made[scope].append(made)
                self._lay([made.body])

    def root(self, version: int) -> bytes | None:
        """The root's document of that version."""
        roots = (one for one in _listed(self._documents, "") if (one.area, one.version) == ("", version))
        return next((self.papers[one.paper.envelope] for one in roots), None)

    def by_a_thief(self, scope: str, now: UtcMs, orders: Iterable[bytes], *, ahead: int) -> bytes:
        """A head of his own, by the stolen key, above or beside the newest honest one; it withdraws the rest."""
        some = [one for one in _readable(orders) if addressed_by(scope, one.order)]
        self._lay(one.envelope for one in some)
        upto = {ward.issuer: EVERY_SERIAL for ward in (HERE, THERE)}
        everything = tuple({one.digest: listed_order(one) for one in some}.values())
        manifest = replace(
            self._manifest(scope, len(self.made[scope]) + ahead, some, now), upto=upto, orders=everything
        )
        made = make(manifest, makers.REALM, now, key(SERVER))
        self._lay([made.body])
        return made.envelope

    def _manifest(self, scope: str, counter: int, mine: list[Published], now: UtcMs) -> Manifest:
        return manifest_of(scope, (1, counter), mine, _listed(self._documents, SCOPES[scope]), now, {})

    def _lay(self, papers: Iterable[bytes]) -> None:
        self.papers |= {paper_of(one).envelope: one for one in papers}


def shown(life: Life, shows: str, path: str, dice: random.Random) -> bytes | None:
    """What lies there for whoever asks; ``shows`` is a name of ``SHOWN``."""
    kind, _, name = path.removeprefix("/").partition("/")
    if kind == "head":
        return HEADS[shows](life, name, dice) if shows in HEADS else _newest(life, name, dice)
    paper = life.shelf.root(int(name)) if kind == "root" else life.shelf.papers.get(name)
    return paper if paper is None or shows not in PAPERS else PAPERS[shows](life, paper, dice)


_listed = lru_cache(512)(listed_trust)
# Half of a campaign's time went into reading the same documents again.


def _readable(orders: Iterable[bytes]) -> Iterator[Published]:
    for envelope in orders:
        try:
            yield published(envelope)
        except HeadendError:
            continue


def _newest(life: Life, scope: str, _dice: random.Random) -> bytes | None:
    made = life.shelf.made.get(scope)
    return made[-1].envelope if made else None


def _older(life: Life, scope: str, dice: random.Random) -> bytes | None:
    made = life.shelf.made.get(scope)
    return dice.choice(made).envelope if made else None


def _of_another_scope(life: Life, _scope: str, dice: random.Random) -> bytes | None:
    return _newest(life, dice.choice([*SCOPES]), dice)


def _rewritten(life: Life, scope: str, dice: random.Random) -> bytes | None:
    one, other = _newest(life, scope, dice), _of_another_scope(life, scope, dice)
    name = dice.choice([*forging.REWRITTEN])
    return None if one is None or other is None else forging.REWRITTEN[name](dice, one, other)


def _all_that_ever_was(life: Life, scope: str, dice: random.Random) -> bytes | None:
    """What was cancelled and what is over among it, by the server's key where that was stolen."""
    return _stolen(life, scope, dice, [mail.message for mail in life.enemy.orders], AHEAD)


def _nothing_in_force(life: Life, scope: str, dice: random.Random) -> bytes | None:
    return _stolen(life, scope, dice, [], AHEAD + 1)


def _equivocal(life: Life, scope: str, dice: random.Random) -> bytes | None:
    """The newest one's number on another manifest."""
    return _stolen(life, scope, dice, [], 0)


def _stolen(life: Life, scope: str, dice: random.Random, orders: list[bytes], ahead: int) -> bytes | None:
    if SERVER not in life.script.setting.stolen or scope not in SCOPES:
        return _newest(life, scope, dice)
    now = min(world.utc() for world in life.worlds.values())  # they live one after the other
    return life.shelf.by_a_thief(scope, now, orders, ahead=ahead)


HEADS: dict[str, Callable[[Life, str, random.Random], bytes | None]] = {
    "no heads": lambda *_: None,
    "older heads": _older,
    "another scope's heads": _of_another_scope,
    "rewritten heads": _rewritten,
    "all that ever was": _all_that_ever_was,
    "nothing in force": _nothing_in_force,
    "equivocal heads": _equivocal,
}
PAPERS: dict[str, Callable[[Life, bytes, random.Random], bytes | None]] = {
    "no papers": lambda *_: None,
    "another paper": lambda life, _, dice: dice.choice([*life.shelf.papers.values()]),
    "flipped papers": lambda _, paper, dice: forging.REWRITTEN["flipped"](dice, paper, paper),
}
SHOWN = ("honest", *HEADS, *PAPERS)
