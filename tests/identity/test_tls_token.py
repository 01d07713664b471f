"""A station whose certificate's key lies in an element, too: what it can do, and what a copy of its card cannot.

Every station here is a process of its own, as on a pole: OpenSSL is taught to sign by the element once in the life of
one, and never in that of the tests.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import CDLL
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pkcs11 import Attribute, ObjectClass

from edge_agent.identity import openssl_provider
from edge_agent.identity.certificate import read_certificate
from edge_agent.identity.token import find_token, log_in
from edge_agent.identity.token_library import NoTokenLibrary
from tests.host import softhsm, swtpm
from tests.host.ossl_provider import NEEDS_PROVIDER
from tests.host.parts import needs
from tests.host.softhsm import NEEDS_SOFTHSM, drawer
from tests.host.swtpm import NEEDS_SWTPM, Board, board
from tests.identity.street import Box, Office, Street, box

pytestmark = [*NEEDS_PROVIDER, needs("mosquitto", "ffmpeg", "espeak-ng")]
END_S = 600
# Only bounds a hanging test.
LABEL = "TRAM"
KB_MAX = 4.0
# A connection, on average, with what malloc keeps for four threads: 0.5 to 1.2 as it is, and in one thread 0.1 to 0.2;
# 6.7 more where OpenSSL checks the server's signatures in the element.


@dataclass
class Element:
    """An element with a token on it.

    ``forget`` is what the kernel does for a chip when a process has ended, ``leave_behind`` has the card copied without
    it, which is told in the words ``without``.
    """

    module: str
    pin: str
    forget: Callable[[], None]
    see_again: Callable[[], None]
    leave_behind: Callable[[], None]
    without: str


def in_drawer(place: Path, patch: pytest.MonkeyPatch) -> Iterator[Element]:
    """An element that is plugged in; whoever copies the card has not got it."""
    with drawer(place / "hsm", patch) as made:
        made.plug_in_new(LABEL)
        again = partial(softhsm.see_again, made)
        yield Element(made.module, softhsm.PIN, lambda: None, again, made.pull_all, "is not plugged in")


def on_board(place: Path, patch: pytest.MonkeyPatch) -> Iterator[Element]:
    """A chip that is soldered to a board; a copy of the card is put into another one."""
    with board(place / "board", patch) as made:
        made.plug_in_new(LABEL)
        made.forgive_cuts()
        again = partial(swtpm.see_again, made)
        yield Element(made.module, swtpm.PIN, made.forget_the_dead, again, made.another_chip, "a card of another board")


@pytest.fixture(
    params=[
        pytest.param(in_drawer, id="element", marks=NEEDS_SOFTHSM),
        pytest.param(on_board, id="tpm", marks=NEEDS_SWTPM),
    ]
)
def element(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Element]:
    yield from request.param(tmp_path, monkeypatch)


@pytest.fixture
def chip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    with board(tmp_path / "board", monkeypatch) as made:
        made.plug_in_new(LABEL)
        made.forgive_cuts()
        yield made


@pytest.fixture
def on_chip(tmp_path: Path, chip: Board, street: Street) -> Station:
    """Enrolled, with both keys in a chip that can be cut off."""
    again = partial(swtpm.see_again, chip)
    inside = Element(chip.module, swtpm.PIN, chip.forget_the_dead, again, chip.another_chip, "")
    made = fresh(tmp_path, inside)
    assert made.enrol(street.ward).returncode == 0
    return made


@dataclass
class Station:
    """A box that keeps both keys in its element, and the processes that run on it."""

    made: Box
    element: Element

    def does(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of the technician's."""
        done = subprocess.run(
            [sys.executable, "-m", "edge_agent", *words[:1], "--config", str(self.made.file), *words[1:]],
            capture_output=True,
            text=True,
            timeout=END_S,
        )
        self.element.forget()
        return done

    def enrol(self, ward: Office, label: str = LABEL) -> subprocess.CompletedProcess[str]:
        by_token = ("--token", self.element.module, "--label", label)
        code = ward.code("dt-01").typed()
        return self.does("enrol", "--server", ward.url, "--code", code, *by_token)

    @contextmanager
    def running(self, until: str = "event=subscribed") -> Iterator[subprocess.Popen[str]]:
        """The agent, when its log has said those words: those of one that the broker has taken in."""
        command = [sys.executable, "-m", "edge_agent", "run", "--config", str(self.made.file)]
        told = []
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as agent:
            hang = threading.Timer(END_S, agent.kill)
            hang.start()
            try:
                assert agent.stderr is not None
                for line in agent.stderr:
                    told.append(line)
                    if until in line:
                        break
                else:
                    raise AssertionError("".join(told))
                yield agent
            finally:
                agent.terminate()
                agent.stderr.read()
                agent.wait(END_S)
                hang.cancel()
                self.element.forget()

    @contextmanager
    def showing(self, task: str, peer: Peer) -> Iterator[subprocess.Popen[str]]:
        """See ``showing``."""
        command = [sys.executable, "-m", "tests.identity.showing", task, str(self.made.file), str(peer.port)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, text=True, **pipes) as shown:  # type: ignore[call-overload]
            hang = threading.Timer(END_S, shown.kill)
            hang.start()
            try:
                yield shown
                shown.stdin.close()
                assert shown.wait(END_S) == 0
            finally:
                hang.cancel()
                shown.kill()
        self.element.forget()

    def keys_inside(self) -> int:
        """How many halves of keys lie on the token."""
        self.element.see_again()
        session = log_in(find_token(self.element.module, LABEL), lambda _what: self.element.pin)
        halves = (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY)
        found = sum(len(list(session.get_objects({Attribute.CLASS: half}))) for half in halves)
        session.close()
        self.element.see_again()
        return found


