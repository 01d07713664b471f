"""``next --day`` reads the journal beside the agent or without it, changes nothing, and tells what will play."""

from __future__ import annotations

import json
import os
import sqlite3
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_agent.cli import main, paths
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.effects import SaveJob, SaveMark
from edge_agent.core.events import Mark, SavedJob, SavedRule
from edge_agent.core.job import Accepted
from edge_agent.core.order import AcceptedRule
from edge_agent.core.outlook import InForce
from edge_agent.core.units import HOUR_MS, MINUTE_MS, JobId, MonoMs, UtcMs, ZoneId
from edge_agent.journal.database import FILE_NAME
from edge_agent.journal.port import JournalError
from edge_agent.journal.reading import read_journal
from edge_agent.journal.record import Origin
from edge_agent.journal.store import Store
from edge_agent.sync.reports import PlayStatus
from edge_agent.trust.judge import make_judge
from edge_agent.trust.keeper import believing
from tests.cli.stations import StationRig, make_station
from tests.console.pictures import FLOOD, picture
from tests.journal.rigs import name_a_table
from tests.trust import makers

ORIGIN = Origin("dt-01", "edge-agent 1.2.3", "b1")
SECOND_ZONE = """
[[zones]]
id = "dinh"
name = "Cụm loa đình"
card = "main"
channel = "right"
line = 18
warm_up_ms = 800
"""
CLOCK = Now(MonoMs(0), UtcMs(makers.NOON), ClockSource.NTP, 20)
DAILY = makers.rule_when(weekdays=[*range(1, 8)])


class Desk:
    """A station's command line and its journal."""

    def __init__(self, station: StationRig, capsys: pytest.CaptureFixture[str]) -> None:
        self.station = station
        self.capsys = capsys
        station.given.trust.write_bytes(makers.trust_file())
        self.folder = paths.journal(station.config)
        self.store = Store(self.folder, ORIGIN)
        self.runs = True
        self.judge = make_judge(makers.make_trust(), station.config.site)

    def keep(self, *envelopes: bytes) -> None:
        """The agent has taken these orders."""
        self.store.begin()
        for envelope in envelopes:
            judgement = self.judge(makers.JOB_TOPIC, envelope)
            assert isinstance(judgement, Accepted | AcceptedRule), judgement
            base = UtcMs(makers.NOON)
            saved = SavedJob(judgement, base, held=False) if isinstance(judgement, Accepted) else None
            made = saved or SavedRule(judgement, base, held=False)  # type: ignore[arg-type]
            self.store.save_job(SaveJob(made, envelope, makers.JOB_TOPIC))
        self.store.commit()

    def agent_runs(self, **changes: Any) -> None:
        changes = {"clock": CLOCK, "next": (), "zones": (), "rules": InForce()} | changes
        self.station.show(picture(**changes))

    def agent_ends(self) -> None:
        """In order, so that no write-ahead log is left."""
        if self.runs:
            self.runs = False
            self.store.close()

    def next(self, *words: str) -> tuple[int, str, str]:
        """(exit status, standard output, standard error)"""
        status = main(["next", "--config", str(self.station.file), *words])
        told = self.capsys.readouterr()
        return status, told.out, told.err


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    made = Desk(make_station(tmp_path, more=SECOND_ZONE), capsys)
    yield made
    made.agent_ends()


def daily(**over: Any) -> bytes:
    return makers.signed_job(**({"when": DAILY} | over))


def test_a_day_is_told_as_a_table_beside_the_running_agent(desk: Desk) -> None:
    desk.keep(daily(), makers.signed_regulation())
    desk.agent_runs()
    assert desk.next("--day", "2026-10-02") == (
        0,
        "Lịch phát T6 02/10/2026 (2026-10-02)\n"
        "Quy chế: 12/QĐ-UBND ngày 15/09/2026; giờ không phát 21h00 – 05h00\n"
        "\n"
        "05h30–05h31  [thường] Bản tin sáng; cả trạm; âm lượng 70\n"
        "17h00–17h01  [thường] Bản tin sáng; cả trạm; âm lượng 70\n"
        "\n"
        "Cả ngày: 2 buổi, 1 phút\n",
        "",
    )


