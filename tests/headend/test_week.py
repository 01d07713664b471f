"""The public timetable: what will sound and nothing else; merged for whoever hears it; nobody's silence is made up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.effects import Verdict
from edge_agent.core.job import JobClass
from edge_agent.core.outlook import Planned
from edge_agent.core.reasons import Reason
from edge_agent.core.units import MINUTE_MS, StationId, UtcMs, ZoneId
from edge_agent.headend.listening import Heard, Said
from edge_agent.headend.week import Day, Kind, as_json, unmet, week
from edge_agent.headend.week_replies import Replies
from edge_agent.headend.week_table import as_table
from edge_agent.sync.reports import AnswerMsg, PlanMsg, PolicyStatus
from edge_agent.sync.topics import Up
from tests.headend.weeks import BEGINS, BEN, CHO, DINH, HANOI, TODAY, TOMORROW, entry, plan, told

DIGESTS = {"a" * 64: TODAY, "b" * 64: TOMORROW}
REASONS = st.sampled_from([None, None, Reason.QUIET_HOURS, Reason.ZONE_LOCKED])
ENTRIES = st.builds(
    entry,
    title=st.sampled_from(["Bản tin", "Thông báo", "Nhạc"]),
    after_min=st.integers(0, 60).map(lambda tenth: tenth / 10),
    zones=st.dictionaries(st.sampled_from(["c1", "c2", "c3"]), st.sampled_from([0, 40, 70])),
    reason=REASONS,
    cls=st.sampled_from([*JobClass]),
)


def day_of(*entries: Planned, **more: object) -> Day:
    """That day as one station tells it."""
    (day,) = told({CHO: plan(*entries, **more)}).days
    return day


def lines_of(day: Day) -> list[tuple[str, str]]:
    return [(f"{line.begins:%H:%M}", line.title) for line in day.lines]


def test_residents_read_when_what_and_where() -> None:
    names = {StationId("tram-01"): {ZoneId("c2"): "Cổng chợ"}}
    both = {CHO: plan(entry(zones={"c2": 60, "c1": 55})), DINH: plan(entry("Nhạc", 90.5))}
    assert as_table(told(both, names=names)).splitlines() == [
        "Lịch phát thanh / Broadcast timetable: 06/10/2026",
        "Lập lúc 05h00 ngày 06/10/2026. / As of 2026-10-06 05:00.",
        "Theo quy chế số 128/QĐ-UBND ngày 28/09/2026. / Regulation 128/QĐ-UBND of 2026-09-28.",
        "Tin khẩn cấp có thể phát bất cứ lúc nào. / Emergencies may sound at any time.",
        "",
        "Thứ Ba 06/10/2026 / Tuesday",
        "  05h30–05h35  Bản tin; Trạm Chợ: cụm c1, Cổng chợ",
        "  06h30–06h36  Nhạc; Trạm Đình: cụm c1",
    ]


def test_a_name_for_a_zone_that_nobody_has_is_not_passed_over() -> None:
    """Else the page that hangs on the wall says "c1", and nobody knows why."""
    names = {
        StationId("tram-01"): {ZoneId("cl"): "Cổng chợ", ZoneId("c2"): "Nhà văn hóa"},
        StationId("tram-02"): {ZoneId("c1"): "Đình", ZoneId("c9"): "Bến"},  # nothing sounds there this week
        StationId("tram-03"): {ZoneId("c7"): "Bến"},  # it did not answer
    }
    week_of = told({CHO: plan(entry(zones={"c2": 60, "c1": 55})), DINH: plan(entry())}, BEN, names=names)
    assert unmet(week_of, names) == {"tram-01": (["cl"], ["c1"])}


@pytest.mark.parametrize(
    "silent",
    [
        {"reason": Reason.QUIET_HOURS, "zones": {}},
        {"reason": Reason.HOLIDAY},
        {"zones": {}, "out": {ZoneId("c1"): Reason.ZONE_LOCKED}},
        {"zones": {"c1": 0}},
    ],
    ids=["refused", "refused with zones", "no zone", "volume 0"],
)
def test_what_will_not_sound_is_not_shown(silent: dict[str, object]) -> None:
    day = day_of(entry(**silent), entry("Nhạc", 60, {"c1": 0, "c2": 40}))  # type: ignore[arg-type]
    assert lines_of(day) == [("06:00", "Nhạc")]
    assert [[zone.id for zone in place.zones] for place in day.lines[0].places] == [["c2"]]


def test_nobody_is_shown_ids_of_orders_volumes_or_refusals() -> None:
    shown = told({CHO: plan(entry(job_id="dong-thanh-41", zones={"c1": 77}, out={ZoneId("c2"): Reason.ZONE_LOCKED}))})
    for text in (as_table(shown), as_json(shown)):
        assert [word for word in ("dong-thanh-41", "77", "c2", "zone_locked", "khóa") if word in text] == []


def test_stations_with_the_same_programme_in_the_same_minute_share_a_line() -> None:
    one, longer = entry(after_min=30.2), entry(after_min=30.9, ends=UtcMs(BEGINS + 37 * MINUTE_MS + 1))
    other_zone, other_minute = entry(zones={"c2": 60}), entry(after_min=31)
    day = told({CHO: plan(one), DINH: plan(longer, other_minute), BEN: plan(other_zone)}).days[0]
    assert lines_of(day) == [("05:30", "Bản tin"), ("05:31", "Bản tin")]
    assert [[one.id for one in place.stations] for place in day.lines[0].places] == [
        ["tram-01", "tram-02"],
        ["tram-03"],
    ]
    assert "  05h30–05h38  Bản tin; Trạm Chợ, Trạm Đình: cụm c1; tram-03: cụm c2" in as_table(
        told({CHO: plan(one), DINH: plan(longer), BEN: plan(other_zone)})
    )


@given(st.lists(ENTRIES, max_size=6), st.lists(ENTRIES, max_size=6))
def test_every_sound_is_in_exactly_one_line_and_no_line_is_without_one(
    first: list[Planned], second: list[Planned]
) -> None:
    (day,) = told({CHO: plan(*first), DINH: plan(*second)}).days
    shown = {
        (line.begins, line.title, line.kind, station.id, zone.id)
        for line in day.lines
        for place in line.places
        for station in place.stations
        for zone in place.zones
    }
    sounds = {
        (one.starts // MINUTE_MS, one.title, one.cls is JobClass.EMERGENCY, station, zone)
        for station, entries in (("tram-01", first), ("tram-02", second))
        for one in entries
        for zone, volume in one.volumes.items()
        if one.reason is None and volume
    }
    assert {
        (round(begins.timestamp()) // 60, title, kind is not Kind.PROGRAMME, *where)
        for begins, title, kind, *where in shown
    } == sounds
    keys = [(line.begins, line.title, line.kind) for line in day.lines]
    assert keys == sorted(set(keys))
    assert all(line.ends is not None and line.begins < line.ends for line in day.lines)
    assert day.nothing is not bool(sounds)


def test_a_day_without_a_programme_says_so_and_only_of_whoever_answered() -> None:
    assert as_table(told({CHO: plan()})).splitlines()[-1] == "  không có chương trình nào / nothing is planned"
    alone = as_table(told({CHO: plan()}, DINH)).splitlines()
    assert alone[-2:] == [
        "  các trạm loa đã trả lời: không có chương trình nào / the stations that answered have nothing planned",
        "  trạm loa chưa trả lời / did not answer: Trạm Đình",
    ]
    nobody = as_table(told({}, CHO, BEN)).splitlines()
    assert nobody[-2:] == ["Thứ Ba 06/10/2026 / Tuesday", "  trạm loa chưa trả lời / did not answer: Trạm Chợ, tram-03"]


def test_a_station_is_missed_on_each_day_of_which_it_told_nothing() -> None:
    shown = told({CHO: plan(entry()), DINH: plan(day=TOMORROW)}, days=(TODAY, TOMORROW))
    assert [[one.id for one in day.unanswered] for day in shown.days] == [["tram-02"], ["tram-01"]]
    assert [[one.id for one in day.told] for day in shown.days] == [["tram-01"], ["tram-02"]]


def test_a_list_that_is_not_whole_says_so() -> None:
    shown = told({CHO: plan(entry(), left_out=3), DINH: plan()})
    assert as_table(shown).splitlines()[-1].endswith("not the whole list, more follows at: Trạm Chợ")
    cut = told({CHO: plan(entry(reason=Reason.QUIET_HOURS), left_out=3)})
    assert not cut.days[0].nothing
    assert "nothing is planned" not in as_table(cut)


@pytest.mark.parametrize(
    ("cls", "rehearsal", "kind", "marked"),
    [
        (JobClass.NORMAL, False, Kind.PROGRAMME, "  Bản tin"),
        (JobClass.PRIORITY, False, Kind.PROGRAMME, "  Bản tin"),
        (JobClass.EMERGENCY, False, Kind.EMERGENCY, "KHẨN CẤP / emergency: Bản tin"),
        (JobClass.EMERGENCY, True, Kind.REHEARSAL, "DIỄN TẬP / rehearsal: Bản tin"),
    ],
)
def test_a_rehearsal_is_called_one_and_a_flood_never(cls: JobClass, rehearsal: bool, kind: Kind, marked: str) -> None:
    planned = entry(cls=cls, rehearsal=rehearsal)
    (line,) = day_of(planned).lines
    assert line.kind is kind
    assert marked in as_table(told({CHO: plan(planned)}))


def test_what_goes_on_over_midnight_is_told_in_both_days() -> None:
    late = entry("Đêm thơ", after_min=18 * 60 + 50, ends=UtcMs(BEGINS + (19 * 60 + 10) * MINUTE_MS))
    assert "  23h50–00h10  Đêm thơ" in as_table(told({CHO: plan(late)}))
    assert "  từ hôm trước –00h10  Đêm thơ" in as_table(told({CHO: plan(late, day=TOMORROW)}, days=(TOMORROW,)))


def test_of_words_that_no_station_has_spoken_yet_no_end_is_told() -> None:
    unspoken = entry(after_min=30.5, ends=UtcMs(BEGINS + 30 * MINUTE_MS + 30_000))
    assert "  05h30  Bản tin; Trạm Chợ: cụm c1" in as_table(told({CHO: plan(unspoken)}))
    assert "  05h30–05h35  Bản tin; Trạm Chợ, Trạm Đình" in as_table(told({CHO: plan(unspoken), DINH: plan(entry())}))
    assert json.loads(as_json(told({CHO: plan(unspoken)})))["days"][0]["lines"][0]["ends"] is None


def test_times_are_the_stations_own_also_where_its_zone_is_unknown_here() -> None:
    assert lines_of(day_of(entry(), timezone="Asia/Tokyo")) == [("07:30", "Bản tin")]
    assert lines_of(day_of(entry(), timezone="Asia/Nowhere")) == [("05:30", "Bản tin")]


def test_no_station_tells_the_hour_of_another_one() -> None:
    """Who has stolen one station's key says what he likes of that one alone: the page hangs on the wall of all."""
    (day,) = told({CHO: plan(entry(), timezone="Asia/Tokyo"), DINH: plan(entry())}).days
    heard = {place.stations[0]: f"{line.begins:%H:%M}" for line in day.lines for place in line.places}
    assert heard == {CHO: "07:30", DINH: "05:30"}


