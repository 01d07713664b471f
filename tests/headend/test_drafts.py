"""Drafts: what a person may leave out, and how every slip is named with its remedy before anything is signed."""

from __future__ import annotations

import hashlib
import re
import tomllib
import unicodedata
from collections.abc import Callable
from datetime import date, time
from pathlib import Path
from typing import Literal

import pytest

from edge_agent.core.job import ClipItem, JobClass, LiveItem, PlayAt, PlayNow, Preemption, Rule, TextItem
from edge_agent.core.units import ClipKey, UtcMs
from edge_agent.headend.audio_facts import AudioError, AudioFacts
from edge_agent.headend.drafting import DraftError, Finished, Surroundings, new_letters, read_draft
from edge_agent.headend.drafts import finish
from edge_agent.trust.fields import Fields
from edge_agent.trust.orders import parse_job
from edge_agent.trust.strict_json import parse
from tests.headend.test_refusals import assert_both

NOW = UtcMs(1_790_000_000_000)  # 2026-09-21T14:13:20Z
DIGEST = hashlib.sha256(b"audio").hexdigest()

BULLETIN = """
class = "normal"
areas = ["vn/ha-noi/dong-thanh"]
zones = ["c1", "c2"]
volume = 70

[when]
first_day = 2026-10-01
last_day = 2026-12-31
weekdays = [1, 2, 3, 4, 5]
times = [05:30:00, "17:00"]
excluded = [2026-11-20]

[[items]]
title = "Bản tin phường Đông Thành"
field = "thoi-su"
source = "Đài truyền thanh phường"
approver = "nguoi-duyet-07"
file = "ban-tin.mp3"
"""

FLOOD = """
class = "emergency"
event = "lu-quet"
stations = ["tram-01"]
volume = 100

[[items]]
title = "Cảnh báo lũ quét"
text = "Nước đang lên.\\nĐề nghị bà con sơ tán ngay."
"""


ENDLESS = [("a.json", "[" * 100_000), ("a.toml", "x = " + "[" * 100_000), ("a.toml", "a." * 100_000 + "a = 1")]
"""Brackets that end the interpreter's stack, and a key of which the library would make some 40 GB."""


class World:
    """The surroundings of a draft, with a memory of serials and of published files."""

    def __init__(self, letters: Callable[[], str] = lambda: "k7qm-4dtx") -> None:
        self.letters = letters
        self.serial = 41
        self.published: list[Path] = []

    def next_serial(self, issuer: str) -> int:
        self.serial += 1
        return self.serial

    def find_audio(self, path: Path, duration_ms: int | None) -> AudioFacts:
        if path.name == "missing.mp3":
            raise AudioError(f"{path} cannot be read")
        return AudioFacts(ClipKey(DIGEST), 5, duration_ms or 61_000, "mp3")

    def publish_audio(self, path: Path, facts: AudioFacts) -> tuple[str, ...]:
        self.published.append(path)
        return (f"https://content.example/clip/{facts.digest}",)

    def finish(self, text: str, **changes: object) -> Finished:
        draft = {**tomllib.loads(text), **changes}
        draft = {name: value for name, value in draft.items() if value is not None}
        around = Surroundings(
            "demo",
            "dong-thanh",
            "commune",
            NOW,
            self.next_serial,
            self.find_audio,
            self.publish_audio,
            Path("/drafts"),
            letters=self.letters,
        )
        return finish(draft, around)


@pytest.fixture
def world() -> World:
    return World()


def test_a_timetable_draft_becomes_a_rule_in_wall_time(world: World) -> None:
    job = world.finish(BULLETIN).job
    assert job.when == Rule(
        "Asia/Ho_Chi_Minh",
        date(2026, 10, 1),
        date(2026, 12, 31),
        frozenset({1, 2, 3, 4, 5}),
        (time(5, 30), time(17, 0)),
        frozenset({date(2026, 11, 20)}),
    )
    assert (job.audience.areas, job.audience.zones) == ({"vn/ha-noi/dong-thanh"}, {"c1", "c2"})


def test_a_timetable_is_valid_until_the_midnight_after_its_last_day(world: World) -> None:
    job = world.finish(BULLETIN, late_limit_s=1800).job
    assert job.not_before == NOW
    assert job.not_after == 1_798_736_400_000 + 1_800_000  # 2027-01-01T00:00 in Hanoi is 17:00 UTC the day before


