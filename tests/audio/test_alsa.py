"""A real card's misfortunes through alsa-lib: absent, wrong, hung, pulled out; and a station's own settings, heard."""

from __future__ import annotations

import queue
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.audio.alsa import ORDERS_MAX, AlsaCard, AlsaPlayer
from edge_agent.audio.bell import Bell
from edge_agent.audio.card import Card, CardConfig, CardHangs
from edge_agent.audio.port import PlayerError
from edge_agent.core.effects import StopPlay
from edge_agent.core.reasons import Reason
from edge_agent.core.units import PlayId
from tests.audio.player_rig import (
    LEFT,
    RIGHT,
    WIRING,
    PulseRig,
    begin,
    ends,
    feeds,
    first_of,
    noise,
    pulse_rig,
    stage,
    until_ended,
    until_started,
)
from tests.host.parts import ABSENT
from tests.host.pulse import SYSTEM_ALSA_CONFIG, Pulse, private_pulse
from tests.host.recording import Recorder
from tests.host.served import served

pytestmark = [pytest.mark.host, pytest.mark.live]

ONE_CHANNEL = """
pcm.narrow { type multi slaves.a.pcm "null" slaves.a.channels 1 bindings.0.slave a bindings.0.channel 0 }
"""


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[Pulse]:
    """A server of its own for each test: these tests kill it."""
    with served(tmp_path / "pulse") as server:
        yield server


@pytest.fixture
def rig(tmp_path: Path, pulse: Pulse) -> Iterator[PulseRig]:
    with pulse_rig(tmp_path / "store", pulse) as real:
        yield real


def sinks_playing(pulse: Pulse) -> int:
    command = ["pactl", "list", "short", "sink-inputs"]
    return len(subprocess.run(command, env=pulse.child_env(), capture_output=True, check=True).stdout.splitlines())


def keep_full(card: Card, times: int) -> None:
    bell = Bell()
    for _ in range(times):
        card.wait(0.1, bell)
        card.write(bytes(4 * card.room()) or bytes(4))


def longest_turn_s(rig: PulseRig, name: str) -> float:
    """Wait for the end of a play in short turns; how long the longest of them really took."""
    longest = 0.0
    while not ends(rig, name):
        began = time.monotonic()
        rig.run_until(lambda: bool(ends(rig, name)), 10)
        longest = max(longest, time.monotonic() - began)
    return longest


def test_two_plays_with_a_stations_own_settings_begin_together(tmp_path: Path, pulse: Pulse) -> None:
    with Recorder(pulse) as recorder:
        rig = PulseRig(tmp_path / "store", recorder, CardConfig("station"))
        one, two = noise(0.3, 1), noise(0.3, 2)
        parts = stage(rig, "a", one), stage(rig, "b", two)
        at = begin(rig, "one", parts[:1], feeds(LEFT))
        begin(rig, "two", parts[1:], feeds(RIGHT), at=at)
        until_ended(rig, "one")
        until_ended(rig, "two")
        heard = rig.heard()
    assert first_of(heard, 0, one) == first_of(heard, 1, two)
    assert abs(heard.instant_ms(first_of(heard, 0, one)) - at) < 20


def test_a_card_that_is_pulled_out_ends_every_play(rig: PulseRig, pulse: Pulse) -> None:
    begin(rig, "one", (stage(rig, "a", noise(20, 3)),), feeds(LEFT))
    begin(rig, "two", (stage(rig, "b", noise(1, 4)),), feeds(RIGHT), at=rig.now_ms() + 60_000)
    until_started(rig, "one")
    pulse.kill()
    one, two = until_ended(rig, "one"), until_ended(rig, "two")
    assert (one.reason, two.reason) == (Reason.DEVICE_FAILED, Reason.DEVICE_FAILED)
    assert two.frames == 0
    begin(rig, "three", (stage(rig, "b", noise(1, 4)),), feeds(LEFT))
    assert until_ended(rig, "three").reason is Reason.DEVICE_FAILED


