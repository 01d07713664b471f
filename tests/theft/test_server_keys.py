"""The keys on a server, in a thief's hands who reads and writes on the broker too: each answer at its worst, and all.

What he tells the time by, what he says that he holds, which documents he pretends to know: nothing of it begins a sound
that nobody has ordered, ends a warning that sounds, or takes a record away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core import standing
from edge_agent.core.clock_trust import ClockState, Now, adopt_ntp, adopt_signed
from edge_agent.core.events import HelloDue, Judgement, SweepDue
from edge_agent.core.freshness import obstacle
from edge_agent.core.job import Welcome
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import AllStop, Lock
from edge_agent.core.units import HOUR_MS, MINUTE_MS, JobId, UtcMs
from edge_agent.journal.port import RECORD_KEEP_MS
from edge_agent.trust.keeper import Keeper
from tests.core.bench import Bench
from tests.fakes.journal import FakeJournal
from tests.journal.rigs import transaction
from tests.journal.samples import record_of
from tests.theft.network import KEY_NAMES, keeper, signed
from tests.theft.stand import ACKED, FLOOD, NEWS, SECONDS, Stand, topic_of
from tests.theft.table import THIEVES
from tests.trust import makers
from tests.trust.makers import DAY_MS

YEARS_MS = 10 * 365 * DAY_MS
PLANNED = JobId("honest-bulletin")
TRUONG = {"areas": [makers.AREA], "zones": ["truong"]}
FLOODED = {"class": "emergency", "not_after": makers.NOON + HOUR_MS}
TIMES = {
    "true": 0,
    "an hour ahead": HOUR_MS,
    "a night ahead": 12 * HOUR_MS,
    "years ahead": YEARS_MS,
    "an hour back": -HOUR_MS,
    "years back": -YEARS_MS,
}
DOCUMENTS = {
    "those that stand": [{"area": "", "epoch": 0, "version": 1}],
    "newer ones": [{"area": "", "epoch": 0, "version": 9}, {"area": makers.AREA, "epoch": 9, "version": 9}],
}
MARKS = {"none": {}, "all": {"dong-thanh": 2**53 - 1, "ha-noi": 2**53 - 1}}
LOGS = {
    "all": {"epoch": "e1", "seq": 9, "hash": "ab" * 32},
    "less": {"epoch": "e1", "seq": 0, "hash": ""},
    "more": {"epoch": "e1", "seq": 2**53 - 1, "hash": "ab" * 32},
    "another": {"epoch": "e0", "seq": 5, "hash": "ab" * 32},
    "nothing": {"epoch": "", "seq": 0, "hash": ""},
}


@dataclass
class Lied:
    """A station that was told something by whoever holds the welcome key; ``bench`` goes on from there."""

    bench: Bench

    def bulletin(self) -> str:
        """What has become of the programme that is planned for one o'clock."""
        if PLANNED in self.sounding():
            return "sounds an hour early"
        ended = [reason for job, _, reason in self.bench.outcomes() if job == PLANNED]
        return (ended[0] or "over") if ended else ("waits" if self.waits() else "planned")

    def warning(self) -> str:
        """What becomes of an honest warning that is ordered now, by the true time."""
        bench = self.bench
        honest(bench, job_id="new-flood", audience=TRUONG, **FLOODED)
        for _ in range(SECONDS):
            bench.pass_s(1)
        return "sounds" if "new-flood" in self.sounding() else str(bench.answers()[-1][1])

    def waits(self) -> bool:
        """Whether what is ordered now, and is no emergency, must wait."""
        return obstacle(self.bench.state, self.bench.now) is not None

    def sounding(self) -> set[str]:
        plays = self.bench.state.plays.values()
        return {play.job_id for play in plays if play.phase is Phase.PLAYING and play.ending is None}


