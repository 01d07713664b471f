"""A network of root, province and ward, each with a document of its own: for whoever tests what is believed of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.trust.makers import (
    AREA,
    area_document,
    delegates,
    job_role,
    online_role,
    signed_trust,
    signer,
    trust_document,
)

PROVINCE = "vn/ha-noi"
NATIONAL, HANOI, NEXT_HANOI = "national", "so-tttt", "so-tttt-moi"


def root(version: int = 1, *, holders: Sequence[str] = ("holder",), threshold: int = 1, **over: Any) -> dict[str, Any]:
    """The root's: who answers stations, and who signs for provinces."""
    keys = [signer(name).public for name in (NATIONAL, *holders)]
    signers = {"keyids": [signer(name).keyid for name in holders], "threshold": threshold}
    given = {"version": version, "signers": signers, "delegates": delegates(NATIONAL), "roles": [online_role()]}
    return trust_document(keys=keys, **(given | over))


def province(version: int = 1, *names: str, **over: Any) -> dict[str, Any]:
    """The province's: it orders nothing itself, and says who signs for its wards."""
    names = names or (HANOI,)
    return area_document(PROVINCE, *names, version=version, **({"delegates": delegates(*names)} | over))


def ward(version: int = 1, **over: Any) -> dict[str, Any]:
    """The ward's: an officer who orders ordinary broadcasts."""
    limits = {"classes": ["normal", "priority"], "validity_max_s": 86_400}
    return area_document(AREA, "officer", version=version, **({"roles": [job_role(limits=limits)]} | over))


ROOT_1 = signed_trust(root(), "holder")
PROVINCE_1 = signed_trust(province(), NATIONAL)
WARD_1 = signed_trust(ward(), HANOI)
