"""What ever broke a promise breaks it no more, on each Python: what reads bytes leans on libraries that differ."""

from __future__ import annotations

import pytest

from tests.fuzz.guiding import CORPUS
from tests.fuzz.parsers import PARSERS


@pytest.mark.parametrize("name", PARSERS)
def test_the_seeds_and_all_that_ever_broke_a_promise_break_it_no_more(name: str) -> None:
    parser = PARSERS[name]
    promise = parser.promise()
    for content in [*parser.seeds(), *(path.read_bytes() for path in sorted((CORPUS / name).glob("*")))]:
        assert len(content) <= parser.bytes_max
        promise(content)


def test_what_is_kept_belongs_to_a_parser() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} <= PARSERS.keys()
