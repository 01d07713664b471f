"""Files that last: whole or not at all, and never readable by others for a moment."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.durable import append_durably, write_durably
from edge_agent.identity.files import remove_durably
from edge_agent.trust.keys import draft_of, write_new


@pytest.fixture(params=[0o000, 0o022, 0o077])
def any_umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield int(request.param)
    os.umask(before)


@pytest.fixture
def file_bytes_max() -> Iterator[int]:
    """The kernel writes so many bytes of a file, and no more: half of it is there when the write fails."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE), 4_096
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    yield most
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was waited for until it survives a power cut, by the name that it had then."""
    found: list[Path] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        found.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return found


def test_a_file_is_synced_before_it_has_its_name_and_its_name_after_that(tmp_path: Path, synced: list[Path]) -> None:
    write_durably(tmp_path / "file", b"content")
    assert synced == [tmp_path / f".file.{os.getpid()}.part", tmp_path]


def test_what_is_added_is_synced_and_so_is_the_name_of_a_new_file(tmp_path: Path, synced: list[Path]) -> None:
    append_durably(tmp_path / "log", b"one\n")
    append_durably(tmp_path / "log", b"two\n")
    assert synced == [tmp_path / "log", tmp_path, tmp_path / "log"]


def test_what_is_waited_for_is_all_that_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What still lies in this process when the file is synced is on no card when the power goes."""
    found: list[bytes] = []

    def noted(descriptor: int) -> None:
        if os.path.isfile(at := f"/proc/self/fd/{descriptor}"):
            found.append(Path(at).read_bytes())

    monkeypatch.setattr(os, "fsync", noted)
    write_durably(tmp_path / "file", b"content")
    append_durably(tmp_path / "log", b"one\n")
    append_durably(tmp_path / "log", b"two\n")
    write_new(tmp_path / "key", b"secret")
    assert found == [b"content", b"one\n", b"one\ntwo\n", b"secret"]


def test_nothing_is_left_open_by_what_is_written_for_years(tmp_path: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    write_durably(tmp_path / "file", b"content")
    append_durably(tmp_path / "log", b"one\n")
    assert set(os.listdir("/proc/self/fd")) <= before, "an earlier test's may be closed meanwhile"


def test_that_a_file_is_gone_is_waited_for_and_what_was_never_there_is_not(tmp_path: Path, synced: list[Path]) -> None:
    """A removed key, or the mark of a reset that is done, must not come back with the power."""
    (tmp_path / "key").write_bytes(b"secret")
    remove_durably(tmp_path / "key")
    remove_durably(tmp_path / "key")
    assert synced == [tmp_path]


def test_with_a_file_goes_what_a_write_that_was_cut_short_left_beside_it_and_no_other(tmp_path: Path) -> None:
    """It may be half of a key, or the whole, of which somebody is told that it is gone."""
    for name in ("a.key", ".a.key.77.part", ".b.key.77.part", "b.key"):
        (tmp_path / name).write_bytes(b"secret")
    remove_durably(tmp_path / "a.key")
    assert sorted(one.name for one in tmp_path.iterdir()) == [".b.key.77.part", "b.key"]


def test_a_key_is_synced_before_it_has_its_name_and_its_name_after_that(tmp_path: Path, synced: list[Path]) -> None:
    write_new(tmp_path / "key", b"content")
    assert synced == [draft_of(tmp_path / "key"), tmp_path]


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_has_the_mode_that_was_asked_for_whatever_the_umask(tmp_path: Path, any_umask: int, mode: int) -> None:
    write_durably(tmp_path / "file", b"content", mode)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode
    assert (tmp_path / "file").read_bytes() == b"content"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_leftover_of_a_crash_does_not_lend_its_mode_to_a_secret(tmp_path: Path) -> None:
    leftover = tmp_path / f".secret.{os.getpid()}.part"
    leftover.write_bytes(b"half")
    leftover.chmod(0o666)
    write_durably(tmp_path / "secret", b"whole")
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_a_write_that_fails_leaves_the_old_content(tmp_path: Path) -> None:
    write_durably(tmp_path / "file", b"old")
    (tmp_path / f".file.{os.getpid()}.part").mkdir()
    with pytest.raises(OSError, match="part"):
        write_durably(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_write_for_which_there_is_no_room_keeps_none(tmp_path: Path, file_bytes_max: int) -> None:
    write_durably(tmp_path / "file", b"old")
    for _ in range(2):
        with pytest.raises(OSError, match="large"):
            write_durably(tmp_path / "file", b"n" * (file_bytes_max + 1))
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_appended_lines_follow_each_other_in_a_file_of_the_owner(tmp_path: Path, any_umask: int) -> None:
    append_durably(tmp_path / "log", b"one\n")
    append_durably(tmp_path / "log", b"two\n")
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"
    assert (tmp_path / "log").stat().st_mode & 0o077 == 0
