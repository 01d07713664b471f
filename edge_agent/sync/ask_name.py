"""Ask this machine's resolver for a name's addresses, as a process of its own: ``resolving`` says why, and ends it.

python -I -S ask_name.py NAME SECONDS: an address a line, or the error's number and its words. It imports nothing but
what is built into the interpreter, so that it costs a board as little as a Python can: half of what ``socket`` costs.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import sys


def asked(name: str) -> tuple[int, list[str]]:
    """0 and the addresses, the best first; or 1 and the error's number and words."""
    try:
        # Bytes: for a text Python would load its tables of all the world's letters.
        found = _socket.getaddrinfo(name.encode("ascii"), None, 0, _socket.SOCK_STREAM)
    except OSError as error:
        return 1, [str(error.errno), error.strerror or str(error)]
    return 0, [str(address[0]) for *_, address in found]


if __name__ == "__main__":
    # Should nobody be left to end it, the kernel does.
    _signal.alarm(int(sys.argv[2]))
    status, lines = asked(sys.argv[1])
    print(*lines, sep="\n")
    sys.exit(status)
