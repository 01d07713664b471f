"""Promises of what a station's own processes read of each other, of disks, of people's hands, and of sound."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable
from dataclasses import fields, replace
from itertools import product
from pathlib import Path
from typing import cast

from edge_agent.audio import decode_service, decoder, speech
from edge_agent.audio.clip import BLOCK_BYTES, LINE_BYTES, ClipUnusable, Shelf, listing_bytes
from edge_agent.audio.confined import End, Ended, printable
from edge_agent.audio.decode_worker import PACKET_BYTES_MAX as WORKER_BYTES_MAX
from edge_agent.audio.decode_worker import REFUSED, Refused, read_request, request
from edge_agent.audio.sniff import HEAD_BYTES, not_sound
from edge_agent.config import ConfigError, load
from edge_agent.config.parse import CONFIG_BYTES_MAX
from edge_agent.console.commands import Command, answer, new_session, respond
from edge_agent.console.line_editor import LINE_CHARS_MAX, LineEditor
from edge_agent.console.screen import View
from edge_agent.console.status import STATUS_BYTES_MAX, StatusError, read_status
from edge_agent.console.words import Language, width
from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay, SwitchRelay
from edge_agent.core.events import (
    DeviceUp,
    PlayEnded,
    PlayProgress,
    PlayStarted,
    RelayChanged,
    RelayFailed,
    ZoneHeard,
    ZonesLost,
)
from edge_agent.core.programme import Pause, Sound, ZoneFeed
from edge_agent.core.reasons import Reason
from edge_agent.core.units import NEVER, ClipKey, MonoMs, PlayId, ZoneId
from edge_agent.journal.record import body_of, sounded_in
from edge_agent.link.messages import (
    PACKET_BYTES_MAX,
    LinkError,
    Renew,
    ToCore,
    ToDevice,
    decode_to_core,
    decode_to_device,
    encode,
)
from edge_agent.ntp import Instant, KernelSync, report, told
from edge_agent.spoken.stems import FILE as STEM_FILE
from edge_agent.spoken.stems import LISTING_CHARS_MAX, plan
from edge_agent.spoken.stems import parse as parse_stems
from tests.config_texts import EXAMPLE, FULL
from tests.console.pictures import AT, NAME, SITE, held, picture
from tests.fuzz.parsers.parser import Parser, Promise, one_line, workplace
from tests.headend.fake_station import RECORD
from tests.journal.samples import ORIGIN

COLUMNS_MAX = 80
ZONE, PLAY, CLIP = ZoneId("cho"), PlayId("play-7"), ClipKey("ab" * 32)
TO_DEVICE: tuple[ToDevice, ...] = (
    SwitchRelay(ZONE, True, 1_000),
    StartPlay(PLAY, (Sound(CLIP, 1_000, 0), Pause(500)), (ZoneFeed(ZONE, 70),), MonoMs(5), 0, (ZONE,), True),
    RoutePlay(PLAY, (ZoneFeed(ZONE, 70),)),
    StopPlay(PLAY),
    Renew(),
)
TO_CORE: tuple[ToCore, ...] = (
    DeviceUp(),
    RelayChanged(ZONE, True, "thấy đóng", MonoMs(5)),
    RelayFailed(ZONE, "no line"),
    PlayStarted(PLAY, MonoMs(5)),
    PlayProgress(PLAY, {ZONE: 100}, 100),
    ZonesLost(PLAY, (ZONE,), Reason.DEVICE_FAILED),
    ZoneHeard(ZONE, True, -12),
    PlayEnded(PLAY, {ZONE: 100}, 100, 0, MonoMs(9), Reason.PREEMPTED),
)


def _link(decode: Callable[[bytes], ToDevice | ToCore]) -> Callable[[], Promise]:
    def promise(packet: bytes) -> None:
        try:
            message = decode(packet)
        except LinkError:
            return
        assert decode(encode(message)) == message

    return lambda: promise


def _decode_request() -> Promise:
    programs = ("/usr/bin/ffmpeg", "/usr/bin/espeak-ng")

    def promise(packet: bytes) -> None:
        try:
            asked = read_request(packet, programs)
        except Refused:
            return
        assert asked.argv[0] in programs
        assert asked.data_bytes > 0, "no bound at all"
        assert asked.cpu_s > 0, "no bound at all"
        assert request(asked.data_bytes, asked.cpu_s, asked.argv) == packet, "another packet means the same"

    return promise


class _Answering:
    """A worker's line on which one answer has come."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def settimeout(self, seconds: float) -> None:
        del seconds

    def recv(self, most: int) -> bytes:
        return self._answer[:most]


