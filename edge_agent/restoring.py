"""What a start takes over from the journal: every stored order is judged once more by what is believed today.

What its key may not order any more is dropped, with a line in the log; nothing is written. Pure but for that line.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cache
from pathlib import Path

from edge_agent.core import timetable
from edge_agent.core.events import Restored, SavedJob, SavedRule
from edge_agent.core.intake import Verify
from edge_agent.core.job import Accepted, Welcome
from edge_agent.core.order import AcceptedRule
from edge_agent.core.site import Site
from edge_agent.core.trust_standing import NOTHING_STANDS, TrustStanding
from edge_agent.core.units import UtcMs
from edge_agent.journal.port import Contents, JournalError, StoredJob
from edge_agent.journal.reading import read_journal
from edge_agent.manifest_worker import kept_manifests
from edge_agent.trust.keeper import Keeper, believing, by_kept
from edge_agent.trust.orders import OrderType

log = logging.getLogger(__name__)


def trust_file(file: Path, journal: Path, site: Site) -> bytes | None:
    """What lies there; None where the disk does not give it back, and the journal has what was believed beside it.

    Raises OSError, or ValueError: it is no good, or not ours to read, and hands have put it there for something.
    """
    try:
        trust = file.read_bytes()
    except PermissionError:
        raise
    except OSError as error:
        try:
            by_kept(read_journal(journal).trust, site)
        except (JournalError, ValueError):
            raise error from None
        log.error("trust file not to be read error=%s next=what was kept beside it counts; edge-agent doctor", error)
        return None
    believing(trust, (), site)
    return trust


def beside(file: bytes | None, contents: Contents, site: Site) -> tuple[Keeper, Contents]:
    """What a station believes by its trust file, and what of its journal counts beside that.

    Where the keeper says so, nothing does that has told the time: hands have put another file there. None: the disk
    does not give the file back. Raises ValueError as ``believing`` and ``by_kept``.
    """
    keeper = by_kept(contents.trust, site) if file is None else believing(file, contents.trust, site)
    return keeper, replace(contents, floor=UtcMs(0), kept=None) if keeper.time_void else contents


def restored(contents: Contents, verify: Verify, believed: TrustStanding = NOTHING_STANDS) -> Restored:
    """Judge every stored order again: a key that was revoked meanwhile orders nothing any more."""
    once = cache(verify)  # the entries of a timetable share its bytes
    saved = [order for stored in contents.jobs if (order := _judged(stored, once)) is not None]
    return Restored(
        jobs=tuple(order for order in saved if isinstance(order, SavedJob)),
        rules=tuple(order for order in saved if isinstance(order, SavedRule)),
        past=contents.past,
        marks=contents.marks,
        seen=dict(contents.seen),
        last_seq=contents.last_seq,
        acked_seq=contents.acked_seq,
        epoch=contents.epoch,
        refused=contents.refused,
        trust=believed,
        floor=contents.floor,
        forgotten=dict(contents.forgotten) if stands(contents.forgot_by, verify) else {},
        forgot_by=contents.forgot_by,
        chain_from=contents.chain_from,
        manifests=kept_manifests(contents.manifests, verify),
    )


def stands(welcome: bytes, verify: Verify) -> bool:
    """Whether a welcome of before would be believed today: what a thief of its key has said is void with that."""
    return welcome != b"" and isinstance(verify(OrderType.WELCOME, welcome), Welcome)


def _judged(stored: StoredJob, verify: Verify) -> SavedJob | SavedRule | None:
    judgement = verify(stored.topic, stored.envelope)
    if isinstance(judgement, Accepted):
        return SavedJob(judgement, stored.base, stored.held)
    if isinstance(judgement, AcceptedRule) and judgement.order_id == stored.job_id:
        return SavedRule(judgement, stored.base, stored.held)
    listed = timetable.entries(judgement) if isinstance(judgement, AcceptedRule) else ()
    for entry in listed:
        if entry.order_id == stored.job_id:
            return SavedJob(entry, stored.base, stored.held)
    log.warning("stored job refused now job=%r verdict=%s", stored.job_id, judgement)
    return None
