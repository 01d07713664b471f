"""Who is given a certificate: each wrong way of asking has its name, and none of them changes anything."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from edge_agent.clock import system_utc_ms
from edge_agent.core.units import DAY_MS, HOUR_MS, StationId, UtcMs
from edge_agent.headend import code_book, registrar
from edge_agent.headend.code_book import HOURS, TRIES_MAX, CodeBook
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.pki import certify_client, load_authority
from edge_agent.headend.registrar import KEPT_MAX, Refused, Registrar
from edge_agent.headend.roles import default_roles
from edge_agent.headend.session import BrokerAddress
from edge_agent.identity import messages
from edge_agent.identity.certificate import NotOurs, take
from edge_agent.identity.codes import SECRET_CHARS, Code, new_code
from edge_agent.identity.messages import Given, Refusal
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.keys import Ed25519Signer, new_signer
from edge_agent.trust.strict_json import WireError, dump
from tests.trust.makers import P256Signer

REALM, AREA, STATION = "test", "vn/ha-noi/dong-thanh", "dt-01"
NOW = UtcMs(system_utc_ms())
NONCE = "0" * 32


pytestmark = pytest.mark.usefixtures("cheap_codes")
# What a try costs is shown in ``tests/identity/test_codes.py``; here are hundreds.


@dataclass
class Desk:
    keyring: Keyring
    registrar: Registrar

    def code(self, station: str = STATION, now: UtcMs = NOW) -> Code:
        return CodeBook(self.keyring.directory).give_out(StationId(station), AREA, "Trạm 1", now)

    @property
    def keyids(self) -> dict[str, str]:
        self.keyring.refresh()
        return {station: enrolled.key.keyid for station, enrolled in self.keyring.stations.items()}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    keyring = create_keyring(tmp_path / "ward", REALM, default_roles(AREA, 1), NOW)
    return Desk(keyring, Registrar(Keyring(keyring.directory), BrokerAddress("mqtt.example.vn", 8883)))


@dataclass
class Box:
    """What a box asks with."""

    signer: Ed25519Signer
    tls: ec.EllipticCurvePrivateKey

    def csr(self, *names: str) -> bytes:
        named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names if name])
        made = x509.CertificateSigningRequestBuilder(named).sign(self.tls, hashes.SHA256())
        return made.public_bytes(Encoding.DER)

    def asks(self, code: Code, csr: bytes | None = None) -> tuple[bytes, str]:
        return messages.enrol_request(code, code.key(), self.signer, csr or self.csr(), NONCE)

    def renews(self, station: str = STATION, realm: str = REALM, name: str | None = None) -> bytes:
        csr = self.csr(station if name is None else name)
        return messages.renew_request(realm, station, self.signer, csr, NONCE)[0]


def new_box() -> Box:
    return Box(new_signer(), ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def box() -> Box:
    return new_box()


def enrol(desk: Desk, box: Box, code: Code, now: UtcMs = NOW) -> Given:
    body, digest = box.asks(code)
    return messages.read_enrol_answer(desk.registrar.enrol(body, now).body, code.key(), digest)


def assert_refused(reason: Refusal, ask: Callable[[], object]) -> None:
    with pytest.raises(Refused) as caught:
        ask()
    assert caught.value.reason is reason


def test_a_box_with_a_code_becomes_the_station_that_the_code_is_for(desk: Desk, box: Box) -> None:
    given = enrol(desk, box, desk.code())
    assert (given.station, given.area, given.realm, given.name) == (STATION, AREA, REALM, "Trạm 1")
    assert (given.host, given.port) == ("mqtt.example.vn", 8883)
    assert given.trust == (desk.keyring.directory / "trust.json").read_bytes()
    certificate = x509.load_der_x509_certificate(given.certificate)
    assert certificate.public_key() == box.tls.public_key()
    assert desk.keyids == {STATION: box.signer.keyid}


def test_a_field_that_somebody_on_the_way_has_added_is_a_wrong_proof(desk: Desk, box: Box) -> None:
    code = desk.code()
    body, _ = box.asks(code)
    assert_refused(Refusal.WRONG_CODE, lambda: desk.registrar.enrol(dump(json.loads(body) | {"more": 1}), NOW))
    assert desk.keyids == {}


def test_the_headend_holds_nothing_that_is_the_stations_secret_nor_the_code(desk: Desk, box: Box) -> None:
    code = desk.code()
    enrol(desk, box, code)
    raw = box.tls.private_numbers().private_value.to_bytes(32)
    for path in (path for path in desk.keyring.directory.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert code.secret.encode() not in content, path
        assert code.typed().encode() not in content, path
        assert raw not in content, path
    assert not (desk.keyring.directory / "stations").exists()
    assert (desk.keyring.directory / "codes.json").stat().st_mode & 0o777 == 0o600


def test_an_answer_that_was_lost_is_given_again_with_the_same_certificate(desk: Desk, box: Box) -> None:
    code = desk.code()
    first, second = enrol(desk, box, code), enrol(desk, box, code)  # another CSR of the same key, as ECDSA is random
    assert first == second
    assert desk.keyids == {STATION: box.signer.keyid}


def test_a_cut_between_the_note_and_the_station_list_is_healed_by_asking_again(desk: Desk, box: Box) -> None:
    code = desk.code()
    enrol(desk, box, code)
    (desk.keyring.directory / "stations.json").unlink()  # as if the power had gone before it was written
    enrol(desk, box, code)
    assert desk.keyids == {STATION: box.signer.keyid}


@pytest.mark.parametrize("change", ["signer", "tls", "both"])
def test_a_used_code_is_of_no_use_to_another_box(desk: Desk, box: Box, change: str) -> None:
    code, other = desk.code(), new_box()
    enrol(desk, box, code)
    thief = Box(box.signer if change == "tls" else other.signer, box.tls if change == "signer" else other.tls)
    assert_refused(Refusal.CODE_USED, lambda: enrol(desk, thief, code))
    assert desk.keyids == {STATION: box.signer.keyid}


@pytest.mark.parametrize("shared", ["both", "signing", "tls"])
def test_cards_copied_after_an_enrolment_in_vain_share_no_key(desk: Desk, box: Box, shared: str) -> None:
    """`enrol` makes the keys before it asks, so a master card with a mistyped code hands them to all its copies."""
    enrol(desk, box, desk.code())
    fresh = new_box()
    copy = Box(fresh.signer if shared == "tls" else box.signer, fresh.tls if shared == "signing" else box.tls)
    code = desk.code("dt-02")
    assert_refused(Refusal.KEYS_SHARED, lambda: enrol(desk, copy, code))
    assert desk.keyids == {STATION: box.signer.keyid}
    assert enrol(desk, new_box(), code).station == "dt-02"  # after a factory reset, with the same code


def test_a_key_that_a_station_had_before_is_no_other_stations_either(desk: Desk, box: Box) -> None:
    enrol(desk, box, desk.code())
    enrol(desk, new_box(), desk.code())
    assert_refused(Refusal.KEYS_SHARED, lambda: enrol(desk, box, desk.code("dt-02")))


def test_a_spoiled_certificate_of_one_station_keeps_no_other_one_out(desk: Desk, box: Box) -> None:
    enrol(desk, box, desk.code())
    (desk.keyring.directory / "issued" / f"{STATION}.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\n")
    assert enrol(desk, new_box(), desk.code("dt-02")).station == "dt-02"


def test_a_code_is_good_until_its_hour_and_no_longer(desk: Desk, box: Box) -> None:
    code = desk.code()
    assert_refused(Refusal.CODE_EXPIRED, lambda: enrol(desk, box, code, UtcMs(NOW + HOURS * HOUR_MS + 1)))
    assert desk.keyids == {}
    assert enrol(desk, box, code, UtcMs(NOW + HOURS * HOUR_MS)).station == STATION


def test_a_code_that_was_used_gives_its_certificate_again_until_its_hour_and_no_longer(desk: Desk, box: Box) -> None:
    code = desk.code()
    given = enrol(desk, box, code)
    assert enrol(desk, box, code, UtcMs(NOW + HOURS * HOUR_MS)) == given
    assert_refused(Refusal.CODE_EXPIRED, lambda: enrol(desk, box, code, UtcMs(NOW + HOURS * HOUR_MS + 1)))


def test_after_ten_wrong_tries_even_the_right_code_is_dead(desk: Desk, box: Box) -> None:
    code = desk.code()
    for _ in range(10):  # what is promised (docs/en-303-645.md, 5.1-5), and not what the code says
        assert_refused(Refusal.WRONG_CODE, lambda: enrol(desk, box, replace(code, secret="0" * 12)))
    assert_refused(Refusal.WRONG_CODE, lambda: enrol(desk, box, code))
    assert desk.keyids == {}


def test_a_code_that_was_used_is_burnt_by_wrong_tries_like_any_other(desk: Desk, box: Box) -> None:
    code = desk.code()
    enrol(desk, box, code)
    for _ in range(10):  # protocol, 16.4
        assert_refused(Refusal.WRONG_CODE, lambda: enrol(desk, box, replace(code, secret="0" * 12)))
    assert_refused(Refusal.WRONG_CODE, lambda: enrol(desk, box, code))


def test_one_try_less_and_the_right_code_is_still_good(desk: Desk, box: Box) -> None:
    code = desk.code()
    for _ in range(TRIES_MAX - 1):
        assert_refused(Refusal.WRONG_CODE, lambda: enrol(desk, box, replace(code, secret="0" * 12)))
    assert enrol(desk, box, code).station == STATION


def test_a_slot_that_nobody_was_given_looks_like_a_wrong_code(desk: Desk, box: Box) -> None:
    assert_refused(Refusal.WRONG_CODE, lambda: enrol(desk, box, Code("AAA", "0" * 12)))


def test_a_new_code_ends_the_one_before_it(desk: Desk, box: Box) -> None:
    first = desk.code()
    second = desk.code()
    assert_refused(Refusal.WRONG_CODE, lambda: enrol(desk, box, first))
    assert enrol(desk, box, second).station == STATION


def test_a_new_code_takes_no_slot_in_which_another_stations_lies(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a thousand that are out, one in thirty draws would end the code of a technician who is on his way."""
    first = desk.code("dt-02")
    drawn = iter(first.slot + ("AAA" if first.slot != "AAA" else "BBB") + "0" * SECRET_CHARS)
    monkeypatch.setattr(code_book, "new_code", partial(new_code, draw=lambda _: next(drawn)))
    desk.code()
    assert {one.station for one in CodeBook(desk.keyring.directory).entries().values()} == {"dt-02", STATION}


