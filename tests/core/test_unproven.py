"""A warning in a place without time: nobody answers, and two officers have signed it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core import standing
from edge_agent.core.clips import forget_unneeded
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.events import (
    ClipFailed,
    ClipStaged,
    Restored,
    TrustChanged,
)
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import Cancel
from edge_agent.core.programme import ATTENTION, ITEM_GAP_MS, Sound
from edge_agent.core.reasons import Reason
from edge_agent.core.state import Turn
from edge_agent.core.switching import cold_lead_ms
from edge_agent.core.trust_standing import TrustHead, TrustStanding
from edge_agent.core.units import DAY_MS, HOUR_MS, UtcMs
from edge_agent.restoring import restored
from tests.core.bench import SPEECH_MS, Bench
from tests.core.undated import ORDERED_MS, TWO, find_the_time, lost_in_time, starts, warned
from tests.fakes.journal import FakeDisk, FakeJournal
from tests.trust import makers


def test_a_blocked_welcome_and_an_unset_clock_do_not_silence_a_warning_of_two_officers() -> None:
    bench = lost_in_time()
    warned(bench)
    bench.pass_s(29)
    assert starts(bench) == 0, "a welcome may still come"
    bench.pass_s(1)
    assert starts(bench) == 1


def test_its_date_is_spoken_first() -> None:
    bench = lost_in_time()
    warned(bench, not_before=makers.NOON + 60_000)  # when it was signed, and not from when on it holds
    bench.pass_s(30)
    spoken = bench.every(fx.SpeakText)[0]
    assert spoken.text == "Lệnh phát này được ký lúc 12 giờ 0 phút, ngày 1 tháng 10 năm 2026."
    (start,) = bench.every(fx.StartPlay)
    sounds = [part.key for part in start.parts if isinstance(part, Sound)]
    assert sounds[:2] == [ATTENTION, spoken.key]


def test_the_record_says_that_nobody_could_tell_how_old_it_is() -> None:
    bench = lost_in_time()
    job_id = warned(bench)
    bench.pass_s(31)
    bench.end(job_id)
    (record,) = [effect.record for effect in bench.every(fx.CommitRecord)]
    assert (record.outcome.value, record.detail, record.clock) == ("succeeded", "freshness_unproven", ClockSource.UNSET)


@pytest.mark.parametrize(
    ("signers", "over"),
    [
        (("k1",), {}),
        (("k1", "k1"), {}),
        (TWO, {"class": "priority", "event": None}),
        (TWO, {"class": "normal", "event": None}),
    ],
)
def test_without_a_time_nothing_else_sounds(signers: tuple[str, ...], over: dict[str, Any]) -> None:
    bench = lost_in_time()
    warned(bench, signers, **over)
    bench.pass_s(600)
    assert starts(bench) == 0


def test_an_all_clear_of_what_was_heard_waits_for_the_time() -> None:
    """An old one that is sent again would call people back into the water."""
    bench = lost_in_time()
    job_id = warned(bench, series="lut", version=1)
    bench.pass_s(31)
    bench.end(job_id)
    warned(bench, job_id="het-lut", series="lut", version=2, all_clear=True)
    bench.pass_s(600)
    assert starts(bench) == 1


def test_a_replayed_warning_from_before_the_last_signed_time_does_not_sound() -> None:
    floor = UtcMs(makers.NOON + 1)
    bench = lost_in_time(utc=floor, source=ClockSource.FLOOR)
    bench.send(Restored((), (), {}, 0, 0, "e1", floor=floor))
    warned(bench)
    bench.pass_s(600)
    assert starts(bench) == 0
    warned(bench, job_id="lut-2", issued_at=floor)
    bench.pass_s(30)
    assert starts(bench) == 1


AHEAD = TrustHead("", 0, 1, UtcMs(2**42), issued_at=UtcMs(makers.NOON + 30 * DAY_MS))


def boots(bench: Bench) -> None:
    bench.send(restored(FakeJournal(FakeDisk()).load(), makers.make_keeper().judge, TrustStanding((AHEAD,))))


def is_welcomed(bench: Bench) -> None:
    """And has no idea of the time again, as after weeks without another welcome."""
    bench.send(TrustChanged(TrustStanding((AHEAD,)), frozenset()))
    find_the_time(bench)
    bench.now = replace(bench.now, source=ClockSource.UNSET, signed=False)


def loses_who_told_the_time(bench: Bench) -> None:
    bench.send(TrustChanged(TrustStanding((AHEAD,)), frozenset(), told_stands=False, floor_stands=False))


@pytest.mark.parametrize("with_it", [boots, is_welcomed, loses_who_told_the_time])
def test_a_root_signed_by_a_clock_ahead_keeps_no_warning_back_when_the_next_one_has_passed_it(
    with_it: Callable[[Bench], None],
) -> None:
    bench = lost_in_time()
    with_it(bench)
    warned(bench, issued_at=makers.NOON + 120_000, not_before=makers.NOON + 120_000)
    bench.pass_s(600)
    assert starts(bench) == 0
    right = replace(AHEAD, version=2, issued_at=UtcMs(makers.NOON))
    bench.send(TrustChanged(TrustStanding((right,)), frozenset()))
    bench.pass_s(1)
    assert starts(bench) == 1


def test_a_warning_that_repeats_sounds_once_and_then_waits_for_the_time() -> None:
    bench = lost_in_time()
    job_id = warned(bench, when={"kind": "now", "every_s": 300, "until": makers.NOON + HOUR_MS})
    bench.pass_s(31)
    bench.end(job_id)
    bench.pass_s(3_000)
    assert starts(bench) == 1
    find_the_time(bench)
    bench.pass_s(290)
    assert starts(bench) == 1, "it has just been heard"
    bench.pass_s(10)
    assert starts(bench) == 2


def test_a_warning_that_has_sounded_without_a_time_and_repeats_no_more_when_that_is_found_is_over_on_record() -> None:
    """Without a record its row would never be over on the disk, and each restart would bring it back."""
    bench = lost_in_time()
    job_id = warned(bench, when={"kind": "now", "every_s": 600, "until": makers.NOON + HOUR_MS})
    bench.pass_s(31)
    bench.end(job_id)
    find_the_time(bench, late_ms=HOUR_MS - 1)
    assert bench.outcomes() == [(job_id, "succeeded", None), (job_id, "rejected", "nothing_left")]
    assert bench.every(fx.CommitRecord)[-1].job_over
    assert bench.state.jobs == {}


def test_a_warning_that_sounds_without_a_time_is_heard_to_its_end_though_the_time_shows_it_to_be_old() -> None:
    """The time is a server's word, and its key may be stolen: it must not cut off a warning. But that was all of it."""
    bench = lost_in_time()
    job_id = warned(bench, when={"kind": "now", "every_s": 300, "until": makers.NOON + HOUR_MS})
    bench.pass_s(31)
    find_the_time(bench, late_ms=2 * HOUR_MS)
    assert bench.every(fx.StopPlay) == []
    assert bench.answers()[-1] == ("refused", "expired")
    bench.end(job_id)
    assert bench.outcomes() == [("lut", "succeeded", None)]
    bench.pass_s(3_000)
    assert (starts(bench), bench.state.jobs) == (1, {})


