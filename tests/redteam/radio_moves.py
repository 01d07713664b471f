"""The attacker's moves with the stolen key of the radio above: it may offer what wards choose, and chooses nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.redteam.centre import digest_of, order_id_of
from tests.redteam.ledger import Given
from tests.redteam.papers import ABOVE, HERE, RADIO, key
from tests.trust import makers

if TYPE_CHECKING:
    from tests.redteam.enemy import Enemy

HIS_OFFER, HIS_CHOICE = 20_000, 30_000
"""From where on their numbers count."""


def offer_with_stolen(enemy: Enemy, dice: random.Random) -> None:
    """What the key may sign, and what it may not; the ledger knows of it, and from when on it is void."""
    life = enemy.life
    life.forged += 1
    cls = dice.choice(("normal", "priority", "emergency"))
    what = {"cls": cls, "spoken": "Kẻ trộm nói.", "when": dice.choice(("now", "at")), "in_s": 20}
    payload = life.drafted(ABOVE, "job", serial=HIS_OFFER + life.forged, **what)
    message = makers.signed(payload, [key(RADIO)])
    life.ledger.add(Given(order_id_of(payload), digest_of(message), payload, (RADIO,), life.now, stolen=True))
    enemy.hears(f"loa/1/area/{ABOVE.area}/job", message)
    enemy.everywhere(dice, message)


def choose_with_stolen(enemy: Enemy, dice: random.Random) -> None:
    """The choice of a ward, or of the radio itself: signed by the one key that he has, it chooses nothing."""
    life = enemy.life
    life.forged += 1
    offers = [one for one in life.ledger.programmes.values() if one.order.payload["issuer"] == ABOVE.issuer]
    if not offers:
        return
    what = {"what": "choose", "target": dice.choice(offers).job_id, "when": "now"}
    ward = dice.choice((HERE, ABOVE))
    payload = life.drafted(ward, "command", serial=HIS_CHOICE + life.forged, **what)
    message = makers.signed(payload, [key(RADIO)])
    enemy.hears(f"loa/1/area/{HERE.area}/job", message)
    enemy.everywhere(dice, message)


MOVES: dict[str, Callable[[Enemy, random.Random], None]] = {
    move.__name__: move for move in (offer_with_stolen, choose_with_stolen)
}