def test_today_and_tomorrow_are_the_stations_own_days_by_the_agents_clock(desk: Desk) -> None:
    desk.keep(daily())
    desk.agent_runs(clock=replace(CLOCK, utc=UtcMs(makers.NOON + 13 * HOUR_MS)))  # 01:00 of October 2nd there
    assert desk.next("--day", "hom-nay")[1].startswith("Lịch phát T6 02/10/2026")
    for form in ("NFC", "NFD"):
        assert desk.next("--day", unicodedata.normalize(form, "hôm-nay"))[1].startswith("Lịch phát T6 02/10/2026")
    assert desk.next("--day", "tomorrow")[1].startswith("Lịch phát T7 03/10/2026")


def test_a_minute_shows_what_sounds_then_and_the_next_after_it(desk: Desk) -> None:
    desk.keep(daily(), daily(job_id="job-2", when={**DAILY, "times": ["18:00:00", "19:00:00"]}))
    desk.agent_runs()
    lines = desk.next("--at", "17h00")[1].splitlines()
    assert [line[:11] for line in lines if "Bản tin" in line] == ["17h00–17h01", "18h00–18h01"]
    lines = desk.next("--day", "2026-10-02", "--at", "12:00")[1].splitlines()
    assert [line[:11] for line in lines if "Bản tin" in line] == ["17h00–17h01"]


@pytest.mark.parametrize(
    ("words", "over"),
    [
        (["--at", "05:30"], True),
        (["--day", "2026-09-30"], True),
        (["--day", "hom-nay"], True),
        (["--at", "12:00"], False),
        (["--day", "ngay-mai", "--at", "05:30"], False),
    ],
)
def test_nobody_takes_a_plan_for_what_has_been(desk: Desk, words: list[str], over: bool) -> None:
    """Of this morning's bulletin it says nothing, whether it was heard or missed."""
    desk.keep(daily())
    desk.agent_runs()
    status, out, err = desk.next(*words)
    assert (status, "05h30" in out) == (0, "ngay-mai" in words)
    assert err.startswith("chỉ tính từ bây giờ; buổi đã qua: sudo journalctl") == over


def test_one_zone_is_told_without_what_it_does_not_concern(desk: Desk) -> None:
    only = {"areas": [makers.AREA], "zones": ["cho"]}
    desk.keep(daily(audience=only))
    desk.agent_runs()
    assert "âm lượng" in desk.next("--day", "2026-10-02", "--zone", "cho")[1]
    assert "Không có gì để phát." in desk.next("--day", "2026-10-02", "--zone", "dinh")[1]


@pytest.mark.parametrize("words", [["--zone", "chua"], ["--day", "2026-10-02", "--zone", "chua"]])
def test_a_zone_that_is_not_here_is_refused_with_those_that_are(desk: Desk, words: list[str]) -> None:
    status, out, err = desk.next(*words)
    assert (status, out) == (2, "")
    assert "cho (Cụm loa chợ), dinh (Cụm loa đình)" in err


def test_what_is_open_now_can_be_told_for_one_zone_too(desk: Desk) -> None:
    here = replace(FLOOD, zones=(ZoneId("cho"),), title="Ở chợ")
    there = replace(FLOOD, zones=(ZoneId("dinh"),), title="Ở đình")
    desk.agent_runs(playing=(here, there))
    told = desk.next("--zone", "cho")[1]
    assert "Ở chợ" in told
    assert "Ở đình" not in told
    shown = json.loads(desk.next("--zone", "dinh", "--json")[1])
    assert [play["title"] for play in shown["playing"]] == ["Ở đình"]


