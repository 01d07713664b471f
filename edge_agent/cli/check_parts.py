"""Doctor's checks of the box's parts: programs and their sandbox, relays, sound cards, the clock chip.

Nothing sounds or switches.

A card's own volume control is set as it will be when the card plays: that it can be is what is checked.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
import wave
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from edge_agent.audio.card import CardConfig
from edge_agent.audio.clip import FRAME_BYTES
from edge_agent.audio.confined import available, trouble_with
from edge_agent.audio.decode_service import DecodeService
from edge_agent.audio.decoder import FfmpegDecoder
from edge_agent.audio.loudness import FileSink, spoken
from edge_agent.audio.port import PlayerError
from edge_agent.audio.sandbox import Sandbox
from edge_agent.audio.speech import EspeakVoice
from edge_agent.audio.stems import missing, read_stems
from edge_agent.cli.cards import settings_of
from edge_agent.cli.confinement import Walls
from edge_agent.cli.finding import Finding, words
from edge_agent.cli.service_account import not_driven, not_read
from edge_agent.clock import RTC_ERROR_MS
from edge_agent.clock_chip import CHIPS, read_chip
from edge_agent.config import Card, Config, RelayDriver
from edge_agent.console.catalogue import RELAY_REMEDY
from edge_agent.console.status import Absence, Status
from edge_agent.console.words import Text
from edge_agent.core.units import SECOND_MS, UtcMs
from edge_agent.spoken.stems import LISTING

SANDBOX = Text("vùng cách ly", "sandbox")
DECODER = Text("giải mã ffmpeg", "decoder ffmpeg")
VOICE = Text("giọng đọc espeak-ng", "voice espeak-ng")
STEMS = Text("câu thu sẵn", "recorded stems")
RELAYS = Text("rơ-le", "relays")
CARD = Text("bo âm thanh", "sound card")
EAR = Text("đầu đo tiếng tại loa", "ear at the horn")
LEVEL = Text("âm lượng bo âm thanh", "sound card's level")
NAMESPACES = Text(
    "cho phép user namespaces: sysctl kernel.unprivileged_userns_clone user.max_user_namespaces",
    "allow user namespaces: sysctl kernel.unprivileged_userns_clone user.max_user_namespaces",
)
WORKER = Text(
    "systemctl enable --now edge-agent-decode.socket; xem journalctl -u 'edge-agent-decode*'",
    "systemctl enable --now edge-agent-decode.socket; see journalctl -u 'edge-agent-decode*'",
)
UNIT = Text(
    'systemctl enable --now edge-agent-decode.socket, bỏ sandbox = "bwrap" nếu có, systemctl restart edge-agent',
    'systemctl enable --now edge-agent-decode.socket, remove sandbox = "bwrap" if it is there, restart edge-agent',
)
MEMORY = Text("giới hạn bộ nhớ", "limits of memory")
CONTROLLERS = Path("/sys/fs/cgroup/cgroup.controllers")
CMDLINE = Text(
    "ghi thêm cgroup_enable=memory vào cuối dòng trong /boot/firmware/cmdline.txt rồi khởi động lại máy",
    "append cgroup_enable=memory to the line in /boot/firmware/cmdline.txt and restart the machine",
)
CLOCK_CHIP = Text("chip đồng hồ (RTC)", "clock chip")
FIT_CHIP = Text(
    "lắp RTC, bật trong /boot/firmware/config.txt; không có thì ghi [clock] rtc = false; trạm coi như không có đồng hồ",
    "fit one, enable it in /boot/firmware/config.txt; or write [clock] rtc = false; the station goes on as without one",
)
SET_CHIP = Text(
    "đặt giờ máy cho đúng (NTP, timedatectl), gõ sudo hwclock --systohc --utc; mất điện lại sai thì thay pin",
    "set the system's time (NTP, timedatectl), then sudo hwclock --systohc --utc; wrong again: change its battery",
)
ASOUND = Path("/proc/asound")
CARD_IN = re.compile(r"^(?:plug)?hw:(?:CARD=)?(\w+)|CARD=(\w+)|^loa:\d,(\w+)")
# As ``aplay -L`` spells a card, and systemd/alsa/90-loa-zones.conf; the folder has each by its name, and as card0.
CARD_REMEDY = Text(
    "xem tên bo bằng aplay -L, cắm lại bo, chạy bằng sudo hoặc thêm tài khoản vào nhóm audio",
    "see its name with aplay -L, plug it in again, use sudo or add the account to the group audio",
)
NOTHING = "/usr/bin/true"
SAMPLE = "Đây là phát thử."
SAMPLE_MS = 100
SAMPLE_RATE = 22_050
# The voice's own; its files are what has to be decoded in an emergency.
WAV_HEAD_BYTES = 44
IN_USE = "in use by the device process, which is running"


def programs(config: Config, confined: Walls, service_uid: int | None = None) -> Iterator[Finding]:
    """What makes sound of files and texts, each tried where it will run: inside the sandbox."""
    program = FfmpegDecoder(confined).program
    yield walls_stand(confined, program, service_uid)
    yield decoder_works(confined, program)
    voice = EspeakVoice(confined, config.speech.voice, config.speech.rate_wpm)
    yield voice_speaks(voice)
    yield stems_lie_there(config.speech.stems, service_uid)


def memory_is_limited(controllers: Path = CONTROLLERS) -> Finding:
    """Whether this kernel holds what the units say of memory. Raspberry Pi OS starts its own with that switched off."""
    try:
        given = controllers.read_text().split()
    except OSError as exc:
        return Finding(MEMORY, f"{controllers}: {words(exc)}", CMDLINE)
    if "memory" not in given:
        return Finding(
            MEMORY,
            f"nhân không giữ giới hạn nào / this kernel holds none: {controllers} has {' '.join(given) or 'nothing'}",
            CMDLINE,
        )
    return Finding(MEMORY, "held by the kernel")


def clock_chip(config: Config, utc: UtcMs, chips: Path = CHIPS) -> Finding:
    """Whether a configured clock chip is there, and tells the system's own time ``utc``: a start has it from the chip.

    What has lost its time (a flat battery) tells none, or another one.
    """
    if not config.clock.rtc:
        return Finding(CLOCK_CHIP, "none is configured")
    chip = read_chip(chips)
    if chip is None:
        return Finding(CLOCK_CHIP, f"[clock] rtc = true, không có chip nào / and there is none in {chips}", FIT_CHIP)
    if chip.utc_ms is None:
        return Finding(CLOCK_CHIP, f"{chip.name} không cho giờ / tells no time: {chip.trouble}", SET_CHIP)
    apart_s = abs(chip.utc_ms - utc) // SECOND_MS
    seen = f"{chip.name}: {apart_s} s apart from the system's time"
    if apart_s * SECOND_MS > RTC_ERROR_MS:
        return Finding(CLOCK_CHIP, f"lệch giờ máy quá xa / too far off: {seen}", SET_CHIP)
    return Finding(CLOCK_CHIP, seen)


def relays(config: Config, device_up: bool | None, seen: Status | Absence) -> Finding:
    """Whether the driver that is configured can be used, or does what it is told. A simulated one is called so."""
    if config.relays.driver is RelayDriver.SIMULATED:
        return Finding(RELAYS, f"SIMULATED (MÔ PHỎNG, không có rơ-le thật): {config.relays.simulated_dir}")
    if device_up:
        zones = () if isinstance(seen, Absence) else seen.zones
        dumb = [zone.zone for zone in zones if zone.relay_on is None]
        told = f"{', '.join(dumb)}: không biết đóng hay mở / nobody can tell on or off"
        return Finding(RELAYS, told, RELAY_REMEDY) if dumb else Finding(RELAYS, f"{config.relays.chip}: {IN_USE}")
    return _chip(config.relays.chip)


def sound_cards(config: Config, device_up: bool | None, asound: Path = ASOUND) -> Iterator[Finding]:
    """Whether each card opens as configured; while somebody may want to play on it, only whether it is there.

    Also where this account may not ask whether somebody does: a card that is open here is busy for a broadcast.
    """
    for card in config.cards.values():
        if device_up is not False:
            yield card_is_there(card.device, asound)
        else:
            yield card_opens(settings_of(card))
        if card.mixer:
            yield level_is_set(card)


def card_is_there(device: str, asound: Path) -> Finding:
    """Whether the kernel has the card that an ALSA name names. What names none, or another program, is left alone."""
    named = CARD_IN.search(device)
    card = named and next(filter(None, named.groups()))
    if card and not any((asound / name).exists() for name in (card, f"card{card}")):
        return Finding(CARD, f"{device}: không có bo này / no such card", CARD_REMEDY)
    return Finding(CARD, f"{device}: not opened, as the device process may need it")


def card_opens(card: CardConfig) -> Finding:
    """Whether the card opens, and no play would be refused on it. It is given back at once, and nothing is played."""
    from edge_agent.audio.alsa import AlsaCard
    from edge_agent.audio.feeder import refuse_deep

    try:
        with contextlib.closing(AlsaCard(card)) as opened:
            refuse_deep(opened, card.rate)
            return Finding(CARD, f"{card.device}: opens at {card.rate} Hz, {card.channels} channel(s)")
    except PlayerError as exc:
        return Finding(CARD, str(exc), CARD_REMEDY)


def ears(config: Config) -> Iterator[Finding]:
    """Whether each horn's ear opens. Nobody listens: that is for when its own horn sounds, and it is busy then."""
    from edge_agent.audio.capture import CaptureConfig, trouble_with

    for zone, wiring in config.zones.items():
        if (ear := wiring.ear) is None:
            continue
        trouble = trouble_with(CaptureConfig(ear.device, config.rate, ear.channels))
        if "busy" in trouble:
            yield Finding(EAR, f"{zone}: {ear.device}: {IN_USE}")
        elif trouble:
            remedy = Text(
                f"sửa ear của cụm {zone}, xem tên bo thu bằng arecord -L, cắm lại bo",
                f"correct the ear of zone {zone}, see its name with arecord -L, plug it in again",
            )
            yield Finding(EAR, f"{zone}: {ear.device} không mở được / does not open: {trouble}", remedy)
        else:
            yield Finding(EAR, f"{zone}: {ear.device}: opens at {config.rate} Hz, {ear.channels} channel(s)")


