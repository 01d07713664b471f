"""The one catalogue of reasons: why an order was refused, why something did not sound, why it ended early.

The code (the value) is what goes upstream and never changes its meaning; the words are what people read.
"""

from __future__ import annotations

import errno
from enum import StrEnum


class Reason(StrEnum):
    """A named reason. Every refusal, non-play and early end carries exactly one."""

    # The envelope (never journalled: anybody can send such bytes)
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    UNSUPPORTED = "unsupported"
    SIGNATURE_INVALID = "signature_invalid"
    TOO_FEW_SIGNATURES = "too_few_signatures"
    # The order, correctly signed
    WRONG_REALM = "wrong_realm"
    WRONG_AUDIENCE = "wrong_audience"
    UNKNOWN_ISSUER = "unknown_issuer"
    OVER_LIMIT = "over_limit"
    VALIDITY_TOO_LONG = "validity_too_long"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    REPLAYED = "replayed"
    ID_REUSED = "id_reused"
    NOT_OUR_NONCE = "not_our_nonce"
    TOO_MANY_JOBS = "too_many_jobs"
    TOO_MANY_ORDERS = "too_many_orders"
    NOT_SAVED = "not_saved"
    # How fresh it is, nobody can tell
    NOT_WELCOMED = "not_welcomed"
    TRUST_BEHIND = "trust_behind"
    MAYBE_HEARD = "maybe_heard"
    # What a manifest says is in force
    WITHDRAWN = "withdrawn"
    HEAD_STALE = "head_stale"
    HEAD_EQUIVOCAL = "head_equivocal"
    MANIFEST_UNREACHABLE = "manifest_unreachable"
    MANIFEST_ALTERED = "manifest_altered"
    # A trust document, or what it means for an order
    TRUST_ROLLED_BACK = "trust_rolled_back"
    TRUST_EQUIVOCAL = "trust_equivocal"
    TRUST_GAP = "trust_gap"
    TRUST_BEYOND_PARENT = "trust_beyond_parent"
    TRUST_EXPIRED = "trust_expired"
    KEY_REVOKED = "key_revoked"
    # The ward's rules
    QUIET_HOURS = "quiet_hours"
    WEEKDAY_MASK = "weekday_mask"
    HOLIDAY = "holiday"
    SESSIONS_PER_DAY = "sessions_per_day"
    SESSION_TOO_LONG = "session_too_long"
    MINUTES_PER_DAY = "minutes_per_day"
    LIVE_MINUTES_PER_DAY = "live_minutes_per_day"
    OUTSIDE_EXCEPTION = "outside_exception"
    ZONE_SILENCED = "zone_silenced"
    ZONE_LOCKED = "zone_locked"
    BATTERY_RESERVE = "battery_reserve"
    CLOCK_NOT_TRUSTED = "clock_not_trusted"
    NOTHING_LEFT = "nothing_left"
    # The commune's later word
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    STOPPED = "stopped"
    PAUSED = "paused"
    SKIPPED = "skipped"
    ALL_STOPPED = "all_stopped"
    CORRECTED = "corrected"
    NOT_HEARD_HERE = "not_heard_here"
    NOT_THE_OWNER = "not_the_owner"
    UNKNOWN_JOB = "unknown_job"
    EMERGENCY_IN_FORCE = "emergency_in_force"
    # An emergency's own bounds
    TOO_MANY_EMERGENCIES = "too_many_emergencies"
    TOO_MUCH_SOUND = "too_much_sound"
    # The audio
    AUDIO_UNREACHABLE = "audio_unreachable"
    AUDIO_ALTERED = "audio_altered"
    AUDIO_UNREADABLE = "audio_unreadable"
    AUDIO_TOO_LONG = "audio_too_long"
    AUDIO_TOO_SHORT = "audio_too_short"
    AUDIO_SILENT = "audio_silent"
    LIVE_UNREACHABLE = "live_unreachable"
    NO_VOICE = "no_voice"
    CACHE_FULL = "cache_full"
    BYTES_PER_DAY = "bytes_per_day"
    # The street
    MISSED = "missed"
    PREEMPTED = "preempted"
    ZONES_BUSY = "zones_busy"
    NOT_HEARD = "not_heard"
    RELAY_FAILED = "relay_failed"
    DEVICE_FAILED = "device_failed"
    POWER_CUT = "power_cut"
    SHUTDOWN = "shutdown"


