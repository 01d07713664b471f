"""What is worked out aside: in its order, and no more than a bounded number waits."""

from __future__ import annotations

import queue
import threading
from functools import partial

import pytest

from edge_agent.aside import ASIDE_MAX, Aside

PATIENCE_S = 60
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")


def test_what_is_done_aside_is_done_in_order_and_too_much_is_not_taken() -> None:
    aside, gate, done = Aside(), threading.Event(), queue.Queue[int]()

    def wait() -> None:
        gate.wait(PATIENCE_S)

    taken = [aside.order(wait)] + [aside.order(partial(done.put, number)) for number in range(ASIDE_MAX)]
    assert taken == [*[True] * ASIDE_MAX, False]
    aside.start()
    gate.set()
    assert [done.get(timeout=PATIENCE_S) for _ in range(ASIDE_MAX - 1)] == list(range(ASIDE_MAX - 1))
