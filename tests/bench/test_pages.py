from __future__ import annotations

import os
import struct

import pytest

from bench import pages, proc

MAPS = """\
55d0c1a00000-55d0c1a03000 r--p 00000000 fe:00 1234                       /usr/bin/python3.13
7f0000000000-7f0000001000 rw-p 00000000 00:00 0
7ffd2b5f4000-7ffd2b5f8000 r--p 00000000 00:00 0                          [vvar]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
"""
PRESENT, SWAPPED = 1 << 63, 1 << 62

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


@pytest.mark.host
@shows_frames
def test_counted_with_all_strangers_the_weight_is_the_kernels_own_pss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_other_pythons", lambda pids: [])
    weight = pages.weight([os.getpid()])
    assert weight is not None
    assert weight.alone == pytest.approx(proc.memory(os.getpid()).pss, rel=0.03)
    assert weight.alone <= weight.once
