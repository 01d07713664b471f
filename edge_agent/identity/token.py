"""Private keys on PKCS#11 tokens: made there, never seen outside, used with a PIN.

A key is known here by a note, a file ``NAME.token``: which token, which key on it, and its public half. Every signature
is checked against that before anybody gets it: a token with another key, or a faulty one, is found out here.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from edge_agent.identity.token_library import (
    KeyAbsent,
    OtherKey,
    PinLocked,
    TokenAbsent,
    TokenFailed,
    WrongPin,
    failures,
    p11,
    tokens,
)
from edge_agent.trust.fields import Fields, form, free_text
from edge_agent.trust.keys import (
    ED25519_BYTES,
    P256_POINT_BYTES,
    PublicKey,
    Scheme,
    UnusableKey,
    public_key,
    read_private,
    write_new,
)
from edge_agent.trust.strict_json import WireError, dump, parse

if TYPE_CHECKING:
    import pkcs11

Ask: TypeAlias = Callable[[str], str]
"""From what is asked for, in words, to the PIN."""

TEST_MESSAGE = b"loa: is this the key?"
# No message of ours begins so: a DSSE envelope's signed bytes begin with its name.
_CURVES = {Scheme.ECDSA_P256: bytes.fromhex("06082a8648ce3d030107"), Scheme.ED25519: bytes.fromhex("06032b6570")}
# By name, in DER.
_POINT_BYTES = {Scheme.ECDSA_P256: P256_POINT_BYTES, Scheme.ED25519: ED25519_BYTES}
_OCTET_STRING = 0x04
_KEY_ID_BYTES = 16
_HALF = 32  # of a raw ECDSA signature
_TYPE = form("token-key", '"token-key"')
_MODULE = form(r"/.{1,1023}", "the whole path of the token's PKCS#11 library (.so)")
_LABEL = free_text(32, least=1)
_SERIAL = form(r"[!-~]{0,16}", "at most 16 printable characters")
_HEX = form(r"([0-9a-f]{2}){1,65}", "lower-case hex digits")


@dataclass(frozen=True, slots=True)
class TokenKey:
    """The note of a key on a token."""

    name: str
    module: str
    token: str
    serial: str
    key_id: bytes
    public: PublicKey

    @property
    def where(self) -> str:
        """In what it lies, for people."""
        return f"thiết bị ký số PKCS#11 / token {self.token} ({self.serial})"

    def open(self, ask: Ask) -> TokenSigner:
        """Log in to the token and find the key on it."""
        session = log_in(find_token(self.module, self.token, self.serial), ask)
        attribute = p11().Attribute
        with failures(self.token):
            wanted = {attribute.CLASS: p11().ObjectClass.PRIVATE_KEY, attribute.ID: self.key_id}
            found = list(session.get_objects(wanted))
        if len(found) != 1:
            raise KeyAbsent(
                f"token {self.token}: không có khóa / does not hold the key {self.name} (id {self.key_id.hex()}); was "
                "it initialised again? Take the right token, or replace the key"
            )
        return TokenSigner(self, found[0])

    def destroy(self, ask: Ask) -> None:
        """Take both halves off the token. Not found there: they are gone already."""
        session = log_in(find_token(self.module, self.token, self.serial), ask)
        with failures(self.token):
            for half in list(session.get_objects({p11().Attribute.ID: self.key_id})):
                half.destroy()


class TokenSigner:
    """A key on a token that we are logged in to."""

    def __init__(self, note: TokenKey, private: Any) -> None:
        self.note = note
        self._private = private  # what it can do is known only at run time

    @property
    def public(self) -> PublicKey:
        """The key of the note."""
        return self.note.public

    @property
    def keyid(self) -> str:
        """The public key's name."""
        return self.public.keyid

    def sign(self, message: bytes) -> bytes:
        """In the form of the key's scheme, and verified."""
        with failures(self.note.token):
            signature = self._signature(message)
        if not self.public.signed(message, signature):
            raise OtherKey(
                f"token {self.note.token}: khóa trên thiết bị không phải khóa đã ghi / signed with another key than "
                f"{self.note.name}; nothing was signed. Whose token is this? Do not use it before that is known"
            )
        return signature

    def _signature(self, message: bytes) -> bytes:
        if self.public.scheme is Scheme.ED25519:
            return bytes(self._private.sign(message, mechanism=p11().Mechanism.EDDSA))
        # Hashed here: not every token can, and an order is no secret.
        raw = bytes(self._private.sign(hashlib.sha256(message).digest(), mechanism=p11().Mechanism.ECDSA))
        return encode_dss_signature(int.from_bytes(raw[:_HALF]), int.from_bytes(raw[_HALF:]))


def read_note(path: Path) -> TokenKey:
    """The note in a file. ``UnusableKey`` says what is wrong with it."""
    try:
        fields = Fields(parse(read_private(path)))
        fields.only("type", "module", "token", "serial", "id", "scheme", "public")
        fields.text("type", _TYPE)
        public = _public(fields)
        key_id = bytes.fromhex(fields.text("id", _HEX))
        label, serial = fields.text("token", _LABEL), fields.text("serial", _SERIAL)
        return TokenKey(path.stem, fields.text("module", _MODULE), label, serial, key_id, public)
    except WireError as error:
        raise UnusableKey(f"{path}: {error.where}: nội dung sai / {error.rule}") from error


def _public(fields: Fields) -> PublicKey:
    try:
        return public_key(fields.choice("scheme", Scheme), bytes.fromhex(fields.text("public", _HEX)))
    except UnusableKey as error:
        raise fields.wrong("public", str(error)) from error


