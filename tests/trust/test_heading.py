"""What every order says of itself: who, in whose name, how long, for whom; each limit at its edge, in every kind."""

from __future__ import annotations

from typing import Any

import pytest

from tests.trust.makers import (
    AREA,
    NOON,
    command_dict,
    job_dict,
    make_command,
    make_job,
    make_regulation,
    make_window,
    regulation_dict,
    window_dict,
)
from tests.trust.refusals import refusal


@pytest.mark.parametrize("name", ["job_id", "issuer", "level"])
@pytest.mark.parametrize("wrong", ["", "x" * 65, "A", "a_b", "a\n", "đ", "a b", 1, None, ["a"]])
def test_a_name_is_of_small_letters_digits_and_dashes(name: str, wrong: Any):
    assert refusal(job_dict(**{name: wrong})) == f"{name}: 1 to 64 of a-z, 0-9 and -"
    assert make_job(**{name: "x" * 64})


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"audience": {}}, "audience.areas: stations or areas, at least one"),
        ({"audience": {"zones": ["cho"]}}, "audience.areas: stations or areas, at least one"),
        ({"audience": {"stations": ["x"] * 2}}, "audience.stations[1]: each only once"),
        ({"audience": {"stations": [f"x{n}" for n in range(65)]}}, "audience.stations: a list of 0 to 64"),
        ({"audience": {"areas": ["Vn"]}}, "audience.areas[0]: 1 to 6 names"),
        ({"audience": {"areas": [AREA], "zones": [1]}}, "audience.zones[0]: 1 to 64"),
        ({"audience": [AREA]}, "audience: an object"),
    ],
)
def test_a_wrong_audience_is_named(over: dict[str, Any], message: str):
    assert refusal(job_dict(**over)).startswith(message)


HEADED = {
    "regulation": (regulation_dict, make_regulation),
    "window": (window_dict, make_window),
    "command": (command_dict, make_command),
}


@pytest.mark.parametrize("kind", HEADED)
@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"order_id": "A"}, "order_id: 1 to 64 of a-z, 0-9 and -"),
        ({"issuer": ""}, "issuer: 1 to 64"),
        ({"level": None}, "level: 1 to 64"),
        ({"key_epoch": -1}, "key_epoch: an integer from 0"),
        ({"serial": 0}, "serial: an integer from 1"),
        ({"issued_at": "now"}, "issued_at: an integer from 0"),
        ({"not_before": -1}, "not_before: an integer from 0"),
        ({"not_after": NOON}, "not_after: later than not_before"),
        ({"audience": {}}, "audience.areas: stations or areas, at least one"),
    ],
)
def test_a_wrong_heading_is_named_in_every_kind(kind: str, over: dict[str, Any], message: str):
    made, _ = HEADED[kind]
    assert refusal(made(**over)).startswith(message)


@pytest.mark.parametrize("kind", HEADED)
def test_a_missing_field_of_a_heading_is_named(kind: str):
    made, _ = HEADED[kind]
    for name in ("order_id", "issuer", "level", "key_epoch", "serial", "issued_at", "not_before", "audience"):
        payload = made()
        del payload[name]
        assert refusal(payload) == f"{name}: missing"


@pytest.mark.parametrize("kind", HEADED)
def test_unknown_fields_of_an_order_are_ignored(kind: str):
    _, parsed = HEADED[kind]
    assert parsed(new=[1]) == parsed()
