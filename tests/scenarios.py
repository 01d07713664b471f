"""What a ward expects of its station, written once and run on every rig (``tests/rig.py``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edge_agent.core.programme import CLOSING_MS, ITEM_GAP_MS, OPENING_MS
from tests.rig import ATTENTION, CHIME, LEFT, RIGHT, SPEECH, Heard, Order, Relay, Rig, Tampering, Tone

Scenario = Callable[[Rig], None]

BULLETIN = Tone("a", 6.0)
LONG = Tone("b", 20.0)
LEAST_OFF_S = 8
STAGGER_S = 1
RECONNECT_S_MAX = 150
# Full jitter up to 120 s, and a handshake.


def bulletin_is_heard_on_both_zones_on_time(rig: Rig) -> None:
    """Amplifiers are warm before the first sample, relays open after the last, nothing is clipped (S1, S2, B5)."""
    rig.switch_on()
    rig.run_until(1)
    job = rig.publish(Order(at_s=8, recurring=True, tones=(BULLETIN,)))
    rig.run_until(18)
    for zone in (LEFT, RIGHT):
        (sound,) = sounds(rig, zone)
        assert sound.what == "a"
        near(rig, sound.start_s, 8)
        near(rig, sound.end_s, 14)
        on, off = [edge for edge in rig.relay_edges() if edge.zone == zone]
        assert on.on
        assert not off.on
        assert on.at_s <= sound.start_s - rig.warm_up_s
        assert off.at_s >= sound.end_s - 0.010, "the relay opened before the last sample had left"
        assert off.at_s - sound.end_s < 1.5 + rig.tolerance_s
    (record,) = records_of(rig, job)
    assert (record["outcome"], record["reason"]) == ("succeeded", None)
    assert record["planned_ms"] == 6000
    assert abs(record["played_ms"] - 6000) <= 50
    assert record["evidence"] == 3


def emergency_cuts_in_and_the_zone_rejoins(rig: Rig) -> None:
    """An emergency for one zone sounds there at once; the other zone plays on; the first one rejoins (B1, B11, B13)."""
    rig.switch_on()
    rig.run_until(1)
    job = rig.publish(Order(at_s=10, tones=(Tone("b", 24.0),)))  # its sound is staged in time on the slowest bench
    rig.run_until(13)
    flood = rig.publish(Order(cls="emergency", spoken="Lũ quét! Bà con rời nhà ngay.", zones=(LEFT,)))
    rig.run_until(38)
    assert [sound.what for sound in sounds(rig, LEFT)] == ["b", ATTENTION, SPEECH, "b"]
    (whole,) = sounds(rig, RIGHT)
    assert whole.what == "b"
    near(rig, whole.end_s, 34)
    near(rig, sounds(rig, LEFT)[-1].end_s, 34)  # it rejoins a programme whose own time went on
    assert [edge.on for edge in rig.relay_edges() if edge.zone == LEFT] == [True, False], "one relay cycle"
    (warning,) = records_of(rig, flood)
    assert (warning["outcome"], warning["cls"]) == ("succeeded", "emergency")
    (bulletin,) = records_of(rig, job)
    assert bulletin["outcome"] == "succeeded"
    parts = {zone["zone"]: zone for zone in bulletin["zones"]}
    assert parts[LEFT]["reason"] == "preempted"
    assert parts[LEFT]["played_ms"] < parts[RIGHT]["played_ms"]
    assert parts[RIGHT]["reason"] is None


def emergency_ends_a_programme_that_drops(rig: Rig) -> None:
    """With the policy ``drop`` the zone stays out after the emergency, and its relay opens (B13)."""
    rig.switch_on()
    rig.run_until(1)
    job = rig.publish(Order(at_s=6, tones=(LONG,), preemption="drop"))
    rig.run_until(9)
    rig.publish(Order(cls="emergency", spoken="Cháy lớn.", zones=(LEFT,)))
    rig.run_until(30)
    assert [sound.what for sound in sounds(rig, LEFT)] == ["b", ATTENTION, SPEECH]
    assert [sound.what for sound in sounds(rig, RIGHT)] == ["b"]
    (record,) = records_of(rig, job)
    assert record["outcome"] == "succeeded"


def emergency_for_all_zones_ends_the_bulletin(rig: Rig) -> None:
    """Where nobody is left to hear it, the bulletin is over, with its reason (B13, B14)."""
    rig.switch_on()
    rig.run_until(1)
    job = rig.publish(Order(at_s=6, tones=(LONG,)))
    rig.run_until(9)
    rig.publish(Order(cls="emergency", spoken="Sơ tán ngay."))
    rig.run_until(22)
    for zone in (LEFT, RIGHT):
        assert [sound.what for sound in sounds(rig, zone)] == ["b", ATTENTION, SPEECH]
    (record,) = records_of(rig, job)
    assert (record["outcome"], record["reason"]) == ("interrupted", "preempted")
    assert 0 < record["played_ms"] < 20_000


def a_warning_sounds_without_its_siren_where_the_server_has_altered_that(rig: Rig) -> None:
    """What the station can say by itself is at no server's mercy, and the record says what was left out (B1, U2)."""
    rig.switch_on()
    rig.run_until(1)
    siren = Tone("c", 4.0)
    job = rig.publish(Order(cls="emergency", spoken="Sơ tán ngay.", tones=(siren,)), Tampering(altered_audio=True))
    rig.run_until(16)
    for zone in (LEFT, RIGHT):
        assert [sound.what for sound in sounds(rig, zone)] == [ATTENTION, SPEECH]
    (record,) = records_of(rig, job)
    assert (record["outcome"], record["reason"], record["detail"]) == ("succeeded", None, "part_left_out")


