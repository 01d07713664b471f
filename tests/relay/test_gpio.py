"""The GPIO adapter over a fake kernel: no blip at the claim, polarity, read-back, and errors that name the remedy."""

from __future__ import annotations

import errno
import gc
from pathlib import Path

import gpiod
import gpiozero
import pytest
from gpiozero import Device, OutputDevice
from gpiozero.exc import GPIOPinInUse, PinInvalidPin, PinSetInput, PinUnsupported

from edge_agent.core.events import RelayChanged
from edge_agent.core.units import MonoMs, ZoneId
from edge_agent.relay.contacts import LOOK_EVERY_MS, Contacts
from edge_agent.relay.gpio import CONSUMER, GpiodFactory, GpioRelays, RelayLine, relays_off
from edge_agent.relay.port import RelayError
from tests.fakes.relays import FakeGpio

CHIP = Path("/dev/gpiochip0")
A, B = ZoneId("a"), ZoneId("b")
LINES = {A: RelayLine(2), B: RelayLine(3, active_low=True, read_back=4)}


@pytest.fixture
def gpio() -> FakeGpio:
    gpio = FakeGpio()
    gpio.lines[3].active_low = True
    gpio.lines[3].contact_to = 4
    return gpio


def test_each_output_is_claimed_with_its_off_level_and_never_shows_another(gpio: FakeGpio) -> None:
    GpioRelays(CHIP, LINES, gpio)
    assert [change for change in gpio.trace if change[0] != 4] == [(2, True, 0), (3, True, 1)]
    assert [gpio.lines[n].consumer for n in (2, 3, 4)] == [CONSUMER] * 3


def test_a_line_left_driven_by_a_dead_process_goes_off_with_the_claim(gpio: FakeGpio) -> None:
    GpioRelays(CHIP, LINES, gpio).switch(B, True)
    gpio.kill_holders()
    gpio.trace.clear()
    GpioRelays(CHIP, LINES, gpio)
    assert gpio.trace[0] == (3, True, 1)


def test_polarity_is_the_boards_business_and_not_the_callers(gpio: FakeGpio) -> None:
    relays = GpioRelays(CHIP, LINES, gpio)
    gpio.trace.clear()
    for zone in (A, B):
        relays.switch(zone, True)
        relays.switch(zone, False)
    assert gpio.trace == [(2, True, 1), (2, True, 0), (3, True, 0), (3, True, 1)]


def test_the_read_back_shows_the_contact_and_not_the_order(gpio: FakeGpio) -> None:
    relays = GpioRelays(CHIP, LINES, gpio)
    assert (relays.read_back(A), relays.read_back(B)) == (None, False)
    relays.switch(B, True)
    assert relays.read_back(B) is True
    gpio.lines[3].contact_to = None  # the contact welds
    relays.switch(B, False)
    assert relays.read_back(B) is True


def test_a_broken_read_back_wire_reads_as_open(gpio: FakeGpio) -> None:
    gpio.lines[3].contact_to = None
    relays = GpioRelays(CHIP, LINES, gpio)
    relays.switch(B, True)
    assert relays.read_back(B) is False


def test_close_opens_every_relay_and_gives_the_lines_back(gpio: FakeGpio) -> None:
    relays = GpioRelays(CHIP, LINES, gpio)
    relays.switch(A, True)
    relays.switch(B, True)
    relays.close()
    assert (gpio.lines[2].level, gpio.lines[3].level) == (0, 1)
    assert [line.consumer for line in gpio.lines] == [None] * 8


def test_a_line_that_fails_at_close_does_not_keep_another_relay_closed(gpio: FakeGpio) -> None:
    relays = GpioRelays(CHIP, LINES, gpio)
    relays.switch(A, True)
    relays.switch(B, True)
    gpio.lines[2].error = errno.EIO
    with pytest.raises(RelayError, match="relay a"):
        relays.close()
    assert gpio.lines[3].level == 1
    assert gpio.lines[3].consumer is None


def test_the_hook_opens_what_a_killed_process_left_closed(gpio: FakeGpio) -> None:
    GpioRelays(CHIP, LINES, gpio).switch(B, True)
    gpio.kill_holders()
    gpio.lines[4].error = errno.EIO  # a faulty read-back is no excuse
    relays_off(CHIP, LINES, gpio)
    assert gpio.lines[3].level == 1
    assert gpio.lines[3].consumer is None


