"""Find the job that is to be previewed: in a draft, finished without any key, or in a signed order. Pure but for what
``find_audio`` does. Its sound is made in ``preview``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edge_agent.core.job import Job
from edge_agent.core.order import Timetable
from edge_agent.core.units import UtcMs
from edge_agent.headend.drafting import DraftError, FindAudio, Surroundings
from edge_agent.headend.drafts import finish, kind_of_draft
from edge_agent.headend.given import kind_of
from edge_agent.headend.signing import SigningError, read_order
from edge_agent.spoken.own import NO_OWN_WORDS
from edge_agent.spoken.table import Table
from edge_agent.trust.orders import OrderType

NOBODY = "nghe-thu"
# Issuer, level and realm of a draft that names none: it is not signed, so no station reads them.
NOWHERE = ("https://nghe-thu.invalid/",)
SOUNDLESS = (
    "không phát ra tiếng; chỉ nghe thử được lệnh phát, lịch phát / makes no sound; preview a job or a timetable, "
    "others show in `sign`"
)

NO_ENTRIES = (
    "không có mục nào, nên không phát gì; thêm mục, hoặc nghe thử bản thảo khác / none, so nothing sounds; write one, "
    "or preview another draft"
)


def job_of_draft(
    draft: Mapping[str, object],
    entry: int | None,
    base: Path,
    find_audio: FindAudio,
    now: UtcMs,
    words: Table | None = NO_OWN_WORDS,
) -> Job:
    """The job that the draft would become, checked as before signing; of a timetable its ``entry``, from 1.

    ``words``: see ``Surroundings``.
    """
    kind = kind_of_draft(draft)
    if kind not in (OrderType.JOB, OrderType.TIMETABLE):
        raise DraftError("type", f'"{kind}" {SOUNDLESS}')
    entries = draft.get("entries")
    if kind is OrderType.JOB or not isinstance(entries, list):
        _refuse_entry(entry)
        return _finished(draft, base, find_audio, now, words)
    number = _chosen([_title(one) for one in entries], entry)
    try:
        # This one alone: the audio of the others need not be here, nor be decoded.
        return _finished({**draft, "entries": [entries[number]]}, base, find_audio, now, words)
    except DraftError as error:
        raise DraftError(error.field.replace("entries[0]", f"entries[{number}]"), error.remedy) from error


def job_of_envelope(envelope: bytes, entry: int | None) -> Job:
    """The job of a signed order, its signatures unchecked; of a timetable its ``entry``, from 1."""
    order = read_order(envelope)
    if isinstance(order, Timetable):
        return order.jobs[_chosen([job.items[0].title for job in order.jobs], entry)]
    if not isinstance(order, Job):
        raise SigningError(f'type: "{kind_of(order)}" {SOUNDLESS}')
    _refuse_entry(entry)
    return order


def _finished(draft: Mapping[str, object], base: Path, find_audio: FindAudio, now: UtcMs, words: Table | None) -> Job:
    around = Surroundings(
        realm=str(draft.get("realm", NOBODY)),
        issuer=NOBODY,
        level=NOBODY,
        now=now,
        next_serial=lambda _: 1,
        find_audio=find_audio,
        publish_audio=lambda _path, _facts: NOWHERE,
        base=base,
        words=words,
    )
    order = finish(draft, around).order
    if isinstance(order, Timetable):
        (order,) = order.jobs
    assert isinstance(order, Job), "no other kind gets here"
    return order


def _chosen(titles: Sequence[str], entry: int | None) -> int:
    """Which entry of a timetable is meant, counted from 0."""
    if not titles:
        raise DraftError("entries", NO_ENTRIES)
    number = 1 if entry is None and len(titles) == 1 else entry
    if number is None or not 1 <= number <= len(titles):
        listed = ", ".join(f"{index} ({title})" for index, title in enumerate(titles, 1))
        raise DraftError("--entry", f"chọn một mục / choose one of: {listed}")
    return number - 1


def _refuse_entry(entry: int | None) -> None:
    if entry is not None:
        raise DraftError("--entry", "chỉ dùng với lịch phát, bỏ tùy chọn này / only of a timetable; leave it out")


def _title(entry: object) -> str:
    """What an entry of a draft is about, before anything of it is checked."""
    match entry:
        case {"items": [{"title": str(title)}, *_]}:
            return title
    return "?"
