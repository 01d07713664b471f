"""The kernel's clock stands in 1970, jumps, runs too fast or too slow: nothing sounds early, twice, or at a wrong hour.

Only the station sees that. Everybody else, this process among them, looks at the clock through ``stepped_clock.c``,
which takes off again what the kernel's clock is wrong by: certificates, welcome and orders are made at the right time.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.ward import Fitting
from hil_tests.bench import Bench, BenchRig
from hil_tests.drivers.ntp import Chrony, TimeServer
from hil_tests.plants import planted
from tests.rig import ATTENTION, LEFT, SPEECH, Order, Tone
from tests.scenarios import bulletin_is_heard_on_both_zones_on_time, near, records_of, sounds

HOUR_S = 3_600
TOLD_S_MAX = 300
# The longest wait before a station connects again is two minutes.
LIE_S = 150
# More than the two minutes by which NTP and signed time may differ.
CHRONY_BEGINS_S = 15
# Behind the station's first look at the kernel: a time server answers when the network is there, and not before.
LOOK_S = 0.1
# For as long everybody is wrong when chrony steps the clock.
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
ADJ_FREQUENCY, ADJ_TICK, PPM, TICK_US = 0x0002, 0x4000, 65_536, 10_000
# adjtimex(2): the frequency in parts per million with 16 binary places; a tick is a hundredth of a second.
RTC_SET_TIME = 0x4024700A
# rtc(4): nine integers of a broken-down time.
STATION_SEES_THE_KERNELS = ("env", "-u", "LD_PRELOAD", "-u", "STEP_MS")

pytestmark = [
    pytest.mark.wants("clock"),
    pytest.mark.shows("bench.4", "S1", "O3"),
    pytest.mark.fitted(enter=STATION_SEES_THE_KERNELS),
]


class KernelClock:
    """What the kernel's clock is wrong by, and how to make it so."""

    def __init__(self) -> None:
        self.wrong_s = 0.0
        now_s = time.clock_gettime(time.CLOCK_REALTIME)
        self._right_at_boot_s = now_s - time.clock_gettime(time.CLOCK_BOOTTIME)
        self._right_at_raw_zero_s = now_s - time.clock_gettime(time.CLOCK_MONOTONIC_RAW)
        self._lock = threading.Lock()

    def right_s(self) -> float:
        """The right time, in seconds since 1970: boot time is set by nobody."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) + self._right_at_boot_s

    def outside_s(self) -> float:
        """The right time by a clock that nobody sets and nobody slews, in seconds since 1970.

        A time server tells this one. Boot time is slewed along with the clock that chrony sets: told by it chrony would
        measure itself, see that no slewing helps, and slew ever more.
        """
        return time.clock_gettime(time.CLOCK_MONOTONIC_RAW) + self._right_at_raw_zero_s

    def step(self, by_s: float) -> None:
        """The kernel's clock jumps; for everybody but the station it does not."""
        time.clock_settime(time.CLOCK_REALTIME, self.right_s() + self.wrong_s + by_s)
        self.look()
        assert abs(time.clock_gettime(time.CLOCK_REALTIME) - self.right_s()) < 1, "the world's clock must not jump"

    def to_1970(self) -> None:
        """As after a start without a clock chip: no kernel lets it be earlier than that."""
        self.step(time.clock_gettime(time.CLOCK_BOOTTIME) + 1 - self.right_s() - self.wrong_s)

    def look(self) -> None:
        """What it is wrong by now, whoever has set it; from here on everybody but the station takes that off."""
        with self._lock:
            kernel_s = time.clock_gettime(time.CLOCK_REALTIME) + self.wrong_s
            self.wrong_s = kernel_s - self.right_s()
            os.environ["STEP_MS"] = str(round(-self.wrong_s * 1000))

    def slew(self, ppm: float) -> None:
        """From now on the kernel's clocks run faster by so many parts in a million."""
        order = (ctypes.c_char * 208)()
        ctypes.c_uint.from_buffer(order, 0).value = ADJ_FREQUENCY | ADJ_TICK
        ctypes.c_long.from_buffer(order, 16).value = round(ppm * PPM)
        ctypes.c_long.from_buffer(order, 88).value = TICK_US  # chrony leaves another one behind
        assert ctypes.CDLL(None, use_errno=True).adjtimex(order) >= 0, os.strerror(ctypes.get_errno())


