"""Decide when a zone's relay is ordered to close and to open: its amplifier's warm-up, its least times, its longest.

Who has the zone, ``zones`` decides; a relay that nothing claims opens.
"""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import SwitchRelay
from edge_agent.core.job import Job, JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.plays import CLAIMS, HOLDS, Occurrence
from edge_agent.core.programme import length_ms
from edge_agent.core.site import Site
from edge_agent.core.state import Relay, State, Turn
from edge_agent.core.units import SECOND_MS, MonoMs, ZoneId

RELAY_LEAD_MS = 200
# From the order to the confirmed contact, the device process included: relay boards settle in 10–20 ms, the rest is
# room for a busy single-board computer.
RELAY_CONFIRM_MS = 3 * SECOND_MS
# A relay that has not confirmed this long after it was needed is broken (a lease, interlock.LEASE_MS).
RELAY_TAIL_MS = 5 * SECOND_MS
# How much longer than it is needed a relay may stay closed before it opens by itself.


def warm_in_ms(turn: Turn, zone: ZoneId) -> int:
    """How long until a zone's amplifier is warm, if its relay closes now or is closed already."""
    warm_up_ms = turn.state.site.zones[zone].warm_up_ms
    since = turn.state.relays[zone].closed_since
    return warm_up_ms if since is None else max(0, since + warm_up_ms - turn.now.mono)


def rests_ms(turn: Turn, zone: ZoneId, job: Job) -> int:
    """How long a relay that has opened must stay open yet, before a job may close it: no emergency waits for that (S3).

    Whoever comes up next claims its zone that much earlier (``cold_lead_ms``), so what is known in time waits for
    nothing: a relay that would have to close again too soon does not open.
    """
    return 0 if job.plays_as is JobClass.EMERGENCY else max(0, _rested_at(turn.state, zone) - turn.now.mono)


def rested(turn: Turn, zone: ZoneId) -> bool:
    """Whether an open relay has been open for its least time."""
    return _rested_at(turn.state, zone) <= turn.now.mono


def sounds_in_ms(turn: Turn, zone: ZoneId, job: Job) -> int:
    """How long until a job may sound in a zone: its relay has rested, and its amplifier is warm."""
    rests = rests_ms(turn, zone, job)
    return warm_in_ms(turn, zone) + (rests + RELAY_LEAD_MS if rests else 0)


def order_at(turn: Turn, zone: ZoneId, job: Job, start_at: MonoMs) -> MonoMs:
    """When a zone is given the order for a first sample at ``start_at``; it may be past."""
    at = MonoMs(start_at - warm_in_ms(turn, zone) - RELAY_LEAD_MS)
    if at > turn.now.mono and turn.state.relays[zone].closed_since is not None:
        # What it still needs to be warm shrinks as time passes: an instant counted from that would never come nearer.
        return MonoMs(start_at - RELAY_LEAD_MS)
    rests = rests_ms(turn, zone, job)
    return MonoMs(max(at, turn.now.mono + rests)) if rests else at


def cold_lead_ms(site: Site, zone: ZoneId) -> int:
    """How long before its first sample a zone is claimed that is cold then, or would have to close again too soon."""
    return site.zones[zone].least_off_ms + site.zones[zone].warm_up_ms + RELAY_LEAD_MS


def open_worn(turn: Turn, zone: ZoneId, ends_at: MonoMs) -> None:
    """Open a relay that has been closed for so long that it would open by itself before ``ends_at``.

    Closed anew it counts anew. Not while somebody else sounds there, or is about to.
    """
    relay = turn.state.relays[zone]
    since = relay.ordered_at if relay.since is None else relay.since  # it may be closed, and nobody has said so yet
    worn = relay.ordered_on and since + turn.state.site.zones[zone].on_ms_max < ends_at
    if not worn or holders(turn.state, zone):
        return
    _open_relay(turn, zone)


def keep_closed(turn: Turn, play: Occurrence, zone: ZoneId) -> None:
    """An occurrence has claimed a zone and waits there: a relay that is closed stays so until its sound is over."""
    waits = turn.now.mono < order_at(turn, zone, turn.job_of(play), play.start_at)
    if waits and turn.state.relays[zone].ordered_on:
        close_relay(turn, play, zone)


def longest_ms(site: Site, zone: ZoneId) -> int:
    """The longest programme for which a zone's relay may stay closed, its warm-up before it included."""
    return site.zones[zone].on_ms_max - site.zones[zone].warm_up_ms - RELAY_LEAD_MS


def close_relay(turn: Turn, play: Occurrence, zone: ZoneId) -> None:
    """Order a zone's relay closed for as long as the longest programme that claims it still lasts, and no longer."""
    claims = [other for other in turn.state.plays.values() if zone in other.zones_in(*CLAIMS) or other.key == play.key]
    _close(turn, zone, max(claim.start_at + length_ms(claim.parts) for claim in claims))


