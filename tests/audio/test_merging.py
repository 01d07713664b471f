"""What is told of one play on several cards (``audio.merging``), whatever each reports, and in whatever order."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.audio.merging import Merger
from edge_agent.audio.port import PlayReport
from edge_agent.core.events import PlayEnded, PlayProgress, PlayStarted, ZonesLost
from edge_agent.core.reasons import Reason
from edge_agent.core.units import MonoMs, PlayId, ZoneId

P = PlayId("p")
A, B, C = (ZoneId(zone) for zone in "abc")
CARDS = {"left": (A,), "right": (B,), "third": (C,)}
ENDS = (None, None, Reason.SHUTDOWN, Reason.DEVICE_FAILED, Reason.AUDIO_ALTERED)


def two(*heard: str) -> Merger:
    return Merger(P, {"left": (A,), "right": (B,)}, heard or ("left", "right"))


def begun(at: int) -> PlayStarted:
    return PlayStarted(P, MonoMs(at))


def progress(zone: ZoneId, ms: int, underruns: int = 0) -> PlayProgress:
    return PlayProgress(P, {zone: ms}, underruns)


def end(zone: ZoneId, ms: int, at: int, reason: Reason | None = None, underruns: int = 0) -> PlayEnded:
    return PlayEnded(P, {zone: ms} if ms else {}, ms * 48, underruns, MonoMs(at), reason)


# -- the beginning


def test_it_begins_with_the_first_card_and_once() -> None:
    play = two()
    assert play.take_in("right", begun(5_000)) == [begun(5_000)]
    assert play.take_in("left", begun(5_003)) == []


def test_a_card_that_nobody_hears_is_not_its_beginning() -> None:
    play = two("left")
    assert play.take_in("right", begun(5_000)) == []
    assert play.take_in("left", begun(5_003)) == [begun(5_003)]


def test_a_route_to_a_card_where_it_runs_already_is_its_beginning() -> None:
    play = two("left")
    play.take_in("right", begun(5_000))
    assert play.route(("right",)) == [begun(5_000)]
    assert play.route(("left", "right")) == []


def test_where_nobody_hears_it_any_card_is_its_beginning() -> None:
    play = Merger(P, {"left": (A,), "right": (B,)}, ())
    assert play.take_in("right", begun(5_000)) == [begun(5_000)]


def test_a_card_that_is_lost_before_the_beginning_does_not_keep_the_other_from_it() -> None:
    play = two("left")
    play.take_in("right", begun(5_000))
    assert play.take_in("left", end(A, 0, 5_001, Reason.DEVICE_FAILED)) == [
        ZonesLost(P, (A,), Reason.DEVICE_FAILED),
        begun(5_000),
    ]


# -- progress


def test_progress_is_told_once_for_all_cards_and_holds_all_zones() -> None:
    play = two()
    assert play.take_in("left", progress(A, 800, 1)) == []
    assert play.take_in("right", progress(B, 805, 2)) == [PlayProgress(P, {A: 800, B: 805}, 3)]
    assert play.take_in("left", progress(A, 1_600, 1)) == []
    assert play.take_in("right", progress(B, 1_605, 2)) == [PlayProgress(P, {A: 1_600, B: 1_605}, 3)]


def test_progress_does_not_wait_for_a_card_that_reports_none() -> None:
    play = two()
    play.take_in("left", progress(A, 800))
    assert play.take_in("left", progress(A, 1_600)) == [PlayProgress(P, {A: 1_600}, 0)]


def test_progress_does_not_wait_for_a_card_that_nobody_hears_or_that_has_ended() -> None:
    assert two("left").take_in("left", progress(A, 800)) == [PlayProgress(P, {A: 800}, 0)]
    play = two()
    play.take_in("right", end(B, 0, 5_000, Reason.DEVICE_FAILED))
    assert play.take_in("left", progress(A, 800)) == [PlayProgress(P, {A: 800}, 0)]


# -- the end


def test_it_ends_with_the_last_card_and_says_all_together() -> None:
    play = two()
    assert play.take_in("left", end(A, 3_000, 8_000, underruns=1)) == []
    assert play.take_in("right", end(B, 2_000, 8_002, underruns=2)) == [
        PlayEnded(P, {A: 3_000, B: 2_000}, 3_000 * 48, 3, MonoMs(8_002), None)
    ]


def test_a_card_that_fails_loses_its_zones_and_ends_nothing() -> None:
    play = two()
    play.take_in("left", begun(5_000))
    assert play.take_in("left", end(A, 700, 5_700, Reason.DEVICE_FAILED)) == [ZonesLost(P, (A,), Reason.DEVICE_FAILED)]
    assert play.living == ("right",)
    assert play.take_in("right", end(B, 3_000, 8_000)) == [
        PlayEnded(P, {A: 700, B: 3_000}, 3_000 * 48, 0, MonoMs(8_000), None)
    ]


def test_when_the_last_card_fails_too_the_play_has_failed() -> None:
    play = two()
    play.take_in("left", end(A, 700, 5_700, Reason.DEVICE_FAILED))
    assert play.take_in("right", end(B, 900, 5_900, Reason.DEVICE_FAILED)) == [
        PlayEnded(P, {A: 700, B: 900}, 900 * 48, 0, MonoMs(5_900), Reason.DEVICE_FAILED)
    ]


def test_a_card_that_fails_after_the_others_have_ended_is_named_before_the_end() -> None:
    play = two()
    play.take_in("left", end(A, 3_000, 8_000))
    lost, last = play.take_in("right", end(B, 2_900, 8_001, Reason.DEVICE_FAILED))
    assert lost == ZonesLost(P, (B,), Reason.DEVICE_FAILED)
    assert isinstance(last, PlayEnded)
    assert last.reason is None


def test_what_was_stopped_on_one_card_did_not_come_to_its_end() -> None:
    play = two()
    play.take_in("left", end(A, 3_000, 8_000))
    (last,) = play.take_in("right", end(B, 2_900, 8_001, Reason.SHUTDOWN))
    assert isinstance(last, PlayEnded)
    assert last.reason is Reason.SHUTDOWN


def test_sound_that_one_card_found_altered_spoils_it_for_all() -> None:
    play = two()
    assert play.take_in("left", end(A, 700, 5_700, Reason.AUDIO_ALTERED)) == []
    assert play.spoilt
    (last,) = play.take_in("right", end(B, 750, 5_750, Reason.SHUTDOWN))
    assert isinstance(last, PlayEnded)
    assert last.reason is Reason.AUDIO_ALTERED


def test_a_card_that_falls_silent_keeps_what_it_had_told() -> None:
    play = two()
    play.take_in("left", progress(A, 800, 1))
    assert play.lose("left", MonoMs(6_000)) == [ZonesLost(P, (A,), Reason.DEVICE_FAILED)]
    assert play.take_in("left", end(A, 5_000, 9_000)) == [], "what it says afterwards is nobody's business"
    (last,) = play.take_in("right", end(B, 3_000, 8_000))
    assert isinstance(last, PlayEnded)
    assert (last.zone_ms, last.underruns) == ({A: 800, B: 3_000}, 1)


# -- whatever comes


@dataclass
class Life:
    """What one card goes through: its reports, in order."""

    heard: bool
    reports: list[PlayReport] = field(default_factory=list)


@st.composite
def lives(draw: st.DrawFn, name: str) -> Life:
    (zone,) = CARDS[name]
    life = Life(draw(st.booleans()))
    ms = 0
    if draw(st.booleans()):
        life.reports.append(begun(draw(st.integers(5_000, 5_020))))
        for step in draw(st.lists(st.integers(800, 900), max_size=4)):
            ms += step
            life.reports.append(progress(zone, ms, draw(st.integers(0, 2))))
    last_ms = ms + draw(st.integers(0, 700))
    life.reports.append(end(zone, last_ms, draw(st.integers(6_000, 9_000)), draw(st.sampled_from(ENDS))))
    return life


def told(merger: Merger, all_lives: dict[str, Life], order: list[str]) -> list[PlayReport]:
    """What is told of them all when the cards report in this order, and the rest after it."""
    waiting = {name: list(life.reports) for name, life in all_lives.items()}
    news: list[PlayReport] = []
    for name in [*order, *(name for name in waiting for _ in range(9))]:
        if waiting[name]:
            news += merger.take_in(name, waiting[name].pop(0))
    return news


@given(
    st.fixed_dictionaries({name: lives(name) for name in CARDS}),
    st.lists(st.sampled_from(sorted(CARDS)), max_size=18),
)
def test_whatever_the_cards_report_the_promise_of_a_player_holds(cards: dict[str, Life], order: list[str]) -> None:
    merger = Merger(P, CARDS, [name for name, life in cards.items() if life.heard])
    news = told(merger, cards, order)
    *before, last = news
    assert isinstance(last, PlayEnded), "it ends"
    assert not any(isinstance(report, PlayEnded) for report in before), "once, and nothing follows"
    assert sum(isinstance(report, PlayStarted) for report in news) <= 1
    assert merger.living == ()
    ends = [life.reports[-1] for life in cards.values()]
    assert all(isinstance(one, PlayEnded) for one in ends)
    assert last.zone_ms == {zone: ms for one in ends for zone, ms in one.zone_ms.items()}  # type: ignore[union-attr]
    assert last.underruns == sum(one.underruns for one in ends)  # type: ignore[union-attr]
    reasons = [one.reason for one in ends]  # type: ignore[union-attr]
    assert last.reason in reasons
    lost = [zone for report in news if isinstance(report, ZonesLost) for zone in report.zones]
    failed = [name for name, life in cards.items() if life.reports[-1].reason is Reason.DEVICE_FAILED]  # type: ignore[union-attr]
    assert len(set(lost)) == len(lost), "a zone is lost once"
    assert {*lost} <= {zone for name in failed for zone in CARDS[name]}
    if last.reason is not Reason.DEVICE_FAILED:
        assert len(lost) == len(failed), "and every one whose card failed, where the play did not"
    told_ms: dict[ZoneId, int] = {}
    for report in news:
        if isinstance(report, PlayProgress | PlayEnded):
            assert all(report.zone_ms.get(zone, 0) >= ms for zone, ms in told_ms.items()), "what is told only grows"
            told_ms = dict(report.zone_ms)