def test_each_regulation_is_named_with_its_days() -> None:
    new = PolicyStatus("9/QĐ-UBND", date(2026, 10, 7))
    shown = told({CHO: plan(), DINH: plan(day=TOMORROW, policy=new)}, days=(TODAY, TOMORROW))
    assert [line for line in as_table(shown).splitlines() if "quy chế" in line] == [
        "Theo quy chế số 128/QĐ-UBND ngày 28/09/2026 (06/10 – 06/10). / "
        "Regulation 128/QĐ-UBND of 2026-09-28 (06/10 – 06/10).",
        "Theo quy chế số 9/QĐ-UBND ngày 07/10/2026 (07/10 – 07/10). / "
        "Regulation 9/QĐ-UBND of 2026-10-07 (07/10 – 07/10).",
    ]
    own = as_table(told({CHO: plan(policy=None)}))
    assert "Quy chế: của trạm loa, chưa có quy chế ký số. / Policy: the stations' own." in own


def test_a_regulation_for_some_days_is_not_told_among_the_days_of_another() -> None:
    """Nobody reads of two that hold on the day of the fair; a day of which nothing is known parts nothing."""
    days = tuple(date(2026, 10, day) for day in range(6, 13))
    fair = PolicyStatus("9/QĐ-UBND", days[1])
    held = {day: fair if day in days[1:3] else None for day in days if day != days[5]}
    plans = {(StationId(CHO.id), day): plan(day=day, policy=by) for day, by in held.items()}
    shown = week(days, (CHO,), Replies({}, frozenset(), BEGINS, plans), {}, BEGINS, HANOI)
    assert [(one.regulation, one.first.day, one.last.day) for one in shown.papers] == [
        (None, 6, 6),
        (fair, 7, 8),
        (None, 9, 12),
    ]


