"""The campaigns' short form, and that they catch, replay and tell what they are there for."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from functools import cache

import pytest

from edge_agent.core.programme import Sound
from edge_agent.trust.envelope import Envelope, open_envelope, signers_of
from tests.plant.__main__ import ATTACK, copied, hunted, run_in
from tests.plant.plants import Plant
from tests.redteam import forging, script, wishes
from tests.redteam.campaign import Outcome, Tally, play
from tests.redteam.door import GIVEN
from tests.redteam.enemy import MOVES
from tests.redteam.heard import Heard
from tests.redteam.life import Life
from tests.redteam.objections import what_is_relayed_is_over_in_time
from tests.redteam.papers import DEPUTY, OFFICER, SERVER, key
from tests.redteam.plants import PLANTS
from tests.redteam.script import Setting, campaign
from tests.redteam.shelf import SHOWN
from tests.soak.script import Happening
from tests.trust import makers

CAMPAIGNS = range(16)


@cache
def outcome(seed: int) -> Outcome:
    """Of one campaign, played once for all tests."""
    return play(seed)


@pytest.mark.parametrize("seed", CAMPAIGNS)
def test_whatever_the_attacker_does_only_what_was_ordered_sounds(seed: int) -> None:
    failure = outcome(seed).failure
    assert failure is None, f"./run redteam --campaign {seed}: {failure}"


def test_every_move_is_made() -> None:
    made = {one.args["name"] for seed in range(60) for one in campaign(seed).happenings if one.what == "move"}
    assert made | {"everything_again"} == MOVES.keys()


def test_the_content_server_answers_hellos_in_every_way_that_the_attacker_knows() -> None:
    said = {one.args["gives"] for seed in range(60) for one in campaign(seed).happenings if one.what == "door"}
    assert said == {*GIVEN}


def test_the_content_server_shows_manifests_in_every_way_that_the_attacker_knows() -> None:
    shown = {one.args["shows"] for seed in range(60) for one in campaign(seed).happenings if one.what == "shelf_shows"}
    assert shown == {*SHOWN}


@pytest.mark.parametrize(
    ("shows", "stolen", "heard"),
    [
        *(("honest", (), 1), ("no heads", (), 0), ("no papers", (), 0), ("nothing in force", (), 1)),
        *(("all that ever was", (SERVER,), 1), ("nothing in force", (SERVER,), 0)),
    ],
)
def test_an_order_that_the_broker_keeps_back_is_heard_where_a_manifest_lists_it(
    shows: str, stolen: tuple[str, ...], heard: int
) -> None:
    """So that the campaigns can fail: what an honest content server shows is believed, and what its thief signs too."""
    order = {"serial": 1, "kind": "job", "ward": "here", "cls": "normal", "tone": "a", "seconds": 5.0, "when": "at"}
    happenings = (
        Happening(1_000, "shelf_shows", {"station": "dt-01", "shows": shows, "for_ms": script.HOUR_MS}),
        Happening(2_000, "order", {**order, "in_s": 300, "fate": {"lost": True}}),
    )
    setting = Setting(stations=("dt-01",), stolen=stolen, begins_ms=0, after_ms=0, home=True)
    life = Life(replace(campaign(0), setting=setting, happenings=happenings))
    life.worlds["dt-01"].boot()
    for happening in happenings:
        life.run_until(happening.at_ms)
        getattr(life, happening.what)(**happening.args)
    life.run_until(10 * script.MINUTE_MS)
    assert len(life.worlds["dt-01"].runs) == heard


@pytest.mark.parametrize("gives", ["honest", "nothing", "old", "the one before", "anybody's", "forged"])
def test_a_station_is_welcomed_at_the_door_by_what_the_centre_has_signed_for_it_alone(gives: str) -> None:
    """So that the campaigns can fail: what an honest server gives is believed."""
    setting = Setting(stations=("dt-01", "dt-02"), stolen=(), begins_ms=0, after_ms=0, home=True)
    life = Life(replace(campaign(0), setting=setting, happenings=()))
    life.enemy.welcomes = {"lost": True}
    life.doors["dt-01"].gives = gives
    for world in life.worlds.values():
        world.boot()
    life.run_until(5 * script.MINUTE_MS)
    assert life.enemy.done[f"at the door: {gives}"] > 0
    agent = life.worlds["dt-01"].agent
    assert agent is not None
    assert agent.state.welcomed is (gives == "honest")


def test_a_campaign_counts_what_was_done_and_heard() -> None:
    tally = Tally()
    for seed in range(6):
        tally.add(outcome(seed))
    assert tally.failures == []
    assert tally.sounds > 6, "where nothing sounds nothing can be stolen"
    assert tally.answers["refused"] > tally.answers["accepted"] > 6
    assert re.fullmatch(r"redteam seed=1 .* sounds=[0-9]+ unauthorised=0", tally.figures(1, 60.0))


def test_the_same_seed_is_the_same_campaign() -> None:
    assert campaign(3) == campaign(3) != campaign(4)
    one, other = Life(campaign(3)), Life(campaign(3))
    one.live()
    other.live()
    for station, world in one.worlds.items():
        assert world.relays.moved == other.worlds[station].relays.moved
    assert one.enemy.done == other.enemy.done


@pytest.mark.parametrize("name", forging.REWRITTEN)
def test_no_rewriting_of_a_message_is_worth_more_than_the_message(name: str) -> None:
    """Whatever is opened of it says what one of the two said, signed by no more keys than had signed that."""
    keys = [key(OFFICER), key(DEPUTY)]
    one, other = makers.signed_job(by=keys, job_id="one"), makers.signed_job(by=keys[:1], job_id="other")
    publics = [one.public for one in keys]
    signed = {(made := open_envelope(message)).digest: signers_of(made, publics) for message in (one, other)}  # type: ignore[union-attr,arg-type]
    for seed in range(60):
        for first, second in ((one, other), (other, one)):
            made = open_envelope(forging.REWRITTEN[name](random.Random(seed), first, second))
            if isinstance(made, Envelope):
                assert signers_of(made, publics) <= signed.get(made.digest, frozenset())


def test_some_rewritings_are_as_good_as_the_message() -> None:
    """So that the test above can fail: an envelope has many texts, and an ECDSA signature has two forms."""
    message = makers.signed_job(by=[key(OFFICER)])
    for name in ("pretty", "other_form"):
        made = open_envelope(forging.REWRITTEN[name](random.Random(1), message, message))
        assert isinstance(made, Envelope)
        assert signers_of(made, [key(OFFICER).public]), name


def planted(name: str) -> Plant:
    """The fault of that name."""
    (plant,) = [plant for plant in PLANTS if plant.name == name]
    return plant


@pytest.mark.deep
@pytest.mark.parametrize("name", ["nobody asks whom an order is for", "a signature is believed without being verified"])
def test_a_planted_fault_sounds_in_few_campaigns(name: str) -> None:
    (catch,) = hunted(planted(name), ATTACK)
    assert catch.promise in (
        "only_what_was_ordered_sounds",
        "only_where_it_was_ordered",
        "only_a_server_of_today_tells_the_time",
    )
    assert catch.lives < 40  # of 450; ./run plant hunts every fault


@pytest.mark.deep
def test_a_failure_is_shrunk_and_told() -> None:
    with copied(planted("a signature is believed without being verified")) as root:
        done = run_in(root, "tests.redteam", "--seed", "6", "--campaigns", "6", "--minutes", "5")
    assert done.returncode == 1, done.stderr
    assert "BROKEN only_what_was_ordered_sounds" in done.stdout
    happened, _, names = done.stdout.partition("again: ./run redteam --campaign ")
    moves = re.findall(r">> (\S+) ", happened)
    assert len(moves) <= 3
    assert "move" in moves
    broken = re.findall(r"^campaign ([0-9]+): only_", names, re.MULTILINE)
    assert names.split()[0] in broken
    assert names.rstrip().endswith(f"unauthorised={len(broken)}")


@pytest.mark.parametrize("clocks", [(), ("chip",)], ids=["no clock", "a clock that lies"])
def test_a_restored_card_and_a_new_one_repeat_what_they_have_not_heard_yet(clocks: tuple[str, ...]) -> None:
    """What is promised of it, and no more: an emergency, within its validity (12.14), or with its date first (7.11)."""
    order = {"serial": 1, "kind": "job", "ward": "here", "cls": "emergency", "spoken": "Lũ!", "valid_ms": 600_000}
    happenings = (
        Happening(1_000, "copy_card", {"station": "dt-01"}),
        Happening(2_000, "order", {**order, "fate": {}}),
        Happening(60_000, "restore_card", {"station": "dt-01", "which": 0}),
        Happening(80_000, "move", {"name": "everything_again", "dice": 1}),
    )
    base = campaign(0)
    setting = Setting(stations=("dt-01",), stolen=(), begins_ms=0, after_ms=script.HOUR_MS, clocks=clocks)
    life = Life(replace(base, setting=setting, happenings=happenings))
    assert life.live() is None
    world = life.worlds["dt-01"]
    first, again, last = ({part.key for part in run.play.parts if isinstance(part, Sound)} for run in world.runs)
    assert (again, [world.headend.names[key] for key in last - first]) == (first, ["speech"])


def test_what_is_relayed_later_than_it_was_ordered_is_objected_to() -> None:
    """The campaigns seldom make a relay late by more than a minute: here a power cut does."""
    order = {"serial": 1, "kind": "job", "ward": "here", "cls": "normal", "source": wishes.SOURCES[0], "seconds": 60.0}
    when = {"when": "at", "in_s": 60, "late_s": 120, "fate": {}}
    happenings = (
        Happening(2_000, "order", order | when),
        Happening(50_000, "power_cut", {"station": "dt-01", "for_ms": 42_000}),
    )
    setting = Setting(stations=("dt-01",), stolen=(), begins_ms=0, after_ms=script.HOUR_MS)
    life = Life(replace(campaign(0), setting=setting, happenings=happenings))
    assert life.live() is None
    (run,) = life.worlds["dt-01"].runs
    (programme,) = life.ledger.programmes.values()
    heard = Heard(life, "dt-01", run)
    assert 20_000 < run.ends - run.begins < 40_000, "what it is late is not relayed"
    assert what_is_relayed_is_over_in_time(heard, programme) is None
    longer = replace(run.play, parts=tuple(replace(part, duration_ms=90_000) for part in run.play.parts))
    objection = what_is_relayed_is_over_in_time(replace(heard, run=replace(run, play=longer)), programme)
    assert objection is not None
    assert objection.startswith("relayed until")
