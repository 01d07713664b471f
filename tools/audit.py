"""Decide whether a known advisory names something that the locks name: clean, vulnerable, or not audited.

``./run audit`` asks with pip-audit, strictly, for every package of both hashed locks, also for those that this machine
does not install. pip-audit alone cannot be relied on for the third answer: it ends with 1 when its service refuses the
connection as when it finds something, and a service that knows nothing makes everything look clean. So its exit code
counts for nothing here. What counts is its report: it must speak of every package, and name at least one advisory for
the probe, which has some.

Says nothing of Debian's packages (ffmpeg, espeak-ng, Python itself): their advisories are Debian's, on the station.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packaging.utils import NormalizedName, canonicalize_name

from tools.locked import BUILD, LOCK, Locked, LockError, read

PROBE = Locked(canonicalize_name("jinja2"), "2.10", ())
"""CVE-2019-10906: known to every service for years, and in neither lock. One that calls it clean knows nothing."""
CLEAN, VULNERABLE, NOT_AUDITED = 0, 1, 2
TIMEOUT_S = 15  # for one answer; pip-audit's own default
AUDIT_S_MAX = 900  # some 90 packages at 10 s each: only so that it ends
SAID_MAX = 300  # characters of a foreign sentence in the last line


@dataclass(frozen=True, slots=True)
class Advisory:
    """One known weakness of one locked package."""

    package: str
    version: str
    name: str
    fixed_in: tuple[str, ...]

    def __str__(self) -> str:
        remedy = f"fixed in {', '.join(self.fixed_in)}" if self.fixed_in else "no version without it is known"
        return f"{self.package} {self.version}: {self.name}, {remedy}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The exit code, what is to be looked at, and the last line."""

    code: int
    line: str
    advisories: tuple[Advisory, ...] = ()


Report = Mapping[tuple[str, str], tuple[Advisory, ...]]
"""What pip-audit was told of each (package, version); what it skipped is not in it."""


def judge(packages: Mapping[NormalizedName, Locked], report: Report | None, said: str, asked_at: datetime) -> Outcome:
    """What follows from pip-audit's report (None: it wrote none that can be read) and from the last that it said."""
    if report is None:
        return not_audited(f"advisory service not reached: {said}")
    unanswered = [one for one in (*packages.values(), PROBE) if (one.name, one.version) not in report]
    if unanswered:
        return not_audited(f"no answer for {', '.join(f'{one.name} {one.version}' for one in unanswered)}")
    if not report[PROBE.name, PROBE.version]:
        return not_audited(f"the advisory service knows none for {PROBE.name} {PROBE.version}, which has some")
    advisories = tuple(found for one in packages.values() for found in report[one.name, one.version])
    when = f"advisories as of {asked_at:%Y-%m-%d %H:%M} UTC"
    if advisories:
        hit = len({found.package for found in advisories})
        line = f"vulnerable: {hit} of {len(packages)} packages, {len(advisories)} advisories; {when}"
        return Outcome(VULNERABLE, line, advisories)
    return Outcome(CLEAN, f"clean: {len(packages)} packages, {when}")


def not_audited(why: str) -> Outcome:
    return Outcome(NOT_AUDITED, f"NOT AUDITED: {why}")


def parse(written: bytes) -> Report | None:
    """pip-audit's JSON; None where it is not what pip-audit is known to write."""
    try:
        answers = [answer for answer in json.loads(written)["dependencies"] if "skip_reason" not in answer]
        return {(canonicalize_name(one["name"]), one["version"]): _advisories(one) for one in answers}
    except (ValueError, KeyError, TypeError):
        return None


def _advisories(answer: Mapping[str, Any]) -> tuple[Advisory, ...]:
    return tuple(
        Advisory(
            canonicalize_name(answer["name"]),
            answer["version"],
            "/".join([found["id"], *found.get("aliases", ())]),
            tuple(found["fix_versions"]),
        )
        for found in answer["vulns"]
    )


def ask(packages: Mapping[NormalizedName, Locked], osv_url: str | None, timeout_s: int) -> tuple[Report | None, str]:
    """pip-audit's report, or None where it wrote none; and the last line that it said."""
    with tempfile.TemporaryDirectory() as folder:
        asked, report, cache = (Path(folder) / name for name in ("asked.txt", "report.json", "cache"))
        # Without markers: what only another Python or processor installs is asked for too.
        asked.write_text("".join(f"{one.name}=={one.version}\n" for one in (*packages.values(), PROBE)), "utf-8")
        command = [sys.executable, "-m", "pip_audit", "--strict", "--no-deps", "--disable-pip", "-r", str(asked)]
        command += ["--vulnerability-service", "osv", "--format", "json", "--output", str(report)]
        command += ["--progress-spinner", "off", "--timeout", str(timeout_s), "--cache-dir", str(cache)]
        command += ["--osv-url", osv_url] if osv_url else []
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=AUDIT_S_MAX, check=False)
        except subprocess.TimeoutExpired:
            return None, f"no end after {AUDIT_S_MAX} s"
        last = (done.stderr.strip() or "pip-audit wrote no report that can be read").splitlines()[-1]
        return (parse(report.read_bytes()) if report.exists() else None), last[:SAID_MAX]


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    try:
        packages = read(*arguments.lock)
    except (LockError, OSError) as exc:
        return _tell(not_audited(str(exc)))
    asked_at = datetime.now(UTC)
    report, said = ask(packages, arguments.osv_url, arguments.timeout)
    return _tell(judge(packages, report, said, asked_at))


def _tell(outcome: Outcome) -> int:
    for advisory in outcome.advisories:
        print(f"audit: {advisory}")
    print(outcome.line)
    return outcome.code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./run audit", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--lock", type=Path, nargs="+", default=[LOCK, BUILD], help="the hashed locks to ask about")
    parser.add_argument(
        "--osv-url", default=os.environ.get("PIP_AUDIT_OSV_URL"), help="another service that speaks OSV"
    )
    parser.add_argument("--timeout", type=int, default=TIMEOUT_S, help="seconds to wait for one answer")
    return parser


if __name__ == "__main__":
    sys.exit(main())