def lie(
    when: str = "true", documents: str = "those that stand", marks: str = "none", log: str = "all", *, ntp: bool = False
) -> Lied:
    """The station at noon with a bulletin planned for one o'clock hears a thief's welcome, and some seconds pass."""
    bench = stand().as_it_was()
    at_one = {"kind": "at", "utc": makers.NOON + HOUR_MS}
    honest(bench, job_id=PLANNED, when=at_one, audience=TRUONG)
    return told(bench, when, documents, marks, log, ntp=ntp)


def told(
    bench: Bench, when: str, documents: str = "those that stand", marks: str = "none", log: str = "all", *, ntp: bool
) -> Lied:
    """The thief answers the station's hello."""
    bench.send(HelloDue())
    bench.said.clear()
    said = {"trust": DOCUMENTS[documents], "serial_marks": MARKS[marks], "log": LOGS[log]}
    said |= {"nonce": bench.state.link.nonce, "utc": bench.now.utc + TIMES[when]}
    welcome = signed(makers.welcome_dict(**said), KEY_NAMES["welcome"])
    bench.arrive(judge(makers.WELCOME_TOPIC, welcome), makers.WELCOME_TOPIC)
    for adopted in bench.every(fx.AdoptTime):
        bench.now = by_clock(bench.now, adopted.utc, ntp=ntp)
    for _ in range(SECONDS):
        bench.pass_s(1)
    return Lied(bench)


@cache
def stand() -> Stand:
    return Stand(keeper())


@cache
def believed() -> Keeper:
    """What the station believes; no test here has it believe anything else."""
    return keeper()


def judge(topic: str, message: bytes) -> Judgement:
    return believed().judge(topic, message)


def by_clock(now: Now, signed_utc: UtcMs, *, ntp: bool) -> Now:
    """What the station's own clock makes of it; ``ntp``: network time told the true one before."""
    clock = adopt_ntp(ClockState(), now.utc, now.mono, 50) if ntp else ClockState()
    return adopt_signed(clock, signed_utc, now.mono, 100).read(now.mono)


def honest(bench: Bench, **over: Any) -> None:
    """An order that the honest have signed, by the true time."""
    payload = makers.job_dict(**over)
    names = KEY_NAMES["ward-emergency" if payload["class"] == "emergency" else "ward-routine"]
    bench.arrive(judge(topic_of(payload), signed(payload, names)))


@pytest.mark.parametrize("when", TIMES)
def test_whatever_a_welcome_says_no_warning_ends_and_nothing_sounds_that_nobody_ordered(when: str) -> None:
    for documents, marks, log in product(DOCUMENTS, MARKS, LOGS):
        lied = lie(when, documents, marks, log)
        assert lied.sounding() - {PLANNED} == {FLOOD, NEWS}, (documents, marks, log)
        assert lied.bench.every(fx.TakeTrust) == [], "he has signed no document"
        assert lied.bench.every(fx.SaveLogAck) == [], "he has acknowledged nothing"


@pytest.mark.parametrize(
    ("when", "ntp", "bulletin", "warning"),
    [
        ("true", False, "planned", "sounds"),
        ("true", True, "planned", "sounds"),
        ("an hour ahead", False, "sounds an hour early", "expired"),
        ("a night ahead", False, "missed", "expired"),
        ("years ahead", False, "missed", "expired"),
        ("an hour back", False, "planned", "not_yet_valid"),
        ("years back", False, "planned", "not_yet_valid"),
        *((when, True, "waits", "expired") for when in ("an hour ahead", "a night ahead", "years ahead")),
        *((when, True, "waits", "not_yet_valid") for when in ("an hour back", "years back")),
    ],
)
def test_a_wrong_time_shifts_the_timetable_or_with_ntp_stops_it_and_keeps_new_warnings_out(
    when: str, ntp: bool, bulletin: str, warning: str
) -> None:
    lied = lie(when, ntp=ntp)
    assert (lied.bulletin(), lied.warning()) == (bulletin, warning)


