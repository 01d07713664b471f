"""``edge-agent next --day``: a whole day's plan, by the very rules that play it. Composes, decides no words.

Looks only: it reads the journal beside a running agent, or without one, judges the stored orders as the agent does at
its start, and plays the day through in memory. Whatever that would set going is thrown away.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from datetime import time as WallTime
from pathlib import Path
from zoneinfo import ZoneInfo

from edge_agent.cli import paths, show
from edge_agent.cli.check_files import in_the_way
from edge_agent.cli.finding import words
from edge_agent.clock import boot_ms, system_utc_ms
from edge_agent.config import Config
from edge_agent.console import day_table
from edge_agent.console.day_svg import day_svg
from edge_agent.console.status import Absence, Play, Status
from edge_agent.console.words import Text, json_line, printable, screenful
from edge_agent.core import explain, policy, standing, station, turns
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.day_ahead import day_begins
from edge_agent.core.events import Restored
from edge_agent.core.explain import DaySheet
from edge_agent.core.intake import Verify
from edge_agent.core.job import Accepted
from edge_agent.core.occurrence import Phase
from edge_agent.core.outlook import Planned
from edge_agent.core.plays import Occurrence, ZonePart, ZoneRun
from edge_agent.core.programme import length_ms, promised_parts
from edge_agent.core.site import Site
from edge_agent.core.state import KnownJob, State
from edge_agent.core.units import MINUTE_MS, SECOND_MS, UtcMs, ZoneId
from edge_agent.core.wall_time import local_time
from edge_agent.journal.port import JournalError
from edge_agent.journal.reading import read_journal
from edge_agent.restoring import beside, restored, trust_file

EXIT_UNREADABLE = EXIT_NOT_DRAWN = 1
DRAWN = b"<svg "
FROM_NOW = Text(
    "chỉ tính từ bây giờ; buổi đã qua: sudo journalctl -u edge-agent | grep outcome",
    "from now on only; of what is over: sudo journalctl -u edge-agent | grep outcome",
)
BY_SYSTEM_CLOCK = Text("agent không chạy: tính theo giờ máy", "agent not running: by the system clock")


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to see. ``day`` may be so many days from today; ``at`` None: the whole day."""

    day: date | int
    at: WallTime | None = None
    zone: str = ""
    as_json: bool = False
    svg: Path | None = None


def run(config: Config, asked: Asked) -> int:
    """Print the day, and draw it if a file is named."""
    if laid := next(in_the_way(config), None):
        print(laid.line(), file=sys.stderr)
        return EXIT_UNREADABLE
    seen = show.look(config).status
    now = _now(seen)
    try:
        state = _state(config, now, seen)
    except (OSError, ValueError, JournalError) as error:  # ValueError: the trust file is none, or of another realm
        remedy = "chạy bằng sudo? rồi: edge-agent doctor / use sudo? then: edge-agent doctor"
        told = f"không đọc được lệnh phát đã nạp / cannot read the stored orders: {error} → {remedy}"
        print(printable(told), file=sys.stderr)  # SQLite quotes what it finds, and the journal is the service's
        return EXIT_UNREADABLE
    sheet = explain.day_sheet(state, now, _day(asked.day, now, config.site))
    only = ZoneId(asked.zone) if asked.zone else None
    shown = _shown(sheet, asked.at, only, config.site)
    if isinstance(seen, Absence):
        print(f"{BY_SYSTEM_CLOCK.vi} / {BY_SYSTEM_CLOCK.en}", file=sys.stderr)
    if _has_passed(sheet, asked.at, config.site):
        print(f"{FROM_NOW.vi} / {FROM_NOW.en}", file=sys.stderr)
    if asked.svg is not None and not _draw(asked.svg, day_svg(shown, config.site, sheet.rules, sheet.day, now, only)):
        return EXIT_NOT_DRAWN
    if asked.as_json:
        print(json_line([_as_json(one, config.site) for one in shown]))
    elif asked.svg is None:
        language = show.language(config)
        print("\n".join(screenful(day_table.day_lines(sheet, shown, config.site, language), language)))
    return 0


def _now(seen: Status | Absence) -> Now:
    """The agent's own clock with its trust; without an agent the system's, taken for right because nothing plays."""
    if isinstance(seen, Status):
        return replace(seen.clock, mono=boot_ms())
    return Now(boot_ms(), system_utc_ms(), ClockSource.NTP, 0)


def _state(config: Config, now: Now, seen: Status | Absence) -> State:
    """What the agent knows, or would know if it started now."""
    folder = paths.journal(config)
    file = trust_file(config.trust.file, folder, config.site)
    trust, contents = beside(file, read_journal(folder), config.site)
    event = restored(contents, trust.judge, trust.standing)
    playing = [play for play in seen.playing if play.phase is Phase.PLAYING] if isinstance(seen, Status) else []
    return _sounding(_started(config.site, event, now, trust.judge), event, now, playing)


