"""What a station must believe of the trust documents that it was shown, by the protocol alone (6.6 to 6.11).

Nothing of the judged code is in it: it reads JSON, checks Ed25519 signatures, and compares numbers. It is laxer than a
station with bytes that somebody has rewritten, so of those it says what may be believed, and not what must.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ROOT = ""
GRACE_MS = 30 * 86_400_000
# For ordinary sound, after the first document has expired (6.11).
ALONE_S = 1_800
# For how long one officer may warn (6.10).
Says = Mapping[str, Any]


@dataclass(frozen=True)
class Creed:
    """Of a station in ``ward``. ``newest`` was once believed of each area, as it came; of those some stand today."""

    ward: str
    newest: Mapping[str, bytes]

    @staticmethod
    def begun(ward: str, file: bytes, kept: Iterable[bytes] = ()) -> Creed:
        """By a trust file, whose first document is a root, and by what a card has kept beside it."""
        offered = [json.dumps(one).encode() for one in json.loads(file)["documents"]]
        card = {_says(one).get("area", ROOT): one for one in kept}
        creed = Creed(ward, {ROOT: offered[0], **card})
        for one in offered:
            creed = creed.taking(one) or creed
        return creed

    def taking(self, envelope: bytes) -> Creed | None:
        """What is believed after it; None: it changes nothing."""
        says = _says(envelope)
        concerns = f"{self.ward}/".startswith(f"{says['area']}/" if "area" in says else "")
        if says.get("type") != "trust" or not concerns or not self._is_newer(says):
            return None
        quorums = self._of_root(says) if "area" not in says else self._of_area(says, self.standing)
        if not quorums or not all(_enough(envelope, quorum, keys) for quorum, keys in quorums):
            return None
        return Creed(self.ward, {**self.newest, says.get("area", ROOT): envelope})

    @cached_property
    def standing(self) -> tuple[Says, ...]:
        """What the documents say that are believed now, from the root down."""
        found: list[Says] = []
        for area in sorted(self.newest, key=lambda one: (one != ROOT, one.count("/"))):
            says = _says(self.newest[area])
            quorums = self._of_area(says, found) if found else [(says["signers"], says["keys"])]
            if quorums and all(_enough(self.newest[area], quorum, keys) for quorum, keys in quorums):
                found.append(says)
        return (*found,)

    @property
    def heads(self) -> tuple[tuple[str, int, int], ...]:
        """(area, epoch, version) of those."""
        return tuple((says.get("area", ROOT), *_place(says)) for says in self.standing)

    def place(self, area: str) -> tuple[int, int]:
        """The floor of an area: nothing below it is believed again."""
        return _place(_says(self.newest[area])) if area in self.newest else (0, 0)

    @property
    def ordinary_until(self) -> int:
        """From when on nothing but warnings begins."""
        return int(min(says["expires"] for says in self.standing)) + GRACE_MS

    @property
    def servers(self) -> frozenset[str]:
        """Whose welcomes are believed."""
        return frozenset(keyid for role in self._welcoming for keyid in role["keyids"])

    def welcomes(self, envelope: bytes) -> bool:
        """Whether enough of those have signed it."""
        return any(_enough(envelope, role, self.standing[0]["keys"]) for role in self._welcoming)

    def shows(self, signers: Set[str]) -> bool:
        """Whether a head that these have signed is believed, and the manifest behind it (17.2)."""
        return any("head" in role["orders"] and signers & {*role["keyids"]} for role in self.standing[0]["roles"])

    @property
    def _welcoming(self) -> list[Says]:
        return [role for role in self.standing[0]["roles"] if "welcome" in role["orders"]]

    def lets(self, payload: Says, keyids: Set[str]) -> bool:
        """Whether these keys may give that order today."""
        return any(self._letting(payload, keyids))

    def only_offers(self, payload: Says, keyids: Set[str], cls: str) -> bool:
        """Whether these keys may have it played by nobody's choice but a ward's."""
        letting = [*self._letting(payload, keyids)]
        return bool(letting) and all(cls in role["limits"].get("offered", ()) for role in letting)

    def _letting(self, payload: Says, keyids: Set[str]) -> Iterator[Says]:
        kind, issuer = ("job" if payload["type"] == "timetable" else payload["type"]), payload["issuer"]
        for role in (role for says in self.standing for role in says["roles"]):
            named = role.get("issuer") == issuer and kind in role["orders"]
            classes = role.get("limits", {}).get("classes", ())
            wanted = {one["class"] for one in (payload, *payload.get("entries", ())) if "class" in one}
            if named and wanted <= {*classes} and len(keyids & {*role["keyids"]}) >= role["threshold"]:
                yield role

    def _is_newer(self, says: Says) -> bool:
        """Than what was believed of its area, whether that stands or not; and so are its delegates."""
        if says.get("area", ROOT) not in self.newest:
            return True
        before = _says(self.newest[says.get("area", ROOT)])
        delegated, epoch = (one.get("delegates", {}).get("epoch", 0) for one in (before, says))
        return _place(says) > _place(before) and epoch >= delegated

    def _of_root(self, says: Says) -> list[tuple[Says, Says]]:
        """Two quorums: the holders of the root before it, and its own."""
        before = _says(self.newest[ROOT])
        if says["version"] != before["version"] + 1:
            return []
        return [(before["signers"], before["keys"]), (says["signers"], says["keys"])]

    @staticmethod
    def _of_area(says: Says, above: Sequence[Says]) -> list[tuple[Says, Says]]:
        """One: the delegates of the nearest document above, in their epoch."""
        around = [one for one in above if f"{says['area']}/".startswith(f"{one['area']}/" if "area" in one else "")]
        nearest = [one for one in around if one.get("area", ROOT) != says["area"]][-1:]
        alone = [role for role in says["roles"] if role["threshold"] == 1 and _warns_for_long(role)]
        if not nearest or says["epoch"] != nearest[0].get("delegates", {}).get("epoch") or alone:
            return []
        return [(nearest[0]["delegates"], nearest[0]["keys"])]


def _warns_for_long(role: Says) -> bool:
    limits = role.get("limits", {})
    return "emergency" in limits.get("classes", ()) and limits["validity_max_s"] > ALONE_S


def _place(says: Says) -> tuple[int, int]:
    return says.get("epoch", 0), says["version"]


def _enough(envelope: bytes, quorum: Says, keys: Says) -> bool:
    named = {keyid: keys[keyid]["public"] for keyid in quorum["keyids"]}
    return len(_signers(envelope, frozenset(named.items()))) >= quorum["threshold"]


@lru_cache(4_096)
def _says(envelope: bytes) -> Says:
    """What was signed, by whomever; nothing where it cannot be read."""
    try:
        return dict(json.loads(_unwrapped(json.loads(envelope)["payload"])))
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}


@lru_cache(4_096)
def _signers(envelope: bytes, keys: frozenset[tuple[str, str]]) -> frozenset[str]:
    """Which of these keys have signed it."""
    opened = json.loads(envelope)
    kind, payload = opened["payloadType"].encode(), _unwrapped(opened["payload"])
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    signatures = [_unwrapped(one["sig"]) for one in opened["signatures"]]
    return frozenset(keyid for keyid, public in keys if any(_verifies(public, one, signed) for one in signatures))


def _verifies(public: str, signature: bytes, signed: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def _unwrapped(text: str) -> bytes:
    return base64.b64decode(text.replace("-", "+").replace("_", "/") + "==")
