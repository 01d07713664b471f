"""``./run fuzz``: every property of the parsers with fresh seeds, until the minutes are over.

Ends with one line of figures; the exit status is 1 if a property did not hold. Each failure comes with the smallest
input that shows it, and with the command that shows it again.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections.abc import Sequence

from hypothesis import settings

from tests.fuzz.campaign import Failure, Tally, run
from tests.fuzz.targets import all_targets

TOLD_CHARS_MAX = 6_000
# The end of a traceback: the smallest input stands last.


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    options = _options().parse_args(arguments)
    settings.register_profile("fuzz", deadline=None, database=None)
    settings.load_profile("fuzz")  # before the tests are read: their own settings are made of it
    targets = [target for target in all_targets() if options.only in target.name]
    if not targets:
        print(f"no property has {options.only!r} in its name", file=sys.stderr)
        return 2
    seed = secrets.randbits(32) if options.seed is None else options.seed
    begun = time.monotonic()
    tally = run(targets, seed, lambda: time.monotonic() - begun < options.minutes * 60)
    for failure in tally.failures:
        print(_told(failure))
    print(_table(tally))
    print(_figures(tally, seed, time.monotonic() - begun))
    return 1 if tally.failures else 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run fuzz", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=1, help="for how long; 0: one round (default: 1)")
    parser.add_argument("--seed", type=int, help="repeat the campaign that began with this seed (default: a new one)")
    parser.add_argument("--only", default="", help="only properties with this in their name")
    return parser


def _told(failure: Failure) -> str:
    again = f"./run fuzz --minutes 0 --seed {failure.seed} --only {failure.target}"
    return f"{failure.told[-TOLD_CHARS_MAX:]}\nFAILED {failure.target}\n  again: {again}\n"


def _table(tally: Tally) -> str:
    return "\n".join(f"{count:>9,}  {name}" for name, count in tally.examples.items())


def _figures(tally: Tally, seed: int, seconds: float) -> str:
    counts = tally.examples.values()
    return (
        f"fuzz: {sum(counts):,} examples, {min(counts):,} to {max(counts):,} for each of {len(counts)} targets, "
        f"{tally.rounds} rounds, {seconds:.0f} s, seed {seed}, {len(tally.failures)} failures"
    )


if __name__ == "__main__":
    sys.exit(main())
