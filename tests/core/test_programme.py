"""What sounds, as a list of parts."""

from __future__ import annotations

from edge_agent.core.job import clip_keys
from edge_agent.core.programme import (
    ATTENTION,
    ATTENTION_GAP_MS,
    ATTENTION_MS,
    ITEM_GAP_MS,
    Pause,
    Sound,
    item_key,
    length_ms,
    parts_of,
    promised_ms,
)
from edge_agent.core.units import ClipKey
from tests.trust import makers

A, B = "aa" * 32, "bb" * 32


def test_items_come_in_order_with_a_gap_and_loops_with_theirs() -> None:
    job = makers.make_job(items=[makers.clip_item(digest=A), makers.clip_item(digest=B)], loops=2, gap_s=5)
    once = [Sound(ClipKey(A), 100), Pause(ITEM_GAP_MS), Sound(ClipKey(B), 200)]
    assert parts_of(job, {ClipKey(A): 100, ClipKey(B): 200}) == (*once, Pause(5_000), *once)


def test_loops_without_a_gap_follow_at_once() -> None:
    job = makers.make_job(items=[makers.clip_item(digest=A)], loops=3)
    assert parts_of(job, {ClipKey(A): 100}) == (Sound(ClipKey(A), 100),) * 3


def test_an_emergency_begins_with_the_attention_signal() -> None:
    job = makers.make_job(**{"class": "emergency"})
    key = item_key(job.items[0])
    parts = parts_of(job, {key: 900})
    assert parts == (Sound(ATTENTION, ATTENTION_MS), Pause(ATTENTION_GAP_MS), Sound(key, 900))
    assert length_ms(parts) == ATTENTION_MS + ATTENTION_GAP_MS + 900


def test_what_was_signed_promises_a_length_before_the_audio_is_here() -> None:
    assert promised_ms(makers.make_job(items=[makers.clip_item(duration_ms=7_000)], loops=2)) == 14_000


def test_the_same_words_in_another_language_are_another_sound() -> None:
    vi, en = (makers.make_job(**{"class": "emergency"}, items=[makers.text_item(language=one)]) for one in ("vi", "en"))
    assert item_key(vi.items[0]) != item_key(en.items[0])


def test_a_clip_used_twice_is_one_clip() -> None:
    job = makers.make_job(items=[makers.clip_item(digest=A), makers.clip_item(digest=B), makers.clip_item(digest=A)])
    assert clip_keys(job) == (A, B)
