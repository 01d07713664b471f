"""What counts as moved, failed and stuck, with and without a read-back (requirement S3)."""

from __future__ import annotations

import pytest

from edge_agent.core.events import RelayChanged, RelayFailed
from edge_agent.core.units import MonoMs, ZoneId
from edge_agent.relay.contacts import LOOK_EARLY_MS, LOOK_EVERY_MS, SETTLE_LOOK_MS, SETTLE_MS, Contacts
from edge_agent.relay.port import RelayError
from tests.fakes.relays import FakeRelays

A, B = ZoneId("a"), ZoneId("b")
T0 = MonoMs(1_000)


def at(ms: int) -> MonoMs:
    return MonoMs(T0 + ms)


def plain(**more) -> tuple[FakeRelays, Contacts]:
    relays = FakeRelays((A, B), **more)
    return relays, Contacts(relays, (A, B), T0)


def wired(**more) -> tuple[FakeRelays, Contacts]:
    relays = FakeRelays((A, B), wired=(A,), **more)
    return relays, Contacts(relays, (A, B), T0)


def test_every_relay_is_open_before_anything_else() -> None:
    relays, _ = plain(on=(A, B))
    assert relays.contacts == {A: False, B: False}


def test_where_not_one_relay_can_be_opened_at_the_start_the_process_ends() -> None:
    relays = FakeRelays((A, B), on=(A, B))
    relays.dead |= {A, B}
    with pytest.raises(RelayError, match=r"relay a: .*relay b: "):
        Contacts(relays, (A, B), T0)


def test_one_relay_that_cannot_be_opened_at_the_start_silences_no_other_zone() -> None:
    relays = FakeRelays((A, B), on=(A,))
    relays.dead.add(A)
    contacts = Contacts(relays, (A, B), T0)
    assert contacts.failing() == [RelayFailed(A, "relay a: the line does not answer")]
    assert contacts.switch(B, True, "order", at(5)) == [RelayChanged(B, True, "order", at(5))]
    relays.dead.clear()
    assert contacts.check(at(LOOK_EVERY_MS)) == [RelayChanged(A, False, "start", at(LOOK_EVERY_MS))]
    assert relays.contacts == {A: False, B: True}


def test_a_read_back_that_does_not_answer_at_the_start_is_told_at_the_first_look() -> None:
    relays = FakeRelays((A, B), wired=(A,))
    relays.mute.add(A)
    contacts = Contacts(relays, (A, B), T0)
    assert contacts.check(at(LOOK_EVERY_MS)) == [RelayFailed(A, "relay a: the read-back does not answer")]


def test_without_a_read_back_the_line_that_took_the_order_is_what_can_be_seen() -> None:
    relays, contacts = plain()
    assert contacts.switch(A, True, "order", at(5)) == [RelayChanged(A, True, "order", at(5))]
    assert relays.contacts[A]
    assert contacts.check(at(5_000)) == []
    assert contacts.next_check(at(5)) is None


def test_with_a_read_back_the_change_is_told_when_the_contact_shows_it() -> None:
    relays, contacts = wired()
    relays.stuck.add(A)
    assert contacts.switch(A, True, "order", at(5)) == []
    assert contacts.next_check(at(5)) is not None
    assert contacts.check(at(25)) == []
    relays.stuck.clear()
    relays.switch(A, True)
    assert contacts.check(at(45)) == [RelayChanged(A, True, "order", at(45))]
    assert contacts.check(at(65)) == []


def test_a_contact_that_does_not_close_in_time_is_a_failure_told_once() -> None:
    relays, contacts = wired()
    relays.stuck.add(A)
    contacts.switch(A, True, "order", T0)
    assert contacts.check(at(SETTLE_MS - 1)) == []
    assert contacts.check(at(SETTLE_MS)) == [RelayFailed(A, "does not close", False)]
    assert contacts.check(at(SETTLE_MS + 5_000)) == []
    assert contacts.failing() == [RelayFailed(A, "does not close", False)]


def test_a_second_order_that_fails_alike_is_answered_too() -> None:
    relays, contacts = wired()
    relays.stuck.add(A)
    for start in (0, 10_000):
        contacts.switch(A, True, "order", at(start))
        assert contacts.check(at(start + SETTLE_MS)) == [RelayFailed(A, "does not close", False)]


