"""The demo's story without a demo: a recording, relay moves and a log as an honest ward would leave them.

A test changes one thing and sees which check notices. Everything is seeded, so a run can be repeated. Seconds are those
of the recording; the relays' boot times follow from ``BOOT_MS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo.acts import CHIME_MS, Story
from demo.check import Check
from demo.evidence import LEFT, RIGHT, Evidence, Told, examine
from demo.verdict import checks
from demo.ward import RelayMove
from edge_agent.audio.mixer import gain_of, risen
from edge_agent.audio.signals import attention, closing, opening
from edge_agent.core.programme import ATTENTION_GAP_MS, ATTENTION_MS, CLOSING_MS, ITEM_GAP_MS
from edge_agent.core.reasons import Reason
from edge_agent.journal.port import StoredRecord
from edge_agent.journal.record import ChainPoint, canonical, chain
from tests.host.recording import Recording

RATE = 16_000
# A third of the demo's own; nothing that is judged lies higher than half of it.
BOOT_MS = 700_000
LASTS_S = 56.0
DUE_S, BULLETIN_S = 10.0, 26.0
# Of the bulletin itself; its chime sounds before it, from the planned instant on.
PLANNED_S = DUE_S - CHIME_MS / 1000
CUT_S, SIGNAL_S, FLOOD_S = 16.0, 16.35, 6.2
WORDS_S = SIGNAL_S + (ATTENTION_MS + ATTENTION_GAP_MS) / 1000
BACK_S = WORDS_S + FLOOD_S
OVER_S = DUE_S + BULLETIN_S
CLOSING_S = OVER_S + ITEM_GAP_MS / 1000
SILENT_S = CLOSING_S + CLOSING_MS / 1000
OFF_S, AGAIN_S, KILLED_S = 39.2, 40.0, 45.0
WARM_S, TAIL_S = 1.0, 0.45

Samples = NDArray[np.int16]


@cache
def voice(seconds: float, seed: int, peak: float = 0.3, rate: int = RATE) -> Samples:
    """Noise in the band and with the syllables of speech; every seed is another speaker."""
    random = np.random.default_rng(seed)
    count = round(seconds * rate)
    spectrum = np.fft.rfft(random.standard_normal(count))
    pitch = np.fft.rfftfreq(count, 1 / rate)
    spectrum[(pitch < 200) | (pitch > 3_500)] = 0
    sound = np.fft.irfft(spectrum, count)
    marks = random.uniform(0.15, 1.0, max(2, round(seconds * 6)))
    syllables = np.interp(np.linspace(0, len(marks) - 1, count), np.arange(len(marks)), marks)
    sound *= syllables
    return np.asarray(sound / np.abs(sound).max() * peak * 32_767, np.int16)


@cache
def signal() -> Samples:
    """The station's own attention signal."""
    return np.frombuffer(attention(RATE), np.int16)


@cache
def chime(render: Callable[[int], bytes], *, rises: bool = False) -> Samples:
    """One of the station's own, as loud as a zone at volume 80 hears it."""
    sound = risen(render(RATE), 0, RATE) if rises else render(RATE)
    return np.asarray(np.frombuffer(sound, np.int16) * gain_of(80), np.int16)


def frame(second: float) -> int:
    return round(second * RATE)


def at_ms(second: float) -> int:
    """The boot time of a second of the recording."""
    return BOOT_MS + round(second * 1000)


