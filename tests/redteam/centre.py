"""The honest side: signs what people order, answers hellos, keeps logs, sends trust documents that a hello lacks.

Whatever it says goes through the attacker's hands; whatever it signs stands in the ledger.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

from edge_agent.core.programme import SIGNAL_MS
from edge_agent.core.units import ClipKey
from edge_agent.trust.envelope import Envelope, open_envelope
from tests.redteam.ledger import Given, Ledger
from tests.redteam.offices import Offices
from tests.redteam.papers import ABOVE, HERE, OWNER, STATIONS, Ward, key
from tests.trust import makers
from tests.trust.delegation import PROVINCE

Send = Callable[[Sequence[str], str, bytes], None]
"""(stations, topic, message): what the attacker is given to carry."""

NOTHING_HELD = {"epoch": "", "seq": 0, "hash": ""}


class Centre:
    """``offices``: who signs documents, and which."""

    def __init__(self, ledger: Ledger, mono: Callable[[], int], offices: Offices, send: Send) -> None:
        self._ledger = ledger
        self._mono = mono
        self.offices = offices
        self.send = send
        self.serials: dict[str, int] = {}

    def signers(self, ward: Ward, payload: dict[str, Any]) -> list[str]:
        """Whose keys an order of that ward needs today."""
        if ward == ABOVE:
            return [self.offices.radio.key]
        staff = self.offices.staff[ward.area]
        if payload["type"] in ("regulation", "window"):
            return [OWNER]
        return [*staff.warners[: staff.must_warn]] if payload.get("class") == "emergency" else [staff.officers[-1]]

    def next_serial(self, issuer: str) -> int:
        """They grow with each order of an issuer."""
        return self.serials.get(issuer, 0) + 1

    def give(self, payload: dict[str, Any], keys: Sequence[str]) -> tuple[Given, bytes]:
        """Sign an order, and remember it."""
        message = makers.signed(payload, [key(name) for name in keys])
        given = Given(order_id_of(payload), digest_of(message), payload, tuple(keys), self._mono())
        self._ledger.add(given)
        issuer = payload["issuer"]
        self.serials[issuer] = max(self.serials.get(issuer, 0), payload["serial"])
        return given, message


class Desk:
    """The centre as one station knows it; ``names`` is what ``ward.Content`` writes into."""

    def __init__(self, centre: Centre, station: str, utc: Callable[[], int]) -> None:
        self._centre = centre
        self._station = station
        self._path = ("", PROVINCE, STATIONS[station].area)
        self._utc = utc
        self.names: dict[ClipKey, str] = {one: str(one) for one in SIGNAL_MS}
        self.answers: list[dict[str, Any]] = []
        self.shows_old: set[str] = set()
        """The nonces of hellos whose welcome showed that the card had forgotten something (7.10)."""
        self._logs: dict[str, dict[int, str]] = {}
        self._newest = ""

    def receive(self, topic: str, data: bytes) -> None:
        """Whatever comes up."""
        kind = topic.rpartition("/")[2]
        if kind not in ("hello", "log", "answer"):
            return
        payload = json.loads(base64.b64decode(json.loads(data)["payload"]))
        match kind:
            case "hello":
                self._welcome(payload)
            case "log":
                self._take_log(payload)
            case "answer":
                self.answers.append(payload)

    def welcome_for(self, hello: dict[str, Any]) -> bytes:
        """What answers a hello, whichever way it came."""
        centre, places = self._centre, [(area, *self._centre.offices.place(area)) for area in self._path]
        trust = [{"area": area, "epoch": epoch, "version": version} for area, epoch, version in places]
        epoch = hello["log"]["epoch"] if hello["log"]["epoch"] in self._logs else self._newest
        cursor, has = self._cursor(epoch), hello["log"]
        if cursor["epoch"] not in ("", has["epoch"]) or cursor["seq"] > has["seq"]:
            self.shows_old.add(hello["nonce"])
        return makers.signed_welcome(
            by=(key(centre.offices.server),),
            station=self._station,
            nonce=hello["nonce"],
            utc=self._utc(),
            log=cursor,
            trust=trust,
            serial_marks={HERE.issuer: 0} | centre.serials,
        )

    def _welcome(self, hello: dict[str, Any]) -> None:
        """The roots that it lacks, which name who answers it; the answer; then the rest (6.12)."""
        has = {one["area"]: (one["epoch"], one["version"]) for one in hello["trust"]}
        roots, below = self._centre.offices.lacking(self._station, has)
        self._send("job", *(document for _, document in roots))
        self._send("welcome", self.welcome_for(hello))
        self._send("job", *(document for _, document in below))

    def _send(self, kind: str, *messages: bytes) -> None:
        for message in messages:
            self._centre.send([self._station], f"loa/1/d/{self._station}/{kind}", message)

    def _cursor(self, epoch: str) -> dict[str, Any]:
        log = self._logs.get(epoch)
        return {"epoch": epoch, "seq": max(log), "hash": log[max(log)]} if log else NOTHING_HELD

    def _take_log(self, payload: dict[str, Any]) -> None:
        epoch = payload["epoch"]
        log = self._logs.setdefault(epoch, {})
        for record in payload["records"]:
            if log and log.get(record["seq"], record["hash"]) != record["hash"]:
                return  # a card that was put back writes its numbers twice: what is held stays, and is not acknowledged
            log[record["seq"]] = record["hash"]
        self._newest = epoch
        by = (key(self._centre.offices.server),)
        self._send("ack", makers.signed_ack(by=by, station=self._station, log=self._cursor(epoch)))


def order_id_of(payload: dict[str, Any]) -> str:
    """What an order is called."""
    return str(payload.get("job_id") or payload["order_id"])


def digest_of(message: bytes) -> str:
    """What identifies a message."""
    envelope = open_envelope(message)
    assert isinstance(envelope, Envelope)
    return envelope.digest
