"""``SimRig``: scenarios in virtual time. Builds and signs orders; the world does the rest."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from edge_agent.core.programme import source_key
from edge_agent.core.site import STANDARD_FRAME, UNFRAMED, Group, Site, ZoneSite
from edge_agent.core.units import ClipKey, UtcMs, ZoneId
from edge_agent.headend.signing import SigningError
from edge_agent.trust.keys import Signer
from tests.rig import HONEST, LEFT, RIGHT, Edge, Heard, Order, Relay, Tampering, Told, Tone
from tests.trust import makers
from tests.ward import World
from tests.ward.card import heard

BEGAN = UtcMs(1_790_823_600_000)  # 2026-10-01 10:00 in Asia/Ho_Chi_Minh, a Thursday
TIMEZONE = "Asia/Ho_Chi_Minh"
WARM_UP_MS = 2_000
WARD_NEXT_DOOR = "vn/ha-noi/tay-thanh"
DISTRICT = {"issuer": "quan-ba-dinh", "level": "district"}


class SimRig:
    """A station of two zones in virtual time, mid-morning."""

    tolerance_s = 0.005
    warm_up_s = WARM_UP_MS / 1000

    def __init__(
        self,
        *,
        home: bool = False,
        framed: bool = False,
        least_off_ms: int = 0,
        stagger_ms: int = 0,
        **fitted: Any,
    ) -> None:
        """``home``: there is a server of manifests. ``framed``: ordinary programmes have their chimes.

        ``least_off_ms``: how long its relays rest. ``stagger_ms``: between the turns of its zones. ``fitted`` is how
        the box is made, as ``World`` takes it.
        """
        zones = {
            ZoneId(zone): ZoneSite(ZoneId(zone), zone, WARM_UP_MS, least_off_ms=least_off_ms, group=group)
            for zone, group in ((LEFT, Group.A), (RIGHT, Group.B))
        }
        frame = STANDARD_FRAME if framed else UNFRAMED
        site: Site = makers.make_site(
            zones=zones, timezone=TIMEZONE, polls_home=home, frame=frame, stagger_ms=stagger_ms
        )
        self.world = World(site, ward_trust(), BEGAN, **fitted)
        self.sent: dict[str, bytes] = {}

    def switch_on(self, *, welcome: bool = True) -> None:
        self.world.headend.welcoming = welcome
        self.world.boot()

    def allow_welcome(self) -> None:
        self.world.headend.welcoming = True
        self.world.headend.welcome()

    def publish(self, order: Order, tampering: Tampering = HONEST, number: int = 0) -> str:
        serial = len(self.sent) + 1
        job_id = f"job-{number or serial}"
        for tone in (*order.tones, *([order.relay.stand_in] if order.relay else [])):
            self.world.headend.names[clip_key(tone.name, tone.seconds)] = tone.name
            if tampering.altered_audio:
                self.world.content.altered.add(clip_key(tone.name, tone.seconds))
        payload = payload_of(order, tampering, self.world.utc(), BEGAN, TIMEZONE)
        by = signers_of(order, tampering)
        self.sent[job_id] = makers.signed({**payload, "job_id": job_id, "serial": serial}, by)
        self._mark(payload["issuer"], serial)
        self._list(job_id)
        self.replay(job_id)
        return job_id

    def command(self, zones: tuple[str, ...] = (), **do: Any) -> str:
        return self._rule(command_of(do, zones, self.world.utc()), "officer")

    def window(self, kind: str, from_s: float, to_s: float, zones: tuple[str, ...] = ()) -> str:
        return self._rule(window_of(kind, (from_s, to_s), zones, self.world.utc(), BEGAN), "owner")

    def regulate(self, **clause: Any) -> str:
        return self._rule(regulation_of(clause, len(self.sent) + 1, self.world.utc()), "owner")

    def _rule(self, payload: dict[str, Any], by: str) -> str:
        serial = len(self.sent) + 1
        order_id = f"rule-{serial}"
        self.sent[order_id] = makers.signed({**payload, "order_id": order_id, "serial": serial}, [by])
        self._mark(payload["issuer"], serial)
        self._list(order_id)
        self.replay(order_id)
        return order_id

    def _mark(self, issuer: str, serial: int) -> None:
        marks = self.world.headend.marks
        marks[issuer] = max(serial, marks.get(issuer, 0))

    def _list(self, order_id: str) -> None:
        if self.world.site.polls_home:
            with suppress(SigningError):  # a centre lists nothing that it cannot read
                self.world.home.publish(self.sent[order_id])
            self.world.home.renew()

    def source(self, name: str, *, gives: bool) -> None:
        self.world.headend.names[source_key((source_url(name),))] = name
        self.world.air.gives(gives)

    def replay(self, job_id: str) -> None:
        self.world.broker.publish(makers.JOB_TOPIC, self.sent[job_id])

    def run_until(self, at_s: float) -> None:
        self.world.run_until(round(at_s * 1000))

    def cut_network(self) -> None:
        self.world.set_network(False)

    def restore_network(self) -> None:
        self.world.set_network(True)

    def cut_power(self) -> None:
        self.world.cut_power()

    def kill_agent(self) -> None:
        self.world.kill_agent()

    def run_until_told(self, job_id: str, at_most_s: float) -> None:
        limit = self.world.mono + round(at_most_s * 1000)
        while not any(record["job_id"] == job_id for record in self.told().records) and self.world.mono < limit:
            self.world.run_until(min(limit, self.world.mono + 1_000))

    def relay_edges(self) -> list[Edge]:
        return [Edge(zone, on, mono / 1000) for zone, on, mono in self.world.relays.moved]

    def heard(self) -> list[Heard]:
        world = self.world
        found = heard(world.runs, world.relays.moved, world.headend.names, world.mono)
        return [Heard(zone, what, start / 1000, end / 1000) for zone, what, start, end in found]

    def told(self) -> Told:
        headend = self.world.headend
        return Told(headend.answers, headend.states, headend.records)


def ward_trust() -> bytes:
    """An officer by day, two for an emergency; and the district, which may order here and in the ward next door."""
    return makers.trust_file(**ward_roles())


def ward_roles() -> dict[str, Any]:
    """Its roles and keys, for ``makers.trust_document``; the first role is the officer's by day."""
    day = makers.job_role(limits={"classes": ["normal", "priority"], "sources": ["https://live.test/"]})
    pair = [makers.signer(name).keyid for name in ("officer", "deputy")]
    emergency = makers.job_role(role="emergency", keyids=pair, threshold=2, limits={"classes": ["emergency"]})
    district = makers.signer("district")
    above = {"role": "district", "issuer": DISTRICT["issuer"], "level": DISTRICT["level"], "keyids": [district.keyid]}
    above_role = makers.job_role(**above, limits={"areas": [makers.AREA, WARD_NEXT_DOOR]})
    rules = [makers.owner_role(), makers.command_role()]
    return {"roles": [day, emergency, above_role, *rules, makers.online_role()], "keys": [district.public]}