def test_a_warning_that_is_heard_to_its_end_lets_the_station_rest() -> None:
    bench = lost_in_time()
    warned(bench)
    bench.pass_s(31)
    find_the_time(bench, late_ms=2 * HOUR_MS)
    assert bench.wakes_in_ms() > 0


def test_a_warning_that_its_issuer_has_taken_back_is_silent_though_nobody_can_date_the_cancel() -> None:
    bench = lost_in_time()
    job_id = warned(bench)
    bench.rule(Cancel(job_id, UtcMs(makers.NOON + HOUR_MS)))
    bench.pass_s(600)
    assert starts(bench) == 0


@pytest.mark.parametrize("newer", [False, True], ids=["taken back", "a newer version"])
def test_what_ends_a_warning_while_its_words_are_made_ready_keeps_it_silent(newer: bool) -> None:
    """Fetching, a zone or the device may take minutes; until its first sample it is asked again."""
    bench = lost_in_time()
    bench.deaf.add(fx.SpeakText)
    job_id = warned(bench, series="lut-song-hong", version=1)
    bench.pass_s(30)
    spoken = [effect.key for effect in bench.every(fx.SpeakText)]
    if newer:
        warned(bench, ("k1",), job_id="lut-2", series="lut-song-hong", version=2)
    else:
        bench.rule(Cancel(job_id, UtcMs(makers.NOON + HOUR_MS)))
    for key in spoken:
        bench.send(ClipStaged(key, SPEECH_MS))
    bench.pass_s(600)
    assert (starts(bench), bench.wakes_in_ms() > 0) == (0, True)


def test_a_warning_that_is_heard_to_its_end_is_an_alert_in_force() -> None:
    """Nobody rehearses beside it (requirement B20)."""
    bench = lost_in_time()
    warned(bench)
    bench.pass_s(31)
    find_the_time(bench, late_ms=2 * HOUR_MS)
    assert standing.alert_in_force(bench.state)


def test_a_cancel_of_another_issuer_keeps_no_warning_silent() -> None:
    bench = lost_in_time()
    job_id = warned(bench)
    bench.rule(Cancel(job_id, UtcMs(makers.NOON + HOUR_MS)), issuer="dai-ptth")
    bench.pass_s(30)
    assert starts(bench) == 1


@pytest.mark.parametrize(("bound_ms", "heard"), [(ORDERED_MS, 1), (ORDERED_MS - 1, 0)])
def test_the_date_that_the_station_says_by_itself_keeps_no_warning_silent(bound_ms: int, heard: int) -> None:
    """Whoever has bounded how long a warning may sound has not reckoned with it."""
    bench = lost_in_time()
    warned(bench, sound_max_ms=bound_ms)
    bench.pass_s(30)
    assert starts(bench) == heard


