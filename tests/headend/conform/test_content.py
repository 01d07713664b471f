"""The kit's sounds are what they say, each another file, and silence is silent."""

from __future__ import annotations

import hashlib
import wave
from io import BytesIO

from edge_agent.headend.conform.content import RATE_HZ, TONE_PEAK, tone


def samples(content: bytes) -> list[int]:
    with wave.open(BytesIO(content)) as read:
        assert (read.getnchannels(), read.getsampwidth(), read.getframerate()) == (1, 2, RATE_HZ)
        frames = read.readframes(read.getnframes())
    return [int.from_bytes(frames[at : at + 2], "little", signed=True) for at in range(0, len(frames), 2)]


def test_a_tone_lasts_as_long_as_it_says_and_is_soft() -> None:
    found = samples(tone(500, seed=1).content)
    assert len(found) == RATE_HZ // 2
    assert 0.9 * TONE_PEAK < max(found) <= TONE_PEAK


def test_silence_is_silent() -> None:
    assert set(samples(tone(100, seed=0, peak=0).content)) == {0}


def test_each_seed_is_another_file() -> None:
    assert len({tone(100, seed).digest for seed in range(5)}) == 5


def test_an_item_names_the_file_by_its_digest_and_length() -> None:
    clip = tone(100, seed=1)
    item = clip.item("https://a.test/b")
    assert item["digest"] == hashlib.sha256(clip.content).hexdigest()
    assert (item["length"], item["duration_ms"], item["urls"]) == (len(clip.content), 100, ["https://a.test/b"])
