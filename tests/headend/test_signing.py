"""Officers' signatures: two are two only by two keys, and the second changes nothing of what the first signed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edge_agent.core.events import Rejected
from edge_agent.core.job import Accepted
from edge_agent.core.order import AcceptedRule
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Site, ZoneSite
from edge_agent.core.units import StationId, UtcMs, ZoneId
from edge_agent.headend.composing import compose, expiry_s, topics_of
from edge_agent.headend.enrolment import Enrolled
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.foresight import Foreseen, foresee
from edge_agent.headend.given import heading_of
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.roles import default_roles
from edge_agent.headend.signing import SigningError, add_signature, read_order
from edge_agent.trust.judge import make_judge
from edge_agent.trust.keys import new_signer
from tests.headend.fake_station import AREA

NOW = UtcMs(1_790_000_000_000)
FLOOD: dict[str, object] = {
    "class": "emergency",
    "event": "lu-quet",
    "areas": [AREA],
    "stations": ["tram-01"],
    "volume": 100,
    "items": [{"title": "Cảnh báo lũ quét", "text": "Nước đang lên."}],
}


REGULATION: dict[str, object] = {
    "type": "regulation",
    "number": "128/QĐ-UBND",
    "dated": "2026-09-01",
    "areas": [AREA],
    "clauses": [{"quiet": ["21:00", "05:00"], "session_minutes": 15, "volume": 70}],
}
SILENCE: dict[str, object] = {
    "type": "window",
    "kind": "silence",
    "basis": "Nhà có tang",
    "for_minutes": 600,
    "areas": [AREA],
}
STATIONS = {StationId("tram-01"): Enrolled(StationId("tram-01"), AREA, "", new_signer().public)}


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return create_keyring(tmp_path, "demo", default_roles(AREA, 2), NOW)


def judged(keyring: Keyring, envelope: bytes) -> object:
    zones = {ZoneId("c1"): ZoneSite(ZoneId("c1"), "", 0)}
    site = Site(StationId("tram-01"), "demo", AREA, "Asia/Ho_Chi_Minh", zones)
    return make_judge(keyring.trust, site)("loa/1/d/tram-01/job", envelope)


def test_an_order_waits_for_the_second_officer(keyring: Keyring) -> None:
    finished, first = compose(keyring, FLOOD, ["ward-emergency-1"], None, NOW)
    verdict = judged(keyring, first)
    assert isinstance(verdict, Rejected)
    assert verdict.reason is Reason.TOO_FEW_SIGNATURES
    both = judged(keyring, add_signature(first, keyring.signer("ward-emergency-2")))
    assert isinstance(both, Accepted)
    assert both.job == finished.job
    assert len(both.signers) == 2


def test_both_officers_may_sign_at_once(keyring: Keyring) -> None:
    _, envelope = compose(keyring, FLOOD, ["ward-emergency-1", "ward-emergency-2"], None, NOW)
    assert isinstance(judged(keyring, envelope), Accepted)


def test_one_officer_cannot_sign_twice(keyring: Keyring) -> None:
    _, envelope = compose(keyring, FLOOD, ["ward-emergency-1"], None, NOW)
    with pytest.raises(SigningError, match="another officer"):
        add_signature(envelope, keyring.signer("ward-emergency-1"))


def test_an_order_takes_issuer_and_level_from_the_keys_role(keyring: Keyring) -> None:
    finished, _ = compose(keyring, FLOOD, ["ward-emergency-1"], None, NOW)
    assert (finished.job.issuer, finished.job.level) == ("dong-thanh", "commune")


@pytest.mark.parametrize("folder", ["out of a backup", "an officer's own"])
def test_a_folder_that_knows_nothing_of_the_last_orders_gives_no_warning_the_id_of_one_of_them(
    keyring: Keyring, tmp_path: Path, folder: str
) -> None:
    """A station refuses the second order of one id, an emergency too."""
    other = tmp_path / "other"
    if folder == "out of a backup":
        shutil.copytree(keyring.directory, other)
    else:
        shutil.copytree(keyring.directory / "keys", other / "keys")
        shutil.copyfile(keyring.directory / "trust.json", other / "trust.json")
    bulletin = {name: value for name, value in FLOOD.items() if name != "event"} | {"class": "normal"}
    sent = [compose(keyring, bulletin, ["ward-routine"], None, UtcMs(NOW + second * 1_000))[0] for second in range(3)]
    warning = compose(Keyring(other), FLOOD, ["ward-emergency-1"], None, UtcMs(NOW + 60_000))[0]
    assert warning.job.job_id not in {one.job.job_id for one in sent}
    assert warning.job.serial > max(one.job.serial for one in sent)


def test_by_a_clock_that_went_back_serials_go_on(keyring: Keyring) -> None:
    first = compose(keyring, FLOOD, ["ward-emergency-1"], None, NOW)[0]
    second = compose(keyring, FLOOD, ["ward-emergency-1"], None, UtcMs(NOW - 3_600_000))[0]
    assert second.job.serial == first.job.serial + 1


@pytest.mark.parametrize(
    ("draft", "key"),
    [
        (REGULATION, "ward-policy"),
        (SILENCE, "ward-policy"),
        ({"type": "command", "do": "lock", "for_minutes": 120, "areas": [AREA], "zones": ["c1"]}, "ward-routine"),
        ({"type": "command", "do": "cancel", "target": "ubnd-dong-thanh-1", "areas": [AREA]}, "ward-policy"),
    ],
)
def test_an_order_of_each_kind_is_signed_read_back_and_obeyed(
    keyring: Keyring, draft: dict[str, object], key: str
) -> None:
    finished, envelope = compose(keyring, draft, [key], None, NOW)
    accepted = judged(keyring, envelope)
    assert isinstance(accepted, AcceptedRule)
    assert accepted.order == finished.order == read_order(envelope)
    assert topics_of(finished.order) == (f"loa/1/area/{AREA}/job",)
    assert expiry_s(finished.order, NOW) * 1_000 == heading_of(finished.order).not_after - NOW
    assert foresee(keyring.trust, STATIONS, finished.order, envelope, "Asia/Ho_Chi_Minh") == Foreseen(1, ())


def test_what_its_role_may_not_command_is_foreseen(keyring: Keyring) -> None:
    draft = {"type": "command", "do": "stop", "areas": [AREA]}
    finished, envelope = compose(keyring, draft, ["ward-policy"], None, NOW)
    told = foresee(keyring.trust, STATIONS, finished.order, envelope, "Asia/Ho_Chi_Minh")
    ((station, reason, detail),) = told.refusals
    assert (told.addressed, station, reason) == (1, "tram-01", Reason.OVER_LIMIT)
    assert "stop is not among the role's commands" in detail


def test_no_key_signs_what_its_roles_do_not_order(keyring: Keyring) -> None:
    with pytest.raises(KeyringError, match="may sign no window; take one of ward-policy"):
        compose(keyring, SILENCE, ["ward-routine"], None, NOW)
    with pytest.raises(KeyringError, match="may sign no job"):
        compose(keyring, FLOOD, ["ward-policy"], None, NOW)
    assert keyring.serials.last() == {}


def test_a_servers_key_composes_no_order(keyring: Keyring) -> None:
    with pytest.raises(KeyringError, match="may sign no job; take one of province, ward-routine, ward-emergency"):
        compose(keyring, FLOOD, ["welcome"], None, NOW)
    assert keyring.serials.last() == {}


def test_an_order_goes_to_every_station_and_area_it_names_and_expires_at_the_broker(keyring: Keyring) -> None:
    job = compose(keyring, FLOOD, ["ward-emergency-1"], None, NOW)[0].job
    assert topics_of(job) == ("loa/1/d/tram-01/job", f"loa/1/area/{AREA}/job")
    assert expiry_s(job, NOW) == 1_800
    assert expiry_s(job, UtcMs(job.not_after - 1)) == 1
    with pytest.raises(SigningError, match="hết hiệu lực"):
        expiry_s(job, job.not_after)


@pytest.mark.parametrize("envelope", [b"", b"{}", b"\xff"])
def test_what_is_no_envelope_cannot_be_signed_on(keyring: Keyring, envelope: bytes) -> None:
    with pytest.raises(SigningError, match="envelope: "):
        add_signature(envelope, keyring.signer("ward-routine"))


def test_what_is_no_job_cannot_be_signed_on(keyring: Keyring) -> None:
    _, envelope = compose(keyring, FLOOD, ["ward-emergency-1"], None, NOW)
    other = json.loads(envelope) | {"payloadType": "application/vnd.loa.welcome+json"}
    with pytest.raises(SigningError, match="payloadType"):
        read_order(json.dumps(other).encode())


def test_an_envelope_takes_sixteen_signatures_and_no_more(keyring: Keyring, tmp_path: Path) -> None:
    _, envelope = compose(keyring, FLOOD, ["ward-emergency-1"], None, NOW)
    for _ in range(15):
        envelope = add_signature(envelope, new_signer())
    with pytest.raises(SigningError, match="at most 16"):
        add_signature(envelope, new_signer())
