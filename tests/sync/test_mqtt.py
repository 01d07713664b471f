"""How long a session waits before it asks a broker again: at random, so that a commune does not come in one second."""

from __future__ import annotations

import queue
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_agent.core.events import Disconnected, Event
from edge_agent.core.units import SECOND_MS, StationId
from edge_agent.headend.pki import create_authority
from edge_agent.sync import mqtt
from edge_agent.sync.client import BrokerSettings
from edge_agent.sync.connection import Ending
from edge_agent.sync.mqtt import MqttSession
from tests.host.hostile_broker import Wire
from tests.sync.rigs import TIMEOUT_S, host_clock
from tests.sync.test_hostile_broker import Clock, Street

STATIONS = 1_000
NOWHERE = Path("/nonexistent")


def never(*_: Any) -> Any:
    raise AssertionError("nobody connects here")


def waits_s(failures: int, *, taken_over: bool = False) -> list[float]:
    """Of so many stations whose broker is gone for all of them at once."""
    settings = BrokerSettings("localhost", 1, NOWHERE, NOWHERE, never, StationId("dt-01"), "vn")
    session = MqttSession(settings, never, never, never)
    return [session._wait_s(Ending("refused", 0, taken_over), failures) for _ in range(STATIONS)]


@pytest.mark.parametrize(("failures", "span_s"), [(0, 5), (1, 10), (3, 40), (5, 120), (1_000_000, 120)])
def test_whoever_lost_the_broker_together_comes_back_spread_over_a_span_that_doubles_to_two_minutes(
    failures: int, span_s: int
) -> None:
    waits = waits_s(failures)
    assert 0 <= min(waits) < 0.05 * span_s
    assert 0.95 * span_s < max(waits) <= span_s
    tenths = Counter(int(10 * wait / span_s) for wait in waits)
    assert max(tenths.values()) < 2 * STATIONS / 10, "as many in each tenth of it, but for chance"


def test_two_boxes_of_one_identity_wait_a_minute_beside_it() -> None:
    assert 60 <= min(waits_s(0, taken_over=True)) < max(waits_s(0, taken_over=True)) <= 65


@pytest.mark.parametrize(("stable_s", "counted"), [(60, [1, 2, 3]), (0, [0, 0, 0])])
def test_a_broker_that_takes_us_in_and_throws_us_out_is_waited_for_as_one_that_is_down_and_a_good_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stable_s: int, counted: list[int]
) -> None:
    """Each handshake is paid for, by it and by the station."""
    failures: queue.Queue[int] = queue.Queue()

    def noted(session: MqttSession, ending: Ending, failed: int) -> float:
        failures.put(failed)
        return 0

    def script(wire: Wire) -> None:
        wire.establish()

    monkeypatch.setattr(mqtt, "STABLE_S", stable_s)
    monkeypatch.setattr(MqttSession, "_wait_s", noted)
    with Street(tmp_path, create_authority(tmp_path / "ca", "test")).facing(script):
        assert [failures.get(timeout=TIMEOUT_S) for _ in counted] == counted


def test_a_session_that_waits_to_dial_again_is_let_go_by_its_end(tmp_path: Path) -> None:
    settings = Street(tmp_path, create_authority(tmp_path / "ca", "test")).settings(1)
    posted: queue.Queue[Event] = queue.Queue()
    patient = replace(settings, reconnect_base_s=1_000_000, reconnect_ceiling_s=1_000_000)
    session = MqttSession(patient, posted.put, Clock(), lambda: b"will")
    session.start()
    assert isinstance(posted.get(timeout=TIMEOUT_S), Disconnected)
    session.stop()
    assert not session._thread.is_alive()


def test_a_session_that_had_stood_owes_no_turn_either_while_it_waits_to_dial_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the last turn of the connection that is gone the watchdog would end a process that only waits."""
    wait_s = 1_000
    monkeypatch.setattr(MqttSession, "_wait_s", lambda *_: wait_s)
    with Street(tmp_path, create_authority(tmp_path / "ca", "test")).facing(Wire.establish) as (session, inbox):
        inbox.next(Disconnected)
        gone_at, until = host_clock().mono, time.monotonic() + TIMEOUT_S
        while session.turned_at() < gone_at + wait_s * SECOND_MS / 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert gone_at + wait_s * SECOND_MS / 2 <= session.turned_at() <= host_clock().mono + wait_s * SECOND_MS
