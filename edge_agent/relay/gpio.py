"""Relays on GPIO lines: gpiozero's devices over a pin factory of our own that speaks gpiod 2.

gpiozero's factories claim an output as an input first and set it afterwards, which an active-low relay board answers
with a click in the street. Here the kernel gets direction and value in one request. The factory is handed to each
device: the global ``Device.pin_factory`` stays unset, so nothing can fall back to another back end, and where the chip
or the line is not there, a RelayError says so.

A read-back is an auxiliary contact from its line to ground: pulled up, low while closed; a broken wire reads as open.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import gpiod
from gpiozero import InputDevice, OutputDevice
from gpiozero.exc import GPIOPinInUse, PinInvalidPin, PinSetInput, PinUnsupported
from gpiozero.pins import Factory, Pin, PinInfo

from edge_agent.core.units import ZoneId
from edge_agent.relay.port import RelayError

CONSUMER = "edge-agent"
# What gpioinfo shows to whoever looks for the holder of a line.
REMEDIES: Final[Mapping[int, str]] = {
    errno.ENOENT: "no such chip; list the chips with gpiodetect and correct the configured one",
    errno.ENODEV: "not a GPIO chip; list the chips with gpiodetect and correct the configured one",
    errno.EACCES: "not permitted; the chip must be of the group gpio (a udev rule), and this process's user its member",
    errno.EPERM: "not permitted; the chip must be of the group gpio (a udev rule), and this process's user its member",
    errno.EBUSY: "held by somebody else; find the holder with gpioinfo, a dtoverlay may be one too",
}


@dataclass(frozen=True, slots=True)
class RelayLine:
    """How one relay is wired: offsets on the chip; ``active_low`` where the board closes its relay at low level."""

    line: int
    active_low: bool = False
    read_back: int | None = None


class GpioRelays:
    """Implements ``relay.port.Relays`` on one GPIO chip."""

    def __init__(self, chip: Path, lines: Mapping[ZoneId, RelayLine], kernel: Any = gpiod) -> None:
        """Claim every line, off. ``kernel`` is the gpiod module, or a fake with its interface.

        A line that the kernel does not give, because somebody holds it or its driver fails, is asked for again with
        each order: it keeps its own zone silent and no other. Raises RelayError where not a single relay's is given,
        and for what is written wrong.
        """
        self._chip = chip
        self._lines = dict(lines)
        self._factory = GpiodFactory(chip, kernel)
        self._outputs: dict[ZoneId, Any] = {}
        self._inputs: dict[ZoneId, Any] = {}
        refusals: list[str] = []
        try:
            for zone, wiring in self._lines.items():
                refusals += self._refusal(zone, wiring.line, self._output)
            for zone, wiring in self._lines.items():
                refusals += self._refusal(zone, wiring.read_back, self._input)
            if refusals and not self._outputs:
                raise RelayError("; ".join(refusals))
        except RelayError:
            self._factory.close()
            raise

    def switch(self, zone: ZoneId, on: bool) -> None:
        """Close (on) or open a zone's relay. Raises RelayError."""
        if zone not in self._lines:
            raise RelayError(f"relay {zone}: no such zone on {self._chip}")
        try:
            self._output(zone).value = on
        except OSError as exc:
            raise self._error(zone, self._lines[zone].line, exc) from exc

    def read_back(self, zone: ZoneId) -> bool | None:
        """Whether the contact really is closed; None where no read-back is wired. Raises RelayError."""
        wiring = self._lines.get(zone)
        if wiring is None or wiring.read_back is None:
            return None
        try:
            return bool(self._input(zone).value)
        except OSError as exc:
            raise self._error(zone, wiring.read_back, exc) from exc

    def close(self) -> None:
        """Open every relay and give the lines back. One that does not answer does not keep the others closed."""
        errors = []
        for zone in self._outputs:
            try:
                self.switch(zone, False)
            except RelayError as exc:
                errors.append(str(exc))
        self._factory.close()
        self._lines.clear()  # nothing is claimed again
        self._outputs.clear()
        self._inputs.clear()
        if errors:
            raise RelayError("; ".join(errors))

    def _refusal(self, zone: ZoneId, line: int | None, claim: Callable[[ZoneId], object]) -> list[str]:
        """Why the kernel gives no line now; [] where it does, or none is wired. Raises RelayError if it never will."""
        if line is None:
            return []
        try:
            claim(zone)
        except OSError as exc:
            return [str(self._error(zone, line, exc))]
        except (ValueError, GPIOPinInUse) as exc:
            raise self._error(zone, line, exc) from exc
        return []

    def _output(self, zone: ZoneId) -> Any:
        if zone not in self._outputs:
            wiring = self._lines[zone]
            with self._factory.all_or_nothing(wiring.line):
                self._outputs[zone] = OutputDevice(
                    wiring.line, active_high=not wiring.active_low, pin_factory=self._factory
                )
        return self._outputs[zone]

    def _input(self, zone: ZoneId) -> Any:
        if zone not in self._inputs:
            line = self._lines[zone].read_back
            assert line is not None, "asked of a relay that has one"
            with self._factory.all_or_nothing(line):
                self._inputs[zone] = InputDevice(line, pull_up=True, pin_factory=self._factory)
        return self._inputs[zone]

    def _error(self, zone: ZoneId, line: int | None, exc: Exception) -> RelayError:
        if isinstance(exc, GPIOPinInUse):
            words = "used twice in this configuration; give each relay and read-back its own line"
        elif isinstance(exc, OSError) and exc.errno is not None:
            words = REMEDIES.get(exc.errno, f"{exc.strerror}; see dmesg for what the driver says")
        else:
            words = f"{exc}; the chip has no such line, count its lines with gpioinfo"
        return RelayError(f"relay {zone}: {self._chip} line {line}: {words}")


