"""``./run hil``: the bench's tests on the bench that a file describes, and the acceptance report of it.

On the virtual bench (the default) a machine is booted for each group of tests, two at a time. The last line holds the
figures; the status is 0 when all that the bench promises was shown, 1 when something failed, 2 when the bench itself
does not work.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from edge_agent import __version__
from hil_tests import report
from hil_tests.machine import ROOT, BenchError, booted, kernel_of_the_bench, python
from hil_tests.rig import RigError, RigFile, read

RIGS = Path(__file__).parent / "rigs"
ON_TARGET = Path(__file__).parent / "on_target"
BUILT = ROOT / "build" / "hil"
CONTRACTS = {
    "relays-contract": ["tests/relay/test_relays_contract.py", "-k", "real-kernel"],
    "journal-contract": ["tests/journal", "-k", "card"],
    "player-contract": ["tests/audio/test_player_contract.py", "-k", "card]"],
}
# What every driver and every player promises, where there is a real one of its kind.
CLOCK = "test_clock"
SHIM = ROOT / "tests" / "host" / "stepped_clock.c"
MACHINE_S_MAX = 1_400
AT_ONCE = 2
# The machine has one processor each, and this one has two.
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:cov")
PASSED_ON = ("BENCH_SEED", "BENCH_CUTS")
# What whoever starts the bench may choose for its tests.
NOTHING_CHOSEN = 5
# Pytest's own status where no test has the name.


def main(arguments: list[str]) -> int:
    """The status."""
    parser = argparse.ArgumentParser(prog="./run hil", description=__doc__)
    parser.add_argument("--rig", type=Path, default=RIGS / "virtual.toml", help="the bench's file (virtual.toml)")
    parser.add_argument("--only", default="", metavar="EXPRESSION", help="tests whose names match, as pytest's -k")
    parser.add_argument("--real-time", action="store_true", help="the virtual bench waits as long as a ward would")
    args = parser.parse_args(arguments)
    began = time.monotonic()
    shutil.rmtree(BUILT, ignore_errors=True)
    (BUILT / "evidence").mkdir(parents=True)
    try:
        rig = read(args.rig)
        chosen = ["-k", args.only] if args.only else []
        groups = {file.stem: [str(file), *chosen] for file in sorted(ON_TARGET.glob("test_*.py"))}
        if rig.kind == "virtual":
            kernel = kernel_of_the_bench()
            if not args.only:
                groups |= CONTRACTS
            with ThreadPoolExecutor(AT_ONCE) as pool:
                statuses = list(pool.map(lambda name: _in_a_machine(kernel, args, name, groups[name]), groups))
        else:
            statuses = [_here(args.rig, name, tests) for name, tests in groups.items()]
    except (RigError, BenchError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 2
    return _conclude(rig, statuses, time.monotonic() - began)


def _in_a_machine(kernel: Path, args: argparse.Namespace, name: str, tests: list[str]) -> int:
    """A group's tests in a machine of their own; pytest's status, or 1 where the machine did not come to its end."""
    shared = Path(tempfile.mkdtemp(prefix="bench-", dir="/var/tmp"))
    (shared / "evidence").mkdir()
    try:
        command = _command(args.rig, name, tests, Path("/run/shared"))
        with booted(kernel, command, shared, real_time=args.real_time) as machine:
            ended = machine.wait(MACHINE_S_MAX)
        for left in (*shared.glob("*.xml"), *(shared / "evidence").iterdir()):
            shutil.copy(left, BUILT / "evidence" if left.suffix == ".json" else BUILT)
        (BUILT / f"{name}.log").write_text(ended.console, "utf-8")
        print(f"-- {name}: {_last_line(ended.console)} (máy chạy / machine ran {ended.seconds:.0f} s)", flush=True)
        if ended.status not in (0, NOTHING_CHOSEN):
            print(ended.console, flush=True)
        return 1 if ended.status is None else ended.status
    finally:
        shutil.rmtree(shared)


def _here(rig: Path, name: str, tests: list[str]) -> int:
    return subprocess.run(_command(rig, name, tests, BUILT), check=False).returncode


def _command(rig: Path, name: str, tests: list[str], folder: Path) -> list[str]:
    chosen = [f"{name}={os.environ[name]}" for name in PASSED_ON if name in os.environ]
    env = ["env", *chosen, f"BENCH_RIG={rig.resolve()}", f"BENCH_EVIDENCE={folder / 'evidence'}", "REQUIRE_PARTS=1"]
    if name == CLOCK:
        env.append(f"LD_PRELOAD={_stepped_clock()}")
    written = [f"--junitxml={folder / name}.xml", "--basetemp=/tmp/bench"]
    return [*env, *python(*PYTEST), *tests, *written]


def _stepped_clock() -> Path:
    """The library that shows everybody but the station the right time; see ``on_target/test_clock.py``."""
    library = BUILT / "stepped_clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, SHIM, "-ldl"], check=True)
    return library


def _conclude(rig: RigFile, statuses: Sequence[int], seconds: float) -> int:
    done = [one for file in sorted(BUILT.glob("*.xml")) for one in report.results(file, BUILT / "evidence")]
    rows = sorted({row for one in done for row in one.rows})
    page = BUILT / "report.html"
    when = datetime.now().astimezone().strftime("%d/%m/%Y %H:%M %Z")
    page.write_text(report.html(rig, done, rows, when, f"edge-agent {__version__}"), "utf-8")
    counts = {outcome: sum(one.outcome == outcome for one in done) for outcome in report.WORDS}
    words = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    print(f"hil rig={rig.name}: {words}; {seconds:.0f} s; biên bản / report: {page.relative_to(ROOT)}")
    sound = bool(done) and not counts["failed"] and set(statuses) <= {0, NOTHING_CHOSEN}
    return 0 if sound else 1


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("[ ")]
    return lines[-1].strip("= ") if lines else "nothing was said"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
