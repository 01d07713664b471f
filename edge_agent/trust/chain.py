"""Decide which trust documents a station believes: root -> province -> commune, and never an older one. Pure, no clock.

The root is believed because it was put into the station's hands; every later one because as many holders of the root
before it signed as that one demanded, and as many as it demands itself, one version after the other. Any other document
is believed while the delegates of the nearest document above it have signed it, in their present epoch, and while it
grants no more than they may. So a new document above ends at once what it does not stand for any more.

Going back is refused by name: a version once believed is the floor for ever, and so is an epoch of delegates, in which
versions count anew. Neither runs ahead of the time of signing, so that what a thief has driven up is passed by whoever
signs after him with a key that he has not got. Only the epoch of a root's delegates goes on by one where it is ahead:
roots are taken whatever their date, and one that was signed by a clock ahead would have nothing honest behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edge_agent.core.events import Rejected
from edge_agent.core.reasons import Reason
from edge_agent.core.units import UtcMs
from edge_agent.trust.bounds import beyond
from edge_agent.trust.documents import ROOT, Document, is_above, load_document, together
from edge_agent.trust.envelope import Envelope, open_envelope, payload_type, signers_of
from edge_agent.trust.keys import PublicKey
from edge_agent.trust.roles import Quorum, Trust, enough
from edge_agent.trust.strict_json import JsonObject, WireError, parse

TRUST_TYPE = payload_type("trust")


@dataclass(frozen=True, slots=True)
class Held:
    """A document as it came."""

    document: Document
    digest: str
    envelope: bytes

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands among those of its area: what is greater is newer."""
        return self.document.epoch, self.document.version


@dataclass(frozen=True, slots=True)
class Chain:
    """``newest`` was believed of each area at some time; ``standing`` are those that are now, the root first."""

    newest: Mapping[str, Held]
    standing: tuple[Held, ...]
    trust: Trust

    @property
    def expires(self) -> UtcMs:
        """When the first of them does."""
        return min(held.document.expires for held in self.standing)


def nearest_above(standing: tuple[Held, ...], area: str) -> Document | None:
    """The document whose delegates sign an area's; None of the root's, which nobody stands above."""
    above = [held.document for held in standing if is_above(held.document.area, area)]
    return above[-1] if above else None


def opened_payload(held: Held) -> JsonObject:
    """What was signed, to be written anew."""
    opened = open_envelope(held.envelope)
    assert isinstance(opened, Envelope), "it was opened when it came"
    return {**parse(opened.payload)}


def begin(envelope: bytes) -> Chain:
    """Believe a root that was put into our hands. ``WireError``: it is none, or its own holders have not signed it."""
    opened = open_envelope(envelope)
    if isinstance(opened, Rejected):
        raise WireError("root", opened.detail)
    document = load_document(opened.payload)
    if document.signers is None:
        raise WireError("root.area", "none: the first document is the root's")
    if too_few := _too_few(opened, document.signers):
        raise WireError("root.signatures", too_few)
    return _chain({ROOT: Held(document, opened.digest, envelope)})


def remembered(root: bytes, others: Iterable[bytes]) -> Chain:
    """What was believed before, by the documents that were kept then, the newest of each area."""
    chain = begin(root)
    kept = {ROOT: chain.newest[ROOT]}
    for envelope in others:
        opened = open_envelope(envelope)
        if isinstance(opened, Rejected):
            raise WireError("kept document", opened.detail)
        document = load_document(opened.payload)
        kept[document.area] = Held(document, opened.digest, envelope)
    return _chain(kept)


def offer(chain: Chain, envelope: bytes, areas: frozenset[str]) -> Chain | Rejected:
    """What is believed after a station within ``areas`` was offered a document, or why it does not believe it.

    Nothing of a document is looked at, and no word of it repeated, before a key that may sign one has signed it.
    """
    opened = open_envelope(envelope)
    if isinstance(opened, Rejected):
        return opened
    if not signers_of(opened, _who_sign(chain)):
        return Rejected(Reason.SIGNATURE_INVALID, "no signature of a key that may sign trust documents", opened.digest)
    refusal = _offered(chain, opened, envelope, areas)
    if isinstance(refusal, Chain):
        return refusal
    reason, detail = refusal
    return Rejected(reason, detail, opened.digest)


Refusal = tuple[Reason, str]


def _offered(chain: Chain, opened: Envelope, envelope: bytes, areas: frozenset[str]) -> Chain | Refusal:
    if opened.payload_type != TRUST_TYPE:
        return Reason.UNSUPPORTED, f"payloadType: not {TRUST_TYPE}"
    try:
        held = Held(load_document(opened.payload), opened.digest, envelope)
    except WireError as error:
        return Reason.MALFORMED, str(error)
    document = held.document
    if document.realm != chain.trust.realm:
        return Reason.WRONG_REALM, f"realm: {document.realm}"
    if document.area not in areas | {ROOT}:
        return Reason.WRONG_AUDIENCE, f"area: {document.area} is not this station's"
    refusal = _backwards(chain, held) or _unproven(chain, held, opened)
    return refusal or _chain({**chain.newest, document.area: held})


