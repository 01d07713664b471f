"""``edge-agent doctor``: look at everything a station needs, one line each, with what to do. Decides their order.

It only looks: nothing sounds, no relay moves, no order is sent, and the broker hears no MQTT. The files' checks are in
``check_files``, the parts' in ``check_parts``, those of processes, clock and broker in ``check_talk``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from edge_agent.audio.decode_service import DecodeService
from edge_agent.cli import check_files, check_parts, check_talk, paths
from edge_agent.cli.confinement import confinement
from edge_agent.cli.finding import Finding
from edge_agent.cli.knock import device_up
from edge_agent.cli.service_account import not_read, service_account
from edge_agent.cli.show import language, read_picture
from edge_agent.clock import StationClock, system_utc_ms
from edge_agent.config import Config, Ntp
from edge_agent.console.status import Absence
from edge_agent.console.words import Language, Text, ascii_of, printable
from edge_agent.core.clock_trust import Now
from edge_agent.core.site import is_training
from edge_agent.core.units import UtcMs

EXIT_FAULT = 1
CONFIGURATION = Text("tệp cấu hình", "configuration")


def run(config: Config, file: Path) -> int:
    """Print every finding; 0 if there is no fault. ``file`` is the configuration's."""
    faults = 0
    for finding in findings(config, file):
        faults += finding.fault
        _say(finding.line(), config)
    _say(_closing(faults), config)
    return EXIT_FAULT if faults else 0


def findings(config: Config, file: Path) -> Iterator[Finding]:
    """Every check, from what must be right first to what depends on it."""
    seen = read_picture(paths.status(config), time.time())
    picture = seen if isinstance(seen, Absence) else seen[0]
    now = clock_of(config) if isinstance(picture, Absence) else picture.clock
    up = device_up(paths.socket(config))
    service_uid = service_account()
    yield configuration(config, file, service_uid)
    yield check_talk.clock(config, now)
    yield check_parts.clock_chip(config, system_utc_ms())
    if laid := list(check_files.in_the_way(config)):
        yield from laid
        return  # whoever reads on waits
    yield from check_files.enrolment(config)
    yield from check_files.journal(config)
    yield check_files.trust_file(config, now, service_uid)
    yield check_files.signing_key(config, service_uid)
    key = check_files.tls_key(config, service_uid)
    yield key
    yield from check_files.certificates(config, now, service_uid)
    yield from check_files.folders(config, service_uid=service_uid)
    walls = confinement(config.decoder.sandbox)
    yield from check_parts.programs(config, walls, service_uid)
    if isinstance(walls, DecodeService):  # else nobody has put up units
        yield check_parts.memory_is_limited()
    yield check_parts.relays(config, up, picture)
    yield from check_parts.sound_cards(config, up)
    yield from check_parts.ears(config)
    yield check_talk.broker(config, now, key_usable=not key.fault)
    yield check_talk.renewals(config)
    yield check_talk.device(up)
    yield check_talk.agent(picture)
    yield check_talk.manifests(config, picture)


def configuration(config: Config, file: Path, service_uid: int | None = None) -> Finding:
    """It has been read, or doctor would not run; by root, perhaps, alone."""
    if hidden := not_read(CONFIGURATION, file, service_uid):
        return hidden
    zones = ", ".join(config.site.zones)
    training = ", TẬP HUẤN / TRAINING: no real relays" if is_training(config.site.realm) else ""
    return Finding(CONFIGURATION, f"station {config.site.station}, area {config.site.area}, zones {zones}{training}")


def clock_of(config: Config) -> Now:
    """The clock as an agent that starts now would see it, before the server has told it the time."""
    return StationClock(ntp=config.clock.ntp is Ntp.AUTO, rtc=config.clock.rtc, floor=UtcMs(0)).now()


def _closing(faults: int) -> str:
    if not faults:
        return "Không có lỗi / no fault."
    return f"{faults} lỗi, cách sửa ở sau dấu → / {faults} fault(s), the remedy stands behind →"


def _say(line: str, config: Config) -> None:
    line = printable(line)  # some of it an agent, or a server, has said
    print(ascii_of(line) if language(config) is Language.VI_ASCII else line)