def level_is_set(card: Card) -> Finding:
    """Whether the card has the volume control that is configured, and takes its level."""
    from edge_agent.audio.level import set_level

    try:
        set_level(settings_of(card))
    except PlayerError as exc:
        remedy = Text(
            f"sửa [cards.{card.name}] mixer theo tên nút có thật, xem bằng amixer scontrols",
            f"correct [cards.{card.name}] mixer: write a control that is there, see amixer scontrols",
        )
        return Finding(LEVEL, f"{card.device}: {exc}", remedy)
    return Finding(LEVEL, f"{card.device}: {card.mixer} at {card.mixer_volume} %")


def walls_stand(confined: Walls, program: str, service_uid: int | None = None) -> Finding:
    """Whether the agent, where it runs, can confine a program."""
    if isinstance(confined, DecodeService):
        return worker_answers(confined, program)
    if service_uid is not None:  # its unit lets nobody make namespaces, whatever root's shell may do
        return Finding(
            SANDBOX,
            f"{confined.bwrap}: dịch vụ không dùng được / not in the service's unit: there nothing is decoded",
            UNIT,
        )
    return sandbox_works(confined)


def sandbox_works(sandbox: Sandbox) -> Finding:
    """Whether a program can be confined at all."""
    if not available(sandbox.bwrap):
        return Finding(SANDBOX, f"{sandbox.bwrap} chưa cài / is not there", _install("bubblewrap"))
    trouble = trouble_with(sandbox, NOTHING)
    return Finding(SANDBOX, trouble, NAMESPACES) if trouble else Finding(SANDBOX, f"{sandbox.bwrap} works")


