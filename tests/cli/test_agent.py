"""What the configuration says reaches the parts that it is about."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.audio.sandbox import Sandbox
from edge_agent.audio.speech import EspeakVoice
from edge_agent.audio.stems import RecordedFirst
from edge_agent.cli import agent, paths
from edge_agent.clock import Readings, boot_ms, kernel_boot_id, system_utc_ms
from edge_agent.clock_chip import Chip
from edge_agent.config import Config
from edge_agent.core.clock_trust import ClockSource, KeptTime
from edge_agent.core.events import HeartbeatDue, SweepDue
from edge_agent.core.trust_standing import NOTHING_STANDS, TrustHead, TrustStanding
from edge_agent.core.units import HOUR_MS, MINUTE_MS, MonoMs, UtcMs
from edge_agent.housekeeping import Housekeeping
from edge_agent.inbox import Inbox
from edge_agent.journal.port import Contents
from edge_agent.watchdog import Progress
from tests.cli.findings import END_S
from tests.cli.stations import make_station


class Fed:
    """How often the service manager was told that the process lives."""

    def __init__(self) -> None:
        self.times = 0

    def alive(self) -> None:
        self.times += 1


NOON = UtcMs(1_790_830_800_000)
FITTED = Readings(chip=lambda: Chip("rtc0", system_utc_ms()))
# Few test machines have a chip.


def voice_of(config: Config) -> RecordedFirst:
    """What a station that is configured so speaks with."""
    paths.prepare(config)
    voice = agent._stager(config).voice
    assert isinstance(voice, RecordedFirst)
    return voice


def test_the_station_speaks_with_the_configured_voice_and_pace_where_nothing_is_recorded(tmp_path: Path) -> None:
    more = '[speech]\nvoice = "vi-vn-x-south"\nrate_wpm = 120\nstems = "cau-thu-san"\n'
    voice = voice_of(make_station(tmp_path, more=more).config)
    assert voice.plain.voice == EspeakVoice(Sandbox(), "vi-vn-x-south", 120)
    assert voice.folder.name == "cau-thu-san"


def test_without_a_wish_the_station_speaks_as_it_was_measured(tmp_path: Path) -> None:
    assert voice_of(make_station(tmp_path).config).plain.voice == EspeakVoice(Sandbox())


def test_recorded_stems_are_made_ready_once_the_station_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not while it starts: two hundred of them take more than a minute."""
    prepared = queue.Queue[str]()
    monkeypatch.setattr(RecordedFirst, "prepare", lambda voice: prepared.put(threading.current_thread().name))
    voice = voice_of(make_station(tmp_path).config)
    assert prepared.empty()
    agent.make_stems_ready(replace(voice.plain, voice=voice))
    assert prepared.get(timeout=60) == "stems"


def reminded_in(life_ms: int) -> list[tuple[type, int]]:
    """What a process that lives so long is reminded of, but its heartbeats, and when."""
    inbox, now, seen = Inbox(), 0, list[tuple[type, int]]()
    house = Housekeeping(agent.chores(inbox, 300, lambda: None, inbox.anew_wanted), lambda: MonoMs(now))
    while now <= life_ms:
        wait_ms = house.turn()
        while (event := inbox.wait(0)) is not None:
            seen.append((type(event), now))
        now += wait_ms
    return [(kind, at) for kind, at in seen if kind is not HeartbeatDue]


def test_a_station_that_is_switched_off_every_night_is_swept_every_day() -> None:
    """Its originals have no quota: never swept, a card of 8 GB is full within the year."""
    swept = [at for kind, at in reminded_in(HOUR_MS) if kind is SweepDue]
    assert len(swept) == 1
    assert swept[0] > MINUTE_MS, "the first minute is for the welcome, and for what was missed"


def test_a_station_that_is_never_switched_off_is_swept_daily() -> None:
    first, *others = [at for kind, at in reminded_in(72 * HOUR_MS) if kind is SweepDue]
    assert others == [first + 24 * HOUR_MS, first + 48 * HOUR_MS]


