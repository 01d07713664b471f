"""Judge the demo: what was heard, against what was ordered. Listens to the recording and never asks the player.

Each check is one line with what was measured; the demo succeeds only when all of them hold. Pure: ``evidence`` gathers.
"""

from __future__ import annotations

from collections.abc import Iterator

from demo import heard_checks, relay_checks
from demo.acts import Story
from demo.check import Check
from demo.evidence import Evidence
from edge_agent.journal.record import verify_chain

WRONG_ORDERS = 5


def checks(story: Story, evidence: Evidence, *, relays_watched: bool = True) -> Iterator[Check]:
    """Every promise of the demo; without those about relays where nobody could watch them."""
    yield from heard_checks.checks(story, evidence)
    if relays_watched:
        yield from relay_checks.checks(story, evidence)
    yield _outcomes(story, evidence)
    yield _whole_chain(evidence)
    yield _refusals(story, evidence)
    yield _seen(story)
    yield _planned(story)


def _outcomes(story: Story, evidence: Evidence) -> Check:
    plays = [row for row in evidence.told.rows if row["kind"] == "play"]
    outcomes = {row["job_id"]: (row["outcome"], row["reason"]) for row in plays}
    held = outcomes.get(story.bulletin) == outcomes.get(story.flood) == ("succeeded", None)
    held = held and outcomes.get(story.second) == ("interrupted", "power_cut")
    vietnamese, english = "nhật ký ở máy chủ ghi đúng điều đã xảy ra", "the headend's log says what happened"
    return Check(held, vietnamese, english, f"{len(plays)} plays")


def _whole_chain(evidence: Evidence) -> Check:
    fault = verify_chain(evidence.told.chain)
    held = fault is None and bool(evidence.told.chain)
    return Check(held, "chuỗi băm của nhật ký nguyên vẹn", "the log's hash chain holds", str(fault or "whole"))


def _refusals(story: Story, evidence: Evidence) -> Check:
    outcomes = {(row["job_id"], row["reason"]) for row in evidence.told.rows}
    missing = [
        name
        for name, (job_id, reason) in story.refused.items()
        if (job_id, reason) not in evidence.told.answers and (job_id, reason.value) not in outcomes
    ]
    told = f"{len(story.refused) - len(missing)}/{WRONG_ORDERS}"
    held = not missing and len(story.refused) == WRONG_ORDERS
    return Check(held, "năm lệnh sai bị từ chối đúng lý do", "five wrong orders, each refused by name", told)


def _planned(story: Story) -> Check:
    """Tomorrow, as the station tells it: the daily bulletin in both zones, the evening one where nobody mourns."""
    plan = {str(one["job_id"]): one for one in story.tomorrow}
    bulletin, evening = plan.get(story.bulletin, {}), plan.get(story.evening, {})
    held = bulletin.get("out") == {} and evening.get("out") == {"c2": "zone_silenced"}
    vietnamese, english = "nói trước đúng lịch ngày mai, và vì sao một cụm không phát", "tomorrow is told, and why not"
    return Check(held, vietnamese, english, f"{len(story.tomorrow)} planned")


def _seen(story: Story) -> Check:
    seen = (story.birth_seen, story.heartbeats > 0, story.goodbye_seen, story.will_seen)
    vietnamese = "báo bắt đầu, báo trạng thái định kỳ, tắt đúng cách, di chúc"
    return Check(all(seen), vietnamese, "birth, heartbeat, goodbye and will were seen", str(seen))
