"""Drafts of a whole timetable: what an entry takes over, which id it gets, and what its officer reads beforehand."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edge_agent.core.job import ClipItem, PlayAt, Rule
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import Timetable
from edge_agent.core.units import DAY_MS, ClipKey, UtcMs
from edge_agent.headend.audio_facts import AudioFacts
from edge_agent.headend.drafting import DraftError, Surroundings
from edge_agent.headend.drafts import finish
from edge_agent.headend.given import kind_of
from edge_agent.headend.rule_words import became, of_record
from edge_agent.headend.summary import summary
from edge_agent.trust.orders import OrderType

NOW = UtcMs(1_790_000_000_000)  # 2026-09-21 21:13:20 in Hanoi
DRAFT = """
type = "timetable"
areas = ["vn/ha-noi/dong-thanh"]

[[entries]]
class = "normal"
volume = 70
when = { first_day = 2026-10-01, last_day = 2026-10-31, times = ["05:30"] }
[[entries.items]]
title = "Bản tin phường"
file = "ban-tin.mp3"

[[entries]]
class = "priority"
zones = ["c2"]
volume = 60
late_limit_s = 60
when = { at = 2026-10-08T07:00:00+07:00 }
[[entries.items]]
title = "Dọn vệ sinh chợ"
text = "Mời bà con cùng dọn vệ sinh chợ."
"""
Draft = dict[str, Any]


class World:
    """The surroundings of a draft, with a memory of serials and of published files."""

    def __init__(self) -> None:
        self.serial = 41
        self.published: list[Path] = []

    def finish(self, draft: Draft, now: UtcMs = NOW) -> Timetable:
        around = Surroundings(
            "demo",
            "dong-thanh",
            "commune",
            now,
            self._next,
            lambda *_: FACTS,
            self._publish,
            Path("draft"),
            letters=lambda: "k7qm-4dtx",
        )
        order = finish(draft, around).order
        assert isinstance(order, Timetable)
        return order

    def _next(self, _issuer: str) -> int:
        self.serial += 1
        return self.serial

    def _publish(self, path: Path, _facts: AudioFacts) -> tuple[str, ...]:
        self.published.append(path)
        return (f"https://content.example/{path.name}",)


FACTS = AudioFacts(ClipKey("ab" * 32), 5, 61_000, "mp3")


def draft() -> Draft:
    return tomllib.loads(DRAFT)


def slip(**changes: Any) -> tuple[str, str]:
    with pytest.raises(DraftError) as caught:
        World().finish(draft() | changes)
    return caught.value.field, caught.value.remedy


def test_each_entry_is_completed_like_a_broadcast() -> None:
    world = World()
    order = world.finish(draft())
    assert kind_of(order) is OrderType.TIMETABLE
    assert (order.name, order.version, order.heading.order_id) == ("main", 42, "dong-thanh-20260921-k7qm-4dtx")
    daily, once = order.jobs
    assert isinstance(daily.when, Rule)
    assert daily.items[0] == ClipItem(
        *("Bản tin phường", "", "vi", "", "", FACTS.digest, 5, 61_000, "mp3"),
        urls=("https://content.example/ban-tin.mp3",),
    )
    assert world.published == [Path("draft/ban-tin.mp3")]
    assert isinstance(once.when, PlayAt)
    assert (once.audience.areas, once.audience.zones) == (order.heading.audience.areas, {"c2"})
    assert once.late_limit_ms == 60_000
    assert order.heading.not_after - order.heading.not_before == 400 * DAY_MS


@pytest.mark.parametrize(
    ("own", "stations", "areas"),
    [
        ({"stations": ["tram-01"]}, {"tram-01"}, set()),
        ({"areas": ["vn/ha-noi/dong-thanh/to-1"]}, set(), {"vn/ha-noi/dong-thanh/to-1"}),
    ],
)
def test_an_entry_that_names_a_place_is_heard_there_alone(own: Draft, stations: set[str], areas: set[str]) -> None:
    """As a broadcast is that is written so: it was heard in the whole ward."""
    elsewhere = draft() | {"zones": ["c1"]}
    elsewhere["entries"][0] |= own
    audience = World().finish(elsewhere).jobs[0].audience
    assert (audience.stations, audience.areas, audience.zones) == (stations, areas, {"c1"})


def test_an_entry_keeps_its_id_while_it_says_the_same() -> None:
    world = World()
    first = world.finish(draft())
    changed = draft()
    changed["entries"][1]["volume"] = 50
    second = world.finish(changed, UtcMs(NOW + DAY_MS))
    assert second.version > first.version
    assert second.jobs[0].job_id == first.jobs[0].job_id
    assert second.jobs[1].job_id != first.jobs[1].job_id
    elsewhere = world.finish(draft() | {"zones": ["c1"]})
    assert elsewhere.jobs[0].job_id != first.jobs[0].job_id
    assert elsewhere.jobs[1].job_id == first.jobs[1].job_id


def test_ids_and_a_version_that_are_given_are_kept() -> None:
    given = draft() | {"order_id": "lich-thang-10", "name": "loa-cho", "version": 7}
    given["entries"][0]["job_id"] = "ban-tin-sang"
    order = World().finish(given)
    assert (order.heading.order_id, order.name, order.version) == ("lich-thang-10", "loa-cho", 7)
    assert order.jobs[0].job_id == "ban-tin-sang"


def test_a_wrong_weekday_is_told_with_the_entry_it_stands_in() -> None:
    slip = draft()
    slip["entries"][0]["when"]["weekdays"] = ["thứ Hai"]
    with pytest.raises(DraftError, match=r"entries\[0\]\.when\.weekdays\[0\]: số từ 1 \(thứ Hai\)"):
        World().finish(slip)
    late = draft()
    late["entries"][1]["when"] = {"at": "2200-10-08T07:00:00+07:00"}
    with pytest.raises(DraftError, match=r"entries\[1\]\.when\.at: thời điểm"):
        World().finish(late)


def test_to_end_a_timetable_one_writes_so() -> None:
    assert World().finish(draft() | {"entries": []}).jobs == ()
    without = {name: value for name, value in draft().items() if name != "entries"}
    with pytest.raises(DraftError, match="entries: thiếu / missing"):
        World().finish(without)


@pytest.mark.parametrize(
    ("entry", "field", "remedy"),
    [
        ({"volume": 101}, "entries[0].volume", "an integer from 0 to 100"),
        ({"zones": ["C1"]}, "entries[0].zones[0]", "1 to 64"),
        ({"late_limit_s": -1}, "entries[0].late_limit_s", "an integer from 0"),
        ({"when": "now"}, "entries[0].when", "planned"),
        ({"class": "emergency"}, "entries[0].class", "normal or priority"),
        ({"event": "lu"}, "entries[0].event", "unknown field"),
        ({"not_after": 1}, "entries[0].not_after", "unknown field"),
        ({"items": [{"title": "x"}]}, "entries[0].items[0].file", "missing"),
    ],
)
def test_a_slip_in_an_entry_is_named(entry: Draft, field: str, remedy: str) -> None:
    changed = draft()
    changed["entries"][0].update(entry)
    found = slip(entries=changed["entries"])
    assert (found[0], remedy in found[1]) == (field, True), found


def test_who_signs_it_reads_every_entry_and_that_the_rest_ends() -> None:
    order = World().finish(draft())
    shown = summary(order, ZoneInfo("Asia/Ho_Chi_Minh")).splitlines()
    assert shown[0] == "Lịch phát main, phiên bản 42, 2 mục: thay toàn bộ lịch cũ"
    assert sum("05h30" in line for line in shown) == 1
    assert [line for line in shown if line.startswith("mục ")] == [
        f"mục {number}: {job.job_id}" for number, job in enumerate(order.jobs, 1)
    ]
    assert "  cụm loa: c2" in shown
    assert any("tệp abababababab" in line for line in shown)
    empty = summary(World().finish(draft() | {"entries": []}), ZoneInfo("Asia/Ho_Chi_Minh"))
    assert "KHÔNG CÒN MỤC NÀO" in empty


def test_its_record_is_put_into_words() -> None:
    detail = "timetable name=main version=42 entries=2"
    assert of_record(detail) == "Lịch phát main, phiên bản 42, số mục 2"
    assert became(detail, Phase.SUCCEEDED) == "có hiệu lực"
    assert became(detail, Phase.SUPERSEDED) == "đã được thay thế"
