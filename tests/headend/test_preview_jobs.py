"""Which job a preview is of: of a draft without any key, of a signed order, of one entry of a timetable."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from edge_agent.core.job import TextItem
from edge_agent.core.units import ClipKey
from edge_agent.headend.audio_facts import AudioError, AudioFacts
from edge_agent.headend.cli import draft_examples
from edge_agent.headend.drafting import DraftError, Finished, Surroundings
from edge_agent.headend.drafts import finish
from edge_agent.headend.errors import HeadendError
from edge_agent.headend.preview_jobs import NOBODY, job_of_draft, job_of_envelope
from edge_agent.headend.signing import SigningError, sign_order
from edge_agent.spoken.own import read_own
from edge_agent.trust.keys import new_signer
from tests.headend.preview_rig import NOW

Draft = dict[str, object]

TIMETABLE: Draft = {
    "type": "timetable",
    "areas": ["vn/ha-noi/dong-thanh"],
    "entries": [
        {
            "class": "normal",
            "volume": volume,
            "when": {"first_day": "2026-11-01", "last_day": "2026-11-30", "times": ["05:30"]},
            "items": [{"title": title, "file": f"{title}.mp3"}],
        }
        for title, volume in (("Sáng", 60), ("Chiều", 70))
    ],
}
COMMAND: Draft = {"type": "command", "do": "lock", "areas": ["vn/ha-noi/dong-thanh"], "for_minutes": 5}


def found(path: Path, duration_ms: int | None) -> AudioFacts:
    if path.name == "missing.mp3":
        raise AudioError(f"{path} cannot be read")
    return AudioFacts(ClipKey("a" * 64), 5, duration_ms or 7_000, "mp3")


def of_draft(draft: Draft, entry: int | None = None) -> str:
    """The title of the first item of what would be previewed."""
    return job_of_draft(draft, entry, Path("/drafts"), found, NOW).items[0].title


def simple(**more: object) -> Draft:
    item = {"title": "Tin", "text": "Xin chào."}
    return {"class": "normal", "areas": ["vn/ha-noi/dong-thanh"], "volume": 70, "items": [item], **more}


def test_a_text_is_heard_in_the_words_that_would_be_signed() -> None:
    """Those of the province's own table; and what `sign` refuses as unreadable is not heard either."""
    own = read_own('[abbreviations]\n"NTL" = "Nam Từ Liêm"\n')
    draft = simple(items=[{"title": "Tin", "text": "Phường NTL mời họp."}])
    (item,) = job_of_draft(draft, None, Path(), found, NOW, own).items
    assert isinstance(item, TextItem)
    assert item.text == "Phường Nam Từ Liêm mời họp."
    (item,) = job_of_draft(draft, None, Path(), found, NOW, None).items
    assert isinstance(item, TextItem)
    assert item.text == "Phường NTL mời họp."
    with pytest.raises(DraftError, match="NTL"):
        job_of_draft(draft, None, Path(), found, NOW)


def signed(draft: Draft) -> bytes:
    around = Surroundings("demo", "dong-thanh", "commune", NOW, lambda _: 1, found, lambda *_: ("https://c.example/",))
    finished: Finished = finish(draft, around)
    return sign_order(finished, [new_signer()])


def test_a_draft_needs_no_key_no_realm_and_no_address() -> None:
    job = job_of_draft(simple(), None, Path(), found, NOW)
    assert (job.issuer, job.level, job.volume) == (NOBODY, NOBODY, 70)


def test_a_draft_that_names_its_realm_and_issuer_is_taken_as_it_is() -> None:
    job = job_of_draft(simple(realm="loa-vn", issuer="dong-thanh"), None, Path(), found, NOW)
    assert job.issuer == "dong-thanh"