def command_of(do: dict[str, Any], zones: tuple[str, ...], now: UtcMs) -> dict[str, Any]:
    """A command's payload without id and serial, for any rig whose keys and names are those of ``makers``."""
    times = {"issued_at": now, "not_before": now, "not_after": now + 120_000}
    return makers.command_dict(do=do, audience={"areas": [makers.AREA], "zones": [*zones]}, **times)


def window_of(
    kind: str, span_s: tuple[float, float], zones: tuple[str, ...], now: UtcMs, began: UtcMs
) -> dict[str, Any]:
    """A window's payload, from and to in seconds after the rig ``began``."""
    begins, ends = (began + round(at * 1000) for at in span_s)
    times = {"issued_at": now, "not_before": now, "not_after": max(ends, now + 1), "begins": begins, "ends": ends}
    return makers.window_dict(kind=kind, audience={"areas": [makers.AREA], "zones": [*zones]}, **times)


def regulation_of(clause: dict[str, Any], version: int, now: UtcMs) -> dict[str, Any]:
    """A regulation's payload: the usual clause, but for what is said here."""
    times = {"issued_at": now, "not_before": now, "not_after": now + 30 * makers.DAY_MS}
    return makers.regulation_dict(version=version, clauses=[makers.clause_dict(**clause)], **times)


