"""What every driver of ``relay.port.Relays`` owes: one file for the fake, the files, the GPIO adapter, a real kernel.

The real kernel is a chip of gpio-sim, made through configfs: it runs where that is mounted and writable (the virtual
bench), and is skipped with its reason elsewhere.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import gpiod
import pytest

from edge_agent.core.units import ZoneId
from edge_agent.relay.gpio import GpioRelays, RelayLine, relays_off
from edge_agent.relay.port import RelayError, Relays
from edge_agent.relay.simulated import SimulatedRelays
from edge_agent.relay.simulated import relays_off as simulated_relays_off
from tests.fakes.relays import FakeGpio, FakeRelays
from tests.host.gpio_sim import SimulatedChip, needs_gpio_sim

HIGH, LOW, READ = ZoneId("high"), ZoneId("low"), ZoneId("read")
ZONES = (HIGH, LOW, READ)
# An active-high relay, an active-low one, and one whose contact is read back.
LINES = {HIGH: RelayLine(0), LOW: RelayLine(1, active_low=True), READ: RelayLine(2, read_back=3)}


class Rig(Protocol):
    """A driver and a view of the real contacts beside it."""

    def open(self) -> Relays: ...

    def on(self, zone: ZoneId) -> bool: ...

    def kill(self) -> None:
        """What the death of the process leaves: nobody holds the lines, nobody has set them."""

    def hook(self) -> None: ...

    def follow(self) -> None:
        """Let READ's contact go where its coil is."""


class FakeRig:
    """The fake that other tests stand on."""

    def __init__(self) -> None:
        self.relays = FakeRelays(ZONES, wired=(READ,))

    def open(self) -> Relays:
        left = tuple(zone for zone, on in self.relays.contacts.items() if on)
        self.relays = FakeRelays(ZONES, wired=(READ,), on=left)
        for zone in ZONES:
            self.relays.switch(zone, False)
        return self.relays

    def on(self, zone: ZoneId) -> bool:
        return self.relays.contacts[zone]

    def kill(self) -> None:
        pass

    def hook(self) -> None:
        self.relays.close()

    def follow(self) -> None:
        pass


