"""Decide whether what was sent to a horn was heard at it: how loud both were is compared, slice by slice. Pure.

Only levels come in here, twenty a second: no sound is kept, and none could be made of them (requirement N7). A street
is noisy, and a neighbour's horn is heard too; so it does not matter how loud it is, but whether it rises and falls as
the horn should. That is the correlation of the two, without what changes slowly (a moped comes and goes within
seconds, a syllable within a fifth of one), at the delay at which it is best.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge_agent.core.site import LEVEL_DB_MIN

SLICE_MS = 50
# A syllable lasts 150–250 ms: three slices or more, so its rise and fall are seen.
WINDOW = 200
# Slices, 10 s: some forty syllables. A line that breaks is found by the second window: within 25 s, where EN 54-16
# allows 100.
QUICK = 11
# Slices, 550 ms: what rises and falls more slowly is taken out (docs/adr/0032).
LAGS = range(-2, 11)
# Slices by which the ear may be behind: it hangs at its own horn, so that is half a second of queues and converters
# behind the card. A little before, because a card behind a sound server is only known within a period.
ALIKE_MIN = 0.5
ALIKE_SHORT = 6.0
# The least correlation, and what it is over the root of so many slices where they are few. Roads and other programmes
# stay below 0.4 in a window, a horn no louder than the road comes to 0.6 and more (tests draw thousands of each).
SENT_MIN = 100.0
# Of 32,767: what is sent below it (50 dB under full scale) is silence.
FLAT_MAX = 0.1
# A sound that rises and falls by less than this share of itself, such as one long tone, tells nothing.
PAIRS_MIN = 40
# Slices that both sides know, 2 s: the shortest that is judged at all.
BEFORE = 20
# Slices of silence before the sound that are looked at too: they show a tone's beginning.
LEVELS_MAX = 2 * WINDOW
# Slices of each side that are kept, 20 s: a window, what is looked at before it, by how much the ear may be behind, the
# deepest queue of a card (1.6 s), and some seconds in which a device is opened anew.
FULL_SCALE = 32_768.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it was heard, and how loud the ear had it meanwhile, in dB of its full scale (0 and below)."""

    heard: bool
    level_db: int


class Levels:
    """Root mean squares by slices of boot time, out of pieces of any length; none older than LEVELS_MAX slices."""

    def __init__(self) -> None:
        self._power: dict[int, tuple[float, int]] = {}

    def add(self, at_ms: int, rms: float) -> None:
        """A piece, much shorter than a slice, whose middle is at ``at_ms``; ``rms`` of 32,768."""
        number = at_ms // SLICE_MS
        power, pieces = self._power.get(number, (0.0, 0))
        self._power[number] = power + rms * rms, pieces + 1
        # The other side may give nothing for hours: an ear that has died, a card that hangs.
        while pieces == 0 and (oldest := min(self._power)) <= number - LEVELS_MAX:
            del self._power[oldest]

    def of(self, number: int) -> float | None:
        """That of one slice; None where nothing is known of it."""
        if number not in self._power:
            return None
        power, pieces = self._power[number]
        return math.sqrt(power / pieces)

    @property
    def numbers(self) -> tuple[int, int] | None:
        """The first and the last slice that is known."""
        return (min(self._power), max(self._power)) if self._power else None

    def forget_before(self, number: int) -> None:
        """Nobody asks for anything earlier any more."""
        self._power = {slot: known for slot, known in self._power.items() if slot >= number}


