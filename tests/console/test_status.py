"""The status file is either understood in full or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.console.status import STATUS_BYTES_MAX, UTC_MAX, Scope, StatusError, Zone, read_status
from edge_agent.core.heads import ScopeStatus
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.outlook import InForce
from edge_agent.core.reasons import Reason
from edge_agent.core.units import UtcMs
from edge_agent.sync.messages import STATE_BYTES_MAX
from edge_agent.sync.reports import HostStatus, OfferStatus, ZoneStatus
from tests.console.pictures import AT, BULLETIN, CHO, FLOOD, NAME, SENDER, held, picture, status

FULL = picture(
    playing=(FLOOD,),
    next=(held(Reason.QUIET_HOURS),),
    zones=(ZoneStatus(CHO, "Chợ", True, FLOOD.job_id, 70, True, -12),),
    offers=(OfferStatus(FLOOD.job_id, "Chương trình thành phố", JobClass.NORMAL, "province", AT),),
    rules=InForce("128/QĐ-UBND", (time(21), time(5)), locked=(CHO,), silenced=(CHO,)),
    manifests=(ScopeStatus("area/vn", 1, 7, AT, 2, Reason.MANIFEST_UNREACHABLE),),
)
LATER = {("offers",), ("rules",), ("waits",), ("manifests",), ("zones", 0, "heard"), ("zones", 0, "level_db")}
# What an agent of the version before did not say: without it the rest is shown all the same.
UNUSED = {"area", "level", "at", "boot_id", "device_up", "online", "realm", "type", "why", "serial", "epoch", "counter"}
# Whether the device process is up the console asks itself.
# What only the centre reads.


def test_what_the_agent_writes_is_read_back() -> None:
    seen = read_status(FULL)
    assert (seen.station, seen.name, seen.software) == ("dt-017", NAME, SENDER.software)
    assert (seen.clock.utc, seen.clock.trusted, seen.welcomed, seen.records_waiting) == (AT, True, True, 0)
    assert seen.zones == (Zone(CHO, "Chợ", True, FLOOD.job_id, 70, True, -12),)
    assert [(play.job_id, play.phase, play.cls) for play in seen.playing] == [
        ("j-2", Phase.PLAYING, JobClass.EMERGENCY)
    ]
    assert [(play.title, play.planned, play.reason) for play in seen.next] == [
        (BULLETIN.title, BULLETIN.planned, Reason.QUIET_HOURS)
    ]
    assert (seen.host.address, seen.host.temperature_c, seen.host.undervoltage) == ("10.7.0.17", 45, False)


def test_what_holds_and_what_waits_to_be_chosen_is_read_back() -> None:
    seen = read_status(FULL)
    assert [(offer.title, offer.expires) for offer in seen.offers] == [("Chương trình thành phố", AT)]
    assert seen.rules == InForce("128/QĐ-UBND", (time(21), time(5)), (CHO,), (CHO,))


def test_what_the_manifests_say_is_lacking_is_read_back() -> None:
    assert read_status(FULL).manifests == (Scope("area/vn", AT, 2, Reason.MANIFEST_UNREACHABLE),)
    assert read_status(picture()).manifests is None, "no home is configured"
    assert read_status(picture(manifests=())).manifests == ()


def test_an_agent_of_the_version_before_says_nothing_of_them() -> None:
    whole = {name: value for name, value in json.loads(FULL).items() if (name,) not in LATER}
    seen = read_status(json.dumps(whole).encode())
    assert (seen.offers, seen.rules) == ((), None)


@pytest.mark.parametrize("quiet", [["21:00"], ["21:00", "24:00"], ["9", "5"], [21, 5], "21:00"])
def test_quiet_hours_are_two_times_of_day(quiet: object) -> None:
    with pytest.raises(StatusError, match="quiet"):
        read_status(changed(("rules", "quiet"), lambda inside, key: inside.update({key: quiet})))


def test_a_station_that_sees_nothing_of_its_box_is_readable() -> None:
    assert status(host=HostStatus()).host.temperature_c is None


@pytest.mark.parametrize(("relay", "shown"), [(True, True), (False, False), (None, None)])
def test_a_relay_is_on_off_or_unknown(relay: bool | None, shown: bool | None) -> None:
    assert status(zones=(ZoneStatus(CHO, "Chợ", relay, None, 70),)).zones[0].relay_on is shown


def test_the_largest_picture_that_the_agent_writes_is_read() -> None:
    assert STATE_BYTES_MAX < STATUS_BYTES_MAX


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything inside a JSON value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


USED = [path for path in places(json.loads(FULL)) if not UNUSED & {step for step in path if isinstance(step, str)}]


def changed(path: tuple[Any, ...], change: Any) -> bytes:
    whole = json.loads(FULL)
    inside = whole
    for step in path[:-1]:
        inside = inside[step]
    change(inside, path[-1])
    return json.dumps(whole).encode()


@pytest.mark.parametrize("path", [path for path in USED if isinstance(path[-1], str) and path not in LATER], ids=str)
def test_a_picture_without_one_of_its_fields_is_refused(path: tuple[Any, ...]) -> None:
    with pytest.raises(StatusError):
        read_status(changed(path, lambda inside, key: inside.pop(key)))


@pytest.mark.parametrize("wrong", [17.5, -1, "x", [], {}, True, [7]], ids=str)
@pytest.mark.parametrize("path", USED, ids=str)
def test_a_field_of_another_kind_is_refused_or_harmless(path: tuple[Any, ...], wrong: object) -> None:
    def put(inside: Any, key: Any) -> None:
        inside[key] = wrong

    data = changed(path, put)
    try:
        read_status(data)
    except StatusError:
        return
    was: Any = json.loads(FULL)
    for step in path:
        was = was[step]
    assert type(wrong) is type(was), f"{path} took {wrong!r} in place of {was!r}"


def test_a_field_more_is_no_fault() -> None:
    def add(inside: Any, key: Any) -> None:
        inside["uplink"] = "4G"

    assert read_status(changed(("host", "address"), add)) == read_status(FULL)


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b"{}", b"\xff\xfe", b"{" * 40_000, b"[" * 60_000, b" " * STATUS_BYTES_MAX + b"{}", FULL[:-9]],
    ids=lambda data: repr(data[:8]),
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(StatusError):
        read_status(data)


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_and_nothing_else_happens(data: bytes) -> None:
    with pytest.raises(StatusError):
        read_status(data)


def test_a_name_that_is_shown_over_and_over_fills_no_memory() -> None:
    """Whoever has taken the agent over writes 65 kB, of which a technician's console would make 180 MB."""
    whole = json.loads(FULL)
    zone, play = whole["zones"][0], whole["next"][0]
    long = {**whole, "zones": [{**zone, "name": "x" * 30_000}], "next": [{**play, "zones": [CHO] * 4_000}]}
    for spoilt in (
        long,
        {**long, "next": [play]},
        {**long, "zones": [zone]},
        {**whole, "next": [{**play, "title": "x" * 50_000}]},
        {**whole, "rules": {**whole["rules"], "locked": ["x" * 50_000]}},
    ):
        data = json.dumps(spoilt).encode()
        assert len(data) <= STATUS_BYTES_MAX
        with pytest.raises(StatusError):
            read_status(data)


def test_an_instant_that_no_calendar_holds_is_refused() -> None:
    with pytest.raises(StatusError, match="planned"):
        status(next=(replace(BULLETIN, planned=UtcMs(UTC_MAX + 1)),))


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("clock", "source"), "sundial"),
        (("clock", "utc"), -1),
        (("clock", "max_error_ms"), -1),
        (("zones", 0, "relay"), "half"),
        (("zones", 0, "volume_max"), 101),
        (("playing", 0, "class"), "urgent"),
        (("playing", 0, "phase"), "humming"),
        (("playing", 0, "zones"), [7]),
        (("next", 0, "reason"), "mood"),
        (("records_waiting",), -1),
    ],
    ids=str,
)
def test_a_value_of_the_right_kind_that_means_nothing_is_refused(path: tuple[Any, ...], wrong: object) -> None:
    def put(inside: Any, key: Any) -> None:
        inside[key] = wrong

    with pytest.raises(StatusError):
        read_status(changed(path, put))
