"""``./run bench``: take every figure, print each beside its aim, and with ``--write`` put them into the docs.

Exit 0 when all was measured, whatever came out: a slow machine is no fault. ``--strict`` fails where an aim is missed.
"""

from __future__ import annotations

import argparse
import compileall
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import (
    cuts,
    decision,
    emergency,
    equal,
    idle,
    journal,
    longplay,
    machine,
    memory,
    peers,
    staging,
    start,
    wakes,
)
from bench.figures import Section, missed
from bench.table import on_terminal, page, page_with

PAGE = Path("docs/benchmarks.md")
EXIT_MISSED = 1
IDLE, PLAY, PEERS = "idle", "play", "peers"
MEASURES: dict[str, Callable[[bool], Section]] = {
    "start": start.measure,
    "memory": memory.measure_idle,
    PLAY: memory.measure_play,
    PEERS: peers.measure,
    "equal": equal.measure,
    "cuts": cuts.measure,
    "decision": decision.measure,
    "emergency": emergency.measure,
    "journal": journal.measure,
    "long": longplay.measure,
    "staging": staging.measure,
    "wakes": wakes.measure,
    IDLE: idle.measure,
}


def main() -> int:
    """Measure what was asked for."""
    args = _parser().parse_args()
    if args.peers:
        peers.install()
    compile_as_an_installation_does()
    told = machine.describe(" ".join(["./run", "bench", *sys.argv[1:]]))
    for name, words in told:
        print(f"{name}: {words}")
    sections = []
    for section in _sections(args.only or list(MEASURES), args.quick):
        sections.append(section)
        print(*on_terminal(section), sep="\n", flush=True)
    if args.write:
        anew = page_with(PAGE.read_text("utf-8"), sections, told) if args.only else page(sections, told)
        PAGE.write_text(anew, "utf-8")
    failing = missed(sections)
    print(f"aims missed: {len(failing)}")
    return EXIT_MISSED if args.strict and failing else 0


def compile_as_an_installation_does() -> None:
    """Some shells forbid bytecode: every process would then pay, in time and memory, for compiling all of it anew."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir("edge_agent", quiet=1)


def _sections(names: Sequence[str], quick: bool) -> Iterator[Section]:
    """One after the other; but the idle day, which costs a thousandth of a core, is waited for beside all the rest."""
    with ThreadPoolExecutor(1) as beside:
        waited = beside.submit(MEASURES[IDLE], quick) if IDLE in names else None
        found = {}
        for name in names:
            if name != IDLE:
                found[name] = MEASURES[name](quick)
                yield found[name]
        if PLAY in found and PEERS in found:
            yield peers.compare(found[PLAY], found[PEERS])
        if waited is not None:
            yield waited.result()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE}; with --only these sections of it")
    parser.add_argument("--quick", action="store_true", help="shorter windows and fewer runs: for a look, not the docs")
    parser.add_argument("--strict", action="store_true", help="exit 1 where an aim is missed")
    parser.add_argument("--only", type=_names, metavar="NAME,…", help=f"only these: {','.join(MEASURES)}")
    parser.add_argument("--peers", action="store_true", help=f"install the peers first: {' '.join(peers.PACKAGES)}")
    return parser


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in MEASURES]:
        raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}; there are {', '.join(MEASURES)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
