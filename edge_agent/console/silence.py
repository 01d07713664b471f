"""Answer "why is it silent?": everything that keeps the station quiet now, what weighs most first. Pure.

Judges by the same rules as the core (its policy and its clock trust), from the picture alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time

from edge_agent.console.catalogue import (
    CLOCK_NOT_TRUSTED,
    DEVICE_REMEDY,
    FETCH_REMEDY,
    HELD_REMEDIES,
    PHASES,
    RELAY_REMEDY,
    SOURCES,
    clock_remedy,
    lacking_words,
    reason_words,
)
from edge_agent.console.status import Offer, Play, Status, Zone
from edge_agent.console.times import moment, span, wall
from edge_agent.console.words import Text
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.policy import Rules, quiet_now
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Site
from edge_agent.core.wall_time import in_hours

NOTHING = Text("", "")
UNLOCK = Text(
    "khóa tự hết giờ (tối đa 4 giờ); mở sớm: xã/phường hủy lệnh khóa khi không còn ai ở cột loa",
    "it ends by itself (4 hours at most); sooner: the ward cancels it when nobody is at the horns",
)
SEND = Text(
    "máy chủ phải gửi lệnh phát; đã gửi thì xem: sudo journalctl -u edge-agent, dòng order refused, outcome",
    "the server has to send one; if it has: sudo journalctl -u edge-agent, its lines order refused, outcome",
)
CHOOSE = Text(
    "xã/phường chọn thì mới phát: lệnh choose ở máy chủ trung tâm",
    "it plays once the commune has chosen it: choose, at the central server",
)
BEFORE = Text(
    "buổi đã qua: sudo journalctl -u edge-agent | grep outcome",
    "what is over: sudo journalctl -u edge-agent | grep outcome",
)
LOUDER = Text(
    "xã/phường đặt lại âm lượng: lệnh volume ở máy chủ trung tâm",
    "the commune sets it anew: volume, at the central server",
)
HOLDING = frozenset(Reason) - {Reason.CLOCK_NOT_TRUSTED}
"""Reasons of single plans; an untrusted clock is told once, for all of them."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of silence, and what somebody may do about it (``NOTHING``: it is as it should be)."""

    words: Text
    remedy: Text = NOTHING


CANNOT_SIGN = Cause(
    Text(
        "Trạm không ký được: trung tâm không nhận được gì từ trạm, nhưng trạm vẫn phát.",
        "The station cannot sign: the centre hears nothing of it, but it plays.",
    ),
    Text("sudo edge-agent doctor cho biết vì sao", "sudo edge-agent doctor says why"),
)
"""No reason why nothing comes: whether orders do is told beside it."""
GONE = frozenset({Reason.KEY_REVOKED, Reason.WITHDRAWN, Reason.CANCELLED, Reason.SUPERSEDED})
"""Reasons of what is no longer ordered at all."""
NETWORK_REMEDY = Text("kiểm tra mạng, SIM: sudo edge-agent doctor", "check network, SIM: sudo edge-agent doctor")
SINCE_THE_START = Text("từ khi khởi động", "since the start")
STILL_PLAYS = Text("; lịch đã nạp vẫn phát", "; what was loaded plays")
NOTHING_LOADED = Text(
    "; không còn lịch nào đã nạp: chưa gửi, đã hết, hoặc đã hủy cùng khóa đã ký",
    "; nothing is loaded: not sent, over, or cancelled with the key that signed it",
)
"""A new trust document that takes a key its rights takes what it has signed."""
UNHEARD = Text(
    "không nghe thấy: kiểm tra nguồn và núm âm lượng tăng âm, dây loa, cầu chì",
    "not heard: check the amplifier's power and volume knob, speaker lines, fuse",
)
TURNS = Text(
    "phát lệch giờ: giữa hai nhạc hiệu, cụm này có thể đang chờ lượt",
    "turns: between the two chimes this cluster may be waiting for its own",
)


def why_silent(
    status: Status, site: Site, device_up: bool | None, unconnected: Cause | None = None
) -> tuple[Cause, ...]:
    """Every cause, the weightiest first; never empty. What sounds is named first: it may be unheard all the same."""
    return (
        *_sounding(status, site),
        *_device(device_up),
        *_clock(status),
        *(() if unconnected is None else (unconnected,)),
        *(_server(status) if unconnected in (None, CANNOT_SIGN) else ()),
        *_lacking(status),
        *_quiet(status, site),
        *_ordered(status),
        *_relays(status, device_up),
        *_zones(status, site),
        *_plans(status, site),
    )


def _sounding(status: Status, site: Site) -> tuple[Cause, ...]:
    names = {zone.zone: zone.name for zone in status.zones}
    playing = [play for play in status.playing if play.phase is Phase.PLAYING]
    return tuple(_unheard(play, ", ".join(names.get(zone, zone) for zone in play.zones), site) for play in playing)


