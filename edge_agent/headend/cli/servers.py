"""``watch``, ``broker``, ``content``, ``enrolment``: the commands that run until they are told to end."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from edge_agent.core.units import StationId, UtcMs
from edge_agent.headend.broker import BrokerError, BrokerSetup, Mosquitto
from edge_agent.headend.cli.certificates import Ends
from edge_agent.headend.cli.manifests import add_content_dir, renewed
from edge_agent.headend.cli.options import (
    CannotDo,
    Tasks,
    add_dir,
    add_json,
    add_task,
    add_zone,
    address,
    end_at_sigterm,
)
from edge_agent.headend.content import ContentServer
from edge_agent.headend.enrolment import Enrolled
from edge_agent.headend.enrolment_server import EnrolmentServer
from edge_agent.headend.errors import HeadendError
from edge_agent.headend.files import Stamp, stamp
from edge_agent.headend.greeting import Greeter
from edge_agent.headend.headend import Headend, Shown, utc_now
from edge_agent.headend.headend_lock import headend_lock
from edge_agent.headend.https_server import TlsService
from edge_agent.headend.hush import Hush, Hushed
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.manifest_shelf import ScopeFull
from edge_agent.headend.ours import Ours
from edge_agent.headend.registrar import Registrar
from edge_agent.headend.server_certificates import AUTHORITY, BROKER, CONTENT
from edge_agent.headend.session import BrokerAddress
from edge_agent.headend.telling import for_machines, for_people

LOOK_S = 2
# How soon the broker admits a station that was just enrolled, and a dead child or session is noticed.
MANIFESTS_S = 60
# How soon what was published by somebody else is listed; `publish` lists its own at once.
BROKER_LISTENS = BrokerAddress("127.0.0.1", 8883)
CONTENT_LISTENS = BrokerAddress("127.0.0.1", 8443)
ENROLMENT_LISTENS = BrokerAddress("127.0.0.1", 8444)
QUEUES_LOST = (
    "tin chờ trạm vắng mặt bị hỏng trên đĩa, đã chuyển sang {0}: gửi lại lệnh còn hiệu lực bằng `publish`, xem ổ đĩa / "
    "what waited for absent stations is damaged, and was moved to {0}: `publish` again what is still in force; look at "
    "the disk"
)
ANEW = "chứng thư của đơn vị cấp đã gia hạn, chạy lại Mosquitto / the authority's certificate was renewed: started anew"


@dataclass(frozen=True, slots=True)
class Known:
    """What a broker was told: the stations; when its certificate and the list of revoked ones were written, which it
    reads anew when it is told to; and when the authority's was, which it reads only at its start."""

    stations: dict[StationId, Enrolled]
    certificate: Stamp | None
    revoked: Stamp | None
    authority: Stamp | None


def add(tasks: Tasks) -> None:
    """Add the commands."""
    words = "theo dõi trạm loa, trả lời giờ, lưu nhật ký phát / watch stations, welcome them, keep their records"
    watch = add_task(tasks, "watch", _watch, words, "Mỗi việc một dòng; dừng bằng Ctrl-C / one line each; Ctrl-C ends.")
    add_dir(watch)
    watch.add_argument("--broker", type=address, required=True, help="máy chủ MQTT / HOST:PORT")
    watch.add_argument("--records", type=Path, help="nơi lưu nhật ký phát / where records go (DIR/records)")
    add_content_dir(watch)
    add_zone(watch)
    add_json(watch)
    broker = add_task(tasks, "broker", _broker, "chạy Mosquitto riêng với chứng thư và quyền đã tạo / a private broker")
    add_dir(broker)
    add_zone(broker)
    _add_listen(broker, BROKER_LISTENS)
    content = add_task(tasks, "content", _content, "chạy máy chủ HTTPS cho tệp âm thanh / serve signed audio")
    add_dir(content)
    content.add_argument("--content-dir", type=Path, help="nơi đặt tệp âm thanh / where audio is put (DIR/content)")
    told = "trả lời giờ cho trạm qua HTTPS, cần khóa welcome / answer hellos over HTTPS too, with the key of welcome"
    content.add_argument("--welcome", action="store_true", help=told)
    content.add_argument("--records", type=Path, help="nơi `watch` lưu nhật ký / where records are (DIR/records)")
    add_zone(content)
    _add_listen(content, CONTENT_LISTENS)
    words = "đăng ký trạm bằng mã, gia hạn chứng thư (HTTPS) / enrol stations by codes, renew their certificates"
    enrolment = add_task(tasks, "enrolment", _enrolment, words)
    add_dir(enrolment)
    told = "máy chủ MQTT mà trạm sẽ kết nối / where stations shall connect: HOST:PORT"
    enrolment.add_argument("--broker", type=address, required=True, help=told)
    add_zone(enrolment)
    _add_listen(enrolment, ENROLMENT_LISTENS)
    for server in (watch, broker, content, enrolment):
        server.set_defaults(serves=True)  # Ctrl-C is how it ends


