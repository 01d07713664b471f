"""Our own agent as ``edge-agent run`` composes it, in a hurry where asked, and with one deviation where one is named.

``python -m tests.headend.conform.station run --config FILE``, with QUICK and PLANTED in the environment. What is
planted stands in ``deviations``; nothing of it is in the product.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from edge_agent.cli import agent, main
from edge_agent.config import Config
from edge_agent.core import talk
from edge_agent.core.units import SECOND_MS
from edge_agent.headend.conform.pace import Pace
from edge_agent.sync import client
from edge_agent.sync.client import BrokerSettings
from tests.headend.conform.deviations import DEVIATIONS

QUICK = Pace(
    hello_again_s=3,
    welcome_late_s=1,
    log_again_s=4,
    taken_over_s=2,
    will_delay_s=2,
    back_s_max=30,
    heartbeat_s=15,
    answer_s=8,
    silence_s=1,
    show_s=4,
    ready_s=5,
)
"""The protocol's periods for tests, ten times as short and more; the heartbeat is as short as it may be configured."""

RECONNECT_CEILING_S = 10
# No connection of such a run lasts for long enough to count as a good one, so it is reached; QUICK.back_s_max has room.


def hurry() -> None:
    """Live by QUICK instead of the protocol's periods."""
    talk.HELLO_AGAIN_MS = round(QUICK.hello_again_s * SECOND_MS)
    talk.WELCOME_LATE_MS = round(QUICK.welcome_late_s * SECOND_MS)
    talk.LOG_AGAIN_MS = round(QUICK.log_again_s * SECOND_MS)
    client.WILL_DELAY_S = round(QUICK.will_delay_s)
    patient = agent._broker

    def impatient(config: Config) -> BrokerSettings:
        quick = replace(patient(config), taken_over_wait_s=QUICK.taken_over_s)
        return replace(quick, reconnect_base_s=0.5, reconnect_ceiling_s=RECONNECT_CEILING_S)

    agent._broker = impatient


if __name__ == "__main__":
    if os.environ.get("QUICK"):
        hurry()
    if planted := os.environ.get("PLANTED"):
        DEVIATIONS[planted]()
    sys.exit(main())