@pytest.mark.parametrize("error", [errno.EBUSY, errno.EIO])
def test_a_line_that_the_hook_cannot_claim_does_not_keep_another_relay_closed(gpio: FakeGpio, error: int) -> None:
    GpioRelays(CHIP, LINES, gpio).switch(B, True)
    gpio.kill_holders()
    gpio.lines[2].error = error
    with pytest.raises(RelayError, match=r"relay a: .* line 2: "):
        relays_off(CHIP, LINES, gpio)
    assert gpio.lines[3].level == 1
    assert gpio.lines[3].consumer is None


def test_a_line_that_was_written_wrong_since_does_not_keep_another_relay_closed_for_the_hook(gpio: FakeGpio) -> None:
    GpioRelays(CHIP, LINES, gpio).switch(B, True)
    gpio.kill_holders()
    with pytest.raises(RelayError) as caught:
        relays_off(CHIP, {ZoneId("new"): RelayLine(99), ZoneId("twice"): RelayLine(3, active_low=True), **LINES}, gpio)
    assert "relay new: /dev/gpiochip0 line 99: " in str(caught.value)
    assert gpio.lines[3].level == 1


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errno.EBUSY, "gpioinfo"),
        (errno.EACCES, "group gpio"),
        (errno.ENODEV, "gpiodetect"),
        (errno.EIO, "dmesg"),
    ],
)
def test_an_error_names_chip_line_and_remedy(gpio: FakeGpio, error: int, words: str) -> None:
    gpio.lines[2].error = gpio.lines[3].error = error
    with pytest.raises(RelayError, match=rf"relay a: .*; relay b: /dev/gpiochip0 line 3: .*{words}"):
        GpioRelays(CHIP, LINES, gpio)
    assert [line.consumer for line in gpio.lines] == [None] * 8, "a failed start keeps no line"


@pytest.mark.parametrize("error", [errno.EBUSY, errno.EIO])
def test_a_line_that_somebody_holds_keeps_its_own_zone_silent_and_is_claimed_off_when_it_is_free(
    gpio: FakeGpio, error: int
) -> None:
    gpio.lines[3].error = error
    relays = GpioRelays(CHIP, LINES, gpio)
    relays.switch(A, True)
    assert gpio.lines[2].level == 1
    refusals = []
    for _ in range(2):
        with pytest.raises(RelayError, match="relay b: /dev/gpiochip0 line 3: ") as refused:
            relays.switch(B, True)
        refusals.append(refused)
    gpio.lines[3].error = None
    gpio.trace.clear()
    relays.switch(B, True)
    assert [change for change in gpio.trace if change[0] == 3] == [(3, True, 1), (3, True, 0)]
    del refused
    refusals.clear()
    gc.collect()  # with them go the devices that could not be made: each closes its pin
    assert (gpio.lines[3].level, gpio.lines[3].consumer) == (0, CONSUMER)
    relays.close()
    assert [line.consumer for line in gpio.lines] == [None] * 8


def test_a_station_that_starts_while_somebody_holds_a_line_serves_its_other_zones_and_then_that_one(
    gpio: FakeGpio,
) -> None:
    gpio.lines[2].error = errno.EBUSY
    contacts = Contacts(GpioRelays(CHIP, LINES, gpio), LINES, MonoMs(0))
    assert [failed.zone for failed in contacts.failing()] == [A]
    assert contacts.switch(B, True, "switch", MonoMs(1)) == [RelayChanged(B, True, "switch", MonoMs(1))]
    gpio.lines[2].error = None
    assert RelayChanged(A, False, "start", LOOK_EVERY_MS) in contacts.check(MonoMs(LOOK_EVERY_MS))
    assert contacts.failing() == []


def test_a_read_back_that_somebody_holds_keeps_no_relay_from_moving_and_is_read_when_it_is_free(gpio: FakeGpio) -> None:
    gpio.lines[4].error = errno.EBUSY
    relays = GpioRelays(CHIP, LINES, gpio)
    relays.switch(B, True)
    with pytest.raises(RelayError, match=r"relay b: .*line 4: held by somebody else"):
        relays.read_back(B)
    gpio.lines[4].error = None
    assert relays.read_back(B) is True


def test_a_chip_that_is_not_there_is_an_error_and_never_another_driver() -> None:
    with pytest.raises(RelayError, match="/dev/gpiochip-none line 2: no such chip"):
        GpioRelays(Path("/dev/gpiochip-none"), LINES, gpiod)
    assert Device.pin_factory is None


