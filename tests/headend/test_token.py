"""Keys on tokens: real ones of SoftHSM for what it can do, and a small stand-in for what only hardware does."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pkcs11
import pytest
from pkcs11 import Attribute, ObjectClass, TokenFlag

from edge_agent.headend.key_folder import EVERY_KEY, KeyFolder, Wish, beside
from edge_agent.identity.token import (
    TEST_MESSAGE,
    TokenKey,
    TokenSigner,
    find_token,
    log_in,
    make_key,
    read_note,
    write_note,
)
from edge_agent.identity.token_library import (
    KeyAbsent,
    NoTokenLibrary,
    OtherKey,
    PinLocked,
    TokenAbsent,
    TokenError,
    TokenFailed,
    WrongPin,
)
from edge_agent.trust.envelope import pae
from edge_agent.trust.keys import Scheme, UnusableKey
from tests.cli.findings import NOBODY, is_root
from tests.host.softhsm import NEEDS_SOFTHSM, PIN, SO_PIN, Drawer, drawer, see_again
from tests.trust import makers

NOTE = TokenKey("ward-routine-1", "/usr/lib/token.so", "LOA-A", "c904e6f8", b"\x17" * 16, makers.P256Signer("a").public)


def softhsm(test: Callable[..., None]) -> Callable[..., None]:
    for mark in NEEDS_SOFTHSM:
        test = mark(test)
    return test


def never(what: str) -> str:
    raise AssertionError(f"nobody need be asked for {what}")


def pin(_what: str) -> str:
    return PIN


@pytest.fixture
def tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drawer]:
    with drawer(tmp_path / "hsm", monkeypatch) as made:
        made.plug_in_new("LOA-A")
        see_again(made)
        yield made


def make(tokens: Drawer, name: str = "ward-routine-1", scheme: Scheme = Scheme.ECDSA_P256) -> TokenKey:
    """A key, made in another process as far as the token can tell."""
    made = make_key(log_in(find_token(tokens.module, "LOA-A"), pin), tokens.module, name, scheme).note
    see_again(tokens)
    return made


@softhsm
def test_a_key_never_leaves_its_token(tokens: Drawer) -> None:
    key = make(tokens)
    private = private_of(tokens, key)
    assert [private[one] for one in (Attribute.SENSITIVE, Attribute.ALWAYS_SENSITIVE, Attribute.PRIVATE)] == [True] * 3
    assert [private[one] for one in (Attribute.EXTRACTABLE, Attribute.DECRYPT, Attribute.UNWRAP)] == [False] * 3
    assert private[Attribute.NEVER_EXTRACTABLE]
    with pytest.raises(pkcs11.AttributeSensitive):
        _ = private[Attribute.VALUE]


def private_of(tokens: Drawer, key: TokenKey) -> Any:
    session = log_in(find_token(tokens.module, "LOA-A"), pin)
    return next(iter(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: key.key_id})))


@softhsm
def test_a_wrong_pin_has_a_name_and_is_not_repeated(tokens: Drawer) -> None:
    key = make(tokens)
    with pytest.raises(WrongPin, match=r"LOA-A: sai mã PIN / wrong PIN") as caught:
        key.open(lambda _what: "not-the-pin-99")
    assert "not-the-pin-99" not in str(caught.value)
    assert key.open(pin).public == key.public  # and the next try is heard


@softhsm
def test_a_token_that_is_not_plugged_in_is_named_and_no_pin_is_asked_for(tokens: Drawer) -> None:
    key = make(tokens)
    tokens.pull_all()
    see_again(tokens)
    with pytest.raises(TokenAbsent, match=rf"LOA-A \({key.serial}\): không tìm thấy / is not plugged in"):
        key.open(never)


@softhsm
def test_a_new_token_of_the_same_name_is_not_the_one(tokens: Drawer) -> None:
    key = make(tokens)
    tokens.pull_all()
    tokens.plug_in_new("LOA-A")
    see_again(tokens)
    with pytest.raises(TokenAbsent, match=key.serial) as caught:
        key.open(never)
    assert "không có khóa này: đã bị khởi tạo lại hoặc bị tráo" in str(caught.value)
    assert "plug it in" not in str(caught.value), "it is plugged in"


@softhsm
def test_where_two_tokens_have_one_name_nobody_guesses(tokens: Drawer) -> None:
    tokens.plug_in_new("LOA-A")
    see_again(tokens)
    with pytest.raises(TokenAbsent, match="có 2 thiết bị cùng tên, chỉ cắm đúng một / 2 tokens are called so"):
        find_token(tokens.module, "LOA-A")


@softhsm
def test_a_key_that_is_gone_from_its_token_is_named(tokens: Drawer) -> None:
    key = make(tokens)
    private_of(tokens, key).destroy()
    see_again(tokens)
    with pytest.raises(KeyAbsent, match=r"không có khóa / does not hold the key ward-routine-1"):
        key.open(pin)


@softhsm
@pytest.mark.parametrize("scheme", Scheme)
def test_a_key_that_was_swapped_on_the_token_signs_nothing(tokens: Drawer, scheme: Scheme) -> None:
    own, other = make(tokens, "own", scheme), make(tokens, "other", scheme)
    swapped = replace(own, key_id=other.key_id).open(pin)
    with pytest.raises(OtherKey, match=r"signed with another key than own; nothing was signed"):
        swapped.sign(b"lenh phat")


@softhsm
def test_a_token_that_is_pulled_between_opening_and_signing_fails_by_name_and_is_used_again_later(
    tokens: Drawer,
) -> None:
    key = make(tokens)
    signer = key.open(pin)
    tokens.pull_all()
    with pytest.raises(TokenFailed, match=r"thiết bị báo lỗi / failed \(.+\): was it pulled out\?"):
        signer.sign(b"lenh phat")
    tokens.plug_in_again()
    see_again(tokens)
    assert key.public.signed(b"m", key.open(pin).sign(b"m"))


@softhsm
def test_two_keys_on_one_token_are_both_used(tokens: Drawer) -> None:
    first, second = make(tokens, "one"), make(tokens, "two", Scheme.ED25519)
    both = [first.open(pin), second.open(pin)]
    assert [one.public.signed(b"m", one.sign(b"m")) for one in both] == [True, True]


@softhsm
def test_of_a_key_that_was_destroyed_neither_half_is_left_on_its_token(tokens: Drawer) -> None:
    key, other = make(tokens, "one"), make(tokens, "two")
    key.destroy(pin)
    see_again(tokens)
    session = log_in(find_token(tokens.module, "LOA-A"), pin)
    assert list(session.get_objects({Attribute.ID: key.key_id})) == []
    assert len(list(session.get_objects({Attribute.ID: other.key_id}))) == 2


@softhsm
def test_what_lies_beside_a_key_is_told_by_the_token_and_by_the_notes_of_that_very_token(
    tokens: Drawer, tmp_path: Path
) -> None:
    """A token of the same name in another drawer is another one; whoever loses this one loses what lies on it."""
    lying = make(tokens, "made-elsewhere-1")
    for name, serial in (("ward-routine-1", lying.serial), ("ward-policy-1", "another")):
        write_note(tmp_path / f"{name}.token", replace(lying, name=name, serial=serial))
    wish = Wish(module=tokens.module, labels={EVERY_KEY: "LOA-A"})
    assert beside(KeyFolder(tmp_path, never), "ward-emergency-1", wish) == {"made-elsewhere-1", "ward-routine-1"}


@softhsm
def test_a_note_holds_no_secret_and_reads_back(tokens: Drawer, tmp_path: Path) -> None:
    key = make(tokens)
    path = tmp_path / "ward-routine-1.token"
    write_note(path, key)
    assert read_note(path) == key
    written = path.read_bytes()
    assert PIN.encode() not in written
    assert SO_PIN.encode() not in written
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        write_note(path, key)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", "trust"),
        ("module", "libtoken.so"),
        ("module", ""),
        ("token", ""),
        ("token", "x" * 33),
        ("serial", "x" * 17),
        ("id", "xyz"),
        ("id", ""),
        ("scheme", "rsa"),
        ("public", "04" * 65),
        ("public", "ff"),
        ("pin", PIN),
    ],
)
def test_a_note_with_any_doubt_in_it_is_refused_by_file_and_field(tmp_path: Path, field: str, value: str) -> None:
    path = tmp_path / "k.token"
    write_note(path, NOTE)
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(UnusableKey) as caught:
        read_note(path)
    assert field == "public" or f"k.token: {field}" in str(caught.value)
    assert PIN not in str(caught.value)


def test_a_note_that_others_could_change_is_refused_as_it_says_which_library_is_loaded(tmp_path: Path) -> None:
    write_note(tmp_path / "k.token", NOTE)
    (tmp_path / "k.token").chmod(0o660)
    with pytest.raises(UnusableKey, match="chmod 600"):
        read_note(tmp_path / "k.token")


def test_without_the_python_library_its_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(NoTokenLibrary, match=r"pip install 'edge-agent\[token\]'"):
        NOTE.open(never)


@pytest.mark.parametrize("module", ["/no/such/token.so", __file__, "/dev/null"])
def test_a_library_that_is_none_is_named(module: str) -> None:
    with pytest.raises(NoTokenLibrary, match=rf"token library {module}: cannot be loaded"):
        replace(NOTE, module=module).open(never)


@is_root
@pytest.mark.parametrize("planted", ["file", "folder", "link"])
def test_root_loads_no_library_that_the_service_could_have_put_there(tmp_path: Path, planted: str) -> None:
    """A taken-over agent writes another library into the note, and waits for ``sudo edge-agent doctor``."""
    services = tmp_path / "state"
    services.mkdir()
    module = services / "token.so"
    if planted == "link":
        module.symlink_to("/usr/lib/os-release")  # root's own, as the next moment what it leads to need not be
    else:
        module.write_bytes(b"\x7fELF")
    theirs = services if planted == "folder" else module
    os.chown(theirs, NOBODY, NOBODY, follow_symlinks=False)
    with pytest.raises(NoTokenLibrary, match=rf"root loads root's own alone, and others can change {theirs}\)"):
        replace(NOTE, module=str(module)).open(never)


NOTHING_SPECIAL = TokenFlag(0)


class StandIn:
    """A token that does what SoftHSM never does."""

    label = "LOA-A"
    serial = b"c904e6f8"

    def __init__(self, answer: Exception | None = None, flags: TokenFlag = NOTHING_SPECIAL) -> None:
        self.flags = flags
        self._answer = answer
        self.opened: list[str | None] = []

    def open(self, rw: bool, user_pin: str | None = None) -> str:
        self.opened.append(user_pin)
        if self._answer is not None and user_pin is not None:
            raise self._answer
        return "a session"


def test_a_locked_pin_is_told_before_anybody_types_it() -> None:
    token = StandIn(flags=TokenFlag.USER_PIN_LOCKED)
    with pytest.raises(PinLocked, match=r"mã PIN đã bị khóa / its PIN is locked; whoever holds its SO PIN"):
        log_in(token, never)
    assert token.opened == []


def test_the_last_try_is_said_to_be_the_last() -> None:
    asked: list[str] = []
    log_in(StandIn(flags=TokenFlag.USER_PIN_FINAL_TRY), lambda what: asked.append(what) or PIN)
    log_in(StandIn(), lambda what: asked.append(what) or PIN)
    assert ["LAST TRY" in what for what in asked] == [True, False]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (pkcs11.PinIncorrect(), WrongPin),
        (pkcs11.PinLenRange(), WrongPin),
        (pkcs11.PinInvalid(), WrongPin),
        (pkcs11.PinLocked(), PinLocked),
        (pkcs11.TokenNotPresent(), TokenFailed),
        (pkcs11.DeviceError(), TokenFailed),
    ],
)
def test_every_answer_to_a_pin_has_its_name(answer: Exception, kind: type[TokenError]) -> None:
    token = StandIn(answer)
    with pytest.raises(kind) as caught:
        log_in(token, pin)
    assert type(caught.value) is kind
    assert PIN not in str(caught.value)
    assert token.opened == [PIN]  # once: every further one may be the last


def test_who_is_logged_in_already_goes_on() -> None:
    token = StandIn(pkcs11.UserAlreadyLoggedIn())
    assert log_in(token, pin) == "a session"
    assert token.opened == [PIN, None]


class Making:
    """A session on a token that makes keys, and may keep them badly."""

    token = StandIn()

    def __init__(
        self, point: bytes, inside: dict[Attribute, Any] | None = None, error: Exception | None = None
    ) -> None:
        self._point, self._inside, self._error = point, inside or {}, error

    def create_domain_parameters(self, kind: object, attributes: object, local: bool) -> Making:
        return self

    def generate_keypair(self, private_template: dict[Attribute, Any], **_over: object) -> tuple[object, object]:
        if self._error is not None:
            raise self._error
        return {Attribute.EC_POINT: self._point}, Private(private_template | self._inside)


class Private(dict[Attribute, Any]):
    """Signs as the key of the name "a" in Ed25519 does."""

    def sign(self, message: bytes, mechanism: object) -> bytes:
        return makers.signer("a").sign(message)


RAW = makers.signer("a").public.raw


@pytest.mark.parametrize("point", [RAW, b"\x04\x20" + RAW])
def test_a_point_is_understood_as_it_is_and_in_an_octet_string(point: bytes) -> None:
    made = make_key(Making(point), "/t.so", "ward-routine-1", Scheme.ED25519).note
    assert (made.public, made.token, made.serial) == (makers.signer("a").public, "LOA-A", "c904e6f8")
    assert made.where == "thiết bị ký số PKCS#11 / token LOA-A (c904e6f8)"


@pytest.mark.parametrize(
    ("session", "kind", "told"),
    [
        (Making(RAW, {Attribute.EXTRACTABLE: True}), TokenFailed, "lets its keys out"),
        (Making(RAW, {Attribute.SENSITIVE: False}), TokenFailed, "lets its keys out"),
        (Making(RAW[:31]), TokenFailed, "tells no ed25519 public key"),
        (Making(makers.signer("b").public.raw), OtherKey, "another key"),
        (
            Making(RAW, error=pkcs11.MechanismInvalid()),
            TokenFailed,
            "no ed25519 key can be made; take the other --scheme",
        ),
    ],
)
def test_a_token_that_will_not_do_is_found_out_when_the_key_is_made(
    session: Making, kind: type[TokenError], told: str
) -> None:
    with pytest.raises(kind, match=told):
        make_key(session, "/t.so", "ward-routine-1", Scheme.ED25519)


def test_nonsense_from_a_token_is_no_signature() -> None:
    answers = SimpleNamespace(sign=lambda _digest, mechanism: b"\x00" * 64)
    with pytest.raises(OtherKey):
        TokenSigner(NOTE, answers).sign(b"lenh phat")


def test_the_message_of_the_trial_could_not_be_an_order() -> None:
    assert not TEST_MESSAGE.startswith(pae("x", b"")[:4])
