"""Faults that would let keys count that should not, or others not, as a change of one place in the product."""

from __future__ import annotations

from tests.plant.plants import CORE, Plant

CHAIN = "edge_agent/trust/chain.py"
PLANTS = (
    Plant(
        "an older document is believed again",
        CHAIN,
        "    if before is None or held.place > before.place:\n",
        "    if before is None or held.place != before.place:\n",
    ),
    Plant(
        "a root may be left out",
        CHAIN,
        "    if document.version != before.version + 1:\n",
        "    if document.version <= before.version:\n",
    ),
    Plant(
        "the holders of the root before it are not asked",
        CHAIN,
        '(("the root before it", before.signers), ("its own", document.signers))',
        '(("its own", document.signers),)',
    ),
    Plant(
        "one delegate of two is enough",
        CHAIN,
        "    if too_few := _too_few(opened, delegates.quorum):\n",
        '    if too_few := "" if signers_of(opened, delegates.quorum.keys) else "none":\n',
    ),
    Plant(
        "what was signed in an earlier epoch stands on",
        CHAIN,
        "    if document.epoch != delegates.epoch:\n",
        "    if document.epoch > delegates.epoch:\n",
    ),
    Plant(
        "a document that its delegates stand for no more counts on",
        CHAIN,
        "        if _objection(standing, held.document, opened) is None:\n",
        "        if opened:\n",
    ),
    Plant(
        "a document is answered and not believed",
        "edge_agent/trust/keeper.py",
        "        if isinstance(after, Chain):\n            self.chain = after\n",
        "        if isinstance(after, Chain) and not self.chain.newest:\n            self.chain = after\n",
    ),
    Plant(
        "what is believed is not kept on the card",
        "edge_agent/runtime.py",
        "            self._journal.order(KeepTrust(area, envelope, trust.anchor))\n",
        "            pass\n",
    ),
    Plant(
        "a root that names another server is not asked for",
        f"{CORE}/manifests.py",
        "    if have is None or STRANGERS.isdisjoint(state.home.trouble.values()):\n",
        "    if have is not None or STRANGERS:\n",
    ),
    Plant(
        "documents that have expired stop a warning",
        f"{CORE}/entrusted.py",
        "until is not None and job.plays_as is not JobClass.EMERGENCY and now.trusted",
        "until is not None and now.trusted",
    ),
    Plant(
        "the grace of expired documents never ends",
        f"{CORE}/entrusted.py",
        "now.trusted and now.utc > until\n",
        "now.trusted and now.utc > until + until\n",
    ),
    Plant(
        "a log that was under way to the server before is due for ever",
        f"{CORE}/entrusted.py",
        "comparing=None, log_sent_at=None)",
        "comparing=None)",
    ),
    Plant(
        "an ordinary order waits for documents that are here",
        f"{CORE}/freshness.py",
        "    return Reason.TRUST_BEHIND if state.trust.lacks(told.trust) else None\n",
        "    return Reason.TRUST_BEHIND if told.trust else None\n",
    ),
    Plant(
        "no document is fetched over HTTPS",
        f"{CORE}/manifests.py",
        "    judged = [one for one in newer if one.area == ROOT_AREA or now.tells_validity]\n",
        "    judged = [one for one in newer if one.area == ROOT_AREA and now.tells_validity]\n",
    ),
    Plant(
        "a welcome over HTTPS needs no nonce",
        f"{CORE}/intake.py",
        "    if not talk.is_answer(link, welcome.nonce):\n",
        "    if event.token != manifests.NO_DELIVERY and not talk.is_answer(link, welcome.nonce):\n",
    ),
    Plant(
        "a welcome needs no signature",
        "edge_agent/trust/judge.py",
        "    signers = signers_of(claim.envelope, keys_for(trust, claim.kind))\n",
        "    signers = signers_of(claim.envelope, keys_for(trust, claim.kind))\n"
        "    if claim.kind == OrderType.WELCOME:\n        signers = frozenset(keys_for(trust, claim.kind))\n",
    ),
)