def test_machines_get_every_field_with_stable_names(desk: Desk) -> None:
    desk.keep(daily())
    desk.agent_runs()
    morning, _ = json.loads(desk.next("--day", "2026-10-02", "--json")[1])
    planned = makers.NOON + 17 * HOUR_MS + 30 * MINUTE_MS
    assert morning == {
        "job_id": "job-1",
        "title": "Bản tin sáng",
        "class": "normal",
        "level": "commune",
        "order": None,
        "planned": planned,
        "starts": planned,
        "ends": planned + 10_000,
        "planned_local": "2026-10-02T05:30:00+07:00",
        "starts_local": "2026-10-02T05:30:00+07:00",
        "ends_local": "2026-10-02T05:30:10+07:00",
        "zones": ["cho", "dinh"],
        "volumes": {"cho": 55, "dinh": 55},
        "out": {},
        "reason": None,
        "under": "",
        "cut": False,
        "rehearsal": False,
    }


def test_what_machines_get_turns_no_writing_round(desk: Desk) -> None:
    """A title is its signer's, and a technician looks at it on his own terminal."""
    desk.keep(daily(items=[makers.clip_item(title="Bản tin\u202e sáng")]))
    desk.agent_runs()
    told = desk.next("--day", "2026-10-02", "--json")[1]
    assert "Bản tin\\u202e sáng" in told
    assert json.loads(told)[0]["title"] == "Bản tin\u202e sáng"


def test_the_day_is_drawn_into_a_file(desk: Desk, tmp_path: Path) -> None:
    desk.keep(daily())
    desk.agent_runs()
    assert desk.next("--day", "2026-10-02", "--svg", str(tmp_path / "day.svg"))[:2] == (0, "")
    assert ET.parse(tmp_path / "day.svg").getroot().tag.endswith("svg")


@pytest.mark.parametrize("file", ["nowhere/day.svg", "."])
def test_a_picture_that_cannot_be_written_is_one_line_that_says_why(desk: Desk, tmp_path: Path, file: str) -> None:
    desk.keep(daily())
    desk.agent_runs()
    status, out, err = desk.next("--day", "2026-10-02", "--svg", str(tmp_path / file))
    assert (status, out) == (1, "")
    (line,) = err.splitlines()
    assert line.startswith(f"không ghi được hình / cannot write the picture: --svg {tmp_path / file}: ")


def test_a_picture_that_is_named_like_the_stations_own_file_does_not_take_its_place(desk: Desk, tmp_path: Path) -> None:
    desk.keep(daily())
    desk.agent_runs()
    own, before = tmp_path / "tram-01.toml", tmp_path / "day.svg"
    own.write_text('name = "tram-01"\n')
    status, _, err = desk.next("--day", "2026-10-02", "--svg", str(own))
    assert (status, own.read_text()) == (1, 'name = "tram-01"\n')
    assert "tệp này không phải hình vẽ / it is there, and is no picture → ghi vào tệp khác" in err
    before.touch()
    assert [desk.next("--day", "2026-10-02", "--svg", str(before))[0] for _ in range(2)] == [0, 0]


def test_a_zone_alone_is_drawn_as_one_row(desk: Desk, tmp_path: Path) -> None:
    desk.keep(daily())
    desk.agent_runs()
    assert desk.next("--day", "2026-10-02", "--zone", "dinh", "--svg", str(tmp_path / "day.svg"))[0] == 0
    texts = [element.text for element in ET.parse(tmp_path / "day.svg").iter()]
    assert "Cụm loa đình" in texts
    assert "Cụm loa chợ" not in texts
    assert texts.count("05h30 Bản tin sáng") == 1


@pytest.mark.parametrize(("zones", "heard"), [(("cho", "taken-down"), ["cho"]), (("taken-down",), [])])
def test_a_zone_that_was_taken_out_of_the_file_while_the_agent_plays_in_it_has_no_day(
    desk: Desk, zones: tuple[str, ...], heard: list[str]
) -> None:
    desk.keep(daily(items=[makers.clip_item(duration_ms=600_000)]))
    sounds = replace(
        FLOOD, job_id=JobId("job-1"), planned=UtcMs(makers.NOON), zones=tuple(ZoneId(zone) for zone in zones)
    )
    desk.agent_runs(playing=(sounds,))
    status, out, _ = desk.next("--day", "today", "--json")
    assert status == 0
    *now, evening = json.loads(out)
    assert [[*one["volumes"]] for one in now] == ([heard] if heard else [])
    assert evening["planned_local"] == "2026-10-01T17:00:00+07:00"