def test_a_relay_stuck_on_is_an_alarm_within_a_second_of_the_order_to_open() -> None:
    relays, contacts = wired()
    contacts.switch(A, True, "order", T0)
    relays.stuck.add(A)
    assert contacts.switch(A, False, "lease", at(5_000)) == []
    assert contacts.check(at(5_000 + SETTLE_MS)) == [RelayFailed(A, "stuck closed", True)]


def test_a_relay_found_stuck_on_at_the_start_is_known_to_whoever_connects_later() -> None:
    relays = FakeRelays((A, B), wired=(A,), on=(A,))
    relays.stuck.add(A)
    contacts = Contacts(relays, (A, B), T0)
    assert contacts.check(at(SETTLE_MS)) == [RelayFailed(A, "stuck closed", True)]
    assert contacts.failing() == [RelayFailed(A, "stuck closed", True)]


def test_a_relay_that_closes_by_itself_is_opened_again_at_the_next_look() -> None:
    """A surge has reset the chip that drives it: nobody has ordered anything, and nobody will."""
    relays, contacts = wired()
    contacts.check(at(SETTLE_MS))
    relays.contacts[A] = True
    assert contacts.check(at(LOOK_EVERY_MS + SETTLE_MS)) == [RelayFailed(A, "stuck closed", True)]
    next_look = at(2 * LOOK_EVERY_MS + SETTLE_MS)
    assert contacts.next_check(at(LOOK_EVERY_MS + SETTLE_MS)) == next_look
    assert contacts.check(next_look) == [RelayChanged(A, False, "start", next_look)]
    assert not relays.contacts[A]
    assert contacts.failing() == []


def test_a_relay_that_is_stuck_closed_is_told_to_open_with_every_look_until_it_does_and_said_once() -> None:
    relays, contacts = wired()
    contacts.switch(A, True, "order", T0)
    relays.stuck.add(A)
    contacts.switch(A, False, "max_on", at(500))
    said, told = [], 0
    for ms in range(500, 10_000, SETTLE_LOOK_MS):
        relays.told.clear()
        said += contacts.check(at(ms))
        told += relays.told.count((A, False))
    assert said == [RelayFailed(A, "stuck closed", True)]
    assert 9_500 // LOOK_EVERY_MS <= told <= 9_500 // (LOOK_EVERY_MS - LOOK_EARLY_MS)
    relays.stuck.clear()
    until = at(10_000 + LOOK_EVERY_MS)
    assert [(one.zone, one.on) for one in contacts.check(until) if isinstance(one, RelayChanged)] == [(A, False)]
    assert not relays.contacts[A]
    assert contacts.next_check(until) != until + SETTLE_LOOK_MS, "at rest again"


def test_a_stuck_relay_that_is_ordered_closed_is_not_opened_for_having_been_stuck() -> None:
    relays, contacts = wired()
    contacts.check(at(SETTLE_MS))
    relays.contacts[A] = True
    contacts.check(at(LOOK_EVERY_MS + SETTLE_MS))
    contacts.switch(A, True, "order", at(1_300))
    contacts.check(at(2 * LOOK_EVERY_MS + SETTLE_MS))
    assert relays.contacts[A]


def test_a_contact_that_leaves_its_place_by_itself_is_a_failure() -> None:
    relays, contacts = wired()
    contacts.switch(A, True, "order", T0)
    relays.contacts[A] = False
    assert contacts.check(at(LOOK_EVERY_MS + SETTLE_MS)) == [RelayFailed(A, "does not close", False)]
    relays.contacts[A] = True
    assert contacts.check(at(2 * LOOK_EVERY_MS + SETTLE_MS)) == []
    assert contacts.failing() == []


def test_a_line_that_refuses_to_close_fails_and_stays_open() -> None:
    relays, contacts = plain()
    relays.dead.add(A)
    assert contacts.switch(A, True, "order", T0) == [RelayFailed(A, "relay a: the line does not answer")]
    assert not contacts.wants(A)
    relays.dead.clear()
    assert contacts.check(at(LOOK_EVERY_MS)) == [RelayChanged(A, False, "order", at(LOOK_EVERY_MS))]
    assert not relays.contacts[A]


