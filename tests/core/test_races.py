"""Races, each by its name: what is lost, late, doubled or overtaken on its way does what it would have done in order.

``test_arrival`` tries whole heaps in any order. Where the order does matter, a test here says so, and why it must.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core import standing
from edge_agent.core.events import Connected, DeviceUp, Restored
from edge_agent.core.order import Cancel
from edge_agent.core.past import UNHEARD_MAX
from edge_agent.core.units import JobId, UtcMs
from tests.core.arrivals import (
    BELIEVED,
    CANCELS,
    COMMANDS,
    DEPUTY,
    DOCUMENTS,
    JOBS,
    OFFICER,
    RULERS,
    RULES,
    Arrivals,
    after,
    at_hour,
    came,
    cancel,
    command,
    job,
    sent_again,
    settled,
    timetable,
    ward,
)
from tests.core.bench import Bench, at_work
from tests.trust import makers
from tests.trust.makers import AREA, DAY_MS, HOUR_MS, NOON

PROVINCE, WARD = BELIEVED


def officer(**limits: Any) -> dict[str, Any]:
    """His role, with other limits."""
    return {**OFFICER, "limits": {**OFFICER["limits"], **limits}}


NARROWER = {
    "fewer classes": officer(classes=["normal"]),
    "less loud": officer(volume_max=5),
    "only offered": officer(offered=["normal", "priority"]),
    "one class only offered": officer(offered=["normal"]),
}
MIXED = timetable(
    1,
    makers.entry_dict("tin-sang", order=21, when=makers.rule_when()),
    makers.entry_dict("khan", order=22, when=makers.rule_when(times=["11:00:00"]), **{"class": "priority"}),
)
REGULATIONS = ("regulation 2", "regulation 3", "regulation 4, ahead")
TWO_ITEMS = [makers.clip_item(digest=digit * 64) for digit in "12"]
_CHO, _DINH = ({"areas": [AREA], "zones": [zone]} for zone in makers.ZONES)
AREA_TOPIC = f"loa/1/area/{AREA}/job"


def verdicts(station: Arrivals) -> list[tuple[str, str | None]]:
    """What it answered to all but the documents."""
    return station.answers()[len(BELIEVED) :]


def acknowledged(station: Arrivals) -> list[int]:
    """Which of the deliveries after the documents, counted from 1, in the order of their acknowledgement."""
    before = 1 + len(BELIEVED)  # a welcome
    return [ack.token.mid - before for ack in station.every(fx.Ack) if ack.token.mid > before]


# Identity: an id and the digest of what was signed, remembered for as long as it could come again


def test_an_order_with_a_lower_serial_number_after_a_higher_one_is_taken() -> None:
    station = after(job("chin", serial=9, when=at_hour(1)), job("hai", serial=2, when=at_hour(2)))
    assert verdicts(station) == [("accepted", None)] * 2
    assert station.state.jobs.keys() == {"chin", "hai"}


def test_one_order_on_two_topics_is_one_effect_and_two_acknowledgements() -> None:
    station = after()
    for topic in (makers.JOB_TOPIC, AREA_TOPIC):
        station.deliver(JOBS["chieu"], topic)
    assert verdicts(station) == [("accepted", None), ("known", "replayed")]
    assert acknowledged(station) == [1, 2]
    assert len(station.every(fx.SaveJob)) == 1


def test_a_copy_that_comes_before_the_first_is_on_the_disk_has_the_answer_of_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    station = after()
    with monkeypatch.context() as disk:
        disk.setattr(station, "_commit", lambda: None)
        station.deliver(JOBS["chieu"])
        station.deliver(JOBS["chieu"])
        assert (verdicts(station), acknowledged(station)) == ([], [])
    station._commit()
    assert verdicts(station) == [("accepted", None)]
    assert acknowledged(station) == [1, 2]


@pytest.mark.parametrize("restarted", [False, True])
def test_one_id_for_two_orders_belongs_to_whichever_came_first(restarted: bool) -> None:
    """Here the order does decide: two orders with one id are a mistake of whoever gives out ids, told by name."""
    for first, second in ((2, 3), (3, 2)):
        station = after(job("mot", when=at_hour(first)))
        station = station.restarted() if restarted else station
        station.deliver(job("mot", when=at_hour(second)))
        assert station.answers()[-1] == ("refused", "id_reused")
        assert station.state.jobs[JobId("mot")].job.when.at == NOON + first * HOUR_MS  # type: ignore[union-attr]


def test_an_order_that_is_over_is_not_taken_again_when_it_comes_again_after_a_restart() -> None:
    station = after(JOBS["chieu"], CANCELS["cancel of chieu"]).restarted()
    station.deliver(JOBS["chieu"])
    assert station.answers()[-1] == ("known", "replayed")
    assert station.state.jobs == {}


def test_ten_refused_messages_leave_the_window_free() -> None:
    """Ten places are all that a broker has for what nobody has acknowledged; a refusal takes none of them."""
    station = after()
    for_others = [job(f"doc-{number}", audience={"areas": ["vn/hue"]}) for number in range(10)]
    forbidden = [job(f"dem-{number}", when=at_hour(15 + number / 20)) for number in range(10)]  # past 03:00 at night
    for envelope in (*for_others, *forbidden, b"rubbish", JOBS["chieu"]):
        station.deliver(envelope)
    assert acknowledged(station) == list(range(1, 23))
    assert station.state.waiting_acks == {}


# Cancel: it names its order, is its issuer's, and is remembered until that order could not come any more


@pytest.mark.parametrize(
    ("target", "order", "by"),
    [
        ("chieu", JOBS["chieu"], "officer"),
        ("lich-chinh-1", RULES["timetable 1"], "officer"),
        ("tin-sang", RULES["timetable 1"], "officer"),
        ("am-luong", COMMANDS["volume"], "officer"),
        ("le-hoi", RULES["exception"], "owner"),
        ("dam-tang", RULES["silence"], "owner"),
        ("quy-che-1", RULES["regulation 1"], "owner"),
    ],
)
@pytest.mark.parametrize("restarted", [False, True])
def test_a_cancel_before_its_order_does_what_it_does_after_it(
    target: str, order: bytes, by: str, restarted: bool
) -> None:
    taken_back = cancel(target, 99, by)
    in_order, overtaken = after(order, taken_back), after(taken_back)
    overtaken = overtaken.restarted() if restarted else overtaken
    overtaken.deliver(order)
    assert settled(overtaken) == settled(in_order)
    assert settled(in_order) != settled(after(order))


def test_a_cancel_is_forgotten_with_the_end_of_what_it_names() -> None:
    station = after(cancel("chieu", 99))
    station.pass_s(30 * DAY_MS / 1_000 + 1)
    assert "huy-99" not in station.state.rules


@pytest.mark.parametrize("first", ["the order", "the cancel"])
def test_a_cancel_by_somebody_else_takes_nothing_back_whichever_comes_first(first: str) -> None:
    order, theirs = JOBS["chieu"], cancel("chieu", 99, "owner")
    station = after(*((order, theirs) if first == "the order" else (theirs, order)))
    assert "chieu" in station.state.jobs


@pytest.mark.parametrize(
    "order", [*permutations(("regulation 2", "regulation 3", "regulation 4, ahead"))], ids=" ".join
)
def test_until_the_day_of_a_regulation_that_was_signed_ahead_the_newest_one_before_it_holds(order: list[str]) -> None:
    station = after(*(RULES[name] for name in order))
    assert settled(station) == settled(after(*(RULES[name] for name in sorted(order))))
    in_force = standing.regulation_in_force(station.state, station.now)
    assert in_force is not None
    assert in_force.version == 3


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("order", [*permutations(("warning 1", "warning 2", "cancel"))], ids=" ".join)
def test_a_version_of_a_warning_that_was_taken_back_has_replaced_the_older_one_whatever_comes_first(
    order: tuple[str, ...], restarted: bool
) -> None:
    messages = {**JOBS, "cancel": cancel("lu-2", 99)}
    station = after()
    for name in order:
        station.deliver(messages[name])
        station = station.restarted() if restarted else station
    assert [known for known in station.state.jobs.values() if not known.called_off] == []


def test_a_version_that_was_only_offered_and_taken_back_has_replaced_none() -> None:
    """It takes the older one's place when it is chosen, and not before."""
    for order in ("offer", "cancel"), ("cancel", "offer"):
        station = after(JOBS["warning 1"])
        for name in order:
            envelope = JOBS["warning 2"] if name == "offer" else cancel("lu-2", 99)
            station.deliver(envelope, offered=name == "offer")
        assert station.restarted().state.jobs.keys() == station.state.jobs.keys() == {"lu-1"}


