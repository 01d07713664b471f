"""Doctor's checks of what lies on the disk: trust file, keys, certificates, folders. Each returns what it found.

A date is only held against a file by a clock that may be trusted: on a box that woke up in 1970 every certificate
"begins tomorrow", and the clock is what has to be put right.
"""

from __future__ import annotations

import os
import shutil
import ssl
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from edge_agent.cli import paths
from edge_agent.cli.finding import Finding, troubled, words
from edge_agent.cli.service_account import UNREADABLE, not_read, not_written
from edge_agent.config import Config
from edge_agent.console.words import Text
from edge_agent.core.clock_trust import Now
from edge_agent.core.units import UtcMs
from edge_agent.free_space import FETCH_FREE_BYTES_MIN
from edge_agent.identity.certificate import OVERDUE_AT, due, legible, read_certificate, trouble_by_clock
from edge_agent.identity.credential import NoPassphrase
from edge_agent.identity.installing import pending, unfinished
from edge_agent.identity.port import KeyNotShown
from edge_agent.identity.resetting import begun, mark
from edge_agent.identity.tls_keys import in_element
from edge_agent.identity.tls_keys import tls_key as tls_key_at
from edge_agent.identity.token import TEST_MESSAGE
from edge_agent.identity.token_keys import signing_key as signing_key_at
from edge_agent.identity.token_library import TokenError
from edge_agent.journal.database import FILE_NAME
from edge_agent.journal.port import JournalError
from edge_agent.journal.reading import read_journal
from edge_agent.journal.schema import NewerError
from edge_agent.link.server import AGENT_USER
from edge_agent.sync.tls import clock_dates_certificates
from edge_agent.sync.tls_trouble import WORDS, Kind
from edge_agent.trust.bundle import FILE_BYTES_MAX, believe
from edge_agent.trust.keeper import believing
from edge_agent.trust.keys import Signer, UnusableKey
from edge_agent.trust.strict_json import WireError

MEGABYTE = 1_000_000
PEM_BYTES_MAX = 1_000_000
# A bundle of every public authority of the world has 220 kB.
SHOWN_KEYID_CHARS = 16
# Enough to compare with the headend's list by eye.
OTHERS = stat.S_IRWXG | stat.S_IRWXO

ENROLMENT = Text("đăng ký trạm", "enrolment")
TRUST = Text("danh sách khóa được tin cậy", "trust file")
SIGNING_KEY = Text("khóa ký của trạm", "station's signing key")
TLS_KEY = Text("khóa bí mật của chứng thư", "certificate's private key")
CERTIFICATE = Text("chứng thư của trạm", "station's certificate")
BROKER_CA = Text("chứng thư gốc của máy chủ", "broker's authority")
CONTENT_CA = Text("chứng thư gốc của máy chủ âm thanh", "content servers' authority")
JOURNAL = Text("nhật ký của trạm", "station's journal")
STATE = Text("thư mục dữ liệu", "state folder")
RUN = Text("thư mục chạy", "run folder")
RENEW_BY_HAND = Text(
    "sudo edge-agent renew, lệnh này nói vì sao chưa được", "sudo edge-agent renew, which tells why it was not"
)
RENEW = Text("xin chứng thư mới từ đơn vị quản lý hệ thống", "ask the operator of the system for a new one")
RENEW_TRUST = Text(
    "báo trung tâm: văn bản ủy quyền phải được ký gia hạn (trust renew)",
    "tell the centre: the trust documents have to be renewed (trust renew)",
)
SET_CLOCK = Text(WORDS[Kind.SERVER_NOT_YET].remedy_vi, WORDS[Kind.SERVER_NOT_YET].remedy_en)
COPY = Text("chép lại tệp từ đơn vị quản lý hệ thống", "copy the file anew from the operator of the system")
ENROL = Text("đăng ký trạm: sudo edge-agent enrol", "enrol the station: sudo edge-agent enrol")
NOT_OF_OURS = Text(
    "sai [station] area thì factory-reset, đăng ký bằng mã mới; đúng thì trung tâm ký, gửi văn bản (trust send)",
    "is [station] area wrong, then factory-reset and enrol by a new code; else the centre signs and sends (trust send)",
)
ENROL_ANEW = Text(
    "khóa không chép được: xin mã mới, sudo edge-agent enrol; vẫn lỗi thì sudo edge-agent factory-reset trước",
    "a key cannot be copied: ask for a new code, sudo edge-agent enrol; if that fails, factory-reset first",
)
LAID = Text(
    "dịch vụ đã bị chiếm? rm nó đi, factory-reset, đăng ký bằng mã mới; báo trung tâm",
    "was the service taken over? rm it, factory-reset, enrol by a new code; tell the centre",
)
SEALED = Text(
    "xem operations.md, “Khóa chỉ mở được trên chính máy này”",
    "see operations.md, “Keys that open on this machine only”",
)
ELEMENT = Text("xem operations.md, “Khóa trong chip TPM”", "see operations.md, “Keys in a TPM”")
SLOW = Text(
    "chip quá chậm, tiếng có thể bị cắt: để khóa trong tệp, hoặc thay chip",
    "the element is too slow, and could cut sound off: keep the key in a file, or take another element",
)
SUDO = Text("chạy doctor bằng sudo", "run doctor with sudo")
SIGNS_IN_S_MAX = 1.0
# The agent signs between two steps, several times after a connection; without a step in 3 s (the lease) relays open.
CLOCK_FIRST = "; dates NOT judged: the clock is not trusted"


