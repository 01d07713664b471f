"""``edge-agent enrol``, ``renew``, ``factory-reset``: what a technician does about who this station is. Composes only.

Nothing secret is printed. As root, as on a station, what is made belongs to the service's account.
"""

from __future__ import annotations

import pwd
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from edge_agent.cli import paths
from edge_agent.cli.check_files import in_the_way
from edge_agent.cli.doctor import clock_of
from edge_agent.cli.knock import device_up
from edge_agent.cli.service_account import service_account
from edge_agent.cli.show import read_picture
from edge_agent.config import Config
from edge_agent.config.identity import CannotWrite
from edge_agent.config.sections import NOTE
from edge_agent.console.status import Absence
from edge_agent.console.words import printable
from edge_agent.identity import asking, installing
from edge_agent.identity.asking import NoIdentity, Server
from edge_agent.identity.certificate import Certificate, NotOurs, read_certificate
from edge_agent.identity.codes import WrongCode, read_code
from edge_agent.identity.file_keys import Owner
from edge_agent.identity.installing import Places
from edge_agent.identity.port import CertificateKey, SigningKey
from edge_agent.identity.renewing import Renewal
from edge_agent.identity.resetting import begun, forget
from edge_agent.identity.tls_keys import tls_key
from edge_agent.identity.token_keys import TokenKey, signing_key
from edge_agent.identity.token_library import TokenError
from edge_agent.trust.keys import Scheme, UnusableKey

EXIT_FAILED = 1
CONFIRMED = "XOA"
NOTHING_DELETED = "chưa xóa gì / nothing was deleted"
TROUBLE = (NoIdentity, NotOurs, CannotWrite, WrongCode, TokenError, UnusableKey, OSError, ValueError)
RESTART = "sudo systemctl restart edge-agent-io edge-agent"


@dataclass(frozen=True, slots=True)
class Asked:
    """What ``enrol`` was told. ``code`` "": it is asked for at the terminal."""

    server: str
    code: str = ""
    ca_file: Path | None = None
    token: Path | None = None
    token_label: str = ""
    scheme: Scheme = Scheme.ECDSA_P256


def enrol(config: Config, file: Path, asked: Asked) -> int:
    """Become a station, by a one-time code; or finish what a power cut left, a reset first."""
    places = Places(file, config, owner())
    if laid := next(in_the_way(config), None):
        return _failed(laid.line())
    try:
        if begun(config):
            print("lần xóa trạm trước bị dở, nay xóa nốt / a factory reset was cut short; it is finished first")
            forget(config, list(_folders(config)))
        if not installing.unfinished(config):
            if (name := enrolled_as(places)) is not None:
                _say(f"trạm đã đăng ký / is enrolled already: {name}; muốn đổi / to change: edge-agent factory-reset")
                return 0
            _ask(places, asked)
        given = installing.finish(places)
    except TROUBLE as error:
        return _failed(error)
    _say(f"đã đăng ký trạm / enrolled: {given.station}, {given.name}, {given.area}")
    print(f"tiếp theo / next: sudo edge-agent doctor; {RESTART}")
    return 0


def renew(config: Config) -> int:
    """Get the next certificate now."""
    if laid := next(in_the_way(config), None):
        return _failed(laid.line())
    try:
        Renewal(config, signing_key(config.trust).open(), owner()).renew(clock_of(config))
        until = time.strftime("%Y-%m-%d", time.gmtime(_certificate(config).ends / 1000))
    except FileNotFoundError as error:
        return _failed(f"{error.filename}: chưa có; đăng ký trạm / is not there; enrol first: sudo edge-agent enrol")
    except TROUBLE as error:
        return _failed(error)
    print(f"đã gia hạn chứng thư đến / certificate renewed until {until}")
    return 0


def factory_reset(config: Config, *, sure: bool) -> int:
    """Forget who this station is, all that it was told and all that it did."""
    if runs(config):
        stop = "sudo systemctl stop edge-agent edge-agent-io edge-agent-decode.socket"
        return _failed(f"trạm đang chạy, chưa xóa gì / the station runs; nothing was deleted. {stop}")
    if laid := next(in_the_way(config), None):
        return _failed(f"{laid.line()}; {NOTHING_DELETED}")
    station = config.site.station
    if not sure and not _confirmed(station):
        return _failed(NOTHING_DELETED)
    try:
        forget(config, list(_folders(config)))
    except KeyboardInterrupt:
        raise KeyboardInterrupt("xóa còn dở, gõ lại lệnh này / cut short; give this command again") from None
    except TROUBLE as error:
        return _failed(error)
    print(f"đã xóa khóa, chứng thư, lệnh phát, nhật ký, âm thanh của {station} / all keys and data are gone.")
    print(
        "Tệp cấu hình còn nguyên. Muốn dùng lại: xin mã mới / to use it again, enrol with a new code: edge-agent enrol"
    )
    return 0


