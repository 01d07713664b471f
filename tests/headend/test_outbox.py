"""What was published is found again by its id for as long as it may be taken back, and not for ever."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from edge_agent.core.units import DAY_MS, UtcMs
from edge_agent.headend.files import alone
from edge_agent.headend.outbox import Outbox, OutboxError
from edge_agent.headend.signing import read_order
from tests.trust.makers import NOON, signed_command, signed_job


def test_an_order_of_any_kind_is_found_by_its_id(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "orders")
    outbox.keep(signed_job(job_id="job-1"), UtcMs(NOON))
    outbox.keep(signed_command(order_id="khoa-1"), UtcMs(NOON))
    assert outbox.find("job-1", UtcMs(NOON)) == read_order(signed_job(job_id="job-1"))
    assert outbox.find("khoa-1", UtcMs(NOON)) == read_order(signed_command(order_id="khoa-1"))


@pytest.mark.parametrize("order_id", ["job-2", "../trust", "", "Job"])
def test_what_was_not_published_from_here_is_not_known(tmp_path: Path, order_id: str) -> None:
    (tmp_path / "trust.json").write_bytes(signed_job())
    assert Outbox(tmp_path / "orders").find(order_id, UtcMs(NOON)) is None


def test_what_nobody_obeys_any_more_is_forgotten_a_day_later(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    outbox.keep(signed_command(order_id="khoa-1"), UtcMs(NOON))
    a_day, later = UtcMs(NOON + DAY_MS), UtcMs(NOON + DAY_MS + 121_000)
    outbox.keep(signed_job(job_id="job-1"), a_day)
    assert outbox.find("khoa-1", a_day) is not None
    outbox.keep(signed_job(job_id="job-1"), later)
    assert outbox.find("khoa-1", later) is None
    assert outbox.find("job-1", later) is not None
    assert outbox.envelopes(later) == [signed_job(job_id="job-1")]


def test_what_a_clock_that_was_ahead_took_for_over_counts_when_the_time_is_right_again(tmp_path: Path) -> None:
    outbox, ahead = Outbox(tmp_path / "orders"), UtcMs(NOON + 400 * DAY_MS)
    order, other = signed_job(job_id="job-1"), signed_job(job_id="job-1", volume=10)
    outbox.keep(order, UtcMs(NOON))
    outbox.keep(signed_command(order_id="khoa-1"), ahead)
    assert outbox.find("job-1", ahead) is None
    assert outbox.find("job-1", UtcMs(NOON)) == read_order(order)
    assert order in outbox.envelopes(UtcMs(NOON))
    with pytest.raises(OutboxError, match="another order was published by this id"):
        outbox.check(other, UtcMs(NOON))
    outbox.keep(signed_command(order_id="khoa-2"), UtcMs(NOON))
    assert {path.name for path in (tmp_path / "orders").glob("*.json")} == {"job-1.json", "khoa-1.json", "khoa-2.json"}


def test_a_name_that_nobody_has_given_lies_aside_undisturbed(tmp_path: Path) -> None:
    (tmp_path / "over").mkdir()
    (tmp_path / "over" / "so-x.json").write_text("{")
    outbox = Outbox(tmp_path)
    outbox.keep(signed_job(job_id="job-1"), UtcMs(NOON))
    assert outbox.envelopes(UtcMs(NOON)) == [signed_job(job_id="job-1")]
    assert (tmp_path / "over" / "so-x.json").exists()


def test_a_file_that_is_no_order_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    outbox = Outbox(tmp_path)
    outbox.keep(signed_job(job_id="job-1"), UtcMs(NOON))
    assert outbox.find("x", UtcMs(NOON)) is None


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "orders").write_text("a file")
    with pytest.raises(OutboxError, match="orders: không ghi được sổ lệnh đã gửi"):
        Outbox(tmp_path / "orders").keep(signed_job(), UtcMs(NOON))


def test_of_two_orders_that_go_out_at_once_both_stand_in_the_books(tmp_path: Path) -> None:
    """Both put aside what is over. Whoever found it gone already had his own order in no book, and stations took it
    for withdrawn."""
    outbox, kept = Outbox(tmp_path / "orders"), list[bool]()
    for number in range(50):
        outbox.keep(signed_command(order_id=f"cu-{number}"), UtcMs(NOON))
    both, later = threading.Barrier(2), UtcMs(NOON + DAY_MS + 121_000)

    def publish(job_id: str) -> None:
        both.wait()
        kept.append(Outbox(tmp_path / "orders").keep(signed_job(job_id=job_id), later) is not None)

    clerks = [threading.Thread(target=publish, args=(job_id,)) for job_id in ("job-1", "job-2")]
    for clerk in clerks:
        clerk.start()
    for clerk in clerks:
        clerk.join()
    assert kept == [True, True]
    assert outbox.envelopes(later) == [signed_job(job_id="job-1"), signed_job(job_id="job-2")]


def test_what_is_kept_is_not_listed_while_somebody_moves_it(tmp_path: Path) -> None:
    """Between two places it is in neither, and a manifest without it withdraws it everywhere."""
    outbox, listed = Outbox(tmp_path / "orders"), list[bytes]()
    outbox.keep(signed_job(job_id="job-1"), UtcMs(NOON))
    watch = threading.Thread(target=lambda: listed.extend(outbox.envelopes(UtcMs(NOON))))
    with alone(tmp_path / "orders.lock"):
        watch.start()
        watch.join(0.5)  # what waits for its turn, waits; what does not has listed by then
        assert listed == []
    watch.join()
    assert listed == [signed_job(job_id="job-1")]


def test_an_order_that_was_put_aside_and_published_again_is_listed_once_with_all_its_signatures(tmp_path: Path) -> None:
    """Both by a clock that was ahead."""
    outbox, ahead = Outbox(tmp_path / "orders"), UtcMs(NOON + 400 * DAY_MS)
    outbox.keep(signed_job(job_id="job-1"), UtcMs(NOON))
    outbox.keep(signed_command(order_id="khoa-1", not_after=ahead + 1), ahead)
    both = signed_job(job_id="job-1", by=("officer", "deputy"))
    outbox.keep(both, ahead)
    for number in range(2):
        assert outbox.envelopes(UtcMs(NOON)).count(both) == 1
        assert signed_job(job_id="job-1") not in outbox.envelopes(UtcMs(NOON))
        outbox.keep(signed_job(job_id=f"job-{number + 2}"), UtcMs(NOON))


def test_a_cancel_is_not_kept_from_going_out_by_books_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "orders.lock").mkdir()
    outbox = Outbox(tmp_path / "orders")
    assert outbox.find("job-1", UtcMs(NOON)) is None
    assert outbox.entry("job-1", UtcMs(NOON)) is None
    outbox.check(signed_job(), UtcMs(NOON))
