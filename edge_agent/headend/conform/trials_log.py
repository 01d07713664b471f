"""LOG: the as-run log, its chain, and its upload (docs/protocol.md, section 9)."""

from __future__ import annotations

from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import Reason
from edge_agent.headend.conform import judges
from edge_agent.headend.conform.asking import ask
from edge_agent.headend.conform.bench import Bench, Seen
from edge_agent.headend.conform.clause import Clause, never
from edge_agent.headend.conform.scene_resend import resend
from edge_agent.headend.conform.scene_return import come_back, places
from edge_agent.headend.conform.scene_silent import silent
from edge_agent.headend.conform.verdicts import CannotTry, Failed, Passed, Verdict, first_failure
from edge_agent.headend.listening import LogBatch
from edge_agent.headend.plays import read_play
from edge_agent.headend.schemas import faults
from edge_agent.sync.topics import Up
from edge_agent.trust.keys import new_signer
from edge_agent.trust.strict_json import WireError, parse


def _uploads(bench: Bench) -> list[LogBatch]:
    """Every upload of the run; where there was none yet, one is given cause to come."""
    if not bench.batches():
        _refusal_record(bench)
    if not bench.batches():
        raise CannotTry("no record was uploaded")
    return bench.batches()


def _chain(bench: Bench) -> Verdict:
    return judges.chained(_uploads(bench))


def _fits_what_is_held(bench: Bench) -> Verdict:
    _uploads(bench)
    if bench.troubles:
        return Failed("records that follow what the headend holds", bench.troubles[0].detail)
    return Passed("every upload was taken")


def _refusal_record(bench: Bench) -> Verdict:
    order = bench.orders.for_nobody()
    ask(bench, order)
    bench.record(order.digest, bench.pace.answer_s)
    return judges.one_refusal(bench.records(order.digest), Reason.WRONG_AUDIENCE)


def _refused_twice(bench: Bench) -> Verdict:
    order = bench.orders.for_nobody()
    for _ in range(2):
        ask(bench, order)
    bench.record(order.digest, bench.pace.answer_s)
    bench.settle(bench.pace.silence_s)
    return judges.one_refusal(bench.records(order.digest), Reason.WRONG_AUDIENCE)


def _no_record_of_strangers(bench: Bench) -> Verdict:
    order = bench.orders.signed(bench.orders.payload(bench.orders.pen()), [new_signer()])
    ask(bench, order)
    refused = _refusal_record(bench)  # written later, so that ours would have come before it
    if isinstance(refused, Failed):
        return refused
    if bench.records(order.digest):
        return Failed("nothing in the journal that anybody could have sent", "a record of a forged order")
    return Passed("no record of a forged order")


def _repeated(bench: Bench) -> Verdict:
    scene = bench.act(resend)
    if scene.first is None:
        return Failed("an upload of the record", "none")
    expected = f"the same records again after {bench.pace.log_again_s:.0f} s"
    if scene.repeated is None or not _share_a_record(scene.first, scene.repeated):
        return Failed(expected, "they did not come")
    waited_s = scene.repeated.at_s - scene.first.at_s
    if waited_s < bench.pace.log_again_s / 2:
        return Failed(expected, f"after {waited_s:.1f} s")
    return Passed(f"again after {waited_s:.0f} s")


def _share_a_record(one: Seen, other: Seen) -> bool:
    told = [{record.hash for record in seen.batch.records} if seen.batch else set() for seen in (one, other)]
    return bool(told[0] & told[1])


def _wrong_acks(bench: Bench) -> Verdict:
    scene = bench.act(resend)
    if scene.first is None:
        raise CannotTry("no record was uploaded")
    # Whoever believed one goes on with the next record, if there is one.
    if scene.repeated is None or not _share_a_record(scene.first, scene.repeated):
        return Failed("wrong acknowledgements not believed: the records come again", "they did not come")
    return Passed("none of three was believed")


def _not_again(bench: Bench) -> Verdict:
    scene = bench.act(resend)
    if not scene.after:
        return Failed("the next record after an acknowledgement", "none came")
    both = scene.held & scene.after
    if both:
        return Failed("only what is not acknowledged", f"record {min(seq for _, seq, _ in both)} once more")
    return Passed("the next upload began after it")


def _none_waiting(bench: Bench) -> Verdict:
    waiting = bench.act(resend).waiting
    if waiting is None:
        raise CannotTry("no state came")
    if waiting != 0:
        return Failed("records_waiting 0 once everything is acknowledged", f"{waiting}")
    return Passed("0 records wait")


def _after_connection(bench: Bench) -> Verdict:
    scene = bench.act(come_back)
    if not scene.unacknowledged:
        raise CannotTry("no record was uploaded before the session was lost")
    again = places(bench, scene.hello.number)
    lost = scene.unacknowledged - again
    if lost:
        return Failed(
            "unacknowledged records again after a connection", f"record {min(s for _, s, _ in lost)} did not come"
        )
    return Passed(f"{len(scene.unacknowledged)} came again")


def _one_record(bench: Bench) -> Verdict:
    scene = bench.act(silent)
    # Not begun by its late limit, for a reason that is its sound's: both names are in section 8.
    outcomes = (Phase.FAILED, Phase.MISSED)
    orders = (scene.ordered.once, scene.ordered.timetable)
    return first_failure(judges.one_play(scene.of(order), outcomes, Reason.AUDIO_UNREACHABLE) for order in orders)


