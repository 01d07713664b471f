"""A desk whose station is a script: it answers while it has power, and what runs there dies with it.

What its programs tell of a story is given; so the bench's own tests can be tried, with every fault, in a moment.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
REACH = """#!/bin/sh
# Its shell.
[ -e {here}/power ] || {{ echo "no route to the station" >&2; exit 255; }}
exec sh -c "$1"
"""
PYTHON = r"""#!/bin/sh
# -m hil_tests.leash MODULE RIG FOLDER PART JOB QUIET, -m hil_tests.leash MODULE RIG LINE, or -m hil_tests.there RIG
case "$2 $3 $6" in
  *.there*) cat {here}/missing ;;
  *.station\ *) cd {root} && exec {python} -m "$2" tests.hil.made_up_console "$5" ;;
  *plays) echo $$ >{here}/pid; cat {here}/plays; exec cat ;;
  *returns) cat {here}/returns ;;
esac
"""
OFF = "#!/bin/sh\necho off >>{here}/switched; rm {here}/power; kill -KILL $(cat {here}/pid)\n"
ON = "#!/bin/sh\necho on >>{here}/switched; touch {here}/power\n"
SWITCHES_NOTHING = "#!/bin/sh\n# The program ends, and the station goes on.\nkill -KILL $(cat {here}/pid)\n"
SWITCH_FAILS = "#!/bin/sh\necho 'no such port' >&2; exit 3\n"
PLAYS: Mapping[str, Any] = {
    "boot": "one",
    "job": "lenh-1",
    "closed": ["c1", "c2"],
    "heard": [{"zone": zone, "what": "b", "start_s": 2.0, "end_s": 8.0} for zone in ("c1", "c2")],
}
RETURNS: Mapping[str, Any] = {
    "boot": "two",
    "ordered_s": 10.0,
    "edges": [{"zone": zone, "on": on, "at_s": at} for zone in ("c1", "c2") for on, at in ((True, 11), (False, 15))],
    "heard": [{"zone": zone, "what": "a", "start_s": 12.0, "end_s": 15.0} for zone in ("c1", "c2")],
    "records": [{"outcome": "interrupted", "reason": "power_cut"}],
    "then": [{"outcome": "succeeded", "reason": None}],
}
FILE = """
name = "made-up"
kind = "real"
[tolerance]
sound_s = 0.15
[station]
reach = ["{here}/reach"]
tree = "{here}/tree"
folder = "{here}/folder"
[power]
{power}
off_s = 1
up_s = 10
{by_hand}
[absent]
{absent}
"""
COMMAND = 'driver = "command"\noff = ["{here}/off"]\non = ["{here}/on"]'
HAND = 'driver = "person"'
EYES_AND_EARS = '[look]\ndriver = "person"\n[listen]\ndriver = "person"'
NOBODY = 'look = "nobody sits here"\nlisten = "nobody sits here"'


class MadeUpDesk:
    """``here`` is an empty folder. It has power; ``tells`` is what its programs tell otherwise than RETURNS."""

    def __init__(self, here: Path, off: str = OFF, **tells: Any) -> None:
        self._here = here
        self.missing = here / "missing"
        self._scripts({"reach": REACH, "tree/.venv/bin/python": PYTHON, "off": off, "on": ON})
        for name, told in (("plays", PLAYS), ("returns", {**RETURNS, **tells})):
            (here / name).write_text(f"bench {name} {json.dumps(told)}\n")
        self.missing.touch()
        self.power(on=True)

    def power(self, *, on: bool) -> None:
        """The plug."""
        if on:
            (self._here / "power").touch()
        else:
            (self._here / "power").unlink()
            os.kill(int((self._here / "pid").read_text()), signal.SIGKILL)

    def switched(self) -> list[str]:
        """What its switch was told."""
        return (self._here / "switched").read_text().split()

    def file(self, power: str = COMMAND, by_hand: str = "", absent: str = NOBODY) -> Path:
        """Of the bench."""
        path = self._here / "rig.toml"
        power = power.format(here=self._here)
        path.write_text(FILE.format(here=self._here, power=power, by_hand=by_hand, absent=absent), "utf-8")
        return path

    def _scripts(self, scripts: Mapping[str, str]) -> None:
        for name, text in scripts.items():
            path = self._here / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.format(here=self._here, root=ROOT, python=sys.executable))
            path.chmod(0o755)
