"""The box's own parts: programs, relays and card, each there and at work, or a finding with its remedy."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import alsaaudio
import pytest

from edge_agent.audio.card import CardConfig
from edge_agent.audio.decode_service import DecodeService
from edge_agent.audio.sandbox import Sandbox
from edge_agent.cli import check_parts
from edge_agent.cli.finding import Finding
from edge_agent.cli.service_account import not_driven
from edge_agent.config import Channel, Config, Ear, RelayDriver
from edge_agent.console.status import Absence, read_status
from edge_agent.core.units import UtcMs
from edge_agent.sync.reports import ZoneStatus
from tests.audio.making import needs_decoder, needs_voice
from tests.audio.walls import stand_in_manager
from tests.cli.findings import NOBODY, assert_fault, assert_well, is_root
from tests.cli.stations import StationRig, make_station
from tests.console.pictures import CHO, DINH, picture
from tests.fakes.mixers import Control, Mixers


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> StationRig:
    """A station whose files no test changes."""
    return make_station(tmp_path_factory.mktemp("station"))


@pytest.mark.host
@needs_decoder
@needs_voice
def test_programs_that_are_there_work_in_the_sandbox(shared: StationRig) -> None:
    findings = list(check_parts.programs(shared.config, Sandbox()))
    assert [finding.what.en for finding in findings] == [
        "sandbox",
        "decoder ffmpeg",
        "voice espeak-ng",
        "recorded stems",
    ]
    for finding in findings:
        assert_well(finding)


def test_without_bubblewrap_nothing_of_it_works(shared: StationRig) -> None:
    sandbox, *others, stems = check_parts.programs(shared.config, Sandbox("/nowhere/bwrap"))
    assert_fault(sandbox, "chưa cài / is not there", "apt install bubblewrap")
    assert len(others) == 2
    assert all(finding.fault for finding in others)
    assert_well(stems)


def test_a_recorded_stem_that_cannot_be_read_is_told_and_that_the_voice_says_it(tmp_path: Path) -> None:
    assert_well(check_parts.stems_lie_there(tmp_path / "nowhere"))
    (tmp_path / "stems.toml").write_text('[vi]\n"chao.wav" = "Kính thưa bà con."\n"het.wav" = "Xin hết."\n')
    (tmp_path / "chao.wav").write_bytes(b"RIFF")
    (tmp_path / "het.wav").write_bytes(b"RIFF")
    found = check_parts.stems_lie_there(tmp_path)
    assert_well(found)
    assert found.seen == f"{tmp_path}: 2"
    (tmp_path / "het.wav").unlink()
    assert_fault(check_parts.stems_lie_there(tmp_path), "het.wav: ", "the voice says it meanwhile")
    (tmp_path / "stems.toml").write_text('[vi]\n"chao.wav" = "Ban XYZ"\n"het.wav" = 1\n')
    assert_fault(check_parts.stems_lie_there(tmp_path), "chao.wav: không đọc được", "correct stems.toml")
    assert check_parts.stems_lie_there(tmp_path).seen.endswith(" (+1)")


@is_root
def test_root_is_told_of_a_recorded_stem_that_the_service_cannot_read() -> None:
    with TemporaryDirectory() as name:  # pytest's own is root's alone
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "stems.toml").write_text('[vi]\n"chao.wav" = "Kính thưa bà con."\n')
        (folder / "chao.wav").write_bytes(b"RIFF")
        assert_well(check_parts.stems_lie_there(folder, NOBODY))
        (folder / "chao.wav").chmod(0o600)
        unread = check_parts.stems_lie_there(folder, NOBODY)
        assert_fault(unread, "chao.wav: tài khoản dịch vụ không đọc được / the service's user", "chmod a+r")


@pytest.mark.parametrize("behind_s", [-31, 31, 10 * 365 * 86_400])
def test_a_clock_chip_that_tells_another_time_than_the_system_is_a_fault(
    shared: StationRig, tmp_path: Path, behind_s: int
) -> None:
    utc = UtcMs(1_790_830_800_000)
    chip = tmp_path / "rtc0"
    chip.mkdir()
    (chip / "since_epoch").write_text(f"{utc // 1000 - 30}\n")
    assert_well(check_parts.clock_chip(shared.config, utc, tmp_path))
    (chip / "since_epoch").write_text(f"{utc // 1000 - behind_s}\n")
    apart = f"rtc0: {abs(behind_s)} s apart"
    assert_fault(check_parts.clock_chip(shared.config, utc, tmp_path), apart, "hwclock --systohc")


def test_a_clock_chip_that_is_configured_and_not_there_is_a_fault_and_so_is_one_with_a_flat_battery(
    tmp_path: Path,
) -> None:
    config, utc, chips = make_station(tmp_path).config, UtcMs(0), tmp_path / "rtc"
    assert config.clock.rtc
    assert_fault(check_parts.clock_chip(config, utc, chips), "there is none", "[clock] rtc = false")
    (chips / "rtc0").mkdir(parents=True)
    (chips / "rtc0" / "since_epoch").symlink_to("/proc/self/mem")  # EIO, as of one whose oscillator has stopped: EINVAL
    assert_fault(
        check_parts.clock_chip(config, utc, chips), "rtc0 không cho giờ / tells no time: ", "change its battery"
    )
    without = replace(config, clock=replace(config.clock, rtc=False))
    assert_well(check_parts.clock_chip(without, utc, chips))


def test_programs_that_are_missing_are_named_by_their_package(tmp_path: Path) -> None:
    assert_fault(check_parts.decoder_works(Sandbox(), "/nowhere/ffmpeg"), "is not there", "apt install ffmpeg")
    silent = check_parts.EspeakVoice(Sandbox(), program="/nowhere/espeak-ng")
    assert_fault(check_parts.voice_speaks(silent), "is not there", "apt install espeak-ng")


@pytest.mark.host
@needs_decoder
@pytest.mark.parametrize("program", ["/usr/bin/false", "/usr/bin/true"])
def test_programs_that_start_and_make_no_sound_are_faults(program: str) -> None:
    """An upgrade that stopped half way leaves an ffmpeg that begins, misses a library and is gone."""
    assert_fault(check_parts.decoder_works(Sandbox(), program), "", "apt install --reinstall ffmpeg")
    mute = check_parts.EspeakVoice(Sandbox(), program=program)
    assert_fault(check_parts.voice_speaks(mute), "", "apt install --reinstall espeak-ng")


@pytest.mark.host
@needs_decoder
def test_a_sandbox_that_the_kernel_refuses_is_told_with_what_to_allow(tmp_path: Path) -> None:
    refusing = tmp_path / "bwrap"
    refusing.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    refusing.chmod(0o755)
    sandbox = Sandbox(str(refusing))
    assert_fault(check_parts.sandbox_works(sandbox), "No permissions", "user namespaces")
    assert_fault(check_parts.decoder_works(sandbox, "/usr/bin/ffmpeg"), "No permissions", "user namespaces")


def test_bubblewrap_that_works_in_roots_shell_is_a_fault_where_the_agent_has_a_unit(shared: StationRig) -> None:
    """Without the worker's socket the agent falls back to it, and its unit forbids namespaces: a mute station."""
    sandbox, *_ = check_parts.programs(shared.config, Sandbox(), NOBODY)
    assert_fault(sandbox, "not in the service's unit", "systemctl enable --now edge-agent-decode.socket")


