"""What happens in the demo, act by act, and what was ordered: the verdict later compares that with what was heard."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from demo import sounds
from demo.screen import Screen
from demo.ward import AREA, STATION, Ward, wait_until
from edge_agent.clock import boot_ms, system_utc_ms
from edge_agent.core.occurrence import Phase
from edge_agent.core.programme import ITEM_GAP_MS, OPENING_MS
from edge_agent.core.reasons import WORDS_VI, Reason
from edge_agent.core.units import StationId
from edge_agent.headend.headend import Shown
from edge_agent.headend.listening import Heard
from edge_agent.sync.reports import AnswerMsg, HeartbeatMsg, HelloMsg, StateMsg, Why
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.keys import new_signer
from edge_agent.trust.strict_json import dump, parse

DUE_IN_S = 9
CUT_IN_AFTER_S = 6
# Of the bulletin itself, which begins behind its chime.
CHIME_MS = OPENING_MS + ITEM_GAP_MS
KILL_AFTER_S = 3
WAIT_S_MAX = 30
WILL_S_MAX = 20
JOB_TOPIC = f"loa/1/d/{STATION}/job"


@dataclass
class Story:
    """What was ordered and done; boot times in ms."""

    bulletin: str = ""
    due_ms: int = 0
    flood: str = ""
    flood_ms: int = 0
    refused: dict[str, tuple[str, Reason]] = field(default_factory=dict)
    first_off_ms: int = 0
    second: str = ""
    killed_ms: int = 0
    will_seen: bool = False
    goodbye_seen: bool = False
    birth_seen: bool = False
    heartbeats: int = 0
    evening: str = ""
    tomorrow: list[dict[str, object]] = field(default_factory=list)


def play(ward: Ward, folder: Path, screen: Screen, due_in_s: int = DUE_IN_S) -> Story:
    """The whole demo; raises RuntimeError where the station does not do its part in time.

    ``due_in_s`` is how long the station has to make the bulletin ready; a slow machine needs more.
    """
    story = Story()
    _boot(ward, screen, story)
    _order_bulletin(ward, folder, screen, story, due_in_s)
    _wrong_orders(ward, folder, screen, story)
    screen.block(ward.command("next"))
    _cut_in(ward, screen, story)
    _await_records(ward, screen, story.bulletin, story.flood)
    _tomorrow(ward, folder, screen, story)
    _goodbye(ward, screen, story)
    _killed(ward, folder, screen, story)
    story.heartbeats = sum(isinstance(one, Heard) and isinstance(one.said, HeartbeatMsg) for one in ward.headend.noted)
    return story


def narrate(screen: Screen, shown: Shown) -> None:
    """Show what the headend hears, as it hears it."""
    if not isinstance(shown, Heard):
        return
    match shown.said:
        case StateMsg(online=True) as state:
            playing = ", ".join(f"{one.phase.value} {one.title} → {','.join(one.zones)}" for one in state.playing)
            relays = " ".join(f"{zone.zone}={'ĐÓNG' if zone.relay_on else 'mở'}" for zone in state.zones)
            screen.line(f"   trạm báo ({state.why.value}): rơ-le {relays}; {playing or 'không phát'}")
        case StateMsg() as state:
            screen.line(f"   trạm báo: mất kết nối ({state.why.value})", "offline")
        case HeartbeatMsg():
            screen.line("   trạm báo trạng thái định kỳ", "heartbeat")
        case HelloMsg():
            screen.line("   trạm hỏi giờ (hello), máy chủ trả lời đã ký (welcome)", "hello, signed welcome")
        case AnswerMsg(reason=None) as answer:
            screen.line(f"   trạm nhận lệnh {answer.job_id}", "accepted")
        case AnswerMsg(reason=Reason() as reason) as answer:
            screen.line(f"   trạm TỪ CHỐI {answer.job_id or '(không tin)'}: {WORDS_VI[reason]}", reason.value)


def _boot(ward: Ward, screen: Screen, story: Story) -> None:
    screen.title("Bật trạm", "The station is switched on")
    hour = datetime.now(ZoneInfo(ward.timezone)).strftime("%H:%M")
    screen.line(
        f"múi giờ của trạm: {ward.timezone}, ở đó là {hour} (giữa buổi sáng, ngoài khung giờ không phát)",
        "mid-morning at the station, chosen so",
    )
    ward.switch_on()
    wait(ward, lambda: trusts_its_clock(ward), "a welcomed station")
    clock = ward.headend.states[StationId(STATION)].clock
    story.birth_seen = any(
        isinstance(one, Heard) and isinstance(one.said, StateMsg) and one.said.why is Why.BIRTH
        for one in list(ward.headend.noted)
    )
    screen.line(f"giờ tin cậy: nguồn {clock.source.value}, sai tối đa {clock.max_error_ms} ms", "time is trusted")


def trusts_its_clock(ward: Ward) -> bool:
    """Whether the station is there and was welcomed."""
    state = ward.headend.states.get(StationId(STATION))
    return state is not None and state.online and state.clock.trusted


def _order_bulletin(ward: Ward, folder: Path, screen: Screen, story: Story, due_in_s: int) -> None:
    screen.title("Lệnh phát theo lịch, hai cụm loa", "A recurring bulletin for both zones, as an MP3 over HTTPS")
    due = datetime.now(ZoneInfo(ward.timezone)).replace(microsecond=0) + timedelta(seconds=due_in_s)
    when = {
        "timezone": ward.timezone,
        "first_day": due.date(),
        "last_day": due.date() + timedelta(days=30),
        "weekdays": [1, 2, 3, 4, 5, 6, 7],
        "times": [due.strftime("%H:%M:%S")],
    }
    story.due_ms = boot_ms() + round(due.timestamp() * 1000) - system_utc_ms()
    item = item_of("Thông báo tiêm chủng", "y-te", file=str(folder / "bulletin.mp3"))
    story.bulletin = ward.publish(draft_of("normal", when, item), ["ward-routine"])
    screen.line(f"đã ký và gửi {story.bulletin}: mỗi ngày lúc {due:%H:%M:%S}, còn {due_in_s} giây", "signed, published")
    wait(ward, lambda: bool(ward.headend.answers(story.bulletin)), "an answer to the bulletin")


def _wrong_orders(ward: Ward, folder: Path, screen: Screen, story: Story) -> None:
    screen.title("Năm lệnh sai: không rơ-le nào được đóng", "Five wrong orders, each refused by name")
    headend, key = ward.headend, ward.keyring.signer("ward-routine")
    mp3 = {"file": str(folder / "short.mp3")}

    finished, _ = headend.compose(draft_of("normal", "now", item_of("Giả mạo", "khac", **mp3)), ["ward-routine"])
    forged = sign(payload_type("job"), finished.payload, [new_signer()])
    _send_wrong(ward, story, "forged", "", forged, Reason.SIGNATURE_INVALID)

    finished, _ = headend.compose(draft_of("normal", "now", item_of("Phường khác", "khac", **mp3)), ["ward-routine"])
    payload = parse(finished.payload)
    assert isinstance(payload, dict)
    payload["audience"] = {"stations": [], "areas": ["vn/ha-noi/tay-thanh"], "zones": []}
    elsewhere = sign(payload_type("job"), dump(payload), [key])
    _send_wrong(ward, story, "another ward's", finished.job.job_id, elsewhere, Reason.WRONG_AUDIENCE)

    tomorrow = (datetime.now(ZoneInfo(ward.timezone)) + timedelta(days=1)).date()
    night = {"at": f"{tomorrow}T03:15:00", "timezone": ward.timezone}
    finished, envelope = headend.compose(
        draft_of("normal", night, item_of("Thu phí vệ sinh", "khac", **mp3)), ["ward-routine"]
    )
    _send_wrong(ward, story, "for 03:15", finished.job.job_id, envelope, Reason.QUIET_HOURS)
    _replay(ward, story)
    _altered(ward, folder, story)


def _altered(ward: Ward, folder: Path, story: Story) -> None:
    """The server hands out other bytes than were signed; the order itself is good."""
    draft = draft_of("normal", "now", item_of("Bị sửa trên máy chủ", "khac", file=str(folder / "altered.mp3")))
    finished, envelope = ward.headend.compose(draft, ["ward-routine"])
    clip = folder / "content" / str(finished.job.items[0].digest)  # type: ignore[union-attr]
    clip.write_bytes(clip.read_bytes()[:-1] + b"\x55")
    job_id = str(finished.job.job_id)
    story.refused["audio altered on the server"] = (job_id, Reason.AUDIO_ALTERED)
    ward.headend.publish_raw(envelope, JOB_TOPIC)


def _send_wrong(ward: Ward, story: Story, name: str, job_id: str, envelope: bytes, reason: Reason) -> None:
    before = len(ward.headend.answers())
    ward.headend.publish_raw(envelope, JOB_TOPIC)
    story.refused[name] = (str(job_id), reason)
    wait(ward, lambda: len(ward.headend.answers()) > before, f"an answer to the order {name}")


def _cut_in(ward: Ward, screen: Screen, story: Story) -> None:
    wait_until(story.due_ms)
    screen.title("Đang phát, rồi tin khẩn cấp cho một cụm", "On air; then an emergency, text only, for one zone")
    wait_until(story.due_ms + CHIME_MS + CUT_IN_AFTER_S * 1000)
    story.flood_ms = boot_ms()
    item = {**item_of("Lũ quét", "thien-tai"), "text": sounds.FLOOD}
    draft = draft_of("emergency", "now", item, ["c1"]) | {"event": "lu-quet"}
    story.flood = ward.publish(draft, ["ward-emergency"])
    screen.line(f"tin KHẨN CẤP {story.flood} cho cụm c1; cụm c2 phát tiếp", "c1 is cut in on, c2 plays on")


def _replay(ward: Ward, story: Story) -> None:
    """The bulletin's own bytes once more, recorded by whoever sits on the wire."""
    envelope = ward.sent[story.bulletin]
    before = len(ward.headend.answers(story.bulletin))
    ward.headend.publish_raw(envelope, JOB_TOPIC)
    wait(ward, lambda: len(ward.headend.answers(story.bulletin)) > before, "an answer to the replay")
    story.refused["replayed"] = (story.bulletin, Reason.REPLAYED)


