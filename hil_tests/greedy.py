#!/usr/bin/python3 -IS
"""Stands where a decoder or its worker should, as whoever has taken it over, and takes without end.

    greedy.py …                 all the memory that there is, of the kind that a limit of data does not count
    greedy.py processes MOST    processes until it may not, or has MOST; tells how many
    greedy.py packet PORT       sends one to the machine's own port; tells whether it went out
    greedy.py waits MEGABYTES   has so much memory, tells it, and stays

Bound into a decoder's place it is called with ffmpeg's own arguments. It knows nothing of the station.
"""

import mmap
import os
import signal
import socket
import sys

MIB = 1 << 20
AT_A_TIME = 8 * MIB
PACKET = b"from the decoder"


def memory(most: int) -> None:
    taken: list[mmap.mmap] = []
    try:
        while len(taken) * AT_A_TIME < most:
            # Shared with its children, if it had any: RLIMIT_DATA is for what is private.
            piece = mmap.mmap(-1, AT_A_TIME)
            piece.write(b"x" * AT_A_TIME)
            taken.append(piece)
    except OSError:
        sys.exit(f"was let to have {len(taken) * AT_A_TIME // MIB} MiB")
    tell(f"has {most // MIB} MiB")
    signal.pause()


def processes(most: int) -> None:
    started = 0
    while started < most:
        try:
            child = os.fork()
        except OSError:
            break
        if child == 0:
            signal.pause()
        started += 1
    tell(f"{started} beside itself")


def packet(port: int) -> None:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.sendto(PACKET, ("127.0.0.1", port))
        tell("sent")
    except OSError as refusal:
        tell(str(refusal))


def tell(words: str) -> None:
    """To the agent, or whoever has connected: a worker's standard input is the line between them."""
    os.write(0, words.encode())


def main(arguments: list[str]) -> None:
    match arguments:
        case ["processes", most]:
            processes(int(most))
        case ["packet", port]:
            packet(int(port))
        case ["waits", megabytes]:
            memory(int(megabytes) * MIB)
        case _:
            memory(sys.maxsize)


if __name__ == "__main__":
    main(sys.argv[1:])
