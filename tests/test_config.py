"""The station's file: what it means, and what holds where it says nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from pathlib import Path

import pytest

from edge_agent.audio.card import CardConfig
from edge_agent.audio.prefetch import KEPT_MS
from edge_agent.config import Channel, ConfigError, Language, Ntp, RelayDriver, Sandbox, load, parse
from edge_agent.config.parse import read_all
from edge_agent.config.reader import open_report
from edge_agent.config.sections import Ear
from edge_agent.config.station import EAR_LEAST_DB, PERIOD_MS_MAX, PERIODS_MAX, TIMEZONE
from edge_agent.core.site import Frame, Group, IntoQuiet, LocalPolicy, VolumeBand
from edge_agent.core.units import MINUTE_MS
from edge_agent.trust.timetable import ZONE_NAME
from tests.config_texts import (
    DOCS,
    EXAMPLE,
    FOLDER,
    FULL,
    changed,
    read,
)


def test_the_example_is_a_station_with_two_zones_on_one_card() -> None:
    config = read(EXAMPLE)
    assert list(config.site.zones) == list(config.zones) == ["cho", "dinh-lang"]
    assert config.site.zones["cho"].warm_up_ms == 800
    assert config.site.zones["dinh-lang"].volume_max == 70
    assert config.zones["cho"].channel is Channel.LEFT
    assert config.zones["dinh-lang"].line == 27
    assert config.site.areas() == {"vn", "vn/ha-noi", "vn/ha-noi/dong-thanh"}
    assert config.relays.driver is RelayDriver.GPIO


def test_what_is_left_out_has_the_documented_default() -> None:
    config = read(EXAMPLE)
    assert (config.broker.port, config.broker.keepalive_s) == (8883, 60)
    assert (config.paths.state_dir, config.paths.run_dir) == (Path("/var/lib/edge-agent"), Path("/run/edge-agent"))
    assert config.clock.ntp is Ntp.AUTO
    card = config.cards["main"]
    assert (card.rate, card.period_ms, card.periods) == (48_000, 200, 3)
    assert CardConfig(card.device) == CardConfig(card.device, card.rate, card.channels, card.period_ms, card.periods)
    assert config.relays.simulated_dir is None
    assert config.zones["cho"].read_back_line is None
    assert (config.speech.voice, config.speech.rate_wpm) == ("vi", 150)
    assert config.speech.stems == FOLDER / "stems"
    assert config.cache.bytes_max == 2_000_000_000
    assert config.site.sound_ms_max == 20_833_333, "mono, 16 bit, at 48 kHz"
    assert config.decoder.sandbox is Sandbox.AUTO
    assert config.console.language is Language.VI


def test_the_example_shows_the_defaults_truly() -> None:
    """Switching on all commented keys changes nothing but what has no default."""
    plain, full = read(EXAMPLE), read(FULL)
    assert (full.broker, full.paths, full.clock) == (plain.broker, plain.paths, plain.clock)
    assert full.cards == {"main": replace(plain.cards["main"], mixer="PCM", mixer_volume=90)}
    line_ins = frozenset({"line-in:mic"})
    assert (full.site, full.cache, full.decoder, full.console, full.speech) == (
        replace(plain.site, polls_home=True, line_ins=line_ins),
        plain.cache,
        plain.decoder,
        plain.console,
        plain.speech,
    )
    assert full.relays.simulated_dir == FOLDER / "simulated-relays"
    assert full.content.home == "https://content.example.vn:8443"
    assert full.serial == "LOA-2026-000123"
    market, village = plain.zones.values()
    ear = Ear("plughw:CARD=Ear,DEV=0", Channel.MONO, EAR_LEAST_DB)
    assert [*full.zones.values()] == [replace(market, read_back_line=22), replace(village, ear=ear)]


def test_without_a_policy_the_safe_one_holds() -> None:
    config = read(EXAMPLE[: EXAMPLE.index("[policy]")])
    assert config.site.policy == LocalPolicy()


def test_ordinary_programmes_have_their_chimes_and_rise_unless_the_file_says_otherwise() -> None:
    assert read(EXAMPLE).site.frame == Frame(opening=True, closing=True, rise_ms=1_000)
    text = EXAMPLE + "\n[programme]\nopening_chime = false\nclosing_chime = false\nrise_s = 3\n"
    assert read(text).site.frame == Frame(opening=False, closing=False, rise_ms=3_000)
    assert read(EXAMPLE + "\n[programme]\nrise_s = 0\n").site.frame == Frame(opening=True, closing=True, rise_ms=0)


def test_groups_take_turns_only_where_the_file_says_so() -> None:
    site = read(EXAMPLE).site
    assert (site.stagger_ms, {zone.group for zone in site.zones.values()}) == (0, {Group.A})
    text = changed('# stagger_group = "a"', 'stagger_group = "b"')
    site = read(text + "\n[programme]\nstagger_ms = 1500\n").site
    assert site.stagger_ms == 1_500
    assert [zone.group for zone in site.zones.values()] == [Group.A, Group.B]
    assert read(text + "\n[programme]\nstagger_ms = 0\n").site.stagger_ms == 0, "switched off for now"


def test_a_station_of_one_group_takes_turns_with_its_neighbours_where_the_file_says_so() -> None:
    assert not read(EXAMPLE).site.neighbours_take_turns
    site = read(EXAMPLE + "\n[programme]\nstagger_ms = 1500\nstagger_neighbours = true\n").site
    assert (site.stagger_ms, site.neighbours_take_turns) == (1_500, True)
    assert {zone.group for zone in site.zones.values()} == {Group.A}


def test_policy_of_the_ward() -> None:
    text = changed('quiet = ["21:00", "05:00"]', 'quiet = ["20:30", "06:15"]')
    text = changed('["05:00", "06:00", 55],\n', "", text)
    policy = read(text).site.policy
    (clause,) = policy.clauses
    assert clause.quiet == (time(20, 30), time(6, 15))
    assert clause.volume_bands == (VolumeBand(time(0, 0), time(0, 0), 80),)


def test_the_limits_of_a_hanoi_ward() -> None:
    text = changed("sessions_per_day = 4", "weekdays = [1, 2, 3, 4, 5]\nsessions_per_day = 2")
    text = changed("session_minutes = 30", "session_minutes = 15", text)
    text = changed('into_quiet = "refuse"', 'into_quiet = "cut"', text)
    policy = read(text).site.policy
    (clause,) = policy.clauses
    assert clause.weekdays == frozenset({1, 2, 3, 4, 5})
    assert (clause.sessions_per_day, clause.session_ms, clause.day_ms) == (2, 15 * MINUTE_MS, 60 * MINUTE_MS)
    assert policy.into_quiet is IntoQuiet.CUT


def test_relative_paths_count_from_the_folder_of_the_file_and_absolute_ones_stay(tmp_path: Path) -> None:
    file = tmp_path / "edge-agent.toml"
    file.write_text(changed('"/var/lib/edge-agent/identity/station.pem"', '"pki/station.pem"'), encoding="utf-8")
    config = load(file)
    assert config.broker.cert_file == tmp_path / "pki" / "station.pem"
    assert config.broker.key_file == Path("/var/lib/edge-agent/identity/station.key")


def test_the_stations_own_time_zone_is_one_that_orders_and_plans_may_name() -> None:
    assert TIMEZONE.pattern.pattern == ZONE_NAME.pattern.pattern


def test_every_key_stands_in_the_reference() -> None:
    report, top = open_report(FULL, "full.toml")
    read_all(top, FOLDER)
    report.check()
    reference = (DOCS / "configuration.md").read_text(encoding="utf-8")
    keys = {
        path[-1] for path in report.asked if (len(path) > 1 and path[0] not in ("cards", "inputs")) or len(path) > 2
    }
    assert len(keys) > 30
    assert {key for key in keys if f"`{key}`" not in reference} == set()


def test_the_reference_shows_a_message_as_it_is_told_of_the_example() -> None:
    with pytest.raises(ConfigError) as told:
        parse(changed("line = 27\n", "line = 17\n"), FOLDER, "/etc/edge-agent/edge-agent.toml")
    assert f"\n    {told.value}\n" in (DOCS / "configuration.md").read_text(encoding="utf-8")


def test_the_deepest_buffer_that_may_be_asked_for_can_be_reached_back_into() -> None:
    assert PERIOD_MS_MAX * PERIODS_MAX <= KEPT_MS
