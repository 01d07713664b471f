"""SES: the broker session, its will, its queue (docs/protocol.md, sections 1 and 2)."""

from __future__ import annotations

from edge_agent.core.reasons import Reason
from edge_agent.headend.broker import area_prefixes
from edge_agent.headend.conform import judges
from edge_agent.headend.conform.asking import ask, unheard
from edge_agent.headend.conform.bench import Bench, Seen
from edge_agent.headend.conform.clause import Clause, never
from edge_agent.headend.conform.scene_cut import cut_off
from edge_agent.headend.conform.scene_return import NeverBack, come_back
from edge_agent.headend.conform.verdicts import CannotTry, Failed, Passed, Verdict, first_failure
from edge_agent.headend.listening import Heard
from edge_agent.sync.reports import Why
from edge_agent.sync.topics import Up, area_job_topic
from edge_agent.trust.keys import new_signer

SCENE = "the station's session is ended by its own certificate; "
CUT = "the line is cut at the kit's relay; "
EARLY_S = 1
# A broker looks at the delays of wills once a second.


def _retained_state(bench: Bench) -> Verdict:
    mark = len(bench.seen)
    bench.line.ask_anew()
    kept = bench.wait(lambda one: one.kind == Up.STATE, bench.pace.show_s, mark)
    if kept is None or not kept.retained:
        return Failed("a retained state for whoever subscribes", "none")
    return Passed(f"a state, {kept.told.get('why')}")


def _states_retained(bench: Bench) -> Verdict:
    return quality(bench.of(Up.STATE), qos=1, retained=True)


def _rest_not_retained(bench: Bench) -> Verdict:
    kinds = (Up.HELLO, Up.LOG, Up.ANSWER)
    return first_failure(quality(bench.of(kind), qos=1, retained=False) for kind in kinds)


def quality(seen: list[Seen], *, qos: int, retained: bool) -> Verdict:
    """Every message travels as its topic asks."""
    for one in seen:
        if (one.qos, one.retained) != (qos, retained):
            return Failed(f"{one.kind}: QoS {qos}, retained {retained}", f"QoS {one.qos}, retained {one.retained}")
    if not seen:
        raise CannotTry("no such message was seen")
    return Passed(f"{len(seen)} messages")


def _will_comes(bench: Bench) -> Verdict:
    will = bench.act(cut_off).will
    if will is None:
        return Failed("a will on the state's topic when the line is cut", "none")
    return Passed(f"why {will.claims.get('why')}, online {will.claims.get('online')}")


def _the_will(bench: Bench) -> Seen:
    will = bench.act(cut_off).will
    if will is None:
        raise CannotTry("there was no will")
    return will


def _will_retained(bench: Bench) -> Verdict:
    return quality([_the_will(bench)], qos=1, retained=True)


def _will_signed(bench: Bench) -> Verdict:
    will = _the_will(bench)
    if not isinstance(will.heard, Heard):
        return Failed("a will signed by the station, in the form of a state", will.heard.detail)
    return Passed("signed by the station")


def _will_says(bench: Bench) -> Verdict:
    will, before = _the_will(bench).claims, bench.act(cut_off).before.told
    said = (will.get("online"), will.get("why"), will.get("boot_id"))
    wanted = (False, Why.CONNECTION_LOST.value, before.get("boot_id"))
    if said != wanted:
        return Failed(f"online, why, boot_id: {wanted}", f"{said}")
    return Passed("of this start, and a hint only")


def _will_delayed(bench: Bench) -> Verdict:
    after_s = _the_will(bench).at_s - bench.act(cut_off).cut_s
    if after_s < bench.pace.will_delay_s - EARLY_S:
        return Failed(f"the will {bench.pace.will_delay_s:.0f} s after the cut", f"after {after_s:.1f} s")
    return Passed(f"after {after_s:.0f} s")


def _back_after_cut(bench: Bench) -> Verdict:
    scene = bench.act(cut_off)
    if scene.hello is None:
        return Failed("a hello when the line is whole again", "none")
    return Passed(f"{scene.hello.at_s - scene.mended_s:.0f} s after the line was whole")


def _comes_back(bench: Bench) -> Verdict:
    try:
        scene = bench.act(come_back)
    except NeverBack as gone:
        return Failed("a hello again", str(gone))
    return Passed(f"after {scene.hello.at_s - scene.taken_s:.0f} s")


def _waits_when_taken_over(bench: Bench) -> Verdict:
    scene = bench.act(come_back)
    waited_s = scene.hello.at_s - scene.taken_s
    if waited_s < bench.pace.taken_over_s:
        return Failed(f"{bench.pace.taken_over_s:.0f} s without an attempt", f"back after {waited_s:.1f} s")
    return Passed(f"back after {waited_s:.0f} s")


def _queue_kept(bench: Bench) -> Verdict:
    scene = bench.act(come_back)
    return judges.accepted(scene.queued_answer, scene.queued.job_id)


def _void_in_queue(bench: Bench) -> Verdict:
    return judges.refused(bench.act(come_back).void_answer, Reason.EXPIRED)


def _retained_ignored(bench: Bench) -> Verdict:
    scene = bench.act(come_back)
    return unheard(bench, scene.hello.number, scene.retained)


