"""``./run soak``: lives of a ward under seeded faults on all cores until the minutes are over.

Ends with one line of figures; the exit status is 1 if a promise was broken. Each failure comes with the shortest list
of happenings that still shows it, told as a trace, and with the one command that plays it again.
"""

from __future__ import annotations

import argparse
import math
import secrets
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import count

from tests.soak.campaign import KINDS, Tally, kind_of, play
from tests.soak.pool import CORES, played
from tests.soak.shrink import kind, live, shrunk
from tests.soak.trace import told
from tests.soak.years import year

TOLD_MAX = 3
# Different failures that are shrunk and told; each takes a minute.
CALM_DAYS = 365


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    options = _options().parse_args(arguments)
    if options.year is not None:
        return _year_again(options.year)
    if options.life is not None:
        return _again(options.kind, options.life)
    seed = secrets.randbits(24) if options.seed is None else options.seed
    begun = time.monotonic()
    if options.years:
        return _years(options.years, seed, begun)
    tally = _calm(options.calm) if options.calm else _campaign(seed, begun + options.minutes * 60)
    _tell(tally)
    print(tally.figures(f"soak seed={seed}", time.monotonic() - begun))
    return 1 if tally.failures else 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run soak", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=1, help="for how long (default: 1)")
    parser.add_argument("--seed", type=int, help="of the campaign (default: a new one)")
    parser.add_argument("--calm", type=int, metavar="YEARS", help="so many ordinary years instead, for the pace")
    parser.add_argument("--years", type=int, help="so many years of rules instead, each held against the oracle")
    parser.add_argument("--year", type=int, help="this one year of rules again, and what differs")
    parser.add_argument("--life", type=int, help="play this one life again, and tell it")
    parser.add_argument("--kind", choices=sorted(KINDS), default="evening", help="what kind of life it was")
    return parser


def _campaign(seed: int, until: float) -> Tally:
    tally = Tally()
    for outcome in played(play, ((kind_of(number), seed + number) for number in count()), until):
        tally.add(outcome)
    return tally


def _calm(years: int) -> Tally:
    tally = Tally()
    for outcome in played(play, [("calm", CALM_DAYS)] * years, math.inf):
        tally.add(outcome)
    return tally


def _years(years: int, seed: int, begun: float) -> int:
    """Years without a fault: every play and every reason, held against what the oracle expects."""
    judged = different = 0
    with ProcessPoolExecutor(CORES) as pool:
        for number, (occurrences, differences) in enumerate(pool.map(year, range(seed, seed + years))):
            judged += occurrences
            different += bool(differences)
            if differences:
                print(f"{differences[0]}\n  again: ./run soak --year {seed + number}\n")
    wall_min = (time.monotonic() - begun) / 60
    print(f"soak seed={seed} minutes={wall_min:.1f} rule-years={years} occurrences={judged} failed={different}")
    return 1 if different else 0


def _year_again(seed: int) -> int:
    occurrences, differences = year(seed)
    print("\n".join(differences) or f"year {seed}: {occurrences} occurrences, all as expected")
    return 1 if differences else 0


def _again(name: str, life: int) -> int:
    script = KINDS[name](life)
    failure = live(script)
    print(told(shrunk(script, failure)) if failure else f"{name} {life}: everything held")
    return 1 if failure else 0


def _tell(tally: Tally) -> None:
    firsts = {kind(outcome.failure): outcome for outcome in reversed(tally.failures) if outcome.failure}
    for outcome in list(firsts.values())[:TOLD_MAX]:
        assert outcome.failure is not None
        print(told(shrunk(KINDS[outcome.kind](outcome.seed), outcome.failure)))
        print(f"  again: ./run soak --kind {outcome.kind} --life {outcome.seed}\n")


if __name__ == "__main__":
    sys.exit(main())