WORDS_VI: dict[Reason, str] = {
    Reason.TOO_LARGE: "gói tin quá lớn",
    Reason.MALFORMED: "gói tin sai định dạng",
    Reason.UNSUPPORTED: "phần mềm trạm chưa hỗ trợ loại lệnh này",
    Reason.SIGNATURE_INVALID: "giả mạo: chữ ký số không đúng",
    Reason.TOO_FEW_SIGNATURES: "chưa đủ số chữ ký tối thiểu",
    Reason.WRONG_REALM: "lệnh của hệ thống khác",
    Reason.WRONG_AUDIENCE: "lệnh cho địa bàn hoặc cụm loa khác",
    Reason.UNKNOWN_ISSUER: "đơn vị ban hành không có trong danh sách khóa được tin cậy",
    Reason.OVER_LIMIT: "vượt thẩm quyền của đơn vị ban hành, hoặc quá thời gian rơ-le được đóng",
    Reason.VALIDITY_TOO_LONG: "thời hạn hiệu lực của lệnh quá dài",
    Reason.EXPIRED: "lệnh phát đã hết hiệu lực",
    Reason.NOT_YET_VALID: "lệnh phát ngay nhưng chưa đến thời hạn hiệu lực",
    Reason.REPLAYED: "phát lại lệnh cũ: lệnh này đã nhận",
    Reason.ID_REUSED: "mã lệnh đã dùng cho nội dung khác",
    Reason.NOT_OUR_NONCE: "không phải câu trả lời cho trạm này",
    Reason.TOO_MANY_JOBS: "trạm đã giữ đủ số lệnh tối đa",
    Reason.TOO_MANY_ORDERS: "trong giờ này đã nhận đủ số lệnh của khóa này, hoặc số văn bản ủy quyền của địa bàn này",
    Reason.NOT_SAVED: "trạm không ghi được lệnh vào bộ nhớ, cần gửi lại",
    Reason.NOT_WELCOMED: "máy chủ chưa trả lời trạm (hoặc đã quá 26 giờ), lệnh mới phải chờ",
    Reason.TRUST_BEHIND: "đã có văn bản ủy quyền mới mà trạm chưa nhận được, lệnh mới phải chờ",
    Reason.MAYBE_HEARD: "có thể đã phát rồi: thẻ nhớ của trạm đã bị thay hoặc khôi phục, cần ký lệnh mới",
    Reason.WITHDRAWN: "máy chủ không còn liệt kê lệnh này: đã rút",
    Reason.HEAD_STALE: "bản kê lệnh cũ: không được làm mới quá 26 giờ, hoặc cũ hơn bản trạm đã có",
    Reason.HEAD_EQUIVOCAL: "hai bản kê lệnh khác nhau mang cùng một số",
    Reason.MANIFEST_UNREACHABLE: "không tải được bản kê lệnh hoặc lệnh trong đó",
    Reason.MANIFEST_ALTERED: "bản kê lệnh không khớp phần đã ký số",
    Reason.TRUST_ROLLED_BACK: "văn bản ủy quyền cũ hơn bản trạm đang dùng",
    Reason.TRUST_EQUIVOCAL: "hai văn bản ủy quyền khác nhau mang cùng số phiên bản",
    Reason.TRUST_GAP: "thiếu văn bản ủy quyền đứng trước",
    Reason.TRUST_BEYOND_PARENT: "văn bản ủy quyền vượt thẩm quyền cấp trên giao",
    Reason.TRUST_EXPIRED: "văn bản ủy quyền đã hết hạn, chỉ còn phát tin khẩn cấp",
    Reason.KEY_REVOKED: "khóa ký lệnh này đã bị thu hồi",
    Reason.QUIET_HOURS: "trong khung giờ không phát",
    Reason.WEEKDAY_MASK: "ngày không có lịch phát theo quy chế",
    Reason.HOLIDAY: "ngày nghỉ lễ, tạm dừng phát thường ngày",
    Reason.SESSIONS_PER_DAY: "đã đủ số buổi phát trong ngày",
    Reason.SESSION_TOO_LONG: "vượt thời lượng tối đa của một buổi phát",
    Reason.MINUTES_PER_DAY: "vượt thời lượng tối đa trong ngày",
    Reason.LIVE_MINUTES_PER_DAY: "vượt thời lượng tiếp âm tối đa trong ngày",
    Reason.OUTSIDE_EXCEPTION: "ngoài thời gian được phép phát đặc biệt",
    Reason.ZONE_SILENCED: "cụm loa tạm ngừng phát theo yêu cầu của địa phương",
    Reason.ZONE_LOCKED: "cụm loa đang khóa bảo trì (cấm phát)",
    Reason.BATTERY_RESERVE: "mất điện lưới, dành ắc quy cho tin khẩn cấp",
    Reason.CLOCK_NOT_TRUSTED: "giờ hệ thống chưa tin cậy (chưa đồng bộ)",
    Reason.NOTHING_LEFT: "lịch không còn buổi phát nào",
    Reason.CANCELLED: "đã hủy lệnh phát",
    Reason.SUPERSEDED: "đã có bản tin mới thay thế",
    Reason.STOPPED: "được lệnh dừng phát",
    Reason.PAUSED: "tạm dừng theo lệnh",
    Reason.SKIPPED: "chuyển sang bản tin kế tiếp theo lệnh",
    Reason.ALL_STOPPED: "đang dừng phát toàn bộ",
    Reason.CORRECTED: "đã dừng để phát đính chính",
    Reason.NOT_HEARD_HERE: "bản tin đó chưa phát ở đây, không cần báo yên hay đính chính",
    Reason.NOT_THE_OWNER: "lệnh của đơn vị khác, chỉ đơn vị ban hành được thay đổi",
    Reason.UNKNOWN_JOB: "trạm không có lệnh phát này",
    Reason.EMERGENCY_IN_FORCE: "đang có lệnh khẩn cấp",
    Reason.TOO_MANY_EMERGENCIES: "đã đủ số lệnh khẩn cấp trong ngày của khóa này",
    Reason.TOO_MUCH_SOUND: "đã đủ thời lượng phát của lệnh khẩn cấp này",
    Reason.AUDIO_UNREACHABLE: "không tải được tệp âm thanh",
    Reason.AUDIO_ALTERED: "nội dung bị sửa: tệp âm thanh không khớp lệnh đã ký số",
    Reason.AUDIO_UNREADABLE: "tệp âm thanh không đọc được",
    Reason.AUDIO_TOO_LONG: "tệp âm thanh dài hơn giới hạn",
    Reason.AUDIO_TOO_SHORT: "tệp âm thanh ngắn hơn thời lượng đã ký",
    Reason.AUDIO_SILENT: "tệp âm thanh không có tiếng",
    Reason.LIVE_UNREACHABLE: "không nhận được tiếng từ nguồn tiếp âm, cũng không có chương trình thay thế",
    Reason.NO_VOICE: "không có giọng đọc cho ngôn ngữ này",
    Reason.CACHE_FULL: "bộ nhớ âm thanh đã đầy",
    Reason.BYTES_PER_DAY: "đã tải đủ dung lượng cho phép trong ngày",
    Reason.MISSED: "lỡ lịch phát",
    Reason.PREEMPTED: "bị ngắt để phát tin khẩn cấp",
    Reason.ZONES_BUSY: "các cụm loa đang phát bản tin khác",
    Reason.NOT_HEARD: "đã phát nhưng không đo được tiếng tại loa",
    Reason.RELAY_FAILED: "rơ-le không đóng được, hoặc tự mở",
    Reason.DEVICE_FAILED: "thiết bị âm thanh hỏng",
    Reason.POWER_CUT: "mất điện hoặc khởi động lại khi đang phát",
    Reason.SHUTDOWN: "trạm được lệnh dừng khi đang phát",
}