def test_audio_is_measured_published_and_described(world: World) -> None:
    (item,) = world.finish(BULLETIN).job.items
    assert item == ClipItem(
        title="Bản tin phường Đông Thành",
        field="thoi-su",
        language="vi",
        source="Đài truyền thanh phường",
        approver="nguoi-duyet-07",
        digest=ClipKey(DIGEST),
        length_bytes=5,
        duration_ms=61_000,
        codec="mp3",
        urls=(f"https://content.example/clip/{DIGEST}",),
    )
    assert world.published == [Path("/drafts/ban-tin.mp3")]


@pytest.mark.parametrize("written", ["NFC", "NFD"])
def test_a_file_whose_name_has_its_marks_apart_is_found_as_it_is_read(
    world: World, tmp_path: Path, written: Literal["NFC", "NFD"]
) -> None:
    """As a Mac names it. It looks like the other one, and nobody could have told why it was not found."""
    apart = tmp_path / unicodedata.normalize("NFD", "phường") / unicodedata.normalize("NFD", "bản tin.mp3")
    apart.parent.mkdir()
    apart.touch()
    name = unicodedata.normalize(written, f"{tmp_path}/phường/bản tin.mp3")
    world.finish(BULLETIN, items=[{"title": "Tin", "file": name}])
    assert world.published == [apart]


def test_a_live_source_and_what_stands_in_for_it(world: World) -> None:
    source = {"title": "Thời sự VOV1", "live": ["https://live.example/vov1.mp3"], "duration_s": 900}
    stand_in = {"title": "Nhạc nền", "file": "ban-tin.mp3"}
    (item,) = world.finish(BULLETIN, items=[source | {"stand_in": stand_in}]).job.items
    assert isinstance(item, LiveItem)
    assert (item.urls, item.duration_ms) == (("https://live.example/vov1.mp3",), 900_000)
    assert item.stand_in is not None
    assert (item.stand_in.title, item.stand_in.digest, item.stand_in.duration_ms) == ("Nhạc nền", DIGEST, 61_000)
    assert world.published == [Path("/drafts/ban-tin.mp3")]
    (alone,) = world.finish(BULLETIN, items=[source]).job.items
    assert isinstance(alone, LiveItem)
    assert alone.stand_in is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"file": "ban-tin.mp3"}, "items[0].file: remove it: a live source has live (its addresses), duration_s"),
        ({"text": "Tin"}, "items[0].text: either words to be spoken or audio"),
        ({"urls": ["https://a.example/x"]}, "items[0].urls: remove it"),
        ({"duration_s": None}, "items[0].duration_s: seconds, more than 0"),
        ({"stand_in": {"title": "x", "text": "Tin"}}, "items[0].stand_in.text: remove it: a recording stands in"),
        ({"stand_in": {"title": "x", "live": []}}, "items[0].stand_in.live: remove it: a recording stands in"),
        ({"stand_in": {"title": "x", "fle": "a"}}, 'items[0].stand_in.fle: unknown field, did you mean "file"?'),
    ],
)
def test_a_slip_in_a_live_source_is_named(world: World, change: dict[str, object], said: str) -> None:
    source = {"title": "Thời sự VOV1", "live": ["https://live.example/vov1.mp3"], "duration_s": 900}
    with pytest.raises(DraftError) as caught:
        world.finish(BULLETIN, items=[source | change])
    field, _, rule = said.partition(": ")
    assert (caught.value.field, rule in caught.value.remedy) == (field, True), caught.value


def test_a_given_duration_is_taken_to_the_millisecond(world: World) -> None:
    items = [{"title": "Nhạc hiệu", "file": "nhac.mp3", "duration_s": 12.3456}]
    (item,) = world.finish(BULLETIN, items=items).job.items
    assert isinstance(item, ClipItem)
    assert item.duration_ms == 12_346


def test_a_clip_that_lies_elsewhere_needs_no_file_here(world: World) -> None:
    items = [{"title": "Tin", "digest": DIGEST, "length": 5, "duration_s": 1, "urls": ["https://a.example/x"]}]
    (item,) = world.finish(BULLETIN, items=items).job.items
    assert isinstance(item, ClipItem)
    assert (item.digest, item.length_bytes, item.duration_ms) == (DIGEST, 5, 1_000)
    assert world.published == []


def test_an_emergency_of_words_plays_now_and_is_valid_for_half_an_hour(world: World) -> None:
    job = world.finish(FLOOD).job
    assert (job.cls, job.event, job.when) == (JobClass.EMERGENCY, "lu-quet", PlayNow())
    assert job.not_after - job.not_before == 30 * 60_000
    (item,) = job.items
    assert isinstance(item, TextItem)
    assert item.text == "Nước đang lên.\nĐề nghị bà con sơ tán ngay."


