"""The filter of calls is made whole, or there is none and the reason says so. What it holds back: ``test_intruder``."""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
from collections.abc import Iterator

import pytest

from edge_agent.audio import call_filter
from edge_agent.audio.call_filter import NoFilter

INSTRUCTION_BYTES = 8


@pytest.fixture(autouse=True)
def made_anew() -> Iterator[None]:
    call_filter.program.cache_clear()
    yield
    call_filter.program.cache_clear()


def test_the_filter_is_a_program_for_the_kernel() -> None:
    made = call_filter.program()
    assert len(made) % INSTRUCTION_BYTES == 0
    assert len(made) // INSTRUCTION_BYTES > len(call_filter.CALLS) // 2
    assert call_filter.program() is made


TIOCSTI, PR_SET_DUMPABLE = 0x5412, 4


def stays_dumpable() -> None:
    if PRCTL(PR_SET_DUMPABLE, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


PRCTL = ctypes.CDLL(None, use_errno=True).prctl
REFUSED = {
    "make a folder": lambda: os.mkdir("/tmp/never"),
    "raise its own limits": lambda: resource.setrlimit(resource.RLIMIT_CORE, resource.getrlimit(resource.RLIMIT_CORE)),
    "type into a terminal": lambda: fcntl.ioctl(0, TIOCSTI, b"x"),
    "let others read its memory": stays_dumpable,
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_process_that_loads_it_may_compute_and_no_more(what: str) -> None:
    load = call_filter.loader()
    child = os.fork()
    if child == 0:
        load()
        try:
            REFUSED[what]()
        except OSError as exc:
            os._exit(exc.errno or 1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.strerror(os.waitstatus_to_exitcode(status)) == "Function not implemented"


def test_a_machine_without_libseccomp_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_filter, "LIBRARY", "libseccomp.so.none")
    for make in (call_filter.program, call_filter.loader):
        with pytest.raises(NoFilter, match=r"no call filter: libseccomp\.so\.none"):
            make()


def test_a_rule_that_libseccomp_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    nonsense = call_filter.Where("ioctl", argument=9, mask=1, value=1)
    monkeypatch.setattr(call_filter, "WHERE", (nonsense,))
    with pytest.raises(NoFilter, match="no call filter: ioctl: Invalid argument"):
        call_filter.program()
