"""Play one campaign to its end, with the judges watching; answers what sounded and should not have."""

from __future__ import annotations

import logging
import random
import traceback
from typing import Any

from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import AdoptTime, Effect, StartPlay
from edge_agent.core.events import Event
from edge_agent.core.state import State
from edge_agent.core.units import UtcMs
from tests.fakes.journal import Committed
from tests.redteam import peace
from tests.redteam.believing import Believing
from tests.redteam.centre import Centre, Desk
from tests.redteam.door import Door
from tests.redteam.drafts import drafted
from tests.redteam.enemy import MOVES, Enemy
from tests.redteam.judges import judge
from tests.redteam.ledger import Ledger
from tests.redteam.memory import Belief, Memory
from tests.redteam.offices import CEREMONIES, ON_AIR, Offices
from tests.redteam.papers import ABOVE, HERE, STATIONS, THERE, Ward, site
from tests.redteam.script import MINUTE_MS, Happening, Script
from tests.redteam.shelf import Shelf
from tests.sim import BEGAN
from tests.soak.life import Failure
from tests.soak.promises import Broken
from tests.ward import World
from tests.ward.agent import Agent

PROGRESS_MS = 5_000
# As in the soak: a card that tells its progress seldom.
WARDS = {"here": HERE, "there": THERE, "above": ABOVE}
DARK_MS = 2_000
# How long hands need to change a card.
NONCES_APART = 1 << 40
ASKED_AT_HOME_MS = 65_000
# The third hello without an answer goes to the content server too.