def relays_off(chip: Path, lines: Mapping[ZoneId, RelayLine], kernel: Any = gpiod) -> None:
    """Open every relay, whoever left it closed. For the hooks around the service. Raises RelayError.

    Each by itself: one whose line is held, broken or written wrong does not keep the others closed.
    """
    errors = []
    for zone, wiring in lines.items():
        try:
            # Without read-backs: a faulty one must not keep the hook from opening a relay.
            GpioRelays(chip, {zone: RelayLine(wiring.line, wiring.active_low)}, kernel).close()
        except RelayError as exc:
            errors.append(str(exc))
    if errors:
        raise RelayError("; ".join(errors))


class GpiodFactory(Factory):  # type: ignore[misc]  # gpiozero ships no types
    """Makes gpiozero pins of one GPIO chip's lines, named by their offsets."""

    def __init__(self, chip: Path, kernel: Any = gpiod) -> None:
        super().__init__()
        self.chip = chip
        self.kernel = kernel
        self._pins: dict[int, GpiodPin] = {}
        self._reserved: dict[int, object] = {}

    def pin(self, name: int | str) -> GpiodPin:
        """The one pin object of a line."""
        offset = _offset(name)
        if offset not in self._pins:
            self._pins[offset] = GpiodPin(self, offset)
        return self._pins[offset]

    def reserve_pins(self, requester: object, *names: int | str) -> None:
        """One device a line. gpiozero's own book-keeping needs a board with headers; a chip has none."""
        for offset in map(_offset, names):
            if self._reserved.setdefault(offset, requester) is not requester:
                raise GPIOPinInUse(f"line {offset} is already in use")

    def release_pins(self, reserver: object, *names: int | str) -> None:
        """Undo ``reserve_pins``; of another's reservation nothing."""
        for offset in map(_offset, names):
            if self._reserved.get(offset) is reserver:
                del self._reserved[offset]

    def release_all(self, reserver: object) -> None:
        """Release whatever ``reserver`` holds."""
        self.release_pins(reserver, *[offset for offset, holder in self._reserved.items() if holder is reserver])

    @contextmanager
    def all_or_nothing(self, offset: int) -> Iterator[None]:
        """A device that the kernel gives no line leaves nothing behind: gpiozero keeps its reservation and its pin.

        The pin goes too, for the half-made device closes it whenever it is collected: that must not be the next one's.
        """
        try:
            yield
        except OSError:
            self._reserved.pop(offset, None)
            if pin := self._pins.pop(offset, None):
                pin.close()
            raise

    def close(self) -> None:
        """Close every device that is still open, and with it its line."""
        for device in list(self._reserved.values()):
            device.close()  # type: ignore[attr-defined]
        for pin in self._pins.values():
            pin.close()
        self._reserved.clear()
        self._pins.clear()

    def ticks(self) -> float:
        """Seconds of CLOCK_MONOTONIC."""
        return time.monotonic()

    def ticks_diff(self, later: float, earlier: float) -> float:
        """Seconds between two ``ticks``."""
        return later - earlier

    def _get_board_info(self) -> Any:
        raise PinUnsupported(f"{self.chip} is a chip and no board: lines are named by their offsets")