def test_a_station_that_is_on_for_an_hour_at_a_time_looks_at_its_certificate_when_it_knows_the_time() -> None:
    """At its start it has neither the time, by which one is due, nor a network: it would be renewed only by its end."""
    now, looked = 0, list[int]()
    house = Housekeeping(agent.chores(Inbox(), 300, lambda: looked.append(now), lambda: None), lambda: MonoMs(now))
    while now <= HOUR_MS:
        now += house.turn()
    assert len(looked) == 1
    assert looked[0] > MINUTE_MS


def test_the_clock_goes_on_from_what_the_journal_has_kept_of_this_boot(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    boot_id, mono = kernel_boot_id(), MonoMs(boot_ms() - 1)
    assert boot_id is not None
    kept = KeptTime(boot_id, mono, NOON, error_ms=40)
    empty = Contents((), (), (), epoch="e", last_seq=0, last_hash="", acked_seq=0, floor=UtcMs(0))
    now = agent._clock(station.config, replace(empty, kept=kept), NOTHING_STANDS, FITTED).now()
    assert (now.source, now.utc_of(mono), now.max_error_ms) == (ClockSource.SIGNED, NOON, 41)
    other = replace(empty, kept=replace(kept, boot_id="another"))
    assert agent._clock(station.config, other, NOTHING_STANDS, FITTED).now().source is ClockSource.RTC, (
        "which this station has"
    )


def test_it_cannot_be_earlier_than_the_newest_trust_document_was_signed(tmp_path: Path) -> None:
    """A fresh card with a chip that has lost its battery: the documents in the trust file tell that much."""
    station = make_station(tmp_path)
    signed_at = UtcMs(system_utc_ms() + 60_000)
    root = TrustHead("", 0, 1, UtcMs(signed_at + 60_000), issued_at=signed_at)
    empty = Contents((), (), (), epoch="e", last_seq=0, last_hash="", acked_seq=0, floor=UtcMs(0))
    now = agent._clock(station.config, empty, TrustStanding((root,)), FITTED).now()
    assert (now.source, now.utc >= signed_at) == (ClockSource.FLOOR, True)
    late = replace(root, expires=UtcMs(signed_at - 120_000))
    now = agent._clock(station.config, empty, TrustStanding((late,)), FITTED).now()
    assert now.source is ClockSource.RTC, "never beyond the root's own end"


@pytest.mark.parametrize(("network_late_ms", "times"), [(0, 1), (-60_000, 1), (agent.NETWORK_MS_MAX + 100, 0)])
def test_the_watchdog_is_not_fed_while_the_networks_thread_stands_still(network_late_ms: int, times: int) -> None:
    """Nobody else would notice: the core steps, and no order comes in any more."""
    fed, now = Fed(), boot_ms()
    progress = Progress(fed, {agent.CORE: agent.CORE_MS_MAX, agent.NETWORK: agent.NETWORK_MS_MAX}, now)  # type: ignore[arg-type]
    agent._alive(progress, lambda: MonoMs(now - network_late_ms))
    assert fed.times == times


@pytest.mark.parametrize("process", ["run", "io"])
def test_a_folder_that_cannot_be_had_is_named_with_its_field_and_no_traceback(process: str, tmp_path: Path) -> None:
    station = make_station(tmp_path)
    (tmp_path / "a-file").touch()
    text = station.file.read_text("utf-8").replace('run_dir = "run"', 'run_dir = "a-file/run"')
    station.file.write_text(text, "utf-8")
    command = [sys.executable, "-m", "edge_agent", process, "--config", str(station.file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=END_S, check=False)
    assert ended.returncode in (1, 2)
    (line,) = ended.stderr.splitlines()
    assert "field=[paths] error=[Errno 20] Not a directory" in line
    assert "next=edge-agent doctor" in line
