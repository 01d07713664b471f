"""What is said to the central side, and when it is said again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edge_agent.core import effects as fx
from edge_agent.core import explain, station
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.events import (
    Connected,
    DeviceUp,
    Disconnected,
    HeartbeatDue,
    HelloDue,
    HomeAnswered,
    JobSaved,
    LogCompared,
    RecordSaved,
    RelayChanged,
    Restored,
    SweepDue,
    Tick,
)
from edge_agent.core.job import LogAck, PlayAt, Welcome
from edge_agent.core.order import Choose, Lock, SetVolume
from edge_agent.core.talk import (
    COARSE_MS,
    FINER_AFTER_MS,
    FINER_HELLOS,
    HELLO_AGAIN_MS,
    HOME_AGAIN_MS,
    HOME_FIRST_MS,
    LOG_AGAIN_MS,
    SHOW_AGAIN_MS,
    SHOW_RARELY_MS,
    SHOWS_AN_HOUR,
)
from edge_agent.core.units import HOUR_MS, JobId, MonoMs, UtcMs
from tests.core.bench import CHO, CLIP_MS, Bench, at_work
from tests.trust import makers


def test_an_unanswered_hello_is_repeated() -> None:
    bench = Bench().boot(welcomed=False)
    wake = station.next_wake(bench.state, bench.now)
    assert wake == bench.state.link.asked_at + HELLO_AGAIN_MS
    bench.pass_s(HELLO_AGAIN_MS / 1000)
    assert len(bench.every(fx.SendHello)) == 1


def coarse(bench: Bench, ms: int = COARSE_MS + 1) -> None:
    """The next hello is answered so much later."""
    bench.now = replace(bench.now, mono=MonoMs(bench.now.mono + ms), utc=UtcMs(bench.now.utc + ms))
    bench.welcome()


def test_a_coarse_first_welcome_is_asked_for_again_while_the_radio_is_awake() -> None:
    bench = Bench().boot(welcomed=False)
    bench.now = replace(bench.now, source=ClockSource.FLOOR)
    coarse(bench)
    assert station.next_wake(bench.state, bench.now) == bench.now.mono + FINER_AFTER_MS
    bench.pass_s(FINER_AFTER_MS / 1000)
    assert len(bench.every(fx.SendHello)) == 1
    coarse(bench, COARSE_MS)
    bench.pass_s(10 * FINER_AFTER_MS / 1000)
    assert len(bench.every(fx.SendHello)) == 1, "fine enough"


def test_a_line_that_is_always_slow_is_asked_three_times_a_session() -> None:
    bench = Bench().boot(welcomed=False)
    bench.now = replace(bench.now, source=ClockSource.FLOOR)
    for _ in range(FINER_HELLOS):
        coarse(bench)
        bench.pass_s(FINER_AFTER_MS / 1000)
    assert len(bench.every(fx.SendHello)) == FINER_HELLOS - 1
    assert bench.state.link.hello_again_at is None


def test_who_knows_the_time_already_asks_for_none_that_is_finer() -> None:
    bench = Bench().boot(welcomed=False)
    coarse(bench)
    assert bench.state.link.hello_again_at is None


def test_freshness_is_proven_again_when_the_scheduler_says_so() -> None:
    bench = Bench().boot()
    bench.send(HelloDue())
    assert len(bench.every(fx.SendHello)) == 1


def test_nothing_is_said_without_a_session() -> None:
    bench = Bench().boot()
    bench.send(Disconnected("gone"))
    bench.said.clear()
    bench.send(HelloDue())
    bench.send(HeartbeatDue())
    bench.send(RecordSaved(1))
    assert bench.said == []


def test_a_heartbeat_goes_out() -> None:
    bench = Bench().boot()
    bench.send(HeartbeatDue())
    assert bench.every(fx.SendHeartbeat) == [fx.SendHeartbeat()]


def test_records_are_sent_from_the_cursor_on_and_again_until_acknowledged() -> None:
    bench = Bench().boot()
    bench.send(RecordSaved(1))
    bench.send(RecordSaved(2))
    assert bench.every(fx.SendLog) == [fx.SendLog(0)]
    assert station.next_wake(bench.state, bench.now) == bench.now.mono + LOG_AGAIN_MS
    bench.pass_s(LOG_AGAIN_MS / 1000)
    bench.arrive(LogAck("e1", 1, "h"), makers.ACK_TOPIC)
    assert bench.every(fx.SendLog) == [fx.SendLog(0), fx.SendLog(0), fx.SendLog(1)]
    (saved,) = bench.every(fx.SaveLogAck)
    assert (saved.epoch, saved.seq, saved.word != b"") == ("e1", 1, True)


def test_an_acknowledgement_of_another_log_moves_nothing() -> None:
    bench = Bench().boot()
    bench.deaf = {fx.CompareLog}
    bench.send(RecordSaved(1))
    bench.arrive(LogAck("e1", 1, "another"), makers.ACK_TOPIC)
    (asked,) = bench.every(fx.CompareLog)
    bench.send(LogCompared("e1", 1, "another", same=False, word=asked.word))
    assert (bench.state.link.acked_seq, bench.every(fx.SaveLogAck)) == (0, [])
    bench.send(LogCompared("e1", 1, "ours", same=True, word=asked.word))
    assert (bench.state.link.acked_seq, len(bench.every(fx.SaveLogAck))) == (1, 1)


def test_a_broker_that_takes_records_for_a_headend_that_is_down_is_not_sent_them_each_minute() -> None:
    """Each batch may have 48 kB, and the SIM pays for it: 1,441 of them a day."""
    bench = Bench().boot()
    bench.send(RecordSaved(1))
    for minute in range(24 * 60):
        bench.pass_s(60)
        bench.send(RecordSaved(2 + minute))
    assert len(bench.every(fx.SendLog)) <= 30
    bench.said.clear()
    bench.send(HelloDue())
    bench.welcome()
    assert bench.every(fx.SendLog) == [fx.SendLog(0)], "it is back, and may hold a log as well"
    bench.pass_s(LOG_AGAIN_MS / 1000)
    assert len(bench.every(fx.SendLog)) == 2
    bench.arrive(LogAck("e1", 1, "h"), makers.ACK_TOPIC)
    assert bench.every(fx.SendLog)[-1] == fx.SendLog(1), "and goes on at once"


def test_nor_is_one_that_hangs_up_each_minute() -> None:
    """Each connection began anew, with a batch of up to 48 kB at once: 67 MB of SIM a day."""
    bench = Bench().boot()
    bench.send(RecordSaved(1))
    for number in range(24 * 60):
        bench.pass_s(58)
        bench.send(Disconnected("gone"))
        bench.pass_s(2)
        bench.send(Connected(2 + number, f"{number:032x}"))
        wake = station.next_wake(bench.state, bench.now)
        assert wake is None or wake > bench.now.mono
    assert len(bench.every(fx.SendLog)) <= 31
    bench.said.clear()
    bench.welcome()
    assert bench.every(fx.SendLog) == [fx.SendLog(0)], "its headend is back"
    for _ in range(2):
        bench.send(Disconnected("gone"))
        bench.send(Connected(9_000, "cd" * 16))
        bench.welcome()
    assert len(bench.every(fx.SendLog)) == 3, "a line that breaks off has it at once, as long as somebody answers"


def _three_records_acknowledged(bench: Bench) -> None:
    for seq in (1, 2, 3):
        bench.send(RecordSaved(seq))
    bench.arrive(LogAck("e1", 3, "h"), makers.ACK_TOPIC)
    bench.said.clear()
    bench.send(HelloDue())


def _welcome(bench: Bench, epoch: str, seq: int) -> None:
    welcome = Welcome(bench.state.link.nonce, bench.now.utc, (), (), epoch, seq, "h")
    bench.arrive(welcome, makers.WELCOME_TOPIC)


def test_a_server_restored_from_a_backup_gets_what_it_has_lost_again() -> None:
    bench = Bench().boot()
    _three_records_acknowledged(bench)
    _welcome(bench, "e1", 1)
    assert bench.every(fx.SendLog) == [fx.SendLog(1)]


def test_a_server_that_has_lost_the_whole_log_gets_all_of_it_again() -> None:
    bench = Bench().boot()
    _three_records_acknowledged(bench)
    _welcome(bench, "", 0)
    assert bench.every(fx.SendLog) == [fx.SendLog(0)]


def test_a_server_that_holds_more_than_this_card_is_noted() -> None:
    bench = Bench().boot()
    _three_records_acknowledged(bench)
    _welcome(bench, "e1", 9)
    assert "this card has forgotten what it did" in [note.what for note in bench.every(fx.Note)]
    assert bench.every(fx.SendLog) == []


def test_a_new_session_goes_on_with_the_log_at_once() -> None:
    bench = Bench().boot()
    bench.send(RecordSaved(1))
    bench.send(Disconnected("gone"))
    bench.send(Connected(2, "cd" * 16))
    assert bench.every(fx.SendLog) == [fx.SendLog(0), fx.SendLog(0)]


def test_changes_within_half_a_second_go_into_one_state() -> None:
    bench = Bench().boot()
    bench.pass_s(1)
    job = bench.order()
    assert len(bench.every(fx.SendState)) == 1
    assert station.next_wake(bench.state, bench.now) == bench.now.mono + SHOW_AGAIN_MS
    bench.pass_s(SHOW_AGAIN_MS / 1000)
    assert len(bench.every(fx.SendState)) == 2
    bench.pass_s(1)
    assert len(bench.every(fx.SendState)) == 2, "nothing new"
    bench.pass_s(CLIP_MS / 1000)
    bench.end(job)
    assert len(bench.every(fx.SendState)) == 3


def test_a_contact_that_chatters_is_not_shown_each_second_all_day_long() -> None:
    """The whole state may have 48 kB on the line, and has some 8: it were 700 MB of SIM a day."""
    bench = Bench().boot()
    bench.pass_s((HOUR_MS - bench.now.mono % HOUR_MS) / 1000)
    bench.said.clear()
    for second in range(2 * 3_600):
        bench.send(RelayChanged(CHO, bool(second % 2), "by itself", bench.now.mono))
        bench.pass_s(1)
    shown = len(bench.every(fx.SendState))
    assert 2 * SHOWS_AN_HOUR < shown <= 2 * (SHOWS_AN_HOUR + HOUR_MS // SHOW_RARELY_MS)
    bench.pass_s(HOUR_MS / 1000)
    shown = len(bench.every(fx.SendState))
    for on in (False, True):
        bench.send(RelayChanged(CHO, on, "by itself", bench.now.mono))
        bench.pass_s(SHOW_AGAIN_MS / 1000)
    assert len(bench.every(fx.SendState)) == shown + 2, "in the next hour each change is shown again"


def test_a_change_that_is_undone_before_it_was_shown_is_not_shown() -> None:
    bench = Bench().boot()
    bench.pass_s(1)
    bench.at(60)
    shown = bench.state
    bench.send(Disconnected("gone"))
    bench.state = replace(bench.state, link=shown.link)
    assert bench.send(Tick()) == []


def test_what_is_to_come_is_shown_once_the_disk_has_it() -> None:
    bench = at_work()
    bench.pass_s(1)
    bench.deaf.add(fx.SaveJob)
    shown = len(bench.every(fx.SendState))
    job = bench.at(3_600)
    bench.pass_s(1)
    assert len(bench.every(fx.SendState)) == shown, "nothing of it is planned yet"
    bench.send(JobSaved(job))
    bench.pass_s(1)
    assert [one.job_id for one in explain.upcoming(bench.state, bench.now)] == [job]
    assert len(bench.every(fx.SendState)) == shown + 1


def test_what_a_timetable_plays_is_shown_when_the_disk_has_put_it_in_force() -> None:
    bench = at_work()
    in_two_hours = {"kind": "at", "utc": bench.now.utc + 2 * HOUR_MS}
    ahead = bench.timetable(1, makers.entry_dict("sang", when=in_two_hours), not_before=bench.now.utc + HOUR_MS)
    bench.deaf.add(fx.ReleaseJob)
    bench.pass_s(3_600)
    bench.pass_s(1)
    shown = len(bench.every(fx.SendState))
    bench.send(JobSaved(ahead))
    bench.pass_s(1)
    assert [one.job_id for one in explain.upcoming(bench.state, bench.now)] == ["sang"]
    assert len(bench.every(fx.SendState)) == shown + 1


def test_the_sweep_keeps_what_a_known_job_needs() -> None:
    bench = Bench().boot()
    bench.at(60)
    bench.send(SweepDue())
    (sweep,) = bench.every(fx.Sweep)
    assert sweep.keep == {"ab" * 32}
    assert sweep.now == bench.now.utc


def test_a_welcome_that_answers_no_hello_of_ours_is_refused_by_name() -> None:
    bench = Bench().boot(welcomed=False)
    bench.welcome("ff" * 16)
    assert not bench.state.welcomed
    (note,) = [note for note in bench.every(fx.Note) if note.what == "welcome refused"]
    assert dict(note.fields)["reason"] == "not_our_nonce"


def test_a_volume_that_a_command_sets_is_shown_at_once() -> None:
    bench = at_work()
    bench.pass_s(1)
    shown = len(bench.every(fx.SendState))
    bench.rule(SetVolume(0), zones=[CHO])
    bench.pass_s(1)
    assert len(bench.every(fx.SendState)) == shown + 1
    bench.rule(SetVolume(60), zones=[CHO])
    bench.pass_s(1)
    assert len(bench.every(fx.SendState)) == shown + 2


def test_a_lock_and_its_end_and_an_offer_that_is_gone_are_shown_at_once() -> None:
    bench = at_work()
    in_a_day = {"kind": "at", "utc": bench.now.utc + 24 * HOUR_MS}
    bench.arrive(replace(bench.accept(bench.make(job_id="offer", when=in_a_day)), offered=True))
    bench.pass_s(1)
    shown = len(bench.every(fx.SendState))
    for act in (
        lambda: bench.rule(Lock(HOUR_MS)),
        lambda: bench.pass_s(3_600),
        lambda: bench.rule(Choose(JobId("offer"), PlayAt(UtcMs(bench.now.utc + 60_000)))),
    ):
        act()
        bench.pass_s(1)
        assert len(bench.every(fx.SendState)) > shown, act
        shown = len(bench.every(fx.SendState))


# By the home server, where the broker does not bring the answer


def homely(**site: Any) -> Bench:
    """A station with a home server, before anybody has answered it."""
    bench = Bench(polls_home=True, **site)
    bench.send(Restored((), (), {}, 0, 0, "e1", seed="ef" * 16))
    bench.send(DeviceUp())
    return bench


def test_a_broker_that_keeps_the_welcome_is_gone_round_after_two_hellos() -> None:
    bench = homely()
    bench.send(Connected(1, "ab" * 16))
    for _ in range(2):
        assert bench.every(fx.AskHome) == []
        bench.pass_s(HELLO_AGAIN_MS / 1000)
    (asked,) = bench.every(fx.AskHome)
    assert asked.nonce == bench.every(fx.SendHello)[-1].nonce, "the first answer counts, whichever way it comes"
    bench.welcome(asked.nonce)
    assert bench.state.welcomed


def test_where_nobody_answers_for_a_day_the_home_server_is_asked_a_hundred_times_and_not_three_thousand() -> None:
    """The headend is down, and with it who would answer at home: each question there is a TLS connection of 6 kB."""
    bench = homely()
    bench.send(Connected(1, "ab" * 16))
    for _ in range(24 * HOUR_MS // HELLO_AGAIN_MS):
        bench.pass_s(HELLO_AGAIN_MS / 1000)
        if bench.state.link.asking_home:
            bench.send(HomeAnswered(None))
    assert len(bench.every(fx.AskHome)) == 4 + 24 * HOUR_MS // HOME_AGAIN_MS


def test_without_a_session_the_home_server_is_asked_soon_and_then_now_and_then() -> None:
    bench = homely()
    first_ms = HOME_FIRST_MS + bench.state.site.share_of(HOME_FIRST_MS)
    bench.pass_s(first_ms / 1000 - 1)
    assert bench.every(fx.AskHome) == []
    bench.pass_s(1)
    bench.send(HomeAnswered(None))
    bench.pass_s(HOME_AGAIN_MS / 1000)
    first, second = bench.every(fx.AskHome)
    assert first.nonce != second.nonce
    bench.send(HomeAnswered(None))
    assert station.next_wake(bench.state, bench.now) == bench.now.mono + HOME_AGAIN_MS
    bench.pass_s(HOME_AGAIN_MS / 1000)
    bench.welcome(bench.every(fx.AskHome)[-1].nonce)
    assert bench.state.welcomed
    assert bench.every(fx.SendHello) == []


def test_a_slow_home_server_is_not_asked_again_while_its_answer_is_on_the_way() -> None:
    """Each question has a nonce of its own: asked again meanwhile, no answer would ever be the answer."""
    bench = homely()
    bench.pass_s(2 * HOME_FIRST_MS / 1000)
    bench.pass_s(10 * HOME_AGAIN_MS / 1000)
    (asked,) = bench.every(fx.AskHome)
    welcome = Welcome(asked.nonce, bench.now.utc, (), (), "", 0, "")
    bench.send(HomeAnswered(bench.message(welcome, makers.WELCOME_TOPIC)))
    assert bench.every(fx.AskHome)[-1].nonce != asked.nonce, "too late to tell the time by: asked again at once"
    welcome = Welcome(bench.every(fx.AskHome)[-1].nonce, bench.now.utc, (), (), "", 0, "")
    bench.send(HomeAnswered(bench.message(welcome, makers.WELCOME_TOPIC)))
    assert bench.state.welcomed


def test_attempts_that_fail_do_not_put_off_the_question_at_home() -> None:
    bench = homely()
    for _ in range(10):
        bench.pass_s(30)
        bench.send(Disconnected("refused"))
    assert len(bench.every(fx.AskHome)) == 1


def test_a_broker_that_hangs_up_after_every_hello_is_gone_round_too() -> None:
    bench = homely()
    for number in range(1, 5):
        bench.send(Connected(number, f"{number:02}" * 16))
        bench.pass_s(10)
        bench.send(Disconnected("gone"))
        bench.pass_s(4)
    assert bench.every(fx.AskHome) != []


def test_a_broker_that_hangs_up_does_not_void_what_the_home_server_was_asked() -> None:
    bench = homely()
    bench.send(Connected(1, "ab" * 16))
    for _ in range(2):
        bench.pass_s(HELLO_AGAIN_MS / 1000)
    (asked,) = bench.every(fx.AskHome)
    bench.send(Disconnected("gone"))
    bench.pass_s(1)
    welcome = Welcome(asked.nonce, bench.now.utc, (), (), "", 0, "")
    bench.send(HomeAnswered(bench.message(welcome, makers.WELCOME_TOPIC)))
    assert bench.state.welcomed


def test_a_home_server_that_has_answered_is_not_asked_again_for_every_attempt_that_fails() -> None:
    bench = homely()
    bench.pass_s(2 * HOME_FIRST_MS / 1000)
    welcome = Welcome(bench.every(fx.AskHome)[-1].nonce, bench.now.utc, (), (), "", 0, "")
    bench.send(HomeAnswered(bench.message(welcome, makers.WELCOME_TOPIC)))
    assert bench.state.welcomed
    for _ in range(60):
        bench.pass_s(60)
        bench.send(Disconnected("refused"))
    assert len(bench.every(fx.AskHome)) == 1


def test_while_the_home_server_is_asked_a_lost_session_makes_nobody_spin() -> None:
    bench = homely()
    bench.pass_s(2 * HOME_FIRST_MS / 1000)
    bench.send(Connected(1, "ab" * 16))
    bench.send(Disconnected("gone"))
    for _ in range(20):
        bench.pass_s(60)
        assert bench.wakes_in_ms() > 0
    bench.send(HomeAnswered(None))
    bench.pass_s(HOME_AGAIN_MS / 1000)
    assert len(bench.every(fx.AskHome)) == 2


def test_a_ward_that_has_lost_its_broker_does_not_ask_the_home_server_together() -> None:
    firsts = set()
    for number in range(50):
        bench = homely(station=f"dt-{number:02}")
        first = bench.state.link.hello_again_at
        assert first is not None
        firsts.add((first - bench.now.mono) // (HOME_FIRST_MS // 6))
    assert firsts == set(range(6, 12))


def test_a_home_server_that_has_not_the_whole_log_has_nothing_sent_again() -> None:
    bench = homely()
    bench.send(Connected(1, "ab" * 16))
    bench.welcome()
    bench.send(RecordSaved(3))
    bench.arrive(LogAck("e1", 3, "h3"), makers.ACK_TOPIC)
    bench.send(Disconnected("gone"))
    bench.pass_s(2 * HOME_FIRST_MS / 1000)
    welcome = Welcome(bench.every(fx.AskHome)[-1].nonce, bench.now.utc, (), (), "e1", 1, "h1")
    bench.send(HomeAnswered(bench.message(welcome, makers.WELCOME_TOPIC)))
    assert bench.state.link.acked_seq == 3


def test_a_lost_session_is_missed_at_the_home_server_too() -> None:
    bench = homely()
    bench.send(Connected(1, "ab" * 16))
    bench.welcome()
    bench.send(Disconnected("gone"))
    bench.pass_s(2 * HOME_FIRST_MS / 1000)
    assert len(bench.every(fx.AskHome)) == 1


def test_nonces_before_the_first_session_are_not_those_of_the_boot_before() -> None:
    """A welcome that somebody has kept must not answer the first question of another boot."""
    nonces = set()
    for seed in ("ef", "cd"):
        bench = Bench(polls_home=True)
        bench.send(Restored((), (), {}, 0, 0, "e1", seed=seed * 16))
        bench.pass_s(2 * HOME_FIRST_MS / 1000)
        nonces.add(bench.every(fx.AskHome)[0].nonce)
    assert len(nonces) == 2


def test_without_a_home_server_nobody_is_asked_but_the_broker() -> None:
    bench = Bench()
    bench.send(Restored((), (), {}, 0, 0, "e1", seed="ef" * 16))
    bench.pass_s(10_000)
    bench.send(Connected(1, "ab" * 16))
    for _ in range(5):
        bench.pass_s(HELLO_AGAIN_MS / 1000)
    assert bench.every(fx.AskHome) == []
