"""When the attacker has had enough: whoever was robbed has another key, and each station comes to the newest documents.

Then a warning is heard although those have expired, and what a ward orders is heard when they have been renewed.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tests.redteam.offices import DELEGATES, HOLDERS
from tests.redteam.papers import OFFICER, SERVER, STATIONS, WARD
from tests.sim import BEGAN, TIMEZONE
from tests.soak.promises import Broken

if TYPE_CHECKING:
    from tests.redteam.life import Life

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
SERIAL = 20_000
# Beyond whatever a thief has used up.
ALL_OVER_MS = 17 * MINUTE_MS
# The longest lock, all-stop and silence of these campaigns, and what is repeated meanwhile.
ASKED_AGAIN_MS = HOUR_MS + 10 * MINUTE_MS
HEARD_MS = MINUTE_MS
AT_HOME = 0.5
MORNING, EVENING = 6, 20
ENDS = {OFFICER: "revoke", SERVER: "another_server", HOLDERS[1]: "another_holder", DELEGATES[0]: "hand_on"}


def comes(life: Life, dice: random.Random) -> None:
    """Raises ``Broken`` where somebody does not come back."""
    for station in life.worlds:
        life.lie(station, 0)
    if life.script.setting.home and dice.random() < AT_HOME:
        # The broker brings neither documents nor welcomes any more: the content server alone does.
        life.enemy.frozen, life.enemy.welcomes = {*life.worlds}, {"lost": True}
    for name in life.script.setting.stolen:
        for _ in range(HOLDERS.index(name) + 1 if name in HOLDERS else 1):
            if name in ENDS:
                life.ceremony(ENDS[name], {})
    _hello_anew(life)
    life.run_until(life.now + ALL_OVER_MS)
    life.ceremony("lapse", {})
    _documents_come(life)
    _newest(life)
    life.order(SERIAL, "job", "here", {}, cls="normal", tone="b", seconds=5.0, when="now")  # which must not sound
    order = {"cls": "emergency", "spoken": "Lũ về.", "valid_ms": HOUR_MS}
    _heard(life, "expiry_stops_no_warning", 1, order)
    life.ceremony("renew", {})
    _documents_come(life)
    _regulated_as_usual(life)
    _newest(life)
    _heard(life, "a_good_order_sounds_in_the_end", 3, {"cls": "normal", "tone": "a", "seconds": 5.0, "when": "now"})
    _hello_anew(life)


def _hello_anew(life: Life) -> None:
    for station in life.worlds:
        life.network_cut(station, 500)
    life.run_until(life.now + 2 * MINUTE_MS)


def _documents_come(life: Life) -> None:
    """By the broker at once, else within the hour in which what was missed is asked for again (17.3)."""
    if life.enemy.frozen:
        _hello_anew(life)
    life.run_until(life.now + (ASKED_AGAIN_MS if life.enemy.frozen else 2 * MINUTE_MS))


def _regulated_as_usual(life: Life) -> None:
    """And by day."""
    life.order(SERIAL + 2, "regulation", "here", {}, quiet=("21:00", "05:00"))
    wall = datetime.fromtimestamp(life.utc / 1_000, UTC).astimezone(ZoneInfo(TIMEZONE))
    sleeps_h = (MORNING - wall.hour) % 24 if not MORNING <= wall.hour < EVENING else 0
    life.run_until(life.now + sleeps_h * HOUR_MS + MINUTE_MS)


def _newest(life: Life) -> None:
    """The documents that stand are those that were signed last."""
    offices = life.centre.offices
    for station, world in life.worlds.items():
        wanted = {area: offices.place(area) for area in ("", *offices.around(station))}
        stands = {} if world.agent is None else {one.area: (one.epoch, one.version) for one in world.agent.standing}
        if stands != wanted:
            raise Broken("the_newest_documents_count_in_the_end", f"{station}: {stands}, and not {wanted}")


def _heard(life: Life, promise: str, number: int, what: dict[str, Any]) -> None:
    life.order(SERIAL + number, "job", "here", {}, **what)
    job_id = [*life.ledger.programmes][-1]
    life.run_until(life.now + HEARD_MS)
    for station, world in life.worlds.items():
        heard = any(run.job_id == job_id and run.ends > run.begins for run in world.runs)
        if STATIONS[station].area == WARD and not heard:
            raise Broken(promise, f"{station}: {job_id} of {life.utc - BEGAN - HEARD_MS}")
