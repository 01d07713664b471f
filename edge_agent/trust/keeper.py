"""Hold what a station believes now: judge by it, take over what it is offered, tell what that ends. For one thread.

Decides nothing itself: which documents are believed is ``chain``'s, what an order may do ``judge``'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from edge_agent.core.events import Judgement, Rejected
from edge_agent.core.job import Accepted
from edge_agent.core.order import AcceptedRule
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Site
from edge_agent.core.trust_standing import AcceptedTrust, TrustHead, TrustStanding
from edge_agent.core.units import JobId, UtcMs
from edge_agent.trust.bundle import believe, read_file, write_file
from edge_agent.trust.chain import TRUST_TYPE, Chain, Held, begin, offer
from edge_agent.trust.documents import ROOT
from edge_agent.trust.envelope import Envelope, open_envelope
from edge_agent.trust.judge import judge_opened, judged_again
from edge_agent.trust.keys import PublicKey
from edge_agent.trust.orders import OrderType
from edge_agent.trust.roles import who_may


@dataclass(frozen=True, slots=True)
class Again:
    """Orders, accepted before, judged once more: those that their signers may not give any more (``revoked``).

    ``changed`` are others, as they may be obeyed from now on: by another role, only offered, with less sound.
    """

    revoked: frozenset[JobId]
    changed: tuple[Accepted | AcceptedRule, ...]


class Keeper:
    """What one station believes. ``ValueError`` when the documents and the station are of different realms."""

    def __init__(
        self, chain: Chain, site: Site, anchor: str = "", kept: Iterable[bytes] = (), *, time_void: bool = False
    ) -> None:
        if chain.trust.realm != site.realm:
            raise ValueError(f"the trust documents are for realm {chain.trust.realm}, the station is of {site.realm}")
        self.chain = chain
        self.anchor = anchor
        """The digest of the root that the trust file begins with: what is kept counts only beside it."""
        self.time_void = time_void
        """Whether hands have put a trust file there by which what told the time before tells nothing any more."""
        self._kept = frozenset(kept)
        self._site = site

    @property
    def standing(self) -> TrustStanding:
        """What the core must know of it."""
        return TrustStanding(tuple(_head(held) for held in self.chain.standing))

    @property
    def tell_the_time(self) -> frozenset[PublicKey]:
        """The keys that may sign welcomes."""
        return _tell_the_time(self.chain)

    def judge(self, topic: str, message: bytes) -> Judgement:
        """Whether a message is authentic, for us, and within its signers' limits, by what is believed now."""
        opened = open_envelope(message)
        if isinstance(opened, Rejected):
            return opened
        if opened.payload_type == TRUST_TYPE:
            return self._judge_document(topic, opened, message)
        return judge_opened(self.chain.trust, self._site, topic, opened)

    def take(self, envelope: bytes) -> None:
        """Believe a document that was judged just now. No effect if it is not to be believed any more."""
        after = offer(self.chain, envelope, self._site.areas())
        if isinstance(after, Chain):
            self.chain = after

    def unkept(self) -> tuple[tuple[str, bytes], ...]:
        """(area, envelope) of what is believed and was not told here before."""
        new = {held.envelope: area for area, held in self.chain.newest.items() if held.envelope not in self._kept}
        self._kept |= new.keys()
        return tuple((area, envelope) for envelope, area in new.items())

    def again(self, orders: Iterable[Accepted | AcceptedRule]) -> Again:
        """What becomes of orders, accepted before, by what is believed now; the entries of a timetable go with it."""
        known = tuple(orders)
        today = {one.order_id: judged_again(self.chain.trust, self._site, one) for one in known}
        wholes = {one.order_id: today[one.order_id] for one in known if isinstance(one, AcceptedRule)}
        entries = [one for one in known if isinstance(one, Accepted) and one.edition is not None]
        for entry in entries:
            if today[entry.order_id] is not None:
                today[entry.order_id] = _as_listed(entry, wholes)
        revoked = frozenset(order_id for order_id, found in today.items() if found is None)
        changed = tuple(found for one in known if (found := today[one.order_id]) is not None and found != one)
        return Again(revoked, changed)

    def _judge_document(self, topic: str, opened: Envelope, message: bytes) -> AcceptedTrust | Rejected:
        if topic.rpartition("/")[2] != OrderType.JOB:
            return Rejected(Reason.MALFORMED, "payloadType: a trust document comes where orders come", opened.digest)
        after = offer(self.chain, message, self._site.areas())
        if isinstance(after, Chain):
            (new,) = (held for held in after.newest.values() if held.digest == opened.digest)
            return AcceptedTrust(opened.digest, new.document.area, new.document.issued_at)
        if after.reason is Reason.REPLAYED:
            return AcceptedTrust(opened.digest, "", UtcMs(0), again=True)
        return after


def believing(file: bytes, kept: Sequence[tuple[str, bytes]], site: Site) -> Keeper:
    """A station's keeper, by its trust file and the documents it has kept, each behind its anchor.

    ``ValueError``: the file is no good, or of another realm. What was kept beside a file that began with another root
    does not count: so hands at a station heal it, whatever it has been made to believe. Nor does what told the time
    then, as where the file brings a root that takes away the key of one who did.
    """
    first = read_file(file)[0]
    anchor = begin(first).newest[ROOT].digest
    ours = [envelope for root, envelope in kept if root == anchor]
    chain, before = (believe(one, ours, site.areas()) for one in (file, write_file([first])))
    # The root's comes first, and is kept at each beginning; an area's may lie there still from a file before that.
    another = bool(kept) and kept[0][0] != anchor
    gone = not _tell_the_time(before) <= _tell_the_time(chain)
    return Keeper(chain, site, anchor, ours, time_void=another or (bool(kept) and gone))


def by_kept(kept: Sequence[tuple[str, bytes]], site: Site) -> Keeper:
    """A station's keeper by what it has kept alone, where the disk does not give the trust file back.

    It believes what it did beside that file, and goes on when that is back. ``ValueError``: too little is left.
    """
    if not kept:
        raise ValueError("no trust document was kept")
    anchor, root = kept[0]  # an area's, where the root's is gone: nothing begins with that
    ours = [envelope for of, envelope in kept if of == anchor]
    return Keeper(believe(write_file([root]), ours, site.areas()), site, anchor, ours)


def _tell_the_time(chain: Chain) -> frozenset[PublicKey]:
    return frozenset[PublicKey]().union(*(role.keys for role in who_may(chain.trust, OrderType.WELCOME)))


def _as_listed(entry: Accepted, wholes: Mapping[JobId, Accepted | AcceptedRule | None]) -> Accepted | None:
    """An entry by what its timetable is today; None where that is revoked as a whole."""
    assert entry.edition is not None, "the caller has looked"
    whole = wholes.get(entry.edition.order_id, entry)
    if isinstance(whole, AcceptedRule):
        return replace(entry, signers=whole.signers, role=whole.role, offered=entry.job.cls in whole.offered)
    return whole  # itself where its timetable is over: it only sounds on


def _head(held: Held) -> TrustHead:
    document = held.document
    return TrustHead(document.area, document.epoch, document.version, document.expires, document.issued_at)
