"""What follows from manifests: withdrawn is over, lacking is fetched, old and equivocal heads are told. No more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core import manifests
from edge_agent.core.events import (
    Connected,
    HeadsFetched,
    ManifestRead,
    PaperMissed,
    PaperRead,
    Rejected,
    Restored,
    TrustChanged,
)
from edge_agent.core.heads import (
    HEAD_GOOD_MS,
    Head,
    ListedOrder,
    ListedTrust,
    Manifest,
    Paper,
    area_scope,
    scopes_of,
    station_scope,
)
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import AcceptedRule, Lock
from edge_agent.core.reasons import Reason
from edge_agent.core.trust_standing import TrustHead, TrustStanding
from edge_agent.core.units import DAY_MS, HOUR_MS, JobId, UtcMs
from tests.core.bench import Bench
from tests.trust import makers

WARD, STATION = area_scope(makers.AREA), station_scope(makers.STATION)
FLOOD: dict[str, Any] = {"class": "emergency", "event": "flood"}


class Homed(Bench):
    """A station at work with a home server, whose manifests a test writes."""

    def __init__(self) -> None:
        super().__init__()
        self.state = replace(self.state, site=replace(self.state.site, polls_home=True))

    def head(self, scope: str = WARD, counter: int = 1, digest: str = "", **over: Any) -> Head:
        given: dict[str, Any] = {"epoch": 1, "issued_at": self.now.utc, "length": 100}
        return Head(scope=scope, counter=counter, digest=digest or f"body {scope} {counter}", **(given | over))

    def show(self, head: Head | Rejected | Reason, scope: str = WARD) -> list[fx.Effect]:
        """The server gives this as the scope's head."""
        if isinstance(head, Reason):
            return self.send(HeadsFetched(((scope, head),)))
        self._mid += 1
        envelope = f"head {self._mid}".encode()
        self._judgements[envelope] = head
        return self.send(HeadsFetched(((scope, envelope),)))

    def give(self, head: Head, *orders: ListedOrder, upto: int = 0, **over: Any) -> list[fx.Effect]:
        """The server gives a head, and its manifest."""
        self.show(head, head.scope)
        return self.send(ManifestRead(head.digest, manifest(head, *orders, upto=upto, **over), b"body"))


def manifest(head: Head, *orders: ListedOrder, upto: int = 0, trust: tuple[ListedTrust, ...] = ()) -> Manifest:
    marks = {makers.ISSUER: upto, makers.OWNER: upto} if upto else {}
    digests = frozenset(one.digest for one in orders)
    return Manifest(head.scope, head.epoch, head.counter, marks, orders, trust, digests)


def listed(order_id: str, digest: str = "", not_after: int = 2**42) -> ListedOrder:
    return ListedOrder(
        digest or f"digest of {order_id}", JobId(order_id), UtcMs(not_after), Paper(f"sha {order_id}", 900)
    )


def at_work() -> Homed:
    """It has been welcomed, and has looked at the heads: there were none yet."""
    bench = Homed()
    bench.boot()
    bench.pass_s(40)
    bench.send(HeadsFetched(()))
    bench.said.clear()
    return bench


def reason_of(bench: Homed, scope: str = WARD) -> Reason | None:
    return next(one.reason for one in manifests.told(bench.state, bench.now) or () if one.scope == scope)


def lacking(bench: Homed, scope: str = WARD) -> int:
    return next(one.lacking for one in manifests.told(bench.state, bench.now) or () if one.scope == scope)


# What is withdrawn


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


# What is lacking


def test_what_is_listed_and_not_here_is_fetched_and_judged_as_if_it_had_come() -> None:
    bench = at_work()
    asked = bench.give(bench.head(), listed("bulletin"), upto=5)
    assert [one for one in asked if isinstance(one, fx.FetchPaper)] == [fx.FetchPaper(WARD, "sha bulletin", 900)]
    assert lacking(bench) == 1
    job = bench.make(job_id="bulletin", serial=5, when={"kind": "at", "utc": bench.now.utc + 60_000})
    bench._judgements[b"envelope"] = bench.accept(job)
    bench.send(PaperRead("sha bulletin", makers.JOB_TOPIC, b"envelope"))
    assert "bulletin" in bench.state.jobs
    assert (lacking(bench), reason_of(bench)) == (0, None)


