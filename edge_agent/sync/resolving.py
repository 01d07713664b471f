"""Find the addresses of a name by a deadline that holds, whatever is done by whoever answers for the name.

glibc's ``getaddrinfo`` has none. By UDP it waits 5 s, twice, for each of three servers; but an answer that says "too
long, ask by TCP" sends it to a connection from which it reads without a timeout (res_send.c). One such answer, which
anybody on the way can give who has no certificate at all, held a thread for good: it outlived the hostile network.

So a process of its own asks, and is killed at the deadline. That is the one thing that surely ends a lookup, in
whatever module of nsswitch.conf it hangs, and leaves nothing behind; hosts file, search domains and systemd-resolved
count as ever. It is this very interpreter, without its library: its binary is in memory already, so that its start
(which holds Python's lock) waits for no card; every root that a unit may have shows it; and it knows no key of ours. It
takes 7 ms of CPU and, while it asks, 3 MB (x86-64, 2026-11-29; on a board perhaps ten times the CPU, before a handshake
that takes more). There are never more of them than threads that ask, about ten, and each asks for one name at a time.

Passed over: abandoned threads (they never end, so a bound on their number is reached for good); shutting down glibc's
socket under it, found through /proc, or its flag RES_IGNTC (both rest on its innards, and leave every other module as
it is); a process that stays (3 MB for ever, and one more thing that can hang); dnspython (a parser of hostile bytes
inside the agent, and other rules than nsswitch.conf's); ``getent`` (cheaper, but absent from a confined unit's
root, and it tells a name that is wrong from a network that is down by one number).
"""

from __future__ import annotations

import math
import re
import socket
import subprocess
import sys
from pathlib import Path

ASK = (sys.executable, "-I", "-S", str(Path(__file__).with_name("ask_name.py")))
LOCAL = {"localhost": ["127.0.0.1", "::1"]}
# Nobody need be asked (RFC 6761, 6.3).
WHY = re.compile(r"(-?[0-9]{1,5})\n([ -~]{1,200})\n")
REMEDY = "check the name, and the DNS of this network"


def addresses(host: str, within_s: float) -> list[str]:
    """The addresses of ``host``, the best first, one at least. Raises OSError (a ``gaierror``), UnicodeError."""
    return known(host) or _asked(host, within_s)


def known(host: str) -> list[str]:
    """What is known without asking anybody: an address is its own, be it written as oddly as inet_aton(3) allows."""
    return _numeric(host) or LOCAL.get(host.lower(), [])


def _numeric(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return []
    return [str(address[0]) for *_, address in found]


def _asked(host: str, within_s: float) -> list[str]:
    itself_s = str(math.ceil(within_s) + 1)
    command = [*ASK, host.encode("idna").decode("ascii"), itself_s]
    try:
        # Killed, and waited for, when its time is over.
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=within_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _none(host, socket.EAI_AGAIN, f"no answer within {within_s:.3g} s") from None
    except OSError as error:
        raise _none(host, socket.EAI_SYSTEM, f"it cannot be asked for ({error})") from error
    return _told(host, done.returncode, done.stdout)


def _told(host: str, status: int, said: str) -> list[str]:
    """What it answered. Of it addresses count alone: anything else, whoever connects would ask for, with no deadline.

    Modules of nsswitch.conf are in that process too, and may print there what they like.
    """
    if status == 0 and (found := [address for line in said.split("\n") for address in _numeric(line)]):
        return found
    if status == 1 and (why := WHY.fullmatch(said)):
        raise _none(host, int(why[1]), why[2])
    raise _none(host, socket.EAI_SYSTEM, f"whoever asked for it ended with {status}")


def _none(host: str, number: int, why: str) -> socket.gaierror:
    return socket.gaierror(number, f"no address of {host:.100}: {why}; {REMEDY}")