def worker_answers(service: DecodeService, program: str) -> Finding:
    """Whether the service manager starts a worker, and the worker a program."""
    trouble = trouble_with(service, program)
    return Finding(SANDBOX, trouble, WORKER) if trouble else Finding(SANDBOX, f"{service.path} answers")


def decoder_works(confined: Walls, program: str) -> Finding:
    """Whether ffmpeg makes sound of a file where it is confined, as of what the voice has said."""
    if not available(program):
        return Finding(DECODER, f"{program} chưa cài / is not there", _install("ffmpeg"))
    trouble = trouble_with(confined, program)
    if trouble:
        return Finding(DECODER, trouble, WORKER if isinstance(confined, DecodeService) else NAMESPACES)
    with _silence() as wav:
        broken = replace(spoken(confined), program=program).decode(wav, FileSink(io.BytesIO(), SAMPLE_RATE), SAMPLE_MS)
    if broken is not None:
        return Finding(DECODER, f"{program}: {broken.detail}", _install("--reinstall ffmpeg"))
    return Finding(DECODER, f"{program} runs in the sandbox")


def voice_speaks(voice: EspeakVoice) -> Finding:
    """Whether the configured voice says a sentence, into memory."""
    if not available(voice.program):
        return Finding(VOICE, f"{voice.program} chưa cài / is not there", _install("espeak-ng"))
    wav = io.BytesIO()
    trouble = voice.speak("vi", SAMPLE, wav)
    if trouble is not None or wav.tell() <= WAV_HEAD_BYTES:
        remedy = Text(
            "sửa vùng cách ly trước; không phải lỗi ở đó thì: apt install --reinstall espeak-ng espeak-ng-data",
            "put the sandbox right first; if it is well: apt install --reinstall espeak-ng espeak-ng-data",
        )
        return Finding(
            VOICE, trouble.detail if trouble else f"{voice.program} không đọc ra tiếng nào / says nothing", remedy
        )
    return Finding(VOICE, f"{voice.program} speaks into memory ({wav.tell()} bytes)")


