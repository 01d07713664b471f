"""Live a ward's day in virtual time: the real core, runtime, journal and interlock; orders signed by real keys.

The regulation comes first, then each line at its own time. What the station answered, recorded and let be heard is kept
for ``test_days``.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from edge_agent.core.events import AckToken, MessageArrived, PowerReported
from edge_agent.core.site import STANDARD_FRAME, Site, ZoneSite
from edge_agent.core.units import ClipKey, StationId, UtcMs, ZoneId
from tests.days.reading import Day, moment, utc_ms
from tests.trust import makers
from tests.ward import World

AREA = makers.AREA
BEFORE = timedelta(hours=-7)
# The station is switched on an hour before the evening's orders come.
SIGNALS = ("Âm báo hiệu", "Nhạc hiệu đi xuống")
"""Items that stand for what the station itself puts before an emergency."""
PROVINCE = {"issuer": "ha-noi", "level": "province"}
OFFICERS = {"emergency": ("officer", "deputy")}
STAND_IN_MS = 180_000
LETTER_MS = 60
# How the virtual voice speaks (tests/ward/timing.py).


class Living:
    """One day. ``jobs`` maps a line's id to its order; ``refused`` what was refused on arrival, and why."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.began = UtcMs(utc_ms(day.first + BEFORE))
        self.world = World(_site(day), _trust(), self.began, ntp=True)
        self._serial = 0

    def live(self) -> None:
        """From the evening before until the last midnight."""
        world = self.world
        streams = [line for line in self.day.lines["fault"] if line["kind"] == "stream_down"]
        world.air.down.extend((self.ms(line["from"]), self.ms(line["to"])) for line in streams)
        world.card_trouble.ears = frozenset(world.site.zones)
        for line in self.day.lines["fault"]:
            if line["kind"] == "horn_line_open":
                until = self.ms(line["to"]) if "to" in line else math.inf
                world.card_trouble.broken.append((ZoneId(line["zone"]), self.ms(line["from"]), until))
        world.boot()
        world.run_until(60_000)
        self._send(self._regulation(), ("owner",))
        happenings = sorted(self._happenings(), key=lambda one: one[0])
        for at, happen in happenings:
            self._run_until(at)
            happen()
        self._run_until(self.day.last + timedelta(hours=6))

    def reserve(self, low: bool) -> None:
        """The battery is down to what is kept for emergencies, or the mains are back."""
        assert self.world.agent is not None
        self.world.agent.take(PowerReported(low))

    def ms(self, text: str) -> int:
        """A written time as the world counts."""
        return utc_ms(moment(text)) - self.began

    def _happenings(self) -> list[tuple[Any, Callable[[], None]]]:
        day, world = self.day, self.world
        found: list[tuple[Any, Callable[[], None]]] = []
        for line in day.lines["exception"]:
            found.append((day.sent(line), lambda line=line: self._send(self._exception(line), ("owner",))))
        for number, line in enumerate(day.lines["silence"]):
            found.append((day.sent(line), lambda line=line, n=number: self._send(self._silence(line, n), ("owner",))))
        for number, line in enumerate(day.lines["lock"]):
            found.append((moment(line["from"]), lambda line=line, n=number: self._lock(line, n)))
        for number, line in enumerate(day.lines["command"]):
            found.append((moment(line["at"]), lambda line=line, n=number: self._command(line, n)))
        for line in day.lines["play"]:
            found.append((day.sent(line), lambda line=line: self._play(line)))
            if "cancel_at" in line:
                found.append((moment(line["cancel_at"]), lambda line=line: self._cancel(line)))
        if "power_lost" in day.head:
            lost, back = day.head["power_lost"]
            found += [(moment(lost), world.cut_power), (moment(back), world.boot)]
        for name, off in (
            ("network_lost", lambda: world.set_network(False)),
            ("mains_lost", lambda: self.reserve(True)),
        ):
            if name in day.head:
                lost, back = day.head[name]
                on = (lambda: world.set_network(True)) if name == "network_lost" else (lambda: self.reserve(False))
                found += [(moment(lost), off), (moment(back), on)]
        return found

    def _run_until(self, at: Any) -> None:
        self.world.run_until(utc_ms(at) - self.began)

    def _send(self, payload: dict[str, Any], by: tuple[str, ...], *, by_hand: bool = False) -> None:
        self._serial += 1
        message = makers.signed({**payload, "serial": self._serial}, by)
        if by_hand:
            assert self.world.agent is not None
            self.world.agent.take(MessageArrived(makers.JOB_TOPIC, message, AckToken(0, self._serial)))
        else:
            self.world.broker.publish(makers.JOB_TOPIC, message)

    # The lines, as orders

    def _regulation(self) -> dict[str, Any]:
        policy = self.day.policy
        clause = {
            "quiet": policy["quiet"],
            "session_s": policy["session_s"],
            "volume": policy["volume_max"],
            **{name: policy[name] for name in ("weekdays", "sessions_per_day", "holidays", "day_s") if name in policy},
        }
        return makers.regulation_dict(
            **self._times(30), into_quiet=policy.get("on_run_into_quiet", "refuse"), clauses=[clause]
        )

    def _exception(self, line: Mapping[str, Any]) -> dict[str, Any]:
        given = {name: line[name] for name in ("classes", "session_s", "total_s", "volume", "basis") if name in line}
        return self._window(line["id"].lower(), line, "exception", [*line.get("zones", ())], given)

    def _silence(self, line: Mapping[str, Any], number: int) -> dict[str, Any]:
        return self._window(f"silence-{number}", line, "silence", [line["zone"]], {"basis": line["why"]})

    def _window(self, name: str, line: Any, kind: str, zones: list[str], given: dict[str, Any]) -> dict[str, Any]:
        begins, ends = utc_ms(moment(line["from"])), utc_ms(moment(line["to"]))
        audience = {"areas": [AREA], "zones": zones}
        times = self._times(30) | {"not_after": ends}
        made = makers.window_dict(order_id=name, kind=kind, begins=begins, ends=ends, audience=audience, **times)
        keep = {"classes", "session_s"} if kind == "exception" else set()
        return {**{key: value for key, value in made.items() if key not in {"classes", "session_s"} - keep}, **given}

    def _lock(self, line: Mapping[str, Any], number: int) -> None:
        for_s = round((moment(line["to"]) - moment(line["from"])).total_seconds())
        self._order(f"lock-{number}", {"what": "lock", "for_s": for_s}, [line["zone"]])

    def _command(self, line: Mapping[str, Any], number: int) -> None:
        do = {
            "what": line["do"],
            **{name: line[name] for name in ("target", "for_s", "volume", "job_ids") if name in line},
        }
        if line["do"] == "choose":
            do["when"] = {"kind": "at", "utc": utc_ms(moment(line["when"]))}
        self._order(f"command-{number}", do, [*line.get("zones", ())])

    def _cancel(self, line: Mapping[str, Any]) -> None:
        self._order(
            f"cancel-{line['id']}", {"what": "cancel", "target": line["id"], "until": self._now() + 86_400_000}, []
        )

    def _order(self, name: str, do: dict[str, Any], zones: list[str]) -> None:
        now = self._now()
        times = {"issued_at": now, "not_before": now, "not_after": now + 120_000}
        audience = {"areas": [AREA], "zones": zones}
        self._send(makers.command_dict(order_id=name, do=do, audience=audience, **times), ("officer",))

    def _play(self, line: Mapping[str, Any]) -> None:
        now, issuer = self._now(), PROVINCE if line.get("level") == "province" else {}
        payload: dict[str, Any] = {"job_id": line["id"], **issuer, "issued_at": now, "not_before": now}
        payload |= {"audience": {"areas": [AREA], "zones": [*line.get("zones", ())]}, "class": line["cls"]}
        payload |= {name: line[name] for name in ("order", "loops", "gap_s", "series", "version") if name in line}
        payload |= {name: line[name] for name in ("all_clear", "rehearsal", "corrects", "preemption") if name in line}
        payload |= {"volume": line.get("volume", 100), "items": [*self._items(line)]} | self._when(line, now)
        if line["cls"] == "emergency":
            payload["event"] = line["event"]
        if "zones_s" in line:
            payload["missed"] = {"policy": "skip", "zones_s": line["zones_s"]}
        if "late_s" in line:
            payload["missed"] = {"policy": "late", "limit_s": line["late_s"]}
        if line.get("event") == "bao-yen":
            payload["all_clear"] = True
        by = ("province",) if issuer else OFFICERS.get(line["cls"], ("officer",))
        self._send(makers.job_dict(**payload), by, by_hand=line.get("via") == "usb")

    def _when(self, line: Mapping[str, Any], now: int) -> dict[str, Any]:
        at = utc_ms(moment(line["at"]))
        if line["cls"] == "emergency" and not line.get("rehearsal"):
            return self._now_until(line, now)
        if "corrects" in line:
            return {"when": {"kind": "now"}, "not_after": now + 600_000}
        if "weekly" not in line:
            return {"when": {"kind": "at", "utc": at}, "not_after": at + 86_400_000}
        local = moment(line["at"])
        rule = {"kind": "rule", "timezone": "Asia/Ho_Chi_Minh", "first_day": local.date().isoformat()}
        rule |= {"last_day": self.day.last.date().isoformat(), "weekdays": [*line["weekly"]]}
        return {"when": rule | {"times": [local.strftime("%H:%M:%S")]}, "not_after": at + 30 * 86_400_000}

    def _now_until(self, line: Mapping[str, Any], now: int) -> dict[str, Any]:
        if "repeat_s" in line:
            until = utc_ms(moment(line["until"]))
            return {"when": {"kind": "now", "every_s": line["repeat_s"], "until": until}, "not_after": until}
        if "not_after" not in line:
            return {"when": {"kind": "now"}, "not_after": now + 600_000}
        not_after = utc_ms(moment(line["not_after"]))
        return {"when": {"kind": "now"}, "not_after": not_after, "not_before": not_after - 6 * 3_600_000}

    def _items(self, line: Mapping[str, Any]) -> list[dict[str, Any]]:
        made = []
        for item in line["items"]:
            if item["title"] in SIGNALS:
                continue
            ms, told = round(item["s"] * 1000), {"title": item["title"], "field": item.get("field", "")}
            told["language"] = item.get("lang", "vi")
            if item.get("text"):
                made.append(makers.text_item(**told, text="a" * (ms // LETTER_MS)))
                continue
            if "live" in item:
                made.append(self._live(item, told, ms))
                continue
            key = ClipKey(hashlib.sha256(f"{item['title']} {told['language']} {ms}".encode()).hexdigest())
            self.world.headend.names[key] = item["title"]
            if line.get("via") == "usb" or item.get("stored"):
                self.world.originals.add(key)
                self.world.cache[key] = ms  # brought along, or on the card for such a night
            made.append(makers.clip_item(**told, digest=key, duration_ms=ms))
        return made

    @staticmethod
    def _live(item: Mapping[str, Any], told: dict[str, str], ms: int) -> dict[str, Any]:
        """A source by its name, and the recording that stands in for it."""
        key = hashlib.sha256(item["stand_in"].encode()).hexdigest()
        stand_in = makers.clip_item(title=item["stand_in"], digest=key, duration_ms=STAND_IN_MS)
        urls = [f"https://live.test/{item['live']}.mp3"]
        return makers.live_item(**told, urls=urls, duration_ms=ms, stand_in=stand_in)

    def _times(self, days: int) -> dict[str, int]:
        return {"issued_at": self._now(), "not_before": self._now(), "not_after": self._now() + days * 86_400_000}

    def _now(self) -> int:
        return self.world.utc()


def _site(day: Day) -> Site:
    station = day.station
    zones = {
        ZoneId(zone): ZoneSite(
            ZoneId(zone), name, round(station["warm_up_s"][zone] * 1000), station["zone_ceiling"].get(zone, 100)
        )
        for zone, name in station["zones"].items()
    }
    return makers.make_site(zones=zones, station=StationId(makers.STATION), frame=STANDARD_FRAME)


def _trust() -> bytes:
    """The officer by day, two for an emergency, the policy's owner, and the province."""
    pair = [makers.signer(name).keyid for name in ("officer", "deputy")]
    province = makers.signer("province")
    roles = [
        makers.job_role(limits={"classes": ["normal", "priority"], "sources": ["https://live.test/"]}),
        makers.job_role(role="emergency", keyids=pair, threshold=2, limits={"classes": ["emergency"]}),
        makers.job_role(
            role="province",
            **PROVINCE,
            keyids=[province.keyid],
            limits={"classes": ["normal", "priority"], "offered": ["normal"]},
        ),
        makers.owner_role(),
        makers.command_role(),
        makers.online_role(),
    ]
    return makers.trust_file(roles=roles, keys=[province.public])
