"""A minute instead of an hour, by the same parts: every step is seen, and what is told follows from the figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.longplay import MB, speech_like
from bench.staging import (
    CHILDREN,
    DECODE,
    FETCH,
    LEVEL,
    MEASURE,
    STORE,
    Step,
    Steps,
    named,
    plain_decoding_s,
    section,
    stage,
    with_peaks,
)
from edge_agent.audio.loudness import Change, _changing, limiter
from tests.audio.making import needs_decoder

SECONDS = 60


@pytest.mark.host
@pytest.mark.live
@needs_decoder
def test_every_step_of_a_minute_is_seen_and_a_childs_own_work_is_in_it(tmp_path: Path) -> None:
    loud = with_peaks(speech_like(tmp_path / "even.mp3", SECONDS), tmp_path / "loud.mp3")
    steps, staged_ms = stage(loud, tmp_path)
    assert list(steps.taken) == [FETCH, DECODE, MEASURE, LEVEL, STORE]
    assert SECONDS * 1_000 <= staged_ms <= SECONDS * 1_000 + 200
    for name in CHILDREN:
        step = steps.taken[name]
        assert step.peak > 10 * MB, "less than ffmpeg's own libraries means that it was missed"
        assert 0 < step.child_s <= 2 * step.wall_s
    assert sum(step.child_s for step in steps.taken.values()) > plain_decoding_s(loud), "decoding is a part of it"
    assert steps.taken[FETCH].child_s == steps.taken[STORE].child_s == 0
    assert all(step.own_s > 0 for step in steps.taken.values())


def test_a_call_is_named_by_what_it_asks_for() -> None:
    assert named(("ffmpeg", "-i", "pipe:")) == DECODE
    assert named(("ffmpeg", "-af", "apad=pad_dur=0.1,ebur128=peak=true")) == MEASURE
    assert named(("ffmpeg", *_changing(Change(3.0, limited=True), 48_000))) == LEVEL
    assert named(("ffmpeg", "-af", limiter(48_000))) == DECODE, "the voice's own way, which levels nothing"


def test_the_sentence_is_made_of_the_figures() -> None:
    steps = Steps(
        {DECODE: Step(2.0, 1.0, 50_000_000, 3.0), MEASURE: Step(4.0), LEVEL: Step(2.0), STORE: Step(own_s=1.0)}
    )
    made = section(60, steps, 3_600_000, floor_s=2.0)
    assert made.notes == (
        "Decoding takes 3 s, levelling 6 s (60 % of all); the dearest step is “measure”. Together 5 × what plain "
        "decoding takes, and 360 × faster than it sounds on one such core: paid once, as playing what is staged "
        "decodes nothing.",
    )
    told = {figure.whole_name: figure.value for figure in made.figures}
    assert (told["all together"], told["largest child"], told["decode, child's CPU"]) == (10.0, 50.0, 2.0)
