"""The central side: real keys, checks what the station says, answers hello and log, and may come back from a backup."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edge_agent.core.programme import CLOSING, OPENING, SIGNAL_MS
from edge_agent.core.units import ClipKey
from edge_agent.trust.envelope import Envelope, open_envelope
from tests.trust import makers

if TYPE_CHECKING:
    from tests.ward.world import World

NOTHING_HELD = {"epoch": "", "seq": 0, "hash": ""}
FIRST_PREV = "0" * 64


class Headend:
    """``records`` is the log as held now, ``answers`` and ``states`` what was told; ``names`` what a clip is called.

    ``marks`` is the last serial that each issuer has given out; ``card_was_put_back``: what does not fit is no fault.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.welcoming = True
        self.marks: dict[str, int] = {}
        self.card_was_put_back = False
        self.names: dict[ClipKey, str] = {**{key: str(key) for key in SIGNAL_MS}, OPENING: "chime", CLOSING: "chime"}
        self.answers: list[dict[str, Any]] = []
        self.states: list[dict[str, Any]] = []
        self.records: list[dict[str, Any]] = []
        self.lost_epochs: list[list[dict[str, Any]]] = []
        self.broken = ""
        self._hashes: list[str] = []
        self._before, self._first_prev = 0, FIRST_PREV
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
            self._world.broker.publish(makers.WELCOME_TOPIC, self.welcome_for(self._hello))

    def welcome_for(self, hello: dict[str, Any], by: str = "server") -> bytes:
        """The signed answer to a hello, whichever way it came."""
        return makers.signed_welcome(
            nonce=hello["nonce"], utc=self._world.utc(), log=self._cursor(), serial_marks=self.marks, by=[by]
        )

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
        return {"epoch": self._epoch, "seq": self._before + len(self._hashes), "hash": self._hashes[-1]}

    def _take_log(self, payload: dict[str, Any]) -> None:
        if payload["epoch"] != self._epoch:
            self._begin(payload["epoch"], payload["records"][0])
        if payload["records"][0]["seq"] > self._before + len(self._hashes) + 1:
            return  # never acknowledge over a gap; the next welcome says what is held
        if self.card_was_put_back and not all(self._fits(record) for record in payload["records"]):
            return  # as the logbook does; the station learns from the welcome what happened to it
        for record in payload["records"]:
            self._take_record(record)
        self._world.broker.publish(makers.ACK_TOPIC, makers.signed_ack(log=self._cursor()))

    def _fits(self, record: dict[str, Any]) -> bool:
        place = record["seq"] - self._before - 1
        return place >= len(self._hashes) or self._hashes[place] == record["hash"]

    def _take_record(self, record: dict[str, Any]) -> None:
        seq, held = record["seq"] - self._before, len(self._hashes)
        if seq <= held:
            if self._hashes[seq - 1] != record["hash"]:
                self.broken = f"record {seq} came again with another hash"
        else:
            if record["prev"] != (self._hashes[-1] if self._hashes else self._first_prev):
                self.broken = f"record {seq} does not follow from {held}"
            self.records.append(record["body"])
            self._hashes.append(record["hash"])

    def _begin(self, epoch: str, first: dict[str, Any]) -> None:
        """Another chain: the station's journal was lost or put back, or this is the first word from it."""
        if self.records:
            self.lost_epochs.append(self.records)
        self._epoch, self.records, self._hashes = epoch, [], []
        self._before, self._first_prev = (first["seq"] - 1, first["prev"]) if self.lost_epochs else (0, FIRST_PREV)
