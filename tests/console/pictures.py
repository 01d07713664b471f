"""Pictures of a station as the agent writes them: made by its own code, so that both sides are held to one form."""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from typing import Any

from edge_agent.console.status import Status, read_status
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.outlook import InForce
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Site, ZoneSite
from edge_agent.core.units import HOUR_MS, JobId, MonoMs, StationId, UtcMs, ZoneId
from edge_agent.sync import messages
from edge_agent.sync.messages import Sender
from edge_agent.sync.reports import HostStatus, PlayStatus, StateMsg, Why, ZoneStatus

CHO, DINH = ZoneId("cho"), ZoneId("dinh-lang")
SITE = Site(
    station=StationId("dt-017"),
    realm="loa-vn",
    area="vn/ha-noi/dong-thanh",
    timezone="Asia/Ho_Chi_Minh",
    zones={
        CHO: ZoneSite(CHO, "Cụm loa chợ Đông Thành", 800),
        DINH: ZoneSite(DINH, "Cụm loa đình làng Lương Nỗ", 1_500),
    },
)
NAME = "Trạm loa số 17, thôn Lương Nỗ"
SENDER = Sender("loa-vn", SITE.station, "b1", "edge-agent 1.2")
AT = UtcMs(1_795_573_800_000)
# 2026-11-25 02:30 UTC: 09:30 in Viet Nam, a Wednesday.
TRUSTED = Now(MonoMs(5_000_000), AT, ClockSource.NTP, 20)
NIGHT = replace(TRUSTED, utc=UtcMs(AT + 13 * HOUR_MS))
FLOOR = replace(TRUSTED, source=ClockSource.FLOOR, max_error_ms=0)

BULLETIN = PlayStatus(
    job_id=JobId("j-1"),
    title="Bản tin sáng",
    cls=JobClass.NORMAL,
    phase=Phase.STAGED,
    planned=UtcMs(AT + 8 * HOUR_MS),
    zones=(CHO, DINH),
)
FLOOD = replace(BULLETIN, job_id=JobId("j-2"), title="Lũ trên sông Hồng", cls=JobClass.EMERGENCY, phase=Phase.PLAYING)


def held(reason: Reason, phase: Phase = Phase.STAGED) -> PlayStatus:
    """The bulletin, and why it does not sound."""
    return replace(BULLETIN, reason=reason, phase=phase)


def state(**changes: Any) -> StateMsg:
    """A healthy station at half past nine with one bulletin ahead, but for ``changes``."""
    healthy = StateMsg(
        online=True,
        why=Why.CHANGE,
        area=SITE.area,
        name=NAME,
        clock=TRUSTED,
        zones=tuple(ZoneStatus(zone.zone, zone.name, False, None, 100) for zone in SITE.zones.values()),
        playing=(),
        next=(BULLETIN,),
        records_waiting=0,
        welcomed=True,
        device_up=True,
        host=HostStatus("10.7.0.17", "LOA-1", 12_405, 45, False),
        rules=InForce(quiet=(time(21), time(5))),
    )
    return replace(healthy, **changes)


def picture(**changes: Any) -> bytes:
    """The status file of such a station."""
    return messages.state(SENDER, state(**changes)).payload


def status(**changes: Any) -> Status:
    """What the console makes of it."""
    return read_status(picture(**changes))
