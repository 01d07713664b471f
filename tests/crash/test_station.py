"""The short form of ``./run crash --processes``: one evening of a whole real station, whose judges can complain."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.station import Evening
from tests.host.parts import ABSENT
from tests.host.pulse import missing
from tests.host_rig import HostRig

SEED = 6
# An evening in which agent, device process and power die.
pytestmark = [pytest.mark.host, pytest.mark.live, pytest.mark.skipif(bool(missing()), reason=ABSENT + missing())]


def test_a_real_station_that_is_killed_at_random_breaks_no_promise(tmp_path: Path) -> None:
    with HostRig(tmp_path) as rig:
        one = Evening(rig, SEED)
        assert list(one.live()) == []
        assert set(one.deaths) == {"agent", "device", "power"}
        whole = rig.ward.rows()
        without = [row for row in whole if row["job_id"] != one.jobs["flood"]]
        assert list(one.judge(without)) == [
            "flood has 0 records",
            f"the journal holds {len(whole)} records, the centre {len(without)} ",
        ]
        assert list(one.judge([*whole, {**whole[0], "outcome": "failed", "reason": "weather"}])) != []