@pytest.fixture
def station(tmp_path: Path, element: Element) -> Station:
    return fresh(tmp_path, element)


def fresh(place: Path, element: Element) -> Station:
    """From the shelf, its PIN beside where its keys' notes will be."""
    made = box(place / "a", "signing.token", "station.token")
    (made.folder / "identity").mkdir()
    pin = made.folder / "identity" / "signing.pin"
    pin.write_text(f"{element.pin}\n")
    pin.chmod(0o600)
    return Station(made, element)


class Peer:
    """Tells whoever shows a certificate of the ward's whom it takes him for; others it calls nobody."""

    def __init__(self, ward: Office) -> None:
        server = ward.keyring.server("broker")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._context.load_cert_chain(server.certificate, server.key)
        self._context.load_verify_locations(ward.keyring.authority_path)
        self._context.verify_mode = ssl.CERT_OPTIONAL
        self._door = socket.create_server(("localhost", 0))
        self.port = self._door.getsockname()[1]
        threading.Thread(target=self._open, daemon=True).start()

    def _open(self) -> None:
        while True:
            line, _ = self._door.accept()
            threading.Thread(target=self._greet, args=(line,), daemon=True).start()

    def _greet(self, line: socket.socket) -> None:
        try:
            with self._context.wrap_socket(line, server_side=True) as tls:
                subject = (tls.getpeercert() or {}).get("subject", ((("commonName", "nobody"),),))
                tls.sendall(str(subject[0][0][1]).encode())  # type: ignore[index]
        except OSError:
            line.close()


def told(process: subprocess.Popen[str], line: str = "") -> Any:
    """What it answers to a line."""
    assert process.stdin is not None
    print(line, file=process.stdin, flush=True)
    return result(process)


def result(process: subprocess.Popen[str]) -> Any:
    """Its next one."""
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


