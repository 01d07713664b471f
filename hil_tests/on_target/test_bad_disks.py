"""A card that is full, refuses writes, cannot read some of itself, or gives back something else than it was given.

What was promised is kept or is missed by name; what has rotted is put aside whole, never deleted, and the station goes
on. The bytes are changed, and the sectors spoiled, beneath the file system and the kernel's memory.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from edge_agent.audio.clip import ClipAltered, Shelf
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.staging import Stager
from edge_agent.core.effects import SpeakText
from edge_agent.core.events import ClipFailed, ClipStaged
from edge_agent.core.programme import ATTENTION
from edge_agent.core.units import ClipKey
from edge_agent.fetch_and_stage import FetchAndStage, Memory
from edge_agent.journal.database import FILE_NAME
from edge_agent.journal.port import Contents, JournalError
from edge_agent.journal.record import ChainPoint, verify_chain
from edge_agent.journal.spare import SpareStore
from edge_agent.journal.store import Store
from tests.audio.test_staging import PlainDecoder, PlainVoice
from tests.fakes.fetcher import FakeFetcher, FakeServer
from tests.host import disks
from tests.journal.card_rigs import filled
from tests.journal.samples import ORIGIN, record_of, save_job

SEED = 1
DISK_BYTES = 16 << 20
RATE = 48_000
KEY, OTHER = ClipKey("a" * 64), ClipKey("b" * 64)
SOUND = random.Random(SEED).randbytes(100_000)
RECORDS = 60
# Some ten pages of the database, of every kind.
ROTS, SECTORS_MAX = 60, 40
WAL = f"{FILE_NAME}-wal"

pytestmark = [pytest.mark.shows("bench.6", "U4"), pytest.mark.wants("disk")]


@dataclass(frozen=True)
class Kept:
    """A disk (a file) on which a station's journal and one clip lie, and what the journal held."""

    image: Path
    contents: Contents


def stage(root: Path, key: ClipKey = KEY) -> None:
    with PcmStore(root / "audio").writer(key, RATE) as writer:
        writer.feed(SOUND)
        writer.commit()


def heard(root: Path, key: ClipKey = KEY) -> bytes:
    with PcmStore(root / "audio").open(key) as clip:
        return clip.read(0, clip.frames)


def record(store: Store) -> None:
    store.begin()
    store.append(record_of(), None, job_over=False)
    store.commit()


def goes_on(store: Store) -> None:
    """The journal takes a record, behind its head."""
    before = store.load().last_seq
    record(store)
    assert store.load().last_seq == before + 1


@contextmanager
def lying(image: Path, folder: Path) -> Iterator[Path]:
    """The disk, mounted."""
    with disks.looped(image) as device, disks.mounted(device, folder) as root:
        yield root