def test_a_title_cannot_turn_the_writing_round() -> None:
    shown = as_table(told({replace(CHO, name="A\u202eB"): plan(entry("Tin\u202ecây"), entry("", 60))}))
    assert "  05h30–05h35  Tin?cây; A?B: cụm c1" in shown
    assert "  06h00–06h05  –; A?B" in shown


def test_machines_are_told_the_same() -> None:
    shown = json.loads(as_json(told({CHO: plan(entry())}, DINH)))
    assert shown["made"] == "2026-10-06T05:00:00+07:00"
    assert shown["papers"][0]["regulation"] == {"number": "128/QĐ-UBND", "dated": "2026-09-28"}
    (day,) = shown["days"]
    chợ = {"id": "tram-01", "name": "Trạm Chợ"}
    assert day == {
        "day": "2026-10-06",
        "lines": [
            {
                "begins": "2026-10-06T05:30:00+07:00",
                "ends": "2026-10-06T05:35:00+07:00",
                "title": "Bản tin",
                "kind": "programme",
                "places": [{"stations": [chợ], "zones": [{"id": "c1", "name": ""}]}],
            }
        ],
        "told": [chợ],
        "unanswered": [{"id": "tram-02", "name": "Trạm Đình"}],
        "refused": [],
        "cut_short": [],
    }