def test_a_version_of_a_timetable_that_was_taken_back_before_it_came_leaves_the_older_one_in_force() -> None:
    """Here the order does decide: after it came the older one had been replaced, and does not come back."""
    newer, older, taken_back = RULES["timetable 2"], RULES["timetable 1"], cancel("lich-chinh-2", 99)
    assert after(older, taken_back, newer).state.jobs.keys() == {"tin-sang", "nhac"}
    assert after(older, newer, taken_back).state.jobs.keys() == set()


# Versions


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        (RULES["timetable 2"], RULES["timetable 1"]),
        (RULES["regulation 2"], RULES["regulation 1"]),
        (JOBS["warning 2"], JOBS["warning 1"]),
        (COMMANDS["volume again"], COMMANDS["volume"]),
        (COMMANDS["rank again"], COMMANDS["rank"]),
        (COMMANDS["amplifier off"], COMMANDS["amplifier"]),
    ],
    ids=["timetable", "regulation", "series", "volume", "rank", "amplifier"],
)
@pytest.mark.parametrize("restarted", [False, True])
def test_an_older_version_after_a_newer_one_changes_nothing(newer: bytes, older: bytes, restarted: bool) -> None:
    others = (JOBS["sang"], JOBS["toi"], JOBS["dem"])
    late = after(*others, newer)
    late = late.restarted() if restarted else late
    late.deliver(older)
    assert settled(late) == settled(after(*others, older, newer))


