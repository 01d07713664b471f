"""The key that the agent signs with, as long as it can be used, and what is missing once it cannot.

Orders are proven by the keys of others. So a station whose own key fails (a chip that is gone or locked, a file that a
worn card has lost) hears, plays, warns and keeps its records all the same. It says nothing, as nobody could believe it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from edge_agent.identity.port import SigningKey
from edge_agent.identity.token_library import TokenError, WrongPin
from edge_agent.trust.keys import PublicKey, Signer, UnusableKey

TROUBLE = (TokenError, OSError, ValueError)
# A secure element that fails, a file that cannot be read, a key that is none (``UnusableKey``).

log = logging.getLogger(__name__)


class Pen:
    """A ``Signer`` over a key that may fail: each use raises ``UnusableKey`` then.

    ``on_lost`` hears of it, from whichever thread it was that could not sign. Once lost it stays so: the library of an
    element that has failed answers no more in that process, so ``remind`` has another one begun, by ``anew``. Not for a
    wrong PIN: each start tries it once, and a few wrong ones lock an element for good.
    """

    def __init__(self, key: SigningKey, on_lost: Callable[[], None], anew: Callable[[], None]) -> None:
        self._on_lost = on_lost
        self._anew = anew
        self._signer: Signer | None = None
        self._trouble: Exception | None = None
        try:
            self._signer = key.open()
        except TROUBLE as error:
            self._lose(error)

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return self._usable().public

    @property
    def keyid(self) -> str:
        """The public key's name."""
        return self.public.keyid

    def sign(self, message: bytes) -> bytes:
        """See ``Signer``."""
        signer = self._usable()
        try:
            return signer.sign(message)
        except TROUBLE as error:
            self._lose(error)
            raise UnusableKey(str(error)) from error

    def remind(self) -> None:
        """Some time has passed: where a new process may find the key again, ask for one."""
        if self._trouble is not None and not isinstance(self._trouble, WrongPin):
            self._anew()

    def _usable(self) -> Signer:
        signer = self._signer
        if signer is None:
            raise UnusableKey(str(self._trouble))
        return signer

    def _lose(self, error: Exception) -> None:
        self._trouble, self._signer = error, None
        log.error(
            "cannot sign, không ký được: orders are obeyed and nothing is reported field=[trust] station_key_file "
            "error=%s next=edge-agent doctor",
            error,
        )
        self._on_lost()
