"""Promises of what the headend reads: words of stations, its files of them, drafts of people, requests for sound."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import Any

from edge_agent.core.effects import Conflict, Verdict
from edge_agent.core.reasons import Reason
from edge_agent.core.units import JobId, StationId, ZoneId
from edge_agent.headend.content import _ClipRequest, add_clip
from edge_agent.headend.drafting import DRAFT_BYTES_MAX, DraftError, Surroundings, read_draft
from edge_agent.headend.drafts import finish
from edge_agent.headend.enrolment import Enrolled
from edge_agent.headend.given import parse_given
from edge_agent.headend.listening import Heard, LogBatch, Unheard, hear
from edge_agent.headend.logbook import LogbookError, StationLog
from edge_agent.headend.places import Places
from edge_agent.headend.proof import Proof, Whose
from edge_agent.headend.verifying import verify
from edge_agent.journal.record import verify_chain
from edge_agent.sync.topics import Up, up_topic
from edge_agent.trust.envelope import Envelope, open_envelope, payload_type, sign
from edge_agent.trust.fields import Fields
from edge_agent.trust.orders import OrderType
from edge_agent.trust.strict_json import dump, parse
from tests.fuzz.parsers.parser import Parser, Promise, one_line, workplace
from tests.fuzz.parsers.trust import PAYLOAD_BYTES_MAX
from tests.headend.fake_station import AREA, AT, PLAN, RECORD, FakeStation
from tests.headend.kept_logs import Ward
from tests.headend.test_drafts import BULLETIN, FLOOD, NOW, World
from tests.trust.makers import signer

FILES_APART = b"\n~~\n"
FILES_BYTES_MAX = 65_536
KEY = signer("station")
ENROLLED = Enrolled(StationId("tram-01"), AREA, "Trạm loa số 1", KEY.public)
SOUND = bytes(range(256)) * 4


def _speaker() -> FakeStation:
    station = FakeStation(KEY)
    station.play(RECORD, replace(RECORD, job_id="job-2", items=(), zones=()))
    return station


WORDS: dict[Up, Callable[[FakeStation], tuple[str, bytes]]] = {
    Up.HELLO: FakeStation.hello,
    Up.STATE: FakeStation.state,
    Up.HEARTBEAT: FakeStation.heartbeat,
    Up.LOG: FakeStation.log,
    Up.ANSWER: lambda station: station.answer(
        Verdict.REFUSED, "job-1", Reason.REPLAYED, Conflict(JobId("job-2"), AT, Reason.PREEMPTED, (ZoneId("c1"),))
    ),
    Up.PLAN: lambda station: station.plan(PLAN),
}


def _payload(message: tuple[str, bytes]) -> bytes:
    opened = open_envelope(message[1])
    assert isinstance(opened, Envelope)
    return opened.payload


def _said(kind: Up) -> Callable[[], Promise]:
    stations, topic = {ENROLLED.station: ENROLLED}, up_topic(ENROLLED.station, kind)

    def heard(payload: bytes) -> Heard | Unheard:
        return hear(stations, "demo", topic, sign(payload_type(kind), payload, [KEY]))

    def promise(payload: bytes) -> None:
        said = heard(payload)
        if isinstance(said, Unheard):
            one_line(said.detail)
            return
        assert heard(dump(parse(payload))) == said, "the same words written otherwise"
        if isinstance(said.said, LogBatch):
            verify_chain(said.said.records)

    return lambda: promise


@cache
def _kept() -> tuple[tuple[bytes, ...], Whose]:
    """What lay on the headend's disk after each of some plays, and after the station's journal was damaged."""
    ward = Ward(workplace())
    kept = []
    for number in range(4):
        if number == 3:
            ward.station.new_chain("epoch-2")
        ward.play()
        files = ward.files()
        kept.append(files.records + FILES_APART + files.proof)
    return tuple(kept), ward.whose()


def _verify_log() -> Promise:
    kept, whose = _kept()
    honest = {files.partition(FILES_APART)[0] for files in kept} | {b""}

    def promise(files: bytes) -> None:
        records, _, proof = files.partition(FILES_APART)
        verdict = verify(records, proof, whose)
        if verdict.finding is None:
            assert records in honest, "whole, and not what the station wrote"
        else:
            assert verdict.finding.line >= 1
            one_line(verdict.finding.detail)

    return promise


def _logbook() -> Promise:
    place, whose = workplace(), _kept()[1]
    records_path, proof_path = place / "tram-01.jsonl", place / "tram-01.proof"

    def promise(files: bytes) -> None:
        records, _, proof = files.partition(FILES_APART)
        records_path.write_bytes(records)
        proof_path.write_bytes(proof)
        try:
            cursor = StationLog(records_path).cursor()
            again = StationLog(records_path, to_write=False).cursor()
            assert cursor == again, "reading has changed what is held"
        except LogbookError as error:
            one_line(str(error))
        try:
            Proof(proof_path, whose)
        except LogbookError as error:
            one_line(str(error))

    return promise


def _draft(ending: str) -> Callable[[], Promise]:
    def prepared() -> Promise:
        path, world = workplace() / f"draft.{ending}", World()
        around = Surroundings(
            "demo",
            "dong-thanh",
            "commune",
            NOW,
            world.next_serial,
            world.find_audio,
            world.publish_audio,
            path.parent,
        )

        def promise(draft: bytes) -> None:
            world.published.clear()
            path.write_bytes(draft)
            try:
                finished = finish(read_draft(path), around)
            except DraftError:
                return
            kind = OrderType(str(parse(finished.payload)["type"]))
            assert parse_given(Fields(parse(finished.payload)), kind) == finished.order, (
                "a station reads something else"
            )

        return promise

    return prepared


class _Asking:
    """A client's connection: what it asks, and what it was answered."""

    def __init__(self, asked: bytes) -> None:
        self._asked = asked
        self.answered = b""

    def makefile(self, mode: str, *_: object) -> Any:
        del mode
        return io.BytesIO(self._asked)

    def sendall(self, data: bytes) -> None:
        self.answered += data

    def expect_question(self) -> None:
        """All of them have come."""


