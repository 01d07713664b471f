"""One of several cards fails under a programme: its zones are out of it by name, the others notice nothing (S5)."""

from __future__ import annotations

from edge_agent.core import effects as fx
from edge_agent.core.events import PlayStarted, ZonesLost
from edge_agent.core.occurrence import Phase
from edge_agent.core.plays import ZonePart
from edge_agent.core.reasons import Reason
from edge_agent.core.site import WARM_UP_MS_MAX, ZoneSite
from edge_agent.core.units import JobId, PlayId
from tests.core.bench import CHO, DINH, Bench, audience

EMERGENCY = {"class": "emergency"}
FLOOD = {"job_id": "flood", **EMERGENCY}


def lose(bench: Bench, job: JobId, *zones: str, reason: Reason = Reason.DEVICE_FAILED) -> list[fx.Effect]:
    return bench.send(ZonesLost(bench.play(job).play_id, zones, reason))  # type: ignore[arg-type]


def heard_in(bench: Bench) -> list[str]:
    """Where the last route leads."""
    return [feed.zone for feed in bench.every(fx.RoutePlay)[-1].feeds]


def zone_reasons(bench: Bench) -> dict[str, str | None]:
    record = bench.every(fx.CommitRecord)[-1].record
    return {zone.zone: zone.reason.value if zone.reason else None for zone in record.zones}


def test_a_lost_zone_is_out_its_relay_opens_and_the_others_hear_it_to_its_end() -> None:
    bench = Bench().boot()
    job = bench.order()
    effects = lose(bench, job, CHO)
    assert fx.SwitchRelay(CHO, False, 0) in effects
    assert heard_in(bench) == [DINH]
    assert bench.closed() == {DINH}
    bench.end(job)
    assert bench.outcomes() == [(job, "succeeded", None)]
    assert zone_reasons(bench) == {CHO: "device_failed", DINH: None}


def test_the_log_says_which_zones_were_lost_and_why() -> None:
    bench = Bench().boot()
    job = bench.order()
    lose(bench, job, CHO)
    (note,) = [note for note in bench.every(fx.Note) if note.what.startswith("zones lost")]
    assert note.level is fx.Level.ERROR
    assert dict(note.fields) == {"job": job, "zones": CHO, "reason": "device_failed"}


def test_an_emergency_whose_zones_are_all_lost_is_tried_again_in_all_of_them() -> None:
    bench = Bench().boot()
    flood = bench.order(**EMERGENCY)
    lose(bench, flood, CHO)
    lose(bench, flood, DINH)
    assert [stop.play_id for stop in bench.every(fx.StopPlay)] == [bench.play(flood).play_id]
    bench.end(flood, Reason.SHUTDOWN, ms=300)
    bench.pass_s(3)
    assert bench.play(flood).attempt == 2
    assert {feed.zone for feed in bench.every(fx.StartPlay)[-1].feeds} == {CHO, DINH}


def test_a_routine_job_that_nobody_hears_any_more_ends_by_name() -> None:
    bench = Bench().boot()
    job = bench.order()
    lose(bench, job, CHO, DINH)
    bench.end(job, Reason.SHUTDOWN, ms=300)
    assert bench.outcomes() == [(job, "failed", "device_failed")]


def test_an_emergency_on_another_card_goes_on_while_a_bulletin_loses_its_own() -> None:
    bench = Bench().boot()
    bulletin = bench.order(job_id="bulletin", audience=audience(CHO))
    flood = bench.order(**FLOOD, audience=audience(DINH))
    bench.said.clear()
    lose(bench, bulletin, CHO)
    bench.end(bulletin, Reason.SHUTDOWN, ms=300)
    assert bench.outcomes() == [("bulletin", "failed", "device_failed")]
    assert bench.phase(flood) is Phase.PLAYING
    assert bench.closed() == {DINH}
    assert [effect for effect in bench.every(fx.RoutePlay) if effect.play_id == bench.play(flood).play_id] == []


