"""SQLite and the fake, side by side: after any order of calls, refusals and power cuts both remember the same."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.events import Mark
from edge_agent.core.job import TOMBSTONE_KEEP_MS
from edge_agent.core.units import DAY_MS, JobId, UtcMs
from edge_agent.journal.port import RECORD_KEEP_MS, Contents, Journal, JournalError, StoredRecord
from tests.journal.rigs import FakeRig, StoreRig
from tests.journal.samples import KEPT, NOON, entries, record_of, save_job, save_mark, save_timetable

EXAMPLES = 40
# Each commits some ten times to a real disk.
WHOLE = 1_000_000

names = st.sampled_from(("a", "a", "b"))
some_names = st.sampled_from(("", "a", "b", "c", "a b", "b c"))
instants = st.sampled_from((NOON, NOON + 1_000, NOON + 2_000)).map(UtcMs)
booleans = st.booleans()
writes = st.one_of(
    st.tuples(st.just("job"), names, booleans),
    st.tuples(st.just("release"), names, instants),
    st.tuples(st.just("timetable"), st.sampled_from(("lich-1", "lich-2")), some_names, some_names),
    st.tuples(st.just("take effect"), st.sampled_from(("lich-1", "lich-2")), some_names, some_names),
    st.tuples(st.just("mark"), names, instants, st.sampled_from(Mark)),
    st.tuples(st.just("no mark"), names, instants),
    st.tuples(st.just("append"), names, st.none() | instants, booleans),
    st.tuples(st.just("append"), names, instants, st.just(False)),
    st.tuples(st.just("ack"), st.integers(0, 12), booleans),
    st.tuples(st.just("floor"), instants, booleans),
    st.tuples(st.just("trust"), st.sampled_from(("", "vn")), st.binary(min_size=1, max_size=3)),
    st.tuples(st.just("manifest"), st.sampled_from(("area/vn", "station/a")), st.binary(min_size=1, max_size=3)),
    st.tuples(st.just("prune"), st.sampled_from((0, 1, TOMBSTONE_KEEP_MS + 2 * DAY_MS, RECORD_KEEP_MS + 2 * DAY_MS))),
)
endings = st.sampled_from(("commit", "commit", "commit", "rollback", "power cut", "refused"))
transactions = st.lists(st.tuples(st.lists(writes, min_size=2, max_size=9), endings), min_size=3, max_size=9)


def write(journal: Journal, words: tuple[object, ...]) -> StoredRecord | None:
    match words:
        case ("job", str(name), bool(held)):
            journal.save_job(save_job(name, held=held))
        case ("release", str(name), int(base)):
            journal.release_job(JobId(name), UtcMs(base))
        case ("timetable", str(name), str(begin), str(go_on)):
            journal.save_job(save_timetable(name, entries(begin, go_on) if begin else None))
        case ("take effect", str(name), str(begin), str(go_on)):
            journal.release_job(JobId(name), NOON, entries(begin, go_on))
        case ("mark", str(name), int(planned), Mark() as mark):
            journal.save_mark(save_mark(name, planned, mark))
        case ("no mark", str(name), int(planned)):
            journal.drop_mark(JobId(name), UtcMs(planned))
        case ("append", str(name), closes, bool(over)):
            closing = (JobId(name), UtcMs(closes)) if isinstance(closes, int) else None
            return journal.append(record_of(name), closing, job_over=over)
        case _:
            write_beside(journal, words)
    return None


def write_beside(journal: Journal, words: tuple[object, ...]) -> None:
    """What is no order and no record."""
    match words:
        case ("ack", int(seq), bool(ours)):
            journal.save_ack(journal.load().epoch if ours else "another", seq)
        case ("floor", int(floor), bool(named)):
            journal.save_floor(UtcMs(floor), replace(KEPT, utc=UtcMs(floor)) if named else None)
        case ("trust", str(area), bytes(envelope)):
            journal.save_trust(area, envelope, "a1")
        case ("manifest", str(scope), bytes(body)):
            journal.save_manifest(scope, b"head of " + body, body)
        case ("prune", int(later)):
            journal.prune(UtcMs(NOON + later))
        case _:
            raise AssertionError(words)


def remembered(journal: Journal) -> tuple[Contents, tuple[StoredRecord, ...], tuple[StoredRecord, ...]]:
    """All that a boot reads, and the log whole and in part; an epoch is everybody's own."""
    contents = journal.load()
    logs = [journal.records_after(*bounds) for bounds in ((0, WHOLE), (1, 1_500))]
    whole, part = (tuple(replace(record, epoch="") for record in records) for records in logs)
    return replace(contents, epoch=""), whole, part


class Side:
    """One of the two, with the journal that is open on it."""

    def __init__(self, rig: StoreRig | FakeRig) -> None:
        self.rig = rig
        self.journal = rig.boot()

    def transact(self, work: list[tuple[object, ...]], ending: str) -> list[object]:
        """What the calls answered."""
        self.journal.begin()
        answers: list[object] = [write(self.journal, words) for words in work]
        answers = [replace(made, epoch="") for made in answers if isinstance(made, StoredRecord)]
        self._end(ending)
        return answers

    def _end(self, ending: str) -> None:
        match ending:
            case "commit":
                self.journal.commit()
            case "rollback":
                self.journal.rollback()
            case "power cut":
                self.journal.close()  # the process's end; an open transaction would lock out who comes after
                self.journal = self.rig.boot()
            case "refused":
                self.journal.save_mark(save_mark("a", NOON))
                self.journal.append(record_of("refused"), None, job_over=False)
                with self.rig.refusing(), pytest.raises(JournalError):
                    self.journal.commit()
                self.journal.rollback()


@settings(max_examples=EXAMPLES)
@given(transactions)
def test_whatever_is_asked_of_them_both_remember_the_same(script: list[tuple[list[tuple[object, ...]], str]]) -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        sides = [Side(StoreRig(Path(folder))), Side(FakeRig())]
        for side in sides:
            opened.callback(side.rig.clear_away)
        for work, ending in script:
            real, fake = (side.transact(work, ending) for side in sides)
            assert real == fake
            assert remembered(sides[0].journal) == remembered(sides[1].journal)
        real_after, fake_after = (remembered(side.rig.boot()) for side in sides)
        assert real_after == fake_after