def _add_listen(parser: argparse.ArgumentParser, default: BrokerAddress) -> None:
    shown = f"{default.host}:{default.port}"
    parser.add_argument("--listen", type=address, default=default, help=f"địa chỉ nghe / HOST:PORT ({shown})")


def _watch(args: argparse.Namespace) -> int:
    end_at_sigterm()
    keyring, keyring_of_manifests = Keyring(args.dir), Keyring(args.dir)  # each for its own thread
    ends = Ends(args.dir, args.timezone, _log, renews=False)
    ends.look()  # with one that has ended it does not connect
    with (
        headend_lock(args.dir, alone=False),
        Headend(keyring, args.broker, args.records or args.dir / "records", on_noted=teller(args, keyring)) as headend,
    ):
        due, begun = time.monotonic(), False
        while not headend.ended:
            ends.look()
            if time.monotonic() >= due:
                due = time.monotonic() + MANIFESTS_S
                begun = _renew_manifests(keyring_of_manifests, args.content_dir, anew=not begun) or begun
            time.sleep(LOOK_S)
        raise CannotDo(
            f"watch: có `watch` khác đang chạy với --dir này? / {headend.ended}; is another `watch` running with this "
            "--dir?"
        )


def teller(args: argparse.Namespace, keyring: Keyring) -> Callable[[Shown], None]:
    """Prints what was noted, within what one station may have printed; for the thread that ``keyring`` is for."""
    ours, hush = Ours(keyring), Hush()

    def words(shown: Shown | Hushed, now: UtcMs) -> str:
        return for_machines(shown, now) if args.json else for_people(shown, now, args.timezone, ours.named)

    def tell(shown: Shown) -> None:
        now = utc_now()
        told = words(shown, now)
        held = hush.hold(shown, len(told.encode()), now)
        if held is not None:
            print(told if held is shown else words(held, now), flush=True)

    return tell


def _renew_manifests(keyring: Keyring, content_dir: Path | None, *, anew: bool) -> bool:
    """Whether that was done. Trouble with them is told, and stations are answered all the same.

    ``anew``: the folder may have come back from a backup since the last `watch`, and does not know it.
    """
    try:
        for scope in renewed(keyring, content_dir, anew=anew):
            _log(f"bản kê lệnh mới / new manifest: {scope}")
    except HeadendError as error:
        _log(f"bản kê lệnh / manifests: {error}")
        return isinstance(error, ScopeFull)
    return True


