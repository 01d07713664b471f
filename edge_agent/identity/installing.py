"""Take in what the headend gave: several files, all or none, over any power cut.

The verified answer is first kept in one file; from then on it is only a matter of finishing, as often as it takes.
Until then nothing has changed. The station's own keys are made before, and stay.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from edge_agent.config import Config, ConfigError, parse
from edge_agent.config.identity import BROKER, ENROLMENT, STATION, CannotWrite, Words, with_words
from edge_agent.durable import GROUP_READS, OWNER_ONLY, write_durably
from edge_agent.identity import messages
from edge_agent.identity.certificate import authority_pem, take
from edge_agent.identity.file_keys import Owner
from edge_agent.identity.files import make_folder, remove_durably
from edge_agent.identity.messages import Given
from edge_agent.identity.port import CertificateKey
from edge_agent.identity.tls_keys import tls_key
from edge_agent.trust.fields import Fields, free_text
from edge_agent.trust.strict_json import dump
from edge_agent.trust.strict_json import parse as parse_json

PENDING = "enrolment.json"
URL = free_text(300)


@dataclass(frozen=True, slots=True)
class Places:
    """Where a station's identity lies: ``file`` is its configuration, which names the others."""

    file: Path
    config: Config
    owner: Owner = None

    @property
    def tls_key(self) -> CertificateKey:
        """The key of the certificate."""
        return tls_key(self.config, self.owner)


def check_writable(places: Places) -> None:
    """Whether the configuration can be written by us, before a code is used up. ``CannotWrite`` names the line."""
    config = places.config
    broker, site = config.broker, config.site
    words = _words(site.station, site.area, site.realm, config.name, broker.host, broker.port)
    _new_text(places, {**words, (ENROLMENT, "url"): "https://localhost"})


def commit(places: Places, given: Given, url: str) -> None:
    """Keep what was given. Raises ``NotOurs`` where the certificate is not for this station's key: nothing changed."""
    take(given.certificate, given.authority, given.station, places.tls_key.public)
    content = dump({"type": "enrolment", "url": url, **parse_json(messages.write_given(given))})
    kept = pending(places.config)
    make_folder(kept.parent, places.owner)
    write_durably(kept, content, OWNER_ONLY, places.owner)


def unfinished(config: Config) -> bool:
    """Whether an answer waits to be taken in."""
    return os.path.exists(pending(config))  # and not Path.exists, as of a reset (``resetting``)


def pending(config: Config) -> Path:
    """An answer that is not yet taken in whole."""
    return config.paths.state_dir / PENDING


def finish(places: Places) -> Given:
    """Write every file; the configuration last, as it makes the station another one. May be cut at any point."""
    fields = Fields(parse_json(pending(places.config).read_bytes()))
    given = messages.read_given(fields)
    pem = take(given.certificate, given.authority, given.station, places.tls_key.public)
    authority = authority_pem(given.authority)
    config = places.config
    for path, content in (
        (config.broker.ca_file, authority),
        (config.content.ca_file, authority),
        (config.trust.file, given.trust),
        (config.broker.cert_file, pem),
    ):
        make_folder(path.parent, places.owner)
        write_durably(path, content, GROUP_READS, places.owner)
    words = _words(given.station, given.area, given.realm, given.name, given.host, given.port)
    text = _new_text(places, {**words, (ENROLMENT, "url"): fields.text("url", URL)})
    before = places.file.stat()
    owner = None if places.owner is None else (before.st_uid, before.st_gid)
    write_durably(places.file, text.encode(), before.st_mode & 0o777, owner)
    remove_durably(pending(places.config))
    return given


def _words(station: str, area: str, realm: str, name: str, host: str, port: int) -> Words:
    place = {"id": station, "realm": realm, "name": name, "area": area}
    words: dict[tuple[str, str], str | int] = {(STATION, key): value for key, value in place.items()}
    return {**words, (BROKER, "host"): host, (BROKER, "port"): port}


def _new_text(places: Places, words: Words) -> str:
    """The configuration with these words, read again: what comes out must say just that."""
    text = with_words(places.file.read_text("utf-8"), words)
    try:
        config = parse(text, places.file.absolute().parent, str(places.file))
    except ConfigError as error:
        raise CannotWrite(str(error)) from error
    site, broker = config.site, config.broker
    said = _words(site.station, site.area, site.realm, config.name, broker.host, broker.port)
    if {**said, (ENROLMENT, "url"): config.enrolment.url} != words:
        raise CannotWrite(f"{places.file}: viết mỗi mục một dòng / write each key on a line of its own in [station]")
    return text