def test_between_the_repetitions_of_a_warning_pass_thirty_seconds_at_most(world: World) -> None:
    """ISO 7240-16; what is no warning may pause for longer."""
    assert world.finish(FLOOD, loops=3, gap_s=30).job.gap_ms == 30_000
    with pytest.raises(DraftError, match=r"gap_s: .*30 s"):
        world.finish(FLOOD, loops=3, gap_s=31)
    assert world.finish(BULLETIN, loops=3, gap_s=3_600).job.gap_ms == 3_600_000


def test_a_warning_that_is_repeated_ends_with_its_last_repetition(world: World) -> None:
    job = world.finish(FLOOD, when={"every_minutes": 10, "until": "2026-09-22T00:00:00+07:00"}).job
    assert job.when == PlayNow(600_000, UtcMs(1_790_010_000_000))
    assert job.not_after == 1_790_010_000_000


def test_a_version_of_a_series_and_its_all_clear(world: World) -> None:
    job = world.finish(FLOOD, series="lu-2026-09", version=3, all_clear=True).job
    assert (job.series, job.version, job.all_clear) == ("lu-2026-09", 3, True)


def test_a_rehearsal_is_planned(world: World) -> None:
    job = world.finish(FLOOD, rehearsal=True, when={"at": "2026-10-06T09:30:00+07:00"}).job
    assert (job.rehearsal, job.when) == (True, PlayAt(UtcMs(1_791_253_800_000)))
    assert job.not_after == 1_791_253_800_000 + 30 * 60_000


def test_a_job_says_what_becomes_of_it_when_it_was_interrupted_or_was_wrong(world: World) -> None:
    job = world.finish(BULLETIN, preemption="restart", zones_late_limit_s=1800, corrects="dong-thanh-20260921-7").job
    assert (job.preemption, job.zones_limit_ms, job.late_limit_ms) == (Preemption.RESTART, 1_800_000, 0)
    assert job.corrects == "dong-thanh-20260921-7"
    assert job.not_after == 1_798_736_400_000 + 1_800_000


def test_words_typed_in_another_unicode_form_are_signed_in_the_agreed_one(world: World) -> None:
    items = [{"title": "Tin", "text": "tie\u0302\u0301ng Vie\u0323\u0302t"}]
    (item,) = world.finish(FLOOD, items=items).job.items
    assert isinstance(item, TextItem)
    assert item.text == "tiếng Việt"


def test_what_is_no_toml_is_told_with_its_line_and_how_days_and_hours_are_written(tmp_path: Path) -> None:
    """The slips that people make are unquoted: 05:30, 1/12. What the library says of them names neither."""
    (tmp_path / "tin.toml").write_text('class = "normal"\n[when]\ntimes = [05:30]\n')
    with pytest.raises(DraftError) as caught:
        read_draft(tmp_path / "tin.toml")
    assert_both(caught.value.remedy, "not readable: Unclosed array (at line 3, column ")
    assert caught.value.remedy.startswith('dòng 3: viết sai; chữ và giờ để trong "…", ngày như 2026-10-01 / ')


def test_a_zone_is_named_as_a_remedy_only_where_a_draft_may_name_one(world: World) -> None:
    """Whoever wrote one beside not_after was refused again, for that field."""
    for when, name, offered in (({"at": "2026-10-06T05:30:00"}, "when.at", True), ("now", "not_after", False)):
        with pytest.raises(DraftError) as caught:
            world.finish(BULLETIN, when=when, not_after="2026-10-06T05:30:00")
        assert (caught.value.field, '"timezone"' in caught.value.remedy) == (name, offered)
        assert_both(caught.value.remedy, "an instant with its offset, as 2026-10-06T05:30:00+07:00")


@pytest.mark.parametrize(
    "when",
    [
        {"at": "2026-10-06T05:30:00+07:00"},
        {"at": "2026-10-05T22:30:00Z"},
        {"at": "2026-10-06T05:30:00", "timezone": "Asia/Ho_Chi_Minh"},
    ],
)
def test_one_instant_may_be_written_with_its_offset_or_its_zone(world: World, when: dict[str, str]) -> None:
    job = world.finish(BULLETIN, when=when).job
    assert job.when == PlayAt(UtcMs(1_791_239_400_000))
    assert job.not_after == 1_791_239_400_000 + 600_000


