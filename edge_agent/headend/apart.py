"""Decide what a trust document still needs that its holders sign in different places, one after the other or at once.

A draft is its envelope with no signature yet. Each holder adds one to the same bytes; copies signed apart are merged.
The documents that it follows say who may sign (of a first root: it says so itself), and a signature that no such key
made over these very bytes is refused by name. Whether stations believe the whole, their own code says (``take``).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.core.units import UtcMs
from edge_agent.headend.ceremony_clock import check_dates, check_taken
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.new_network import begin_network
from edge_agent.headend.public_files import fingerprint
from edge_agent.headend.roles import province_of
from edge_agent.headend.trust_drafts import checked
from edge_agent.headend.trust_file import believing_too, from_above
from edge_agent.trust.bounds import beyond
from edge_agent.trust.chain import TRUST_TYPE, Chain, begin, epoch_ahead, nearest_above
from edge_agent.trust.documents import ROOT, Document, load_document
from edge_agent.trust.envelope import (
    ENVELOPE_BYTES_MAX,
    SIGNATURES_MAX,
    Envelope,
    pae,
    read_envelope,
    sign,
    signers_of,
    write_envelope,
)
from edge_agent.trust.fields import Fields, form, free_text
from edge_agent.trust.keys import PublicKey, Signer
from edge_agent.trust.roles import Quorum, enough
from edge_agent.trust.strict_json import JsonObject, WireError, dump, parse

FIRST_VERSION = 1
_DIGEST = re.compile(r"[0-9a-f]{64}")
NO_SUCH_LEVEL = "mạng không có văn bản đó thì thêm --yes / where the network has no such document: --yes"
Names = Mapping[str, str]
"""keyid: what that key is called here."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A draft, or a document that some or all have signed."""

    data: bytes
    envelope: Envelope
    document: Document


@dataclass(frozen=True, slots=True)
class Count:
    """How many of those who must sign have; ``whose`` says, in both languages, by which document they must."""

    whose: str
    quorum: Quorum
    signed: frozenset[PublicKey]

    @property
    def enough(self) -> bool:
        return enough(self.quorum, self.signed)


def unsigned(payload: JsonObject) -> bytes:
    """The draft that says so."""
    checked(payload)
    return write_envelope(TRUST_TYPE, dump(payload), ())


def read_sheet(data: bytes) -> Sheet:
    """What is in a file; its signatures are not looked at yet."""
    try:
        envelope = _opened(data)
        if envelope.payload_type != TRUST_TYPE:
            raise WireError("payloadType", TRUST_TYPE)
        document = load_document(envelope.payload)
    except WireError as error:
        raise KeyringError(f"không phải văn bản ủy quyền / is no trust document: {error}") from error
    return Sheet(write_envelope(TRUST_TYPE, envelope.payload, envelope.signatures), envelope, document)


def counts(chain: Chain | None, sheet: Sheet) -> tuple[Count, ...]:
    """Who must sign it, and who has. Refuses what is not a signature of one of them over these very bytes."""
    quorums = _quorums(chain, sheet.document)
    able = frozenset[PublicKey]().union(*(quorum.keys for _, quorum in quorums))
    signed = signers_of(sheet.envelope, able)
    for claim in sheet.envelope.signatures:
        if claim.keyid not in {key.keyid for key in able}:
            lacking = _not_here(chain, sheet.document) or _ahead(chain, sheet.document)
            raise KeyringError(
                f"chữ ký của {claim.keyid[:12]}…: khóa không được ký văn bản này / this key may not sign it"
                f"{f'; {lacking}' if lacking else ''}"
            )
        if claim.keyid not in {key.keyid for key in signed}:
            raise KeyringError(
                f"chữ ký của {claim.keyid[:12]}…: không phải của văn bản này / is not of this document: it was changed "
                "after it was signed, or the signature was taken from another one; begin again from the draft"
            )
    return tuple(Count(whose, quorum, quorum.keys & signed) for whose, quorum in quorums)


def objection(chain: Chain | None, document: Document) -> str | None:
    """Why nobody should sign it: stations would not believe it whoever signs."""
    before = None if chain is None else chain.newest.get(document.area)
    if chain is None:
        must = f"phiên bản / version {FIRST_VERSION}"
        if document.version != FIRST_VERSION:
            return f"thư mục này chưa có văn bản nào, nên phải là {must} / no document is here: `trust take` the newest"
        return epoch_ahead(None, document)
    if document.realm != chain.trust.realm:
        return f"của mạng khác / of another network: {document.realm}, not {chain.trust.realm}"
    if document.area == ROOT:
        following = chain.trust.version + 1
        told = f"phiên bản / version {document.version}: phải là / must be {following}, draft it anew"
        if document.version != following:
            return _ahead(chain, document) or told
        return epoch_ahead(chain.newest[ROOT].document, document)
    above = nearest_above(chain.standing, document.area)
    if above is None or above.delegates is None:
        return None  # nobody may sign it, which ``counts`` has said
    if document.epoch != above.delegates.epoch:
        return (
            _ahead(chain, document)
            or f"kỳ / epoch {document.epoch}: phải là / must be {above.delegates.epoch}, draft it anew"
        )
    if before is not None and (document.epoch, document.version) <= before.place:
        return (
            f"phiên bản / version {document.version}: đã có / there is {before.document.version} already, draft it anew"
        )
    excess = beyond(document, above.delegates.bounds)
    return None if excess is None else f"rộng hơn cấp trên giao / beyond what the level above grants: {excess}"


