"""The watchdog hears of progress and of nothing else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.core.units import MonoMs
from edge_agent.watchdog import FEED_EVERY_MS, Notifier, Progress

T0 = MonoMs(50_000)


class ServiceManager:
    """Listens where systemd would."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(address)

    def heard(self) -> list[str]:
        told = []
        while True:
            try:
                told.append(self.socket.recv(4_096).decode())
            except BlockingIOError:
                return told


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    manager = ServiceManager(str(tmp_path / "notify"))
    yield manager
    manager.socket.close()


@pytest.fixture
def notifier(manager: ServiceManager, tmp_path: Path) -> Iterator[Notifier]:
    notifier = Notifier(str(tmp_path / "notify"))
    yield notifier
    notifier.close()


def at(ms: int) -> MonoMs:
    return MonoMs(T0 + ms)


def test_the_service_manager_hears_each_word(manager: ServiceManager, notifier: Notifier) -> None:
    notifier.ready()
    notifier.status("hai\ncụm loa")
    notifier.alive()
    notifier.stopping()
    assert manager.heard() == ["READY=1", "STATUS=hai cụm loa", "WATCHDOG=1", "STOPPING=1"]


def test_an_abstract_address_is_reached(tmp_path: Path) -> None:
    name = f"edge-agent-test-{tmp_path}"
    manager = ServiceManager(f"\0{name}")
    notifier = Notifier(f"@{name}")
    notifier.ready()
    assert manager.heard() == ["READY=1"]
    notifier.close()
    manager.socket.close()


def test_without_a_service_manager_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Notifier.from_environment().ready()


def test_the_address_comes_from_the_environment(
    manager: ServiceManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    Notifier.from_environment().ready()
    assert manager.heard() == ["READY=1"]


def test_a_service_manager_that_is_gone_or_does_not_read_holds_nobody_up(
    manager: ServiceManager, notifier: Notifier, tmp_path: Path
) -> None:
    for _ in range(2_000):
        notifier.status("x" * 500)
    manager.socket.close()
    notifier.alive()


def test_progress_of_all_feeds_and_one_that_stands_still_does_not(manager: ServiceManager, notifier: Notifier) -> None:
    progress = Progress(notifier, {"core": 2_000, "broker": 5_000}, T0)
    fed = []
    for ms in range(0, 20_000, 1_000):
        progress.mark("core", at(ms))
        if ms < 8_000:
            progress.mark("broker", at(ms))
        progress.feed(at(ms))
        fed += [ms for _ in manager.heard()]
    assert fed == list(range(0, 13_000, 1_000)), "the broker's last sign at 7 s, and 5 s of grace"


def test_a_source_that_never_moved_is_late_too(notifier: Notifier) -> None:
    progress = Progress(notifier, {"core": 2_000}, T0)
    assert progress.late(at(2_000)) == ()
    assert progress.late(at(2_001)) == ("core",)


def test_a_source_at_rest_owes_nothing_until_it_moves_again(notifier: Notifier) -> None:
    progress = Progress(notifier, {"writer": 2_000}, T0)
    progress.rest("writer")
    assert progress.late(at(60_000)) == ()
    progress.mark("writer", at(60_000))
    assert progress.late(at(62_001)) == ("writer",)


def test_a_source_that_comes_back_feeds_again(manager: ServiceManager, notifier: Notifier) -> None:
    progress = Progress(notifier, {"core": 2_000}, T0)
    progress.feed(at(5_000))
    assert manager.heard() == []
    progress.mark("core", at(5_000))
    progress.feed(at(5_001))
    assert manager.heard() == ["WATCHDOG=1"]


def test_a_busy_loop_does_not_flood_the_service_manager(manager: ServiceManager, notifier: Notifier) -> None:
    progress = Progress(notifier, {}, T0)
    for ms in range(0, 3 * FEED_EVERY_MS, 10):
        progress.feed(at(ms))
    assert manager.heard() == ["WATCHDOG=1"] * 3


def test_a_source_nobody_named_is_our_own_bug(notifier: Notifier) -> None:
    with pytest.raises(AssertionError):
        Progress(notifier, {"core": 1}, T0).mark("cor", T0)
