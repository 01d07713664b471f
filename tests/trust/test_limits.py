"""How far a role reaches: for whom, what, how loud, how long, at which hours."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.core.events import Rejected
from edge_agent.core.reasons import Reason
from edge_agent.trust.limits import addressed, over_limit
from edge_agent.trust.roles import JobGrant
from tests.trust.makers import (
    AREA,
    DAY_MS,
    HOUR_MS,
    NOON,
    command_role,
    job_role,
    live_item,
    make_command,
    make_job,
    make_regulation,
    make_site,
    make_trust,
    make_window,
    owner_role,
    rule_when,
    text_item,
)

SITE = make_site()
DAYTIME = {"hours": [["05:00", "21:00"]]}


def grant(**limits: Any) -> JobGrant:
    found = make_trust(roles=[job_role(limits=limits)]).roles[0].grant
    assert found is not None
    return found


def granted(role: dict[str, Any]) -> JobGrant:
    found = make_trust(roles=[role]).roles[0].grant
    assert found is not None
    return found


def verdict(limits: dict[str, Any], **job: Any) -> Rejected | None:
    return over_limit(make_job(**job), grant(**limits), SITE)


def detail(limits: dict[str, Any], **job: Any) -> str:
    refusal = verdict(limits, **job)
    assert refusal is not None
    assert refusal.reason is Reason.OVER_LIMIT
    return refusal.detail


# For whom


@pytest.mark.parametrize(
    "audience",
    [
        {"stations": ["dt-01"]},
        {"stations": ["dt-02", "dt-01"]},
        {"areas": [AREA]},
        {"areas": ["vn"]},
        {"areas": ["vn/ha-noi", "vn/hue"]},
        {"areas": [AREA], "zones": ["dinh"]},
        {"areas": [AREA], "zones": ["elsewhere", "cho"]},
        {"stations": ["dt-02"], "areas": [AREA]},
    ],
)
def test_a_job_that_names_us_or_our_area_is_for_us(audience: dict[str, Any]):
    assert addressed(make_job(audience=audience), SITE) is None


@pytest.mark.parametrize(
    ("audience", "why"),
    [
        ({"stations": ["dt-02"]}, "audience: neither"),
        ({"areas": ["vn/ha-noi/an-khanh"]}, "audience: neither"),
        ({"areas": ["vn/ha-noi/dong-thanh-2"]}, "audience: neither"),
        ({"areas": ["vn/ha-noi/dong"]}, "audience: neither"),
        ({"areas": [f"{AREA}/thon-1"]}, "audience: neither"),
        ({"areas": ["ha-noi"]}, "audience: neither"),
        ({"areas": ["dt-01"]}, "audience: neither"),
        ({"stations": ["dt-01"], "zones": ["elsewhere"]}, "audience.zones: none"),
    ],
)
def test_a_job_for_another_ward_station_or_zone_is_not_for_us(audience: dict[str, Any], why: str):
    found = addressed(make_job(audience=audience), SITE)
    assert found is not None
    assert found.startswith(why)


# How far


def test_a_job_within_every_limit_passes():
    assert verdict({}) is None


@pytest.mark.parametrize("cls", ["normal", "emergency"])
def test_a_job_is_as_loud_as_its_role_allows_and_no_louder(cls: str):
    assert verdict({"volume_max": 70}, volume=70, **{"class": cls}) is None
    assert detail({"volume_max": 70}, volume=71, **{"class": cls}) == "volume: 71 is above the role's 70"


def test_a_class_that_the_role_has_not_is_refused():
    limits = {"classes": ["normal", "priority"]}
    assert verdict(limits, **{"class": "priority"}) is None
    assert detail(limits, **{"class": "emergency"}) == "class: emergency is not among the role's"


FROM_VOV, FROM_HANOI = "https://live.test/vov1.mp3", "https://live.test/ha-noi/"


@pytest.mark.parametrize(
    "url",
    [
        FROM_VOV,
        "https://live.test/ha-noi/fm96.mp3",
        FROM_HANOI,
        "https://live.test/ha-noi/fm..96.mp3",
        "https://live.test/ha-noi/.hidden%20name",
        "https://live.test/ha-noi/fm96.mp3?from=%2e%2e/x#/../",
    ],
)
def test_a_live_source_of_the_roles_may_be_relayed(url: str):
    assert verdict({"sources": [FROM_VOV, FROM_HANOI]}, items=[live_item(urls=[url])]) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://live.test/vov1.mp3/x",
        "https://live.test/vov1.mp3?x",
        "https://live.test/vov2.mp3",
        "https://live.test.evil.test/ha-noi/fm96.mp3",
        "https://live.test/ha-noi/../vov2.mp3",
        "https://live.test/ha-noi/fm/..",
        "https://live.test/ha-noi/./fm96.mp3",
        "https://live.test/ha-noi/%2e%2e/vov2.mp3",
        "https://live.test/ha-noi/.%2E/vov2.mp3",
        "https://live.test/ha-noi/..%2fvov2.mp3",
        "https://live.test/ha-noi/..%5Cvov2.mp3",
        "https://live.test/ha-noi/..\\vov2.mp3",
        "https://live.test/ha-noi/%252e%252e/vov2.mp3",
        "https://live.test/ha-noi/..;x/vov2.mp3",
        "https://live.test/ha-noi",
        "https://live.test:444/ha-noi/fm96.mp3",
    ],
)
def test_a_live_source_that_is_not_the_roles_is_refused(url: str):
    refused = detail({"sources": [FROM_VOV, FROM_HANOI]}, items=[text_item(), live_item(urls=[FROM_VOV, url])])
    assert refused == f"items[1].urls: {url} is none of the role's live sources"


def test_a_line_in_is_relayed_by_whom_it_was_given_to_alone():
    mic = live_item(urls=["line-in:mic"])
    assert verdict({"sources": ["line-in:mic"]}, items=[mic]) is None
    assert detail({"sources": [FROM_HANOI, "line-in:mi"]}, items=[mic]).endswith("is none of the role's live sources")


def test_a_role_that_names_no_source_relays_none():
    assert detail({}, items=[live_item()]).startswith("items[0].urls: https://live.test/vov1.mp3 is none of")


@pytest.mark.parametrize("cls", ["normal", "priority", "emergency"])
def test_a_commune_cannot_sign_as_the_province(cls: str):
    assert detail({}, level="province", **{"class": cls}) == "level: province, the role's is commune"


@pytest.mark.parametrize("areas", [["vn"], ["vn/ha-noi"], [AREA], ["vn/hue", AREA]])
def test_an_area_equal_to_or_below_one_of_the_roles_passes(areas: list[str]):
    assert verdict({"areas": areas}, audience={"areas": [AREA, f"{AREA}/thon-1"]}) is None


@pytest.mark.parametrize("area", ["vn", "vn/ha-noi", "vn/ha-noi/dong-thanh-2", "vn/ha-noi/an-khanh"])
def test_a_wider_or_a_neighbouring_area_is_refused_even_beside_our_own(area: str):
    assert detail({}, audience={"areas": [AREA, area]}) == f"audience.areas: {area} is outside the role's areas"


def test_naming_the_station_is_no_way_round_the_roles_areas():
    elsewhere = {"areas": ["vn/ha-noi/an-khanh"]}
    for beside in ({}, elsewhere):
        refused = detail(elsewhere, audience={"stations": ["dt-01"]} | beside)
        assert refused.startswith("audience.stations: this station is outside")
    assert verdict({}, audience={"stations": ["dt-01"]}) is None
    assert verdict({"areas": ["vn"]}, audience={"stations": ["dt-01"]}) is None


def test_an_event_that_the_role_does_not_warn_of_is_refused():
    floods = {"events": ["flash-flood", "dam"]}
    assert verdict(floods, **{"class": "emergency"}) is None
    assert verdict(floods) is None
    assert detail(floods, **{"class": "emergency", "event": "fire"}) == "event: fire is not among the role's"
    rehearsal = {"class": "emergency", "rehearsal": True, "when": {"kind": "at", "utc": NOON}}
    assert verdict(floods, **rehearsal) is None
    assert detail(floods, **rehearsal, event="fire") == "event: fire is not among the role's"


def test_a_command_that_the_role_has_not_is_refused_by_its_name():
    desk = granted(command_role(limits={"commands": ["stop", "volume"]}))
    assert over_limit(make_command(do={"what": "stop"}), desk, SITE) is None
    refusal = over_limit(make_command(), desk, SITE)
    assert refusal is not None
    assert (refusal.reason, refusal.detail) == (
        Reason.OVER_LIMIT,
        "do.what: all_stop is not among the role's commands",
    )


RULES = {
    "regulation": (make_regulation, owner_role),
    "window": (make_window, owner_role),
    "command": (make_command, command_role),
}


@pytest.mark.parametrize("kind", RULES)
def test_every_order_is_held_to_audience_level_and_areas(kind: str):
    made, role = RULES[kind]
    grant = granted(role())
    assert addressed(made(), SITE) is None
    assert over_limit(made(), grant, SITE) is None
    assert str(addressed(made(audience={"stations": ["dt-02"]}), SITE)).startswith("audience: neither")
    for over, said in (
        ({"level": "province"}, "level: province, the role's is commune"),
        ({"audience": {"areas": ["vn"]}}, "audience.areas: vn is outside the role's areas"),
    ):
        refusal = over_limit(made(**over), grant, SITE)
        assert refusal is not None
        assert (refusal.reason, refusal.detail) == (Reason.OVER_LIMIT, said)


@pytest.mark.parametrize("made", [make_window, make_command])
def test_a_window_or_a_command_for_other_zones_is_not_for_us(made: Any):
    elsewhere = made(audience={"areas": [AREA], "zones": ["elsewhere"]})
    assert addressed(elsewhere, SITE) == "audience.zones: none of this station's zones"
    assert addressed(made(audience={"areas": [AREA], "zones": ["elsewhere", "cho"]}), SITE) is None


# How long


@pytest.mark.parametrize(
    ("kind", "longest_ms"), [("regulation", 400 * DAY_MS), ("window", 400 * DAY_MS), ("command", 120_000)]
)
def test_no_role_can_pass_the_ceiling_of_what_is_no_job(kind: str, longest_ms: int):
    made, role = RULES[kind]
    grant = granted(role(limits={"validity_max_s": 400 * 86_400}))
    assert over_limit(made(not_after=NOON + longest_ms), grant, SITE) is None
    refusal = over_limit(made(not_after=NOON + longest_ms + 1), grant, SITE)
    assert refusal is not None
    assert refusal.reason is Reason.VALIDITY_TOO_LONG
    tight = over_limit(
        made(not_after=NOON + 60_001 + 90 * DAY_MS * (kind != "command")),
        granted(role(limits={"validity_max_s": 60})),
        SITE,
    )
    assert tight is not None
    assert tight.detail.endswith("at most 60 s")


@pytest.mark.parametrize(
    ("job", "longest_ms"),
    [
        ({"class": "normal"}, 600_000),
        ({"class": "priority"}, 600_000),
        ({"class": "emergency"}, 6 * HOUR_MS),
        ({"when": {"kind": "at", "utc": NOON}}, 400 * DAY_MS),
        ({"when": rule_when()}, 400 * DAY_MS),
        ({"class": "emergency", "rehearsal": True, "when": {"kind": "at", "utc": NOON}}, 400 * DAY_MS),
    ],
    ids=["normal now", "priority now", "emergency", "at", "rule", "rehearsal"],
)
def test_no_role_can_pass_the_built_in_ceiling_of_validity(job: dict[str, Any], longest_ms: int):
    widest = {"validity_max_s": 400 * 86_400}
    assert verdict(widest, **job, not_after=NOON + longest_ms) is None
    refusal = verdict(widest, **job, not_after=NOON + longest_ms + 1)
    assert refusal is not None
    assert refusal.reason is Reason.VALIDITY_TOO_LONG
    assert refusal.detail.endswith(f"at most {longest_ms // 1_000} s")


@pytest.mark.parametrize("cls", ["normal", "emergency"])
def test_a_roles_own_validity_is_the_tighter_one(cls: str):
    assert verdict({"validity_max_s": 60}, not_after=NOON + 60_000, **{"class": cls}) is None
    refusal = verdict({"validity_max_s": 60}, not_after=NOON + 60_001, **{"class": cls})
    assert refusal is not None
    assert (refusal.reason, refusal.detail) == (Reason.VALIDITY_TOO_LONG, "not_after: valid for 60 s, at most 60 s")


# At which hours


@pytest.mark.parametrize("at", ["05:00:00", "12:00:00", "20:59:59"])
def test_a_rule_within_the_roles_hours_passes(at: str):
    assert verdict(DAYTIME, when=rule_when(times=["06:00:00", at])) is None


@pytest.mark.parametrize("at", ["03:15:00", "04:30:00", "04:59:59", "21:00:00", "00:00:00"])
def test_a_rule_with_one_time_outside_the_roles_hours_is_refused(at: str):
    assert detail(DAYTIME, when=rule_when(times=["06:00:00", at])) == f"when: {at} is outside the role's hours"


def test_a_rule_in_another_time_zone_is_no_way_round_the_roles_hours():
    tokyo = rule_when(timezone="Asia/Tokyo", times=["05:30:00"])  # 03:30 in the ward
    assert detail(DAYTIME, when=tokyo).startswith("when.timezone: Asia/Tokyo; a role with hours")
    assert verdict({}, when=tokyo) is None


@pytest.mark.parametrize(
    ("hour", "passes"), [(4.999, False), (5, True), (12, True), (20.999, True), (21, False), (27.25, False)]
)
def test_a_planned_instant_counts_by_the_stations_wall_time(hour: float, passes: bool):
    at = NOON + round((hour - 12) * HOUR_MS)
    assert (verdict(DAYTIME, when={"kind": "at", "utc": at}) is None) == passes


def test_an_order_to_play_now_must_be_valid_within_the_hours_only():
    evening = NOON + 9 * HOUR_MS  # 21:00
    assert verdict(DAYTIME, not_before=evening - 600_000, not_after=evening) is None
    late = detail(DAYTIME, not_before=evening - 600_000 + 2, not_after=evening + 2)
    assert late == "when: 21:00:00 is outside the role's hours"
    morning = NOON - 7 * HOUR_MS  # 05:00
    assert verdict(DAYTIME, not_before=morning, not_after=morning + 600_000) is None
    assert detail(DAYTIME, not_before=morning - 1, not_after=morning + 1_000).startswith("when: 04:59:59")


def test_an_emergency_is_bound_by_no_hours():
    night = NOON + 12 * HOUR_MS
    assert verdict(DAYTIME, not_before=night, not_after=night + HOUR_MS, **{"class": "emergency"}) is None


def test_a_rehearsal_is_bound_by_the_roles_hours():
    rehearsal = {"class": "emergency", "rehearsal": True}
    assert verdict(DAYTIME, when={"kind": "at", "utc": NOON}, **rehearsal) is None
    night = {"kind": "at", "utc": NOON + 12 * HOUR_MS}
    assert detail(DAYTIME, when=night, **rehearsal) == "when: 00:00:00 is outside the role's hours"


def test_hours_may_go_over_midnight_or_round_the_clock():
    night = {"hours": [["22:00", "02:00"]]}
    for at in ("22:00:00", "23:59:59", "00:00:00", "01:59:59"):
        assert verdict(night, when=rule_when(times=[at])) is None
    for at in ("21:59:59", "02:00:00", "12:00:00"):
        assert detail(night, when=rule_when(times=[at])).startswith(f"when: {at}")
    assert verdict({"hours": [["00:00", "00:00"]]}, when=rule_when(times=["03:15:00"])) is None


def test_any_one_of_several_windows_is_enough():
    sessions = {"hours": [["05:00", "06:00"], ["17:00", "18:00"]]}
    assert verdict(sessions, when=rule_when(times=["05:30:00", "17:00:00"])) is None
    assert detail(sessions, when=rule_when(times=["05:30:00", "12:00:00"])).startswith("when: 12:00:00")