def test_of_two_that_were_signed_in_the_same_millisecond_the_later_received_holds() -> None:
    """Between equals nothing else is left to decide."""
    one, other = (command(f"v-{volume}", {"what": "volume", "volume": volume}, 30) for volume in (40, 60))
    assert set(settled(after(one, other))["volumes"].values()) == {60}  # type: ignore[attr-defined]
    assert set(settled(after(other, one))["volumes"].values()) == {40}  # type: ignore[attr-defined]


# Trust documents and the orders that need them


def test_an_order_before_the_document_that_grants_its_role_is_taken_when_it_comes_again() -> None:
    station = came([JOBS["sang"], PROVINCE, JOBS["sang"], WARD])
    assert [reason for _, reason in station.answers()] == ["signature_invalid", None, "signature_invalid", None]
    station.deliver(JOBS["sang"])
    assert settled(station) == settled(after(JOBS["sang"]))


def test_documents_from_below_upwards_are_believed_when_they_have_come_often_enough() -> None:
    messages = [JOBS["sang"], WARD, PROVINCE]
    assert settled(sent_again(came(messages), messages)) == settled(after(JOBS["sang"]))


@pytest.mark.parametrize("first", ["the order", "the document"])
def test_an_order_of_a_revoked_key_is_over_whichever_comes_first(first: str) -> None:
    order, revoking = JOBS["the deputy's"], DOCUMENTS["ward without the deputy"]
    station = after(*((order, revoking) if first == "the order" else (revoking, order)))
    assert station.state.jobs == {}
    told = {record.record.reason for record in station.every(fx.CommitRecord)}
    assert told == ({"key_revoked"} if first == "the order" else set())


@pytest.mark.parametrize("narrower", NARROWER)
@pytest.mark.parametrize("restarted", [False, True])
def test_a_document_with_narrower_limits_binds_what_came_before_it_as_what_comes_after(
    narrower: str, restarted: bool
) -> None:
    """An entry does not outlive its timetable, which as a whole may not be ordered any more; an offer waits."""
    document = ward(2, [NARROWER[narrower], *RULERS])
    messages = [JOBS["sang"], JOBS["toi"], MIXED]
    before, behind = after(*messages, document), after(document, *messages)
    before = before.restarted() if restarted else before
    assert settled(before) == settled(behind)
    assert settled(before) != settled(after(*messages))


def test_who_may_plan_again_plans_what_he_had_only_offered() -> None:
    offers, plans = ward(2, [officer(offered=["normal"]), *RULERS]), ward(3, [OFFICER, *RULERS])
    station = after(offers, JOBS["sang"], MIXED, plans)
    assert settled(station) == settled(station.restarted()) == settled(after(JOBS["sang"], MIXED, offers, plans))
    assert not any(known.offered for known in station.state.jobs.values())


def test_a_warning_whose_signers_may_not_sound_for_so_long_any_more_is_not_repeated() -> None:
    warns = makers.job_role(role="warns", limits={"classes": ["emergency"], "validity_max_s": 1_800, "sound_max_s": 1})
    station = after(JOBS["warning 1"], ward(2, [OFFICER, warns]))
    assert station.state.jobs[JobId("lu-1")].accepted.sound_max_ms == 1_000


# All-clear, correction, choice


def test_a_warning_after_its_all_clear_never_sounds() -> None:
    station = after(JOBS["all-clear"], JOBS["warning 1"])
    assert verdicts(station) == [("refused", "not_heard_here"), ("refused", "superseded")]
    assert station.every(fx.StartPlay) == []


def test_a_warning_after_its_all_clear_never_sounds_after_a_restart_either() -> None:
    station = after(JOBS["all-clear"]).restarted()
    station.deliver(JOBS["warning 1"])
    assert station.answers()[-1] == ("refused", "superseded")


