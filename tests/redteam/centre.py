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
from tests.redteam.papers import DEPUTY, HERE, NEW_OFFICER, OWNER, SERVER, STATIONS, WARD, Ward, key, ward_document
from tests.trust import makers

Send = Callable[[Sequence[str], str, bytes], None]
"""(stations, topic, message): what the attacker is given to carry."""

REVOKED_BY = 3
NOTHING_HELD = {"epoch": "", "seq": 0, "hash": ""}


class Centre:
    """``trust`` is the newest version of each ward's document."""

    def __init__(self, ledger: Ledger, mono: Callable[[], int], send: Send) -> None:
        self._ledger = ledger
        self._mono = mono
        self.send = send
        self.serials: dict[str, int] = {}
        self.trust: dict[str, tuple[int, bytes]] = {}
        self.revoked = False

    def officer(self, ward: Ward) -> str:
        """Who signs there today."""
        return NEW_OFFICER if self.revoked and ward is HERE else ward.officer

    def give(self, payload: dict[str, Any], keys: Sequence[str]) -> tuple[Given, bytes]:
        """Sign an order, and remember it."""
        message = makers.signed(payload, [key(name) for name in keys])
        given = Given(order_id_of(payload), digest_of(message), payload, tuple(keys), self._mono())
        self._ledger.add(given)
        issuer = payload["issuer"]
        self.serials[issuer] = max(self.serials.get(issuer, 0), payload["serial"])
        return given, message

    def renew(self, *, revoke: bool) -> bytes:
        """A new document of the ward; one that revokes names another officer."""
        version = REVOKED_BY if revoke else REVOKED_BY - 1
        self.revoked = self.revoked or revoke
        if self.revoked and not revoke:
            return self.trust[WARD][1]
        message = ward_document(HERE, version, self.officer(HERE))
        self.trust[WARD] = (version, message)
        return message


class Desk:
    """The centre as one station knows it; ``names`` is what ``ward.Content`` writes into."""

    def __init__(self, centre: Centre, station: str, utc: Callable[[], int]) -> None:
        self._centre = centre
        self._station = station
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
        centre, area = self._centre, STATIONS[self._station].area
        version, _ = centre.trust.get(area, (1, b""))
        trust = [{"area": "", "epoch": 0, "version": 1}, {"area": area, "epoch": 1, "version": version}]
        epoch = hello["log"]["epoch"] if hello["log"]["epoch"] in self._logs else self._newest
        cursor, has = self._cursor(epoch), hello["log"]
        if cursor["epoch"] not in ("", has["epoch"]) or cursor["seq"] > has["seq"]:
            self.shows_old.add(hello["nonce"])
        return makers.signed_welcome(
            by=(SERVER,),
            station=self._station,
            nonce=hello["nonce"],
            utc=self._utc(),
            log=cursor,
            trust=trust,
            serial_marks={HERE.issuer: 0} | centre.serials,
        )

    def _welcome(self, hello: dict[str, Any]) -> None:
        centre, area = self._centre, STATIONS[self._station].area
        centre.send([self._station], f"loa/1/d/{self._station}/welcome", self.welcome_for(hello))
        version, document = centre.trust.get(area, (1, b""))
        has = {one["area"]: one["version"] for one in hello["trust"]}
        if has.get(area, 0) < version:
            centre.send([self._station], f"loa/1/d/{self._station}/job", document)

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
        ack = makers.signed_ack(by=(SERVER,), station=self._station, log=self._cursor(epoch))
        self._centre.send([self._station], f"loa/1/d/{self._station}/ack", ack)


def order_id_of(payload: dict[str, Any]) -> str:
    """What an order is called."""
    return str(payload.get("job_id") or payload["order_id"])


def digest_of(message: bytes) -> str:
    """What identifies a message."""
    envelope = open_envelope(message)
    assert isinstance(envelope, Envelope)
    return envelope.digest


def signers(ward: Ward, officer: str, payload: dict[str, Any]) -> list[str]:
    """Whose keys an order of that ward needs."""
    if payload["type"] in ("regulation", "window"):
        return [OWNER]
    return [officer, DEPUTY] if payload.get("class") == "emergency" else [officer]
