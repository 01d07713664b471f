"""Sound messages of every kind, in which every field of every schema occurs, and what a station says of others."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from edge_agent.core.events import Rejected
from edge_agent.core.reasons import Reason
from edge_agent.core.units import StationId
from edge_agent.headend.enrolment import Enrolled
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.judge import make_judge
from tests.trust import makers

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PROTOCOL = EXAMPLES.parent / "protocol.md"
JUDGE = make_judge(makers.make_trust(), makers.make_site())
STATION = Enrolled(StationId(makers.STATION), makers.AREA, "", makers.signer("station").public)

JOBS = (
    makers.job_dict(
        audience={"stations": [makers.STATION], "areas": [makers.AREA], "zones": ["cho"]},
        critical=["volume"],
        order=1,
        loops=2,
        gap_s=3,
        preemption="drop",
        missed={"policy": "late", "limit_s": 60, "zones_s": 600},
        when=makers.rule_when(),
        series="lu-1",
        version=2,
        corrects="job-0",
        cap={"identifier": "1", "sender": "2", "sent": "3"},
    ),
    makers.job_dict(when={"kind": "at", "utc": makers.NOON}, missed={"policy": "skip"}, audience={"areas": ["vn"]}),
    makers.job_dict(
        **{"class": "emergency"},
        audience={"stations": [makers.STATION]},
        when={"kind": "now", "every_s": 60, "until": makers.NOON + 1},
        series="lu-1",
        version=9,
        all_clear=True,
        rehearsal=False,
    ),
    makers.job_dict(items=[makers.live_item(stand_in=makers.clip_item()), makers.text_item()]),
    makers.job_dict(**{"class": "emergency"}, rehearsal=True, when={"kind": "at", "utc": makers.NOON}),
)
"""Together they use every field of the schema, and each condition in it; so do the others below of theirs."""
REGULATIONS = (
    makers.regulation_dict(
        audience={"stations": [makers.STATION], "areas": [makers.AREA], "zones": []},
        critical=["clauses"],
        into_quiet="cut",
        clauses=[
            makers.clause_dict(
                weekdays=[1, 7], holidays=["2027-02-06"], sessions_per_day=4, day_s=3_600, live_day_s=60
            ),
            {"classes": ["normal"], "zones": ["cho"], "session_s": 60, "volume": [["05:00", "06:00", 45]]},
        ],
    ),
)
ZONED = {"stations": [makers.STATION], "areas": [makers.AREA], "zones": ["cho"]}
WINDOWS = (
    makers.window_dict(audience=ZONED, critical=["ends"], total_s=3_600, volume=60),
    makers.window_dict(kind="silence"),
)
DO: tuple[dict[str, Any], ...] = (
    {"what": "cancel", "target": "job-1", "until": makers.NOON + makers.DAY_MS},
    {"what": "pause", "for_s": 60},
    {"what": "volume", "volume": 40},
    {"what": "amplifier", "on": True, "for_s": 60},
    {"what": "lock", "for_s": 60},
    {"what": "rank", "job_ids": ["job-2", "job-1"]},
    {"what": "choose", "target": "job-1", "when": {"kind": "now"}},
    {"what": "choose", "target": "job-1", "when": {"kind": "at", "utc": makers.NOON}},
    {"what": "choose", "target": "job-1", "when": makers.rule_when()},
    {"what": "ask", "day": "2026-10-02"},
)
COMMANDS = (
    makers.command_dict(audience=ZONED, critical=["do"]),
    *(makers.command_dict(do={"what": what}) for what in ("stop", "resume", "next_item", "restart", "self_test")),
    *(makers.command_dict(do=do) for do in DO),
)
ENTRIES = (
    makers.entry_dict(
        audience=ZONED,
        order=1,
        loops=2,
        gap_s=3,
        preemption="drop",
        missed={"policy": "late", "limit_s": 60, "zones_s": 600},
        cap={"identifier": "1", "sender": "2", "sent": "3"},
    ),
    makers.entry_dict("trua", when={"kind": "at", "utc": makers.NOON}, items=[makers.text_item()]),
    makers.entry_dict("tiep-am", items=[makers.live_item(stand_in=makers.clip_item())]),
)
TIMETABLES = (
    makers.timetable_dict(audience=ZONED, critical=["entries"], name="loa-cho", entries=[*ENTRIES]),
    makers.timetable_dict(entries=[]),
)
WELCOME, ACK = makers.welcome_dict(critical=["log"]), makers.ack_dict(critical=["log"])
NOTHING_HELD = {"log": {"epoch": "", "seq": 0, "hash": ""}}
BEYOND_JOB = (
    "not_after: later than not_before",
    "when.until: later than not_before, not later than not_after",
    "corrects: another job",
    "do.target: another order",
    ".urls: a line-in alone, or https:// addresses",
    "when.last_day: not before first_day",
    "this one is not known here",
    'a day as "2026-10-01"',
)
BEYOND_RULE = (
    *BEYOND_JOB,
    "ends: later than begins",
    "ends: not later than not_after",
    "days after begins",
    "do.until: at most 400 days after not_before",
    "job_id: each only once",
    "another job_id, this is the timetable's own",
)
"""What a parser may find in an order that its schema cannot say: each is a line of the schema's ``x-beyond``."""
BEYOND_TRUST = (
    "expires: later than issued_at",
    "days after issued_at",
    "at most issued_at",
    "the SHA-256 of the key's bytes",
    "a key counts once",
    "SEC1 point on the curve",
    "a keyid that stands under keys",
    "the number of its keyids",
    "role: each only once",
    "a server's key must not start sound",
    "no key that also orders jobs",
    "some of classes, without emergency",
)


