"""The console's words for what the station knows by a code: phases, classes, sources of time. Pure, decides nothing.

Reasons have their words in ``core.reasons``. The Vietnamese is that of the regulations and of technicians.
"""

from __future__ import annotations

from edge_agent.console.status import Absence, Play, Scope
from edge_agent.console.words import Text
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.outlook import Planned
from edge_agent.core.reasons import WORDS_EN, WORDS_VI, Reason

PHASES = {
    Phase.RECEIVED: Text("đang nạp", "being loaded"),
    Phase.STAGED: Text("sẵn sàng", "ready"),
    Phase.QUEUED: Text("chờ phát", "due, waits"),
    Phase.ARMED: Text("đang đóng rơ-le", "relays are closing"),
    Phase.PLAYING: Text("đang phát", "playing"),
    Phase.SUCCEEDED: Text("đã phát", "played"),
    Phase.FAILED: Text("không phát được", "failed"),
    Phase.EXPIRED: Text("hết hiệu lực", "expired"),
    Phase.REJECTED: Text("từ chối", "refused"),
    Phase.MISSED: Text("lỡ lịch", "missed"),
    Phase.INTERRUPTED: Text("bị cắt", "cut short"),
    Phase.CANCELLED: Text("đã hủy", "cancelled"),
    Phase.SUPERSEDED: Text("đã thay", "superseded"),
}
CLASSES = {
    JobClass.NORMAL: Text("thường", "normal"),
    JobClass.PRIORITY: Text("ưu tiên", "priority"),
    JobClass.EMERGENCY: Text("KHẨN CẤP", "EMERGENCY"),
}
REHEARSAL = Text("DIỄN TẬP", "rehearsal")
SOURCES = {
    ClockSource.UNSET: Text("chưa có nguồn giờ nào", "no source of time yet"),
    ClockSource.DISPUTED: Text("giờ NTP và giờ máy chủ lệch nhau", "NTP and the server's time disagree"),
    ClockSource.FLOOR: Text("chỉ biết giờ lần trước", "only the last known time"),
    ClockSource.RTC: Text("đồng hồ trong máy", "clock chip"),
    ClockSource.HOLDOVER: Text("tự giữ giờ", "kept since the last source"),
    ClockSource.SIGNED: Text("giờ máy chủ đã ký số", "signed by the server"),
    ClockSource.NTP: Text("NTP", "NTP"),
}
RELAYS = {
    True: Text("rơ-le ĐÓNG", "relay ON"),
    False: Text("rơ-le mở", "relay off"),
    None: Text("rơ-le không rõ", "relay unknown"),
}
HEARD = {
    True: Text("đo được tiếng tại loa", "heard at its horn"),
    False: Text("KHÔNG ĐO ĐƯỢC TIẾNG TẠI LOA", "NOT HEARD AT ITS HORN"),
}
LOCKED = Text("KHÓA BẢO TRÌ (cấm phát)", "LOCKED for maintenance")
SILENCED = Text("Tạm ngừng phát theo yêu cầu của địa phương", "Silent at the ward's own request")
OFFERS = Text("Bản tin chờ xã/phường lựa chọn", "Waiting for the commune to choose")
CLOCK_NOT_TRUSTED = Text("GIỜ CHƯA CHUẨN", "CLOCK NOT TRUSTED")
CLOCK_REMEDY = Text(
    "kiểm tra mạng và SIM: trạm lấy giờ từ máy chủ hoặc NTP",
    "check network and SIM: the time comes from the server or NTP",
)
DISPUTE_REMEDY = Text(
    "NTP hoặc máy chủ sai giờ: so với giờ điện thoại, báo trung tâm",
    "NTP or the server is wrong: compare with a phone's clock, tell the centre",
)
SERVICE_REMEDY = Text(
    "xem: systemctl status edge-agent; sudo journalctl -u edge-agent -n 50",
    "see: systemctl status edge-agent; sudo journalctl -u edge-agent -n 50",
)
DEVICE_REMEDY = Text(
    "xem: systemctl status edge-agent-io; sudo journalctl -u edge-agent-io -n 50",
    "see: systemctl status edge-agent-io; sudo journalctl -u edge-agent-io -n 50",
)
RELAY_REMEDY = Text(
    "xem: sudo journalctl -u edge-agent-io, dòng relay; ai giữ chân rơ-le: gpioinfo",
    "see: sudo journalctl -u edge-agent-io, its lines relay; who holds the line: gpioinfo",
)
CENTRE = Text("báo trung tâm", "tell the centre")
FETCH_REMEDY = Text(
    "kiểm tra mạng, SIM: sudo edge-agent doctor; mạng tốt thì báo trung tâm",
    "check network, SIM: sudo edge-agent doctor; if they are well, tell the centre",
)
HELD_REMEDIES = {
    Reason.TRUST_EXPIRED: Text(
        "báo trung tâm: văn bản ủy quyền phải được ký gia hạn", "tell the centre: the trust documents must be renewed"
    ),
    Reason.AUDIO_UNREACHABLE: FETCH_REMEDY,
    Reason.LIVE_UNREACHABLE: FETCH_REMEDY,
    Reason.AUDIO_ALTERED: CENTRE,
    Reason.AUDIO_UNREADABLE: Text(
        "báo trung tâm; sudo journalctl -u edge-agent có Input/output error thì thay thẻ nhớ",
        "tell the centre; where sudo journalctl -u edge-agent has Input/output error, change the card",
    ),
    Reason.AUDIO_TOO_LONG: CENTRE,
    Reason.AUDIO_TOO_SHORT: CENTRE,
    Reason.AUDIO_SILENT: CENTRE,
    Reason.NO_VOICE: Text("sudo edge-agent doctor, dòng giọng đọc", "sudo edge-agent doctor, its line of the voice"),
    Reason.CACHE_FULL: Text(
        "xóa bớt tệp trên thẻ nhớ: sudo edge-agent doctor cho biết còn trống bao nhiêu",
        "make room on the card: sudo edge-agent doctor says how much there is",
    ),
    Reason.BYTES_PER_DAY: Text(
        "báo trung tâm: ai đã ra quá nhiều lệnh có bản thu?", "ask the centre who orders so many recordings"
    ),
    Reason.RELAY_FAILED: RELAY_REMEDY,
    Reason.DEVICE_FAILED: Text(
        "sudo edge-agent doctor, dòng bo âm thanh; sudo journalctl -u edge-agent-io -n 50",
        "sudo edge-agent doctor, its line of the sound card; sudo journalctl -u edge-agent-io -n 50",
    ),
}
"""What somebody may do about what holds a plan back. Of all else it is as it was laid down, or told for all plans."""
ABSENCES = {
    Absence.NOT_RUNNING: (
        Text("Chương trình của trạm không chạy: không phát được gì.", "The agent is not running: nothing will sound."),
        SERVICE_REMEDY,
    ),
    Absence.STALE: (
        Text(
            "Chương trình của trạm không trả lời: tình trạng đã cũ quá 10 giây.",
            "The agent is not running, or hangs: its status is older than 10 seconds.",
        ),
        SERVICE_REMEDY,
    ),
    Absence.FORBIDDEN: (
        Text("Tài khoản này không được đọc tình trạng của trạm.", "This account may not read the station's status."),
        Text(
            "chạy bằng sudo, hoặc thêm tài khoản vào nhóm edge-agent",
            "use sudo, or add the account to the group edge-agent",
        ),
    ),
    Absence.DAMAGED: (
        Text("Tệp tình trạng của trạm không đọc được.", "The station's status file cannot be understood."),
        Text(
            "chương trình vừa cập nhật? khởi động lại phiên này; rồi: sudo journalctl -u edge-agent -n 50",
            "updated just now? start this program anew; then: sudo journalctl -u edge-agent -n 50",
        ),
    ),
}


def clock_remedy(clock: Now) -> Text:
    """What to do about a clock that is not trusted: where both sources answer, no network is lacking."""
    return DISPUTE_REMEDY if clock.source is ClockSource.DISPUTED else CLOCK_REMEDY


def class_words(one: Planned | Play) -> Text:
    """How urgent it is: nobody may take a rehearsal for a flood, nor a flood for a rehearsal."""
    return REHEARSAL if one.rehearsal else CLASSES[one.cls]


def reason_words(reason: Reason) -> Text:
    """A reason as people read it."""
    return Text(WORDS_VI[reason], WORDS_EN[reason])


def lacking_words(one: Scope) -> Text:
    """How many orders of a manifest are not here, and why."""
    why = Text("đang tải", "being fetched") if one.reason is None else reason_words(one.reason)
    return Text(f"thiếu {one.lacking} lệnh ({why.vi})", f"{one.lacking} orders are lacking ({why.en})")
