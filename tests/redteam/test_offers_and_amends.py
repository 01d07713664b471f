"""What is offered, set right or cleared: it sounds in the campaigns as it should, and judges see where it should not.

So that the campaigns can fail: each judge is shown what really sounded, and a book in which it was not to.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.redteam.judges import judge
from tests.redteam.ledger import Given
from tests.redteam.life import Life
from tests.redteam.lives import HERE, life, lived, order, run_of
from tests.redteam.offices import ON_AIR
from tests.redteam.papers import ABOVE, DEPUTY, OFFICER, Ward
from tests.redteam.papers import HERE as WARD
from tests.redteam.script import MINUTE_MS, campaign
from tests.soak.promises import Broken
from tests.soak.script import Happening

TONE = {"kind": "job", "cls": "normal", "tone": "c", "seconds": 10.0, "when": "now", "valid_ms": 10 * MINUTE_MS}
WARNING = {"kind": "job", "cls": "emergency", "spoken": "Lũ quét!", "valid_ms": 10 * MINUTE_MS}
OFFERED, CHOICE = f"{ABOVE.issuer}-1", "lenh-2"
CHOOSES: dict[str, Any] = {"kind": "command", "what": "choose", "target": OFFERED, "when": "now"}


def offer(at_ms: int, serial: int, **what: Any) -> Happening:
    """The radio's."""
    return order(at_ms, serial, **{"ward": "above", **TONE, **what})


def given(of: Life, serial: int, kind: str, ward: Ward = WARD, **what: Any) -> None:
    """As if the ward had given an order at the beginning, and the station had obeyed it from then on."""
    payload = of.drafted(ward, kind, serial=serial, **what)
    name = str(payload.get("job_id") or payload["order_id"])
    of.ledger.add(Given(name, "", payload, (OFFICER, DEPUTY), 0))
    of.memories[HERE].obeys(name, 0)


def broken(of: Life) -> str:
    """The promise that the judges miss."""
    with pytest.raises(Broken) as found:
        judge(of)
    return found.value.name


def test_every_ceremony_of_the_radio_is_held() -> None:
    held = {one.args["name"] for seed in range(120) for one in campaign(seed).happenings if one.what == "ceremony"}
    assert held >= ON_AIR.keys()


def test_what_the_radio_offers_sounds_when_the_ward_has_chosen_it_and_not_without() -> None:
    one = lived(offer(10_000, 1), order(60_000, 2, **CHOOSES))
    assert 60_000 < run_of(one, OFFERED).begins < 65_000
    del one.ledger.given[CHOICE]
    assert broken(one) == "what_is_only_offered_sounds_by_choice"


def test_what_the_radio_plans_by_itself_needs_no_choice() -> None:
    one = lived(offer(10_000, 1, cls="priority"))
    assert run_of(one, OFFERED).begins < 15_000


def test_a_choice_that_was_taken_back_has_chosen_nothing() -> None:
    one = lived(offer(10_000, 1), order(60_000, 2, **CHOOSES))
    given(one, 3, "command", what="cancel", target=CHOICE)
    assert broken(one) == "what_is_only_offered_sounds_by_choice"


def test_a_choice_is_no_choice_any_more_when_the_radio_could_plan_by_itself_meanwhile() -> None:
    later = {**CHOOSES, "when": "at", "in_s": 600}
    one = lived(
        offer(10_000, 1, when="at", in_s=1_800),
        order(60_000, 2, **later),
        Happening(90_000, "ceremony", {"name": "offer_none", "fate": {}}),
        Happening(120_000, "ceremony", {"name": "offer_some", "fate": {}}),
        Happening(150_000, "power_cut", {"station": HERE, "for_ms": 5_000}),
        Happening(700_000, "copy_card", {"station": HERE}),
    )
    assert OFFERED not in {run.job_id for run in one.worlds[HERE].runs}


def test_what_only_the_radio_has_chosen_is_silent() -> None:
    """Its key may offer, and command nothing."""
    one = life()
    one.worlds[HERE].boot()
    one.run_until(10_000)
    one.order(**offer(10_000, 1).args)
    one.run_until(20_000)
    payload = one.drafted(ABOVE, "command", serial=9, what="choose", target=OFFERED, when="now")
    _, message = one.centre.give(payload, [one.centre.offices.radio.key])
    one.enemy.brings(HERE, f"loa/1/d/{HERE}/job", message)
    one.run_until(3 * MINUTE_MS)
    assert one.worlds[HERE].runs == []
    assert one.worlds[HERE].headend.answers[-1]["verdict"] == "refused"


def test_what_was_set_right_is_silent_from_then_on() -> None:
    one = lived(order(10_000, 1, **TONE), order(14_000, 2, **TONE, corrects=1))
    wrong, right = (run_of(one, f"{WARD.issuer}-{serial}") for serial in (1, 2))
    assert wrong.ends - wrong.begins < 5_000
    assert right.ends - right.begins == 10_000
    given(one, 3, "job", cls="normal", tone="a", seconds=2.0, corrects=1)
    assert broken(one) == "what_was_set_right_is_silent"


def test_a_warning_is_set_right_by_a_warning_alone() -> None:
    one = lived(order(10_000, 1, **WARNING))
    given(one, 2, "job", cls="normal", tone="a", seconds=2.0, corrects=1)
    judge(one)
    given(one, 3, "job", cls="emergency", spoken="Không có lũ.", corrects=1)
    assert broken(one) == "what_was_set_right_is_silent"


@pytest.mark.parametrize("ends", [{"corrects": 1}, {"series": "lu", "version": 2, "all_clear": True}])
def test_what_ends_a_warning_is_heard_where_that_was(ends: dict[str, Any]) -> None:
    warned = order(10_000, 1, **WARNING, series="lu", version=1, zones=("cho",))
    one = lived(warned, order(60_000, 2, **WARNING, **ends))
    before, after = (run_of(one, f"{WARD.issuer}-{serial}") for serial in (1, 2))
    assert {zone for zone, _, _ in after.spans(after.ends)} == {"cho"}
    one.worlds[HERE].runs.remove(before)
    assert broken(one) == "what_ends_another_is_heard_where_that_was"


def test_a_rehearsal_says_that_it_is_one() -> None:
    one = lived(order(10_000, 1, **WARNING, series="lu", version=1, rehearsal=True, when="at", in_s=20))
    run = run_of(one, f"{WARD.issuer}-1")
    assert 25_000 < run.begins < 35_000
    rehearsed = one.ledger.given[f"{WARD.issuer}-1"]
    one.ledger.add(replace(rehearsed, payload={**rehearsed.payload, "rehearsal": False}))
    assert broken(one) == "only_what_was_signed"
