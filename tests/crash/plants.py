"""Faults to plant, each of which a crash must bring to light. Nothing of them is in the product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from edge_agent.audio import pcm_store
from edge_agent.core.effects import SaveJob, SaveMark
from edge_agent.core.events import Mark
from edge_agent.journal import database
from edge_agent.journal.store import Store
from edge_agent.journal_worker import Afterwards
from edge_agent.runtime import Runtime
from edge_agent.sync import download


def ack_before_commit(runtime: Runtime) -> None:
    """The broker may forget an order before it is saved."""
    worker: Any = runtime._journal
    write = worker._write

    def early(writes: list[Any]) -> list[Any]:
        for order in writes:
            if isinstance(order, SaveJob):
                delivered = runtime._state.waiting_acks.get(order.saved.accepted.order_id)
                for token in delivered.tokens if delivered else ():
                    runtime._ports.session.ack(token)
        answers: list[Any] = write(writes)
        return answers

    worker._write = early


def refusal_acked_at_once(runtime: Runtime) -> None:
    """What it did before crashes were tried: a refusal was acknowledged at once, and its record followed."""
    worker: Any = runtime._journal
    order = worker.order
    worker.order = lambda one: one.do() if isinstance(one, Afterwards) else order(one)


def refusals_forgotten(runtime: Runtime) -> None:
    """What it did before as well: a boot knew nothing of the refusals on record."""
    ports: Any = runtime._ports
    object.__setattr__(ports, "contents", replace(ports.contents, refused=()))


def no_first_sample(runtime: Runtime) -> None:
    """That something has begun to sound is not kept."""
    worker: Any = runtime._journal
    order = worker.order
    worker.order = lambda one: None if _is_first_sample(one) else order(one)


def unsynced_commits(store: Store) -> None:
    """What NORMAL does: a commit waits for no disk. A killed process would never show it."""
    store._connection.execute("PRAGMA synchronous = NORMAL")


def no_transaction(store: Store) -> None:
    """Each statement is durable by itself: record, end and cursor can come apart."""
    loose: Any = store
    loose.begin = lambda: None
    loose.commit = lambda: None
    loose._write = lambda statement, *values: store._connection.execute(statement, values)


def unsynced_download() -> None:
    """A download gets its name before its bytes are durable."""
    module: Any = download
    module.os = _without_fsync(module.os)


def unsynced_clip() -> None:
    """Staged sound gets its name before it is durable."""
    module: Any = pcm_store
    module.os = _without_fsync(module.os)


def unsynced_recovery() -> None:
    """What a killed process had written and not synced is gone by, and written behind, as if it were durable."""
    module: Any = database
    module._sync_write_ahead = lambda log: None


def straight_to_its_name() -> None:
    """A download is written under its final name."""
    module: Any = download
    module.PART = ""


ON_RUNTIME: dict[str, Callable[[Runtime], None]] = {
    "ack-before-commit": ack_before_commit,
    "refusal-acked-at-once": refusal_acked_at_once,
    "refusals-forgotten": refusals_forgotten,
    "no-first-sample": no_first_sample,
}
ON_STORE: dict[str, Callable[[Store], None]] = {
    "unsynced-commits": unsynced_commits,
    "no-transaction": no_transaction,
}
BEFORE_START: dict[str, Callable[[], None]] = {
    "unsynced-download": unsynced_download,
    "unsynced-clip": unsynced_clip,
    "straight-to-its-name": straight_to_its_name,
    "unsynced-recovery": unsynced_recovery,
}
NAMES = [*ON_RUNTIME, *ON_STORE, *BEFORE_START]


def before_start(plant: str) -> None:
    """Faults in functions of the product."""
    BEFORE_START.get(plant, lambda: None)()


def on_store(plant: str, store: Store) -> None:
    """Faults in the journal."""
    ON_STORE.get(plant, lambda _: None)(store)


def on_runtime(plant: str, runtime: Runtime) -> None:
    """Faults in how the journal's thread is used."""
    ON_RUNTIME.get(plant, lambda _: None)(runtime)


def _is_first_sample(order: object) -> bool:
    return isinstance(order, SaveMark) and order.mark is Mark.FIRST_SAMPLE


def _without_fsync(module: Any) -> SimpleNamespace:
    return SimpleNamespace(**{**vars(module), "fsync": lambda fd: None})
