"""JOB: whom an order is for, who may give it, and for how long (docs/protocol.md, sections 4 to 6)."""

from __future__ import annotations

from edge_agent.core.effects import Verdict as Said
from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import Reason
from edge_agent.core.units import SECOND_MS
from edge_agent.headend.conform import judges, trials_form
from edge_agent.headend.conform import wrong_orders as wrong
from edge_agent.headend.conform.asking import acceptance, ask, refusal
from edge_agent.headend.conform.bench import Bench
from edge_agent.headend.conform.clause import Clause, never
from edge_agent.headend.conform.orders import NOBODY, Orders
from edge_agent.headend.conform.verdicts import Verdict
from edge_agent.trust.limits import NOW_VALIDITY_MS_MAX


def _never_plays(bench: Bench) -> Verdict:
    order = wrong.at_past(bench.orders)
    answer = ask(bench, order)
    if answer is None or answer.verdict is not Said.ACCEPTED:
        return judges.refused(answer, NOTHING)
    bench.record(order.digest, bench.pace.answer_s)
    return judges.one_play(bench.records(order.digest), (Phase.MISSED, Phase.FAILED, Phase.REJECTED))


ELSE, OVER = Reason.WRONG_AUDIENCE, Reason.OVER_LIMIT
LONG, NOTHING, QUIET = Reason.VALIDITY_TOO_LONG, Reason.NOTHING_LEFT, Reason.QUIET_HOURS
LIMITS, NIGHT = "5, step 13", "5, step 22"

AUDIENCE = (
    refusal(
        "JOB-1",
        "5, step 7",
        "lệnh của hệ thống khác",
        "an order names the station's realm",
        lambda orders: orders.normal(realm=f"{orders.keyring.realm[:60]}-2"),
        Reason.WRONG_REALM,
    ),
    refusal(
        "JOB-2",
        "5, step 12",
        "lệnh cho địa bàn khác",
        "an order for another area is not obeyed",
        lambda orders: wrong.audience(orders, stations=[], areas=[wrong.ELSEWHERE]),
        ELSE,
    ),
    refusal(
        "JOB-3",
        "5, step 12",
        "lệnh cho trạm khác",
        "an order for another station is not obeyed",
        lambda orders: wrong.audience(orders, stations=[NOBODY]),
        ELSE,
    ),
    refusal(
        "JOB-4",
        "5, step 12",
        "lệnh cho cụm loa không có",
        "an order for none of the station's zones is not obeyed",
        lambda orders: wrong.audience(orders, zones=[NOBODY]),
        ELSE,
    ),
    acceptance(
        "JOB-5",
        "4",
        "lệnh cho cả địa bàn",
        "an order for the station's area is for it",
        lambda orders: wrong.audience(orders, stations=[], areas=[orders.station.area]),
    ),
)

WHO = (
    refusal(
        "JOB-6",
        "5, step 8",
        "đơn vị ban hành lạ",
        "the trust file has a role of that issuer",
        lambda orders: orders.normal(issuer=NOBODY),
        Reason.UNKNOWN_ISSUER,
    ),
    refusal(
        "JOB-7",
        "5, step 9",
        "ký thay đơn vị khác",
        "keys of one of the issuer's own roles signed",
        wrong.of_another_issuer,
        Reason.SIGNATURE_INVALID,
    ),
    refusal("JOB-8", LIMITS, "vượt loại tin được phép", "a role orders only its classes", wrong.beyond_class, OVER),
    refusal(
        "JOB-9",
        LIMITS,
        "vượt âm lượng được phép",
        "a role orders only up to its volume",
        wrong.beyond_volume,
        OVER,
    ),
    refusal("JOB-10", LIMITS, "ngoài giờ được phép", "a role plans only within its hours", wrong.beyond_hours, OVER),
    refusal(
        "JOB-11",
        LIMITS,
        "sai cấp ban hành",
        "the level is the role's",
        lambda orders: orders.normal(level=NOBODY),
        OVER,
    ),
    refusal(
        "JOB-12",
        LIMITS,
        "vượt địa bàn được phép",
        "every area of the audience lies in the role's",
        lambda orders: wrong.audience(orders, areas=[wrong.ELSEWHERE]),
        OVER,
    ),
)

VALIDITY = (
    refusal(
        "JOB-13",
        LIMITS,
        "phát ngay, hiệu lực quá 10 phút",
        "an order for now is valid for 10 minutes at most",
        lambda orders: wrong.valid_for(orders, NOW_VALIDITY_MS_MAX + SECOND_MS, when=wrong.NOW),
        LONG,
    ),
    refusal(
        "JOB-14",
        LIMITS,
        "khẩn cấp, hiệu lực quá dài",
        "an emergency is valid for 6 hours at most, or as long as its role says",
        wrong.emergency_for_too_long,
        LONG,
    ),
    refusal(
        "JOB-15",
        LIMITS,
        "lịch phát, hiệu lực quá dài",
        "a timetable is valid for 400 days at most, or as long as its role says",
        wrong.timetable_for_too_long,
        LONG,
    ),
    refusal(
        "JOB-16",
        "5, step 19",
        "lệnh đã hết hiệu lực",
        "an order is void after `not_after`",
        wrong.expired,
        Reason.EXPIRED,
    ),
    refusal(
        "JOB-17",
        "5, step 20",
        "phát ngay, chưa đến hiệu lực",
        "an order for now is refused before `not_before`, two minutes allowed",
        wrong.not_yet,
        Reason.NOT_YET_VALID,
    ),
    Clause(
        "JOB-18",
        "8",
        "giờ phát đã qua",
        "what is later than its late limit does not play",
        "a silent order for an hour ago is sent; refused, `nothing_left`, or one record that it was missed",
        _never_plays,
    ),
    refusal(
        "JOB-19",
        "4",
        "giờ phát ngoài hiệu lực",
        "an instant outside the validity is none",
        wrong.at_outside,
        NOTHING,
    ),
    refusal(
        "JOB-20",
        "5, step 21",
        "lịch không còn buổi nào",
        "a rule has an instant left",
        wrong.rule_of_yesterday,
        NOTHING,
    ),
    refusal(
        "JOB-21",
        NIGHT,
        "một lần, trong giờ yên tĩnh",
        "the quiet hours stand above any signature",
        wrong.by_night,
        QUIET,
    ),
    refusal(
        "JOB-22",
        NIGHT,
        "lịch phát trong giờ yên tĩnh",
        "a rule that can only play by night",
        wrong.rule_by_night,
        QUIET,
    ),
    refusal("JOB-23", NIGHT, "kéo dài vào giờ yên tĩnh", "the whole length counts", wrong.into_the_night, QUIET),
    acceptance("JOB-24", "4", "phát một lần theo giờ", "`at`: due once", Orders.normal),
    acceptance("JOB-25", "4", "lịch phát theo giờ địa phương", "`rule`: a timetable in wall time", wrong.timetable),
)

CLAUSES: tuple[Clause, ...] = (
    *AUDIENCE,
    *WHO,
    *VALIDITY,
    *trials_form.CLAUSES,
    never(
        "JOB-64",
        "5, step 17",
        "trạm đã giữ 200 lệnh",
        "beyond 200 unfinished jobs an order is `too_many_jobs`",
        "200 orders would stay in the station for as long as they are valid",
    ),
    never(
        "JOB-65",
        "5",
        "khóa đã ra 500 lệnh trong giờ",
        "beyond 500 orders of one key in an hour an order is `too_many_orders`",
        "the key could order nothing in the station for the rest of that hour",
    ),
)
