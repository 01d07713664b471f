"""The attacker: carries every message, keeps every message, and lets arrive what he likes, where he likes.

He holds broker, network and content server, and no key but what a script says he has stolen.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.redteam import forging, paper_moves, radio_moves
from tests.redteam.centre import digest_of, order_id_of
from tests.redteam.ledger import Given
from tests.redteam.papers import DEPUTY, HERE, OFFICER, SERVER, STATIONS, TRAINING_REALM, key
from tests.trust import makers

if TYPE_CHECKING:
    from tests.redteam.life import Life

STRANGER = "stranger"
SEEN_MAX = 400
NEWEST = 12
# How far back a burst goes: what all of it says was said before.


@dataclass(frozen=True, slots=True)
class Mail:
    """A message that crossed the broker; ``kind`` is the last segment of its topic."""

    topic: str
    message: bytes

    @property
    def kind(self) -> str:
        return self.topic.rpartition("/")[2]


class Enemy:
    """``seen`` is everything so far, of all stations, up and down, and what was signed for the training network."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.seen: list[Mail] = []
        self.orders: list[Mail] = []
        self.papers: list[bytes] = []
        """Every trust document."""
        self.frozen: set[str] = set()
        """Stations that hear of no document while it says so."""
        self.done: Counter[str] = Counter()
        self.fate: dict[str, Any] = {}
        """What becomes of what the centre sends while it says so."""
        self.welcomes: dict[str, Any] = {}
        self.brought = 0
        """How many messages he has let arrive."""
        self._known: set[bytes] = set()

    def hears(self, topic: str, message: bytes) -> None:
        """It crossed the broker."""
        if is_paper(message) and message not in self.papers:
            self.papers.append(message)
        if message in self._known or len(self.seen) >= SEEN_MAX:
            return
        self._known.add(message)
        mail = Mail(topic, message)
        self.seen.append(mail)
        if mail.kind == "job":
            self.orders.append(mail)

    def carries(self, stations: Sequence[str], topic: str, message: bytes) -> None:
        """The centre sends something to these stations: the attacker decides what becomes of it."""
        self.hears(topic, message)
        fate = self.welcomes if topic.endswith("/welcome") else self.fate
        if fate.get("lost"):
            return
        kept_from = self.frozen if is_paper(message) else set()
        for station in stations:
            if station not in (*fate.get("not_to", ()), *kept_from):
                for _ in range(fate.get("times", 1)):
                    self.brings(station, topic, message, fate.get("late_ms", 0))

    def brings(self, station: str, topic: str, message: bytes, after_ms: int = 0) -> None:
        """Something arrives at a station, now or later."""
        world = self.life.worlds.get(station)
        if world is not None:
            self.brought += 1
            world.after(after_ms, lambda: world.broker.publish(topic, message))

    # His moves; each name is one that a script uses

    def replay(self, dice: random.Random) -> None:
        """Something again: there, elsewhere, on another topic."""
        mail = self._any(dice)
        self.everywhere(dice, mail.message, mail.topic)

    def replay_later(self, dice: random.Random) -> None:
        mail, station = self._any(dice), self._somebody(dice)
        self.brings(station, self._topic(dice, station), mail.message, dice.choice((5_000, 60_000, 400_000)))

    def burst(self, dice: random.Random) -> None:
        """What came last, the last first, or in any order, to everybody."""
        some = self.orders[-NEWEST:]
        dice.shuffle(some)
        for mail in some:
            for station in self.life.worlds:
                self.brings(station, self._topic(dice, station), mail.message)

    def rewrite(self, dice: random.Random) -> None:
        """A message as another text, or mixed with another one."""
        if self.orders:
            name = dice.choice([*forging.REWRITTEN])
            one, other = dice.choice(self.orders).message, dice.choice(self.orders).message
            self.done[name] += 1
            self.everywhere(dice, forging.REWRITTEN[name](dice, one, other))

    def rewrite_answer(self, dice: random.Random) -> None:
        """The same of a welcome or an ack, the answer that is waited for among them."""
        answers = [mail for mail in self.seen if mail.kind in ("welcome", "ack")]
        if answers:
            name = dice.choice([*forging.REWRITTEN])
            one, other = dice.choice(answers[-4:]), dice.choice(answers)
            self.done[name] += 1
            made = forging.REWRITTEN[name](dice, one.message, other.message)
            self.brings(self._somebody(dice), one.topic, made)

    def old_welcomes(self, dice: random.Random) -> None:
        """An answer to some earlier hello tells each station an earlier time."""
        for station in self.life.worlds:
            told = [mail for mail in self.seen if mail.topic == f"loa/1/d/{station}/welcome"]
            if told:
                mail = dice.choice(told[:3])
                self.brings(station, mail.topic, mail.message)

    def forge(self, dice: random.Random) -> None:
        """An order of his own, with keys that are not those it needs, under names that are."""
        payload = self.own_order(dice)
        message = makers.signed(payload, [key(name) for name in self._keys(dice)])
        envelope = forging.opened(message)
        names = [key(name).keyid for name in (OFFICER, DEPUTY)]
        for signature in envelope["signatures"]:
            if dice.random() < 0.5:
                signature["keyid"] = dice.choice(names)
        if dice.random() < 0.3:
            envelope["signatures"] *= 2
        if dice.random() < 0.3 and self.orders:
            envelope["signatures"] += forging.opened(dice.choice(self.orders).message)["signatures"]
        envelope["signatures"] = envelope["signatures"][:16]
        self.everywhere(dice, forging.written(envelope))

    def order_with_stolen(self, dice: random.Random) -> None:
        """What the stolen keys may sign, signed with them; the ledger knows of it, and from when on it is void."""
        stolen = self.life.script.setting.stolen
        payload = self.own_order(dice)
        if OFFICER in stolen and payload["class"] != "emergency":
            message = makers.signed(payload, [key(OFFICER)])
            at = self.life.now
            given = Given(order_id_of(payload), digest_of(message), payload, (OFFICER,), at, stolen=True)
            self.life.ledger.add(given)
        elif stolen:
            message = makers.signed(payload, [key(name) for name in stolen] * 2)
        else:
            return
        self.hears(f"loa/1/area/{HERE.area}/job", message)
        self.everywhere(dice, message)

    def welcome_with_stolen(self, dice: random.Random) -> None:
        """The server's key tells another time, and sends the log again."""
        station = self._somebody(dice)
        hellos = [mail for mail in self.seen if mail.topic == f"loa/1/u/{station}/hello"]
        if SERVER not in self.life.script.setting.stolen or not hellos:
            return
        nonce = forging.payload_of(hellos[-1].message)["nonce"]
        self.brings(station, f"loa/1/d/{station}/welcome", self.dated_otherwise(dice, station, nonce))

    def dated_otherwise(self, dice: random.Random, station: str, nonce: str) -> bytes:
        """A welcome with a wrong time, by the server's key."""
        off_ms = dice.choice((-400 * 86_400_000, -7_200_000, -600_000, 600_000, 7_200_000, 400 * 86_400_000))
        return makers.signed_welcome(
            by=[key(SERVER)], station=station, nonce=nonce, utc=self.life.utc + off_ms, serial_marks={HERE.issuer: 0}
        )

    def trains(self, dice: random.Random) -> None:
        """The officers' orders for the training network, whose keys are theirs."""
        payload = self.own_order(dice) | {"realm": TRAINING_REALM}
        keys = [OFFICER, DEPUTY] if payload["class"] == "emergency" else [OFFICER]
        message = makers.signed(payload, [key(name) for name in keys])
        self.hears(f"loa/1/area/{HERE.area}/job", message)
        self.everywhere(dice, message)

    def rubbish(self, dice: random.Random) -> None:
        """Bytes, of any length."""
        size = dice.choice((0, 1, 40, 3_000, 65_600))
        self.everywhere(dice, dice.choice((bytes(size), b"[" * size, b"{}" * (size // 2), b'"' * size)))

    def everything_again(self, dice: random.Random) -> None:
        """Every order there was, to every station."""
        some = self.orders[:]
        dice.shuffle(some)
        for mail in some:
            for station in self.life.worlds:
                self.brings(station, f"loa/1/d/{station}/job", mail.message)

    def _any(self, dice: random.Random) -> Mail:
        return dice.choice(self.orders if self.orders and dice.random() < 0.7 else self.seen)

    def _somebody(self, dice: random.Random) -> str:
        return dice.choice([*self.life.worlds])

    def _topic(self, dice: random.Random, station: str) -> str:
        own = f"loa/1/d/{station}/job"
        return dice.choice((own, own, f"loa/1/area/{STATIONS[station].area}/job", "loa/1/area/vn/job"))

    def everywhere(self, dice: random.Random, message: bytes, topic: str = "") -> None:
        """To one station or to all, where it came, where orders come, or where answers do."""
        whom = [*self.life.worlds] if dice.random() < 0.5 else [self._somebody(dice)]
        for station in whom:
            where = dice.choice((topic or self._topic(dice, station), self._topic(dice, station)))
            if dice.random() < 0.1:
                where = f"loa/1/d/{station}/{dice.choice(('welcome', 'ack'))}"
            self.brings(station, where, message)

    def own_order(self, dice: random.Random) -> dict[str, Any]:
        """What he would like to hear: an order that was, but for its name, its time and its words."""
        life = self.life
        life.forged += 1
        payload = life.drafted(
            HERE,
            "job",
            serial=10_000 + life.forged,
            cls=dice.choice(("normal", "priority", "emergency")),
            spoken="Kẻ trộm nói.",
        )
        return payload | ({"audience": {"areas": ["vn/ha-noi"]}} if dice.random() < 0.2 else {})

    def _keys(self, dice: random.Random) -> list[str]:
        usable = [STRANGER, "stranger-2", *(name for name in self.life.script.setting.stolen if name != OFFICER)]
        return [dice.choice(usable) for _ in range(dice.choice((1, 1, 2, 3)))]


def is_paper(message: bytes) -> bool:
    """Whether it is a trust document, as far as its envelope says."""
    return b'"application/vnd.loa.trust+json"' in message


MOVES: dict[str, Callable[[Enemy, random.Random], None]] = (
    paper_moves.MOVES
    | radio_moves.MOVES
    | {
        move.__name__: move
        for move in (
            Enemy.replay,
            Enemy.replay_later,
            Enemy.burst,
            Enemy.rewrite,
            Enemy.rewrite_answer,
            Enemy.old_welcomes,
            Enemy.forge,
            Enemy.order_with_stolen,
            Enemy.welcome_with_stolen,
            Enemy.trains,
            Enemy.rubbish,
            Enemy.everything_again,
        )
    }
)