def _broker(args: argparse.Namespace) -> int:
    end_at_sigterm()
    keyring, ends = Keyring(args.dir), Ends(args.dir, args.timezone, _log, (BROKER, AUTHORITY), renews=False)
    known, trouble = _known(keyring), ""
    ends.look()  # it does not start with one that has ended
    with Mosquitto(_setup(keyring, args), args.listen.port) as broker:
        _log(f"Mosquitto: {args.listen.host}:{broker.port}, {len(keyring.stations)} trạm / stations")
        if broker.put_aside is not None:
            _log(QUEUES_LOST.format(broker.put_aside))
        while broker.runs():
            ends.look()
            time.sleep(LOOK_S)
            before = trouble
            known, trouble = _admitted(broker, keyring, args, known)
            if trouble not in ("", before):
                _log(f"{trouble}; vẫn chạy theo danh sách đã đọc / goes on by the list that was read before")
        raise BrokerError(f"mosquitto ended: {broker.log_tail()}")


def _known(keyring: Keyring) -> Known:
    read = keyring.server(BROKER).certificate, keyring.revoked_path, keyring.authority_path
    return Known(dict(keyring.stations), *(stamp(path) for path in read))


def _admitted(broker: Mosquitto, keyring: Keyring, args: argparse.Namespace, known: Known) -> tuple[Known, str]:
    """What the broker goes by now, and what is wrong: a slip of an editor, or a disk that is full for an hour, must not
    take it from a whole ward."""
    try:
        keyring.see()
        now = _known(keyring)
        if now != known:
            broker.admit(_setup(keyring, args))
        if now.authority != known.authority:
            broker.restart()  # once in years, and its queues are kept; else on the old one's day it lets nobody in
            _log(ANEW)
        broker.keep_log_short()
    except (HeadendError, OSError) as error:
        return known, str(error)
    return now, ""


def _setup(keyring: Keyring, args: argparse.Namespace) -> BrokerSetup:
    areas = {str(station): enrolled.area for station, enrolled in keyring.stations.items()}
    identity = keyring.server(BROKER)
    authority, revoked = keyring.authority_path, keyring.revoked_path
    return BrokerSetup(args.dir / "broker", authority, identity, areas, host=args.listen.host, revoked=revoked)


def _content(args: argparse.Namespace) -> int:
    end_at_sigterm()
    keyring = Keyring(args.dir)
    directory, identity = args.content_dir or args.dir / "content", keyring.server(CONTENT)

    def tell(shown: Shown) -> None:
        _log(for_people(shown, utc_now(), args.timezone))

    greet = Greeter(args.dir, args.records or args.dir / "records", utc_now, tell).answer if args.welcome else None
    ends = Ends(args.dir, args.timezone, _log, (CONTENT,), renews=False)

    def make(host: str, port: int) -> ContentServer:
        return ContentServer(directory, identity, host, port, _log, greet)

    _serve(args.listen, make, str(directory), ends)


def _enrolment(args: argparse.Namespace) -> int:
    end_at_sigterm()
    keyring = Keyring(args.dir)
    registrar, identity = Registrar(keyring, args.broker), keyring.server(CONTENT)
    told = "đăng ký và gia hạn / enrolment and renewal"
    ends = Ends(args.dir, args.timezone, _log, (CONTENT,), renews=True)

    def make(host: str, port: int) -> EnrolmentServer:
        return EnrolmentServer(registrar, identity, utc_now, host, port, _log)

    _serve(args.listen, make, told, ends)


def _serve(listen: BrokerAddress, make: Callable[[str, int], TlsService], what: str, ends: Ends) -> NoReturn:
    """Until the command is told to end; with the newest certificate."""
    try:
        server = make(listen.host, listen.port)
    except OSError as error:
        raise CannotDo(f"--listen {listen.host}:{listen.port}: {error.strerror or error}") from error
    with server:
        _log(f"HTTPS: {listen.host}:{server.port}, {what}")
        while True:
            ends.look()
            try:
                server.see_certificate()
            except OSError as error:
                _log(f"chứng thư mới không dùng được, giữ chứng thư cũ / cannot use the new certificate: {error}")
            time.sleep(LOOK_S)


def _log(line: str) -> None:
    """What nobody can be told, for the log's disk is full or its reader has gone, ends no server and no answer."""
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)
