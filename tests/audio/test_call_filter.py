"""The filter of calls is made whole, or there is none and the reason says so. What it holds back: ``test_intruder``."""

from __future__ import annotations

import os
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


def test_a_process_that_loads_it_may_compute_and_no_more() -> None:
    load = call_filter.loader()
    child = os.fork()
    if child == 0:
        load()
        try:
            os.mkdir("/tmp/never")
        except OSError as exc:
            os._exit(exc.errno)
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
