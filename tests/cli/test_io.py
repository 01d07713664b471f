"""What the configuration says reaches the device process's parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.audio import alsa
from edge_agent.audio.live_ring import LiveRing
from edge_agent.audio.relaying import LiveReaders
from edge_agent.cli import io, paths
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
