"""What the judges must let pass at the boundaries that campaigns met, and what they must not, a moment beyond each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.core.effects import StartPlay
from edge_agent.core.programme import Pause
from edge_agent.core.units import MonoMs, ZoneId
from tests.redteam.creed import Creed
from tests.redteam.heard import CLOCK_MS, OBEYED_MS, Heard
from tests.redteam.ledger import Given
from tests.redteam.life import Life
from tests.redteam.lives import HERE, life, lived, order, run_of
from tests.redteam.memory import Memory
from tests.redteam.objections import (
    ARMED_MS,
    only_what_was_signed,
    quiet_hours_and_silences_are_kept,
)
from tests.redteam.offices import Offices
from tests.redteam.papers import WARD
from tests.redteam.script import HOUR_MS, MINUTE_MS
from tests.sim import BEGAN
from tests.soak.promises import Broken
from tests.soak.script import Happening
from tests.ward.card import Run

FIVE_TO_FIVE_MS = 68_100_000
WARNING = {"kind": "job", "ward": "here", "cls": "emergency", "spoken": "Lũ quét!", "valid_ms": 10 * MINUTE_MS}
BULLETIN = {"kind": "job", "ward": "here", "cls": "normal", "tone": "c", "seconds": 20.0, "when": "now"}


@pytest.mark.parametrize("lost_after_ms", [4, 5_000])
def test_a_document_may_be_lost_only_with_the_power_that_goes_at_once(lost_after_ms: int) -> None:
    """The dark does not count: of 10,000 campaigns one cut the power 4 ms after a document had come."""
    one = life()
    world = one.worlds[HERE]
    world.boot()
    one.run_until(5_000)
    before = world.disk.committed.trust
    one.ceremony("renew", {})
    one.run_until(5_040 + lost_after_ms)
    agent = world.agent
    assert agent is not None
    assert {head.version for head in agent.standing} == {1, 2}, "it is believed"
    one.power_cut(HERE, 2_000)
    world.disk.committed = replace(world.disk.committed, trust=before)
    if lost_after_ms < 1_000:
        one.run_until(20_000)
    else:
        with pytest.raises(Broken) as lost:
            one.run_until(20_000)
        assert lost.value.name == "a_document_that_counts_is_kept"


def test_a_lock_whose_key_was_revoked_before_the_card_was_copied_silences_nothing_on_the_copy() -> None:
    one = lived(
        order(5_000, 1, **WARNING | {"fate": {"lost": True}}),
        order(6_000, 2, kind="command", what="lock", for_s=600),
        Happening(6_500, "ceremony", {"name": "another_epoch", "fate": {}}),
        Happening(8_000, "copy_card", {"station": HERE}),
        Happening(48_000, "restore_card", {"station": HERE, "which": 0}),
    )
    run = run_of(one, "dong-thanh-1")
    (lock,) = one.ledger.of("lock")
    heard = Heard(one, HERE, run)
    since = heard.memory.since(lock.order_id, run.begins)
    assert since is not None
    assert 6_500 < since < run.begins, "the card that was put back knows of it"
    assert heard.revoked(lock, since) == since
    assert not any(begins < ends for begins, ends in heard.holds(lock) if begins > since)


def test_a_copy_knows_since_when_it_knew() -> None:
    memory = Memory()
    memory.obeys("lock", 100)
    memory.restored(300, memory.copied(200))
    assert [*memory.before("lock", 300)] == [(100, 200)]
    memory.restored(500, memory.copied(400))
    assert [*memory.before("lock", 500)] == [(300, 400), (100, 200)]
    memory.restored(600, None)
    memory.obeys("lock", 600)
    assert [*memory.before("lock", 600)] == []


def test_what_an_exception_let_sound_ends_with_the_exceptions_key_and_not_later() -> None:
    """It had sounded for 21 ms more when the document came that took the key away."""
    at = FIVE_TO_FIVE_MS
    one = lived(
        order(at, 4, kind="window", kind_of="exception", from_s=0, to_s=600),
        order(at + 1_000, 5, **BULLETIN),
        Happening(at + 10_000, "ceremony", {"name": "another_epoch", "fate": {}}),
        begins_ms=at - 5_000,
    )
    run = run_of(one, "dong-thanh-5")
    assert run.stopped is not None
    assert run.ends - run.begins < 10_000, "it is cut off"
    programme = one.ledger.programmes["dong-thanh-5"]
    assert quiet_hours_and_silences_are_kept(Heard(one, HERE, run), programme) is None
    longer = replace(run, stopped=run.stopped + OBEYED_MS)
    assert quiet_hours_and_silences_are_kept(Heard(one, HERE, longer), programme) == "quiet from 21:00 to 05:00"


def test_what_begins_before_a_regulation_by_a_clock_that_is_behind_is_not_forbidden_by_it() -> None:
    """Its welcome was on its way for five seconds, so its clock was half of that behind: it could not know better."""
    at = 39_513_400  # 20:58
    one = life(
        Happening(at - 40_150, "welcomes", {"station": HERE, "late_ms": 4_900, "for_ms": 30_000}),
        Happening(at - 29_807, "power_cut", {"station": HERE, "for_ms": 5_000}),
        order(at, 6, **BULLETIN | {"when": "now", "valid_ms": 120_000}),
        order(at + 50, 7, kind="regulation", quiet=("20:00", "05:00")),
        begins_ms=at - 273_400,
        clocks=("chip",),
    )
    assert one.live() is None
    run = run_of(one, "dong-thanh-6")
    programme = one.ledger.programmes["dong-thanh-6"]
    (regulation,) = [one for one in one.ledger.of("regulation") if one.order_id == "quy-che-7"]
    assert Heard(one, HERE, run).knew(regulation)
    regulation.payload["not_before"] -= CLOCK_MS
    assert quiet_hours_and_silences_are_kept(Heard(one, HERE, run), programme) == "quiet from 20:00 to 05:00"


def test_a_copy_that_is_put_in_the_place_of_a_new_card_is_the_copy() -> None:
    """The new one was to be found empty at the next start, and emptied the copy that was there by then."""
    one = life()
    world = one.worlds[HERE]
    world.boot()
    one.run_until(5_000)
    one.copy_card(HERE)
    one.factory_reset(HERE)
    one.run_until(5_050)
    one.restore_card(HERE, 0)
    one.run_until(20_000)
    assert world.agent is not None
    assert world.disk.kept == [], "nothing was put aside"


def test_a_rule_that_is_revoked_in_the_ms_in_which_it_is_obeyed_holds_no_more() -> None:
    """It had waited; then the time was known, and the next message ended the epoch that its key was of."""
    one = life(order(0, 1, kind="regulation", quiet=("00:00", "00:00")))
    one.order(**one.script.happenings[0].args)
    (rule,) = one.ledger.of("regulation")
    offices = Offices(lambda: BEGAN)
    stands = Creed.begun(WARD, offices.trust_file(WARD))
    province, ward, *_ = (document for _, document in offices.another_epoch())
    void = stands.taking(province)
    assert void is not None
    signed_anew = void.taking(ward)
    assert signed_anew is not None
    memory = one.memories[HERE]
    memory.believes(0, stands)
    assert held(one, rule, 5_000), "so that this can fail"
    memory.believes(5_000, void)
    memory.believes(5_000, signed_anew)
    assert not held(one, rule, 5_000)


def held(one: Life, rule: Given, since: int) -> bool:
    """Whether a rule that was obeyed from then on still is when something sounds later."""
    memory = one.memories[HERE]
    memory.obeys(rule.order_id, since)
    later = StartPlay("later", (Pause(MINUTE_MS),), (), MonoMs(0))
    return Heard(one, HERE, Run(later, since + MINUTE_MS, [], one.worlds[HERE].air)).knew(rule)


def test_a_warning_may_say_its_date_where_the_time_came_while_its_zones_were_switched_on() -> None:
    """It had waited for its zone, and the first welcome of the start came in the second in which the relays closed."""
    happenings = (
        Happening(1_000, "no_welcomes", {"station": HERE, "for_ms": HOUR_MS}),
        Happening(1_001, "power_cut", {"station": HERE, "for_ms": 500}),
        order(10_000, 1, **WARNING),
    )
    one = life(*happenings, clocks=("ntp",))
    one.worlds[HERE].boot()
    for happening in happenings:
        one.run_until(happening.at_ms)
        getattr(one, happening.what)(**happening.args)
    one.run_until(2 * MINUTE_MS)
    run = run_of(one, "dong-thanh-1")
    programme = one.ledger.programmes["dong-thanh-1"]
    heard = Heard(one, HERE, run)
    assert not heard.belief.dates
    assert only_what_was_signed(heard, programme) is None
    heard.memory.beliefs[run.play.play_id] = [replace(heard.belief, signed=True)]
    objection = only_what_was_signed(heard, programme)
    assert objection is not None
    assert objection.startswith("other sounds")
    heard.memory.told.append(run.begins - ARMED_MS)
    assert only_what_was_signed(heard, programme) is None


def test_a_zone_that_a_silence_took_out_before_the_first_sample_has_heard_nothing() -> None:
    """Its relay had closed with the others, and opened again in the same second."""
    one = lived(
        order(6_000, 4, **BULLETIN | {"when": "at", "in_s": 54}),
        order(58_820, 5, kind="window", kind_of="silence", from_s=-60, to_s=600, zones=("cho",)),
    )
    run, programme = run_of(one, "dong-thanh-4"), one.ledger.programmes["dong-thanh-4"]
    assert Heard(one, HERE, run).zones == {"dinh"}
    assert any("cho" in routed for _, routed in run.routes), "it was meant"
    (silence,) = one.ledger.of("window")
    assert quiet_hours_and_silences_are_kept(Heard(one, HERE, run), programme) is None
    both = replace(run, routes=[(0, frozenset({ZoneId("cho"), ZoneId("dinh")}))])
    assert quiet_hours_and_silences_are_kept(Heard(one, HERE, both), programme) == f"silenced by {silence.order_id}"
