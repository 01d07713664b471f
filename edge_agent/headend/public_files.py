"""The public half of a key in a file of its own, handed over by whoever made the key. No secret stands in it.

Nothing proves whose it is: a file can be swapped on the way. So people read its fingerprint to each other from paper,
and whoever signs a document with the key in it is shown the fingerprint again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from edge_agent.durable import EVERYBODY_READS, write_durably
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.files import make_private_directory
from edge_agent.headend.handed import CannotBeRead, read_handed
from edge_agent.headend.key_folder import KeyFolder
from edge_agent.trust.fields import NAME, Fields, form
from edge_agent.trust.keys import PublicKey, Scheme, UnusableKey, public_key
from edge_agent.trust.roles import PUBLIC_HEX
from edge_agent.trust.strict_json import WireError, dump, parse

PUBLIC = "public"
"""The folder of them beside ``keys``: what the keys of others are called here."""
ENDING = ".json"
FILE_BYTES_MAX = 4_096  # a P-256 key with the longest name has about 300
_GROUP = 4  # hex digits that one reads to another at a time
_TYPE = form("public-key", '"public-key"')


def fingerprint(keyid: str) -> str:
    """Sixteen groups of four hex digits, all of the SHA-256: fewer could be made to match."""
    return " ".join(keyid[at : at + _GROUP] for at in range(0, len(keyid), _GROUP))


def public_path(directory: Path, name: str) -> Path:
    """Where ``write_public`` puts it."""
    return directory / PUBLIC / f"{name}{ENDING}"


def write_public(directory: Path, name: str, key: PublicKey) -> Path:
    """``directory/public/NAME.json``; never over another key's of that name."""
    check_public(directory, {name: key})
    make_private_directory(directory / PUBLIC)
    path = public_path(directory, name)
    write_durably(path, dump({"type": "public-key", "name": name, **key.to_trust()}) + b"\n", EVERYBODY_READS)
    return path


def check_public(directory: Path, keys: Mapping[str, PublicKey | None]) -> None:
    """Whether these can be put there: by its name people know a key, and by its file they find its fingerprint.

    None: a key that is still to be made, another one than any.
    """
    for name, key in keys.items():
        path = public_path(directory, name)
        if path.exists() and (other := read_public(path)[1]) != key:
            raise KeyringError(
                f"{path}: là của khóa khác cùng tên / is of another key of that name ({fingerprint(other.keyid)}); của "
                "xã khác thì dùng thư mục khác; không khớp với giấy thì xóa tệp này / of another ward take another "
                "folder; if it differs from the paper, remove this file"
            )


def read_public(path: Path) -> tuple[str, PublicKey]:
    """Name and key. ``KeyringError`` says what is wrong with the file."""
    try:
        fields = Fields(parse(read_handed(path, FILE_BYTES_MAX)))
        fields.only("type", "name", "scheme", "public")
        fields.text("type", _TYPE)
        raw = bytes.fromhex(fields.text("public", PUBLIC_HEX))
        return fields.text("name", NAME), public_key(fields.choice("scheme", Scheme), raw)
    except CannotBeRead as error:
        raise KeyringError(str(error)) from error
    except (WireError, UnusableKey) as error:
        raise KeyringError(f"{path}: không phải tệp khóa công khai / is no public key file: {error}") from error


def read_all(paths: Iterable[Path]) -> dict[str, PublicKey]:
    """Every key by its name, out of files and folders of files. Two keys of one name are refused."""
    found: dict[str, PublicKey] = {}
    files: dict[str, Path] = {}
    for path in paths:
        for file in sorted(path.glob(f"[!.]*{ENDING}")) if path.is_dir() else [path]:
            name, key = read_public(file)
            first = files.setdefault(name, file)
            if found.setdefault(name, key) != key:
                raise KeyringError(
                    f"{name}: hai khóa khác nhau cùng tên / two different keys are called so: {first} "
                    f"({fingerprint(found[name].keyid)}), {file} ({fingerprint(key.keyid)}); so với giấy, xóa tệp "
                    "không khớp, soạn lại / compare with the paper, remove the file that differs, draft again"
                )
    return found


def names_given(directory: Path) -> frozenset[str]:
    """What keys are or were ever called here, by the names of public files: a key that is replaced leaves its own."""
    return frozenset(path.stem for path in (directory / PUBLIC).glob(f"[!.]*{ENDING}"))


def names_known(directory: Path) -> Mapping[str, str]:
    """keyid: what that key is called here, by public files and by the keys themselves. A damaged file hides none."""
    names: dict[str, str] = {}
    for path in sorted((directory / PUBLIC).glob(f"[!.]*{ENDING}")):
        with contextlib.suppress(KeyringError):
            name, key = read_public(path)
            names[key.keyid] = name
    return names | {key.keyid: name for name, key in KeyFolder(directory / "keys").readable().items()}
