"""Play campaigns until something sounds that should not: one line of JSON. Runs in the copy with the planted fault."""

from __future__ import annotations

import json

from tests.redteam.life import Life
from tests.redteam.script import campaign

LIVES = 450


def main() -> None:
    """The first broken promise, or that all held."""
    for seed in range(LIVES):
        failure = Life(campaign(seed)).live()
        if failure is not None:
            print(json.dumps({"promise": failure.name, "lives": seed + 1}))
            return
    print(json.dumps({"promise": None, "lives": LIVES}))


if __name__ == "__main__":
    main()
