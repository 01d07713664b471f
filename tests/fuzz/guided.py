"""Run parsers under Atheris, guided by the branches that inputs reach: one after the other, each in its own process.

    python -m tests.fuzz.guided --seconds S | --runs N  --seed S --folder FOLDER [--plant-runs N] PARSER…

The code is instrumented once, and every parser begins in a fork of that. For each it prints one line of JSON, an
``Outcome``; the library's own words and every input that broke a promise it leaves in FOLDER. ``guiding`` starts it.
Where time is given, what reached a branch first is kept there too: the next campaign goes on where this one ended.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from tests.fuzz.guiding import CORPUS, Outcome
from tests.fuzz.mutate import mutated

if TYPE_CHECKING:
    from tests.fuzz.parsers.parser import Parser

INSTRUMENTED = ["edge_agent", "paho"]
# Ours, and the one reader of strangers' bytes that we neither wrote nor have from Python itself.
MEMORY = Path("/dev/shm")
# Parsers that read files get them there: a campaign must not wear out a disk.
HANG_S = 10
# No input takes a second, on the slowest machine that tests run on; what takes so long would take for ever.
WAITED = 10
# So many times as long an input may take that is tried again: then it waits for something that never comes.
HUNG = "-timeout-"
# libFuzzer's own word, in the name of what it has written.
RSS_MB_MAX = 600
# 150 MB are the interpreter, the instrumented code and the corpus.
SEED_MAX = 2**31 - 1
FRESH_SHARE = 0.5
# Begun anew from a seed. Most of what a campaign keeps as new is refused, each in another place: from there alone
# nothing would ever get through whole again.
WORDS_MAX = 500
ENDED_WELL = (0, 72, 130)
# The others by Ctrl-C, as libFuzzer and Atheris say it, which is no finding: what was stood until then counts.
COVERED = re.compile(r"\bcov: (\d+)")
EXECUTED = re.compile(r"stat::number_of_executed_units:\s*(\d+)|^#(\d+)\b", re.MULTILINE)
BEGUN, WORDS = "begun", "words"
WORTH_KEEPING = re.compile(r"[0-9a-f]{40}")
WRITTEN = re.compile(r"Test unit written to (\S+)")


@dataclass(frozen=True, slots=True)
class Task:
    """A parser, and until when it is tried; with a fault in it, if ``put`` puts one."""

    parser: Parser
    seconds: int
    runs: int
    plant: str = ""
    put: Callable[[], None] = lambda: None


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    options = _options().parse_args(arguments)
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
        from tests.fuzz.parsers import PARSERS
        from tests.fuzz.plants import PLANTS
    options.folder.mkdir(parents=True, exist_ok=True)
    found = 0
    tasks = [Task(PARSERS[name], options.seconds, options.runs) for name in options.parsers]
    for name, plant in PLANTS.items() if options.plant_runs else ():
        tasks.append(Task(PARSERS[plant.parser], 0, options.plant_runs, name, plant.put))
    for task in tasks:
        outcome = outcome_of(task, options.seed, options.folder)
        print(json.dumps(asdict(outcome)), flush=True)
        found += bool(outcome.finding)
    return 1 if found else 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided")
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--runs", type=int, default=-1)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--plant-runs", type=int, default=0)
    parser.add_argument("parsers", nargs="+")
    return parser


def outcome_of(task: Task, seed: int, folder: Path) -> Outcome:
    """What one parser has stood, in a process of its own, which whatever it finds ends."""
    parser = task.parser
    log, before = folder / f"{parser.name}.log", _cpu_s()
    place = Path(tempfile.mkdtemp(prefix=f"fuzz-{parser.name}-", dir=MEMORY if MEMORY.is_dir() else None))
    parent = os.getpid()
    try:
        child = os.fork()
        if child == 0:
            _fuzz(task, seed, log, place, _kept(folder, parser))
        _, status = os.waitpid(child, 0)
        if task.seconds:
            keep(place / BEGUN, _kept(folder, parser))
    finally:
        if os.getpid() == parent:  # a promise that breaks leaves the fork this way, with all that is worth keeping
            shutil.rmtree(place, ignore_errors=True)
    said = log.read_text(errors="replace")
    executed = [int(one or other) for one, other in EXECUTED.findall(said)]
    edges = [int(count) for count in COVERED.findall(said)]
    finding = [str(log), *WRITTEN.findall(said)][-1] if os.waitstatus_to_exitcode(status) not in ENDED_WELL else ""
    cpu_s = round(_cpu_s() - before, 1)
    if HUNG in Path(finding).name and not _hangs(parser, Path(finding)):
        finding = ""
    told = said if finding else ""
    return Outcome(parser.name, task.plant, max(executed, default=0), max(edges, default=0), cpu_s, finding, told)


def _hangs(parser: Parser, file: Path) -> bool:
    """Whether this input alone takes so long as well. The library looks at the clock: who got no CPU has not hung."""
    child = os.fork()
    if child == 0:
        signal.setitimer(signal.ITIMER_PROF, HANG_S)
        signal.alarm(HANG_S * WAITED)
        try:
            parser.promise()(file.read_bytes())
        finally:
            os._exit(sys.exc_info()[0] is not None)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0


def _kept(folder: Path, parser: Parser) -> Path:
    return folder / "kept" / parser.name


def keep(begun: Path, kept: Path) -> None:
    """What the library found worth keeping goes by its SHA-1; everything else there is a seed of ours."""
    kept.mkdir(parents=True, exist_ok=True)
    for path in begun.iterdir():
        if WORTH_KEEPING.fullmatch(path.name):
            shutil.copyfile(path, kept / path.name)


def _cpu_s() -> float:
    """What the forks have used so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _fuzz(task: Task, chosen: int, log: Path, place: Path, kept: Path) -> None:
    """In the fork: never returns, but raises SystemExit behind what it has found."""
    import atheris

    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    tempfile.tempdir = str(place)
    parser = task.parser
    seeds = [*parser.seeds(), *(path.read_bytes() for path in sorted((CORPUS / parser.name).glob("*")))]
    (place / BEGUN).mkdir()
    for number, seed in enumerate(seeds):
        (place / BEGUN / str(number)).write_bytes(seed)
    (place / WORDS).write_text(_words(seeds))

    def by_json(data: bytes, most: int, seed: int) -> bytes:
        dice = Random(seed)
        begin = dice.choice(seeds) if dice.random() < FRESH_SHARE else data
        changed = mutated(begin, dice, lambda part: atheris.Mutate(part, len(part) + 16))
        return changed if len(changed) <= most else atheris.Mutate(data, most)

    task.put()
    arguments = [*library_arguments(task, chosen, place, kept), f"-artifact_prefix={log.parent}/{parser.name}-"]
    atheris.Setup(arguments, parser.promise(), **({"custom_mutator": by_json} if parser.json else {}))
    atheris.Fuzz()
    os._exit(0)


def library_arguments(task: Task, chosen: int, place: Path, kept: Path) -> list[str]:
    """What libFuzzer is told: it reads all folders, and writes to the first."""
    goes_on = [str(kept)] if task.seconds and kept.is_dir() else []
    return [
        task.parser.name,
        str(place / BEGUN),
        *goes_on,
        f"-dict={place / WORDS}",
        f"-seed={chosen % SEED_MAX + 1}",  # 0 would be one of its own choice
        f"-max_len={task.parser.bytes_max}",
        f"-timeout={HANG_S}",
        f"-rss_limit_mb={RSS_MB_MAX}",
        f"-max_total_time={task.seconds}",
        f"-runs={task.runs}",
        "-print_final_stats=1",
        "-reload=0",
    ]


def _words(seeds: Sequence[bytes]) -> str:
    """libFuzzer's dictionary: the words that the seeds are made of, so that it need not guess a field's name."""
    words = sorted({word for seed in seeds for word in re.findall(rb"[A-Za-z0-9_:-]{2,31}", seed)})
    return "".join(f'"{word.decode()}"\n' for word in words[:WORDS_MAX] or [b"00"])


if __name__ == "__main__":
    sys.exit(main())
