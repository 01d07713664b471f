"""HEL and CLK: hello, welcome, and the clock that follows from it (docs/protocol.md, section 7)."""

from __future__ import annotations

from collections.abc import Callable

from edge_agent.core.reasons import Reason
from edge_agent.headend.conform import judges
from edge_agent.headend.conform.bench import Bench, Seen
from edge_agent.headend.conform.clause import Clause, never
from edge_agent.headend.conform.scene_greeting import Greeting
from edge_agent.headend.conform.scene_return import come_back
from edge_agent.headend.conform.verdicts import CannotTry, Failed, Passed, Verdict, first_failure
from edge_agent.sync.reports import AnswerMsg, Why
from edge_agent.sync.topics import Up

SCENE = "after the lost session "
UNMOVED = "that the wrong welcome did not move"


def _greeting(bench: Bench) -> Greeting:
    return bench.act(come_back).greeting


def _hello_first(bench: Bench) -> Verdict:
    scene = bench.act(come_back)
    since = [one for one in bench.seen[scene.mark :] if one.at_s >= scene.taken_s]
    # The will is the broker's word, who may look at it a second after he has ended the session.
    first = next(one for one in since if one.claims.get("why") != Why.CONNECTION_LOST)
    if first is not scene.hello:
        return Failed("a hello before anything else", f"a {first.kind}")
    return Passed("hello first")


def _fresh_nonces(bench: Bench) -> Verdict:
    nonces = [str(one.told.get("nonce")) for one in bench.of(Up.HELLO)]
    if not nonces:
        raise CannotTry("no hello was seen")
    if len(set(nonces)) != len(nonces):
        return Failed("a nonce of its own for each hello", f"{len(nonces)} hellos, {len(set(nonces))} nonces")
    return Passed(f"{len(nonces)} hellos, as many nonces")


def _asks_again(bench: Bench) -> Verdict:
    scene = _greeting(bench)
    if scene.again is None:
        return Failed(f"another hello {bench.pace.hello_again_s:.0f} s after an unanswered one", "none")
    waited_s = scene.again.at_s - scene.first.at_s
    if waited_s < bench.pace.hello_again_s / 2:
        return Failed(f"another hello after {bench.pace.hello_again_s:.0f} s", f"after {waited_s:.1f} s")
    return Passed(f"after {waited_s:.0f} s")


def _clock_at(one: Seen | None) -> Verdict:
    if one is None:
        raise CannotTry("the message that would show its clock did not come")
    return judges.clock_right(one.told.get("clock", {}), one.utc, UNMOVED)


def _other_nonce(bench: Bench) -> Verdict:
    scene = _greeting(bench)
    if scene.again is None:
        return Failed("a welcome with another nonce not used: the station asks again", "it asked no more")
    return _clock_at(scene.again)


def _not_this_one(pick: Callable[[Greeting], AnswerMsg | None], reason: Reason) -> Callable[[Bench], Verdict]:
    """A welcome that is wrong in itself is refused by name, and moves no clock."""

    def trial(bench: Bench) -> Verdict:
        scene = _greeting(bench)
        return first_failure([judges.refused(pick(scene), reason), _clock_at(scene.again)])

    return trial


def _old_nonce(bench: Bench) -> Verdict:
    return _clock_at(_greeting(bench).anew)


def _late_welcome(bench: Bench) -> Verdict:
    scene = _greeting(bench)
    if scene.again is None:
        raise CannotTry("there was no second hello to answer late")
    if scene.anew is None:
        return Failed("a late welcome not used: another hello at once", "none")
    return _clock_at(scene.anew)


def _used_nonce(bench: Bench) -> Verdict:
    return _clock_at(_greeting(bench).settled)


def _welcomed(bench: Bench) -> Verdict:
    settled = _greeting(bench).settled
    if settled is None:
        raise CannotTry("no state came after the welcome")
    if settled.told.get("welcomed") is not True:
        return Failed("welcomed true in the next state", f"{settled.told.get('welcomed')!a}")
    return Passed("welcomed")


def _cursor(bench: Bench) -> Verdict:
    """The hello after the return names the newest record, which had come before and was not acknowledged."""
    scene = bench.act(come_back)
    if not scene.unacknowledged:
        raise CannotTry("no record was seen before")
    epoch, seq, digest = max(scene.unacknowledged, key=lambda place: place[1])
    log = scene.hello.told.get("log", {})
    if log.get("epoch") != epoch or int(log.get("seq", 0)) < seq:
        return Failed(f"log at record {seq} or later of {epoch}", f"{log.get('seq')} of {log.get('epoch')}")
    if log.get("seq") == seq and log.get("hash") != digest:
        return Failed(f"the hash of record {seq}", "another one")
    return Passed(f"record {log.get('seq')} of {epoch}")


