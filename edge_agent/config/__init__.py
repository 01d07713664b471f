"""What a technician wrote in the station's TOML file, as types. Decides what may stand there; opens nothing it names.

``reader`` knows TOML, lines and how to complain; ``sections`` is the result; ``parse`` says what each key may be.
"""

from edge_agent.config.parse import load, parse
from edge_agent.config.reader import ConfigError, Problem
from edge_agent.config.sections import (
    Broker,
    Cache,
    Card,
    Channel,
    ClockSettings,
    Config,
    Console,
    Content,
    Decoder,
    Ear,
    Enrolment,
    Language,
    Ntp,
    Paths,
    RelayDriver,
    RelaySettings,
    Reporting,
    Sandbox,
    Speech,
    TrustFiles,
    ZoneWiring,
)

__all__ = [
    "Broker",
    "Cache",
    "Card",
    "Channel",
    "ClockSettings",
    "Config",
    "ConfigError",
    "Console",
    "Content",
    "Decoder",
    "Ear",
    "Enrolment",
    "Language",
    "Ntp",
    "Paths",
    "Problem",
    "RelayDriver",
    "RelaySettings",
    "Reporting",
    "Sandbox",
    "Speech",
    "TrustFiles",
    "ZoneWiring",
    "load",
    "parse",
]
