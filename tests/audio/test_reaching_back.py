"""What is due now does not wait for what is queued (ADR 11), and nobody else on the card loses a sample by it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.audio.card import CardConfig
from edge_agent.audio.mixer import RAMP_MS, Fader, risen
from edge_agent.audio.prefetch import KEPT_MS
from edge_agent.core.events import PlayStarted
from edge_agent.core.reasons import Reason
from tests.audio.player_rig import (
    LEFT,
    RAMP,
    RATE,
    RIGHT,
    WIRING,
    PulseRig,
    Samples,
    VirtualRig,
    begin,
    feeds,
    first_of,
    noise,
    pause,
    played_ms,
    reports,
    route,
    stage,
    stop,
    until_ended,
    until_started,
)
from tests.fakes.card import VirtualCard, VirtualPlayer
from tests.host.recording import Recorder, Recording
from tests.host.served import served

QUEUE_MS = CardConfig("station").period_ms * CardConfig("station").periods


def station(folder: Path) -> VirtualRig:
    """With a station's own settings."""
    rig = VirtualRig(folder)
    rig.player = VirtualPlayer(CardConfig("station"), WIRING, rig.store)
    return rig


@pytest.fixture
def rig(tmp_path: Path) -> VirtualRig:
    return station(tmp_path)


@pytest.fixture
def pulse_rig(tmp_path: Path) -> Iterator[PulseRig]:
    with served(tmp_path / "pulse") as server, Recorder(server) as recorder:
        rig = PulseRig(tmp_path / "store", recorder, CardConfig("station"))
        yield rig
        rig.player.close()


def on_air(rig: VirtualRig | PulseRig, sound: Samples) -> None:
    """A bulletin sounds in both zones, and the queue is full."""
    begin(rig, "bulletin", (stage(rig, "a", sound),), feeds(LEFT, RIGHT))
    until_started(rig, "bulletin")
    assert rig.run_until(lambda: played_ms(rig, "bulletin") > 0)


def cut_in(rig: VirtualRig | PulseRig, sound: Samples) -> int:
    """An emergency takes the left zone now; the boot time (ms) of the order."""
    part = stage(rig, "b", sound)
    ordered = rig.now_ms()
    route(rig, "bulletin", feeds(RIGHT))
    begin(rig, "urgent", (part,), feeds(LEFT), at=ordered)
    return ordered


def began_ms(rig: VirtualRig, channel: int, sound: Samples) -> float:
    return rig.player.card.instant_ns(first_of(rig.heard(), channel, sound)) / 1_000_000


def test_an_emergency_is_heard_at_once_though_the_queue_is_full(rig: VirtualRig) -> None:
    urgent = noise(0.5, 2)
    on_air(rig, noise(4, 1))
    ordered = cut_in(rig, urgent)
    until_ended(rig, "urgent")
    assert rig.player.card.drops == 1
    assert ordered <= began_ms(rig, 0, urgent) <= ordered + 1
    (started,) = [report for report in reports(rig, "urgent") if isinstance(report, PlayStarted)]
    assert started.at == pytest.approx(began_ms(rig, 0, urgent), abs=1.1)


@pytest.mark.parametrize(("periods", "reason"), [(8, None), (9, Reason.DEVICE_FAILED)])
def test_a_card_that_holds_more_than_can_be_taken_back_is_refused_before_an_emergency_finds_out(
    tmp_path: Path, periods: int, reason: Reason | None
) -> None:
    """Some drivers round up: nobody can configure so deep a buffer."""
    rig = VirtualRig(tmp_path)
    rig.player = VirtualPlayer(CardConfig("station", period_ms=200, periods=periods), WIRING, rig.store)
    begin(rig, "bulletin", (stage(rig, "a", noise(8, 1)),), feeds(LEFT, RIGHT))
    if reason is None:
        until_started(rig, "bulletin")
        urgent = noise(0.5, 2)
        ordered = cut_in(rig, urgent)
        assert until_ended(rig, "urgent").reason is None
        assert ordered <= began_ms(rig, 0, urgent) <= ordered + 1
    assert until_ended(rig, "bulletin").reason is reason


