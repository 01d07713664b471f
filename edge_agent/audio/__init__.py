"""From signed audio to samples on a card."""