@pytest.fixture
def kernel() -> Iterator[KernelClock]:
    clock, ended = KernelClock(), threading.Event()

    def look_again_and_again() -> None:
        while not ended.wait(LOOK_S):
            clock.look()

    looking = threading.Thread(target=look_again_and_again, daemon=True)
    looking.start()
    yield clock
    ended.set()
    looking.join()
    clock.slew(0)
    clock.step(-clock.wrong_s)


@pytest.fixture
def in_1970(kernel: KernelClock) -> None:
    """Before the ward is set up: its broker takes along what the kernel's clock is wrong by when it starts."""
    kernel.to_1970()


@pytest.fixture
def new_boot(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """After this the kernel says that it was started anew: no process may go on from what an earlier one knew."""
    other = tmp_path / "boot_id"
    bound: list[Path] = []

    def begin() -> None:
        other.write_text("00000000-0000-4000-8000-000000000001\n")
        subprocess.run(["mount", "--bind", other, BOOT_ID], check=True)
        bound.append(BOOT_ID)

    yield begin
    for path in bound:
        subprocess.run(["umount", path], check=True)


@pytest.mark.usefixtures("in_1970")
def test_a_station_that_boots_in_1970_is_told_the_time_and_plays_on_time(rig: BenchRig) -> None:
    bulletin_is_heard_on_both_zones_on_time(rig)


@pytest.mark.parametrize("by_s", [HOUR_S, -HOUR_S, 3 * 24 * HOUR_S])
def test_a_clock_that_jumps_moves_no_programme(rig: BenchRig, kernel: KernelClock, by_s: float) -> None:
    rig.switch_on()
    rig.run_until(1)
    job = rig.publish(Order(at_s=10, tones=(Tone("a", 4.0),)))
    rig.run_until(5)
    kernel.step(by_s)
    rig.run_until(12)
    kernel.step(-2 * by_s)  # in the midst of it
    rig.run_until(24)
    (sound,) = sounds(rig, LEFT)
    near(rig, sound.start_s, 10)
    near(rig, sound.end_s, 14)
    # The broker took along the clock that it was started with, and judges certificates by it.
    kernel.step(-kernel.wrong_s)
    rig.run_until_told(job, TOLD_S_MAX)
    assert [record["outcome"] for record in records_of(rig, job)] == ["succeeded"]


@pytest.mark.parametrize("ppm", [500, -500])
def test_a_clock_that_runs_at_another_pace_is_followed(rig: BenchRig, kernel: KernelClock, ppm: float) -> None:
    kernel.slew(ppm)
    bulletin_is_heard_on_both_zones_on_time(rig)


@pytest.fixture
def alone(rig: BenchRig, kernel: KernelClock, new_boot: Callable[[], None]) -> Callable[[float], str]:
    """A station knows of a programme, loses its power and its broker, and boots in 1970 at second 7."""

    def boots(due_s: float) -> str:
        rig.switch_on()
        rig.run_until(1)
        job = rig.publish(Order(at_s=due_s, tones=(Tone("a", 3.0),)))
        rig.run_until(4)
        rig.cut_power()
        rig.cut_network()
        kernel.to_1970()
        new_boot()
        rig.run_until(7)
        rig.switch_on()
        return job

    return boots


def test_a_station_that_nobody_tells_the_time_plays_nothing_and_says_so(
    rig: BenchRig, alone: Callable[[float], str]
) -> None:
    job = alone(20)
    rig.run_until(30)
    assert rig.relay_edges() == []
    rig.restore_network()
    rig.run_until_told(job, TOLD_S_MAX)
    assert sounds(rig, LEFT) == []
    (record,) = records_of(rig, job)
    assert (record["outcome"], record["reason"]) == ("missed", "clock_not_trusted")


@pytest.mark.fitted(enter=STATION_SEES_THE_KERNELS, ntp=True)
def test_a_station_without_a_broker_plays_on_once_chrony_has_set_its_clock(
    rig: BenchRig, kernel: KernelClock, alone: Callable[[float], str], tmp_path: Path
) -> None:
    alone(60)
    rig.run_until(CHRONY_BEGINS_S)
    with TimeServer(kernel.outside_s) as server, Chrony(tmp_path, server, STATION_SEES_THE_KERNELS):
        rig.run_until(70)
    assert abs(kernel.wrong_s) < 1, "chrony has set the kernel's clock"
    (sound,) = sounds(rig, LEFT)
    near(rig, sound.start_s, 60)


@pytest.mark.fitted(enter=STATION_SEES_THE_KERNELS, ntp=True)
def test_who_lies_by_ntp_makes_nothing_sound_early_and_silences_no_warning(
    rig: BenchRig, kernel: KernelClock, tmp_path: Path
) -> None:
    """Signed time and NTP are minutes apart: the timetable stops, a flood is warned of."""
    rig.switch_on()
    rig.run_until(1)
    rig.publish(Order(at_s=LIE_S + 60, tones=(Tone("a", 3.0),)))
    with (
        TimeServer(lambda: kernel.outside_s() + LIE_S) as server,
        Chrony(tmp_path, server, STATION_SEES_THE_KERNELS),
    ):
        rig.run_until(90)
        rig.publish(Order(cls="emergency", spoken="Lũ quét!"))
        rig.run_until(120)
        assert abs(kernel.wrong_s - LIE_S) < 2, "chrony has set the kernel's clock"
        rig.run_until(LIE_S + 80)
    assert [sound.what for sound in sounds(rig, LEFT)] == [ATTENTION, SPEECH]


@pytest.fixture
def chip() -> Iterator[Callable[[float], None]]:
    """Sets the kernel's own clock chip, which tells the system's time until then, so many seconds off."""

    def sets(off_s: float) -> None:
        told = time.gmtime(time.time() + off_s)
        fields = (told.tm_sec, told.tm_min, told.tm_hour, told.tm_mday, told.tm_mon - 1, told.tm_year - 1900, 0, 0, 0)
        with open("/dev/rtc0", "rb") as device:
            fcntl.ioctl(device, RTC_SET_TIME, struct.pack("9i", *fields))

    yield sets
    sets(0)


def _alone_with_its_chip(rig: BenchRig, new_boot: Callable[[], None]) -> str:
    """A station knows of a programme at second 45, and loses its power and its broker; the time is the chip's."""
    rig.switch_on()
    rig.run_until(1)
    job = rig.publish(Order(at_s=45, tones=(Tone("a", 3.0),)))
    rig.run_until(8)
    rig.cut_power()
    rig.cut_network()
    new_boot()
    rig.run_until(11)
    rig.switch_on()
    rig.run_until(52)
    return job


@pytest.mark.fitted(rtc=True)
def test_a_station_that_is_alone_plays_by_a_chip_that_has_kept_the_time(
    rig: BenchRig, new_boot: Callable[[], None]
) -> None:
    _alone_with_its_chip(rig, new_boot)
    (sound,) = sounds(rig, LEFT)
    near(rig, sound.start_s, 45)


@pytest.mark.fitted(rtc=True)
def test_a_station_that_is_alone_plays_nothing_by_a_chip_that_is_hours_off(
    rig: BenchRig, new_boot: Callable[[], None], chip: Callable[[float], None]
) -> None:
    """The system's clock is right, as if somebody had set it: nobody could tell which one is."""
    chip(7 * HOUR_S)  # as one that was set to local time
    job = _alone_with_its_chip(rig, new_boot)
    assert rig.relay_edges() == []
    rig.restore_network()
    rig.run_until_told(job, TOLD_S_MAX)
    (record,) = records_of(rig, job)
    assert (record["outcome"], record["reason"]) == ("missed", "clock_not_trusted")


def test_a_planted_station_that_believes_its_kernels_clock_is_caught(
    bench: Bench, kernel: KernelClock, tmp_path: Path
) -> None:
    fitting = Fitting(framed=False, enter=(*STATION_SEES_THE_KERNELS, *planted("believes_its_kernel")))
    with pytest.raises((AssertionError, ValueError)) as caught, BenchRig(tmp_path, bench, fitting) as rig:
        test_a_clock_that_jumps_moves_no_programme(rig, kernel, -HOUR_S)
    print(f"believes_its_kernel: {str(caught.value).splitlines()[0]}")
