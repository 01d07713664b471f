"""What the box says of itself: seen or None, and never waited for."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from edge_agent.host import HostReader, Way, read
from edge_agent.sync.reports import HostStatus

PATIENCE_S = 60
BROKER = Way(("127.0.0.1", 8883))


def box(sysfs: Path, temperature: str | None = None, **alarms: str) -> Path:
    """A /sys/class with this temperature, and one under-voltage alarm for each name."""
    if temperature is not None:
        (sysfs / "thermal/thermal_zone0").mkdir(parents=True)
        (sysfs / "thermal/thermal_zone0/temp").write_text(temperature)
    for name, alarm in alarms.items():
        (sysfs / "hwmon" / name).mkdir(parents=True)
        (sysfs / "hwmon" / name / "in0_lcrit_alarm").write_text(alarm)
    return sysfs


def test_a_box_without_sensors_says_none_and_guesses_nothing(tmp_path: Path) -> None:
    status = read(tmp_path / "absent", BROKER, "", tmp_path)
    assert status == HostStatus(address="127.0.0.1")


def test_the_serial_number_is_what_was_configured(tmp_path: Path) -> None:
    assert read(tmp_path, BROKER, "100000002fa5b61c", tmp_path).serial == "100000002fa5b61c"


def test_free_storage_is_that_of_the_station_s_card(tmp_path: Path) -> None:
    free_mb = read(tmp_path, BROKER, "", tmp_path).storage_free_mb
    assert free_mb is not None
    assert free_mb > 0


@pytest.mark.parametrize(("told", "seen"), [("58412\n", 58), ("0\n", 0), ("-3000\n", -3), ("", None), ("hot", None)])
def test_temperature_is_in_whole_degrees(tmp_path: Path, told: str, seen: int | None) -> None:
    assert read(tmp_path, BROKER, "", box(tmp_path, told)).temperature_c == seen


@pytest.mark.parametrize(
    ("alarms", "seen"),
    [({}, None), ({"hwmon0": "0\n"}, False), ({"hwmon0": "1\n"}, True), ({"hwmon0": "0\n", "hwmon3": "1\n"}, True)],
)
def test_under_voltage_is_what_any_of_the_alarms_says(tmp_path: Path, alarms: dict[str, str], seen: bool) -> None:
    assert read(tmp_path, BROKER, "", box(tmp_path, None, **alarms)).undervoltage is seen


def test_an_alarm_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "hwmon/hwmon0/in0_lcrit_alarm").mkdir(parents=True)
    assert read(tmp_path, BROKER, "", tmp_path).undervoltage is None


@pytest.mark.parametrize("broker", ["no-such-name.invalid", "a..b", "x" * 70, "256.1.1.1"])
def test_without_a_way_to_the_broker_there_is_no_address(tmp_path: Path, broker: str) -> None:
    assert read(tmp_path, Way((broker, 8883)), "", tmp_path).address is None


def test_a_broker_of_the_newer_internet_protocol_has_a_local_address_too(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("::1", 8883))
        except OSError:
            pytest.skip("this host has no IPv6")
    assert read(tmp_path, Way(("::1", 8883)), "", tmp_path).address == "::1"


class Names:
    """Whoever is asked for names: an address for each question, the next of these, and the last one for all others."""

    def __init__(self, *told: str) -> None:
        self._told = list(told)
        self.asked: list[str] = []

    def __call__(self, name: str, _within_s: float) -> list[str]:
        self.asked.append(name)
        if not self._told[0]:
            del self._told[0]
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return [self._told.pop(0) if len(self._told) > 1 else self._told[0]]


def test_the_brokers_name_is_asked_for_once_and_not_with_each_reading_for_the_sim_pays_for_it(tmp_path: Path) -> None:
    names = Names("127.0.0.1")
    way = Way(("broker.example", 8883), names)
    assert [read(tmp_path, way, "", tmp_path).address for _ in range(3)] == ["127.0.0.1"] * 3
    assert names.asked == ["broker.example"]


def test_a_name_that_was_not_found_or_leads_nowhere_is_asked_for_again(tmp_path: Path) -> None:
    names = Names("", "255.255.255.255", "127.0.0.1")
    way = Way(("broker.example", 8883), names)
    assert [read(tmp_path, way, "", tmp_path).address for _ in range(4)] == [None, None, "127.0.0.1", "127.0.0.1"]
    assert names.asked == ["broker.example"] * 3


class SlowBox:
    """Readings that come when the test lets them, numbered by their temperature."""

    def __init__(self) -> None:
        self.allowed = threading.Semaphore(0)
        self.asked = threading.Semaphore(0)
        self._count = 0

    def read(self) -> HostStatus:
        self.asked.release()
        self.allowed.acquire()  # by a daemon thread: it may wait for ever
        self._count += 1
        return HostStatus(temperature_c=self._count)

    def let_one_come(self) -> None:
        """Returns when the next one is asked for, so that this one is known."""
        self.allowed.release()
        assert self.asked.acquire(timeout=PATIENCE_S)


def test_whoever_asks_while_a_reading_hangs_gets_the_last_one_at_once() -> None:
    slow = SlowBox()
    reader = HostReader(slow.read, every_s=0)
    reader.start()
    assert slow.asked.acquire(timeout=PATIENCE_S)
    assert reader.latest() == HostStatus()
    slow.let_one_come()
    assert [reader.latest().temperature_c for _ in range(1_000)] == [1] * 1_000
    slow.let_one_come()
    assert reader.latest().temperature_c == 2


def test_the_box_is_read_at_intervals_and_not_for_every_question() -> None:
    slow = SlowBox()
    reader = HostReader(slow.read, every_s=3_600)
    reader.start()
    assert slow.asked.acquire(timeout=PATIENCE_S)
    slow.allowed.release(100)
    for _ in range(1_000):
        reader.latest()
    assert not slow.asked.acquire(timeout=0.2)
