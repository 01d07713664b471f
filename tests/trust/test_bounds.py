"""A trust document never grants more than its parent allows: each way of trying, and what is allowed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.job import JobClass
from edge_agent.trust.bounds import beyond
from edge_agent.trust.documents import Bounds, load_document
from edge_agent.trust.role_limits import Limits
from tests.trust.makers import AREA, area_document, command_role, delegates, job_role, online_role, owner_role, signer

HANOI = "so-tttt"
MOST: dict[str, Any] = {
    "classes": ["normal", "emergency"],
    "areas": ["vn/ha-noi"],
    "volume_max": 80,
    "validity_max_s": 86_400,
    "commands": ["stop", "lock"],
    "offered": ["normal"],
    "hours": [["05:00", "21:00"]],
    "events": ["lu-quet", "bao"],
    "sound_max_s": 600,
    "per_day": 5,
    "sources": ["https://live.test/vov1.mp3", "https://live.test/ha-noi/"],
}
GOOD: dict[str, Any] = {
    "classes": ["normal"],
    "areas": [AREA],
    "volume_max": 80,
    "validity_max_s": 86_400,
    "offered": ["normal"],
    "hours": [["05:30", "07:00"], ["16:00", "21:00"]],
}
WARNS: dict[str, Any] = {
    "classes": ["emergency"],
    "areas": [AREA],
    "volume_max": 80,
    "validity_max_s": 1_800,
    "hours": [["05:00", "21:00"]],
    "events": ["bao"],
    "sound_max_s": 600,
    "per_day": 5,
}


def bounds(**over: Any) -> Bounds:
    found = load_document(json.dumps(area_document("vn/ha-noi", HANOI, delegates=delegates(HANOI, **over))).encode())
    assert found.delegates is not None
    return found.delegates.bounds


PARENT = bounds(limits=MOST)


def excess(*roles: dict[str, Any], parent: Bounds = PARENT, **over: Any) -> str | None:
    document = area_document(AREA, "officer", "deputy", "owner", "server", roles=roles, **over)
    return beyond(load_document(json.dumps(document).encode()), parent)


def role(limits: dict[str, Any], **over: Any) -> dict[str, Any]:
    return job_role(**over) | {"limits": limits}


def test_what_stays_within_is_allowed() -> None:
    assert excess(role(GOOD), role(WARNS, role="warns"), command_role(limits={"commands": ["stop"]})) is None
    assert excess() is None


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        ({"classes": ["normal", "priority"]}, "limits.classes"),
        ({"areas": ["vn/ha-noi/tay-ho"]}, "limits.areas"),
        ({"areas": ["vn/ha-noi"]}, "limits.areas"),
        ({"areas": ["vn/ha-noi/dong-thanh-2"]}, "limits.areas"),
        ({"volume_max": 81}, "limits.volume_max"),
        ({"validity_max_s": 86_401}, "limits.validity_max_s"),
        ({"hours": [["04:59", "07:00"]]}, "limits.hours"),
        ({"hours": [["20:00", "05:30"]]}, "limits.hours"),
        ({"offered": None}, "limits.offered"),
        ({"hours": None}, "limits.hours"),
        ({"sources": ["https://live.test/"]}, "limits.sources"),
        ({"sources": ["https://live.test/vov1.mp3", "https://live.test/vov2.mp3"]}, "limits.sources"),
    ],
)
def test_a_ward_that_reaches_further_than_its_province_lets_it(limits: dict[str, Any], named: str) -> None:
    wider = {name: value for name, value in (GOOD | limits).items() if value is not None}
    found = excess(role(GOOD), role(wider, role="second"))
    assert found is not None
    assert found.startswith(f"roles[1].{named}"), found


@pytest.mark.parametrize("sources", [None, ["https://live.test/vov1.mp3", "https://live.test/ha-noi/xa/"]])
def test_a_ward_relays_what_its_province_lets_it(sources: list[str] | None) -> None:
    given = {} if sources is None else {"sources": sources}
    assert excess(role(GOOD | given)) is None
    unbound = bounds(limits={name: value for name, value in MOST.items() if name != "sources"})
    assert excess(role(GOOD | given), parent=unbound) is None


def test_a_district_that_forgets_its_provinces_sources_would_let_its_wards_relay_any() -> None:
    district = {name: value for name, value in MOST.items() if name != "sources"}
    found = excess(delegates=delegates("officer", limits=district | {"areas": [AREA]}))
    assert found == "delegates.limits.sources: some of https://live.test/vov1.mp3, https://live.test/ha-noi/, or below"


def test_a_district_keeps_to_its_provinces_sources_or_lets_nobody_order_what_has_any() -> None:
    assert excess(delegates=delegates("officer", limits=MOST | {"areas": [AREA]})) is None
    commands = delegates("officer", orders=["command"])
    commands["limits"] = {"areas": [AREA], "validity_max_s": 86_400, "commands": ["stop"]}
    assert excess(delegates=commands) is None


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        ({"hours": None}, "limits.hours"),
        ({"hours": [["03:00", "03:00"]]}, "limits.hours"),
        ({"events": None}, "limits.events"),
        ({"events": ["bao", "dich-benh"]}, "limits.events"),
        ({"sound_max_s": None}, "limits.sound_max_s"),
        ({"sound_max_s": 601}, "limits.sound_max_s"),
        ({"per_day": None}, "limits.per_day"),
        ({"per_day": 6}, "limits.per_day"),
        ({"validity_max_s": 1_801}, "threshold"),
    ],
)
def test_a_ward_that_would_warn_more_than_it_may(limits: dict[str, Any], named: str) -> None:
    wider = {name: value for name, value in (WARNS | limits).items() if value is not None}
    found = excess(role(wider))
    assert found is not None
    assert found.startswith(f"roles[0].{named}"), found


def test_two_officers_may_warn_for_longer_than_one() -> None:
    two = {"keyids": [signer("officer").keyid, signer("deputy").keyid], "threshold": 2}
    assert excess(role(WARNS | {"validity_max_s": 21_600}, **two)) is None


@pytest.mark.parametrize("names", [("officer",), ("officer", "deputy")], ids=["one", "one of two"])
@pytest.mark.parametrize("classes", [["emergency"], ["normal", "emergency"]], ids=["warns", "warns among others"])
def test_an_emergency_that_one_may_sign_is_for_half_an_hour(names: tuple[str, ...], classes: list[str]) -> None:
    offered = {"offered": ["normal"]} if "normal" in classes else {}
    limits, keyids = WARNS | {"classes": classes} | offered, [signer(name).keyid for name in names]
    assert excess(role(limits, keyids=keyids)) is None
    assert (excess(role(limits | {"validity_max_s": 1_801}, keyids=keyids)) or "").startswith("roles[0].threshold: 2")


@pytest.mark.parametrize(
    ("over", "named"),
    [
        ({"level": "central"}, "level"),
        ({"limits": {"commands": ["restart"]}}, "limits.commands"),
        ({"limits": {"areas": ["vn"]}}, "limits.areas"),
    ],
)
def test_a_command_role_that_reaches_further(over: dict[str, Any], named: str) -> None:
    given = {"limits": {"commands": ["stop"]} | over.pop("limits", {})} | over
    found = excess(command_role(**given))
    assert found is not None
    assert found.startswith(f"roles[0].{named}"), found


def test_kinds_of_orders_that_the_parent_does_not_give_on() -> None:
    jobs_only = delegates(HANOI, orders=["job"])
    del jobs_only["limits"]["commands"]
    document = load_document(json.dumps(area_document("vn/ha-noi", HANOI, delegates=jobs_only)).encode())
    assert document.delegates is not None
    found = excess(owner_role(), parent=document.delegates.bounds)
    assert found == "roles[0].orders: at most job"


def test_who_answers_stations_stands_in_the_roots_document_alone() -> None:
    assert (excess(online_role()) or "").startswith("roles[0].orders")


@pytest.mark.parametrize(
    ("over", "named"),
    [
        ({"levels": ["central"]}, "delegates.level"),
        ({"limits": GOOD | {"volume_max": 90, "commands": ["stop"]}}, "delegates.limits.volume_max"),
        ({"limits": GOOD | {"commands": ["restart"]}}, "delegates.limits.commands"),
        ({"limits": GOOD | {"areas": ["vn/ha-noi"], "commands": ["stop"]}}, "delegates.limits.areas"),
        ({"orders": ["job", "command", "regulation", "window"], "levels": ["province", "central"]}, "delegates.level"),
    ],
)
def test_whoever_is_bound_binds_whom_he_trusts(over: dict[str, Any], named: str) -> None:
    found = excess(delegates=delegates("officer") | over)
    assert found is not None
    assert found.startswith(named), found


def test_bounds_do_not_give_on_what_answers_stations() -> None:
    with pytest.raises(ValueError, match=r"delegates\.orders"):
        load_document(json.dumps(area_document(AREA, HANOI, delegates=delegates(HANOI, orders=["welcome"]))).encode())


@given(st.data())
def test_no_role_that_is_let_pass_reaches_beyond_in_any_limit(data: st.DataObject) -> None:
    """Drawn near the bounds, and held to them one by one: whatever passes passes in each."""
    hours = data.draw(st.sampled_from([[["05:00", "21:00"]], [["04:00", "06:00"]], [["06:00", "06:30"]]]))
    limits = {
        "classes": data.draw(st.sampled_from([["normal"], ["priority"], ["normal", "emergency"], ["emergency"]])),
        "areas": [data.draw(st.sampled_from([AREA, "vn/ha-noi", f"{AREA}/to-1", "vn"]))],
        "volume_max": data.draw(st.integers(78, 82)),
        "validity_max_s": data.draw(st.sampled_from([60, 1_800, 86_400, 86_401])),
        "hours": hours,
    }
    if "normal" in limits["classes"]:
        limits["offered"] = ["normal"]
    if "emergency" in limits["classes"]:
        limits |= {"events": [data.draw(st.sampled_from(["bao", "khac"]))]}
        limits |= {"sound_max_s": data.draw(st.integers(599, 601)), "per_day": data.draw(st.integers(4, 6))}
    if excess(role(limits)) is not None:
        return
    assert set(limits["classes"]) <= set(MOST["classes"])
    assert limits["areas"][0].startswith(AREA)
    assert limits["volume_max"] <= 80
    assert limits["validity_max_s"] <= (1_800 if "emergency" in limits["classes"] else 86_400)
    assert limits.get("events", ["bao"]) == ["bao"]
    assert limits.get("sound_max_s", 0) <= 600
    assert limits.get("per_day", 0) <= 5
    assert hours != [["04:00", "06:00"]]


def test_a_bound_that_the_parent_leaves_open_binds_nobody() -> None:
    open_parent = bounds()
    assert open_parent.limits == Limits(
        classes=frozenset(JobClass),
        areas=("vn/ha-noi",),
        hours=(),
        volume_max=100,
        validity_max_ms=400 * 86_400_000,
        commands=open_parent.limits.commands,
    )
    assert excess(role(GOOD | {"hours": [["00:00", "00:00"]]}), parent=open_parent) is None
