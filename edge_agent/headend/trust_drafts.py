"""Write what the next trust documents of a network say, signed by nobody yet. Who must sign them, ``apart`` decides.

Each is made from the newest of its area and one change: new dates, one key in the place of another, one key more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from edge_agent.core.units import UtcMs
from edge_agent.headend.ceremony_clock import check_next
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.key_folder import role_of
from edge_agent.headend.public_files import fingerprint
from edge_agent.headend.roles import ROOT_HOLDERS, default_roles, delegates_of
from edge_agent.headend.trust_making import first_documents
from edge_agent.trust.chain import Chain, nearest_above, opened_payload
from edge_agent.trust.documents import ROOT, Document, is_above, load_document, valid_ms
from edge_agent.trust.keys import PublicKey
from edge_agent.trust.roles import Quorum
from edge_agent.trust.strict_json import JsonObject, WireError, dump

Change = Callable[[JsonObject], None]
ONE_WARD = (
    "mỗi xã một thư mục / one folder per ward: --dir KHÁC / ANOTHER, docs/operations.md “Xã thứ hai của tỉnh” / “A "
    "second ward of the province”"
)
Payloads = dict[str, JsonObject]
"""Of each area what its document is to say, from above down."""


def as_it_is(_payload: JsonObject) -> None:
    """Nothing but its dates is new."""


def next_payload(chain: Chain, area: str, above: Document | None, now: UtcMs, change: Change) -> JsonObject:
    """The next version of an area's document (ROOT: the root's), valid from ``now``, in the epoch of those above."""
    if area not in chain.newest:
        known = ", ".join(sorted(one or "root" for one in chain.newest))
        raise KeyringError(
            f"--area {area}: mạng này không có văn bản của nó / this network has no document of it; there are {known}"
        )
    before = chain.newest[area]
    payload = opened_payload(before)
    payload |= {"version": before.document.version + 1, "issued_at": now, "expires": now + valid_ms(area)}
    if above is not None and above.delegates is not None and above.delegates.epoch != before.document.epoch:
        payload |= {"epoch": above.delegates.epoch, "version": 1}
    change(payload)
    return payload


def renewed(chain: Chain, area: str, now: UtcMs, change: Change = as_it_is, *, sure: bool = False) -> Payloads:
    """One document, with a change. ``sure``: see ``check_next``."""
    check_next(chain, now, sure=sure, lasting=area == ROOT)
    return {area: next_payload(chain, area, nearest_above(chain.standing, area), now, change)}


def check_replacing(chain: Chain, old: PublicKey, now: UtcMs, *, sure: bool) -> None:
    """Whether the clock is one to replace that key by, before anybody makes a new one. ``sure``: see ``check_next``."""
    named = [held.document for held in chain.standing if old in keys_in(held.document)]
    lasting = any(document.area == ROOT or _signs_below(document, old) for document in named)
    check_next(chain, now, sure=sure, lasting=lasting)


def replaced(chain: Chain, old: PublicKey, new: PublicKey, now: UtcMs, *, sure: bool = False) -> Payloads:
    """Every document that names ``old``, with ``new`` in its place. ``sure``: see ``check_next``.

    Where the old one signed documents, its delegates begin a new epoch, and all below are written anew in it.
    """
    check_replacing(chain, old, now, sure=sure)
    drafts: Payloads = {}
    written: dict[str, Document] = {}
    standing = {held.document.area for held in chain.standing}
    for area in sorted(chain.newest, key=lambda one: (one.count("/") + bool(one), one)):
        document, nearest = chain.newest[area].document, nearest_above(chain.standing, area)
        above = None if nearest is None else written.get(nearest.area, nearest)
        named, delegates = old in keys_in(document), _signs_below(document, old)
        if _new_epoch(nearest, above) or (named and area in standing):
            change = _swap(old, new, new_epoch=delegates) if named else as_it_is
            drafts[area] = next_payload(chain, area, above, now, change)
            written[area] = checked(drafts[area])
    if not drafts:
        raise KeyringError(
            f"key {old.keyid[:12]}…: không có trong văn bản ủy quyền nào của mạng này; đã thay rồi? gửi: `trust send`"
            " / stands in no trust document of this network; replaced already? `trust send` sends the documents"
        )
    return drafts


def first(
    chain: Chain | None,
    realm: str,
    ward: str,
    emergency_threshold: int,
    keys: Mapping[str, PublicKey],
    only: Collection[str],
    now: UtcMs,
    sources: tuple[str, ...] = (),
    *,
    sure: bool = False,
) -> Payloads:
    """The documents on a ward's path that the network has not got (of these ``only`` some), with its usual roles.

    ``sure``: see ``check_next``.
    """
    if chain is not None:
        _check_one_ward(chain, ward)
        check_next(chain, now, sure=sure)
    specs = default_roles(ward, emergency_threshold, sources)
    ours = {spec.name: [keys[name] for name in _numbered(keys, spec.name)] for spec in specs}
    counts = {spec.name: spec.key_count for spec in specs if spec.key_count}
    enough = {role: found for role, found in ours.items() if len(found) >= counts.get(role, 0)}
    there: Collection[str] = () if chain is None else chain.newest.keys()
    try:
        made = first_documents(realm, specs, enough, now, lambda area: area not in there and (not only or area in only))
    except KeyError as error:
        role = str(error.args[0])
        raise KeyringError(
            f"--public: thiếu tệp khóa công khai / public key files are missing: {_meant(role, counts[role])}; "
            f"có / there are {', '.join(_numbered(keys, role)) or 'none'}"
        ) from error
    drafts = {draft.area: draft.payload for draft in made}
    for area, payload in drafts.items():
        above = None if chain is None else nearest_above(chain.standing, area)
        if above is not None and above.delegates is not None and above.area not in drafts:
            payload["epoch"] = above.delegates.epoch
        checked(payload)
    return drafts


def _check_one_ward(chain: Chain, ward: str) -> None:
    """The roles of two wards have the same names: nobody could believe both in one folder."""
    others = [area for area in chain.newest if area != ward and not is_above(area, ward)]
    if others:
        raise KeyringError(f"--first {ward}: ở đây đã có / here is already {', '.join(others)}; {ONE_WARD}")


def joined(group: str, new: PublicKey) -> Change:
    """One key more in a role, among the root's holders or among those who sign the documents below."""

    def join(payload: JsonObject) -> None:
        keyids = _group(payload, group)["keyids"]
        assert isinstance(keyids, list), "as it was read"
        if new.keyid in keyids:
            raise KeyringError(f"khóa này đã có trong / this key is already in {group}: {fingerprint(new.keyid)}")
        _record(payload, "keys")[new.keyid] = {**new.to_trust()}
        keyids.append(new.keyid)

    return join


