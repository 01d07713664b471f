"""Which frames lie where: no gap, no lost sample, one rule from milliseconds to frames."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.audio.timeline import Span, frames_of, lay, ms_of
from edge_agent.core.programme import Part, Pause, Sound, rest_of
from edge_agent.core.units import ClipKey

A, B = ClipKey("a"), ClipKey("b")
LENGTHS = {A: 100_003, B: 7}


def test_a_sound_lasts_as_long_as_its_clip_whatever_was_promised() -> None:
    assert lay((Sound(A, 1),), LENGTHS, 48_000).frames == 100_003


def test_a_pause_is_forty_eight_frames_a_millisecond() -> None:
    assert lay((Pause(300),), {}, 48_000).frames == 14_400


def test_a_pause_at_an_odd_rate_is_rounded_to_the_nearest_frame() -> None:
    assert [frames_of(ms, 44_100) for ms in (1, 2, 5, 10)] == [44, 88, 221, 441]


def test_frames_become_milliseconds_rounded_down() -> None:
    assert [ms_of(frames, 48_000) for frames in (0, 47, 48, 95, 96)] == [0, 0, 1, 1, 2]


def test_parts_join_at_the_very_next_frame() -> None:
    timeline = lay((Sound(B, 0), Pause(1), Sound(B, 0)), LENGTHS, 48_000)
    assert tuple(timeline.spans(5, 53)) == (Span(B, 5, 2), Span(None, 0, 48), Span(B, 0, 3))


def test_a_span_that_ends_at_a_join_does_not_touch_the_next_part() -> None:
    timeline = lay((Sound(B, 0), Sound(A, 0)), LENGTHS, 48_000)
    assert tuple(timeline.spans(0, 7)) == (Span(B, 0, 7),)
    assert tuple(timeline.spans(7, 1)) == (Span(A, 0, 1),)


def test_nothing_lies_past_the_end() -> None:
    timeline = lay((Sound(B, 0),), LENGTHS, 48_000)
    assert tuple(timeline.spans(5, 100)) == (Span(B, 5, 2),)
    assert tuple(timeline.spans(7, 1)) == ()


def test_an_empty_pause_leaves_no_trace() -> None:
    timeline = lay((Pause(0), Sound(B, 0), Pause(0), Sound(B, 0)), LENGTHS, 48_000)
    assert tuple(timeline.spans(0, 99)) == (Span(B, 0, 7), Span(B, 0, 7))


def test_a_sound_that_begins_in_its_middle_lasts_to_the_end_of_its_clip() -> None:
    timeline = lay((Sound(A, 1, from_ms=2_000), Sound(B, 0)), LENGTHS, 48_000)
    assert tuple(timeline.spans(0, 200_000)) == (Span(A, 96_000, 4_003), Span(B, 0, 7))


def test_a_sound_of_which_everything_was_left_out_leaves_no_trace() -> None:
    assert lay((Sound(A, 5, from_ms=3_000), Pause(1)), LENGTHS, 48_000).parts == (Span(None, 0, 48),)


def test_a_programme_of_nothing_has_no_frames() -> None:
    assert lay((), {}, 48_000).frames == 0
    assert tuple(lay((), {}, 48_000).spans(0, 10)) == ()


SHORT = {A: 503, B: 7}
PARTS = st.lists(
    st.one_of(st.builds(Pause, st.integers(0, 3)), st.sampled_from([Sound(A, 0), Sound(B, 0)])), max_size=8
)


@settings(deadline=None)  # a busy machine is no failure
@given(PARTS, st.lists(st.integers(1, 700), min_size=1, max_size=12))
def test_however_it_is_cut_the_same_frames_come_out(parts: list[Part], cuts: list[int]) -> None:
    timeline = lay(tuple(parts), SHORT, 48_000)
    whole = _frames(timeline.spans(0, timeline.frames))
    at, pieces = 0, []
    while at < timeline.frames:
        length = cuts[len(pieces) % len(cuts)]
        pieces.append(_frames(timeline.spans(at, length)))
        at += length
    assert [frame for piece in pieces for frame in piece] == whole
    assert len(whole) == timeline.frames


CUT_CLIPS = {A: 48 * 900 + 17, B: 48 * 400}
CUT_PARTS = (Sound(A, 901), Pause(50), Sound(B, 400), Sound(A, 801, from_ms=100))


@given(st.integers(0, 2_151))
def test_a_programme_cut_at_a_millisecond_and_its_rest_are_the_whole(cut_ms: int) -> None:
    whole, rest = (lay(parts, CUT_CLIPS, 48_000) for parts in (CUT_PARTS, rest_of(CUT_PARTS, cut_ms)))
    sounding = _frames(whole.spans(0, whole.frames))
    again = _frames(rest.spans(0, rest.frames))
    assert again == sounding[len(sounding) - len(again) :]
    skipped = len(sounding) - len(again) - cut_ms * 48
    # A's length was rounded up by 31 frames: once it has ended, so many are heard again, and none is skipped.
    assert skipped == (0 if cut_ms < 901 else -31)


def _frames(spans) -> list[tuple[ClipKey | None, int]]:  # type: ignore[no-untyped-def]
    return [(span.key, span.first + i if span.key else 0) for span in spans for i in range(span.frames)]
