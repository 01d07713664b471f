"""``preview``: a draft or a signed order as a WAV file and a table. Signs nothing, sends nothing, needs no key."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from edge_agent.audio.card import RATE
from edge_agent.audio.loudness import levelling, spoken
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.sandbox import Sandbox
from edge_agent.audio.speech import EspeakVoice
from edge_agent.audio.staging import Stager
from edge_agent.audio.stems import recorded_first
from edge_agent.core.job import Job
from edge_agent.headend.cli.options import CannotDo, Tasks, add_task, add_words, read_words, refuse_a_source, whole
from edge_agent.headend.cli.shown import of_file
from edge_agent.headend.drafting import read_draft
from edge_agent.headend.handed import read_envelope
from edge_agent.headend.headend import utc_now
from edge_agent.headend.preview import Studio
from edge_agent.headend.preview_jobs import job_of_draft, job_of_envelope
from edge_agent.headend.preview_table import table
from edge_agent.spoken.stems import LISTING
from edge_agent.trust.entries import ENTRIES_MAX

WORDS = "nghe thử trước khi ký: đúng tiếng trạm sẽ phát, vào tệp WAV / hear a draft as a station would sound it"
MORE = """\
Cùng âm báo, lời máy đọc, khoảng nghỉ và số lần phát lại như ở trạm; tệp âm thanh hỏng bị từ chối với cùng lý do. Không
cần khóa, không ký, không gửi gì. Tệp WAV ở mức âm lượng 100; trạm phát theo âm lượng của lệnh và quy chế. Giọng đọc của
trạm có thể khác, nếu cấu hình của trạm chọn khác ([speech]); trạm có câu thu sẵn thì chỉ thư mục đó bằng --stems. Cả
chương trình dài tối đa 60 phút.

Signals, spoken words, pauses and loops as at a station; a broken file is refused for the same reason. No key, no
signature, nothing is sent. The WAV is at volume 100; a station plays at the order's volume, under its policy. Its voice
may be another if its configuration says so ([speech]); its recorded stems are given by --stems. 60 minutes at most."""


def add(tasks: Tasks) -> None:
    """Add the command."""
    parser = add_task(tasks, "preview", _preview, WORDS, MORE)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--draft", type=Path, help="bản thảo / the draft (.toml, .json)")
    source.add_argument("--envelope", type=Path, help="lệnh đã ký / a signed order; chữ ký không được kiểm tra")
    parser.add_argument("--out", type=Path, required=True, help="tệp WAV / where the sound goes")
    entry = "mục thứ mấy của lịch phát / which entry of a timetable"
    parser.add_argument("--entry", type=whole(1, ENTRIES_MAX), metavar="N", help=entry)
    add_words(parser)
    add_stems(parser)
    parser.add_argument(
        "--content-dir", type=Path, help="nơi `sign` đặt âm thanh của lệnh đã ký / where a signed order's audio lies"
    )


def _preview(args: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="nghe-thu-") as folder:
        studio = Studio(as_at_a_station(Path(folder), args.stems), args.content_dir)
        programme = studio.programme(_job(args, studio))
        refuse_a_source(args.out, "--out", (args.draft, args.envelope, args.abbreviations, *studio.files.values()))
        try:
            studio.write(programme, args.out.absolute())
        except OSError as error:
            raise CannotDo(f"--out {args.out}: không ghi được / cannot be written ({error.strerror})") from error
    print(table(programme, RATE), end="")
    print(f"đã ghi / written: {args.out}")
    return 0


def add_stems(parser: argparse._ActionsContainer) -> None:
    """``--stems``: the recorded sentences of the stations."""
    parser.add_argument(
        "--stems", type=Path, metavar="DIR", help="thư mục câu thu sẵn của trạm / the stations' recorded stems"
    )


def as_at_a_station(folder: Path, stems: Path | None) -> Stager:
    """As a station has it that was configured without a wish of its own, but for its stems. Sound lies in ``folder``.

    Raises CannotDo where no stems are.
    """
    if stems is not None and not (stems / LISTING).exists():
        raise CannotDo(f"--stems {stems}: không có / there is no {LISTING}")
    sandbox = Sandbox()
    store = PcmStore(folder)
    plain = Stager(store, levelling(sandbox, store.scratch), EspeakVoice(sandbox), RATE, spoken(sandbox))
    return plain if stems is None else recorded_first(plain, stems)


def _job(args: argparse.Namespace, studio: Studio) -> Job:
    if args.envelope is not None:
        with of_file("--envelope", args.envelope):
            return job_of_envelope(read_envelope(args.envelope, "--envelope"), args.entry)
    draft, words = read_draft(args.draft), read_words(args)
    return job_of_draft(draft, args.entry, args.draft.parent, studio.find_audio, utc_now(), words)