def _ahead(chain: Chain | None, document: Document) -> str | None:
    """Where it follows documents that this folder has not taken: it is the folder that is behind, and no draft."""
    if chain is None:
        return None
    if document.area == ROOT:
        here = chain.trust.version
        if document.version <= here + 1:
            return None
        between = f"{here + 1}" if document.version == here + 2 else f"{here + 1} – {document.version - 1}"
        return (
            f"phiên bản / version {document.version}: thư mục này mới có {here}, nhận bản ở giữa trước / this folder "
            f"has {here}, `trust take` what is between first: {between}"
        )
    above = nearest_above(chain.standing, document.area)
    if above is None or above.delegates is None or document.epoch <= above.delegates.epoch:
        return None
    return (
        f"kỳ / epoch {document.epoch}: thư mục này mới có văn bản cũ của cấp trên, nhận bản mới trước / this folder "
        f"has an older document of the level above, `trust take` the new one first: {file_of(above.area)}"
    )


def _not_here(chain: Chain | None, document: Document) -> str | None:
    """The document right above, in a network as it is usually made, where this folder has not taken it."""
    above = province_of(document.area)
    if chain is None or not above or above in chain.newest:
        return None
    return (
        f"thư mục này chưa có văn bản của {above}, cấp ngay trên, là nơi ghi ai được ký; nhận trước / the document of "
        f"{above}, right above, is not in this folder, and says who may sign; first: `trust take {file_of(above)}`"
    )


def file_of(area: str) -> str:
    """What the file of an area's document is called where `trust draft` writes it."""
    return f"{(area or 'root').replace('/', '.')}.json"


def may_sign(chain: Chain | None, sheet: Sheet, key: PublicKey, now: UtcMs, *, sure: bool = False) -> None:
    """Refuse a signature that nobody would count, before anybody types a passphrase or PIN for it.

    ``sure``: of this network nobody has signed a document for the level between.
    """
    if not sure and (lacking := _not_here(chain, sheet.document)):
        raise KeyringError(f"{sheet.document.area}: {lacking}; {NO_SUCH_LEVEL}")
    counted = counts(chain, sheet)
    if refusal := objection(chain, sheet.document):
        raise KeyringError(refusal)
    check_dates(sheet.document, now)
    if key not in frozenset[PublicKey]().union(*(count.quorum.keys for count in counted)):
        raise KeyringError(
            f"khóa / key {fingerprint(key.keyid)}: KHÔNG có trong những khóa được ký văn bản này. Tệp khóa công khai "
            "bị tráo? / is NOT among those who may sign it. Was its public key file swapped? Compare it on paper"
        )
    if any(key in count.signed for count in counted):
        raise KeyringError(
            f"khóa / key {key.keyid[:12]}…: đã ký văn bản này / has signed it already; another must sign"
        )


def with_signature(chain: Chain | None, sheet: Sheet, signer: Signer, now: UtcMs, *, sure: bool = False) -> Sheet:
    """The same document with one more signature."""
    may_sign(chain, sheet, signer.public, now, sure=sure)
    signed = read_sheet(sign(TRUST_TYPE, sheet.envelope.payload, [signer]))
    return merged(chain, [sheet, signed])


def merged(chain: Chain | None, sheets: Sequence[Sheet]) -> Sheet:
    """One document with the signatures of several copies, of each key one."""
    first = sheets[0]
    for other in sheets[1:]:
        if other.envelope.digest != first.envelope.digest:
            raise KeyringError(
                "hai bản KHÁC nhau, không gộp được / two DIFFERENT documents, which cannot be merged: "
                f"{fingerprint(first.envelope.digest)} ≠ {fingerprint(other.envelope.digest)}"
            )
    claims = {one.keyid: one for sheet in reversed(sheets) for one in sheet.envelope.signatures}
    if len(claims) > SIGNATURES_MAX:
        raise KeyringError(f"tối đa {SIGNATURES_MAX} chữ ký / at most {SIGNATURES_MAX} signatures")
    whole = read_sheet(write_envelope(TRUST_TYPE, first.envelope.payload, [claims[keyid] for keyid in sorted(claims)]))
    counts(chain, whole)
    return whole


