"""The kit against our own agent over a real Mosquitto: it passes, and each planted deviation fails the clause about it.

These runs wait more than they work, so four go on at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.headend.conform import report
from edge_agent.headend.conform.clause import Result
from edge_agent.headend.conform.clauses import ALL, chosen
from edge_agent.headend.conform.verdicts import Failed, Mark
from tests.headend.conform.deviations import CAUGHT_BY
from tests.headend.conform.rig import TestDesk
from tests.headend.conform.station import QUICK

pytestmark = pytest.mark.host
AT_ONCE = 4
HONEST = ""
UNSEEN = 10
# Clauses that nobody can see from the broker; each says why.
BRISK = replace(QUICK, answer_s=4, slack_s=3)
# A deviating station keeps the kit waiting for what does not come.
BESIDE = "STA-2"
# Whether the station stands where it was enrolled: none of the deviations is about that.
BEFORE = {"LOG-14": ("LOG-1", "LOG-2", "LOG-3")}
# Clauses that must be tried first, to have enough to look at.


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[dict[str, Future[list[Result]]]]:
    """Every run that a chosen test asks for, by its deviation; the longest begins first."""
    items = [item for item in request.session.items if item.module is request.module]
    wanted = {item.callspec.params["planted"] if hasattr(item, "callspec") else HONEST for item in items}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            planted: pool.submit(_honest if planted == HONEST else _planted(planted), tmp_path_factory.mktemp("desk"))
            for planted in sorted(wanted)
        }


def test_our_station_passes_every_clause_that_can_be_tried(runs: dict[str, Future[list[Result]]]) -> None:
    results = runs[HONEST].result()
    told = "\n".join(report.line(result) for result in results if result.mark is Mark.FAILED)
    assert [result.clause for result in results] == list(ALL)
    assert told == ""
    assert sum(result.mark is Mark.NOT_TRIED for result in results) == UNSEEN
    assert len(results) == 160


@pytest.mark.parametrize("planted", CAUGHT_BY)
def test_a_planted_deviation_fails_the_clause_about_it(runs: dict[str, Future[list[Result]]], planted: str) -> None:
    results = {result.clause.number: result for result in runs[planted].result()}
    caught = results[CAUGHT_BY[planted]].verdict
    assert isinstance(caught, Failed), caught
    assert caught.expected
    assert caught.seen
    assert results[BESIDE].mark is Mark.PASSED, results[BESIDE].verdict


def _honest(folder: Path) -> list[Result]:
    with TestDesk(folder, QUICK) as desk:
        desk.switch_on()
        return desk.conform(ALL, audible=True)


def _planted(planted: str) -> Callable[[Path], list[Result]]:
    clause = CAUGHT_BY[planted]

    def run(folder: Path) -> list[Result]:
        with TestDesk(folder, BRISK, planted) as desk:
            desk.switch_on(device=False)
            return desk.conform(chosen([*BEFORE.get(clause, ()), clause, BESIDE]))

    return run
