"""Decide what a station that starts again takes up of what its journal holds, and what of that is over meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from edge_agent.core import commands, manifests, playing, sounding, standing, talk, unproven, waiting
from edge_agent.core.effects import DropMark, Level
from edge_agent.core.events import Mark, Restored, SavedJob, SavedMark
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Cause
from edge_agent.core.state import KnownJob, KnownRule, Link, Turn, Unproven
from edge_agent.core.units import JobId


def restore(turn: Turn, event: Restored) -> None:
    """Take up what the journal holds, judged by what is believed today, and end what was over or cannot go on."""
    jobs = {saved.accepted.job.job_id: _known(turn, saved, event) for saved in event.jobs}
    link = Link(log_epoch=event.epoch, chain_from=event.chain_from, last_seq=event.last_seq, acked_seq=event.acked_seq)
    link = replace(link, seed=event.seed)
    turn.state = replace(turn.state, jobs=jobs, seen=dict(event.seen), refused=event.refused, link=link)
    turn.state = replace(turn.state, past=event.past, trust=event.trust, floor=event.floor, unsigned=True)
    turn.state = replace(turn.state, forgotten=event.forgotten, forgot_by=event.forgot_by, spent=event.spent)
    for rule in event.rules:
        # What lasts counts anew: while nobody knows the time, it is better that a lock holds too long.
        known_rule = KnownRule(rule.accepted, rule.base, turn.now.mono, rule.held, saved=True, undated=not rule.held)
        known_rule = standing.dated(known_rule, turn.now)
        turn.put_rule(known_rule)
        if not rule.held:
            commands.restored(turn, known_rule)
    begun = {mark.job_id for mark in event.marks if mark.mark is Mark.FIRST_SAMPLE}
    chosen = [one.job.job_id for one in turn.state.jobs.values() if one.offered and one.job.job_id in begun]
    for job_id in chosen:
        turn.put_job(replace(turn.state.jobs[job_id], offered=False))  # what has sounded of it wants its record
    over = {job_id: why for job_id, known in turn.state.jobs.items() if (why := waiting.over_by(turn.state, known))}
    for job_id in over:
        turn.put_job(replace(turn.state.jobs[job_id], called_off=True))
    for mark in _last_of_each(event.marks):
        if _waits_for_a_choice(turn, mark):  # a choice is on the disk before it is obeyed: it was taken back
            turn.emit(DropMark(mark.job_id, mark.planned))
        else:
            playing.resume(turn, mark)
    for job_id in {*chosen} & turn.state.jobs.keys() - {job_id for job_id, _ in turn.state.plays}:
        turn.put_job(replace(turn.state.jobs[job_id], offered=True))  # that was all that somebody had chosen
    for known in [known for known in turn.state.jobs.values() if known.called_off]:
        sounding.call_off(turn, known, Cause.CALLED_OFF, over[known.job.job_id])
    manifests.restored(turn, event.manifests)
    talk.alone(turn)
    turn.note(Level.INFO, "restored", jobs=len(jobs), begun=len(event.marks), last_seq=event.last_seq)


def _waits_for_a_choice(turn: Turn, mark: SavedMark) -> bool:
    known = turn.state.jobs.get(mark.job_id)
    return known is not None and known.offered and not known.called_off


def _known(turn: Turn, saved: SavedJob, event: Restored) -> KnownJob:
    """A job as the journal has it. One that had begun waits for nothing, even if the disk did not take its release.

    But a warning that had begun without a time is still without one: it sounds once, and waits again.
    """
    job_id = saved.accepted.job.job_id
    begun = _has_begun(event, job_id)
    offered = saved.accepted.offered
    known = KnownJob(saved.accepted, saved.base, saved.held and not begun, saved=True, offered=offered)
    if not saved.held or known.job.plays_as is not JobClass.EMERGENCY or turn.now.dates:
        return known
    known = replace(known, held=True, asked_at=turn.now.mono)
    if begun:
        return unproven.as_unproven(turn.state, known)
    sounded = any(sound.job_id == job_id for sound in event.past)
    return replace(known, unproven=Unproven.HAS_SOUNDED) if sounded else known


def _last_of_each(marks: Iterable[SavedMark]) -> list[SavedMark]:
    """One of each job, which has one occurrence open at most: of one that was planned anew the earlier intent is there.

    Begun again beside the other it would sound as well, and be left without its job when that is over.
    """
    last: dict[JobId, SavedMark] = {}
    for mark in sorted(marks, key=lambda mark: (mark.mark is Mark.FIRST_SAMPLE, mark.planned)):
        last[mark.job_id] = mark
    return [mark for mark in marks if last[mark.job_id] is mark]


def _has_begun(event: Restored, job_id: JobId) -> bool:
    return any(mark.job_id == job_id for mark in event.marks)
