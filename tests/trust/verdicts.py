"""The judge of one station, and short words for what it said."""

from __future__ import annotations

from edge_agent.core.events import Judgement, Rejected
from edge_agent.core.job import Accepted
from edge_agent.core.reasons import Reason
from edge_agent.trust.envelope import Envelope, open_envelope
from edge_agent.trust.judge import make_judge
from tests.trust.makers import make_site, make_trust, signer

SITE = make_site()
OFFICER, DEPUTY = signer("officer"), signer("deputy")
judge = make_judge(make_trust(), SITE)


def accepted(verdict: Judgement) -> Accepted:
    assert isinstance(verdict, Accepted), verdict
    return verdict


def refused(verdict: Judgement) -> Rejected:
    assert isinstance(verdict, Rejected), verdict
    return verdict


def reason(verdict: Judgement) -> Reason:
    return refused(verdict).reason


def digest_of(message: bytes) -> str:
    """The order's identity."""
    envelope = open_envelope(message)
    assert isinstance(envelope, Envelope)
    return envelope.digest
