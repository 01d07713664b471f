"""Decide whom the station believes to be its broker or its content server: TLS 1.3, pinned authority, checked name.

Dates are a matter of the station's own clock, not of the system's: a Raspberry Pi wakes up in the past, and its own
time may come from a signed welcome that it can only get over this very connection. So OpenSSL leaves the dates alone,
and ``dates_trouble`` checks them as soon as the clock may be trusted.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from edge_agent.core.clock_trust import TIMETABLE_SOURCES, Now
from edge_agent.core.units import SECOND_MS
from edge_agent.sync.tls_trouble import Kind, TlsTrouble

NO_CHECK_TIME = 0x20_0000
# X509_V_FLAG_NO_CHECK_TIME of OpenSSL's x509_vfy.h; Python's ssl passes it on, but has no name for it.

Show: TypeAlias = Callable[[ssl.SSLContext, Path], None]
"""Has a context show the certificate in that file, wherever its key lies. Raises OSError."""


def client_context(ca_file: Path, cert_file: Path | None = None, show: Show | None = None) -> ssl.SSLContext:
    """A context that trusts ``ca_file`` alone and, with the other two, shows who we are. Raises OSError."""
    context = _as_ours(ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca_file))
    if cert_file is not None and show is not None:
        show(context, cert_file)
    return context


def context_of(authority: bytes) -> ssl.SSLContext:
    """As ``client_context``, of an authority (DER) that lies in no file yet."""
    return _as_ours(ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cadata=authority))


def _as_ours(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # From 3.13 on Python wants each letter of RFC 5280; but an authority as `openssl req -x509` makes it says nothing
    # of its key's use. And whoever has signed for the server is enough, be it nobody's root: before 3.13 Python wants
    # that one too. A station on Debian 13, or 12, would call its own network another one's.
    context.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT
    # Behind that: what is taken away so takes each flag along that has no name.
    context.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME) | ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    return context


def clock_dates_certificates(now: Now) -> bool:
    """Whether this clock is good enough to call a certificate expired: anything from a clock chip upwards."""
    return now.source in TIMETABLE_SOURCES


def dates_trouble(connection: ssl.SSLObject, now: Now) -> TlsTrouble | None:
    """What is wrong with the dates of the peer's certificate or of our authority's, by ``now``; None if nothing is."""
    for certificate in (connection.getpeercert() or {}, *connection.context.get_ca_certs()):
        if trouble := _dates_trouble(certificate, now):
            return trouble
    return None


def _dates_trouble(certificate: Mapping[str, Any], now: Now) -> TlsTrouble | None:
    start, end = (ssl.cert_time_to_seconds(str(certificate[name])) * SECOND_MS for name in ("notBefore", "notAfter"))
    if start > now.utc + now.max_error_ms:
        return TlsTrouble(Kind.SERVER_NOT_YET, moment(now.utc))
    if end < now.utc - now.max_error_ms:
        return TlsTrouble(Kind.SERVER_EXPIRED, moment(end))
    return None


def moment(utc_ms: int) -> str:
    """As people compare it with a watch and a calendar: the station's own zone is not known here."""
    return f"{datetime.fromtimestamp(utc_ms / SECOND_MS, UTC):%Y-%m-%d %H:%M} UTC"
