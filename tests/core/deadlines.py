"""The books of waiting: nothing waits longer than its deadline, and whoever waits has asked to be woken for it.

A deadline for each open phase of ``occurrence.TABLE``, for what is within a phase (a stop, a zone that comes back), for
what was set aside, for a rule, and for a job before it has an occurrence (the disk, the welcome, the commune's choice).
Only a clock that cannot tell the time, or a pause, which ends by itself, lets things wait; and what lies before the
boot by a time that nobody has signed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from edge_agent.core import switching, zones
from edge_agent.core.beginning import ASIDE_MS
from edge_agent.core.clock_trust import Now
from edge_agent.core.job import Job, JobClass, PlayNow
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import AllStop, Amplify, Cancel, Command, Lock, Pause, Regulation, Window
from edge_agent.core.past import LATE_GRACE_MS
from edge_agent.core.plays import Occurrence, ZonePart
from edge_agent.core.programme import item_key, items_of, length_ms
from edge_agent.core.reasons import Reason
from edge_agent.core.schedule import repeats
from edge_agent.core.selftest import CLOSED_MS
from edge_agent.core.sounding import PLAY_GRACE_MS, STOP_GRACE_MS
from edge_agent.core.state import KnownJob, KnownRule, SelfTesting, State, Turn
from edge_agent.core.units import MonoMs, UtcMs
from edge_agent.core.waiting import SAVE_WAIT_MS

What = tuple[object, ...]
WAITING = (Phase.RECEIVED, Phase.STAGED, Phase.QUEUED)


@dataclass
class Deadlines:
    """One process life. ``since`` maps what waits to the boot time at which it was first seen waiting."""

    since: dict[What, MonoMs] = field(default_factory=dict)

    def at_rest(self, state: State, now: Now, wake: MonoMs | None) -> None:
        """Look at a state that has nothing more to do at this instant."""
        waits = {what: until for what, until in self._waits(state, now) if now.signed or until >= 0}
        for what, until in waits.items():
            assert now.mono <= until, f"a wait is past its deadline: {what}"
            assert wake is not None, f"nobody wakes what waits: {what}"
            assert wake <= until + 1, f"a wait is woken after its deadline: {what}"
        self.since = {what: since for what, since in self.since.items() if what in waits}
        for play in state.plays.values():
            _due(Turn(state, now), play)

    def _waits(self, state: State, now: Now) -> Iterator[tuple[What, MonoMs]]:
        for play in state.plays.values():
            job = state.jobs[play.job_id].job
            if play.phase is Phase.ARMED:
                yield self._for((play.key, play.phase, play.since), _armed_ms(Turn(state, now), play), now)
            elif play.phase is Phase.PLAYING:
                yield from self._playing(play, now)
            elif not state.stopping and play.segment > 0:
                yield from self._set_aside(state, play, job, now)
            elif not state.stopping and _tells(job, now):
                yield (play.key, play.phase), _begin_by(job, play, now)
            if play.phase is Phase.RECEIVED and not state.stopping:
                yield from self._sounds(state, job)
        for known in state.jobs.values():
            yield from self._before(state, known, now)
        for rule in state.rules.values():
            yield from self._rule(rule, now)
        if state.testing is not None:
            yield self._tests(state, state.testing, now)

    def _tests(self, state: State, test: SelfTesting, now: Now) -> tuple[What, MonoMs]:
        """To be seen closed for a second; then to be seen open, once the relay has been closed for its least time."""
        what = (test.zone, len(test.results), "opens" if test.opening else "closes")
        least_on_ms = state.site.zones[test.zone].least_on_ms if test.opening and test.zone is not None else CLOSED_MS
        return self._for(what, switching.RELAY_CONFIRM_MS + least_on_ms, now)

    def _set_aside(self, state: State, play: Occurrence, job: Job, now: Now) -> Iterator[tuple[What, MonoMs]]:
        """Ten minutes, or as late as it may be; zones that missed it wait as long as was signed. A pause stops that."""
        if not any(_pauses(rule, play, now) for rule in state.rules.values()):
            patience_ms = job.zones_limit_ms if play.all_out else max(job.late_limit_ms, ASIDE_MS)
            first = play.segment if not play.all_out else "all out"
            yield self._for((play.key, "aside", first), patience_ms, now)

    def _rule(self, rule: KnownRule, now: Now) -> Iterator[tuple[What, MonoMs]]:
        what, order = (rule.accepted.order_id, rule.held, "rule"), rule.accepted.order
        if rule.held and now.trusted:
            yield what, now.mono_of(order.heading.not_after)
        elif rule.saved and not rule.held:
            match order:
                case Command(action=Lock(for_ms) | AllStop(for_ms) | Pause(for_ms) | Amplify(for_ms=for_ms)):
                    yield self._for((*what, rule.since), for_ms, now)
                case Window(ends=ends) | Command(action=Cancel(until=ends)) if now.trusted:
                    yield what, now.mono_of(UtcMs(ends - 1))
                case Regulation(heading=heading) if now.trusted:
                    yield what, now.mono_of(heading.not_after)

    def _playing(self, play: Occurrence, now: Now) -> Iterator[tuple[What, MonoMs]]:
        if play.ending is not None:
            yield self._for((play.key, "stop", play.play_id), STOP_GRACE_MS, now)
            return
        lasts_ms = 0 if play.started is None else length_ms(play.parts)
        yield (play.key, play.phase), MonoMs(play.start_at + lasts_ms + PLAY_GRACE_MS)
        for zone in play.zones_in(ZonePart.CLOSING):
            yield self._for((play.key, zone, play.play_id), switching.RELAY_CONFIRM_MS, now)

    def _sounds(self, state: State, job: Job) -> Iterator[tuple[What, MonoMs]]:
        for item in items_of(job):
            clip = state.clips.get(item_key(item))
            if clip is not None and clip.retry_at is not None:
                yield (item_key(item), "asked for again"), clip.retry_at

    def _before(self, state: State, known: KnownJob, now: Now) -> Iterator[tuple[What, MonoMs]]:
        waits = known.held and not known.called_off  # else it sounds, and is heard to its end
        stops = any(play.job_id == known.job.job_id for play in state.plays.values())  # its choice was taken back
        if (waits or (known.offered and known.saved and not stops)) and now.trusted:
            yield (known.job.job_id, "held"), now.mono_of(known.job.not_after)
        if known.job.plays_as is JobClass.EMERGENCY and not (known.saved or known.unsaved_sounds):
            yield self._for((known.job.job_id, "saving"), SAVE_WAIT_MS, now)

    def _for(self, what: What, ms: int, now: Now) -> tuple[What, MonoMs]:
        return what, MonoMs(self.since.setdefault(what, now.mono) + ms)


def _pauses(rule: KnownRule, play: Occurrence, now: Now) -> bool:
    order = rule.accepted.order
    if rule.held or not isinstance(order, Command) or not isinstance(order.action, Pause):
        return False
    over = now.mono >= rule.since + order.action.for_ms
    return not over and (not order.heading.audience.zones or bool(order.heading.audience.zones & {*zones.in_it(play)}))


def _tells(job: Job, now: Now) -> bool:
    return now.tells_validity if isinstance(job.when, PlayNow) else now.trusted


def _begin_by(job: Job, play: Occurrence, now: Now) -> MonoMs:
    late_ms = max(job.late_limit_ms, LATE_GRACE_MS)
    return now.mono_of(job.not_after) if isinstance(job.when, PlayNow) else MonoMs(now.mono_of(play.planned) + late_ms)


def _armed_ms(turn: Turn, play: Occurrence) -> int:
    """From the order to the slowest amplifier's first sample, and the patience for a relay that does not answer."""
    return max(switching.cold_lead_ms(turn.state.site, zone) for zone in play.zones) + switching.RELAY_CONFIRM_MS


def _due(turn: Turn, play: Occurrence) -> None:
    """What is ready waits for its instant alone; whatever else holds it back has a name."""
    job, state, now = turn.job_of(play), turn.state, turn.now
    if play.phase is not Phase.STAGED or state.stopping:
        return
    if job.plays_as is not JobClass.EMERGENCY and not now.trusted:
        assert play.held_by is Reason.CLOCK_NOT_TRUSTED, "what waits for the clock says so"
        return
    if not now.signed and _begin_by(job, play, now) < 0:
        return  # over before this boot, by hearsay
    assert play.held_by is None, "nothing holds it back any more"
    lead_ms = max(switching.cold_lead_ms(turn.state.site, zone) for zone in play.zones)
    due_at = now.mono_of(play.planned) - lead_ms
    if isinstance(job.when, PlayNow):  # a repetition waits for its gap at most, wherever the clock was put
        due_at = min(due_at, play.since + job.when.every_ms - lead_ms) if repeats(job) else now.mono
    assert now.mono < max(due_at, play.again_at), "what is due does not wait for its instant"
