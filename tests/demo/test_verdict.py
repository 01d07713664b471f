"""The demo's verdict: it believes an honest ward, and each planted fault is noticed by the check that promises so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from demo import evidence, match
from demo.evidence import LEFT, RIGHT
from demo.relay_checks import QUEUED_MS
from edge_agent.audio.signals import opening
from edge_agent.core.programme import ATTENTION_GAP_MS
from tests.demo.rehearsal import (
    AGAIN_S,
    BACK_S,
    CLOSING_S,
    DUE_S,
    FLOOD_S,
    KILLED_S,
    LASTS_S,
    OVER_S,
    PLANNED_S,
    SIGNAL_S,
    SILENT_S,
    TAIL_S,
    WARM_S,
    WORDS_S,
    Rehearsal,
    Samples,
    at_ms,
    chime,
    frame,
    moves,
    signal,
    voice,
)

ON_TIME = "the bulletin starts on time"
WHOLE = "c2 heard the whole bulletin"
CHIMES = "both zones heard both chimes"
CUT_IN = "the emergency cuts in on c1"
ATTENTION = "the attention signal, once, on c1 only"
WORDS = "the station spoke the emergency's words"
BESIDE = "c1 heard the bulletin before and after, at the programme's own place"
DURING = "during the emergency c1 heard none of the bulletin"
WARM = "relays closed ≥ 800 ms before sound"
OPEN_SILENT = "no sound while a relay is open"
AFTER_LAST = "relays open after the last sample"
KILLED = "SIGKILL: relays open at once"
NO_MOVE = "no relay moved for the wrong orders"
LOG = "the headend's log says what happened"
CHAIN = "the log's hash chain holds"
REFUSED = "five wrong orders, each refused by name"
SEEN = "birth, heartbeat, goodbye and will were seen"
PLANNED = "tomorrow is told, and why not"

LOOKS = ((evidence, "listen"), (match, "place"), (match, "windows"))
"""Where each depends on nothing but what it is given."""

Plant = Callable[[Rehearsal], None]


def remembering(found: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, which looks only once at the same samples."""
    known: dict[tuple[bytes | str, ...], Any] = {}

    def remembered(*given: Any) -> Any:
        key = tuple(sha256(one.tobytes()).digest() if isinstance(one, np.ndarray) else repr(one) for one in given)
        if key not in known:
            known[key] = found(*given)
        return known[key]

    return remembered


REMEMBERED = [(place, name, remembering(getattr(place, name))) for place, name in LOOKS]


