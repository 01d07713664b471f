"""A box was stolen, and no other one stands in its place: it is a stranger at once, and what it had is good no more."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from edge_agent.core.units import HOUR_MS, StationId, UtcMs
from edge_agent.headend import leaving
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.leaving import Left, take_off
from edge_agent.headend.listening import Doubt, Heard, Unheard, hear
from edge_agent.identity.file_keys import FileKey
from edge_agent.identity.messages import Refusal
from edge_agent.trust.keys import Ed25519Signer
from tests.headend.fake_station import FakeStation
from tests.headend.registrar.desks import (
    AREA,
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


def serials(*certificates: bytes) -> set[int]:
    return {x509.load_der_x509_certificate(der).serial_number for der in certificates}


def taken_off(desk: Desk) -> Left:
    return take_off(desk.keyring.directory, STATION)


def test_every_certificate_of_a_stolen_box_is_taken_back_and_it_gets_no_other_one(desk: Desk, box: Box) -> None:
    first = enrol(desk, box, desk.code()).certificate
    second = renewed(desk, with_another_tls_key(box).renews(), NOW)
    left = taken_off(desk)
    assert (left.certificates, left.codes) == (2, 1)
    assert revoked(desk) == serials(first, second)
    assert_refused(Refusal.UNKNOWN_STATION, lambda: desk.registrar.renew(box.renews(), NOW))


def test_the_code_that_it_was_enrolled_with_does_not_bring_it_back(desk: Desk, box: Box) -> None:
    """Asked with again by the same box, it was answered the same for as long as it was good."""
    code = desk.code()
    enrol(desk, box, code)
    taken_off(desk)
    assert_refused(Refusal.WRONG_CODE, lambda: enrol(desk, box, code, UtcMs(NOW + HOUR_MS)))
    assert desk.keyids == {}


def test_nothing_that_it_says_is_believed_any_more(desk: Desk, box: Box) -> None:
    enrol(desk, box, desk.code())
    said = FakeStation(box.signer, STATION, realm=REALM).hello()
    assert isinstance(hear(Keyring(desk.keyring.directory).stations, REALM, *said), Heard)
    taken_off(desk)
    unheard = hear(Keyring(desk.keyring.directory).stations, REALM, *said)
    assert isinstance(unheard, Unheard)
    assert unheard.doubt is Doubt.NOT_ENROLLED


def test_its_keys_become_no_other_station(desk: Desk, box: Box) -> None:
    """Somebody was given the stolen box, cleaned but for its card, and a slip of another place."""
    enrol(desk, box, desk.code())
    taken_off(desk)
    for other in (box, Box(new_box().signer, box.tls), Box(box.signer, new_box().tls)):
        assert_refused(Refusal.KEYS_SHARED, lambda other=other: enrol(desk, other, desk.code("dt-02")))  # type: ignore[misc]


@pytest.mark.parametrize("same", [True, False], ids=["it was found again", "another box came"])
def test_a_new_code_brings_the_station_back_and_nothing_that_was_taken_back(desk: Desk, box: Box, same: bool) -> None:
    first = enrol(desk, box, desk.code()).certificate
    taken_off(desk)
    back = box if same else new_box()
    given = enrol(desk, back, desk.code()).certificate
    assert desk.keyids == {STATION: back.signer.keyid}
    assert revoked(desk) == serials(first)
    assert renewed(desk, back.renews(), NOW) == given
    (entry,) = desk.keyring.ever.values()
    assert entry.every_key == ((box.signer.public,) if same else (back.signer.public, box.signer.public))


def test_a_removal_that_was_cut_short_is_done_to_its_end_when_it_is_asked_for_again(
    desk: Desk, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = enrol(desk, box, desk.code()).certificate

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(leaving, "take_back", full)
        with pytest.raises(KeyringError, match=r"CHƯA thu hồi được chứng thư.*No space"):
            taken_off(desk)
    assert_refused(Refusal.UNKNOWN_STATION, lambda: desk.registrar.renew(box.renews(), NOW))
    assert taken_off(desk).certificates == 1
    assert revoked(desk) == serials(first)


def test_a_damaged_list_of_certificates_or_of_codes_keeps_no_stolen_box_on_the_list(desk: Desk, box: Box) -> None:
    first = enrol(desk, box, desk.code()).certificate
    listed, codes = desk.keyring.directory / "issued" / f"{STATION}.pem", desk.keyring.directory / "codes.json"
    whole = listed.read_bytes()
    listed.write_bytes(b"")
    with pytest.raises(KeyringError, match=r"ĐÃ BỎ trạm, nhưng chưa xong.*CHƯA thu hồi được chứng thư"):
        taken_off(desk)
    assert desk.keyids == {}
    listed.write_bytes(whole)
    codes.write_bytes(b"{")
    with pytest.raises(KeyringError, match=r"ĐÃ BỎ trạm.*CHƯA hủy được mã một lần.*codes\.json"):
        taken_off(desk)
    assert revoked(desk) == serials(first)


def test_where_both_files_are_damaged_both_are_named(desk: Desk, box: Box) -> None:
    enrol(desk, box, desk.code())
    for name in (f"issued/{STATION}.pem", "codes.json"):
        (desk.keyring.directory / name).write_bytes(b"")
    with pytest.raises(KeyringError, match=r"CHƯA thu hồi được chứng thư.*CHƯA hủy được mã một lần"):
        taken_off(desk)


def test_a_certificate_that_was_carried_and_renewed_is_counted_once(desk: Desk) -> None:
    folder = desk.keyring.enrol(STATION, AREA)
    tls = load_pem_private_key(folder.tls.key.read_bytes(), None)
    assert isinstance(tls, ec.EllipticCurvePrivateKey)
    signer = FileKey(folder.sign).open()
    assert isinstance(signer, Ed25519Signer)
    renewed(desk, Box(signer, tls).renews(), NOW)
    assert taken_off(desk).certificates == len(revoked(desk))
    with pytest.raises(KeyringError, match="dt-01 đã bỏ; dùng lại thì `codes new`"):
        Keyring(desk.keyring.directory).enrol(STATION, AREA)


def test_a_station_that_there_never_was_is_named(desk: Desk) -> None:
    with pytest.raises(KeyringError, match="dt-01: không có trạm này, chưa đổi gì"):
        taken_off(desk)
    assert StationId(STATION) not in desk.keyring.ever
