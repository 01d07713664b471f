"""``say``: a Vietnamese text as a station will speak it, shown in words and, where asked for, heard. Signs nothing.

What cannot be read is named, and nothing is spoken then; so it is before signing.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path

from edge_agent.audio.speech import TEXT_CHARS_MAX, Voice, is_spoken
from edge_agent.audio.stems import RecordedFirst, read_stems
from edge_agent.core.job import Job, TextItem
from edge_agent.core.order import Timetable
from edge_agent.core.reasons import explain
from edge_agent.headend.cli.options import (
    CannotDo,
    Tasks,
    add_abbreviations,
    add_task,
    own_words,
    read_file,
    refuse_a_source,
    write_file,
)
from edge_agent.headend.cli.preview import add_stems, as_at_a_station
from edge_agent.headend.given import Given
from edge_agent.spoken.reading import is_vietnamese, read, read_as_far_as_possible
from edge_agent.spoken.stems import Piece, Recorded, plan
from edge_agent.spoken.table import spelt_out

WORDS = "xem và nghe máy đọc một bản tin thành lời ra sao, trước khi ký / a text in the words a station will speak"
MORE = """\
UBND, 7h30, 15/9/2026, quý IV, 20 km/h, 024 0000 1234 … được viết ra thành lời, như trạm sẽ đọc. Điều gì không đọc được
thì bị nêu tên, kèm cách viết lại; `sign` cũng từ chối như vậy. Tỉnh có chữ viết tắt riêng thì ghi vào một tệp:
  [abbreviations]
  "NTL" = "Nam Từ Liêm"
  [words]                             # từ nước ngoài, viết theo âm / foreign words as they sound
  "tiktok" = "tích-tốc"
Numbers, times, days, units and abbreviations are shown as words. What cannot be read is named, with what to write
instead; `sign` refuses it in the same way. The voice of --out and --play is a station's own, unless its configuration
says otherwise ([speech]).