def wrong_orders_move_no_relay(rig: Rig) -> None:
    """Forged, for another ward, altered on the server, or correctly signed for 03:15: refused by name (B10, U2)."""
    rig.switch_on()
    rig.run_until(1)
    forged = rig.publish(Order(tones=(BULLETIN,)), Tampering(forged=True))
    other = rig.publish(Order(tones=(BULLETIN,)), Tampering(other_ward=True))
    night = rig.publish(Order(tones=(BULLETIN,)), Tampering(wall_time="03:15:00"))
    altered = rig.publish(Order(tones=(Tone("c", 4.0),)), Tampering(altered_audio=True))
    rig.run_until(10)
    refused = {(answer["job_id"], answer["reason"]) for answer in rig.told().answers if answer["verdict"] == "refused"}
    assert ("", "signature_invalid") in refused, f"{forged} was not called forged"
    assert (other, "wrong_audience") in refused
    assert (night, "quiet_hours") in refused
    (record,) = records_of(rig, altered)
    assert (record["outcome"], record["reason"]) == ("failed", "audio_altered")
    assert [record["reason"] for record in records_of(rig, night)] == ["quiet_hours"]
    assert rig.relay_edges() == []
    assert rig.heard() == []


def replayed_order_sounds_once(rig: Rig) -> None:
    """The same bytes again have no effect, whether the order has sounded or not."""
    rig.switch_on()
    rig.run_until(1)
    job = rig.publish(Order(at_s=10, tones=(Tone("a", 3.0),)))
    rig.run_until(6)  # on the disk by now on the slowest bench: a copy that comes before that has no answer of its own
    rig.replay(job)
    rig.run_until(15)
    rig.replay(job)
    rig.run_until(20)
    verdicts = [(answer["verdict"], answer["reason"]) for answer in rig.told().answers if answer["job_id"] == job]
    assert verdicts == [("accepted", None), ("known", "replayed"), ("known", "replayed")]
    assert len(sounds(rig, LEFT)) == 1
    assert len(records_of(rig, job)) == 1


