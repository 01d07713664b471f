"""Decide when an order that is published stands in the ward's books: from before it goes out.

Noted behind it, it could be left out: by Ctrl-C while stations' answers are awaited, or by a manifest that another
terminal makes meanwhile. A cancel that is left out leaves what it has taken back in the manifests. What has reached no
broker is forgotten again: what a clerk was told did not go out will not sound.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from edge_agent.core.units import UtcMs
from edge_agent.headend.errors import HeadendError
from edge_agent.headend.files import Stamp
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.manifest_shelf import is_covered
from edge_agent.headend.outbox import Outbox, OutboxError
from edge_agent.headend.signing import read_order

Handed = Callable[[], None]
"""Called when the broker has taken the order on a topic."""

Noting = AbstractContextManager[Handed]


def unnoted() -> Noting:
    """Of what follows nothing here."""
    return nullcontext(lambda: None)


@contextmanager
def noted(
    keyring: Keyring, outbox: Outbox, envelope: bytes, now: UtcMs, renew: Callable[[], object]
) -> Iterator[Handed]:
    """While it is handed over. ``renew`` makes the manifests that follow from it, behind it, for signing hundreds of
    heads takes longer than an emergency may wait; and before it where stations would take it for withdrawn, because it
    was signed before others. Books that cannot be written keep no order from going out. Raises OutboxError behind it.
    """
    taken = False
    new, trouble = _kept(outbox, envelope, now)

    def handed() -> None:
        nonlocal taken, trouble
        if not taken and trouble is None:
            trouble = _went_out(outbox, envelope)
        taken = True

    def settle() -> None:
        if new is not None and not taken:
            outbox.forget(envelope, new)
        renew()

    try:
        if is_covered(keyring, read_order(envelope)):
            renew()
        yield handed
    except BaseException:
        with contextlib.suppress(HeadendError):  # of what is wrong with a file `watch` tells; here, what did not go out
            settle()
        raise
    settle()
    if trouble is not None:
        raise trouble


def _kept(outbox: Outbox, envelope: bytes, now: UtcMs) -> tuple[Stamp | None, OutboxError | None]:
    try:
        return outbox.keep(envelope, now), None
    except OutboxError as error:
        return None, error


def _went_out(outbox: Outbox, envelope: bytes) -> OutboxError | None:
    try:
        outbox.went_out(envelope)
    except OutboxError as error:
        return error
    return None
