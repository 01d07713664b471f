"""A real station, a real broker: a key that was replaced orders nothing from the moment its station hears of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from demo.ward import AREA, Fitting, Ward
from edge_agent.core.effects import Verdict
from edge_agent.core.reasons import Reason
from edge_agent.headend.cli import main
from edge_agent.headend.keyring import Keyring
from tests.headend.test_week_cli import PATIENCE_S, is_welcomed


@pytest.mark.host
def test_a_real_station_hears_of_a_replaced_key_and_obeys_the_new_one_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Ward(tmp_path, fitting=Fitting(recorded=False)) as ward:
        ward.switch_on(device=False)
        assert ward.headend.wait_for(lambda: is_welcomed(ward), PATIENCE_S), ward.agent_log()
        waiting = ward.publish(draft(ward), ["ward-routine"])
        assert answer(ward, waiting) == (Verdict.ACCEPTED, None)
        by_thief = ward.headend.compose(draft(ward), ["ward-routine-1"])[1]
        where = ["--dir", str(ward.keyring.directory), "--broker", f"localhost:{ward.broker.port}"]
        assert main(["trust", "replace", *where, "--key", "ward-routine-1"]) == 0, capsys.readouterr().err
        assert ward.headend.wait_for(lambda: bool(records(ward, waiting)), PATIENCE_S), ward.agent_log()
        assert records(ward, waiting) == [("cancelled", "key_revoked")]
        ward.headend.publish(by_thief)
        assert answer(ward, "") == (Verdict.REFUSED, Reason.SIGNATURE_INVALID)
        ward.headend.keyring = ward.keyring = Keyring(ward.keyring.directory)
        assert answer(ward, ward.publish(draft(ward), ["ward-routine"])) == (Verdict.ACCEPTED, None)


def draft(ward: Ward) -> dict[str, Any]:
    """A bulletin in an hour."""
    at = datetime.now(ZoneInfo(ward.timezone)) + timedelta(hours=1)
    items = [{"title": "Tin", "text": "Xin chào.", "approver": "ng-01"}]
    return {"areas": [AREA], "volume": 60, "class": "normal", "items": items, "when": {"at": at}}


def answer(ward: Ward, job_id: str) -> tuple[Verdict, Reason | None]:
    """What the station said of an order; without an id, of one that it believes nothing of."""

    def found() -> list[tuple[Verdict, Reason | None]]:
        said = [one for _, one in ward.headend.answers(job_id) if job_id or one.reason is Reason.SIGNATURE_INVALID]
        return [(one.verdict, one.reason) for one in said]

    assert ward.headend.wait_for(lambda: bool(found()), PATIENCE_S), ward.agent_log()
    return found()[-1]


def records(ward: Ward, job_id: str) -> list[tuple[str, str]]:
    return [(row["outcome"], row["reason"]) for row in ward.rows() if row["job_id"] == job_id]