def _unheard(play: Play, where: str, site: Site) -> Cause:
    words = Text(f"ĐANG PHÁT “{play.title}” tại {where}.", f'PLAYING "{play.title}" at {where}.')
    if site.stagger_ms and play.cls is not JobClass.EMERGENCY:
        return Cause(words, Text(f"{TURNS.vi}; {UNHEARD.vi}", f"{TURNS.en}; {UNHEARD.en}"))
    return Cause(words, UNHEARD)


def _device(device_up: bool | None) -> tuple[Cause, ...]:
    if device_up is not False:
        return ()
    words = Text(
        "Phần âm thanh và rơ-le không chạy: không phát được gì.",
        "The device process (sound, relays) is down: nothing can sound.",
    )
    return (Cause(words, DEVICE_REMEDY),)


def _clock(status: Status) -> tuple[Cause, ...]:
    if status.clock.trusted:
        return ()
    source = SOURCES[status.clock.source]
    words = Text(
        f"{CLOCK_NOT_TRUSTED.vi} ({source.vi}): lịch phát phải chờ.",
        f"{CLOCK_NOT_TRUSTED.en} ({source.en}): the timetable waits.",
    )
    return (Cause(words, clock_remedy(status.clock)),)


def _server(status: Status) -> tuple[Cause, ...]:
    loaded = _loaded(status)
    unanswered = not status.welcomed or status.waits is Reason.NOT_WELCOMED
    if not (unanswered or status.online):
        words = Text(
            f"Đang mất kết nối với máy chủ: lệnh phát mới không đến được{loaded.vi}.",
            f"There is no connection to the server now: new orders do not come{loaded.en}.",
        )
        return (Cause(words, NETWORK_REMEDY),)
    if status.waits is Reason.TRUST_BEHIND:
        words = Text(
            f"Có văn bản ủy quyền mới mà trạm chưa nhận được: lệnh phát mới phải chờ{loaded.vi}.",
            f"Newer trust documents have not come: new orders wait{loaded.en}.",
        )
        return (Cause(words, Text("báo đơn vị vận hành máy chủ", "tell whoever runs the server")),)
    if not unanswered:
        return ()
    since = Text("hơn 26 giờ nay", "for more than 26 h") if status.welcomed else SINCE_THE_START
    words = Text(
        f"Máy chủ chưa trả lời {since.vi}: lệnh phát mới phải chờ{loaded.vi}.",
        f"The server has not answered {since.en}: new orders wait{loaded.en}.",
    )
    return (Cause(words, NETWORK_REMEDY),)


def _loaded(status: Status) -> Text:
    """What is left to play without a server; nothing is said where another cause says that it waits."""
    left = [play for play in (*status.playing, *status.next) if play.reason not in GONE]
    if not left:
        return NOTHING_LOADED
    return STILL_PLAYS if status.clock.trusted and any(play.reason is None for play in left) else NOTHING


def _lacking(status: Status) -> tuple[Cause, ...]:
    """Orders that are in force and have not come: a broker keeps them back, or they cannot be fetched."""
    lacking = [(one.scope, lacking_words(one)) for one in status.manifests or () if one.lacking]
    return tuple(
        Cause(Text(f"Bản kê lệnh {scope}: {words.vi}.", f"Manifest {scope}: {words.en}."), FETCH_REMEDY)
        for scope, words in lacking
    )


def _quiet(status: Status, site: Site) -> tuple[Cause, ...]:
    quiet = _quiet_hours(status, site) if status.clock.trusted else None
    if quiet is None:
        return ()
    start, end = wall(quiet[0]), wall(quiet[1])
    words = Text(
        f"Trong khung giờ không phát ({start.vi} – {end.vi}): chỉ phát bản tin khẩn cấp.",
        f"Quiet hours ({start.en} – {end.en}): only emergencies sound.",
    )
    return (Cause(words),)


def _quiet_hours(status: Status, site: Site) -> tuple[time, time] | None:
    """The quiet hours that hold now: the agent knows the signed regulation, the station's file is only a stand-in."""
    if status.rules is None:
        return quiet_now(Rules(site, site.policy), status.clock.utc)
    quiet = status.rules.quiet
    return quiet if quiet is not None and in_hours(quiet, site.timezone, status.clock.utc, 1) else None


def _ordered(status: Status) -> tuple[Cause, ...]:
    """Zones that somebody's order keeps silent."""
    if status.rules is None:
        return ()
    names = {zone.zone: zone.name for zone in status.zones}
    locked = tuple(_kept_silent(names.get(zone, zone), Reason.ZONE_LOCKED, UNLOCK) for zone in status.rules.locked)
    return locked + tuple(
        _kept_silent(names.get(zone, zone), Reason.ZONE_SILENCED, NOTHING) for zone in status.rules.silenced
    )


def _kept_silent(name: str, reason: Reason, remedy: Text) -> Cause:
    why = reason_words(reason)
    return Cause(Text(f"{name}: {why.vi}.", f"Zone {name}: {why.en}."), remedy)


