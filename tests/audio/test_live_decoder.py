"""A live stream becomes sound as it comes, wherever it is entered; what is none is named, nothing outlives its end."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pytest

from edge_agent.audio.confined import Confined, End, Ended, Limits
from edge_agent.audio.decode_service import DecodeService
from edge_agent.audio.live import BLOCK_MS, TARGET_MS, TARGET_MS_MAX, LiveBuffer, Source
from edge_agent.audio.live_decoder import (
    AHEAD_MS_MAX,
    PROBE_BYTES,
    RELAY_S_MAX,
    Decoding,
    DecodingPatience,
    LiveDecoder,
)
from edge_agent.audio.live_ring import LiveRing
from edge_agent.audio.loudness import PEAK_DBTP_MAX
from edge_agent.audio.sandbox import Sandbox
from edge_agent.core.units import MINUTE_MS, SECOND_MS, ClipKey
from edge_agent.trust.items import CLIP_MS_MAX
from tests.audio.making import FFMPEG, ffmpeg, heard_hz, needs_decoder, sine
from tests.audio.meter import true_peak_dbtp
from tests.audio.walls import script, stand_in_manager

RATE = 48_000
KEY = ClipKey("ab" * 32)
PATIENCE_S = 120
UNHURRIED = DecodingPatience(flush_s=PATIENCE_S)
SECONDS = 8
STREAMS = {
    "low.mp3": ("-c:a", "libmp3lame", "-b:a", "32k", "-ar", "22050"),
    "a.mp3": ("-c:a", "libmp3lame", "-b:a", "64k"),
    "high.mp3": ("-c:a", "libmp3lame", "-b:a", "320k", "-ac", "2"),
    "varying.mp3": ("-c:a", "libmp3lame", "-q:a", "4", "-ac", "2"),
    "a.aac": ("-c:a", "aac", "-b:a", "64k"),
    "vorbis.ogg": ("-c:a", "libvorbis", "-page_duration", "200000"),
    "opus.ogg": ("-c:a", "libopus", "-b:a", "32k", "-page_duration", "200000"),
}


@dataclass
class Kept:
    """Stands for the ring."""

    rate: int = RATE
    pcm: bytearray = field(default_factory=bytearray)

    def feed(self, chunk: bytes) -> None:
        self.pcm += chunk


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("streams")
    return {name: sine(folder / name, SECONDS, *how).read_bytes() for name, how in STREAMS.items()}


@pytest.fixture
def closed() -> Iterator[int]:
    """What can be read once the source is closed."""
    told = os.eventfd(0)
    yield told
    os.close(told)


def decoded(stream: bytes, closed: int, decoder: LiveDecoder | None = None, piece: int = 700) -> tuple[bytes, str]:
    """All the sound of a stream that came in pieces and ended, and why not."""
    kept = Kept()
    taker = (decoder or LiveDecoder(Sandbox(), patience=UNHURRIED)).begin(kept, closed)
    said = fed(taker, stream, piece)
    ended = taker.end()
    return bytes(kept.pcm), said or ended


def fed(taker: Decoding, stream: bytes, piece: int = 700) -> str:
    for at in range(0, len(stream), piece):
        if refused := taker.feed(stream[at : at + piece]):
            return refused
    return ""


def soon(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def is_the_tone(pcm: bytes, seconds: float) -> None:
    assert len(pcm) / 2 / RATE == pytest.approx(seconds, abs=0.6)
    middle = pcm[2 * RATE : -2 * RATE // 2]  # an encoder's and a decoder's first frames overshoot
    assert heard_hz(middle, RATE) == pytest.approx(440, abs=2)


def entered(name: str, stream: bytes, at: int) -> bytes:
    """What a listener gets who comes ``at`` this byte: of Ogg, as Icecast does it, the headers and whole pages."""
    if not name.endswith(".ogg"):
        return stream[at:]
    headers = b"".join(page for page in pages(stream) if granule(page) == 0)
    return headers + stream[stream.index(b"OggS", max(at, len(headers))) :]


def seconds_of(name: str, part: bytes, stream: bytes) -> float:
    """How long a part sounds of a stream of SECONDS."""
    if not name.endswith(".ogg"):
        return SECONDS * len(part) / len(stream)
    whole = [granule(page) for page in pages(stream)]
    sounding = [position for page in pages(part) if (position := granule(page))]
    return SECONDS * (sounding[-1] - whole[whole.index(sounding[0]) - 1]) / whole[-1]


def pages(stream: bytes) -> list[bytes]:
    return [b"OggS" + rest for rest in stream.split(b"OggS")[1:]]


def granule(page: bytes) -> int:
    """How many samples the stream has come to at the end of the page; 0 in headers."""
    return int.from_bytes(page[6:14], "little")


@pytest.mark.host
@needs_decoder
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_is_entered_anywhere_comes_out_as_what_it_is(
    name: str, streams: dict[str, bytes], closed: int
) -> None:
    stream = streams[name]
    chance = random.Random(name)
    for at in (0, *(chance.randrange(len(stream) // 2) for _ in range(3))):
        heard = entered(name, stream, at)
        pcm, said = decoded(heard, closed)
        assert said == "", at
        is_the_tone(pcm, seconds_of(name, heard, stream))


@pytest.mark.host
@needs_decoder
@pytest.mark.parametrize("name", STREAMS)
def test_sound_comes_while_the_stream_goes_on(name: str, streams: dict[str, bytes], closed: int) -> None:
    """Two thirds are sent, and nothing is closed: all of it but half a second must be heard."""
    stream = entered(name, streams[name], len(streams[name]) // 10)
    kept = Kept()
    taker = LiveDecoder(Sandbox(), patience=UNHURRIED).begin(kept, closed)
    sent = stream[: max(len(stream) * 2 // 3, PROBE_BYTES + 2_000)]
    assert fed(taker, sent) == ""
    due = seconds_of(name, sent, streams[name]) - 0.5
    assert soon(lambda: len(kept.pcm) / 2 / RATE > due), (len(kept.pcm) / 2 / RATE, due)
    assert taker.end() == ""


@pytest.mark.host
@needs_decoder
def test_what_is_sent_too_loud_comes_out_with_its_peaks_bounded(tmp_path: Path, closed: int) -> None:
    square = "aevalsrc='0.99*sgn(sin(2*PI*997*t))':d=4:s=44100"
    ffmpeg("-f", "lavfi", "-i", square, "-c:a", "libmp3lame", "-b:a", "128k", tmp_path / "loud.mp3")
    pcm, said = decoded((tmp_path / "loud.mp3").read_bytes(), closed)
    assert said == ""
    assert true_peak_dbtp(pcm[RATE:]) <= PEAK_DBTP_MAX + 0.3


@pytest.mark.host
@needs_decoder
@pytest.mark.parametrize("name", ["vorbis.ogg", "opus.ogg"])
def test_an_ogg_stream_that_begins_anew_goes_on(
    name: str, streams: dict[str, bytes], tmp_path: Path, closed: int
) -> None:
    """As at every new title: its headers again, under another serial number."""
    again = sine(tmp_path / name, SECONDS, *STREAMS[name], "-serial_offset", "77").read_bytes()
    assert again[14:18] != streams[name][14:18]
    pcm, said = decoded(streams[name] + again, closed)
    assert said == ""
    is_the_tone(pcm, 2 * SECONDS)


@pytest.mark.host
@needs_decoder
@pytest.mark.parametrize("name", ["a.mp3", "a.aac"])
def test_rubbish_in_the_middle_is_passed_over(name: str, streams: dict[str, bytes], closed: int) -> None:
    half = len(streams[name]) // 2
    rubbish = random.Random(1).randbytes(3_000)
    pcm, said = decoded(streams[name][:half] + rubbish + streams[name][half:], closed)
    assert said == ""
    assert len(pcm) / 2 / RATE == pytest.approx(SECONDS, abs=1)
    assert heard_hz(pcm[-4 * RATE : -RATE], RATE) == pytest.approx(440, abs=2)


@pytest.mark.host
@needs_decoder
@pytest.mark.parametrize("seed", range(4))
def test_rubbish_alone_is_named_and_harms_nobody(seed: int, closed: int) -> None:
    pcm, said = decoded(random.Random(seed).randbytes(300_000), closed)
    assert said.startswith("decoder: ") or said.endswith("is not let in") or len(pcm) < 2 * RATE * SECONDS, said


@pytest.mark.host
@needs_decoder
@pytest.mark.parametrize(
    ("ending", "named"),
    [("wav", "wav"), ("flac", "flac"), ("ts", "mpegts"), ("mkv", "matroska,webm"), ("aiff", "aiff")],
)
def test_what_is_no_stream_is_not_let_in(ending: str, named: str, tmp_path: Path, closed: int) -> None:
    pcm, said = decoded(sine(tmp_path / f"a.{ending}", 4).read_bytes(), closed)
    assert (pcm, said) == (b"", f"decoder: {named} is not let in")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"#EXTM3U\n#EXTINF:-1,VOV\nhttp://example.vn/vov\n", "a playlist (HLS, M3U)"),
        (b"[playlist]\nNumberOfEntries=1\nFile1=http://example.vn/\n", "a playlist (PLS)"),
        (b"<!DOCTYPE html>" + b"<p>404</p>" * 200, "a document (HTML, XML)"),
        (b"https://example.vn/stream.mp3\n", "an address of something else"),
        (b"", "an empty file"),
    ],
    ids=["m3u", "pls", "html", "address", "nothing"],
)
def test_what_names_another_place_is_refused_by_name_and_never_decoded(body: bytes, named: str, closed: int) -> None:
    walls = Playing(b"")
    assert decoded(body, closed, LiveDecoder(walls)) == (b"", f"no sound but {named}")
    assert walls.runs == 0


# With what stands for a decoder


class Playing:
    """A ``Confined`` in which a program gives these chunks of sound, and stays until its input ends."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks
        self.runs = 0
        self.played = threading.Event()
        self.limits: Limits | None = None

    def run(
        self,
        argv: tuple[str, ...],
        source: BinaryIO,
        limits: Limits,
        take: Callable[[bytes], object],
        stop: int | None = None,
    ) -> Ended:
        self.runs += 1
        self.limits = limits
        for chunk in self.chunks:
            take(chunk)
        self.played.set()
        while source.read(1_000):
            pass
        return Ended(End.EXITED, 0, 0, "")


