"""A test stand: a process under the shim that runs one case after another, told by JSON lines on its standard input.

It has one thread only, because it forks the agents' lives from itself. Run as ``python -m tests.crash.stand FOLDER
CONTENT_CA CONTENT_URL``, by ``Stand`` in ``__main__``.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path

from tests.crash import case, checks
from tests.crash.case import Case, Point, Way
from tests.crash.street import Place


def main(folder: Path, content_ca: Path, content_url: str) -> None:
    """Answer a seed with the points of its day and what that broke, a case with what it broke."""
    logging.disable()  # what the street's own parts say; the agents' processes turn it on again for themselves
    place = Place(folder / "day", content_ca, content_url)
    days: dict[tuple[int, str], dict[str, Point]] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        wanted = Case(asked["point"], Way(asked["way"]), asked["seed"], asked["plant"])
        key = (wanted.seed, wanted.plant)
        broken: list[str] = []
        if key not in days:
            street = case.quiet_day(wanted.seed, place, wanted.plant)
            days[key], broken = case.points_of(street), checks.of_day(street)
        if wanted.point:
            broken = case.run(wanted, days[key], place)
        listed = {} if wanted.point else {name: asdict(point) for name, point in days[key].items()}
        print(json.dumps({"broken": broken, "points": listed}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
