"""How long the kit waits for a station: the protocol's own periods, and the patience that it leaves open."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Periods of the protocol, in seconds. A test's station may live faster; ``edge-agent-headend`` uses these."""

    hello_again_s: float = 30
    welcome_late_s: float = 5
    log_again_s: float = 60
    taken_over_s: float = 60
    back_s_max: float = 60 + 120 + 60
    # After a session taken over: the minute, the longest random wait, and the longest handshake.
    will_delay_s: float = 10
    heartbeat_s: float = 300
    answer_s: float = 20
    # The protocol names no time for an answer. A commit to a slow card and a bad 2G round trip stay within this.
    silence_s: float = 3
    # How long nothing must come where nothing may: an answer takes milliseconds on a desk.
    show_s: float = 5
    # A change goes into one state within 500 ms; the rest is the line.
    ready_s: float = 75
    # From an order to its first sample: fetching, staging, and an amplifier of 60 s, the slowest that a station drives.
    slack_s: float = 10
    # On top of a period of the protocol: a loaded station, a slow line.


PROTOCOL = Pace()