def _qos_0_ignored(bench: Bench) -> Verdict:
    order, mark = bench.orders.normal(), len(bench.seen)
    bench.line.lay(bench.topic, order.envelope, qos=0, retain=False)
    return unheard(bench, mark, order)


def _areas_heard(bench: Bench) -> Verdict:
    """By forged orders, which every station answers and none records."""
    bench.act(come_back)  # after it, only what the station subscribed anew is heard
    verdicts: list[Verdict] = []
    for area in area_prefixes(bench.orders.station.area):
        order = bench.orders.signed(bench.orders.payload(bench.orders.pen()), [new_signer()])
        answer = ask(bench, order, area_job_topic(area))
        if answer is None:
            return Failed(f"an answer to what comes on the area {area}", judges.NO_ANSWER)
        verdicts.append(Passed(f"heard on {area} and the areas around it"))
    return first_failure(reversed(verdicts))


CLAUSES: tuple[Clause, ...] = (
    Clause(
        "SES-1",
        "2",
        "trạng thái được giữ lại ở máy chủ",
        "the state is retained, so that whoever subscribes has it at once",
        "the kit subscribes anew; a retained state must be there",
        _retained_state,
    ),
    Clause(
        "SES-2",
        "1",
        "có di chúc khi mất phiên",
        "a will is left with the broker, on the state's topic",
        CUT + "the broker must publish the will",
        _will_comes,
    ),
    Clause(
        "SES-3",
        "1",
        "di chúc được giữ lại",
        "the will is retained, QoS 1",
        CUT + "the will must carry the retain flag",
        _will_retained,
    ),
    Clause(
        "SES-4",
        "1",
        "di chúc được ký số",
        "the will is signed before each attempt to connect",
        CUT + "the will must be signed by the station's own key, in the form of a state",
        _will_signed,
    ),
    Clause(
        "SES-5",
        "9, state",
        "di chúc nói đúng lần khởi động",
        "a will says online false, why `connection_lost`, and the boot id of the start that it is about",
        CUT + "the will is read",
        _will_says,
    ),
    Clause(
        "SES-6",
        "1",
        "tự kết nối lại",
        "after a lost connection the station comes back by itself",
        SCENE + "a hello must come again",
        _comes_back,
    ),
    Clause(
        "SES-7",
        "1",
        "bị chiếm phiên: chờ 60 giây",
        "after reason 0x8E (session taken over) it waits 60 s more",
        SCENE + "the time until the hello is measured",
        _waits_when_taken_over,
    ),
    Clause(
        "SES-8",
        "1",
        "hàng đợi còn sau khi kết nối lại",
        "clean start false: orders that were queued survive a reconnect",
        SCENE + "a silent order is queued in a session of its name; it must be answered after the return",
        _queue_kept,
    ),
    Clause(
        "SES-9",
        "5, step 19",
        "lệnh hết hiệu lực trong hàng đợi",
        "what became void in the queue is not obeyed",
        SCENE + "an order valid for a second is queued; it must be answered `refused`, `expired`",
        _void_in_queue,
    ),
    Clause(
        "SES-10",
        "2",
        "bỏ qua lệnh được giữ lại",
        "a retained order is thrown away unread: it would sound again at each subscription",
        SCENE + "a retained order lies on its topic when it subscribes; it must not be answered",
        _retained_ignored,
    ),
    Clause(
        "SES-11",
        "2",
        "bỏ qua lệnh QoS 0",
        "a message that is not of QoS 1 is thrown away unread",
        "a silent order is published with QoS 0; it must not be answered",
        _qos_0_ignored,
    ),
    Clause(
        "SES-12",
        "2",
        "nghe mọi địa bàn của mình",
        "a station listens to its area and to each area around it, again after its session was lost",
        SCENE + "on each area's topic a forged order is sent afterwards, and each must be answered",
        _areas_heard,
    ),
    Clause(
        "SES-13",
        "1",
        "di chúc chậm 10 giây",
        "the will has a delay of 10 s: a short loss of signal is no death",
        CUT + "the time until the will is measured",
        _will_delayed,
    ),
    Clause(
        "SES-14",
        "1",
        "tự kết nối lại khi có đường truyền",
        "after a cut the station comes back by itself",
        CUT + "when it is whole again a hello must come",
        _back_after_cut,
    ),
    never("SES-15", "1", "keepalive 60 giây", "keepalive is 60 s", "only the broker sees it"),
    never(
        "SES-16",
        "1",
        "TLS 1.3, chứng thư hai phía",
        "TLS 1.3 with certificates on both sides, the server's checked",
        "it needs a broker with a wrong certificate in the right one's place",
    ),
    never("SES-17", "1", "receive maximum 10", "receive maximum is 10", "only the broker sees it"),
)

LAST: tuple[Clause, ...] = (
    Clause(
        "SES-18",
        "2",
        "trạng thái: QoS 1, giữ lại",
        "every state is published with QoS 1, retained",
        "every state of the run is looked at",
        _states_retained,
    ),
    Clause(
        "SES-19",
        "2",
        "các tin khác: QoS 1, không giữ lại",
        "hello, log and answer are published with QoS 1, not retained",
        "every such message of the run is looked at",
        _rest_not_retained,
    ),
)