def in_the_way(config: Config) -> Iterator[Finding]:
    """What is no file in the place of one, or a link in the place of its folder: the service owns those.

    Root would wait at a pipe for ever, and write, own and delete files where the link leads.
    """
    broker, trust = config.broker, config.trust
    for what, file in (
        (ENROLMENT, pending(config)),
        (TRUST, trust.file),
        (SIGNING_KEY, trust.station_key_file),
        (TLS_KEY, broker.key_file),
        (CERTIFICATE, broker.cert_file),
        (BROKER_CA, broker.ca_file),
        (CONTENT_CA, config.content.ca_file),
    ):
        if os.path.exists(file) and not os.path.isfile(file):
            yield Finding(what, f"{file}: không phải tệp / is no file", LAID)
        for link in filter(_laid_for_root, file.parents):
            yield Finding(what, f"{link}: là liên kết không phải của root / is a link, and not root's", LAID)


def _laid_for_root(folder: Path) -> bool:
    return os.geteuid() == 0 and os.path.islink(folder) and folder.lstat().st_uid != 0


def enrolment(config: Config) -> Iterator[Finding]:
    """Whether a reset or an enrolment was cut short; nothing where none was."""
    try:
        cut_short, not_whole = begun(config), unfinished(config)
    except OSError:  # nobody may look, or the card does not answer: the line of the state folder says it
        return
    if cut_short:
        remedy = Text(
            "sudo edge-agent factory-reset, hoặc enrol bằng mã mới",
            "sudo edge-agent factory-reset, or enrol by a new code",
        )
        yield Finding(ENROLMENT, f"{mark(config)}: xóa trạm còn dở / a factory reset was cut short", remedy)
    if not_whole:
        remedy = Text("sudo edge-agent enrol (không cần mã)", "sudo edge-agent enrol (no code needed)")
        yield Finding(ENROLMENT, f"{pending(config)}: chưa ghi xong / not yet taken in whole", remedy)


def journal(config: Config) -> Iterator[Finding]:
    """Whether newer software has written it, which this one leaves alone; nothing where it has not."""
    folder = paths.journal(config)
    try:
        read_journal(folder)
    except NewerError as exc:
        remedy = Text(
            "cài lại bản mới hơn; muốn dùng bản này: operations.md, phần 5",
            "install the newer version again; to stay with this one: operations.md, part 5",
        )
        told = "không có lịch phát, không nhận lệnh thường / no timetable, no ordinary orders"
        yield Finding(JOURNAL, f"{folder}: {exc}: {told}", remedy)
    except JournalError:  # there is none yet, it is not ours to read, or it is damaged, which the agent's start tells
        return


