"""Every parser that reads bytes from outside its process, what it promises, and where a campaign begins."""

from __future__ import annotations

from tests.fuzz.parsers import centre, identity, network, station, trust
from tests.fuzz.parsers.parser import Parser

PARSERS: dict[str, Parser] = {
    parser.name: parser
    for parser in (*trust.PARSERS, *station.PARSERS, *network.PARSERS, *centre.PARSERS, *identity.PARSERS)
}
