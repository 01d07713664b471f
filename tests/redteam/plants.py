"""Faults that would let somebody order what he may not, as a change of one place in the product."""

from __future__ import annotations

from tests.plant.plants import CORE, Plant
from tests.redteam import paper_plants

TRUST = "edge_agent/trust"
PLANTS = (
    Plant(
        "a signature is believed without being verified",
        f"{TRUST}/envelope.py",
        "        if claim.keyid in known and known[claim.keyid].signed(signed_bytes, claim.sig)\n",
        "        if claim.keyid in known and signed_bytes\n",
    ),
    Plant(
        "any signature counts for any key of the role",
        f"{TRUST}/envelope.py",
        "        known[claim.keyid]\n        for claim in envelope.signatures\n        if claim.keyid in known"
        " and known[claim.keyid].signed(signed_bytes, claim.sig)\n",
        "        known[claim.keyid]\n        for claim in envelope.signatures\n        if claim.keyid in known"
        " and any(key.signed(signed_bytes, claim.sig) for key in known.values())\n",
    ),
    Plant(
        "one signature is enough for a role of two",
        f"{TRUST}/roles.py",
        "    return len(role.keys & signers) >= role.threshold\n",
        "    return bool(role.keys & signers)\n",
    ),
    Plant(
        "an order of another realm is taken",
        f"{TRUST}/judge.py",
        "    if claim.realm != trust.realm:\n",
        "    if not claim.realm:\n",
    ),
    Plant(
        "nobody asks whom an order is for",
        f"{TRUST}/limits.py",
        "    if site.station not in audience.stations and not audience.areas & site.areas():\n",
        "    if not audience.stations and not audience.areas:\n",
    ),
    Plant(
        "a role may order every class",
        f"{TRUST}/limits.py",
        "    if job.cls not in limits.classes:\n",
        "    if not limits.classes:\n",
    ),
    Plant(
        "a role may have any live source relayed",
        f"{TRUST}/limits.py",
        "                if not limits.may_relay(url):\n",
        "                if not limits.may_relay(url) and not limits.classes:\n",
    ),
    Plant(
        "a live source is open from when it is ordered",
        f"{CORE}/live.py",
        " if opens <= turn.now.mono < ends and",
        " if turn.now.mono < ends and",
    ),
    Plant(
        "a relay that waits for signed time has its source open",
        f"{CORE}/live.py",
        " and not planning.waits_for_a_signature(turn, play)\n",
        "\n",
    ),
    Plant(
        "an order is valid for an hour longer than was signed",
        f"{TRUST}/judge.py",
        "    if not isinstance(order, Timetable):\n        return order\n",
        "    if isinstance(order, Job):\n        return replace(order, not_after=order.not_after + 3_600_000)\n"
        "    if not isinstance(order, Timetable):\n        return order\n",
    ),
    Plant(
        "an order is valid for a minute longer than was signed",
        f"{TRUST}/judge.py",
        "    if not isinstance(order, Timetable):\n        return order\n",
        "    if isinstance(order, Job):\n        return replace(order, not_after=order.not_after + 60_000)\n"
        "    if not isinstance(order, Timetable):\n        return order\n",
    ),
    Plant(
        "what was heard is forgotten in a restart",
        f"{CORE}/restart.py",
        "seen=dict(event.seen), refused",
        "seen={}, refused",
    ),
    Plant(
        "a welcome for any hello is taken",
        f"{CORE}/talk.py",
        '    return link.nonce != "" and nonce == link.nonce\n',
        "    return True\n",
    ),
    Plant(
        "a cancel is forgotten when it has been obeyed",
        f"{CORE}/intake.py",
        "    if standing.cancelled(state, job.job_id, job.issuer):\n        return Reason.CANCELLED\n",
        "",
    ),
    Plant(
        "a revoked key's orders play on",
        f"{TRUST}/keeper.py",
        "        revoked = frozenset(order_id for order_id, found in today.items() if found is None)\n",
        "        revoked = frozenset[JobId]()\n",
    ),
    Plant(
        "a new card takes for new whatever comes",
        f"{CORE}/freshness.py",
        "    return not exempt and serial <= state.forgotten.get(issuer, 0)\n",
        "    return False\n",
    ),
    Plant(
        "a restart forgets what a card may have lost",
        "edge_agent/restoring.py",
        "forgotten=dict(contents.forgotten) if stands(contents.forgot_by, verify) else {},",
        "forgotten={},",
    ),
    Plant(
        "a warning that nobody can date may be of any age",
        f"{CORE}/unproven.py",
        "    if not warns or job.issued_at < state.trust.floor(state.floor) or",
        "    if not warns or",
    ),
    Plant(
        "a warning is dated by a clock that nobody has signed",
        f"{CORE}/clock_trust.py",
        "        return self.tells_validity and self.signed\n",
        "        return self.tells_validity\n",
    ),
    Plant(
        "an ordinary order is taken by a clock that nobody has signed",
        f"{CORE}/freshness.py",
        "    if not state.welcomed or not now.signed or stale",
        "    if (not state.welcomed and now.source.value not in ('ntp', 'rtc')) or stale",
    ),
    Plant(
        "everything is played at full volume",
        f"{CORE}/zones.py",
        "    ordered = turn.job_of(play).volume\n",
        "    ordered = 100\n",
    ),
    Plant(
        "a lock or a silence leaves what sounds already",
        f"{CORE}/enforcing.py",
        "        if barred:\n",
        "        if barred and play.phase is not Phase.PLAYING:\n",
    ),
    Plant(
        "an emergency leaves in its zone what sounds there",
        f"{CORE}/zones.py",
        "        if other.phase is Phase.PLAYING:\n            reroute(turn, other, Cause.CUT_OFF, Reason.PREEMPTED)\n",
        "",
    ),
    Plant(
        "an older manifest counts again",
        f"{CORE}/manifests.py",
        "    if kept is not None and head.place < kept.head.place:\n        return Reason.HEAD_STALE\n",
        "",
    ),
    Plant(
        "what a manifest does not list any more plays on",
        f"{CORE}/manifests.py",
        "    return all(one.upto.get(issuer, 0) >= serial and accepted.digest not in one.digests for one in kept)\n",
        "    return False\n",
    ),
    Plant(
        "what is only offered is played as it was signed",
        f"{CORE}/intake.py",
        "saved=False, offered=accepted.offered, vouched",
        "saved=False, vouched",
    ),
    Plant(
        "a choice that was taken back is played",
        f"{CORE}/offers.py",
        "    if known.job.when == order.action.when:  # else another choice came before it\n"
        "        _wait(turn, known, reason)\n",
        "",
    ),
    Plant(
        "what its signers may only offer from now on is played as before",
        f"{CORE}/offers.py",
        "    if not known.called_off and today.offered:\n        _wait(turn, known, Reason.KEY_REVOKED)\n"
        "    elif not known.called_off:\n",
        "    if not known.called_off and not today.offered:\n",
    ),
    Plant(
        "what was set right plays on",
        f"{CORE}/series.py",
        "    for known in [known for known in turn.state.jobs.values() if _corrects(job, known.job)]:\n",
        "    for known in ():\n",
    ),
    Plant(
        "a rehearsal sounds like what it rehearses",
        f"{CORE}/programme.py",
        "        return REHEARSAL\n",
        "        return ATTENTION\n",
    ),
    Plant(
        "an all-clear is heard in every zone",
        f"{CORE}/zones.py",
        "    if not (job.all_clear or job.corrects):\n",
        "    if not job.corrects:\n",
    ),
    Plant(
        "a warning counts as heard before its first sample",
        f"{CORE}/zones.py",
        "    return run.part is ZonePart.HEARING and (play.started is not None or at >= play.start_at)\n",
        "    return run.part is ZonePart.HEARING\n",
    ),
    *paper_plants.PLANTS,
)