SIGNERS = {"job": "officer", "regulation": "owner", "window": "owner", "command": "officer", "timetable": "officer"}
HEAD = {"realm": makers.REALM, "type": "head", "critical": ["scope"], "scope": f"area/{makers.AREA}", "epoch": 1}
HEAD |= {"counter": 1, "issued_at": makers.NOON, "digest": "ab" * 32, "length": 900}
PAPER = {"envelope": "cd" * 32, "length": 900}
MANIFEST = {
    "realm": makers.REALM,
    "type": "manifest",
    "scope": f"station/{makers.STATION}",
    "epoch": 1,
    "counter": 1,
    "upto": {makers.ISSUER: 4},
    "orders": [{"digest": "ab" * 32, "order_id": "job-1", "not_after": makers.NOON, **PAPER}],
    "trust": [{"area": "", "epoch": 0, "version": 1, **PAPER}],
}
ORDERS = {
    "job": JOBS,
    "regulation": REGULATIONS,
    "window": WINDOWS,
    "command": COMMANDS,
    "timetable": TIMETABLES,
    "welcome": (WELCOME, WELCOME | NOTHING_HELD),
    "ack": (ACK, ACK | NOTHING_HELD),
    "head": (HEAD,),
}


def examples(kind: str) -> list[Any]:
    """The payloads in docs/examples of that kind; of a state also one that shows rehearsals."""
    written = [json.loads(path.read_bytes()) for path in sorted(EXAMPLES.glob("*.json"))]
    payloads = [json.loads(base64.b64decode(one["payload"])) for one in written if "payload" in one]
    if kind == "record":
        return [record["body"] for log in examples("log") for record in log["records"]]
    found = [one for one in payloads if one["type"] == kind]
    return found + [_rehearsing(one) for one in found if one.get("next")]


def _rehearsing(state: dict[str, Any]) -> dict[str, Any]:
    return state | {name: [play | {"rehearsal": True} for play in state[name]] for name in ("playing", "next")}


def trust_documents() -> tuple[dict[str, Any], ...]:
    token = makers.P256Signer("token")
    counted = {"events": ["flash-flood"], "sound_max_s": 3_600, "per_day": 12, "sources": ["https://live.test/"]}
    ward = makers.job_role(keyids=[token.keyid], limits={"hours": [["05:00", "21:00"]], **counted})
    both = makers.job_role(
        role="both",
        orders=["job", "command"],
        limits={"classes": ["normal"], "offered": ["normal"], "commands": ["stop"]},
    )
    roles = [ward, makers.online_role(), makers.owner_role(), makers.command_role(), both]
    keys = [token.public, makers.signer("national").public]
    root = makers.trust_document(keys=keys, roles=roles, delegates=_delegates("national"))
    closed = makers.area_document(makers.AREA)
    area = makers.area_document(
        "vn/ha-noi", "officer", "deputy", "so-tttt", version=7, epoch=2, roles=[ward], delegates=_delegates("so-tttt")
    )
    area["keys"] |= {token.keyid: token.public.to_trust()}
    papers = makers.delegates("owner", orders=["regulation", "window"], levels=["commune"])
    papers["limits"] = {"areas": [makers.AREA], "validity_max_s": 86_400}
    policy = makers.area_document(makers.AREA, "owner", roles=[makers.owner_role()], delegates=papers)
    return root, area, policy, closed


def _delegates(name: str) -> dict[str, Any]:
    """Bounds of every kind."""
    counted = {"events": ["flash-flood"], "sound_max_s": 3_600, "per_day": 12, "sources": ["https://live.test/"]}
    return makers.delegates(name, limits={"hours": [["05:00", "21:00"]], "offered": ["normal"], **counted})


TRUST: dict[str, tuple[Any, ...]] = {
    "trust": trust_documents(),
    "trust_file": ({"type": "trust-file", "documents": [{}, {}]},),
}
"""Documents of the root and of areas; of a file only the frame: its envelopes are opened one by one."""


def judged(kind: str, payload: Any) -> Rejected | None:
    """What the station says of a signed payload, if it is that its form is wrong."""
    signer = makers.signer(SIGNERS.get(kind, "server"))
    # Not by ``dump``: it would refuse to write what we must see refused.
    message = sign(payload_type(kind), json.dumps(payload).encode(), [signer])
    judgement = JUDGE(f"loa/1/d/{makers.STATION}/{'job' if kind in SIGNERS else kind}", message)
    return judgement if isinstance(judgement, Rejected) and judgement.reason is Reason.MALFORMED else None
