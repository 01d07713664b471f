"""A TPM 2.0 of software (swtpm), behind the PKCS#11 library that Debian has for TPMs: each test with a chip of its own.

It speaks the commands of a chip that is soldered to a board, and forgets and counts like one. What a board has beside
it is played here: the kernel, which takes away what a process that ended left in the chip (``see_again``).
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pkcs11
import pytest

from edge_agent import element
from edge_agent.element import IN_USE
from tests.host.parts import ABSENT, needs
from tests.host.ports import free_port

PIN = "6f1d0c7a94be4f20a6c51d38e2b7f9a4"  # as the operations make one
SO_PIN = "so-pin-of-the-office-0815"
START_S = 60
# Only bounds a hanging test.
_LIBRARIES = ("lib/*/pkcs11/libtpm2_pkcs11.so.1", "lib/*/libtpm2_pkcs11.so.1")
_NO_SESSIONS, _HEADER = 0x8001, struct.Struct(">HII")
_GET_CAPABILITY, _FLUSH_CONTEXT, _HANDLES = 0x17A, 0x165, 1
_TRANSIENT, _LOADED_SESSION = 0x8000_0000, 0x0200_0000


def library() -> str:
    """Where Debian puts the library; "" where it is not installed."""
    found = [path for place in _LIBRARIES for path in Path("/usr").glob(place)]
    return str(found[0]) if found else ""


NEEDS_SWTPM = (
    needs("swtpm", "tpm2_dictionarylockout", "pkcs11-tool"),
    pytest.mark.skipif(not library(), reason=f"{ABSENT}libtpm2-pkcs11-1"),
    pytest.mark.host,
)


class Board:
    """A board with its TPM; the card, on which the library keeps its store, can be put into another one."""

    def __init__(self, place: Path) -> None:
        place.mkdir(parents=True)
        self.module = library()
        self.store = place / "store"
        self.store.mkdir(mode=0o700)
        self._state = place / "chip"
        self._state.mkdir()
        self._said = place / "swtpm.log"
        self._port = free_port(1)
        self._chip = self._started()
        self.environment = {
            "TPM2_PKCS11_STORE": str(self.store),
            "TPM2_PKCS11_TCTI": self.tcti,
            "TPM2TOOLS_TCTI": self.tcti,
            "TSS2_LOG": "all+NONE",
        }

    @property
    def tcti(self) -> str:
        """How a program reaches the chip."""
        return f"swtpm:host=127.0.0.1,port={self._port}"

    def plug_in_new(self, label: str) -> None:
        """A token of that label on the chip, by the commands of the operations."""
        pins = ("--so-pin", "env:SO")
        self.tool("pkcs11-tool", "--init-token", "--slot-index", "0", "--label", label, *pins)
        self.tool("pkcs11-tool", "--init-pin", "--token-label", label, *pins, "--pin", "env:PIN")

    def forgive_cuts(self) -> None:
        """The command of the operations, without which a chip takes power cuts for somebody who guesses the PIN."""
        few = ("--max-tries=1000", "--recovery-time=60", "--lockout-recovery-time=60")
        self.tool("tpm2_dictionarylockout", "--setup-parameters", *few)

    def tool(self, program: str, *words: str) -> None:
        module = ("--module", self.module) if program == "pkcs11-tool" else ()
        environment = {**os.environ, **self.environment, "PIN": PIN, "SO": SO_PIN}
        done = subprocess.run([program, *module, *words], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        self.forget_the_dead()

    def cut(self) -> None:
        """The power goes."""
        self._chip.kill()
        self._chip.wait()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """It neither answers nor fails. Then it goes on where it was, and whoever still waits has his answer."""
        self._chip.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._chip.send_signal(signal.SIGCONT)
            with IN_USE:
                pass
            while element.hangs():
                time.sleep(0.01)

    def power_on(self) -> None:
        """It comes back: the same chip, answering at the same place."""
        self._chip = self._started()

    def another_chip(self) -> None:
        """The card is in another board now, whose chip has never been used."""
        self.cut()
        self._state = self._state.with_name(f"{self._state.name}-another")
        self._state.mkdir()
        self.power_on()

    def forget_the_dead(self) -> None:
        """What the kernel's resource manager does when a process ends: nothing of it stays loaded."""
        with socket.create_connection(("127.0.0.1", self._port), START_S) as line:
            for kind in (_TRANSIENT, _LOADED_SESSION):
                for handle in _handles(line, kind):
                    _ask(line, _FLUSH_CONTEXT, struct.pack(">I", handle))

    def _started(self) -> subprocess.Popen[bytes]:
        """The chip, switched on and ready; the library wants its control line on the next port."""
        lines = [f"type=tcp,port={self._port + more},bindaddr=127.0.0.1" for more in (0, 1)]
        where = ("--tpmstate", f"dir={self._state.absolute()}", "--server", lines[0], "--ctrl", lines[1])
        with self._said.open("ab") as said:
            command = [_program("swtpm"), "socket", "--tpm2", *where, "--flags", "not-need-init,startup-clear"]
            chip = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            assert chip.poll() is None, self._said.read_text()
            try:
                socket.create_connection(("127.0.0.1", self._port), START_S).close()
            except ConnectionRefusedError:
                time.sleep(0.01)
            else:
                return chip
        raise AssertionError("swtpm does not answer")


@contextmanager
def board(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    """A board whose TPM this process sees too: the library reads the environment when it is initialised."""
    made = Board(place)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    try:
        see_again(made)
        yield made
        pkcs11.lib(made.module).finalize()
    finally:
        made.cut()


def see_again(made: Board) -> None:
    """As a new process would: nobody logged in, nothing loaded."""
    loaded = pkcs11.lib(made.module)
    loaded.finalize()
    made.forget_the_dead()
    loaded.initialize()


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found is not None
    return found


def _handles(line: socket.socket, kind: int) -> list[int]:
    answer = _ask(line, _GET_CAPABILITY, struct.pack(">III", _HANDLES, kind, 16))
    (count,) = struct.unpack_from(">I", answer, 5)  # after "more" (1 byte) and the capability
    return list(struct.unpack_from(f">{count}I", answer, 9))


def _ask(line: socket.socket, command: int, body: bytes) -> bytes:
    """A TPM's answer to a command, without its header. 0 is its success."""
    line.sendall(_HEADER.pack(_NO_SESSIONS, _HEADER.size + len(body), command) + body)
    _tag, length, code = _HEADER.unpack(_exactly(line, _HEADER.size))
    answer = _exactly(line, length - _HEADER.size)
    assert code == 0, hex(code)
    return answer


def _exactly(line: socket.socket, length: int) -> bytes:
    content = b""
    while len(content) < length:
        more = line.recv(length - len(content))
        assert more
        content += more
    return content