def test_a_line_that_refuses_to_open_is_tried_again_until_it_does() -> None:
    relays, contacts = plain()
    contacts.switch(A, True, "order", T0)
    relays.dead.add(A)
    assert contacts.switch(A, False, "max_on", at(500)) == [RelayFailed(A, "relay a: the line does not answer")]
    for ms in range(1_000, 10_000, 1_000):
        assert contacts.next_check(at(ms)) is not None
        assert contacts.check(at(ms)) == [], "said once"
    relays.dead.clear()
    assert contacts.check(at(10_000)) == [RelayChanged(A, False, "max_on", at(10_000))]
    assert not relays.contacts[A]
    assert contacts.next_check(at(10_000)) is None


def test_a_read_back_that_fails_is_told_once_and_clears_by_itself() -> None:
    relays, contacts = wired()
    relays.mute.add(A)
    assert contacts.switch(A, True, "order", T0) == [RelayFailed(A, "relay a: the read-back does not answer")]
    assert contacts.wants(A), "the line took the order: its end must still come"
    assert contacts.check(at(LOOK_EVERY_MS)) == []
    relays.mute.clear()
    contacts.check(at(3 * LOOK_EVERY_MS))
    assert contacts.failing() == []


def test_it_is_known_which_relays_were_opened_last_and_when() -> None:
    _, contacts = plain()
    contacts.switch(A, False, "order", at(0))
    assert contacts.opened() == [], "it was open"
    contacts.switch(A, True, "order", at(10))
    assert contacts.opened() == []
    contacts.switch(A, False, "max_on", at(20))
    contacts.switch(A, False, "order", at(30))
    assert contacts.opened() == [RelayChanged(A, False, "order", at(20))]


def test_a_failing_relay_does_not_touch_another_zones() -> None:
    relays, contacts = plain()
    relays.dead.add(A)
    contacts.switch(A, True, "order", T0)
    assert contacts.switch(B, True, "order", T0) == [RelayChanged(B, True, "order", T0)]
    assert contacts.check(at(5_000)) == []
    assert relays.contacts[B]


def test_an_order_that_changes_nothing_is_answered_all_the_same() -> None:
    _, contacts = wired()
    assert contacts.switch(A, False, "order", T0) == [RelayChanged(A, False, "order", T0)]
    assert contacts.switch(B, False, "order", T0) == [RelayChanged(B, False, "order", T0)]


def test_whoever_is_awake_shortly_before_a_look_is_due_takes_it_along() -> None:
    _, contacts = wired()
    contacts.check(at(LOOK_EVERY_MS))
    due = contacts.next_check(at(LOOK_EVERY_MS))
    assert due == at(2 * LOOK_EVERY_MS)
    contacts.check(at(2 * LOOK_EVERY_MS - LOOK_EARLY_MS - 1))
    assert contacts.next_check(at(0)) == due
    contacts.check(at(2 * LOOK_EVERY_MS - LOOK_EARLY_MS))
    assert contacts.next_check(at(0)) == at(3 * LOOK_EVERY_MS - LOOK_EARLY_MS)


def test_until_a_contact_has_settled_it_is_looked_at_soon() -> None:
    relays, contacts = wired()
    assert contacts.next_check(T0) == at(SETTLE_MS), "the first look after the start"
    relays.stuck.add(A)
    contacts.switch(A, True, "order", at(300))
    assert contacts.next_check(at(300)) == at(300 + SETTLE_LOOK_MS)


class Complaining(FakeRelays):
    """Closes a relay, and then says that it could not; opens as it should."""

    def switch(self, zone: ZoneId, on: bool) -> None:
        super().switch(zone, on)
        if on:
            raise RelayError(f"relay {zone}: the line does not answer")


def test_a_line_that_closes_and_then_complains_is_opened_at_once() -> None:
    relays = Complaining((A, B))
    contacts = Contacts(relays, (A, B), T0)
    assert contacts.switch(A, True, "order", T0) == [RelayFailed(A, "relay a: the line does not answer")]
    assert relays.edges == [(A, True), (A, False)]
    assert contacts.next_check(T0) is None, "it is open: nothing is left to try"