def enrolled_as(places: Places) -> str | None:
    """The name in this station's certificate, if it has one for its key, a key to sign with, and all that was given."""
    config = places.config
    if not all(path.exists() for path in (config.broker.ca_file, config.content.ca_file, config.trust.file)):
        return None
    try:
        certificate = _certificate(config)
        if certificate.public != places.tls_key.public:
            return None
        signing_key(config.trust).open()
        return ", ".join(certificate.names)
    except (OSError, ValueError, TokenError):
        return None


def runs(config: Config) -> bool:
    """Whether one of the two processes lives; who may not ask is told that they do."""
    picture = read_picture(paths.status(config), time.time())
    return picture not in (Absence.NOT_RUNNING, Absence.STALE) or device_up(paths.socket(config)) is not False


def owner() -> Owner:
    """Whose the files shall be: the service's, where root works for it."""
    service = service_account()
    return None if service is None else (service, pwd.getpwuid(service).pw_gid)


def _ask(places: Places, asked: Asked) -> None:
    code = read_code(asked.code or _typed("mã một lần / one-time code: ", "chưa thay đổi gì / nothing was changed"))
    if not asked.server:
        raise NoIdentity("thêm --server https://… / say --server https://…, as on the slip")
    installing.check_writable(places)
    _tls_key(places, asked).make()
    signer = _key(places, asked).make()
    given = asking.enrol(Server(asked.server.rstrip("/"), asked.ca_file), code, signer, places.tls_key.request(""))
    installing.commit(places, given, asked.server.rstrip("/"))


def _key(places: Places, asked: Asked) -> SigningKey:
    path = places.config.trust.station_key_file
    if asked.token is None:
        return signing_key(places.config.trust, places.owner)
    if path.suffix != NOTE:
        raise UnusableKey(f'{path}: [trust] station_key_file phải có đuôi / must end in "{NOTE}" where --token is used')
    return TokenKey(path, str(asked.token.absolute()), asked.token_label, asked.scheme, places.owner)


def _tls_key(places: Places, asked: Asked) -> CertificateKey:
    module = "" if asked.token is None else str(asked.token.absolute())
    return tls_key(places.config, places.owner, module, asked.token_label)


def _certificate(config: Config) -> Certificate:
    return read_certificate(config.broker.cert_file.read_bytes())


def _folders(config: Config) -> Iterator[Path]:
    yield from (paths.originals(config), paths.audio(config), paths.journal(config))
    yield from config.paths.state_dir.glob(f"{paths.journal(config).name}.*")  # damaged ones that were put aside
    yield from (paths.warnings_in_memory(config), paths.live(config))


def _confirmed(station: str) -> bool:
    print(f"Xóa hết khóa, lệnh phát, nhật ký, âm thanh của trạm {station}? Không lấy lại được.")
    print(f"This deletes all keys and data of {station} for ever.")
    return _typed(f"gõ {CONFIRMED} để xóa / type {CONFIRMED} to delete: ", NOTHING_DELETED).strip() == CONFIRMED


def _typed(what: str, untouched: str) -> str:
    """Seen while it is typed: a code is worth nothing once it was used, and blind typing wastes tries."""
    try:
        return input(what)
    except EOFError:
        return ""
    except KeyboardInterrupt:
        raise KeyboardInterrupt(untouched) from None


def _failed(why: object) -> int:
    remedy = " → chạy bằng sudo / use sudo" if isinstance(why, PermissionError) else ""
    _say(f"lỗi / error: {why}{remedy}", sys.stderr)
    return EXIT_FAILED


def _say(told: str, to: TextIO | None = None) -> None:
    """Some of it stands in files of the service's, or a server has said it, and root's terminal obeys what it gets."""
    print("\n".join(map(printable, told.splitlines())), file=to)
