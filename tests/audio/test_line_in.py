"""A line-in as a live source: open while it is relayed, opened anew where it fails, and heard through alsa-lib."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import alsaaudio
import numpy as np
import pytest

from edge_agent.audio import capture
from edge_agent.audio.capture import CaptureConfig
from edge_agent.audio.card import CardConfig
from edge_agent.audio.line_in import Blocks, LineIn, LineInReader, LiveSources
from edge_agent.audio.live import BLOCK_MS, OLDEST_MS
from edge_agent.audio.live_ring import LiveRing
from edge_agent.core.programme import Live, Relayed
from edge_agent.core.units import ClipKey
from tests.audio.player_rig import LEFT, PulseRig, Samples, begin, feeds, noise, stage, tone, until_ended
from tests.host.pulse import Pulse
from tests.host.recording import Recorder
from tests.host.served import served

RATE = 48_000
BLOCK = RATE * BLOCK_MS // 1_000
MIC = ClipKey("mic")
HANG_S = 30


def eventually(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + HANG_S
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


# What is kept


def test_blocks_are_numbered_on_and_bounded() -> None:
    now = 0
    blocks = Blocks(RATE, lambda: now)
    for number in range(500):
        blocks.feed(number.to_bytes(2, "little") * BLOCK)
    most = OLDEST_MS // BLOCK_MS
    assert blocks.there() == range(500 - most, 500)
    assert blocks.read(500 - most - 1) is blocks.read(500) is None
    for number in (500 - most, 499):
        assert blocks.read(number) == number.to_bytes(2, "little") * BLOCK
    now = OLDEST_MS + 1
    assert blocks.there() == range(500, 500)
    assert blocks.read(499) is None


# The device, by a fake with memory


@dataclass
class Device:
    """What a capture device gives: each read takes the next; where there is no more, nothing comes."""

    gives: list[tuple[int, bytes]] = field(default_factory=list)
    refuses: int = 0
    """How often it does not open."""
    opened: int = 0
    closed: int = 0
    wanted: list[dict[str, Any]] = field(default_factory=list)
    format_name: str = "S16_LE"

    def open(self, *_: object, **wanted: Any) -> FakePcm:
        if self.refuses:
            self.refuses -= 1
            raise alsaaudio.ALSAAudioError("No such device")
        self.opened += 1
        self.wanted.append(wanted)
        return FakePcm(self, wanted)


class FakePcm:
    def __init__(self, device: Device, wanted: dict[str, Any]) -> None:
        self._device = device
        self._wanted = wanted
        self._quiet = os.pipe()

    def info(self) -> dict[str, Any]:
        return {**self._wanted, "format_name": self._device.format_name}

    def polldescriptors(self) -> list[tuple[int, int]]:
        return [(self._quiet[0], 1)]

    def polldescriptors_revents(self, events: list[tuple[int, int]]) -> int:
        return 0

    def read(self) -> tuple[int, bytes]:
        return self._device.gives.pop(0) if self._device.gives else (0, b"")

    def close(self) -> None:
        self._device.closed += 1
        for descriptor in self._quiet:
            os.close(descriptor)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    found = Device()
    monkeypatch.setattr(alsaaudio, "PCM", found.open)
    monkeypatch.setattr(capture, "AGAIN_S", 0.01)
    return found


def period(level: int, channels: int = 1) -> tuple[int, bytes]:
    return BLOCK, np.full(BLOCK * channels, level, np.int16).tobytes()


def levels(reader: LineInReader) -> list[int]:
    return [int(np.frombuffer(reader.read(number) or b"", np.int16)[0]) for number in reader.there()]


def test_it_is_open_while_anybody_has_a_reader(device: Device) -> None:
    source = LineIn(CaptureConfig("mic", RATE))
    assert device.opened == 0
    one = source.reader()
    assert eventually(lambda: device.opened == 1)
    two = source.reader()
    one.close()
    one.close()
    assert device.closed == 0
    two.close()
    assert (device.opened, device.closed) == (1, 1)


def test_who_comes_later_shares_what_is_captured_and_a_new_begin_has_nothing_old(device: Device) -> None:
    source = LineIn(CaptureConfig("mic", RATE))
    one = source.reader()
    device.gives += [period(1), period(2)]
    assert eventually(lambda: levels(one) == [1, 2])
    two = source.reader()
    assert levels(two) == [1, 2]
    one.close()
    two.close()
    again = source.reader()
    assert eventually(lambda: device.opened == 2)
    assert levels(again) == []
    again.close()


def test_it_is_captured_at_the_cards_rate_in_periods_of_a_block(device: Device) -> None:
    source = LineIn(CaptureConfig("mic", 44_100, channels=2))
    reader = source.reader()
    assert eventually(lambda: device.opened == 1)
    reader.close()
    (wanted,) = device.wanted
    assert (wanted["device"], wanted["rate"], wanted["channels"], wanted["periodsize"]) == ("mic", 44_100, 2, 4_410)


def test_two_channels_become_their_mean(device: Device) -> None:
    source = LineIn(CaptureConfig("mic", RATE, channels=2))
    stereo = np.tile(np.array([1_000, 3_000], np.int16), BLOCK)
    device.gives.append((BLOCK, stereo.tobytes()))
    reader = source.reader()
    assert eventually(lambda: levels(reader) == [2_000])
    assert set(np.frombuffer(reader.read(0) or b"", np.int16).tolist()) == {2_000}
    reader.close()


def test_what_ran_over_goes_on(device: Device) -> None:
    device.gives += [period(1), (-errno.EPIPE, b""), period(2)]
    reader = LineIn(CaptureConfig("mic", RATE)).reader()
    assert eventually(lambda: levels(reader) == [1, 2])
    assert device.opened == 1
    reader.close()


def test_a_device_that_is_not_there_is_tried_until_it_is(device: Device, caplog: pytest.LogCaptureFixture) -> None:
    device.refuses = 3
    device.gives.append(period(7))
    reader = LineIn(CaptureConfig("mic", RATE)).reader()
    assert eventually(lambda: levels(reader) == [7])
    assert [record.levelname for record in caplog.records] == ["WARNING"]  # not one for each try
    reader.close()


def test_trouble_that_comes_back_is_told_again(device: Device, caplog: pytest.LogCaptureFixture) -> None:
    device.refuses = 1
    device.gives.append(period(7))
    reader = LineIn(CaptureConfig("mic", RATE)).reader()
    assert eventually(lambda: levels(reader) == [7])
    device.refuses = 1  # as it gives nothing more, it is opened anew
    assert eventually(lambda: device.opened >= 2)
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [("gives nothing" in said) for said in warned] == [False, True, False]
    reader.close()


def test_a_device_that_gives_nothing_any_more_is_opened_anew(device: Device) -> None:
    reader = LineIn(CaptureConfig("mic", RATE)).reader()
    assert eventually(lambda: device.opened >= 2)
    assert device.closed >= 1
    device.gives.append(period(9))
    assert eventually(lambda: levels(reader) == [9])
    reader.close()
    assert device.opened == device.closed


def test_a_device_that_only_ever_runs_over_is_opened_anew(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakePcm, "read", lambda _: (-errno.EPIPE, b""))
    reader = LineIn(CaptureConfig("mic", RATE)).reader()
    assert eventually(lambda: device.opened >= 2)
    reader.close()


def test_a_device_with_another_format_is_not_heard(device: Device) -> None:
    device.format_name = "S32_LE"
    device.gives.append(period(1))
    reader = LineIn(CaptureConfig("mic", RATE)).reader()
    assert eventually(lambda: device.closed >= 2)
    assert not reader.there()
    reader.close()
    assert device.opened == device.closed


def test_a_driver_that_hangs_does_not_hang_the_end(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, hangs = threading.Event(), threading.Event()
    monkeypatch.setattr(capture, "CLOSE_S_MAX", 0.05)

    def hang(_: FakePcm) -> tuple[int, bytes]:
        hangs.set()
        gate.wait(HANG_S)
        return 0, b""

    monkeypatch.setattr(FakePcm, "read", hang)
    reader = LineIn(CaptureConfig("mic", RATE)).reader()
    assert hangs.wait(HANG_S)
    reader.close()
    assert device.closed == 0
    gate.set()
    assert eventually(lambda: device.closed == 1)


def test_every_other_source_is_the_agents(device: Device, tmp_path: Path) -> None:
    ring = LiveRing(tmp_path, RATE)
    sources = LiveSources({MIC: LineIn(CaptureConfig("mic", RATE))}, ring)
    with ring.writer(ClipKey("stream")) as writer:
        writer.feed(period(5)[1])
        other = sources.reader(ClipKey("stream"))
        assert (other.there(), other.read(0)) == (range(1), period(5)[1])
    own = sources.reader(MIC)
    assert isinstance(own, LineInReader)
    own.close()


# Through alsa-lib


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[Pulse]:
    with served(tmp_path / "pulse", ("station", "mic")) as server:
        yield server


def spoken_into(pulse: Pulse, sink: str, sound: Samples) -> subprocess.Popen[bytes]:
    form = ["--raw", "--format=s16le", f"--rate={RATE}", "--channels=1", "--latency-msec=500"]
    process = subprocess.Popen(["pacat", "-d", sink, *form], env=pulse.child_env(), stdin=subprocess.PIPE)
    assert process.stdin is not None
    pipe = process.stdin

    def speak() -> None:
        with contextlib.suppress(BrokenPipeError), pipe:  # it is killed when all was heard
            pipe.write(sound.tobytes())

    threading.Thread(target=speak, daemon=True).start()
    return process


@pytest.mark.host
@pytest.mark.live
def test_a_line_in_is_heard_in_the_street(pulse: Pulse, tmp_path: Path) -> None:
    """Into a microphone goes a tone; a play relays it between nothing and nothing, as long as was ordered."""
    source = LineIn(CaptureConfig("mic_out", RATE, channels=2))
    sources = LiveSources({MIC: source}, LiveRing(tmp_path / "live", RATE))
    with Recorder(pulse) as recorder, spoken_into(pulse, "mic", tone(60, 440)) as speaking:
        rig = PulseRig(tmp_path / "store", recorder, CardConfig("station"), sources=sources)
        opening = stage(rig, "opening", noise(3, 51, loudest=50))
        begin(rig, "p", (opening, Live(MIC, 4_000)), feeds(LEFT))
        end = until_ended(rig, "p")
        heard = rig.heard()
        speaking.kill()
    assert (end.reason, end.frames, end.relayed) == (None, 7 * RATE, Relayed(4_000, 0, 0))
    first, last = heard.onset(0, above=1_000), heard.last(0, above=1_000)
    assert first is not None
    assert last is not None
    assert abs(last - first - 4 * RATE) < RATE // 100
    assert heard.tone_hz(0, first, last) == pytest.approx(440, abs=1)
    assert heard.level_db(0, first, last) == pytest.approx(20 * np.log10(12_000 / 32_768 / 2**0.5), abs=0.5)
    wave = int(np.max(np.abs(np.diff(tone(1, 440)))))
    assert heard.steepest(0, 0, len(heard.samples)) <= wave + 12_000 // (RATE * 5 // 1_000) + 100
