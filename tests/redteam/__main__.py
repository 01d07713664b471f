"""``./run redteam``: seeded campaigns of an attacker who holds broker, network and content server, on all cores.

Ends with one line of figures; the exit status is 1 if something sounded, or a relay closed, that nobody had ordered.
Each failure comes with the shortest list of happenings that still shows it, and with the command that plays it again.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections.abc import Sequence
from itertools import count, islice

from tests.redteam.campaign import Tally, play
from tests.redteam.life import Life
from tests.redteam.script import Script, campaign
from tests.redteam.trace import told
from tests.soak.life import Failure
from tests.soak.pool import played
from tests.soak.shrink import kind, shrunk

TOLD_MAX = 3
# Different failures that are shrunk and told.


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    options = _options().parse_args(arguments)
    if options.campaign is not None:
        return _again(options.campaign)
    seed = secrets.randbits(24) if options.seed is None else options.seed
    begun = time.monotonic()
    tally = _campaigns(seed, begun + options.minutes * 60, options.campaigns)
    _tell(tally)
    print(tally.figures(seed, time.monotonic() - begun))
    return 1 if tally.failures else 0


def live(script: Script) -> Failure | None:
    """One campaign."""
    return Life(script).live()


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run redteam", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=1, help="for how long at most (default: 1)")
    parser.add_argument("--campaigns", type=int, help="so many at most")
    parser.add_argument("--seed", type=int, help="of the first one (default: a new one)")
    parser.add_argument("--campaign", type=int, help="play this one again, and tell it")
    return parser


def _campaigns(seed: int, until: float, most: int | None) -> Tally:
    tally = Tally()
    for outcome in played(play, islice(zip(count(seed)), most), until):
        tally.add(outcome)
    return tally


def _again(seed: int) -> int:
    script = campaign(seed)
    failure = live(script)
    print(told(shrunk(script, failure, live)) if failure else f"{told(script)}\ncampaign {seed}: everything held")
    return 1 if failure else 0


def _tell(tally: Tally) -> None:
    """One of each kind at length, and all by their names."""
    firsts = {kind(outcome.failure): outcome for outcome in reversed(tally.failures) if outcome.failure}
    for outcome in list(firsts.values())[:TOLD_MAX]:
        assert outcome.failure is not None
        print(told(shrunk(campaign(outcome.seed), outcome.failure, live)))
        print(f"  again: ./run redteam --campaign {outcome.seed}\n")
    for outcome in tally.failures:
        assert outcome.failure is not None
        print(f"campaign {outcome.seed}: {outcome.failure.name}")


if __name__ == "__main__":
    sys.exit(main())
