"""Places where journals are kept for the contract, on a real file system of their own, which only the bench has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.host import disks
from tests.journal.rigs import StoreRig

DISK_BYTES = 16 << 20


class FullCardRig(StoreRig):
    """SQLite on an ext4 that is full while it refuses."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        image = disks.blank(folder / "disk", DISK_BYTES)
        device = stack.enter_context(disks.looped(image))
        self._root = stack.enter_context(disks.mounted(device, folder / "state"))
        super().__init__(self._root)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        with filled(self._root):
            yield


class FailingCardRig(StoreRig):
    """SQLite on an ext4 whose disk answers every write with an error while it refuses.

    It has no journal of its own: one that could not be written would leave the file system read-only until the next
    boot, and here the disk heals at once.
    """

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        image = disks.blank(folder / "disk", DISK_BYTES, journalled=False)
        self._device = stack.enter_context(disks.looped(image))
        self._card = stack.enter_context(disks.mapped("contract", disks.sound_table(self._device)))
        super().__init__(stack.enter_context(disks.mounted(self._card.path, folder / "state")))

    @contextmanager
    def refusing(self) -> Iterator[None]:
        self._card.become(disks.refusing_table(self._device))
        try:
            yield
        finally:
            self._card.become(disks.sound_table(self._device))


@contextmanager
def filled(root: Path) -> Iterator[None]:
    """While this lasts, no block is free."""
    ballast = root / "ballast"
    with open(ballast, "wb", buffering=0) as file, suppress(OSError):  # that it is full
        while True:
            file.write(bytes(disks.BLOCK_BYTES))
    try:
        yield
    finally:
        ballast.unlink()
