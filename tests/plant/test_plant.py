"""Every planted fault still fits the product, and the hunt catches one of them."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest

from tests.plant.__main__ import CHAOS, DAY, END, FIELDS, PAGE, ROOT, Catch, Field, hunted
from tests.plant.plants import PLANTS, RELAYED, Plant
from tests.plant.rules import RULES
from tests.redteam.plants import PLANTS as ATTACKS


@pytest.mark.parametrize("plant", [*PLANTS, *RELAYED, *RULES, *ATTACKS], ids=lambda plant: plant.name)
def test_a_planted_fault_fits_one_place_and_is_still_a_programme(plant: Plant) -> None:
    assert plant.applies(ROOT), f"{plant.file} has changed: plant it anew"
    text = (ROOT / plant.file).read_text("utf-8")
    changed = text.replace(plant.good, plant.bad)
    assert changed != text
    ast.parse(changed)


def test_there_are_enough_of_them() -> None:
    assert len({plant.name for plant in PLANTS}) == len(PLANTS) >= 10
    assert len({plant.name for plant in RULES}) == len(RULES) >= 8
    assert len({plant.name for plant in ATTACKS}) == len(ATTACKS) >= 10


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_the_page_says_of_each_what_caught_it(field: Field) -> None:
    table = PAGE.read_text("utf-8").partition(field.begin)[2].partition(END)[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    assert [row[0] for row in rows] == [plant.name for plant in field.plants], "run ./run plant --write"
    assert [row[0] for row in rows if all("escaped" in cell for cell in row[1::2])] == []


@pytest.mark.deep
def test_a_fault_is_caught_at_a_step_and_by_the_street() -> None:
    (plant,) = [plant for plant in PLANTS if plant.name == "the quiet hours are asked for but not obeyed"]
    steps, street = hunted(plant, CHAOS)
    assert steps.promise is not None
    assert street == Catch("quiet_hours_are_quiet", street.lives)


def test_a_hunt_that_takes_too_long_has_caught_nothing() -> None:
    assert hunted(PLANTS[0], CHAOS, most_s=0.01) == (Catch(None, 0), Catch(None, 0))


@pytest.mark.deep
@pytest.mark.parametrize(
    "name", ["an exception has no end", "what begins a minute and a half later still belongs to the session"]
)
def test_a_fault_in_the_rules_is_caught_by_the_oracle_or_by_a_day(name: str) -> None:
    (plant,) = [plant for plant in RULES if plant.name == name]
    # By the oracle, which is the quicker one; ``./run plant`` hunts with both.
    (catch,) = hunted(plant, replace(DAY, hunts=("years",)))
    assert catch.promise is not None


def test_a_hunt_that_cannot_start_is_no_catch() -> None:
    good = "from __future__ import annotations"
    broken = Plant("no programme", "edge_agent/core/policy.py", good, "import nothing_of_that_name")
    with pytest.raises(RuntimeError, match="nothing_of_that_name"):
        hunted(broken, CHAOS)
