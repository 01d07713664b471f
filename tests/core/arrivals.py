"""A station to which signed messages come in any order: real judge, real documents, and a journal that outlives it.

The ward's messages are drawn from ``WARD``, each with an id, a version and a number among equals of its own. What a
station makes of them, ``settled`` tells: whatever a listener, an officer or the next order could notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from edge_agent.core import effects as fx
from edge_agent.core import standing
from edge_agent.core.day_ahead import day_plan
from edge_agent.core.events import Connected, DeviceUp, Event, PlayEnded, TrustChanged
from edge_agent.core.job import Accepted, Job
from edge_agent.core.units import JobId
from edge_agent.restoring import restored
from edge_agent.trust.bundle import write_file
from edge_agent.trust.keeper import believing
from tests.core.bench import Bench
from tests.core.slow_disk import SlowDisk
from tests.trust import delegation, makers
from tests.trust.makers import AREA, DAY_MS, HOUR_MS, ISSUER, NOON, OWNER, signed, signed_trust, signer

DEPUTY = "deputy"
DAYS = (date(2026, 10, 1), date(2026, 10, 2), date(2026, 10, 3))
BY_WHO_HEARD = ("lu-het",)
"""An all-clear sounds where its warning was heard before it came, and nowhere else: that is its meaning."""
ROUNDS_MAX = 8
"""As often a server sends what has no good answer: a document has at most two above it that may be missing."""


class Arrivals(Bench):
    """One station from its trust file on, which holds the root alone."""

    def __init__(self, disk: SlowDisk | None = None, before: Arrivals | None = None) -> None:
        super().__init__()
        self.disk = disk or SlowDisk()
        self.keeper = before.keeper if before else believing(write_file([delegation.ROOT_1]), (), self.state.site)
        self._came: dict[bytes, tuple[str, bytes]] = before._came if before else {}
        self._mid = before._mid if before else 0
        self.send(restored(self.disk.boot(), lambda _, payload: self.keeper.judge(*self._came[payload]), self.standing))
        self.send(DeviceUp())
        self.send(Connected(1, "ab" * 16))
        self.welcome()
        self._commit()

    @property
    def standing(self) -> Any:
        return self.keeper.standing

    def deliver(self, envelope: bytes, topic: str = makers.JOB_TOPIC, *, offered: bool = False) -> None:
        """A message comes, and the disk takes at once what is to be kept; ``offered``: its role may do no more."""
        self._came[str(self._mid + 1).encode()] = (topic, envelope)
        judgement = self.keeper.judge(topic, envelope)
        if isinstance(judgement, Accepted) and offered:
            judgement = replace(judgement, offered=True)
        effects = self.arrive(judgement, topic)
        self._commit()
        if any(isinstance(effect, fx.TakeTrust) for effect in effects):
            self.keeper.take(envelope)
            orders = [known.accepted for known in (*self.state.jobs.values(), *self.state.rules.values())]
            again = self.keeper.again(orders)
            self.send(TrustChanged(self.keeper.standing, again.revoked, changed=again.changed))
            self._commit()

    def restarted(self) -> Arrivals:
        """The next boot, some time before anybody notices."""
        return Arrivals(self.disk, self)

    def _commit(self) -> None:
        while self.disk.waiting:
            self.disk.commit(1)
            while self.disk.answers:
                self.send(self.disk.answers.popleft())

    def _answers(self, effect: fx.Effect) -> list[Event]:
        if isinstance(effect, fx.SaveJob | fx.ReleaseJob | fx.SaveMark | fx.DropMark | fx.CommitRecord):
            self.disk.waiting.append(effect)
            return []
        if isinstance(effect, fx.StopPlay):
            stopped = [play for play in self.state.plays.values() if play.play_id == effect.play_id]
            return [PlayEnded(one.play_id, dict.fromkeys(one.zones, 0), 0, 0, self.now.mono, None) for one in stopped]
        return super()._answers(effect)


def came(messages: Sequence[bytes], restarts: Iterable[int] = ()) -> Arrivals:
    """A station to which these came in this order, and which was started anew after some of them."""
    station, when = Arrivals(), {*restarts}
    for number, envelope in enumerate(messages):
        station.deliver(envelope)
        if number in when:
            station = station.restarted()
    return station


def after(*messages: bytes) -> Arrivals:
    """A station that believes the ward's documents, and to which these came in this order."""
    return came([*BELIEVED, *messages])


def sent_again(station: Arrivals, messages: Sequence[bytes]) -> Arrivals:
    """As a server does (protocol 6.12, 8.8): what has no good answer comes again, until nothing changes any more."""
    told = settled(station)
    for _ in range(ROUNDS_MAX):
        before = told
        for envelope in messages:
            station.deliver(envelope)
        told = settled(station)
        if told == before:
            return station
    raise AssertionError("it never comes to rest")