def test_what_sounds_just_now_is_told_as_going_on_and_not_as_cut_by_a_power_cut(desk: Desk) -> None:
    clip = makers.clip_item(duration_ms=600_000)
    desk.keep(daily(items=[clip], when={"kind": "at", "utc": makers.NOON + HOUR_MS}))
    desk.store.begin()
    desk.store.save_mark(SaveMark(JobId("job-1"), UtcMs(makers.NOON + HOUR_MS), Mark.FIRST_SAMPLE, 1))
    desk.store.commit()
    sounds = replace(FLOOD, job_id=JobId("job-1"), planned=UtcMs(makers.NOON + HOUR_MS), zones=(ZoneId("cho"),))
    assert isinstance(sounds, PlayStatus)
    desk.agent_runs(clock=replace(CLOCK, utc=UtcMs(makers.NOON + HOUR_MS + MINUTE_MS)), playing=(sounds,))
    (now,) = json.loads(desk.next("--day", "today", "--json")[1])
    assert (now["starts_local"], now["ends_local"]) == ("2026-10-01T13:00:00+07:00", "2026-10-01T13:10:00+07:00")


TURNS = f"""{SECOND_ZONE}stagger_group = "b"
[programme]
stagger_ms = 1000
"""


def test_of_what_sounds_group_after_group_the_end_of_the_second_turn_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk(make_station(tmp_path, more=TURNS), capsys)
    clip = makers.clip_item(duration_ms=600_000)
    desk.keep(daily(items=[clip], when={"kind": "at", "utc": makers.NOON + HOUR_MS}))
    both = (ZoneId("cho"), ZoneId("dinh"))
    sounds = replace(FLOOD, job_id=JobId("job-1"), planned=UtcMs(makers.NOON + HOUR_MS), zones=both)
    desk.agent_runs(clock=replace(CLOCK, utc=UtcMs(makers.NOON + HOUR_MS + MINUTE_MS)), playing=(sounds,))
    (now,) = json.loads(desk.next("--day", "today", "--json")[1])
    desk.agent_ends()
    assert (now["starts_local"], now["ends_local"]) == ("2026-10-01T13:00:00+07:00", "2026-10-01T13:20:01+07:00")


def test_without_an_agent_the_day_is_told_by_the_system_clock_and_that_is_said(desk: Desk) -> None:
    today = datetime.now(UTC)
    tomorrow = (today + timedelta(hours=7, days=1)).date()
    issued = int(today.timestamp() * 1000) - 1_000
    given = {"issued_at": issued, "not_before": issued, "not_after": issued + 9 * makers.DAY_MS}
    span = {"first_day": f"{tomorrow}", "last_day": f"{tomorrow}", "times": ["08:00:00"]}
    desk.keep(daily(**given, when={**DAILY, **span, "excluded": []}))
    status, out, err = desk.next("--day", "ngay-mai")
    assert (status, "08h00–08h01" in out) == (0, True)
    assert err == "agent không chạy: tính theo giờ máy / agent not running: by the system clock\n"


def test_an_order_whose_key_was_revoked_meanwhile_is_not_in_it(desk: Desk) -> None:
    desk.keep(daily())
    desk.agent_runs()
    desk.station.given.trust.write_bytes(makers.trust_file(roles=[makers.online_role()]))
    assert json.loads(desk.next("--day", "2026-10-02", "--json")[1]) == []


