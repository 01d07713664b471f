"""What has sounded is remembered for as long as a limit counts it, whatever sounds meanwhile."""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import past as memory
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.job import JobClass
from edge_agent.core.past import HEARD_MS, PAST_MAX, PAST_MS, UNHEARD_MAX, Sounded, lately
from edge_agent.core.sessions import sessions, sounding_ms
from edge_agent.core.units import HOUR_MS, MINUTE_MS, JobId, MonoMs, UtcMs
from tests.core.bench import CHO, DINH
from tests.trust import makers

NOON = makers.NOON
BULLETIN = Sounded(JobId("sang"), JobClass.NORMAL, UtcMs(NOON), UtcMs(NOON + MINUTE_MS), frozenset({CHO}))
WARNING = replace(BULLETIN, job_id=JobId("bao"), cls=JobClass.EMERGENCY, zones=frozenset({DINH}))


def later(sound: Sounded, ms: int) -> Sounded:
    return replace(sound, started=UtcMs(sound.started + ms), ended=UtcMs(sound.ended + ms))


def remember(past: tuple[Sounded, ...], sound: Sounded) -> tuple[Sounded, ...]:
    """When it has just ended."""
    return memory.remember(past, sound, sound.ended)


def test_what_nobody_heard_pushes_no_sound_out_however_much_of_it_there_is() -> None:
    """It costs nothing to be refused: one key could have the day's limits forget what they count."""
    past = remember((), BULLETIN)
    for number in range(UNHEARD_MAX + 10):
        past = remember(past, later(replace(BULLETIN, zones=frozenset(), corrects=f"tin-{number}"), number))
    assert (past[0], len(past)) == (BULLETIN, 1 + UNHEARD_MAX)


def test_a_typhoons_warnings_push_no_bulletin_out_of_the_days_limits() -> None:
    """A typhoon in some zones, a ward's ordinary day in the others; and what is kept has an end all the same."""
    past = remember((), BULLETIN)
    for number in range(PAST_MAX + 10):
        past = remember(past, later(WARNING, number * MINUTE_MS))
    assert past[0] == BULLETIN
    assert len(past) == 1 + PAST_MAX
    for number in range(PAST_MAX):
        past = remember(past, later(BULLETIN, number * MINUTE_MS))
    assert len(past) == 2 * PAST_MAX


def test_what_an_exception_let_sound_counts_for_longer_than_a_day() -> None:
    excepted = replace(BULLETIN, under="tet")
    two_days_on = UtcMs(BULLETIN.ended + PAST_MS)
    assert lately((BULLETIN, excepted), two_days_on) == (excepted,)
    assert lately((BULLETIN, excepted), UtcMs(two_days_on - 1)) == (BULLETIN, excepted)
    assert remember((excepted,), later(BULLETIN, HEARD_MS)) == (later(BULLETIN, HEARD_MS),)


def test_warnings_that_repeat_push_no_other_out_of_sight() -> None:
    """In eight zones each minute makes a thousand in two hours: each order's day, and its two hours, began anew."""
    first = replace(WARNING, job_id=JobId("first"), signers=("k1",))
    past = remember((), first)
    lasts_ms, each = WARNING.ended - WARNING.started, PAST_MAX // 2
    for number in range(2 * each):
        for job in ("left", "right"):
            past = remember(past, later(replace(WARNING, job_id=JobId(job)), number * MINUTE_MS))
    assert first in past
    heard = {job: sum(one.heard_ms for one in past if one.job_id == job) for job in ("left", "right")}
    assert heard == dict.fromkeys(("left", "right"), 2 * each * lasts_ms)
    assert len(past) == PAST_MAX


def test_where_a_warning_was_heard_is_not_forgotten_for_its_repetitions_in_fewer_zones() -> None:
    """Its correction is for all who heard it."""
    everywhere = replace(WARNING, zones=frozenset({CHO, DINH}))
    past = remember((), everywhere)
    for number in range(1, PAST_MAX + 1):
        past = remember(past, later(WARNING, number * MINUTE_MS))
    assert (past[0], len(past)) == (everywhere, PAST_MAX)


def test_of_ordinary_sounds_the_oldest_goes_and_each_that_is_left_counts_on_its_own_day() -> None:
    once = replace(BULLETIN, job_id=JobId("once"))
    past = remember((), once)
    for number in range(1, PAST_MAX + 1):
        past = remember(past, later(BULLETIN, number * 10 * MINUTE_MS))
    assert past == tuple(later(BULLETIN, number * 10 * MINUTE_MS) for number in range(1, PAST_MAX + 1))


def test_a_thousand_short_sounds_are_told_by_those_that_go_on_with_their_session_and_on_their_own_day() -> None:
    """A thief of a ward's routine key could have the day's sessions and minutes begin anew."""
    morning, short_ms = later(BULLETIN, -6 * HOUR_MS), 1_000
    past = remember((), morning)
    first = replace(BULLETIN, ended=UtcMs(BULLETIN.started + short_ms))
    for number in range(3 * PAST_MAX):
        past = remember(past, later(replace(first, job_id=JobId(f"s-{number % 200}")), number * 2 * short_ms))
    spans = [one.span for one in past]
    assert (past[0], len(past)) == (morning, PAST_MAX)
    assert sessions(spans) == [morning.span, (first.started, first.ended + (3 * PAST_MAX - 1) * 2 * short_ms)]
    assert sounding_ms(spans) >= MINUTE_MS + 3 * PAST_MAX * short_ms
    assert all(one.started // HOUR_MS == (one.ended - 1) // HOUR_MS for one in past)


def test_no_correction_tells_an_ordinary_sound_nor_is_it_told_by_one() -> None:
    """It counts apart, and whom it corrected is asked for by its own name."""
    past: tuple[Sounded, ...] = ()
    for number in range(PAST_MAX + 1):
        one = replace(BULLETIN, job_id=JobId(f"s-{number}"), corrects=f"w-{number}" if number % 2 else "")
        past = remember(past, later(one, number * MINUTE_MS))
    assert {one.ended - one.started for one in past} == {MINUTE_MS}
    assert [one.job_id for one in past[:2]] == ["s-1", "s-2"], "the oldest has gone"


def test_a_day_of_warnings_is_counted_by_a_clock_that_has_drifted() -> None:
    """Two weeks without a word about the time leave it two minutes off: no reason to begin the day anew."""
    drifted = Now(MonoMs(0), UtcMs(NOON + HOUR_MS), ClockSource.HOLDOVER, 3 * MINUTE_MS)
    assert WARNING.is_of_the_day_of(drifted)
    assert not WARNING.is_of_the_day_of(replace(drifted, utc=UtcMs(NOON + 25 * HOUR_MS)))
    assert not WARNING.is_of_the_day_of(replace(drifted, source=ClockSource.FLOOR))


def test_nothing_that_a_lying_clock_has_put_ahead_makes_what_was_heard_forgotten() -> None:
    """It goes by the time at which the newest trust document was signed: no server has that key."""
    ahead = later(BULLETIN, 2 * HEARD_MS)
    assert memory.remember((WARNING,), ahead, WARNING.ended) == (WARNING, ahead)
    assert memory.remember((WARNING,), ahead, ahead.ended) == (ahead,)