@pytest.mark.deep
def test_a_station_whose_keys_both_lie_in_an_element_from_enrolment_to_reset(street: Street, station: Station) -> None:
    """Every step by the commands of the operations, the broker a real one."""
    done = station.enrol(street.ward)
    assert done.returncode == 0, done.stderr
    folder = station.made.folder / "identity"
    assert {path.name for path in folder.iterdir() if path.suffix in (".token", ".pin", ".key")} == {
        "signing.token",
        "station.token",
        "signing.pin",
    }
    assert [path.name for path in folder.glob("*.token") if path.stat().st_mode & 0o077] == []
    assert [name for name, content in station.made.files().items() if b"PRIVATE KEY" in content] == []
    assert station.keys_inside() == 4
    with station.running() as agent:
        pass
    assert agent.returncode == 0
    before = read_certificate((folder / "station.pem").read_bytes())
    done = station.does("renew")
    assert done.returncode == 0, done.stderr
    after = read_certificate((folder / "station.pem").read_bytes())
    assert (after.public, after.names) == (before.public, before.names)
    findings = station.does("doctor").stdout
    assert f"{folder}/station.token: in the element, fits the certificate" in findings
    assert "TLSv1.3, certificate trusted" in findings
    with station.running() as agent:
        pass
    assert agent.returncode == 0
    assert station.does("factory-reset", "--yes").returncode == 0
    assert list(folder.iterdir()) == []
    assert station.keys_inside() == 0


@pytest.mark.deep
def test_a_copied_card_is_taken_for_nobody_and_the_technician_is_told_which_key_is_elsewhere(
    street: Street, station: Station
) -> None:
    assert station.enrol(street.ward).returncode == 0
    peer = Peer(street.ward)
    with station.showing("once", peer) as process:
        assert told(process, "go") == ["met", "dt-01"]
    station.element.leave_behind()
    with station.showing("once", peer) as process:
        what, (_kind, words) = result(process)
    assert what == "prepare"
    assert station.element.without in words
    (line,) = [one for one in station.does("doctor").stdout.splitlines() if "certificate's private key" in one]
    assert line.startswith("LỖI/FAULT")
    assert f"station.token: token {LABEL}" in line


def test_a_chip_that_is_gone_is_named_with_its_field_and_the_next_process_is_taken_in_when_it_is_back(
    street: Street, on_chip: Station, chip: Board
) -> None:
    peer = Peer(street.ward)
    with on_chip.showing("once", peer) as process:
        assert told(process, "go") == ["met", "dt-01"]
        chip.cut()
        for _ in range(2):
            what, (kind, words) = told(process, "go")
            assert (what, kind) == ("connect", "KeyNotShown")
            assert re.match(r"\[broker\] key_file .*station\.token: token TRAM: thiết bị báo lỗi / failed", words)
        chip.power_on()
    with on_chip.showing("once", peer) as process:
        assert told(process, "go") == ["met", "dt-01"]


def test_a_chip_that_goes_in_the_midst_of_a_handshake_is_not_called_a_fault_of_the_servers(
    street: Street, on_chip: Station, chip: Board
) -> None:
    with on_chip.showing("once", Peer(street.ward)) as process:
        assert told(process) == ["shown", None]
        chip.cut()
        what, (kind, words) = told(process, "go")
        assert (what, kind) == ("connect", "KeySilent")
        assert "[broker] key_file: chip không ký / the element does not sign" in words
        chip.power_on()


@pytest.mark.deep
def test_connections_and_signatures_at_once_disturb_each_other_in_nothing_and_leave_nothing_behind(
    street: Street, station: Station
) -> None:
    """Two threads show the certificate, one shows none, one signs. Taught carelessly, OpenSSL breaks all four."""
    assert station.enrol(street.ward).returncode == 0
    with station.showing("many", Peer(street.ward)) as process:
        assert result(process) == ["faults", []]
        (_, kb) = result(process)
    print(f"{kb:.2f} kB for each")
    assert kb < KB_MAX


def test_an_agent_whose_chip_goes_runs_on_and_the_next_one_is_taken_in_when_it_is_back(
    on_chip: Station, chip: Board
) -> None:
    """It says nothing more, and has itself started anew when that costs no sound (``identity.pen``)."""
    file = on_chip.made.file
    file.write_text(file.read_text("utf-8") + "\n[reporting]\nheartbeat_s = 15\n", "utf-8")
    with on_chip.running() as agent:
        chip.cut()
        assert agent.stderr is not None
        assert any("cannot sign" in line for line in agent.stderr)
        assert agent.poll() is None
        chip.power_on()
    assert agent.returncode == 0
    with on_chip.running() as agent:
        pass
    assert agent.returncode == 0