@pytest.mark.host
@needs_decoder
@needs_voice
def test_a_worker_that_answers_is_well(shared: StationRig, tmp_path: Path) -> None:
    with stand_in_manager(tmp_path, "/usr/bin/ffmpeg", "/usr/bin/espeak-ng") as service:
        findings = list(check_parts.programs(shared.config, service))
    for finding in findings:
        assert_well(finding)
    assert findings[0].seen == f"{service.path} answers"


def test_a_worker_that_does_not_answer_is_told_with_its_unit(shared: StationRig, tmp_path: Path) -> None:
    sandbox, *others, _ = check_parts.programs(shared.config, DecodeService(tmp_path / "nobody.sock"))
    assert_fault(sandbox, "No such file", "systemctl enable --now edge-agent-decode.socket")
    assert len(others) == 2
    assert all(finding.fault for finding in others)


def test_a_kernel_that_limits_no_memory_is_told_with_how_it_is_switched_on(tmp_path: Path) -> None:
    """As Raspberry Pi OS starts its own; systemd says nothing of it."""
    controllers = tmp_path / "cgroup.controllers"
    assert_fault(check_parts.memory_is_limited(controllers), "No such file", "cgroup_enable=memory")
    controllers.write_text("cpuset cpu io pids\n")
    assert_fault(check_parts.memory_is_limited(controllers), "has cpuset cpu io pids", "/boot/firmware/cmdline.txt")
    controllers.write_text("cpuset cpu io memory pids\n")
    assert_well(check_parts.memory_is_limited(controllers))


