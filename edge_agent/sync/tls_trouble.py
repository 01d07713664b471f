"""Name what is wrong with a certificate or a clock when a TLS connection fails, for people, in both languages. Pure.

The same names stand in the log, in ``edge-agent doctor`` and on the console.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from enum import StrEnum

HOSTNAME_MISMATCH, ADDRESS_MISMATCH = 62, 64
# X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH (OpenSSL's x509_vfy.h).
ALERT = "ALERT_"
ALERTS_OF_CERTIFICATES = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "DECRYPT_ERROR")
# TLS 1.3's alerts by which a server turns a client's certificate away (RFC 8446, 6.2), as OpenSSL spells them.
EXPIRED_ALERT = "CERTIFICATE_EXPIRED"


class Kind(StrEnum):
    """What is wrong. ``OURS``: the station's own certificate; ``SERVER``: the one that the other side shows."""

    OURS_EXPIRED = "our_certificate_expired"
    OURS_NOT_YET = "our_certificate_not_yet_valid"
    OURS_REFUSED = "our_certificate_refused"
    SERVER_EXPIRED = "server_certificate_expired"
    SERVER_NOT_YET = "server_certificate_not_yet_valid"
    OTHER_AUTHORITY = "certificate_of_another_authority"
    OTHER_NAME = "certificate_name_mismatch"


@dataclass(frozen=True, slots=True)
class Words:
    """What is said; {} stands for the day, the clock, the name."""

    vi: str
    en: str
    remedy_vi: str
    remedy_en: str


_CLOCK_VI, _CLOCK_EN = "chỉnh giờ trước: mạng, NTP, pin RTC", "set the clock right first: network, NTP, RTC battery"
WORDS = {
    Kind.OURS_EXPIRED: Words(
        "chứng thư của trạm đã hết hạn ngày {}",
        "the station's certificate expired on {}",
        "sudo edge-agent renew; không được thì đăng ký lại bằng mã mới",
        "sudo edge-agent renew; if that fails, enrol with a new code",
    ),
    Kind.OURS_NOT_YET: Words(
        "chứng thư của trạm chưa đến ngày có hiệu lực: đồng hồ của trạm đang là {}",
        "the station's certificate is not yet valid: the station's clock says {}",
        _CLOCK_VI,
        _CLOCK_EN,
    ),
    Kind.OURS_REFUSED: Words(
        "máy chủ không nhận chứng thư của trạm ({})",
        "the broker refused the station's certificate ({})",
        "hết hạn thì sudo edge-agent renew; nếu không, đăng ký lại bằng mã mới",
        "if it has expired, sudo edge-agent renew; otherwise enrol with a new code",
    ),
    Kind.SERVER_EXPIRED: Words(
        "chứng thư của máy chủ đã hết hạn ngày {}",
        "the server's certificate expired on {}",
        "báo đơn vị quản lý máy chủ",
        "tell the broker's operator",
    ),
    Kind.SERVER_NOT_YET: Words(
        "chứng thư của máy chủ chưa đến ngày có hiệu lực: đồng hồ của trạm đang là {}",
        "the server's certificate is not yet valid: the station's clock says {}",
        f"{_CLOCK_VI}; giờ đã đúng thì báo đơn vị quản lý máy chủ",
        f"{_CLOCK_EN}; if it is right, tell the broker's operator",
    ),
    Kind.OTHER_AUTHORITY: Words(
        "chứng thư của máy chủ do nơi khác cấp ({})",
        "the server's certificate is of another authority ({})",
        "xem SIM, cổng đăng nhập của mạng trước: hết tiền thì nhà mạng trả lời thay máy chủ. Không phải vậy thì đây "
        "không phải máy chủ của hệ thống, hoặc sai [broker] ca_file; đăng ký lại bằng mã mới",
        "look at the SIM and at a sign-in page first: without credit the network answers in the server's place. "
        "Otherwise this is not the system's broker, or [broker] ca_file is wrong; enrol with a new code",
    ),
    Kind.OTHER_NAME: Words(
        "chứng thư của máy chủ không ghi tên {}",
        "the server's certificate is for another name than {}: the name does not match",
        "sửa [broker] host cho đúng tên máy chủ",
        "correct [broker] host to the server's own name",
    ),
}


@dataclass(frozen=True, slots=True)
class TlsTrouble:
    """One such finding; ``what`` is the day, the clock or the name in it."""

    kind: Kind
    what: str

    @property
    def vi(self) -> str:
        return WORDS[self.kind].vi.format(self.what)

    @property
    def en(self) -> str:
        return WORDS[self.kind].en.format(self.what)

    @property
    def asks_for_renewal(self) -> bool:
        """Whether a new certificate of ours would help, whatever our own clock says."""
        return self.kind is Kind.OURS_EXPIRED or (self.kind is Kind.OURS_REFUSED and self.what == EXPIRED_ALERT)

    def __str__(self) -> str:
        return f"{self.kind}: {self.vi} / {self.en}"


class DatesTrouble(ssl.SSLCertVerificationError):
    """A handshake that went well with a certificate whose dates are wrong."""

    def __init__(self, trouble: TlsTrouble) -> None:
        super().__init__(str(trouble))
        self.trouble = trouble


def trouble_in(error: BaseException, host: str) -> TlsTrouble | None:
    """What an exception of a connection to ``host`` says of certificates; None where they are not the reason."""
    if isinstance(error, DatesTrouble):
        return error.trouble
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in (HOSTNAME_MISMATCH, ADDRESS_MISMATCH):
            return TlsTrouble(Kind.OTHER_NAME, host)
        return TlsTrouble(Kind.OTHER_AUTHORITY, error.verify_message)
    # What Python itself raises as such an error has no reason.
    reason = (getattr(error, "reason", None) or "") if isinstance(error, ssl.SSLError) else ""
    _, found, alert = reason.partition(ALERT)
    if found and any(one in alert for one in ALERTS_OF_CERTIFICATES):
        return TlsTrouble(Kind.OURS_REFUSED, alert)
    return None
