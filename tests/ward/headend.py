"""The central side: real keys, checks what the station says, answers hello and log, and may come back from a backup."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edge_agent.core.programme import SIGNAL_MS
from edge_agent.core.units import ClipKey
from edge_agent.trust.envelope import Envelope, open_envelope
from tests.trust import makers

if TYPE_CHECKING:
    from tests.ward.world import World

NOTHING_HELD = {"epoch": "", "seq": 0, "hash": ""}
FIRST_PREV = "0" * 64


class Headend:
    """``records`` is the log as held now, ``answers`` and ``states`` what was told; ``names`` what a clip is called."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.welcoming = True
        self.names: dict[ClipKey, str] = {key: str(key) for key in SIGNAL_MS}
        self.answers: list[dict[str, Any]] = []
        self.states: list[dict[str, Any]] = []
        self.records: list[dict[str, Any]] = []
        self.lost_epochs: list[list[dict[str, Any]]] = []
        self.broken = ""
        self._hashes: list[str] = []
        self._epoch = ""
        self._hello: dict[str, Any] | None = None

    def receive(self, topic: str, data: bytes) -> None:
        """Whatever comes up."""
        envelope = open_envelope(data)
        assert isinstance(envelope, Envelope)
        payload = json.loads(envelope.payload)
        kind = topic.rpartition("/")[2]
        assert payload["type"] == kind
        match kind:
            case "hello":
                self._hello = payload
                self.welcome()
            case "state":
                self.states.append(payload)
            case "answer":
                self.answers.append(payload)
            case "log":
                self._take_log(payload)

    def welcome(self) -> None:
        """Answer the last hello, if it wants to."""
        if self.welcoming and self._hello is not None:
            message = makers.signed_welcome(
                nonce=self._hello["nonce"], utc=self._world.utc(), log=self._cursor(), issued_at=self._world.utc()
            )
            self._world.broker.publish(makers.WELCOME_TOPIC, message)

    @property
    def epoch(self) -> str:
        """Which chain it holds."""
        return self._epoch

    def restore(self, records: int) -> None:
        """Come back from a backup that holds only so many records of the station's log."""
        del self.records[records:]
        del self._hashes[records:]

    def _cursor(self) -> dict[str, Any]:
        if not self._hashes:
            return NOTHING_HELD
        return {"epoch": self._epoch, "seq": len(self._hashes), "hash": self._hashes[-1]}

    def _take_log(self, payload: dict[str, Any]) -> None:
        if payload["epoch"] != self._epoch:
            self._begin(payload["epoch"])
        if payload["records"][0]["seq"] > len(self._hashes) + 1:
            return  # never acknowledge over a gap; the next welcome says what is held
        for record in payload["records"]:
            self._take_record(record)
        self._world.broker.publish(makers.ACK_TOPIC, makers.signed_ack(log=self._cursor()))

    def _take_record(self, record: dict[str, Any]) -> None:
        seq, held = record["seq"], len(self._hashes)
        if seq <= held:
            if self._hashes[seq - 1] != record["hash"]:
                self.broken = f"record {seq} came again with another hash"
        else:
            if record["prev"] != (self._hashes[-1] if self._hashes else FIRST_PREV):
                self.broken = f"record {seq} does not follow from {held}"
            self.records.append(record["body"])
            self._hashes.append(record["hash"])

    def _begin(self, epoch: str) -> None:
        """Another chain: the station's journal was lost, or this is the first word from it."""
        if self.records:
            self.lost_epochs.append(self.records)
        self._epoch, self.records, self._hashes = epoch, [], []
