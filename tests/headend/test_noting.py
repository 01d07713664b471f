"""What goes out stands in the books from before, whatever breaks off behind it; what has reached nobody does not."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_agent.core.heads import area_scope
from edge_agent.headend import dispatch, serials
from edge_agent.headend.cli import main
from edge_agent.headend.given import heading_of
from edge_agent.headend.headend import utc_now
from edge_agent.headend.manifest_shelf import renew
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.noting import noted
from edge_agent.headend.outbox import Outbox
from edge_agent.headend.roles import default_roles
from edge_agent.headend.session import PublishError, Receipt
from edge_agent.headend.signing import read_order
from edge_agent.trust.envelope import Envelope, open_envelope
from edge_agent.trust.fields import Fields
from edge_agent.trust.manifests import parse_head, read_manifest
from edge_agent.trust.strict_json import parse
from tests.headend.fake_station import AREA
from tests.headend.ward_by_commands import sign

BULLETIN = f"""
job_id = "ban-tin-1"
class = "normal"
areas = ["{AREA}"]
volume = 60
when = {{ first_day = 2099-01-01, last_day = 2099-03-31, times = ["05:30"] }}
not_before = 2098-12-31T00:00:00+07:00
items = [{{ title = "Tin", text = "Xin chào." }}]
"""


class Broker:
    """Stands for the session: takes so many messages, then it does what it is told to."""

    def __init__(self, takes: int, then: BaseException, *, while_waiting: BaseException | None = None) -> None:
        self._left, self._then, self._while_waiting = takes, then, while_waiting

    def publish(self, topics: Sequence[str], envelope: bytes, expiry: int, tell: dispatch.Tell) -> Any:
        return dispatch.Talk.publish(self, topics, envelope, expiry, tell)  # type: ignore[arg-type]

    @property
    def _session(self) -> Broker:
        return self

    def deliver(self, topic: str, payload: bytes, expiry_s: int, timeout_s: float) -> Receipt:
        if self._left == 0:
            raise self._then
        self._left -= 1
        return Receipt.TAKEN

    def heard(self, wait_s: float) -> Iterator[Any]:
        if self._while_waiting is not None:
            raise self._while_waiting
        return iter(())


class Ward:
    """A ward in whose manifest a bulletin stands, and what its desk types."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.place, self._monkeypatch = folder / "ward", monkeypatch
        self.keyring = create_keyring(self.place, "demo", default_roles(AREA, 1), utc_now())
        for station in ("tram-01", "tram-02"):
            self.keyring.enrol(station, AREA)
        (folder / "draft.toml").write_text(BULLETIN)
        assert sign(self.place, "--draft", str(folder / "draft.toml"), "--key", "ward-routine") == 0
        self.bulletin = folder / "order.json"

    def publish(self, broker: Broker) -> int:
        return self._desk(broker, "publish", "--envelope", str(self.bulletin))

    def cancel(self, broker: Broker, *more: str) -> int:
        return self._desk(broker, "order", "cancel", "ban-tin-1", *more)

    def all_stop(self, broker: Broker) -> int:
        return self._desk(broker, "order", "all-stop")

    def sign_another(self, job_id: str) -> bytes:
        draft = self.place.parent / f"{job_id}.toml"
        draft.write_text(BULLETIN.replace("ban-tin-1", job_id))
        out = self.place.parent / f"{job_id}.json"
        done = main(
            ["sign", "--dir", str(self.place), "--out", str(out), "--draft", str(draft), "--key", "ward-routine"]
        )
        assert done == 0
        return out.read_bytes()

    def renew(self) -> None:
        renew(self.keyring, self.place / "content", utc_now())

    def listed(self) -> set[str]:
        """The ids that the ward's manifest lists."""
        shelf = self.place / "content"
        opened = open_envelope((shelf / "head" / area_scope(AREA) / "head.json").read_bytes())
        assert isinstance(opened, Envelope)
        head = parse_head(Fields(parse(opened.payload)))
        return {str(one.order_id) for one in read_manifest((shelf / "paper" / head.digest).read_bytes()).orders}

    def noted(self) -> list[Path]:
        return [*(self.place / "orders").glob("*.json")]

    def _desk(self, broker: Broker, *words: str) -> int:
        @contextmanager
        def talking(*_: object) -> Iterator[Broker]:
            yield broker

        self._monkeypatch.setattr(dispatch, "talking", talking)
        task, *rest = words
        inner = [rest.pop(0)] if task == "order" else []
        return main([task, *inner, *rest, "--dir", str(self.place), "--broker", "localhost:1"])


