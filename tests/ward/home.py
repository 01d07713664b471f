"""The central side's manifests in the ward: what was published and is in force, on a content server in memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from edge_agent.core.heads import scopes_of
from edge_agent.headend.manifests import (
    Published,
    addressed_by,
    listed_trust,
    make,
    manifest_of,
    paper_of,
    published,
)
from edge_agent.trust.bundle import read_document, read_file
from edge_agent.trust.documents import ROOT
from edge_agent.trust.envelope import Envelope, open_envelope
from tests.fakes.home import FakeHome
from tests.trust import makers

if TYPE_CHECKING:
    from tests.ward.world import World


class Home(FakeHome):
    """``publish`` and then ``renew``: as the reference headend does, with the keys of the tests."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.orders: list[Published] = []
        self.counter = 0
        self.epoch = 1
        self.newer: list[bytes] = []
        """Trust documents that the broker has not brought."""
        self.signs = "server"
        """Whose key signs heads and welcomes here."""
        self.greets = False
        """Whether hellos are answered here too."""
        self.answer = self._greet

    def _greet(self, path: str, hello: bytes) -> bytes | None:
        opened = open_envelope(hello)
        assert isinstance(opened, Envelope)
        assert path == f"/hello/{self._world.site.station}"
        return self._world.headend.welcome_for(json.loads(opened.payload), self.signs) if self.greets else None

    def publish(self, envelope: bytes) -> None:
        """Remember what goes out."""
        self.orders.append(published(envelope))

    def renew(self) -> None:
        """A new manifest of every scope of the station."""
        self.counter += 1
        world = self._world
        documents = [*read_file(world.trust_file), *self.newer]
        roots = [(one.version, paper) for paper in documents if (one := read_document(paper)).area == ROOT]
        self.files |= {f"/root/{version}": paper for version, paper in roots}
        for scope in scopes_of(world.site):
            mine = [one for one in self.orders if addressed_by(scope, one.order)]
            trust = listed_trust(documents, world.site.area)
            manifest = manifest_of(scope, (self.epoch, self.counter), mine, trust, world.utc(), {})
            made = make(manifest, world.site.realm, world.utc(), makers.signer(self.signs))
            for content in (*(one.envelope for one in mine), *documents, made.body):
                self.files[f"/paper/{paper_of(content).envelope}"] = content
            self.files[f"/head/{scope}"] = made.envelope

    def as_it_is(self) -> dict[str, bytes]:
        """To be put back later: what somebody shows again."""
        return dict(self.files)
