"""Every parser that reads bytes from outside its process, what it promises, and where a campaign begins."""

from __future__ import annotations

from tests.fuzz.parsers import centre, identity, line, network, station, trust
from tests.fuzz.parsers.parser import Parser

_WHERE = (trust, station, network, line, centre, identity)
PARSERS: dict[str, Parser] = {parser.name: parser for module in _WHERE for parser in module.PARSERS}
