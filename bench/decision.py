"""From an order's publishing to the station's signed answer, and inside it: from the message to what is to be done."""

from __future__ import annotations

import queue
import time
from datetime import UTC, datetime, timedelta

from bench.figures import Section, spread
from bench.station import running
from demo.acts import JOB_TOPIC, draft_of, item_of
from demo.ward import Ward
from edge_agent.clock import boot_ms, system_utc_ms
from edge_agent.config import load
from edge_agent.core import station
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.effects import SaveJob, Verdict
from edge_agent.core.events import AckToken, MessageArrived, Restored
from edge_agent.headend.headend import Shown
from edge_agent.headend.listening import Heard
from edge_agent.sync.reports import AnswerMsg
from edge_agent.trust.envelope import Envelope, open_envelope, payload_type, sign
from edge_agent.trust.keeper import believing
from edge_agent.trust.keys import new_signer

ACCEPTED, ACCEPTED_QUICK = 150, 40
# A station keeps at most 200 jobs.
FORGED, FORGED_QUICK = 400, 100
INSIDE, INSIDE_QUICK = 500, 200
PATIENCE_S = 30
LATER = timedelta(hours=1)

Answers = queue.Queue[tuple[int, AnswerMsg]]


def measure(quick: bool) -> Section:
    """Good orders, forged ones, and the decision alone."""
    answers: Answers = queue.Queue()

    def note(shown: Shown) -> None:
        if isinstance(shown, Heard) and isinstance(shown.said, AnswerMsg):
            answers.put((time.monotonic_ns(), shown.said))

    with running(on_noted=note) as ward:
        good = [_order(ward) for _ in range(ACCEPTED_QUICK if quick else ACCEPTED)]
        accepted = [_ask(ward, order, answers, Verdict.ACCEPTED) for order in good]
        forged = [_forged(good[0]) for _ in range(FORGED_QUICK if quick else FORGED)]
        refused = [_ask(ward, order, answers, Verdict.REFUSED) for order in forged]
        inside = _inside(ward, INSIDE_QUICK if quick else INSIDE)
    figures = (
        *spread("order → accepted, on disk, answer heard", accepted, "ms"),
        *spread("forged order → refused, answer heard", refused, "ms"),
        *spread("message → decision (verify and step)", inside, "ms"),
    )
    how = (
        f"publish() of a signed order ({len(good[0])} bytes) over TLS 1.3 on loopback → its signed answer verified at "
        "the headend; accepted means committed to SQLite and synced; the last rows run judge and step in this process"
    )
    return Section("Message → decision", how, figures)


def _order(ward: Ward) -> bytes:
    """An order for later, so that nothing sounds; always the same words, so that they are spoken once."""
    later = datetime.now(UTC) + LATER
    draft = draft_of(
        "normal", {"at": later.isoformat(timespec="seconds")}, item_of("Thông báo", "khac", text="Xin chào.")
    )
    return ward.headend.compose(draft, ["ward-routine"])[1]


def _forged(good: bytes) -> bytes:
    """The same payload, signed by a key that nobody trusts."""
    envelope = open_envelope(good)
    assert isinstance(envelope, Envelope)
    return sign(payload_type("job"), envelope.payload, [new_signer()])


def _ask(ward: Ward, order: bytes, answers: Answers, verdict: Verdict) -> float:
    """Publish one order and wait for its answer; ms."""
    told_ns = time.monotonic_ns()
    ward.headend.publish_raw(order, JOB_TOPIC)
    heard_ns, answer = answers.get(timeout=PATIENCE_S)
    assert answer.verdict is verdict, f"{answer.verdict} {answer.reason}"
    return (heard_ns - told_ns) / 1e6


def _inside(ward: Ward, runs: int) -> list[float]:
    """The judge and one step on an emergency, as the agent's own thread runs them; ms."""
    config = load(ward.config)
    verify = believing(config.trust.file.read_bytes(), (), config.site).judge
    draft = draft_of("emergency", "now", item_of("Lũ", "thien-tai", text="Lũ về.")) | {"event": "lu-quet"}
    _, order = ward.headend.compose(draft, ["ward-emergency"])
    now = Now(boot_ms(), system_utc_ms(), ClockSource.NTP, 0)
    state, _ = station.step(station.start(config.site), Restored((), (), {}, 0, 0, "e"), now, verify)
    taken = []
    for mid in range(runs):
        begun_ns = time.perf_counter_ns()
        _, effects = station.step(state, MessageArrived(JOB_TOPIC, order, AckToken(1, mid)), now, verify)
        taken.append((time.perf_counter_ns() - begun_ns) / 1e6)
        assert any(isinstance(effect, SaveJob) for effect in effects), effects
    return taken
