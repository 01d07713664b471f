"""Read the address of an enrolment service, as a station dials it and as its slip has it. Pure."""

from __future__ import annotations

from http.client import HTTPS_PORT
from typing import NamedTuple
from urllib.parse import urlsplit

WANTED = "địa chỉ phải như / an address such as https://mqtt.example.vn:8444"


class NoAddress(ValueError):
    """Nobody can be dialled by it; the text shows one that is right."""


class Address(NamedTuple):
    """Whom to dial."""

    host: str
    port: int


def read_address(url: str) -> Address:
    """Raises NoAddress for what no station can dial."""
    try:
        target = urlsplit(url)
        port = target.port or HTTPS_PORT
    except ValueError as error:
        raise NoAddress(WANTED) from error
    if target.scheme != "https" or not target.hostname or any(char.isspace() for char in url):
        raise NoAddress(WANTED)
    return Address(target.hostname, port)