def _clock_honest(bench: Bench) -> Verdict:
    bench.act(come_back)
    clocks = [one for one in bench.seen if one.kind in (Up.STATE, Up.HEARTBEAT) and one.told.get("welcomed", True)]
    fresh = [one for one in clocks if one.told.get("why") != "connection_lost" and not _was_waiting(one, bench)]
    return first_failure([judges.clock_right(one.told.get("clock", {}), one.utc) for one in fresh])


def _was_waiting(one: Seen, bench: Bench) -> bool:
    """The retained state at the beginning is as old as it may be."""
    return one is next(iter(bench.of(Up.STATE)), None)


def _clock_signed(bench: Bench) -> Verdict:
    settled = _greeting(bench).settled
    if settled is None:
        raise CannotTry("no state came after the welcome")
    return judges.clock_proven(settled.told.get("clock", {}))


CLAUSES: tuple[Clause, ...] = (
    Clause(
        "HEL-1",
        "9, state",
        "chào trước, rồi mới báo trạng thái",
        "at each connection a hello, then the state",
        SCENE + "the first message is looked at",
        _hello_first,
    ),
    Clause(
        "HEL-2",
        "7",
        "mỗi lần chào một số mới",
        "each hello has a nonce of its own",
        "every hello of the run is looked at",
        _fresh_nonces,
    ),
    Clause(
        "HEL-3",
        "7",
        "không ai trả lời: chào lại sau 30 giây",
        "without a welcome the station asks again after 30 s",
        SCENE + "the first hello is not answered rightly; a second must follow",
        _asks_again,
    ),
    Clause(
        "HEL-4",
        "7",
        "trả lời với số khác",
        "a welcome must repeat the nonce",
        SCENE + "a welcome with another nonce and a time 10 minutes ahead is sent; the next hello shows the clock",
        _other_nonce,
    ),
    Clause(
        "HEL-5",
        "5, step 6",
        "trả lời do khóa khác ký",
        "only a key of the welcome role tells the time",
        SCENE + "a welcome signed by an officer's key is sent; `refused`, `signature_invalid`, and the clock stays",
        _not_this_one(lambda scene: scene.forged, Reason.SIGNATURE_INVALID),
    ),
    Clause(
        "HEL-6",
        "5, step 12",
        "trả lời cho trạm khác",
        "a welcome is for one station",
        SCENE + "a welcome for another station is sent; `refused`, `wrong_audience`, and the clock stays",
        _not_this_one(lambda scene: scene.other_station, Reason.WRONG_AUDIENCE),
    ),
    Clause(
        "HEL-7",
        "5, step 7",
        "trả lời của hệ thống khác",
        "a welcome names the station's realm",
        SCENE + "a welcome of another realm is sent; `refused`, `wrong_realm`, and the clock stays",
        _not_this_one(lambda scene: scene.other_realm, Reason.WRONG_REALM),
    ),
    Clause(
        "HEL-8",
        "7",
        "trả lời cho lần chào trước",
        "a late answer to an earlier asking cannot pass for a quick one",
        SCENE + "the first nonce is answered after the second hello; the clock must stay",
        _old_nonce,
    ),
    Clause(
        "HEL-9",
        "7",
        "trả lời chậm quá 5 giây",
        "a welcome that takes longer than 5 s is not used and asked for anew at once",
        SCENE + "the second hello is answered late; another hello must follow at once, and the clock must stay",
        _late_welcome,
    ),
    Clause(
        "HEL-10",
        "12",
        "trả lời lần thứ hai",
        "a welcome uses its nonce up",
        SCENE + "after the right welcome another to the same nonce tells another time; the clock must stay",
        _used_nonce,
    ),
    Clause(
        "HEL-11",
        "9, state",
        "báo đã được trả lời",
        "after a welcome the state says `welcomed`",
        SCENE + "the state after the right welcome is read",
        _welcomed,
    ),
    Clause(
        "HEL-12",
        "9, hello",
        "lời chào nêu bản ghi mới nhất",
        "a hello names the newest durable record",
        SCENE + "the hello is compared with the records that came before",
        _cursor,
    ),
    never("HEL-13", "7", "chào lại mỗi 6 giờ", "freshness is proven again every 6 hours", "the run is too short"),
    Clause(
        "CLK-1",
        "7",
        "đồng hồ không sai quá mức tự nhận",
        "a clock says the largest error that it may have",
        "every state and heartbeat after a welcome is compared with the kit's own clock",
        _clock_honest,
    ),
    Clause(
        "CLK-2",
        "7",
        "nguồn giờ sau khi được trả lời",
        "after a welcome the time comes from it (`signed`), or from NTP that was tighter (`ntp`, `holdover`)",
        SCENE + "the state after the right welcome is read",
        _clock_signed,
    ),
    never(
        "CLK-3",
        "7",
        "giờ chưa tin cậy thì không phát lịch",
        "without a trusted clock no timetable plays",
        "the station would have to be started without a network and without a clock chip",
    ),
)
