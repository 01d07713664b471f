"""Write the life of an occurrence into docs/one-job.md, as a diagram made from the transition table itself.

python -m tools.phases          writes it
python -m tools.phases --check  fails where the document differs
"""

from __future__ import annotations

import sys
from pathlib import Path

from edge_agent.core.occurrence import OUTCOMES, TABLE
from tools.document import keep

DOCUMENT = Path(__file__).parent.parent / "docs" / "one-job.md"
BEGIN, END = "```mermaid\nstateDiagram-v2\n", "```\n"


def diagram() -> str:
    """The table as a Mermaid state diagram; causes between the same two phases share an arrow."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (phase, cause), to in TABLE.items():
        arrows.setdefault((phase.value, to.value), []).append(cause.value)
    lines = ["    [*] --> received"]
    lines += [f"    {source} --> {to}: {', '.join(causes)}" for (source, to), causes in arrows.items()]
    lines += [f"    {outcome.value} --> [*]" for outcome in sorted(OUTCOMES)]
    return BEGIN + "\n".join(lines) + "\n" + END


def with_diagram(text: str) -> str:
    """The document with its diagram made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + diagram() + after


if __name__ == "__main__":
    sys.exit(keep(DOCUMENT, with_diagram))
