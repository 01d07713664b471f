"""The keyring: what is made, who may read it, and that nothing is ever given out or made twice."""

from __future__ import annotations

import errno
import json
import ssl
import threading
import unicodedata
from pathlib import Path

import pytest

from edge_agent.core.job import JobClass
from edge_agent.core.units import StationId, UtcMs
from edge_agent.headend import pki
from edge_agent.headend.enrolment import BEFORE_MAX, Enrolled, read_stations
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.keyring import HEADEND_ID, PUBLISHER_ID, Keyring
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.pki import load_authority
from edge_agent.headend.roles import default_roles
from edge_agent.headend.serials import SERIALS_BEGAN
from edge_agent.identity.file_keys import FileKey
from edge_agent.trust.bundle import believe
from edge_agent.trust.commands import What
from edge_agent.trust.keys import new_signer
from edge_agent.trust.orders import OrderType
from edge_agent.trust.strict_json import WireError

NOW = UtcMs(1_790_000_000_000)
WARD = "vn/ha-noi/dong-thanh"
AREAS = frozenset({"vn", "vn/ha-noi", WARD})


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return create_keyring(tmp_path / "net", "demo", default_roles(WARD, 2), NOW)


def test_a_new_network_has_the_wards_the_provinces_and_the_servers_roles(keyring: Keyring) -> None:
    roles = {role.name: role for role in keyring.trust.roles}
    assert list(roles) == [
        *("welcome", "ack", "head", "province"),
        *("ward-routine", "ward-emergency", "ward-desk", "ward-policy", "ward-policy-desk"),
    ], "from the root down"
    emergency = roles["ward-emergency"]
    assert emergency.grant is not None
    assert (emergency.threshold, len(emergency.keys)) == (2, 2)
    assert emergency.grant.limits.classes == {JobClass.EMERGENCY}
    assert roles["welcome"].orders == {OrderType.WELCOME}


