"""The service that enrols, where it cannot do what it is asked for: its operator is told, in one line."""

from __future__ import annotations

import errno
from http.client import HTTPSConnection, RemoteDisconnected
from pathlib import Path
from typing import cast

import pytest

from edge_agent.core.units import UtcMs
from edge_agent.headend import pki
from edge_agent.headend.enrolment_server import EnrolmentServer
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.registrar import Answer, Registrar
from edge_agent.identity.messages import ENROL_PATH
from edge_agent.sync.https import client_context

TIMEOUT_S = 30


class Failing:
    """A registrar in whose folder something is wrong."""

    def __init__(self, trouble: Exception) -> None:
        self._trouble = trouble

    def enrol(self, body: bytes, now: UtcMs) -> Answer:
        raise self._trouble

    renew = enrol


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "issued/dt-01.pem"), "No space left on device"),
        (KeyringError("stations.json: character 1: JSON and nothing else"), "stations.json: character 1"),
    ],
)
def test_a_full_disk_or_a_spoiled_file_is_told_to_the_operator_and_not_taken_for_a_lost_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], trouble: Exception, told: str
) -> None:
    identity = pki.issue_server(pki.create_authority(tmp_path, "demo"), tmp_path, "content")
    noted: list[str] = []
    registrar = cast(Registrar, Failing(trouble))
    with EnrolmentServer(registrar, identity, lambda: UtcMs(0), note=noted.append) as server:
        context = client_context(tmp_path / "ca.pem")
        connection = HTTPSConnection("localhost", server.port, timeout=TIMEOUT_S, context=context)
        connection.request("POST", ENROL_PATH, b"{}")
        with pytest.raises(RemoteDisconnected):
            connection.getresponse()
        connection.close()
    assert len(noted) == 1
    assert told in noted[0]
    assert capsys.readouterr().err == "", "no traceback for each stranger that asks"
