"""The folder of keys: found by name, opened once, made where it was wished, and every question asked beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.headend.errors import KeyringError
from edge_agent.headend.key_files import new_private, write_key
from edge_agent.headend.key_folder import EVERY_KEY, KeyFolder, Wish, plain_file, prepare
from edge_agent.headend.passphrases import NoPassphrase
from edge_agent.identity.token import TokenKey, write_note
from edge_agent.trust.keys import Scheme
from tests.trust import makers

PASSPHRASE = "một hai ba bốn"
NAMES = ("ward-routine-1", "ward-emergency-1", "ward-emergency-2")


def never(what: str) -> str:
    raise AssertionError(f"nobody need be asked for {what}")


def note(name: str) -> TokenKey:
    return TokenKey(name, "/usr/lib/token.so", "LOA-A", "1", b"\x01", makers.P256Signer(name).public)


def test_files_and_notes_are_found_by_one_name_and_leftovers_are_not(tmp_path: Path) -> None:
    plain_file(tmp_path, "welcome-1")
    write_note(tmp_path / "ward-routine-1.token", note("ward-routine-1"))
    (tmp_path / ".ack-1.pem.12.part").touch()
    folder = KeyFolder(tmp_path, never)
    assert folder.names() == ["ward-routine-1", "welcome-1"]
    assert folder.key("ward-routine") == note("ward-routine-1")
    assert folder.key("welcome").public.scheme is Scheme.ED25519


def test_the_keys_of_a_role_stand_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """By its role's name alone the first of them is meant."""
    for number in (10, 2):
        plain_file(tmp_path, f"ward-routine-{number}")
    folder = KeyFolder(tmp_path, never)
    assert folder.of_role("ward-routine") == ["ward-routine-2", "ward-routine-10"]
    assert folder.signer("ward-routine").public == folder.signer("ward-routine-2").public


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    plain_file(tmp_path, "ward-routine-1")
    with pytest.raises(KeyringError, match=r"no '\.\./ward-routine-1'"):
        KeyFolder(tmp_path / "own", never).key("../ward-routine-1")


def test_a_new_key_has_no_name_that_another_one_has_had_and_leaves_room_for_those_whose_names_nobody_knows(
    tmp_path: Path,
) -> None:
    folder = KeyFolder(tmp_path, never)
    assert folder.new_name("ward-emergency", {"ward-emergency-1"}) == "ward-emergency-2"
    assert folder.new_name("ward-emergency", {"ward-emergency-1", "ward-routine-7", "ward-emergency"}, 1) == (
        "ward-emergency-3"
    )
    plain_file(tmp_path, "ward-emergency-4")
    assert folder.retire("ward-emergency-4")
    assert folder.new_name("ward-emergency", {"ward-emergency-1"}) == "ward-emergency-5"


def test_a_passphrase_is_asked_for_once_however_often_the_key_signs(tmp_path: Path) -> None:
    asked: list[str] = []
    write_key(tmp_path / "ward-routine-1.pem", new_private(Scheme.ECDSA_P256), PASSPHRASE)
    folder = KeyFolder(tmp_path, lambda what: asked.append(what) or PASSPHRASE)
    for name in ("ward-routine", "ward-routine-1", "ward-routine"):
        folder.signer(name).sign(b"m")
    assert len(asked) == 1


def test_a_key_that_is_a_file_and_on_a_token_is_in_doubt(tmp_path: Path) -> None:
    plain_file(tmp_path, "ward-routine-1")
    write_note(tmp_path / "ward-routine-1.token", note("ward-routine-1"))
    with pytest.raises(KeyringError, match=r"ward-routine-1\.pem and ward-routine-1\.token exist"):
        KeyFolder(tmp_path, never).key("ward-routine")


def test_what_is_wrong_with_a_key_is_told_with_its_name(tmp_path: Path) -> None:
    write_key(tmp_path / "a-1.pem", new_private(Scheme.ED25519), PASSPHRASE)
    write_key(tmp_path / "b-1.pem", new_private(Scheme.ED25519), PASSPHRASE)
    swapped = (tmp_path / "a-1.pem").read_bytes().split(b"-----BEGIN ENC")[0]
    swapped += b"-----BEGIN ENC" + (tmp_path / "b-1.pem").read_bytes().split(b"-----BEGIN ENC")[1]
    (tmp_path / "b-1.pem").write_bytes(swapped)
    (tmp_path / "c-1.token").touch(0o600)
    folder = KeyFolder(tmp_path, lambda _what: PASSPHRASE)
    with pytest.raises(KeyringError, match=r"key b: b-1: tệp chứa khóa khác .* / holds another key"):
        folder.signer("b")
    with pytest.raises(KeyringError, match=r"key b: b-1: tệp chứa khóa khác .* / holds another key"):
        folder.protect("b", never)
    with pytest.raises(KeyringError, match=r"key c: .*c-1\.token"):
        folder.key("c")


def test_a_pin_is_changed_by_the_tokens_own_tool(tmp_path: Path) -> None:
    write_note(tmp_path / "c-1.token", note("c-1"))
    with pytest.raises(KeyringError, match="lies on a token"):
        KeyFolder(tmp_path, never).protect("c", never)


def test_without_a_wish_keys_are_plain_ed25519_files_and_nobody_is_asked(tmp_path: Path) -> None:
    make = prepare(NAMES, Wish(), never, never)
    made = [make(tmp_path, name).public for name in NAMES]
    assert [key.scheme for key in made] == [Scheme.ED25519] * 3
    assert [KeyFolder(tmp_path, never).signer(name).public for name in NAMES] == made


def test_every_passphrase_is_asked_for_before_anything_is_made(tmp_path: Path) -> None:
    asked: list[str] = []
    make = prepare(
        NAMES, Wish(Scheme.ECDSA_P256, passphrases=True), never, lambda what: asked.append(what) or PASSPHRASE
    )
    assert [what.rpartition(" ")[2] for what in asked] == list(NAMES)
    assert list(tmp_path.iterdir()) == []
    assert make(tmp_path, "ward-routine-1").public.scheme is Scheme.ECDSA_P256
    assert len(asked) == 3


def test_a_slip_in_the_last_passphrase_makes_nothing(tmp_path: Path) -> None:
    def slips(what: str) -> str:
        if what.endswith("emergency-2"):
            raise NoPassphrase("the two differ")
        return PASSPHRASE

    with pytest.raises(NoPassphrase):
        prepare(NAMES, Wish(passphrases=True), never, slips)


def test_a_label_is_a_keys_own_else_its_roles_else_everybodys() -> None:
    wish = Wish(labels={"ward-emergency-2": "C", "ward-emergency": "B", EVERY_KEY: "A"})
    assert [wish.label(name) for name in NAMES] == ["A", "B", "C"]
    assert Wish(labels={"ward-emergency": "B"}).label("ward-routine-1") is None


def test_a_label_for_a_key_that_will_not_be_is_a_slip_of_the_pen() -> None:
    with pytest.raises(KeyringError, match=r"--token-label ward-emergncy: .*no such key; there will be ward-routine-1"):
        prepare(NAMES, Wish(module="/t.so", labels={"ward-emergncy": "A"}), never, never)