def _started(site: Site, event: Restored, now: Now, verify: Verify) -> State:
    # As if welcomed: what waits for a welcome will have had one by the time it is due.
    fresh = replace(station.start(site), welcomed=True)
    state, _ = station.step(fresh, event, now, verify)
    return state


def _sounding(state: State, event: Restored, now: Now, playing: list[Play]) -> State:
    """What sounds just now goes on; by the journal alone it looks like something that a power cut has ended."""
    accepted = {saved.accepted.job.job_id: saved for saved in event.jobs}
    for play in playing:
        saved = accepted.get(play.job_id)
        # The agent may still play in a zone that was taken out of the file since; there it has no tomorrow.
        here = tuple(zone for zone in play.zones if zone in state.site.zones)
        if saved is None or not here:
            continue
        known = KnownJob(saved.accepted, saved.base, held=False, saved=True)
        others = {key: other for key, other in state.plays.items() if key[0] != play.job_id}
        sounding = _as_it_sounds(state, replace(play, zones=here), saved.accepted, now)
        plays = {**others, (play.job_id, play.planned): sounding}
        state = replace(state, jobs={**state.jobs, play.job_id: known}, plays=plays)
    return state


def _as_it_sounds(state: State, play: Play, accepted: Accepted, now: Now) -> Occurrence:
    job, begins = accepted.job, now.mono_of(play.planned)
    whole = promised_parts(job, state.site.frame)
    speakers = turns.speakers(state.site, job, play.zones, whole)
    parts, *_ = turns.layouts(state.site, job, speakers, whole, whole)
    rules, wish = standing.rules_of(state, now), policy.wish_for(job, play.zones, play.planned, length_ms(parts))
    runs = {
        zone: ZoneRun(
            zone,
            ZonePart.HEARING,
            policy.volume_at(rules, wish, zone, job.volume),
            group=state.site.zones[zone].group,
        )
        for zone in play.zones
    }
    return Occurrence(
        job.job_id, play.planned, Phase.PLAYING, begins, runs, parts=parts, start_at=begins, started=begins
    )


def _day(asked: date | int, now: Now, site: Site) -> date:
    today = local_time(now.utc, site.timezone).date()
    return today + timedelta(days=asked) if isinstance(asked, int) else asked


def _shown(sheet: DaySheet, at: WallTime | None, only: ZoneId | None, site: Site) -> tuple[Planned, ...]:
    plan = sheet.plan if only is None else day_table.in_zone(sheet.plan, only)
    if at is None:
        return plan
    return day_table.at_minute(plan, _minute(sheet, at, site))


def _has_passed(sheet: DaySheet, at: WallTime | None, site: Site) -> bool:
    """Whether something of what is asked for is over, and so in no plan."""
    if at is None:
        return day_begins(sheet.day, site.timezone) < sheet.now.utc
    return _minute(sheet, at, site) + MINUTE_MS <= sheet.now.utc


def _minute(sheet: DaySheet, at: WallTime, site: Site) -> UtcMs:
    local = datetime.combine(sheet.day, at, ZoneInfo(site.timezone))
    return UtcMs(round(local.timestamp()) * SECOND_MS)


def _draw(file: Path, picture: str) -> bool:
    """Whether it could be written; says why not. A slip of the pen does not write over the station's own file."""
    try:
        if file.is_file() and file.stat().st_size and not _is_picture(file):
            raise FileExistsError(errno.EEXIST, "tệp này không phải hình vẽ / it is there, and is no picture")
        file.write_text(picture, "utf-8")
    except OSError as error:
        told = f"không ghi được hình / cannot write the picture: --svg {file}: {words(error)}"
        print(f"{told} → ghi vào tệp khác / name another file", file=sys.stderr)
        return False
    return True


def _is_picture(file: Path) -> bool:
    with file.open("rb") as there:
        return there.read(len(DRAWN)) == DRAWN


def _as_json(one: Planned, site: Site) -> Mapping[str, object]:
    """Stable names; instants in UTC ms, and as local time for whoever reads it."""
    instants = {"planned": one.planned, "starts": one.starts, "ends": one.ends}
    local = {f"{name}_local": local_time(at, site.timezone).isoformat() for name, at in instants.items()}
    return {
        "job_id": one.job_id,
        "title": one.title,
        "class": one.cls.value,
        "level": one.level,
        "order": one.order,
        **instants,
        **local,
        "zones": list(one.zones),
        "volumes": dict(one.volumes),
        "out": {zone: reason.value for zone, reason in one.out.items()},
        "reason": one.reason and one.reason.value,
        "under": one.under,
        "cut": one.cut,
        "rehearsal": one.rehearsal,
    }