def warm(turn: Turn, zone: ZoneId, for_ms: int) -> None:
    """Switch an amplifier on although nothing sounds there; it goes off by itself after ``for_ms``."""
    if turn.state.device_up:
        relay = turn.state.relays[zone]
        turn.put_relay(zone, replace(relay, warm_until=max(relay.warm_until, MonoMs(turn.now.mono + for_ms))))
        if not rested(turn, zone):
            return  # close_what_rested closes it then
        claims = [play for play in turn.state.plays.values() if zone in play.zones_in(*CLAIMS)]
        _close(turn, zone, max((claim.start_at + length_ms(claim.parts) for claim in claims), default=0))


def _close(turn: Turn, zone: ZoneId, sounds_until: int) -> None:
    """Order a relay closed until its sound is over and its amplifier needs not be warm any more, and little longer."""
    relay = turn.state.relays.get(zone, Relay())
    if not relay.ordered_on:
        # An opening may be on its way whose report has not come, or never will: the warm-up counts from this closing.
        turn.put_relay(zone, replace(relay, ordered_on=True, ordered_at=turn.now.mono, since=None))
    site = turn.state.site.zones[zone]
    needed_ms = max(sounds_until - turn.now.mono, relay.warm_until - turn.now.mono, site.least_on_ms)
    turn.emit(SwitchRelay(zone, True, min(needed_ms + RELAY_TAIL_MS, site.on_ms_max)))


def confirm_by(state: State, zone: ZoneId) -> MonoMs:
    """When a relay that was ordered to close, and has not said that it did, is taken for broken."""
    return MonoMs(state.relays[zone].ordered_at + RELAY_CONFIRM_MS)


def open_unclaimed(turn: Turn, kept_closed: frozenset[ZoneId]) -> None:
    """Open every relay that nothing claims any more. Runs last in a step, so a hand-over is one relay cycle."""
    for zone, relay in turn.state.relays.items():
        if relay.ordered_on and zone not in kept_closed and not is_claimed(turn.state, zone):
            _open_relay(turn, zone)


def too_short(state: State, now: Now) -> frozenset[ZoneId]:
    """The zones whose relays have not been closed for their least time yet."""
    return frozenset(zone for zone in state.site.zones if _may_open_at(state, zone) > now.mono)


def still_warm(turn: Turn, kept_warm: frozenset[ZoneId]) -> frozenset[ZoneId]:
    """Of the amplifiers that are to be warm those that have not gone off since, by a fault or by whoever restarted."""
    return frozenset(zone for zone in kept_warm if turn.state.relays[zone].warm_until > turn.now.mono)


def close_what_rested(turn: Turn, kept_warm: frozenset[ZoneId]) -> None:
    """Close the relays of the amplifiers that are to be warm, and that had been switched off only just before."""
    for zone in kept_warm if turn.state.device_up else ():
        if not turn.state.relays[zone].ordered_on and rested(turn, zone):
            _close(turn, zone, 0)


def next_wake(state: State, now: Now) -> list[MonoMs]:
    """When a relay has been closed, or open, for its least time."""
    ends = [at for zone in state.site.zones for at in (_may_open_at(state, zone), _rested_at(state, zone))]
    return [at for at in ends if at > now.mono]


def _may_open_at(state: State, zone: ZoneId) -> MonoMs:
    """Until when a relay that is ordered closed stays so at least; 0 for any other."""
    relay = state.relays[zone]
    since = relay.ordered_at if relay.since is None else relay.since
    return MonoMs(since + state.site.zones[zone].least_on_ms if relay.ordered_on else 0)


def _rested_at(state: State, zone: ZoneId) -> MonoMs:
    """Until when a relay that has opened stays so at least; 0 for any other."""
    relay = state.relays[zone]
    rests = not relay.ordered_on and relay.opened_at is not None
    return MonoMs((relay.opened_at or 0) + state.site.zones[zone].least_off_ms if rests else 0)


def is_claimed(state: State, zone: ZoneId) -> bool:
    """Whether a programme needs a zone's relay closed.

    What is armed and still waits for its moment keeps a relay that is closed already: the amplifier is warm.
    """
    return any(
        zone in play.zones_in(*HOLDS) for play in state.plays.values() if play.phase in (Phase.ARMED, Phase.PLAYING)
    )


def relay_reported(turn: Turn, zone: ZoneId, on: bool, at: MonoMs) -> None:
    """A relay is known to be on or off."""
    relay = turn.state.relays.get(zone, Relay())
    known = relay.since if relay.on else None
    since = (at if known is None else known) if on else None
    # One that is open already and was never seen closed had been so for an agent that died.
    opened_at = at if not on and (relay.on is not False or relay.opened_at is None) else relay.opened_at
    turn.put_relay(zone, replace(relay, on=on, since=since, opened_at=opened_at))


def _open_relay(turn: Turn, zone: ZoneId) -> None:
    opened = replace(turn.state.relays[zone], ordered_on=False, warm_until=MonoMs(0), opened_at=turn.now.mono)
    turn.put_relay(zone, opened)
    turn.emit(SwitchRelay(zone, False, 0))


def holders(state: State, zone: ZoneId) -> list[Occurrence]:
    """What sounds, or is about to sound, in a zone."""
    return [
        play
        for play in state.plays.values()
        if play.phase in (Phase.ARMED, Phase.PLAYING) and play.ending is None and zone in play.zones_in(*HOLDS)
    ]
