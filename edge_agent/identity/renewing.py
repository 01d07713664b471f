"""Renew the station's certificate: when it is time, and when the broker will not have the old one any more.

It works in a thread of its own and holds nothing up. The certificate's file is replaced in one step, and read anew at
the next connection; the one before is good until its own end, so no renewal can silence a station.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.config import Config
from edge_agent.core.clock_trust import Now
from edge_agent.durable import GROUP_READS, write_durably
from edge_agent.identity import asking
from edge_agent.identity.asking import NoIdentity, Server
from edge_agent.identity.certificate import (
    NotOurs,
    authority_der,
    due,
    followed,
    read_certificate,
    take,
    trouble_by_clock,
)
from edge_agent.identity.file_keys import Owner
from edge_agent.identity.tls_keys import tls_key
from edge_agent.identity.token_library import TokenError
from edge_agent.trust.keys import Signer

TRY_AGAIN_S = 3_600
# The broker refuses again every two minutes, and a server that is down need not be asked as often.

TROUBLE = (NoIdentity, NotOurs, TokenError, OSError, ValueError)
# A server that is down or refuses, a certificate that is not ours, a secure element that fails, a full card, a key that
# cannot be read.

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Renewal:
    """One station's way to its next certificate."""

    config: Config
    signer: Signer
    owner: Owner = None

    def due(self, now: Now) -> bool:
        """Whether it is time. A certificate that cannot be read is for people."""
        try:
            return due(now, read_certificate(self.config.broker.cert_file.read_bytes()))
        except (OSError, ValueError):
            return False

    def renew(self, now: Now) -> None:
        """Ask, check, and put it in place. Whatever is raised (``TROUBLE``): nothing changed."""
        config = self.config
        if not config.enrolment.url:
            raise NoIdentity(
                "tệp cấu hình không có [enrolment] url: chép chứng thư mới bằng tay / without [enrolment] url a new "
                "certificate is carried by hand"
            )
        station, key = config.site.station, tls_key(config)
        server = Server(config.enrolment.url, config.broker.ca_file)
        renewed = asking.renew(server, config.site.realm, station, self.signer, key.request(station))
        pem = take(renewed.certificate, authority_der(config.broker.ca_file.read_bytes()), station, key.public)
        self._keep_a_better_one(pem, now)
        if renewed.authority is not None:
            self._follow(renewed.authority)  # first: who was cut off behind it asks again
        write_durably(config.broker.cert_file, pem, GROUP_READS, self.owner)

    def _follow(self, authority: bytes) -> None:
        """Put the authority's own next certificate in the place of the one that we have pinned. Where that cannot be,
        ours is taken all the same: the old one is good for years yet."""
        for file in dict.fromkeys((self.config.broker.ca_file, self.config.content.ca_file)):
            try:
                pem = followed(file.read_bytes(), authority)
                if pem is not None:
                    write_durably(file, pem, GROUP_READS, self.owner)
                    log.info("authority renewed file=%s", file)
            except (OSError, ValueError) as error:
                log.error("authority not renewed file=%s error=%s next=with our next certificate", file, error)

    def _keep_a_better_one(self, pem: bytes, now: Now) -> None:
        """A server with a wrong clock takes no good certificate away. Whose clock is wrong, nobody knows where the old
        one is no good either by ours."""
        try:
            old = read_certificate(self.config.broker.cert_file.read_bytes())
        except (OSError, ValueError):
            return
        trouble = trouble_by_clock(read_certificate(pem), now)
        if trouble is not None and trouble_by_clock(old, now) is None:
            raise NotOurs(
                "giữ chứng thư cũ, còn dùng được; giờ của máy chủ sai? / the old certificate is good and is kept; "
                f"is the server's clock wrong? Of the new one: {trouble}"
            )


class Renewer:
    """Looks when it is reminded; after a refusal it asks whatever the clock says, as that may be what is wrong."""

    def __init__(self, renewal: Renewal, clock: Callable[[], Now]) -> None:
        self._renewal = renewal
        self._clock = clock
        self._wake = threading.Event()
        self._refused = False
        self._tried_at: float | None = None

    def start(self) -> None:
        """Look whenever reminded. Not now: without a network it would be in vain, and nobody asks again for an hour."""
        threading.Thread(target=self._run, name="renewing", daemon=True).start()

    def remind(self) -> None:
        """Some time has passed."""
        self._wake.set()

    def refused(self) -> None:
        """The broker would not have our certificate."""
        self._refused = True
        self._wake.set()

    def turn(self, at_s: float) -> None:
        """One look, at ``at_s`` of a clock that only goes forward."""
        refused, self._refused = self._refused, False
        now = self._clock()
        if not (refused or self._renewal.due(now)):
            return
        if self._tried_at is not None and at_s - self._tried_at < TRY_AGAIN_S:
            return
        self._tried_at = at_s
        try:
            self._renewal.renew(now)
            log.info("certificate renewed file=%s", self._renewal.config.broker.cert_file)
        except TROUBLE as error:
            log.error("certificate not renewed error=%s next=again in an hour or when reminded", error)

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            self.turn(time.monotonic())
