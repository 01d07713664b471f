"""The key a station signs with in a secure element or TPM (PKCS#11): made there, and no copy of it can exist.

``NAME.token`` beside the other files says where it lies, ``NAME.pin`` holds the PIN, as nobody is there to type it. So
whoever holds the box can sign with it; whoever copies the card cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edge_agent.config.sections import NOTE, TrustFiles
from edge_agent.element import OPEN_S, SIGN_S, answered
from edge_agent.identity.file_keys import FileKey, Owner, give
from edge_agent.identity.files import remove_durably
from edge_agent.identity.port import SigningKey
from edge_agent.identity.token import find_token, log_in, make_key, read_note, write_note
from edge_agent.identity.token_library import failures
from edge_agent.trust.keys import PublicKey, Scheme, Signer, UnusableKey, read_private

PIN = ".pin"


@dataclass(frozen=True, slots=True)
class TokenKey:
    """``module`` (the whole path of the element's library) and ``label`` are needed to make a key, not to use it."""

    note: Path
    module: str = ""
    label: str = ""
    scheme: Scheme = Scheme.ECDSA_P256  # few elements, and no TPM, know Ed25519
    owner: Owner = None
    opened_by: Path | None = None

    @property
    def pin_file(self) -> Path:
        """Its first line is the PIN: beside the note, under its name, unless ``opened_by`` is another key's."""
        return self.opened_by or self.note.with_suffix(PIN)

    def make(self) -> Signer:
        """See ``port.SigningKey``."""
        self.create()
        return self.open()

    def create(self) -> None:
        """Make it if there is none, and log out again, as a chip has room for few keys in use: three, without a kernel
        that swaps them. Cut short after the making, a key stays on the element that nothing names."""
        if not self.note.exists():
            if not self.module or not self.label:
                raise UnusableKey(f"{self.note}: chưa có khóa; thêm --token, --label / no key yet; say --token …")
            session = log_in(find_token(self.module, self.label), self.pin)
            write_note(self.note, make_key(session, self.module, self.note.stem, self.scheme).note)
            with failures(self.label):
                session.close()
        for path in (self.note, self.pin_file):
            give(path, self.owner)

    def open(self) -> Signer:
        """See ``port.SigningKey``. OSError too where the element hangs, now or when it is to sign."""
        return _Prompt(answered(lambda: read_note(self.note).open(self.pin), OPEN_S))

    def destroy(self) -> None:
        """See ``port.SigningKey``."""
        if self.note.exists():
            read_note(self.note).destroy(self.pin)
        remove_durably(self.note)
        remove_durably(self.pin_file)

    def pin(self, _what: str) -> str:
        """What opens it. ``UnusableKey`` where it cannot be read."""
        try:
            return read_private(self.pin_file).decode().splitlines()[0]
        except (OSError, ValueError, IndexError) as error:
            raise UnusableKey(f"{self.pin_file}: a file (mode 600) with the PIN in its first line") from error


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A ``Signer`` that signs at once or not at all: nobody is there to touch the element."""

    signer: Signer

    @property
    def public(self) -> PublicKey:
        return self.signer.public

    @property
    def keyid(self) -> str:
        return self.signer.keyid

    def sign(self, message: bytes) -> bytes:
        return answered(partial(self.signer.sign, message), SIGN_S)


def signing_key(named: TrustFiles, owner: Owner = None) -> SigningKey:
    """The key that the station's file names: a note of an element, or the key itself."""
    path = named.station_key_file
    return TokenKey(path, owner=owner) if path.suffix == NOTE else FileKey(path, owner, named.key_credential)
