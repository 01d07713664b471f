"""From the publishing of an emergency to its first sample behind the sound card, idle and cutting into a programme.

The words were spoken and staged before (a first emergency with the same words sees to it): what counts is how long a
warning takes that the station can already say; how long new words take is told beside it. Every emergency sounds for
seven seconds, so several stations take turns: while one sounds the others are quiet.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from collections.abc import Callable
from functools import partial

from bench.figures import Section, spread
from bench.station import QUIET_MAX, programme, put_on_air, recorded_fitting, running
from demo.acts import JOB_TOPIC, draft_of, item_of, recorded, wait
from demo.ward import Ward
from tests.host.recording import LATENCY_MS

STATIONS, STATIONS_QUICK = 8, 3
RUNS, RUNS_QUICK = 104, 12
MEDIAN_MS_MAX, P99_MS_MAX = 25, 50
WORDS = "Lũ về."
SEED = 1
REST_S = 2.5
# The card is given back two seconds after the last sample; idle means that it has to be opened.
PAUSE_S = (0.05, 0.15)
# Chosen anew each time, so that publishing keeps no step with anybody's period.
TURN_S_MAX = 20
ZONE, CHANNEL = "c1", 0


def measure(quick: bool) -> Section:
    """All runs, first idle, then cutting in."""
    runs, stations = (RUNS_QUICK, STATIONS_QUICK) if quick else (RUNS, STATIONS)
    with contextlib.ExitStack() as stack:
        stands = [Stand(stack.enter_context(running(recorded_fitting()))) for _ in range(stations)]
        for stand in stands:
            stand.warn()
        idle = _turns(stands, runs, REST_S)
        for stand in stands:
            stand.await_quiet(REST_S)
            put_on_air(stand.ward, programme(stand.ward.folder, runs // stations * TURN_S_MAX))
        cutting = _turns(stands, runs, 0)
        for stand in stands:
            stand.await_quiet(0)
            stand.listen()
        figures = (
            *spread("idle", [one() for one in idle], "ms", median_max=MEDIAN_MS_MAX, p99_max=P99_MS_MAX),
            *spread("cutting in", [one() for one in cutting], "ms", median_max=MEDIAN_MS_MAX, p99_max=P99_MS_MAX),
            *spread("idle, words never spoken before", [stand.delay_ms(0) for stand in stands], "ms"),
        )
    how = (
        "publish() of a signed emergency → the first sample of its attention signal in a recording of the null sink's "
        f"monitor; no warm-up configured; words staged before; seed {SEED}, {stations} stations in turn; the "
        "recording's own instants are good to 0.2 ms, and one step of the sink (5 ms) is added to all"
    )
    return Section("Emergency → first sample", how, figures)


class Stand:
    """A station under measurement, and every warning that it was given."""

    def __init__(self, ward: Ward) -> None:
        self.ward = ward
        self._told_ms: list[float] = []
        self._job = ""

    def warn(self) -> int:
        """Publish an emergency; its number."""
        draft = draft_of("emergency", "now", item_of("Lũ", "thien-tai", text=WORDS), [ZONE]) | {"event": "lu-quet"}
        finished, envelope = self.ward.headend.compose(draft, ["ward-emergency"])
        self._job = finished.job.job_id
        self._told_ms.append(time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e6)
        self.ward.headend.publish_raw(envelope, JOB_TOPIC)
        return len(self._told_ms) - 1

    def await_quiet(self, rest_s: float) -> None:
        """Return when the last warning has ended, and so much time after that."""
        wait(self.ward, lambda: self._job in recorded(self.ward), "the end of an emergency", TURN_S_MAX)
        time.sleep(rest_s)

    def listen(self) -> None:
        """End the recording."""
        self._heard = self.ward.recording()

    def delay_ms(self, number: int) -> float:
        """From a warning's publishing to its first sample.

        The recording dates the end of each of the sink's steps to when the sink began it; a step more is certain.
        """
        told = self._told_ms[number]
        onset = self._heard.onset(CHANNEL, QUIET_MAX, self._heard.frame_at(told))
        assert onset is not None, "an emergency that was recorded as played was not heard"
        return self._heard.instant_ms(onset) + LATENCY_MS - told


def _turns(stands: list[Stand], runs: int, rest_s: float) -> list[Callable[[], float]]:
    """Warn at one station after the other, each quiet again before it is its turn; what tells the delays later."""
    chance = random.Random(SEED)
    told: list[Callable[[], float]] = []
    for stand in itertools.islice(itertools.cycle(stands), runs):
        stand.await_quiet(rest_s)
        time.sleep(chance.uniform(*PAUSE_S))
        told.append(partial(stand.delay_ms, stand.warn()))
    return told
