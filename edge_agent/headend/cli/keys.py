"""``keys init``, ``new``, ``station``, ``protect``, ``list``. Prints names and public keys, never a secret."""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from edge_agent.config.parse import HOST
from edge_agent.core.site import TRAINING_PREFIX, is_training
from edge_agent.headend.ceremony_clock import of_a_beginning
from edge_agent.headend.cli.options import Tasks, add_dir, add_task, note, whole
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.files import make_private_directory
from edge_agent.headend.headend import utc_now
from edge_agent.headend.key_files import PlainKey
from edge_agent.headend.key_folder import EVERY_KEY, KeyFolder, Wish, beside, prepare, role_of
from edge_agent.headend.keyring import SERVES, WRITTEN, Keyring
from edge_agent.headend.new_network import check_new, check_unmade, create_keyring, create_servers, made_names
from edge_agent.headend.passphrases import FILE_VARIABLE, NEW_FILE_VARIABLE
from edge_agent.headend.pki import names_in
from edge_agent.headend.public_files import check_public, fingerprint, public_path, write_public
from edge_agent.headend.roles import ONLINE, RoleSpec, default_roles
from edge_agent.identity.token import TokenKey
from edge_agent.trust.fields import AREA, NAME, Fields
from edge_agent.trust.items import LIVE_SOURCE
from edge_agent.trust.keys import PublicKey, Scheme
from edge_agent.trust.role_limits import SOURCES_MAX
from edge_agent.trust.strict_json import WireError

INIT_MORE = f"""\
Tạo / makes: ward-routine (bản tin thông thường, ưu tiên; và lệnh điều khiển), ward-emergency (khẩn cấp), ward-policy
(quy chế, trường hợp đặc biệt, tạm ngừng phát: của chủ quy chế, không phải của người phát), province, welcome, ack,
head; trust.json (danh sách khóa được tin cậy); chứng thư TLS.
--encrypt: mỗi khóa của cán bộ một mật khẩu. --token, --token-label: khóa tạo ngay trong thiết bị ký số (PKCS#11), không
lấy ra được. welcome, ack, head luôn là tệp không mật khẩu, vì máy chủ tự khởi động; ba khóa đó không phát được gì.
/ --encrypt: a passphrase for each officer's key. --token, --token-label: keys are made on PKCS#11 tokens and never
leave them. welcome, ack and head stay files without a passphrase: servers start unattended; these start no sound.
Sao lưu thư mục này, và giữ kín / back this directory up, and keep it secret.
Tên (--realm) bắt đầu bằng {TRAINING_PREFIX} là mạng TẬP HUẤN: trạm của mạng đó không điều khiển rơ-le thật
/ a --realm that begins with {TRAINING_PREFIX} is a TRAINING network: its stations switch no real relay."""
OFFICERS = 2
# Who must sign an emergency, unless somebody says otherwise.
AREA_FORM = f"{WRITTEN[AREA]} / {AREA.rule}"
TRAINING = "mạng TẬP HUẤN: không điều khiển rơ-le thật / a TRAINING network: no real relays"
SECRETS = f"""\
Mật khẩu, mã PIN được hỏi trên màn hình. Chạy tự động: biến {FILE_VARIABLE} (mật khẩu mới: {NEW_FILE_VARIABLE})
chỉ ra một tệp (quyền 600) có mật khẩu ở dòng đầu. Không bao giờ ghi mật khẩu vào dòng lệnh.
Passphrases and PINs are asked for at the terminal. Unattended: {FILE_VARIABLE} (a new one: {NEW_FILE_VARIABLE})
names a file (mode 600) whose first line it is. Never write one on the command line."""
PROTECT_MORE = f"""\
Tệp cũ được thay bằng tệp mới; bản sao lưu cũ vẫn không có mật khẩu: hủy chúng. Quên mật khẩu là mất khóa.
The old file is replaced; older backups still have no passphrase: destroy them. A forgotten passphrase is a lost key.
{SECRETS}"""
NEW_MORE = """\
Khóa riêng ở lại trong keys/. Đưa public/TÊN.json cho người soạn văn bản, và đọc dấu khóa từ giấy cho họ so.
The private key stays in keys/. Hand over public/NAME.json, and read its fingerprint out, from paper, to compare."""
STATION_MORE = """\
Để thử nghiệm: khóa của trạm được tạo tại đây rồi chép sang trạm. Trạm thật tự tạo khóa: `codes new`.
For trials: the station's keys are made here and carried to it. A real station makes its own: `codes new`."""


def add(tasks: Tasks) -> None:
    """Add the commands."""
    words = "khóa, chứng thư và danh sách trạm loa / keys, certificates and stations"
    parser = tasks.add_parser("keys", help=words, description=words)
    of_keys = parser.add_subparsers(required=True, metavar="WHAT")
    _add_init(of_keys)
    _add_new(of_keys)
    _add_station(of_keys)
    _add_protect(of_keys)
    listing = add_task(of_keys, "list", _list, "vai trò, khóa công khai, trạm loa / roles, public keys, stations")
    add_dir(listing)


