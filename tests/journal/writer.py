"""A process that writes a journal and says so: it prints a record's number after the commit, until it is killed.

Each transaction puts a mark on an occurrence, and the next one closes it with a record, as a station does.
Run as ``python -m tests.journal.writer FOLDER COUNT``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from edge_agent.core.units import JobId, UtcMs
from edge_agent.journal.store import Store
from tests.journal.samples import NOON, ORIGIN, record_of, save_job, save_mark

JOB = JobId("tiem-chung")


def planned_of(seq: int) -> UtcMs:
    """The instant of the occurrence that record ``seq`` closes."""
    return UtcMs(NOON + seq * 1000)


def main(folder: Path, count: int) -> None:
    store = Store(folder, ORIGIN)
    contents = store.load()
    if not contents.jobs:
        store.begin()
        store.save_job(save_job())
        store.commit()
    for seq in range(contents.last_seq + 1, contents.last_seq + 1 + count):
        store.begin()
        store.save_mark(save_mark(planned=planned_of(seq)))
        store.commit()
        store.begin()
        record = store.append(record_of(), (JOB, planned_of(seq)), job_over=False)
        store.commit()
        print(record.seq, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