def test_of_two_who_make_a_network_in_one_folder_at_once_the_second_is_told_and_changes_nothing(tmp_path: Path) -> None:
    """Certificate of the one, key of the other: such an authority brings no station in."""
    start, made, told = threading.Barrier(2), list[Keyring](), list[str]()

    def make() -> None:
        start.wait()
        try:
            made.append(create_keyring(tmp_path / "net", "demo", default_roles(WARD, 2), NOW))
        except KeyringError as error:
            told.append(str(error))

    both = [threading.Thread(target=make) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert len(made) == 1
    (text,) = told  # by the trust file, or where that is not written yet by what the other has made so far
    assert " exists" in text or " / here is already " in text
    authority = load_authority(tmp_path / "net" / "pki")
    assert authority.certificate.public_key() == authority.key.public_key()


def test_whoever_broadcasts_takes_back_what_is_his_and_no_window_of_the_owner(keyring: Keyring) -> None:
    roles = {role.name: role for role in keyring.trust.roles}
    routine, desk = roles["ward-routine"], roles["ward-desk"]
    owner, owners_desk = roles["ward-policy"], roles["ward-policy-desk"]
    assert (desk.keys, desk.orders) == (routine.keys, {OrderType.COMMAND})
    assert (owners_desk.keys, owner.orders) == (owner.keys, {OrderType.REGULATION, OrderType.WINDOW})
    assert not owner.keys & routine.keys
    grants = [role.grant for role in (routine, desk, owner, owners_desk)]
    assert [grant.issuer for grant in grants if grant] == ["dong-thanh"] * 2 + ["ubnd-dong-thanh"] * 2
    commands = [grant.limits.commands for grant in grants if grant]
    assert commands == [frozenset(), frozenset(What), frozenset(), {What.CANCEL}]


def test_an_emergency_of_the_ward_has_a_longest_sound_and_a_number_a_day(keyring: Keyring) -> None:
    (emergency,) = [role for role in keyring.trust.roles if role.name == "ward-emergency"]
    assert emergency.grant is not None
    assert (emergency.grant.limits.sound_max_ms, emergency.grant.limits.per_day) == (2 * 3_600_000, 24)
    assert emergency.grant.limits.events == frozenset()


def test_a_key_has_the_role_for_what_is_ordered(keyring: Keyring) -> None:
    assert keyring.role_of("ward-routine", OrderType.COMMAND).name == "ward-desk"
    assert keyring.role_of("ward-policy", OrderType.COMMAND).name == "ward-policy-desk"
    with pytest.raises(KeyringError, match="may sign no window; take one of ward-policy"):
        keyring.role_of("ward-routine", OrderType.WINDOW)


def test_one_officer_alone_warns_for_half_an_hour_at_most(tmp_path: Path) -> None:
    alone = create_keyring(tmp_path, "demo", default_roles(WARD, 1), NOW)
    emergency = next(role for role in alone.trust.roles if role.name == "ward-emergency")
    assert emergency.grant is not None
    assert emergency.grant.limits.validity_max_ms == 30 * 60_000


def test_no_key_that_lies_on_a_server_may_order_sound(keyring: Keyring) -> None:
    online = {key for role in keyring.trust.roles if role.grant is None for key in role.keys}
    assert online
    assert not online & {key for role in keyring.trust.roles if role.grant is not None for key in role.keys}


def test_every_secret_is_for_its_owner_only(keyring: Keyring) -> None:
    keyring.enrol("tram-01", WARD)
    secret = [path for path in keyring.directory.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    # Officers and servers; who signs trust documents; TLS of CA, two servers, two clients; the station's two.
    assert len(secret) == 8 + 5 + 5 + 2
    assert {path.stat().st_mode & 0o077 for path in secret} == {0}
    assert {path.parent.stat().st_mode & 0o077 for path in secret} <= {0}


def test_a_network_is_never_made_over_another(keyring: Keyring) -> None:
    before = (keyring.directory / "trust.json").read_bytes()
    with pytest.raises(KeyringError, match="lock every station out"):
        create_keyring(keyring.directory, "demo", default_roles(WARD, 1), NOW)
    assert (keyring.directory / "trust.json").read_bytes() == before


def test_an_enrolled_stations_folder_holds_what_it_needs_and_its_public_key_is_kept(keyring: Keyring) -> None:
    folder = keyring.enrol("tram-01", WARD, "Nhà văn hóa TDP số 1")
    again = Keyring(keyring.directory)
    enrolled = again.stations["tram-01"]
    assert (enrolled.area, enrolled.name) == (WARD, "Nhà văn hóa TDP số 1")
    assert enrolled.key == FileKey(folder.sign).open().public
    assert believe(folder.trust.read_bytes(), (), AREAS).trust == keyring.trust
    assert folder.authority.read_bytes() == keyring.authority_path.read_bytes()
    assert folder.tls.certificate.exists()


def test_a_station_is_enrolled_once(keyring: Keyring) -> None:
    keyring.enrol("tram-01", WARD)
    key = keyring.stations["tram-01"].key
    with pytest.raises(KeyringError, match="enrolled already"):
        keyring.enrol("tram-01", WARD)
    assert Keyring(keyring.directory).stations["tram-01"].key == key


def test_a_station_that_came_by_a_code_is_not_enrolled_again_by_hand(keyring: Keyring) -> None:
    # It has no folder here, and with other keys in the list the one that hangs at its post would be believed no more.
    keyring.admit(Enrolled(StationId("tram-01"), WARD, "Trạm 1", new_signer().public))
    key = keyring.stations[StationId("tram-01")].key
    with pytest.raises(KeyringError, match="enrolled already"):
        keyring.enrol("tram-01", WARD)
    assert Keyring(keyring.directory).stations[StationId("tram-01")].key == key
    assert not keyring.folder("tram-01").directory.exists()


def test_stations_that_are_admitted_by_several_at_once_are_all_listed(keyring: Keyring) -> None:
    """A registrar that runs and a person who types: each has read the list before the other wrote."""

    def admit(first: int, own: Keyring) -> None:
        for number in range(first, first + 10):
            own.admit(Enrolled(StationId(f"tram-{number}"), WARD, "Trạm", new_signer().public))

    rings = [Keyring(keyring.directory) for _ in range(4)]
    threads = [threading.Thread(target=admit, args=(10 * place, ring)) for place, ring in enumerate(rings, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(Keyring(keyring.directory).stations) == [f"tram-{number}" for number in range(10, 50)]


def test_a_station_that_is_admitted_while_the_list_is_read_is_heard_from_the_next_look_on(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, come = Keyring(keyring.directory), list[str]()

    def meanwhile(path: Path, realm: str) -> dict[StationId, Enrolled]:
        found = read_stations(path, realm)
        if not come:
            come.append("tram-01")
            other.admit(Enrolled(StationId("tram-01"), WARD, "Trạm 1", new_signer().public))
        return found

    monkeypatch.setattr("edge_agent.headend.keyring.read_stations", meanwhile)
    keyring.refresh()
    assert keyring.stations == {}
    keyring.see_stations()
    assert list(keyring.stations) == come


def test_of_two_who_enrol_one_station_at_once_the_second_is_told_and_its_folder_is_of_one_of_them(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the certificate of one and the key of the other a station could never connect."""
    issue, other, told = pki.issue_client, Keyring(keyring.directory), list[str]()

    def meanwhile(authority: pki.Authority, directory: Path, client_id: str) -> pki.Issued:
        if not told:
            told.append("")
            with pytest.raises(KeyringError, match="tram-09 has a folder and no entry") as caught:
                other.enrol("tram-09", WARD)
            told.append(str(caught.value))
        return issue(authority, directory, client_id)

    monkeypatch.setattr(pki, "issue_client", meanwhile)
    folder = keyring.enrol("tram-09", WARD)
    assert len(told) == 2
    made = ssl.create_default_context()
    made.load_cert_chain(folder.tls.certificate, folder.tls.key)  # of one pair, or this raises


def test_a_station_that_somebody_else_has_enrolled_since_is_called_enrolled(keyring: Keyring) -> None:
    Keyring(keyring.directory).enrol("tram-01", WARD)
    with pytest.raises(KeyringError, match="enrolled already"):
        keyring.enrol("tram-01", WARD)


@pytest.mark.parametrize("where", ["pki", "keyring", "enrolment"])
def test_a_full_disk_keeps_no_station_out_for_good(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(f"edge_agent.headend.{where}.write_durably", full)
        with pytest.raises(OSError, match="No space"):
            keyring.enrol("tram-01", WARD)
    assert keyring.stations == Keyring(keyring.directory).stations == {}
    assert keyring.enrol("tram-01", WARD).tls.certificate.exists()


@pytest.mark.parametrize(
    ("station", "area"), [("Trạm", WARD), ("../x", WARD), ("", WARD), ("tram-01", "vn//x"), ("tram-01", "VN")]
)
def test_an_id_or_area_that_is_no_topic_is_refused_by_name(keyring: Keyring, station: str, area: str) -> None:
    with pytest.raises(KeyringError, match=r"^(id|area): "):
        keyring.enrol(station, area)


@pytest.mark.parametrize("name", ["x" * 81, "Trạm 1\nTrạm 2", "Tr\udcc1m"])
def test_a_name_with_which_the_list_of_stations_could_not_be_read_again_is_refused_before_anything_is_made(
    keyring: Keyring, name: str
) -> None:
    with pytest.raises(KeyringError, match=r"^name: .* will not do, use "):
        keyring.enrol("tram-01", WARD, name)
    assert not keyring.folder("tram-01").directory.exists()
    assert Keyring(keyring.directory).stations == {}


def test_a_name_that_was_typed_with_its_marks_apart_is_kept_composed(keyring: Keyring) -> None:
    keyring.enrol("tram-01", WARD, unicodedata.normalize("NFD", "Trạm loa số 1"))
    assert Keyring(keyring.directory).stations["tram-01"].name == "Trạm loa số 1"


@pytest.mark.parametrize("station", [HEADEND_ID, PUBLISHER_ID])
def test_no_station_gets_the_id_of_a_session_of_the_headends_own(keyring: Keyring, station: str) -> None:
    with pytest.raises(KeyringError, match=f"^id: .* / {station} is a session of the headend's own; take another id"):
        keyring.enrol(station, WARD)
    assert not keyring.folder(station).directory.exists()


def test_the_marks_of_a_station_are_those_of_issuers_who_may_order_around_it(keyring: Keyring) -> None:
    for issuer in ("dong-thanh", "ubnd-dong-thanh", "ha-noi", "nobody"):
        keyring.serials.next(issuer, SERIALS_BEGAN)
    province = {role.grant.issuer for role in keyring.trust.roles if role.name == "province" and role.grant is not None}
    assert province == {"ha-noi"}
    assert keyring.marks(f"{WARD}/xom-1") == {"dong-thanh": 1, "ha-noi": 1, "ubnd-dong-thanh": 1}
    assert keyring.marks("vn/ha-noi/khac") == {"ha-noi": 1}
    assert keyring.marks("vn/hue") == {}


def test_a_key_is_found_by_its_role_and_a_wrong_name_lists_what_there_is(keyring: Keyring) -> None:
    assert keyring.role_of("ward-routine", OrderType.JOB).name == "ward-routine"
    assert keyring.signer("ward-emergency").keyid == keyring.signer("ward-emergency-1").keyid
    for wrong in ("ward", "../pki/ca", "ward-emergency-3"):
        with pytest.raises(KeyringError, match="ward-emergency-2"):
            keyring.signer(wrong)


def test_a_key_file_that_others_can_read_is_not_used(keyring: Keyring) -> None:
    (keyring.directory / "keys" / "ward-routine-1.pem").chmod(0o644)
    with pytest.raises(KeyringError, match="others can read"):
        keyring.signer("ward-routine")


def test_a_directory_without_a_network_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(KeyringError, match="keys init"):
        Keyring(tmp_path)


def test_by_which_keys_a_station_signed_before_is_kept_as_often_as_its_box_is_replaced(keyring: Keyring) -> None:
    keyring.enrol("tram-01", WARD)
    (station,) = keyring.stations
    keys = [keyring.stations[station].key, *(new_signer().public for _ in range(3))]
    for key in [*keys[1:], keys[-1], keys[0]]:  # one enrols twice, and the first one comes back
        keyring.admit(Enrolled(station, WARD, "Trạm 1", key))
    assert Keyring(keyring.directory).stations[station].every_key == (keys[0], keys[3], keys[2], keys[1])
    for _ in range(BEFORE_MAX):
        keyring.admit(Enrolled(station, WARD, "Trạm 1", new_signer().public))
    assert len(Keyring(keyring.directory).stations[station].before) == BEFORE_MAX


@pytest.mark.parametrize("damage", ["realm", "public", "before", "id"])
def test_a_doubtful_list_of_stations_is_refused(keyring: Keyring, damage: str) -> None:
    keyring.enrol("tram-01", WARD)
    path = keyring.directory / "stations.json"
    content = json.loads(path.read_bytes())
    if damage == "realm":
        content["realm"] = "other"
    elif damage == "public":
        content["stations"]["tram-01"]["public"] = "00"
    elif damage == "before":
        content["stations"]["tram-01"]["before"] = []
    else:
        content["stations"]["Tram 01"] = content["stations"].pop("tram-01")
    path.write_text(json.dumps(content))
    with pytest.raises(WireError, match=damage):
        read_stations(path, "demo")
