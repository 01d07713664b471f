"""Another box takes a station's place: whatever was given to the one before, or to a thief of it, ends then."""

from __future__ import annotations

import contextlib
import errno
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from edge_agent.core.units import DAY_MS, UtcMs
from edge_agent.headend import registrar
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.pki import certify_client
from edge_agent.headend.registrar import Registrar
from edge_agent.headend.session import BrokerAddress
from edge_agent.headend.station_certificates import KEPT_MAX
from edge_agent.identity.messages import Refusal
from tests.headend.registrar.desks import (
    AREA,
    NOW,
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


def test_a_thief_who_renewed_for_many_tls_keys_keeps_none_when_another_box_takes_the_place(
    desk: Desk, box: Box
) -> None:
    """He copied the card. With the signing key on it he has more certificates made than the headend writes down."""
    first = enrol(desk, box, desk.code()).certificate
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(KEPT_MAX + 2)]
    his = [renewed(desk, Box(box.signer, key).renews(), UtcMs(NOW + day * DAY_MS)) for day, key in enumerate(keys)]
    given = enrol(desk, new_box(), desk.code()).certificate
    assert revoked(desk) == {x509.load_der_x509_certificate(der).serial_number for der in (first, *his)}
    assert x509.load_der_x509_certificate(given).serial_number not in revoked(desk)


def test_a_certificate_that_was_carried_to_a_station_ends_when_another_box_takes_the_place(
    desk: Desk, box: Box
) -> None:
    carried = desk.keyring.enrol(STATION, AREA).tls.certificate
    enrol(desk, box, desk.code())
    assert revoked(desk) == {x509.load_pem_x509_certificate(carried.read_bytes()).serial_number}


def test_a_tls_key_that_a_box_had_before_ends_with_its_next_code_though_it_signs_as_before(
    desk: Desk, box: Box
) -> None:
    """Its signing key lies in an element, and the file of the other was lost with a card."""
    first = enrol(desk, box, desk.code()).certificate
    box = with_another_tls_key(box)
    second = enrol(desk, box, desk.code()).certificate
    third = enrol(desk, box, desk.code()).certificate
    assert third != second, "for the same key: both are good"
    assert revoked(desk) == {x509.load_der_x509_certificate(first).serial_number}


def test_an_enrolment_that_is_said_again_takes_nothing_back_that_was_renewed_since(desk: Desk, box: Box) -> None:
    code, later = desk.code(), with_another_tls_key(box)
    enrol(desk, box, code)
    certificate = renewed(desk, later.renews(), NOW)
    for _ in range(2):
        enrol(desk, box, code)
    assert revoked(desk) == set()
    assert renewed(desk, later.renews(), NOW) == certificate


def test_two_registrars_of_one_folder_list_every_certificate_that_either_gives(
    desk: Desk, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is listed nowhere could not be taken back from a thief."""
    enrol(desk, box, desk.code())
    both, later = threading.Barrier(2), UtcMs(NOW + 5 * DAY_MS)

    def together(*args: object) -> x509.Certificate:
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.5)
        return certify_client(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(registrar, "certify_client", together)
    boxes = [Box(box.signer, new_box().tls) for _ in range(2)]
    theirs = [Registrar(Keyring(desk.keyring.directory), BrokerAddress("mqtt.example.vn", 8883)) for _ in boxes]
    asking = [
        threading.Thread(target=one.renew, args=(asker.renews(), later))
        for one, asker in zip(theirs, boxes, strict=True)
    ]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    listed = x509.load_pem_x509_certificates((desk.keyring.directory / "issued" / f"{STATION}.pem").read_bytes())
    assert len(listed) == 3


def test_a_code_that_was_used_before_a_replacement_does_not_bring_the_old_box_back(desk: Desk, box: Box) -> None:
    first = desk.code()
    enrol(desk, box, first)
    fresh = new_box()
    enrol(desk, fresh, desk.code())
    assert_refused(Refusal.WRONG_CODE, lambda: enrol(desk, box, first))
    assert desk.keyids == {STATION: fresh.signer.keyid}


def test_a_replacement_that_was_cut_short_gives_the_old_box_no_certificate_that_the_broker_turns_away(
    desk: Desk, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(desk, box, desk.code())
    code = desk.code()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(registrar, "keep", full)
        with pytest.raises(OSError, match="No space"):
            enrol(desk, new_box(), code)
    assert desk.keyids == {STATION: box.signer.keyid}
    given = renewed(desk, box.renews(), NOW)
    assert x509.load_der_x509_certificate(given).serial_number not in revoked(desk)