@dataclass(frozen=True)
class Instead:
    """Real walls around a script of ours in place of ffmpeg."""

    walls: Confined
    code: str

    def run(
        self,
        argv: tuple[str, ...],
        source: BinaryIO,
        limits: Limits,
        take: Callable[[bytes], object],
        stop: int | None = None,
    ) -> Ended:
        return self.walls.run(script(self.code), source, limits, take, stop)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


TOO_LITTLE = "for 30 s never 10 s of sound in 12 s"
BYTES = b"\xff\xfb\x90\x00" * 200


def test_half_a_frame_that_a_decoder_left_does_not_turn_the_next_ones_sound_to_noise(closed: int) -> None:
    kept = Kept()
    for _ in range(2):
        taker = LiveDecoder(Playing(b"\1\2\3", b"\4\5")).begin(kept, closed)
        assert fed(taker, BYTES) == ""
        assert taker.end() == ""
    assert kept.pcm == b"\1\2\3\4" * 2


def test_a_recording_that_comes_faster_than_it_sounds_is_named_and_a_burst_is_not(closed: int) -> None:
    clock, walls = Clock(), Playing(bytes(2 * RATE * (AHEAD_MS_MAX // SECOND_MS + 10)))
    taker = LiveDecoder(walls, clock=clock).begin(Kept(), closed)
    fed(taker, BYTES)
    assert walls.played.wait(PATIENCE_S)
    clock.now += 10
    assert taker.feed(b"x") == ""
    clock.now -= 1
    assert taker.feed(b"x") == "comes faster than it sounds: a recording, no live source"
    taker.end()


def test_bytes_without_sound_are_worth_nothing_after_a_while(closed: int) -> None:
    clock = Clock()
    taker = LiveDecoder(Playing(), patience=DecodingPatience(soundless_s=30), clock=clock).begin(Kept(), closed)
    assert fed(taker, BYTES) == ""
    clock.now += 30
    assert taker.feed(b"x") == ""
    clock.now += 1
    assert taker.feed(b"x") == TOO_LITTLE
    taker.end()


def test_a_byte_now_and_then_keeps_no_other_address_from_being_asked(closed: int) -> None:
    """Each comes before the line is taken for silent; the head alone would take 77 minutes."""
    clock = Clock()
    taker = LiveDecoder(Playing(), patience=DecodingPatience(soundless_s=30), clock=clock).begin(Kept(), closed)
    said = []
    for _ in range(5):
        said.append(taker.feed(b"x"))
        clock.now += 9
    assert said == ["", "", "", "", TOO_LITTLE]


class InGusts:
    """A ``Confined`` in which a program gives so many ms of silence for each byte behind a head."""

    def __init__(self, gusts_ms: list[int]) -> None:
        self.gusts_ms = gusts_ms
        self.given = threading.Semaphore(0)

    def run(
        self,
        argv: tuple[str, ...],
        source: BinaryIO,
        limits: Limits,
        take: Callable[[bytes], object],
        stop: int | None = None,
    ) -> Ended:
        source.read(len(BYTES))
        for gust_ms in self.gusts_ms:
            if source.read(1):
                for begin_ms in range(0, gust_ms, BLOCK_MS):
                    take(bytes(2 * RATE * min(BLOCK_MS, gust_ms - begin_ms) // SECOND_MS))
                self.given.release()
        return Ended(End.EXITED, 0, 0, "")


def gusts_until_it_is_left(gusts_ms: list[int], every_s: float, closed: int) -> int:
    """How many it may give before it is left; all of them, if it is not."""
    clock, walls = Clock(), InGusts(gusts_ms)
    taker = LiveDecoder(walls, patience=DecodingPatience(soundless_s=30), clock=clock).begin(Kept(), closed)
    said = [fed(taker, BYTES)]
    for _ in gusts_ms:
        said.append(taker.feed(b"x"))
        assert walls.given.acquire(timeout=PATIENCE_S)
        clock.now += every_s
    taker.end()
    assert set(said) <= {"", TOO_LITTLE}
    return said.index(TOO_LITTLE) - 1 if TOO_LITTLE in said else len(gusts_ms)


@pytest.mark.parametrize("before", [0, 5], ids=["from its beginning", "behind a minute of sound"])
def test_a_frame_now_and_then_keeps_no_other_address_from_being_asked(before: int, closed: int) -> None:
    """Each comes before the line is taken for silent, and never so much lies ready that one would be heard."""
    left_s = 9 * gusts_until_it_is_left([9_000] * before + [144] * 20, 9, closed)
    assert left_s == pytest.approx(9 * before + 30, abs=9)


def heard_s(gust_ms: int, every_s: float, folder: Path) -> float:
    """How much of half an hour of such gusts is heard, beside a stand-in, by the ring and the buffer as they are."""
    at_ms, heard_ms, came = 0, 0, 0
    ring = LiveRing(folder, RATE, lambda: at_ms)
    with closing(ring.writer(KEY)) as writer, closing(ring.reader(KEY)) as reader:
        buffer = LiveBuffer(reader.target_ms)
        while at_ms < 30 * MINUTE_MS:
            if at_ms >= came * every_s * SECOND_MS:
                writer.feed(bytes(2 * RATE * gust_ms // SECOND_MS))
                came += 1
            at_ms += BLOCK_MS
            heard_ms += BLOCK_MS * (buffer.choose(reader.there(), stands_in=True).source is Source.LIVE)
    return heard_ms / SECOND_MS


@pytest.mark.parametrize(("gust_ms", "every_s"), [(BLOCK_MS, 1.4), (700, 8), (TARGET_MS, 29), (9_900, 29), (800, 1)])
def test_a_source_of_which_hardly_any_is_heard_keeps_no_other_address_from_being_asked(
    gust_ms: int, every_s: float, closed: int, tmp_path: Path
) -> None:
    """Whoever holds its line need not stop it: some of it each time, never so much that enough lies ready."""
    assert heard_s(gust_ms, every_s, tmp_path) < 150
    assert gusts_until_it_is_left([gust_ms] * 100, every_s, closed) * every_s == pytest.approx(30, abs=every_s)


@pytest.mark.parametrize(("gust_ms", "every_s"), [(TARGET_MS_MAX, 29), (6_000, 9), (900, 1)])
def test_a_source_whose_line_stutters_is_not_left_while_as_much_comes_as_must_lie_ready(
    gust_ms: int, every_s: float, closed: int, tmp_path: Path
) -> None:
    """Be it silence that is sent, and just before the time is over."""
    assert heard_s(gust_ms, every_s, tmp_path) > 590
    assert gusts_until_it_is_left([gust_ms] * 100, every_s, closed) == 100


def test_a_relay_may_take_what_the_longest_programme_needs(closed: int) -> None:
    walls = Playing()
    taker = LiveDecoder(walls).begin(Kept(), closed)
    fed(taker, BYTES)
    taker.end()
    assert RELAY_S_MAX * SECOND_MS == CLIP_MS_MAX
    assert walls.limits is not None
    assert walls.limits.wall_s > RELAY_S_MAX
    assert walls.limits.output_bytes >= (RELAY_S_MAX * SECOND_MS + AHEAD_MS_MAX) * RATE * 2 // SECOND_MS


@pytest.fixture(params=["bubblewrap", "worker"])
def walls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sandbox | DecodeService]:
    if request.param == "bubblewrap":
        yield Sandbox()
        return
    with stand_in_manager(tmp_path, "/usr/bin/python3", FFMPEG) as service:
        yield service


IGNORES_ITS_END = (
    "import sys, time; sys.stdin.buffer.read(1); sys.stdout.write('xx'); sys.stdout.flush(); time.sleep(10_000)"
)


@pytest.mark.host
@needs_decoder
def test_a_decoder_that_will_not_end_is_ended_with_its_source(walls: Sandbox | DecodeService, closed: int) -> None:
    kept = Kept()
    taker = LiveDecoder(Instead(walls, IGNORES_ITS_END)).begin(kept, closed)
    fed(taker, BYTES)
    assert soon(lambda: kept.pcm == b"xx")
    os.eventfd_write(closed, 1)
    ending = threading.Thread(target=taker.end, daemon=True)
    ending.start()
    ending.join(PATIENCE_S)
    assert not ending.is_alive()


@pytest.mark.host
@needs_decoder
def test_a_decoder_that_will_not_end_with_its_stream_is_ended_after_a_grace(closed: int) -> None:
    taker = LiveDecoder(Instead(Sandbox(), IGNORES_ITS_END), patience=DecodingPatience(flush_s=0.1)).begin(
        Kept(), closed
    )
    fed(taker, BYTES)
    ending = threading.Thread(target=taker.end, daemon=True)
    ending.start()
    ending.join(PATIENCE_S)
    assert not ending.is_alive()


@pytest.mark.host
@needs_decoder
def test_a_decoder_that_takes_nothing_is_left(closed: int) -> None:
    patience = DecodingPatience(takes_s=0.2, flush_s=0)
    taker = LiveDecoder(Instead(Sandbox(), IGNORES_ITS_END), patience=patience).begin(Kept(), closed)
    assert fed(taker, bytes([0xFF]) * 1_000_000) == "the decoder takes nothing more"
    taker.end()


@pytest.mark.host
@needs_decoder
def test_whoever_waits_for_a_decoder_is_let_go_by_the_end(closed: int) -> None:
    taker = LiveDecoder(Instead(Sandbox(), IGNORES_ITS_END), patience=DecodingPatience(takes_s=10_000)).begin(
        Kept(), closed
    )
    said: list[str] = []
    feeding = threading.Thread(target=lambda: said.append(fed(taker, bytes([0xFF]) * 1_000_000)), daemon=True)
    feeding.start()
    os.eventfd_write(closed, 1)
    feeding.join(PATIENCE_S)
    assert said == ["closed"]
    taker.end()


@pytest.mark.host
@needs_decoder
def test_the_worker_of_the_unit_decodes_a_stream_too(
    walls: Sandbox | DecodeService, streams: dict[str, bytes], closed: int
) -> None:
    pcm, said = decoded(streams["a.mp3"][5_000:], closed, LiveDecoder(walls))
    assert said == ""
    is_the_tone(pcm, SECONDS * (1 - 5_000 / len(streams["a.mp3"])))


def test_without_walls_nothing_is_decoded_and_the_reason_says_so(closed: int) -> None:
    pcm, said = decoded(BYTES * 200, closed, LiveDecoder(Sandbox("/nonexistent/bwrap")))
    assert pcm == b""
    assert said.startswith("no sandbox, so no decoding: ")