def test_a_code_that_is_out_of_date_makes_room_for_a_new_one(desk: Desk) -> None:
    """Or a province that has let a thousand lapse could enrol nobody any more."""
    desk.code("dt-02")
    kept = desk.code("dt-03", UtcMs(NOW + 1)).slot
    new = desk.code(now=UtcMs(NOW + HOURS * HOUR_MS + 1)).slot
    assert CodeBook(desk.keyring.directory).entries().keys() == {kept, new}


def test_tries_at_the_same_moment_are_all_counted(desk: Desk, box: Box) -> None:
    code = desk.code()
    wrong = box.asks(replace(code, secret="0" * 12))[0]

    def one_try() -> None:
        with pytest.raises(Refused):
            desk.registrar.enrol(wrong, NOW)

    threads = [threading.Thread(target=one_try) for _ in range(TRIES_MAX - 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert CodeBook(desk.keyring.directory).entries()[code.slot].tries == TRIES_MAX - 1


def test_a_code_that_is_used_while_a_clerk_gives_out_another_one_is_used(desk: Desk, box: Box) -> None:
    """Written back as the clerk had read it, the code would bring a second box in."""
    code = desk.code()
    using = threading.Thread(target=enrol, args=(desk, box, code))
    with CodeBook(desk.keyring.directory).changing() as entries:
        using.start()
        using.join(0.5)  # what waits for the book, waits; what does not is through by then
        entries["AAA"] = replace(entries[code.slot], station=StationId("dt-02"))
    using.join()
    assert_refused(Refusal.CODE_USED, lambda: enrol(desk, new_box(), code))
    assert desk.keyids == {STATION: box.signer.keyid}


def test_a_changed_request_is_no_proof(desk: Desk, box: Box) -> None:
    """The man in the middle puts his own certificate request, or his own signing key, into a request that he saw."""
    code, thief = desk.code(), new_box()
    body = json.loads(box.asks(code)[0])
    stolen = json.loads(thief.asks(Code(code.slot, "0" * 12))[0])
    assert_refused(
        Refusal.WRONG_CODE, lambda: desk.registrar.enrol(dump({**body, "envelope": stolen["envelope"]}), NOW)
    )
    assert_refused(Refusal.WRONG_CODE, lambda: desk.registrar.enrol(dump({**stolen, "proof": body["proof"]}), NOW))
    assert desk.keyids == {}


def test_whoever_claims_a_signing_key_that_is_not_his_gets_nothing(desk: Desk, box: Box) -> None:
    """He knows the code, but signs with another key than the one he names."""
    code, victim = desk.code(), new_box()

    class Claims:
        public, keyid = victim.signer.public, victim.signer.keyid

        def sign(self, message: bytes) -> bytes:
            return box.signer.sign(message)

    body, _ = messages.enrol_request(code, code.key(), Claims(), box.csr(), NONCE)
    assert_refused(Refusal.NO_POSSESSION, lambda: desk.registrar.enrol(body, NOW))
    assert desk.keyids == {}


def test_whoever_claims_a_tls_key_that_is_not_his_gets_nothing(desk: Desk, box: Box) -> None:
    code, csr = desk.code(), bytearray(box.csr())
    csr[-1] ^= 1  # the signature's last byte
    assert_refused(Refusal.NO_POSSESSION, lambda: desk.registrar.enrol(box.asks(code, bytes(csr))[0], NOW))


def _csr_of(key: object) -> bytes:
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    made = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, algorithm)  # type: ignore[arg-type]
    return made.public_bytes(Encoding.DER)


P384, ED25519 = ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()


@pytest.mark.parametrize(
    "csr", [b"\x30\x00", b"no DER", _csr_of(P384), _csr_of(ED25519)], ids=["empty", "text", "P-384", "Ed25519"]
)
def test_a_request_for_no_p256_key_is_not_understood(desk: Desk, box: Box, csr: bytes) -> None:
    assert_refused(Refusal.MALFORMED, lambda: desk.registrar.enrol(box.asks(desk.code(), csr)[0], NOW))


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b'{"type":"enrol-request"}', b"{" * 1_000])
def test_what_is_no_request_is_refused_by_name(desk: Desk, body: bytes) -> None:
    assert_refused(Refusal.MALFORMED, lambda: desk.registrar.enrol(body, NOW))
    assert_refused(Refusal.MALFORMED, lambda: desk.registrar.renew(body, NOW))


