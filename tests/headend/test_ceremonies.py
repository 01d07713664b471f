"""Renewing and replacing: each ceremony ends in documents that a station believes, and takes the thief's key away."""

from __future__ import annotations

import contextlib
import errno
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.core.trust_standing import TrustHead
from edge_agent.core.units import DAY_MS, UtcMs
from edge_agent.headend.ceremonies import renew, replace_key
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.files import alone
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.public_files import fingerprint, names_known, write_public
from edge_agent.headend.roles import default_roles
from edge_agent.trust.bundle import read_document, write_file
from edge_agent.trust.documents import ROOT
from edge_agent.trust.keeper import believing
from edge_agent.trust.keys import PublicKey, new_signer
from tests.headend.ceremony_desk import (
    LATER,
    NOW,
    PROVINCE,
    SITE,
    SOON,
    WARD,
    Station,
    new_key,
    new_network,
    on_the_clock,
    replace,
    run,
)


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return new_network(tmp_path / "net")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    on_the_clock(monkeypatch, SOON)


def test_a_new_networks_documents_are_believed_and_nothing_is_lacking(keyring: Keyring) -> None:
    station = Station(keyring)
    assert [head.area for head in station.keeper.standing.heads] == [ROOT, PROVINCE, WARD]
    assert station.greet(keyring) == []
    assert keyring.lacking(WARD, [TrustHead(ROOT, 0, 1, NOW)]) == keyring.documents[1:]
    assert keyring.lacking("vn/hue", ()) == keyring.documents[:1]


@pytest.mark.parametrize("area", [ROOT, PROVINCE, WARD])
def test_a_renewed_document_is_valid_for_its_whole_term_again(keyring: Keyring, area: str) -> None:
    station = Station(keyring)
    before = station.keeper.standing.expires
    assert before == NOW + 90 * DAY_MS
    renew(keyring, area, LATER, sure=True)
    assert station.greet(keyring) == [area]
    (head,) = [head for head in station.keeper.standing.heads if head.area == area]
    assert (head.version, head.expires > before) == (2, True)
    assert Keyring(keyring.directory).trust == keyring.trust, "what was signed is on disk"


def test_an_officers_stolen_key_is_replaced(keyring: Keyring) -> None:
    station = Station(keyring)
    stolen = keyring.keys.key("ward-routine-1").public
    assert replace(keyring, "ward-routine-1", "ward-routine-2") == (WARD,)
    assert station.greet(keyring) == [WARD]
    assert not [role for role in station.keeper.chain.trust.roles if stolen in role.keys]
    assert {role.name for role in station.keeper.chain.trust.roles} == {role.name for role in keyring.trust.roles}


@pytest.mark.parametrize(
    ("stolen", "areas"),
    [("ha-noi-trust-1", [PROVINCE, WARD]), ("national-trust-1", [ROOT, PROVINCE])],
)
def test_a_stolen_key_of_those_who_sign_documents_ends_with_a_new_epoch(
    keyring: Keyring, tmp_path: Path, stolen: str, areas: list[str]
) -> None:
    station = Station(keyring)
    thief = Keyring(Path(shutil.copytree(keyring.directory, tmp_path / "thief")))
    assert list(replace(keyring, stolen, f"{stolen[:-2]}-2")) == areas
    assert station.greet(keyring) == areas
    assert station.keeper.chain.trust == keyring.trust
    renew(thief, areas[1], LATER)
    for envelope in thief.documents:
        station.keeper.take(envelope)
    assert station.keeper.chain.trust == keyring.trust, "what the thief signs is not believed any more"


def test_a_lost_key_of_the_root_is_replaced_by_the_two_others(keyring: Keyring) -> None:
    station = Station(keyring)
    lost = keyring.keys.key("root-2").public
    made = new_key(keyring, "root-4")
    (keyring.directory / "keys" / "root-2.pem").unlink()
    assert replace_key(keyring, lost, made, LATER, sure=True) == (ROOT,)
    assert station.greet(keyring) == [ROOT]
    assert [head.area for head in station.keeper.standing.heads] == [ROOT, PROVINCE, WARD], "the others still stand"
    renew(keyring, ROOT, LATER, sure=True)
    assert station.greet(keyring) == [ROOT]