Máy đọc là cách cuối cùng: có bản thu âm thì phát bản thu; trạm có câu thu sẵn thì --stems cho xem và nghe câu nào lấy
từ bản thu nào, câu nào còn lại mới để máy đọc.
The machine's voice is the last resort: a recording first, then recorded stems. --stems shows, and sounds, what is heard
from which stem, and what is left to the voice."""
NO_VOICE = (
    "  {place}: không có giọng đọc tiếng “{language}”, chỉ trạm có thu sẵn mọi câu mới phát được / no voice speaks "
    "this language, only a station with all of it in recorded stems; tiếng Việt: “vi”"
)
PLAYER = "/usr/bin/aplay"
PLAY_S_MAX = 16 * 60
# A text speaks for fifteen minutes at most.


def add(tasks: Tasks) -> None:
    """Add the command."""
    parser = add_task(tasks, "say", _say, WORDS, MORE)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("text", nargs="?", metavar="TEXT", help="lời bản tin / the text")
    source.add_argument("--file", type=Path, help="tệp lời bản tin / a file with the text (UTF-8)")
    add_abbreviations(parser)
    add_stems(parser)
    parser.add_argument("--out", type=Path, metavar="FILE.wav", help="ghi tiếng vào tệp WAV / where the sound goes")
    parser.add_argument("--play", action="store_true", help="phát ra loa của máy này / play it on this computer")


def _say(args: argparse.Namespace) -> int:
    if args.out is not None:
        refuse_a_source(args.out, "--out", (args.file, args.abbreviations))
    written = spelt_out(_text(args), own_words(args.abbreviations))
    told = read(written)
    if isinstance(told, tuple):
        for piece in told:
            print(f"không đọc được / cannot be read: {piece.text()}", file=sys.stderr)
        return 1
    if args.stems is None and args.out is None and not args.play:
        print(told)
        return 0
    with tempfile.TemporaryDirectory(prefix="nghe-thu-") as folder:
        voice = as_at_a_station(Path(folder), args.stems).voice
        print(_who_says_what(voice, written) if isinstance(voice, RecordedFirst) else told)
        if args.out is None and not args.play:
            return 0
        sound = _spoken(voice, written)
    if args.out is not None:
        write_file(args.out, sound, "--out")
        print(f"đã ghi / written: {args.out}")
    if args.play:
        _play(sound)
    return 0


def _text(args: argparse.Namespace) -> str:
    try:
        text: str = args.text if args.file is None else read_file(args.file, "--file").decode()
    except UnicodeDecodeError as error:
        raise CannotDo(f"--file {args.file}: not UTF-8; lưu tệp theo mã UTF-8 / save it as UTF-8") from error
    if len(text) > TEXT_CHARS_MAX:
        most = f"tối đa {TEXT_CHARS_MAX} ký tự, chia thành nhiều bản tin"
        raise CannotDo(f"{len(text)} characters: {most} / at most {TEXT_CHARS_MAX}, make several items of it")
    return text


def _who_says_what(voice: RecordedFirst, text: str) -> str:
    """A line for each piece; every stem in it was tried."""
    stems, pieces = read_stems(voice.folder), voice.pieces("vi", text)
    broken = _files(plan("vi", text, stems)) - _files(pieces)
    faults = (f"{file}: không dùng được, máy đọc thay / not usable, the voice says it" for file in sorted(broken))
    for fault in (*stems.faults, *faults):
        print(f"--stems: {fault}", file=sys.stderr)
    return "\n".join(
        f"câu thu sẵn / recorded [{piece.stem.file}]: {_one_line(piece.words)}"
        if isinstance(piece, Recorded)
        else f"máy đọc / the voice: {_one_line(piece.words)}"
        for piece in pieces
    )


def _files(pieces: tuple[Piece, ...]) -> set[str]:
    return {piece.stem.file for piece in pieces if isinstance(piece, Recorded)}


def _one_line(text: str) -> str:
    return " ".join(read_as_far_as_possible(text).words.split())


def _spoken(voice: Voice, text: str) -> bytes:
    """A WAV file of the text, as a station speaks it.

    A voice that writes while it speaks cannot know the length, so the file's head is made here.
    """
    raw, whole = io.BytesIO(), io.BytesIO()
    trouble = voice.speak("vi", text, raw)
    if trouble is not None:
        raise CannotDo(f"{explain(trouble.reason)} [{trouble.reason}]: {trouble.detail}")
    raw.seek(0)
    with wave.open(raw) as spoken, wave.open(whole, "wb") as wav:
        wav.setnchannels(spoken.getnchannels())
        wav.setsampwidth(spoken.getsampwidth())
        wav.setframerate(spoken.getframerate())
        wav.writeframes(spoken.readframes(spoken.getnframes()))
    return whole.getvalue()


def _play(sound: bytes) -> None:
    try:
        subprocess.run([PLAYER, "-q", "-"], input=sound, check=True, timeout=PLAY_S_MAX)
    except (OSError, subprocess.SubprocessError) as error:
        raise CannotDo(f"--play: {error}; apt install alsa-utils, hoặc / or --out FILE.wav") from error


def show_spoken(order: Given) -> None:
    """The words of every text that stations will speak, beside the summary that shows it as it was written.

    And which of them no voice speaks.
    """
    for place, item in _texts(order):
        if is_vietnamese(item.language):
            print(f"  {place} đọc là / is spoken: “{_one_line(item.text)}”")
        elif not is_spoken(item.language):
            print(NO_VOICE.format(place=place, language=item.language))


def _texts(order: Given) -> Iterator[tuple[str, TextItem]]:
    jobs = order.jobs if isinstance(order, Timetable) else (order,) if isinstance(order, Job) else ()
    for entry, job in enumerate(jobs, 1):
        for number, item in enumerate(job.items, 1):
            if isinstance(item, TextItem):
                mine = f"mục {entry}, " if isinstance(order, Timetable) else ""
                yield f"{mine}bản tin {number}", item
