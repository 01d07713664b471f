"""Renewals: by the signing key alone, for its own station alone, and no more often than they are due."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from edge_agent.core.units import DAY_MS, UtcMs
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.pki import PkiError
from edge_agent.headend.registrar import Registrar
from edge_agent.headend.session import BrokerAddress
from edge_agent.headend.station_certificates import KEPT_MAX
from edge_agent.identity import messages
from edge_agent.identity.messages import Refusal
from edge_agent.trust.strict_json import WireError, dump
from tests.headend.registrar.desks import (
    NONCE,
    NOW,
    REALM,
    STATION,
    Box,
    Desk,
    assert_refused,
    enrol,
    new_box,
    renewed,
    revoked,
    with_another_tls_key,
)


def test_an_expired_station_is_renewed_by_its_signing_key_alone(desk: Desk, box: Box) -> None:
    enrol(desk, box, desk.code())
    later = UtcMs(NOW + 3_000 * DAY_MS)
    answer = json.loads(desk.registrar.renew(box.renews(), later).body)
    renewed = messages.read_renew_answer(dump(answer), answer["request"])
    assert x509.load_der_x509_certificate(renewed.certificate).not_valid_after_utc.timestamp() * 1000 > later


def test_an_answer_to_another_renewal_is_not_taken(desk: Desk, box: Box) -> None:
    enrol(desk, box, desk.code())
    answer = desk.registrar.renew(box.renews(), NOW).body
    with pytest.raises(WireError, match=r"request: .*answers something else"):
        messages.read_renew_answer(answer, "0" * 64)


def test_asking_often_makes_no_more_certificates_than_are_due(desk: Desk, box: Box) -> None:
    first = enrol(desk, box, desk.code()).certificate
    assert renewed(desk, box.renews(), UtcMs(NOW + 500 * DAY_MS)) == first
    second = renewed(desk, box.renews(), UtcMs(NOW + 600 * DAY_MS))
    assert second != first
    assert renewed(desk, box.renews(), UtcMs(NOW + 601 * DAY_MS)) == second


def test_a_certificate_from_when_our_clock_was_years_ahead_is_not_given_again(desk: Desk, box: Box) -> None:
    enrol(desk, box, desk.code())
    rotated = with_another_tls_key(box)
    ahead = renewed(desk, rotated.renews(), UtcMs(NOW + 2_000 * DAY_MS))
    healed = renewed(desk, rotated.renews(), NOW)
    assert healed != ahead
    assert x509.load_der_x509_certificate(healed).not_valid_before_utc.timestamp() * 1000 < NOW


def test_a_renewal_takes_a_new_tls_key_if_the_signing_key_vouches_for_it(desk: Desk, box: Box) -> None:
    enrol(desk, box, desk.code())
    rotated = with_another_tls_key(box)
    found = x509.load_der_x509_certificate(renewed(desk, rotated.renews(), NOW))
    assert found.public_key() == rotated.tls.public_key()


def test_a_station_cannot_become_another_one_by_renewing(desk: Desk, box: Box) -> None:
    enrol(desk, box, desk.code())
    other = new_box()
    enrol(desk, other, desk.code("dt-02"))
    assert_refused(Refusal.IDENTITY_CHANGED, lambda: desk.registrar.renew(box.renews(name="dt-02"), NOW))
    assert_refused(Refusal.IDENTITY_CHANGED, lambda: desk.registrar.renew(box.renews(name=""), NOW))
    both = messages.renew_request(REALM, STATION, box.signer, box.csr(STATION, "dt-02"), NONCE)[0]
    assert_refused(Refusal.IDENTITY_CHANGED, lambda: desk.registrar.renew(both, NOW))
    assert_refused(Refusal.UNKNOWN_STATION, lambda: desk.registrar.renew(box.renews("dt-02"), NOW))
    assert_refused(Refusal.UNKNOWN_STATION, lambda: desk.registrar.renew(box.renews("dt-03"), NOW))
    assert_refused(Refusal.UNKNOWN_STATION, lambda: desk.registrar.renew(box.renews(realm="other"), NOW))


@pytest.mark.parametrize(
    "spoiled", [b"\x0c\x05dt-\xff1", b"\x03\x05dt-01", b"\x05\x05dt-01"], ids=["utf-8", "bits", "null"]
)
def test_a_station_that_asks_for_a_name_that_cannot_be_read_is_refused_by_name(
    desk: Desk, box: Box, spoiled: bytes
) -> None:
    enrol(desk, box, desk.code())
    request = x509.load_der_x509_csr(box.csr("dt-01"))
    named = request.tbs_certrequest_bytes.replace(b"\x0c\x05dt-01", spoiled)
    signature = box.tls.sign(named, ec.ECDSA(hashes.SHA256()))
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")  # ecdsa-with-SHA256
    csr = _der(0x30, named + algorithm + _der(0x03, b"\0" + signature))
    body = messages.renew_request(REALM, STATION, box.signer, csr, NONCE)[0]
    assert_refused(Refusal.MALFORMED, lambda: desk.registrar.renew(body, NOW))


def _der(tag: int, content: bytes) -> bytes:
    length = len(content)
    return bytes([tag, length] if length < 0x80 else [tag, 0x81, length]) + content


def test_a_stranger_who_asks_costs_no_reading_of_the_trust_file(
    desk: Desk, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(desk, box, desk.code())
    renewed(desk, box.renews(), NOW)
    readings: list[Keyring] = []
    monkeypatch.setattr(Keyring, "refresh", lambda which: readings.append(which))
    for _ in range(20):
        assert_refused(Refusal.UNKNOWN_STATION, lambda: desk.registrar.renew(new_box().renews(), NOW))
    assert readings == []


def test_the_old_key_of_a_replaced_station_renews_nothing(desk: Desk, box: Box) -> None:
    enrol(desk, box, desk.code())
    fresh = new_box()
    enrol(desk, fresh, desk.code())
    assert desk.keyids == {STATION: fresh.signer.keyid}
    assert_refused(Refusal.UNKNOWN_STATION, lambda: desk.registrar.renew(box.renews(), NOW))
    assert renewed(desk, fresh.renews(), NOW)


def test_the_old_key_of_a_station_that_another_registrar_has_replaced_renews_nothing(desk: Desk, box: Box) -> None:
    """Two serve one folder; a box that was stolen asks the one that did not bring its successor in."""
    enrol(desk, box, desk.code())
    renewed(desk, box.renews(), NOW)
    other = replace(desk, registrar=Registrar(Keyring(desk.keyring.directory), BrokerAddress("mqtt.example.vn", 8883)))
    enrol(other, new_box(), desk.code())
    assert_refused(Refusal.UNKNOWN_STATION, lambda: desk.registrar.renew(box.renews(), NOW))


def test_a_station_that_asks_without_end_for_what_it_has_has_nothing_written(desk: Desk, box: Box) -> None:
    enrol(desk, box, desk.code())
    issued = desk.keyring.directory / "issued" / f"{STATION}.pem"
    before = issued.stat().st_ino
    for _ in range(3):
        desk.registrar.renew(box.renews(), NOW)
    assert issued.stat().st_ino == before


def test_a_thief_who_asks_without_end_fills_no_list_of_revoked_certificates(desk: Desk, box: Box) -> None:
    """Each would be one line more for ever, and the headend and the broker read them all."""
    enrol(desk, box, desk.code())
    boxes = [Box(box.signer, ec.generate_private_key(ec.SECP256R1())) for _ in range(KEPT_MAX * 2)]
    for one in boxes[: KEPT_MAX - 1]:
        assert renewed(desk, one.renews(), NOW)
    for one in boxes[KEPT_MAX - 1 :]:
        assert_refused(Refusal.TOO_OFTEN, partial(desk.registrar.renew, one.renews(), NOW))
    assert revoked(desk) == set()
    newest = boxes[KEPT_MAX - 2]
    assert renewed(desk, newest.renews(), NOW)  # what was given already is given again
    assert renewed(desk, boxes[-1].renews(), UtcMs(NOW + 2 * DAY_MS))


@pytest.mark.parametrize(
    "ask",
    [
        lambda desk, box: desk.registrar.renew(box.renews(), NOW),
        lambda desk, _: enrol(desk, new_box(), desk.code()),
    ],
    ids=["renews", "another box"],
)
def test_a_station_whose_list_of_certificates_is_damaged_is_told_by_its_file(
    desk: Desk, box: Box, ask: Callable[[Desk, Box], object]
) -> None:
    """Without it nobody could take back what was given. A traceback names no file, and nobody mends it in time."""
    enrol(desk, box, desk.code())
    issued = desk.keyring.directory / "issued" / f"{STATION}.pem"
    issued.write_bytes(issued.read_bytes()[:100])
    with pytest.raises(PkiError, match=rf"{STATION}\.pem: .* is damaged; restore it"):
        ask(desk, box)