@pytest.mark.parametrize("field", ["slot", "proof", "envelope"])
def test_a_request_without_one_of_its_fields_is_refused(desk: Desk, box: Box, field: str) -> None:
    body = json.loads(box.asks(desk.code())[0])
    del body[field]
    assert_refused(Refusal.MALFORMED, lambda: desk.registrar.enrol(dump(body), NOW))


def test_a_signed_message_of_another_kind_is_no_request(desk: Desk, box: Box) -> None:
    envelope = sign(payload_type("log"), dump({"type": "renew", "realm": REALM}), [box.signer])
    assert_refused(Refusal.MALFORMED, lambda: desk.registrar.renew(envelope, NOW))


def test_an_answer_that_was_changed_on_the_way_is_not_believed(desk: Desk, box: Box) -> None:
    code = desk.code()
    body, digest = box.asks(code)
    answer = json.loads(desk.registrar.enrol(body, NOW).body)
    forged = messages.enrol_answer(b"another key", digest, replace(enrol(desk, box, code), host="evil.example"))
    swapped = {**answer, "payload": json.loads(forged)["payload"]}
    for wrong in (forged, dump(swapped)):
        with pytest.raises(WireError, match="proof: by the code; this is not the server that made it"):
            messages.read_enrol_answer(wrong, code.key(), digest)
    with pytest.raises(WireError, match="answers something else"):
        messages.read_enrol_answer(dump(answer), code.key(), "0" * 64)


