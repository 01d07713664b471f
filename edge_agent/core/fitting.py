"""Decide which of its parts an occurrence sounds, if its first sample is at a given instant.

Of its chimes those that cost nobody anything (``framing``), and group after group (``turns``) where that does not
either; of its live sources what is in time.
"""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import beginning, framing, standing, turns, zones
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.plays import Occurrence
from edge_agent.core.programme import Part, length_ms, live_until, promised_parts, relayed_until
from edge_agent.core.site import Group
from edge_agent.core.state import Turn
from edge_agent.core.units import MonoMs, ZoneId


def fitted(turn: Turn, play: Occurrence, start_at: MonoMs) -> Occurrence:
    """The occurrence with the parts that sound; with none of them left it must not begin."""
    return _framed(turn, _in_time(turn, play, start_at), start_at)


def spoken_in(turn: Turn, play: Occurrence, speaking: tuple[ZoneId, ...]) -> Occurrence:
    """The occurrence, which begins in these zones, without the turn of a group that does not: that has missed it."""
    return replace(play, parts=turns.among(_speakers(turn, play, speaking), play.parts))


def longest_ms(turn: Turn, play: Occurrence) -> int:
    """How long it may sound at most."""
    return max(length_ms(parts) for parts in _layouts(turn, play))


def _layouts(turn: Turn, play: Occurrence) -> tuple[tuple[Part, ...], ...]:
    groups = _speakers(turn, play, zones.in_it(play))
    return turns.layouts(turn.state.site, turn.job_of(play), groups, play.parts, play.whole)


def _speakers(turn: Turn, play: Occurrence, where: tuple[ZoneId, ...]) -> frozenset[Group]:
    return turns.speakers(turn.state.site, turn.job_of(play), where, play.parts, goes_on=play.segment > 0)


def _in_time(turn: Turn, play: Occurrence, start_at: MonoMs) -> Occurrence:
    """The occurrence with its live sources ending when they were ordered to, if its first sample is at ``start_at``."""
    job, until = turn.job_of(play), play.live_until
    if until is None and not beginning.immediate(job):
        until = live_until(play.planned, play.parts)
    if until is None or not job.live:
        return play
    return replace(play, live_until=until, parts=relayed_until(play.parts, turn.now.utc_of(start_at), until))


def _framed(turn: Turn, play: Occurrence, start_at: MonoMs) -> Occurrence:
    """The occurrence with those of its chimes, and the turns, that cost nothing, if it begins at ``start_at``."""
    layouts = _layouts(turn, play)
    play = replace(play, parts=layouts[-1])
    if len(layouts) == 1 and not framing.is_framed(play.parts):
        return play

    coming = _coming(turn, play)

    def ask(parts: tuple[Part, ...]) -> object:
        framed = replace(play, parts=parts)
        verdict = beginning.verdict(turn, framed, start_at)
        rules, wish = standing.rules_of(turn.state, turn.now, besides=play), beginning.wish(turn, framed, start_at)
        heard = zones.with_volumes(turn, replace(framed, under=verdict.under), rules, wish.until(verdict.ends_at))
        volumes = {zone: run.volume for zone, run in heard.zones.items()}
        objection = beginning.objection(turn, framed, start_at, verdict)
        late, cut = framing.made_late(wish.end, coming), turns.cut_off(parts, verdict.ends_at)
        return verdict, volumes, objection, late, cut

    past, wish = standing.rules_of(turn.state, turn.now, besides=play).past, beginning.wish(turn, play, start_at)
    ends = framing.over_at(wish.counts_from, play.parts)
    beside = framing.neighbours(turn.job_of(play), wish.zones, play.planned, ends, past, coming)
    choices = tuple(framed for parts in layouts for framed in framing.framings(parts, beside))
    return replace(play, parts=framing.fullest(choices, ask))


def _coming(turn: Turn, play: Occurrence) -> list[framing.Comer]:
    """Who waits for one of its zones."""
    others = [other for other in turn.state.plays.values() if other.key != play.key and _is_to_come(turn, other)]
    return framing.behind(
        turn.state.site, _comers(turn, play), [comer for other in others for comer in _comers(turn, other)]
    )


def _comers(turn: Turn, play: Occurrence) -> list[framing.Comer]:
    job = turn.job_of(play)
    return framing.comers(job, play.planned, zones.in_it(play), play.whole or promised_parts(job))


def _is_to_come(turn: Turn, other: Occurrence) -> bool:
    """Whether it is ordinary, and waits for an instant of its own."""
    job = turn.job_of(other)
    ordinary = job.plays_as is not JobClass.EMERGENCY and not beginning.immediate(job)
    return ordinary and other.phase is not Phase.PLAYING and other.segment == 0