def test_a_file_that_is_no_chip_is_an_error() -> None:
    with pytest.raises(RelayError, match="not a GPIO chip"):
        GpioRelays(Path("/dev/null"), LINES, gpiod)


def test_a_line_beyond_the_chip_is_named(gpio: FakeGpio) -> None:
    with pytest.raises(RelayError, match=r"line 99: .*no such line"):
        GpioRelays(CHIP, {A: RelayLine(99)}, gpio)


def test_one_line_for_two_zones_is_named(gpio: FakeGpio) -> None:
    with pytest.raises(RelayError, match=r"relay b: .*line 2: used twice"):
        GpioRelays(CHIP, {A: RelayLine(2), B: RelayLine(2)}, gpio)


def test_a_read_back_on_a_relays_line_is_named(gpio: FakeGpio) -> None:
    with pytest.raises(RelayError, match=r"relay a: .*line 2: used twice"):
        GpioRelays(CHIP, {A: RelayLine(2, read_back=2)}, gpio)


def test_a_line_that_fails_while_switching_or_reading_is_named(gpio: FakeGpio) -> None:
    relays = GpioRelays(CHIP, LINES, gpio)
    gpio.lines[2].error = gpio.lines[4].error = errno.EIO
    with pytest.raises(RelayError, match=r"relay a: .*line 2"):
        relays.switch(A, True)
    with pytest.raises(RelayError, match=r"relay b: .*line 4"):
        relays.read_back(B)


def test_a_zone_that_is_not_wired_is_named(gpio: FakeGpio) -> None:
    with pytest.raises(RelayError, match="elsewhere: no such zone"):
        GpioRelays(CHIP, LINES, gpio).switch(ZoneId("elsewhere"), True)


# -- the factory, as gpiozero sees it ---------------------------------------------------------------------------------


def test_any_gpiozero_output_works_on_the_factory(gpio: FakeGpio) -> None:
    with GpiodFactory(CHIP, gpio) as factory, gpiozero.LED(5, pin_factory=factory) as lamp:
        lamp.on()
        assert (lamp.value, gpio.lines[5].level) == (1, 1)
        lamp.toggle()
        assert gpio.lines[5].level == 0
        assert "gpiochip0 line 5" in repr(lamp)


def test_a_line_is_free_again_when_its_device_is_closed(gpio: FakeGpio) -> None:
    factory = GpiodFactory(CHIP, gpio)
    OutputDevice(5, pin_factory=factory).close()
    assert gpio.lines[5].consumer is None
    OutputDevice(5, pin_factory=factory).close()
    assert gpio.claims == 2


def test_two_devices_on_one_line_are_refused(gpio: FakeGpio) -> None:
    factory = GpiodFactory(CHIP, gpio)
    first = OutputDevice(5, pin_factory=factory)
    with pytest.raises(GPIOPinInUse):
        OutputDevice(5, pin_factory=factory)
    factory.release_all(object())
    assert gpio.lines[5].consumer == CONSUMER
    factory.release_all(first)
    factory.close()


def test_an_output_without_a_level_cannot_be_claimed(gpio: FakeGpio) -> None:
    with pytest.raises(PinUnsupported):
        OutputDevice(5, initial_value=None, pin_factory=GpiodFactory(CHIP, gpio))
    assert gpio.claims == 0


def test_an_input_cannot_be_set(gpio: FakeGpio) -> None:
    factory = GpiodFactory(CHIP, gpio)
    device = gpiozero.InputDevice(5, pull_up=False, pin_factory=factory)
    assert (device.pin.function, device.pin.pull, device.value) == ("input", "down", 0)
    with pytest.raises(PinSetInput):
        device.pin.state = 1


def test_a_pin_that_is_no_offset_is_refused(gpio: FakeGpio) -> None:
    with pytest.raises(PinInvalidPin):
        GpiodFactory(CHIP, gpio).pin("J8:11")
    with pytest.raises(PinUnsupported):
        _ = GpiodFactory(CHIP, gpio).board_info


def test_the_factory_tells_time_in_seconds(gpio: FakeGpio) -> None:
    factory = GpiodFactory(CHIP, gpio)
    earlier = factory.ticks()
    assert factory.ticks_diff(factory.ticks(), earlier) >= 0
