"""What sounds, as a list of parts, and what is left of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.job import Job, TextItem
from edge_agent.core.programme import (
    ALL_CLEAR,
    ATTENTION,
    ATTENTION_GAP_MS,
    ATTENTION_MS,
    ITEM_GAP_MS,
    REHEARSAL,
    REHEARSAL_WORDS,
    SIGNAL_MS,
    Part,
    Pause,
    Sound,
    item_key,
    items_of,
    length_ms,
    next_item_at,
    parts_of,
    promised_ms,
    rest_of,
    spoken_of,
)
from edge_agent.core.units import ClipKey
from tests.trust import makers

A, B = "aa" * 32, "bb" * 32
WORDS = item_key(REHEARSAL_WORDS)


def emergency(**fields: bool) -> Job:
    return replace(makers.make_job(**{"class": "emergency"}), **fields)  # type: ignore[arg-type]


def test_recordings_follow_each_other_at_once_and_loops_with_their_gap() -> None:
    job = makers.make_job(items=[makers.clip_item(digest=A), makers.clip_item(digest=B)], loops=2, gap_s=5)
    once = [Sound(ClipKey(A), 100), Sound(ClipKey(B), 200)]
    assert parts_of(job, {ClipKey(A): 100, ClipKey(B): 200}) == (*once, Pause(5_000), *once)


def test_what_the_station_speaks_is_set_apart() -> None:
    job = makers.make_job(items=[makers.clip_item(digest=A), makers.text_item(), makers.clip_item(digest=B)])
    words = item_key(job.items[1])
    assert parts_of(job, {ClipKey(A): 100, words: 50, ClipKey(B): 200}) == (
        Sound(ClipKey(A), 100),
        Pause(ITEM_GAP_MS),
        Sound(words, 50),
        Pause(ITEM_GAP_MS),
        Sound(ClipKey(B), 200),
    )


def test_loops_without_a_gap_follow_at_once() -> None:
    job = makers.make_job(items=[makers.clip_item(digest=A)], loops=3)
    assert parts_of(job, {ClipKey(A): 100}) == (Sound(ClipKey(A), 100),) * 3


def test_an_emergency_begins_with_the_attention_signal() -> None:
    job = makers.make_job(**{"class": "emergency"})
    key = item_key(job.items[0])
    parts = parts_of(job, {key: 900})
    assert parts == (Sound(ATTENTION, ATTENTION_MS), Pause(ATTENTION_GAP_MS), Sound(key, 900))
    assert length_ms(parts) == ATTENTION_MS + ATTENTION_GAP_MS + 900


@pytest.mark.parametrize(
    ("fields", "signal"),
    [
        ({}, ATTENTION),
        ({"all_clear": True}, ALL_CLEAR),
        ({"rehearsal": True}, REHEARSAL),
        ({"rehearsal": True, "all_clear": True}, REHEARSAL),  # a rehearsed all-clear is none
    ],
)
def test_each_kind_of_emergency_has_its_own_signal(fields: dict[str, bool], signal: ClipKey) -> None:
    job = emergency(**fields)
    parts = parts_of(job, {item_key(item): 900 for item in items_of(job)})
    assert parts[:2] == (Sound(signal, SIGNAL_MS[signal]), Pause(ATTENTION_GAP_MS))
    assert [part.key for part in parts if isinstance(part, Sound) and part.key in SIGNAL_MS] == [signal]


def test_an_ordinary_job_is_nothing_but_its_items() -> None:
    assert parts_of(makers.make_job(items=[makers.clip_item(digest=A)]), {ClipKey(A): 9}) == (Sound(ClipKey(A), 9),)


@pytest.mark.parametrize("signal", [ATTENTION, REHEARSAL, ALL_CLEAR])
def test_every_signal_is_three_to_ten_seconds_long(signal: ClipKey) -> None:
    assert 3_000 <= SIGNAL_MS[signal] <= 10_000


def test_a_rehearsal_says_so_first_and_last_in_every_loop() -> None:
    job = replace(emergency(rehearsal=True), loops=2, gap_ms=0)
    words, key = Sound(WORDS, 1_200), item_key(job.items[0])
    signal = (Sound(REHEARSAL, SIGNAL_MS[REHEARSAL]), Pause(ATTENTION_GAP_MS))
    once = (*signal, words, Pause(ITEM_GAP_MS), Sound(key, 900), Pause(ITEM_GAP_MS), words)
    assert parts_of(job, {WORDS: 1_200, key: 900}) == once * 2


def test_a_rehearsals_own_words_are_vietnamese() -> None:
    (item,) = spoken_of(emergency(rehearsal=True))
    assert isinstance(item, TextItem)
    assert (item.title, item.language, item.text) == ("Phát thử", "vi", "Đây là phát thử.")


def test_what_a_job_needs_is_its_own_items_and_the_stations_each_once() -> None:
    clip, text = makers.clip_item(digest=A), makers.text_item(text=REHEARSAL_WORDS.text)
    job = replace(makers.make_job(items=[clip, clip]), rehearsal=True)
    assert [item_key(item) for item in items_of(job)] == [WORDS, ClipKey(A)]
    same_words = emergency(rehearsal=True)
    same_words = replace(same_words, items=makers.make_job(**{"class": "emergency"}, items=[text]).items)
    assert [item_key(item) for item in items_of(same_words)] == [WORDS]


def test_what_was_signed_promises_a_length_before_the_audio_is_here() -> None:
    assert promised_ms(makers.make_job(items=[makers.clip_item(duration_ms=7_000)], loops=2)) == 14_000


def test_a_rehearsal_promises_its_signal_and_its_pauses_at_least() -> None:
    signal_ms = SIGNAL_MS[REHEARSAL] + ATTENTION_GAP_MS
    assert promised_ms(emergency(rehearsal=True)) == signal_ms + 2 * ITEM_GAP_MS


def test_the_same_words_in_another_language_are_another_sound() -> None:
    vi, en = (makers.make_job(**{"class": "emergency"}, items=[makers.text_item(language=one)]) for one in ("vi", "en"))
    assert item_key(vi.items[0]) != item_key(en.items[0])


# What is left of a programme

PROGRAMME = (Sound(ClipKey(A), 1_000), Pause(300), Sound(ClipKey(B), 500, from_ms=40))


@pytest.mark.parametrize(
    ("played_ms", "rest"),
    [
        (0, PROGRAMME),
        (1, (Sound(ClipKey(A), 999, 1), *PROGRAMME[1:])),
        (999, (Sound(ClipKey(A), 1, 999), *PROGRAMME[1:])),
        (1_000, PROGRAMME[1:]),
        (1_100, (Pause(200), PROGRAMME[2])),
        (1_300, PROGRAMME[2:]),
        (1_400, (Sound(ClipKey(B), 400, 140),)),
        (1_799, (Sound(ClipKey(B), 1, 539),)),
        (1_800, ()),
        (9_999, ()),
    ],
)
def test_what_is_left_begins_where_it_was_cut(played_ms: int, rest: tuple[Part, ...]) -> None:
    assert rest_of(PROGRAMME, played_ms) == rest


@pytest.mark.parametrize(
    ("played_ms", "at"), [(0, 1_300), (999, 1_300), (1_000, 1_300), (1_299, 1_300), (1_300, None), (5_000, None)]
)
def test_the_next_item_is_the_next_sound(played_ms: int, at: int | None) -> None:
    assert next_item_at(PROGRAMME, played_ms) == at


def test_a_programme_of_nothing_has_neither_rest_nor_next() -> None:
    assert (rest_of((), 0), next_item_at((), 0)) == ((), None)


lasting = st.integers(1, 5_000)
sounds = st.builds(Sound, st.sampled_from([ClipKey(A), ClipKey(B)]), lasting, st.integers(0, 5_000))
programmes = st.lists(sounds | st.builds(Pause, st.integers(0, 500)), max_size=8).map(tuple)
played = st.integers(0, 45_000)


@given(programmes, played, played)
def test_cutting_twice_is_cutting_once(parts: tuple[Part, ...], first_ms: int, then_ms: int) -> None:
    assert rest_of(rest_of(parts, first_ms), then_ms) == rest_of(parts, first_ms + then_ms)


@given(programmes, played)
def test_what_sounded_and_what_is_left_are_the_whole(parts: tuple[Part, ...], played_ms: int) -> None:
    rest = rest_of(parts, played_ms)
    assert length_ms(rest) == max(length_ms(parts) - played_ms, 0)
    assert _moments(rest) == _moments(parts)[played_ms:]


@given(programmes, played)
def test_the_next_item_is_a_whole_one_and_nothing_between_is_one(parts: tuple[Part, ...], played_ms: int) -> None:
    at = next_item_at(parts, played_ms)
    begun = [one for one in _beginnings(parts) if one[0] > played_ms]
    assert at == (begun[0][0] if begun else None)
    if at is not None:
        assert rest_of(parts, at)[0] == begun[0][1]


def _moments(parts: tuple[Part, ...]) -> list[tuple[ClipKey, int] | None]:
    """For each ms of the programme, which ms of which clip sounds then."""
    return [
        (part.key, part.from_ms + ms) if isinstance(part, Sound) else None
        for part in parts
        for ms in range(part.duration_ms)
    ]


def _beginnings(parts: tuple[Part, ...]) -> list[tuple[int, Sound]]:
    found, at = [], 0
    for part in parts:
        if isinstance(part, Sound):
            found.append((at, part))
        at += part.duration_ms
    return found
