"""Decide what each key of the station's file may be, and which keys contradict each other. Opens no file but this one.

Whether the named files and devices exist is for ``edge-agent doctor``: a file is checked here as a text, so that it can
be checked on the technician's own desk. The reference for people is docs/configuration.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import AddressValueError, IPv6Address
from pathlib import Path

from edge_agent.config.reader import ConfigError, Fault, Form, Problem, Table, open_report, shown
from edge_agent.config.sections import (
    NOTE,
    Broker,
    Cache,
    Card,
    ClockSettings,
    Config,
    Console,
    Content,
    Decoder,
    Enrolment,
    Language,
    Ntp,
    Paths,
    RelayDriver,
    RelaySettings,
    Reporting,
    Sandbox,
    Speech,
    TrustFiles,
)
from edge_agent.config.station import NAME, RATES, SERIAL, read_cards, read_line_ins, read_site, read_wiring
from edge_agent.core.job import LINE_IN
from edge_agent.core.site import FETCH_BYTES_PER_DAY, TRAINING_PREFIX, ZONES_MAX, is_training
from edge_agent.core.units import SECOND_MS

CONFIG_BYTES_MAX = 65_536
# 64 zones of 12 lines are 20 kB; a file beyond this is not a configuration.
PORT_MAX = 65_535
LABEL_CHARS_MAX = 63
# Of what stands between two dots of a name (RFC 1035).
KEEPALIVE_S_MIN, KEEPALIVE_S_MAX = 15, 900
HEARTBEAT_S_MIN, HEARTBEAT_S_MAX = 15, 3_600
# 300 s cost some 6 MB of data a month; more often is for a demonstration, more seldom for a bad contract.
# Below: 59 MB of pings a month (paid SIM data). Above: mobile networks forget an idle connection after 15 min or less.
RUN_DIR_BYTES_MAX = 90
# A socket's whole path has 107 bytes (sun_path, Linux); the rest is for the socket's own name.
CACHE_BYTES_MIN, CACHE_BYTES_MAX = 1_000_000, 1_000_000_000_000
# From one attention signal and one spoken text, to the largest disk that is put on such a board (1 TB).
CACHE_BYTES = 2_000_000_000
# Signed originals for ten busy days are 0.5 GB, PCM for the next 36 hours at most 1.5 GB.
SAMPLE_BYTES = 2
# Staged sound is mono, 16 bit (audio.clip).
MEGABYTE = 1_000_000
FETCH_MB_MAX = 100_000
# As good as no limit, for a station on a wire.
RATE_WPM_MIN, RATE_WPM_MAX = 80, 450
# What espeak-ng itself accepts (espeakRATE_MINIMUM, espeakRATE_MAXIMUM).
RATE_WPM = 150
# The voice's own 175 runs together under the echo of horns (audio.speech).

HOST = Form(re.compile(r"[A-Za-z0-9.:_-]{1,253}"), "a host name or address without scheme or port")
_SERVER = r"https://(?P<host>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:(?P<port>[0-9]{1,5}))?"
URL = Form(re.compile(_SERVER), 'such as "https://mqtt.example.vn:8444", without a path')
FILE = Form(re.compile(r".{1,1000}"), "a path, absolute or from the folder of this file")
HOME = Form(re.compile(f"{_SERVER}/?"), 'an address such as "https://noi-dung.example:8443", without a path')
CREDENTIAL = Form(re.compile(r"[a-z0-9][a-z0-9._-]{0,63}"), "1 to 64 of a-z, 0-9, ., _ and -, such as edge-agent.keys")
VOICE = Form(re.compile(r"vi(-vn-x-(central|south))?"), '"vi", "vi-vn-x-central" or "vi-vn-x-south"')
# espeak-ng takes any other name too, and then speaks with a voice of its own choice.


def load(path: Path) -> Config:
    """The configuration in ``path``. Raises ConfigError, which names every problem with its line."""
    return parse(_read(path), path.absolute().parent, str(path))


def parse(text: str, folder: Path, file: str) -> Config:
    """The configuration in ``text``; relative paths count from ``folder``, messages call the file ``file``."""
    report, top = open_report(text, file)
    config = read_all(top, folder)
    report.check()
    return config


def _sound_ms(cache_bytes: int, cards: Mapping[str, Card]) -> int:
    """How much staged sound the disk may hold: mono, 16 bit, at the rate of the fastest card whose rate can be one."""
    fastest = max((card.rate for card in cards.values() if card.rate in RATES), default=RATES[-1])
    return cache_bytes * SECOND_MS // (fastest * SAMPLE_BYTES)


def read_all(top: Table, folder: Path) -> Config:
    """Read every table. What comes back may be used only after ``Report.check()``."""
    station, zones = top.table("station"), top.list_of_tables("zones", ZONES_MAX)
    written = top.table("cards")
    cards = read_cards(written)
    cache = _cache(top.table("cache", required=False))
    policy, programme = top.table("policy", required=False), top.table("programme", required=False)
    site = read_site(station, zones, policy, programme)
    relays, content = top.table("relays"), _content(top.table("content"), folder)
    broker = top.table("broker")
    line_ins = read_line_ins(top.table("inputs", required=False))
    station_site = replace(
        site,
        fetch_bytes_per_day=cache.fetch_mb_per_day * MEGABYTE,
        sound_ms_max=_sound_ms(cache.bytes_max, cards),
        polls_home=bool(content.home),
        line_ins=frozenset(f"{LINE_IN}{name}" for name in line_ins),
    )
    config = Config(
        site=station_site,
        name=station.text("name", NAME),
        serial=station.text("serial", SERIAL, default=""),
        broker=_broker(broker, folder),
        enrolment=_enrolment(top.table("enrolment", required=False)),
        content=content,
        trust=_trust(top.table("trust"), folder),
        paths=_paths(top.table("paths", required=False), folder),
        clock=_clock(top.table("clock", required=False)),
        cards=cards,
        line_ins=line_ins,
        relays=_relays(relays, folder),
        zones=read_wiring(zones, written, cards, line_ins),
        speech=_speech(top.table("speech", required=False), folder),
        cache=cache,
        decoder=_decoder(top.table("decoder", required=False)),
        reporting=_reporting(top.table("reporting", required=False)),
        console=_console(top.table("console", required=False)),
    )
    _refuse_real_relays_in_training(station, relays, config)
    _refuse_a_key_without_its_pin(broker, config)
    for table in (station, *zones, top):
        table.done()
    return config


def _path(table: Table, key: str, folder: Path, default: str | None = None) -> Path:
    return folder / table.text(key, FILE, default)


def _server(table: Table, key: str, form: Form) -> str:
    """A server's address, "" where none is written. What asks there later takes it for one, and has no answer else."""
    url = table.text(key, form, default="")
    found = form.pattern.fullmatch(url)
    if found and not (_is_host(found["host"]) and 1 <= int(found["port"] or 1) <= PORT_MAX):
        table.fault(key, Fault.FORM, shown(url), f"must be {form.say}")
    return url


