"""What was published is found again by its id for as long as it may be taken back, and not for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.core.units import DAY_MS, UtcMs
from edge_agent.headend.outbox import Outbox, OutboxError
from edge_agent.headend.signing import read_order
from tests.trust.makers import NOON, signed_command, signed_job


def test_an_order_of_any_kind_is_found_by_its_id(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "orders")
    outbox.keep(signed_job(job_id="job-1"), UtcMs(NOON))
    outbox.keep(signed_command(order_id="khoa-1"), UtcMs(NOON))
    assert outbox.find("job-1") == read_order(signed_job(job_id="job-1"))
    assert outbox.find("khoa-1") == read_order(signed_command(order_id="khoa-1"))


@pytest.mark.parametrize("order_id", ["job-2", "../trust", "", "Job"])
def test_what_was_not_published_from_here_is_not_known(tmp_path: Path, order_id: str) -> None:
    (tmp_path / "trust.json").write_bytes(signed_job())
    assert Outbox(tmp_path / "orders").find(order_id) is None


def test_what_nobody_obeys_any_more_is_forgotten_a_day_later(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    outbox.keep(signed_command(order_id="khoa-1"), UtcMs(NOON))
    outbox.keep(signed_job(job_id="job-1"), UtcMs(NOON + DAY_MS))
    assert outbox.find("khoa-1") is not None
    outbox.keep(signed_job(job_id="job-1"), UtcMs(NOON + DAY_MS + 121_000))
    assert outbox.find("khoa-1") is None
    assert outbox.find("job-1") is not None


def test_a_file_that_is_no_order_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    outbox = Outbox(tmp_path)
    outbox.keep(signed_job(job_id="job-1"), UtcMs(NOON))
    assert outbox.find("x") is None


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "orders").write_text("a file")
    with pytest.raises(OutboxError, match="orders: cannot be written"):
        Outbox(tmp_path / "orders").keep(signed_job(), UtcMs(NOON))