def killed_agent_leaves_no_relay_on_and_is_not_repeated(rig: Rig) -> None:
    """SIGKILL while it plays: relays open at once; after the restart the record says so, nothing repeats (S3, U4)."""
    rig.switch_on()
    rig.run_until(1)
    job = rig.publish(Order(at_s=6, tones=(LONG,)))
    rig.run_until(10)
    rig.kill_agent()
    rig.run_until(12)
    for zone in (LEFT, RIGHT):
        on, off = [edge for edge in rig.relay_edges() if edge.zone == zone]
        assert (on.on, off.on) == (True, False)
        assert 10 - rig.tolerance_s <= off.at_s <= 11.5 + rig.tolerance_s
    rig.switch_on()
    rig.run_until(20)
    assert len([edge for edge in rig.relay_edges() if edge.on]) == 2
    (record,) = records_of(rig, job)
    assert (record["outcome"], record["reason"], record["played_ms"]) == ("interrupted", "power_cut", None)


def job_survives_a_power_cut_before_it_is_due(rig: Rig) -> None:
    """What was acknowledged is there after the power comes back, and sounds on time."""
    rig.switch_on()
    rig.run_until(1)
    job = rig.publish(Order(at_s=14, tones=(Tone("a", 3.0),)))
    rig.run_until(4)
    assert [answer["verdict"] for answer in rig.told().answers if answer["job_id"] == job] == ["accepted"]
    rig.cut_power()
    rig.run_until(6)
    rig.switch_on()
    rig.run_until(20)
    (sound,) = sounds(rig, LEFT)
    near(rig, sound.start_s, 14)
    (record,) = records_of(rig, job)
    assert record["outcome"] == "succeeded"


def timetable_plays_on_without_a_network(rig: Rig) -> None:
    """The network is gone: staged audio plays on time, and its record arrives once, later (O1, U4)."""
    rig.switch_on()
    rig.run_until(1)
    job = rig.publish(Order(at_s=9, tones=(Tone("a", 3.0),)))
    rig.run_until(5)
    rig.cut_network()
    rig.run_until(15)
    (sound,) = sounds(rig, LEFT)
    near(rig, sound.start_s, 9)
    assert records_of(rig, job) == []
    rig.restore_network()
    rig.run_until_told(job, RECONNECT_S_MAX)
    assert len(records_of(rig, job)) == 1


def nothing_new_sounds_before_the_welcome(rig: Rig) -> None:
    """A station that does not know the time plays no timetable by it; the welcome lets it (O3)."""
    rig.switch_on(welcome=False)
    rig.run_until(1)
    job = rig.publish(Order(at_s=4, tones=(Tone("a", 3.0),)))
    rig.run_until(15)
    assert rig.relay_edges() == []
    rig.allow_welcome()
    rig.run_until(16)
    later = rig.publish(Order(at_s=21, tones=(Tone("a", 3.0),)))
    rig.run_until(27)
    (sound,) = sounds(rig, LEFT)
    near(rig, sound.start_s, 21)
    assert [record["outcome"] for record in records_of(rig, later)] == ["succeeded"]
    assert [record["outcome"] for record in records_of(rig, job)] == ["missed"]


def a_lock_and_a_stop_silence_what_sounds(rig: Rig) -> None:
    """Somebody goes up to a horn: nothing sounds there, emergency included; a stop ends the rest (S7, B16)."""
    rig.switch_on()
    rig.run_until(1)
    job = rig.publish(Order(at_s=6, tones=(Tone("b", 24.0),)))
    rig.run_until(9)
    rig.command((LEFT,), what="lock", for_s=3600)
    rig.run_until(12)
    flood = rig.publish(Order(cls="emergency", spoken="Lũ quét!", zones=(LEFT,)))
    rig.run_until(13)
    rig.command(what="stop")
    rig.run_until(16)
    (left,), (right,) = sounds(rig, LEFT), sounds(rig, RIGHT)
    assert 9 - rig.tolerance_s <= left.end_s <= 10 + rig.tolerance_s
    assert 13 - rig.tolerance_s <= right.end_s <= 14 + rig.tolerance_s
    (record,) = records_of(rig, job)
    assert (record["outcome"], record["reason"]) == ("interrupted", "stopped")
    assert {zone["zone"]: zone["reason"] for zone in record["zones"]} == {LEFT: "zone_locked", RIGHT: "stopped"}
    assert [record["reason"] for record in records_of(rig, flood)] == ["zone_locked"]