def test_an_expired_station_is_renewed_by_its_signing_key_alone(desk: Desk, box: Box) -> None:
    enrol(desk, box, desk.code())
    later = UtcMs(NOW + 3_000 * DAY_MS)
    answer = json.loads(desk.registrar.renew(box.renews(), later).body)
    renewed = messages.read_renew_answer(dump(answer), answer["request"])
    assert x509.load_der_x509_certificate(renewed).not_valid_after_utc.timestamp() * 1000 > later


def test_an_answer_to_another_renewal_is_not_taken(desk: Desk, box: Box) -> None:
    enrol(desk, box, desk.code())
    answer = desk.registrar.renew(box.renews(), NOW).body
    with pytest.raises(WireError, match=r"request: .*answers something else"):
        messages.read_renew_answer(answer, "0" * 64)


def renewed(desk: Desk, body: bytes, now: UtcMs) -> bytes:
    answer = desk.registrar.renew(body, now).body
    return messages.read_renew_answer(answer, json.loads(answer)["request"])


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


def revoked(desk: Desk) -> set[int]:
    listed = x509.load_pem_x509_crl(desk.keyring.revoked_path.read_bytes())
    return {one.serial_number for one in listed}


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


def with_another_tls_key(box: Box) -> Box:
    return Box(box.signer, ec.generate_private_key(ec.SECP256R1()))


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


