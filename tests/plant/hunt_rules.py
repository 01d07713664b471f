"""Hold the ward's rules against the oracle, or live its days, until something differs: one line of JSON."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator

from tests.days.living import Living
from tests.days.reading import names, read
from tests.days.seen import differs
from tests.oracle.generate import random_days
from tests.oracle.oracle import expect
from tests.soak.years import compare

SEEDS, DAYS = range(1, 15), 60
LOOKED = {"years": len(SEEDS), "days": len(names())}
"""How many lives each hunt has, where nothing differs."""


def main(how: str) -> None:
    """The first difference, or that there is none."""
    logging.disable(logging.CRITICAL)
    lives = _years() if how == "years" else _days()
    for number, found in enumerate(lives, start=1):
        if found:
            print(json.dumps({"promise": found[0], "lives": number}))
            return
    print(json.dumps({"promise": None, "lives": LOOKED[how]}))


def _years() -> Iterator[list[str]]:
    for seed in SEEDS:
        life = random_days(seed, DAYS)
        yield [one.summary for one in compare(life, expect(life))]


def _days() -> Iterator[list[str]]:
    for name in names():
        living = Living(read(name))
        living.live()
        yield [f"{name}, {fault}" for line in living.day.lines["play"] for fault in differs(living, line)]


if __name__ == "__main__":
    main(sys.argv[1])
