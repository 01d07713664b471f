"""When a job plays: every limit of an instant and of a rule at its edge, and an error that names the field."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest

from edge_agent.core.job import PlayAt, Rule
from tests.trust.makers import NOON, job_dict, make_job, rule_when
from tests.trust.refusals import refusal


def test_every_field_of_a_rule_arrives_in_its_place():
    assert make_job(when=rule_when()).when == Rule(
        timezone="Asia/Ho_Chi_Minh",
        first_day=date(2026, 10, 1),
        last_day=date(2026, 12, 31),
        weekdays=frozenset({1, 2, 3, 4, 5}),
        times=(time(5, 30), time(17)),
        excluded=frozenset({date(2026, 11, 20)}),
    )


def test_an_instant_is_kept_to_the_millisecond():
    assert make_job(when={"kind": "at", "utc": NOON + 1}).when == PlayAt(NOON + 1)


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"timezone": "Asia/Hanoi"}, "timezone: a time zone"),
        ({"timezone": "Asia"}, "timezone: a time zone"),
        ({"timezone": "../../etc/passwd"}, "timezone: a time zone"),
        ({"timezone": "/etc/localtime"}, "timezone: a time zone"),
        ({"timezone": "localtime"}, "timezone: a time zone"),
        ({"timezone": "right/Asia/Ho_Chi_Minh"}, "timezone: a time zone"),
        ({"timezone": "+07:00"}, "timezone: a time zone"),
        ({"timezone": "A" * 65}, "timezone: a time zone"),
        ({"timezone": ""}, "timezone: a time zone"),
        ({"first_day": "2027-01-01"}, "last_day: not before first_day"),
        ({"first_day": "20261001"}, "first_day: a day"),
        ({"first_day": "2026-W40-4"}, "first_day: a day"),
        ({"first_day": "2026-02-29"}, "first_day: a day"),
        ({"last_day": "0000-01-01"}, "last_day: a day"),
        ({"last_day": None}, "last_day: a day"),
        ({"weekdays": []}, "weekdays: a list of 1 to 7"),
        ({"weekdays": [0]}, "weekdays[0]: an integer from 1 to 7"),
        ({"weekdays": [8]}, "weekdays[0]: an integer from 1 to 7"),
        ({"weekdays": [1, 1]}, "weekdays[1]: each only once"),
        ({"weekdays": [True]}, "weekdays[0]: an integer from 1 to 7"),
        ({"times": []}, "times: a list of 1 to 24"),
        ({"times": [f"05:00:{n:02}" for n in range(25)]}, "times: a list of 1 to 24"),
        ({"times": ["05:30"]}, "times[0]: wall time"),
        ({"times": ["24:00:00"]}, "times[0]: wall time"),
        ({"times": ["05:30:60"]}, "times[0]: wall time"),
        ({"times": ["05:30:00Z"]}, "times[0]: wall time"),
        ({"times": ["05:30:00", "05:30:00"]}, "times[1]: each only once"),
        ({"excluded": ["2026-13-01"]}, "excluded[0]: a day"),
        ({"excluded": ["2026-11-20", "2026-11-31"]}, "excluded[1]: a day"),
        ({"excluded": ["2026-11-20"] * 2}, "excluded[1]: each only once"),
        ({"excluded": [f"2026-{n // 28 + 1:02}-{n % 28 + 1:02}" for n in range(61)]}, "excluded: a list of 0 to 60"),
        ({"kind": "cron"}, "kind: one of now, at, rule, not cron"),
        ({"kind": "at"}, "utc: missing"),
        ({"kind": "at", "utc": 4_102_444_800_001}, "utc: an integer from 0 to 4102444800000"),
    ],
)
def test_a_wrong_rule_is_named(over: dict[str, Any], message: str):
    assert refusal(job_dict(when=rule_when(**over))).startswith(f"when.{message}")


def test_the_largest_rule_is_taken():
    times = [f"{hour:02}:00:00" for hour in range(24)]
    excluded = [f"2026-{n // 28 + 1:02}-{n % 28 + 1:02}" for n in range(60)]
    rule = make_job(when=rule_when(times=times, weekdays=[7, 6, 5, 4, 3, 2, 1], excluded=excluded)).when
    assert (len(rule.times), len(rule.weekdays), len(rule.excluded)) == (24, 7, 60)
