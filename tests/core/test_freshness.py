"""What a station takes for new: without a welcome, behind a newer trust document, and on a card that was put back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.events import (
    Connected,
    Disconnected,
    LogCompared,
    RecordSaved,
    RecordsRotten,
    Restored,
    TrustChanged,
)
from edge_agent.core.freshness import CHAIN_AGAIN_MS, WELCOME_GOOD_MS, obstacle
from edge_agent.core.job import LogAck, Welcome
from edge_agent.core.order import AcceptedRule, Cancel, Lock
from edge_agent.core.reasons import Reason
from edge_agent.core.trust_standing import TrustHead, TrustStanding, TrustVersion
from edge_agent.core.units import HOUR_MS, JobId, UtcMs
from tests.core import homed
from tests.core.bench import Bench, at_work
from tests.core.welcomes import FLOOD, verdict, welcome
from tests.trust import makers

ROOT_1 = TrustHead("", 0, 1, UtcMs(2**42))
WARD_5 = TrustHead(makers.AREA, 1, 5, UtcMs(2**42))


def believing(*heads: TrustHead) -> Bench:
    """A station that waits for its welcome and believes these documents."""
    bench = Bench().boot(welcomed=False)
    bench.send(TrustChanged(TrustStanding(heads), frozenset()))
    return bench


# A broker that keeps a new trust document, and with it a revocation, to itself


def test_a_freeze_a_station_that_lacks_a_newer_document_lets_new_orders_wait() -> None:
    bench = believing(ROOT_1, WARD_5)
    welcome(bench, trust=(TrustVersion("", 0, 1), TrustVersion(makers.AREA, 1, 6)))
    assert obstacle(bench.state, bench.now) is Reason.TRUST_BEHIND
    assert verdict(bench, bench.at(60, job_id="bulletin")) == "waits"
    assert verdict(bench, bench.order(job_id="lut", **FLOOD)) == "planned", "no online key holds up a warning"


def test_what_waits_for_a_document_is_judged_when_it_has_come() -> None:
    bench = believing(ROOT_1, WARD_5)
    welcome(bench, trust=(TrustVersion(makers.AREA, 1, 6),))
    bulletin = bench.at(60, job_id="bulletin")
    bench.send(TrustChanged(TrustStanding((ROOT_1, replace(WARD_5, version=6))), frozenset()))
    assert (obstacle(bench.state, bench.now), verdict(bench, bulletin)) == (None, "planned")


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        (TrustVersion(makers.AREA, 1, 5), None),
        (TrustVersion(makers.AREA, 1, 4), None),
        (TrustVersion(makers.AREA, 2, 1), Reason.TRUST_BEHIND),
        (TrustVersion("", 0, 2), Reason.TRUST_BEHIND),
        (TrustVersion("vn", 1, 1), Reason.TRUST_BEHIND),
    ],
)
def test_a_document_is_newer_by_its_epoch_and_then_its_version(named: TrustVersion, reason: Reason | None) -> None:
    bench = believing(ROOT_1, WARD_5)
    welcome(bench, trust=(named,))
    assert obstacle(bench.state, bench.now) is reason


def test_what_was_verified_before_plays_on_behind_a_newer_document() -> None:
    bench = believing(ROOT_1, WARD_5)
    welcome(bench, trust=(TrustVersion(makers.AREA, 1, 5),))
    bulletin = bench.at(3_600, job_id="bulletin")
    welcome_again = bench.state.link.seed  # a new hello, and a server that names a newer document
    bench.state = replace(bench.state, link=replace(bench.state.link, nonce=welcome_again))
    welcome(bench, trust=(TrustVersion(makers.AREA, 1, 6),))
    bench.pass_s(3_601)
    assert bench.phase(bulletin).value == "playing"


# A broker that keeps the welcomes to itself


def test_a_blocked_welcome_for_more_than_a_day_lets_new_orders_wait() -> None:
    bench = at_work()
    bench.answered = False
    bench.pass_s(WELCOME_GOOD_MS / 1000)
    assert verdict(bench, bench.at(60, job_id="in-time")) == "planned"
    bench.pass_s(1)
    assert obstacle(bench.state, bench.now) is Reason.NOT_WELCOMED
    assert verdict(bench, bench.at(60, job_id="bulletin")) == "waits"
    assert verdict(bench, bench.order(job_id="lut", **FLOOD)) == "planned"


def test_before_the_first_welcome_new_orders_wait_by_name() -> None:
    bench = Bench().boot(welcomed=False)
    assert obstacle(bench.state, bench.now) is Reason.NOT_WELCOMED


def test_the_timetable_plays_on_without_any_welcome() -> None:
    bench = at_work()
    bench.answered = False
    bulletin = bench.at(5 * 24 * 3_600, job_id="bulletin")
    bench.pass_s(5 * 24 * 3_600 + 1)
    assert bench.phase(bulletin).value == "playing"


# A card that was put back, copied, or replaced


def three_records(bench: Bench) -> None:
    """The station has written three records, of which the server has two."""
    for seq in (1, 2, 3):
        bench.send(RecordSaved(seq))
    bench.arrive(LogAck("e1", 2, "h"), makers.ACK_TOPIC)


def put_back(**told: Any) -> Bench:
    """A card from an old copy: the server holds nine records, this card has three of them."""
    bench = Bench().boot(welcomed=False)
    three_records(bench)
    bench.said.clear()
    marks = ((makers.ISSUER, 7),)
    welcome(bench, **({"serial_marks": marks, "log_epoch": "e1", "log_seq": 9, "log_hash": "h9"} | told))
    return bench


def in_chain(bench: Bench, *, begins: int, acked: int) -> None:
    """The station goes on in a second chain, of which the server has acknowledged something."""
    link = replace(bench.state.link, log_epoch="e2", chain_from=begins, last_seq=acked + 1, acked_seq=acked)
    bench.state = replace(bench.state, link=link)
    bench.said.clear()


def told_next(bench: Bench, **told: Any) -> None:
    """The server answers another hello."""
    bench.state = replace(bench.state, link=replace(bench.state.link, nonce="cd" * 16, asked_at=bench.now.mono))
    welcome(bench, **told)


def more_of_ours(bench: Bench) -> dict[str, Any]:
    """The server holds more of the present chain than the station."""
    return {"log_epoch": bench.state.link.log_epoch, "log_seq": bench.state.link.last_seq + 9, "log_hash": "x"}


def chain_of(bench: Bench) -> tuple[fx.NewChain, str]:
    """The one new chain that was begun, and what its record says."""
    (commit,) = [one for one in bench.every(fx.CommitRecord) if one.chain is not None]
    return commit.chain, commit.record.detail


def test_a_restored_card_takes_nothing_for_new_that_it_may_have_forgotten() -> None:
    bench = put_back()
    assert verdict(bench, bench.at(60, job_id="heard-before", serial=7)) == "maybe_heard"
    assert verdict(bench, bench.at(60, job_id="newer", serial=8)) == "planned"
    assert verdict(bench, bench.at(60, job_id="of-another", serial=7, issuer="dai-ptth")) == "planned"


def test_a_restored_card_writes_on_in_a_chain_of_its_own_that_cites_the_old_one() -> None:
    bench = put_back()
    chain, detail = chain_of(bench)
    assert (chain.epoch != "e1", chain.marks, detail) == (True, ((makers.ISSUER, 7),), "after epoch=e1 seq=9 hash=h9")
    link = bench.state.link
    assert (link.log_epoch, link.chain_from, link.acked_seq) == (chain.epoch, 2, 2)


def test_what_a_card_has_forgotten_stands_by_the_welcome_that_said_so_here_and_on_the_disk() -> None:
    """Without it the next trust document would take the marks away, and what was heard would sound again."""
    bench = put_back()
    chain, _ = chain_of(bench)
    word = bench.state.told.word
    assert (word != b"", bench.state.forgot_by, chain.word) == (True, word, word)


def test_a_restored_card_says_so_once() -> None:
    bench = put_back()
    told_next(bench, serial_marks=((makers.ISSUER, 40),), log_epoch="e1", log_seq=9, log_hash="h9")
    chain_of(bench)
    assert verdict(bench, bench.at(60, job_id="since-then", serial=40)) == "planned", (
        "it came after the card was put back"
    )


def test_whoever_has_the_key_of_welcomes_lets_a_station_begin_one_chain_a_day() -> None:
    """The centre keeps 128 chains of a station, and a disk has an end."""
    bench = put_back()
    for _ in range(3):
        told_next(bench, **more_of_ours(bench))
    chain_of(bench)
    bench.pass_s(CHAIN_AGAIN_MS / 1000)
    told_next(bench, **more_of_ours(bench))
    assert len([one for one in bench.every(fx.CommitRecord) if one.chain is not None]) == 2


def test_nor_may_it_begin_another_one_with_each_restart_that_a_thief_has_ordered() -> None:
    """With a desk's key too 128 of them were a matter of an hour, and no record would be taken of it any more."""
    bench = put_back()
    again = Bench()
    again.now = bench.now
    (begun,) = [one.chain for one in bench.every(fx.CommitRecord) if one.chain is not None]
    again.send(Restored((), (), {}, 5, 2, begun.epoch, chain_from=begun.begins, spent=bench.state.spent))
    again.send(Connected(1, "cd" * 16))
    welcome(again, **more_of_ours(again))
    assert [one for one in again.every(fx.CommitRecord) if one.chain is not None] == []


