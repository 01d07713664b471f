"""All that a thief of signing keys could sign, tried on a real station: it obeys in what the table says alone."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from edge_agent.core.events import Judgement, Rejected
from edge_agent.core.job import Accepted
from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import Reason
from edge_agent.core.units import HOUR_MS, MINUTE_MS, JobId
from edge_agent.headend.roles import ONLINE
from edge_agent.trust.bundle import write_file
from edge_agent.trust.documents import ROOT
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.keeper import Keeper, believing
from edge_agent.trust.strict_json import dump
from tests.theft import network
from tests.theft.deeds import THIEF, Deed, answers, documents, orders
from tests.theft.network import KEY_NAMES, PROVINCE, WARD, Document, changed, keeper, signed
from tests.theft.stand import FLOOD, NEWS, Stand, Tried, topic_of
from tests.theft.table import THIEVES, Thief, differences
from tests.trust import makers
from tests.trust.makers import NOON, signer

ANEW, STAY = "root-anew", (*(name for role in ONLINE for name in KEY_NAMES[role.name]), *KEY_NAMES["national-trust"])
EVERY_THIEF = pytest.mark.parametrize("thief", THIEVES, ids=lambda thief: thief.name.replace(" ", "-"))


@cache
def everything() -> dict[Deed, Document]:
    return {**orders(), **answers(), **documents()}


@cache
def texts() -> dict[Deed, bytes]:
    """What every thief signs, written once for all of them."""
    return {deed: dump(payload) for deed, payload in everything().items()}


@cache
def stand(area: str, quiet: bool) -> Stand:
    return Stand(keeper(area), quiet=quiet)


def tried(thief: Thief, at: Stand) -> dict[Deed, frozenset[str]]:
    """What he is obeyed in, and what each brings about."""
    outcomes = {deed: try_out(deed, thief, at) for deed in everything()}
    return {deed: one.brought for deed, one in outcomes.items() if one.obeyed}


def try_out(deed: Deed, thief: Thief, at: Stand) -> Tried:
    """He signs it with all his keys and sends it."""
    payload = everything()[deed]
    signers = [signer(name) for name in thief.keys]
    return at.try_out(payload, sign(payload_type(payload["type"]), texts()[deed], signers))


def brought(outcomes: dict[Deed, frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*outcomes.values())


@EVERY_THIEF
def test_a_thief_can_do_what_the_table_says_and_no_more(thief: Thief) -> None:
    outcomes = tried(thief, stand(thief.area, quiet=False))
    assert differences(outcomes, thief) == ([], [])
    assert brought(outcomes) == thief.brings


@EVERY_THIEF
def test_in_quiet_hours_a_thief_brings_about_what_the_table_says_and_no_more(thief: Thief) -> None:
    outcomes = {deed: try_out(deed, thief, stand(thief.area, quiet=True)) for deed in thief.can}
    assert brought({deed: one.brought for deed, one in outcomes.items()}) == thief.quiet


@pytest.mark.parametrize(
    "thief", [one for one in THIEVES if one.ended_by], ids=lambda thief: thief.name.replace(" ", "-")
)
def test_what_ends_a_theft_leaves_the_thief_nothing(thief: Thief) -> None:
    after = robbed(thief)
    for envelope in thief.ended_by:
        believed = after.standing
        after.take(envelope)
        assert after.standing != believed, "the honest document was not believed"
    assert not any(role.name == "mine" for role in after.chain.trust.roles)
    assert still_passes(after, thief) == []


def robbed(thief: Thief) -> Keeper:
    """A station that has believed whatever he could make it believe, with numbers as high as they go."""
    station = keeper(thief.area)
    for deed, payload in documents().items():
        if deed in thief.can:
            station.take(signed(payload, thief.keys))
            station.take(signed({**payload, "version": payload["issued_at"]}, thief.keys))
    return station


def still_passes(station: Keeper, thief: Thief) -> list[Deed]:
    """What the judge alone lets pass of what he could do before, and of all documents."""
    tries = {deed: everything()[deed] for deed in thief.can} | documents()
    judged = {deed: station.judge(topic_of(payload), signed(payload, thief.keys)) for deed, payload in tries.items()}
    return [deed for deed, judgement in judged.items() if not isinstance(judgement, Rejected)]


def test_hands_at_the_station_end_the_theft_of_the_root() -> None:
    (thief,) = [one for one in THIEVES if one.name == "the root's holders"]
    kept = [(station.anchor, envelope) for station in [robbed(thief)] for _, envelope in station.unkept()]
    new_root = signed(changed(ROOT, signers=by(ANEW), keys=public(ANEW, *STAY)), [ANEW])
    station = believing(write_file([new_root]), kept, network.site())
    assert not any(role.name == "mine" for role in station.chain.trust.roles)
    assert still_passes(station, thief) == []


def by(name: str) -> Document:
    return {"keyids": [signer(name).keyid], "threshold": 1}


def public(*names: str) -> Document:
    return {signer(name).keyid: signer(name).public.to_trust() for name in names}


def test_every_deed_of_the_table_is_tried() -> None:
    for thief in THIEVES:
        assert thief.can <= everything().keys()


@pytest.mark.parametrize(
    ("thief", "wider", "seen"),
    [
        ("ward-policy", {"role": "ward-policy-desk", "commands": ["cancel", "stop"]}, "stop"),
        ("province", {"role": "province", "volume_max": 100}, "normal priority timetable"),
        ("ward-alone", {"role": "ward-alone", "classes": ["emergency", "priority"]}, "priority"),
    ],
)
def test_a_role_that_was_widened_is_seen(thief: str, wider: Document, seen: str) -> None:
    (robber,) = [one for one in THIEVES if one.name == thief]
    new, gone = differences(tried(robber, Stand(believing_instead(wider))), robber)
    assert {deed.what for deed in new} == {*seen.split()}
    assert gone == []


@pytest.mark.parametrize("narrower", [{"role": "ward-routine", "classes": ["normal"]}])
def test_a_role_that_was_narrowed_is_seen(narrower: Document) -> None:
    (robber,) = [one for one in THIEVES if one.name == "ward-routine"]
    new, gone = differences(tried(robber, Stand(believing_instead(narrower))), robber)
    assert new == []
    assert {deed.what for deed in gone} == {"priority"}


def believing_instead(over: Document) -> Keeper:
    """A station in whose network somebody has slipped: one role has other limits than the table knows."""
    envelopes = []
    for payload, signers in network.DRAFTS.values():
        roles = [_slipped(role, over) for role in payload["roles"]]
        bounds = {
            "delegates": {**payload["delegates"], "limits": {**payload["delegates"]["limits"], "volume_max": 100}}
        }
        envelopes.append(signed({**payload, **bounds, "roles": roles}, signers))
    return believing(write_file(envelopes), (), network.site())


def _slipped(role: Document, over: Document) -> Document:
    if role["role"] != over["role"]:
        return role
    return {**role, "limits": {**role["limits"], **{name: value for name, value in over.items() if name != "role"}}}


def test_a_signature_copied_from_an_honest_order_is_none_of_another() -> None:
    honest, forged = (makers.job_dict(job_id=name, **{"class": "emergency"}) for name in ("honest", "forged"))
    borrowed = json.loads(signed(honest, KEY_NAMES["ward-emergency"]))["signatures"]
    envelope = json.loads(signed(forged, ["ward-emergency-1"]))
    envelope["signatures"] += borrowed
    judgement = keeper().judge(makers.JOB_TOPIC, json.dumps(envelope).encode())
    assert isinstance(judgement, Rejected)
    assert judgement.reason is Reason.TOO_FEW_SIGNATURES


def test_whoever_holds_the_nations_key_reaches_a_ward_in_two_steps_and_no_further_than_its_bounds() -> None:
    """Each step alone is in the table; so the officer of his is obeyed, and held to what the nation may give."""
    station, written = keeper(), documents()
    station.take(signed(written[Deed("document", PROVINCE, "", "delegates")], ["national-trust-1"]))
    station.take(signed({**written[Deed("document", WARD, "", "broadcasts")], "epoch": 2}, [THIEF]))
    order = {**makers.job_dict(job_id="his"), "issuer": "ke-trom"}
    assert isinstance(station.judge(makers.JOB_TOPIC, signed(order, [THIEF])), Accepted)
    louder = station.judge(makers.JOB_TOPIC, signed({**order, "volume": 100}, [THIEF]))
    assert isinstance(louder, Rejected)
    assert louder.reason is Reason.OVER_LIMIT


def test_both_keys_of_those_who_warn_order_24_warnings_a_day_and_no_more() -> None:
    bench = stand(WARD, quiet=False).as_it_was()  # where an honest one by the same keys sounds
    for number in range(24):
        bench.arrive(warning(job_id=f"his-{number}"))
    assert bench.answers() == [("accepted", None)] * 23 + [("refused", "too_many_emergencies")]


def test_each_warning_of_theirs_is_heard_for_two_hours_in_all_however_often_it_is_repeated() -> None:
    bench, his = stand(WARD, quiet=False).as_it_was(), JobId("his")
    hourly = {"kind": "now", "every_s": 3_600, "until": NOON + 6 * HOUR_MS}
    siren = makers.clip_item(digest="cd" * 32, duration_ms=50 * MINUTE_MS)
    bench.arrive(warning(job_id=his, when=hourly, items=[siren]))
    for _ in range(2):
        bench.pass_s(1)
        assert bench.phase(his) is Phase.PLAYING
        bench.pass_s(3_000)
        bench.end(his, ms=50 * MINUTE_MS)
        bench.pass_s(599)
    bench.pass_s(1)
    assert [one[1:] for one in bench.outcomes() if one[0] == his][-1] == ("rejected", "too_much_sound")


def warning(**over: Any) -> Judgement:
    """What the station's judge makes of one that both keys have signed."""
    to = {"audience": {"areas": [WARD], "zones": ["truong"]}}
    return keeper().judge(
        makers.JOB_TOPIC, signed(makers.job_dict(**{"class": "emergency"}, **to, **over), KEY_NAMES["ward-emergency"])
    )


def test_the_station_that_thieves_try_sounds_what_the_honest_have_ordered() -> None:
    assert stand(WARD, quiet=False).sounding() == {NEWS, FLOOD}
    assert stand(WARD, quiet=True).sounding() == {FLOOD}
