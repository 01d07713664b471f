"""A station's process that shows its certificate by a key in an element, as the agent does. Tells what comes of it.

In a process of its own, as OpenSSL is taught but once in the life of one. ``python -m tests.identity.showing TASK FILE
PORT``, FILE being the station's configuration and PORT a ``Peer``'s; each line that it prints is one result.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from edge_agent.config import Config, load
from edge_agent.element import IN_USE
from edge_agent.identity.tls_keys import tls_key
from edge_agent.identity.token_keys import signing_key
from edge_agent.identity.token_library import TokenError
from edge_agent.sync.tls import client_context
from edge_agent.sync.tls_stream import TlsStream
from edge_agent.sync.turns import TurnTakingSocket

Wraps: TypeAlias = Callable[[socket.socket], TlsStream]
PATIENCE_S = 30
# Only bounds a hanging peer.
LOOK_S = 1
# In which a program that nobody keeps from it has begun and ended.


def main(task: str, file: str, port: str) -> None:
    TASKS[task](load(Path(file)), int(port))


def once(config: Config, port: int) -> None:
    """Get ready, and connect for each line that comes. After a blank one it is loaded, and waits for another."""
    try:
        tls_key(config).prepare()
    except (TokenError, OSError, ValueError) as error:
        say("prepare", error)
        return
    for line in sys.stdin:
        try:
            wraps = contexts(config)()
            if not line.strip():
                say("shown", None)
                sys.stdin.readline()
            say("met", greeted(wraps, port))
        except OSError as error:
            say("connect", error)


def many(config: Config, port: int) -> None:
    """Connections of ours and of others and signatures at once, until each thread has made enough; faults are told."""
    signer = signing_key(config.trust).open()
    tls_key(config).prepare()
    ours, others = contexts(config), partial_context(config)
    tasks: list[Callable[[], object]] = [
        lambda: greeted(ours(), port),
        lambda: greeted(ours(), port),
        lambda: greeted(others(), port),
        lambda: signer.sign(b"nhat ky"),
    ]
    faults: list[str] = []
    for rounds in (30, 100):  # the first to warm up
        before = resident_kb()
        threads = [threading.Thread(target=repeat, args=(task, rounds, faults)) for task in tasks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    say("faults", sorted(set(faults)))
    say("kb", (resident_kb() - before) / 300)


def forks(config: Config, _port: int) -> None:
    """Start a program by a fork, as the decoder is without systemd, while somebody is at work in the element."""
    tls_key(config).prepare()
    begun = threading.Event()

    def fork() -> None:
        begun.set()
        subprocess.run(["true"], preexec_fn=lambda: None, check=True)

    forking = threading.Thread(target=fork)
    with IN_USE:
        forking.start()
        begun.wait()
        forking.join(LOOK_S)
        say("waits", forking.is_alive())
    forking.join()
    say("went on", True)


def contexts(config: Config) -> Callable[[], Wraps]:
    broker = config.broker
    key = tls_key(config)

    def made() -> Wraps:
        context = client_context(broker.ca_file, broker.cert_file, key.show)
        return lambda line: TurnTakingSocket(line, context, "localhost")

    return made


def partial_context(config: Config) -> Callable[[], Wraps]:
    """Of a line on which we show nothing, as to the content server."""
    return lambda: lambda line: TlsStream(line, client_context(config.broker.ca_file), "localhost")


def greeted(wraps: Wraps, port: int) -> str:
    """Whom the peer takes us for."""
    line = socket.create_connection(("localhost", port), PATIENCE_S)
    with wraps(line) as stream:
        stream.do_handshake()
        return stream.recv(100).decode()


def repeat(task: Callable[[], object], rounds: int, faults: list[str]) -> None:
    for _ in range(rounds):
        try:
            if task() == "":
                faults.append("the peer hung up")
        except (OSError, TokenError) as error:
            faults.append(f"{type(error).__name__}: {error}")


def resident_kb() -> int:
    told = Path("/proc/self/status").read_text().split("VmRSS:")[1]
    return int(told.split()[0])


def say(what: str, found: object) -> None:
    told = [type(found).__name__, str(found)] if isinstance(found, Exception) else found
    print(json.dumps([what, told], ensure_ascii=False), flush=True)


TASKS = {"once": once, "many": many, "forks": forks}

if __name__ == "__main__":
    main(*sys.argv[1:])
