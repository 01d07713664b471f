"""The kit against our own agent over a real Mosquitto: it passes, and each planted deviation fails the clause about it.

These runs wait more than they work, so four go on at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from demo.ward import STATION
from edge_agent.headend.cli import main
from edge_agent.headend.conform import report
from edge_agent.headend.conform.clause import Result
from edge_agent.headend.conform.clauses import ALL, chosen
from edge_agent.headend.conform.verdicts import Failed, Mark
from tests.headend.conform.deviations import CAUGHT_BY
from tests.headend.conform.rig import TestDesk
from tests.headend.conform.station import QUICK

pytestmark = [pytest.mark.host, pytest.mark.live]
AT_ONCE = 4
HONEST = ""
UNSEEN = 11
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
    assert len(results) == 200


@pytest.mark.parametrize("planted", CAUGHT_BY)
def test_a_planted_deviation_fails_the_clause_about_it(runs: dict[str, Future[list[Result]]], planted: str) -> None:
    results = {result.clause.number: result for result in runs[planted].result()}
    caught = results[CAUGHT_BY[planted]].verdict
    assert isinstance(caught, Failed), caught
    assert caught.expected
    assert caught.seen
    assert results[BESIDE].mark is Mark.PASSED, results[BESIDE].verdict


def test_the_command_prints_a_line_for_each_clause_and_writes_them_for_machines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = tmp_path / "told.json"
    with TestDesk(tmp_path / "desk", QUICK) as desk:
        desk.switch_on(device=False)
        broker, relay = f"localhost:{desk.broker.port}", f"{desk.relay.host}:{desk.relay.port}"
        words = ["conform", "--dir", str(desk.keyring.directory), "--broker", broker, "--station", STATION]
        more = ["--relay", relay, "--timezone", desk.timezone, "--only", "STA-2,ENV-25,JOB-3", "--json", str(told)]
        assert main([*words, *more]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in shown if line[:3] in ("STA", "ENV", "JOB")] == [
        ["STA-2", "ĐẠT"],
        ["ENV-25", "chưa"],
        ["JOB-3", "ĐẠT"],
    ]
    assert shown[-1].startswith("3 điều / clauses: 2 đạt / passed, 0 không đạt / failed, 1 chưa thử")
    assert [clause["number"] for clause in json.loads(told.read_text())["clauses"]] == ["STA-2", "ENV-25", "JOB-3"]


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
