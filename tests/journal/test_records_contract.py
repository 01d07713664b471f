"""What every journal promises of records: one chain without a gap, what is read back of it, and how long it stays."""

from __future__ import annotations

import pytest

from edge_agent.core.as_run import Evidence, RecordKind, ZoneAsRun
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.effects import NewChain
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.past import Sounded
from edge_agent.core.reasons import Reason
from edge_agent.core.units import DAY_MS, JobId, UtcMs, ZoneId
from edge_agent.journal.port import PAST_READ_MAX, RECORD_KEEP_MS, REFUSALS_AMONG, UNHEARD_AMONG, Journal
from edge_agent.journal.record import ChainPoint, verify_chain
from tests.journal.rigs import Rig, transaction
from tests.journal.samples import NOON, record_of, save_job


def test_records_form_one_gapless_chain_over_transactions_and_boots(rig: Rig) -> None:
    made = []
    for boot in range(3):
        with transaction(rig.boot()) as journal:
            made += [journal.append(record_of(f"{boot}-{number}"), None, job_over=False) for number in range(4)]
    kept = rig.boot().records_after(0, 1_000_000)
    assert list(kept) == made
    assert [record.seq for record in kept] == list(range(1, 13))
    contents = rig.boot().load()
    assert verify_chain(kept, head=ChainPoint(contents.last_seq, contents.last_hash)) is None
    assert {record.epoch for record in kept} == {contents.epoch}


def test_a_rolled_back_record_leaves_no_gap(rig: Rig) -> None:
    journal = rig.boot()
    journal.begin()
    journal.append(record_of("lost"), None, job_over=False)
    journal.rollback()
    with transaction(journal):
        journal.append(record_of("kept"), None, job_over=False)
    kept = journal.records_after(0, 1_000_000)
    assert [record.seq for record in kept] == [1]
    assert verify_chain(kept) is None


