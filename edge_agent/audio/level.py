"""Set a card's own volume control, and unmute it: how loud the street hears it is not what somebody left in alsamixer.

Decides which control device belongs to a PCM. The only file beside ``alsa`` that knows pyalsaaudio.
"""

from __future__ import annotations

import contextlib

import alsaaudio

from edge_agent.audio.card import CardConfig
from edge_agent.audio.port import PlayerError

PLAYBACK_VOLUME, PLAYBACK_MUTE = "Playback Volume", "Playback Mute"
ZONES_APART = "loa"
# Of systemd/alsa/90-loa-zones.conf: "loa:CHANNEL,CARD". Whatever else hangs on a card names the card first.


def control_device(pcm: str) -> str:
    """Where alsa-lib keeps the controls of a PCM: on its card, or, for one of asound.conf, under its own name."""
    name, on_a_card, arguments = pcm.partition(":")
    card = arguments.split(",")[1 if name == ZONES_APART else 0 :]
    return f"hw:{card[0]}" if on_a_card and card else pcm


def set_level(config: CardConfig) -> None:
    """Do what ``mixer`` and ``mixer_volume`` say. Raises PlayerError, which names the controls that there are."""
    assert config.mixer, "without a name nothing is touched"
    device = control_device(config.device)
    try:
        with contextlib.closing(alsaaudio.Mixer(config.mixer, device=device)) as mixer:
            mixer.setvolume(config.mixer_volume, pcmtype=alsaaudio.PCM_PLAYBACK)
            if PLAYBACK_MUTE in mixer.switchcap():
                mixer.setmute(0)
    except alsaaudio.ALSAAudioError as exc:
        known = ", ".join(f'"{name}"' for name in controls(device)) or "none"
        raise PlayerError(f'mixer = "{config.mixer}" cannot be set: {exc}; controls of {device}: {known}') from exc


def controls(device: str) -> list[str]:
    """The playback controls of a card; none where it has none, or is not there."""
    try:
        return [name for name in alsaaudio.mixers(device=device) if _plays(name, device)]
    except alsaaudio.ALSAAudioError:
        return []


def _plays(name: str, device: str) -> bool:
    with contextlib.closing(alsaaudio.Mixer(name, device=device)) as mixer:
        return PLAYBACK_VOLUME in mixer.volumecap()