def test_a_card_that_hangs_ends_every_play_and_the_writer_without_holding_up_anybody(
    rig: PulseRig, pulse: Pulse, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaths: queue.SimpleQueue[threading.ExceptHookArgs] = queue.SimpleQueue()
    monkeypatch.setattr(threading, "excepthook", deaths.put)
    begin(rig, "p", (stage(rig, "a", noise(20, 5)),), feeds(LEFT))
    until_started(rig, "p")
    pulse.freeze()
    longest = longest_turn_s(rig, "p")
    began = time.monotonic()
    death = deaths.get(timeout=60)
    longest = max(longest, time.monotonic() - began)
    pulse.thaw()
    assert [end.reason for end in ends(rig, "p")] == [Reason.DEVICE_FAILED]
    assert death.exc_type is CardHangs
    # Closing a frozen server's card holds the interpreter for 30 s; what another thread does here takes under a second.
    assert longest < 10


def test_a_card_that_came_back_plays_again(tmp_path: Path, pulse: Pulse) -> None:
    with pulse_rig(tmp_path / "store", pulse) as rig:
        part = stage(rig, "a", noise(0.3, 6))
        begin(rig, "one", (stage(rig, "b", noise(20, 7)),), feeds(LEFT))
        until_started(rig, "one")
        pulse.kill()
        assert until_ended(rig, "one").reason is Reason.DEVICE_FAILED
        (pulse.folder / "native").unlink(missing_ok=True)
        with private_pulse(pulse.folder):
            begin(rig, "two", (part,), feeds(LEFT))
            assert until_ended(rig, "two").reason is None


def test_the_card_is_given_back_when_nothing_plays(rig: PulseRig, pulse: Pulse) -> None:
    begin(rig, "p", (stage(rig, "a", noise(0.2, 8)),), feeds(LEFT))
    until_started(rig, "p")
    assert sinks_playing(pulse) == 1
    until_ended(rig, "p")
    assert rig.run_until(lambda: sinks_playing(pulse) == 0)


def test_closing_gives_the_card_back(rig: PulseRig, pulse: Pulse) -> None:
    begin(rig, "p", (stage(rig, "a", noise(20, 9)),), feeds(LEFT))
    until_started(rig, "p")
    rig.player.close()
    assert rig.run_until(lambda: sinks_playing(pulse) == 0)


@pytest.mark.parametrize(
    ("device", "complaint"), [("nowhere", "does not open"), ("narrow", "another format"), ("null", "no sound card")]
)
def test_a_device_that_is_no_such_card_fails_the_play_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, device: str, complaint: str
) -> None:
    if not SYSTEM_ALSA_CONFIG.exists():
        pytest.skip(f"{ABSENT}alsa-lib's configuration")
    (tmp_path / "asound.conf").write_text(ONE_CHANNEL)
    monkeypatch.setenv("ALSA_CONFIG_PATH", f"{SYSTEM_ALSA_CONFIG}:{tmp_path / 'asound.conf'}")
    rig = PulseRig(tmp_path / "store", None, CardConfig(device))
    try:
        begin(rig, "p", (stage(rig, "a", noise(5, 10)),), feeds(LEFT))
        assert until_ended(rig, "p").reason is Reason.DEVICE_FAILED
    finally:
        rig.player.close()
    assert f"{device} " in caplog.text
    assert complaint in caplog.text


def test_a_lost_card_says_what_alsa_said(pulse: Pulse) -> None:
    card = AlsaCard(CardConfig("station"))
    pulse.kill()
    with pytest.raises(PlayerError, match="station"):
        keep_full(card, 100)
    card.close()


def test_orders_that_a_hung_writer_does_not_take_are_refused_at_last(tmp_path: Path) -> None:
    hung, hangs = threading.Event(), threading.Event()

    def never_opens(config: CardConfig) -> Card:
        hung.set()
        hangs.wait(60)
        raise PlayerError(f"{config.device} does not open")

    rig = PulseRig(tmp_path, None, open_card=never_opens)
    begin(rig, "p", (stage(rig, "a", noise(0.1, 11)),), feeds(LEFT))
    assert hung.wait(60)
    for _ in range(ORDERS_MAX):
        rig.player.stop(StopPlay(PlayId("p")))
    with pytest.raises(PlayerError, match="orders wait"):
        rig.player.stop(StopPlay(PlayId("p")))
    hangs.set()
    assert until_ended(rig, "p").reason is Reason.DEVICE_FAILED
    rig.player.close()


def test_a_zone_of_another_card_is_our_own_mistake(tmp_path: Path) -> None:
    rig = PulseRig(tmp_path, None)
    with pytest.raises(AssertionError, match="does not serve"):
        begin(rig, "p", (), feeds("elsewhere"))  # type: ignore[arg-type]
    rig.player.close()


def test_an_idle_player_closes_at_once(tmp_path: Path) -> None:
    player = AlsaPlayer(CardConfig("station"), WIRING, PulseRig(tmp_path, None).store, lambda report: None)
    player.close()
    assert not [thread for thread in threading.enumerate() if thread is player._writer]