def settled(station: Arrivals) -> dict[str, object]:
    """All that anybody could notice of the orders that it has."""
    state, now = station.state, station.now
    rules = standing.rules_of(state, now)
    waiting = {
        known.job.job_id: known
        for known in state.jobs.values()
        if not (known.called_off or known.job.job_id in BY_WHO_HEARD)
    }
    return {
        "documents": [(head.area, head.epoch, head.version) for head in station.keeper.standing.heads],
        "jobs": {job_id: (known.job, known.offered) for job_id, known in waiting.items()},
        "policy": rules.policy,
        "windows": sorted(rules.windows, key=lambda window: window.heading.order_id),
        "locked": set(rules.locked),
        "volumes": dict(rules.volumes),
        "paused": {zone for zone in state.site.zones if standing.pauses(state, now, waits_for_nobody(), [zone])},
        "warm": standing.kept_warm(state, now),
        "ranks": {job_id: standing.rank_of(state, JobId(job_id)) for job_id in sorted(waiting)},
        "kept out": {one for one in IDS if standing.cancelled(state, one, ISSUER)},
        "days": [_told(station, day) for day in DAYS],
    }


def waits_for_nobody() -> Job:
    """An ordinary job that nothing but a pause holds."""
    return makers.make_job()


def _told(station: Arrivals, day: date) -> list[tuple[object, ...]]:
    plan = [one for one in day_plan(station.state, station.now, day) if one.job_id not in BY_WHO_HEARD]
    told = [(one.job_id, one.planned, one.starts, one.ends, one.reason, sorted(one.volumes.items())) for one in plan]
    return sorted(told, key=str)


# The ward's messages


def job(job_id: str, *, by: str = "officer", **over: Any) -> bytes:
    times = {"issued_at": NOON - HOUR_MS, "not_before": NOON - HOUR_MS, "not_after": NOON + 30 * DAY_MS}
    return signed(makers.job_dict(job_id=job_id, **{**times, **over}), [by])


def at_hour(hours: float) -> dict[str, Any]:
    return {"kind": "at", "utc": NOON + round(hours * HOUR_MS)}


def _order(made: dict[str, Any], order_id: str, by: str, **over: Any) -> bytes:
    return signed({**made, "order_id": order_id, "not_before": NOON - HOUR_MS, **over}, [by])


def command(order_id: str, do: dict[str, Any], age_s: int, by: str = "officer", **over: Any) -> bytes:
    """Signed some seconds ago; what was signed later says something else."""
    at = NOON - age_s * 1_000
    issuer = OWNER if by == "owner" else ISSUER
    given = {"issuer": issuer, "issued_at": at, "not_before": at, "not_after": at + 120_000}
    return _order(makers.command_dict(do=do), order_id, by, **{**given, **over})


def _entry(job_id: str, number: int, **over: Any) -> dict[str, Any]:
    # Its number among equals is no place in a rank either: where the two are alike, receipt decides.
    return makers.entry_dict(job_id, order=20 + number, when=makers.rule_when(**over.pop("when", {})), **over)


def timetable(version: int, *entries: dict[str, Any], name: str = "chinh") -> bytes:
    made = makers.timetable_dict(name=name, version=version, entries=list(entries), issued_at=NOON - HOUR_MS)
    return _order(made, f"lich-{name}-{version}", "officer")


def regulation(version: int, starts: int = NOON - HOUR_MS, **clause: Any) -> bytes:
    made = makers.regulation_dict(version=version, clauses=[makers.clause_dict(**clause)])
    return _order(made, f"quy-che-{version}", "owner", not_before=starts)


def cancel(target: str, number: int, by: str = "officer") -> bytes:
    return command(f"huy-{number}", {"what": "cancel", "target": target, "until": NOON + 30 * DAY_MS}, 30, by)


def ward(version: int, roles: Iterable[dict[str, Any]]) -> bytes:
    """The ward's document, by which these roles are its own."""
    document = makers.area_document(AREA, "officer", DEPUTY, "owner", version=version, roles=list(roles))
    return signed_trust(document, delegation.HANOI)