@pytest.mark.parametrize(
    ("draft", "entry", "told"),
    [
        (
            COMMAND,
            None,
            r'^type: "command" không phát ra tiếng; chỉ nghe thử được lệnh phát, lịch phát / makes no sound',
        ),
        ({"type": "window"}, None, r'^type: "window" không .* / makes no sound'),
        ({"type": "regulation"}, None, r'^type: "regulation" không .* / makes no sound'),
        ({"type": "song"}, None, r"^type: chọn job, .* / one of job, "),
        (simple(), 1, r"^--entry: .* / only of a timetable; leave it out$"),
        (simple(volume=700), None, r"^volume: "),
        ({**TIMETABLE, "entries": []}, None, r"^entries: không .* / none, so nothing sounds"),
        ({**TIMETABLE, "entries": "x"}, None, r"^entries: "),
        ({"type": "timetable", "areas": ["vn"]}, None, r"^entries: "),
        (TIMETABLE, None, r"^--entry: chọn một mục / choose one of: 1 \(Sáng\), 2 \(Chiều\)$"),
        (TIMETABLE, 0, r"^--entry: .*1 \(Sáng\), 2 \(Chiều\)$"),
        (TIMETABLE, 3, r"^--entry: .*1 \(Sáng\), 2 \(Chiều\)$"),
        ({**TIMETABLE, "entries": [{}, 5]}, None, r"^--entry: .*1 \(\?\), 2 \(\?\)$"),
        ({**TIMETABLE, "entries": [{}, 5]}, 2, r"^entries\[1\]: "),
    ],
)
def test_what_cannot_be_previewed_is_named_with_the_remedy(draft: Draft, entry: int | None, told: str) -> None:
    with pytest.raises(DraftError, match=told):
        of_draft(draft, entry)


def test_a_timetable_of_one_entry_needs_no_choice() -> None:
    (first, _) = TIMETABLE["entries"]  # type: ignore[misc]
    assert of_draft({**TIMETABLE, "entries": [first]}) == "Sáng"


def test_the_chosen_entry_is_previewed_and_the_others_audio_is_not_asked_for() -> None:
    (first, second) = TIMETABLE["entries"]  # type: ignore[misc]
    broken = {**first, "items": [{"title": "Hỏng", "file": "missing.mp3"}]}
    assert of_draft({**TIMETABLE, "entries": [broken, second]}, 2) == "Chiều"
    with pytest.raises(DraftError, match=r"^entries\[1\]\.items\[0\]\.file: .* cannot be read"):
        of_draft({**TIMETABLE, "entries": [second, broken]}, 2)


def test_a_signed_job_and_an_entry_of_a_signed_timetable_are_found() -> None:
    assert job_of_envelope(signed(simple()), None).issuer == "dong-thanh"
    assert job_of_envelope(signed(TIMETABLE), 2).items[0].title == "Chiều"


@pytest.mark.parametrize(
    ("draft", "entry", "error", "told"),
    [
        (simple(), 2, DraftError, r"^--entry: .* / only of a timetable"),
        (TIMETABLE, None, DraftError, r"^--entry: .*1 \(Sáng\), 2 \(Chiều\)$"),
        ({**TIMETABLE, "entries": []}, None, DraftError, r"^entries: không .* / none"),
        (COMMAND, None, SigningError, r'^type: "command" không .* / makes no sound'),
    ],
)
def test_a_signed_order_that_cannot_be_previewed_says_so(
    draft: Draft, entry: int | None, error: type[HeadendError], told: str
) -> None:
    with pytest.raises(error, match=told):
        job_of_envelope(signed(draft), entry)


def test_what_is_no_envelope_is_named() -> None:
    with pytest.raises(SigningError, match=r"^envelope: "):
        job_of_envelope(b"{}", None)


def test_the_examples_of_the_help_can_be_previewed() -> None:
    lines = [line.strip() for line in draft_examples.TIMETABLE.splitlines()[1:]]
    assert of_draft(tomllib.loads("\n".join(lines)), 2) == "Dọn vệ sinh chợ"
