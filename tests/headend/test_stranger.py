"""docs/protocol.md is enough to write a central server: one that was written from it alone runs a real station.

Everything is real but relays and card (``demo.ward``): the agent's two processes, Mosquitto over TLS, the voice.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from demo.ward import REALM, STATION, Ward
from edge_agent.headend.keyring import HEADEND_ID
from edge_agent.headend.schemas import faults
from tests.headend import stranger as a_stranger
from tests.headend.stranger import GENESIS, Files, Stranger

PATIENCE_S = 60
# Only there so that a fault cannot hang the tests.


def test_it_knows_nothing_of_our_code() -> None:
    source = Path(a_stranger.__file__).read_text("utf-8")
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {name for node in imports for name in ([node.module] if isinstance(node, ast.ImportFrom) else _names(node))}
    assert {str(name).partition(".")[0] for name in names} == {
        *("__future__", "base64", "collections", "cryptography", "dataclasses", "hashlib", "json", "os", "paho"),
        *("pathlib", "ssl", "threading", "time", "typing", "uuid"),
    }


def _names(node: ast.Import) -> list[str]:
    return [alias.name for alias in node.names]


@contextmanager
def running_stranger(ward: Ward, store: Path) -> Iterator[Stranger]:
    keys, client = ward.keyring.directory / "keys", ward.keyring.client(HEADEND_ID)
    files = Files(
        authority=ward.keyring.authority_path,
        certificate=client.certificate,
        tls_key=client.key,
        officer=keys / "ward-routine-1.pem",
        welcome=keys / "welcome-1.pem",
        ack=keys / "ack-1.pem",
        trust=ward.keyring.directory / "trust.json",
        stations={STATION: ward.keyring.stations[STATION].key.raw},
    )
    running = Stranger(HEADEND_ID, ward.broker.port, REALM, files, store)
    try:
        yield running
    finally:
        running.close()


@pytest.mark.host
@pytest.mark.live
def test_a_server_written_from_the_document_alone_runs_a_station(tmp_path: Path) -> None:
    with Ward(tmp_path) as ward:
        ward.headend.stop()  # the stranger is the only centre
        with running_stranger(ward, tmp_path / "log.jsonl") as server:
            ward.switch_on()
            assert server.wait_for(lambda: _welcomed(server), PATIENCE_S), ward.agent_log()
            _broadcast(server, ward, "Kính mời bà con đến nhà văn hóa.")
            _broadcast(server, ward, "Xin cảm ơn.")
            _judge(server)
        with running_stranger(ward, tmp_path / "anew.jsonl") as empty:  # 12.13: it has lost everything
            ward.kill_agent()
            ward.switch_on()
            assert empty.wait_for(lambda: _sequence(empty) == [1, 2], PATIENCE_S), ward.agent_log()
            assert empty.refused == []


def _broadcast(server: Stranger, ward: Ward, text: str) -> None:
    """Let the station speak, and see the record of that."""
    digest = server.order(STATION, "Thông báo", text)
    assert server.wait_for(lambda: _ended(server, digest) is not None, PATIENCE_S), ward.agent_log()
    record = _ended(server, digest)
    assert record is not None
    assert (record["outcome"], record["reason"], record["evidence"]) == ("succeeded", None, 3)
    assert record["items"][0]["key"] == hashlib.sha256(f"text\0vi\0{text}".encode()).hexdigest()


def _judge(server: Stranger) -> None:
    assert (server.refused, server.unanswered) == ([], {})
    assert [(said["verdict"], said["reason"]) for said in server.said("answer")] == [("accepted", None)] * 2
    assert _sequence(server) == [1, 2]
    second = server.said("answer")[1]["job_id"]
    sounding = [said for said in server.said("state") if [one["job_id"] for one in said["playing"]] == [second]]
    assert sounding[-1]["records_waiting"] == 0, "the first record's acknowledgement has not arrived"
    ((_, chain),) = server.log.items()
    assert chain[0]["prev"] == GENESIS
    assert [fault for said in server.heard for fault in faults(said["type"], said)] == []
    assert {said["type"] for said in server.heard} >= {"hello", "state", "answer", "log"}


def _welcomed(server: Stranger) -> bool:
    return any(said["welcomed"] for said in server.said("state"))


def _sequence(server: Stranger) -> list[int]:
    return [record["seq"] for batch in server.said("log") for record in batch["records"]]


def _ended(server: Stranger, digest: str) -> dict[str, Any] | None:
    bodies = [record["body"] for chain in server.log.values() for record in chain]
    return next((body for body in bodies if body["digest"] == digest), None)
