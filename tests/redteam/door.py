"""The content server in the attacker's hands: which other bytes it gives for a welcome, and for what is in force."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from edge_agent.sync.port import NotRead
from tests.fakes.home import FakeHome
from tests.redteam import forging
from tests.redteam.papers import SERVER
from tests.redteam.shelf import shown
from tests.trust import makers

if TYPE_CHECKING:
    from tests.redteam.life import Life

HOUR_MS = 3_600_000
LATE_MS = (4_000, 20_000, 50_000)
# An answer may take a minute over HTTPS.


class Door(FakeHome):
    """Of one station; ``gives`` is a name of ``GIVEN``, ``shows`` one of ``shelf.SHOWN``."""

    def __init__(self, life: Life, station: str) -> None:
        super().__init__()
        self.gives = self.shows = "honest"
        self.answer = self._answer
        self._opened = 0
        self._life = life
        self._station = station

    def _one(self, path: str, bytes_max: int) -> bytes | NotRead:
        self._opened += 1
        self.slow_ms = 0
        self._life.enemy.done[f"on the shelf: {self.shows}"] += 1
        content = shown(self._life, self.shows, path, self._dice())
        self._life.enemy.brought += content is not None
        self.files = {} if content is None else {path: content}
        return super()._one(path, bytes_max)

    def _answer(self, path: str, hello: bytes) -> bytes | None:
        assert path == f"/hello/{self._station}"
        self._opened += 1
        self.slow_ms = 0
        enemy, welcome = self._life.enemy, self._life.desks[self._station].welcome_for(forging.payload_of(hello))
        enemy.done[f"at the door: {self.gives}"] += 1
        given = GIVEN[self.gives](self, welcome)
        enemy.hears(f"loa/1/u/{self._station}/hello", hello)
        enemy.hears(f"loa/1/d/{self._station}/welcome", welcome)
        enemy.brought += given is not None
        return given

    def _of_long_ago(self, _welcome: bytes) -> bytes:
        """What it gave to some earlier hello."""
        return self._dice().choice(self._told(self._station)[:3])

    def _of_anybody(self, _welcome: bytes) -> bytes:
        return self._dice().choice([one for station in self._life.worlds for one in self._told(station)])

    def _the_one_before(self, _welcome: bytes) -> bytes:
        """Right but for its nonce."""
        return self._told(self._station)[-1]

    def _late(self, welcome: bytes) -> bytes:
        self.slow_ms = self._dice().choice(LATE_MS)
        return welcome

    def _forged(self, welcome: bytes) -> bytes:
        """The right nonce, by a key of his own under the server's name, and the server's signature of another one."""
        payload = forging.payload_of(welcome) | {"utc": self._life.utc + self._dice().choice((-HOUR_MS, HOUR_MS))}
        envelope = forging.opened(makers.signed(payload, ["stranger"]))
        envelope["signatures"][0]["keyid"] = forging.opened(welcome)["signatures"][0]["keyid"]
        envelope["signatures"] += forging.opened(welcome)["signatures"] * self._dice().choice((0, 1))
        return forging.written(envelope)

    def _rewritten(self, welcome: bytes) -> bytes:
        dice = self._dice()
        name = dice.choice([*forging.REWRITTEN])
        return forging.REWRITTEN[name](dice, welcome, dice.choice(self._told(self._station)))

    def _with_another_time(self, welcome: bytes) -> bytes:
        """By the server's key where that was stolen."""
        if SERVER not in self._life.script.setting.stolen:
            return welcome
        return self._life.enemy.dated_otherwise(self._dice(), self._station, forging.payload_of(welcome)["nonce"])

    def _told(self, station: str) -> list[bytes]:
        topic = f"loa/1/d/{station}/welcome"
        return [mail.message for mail in self._life.enemy.seen if mail.topic == topic] or [b""]

    def _dice(self) -> random.Random:
        return random.Random(f"{self._station} {self._opened}")


GIVEN: dict[str, Callable[[Door, bytes], bytes | None]] = {
    "honest": lambda _, welcome: welcome,
    "nothing": lambda *_: None,
    "old": Door._of_long_ago,
    "the one before": Door._the_one_before,
    "anybody's": Door._of_anybody,
    "late": Door._late,
    "forged": Door._forged,
    "rewritten": Door._rewritten,
    "another time": Door._with_another_time,
}
