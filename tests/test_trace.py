"""The traceability check catches each fault it is there for, planted one at a time in a small project."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import trace

ROOT = Path(__file__).resolve().parent.parent

REQUIREMENTS = """
| number | The station… | source |
|---|---|---|
| B1 | knows three classes | field |
| B2 | keeps offers apart | field |

| number | what |
|---|---|
| path.1 | the demo |
"""

SOUND = """
| number | what | shown by |
|---|---|---|
| B1 | classes | `tests/core/test_job.py::test_three_classes`, `tests/core/test_job.py::TestJob::test_order` |
| B2 | offers | not yet |
| path.1 | demo | `./run demo --fast` |
"""

TESTS = """
def test_three_classes(): ...
class TestJob:
    def test_order(self): ...
def helper():
    def test_inner(): ...
"""


def project(root: Path, traceability: str = SOUND, requirements: str = REQUIREMENTS) -> Path:
    (root / "docs").mkdir()
    (root / "tests/core").mkdir(parents=True)
    (root / "docs/requirements.md").write_text(requirements, "utf-8")
    (root / "docs/traceability.md").write_text(traceability, "utf-8")
    (root / "tests/core/test_job.py").write_text(TESTS, "utf-8")
    (root / "run").write_text("task_demo() {\n}\ntask_self_check() {\n}\nlint() {\n}\n", "utf-8")
    return root


def test_a_sound_table_has_no_fault(tmp_path: Path) -> None:
    assert trace.faults(project(tmp_path)) == []


def test_this_project_has_no_fault() -> None:
    assert trace.faults(ROOT) == []


def test_this_project_knows_every_family_of_numbers() -> None:
    numbers = {row.number for row in trace.rows((ROOT / "docs/requirements.md").read_text("utf-8"))}
    expected = {("B", 23), ("S", 9), ("U", 10), ("O", 9), ("N", 9), ("path.", 18)}
    assert {f"{family}{i}" for family, count in expected for i in range(1, count + 1)} <= numbers


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("| B2 | offers | not yet |\n", "", "B2 has no row in docs/traceability.md"),
        ("| path.1 |", "| path.2 |", "path.2 has a row, but docs/requirements.md knows no such number"),
        ("| B2 | offers |", "| B1 | offers |", "B1 has 2 rows in docs/traceability.md"),
        (
            "test_three_classes`",
            "test_four`",
            "`tests/core/test_job.py::test_four`: no such test in that file",
        ),
        ("test_job.py::test_", "test_jobs.py::test_", "no such file"),
        ("TestJob::", "TestJobs::", "no such class in that file"),
        ("TestJob::test_order", "TestJob::test_three_classes", "no such test in that file"),
        ("test_job.py::test_three_classes", "test_job.py::test_inner", "no such test in that file"),
        ("test_job.py::test_three_classes", "test_job.py", "neither tests/….py::test_… nor ./run TASK"),
        ("./run demo", "./run lint", "path.1 names `./run lint --fast`: run has no such task"),
        ("not yet", "soon", "B2 names neither a test nor a task, and does not say 'not yet'"),
    ],
    ids=lambda value: value if " " in value and "|" not in value else "",
)
def test_a_planted_fault_is_named(tmp_path: Path, old: str, new: str, fault: str) -> None:
    assert old in SOUND
    found = trace.faults(project(tmp_path, SOUND.replace(old, new)))
    assert any(fault in sentence for sentence in found), found


def test_a_number_required_twice_is_named(tmp_path: Path) -> None:
    doubled = REQUIREMENTS + "| B1 | again |\n"
    assert "B1 has 2 rows in docs/requirements.md" in trace.faults(project(tmp_path, requirements=doubled))


def test_a_task_with_a_hyphen_is_found(tmp_path: Path) -> None:
    root = project(tmp_path, SOUND.replace("./run demo --fast", "./run self-check"))
    assert trace.faults(root) == []


def test_a_row_may_be_shown_in_part(tmp_path: Path) -> None:
    in_part = SOUND.replace("`./run demo --fast`", "`./run demo`; on a bare system not yet")
    assert trace.faults(project(tmp_path, in_part)) == []


@pytest.mark.parametrize("page", ["SECURITY.md", "docs/threat-model.md", "docs/days/README.md"])
@pytest.mark.parametrize(
    ("named", "fault"),
    [
        ("tests/core/test_job.py::test_four", "no such test in that file"),
        ("tests/core/test_jobs.py::test_three_classes", "no such file"),
        ("hil_tests/test_loudspeaker.py::test_it_is_heard", "no such file"),
        ("tests/core/test_job.py::test_three_classes[x]", "neither tests/….py::test_… nor ./run TASK"),
        ("./run lint", "run has no such task"),
    ],
)
def test_what_any_page_names_must_exist(tmp_path: Path, page: str, named: str, fault: str) -> None:
    root = project(tmp_path)
    (root / page).parent.mkdir(exist_ok=True)
    (root / page).write_text(f"Shown by `./run demo` and `{named}`.\n", "utf-8")
    assert trace.faults(root) == [f"{page} names `{named}`: {fault}"]


def test_a_page_may_name_files_and_show_commands(tmp_path: Path) -> None:
    root = project(tmp_path)
    page = "`tests/soak/` and `./run demo\n--fast`:\n\n```sh\n./run lint `x`\n```\n`./run self-check`\n"
    (root / "docs/page.md").write_text(page, "utf-8")
    assert trace.references(page) == ["./run demo\n--fast", "./run self-check"]
    assert trace.faults(root) == []
