"""Show figures: on a terminal, and as the page in ``docs/``. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.figures import Figure, Section, missed

NAME_WIDTH, VALUE_WIDTH = 44, 10


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
    failing = missed(sections)
    aims = [figure for section in sections for figure in section.figures if figure.at_most is not None]
    lines = [
        "# Figures",
        "",
        "Written by `./run bench --write`; do not edit. Another machine has other numbers: compare ratios.",
        "",
        *_machine(machine),
        f"Aims held: {len(aims) - len(failing)} of {len(aims)}"
        + (": missed are " + "; ".join(_said(figure) for figure in failing) if failing else "")
        + ".",
    ]
    for section in sections:
        lines += ["", *_section(section)]
        while not lines[-1]:
            lines.pop()
    return "\n".join(lines) + "\n"


def number(value: float) -> str:
    """Three figures that mean something, and no more; whole numbers stay whole."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _machine(machine: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    yield from (f"| {_cell(name)} | {_cell(words)} |" for name, words in machine)
    yield ""


def _section(section: Section) -> Iterator[str]:
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


def _said(figure: Figure) -> str:
    assert figure.at_most is not None
    return f"{figure.whole_name} {number(figure.value)} {figure.unit} (aim {number(figure.at_most)})"


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ")
