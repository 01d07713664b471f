"""Make a network: all keys and certificates of a new one, its servers' alone, or its first trust file.

Never over another one. What is kept of it from then on is ``keyring``'s.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from edge_agent.core.units import UtcMs
from edge_agent.durable import write_durably
from edge_agent.headend import pki
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.files import alone, make_private_directory
from edge_agent.headend.key_folder import KeyFolder, MakeKey, plain_file
from edge_agent.headend.keyring import HEADEND_ID, PUBLISHER_ID, Keyring, check_form
from edge_agent.headend.passphrases import Ask, ask
from edge_agent.headend.roles import RoleSpec
from edge_agent.headend.trust_file import TAKE_FIRST
from edge_agent.headend.trust_making import Draft, first_documents
from edge_agent.trust.bundle import write_file
from edge_agent.trust.chain import TRUST_TYPE
from edge_agent.trust.envelope import sign
from edge_agent.trust.fields import NAME
from edge_agent.trust.keys import PublicKey, Signer, write_new
from edge_agent.trust.strict_json import dump


def check_new(directory: Path, realm: str) -> None:
    """Whether a network of that name can be made there."""
    check_form("realm", realm, NAME)
    if (directory / "trust.json").exists():
        raise KeyringError(
            f"{directory / 'trust.json'}: đã có; khóa mới sẽ làm mọi trạm không vào được, dùng --dir khác / exists: "
            "new keys would lock every station out; take another --dir"
        )


def check_unmade(directory: Path, names: Collection[str]) -> None:
    """Whether nobody's keys or certificates are in the way of these keys: found when half of them are made, the other
    half would lie here for nothing, and in the way of whoever tries once more."""
    there = [name for name in KeyFolder(directory / "keys").names() if name in names]
    there += ["pki"] if (directory / "pki" / "ca.key").exists() else []
    if there:
        raise KeyringError(
            f"--dir {directory}: ở đây đã có / here is already {', '.join(there)}; chưa tạo gì / nothing was made. Thư "
            f"mục của người giữ khóa thì nhận văn bản / a holder's folder takes documents: {TAKE_FIRST}; mạng mới, hay "
            "lần `keys init` bỏ dở, thì --dir khác / a new network, or a `keys init` that was cut short: another --dir"
        )


def create_keyring(
    directory: Path,
    realm: str,
    specs: Sequence[RoleSpec],
    now: UtcMs,
    hosts: Sequence[str] = (),
    make: MakeKey = plain_file,
    asking: Ask = ask,
) -> Keyring:
    """Make every key and certificate of a new network in ``directory``. Refuses one that has a trust file.

    ``make`` makes the officers' keys. Those of servers are plain files: they start with nobody there to type.
    """
    with _one_maker(directory, realm, made_names(specs)):
        _make_certificates(directory, realm, hosts)
        made = {spec.name: _make_keys(directory / "keys", spec, make) for spec in specs if spec.key_count}
        public = {role: [signer.public for signer in keys.values()] for role, keys in made.items()}
        signers = {name: signer for keys in made.values() for name, signer in keys.items()}
        documents = [_signed(draft, signers) for draft in first_documents(realm, specs, public, now)]
        write_durably(directory / "trust.json", write_file(documents))
    return Keyring(directory, asking)


def create_servers(
    directory: Path, realm: str, specs: Sequence[RoleSpec], hosts: Sequence[str]
) -> dict[str, PublicKey]:
    """Certificates and servers' keys of a network whose other keys are made elsewhere; it waits for its first root."""
    with _one_maker(directory, realm, made_names(specs, apart=True)):
        _make_certificates(directory, realm, hosts)
        servers = [_make_keys(directory / "keys", spec, plain_file) for spec in specs if not spec.of_officers]
    return {name: signer.public for keys in servers for name, signer in keys.items()}


def begin_network(directory: Path, documents: Sequence[bytes]) -> Keyring:
    """Write a first trust file, of documents that are believed in their order. Never over another one."""
    try:
        write_new(directory / "trust.json", write_file(documents))
    except FileExistsError as error:
        raise KeyringError(
            f"{directory / 'trust.json'}: đã có, làm tiếp không có --first / exists: go on from it, without --first"
        ) from error
    except OSError as error:  # a folder that nobody has made, or a stick: FAT knows no links, and hides no key either
        raise KeyringError(
            f"{directory / 'trust.json'}: không ghi được / cannot be written ({error.strerror}); --dir đúng chưa? "
            "là thư mục do `keys new`, `keys init` tạo, trên ổ đĩa của máy / is --dir right? it is what `keys new` or "
            "`keys init` made, on the machine's own disk"
        ) from error
    return Keyring(directory)


@contextlib.contextmanager
def _one_maker(directory: Path, realm: str, names: Collection[str]) -> Iterator[None]:
    """Of two who make a network there at once the second comes too late: with the certificate of one authority and the
    key of the other no station could ever be enrolled."""
    check_new(directory, realm)
    check_unmade(directory, names)
    make_private_directory(directory / "keys")
    make_private_directory(directory)
    with alone(directory / "trust.lock"):
        check_new(directory, realm)
        check_unmade(directory, names)
        yield


def made_names(specs: Sequence[RoleSpec], *, apart: bool = False) -> list[str]:
    """The keys that are made for these roles; ``apart``: the servers' alone."""
    return [name for spec in specs if not (apart and spec.of_officers) for name in spec.key_names]


def _signed(draft: Draft, signers: Mapping[str, Signer]) -> bytes:
    return sign(TRUST_TYPE, dump(draft.payload), [signers[name] for name in draft.by])


def _make_certificates(directory: Path, realm: str, hosts: Sequence[str]) -> None:
    authority = pki.create_authority(directory / "pki", realm)
    for server in ("broker", "content"):
        pki.issue_server(authority, directory / "pki", server, hosts)
    for client in (HEADEND_ID, PUBLISHER_ID):
        pki.issue_client(authority, directory / "clients", client)


def _make_keys(directory: Path, spec: RoleSpec, make: MakeKey) -> dict[str, Signer]:
    """By their names, ready to sign: nobody is asked again for what he has just chosen."""
    return {name: (make if spec.of_officers else plain_file)(directory, name) for name in spec.key_names}