class Life:
    """Some stations, one centre, one attacker. ``now`` is the true time in ms."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.now = 0
        self.forged = 0
        self.ledger = Ledger()
        self.enemy = Enemy(self)
        self.centre = Centre(self.ledger, lambda: self.now, Offices(lambda: self.utc), self.enemy.carries)
        self.enemy.papers += self.centre.offices.issued
        self.shelf = Shelf()
        self.worlds: dict[str, World] = {}
        self.doors: dict[str, Door] = {}
        self.desks: dict[str, Desk] = {}
        self.memories: dict[str, Memory] = {}
        self.copies: dict[str, list[tuple[Committed, Any]]] = {}
        self.lies: dict[str, list[tuple[int, int]]] = {}
        """By station, from when on others than the centre told a time that was off by so much."""
        for number, station in enumerate(script.setting.stations):
            self._add(number, station)
        self._shelve()

    @property
    def utc(self) -> UtcMs:
        """The true time."""
        return UtcMs(BEGAN + self.now)

    def live(self) -> Failure | None:
        """Everything happens; None where everything held."""
        disabled = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        try:
            self._live()
            judge(self)
        except Broken as broken:
            return Failure(broken.name, str(broken), self.now)
        except Exception as exc:  # noqa: BLE001  whatever the station raises is what is looked for
            told = "".join(traceback.format_exception(exc, limit=-6))
            return Failure(f"{type(exc).__name__}: {exc}", told, self.now)
        finally:
            logging.disable(disabled)
            for world in self.worlds.values():
                world.close()
        return None

    def drafted(self, ward: Ward, kind: str, *, serial: int, **what: Any) -> dict[str, Any]:
        """A payload of this moment."""
        return drafted(ward, serial, self.utc, kind, **what)

    def run_until(self, ms: int) -> None:
        """Every station lives until then."""
        self.now = max(self.now, ms)
        for world in self.worlds.values():
            world.run_until(self.now)

    def _add(self, number: int, station: str) -> None:
        clocks = {name: name in self.script.setting.clocks for name in ("ntp", "chip")}
        where = site(station, polls_home=self.script.setting.home)
        trust_file = self.centre.offices.trust_file(STATIONS[station].area)
        world = World(where, trust_file, BEGAN, progress_ms=PROGRESS_MS, **clocks)
        world.supervised = True
        self.doors[station] = Door(self, station)
        world.home = self.doors[station]  # type: ignore[assignment]
        self.desks[station] = Desk(self.centre, station, world.utc)
        world.headend = self.desks[station]  # type: ignore[assignment]
        world.broker._life = NONCES_APART * (number + 1)  # nonces are random in reality: no two stations share any
        world.broker.taps.append(self._tapped)
        self.worlds[station] = world
        self.copies[station] = []
        self.lies[station] = [(0, 0)]
        self.memories[station] = Memory()
        world.watches.append(_Watch(self, station))

    def _tapped(self, topic: str, message: bytes) -> None:
        if topic.startswith("loa/1/u/") and not topic.endswith("/heartbeat"):
            self.enemy.hears(topic, message)

    def _live(self) -> None:
        setting = self.script.setting
        self.run_until(setting.begins_ms)
        for world in self.worlds.values():
            world.boot()
        for happening in self.script.happenings:
            self.run_until(happening.at_ms)
            self._happen(happening)
        self._end()

    def _end(self) -> None:
        """Everything again: before and after the power was away, and when it is long over."""
        dice = random.Random(self.script.setting.begins_ms)
        MOVES["everything_again"](self.enemy, dice)
        self.run_until(self.now + 20_000)
        for station in self.worlds:
            self.power_cut(station, DARK_MS)
        self.run_until(self.now + 10_000)
        MOVES["everything_again"](self.enemy, dice)
        self.run_until(self.now + self.script.setting.after_ms)
        self._old_time(dice)
        MOVES["everything_again"](self.enemy, dice)
        self.run_until(self.now + MINUTE_MS)
        self._no_time()
        MOVES["everything_again"](self.enemy, dice)
        self.run_until(self.now + 2 * MINUTE_MS)
        self._time_of_then(dice)
        MOVES["everything_again"](self.enemy, dice)
        self.run_until(self.now + 2 * MINUTE_MS)
        self._true_time()
        MOVES["everything_again"](self.enemy, dice)
        self.run_until(self.now + 2 * MINUTE_MS)
        if self.script.setting.epochs:
            peace.comes(self, dice)
        for station, world in self.worlds.items():
            self.memories[station].keeps(self.now, world.disk.committed.manifests)

    def _old_time(self, dice: random.Random) -> None:
        """Every station says hello anew, and nothing answers but an answer of long ago."""
        self.enemy.welcomes = {"lost": True}
        self._every_door("old", "older heads")
        for station in self.worlds:
            self.network_cut(station, 500)
        self.run_until(self.now + 700)
        MOVES["old_welcomes"](self.enemy, dice)
        self.run_until(self.now + 1_000)
        if self.script.setting.home:
            self.run_until(self.now + ASKED_AT_HOME_MS)

    def _no_time(self) -> None:
        """Nobody answers, and after a power cut nobody knows the time either."""
        self._every_door("nothing", "no heads")
        for station in self.worlds:
            self.power_cut(station, DARK_MS)
        self.run_until(self.now + 10_000)

    def _time_of_then(self, dice: random.Random) -> None:
        """Nobody answers still; chip and NTP say that it is the hour of an order, to cards that may be new."""
        orders = [one for one in self.script.happenings if one.what == "order"]
        warnings = [one for one in orders if one.args.get("cls") == "emergency"]
        for station in self.worlds:
            then = dice.choice(warnings or orders).at_ms if orders else self.script.setting.begins_ms
            self.lie(station, then - self.now)
            if dice.random() < 0.5:
                self.factory_reset(station)
            else:
                self.power_cut(station, DARK_MS)
        self.run_until(self.now + 10_000)

    def _true_time(self) -> None:
        """The centre answers again."""
        self.enemy.welcomes, self.enemy.frozen = {}, set()
        self._every_door("honest", "honest")
        for station in self.worlds:
            self.network_cut(station, 500)
        self.run_until(self.now + 10_000)

    def _every_door(self, gives: str, shows: str) -> None:
        for door in self.doors.values():
            door.gives, door.shows = gives, shows

    def _shelve(self, *orders: bytes) -> None:
        """The centre lays on the content server what is in force, where stations look there."""
        if self.script.setting.home:
            offices = self.centre.offices
            self.shelf.renew(self.utc, offices.server, offices.in_force(), *orders)

    def _happen(self, happening: Happening) -> None:
        getattr(self, happening.what)(**happening.args)

    # What a script may say

    def move(self, name: str, dice: int) -> None:
        """The attacker does something."""
        self.enemy.done[name] += 1
        MOVES[name](self.enemy, random.Random(dice))

    def order(self, serial: int, kind: str, ward: str, fate: dict[str, Any], **what: Any) -> None:
        """People order something, and the attacker carries it."""
        if kind in CEREMONIES:
            self.ceremony(kind, fate)
            return
        place = WARDS[ward]
        payload = self.drafted(place, kind, serial=serial, **what)
        payload["serial"] = self.centre.next_serial(payload["issuer"])  # ``serial`` names it, in no order of time
        _, message = self.centre.give(payload, self.centre.signers(place, payload))
        self._shelve(message)
        self._sends(place.area, message, fate)

    def ceremony(self, name: str, fate: dict[str, Any], *, apart_ms: int = 0, backwards: bool = False) -> None:
        """People sign documents, and the attacker carries these too: one a while after the other, or the last first."""
        signed = (CEREMONIES | ON_AIR)[name](self.centre.offices)
        self._shelve()
        for number, (area, document) in enumerate(reversed(signed) if backwards else signed):
            late_ms = fate.get("late_ms", 0) + number * apart_ms
            self._sends(area or "vn", document, fate | ({"late_ms": late_ms} if late_ms else {}))

    def freeze(self, station: str, for_ms: int) -> None:
        """No document reaches it, whoever sends it."""
        self.enemy.frozen.add(station)
        self.shelf_shows(station, "no papers", for_ms)
        self.worlds[station].after(for_ms, lambda: self.enemy.frozen.discard(station))

    def _sends(self, area: str, message: bytes, fate: dict[str, Any]) -> None:
        there = [station for station in self.worlds if f"{STATIONS[station].area}/".startswith(f"{area}/")]
        self.enemy.fate = fate
        self.enemy.carries(there, f"loa/1/area/{area}/job", message)
        self.enemy.fate = {}

    def power_cut(self, station: str, for_ms: int) -> None:
        self.worlds[station].cut_power(for_ms)
        self.memories[station].died(self.now)
        self.memories[station].powered.append(self.now + for_ms)

    def kill_agent(self, station: str) -> None:
        self.worlds[station].kill_agent()
        self.memories[station].died(self.now)

    def kill_io(self, station: str) -> None:
        self.worlds[station].kill_io()
        self.memories[station].died(self.now)

    def copy_card(self, station: str) -> None:
        """Somebody copies the card."""
        self.copies[station].append((self.worlds[station].disk.committed, self.memories[station].copied(self.now)))

    def restore_card(self, station: str, which: int) -> None:
        """The copy is put back."""
        copies = self.copies[station]
        if copies:
            committed, remembered = copies[which % len(copies)]
            self.power_cut(station, DARK_MS)
            self.worlds[station].disk.put_in(committed)
            self.memories[station].restored(self.now, remembered)

    def factory_reset(self, station: str) -> None:
        """A new card: an empty journal beside the first trust file."""
        self.power_cut(station, DARK_MS)
        self.worlds[station].disk.tear()
        self.memories[station].restored(self.now, None)

    def network_cut(self, station: str, for_ms: int) -> None:
        world = self.worlds[station]
        world.set_network(False)
        world.after(for_ms, lambda: world.set_network(True))

    def welcomes(self, station: str, late_ms: int, for_ms: int) -> None:
        """They come late for a while, everywhere."""
        self._welcomes(station, {"late_ms": late_ms}, for_ms)

    def no_welcomes(self, station: str, for_ms: int) -> None:
        self._welcomes(station, {"lost": True}, for_ms)

    def wrong_start(self, station: str, by_ms: int, for_ms: int) -> None:
        """The machine starts anew by a chip, or NTP, that is off by so much; welcomes come when that is over."""
        self.lie(station, by_ms)
        self.power_cut(station, DARK_MS)
        self.no_welcomes(station, for_ms)
        self.worlds[station].after(for_ms, lambda: self.lie(station, 0))

    def wrong_time(self, station: str, by_ms: int, for_ms: int) -> None:
        """NTP is off by so much for a while, and so is a chip that is read meanwhile."""
        self.lie(station, by_ms)
        self.worlds[station].after(for_ms, lambda: self.lie(station, 0))

    def lie(self, station: str, by_ms: int) -> None:
        """Whatever but the centre tells a station the time is off by so much from here on."""
        self.lies[station].append((self.now, by_ms))
        self.worlds[station].machine.step_ms = by_ms

    def content(self, station: str, mood: str, for_ms: int) -> None:
        """The content server gives something else, nothing, or nothing soon."""
        content = self.worlds[station].content
        setattr(content, mood, 15_000 if mood == "slow_ms" else True)
        self.worlds[station].after(for_ms, lambda: setattr(content, mood, 0 if mood == "slow_ms" else False))

    def door(self, station: str, gives: str, for_ms: int) -> None:
        """The content server answers hellos in another way."""
        door = self.doors[station]
        door.gives = gives
        self.worlds[station].after(for_ms, lambda: setattr(door, "gives", "honest"))

    def shelf_shows(self, station: str, shows: str, for_ms: int) -> None:
        """The content server shows something else for what is in force."""
        door = self.doors[station]
        door.shows = shows
        self.worlds[station].after(for_ms, lambda: setattr(door, "shows", "honest"))

    def silent_sources(self, station: str, for_ms: int) -> None:
        """No live source gives anything."""
        air = self.worlds[station].air
        air.gives(False)
        self.worlds[station].after(for_ms, lambda: air.gives(True))

    def _welcomes(self, station: str, fate: dict[str, Any], for_ms: int) -> None:
        self.enemy.welcomes = fate
        self.worlds[station].after(for_ms, lambda: setattr(self.enemy, "welcomes", {}))


class _Watch:
    """Notes what a station has on disk and obeys."""

    def __init__(self, life: Life, station: str) -> None:
        self._life = life
        self._station = station
        self._memory = life.memories[station]
        self._believing = Believing(life, station)
        self._manifests: dict[str, tuple[bytes, bytes]] = {}

    def booted(self, agent: Agent) -> None:
        """Another process: what lasts counts anew in it."""
        self._memory.boots.append(self._life.worlds[self._station].mono)
        self._believing.booted(agent)

    def stepped(self, agent: Agent, before: State, event: Event) -> None:
        """One step of it."""
        state, world = agent.state, self._life.worlds[self._station]
        if state.rules is not before.rules:
            for order_id, rule in state.rules.items():
                if rule.saved and not rule.held:
                    self._memory.obeys(str(order_id), world.mono)
        if state.jobs is not before.jobs:
            for order_id, known in state.jobs.items():
                if known.saved and not known.held:
                    self._memory.obeys(str(order_id), world.mono)
        for effect in agent.effects:
            self._ordered(agent, effect, before.link.nonce)
        manifests = world.disk.committed.manifests
        if manifests is not self._manifests:
            self._manifests = manifests
            self._memory.keeps(world.mono, manifests)
        self._believing.stepped(agent, event)

    def _ordered(self, agent: Agent, effect: Effect, nonce: str) -> None:
        """A sound, or the time that a welcome for ``nonce`` tells."""
        world = self._life.worlds[self._station]
        if isinstance(effect, AdoptTime):
            self._memory.told.append(world.mono)
        if isinstance(effect, AdoptTime) and nonce in self._life.desks[self._station].shows_old:
            self._memory.shown_old.append(world.mono)
        if isinstance(effect, StartPlay):
            self._memory.beliefs.setdefault(effect.play_id, []).append(_believed(world, agent.now()))


def _believed(world: World, now: Now) -> Belief:
    utc = int(now.utc) if now.tells_validity else None
    return Belief(world.mono, utc, now.signed, world.disk.committed.floor)
