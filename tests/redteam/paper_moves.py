"""The attacker's moves with trust documents: every old one, mixed with new ones, and some of his own."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.redteam import forging
from tests.redteam.centre import digest_of, order_id_of
from tests.redteam.ledger import Given
from tests.redteam.offices import DELEGATES, HOLDERS
from tests.redteam.papers import DAY_MS, HERE, key
from tests.trust import makers

if TYPE_CHECKING:
    from tests.redteam.enemy import Enemy

THIEF, ACCOMPLICE = "thief", "accomplice"
# Keys of his own, which he writes into documents.
PAPERS_MAX = 60
ALONE_S = (600, 1_800, 21_600)


def old_papers(enemy: Enemy, dice: random.Random) -> None:
    """Every document there ever was, in any order."""
    _to_some(enemy, dice, dice.sample(enemy.papers, len(enemy.papers)))


def mixed_papers(enemy: Enemy, dice: random.Random) -> None:
    """Of each area one of its documents, from above down."""
    by_area: dict[str, list[bytes]] = {}
    for paper in enemy.papers:
        by_area.setdefault(forging.payload_of(paper).get("area", ""), []).append(paper)
    _to_some(enemy, dice, [dice.choice(by_area[area]) for area in sorted(by_area)])


def rewrite_paper(enemy: Enemy, dice: random.Random) -> None:
    """A document as another text, or mixed with another one."""
    name = dice.choice([*forging.REWRITTEN])
    enemy.done[name] += 1
    _to_some(enemy, dice, [forging.REWRITTEN[name](dice, dice.choice(enemy.papers), dice.choice(enemy.papers))])


def paper_of_his_own(enemy: Enemy, dice: random.Random) -> None:
    """One that gives him everything, by the keys that he has stolen, under signatures of others too."""
    stolen = [name for name in enemy.life.script.setting.stolen if name in (*DELEGATES, *HOLDERS)]
    area = HERE.area if DELEGATES[0] in stolen else ""  # whose documents need the keys that he has some of
    likely = [paper for paper in enemy.papers if forging.payload_of(paper).get("area", "") == area]
    model = dice.choice(likely if stolen and dice.random() < 0.6 else enemy.papers)
    payload = _his(forging.payload_of(model), enemy.life.utc, dice)
    envelope = forging.opened(makers.signed_trust(payload, *stolen, THIEF, ACCOMPLICE))
    if dice.random() < 0.5:
        envelope["signatures"] += forging.opened(model)["signatures"]
    if dice.random() < 0.2:
        envelope["signatures"] *= 2
    made = forging.written(envelope)
    if {*DELEGATES} <= {*stolen} and dice.random() < 0.5:
        made = makers.signed_trust(payload, *DELEGATES)  # nothing is wrong with it but who has signed
    if len(enemy.papers) < PAPERS_MAX:
        enemy.papers.append(made)
    _to_some(enemy, dice, [made])


def order_by_his_paper(enemy: Enemy, dice: random.Random) -> None:
    """By the key that he wrote into one: it counts where that document does."""
    life = enemy.life
    payload = enemy.own_order(dice)
    message = makers.signed(payload, [key(THIEF)])
    life.ledger.add(Given(order_id_of(payload), digest_of(message), payload, (THIEF,), life.now, stolen=True))
    enemy.hears(f"loa/1/area/{HERE.area}/job", message)
    enemy.everywhere(dice, message)


def _his(payload: dict[str, Any], now: int, dice: random.Random) -> dict[str, Any]:
    keys = {key(name).keyid: key(name).public.to_trust() for name in (THIEF, ACCOMPLICE)}
    ids, alone_s = [*keys], dice.choice(ALONE_S)
    payload = payload | {"keys": payload["keys"] | keys, "version": dice.choice((payload["version"] + 1, now))}
    if payload["issued_at"] < payload["version"]:
        payload |= {"issued_at": now, "expires": now + 60 * DAY_MS}
    if "delegates" in payload:
        payload["delegates"] = payload["delegates"] | {"keyids": ids[:1], "threshold": 1}
    if "signers" in payload:
        payload["signers"] = {"keyids": ids, "threshold": 2}
    else:
        payload["roles"] = [_his_role(role, ids[:1], alone_s) for role in payload["roles"]]
    return payload


def _his_role(role: dict[str, Any], ids: list[str], alone_s: int) -> dict[str, Any]:
    if "job" not in role["orders"]:
        return role
    warns = "emergency" in role["limits"]["classes"]
    limits = role["limits"] | ({"validity_max_s": alone_s} if warns else {})
    return role | {"keyids": ids, "threshold": 1, "limits": limits}


def _to_some(enemy: Enemy, dice: random.Random, papers: list[bytes]) -> None:
    everybody = [*enemy.life.worlds]
    for station in everybody if dice.random() < 0.5 else [dice.choice(everybody)]:
        for paper in papers:
            enemy.brings(station, f"loa/1/d/{station}/job", paper)


MOVES: dict[str, Callable[[Enemy, random.Random], None]] = {
    move.__name__: move for move in (old_papers, mixed_papers, rewrite_paper, paper_of_his_own, order_by_his_paper)
}
