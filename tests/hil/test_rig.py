"""A bench's file: those that are kept here can be read, and what is wrong in one is named with its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil_tests.rig import RigError, read

RIGS = Path(__file__).parents[2] / "hil_tests" / "rigs"
GOOD = (RIGS / "virtual.toml").read_text("utf-8")


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
        ('can = ["trace"', 'can = ["magic"', "can: 'magic' is none of trace, bad-contacts"),
        ("[absent]", '[absent]\ntrace = "none"', "absent.trace: the bench can and cannot"),
        ("[absent]", "[absent", "a bench's file is TOML"),
    ],
)
def test_a_fault_in_a_benchs_file_is_named(was: str, becomes: str, named: str, tmp_path: Path) -> None:
    file = tmp_path / "rig.toml"
    assert was in GOOD
    file.write_text(GOOD.replace(was, becomes, 1), "utf-8")
    with pytest.raises(RigError) as caught:
        read(file)
    assert named in str(caught.value)
    assert str(file) in str(caught.value)
