"""The volume controls of a card in memory, in the place of those that alsa-lib shows."""

from __future__ import annotations

from dataclasses import dataclass, field

import alsaaudio
import pytest

VOLUME, MUTE = "Playback Volume", "Playback Mute"


@dataclass
class Control:
    """What alsa-lib has of one control."""

    caps: tuple[str, ...] = (VOLUME, MUTE)
    volume: int = 20
    muted: bool = True


@dataclass
class Mixers:
    """A card's controls in memory, as pyalsaaudio shows them."""

    device: str = "hw:CARD=Device"
    known: dict[str, Control] = field(default_factory=dict)
    open: int = 0

    def take_the_place_of_alsa(self, patch: pytest.MonkeyPatch) -> None:
        """pyalsaaudio sees these controls and no others."""
        patch.setattr(alsaaudio, "Mixer", self.mixer)
        patch.setattr(alsaaudio, "mixers", self.mixers)

    def mixers(self, device: str) -> list[str]:
        if device != self.device:
            raise alsaaudio.ALSAAudioError(f"No such file or directory [{device}]")
        return list(self.known)

    def mixer(self, control: str, device: str) -> Mixer:
        if control not in self.mixers(device):
            raise alsaaudio.ALSAAudioError(f"Unable to find mixer control {control},0 [{device}]")
        self.open += 1
        return Mixer(self, self.known[control])


@dataclass
class Mixer:
    mixers: Mixers
    control: Control

    def volumecap(self) -> list[str]:
        return [cap for cap in self.control.caps if cap.endswith("Volume")]

    def switchcap(self) -> list[str]:
        return [cap for cap in self.control.caps if cap.endswith("Mute")]

    def setvolume(self, volume: int, *, pcmtype: int) -> None:
        if VOLUME not in self.control.caps or pcmtype != alsaaudio.PCM_PLAYBACK:
            raise alsaaudio.ALSAAudioError("No such channel")
        self.control.volume = volume

    def setmute(self, muted: int) -> None:
        assert MUTE in self.control.caps
        self.control.muted = bool(muted)

    def close(self) -> None:
        self.mixers.open -= 1