def heard(said: Said, station: str = "tram-01") -> Heard:
    return Heard(StationId(station), Up.PLAN, "", "", said)


def refusal(digest: str = "a" * 64, verdict: Verdict = Verdict.REFUSED, reason: Reason | None = None) -> AnswerMsg:
    return AnswerMsg(verdict, digest, "hoi-1", reason, BEGINS)


def replies(*said: Heard) -> Replies:
    gathered = Replies(DIGESTS, frozenset({StationId("tram-01")}), BEGINS)
    for one in said:
        gathered.take(one)
    return gathered


def test_what_each_reply_costs_does_not_grow_with_the_stations() -> None:
    """Of 3,000 stations for a week half a minute went by with counting, and who had answered was named as silent."""

    class Counted(frozenset[StationId]):
        seen = 0

        def __iter__(self) -> Iterator[StationId]:
            for station in super().__iter__():
                Counted.seen += 1
                yield station

    stations = Counted(StationId(f"tram-{number:03}") for number in range(100))
    gathered = Replies(DIGESTS, stations, BEGINS)
    for _ in range(100):
        gathered.take(heard(plan()))
        assert not gathered.whole
    assert Counted.seen <= 2 * len(stations)


def test_what_was_asked_is_kept_until_every_day_has_its_answer() -> None:
    today, tomorrow = plan(), plan(day=TOMORROW)
    assert not replies().whole
    assert not replies(heard(today)).whole
    assert replies(heard(today), heard(tomorrow)).whole
    assert replies(heard(today), heard(refusal("b" * 64))).whole
    assert replies(heard(today)).plans == {("tram-01", TODAY): today}


@pytest.mark.parametrize(
    "said",
    [
        heard(plan(), "tram-09"),
        heard(plan(day=date(2026, 10, 20))),
        heard(plan(now=UtcMs(BEGINS - 2 * MINUTE_MS - 1))),
        heard(refusal("c" * 64)),
        heard(refusal(verdict=Verdict.ACCEPTED)),
    ],
    ids=["another station", "another day", "an old plan", "another question", "only accepted"],
)
def test_what_answers_no_question_of_ours_is_not_kept(said: Heard) -> None:
    gathered = replies(said)
    assert (gathered.plans, gathered.refusals) == ({}, {})


def test_a_plan_by_a_clock_that_is_a_little_slow_is_kept() -> None:
    slow = plan(now=UtcMs(BEGINS - 2 * MINUTE_MS))
    assert isinstance(replies(heard(slow)).plans[StationId("tram-01"), TODAY], PlanMsg)


@pytest.mark.parametrize(("reason", "told_why"), [(Reason.NOT_YET_VALID, ": "), (None, "")])
def test_a_refusal_is_shown_with_its_reason(reason: Reason | None, told_why: str) -> None:
    gathered = replies(heard(refusal(reason=reason)), heard(refusal("b" * 64)), heard(plan(day=TOMORROW)))
    shown = as_table(week([TODAY, TOMORROW], [CHO], gathered, {}, BEGINS, HANOI))
    assert f"  trạm loa từ chối trả lời / refused to answer: Trạm Chợ{told_why}" in shown
    assert shown.count("refused to answer") == 1, "whoever told the day after all has not refused it"
