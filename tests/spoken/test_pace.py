"""A text of nothing but one sign costs by its length, not by its square: what is signed may not keep a station busy."""

from __future__ import annotations

import time

import pytest

from edge_agent.spoken.reading import read_as_far_as_possible
from edge_agent.spoken.stems import parse, plan

CHARS = 1_500
TIMES_AS_LONG = 4
COSTS_MAX = 2 * TIMES_AS_LONG
"""By its square it would cost sixteen times as much."""
STEMS = parse('[vi]\n"a.wav" = "Kính thưa bà con!"\n"b.wav" = "a. a. a."\n')
SEEDS = "- _ + – ° @ . .. a. a@ w. TP. UBND- QĐ- 5° 1- 1/ A/ 7h30- -5 gọi113/ 1x I- ( UBND".split()


def cost_s(text: str) -> float:
    """Of this process alone, the least of three: others have the machine too."""
    spent = []
    for _ in range(3):
        begin = time.process_time()
        read_as_far_as_possible(text)
        plan("vi", text, STEMS)
        spent.append(time.process_time() - begin)
    return min(spent)


@pytest.mark.deep
@pytest.mark.parametrize("seed", SEEDS)
def test_a_text_of_four_times_the_length_costs_about_four_times_as_much(seed: str) -> None:
    text = seed * (TIMES_AS_LONG * CHARS // len(seed))
    cost_s(text[:100])
    assert cost_s(text) < COSTS_MAX * cost_s(text[:CHARS])
