from __future__ import annotations

from bench.figures import Figure, Section
from bench.table import number, on_terminal, page

MACHINE = [("machine", "x86_64, a | b"), ("kernel", "6.12")]
SECTION = Section(
    "Cold start",
    "exec to READY=1",
    (Figure("ready, median", 251.234, "ms", 250, "of 9"), Figure("ready, worst", 0.07061, "ms")),
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
    assert "| ready, median | 251 ms | ≤ 250 **missed** | of 9 |" in shown
    assert any("MISSED" in line for line in on_terminal(SECTION))


def test_what_was_not_measured_says_so_and_shows_no_table() -> None:
    absent = Section("An idle day", "bytes on the wire", missing="needs root")
    shown = page([absent], MACHINE)
    assert "**Not measured**: needs root." in shown
    assert "| what |" not in shown
    assert "Aims held: 0 of 0." in shown
    assert "   NOT MEASURED: needs root" in list(on_terminal(absent))


def test_the_page_names_machine_commands_and_notes() -> None:
    shown = page([SECTION], MACHINE)
    assert "| machine | x86_64, a \\| b |" in shown
    assert "Commands: `cat /proc/PID/io`." in shown
    assert "A note." in shown


def test_every_table_row_has_as_many_cells_as_its_head() -> None:
    lines = page([SECTION], MACHINE).replace("\\|", "").splitlines()
    rows = [line for line in lines if line.startswith("| ready")]
    assert [row.count("|") for row in rows] == [5, 5]
