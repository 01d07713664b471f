"""The kit's own content server: honest files, wrong files and no files, and a memory of what the station asked for."""

from __future__ import annotations

import hashlib
import math
import struct
import tempfile
import wave
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import TracebackType

from edge_agent.durable import EVERYBODY_READS, write_durably
from edge_agent.headend.content import ContentServer
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.session import BrokerAddress

RATE_HZ = 48_000
TONE_HZ = 440
TONE_PEAK = 6_000
# Of 32,767: some 15 dB under full scale, on top of the low volume that the orders ask for.
LOCAL = frozenset({"localhost", "127.0.0.1"})


@dataclass(frozen=True, slots=True)
class Clip:
    """Sound as an order names it: an item's fields are taken from here."""

    content: bytes
    duration_ms: int

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def item(self, *urls: str) -> dict[str, object]:
        """The fields of an item of kind ``clip`` that say what is played."""
        return {
            "kind": "clip",
            "digest": self.digest,
            "length": len(self.content),
            "duration_ms": self.duration_ms,
            "codec": "wav",
            "urls": list(urls),
        }


def tone(duration_ms: int, seed: int, peak: int = TONE_PEAK) -> Clip:
    """A soft tone, each by its ``seed`` another file; with ``peak`` 0 it is silence."""
    frames = RATE_HZ * duration_ms // 1000
    wave_of = (round(peak * math.sin(2 * math.pi * TONE_HZ * n / RATE_HZ)) for n in range(frames))
    packed = struct.pack(f"<{frames}h", *list(wave_of)[1:], seed % 1_000)  # the last sample tells files apart
    file = BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(RATE_HZ)
        written.writeframes(packed)
    return Clip(file.getvalue(), duration_ms)


class Content(AbstractContextManager["Content"]):
    """A server for the length of a run. ``where`` is how the station reaches this machine; port 0 takes a free one."""

    def __init__(self, keyring: Keyring, where: BrokerAddress) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="conform-")
        self._host = where.host
        bound = "127.0.0.1" if where.host in LOCAL else "0.0.0.0"
        self._lines: list[str] = []
        self._server = ContentServer(
            Path(self._folder.name), keyring.server("content"), bound, where.port, self._lines.append
        )

    def put(self, digest: str, content: bytes) -> str:
        """Hand out ``content`` for that digest, whatever it is. Returns the URL."""
        write_durably(Path(self._folder.name) / digest, content, EVERYBODY_READS)
        return self.url(digest)

    def url(self, digest: str) -> str:
        """Where a station asks for that digest, whether there is anything or not."""
        return self._server.url(digest, self._host)

    def asked(self, digest: str) -> int:
        """How often a station asked for it."""
        return sum(f"/clip/{digest}" in line for line in list(self._lines))

    def first_asked(self, *digests: str) -> str:
        """For which of these a station asked first; "" where it asked for none."""
        found = (digest for line in list(self._lines) for digest in digests if f"/clip/{digest}" in line)
        return next(found, "")

    def __enter__(self) -> Content:
        self._server.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._server.stop()
        self._folder.cleanup()


def particulars(title: str) -> Mapping[str, object]:
    """What every item says beside its sound; the record must repeat it unchanged (requirement B9)."""
    return {
        "title": title,
        "field": "kiem-thu",
        "language": "vi",
        "source": "Bộ kiểm thử hợp chuẩn",
        "approver": "nguoi-kiem-thu",
    }
