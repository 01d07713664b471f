"""Doctor's checks of who answers: the station's two processes, its clock, and the broker."""

from __future__ import annotations

import socket
import ssl
import time

from edge_agent.cli.certificate_note import trouble_of_own
from edge_agent.cli.finding import Finding, troubled, words
from edge_agent.config import Broker, Config
from edge_agent.console.catalogue import ABSENCES, DEVICE_REMEDY, SOURCES, clock_remedy, lacking_words
from edge_agent.console.status import Absence, Status
from edge_agent.console.times import face_of
from edge_agent.console.words import Text
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.reasons import Reason
from edge_agent.identity.asking import NAMES, names_at, trouble_at
from edge_agent.identity.tls_keys import tls_key
from edge_agent.software import software
from edge_agent.sync.dial import connected
from edge_agent.sync.https import HTTPS_TROUBLE
from edge_agent.sync.tls import client_context, clock_dates_certificates, dates_trouble
from edge_agent.sync.tls_stream import TlsRefused, TlsStream
from edge_agent.sync.tls_trouble import Kind, TlsTrouble, trouble_in

CONNECT_S = 10
# Three round trips over 3G at 2 s, and a slow broker; who waits in front of a box waits no longer.
REFUSAL_S = 3
# In TLS 1.3 a broker refuses a client's certificate one round trip after the handshake. Or twice as long as that took:
# over 2G a round trip alone is longer.

BOUNDLESS = (ClockSource.UNSET, ClockSource.FLOOR)
"""Sources whose error nobody can bound."""
AGENT = Text("chương trình của trạm", "agent")
CONNECTION_REMEDY = Text(
    "vừa khởi động thì chờ một phút; dòng máy chủ trung tâm tốt thì xem journalctl -u edge-agent, dòng disconnected",
    "just started: wait a minute; if the line of the broker is well: journalctl -u edge-agent, its lines disconnected",
)
SERVER_WAITS = (Reason.NOT_WELCOMED, Reason.TRUST_BEHIND)
SERVER_REMEDY = Text(
    "vừa khởi động thì chờ một phút; rồi báo đơn vị vận hành máy chủ (watch có chạy không)",
    "just started: wait a minute; then tell whoever runs the server (does `watch` run?)",
)
DEVICE = Text("phần âm thanh và rơ-le", "device process")
CLOCK = Text("giờ", "clock")
MANIFESTS = Text("bản kê lệnh", "manifests")
MANIFESTS_REMEDY = Text(
    "kiểm tra mạng và [content] home; nếu mạng tốt, báo đơn vị quản lý máy chủ",
    "check the network and [content] home; if they are well, tell the server's operator",
)
BROKER = Text("máy chủ trung tâm", "broker")
RENEWALS = Text("nơi gia hạn chứng thư", "where certificates are renewed")
RENEWALS_REMEDY = Text(
    "kiểm tra mạng và [enrolment] url; nếu mạng tốt, báo đơn vị quản lý máy chủ: dịch vụ enrolment phải chạy",
    "check the network and [enrolment] url; if they are well, tell the server's operator: `enrolment` must run",
)


def agent(seen: Status | Absence) -> Finding:
    """Whether the agent runs, and whether the server has answered it."""
    if isinstance(seen, Absence):
        said, remedy = ABSENCES[seen]
        return Finding(AGENT, f"{said.vi} / {said.en}", remedy)
    welcomed = "the server has answered" if seen.welcomed else "the server has NOT answered since it started"
    told = f"{seen.software} is running; {_newly_installed(seen.software)}{welcomed}"
    if not seen.online:
        return Finding(AGENT, f"{told}; chưa kết nối được / NOT connected now", CONNECTION_REMEDY)
    if not seen.welcomed or seen.waits in SERVER_WAITS:
        return Finding(AGENT, f"{told}; lệnh mới phải chờ / new orders WAIT", SERVER_REMEDY)
    return Finding(AGENT, told)


def _newly_installed(running: str) -> str:
    """What an update has laid beside what runs on, until somebody restarts it."""
    here = software()
    return "" if running == here else f"{here} đã cài, khởi động lại để dùng / is installed, restart to use it; "


def manifests(config: Config, seen: Status | Absence) -> Finding:
    """Whether the station could notice that a broker keeps something back, and what it lacks."""
    if not config.content.home:
        return Finding(MANIFESTS, "no [content] home: nobody else than the broker tells what is in force")
    if isinstance(seen, Absence) or seen.manifests is None:
        return Finding(MANIFESTS, f"{config.content.home}: not known, as the agent does not tell")
    wrong = [one for one in seen.manifests if one.lacking or one.reason is not None]
    to_come = [one.scope for one in seen.manifests if not one.issued_at]
    if not wrong and to_come:
        return Finding(MANIFESTS, f"{config.content.home}: not yet come: {', '.join(to_come)}")
    if not wrong:
        return Finding(MANIFESTS, f"{config.content.home}: nothing is lacking")
    said = [(one.scope, lacking_words(one)) for one in wrong]
    told = "; ".join(f"{scope}: {lacking.vi} / {lacking.en}" for scope, lacking in said)
    return Finding(MANIFESTS, f"{config.content.home}: {told}", MANIFESTS_REMEDY)


def device(device_up: bool | None) -> Finding:
    """Whether the device process runs."""
    if device_up is None:
        remedy = Text("chạy bằng sudo", "use sudo")
        return Finding(DEVICE, "tài khoản này không được hỏi / this account may not ask", remedy)
    return Finding(DEVICE, "is running") if device_up else Finding(DEVICE, "KHÔNG CHẠY / is not running", DEVICE_REMEDY)


