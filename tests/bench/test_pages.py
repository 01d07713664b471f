from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import pages, proc

MAPS = """\
55d0c1a00000-55d0c1a03000 r--p 00000000 fe:00 1234                       /usr/bin/python3.13
7f0000000000-7f0000001000 rw-p 00000000 00:00 0
7ffd2b5f4000-7ffd2b5f8000 r--p 00000000 00:00 0                          [vvar]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
"""
PRESENT, SWAPPED = 1 << 63, 1 << 62
HELD = 64 << 20

shows_frames = pytest.mark.skipif(not pages.frames_of(os.getpid()), reason="the kernel shows page frames to root only")


def test_mappings_become_page_numbers_and_the_kernels_own_are_left_out() -> None:
    first = 0x55D0C1A00000 // pages.PAGE
    other = 0x7F0000000000 // pages.PAGE
    assert pages.parse_maps(MAPS) == [(first, first + 3 * 4096 // pages.PAGE), (other, other + 4096 // pages.PAGE)]


def test_only_pages_in_memory_have_a_frame_and_a_hidden_frame_is_none() -> None:
    entries = struct.pack("=4Q", PRESENT | 77, SWAPPED | 5, PRESENT, PRESENT | (1 << 61) | 78)
    assert pages.parse_entries(entries) == {77, 78}


def test_a_page_is_divided_by_its_users_but_not_by_strangers() -> None:
    ours = {1: 1, 2: 2, 3: 1}
    mappings = {1: 1, 2: 2, 3: 4}
    assert pages.shared_out(ours, {}, mappings) == 1 + 1 + 0.25
    assert pages.shared_out(ours, {3: 2}, mappings) == 1 + 1 + 0.5


def test_a_page_that_was_unmapped_while_counting_weighs_no_more_than_itself() -> None:
    assert pages.shared_out({1: 1}, {1: 3}, {1: 2}) == 1


@pytest.fixture
def twins() -> Iterator[tuple[int, int]]:
    """Two processes that sit still and have the same memory: one forked from the other, and neither writes to it."""
    code = f"import os, sys; held = b'x' * {HELD}; os.fork() and print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as one:
        assert one.stdout is not None
        one.stdout.readline()
        yield one.pid, int(Path(f"/proc/{one.pid}/task/{one.pid}/children").read_text())
        one.communicate()


@pytest.mark.host
@shows_frames
def test_where_no_process_is_taken_away_the_weight_is_the_kernels_own_pss(twins: tuple[int, int]) -> None:
    one, _ = twins
    weight = pages.weight([one], strangers=())
    assert weight is not None
    assert HELD / 2 <= weight.alone == pytest.approx(proc.memory(one).pss, rel=0.03)
    assert weight.once >= HELD


@pytest.mark.host
@shows_frames
def test_where_a_process_would_not_be_its_share_falls_to_who_is_left(twins: tuple[int, int]) -> None:
    one, other = twins
    weight = pages.weight([one], strangers=(other,))
    assert weight is not None
    assert HELD <= weight.alone <= weight.once
    assert {other} <= set(pages.other_pythons({one})), "every other Python is one that a board would not have"