def test_a_card_from_before_the_newest_of_several_chains_is_found_by_its_name() -> None:
    """It was put back once, wrote on in a chain that cites the first, and was put back again before a third began."""
    bench = Bench().boot(welcomed=False)
    in_chain(bench, begins=2, acked=5)
    welcome(bench, serial_marks=((makers.ISSUER, 7),), log_epoch="e3", log_seq=9, log_hash="h9")
    chain, detail = chain_of(bench)
    assert (chain.epoch, chain.begins, chain.marks) == ("e2", 2, ((makers.ISSUER, 7),))
    assert detail == "after epoch=e3 seq=9 hash=h9"
    assert bench.state.link.acked_seq == 2, "the centre has of this chain what it has; all of it is sent again"


def test_a_chain_of_which_the_centre_has_nothing_yet_is_sent_from_where_it_begins() -> None:
    bench = Bench().boot(welcomed=False)
    in_chain(bench, begins=2, acked=2)
    welcome(bench, serial_marks=((makers.ISSUER, 7),), log_epoch="e1", log_seq=9, log_hash="h9")
    assert (bench.state.forgotten, bench.state.link.acked_seq) == ({}, 2)
    assert bench.every(fx.SendLog)[-1] == fx.SendLog(2)


# A record that has rotted on the card


