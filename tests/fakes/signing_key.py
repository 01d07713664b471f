"""The key that a station signs with: it may fail for a while, as a chip does, or a worn card."""

from __future__ import annotations

from edge_agent.trust.keys import PublicKey, Signer
from tests.trust import makers


class FakeSigningKey:
    """An ``identity.port.SigningKey``, and the ``Signer`` that it opens. ``trouble`` is what each use of it raises."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble
        self.opened = 0
        self._real = makers.signer("station")

    @property
    def public(self) -> PublicKey:
        return self._real.public

    @property
    def keyid(self) -> str:
        return self._real.keyid

    def open(self) -> Signer:
        self.opened += 1
        self._try()
        return self

    def make(self) -> Signer:
        return self.open()

    def destroy(self) -> None:
        raise AssertionError("an agent destroys no key")

    def sign(self, message: bytes) -> bytes:
        self._try()
        return self._real.sign(message)

    def _try(self) -> None:
        if self.trouble is not None:
            raise self.trouble
