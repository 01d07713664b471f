"""Send an order and judge the answer to it: what most trials do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from edge_agent.core.reasons import Reason
from edge_agent.headend.conform import judges
from edge_agent.headend.conform.bench import Bench, Seen
from edge_agent.headend.conform.clause import Clause
from edge_agent.headend.conform.orders import Order, Orders
from edge_agent.headend.conform.verdicts import CannotTry, Failed, Passed, Verdict
from edge_agent.sync.reports import AnswerMsg

Write: TypeAlias = "Callable[[Orders], Order]"


def ask(bench: Bench, order: Order, topic: str = "") -> AnswerMsg | None:
    """The answer to one delivery of an order."""
    return awaited(bench, order, bench.send(order, topic))


def ask_to_sound(bench: Bench, order: Order) -> AnswerMsg | None:
    """The same for what a scene needs to become due. Raises CannotTry where the ward's rules of the day forbid it."""
    answer = ask(bench, order)
    if untried := judges.forbidden(answer):
        raise CannotTry(untried.why)
    return answer


def awaited(bench: Bench, order: Order, since: int) -> AnswerMsg | None:
    """The first answer to an order from a mark on."""
    came = bench.wait(lambda one: is_answer(one, order), bench.pace.answer_s, since)
    return None if came is None else came.answer


def is_answer(one: Seen, order: Order) -> bool:
    """Whether a message answers that order; of one that cannot be read, an answer names nothing."""
    names = (order.digest,) if order.readable else (order.digest, "")
    return one.answer is not None and one.answer.digest in names


def take(bench: Bench, order: Order) -> Verdict:
    """The order must be taken."""
    return judges.accepted(ask(bench, order), order.job_id)


def unheard(bench: Bench, mark: int, order: Order) -> Verdict:
    """Nothing may come of an order that was thrown away unread."""
    came = bench.wait(lambda one: is_answer(one, order), bench.pace.silence_s, mark)
    if came is not None and came.answer is not None:
        return Failed("acknowledged and thrown away unread", f"answered {judges.told(came.answer)}")
    return Passed("no answer")


def refusal(number: str, section: str, vi: str, says: str, write: Write, *reasons: Reason) -> Clause:
    """The clause that such an order is refused by name."""
    names = " or ".join(f"`{reason.value}`" for reason in reasons)
    how = f"such a message is sent; the answer must be `refused`, {names}"
    return Clause(number, section, vi, says, how, lambda bench: _refused(bench, write, reasons))


def acceptance(number: str, section: str, vi: str, says: str, write: Write) -> Clause:
    """The clause that such an order is taken."""
    how = "such an order (a silent one) is sent; the answer must be `accepted`, with its digest and job id"
    return Clause(number, section, vi, says, how, lambda bench: take(bench, write(bench.orders)))


def _refused(bench: Bench, write: Write, reasons: tuple[Reason, ...]) -> Verdict:
    return judges.refused(ask(bench, write(bench.orders)), *reasons)
