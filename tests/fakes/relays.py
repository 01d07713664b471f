"""Relays with memory that misbehave on demand, and a GPIO kernel to put under the real adapter."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import gpiod

from edge_agent.core.units import ZoneId
from edge_agent.relay.port import RelayError


class FakeRelays:
    """Relays in memory. ``wired`` zones read back; a stuck contact stays where it is.

    A dead line takes no order, a mute read-back does not answer.
    """

    def __init__(self, zones: tuple[ZoneId, ...], wired: tuple[ZoneId, ...] = (), on: tuple[ZoneId, ...] = ()) -> None:
        self.contacts = {zone: zone in on for zone in zones}
        self.wired = wired
        self.stuck: set[ZoneId] = set()
        self.dead: set[ZoneId] = set()
        self.mute: set[ZoneId] = set()
        self.edges: list[tuple[ZoneId, bool]] = []
        self.told: list[tuple[ZoneId, bool]] = []
        self.closed = False

    def switch(self, zone: ZoneId, on: bool) -> None:
        if zone not in self.contacts:
            raise RelayError(f"relay {zone}: no such zone")
        if zone in self.dead:
            raise RelayError(f"relay {zone}: the line does not answer")
        self.told.append((zone, on))
        if zone not in self.stuck and self.contacts[zone] != on:
            self.contacts[zone] = on
            self.edges.append((zone, on))

    def read_back(self, zone: ZoneId) -> bool | None:
        if zone in self.mute:
            raise RelayError(f"relay {zone}: the read-back does not answer")
        return self.contacts[zone] if zone in self.wired else None

    def close(self) -> None:
        for zone in self.contacts:
            if zone not in self.dead:
                self.switch(zone, False)
        self.closed = True


@dataclass
class Line:
    """One line of the fake chip: ``level`` is electrical, ``driven`` says that somebody drives it."""

    level: int = 0
    driven: bool = False
    consumer: str | None = None
    error: int | None = None
    contact_to: int | None = None  # the read-back line that the relay on this line pulls to ground when closed
    active_low: bool = False


@dataclass
class FakeGpio:
    """Stands for the gpiod module over one chip. A released output stays driven, as on a Raspberry Pi's kernel.

    ``trace`` holds what a probe on the pins would show: every change of (offset, driven, level).
    """

    path: str = "/dev/gpiochip0"
    lines: list[Line] = field(default_factory=lambda: [Line() for _ in range(8)])
    trace: list[tuple[int, bool, int]] = field(default_factory=list)
    claims: int = 0
    LineSettings: Any = gpiod.LineSettings
    line: Any = field(
        default_factory=lambda: SimpleNamespace(**{n: getattr(gpiod.line, n) for n in gpiod.line.__all__})
    )

    def request_lines(self, path: str, config: dict[int, Any], consumer: str) -> FakeRequest:
        if path != self.path:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        for offset in config:
            if offset >= len(self.lines):
                raise ValueError("line offset of out range")
            if self.lines[offset].consumer is not None:
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
            self._fail_if_told(offset)
        self.claims += 1
        request = FakeRequest(self, tuple(config))
        for offset in config:
            self.lines[offset].consumer = consumer
        request.reconfigure_lines(config)
        return request

    def drive(self, offset: int, level: int, driven: bool = True) -> None:
        self._fail_if_told(offset)
        line = self.lines[offset]
        if (line.driven, line.level) != (driven, level):
            line.driven, line.level = driven, level
            self.trace.append((offset, driven, level))
        if driven and line.contact_to is not None:
            self.lines[line.contact_to].level = int((level == 1) == line.active_low)

    def kill_holders(self) -> None:
        """The process that held the lines is gone; nobody set them."""
        for line in self.lines:
            line.consumer = None

    def _fail_if_told(self, offset: int) -> None:
        error = self.lines[offset].error
        if error is not None:
            raise OSError(error, os.strerror(error))


class FakeRequest:
    """A claim on lines of the fake chip."""

    def __init__(self, gpio: FakeGpio, offsets: tuple[int, ...]) -> None:
        self._gpio = gpio
        self._offsets = offsets

    def reconfigure_lines(self, config: dict[int, Any]) -> None:
        for offset, settings in config.items():
            if settings.direction is gpiod.line.Direction.OUTPUT:
                self._gpio.drive(offset, settings.output_value.value)
            else:
                pulled = settings.bias is gpiod.line.Bias.PULL_UP and not self._grounded(offset)
                self._gpio.drive(offset, int(pulled), driven=False)

    def get_value(self, offset: int) -> Any:
        assert offset in self._offsets
        self._gpio._fail_if_told(offset)
        return gpiod.line.Value(self._gpio.lines[offset].level)

    def set_value(self, offset: int, value: Any) -> None:
        assert offset in self._offsets
        self._gpio.drive(offset, value.value)

    def release(self) -> None:
        for offset in self._offsets:
            self._gpio.lines[offset].consumer = None

    def _grounded(self, offset: int) -> bool:
        """Whether a closed relay's contact pulls this line down."""
        return any(
            line.contact_to == offset and line.driven and (line.level == 1) != line.active_low
            for line in self._gpio.lines
        )