@dataclass
class Rehearsal:
    """What an honest ward leaves behind; change it, then ask for ``failed``."""

    bulletin: Samples = field(default_factory=lambda: voice(BULLETIN_S, seed=1))
    flood: Samples = field(default_factory=lambda: voice(FLOOD_S, seed=2))
    second: Samples = field(default_factory=lambda: voice(10.0, seed=3))
    channels: NDArray[np.int16] = field(default_factory=lambda: np.zeros((frame(LASTS_S), 2), np.int16))
    moves: list[RelayMove] = field(default_factory=list)
    story: Story = field(default_factory=Story)
    rows: list[dict[str, Any]] = field(default_factory=list)
    answers: set[tuple[str, Reason | None]] = field(default_factory=set)
    tamper: Callable[[list[StoredRecord]], list[StoredRecord]] = lambda records: records

    def __post_init__(self) -> None:
        for channel in (LEFT, RIGHT):
            self.lay(chime(opening, rises=True), PLANNED_S, channel)
            self.lay(self.bulletin, DUE_S, channel)
            self.lay(chime(closing), CLOSING_S, channel)
            self.lay(self.second[: frame(KILLED_S + 0.08 - AGAIN_S - WARM_S)], AGAIN_S + WARM_S, channel)
        self.silence(SIGNAL_S, BACK_S, LEFT)
        self.lay(signal(), SIGNAL_S, LEFT)
        self.lay(self.flood, WORDS_S, LEFT)
        self.moves = [
            *moves(True, PLANNED_S - WARM_S),
            *moves(False, SILENT_S + TAIL_S),
            *moves(True, AGAIN_S),
            *moves(False, KILLED_S),
        ]
        self.story = told_story()
        self.rows = [row("bulletin"), row("flood"), row("second", "interrupted", "power_cut"), row("altered", "failed")]
        self.rows[-1]["reason"] = Reason.AUDIO_ALTERED.value
        self.rows[0] |= {"ended_mono": at_ms(SILENT_S), "played_ms": round((SILENT_S - PLANNED_S) * 1000)}
        flood_ms = round((BACK_S - SIGNAL_S) * 1000)
        self.rows[1] |= {"ended_mono": at_ms(BACK_S), "played_ms": flood_ms, "zones": [zone_row("c1")]}
        self.answers = {("", Reason.SIGNATURE_INVALID), ("ward", Reason.WRONG_AUDIENCE), ("bulletin", None)}
        self.answers |= {("night", Reason.QUIET_HOURS), ("bulletin", Reason.REPLAYED)}

    def lay(self, sound: Samples, second: float, channel: int) -> None:
        """Put a sound there in place of what was."""
        part = sound[: len(self.channels) - frame(second)]
        self.channels[frame(second) : frame(second) + len(part), channel] = part

    def mix(self, sound: Samples, second: float, channel: int, gain: float = 1.0) -> None:
        """Add a sound to what is there."""
        there = self.channels[frame(second) : frame(second) + len(sound), channel]
        there += np.asarray(sound * gain, np.int16)

    def silence(self, start: float, end: float, channel: int) -> None:
        self.channels[frame(start) : frame(end), channel] = 0

    def take(self, start: float, end: float, channel: int) -> Samples:
        """A copy of what sounds there."""
        return self.channels[frame(start) : frame(end), channel].copy()

    def move(self, zone: str, on: bool, second: float, nth: int) -> None:
        """Let the nth closing or opening of a zone happen then."""
        matching = [index for index, one in enumerate(self.moves) if (one.zone, one.on) == (zone, on)]
        self.moves[matching[nth]] = RelayMove(zone, on, at_ms(second), "switch")
        self.moves.sort(key=lambda one: one.at_ms)

    def evidence(self) -> Evidence:
        recording = Recording(self.channels, RATE, BOOT_MS * 1_000_000)
        told = Told(self.rows, self.tamper(chained(self.rows)), frozenset(self.answers))
        return examine(recording, self.bulletin, self.flood, self.moves, told)

    def verdict(self) -> list[Check]:
        return list(checks(self.story, self.evidence()))

    def failed(self) -> set[str]:
        """The promises, in English, that the verdict finds broken."""
        return {check.english for check in self.verdict() if not check.held}


def moves(on: bool, second: float) -> list[RelayMove]:
    return [RelayMove(zone, on, at_ms(second), "switch") for zone in ("c1", "c2")]


def told_story() -> Story:
    refused = {
        "forged": ("", Reason.SIGNATURE_INVALID),
        "another ward's": ("ward", Reason.WRONG_AUDIENCE),
        "for 03:15": ("night", Reason.QUIET_HOURS),
        "replayed": ("bulletin", Reason.REPLAYED),
        "audio altered on the server": ("altered", Reason.AUDIO_ALTERED),
    }
    return Story(
        bulletin="bulletin",
        due_ms=at_ms(PLANNED_S),
        flood="flood",
        flood_ms=at_ms(CUT_S),
        refused=refused,
        first_off_ms=at_ms(OFF_S),
        second="second",
        killed_ms=at_ms(KILLED_S),
        will_seen=True,
        goodbye_seen=True,
        birth_seen=True,
        heartbeats=3,
        evening="evening",
        tomorrow=[{"job_id": "bulletin", "out": {}}, {"job_id": "evening", "out": {"c2": "zone_silenced"}}],
    )


def row(job_id: str, outcome: str = "succeeded", reason: str | None = None) -> dict[str, Any]:
    given = {"job_id": job_id, "kind": "play", "outcome": outcome, "reason": reason, "played_ms": None}
    return {**given, "ended_mono": at_ms(LASTS_S), "items": [{"title": f"Bản tin {job_id}"}], "zones": []}


def zone_row(zone: str) -> dict[str, Any]:
    return {"zone": zone, "evidence": 3, "played_ms": 1}


def chained(rows: list[dict[str, Any]]) -> list[StoredRecord]:
    made: list[StoredRecord] = []
    before = ChainPoint()
    for one in rows:
        made.append(chain("e" * 16, before, canonical(one)))
        before = ChainPoint(made[-1].seq, made[-1].hash)
    return made