def test_simulated_relays_are_called_so_and_are_no_fault(shared: StationRig) -> None:
    finding = check_parts.relays(shared.config, False, Absence.NOT_RUNNING)
    assert_well(finding)
    assert "SIMULATED" in finding.seen
    assert "MÔ PHỎNG" in finding.seen


def with_chip(station: StationRig, chip: str) -> Finding:
    settings = replace(station.config.relays, driver=RelayDriver.GPIO, chip=Path(chip), simulated_dir=None)
    return check_parts.relays(replace(station.config, relays=settings), False, Absence.NOT_RUNNING)


def test_a_gpio_chip_is_looked_for_where_it_is_configured(shared: StationRig) -> None:
    assert_fault(with_chip(shared, "/dev/gpiochip99"), "No such file", "gpiodetect")
    assert_fault(with_chip(shared, str(shared.file)), "không phải thiết bị / is no device", "gpiodetect")
    assert_well(with_chip(shared, "/dev/null"))


def open_the_way_to(folder: Path) -> None:
    """Let every account get there: folders of tests are their owner's."""
    for one in (folder, *folder.parents):
        if one.parent.is_relative_to(tempfile.gettempdir()):
            one.chmod(0o755)


@is_root
def test_a_chip_that_root_may_use_and_the_device_process_may_not_is_not_called_well(tmp_path: Path) -> None:
    """On a Debian that is no Raspberry Pi OS nobody gives the chip to its group, and only a log says so."""
    chip = tmp_path / "gpiochip0"
    chip.touch(0o600)
    open_the_way_to(tmp_path)
    found = not_driven(check_parts.RELAYS, chip, "nobody")
    assert found is not None
    assert_fault(found, "the user nobody may not use it", "udev")
    chip.chmod(0o666)
    assert not_driven(check_parts.RELAYS, chip, "nobody") is None
    assert not_driven(check_parts.RELAYS, chip, "no-such-account") is None


@is_root
def test_such_a_device_belongs_to_a_group_that_the_account_is_only_added_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chip = tmp_path / "gpiochip0"
    chip.touch()
    chip.chmod(0o660)
    os.chown(chip, 0, 54_322)
    open_the_way_to(tmp_path)
    assert not_driven(check_parts.RELAYS, chip, "nobody") is not None
    monkeypatch.setattr(os, "getgrouplist", lambda name, group: [group, 54_322])
    assert not_driven(check_parts.RELAYS, chip, "nobody") is None


def test_a_relay_of_which_the_running_station_can_tell_nothing_is_a_fault(shared: StationRig) -> None:
    """Its line is held by somebody else, or its read-back does not answer; the other zones play."""
    gpio = replace(shared.config.relays, driver=RelayDriver.GPIO, chip=Path("/dev/null"), simulated_dir=None)
    config = replace(shared.config, relays=gpio)
    zones = (ZoneStatus(CHO, "Chợ", None, None, 80), ZoneStatus(DINH, "Đình", False, None, 80))
    assert_fault(check_parts.relays(config, True, read_status(picture(zones=zones))), "cho: ", "gpioinfo")
    assert_well(check_parts.relays(config, True, read_status(picture())))


def test_parts_that_the_device_process_holds_are_left_alone(shared: StationRig) -> None:
    gpio = replace(shared.config.relays, driver=RelayDriver.GPIO, chip=Path("/dev/gpiochip99"))
    config = replace(shared.config, relays=gpio)
    for finding in (check_parts.relays(config, True, Absence.STALE), *check_parts.sound_cards(config, device_up=True)):
        assert_well(finding)
        assert "the device process" in finding.seen


@pytest.mark.host
def test_a_card_that_opens_and_one_that_is_not_there(shared: StationRig) -> None:
    (finding,) = check_parts.sound_cards(shared.config, device_up=False)
    assert_well(finding)
    assert_fault(check_parts.card_opens(CardConfig("hw:CARD=Nowhere")), "hw:CARD=Nowhere does not open", "aplay -L")


def test_a_card_is_left_alone_where_nobody_can_tell_whether_it_is_needed(shared: StationRig) -> None:
    """A broadcast that begins just then would find it busy."""
    (finding,) = check_parts.sound_cards(shared.config, device_up=None)
    assert "not opened" in finding.seen


