"""Judge what was heard in the two zones, against what was ordered."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from demo import match
from demo.acts import CHIME_MS, CUT_IN_AFTER_S, Story
from demo.check import Check
from demo.ear import Sounding
from demo.evidence import LEFT, RIGHT, Evidence
from edge_agent.core.programme import ATTENTION_GAP_MS, ATTENTION_MS, CLOSING_MS, ITEM_GAP_MS, OPENING_MS

ON_TIME_MS = 150
# Host timing: a null sink and two busy cores; the bench measures finer.
CUT_IN_MS = 1_400
# The words are spoken by the station itself before the signal may begin, and an espeak-ng child takes its time.
ATTENTION_OFF_MS = 60
CHIME_OFF_MS = 300
# It rises out of silence over a second, and dies away: the ear hears its first tenth and its last not at all.
CONTENT_SHARE = 0.95
# Of the half seconds that hold sound, those that must be found again, and never two missing in a row: a late writer
# leaves a seam in one of them.
MARGIN_S = 0.6
LEAK_MAX = 0.35
LEAK_MAX_OVER_ALL = 0.1
# How much of c2 may be found in c1 during the emergency: of a second, and of it all. One voice speaks in both: chance
# makes 0.3 of the one and 0.05 of the other at most (tests/demo/test_match.py has the emergency cut in everywhere).


def checks(story: Story, evidence: Evidence) -> Iterator[Check]:
    """The bulletin, the emergency, and the one beside the other."""
    yield _on_time(story, evidence)
    yield _chimes(story, evidence)
    yield _whole_on_the_right(evidence)
    yield _cut_in_time(story, evidence)
    yield _attention(evidence)
    yield _words(evidence)
    yield _before_and_after(evidence)
    yield _nothing_else_during(evidence)


def _on_time(story: Story, evidence: Evidence) -> Check:
    off = evidence.recording.instant_ms(evidence.bulletin_at) - CHIME_MS - story.due_ms
    return Check(abs(off) <= ON_TIME_MS, "bản tin bắt đầu đúng giờ", "the bulletin starts on time", f"{off:+.1f} ms")


def _chimes(story: Story, evidence: Evidence) -> Check:
    """In each zone one before the bulletin, from its instant on, and one behind it."""
    over_ms = evidence.recording.instant_ms(evidence.bulletin_at + len(evidence.bulletin))
    meant = [story.due_ms, story.due_ms + OPENING_MS, over_ms + ITEM_GAP_MS, over_ms + ITEM_GAP_MS + CLOSING_MS]
    offs = []
    for channel in (LEFT, RIGHT):
        edges = [evidence.at_ms(edge) for one in evidence.chimes(channel) for edge in (one.start_s, one.end_s)]
        edges = [edge for edge in edges if edge < story.first_off_ms]
        alike = len(edges) == len(meant)
        offs.append(max(abs(edge - at) for edge, at in zip(edges, meant, strict=True)) if alike else float("inf"))
    held = max(offs) <= CHIME_OFF_MS
    shown = ", ".join(f"{off:.0f}" for off in offs)
    return Check(held, "nhạc hiệu mở đầu và kết thúc ở cả hai cụm", "both zones heard both chimes", f"{shown} ms off")


def _whole_on_the_right(evidence: Evidence) -> Check:
    found = _windows(evidence, RIGHT)
    return Check(_enough(found), "cụm c2 nghe trọn bản tin", "c2 heard the whole bulletin", _share(found))


def _cut_in_time(story: Story, evidence: Evidence) -> Check:
    signal = _signal(evidence)
    late = evidence.at_ms(signal.start_s) - story.flood_ms if signal else None
    return Check(
        late is not None and 0 <= late <= CUT_IN_MS,
        "tin khẩn cấp cắt vào c1",
        "the emergency cuts in on c1",
        "-" if late is None else f"{late:.0f} ms after signing began",
    )


def _attention(evidence: Evidence) -> Check:
    lasts = [
        [round((one.end_s - one.start_s) * 1000) for one in evidence.attentions(channel)] for channel in (LEFT, RIGHT)
    ]
    held = len(lasts[LEFT]) == 1 and abs(lasts[LEFT][0] - ATTENTION_MS) <= ATTENTION_OFF_MS and not lasts[RIGHT]
    shown = f"c1 {lasts[LEFT]} ms, c2 {lasts[RIGHT]} ms"
    return Check(held, "âm báo hiệu 6 giây, một lần, chỉ ở c1", "the attention signal, once, on c1 only", shown)


def _words(evidence: Evidence) -> Check:
    """The station spoke: its words are those of the order, told by speaking them again here and comparing."""
    found = _spoken(evidence)
    vietnamese, english = "trạm tự đọc đúng lời tin khẩn cấp", "the station spoke the emergency's words"
    return Check(_enough(found), vietnamese, english, _share(found))


def _before_and_after(evidence: Evidence) -> Check:
    """What c1 heard of the bulletin outside the emergency, at the very place where c2 heard it.

    Held to no more than c2: both come out of one card, and a writer that is late for it leaves its seam in both.
    """
    cut_s, back_s = _emergency(evidence)
    found = _windows(evidence, LEFT)
    before = [window for window in found if window.at_s + match.WINDOW_S <= cut_s - 0.05]
    after = [window for window in found if window.at_s >= back_s + MARGIN_S]
    return Check(
        _enough(before) and _enough(after),
        "c1 nghe bản tin trước và sau tin khẩn cấp, đúng chỗ của chương trình",
        "c1 heard the bulletin before and after, at the programme's own place",
        f"{_share(before)}, {_share(after)}",
    )


def _nothing_else_during(evidence: Evidence) -> Check:
    """Both channels come out of one card, so whatever of c2 leaks into c1 lies at the very same frames."""
    cut_s, back_s = _emergency(evidence)
    first, last = (evidence.bulletin_at + round(at * evidence.recording.rate) for at in (cut_s, back_s))
    here, there = (evidence.recording.samples[max(first, 0) : last, channel] for channel in (LEFT, RIGHT))
    leaks = [leak for _, leak in match.leaks(there, here, evidence.recording.rate)]
    over_all = abs(match.leak(there, here) or 0.0)
    worst = max((abs(leak) for leak in leaks), default=1.0)
    return Check(
        worst <= LEAK_MAX and over_all <= LEAK_MAX_OVER_ALL and cut_s >= CUT_IN_AFTER_S - 1,
        "trong lúc khẩn cấp, c1 không nghe bản tin",
        "during the emergency c1 heard none of the bulletin",
        f"{over_all:.3f} of it, {worst:.2f} at worst",
    )


def _signal(evidence: Evidence) -> Sounding | None:
    """The first attention signal in c1."""
    return next(iter(evidence.attentions(LEFT)), None)


def _spoken(evidence: Evidence) -> list[match.Window]:
    """The words of the order, half second by half second, as they were heard behind the signal."""
    signal, rate = _signal(evidence), evidence.recording.rate
    if signal is None:
        return []
    begins = round((signal.end_s + ATTENTION_GAP_MS / 1000 - 0.2) * rate)
    part = evidence.recording.samples[begins : begins + len(evidence.flood) + rate, LEFT]
    if not len(part):
        return []
    found = match.windows(evidence.flood, part, match.place(evidence.flood, part), rate)
    return [one for one in found if one.likeness is not None]


def _emergency(evidence: Evidence) -> tuple[float, float]:
    """From where to where c1 was away, in seconds of the bulletin; nowhere if no signal was heard."""
    signal = _signal(evidence)
    if signal is None:
        return 0.0, 0.0
    zero_s = evidence.bulletin_at / evidence.recording.rate
    spoken_s = len(evidence.flood) / evidence.recording.rate
    return signal.start_s - zero_s, signal.end_s - zero_s + ATTENTION_GAP_MS / 1000 + spoken_s


def _windows(evidence: Evidence, channel: int) -> list[match.Window]:
    recording = evidence.recording
    found = match.windows(evidence.bulletin, recording.samples[:, channel], evidence.bulletin_at, recording.rate)
    return [window for window in found if window.likeness is not None]


def _enough(found: list[match.Window]) -> bool:
    """As good as all of it is there."""
    present = [window.present for window in found]
    gap = any(not one and not other for one, other in pairwise(present))
    return sum(present) >= max(1, min(len(found) - 1, CONTENT_SHARE * len(found))) and not gap


def _share(found: list[match.Window]) -> str:
    return f"{sum(window.present for window in found)}/{len(found)} half seconds"
