"""Show figures: on a terminal, and as the page in ``docs/``. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from bench.figures import Figure, Section

NAME_WIDTH, VALUE_WIDTH = 44, 10
HEADING = "\n## "
APART = ("date", "command", "machine", "load before", "edge-agent")
# What a section must say for itself; versions are as in the table, or in the commit's lock.
CELLS = re.compile(r"(?<!\\)\|")
AIM = re.compile(r"(?P<value>.*) \(≤ (?P<aim>\S+) (?P<verdict>held|\*\*missed\*\*)\)")


def on_terminal(section: Section) -> Iterator[str]:
    """Lines for a person who waits for them."""
    yield f"-- {section.title}: {section.how}"
    if section.missing:
        yield f"   NOT MEASURED: {section.missing}"
    for figure in section.figures:
        verdict = {True: "held", False: "MISSED", None: ""}[figure.held]
        aim = f"aim ≤ {number(figure.at_most)} {verdict}" if figure.at_most is not None else ""
        value = f"{number(figure.value):>{VALUE_WIDTH}} {figure.unit}"
        yield f"   {figure.whole_name:<{NAME_WIDTH}} {value:<26} {aim:<20} {figure.among}".rstrip()
    yield from (f"   {note}" for note in section.notes)


def page(sections: Sequence[Section], machine: Sequence[tuple[str, str]]) -> str:
    """The whole of ``docs/benchmarks.md``."""
    return _put_together(_machine(machine), {section.title: _section(section) for section in sections})


def page_with(old: str, sections: Sequence[Section], machine: Sequence[tuple[str, str]]) -> str:
    """That page with these sections measured anew, each with when and where; every other stays as it was."""
    head, *kept = old.split(HEADING)
    bodies = {body.partition("\n")[0]: f"## {body}".splitlines() for body in kept}
    apart = f"Measured apart: {'; '.join(f'{name} {words}' for name, words in machine if name in APART)}."
    bodies |= {section.title: [*_section(section), "", apart] for section in sections}
    return _put_together([line for line in head.splitlines() if line.startswith("|")], bodies)


def _put_together(machine: Sequence[str], bodies: Mapping[str, Sequence[str]]) -> str:
    aims = [aim for lines in bodies.values() for aim in _aims(lines)]
    failing = [said for said, held in aims if not held]
    lines = [
        "# Figures",
        "",
        "Written by `./run bench --write`; do not edit. Another machine has other numbers: compare ratios.",
        "",
        *machine,
        "",
        f"Aims held: {len(aims) - len(failing)} of {len(aims)}"
        + (": missed are " + "; ".join(failing) if failing else "")
        + ".",
    ]
    for body in bodies.values():
        lines += ["", *body]
    return "\n".join(lines) + "\n"


def _aims(lines: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """What a section's tables say of each aim, and whether it is held: a page outlives the run that measured it."""
    columns: list[str] = []
    for line in lines:
        cells = [cell.strip() for cell in CELLS.split(line)[1:-1]]
        if line.startswith("| |"):
            columns = cells
        for column, cell in zip(columns, cells, strict=False):
            if found := AIM.fullmatch(cell):
                name = f"{cells[0]}, {column}" if column else cells[0]
                yield f"{name} {found['value']} (aim {found['aim']})", found["verdict"] == "held"


def number(value: float) -> str:
    """Three figures that mean something, and no more; whole numbers stay whole."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _machine(machine: Sequence[tuple[str, str]]) -> list[str]:
    return ["| | |", "|---|---|", *(f"| {_cell(name)} | {_cell(words)} |" for name, words in machine)]


def _section(section: Section) -> list[str]:
    lines = list(_lines_of(section))
    while not lines[-1]:
        lines.pop()
    return lines


def _lines_of(section: Section) -> Iterator[str]:
    yield f"## {section.title}"
    yield ""
    yield f"{section.how[:1].upper()}{section.how[1:]}."
    yield ""
    if section.missing:
        yield f"**Not measured**: {section.missing}."
        return
    yield from _beside([figure for figure in section.figures if figure.column])
    yield from _listed([figure for figure in section.figures if not figure.column])
    for note in section.notes:
        yield from (note, "")
    if section.commands:
        yield from (f"Commands: {', '.join(f'`{command}`' for command in section.commands)}.", "")


def _beside(figures: Sequence[Figure]) -> Iterator[str]:
    """A row for each name, a column for each of their figures."""
    columns = list(dict.fromkeys(figure.column for figure in figures))
    rows = {name: {one.column: one for one in figures if one.name == name} for name in _names(figures)}
    if rows:
        yield f"| |{''.join(f' {column} |' for column in columns)} |"
        yield f"|---|{'---|' * len(columns)}---|"
    for name, row in rows.items():
        cells = "".join(f" {_shown(row[column]) if column in row else ''} |" for column in columns)
        yield f"| {_cell(name)} |{cells} {_cell(next(iter(row.values())).among)} |"
    if rows:
        yield ""


def _names(figures: Sequence[Figure]) -> list[str]:
    return list(dict.fromkeys(figure.name for figure in figures))


def _listed(figures: Sequence[Figure]) -> Iterator[str]:
    if figures:
        yield "| | | |"
        yield "|---|---|---|"
    yield from (f"| {_cell(figure.name)} | {_shown(figure)} | {_cell(figure.among)} |" for figure in figures)
    if figures:
        yield ""


def _shown(figure: Figure) -> str:
    value = f"{number(figure.value)} {figure.unit}".strip()
    if figure.at_most is None:
        return value
    return f"{value} (≤ {number(figure.at_most)} {'held' if figure.held else '**missed**'})"


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ")