def test_records_for_upload_are_bounded_in_bytes_and_at_least_one(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        made = [journal.append(record_of(), None, job_over=False) for _ in range(5)]
    size = len(made[0].body)
    assert all(len(record.body) == size for record in made)
    assert journal.records_after(0, 1) == tuple(made[:1])
    assert journal.records_after(0, 2 * size) == tuple(made[:2])
    assert journal.records_after(0, 3 * size - 1) == tuple(made[:2])
    assert journal.records_after(3, 1_000_000) == tuple(made[3:])
    assert journal.records_after(5, 1_000_000) == ()


def test_an_ack_moves_the_cursor_and_takes_no_record(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        epoch = journal.load().epoch
        for _ in range(3):
            journal.append(record_of(), None, job_over=False)
        journal.save_ack(epoch, 2)
    assert rig.boot().load().acked_seq == 2
    assert len(rig.boot().records_after(0, 1_000_000)) == 3


def test_the_servers_signed_word_is_kept_with_the_cursor_and_with_no_other(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        ours = journal.load().epoch
        for _ in range(3):
            journal.append(record_of(), None, job_over=False)
        journal.save_ack(ours, 2, b"word for 2")
        journal.save_ack(ours, 1, b"an older word")
        journal.save_ack("another", 3, b"a word for another chain")
    assert rig.boot().load().word == b"word for 2"


@pytest.mark.parametrize(("epoch", "seq"), [("another", 3), (None, 1), (None, 4)])
def test_an_ack_of_another_epoch_an_older_record_or_one_that_never_was_changes_nothing(
    rig: Rig, epoch: str | None, seq: int
) -> None:
    with transaction(rig.boot()) as journal:
        ours = journal.load().epoch
        for _ in range(3):
            journal.append(record_of(), None, job_over=False)
        journal.save_ack(ours, 2)
        journal.save_ack(epoch or ours, seq)
    assert rig.boot().load().acked_seq == 2


# -- a chain of its own, on a card that has forgotten -----------------------------------------------------------------


CHAIN = {"kind": RecordKind.CHAIN, "items": (), "zones": ()}


def four_records_two_acknowledged(rig: Rig) -> Journal:
    journal = rig.boot()
    with transaction(journal):
        for _ in range(4):
            journal.append(record_of(), None, job_over=False)
        journal.save_ack(journal.load().epoch, 2)
    return journal


def test_a_card_that_was_put_back_goes_on_in_a_chain_that_begins_behind_what_was_acknowledged(rig: Rig) -> None:
    before = four_records_two_acknowledged(rig).records_after(0, 1_000_000)
    with transaction(rig.boot()) as journal:
        journal.append(
            record_of(**CHAIN), None, job_over=False, new=NewChain("another", 2, (("xa", 7), ("tinh", 3)), b"word")
        )
    contents = rig.boot().load()
    assert (contents.epoch, contents.chain_from, contents.acked_seq) == ("another", 2, 2)
    assert (contents.forgotten, contents.forgot_by) == ((("tinh", 3), ("xa", 7)), b"word")
    sent = rig.boot().records_after(2, 1_000_000)
    assert [(one.epoch, one.seq) for one in sent] == [("another", 3), ("another", 4), ("another", 5)]
    assert verify_chain(sent, ChainPoint(2, before[1].hash)) is None


def test_a_chain_that_begins_behind_rotten_records_sends_none_of_them_any_more(rig: Rig) -> None:
    four_records_two_acknowledged(rig)
    with transaction(rig.boot()) as journal:
        journal.append(record_of(**CHAIN), None, job_over=False, new=NewChain("another", 3, ()))
    contents = rig.boot().load()
    assert (contents.epoch, contents.chain_from, contents.acked_seq) == ("another", 3, 3)
    with transaction(rig.boot()) as journal:
        journal.save_ack("another", 2)
    assert rig.boot().load().acked_seq == 3


def test_a_new_card_says_what_was_before_and_keeps_the_name_of_its_chain(rig: Rig) -> None:
    ours = four_records_two_acknowledged(rig).load().epoch
    assert rig.boot().load().chain_from is None
    with transaction(rig.boot()) as journal:
        journal.append(record_of(**CHAIN), None, job_over=False, new=NewChain(ours, 0, ()))
    contents = rig.boot().load()
    assert (contents.epoch, contents.chain_from, contents.last_seq) == (ours, 0, 5)
    assert contents.acked_seq == 2, "what was acknowledged is not sent again"


def test_what_a_card_may_have_forgotten_is_what_the_last_chain_says(rig: Rig) -> None:
    """What it knew before is in there, as far as it has room (``freshness``)."""
    for serials in ((("xa", 7), ("huyen", 2)), (("xa", 8), ("tinh", 1))):
        with transaction(rig.boot()) as journal:
            journal.append(
                record_of(**CHAIN), None, job_over=False, new=NewChain("another", 0, serials, serials[1][0].encode())
            )
    contents = rig.boot().load()
    assert (contents.forgotten, contents.forgot_by) == ((("tinh", 1), ("xa", 8)), b"tinh")


def test_a_chain_that_was_rolled_back_was_never_begun(rig: Rig) -> None:
    journal = four_records_two_acknowledged(rig)
    ours = journal.load().epoch
    journal.begin()
    journal.append(record_of(**CHAIN), None, job_over=False, new=NewChain("another", 2, (("xa", 7),)))
    journal.rollback()
    contents = rig.boot().load()
    assert (contents.epoch, contents.chain_from, contents.forgotten, contents.last_seq) == (ours, None, (), 4)


def test_what_is_to_be_forgotten_leaves_no_tombstone(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_job(save_job("doubtful"))
        journal.append(record_of("doubtful"), None, job_over=True)
        journal.forget(JobId("doubtful"))
    contents = rig.boot().load()
    assert (contents.seen, contents.jobs, contents.last_seq) == ((), (), 1)


def test_the_hash_of_a_record_is_told_for_the_chain_that_is_written_now(rig: Rig) -> None:
    journal = four_records_two_acknowledged(rig)
    contents = journal.load()
    third = journal.records_after(2, 1)[0]
    assert journal.hash_at(contents.epoch, 3) == third.hash
    assert journal.hash_at(contents.epoch, 4) == contents.last_hash
    assert [journal.hash_at(contents.epoch, 5), journal.hash_at("another", 3)] == [None, None]


# -- what is read back of them -----------------------------------------------------------------------------------------


def test_what_has_sounded_is_read_back_for_the_days_limits_and_the_series(rig: Rig) -> None:
    """A restart forgets no session of the day, no zone that heard an alert, no version of it."""
    unseen = ZoneAsRun(ZoneId("cho"), Evidence.ACCEPTED, None, 60, None, Reason.POWER_CUT)
    silent = ZoneAsRun(ZoneId("cho"), Evidence.ACCEPTED, 0, 60, None, Reason.QUIET_HOURS)
    with transaction(rig.boot()) as journal:
        journal.append(record_of("bulletin", under="we-1"), None, job_over=False)
        journal.append(record_of("silent", zones=(silent,), played_ms=0, started=None), None, job_over=False)
        alert = {"series": "lu", "version": 3, "cls": JobClass.EMERGENCY, "zones": (silent,), "played_ms": 0}
        journal.append(record_of("alert", **alert), None, job_over=False)
        journal.append(record_of("cut", zones=(unseen,), played_ms=None, started=None), None, job_over=False)
        journal.append(record_of("refused", kind=RecordKind.REFUSAL, zones=()), None, job_over=False)
    cho, started = frozenset({ZoneId("cho")}), UtcMs(NOON + 1_000)
    of_ward = {"issuer": "dong-thanh", "signers": ("k",)}
    assert rig.boot().load().past == (
        Sounded(JobId("bulletin"), JobClass.NORMAL, started, UtcMs(NOON + 11_000), cho, under="we-1", **of_ward),
        Sounded(JobId("alert"), JobClass.EMERGENCY, started, started, frozenset(), series="lu", version=3, **of_ward),
        Sounded(JobId("cut"), JobClass.NORMAL, started, UtcMs(NOON + 21_000), cho, **of_ward),
    )


@pytest.mark.deep
@pytest.mark.parametrize(
    "kept", [{}, {"under": "tet"}, {"series": "lu", "version": 1, "cls": JobClass.EMERGENCY}, {"started": None}]
)
def test_no_flood_of_refused_orders_pushes_out_of_sight_what_has_sounded_or_may_have(
    rig: Rig, kept: dict[str, object]
) -> None:
    """Or a restart behind it would give the day's minutes back, forget who was warned, and what Tết has had."""
    unseen = ZoneAsRun(ZoneId("cho"), Evidence.ACCEPTED, None, 60, None, Reason.POWER_CUT)
    if kept == {"started": None}:
        kept |= {"zones": (unseen,), "played_ms": None}
    silent = ZoneAsRun(ZoneId("cho"), Evidence.ACCEPTED, 0, 60, None, Reason.OVER_LIMIT)
    refused = {"kind": RecordKind.REFUSAL, "zones": ()}, {"zones": (silent,), "played_ms": 0, "started": None}
    journal = rig.boot()
    journal.begin()
    journal.append(record_of("first", **kept), None, job_over=False)
    for number in range(UNHEARD_AMONG):
        journal.append(record_of(f"refused {number}", **refused[number % 2]), None, job_over=False)
    journal.commit()
    (sound,) = rig.boot().load().past
    assert (sound.job_id, sound.zones) == ("first", {"cho"})


def test_of_what_has_sounded_the_newest_are_read_back_in_their_order(rig: Rig) -> None:
    journal = rig.boot()
    journal.begin()
    for number in range(PAST_READ_MAX + 2):
        journal.append(record_of(f"sound {number}"), None, job_over=False)
    journal.commit()
    assert [sound.job_id for sound in rig.boot().load().past] == [f"sound {at}" for at in range(2, PAST_READ_MAX + 2)]


def test_a_version_that_was_heard_nowhere_is_remembered_by_the_next_boot(rig: Rig) -> None:
    """Or a warning that comes after its all-clear would sound once the station has restarted."""
    unheard = {"kind": RecordKind.REFUSAL, "outcome": Phase.REJECTED, "reason": Reason.NOT_HEARD_HERE, "zones": ()}
    unheard |= {"planned": None, "started": None, "played_ms": 0, "ended": NOON, "cls": JobClass.EMERGENCY}
    with transaction(rig.boot()) as journal:
        journal.append(record_of("all-clear", series="lu", version=4, **unheard), None, job_over=False)
        journal.append(record_of("correction", **unheard), None, job_over=False)
    (sound,) = rig.boot().load().past
    assert (sound.job_id, sound.series, sound.version, sound.zones) == ("all-clear", "lu", 4, frozenset())
    assert sound.started == sound.ended == NOON


def test_the_next_boot_knows_which_orders_were_refused_last(rig: Rig) -> None:
    """Or an order that was refused, and delivered again because of a crash, would be on record twice."""
    journal = rig.boot()
    journal.begin()
    journal.append(record_of(digest="too long ago", kind=RecordKind.REFUSAL), None, job_over=False)
    for number in range(REFUSALS_AMONG - 2):
        journal.append(record_of(digest=f"sounded {number}"), None, job_over=False)
    journal.append(record_of(digest="refused", kind=RecordKind.REFUSAL), None, job_over=False)
    journal.append(record_of(digest="refused too", kind=RecordKind.REFUSAL), None, job_over=False)
    journal.commit()
    assert rig.boot().load().refused == ("refused", "refused too")


# -- how long they stay ------------------------------------------------------------------------------------------------


def seqs(journal: Journal) -> list[int]:
    return [record.seq for record in journal.records_after(0, 10_000_000)]


def test_records_are_kept_for_thirteen_months_and_no_longer(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        for day in range(3):
            journal.append(record_of(ended=UtcMs(NOON + day * DAY_MS)), None, job_over=False)
        journal.save_ack(journal.load().epoch, 3)
        journal.prune(UtcMs(NOON + 397 * DAY_MS))
    assert seqs(rig.boot()) == [1, 2, 3]
    with transaction(rig.boot()) as journal:
        journal.prune(UtcMs(NOON + DAY_MS + RECORD_KEEP_MS))
    assert seqs(rig.boot()) == [2, 3]


def test_a_record_that_was_never_delivered_is_kept_whatever_its_age(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        for _ in range(3):
            journal.append(record_of(), None, job_over=False)
        journal.save_ack(journal.load().epoch, 1)
        journal.prune(UtcMs(NOON + 10 * RECORD_KEEP_MS))
    assert seqs(rig.boot()) == [2, 3]


def test_a_record_made_by_an_unset_clock_is_as_old_as_its_neighbours_say(rig: Rig) -> None:
    """A boot without a clock writes 1970; that must not make a fresh record look fifty years old."""
    with transaction(rig.boot()) as journal:
        journal.append(record_of(ended=UtcMs(0), clock=ClockSource.UNSET), None, job_over=False)
        journal.append(record_of(ended=NOON), None, job_over=False)
        journal.append(record_of(ended=UtcMs(0), clock=ClockSource.FLOOR), None, job_over=False)
        journal.save_ack(journal.load().epoch, 3)
        journal.prune(UtcMs(NOON + DAY_MS))
    assert seqs(rig.boot()) == [1, 2, 3]
    with transaction(rig.boot()) as journal:
        journal.prune(UtcMs(NOON + RECORD_KEEP_MS + 1))
    assert seqs(rig.boot()) == [3]


def test_a_clock_that_once_ran_behind_does_not_take_younger_records_with_it(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.append(record_of(ended=UtcMs(NOON + 500 * DAY_MS)), None, job_over=False)
        journal.append(record_of(ended=NOON), None, job_over=False)
        journal.save_ack(journal.load().epoch, 2)
        journal.prune(UtcMs(NOON + RECORD_KEEP_MS + 1))
    assert seqs(rig.boot()) == [1, 2]


def test_a_clock_that_once_ran_years_ahead_keeps_nothing_until_then(rig: Rig) -> None:
    """A chip whose battery is flat may say 2099: the log would grow behind that record until the card is full."""
    with transaction(rig.boot()) as journal:
        journal.append(record_of(ended=UtcMs(NOON + 25_000 * DAY_MS), clock=ClockSource.RTC), None, job_over=False)
        journal.append(record_of(ended=NOON), None, job_over=False)
        journal.append(record_of(ended=UtcMs(NOON + DAY_MS)), None, job_over=False)
        journal.save_ack(journal.load().epoch, 3)
        journal.prune(UtcMs(NOON + RECORD_KEEP_MS))
    assert seqs(rig.boot()) == [1, 2, 3]
    with transaction(rig.boot()) as journal:
        journal.prune(UtcMs(NOON + RECORD_KEEP_MS + 1))
    assert seqs(rig.boot()) == [3]


def test_the_chain_goes_on_from_its_head_when_every_record_was_pruned(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        first = journal.append(record_of(), None, job_over=False)
        journal.save_ack(first.epoch, 1)
        journal.prune(UtcMs(NOON + 2 * RECORD_KEEP_MS))
    assert seqs(rig.boot()) == []
    assert rig.boot().hash_at(first.epoch, 1) == first.hash, "and is still compared with what the centre holds"
    with transaction(rig.boot()) as journal:
        second = journal.append(record_of(), None, job_over=False)
    assert (second.seq, second.prev) == (2, first.hash)
    assert rig.boot().load().quarantined == ""
