"""What the configuration says reaches the device process's parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.audio import alsa
from edge_agent.audio.card import Wiring
from edge_agent.audio.line_in import LineInReader
from edge_agent.audio.live_ring import LiveRing, RingReader
from edge_agent.audio.relaying import LiveReaders
from edge_agent.cli import io, paths
from edge_agent.config.sections import LineInput
from edge_agent.core.programme import source_key
from edge_agent.core.units import ClipKey
from tests.cli.stations import make_station

SOURCE = ClipKey("source")


def test_the_player_reads_live_sources_where_the_agent_lays_them_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_station(tmp_path).config
    given: list[LiveReaders] = []
    monkeypatch.setattr(alsa, "AlsaPlayer", lambda *_, live, **__: given.append(live))
    io._player_of(config)(lambda _: None)
    (card,) = config.cards.values()
    with LiveRing(paths.live(config), card.rate).writer(SOURCE) as writer:
        writer.feed(b"\1\2" * (card.rate // 10))
        (readers,) = given
        assert paths.live(config).parent == config.paths.run_dir
        reader = readers.reader(SOURCE)
        assert reader.there() == range(1)
        assert reader.read(0) == b"\1\2" * (card.rate // 10)


def test_a_zones_trim_reaches_its_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_station(tmp_path).config
    zone, *others = config.zones
    trimmed = replace(config, zones={**config.zones, zone: replace(config.zones[zone], trim_db=6)})
    given: list[Wiring] = []
    monkeypatch.setattr(alsa, "AlsaPlayer", lambda _, wiring, *__, **___: given.append(wiring))
    io._player_of(trimmed)(lambda _: None)
    assert given[0].trims == {zone: 6, **dict.fromkeys(others, 0)}


def test_a_line_in_is_captured_here_and_everything_else_is_the_agents(tmp_path: Path) -> None:
    config = replace(make_station(tmp_path).config, line_ins={"mic": LineInput("nowhere", 1)})
    live = io._live_sources(config)
    mic, other = (live.reader(source_key((source,))) for source in ("line-in:mic", "https://live.test/a"))
    assert (type(mic), type(other)) == (LineInReader, RingReader)
    mic.close()
