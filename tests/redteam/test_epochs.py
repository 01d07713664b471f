"""Keys that come and go in the campaigns: each way happens, a thief of each may do so much, and judges can fail."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.redteam import offers, peace
from tests.redteam.believing import Believing
from tests.redteam.creed import Creed
from tests.redteam.enemy import MOVES
from tests.redteam.epochs import STOLEN
from tests.redteam.life import Life
from tests.redteam.memory import Manifest, Shelf
from tests.redteam.offices import CEREMONIES, DELEGATES, HOLDERS, ON_AIR, Offices
from tests.redteam.papers import SERVER, WARD, key
from tests.redteam.script import MINUTE_MS, Setting, campaign
from tests.sim import BEGAN
from tests.soak.promises import Broken
from tests.trust.delegation import PROVINCE


def life(*stolen: str) -> Life:
    """One station of the ward, at work."""
    setting = Setting(stations=("dt-01",), stolen=stolen, begins_ms=0, after_ms=0, epochs=True)
    made = Life(replace(campaign(0), setting=setting, happenings=()))
    made.worlds["dt-01"].boot()
    made.run_until(5_000)
    return made


def sounds(of: Life, seeds: range) -> int:
    """How many are heard of the orders that a thief gives by the documents that he has signed."""
    station = of.worlds["dt-01"]
    before = len(station.runs)
    for seed in seeds:
        for name in ("paper_of_his_own", "old_papers", "order_by_his_paper"):
            MOVES[name](of.enemy, random.Random(seed))
        of.run_until(of.now + 20_000)
    return len(station.runs) - before


def test_every_ceremony_is_held_and_every_key_stolen() -> None:
    scripts = [one for seed in range(200) if (one := campaign(seed)).setting.epochs]
    held = {one.args["name"] for script in scripts for one in script.happenings if one.what == "ceremony"}
    assert held - ON_AIR.keys() == CEREMONIES.keys()
    assert {script.setting.stolen for script in scripts} == {*STOLEN, *offers.STOLEN}
    assert {one.what for script in scripts for one in script.happenings} >= {"freeze", "restore_card", "factory_reset"}


@pytest.mark.deep
@pytest.mark.parametrize(
    ("stolen", "heard"), [(DELEGATES, True), (DELEGATES[:1], False), (HOLDERS[1:2], False), ((), False)]
)
def test_who_has_stolen_as_many_as_must_sign_is_obeyed_until_the_next_document(
    stolen: tuple[str, ...], heard: bool
) -> None:
    """So that the campaigns can fail: two who sign for wards may name whom they like; one, or a holder, may nothing."""
    ward = life(*stolen)
    assert (sounds(ward, range(12)) > 0) is heard
    ward.ceremony("hand_on", {})
    ward.run_until(ward.now + 11 * MINUTE_MS)  # what sounds ends, and what he has ordered before is over
    assert sounds(ward, range(20, 32)) == 0


def test_the_oracle_goes_by_numbers_epochs_and_signatures() -> None:
    offices = Offices(lambda: BEGAN)
    new = Creed.begun(WARD, offices.trust_file(WARD))
    assert new.heads == (("", 0, 1), (PROVINCE, 1, 1), (WARD, 1, 1))
    [(_, second)], [(_, third)] = offices.renew(), offices.another_deputy()
    later = new.taking(third)
    assert later is not None
    assert later.taking(second) is None, "it goes back"
    province, *wards = [document for _, document in offices.another_epoch()]
    assert later.taking(wards[0]) is None, "its delegates are not in that epoch yet"
    bare = later.taking(province)
    assert bare is not None
    assert bare.heads == (("", 0, 1), (PROVINCE, 1, 2)), "what was signed in another epoch is over"
    whole = bare.taking(wards[0])
    assert whole is not None
    assert whole.heads[-1] == (WARD, 2, 1)
    first, *_, last = [document for _, document in offices.root_steps()]
    assert whole.taking(last) is None, "a root is left out"
    assert whole.taking(first) is not None


def test_what_a_replaced_servers_key_has_shown_is_no_reason_to_be_silent() -> None:
    """Ten thousand campaigns met it once: a cancelled order that came late, and a manifest that counted no more."""
    ward = life()
    shelf = ward.memories["dt-01"]
    signers = frozenset({key(SERVER).keyid})
    shelf.shelves.append(Shelf(5_000, 0, {"area/vn": Manifest((1, 1), signers, {}, frozenset())}))
    assert [{*kept} for _, _, kept in shelf.manifests()][-1] == {"area/vn"}
    ward.ceremony("another_server", {})
    ward.run_until(20_000)
    assert [{*kept} for _, _, kept in shelf.manifests()][-1] == set()


def test_a_station_that_is_not_let_come_back_is_told() -> None:
    """So that the peace can fail: a document that never comes, and an order that nobody lets it hear."""
    ward = life()
    ward.worlds["dt-01"].set_network(False)
    ward.ceremony("renew", {})
    with pytest.raises(Broken) as stays:
        peace._newest(ward)
    assert stays.value.name == "the_newest_documents_count_in_the_end"
    with pytest.raises(Broken, match="dong-thanh-20001"):
        peace._heard(ward, "a_good_order", 1, {"cls": "normal", "tone": "a", "seconds": 5.0, "when": "now"})


def test_a_paper_is_asked_for_as_long_as_a_head_that_is_believed_lists_it() -> None:
    """One that was on its way from what a thief's head had listed came behind the root that names another server."""
    setting = Setting(stations=("dt-01",), stolen=(SERVER,), begins_ms=0, after_ms=0, home=True, epochs=True)
    of = Life(replace(campaign(0), setting=setting, happenings=()))
    of.worlds["dt-01"].boot()
    of.run_until(MINUTE_MS)
    (kept,) = (one for one in of.memories["dt-01"].shelves[-1].kept.values() if len(one.papers) > 2)
    believing = Believing(of, "dt-01")
    believing.creed = of.memories["dt-01"].creed(of.now)
    assert believing.creed is not None
    paper = next(iter(kept.papers))
    assert believing.is_listed(paper)
    assert not believing.is_listed("ab" * 32)
    believing.creed = believing.creed.taking(of.centre.offices.another_server()[0][1])
    assert not believing.is_listed(paper)