@pytest.fixture(autouse=True)
def looks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What costs is to look at samples, and most faults leave one channel or both as the honest ward has them."""
    for place, name, remembered in REMEMBERED:
        monkeypatch.setattr(place, name, remembered)


def test_an_honest_ward_is_believed() -> None:
    verdict = Rehearsal().verdict()
    assert [check.english for check in verdict if not check.held] == []
    assert len(verdict) == 18


def shifted(sound: Samples, seconds: float) -> Samples:
    return np.roll(sound, frame(seconds))


def late_by(seconds: float) -> Plant:
    def plant(ward: Rehearsal) -> None:
        ward.channels = np.roll(ward.channels, frame(seconds), axis=0)

    return plant


def no_opening_chime(ward: Rehearsal) -> None:
    ward.silence(PLANNED_S, DUE_S, RIGHT)


def no_closing_chime(ward: Rehearsal) -> None:
    ward.silence(CLOSING_S, SILENT_S, LEFT)


def a_chime_after_the_emergency(ward: Rehearsal) -> None:
    ward.lay(chime(opening), BACK_S, LEFT)


def an_abrupt_beginning(ward: Rehearsal) -> None:
    """The chime begins half a second late."""
    ward.silence(PLANNED_S, PLANNED_S + 0.5, LEFT)


def signal_twice(ward: Rehearsal) -> None:
    ward.lay(signal()[: frame(2)], BACK_S + 1, LEFT)


def signal_on_both(ward: Rehearsal) -> None:
    ward.lay(signal(), SIGNAL_S + 0.003, RIGHT)


def signal_missing(ward: Rehearsal) -> None:
    ward.silence(SIGNAL_S, WORDS_S, LEFT)


def signal_cut_short(ward: Rehearsal) -> None:
    ward.silence(SIGNAL_S + 4, WORDS_S, LEFT)


def emergency_too_late(ward: Rehearsal) -> None:
    ward.story.flood_ms -= 3_000


def emergency_before_it_was_ordered(ward: Rehearsal) -> None:
    ward.story.flood_ms += 3_000


def bulletin_over_before_the_emergency_is(ward: Rehearsal) -> None:
    ward.bulletin = ward.bulletin[: frame(12)]


def other_words(ward: Rehearsal) -> None:
    ward.lay(voice(FLOOD_S, seed=77), WORDS_S, LEFT)


def words_cut_short(ward: Rehearsal) -> None:
    ward.silence(WORDS_S + 4.5, BACK_S, LEFT)


def bulletin_under_the_emergency(ward: Rehearsal) -> None:
    ward.mix(ward.take(SIGNAL_S, BACK_S, RIGHT), SIGNAL_S, LEFT)


def bulletin_faintly_under_the_emergency(ward: Rehearsal) -> None:
    ward.mix(ward.take(SIGNAL_S, BACK_S, RIGHT), SIGNAL_S, LEFT, gain=0.2)


def one_word_of_the_bulletin_under_the_emergency(ward: Rehearsal) -> None:
    ward.mix(ward.take(WORDS_S + 2, WORDS_S + 3, RIGHT), WORDS_S + 2, LEFT)


def bulletin_goes_on_in_c1(ward: Rehearsal) -> None:
    ward.lay(ward.take(SIGNAL_S, BACK_S, RIGHT), SIGNAL_S, LEFT)


def c2_loses(start: float, seconds: float) -> Plant:
    return lambda ward: ward.silence(DUE_S + start, DUE_S + start + seconds, RIGHT)


def c1_loses(second: float) -> Plant:
    """A whole second there: no seam of a late writer is as long."""
    return lambda ward: ward.silence(second, second + 1.0, LEFT)


def c1_does_not_come_back(ward: Rehearsal) -> None:
    ward.silence(BACK_S, OVER_S, LEFT)


def c1_goes_on_where_it_was_cut(ward: Rehearsal) -> None:
    ward.lay(ward.bulletin[frame(SIGNAL_S - DUE_S) :][: frame(OVER_S - BACK_S)], BACK_S, LEFT)


def c1_hears_another_item_before(ward: Rehearsal) -> None:
    ward.lay(voice(SIGNAL_S - DUE_S, seed=78), DUE_S, LEFT)


def burst(second: float, channel: int) -> Plant:
    return lambda ward: ward.lay(voice(0.05, seed=79), second, channel)


def relay_moved(zone: str, on: bool, second: float, nth: int) -> Plant:
    return lambda ward: ward.move(zone, on, second, nth)


def relay_never_opens_after_the_kill(ward: Rehearsal) -> None:
    ward.moves.pop()


def relays_stay_open_in_the_second_run(ward: Rehearsal) -> None:
    del ward.moves[4:]


def relays_move_for_a_wrong_order(ward: Rehearsal) -> None:
    ward.moves = [*moves(True, 3.0), *moves(False, 4.0), *ward.moves]


def relay_closed_too_early_and_held(ward: Rehearsal) -> None:
    ward.move("c1", True, 2.0, 0)


def relay_cycles_for_the_emergency(ward: Rehearsal) -> None:
    ward.moves += [move for move in moves(False, SIGNAL_S - 0.2) + moves(True, SIGNAL_S - 0.1) if move.zone == "c1"]
    ward.moves.sort(key=lambda move: move.at_ms)


def outcome(nth: int, **changes: object) -> Plant:
    return lambda ward: ward.rows[nth].update(changes)


def record_missing(ward: Rehearsal) -> None:
    del ward.rows[1]


def record_changed(ward: Rehearsal) -> None:
    ward.tamper = lambda records: [replace(records[0], body=records[0].body + b" "), *records[1:]]


def record_cut_out(ward: Rehearsal) -> None:
    ward.tamper = lambda records: [records[0], *records[2:]]


def no_records(ward: Rehearsal) -> None:
    ward.tamper = lambda records: []


def refused_for_another_reason(ward: Rehearsal) -> None:
    ward.story.refused["for 03:15"] = ("night", ward.story.refused["forged"][1])


def wrong_order_not_tried(ward: Rehearsal) -> None:
    del ward.story.refused["forged"]


def unseen(name: str, value: object = False) -> Plant:
    return lambda ward: setattr(ward.story, name, value)


def everything_silent(ward: Rehearsal) -> None:
    ward.channels[:] = 0


FAULTS: list[tuple[Plant, set[str]]] = [
    (no_opening_chime, {CHIMES}),
    (no_closing_chime, {CHIMES}),
    (a_chime_after_the_emergency, {CHIMES}),
    (an_abrupt_beginning, {CHIMES}),
    (late_by(0.3), {ON_TIME}),
    (late_by(-0.3), {ON_TIME}),
    (signal_twice, {ATTENTION}),
    (signal_on_both, {ATTENTION, WHOLE}),
    (signal_missing, {ATTENTION, CUT_IN, WORDS, BESIDE, DURING}),
    (signal_cut_short, {ATTENTION}),
    (emergency_too_late, {CUT_IN}),
    (emergency_before_it_was_ordered, {CUT_IN}),
    (bulletin_over_before_the_emergency_is, {BESIDE}),
    (other_words, {WORDS}),
    (words_cut_short, {WORDS}),
    (bulletin_under_the_emergency, {DURING}),
    (bulletin_faintly_under_the_emergency, {DURING}),
    (one_word_of_the_bulletin_under_the_emergency, {DURING}),
    (bulletin_goes_on_in_c1, {ATTENTION, CUT_IN, WORDS, DURING}),
    (c2_loses(4.0, 1.0), {WHOLE}),
    (c2_loses(4.2, 1.2), {WHOLE}),
    (c2_loses(13.0, 13.0), {WHOLE}),
    (c1_loses(DUE_S + 2.0), {BESIDE}),
    (c1_loses(BACK_S + 2.0), {BESIDE}),
    (c1_does_not_come_back, {BESIDE}),
    (c1_goes_on_where_it_was_cut, {BESIDE}),
    (c1_hears_another_item_before, {BESIDE}),
    (burst(2.0, LEFT), {OPEN_SILENT}),
    (burst(39.4, RIGHT), {OPEN_SILENT}),
    (burst(KILLED_S + QUEUED_MS / 1000 + 0.15, LEFT), {OPEN_SILENT}),
    (burst(LASTS_S - 0.1, RIGHT), {OPEN_SILENT}),
    (relay_moved("c1", True, PLANNED_S - 0.5, 0), {WARM}),
    (relay_moved("c2", True, AGAIN_S + WARM_S - 0.7, 1), {WARM}),
    (relay_moved("c2", False, SILENT_S - 0.5, 0), {AFTER_LAST, OPEN_SILENT}),
    (relay_moved("c1", False, SILENT_S - 0.1, 0), {AFTER_LAST, OPEN_SILENT}),
    (relay_moved("c1", False, SILENT_S + TAIL_S + 1.2, 0), {AFTER_LAST}),
    (relay_moved("c2", False, KILLED_S + 2, 1), {KILLED}),
    (relay_never_opens_after_the_kill, {KILLED}),
    (relays_stay_open_in_the_second_run, {NO_MOVE, KILLED, OPEN_SILENT, WARM}),
    (relays_move_for_a_wrong_order, {NO_MOVE, WARM}),
    (relay_closed_too_early_and_held, {NO_MOVE}),
    (relay_cycles_for_the_emergency, {NO_MOVE}),
    (outcome(0, outcome="failed"), {LOG}),
    (outcome(1, reason="preempted"), {LOG}),
    (outcome(2, outcome="succeeded", reason=None), {LOG}),
    (record_missing, {LOG}),
    (record_changed, {CHAIN}),
    (record_cut_out, {CHAIN}),
    (no_records, {CHAIN}),
    (refused_for_another_reason, {REFUSED}),
    (wrong_order_not_tried, {REFUSED}),
    (outcome(3, reason="expired"), {REFUSED}),
    (unseen("will_seen"), {SEEN}),
    (unseen("goodbye_seen"), {SEEN}),
    (unseen("birth_seen"), {SEEN}),
    (unseen("heartbeats", 0), {SEEN}),
    (unseen("tomorrow", [{"job_id": "bulletin", "out": {}}, {"job_id": "evening", "out": {}}]), {PLANNED}),
    (unseen("tomorrow", []), {PLANNED}),
    (everything_silent, {ON_TIME, CHIMES, WHOLE, CUT_IN, ATTENTION, WORDS, BESIDE, DURING, WARM}),
]


NAMES = [f"{number}-{plant.__qualname__.partition('.')[0]}" for number, (plant, _) in enumerate(FAULTS)]


@pytest.mark.deep
@pytest.mark.parametrize(("plant", "expected"), FAULTS, ids=NAMES)
def test_a_planted_fault_is_noticed(plant: Plant, expected: set[str]) -> None:
    ward = Rehearsal()
    plant(ward)
    assert expected <= ward.failed()


def test_one_late_block_of_an_underrun_is_not_called_a_loss() -> None:
    """A seam of 40 ms in the middle of the bulletin, everything behind it later by as much (the record counts it)."""
    ward = Rehearsal()
    for channel in (LEFT, RIGHT):
        behind = ward.take(DUE_S + 3.2, OVER_S, channel)
        ward.silence(DUE_S + 3.2, DUE_S + 3.24, channel)
        ward.lay(behind, DUE_S + 3.24, channel)
    assert not ward.failed() & {WHOLE, BESIDE}


def test_what_a_card_had_queued_at_the_kill_is_not_called_sound_behind_an_open_relay() -> None:
    ward = Rehearsal()
    ward.lay(ward.second[frame(4.0) : frame(4.2)], KILLED_S, LEFT)
    assert OPEN_SILENT not in ward.failed()


def test_every_check_is_seen_to_fail_somewhere() -> None:
    promised = {check.english for check in Rehearsal().verdict()}
    assert set().union(*(expected for _, expected in FAULTS)) == promised


def test_the_gap_between_signal_and_words_belongs_to_the_emergency() -> None:
    ward = Rehearsal()
    gap_s = ATTENTION_GAP_MS / 1000
    ward.mix(ward.take(WORDS_S - gap_s, WORDS_S, RIGHT), WORDS_S - gap_s, LEFT)
    assert DURING in ward.failed()


def test_boot_times_of_the_rehearsal_are_those_of_its_recording() -> None:
    found = Rehearsal().evidence()
    assert round(found.recording.instant_ms(found.bulletin_at)) == at_ms(DUE_S)
