"""AUD: what a station fetches, and what it makes of wrong bytes (docs/protocol.md, section 10)."""

from __future__ import annotations

from collections.abc import Callable

from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import Reason
from edge_agent.headend.conform import judges
from edge_agent.headend.conform.bench import Bench
from edge_agent.headend.conform.clause import Clause
from edge_agent.headend.conform.orders import Order
from edge_agent.headend.conform.scene_silent import Wrong, order_in_silence, silent
from edge_agent.headend.conform.verdicts import Failed, Passed, Verdict

ENDED_BADLY = (Phase.FAILED, Phase.MISSED)


def _wrong(bench: Bench) -> Wrong:
    bench.needs_content()
    wrong = bench.act(order_in_silence).wrong
    assert wrong is not None, "there is a content server"
    return wrong


def _ends_by(pick: Callable[[Wrong], Order], reason: Reason) -> Callable[[Bench], Verdict]:
    def trial(bench: Bench) -> Verdict:
        order = pick(_wrong(bench))
        return judges.one_play(bench.act(silent).of(order), ENDED_BADLY, reason)

    return trial


def _in_order(bench: Bench) -> Verdict:
    content, wrong = bench.needs_content(), _wrong(bench)
    bench.act(silent)
    first, second = content.asked(wrong.elsewhere), content.asked(wrong.absent_clip)
    if not first or not second:
        return Failed("each address asked", f"the first {first}, the second {second} times")
    if content.first_asked(wrong.elsewhere, wrong.absent_clip) != wrong.elsewhere:
        return Failed("the first address asked first", "the second one")
    return Passed(f"the first {first}, the second {second} times")


def _unplayed(bench: Bench) -> Verdict:
    wrong = _wrong(bench)
    scene = bench.act(silent)
    for record in scene.each(wrong.altered, wrong.longer):
        if record.get("played_ms") != 0:
            return Failed("nothing played", f"{record.get('played_ms')} ms")
    return Passed("0 ms played")


CLAUSES: tuple[Clause, ...] = (
    Clause(
        "AUD-1",
        "10",
        "tệp bị sửa một bit",
        "the SHA-256 decides: altered audio is `audio_altered`",
        "the content server hands out a file with one byte changed",
        _ends_by(lambda wrong: wrong.altered, Reason.AUDIO_ALTERED),
    ),
    Clause(
        "AUD-2",
        "10",
        "tệp dài hơn đã ký",
        "more bytes than signed are `audio_altered`",
        "the content server hands out a file with one byte more",
        _ends_by(lambda wrong: wrong.longer, Reason.AUDIO_ALTERED),
    ),
    Clause(
        "AUD-3",
        "10",
        "không tải được tệp",
        "what cannot be fetched is `audio_unreachable`",
        "the content server has no such file (404)",
        _ends_by(lambda wrong: wrong.absent, Reason.AUDIO_UNREACHABLE),
    ),
    Clause(
        "AUD-4",
        "10",
        "thử lần lượt mọi địa chỉ",
        "the URLs are tried in their order",
        "an order names two addresses with nothing there; both must be asked, the first one first",
        _in_order,
    ),
    Clause(
        "AUD-5",
        "10",
        "tệp sai thì không phát",
        "what is not what was signed does not sound",
        "the records of the wrong files are read",
        _unplayed,
    ),
)