def take(keyring: Keyring, sheets: Iterable[Sheet], names: Names, now: UtcMs, *, sure: bool = False) -> None:
    """Believe documents as stations do, from above down: all of them, or none. What is believed already stays so.

    ``sure``: see ``check_taken``.
    """
    with keyring.ceremony():
        standing = {held.digest for held in keyring.chain.standing}
        for sheet in _from_above(one for one in sheets if one.envelope.digest not in standing):
            _complete(keyring.chain, sheet, names)
            keyring.add_document(sheet.data, now, sure=sure)


def take_first(
    directory: Path, sheets: Iterable[Sheet], read_out: str, names: Names, now: UtcMs, *, sure: bool = False
) -> Keyring:
    """Begin a trust file with a root: nothing but the fingerprint that people ``read_out`` says that it is theirs."""
    first, *others = _from_above(sheets)
    if first.document.area != ROOT:
        raise KeyringError("thư mục chưa có văn bản gốc / there is no root document here: take that one first")
    heard = "".join(read_out.split()).lower()
    if _DIGEST.fullmatch(heard) is None:
        raise KeyringError(
            f"--first: phải là 16 nhóm 4 ký tự (0–9, a–f), đây có {len(heard)} ký tự; nghe đọc lại rồi gõ lại / must "
            f"be 16 groups of 4 digits (0–9, a–f), these are {len(heard)}; have it read out again, and type it again"
        )
    if heard != first.envelope.digest:
        raise KeyringError(
            "--first: mã đọc KHÔNG khớp với văn bản gốc này, đừng dùng / is NOT this root's fingerprint: do not use it"
        )
    _complete(None, first, names)
    check_taken(first.document, now, sure=sure)
    chain = begin(first.data)
    for sheet in others:
        _complete(chain, sheet, names)
        check_taken(sheet.document, now, sure=sure)
        chain = believing_too(chain, sheet.data)
    return begin_network(directory, [sheet.data for sheet in (first, *others)])


def _from_above(sheets: Iterable[Sheet]) -> list[Sheet]:
    return sorted(sheets, key=lambda one: from_above(one.document))


def _complete(chain: Chain | None, sheet: Sheet, names: Names) -> None:
    """Every signature that it needs, or who has signed and who could still."""
    for count in counts(chain, sheet):
        if not count.enough:
            place = sheet.document.area or "gốc / root"
            raise KeyringError(f"{place}: chưa đủ chữ ký / too few signatures: {told(count, names)}")


def _quorums(chain: Chain | None, document: Document) -> tuple[tuple[str, Quorum], ...]:
    """Whose signatures are counted: of a root's those of the one before it and its own, else those of the one above."""
    if document.signers is not None:
        before = None if chain is None else chain.newest[ROOT].document.signers
        if before is None or before == document.signers:
            return (("người giữ khóa gốc / holders of the root", document.signers),)
        earlier = ("người giữ khóa gốc đang có hiệu lực / holders of the root in force", before)
        return earlier, ("người giữ khóa gốc mới / holders of the new root", document.signers)
    above = None if chain is None else nearest_above(chain.standing, document.area)
    if above is None or above.delegates is None:
        raise KeyringError(
            f"{document.area}: ở đây chưa có văn bản cấp trên nói ai được ký / no document here says who may sign it; "
            "`trust take` those above it first"
        )
    return (
        (f"người được {above.area or 'gốc'} ủy quyền / delegates of {above.area or 'root'}", above.delegates.quorum),
    )


def told(count: Count, names: Names) -> str:
    """``2/3 chữ ký``, by whom, and who could still sign."""
    signed, open_ = (
        ", ".join(sorted(_named(key, names) for key in keys)) or "–"
        for keys in (count.signed, count.quorum.keys - count.signed)
    )
    have = f"{len(count.signed)}/{count.quorum.threshold} chữ ký / signatures ({count.whose})"
    return f"{have}; đã ký / signed: {signed}; còn có thể ký / could still sign: {open_}"


def _named(key: PublicKey, names: Names) -> str:
    return f"{names.get(key.keyid, '?')} ({key.keyid[:12]}…)"


def _opened(data: bytes) -> Envelope:
    """As ``read_envelope``, which refuses one that nobody has signed."""
    if len(data) > ENVELOPE_BYTES_MAX:
        raise WireError("envelope", f"at most {ENVELOPE_BYTES_MAX} bytes")
    fields = Fields(parse(data))
    if fields.value("signatures") != []:
        return read_envelope(data)
    kind = fields.text("payloadType", form(re.escape(TRUST_TYPE), TRUST_TYPE))
    try:
        payload = base64.b64decode(fields.text("payload", free_text(ENVELOPE_BYTES_MAX)), validate=True)
    except ValueError as error:
        raise fields.wrong("payload", "base64") from error
    return Envelope(payload, kind, (), hashlib.sha256(pae(kind, payload)).hexdigest())