class GpiodPin(Pin):  # type: ignore[misc]  # gpiozero ships no types
    """One line, claimed when its direction is set, released on close. States are levels: 1 is high."""

    def __init__(self, factory: GpiodFactory, offset: int) -> None:
        super().__init__()
        self._kernel = factory.kernel
        self._chip = str(factory.chip)
        self._offset = offset
        self._request: Any = None
        self._direction = "unclaimed"
        self._bias = "floating"

    def __repr__(self) -> str:
        return f"{self._chip} line {self._offset}"

    def output_with_state(self, state: int) -> None:
        """Claim as an output that has this level from its first instant."""
        line = self._kernel.line
        self._claim("output", direction=line.Direction.OUTPUT, output_value=self._value(state))

    def close(self) -> None:
        """Give the line back."""
        if self._request is not None:
            self._request.release()
            self._request = None
            self._direction = "unclaimed"

    def _claim(self, function: str, **settings: Any) -> None:
        config = {self._offset: self._kernel.LineSettings(**settings)}
        if self._request is None:
            self._request = self._kernel.request_lines(self._chip, config=config, consumer=CONSUMER)
        else:
            self._request.reconfigure_lines(config)
        self._direction = function

    def _value(self, state: int) -> Any:
        return self._kernel.line.Value.ACTIVE if state else self._kernel.line.Value.INACTIVE

    def _get_info(self) -> Any:
        name = str(self._offset)
        return PinInfo(self._offset, name, frozenset({name}), "", 1, 1, frozenset({"gpio"}))

    def _get_function(self) -> str:
        return self._direction

    def _set_function(self, value: str) -> None:
        if value != "input":
            raise PinUnsupported(f"{self!r}: an output is claimed with its level, never without")
        self._claim("input", direction=self._kernel.line.Direction.INPUT)

    def _get_state(self) -> int:
        return int(self._request.get_value(self._offset) is self._kernel.line.Value.ACTIVE)

    def _set_state(self, value: int) -> None:
        if self._direction != "output":
            raise PinSetInput(f"cannot set {self!r}: not an output")
        self._request.set_value(self._offset, self._value(value))

    def _get_pull(self) -> str:
        return self._bias

    def _set_pull(self, value: str) -> None:
        bias = self._kernel.line.Bias
        self._claim(
            "input",
            direction=self._kernel.line.Direction.INPUT,
            bias={"up": bias.PULL_UP, "down": bias.PULL_DOWN, "floating": bias.DISABLED}[value],
        )
        self._bias = value


def _offset(name: int | str) -> int:
    try:
        return int(name)
    except ValueError as exc:
        raise PinInvalidPin(f"{name!r} is no offset of a line") from exc
