"""Decide the shape of the journal's database and when a file still has it. Knows SQL; moves no files.

A file may be used when SQLite finds no damage, its version is one we know, its tables are the ones of that version, its
log ends at the head that was committed with it, and its times are times. Versions only grow: each step of
``MIGRATIONS`` is kept for ever, because some station still has it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

from edge_agent.journal.port import JournalError
from edge_agent.journal.record import GENESIS, TIME_MS_MAX

SOUNDED = """
instr(body, CAST('"kind":"play"' AS BLOB))
AND NOT (instr(body, CAST('"started":null' AS BLOB)) AND NOT instr(body, CAST('"played_ms":null' AS BLOB)))
""".strip()
"""Of a record: it sounded, or may have. An index is made with these words, so they stay as they are."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE jobs (
            job_id TEXT PRIMARY KEY,
            digest TEXT NOT NULL,
            envelope BLOB NOT NULL,
            topic TEXT NOT NULL,
            base INTEGER NOT NULL,
            held INTEGER NOT NULL CHECK (held IN (0, 1)),
            not_after INTEGER NOT NULL,
            over INTEGER NOT NULL CHECK (over IN (0, 1))
        ) STRICT""",
        """CREATE TABLE marks (
            job_id TEXT NOT NULL,
            planned INTEGER NOT NULL,
            mark TEXT NOT NULL CHECK (mark IN ('intent', 'first_sample')),
            attempt INTEGER NOT NULL,
            PRIMARY KEY (job_id, planned)
        ) STRICT, WITHOUT ROWID""",
        # trusted_at: when the record ended, if the clock could be trusted then; only that tells a record's age.
        """CREATE TABLE records (
            seq INTEGER PRIMARY KEY,
            prev TEXT NOT NULL,
            hash TEXT NOT NULL,
            body BLOB NOT NULL,
            trusted_at INTEGER
        ) STRICT""",
        # One row. The head stands here as well, because all records may have been pruned.
        """CREATE TABLE meta (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            epoch TEXT NOT NULL,
            head_seq INTEGER NOT NULL,
            head_hash TEXT NOT NULL,
            acked_seq INTEGER NOT NULL,
            floor INTEGER NOT NULL
        ) STRICT""",
    ),
    # What a new process in the same boot tells the time by (``clock_trust.KeptTime``); no boot: nothing is kept.
    (
        "ALTER TABLE meta ADD COLUMN kept_boot TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE meta ADD COLUMN kept_mono INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE meta ADD COLUMN kept_utc INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE meta ADD COLUMN kept_error_ms INTEGER NOT NULL DEFAULT 0",
    ),
    # The newest trust document of each area ("": the root's), standing or not: older ones are refused by it. It counts
    # only beside the trust file that begins with the root ``anchor``: with another one a station begins anew.
    (
        """CREATE TABLE trust (
            area TEXT PRIMARY KEY,
            envelope BLOB NOT NULL,
            anchor TEXT NOT NULL
        ) STRICT, WITHOUT ROWID""",
    ),
    # The serials, by issuer, up to which this card may have forgotten what it did; and behind which record the chain
    # begins that is written now (NULL: it does not say which one came before it).
    (
        """CREATE TABLE forgotten (
            issuer TEXT PRIMARY KEY,
            serial INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID""",
        "ALTER TABLE meta ADD COLUMN chain_from INTEGER",
        # The welcome by which that is: with its key it is revoked.
        "ALTER TABLE meta ADD COLUMN forgot_by BLOB NOT NULL DEFAULT x''",
        # The centre's signed word for what is acknowledged: it, too, may come back from a copy.
        "ALTER TABLE meta ADD COLUMN ack BLOB NOT NULL DEFAULT x''",
    ),
    # The newest manifest of each scope, and the signed head that proves it.
    (
        """CREATE TABLE manifests (
            scope TEXT PRIMARY KEY,
            head BLOB NOT NULL,
            body BLOB NOT NULL
        ) STRICT, WITHOUT ROWID""",
    ),
    # What has sounded is found behind any number of refusals.
    (f"CREATE INDEX sounded ON records (seq) WHERE {SOUNDED}",),
    # An emergency's id is forgotten last.
    ("ALTER TABLE jobs ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0 CHECK (urgent IN (0, 1))",),
)
VERSION = len(MIGRATIONS)
NEW_META = "INSERT INTO meta (one, epoch, head_seq, head_hash, acked_seq, floor) VALUES (1, ?, 0, ?, 0, 0)"

DAMAGE_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH})
# What SQLite answers about a file that is not (any more) the database it should be; ERROR: a table is missing.
UNREADABLE_CODES = frozenset(
    {sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS}
)
# A sector that the card cannot read any more, nor a moment later, will not be read by the next start either. Where the
# kernel answers a read with EIO, SQLite (from 3.33 on) says CORRUPTFS.
TIMES = """
SELECT base FROM jobs UNION ALL SELECT not_after FROM jobs UNION ALL SELECT planned FROM marks
UNION ALL SELECT floor FROM meta UNION ALL SELECT kept_utc FROM meta
"""


class DamagedError(Exception):
    """The file is not a journal that can be gone on with; the message says why."""


class NewerError(JournalError):
    """Newer software has written the journal: nothing is wrong with it, and this one does not know what it says."""

    def __init__(self, version: int) -> None:
        super().__init__(f"version {version}, newer software wrote it; this one knows up to {VERSION}")


def prepare(connection: sqlite3.Connection, new_epoch: str) -> None:
    """Check the database, make it or bring it up to date. ``new_epoch`` is used for a new one only.

    Raises DamagedError, or sqlite3.Error, of which ``is_damage`` tells whether it means the same; NewerError.
    """
    _check_pages(connection)
    migrate(connection, new_epoch)
    check_shape(connection)
    _check_log(connection)
    _check_times(connection)


def is_older(connection: sqlite3.Connection) -> bool:
    """Whether older software has written it."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return bool(0 < version < VERSION)


def migrate(connection: sqlite3.Connection, new_epoch: str) -> None:
    """Make the tables of today, of none or of what an older version has left."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise NewerError(version)
    if version < 0:
        raise DamagedError(f"version {version}")
    if version == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    _make_tables(connection, version)
    if version == 0:
        connection.execute(NEW_META, (new_epoch, GENESIS))
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def is_damage(error: sqlite3.Error, *, hesitates: bool = False) -> bool:
    """Whether the error speaks about the file and not about the moment. ``hesitates``: by a read alone it does not."""
    code = getattr(error, "sqlite_errorcode", 0)  # errors of the module itself carry none
    return code & 0xFF in DAMAGE_CODES or (code in UNREADABLE_CODES and not hesitates)


def _check_pages(connection: sqlite3.Connection) -> None:
    (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        raise DamagedError(str(answer))


def _make_tables(connection: sqlite3.Connection, version: int) -> None:
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)


def check_shape(connection: sqlite3.Connection) -> None:
    """The tables are those that the migrations make; a lost one would be missed only when it is needed."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        _make_tables(model, 0)
        if _shape(connection) != _shape(model):
            raise DamagedError("its tables are not those of this version")


def _shape(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    return connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()


def _check_log(connection: sqlite3.Connection) -> None:
    """The log has no gap and ends at its head; what its bodies say is ``record.verify_chain``'s business."""
    head = connection.execute("SELECT head_seq, head_hash FROM meta").fetchone()
    if head is None:
        raise DamagedError("no meta row")
    first, last, count = connection.execute("SELECT min(seq), max(seq), count(*) FROM records").fetchone()
    if count == 0:
        return
    (last_hash,) = connection.execute("SELECT hash FROM records WHERE seq = ?", (last,)).fetchone()
    if count != last - first + 1 or (last, last_hash) != tuple(head):
        raise DamagedError(f"{count} records from {first} to {last}, head at {head[0]}")


def _check_times(connection: sqlite3.Connection) -> None:
    """Each is a time. One that is none would end this process, and the next one, as soon as its day was asked for."""
    query = f"SELECT base FROM ({TIMES}) WHERE base NOT BETWEEN ? AND ?"
    found = connection.execute(query, (-TIME_MS_MAX, TIME_MS_MAX)).fetchone()
    if found is not None:
        raise DamagedError(f"{found[0]} stands there for a time")
