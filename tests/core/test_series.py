"""Alerts as a series: the newest version sounds, repeats until its end, and is cleared where it was heard."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.events import (
    Connected,
    DeviceDown,
    DeviceUp,
    Mark,
    Restored,
    SavedMark,
    TrustChanged,
)
from edge_agent.core.occurrence import Phase
from edge_agent.core.programme import ALL_CLEAR, Sound
from edge_agent.core.reasons import Reason
from edge_agent.core.units import DAY_MS, HOUR_MS, MINUTE_MS, JobId, UtcMs
from edge_agent.journal.record import Origin, body_of, sounded_in
from tests.core.bench import CHO, DINH, Bench, at_work
from tests.core.series import EMERGENCY, alert, repeating, sounds
from tests.trust import makers


def test_a_warning_is_repeated_until_its_end() -> None:
    bench = at_work()
    started = []
    warning = alert(bench, 1, **repeating(bench))
    for _ in range(4):
        sounds(bench, warning)
        started.append(bench.every(fx.StartPlay)[-1].at - bench.now.mono)
        bench.pass_s(890)
    assert [one for one in bench.outcomes() if one[0] == warning] == [(warning, "succeeded", None)] * 4
    planned = [effect.record.planned for effect in bench.every(fx.CommitRecord)]
    assert [later - first for first, later in pairwise(planned)] == [900_000] * 3
    assert bench.state.jobs == {}


def test_a_repetition_that_passed_meanwhile_is_not_caught_up() -> None:
    bench = at_work()
    warning = alert(bench, 1, **repeating(bench, every_s=60, for_s=3_600))
    sounds(bench, warning)
    bench.pass_s(600)
    sounds(bench, warning)
    assert bench.play(warning).planned - makers.NOON > 10 * MINUTE_MS
    assert len(bench.every(fx.StartPlay)) == 2


def test_a_warning_goes_on_after_a_restart_and_is_not_begun_anew() -> None:
    bench = at_work()
    warning = alert(bench, 1, **repeating(bench))
    (saved,) = [effect.saved for effect in bench.every(fx.SaveJob)]
    sounds(bench, warning)
    planned = bench.every(fx.CommitRecord)[-1].closes[1]
    again = Bench()
    again.now = replace(bench.now)
    again.send(Restored((replace(saved, base=planned),), (), {}, 0, 0, "e1"))
    again.send(DeviceUp())
    again.pass_s(60)
    assert again.every(fx.StartPlay) == []
    assert again.play(warning).planned == planned + 900_000


def test_a_clock_that_is_put_back_lets_nobody_wait_longer_than_the_gap() -> None:
    bench = at_work()
    warning = alert(bench, 1, **repeating(bench))
    sounds(bench, warning)
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc - DAY_MS))
    bench.pass_s(901)
    bench.pass_s(1)
    assert bench.phase(warning) is Phase.PLAYING


def test_a_newer_version_ends_the_older_one_that_sounds() -> None:
    bench = at_work()
    first = alert(bench, 1, **repeating(bench))
    bench.pass_s(1)
    second = alert(bench, 2)
    assert len(bench.every(fx.StopPlay)) == 1
    bench.end(first, Reason.SHUTDOWN, ms=500)
    assert (first, "interrupted", "superseded") in bench.outcomes()
    bench.pass_s(1)
    assert bench.phase(second) is Phase.PLAYING
    assert first not in bench.state.jobs


def test_a_newer_version_ends_the_older_one_that_waits() -> None:
    bench = at_work()
    first = alert(bench, 1, **repeating(bench))
    sounds(bench, first)
    alert(bench, 2)
    assert bench.outcomes()[-1] == (first, "superseded", "superseded")


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_version_or_the_same_again_never_sounds(version: int) -> None:
    bench = at_work()
    sounds(bench, alert(bench, 2))
    alert(bench, version, job_id="late")
    assert bench.answers()[-1] == ("refused", "superseded")


def test_an_older_version_never_sounds_after_a_restart_either() -> None:
    bench = at_work()
    sounds(bench, alert(bench, 2))
    again = Bench()
    again.send(Restored((), (), {}, 0, 0, "e1", past=bench.state.past))
    again.send(DeviceUp())
    again.send(Connected(1, "ab" * 16))
    again.welcome()
    alert(again, 1)
    assert again.answers()[-1] == ("refused", "superseded")


def test_series_of_two_issuers_are_two() -> None:
    bench = at_work()
    sounds(bench, alert(bench, 2))
    alert(bench, 1, issuer="province", job_id="theirs")
    assert bench.answers()[-1] == ("accepted", None)


def test_a_newer_version_of_another_issuers_series_of_that_name_ends_nothing_and_keeps_nothing_out() -> None:
    """Its name is read on its way: whoever may warn of something could take all others' warnings away."""
    bench = at_work()
    ours = alert(bench, 1)
    alert(bench, 9, issuer="province", job_id="theirs")
    assert not bench.state.jobs[ours].called_off
    alert(bench, 2, job_id="ours-again")
    assert bench.answers()[-1] == ("accepted", None)


