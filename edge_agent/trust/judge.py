"""Judge a message: is it authentic, for us, and within its issuer's limits? Pure, given bytes, trust and site.

Time-free: whether an order is fresh, still valid or a replay is decided in the core, which knows the time and the past.
The order of the checks is a promise: nothing that anybody on the network can send gets past the signature check, and no
name from a payload is repeated before its signature held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from edge_agent.core.events import Judgement, Rejected
from edge_agent.core.heads import Head
from edge_agent.core.job import Accepted, Job, JobClass, LogAck, Welcome
from edge_agent.core.order import AcceptedRule, Command, Regulation, RuleOrder, Timetable, Window
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Site
from edge_agent.trust.envelope import Envelope, open_envelope, payload_type, signers_of
from edge_agent.trust.fields import NAME, Fields, form
from edge_agent.trust.keys import PublicKey
from edge_agent.trust.limits import addressed, over_limit
from edge_agent.trust.orders import GIVEN, OrderType, parse_order, unknown_critical
from edge_agent.trust.role_limits import Limits
from edge_agent.trust.roles import JobGrant, Role, Trust, enough, keys_for, who_may
from edge_agent.trust.strict_json import WireError, parse

_TYPES = {payload_type(kind): kind for kind in OrderType}
_KINDS: dict[type[Job | RuleOrder], OrderType] = {
    Job: OrderType.JOB,
    Regulation: OrderType.REGULATION,
    Window: OrderType.WINDOW,
    Command: OrderType.COMMAND,
    Timetable: OrderType.TIMETABLE,
}


@dataclass(frozen=True, slots=True)
class _Claim:
    """What an envelope says it is, before anything is believed."""

    envelope: Envelope
    kind: OrderType
    fields: Fields
    realm: str
    issuer: str  # "" of a server's answer


@dataclass(frozen=True, slots=True)
class _Proven:
    """A claim that enough keys of each of ``roles`` signed."""

    claim: _Claim
    roles: tuple[Role, ...]
    signers: frozenset[PublicKey]


def make_judge(trust: Trust, site: Site) -> Callable[[str, bytes], Judgement]:
    """``judge(topic, message)`` for one station. ``ValueError`` when trust file and station are of different realms."""
    if trust.realm != site.realm:
        raise ValueError(f"the trust file is for realm {trust.realm}, the station belongs to {site.realm}")
    return partial(_judge, trust, site)


def _judge(trust: Trust, site: Site, topic: str, message: bytes) -> Judgement:
    envelope = open_envelope(message)
    return envelope if isinstance(envelope, Rejected) else judge_opened(trust, site, topic, envelope)


def judge_opened(trust: Trust, site: Site, topic: str, envelope: Envelope) -> Judgement:
    """The same of an envelope that was opened already."""
    verdict = _judge_envelope(trust, site, topic, envelope)
    return replace(verdict, digest=envelope.digest) if isinstance(verdict, Rejected) else verdict


def judged_again(trust: Trust, site: Site, accepted: Accepted | AcceptedRule) -> Accepted | AcceptedRule | None:
    """An order that was accepted before as it would be today, by the keys that had signed it then; None: not at all."""
    order = (accepted.signed or accepted.job) if isinstance(accepted, Accepted) else accepted.order
    kind = _KINDS[type(order)]
    signers = frozenset(key for key in keys_for(trust, kind) if key.keyid in accepted.proven)
    issuer = order.issuer if isinstance(order, Job) else order.heading.issuer
    for role in who_may(trust, kind, issuer):
        if role.grant is not None and enough(role, signers) and over_limit(order, role.grant, site) is None:
            return _within(accepted, role, role.grant.limits, signers)
    return None


def _judge_envelope(trust: Trust, site: Site, topic: str, envelope: Envelope) -> Judgement:
    claim = _read_claim(topic, envelope)
    if isinstance(claim, Rejected):
        return claim
    proven = _prove(trust, claim)
    if isinstance(proven, Rejected):
        return proven
    verdict = _judge_proven(site, proven)
    return _named(verdict, claim) if isinstance(verdict, Rejected) else verdict


def _read_claim(topic: str, envelope: Envelope) -> _Claim | Rejected:
    kind = _TYPES.get(envelope.payload_type)
    if kind is None:
        return Rejected(Reason.UNSUPPORTED, f"payloadType: none of {', '.join(_TYPES)}")
    if topic.rpartition("/")[2] != _travels_as(kind):
        return Rejected(Reason.MALFORMED, f"payloadType: a {kind.value} does not travel on this topic")
    try:
        fields = Fields(parse(envelope.payload))
        fields.text("type", form(kind.value, f'"{kind.value}", as payloadType says'))
        issuer = fields.text("issuer", NAME) if kind in GIVEN else ""
        return _Claim(envelope, kind, fields, fields.text("realm", NAME), issuer)
    except WireError as error:
        return Rejected(Reason.MALFORMED, str(error))


def _travels_as(kind: OrderType) -> OrderType:
    """The last segment of its topic: whatever people order comes where jobs come, or a station would ask for more."""
    return OrderType.JOB if kind in GIVEN else kind


def _prove(trust: Trust, claim: _Claim) -> _Proven | Rejected:
    signers = signers_of(claim.envelope, keys_for(trust, claim.kind))
    if not signers:
        return Rejected(Reason.SIGNATURE_INVALID, "no signature of a key that may sign this")
    if claim.realm != trust.realm:
        return _named(Rejected(Reason.WRONG_REALM, f"realm: {claim.realm}"), claim)
    roles = who_may(trust, claim.kind, claim.issuer)
    if not roles:
        return _named(Rejected(Reason.UNKNOWN_ISSUER, f"issuer: {claim.issuer}"), claim)
    holding = tuple(role for role in roles if enough(role, signers))
    return _Proven(claim, holding, signers) if holding else _too_few(roles, signers)


def _too_few(roles: tuple[Role, ...], signers: frozenset[PublicKey]) -> Rejected:
    begun = [role for role in roles if role.keys & signers]
    if not begun:
        return Rejected(Reason.SIGNATURE_INVALID, "signed, but by no key of the issuer's roles")
    nearest = min(begun, key=lambda role: role.threshold - len(role.keys & signers))
    have = len(nearest.keys & signers)
    return Rejected(Reason.TOO_FEW_SIGNATURES, f"role {nearest.name}: {have} of {nearest.threshold}")


def _named(refusal: Rejected, claim: _Claim) -> Rejected:
    # Only what has the form of a name is repeated, even of a signed payload.
    job_id = claim.fields.values.get("job_id" if claim.kind is OrderType.JOB else "order_id")
    if not isinstance(job_id, str) or NAME.pattern.fullmatch(job_id) is None:
        job_id = ""
    return replace(refusal, job_id=job_id, issuer=claim.issuer)


def _judge_proven(site: Site, proven: _Proven) -> Judgement:
    fields, kind = proven.claim.fields, proven.claim.kind
    try:
        unknown = unknown_critical(fields, kind)
        if unknown is not None:
            return Rejected(Reason.UNSUPPORTED, f"critical: {unknown!a} is not known to this software")
        order = parse_order(fields, kind)
        if isinstance(order, Head):
            return order  # of which scope it is, whoever has asked for it knows
        if not isinstance(order, Welcome | LogAck):
            return _judge_given(order, site, proven)
        if fields.text("station", NAME) != site.station:
            return Rejected(Reason.WRONG_AUDIENCE, "station: another one")
        return order
    except WireError as error:
        return Rejected(Reason.MALFORMED, str(error))


def _judge_given(order: Job | RuleOrder, site: Site, proven: _Proven) -> Accepted | AcceptedRule | Rejected:
    elsewhere = addressed(order, site)
    if elsewhere is not None:
        return Rejected(Reason.WRONG_AUDIENCE, elsewhere)
    refusals: list[Rejected] = []
    for role in proven.roles:
        assert role.grant is not None, "who_may gives only roles with a grant for what people order"
        refusal = over_limit(order, role.grant, site)
        if refusal is None:
            return _accepted(_for_us(order, site), role, role.grant, proven)
        refusals.append(replace(refusal, detail=f"{refusal.detail} (role {role.name})"))
    return refusals[0]  # of the role that needs most signatures, which may do most


def _for_us(order: Job | RuleOrder, site: Site) -> Job | RuleOrder:
    """Of a timetable the entries that this station is to play: others may be for other stations alone."""
    if not isinstance(order, Timetable):
        return order
    return replace(order, jobs=tuple(job for job in order.jobs if addressed(job, site) is None))


def _accepted(order: Job | RuleOrder, role: Role, grant: JobGrant, proven: _Proven) -> Accepted | AcceptedRule:
    digest, everybody = proven.claim.envelope.digest, tuple(sorted(key.keyid for key in proven.signers))
    if isinstance(order, Job):
        return _within(Accepted(order, digest, (), "", proven=everybody), role, grant.limits, proven.signers)
    return _within(AcceptedRule(order, digest, (), "", proven=everybody), role, grant.limits, proven.signers)


def _within(
    accepted: Accepted | AcceptedRule, role: Role, limits: Limits, signers: frozenset[PublicKey]
) -> Accepted | AcceptedRule:
    """An order as a role lets it be obeyed."""
    of_role = tuple(sorted(key.keyid for key in role.keys & signers))
    if isinstance(accepted, AcceptedRule):
        offered = limits.offered if isinstance(accepted.order, Timetable) else frozenset[JobClass]()
        return replace(accepted, signers=of_role, role=role.name, offered=offered)
    accepted = replace(accepted, signers=of_role, role=role.name)
    if accepted.job.cls is not JobClass.EMERGENCY:
        return replace(accepted, offered=accepted.job.cls in limits.offered)
    return replace(accepted, sound_max_ms=limits.sound_max_ms, per_day=limits.per_day)
