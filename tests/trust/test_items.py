"""What a job plays: every limit of a clip and of words at its edge, and an error that names the field."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.core.job import ClipItem, LiveItem, TextItem
from tests.trust.makers import NOON, clip_item, job_dict, live_item, make_job, text_item
from tests.trust.refusals import refusal


def test_every_field_of_an_item_arrives_in_its_place():
    clip = ClipItem(
        title="Bản tin sáng",
        field="thoi-su",
        language="vi",
        source="Đài xã",
        approver="ng-01",
        digest="ab" * 32,
        length_bytes=80_000,
        duration_ms=10_000,
        codec="mp3",
        urls=("https://content.test/clip.mp3",),
    )
    text = TextItem(
        title="Lũ quét",
        field="thien-tai",
        language="vi",
        source="Ban chỉ huy",
        approver="ng-01",
        text="Nước đang lên.\nBà con đến nơi cao.",
    )
    assert make_job(items=[clip_item(), text_item()]).items == (clip, text)


def test_every_field_of_a_live_source_arrives_in_its_place():
    (read,) = make_job(items=[live_item(stand_in=clip_item())]).items
    (stand_in,) = make_job(items=[clip_item()]).items
    assert read == LiveItem(
        title="Thời sự",
        field="thoi-su",
        language="vi",
        source="VOV1",
        approver="ng-01",
        urls=("https://live.test/vov1.mp3",),
        duration_ms=1_800_000,
        stand_in=stand_in,
    )
    assert make_job(items=[live_item()]).live
    assert not make_job(items=[clip_item()]).live


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"duration_ms": 0}, "duration_ms: an integer from 1 to 7200000"),
        ({"duration_ms": 7_200_001}, "duration_ms: an integer from 1 to 7200000"),
        ({"urls": ["http://live.test/vov1.mp3"]}, "urls[0]: an https:// address"),
        ({"urls": []}, "urls: a list of 1 to 4"),
        ({"urls": ["line-in:Mic"]}, "urls[0]: an https:// address"),
        ({"urls": ["line-in:"]}, "urls[0]: an https:// address"),
        ({"urls": ["line-in:mic", "https://live.test/a"]}, "urls: a line-in alone"),
        ({"stand_in": text_item()}, "stand_in.kind: one of clip, not text"),
        ({"stand_in": live_item()}, "stand_in.kind: one of clip, not live"),
        ({"stand_in": clip_item(digest="ab")}, "stand_in.digest: 64 hex digits"),
        ({"stand_in": "ab"}, "stand_in: an object"),
    ],
)
def test_a_wrong_field_of_a_live_source_is_named(over: dict[str, Any], message: str):
    assert refusal(job_dict(items=[live_item(**over)])).startswith(f"items[0].{message}")


def test_a_line_in_is_a_live_source():
    (read,) = make_job(items=[live_item(urls=["line-in:mic"])]).items
    assert isinstance(read, LiveItem)
    assert read.urls == ("line-in:mic",)


def test_a_warning_is_never_relayed_from_somewhere():
    for rehearsal in ({}, {"rehearsal": True, "when": {"kind": "at", "utc": NOON}}):
        refused = refusal(job_dict(**{"class": "emergency"}, items=[text_item(), live_item()], **rehearsal))
        assert refused.startswith('items: no "kind": "live": what nobody has signed is no warning')


def test_a_live_programme_is_heard_once():
    live = job_dict(items=[clip_item(), live_item()])
    assert refusal(live | {"loops": 2}).startswith("loops: 1: a live programme is heard while")
    assert refusal(live | {"preemption": "restart"}).startswith('preemption: "resume", "rejoin" or "drop": a live')
    later = {"policy": "skip", "zones_s": 1}
    assert refusal(live | {"missed": later}).startswith("missed.zones_s: 0: a live programme is not there")
    late = {"policy": "late", "limit_s": 60, "zones_s": 0}
    assert make_job(items=[live_item()], preemption="resume", missed=late).live


@pytest.mark.parametrize("name", sorted(clip_item().keys() - {"codec"}))
def test_a_missing_field_of_an_item_is_named(name: str):
    item = clip_item()
    del item[name]
    assert refusal(job_dict(items=[text_item(), item])) == f"items[1].{name}: missing"


@pytest.mark.parametrize(
    ("name", "low", "high"), [("length", 1, 200_000_000), ("duration_ms", 1, 7_200_000)], ids=["length", "duration"]
)
def test_a_number_of_a_clip_is_taken_within_its_bounds_only(name: str, low: int, high: int):
    for right in (low, high):
        make_job(items=[clip_item(**{name: right})])
    for wrong in (low - 1, high + 1):
        refused = refusal(job_dict(items=[clip_item(**{name: wrong})]))
        assert refused == f"items[0].{name}: an integer from {low} to {high}"


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("title", 1, 200),
        ("field", 0, 40),
        ("language", 1, 16),
        ("source", 0, 200),
        ("approver", 0, 80),
        ("text", 1, 2_000),
    ],
)
def test_words_of_an_item_are_taken_up_to_their_length_only(name: str, least: int, most: int):
    for right in (least, most):
        make_job(items=[text_item(**{name: "x" * right})])
    wrong = [most + 1] if least == 0 else [least - 1, most + 1]
    for length in wrong:
        assert refusal(job_dict(items=[text_item(**{name: "x" * length})])).startswith(f"items[0].{name}: ")
    assert refusal(job_dict(items=[text_item(**{name: 1})])).startswith(f"items[0].{name}: ")


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"kind": "song"}, "kind: one of clip, text, live, not song"),
        ({"digest": "ab" * 31}, "digest: 64 hex digits"),
        ({"digest": "AB" * 32}, "digest: 64 hex digits"),
        ({"digest": "ab" * 32 + "\n"}, "digest: 64 hex digits"),
        ({"codec": "x" * 17}, "codec: 0 to 16 characters"),
        ({"urls": []}, "urls: a list of 1 to 4"),
        ({"urls": [f"https://a/{n}" for n in range(5)]}, "urls: a list of 1 to 4"),
        ({"urls": ["https://a/", "https://a/"]}, "urls[1]: each only once"),
    ],
)
def test_a_wrong_field_of_a_clip_is_named(over: dict[str, Any], message: str):
    assert refusal(job_dict(items=[clip_item(**over)])).startswith(f"items[0].{message}")


@pytest.mark.parametrize(
    "url",
    [
        "http://content.test/a",
        "HTTPS://content.test/a",
        "file:///etc/passwd",
        "https://",
        "https:///a",
        "https://user:secret@content.test/a",
        "https://content.test/a b",
        "https://content.test/a\n",
        "https://content.test/ạ",
        "https://content.test?a",
        "https://content.test/" + "a" * 480,
    ],
)
def test_an_address_that_is_no_plain_https_is_refused(url: str):
    assert refusal(job_dict(items=[clip_item(urls=[url])])).startswith("items[0].urls[0]: an https:// address")


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1:8443/a?b=c#d", "https://[::1]/a", "https://h", "https://h/" + "a" * 490]
)
def test_a_plain_https_address_is_taken(url: str):
    assert make_job(items=[clip_item(urls=[url])]).items[0].urls == (url,)
