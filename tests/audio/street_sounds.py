"""What a street sounds like to an ear, as levels or as samples: speech, traffic, and how they mix."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_agent.audio.hearing import SLICE_MS

SLICES_A_SECOND = 1000 // SLICE_MS


def speech(seconds: float, seed: int, loudest: float = 8_000.0) -> list[float]:
    """Levels of somebody who reads out: syllables of 150 to 250 ms, some louder, a breath every few seconds."""
    dice = random.Random(seed)
    levels: list[float] = []
    while len(levels) < seconds * SLICES_A_SECOND:
        if dice.random() < 0.06:
            levels += [loudest * 0.005] * dice.randint(6, 16)
        length, peak = dice.randint(3, 5), loudest * dice.uniform(0.3, 1.0)
        levels += [peak * math.sin(math.pi * (step + 0.6) / (length + 0.2)) for step in range(length)]
    return levels[: round(seconds * SLICES_A_SECOND)]


def traffic(seconds: float, seed: int, loud: float) -> list[float]:
    """Levels of a road: a hum, mopeds that come by within some seconds, now and then a horn."""
    dice = random.Random(seed)
    levels = [loud * dice.uniform(0.1, 0.2) for _ in range(round(seconds * SLICES_A_SECOND))]
    for _ in range(round(seconds / 3)):
        middle, width, peak = dice.randrange(len(levels)), dice.uniform(5, 40), loud * dice.uniform(0.3, 1)
        levels = [level + peak * math.exp(-(((at - middle) / width) ** 2)) for at, level in enumerate(levels)]
    for _ in range(round(seconds / 8)):
        begin, length = dice.randrange(len(levels)), dice.randint(2, 12)
        levels[begin : begin + length] = [loud] * len(levels[begin : begin + length])
    return levels


def mixed(*parts: Sequence[float]) -> list[float]:
    """Sounds that have nothing to do with each other add up by their powers."""
    return [math.sqrt(sum(part[at] ** 2 for part in parts)) for at in range(min(map(len, parts)))]


def late(levels: Sequence[float], slices: int) -> list[float]:
    """The same, that much later."""
    return [0.0] * slices + [*levels]


def far(levels: Sequence[float], db: float) -> list[float]:
    """The same, so many dB quieter."""
    return [level * 10 ** (-db / 20) for level in levels]


def sounded(levels: Sequence[float], rate: int, seed: int = 1) -> NDArray[np.int16]:
    """Noise that is as loud as the levels say."""
    each = rate * SLICE_MS // 1000
    noise = np.random.default_rng(seed).standard_normal(each * len(levels))
    loud = np.repeat(np.asarray(levels), each)
    return np.clip(noise * loud, -32_768, 32_767).astype(np.int16)