def _host(table: Table) -> str:
    """A name or an address alone; what is written behind it, its port most likely, would be looked up as part of it."""
    host = table.text("host", HOST)
    if HOST.pattern.fullmatch(host) and not _is_host(f"[{host}]" if ":" in host else host):
        table.fault("host", Fault.FORM, shown(host), f"must be {HOST.say}: a port is a key of its own")
    return host


def _is_host(text: str) -> bool:
    """Whether it is a name, or in brackets an IPv6 address: ``urlsplit`` raises for what is neither."""
    if text.startswith("["):
        try:
            IPv6Address(text[1:-1])
        except AddressValueError:
            return False
        return True
    return all(0 < len(label) <= LABEL_CHARS_MAX for label in text.removesuffix(".").split("."))


def _broker(table: Table, folder: Path) -> Broker:
    broker = Broker(
        host=_host(table),
        port=table.integer("port", 1, PORT_MAX, default=8883),
        ca_file=_path(table, "ca_file", folder),
        cert_file=_path(table, "cert_file", folder),
        key_file=_path(table, "key_file", folder),
        keepalive_s=table.integer("keepalive_s", KEEPALIVE_S_MIN, KEEPALIVE_S_MAX, default=60),
    )
    table.done()
    return broker


def _enrolment(table: Table) -> Enrolment:
    enrolment = Enrolment(_server(table, "url", URL))
    table.done()
    return enrolment


def _content(table: Table, folder: Path) -> Content:
    content = Content(ca_file=_path(table, "ca_file", folder), home=_server(table, "home", HOME))
    table.done()
    return content


def _trust(table: Table, folder: Path) -> TrustFiles:
    credential = table.text("key_credential", CREDENTIAL, default="")
    trust = TrustFiles(_path(table, "file", folder), _path(table, "station_key_file", folder), credential)
    table.done()
    return trust


def _paths(table: Table, folder: Path) -> Paths:
    state_dir = _path(table, "state_dir", folder, default="/var/lib/edge-agent")
    run_dir = _path(table, "run_dir", folder, default="/run/edge-agent")
    if table.sound("run_dir") and len(str(run_dir).encode()) > RUN_DIR_BYTES_MAX:
        remedy = f"choose a folder of at most {RUN_DIR_BYTES_MAX} bytes: the sockets in it need a short path"
        table.fault("run_dir", Fault.RANGE, f"{len(str(run_dir).encode())} bytes long", remedy)
    table.done()
    return Paths(state_dir, run_dir)


