"""Which fields of a job go together: what only an emergency has, and what it, a rehearsal or an all-clear needs."""

from __future__ import annotations

import pytest

from edge_agent.core.job import PlayNow
from edge_agent.trust.fields import Fields
from edge_agent.trust.orders import parse_job
from tests.trust.makers import HOUR_MS, NOON, job_dict, make_job, rule_when
from tests.trust.refusals import refusal


def test_an_emergency_names_its_event_and_plays_at_once():
    assert make_job(**{"class": "emergency"}).event == "flash-flood"
    emergency = job_dict(**{"class": "emergency"})
    assert refusal(emergency | {"when": {"kind": "at", "utc": NOON}}).startswith("when: an emergency plays at once")
    del emergency["event"]
    assert refusal(emergency) == "event: an emergency names its event"
    assert refusal(job_dict(event="flash-flood")) == "event: only an emergency has one"


def test_an_emergency_may_be_repeated_until_an_instant_of_its_validity():
    again = {"kind": "now", "every_s": 180, "until": NOON + HOUR_MS}
    emergency = job_dict(**{"class": "emergency"}, when=again)
    assert parse_job(Fields(emergency)).when == PlayNow(180_000, NOON + HOUR_MS)
    for wrong in (NOON, NOON + 6 * HOUR_MS + 1):
        refused = refusal(emergency | {"when": again | {"until": wrong}})
        assert refused == "when.until: later than not_before, not later than not_after"
    for wrong in (59, 3_601):
        assert refusal(emergency | {"when": again | {"every_s": wrong}}) == "when.every_s: an integer from 60 to 3600"
    assert refusal(emergency | {"when": {"kind": "now", "every_s": 180}}) == "when.until: missing"
    assert refusal(emergency | {"when": {"kind": "now", "until": NOON + 1}}) == "when.every_s: missing"


@pytest.mark.parametrize("cls", ["normal", "priority"])
def test_what_only_an_emergency_has_is_refused_elsewhere_by_name(cls: str):
    again = {"kind": "now", "every_s": 180, "until": NOON + 1}
    ordinary = job_dict(**{"class": cls})
    assert refusal(ordinary | {"when": again}).startswith("when.every_s: remove it, only an emergency is repeated")
    assert refusal(ordinary | {"all_clear": True, "series": "lu-1", "version": 2}).startswith("all_clear: false")
    assert refusal(ordinary | {"rehearsal": True}).startswith("rehearsal: false: only an emergency is rehearsed")


def test_a_rehearsal_is_planned_and_names_its_event():
    rehearsal = job_dict(**{"class": "emergency"}, rehearsal=True, when={"kind": "at", "utc": NOON + 1})
    assert parse_job(Fields(rehearsal)).rehearsal
    assert parse_job(Fields(rehearsal | {"when": rule_when()})).rehearsal
    assert refusal(rehearsal | {"when": {"kind": "now"}}).startswith("when: a rehearsal is planned")
    del rehearsal["event"]
    assert refusal(rehearsal) == "event: an emergency names its event"


def test_an_all_clear_ends_a_series():
    emergency = job_dict(**{"class": "emergency"}, all_clear=True)
    assert refusal(emergency) == "series: missing; an all-clear ends a series"
    job = parse_job(Fields(emergency | {"series": "lu-1", "version": 9}))
    assert (job.series, job.version, job.all_clear) == ("lu-1", 9, True)


def test_a_correction_names_another_job():
    assert make_job(corrects="job-0").corrects == "job-0"
    assert refusal(job_dict(corrects="job-1")).startswith("corrects: another job")
    assert refusal(job_dict(corrects="")) == "corrects: 1 to 64 of a-z, 0-9 and -"