def clock(config: Config, now: Now) -> Finding:
    """Whether a timetable may be played by the clock."""
    face = face_of(now, config.site.timezone)
    # By how much the last known time is behind nobody knows: its figure would read as an exact one.
    bound = "" if now.source in BOUNDLESS else f", error at most {now.max_error_ms} ms"
    seen = f"{face.en}, {SOURCES[now.source].en}{bound}"
    if now.trusted:
        return Finding(CLOCK, seen)
    return Finding(CLOCK, f"CHƯA CHUẨN ({SOURCES[now.source].vi}) / NOT TRUSTED: {seen}", clock_remedy(now))


def broker(config: Config, now: Now, *, key_usable: bool) -> Finding:
    """Whether the broker answers, is the one we trust, and takes our certificate. Says nothing of MQTT to it."""
    settings = config.broker
    where = f"{settings.host}:{settings.port}"
    first = Text("sửa lỗi chứng thư và khóa trước", "put certificates and key right first")
    if not key_usable:
        return Finding(BROKER, f"{where} chưa thử / not tried", first)
    try:
        # The check of the key has prepared it.
        context = client_context(settings.ca_file, settings.cert_file, tls_key(config).show)
    except OSError as exc:
        return Finding(BROKER, f"{where} chưa thử / not tried: {settings.ca_file}: {words(exc)}", first)
    try:
        with connected(settings.host, settings.port, CONNECT_S, time.monotonic() + 2 * CONNECT_S) as line:
            return _greeted(where, line, context, settings, now)
    except socket.gaierror as exc:
        remedy = Text("kiểm tra mạng, SIM, DNS và [broker] host", "check network, SIM, DNS and [broker] host")
        return Finding(BROKER, f"{where}: {words(exc)}", remedy)
    except OSError as exc:
        remedy = Text(
            "kiểm tra mạng, SIM, tường lửa và [broker] host, port; có thể máy chủ đang ngừng",
            "check network, SIM, firewall and [broker] host, port; the broker may be down",
        )
        return Finding(BROKER, f"{where}: {words(exc)}", remedy)


def renewals(config: Config) -> Finding:
    """Whether the next certificate could be had where this one is from. Asks for none."""
    url, ca_file = config.enrolment.url, config.broker.ca_file
    if not url:
        return Finding(RENEWALS, "no [enrolment] url: the next certificate is carried by hand")
    try:
        context = client_context(ca_file)
    except OSError as exc:
        first = Text("sửa lỗi chứng thư trước", "put certificates right first")
        return Finding(RENEWALS, f"{url} chưa thử / not tried: {ca_file}: {words(exc)}", first)
    try:
        trouble = trouble_at(url, context, CONNECT_S)
    except HTTPS_TROUBLE as exc:
        return Finding(RENEWALS, f"[enrolment] url {url}: {words(exc)}", RENEWALS_REMEDY)
    if trouble is None:
        return Finding(RENEWALS, f"{url}: certificate trusted")
    if trouble.kind is not Kind.OTHER_NAME:
        return troubled(RENEWALS, f"[enrolment] url {url}", trouble)
    vi, _, en = NAMES.partition(" / ")
    names = ", ".join(names_at(url, context))
    seen = f"[enrolment] url {url}: {trouble.vi} / {trouble.en}"
    return Finding(RENEWALS, seen, Text(f"{vi}: {names}", f"{en}: {names}"))


def _greeted(where: str, line: socket.socket, context: ssl.SSLContext, settings: Broker, now: Now) -> Finding:
    host, certificate = settings.host, settings.cert_file
    try:
        with TlsStream(line, context, host) as stream:
            begun = time.monotonic()
            stream.do_handshake()
            patience_s = max(REFUSAL_S, 2 * (time.monotonic() - begun))
            trouble = dates_trouble(stream.tls, now) if clock_dates_certificates(now) else None
            refusal = None if trouble else _refusal(stream, patience_s)
            seen = f"{where}: {stream.tls.version()}, certificate trusted"
    except OSError as exc:
        if found := trouble_in(exc, host):
            return troubled(BROKER, where, found)
        remedy = Text(
            "xem SIM (hết tiền thì nhà mạng trả lời thay máy chủ; mạng quá chậm), rồi port và cổng TLS của máy chủ",
            "look at the SIM (without credit its network answers for the broker; or it is too slow), then check the "
            "port; the broker must speak TLS 1.3 there",
        )
        return Finding(BROKER, f"{where}: TLS: {words(exc)}", remedy)
    if trouble is not None:
        return troubled(BROKER, where, trouble)
    if isinstance(refusal, TlsTrouble):
        return troubled(BROKER, where, trouble_of_own(certificate, now, refusal))
    if refusal is not None:
        remedy = Text("máy chủ không nhận chứng thư của trạm: đăng ký lại", "the broker refuses our certificate: enrol")
        return Finding(BROKER, f"{where}: {refusal}", remedy)
    return Finding(BROKER, seen)


def _refusal(stream: TlsStream, within_s: float) -> TlsTrouble | str | None:
    """Why the broker hangs up on our certificate; None when it keeps waiting for us to speak."""
    stream.settimeout(within_s)
    try:
        stream.recv(1)
    except TimeoutError:
        return None
    except TlsRefused:
        raise  # it says nothing of our certificate
    except OSError as exc:
        return trouble_in(exc, "") or words(exc)
    return None if _has_ticket(stream) else "máy chủ ngắt ngay / it hung up at once"


def _has_ticket(stream: TlsStream) -> bool:
    """A server hands out tickets when it has taken the certificate; an end behind them means something else.

    Mosquitto 2.0.21 does so, within a second, to whoever has not said CONNECT, once a station has been replaced there.
    """
    session = stream.tls.session
    return session is not None and session.has_ticket
