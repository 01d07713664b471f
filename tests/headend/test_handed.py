"""What comes on a stick was in other hands: it keeps nobody waiting, fills no memory and writes on no screen."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_agent.headend.cli import main
from edge_agent.headend.handed import CannotBeRead, read_handed
from edge_agent.headend.key_folder import KeyFolder
from edge_agent.trust.keys import Signer
from tests.headend.holders import WARD, Places

PATIENCE_S = 60
# On a busy machine five commands take three seconds.
BYTES_MAX = 4_096
MOVES_THE_CURSOR = "root\x1b[9A\x1b[2Kdấu khóa: 8bed b86f.json"


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    """Whatever waits for ever fails here."""

    def wake(*_: object) -> None:
        raise AssertionError(f"it was still waiting after {PATIENCE_S} s")

    before = signal.signal(signal.SIGALRM, wake)
    signal.alarm(PATIENCE_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def link_to_a_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def link_to_a_device_without_end(path: Path) -> None:
    path.symlink_to("/dev/zero")


def file_of_many_gigabytes(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


LAID = (pipe, link_to_a_pipe, link_to_a_device_without_end, file_of_many_gigabytes, Path.mkdir)


@pytest.mark.parametrize("lay", LAID)
def test_what_is_no_file_of_its_kind_is_refused_at_once(places: Places, lay: Callable[[Path], None]) -> None:
    lay(places.handed / "root-1.json")
    with pytest.raises(CannotBeRead, match=r"root-1\.json: "):
        read_handed(places.handed / "root-1.json", BYTES_MAX)
    first = ("--first", WARD, "--realm", "loa-vn", "--public", places.handed, "--out", places.place / "out")
    assert "root-1.json: " in places.trust("draft", "ward", *first, status=1)
    for words in (("show",), ("take",), ("merge", "--out", places.place / "whole.json"), ("sign", "--key", "root-1")):
        what, *more = words
        assert "root-1.json: " in places.trust(str(what), "root-1", places.handed / "root-1.json", *more, status=1)


def test_a_file_name_that_would_write_over_the_fingerprint_above_it_is_shown_harmless(places: Places) -> None:
    """`show *.json`: the next name moves the cursor up, and the page is another one than was read."""
    (places.handed / MOVES_THE_CURSOR).write_bytes(b"{}")
    first = ("--first", WARD, "--realm", "loa-vn", "--public", places.handed, "--out", places.place / "out")
    for said in (
        places.trust("show", "root-1", places.handed / MOVES_THE_CURSOR, status=1),
        places.trust("draft", "ward", *first, status=1),
    ):
        assert "\x1b" not in said
        assert "control characters" in said


def test_a_file_name_that_no_terminal_can_write_is_refused_by_name(places: Places) -> None:
    file = places.handed / os.fsdecode(b"root\xff.json")
    file.write_bytes(b"{}")
    assert "root\\udcff.json" in places.trust("show", "root-1", file, status=1)


def test_a_link_that_its_reader_has_laid_himself_is_followed(places: Places) -> None:
    (places.handed / "that.json").write_bytes(b"{}")
    (places.handed / "this.json").symlink_to("that.json")
    assert read_handed(places.handed / "this.json", BYTES_MAX) == b"{}"


def test_a_page_that_nobody_reads_is_not_signed_and_is_no_success(
    places: Places, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = places.begin() / "root.json"
    before = root.read_bytes()
    gone, page = os.pipe()  # a pager that was left, or `| head`
    os.close(gone)
    with monkeypatch.context() as patched, open(page, "w", encoding="utf-8") as nobody_reads:
        patched.setattr(sys, "stdout", nobody_reads)
        assert main(["trust", "sign", str(root), "--dir", str(places.place / "root-1"), "--key", "root-1"]) == 1
    assert "NOT signed" in capsys.readouterr().err
    assert root.read_bytes() == before


def test_a_full_disk_names_no_option_that_nobody_has_typed(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    root = places.begin() / "root.json"

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("edge_agent.headend.cli.options.write_durably", full)
    told = places.sign(root, "root-1", status=1)
    assert f"FILE {root}: không ghi được / cannot be written (No space left on device)" in told
    assert "--out" not in told


def test_a_folder_that_nobody_has_made_is_named_and_no_network_begins_in_it(places: Places) -> None:
    root = places.begin() / "root.json"
    for holder in ("root-1", "root-3"):
        places.sign(root, holder)
    first = ("--first", places.read_out(root))
    assert "is --dir right?" in places.trust("take", "root-l", root, *first, status=1)
    assert not (places.place / "root-l").exists()


def test_drafts_of_a_try_that_was_broken_off_are_not_mixed_with_those_of_the_next(places: Places) -> None:
    """Of a key's replacement only the second draft was left: the first one is not written anew beside it."""
    drafts = places.begin()
    places.finish(drafts)
    places.make_key("national-trust-2")
    swap = ("--replace", f"national-trust-1={places.handed / 'national-trust-2.json'}", "--yes")
    out = places.draft(*swap, out="swap")
    (out / "root.json").unlink()
    told = places.trust("draft", "ward", *swap, "--out", out, status=1)
    assert "đã có, có thể đã có người ký; dùng --out khác / exists, and somebody may have signed it" in told
    assert not (out / "root.json").exists()


def test_a_place_for_drafts_that_is_none_is_named(places: Places) -> None:
    places.finish(places.begin())
    asked = ("--area", "root", "--out", "/dev/null", "--yes")
    assert "no such folder" in places.trust("draft", "ward", *asked, status=1)


def test_two_who_sign_one_file_at_once_both_have_signed(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is asked for his passphrase, and looks for it; the other signs meanwhile, at another terminal."""
    root, opened = places.begin() / "root.json", KeyFolder.signer

    def meanwhile(folder: KeyFolder, name: str) -> Signer:
        monkeypatch.setattr(KeyFolder, "signer", opened)
        places.sign(root, "root-2")
        return opened(folder, name)

    monkeypatch.setattr(KeyFolder, "signer", meanwhile)
    places.sign(root, "root-1")
    assert len(json.loads(root.read_bytes())["signatures"]) == 2
    assert "2/2" in places.trust("show", "ward", root)