@pytest.mark.parametrize(("room_ms", "dated"), [(ORDERED_MS, False), (ORDERED_MS + SPEECH_MS + ITEM_GAP_MS, True)])
def test_where_the_relay_may_not_stay_closed_for_so_long_the_date_is_left_out(room_ms: int, dated: bool) -> None:
    bench = lost_in_time()
    site = bench.state.site
    zones = {zone: replace(one, on_ms_max=room_ms + cold_lead_ms(site, zone)) for zone, one in site.zones.items()}
    bench.state = replace(bench.state, site=replace(site, zones=zones))
    warned(bench)
    bench.pass_s(30)
    (start,) = bench.every(fx.StartPlay)
    sounds = [part.key for part in start.parts if isinstance(part, Sound)]
    assert (bench.every(fx.SpeakText)[0].key in sounds) == dated


def test_no_date_is_left_out_for_a_zone_that_does_not_hear_the_warning_without_it_either() -> None:
    bench = lost_in_time()
    site = bench.state.site
    first, *others = site.zones.values()
    short = replace(first, on_ms_max=first.warm_up_ms + ORDERED_MS)
    bench.state = replace(bench.state, site=replace(site, zones={one.zone: one for one in (short, *others)}))
    warned(bench)
    bench.pass_s(30)
    (start,) = bench.every(fx.StartPlay)
    assert [feed.zone for feed in start.feeds] == [one.zone for one in others]
    assert bench.every(fx.SpeakText)[0].key in [part.key for part in start.parts if isinstance(part, Sound)]


def test_a_replayed_warning_from_before_the_newest_document_does_not_sound() -> None:
    bench = lost_in_time()
    head = TrustHead("", 0, 1, UtcMs(2**42), issued_at=UtcMs(makers.NOON + 1))
    bench.send(TrustChanged(TrustStanding((head,)), frozenset()))
    warned(bench)
    bench.pass_s(600)
    assert starts(bench) == 0


def test_a_warning_that_sounds_without_a_time_sounds_on_when_the_time_shows_it_to_be_good() -> None:
    bench = lost_in_time()
    job_id = warned(bench)
    bench.pass_s(31)
    find_the_time(bench)
    bench.end(job_id)
    assert (starts(bench), bench.outcomes()) == (1, [("lut", "succeeded", None)])


def test_a_warning_that_waits_for_another_one_leaves_its_date_out_when_the_time_is_found_meanwhile() -> None:
    """Its sound was forgotten with the end of the first, and the second was to begin with it all the same."""
    bench = lost_in_time()
    first = warned(bench)
    second = warned(bench, job_id="lut-2", series=None, version=None)
    bench.pass_s(30)
    assert starts(bench) == 1
    find_the_time(bench)
    bench.end(first)
    bench.pass_s(3)
    start = bench.every(fx.StartPlay)[-1]
    assert (start.play_id.startswith(second), starts(bench)) == (True, 2)
    sounds = [part.key for part in start.parts if isinstance(part, Sound)]
    assert len(sounds) == 2, "the signal, and what was signed"
    assert sounds[1] in bench.state.clips


def test_a_warning_whose_relays_close_when_the_time_is_found_is_not_laid_out_anew_and_says_its_date() -> None:
    bench = lost_in_time()
    bench.deaf.add(fx.SwitchRelay)
    job_id = warned(bench)
    bench.pass_s(30)
    assert bench.phase(job_id) is Phase.ARMED
    find_the_time(bench)
    bench.confirm_relays()
    (start,), (spoken, _) = bench.every(fx.StartPlay), bench.every(fx.SpeakText)
    said = [part.key for part in start.parts if isinstance(part, Sound)][1]
    assert said == spoken.key
    assert said in bench.state.clips


def test_what_a_warning_says_by_itself_is_kept_for_as_long_as_it_sounds() -> None:
    bench = lost_in_time()
    warned(bench)
    bench.pass_s(31)
    find_the_time(bench)
    said = bench.every(fx.SpeakText)[0].key
    turn = Turn(bench.state, bench.now)
    forget_unneeded(turn)
    assert said in turn.state.clips


def test_a_station_without_a_voice_warns_all_the_same() -> None:
    bench = lost_in_time()
    bench.deaf.add(fx.SpeakText)
    warned(bench)
    bench.pass_s(30)
    spoken, of_the_order = bench.every(fx.SpeakText)
    bench.send(ClipStaged(of_the_order.key, SPEECH_MS))
    bench.send(ClipFailed(spoken.key, Reason.NO_VOICE, False))
    assert starts(bench) == 1


def test_of_a_series_only_the_newest_warning_sounds_without_a_time() -> None:
    bench = lost_in_time()
    warned(bench, series="lut-song-hong", version=1)
    warned(bench, job_id="lut-2", series="lut-song-hong", version=2)
    bench.pass_s(600)
    assert {start.play_id.split(".")[0] for start in bench.every(fx.StartPlay)} == {"lut-2"}


def test_a_warning_that_was_revoked_while_it_waited_does_not_sound() -> None:
    bench = lost_in_time()
    job_id = warned(bench)
    bench.send(TrustChanged(TrustStanding(), frozenset({job_id})))
    bench.pass_s(600)
    assert (starts(bench), bench.outcomes()) == (0, [("lut", "rejected", "key_revoked")])
