"""What a job plays: every limit of a clip and of words at its edge, and an error that names the field."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.core.job import ClipItem, TextItem
from tests.trust.makers import clip_item, job_dict, make_job, text_item
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
        ({"kind": "live"}, "kind: one of clip, text, not live"),
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