def what_is_paused_goes_on_where_it_was(rig: Rig) -> None:
    """A pause holds a programme, and its rest follows: nothing is left out, nothing repeated (B16)."""
    rig.switch_on()
    rig.run_until(1)
    job = rig.publish(Order(at_s=6, tones=(Tone("b", 9.0),)))
    rig.run_until(10)
    rig.command(what="pause", for_s=60)
    rig.run_until(12)
    assert not [edge for edge in rig.relay_edges() if edge.on and edge.at_s > 10], "nothing is on while it is paused"
    rig.command(what="resume")
    rig.run_until(22)
    for zone in (LEFT, RIGHT):
        first, rest = sounds(rig, zone)
        assert {first.what, rest.what} == {"b"}
        assert abs(first.end_s - first.start_s + rest.end_s - rest.start_s - 9.0) <= 2 * rig.tolerance_s
        assert rest.start_s >= 12
    (record,) = records_of(rig, job)
    assert (record["outcome"], record["planned_ms"]) == ("succeeded", 9000)
    assert abs(record["played_ms"] - 9000) <= 50


def the_wards_own_rules_come_before_an_ordinary_order(rig: Rig) -> None:
    """A silence keeps a zone out, a new regulation the next order, and an emergency passes both (B10, N6)."""
    rig.switch_on()
    rig.run_until(1)
    rig.window("silence", 0, 3600, (RIGHT,))
    rig.run_until(2)
    job = rig.publish(Order(tones=(Tone("a", 3.0),)))
    rig.run_until(9)
    rig.regulate(session_s=1)
    rig.run_until(10)
    refused = rig.publish(Order(tones=(Tone("a", 3.0),)))
    flood = rig.publish(Order(cls="emergency", spoken="Lũ quét!"))
    rig.run_until(24)
    (record,) = records_of(rig, job)
    assert {zone["zone"]: zone["reason"] for zone in record["zones"]} == {LEFT: None, RIGHT: "zone_silenced"}
    assert [record["reason"] for record in records_of(rig, refused)] == ["session_too_long"]
    assert [record["outcome"] for record in records_of(rig, flood)] == ["succeeded"]
    assert [sound.what for sound in sounds(rig, LEFT)] == ["a", ATTENTION, SPEECH]
    assert [sound.what for sound in sounds(rig, RIGHT)] == [ATTENTION, SPEECH]


def an_ordinary_programme_is_framed_by_chimes_and_an_emergency_is_not(rig: Rig) -> None:
    """The chime sounds at the planned instant, the items behind it, another chime behind them (N6); one relay cycle.

    Two programmes back to back are framed once, and the second is on time all the same.
    """
    rig.switch_on()
    rig.run_until(1)
    first = rig.publish(Order(at_s=12, tones=(Tone("a", 10.0),)))
    second = rig.publish(Order(at_s=22, tones=(Tone("c", 6.0),)))
    rig.run_until(36)
    flood = rig.publish(Order(cls="emergency", spoken="Lũ quét!"))
    rig.run_until(52)
    words_s, pause_s = (OPENING_MS + ITEM_GAP_MS) / 1000, ITEM_GAP_MS / 1000
    for zone in (LEFT, RIGHT):
        chime, item, other, closing, *warning = sounds(rig, zone)
        assert [one.what for one in (chime, item, other, closing)] == [CHIME, "a", "c", CHIME]
        assert [one.what for one in warning] == [ATTENTION, SPEECH]
        assert 12 - rig.tolerance_s <= chime.start_s <= 12.2 + rig.tolerance_s, "it rises out of silence"
        near(rig, item.start_s, 12 + words_s)
        near(rig, item.end_s, 22 + words_s)
        assert other.start_s - item.end_s < 1
        near(rig, closing.start_s, other.end_s + pause_s)
        assert closing.end_s - closing.start_s >= CLOSING_MS / 1000 - 0.3
        assert [edge.on for edge in rig.relay_edges() if edge.zone == zone][:2] == [True, False]
    told = [
        (one["planned_ms"], one["chimes_ms"], one["outcome"]) for job in (first, second) for one in records_of(rig, job)
    ]
    assert told == [
        (10_000 + OPENING_MS + ITEM_GAP_MS, OPENING_MS + ITEM_GAP_MS, "succeeded"),
        (6_000 + ITEM_GAP_MS + CLOSING_MS, ITEM_GAP_MS + CLOSING_MS, "succeeded"),
    ]
    (warned,) = records_of(rig, flood)
    assert (warned["outcome"], warned["chimes_ms"]) == ("succeeded", 0)