BROADCASTS = ({"class": "normal"}, {"class": "priority"}, {"rehearsal": True})


@pytest.mark.parametrize("kind", BROADCASTS)
def test_what_is_no_warning_is_no_newer_version_of_one(kind: dict[str, Any]) -> None:
    """Or one key that may only broadcast would silence what two have signed, and keep out all that comes after it."""
    bench = at_work()
    warning = alert(bench, 1)
    bench.pass_s(1)
    planned = {"when": {"kind": "at", "utc": bench.now.utc + 3_600_000}}
    alert(bench, 9_999, job_id="newest", **kind, **planned)
    assert bench.answers()[-1] == ("accepted", None)
    assert bench.every(fx.StopPlay) == []
    bench.end(warning)
    sounds(bench, alert(bench, 2))
    alert(bench, 3, all_clear=True)
    assert bench.answers()[-1] == ("accepted", None)


def test_a_warning_that_a_restart_brings_back_beside_a_broadcast_of_its_series_sounds() -> None:
    bench = at_work()
    warning = alert(bench, 1)
    when = {"kind": "at", "utc": bench.now.utc + 3_600_000}
    alert(bench, 9_999, job_id="newest", when=when, **{"class": "priority"})
    again = Bench()
    again.send(Restored(tuple(effect.saved for effect in bench.every(fx.SaveJob)), (), {}, 0, 0, "e1"))
    again.send(DeviceUp())
    sounds(again, warning)


def test_a_warning_after_a_broadcast_that_has_sounded_with_the_highest_version_sounds() -> None:
    bench = at_work()
    sounds(bench, alert(bench, 9_999, **{"class": "priority"}))
    sounds(bench, alert(bench, 1, job_id="warning"))


def test_a_series_that_a_thief_drove_up_goes_on_under_another_name() -> None:
    bench = at_work()
    thiefs = alert(bench, 9_999)
    bench.pass_s(1)
    bench.send(TrustChanged(bench.state.trust, frozenset({thiefs})))
    bench.end(thiefs, Reason.SHUTDOWN, ms=500)
    assert (thiefs, "interrupted", "key_revoked") in bench.outcomes()
    alert(bench, 2)
    assert bench.answers()[-1] == ("refused", "superseded")
    sounds(bench, alert(bench, 1, series="so-tan-moi"))
    alert(bench, 2, series="so-tan-moi", job_id="clear", all_clear=True)
    assert bench.answers()[-1] == ("accepted", None)


def test_a_warning_is_a_newer_version_of_a_broadcast() -> None:
    bench = at_work()
    bulletin = alert(bench, 1, **{"class": "priority"})
    bench.pass_s(1)
    alert(bench, 2)
    bench.end(bulletin, Reason.SHUTDOWN, ms=1_000)
    assert (bulletin, "interrupted", "superseded") in bench.outcomes()


def test_the_all_clear_is_heard_where_the_warning_was() -> None:
    bench = at_work()
    sounds(bench, alert(bench, 1, zones=(CHO,)))
    clear = alert(bench, 2, all_clear=True)
    bench.pass_s(1)
    start = bench.every(fx.StartPlay)[-1]
    assert [feed.zone for feed in start.feeds] == [CHO]
    assert start.parts[0] == Sound(ALL_CLEAR, start.parts[0].duration_ms)
    assert bench.play(clear).zones.keys() == {CHO}


