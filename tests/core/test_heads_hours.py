"""What a station fetches of manifests and what they list within an hour, whoever has it look again and again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.core import effects as fx
from edge_agent.core import manifests
from edge_agent.core.events import (
    Connected,
    Disconnected,
    HeadsFetched,
    ManifestRead,
    MessageArrived,
    PaperMissed,
    PaperRead,
    Rejected,
    Restored,
    RootFetched,
)
from edge_agent.core.heads import (
    Head,
    ListedOrder,
    Paper,
)
from edge_agent.core.reasons import Reason
from edge_agent.core.spent import Papers, Spent
from edge_agent.core.trust_standing import TrustHead, TrustStanding
from edge_agent.core.units import HOUR_MS, MonoMs, UtcMs
from tests.core.homed import (
    STATION,
    WARD,
    Homed,
    at_work,
    fetches_what_the_disk_does_not_take,
    lacking,
    listed,
    manifest,
)
from tests.trust import makers


def large(number: int, first: int = 0) -> list[ListedOrder]:
    return [replace(listed(f"b-{one}"), paper=Paper(f"sha {one}", 60_000)) for one in range(first, first + number)]


def fetch_all(bench: Homed, came_bytes: int = 0, *, wrong: bool = False) -> int:
    """Let each paper come that is asked for, at such a cost; returns how many did."""
    count = 0
    bench._judgements[b"x"] = Rejected(Reason.WRONG_AUDIENCE)
    while (paper := bench.state.home.under_way) and bench.every(fx.FetchPaper)[-1].envelope == paper:
        count += 1
        if wrong:
            bench.send(PaperMissed(paper, Reason.MANIFEST_ALTERED, "SHA-256 differs", came_bytes=came_bytes))
        else:
            bench.send(PaperRead(paper, makers.JOB_TOPIC, b"x", came_bytes=came_bytes))
    return count


def look(bench: Homed, *heads: Head, came_bytes: int = 0) -> int:
    """The broker hangs up, is back, and its welcome has the heads looked at within a minute; how often they were."""
    before = len(bench.every(fx.FetchHeads))
    epoch = bench.now.mono
    bench.send(Disconnected("the broker hung up"))
    bench.send(Connected(epoch, f"{epoch:032x}"))
    bench.welcome()
    for _ in range(6):
        bench.pass_s(10)
        if bench.state.home.asking:
            bench.send(HeadsFetched((), came_bytes))
    for head in heads:
        bench.show(head, head.scope)
    return len(bench.every(fx.FetchHeads)) - before


ORDINARY_BYTES_MAX = manifests.HOUR_BYTES_MAX - manifests.NEW_BYTES_KEPT


def test_an_hour_fetches_no_more_than_its_share_however_often_the_broker_hangs_up() -> None:
    bench = after_the_hour()
    bench.give(bench.head(), *large(40))
    assert fetch_all(bench) == 16
    for _ in range(20):
        assert look(bench) == 1
        assert fetch_all(bench) == 0
    assert sum(one.length for one in bench.every(fx.FetchPaper)) <= ORDINARY_BYTES_MAX
    assert lacking(bench) == 40 - 16
    bench.pass_s(3_600)
    bench.send(HeadsFetched(()))
    assert fetch_all(bench) == 16, "the next hour goes on from there"


def test_wrong_papers_are_asked_for_once_an_hour_though_the_broker_hangs_up_each_minute() -> None:
    """At each look they were asked for again: 5.9 GB a day."""
    bench = after_the_hour()
    each, length = 68_000, 3_000
    bench.give(bench.head(), *(replace(listed(f"o-{one}"), paper=Paper(f"sha {one}", length)) for one in range(60)))
    fetched = fetch_all(bench, each, wrong=True)
    for _ in range(50):
        look(bench)
        fetched += fetch_all(bench, each, wrong=True)
    assert fetched * each <= ORDINARY_BYTES_MAX + each, "counted is what they cost, not how long they are"
    assert len({one.envelope for one in bench.every(fx.FetchPaper)}) == fetched


def test_what_was_withheld_is_asked_for_again_in_the_next_hour_and_not_at_the_next_look() -> None:
    bench = after_the_hour()
    bench.give(bench.head(), listed("bulletin"))
    bench.send(PaperMissed("sha bulletin", Reason.MANIFEST_UNREACHABLE, "HTTP 404"))
    for _ in range(3):
        look(bench)
    assert len(bench.every(fx.FetchPaper)) == 1
    bench.pass_s(3_600)
    assert len(bench.every(fx.FetchPaper)) == 2


def test_a_manifest_that_is_wrong_is_asked_for_once_an_hour_and_one_of_a_newer_head_at_once() -> None:
    bench = after_the_hour()
    first, second = bench.head(length=100_000), bench.head(counter=2, length=100_000)
    bench.show(first)
    bench.send(PaperMissed(first.digest, Reason.MANIFEST_ALTERED, "SHA-256 differs", came_bytes=150_000))
    for _ in range(5):
        look(bench, first)
    assert [one.digest for one in bench.every(fx.FetchManifest)] == [first.digest]
    assert bench.state.spent.papers.bytes == 150_000
    look(bench, second)
    assert [one.digest for one in bench.every(fx.FetchManifest)] == [first.digest, second.digest]


def test_what_the_line_broke_off_is_asked_for_at_the_next_look() -> None:
    """The broker is gone with the line, and back with it: no warning waits an hour for that."""
    bench = after_the_hour()
    bench.give(bench.head(), listed("flood"))
    bench.send(PaperMissed("sha flood", Reason.MANIFEST_UNREACHABLE, "timed out", broke_off=True))
    bench.pass_s(20)
    assert len(bench.every(fx.FetchPaper)) == 1
    look(bench)
    assert len(bench.every(fx.FetchPaper)) == 2


def test_a_root_whose_line_broke_off_is_asked_for_at_the_next_look_and_one_that_is_not_there_in_the_next_hour() -> None:
    bench = after_the_hour()
    bench.state = replace(bench.state, trust=TrustStanding((TrustHead("", 0, 1, UtcMs(2**42)),)))
    bench.show(Rejected(Reason.SIGNATURE_INVALID))
    asked = [fx.FetchRoot(STATION, 2)]
    assert bench.every(fx.FetchRoot) == asked
    bench.send(RootFetched(2, None, broke_off=True))
    assert bench.every(fx.FetchRoot) == asked
    look(bench)
    assert bench.every(fx.FetchRoot) == asked * 2
    bench.send(RootFetched(2, None))
    for _ in range(10):
        look(bench)
    assert bench.every(fx.FetchRoot) == asked * 2
    bench.pass_s(HOUR_MS // 1000)
    bench.send(HeadsFetched(()))
    assert bench.every(fx.FetchRoot) == asked * 3


def test_a_root_that_came_is_judged_as_if_the_broker_had_brought_it_and_asked_for_once_an_hour() -> None:
    bench = after_the_hour()
    bench.state = replace(bench.state, trust=TrustStanding((TrustHead("", 0, 1, UtcMs(2**42)),)))
    bench.show(Rejected(Reason.SIGNATURE_INVALID))
    bench._judgements[b"root"] = Rejected(Reason.TRUST_EQUIVOCAL)
    bench.send(RootFetched(2, MessageArrived(makers.JOB_TOPIC, b"root", manifests.NO_DELIVERY)))
    assert bench.every(fx.SendAnswer)[-1].reason is Reason.TRUST_EQUIVOCAL
    look(bench)
    assert bench.every(fx.FetchRoot) == [fx.FetchRoot(STATION, 2)]


def test_what_the_disk_did_not_take_is_asked_for_at_the_next_look_within_the_hour() -> None:
    bench = after_the_hour()
    fetches_what_the_disk_does_not_take(bench)
    look(bench)
    assert len(bench.every(fx.FetchPaper)) == 2


def test_a_withdrawn_order_is_silent_at_the_next_look_though_wrong_papers_have_had_their_share() -> None:
    bench = after_the_hour()
    bulletin = bench.at(7_200, serial=5)
    bench.give(bench.head(), *large(40), listed(bulletin), upto=5)
    fetch_all(bench, 130_000, wrong=True)
    head = bench.head(counter=2, length=100_000)
    look(bench, head)
    bench.send(ManifestRead(head.digest, manifest(head, *large(40), upto=5), b"body", came_bytes=110_000))
    assert bulletin not in bench.state.jobs


def test_a_warning_that_lies_ready_is_fetched_at_the_next_look_though_wrong_papers_have_had_their_share() -> None:
    """Also where they end sooner, and the broker has hung up each minute of the hour."""
    bench = after_the_hour()
    bench.give(bench.head(), *large(40))
    fetch_all(bench, 130_000, wrong=True)
    for _ in range(50):
        look(bench, came_bytes=13_000)
    head = bench.head(counter=2, length=128 * 1_024)
    look(bench, head, came_bytes=13_000)
    orders = (*large(40), listed("flood"))
    bench.send(ManifestRead(head.digest, manifest(head, *orders), b"body", came_bytes=137_000))
    assert bench.every(fx.FetchPaper)[-1] == fx.FetchPaper(WARD, "sha flood", 900)


def test_what_is_new_in_one_hour_is_not_new_in_the_next() -> None:
    bench = after_the_hour()
    bench.give(bench.head())
    bench.give(bench.head(counter=2), *large(80))
    assert fetch_all(bench, wrong=True) == 33, "both halves"
    bench.pass_s(3_600)
    bench.send(HeadsFetched(()))
    assert fetch_all(bench, wrong=True) == 16


def test_a_server_that_has_used_up_the_hour_is_looked_at_again_in_the_next() -> None:
    bench = after_the_hour()
    looks = sum(look(bench, came_bytes=500_000) for _ in range(20))
    assert looks == 4
    assert bench.state.home.soon_at is None
    bench.pass_s(3_600)
    assert bench.state.home.asking
    bench.send(HeadsFetched((), 10_000))
    assert look(bench) == 1


@pytest.mark.parametrize("used_up", [True, False])
def test_a_restart_that_a_thief_has_ordered_gives_a_server_no_new_hour(*, used_up: bool) -> None:
    bench = after_the_hour()
    if used_up:
        sum(look(bench, came_bytes=500_000) for _ in range(20))
    again = Homed()
    again.now = bench.now
    again.send(Restored((), (), {}, 0, 0, "e1", spent=bench.state.spent))
    assert look(again) == (0 if used_up else 1)
    again.pass_s(3_600)
    assert again.state.home.asking, "in the next hour"


@pytest.mark.parametrize("until", [-HOUR_MS, 2 * HOUR_MS])
def test_an_hour_of_another_boot_is_none(until: int) -> None:
    again = Homed()
    papers = Papers(MonoMs(again.now.mono + until), 10**9)
    again.send(Restored((), (), {}, 0, 0, "e1", spent=Spent(papers=papers)))
    assert look(again) == 1


def after_the_hour() -> Homed:
    """At work, and the station's own minute has just gone by."""
    bench = at_work()
    hourly_at = bench.state.spent.papers.until
    assert hourly_at is not None
    bench.pass_s((hourly_at - bench.now.mono) / 1_000)
    bench.send(HeadsFetched(()))
    bench.said.clear()
    return bench