def _add_init(tasks: Tasks) -> None:
    parser = add_task(
        tasks, "init", _init, "tạo mạng mới: khóa, vai trò, chứng thư / a new network", f"{INIT_MORE}\n{SECRETS}"
    )
    parser.add_argument("--dir", type=Path, required=True, help="thư mục mới / a new directory")
    parser.add_argument("--realm", required=True, help="tên hệ thống / name of the system [a-z0-9-]")
    parser.add_argument("--area", required=True, help="địa bàn xã, phường / the ward's area: vn/ha-noi/dong-thanh")
    parser.add_argument(
        "--emergency-threshold",
        type=whole(1, 2),
        metavar="{1,2}",
        default=OFFICERS,
        help="số chữ ký tối thiểu cho tin khẩn cấp / officers who must sign an emergency (2); "
        "1 chữ ký: hiệu lực tối đa 30 phút / alone: valid for 30 minutes at most",
    )
    add_sources(parser)
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        help="tên hoặc địa chỉ máy chủ, ngoài localhost; dùng nhiều lần được / a server name or address, repeatable",
    )
    parser.add_argument(
        "--apart",
        action="store_true",
        help="chỉ chứng thư và khóa máy chủ; khóa khác do từng người tạo bằng `keys new` / certificates and keys of "
        "servers only: the other keys are made by their holders, by `keys new`",
    )
    add_where_keys_lie(parser)


def add_sources(parser: argparse.ArgumentParser) -> None:
    """Which live sources ward and province may relay."""
    parser.add_argument(
        "--source",
        action="append",
        default=[],
        metavar="URL",
        help="nguồn được tiếp âm: địa chỉ, phần đầu kết thúc bằng / , hoặc line-in:TÊN; dùng nhiều lần được / a live "
        "source that may be relayed: its address, the beginning of several, ending in /, or line-in:NAME; repeatable",
    )


def _add_new(tasks: Tasks) -> None:
    words = "tạo một khóa của mình, đưa đi nửa công khai / make one's own key, and its public half to hand over"
    parser = add_task(tasks, "new", _new, words, f"{NEW_MORE}\n{SECRETS}")
    parser.add_argument("--dir", type=Path, required=True, help="thư mục của mình / one's own folder")
    parser.add_argument("--key", required=True, help="tên khóa / its name: root-1, national-trust-1, ward-routine-1")
    add_where_keys_lie(parser)
    parser.add_argument("--plain", action="store_true", help="tệp không mật khẩu / a file without a passphrase")


def add_where_keys_lie(parser: argparse.ArgumentParser) -> None:
    """Options of every command that makes officers' keys."""
    parser.add_argument(
        "--scheme",
        type=Scheme,
        choices=list(Scheme),
        help="thuật toán ký của khóa cán bộ / the officers' keys' (ed25519; on a token ecdsa-p256)",
    )
    parser.add_argument(
        "--encrypt",
        action="store_true",
        help="khóa cán bộ là tệp có mật khẩu / a passphrase for each officer's key file",
    )
    parser.add_argument(
        "--token", type=Path, metavar="MODULE", help="thư viện PKCS#11 của thiết bị ký số / the token's library (.so)"
    )
    parser.add_argument(
        "--token-label",
        action="append",
        default=[],
        metavar="[KEY=]LABEL",
        help="thiết bị nào giữ khóa nào; không có KEY=: mọi khóa còn lại / which token holds which key or role's keys; "
        "without KEY= all others; repeatable",
    )


def _add_protect(tasks: Tasks) -> None:
    words = "đặt hoặc đổi mật khẩu cho tệp khóa / put a key file under a passphrase, or change it"
    parser = add_task(tasks, "protect", _protect, words, PROTECT_MORE)
    add_dir(parser)
    parser.add_argument("--key", required=True, help="khóa / the key: ward-routine-1")


def _add_station(tasks: Tasks) -> None:
    parser = add_task(tasks, "station", _station, "đăng ký một trạm loa / enrol a station", STATION_MORE)
    add_dir(parser)
    parser.add_argument("--id", required=True, help="mã trạm / the station's id [a-z0-9-]")
    parser.add_argument("--area", required=True, help="địa bàn của trạm / where it stands: vn/ha-noi/dong-thanh")
    parser.add_argument("--name", default="", help="tên gọi / its name for people, at most 80 characters")