def _backwards(chain: Chain, held: Held) -> Refusal | None:
    before = chain.newest.get(held.document.area)
    if before is None or held.place > before.place:
        return None
    if held.place < before.place:
        return Reason.TRUST_ROLLED_BACK, f"version: {_place(held)}, {_place(before)} was believed already"
    if held.digest == before.digest:
        # Anybody on the way can take signatures off; with others the same words may stand where they did not.
        return (Reason.REPLAYED, "") if before in chain.standing else None
    return Reason.TRUST_EQUIVOCAL, f"version: {_place(held)} was signed twice, and the other came first"


def _unproven(chain: Chain, held: Held, opened: Envelope) -> Refusal | None:
    document, before = held.document, chain.newest.get(held.document.area)
    if document.signers is not None:
        refusal = _of_root(chain.newest[ROOT].document, document, opened)
    else:
        refusal = _objection(chain.standing, document, opened)
    return refusal or (None if before is None else _earlier_epoch(before.document, document))


def _earlier_epoch(before: Document, document: Document) -> Refusal | None:
    """Delegates whose epoch went back would bring back what that epoch has ended."""
    if before.delegates is None:
        return None
    epoch = 0 if document.delegates is None else document.delegates.epoch  # none at all would forget where they were
    told = f"delegates.epoch: {epoch or 'none'}, {before.delegates.epoch} was believed already"
    return None if epoch >= before.delegates.epoch else (Reason.TRUST_ROLLED_BACK, told)


def epoch_ahead(before: Document | None, document: Document) -> str | None:
    """Why a root's delegates cannot be in their epoch: it is neither of its time nor the next one after ``before``'s.

    ``before`` is the root before it, None of the first. By one at a time nobody gets to the end of numbers.
    """
    had = 0 if before is None or before.delegates is None else before.delegates.epoch
    if document.delegates is None or document.delegates.epoch <= max(document.issued_at, had + 1):
        return None
    return f"delegates.epoch: at most issued_at, or {had + 1}, which is one more than in the root before it"


def _of_root(before: Document, document: Document, opened: Envelope) -> Refusal | None:
    if document.version != before.version + 1:
        return Reason.TRUST_GAP, f"version: {document.version}, {before.version + 1} must come first"
    if ahead := epoch_ahead(before, document):
        return Reason.MALFORMED, ahead
    assert before.signers is not None, "a root has signers"
    assert document.signers is not None, "a root has signers"
    for whose, quorum in (("the root before it", before.signers), ("its own", document.signers)):
        if too_few := _too_few(opened, quorum):
            return Reason.TOO_FEW_SIGNATURES, f"{whose}: {too_few}"
    return None


def _objection(above: tuple[Held, ...], document: Document, opened: Envelope) -> Refusal | None:
    """Why a document below the root is not believed by those that stand above it."""
    nearest = nearest_above(above, document.area)
    delegates = None if nearest is None else nearest.delegates
    if delegates is None:
        return Reason.TRUST_GAP, f"area: nobody above {document.area} may sign for it; is a document missing?"
    if too_few := _too_few(opened, delegates.quorum):
        return Reason.TOO_FEW_SIGNATURES, too_few
    if document.epoch != delegates.epoch:
        late = document.epoch < delegates.epoch
        told = f"epoch: {document.epoch}, the delegates above are in {delegates.epoch}"
        return (Reason.TRUST_ROLLED_BACK if late else Reason.TRUST_GAP), told
    excess = beyond(document, delegates.bounds) or _not_with(above, document)
    return None if excess is None else (Reason.TRUST_BEYOND_PARENT, excess)


def _not_with(above: tuple[Held, ...], document: Document) -> str | None:
    """What must not meet in one hand, or in one name, does so only together with the documents above."""
    others = [held.document for held in above if is_above(held.document.area, document.area)]
    taken = {role.grant.issuer for other in others for role in other.roles if role.grant is not None}
    for index, role in enumerate(document.roles):
        if role.grant is not None and role.grant.issuer in taken:
            return f"roles[{index}].issuer: not {role.grant.issuer}, in whose name others order"
    try:
        together([*others, document])
    except WireError as error:
        return f"with the documents above, {error}"
    return None


def _chain(newest: Mapping[str, Held]) -> Chain:
    """Of the documents once believed those that are believed now, from the root down."""
    standing: tuple[Held, ...] = (newest[ROOT],)
    for area in sorted(newest.keys() - {ROOT}, key=lambda area: area.count("/")):
        held = newest[area]
        opened = open_envelope(held.envelope)
        assert isinstance(opened, Envelope), "it was opened when it came"
        if _objection(standing, held.document, opened) is None:
            standing = (*standing, held)
    return Chain(newest, standing, together([held.document for held in standing]))


def _who_sign(chain: Chain) -> frozenset[PublicKey]:
    documents = [held.document for held in chain.standing]
    delegates = [document.delegates.quorum.keys for document in documents if document.delegates is not None]
    holders = [document.signers.keys for document in documents if document.signers is not None]
    return frozenset[PublicKey]().union(*delegates, *holders)


def _too_few(opened: Envelope, quorum: Quorum) -> str:
    signers = signers_of(opened, quorum.keys)
    if enough(quorum, signers):
        return ""
    return f"{len(signers)} of {quorum.threshold} signatures"


def _place(held: Held) -> str:
    document = held.document
    return str(document.version) if document.area == ROOT else f"{document.version} of epoch {document.epoch}"
