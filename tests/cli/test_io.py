"""What the configuration says reaches the device process's parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.audio import alsa
from edge_agent.audio.card import Wiring
from edge_agent.audio.line_in import LineInReader
from edge_agent.audio.live import TARGET_MS, Choice, Source
from edge_agent.audio.live_ring import LiveRing, RingReader
from edge_agent.audio.live_shared import Decided, LiveShared
from edge_agent.cli import io, paths
from edge_agent.config.sections import LineInput
from edge_agent.core.programme import source_key
from edge_agent.core.units import ClipKey, PlayId
from tests.cli.stations import make_station

SOURCE = ClipKey("source")


def test_the_player_reads_live_sources_where_the_agent_lays_them_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_station(tmp_path).config
    given: list[LiveShared] = []
    monkeypatch.setattr(alsa, "AlsaPlayer", lambda *_, live, **__: given.append(live))
    io._player_of(config)(lambda _: None)
    (card,) = config.cards.values()
    assert paths.live(config).parent == config.paths.run_dir
    with LiveRing(paths.live(config), card.rate).writer(SOURCE) as writer:
        writer.feed(b"\1\2" * (card.rate * TARGET_MS // 1_000))
        (shared,) = given
        play = shared.play(PlayId("p"))
        play.open(SOURCE)
        heard = play.part(SOURCE, 0).next_block(stands_in=False, at_once=0)
        play.close()
    assert heard == Decided(0, Choice(Source.LIVE, 0), b"\1\2" * (card.rate // 10))


def test_all_cards_share_the_live_sources_and_the_deepest_buffer_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_station(tmp_path).config
    (card,) = config.cards.values()
    both = {"one": replace(card, name="one"), "other": replace(card, name="other", period_ms=400, periods=4)}
    given: list[LiveShared] = []

    def player(*_: object, live: LiveShared, **__: object) -> None:
        given.append(live)

    monkeypatch.setattr(alsa, "AlsaPlayer", player)
    io._player_of(replace(config, cards=both))(lambda _: None)
    assert len(given) == 2
    assert given[0] is given[1]
    assert given[0].deepest_ms == 1_600


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
