"""Read the network's trust file, and say what its stations would believe with one document more."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from edge_agent.core.events import Rejected
from edge_agent.core.reasons import explain
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.key_folder import KeyFolder
from edge_agent.headend.trust_drafts import ONE_WARD
from edge_agent.trust.bundle import believe, read_document, read_file
from edge_agent.trust.chain import Chain, offer, remembered
from edge_agent.trust.documents import ROOT, Document
from edge_agent.trust.strict_json import WireError

DOCUMENTS_KEPT = 1_024
# More than fit into a trust file of 1 MiB: each hello asks for all of them, and each is read once.

document_of = lru_cache(DOCUMENTS_KEPT)(read_document)
"""What a document of ours says, read the first time that somebody asks."""
REFUSED = "văn bản ủy quyền bị từ chối / trust document"
DAMAGED = "nội dung tệp sai"
TAKE_FIRST = 'trust take root.json --first "MÃ VĂN BẢN GỐC"'


def read_trust(path: Path) -> tuple[tuple[bytes, ...], Chain]:
    """The documents of this network, and what a station would believe that had them all.

    One that does not stand any more is remembered, or nobody could sign the next one of its area.
    """
    try:
        file = path.read_bytes()
        documents = read_file(file)
        areas = frozenset(read_document(one).area for one in documents)
        root = believe(file, (), areas).newest[ROOT].envelope
        return documents, remembered(root, [one for one in documents if read_document(one).area != ROOT])
    except FileNotFoundError as error:
        if KeyFolder(path.parent / "keys").names():
            raise KeyringError(
                f"{path}: chưa có văn bản gốc, nhận trước / no root is here yet, take it first: {TAKE_FIRST}"
            ) from error
        raise KeyringError(
            f"{path}: không có; --dir đúng chưa? mạng mới thì `keys init` trước / is not there: run `keys init` first, "
            "or name --dir"
        ) from error
    except OSError as error:
        raise KeyringError(
            f"{path}: không đọc được / cannot be read ({error.strerror}); dùng tài khoản của thư mục / use the account "
            "that owns the folder"
        ) from error
    except WireError as error:
        raise KeyringError(f"{path}: {DAMAGED} / {error}") from error


def believing_too(chain: Chain, envelope: bytes) -> Chain:
    """What stations that were offered this document believe then. ``KeyringError``: they would refuse it."""
    try:
        after = offer(chain, envelope, frozenset({read_document(envelope).area}))
    except WireError as error:  # no station meets it: it is of one ward
        raise KeyringError(f"{REFUSED}: {error}; {ONE_WARD}") from error
    if isinstance(after, Rejected):
        raise KeyringError(f"{REFUSED}: {explain(after.reason)}: {after.detail}")
    return after


def from_above(document: Document) -> tuple[int, str, int]:
    """Sorts trust documents into the order in which they can be believed."""
    return len(document.area.split("/")) if document.area else 0, document.area, document.version
