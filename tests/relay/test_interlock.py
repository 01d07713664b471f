"""Requirement S3 in virtual time: no relay stays closed once its order, its lease or its time has run out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge_agent.core.device_reports import LET_GO, MAX_ON, ORDERED
from edge_agent.core.units import MonoMs, PlayId, ZoneId
from edge_agent.relay import interlock
from edge_agent.relay.interlock import LEASE_MS, Allowed, Cause, Interlock, Opening, Refused

A, B = ZoneId("a"), ZoneId("b")
P, Q = PlayId("p"), PlayId("q")
T0 = MonoMs(1_000_000)
ON_MS_MAX = {A: 60_000, B: 10_000}


def test_the_core_knows_causes_by_the_names_that_they_have_here() -> None:
    assert (ORDERED, MAX_ON, set(LET_GO)) == (Cause.ORDER, Cause.MAX_ON, {Cause.LEASE, Cause.STOP})


def at(ms: int) -> MonoMs:
    """So long after the beginning."""
    return MonoMs(T0 + ms)


def leased(ms: int = 0) -> Interlock:
    return interlock.renew(Interlock(ON_MS_MAX), at(ms))


def closed(lock: Interlock, zone: ZoneId, off_after_ms: int, ms: int = 0) -> Interlock:
    lock, verdict = interlock.order(lock, zone, True, off_after_ms, at(ms))
    assert verdict == Allowed()
    return lock


def renewed_until(lock: Interlock, start_ms: int, end_ms: int) -> tuple[Interlock, list[tuple[int, Opening]]]:
    """Let time pass with a core that renews every second; returns what opened, and when."""
    seen = []
    for ms in range(start_ms, end_ms + 1, 10):
        if ms % 1_000 == 0:
            lock = interlock.renew(lock, at(ms))
        lock, openings = interlock.due(lock, at(ms))
        seen += [(ms, opening) for opening in openings]
    return lock, seen


def test_without_a_lease_no_relay_closes() -> None:
    lock, verdict = interlock.order(Interlock(ON_MS_MAX), A, True, 5_000, T0)
    assert isinstance(verdict, Refused)
    assert lock.closed == {}


def test_with_a_lease_a_relay_closes_and_opens_on_order() -> None:
    lock = closed(leased(), A, 5_000)
    assert set(lock.closed) == {A}
    lock, verdict = interlock.order(lock, A, False, 0, at(10))
    assert verdict == Allowed()
    assert lock.closed == {}


def test_a_writer_that_owes_sound_and_shows_no_sign_for_a_lease_is_late() -> None:
    idle = interlock.alive(leased(), at(0))
    assert not interlock.writer_late(idle, at(10 * LEASE_MS)), "it owes nothing"
    playing = interlock.begin(idle, P, at(1_000), at(0))
    assert not interlock.writer_late(playing, at(1_000 + LEASE_MS - 1))
    assert interlock.writer_late(playing, at(1_000 + LEASE_MS))
    alive = interlock.alive(playing, at(2_000))
    assert not interlock.writer_late(alive, at(2_000 + LEASE_MS - 1))
    assert interlock.writer_late(alive, at(2_000 + LEASE_MS))


def test_a_zone_that_is_not_configured_is_refused() -> None:
    for on in (True, False):
        lock, verdict = interlock.order(leased(), ZoneId("elsewhere"), on, 5_000, T0)
        assert isinstance(verdict, Refused)
        assert lock == leased()


def test_a_lease_is_three_seconds() -> None:
    """What is promised (SECURITY.md, requirement S3); everywhere else the tests go by its name."""
    assert LEASE_MS == 3_000


def test_a_core_that_stops_renewing_opens_every_relay_after_one_lease() -> None:
    lock = closed(closed(leased(), A, 60_000), B, 10_000)
    assert interlock.due(lock, at(LEASE_MS - 1)) == (lock, ())
    assert interlock.next_wake(lock, sounding=False) == at(LEASE_MS)
    lock, openings = interlock.due(lock, at(LEASE_MS))
    assert openings == (Opening(A, Cause.LEASE), Opening(B, Cause.LEASE))
    assert interlock.due(lock, at(LEASE_MS)) == (lock, ())


def test_a_core_that_renews_keeps_a_relay_for_as_long_as_was_ordered() -> None:
    _, seen = renewed_until(closed(leased(), A, 20_000), 0, 30_000)
    assert seen == [(20_000, Opening(A, Cause.MAX_ON))]


def test_no_order_holds_a_relay_beyond_the_zones_longest_on_time() -> None:
    _, seen = renewed_until(closed(leased(), B, 10**9), 0, 30_000)
    assert seen == [(ON_MS_MAX[B], Opening(B, Cause.MAX_ON))]


def test_orders_repeated_for_ever_do_not_move_the_longest_on_time() -> None:
    lock = leased()
    for ms in range(0, ON_MS_MAX[B], 1_000):
        lock = interlock.renew(lock, at(ms))
        lock = closed(lock, B, 5_000, ms)
        assert interlock.due(lock, at(ms)) == (lock, ())
    _, openings = interlock.due(lock, at(ON_MS_MAX[B]))
    assert openings == (Opening(B, Cause.MAX_ON),)


def test_an_order_that_comes_when_the_longest_on_time_is_over_does_not_begin_it_anew() -> None:
    """The loop has not looked yet: whoever orders in just that moment would hold a relay for ever."""
    over_ms = ON_MS_MAX[B]
    lock = closed(interlock.renew(closed(leased(), B, 10**9), at(over_ms)), B, 5_000, over_ms)
    assert interlock.due(lock, at(over_ms))[1] == (Opening(B, Cause.MAX_ON),)


def test_every_relay_whose_time_is_over_opens_at_once() -> None:
    lock, openings = interlock.due(closed(closed(leased(), A, 1_000), B, 2_000), at(2_500))
    assert (lock.closed, {opening.zone for opening in openings}) == ({}, {A, B})


def test_an_order_repeated_in_time_moves_the_end() -> None:
    lock = closed(leased(), A, 2_000)
    lock = closed(lock, A, 2_000, 1_500)
    assert interlock.due(lock, at(2_500)) == (lock, ())
    assert interlock.due(lock, at(3_500))[1] != ()


def test_a_writer_that_stands_still_opens_every_relay_though_the_core_renews() -> None:
    lock = closed(interlock.begin(leased(), P, T0, T0), A, 60_000)
    lock, seen = renewed_until(interlock.alive(lock, at(700)), 0, 10_000)
    assert seen == [(700 + LEASE_MS, Opening(A, Cause.LEASE))]


def test_while_the_writer_stands_still_no_relay_closes() -> None:
    lock = interlock.renew(interlock.begin(leased(), P, T0, T0), at(LEASE_MS))
    _, verdict = interlock.order(lock, B, True, 5_000, at(LEASE_MS))
    assert isinstance(verdict, Refused)


def test_a_writer_owes_no_progress_before_its_first_sample_is_due() -> None:
    lock = closed(interlock.begin(leased(), P, at(8_000), T0), A, 60_000)
    _, seen = renewed_until(interlock.alive(lock, T0), 0, 20_000)
    assert seen == [(8_000 + LEASE_MS, Opening(A, Cause.LEASE))]


def test_a_programme_announced_for_later_does_not_excuse_one_that_should_sound_now() -> None:
    lock = interlock.begin(leased(), P, T0, T0)
    lock = closed(interlock.begin(lock, Q, at(50_000), T0), A, 60_000)
    _, seen = renewed_until(lock, 0, 10_000)
    assert seen == [(LEASE_MS, Opening(A, Cause.LEASE))]


def test_a_start_ordered_too_late_owes_its_progress_from_the_order_on() -> None:
    lock = interlock.begin(leased(), P, MonoMs(1), T0)
    assert interlock.writer_sign(lock) == T0


def test_after_the_last_play_has_ended_the_core_alone_holds_the_lease() -> None:
    lock = closed(interlock.begin(leased(), P, T0, T0), A, 20_000)
    lock, seen = renewed_until(interlock.end(lock, P), 0, 19_000)
    assert seen == []
    assert interlock.writer_sign(lock) is None


def test_a_lost_link_opens_what_is_closed_and_names_no_other_zone() -> None:
    lock, openings = interlock.open_all(closed(leased(), A, 5_000), Cause.LINK_LOST)
    assert openings == (Opening(A, Cause.LINK_LOST),)
    assert lock.closed == {}


def test_a_station_at_rest_needs_no_wake() -> None:
    assert interlock.next_wake(Interlock(ON_MS_MAX), sounding=False) is None
    assert interlock.next_wake(leased(), sounding=False) is None


def test_a_play_behind_open_relays_is_stopped_when_the_lease_runs_out_and_then_wakes_nobody() -> None:
    lock = interlock.begin(leased(), P, T0, T0)
    assert interlock.next_wake(lock, sounding=True) == at(LEASE_MS)
    assert interlock.next_wake(lock, sounding=False) is None


@given(st.integers(1, 100_000), st.integers(0, 100_000))
def test_the_next_wake_is_exactly_when_something_opens(off_after_ms: int, renewed_ms: int) -> None:
    lock = interlock.renew(closed(leased(), A, off_after_ms), at(renewed_ms))
    wake = interlock.next_wake(lock, sounding=False)
    assert wake is not None
    assert interlock.due(lock, MonoMs(wake - 1))[1] == ()
    assert len(interlock.due(lock, wake)[1]) == 1


class AnyHistory(RuleBasedStateMachine):
    """Any orders and silences: a closed relay always has a fresh core, a fresh writer and an end in the future."""

    def __init__(self) -> None:
        super().__init__()
        self.now = T0
        self.lock = Interlock(ON_MS_MAX)
        self.core_at: int | None = None
        self.closed_at: dict[ZoneId, int] = {}

    @rule(ms=st.integers(0, 5_000))
    def time_passes(self, ms: int) -> None:
        self.now = MonoMs(self.now + ms)
        self.lock, openings = interlock.due(self.lock, self.now)
        for opening in openings:
            del self.closed_at[opening.zone]

    @rule()
    def the_core_steps(self) -> None:
        self.core_at = self.now
        self.lock = interlock.renew(self.lock, self.now)

    @rule(zone=st.sampled_from([A, B]), on=st.booleans(), off_after_ms=st.integers(1, 10**6))
    def the_core_orders(self, zone: ZoneId, on: bool, off_after_ms: int) -> None:
        self.lock, verdict = interlock.order(self.lock, zone, on, off_after_ms, self.now)
        if not on:
            self.closed_at.pop(zone, None)
        elif isinstance(verdict, Allowed):
            self.closed_at.setdefault(zone, self.now)

    @rule(play=st.sampled_from([P, Q]), delay_ms=st.integers(-1_000, 10_000))
    def a_play_begins(self, play: PlayId, delay_ms: int) -> None:
        self.lock = interlock.begin(self.lock, play, MonoMs(self.now + delay_ms), self.now)

    @rule(play=st.sampled_from([P, Q]))
    def a_play_ends(self, play: PlayId) -> None:
        self.lock = interlock.end(self.lock, play)

    @rule()
    def the_writer_moves(self) -> None:
        self.lock = interlock.alive(self.lock, self.now)

    @invariant()
    def closed_relays_are_covered(self) -> None:
        lock, _ = interlock.due(self.lock, self.now)
        assert set(self.lock.closed) == set(self.closed_at)
        for zone in lock.closed:
            assert self.core_at is not None
            assert self.now - self.core_at < LEASE_MS
            assert self.now - self.closed_at[zone] < ON_MS_MAX[zone]
            sign = interlock.writer_sign(lock)
            assert sign is None or self.now - sign < LEASE_MS


TestAnyHistory = AnyHistory.TestCase