def test_what_is_fetched_is_vouched_for_on_a_card_that_was_put_back() -> None:
    bench = at_work()
    bench.state = replace(bench.state, forgotten={makers.ISSUER: 9})
    bench.give(bench.head(), listed("bulletin"), upto=5)
    job = bench.make(job_id="bulletin", serial=5, when={"kind": "at", "utc": bench.now.utc + 60_000})
    bench._judgements[b"envelope"] = bench.accept(job)
    bench.send(PaperRead("sha bulletin", makers.JOB_TOPIC, b"envelope"))
    assert "bulletin" in bench.state.jobs


def test_what_is_known_here_or_over_or_past_is_not_lacking() -> None:
    bench = at_work()
    held = bench.at(600)
    over = bench.playing(job_id="over")
    bench.end(over)
    bench.give(bench.head(), listed(held), listed(over), listed("past", not_after=bench.now.utc - 1))
    assert lacking(bench) == 0
    assert not bench.every(fx.FetchPaper)


def test_what_is_fetched_and_refused_is_not_fetched_again_until_there_is_a_newer_manifest() -> None:
    bench = at_work()
    bench.give(bench.head(), listed("elsewhere"))
    bench._judgements[b"envelope"] = Rejected(Reason.WRONG_AUDIENCE, digest="digest of elsewhere")
    bench.send(PaperRead("sha elsewhere", makers.JOB_TOPIC, b"envelope"))
    bench.pass_s(3_700)
    assert len(bench.every(fx.FetchPaper)) == 1
    assert lacking(bench) == 0
    bench.give(bench.head(counter=2), listed("elsewhere"))
    assert len(bench.every(fx.FetchPaper)) == 2


def test_what_cannot_be_had_is_told_once_and_tried_at_the_next_look() -> None:
    bench = at_work()
    bench.give(bench.head(), listed("bulletin"))
    bench.send(PaperMissed("sha bulletin", Reason.MANIFEST_UNREACHABLE))
    bench.pass_s(20)
    assert (lacking(bench), reason_of(bench)) == (1, Reason.MANIFEST_UNREACHABLE)
    assert len(bench.every(fx.FetchPaper)) == 1
    bench.pass_s(3_600)
    assert len(bench.every(fx.FetchPaper)) == 2


def test_a_paper_that_nobody_lists_any_more_is_dropped() -> None:
    bench = at_work()
    bench.give(bench.head(), listed("bulletin"))
    bench.give(bench.head(counter=2))
    bench._judgements[b"envelope"] = bench.accept(bench.make(job_id="bulletin"))
    bench.send(PaperRead("sha bulletin", makers.JOB_TOPIC, b"envelope"))
    assert not bench.state.jobs


def test_one_look_fetches_no_more_than_its_share() -> None:
    bench = at_work()
    large = [replace(listed(f"b-{one}"), paper=Paper(f"sha {one}", 60_000)) for one in range(40)]
    bench.give(bench.head(), *large)
    while (fetch := bench.every(fx.FetchPaper)) and bench.state.home.under_way == fetch[-1].envelope:
        bench._judgements[b"x"] = Rejected(Reason.WRONG_AUDIENCE)
        bench.send(PaperRead(fetch[-1].envelope, makers.JOB_TOPIC, b"x"))
    assert sum(one.length for one in bench.every(fx.FetchPaper)) <= manifests.LOOK_BYTES_MAX
    assert lacking(bench) == 40 - 16


def test_newer_trust_documents_are_fetched_first_the_root_before_all() -> None:
    bench = at_work()
    bench.send(TrustChanged(TrustStanding((TrustHead("", 0, 1, UtcMs(2**42)),)), frozenset()))
    trust = (
        ListedTrust(makers.AREA, 1, 4, Paper("sha ward", 900)),
        ListedTrust("", 0, 2, Paper("sha root 2", 900)),
        ListedTrust("", 0, 1, Paper("sha root 1", 900)),
    )
    bench.give(bench.head(), listed("bulletin"), trust=trust)
    for _ in range(3):
        bench._judgements[b"x"] = Rejected(Reason.TRUST_GAP)
        bench.send(PaperRead(bench.state.home.under_way, makers.JOB_TOPIC, b"x"))
    assert [one.envelope for one in bench.every(fx.FetchPaper)] == ["sha root 2", "sha ward", "sha bulletin"]


# Heads


def test_an_older_head_is_told_and_changes_nothing() -> None:
    bench = at_work()
    bulletin = bench.at(600, serial=5)
    bench.give(bench.head(counter=7), listed(bulletin), upto=5)
    bench.show(bench.head(counter=6))
    assert reason_of(bench) is Reason.HEAD_STALE
    assert bulletin in bench.state.jobs
    assert len(bench.every(fx.FetchManifest)) == 1
    bench.show(bench.head(counter=7))
    assert reason_of(bench) is None, "and no longer, when the newest is shown again"


