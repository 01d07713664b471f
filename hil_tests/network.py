"""The network of a bench's ward: the station on one side of a pair of virtual cards, all its servers on the other.

What the line does to each packet is the kernel's own doing (netem), on both sides. The servers have a name, which
either side looks up in a file that a test may change.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import wire
from bench.wire import Traffic, Wire
from demo.ward import Fitting
from hil_tests.bench import Bench, BenchRig
from tests.rig import Edge

NAME = "may-chu.dong-thanh.test"


@dataclass(frozen=True, slots=True)
class Network:
    """``names`` is what everybody's ``/etc/hosts`` is here."""

    wire: Wire
    names: Path

    def spoil(self, *how: str) -> None:
        """What happens to every packet from now on, either way, in netem's own words."""
        for enter, card in ((), self.wire.card), (self.wire.enter, _theirs(self.wire.card)):
            _run(*enter, "tc", "qdisc", "replace", "dev", card, "root", "netem", *how)

    def mend(self) -> None:
        for enter, card in ((), self.wire.card), (self.wire.enter, _theirs(self.wire.card)):
            _run(*enter, "tc", "qdisc", "delete", "dev", card, "root")

    def plug(self, *, in_place: bool) -> None:
        """Pull the cable at its far end, so that the station's card has no carrier, or put it back."""
        _run("ip", "link", "set", self.wire.card, "up" if in_place else "down")

    def station_card(self, *, up: bool) -> None:
        """Switch the station's own card off or on."""
        _run(*self.wire.enter, "ip", "link", "set", _theirs(self.wire.card), "up" if up else "down")

    def dial_anew(self) -> str:
        """Bring the station's card back under another address, as a modem does; returns that. The old one is gone."""
        card, address = _theirs(self.wire.card), self.wire.address.rpartition(".")[0] + ".6"
        _run(*self.wire.enter, "ip", "address", "flush", "dev", card)
        _run(*self.wire.enter, "ip", "address", "add", f"{address}/32", "dev", card)
        self.station_card(up=True)
        _run(*self.wire.enter, "ip", "route", "replace", self.wire.address, "dev", card, "src", address)
        _run("ip", "route", "replace", address, "dev", self.wire.card)
        return address

    def know_the_name(self, *, known: bool = True) -> None:
        """Whether the servers' name can be looked up."""
        self.names.write_text("127.0.0.1 localhost\n" + (f"{self.wire.address} {NAME}\n" if known else ""))

    def traffic(self) -> Traffic:
        return self.wire.traffic()


@contextlib.contextmanager
def laid_out(folder: Path) -> Iterator[Network]:
    """Until the block ends. Only for a machine of its own: it lays other files over two of ``/etc``."""
    with wire.laid_out() as pair, contextlib.ExitStack() as stack:
        network = Network(pair, folder / "hosts")
        network.know_the_name()
        server = folder / "resolv.conf"
        # Nobody listens there: a name that stands in no file is asked for in vain.
        server.write_text(f"nameserver {pair.address}\noptions timeout:1 attempts:1\n")
        for ours, place in ((network.names, "/etc/hosts"), (server, "/etc/resolv.conf")):
            _run("mount", "--bind", str(ours), place)
            stack.callback(_run, "umount", "--lazy", place)
        yield network


class LineRig(BenchRig):
    """The bench's ward with that line between the station and its servers; ``deaf``: nobody listens at its card."""

    def __init__(self, folder: Path, bench: Bench, network: Network, *, deaf: bool = True) -> None:
        ends = Fitting(address=network.wire.address, host=NAME, enter=network.wire.enter, framed=False)
        super().__init__(folder, bench, ends, deaf=deaf)
        self.network = network

    def __enter__(self) -> LineRig:
        super().__enter__()
        return self

    def headend_is_back(self, within_s: float) -> None:
        """It has a session of its own again; before, an officer could order nothing."""
        self.ward.headend._session.wait_until_up(within_s)

    def sounded(self, zone: str) -> list[Edge]:
        """A zone's relay's moves."""
        return [edge for edge in self.relay_edges() if edge.zone == zone]


def _theirs(card: str) -> str:
    return card.removesuffix("a") + "b"


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
