"""Play one script to its end, with systemd at its work and the judges watching; answers what broke, if anything did."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edge_agent.core.events import HelloDue
from tests.rig import Order
from tests.sim import SimRig
from tests.soak import faults
from tests.soak.judges import judge
from tests.soak.promises import Broken
from tests.soak.script import CALM, CALM_MS, Happening, Script
from tests.soak.watching import StepWatch
from tests.trust.makers import WELCOME_TOPIC

HELLOS = 2
PROGRESS_MS = 5_000
# A card that tells its progress ten times as seldom as the real one: a year of it is most of what there is to step.


@dataclass(frozen=True, slots=True)
class Failure:
    """``name`` is what was promised and did not hold; ``told`` is for a person."""

    name: str
    told: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Hushed:
    """A lock (for ``everybody``) or a silence (for ordinary sound) that was sent for a zone, and until when."""

    zone: str
    until_ms: int
    everybody: bool


@dataclass(frozen=True, slots=True)
class Ordered:
    """What an officer, or somebody else, sent."""

    order: Order
    tampering: str
    at_ms: int


class Life:
    """One ward from ``begins_ms`` until the calm after the chaos is over.

    ``thorough`` False leaves out what is looked at after every step; so does a calm life, which is for the pace.
    """

    def __init__(self, script: Script, *, keep_notes: bool = False, thorough: bool = True) -> None:
        setting = script.setting
        self.script = script
        self.rig = SimRig(
            wired=setting.wired,
            drift_ppm=setting.drift_ppm,
            chip=setting.chip,
            ntp=setting.ntp,
            progress_ms=PROGRESS_MS,
            home=setting.home,
            framed=setting.framed,
            least_off_ms=setting.least_off_ms,
            stagger_ms=setting.stagger_ms,
        )
        self.world = self.rig.world
        self.world.keep_notes = keep_notes
        self.orders: dict[str, Ordered] = {}
        self.hushes: dict[str, Hushed] = {}
        self.void: set[str] = set()
        """Jobs that were ordered before a journal was torn: nothing is promised about them any more."""
        self.welcomes: list[tuple[str, bytes]] = []
        """Every welcome that was ever sent, for who wants to send one again."""
        self.world.broker.taps.append(self._tapped)
        self.watch = StepWatch(self.world, thorough=thorough and script.name != CALM)
        self._lasting: dict[str, int] = {}

    def live(self) -> Failure | None:
        """Everything happens; None where everything held."""
        # What the station tells an engineer is not looked at here, and formatting it costs more than deciding it.
        disabled = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        try:
            return self._judged()
        finally:
            logging.disable(disabled)
            self.world.close()

    def _tapped(self, topic: str, payload: bytes) -> None:
        if topic == WELCOME_TOPIC and (topic, payload) not in self.welcomes:
            self.welcomes.append((topic, payload))

    def _judged(self) -> Failure | None:
        try:
            self._live()
            judge(self)
        except Broken as broken:
            return Failure(broken.name, str(broken), self.world.mono)
        except AssertionError as exc:
            return Failure(str(exc) or traceback.format_exc(limit=-1), _where(exc), self.world.mono)
        except Exception as exc:  # noqa: BLE001  whatever the station raises is what is looked for
            return Failure(f"{type(exc).__name__}: {exc}", _where(exc), self.world.mono)
        return None

    def ordered(self, job_id: str, order: Order, tampering: str) -> None:
        """Somebody has sent it."""
        self.orders[job_id] = Ordered(order, tampering, self.world.mono)

    def hushed(self, order_id: str, zone: str, for_ms: int, *, everybody: bool) -> None:
        """Somebody wants a zone to be silent."""
        self.hushes[order_id] = Hushed(zone, self.world.mono + for_ms, everybody)

    def torn(self) -> None:
        """What the journal promised is void; its successor begins a new chain."""
        self.void |= set(self.orders) | set(self.rig.sent)
        self.watch.void = self.void

    def had(self, *names: str) -> bool:
        """Whether one of these has happened."""
        return any(happening.troubles.intersection(names) for happening in self.script.happenings)

    def zones_with(self, *names: str) -> set[str]:
        """Where one of these has happened."""
        return {happening.args["zone"] for happening in self.script.happenings if happening.what in names}

    @property
    def slowest_disk_ms(self) -> int:
        """How much longer than usual a commit may have taken."""
        slow = [happening.args["ms"] for happening in self.script.happenings if happening.what == "disk_slow"]
        return max(slow, default=0)

    def sets(self, what: Any, name: str, troubled: Any, well: Any, for_ms: int) -> None:
        """Trouble that is one value for a while."""
        setattr(what, name, troubled)
        self.lasts(f"{id(what)} {name}", for_ms, lambda: setattr(what, name, well))

    def lasts(self, what: str, for_ms: int, over: Callable[[], None]) -> None:
        """``over`` comes after ``for_ms``, unless the same trouble came again meanwhile and lasts longer."""
        until = max(self._lasting.get(what, 0), self.world.mono + for_ms)
        self._lasting[what] = until

        def end() -> None:
            if self._lasting.get(what) == self.world.mono:
                over()

        self.world.after(until - self.world.mono, end)

    def _live(self) -> None:
        setting = self.script.setting
        self.world.run_until(setting.begins_ms)
        self.world.headend.welcoming = setting.welcome
        self.world.supervised = True
        self.world.boot()
        for happening in self.script.happenings:
            self.world.run_until(happening.at_ms)
            self._happen(happening)
        self.world.run_until(setting.chaos_until_ms)
        self.world.headend.welcoming = True
        for hello in range(HELLOS):  # what it does every six hours: by the second one all that was held back has come
            if self.world.agent is not None:
                self.world.agent.take(HelloDue())
            self.world.run_until(setting.chaos_until_ms + CALM_MS * (hello + 1) // HELLOS)

    def _happen(self, happening: Happening) -> None:
        faults.TABLE[happening.what](self, **happening.args)


def _where(exc: BaseException) -> str:
    return "".join(traceback.format_exception(exc, limit=-6))
