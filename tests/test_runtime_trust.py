"""What a running agent makes of a trust document: a revocation ends what waits, a restart takes nothing back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_agent.core.effects import Ack, AdoptTime, TakeTrust
from edge_agent.core.events import AckToken
from edge_agent.core.heads import Head, Home, Kept, Manifest
from edge_agent.core.state import Told
from edge_agent.core.units import UtcMs
from edge_agent.headend.schemas import faults
from edge_agent.journal.port import StoredRecord
from edge_agent.runtime import _behind_the_record
from edge_agent.trust.bundle import write_file
from edge_agent.trust.manifests import head_payload
from tests.agent_rig import Agent
from tests.fakes.journal import FakeDisk, FakeJournal
from tests.trust import makers
from tests.trust.delegation import HANOI, NATIONAL, PROVINCE_1, ROOT_1, WARD_1, province, root, ward
from tests.trust.makers import AREA, signed_trust

FILE = write_file([ROOT_1, PROVINCE_1, WARD_1])


def believed(agent: Agent) -> dict[str, int]:
    """By area, what the station says at its newest hello."""
    return {head["area"]: head["version"] for head in agent.broker.said("hello")[-1]["trust"]}


def answers(agent: Agent) -> list[tuple[str, str | None]]:
    return [(answer["verdict"], answer["reason"]) for answer in agent.broker.said("answer")]


def send(agent: Agent, *documents: bytes) -> None:
    """Documents come where orders come; each is answered."""
    for document in documents:
        before = len(answers(agent))
        agent.broker.publish(makers.JOB_TOPIC, document)
        agent.until(lambda: len(answers(agent)) > before)  # noqa: B023 - waited for at once


def test_what_a_station_says_of_a_document_is_as_its_schema_says(tmp_path: Path) -> None:
    """It is no order, so its answer names none, whatever the verdict."""
    with Agent(tmp_path, trust=FILE) as agent:
        agent.until_welcomed()
        newer = signed_trust(ward(2), HANOI)
        send(agent, newer, newer, WARD_1)
        said = agent.broker.said("answer")
    assert [(one["verdict"], one["job_id"]) for one in said] == [("accepted", ""), ("known", ""), ("refused", "")]
    assert [faults("answer", one) for one in said] == [[]] * 3


def plan_for_later(agent: Agent) -> None:
    before = len(answers(agent))
    agent.publish(job_id=f"later-{before}", when={"kind": "at", "utc": agent.utc() + 60_000})
    agent.until(lambda: len(answers(agent)) > before)


def test_a_station_obeys_the_officer_whom_its_ward_trusts(tmp_path: Path) -> None:
    with Agent(tmp_path, trust=FILE) as agent:
        agent.until_welcomed()
        assert believed(agent) == {"": 1, "vn/ha-noi": 1, AREA: 1}
        plan_for_later(agent)
        assert answers(agent) == [("accepted", None)]


def test_a_revoked_officer_orders_nothing_more_and_what_he_ordered_is_recorded_as_over(tmp_path: Path) -> None:
    with Agent(tmp_path, trust=FILE) as agent:
        agent.until_welcomed()
        plan_for_later(agent)
        send(agent, signed_trust(ward(2, roles=[]), HANOI))
        agent.until(lambda: [record["reason"] for record in agent.records()] == ["key_revoked"])
        plan_for_later(agent)
    assert answers(agent) == [("accepted", None), ("accepted", None), ("refused", "signature_invalid")]


class Noting(FakeJournal):
    """Keeps in which order it was told of records and documents."""

    def __init__(self, disk: FakeDisk) -> None:
        super().__init__(disk)
        self.told: list[str] = []

    def append(self, *record: Any) -> StoredRecord:
        stored = super().append(*record)
        self.told.append(json.loads(stored.body)["reason"])
        return stored

    def save_trust(self, area: str, envelope: bytes, anchor: str) -> None:
        self.told.append(area)
        super().save_trust(area, envelope, anchor)


def test_what_a_document_ends_is_recorded_before_it_is_kept(tmp_path: Path) -> None:
    """Power that went between them left what the revoked officer had ordered without a record: a start drops it."""
    journal = Noting(FakeDisk())
    with Agent(tmp_path, journal=journal, trust=FILE) as agent:
        agent.until_welcomed()
        plan_for_later(agent)
        send(agent, signed_trust(ward(2, roles=[]), HANOI))
        agent.until(lambda: len(journal.told) == 5)
    assert journal.told[3:] == ["key_revoked", AREA]


def test_a_document_is_kept_and_an_older_one_refused_after_a_restart(tmp_path: Path) -> None:
    disk = FakeDisk()
    two = signed_trust(ward(2), HANOI)
    with Agent(tmp_path, disk, trust=FILE) as agent:
        agent.until_welcomed()
        send(agent, two)
        agent.until(lambda: disk.committed.trust.get(AREA, ("", b""))[1] == two)
    with Agent(tmp_path, disk, trust=FILE) as again:
        again.until_welcomed()
        assert believed(again)[AREA] == 2
        send(again, WARD_1, two)
        again.until(lambda: [record["reason"] for record in again.records()] == ["trust_rolled_back"])
    assert answers(again) == [("refused", "trust_rolled_back"), ("known", "replayed")]


def test_a_root_signed_by_a_clock_ahead_deafens_until_the_next_one_and_no_later_boot_is_held_to_its_date(
    tmp_path: Path,
) -> None:
    disk = FakeDisk()
    with Agent(tmp_path, disk, trust=FILE) as agent:
        agent.until_welcomed()
        now = agent.utc()
        ahead = now + 30 * makers.DAY_MS
        wrong = {"issued_at": ahead, "expires": ahead + makers.DAY_MS}
        in_epoch = {"delegates": makers.delegates(NATIONAL, epoch=ahead)}
        send(agent, signed_trust(root(2, **in_epoch, **wrong), "holder"))
        send(agent, signed_trust(province(1, epoch=ahead, **wrong), NATIONAL))
        plan_for_later(agent)
    assert answers(agent) == [("accepted", None), ("refused", "not_yet_valid"), ("refused", "signature_invalid")]
    with Agent(tmp_path, disk, trust=FILE) as again:
        again.until_welcomed()
        right = {"issued_at": now, "expires": now + makers.DAY_MS}
        send(again, signed_trust(root(3, **in_epoch, **right), "holder"))
        send(again, signed_trust(province(1, epoch=ahead, **right), NATIONAL))
        plan_for_later(again)
    assert answers(again) == [("accepted", None)] * 3
    with Agent(tmp_path, disk, trust=FILE) as later:
        later.until_welcomed()
        assert believed(later) == {"": 3, "vn/ha-noi": 1, AREA: 1}
    assert abs(disk.committed.floor - now) < makers.DAY_MS, "neither chip nor NTP is disbelieved for a month"


def test_several_documents_in_a_row_are_believed_each_by_the_one_before(tmp_path: Path) -> None:
    """The second must not wait for the disk to have the first: the headend sends them back to back."""
    steps = [signed_trust(root(2, holders=("a",)), "holder", "a"), signed_trust(root(3), "a", "holder")]
    moved = province(2, "officer-2", delegates=makers.delegates("officer-2", epoch=2))
    with Agent(tmp_path, trust=FILE) as agent:
        agent.until_welcomed()
        for document in (*steps, signed_trust(moved, NATIONAL), signed_trust(ward(1, epoch=2), "officer-2")):
            agent.broker.publish(makers.JOB_TOPIC, document)
        agent.until(lambda: len(answers(agent)) == 4)
        assert answers(agent) == [("accepted", None)] * 4
        agent.until(lambda: agent.disk.committed.trust[""][1] == steps[-1])


def test_a_revoked_desk_pauses_nobody_any_more(tmp_path: Path) -> None:
    desk = makers.command_role()
    file = write_file([ROOT_1, PROVINCE_1, signed_trust(ward(roles=[desk]), HANOI)])
    with Agent(tmp_path, trust=file) as agent:
        agent.until_welcomed()
        lock = {"what": "lock", "for_s": 3_600}
        now = agent.utc()
        times = {"issued_at": now, "not_before": now, "not_after": now + 120_000}
        agent.broker.publish(makers.JOB_TOPIC, makers.signed_command(do=lock, **times))
        agent.until(lambda: agent.broker.said("state")[-1]["zones"] and len(answers(agent)) == 1)
        send(agent, signed_trust(ward(2, roles=[]), HANOI))
        agent.until(lambda: "key_revoked" in [record["reason"] for record in agent.records()])


WARD = f"area/{AREA}"
HEAD = Head(WARD, 1, 3, UtcMs(makers.NOON), "ab" * 32, 4_096)
BY_SERVER = makers.signed({**head_payload(HEAD, makers.REALM)}, ["server"])


@pytest.mark.parametrize(
    ("order", "ends"),
    [("head", {"disowned": {WARD}}), ("welcome", {"marks_stand": False, "told_stands": False}), ("ack", {})],
)
def test_what_a_servers_revoked_key_has_said_counts_no_more(tmp_path: Path, order: str, ends: dict[str, Any]) -> None:
    """The head that is kept, and the welcomes that told what a card has forgotten and who was greeted last."""
    agent, word = Agent(tmp_path, trust=FILE), makers.signed_welcome()
    kept = {WARD: Kept(HEAD, BY_SERVER, Manifest(WARD, 1, 3, {}, (), ()))}
    state = agent.runtime._state
    agent.runtime._state = replace(state, home=Home(kept=kept), forgot_by=word, told=Told(word=word))
    others = [one for one in ("welcome", "ack", "head") if one != order]
    another = makers.online_role(role="another", orders=[order], keyids=[makers.signer("deputy").keyid])
    agent.ports.trust.take(signed_trust(root(2, roles=[makers.online_role(orders=others), another]), "holder"))
    said = agent.runtime._trust_changed()
    expected = {"disowned": set(), "marks_stand": True, "told_stands": True} | ends
    assert {name: getattr(said, name) for name in expected} == expected


def test_what_told_the_time_is_void_where_one_of_two_who_did_may_do_so_no_more(tmp_path: Path) -> None:
    """Whose word drove the last signed time up, nobody knows any more."""
    both = makers.online_role(keyids=[makers.signer(name).keyid for name in ("server", "deputy")])
    agent = Agent(tmp_path, trust=write_file([signed_trust(root(roles=[both]), "holder")]))
    agent.runtime._signed = UtcMs(makers.NOON)
    agent.runtime._take(signed_trust(root(2, roles=[both]), "holder"))
    assert agent.runtime._signed == makers.NOON
    agent.runtime._take(signed_trust(root(3), "holder"))
    assert (agent.runtime._signed, agent.runtime._trust_changed().floor_stands) == (0, False)


def test_the_last_signed_time_ends_with_the_root_that_stood_when_it_was_said(tmp_path: Path) -> None:
    """The next root ends later: one wrong welcome must not outlive the root of its day."""
    agent = Agent(tmp_path, trust=FILE)
    agent.runtime._adopt(AdoptTime(UtcMs(2**41), agent.ports.clock.now().mono))
    assert agent.runtime._signed == agent.ports.trust.standing.heads[0].expires


def test_a_document_is_acknowledged_when_the_disk_has_had_its_say(tmp_path: Path) -> None:
    effects = (TakeTrust(AREA, b""), Ack(AckToken(1, 2)))
    assert _behind_the_record(effects) == [effects[1]]


def test_a_disk_that_refuses_keeps_no_revocation_from_its_effect(tmp_path: Path) -> None:
    with Agent(tmp_path, trust=FILE) as agent:
        agent.until_welcomed()
        agent.until(lambda: len(agent.disk.committed.trust) == 3)
        agent.disk.full = True
        send(agent, signed_trust(ward(2, roles=[]), HANOI))
        plan_for_later(agent)
        assert answers(agent)[-1] == ("refused", "signature_invalid")
        assert agent.disk.committed.trust[AREA] == (agent.ports.trust.anchor, WARD_1)