def test_records_that_have_rotted_are_named_and_left_out_and_those_behind_them_sent() -> None:
    bench = Bench().boot()
    three_records(bench)
    bench.said.clear()
    bench.send(RecordsRotten("e1", 3, 3, "h2"))
    chain, detail = chain_of(bench)
    assert (chain.epoch != "e1", chain.begins, detail) == (True, 3, "rotten seq=3 to=3 after epoch=e1 seq=2 hash=h2")
    bench.send(RecordSaved(4))
    assert bench.every(fx.SendLog) == [fx.SendLog(3)]


def test_what_a_card_may_have_forgotten_stands_when_a_record_rots() -> None:
    bench = put_back()
    word, seq = bench.state.forgot_by, bench.state.link.acked_seq + 1
    bench.said.clear()
    bench.send(RecordsRotten(bench.state.link.log_epoch, seq, seq, "h2"))
    chain, detail = chain_of(bench)
    assert (chain.marks, chain.word) == (((makers.ISSUER, 7),), word)
    assert detail == f"rotten seq={seq} to={seq}", "of this chain the centre has nothing that could be cited"
    assert verdict(bench, bench.at(60, job_id="heard-before", serial=7)) == "maybe_heard"


@pytest.mark.parametrize(("epoch", "seq"), [("e0", 3), ("e1", 2), ("e1", 5)])
def test_rot_of_which_an_earlier_upload_tells_changes_nothing(epoch: str, seq: int) -> None:
    bench = Bench().boot()
    three_records(bench)
    bench.send(RecordsRotten(epoch, seq, seq, "h"))
    assert (bench.state.link.log_epoch, bench.state.link.acked_seq) == ("e1", 2)


def test_marks_of_a_thief_do_not_stand_by_the_word_of_whoever_finds_the_card_next() -> None:
    """They would outlive the key that said them."""
    bench = put_back(serial_marks=((makers.ISSUER, 2**53 - 1), ("xa-ben", 2**53 - 1)))
    bench.pass_s(CHAIN_AGAIN_MS / 1000)
    told_next(bench, serial_marks=((makers.ISSUER, 9),), **more_of_ours(bench))
    assert bench.state.forgotten == {makers.ISSUER: 9}


