"""Play lives until a promise is broken, and say which: one line of JSON. Runs in the copy with the planted fault."""

from __future__ import annotations

import json
import sys

from tests.soak.life import Life
from tests.soak.script import Script, evening, ten_days

LIVES = 120


def scripts() -> list[Script]:
    """Evenings, and a few longer lives among them: what only days bring about."""
    return [ten_days(number) if number % 20 == 19 else evening(number) for number in range(LIVES)]


def main(thorough: bool) -> None:
    """The first broken promise, or that all held."""
    for number, script in enumerate(scripts()):
        failure = Life(script, thorough=thorough).live()
        if failure is not None:
            print(json.dumps({"promise": failure.name, "lives": number + 1}))
            return
    print(json.dumps({"promise": None, "lives": LIVES}))


if __name__ == "__main__":
    main(thorough=sys.argv[1] == "steps")
