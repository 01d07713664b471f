"""Compose the device process: the one place where real relays and a real sound card are chosen, as configured."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from edge_agent.audio.card import Wiring
from edge_agent.audio.cards import CardsPlayer, Served
from edge_agent.audio.clip import Shelf
from edge_agent.audio.live_ring import LiveRing
from edge_agent.audio.live_shared import LiveReaders, LiveShared
from edge_agent.audio.mixer import Outlet
from edge_agent.audio.port import HeardReports, Player, PlayerError, Reports
from edge_agent.cli import paths, relays
from edge_agent.cli.cards import settings_of
from edge_agent.cli.process import die_with_any_thread, log_to_stderr, on_stop
from edge_agent.clock import boot_ms
from edge_agent.config import Card, Channel, Config
from edge_agent.core.job import LINE_IN
from edge_agent.core.programme import source_key
from edge_agent.device.process import run_device
from edge_agent.device.wake import Stop
from edge_agent.link.messages import LinkError
from edge_agent.memory import settle
from edge_agent.relay.port import RelayError

EXIT_NO_DEVICE = 1

log = logging.getLogger(__name__)

TapOf = Callable[[Wiring], Callable[[int, bytes], None] | None]
"""What is told of all that a card gets (``audio.feeder``); None: nobody listens at its horns."""


def run(config: Config) -> int:
    """Own relays and sound until told to stop."""
    log_to_stderr()
    die_with_any_thread()
    stop = Stop()
    on_stop(stop.set)
    if trouble := paths.prepare(config, paths.device(config)):
        log.error("no folder to work in, không có thư mục field=[paths] error=%s next=edge-agent doctor", trouble)
        return EXIT_NO_DEVICE
    try:
        lines, open_player = relays.claimed(config), _player_of(config)
        settle()
        return run_device(lines, open_player, config.site.zones, paths.socket(config), stop)
    except (RelayError, PlayerError, LinkError) as error:
        log.error("device not usable error=%s", error)
        return EXIT_NO_DEVICE


def _player_of(config: Config) -> Callable[[HeardReports], Player]:
    if not any(wiring.ear for wiring in config.zones.values()):
        return lambda reports: _cards(config, reports, _nobody_listens)
    return partial(_with_ears, config)


def _nobody_listens(_wiring: Wiring) -> None:
    return None


def _with_ears(config: Config, reports: HeardReports) -> Player:
    from edge_agent.audio.capture import CaptureConfig
    from edge_agent.audio.ear import EarConfig, Ears, ListeningPlayer

    ears = Ears(
        {
            zone: EarConfig(
                CaptureConfig(ear.device, config.rate, ear.channels), int(ear.channel is Channel.RIGHT), ear.least_db
            )
            for zone, wiring in config.zones.items()
            if (ear := wiring.ear) is not None
        },
        reports,
    )
    return ListeningPlayer(lambda told: _cards(config, told, ears.tap), ears, reports)


def _cards(config: Config, reports: Reports, tap_of: TapOf) -> Player:
    cards = list(config.cards.values())
    live = LiveShared(_live_sources(config), [settings_of(card).buffer_ms for card in cards])
    if len(cards) == 1:
        return _one_card(config, cards[0], live, tap_of, reports, lambda: False)
    return CardsPlayer({card.name: _served(config, card, live, tap_of) for card in cards}, reports, boot_ms)


def _live_sources(config: Config) -> LiveReaders:
    """What the agent fetches, and what is plugged in here."""
    from edge_agent.audio.capture import CaptureConfig
    from edge_agent.audio.line_in import LineIn, LiveSources

    line_ins = {
        source_key((f"{LINE_IN}{name}",)): LineIn(CaptureConfig(given.device, config.rate, given.channels))
        for name, given in config.line_ins.items()
    }
    return LiveSources(line_ins, LiveRing(paths.live(config), config.rate))


def _served(config: Config, card: Card, live: LiveShared, tap_of: TapOf) -> Served:
    zones = tuple(zone for zone, wiring in config.zones.items() if wiring.card == card.name)
    return Served(zones, lambda reports, needed: _one_card(config, card, live, tap_of, reports, needed))


def _one_card(
    config: Config, card: Card, live: LiveShared, tap_of: TapOf, reports: Reports, needed: Callable[[], bool]
) -> Player:
    from edge_agent.audio.alsa import AlsaPlayer

    here = {zone: wiring for zone, wiring in config.zones.items() if wiring.card == card.name}
    outlets = {zone: Outlet(wiring.channel) for zone, wiring in here.items()}
    wiring = Wiring(card.rate, card.channels, outlets, {zone: given.trim_db for zone, given in here.items()})
    clips = Shelf(paths.audio(config), paths.warnings_in_memory(config))
    return AlsaPlayer(settings_of(card), wiring, clips, reports, live=live, needed=needed, tap=tap_of(wiring))
