"""Read what the journal holds: for the agent as it starts, and for whoever only looks, while the agent runs or not.

A looker opens the database read-only: it makes no file, brings nothing up to date, puts nothing aside. What it cannot
read it says; mending is the agent's business.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from edge_agent.core.clock_trust import KeptTime
from edge_agent.core.events import Mark, SavedMark
from edge_agent.core.job import OVER_MAX, Seen
from edge_agent.journal.database import FILE_NAME, disk, read_only
from edge_agent.journal.port import (
    PAST_READ_MAX,
    REFUSALS_AMONG,
    UNHEARD_AMONG,
    Contents,
    JournalError,
    StoredJob,
)
from edge_agent.journal.record import sounded_in
from edge_agent.journal.schema import SOUNDED, VERSION, DamagedError, NewerError, check_shape

# An entry of a timetable has no bytes of its own: they stand in the timetable's row, which has the same digest.
LOAD_JOBS = """
SELECT one.job_id, coalesce(whole.envelope, one.envelope), one.topic, one.base, one.held FROM jobs AS one
LEFT JOIN jobs AS whole ON length(one.envelope) = 0 AND whole.digest = one.digest AND length(whole.envelope) > 0
WHERE NOT one.over ORDER BY one.rowid
"""
LOAD_SEEN = """
SELECT job_id, digest, not_after, urgent FROM jobs WHERE NOT over OR rowid IN (
    SELECT rowid FROM jobs WHERE over ORDER BY urgent DESC, not_after DESC, rowid DESC LIMIT ?) ORDER BY rowid
"""
LOAD_META = "SELECT epoch, head_seq, head_hash, acked_seq, floor FROM meta"
LOAD_KEPT = "SELECT kept_boot, kept_mono, kept_utc, kept_error_ms FROM meta WHERE kept_boot != ''"
LOAD_MARKS = """
SELECT marks.job_id, planned, mark, attempt FROM marks JOIN jobs USING (job_id) WHERE NOT over ORDER BY planned, job_id
"""
# JSON functions want text, and whole text: a rotten body must not keep the station from starting.
LOAD_REFUSED = """
SELECT json_extract(told, '$.digest') FROM (
    SELECT seq, CASE WHEN json_valid(CAST(body AS TEXT)) THEN CAST(body AS TEXT) END AS told
    FROM records WHERE seq > (SELECT head_seq FROM meta) - ?
) WHERE json_extract(told, '$.kind') = 'refusal' ORDER BY seq
"""
LOAD_TRUST = "SELECT anchor, envelope FROM trust ORDER BY area"
LOAD_FORGOTTEN = "SELECT issuer, serial FROM forgotten ORDER BY issuer"
LOAD_MANIFESTS = "SELECT head, body FROM manifests ORDER BY scope"
# Whoever can have orders refused must not be able to push out of sight what the day's limits count. Their numbers come
# first: what is sorted lies in memory.
LOAD_PAST = f"""
SELECT body FROM records WHERE seq IN (
    SELECT seq FROM (SELECT seq FROM records WHERE {SOUNDED} ORDER BY seq DESC LIMIT ?)
    UNION
    SELECT seq FROM records WHERE seq > (SELECT head_seq FROM meta) - ? AND (
        NOT instr(body, CAST('"series":""' AS BLOB))
        OR instr(body, CAST('"corrects":"' AS BLOB)) AND NOT instr(body, CAST('"corrects":""' AS BLOB))
    )
) ORDER BY seq
"""


def read_journal(folder: Path) -> Contents:
    """What is durable in the journal of ``folder``, at one moment. Raises JournalError; changes nothing.

    Root looks too, and the file is the service's: nothing that lies there in its place keeps anybody waiting.
    """
    with disk():
        there = (folder / FILE_NAME).is_file()
    if not there:
        raise JournalError(f"there is no {FILE_NAME} in {folder}")
    try:
        return _read(folder)
    except (DamagedError, ValueError) as exc:  # a rotten mark is none; what SQLite quotes of a rotten table is no text
        raise JournalError(f"damaged: {exc}") from exc


def _read(folder: Path) -> Contents:
    with disk(), closing(read_only(folder)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise NewerError(version)
        if version != VERSION:
            raise JournalError(f"version {version}, this software reads version {VERSION}")
        check_shape(connection)  # before it is asked for anything: a view may be without end
        connection.execute("BEGIN")  # what the agent commits meanwhile is not seen by halves
        return contents_of(connection)


def contents_of(connection: sqlite3.Connection, quarantined: str = "") -> Contents:
    """All that a boot needs, from an open database."""
    jobs = _rows(connection, LOAD_JOBS)
    marks = _rows(connection, LOAD_MARKS)
    refused = _rows(connection, LOAD_REFUSED, REFUSALS_AMONG)
    past = _rows(connection, LOAD_PAST, PAST_READ_MAX, UNHEARD_AMONG)
    epoch, seq, head_hash, acked, floor = connection.execute(LOAD_META).fetchone()
    kept = connection.execute(LOAD_KEPT).fetchone()
    chain_from, word, forgot_by = connection.execute("SELECT chain_from, ack, forgot_by FROM meta").fetchone()
    return Contents(
        jobs=tuple(
            StoredJob(job_id, envelope, topic, base, bool(held)) for job_id, envelope, topic, base, held in jobs
        ),
        marks=tuple(SavedMark(job_id, planned, Mark(mark), attempt) for job_id, planned, mark, attempt in marks),
        seen=tuple(
            (job_id, Seen(digest, not_after, bool(urgent)))
            for job_id, digest, not_after, urgent in _rows(connection, LOAD_SEEN, OVER_MAX)
        ),
        epoch=epoch,
        last_seq=seq,
        last_hash=head_hash,
        acked_seq=acked,
        floor=floor,
        kept=None if kept is None else KeptTime(*kept),
        quarantined=quarantined,
        refused=tuple(digest for (digest,) in refused),
        past=tuple(sound for (body,) in past if (sound := sounded_in(body)) is not None),
        trust=tuple(_rows(connection, LOAD_TRUST)),
        forgotten=tuple(_rows(connection, LOAD_FORGOTTEN)),
        chain_from=chain_from,
        word=word,
        forgot_by=forgot_by,
        manifests=tuple(_rows(connection, LOAD_MANIFESTS)),
    )


def _rows(connection: sqlite3.Connection, query: str, *values: int) -> list[Any]:
    return connection.execute(query, values).fetchall()