def _init(args: argparse.Namespace) -> int:
    if AREA.pattern.fullmatch(args.area) is None:
        raise KeyringError(f"--area {args.area}: {AREA_FORM}")
    check_new(args.dir, args.realm)  # before anybody types passphrases for it
    check_hosts(args.host)
    _check_sources(args.source)
    specs = default_roles(args.area, args.emergency_threshold, tuple(args.source))
    check_unmade(args.dir, made_names(specs, apart=args.apart))
    if args.apart:
        return _init_apart(args, specs)
    make = prepare([name for spec in specs if spec.of_officers for name in spec.key_names], wish_of(args))
    _warn_of_one_token(specs, wish_of(args))
    now = utc_now()
    keyring = create_keyring(args.dir, args.realm, specs, now, args.host, make)
    for name, key in keyring.keys.readable().items():  # by which they are known when their holders have taken them away
        write_public(args.dir, name, key)
    print(f"đã tạo mạng {keyring.realm} trong {args.dir} / made")
    print(of_a_beginning(now))
    _print_training(keyring)
    _print_roles(keyring)
    _print_names(args.dir)
    print("tiếp theo / next: edge-agent-headend codes new TRAM --dir … --area …")
    return 0


def _init_apart(args: argparse.Namespace, specs: Sequence[RoleSpec]) -> int:
    if args.encrypt or args.token is not None or args.token_label or args.scheme is not None:
        raise KeyringError(
            "--apart: ở đây không tạo khóa của cán bộ; dùng các tùy chọn đó với `keys new` / no officer's key is made "
            "here; give these options to `keys new`"
        )
    if args.source or args.emergency_threshold != OFFICERS:
        raise KeyringError(
            "--apart, --source, --emergency-threshold: những tùy chọn này là của `trust draft` / these options are for "
            "`trust draft`: no document is made here"
        )
    for name, key in create_servers(args.dir, args.realm, specs, args.host).items():
        _print_public(write_public(args.dir, name, key), name, key)
    _print_names(args.dir)
    print("tiếp theo / next: edge-agent-headend trust draft --dir … --first … --realm … --public … --out …")
    return 0


def check_hosts(hosts: Sequence[str]) -> None:
    """As stations read the name of their server: what they cannot call, no certificate need name."""
    for host in hosts:
        if HOST.pattern.fullmatch(host) is None or (":" in host and not _is_address(host)):
            raise KeyringError(f"--host {host}: tên hoặc địa chỉ máy chủ, không có https:// và :cổng / {HOST.say}")


def _check_sources(sources: Sequence[str]) -> None:
    """As a trust document may name them: found when it is signed, a network lies there that nobody can read."""
    try:
        Fields({"source": [*sources]}).texts("source", LIVE_SOURCE, 0, SOURCES_MAX)
    except WireError as error:
        raise KeyringError(
            f"--source: mỗi nguồn một lần, nhiều nhất {SOURCES_MAX}, viết https://… hoặc line-in:TÊN / {error}"
        ) from error


def _is_address(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(host))
    return False


def _print_names(directory: Path) -> None:
    """One more is added by ``certificates renew --host``."""
    names = ", ".join(names_in(directory / "pki" / "broker.pem"))
    print(f"trạm gọi máy chủ bằng một trong các tên / stations call the servers by one of these names: {names}")


def _new(args: argparse.Namespace) -> int:
    if NAME.pattern.fullmatch(args.key) is None or role_of(args.key) == args.key:
        raise KeyringError(f"--key {args.key}: viết vai trò và số thứ tự / write ROLE-NUMBER, e.g. root-1")
    wish, keys = wish_of(args), KeyFolder(args.dir / "keys")
    if not (wish.passphrases or wish.module or args.plain):
        raise KeyringError("khóa nằm ở đâu / say in what the key shall lie: --encrypt, --token …, or --plain")
    if args.key in keys.names():
        key = _begun(args.dir, keys, args.key, wish)
    else:
        check_public(args.dir, {args.key: None})
        role = role_of(args.key)
        warn_of_token(args.key, [one for one in beside(keys, args.key, wish) if role_of(one) == role])
        make_private_directory(args.dir)
        make_private_directory(keys.directory)
        key = prepare([args.key], wish)(keys.directory, args.key).public
    _print_public(write_public(args.dir, args.key, key), args.key, key)
    return 0


def _begun(directory: Path, keys: KeyFolder, name: str, wish: Wish) -> PublicKey:
    """The key of a `keys new` that was broken off before it handed out the public half: that is all there is to do."""
    kept = keys.key(name)
    if wish.passphrases and wish.label(name) is None and isinstance(kept, PlainKey):
        raise KeyringError(
            f"--encrypt: khóa {name} đã có, là tệp không mật khẩu; đặt mật khẩu / exists, as a file without a "
            f"passphrase; put it under one: keys protect --dir {directory} --key {name}"
        )
    if wish.label(name) is not None and not isinstance(kept, TokenKey):
        raise KeyringError(
            f"--token: khóa {name} đã có, là tệp; tạo khóa tên khác / exists, as a file; make one of another name"
        )
    if public_path(directory, name).exists():
        raise KeyringError(f"--key {name}: đã có / exists in {keys.directory}; a key is never overwritten")
    print(
        f"khóa {name} đã tạo lần trước, nay chỉ ghi nửa công khai / was made before; only its public half is written",
        file=sys.stderr,
    )
    return kept.public


