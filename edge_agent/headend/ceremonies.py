"""Sign the next versions of trust documents: with new dates, or with one key in the place of another.

Decides which documents a change touches and who must sign them. What stations make of it is decided by the very code
that they run (``Keyring.add_document``), before anything is sent; who holds which key, no program knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge_agent.core.units import UtcMs
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.roles import ROOT_HOLDERS, delegates_of
from edge_agent.trust.chain import TRUST_TYPE, opened_payload
from edge_agent.trust.documents import AREA_VALID_MS_MAX, ROOT, ROOT_VALID_MS_MAX, Document
from edge_agent.trust.envelope import sign
from edge_agent.trust.keys import PublicKey, Signer
from edge_agent.trust.strict_json import JsonObject, dump

Change = Callable[[JsonObject], None]


def renew(keyring: Keyring, area: str, now: UtcMs, change: Change | None = None, without: str = "") -> None:
    """Sign and take in the next version of an area's document (ROOT: the root's), valid from ``now``.

    ``change`` edits its payload; nobody is asked to sign with the key of the id ``without``. Raises KeyringError: there
    is no such document, too few of the keys that must sign lie here, or stations would refuse it.
    """
    if area not in keyring.chain.newest:
        known = ", ".join(sorted(one or "root" for one in keyring.chain.newest))
        raise KeyringError(f"--area {area}: this network has no document of it; there are {known}")
    before = keyring.chain.newest[area]
    payload = opened_payload(before)
    payload |= {"version": before.document.version + 1, "issued_at": now}
    payload["expires"] = now + (ROOT_VALID_MS_MAX if area == ROOT else AREA_VALID_MS_MAX)
    if change is not None:
        change(payload)
    keyring.add_document(sign(TRUST_TYPE, dump(payload), _signers(keyring, area, without)))


def replace_key(keyring: Keyring, old: PublicKey, new: PublicKey, now: UtcMs) -> tuple[str, ...]:
    """Put one key in the place of another in every document that names it; returns the areas that were signed anew.

    Where the old one signed documents, its delegates begin a new epoch, and all below are signed in it by the others.
    """
    touched: list[str] = []
    for held in sorted(keyring.chain.standing, key=lambda held: held.document.area.count("/")):
        document = held.document
        delegates = document.delegates is not None and old in document.delegates.quorum.keys
        below = _next_below(keyring, document.area) if delegates else []
        if delegates or _names(document, old):
            renew(keyring, document.area, now, _swap(old, new, new_epoch=delegates), without=old.keyid)
            touched.append(document.area)
        for area in below:
            renew(keyring, area, now, _in_epoch_of(keyring, document.area), without=old.keyid)
            touched.append(area)
    if not touched:
        raise KeyringError(f"key {old.keyid[:12]}…: stands in no trust document of this network")
    return tuple(dict.fromkeys(touched))


def holders_of(keyring: Keyring, role: str) -> frozenset[PublicKey]:
    """The keys of a role, of the root's holders or of those who sign documents, by what they are called here."""
    found = [one.keys for one in keyring.trust.roles if one.name == role]
    for held in keyring.chain.standing:
        document = held.document
        found += [document.signers.keys] if document.signers is not None and role == ROOT_HOLDERS else []
        delegates = document.delegates if role == delegates_of(document.area) else None
        found += [delegates.quorum.keys] if delegates is not None else []
    return frozenset[PublicKey]().union(*found)


def _names(document: Document, key: PublicKey) -> bool:
    holds = document.signers is not None and key in document.signers.keys
    return holds or any(key in role.keys for role in document.roles)


def _swap(old: PublicKey, new: PublicKey, *, new_epoch: bool) -> Change:
    def swap(payload: JsonObject) -> None:
        keys = _record(payload, "keys")
        del keys[old.keyid]
        keys[new.keyid] = {**new.to_trust()}
        for quorum in _quorums(payload):
            keyids = quorum["keyids"]
            assert isinstance(keyids, list), "as it was read"
            quorum["keyids"] = [new.keyid if keyid == old.keyid else keyid for keyid in keyids]
        if new_epoch:  # by the time: a thief may have driven it up as far as that
            _record(payload, "delegates")["epoch"] = payload["issued_at"]

    return swap


def _in_epoch_of(keyring: Keyring, above: str) -> Change:
    delegates = keyring.chain.newest[above].document.delegates
    assert delegates is not None, "it has just been signed with them"

    def begin(payload: JsonObject) -> None:
        payload |= {"epoch": delegates.epoch, "version": 1}

    return begin


def _quorums(payload: JsonObject) -> list[JsonObject]:
    roles = payload["roles"]
    assert isinstance(roles, list), "as it was read"
    found = [role for role in roles if isinstance(role, dict)]
    return [*found, *(_record(payload, name) for name in ("signers", "delegates") if name in payload)]


def _record(payload: JsonObject, name: str) -> JsonObject:
    found = payload[name]
    assert isinstance(found, dict), "as it was read"
    return found


def _above(keyring: Keyring, area: str) -> Document | None:
    """The nearest document above an area; None of the root."""
    above = [one.document for one in keyring.chain.standing if area != ROOT and _contains(one.document.area, area)]
    return above[-1] if above else None


def _next_below(keyring: Keyring, area: str) -> list[str]:
    """The areas whose documents are signed by those whom this one's names."""
    above = {one: _above(keyring, one) for one in keyring.chain.newest}
    return sorted(one for one, document in above.items() if document is not None and document.area == area)


def _contains(outer: str, area: str) -> bool:
    return outer == ROOT or area.startswith(f"{outer}/")


def _signers(keyring: Keyring, area: str, without: str) -> Sequence[Signer]:
    """Everybody here who may sign it: of the root's holders as many as lie here, of others as many as are needed."""
    above = _above(keyring, area)
    if above is None:
        quorum, role = keyring.chain.standing[0].document.signers, ROOT_HOLDERS
    else:
        quorum, role = (above.delegates.quorum if above.delegates else None), delegates_of(above.area)
    if quorum is None:
        raise KeyringError(f"--area {area}: nobody above it may sign documents")
    able = {key.keyid for key in quorum.keys} - {without}
    names = [name for name in keyring.keys.names() if keyring.keys.key(name).public.keyid in able]
    if len(names) < quorum.threshold:
        raise KeyringError(f"key: {quorum.threshold} of {role} must sign, and {len(names)} of their keys are here")
    return [keyring.signer(name) for name in (names if area == ROOT else names[: quorum.threshold])]
