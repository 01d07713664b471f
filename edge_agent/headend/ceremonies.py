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
from edge_agent.trust.chain import TRUST_TYPE, nearest_above, opened_payload
from edge_agent.trust.documents import ROOT, Document, valid_ms
from edge_agent.trust.envelope import sign
from edge_agent.trust.keys import PublicKey, Signer
from edge_agent.trust.strict_json import JsonObject, dump

Change = Callable[[JsonObject], None]


def renew(keyring: Keyring, area: str, now: UtcMs, change: Change | None = None) -> None:
    """Sign and take in the next version of an area's document (ROOT: the root's), valid from ``now``.

    It is signed in the epoch that the delegates above are in now, so that one that did not stand any more stands again.
    ``change`` edits its payload. Raises KeyringError: there is no such document, too few of the keys that must sign lie
    here, or stations would refuse it; then nothing has changed.
    """
    with keyring.ceremony():
        _sign_anew(keyring, area, now, change or _as_it_is)


def replace_key(keyring: Keyring, old: PublicKey, new: Signer, now: UtcMs) -> tuple[str, ...]:
    """Put one key in the place of another in every document that names it; returns the areas that were signed anew.

    Where the old one signed documents, its delegates begin a new epoch, and all below are signed in it by the others.
    All of it is signed, or nothing is.
    """
    with keyring.ceremony():
        touched: list[str] = []
        for area in [held.document.area for held in keyring.chain.standing]:
            document = keyring.chain.newest[area].document
            delegates = document.delegates is not None and old in document.delegates.quorum.keys
            below = _next_below(keyring, area) if delegates else []
            if delegates or _names(document, old):
                _sign_anew(keyring, area, now, _swap(old, new.public, new_epoch=delegates), old, new)
                touched.append(area)
            for one in below:
                _sign_anew(keyring, one, now, _as_it_is, old, new)
                touched.append(one)
    if not touched:
        raise KeyringError(f"key {old.keyid[:12]}…: stands in no trust document of this network")
    return tuple(dict.fromkeys(touched))


def _sign_anew(
    keyring: Keyring, area: str, now: UtcMs, change: Change, old: PublicKey | None = None, new: Signer | None = None
) -> None:
    """The next version, signed by others than ``old``; ``new`` may sign too."""
    if area not in keyring.chain.newest:
        known = ", ".join(sorted(one or "root" for one in keyring.chain.newest))
        raise KeyringError(f"--area {area}: this network has no document of it; there are {known}")
    before = keyring.chain.newest[area]
    above = nearest_above(keyring.chain.standing, area)
    payload = opened_payload(before)
    payload |= {"version": before.document.version + 1, "issued_at": now, "expires": now + valid_ms(area)}
    if above is not None and above.delegates is not None and above.delegates.epoch != before.document.epoch:
        payload |= {"epoch": above.delegates.epoch, "version": 1}
    change(payload)
    keyring.add_document(sign(TRUST_TYPE, dump(payload), _signers(keyring, area, above, old, new)))


def _as_it_is(_payload: JsonObject) -> None:
    """Nothing but its dates is new."""


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


def _quorums(payload: JsonObject) -> list[JsonObject]:
    roles = payload["roles"]
    assert isinstance(roles, list), "as it was read"
    found = [role for role in roles if isinstance(role, dict)]
    return [*found, *(_record(payload, name) for name in ("signers", "delegates") if name in payload)]


def _record(payload: JsonObject, name: str) -> JsonObject:
    found = payload[name]
    assert isinstance(found, dict), "as it was read"
    return found


def _next_below(keyring: Keyring, area: str) -> list[str]:
    """The areas whose documents are signed by those whom this one's names."""
    above = {one: nearest_above(keyring.chain.standing, one) for one in keyring.chain.newest}
    return sorted(one for one, document in above.items() if document is not None and document.area == area)


def _signers(
    keyring: Keyring, area: str, above: Document | None, old: PublicKey | None, new: Signer | None
) -> Sequence[Signer]:
    """Who may sign it: of the root's holders as many as lie here, of others as many as are needed."""
    if above is None:
        quorum, role = keyring.chain.standing[0].document.signers, ROOT_HOLDERS
    else:
        quorum, role = (above.delegates.quorum if above.delegates else None), delegates_of(above.area)
    if quorum is None:
        raise KeyringError(f"--area {area}: nobody above it may sign documents")
    able = quorum.keys - {old}
    names = [name for name, public in keyring.keys.readable().items() if public in able]
    of_new = [new] if new is not None and (new.public in able or (area == ROOT and old in quorum.keys)) else []
    if len(names) + len([one for one in of_new if one.public in able]) < quorum.threshold:
        raise KeyringError(f"key: {quorum.threshold} of {role} must sign, and {len(names)} of their keys are here")
    wanted = names if area == ROOT else names[: quorum.threshold - len(of_new)]
    return [*of_new, *(keyring.signer(name) for name in wanted)]