def test_a_draft_played_now_is_valid_for_ten_minutes(world: World) -> None:
    job = world.finish(BULLETIN, when="now").job
    assert (job.not_before, job.not_after) == (NOW, NOW + 600_000)


def test_ids_and_serials_are_filled_in_and_used_up_one_by_one(world: World) -> None:
    first, second = world.finish(BULLETIN).job, world.finish(FLOOD).job
    assert (first.serial, second.serial) == (42, 43)
    assert first.job_id == "dong-thanh-20260921-k7qm-4dtx"


def test_two_that_sign_in_one_second_at_two_places_give_two_ids(world: World) -> None:
    """Each folder gives the same serial, as neither knows of the other."""
    here, there = (World(new_letters).finish(FLOOD).job for _ in range(2))
    assert here.serial == there.serial
    assert here.job_id != there.job_id


def test_nobody_can_know_the_ids_of_the_next_warnings(world: World) -> None:
    """Whoever has another key of the same issuer would use them up, and stations refuse the second order of one id."""
    ids = {World(new_letters).finish(FLOOD).job.job_id for _ in range(200)}
    assert len(ids) == 200
    drawn = [re.fullmatch(r"dong-thanh-20260921-([0-9a-hjkmnp-tv-z]{4})-([0-9a-hjkmnp-tv-z]{4})", one) for one in ids]
    assert None not in drawn, "eight letters of 32 are 40 bits; none of i, l, o, u, which are misheard or misread"


def test_the_longest_issuer_still_has_an_id_that_stations_take(world: World) -> None:
    job = World(new_letters).finish(FLOOD, issuer="x" * 64).job
    assert len(job.job_id) == 59


def test_the_payload_is_what_a_station_reads(world: World) -> None:
    finished = world.finish(BULLETIN)
    assert parse_job(Fields(parse(finished.payload))) == finished.job


AFTER, BEFORE = "2026-10-07T05:30:00+07:00", "2026-10-06T05:30:00+07:00"