@pytest.mark.parametrize("restarted", [False, True])
def test_a_correction_before_what_it_corrects_keeps_it_silent(restarted: bool) -> None:
    """It was heard nowhere here, so nothing sounds, whichever comes first."""
    wrong = job("sai", when=at_hour(1))
    right = job("dung", corrects="sai", when={"kind": "now"}, not_before=NOON, not_after=NOON + 600_000)
    station = after(right)
    station = station.restarted() if restarted else station
    station.deliver(wrong)
    assert station.answers()[-1] == ("refused", "corrected")
    in_order = after(wrong, right)
    assert verdicts(in_order)[-1] == ("refused", "not_heard_here")
    assert settled(station) == settled(in_order)


def test_an_entry_that_was_corrected_once_is_in_force_again_with_the_next_timetable_and_after_a_restart() -> None:
    right = job("dung", corrects="tin-sang", when={"kind": "now"}, not_before=NOON, not_after=NOON + 600_000)
    for order in ((RULES["timetable 1"], right, RULES["timetable 2"]), (right, RULES["timetable 2"])):
        station = after(*order)
        assert "tin-sang" in station.state.jobs
        assert "tin-sang" in station.restarted().state.jobs


def test_corrections_that_are_refused_push_no_sound_out_of_the_days_limits() -> None:
    bench = at_work()
    heard = bench.playing(job_id="sang")
    bench.end(heard)
    for number in range(1_100):
        bench.order(job_id=f"d-{number}", corrects=f"sai-{number}")
    assert [sound.job_id for sound in bench.state.past if sound.zones] == [heard]
    assert len(bench.state.past) == 1 + UNHEARD_MAX


def test_a_version_that_was_taken_back_before_its_welcome_has_replaced_the_older_one_too() -> None:
    bench = Bench()
    bench.send(Restored((), (), {}, 0, 0, "e1"))
    bench.send(DeviceUp())
    bench.send(Connected(1, "ab" * 16))
    bench.welcome()
    given = {"class": "normal", "series": "nuoc"}
    bench.at(3_600, job_id="nuoc-1", version=1, **given)
    bench.state = replace(bench.state, welcomed=False)
    bench.at(3_600, job_id="nuoc-2", version=2, **given)
    bench.rule(Cancel(JobId("nuoc-2"), UtcMs(bench.now.utc + HOUR_MS)))
    bench.send(Connected(2, "cd" * 16))
    bench.welcome()
    assert bench.state.jobs == {}


def test_a_correction_by_somebody_else_silences_nothing() -> None:
    bench = at_work()
    bench.order(job_id="dung", corrects="sai", issuer="dai-ptth")
    assert bench.at(600, job_id="sai") in bench.state.jobs


CHOICE = {"what": "choose", "target": "chieu", "when": at_hour(3)}
DEPUTYS_DESK = makers.command_role(
    issuer="ban-phat-thanh", keyids=[makers.signer(DEPUTY).keyid], limits={"commands": ["choose"]}
)


@pytest.mark.parametrize("restarted", [False, True])
def test_what_a_revoked_key_has_chosen_is_an_offer_again(restarted: bool) -> None:
    roles = [officer(offered=["normal"]), makers.owner_role()]
    station = after(ward(2, [*roles, DEPUTYS_DESK]), JOBS["chieu"])
    station.deliver(command("chon", CHOICE, 10, by=DEPUTY, issuer="ban-phat-thanh"))
    assert not station.state.jobs[JobId("chieu")].offered
    station.deliver(ward(3, roles))
    station = station.restarted() if restarted else station
    assert station.state.jobs[JobId("chieu")].offered
    assert settled(station) == settled(after(ward(3, roles), JOBS["chieu"]))


@pytest.mark.parametrize("restarted", [False, True])
def test_a_choice_that_is_taken_back_was_none_whichever_comes_first(restarted: bool) -> None:
    offers = ward(2, [officer(offered=["normal"]), *RULERS])
    for order in permutations((command("chon", CHOICE, 10), cancel("chon", 99))):
        station = after(offers, JOBS["chieu"], *order)
        station = station.restarted() if restarted else station
        assert station.state.jobs[JobId("chieu")].offered


def test_a_choice_before_its_offer_is_refused_by_name_and_taken_when_it_comes_again() -> None:
    do = {"what": "choose", "target": "chieu", "when": at_hour(3)}
    station = after(command("chon", do, 10))
    assert verdicts(station) == [("refused", "unknown_job")]
    station.deliver(JOBS["chieu"], offered=True)
    station.deliver(command("chon", do, 10))
    assert station.answers()[-1] == ("accepted", None)
    assert not station.state.jobs[JobId("chieu")].offered
