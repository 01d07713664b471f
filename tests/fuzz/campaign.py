"""Run properties for a given time, each round with seeds of its own, and keep count. Prints nothing.

A round's seed gives the next round's, so that a campaign is repeated by its first seed and a failure by its round's.
"""

from __future__ import annotations

import hashlib
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from types import FrameType
from typing import Any

import hypothesis
import pytest

from tests.fuzz.targets import Target

HANG_S = 20
# No example takes a second, on the slowest machine; what takes so long would take for ever.
SHOWN_CHARS_MAX = 2_000
SEED_BYTES = 6


class Hung(BaseException):
    """An example did not end. No Exception: to look for a smaller one would take as long again, many times."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A property that does not hold, the round's seed that shows it, and how."""

    target: str
    seed: int
    told: str


@dataclass(slots=True)
class Tally:
    """What a campaign has done so far."""

    rounds: int = 0
    examples: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


def run(targets: Sequence[Target], seed: int, more: Callable[[], bool]) -> Tally:
    """Whole rounds over all targets, at least one, as long as ``more``; a target that failed is not tried again."""
    tally = Tally(examples=dict.fromkeys((target.name for target in targets), 0))
    left = list(targets)
    while left and (tally.rounds == 0 or more()):
        for target in [*left]:
            failure = _prove(target, seed, tally)
            if failure is not None:
                tally.failures.append(failure)
                left.remove(target)
            if tally.rounds and not more():
                break
        tally.rounds += 1
        seed = _derived(str(seed))
    return tally


def _prove(target: Target, seed: int, tally: Tally) -> Failure | None:
    prove: Any = target.prove
    handle = prove.hypothesis
    inner = handle.inner_test

    @wraps(inner)
    def counted(*arguments: object, **named: object) -> object:
        tally.examples[target.name] += 1
        with ending_in_time(named):
            return inner(*arguments, **named)

    handle.inner_test = counted
    try:
        hypothesis.seed(_derived(f"{seed} {target.name}"))(prove)()
    except (Exception, pytest.fail.Exception, Hung) as error:  # noqa: BLE001 - whatever it is, it is what we look for
        return Failure(target.name, seed, "".join(traceback.format_exception(error)))
    finally:
        handle.inner_test = inner
    return None


@contextmanager
def ending_in_time(example: object) -> Iterator[None]:
    """``Hung`` is raised in the block when it takes longer than HANG_S."""

    def hung(number: int, frame: FrameType | None) -> None:
        raise Hung(f"longer than {HANG_S} s with {repr(example)[:SHOWN_CHARS_MAX]}")

    before = signal.signal(signal.SIGALRM, hung)
    signal.setitimer(signal.ITIMER_REAL, HANG_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _derived(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:SEED_BYTES])
