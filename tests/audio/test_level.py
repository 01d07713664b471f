"""A card's own volume control: set and unmuted when it is opened, so that the street hears what was configured."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_agent.audio.card import CardConfig
from edge_agent.audio.level import control_device, controls, set_level
from edge_agent.audio.port import PlayerError
from edge_agent.core.reasons import Reason
from tests.audio.player_rig import (
    CONFIG,
    LEFT,
    RAMP,
    RIGHT,
    PulseRig,
    Samples,
    begin,
    feeds,
    first_of,
    noise,
    stage,
    until_ended,
)
from tests.fakes.mixers import MUTE, VOLUME, Control, Mixers
from tests.host.pulse import Pulse
from tests.host.recording import Recorder, Recording
from tests.host.served import served

CARD = CardConfig("plughw:CARD=Device,DEV=0", mixer="PCM", mixer_volume=85)


@pytest.fixture
def mixers(monkeypatch: pytest.MonkeyPatch) -> Mixers:
    found = Mixers(known={"PCM": Control(), "Mic": Control(("Capture Volume",)), "Auto Gain": Control((MUTE,))})
    found.take_the_place_of_alsa(monkeypatch)
    return found


@pytest.mark.parametrize(
    ("pcm", "control"),
    [
        ("plughw:CARD=Device,DEV=0", "hw:CARD=Device"),
        ("hw:1,0", "hw:1"),
        ("hw:Device", "hw:Device"),
        ("sysdefault:CARD=Device", "hw:CARD=Device"),
        ("default", "default"),
        ("station", "station"),
        # Of our own, by systemd/alsa/90-loa-zones.conf: the channel comes before the card.
        ("loa:0,Device", "hw:Device"),
        ("loa:1,2", "hw:2"),
    ],
)
def test_the_controls_of_a_pcm_are_its_cards(pcm: str, control: str) -> None:
    assert control_device(pcm) == control


def test_the_control_is_set_and_unmuted_and_given_back(mixers: Mixers) -> None:
    set_level(CARD)
    assert (mixers.known["PCM"].volume, mixers.known["PCM"].muted) == (85, False)
    assert mixers.open == 0


def test_no_other_control_is_touched(mixers: Mixers) -> None:
    mixers.known["Speaker"] = Control()
    set_level(CARD)
    assert (mixers.known["Speaker"].volume, mixers.known["Speaker"].muted) == (20, True)


def test_a_control_without_a_switch_is_set(mixers: Mixers) -> None:
    mixers.known["PCM"] = Control((VOLUME,))
    set_level(CARD)
    assert mixers.known["PCM"].volume == 85


def test_a_control_that_is_not_there_is_named_with_those_that_are(mixers: Mixers) -> None:
    mixers.known["Speaker"] = Control()
    with pytest.raises(PlayerError, match=r'mixer = "Master".*hw:CARD=Device: "PCM", "Speaker"$'):
        set_level(replace(CARD, mixer="Master"))
    assert mixers.open == 0


def test_a_control_of_the_microphone_is_none_for_playing(mixers: Mixers) -> None:
    with pytest.raises(PlayerError, match=r'mixer = "Mic" cannot be set'):
        set_level(replace(CARD, mixer="Mic"))
    assert mixers.open == 0


def test_a_card_that_is_not_there_has_no_controls(mixers: Mixers) -> None:
    assert controls("hw:CARD=Nowhere") == []
    with pytest.raises(PlayerError, match="controls of hw:CARD=Nowhere: none"):
        set_level(replace(CARD, device="hw:CARD=Nowhere"))


# -- behind alsa-lib: PulseAudio's own control plugin, and what is heard


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[Pulse]:
    with served(tmp_path / "pulse") as server:
        config = tmp_path / "pulse" / "asound.conf"
        control = f'ctl.station {{ type pulse server "unix:{tmp_path}/pulse/native" device "station" }}\n'
        config.write_text(config.read_text() + control)
        yield server


def left_at(pulse: Pulse, *settings: str) -> None:
    """What somebody did in alsamixer, and left."""
    for setting in settings:
        command = ["pactl", *setting.split(" ", 1)[:1], "station", setting.split(" ", 1)[1]]
        subprocess.run(command, env=pulse.child_env(), check=True, timeout=60)


def played(tmp_path: Path, pulse: Pulse, config: CardConfig) -> tuple[Recording, Samples]:
    sound = noise(1, 1)
    with Recorder(pulse) as recorder:
        rig = PulseRig(tmp_path / "store", recorder, config)
        begin(rig, "p", (stage(rig, "a", sound),), feeds(LEFT, RIGHT))
        assert until_ended(rig, "p").reason is None
        return rig.heard(), sound


@pytest.mark.host
@pytest.mark.live
def test_the_street_hears_the_configured_level_whatever_was_left_in_the_mixer(tmp_path: Path, pulse: Pulse) -> None:
    left_at(pulse, "set-sink-volume 30%", "set-sink-mute 1")
    heard, sound = played(tmp_path, pulse, replace(CONFIG, mixer="Master", mixer_volume=100))
    first = first_of(heard, 0, sound)
    assert np.array_equal(heard.samples[first + RAMP : first + len(sound) - RAMP, 0], sound[RAMP:-RAMP])


@pytest.mark.host
@pytest.mark.live
def test_without_a_mixer_the_card_plays_as_it_stands(tmp_path: Path, pulse: Pulse) -> None:
    left_at(pulse, "set-sink-volume 30%")
    heard, sound = played(tmp_path, pulse, CONFIG)
    assert 0 < int(np.abs(heard.samples).max()) < int(np.abs(sound).max()) / 10


@pytest.mark.host
@pytest.mark.live
def test_a_level_that_cannot_be_set_is_told_and_the_card_plays_all_the_same(
    tmp_path: Path, pulse: Pulse, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning at a level that nobody has chosen is better than none."""
    heard, sound = played(tmp_path, pulse, replace(CONFIG, mixer="PCM", mixer_volume=50))
    assert heard.find(0, sound[RAMP:-RAMP]) is not None
    assert 'mixer = "PCM" cannot be set' in caplog.text
    assert 'controls of station: "Master"' in caplog.text
    assert Reason.DEVICE_FAILED not in caplog.text
