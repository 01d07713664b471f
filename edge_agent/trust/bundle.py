"""The trust file that is put into a station's hands: signed documents in a list, a root first. Decides where it begins.

A station goes on from the newer root, the file's or the one it has kept itself; a file can bring what it missed, and
never take it back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from edge_agent.core.events import Rejected
from edge_agent.trust.chain import Chain, begin, offer, remembered
from edge_agent.trust.documents import ROOT, Document, load_document
from edge_agent.trust.envelope import open_envelope
from edge_agent.trust.fields import Fields, form
from edge_agent.trust.strict_json import WireError, dump, parse

FILE_BYTES_MAX = 1_048_576
DOCUMENTS_MAX = 64
# A province's, a ward's, and every version of the root, as each is a step that some station may still have to take: in
# 15 years 7 renewals, 20 wards that join, and as many keys that are lost. A root of 64 keys has 21 kB, the first 4 kB.


def read_file(data: bytes) -> tuple[bytes, ...]:
    """The envelopes in a trust file. ``WireError`` names the field; nothing is believed yet."""
    if len(data) > FILE_BYTES_MAX:
        raise WireError("trust file", f"at most {FILE_BYTES_MAX} bytes")
    fields = Fields(parse(data))
    fields.only("type", "documents")
    fields.text("type", form("trust-file", '"trust-file"'))
    # As they were signed: an envelope is bytes, and a JSON object here only for people to read.
    return tuple(dump(dict(one.values)) for one in fields.records("documents", 1, DOCUMENTS_MAX))


def read_document(envelope: bytes) -> Document:
    """What an envelope says, its signatures unchecked. ``WireError`` where it is no trust document."""
    opened = open_envelope(envelope)
    if isinstance(opened, Rejected):
        raise WireError("envelope", opened.detail)
    return load_document(opened.payload)


def write_file(envelopes: Iterable[bytes]) -> bytes:
    """What ``read_file`` reads back."""
    documents = [json.loads(envelope) for envelope in envelopes]
    return dump({"type": "trust-file", "documents": documents}) + b"\n"


def believe(file: bytes, kept: Sequence[bytes], areas: frozenset[str]) -> Chain:
    """What a station within ``areas`` believes by its trust file and by the documents it has kept.

    What a rotten card has made unreadable of those is as if it had not come: the headend sends it again; and a station
    that has moved to another ward lets go of the old one's. ``WireError``: the file does not begin with a root that its
    own holders have signed.
    """
    root, *others = read_file(file)
    chain = begin(root)
    readable = {envelope: document for envelope in kept if (document := _readable(envelope)) is not None}
    roots = [envelope for envelope, document in readable.items() if document.area == ROOT]
    newer = [envelope for envelope in roots if readable[envelope].version > chain.trust.version]
    around = [envelope for envelope, document in readable.items() if document.area in areas]
    chain = remembered(newer[0] if newer else root, around)
    for envelope in (root, *others):
        after = offer(chain, envelope, areas)
        chain = after if isinstance(after, Chain) else chain
    return chain


def _readable(envelope: bytes) -> Document | None:
    """A document that was kept, if it still is one; a root only with its own holders' signatures."""
    try:
        document = read_document(envelope)
        return begin(envelope).newest[ROOT].document if document.area == ROOT else document
    except WireError:
        return None