def test_with_too_few_keys_nothing_is_signed(keyring: Keyring) -> None:
    for name in ("root-1", "root-2"):
        (keyring.directory / "keys" / f"{name}.pem").unlink()
    with pytest.raises(KeyringError, match=r"2 of root must sign, and 1 of their keys are here.* `trust draft`"):
        renew(keyring, ROOT, LATER, sure=True)
    assert len(keyring.documents) == 3


def test_a_document_that_no_station_would_believe_is_not_taken(keyring: Keyring) -> None:
    with pytest.raises(KeyringError, match=r"trust_beyond_parent|cấp trên giao"):
        renew(keyring, WARD, LATER, lambda payload: payload["roles"][0]["limits"].update({"areas": ["vn/hue"]}))  # type: ignore[call-overload,index,union-attr]
    assert len(keyring.documents) == 3
    with pytest.raises(KeyringError, match="no document of it; there are root, vn/ha-noi, vn/ha-noi/dong-thanh"):
        renew(keyring, "vn/hue", LATER)
    with pytest.raises(KeyringError, match="stands in no trust document"):
        replace_key(keyring, new_signer().public, new_signer(), LATER)


def test_a_trust_file_of_another_network_is_not_taken(keyring: Keyring, tmp_path: Path) -> None:
    other = create_keyring(tmp_path / "other", "demo", default_roles(WARD, 1), NOW)
    with pytest.raises(KeyringError, match="trust document"):
        keyring.add_document(other.documents[1], NOW)
    assert believing(write_file(keyring.documents), (), SITE).chain.trust == keyring.trust


