"""REP and ANS: the same order again, and one answer to each delivery (docs/protocol.md, sections 5, 8 and 12)."""

from __future__ import annotations

from edge_agent.core.effects import Verdict as Said
from edge_agent.core.reasons import Reason
from edge_agent.core.units import HOUR_MS
from edge_agent.headend.conform import judges
from edge_agent.headend.conform.asking import ask, awaited, is_answer, take
from edge_agent.headend.conform.bench import Bench
from edge_agent.headend.conform.clause import Clause, never
from edge_agent.headend.conform.orders import Order
from edge_agent.headend.conform.scene_cut import cut_off
from edge_agent.headend.conform.verdicts import CannotTry, Failed, Passed, Verdict, first_failure
from edge_agent.sync.limits import RECEIVE_MAXIMUM
from edge_agent.sync.reports import AnswerMsg
from edge_agent.sync.topics import Up, area_job_topic

POISON = RECEIVE_MAXIMUM + 2
# More than a station may leave unacknowledged: whoever does not acknowledge refusals hears nothing after these.
AT_ONCE = 5


def _replayed(bench: Bench) -> Verdict:
    order = bench.orders.normal()
    first = take(bench, order)
    if not isinstance(first, Passed):
        return first
    return judges.known(ask(bench, order), order.job_id)


def _id_reused(bench: Bench) -> Verdict:
    order = bench.orders.normal()
    first = take(bench, order)
    if not isinstance(first, Passed):
        return first
    other = bench.orders.normal(job_id=order.job_id)
    return judges.refused(ask(bench, other), Reason.ID_REUSED)


def _refused_again(bench: Bench) -> Verdict:
    order = bench.orders.for_nobody()
    return first_failure([judges.refused(ask(bench, order), Reason.WRONG_AUDIENCE) for _ in range(2)])


def _two_topics(bench: Bench) -> Verdict:
    order, area = bench.orders.normal(), bench.orders.station.area
    if len([one for one in bench.orders.keyring.stations.values() if one.area.startswith(area)]) > 1:
        raise CannotTry("other stations of this area would refuse it, and keep a record of that")
    mark = bench.send(order)
    bench.send(order, area_job_topic(area))
    first = bench.wait(lambda one: is_answer(one, order), bench.pace.answer_s, mark)
    bench.settle(bench.pace.silence_s)
    if first is None or first.answer is None:
        return Failed("accepted", judges.NO_ANSWER)
    later = [answer.verdict.value for answer in bench.answers(order.digest, first.number + 1)]
    if later not in ([], ["known"]):
        return Failed("the other delivery known, or answered with the first", ", ".join(later))
    return judges.accepted(first.answer, order.job_id)


def _poison(bench: Bench) -> Verdict:
    rubbish = Order(b"loa loa loa", "", readable=False)
    for _ in range(POISON):
        bench.send(rubbish)
    return take(bench, bench.orders.normal())


def _at_once(bench: Bench) -> Verdict:
    orders = [bench.orders.normal() for _ in range(AT_ONCE)]
    mark = len(bench.seen)
    for order in orders:
        bench.send(order)
    answers = [awaited(bench, order, mark) for order in orders]
    return first_failure(judges.accepted(answer, order.job_id) for answer, order in zip(answers, orders, strict=True))


def _cut_in_the_midst(bench: Bench) -> Verdict:
    scene = bench.act(cut_off)
    taken = {answer for answer in bench.answers(scene.order.digest) if answer.verdict is Said.ACCEPTED}
    if len(taken) > 1:
        return Failed("one effect, however often it was delivered", f"accepted {len(taken)} times")
    return judges.accepted(scene.again, scene.order.job_id, or_known=True)


def _answered_once(bench: Bench) -> Verdict:
    if not bench.answers_due:
        take(bench, bench.orders.normal())
    bench.settle(bench.pace.silence_s)
    return judges.answered_once(bench.answers_due, _all_answers(bench))


def _all_answers(bench: Bench) -> list[AnswerMsg]:
    return [one.answer for one in bench.of(Up.ANSWER) if one.answer is not None]


def _instants(bench: Bench) -> Verdict:
    if not _all_answers(bench):
        take(bench, bench.orders.normal())
    if not _all_answers(bench):
        raise CannotTry("there was no answer")
    for one in bench.of(Up.ANSWER):
        if one.answer is not None and abs(one.answer.at - one.utc) > HOUR_MS:
            return Failed("the instant of the answer, in UTC milliseconds", f"{one.answer.at} at {one.utc}")
    return Passed(f"{len(_all_answers(bench))} answers")


CLAUSES: tuple[Clause, ...] = (
    Clause(
        "REP-1",
        "8",
        "gửi lại đúng lệnh đã nhận",
        "the very same order has no second effect: `known`",
        "a silent order is sent twice",
        _replayed,
    ),
    Clause(
        "REP-2",
        "5, step 16",
        "mã lệnh dùng cho nội dung khác",
        "the same id with other content is `id_reused`",
        "a silent order, then another one under its id",
        _id_reused,
    ),
    Clause(
        "REP-3",
        "5",
        "lệnh bị từ chối, gửi lại",
        "a refused order is refused again, by the same name",
        "an order for another station is sent twice",
        _refused_again,
    ),
    Clause(
        "REP-4",
        "12",
        "một lệnh trên hai chủ đề",
        "the same order on two topics is one order and two deliveries",
        "a silent order is sent to the station and to its area at once; it must be accepted once",
        _two_topics,
    ),
    Clause(
        "REP-5",
        "5",
        "12 tin rác không chặn lệnh thật",
        "refusals are acknowledged at once, or ten poison messages would fill the window",
        f"{POISON} messages of rubbish, then a silent order, which must be accepted",
        _poison,
    ),
    Clause(
        "REP-6",
        "12",
        "năm lệnh liền nhau",
        "nothing depends on one order having been answered before the next comes",
        f"{AT_ONCE} silent orders at once; each must be accepted",
        _at_once,
    ),
    Clause(
        "REP-7",
        "12",
        "lệnh đến đúng lúc đứt đường truyền",
        "a delivery that a cut line left unacknowledged comes again, and has one effect",
        "a silent order is sent, the line is cut at once; after the return it is sent again: accepted once at most",
        _cut_in_the_midst,
    ),
    never(
        "REP-8",
        "8",
        "nhớ mã lệnh qua khởi động lại",
        "a job's id is remembered over restarts",
        "the kit does not switch the station off",
    ),
)

LAST: tuple[Clause, ...] = (
    Clause(
        "ANS-1",
        "5",
        "mỗi lệnh một lần trả lời",
        "every order and every refused message is answered with its digest, and accepted once at most",
        "everything that was sent in the run is counted against the answers",
        _answered_once,
    ),
    Clause(
        "ANS-2",
        "9, answer",
        "giờ trong câu trả lời",
        "an answer tells its instant",
        "every answer of the run is looked at",
        _instants,
    ),
)