def _relays(status: Status, device_up: bool | None) -> tuple[Cause, ...]:
    """Zones whose relay nobody can tell on or off; while no device process runs, that is so of all."""
    return tuple(
        Cause(
            Text(
                f"{zone.name}: không biết rơ-le đóng hay mở, chân rơ-le hoặc tiếp điểm phản hồi không trả lời.",
                f"Zone {zone.name}: nobody can tell whether its relay is on: its line or contact does not answer.",
            ),
            RELAY_REMEDY,
        )
        for zone in status.zones
        if zone.relay_on is None and device_up is not False
    )


def _zones(status: Status, site: Site) -> tuple[Cause, ...]:
    """Zones whose own settings, or whose horn, keep them silent."""
    unheard = tuple(
        Cause(
            Text(
                f"{zone.name}: đã phát nhưng không đo được tiếng tại loa.",
                f"Zone {zone.name}: it was played, but no sound was measured at the horn.",
            ),
            Text(
                "kiểm tra dây loa, tăng âm, loa; rồi đến đầu đo tiếng tại loa",
                "check cable, amplifier and horn; then the microphone at the horn",
            ),
        )
        for zone in status.zones
        if zone.heard is False
    )
    return unheard + tuple(_turned_down(zone, site) for zone in status.zones if zone.volume_max == 0)


def _turned_down(zone: Zone, site: Site) -> Cause:
    """By the configuration, or by somebody's order: the picture has the lower of both."""
    if zone.zone in site.zones and site.zones[zone.zone].volume_max > 0:
        words = Text(
            f"{zone.name}: có lệnh đặt âm lượng bằng 0, bản tin thường, ưu tiên phát không ra tiếng.",
            f"Zone {zone.name}: a command has set its volume to 0, ordinary sound is not heard.",
        )
        return Cause(words, LOUDER)
    return Cause(
        Text(f"{zone.name}: âm lượng tối đa đặt bằng 0.", f"Zone {zone.name}: its volume_max is 0."),
        Text("sửa volume_max trong tệp cấu hình", "correct volume_max in the configuration"),
    )


def _plans(status: Status, site: Site) -> tuple[Cause, ...]:
    """What the plans themselves say: there are none, it is not yet time, they are held back, or nobody has chosen."""
    plans = (*status.playing, *status.next)
    if not plans and not status.offers:
        return (_nothing_to_play(status),)
    held = (_held(play, site) for play in plans if play.reason in HOLDING)
    return (*_not_due(status, site), *held, *(_offered(offer, site) for offer in status.offers))


def _nothing_to_play(status: Status) -> Cause:
    """Nobody has ordered anything; or it has come, and waits to be let in: why, another cause says."""
    if status.holds_new_orders:
        words = Text(
            "Không có lệnh phát nào đã nạp; lệnh mới, nếu đã đến, đang phải chờ.",
            "No broadcast job is loaded; new ones that have come wait.",
        )
        return Cause(words)
    return Cause(Text("Không có lệnh phát nào đang chờ.", "There is no broadcast job to play."), SEND)


def _not_due(status: Status, site: Site) -> tuple[Cause, ...]:
    """Of the first plan that nothing holds: it is too early, or how far it is. Without a clock nobody can tell."""
    free = [play for play in (*status.playing, *status.next) if play.reason not in HOLDING]
    if not free or not status.clock.trusted or any(play.phase is Phase.PLAYING for play in free):
        return ()
    when, left = moment(free[0].planned, site.timezone), span(free[0].planned - status.clock.utc)
    if free[0].planned < status.clock.utc:
        return (_due(free[0], when),)
    words = Text(
        f"Chưa đến giờ: “{free[0].title}” phát {when.vi}, còn {left.vi}.",
        f'Not due yet: "{free[0].title}" plays {when.en}, in {left.en}.',
    )
    return (Cause(words, BEFORE),)


def _due(play: Play, when: Text) -> Cause:
    """Its time has come, and it does not sound yet: most often its audio is still on the way."""
    stage = PHASES[play.phase]
    words = Text(
        f"Đã đến giờ: “{play.title}” ({when.vi}): {stage.vi}.", f'Due: "{play.title}" ({when.en}): {stage.en}.'
    )
    return Cause(words, NETWORK_REMEDY if play.phase is Phase.RECEIVED else NOTHING)


def _offered(offer: Offer, site: Site) -> Cause:
    until = moment(offer.expires, site.timezone)
    words = Text(
        f"“{offer.title}”: chờ xã/phường lựa chọn, trước {until.vi}.",
        f'"{offer.title}": waits for the commune to choose it, by {until.en}.',
    )
    return Cause(words, CHOOSE)


def _held(play: Play, site: Site) -> Cause:
    assert play.reason is not None, "chosen for having one"
    when, why = moment(play.planned, site.timezone), reason_words(play.reason)
    words = Text(f"“{play.title}” {when.vi}: {why.vi}.", f'"{play.title}" {when.en}: {why.en}.')
    return Cause(words, HELD_REMEDIES.get(play.reason, NOTHING))