@pytest.mark.parametrize("ntp", [False, True])
@pytest.mark.parametrize("when", TIMES)
def test_no_welcome_lifts_a_lock_or_closes_the_relay_under_whoever_is_at_the_horn(when: str, ntp: bool) -> None:
    """What was ordered for just behind the lock's end closed the relay within seconds, by a time an hour ahead."""
    bench = stand().as_it_was()
    behind = {"kind": "at", "utc": makers.NOON + HOUR_MS + MINUTE_MS + 5_000}
    honest(bench, job_id=PLANNED, when=behind, audience=TRUONG)
    bench.rule(Lock(HOUR_MS + MINUTE_MS), zones=("truong",))
    lied = told(bench, when, ntp=ntp)
    for minute in range(60):
        assert standing.locked(bench.state, bench.now) == {"truong"}, minute
        assert "truong" not in bench.closed(), minute
        bench.pass_s(60)
    assert PLANNED not in lied.sounding()


@pytest.mark.parametrize("ntp", [False, True])
@pytest.mark.parametrize("when", TIMES)
def test_no_welcome_cuts_an_all_stop_short(when: str, ntp: bool) -> None:
    bench = stand().as_it_was()
    issued_at = bench.now.utc
    bench.rule(AllStop(15 * MINUTE_MS))
    told(bench, when, ntp=ntp)
    bench.pass_s(14 * 60)
    assert standing.stops(bench.state, bench.now, issued_at)
    bench.pass_s(60)
    assert not standing.stops(bench.state, bench.now, issued_at)


@pytest.mark.parametrize("when", TIMES)
def test_the_next_honest_welcome_ends_a_wrong_time(when: str) -> None:
    lied = lie(when)
    bench = lied.bench
    bench.send(HelloDue())
    bench.now = replace(bench.now, utc=makers.NOON + MINUTE_MS)
    bench.welcome()
    assert lied.warning() == "sounds"