WORDS_EN: dict[Reason, str] = {
    Reason.TOO_LARGE: "the message is larger than a station takes",
    Reason.MALFORMED: "the message is not in the agreed form",
    Reason.UNSUPPORTED: "this software does not know that kind of order",
    Reason.SIGNATURE_INVALID: "forged: no valid signature of a key that may order this",
    Reason.TOO_FEW_SIGNATURES: "fewer valid signatures than this role needs",
    Reason.WRONG_REALM: "an order of another system",
    Reason.WRONG_AUDIENCE: "an order for another area, station or zone",
    Reason.UNKNOWN_ISSUER: "no role of the trust document names this issuer",
    Reason.OVER_LIMIT: "more than the issuer's role may order, or than a relay may stay closed",
    Reason.VALIDITY_TOO_LONG: "valid for longer than such an order may be",
    Reason.EXPIRED: "no longer valid",
    Reason.NOT_YET_VALID: "to be played now, yet not valid yet",
    Reason.REPLAYED: "this very order was received before",
    Reason.ID_REUSED: "its job id was used for something else",
    Reason.NOT_OUR_NONCE: "not an answer to this station's hello",
    Reason.TOO_MANY_JOBS: "the station holds as many jobs as it can",
    Reason.TOO_MANY_ORDERS: "as many orders of one key, or trust documents of one area, as are taken in an hour",
    Reason.NOT_SAVED: "the station's storage did not take the order; send it again",
    Reason.NOT_WELCOMED: "the server has not answered the station (or not for 26 hours): new orders wait",
    Reason.TRUST_BEHIND: "a newer trust document exists that has not come: new orders wait",
    Reason.MAYBE_HEARD: "it may have sounded already: the station's card was put back or replaced; sign a new order",
    Reason.WITHDRAWN: "no longer in force: the server's manifest does not list it",
    Reason.HEAD_STALE: "a manifest that is old: not renewed for 26 hours, or older than the one held",
    Reason.HEAD_EQUIVOCAL: "two different manifests bear the same number",
    Reason.MANIFEST_UNREACHABLE: "a manifest, or what it lists, could not be fetched",
    Reason.MANIFEST_ALTERED: "a manifest, or what it lists, is not what was signed",
    Reason.TRUST_ROLLED_BACK: "an older trust document than the one in use",
    Reason.TRUST_EQUIVOCAL: "two different trust documents bear the same version",
    Reason.TRUST_GAP: "a trust document that must come first is missing",
    Reason.TRUST_BEYOND_PARENT: "a trust document grants more than its parent may",
    Reason.TRUST_EXPIRED: "the trust documents have expired: only emergencies sound",
    Reason.KEY_REVOKED: "the keys that signed it may not order it any more",
    Reason.QUIET_HOURS: "within the hours in which nothing is played",
    Reason.WEEKDAY_MASK: "the ward's policy plays nothing on this weekday",
    Reason.HOLIDAY: "a holiday, on which the daily programme rests",
    Reason.SESSIONS_PER_DAY: "the day's sessions are used up",
    Reason.SESSION_TOO_LONG: "longer than one session may be",
    Reason.MINUTES_PER_DAY: "the day's minutes are used up",
    Reason.LIVE_MINUTES_PER_DAY: "the day's minutes for relaying are used up",
    Reason.OUTSIDE_EXCEPTION: "outside the time of the permitted exception",
    Reason.ZONE_SILENCED: "the zone is silent at the ward's own request",
    Reason.ZONE_LOCKED: "the zone is locked for maintenance",
    Reason.BATTERY_RESERVE: "no mains: the battery is kept for emergencies",
    Reason.CLOCK_NOT_TRUSTED: "the clock cannot be trusted yet",
    Reason.NOTHING_LEFT: "the rule has no instant left to play at",
    Reason.CANCELLED: "cancelled",
    Reason.SUPERSEDED: "a newer version has taken its place",
    Reason.STOPPED: "stopped by command",
    Reason.PAUSED: "paused by command",
    Reason.SKIPPED: "the next item was called for",
    Reason.ALL_STOPPED: "everything is stopped",
    Reason.CORRECTED: "stopped so that it is set right",
    Reason.NOT_HEARD_HERE: "that was not heard here, so there is nothing to clear or to correct",
    Reason.NOT_THE_OWNER: "somebody else's order, which only its issuer may change",
    Reason.UNKNOWN_JOB: "the station does not have this job",
    Reason.EMERGENCY_IN_FORCE: "an emergency is in force",
    Reason.TOO_MANY_EMERGENCIES: "as many emergencies as this key may order in a day",
    Reason.TOO_MUCH_SOUND: "as much sound as this emergency may make",
    Reason.AUDIO_UNREACHABLE: "the audio could not be fetched",
    Reason.AUDIO_ALTERED: "the audio does not match what was signed",
    Reason.AUDIO_UNREADABLE: "the audio could not be read or decoded",
    Reason.AUDIO_TOO_LONG: "the audio is longer than allowed",
    Reason.AUDIO_TOO_SHORT: "the audio is shorter than was signed",
    Reason.AUDIO_SILENT: "the audio is silent",
    Reason.LIVE_UNREACHABLE: "the live source gave nothing, and nothing stood in for it",
    Reason.NO_VOICE: "there is no voice for this language",
    Reason.CACHE_FULL: "the audio cache is full",
    Reason.BYTES_PER_DAY: "as much as a day allows had been fetched",
    Reason.MISSED: "its time passed before it could start",
    Reason.PREEMPTED: "cut off by an emergency",
    Reason.ZONES_BUSY: "its zones were playing something else",
    Reason.NOT_HEARD: "it was played, but no sound was measured at the horn",
    Reason.RELAY_FAILED: "a relay did not close, or opened by itself",
    Reason.DEVICE_FAILED: "the sound device failed",
    Reason.POWER_CUT: "the power or the process was lost while it played",
    Reason.SHUTDOWN: "the station was told to stop while it played",
}

UNAUTHENTICATED = frozenset(
    {Reason.TOO_LARGE, Reason.MALFORMED, Reason.UNSUPPORTED, Reason.SIGNATURE_INVALID, Reason.TOO_FEW_SIGNATURES}
)
"""Refusals that anybody on the network can provoke: counted and logged, never written to the journal."""


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def of_disk(refusal: OSError) -> Reason:
    """What it is called when the disk does not take sound, or does not give it back: only a full one is called full."""
    return Reason.CACHE_FULL if refusal.errno in _FULL else Reason.AUDIO_UNREADABLE


def explain(reason: Reason) -> str:
    """Both languages, Vietnamese first: ``lệnh phát đã hết hiệu lực / no longer valid``."""
    return f"{WORDS_VI[reason]} / {WORDS_EN[reason]}"
