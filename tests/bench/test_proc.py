from __future__ import annotations

import os
import subprocess
import sys
import time

from bench import proc
from bench.proc import Memory, Work

ROLLUP = """\
55d0c1a00000-7ffd2b5f8000 ---p 00000000 00:00 0                          [rollup]
Rss:               27700 kB
Pss:               18700 kB
Pss_Dirty:         14800 kB
Pss_Anon:          14800 kB
Private_Dirty:     14800 kB
Anonymous:         14808 kB
AnonHugePages:         0 kB
"""


def test_memory_is_read_from_the_kernels_rollup_in_bytes() -> None:
    assert proc.parse_rollup(ROLLUP) == Memory(27_700 * 1024, 18_700 * 1024, 14_808 * 1024)


def test_named_numbers_are_found_among_other_lines() -> None:
    text = "Name:\tpython3\nState:\tS (sleeping)\nVmHWM:\t  31244 kB\nvoluntary_ctxt_switches:\t105\nVmHWM:\t1 kB\n"
    assert proc.parse_numbers(text) == {"VmHWM": 31_244, "voluntary_ctxt_switches": 105}


def test_cpu_time_is_the_schedulers_first_number() -> None:
    assert proc.parse_schedstat("2446597 1200 17\n") == 2_446_597


def test_ticks_are_found_behind_whatever_a_program_is_called() -> None:
    assert proc.parse_stat("77 (a) b 1) S 1 77 77 0 -1 4194304 100 0 0 0 250 31 9 9 20 0 1 0 1 1 1\n") == 281


def test_a_process_that_is_gone_has_taken_nothing_and_one_that_works_more_and_more() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as child:
        until = time.monotonic() + 30
        while proc.cpu_s(child.pid) < 0.1 and time.monotonic() < until:
            time.sleep(0.01)
        assert 0.1 <= proc.cpu_s(child.pid) < 31
        child.kill()
    assert proc.cpu_s(child.pid) == 0


def test_memory_and_work_add_up_over_processes() -> None:
    assert Memory(3, 2, 1) + Memory(30, 20, 10) == Memory(33, 22, 11)
    assert Work(5, 4, 3) + Work(1, 1, 1) - Work(2, 2, 2) == Work(4, 3, 2)


def test_work_of_a_real_process_grows_with_what_it_does() -> None:
    before = proc.work(os.getpid())
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    time.sleep(0.001)
    done = proc.work(os.getpid()) - before
    assert done.cpu_ns >= 45_000_000
    assert done.wakeups >= 1


def test_a_grandchild_is_among_the_children_and_its_peak_outlives_its_use() -> None:
    once_big = "x = bytearray(40_000_000); x[::4096] = b'1' * len(x[::4096]); del x; print(flush=True); input()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {once_big!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        (grandchild,) = proc.children(child.pid)
        assert grandchild in proc.children(os.getpid())
        assert proc.peak(grandchild) > 40_000_000
        assert proc.memory(grandchild).rss < 40_000_000
        child.communicate("\n")
    assert proc.peak(grandchild) == 0