@pytest.fixture
def ward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ward:
    return Ward(tmp_path, monkeypatch)


def test_a_cancel_whose_answers_nobody_waits_for_to_the_end_stands_in_the_manifest(ward: Ward) -> None:
    assert ward.publish(Broker(9, AssertionError())) == 0
    assert "ban-tin-1" in ward.listed()
    assert ward.cancel(Broker(9, AssertionError(), while_waiting=KeyboardInterrupt())) == 130
    assert "ban-tin-1" not in ward.listed(), "a station that was away would play it"


@pytest.mark.parametrize("breaks", [KeyboardInterrupt(), PublishError("the broker refused the second topic")])
def test_what_has_reached_one_of_its_topics_is_noted(ward: Ward, breaks: BaseException) -> None:
    assert ward.publish(Broker(9, AssertionError())) == 0
    assert ward.cancel(Broker(1, breaks), "--station", "tram-01,tram-02") != 0
    assert len(ward.noted()) == 2


@pytest.mark.parametrize("breaks", [KeyboardInterrupt(), PublishError("no broker")])
def test_a_cancel_that_has_reached_nobody_is_none(ward: Ward, breaks: BaseException) -> None:
    assert ward.publish(Broker(9, AssertionError())) == 0
    assert ward.cancel(Broker(0, breaks)) != 0
    assert ward.listed() == {"ban-tin-1"}


@pytest.mark.parametrize("breaks", [KeyboardInterrupt(), PublishError("no broker")])
def test_what_has_reached_nobody_is_not_noted_and_can_be_sent_again(ward: Ward, breaks: BaseException) -> None:
    assert ward.publish(Broker(0, breaks)) != 0
    assert ward.listed() == set()
    assert ward.publish(Broker(9, AssertionError())) == 0
    assert ward.listed() == {"ban-tin-1"}


