"""A key that is revoked orders nothing from that moment; documents that have expired stop routine, and no warning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core import entrusted, explain
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.effects import Verdict
from edge_agent.core.events import Connected, Disconnected, HelloDue, JobSaved, RecordSaved, Restored, TrustChanged
from edge_agent.core.key_hours import DOCUMENTS_AN_HOUR
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import AllStop, Lock
from edge_agent.core.reasons import Reason
from edge_agent.core.talk import HELLO_AGAIN_MS
from edge_agent.core.trust_standing import TRUST_GRACE_MS, AcceptedTrust, TrustHead, TrustStanding
from edge_agent.core.units import DAY_MS, HOUR_MS, JobId, UtcMs
from edge_agent.core.wall_time import local_time
from tests.core.bench import CHO, Bench, at_work
from tests.trust import makers

EMERGENCY: dict[str, Any] = {"class": "emergency", "event": "lu-quet"}


def standing(expires: int) -> TrustStanding:
    return TrustStanding((TrustHead("", 0, 1, UtcMs(expires)), TrustHead(makers.AREA, 1, 4, UtcMs(expires + 1))))


def revoke(bench: Bench, *orders: JobId) -> None:
    bench.send(TrustChanged(standing(bench.now.utc + 90 * DAY_MS), frozenset(orders)))


def expire(bench: Bench, ago_ms: int) -> None:
    """The first document has expired so long ago."""
    bench.send(TrustChanged(standing(bench.now.utc - ago_ms), frozenset()))


def test_a_document_is_believed_before_the_disk_has_it_and_answered() -> None:
    bench = at_work()
    said = bench.arrive(AcceptedTrust("d", makers.AREA, bench.now.utc))
    assert [type(effect) for effect in said[:3]] == [fx.Ack, fx.TakeTrust, fx.SendAnswer]
    assert isinstance(said[1], fx.TakeTrust)
    assert said[1].area == makers.AREA
    assert bench.answers() == [("accepted", None)]


def document(bench: Bench, number: int, area: str = makers.AREA) -> None:
    bench.arrive(AcceptedTrust(f"d-{number}", area, bench.now.utc))


def test_who_signs_documents_without_end_has_a_station_write_so_many_an_hour_and_those_above_are_heard() -> None:
    bench = at_work()
    for number in range(DOCUMENTS_AN_HOUR + 20):
        document(bench, number)
    taken, refused = ("accepted", None), ("refused", "too_many_orders")
    assert bench.answers() == [taken] * DOCUMENTS_AN_HOUR + [refused] * 20
    assert len(bench.every(fx.TakeTrust)) == DOCUMENTS_AN_HOUR
    document(bench, 200, "vn")
    document(bench, 201, "")
    assert bench.answers()[-2:] == [taken, taken]
    bench.pass_s(3_600)
    document(bench, 202)
    assert bench.answers()[-1] == taken, "in the next hour"


def test_the_documents_of_the_next_hour_are_counted_as_those_of_the_one_before() -> None:
    bench = at_work()
    document(bench, 0)
    bench.pass_s(3_600)
    for number in range(1, DOCUMENTS_AN_HOUR + 2):
        document(bench, number)
    assert bench.answers()[-2:] == [("accepted", None), ("refused", "too_many_orders")]


def test_a_document_that_is_not_believed_leaves_the_hours_to_those_that_are() -> None:
    """A broker brings one from the future as often as it will."""
    bench = at_work()
    ahead = AcceptedTrust("ahead", makers.AREA, UtcMs(bench.now.utc + HOUR_MS))
    for _ in range(DOCUMENTS_AN_HOUR):
        bench.arrive(ahead)
    document(bench, 1)
    assert bench.answers()[-2:] == [("refused", "not_yet_valid"), ("accepted", None)]


def test_what_a_manifest_lists_is_believed_however_many_documents_came() -> None:
    bench = at_work()
    for number in range(DOCUMENTS_AN_HOUR):
        document(bench, number)
    bench.arrive(AcceptedTrust("listed", makers.AREA, bench.now.utc), vouched=True)
    assert bench.answers()[-1] == ("accepted", None)


def test_a_restart_that_a_thief_has_ordered_gives_him_no_new_documents() -> None:
    bench = at_work()
    for number in range(DOCUMENTS_AN_HOUR):
        document(bench, number)
    again = Bench()
    again.now = bench.now
    again.send(Restored((), (), {}, 0, 0, "e1", spent=bench.state.spent))
    document(again, DOCUMENTS_AN_HOUR)
    assert again.answers() == [("refused", "too_many_orders")]


def test_a_document_from_the_future_is_not_believed_before_its_time() -> None:
    bench = at_work()
    for ahead_ms, taken in ((119_000, 1), (121_000, 0)):
        said = bench.arrive(AcceptedTrust(f"{ahead_ms}", makers.AREA, UtcMs(bench.now.utc + ahead_ms)))
        assert len([effect for effect in said if isinstance(effect, fx.TakeTrust)]) == taken
    assert bench.answers() == [("accepted", None), ("refused", "not_yet_valid")]


def test_a_new_servers_welcome_that_is_kept_back_does_not_keep_the_station_from_resting() -> None:
    """Its log was under way to the server before: when it was due again nothing was sent, and the core never slept."""
    bench = at_work()
    bench.send(RecordSaved(3))
    assert len(bench.every(fx.SendLog)) == 1
    bench.send(TrustChanged(standing(bench.now.utc + 90 * DAY_MS), frozenset(), told_stands=False))
    for _ in range(9):
        bench.pass_s(HELLO_AGAIN_MS / 1000)
        assert bench.wakes_in_ms() > 0
    bench.welcome()
    assert len(bench.every(fx.SendLog)) == 2


def test_a_new_server_is_asked_for_the_time_by_the_next_session_where_nobody_is_there_to_ask() -> None:
    """Asked for at once without a session or a home server, it was due again in each step: the core never slept."""
    bench = at_work()
    bench.send(Disconnected("gone"))
    bench.send(TrustChanged(standing(bench.now.utc + 90 * DAY_MS), frozenset(), told_stands=False))
    assert bench.wakes_in_ms() > 0
    assert bench.every(fx.SendHello) == []
    bench.send(Connected(2, "cd" * 16))
    assert len(bench.every(fx.SendHello)) == 1


def test_by_a_clock_that_nobody_trusts_no_document_is_believed() -> None:
    bench = at_work()
    bench.now = replace(bench.now, source=ClockSource.FLOOR)
    said = bench.arrive(AcceptedTrust("d", makers.AREA, UtcMs(0)))
    assert not [effect for effect in said if isinstance(effect, fx.TakeTrust)]
    assert bench.answers() == [("refused", "clock_not_trusted")]


def test_the_same_document_again_changes_nothing() -> None:
    bench = at_work()
    said = bench.arrive(AcceptedTrust("d", "", UtcMs(0), again=True))
    assert not [effect for effect in said if isinstance(effect, fx.TakeTrust)]
    assert bench.answers() == [(Verdict.KNOWN.value, "replayed")]


def test_what_a_revoked_key_has_ordered_falls_silent_at_once() -> None:
    bench = at_work()
    playing, waiting = bench.playing(), bench.at(3_600, job_id="waiting")
    revoke(bench, playing, waiting)
    assert bench.every(fx.StopPlay)
    bench.end(playing, Reason.SHUTDOWN, ms=1_000)
    assert (playing, "interrupted", "key_revoked") in bench.outcomes()
    assert (waiting, "cancelled", "key_revoked") in bench.outcomes()
    assert not bench.state.jobs


def test_an_emergency_of_a_revoked_key_falls_silent_too() -> None:
    bench = at_work()
    flood = bench.playing(job_id="flood", **EMERGENCY)
    revoke(bench, flood)
    assert bench.every(fx.StopPlay)


def test_what_others_have_ordered_goes_on() -> None:
    bench = at_work()
    mine, theirs = bench.playing(), bench.at(3_600, job_id="theirs")
    revoke(bench, theirs)
    assert bench.phase(mine) is Phase.PLAYING
    assert ("theirs", "cancelled", "key_revoked") in bench.outcomes()


def test_a_lock_of_a_revoked_key_is_lifted_and_an_all_stop_ends() -> None:
    bench = at_work()
    lock = bench.rule(Lock(2 * HOUR_MS), zones=(CHO,))
    stop = bench.rule(AllStop(600_000))
    revoke(bench, lock, stop)
    assert not bench.state.rules
    assert bench.answers() == [("accepted", None)] * 2, "neither is answered again"
    bulletin = bench.order()
    bench.pass_s(1)
    assert bench.phase(bulletin) is Phase.PLAYING


def test_a_lock_of_a_revoked_key_does_not_hold_on_while_the_disk_is_busy() -> None:
    bench = at_work()
    bench.deaf = {fx.SaveJob}
    lock = bench.rule(Lock(2 * HOUR_MS), zones=(CHO,))
    revoke(bench, lock)
    assert not bench.state.rules
    assert bench.answers() == [("refused", "key_revoked")]


@pytest.mark.parametrize(("past_ms", "sounds"), [(TRUST_GRACE_MS - 1_000, True), (TRUST_GRACE_MS + 1_000, False)])
def test_expired_documents_stop_routine_after_their_grace(past_ms: int, sounds: bool) -> None:
    bench = at_work()
    expire(bench, past_ms)
    bench.order(job_id="bulletin")
    bench.pass_s(1)
    assert (JobId("bulletin") in bench.state.jobs) is sounds
    assert bench.answers()[-1] == (("accepted", None) if sounds else ("refused", "trust_expired"))


def test_expired_documents_stop_what_was_planned_before() -> None:
    bench = at_work()
    planned = bench.at(60, job_id="planned")
    expire(bench, TRUST_GRACE_MS + 1_000)
    bench.pass_s(60)
    bench.pass_s(1)
    assert (planned, "rejected", "trust_expired") in bench.outcomes()


@pytest.mark.parametrize("device_answers", [True, False], ids=["the device has it", "its relays are closing"])
def test_what_has_its_relays_closed_does_not_begin_when_the_grace_is_shown_to_be_over(device_answers: bool) -> None:
    """A document that a station had missed came in the second before the first sample."""
    bench = at_work()
    if not device_answers:
        bench.deaf |= {fx.SwitchRelay}
    planned = bench.at(60, job_id="planned")
    bench.pass_s(59)
    assert bench.phase(planned) is (Phase.PLAYING if device_answers else Phase.ARMED)
    expire(bench, TRUST_GRACE_MS + 1_000)
    bench.pass_s(0.1)
    if device_answers:
        assert len(bench.every(fx.StopPlay)) == 1
        bench.end(planned, Reason.STOPPED, ms=0)
    bench.pass_s(5)
    assert bench.closed() == set()
    assert bench.outcomes() == [(planned, "interrupted" if device_answers else "rejected", "trust_expired")]


@pytest.mark.parametrize("past_ms", [TRUST_GRACE_MS - 1_000, TRUST_GRACE_MS + 1_000])
def test_what_sounds_when_the_grace_is_shown_to_be_over_is_heard_to_its_end(past_ms: int) -> None:
    bench = at_work()
    bulletin = bench.playing(job_id="bulletin")
    bench.pass_s(2)
    expire(bench, past_ms)
    bench.pass_s(1)
    assert bench.every(fx.StopPlay) == []
    assert bench.phase(bulletin) is Phase.PLAYING


def test_expired_documents_never_stop_an_emergency() -> None:
    bench = at_work()
    expire(bench, TRUST_GRACE_MS + 400 * DAY_MS)
    flood = bench.order(job_id="flood", **EMERGENCY)
    bench.pass_s(1)
    assert bench.phase(flood) is Phase.PLAYING


@pytest.mark.parametrize(("source", "over"), [(ClockSource.SIGNED, True), (ClockSource.DISPUTED, False)])
def test_by_a_clock_that_nobody_trusts_nothing_has_expired(source: ClockSource, over: bool) -> None:
    """A clock put forward by years must not silence a ward by itself."""
    bench = at_work()
    job = bench.make()
    expire(bench, TRUST_GRACE_MS + DAY_MS)
    assert entrusted.expired(bench.state, job, replace(bench.now, source=source)) is over


def test_a_rehearsal_is_no_emergency_that_expiry_lets_pass() -> None:
    bench = at_work()
    expire(bench, TRUST_GRACE_MS + DAY_MS)
    bench.order(job_id="drill", rehearsal=True, when={"kind": "at", "utc": bench.now.utc + 60_000}, **EMERGENCY)
    assert bench.answers()[-1] == ("refused", "trust_expired")


def test_a_plan_and_what_is_next_tell_that_nothing_will_sound_when_documents_have_expired() -> None:
    """Else whoever asks at the station why it is silent hears that it is not time yet."""
    bench = at_work()
    bench.at(3_600, job_id="planned")
    expire(bench, TRUST_GRACE_MS + 1_000)
    (entry,) = explain.day_sheet(bench.state, bench.now, local_time(bench.now.utc, "Asia/Ho_Chi_Minh").date()).plan
    (shown,) = explain.upcoming(bench.state, bench.now)
    assert entry.reason is shown.reason is Reason.TRUST_EXPIRED


def test_an_order_that_is_revoked_before_the_disk_has_answered_is_answered() -> None:
    bench = at_work()
    bench.deaf = {fx.SaveJob}
    waiting = bench.at(3_600, job_id="waiting")
    revoke(bench, waiting)
    bench.send(JobSaved(waiting))
    assert bench.answers() == [("refused", "key_revoked")]


def test_a_new_root_does_not_wait_for_a_clock_that_only_it_can_bring() -> None:
    bench = at_work()
    bench.now = replace(bench.now, source=ClockSource.FLOOR)
    said = bench.arrive(AcceptedTrust("d", "", UtcMs(bench.now.utc + DAY_MS)))
    assert [effect for effect in said if isinstance(effect, fx.TakeTrust)]


def test_expired_documents_are_told_at_every_hello() -> None:
    bench = at_work()
    expire(bench, DAY_MS)
    bench.send(HelloDue())
    assert [note.what for note in bench.every(fx.Note) if note.level is fx.Level.ERROR] == [
        "trust documents have expired"
    ]
    bench.said.clear()
    expire(bench, -DAY_MS)
    bench.send(HelloDue())
    assert not [note for note in bench.every(fx.Note) if note.level is fx.Level.ERROR]


def test_what_was_believed_is_known_after_a_restart() -> None:
    bench = Bench()
    believed = standing(makers.NOON + DAY_MS)
    bench.send(Restored((), (), {}, 0, 0, "e1", trust=believed))
    assert bench.state.trust == believed
    assert bench.state.trust.routine_until == makers.NOON + DAY_MS + TRUST_GRACE_MS


def test_what_was_over_when_the_new_bounds_were_heard_of_does_not_come_back() -> None:
    """The judge looks at the orders that there are; the core may have ended one before it hears what he found."""
    before, bench = at_work(), at_work()
    job, rule = before.at(3_600), before.rule(Lock(2 * HOUR_MS), zones=(CHO,))
    today = before.state.jobs[job].accepted, before.state.rules[rule].accepted
    bench.send(TrustChanged(bench.state.trust, frozenset(), changed=today))
    assert (bench.state.jobs, bench.state.rules) == ({}, {})
