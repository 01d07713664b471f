"""Sign the next versions of trust documents: with new dates, or with one key in the place of another.

All keys that must sign lie in one folder here; where each lies with its holder, ``apart`` has the ceremony. Which
documents a change touches is decided in ``trust_drafts``. What stations make of it is decided by the very code that
they run (``Keyring.add_document``), before anything is sent; who holds which key, no program knows.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.core.units import UtcMs
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.roles import ROOT_HOLDERS, delegates_of
from edge_agent.headend.trust_drafts import Change, as_it_is, renewed, replaced
from edge_agent.trust.chain import TRUST_TYPE, nearest_above
from edge_agent.trust.documents import ROOT, Document
from edge_agent.trust.envelope import sign
from edge_agent.trust.keys import PublicKey, Signer
from edge_agent.trust.strict_json import JsonObject, dump


def renew(keyring: Keyring, area: str, now: UtcMs, change: Change | None = None, *, sure: bool = False) -> None:
    """Sign and take in the next version of an area's document (ROOT: the root's), valid from ``now``.

    It is signed in the epoch that the delegates above are in now, so that one that did not stand any more stands again.
    ``change`` edits its payload. Raises KeyringError: there is no such document, too few of the keys that must sign lie
    here, or stations would refuse it; then nothing has changed. ``sure``: see ``ceremony_clock.check_next``.
    """
    with keyring.ceremony():
        for one, payload in renewed(keyring.chain, area, now, change or as_it_is, sure=sure).items():
            _sign(keyring, one, payload, now)


def replace_key(keyring: Keyring, old: PublicKey, new: Signer, now: UtcMs, *, sure: bool = False) -> tuple[str, ...]:
    """Put one key in the place of another in every document that names it; returns the areas that were signed anew.

    Where the old one signed documents, its delegates begin a new epoch, and all below are signed in it by the others.
    All of it is signed, or nothing is.
    """
    with keyring.ceremony():
        drafts = replaced(keyring.chain, old, new.public, now, sure=sure)
        for area, payload in drafts.items():
            _sign(keyring, area, payload, now, old, new)
    return tuple(drafts)


def _sign(
    keyring: Keyring,
    area: str,
    payload: JsonObject,
    now: UtcMs,
    old: PublicKey | None = None,
    new: Signer | None = None,
) -> None:
    """Signed by others than ``old``; ``new`` may sign too."""
    above = nearest_above(keyring.chain.standing, area)
    keyring.add_document(sign(TRUST_TYPE, dump(payload), _signers(keyring, area, above, old, new)), now)


def holders_of(keyring: Keyring, role: str) -> frozenset[PublicKey]:
    """The keys of a role, of the root's holders or of those who sign documents, by what they are called here."""
    found = [one.keys for one in keyring.trust.roles if one.name == role]
    for held in keyring.chain.standing:
        document = held.document
        found += [document.signers.keys] if document.signers is not None and role == ROOT_HOLDERS else []
        delegates = document.delegates if role == delegates_of(document.area) else None
        found += [delegates.quorum.keys] if delegates is not None else []
    return frozenset[PublicKey]().union(*found)


def _signers(
    keyring: Keyring, area: str, above: Document | None, old: PublicKey | None, new: Signer | None
) -> Sequence[Signer]:
    """Who may sign it: of the root's holders as many as lie here, of others as many as are needed."""
    if above is None:
        quorum, role = keyring.chain.standing[0].document.signers, ROOT_HOLDERS
    else:
        quorum, role = (above.delegates.quorum if above.delegates else None), delegates_of(above.area)
    if quorum is None:
        raise KeyringError(
            f"--area {area}: không ai ở cấp trên được ký văn bản này / nobody above it may sign documents"
        )
    able = quorum.keys - {old}
    names = [name for name, public in keyring.keys.readable().items() if public in able]
    of_new = [new] if new is not None and (new.public in able or (area == ROOT and old in quorum.keys)) else []
    if len(names) + len([one for one in of_new if one.public in able]) < quorum.threshold:
        raise KeyringError(
            f"key: cần {quorum.threshold} chữ ký của {role}, ở đây có {len(names)} khóa; khóa ở nơi khác thì soạn bằng "
            f"`trust draft`, ký ở nơi đó / {quorum.threshold} of {role} must sign, and {len(names)} of their keys are "
            "here; where they lie elsewhere: `trust draft`, to be signed there"
        )
    wanted = names if area == ROOT else names[: quorum.threshold - len(of_new)]
    return [*of_new, *(keyring.signer(name) for name in wanted)]
