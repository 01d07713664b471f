"""Remember which certificate, or which clock, is why there is no connection: for the console, and for the renewer.

The note lies in memory (``run_dir``) while the reason holds. It is for people; whatever befalls it, nothing stops.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

from edge_agent import fresh_file, plain_file
from edge_agent.config import Config
from edge_agent.core.clock_trust import Now
from edge_agent.core.events import Connected, Event
from edge_agent.identity.certificate import read_certificate, trouble_by_clock
from edge_agent.sync.tls_trouble import EXPIRED_ALERT, Kind, TlsTrouble

NOTE_BYTES_MAX = 4_096

log = logging.getLogger(__name__)


class CertificateNote:
    """``ended`` hears of each connection that ended, ``watch`` of every event, so that it knows when one stands."""

    def __init__(self, file: Path, certificate: Path, clock: Callable[[], Now], refused: Callable[[], None]) -> None:
        self._file = file
        self._certificate = certificate
        self._clock = clock
        self._refused = refused

    def ended(self, trouble: TlsTrouble | None) -> None:
        """A connection ended. A broker says "expired", the certificate says since when."""
        if trouble is None:
            return
        if trouble.asks_for_renewal:
            self._refused()
        own = trouble_of_own(self._certificate, self._clock(), trouble)
        if own is not trouble:
            log.warning("detail=%s", own)
        try:
            fresh_file.replace(self._file, json.dumps({"kind": own.kind, "what": own.what}).encode())
        except OSError as error:
            log.error("certificate trouble not noted error=%s", error)

    def watch(self, post: Callable[[Event], None]) -> Callable[[Event], None]:
        """``post``, and the note goes when a connection stands."""

        def posting(event: Event) -> None:
            if isinstance(event, Connected):
                self.clear()
            post(event)

        return posting

    def clear(self) -> None:
        """There is no such reason any more, or none is known yet."""
        try:
            self._file.unlink(missing_ok=True)
        except OSError as error:
            log.error("certificate trouble not removed error=%s", error)


def read_note(file: Path) -> TlsTrouble | None:
    """What stands there; None where nothing does, or nobody may look."""
    try:
        with plain_file.begin(file) as opened:
            values = json.loads(opened.read(NOTE_BYTES_MAX))
        return TlsTrouble(Kind(values["kind"]), str(values["what"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # the last of nesting, on Python 3.11
        return None


def certificate_note(
    config: Config, file: Path, clock: Callable[[], Now], refused: Callable[[], None]
) -> CertificateNote:
    """For this station; begins with none."""
    note = CertificateNote(file, config.broker.cert_file, clock, refused)
    note.clear()
    return note


def trouble_of_own(certificate: Path, now: Now, trouble: TlsTrouble) -> TlsTrouble:
    """What a refusal of our certificate means, where the certificate's own dates explain it; else as it was told."""
    if trouble.kind is not Kind.OURS_REFUSED:
        return trouble
    try:
        own = read_certificate(certificate.read_bytes())
    except (OSError, ValueError):
        return trouble
    if trouble.what == EXPIRED_ALERT:
        return TlsTrouble(Kind.OURS_EXPIRED, own.last_moment)
    return trouble_by_clock(own, now) or trouble
