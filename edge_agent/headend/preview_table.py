"""Show what a preview is made of: each part with its begin and length, the whole, and how much of it a day. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from edge_agent.audio.timeline import ms_of
from edge_agent.core.job import Item, Job, LiveItem, PlayNow, Rule, TextItem
from edge_agent.core.programme import ALL_CLEAR, ATTENTION, REHEARSAL, Pause, signal_of, spoken_of
from edge_agent.core.units import DAY_MS, MINUTE_MS, SECOND_MS
from edge_agent.headend.preview import Programme
from edge_agent.headend.words import CLASSES, number

SIGNALS = {
    ATTENTION: "âm báo hiệu / attention signal",
    REHEARSAL: "âm báo diễn tập / rehearsal signal",
    ALL_CLEAR: "âm báo yên / all-clear signal",
}
DRILL = "DIỄN TẬP / rehearsal: "
PAUSE = "khoảng nghỉ / pause"
SPOKEN = " (máy đọc / spoken)"
RELAYED = " – tiếp âm trực tiếp (nghe thử: phần thay thế) / relayed live (previewed: its stand-in)"
SILENT = " – tiếp âm trực tiếp (nghe thử: im lặng) / relayed live (previewed: silence)"
HEAD = "   bắt đầu        dài   nội dung / begin, length (phút:giây / min:s), what"


def table(programme: Programme, rate: int) -> str:
    """Several lines, Vietnamese first."""
    job, laid = programme.job, programme.timeline
    rows = zip(laid.starts, laid.parts, _names(programme), strict=True)
    lines = [
        f"{DRILL if job.rehearsal else ''}{CLASSES[job.cls]} / {job.cls}",
        HEAD,
        *(f"{_clock(ms_of(at, rate)):>10} {_clock(ms_of(part.frames, rate)):>10}   {name}" for at, part, name in rows),
        *_totals(job, ms_of(laid.frames, rate)),
        f"âm lượng của lệnh / the order's volume: {job.volume}; tệp WAV ở mức 100 / the WAV is at 100",
    ]
    return "\n".join(lines) + "\n"


def times_a_day(job: Job) -> int:
    """How often it begins on a day on which it is due, at most."""
    match job.when:
        case Rule(times=times):
            return len(times)
        case PlayNow(every_ms=every_ms, until=until) if every_ms:
            return -(-min(until - job.not_before, DAY_MS) // every_ms)
    return 1


def _totals(job: Job, whole_ms: int) -> Iterator[str]:
    times = times_a_day(job)
    yield f"cả chương trình / whole programme: {_clock(whole_ms)}"
    yield f"trong ngày, tối đa / a day, at most: {times} × {_clock(whole_ms)} = {_clock(times * whole_ms)}"


def _names(programme: Programme) -> list[str]:
    """What each part is, in the order of ``parts_of``."""
    sounds = _sounds(programme.job)
    names = [PAUSE if isinstance(part, Pause) else next(sounds) for part in programme.parts]
    assert next(sounds, None) is None, "every sound of the job is a part"
    return names


def _sounds(job: Job) -> Iterator[str]:
    signal = signal_of(job)
    for _ in range(job.loops):
        if signal is not None:
            yield SIGNALS[signal]
        yield from map(_item, (*spoken_of(job), *job.items, *spoken_of(job)))


def _item(item: Item) -> str:
    if isinstance(item, LiveItem):
        return item.title + (SILENT if item.stand_in is None else RELAYED)
    return item.title + (SPOKEN if isinstance(item, TextItem) else "")


def _clock(ms: int) -> str:
    """01:06,500 — minutes go on past the hour."""
    return f"{ms // MINUTE_MS:02d}:{number(ms % MINUTE_MS / SECOND_MS, 3):>06}"
