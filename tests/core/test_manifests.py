"""What follows from a manifest that is kept: what it does not list any more is over. And what never is."""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import effects as fx
from edge_agent.core.events import (
    Connected,
    ManifestRead,
    Restored,
    TrustChanged,
)
from edge_agent.core.heads import (
    area_scope,
)
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import AcceptedRule, Lock
from edge_agent.core.reasons import Reason
from edge_agent.core.trust_standing import TrustStanding
from edge_agent.core.units import HOUR_MS
from tests.core.homed import FLOOD, STATION, WARD, Homed, at_work, listed, manifest, reason_of
from tests.trust import makers


def test_a_withdrawn_order_is_over_with_its_record_and_is_not_played() -> None:
    bench = at_work()
    bulletin = bench.at(600, serial=5)
    bench.give(bench.head(), upto=5)
    assert not bench.state.jobs
    assert bench.outcomes()[-1] == (bulletin, "cancelled", "withdrawn")
    bench.pass_s(700)
    assert not bench.every(fx.StartPlay)


def test_what_sounds_of_a_withdrawn_order_is_cut_off() -> None:
    bench = at_work()
    bulletin = bench.playing(serial=5)
    bench.give(bench.head(), upto=5)
    assert bench.every(fx.StopPlay)
    bench.end(bulletin, Reason.SHUTDOWN, ms=1_000)
    assert bench.outcomes()[-1] == (bulletin, "interrupted", "withdrawn")


def test_an_order_that_is_listed_stays() -> None:
    bench = at_work()
    bulletin = bench.at(600, serial=5)
    bench.give(bench.head(), listed(bulletin), upto=9)
    assert bulletin in bench.state.jobs


def test_a_serial_beyond_upto_is_newer_than_the_manifest_and_stays() -> None:
    bench = at_work()
    bulletin = bench.at(600, serial=6)
    bench.give(bench.head(), upto=5)
    assert bulletin in bench.state.jobs


def test_another_issuers_serials_withdraw_nothing() -> None:
    bench = at_work()
    bulletin = bench.at(600, serial=5)
    head = bench.head()
    bench.show(head)
    bench.send(ManifestRead(head.digest, replace(manifest(head), upto={"somebody-else": 9}), b"body"))
    assert bulletin in bench.state.jobs


def test_an_emergency_is_never_withdrawn() -> None:
    bench = at_work()
    flood = bench.playing(serial=5, **FLOOD)
    bench.give(bench.head(), upto=9)
    assert bench.phase(flood) is Phase.PLAYING
    assert bench.every(fx.StopPlay) == []
    again = bench.order(job_id="again", serial=6, **FLOOD)
    assert again in bench.state.jobs, "nor refused when it comes"


def test_a_rehearsal_is_ordinary_sound() -> None:
    bench = at_work()
    drill = bench.at(600, serial=5, rehearsal=True, **FLOOD)
    bench.give(bench.head(), upto=9)
    assert drill not in bench.state.jobs


def test_what_protects_residents_is_never_withdrawn() -> None:
    bench = at_work()
    lock = bench.rule(Lock(HOUR_MS), zones=("cho",))
    for made in (makers.make_regulation(), makers.make_window(kind="silence")):
        bench.arrive(AcceptedRule(made, f"digest of {made.heading.order_id}", ("k1",), "owner"))
    before = set(bench.state.rules)
    assert lock in before
    assert len(before) == 3
    bench.give(bench.head(), upto=9)
    assert set(bench.state.rules) == before


def test_a_timetable_is_withdrawn_with_its_entries() -> None:
    bench = at_work()
    bench.timetable(1, makers.entry_dict("sang"), makers.entry_dict("chieu"))
    assert {"sang", "chieu"} <= set(bench.state.jobs)
    bench.give(bench.head(), upto=9)
    assert not bench.state.jobs
    assert not bench.state.rules
    assert {reason for _, _, reason in bench.outcomes()[-3:]} == {"withdrawn"}


def test_an_entry_is_not_judged_by_itself() -> None:
    """It may be for one station of those that its timetable is for, whose own manifest does not list it."""
    bench = at_work()
    only_here = makers.entry_dict("sang", audience={"stations": [makers.STATION]})
    whole = bench.timetable(1, only_here)
    bench.give(bench.head(STATION), upto=9)
    bench.give(bench.head(WARD), listed(whole), upto=9)
    assert "sang" in bench.state.jobs


def test_every_scope_that_an_order_names_must_have_let_it_go() -> None:
    audience = {"areas": [makers.AREA], "stations": [makers.STATION]}
    bench = at_work()
    bulletin = bench.at(600, serial=5, audience=audience)
    bench.give(bench.head(WARD), upto=9)
    assert bulletin in bench.state.jobs, "its other scope has no manifest"
    bench.give(bench.head(STATION), listed(bulletin), upto=9)
    assert bulletin in bench.state.jobs, "its other scope lists it"
    bench.give(bench.head(STATION, counter=2), upto=9)
    assert bulletin not in bench.state.jobs