def _await_records(ward: Ward, screen: Screen, *jobs: str) -> None:
    wait(ward, lambda: set(jobs) <= recorded(ward), "the records of both plays")
    screen.line("nhật ký phát đã về máy chủ, đã kiểm chuỗi băm, đã ký nhận", "the log arrived, verified, acknowledged")
    time.sleep(1.2)  # the station's own picture is written once a second
    screen.block(ward.command("status"))


def _tomorrow(ward: Ward, folder: Path, screen: Screen, story: Story) -> None:
    """What the station says beforehand: the daily bulletin, an evening programme, a zone silenced by a funeral."""
    screen.title("Ngày mai phát gì, ở đâu, và vì sao không", "Tomorrow: what, where, and why not")
    day = (datetime.now(ZoneInfo(ward.timezone)) + timedelta(days=1)).date()
    silence = {
        "type": "window",
        "kind": "silence",
        "areas": [AREA],
        "zones": ["c2"],
        "basis": "Nhà cạnh cụm loa có tang",
    }
    silence |= {"begins": f"{day}T16:00:00", "ends": f"{day}T19:00:00", "timezone": ward.timezone}
    ward.headend.publish_order(silence, ["ward-policy"])
    when = {"at": f"{day}T17:00:00", "timezone": ward.timezone}
    item = item_of("Bản tin chiều", "thoi-su", file=str(folder / "short.mp3"))
    story.evening = ward.publish(draft_of("normal", when, item), ["ward-routine"])
    wait(ward, lambda: bool(ward.headend.answers(story.evening)), "an answer to the evening's order")
    time.sleep(1.2)
    screen.block(ward.command("next", "--day", day.isoformat()))
    ward.command("next", "--day", day.isoformat(), "--svg", str(folder / "day.svg"))
    story.tomorrow = json.loads(ward.command("next", "--day", day.isoformat(), "--json"))