def _print_public(path: Path, name: str, key: PublicKey) -> None:
    print(f"khóa / key {name}, {key.scheme}: đưa tệp này đi / hand over {path}")
    print(f"  dấu khóa, chép ra giấy / its fingerprint, for paper: {fingerprint(key.keyid)}")


def wish_of(args: argparse.Namespace) -> Wish:
    """What those options ask for."""
    if (args.token is None) != (not args.token_label):
        raise KeyringError(
            "--token, --token-label: phải đi cùng nhau, thư viện của thiết bị ký và nhãn của nó / each needs the "
            "other: the token's library, and what it is called"
        )
    split = [text.rpartition("=") for text in args.token_label]
    labels = {key or EVERY_KEY: label for key, _, label in split}
    if len(labels) < len(split) or "" in labels.values():
        raise KeyringError(
            "--token-label: thiếu nhãn, hoặc một khóa ghi hai lần; viết KHÓA=NHÃN / one without a label, or the same "
            "keys meant twice; write KEY=LABEL, e.g. ward-emergency-2=TRUONG-CA"
        )
    return Wish(args.scheme, args.encrypt, "" if args.token is None else str(args.token.absolute()), labels)


def _warn_of_one_token(specs: Sequence[RoleSpec], wish: Wish) -> None:
    """Where two must sign, two should hold a token."""
    for spec in specs:
        labels = [label for name in spec.key_names if (label := wish.label(name)) is not None]
        if spec.threshold > 1 and len(set(labels)) < len(labels):
            note(
                f"{spec.name} cần {spec.threshold} chữ ký, nhưng một thiết bị giữ nhiều khóa / needs {spec.threshold} "
                "signatures, but one token holds several of its keys: one person signs for two"
            )


def warn_of_token(name: str, others: Collection[str]) -> None:
    """As of ``keys init``, where a key comes to a token that holds ``others`` who sign beside it."""
    if others:
        held = ", ".join(sorted(others))
        note(
            f"{name}: thiết bị này đã giữ {held}; còn dùng khóa đó thì một người ký thay hai / this token holds {held} "
            "already; if that is still in use, one person signs for two"
        )


def _protect(args: argparse.Namespace) -> int:
    if (args.dir / "trust.json").exists():
        Keyring(args.dir).protect(args.key)
    elif role_of(args.key) in {spec.name for spec in ONLINE}:
        raise KeyringError(f"key {args.key}: {SERVES}")
    else:  # a holder's, who has taken no document yet
        KeyFolder(args.dir / "keys").protect(args.key)
    print(f"khóa {args.key} đã có mật khẩu mới / has a new passphrase; {args.dir / 'keys'}")
    return 0


def _station(args: argparse.Namespace) -> int:
    folder = Keyring(args.dir).enrol(args.id, args.area, args.name)
    print(f"đã đăng ký trạm {args.id} / enrolled; chép thư mục này sang trạm, qua đường an toàn")
    print(f"carry this folder to the station by a safe way: {folder.directory}")
    return 0


def _list(args: argparse.Namespace) -> int:
    keyring = Keyring(args.dir)
    print(f"mạng / realm: {keyring.realm}, trust.json phiên bản / version {keyring.trust.version}")
    _print_training(keyring)
    _print_roles(keyring)
    for name in keyring.keys.names():
        print(f"khóa / key {name}: {_about(keyring, name)}")
    for station in keyring.ever.values():
        gone = "; ĐÃ BỎ / TAKEN OFF" if station.gone else ""
        print(
            f"trạm / station {station.station}: {station.area}, {station.name}, khóa / key {station.key.keyid[:12]}…"
            f"{gone}"
        )
    return 0


def _print_training(keyring: Keyring) -> None:
    if is_training(keyring.realm):
        print(TRAINING)


def _print_roles(keyring: Keyring) -> None:
    for role in keyring.trust.roles:
        names = ", ".join(sorted(order.value for order in role.orders))
        print(f"vai trò / role {role.name}: {names}; cần / needs {role.threshold}/{len(role.keys)} chữ ký / signatures")


def _about(keyring: Keyring, name: str) -> str:
    """Where a key lies and what it is; one that is in disorder does not hide the others."""
    try:
        key = keyring.keys.key(name)
    except KeyringError as error:
        return f"LỖI / FAULT: {error}"
    return f"{key.where}; {key.public.scheme}, {key.public.keyid[:12]}…"