class Hearing:
    """One zone while it sounds. Whoever hears nothing in one window may have been drowned out: two in a row count."""

    def __init__(self, least_db: int) -> None:
        """``least_db``: as loud as the ear must have it, or it is somebody else's horn."""
        self._least_db = least_db
        self._begin: int | None = None
        self._doubts = False
        self._told = False
        self.sent = Levels()
        """What left for the horn."""
        self.caught = Levels()
        """What the ear heard."""

    def look(self) -> Verdict | None:
        """What a whole window came to, as soon as it has one and there is something to tell."""
        sent, caught = self.sent.numbers, self.caught.numbers
        if sent is None or caught is None:
            return None
        if self._begin is None or self._begin < sent[0]:
            self._begin = sent[0]
        end = self._begin + WINDOW
        if caught[1] < end + LAGS[-1]:
            return None
        found = self._judged(self._begin - BEFORE, end)
        self._begin = end
        self.sent.forget_before(end - BEFORE)
        self.caught.forget_before(end - BEFORE + LAGS[0])
        return self._weighed(found, last=False)

    def last_word(self) -> Verdict | None:
        """The sound is over: what there is since the last window counts as one."""
        sent = self.sent.numbers
        if sent is None:
            return None
        begin = sent[0] if self._begin is None else max(self._begin - BEFORE, sent[0])
        return self._weighed(self._judged(begin, sent[1] + 1), last=True)

    def _weighed(self, found: Verdict | None, *, last: bool) -> Verdict | None:
        if found is None:
            return None
        sure = found.heard or self._doubts or (last and not self._told)
        self._doubts = not found.heard
        self._told = self._told or sure
        return found if sure else None

    def _judged(self, begin: int, end: int) -> Verdict | None:
        """None where too little was sent, or caught, to judge by."""
        sent = [self.sent.of(number) for number in range(begin, end)]
        caught = [self.caught.of(number) for number in range(begin + LAGS[0], end + LAGS[-1])]
        there = [level for level in sent if level is not None]
        quick = _quick(sent)
        if len(there) < PAIRS_MIN or max(there) < SENT_MIN or _spread(quick) < FLAT_MAX * sum(there) / len(there):
            return None
        rises = _quick(caught)
        tried = [(_alike(quick, rises[behind:]), behind) for behind in range(len(LAGS))]
        alike, behind = max(tried)
        if alike == NOTHING:
            return None
        level_db = _level_db(sent, caught[behind:], max(there) / 2)
        return Verdict(alike >= 1.0 and level_db >= self._least_db, level_db)


NOTHING = -math.inf
"""How alike two sides are that know too little of the same time."""


def _quick(levels: list[float | None]) -> list[float | None]:
    """How far each level is above what lies around it."""
    half = QUICK // 2
    found: list[float | None] = []
    for at, level in enumerate(levels):
        around = [one for one in levels[max(at - half, 0) : at + half + 1] if one is not None]
        found.append(None if level is None else level - sum(around) / len(around))
    return found


def _alike(sent: list[float | None], caught: list[float | None]) -> float:
    """Their correlation (Pearson's) by the least that counts as heard: 1 and above is."""
    pairs = _pairs(sent, caught)
    if len(pairs) < PAIRS_MIN:
        return NOTHING
    return _correlation(pairs) / max(ALIKE_MIN, ALIKE_SHORT / math.sqrt(len(pairs)))


def _pairs(sent: list[float | None], caught: list[float | None]) -> list[tuple[float, float]]:
    """What both sides know."""
    return [(one, other) for one, other in zip(sent, caught, strict=False) if one is not None and other is not None]


def _level_db(sent: list[float | None], caught: list[float | None], loud: float) -> int:
    """How loud the ear had what was sent loud, in dB of its full scale."""
    heard = [other for one, other in _pairs(sent, caught) if one >= loud]
    rms = math.sqrt(sum(one * one for one in heard) / len(heard)) if heard else 0.0
    return max(round(20 * math.log10(rms / FULL_SCALE)), LEVEL_DB_MIN) if rms else LEVEL_DB_MIN


def _spread(levels: list[float | None]) -> float:
    known = [level for level in levels if level is not None]
    if not known:
        return 0.0
    mean = sum(known) / len(known)
    return math.sqrt(sum((level - mean) ** 2 for level in known) / len(known))


def _correlation(pairs: list[tuple[float, float]]) -> float:
    """0 where one side does not vary."""
    sent, caught = [one for one, _ in pairs], [other for _, other in pairs]
    of_sent, of_caught = sum(sent) / len(sent), sum(caught) / len(caught)
    spreads = math.sqrt(sum((one - of_sent) ** 2 for one in sent) * sum((one - of_caught) ** 2 for one in caught))
    if spreads == 0.0:
        return 0.0
    return sum((one - of_sent) * (other - of_caught) for one, other in pairs) / spreads
