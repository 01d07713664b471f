"""A live source as a commune has it, from a real Icecast to the ring: at its pace, its tone, and again after a cut."""

from __future__ import annotations

import re
import shlex
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.audio.live import BLOCK_MS
from edge_agent.audio.live_decoder import LiveDecoder
from edge_agent.audio.live_ring import LiveRing, RingReader
from edge_agent.audio.sandbox import Sandbox
from edge_agent.core.effects import CloseLive, OpenLive
from edge_agent.core.units import SECOND_MS, ClipKey
from edge_agent.headend.pki import Issued, create_authority
from edge_agent.live_worker import LiveWorker
from edge_agent.sync.https import Trust
from edge_agent.sync.live_stream import LivePatience, LiveStream
from tests.audio.making import heard_hz, needs_decoder
from tests.host.icecast import running_icecast
from tests.host.parts import needs
from tests.sync.rigs import host_clock

OPERATIONS = Path(__file__).parents[1] / "docs/operations.md"
RATE = 48_000
KEY = ClipKey("e" * 64)
PATIENCE_S = 180
LISTENED_BLOCKS = 60
QUIET_S = 3
# In which thirty blocks would have come.

pytestmark = [pytest.mark.host, pytest.mark.live, needs("icecast2", "setpriv", "openssl"), needs_decoder]


def as_the_operations_say(folder: Path) -> Issued:
    """The stream server's certificate, made by the command that is printed for it, but for this machine."""
    (command,) = set(re.findall(r"^openssl req -x509 .+$", OPERATIONS.read_text("utf-8"), re.MULTILINE))
    run = shlex.split(command.replace("tiep-am.example.vn", "localhost"))
    subprocess.run(run, cwd=folder, check=True, capture_output=True)
    return Issued(folder / "tiep-am.pem", folder / "tiep-am.key")


def soon(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "it never came about"
        time.sleep(0.02)


def come_to(reader: RingReader, number: int) -> int:
    """Wait for a block; the newest then."""
    soon(lambda: _newest(reader) >= number)
    return _newest(reader)


def last_tone(reader: RingReader, newest: int) -> float:
    blocks = [reader.read(number) for number in range(newest - 20, newest)]
    assert None not in blocks
    return heard_hz(b"".join(block for block in blocks if block), RATE)


def relaying() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("live ")]


def test_a_communes_stream_fills_the_ring_as_it_is_made_and_goes_on_after_a_cut(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def said(word: str) -> int:
        return sum(word in record.getMessage() for record in caplog.records)

    authority = create_authority(tmp_path / "ward/pki", "test")
    rings = LiveRing(tmp_path / "live", RATE)
    line = LiveStream(Trust(authority.path, host_clock), LivePatience(pause_s_max=2))
    worker = LiveWorker(tmp_path / "live", RATE, LiveDecoder(Sandbox()), line)
    with running_icecast(as_the_operations_say(tmp_path)) as icecast:
        reader = rings.reader(KEY)
        worker.order(OpenLive(KEY, (icecast.url,)))
        soon(lambda: said("why=HTTP 404") > 0)
        assert _newest(reader) == 0, "nobody sends yet"

        with icecast.fed(440):
            first = come_to(reader, 40)
            began = time.monotonic()
            newest = come_to(reader, first + LISTENED_BLOCKS)
            pace = (newest - first) * BLOCK_MS / SECOND_MS / (time.monotonic() - began)
            assert pace == pytest.approx(1, abs=0.3)
            assert last_tone(reader, newest) == pytest.approx(440, abs=2)

        gone = said("why=HTTP 404")
        soon(lambda: said("why=HTTP 404") > gone)
        stood = _newest(reader)
        time.sleep(QUIET_S)
        assert _newest(reader) == stood

        with icecast.fed(880):
            newest = come_to(reader, (stood or 0) + 50)
            assert last_tone(reader, newest) == pytest.approx(880, abs=4)
            worker.order(CloseLive(KEY))
            soon(lambda: not relaying())
            assert not rings.reader(KEY).there()


def _newest(reader: RingReader) -> int:
    """The number of the last block that lies there; 0 where there is none."""
    return max(reader.there(), default=0)
