"""Names by a deadline: whoever answers for one may hold a lookup, but no thread of ours, and nothing of it is left."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import runpy
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edge_agent import host
from edge_agent.sync import ask_name, resolving
from edge_agent.sync.resolving import addresses, known

NAME = "broker.example"
PATIENCE_S = 60
# Only there so that a fault cannot hang the tests.
HANGS = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.alarm(0)
open(os.path.join(sys.argv[1], str(os.getpid())), "w").close()
time.sleep(3_600)
"""
# A lookup that will not end, and says who it is.


def asking(monkeypatch: pytest.MonkeyPatch, script: str, *words: object) -> None:
    """Stands in for the process that asks the resolver."""
    monkeypatch.setattr(resolving, "ASK", (sys.executable, "-c", script, *map(str, words)))


def gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_lookup_that_hangs_is_given_up_at_its_deadline_with_the_name_and_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asking(monkeypatch, HANGS, tmp_path)
    with pytest.raises(socket.gaierror, match=r"no address of broker\.example: no answer within 3 s; check .* DNS"):
        addresses(NAME, 3)
    processes = [int(path.name) for path in tmp_path.iterdir()]
    assert len(processes) <= 1, "none, on a machine that was too slow to begin"
    assert all(gone(process) for process in processes)


def test_many_that_hang_at_once_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asking(monkeypatch, HANGS, tmp_path)
    told: list[str] = []

    def ask() -> None:
        for _ in range(2):
            try:
                addresses(NAME, 2)
            except OSError as error:
                told.append(str(error))

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(told) == 16
    assert all("no answer within 2 s" in one for one in told)
    assert all(gone(int(path.name)) for path in tmp_path.iterdir())


def test_an_address_and_this_machine_need_nobody_to_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asking(monkeypatch, "raise SystemExit(7)")
    assert addresses("192.0.2.7", 1) == ["192.0.2.7"]
    assert addresses("127.1", 1) == ["127.0.0.1"]
    assert addresses("2001:db8::7", 1) == ["2001:db8::7"]
    assert addresses("LocalHost", 1) == ["127.0.0.1", "::1"]
    assert known(NAME) == []


def test_what_the_machine_itself_knows_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the process that a station starts: its hosts file counts, and nsswitch.conf."""
    monkeypatch.setattr(resolving, "LOCAL", {})
    assert set(addresses("localhost", PATIENCE_S)) <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("name", ["no-such-name.invalid", "-h", "x y"])
def test_a_name_that_nobody_knows_is_told_with_the_resolvers_words(name: str) -> None:
    """What this machine's resolver says of it may be another thing a moment later: its number is one of these."""
    unknown = (socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_NODATA, socket.EAI_FAIL)
    with pytest.raises(socket.gaierror, match=f"no address of {name}: .+; check the name") as caught:
        addresses(name, PATIENCE_S)
    assert caught.value.errno in unknown
    status, (number, words) = ask_name.asked(name)
    assert (status, int(number) in unknown, words != "") == (1, True, True)


def test_the_resolvers_number_and_words_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", unknown)
        assert ask_name.asked(NAME) == (1, [str(int(socket.EAI_NONAME)), "Name or service not known"])
    asking(monkeypatch, "print(-2); print('Name or service not known'); raise SystemExit(1)")
    with pytest.raises(socket.gaierror, match=f"no address of {NAME}: Name or service not known; check") as caught:
        addresses(NAME, PATIENCE_S)
    assert caught.value.errno == socket.EAI_NONAME


def test_a_name_in_vietnamese_is_asked_for_as_name_servers_spell_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asking(monkeypatch, "import sys; print(-2); print(sys.argv[1]); raise SystemExit(1)")
    with pytest.raises(socket.gaierror, match=r": xn--i-rfa0m\.example;"):
        addresses("đài.example", PATIENCE_S)


def test_whoever_asks_is_told_to_end_hardly_later_than_we_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should the agent be killed meanwhile; by a time of nothing it would never end."""
    asking(monkeypatch, "import sys; print(-2); print(sys.argv[2]); raise SystemExit(1)")
    with pytest.raises(socket.gaierror, match=f": {PATIENCE_S + 1};"):
        addresses(NAME, PATIENCE_S - 0.5)


@pytest.mark.parametrize("name", ["a..b", "x" * 70])
def test_what_cannot_be_a_name_is_not_asked_for(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    asking(monkeypatch, "print('192.0.2.7')")
    with pytest.raises(UnicodeError):
        addresses(name, 1)


@pytest.mark.parametrize(
    "script",
    [
        "raise SystemExit(3)",
        "print('192.0.2.7'); raise SystemExit(3)",
        "import os; os.kill(os.getpid(), 9)",
        "1 / 0",
        "",
        "print('what'); raise SystemExit(1)",
        "print(-2); print('not known'); raise SystemExit(3)",
    ],
    ids=[
        "it fails",
        "it fails behind an address",
        "it is killed",
        "it breaks",
        "it says nothing",
        "it makes no sense",
        "it fails behind an answer",
    ],
)
def test_whoever_asks_and_fails_is_a_name_without_an_address(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    asking(monkeypatch, script)
    with pytest.raises(socket.gaierror, match=r"no address of broker\.example: .+ ended with"):
        addresses(NAME, PATIENCE_S)


def test_what_is_no_address_is_never_handed_on_to_be_asked_for_with_no_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asking(monkeypatch, "print('nss: held.example'); print('held.example'); print(); print('192.0.2.7')")
    assert addresses(NAME, PATIENCE_S) == ["192.0.2.7"]
    asking(monkeypatch, r"import sys; sys.stdout.buffer.write(b'nss: \xff\n192.0.2.7\n')")
    assert addresses(NAME, PATIENCE_S) == ["192.0.2.7"], "nor does a word that is no text take the address with it"
    asking(monkeypatch, "print('localhost')")
    with pytest.raises(socket.gaierror, match="ended with 0"):
        addresses(NAME, PATIENCE_S)


def test_words_that_are_none_of_the_resolvers_are_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    asking(monkeypatch, "print('9' * 5_000); print(chr(27) + '[2J' * 5_000); raise SystemExit(1)")
    with pytest.raises(socket.gaierror, match="ended with 1"):
        addresses(NAME, PATIENCE_S)


def test_a_machine_that_starts_no_process_has_no_address_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "ASK", ("/nowhere/python",))
    with pytest.raises(socket.gaierror, match=r"no address of broker\.example: it cannot be asked for"):
        addresses(NAME, 1)


def test_a_box_whose_brokers_name_hangs_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asking(monkeypatch, HANGS, tmp_path)
    monkeypatch.setattr(host, "NAME_S", 0.5)
    seen = host.read(tmp_path, host.Way((NAME, 8883)), "", tmp_path)
    assert (seen.address, seen.storage_free_mb is None) == (None, False)


def test_whoever_asks_has_the_kernel_end_it_where_nobody_is_left_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent, killed while it asked, would leave a process behind that hangs for good, at each start one more."""
    told: list[int] = []
    monkeypatch.setattr(_signal, "alarm", told.append)
    monkeypatch.setattr(sys, "argv", [ask_name.__file__, "127.0.0.1", "7"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_path(ask_name.__file__, run_name="__main__")
    assert told == [7]


def test_whoever_asks_loads_none_of_the_library_that_a_board_would_wait_for() -> None:
    program = Path(ask_name.__file__)
    script = f"import sys; exec(open({str(program)!r}).read(), {{'__name__': 'asked'}}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True)
    assert sorted(set(done.stdout.split()) & {"socket", "signal", "enum", "re", "subprocess", "site"}) == []