def test_the_scopes_are_those_that_were_signed_whatever_a_role_has_left_of_them() -> None:
    bench = at_work()
    when = {"kind": "at", "utc": bench.now.utc + 600_000}
    signed = bench.make(serial=5, when=when, audience={"areas": [makers.AREA], "stations": [makers.STATION]})
    left = bench.make(serial=5, when=when, audience={"areas": [makers.AREA]})
    bench.arrive(replace(bench.accept(left), signed=signed))
    bench.give(bench.head(WARD), upto=9)
    assert left.job_id in bench.state.jobs


def test_a_scope_that_an_order_does_not_name_says_nothing_of_it() -> None:
    bench = at_work()
    bulletin = bench.at(600, serial=5)
    bench.give(bench.head(area_scope("vn")), upto=9)
    bench.give(bench.head(STATION), upto=9)
    assert bulletin in bench.state.jobs


def test_what_was_withdrawn_and_is_replayed_is_refused_by_name_and_asked_about() -> None:
    bench = at_work()
    bench.give(bench.head(), upto=5)
    bench.pass_s(120)
    bench.said.clear()
    replayed = bench.at(600, job_id="replayed", serial=5)
    assert replayed not in bench.state.jobs
    assert bench.answers() == [("refused", "withdrawn")]
    bench.pass_s(31)
    assert len(bench.every(fx.FetchHeads)) == 1, "it may have been published late, and be listed by now"


def test_replays_make_nobody_ask_more_often_than_once_a_minute() -> None:
    bench = at_work()
    bench.give(bench.head(), upto=5)
    bench.said.clear()
    for second in range(120):
        bench.at(600, job_id=f"replayed-{second}", serial=5)
        if bench.state.home.asking:
            bench.show(bench.head())
        bench.pass_s(1)
    assert 1 <= len(bench.every(fx.FetchHeads)) <= 2


# Over a restart


def test_a_restart_keeps_the_floor() -> None:
    bench = at_work()
    bench.give(bench.head(counter=7), upto=5)
    kept = tuple(bench.state.home.kept.values())
    again = Homed()
    again.boot()
    again.send(Restored((), (), {}, 0, 0, manifests=kept))
    again.send(Connected(2, "cd" * 16))
    again.welcome()
    again.show(again.head(counter=6))
    assert reason_of(again) is Reason.HEAD_STALE
    replayed = again.at(600, serial=5)
    assert replayed not in again.state.jobs
    assert again.answers()[-1] == ("refused", "withdrawn")


def test_what_a_crash_has_left_of_a_withdrawal_is_over_at_the_start() -> None:
    """The manifest was kept, and the process ended before the order's record was."""
    bench = at_work()
    bulletin = bench.at(600, serial=5)
    (saved,) = [effect.saved for effect in bench.every(fx.SaveJob)]
    bench.give(bench.head(), upto=5)
    again = Homed()
    again.send(Restored((saved,), (), {}, 0, 0, manifests=tuple(bench.state.home.kept.values())))
    assert again.outcomes() == [(bulletin, "rejected", "withdrawn")]


def test_a_manifest_of_scopes_that_a_station_has_left_binds_it_no_more() -> None:
    """It was moved to another ward: what is told there is no matter of its."""
    bench = at_work()
    bench.give(bench.head(), upto=5)
    again = Homed()
    again.state = replace(again.state, site=replace(again.state.site, area="vn/ha-noi/khac"))
    again.send(Restored((), (), {}, 0, 0, manifests=tuple(bench.state.home.kept.values())))
    assert again.state.home.kept == {}


def test_a_manifest_of_a_revoked_key_binds_nobody() -> None:
    bench = at_work()
    bench.give(bench.head(counter=2**50), upto=2**50)
    bench.send(TrustChanged(TrustStanding(), frozenset(), frozenset({WARD})))
    assert not bench.state.home.kept
    bench.give(bench.head(counter=3))
    assert bench.state.home.kept[WARD].head.counter == 3


def test_a_manifest_whose_heads_key_was_revoked_while_it_was_fetched_is_not_kept() -> None:
    bench = at_work()
    bulletin = bench.at(600, serial=5)
    head = bench.head()
    bench.show(head)
    bench.send(TrustChanged(TrustStanding(), frozenset()))
    bench.send(ManifestRead(head.digest, manifest(head, upto=9), b"body"))
    assert bulletin in bench.state.jobs
    bench.pass_s(61)
    assert len(bench.every(fx.FetchHeads)) == 1, "and it is asked for anew"
