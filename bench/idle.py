"""What an idle day costs: bytes on the wire, messages, and bytes on the card, in a window that is then made a day.

The window is as long as two heartbeats, so it holds its share of all that comes by itself: heartbeats, keep-alives,
and whatever is written. What comes four times a day (the hello that proves freshness) is counted as four whole
connections, TLS handshakes included: more than it is, and room for reconnects.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bench import sdcard, wire
from bench.figures import Figure, Section
from bench.proc import NO_WORK, Work, work
from bench.sdcard import Card
from bench.station import FITTING, running
from bench.wire import Traffic, Wire
from demo.ward import Fitting, Ward
from edge_agent.headend.headend import Shown
from edge_agent.headend.listening import Heard

DAY_S = 86_400
HEARTBEAT_S, HEARTBEAT_QUICK_S = 300, 15
# The station's own default; 15 s is the shortest that its configuration allows.
HEARTBEATS = 2
SETTLE_S = 8
# The handshake, hello, welcome and birth are over.
CONNECTS_A_DAY = 4
# One hello each six hours.
WIRE_BYTES_MAX, CARD_BYTES_MAX = 1_000_000, 5_000_000
MB = 1_000_000
COMMANDS = (
    "cat /sys/class/net/CARD/statistics/{rx,tx}_{bytes,packets}",
    "cat /proc/PID/io",
    "cat /sys/block/loopN/stat",
)


@dataclass(frozen=True)
class Count:
    """What had been used up at an instant."""

    traffic: Traffic
    work: Work
    card: int
    log_bytes: int

    def __sub__(self, other: Count) -> Count:
        return Count(
            self.traffic - other.traffic,
            self.work - other.work,
            self.card - other.card,
            self.log_bytes - other.log_bytes,
        )


def measure(quick: bool) -> Section:
    """Connect, settle, and wait for two heartbeats."""
    title = "An idle day"
    if trouble := wire.missing():
        return Section(title, "bytes on the wire and on the card", missing=trouble)
    heartbeat_s = HEARTBEAT_QUICK_S if quick else HEARTBEAT_S
    window_s = heartbeat_s * HEARTBEATS
    heard: Counter[str] = Counter()

    def note(shown: Shown) -> None:
        if isinstance(shown, Heard):
            heard[shown.kind.value] += 1

    with _own_machine() as (net, card, fitting):
        begun = net.traffic()
        with running(replace(fitting, heartbeat_s=heartbeat_s), note) as ward:
            time.sleep(SETTLE_S)
            first = _count(ward, net, card)
            changed_from = time.time()
            heard.clear()
            time.sleep(window_s)
            used = _count(ward, net, card) - first
            messages = dict(heard)
            writers = _written_since(fitting.state_dir or ward.folder / "state", changed_from)
        connect = first.traffic - begun
    how = (
        f"a window of {window_s} s (heartbeat {heartbeat_s} s, keep-alive 60 s), times {DAY_S // window_s}, and "
        f"{CONNECTS_A_DAY} connections; the station runs in a network namespace and its virtual card's counters are "
        "read (IP, TCP and TLS included, Ethernet heads not); its data lie on an ext4 of their own, run_dir in memory"
    )
    if quick:
        how += "; with heartbeats 20 times as frequent as on a station, so the day comes out far too dear"
    figures = (*_wire(used, connect, window_s, messages), *_card(used, card, window_s))
    return Section(
        title, how, figures, COMMANDS, notes=(f"Written to in the window: {', '.join(writers) or 'nothing'}.",)
    )


@contextlib.contextmanager
def _own_machine() -> Iterator[tuple[Wire, Card | None, Fitting]]:
    """A wire, a card where one can be had, and a station fitted out with both."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        memory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm")))
        net = stack.enter_context(wire.laid_out())
        card = stack.enter_context(sdcard.mounted(folder))
        fitting = replace(FITTING, address=net.address, host=net.address, enter=net.enter, run_dir=memory)
        yield net, card, replace(fitting, state_dir=card.folder / "state") if card else fitting


def _count(ward: Ward, net: Wire, card: Card | None) -> Count:
    return Count(
        net.traffic(),
        sum(map(work, ward.pids.values()), NO_WORK),
        card.written() if card else 0,
        sum((ward.folder / f"{task}.log").stat().st_size for task in ward.pids),
    )


def _written_since(folder: Path, instant: float) -> list[str]:
    """The files that changed since then, by name."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.stat().st_mtime > instant)


def _wire(used: Count, connect: Traffic, window_s: float, messages: dict[str, int]) -> Iterator[Figure]:
    days = DAY_S / window_s
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(messages.items())) or "no message"
    up, down = (
        now * days + CONNECTS_A_DAY * once
        for now, once in ((used.traffic.up, connect.up), (used.traffic.down, connect.down))
    )
    yield Figure(
        "on the wire, a day",
        (up + down) / MB,
        "MB",
        WIRE_BYTES_MAX / MB,
        f"{up / 1e3:.0f} kB up, {down / 1e3:.0f} kB down",
    )
    yield Figure("packets a day", (used.traffic.packets_up + used.traffic.packets_down) * days, "")
    yield Figure("messages a day", sum(messages.values()) * days, "", None, f"in the window: {told}")
    yield Figure("in the window, up", used.traffic.up, "bytes", None, f"{used.traffic.packets_up} packets")
    yield Figure("in the window, down", used.traffic.down, "bytes", None, f"{used.traffic.packets_down} packets")
    yield Figure(
        "one connection: TLS, hello, welcome, state",
        connect.both,
        "bytes",
        None,
        f"{connect.up} up, {connect.down} down",
    )


def _card(used: Count, card: Card | None, window_s: float) -> Iterator[Figure]:
    days = DAY_S / window_s
    yield Figure(
        "written by both processes, a day", used.work.written * days / MB, "MB", None if card else CARD_BYTES_MAX / MB
    )
    if card:
        yield Figure(
            "written to the card, a day", used.card * days / MB, "MB", CARD_BYTES_MAX / MB, "blocks of its file system"
        )
    yield Figure("log lines to the service manager, a day", used.log_bytes * days / 1e3, "kB")
    yield Figure("CPU idle", used.work.cpu_ns / window_s / 1e7, "% of a core")