@pytest.fixture(params=["closed", "cut"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    """Some records; the journal was closed, or the power was cut while the write-ahead log held the last ones."""
    image = disks.blank(tmp_path / "disk", DISK_BYTES)
    with lying(image, tmp_path / "state") as root:
        stage(root)
        store = Store(root / "journal", ORIGIN)
        store.begin()
        store.save_job(save_job())
        store.commit()
        for _ in range(RECORDS):
            record(store)
        contents = store.load()
        if request.param == "cut":
            disks.forget_pages()
            disks.copied(image, tmp_path / "cut")
        store.close()
    return Kept(tmp_path / "cut" if request.param == "cut" else image, contents)


def files_of(root: Path) -> dict[str, list[int]]:
    """The blocks on which each file of the journal lies."""
    files = [root / "journal" / name for name in (FILE_NAME, WAL)]
    return {
        file.name: [disks.block_of(file, at) for at in range(0, file.stat().st_size, disks.BLOCK_BYTES)]
        for file in files
        if file.exists()
    }


def blocks_of(kept: Kept, folder: Path) -> dict[str, list[int]]:
    """The same, on the disk as it lies."""
    with lying(disks.copied(kept.image, folder / "looked at"), folder / "state") as root:
        return files_of(root)


def test_a_full_card_says_so_leaves_no_half_clip_and_loses_nothing(tmp_path: Path) -> None:
    with lying(disks.blank(tmp_path / "disk", DISK_BYTES), tmp_path / "state") as root:
        stage(root)
        store = Store(root / "journal", ORIGIN)
        record(store)
        before = store.load()
        with filled(root):
            with pytest.raises(OSError) as caught:  # noqa: PT011 - its number is looked at
                stage(root, OTHER)
            assert caught.value.errno == errno.ENOSPC
            assert sorted(path.name for path in (root / "audio" / "pcm").iterdir()) == [f"{KEY}.blocks", f"{KEY}.pcm"]
            with pytest.raises(JournalError, match="SQLITE_FULL"):
                record(store)
            store.rollback()
            assert store.load() == before
        stage(root, OTHER)
        goes_on(store)
        assert heard(root) == heard(root, OTHER) == SOUND
        store.close()


def test_a_journal_on_a_card_that_is_read_only_is_read_and_gone_on_with_once_it_can_be_written(
    kept: Kept, tmp_path: Path
) -> None:
    with lying(disks.copied(kept.image, tmp_path / "worn"), tmp_path / "state") as root:
        disks.remounted(root, read_only=True)
        with pytest.raises(JournalError), closing(Store(root / "journal", ORIGIN)) as store:
            record(store)
        spare = SpareStore(root / "journal", ORIGIN, "refused")
        assert spare.load() == kept.contents
        with pytest.raises(JournalError):
            record(spare)
        disks.remounted(root, read_only=False)
        goes_on(spare)
        spare.close()
        with closing(Store(root / "journal", ORIGIN)) as store:
            after = store.load()
            assert (after.epoch, after.quarantined, after.last_seq) == (kept.contents.epoch, "", RECORDS + 1)


def test_a_card_that_refuses_writes_ends_in_a_named_error_and_keeps_all_it_had_promised(tmp_path: Path) -> None:
    with disks.looped(disks.blank(tmp_path / "disk", DISK_BYTES)) as device:
        with ExitStack() as lying:
            card = lying.enter_context(disks.mapped("card", disks.sound_table(device)))
            root = lying.enter_context(disks.mounted(card.path, tmp_path / "state"))
            stage(root)
            store = Store(root / "journal", ORIGIN)
            lying.callback(store.close)
            record(store)
            before = store.load()
            card.become(disks.refusing_table(device))
            with pytest.raises(JournalError, match="SQLITE_IOERR"):
                record(store)
            assert store.load() == before
            with pytest.raises(OSError) as caught:  # noqa: PT011 - its number is looked at
                stage(root, OTHER)
            assert caught.value.errno in (errno.EIO, errno.EROFS)
            assert heard(root) == SOUND
        with disks.mounted(device, tmp_path / "state") as root, closing(Store(root / "journal", ORIGIN)) as store:
            after = store.load()
            assert after.quarantined == ""
            assert (after.epoch, after.last_seq >= before.last_seq) == (before.epoch, True)
            goes_on(store)
            PcmStore(root / "audio").sweep()
            assert heard(root) == SOUND
            stage(root, OTHER)


def test_a_card_that_refuses_writes_silences_no_words_of_a_warning(tmp_path: Path) -> None:
    with (
        disks.looped(disks.blank(tmp_path / "disk", DISK_BYTES)) as device,
        disks.mapped("card", disks.sound_table(device)) as card,
        disks.mounted(card.path, tmp_path / "state") as root,
    ):
        (card_fetcher, on_card), memory = (
            (
                FakeFetcher(place / "originals", FakeServer()),
                Stager(PcmStore(place / "audio"), PlainDecoder(), PlainVoice(), RATE, text_free_bytes_min=0),
            )
            for place in (root, tmp_path / "memory")
        )
        staging = FetchAndStage(card_fetcher, on_card, DISK_BYTES, Memory(*memory))
        warning = SpeakText(KEY, "vi", "Lũ!", urgent=True)
        card.become(disks.refusing_table(device))
        assert isinstance(staging.text(replace(warning, urgent=False)), ClipFailed)
        assert isinstance(staging.text(warning), ClipStaged)
        with Shelf(root / "audio", tmp_path / "memory" / "audio").open(KEY) as clip:
            clip.verify()


def spoiled(image: Path, block: int, at: int, bit: int) -> None:
    """A bit of a block is another."""
    with open(image, "r+b") as disk:
        disk.seek(block * disks.BLOCK_BYTES + at)
        (byte,) = disk.read(1)
        disk.seek(-1, 1)
        disk.write(bytes([byte ^ 1 << bit]))


def test_a_bit_that_rots_in_the_journal_is_found_or_does_no_harm_and_what_is_put_aside_is_kept_whole(
    kept: Kept, tmp_path: Path
) -> None:
    dice, outcomes = random.Random(SEED), []
    places = [(name, block) for name, blocks in blocks_of(kept, tmp_path).items() for block in blocks]
    for number in range(ROTS):
        name, block = dice.choice(places)
        left = disks.copied(kept.image, tmp_path / "left")
        spoiled(left, block, dice.randrange(disks.BLOCK_BYTES), dice.randrange(8))
        with lying(left, tmp_path / "state") as root:
            before = journal_files(root / "journal")
            outcomes.append(outcome(root, kept, before, what=f"seed {SEED}, rot {number} in {name}"))
    print(f"seed {SEED}: {ROTS} bits:", {one: outcomes.count(one) for one in sorted(set(outcomes))})
    assert "put aside" in outcomes


def journal_files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in (FILE_NAME, WAL) if (folder / name).exists()}


def outcome(root: Path, kept: Kept, before: dict[str, bytes], what: str) -> str:
    """What became of a journal that has rotted; whatever it is, the station starts and goes on."""
    with closing(Store(root / "journal", ORIGIN)) as store:
        contents = store.load()
        fault = verify_chain(store.records_after(0, 1 << 40), head=ChainPoint(contents.last_seq, contents.last_hash))
        goes_on(store)
    if contents.quarantined:
        assert contents.epoch != kept.contents.epoch, what
        assert journal_files(root / contents.quarantined) == before, what
        return "put aside"
    assert contents.epoch == kept.contents.epoch or contents.last_seq == 0, what
    if fault is not None:
        return "named by the chain"
    return "whole" if contents == kept.contents else f"other: {contents.last_seq} records"


def test_a_sector_of_the_journal_that_cannot_be_read_keeps_no_station_from_starting(kept: Kept, tmp_path: Path) -> None:
    lies = blocks_of(kept, tmp_path)
    places = [(name, block) for name, blocks in lies.items() for block in blocks[1:]]
    heads = [(name, blocks[0]) for name, blocks in lies.items()]
    chosen = [*heads, *random.Random(SEED).sample(places, min(len(places), SECTORS_MAX))]
    outcomes = [(name, unreadable(kept, tmp_path, block)) for name, block in chosen]
    print(f"seed {SEED}: {len(chosen)} sectors:", {one: outcomes.count(one) for one in sorted(set(outcomes))})
    assert (FILE_NAME, "put aside") in outcomes


def unreadable(kept: Kept, folder: Path, block: int) -> str:
    """What becomes of a station one block of whose disk is bad."""
    left = disks.copied(kept.image, folder / "left")
    before = left.read_bytes()[block * disks.BLOCK_BYTES :][: disks.BLOCK_BYTES]
    with disks.looped(left) as device, disks.mapped("card", disks.dust_table(device)) as card:
        card.message("addbadblock", str(block))
        card.message("enable")
        with disks.mounted(card.path, folder / "state") as root:
            with closing(Store(root / "journal", ORIGIN)) as store:
                contents = store.load()
                goes_on(store)
            assert heard(root) == SOUND
            names = [path.name for path in root.glob("*quarantined*/*")]
    if not contents.quarantined:
        return "whole" if contents == kept.contents else f"other: {contents.last_seq} records"
    assert FILE_NAME in names
    assert left.read_bytes()[block * disks.BLOCK_BYTES :][: disks.BLOCK_BYTES] == before
    return "put aside"


@pytest.mark.parametrize("suffix", ["pcm", "blocks"])
@pytest.mark.parametrize("how", ["a bit", "a sector"])
def test_a_clip_that_has_rotted_is_never_heard_lies_until_it_is_made_anew_and_is_whole_then(
    tmp_path: Path, suffix: str, how: str
) -> None:
    image = disks.blank(tmp_path / "disk", DISK_BYTES)
    with lying(image, tmp_path / "state") as root:
        signals(root)
        file = root / "audio" / "pinned" / f"{ATTENTION}.{suffix}"
        disks.forget_pages()
        block, size = disks.block_of(file, 0), file.stat().st_size
    if how == "a bit":
        spoiled(image, block, random.Random(SEED).randrange(min(size, disks.BLOCK_BYTES)), 3)
    with disks.looped(image) as device, disks.mapped("card", disks.dust_table(device)) as card:
        if how == "a sector":
            card.message("addbadblock", str(block))
            card.message("enable")
        with disks.mounted(card.path, tmp_path / "state") as root:
            store = PcmStore(root / "audio")
            with pytest.raises(ClipAltered), store.open(ATTENTION) as clip:
                clip.read(0, clip.frames)
            assert store.sweep() == 0
            assert file.exists()
            assert signals(root)
            with store.open(ATTENTION) as clip:
                clip.verify()


def signals(root: Path) -> bool:
    """Look after them, as the agent does when it starts and once a day: what is not whole is made anew."""
    stager = Stager(PcmStore(root / "audio"), cast(Any, None), cast(Any, None), RATE)  # they need no voice
    return all(isinstance(staged, ClipStaged) for staged in stager.ensure_pinned())
