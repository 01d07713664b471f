"""The bench itself, opened from its file: what a station gets as its hardware, and what is seen of it and heard.

Runs where the station runs: in the virtual bench's machine, or on the real station itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from demo.ward import Fitting, Hardware, Ward
from hil_tests.drivers.looped_contacts import LoopedContacts
from hil_tests.drivers.relay_board import SimulatedBoard
from hil_tests.rig import ZONES, RelayWiring, RigError, RigFile
from tests.host.gpio_sim import Level, SimulatedChip
from tests.host_rig import UNFRAMED, HostRig
from tests.rig import Edge


class Watched(Protocol):
    """What tells how relays moved."""

    def watch(self, *lines: int) -> None: ...

    def changes(self) -> list[Level]: ...


class Bench:
    """A context manager: while inside, all that the bench's file names is there."""

    def __init__(self, rig: RigFile) -> None:
        self.rig = rig
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Bench:
        wiring = self.rig.relays
        if wiring is None or self.rig.sound is None:
            raise RigError(f"{self.rig.name}: a bench needs [relays] and [sound] to run anything at all")
        self.hardware = Hardware(
            device=self.rig.sound.device,
            capture=self.rig.sound.capture,
            gpio_chip=wiring.chip,
            gpio_lines=tuple(wiring.lines[zone] for zone in ZONES),
        )
        with contextlib.ExitStack() as stack:
            if wiring.driver == "gpio":
                self._look_at_contacts(stack, wiring)
            else:
                self._simulate(stack, wiring)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def watch(self) -> None:
        """Forget the relays' edges so far."""
        self._watched.watch(*self._zones)

    def edges(self) -> list[tuple[str, bool, float]]:
        """Zone, closed, and the boot time in ms of every move of a relay."""
        return [
            (self._zones[one.line], one.high != self.hardware.active_low, one.at_ms) for one in self._watched.changes()
        ]

    def _look_at_contacts(self, stack: contextlib.ExitStack, wiring: RelayWiring) -> None:
        """Of a real board: the bench alone reads them, so the station has no read-back."""
        self._zones = {line: zone for zone, line in wiring.contacts.items()}
        self._watched: Watched = stack.enter_context(LoopedContacts(wiring.chip, wiring.contacts))

    def _simulate(self, stack: contextlib.ExitStack, wiring: RelayWiring) -> None:
        """Lines of the kernel's own, and a board behind them; the station reads its contacts back."""
        self._zones = {line: zone for zone, line in wiring.lines.items()}
        self._watched = self.chip = stack.enter_context(SimulatedChip())
        self.board = stack.enter_context(SimulatedBoard(self.chip, wiring.lines, wiring.contacts))
        contacts = tuple(wiring.contacts[zone] for zone in ZONES)
        self.hardware = replace(self.hardware, gpio_chip=self.chip.path, contact_lines=contacts)

    @contextlib.contextmanager
    def low_board(self) -> Iterator[None]:
        """Another board, which closes its relays at low level and pulls its inputs up, so that nobody's line is off."""
        usual = self.hardware
        self._wire(replace(usual, active_low=True))
        yield
        self._wire(usual)

    def _wire(self, hardware: Hardware) -> None:
        self.hardware, self.board.active_low = hardware, hardware.active_low
        for line in self._zones:
            self.chip.pull(line, up=hardware.active_low)

    def left_to_the_kernel(self) -> list[str]:
        """The zones whose relays fell because their holder was gone, and not by anybody's order.

        Here the kernel lets such a line fall; that of a Raspberry Pi may leave it as it is.
        """
        return [self._zones[one.line] for one in self.chip.changes() if not one.traced]


class BenchRig(HostRig):
    """The scenarios' rig on a bench: its relays and its card are real ones."""

    def __init__(
        self,
        folder: Path,
        bench: Bench,
        fitting: Fitting = UNFRAMED,
        ward_of: Callable[..., Ward] = Ward,
        *,
        deaf: bool = False,
    ) -> None:
        """``deaf``: nobody listens at the card."""
        hardware = replace(bench.hardware, capture="") if deaf else bench.hardware
        super().__init__(folder, hardware=hardware, fitting=fitting, ward_of=ward_of)
        self.bench = bench
        self.tolerance_s = bench.rig.sound_tolerance_s

    def __enter__(self) -> BenchRig:
        self.bench.watch()
        super().__enter__()
        return self

    def relay_edges(self) -> list[Edge]:
        return [Edge(zone, on, self.at_s(boot)) for zone, on, boot in self.bench.edges()]