def trust_file(config: Config, now: Now, service_uid: int | None = None) -> Finding:
    """Whether the trust file can be used, is of this realm, and nothing of what the station believes has expired."""
    believed = _believed(config, now)
    return believed if believed.fault else not_read(TRUST, config.trust.file, service_uid) or believed


def _believed(config: Config, now: Now) -> Finding:
    file = config.trust.file
    try:
        data = _read(file, FILE_BYTES_MAX)
        realm = believe(data, (), config.site.areas()).trust.realm
        if realm != config.site.realm:
            remedy = Text("sửa realm trong tệp cấu hình, hoặc chép đúng tệp", "correct realm, or copy the right file")
            seen = f"{file}: của mạng khác / realm {realm}, but this station is of {config.site.realm}"
            return Finding(TRUST, seen, remedy)
        chain = believing(data, _kept(config), config.site).chain
    except (OSError, WireError) as exc:
        return Finding(TRUST, f"{file}: {words(exc)}", _remedy(exc, COPY))
    documents = [held.document for held in chain.standing]
    heads = ", ".join(f"{document.area or 'root'} {document.version}" for document in documents)
    seen = f"{heads}; {len(chain.trust.roles)} roles"
    if config.site.area not in [document.area for document in documents]:
        none = f"không có văn bản của địa bàn / no document of {config.site.area}: nobody there is obeyed"
        return Finding(TRUST, f"{seen}; {none}", NOT_OF_OURS)
    return _dated(TRUST, seen, (max(document.issued_at for document in documents), chain.expires), now, RENEW_TRUST)


def _kept(config: Config) -> tuple[tuple[str, bytes], ...]:
    """The documents that came since the file; none where there is no journal to read, which is another finding."""
    try:
        return read_journal(paths.journal(config)).trust
    except JournalError:
        return ()


def signing_key(config: Config, service_uid: int | None) -> Finding:
    """Whether the station can sign, and nobody else can read its key. ``service_uid``: see ``service_account``."""
    file = config.trust.station_key_file
    signs = key_signs(file, signing_key_at(config.trust).open)
    return signs if signs.fault else _owned(SIGNING_KEY, file, service_uid) or signs


def key_signs(file: Path, opened: Callable[[], Signer], clock_s: Callable[[], float] = time.monotonic) -> Finding:
    """Whether the key that ``file`` names opens and signs, and soon enough."""
    try:
        signer = opened()
        began = clock_s()
        signer.sign(TEST_MESSAGE)  # a chip that holds another key, or cannot sign, opens all the same
        took_s = clock_s() - began
    except NoPassphrase as exc:
        return Finding(SIGNING_KEY, words(exc), SEALED)
    except (OSError, UnusableKey, TokenError) as exc:
        remedy = Text(
            f"chmod 600 {file}; thiếu tệp thì đăng ký lại trạm", f"chmod 600 {file}; if it is missing, enrol anew"
        )
        return Finding(SIGNING_KEY, f"{file}: {words(exc)}", SUDO if isinstance(exc, PermissionError) else remedy)
    if took_s > SIGNS_IN_S_MAX:
        return Finding(
            SIGNING_KEY, f"{file}: ký quá chậm / takes {took_s:.1f} s to sign; at most {SIGNS_IN_S_MAX} s will do", SLOW
        )
    return Finding(SIGNING_KEY, f"{file}: keyid {signer.keyid[:SHOWN_KEYID_CHARS]}…, owner only")


