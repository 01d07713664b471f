"""How a station comes by its manifests: when it asks, which head is newer, what is lacking and fetched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core import manifests
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.events import (
    ManifestRead,
    PaperMissed,
    PaperRead,
    Rejected,
    TrustChanged,
)
from edge_agent.core.heads import (
    HEAD_GOOD_MS,
    Head,
    ListedTrust,
    Paper,
    area_scope,
    scopes_of,
)
from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import Reason
from edge_agent.core.trust_standing import TrustHead, TrustStanding
from edge_agent.core.units import DAY_MS, HOUR_MS, UtcMs
from tests.core.bench import Bench
from tests.core.homed import (
    FLOOD,
    STATION,
    WARD,
    Homed,
    at_work,
    fetches_what_the_disk_does_not_take,
    lacking,
    listed,
    manifest,
    reason_of,
)
from tests.trust import makers

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
    shares = [site.share_of(HOUR_MS) for site in stations]
    assert len({share // (HOUR_MS // 6) for share in shares}) == 6, "in every tenth minute some"


def test_without_a_home_nothing_is_asked_and_nothing_said() -> None:
    bench = Bench().boot()
    bench.pass_s(2 * DAY_MS / 1000)
    assert not bench.every(fx.FetchHeads)
    assert manifests.told(bench.state, bench.now) is None


# Heads


@pytest.mark.parametrize("scope", [STATION, WARD])
def test_an_older_head_is_told_and_changes_nothing(scope: str) -> None:
    bench = at_work()
    bulletin = bench.at(600, serial=5)
    bench.give(bench.head(scope, counter=7), listed(bulletin), upto=5)
    bench.show(bench.head(scope, counter=6), scope)
    assert reason_of(bench, scope) is Reason.HEAD_STALE
    assert bulletin in bench.state.jobs
    assert len(bench.every(fx.FetchManifest)) == 1
    bench.show(bench.head(scope, counter=7), scope)
    assert reason_of(bench, scope) is None, "and no longer, when the newest is shown again"


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


@pytest.mark.parametrize(("ahead_ms", "reason"), [(120_000, None), (120_001, Reason.NOT_YET_VALID)])
def test_a_head_may_be_as_far_ahead_as_two_honest_clocks_are_apart_and_no_further(
    ahead_ms: int, reason: Reason | None
) -> None:
    bench = at_work()
    bench.show(bench.head(issued_at=UtcMs(bench.now.utc + ahead_ms)))
    assert reason_of(bench) is reason


@pytest.mark.parametrize("of_itself", [{"counter": 2}, {"epoch": 2}, {"scope": STATION}])
def test_a_manifest_that_is_not_its_heads_is_not_kept(of_itself: dict[str, Any]) -> None:
    bench = at_work()
    head = bench.head()
    bench.show(head)
    bench.send(ManifestRead(head.digest, manifest(replace(head, **of_itself)), b"body"))
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


def test_while_nobody_knows_the_time_no_order_is_fetched() -> None:
    """The head may be as old as it likes: what it lists may have been withdrawn since."""
    bench = at_work()
    bench.now = replace(bench.now, source=ClockSource.FLOOR)
    bench.give(bench.head(), listed("bulletin"))
    assert not bench.every(fx.FetchPaper)


def test_network_time_that_lies_keeps_no_warning_back_that_the_broker_has_not_brought() -> None:
    bench = at_work()
    bench.now = replace(bench.now, source=ClockSource.DISPUTED)
    flood = bench.make(job_id="flood", serial=5, **FLOOD)
    old = bench.head(STATION, issued_at=UtcMs(bench.now.utc - HEAD_GOOD_MS - 1))
    bench.give(old, listed("old"))
    bench.give(bench.head(), listed("flood"), listed("bulletin"), upto=5)
    assert reason_of(bench, STATION) is Reason.HEAD_STALE, "by signed time"
    assert [one.envelope for one in bench.every(fx.FetchPaper)] == ["sha flood"]
    bench._judgements[b"envelope"] = bench.accept(flood)
    bench.send(PaperRead("sha flood", makers.JOB_TOPIC, b"envelope"))
    assert bench.phase(flood.job_id) is Phase.PLAYING
    bulletin = bench.make(job_id="bulletin", serial=6)
    bench._judgements[b"envelope"] = bench.accept(bulletin)
    bench.send(PaperRead("sha bulletin", makers.JOB_TOPIC, b"envelope"))
    assert bench.state.jobs[bulletin.job_id].held, "what is no warning waits for the end of the dispute"


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


def test_a_warning_whose_id_another_order_has_taken_is_lacking_and_fetched() -> None:
    """Ids are read on their way: a bulletin of that id must not keep out what the broker keeps back as well."""
    bench = at_work()
    bench.order(job_id="lut", when={"kind": "at", "utc": bench.now.utc + 7_200_000})
    bench.give(bench.head(), listed("lut", digest="digest of the warning"))
    assert (lacking(bench), bench.every(fx.FetchPaper)[-1].envelope) == (1, "sha lut")


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


def test_what_was_fetched_and_the_disk_did_not_take_is_fetched_at_the_next_look() -> None:
    bench = at_work()
    fetches_what_the_disk_does_not_take(bench)
    assert lacking(bench) == 1
    assert len(bench.every(fx.FetchPaper)) == 1, "a full disk stays full: asked again at once, a thousand times a look"
    bench.pass_s(3_600)
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


def test_an_areas_document_is_not_fetched_before_anybody_knows_the_time() -> None:
    """It would be refused for that, and not be asked for again until there is a newer manifest, half a day later."""
    bench = at_work()
    bench.now = replace(bench.now, source=ClockSource.FLOOR)
    trust = (ListedTrust("", 0, 2, Paper("sha root 2", 900)), ListedTrust(makers.AREA, 1, 4, Paper("sha ward", 900)))
    bench.give(bench.head(), trust=trust)
    bench.send(PaperMissed("sha root 2", Reason.MANIFEST_UNREACHABLE))
    assert [one.envelope for one in bench.every(fx.FetchPaper)] == ["sha root 2"], "a root says who tells the time"
    bench.now = replace(bench.now, source=ClockSource.SIGNED)
    bench.pass_s(1)
    assert [one.envelope for one in bench.every(fx.FetchPaper)] == ["sha root 2", "sha ward"]


def test_what_was_refused_is_judged_again_by_the_documents_that_came_after_it() -> None:
    """A line that breaks in the document which names a new officer: what he has ordered came whole, and was refused."""
    bench = at_work()
    bench.give(bench.head(), listed("bulletin"), trust=(ListedTrust(makers.AREA, 1, 4, Paper("sha ward", 900)),))
    bench.send(PaperMissed("sha ward", Reason.MANIFEST_UNREACHABLE))
    bench._judgements[b"x"] = Rejected(Reason.SIGNATURE_INVALID)
    bench.send(PaperRead("sha bulletin", makers.JOB_TOPIC, b"x"))
    assert lacking(bench) == 0
    bench.send(TrustChanged(TrustStanding((TrustHead(makers.AREA, 1, 4, UtcMs(2**42)),)), frozenset()))
    assert lacking(bench) == 1
    assert [one.envelope for one in bench.every(fx.FetchPaper)] == ["sha ward", "sha bulletin", "sha bulletin"]


def test_of_what_was_not_to_be_had_only_what_is_named_today_is_remembered() -> None:
    """A server that gives heads and keeps their manifests back: a name more in memory with each, for years."""
    bench = at_work()
    bench.give(bench.head(), listed("bulletin"))
    bench.send(PaperMissed("sha bulletin", Reason.MANIFEST_UNREACHABLE, "404"))
    for counter in range(2, 20):
        head = bench.head(counter=counter)
        bench.pass_s(3_600)
        bench.show(head)
        bench.send(PaperMissed(head.digest, Reason.MANIFEST_UNREACHABLE, "404"))
    assert bench.state.home.missed.keys() == {"sha bulletin", head.digest}
    assert reason_of(bench) is Reason.MANIFEST_UNREACHABLE