def signers_of(order: Order, tampering: Tampering) -> list[str | Signer]:
    """Whose keys are under it."""
    if tampering.forged:
        return ["stranger"]
    if tampering.other_ward:
        return ["district"]
    alone = order.cls != "emergency" or tampering.under_signed
    return ["officer"] if alone else ["officer", "deputy"]


def payload_of(order: Order, tampering: Tampering, now: UtcMs, began: UtcMs, timezone: str) -> dict[str, Any]:
    """A job's payload without id and serial, for any rig whose keys and names are those of ``makers``."""
    when, not_after = _when(order, tampering, now, began, timezone)
    area = WARD_NEXT_DOOR if tampering.other_ward else makers.AREA
    payload: dict[str, Any] = DISTRICT if tampering.other_ward else {}
    payload = payload | {
        "issued_at": now,
        "not_before": now,
        "not_after": not_after,
        "audience": {"areas": [area], "zones": list(order.zones)},
        "class": order.cls,
        "when": when,
        "items": [*map(_clip, order.tones), *_live(order.relay), *_texts(order.spoken)],
        "volume": order.volume,
        "preemption": order.preemption,
        "loops": order.loops,
        "gap_s": order.gap_s,
    }
    if order.late_limit_s:
        payload["missed"] = {"policy": "late", "limit_s": order.late_limit_s}
    if order.cls == "emergency":
        payload["event"] = "lu-quet"
    return makers.job_dict(**payload)


def _when(order: Order, tampering: Tampering, now: UtcMs, began: UtcMs, timezone: str) -> tuple[dict[str, Any], UtcMs]:
    if tampering.wall_time:
        day = (datetime.fromtimestamp(now / 1000, UTC).astimezone(ZoneInfo(timezone)) + timedelta(days=1)).date()
        wall = datetime.fromisoformat(f"{day}T{tampering.wall_time}").replace(tzinfo=ZoneInfo(timezone))
        instant = int(wall.timestamp() * 1000)
        return {"kind": "at", "utc": instant}, UtcMs(instant + makers.HOUR_MS)
    if order.at_s is None:
        return {"kind": "now"}, UtcMs(now + 600_000)
    instant = began + round(order.at_s * 1000)
    if not order.recurring:
        return {"kind": "at", "utc": instant}, UtcMs(instant + makers.HOUR_MS)
    wall = datetime.fromtimestamp(instant / 1000, UTC).astimezone(ZoneInfo(timezone))
    rule = {
        "kind": "rule",
        "timezone": timezone,
        "first_day": wall.date().isoformat(),
        "last_day": (wall.date() + timedelta(days=order.days - 1)).isoformat(),
        "weekdays": sorted({(wall + timedelta(days=day)).isoweekday() for day in range(min(order.days, 7))}),
        "times": [wall.strftime("%H:%M:%S")],
    }
    return rule, UtcMs(instant + order.days * makers.DAY_MS)


def _clip(tone: Tone) -> dict[str, Any]:
    digest, ms = clip_key(tone.name, tone.seconds), round(tone.seconds * 1000)
    return makers.clip_item(title=f"Bản tin {tone.name}", digest=digest, duration_ms=ms)


def _texts(spoken: str) -> list[dict[str, Any]]:
    return [makers.text_item(text=spoken)] if spoken else []


def _live(relay: Relay | None) -> list[dict[str, Any]]:
    if relay is None:
        return []
    stand_in = _clip(relay.stand_in)
    urls, ms = [source_url(relay.name)], round(relay.seconds * 1000)
    return [makers.live_item(urls=urls, duration_ms=ms, stand_in=stand_in)]


def source_url(name: str) -> str:
    """Where a live source of that name is."""
    return f"https://live.test/{name}.mp3"


def clip_key(name: str, seconds: float) -> ClipKey:
    """What a tone of that name and length is found by."""
    return ClipKey(hashlib.sha256(f"{name} {seconds}".encode()).hexdigest())