def tls_key(config: Config, service_uid: int | None) -> Finding:
    """Whether the private key fits the certificate, and nobody else can read it."""
    file, certificate = config.broker.key_file, config.broker.cert_file
    key = tls_key_at(config)
    try:
        if file.stat().st_mode & OTHERS:
            remedy = Text(f"chmod 600 {file}; nên xin khóa mới", f"chmod 600 {file}; think of a new key")
            return Finding(TLS_KEY, f"{file}: người khác đọc được tệp / others can read it", remedy)
        key.prepare()
        key.show(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate)
    except (TokenError, KeyNotShown) as exc:
        return Finding(TLS_KEY, f"{file}: {words(exc)}", ELEMENT if in_element(config) else SEALED)
    except NoPassphrase as exc:
        return Finding(TLS_KEY, words(exc), SEALED)
    except PermissionError as exc:
        return Finding(TLS_KEY, f"{file}: {words(exc)}", SUDO)
    except (OSError, ValueError) as exc:  # SSLError is an OSError
        return Finding(
            TLS_KEY, f"{file} không khớp / does not go with {certificate}: {words(exc)}", _remedy(exc, ENROL_ANEW)
        )
    if in_element(config):
        return _owned(TLS_KEY, file, service_uid) or Finding(TLS_KEY, f"{file}: in the element, fits the certificate")
    return _owned(TLS_KEY, file, service_uid) or Finding(TLS_KEY, f"{file}: fits the certificate, owner only")


def certificates(config: Config, now: Now, service_uid: int | None = None) -> Iterator[Finding]:
    """The station's certificate and both authorities: present, readable, dates, and the station's name."""
    for what, file, name in (
        (CERTIFICATE, config.broker.cert_file, config.site.station),
        (BROKER_CA, config.broker.ca_file, None),
        (CONTENT_CA, config.content.ca_file, None),
    ):
        found = _certificate(what, file, now, name)
        if name is not None and not found.fault:
            found = _renewed(config, now) or found
        yield found if found.fault else not_read(what, file, service_uid) or found


def _renewed(config: Config, now: Now) -> Finding | None:
    """A certificate that the station should have had a successor of long ago; None where there is nothing to say."""
    file = config.broker.cert_file
    own = read_certificate(file.read_bytes())
    if not due(now, own, OVERDUE_AT):
        return None
    remedy = RENEW_BY_HAND if config.enrolment.url else RENEW
    return Finding(CERTIFICATE, f"{file}: chưa gia hạn được / not renewed yet, ends on {_day(own.ends)}", remedy)


def free_bytes(folder: Path) -> int:
    """Room on the disk that a folder is on. OSError."""
    return shutil.disk_usage(folder).free


def folders(
    config: Config, room: Callable[[Path], int] = free_bytes, service_uid: int | None = None
) -> Iterator[Finding]:
    """What both processes write into."""
    for what, folder, free_bytes_min in (
        (STATE, config.paths.state_dir, FETCH_FREE_BYTES_MIN),
        (RUN, config.paths.run_dir, 0),
    ):
        found = folder_usable(what, folder, free_bytes_min, room)
        hidden = not_written(what, folder, service_uid) or (_kept_from(config, service_uid) if what is STATE else None)
        yield found if found.fault else hidden or found


def _kept_from(config: Config, service_uid: int | None) -> Finding | None:
    """What root has made in the state folder by running the agent itself; None where there is nothing to say."""
    for folder in (paths.journal(config), paths.originals(config), paths.audio(config)):
        for part in (folder, folder / FILE_NAME):
            # And not Path.exists, which raises where nobody may look.
            if os.path.exists(part) and (hidden := not_written(STATE, part, service_uid)):
                remedy = f"chown -R {AGENT_USER}: {folder}"
                return replace(hidden, remedy=Text(remedy, remedy))
    return None


def _certificate(what: Text, file: Path, now: Now, name: str | None = None) -> Finding:
    try:
        with legible():
            return _of_whole_certificates(what, file, now, name)
    except (OSError, ValueError) as exc:
        return Finding(what, f"{file}: {words(exc)}", _remedy(exc, COPY))


