"""An agent that lives through minutes at once, and the emergency that wakes it."""

from __future__ import annotations

from pathlib import Path

from edge_agent.core.events import AckToken, MessageArrived
from tests.agent_rig import Agent, VirtualInbox, VirtualMachine
from tests.fakes.journal import FakeDisk
from tests.trust import makers


def virtual(tmp_path: Path, lasts_ms: int, disk: FakeDisk | None = None) -> tuple[Agent, VirtualInbox]:
    """An agent that lives through ``lasts_ms`` at once."""
    machine = VirtualMachine()
    inbox = VirtualInbox(machine, lasts_ms)
    return Agent(tmp_path, disk, readings=machine.readings(), inbox=inbox), inbox


def emergency() -> MessageArrived:
    """An order in words for every zone; it comes from a connection that is over, so that nobody acknowledges it."""
    return MessageArrived(makers.JOB_TOPIC, makers.signed_job(**{"class": "emergency"}), AckToken(0, 1))