def write_note(path: Path, key: TokenKey) -> None:
    """A new file, durably. ``FileExistsError``: a key is never overwritten."""
    where = {"module": key.module, "token": key.token, "serial": key.serial, "id": key.key_id.hex()}
    write_new(path, dump({"type": "token-key", **where, **key.public.to_trust()}))


def find_token(module: str, label: str, serial: str | None = None) -> pkcs11.Token:
    """The one token of that label (and serial number) that is plugged in."""
    found = [one for one in tokens(module, label) if serial in (None, serial_of(one))]
    if len(found) == 1:
        return found[0]
    named = label if serial is None else f"{label} ({serial})"
    if found:
        raise TokenAbsent(
            f"token {named}: có {len(found)} thiết bị cùng tên, chỉ cắm đúng một / {len(found)} tokens are called so; "
            "leave only the one that is meant"
        )
    if others := [serial_of(one) for one in tokens(module, label)]:
        raise TokenAbsent(
            f"token {named}: thiết bị tên đó đang cắm ({', '.join(others)}) không có khóa này: đã bị khởi tạo lại hoặc "
            "bị tráo / the token of that name that is plugged in does not hold the key: it was initialised again, or "
            "swapped; take the right one, or replace the key"
        )
    raise TokenAbsent(f"token {named}: không tìm thấy / is not plugged in; plug it in and repeat the command")


def names_on(token: pkcs11.Token) -> frozenset[str]:
    """What the keys on a token are called, of those whose public halves it shows to whoever has no PIN."""
    with failures(token.label):
        session = token.open()
        try:
            named = p11().Attribute
            found = list(session.get_objects({named.CLASS: p11().ObjectClass.PUBLIC_KEY}))
            return frozenset(str(one[named.LABEL]) for one in found)
        finally:
            session.close()


def log_in(token: pkcs11.Token, ask: Ask) -> pkcs11.Session:
    """A session in which the token's keys can be used. Asks for no PIN where that can only fail."""
    if p11().TokenFlag.USER_PIN_LOCKED in token.flags:
        raise _locked(token)
    last = p11().TokenFlag.USER_PIN_FINAL_TRY in token.flags
    hint = ", LẦN THỬ CUỐI / THE LAST TRY before it locks" if last else ""
    pin = ask(f"mã PIN của thiết bị ký số / PIN of token {token.label}{hint}")
    with failures(token.label):
        try:
            return token.open(rw=True, user_pin=pin)
        except (p11().PinIncorrect, p11().PinInvalid, p11().PinLenRange) as error:
            raise WrongPin(
                f"token {token.label}: sai mã PIN / wrong PIN; a few wrong ones lock the token, so be sure before you "
                "try again"
            ) from error
        except p11().PinLocked as error:
            raise _locked(token) from error
        except p11().UserAlreadyLoggedIn:
            return token.open(rw=True)  # for another key on it


def make_key(session: pkcs11.Session, module: str, name: str, scheme: Scheme) -> TokenSigner:
    """Make a key pair on the token, never to leave it, and try it."""
    token, named = session.token, p11().Attribute
    kept_inside = {named.PRIVATE: True, named.SENSITIVE: True, named.EXTRACTABLE: False}
    kind = p11().KeyType.EC if scheme is Scheme.ECDSA_P256 else p11().KeyType.EC_EDWARDS
    key_id = os.urandom(_KEY_ID_BYTES)
    with failures(token.label, f"no {scheme} key can be made; take the other --scheme, or another token"):
        curve = session.create_domain_parameters(kind, {named.EC_PARAMS: _CURVES[scheme]}, local=True)
        public, private = curve.generate_keypair(
            id=key_id,
            label=name,
            store=True,
            capabilities=p11().MechanismFlag.SIGN,
            public_template=_unsaid(),
            private_template=kept_inside,
        )
        point = _bare(public[named.EC_POINT], _POINT_BYTES[scheme])
        inside = {attribute: private[attribute] for attribute in kept_inside}
    if inside != kept_inside:
        raise TokenFailed(f"token {token.label}: lets its keys out; take another one")
    try:
        known = public_key(scheme, point)
    except UnusableKey as error:
        raise TokenFailed(f"token {token.label}: tells no {scheme} public key ({error}); take another one") from error
    made = TokenSigner(TokenKey(name, module, token.label, serial_of(token), key_id, known), private)
    made.sign(TEST_MESSAGE)
    return made


def _unsaid() -> dict[pkcs11.Attribute, object]:
    """What is left to the token to say of a public half, which we never use on it.

    A TPM has one bit for "signs, encrypts" and one for "decrypts, verifies": tpm2-pkcs11 refuses a key that signs and
    may not encrypt, or that verifies and may not decrypt.
    """
    from pkcs11.constants import DEFAULT

    named = p11().Attribute
    return dict.fromkeys((named.ENCRYPT, named.VERIFY), DEFAULT)


def _bare(point: bytes, length: int) -> bytes:
    """Most tokens tell a point inside an octet string, some as it is."""
    return point[2:] if len(point) == length + 2 and point[:2] == bytes([_OCTET_STRING, length]) else point


def serial_of(token: pkcs11.Token) -> str:
    """Its serial number."""
    return token.serial.decode("ascii", "replace")


def _locked(token: pkcs11.Token) -> PinLocked:
    return PinLocked(
        f"token {token.label}: mã PIN đã bị khóa / its PIN is locked; whoever holds its SO PIN (PUK) unlocks it, by "
        "the tool that came with it; a TPM, which takes power cuts for wrong PINs, opens again by itself after a while"
    )