def test_a_welcome_of_a_key_that_is_revoked_is_none_and_another_is_asked_for_at_once() -> None:
    bench = Bench().boot(welcomed=False)
    three_records(bench)
    bench.deaf.add(fx.CompareLog)
    welcome(bench, serial_marks=((makers.ISSUER, 2**53 - 1),), log_epoch="e1", log_seq=3, log_hash="h3")
    bench.said.clear()
    bench.send(TrustChanged(TrustStanding(), frozenset(), told_stands=False))
    assert len(bench.every(fx.SendHello)) == 1
    bench.send(LogCompared("e1", 3, "h3", same=False))
    assert (bench.state.forgotten, obstacle(bench.state, bench.now)) == ({}, Reason.NOT_WELCOMED)


def test_without_a_session_too_the_welcome_of_a_key_that_is_revoked_is_none() -> None:
    """The document has come from the home server, which is asked for another welcome at once."""
    bench = homed.at_work()
    bench.send(Disconnected("gone"))
    bench.send(TrustChanged(TrustStanding(), frozenset(), told_stands=False))
    assert (obstacle(bench.state, bench.now), len(bench.every(fx.AskHome))) == (Reason.NOT_WELCOMED, 1)


def test_what_a_thief_of_the_key_of_welcomes_has_said_of_a_card_is_void_when_the_key_is() -> None:
    bench = put_back()
    bench.send(TrustChanged(TrustStanding(), frozenset(), marks_stand=False))
    assert verdict(bench, bench.at(60, job_id="new", serial=7)) == "planned"


def test_what_a_thief_of_the_key_of_welcomes_has_made_the_last_signed_time_is_void_when_the_key_is() -> None:
    bench = Bench().boot(welcomed=False)
    welcome(bench, utc=UtcMs(bench.now.utc + 365 * 24 * HOUR_MS))
    signed = UtcMs(bench.now.utc - HOUR_MS)
    standing = TrustStanding((replace(ROOT_1, version=2, issued_at=signed),))
    bench.send(TrustChanged(standing, frozenset(), told_stands=False, floor_stands=False))
    assert bench.state.trust.floor(bench.state.floor) == signed


def test_a_document_that_takes_no_key_of_welcomes_away_leaves_the_last_signed_time() -> None:
    bench = at_work()
    floor = bench.state.floor
    bench.send(TrustChanged(TrustStanding((ROOT_1,)), frozenset()))
    assert bench.state.floor == floor > 0


def test_a_restored_card_that_wrote_on_is_found_by_the_hash() -> None:
    """Its log is as long as the server's by now; but the record there is another one."""
    bench = Bench().boot(welcomed=False)
    three_records(bench)
    bench.deaf.add(fx.CompareLog)
    welcome(bench, serial_marks=((makers.ISSUER, 7),), log_epoch="e1", log_seq=3, log_hash="h3")
    assert bench.every(fx.CompareLog)[-1] == fx.CompareLog("e1", 3, "h3")
    before = bench.at(60, job_id="heard-as-well", serial=6)
    assert verdict(bench, before) == "waits", "the disk has not said yet whether it holds the same"
    bench.send(LogCompared("e1", 3, "h3", same=False))
    assert verdict(bench, before) == "maybe_heard"
    assert chain_of(bench)[1] == "after epoch=e1 seq=3 hash=h3"
    assert verdict(bench, bench.at(60, job_id="heard-before", serial=7)) == "maybe_heard"


def test_a_fork_of_a_chain_that_is_over_changes_nothing() -> None:
    bench = put_back()
    bench.send(LogCompared("e1", 3, "h3", same=False))
    chain_of(bench)


def test_a_card_that_holds_the_same_has_forgotten_nothing() -> None:
    bench = Bench().boot(welcomed=False)
    three_records(bench)
    bench.deaf.add(fx.CompareLog)
    welcome(bench, serial_marks=((makers.ISSUER, 7),), log_epoch="e1", log_seq=3, log_hash="h3")
    bulletin = bench.at(60, job_id="bulletin", serial=8)
    bench.send(LogCompared("e1", 3, "h3", same=True))
    assert (verdict(bench, bulletin), bench.state.forgotten) == ("planned", {})


