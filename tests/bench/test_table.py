from __future__ import annotations

from bench.figures import Figure, Section
from bench.table import number, on_terminal, page, page_with

MACHINE = [("machine", "x86_64, a | b"), ("kernel", "6.12")]
SECTION = Section(
    "Cold start",
    "exec to READY=1",
    (
        Figure("ready", 251.234, "ms", 250, "of 9", "median"),
        Figure("subscribed", 300.0, "ms", None, "of 9", "median"),
        Figure("ready", 400.0, "ms", None, "of 9", "worst"),
        Figure("runs", 9.0, ""),
    ),
    ("cat /proc/PID/io",),
    notes=("A note.",),
)


def test_numbers_have_three_figures_that_mean_something() -> None:
    assert [number(value) for value in (0.07061, 3.14159, 25.04, 251.6, 12_345.6, 7.0, 1_626.0)] == [
        "0.0706",
        "3.14",
        "25",
        "252",
        "12,346",
        "7",
        "1,626",
    ]


def test_a_missed_aim_cannot_be_overlooked() -> None:
    shown = page([SECTION], MACHINE)
    assert "Aims held: 0 of 1: missed are ready, median 251 ms (aim 250)." in shown
    assert "| ready | 251 ms (≤ 250 **missed**) | 400 ms | of 9 |" in shown
    assert any("MISSED" in line for line in on_terminal(SECTION))


def test_what_was_not_measured_says_so_and_shows_no_table() -> None:
    absent = Section("An idle day", "bytes on the wire", missing="needs root")
    shown = page([absent], MACHINE)
    assert "**Not measured**: needs root." in shown
    assert shown.count("|---|") == 1, "the machine's table only"
    assert "Aims held: 0 of 0." in shown
    assert "   NOT MEASURED: needs root" in list(on_terminal(absent))


def test_the_page_names_machine_commands_and_notes() -> None:
    shown = page([SECTION], MACHINE)
    assert "| machine | x86_64, a \\| b |" in shown
    assert "Commands: `cat /proc/PID/io`." in shown
    assert "A note." in shown


def test_figures_of_one_name_stand_in_one_row_and_gaps_stay_empty() -> None:
    lines = page([SECTION], MACHINE).splitlines()
    assert lines[lines.index("| | median | worst | |") :][:4] == [
        "| | median | worst | |",
        "|---|---|---|---|",
        "| ready | 251 ms (≤ 250 **missed**) | 400 ms | of 9 |",
        "| subscribed | 300 ms |  | of 9 |",
    ]
    assert "| runs | 9 |  |" in lines


def test_a_section_measured_anew_takes_its_old_place_and_says_when_and_the_others_stay() -> None:
    first = Section("Idle", "nothing ordered", (Figure("CPU", 0.4, "%", 0.3), Figure("a | b", 1.0, "s", 2)))
    last = Section("Wire", "bytes", (Figure("a day", 2.0, "MB", 1),))
    old = page([first, SECTION, last], MACHINE)
    better = Section("Cold start", "anew", (Figure("ready", 200.0, "ms", 250, "of 9", "median"),))
    shown = page_with(old, [better], [("date", "later"), ("command", "`./run bench --only start`")])
    assert shown.count("## ") == old.count("## ") == 3
    assert shown.index("## Idle") < shown.index("## Cold start") < shown.index("## Wire")
    assert "251 ms" not in shown
    assert shown.count("Measured apart: date later; command `./run bench --only start`.") == 1
    assert "| machine | x86_64, a \\| b |" in shown
    assert "Aims held: 2 of 4: missed are CPU 0.4 % (aim 0.3); a day 2 MB (aim 1)." in shown
    assert page_with(shown, [], MACHINE) == shown, "what is not measured is not touched"


def test_a_section_that_is_new_comes_last() -> None:
    new = Section("Equal", "beside others", (Figure("runs", 9.0, ""),))
    shown = page_with(page([SECTION], MACHINE), [new], MACHINE)
    assert shown.index("## Cold start") < shown.index("## Equal")
