"""Decide what follows when a relay moves or fails, and when the device process, which has them all, comes or goes."""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import sounding, switching, zones
from edge_agent.core.effects import Level, SwitchRelay
from edge_agent.core.events import RelayChanged, RelayFailed
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Cause, Phase
from edge_agent.core.plays import CLAIMS, ZonePart
from edge_agent.core.reasons import Reason
from edge_agent.core.state import Relay, Turn
from edge_agent.core.units import MonoMs, ZoneId

ORDERED = "order"
"""The cause of a relay report that answers our own order; every other cause is the device's own doing."""
MAX_ON = "max_on"
"""The cause where a relay has been closed for its zone's longest time."""
LET_GO = ("lease", "stop")
"""The causes where all relays open, as nobody holds a lease (the card hangs) or the process ends: none is broken."""


def relay_changed(turn: Turn, event: RelayChanged) -> None:
    """A contact has moved: as it was ordered, later than that, or by itself."""
    relay = turn.state.relays.get(event.zone, Relay())
    wanted = relay.ordered_on
    if event.on and wanted and event.at < relay.ordered_at:
        return  # An earlier closing, told late: it was ordered open since, and the amplifier is cold again.
    switching.relay_reported(turn, event.zone, event.on, event.at)
    turn.note(Level.INFO, "relay", zone=event.zone, on=event.on, cause=event.cause)
    if event.on:
        if wanted:
            zones.confirmed(turn, event.zone, event.at)
        else:
            # Its opening may be on its way. If it is not (the closing crossed a failure), nothing else would open it.
            turn.emit(SwitchRelay(event.zone, False, 0))
            turn.put_relay(event.zone, replace(turn.state.relays[event.zone], opened_at=turn.now.mono))
    elif wanted and (event.cause == ORDERED or event.at < relay.ordered_at):
        # An opening before this closing, which is still on its way: we ordered it, or an agent before us had died.
        zones.unconfirmed(turn, event.zone)
    elif wanted:
        turn.note(Level.ERROR, "relay opened by itself", zone=event.zone, cause=event.cause)
        reason = Reason.DEVICE_FAILED if event.cause in LET_GO else Reason.RELAY_FAILED
        _zone_lost(turn, event.zone, reason, for_good=event.cause != MAX_ON)


def relay_failed(turn: Turn, event: RelayFailed) -> None:
    """Its contact may be closed all the same, so it is told to open."""
    zone = event.zone
    turn.note(Level.ERROR, "relay failed", zone=zone, detail=event.detail)
    relay = turn.state.relays.get(zone, Relay())
    if relay.ordered_on:
        turn.emit(SwitchRelay(zone, False, 0))
    turn.put_relay(zone, replace(relay, on=event.on))
    _zone_lost(turn, zone, Reason.RELAY_FAILED)


def _zone_lost(turn: Turn, zone: ZoneId, reason: Reason, *, for_good: bool = True) -> None:
    """A relay is open that should be closed: the zone is out of whatever claims it; other zones go on (S5).

    Not ``for_good``: into a warning that goes on it comes back through a fresh closing.
    """
    relay = turn.state.relays.get(zone, Relay())
    opened_at = turn.now.mono if relay.ordered_on else relay.opened_at  # it may have been closed, whatever was said
    turn.put_relay(zone, replace(relay, ordered_on=False, warm_until=MonoMs(0), opened_at=opened_at))
    for play in list(turn.state.plays.values()):
        if zone not in play.zones_in(*CLAIMS):
            continue
        warns = play.phase is Phase.PLAYING and turn.job_of(play).plays_as is JobClass.EMERGENCY
        back = warns and not for_good
        play = play.with_zone(zone, ZonePart.CLOSING if back else ZonePart.OUT, reason)
        turn.put_play(play)
        if play.phase is Phase.PLAYING:
            zones.reroute(turn, play, Cause.DEVICE_LOST, reason)
        if back and turn.state.plays[play.key].ending is None:
            switching.close_relay(turn, play, zone)


def device_up(turn: Turn) -> None:
    """There is a device process, all of whose relays are open: whatever sounded before is lost."""
    if turn.state.device_up:
        device_down(turn, "came back before it was missed")
    turn.state = replace(turn.state, device_up=True, relays=_all_off(turn))


def device_down(turn: Turn, detail: str) -> None:
    """The device process is gone, and with it all that sounded; its relays are open."""
    turn.state = replace(turn.state, device_up=False, relays=_all_off(turn))
    turn.note(Level.ERROR, "device process lost, its relays are open", detail=detail)
    for play in list(turn.state.plays.values()):
        if play.ending is not None:
            sounding.conclude(turn, play, play.ending)
        elif play.phase in (Phase.ARMED, Phase.PLAYING):
            sounding.lose(turn, play, Cause.DEVICE_LOST, Reason.DEVICE_FAILED)


def _all_off(turn: Turn) -> dict[ZoneId, Relay]:
    """Every relay open, those that may not have been since now."""
    before = {zone: turn.state.relays[zone] for zone in turn.state.site.zones}
    known = turn.state.device_up  # of whoever was never heard nothing has been closed
    return {
        zone: Relay(on=False, opened_at=turn.now.mono if known and relay.on is not False else relay.opened_at)
        for zone, relay in before.items()
    }