def test_a_new_card_knows_from_the_welcome_that_there_was_another_one() -> None:
    bench = put_back(log_epoch="e0")
    chain, detail = chain_of(bench)
    assert (chain.epoch, detail) == ("e1", "after epoch=e0 seq=9 hash=h9"), "its chain is its own already"
    assert verdict(bench, bench.at(60, job_id="heard-before", serial=7)) == "maybe_heard"


def test_a_station_that_has_just_been_enrolled_has_forgotten_nothing() -> None:
    bench = put_back(log_epoch="", log_seq=0, log_hash="")
    assert bench.state.forgotten == {}
    assert verdict(bench, bench.at(60, job_id="the-first", serial=1)) == "planned"


def test_an_emergency_sounds_on_a_restored_card() -> None:
    """Whoever has the key of welcomes could say of any card that it was put back."""
    bench = put_back()
    assert verdict(bench, bench.order(job_id="lut", serial=7, **FLOOD)) == "planned"


def test_a_rehearsal_may_have_been_heard_before_a_card_was_put_back() -> None:
    """Only real warnings sound a second time."""
    bench = put_back()
    ahead = {"kind": "at", "utc": bench.now.utc + 60_000}
    drill = bench.order(job_id="drill", serial=7, rehearsal=True, when=ahead, **FLOOD)
    assert verdict(bench, drill) == "maybe_heard"


def test_what_only_silences_is_obeyed_by_a_restored_card() -> None:
    bench = put_back()
    lock = bench.rule(Lock(3 * HOUR_MS), serial=7)
    cancel = bench.rule(Cancel(JobId("heard-before"), UtcMs(bench.now.utc + HOUR_MS)), serial=7)
    assert {lock, cancel} <= bench.state.rules.keys()


def test_a_regulation_or_an_exception_may_be_an_old_one_on_a_restored_card() -> None:
    bench = put_back()
    for number, made in enumerate(
        (makers.make_regulation(serial=7, issuer=makers.ISSUER), makers.make_window(serial=7, issuer=makers.ISSUER))
    ):
        bench.arrive(AcceptedRule(made, f"digest {number}", ("k1",), "ward"))
    assert [reason for _, _, reason in bench.outcomes()][-2:] == ["maybe_heard", "maybe_heard"]


def test_what_a_manifest_vouches_for_is_no_replay() -> None:
    bench = put_back()
    job = bench.make(job_id="in-force", serial=7, when={"kind": "at", "utc": bench.now.utc + 60_000})
    bench.arrive(bench.accept(job), vouched=True)
    assert verdict(bench, job.job_id) == "planned"


# What came before the welcome did


def test_what_was_replayed_to_a_restored_card_before_its_welcome_is_refused_when_that_comes() -> None:
    bench = Bench().boot(welcomed=False)
    three_records(bench)
    replayed = bench.at(600, job_id="heard-before", serial=7)
    assert verdict(bench, replayed) == "waits"
    welcome(bench, serial_marks=((makers.ISSUER, 7),), log_epoch="e1", log_seq=9, log_hash="h9")
    assert verdict(bench, replayed) == "maybe_heard"
    assert bench.every(fx.CommitRecord)[-1].forget, "and the disk forgets it, or a restart would know it"
    job = bench.make(job_id=replayed, serial=7, when={"kind": "at", "utc": bench.now.utc + 600_000})
    bench.arrive(bench.accept(job), vouched=True)
    assert verdict(bench, replayed) == "planned", "a manifest has it in force"


def test_a_rule_that_was_replayed_before_the_welcome_is_refused_when_that_comes() -> None:
    bench = Bench().boot(welcomed=False)
    three_records(bench)
    lich = bench.timetable(1, makers.entry_dict(), serial=7)
    welcome(bench, serial_marks=((makers.ISSUER, 7),), log_epoch="e1", log_seq=9, log_hash="h9")
    assert (lich in bench.state.rules, bench.outcomes()[-1][2]) == (False, "maybe_heard")


