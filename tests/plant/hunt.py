"""Play lives until a promise is broken, and say which: one line of JSON. Runs in the copy with the planted fault."""

from __future__ import annotations

import json
import sys

from tests.soak.life import Life
from tests.soak.script import Script, evening, relays, ten_days

LIVES = 120


def scripts() -> list[Script]:
    """Evenings, and a few longer lives among them: what only days, or relays, bring about."""
    among = {9: relays, 19: ten_days}
    return [among.get(number % 20, evening)(number) for number in range(LIVES)]


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
