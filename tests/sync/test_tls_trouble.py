"""Which failures of TLS are told as a certificate's: a technician would exchange a good one, or look for no bad one."""

from __future__ import annotations

import ssl

import pytest

from edge_agent.sync.tls_trouble import Kind, TlsTrouble, trouble_in


def failure(reason: str | None) -> ssl.SSLError:
    error = ssl.SSLError(1, "as the library words it")
    error.reason = reason  # type: ignore[assignment]
    return error


@pytest.mark.parametrize(
    "alert",
    [
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "TLSV1_ALERT_UNKNOWN_CA",
        "TLSV1_ALERT_ACCESS_DENIED",
        "TLSV1_ALERT_DECRYPT_ERROR",
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
    ],
)
def test_an_alert_that_turns_our_certificate_away_is_told_as_that(alert: str) -> None:
    told = trouble_in(failure(alert), "broker.example")
    assert told == TlsTrouble(Kind.OURS_REFUSED, alert.partition("ALERT_")[2])
    assert told.asks_for_renewal == (alert == "SSLV3_ALERT_CERTIFICATE_EXPIRED")


@pytest.mark.parametrize(
    "error",
    [
        failure("TLSV1_ALERT_INTERNAL_ERROR"),
        failure("TLSV1_ALERT_PROTOCOL_VERSION"),
        failure("CERTIFICATE_LOOKUP_FAILED"),
        failure(None),
        ssl.SSLError(ssl.SSL_ERROR_WANT_READ, "as Python itself raises it"),
        ConnectionResetError(104, "reset"),
        TimeoutError("CERTIFICATE"),
    ],
    ids=repr,
)
def test_what_is_no_matter_of_certificates_is_not_told_as_one(error: Exception) -> None:
    assert trouble_in(error, "broker.example") is None