def _decode_answer() -> Promise:
    def promise(answer: bytes) -> None:
        status = decode_service._status_within(cast(socket.socket, _Answering(answer)), 1)
        complaint = printable(answer.removeprefix(REFUSED))
        one_line(complaint)
        assert status is not None
        for how, judge in product(End, (decoder._judge, speech._judge)):
            trouble = judge(Ended(how, status, 2, complaint))
            if trouble is not None:
                one_line(trouble.detail)

    return promise


def _sniff() -> Promise:
    def promise(head: bytes) -> None:
        named = not_sound(head[:HEAD_BYTES])
        assert head or named
        assert named is None or not head.startswith((b"RIFF\x24\x00", b"ID3\x04\x00", b"fLaC\x00", b"OggS\x00"))

    return promise


def _clip() -> Promise:
    root = workplace()
    (root / "pcm").mkdir()
    sound = bytes(range(256)) * 4
    (root / "pcm" / f"{CLIP}.pcm").write_bytes(sound)
    listing = root / "pcm" / f"{CLIP}.blocks"
    shelf = Shelf(root)

    def heard(content: bytes) -> None:
        listing.write_bytes(content)
        try:
            with shelf.open(CLIP) as clip:
                assert clip.read(0, 10_000) == sound
                clip.verify()
        except ClipUnusable:
            return
        assert content.startswith(b"8000 512\n") or int(content.split()[0]) >= 1_000

    def promise(content: bytes) -> None:
        heard(content)
        heard(content + hashlib.sha256(content).hexdigest().encode() + b"\n")  # sealed, by whoever wrote it

    return promise


