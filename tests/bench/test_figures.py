from __future__ import annotations

import pytest

from bench.figures import Figure, Section, median, missed, percentile, spread


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert percentile(values, 50) == 50
    assert percentile(values, 99) == 99
    assert percentile(values, 100) == 100
    assert percentile([7.0], 1) == 7


def test_of_few_values_the_99th_percentile_is_the_worst_one() -> None:
    assert percentile([3.0, 1.0, 2.0], 99) == 3


def test_nothing_measured_has_no_percentile() -> None:
    with pytest.raises(AssertionError, match="nothing was measured"):
        percentile([], 50)


def test_the_median_of_an_even_number_lies_between_the_two_in_the_middle() -> None:
    assert median([4.0, 1.0, 3.0, 2.0]) == 2.5
    assert median([9.0, 1.0, 2.0]) == 2


def test_a_figure_at_its_aim_holds_it_and_one_above_does_not() -> None:
    assert Figure("a", 25.0, "ms", 25).held
    assert Figure("a", 25.01, "ms", 25).held is False
    assert Figure("a", 25.0, "ms").held is None


def test_only_figures_beyond_their_aim_are_missed() -> None:
    late = Figure("late", 60.0, "ms", 50)
    section = Section("t", "how", (Figure("free", 99.0, "ms"), late, Figure("good", 1.0, "ms", 2)))
    assert missed([section, Section("u", "how", missing="no root")]) == [late]


def test_many_runs_are_told_by_median_p99_and_worst_with_their_aims() -> None:
    values = [1.0] * 98 + [2.0, 90.0]
    assert spread("x", values, "ms", median_max=5, p99_max=10) == (
        Figure("x", 1.0, "ms", 5, "of 100", "median"),
        Figure("x", 2.0, "ms", 10, "of 100", "p99"),
        Figure("x", 90.0, "ms", None, "of 100", "worst"),
    )
