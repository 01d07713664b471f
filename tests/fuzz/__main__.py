"""``./run fuzz``: hostile input for every parser: properties with fresh seeds, and bytes guided by coverage.

``--minutes N`` is shared: half for the properties, in whole rounds, half for the parsers, equally. 0 is the short form:
one round, and a few hundred inputs a parser. Ends with one line of figures; the exit status is 1 if a property did not
hold or a parser broke its promise. Each failure comes with what shows it, and with the command that shows it again.
``--lacking`` takes the parsers one after the other, each until docs/fuzzing.md has an hour of CPU for it.
"""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import secrets
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from hypothesis import settings

from tests.fuzz.campaign import Failure, Hung, Tally, ending_in_time, run
from tests.fuzz.guiding import ROOT, Outcome, guided, why_not
from tests.fuzz.ledger import lacking, page_with
from tests.fuzz.parsers import PARSERS
from tests.fuzz.parsers.parser import Parser
from tests.fuzz.targets import all_targets

TOLD_CHARS_MAX = 6_000
# The end of a traceback: the smallest input stands last.
PAGE = ROOT / "docs" / "fuzzing.md"
PIECE_S = 1_800
# Towards the hour it is recorded after so much: a campaign that is cut short loses no more.
LEAST_S = 60
# Some seconds of each piece are for the instrument.
BYTES = "bytes:"
"""Before a parser's name; before a property's stands its module."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a campaign has: the parsers, who guides bytes through them (or why nobody can), and the page it writes."""

    parsers: Mapping[str, Parser] = field(default_factory=lambda: PARSERS)
    guide: Callable[[Sequence[str], float, int], Iterable[Outcome]] = guided
    why_not: str = field(default_factory=why_not)
    page: Path = PAGE


def main(arguments: Sequence[str] | None = None, bench: Bench | None = None) -> int:
    """The exit status."""
    bench = bench or Bench()
    options = _options().parse_args(arguments)
    if options.replay is not None:
        return _replay(bench.parsers, options.target.removeprefix(BYTES), options.replay)
    settings.register_profile("fuzz", deadline=None, database=None)
    settings.load_profile("fuzz")  # before the tests are read: their own settings are made of it
    targets = [target for target in all_targets() if options.target in target.name]
    parsers = [name for name in bench.parsers if options.target in BYTES + name]
    if not targets and not parsers:
        print(f"no property and no parser has {options.target!r} in its name", file=sys.stderr)
        return 2
    if parsers and bench.why_not:
        print(f"fuzz: NOT GUIDED, only the properties run: {bench.why_not}")
        parsers = []
    seed = secrets.randbits(32) if options.seed is None else options.seed
    begun = time.monotonic()
    if options.lacking:
        outcomes = _toward_the_hour(bench, parsers, begun + options.minutes * 60, seed)
        return _ended(Tally(), outcomes, seed, begun)
    seconds = options.minutes * 60 / (2 if targets and parsers else 1)
    tally = run(targets, seed, lambda: time.monotonic() - begun < seconds) if targets else Tally()
    for failure in tally.failures:
        print(_told(failure))
    outcomes = _guide(bench, parsers, seconds / max(1, len(parsers)), seed)
    if options.record and outcomes:
        _record(bench.page, outcomes, seed)
    return _ended(tally, outcomes, seed, begun)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run fuzz", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=1, help="for how long; 0: the short form (default: 1)")
    parser.add_argument("--seed", type=int, help="repeat the campaign that began with this seed (default: a new one)")
    parser.add_argument("--target", default="", help=f'only what has this in its name; "{BYTES}" alone: all parsers')
    parser.add_argument("--record", action="store_true", help="add what the parsers have stood to docs/fuzzing.md")
    parser.add_argument(
        "--lacking", action="store_true", help="the parsers alone that lack an hour, one after the other, recorded"
    )
    parser.add_argument("--replay", type=Path, help="give the parser named by --target this file, once")
    return parser


