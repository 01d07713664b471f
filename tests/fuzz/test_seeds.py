"""What ever broke a promise breaks it no more, on each Python: what reads bytes leans on libraries that differ.

And what was tried leaves nothing behind: a station reads for ten years, and a campaign for an hour.
"""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Iterator

import pytest

from tests.fuzz.guiding import CORPUS
from tests.fuzz.parsers import PARSERS
from tests.fuzz.parsers.parser import Promise

ROUNDS, TRIES_MIN = 10, 60


@pytest.mark.parametrize("name", PARSERS)
def test_the_seeds_and_all_that_ever_broke_a_promise_break_it_no_more(name: str) -> None:
    parser = PARSERS[name]
    promise = parser.promise()
    for content in [*parser.seeds(), *(path.read_bytes() for path in sorted((CORPUS / name).glob("*")))]:
        assert len(content) <= parser.bytes_max
        promise(content)


@pytest.fixture
def nothing_logged() -> Iterator[None]:
    """A test's own runner keeps what is logged."""
    before = logging.root.manager.disable
    logging.disable()
    yield
    logging.disable(before)


@pytest.mark.deep  # who counts branches beside it keeps something of each thread
@pytest.mark.usefixtures("nothing_logged")
@pytest.mark.parametrize("name", PARSERS)
def test_what_was_tried_leaves_nothing_behind(name: str) -> None:
    parser = PARSERS[name]
    promise, seeds = parser.promise(), [*parser.seeds()]
    assert min(_left_behind(promise, seeds) for _ in range(ROUNDS)) < TRIES_MIN // 2


def _left_behind(promise: Promise, seeds: list[bytes]) -> int:
    """Blocks of memory behind ``TRIES_MIN`` tries or more. The first ones fill what is kept on purpose."""
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(-(-TRIES_MIN // len(seeds))):
        for seed in seeds:
            promise(seed)
    gc.collect()
    return sys.getallocatedblocks() - before


def test_what_is_kept_belongs_to_a_parser() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} <= PARSERS.keys()