class SimulatedRig:
    """Files in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def open(self) -> Relays:
        return SimulatedRelays(self.directory, ZONES)

    def on(self, zone: ZoneId) -> bool:
        return (self.directory / zone).read_text() == "1"

    def kill(self) -> None:
        pass

    def hook(self) -> None:
        simulated_relays_off(self.directory)

    def follow(self) -> None:
        pass


class FakeGpioRig:
    """The GPIO adapter over the fake kernel."""

    def __init__(self) -> None:
        self.gpio = FakeGpio()
        self.gpio.lines[2].contact_to = 3
        self.chip = Path(self.gpio.path)

    def open(self) -> Relays:
        return GpioRelays(self.chip, LINES, self.gpio)

    def on(self, zone: ZoneId) -> bool:
        wiring = LINES[zone]
        return (self.gpio.lines[wiring.line].level == 1) != wiring.active_low

    def kill(self) -> None:
        self.gpio.kill_holders()

    def hook(self) -> None:
        relays_off(self.chip, LINES, self.gpio)

    @contextmanager
    def held_by_somebody(self, line: int) -> Iterator[None]:
        self.gpio.lines[line].error = errno.EBUSY
        yield
        self.gpio.lines[line].error = None

    def follow(self) -> None:
        pass


class KernelRig:
    """The GPIO adapter over a chip of gpio-sim. Mainline lets a released line go, so a killed holder leaves it open."""

    def __init__(self, chip: SimulatedChip) -> None:
        self.lines = chip
        self.chip = Path(chip.path)
        self.relays: GpioRelays | None = None
        # Boards pull their inputs so that a line nobody drives is off.
        self.lines.pull(1, up=True)

    def open(self) -> Relays:
        self.relays = GpioRelays(self.chip, LINES)
        self.follow()
        return self.relays

    def on(self, zone: ZoneId) -> bool:
        wiring = LINES[zone]
        return self.lines.high(wiring.line) != wiring.active_low

    def kill(self) -> None:
        assert self.relays is not None
        self.relays._factory.close()

    def hook(self) -> None:
        relays_off(self.chip, LINES)

    @contextmanager
    def held_by_somebody(self, line: int) -> Iterator[None]:
        as_it_is = {line: gpiod.LineSettings(direction=gpiod.line.Direction.AS_IS)}
        with gpiod.request_lines(str(self.chip), config=as_it_is, consumer="somebody"):
            yield

    def follow(self) -> None:
        self.lines.pull(3, up=not self.on(READ))


@pytest.fixture(
    params=[
        "fake",
        "simulated",
        "gpio-on-fake-kernel",
        pytest.param("gpio-on-real-kernel", marks=[pytest.mark.shows("bench.2"), needs_gpio_sim]),
    ]
)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    if request.param == "fake":
        yield FakeRig()
    elif request.param == "simulated":
        yield SimulatedRig(tmp_path / "relays")
    elif request.param == "gpio-on-fake-kernel":
        yield FakeGpioRig()
    else:
        with SimulatedChip() as chip:
            yield KernelRig(chip)


def _on(rig: Rig) -> set[ZoneId]:
    return {zone for zone in ZONES if rig.on(zone)}


def test_claimed_relays_are_open(rig: Rig) -> None:
    relays = rig.open()
    assert _on(rig) == set()
    relays.close()


@pytest.mark.parametrize("zone", ZONES)
def test_one_relay_moves_and_no_other(rig: Rig, zone: ZoneId) -> None:
    relays = rig.open()
    relays.switch(zone, True)
    assert _on(rig) == {zone}
    relays.switch(zone, True)
    assert _on(rig) == {zone}
    relays.switch(zone, False)
    assert _on(rig) == set()
    relays.close()


def test_the_read_back_tells_where_the_contact_is(rig: Rig) -> None:
    relays = rig.open()
    for on in (False, True, False):
        relays.switch(READ, on)
        rig.follow()
        assert relays.read_back(READ) is on
    relays.close()


def test_close_opens_every_relay(rig: Rig) -> None:
    relays = rig.open()
    for zone in ZONES:
        relays.switch(zone, True)
    assert _on(rig) == set(ZONES)
    relays.close()
    assert _on(rig) == set()


def test_what_a_dead_process_left_closed_is_open_after_the_next_claim(rig: Rig) -> None:
    relays = rig.open()
    for zone in ZONES:
        relays.switch(zone, True)
    rig.kill()
    again = rig.open()
    assert _on(rig) == set()
    again.close()


def test_what_a_dead_process_left_closed_is_open_after_the_hook(rig: Rig) -> None:
    relays = rig.open()
    for zone in ZONES:
        relays.switch(zone, True)
    rig.kill()
    rig.hook()
    assert _on(rig) == set()


@pytest.fixture(
    params=[
        "gpio-on-fake-kernel",
        pytest.param("gpio-on-real-kernel", marks=[pytest.mark.shows("bench.2"), needs_gpio_sim]),
    ]
)
def lines(request: pytest.FixtureRequest) -> Iterator[FakeGpioRig | KernelRig]:
    """Only of lines there is somebody else who may hold one."""
    if request.param == "gpio-on-fake-kernel":
        yield FakeGpioRig()
    else:
        with SimulatedChip() as chip:
            yield KernelRig(chip)


def test_a_line_that_somebody_else_holds_keeps_its_own_zone_silent_until_it_is_free(
    lines: FakeGpioRig | KernelRig,
) -> None:
    with lines.held_by_somebody(LINES[LOW].line):
        relays = lines.open()
        relays.switch(HIGH, True)
        assert lines.on(HIGH)
        with pytest.raises(RelayError, match=r"relay low: .* held by somebody else"):
            relays.switch(LOW, True)
    relays.switch(LOW, False)
    assert _on(lines) == {HIGH}
    relays.switch(LOW, True)
    assert _on(lines) == {HIGH, LOW}
    relays.close()
    assert _on(lines) == set()


def test_a_zone_that_is_not_there_is_a_relay_error(rig: Rig) -> None:
    relays = rig.open()
    with pytest.raises(RelayError, match="elsewhere"):
        relays.switch(ZoneId("elsewhere"), True)
    relays.close()