@pytest.mark.parametrize(("breaks", "status"), [(KeyboardInterrupt("broken off"), 130), (PublishError("no broker"), 1)])
def test_why_it_did_not_go_out_is_told_though_the_manifests_cannot_be_kept_either(
    ward: Ward, breaks: BaseException, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told of a file alone, whoever has typed the stop takes it for sent."""
    (ward.place / "manifests.json").write_text("{")
    capsys.readouterr()
    assert ward.all_stop(Broker(0, breaks)) == status
    assert str(breaks) in capsys.readouterr().err


@pytest.mark.parametrize("spoil", ["manifests.json", "orders.lock"])
def test_which_stations_have_answered_a_stop_is_shown_though_the_books_cannot_be_kept(
    ward: Ward, spoil: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (ward.place / spoil).unlink(missing_ok=True)
    (ward.place / spoil).mkdir()
    capsys.readouterr()
    assert ward.all_stop(Broker(9, AssertionError())) == 1
    told = capsys.readouterr()
    assert "tram-01: CHƯA TRẢ LỜI" in told.out
    assert "tram-02: CHƯA TRẢ LỜI" in told.out
    assert "lỗi / error: " in told.err


def test_what_was_published_before_stays_in_force_where_sending_it_again_fails(ward: Ward) -> None:
    assert ward.publish(Broker(9, AssertionError())) == 0
    assert ward.publish(Broker(0, PublishError("no broker"))) == 1
    assert ward.listed() == {"ban-tin-1"}


def test_what_another_terminal_has_sent_meanwhile_stays_in_force_where_this_one_fails(ward: Ward) -> None:
    """The first one waits half a minute for a broker that it cannot reach, and whoever sits there opens a second."""
    envelope, outbox = ward.bulletin.read_bytes(), Outbox(ward.place / "orders")
    with contextlib.suppress(PublishError), noted(ward.keyring, outbox, envelope, utc_now(), ward.renew):
        assert ward.publish(Broker(9, AssertionError())) == 0
        raise PublishError("no broker")
    assert ward.listed() == {"ban-tin-1"}


def test_what_this_terminal_sends_while_another_one_fails_is_in_force(ward: Ward) -> None:
    envelope, outbox = ward.bulletin.read_bytes(), Outbox(ward.place / "orders")
    first = noted(ward.keyring, outbox, envelope, utc_now(), ward.renew)
    first.__enter__()
    with noted(ward.keyring, outbox, envelope, utc_now(), ward.renew) as handed:
        with contextlib.suppress(PublishError):
            first.__exit__(PublishError, PublishError("no broker"), None)
        handed()
    assert ward.listed() == {"ban-tin-1"}


def test_what_two_terminals_have_sent_to_nobody_is_not_in_force(ward: Ward) -> None:
    envelope, outbox = ward.bulletin.read_bytes(), Outbox(ward.place / "orders")
    with contextlib.suppress(PublishError), noted(ward.keyring, outbox, envelope, utc_now(), ward.renew):
        assert ward.publish(Broker(0, PublishError("no broker"))) == 1
        raise PublishError("no broker")
    assert ward.listed() == set()


def test_a_manifest_that_another_terminal_makes_meanwhile_lists_it_already(ward: Ward) -> None:
    envelope, outbox = ward.bulletin.read_bytes(), Outbox(ward.place / "orders")
    with noted(ward.keyring, outbox, envelope, utc_now(), ward.renew) as handed:
        ward.renew()
        assert ward.listed() == {"ban-tin-1"}
        handed()


def test_what_a_manifest_covers_already_is_listed_before_it_goes_out(ward: Ward) -> None:
    early, late = ward.bulletin.read_bytes(), ward.sign_another("ban-tin-2")
    for envelope, before in ((late, set()), (early, {"ban-tin-1", "ban-tin-2"})):
        ward.renew()
        with noted(ward.keyring, Outbox(ward.place / "orders"), envelope, utc_now(), ward.renew) as handed:
            assert ward.listed() == before, "and an emergency waits for no manifest"
            handed()


def test_what_cannot_be_listed_first_although_it_must_does_not_go_out_and_is_not_noted(ward: Ward) -> None:
    for envelope in (ward.sign_another("ban-tin-2"), ward.bulletin.read_bytes()):
        broken, books = ward.noted(), Outbox(ward.place / "orders")

        def renew(broken: bool = bool(broken)) -> None:
            if broken:
                raise OSError("no room for manifests")
            ward.renew()

        with contextlib.suppress(OSError), noted(ward.keyring, books, envelope, utc_now(), renew) as handed:
            assert not broken, "stations would take it for withdrawn"
            handed()
    assert [path.name for path in ward.noted()] == ["ban-tin-2.json"]


def test_books_that_cannot_be_written_keep_no_stop_from_going_out(
    ward: Ward, capsys: pytest.CaptureFixture[str]
) -> None:
    (ward.place / "orders").write_text("a file")
    assert ward.all_stop(Broker(9, AssertionError())) == 1
    shown = capsys.readouterr()
    assert "taken by the broker" in shown.out
    assert "orders: không ghi được sổ lệnh đã gửi" in shown.err


def test_manifests_that_nobody_can_read_keep_no_stop_from_going_out(
    ward: Ward, capsys: pytest.CaptureFixture[str]
) -> None:
    (ward.place / "manifests.json").write_text("{")
    assert ward.all_stop(Broker(9, AssertionError())) == 1
    shown = capsys.readouterr()
    assert "taken by the broker" in shown.out
    assert "manifests.json: " in shown.err


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "serials.json")


@pytest.mark.parametrize("breaks", ["write_durably", "alone"])
def test_a_disk_that_takes_no_number_keeps_no_stop_from_going_out(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], breaks: str
) -> None:
    monkeypatch.setattr(serials, breaks, full)
    assert ward.all_stop(Broker(9, AssertionError())) == 0
    assert "taken by the broker" in capsys.readouterr().out
    ((stop,), last) = [read_order(path.read_bytes()) for path in ward.noted()], ward.keyring.serials.last()
    assert heading_of(stop).serial > last["dong-thanh"]


def test_a_number_of_elsewhere_that_cannot_be_noted_is_told_and_keeps_no_order_from_going_out(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (ward.place / "serials.json").unlink()
    with monkeypatch.context() as broken:
        broken.setattr(serials, "write_durably", full)
        assert ward.publish(Broker(9, AssertionError())) == 0
    shown = capsys.readouterr()
    assert "taken by the broker" in shown.out
    assert "serials.json: No space left on device" in shown.err
    (ward.place / "serials.json").write_text("{")
    assert ward.publish(Broker(9, AssertionError())) == 0
    assert "restore it, its numbers must never go back" in capsys.readouterr().err