def neighbours_speak_one_after_the_other_and_warn_at_once(rig: Rig) -> None:
    """Chimes in both zones at once, the items first in one and then in the other, an emergency at once again (S8)."""
    rig.switch_on()
    rig.run_until(1)
    job = rig.publish(Order(at_s=12, tones=(Tone("a", 5.0), Tone("c", 3.0))))
    rig.run_until(38)
    flood = rig.publish(Order(cls="emergency", spoken="Lũ quét!"))
    rig.run_until(54)
    words_s, pause_s, items_s = (OPENING_MS + ITEM_GAP_MS) / 1000, ITEM_GAP_MS / 1000, 8.0
    turns = {LEFT: 12 + words_s, RIGHT: 12 + words_s + items_s + STAGGER_S}
    for zone, turn_s in turns.items():
        chime, item, other, closing, *warning = sounds(rig, zone)
        assert [one.what for one in (chime, item, other, closing)] == [CHIME, "a", "c", CHIME]
        assert [one.what for one in warning] == [ATTENTION, SPEECH]
        assert 12 - rig.tolerance_s <= chime.start_s <= 12.2 + rig.tolerance_s, "it rises out of silence"
        near(rig, item.start_s, turn_s)
        near(rig, other.end_s, turn_s + items_s)
        near(rig, closing.start_s, turns[RIGHT] + items_s + pause_s)
        assert [edge.on for edge in rig.relay_edges() if edge.zone == zone][:2] == [True, False], "one relay cycle"
    for here, there in zip(sounds(rig, LEFT)[4:], sounds(rig, RIGHT)[4:], strict=True):
        near(rig, here.start_s, there.start_s)
    (record,) = records_of(rig, job)
    ordered_ms = OPENING_MS + ITEM_GAP_MS + 8_000 + ITEM_GAP_MS + CLOSING_MS
    assert (record["outcome"], record["planned_ms"]) == ("succeeded", ordered_ms)
    for zone in record["zones"]:
        assert abs(zone["played_ms"] - ordered_ms) <= 50
    (warned,) = records_of(rig, flood)
    assert warned["outcome"] == "succeeded"


def a_live_source_is_relayed_and_replaced_while_it_gives_nothing(rig: Rig) -> None:
    """On time, for as long as was ordered, with what was heard of it in the record (B6)."""
    rig.switch_on()
    rig.run_until(1)
    rig.source("b", gives=True)
    job = rig.publish(Order(at_s=18, relay=Relay("b", 26.0, Tone("a", 30.0))))
    rig.run_until(26)
    rig.source("b", gives=False)
    rig.run_until(34)
    rig.source("b", gives=True)
    rig.run_until(47)
    for zone in (LEFT, RIGHT):
        assert [sound.what for sound in sounds(rig, zone)] == ["b", "a", "b"]
        near(rig, sounds(rig, zone)[0].start_s, 18)
        near(rig, sounds(rig, zone)[-1].end_s, 44)
        assert [edge.on for edge in rig.relay_edges() if edge.zone == zone] == [True, False], "one relay cycle"
    (record,) = records_of(rig, job)
    assert record["outcome"] == "succeeded"
    relayed = record["relayed"]
    assert isinstance(relayed, dict)
    assert abs(sum(relayed.values()) - 26_000) <= 50
    assert relayed["live_ms"] >= 12_000
    assert 3_000 <= relayed["stand_in_ms"] <= 12_000
    assert relayed["silent_ms"] <= 2_000


