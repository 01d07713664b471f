"""The station's configuration as types, one per table of the file. Decides nothing: ``parse`` has checked it all.

What the core needs is ``Config.site``; every other section is for one adapter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from edge_agent.core.site import Site
from edge_agent.core.units import ZoneId


class Ntp(StrEnum):
    """Whether the system clock is believed when the kernel calls it synchronised."""

    AUTO = "auto"
    OFF = "off"


class Channel(StrEnum):
    """Which side of a card feeds a zone: ``MONO`` on a card with one channel, the others on a card with two."""

    LEFT = "left"
    RIGHT = "right"
    BOTH = "both"
    MONO = "mono"

    def sides(self) -> frozenset[int]:
        """The card's channel numbers that this one occupies."""
        return {
            Channel.LEFT: frozenset({0}),
            Channel.RIGHT: frozenset({1}),
            Channel.BOTH: frozenset({0, 1}),
            Channel.MONO: frozenset({0}),
        }[self]


class RelayDriver(StrEnum):
    """What switches the relays. There is no default: a simulated relay must never be an accident."""

    GPIO = "gpio"
    SIMULATED = "simulated"


class Sandbox(StrEnum):
    """What keeps the audio decoder away from everything else. ``AUTO``: the unit if its socket is there, else bwrap."""

    AUTO = "auto"
    UNIT = "unit"
    BWRAP = "bwrap"


class Language(StrEnum):
    """The console's language; ``VI_ASCII`` is Vietnamese without diacritics, for terminals that cannot show them."""

    VI = "vi"
    VI_ASCII = "vi-ascii"
    EN = "en"


NOTE = ".token"
# Ends the name of what only says where in an element a key lies.


@dataclass(frozen=True, slots=True)
class Broker:
    """The MQTT broker and the certificates for it."""

    host: str
    port: int
    ca_file: Path
    cert_file: Path
    key_file: Path
    keepalive_s: int


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Where this station was enrolled and asks for its next certificate; "" where certificates are carried by hand."""

    url: str


@dataclass(frozen=True, slots=True)
class Content:
    """Whose certificates the content servers must show; ``home`` is the one that keeps manifests, "" for none."""

    ca_file: Path
    home: str = ""


@dataclass(frozen=True, slots=True)
class TrustFiles:
    """Who may order what, and the key by which this station signs.

    ``key_credential`` is what systemd calls the passphrase of the station's key files; "": there is none.
    """

    file: Path
    station_key_file: Path
    key_credential: str = ""


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the station keeps what must survive (``state_dir``), and its sockets (``run_dir``)."""

    state_dir: Path
    run_dir: Path


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """Which sources of time this box has, besides the signed welcome."""

    ntp: Ntp
    rtc: bool


@dataclass(frozen=True, slots=True)
class Card:
    """One sound card: an ALSA PCM by name, ``rate`` in Hz.

    ``mixer`` names its own volume control, which is set to ``mixer_volume`` (0–100); "": it is not touched.
    """

    name: str
    device: str
    rate: int
    channels: int
    period_ms: int
    periods: int
    mixer: str = ""
    mixer_volume: int = 0


@dataclass(frozen=True, slots=True)
class LineInput:
    """Something plugged into the station that an order may relay: an ALSA PCM to be captured, 1 or 2 ``channels``."""

    device: str
    channels: int


@dataclass(frozen=True, slots=True)
class Ear:
    """What listens at a zone's horn: a channel of an ALSA PCM to be captured.

    What sounds there it has at ``least_db`` at least, in dB of its full scale.
    """

    device: str
    channel: Channel
    least_db: int

    @property
    def channels(self) -> int:
        """As many as the device is opened with."""
        return 1 if self.channel is Channel.MONO else 2


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """``chip`` is used by ``GPIO``; ``simulated_dir`` (state files) is set for ``SIMULATED`` only."""

    driver: RelayDriver
    chip: Path
    simulated_dir: Path | None


@dataclass(frozen=True, slots=True)
class ZoneWiring:
    """How a zone is wired: the card's channel that feeds it, its relay's line (offset on the chip), its read-back.

    Whatever it plays is quieter by ``trim_db``, so that zones with other amplifiers are as loud as each other. ``ear``:
    what hears it there, if anything does.
    """

    zone: ZoneId
    card: str
    channel: Channel
    line: int
    active_low: bool
    read_back_line: int | None
    trim_db: int = 0
    ear: Ear | None = None


@dataclass(frozen=True, slots=True)
class Speech:
    """espeak-ng's voice for Vietnamese texts, its pace in words a minute, and where recorded sentences lie."""

    voice: str
    rate_wpm: int
    stems: Path


@dataclass(frozen=True, slots=True)
class Cache:
    """How much of the disk audio may take, and how much of the SIM's data audio for later may cost a day."""

    bytes_max: int
    fetch_mb_per_day: int


@dataclass(frozen=True, slots=True)
class Decoder:
    """How untrusted audio is decoded."""

    sandbox: Sandbox


@dataclass(frozen=True, slots=True)
class Reporting:
    """How often the station says that it lives, beside every change as it happens."""

    heartbeat_s: int


@dataclass(frozen=True, slots=True)
class Console:
    """What the technician's console speaks."""

    language: Language


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file. ``name`` and ``serial`` are for people.

    ``cards`` and ``line_ins`` go by name, ``zones`` (wiring) by zone id.
    """

    site: Site
    name: str
    serial: str
    broker: Broker
    enrolment: Enrolment
    content: Content
    trust: TrustFiles
    paths: Paths
    clock: ClockSettings
    cards: Mapping[str, Card]
    line_ins: Mapping[str, LineInput]
    relays: RelaySettings
    zones: Mapping[ZoneId, ZoneWiring]
    speech: Speech
    cache: Cache
    decoder: Decoder
    reporting: Reporting
    console: Console

    @property
    def rate(self) -> int:
        """Frames a second of sound that lies ready to play: every card has the same."""
        return next(iter(self.cards.values())).rate