def test_a_code_that_was_used_before_a_replacement_does_not_bring_the_old_box_back(desk: Desk, box: Box) -> None:
    first = desk.code()
    enrol(desk, box, first)
    fresh = new_box()
    enrol(desk, fresh, desk.code())
    assert_refused(Refusal.WRONG_CODE, lambda: enrol(desk, box, first))
    assert desk.keyids == {STATION: fresh.signer.keyid}


def test_a_secure_elements_key_is_enrolled_like_any_other(desk: Desk, box: Box) -> None:
    code, element = desk.code(), P256Signer("element")
    body, _ = messages.enrol_request(code, code.key(), element, box.csr(), NONCE)
    desk.registrar.enrol(body, NOW)
    assert desk.keyids == {STATION: element.public.keyid}


def test_a_station_takes_only_its_own_certificate_of_its_own_authority(desk: Desk, box: Box, tmp_path: Path) -> None:
    given = enrol(desk, box, desk.code())
    public = x509.load_der_x509_csr(box.csr()).public_key()
    own = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert take(given.certificate, given.authority, STATION, own)
    other = create_keyring(tmp_path / "other", REALM, default_roles(AREA, 1), NOW)
    stranger = x509.load_pem_x509_certificate((other.directory / "pki" / "ca.pem").read_bytes())
    with pytest.raises(NotOurs, match="not signed by our authority"):
        take(given.certificate, stranger.public_bytes(Encoding.DER), STATION, own)
    with pytest.raises(NotOurs, match="and not to dt-02"):
        take(given.certificate, given.authority, "dt-02", own)
    with pytest.raises(NotOurs, match="another key"):
        take(given.certificate, given.authority, STATION, own + b"\x00")
    for names in ((STATION, "dt-02"), ("dt-02", STATION)):
        with pytest.raises(NotOurs, match=f"made out to {', '.join(names)}, and not to dt-01"):
            take(made_out_to(desk, box, *names), given.authority, STATION, own)


def made_out_to(desk: Desk, box: Box, *names: str) -> bytes:
    """A certificate of our authority for the box's key, such as our headend never makes."""
    authority = load_authority(desk.keyring.directory / "pki")
    pattern = certify_client(authority, STATION, box.tls.public_key())
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])
    made = x509.CertificateBuilder(pattern.issuer, named, box.tls.public_key(), pattern.serial_number)
    made = made.not_valid_before(pattern.not_valid_before_utc).not_valid_after(pattern.not_valid_after_utc)
    return made.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_a_damaged_book_of_codes_is_named(desk: Desk) -> None:
    (desk.keyring.directory / "codes.json").write_text('{"type":"codes","codes":{"??":{}}}')
    with pytest.raises(KeyringError, match=r"codes\.json: tệp hỏng.*a slot has 3 characters"):
        desk.code()
