"""Play lives until a promise is broken, and say which: one line of JSON. Runs in the copy with the planted fault."""

from __future__ import annotations

import json
import sys

from tests.soak.life import Life
from tests.soak.script import Script, evening, relays, ten_days

LIVES = 120
RELAYS = 60


def scripts(how: str) -> list[Script]:
    """Evenings, and a few longer lives among them: what only days bring about; or days of relays."""
    if how == "relays":
        return [relays(number) for number in range(RELAYS)]
    return [ten_days(number) if number % 20 == 19 else evening(number) for number in range(LIVES)]


def main(how: str) -> None:
    """The first broken promise, or that all held."""
    made = scripts(how)
    for number, script in enumerate(made, 1):
        failure = Life(script, thorough=how != "street").live()
        if failure is not None:
            print(json.dumps({"promise": failure.name, "lives": number}))
            return
    print(json.dumps({"promise": None, "lives": len(made)}))


if __name__ == "__main__":
    main(sys.argv[1])