def _clock(table: Table) -> ClockSettings:
    clock = ClockSettings(table.choice("ntp", Ntp, default=Ntp.AUTO), table.boolean("rtc", default=False))
    table.done()
    return clock


def _relays(table: Table, folder: Path) -> RelaySettings:
    driver = table.choice("driver", RelayDriver)
    chip = _path(table, "chip", folder, default="/dev/gpiochip0")
    simulated_dir = None
    if table.know("simulated") or (driver is RelayDriver.SIMULATED and table.sound("driver")):
        simulated = table.table("simulated")
        simulated_dir = _path(simulated, "dir", folder)
        simulated.done()
    if simulated_dir is not None and driver is RelayDriver.GPIO and table.sound("driver"):
        remedy = 'remove [relays.simulated], or choose driver = "simulated" where no real relay is meant'
        table.fault("simulated", Fault.CLASH, 'driver is "gpio"', remedy)
    table.done()
    return RelaySettings(driver, chip, simulated_dir)


def _refuse_a_key_without_its_pin(broker: Table, config: Config) -> None:
    """An element is opened by the PIN beside the note of the signing key."""
    key, signing = config.broker.key_file, config.trust.station_key_file
    if broker.sound("key_file") and key.suffix == NOTE and signing.suffix != NOTE:
        detail = f"chip không giữ khóa ký / is in an element, but [trust] station_key_file is not: {signing}"
        remedy = f"let station_key_file end in {NOTE} too, or name the file of a key here"
        broker.fault("key_file", Fault.CLASH, detail, remedy)


def _refuse_real_relays_in_training(station: Table, relays: Table, config: Config) -> None:
    """Nobody who practises may find that the street has heard it."""
    sound = station.sound("realm") and relays.sound("driver")
    if sound and is_training(config.site.realm) and config.relays.driver is RelayDriver.GPIO:
        detail = f"[station] realm = {shown(config.site.realm)} là mạng tập huấn / is for training"
        remedy = (
            'tập huấn thì / to train: driver = "simulated" and [relays.simulated]; '
            f'trạm thật thì / for real: a realm that does not begin with "{TRAINING_PREFIX}"'
        )
        relays.fault("driver", Fault.CLASH, detail, remedy)


def _speech(table: Table, folder: Path) -> Speech:
    voice = table.text("voice", VOICE, default="vi")
    rate_wpm = table.integer("rate_wpm", RATE_WPM_MIN, RATE_WPM_MAX, default=RATE_WPM)
    stems = _path(table, "stems", folder, default="stems")
    table.done()
    return Speech(voice, rate_wpm, stems)


def _cache(table: Table) -> Cache:
    cache = Cache(
        table.integer("bytes_max", CACHE_BYTES_MIN, CACHE_BYTES_MAX, default=CACHE_BYTES),
        table.integer("fetch_mb_per_day", 1, FETCH_MB_MAX, default=FETCH_BYTES_PER_DAY // MEGABYTE),
    )
    table.done()
    return cache


def _decoder(table: Table) -> Decoder:
    decoder = Decoder(table.choice("sandbox", Sandbox, default=Sandbox.AUTO))
    table.done()
    return decoder


def _reporting(table: Table) -> Reporting:
    reporting = Reporting(table.integer("heartbeat_s", HEARTBEAT_S_MIN, HEARTBEAT_S_MAX, default=300))
    table.done()
    return reporting


def _console(table: Table) -> Console:
    console = Console(table.choice("language", Language, default=Language.VI))
    table.done()
    return console


WHERE = "xem lại đường dẫn và quyền đọc; hoặc chạy bằng sudo / check the path and who may read it, or use sudo"
WHAT = "không phải tệp cấu hình của trạm, xem lại đường dẫn / this is not a station's configuration; check the path"
AS_UTF_8 = "lưu tệp theo mã UTF-8 / save the file as UTF-8"


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(CONFIG_BYTES_MAX + 1)
    except OSError as exc:
        raise _unreadable(path, 0, exc.strerror or str(exc), WHERE) from exc
    if len(content) > CONFIG_BYTES_MAX:
        what = f"more than {CONFIG_BYTES_MAX} bytes"
        raise _unreadable(path, 0, what, WHAT)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise _unreadable(path, line, "not UTF-8", AS_UTF_8) from exc


def _unreadable(path: Path, line: int, detail: str, remedy: str) -> ConfigError:
    return ConfigError(str(path), [Problem(line, "", Fault.UNREADABLE, detail, remedy)])