@pytest.mark.parametrize(
    ("changes", "field", "remedy"),
    [
        ({"class": "urgent"}, "class", "one of normal, priority, emergency"),
        ({"volume": 150}, "volume", "0 to 100"),
        ({"volume": 70.5}, "volume", "integer"),
        ({"volume": None}, "volume", "missing"),
        ({"areas": None}, "areas", "stations or areas"),
        ({"areas": ["VN"]}, "areas[0]", "a-z"),
        ({"volum": 7}, "volum", 'did you mean "volume"'),
        ({"loops": 21}, "loops", "1 to 20"),
        ({"event": "bao"}, "event", "only an emergency"),
        ({"class": "emergency"}, "event", "names its event"),
        ({"class": "emergency", "event": "bao"}, "when", "at once"),
        ({"items": []}, "items", "1 to 20"),
        ({"items": [{"title": "x"}]}, "items[0].file", "file (audio), text"),
        ({"items": [{"title": "x", "file": "a.mp3", "text": "b"}]}, "items[0].text", "not both"),
        ({"items": [{"title": "x", "file": "missing.mp3"}]}, "items[0].file", "cannot be read"),
        ({"items": [{"title": "x", "file": "a\0.mp3"}]}, "items[0].file", "the path of an audio file"),
        ({"items": [{"titel": "x", "file": "a.mp3"}]}, "items[0].titel", 'did you mean "title"'),
        ({"items": [{"file": "a.mp3"}]}, "items[0].title", "missing"),
        ({"items": [{"title": "x", "file": "a.mp3", "duration_s": 0}]}, "items[0].duration_s", "more than 0"),
        ({"items": [{"title": "x", "file": "a.mp3", "duration_s": 16**5_000}]}, "items[0].duration_s", "more than 0"),
        ({"items": [{"title": "x", "file": "a.mp3", "duration_s": "9"}]}, "items[0].duration_s", "seconds"),
        ({"items": [{"title": "x", "text": "\x07"}]}, "items[0].text", "control characters"),
        ({"items": [{"title": "x", "text": "x", "urls": ["http://a"], "digest": DIGEST}]}, "items[0].text", "not both"),
        ({"when": "soon"}, "when", '"now", or a table'),
        ({"when": {"at": "05:30"}}, "when.at", "offset"),
        ({"when": {"at": "2026-10-06T05:30:00"}}, "when.at", "offset"),
        ({"when": {"at": "2026-10-06T05:30:00", "timezone": "Hanoi"}}, "when.timezone", "Asia/Ho_Chi_Minh"),
        ({"when": {"first_day": "2026-10-01"}}, "when.times", "missing"),
        ({"when": {"times": ["5h30"]}}, "when.times[0]", '"05:30"'),
        ({"when": {"times": ["05:30"], "first_day": "2026-10-01"}}, "when.last_day", "missing"),
        ({"when": {"times": ["05:30"], "first_day": "2026-10-01", "last_day": "9999-12-31"}}, "not_after", "0 to 4102"),
        ({"not_after": "2020-01-01T00:00:00Z"}, "not_after", "is over"),
        ({"when": "now", "not_before": "2020-01-01T00:00:00Z"}, "not_before", "is over"),
        ({"when": {"at": "2026-09-20T05:30:00+07:00"}}, "when.at", "is over"),
        ({"when": {"every_minutes": 10, "until": "2026-09-20T00:00:00Z"}}, "when.until", "is over"),
        ({"when": {"times": ["05:30"], "first_day": "2025-10-01", "last_day": "2025-10-31"}}, "when.last_day", "over"),
        ({"not_before": AFTER, "not_after": BEFORE}, "not_after", "later than not_before"),
        ({"not_before": AFTER, "when": {"at": BEFORE}}, "when.at", "later than not_before"),
        ({"when": {"at": "2200-10-06T05:30:00+07:00"}}, "when.at", "0 to 4102444800000"),
        ({"when": {"at": AFTER, "times": ["05:30"]}}, "when.times", "at is once"),
        ({"when": {"every_minutes": 10, "until": "2026-09-22T00:00:00+07:00"}}, "when.every_s", "emergency"),
        ({"when": {"every_minutes": 10}}, "when.until", "missing"),
        ({"when": {"every_minutes": 10, "every_s": 9}}, "when.every_minutes", "not both"),
        ({"when": {"every_s": 9, "until": "2026-09-22T00:00:00Z"}}, "when.every_s", "60 to 3600"),
        ({"zones_late_limit_s": 90_000}, "zones_late_limit_s", "0 to 86400"),
        ({"series": "lu"}, "version", "missing"),
        ({"rehearsal": True}, "rehearsal", "only an emergency"),
        ({"type": "jobs"}, "type", "one of job"),
        ({"late_limit_s": 90_000}, "late_limit_s", "0 to 86400"),
        ({"realm": "other"}, "realm", '"demo"'),
    ],
)
def test_a_slip_is_named_with_its_remedy_and_uses_up_no_serial(
    world: World, changes: dict[str, object], field: str, remedy: str
) -> None:
    with pytest.raises(DraftError) as caught:
        world.finish(BULLETIN, **changes)
    assert caught.value.field == field
    assert_both(caught.value.remedy, remedy)
    assert world.serial == 41


@pytest.mark.parametrize(
    ("name", "content"), [("a.toml", "class = "), ("a.json", "{"), ("a.json", "[]"), ("a.toml", "x = '\xff'"), *ENDLESS]
)
def test_an_unreadable_draft_is_named_by_its_file(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(DraftError, match=name):
        read_draft(tmp_path / name)


def test_a_draft_that_is_not_utf_8_is_told_how_to_be_saved(tmp_path: Path) -> None:
    """As an old editor writes Vietnamese, or Notepad's "Unicode"."""
    (tmp_path / "a.toml").write_bytes('volume = 7\ntitle = "Phường"\n'.encode("cp1258", "replace"))
    with pytest.raises(DraftError, match=r"a\.toml: dòng 2: không phải mã UTF-8, lưu tệp lại"):
        read_draft(tmp_path / "a.toml")
    (tmp_path / "a.toml").write_text("volume = 7\n", encoding="utf-16")
    with pytest.raises(DraftError, match=r"a\.toml: dòng 1: .*save the file as UTF-8"):
        read_draft(tmp_path / "a.toml")


def test_a_field_that_stands_twice_in_a_json_draft_is_refused_as_in_toml(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"items": [{"title": "x"}], "volume": 7, "volume": 70}')
    with pytest.raises(DraftError, match="volume: trường này ghi hai lần / this field stands twice"):
        read_draft(tmp_path / "a.json")


def test_toml_and_json_drafts_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('class = "normal"\nvolume = 7\n')
    (tmp_path / "a.json").write_text('{"class": "normal", "volume": 7}')
    assert read_draft(tmp_path / "a.toml") == read_draft(tmp_path / "a.json")


def test_a_missing_draft_is_named(tmp_path: Path) -> None:
    with pytest.raises(DraftError, match=r"none\.toml"):
        read_draft(tmp_path / "none.toml")