def no_emergency_waits_for_a_relay_that_rests(rig: Rig) -> None:
    """Both relays have opened just now: an ordinary programme lets its own rest, a warning closes it at once (S3)."""
    rig.switch_on()
    rig.run_until(1)
    rig.publish(Order(at_s=6, tones=(Tone("a", 3.0),)))
    rig.run_until(10.6)
    flood = rig.publish(Order(cls="emergency", spoken="Lũ quét!", zones=(LEFT,)))
    job = rig.publish(Order(tones=(Tone("b", 3.0),), zones=(RIGHT,)))
    rig.run_until(9 + LEAST_OFF_S + 12)
    (_, opened, warned, _), (_, rests, closed, _) = (
        [edge for edge in rig.relay_edges() if edge.zone == zone] for zone in (LEFT, RIGHT)
    )
    assert warned.at_s - opened.at_s < LEAST_OFF_S - 2
    assert LEAST_OFF_S - rig.tolerance_s <= closed.at_s - rests.at_s < LEAST_OFF_S + 2
    assert [sound.what for sound in sounds(rig, LEFT)] == ["a", ATTENTION, SPEECH]
    assert [sound.what for sound in sounds(rig, RIGHT)] == ["a", "b"]
    for one in (flood, job):
        (record,) = records_of(rig, one)
        assert (record["outcome"], record["reason"]) == ("succeeded", None)


FITTED: Mapping[Scenario, Mapping[str, Any]] = {
    an_ordinary_programme_is_framed_by_chimes_and_an_emergency_is_not: {"framed": True},
    no_emergency_waits_for_a_relay_that_rests: {"least_off_ms": LEAST_OFF_S * 1000},
    neighbours_speak_one_after_the_other_and_warn_at_once: {"framed": True, "stagger_ms": STAGGER_S * 1000},
}
"""How the station of a scenario differs from that of the others: no chimes, no relay that rests, all speak at once."""
ALL: tuple[Scenario, ...] = (
    *FITTED,
    a_live_source_is_relayed_and_replaced_while_it_gives_nothing,
    a_lock_and_a_stop_silence_what_sounds,
    what_is_paused_goes_on_where_it_was,
    the_wards_own_rules_come_before_an_ordinary_order,
    bulletin_is_heard_on_both_zones_on_time,
    emergency_cuts_in_and_the_zone_rejoins,
    emergency_ends_a_programme_that_drops,
    emergency_for_all_zones_ends_the_bulletin,
    a_warning_sounds_without_its_siren_where_the_server_has_altered_that,
    wrong_orders_move_no_relay,
    replayed_order_sounds_once,
    killed_agent_leaves_no_relay_on_and_is_not_repeated,
    job_survives_a_power_cut_before_it_is_due,
    timetable_plays_on_without_a_network,
    nothing_new_sounds_before_the_welcome,
)


def sounds(rig: Rig, zone: str) -> list[Heard]:
    """What was heard in a zone, in order."""
    return sorted((one for one in rig.heard() if one.zone == zone), key=lambda one: one.start_s)


def records_of(rig: Rig, job_id: str) -> list[dict[str, object]]:
    """The as-run records of a job, as the headend holds them."""
    return [record for record in rig.told().records if record["job_id"] == job_id]


def near(rig: Rig, seen_s: float, meant_s: float) -> None:
    """Within the rig's own tolerance."""
    assert abs(seen_s - meant_s) <= rig.tolerance_s, f"{seen_s:.3f} s is not {meant_s:.3f} s ± {rig.tolerance_s} s"