@pytest.mark.parametrize("source", [ClockSource.SIGNED, ClockSource.FLOOR])
def test_a_timetable_for_a_day_to_come_waits_on_for_nobody_has_heard_it(source: ClockSource) -> None:
    bench = Bench().boot(welcomed=False)
    bench.now = replace(bench.now, source=source)  # without a clock chip the welcome is the first to tell the time
    three_records(bench)
    ahead = bench.timetable(2, makers.entry_dict(), serial=7, not_before=bench.now.utc + 24 * HOUR_MS)
    welcome(bench, serial_marks=((makers.ISSUER, 7),), log_epoch="e1", log_seq=9, log_hash="h9")
    assert bench.state.rules[ahead].held
    bench.now = replace(bench.now, source=ClockSource.SIGNED)
    later = bench.timetable(3, makers.entry_dict(), serial=6, not_before=bench.now.utc + 24 * HOUR_MS)
    assert bench.state.rules[later].held, "and so does one that comes now"


def test_while_nobody_can_tell_the_time_a_timetable_is_not_taken_for_one_of_a_day_to_come() -> None:
    """Or an old one that is sent again after a restart would be taken, and play when the time is known."""
    bench = Bench()
    bench.now = replace(bench.now, source=ClockSource.FLOOR)
    bench.send(Restored((), (), {}, 3, 3, "e1", forgotten={makers.ISSUER: 7}, forgot_by=b"word", chain_from=2))
    old = bench.timetable(1, makers.entry_dict(), serial=7)
    assert (old in bench.state.rules, bench.answers()) == (False, [("refused", "maybe_heard")])


def test_a_clock_that_is_behind_takes_no_old_timetable_for_one_of_a_day_to_come() -> None:
    """The day that NTP tells is before it; the welcome, which shows that this card has forgotten, is not."""
    bench = Bench().boot(welcomed=False)
    day = bench.now.utc
    bench.now = replace(bench.now, utc=UtcMs(day - 24 * HOUR_MS), source=ClockSource.NTP, signed=False)
    three_records(bench)
    old = bench.timetable(1, makers.entry_dict(), serial=7, issued_at=bench.now.utc, not_before=day)
    assert bench.state.rules[old].held
    welcome(bench, utc=UtcMs(day + 1), serial_marks=((makers.ISSUER, 7),), log_epoch="e1", log_seq=9, log_hash="h9")
    assert (old in bench.state.rules, bench.outcomes()[-1][2]) == (False, "maybe_heard")


def test_what_a_manifest_brought_before_the_welcome_is_not_refused_when_that_comes() -> None:
    bench = Bench().boot(welcomed=False)
    three_records(bench)
    job = bench.make(job_id="in-force", serial=7, when={"kind": "at", "utc": bench.now.utc + 60_000})
    bench.arrive(bench.accept(job), vouched=True)
    welcome(bench, serial_marks=((makers.ISSUER, 7),), log_epoch="e1", log_seq=9, log_hash="h9")
    assert verdict(bench, job.job_id) == "planned"


def test_the_last_signed_time_never_goes_back() -> None:
    bench = at_work()
    floor = bench.state.floor
    bench.state = replace(bench.state, link=replace(bench.state.link, nonce="cd" * 16))
    earlier = Welcome("cd" * 16, UtcMs(floor - HOUR_MS), (), (), "", 0, "")
    bench.arrive(earlier, makers.WELCOME_TOPIC)
    assert bench.state.floor == floor


def test_a_welcome_years_ahead_binds_no_longer_than_the_root_of_its_day() -> None:
    """The next root ends later: what was said under the one before must not grow with it."""
    bench = believing(replace(ROOT_1, expires=UtcMs(makers.NOON + HOUR_MS)))
    welcome(bench, utc=UtcMs(2**41))
    bench.send(TrustChanged(TrustStanding((replace(ROOT_1, version=2),)), frozenset()))
    assert bench.state.trust.floor(bench.state.floor) == makers.NOON + HOUR_MS


def test_a_new_card_sends_no_log_before_the_welcome_that_tells_it_to_be_new() -> None:
    """A broker could hold the welcome back until the centre has the new chain, and the old one is not spoken of."""
    bench = Bench().boot(welcomed=False)
    bench.send(RecordSaved(1))
    assert bench.every(fx.SendLog) == []
    welcome(bench, serial_marks=((makers.ISSUER, 7),), log_epoch="e0", log_seq=9, log_hash="h9")
    assert bench.every(fx.SendLog) == [fx.SendLog(0)]