def test_an_equivocal_head_is_told_and_the_first_one_kept() -> None:
    bench = at_work()
    bulletin = bench.at(600, serial=5)
    bench.give(bench.head(), listed(bulletin), upto=5)
    bench.show(bench.head(digest="another body"))
    assert reason_of(bench) is Reason.HEAD_EQUIVOCAL
    assert bulletin in bench.state.jobs
    assert len(bench.every(fx.FetchManifest)) == 1


def test_a_new_epoch_is_newer_whatever_its_counter() -> None:
    bench = at_work()
    bench.give(bench.head(counter=700))
    bench.give(bench.head(epoch=2, counter=1, digest="new"))
    assert bench.state.home.kept[WARD].head.place == (2, 1)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (Rejected(Reason.SIGNATURE_INVALID), Reason.SIGNATURE_INVALID),
        (Reason.MANIFEST_UNREACHABLE, Reason.MANIFEST_UNREACHABLE),
        (Head(STATION, 1, 1, UtcMs(0), "d", 1), Reason.MANIFEST_ALTERED),
        (Head(WARD, 1, 1, UtcMs(2**42), "d", 1), Reason.NOT_YET_VALID),
    ],
)
def test_a_head_that_will_not_do_is_told_by_name(head: Head | Rejected | Reason, reason: Reason) -> None:
    bench = at_work()
    bench.show(head)
    assert reason_of(bench) is reason
    assert not bench.every(fx.FetchManifest)


def test_a_manifest_that_is_not_its_heads_is_not_kept() -> None:
    bench = at_work()
    head = bench.head()
    bench.show(head)
    bench.send(ManifestRead(head.digest, manifest(replace(head, counter=2)), b"body"))
    assert reason_of(bench) is Reason.MANIFEST_ALTERED
    assert not bench.state.home.kept
    assert not bench.every(fx.KeepManifest)


def test_a_manifest_is_kept_with_its_head_when_it_was_read_whole() -> None:
    bench = at_work()
    bench.show(bench.head())
    assert not bench.every(fx.KeepManifest)
    bench.give(bench.head())
    (kept,) = bench.every(fx.KeepManifest)
    assert (kept.scope, kept.body) == (WARD, b"body")


def test_a_stale_head_is_told_once_and_stops_nothing() -> None:
    bench = at_work()
    bulletin = bench.at(30 * 3_600, serial=5)
    bench.give(bench.head(), listed(bulletin), upto=5)
    bench.pass_s(HEAD_GOOD_MS / 1000)
    assert reason_of(bench) is None
    bench.pass_s(1)
    bench.pass_s(3_600)
    assert reason_of(bench) is Reason.HEAD_STALE
    notes = [one for one in bench.every(fx.Note) if one.what.startswith("manifest not renewed")]
    assert len(notes) == 1
    bench.pass_s(3 * 3_600)
    assert bench.phase(bulletin) is Phase.PLAYING


def test_by_a_stale_head_no_order_is_fetched() -> None:
    bench = at_work()
    bench.give(bench.head(issued_at=UtcMs(bench.now.utc - HEAD_GOOD_MS - 1)), listed("bulletin"))
    assert not bench.every(fx.FetchPaper)
    assert (lacking(bench), reason_of(bench)) == (1, Reason.HEAD_STALE)


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


# When it asks


def test_it_asks_hourly_without_any_broker() -> None:
    bench = Homed()
    bench.boot(welcomed=False)
    for _ in range(5):
        bench.pass_s(3_600)
        bench.show(Reason.MANIFEST_UNREACHABLE)
    asked = bench.every(fx.FetchHeads)
    assert len(asked) == 5
    assert asked[0].scopes == scopes_of(bench.state.site)
    assert asked[0].scopes[:2] == (STATION, area_scope("vn"))


def test_a_ward_that_comes_back_together_does_not_ask_together() -> None:
    stations = [replace(makers.make_site(), station=f"dt-{number:02}") for number in range(50)]  # type: ignore[arg-type]
    shares = [manifests._share(site, HOUR_MS) for site in stations]
    assert len({share // (HOUR_MS // 6) for share in shares}) == 6, "in every tenth minute some"


def test_without_a_home_nothing_is_asked_and_nothing_said() -> None:
    bench = Bench().boot()
    bench.pass_s(2 * DAY_MS / 1000)
    assert not bench.every(fx.FetchHeads)
    assert manifests.told(bench.state, bench.now) is None
