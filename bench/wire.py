"""A network of two machines on this one: the station in a namespace of its own, behind a pair of virtual cards.

Whatever the station says or hears passes the pair, and the kernel counts it there: TLS, TCP and IP included. The
neighbours know each other from the start and IPv6 is off, so that nothing but the station's own traffic is counted.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ETHERNET_BYTES = 14
# The kernel counts each packet's Ethernet head; a SIM card is billed from the IP head on.
SUBNET = "198.18.{}"
# Set aside for measuring (RFC 2544): no real network is hidden by it.
SUBNETS = 250
MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02")


@dataclass(frozen=True)
class Traffic:
    """IP bytes and packets, up from the station and down to it."""

    up: int
    down: int
    packets_up: int
    packets_down: int

    def __sub__(self, other: Traffic) -> Traffic:
        return Traffic(
            self.up - other.up,
            self.down - other.down,
            self.packets_up - other.packets_up,
            self.packets_down - other.packets_down,
        )

    @property
    def both(self) -> int:
        return self.up + self.down


@dataclass(frozen=True)
class Wire:
    """``address`` is where servers listen; a command behind ``enter`` runs on the station's side."""

    address: str
    enter: tuple[str, ...]
    card: str

    def traffic(self) -> Traffic:
        """All that passed so far. What our card received is what the station sent."""
        counted = {name: _counter(self.card, name) for name in ("rx_bytes", "tx_bytes", "rx_packets", "tx_packets")}
        return Traffic(
            ip_bytes(counted["rx_bytes"], counted["rx_packets"]),
            ip_bytes(counted["tx_bytes"], counted["tx_packets"]),
            counted["rx_packets"],
            counted["tx_packets"],
        )


def ip_bytes(counted: int, packets: int) -> int:
    """What is left of a card's count without the Ethernet heads."""
    return counted - packets * ETHERNET_BYTES


def missing() -> str:
    """What keeps this machine from it, or ""."""
    if os.geteuid() != 0:
        return "needs root, for a network namespace"
    done = subprocess.run(["ip", "-V"], capture_output=True, check=False)
    return "" if done.returncode == 0 else "needs ip (iproute2)"


@contextlib.contextmanager
def laid_out() -> Iterator[Wire]:
    """The pair and the namespace, until the block ends."""
    number = os.getpid() % SUBNETS
    name, ours, theirs = f"bench{number}", f"bench{number}a", f"bench{number}b"
    here, there = (f"{SUBNET.format(number)}.{last}" for last in (1, 2))
    with contextlib.ExitStack() as stack:
        _ip("netns", "add", name)
        stack.callback(_ip, "netns", "delete", name)
        _ip("link", "add", ours, "address", MACS[0], "type", "veth", "peer", theirs, "address", MACS[1], "netns", name)
        stack.callback(_ip, "link", "delete", ours)  # with its other end; left to the namespace it would linger
        inside = ("ip", "netns", "exec", name)
        _without_ipv6((), ours)
        _without_ipv6(inside, theirs)
        _ip("address", "add", f"{here}/30", "dev", ours)
        _run(*inside, "ip", "address", "add", f"{there}/30", "dev", theirs)
        _bring_up((), ours, there, MACS[1])
        _bring_up(inside, theirs, here, MACS[0])
        _run(*inside, "ip", "link", "set", "lo", "up")
        yield Wire(here, inside, ours)


def _without_ipv6(enter: tuple[str, ...], card: str) -> None:
    _run(*enter, "sh", "-c", f"echo 1 > /proc/sys/net/ipv6/conf/{card}/disable_ipv6")


def _bring_up(enter: tuple[str, ...], card: str, neighbour: str, mac: str) -> None:
    """Up, and its only neighbour known, so that nobody asks for him."""
    _run(*enter, "ip", "link", "set", card, "up")
    _run(*enter, "ip", "neighbour", "replace", neighbour, "lladdr", mac, "dev", card, "nud", "permanent")


def _counter(card: str, name: str) -> int:
    return int(Path(f"/sys/class/net/{card}/statistics/{name}").read_text())


def _ip(*words: str) -> None:
    _run("ip", *words)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