def test_the_list_tells_what_expires_when_and_what_must_be_renewed_now(
    keyring: Keyring, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(capsys, "trust", "list", "--dir", str(keyring.directory))
    assert (status, len(out.splitlines())) == (0, 3)
    assert "GIA HẠN NGAY" in out, "they were made long ago"
    status, out, _ = run(capsys, "trust", "renew", "--dir", str(keyring.directory))
    assert (status, [line.split(":")[1].strip() for line in out.splitlines()]) == (0, [PROVINCE, WARD])
    status, out, _ = run(capsys, "trust", "list", "--dir", str(keyring.directory))
    assert "GIA HẠN NGAY" not in "\n".join(out.splitlines()[1:])
    status, out, _ = run(capsys, "trust", "renew", "--dir", str(keyring.directory), "--area", "root", "--yes")
    assert (status, "gốc / root: phiên bản / version 2" in out) == (0, True)


def test_a_key_is_replaced_by_one_command(keyring: Keyring, capsys: pytest.CaptureFixture[str]) -> None:
    station = Station(keyring)
    status, out, _ = run(capsys, "trust", "replace", "--dir", str(keyring.directory), "--key", "ward-emergency-2")
    assert status == 0
    assert "ward-emergency-2 → ward-emergency-3" in out
    assert station.greet(Keyring(keyring.directory)) == [WARD]
    assert (keyring.directory / "keys" / "retired" / "ward-emergency-2.pem").exists()
    stolen = keyring.signer("ward-routine-1").keyid
    status, out, _ = run(capsys, "trust", "replace", "--dir", str(keyring.directory), "--key", "ward-routine-1")
    assert Keyring(keyring.directory).signer("ward-routine").keyid != stolen
    status, out, _ = run(capsys, "trust", "replace", "--dir", str(keyring.directory), "--key", "ward-routine-2")
    assert "ward-routine-2 → ward-routine-3" in out
    assert "khởi động lại" not in out


@pytest.mark.parametrize("name", ["welcome-1", "ack-1", "head-1"])
def test_who_replaces_a_servers_key_is_told_to_start_the_servers_anew(
    keyring: Keyring, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """They have read the old one; until then no station has a signed time, and nothing here says why."""
    status, out, _ = run(capsys, "trust", "replace", "--dir", str(keyring.directory), "--key", name, "--yes")
    assert status == 0
    assert "khởi động lại `watch`, `content --welcome`" in out


@pytest.mark.parametrize("name", ["root-3", "ha-noi-trust-1", "ward-emergency-2"])
def test_a_key_that_is_not_here_is_replaced_by_its_id(
    keyring: Keyring, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    lost = keyring.keys.key(name).public
    (keyring.directory / "keys" / f"{name}.pem").unlink()
    asked = ["trust", "replace", "--dir", str(keyring.directory), "--key", name]
    status, _, err = run(capsys, *asked)
    assert (status, fingerprint(lost.keyid) in err) == (1, True), "a slip of the pen must not revoke another officer"
    status, out, _ = run(capsys, *asked, "--keyid", lost.keyid, "--plain", "--yes")
    assert status == 0
    new = out.splitlines()[-1].removeprefix(f"{name} → ")
    after = Keyring(keyring.directory)
    assert new != name
    assert "retired" not in new
    assert after.keys.key(new).public in after._keys_in_documents()
    assert lost not in after._keys_in_documents()
    assert len(after.chain.standing) == 3


EMERGENCY = ("ward-emergency-1", "ward-emergency-2")


def taken_away(keyring: Keyring, *names: str) -> tuple[PublicKey, ...]:
    """The holders have their keys with them, as the operations advise."""
    gone = tuple(keyring.keys.key(name).public for name in names)
    for name in names:
        (keyring.directory / "keys" / f"{name}.pem").rename(keyring.directory.parent / f"{name}.pem")
    return gone


def test_of_two_officers_keys_that_are_away_the_lost_one_is_replaced_and_the_other_ones_is_safe(
    keyring: Keyring, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever has lost his is asked for an id: that of the other one would revoke her, and the thief would stay."""
    for name in EMERGENCY:
        write_public(keyring.directory, name, keyring.keys.key(name).public)
    lost, hers = taken_away(keyring, *EMERGENCY)
    asked = ["trust", "replace", "--dir", str(keyring.directory), "--key", "ward-emergency-1", "--plain"]
    status, _, err = run(capsys, *asked)
    assert (status, "revokes somebody else's key" in err) == (1, True)
    named = zip(EMERGENCY, (lost, hers), strict=True)
    assert err.splitlines()[1:] == [f"  {name}: {fingerprint(key.keyid)}" for name, key in named]
    status, _, err = run(capsys, *asked, "--keyid", fingerprint(hers.keyid))
    assert (status, "is ward-emergency-2, --key là / is ward-emergency-1" in err) == (1, True)
    status, out, err = run(capsys, *asked, "--keyid", fingerprint(lost.keyid).upper())
    assert (status, "ward-emergency-1 → ward-emergency-3" in out, err) == (0, True, "")
    brought = keyring.directory / "keys" / "ward-emergency-2.pem"
    assert not brought.exists(), "nobody's key is in the place of hers"
    (keyring.directory.parent / "ward-emergency-2.pem").rename(brought)
    after = Keyring(keyring.directory)
    (signing,) = {role.keys for role in after.trust.roles if role.name == "ward-emergency"}
    assert signing == {after.keys.key(name).public for name in ("ward-emergency-2", "ward-emergency-3")}
    taken_away(keyring, "ward-emergency-2", "ward-emergency-3")
    third = names_known(keyring.directory)
    (again,) = [keyid for keyid, name in third.items() if name == "ward-emergency-3"]
    asked[asked.index("ward-emergency-1")] = "ward-emergency-3"
    assert "ward-emergency-3 → ward-emergency-4" in run(capsys, *asked, "--keyid", again)[1]


def test_where_nobody_knows_the_names_of_keys_that_are_away_a_new_one_has_none_of_theirs(
    keyring: Keyring, capsys: pytest.CaptureFixture[str]
) -> None:
    lost, hers = taken_away(keyring, *EMERGENCY)
    asked = ["trust", "replace", "--dir", str(keyring.directory), "--key", "ward-emergency-1", "--plain"]
    assert f"\n  ?: {fingerprint(hers.keyid)}" in run(capsys, *asked)[2]
    status, out, err = run(capsys, *asked, "--keyid", lost.keyid)
    assert (status, "ward-emergency-1 → ward-emergency-3" in out) == (0, True)
    assert f"has no name for the key that is revoked: {fingerprint(lost.keyid)}" in err
    assert not (keyring.directory / "keys" / "ward-emergency-2.pem").exists()


def test_a_damaged_key_file_hinders_nothing_and_is_replaced(
    keyring: Keyring, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = keyring.keys.key("ward-routine-1").public
    (keyring.directory / "keys" / "ward-routine-1.pem").write_text("garbage")
    assert run(capsys, "trust", "renew", "--dir", str(keyring.directory))[0] == 0
    asked = ["--key", "ward-routine-1", "--keyid", damaged.keyid, "--plain"]
    assert run(capsys, "trust", "replace", "--dir", str(keyring.directory), *asked)[0] == 0
    assert damaged not in Keyring(keyring.directory)._keys_in_documents()


@pytest.mark.deep
def test_years_of_renewals_leave_a_file_that_stations_can_read(keyring: Keyring) -> None:
    for time in range(1, 30):
        for area in (PROVINCE, WARD):
            renew(keyring, area, UtcMs(NOW + time * 80 * DAY_MS))
    assert len(keyring.documents) == 3
    assert Station(keyring).greet(keyring) == []


@pytest.mark.deep
def test_after_forty_versions_of_the_root_a_stolen_key_of_it_can_still_be_replaced(keyring: Keyring) -> None:
    """Each ward that joins, each holder and each server's key makes one, and none may go: a station may stand there."""
    first, thief = Station(keyring), keyring.keys.key("root-1").public
    for time in range(1, 40):
        renew(keyring, ROOT, UtcMs(NOW + time * DAY_MS), sure=True)
    assert replace(keyring, "root-1", "root-4") == (ROOT,)
    assert first.greet(keyring) == [ROOT]
    for station in (first, Station(keyring)):  # one that missed them all, and one that is enrolled today
        signers = station.keeper.chain.newest[ROOT].document.signers
        assert signers is not None
        assert thief not in signers.keys
        assert station.keeper.chain.trust.version == 41


def test_a_ceremony_that_fails_half_way_has_not_happened(
    keyring: Keyring, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The province is signed anew already, and whoever signs for the ward mistypes his passphrase."""
    before = (keyring.directory / "trust.json").read_bytes()
    names = keyring.keys.names()
    taken = Keyring.add_document

    def torn(self: Keyring, envelope: bytes, now: UtcMs) -> None:
        if read_document(envelope).area == WARD:
            raise KeyringError("wrong passphrase")
        taken(self, envelope, now)

    asked = ["trust", "replace", "--dir", str(keyring.directory), "--key", "ha-noi-trust-1", "--yes"]
    with monkeypatch.context() as patched:
        patched.setattr(Keyring, "add_document", torn)
        status, _, err = run(capsys, *asked)
    assert (status, "wrong passphrase" in err) == (1, True)
    assert (keyring.directory / "trust.json").read_bytes() == before
    assert keyring.keys.names() == names
    status, out, _ = run(capsys, *asked)
    assert (status, "ha-noi-trust-1 → ha-noi-trust-2" in out) == (0, True)
    assert len(Keyring(keyring.directory).chain.standing) == 3


@pytest.mark.parametrize(
    ("trouble", "ends"), [(OSError(errno.EIO, "Input/output error"), 1), (KeyboardInterrupt(), 130)]
)
def test_the_only_copy_of_a_key_that_trust_json_names_survives_a_failure_after_the_rename(
    keyring: Keyring,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    trouble: BaseException,
    ends: int,
) -> None:
    """The new file stands under its name, and whether it lasts is not known: its key is all that can sign from now."""

    def torn(_directory: Path) -> None:
        raise trouble

    asked = ["trust", "replace", "--dir", str(keyring.directory), "--key", "ward-routine-1"]
    with monkeypatch.context() as patched:
        patched.setattr("edge_agent.durable.sync_directory", torn)
        status, _, err = run(capsys, *asked)
    assert (status, "keys/ward-routine-2" in err, "ARE signed" in err) == (ends, True, True), err
    assert "chạy lại lệnh" not in err or ends == 130
    after = Keyring(keyring.directory)
    assert after.signer("ward-routine").public in after._keys_in_documents()
    assert run(capsys, "trust", "renew", "--dir", str(keyring.directory), "--area", WARD)[0] == 0


def test_a_disk_that_fills_behind_a_signed_replacement_keeps_it_from_no_station_and_asks_nobody_to_repeat_it(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The old key is in a thief's hands. What was not done is to put it away, and whoever repeats the command for that
    is asked which other key he means."""
    sent: list[int] = []

    def full(_directory: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    asked = ("trust", "replace", "--dir", str(keyring.directory), "--key", "ward-routine-1")
    with monkeypatch.context() as patched:
        patched.setattr("edge_agent.headend.key_folder.make_private_directory", full)
        patched.setattr("edge_agent.headend.cli.trust._send", lambda *args: sent.append(len(args[2])) or 0)
        status, out, told = run(capsys, *asked)
    assert (status, sent) == (1, [1])
    assert "ward-routine-1 → ward-routine-2" in out
    assert "No space left on device; chuyển khóa cũ ward-routine-1 vào keys/retired bằng tay" in told
    assert "do not replace it again" in told
    assert "chạy lại lệnh" not in told
    status, _, told = run(capsys, *asked)
    assert (status, "replaced already? `trust send`" in told) == (1, True)
    keyring.keys.retire("ward-routine-1")
    status, _, told = run(capsys, *asked)
    assert (status, "was replaced, and lies in keys/retired; `trust send`" in told) == (1, True)


def test_ctrl_c_while_the_new_documents_are_sent_says_that_they_are_signed(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who repeats the command replaces the new key."""

    @contextlib.contextmanager
    def dead(*_args: object) -> Iterator[None]:
        raise KeyboardInterrupt
        yield

    ward = keyring.directory
    monkeypatch.setattr("edge_agent.headend.cli.trust.talking", dead)
    replace = ("trust", "replace", "--dir", str(ward), "--key", "province-1", "--broker", "localhost:1")
    status, _, told = run(capsys, *replace)
    assert status == 130
    assert (
        f"đã ký, CHƯA GỬI HẾT, đừng ký lại / signed, NOT all sent, do not sign again: trust send --dir {ward}" in told
    )
    assert "chạy lại lệnh" not in told


def test_a_replacement_broken_off_before_anything_was_written_leaves_no_key_and_is_no_success(
    keyring: Keyring, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_off(*_args: object) -> None:
        raise KeyboardInterrupt

    before, names = (keyring.directory / "trust.json").read_bytes(), keyring.keys.names()
    monkeypatch.setattr(Keyring, "add_document", broken_off)
    status, _, err = run(capsys, "trust", "replace", "--dir", str(keyring.directory), "--key", "ward-routine-1")
    assert (status, "BROKEN OFF" in err) == (130, True)
    assert ((keyring.directory / "trust.json").read_bytes(), keyring.keys.names()) == (before, names)


def test_two_ceremonies_at_once_bring_no_stolen_key_back(keyring: Keyring) -> None:
    other, stolen = Keyring(keyring.directory), keyring.keys.key("ward-routine-1").public
    replace(keyring, "ward-routine-1", "ward-routine-2")
    renew(other, WARD, UtcMs(LATER + 1))
    assert other.chain.newest[WARD].document.version == 3
    assert stolen not in Keyring(keyring.directory)._keys_in_documents()


def test_a_ceremony_waits_for_the_one_that_is_being_held(keyring: Keyring) -> None:
    """Both would begin at the same documents, and the second take away what the first has signed."""
    held = threading.Thread(target=renew, args=(keyring, WARD, LATER))
    before = (keyring.directory / "trust.json").read_bytes()
    with alone(keyring.directory / "trust.lock"):
        held.start()
        held.join(1)  # what waits for its turn, waits; what does not has written by then
        assert (keyring.directory / "trust.json").read_bytes() == before
    held.join()
    assert Keyring(keyring.directory).chain.newest[WARD].document.version == 2


@pytest.mark.parametrize("written", [None, b"{"], ids=["broken off", "a file that nobody can read"])
def test_a_ceremony_that_comes_to_no_good_end_has_not_happened(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch, written: bytes | None
) -> None:
    signer = Keyring(Path(shutil.copytree(keyring.directory, keyring.directory.parent / "signer")))
    renew(signer, WARD, LATER)
    before = keyring.documents, keyring.chain, (keyring.directory / "trust.json").read_bytes()
    if written is not None:
        monkeypatch.setattr("edge_agent.headend.keyring.write_file", lambda _documents: written)

    def hold() -> None:
        with keyring.ceremony():
            keyring.add_document(signer.chain.newest[WARD].envelope, LATER)
            if written is None:
                raise KeyringError("a PIN that nobody knows")

    with pytest.raises(KeyringError):
        hold()
    assert (keyring.documents, keyring.chain, (keyring.directory / "trust.json").read_bytes()) == before


def test_a_document_that_does_not_stand_is_told_and_signed_anew(
    keyring: Keyring, capsys: pytest.CaptureFixture[str]
) -> None:
    renew(keyring, PROVINCE, LATER, lambda payload: payload["delegates"].update({"epoch": LATER}))  # type: ignore[union-attr]
    again = Keyring(keyring.directory)
    assert [held.document.area for held in again.chain.standing] == [ROOT, PROVINCE]
    assert again.lacking(WARD, [])[-1] == again.chain.newest[PROVINCE].envelope, "what is void is sent to nobody"
    assert "DOES NOT STAND" in run(capsys, "trust", "list", "--dir", str(keyring.directory))[1].splitlines()[-1]
    assert run(capsys, "trust", "renew", "--dir", str(keyring.directory), "--area", WARD)[0] == 0
    assert len(Keyring(keyring.directory).chain.standing) == 3


def test_where_a_signers_key_is_elsewhere_the_rest_is_renewed_and_told(
    keyring: Keyring, capsys: pytest.CaptureFixture[str]
) -> None:
    (keyring.directory / "keys" / "national-trust-1.pem").unlink()
    status, out, err = run(capsys, "trust", "renew", "--dir", str(keyring.directory))
    assert (status, out.startswith(f"đã ký / signed: {WARD}: ")) == (1, True)
    assert f"NOT signed: {PROVINCE}: key: cần 1 chữ ký của national-trust, ở đây có 0 khóa" in err
    assert "1 of national-trust must sign, and 0" in err


def test_what_was_signed_and_not_sent_is_told_with_the_command_that_sends_it(
    keyring: Keyring, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.headend.dispatch.PUBLISH_S", 0.1)
    keyring.enrol("tram-01", WARD)
    status, _, err = run(capsys, "trust", "renew", "--dir", str(keyring.directory), "--broker", "localhost:1")
    assert (status, "NOT sent" in err, "trust send --dir" in err) == (1, True, True)


@pytest.mark.parametrize(
    ("key", "more", "told"),
    [
        ("welcome-1", ["--encrypt"], "serves a server"),
        ("ward-emergency", [], "which one? ward-emergency-1, ward-emergency-2"),
        ("nobody", [], "none of that name is here"),
        ("ward-routine-9", [], "the exposed one stays good: none"),
    ],
)
def test_a_replacement_that_nobody_can_mean_is_refused(
    keyring: Keyring, capsys: pytest.CaptureFixture[str], key: str, more: list[str], told: str
) -> None:
    status, _, err = run(capsys, "trust", "replace", "--dir", str(keyring.directory), "--key", key, *more)
    assert (status, told in err) == (1, True), err
    assert len(keyring.keys.names()) == len(Keyring(keyring.directory).keys.names())


def test_a_key_under_a_passphrase_is_not_replaced_by_an_open_file_by_mistake(
    keyring: Keyring, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    keyring.protect("ward-routine-1", lambda _prompt: "bốn từ dài và khó đoán")
    asked = ["trust", "replace", "--dir", str(keyring.directory), "--key", "ward-routine-1"]
    status, _, err = run(capsys, *asked)
    assert (status, "--encrypt, --token …, or --plain" in err) == (1, True)
    assert run(capsys, *asked, "--plain")[0] == 0


def test_a_key_that_no_document_names_is_not_what_a_bare_role_means(keyring: Keyring) -> None:
    """Left by a replacement that was killed half-way: no welcome must be signed with it."""
    new_key(keyring, "welcome-0")
    new_key(keyring, "welcome-2")
    assert keyring.signer("welcome").keyid == keyring.signer("welcome-1").keyid