def _planned(bench: Bench) -> Verdict:
    scene = bench.act(silent)
    due = scene.ordered.once.payload["when"]["utc"]
    for record in scene.each(scene.ordered.once, scene.ordered.timetable):
        if record.get("planned") != due:
            return Failed(f"planned {due}", f"{record.get('planned')}")
    return Passed("planned at the ordered instant, by wall time too")


def _nothing_played(bench: Bench) -> Verdict:
    scene = bench.act(silent)
    for record in scene.each(*scene.ordered.all()):
        if record.get("played_ms") != 0 or record.get("frames") != 0 or record.get("started") is not None:
            return Failed("nothing claimed that was not seen", f"played_ms {record.get('played_ms')}")
    return Passed("0 ms played, never started")


def _as_ordered(bench: Bench) -> Verdict:
    scene = bench.act(silent)
    once = scene.ordered.once
    return judges.unchanged(scene.each(once)[0], once.payload)


def _own_reasons(bench: Bench) -> Verdict:
    bodies = [parse(record.body) for batch in _uploads(bench) for record in batch.records]
    since = [one.told.get("boot_id") for one in bench.of(Up.STATE)]
    return judges.reasons_named([body for body in bodies if body.get("boot_id") in since])


def _readable(bench: Bench) -> Verdict:
    for batch in _uploads(bench):
        for record in batch.records:
            try:
                play = read_play(record)
            except WireError as error:
                return Failed("a record in the form of section 9", str(error))
            if wrong := faults("record", parse(record.body)):
                return Failed("a record that fits its JSON Schema", wrong[0])
            if play.station != bench.station:
                return Failed(f"a record of {bench.station}", f"of {play.station}")
    return Passed("every record can be read")


CLAUSES: tuple[Clause, ...] = (
    Clause(
        "LOG-1",
        "5",
        "bản ghi của lệnh bị từ chối",
        "an authentic order that did not sound gets a record of kind `refusal`, with its reason",
        "an order for another station is sent; one record must come",
        _refusal_record,
    ),
    Clause(
        "LOG-2",
        "5",
        "từ chối hai lần, một bản ghi",
        "a refusal is recorded once per digest",
        "the same wrong order is sent twice; one record must come",
        _refused_twice,
    ),
    Clause(
        "LOG-3",
        "5",
        "tin giả không vào nhật ký",
        "what anybody could have sent is not written to the journal",
        "a forged order, then an authentic wrong one; only the latter may be recorded",
        _no_record_of_strangers,
    ),
    Clause(
        "LOG-4",
        "8",
        "mỗi buổi phát đúng một bản ghi",
        "each occurrence ends in exactly one outcome and one record",
        "a silent order and a silent timetable become due; one record each, `audio_unreachable`",
        _one_record,
    ),
    Clause(
        "LOG-5",
        "9, log",
        "bản ghi nêu giờ theo lệnh",
        "`planned` is when it was to sound",
        "the records of the silent orders are read",
        _planned,
    ),
    Clause(
        "LOG-6",
        "9, log",
        "không ghi điều không thấy",
        "what did not sound is not claimed",
        "the records of the silent orders are read: 0 ms, no frames, never started",
        _nothing_played,
    ),
    Clause(
        "LOG-7",
        "9, log",
        "nội dung lệnh giữ nguyên",
        "issuer, level, class and each item's particulars stand unchanged in the record",
        "the record of the silent order is compared with the order",
        _as_ordered,
    ),
    Clause(
        "LOG-8",
        "9, log",
        "chưa xác nhận: gửi lại sau 60 giây",
        "without an ack the same records come again after 60 s",
        "an upload is not acknowledged; it must come again",
        _repeated,
    ),
    Clause(
        "LOG-9",
        "4, ack",
        "xác nhận giả không được tin",
        "an ack counts from the ack role, for the station's own chain, up to what it has",
        "three acks (a stranger's, of another chain, beyond the end) are sent; the records must come again",
        _wrong_acks,
    ),
    Clause(
        "LOG-10",
        "9, log",
        "đã xác nhận thì không gửi lại",
        "after an ack the next batch follows",
        "a record after an acknowledged one; the upload must begin there",
        _not_again,
    ),
    Clause(
        "LOG-11",
        "9, state",
        "số bản ghi chờ về 0",
        "`records_waiting` counts the records without an ack",
        "after the acknowledgement a state is read",
        _none_waiting,
    ),
    Clause(
        "LOG-12",
        "9, log",
        "gửi lại sau khi kết nối lại",
        "unacknowledged records come again after each connection",
        "the session is ended while a record is unacknowledged; it must come again",
        _after_connection,
    ),
    never("LOG-13", "9, log", "giữ bản ghi 400 ngày", "records are kept at least 400 days", "the run is too short"),
)

LAST: tuple[Clause, ...] = (
    Clause(
        "LOG-14",
        "9, log",
        "chuỗi băm liền mạch",
        "records are chained by hash, without a gap, and never change",
        "every upload of the run is checked",
        _chain,
    ),
    Clause(
        "LOG-15",
        "9, log",
        "nối tiếp bản ghi đã lưu ở trung tâm",
        "the first record of an upload follows what the headend holds",
        "every upload of the run is put into the ward's own logbook",
        _fits_what_is_held,
    ),
    Clause(
        "LOG-16",
        "11",
        "mọi lần không phát đều có lý do",
        "every non-play has a reason of the catalogue",
        "every record of this start is read",
        _own_reasons,
    ),
    Clause(
        "LOG-17",
        "9, log",
        "bản ghi đúng mẫu",
        "a record has the fields and values of section 9",
        "every record of the run is read",
        _readable,
    ),
)