def test_a_card_that_holds_a_frame_more_than_can_be_taken_back_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would have been found out by the first emergency that came while it was full, and the writer had ended."""
    monkeypatch.setattr(VirtualCard, "buffer_frames", KEPT_MS * RATE // 1_000 + 1)
    rig = station(tmp_path)
    begin(rig, "bulletin", (stage(rig, "a", noise(1, 1)),), feeds(LEFT, RIGHT))
    assert until_ended(rig, "bulletin").reason is Reason.DEVICE_FAILED


def test_the_neighbour_keeps_every_sample_and_its_order(rig: VirtualRig) -> None:
    bulletin = noise(4, 1)
    on_air(rig, bulletin)
    cut_in(rig, noise(0.5, 2))
    until_ended(rig, "urgent")
    end = until_ended(rig, "bulletin")
    right = rig.heard().samples[:, 1]
    first = first_of(rig.heard(), 1, bulletin)
    assert np.array_equal(right[first : first + len(bulletin)][RAMP:-RAMP], bulletin[RAMP:-RAMP])
    assert (end.frames, end.zone_ms[RIGHT], end.underruns) == (len(bulletin), 4_000, 0)


def test_what_was_dropped_is_not_counted_as_played(rig: VirtualRig) -> None:
    bulletin = noise(4, 1)
    on_air(rig, bulletin)
    cut_in(rig, noise(0.5, 2))
    until_ended(rig, "urgent")
    end = until_ended(rig, "bulletin")
    left = rig.heard().samples[:, 0]
    first = first_of(rig.heard(), 1, bulletin)
    heard = np.count_nonzero(left[first : first + len(bulletin)] == bulletin)
    assert abs(end.zone_ms[LEFT] - heard * 1_000 // RATE) <= 2 * RAMP_MS


def test_what_is_taken_back_while_it_rises_goes_on_rising_from_there(rig: VirtualRig) -> None:
    """An emergency for the other zone comes into its rise: the bulletin is heard as if it had not."""
    bulletin = noise(3, 1)
    begin(rig, "bulletin", (stage(rig, "a", bulletin),), feeds(LEFT, RIGHT), rise_ms=3_000)
    until_started(rig, "bulletin")
    drops = rig.player.card.drops
    cut_in(rig, noise(0.5, 2))
    until_ended(rig, "bulletin")
    assert rig.player.card.drops == drops + 1
    whole = np.frombuffer(risen(bulletin.tobytes(), 0, len(bulletin)), np.int16)
    first = first_of(rig.heard(), 1, whole, skipped=RATE)
    assert np.array_equal(rig.heard().samples[first : first + len(whole), 1][RAMP:-RAMP], whole[RAMP:-RAMP])


def test_a_stop_that_waits_in_the_queue_takes_effect_with_the_emergency(rig: VirtualRig) -> None:
    """An emergency for every zone: what sounded there ends where the emergency begins."""
    bulletin, urgent = noise(4, 1), noise(0.5, 2)
    on_air(rig, bulletin)
    part = stage(rig, "b", urgent)
    stop(rig, "bulletin")
    ordered = rig.now_ms()
    begin(rig, "urgent", (part,), feeds(LEFT, RIGHT), at=ordered)
    end = until_ended(rig, "bulletin")
    until_ended(rig, "urgent")
    assert end.reason is Reason.SHUTDOWN
    first = first_of(rig.heard(), 0, bulletin)
    assert abs(first + end.frames - first_of(rig.heard(), 0, urgent)) <= RAMP + 1


def test_a_stop_waits_for_the_queue_and_no_longer(rig: VirtualRig) -> None:
    """To drop the queue would click."""
    on_air(rig, noise(4, 1))
    drops, ordered = rig.player.card.drops, rig.now_ms()
    stop(rig, "bulletin")
    assert until_ended(rig, "bulletin").at <= ordered + QUEUE_MS + 2 * RAMP_MS
    assert rig.player.card.drops == drops


def test_a_play_that_nobody_has_heard_yet_can_still_be_stopped_unheard(rig: VirtualRig) -> None:
    """It was written, but what was written of it is dropped for the emergency."""
    on_air(rig, noise(4, 1))
    quiet, urgent = stage(rig, "c", noise(1, 3)), stage(rig, "b", noise(0.5, 2))
    begin(rig, "later", (quiet,), feeds(LEFT), at=rig.now_ms() + QUEUE_MS + 10)
    written = rig.player.card.written
    assert rig.run_until(lambda: rig.player.card.written > written)
    stop(rig, "later")
    begin(rig, "urgent", (urgent,), feeds(RIGHT), at=rig.now_ms())
    end = until_ended(rig, "later")
    assert (end.reason, end.frames, end.zone_ms) == (Reason.SHUTDOWN, 0, {})


def test_a_play_that_is_not_due_leaves_the_queue_alone(rig: VirtualRig) -> None:
    on_air(rig, noise(4, 1))
    begin(rig, "next", (stage(rig, "b", noise(0.5, 2)),), feeds(LEFT), at=rig.now_ms() + QUEUE_MS + 50)
    route(rig, "bulletin", feeds(RIGHT))
    until_ended(rig, "next")
    assert rig.player.card.drops == 0


def test_sound_that_storage_owes_drops_nothing_until_it_is_there(rig: VirtualRig) -> None:
    bulletin = noise(6, 1)
    on_air(rig, bulletin)
    pause(rig, 100)
    rig.player.reads = False
    ordered = cut_in(rig, noise(0.5, 2))
    pause(rig, 1_000)
    assert rig.player.card.drops == 0
    rig.player.reads = True
    until_ended(rig, "urgent")
    assert rig.player.card.drops == 1
    assert began_ms(rig, 0, noise(0.5, 2)) < ordered + 1_000 + QUEUE_MS // 4


@given(st.lists(st.integers(1, 900), min_size=1, max_size=6))
def test_the_neighbour_is_whole_however_often_it_is_cut_in_upon(pauses: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rig = station(Path(folder))
        bulletin = noise(3, 1)
        begin(rig, "bulletin", (stage(rig, "a", bulletin),), feeds(LEFT, RIGHT))
        part = stage(rig, "b", noise(0.1, 2))
        for number, ms in enumerate(pauses):
            pause(rig, ms)
            begin(rig, f"urgent{number}", (part,), feeds(LEFT), at=rig.now_ms())
        end = until_ended(rig, "bulletin")
        first = first_of(rig.heard(), 1, bulletin)
        right = rig.heard().samples[first : first + len(bulletin), 1]
        assert np.array_equal(right[RAMP:-RAMP], bulletin[RAMP:-RAMP])
        assert end.zone_ms[RIGHT] == 3_000


def test_plain_play_takes_six_writes_a_second_at_most(rig: VirtualRig) -> None:
    on_air(rig, noise(5, 1))
    before = rig.player.card.writes
    pause(rig, 3_000)
    assert 0 < rig.player.card.writes - before <= 3 * 6


def test_a_copied_fader_goes_its_own_way() -> None:
    one = Fader(RATE)
    one.aim(1.0)
    one.pass_on(bytes(RAMP))
    twin = one.copy()
    rest = one.pass_on(b"\x01\x10" * RAMP)
    assert twin.pass_on(b"\x01\x10" * RAMP) == rest


@pytest.mark.host
@pytest.mark.live
def test_behind_a_sound_server_too_the_queue_is_not_waited_for(pulse_rig: PulseRig) -> None:
    bulletin, urgent = noise(5, 1), noise(0.5, 2)
    on_air(pulse_rig, bulletin)
    ordered = cut_in(pulse_rig, urgent)
    until_ended(pulse_rig, "urgent")
    until_ended(pulse_rig, "bulletin")
    heard = pulse_rig.heard()
    assert heard.instant_ms(first_of(heard, 0, urgent)) - ordered < QUEUE_MS // 2
    assert missing_ms(heard, bulletin) < QUEUE_MS // 10


def missing_ms(heard: Recording, sound: Samples) -> float:
    """How much of a sound that was interrupted once is missing on the right, or heard twice."""
    right = heard.samples[:, 1]
    played = right[right != 0]
    same = np.flatnonzero(played[: len(sound)] != sound[: len(played)])
    cut = same[RAMP] if len(same) > RAMP else len(played)
    after = played[cut + RAMP : cut + RAMP + 64]
    found = np.flatnonzero(sound == after[0])
    (where,) = [at for at in found if np.array_equal(sound[at : at + 64], after)]
    return float(abs(where - cut - RAMP) * 1_000 / RATE)
