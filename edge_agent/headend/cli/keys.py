"""``keys init``, ``keys station``, ``keys list``. Prints names and public keys, never a secret."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_agent.core.site import TRAINING_PREFIX, is_training
from edge_agent.headend.cli.options import Tasks, add_dir, add_task
from edge_agent.headend.headend import utc_now
from edge_agent.headend.keyring import Keyring, KeyringError, create_keyring
from edge_agent.headend.roles import default_roles
from edge_agent.trust.fields import AREA

INIT_MORE = f"""\
Tạo / makes: ward-routine (bản tin thông thường, ưu tiên; và lệnh điều khiển), ward-emergency (khẩn cấp), ward-policy
(quy chế, trường hợp đặc biệt, tạm ngừng phát: của chủ quy chế, không phải của người phát), province, welcome, ack;
trust.json (danh sách khóa được tin cậy); chứng thư TLS.
Sao lưu thư mục này, và giữ kín / back this directory up, and keep it secret.
Tên (--realm) bắt đầu bằng {TRAINING_PREFIX} là mạng TẬP HUẤN: trạm của mạng đó không điều khiển rơ-le thật
/ a --realm that begins with {TRAINING_PREFIX} is a TRAINING network: its stations switch no real relay."""
TRAINING = "mạng TẬP HUẤN: không điều khiển rơ-le thật / a TRAINING network: no real relays"
STATION_MORE = """\
Trong bản này khóa ký của trạm được tạo tại đây rồi chép sang trạm / in this version the station's signing key is made
here and carried to the station; a key made on the device comes later."""


def add(tasks: Tasks) -> None:
    """Add the commands."""
    words = "khóa, chứng thư và danh sách trạm loa / keys, certificates and stations"
    parser = tasks.add_parser("keys", help=words, description=words)
    of_keys = parser.add_subparsers(required=True, metavar="WHAT")
    _add_init(of_keys)
    _add_station(of_keys)
    listing = add_task(of_keys, "list", _list, "vai trò, khóa công khai, trạm loa / roles, public keys, stations")
    add_dir(listing)


def _add_init(tasks: Tasks) -> None:
    parser = add_task(tasks, "init", _init, "tạo mạng mới: khóa, vai trò, chứng thư / a new network", INIT_MORE)
    parser.add_argument("--dir", type=Path, required=True, help="thư mục mới / a new directory")
    parser.add_argument("--realm", required=True, help="tên hệ thống / name of the system [a-z0-9-]")
    parser.add_argument("--area", required=True, help="địa bàn xã, phường / the ward's area: vn/ha-noi/dong-thanh")
    parser.add_argument(
        "--emergency-threshold",
        type=int,
        choices=(1, 2),
        default=2,
        help="số chữ ký tối thiểu cho tin khẩn cấp / officers who must sign an emergency (2); "
        "1 chữ ký: hiệu lực tối đa 30 phút / alone: valid for 30 minutes at most",
    )
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        help="tên hoặc địa chỉ máy chủ, ngoài localhost; dùng nhiều lần được / a server name or address, repeatable",
    )


def _add_station(tasks: Tasks) -> None:
    parser = add_task(tasks, "station", _station, "đăng ký một trạm loa / enrol a station", STATION_MORE)
    add_dir(parser)
    parser.add_argument("--id", required=True, help="mã trạm / the station's id [a-z0-9-]")
    parser.add_argument("--area", required=True, help="địa bàn của trạm / where it stands: vn/ha-noi/dong-thanh")
    parser.add_argument("--name", default="", help="tên gọi / its name for people, at most 80 characters")


def _init(args: argparse.Namespace) -> int:
    if AREA.pattern.fullmatch(args.area) is None:
        raise KeyringError(f"--area {args.area}: {AREA.rule}")
    specs = default_roles(args.area, args.emergency_threshold)
    keyring = create_keyring(args.dir, args.realm, specs, utc_now(), args.host)
    print(f"đã tạo mạng {keyring.realm} trong {args.dir} / made")
    _print_training(keyring)
    _print_roles(keyring)
    print("tiếp theo / next: edge-agent-headend keys station --dir … --id … --area …")
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
    for station in keyring.stations.values():
        print(f"trạm / station {station.station}: {station.area}, {station.name}, khóa / key {station.key.keyid[:12]}…")
    return 0


def _print_training(keyring: Keyring) -> None:
    if is_training(keyring.realm):
        print(TRAINING)


def _print_roles(keyring: Keyring) -> None:
    for role in keyring.trust.roles:
        names = ", ".join(sorted(order.value for order in role.orders))
        print(f"vai trò / role {role.name}: {names}; cần / needs {role.threshold}/{len(role.keys)} chữ ký / signatures")