def _of_whole_certificates(what: Text, file: Path, now: Now, name: str | None) -> Finding:
    """What they say. ValueError, which names and dates raise when they are asked for: they are not whole."""
    pem = _read(file, PEM_BYTES_MAX)
    found = x509.load_pem_x509_certificates(pem)
    names = [str(part.value) for part in found[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if name is not None and name not in names:
        remedy = Text(
            "sửa id trong tệp cấu hình, hoặc chép đúng chứng thư", "correct id, or copy the right certificate"
        )
        seen = f"{file}: cấp cho trạm khác / made out to {names}, but this station is {name}"
        return Finding(what, seen, remedy)
    start = max(certificate.not_valid_before_utc for certificate in found)
    end = min(certificate.not_valid_after_utc for certificate in found)
    valid = _ms(start), _ms(end)
    if name is not None and (trouble := trouble_by_clock(read_certificate(pem), now)):
        return troubled(what, str(file), trouble)
    return _dated(what, str(file), valid, now)


def _remedy(error: Exception, else_this: Text) -> Text:
    """What is not there, an enrolment brings; what this account may not read is no fault that a new code would mend."""
    if isinstance(error, PermissionError):
        return SUDO
    return ENROL if isinstance(error, FileNotFoundError) else else_this


def _dated(what: Text, seen: str, valid: tuple[UtcMs, UtcMs], now: Now, renew: Text = RENEW) -> Finding:
    start, end = valid
    until = f"valid {_day(start)} to {_day(end)}"
    if not clock_dates_certificates(now):
        return Finding(what, f"{seen}, {until}{CLOCK_FIRST}")
    if now.utc - now.max_error_ms > end:
        return Finding(what, f"{seen}, HẾT HẠN ngày / EXPIRED on {_day(end)}", renew)
    if now.utc + now.max_error_ms < start:
        shown = f"begins only on {_day(start)}; đồng hồ của trạm đang là / the station's clock says {_day(now.utc)}"
        return Finding(what, f"{seen}, chưa có hiệu lực / {shown}", SET_CLOCK)
    return Finding(what, f"{seen}, {until}")


def folder_usable(what: Text, folder: Path, free_bytes_min: int, room: Callable[[Path], int] = free_bytes) -> Finding:
    """Whether a folder can be written into, and has room. Leaves nothing behind."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            free = room(folder)
    except OSError as exc:
        remedy = Text(
            "khởi động dịch vụ để tạo thư mục, chạy doctor bằng sudo, xem ổ đĩa có bị khóa ghi không (mount)",
            "start the service, which makes it; run doctor with sudo; see whether the disk is read-only (mount)",
        )
        return Finding(what, f"{folder}: {words(exc)}", remedy)
    seen = f"{folder}: writable, {free // MEGABYTE} MB free"
    if free < free_bytes_min:
        remedy = Text("xóa bớt tệp trên thẻ nhớ hoặc giảm [cache] bytes_max", "make room, or lower [cache] bytes_max")
        return Finding(what, f"còn quá ít chỗ trống / too little room: {seen}", remedy)
    return Finding(what, seen)


def _owned(what: Text, file: Path, service_uid: int | None) -> Finding | None:
    """A key that root can read and the service cannot; None where there is nothing to say."""
    if service_uid is None or file.stat().st_uid == service_uid:
        return None
    remedy = Text(f"chown {AGENT_USER}: {file}", f"chown {AGENT_USER}: {file}")
    return Finding(what, f"{file}: {UNREADABLE}", remedy)


def _read(file: Path, bytes_max: int) -> bytes:
    with file.open("rb") as opened:
        return opened.read(bytes_max + 1)


def _ms(instant: datetime) -> UtcMs:
    return UtcMs(int(instant.timestamp() * 1000))


def _day(utc: UtcMs) -> str:
    return f"{datetime.fromtimestamp(utc / 1000, UTC):%Y-%m-%d}"