@pytest.mark.host
def test_a_card_on_which_every_play_would_fail_is_a_fault(shared: StationRig) -> None:
    """Some drivers round a buffer up, to more than an emergency could take back."""
    assert_fault(check_parts.card_opens(CardConfig("null", period_ms=400, periods=8)), "null holds 3200 ms", "aplay -L")


@pytest.mark.parametrize(
    ("device", "there"),
    [
        ("hw:CARD=Device,DEV=0", True),
        ("plughw:CARD=Pulled,DEV=0", False),
        ("hw:1,0", True),
        ("plughw:2", False),
        ("loa:1,Device", True),
        ("loa:0,Pulled", False),
        ("sysdefault:CARD=Pulled", False),
        ("default", True),
    ],
)
def test_of_a_station_that_runs_a_card_that_was_pulled_is_missed_without_opening_any(
    shared: StationRig, tmp_path: Path, device: str, there: bool
) -> None:
    """It is opened for each play alone: nothing else would tell before the next one is silent."""
    (tmp_path / "Device").mkdir()
    (tmp_path / "card1").mkdir()
    card = replace(shared.config.cards["main"], device=device)
    (found,) = check_parts.sound_cards(replace(shared.config, cards={"main": card}), True, tmp_path)
    if there:
        assert_well(found)
        assert "not opened" in found.seen
    else:
        assert_fault(found, f"{device}: không có bo này / no such card", "aplay -L")


@pytest.mark.host
def test_each_of_several_cards_is_opened_by_itself(shared: StationRig) -> None:
    main = shared.config.cards["main"]
    second = replace(main, name="second", device="hw:CARD=Nowhere")
    well, fault = check_parts.sound_cards(
        replace(shared.config, cards={"main": main, "second": second}), device_up=False
    )
    assert_well(well)
    assert_fault(fault, "hw:CARD=Nowhere does not open", "aplay -L")


def with_ear(rig: StationRig, device: str) -> Config:
    zones = rig.config.zones
    first = next(iter(zones))
    return replace(rig.config, zones={**zones, first: replace(zones[first], ear=Ear(device, Channel.MONO, -50))})


@pytest.mark.host
def test_an_ear_that_opens_and_one_that_is_not_there(shared: StationRig) -> None:
    assert list(check_parts.ears(shared.config)) == [], "this station has none"
    (finding,) = check_parts.ears(with_ear(shared, "null"))
    assert_well(finding)
    (finding,) = check_parts.ears(with_ear(shared, "hw:CARD=Nowhere"))
    assert_fault(finding, "hw:CARD=Nowhere không mở được / does not open", "arecord -L")


def test_an_ear_that_is_listening_is_no_fault(shared: StationRig, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object, **__: object) -> None:
        raise alsaaudio.ALSAAudioError("Device or resource busy [hw:2,0]")

    monkeypatch.setattr(alsaaudio, "PCM", busy)
    (finding,) = check_parts.ears(with_ear(shared, "hw:2,0"))
    assert_well(finding)
    assert finding.what.vi == "đầu đo tiếng tại loa", "and no headphones, “tai nghe”"
    assert "in use" in finding.seen


def test_a_level_that_is_configured_is_set_and_told(shared: StationRig, monkeypatch: pytest.MonkeyPatch) -> None:
    mixers = Mixers("null", {"PCM": Control()})
    mixers.take_the_place_of_alsa(monkeypatch)
    finding = check_parts.level_is_set(replace(shared.config.cards["main"], mixer="PCM", mixer_volume=85))
    assert_well(finding)
    assert "PCM at 85 %" in finding.seen
    assert mixers.known["PCM"].volume == 85


def test_a_mixer_that_is_not_there_is_a_fault_that_names_the_key_and_the_controls(
    shared: StationRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    Mixers("null", {"Speaker": Control()}).take_the_place_of_alsa(monkeypatch)
    card = replace(shared.config.cards["main"], mixer="PCM", mixer_volume=85)
    _, finding = check_parts.sound_cards(replace(shared.config, cards={"main": card}), device_up=True)
    assert_fault(finding, '"Speaker"', "[cards.main] mixer")


def test_without_a_mixer_nothing_is_said_of_it(shared: StationRig) -> None:
    (finding,) = check_parts.sound_cards(shared.config, device_up=True)
    assert finding.what.en == "sound card"
