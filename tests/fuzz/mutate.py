"""Change JSON as JSON: behind a bracket that does not close, a campaign would never see a second field.

Pure: a value, dice and a way to change bytes give another value.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

STRANGE: tuple[Any, ...] = (
    *(
        0,
        1,
        -1,
        2**31,
        2**53 - 1,
        2**53,
        -(2**53),
        10**40,
        1.5,
        True,
        False,
        None,
        [],
        {},
        "",
        " ",
        "\n",
        "\0",
        "\u202e",
    ),
    *("\ud800", "e\u0301", "\u1ec7", "A" * 300, "1" * 5_000, "../..", "https://a", "2026-02-30", "25:00:00", "Asia"),
)
"""What bounds, forms and readers of JSON differ about."""
CHANGES = (1, 1, 1, 2, 3)
# Mostly one: with several, the first mistake hides the others.
RAW_SHARE = 0.25
# The rest of the inputs are changed byte by byte, as if they were no JSON.

Slot = tuple[Any, Any]
"""A container and the key or index of one of its values."""


def mutated(data: bytes, dice: Random, change_bytes: Callable[[bytes], bytes]) -> bytes:
    """``data`` a little otherwise: as JSON where it is some."""
    try:
        whole = [json.loads(data)]
    except (ValueError, RecursionError):
        return change_bytes(data)
    if dice.random() < RAW_SHARE:
        return change_bytes(data)
    for _ in range(dice.choice(CHANGES)):
        _change(whole, dice, change_bytes)
    return json.dumps(whole[0], ensure_ascii=dice.random() < 0.1).encode(errors="surrogatepass")


def _change(whole: list[Any], dice: Random, change_bytes: Callable[[bytes], bytes]) -> None:
    slots = [*_slots(whole)]
    holder, key = dice.choice(slots)
    value = holder[key]
    match dice.randrange(8):
        case 0:
            holder[key] = dice.choice(STRANGE)
        case 1:
            other, place = dice.choice(slots)
            holder[key] = json.loads(json.dumps(other[place]))  # a copy: nothing may contain itself
        case 2 if holder is not whole:
            del holder[key]
        case 3 if isinstance(holder, list) and holder is not whole:
            holder.insert(dice.randrange(len(holder) + 1), value)
        case 4 if isinstance(holder, dict):
            holder[_text(key, change_bytes)] = value
        case _:
            holder[key] = _nearby(value, dice, change_bytes)


def _nearby(value: Any, dice: Random, change_bytes: Callable[[bytes], bytes]) -> Any:
    if isinstance(value, str):
        return _text(value, change_bytes)
    if isinstance(value, int):
        return dice.choice([0, 1, value + 1, value - 1, -value, value * 1_000, value ^ (1 << dice.randrange(53))])
    return dice.choice(STRANGE)


def _text(text: str, change_bytes: Callable[[bytes], bytes]) -> str:
    return change_bytes(text.encode(errors="replace")).decode(errors="replace")


def _slots(holder: Any) -> list[Slot]:
    keys = holder.keys() if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
    found = [(holder, key) for key in keys]
    return found + [slot for key in keys for slot in _slots(holder[key])]