@pytest.mark.deep
def test_an_agent_whose_chip_hangs_begins_without_it_and_ends_when_it_is_told_to(on_chip: Station, chip: Board) -> None:
    """Neither key is to be had, and nothing that proves no order keeps a station from its timetable."""
    on_chip.element.forget = lambda: None
    with chip.hanging():
        with on_chip.running(until="cannot sign") as agent:
            assert agent.stderr is not None
            assert any("certificate cannot be shown" in line for line in agent.stderr)
            assert any("does not answer within" in line and "KeyNotShown" in line for line in agent.stderr)
            assert agent.poll() is None
        assert agent.returncode == 0
    chip.forget_the_dead()
    with on_chip.running() as agent:
        pass
    assert agent.returncode == 0


def test_nobody_is_at_work_in_the_element_when_the_process_forks(street: Street, station: Station) -> None:
    """The provider's own part of a fork takes its locks again, in a child where nobody is left to give them back."""
    assert station.enrol(street.ward).returncode == 0
    with station.showing("forks", Peer(street.ward)) as process:
        assert result(process) == ["waits", True]
        assert result(process) == ["went on", True]


@NEEDS_SOFTHSM[0]
def test_where_the_provider_is_missing_the_agent_runs_without_a_line_and_says_what_to_install(
    street: Street, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with drawer(tmp_path / "hsm", monkeypatch) as made:
        made.plug_in_new(LABEL)
        again = partial(softhsm.see_again, made)
        station = fresh(tmp_path, Element(made.module, softhsm.PIN, lambda: None, again, made.pull_all, ""))
        assert station.enrol(street.ward).returncode == 0
        monkeypatch.setenv("OPENSSL_MODULES", str(tmp_path))
        with station.running(until="sudo apt-get install pkcs11-provider") as agent:
            assert agent.stderr is not None
            assert any("KeyNotShown: [broker] key_file" in line for line in agent.stderr)
            assert agent.poll() is None
        assert agent.returncode == 0


@NEEDS_SOFTHSM[0]
def test_a_token_whose_name_would_mean_something_in_an_address_is_found(
    street: Street, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = "TRẠM;%41?pin-value=x"
    with drawer(tmp_path / "hsm", monkeypatch) as made:
        made.plug_in_new(LABEL)
        made.plug_in_new(label)
        again = partial(softhsm.see_again, made)
        station = fresh(tmp_path, Element(made.module, softhsm.PIN, lambda: None, again, made.pull_all, ""))
        assert station.enrol(street.ward, label).returncode == 0
        with station.showing("once", Peer(street.ward)) as process:
            assert told(process, "go") == ["met", "dt-01"]


@NEEDS_SOFTHSM[0]
def test_a_library_that_openssl_cannot_load_is_named_with_the_package_and_another_one_is_refused(
    element: Element,
) -> None:
    code = (
        "from edge_agent.identity import openssl_provider as p; from edge_agent.identity.token_library import *\n"
        "for module in ('/nowhere.so', {0!r}, {0!r}, '/another.so'):\n"
        "    try: p.load(module); print('loaded')\n"
        "    except NoTokenLibrary as error: print(error)\n"
    )
    command = [sys.executable, "-c", code.format(element.module)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=END_S, check=True).stdout.splitlines()
    assert said[1:3] == ["loaded", "loaded"]
    assert "cannot use /nowhere.so: sudo apt-get install pkcs11-provider" in said[0]
    assert f"there is one at a time, {element.module}" in said[3]


def test_an_openssl_that_is_too_old_is_told() -> None:
    with pytest.raises(NoTokenLibrary, match="quá cũ / too old"):
        openssl_provider.load("/usr/lib/any.so", partial(CDLL, None))  # the program itself, which has no such call
