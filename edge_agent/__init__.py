"""The edge agent of an IP loudspeaker station: plays what was signed, when it is due, on the zones it was ordered for."""

__version__ = "0.1.0"
