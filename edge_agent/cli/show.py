"""What the agent shows of itself, for people: ``status``, ``next`` and the serial console. Composes, decides no words.

Looks at the status file that the agent renews every second or two, and knocks at the device process. Neither needs the
agent's help, so both also tell when it hangs.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from edge_agent import plain_file
from edge_agent.cli import paths, signing_note
from edge_agent.cli.certificate_note import read_note
from edge_agent.cli.knock import device_up
from edge_agent.cli.process import die_with_any_thread, log_to_stderr, on_stop
from edge_agent.config import Config
from edge_agent.console.commands import Command, answer, new_session
from edge_agent.console.screen import View
from edge_agent.console.serial_line import Line, serve
from edge_agent.console.silence import CANNOT_SIGN, Cause
from edge_agent.console.status import STATUS_BYTES_MAX, Absence, Play, Status, StatusError, read_status
from edge_agent.console.words import Language, Text, json_line
from edge_agent.sync.tls_trouble import WORDS

STALE_S = 10
# Five times the longest interval at which the agent renews the file, and what systemd's watchdog allows it.
EXIT_NOT_RUNNING = 1


def status(config: Config, as_json: bool) -> int:
    """Print how the station is."""
    return _show(config, Command.STATUS, as_json)


def coming(config: Config, as_json: bool, zone: str = "") -> int:
    """Print what plays next, and why not; ``zone`` "": everywhere."""
    return _show(config, Command.NEXT, as_json, zone)


def console(config: Config, port: str, baud: int) -> int:
    """Serve the console on a serial port until told to stop."""
    log_to_stderr()
    die_with_any_thread()
    stop = threading.Event()
    on_stop(stop.set)
    serve(Line(port, baud), new_session(config.site, config.name, language(config)), lambda: look(config), stop)
    return 0


def language(config: Config) -> Language:
    """The console's language as configured."""
    return Language(config.console.language.value)


def look(config: Config) -> View:
    """The station's picture as of now."""
    seen = read_picture(paths.status(config), time.time())
    return View(seen if isinstance(seen, Absence) else seen[0], device_up(paths.socket(config)), unconnected(config))


def unconnected(config: Config) -> Cause | None:
    """Why the centre hears nothing, where certificates, the clock or the signing key are the reason."""
    trouble = read_note(paths.certificate_trouble(config))
    if trouble is None:
        return CANNOT_SIGN if signing_note.stands(paths.cannot_sign(config)) else None
    words = WORDS[trouble.kind]
    said = Text(f"Không kết nối được: {trouble.vi}.", f"No connection: {trouble.en}.")
    return Cause(said, Text(words.remedy_vi, words.remedy_en))


def read_picture(file: Path, now_s: float) -> tuple[Status, bytes] | Absence:
    """The agent's picture and its bytes, or why there is none at ``now_s`` (system clock, seconds)."""
    try:
        with plain_file.begin(file) as opened:
            # Also a file from the future is old: the clock was put back after the agent had died.
            stale = abs(now_s - os.fstat(opened.fileno()).st_mtime) > STALE_S
            data = opened.read(STATUS_BYTES_MAX + 1)
        return Absence.STALE if stale else (read_status(data), data)
    except FileNotFoundError:
        return Absence.NOT_RUNNING
    except PermissionError:
        return Absence.FORBIDDEN
    except (StatusError, OSError):
        return Absence.DAMAGED  # also what is no file of the agent's: it can lay down there what it likes


def unknown_zone(config: Config, zone: str) -> bool:
    """Whether a zone was asked for that this station has not; says so, and which it has."""
    if not zone or zone in config.site.zones:
        return False
    known = ", ".join(f"{one.zone} ({one.name})" for one in config.site.zones.values())
    print(f"trạm không có cụm loa {zone!r}; các cụm / no such zone here; its zones: {known}", file=sys.stderr)
    return True


def _show(config: Config, command: Command, as_json: bool, zone: str = "") -> int:
    seen = read_picture(paths.status(config), time.time())
    if isinstance(seen, Absence):
        view = View(seen, device_up=None)
        print("\n".join(answer(command, view, config.site, language(config))), file=sys.stderr)
        return EXIT_NOT_RUNNING
    picture, data = seen
    if zone:
        picture = replace(picture, playing=_in_zone(picture.playing, zone), next=_in_zone(picture.next, zone))
    if as_json:
        print(_json(command, data, zone))
    else:
        view = View(picture, device_up(paths.socket(config)), unconnected(config))
        print("\n".join(answer(command, view, config.site, language(config))))
    return 0


def _in_zone(plays: tuple[Play, ...], zone: str) -> tuple[Play, ...]:
    return tuple(play for play in plays if zone in play.zones)


def _json(command: Command, data: bytes, zone: str) -> str:
    """The picture as the agent wrote it; of what comes, only that part."""
    whole = json.loads(data)
    shown = whole if command is Command.STATUS else {key: whole[key] for key in ("clock", "playing", "next")}
    for key in ("playing", "next") if zone else ():
        shown[key] = [play for play in shown[key] if zone in play["zones"]]
    return json_line(shown)
