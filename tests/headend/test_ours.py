"""What a station refuses without an id is named by its digest: a document, an order, or nothing of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.core.trust_standing import TrustVersion
from edge_agent.core.units import UtcMs
from edge_agent.headend import ours as ours_module
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.ours import Ours
from edge_agent.headend.outbox import Outbox
from edge_agent.headend.signing import digest_of
from tests.headend.ward_by_commands import make_ward
from tests.trust.makers import NOON, signed_command, signed_job

ORDER, OTHER = signed_job(job_id="job-1"), signed_command(order_id="khoa-1")


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_ward(tmp_path_factory.mktemp("made"))


def test_a_document_of_ours_is_none_of_our_orders_and_a_strangers_is_neither(ward: Path) -> None:
    keyring = Keyring(ward)
    ours = Ours(keyring)
    assert ours.named(digest_of(ORDER)) is None
    named = [ours.named(digest_of(envelope)) for envelope in keyring.documents]
    assert [type(one) for one in named] == [TrustVersion] * len(keyring.documents)
    assert TrustVersion("", 0, 1) in named
    Outbox(ward / "orders").keep(ORDER, UtcMs(NOON))
    assert ours.named(digest_of(ORDER)) == "job-1"
    assert (ours.named(digest_of(OTHER)), ours.named("")) == (None, None)


def test_a_file_that_is_no_order_hides_no_other(ward: Path) -> None:
    Outbox(ward / "orders").keep(OTHER, UtcMs(NOON))
    (ward / "orders" / "hong.json").write_text("{")
    (ward / "orders" / "thu-muc.json").mkdir()
    assert Ours(Keyring(ward)).named(digest_of(OTHER)) == "khoa-1"


def test_rubbish_that_stations_are_made_to_refuse_does_not_make_us_read_all_orders_each_time(
    ward: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, read = Ours(Keyring(ward)), []
    monkeypatch.setattr(ours_module, "digest_of", lambda envelope: read.append(envelope) or digest_of(envelope))
    ours.named("a" * 64)
    once = len(read)
    assert [ours.named("b" * 64), len(read)] == [None, once]
