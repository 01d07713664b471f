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
        yield f"   {figure.name:<{NAME_WIDTH}} {value:<26} {aim:<20} {figure.among}".rstrip()
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
    yield "| what | value | aim | |"
    yield "|---|---|---|---|"
    yield from (_row(figure) for figure in section.figures)
    for note in section.notes:
        yield f"\n{note}"
    if section.commands:
        yield f"\nCommands: {', '.join(f'`{command}`' for command in section.commands)}."


def _row(figure: Figure) -> str:
    aim = ""
    if figure.at_most is not None:
        aim = f"≤ {number(figure.at_most)} {'held' if figure.held else '**missed**'}"
    return f"| {_cell(figure.name)} | {number(figure.value)} {figure.unit} | {aim} | {_cell(figure.among)} |"


def _said(figure: Figure) -> str:
    assert figure.at_most is not None
    return f"{figure.name} {number(figure.value)} {figure.unit} (aim {number(figure.at_most)})"


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ")