def test_the_all_clear_ends_the_warning_that_still_sounds_and_is_heard_there() -> None:
    bench = at_work()
    warning = alert(bench, 1, zones=(DINH,), **repeating(bench))
    bench.pass_s(1)
    clear = alert(bench, 2, all_clear=True)
    bench.end(warning, Reason.SHUTDOWN, ms=500)
    bench.pass_s(1)
    assert bench.play(clear).zones.keys() == {DINH}
    assert [feed.zone for feed in bench.every(fx.StartPlay)[-1].feeds] == [DINH]


def test_a_warning_that_its_all_clear_ends_before_its_first_sample_was_heard_nowhere() -> None:
    """The all-clear of what nobody had been warned of was heard where the amplifiers were warm."""
    for ahead_ms, answer in ((500, ("refused", "not_heard_here")), (0, ("accepted", None))):
        bench = at_work()
        bench.deaf = {fx.StartPlay}
        warning = alert(bench, 1, zones=(DINH,))
        assert bench.phase(warning) is Phase.PLAYING
        bench.pass_s((bench.play(warning).start_at - bench.now.mono - ahead_ms) / 1_000)
        alert(bench, 2, all_clear=True)
        assert bench.answers()[-1] == answer, "from its instant on it may have left the card"


def test_a_warning_that_the_device_lost_before_its_first_report_is_cleared_where_it_was_heard() -> None:
    bench = at_work()
    alert(bench, 1, zones=(DINH,))
    bench.pass_s(1)
    assert bench.play(JobId("so-tan-1")).started is not None
    bench.send(DeviceDown("gone"))
    alert(bench, 2, all_clear=True)
    assert bench.answers()[-1] == ("accepted", None)


def test_a_newer_version_that_a_welcome_has_shown_to_be_over_keeps_the_older_one_out_after_a_restart_too() -> None:
    bench = Bench()
    bench.now = replace(bench.now, source=ClockSource.UNSET)
    bench.boot(welcomed=False)
    newer = bench.make(job_id="v2", series="s", version=2, **EMERGENCY | {"not_after": bench.now.utc + 600_000})
    bench.arrive(bench.accept(newer))
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc + 1_200_000), source=ClockSource.SIGNED)
    bench.welcome()
    bench.pass_s(1)
    assert ("v2", "expired", "expired") in bench.outcomes()
    again = Bench()
    again.now = bench.now
    read = [sounded_in(body_of(one.record, Origin("dt-01", "1", "b"))) for one in bench.every(fx.CommitRecord)]
    again.send(Restored((), (), {}, 0, 0, "e1", past=tuple(one for one in read if one is not None)))
    again.send(DeviceUp())
    again.send(Connected(1, "ab" * 16))
    again.welcome()
    older = again.make(job_id="v1", series="s", version=1, **EMERGENCY)
    again.arrive(again.accept(older))
    assert again.answers()[-1] == ("refused", "superseded")


def test_nothing_is_cleared_where_nothing_was_heard() -> None:
    bench = at_work()
    alert(bench, 2, all_clear=True)
    assert bench.answers()[-1] == ("refused", "not_heard_here")


def test_an_emergency_makes_no_more_sound_than_its_role_allows() -> None:
    bench = at_work()
    made = bench.make(**EMERGENCY, **repeating(bench, every_s=60, for_s=600), not_after=bench.now.utc + HOUR_MS)
    bench.arrive(replace(bench.accept(made), sound_max_ms=25_000))
    sounds(bench, made.job_id)
    bench.pass_s(51)
    sounds(bench, made.job_id)
    bench.pass_s(51)
    bench.pass_s(1)
    assert bench.outcomes()[-1] == (made.job_id, "rejected", "too_much_sound")