def recorded(ward: Ward) -> set[str]:
    """The jobs of which the headend holds a record of a play."""
    return {str(row["job_id"]) for row in ward.rows() if row["kind"] == "play"}


def _goodbye(ward: Ward, screen: Screen, story: Story) -> None:
    screen.title("Tắt trạm đúng cách", "A proper goodbye")
    ward.switch_off()
    story.first_off_ms = boot_ms()
    wait(ward, lambda: ward.headend.states[StationId(STATION)].why is Why.GOODBYE, "the goodbye")
    story.goodbye_seen = True


def _killed(ward: Ward, folder: Path, screen: Screen, story: Story) -> None:
    screen.title("Lần hai: giết tiến trình khi đang phát", "A second run, killed while it plays (SIGKILL)")
    ward.switch_on()
    wait(ward, lambda: trusts_its_clock(ward), "a second birth")
    item = item_of("Bản tin thứ hai", "khac", file=str(folder / "short.mp3"))
    story.second = ward.publish(draft_of("normal", "now", item), ["ward-routine"])
    wait(ward, lambda: on_air(ward, story.second), "a second bulletin on air")
    time.sleep(KILL_AFTER_S)
    ward.kill_agent()
    story.killed_ms = boot_ms()
    screen.line("đã giết edge-agent (SIGKILL)", "killed")
    if ward.hardware.gpio_chip:
        screen.line("hãy nhìn rơ-le: phải mở ngay lúc này", "look at the relays: they must fall open now")
    else:
        wait(ward, lambda: not closed_zones(ward), "relays that open")
        screen.line("mọi rơ-le đã mở", "every relay is open")
    screen.line("chờ di chúc của phiên MQTT (chậm 10 giây)", "waiting for the will, 10 s late by design")
    wait(ward, lambda: ward.headend.states[StationId(STATION)].why is Why.CONNECTION_LOST, "the will", WILL_S_MAX)
    story.will_seen = True
    ward.switch_on()
    wait(ward, lambda: story.second in recorded(ward), "the record of the killed play")
    screen.line(
        "sau khi bật lại, nhật ký ghi: bị ngắt, mất điện hoặc khởi động lại", "recorded: interrupted, power_cut"
    )
    ward.switch_off()


