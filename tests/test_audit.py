"""`./run audit` against a real advisory service on this machine: what it knows, what it does not, and when it is away.

The real pip-audit asks it, over HTTP, in OSV's own form; nothing leaves this machine.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tools import audit
from tools.locked import BUILD, LOCK, Locked, read

A = "a" * 64
LOCKED = f"""# Made by ./run lock; do not edit.
alpha==1.0 \\
    --hash=sha256:{A}
beta==2.0 ; python_version < "3.0" \\
    --hash=sha256:{A}
"""
BUILD_LOCKED = f"gamma==3.0 \\\n    --hash=sha256:{A}\n"
PROBE = (audit.PROBE.name, audit.PROBE.version)
AT = datetime(2026, 9, 1, 8, 30, tzinfo=UTC)


def advisory(package: str, name: str, *fixed: str, **more: str) -> dict[str, Any]:
    """In OSV's form."""
    events = [{"introduced": "0"}, *({"fixed": version} for version in fixed)]
    affected = {"package": {"name": package, "ecosystem": "PyPI"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    return {"id": name, "summary": "planted", "affected": [affected], "aliases": ["CVE-2000-0001"], **more}


class Service(ThreadingHTTPServer):
    """Knows what it is told of (package, version), and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.known: dict[tuple[str, str], list[dict[str, Any]]] = {PROBE: [advisory("jinja2", "PYSEC-probe", "2.10.1")]}
        self.asked: list[tuple[str, str]] = []
        self.says: tuple[int, bytes] | None = None
        """Instead of what it knows: to everything."""
        self.refuses_after = 1_000

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/query"


class Answering(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = (question["package"]["name"], question["version"])
        self.server.asked.append(key)
        if len(self.server.asked) > self.server.refuses_after:
            return  # The connection ends without an answer.
        known = self.server.known.get(key)
        status, body = self.server.says or (200, json.dumps({"vulns": known} if known else {}).encode())
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the test's screen."""


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def locks(tmp_path: Path) -> list[str]:
    (tmp_path / "lock.txt").write_text(LOCKED, "utf-8")
    (tmp_path / "build.txt").write_text(BUILD_LOCKED, "utf-8")
    return ["--lock", str(tmp_path / "lock.txt"), str(tmp_path / "build.txt")]


def outcome(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = audit.main(arguments)
    return code, capsys.readouterr().out.splitlines()


def test_a_service_that_knows_of_nothing_in_the_locks_makes_them_clean(
    service: Service, locks: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = outcome(capsys, *locks, "--osv-url", service.url)
    assert (code, len(said)) == (0, 1)
    assert said[0].startswith("clean: 3 packages, advisories as of 20")
    assert sorted(service.asked) == [("alpha", "1.0"), ("beta", "2.0"), ("gamma", "3.0"), PROBE]


@pytest.mark.parametrize(("package", "version"), [("alpha", "1.0"), ("beta", "2.0"), ("gamma", "3.0")])
def test_a_known_vulnerable_version_is_named_also_where_this_machine_would_not_install_it(
    service: Service, locks: list[str], capsys: pytest.CaptureFixture[str], package: str, version: str
) -> None:
    service.known[package, version] = [advisory(package, "PYSEC-1", "9.1"), advisory(package, "PYSEC-2")]
    code, said = outcome(capsys, *locks, "--osv-url", service.url)
    assert code == 1
    assert said[:2] == [
        f"audit: {package} {version}: PYSEC-1/CVE-2000-0001, fixed in 9.1",
        f"audit: {package} {version}: PYSEC-2/CVE-2000-0001, no version without it is known",
    ]
    assert said[2].startswith("vulnerable: 1 of 3 packages, 2 advisories; advisories as of 20")


def test_a_withdrawn_advisory_is_none(service: Service, locks: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    service.known["alpha", "1.0"] = [advisory("alpha", "PYSEC-1", withdrawn="2026-01-01T00:00:00Z")]
    assert outcome(capsys, *locks, "--osv-url", service.url)[0] == 0


def test_a_dead_port_is_not_audited_and_never_clean(locks: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))  # Bound and not listening: refused, and nobody else's meanwhile.
        code, said = outcome(capsys, *locks, "--osv-url", f"http://127.0.0.1:{dead.getsockname()[1]}/v1/query")
    assert (code, len(said)) == (2, 1)
    assert said[0].startswith("NOT AUDITED: advisory service not reached: ")
    assert "Connection refused" in said[0]


@pytest.mark.parametrize(
    "says",
    [(500, b"down"), (404, b"{}"), (200, b"<html>log in to this network</html>"), (200, b'{"vulns": 7}'), (204, b"")],
    ids=["an error", "not there", "a captive portal", "another form", "nothing"],
)
def test_a_service_that_answers_something_else_is_not_audited(
    service: Service, locks: list[str], capsys: pytest.CaptureFixture[str], says: tuple[int, bytes]
) -> None:
    service.says = says
    code, said = outcome(capsys, *locks, "--osv-url", service.url)
    assert code == 2
    assert said[-1].startswith("NOT AUDITED: advisory service not reached: ")


def test_a_service_that_falls_silent_after_the_first_answer_is_not_audited(
    service: Service, locks: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    service.refuses_after = 1
    code, said = outcome(capsys, *locks, "--osv-url", service.url)
    assert (code, said[-1][:12]) == (2, "NOT AUDITED:")


def test_a_service_that_calls_everything_clean_is_not_believed(
    service: Service, locks: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    service.says = (200, b"{}")
    assert outcome(capsys, *locks, "--osv-url", service.url) == (
        2,
        ["NOT AUDITED: the advisory service knows none for jinja2 2.10, which has some"],
    )


def test_a_lock_without_hashes_is_not_audited(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lock.txt").write_text("alpha==1.0\n", "utf-8")
    code, said = outcome(capsys, "--lock", str(tmp_path / "lock.txt"), "--osv-url", service.url)
    assert (code, service.asked) == (2, [])
    assert said[0].startswith("NOT AUDITED: lock.txt: alpha has no SHA-256")


def test_a_missing_lock_is_not_audited(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = outcome(capsys, "--lock", str(tmp_path / "none.txt"))
    assert (code, said[0][:12]) == (2, "NOT AUDITED:")


def test_a_package_that_was_skipped_is_not_clean() -> None:
    packages = {one.name: one for one in (Locked(audit.canonicalize_name("alpha"), "1.0", (A,)),)}
    answers = [
        {"name": "jinja2", "version": "2.10", "vulns": [{"id": "PYSEC-probe", "fix_versions": []}]},
        {"name": "alpha", "skip_reason": "could not be audited"},
    ]
    report = audit.parse(json.dumps({"dependencies": answers}).encode())
    assert audit.judge(packages, report, "", AT).line == "NOT AUDITED: no answer for alpha 1.0"
    answers[1] = {"name": "Alpha", "version": "1.1", "vulns": []}
    report = audit.parse(json.dumps({"dependencies": answers}).encode())
    assert audit.judge(packages, report, "", AT).line == "NOT AUDITED: no answer for alpha 1.0"
    answers[1] = {"name": "Alpha", "version": "1.0", "vulns": []}
    report = audit.parse(json.dumps({"dependencies": answers}).encode())
    assert audit.judge(packages, report, "", AT).line == "clean: 1 packages, advisories as of 2026-09-01 08:30 UTC"


@pytest.mark.parametrize("written", [b"", b"[]", b'{"dependencies": [{"name": "a"}]}', b'{"dependencies": [7]}'])
def test_a_report_of_an_unknown_form_is_none(written: bytes) -> None:
    assert audit.parse(written) is None


def test_the_probe_is_in_neither_lock_and_so_hides_nothing() -> None:
    assert audit.PROBE.name not in read(LOCK, BUILD)


def test_what_builds_a_station_is_asked_about_too_where_nothing_is_said() -> None:
    assert audit._parser().parse_args([]).lock == [LOCK, BUILD]
