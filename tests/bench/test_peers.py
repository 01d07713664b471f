from __future__ import annotations

from bench.figures import Figure, Section
from bench.machine import program_version
from bench.peers import compare


def test_the_station_is_told_as_multiples_of_each_peer_that_was_measured() -> None:
    play = Section(
        "Playing",
        "",
        (
            Figure("edge-agent io", 20.0, "MB", column="PSS"),
            Figure("together", 30.0, "MB", column="PSS"),
            Figure("together", 0.3, "%", column="CPU of a core"),
            Figure("together, PSS where no other Python runs", 40.0, "MB"),
        ),
    )
    peers = Section(
        "Peers",
        "",
        (
            Figure("aplay playing", 4.0, "MB", column="PSS"),
            Figure("mpd idle", 0.1, "%", column="CPU of a core"),
            Figure("mpd playing", 0.6, "%", column="CPU of a core"),
        ),
    )
    assert [(figure.whole_name, figure.value) for figure in compare(play, peers).figures] == [
        ("station / aplay, PSS", 10.0),
        ("station / mpd, CPU of a core", 0.5),
    ]


def test_a_program_that_is_absent_has_no_version() -> None:
    assert program_version("no-such-program-anywhere") == "unknown"
    assert program_version("sh", "-c", "echo player 1.23.4, built with lib 9.9") == "1.23.4"