def test_a_key_orders_only_so_many_emergencies_a_day() -> None:
    bench = at_work()
    for number in range(3):
        made = bench.make(job_id=f"flood-{number}", **EMERGENCY)
        bench.arrive(replace(bench.accept(made), per_day=2))
        if number < 2:
            sounds(bench, made.job_id)
    assert bench.answers()[-1] == ("refused", "too_many_emergencies")
    bench.pass_s(86_400)
    made = bench.make(job_id="flood-3", **EMERGENCY)
    bench.arrive(replace(bench.accept(made), per_day=2))
    assert bench.answers()[-1] == ("accepted", None)


def test_the_warnings_of_a_day_are_counted_for_each_key_and_not_for_all_who_have_signed_together() -> None:
    bench = at_work()
    for job_id, signers in (("w-1", ("x", "y")), ("w-2", ("y", "z")), ("w-3", ("x", "z"))):
        made = bench.make(job_id=job_id, **EMERGENCY)
        bench.arrive(replace(bench.accept(made), per_day=2, signers=signers))
    bulletin = bench.make(job_id="bulletin", when={"kind": "at", "utc": bench.now.utc + 3_600_000})
    bench.arrive(replace(bench.accept(bulletin), signers=("x", "w")))
    assert bench.answers() == [("accepted", None)] * 4, "each key has signed two warnings at most"
    made = bench.make(job_id="w-4", **EMERGENCY)
    bench.arrive(replace(bench.accept(made), per_day=2, signers=("x", "w")))
    assert bench.answers()[-1] == ("refused", "too_many_emergencies"), "x has signed two already"


def test_an_all_clear_of_what_was_heard_nowhere_ends_what_waits() -> None:
    bench = at_work()
    bench.deaf = {fx.SpeakText}
    warning = alert(bench, 1)
    alert(bench, 2, all_clear=True)
    assert bench.answers()[-1] == ("refused", "not_heard_here")
    assert bench.outcomes()[-1] == (warning, "superseded", "superseded")


def test_a_warning_that_comes_after_its_all_clear_never_sounds() -> None:
    bench = at_work()
    alert(bench, 2, all_clear=True)
    alert(bench, 1)
    assert bench.answers()[-1] == ("refused", "superseded")


def test_what_is_only_offered_takes_nobodys_place() -> None:
    bench = at_work()
    wrong = bench.at(3_600, job_id="wrong")
    bench.pass_s(600)
    made = bench.make(job_id="right", corrects="wrong", when={"kind": "at", "utc": bench.now.utc + 60_000})
    bench.arrive(replace(bench.accept(made), offered=True))
    assert bench.phase(wrong) is Phase.STAGED


def test_an_older_version_that_the_journal_brings_back_is_over() -> None:
    bench = at_work()
    first = alert(bench, 1)
    bench.pass_s(1)
    second = alert(bench, 2)
    saved = tuple(effect.saved for effect in bench.every(fx.SaveJob))
    again = Bench()
    mark = SavedMark(first, bench.play(first).planned, Mark.FIRST_SAMPLE, 1)
    again.send(Restored(saved, (mark,), {}, 0, 0, "e1"))
    assert again.outcomes() == [(first, "interrupted", "power_cut")]
    assert [*again.state.jobs] == [second]


def test_a_repetition_that_is_due_stays_due_when_the_clock_is_put_back() -> None:
    bench = at_work()
    warning = alert(bench, 1, **repeating(bench))
    sounds(bench, warning)
    other = bench.order(job_id="other", loops=20, gap_s=60, **EMERGENCY)
    bench.pass_s(889)
    assert bench.play(warning).held_by is Reason.ZONES_BUSY
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc - DAY_MS))
    bench.end(other)
    bench.pass_s(1)
    assert bench.phase(warning) is Phase.PLAYING


def test_a_zone_of_an_old_version_that_is_being_stopped_says_superseded() -> None:
    bench = at_work()
    alert(bench, 1)
    bench.pass_s(3)
    newer = alert(bench, 2)
    bench.pass_s(1)
    assert bench.phase(newer) is Phase.PLAYING
    bench.end(JobId("so-tan-1"), Reason.SHUTDOWN, ms=3_000)
    record = bench.every(fx.CommitRecord)[-1].record
    assert {zone.reason for zone in record.zones} == {Reason.SUPERSEDED}