def _guide(bench: Bench, parsers: Sequence[str], seconds: float, seed: int) -> list[Outcome]:
    outcomes = []
    for outcome in bench.guide(parsers, seconds, seed) if parsers else ():
        outcomes.append(outcome)
        if outcome.finding:
            again = f"./run fuzz --target {BYTES}{outcome.parser} --replay {os.path.relpath(outcome.finding)}"
            print(f"{outcome.told[:TOLD_CHARS_MAX]}\nFAILED {BYTES}{outcome.parser}\n  again: {again}\n")
    return outcomes


def _toward_the_hour(bench: Bench, parsers: Sequence[str], ends: float, seed: int) -> list[Outcome]:
    """Until ``ends`` on the monotonic clock, in s. A parser that broke its promise waits until that is mended."""
    outcomes: list[Outcome] = []
    for name in parsers:
        found = False
        while not found and (seconds := _next_piece_s(bench.page, name, ends)) > 0:
            (outcome,) = _guide(bench, [name], seconds, seed + len(outcomes))
            _record(bench.page, [outcome], seed)
            outcomes.append(outcome)
            found = bool(outcome.finding)
    return outcomes


def _next_piece_s(page: Path, name: str, ends: float) -> float:
    """0 and less: the parser has its hour, or the time is over."""
    lacks = lacking(page.read_text("utf-8"), [name]).get(name, 0)
    return min(PIECE_S, max(lacks, LEAST_S), ends - time.monotonic()) if lacks else 0


def _record(page: Path, outcomes: Sequence[Outcome], seed: int) -> None:
    """Two campaigns may run at once, one on each core."""
    with page.open("r+", encoding="utf-8") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        text = page_with(opened.read(), outcomes, date.today().isoformat(), seed)
        opened.seek(0)
        opened.write(text)
        opened.truncate()


def _replay(parsers: Mapping[str, Parser], name: str, file: Path) -> int:
    """One input for one parser, without an instrument: on any machine, and under any debugger."""
    if name not in parsers:
        print(f"no parser is called {name!r}; there are {', '.join(parsers)}", file=sys.stderr)
        return 2
    content = file.read_bytes()
    try:
        with ending_in_time(content):
            parsers[name].promise()(content)
    except (Exception, Hung):  # noqa: BLE001 - whatever it is, it is what we look for
        traceback.print_exc()
        print(f"FAILED {BYTES}{name}")
        return 1
    print(f"{BYTES}{name} kept its promise")
    return 0


def _ended(tally: Tally, outcomes: Sequence[Outcome], seed: int, begun: float) -> int:
    """The exit status, when the figures are told."""
    print(_table(tally, outcomes))
    print(_figures(tally, outcomes, seed, time.monotonic() - begun))
    return 1 if tally.failures or any(outcome.finding for outcome in outcomes) else 0


def _told(failure: Failure) -> str:
    again = f"./run fuzz --minutes 0 --seed {failure.seed} --target {failure.target}"
    return f"{failure.told[-TOLD_CHARS_MAX:]}\nFAILED {failure.target}\n  again: {again}\n"


def _table(tally: Tally, outcomes: Sequence[Outcome]) -> str:
    lines = [f"{count:>13,}  {name}" for name, count in tally.examples.items()]
    for outcome in outcomes:
        figures = f"{outcome.edges:,} edges, {outcome.cpu_s:.1f} s of CPU"
        lines.append(f"{outcome.executions:>13,}  {BYTES}{outcome.parser}, {figures}")
    return "\n".join(lines)


def _figures(tally: Tally, outcomes: Sequence[Outcome], seed: int, seconds: float) -> str:
    examples, executions = sum(tally.examples.values()), sum(outcome.executions for outcome in outcomes)
    findings = sum(bool(outcome.finding) for outcome in outcomes)
    return (
        f"fuzz: {examples:,} examples of {len(tally.examples)} properties in {tally.rounds} rounds; "
        f"{executions:,} inputs of {len(outcomes)} parsers, {sum(outcome.edges for outcome in outcomes):,} edges; "
        f"{seconds:.0f} s, seed {seed}, {len(tally.failures) + findings} failures"
    )


if __name__ == "__main__":
    logging.getLogger().addHandler(logging.NullHandler())  # what a fake disk says of itself is no finding
    sys.exit(main())
