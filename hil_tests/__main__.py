"""``./run hil``: the bench's tests on the bench that a file describes, and the acceptance report of it.

On the virtual bench (the default) a machine is booted for each group of tests, two at a time; tests that boot machines
themselves run on this one, beside them. The last line holds the figures; the status is 0 when all that the bench
promises was shown, 1 when something failed, 2 when the bench itself does not work. On a real bench the tests of
``on_target/`` run on the station, which is reached as its file says, and those of ``from_outside/`` here, beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from edge_agent.software import software
from hil_tests import installed, report
from hil_tests.drivers.person import NAME_IN, Person, PersonError
from hil_tests.machine import ROOT, BenchError, Machine, booted, kernel_of_the_bench, python
from hil_tests.reached import Desk
from hil_tests.rig import RigError, RigFile, StationWiring, read
from hil_tests.there import missing_beside, needs_a_person

RIGS = Path(__file__).parent / "rigs"
ON_TARGET = Path(__file__).parent / "on_target"
INSTALLED = ON_TARGET / "installed"
FROM_OUTSIDE = Path(__file__).parent / "from_outside"
BUILT = ROOT / "build" / "hil"
CONTRACTS = {
    "relays-contract": ["tests/relay/test_relays_contract.py", "-k", "real-kernel"],
    "journal-contract": ["tests/journal", "-k", "card"],
    "player-contract": ["tests/audio/test_player_contract.py", "-k", "card]"],
    "zones-apart": ["tests/audio/test_zones_apart.py"],
}
# What every driver and every player promises, where there is a real one of its kind.
CLOCK = "test_clock"
SHIM = ROOT / "tests" / "host" / "stepped_clock.c"
MACHINE_S_MAX = 1_400
AT_ONCE = 2
# The machine has one processor each, and this one has two.
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:cov", "-o", "junit_logging=system-out")
# What a test prints of its figures stands in its group's file in build/hil.
PASSED_ON = ("BENCH_SEED", "BENCH_CUTS", "BENCH_IDLE_HOURS")
# What whoever starts the bench may choose for its tests.
SUMMARY = re.compile(r"\d+ (passed|failed|error|skipped|deselected)")
WHY_CHARS_MAX = 400
# Of what pytest says of a failure, once more at the end: what a reader of a long log sees first.
NOTHING_CHOSEN = 5
# Pytest's own status where no test has the name.


@dataclass(frozen=True, slots=True)
class Group:
    """Pytest's arguments for tests that run together: in a machine, which may have the station installed, or here."""

    name: str
    tests: tuple[str, ...]
    here: bool = False
    installed: bool = False


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
        if rig.station is None:
            kernel = kernel_of_the_bench()
            with ThreadPoolExecutor(AT_ONCE) as pool:
                ended = list(pool.map(lambda group: (group, _run(kernel, args, group)), _groups(args.only)))
        else:
            ended = _on_a_desk(rig, rig.station, args)
    except (RigError, BenchError, PersonError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 2
    return _conclude(rig, ended, args.only, time.monotonic() - began)


def _groups(only: str) -> list[Group]:
    """All of the virtual bench's."""
    under_systemd = [_group(file, only, installed=True) for file in sorted(INSTALLED.glob("test_*.py"))]
    contracts = [] if only else [Group(name, tuple(tests)) for name, tests in CONTRACTS.items()]
    return [*_on_target(only), *_chosen(under_systemd, only), *_from_outside(only), *contracts]


def _on_target(only: str) -> list[Group]:
    return _chosen([_group(file, only) for file in sorted(ON_TARGET.glob("test_*.py"))], only)


def _from_outside(only: str) -> list[Group]:
    return _chosen([_group(file, only, here=True) for file in sorted(FROM_OUTSIDE.glob("test_*.py"))], only)


def _chosen(groups: list[Group], only: str) -> list[Group]:
    """Those in which a test has such a name: no machine is booted for nothing."""
    if not only:
        return groups
    files = [group.tests[0] for group in groups]
    listed = subprocess.run(
        python(*PYTEST, "--collect-only", *files, "-k", only), capture_output=True, text=True, check=False, cwd=ROOT
    ).stdout
    return [group for group in groups if str(Path(group.tests[0]).relative_to(ROOT)) in listed]


def _group(file: Path, only: str, *, here: bool = False, installed: bool = False) -> Group:
    return Group(file.stem, (str(file), *(("-k", only) if only else ())), here, installed)


def _run(kernel: Path, args: argparse.Namespace, group: Group) -> int:
    return _beside_a_machine(args.rig, group) if group.here else _in_a_machine(kernel, args, group)


def _in_a_machine(kernel: Path, args: argparse.Namespace, group: Group) -> int:
    """A group's tests in a machine of their own; pytest's status, or 1 where the machine did not come to its end."""
    shared = Path(tempfile.mkdtemp(prefix="bench-", dir="/var/tmp"))
    (shared / "evidence").mkdir()
    try:
        command = _command(args.rig, group, Path("/run/shared"))
        if group.name == CLOCK:
            command[1:1] = [f"LD_PRELOAD={_stepped_clock()}"]
        with _booted(kernel, args, group, command, shared) as running:
            ended = running.wait(MACHINE_S_MAX)
        for left in (*shared.glob("*.xml"), *(shared / "evidence").iterdir()):
            shutil.copy(left, BUILT / "evidence" if left.suffix == ".json" else BUILT)
        (BUILT / f"{group.name}.log").write_text(ended.console, "utf-8")
        print(
            f"-- {group.name}: {_last_line(ended.console)} (máy chạy / machine ran {ended.seconds:.0f} s)", flush=True
        )
        if ended.status not in (0, NOTHING_CHOSEN):
            print(ended.console, flush=True)
        return 1 if ended.status is None else ended.status
    finally:
        shutil.rmtree(shared)


def _booted(
    kernel: Path, args: argparse.Namespace, group: Group, command: list[str], shared: Path
) -> contextlib.AbstractContextManager[Machine]:
    if not group.installed:
        return booted(kernel, command, shared, real_time=args.real_time)
    installed.lay_out(shared)
    return booted(kernel, command, shared, init=installed.INIT, arguments=installed.ARGUMENTS, real_time=args.real_time)


def _beside_a_machine(rig: Path, group: Group) -> int:
    """A group's tests here, which boot machines of their own; pytest's status."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/var/tmp") as folder:
        command = [*_command(rig, group, BUILT), f"--basetemp={folder}/tests"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    said = done.stdout.decode(errors="replace")
    (BUILT / f"{group.name}.log").write_text(said, "utf-8")
    print(f"-- {group.name}: {_last_line(said)}", flush=True)
    if done.returncode not in (0, NOTHING_CHOSEN):
        print(said, flush=True)
    return done.returncode


def _on_a_desk(rig: RigFile, wiring: StationWiring, args: argparse.Namespace) -> list[tuple[Group, int]]:
    """Groups and pytest's statuses. BenchError where anything that the file names is not there, naming all of it."""
    missing = missing_beside(rig)
    with tempfile.TemporaryDirectory(prefix="bench-") as here:
        try:
            desk = Desk(wiring, args.rig, Path(here))
            missing += desk.told(desk.line("hil_tests.there", desk.rig)).decode().splitlines()
        except BenchError as exc:
            missing.append(f"[station] {exc}")
        if missing:
            raise BenchError("\n  ".join([f"bàn thử còn thiếu / the bench lacks ({args.rig}):", *missing]))
        if needs_a_person(rig):
            os.environ[NAME_IN] = Person().name()
        there = [(group, _on_the_station(desk, wiring, group)) for group in _on_target(args.only)]
        return [*there, *((group, _beside_a_machine(args.rig, group)) for group in _from_outside(args.only))]


def _on_the_station(desk: Desk, wiring: StationWiring, group: Group) -> int:
    """A group's tests where the station runs; what they found is brought here."""
    results = f"{wiring.folder}/results"
    desk.told(f"rm -rf {shlex.quote(results)} && mkdir -p {shlex.quote(results)}/evidence")
    words = _command(Path(desk.rig), group, Path(results))
    python_at = words.index(sys.executable)
    words[python_at : python_at + 2] = [f"{wiring.tree}/.venv/bin/python", "-m", "hil_tests.leash"]
    line = f"cd {shlex.quote(wiring.tree)} && exec {shlex.join(one.replace(str(ROOT), wiring.tree) for one in words)}"
    with subprocess.Popen([*wiring.reach, line], stdin=subprocess.PIPE) as tests:
        status = tests.wait()
    with tarfile.open(fileobj=io.BytesIO(desk.told(f"tar -C {shlex.quote(results)} -cf - ."))) as brought:
        brought.extraction_filter = getattr(tarfile, "data_filter", None)  # what Debian 12 has is older than that
        brought.extractall(BUILT)
    return status


def _command(rig: Path, group: Group, folder: Path) -> list[str]:
    chosen = [f"{name}={os.environ[name]}" for name in PASSED_ON if name in os.environ]
    env = ["env", *chosen, f"BENCH_RIG={rig.absolute()}", f"BENCH_EVIDENCE={folder / 'evidence'}", "REQUIRE_PARTS=1"]
    written = [f"--junitxml={folder / group.name}.xml", *([] if group.here else ["--basetemp=/tmp/bench"])]
    return [*env, *python(*PYTEST), *group.tests, *written]


def _stepped_clock() -> Path:
    """The library that shows everybody but the station the right time; see ``on_target/test_clock.py``."""
    library = BUILT / "stepped_clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, SHIM, "-ldl"], check=True)
    return library


def _results(group: Group, status: int) -> list[report.Result]:
    """What a group's tests came to; where it did not come to its end, that is one of them that failed."""
    file = BUILT / f"{group.name}.xml"
    found = report.results(file, BUILT / "evidence") if file.exists() else []
    lost = status not in (0, NOTHING_CHOSEN) and not any(one.outcome == "failed" for one in found)
    why = f"không chạy đến hết / did not come to its end (status {status})"
    return [*found, report.Result(group.name, "failed", 0, (), why)] if lost else found


def _conclude(rig: RigFile, ended: Sequence[tuple[Group, int]], only: str, seconds: float) -> int:
    done = [one for group, status in sorted(ended, key=_name) for one in _results(group, status)]
    rows = sorted({row for one in done for row in one.rows})
    page = BUILT / "report.html"
    when = datetime.now().astimezone().strftime("%d/%m/%Y %H:%M %Z")
    page.write_text(report.html(rig, done, rows, when, software(), only=only), "utf-8")
    for one in done:
        if one.outcome == "failed":
            print(f"-- {one.name}, không đạt / failed: {' '.join(one.why.split())[:WHY_CHARS_MAX]}")
    counts = {outcome: sum(one.outcome == outcome for one in done) for outcome in report.WORDS}
    words = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    print(f"hil rig={rig.name}: {words}; {seconds:.0f} s; biên bản / report: {os.path.relpath(page)}")
    return 0 if report.passed(done) else 1


def _name(ended: tuple[Group, int]) -> str:
    return ended[0].name


def _last_line(text: str) -> str:
    """Pytest's summary, or whatever was said last."""
    lines = [line.strip("= ") for line in text.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if SUMMARY.match(line)), lines[-1] if lines else "nothing was said")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