def _listings() -> list[bytes]:
    sound = bytes(range(256)) * 4
    whole = listing_bytes(8_000, len(sound) // 2, bytearray(hashlib.sha256(sound).digest()))
    two = listing_bytes(48_000, BLOCK_BYTES, bytearray(hashlib.sha256(sound).digest() * 2))
    return [whole, whole[:-LINE_BYTES], two, two[:-LINE_BYTES]]


def _stems() -> Promise:
    text = "Kính thưa bà con! Bà con rời nhà ngay. Không qua suối."

    def promise(content: bytes) -> None:
        try:
            stems = parse_stems(content.decode())
        except UnicodeDecodeError:
            return
        for fault in stems.faults:
            one_line(fault)
        files = {stem.file for stem in stems.stems}
        assert all(STEM_FILE.fullmatch(file) for file in files), "a file elsewhere"
        said = [piece.words for piece in plan("vi", text, stems)]
        assert " ".join(said) == text, "words lost, added or moved"

    return promise


def _refusal(path: Path) -> ConfigError | None:
    try:
        load(path)
    except ConfigError as refusal:
        return refusal
    return None


def _config() -> Promise:
    path = workplace() / "edge-agent.toml"

    def promise(content: bytes) -> None:
        path.write_bytes(content)
        refusal = _refusal(path)
        if refusal is None:
            return
        assert str(refusal).count("\n") == len(refusal.problems) - 1, "a value made lines of its own"
        for problem in refusal.problems:
            assert 0 <= problem.line <= content.count(b"\n") + 1
            one_line(problem.text("edge-agent.toml"))

    return promise


VIEW = View(read_status(picture(next=(held(Reason.QUIET_HOURS),))), device_up=True)


def _console() -> Promise:
    fresh = new_session(SITE, NAME, Language.VI)

    def promise(typed: bytes) -> None:
        editor, session = LineEditor(), fresh
        for at in range(0, len(typed), 16):
            echo, lines = editor.feed(typed[at : at + 16])
            _sendable(echo)
            for line in lines:
                assert len(line) <= LINE_CHARS_MAX
                session, said = respond(session, line, lambda: VIEW)
                _shown(said)

    return promise


def _sendable(text: str) -> None:
    """What a serial port can be given."""
    assert "\x1b" not in text
    text.encode()


def _shown(lines: tuple[str, ...]) -> None:
    for line in lines:
        assert line.isprintable(), f"{line!r}"
        assert width(line) <= COLUMNS_MAX
        _sendable(line)


def _status() -> Promise:
    def promise(data: bytes) -> None:
        try:
            status = read_status(data)
        except StatusError:
            return  # shown to nobody: the console says that the picture is damaged
        for asked, language in product((Command.STATUS, Command.NEXT, Command.WHY), Language):
            _shown(answer(asked, View(status, device_up=True), SITE, language))

    return promise


def _journal_record() -> Promise:
    well_said = sounded_in(body_of(RECORD, ORIGIN))

    def promise(body: bytes) -> None:
        sounded = sounded_in(body)
        if sounded is None:
            return
        for field in fields(sounded):
            assert type(getattr(sounded, field.name)) is type(getattr(well_said, field.name)), field.name
        "".join((*sounded.signers, *sounded.zones))
        assert -NEVER < sounded.started <= sounded.ended < NEVER

    return promise


def _clock_report() -> Promise:
    path = workplace() / "report"
    now = Instant(1_000_000, AT)

    def promise(said: bytes) -> None:
        path.write_bytes(said)
        sync = told(path, now)
        assert not sync.synchronised or sync.max_error_ms >= 0, "better than exact"

    return promise


def _bodies() -> list[bytes]:
    return [body_of(RECORD, ORIGIN), body_of(replace(RECORD, started=None, played_ms=None), ORIGIN)]


def _pictures() -> list[bytes]:
    from tests.console.test_status import FULL as full_picture

    return [full_picture, picture(next=(held(Reason.QUIET_HOURS),))]


def _requests() -> list[bytes]:
    return [
        request(decoder.DATA_BYTES_MAX, 30, ("/usr/bin/ffmpeg", "-i", "pipe:")),
        request(speech.DATA_BYTES_MAX, 60, ("/usr/bin/espeak-ng", "--stdin")),
    ]


HEADS = [b"RIFF\x24\x00\x00\x00WAVEfmt ", b"#EXTM3U\n#EXT-X", b"\xef\xbb\xbf <?xml version='1.0'?><MPD>", b"v=0\r\no=-"]
ANSWERS = [b"began", b"ended 0", b"ended 137", REFUSED + b"no request", b"[mp3,x @ 0x5] Format not on whitelist"]
TYPED = [
    "tt\r",
    "tình trạng\r\n",
    "\x1b[A\x1bOP",
    "vi sao im lặng?\n",
    "abc\x7f\x7f\x15",
    "en\rnext\rq\r\r",
    "ế\x08\x03",
]

STEMS = '[vi]\n"a.wav" = "Kính thưa bà con!"\n"b.mp3" = "Bà con rời nhà ngay. Không qua suối."\n[hmn]\n"c" = "Nej tsum"'

PARSERS = (
    Parser(
        "link-to-device",
        "link.messages",
        _link(decode_to_device),
        lambda: [encode(one) for one in TO_DEVICE],
        PACKET_BYTES_MAX + 100,
        True,
    ),
    Parser(
        "link-to-core",
        "link.messages",
        _link(decode_to_core),
        lambda: [encode(one) for one in TO_CORE],
        PACKET_BYTES_MAX + 100,
        True,
    ),
    Parser("decode-request", "audio.decode_worker", _decode_request, _requests, WORKER_BYTES_MAX),
    Parser("decode-answer", "audio.decode_service, audio.decoder", _decode_answer, lambda: ANSWERS, WORKER_BYTES_MAX),
    Parser("sniff", "audio.sniff", _sniff, lambda: HEADS, HEAD_BYTES),
    Parser("clip", "audio.clip", _clip, _listings, 16_384),
    Parser("stems", "spoken.stems, toml", _stems, lambda: [STEMS.encode()], LISTING_CHARS_MAX + 100),
    Parser("config", "config", _config, lambda: [EXAMPLE.encode(), FULL.encode()], CONFIG_BYTES_MAX + 100),
    Parser(
        "console", "console.line_editor, console.commands", _console, lambda: [one.encode() for one in TYPED], 4_096
    ),
    Parser("status", "console.status, console.screen", _status, _pictures, STATUS_BYTES_MAX + 100, True),
    Parser(
        "clock-report",
        "ntp",
        _clock_report,
        lambda: [report(KernelSync(True, 5), Instant(950_000, AT - 50_000)).encode()],
        200,
    ),
    Parser("journal-record", "journal.record", _journal_record, _bodies, 65_536, True),
)
