"""An agent as its task composes it, looked at before it runs."""

from __future__ import annotations

import pytest

from edge_agent.cli import agent
from edge_agent.config import Config
from edge_agent.inbox import Inbox
from edge_agent.runtime import Ports


def started(config: Config, monkeypatch: pytest.MonkeyPatch) -> Ports:
    """What an agent that has just been started reaches the world by; it runs no further."""
    composed = list[Ports]()

    class Composed:
        def __init__(self, ports: Ports, inbox: Inbox) -> None:
            composed.append(ports)

        def run(self) -> None:
            composed[0].journal.close()

    monkeypatch.setattr(agent, "Runtime", Composed)
    monkeypatch.setattr(agent, "die_with_any_thread", lambda: None)
    monkeypatch.setattr(agent, "log_to_stderr", lambda: None)
    assert agent.run(config) == 0
    return composed[0]