@pytest.mark.parametrize(("when", "goes_on"), [("true", True), ("an hour ahead", False)])
def test_a_time_behind_its_end_lets_a_warning_not_be_repeated(when: str, goes_on: bool) -> None:
    bench, again = stand().as_it_was(), {"kind": "now", "every_s": 60, "until": makers.NOON + HOUR_MS // 2}
    honest(bench, job_id="repeated", audience=TRUONG, when=again, **FLOODED)
    for _ in range(SECONDS):
        bench.pass_s(1)
    bench.end(JobId("repeated"))
    assert (JobId("repeated") in told(bench, when, ntp=False).bench.state.jobs) is goes_on


def test_a_time_far_ahead_ends_for_good_what_holds_until_a_day() -> None:
    """What an honest server has to send again, with new ids, when it is over."""
    lied = lie("years ahead")
    assert "honest-window" not in lied.bench.state.rules
    assert ("honest-bulletin", "missed", "missed") in lied.bench.outcomes()
    assert "honest-window" in lie("an hour ahead").bench.state.rules


@pytest.mark.parametrize(
    ("when", "revocation"),
    [("true", ("accepted", None)), ("years ahead", ("accepted", None)), ("years back", ("refused", "not_yet_valid"))],
)
def test_a_time_set_back_keeps_a_revocation_out_and_no_root(when: str, revocation: tuple[str, str | None]) -> None:
    """The root is what ends his own key; the ward's document ends somebody else's."""
    bench, ends = lie(when).bench, {thief.name: thief.ended_by for thief in THIEVES}
    for documents, answer in ((ends["ward-routine"], revocation), (ends["welcome"], ("accepted", None))):
        for document in documents:
            bench.arrive(judge(makers.JOB_TOPIC, document))
            assert bench.answers()[-1] == answer


def test_a_document_that_nobody_has_signed_lets_ordinary_orders_wait_and_no_warning() -> None:
    lied = lie(documents="newer ones")
    honest(lied.bench, job_id="news-2", audience=TRUONG)
    assert lied.bench.state.jobs[JobId("news-2")].held
    assert lied.warning() == "sounds"


@pytest.mark.parametrize("log", ["more", "another"])
def test_a_log_that_was_never_written_lets_ordinary_orders_pass_for_heard_and_no_warning(log: str) -> None:
    lied = lie(marks="all", log=log)
    honest(lied.bench, job_id="news-2", audience=TRUONG)
    assert lied.bench.answers()[-1] == ("refused", "maybe_heard")
    assert lied.warning() == "sounds"


@pytest.mark.parametrize(("log", "begins_anew"), [("all", 0), ("less", 0), ("nothing", 0), ("more", 1), ("another", 1)])
def test_the_log_is_sent_again_or_goes_on_in_another_chain_and_nothing_of_it_is_lost(
    log: str, begins_anew: int
) -> None:
    lied = lie(log=log)
    chains = [one.chain for one in lied.bench.every(fx.CommitRecord) if one.chain is not None]
    assert len(chains) == begins_anew
    assert lied.bench.state.link.acked_seq <= ACKED


@pytest.mark.parametrize("seq", [0, 1, 5, 9, 10, 2**53 - 1])
@pytest.mark.parametrize("epoch", ["e1", "e0"])
def test_an_ack_moves_the_cursor_over_records_that_are_here_and_over_nothing_else(seq: int, epoch: str) -> None:
    bench = stand().as_it_was()
    ack = signed(makers.ack_dict(log={"epoch": epoch, "seq": seq, "hash": "cd" * 32}), KEY_NAMES["ack"])
    bench.arrive(judge(makers.ACK_TOPIC, ack), makers.ACK_TOPIC)
    moved = [(one.epoch, one.seq) for one in bench.every(fx.SaveLogAck)]
    written = ACKED < seq <= bench.state.link.last_seq
    assert moved == ([("e1", seq)] if epoch == "e1" and written else [])
    bench.send(HelloDue())
    bench.welcome()  # from the honest server, which holds nothing
    assert bench.state.link.acked_seq == 0, "what was acknowledged falsely is sent again"


def test_an_ack_alone_takes_no_record_away() -> None:
    assert kept(acked=3, pruned_at=makers.NOON + DAY_MS) == [1, 2, 3]


def test_an_ack_and_a_clock_that_was_set_years_ahead_take_no_record_away() -> None:
    """Things are forgotten by the time at which the newest trust document was signed; no server signs those."""
    assert kept(acked=3, pruned_at=makers.NOON + 10 * RECORD_KEEP_MS) == [], "what the clock alone would do"
    lied = lie("years ahead")
    lied.bench.send(SweepDue())
    (sweep,) = lied.bench.every(fx.Sweep)
    newest = max(head.issued_at for head in lied.bench.state.trust.heads)
    assert sweep.now is None or sweep.now <= newest
    assert kept(acked=3, pruned_at=newest) == [1, 2, 3]


def test_an_ack_and_a_welcome_keep_records_from_the_honest_server_by_a_chain_that_begins_behind_them() -> None:
    """They stay on the card; the server sees by the chain's first number how many it has not got."""
    bench = stand().as_it_was()
    written = bench.state.link.last_seq
    ack = signed(makers.ack_dict(log={"epoch": "e1", "seq": written, "hash": "cd" * 32}), KEY_NAMES["ack"])
    bench.arrive(judge(makers.ACK_TOPIC, ack), makers.ACK_TOPIC)
    bench = told(bench, "true", log="more", ntp=False).bench
    bench.send(HelloDue())
    honest = Welcome(bench.state.link.nonce, bench.now.utc, (), (), "e1", ACKED, "")
    bench.arrive(honest, makers.WELCOME_TOPIC)
    assert bench.state.link.acked_seq == written


def kept(acked: int, pruned_at: int) -> list[int]:
    """The records that are left of three of today."""
    journal = FakeJournal()
    with transaction(journal):
        for _ in range(3):
            journal.append(record_of(ended=makers.NOON), None, job_over=False)
        journal.save_ack(journal.load().epoch, acked)
        journal.prune(UtcMs(pruned_at))
    return [record.seq for record in journal.records_after(0, 1_000_000)]