def stems_lie_there(folder: Path, service_uid: int | None = None) -> Finding:
    """Whether every recorded sentence of the listing can be read. A station without any is well."""
    read = read_stems(folder)
    faults = [*read.faults, *missing(folder, read)]
    if faults:
        more = f" (+{len(faults) - 1})" if len(faults) > 1 else ""
        remedy = Text(
            f"sửa {LISTING}, chép lại tệp, chmod a+r; trong khi đó máy đọc thay",
            f"correct {LISTING}, copy the file again, chmod a+r; the voice says it meanwhile",
        )
        return Finding(STEMS, f"{folder}: {faults[0]}{more}", remedy)
    files = [folder / LISTING, *(folder / stem.file for stem in read.stems)] if read.stems else []
    hidden = (not_read(STEMS, file, service_uid) for file in files)
    return next((found for found in hidden if found), Finding(STEMS, f"{folder}: {len(read.stems)}"))


def _silence() -> BinaryIO:
    """A WAV file in memory, with a descriptor."""
    file = os.fdopen(os.memfd_create("sample"), "w+b")
    with wave.open(file, "wb") as into:
        into.setparams((1, FRAME_BYTES, SAMPLE_RATE, 0, "NONE", ""))
        into.writeframes(bytes(SAMPLE_MS * SAMPLE_RATE // SECOND_MS * FRAME_BYTES))
    return file


def _install(package: str) -> Text:
    return Text(f"apt install {package}", f"apt install {package}")


def _chip(chip: Path) -> Finding:
    try:
        mode = chip.stat().st_mode
    except OSError as exc:
        remedy = Text("xem gpiodetect, sửa [relays] chip", "see gpiodetect, correct [relays] chip")
        return Finding(RELAYS, f"{chip}: {words(exc)}", remedy)
    if not stat.S_ISCHR(mode):
        remedy = Text("xem gpiodetect, sửa [relays] chip", "see gpiodetect, correct [relays] chip")
        return Finding(RELAYS, f"{chip} không phải thiết bị / is no device", remedy)
    if not os.access(chip, os.R_OK | os.W_OK):
        remedy = Text(
            "chạy bằng sudo hoặc thêm tài khoản vào nhóm gpio", "use sudo, or add the account to the group gpio"
        )
        return Finding(RELAYS, f"{chip}: không được phép / not permitted", remedy)
    return not_driven(RELAYS, chip) or Finding(RELAYS, f"{chip} is there")
