"""A model of a disk: what lies in its files now, and what a power cut would leave. Reads no clock, touches no file.

Fed with what the shim wrote down. Only two things are durable: what a file held when it was last synced, and the names
in a folder when that was last synced. A cut leaves either exactly that (the harshest disk that keeps its promises), or
that and some of the rest as chance will have it: any of the writes, torn at sectors, and names in their order, as a
journalling file system writes them.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tests.crash.shim import Entry, Op

SECTOR_BYTES = 512


@dataclass
class File:
    """``pending`` holds (offset, data) of writes, and (size, None) of truncations, since the last sync."""

    now: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)


Tree = dict[str, File | None]
"""Names and what they name; None is a folder."""


@dataclass(frozen=True)
class NameChange:
    """A name in ``folder`` that came, went (``to`` = "") or moved; not durable before that folder is synced."""

    folder: str
    path: str
    to: str
    file: File | None
    removed: bool = False

    def apply(self, names: Tree) -> None:
        if self.removed:
            names.pop(self.path, None)
        elif self.to:
            names.pop(self.path, None)
            names[self.to] = self.file
        else:
            names[self.path] = self.file


class Disk:
    """The folder ``root`` and everything under it."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self.names: Tree = {self._root: None}
        self._durable: Tree = {self._root: None}
        self._pending: list[NameChange] = []
        self._open: dict[int, tuple[str, File | None]] = {}

    def follow(self, entries: Iterable[Entry]) -> None:
        """Make the same changes."""
        for entry in entries:
            self._make(entry)

    def now(self) -> dict[str, bytes | None]:
        """Every file's content as a process sees it; None is a folder."""
        return {path: None if file is None else bytes(file.now) for path, file in self.names.items()}

    def adopt(self, left: Mapping[str, bytes | None]) -> None:
        """Take over what lies there, all of it durable."""
        self.names = {path: None if data is None else File(bytearray(data), data) for path, data in left.items()}
        self._durable, self._pending, self._open = dict(self.names), [], {}

    def cut_power(self, dice: random.Random | None) -> dict[str, bytes | None]:
        """What is left; afterwards all of that is durable. Without dice nothing survives that was not synced."""
        names = dict(self._durable)
        kept = 0 if dice is None else dice.randint(0, len(self._pending))
        for change in self._pending[:kept]:
            change.apply(names)
        left = {
            path: None if file is None else _left(file, dice)
            for path, file in names.items()
            if path == self._root or str(PurePosixPath(path).parent) in names
        }
        self.adopt(left)
        return left

    def _make(self, entry: Entry) -> None:
        match entry.op:
            case Op.OPEN:
                self._opened(entry)
            case Op.WRITE:
                self._change(entry, entry.at, entry.data)
            case Op.TRUNCATE:
                self._change(entry, entry.at, None)
            case Op.SYNC:
                _sync(self._file(entry))
            case Op.SYNC_FOLDER:
                self._sync_folder(self._open[entry.file][0])
            case Op.RENAME:
                self._rename(entry.path, entry.to)
            case Op.UNLINK:
                self._name(NameChange(_parent(entry.path), entry.path, "", None, removed=True))
            case Op.MKDIR:
                self._name(NameChange(_parent(entry.path), entry.path, "", None))

    def _opened(self, entry: Entry) -> None:
        if entry.to == "nameless":
            self._open[entry.file] = (entry.path, File())
            return
        if entry.path not in self.names:
            self._name(NameChange(_parent(entry.path), entry.path, "", File()))
        file = self.names[entry.path]
        self._open[entry.file] = (entry.path, file)
        if entry.at and file is not None:  # emptied
            _apply(file.now, 0, None)
            file.pending.append((0, None))

    def _change(self, entry: Entry, at: int, data: bytes | None) -> None:
        file = self._file(entry)
        _apply(file.now, at, data)
        file.pending.append((at, data))

    def _file(self, entry: Entry) -> File:
        file = self._open[entry.file][1]
        assert file is not None
        return file

    def _rename(self, path: str, to: str) -> None:
        moved = [name for name in self.names if name == path or name.startswith(f"{path}/")]
        for name in moved:
            target = to + name.removeprefix(path)
            self._name(NameChange(_parent(to), name, target, self.names[name]))

    def _name(self, change: NameChange) -> None:
        change.apply(self.names)
        self._pending.append(change)

    def _sync_folder(self, folder: str) -> None:
        for change in self._pending:
            if change.folder == folder:
                change.apply(self._durable)
        self._pending = [change for change in self._pending if change.folder != folder]


def _parent(path: str) -> str:
    return str(PurePosixPath(path).parent)


def _sync(file: File) -> None:
    file.synced, file.pending = bytes(file.now), []


def _apply(content: bytearray, at: int, data: bytes | None) -> None:
    """A write, beyond the end too; or a truncation to ``at``."""
    if data is None:
        del content[at:]
        content.extend(bytes(at - len(content)))
        return
    content.extend(bytes(max(0, at - len(content))))
    content[at : at + len(data)] = data


def _left(file: File, dice: random.Random | None) -> bytes:
    content = bytearray(file.synced)
    if dice is not None:
        for at, data in file.pending:
            for where, sectors in _torn(at, data, dice):
                _apply(content, where, sectors)
    return bytes(content)


def _torn(at: int, data: bytes | None, dice: random.Random) -> Iterable[tuple[int, bytes | None]]:
    """What reached the disk of a change: all, nothing, or some of its sectors."""
    fate = dice.random()
    if fate < 0.4:
        return [(at, data)]
    if fate < 0.7 or data is None:
        return []
    pieces = [(at + start, data[start : start + SECTOR_BYTES]) for start in range(0, len(data), SECTOR_BYTES)]
    return [piece for piece in pieces if dice.random() < 0.5]