OFFICER = makers.job_role(limits={"classes": ["normal", "priority"], "validity_max_s": 400 * 86_400})
_OFFERS = {**OFFICER, "limits": {**OFFICER["limits"], "offered": ["priority"]}}
_DEPUTY = {**OFFICER, "role": "deputy", "keyids": [signer(DEPUTY).keyid]}
_CHO, _DINH = ({"areas": [AREA], "zones": [zone]} for zone in makers.ZONES)
_WARNS = makers.job_role(role="warns", limits={"classes": ["emergency"], "validity_max_s": 1_800})
_OWNERS_DESK = makers.command_role(
    role="owners-desk", issuer=OWNER, keyids=[signer("owner").keyid], limits={"commands": ["cancel"]}
)
RULERS = (makers.command_role(), makers.owner_role(), _OWNERS_DESK, _WARNS)
_AFTERNOON = {"begins": NOON + 4 * HOUR_MS, "ends": NOON + 5 * HOUR_MS}
_BAND = [["00:00", "00:00", 60]]
_SERIES = {"class": "emergency", "series": "lu", "event": "flood", "items": [makers.text_item()]}
_NOW = {"not_before": NOON, "not_after": NOON + HOUR_MS // 2}

DOCUMENTS = {
    "province": delegation.PROVINCE_1,
    "ward": ward(1, [OFFICER, _DEPUTY, *RULERS]),
    "ward without the deputy": ward(2, [OFFICER, *RULERS]),
    "ward where priority is only offered": ward(3, [_OFFERS, *RULERS]),
}
JOBS = {
    "sang": job("sang", when=makers.rule_when(), order=11),
    "chieu": job("chieu", when=at_hour(5), order=12, audience=_CHO),
    "toi": job("toi", when=at_hour(5), order=13, **{"class": "priority"}),
    "dem": job("dem", when=at_hour(26), order=14, volume=90),
    "the deputy's": job("pho", by=DEPUTY, when=at_hour(6), order=15),
    "warning 1": job("lu-1", version=1, **_SERIES, **_NOW),
    "warning 2": job("lu-2", version=2, **_SERIES, **_NOW),
    "warning 3": job("lu-3", version=3, **_SERIES, **_NOW),
    "wrong": job("sai", when=at_hour(7), order=16),
    "correction": job("dung", corrects="sai", when={"kind": "now"}, order=17, **_NOW),
    "all-clear": job("lu-het", version=4, all_clear=True, **_SERIES, **_NOW),
}
RULES = {
    "regulation 1": regulation(1, quiet=["20:00", "05:00"]),
    "regulation 2": regulation(2, volume=_BAND),
    "regulation 3": regulation(3, session_s=600),
    "regulation 4, ahead": regulation(4, starts=NOON + DAY_MS, session_s=300),
    "exception": _order(makers.window_dict(), "le-hoi", "owner"),
    "silence": _order(makers.window_dict(kind="silence", **_AFTERNOON), "dam-tang", "owner"),
    "timetable 1": timetable(1, _entry("tin-sang", 1), _entry("nhac", 2, when={"times": ["11:00:00"]})),
    "timetable 2": timetable(2, _entry("tin-sang", 1), _entry("tho", 3, when={"times": ["16:00:00"]})),
    "timetable 3": timetable(3, _entry("tho", 3, when={"times": ["16:00:00"]})),
    "other timetable": timetable(7, _entry("thieu-nhi", 4, when={"times": ["17:30:00"]}), name="he"),
}
COMMANDS = {
    "lock": command("khoa", {"what": "lock", "for_s": 7_200}, 20, audience=_CHO),
    "all-stop": command("dung-het", {"what": "all_stop", "for_s": 900}, 20),
    "rank": command("thu-tu", {"what": "rank", "job_ids": ["toi", "chieu", "sang"]}, 20),
    "volume": command("am-luong", {"what": "volume", "volume": 40}, 30),
    "volume again": command("am-luong-2", {"what": "volume", "volume": 70}, 10, audience=_CHO),
    "rank again": command("thu-tu-2", {"what": "rank", "job_ids": ["sang", "toi", "dem"]}, 10),
    "pause": command("ngung", {"what": "pause", "for_s": 600}, 40),
    "pause again": command("ngung-2", {"what": "pause", "for_s": 600}, 10, audience=_CHO),
    "resume": command("tiep", {"what": "resume"}, 20),
    "choice": command("chon", {"what": "choose", "target": "toi", "when": at_hour(3)}, 10),
    "amplifier off": command("am-ly-2", {"what": "amplifier", "on": False, "for_s": 600}, 10, audience=_DINH),
    "amplifier": command("am-ly", {"what": "amplifier", "on": True, "for_s": 600}, 30, audience=_DINH),
}
CANCELS = {
    f"cancel of {target}": cancel(target, number, by)
    for number, (target, by) in enumerate(
        [
            ("chieu", "officer"),
            ("lu-1", "officer"),
            ("lu-2", "officer"),
            ("lich-chinh-1", "officer"),
            ("nhac", "officer"),
            ("le-hoi", "owner"),
            ("quy-che-1", "owner"),
            ("toi", "owner"),  # who has not ordered it
            ("am-luong", "officer"),
            ("chon", "officer"),
        ]
    )
}
BELIEVED = [DOCUMENTS["province"], DOCUMENTS["ward"]]
WARD = {**DOCUMENTS, **JOBS, **RULES, **COMMANDS, **CANCELS}
IDS = tuple(map(JobId, ("sang", "chieu", "toi", "dem", "pho", "sai", "lu-1", "lu-2", "lu-3", "lich-chinh-1", "nhac")))
"""Of jobs and timetables, all of one issuer: whether they are kept out."""
