"""Add what a campaign's parsers have stood to docs/fuzzing.md: their hours come together over many campaigns. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.fuzz.guiding import Outcome

HEADING = "## Measured\n"
"""The page's last section is this file's; what stands before it is left as it is."""
AIM_S = 3_600
_STOOD = re.compile(r"\| `([a-z-]+)` \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| (\d+) \|")
_CAMPAIGN = re.compile(r"\| (\d{4}-.*) \| (\d+) \| ([\d,.]+) \|")
Stood = tuple[int, int, int, int]
"""Inputs, edges (the most of any campaign), seconds of CPU, findings."""
NOTHING: Stood = (0, 0, 0, 0)


def page_with(page: str, outcomes: Sequence[Outcome], day: str, seed: int) -> str:
    """That page with one more campaign in its table and in the figures of its parsers; a part of one is added to it."""
    before, _, measured = page.partition(HEADING)
    stood = _stood(measured)
    for one in outcomes:
        inputs, edges, cpu_s, findings = stood.get(one.parser, NOTHING)
        more = inputs + one.executions, max(edges, one.edges), cpu_s + round(one.cpu_s), findings + bool(one.finding)
        stood[one.parser] = more
    campaigns = {name: (int(runs), _number(minutes)) for name, runs, minutes in _CAMPAIGN.findall(measured)}
    runs, minutes = campaigns.get(f"{day} | {seed}", (0, 0.0))
    campaigns[f"{day} | {seed}"] = runs + len(outcomes), minutes + sum(one.cpu_s for one in outcomes) / 60
    return f"{before}{HEADING}\n{_section(stood, campaigns)}"


def lacking(page: str, parsers: Sequence[str]) -> dict[str, int]:
    """What each of them lacks of its hour, in seconds of CPU; who has it is not there."""
    stood = _stood(page.partition(HEADING)[2])
    lacks = {name: AIM_S - stood.get(name, NOTHING)[2] for name in parsers}
    return {name: seconds for name, seconds in lacks.items() if seconds > 0}


def _stood(measured: str) -> dict[str, Stood]:
    return {name: _numbers(figures) for name, *figures in _STOOD.findall(measured)}


def _numbers(figures: Sequence[str]) -> Stood:
    inputs, edges, cpu_s, findings = (int(_number(figure)) for figure in figures)
    return inputs, edges, cpu_s, findings


def _number(figure: str) -> float:
    return float(figure.replace(",", ""))


def _section(stood: dict[str, Stood], campaigns: dict[str, tuple[int, float]]) -> str:
    inputs, edges, cpu_s, findings = (sum(column) for column in zip(*stood.values(), strict=True))
    there = sum(one[2] >= AIM_S for one in stood.values())
    lines = [
        "Written by `./run fuzz --target bytes: --minutes N --seed S --record`; do not edit.",
        "",
        f"**{inputs:,} inputs, {edges:,} edges, {cpu_s / AIM_S:.1f} hours of CPU, {findings} findings.** The aim is an "
        f"hour of CPU for each parser: {there} of {len(stood)} have it.",
        "",
        "| campaign | seed | runs of a parser | CPU, min |",
        "|---|---|---|---|",
        *(f"| {name} | {runs} | {minutes:,.1f} |" for name, (runs, minutes) in campaigns.items()),
        "",
        "| parser | inputs | edges | CPU, s | findings |",
        "|---|---|---|---|---|",
        *(f"| `{name}` | {' | '.join(f'{figure:,}' for figure in figures)} |" for name, figures in stood.items()),
    ]
    return "\n".join(lines) + "\n"