def on_air(ward: Ward, job_id: str) -> bool:
    """Whether the station says that a job is on air."""
    playing = ward.headend.states[StationId(STATION)].playing
    return any(one.job_id == job_id and one.phase is Phase.PLAYING for one in playing)


def closed_zones(ward: Ward) -> set[str]:
    """The zones whose relay is closed by the last move."""
    last = {move.zone: move.on for move in ward.moves()}
    return {zone for zone, on in last.items() if on}


def draft_of(cls: str, when: object, item: dict[str, object], zones: list[str] | None = None) -> dict[str, object]:
    """An order of one item; no zones means all."""
    return {"class": cls, "areas": [AREA], "zones": zones or [], "volume": 80, "when": when, "items": [item]}


def item_of(title: str, topic: str, **content: object) -> dict[str, object]:
    """An item with its particulars; ``content`` is a file or a text."""
    source = "Đài truyền thanh phường Đông Thành"
    return {"title": title, "field": topic, "language": "vi", "source": source, "approver": "ng-01", **content}


def wait(ward: Ward, condition: Callable[[], bool], what: str, timeout_s: float = WAIT_S_MAX) -> None:
    """Wait until something holds. Relays move without the headend noticing, so it is looked at often."""
    until = boot_ms() + timeout_s * 1000
    while not condition():
        if boot_ms() > until:
            raise RuntimeError(f"waited {timeout_s} s for {what}\n{ward.agent_log()}")
        ward.headend.wait_for(condition, 0.1)
