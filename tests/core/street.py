"""The books of relays and sound: who hears what, through which relay, warm or not, allowed or not, once or again.

Believes the device's reports and the core's own orders, and nothing of the core's state but who claims what.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from edge_agent.core import effects as fx
from edge_agent.core import policy, standing
from edge_agent.core.clips import durations
from edge_agent.core.clock_trust import Now
from edge_agent.core.events import DeviceDown, DeviceUp, Event, PlayEnded, PlayStarted, RelayChanged, RelayFailed
from edge_agent.core.job import Accepted, Job, JobClass, PlayNow, Preemption
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import NextItem, Pause
from edge_agent.core.past import LATE_GRACE_MS
from edge_agent.core.plays import CLAIMS, OccurrenceKey, ZonePart
from edge_agent.core.programme import (
    SIGNAL_MS,
    Live,
    Part,
    Sound,
    ZoneFeed,
    begun_at,
    length_ms,
    live_key,
    own_ms,
    sources_of,
    without_closing,
    without_opening,
)
from edge_agent.core.state import ClipStatus, State
from edge_agent.core.switching import RELAY_LEAD_MS
from edge_agent.core.units import MINUTE_MS, ClipKey, JobId, MonoMs, PlayId, ZoneId
from tests.core.alerts import Alerts
from tests.core.lawbook import Lawbook
from tests.core.least_times import LeastTimes
from tests.turn_ears import as_ordered

APART_MS = 2 * MINUTE_MS
# Two clocks that are trusted may be so far apart.
SOUNDING = (Phase.ARMED, Phase.PLAYING)
RUNS_MAX = 3
GO_ON = (Preemption.RESUME, Preemption.RESTART)
"""After these policies a programme that an emergency took everywhere goes on."""


@dataclass
class Routed:
    """A programme that the device was told to play: as what, for whom, when."""

    key: OccurrenceKey
    accepted: Accepted
    zones: frozenset[ZoneId]
    at: MonoMs
    ends: int
    parts: tuple[Part, ...]
    so_far: frozenset[ZoneId]  # heard all that came before it
    started: bool = False  # as far as was reported


@dataclass
class Street:
    """One process life. ``told`` maps a zone to (since, until) of the closing that we ordered."""

    accepted: dict[str, Accepted]  # by digest: everything that verify ever let pass
    lawbook: Lawbook
    alerts: Alerts
    heard: set[OccurrenceKey]  # began to sound, and the journal knew it at boot
    witnessed: set[JobId]  # it waited, and was valid by some clock, in any life
    reported_on: dict[ZoneId, MonoMs] = field(default_factory=dict)
    confirmed: set[ZoneId] = field(default_factory=set)  # reported on since we told it to be
    told: dict[ZoneId, tuple[int, int]] = field(default_factory=dict)
    routed: dict[PlayId, Routed] = field(default_factory=dict)
    runs: Counter[tuple[OccurrenceKey, int]] = field(default_factory=Counter)  # of each segment
    armed: dict[OccurrenceKey, MonoMs] = field(default_factory=dict)  # since when it takes its zones
    whole: dict[OccurrenceKey, frozenset[ZoneId]] = field(default_factory=dict)  # heard it from its beginning until now
    parts: dict[OccurrenceKey, tuple[Part, ...]] = field(default_factory=dict)  # what was played first
    served: dict[OccurrenceKey, frozenset[ZoneId]] = field(default_factory=dict)  # heard it to its end
    goes_on: set[OccurrenceKey] = field(default_factory=set)  # was set aside, and may begin once more
    sources: set[ClipKey] = field(default_factory=set)  # live, and open

    def __post_init__(self) -> None:
        self.least = LeastTimes(self.lawbook)

    def see(self, event: Event, now: Now, effects: tuple[fx.Effect, ...], after: State) -> None:
        """Look at one step."""
        self._hear(event, after)
        self.witnessed |= {known.job.job_id for known in after.jobs.values() if known.held and _may_be(known.job, now)}
        sounding = [play.key for play in after.plays.values() if play.phase in SOUNDING]
        self.armed = {key: self.armed.get(key, now.mono) for key in sounding}
        for effect in effects:
            self._effect(effect, effects, now, after)
        self._unasked(event, effects)
        self.least.see(event, effects, now, after)
        self._relays_are_claimed(now, after)
        self._sources_are_heard(effects, now, after)
        self.lawbook.obeyed([(one.accepted.job, one.zones, one.at) for one in self.routed.values()], now, after)
        self.alerts.in_order([one.accepted.job for one in self.routed.values()], after)

    def _hear(self, event: Event, after: State) -> None:
        match event:
            case DeviceUp() | DeviceDown():
                for book in (self.reported_on, self.confirmed, self.told, self.routed):
                    book.clear()
            case RelayChanged(zone=zone, on=True, at=at):
                self.reported_on.setdefault(zone, at)
                self.confirmed |= {zone} & self.told.keys()
            case RelayChanged(zone=zone, cause=cause):
                self.reported_on.pop(zone, None)
                self.confirmed.discard(zone)
                if cause != "order":
                    self.told.pop(zone, None)  # opened by itself
            case RelayFailed(zone=zone):
                self.confirmed.discard(zone)
            case PlayStarted(play_id=play_id) if play_id in self.routed:
                self.routed[play_id].started = True
                self.heard.add(self.routed[play_id].key)
                self.goes_on.discard(self.routed[play_id].key)
            case PlayEnded(play_id=play_id, reason=reason) if play_id in self.routed:
                routed = self.routed.pop(play_id)
                if reason is None:
                    self._all_out(routed, after)

    def _all_out(self, routed: Routed, after: State) -> None:
        """The last sample is out; those who missed some because they were taken may hear it later."""
        key, job = routed.key, routed.accepted.job
        self.served[key] = self.served.get(key, frozenset()) | self.whole[key]
        if job.zones_limit_ms and key in after.plays and {*after.plays[key].zones} - self.served[key]:
            self.goes_on.add(key)

    def _effect(self, effect: fx.Effect, effects: tuple[fx.Effect, ...], now: Now, after: State) -> None:
        match effect:
            case fx.SwitchRelay(zone=zone, on=True):
                longest_ms = after.site.zones[zone].on_ms_max
                assert 1 <= effect.off_after_ms <= longest_ms, "a closing carries its end, within the zone's maximum"
                since, _ = self.told.get(zone, (now.mono, 0))
                self.told[zone] = (since, min(now.mono + effect.off_after_ms, since + longest_ms))
            case fx.SwitchRelay(zone=zone):
                for book in (self.told, self.reported_on):
                    book.pop(zone, None)
                self.confirmed.discard(zone)
            case fx.StartPlay():
                self._start(effect, now, after)
            case fx.RoutePlay():
                self._route(effect, now, after)
            case fx.CommitRecord(record=record, closes=key) if key is not None and record.outcome is Phase.SUCCEEDED:
                silent = {one.zone for one in record.zones if one.reason is not None}
                hearing = self.whole[key] | self.served.get(key, frozenset())
                assert {one.zone for one in record.zones} - silent <= hearing, "it missed some, without a reason"
            case fx.StopPlay(play_id=play_id):
                assert play_id in self.routed, "stopped a play that does not run"
                stopped = self.routed.pop(play_id)
                if self._is_set_aside(stopped, effects, after):
                    self.goes_on.add(stopped.key)
                anew = stopped.accepted.job.preemption is Preemption.RESTART and not self._is_halted()
                if anew and stopped.zones <= self._taken(effects, after):
                    self.whole[stopped.key] = frozenset()  # it begins anew, and nobody has heard any of that

    def _sources_are_heard(self, effects: tuple[fx.Effect, ...], now: Now, after: State) -> None:
        """A live source is open while a programme that sounds is in it, and never without a job that has it."""
        for effect in effects:
            if isinstance(effect, fx.OpenLive):
                assert effect.key not in self.sources, "opened a live source twice"
                self.sources.add(effect.key)
            elif isinstance(effect, fx.CloseLive):
                self.sources.remove(effect.key)
        for routed in self.routed.values():
            for at, part in begun_at(routed.parts):
                if isinstance(part, Live) and routed.at + at <= now.mono < routed.at + at + part.duration_ms:
                    assert part.key in self.sources, "a live part sounds, and nobody has opened its source"
        wanted = {live_key(item) for key in after.plays for item in sources_of(after.jobs[key[0]].job)}
        assert self.sources <= wanted, "a live source is open for nobody"

    def _is_set_aside(self, routed: Routed, effects: tuple[fx.Effect, ...], after: State) -> bool:
        """Whether a play is stopped by what lets it go on later."""
        taken = routed.zones <= self._taken(effects, after)
        return self._is_halted() or (taken and routed.accepted.job.preemption in GO_ON)

    def _is_halted(self) -> bool:
        """Whether somebody has just commanded what sets aside."""
        return any(isinstance(law.action, Pause | NextItem) for law in self.lawbook.fresh)

    def _taken(self, effects: tuple[fx.Effect, ...], after: State) -> set[ZoneId]:
        """The zones that an emergency takes now."""
        return {
            feed.zone
            for start in effects
            if isinstance(start, fx.StartPlay)
            for feed in start.feeds
            if self._job_of(start, after).plays_as is JobClass.EMERGENCY
        }

    @staticmethod
    def _job_of(start: fx.StartPlay, after: State) -> Job:
        (play,) = [play for play in after.plays.values() if play.play_id == start.play_id]
        return after.jobs[play.job_id].job

    def _start(self, start: fx.StartPlay, now: Now, after: State) -> None:
        (play,) = [play for play in after.plays.values() if play.play_id == start.play_id]
        accepted = after.jobs[play.job_id].accepted
        job, zones = accepted.job, frozenset(feed.zone for feed in start.feeds)
        signed = self.accepted[accepted.digest]
        if signed.offered:
            assert job.not_after <= signed.not_after, "chosen for a time that nobody signed it for"
            planned = replace(signed.job, when=job.when, not_after=job.not_after)
            signed = replace(signed, job=planned, signed=signed.signed or signed.job)
        if job.opening:
            assert len({*signed.signers}) > 1 or job.job_id in self.witnessed, (
                "one officer alone sounded without a time"
            )
            signed = replace(signed, job=replace(signed.job, opening=job.opening), signed=signed.signed or signed.job)
        assert signed == accepted, "sounded what was never verified"
        assert zones, "a play that nobody hears"
        assert start.play_id not in self.routed, "started a play twice"
        assert after.device_up, "started a play without a device"
        assert not after.stopping, "started a play while stopping"
        slowest_ms = max(site.warm_up_ms + site.least_off_ms for site in after.site.zones.values())
        ahead_ms = start.at - now.mono
        assert ahead_ms <= slowest_ms + RELAY_LEAD_MS + LATE_GRACE_MS, "holds its zones long before it begins"
        # What the station said by itself when it was laid out may be more than it would say now.
        ready = {key for key, clip in after.clips.items() if clip.status is ClipStatus.READY}
        ready = ready if durations(after, job) is not None else set()
        for part in start.parts:
            silent = not isinstance(part, Sound) or part.key in SIGNAL_MS
            assert not (isinstance(part, Live) and job.plays_as is JobClass.EMERGENCY), "a warning that nobody signed"
            assert silent or part.key in ready, "started a play whose sound is not ready"
        if job.cls is JobClass.EMERGENCY:
            assert (own_ms(start.parts), start.rise_ms) == (length_ms(start.parts), 0), (
                "a warning with a chime, or soft"
            )
        self._allowed(start, play.key, now, after)
        so_far = self._heard_so_far(play.key, start.parts, frozenset(play.zones))
        routed = Routed(play.key, accepted, zones, start.at, start.at + length_ms(start.parts), start.parts, so_far)
        self._may_hear(zones, start.feeds, routed, now, after)
        self.routed[start.play_id] = routed
        if play.all_out:  # by the report, or by who left its last item; an emergency may have cut it off since
            spared = frozenset(play.zones_in(ZonePart.SERVED))
            self.served[play.key] = self.served.get(play.key, frozenset()) | self.whole[play.key] & spared
        self.whole[play.key] = zones & so_far
        self.alerts.sounds(job, zones)
        for feed in start.feeds:
            wish = policy.Wish(job.plays_as, tuple(zones), now.utc_of(start.at), length_ms(start.parts))
            rules = self.lawbook.rules(standing.rules_of(after, now, besides=play), now, after)
            ceiling = policy.volume_at(rules, wish, feed.zone, job.volume, play.under)
            assert feed.volume == ceiling, "not as loud as ordered and allowed at this hour"

    def _heard_so_far(
        self, key: OccurrenceKey, parts: tuple[Part, ...], everybody: frozenset[ZoneId]
    ) -> frozenset[ZoneId]:
        """Who has heard all that comes before these parts: before the beginning that is everybody."""
        # Some of its chimes may be left out another time, and groups may take turns or not.
        parts = as_ordered(without_opening(without_closing(parts)))
        if key not in self.goes_on:
            self.parts[key] = parts
        return everybody if parts == self.parts[key] else self.whole[key]

    def _allowed(self, start: fx.StartPlay, key: OccurrenceKey, now: Now, after: State) -> None:
        job, play = after.jobs[key[0]].job, after.plays[key]
        at, lasts_ms = now.utc_of(start.at), length_ms(start.parts)
        self.runs[key, play.segment] += 1
        assert self.runs[key, play.segment] <= RUNS_MAX, "begun again and again"
        if isinstance(job.when, PlayNow) and now.tells_validity and key not in self.goes_on:
            assert at <= job.not_after, "began after its validity"
        if job.plays_as is JobClass.EMERGENCY:
            return
        zones = tuple(feed.zone for feed in start.feeds)
        assert key not in self.heard or key in self.goes_on, "a routine job was repeated"
        assert not self.served.get(key, frozenset()) & {*zones}, "a zone that has heard it whole hears it again"
        assert now.trusted, "a routine job sounded by a clock that is not trusted"
        rules = self.lawbook.rules(standing.rules_of(after, now, besides=play), now, after)
        planned = play.planned if play.segment == 0 else None
        wish = policy.wish_for(job, zones, at, lasts_ms, planned, own_ms(start.parts))  # its chimes cost nothing
        forbidden = policy.judge(rules, wish).out
        assert not forbidden, f"sound that the ward's rules forbid: {sorted({*forbidden.values()})}"

    def _route(self, route: fx.RoutePlay, now: Now, after: State) -> None:
        assert route.play_id in self.routed, "routed a play that does not run"
        routed = self.routed[route.play_id]
        hearing = frozenset(feed.zone for feed in route.feeds)
        new = hearing - routed.zones
        assert not new or routed.accepted.job.preemption is not Preemption.DROP, "came back although it drops"
        self.alerts.sounds(routed.accepted.job, new)
        self._may_hear(new, route.feeds, routed, now, after)
        routed.zones = hearing
        self.whole[routed.key] = hearing & (self.whole[routed.key] if routed.started else routed.so_far)

    def _may_hear(
        self, zones: frozenset[ZoneId], feeds: tuple[ZoneFeed, ...], routed: Routed, now: Now, after: State
    ) -> None:
        """Its relay is closed, and for long enough; its amplifier is warm; it is not too loud."""
        others = {zone for other in self.routed.values() if other is not routed for zone in other.zones}
        assert not zones & others, "two plays are routed to one zone"
        for zone in zones:
            site = after.site.zones[zone]
            assert zone in self.confirmed, "sound for a zone whose relay is not reported on"
            warm_at = self.reported_on[zone] + site.warm_up_ms
            assert max(now.mono, routed.at) >= warm_at, "sound for an amplifier that is not warm"
            since, until = self.told[zone]
            assert until >= min(routed.ends, since + site.on_ms_max), "its relay opens before the end"
            urgent = routed.accepted.job.plays_as is JobClass.EMERGENCY
            own = since >= self.armed[routed.key]
            lasts = self.reported_on[zone] + site.on_ms_max >= routed.ends
            assert own or urgent or lasts, "its relay was closed too long before it"
        for feed in feeds:
            loudest = min(routed.accepted.job.volume, after.site.zones[feed.zone].volume_max)
            assert feed.volume <= loudest, "louder than a ceiling"

    def _unasked(self, event: Event, effects: tuple[fx.Effect, ...]) -> None:
        if isinstance(event, RelayChanged) and event.on and event.zone not in self.told:
            assert fx.SwitchRelay(event.zone, False, 0) in effects, "a relay that nobody wants closed is let be"

    def _relays_are_claimed(self, now: Now, after: State) -> None:
        claimed = {
            zone
            for play in after.plays.values()
            if play.phase in SOUNDING
            for zone in play.zones_in(*CLAIMS, ZonePart.WAITING)
        }
        held = self.least.held(now, after)
        self.lawbook.relays(frozenset(self.told), frozenset(claimed) | held, now, after)
        ordered = {zone for zone, relay in after.relays.items() if relay.ordered_on}
        assert ordered == self.told.keys(), "the core does not know what it ordered"
        closed = {zone for zone, relay in after.relays.items() if relay.closed_since is not None}
        assert closed <= self.confirmed, "the core takes a relay for closed that is not reported so"


def _may_be(job: Job, now: Now) -> bool:
    """Whether it may be of today by a clock, be it one that nobody has signed."""
    return now.tells_validity and max(job.issued_at, job.not_before) - APART_MS <= now.utc <= job.not_after