def _content() -> Promise:
    shelf = workplace()
    (shelf.parent / f"{shelf.name}.mp3").write_bytes(SOUND)
    add_clip(shelf, shelf.parent / f"{shelf.name}.mp3")
    own = {"directory": shelf, "note": staticmethod(lambda _: None), "greet": staticmethod(lambda *_: None)}
    request = type("_Request", (_ClipRequest,), own)

    def promise(asked: bytes) -> None:
        client = _Asking(asked)
        request(client, ("10.0.0.7", 4_000), SimpleNamespace(places=Places()))
        requests = asked.count(b"\n") + 1
        assert len(client.answered) <= requests * (len(SOUND) + 2_000), "more than it has"

    return promise


def _requests() -> list[bytes]:
    path = b"/clip/" + hashlib.sha256(SOUND).hexdigest().encode()
    return [
        b"GET " + path + b" HTTP/1.1\r\nHost: a\r\nRange: bytes=100-\r\n\r\n",
        b"HEAD " + path + b" HTTP/1.1\r\n\r\nGET " + path + b' HTTP/1.1\r\nIf-Range: "x"\r\nConnection: close\r\n\r\n',
        b"GET /clip/ HTTP/1.0\r\n\r\n",
        b"GET " + path + b" HTTP/1.1\r\nRange: bytes=-5\r\nExpect: 100-continue\r\n\r\n",
    ]


PARSERS = (
    *(
        Parser(
            f"said-{kind}",
            "headend.listening",
            _said(kind),
            lambda say=say: [_payload(say(_speaker()))],  # type: ignore[misc]
            PAYLOAD_BYTES_MAX,
            True,
        )
        for kind, say in WORDS.items()
    ),
    Parser("verify-log", "headend.verifying, headend.proof", _verify_log, lambda: _kept()[0], FILES_BYTES_MAX),
    Parser("logbook", "headend.logbook, headend.proof", _logbook, lambda: _kept()[0], FILES_BYTES_MAX),
    Parser(
        "draft-toml", "headend.drafting", _draft("toml"), lambda: [BULLETIN.encode(), FLOOD.encode()], DRAFT_BYTES_MAX
    ),
    Parser(
        "draft-json", "headend.drafting", _draft("json"), lambda: [dump({"class": "emergency"})], DRAFT_BYTES_MAX, True
    ),
    Parser("content", "headend.content, http.server", _content, _requests, 16_384),
)
