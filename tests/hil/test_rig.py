"""A bench's file: those that are kept here can be read, and what is wrong in one is named with its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil_tests.rig import PARTS, RigError, read

RIGS = Path(__file__).parents[2] / "hil_tests" / "rigs"
GOOD = (RIGS / "virtual.toml").read_text("utf-8")
DESK = (RIGS / "desk.toml").read_text("utf-8")


@pytest.mark.parametrize("path", sorted(RIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_files_that_are_kept_can_be_read(path: Path) -> None:
    rig = read(path)
    assert rig.name == path.stem
    assert rig.relays is not None
    assert rig.sound is not None
    assert "amplifier" in rig.absent


@pytest.mark.parametrize(
    ("was", "becomes", "named"),
    [
        ('name = "virtual"', "", "name: missing"),
        ('kind = "virtual"', 'kind = "some"', "kind: 'some' is none of virtual, real"),
        ("sound_s = 0.15", "sound_s = 0", "tolerance.sound_s: seconds, more than 0"),
        ('driver = "gpio-sim"', 'driver = "gpio"', "relays.chip: missing; gpiodetect"),
        ('driver = "gpio-sim"', 'driver = "usb"', "relays.driver: 'usb' is none of gpio-sim, gpio"),
        ("lines = { c1 = 17, c2 = 27 }", "lines = { c1 = 17 }", "relays.lines: a line for each of c1, c2"),
        ("lines = { c1 = 17, c2 = 27 }", "lines = { c1 = 17, c2 = 17 }", "relays.lines: one line is used twice"),
        (
            "lines = { c1 = 17, c2 = 27 }",
            "lines = { c1 = -1, c2 = 2 }",
            "relays.lines: offsets on the chip",
        ),
        ("contacts = { c1 = 5, c2 = 6 }", "contacts = { c1 = 17, c2 = 6 }", "relays.contacts: line 17 is a relay's"),
        ('capture = "hw:Loopback,1,0"', "", "sound: device (aplay -L) and capture (arecord -L) are both needed"),
        ("[absent]", '[absent]\nsound = "none"', "absent.sound: is there and absent"),
        ("[absent]", '[absent]\nserial = " "', "absent.serial: the reason is missing"),
        ("[absent]", "[camera]\n[absent]", "camera: not known"),
        ('"trace", "bad', '"magic", "bad', "can: 'magic' is none of trace, bad-contacts"),
        ("[absent]", '[absent]\ntrace = "none"', "absent.trace: the bench can and cannot"),
        ("[absent]", "[absent", "a bench's file is TOML"),
        ("[absent]", "[station]\n[absent]", "station: a real bench has one"),
        ("off_s = 1", "off_s = 0", "power.off_s: seconds from 1 to 600"),
        ("up_s = 60", "up_s = 9000", "power.up_s: seconds from 10 to 1800"),
        ("off_s = 1", 'off_s = 1\noff = ["x"]', 'power: driver = "command" and two commands, off and on'),
        ('[serial]\ndriver = "machine"', '[serial]\ndriver = "usb"', "serial.driver: 'usb' is none of machine, device"),
    ],
)
def test_a_fault_in_a_benchs_file_is_named(was: str, becomes: str, named: str, tmp_path: Path) -> None:
    fault_is_named(GOOD, was, becomes, named, tmp_path)


@pytest.mark.parametrize(
    ("was", "becomes", "named"),
    [
        ('folder = "/var', 'folder = "var', "station: reach (a command), tree and folder"),
        ("reach = [", 'reach = ""\n#', "station.reach: a command is a list of words"),
        ('driver = "person"', 'driver = "magic"', "power.driver: 'magic' is none of machine, command, person"),
        ('driver = "person"', 'driver = "machine"', 'power.driver: "machine" is a virtual bench\'s, and its only one'),
        ('driver = "person"', 'driver = "command"', 'power: driver = "command" and two commands, off and on'),
        ('driver = "person"', 'driver = "command"\noff = "uhubctl"', "power.off: a command is a list of words"),
        ('driver = "device"', 'driver = "machine"', 'serial.driver: "machine" is a virtual bench\'s'),
        ('port = "/dev/serial0"', "", "serial: device (/dev/ttyUSB0, here) and port"),
        ("speed = 115200", "speed = 1200", "serial.speed: one of 9600, 19200"),
        ('[look]\ndriver = "person"', '[look]\ndriver = "camera"', "look.driver: 'camera' is none of person"),
        ("[absent]", '[absent]\nlisten = "none"', "absent.listen: is there and absent"),
    ],
)
def test_a_fault_in_a_real_benchs_file_is_named(was: str, becomes: str, named: str, tmp_path: Path) -> None:
    fault_is_named(DESK, was, becomes, named, tmp_path)


def test_a_bench_has_what_it_can_what_is_wired_and_what_a_person_does() -> None:
    desk, virtual = read(RIGS / "desk.toml"), read(RIGS / "virtual.toml")
    for part in PARTS:
        assert desk.has(part) != (part in desk.absent), part
        assert virtual.has(part) != (part in virtual.absent), part
    assert desk.by_hand == {"look", "listen", "cable"}
    assert virtual.by_hand == frozenset()


def fault_is_named(good: str, was: str, becomes: str, named: str, tmp_path: Path) -> None:
    file = tmp_path / "rig.toml"
    assert was in good
    file.write_text(good.replace(was, becomes, 1), "utf-8")
    with pytest.raises(RigError) as caught:
        read(file)
    assert named in str(caught.value)
    assert str(file) in str(caught.value)