def test_a_warning_does_not_wait_behind_a_list_of_large_orders() -> None:
    """They are more than one look may fetch, and the broker keeps the warning back: it came hours later."""
    bench = at_work()
    bench.give(bench.head(STATION), *large(40))
    flood = listed("flood", not_after=bench.now.utc + HOUR_MS)
    bench.give(bench.head(), *large(40), flood)
    assert bench.every(fx.FetchPaper)[-1] == fx.FetchPaper(WARD, "sha flood", 900)


def test_a_station_to_which_nothing_happens_wakes_by_itself_for_each_hours_look() -> None:
    bench = at_work()
    for _ in range(3):
        bench.said.clear()
        wakes_in_ms = min(manifests.next_wake(bench.state)) - bench.now.mono
        assert 0 < wakes_in_ms <= HOUR_MS
        bench.pass_s(wakes_in_ms / 1000)
        assert len(bench.every(fx.FetchHeads)) == 1
        bench.send(HeadsFetched(()))


def test_a_server_that_does_not_answer_makes_nobody_spin_who_is_to_look_again_soon() -> None:
    bench = at_work()
    bench.give(bench.head(), upto=5)
    bench.pass_s(3_600)
    assert bench.state.home.asking
    bench.at(600, job_id="replayed", serial=5)
    bench.pass_s(120)
    assert bench.wakes_in_ms() > 0
