"""Compose orders and say where they travel: draft to envelope, envelope to topics and expiry. Sends nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from edge_agent.core.units import SECOND_MS, StationId, UtcMs
from edge_agent.headend.audio_facts import facts_of
from edge_agent.headend.content import Shelf
from edge_agent.headend.drafting import Finished, Surroundings
from edge_agent.headend.drafts import finish, kind_of_draft
from edge_agent.headend.given import Given, heading_of
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.signing import SigningError, sign_order
from edge_agent.spoken.own import NO_OWN_WORDS
from edge_agent.spoken.table import Table
from edge_agent.sync.topics import Down, area_job_topic, down_topic
from edge_agent.trust.orders import OrderType


def topics_of(order: Given) -> tuple[str, ...]:
    """Where an order for its audience is published: whatever its kind, where jobs go."""
    audience = heading_of(order).audience
    stations = [down_topic(StationId(station), Down.JOB) for station in sorted(audience.stations)]
    return (*stations, *(area_job_topic(area) for area in sorted(audience.areas)))


def expiry_s(order: Given, now: UtcMs) -> int:
    """How long a broker may keep the order: until ``not_after``. Raises SigningError when that has passed."""
    left_ms = heading_of(order).not_after - now
    if left_ms <= 0:
        told = "lệnh đã hết hiệu lực, soạn và ký lệnh mới / has passed; make and sign a new order"
        raise SigningError(f"not_after: {told}")
    return -(-left_ms // SECOND_MS)


def compose(
    keyring: Keyring,
    draft: Mapping[str, object],
    keys: Sequence[str],
    shelf: Shelf | None,
    now: UtcMs,
    base: Path = Path(),
    words: Table | None = NO_OWN_WORDS,
) -> tuple[Finished, bytes]:
    """A draft, finished and signed by the named keys; issuer and level are those of the first key's role for it.

    ``words``: see ``Surroundings``.
    """
    kind = kind_of_draft(draft)
    signers, grant = keyring.signers(keys, kind), keyring.grant_of(keys[0], kind)
    around = Surroundings(
        keyring.realm,
        grant.issuer,
        grant.level,
        now,
        partial(keyring.serials.next, now=now, at_once=kind is OrderType.COMMAND),
        facts_of,
        None if shelf is None else shelf.publish,
        base,
        words,
    )
    finished = finish(draft, around)
    return finished, sign_order(finished, signers)
