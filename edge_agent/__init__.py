"""The edge agent of an IP loudspeaker station: plays what was signed, when it is due, where it was ordered."""

__version__ = "0.1.0"