def test_a_zone_that_an_emergency_has_does_not_come_back_where_the_card_was_lost() -> None:
    """The bulletin's part of that card has ended: it could only be told of, not heard."""
    bench = Bench().boot()
    bulletin = bench.order(job_id="bulletin")
    flood = bench.order(**FLOOD, audience=audience(CHO))
    lose(bench, bulletin, CHO)
    assert CHO in bench.closed(), "the emergency has the relay, until its own card is lost to it"
    bench.end(flood)
    assert bench.play(bulletin).zones[CHO].part is ZonePart.OUT
    assert heard_in(bench) == [DINH]
    assert bench.closed() == {DINH}


def test_zones_lost_before_the_first_sample_leave_the_others_to_begin() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.StartPlay)
    job = bench.order()
    lose(bench, job, CHO)
    bench.send(PlayStarted(bench.play(job).play_id, bench.now.mono))
    assert bench.play(job).zones[DINH].part is ZonePart.HEARING
    bench.end(job)
    assert bench.outcomes() == [(job, "succeeded", None)]


def test_zones_of_the_card_that_the_programme_is_not_for_do_not_matter() -> None:
    bench = Bench().boot()
    job = bench.order(audience=audience(DINH))
    before = bench.state
    assert lose(bench, job, CHO, "elsewhere") == []
    assert bench.state == before


def test_a_zone_that_was_lost_already_is_lost_once() -> None:
    bench = Bench().boot()
    job = bench.order()
    lose(bench, job, CHO)
    assert lose(bench, job, CHO) == []


def test_a_loss_that_crosses_the_end_changes_nothing() -> None:
    bench = Bench().boot()
    job = bench.order()
    play_id = bench.play(job).play_id
    bench.end(job)
    assert bench.send(ZonesLost(play_id, (CHO,), Reason.DEVICE_FAILED)) == []
    assert bench.send(ZonesLost(PlayId(""), (CHO,), Reason.DEVICE_FAILED)) == []


def test_a_programme_that_is_being_stopped_keeps_its_reason() -> None:
    bench = Bench().boot()
    bulletin = bench.order(job_id="bulletin", preemption="drop")
    bench.order(**FLOOD)
    lose(bench, bulletin, CHO, DINH)
    bench.end(bulletin, Reason.SHUTDOWN, ms=300)
    assert bench.outcomes() == [("bulletin", "interrupted", "preempted")]


def test_the_device_is_told_who_may_join_later_and_what_is_urgent() -> None:
    bench = Bench().boot()
    bench.order(**FLOOD, audience=audience(CHO))
    bench.order(job_id="bulletin")
    flood, bulletin = bench.every(fx.StartPlay)
    assert (flood.later, flood.urgent) == ((), True)
    assert ([feed.zone for feed in bulletin.feeds], bulletin.later, bulletin.urgent) == ([DINH], (CHO,), False)


def test_a_zone_of_sixty_seconds_and_one_of_none_begin_one_job_together() -> None:
    """The slowest amplifier decides when; the quick one is not switched on a minute before (S9)."""
    zones = {CHO: ZoneSite(CHO, "cho", WARM_UP_MS_MAX), DINH: ZoneSite(DINH, "dinh", 0)}
    bench = Bench(zones=zones).boot()
    job = bench.at(120, job_id="both")
    bench.pass_s(60 - 0.2)
    assert bench.closed() == {CHO}
    assert not bench.every(fx.StartPlay)
    bench.pass_s(60)
    assert bench.closed() == {CHO, DINH}
    (start,) = bench.every(fx.StartPlay)
    assert {feed.zone for feed in start.feeds} == {CHO, DINH}
    closed_at = bench.state.relays[CHO].closed_since
    assert closed_at is not None
    assert start.at - closed_at >= WARM_UP_MS_MAX
    bench.pass_s(0.2)
    bench.end(job)
    assert bench.outcomes() == [(job, "succeeded", None)]
