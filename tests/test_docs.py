"""The documents say what the code says, where both can be compared."""

from __future__ import annotations

import re
from pathlib import Path

from edge_agent.core.reasons import WORDS_EN, WORDS_VI, Reason
from tools.phases import DOCUMENT, with_diagram

ROOT = Path(__file__).parent.parent


def test_the_diagram_of_an_occurrence_is_the_transition_table() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert text == with_diagram(text), "run python tools/phases.py"


def test_every_reason_stands_in_the_protocol_with_its_words() -> None:
    text = (ROOT / "docs" / "protocol.md").read_text("utf-8")
    for reason in Reason:
        row = f"| `{reason.value}` | {WORDS_VI[reason]} | {WORDS_EN[reason]} |"
        assert row in text, f"missing or different: {row}"


def test_every_link_between_documents_leads_somewhere() -> None:
    broken = []
    for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text("utf-8")):
            if not (document.parent / target).exists():
                broken.append(f"{document.relative_to(ROOT)} -> {target}")
    assert broken == []


def test_every_file_that_one_job_names_exists() -> None:
    text = DOCUMENT.read_text("utf-8")
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*\.py)`", text))
    assert named
    missing = [name for name in named if not any((base / name).exists() for base in (ROOT, ROOT / "edge_agent"))]
    assert missing == []
