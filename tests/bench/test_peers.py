from __future__ import annotations

from bench.figures import Figure, Section
from bench.machine import program_version
from bench.peers import compare


def test_the_station_is_told_as_multiples_of_each_peer_that_was_measured() -> None:
    play = Section("Playing", "", (Figure("together, PSS", 40.0, "MB"), Figure("together, CPU", 0.3, "%")))
    peers = Section("Peers", "", (Figure("aplay playing, PSS", 4.0, "MB"), Figure("mpd playing, CPU", 0.6, "%")))
    assert [(figure.name, figure.value) for figure in compare(play, peers).figures] == [
        ("PSS: station / aplay", 10.0),
        ("CPU: station / mpd", 0.5),
    ]


def test_a_program_that_is_absent_has_no_version() -> None:
    assert program_version("no-such-program-anywhere") == "unknown"
    assert program_version("sh", "-c", "echo player 1.23.4, built with lib 9.9") == "1.23.4"
