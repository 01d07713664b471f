"""Wherever an officer or a technician reads of spoken texts, the voice is called the last resort."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_agent.headend.cli import main

DOCS = Path(__file__).parents[2] / "docs"


def flat(text: str) -> str:
    """In one line, without marks of emphasis."""
    return " ".join(text.replace("**", "").split())


def paragraph(page: str, begins: str) -> str:
    """The paragraph of a page that begins so."""
    return next(flat(one) for one in page.split("\n\n") if one.startswith(begins))


def helped(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    return flat(capsys.readouterr().out)


def test_who_makes_an_emergency_of_text_reads_what_is_better_first() -> None:
    page = (DOCS / "operations.md").read_text("utf-8")
    vietnamese = paragraph(page, "**Bản tin khẩn cấp**")
    assert re.search("cách cuối cùng: .*thu âm.*`file`.*`text`.*thu sẵn.*giọng máy", vietnamese)
    english = paragraph(page, "**An emergency**")
    assert re.search("last resort: `file`.*record.*`text`.*recorded stems.*machine", english)


def test_who_tries_a_text_reads_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    page = flat((DOCS / "operations.md").read_text("utf-8"))
    assert "Máy đọc là cách cuối cùng: có người đọc và thu âm được thì thu âm" in page
    assert "Speech is the last resort: a recorded voice is better" in page
    shown = helped("say", capsys)
    assert "Máy đọc là cách cuối cùng: có bản thu âm thì phát bản thu" in shown
    assert "voice is the last resort: a recording first, then recorded stems" in shown


def test_a_draft_offers_a_file_and_the_voice_only_where_nothing_can_be_recorded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert 'file = "ban-tin.mp3" # không thu âm được thì / last resort: text = "…" (máy đọc)' in helped("sign", capsys)


@pytest.mark.parametrize(
    "page", ["configuration.md", "one-job.md", "protocol.md", "adr/0026-recorded-stems-before-the-voice.md"]
)
def test_who_looks_after_stations_or_talks_to_them_reads_it_too(page: str) -> None:
    assert re.search("record.*last resort|last resort.*record", flat((DOCS / page).read_text("utf-8")))