def asking_for(group: str, threshold: int) -> Change:
    """As many signatures as that from a group."""

    def ask_for(payload: JsonObject) -> None:
        _group(payload, group)["threshold"] = threshold

    return ask_for


def checked(payload: JsonObject) -> Document:
    """What it says, or why no station could read it."""
    try:
        return load_document(dump(payload))
    except WireError as error:
        raise KeyringError(f"văn bản ủy quyền sai / trust document: {error}") from error


def keys_in(document: Document) -> frozenset[PublicKey]:
    """Every key that it gives something to."""
    return frozenset[PublicKey]().union(*(quorum.keys for quorum in _groups(document)))


def signing_beside(chain: Chain, key: PublicKey) -> frozenset[PublicKey]:
    """The other keys of every group of which more than one must sign."""
    groups = [quorum for held in chain.standing for quorum in _groups(held.document)]
    ours = [quorum.keys for quorum in groups if quorum.threshold > 1 and key in quorum.keys]
    return frozenset[PublicKey]().union(*ours) - {key}


def _groups(document: Document) -> list[Quorum]:
    groups = [Quorum(role.keys, role.threshold) for role in document.roles]
    groups += [document.signers] if document.signers is not None else []
    return groups + ([document.delegates.quorum] if document.delegates is not None else [])


def _meant(role: str, count: int) -> str:
    return f"{role}-1" if count == 1 else f"{role}-1 … {role}-{count}"


def _numbered(keys: Mapping[str, PublicKey], role: str) -> list[str]:
    own = [name for name in keys if role_of(name) == role and name != role]
    return sorted(own, key=lambda name: int(name.rpartition("-")[2]))


def _signs_below(document: Document, key: PublicKey) -> bool:
    return document.delegates is not None and key in document.delegates.quorum.keys


def _new_epoch(before: Document | None, after: Document | None) -> bool:
    if before is None or after is None or before.delegates is None or after.delegates is None:
        return False
    return before.delegates.epoch != after.delegates.epoch


def _swap(old: PublicKey, new: PublicKey, *, new_epoch: bool) -> Change:
    def swap(payload: JsonObject) -> None:
        keys = _record(payload, "keys")
        del keys[old.keyid]
        keys[new.keyid] = {**new.to_trust()}
        for quorum in _quorums(payload):
            keyids = quorum["keyids"]
            assert isinstance(keyids, list), "as it was read"
            quorum["keyids"] = [new.keyid if keyid == old.keyid else keyid for keyid in keyids]
        if new_epoch:
            _begin_epoch(payload)

    return swap


def _begin_epoch(payload: JsonObject) -> None:
    """By the time, as a thief may have driven it up as far as that; by one, where a clock ahead has driven a root's."""
    delegates, signed = _record(payload, "delegates"), payload["issued_at"]
    before = delegates["epoch"]
    assert isinstance(before, int), "as it was read"
    assert isinstance(signed, int), "as it was written"
    delegates["epoch"] = max(before + 1, signed)


def _group(payload: JsonObject, group: str) -> JsonObject:
    named = {str(role["role"]): role for role in _roles(payload)}
    for name, field in ((ROOT_HOLDERS, "signers"), (delegates_of(str(payload.get("area", ""))), "delegates")):
        if field in payload:
            named[name] = _record(payload, field)
    found = named.get(group)
    if found is None:
        raise KeyringError(f"{group}: không có trong văn bản này / not in this document; there are {', '.join(named)}")
    return found


def _quorums(payload: JsonObject) -> list[JsonObject]:
    return [*_roles(payload), *(_record(payload, name) for name in ("signers", "delegates") if name in payload)]


def _roles(payload: JsonObject) -> list[JsonObject]:
    roles = payload["roles"]
    assert isinstance(roles, list), "as it was read"
    return [role for role in roles if isinstance(role, dict)]


def _record(payload: JsonObject, name: str) -> JsonObject:
    found = payload[name]
    assert isinstance(found, dict), "as it was read"
    return found