def test_what_a_stored_order_is_called_moves_no_cursor(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """Where nobody has set up a log, it is the terminal's."""
    desk.keep(daily())
    desk.agent_ends()
    with closing(sqlite3.connect(desk.folder / FILE_NAME, isolation_level=None)) as connection:
        connection.execute("UPDATE jobs SET envelope = x'7b7d', job_id = ?", ("x\x1b]0;evil\x07\x9b2J",))
    desk.next("--day", "2026-10-02")
    assert r"stored job refused now job='x\x1b]0;evil\x07\x9b2J'" in caplog.text


@pytest.mark.parametrize("running", [True, False])
def test_nothing_in_the_journals_folder_changes(desk: Desk, running: bool) -> None:
    desk.keep(daily())
    if not running:
        desk.agent_ends()
    before = {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in desk.folder.iterdir()}
    desk.agent_runs()
    assert "05h30" in desk.next("--day", "2026-10-02")[1]
    after = {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in desk.folder.iterdir()}
    assert after.keys() == before.keys()
    assert {name: of for name, of in after.items() if "-shm" not in name} == {
        name: of for name, of in before.items() if "-shm" not in name
    }


def test_an_agent_that_was_killed_leaves_its_last_orders_readable(desk: Desk, tmp_path: Path) -> None:
    """They are in the write-ahead log only."""
    desk.keep(daily())
    left = tmp_path / "left"
    left.mkdir()
    for name in (FILE_NAME, f"{FILE_NAME}-wal"):
        (left / name).write_bytes((desk.folder / name).read_bytes())
    assert [stored.job_id for stored in read_journal(left).jobs] == ["job-1"]


def test_a_journal_of_another_version_is_not_touched(desk: Desk) -> None:
    desk.agent_ends()
    with closing(sqlite3.connect(desk.folder / FILE_NAME, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(JournalError, match="version 99"):
        read_journal(desk.folder)
    desk.agent_runs()
    status, out, err = desk.next("--day", "today")
    assert (status, out) == (1, "")
    assert "edge-agent doctor" in err
    assert not [name for name in os.listdir(desk.folder.parent) if "quarantined" in name]


def test_what_a_spoiled_journal_is_called_moves_no_cursor(desk: Desk) -> None:
    """SQLite quotes what it finds there, and the journal is the service's, which may have been taken over."""
    desk.agent_ends()
    name_a_table(desk.folder / FILE_NAME, "x\x1b]0;evil\x07\x9b2J")
    desk.agent_runs()
    status, out, err = desk.next("--day", "today")
    assert (status, out) == (1, "")
    assert "malformed database schema (x?]0;evil??2J)" in err


def test_a_trust_file_that_a_worn_card_does_not_give_back_hides_nothing_of_what_will_play(desk: Desk) -> None:
    """The agent goes by what it has kept beside it."""
    desk.keep(daily())
    believed = believing(makers.trust_file(), (), desk.station.config.site)
    desk.store.begin()
    for area, envelope in believed.unkept():
        desk.store.save_trust(area, envelope, believed.anchor)
    desk.store.commit()
    desk.station.given.trust.unlink()
    desk.station.given.trust.symlink_to("/proc/self/mem")  # which no read brings anything from but EIO
    desk.agent_runs()
    status, out, _ = desk.next("--day", "2026-10-02")
    assert (status, "05h30" in out) == (0, True)


def test_a_trust_file_of_another_realm_is_said_with_what_to_do(desk: Desk) -> None:
    desk.station.given.trust.write_bytes(makers.trust_file(realm="vn-da-nang"))
    status, out, err = desk.next("--day", "today")
    assert (status, out) == (1, "")
    assert "vn-da-nang" in err
    assert "edge-agent doctor" in err


def test_no_journal_at_all_is_said_and_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no"):
        read_journal(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--day", "mai"], "2026-10-06"),
        (["--day", "2026-13-01"], "2026-10-06"),
        (["--day", "9999-12-31"], "2026-10-06"),
        (["--at", "25:00"], "17:30"),
        (["--at", "sáng"], "17:30"),
    ],
)
def test_a_day_or_time_that_is_none_is_refused_with_the_form(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["next", *words])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
