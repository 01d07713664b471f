"""A card of the configuration as the sound side takes it."""

from __future__ import annotations

from edge_agent.audio.card import CardConfig
from edge_agent.config import Card


def settings_of(card: Card) -> CardConfig:
    """How the card is opened."""
    return CardConfig(
        card.device,
        card.rate,
        card.channels,
        card.period_ms,
        card.periods,
        mixer=card.mixer,
        mixer_volume=card.mixer_volume,
    )
