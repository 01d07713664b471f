"""Decide what may follow what in the life of one occurrence: the transition table, and nothing else.

An occurrence is (job, planned instant): one sounding of a job. It ends in exactly one outcome and one record.
The diagram in docs/one-job.md is drawn from ``TABLE``.
"""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """One vocabulary for logs, records, screens and upstream."""

    # open
    RECEIVED = "received"  # known; its audio is being fetched and staged
    STAGED = "staged"  # all its sound lies ready; waits for its instant
    QUEUED = "queued"  # due, but its zones sound something it may not cut off, or the device is down
    ARMED = "armed"  # intent is on disk; relays close and amplifiers warm up
    PLAYING = "playing"
    # outcomes
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    REJECTED = "rejected"
    MISSED = "missed"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


class Cause(StrEnum):
    """What moves an occurrence."""

    CLIPS_READY = "clips_ready"
    CLIPS_FAILED = "clips_failed"
    CLIPS_LOST = "clips_lost"  # staged sound turned out altered; it is staged again
    RULE_FORBIDS = "rule_forbids"
    DUE = "due"
    HELD_BACK = "held_back"  # zones taken or device down
    TOO_LATE = "too_late"
    VALIDITY_OVER = "validity_over"
    RELAYS_READY = "relays_ready"
    RELAYS_FAILED = "relays_failed"
    ALL_SAMPLES_OUT = "all_samples_out"
    NOTHING_CAME = "nothing_came"  # all silence: a live source gave nothing, and nothing stood in for it
    DEVICE_LOST = "device_lost"
    TRY_AGAIN = "try_again"  # an emergency, or an intent without a first sample, gets another attempt
    CUT_OFF = "cut_off"
    SET_ASIDE = "set_aside"  # what sounded is to go on later: an emergency took every zone, or it was paused
    STOPPED = "stopped"
    CALLED_OFF = "called_off"  # cancelled before it sounded
    REPLACED = "replaced"  # a newer version of its series has come before it sounded
    SERVED = "served"  # it had sounded, and the zones that missed it do not hear it later either
    POWER_LOST = "power_lost"  # found at boot: it had begun, and may not begin again


OUTCOMES = frozenset(
    {
        Phase.SUCCEEDED,
        Phase.FAILED,
        Phase.EXPIRED,
        Phase.REJECTED,
        Phase.MISSED,
        Phase.INTERRUPTED,
        Phase.CANCELLED,
        Phase.SUPERSEDED,
    }
)
OPEN = frozenset(Phase) - OUTCOMES

_NOT_SOUNDING = (Phase.RECEIVED, Phase.STAGED, Phase.QUEUED, Phase.ARMED)

TABLE: dict[tuple[Phase, Cause], Phase] = {
    (Phase.RECEIVED, Cause.CLIPS_READY): Phase.STAGED,
    (Phase.RECEIVED, Cause.CLIPS_FAILED): Phase.FAILED,
    (Phase.RECEIVED, Cause.RULE_FORBIDS): Phase.REJECTED,
    (Phase.RECEIVED, Cause.TOO_LATE): Phase.MISSED,
    (Phase.RECEIVED, Cause.VALIDITY_OVER): Phase.EXPIRED,
    (Phase.RECEIVED, Cause.POWER_LOST): Phase.INTERRUPTED,
    **{(phase, Cause.CALLED_OFF): Phase.CANCELLED for phase in _NOT_SOUNDING},
    **{(phase, Cause.REPLACED): Phase.SUPERSEDED for phase in _NOT_SOUNDING},
    (Phase.STAGED, Cause.CLIPS_LOST): Phase.RECEIVED,
    (Phase.STAGED, Cause.DUE): Phase.ARMED,
    (Phase.STAGED, Cause.HELD_BACK): Phase.QUEUED,
    (Phase.STAGED, Cause.RULE_FORBIDS): Phase.REJECTED,
    (Phase.STAGED, Cause.TOO_LATE): Phase.MISSED,
    (Phase.STAGED, Cause.VALIDITY_OVER): Phase.EXPIRED,
    (Phase.QUEUED, Cause.CLIPS_LOST): Phase.RECEIVED,
    (Phase.QUEUED, Cause.DUE): Phase.ARMED,
    (Phase.QUEUED, Cause.RULE_FORBIDS): Phase.REJECTED,
    (Phase.QUEUED, Cause.TOO_LATE): Phase.MISSED,
    (Phase.QUEUED, Cause.VALIDITY_OVER): Phase.EXPIRED,
    (Phase.ARMED, Cause.RELAYS_READY): Phase.PLAYING,
    (Phase.ARMED, Cause.RELAYS_FAILED): Phase.FAILED,
    (Phase.ARMED, Cause.RULE_FORBIDS): Phase.REJECTED,
    (Phase.ARMED, Cause.TOO_LATE): Phase.MISSED,
    (Phase.ARMED, Cause.VALIDITY_OVER): Phase.EXPIRED,
    (Phase.ARMED, Cause.HELD_BACK): Phase.QUEUED,
    (Phase.ARMED, Cause.TRY_AGAIN): Phase.QUEUED,
    (Phase.ARMED, Cause.DEVICE_LOST): Phase.FAILED,
    (Phase.PLAYING, Cause.ALL_SAMPLES_OUT): Phase.SUCCEEDED,
    (Phase.PLAYING, Cause.NOTHING_CAME): Phase.FAILED,
    (Phase.PLAYING, Cause.DEVICE_LOST): Phase.FAILED,
    (Phase.PLAYING, Cause.TRY_AGAIN): Phase.QUEUED,
    (Phase.PLAYING, Cause.CUT_OFF): Phase.INTERRUPTED,
    (Phase.PLAYING, Cause.SET_ASIDE): Phase.QUEUED,
    (Phase.STAGED, Cause.CUT_OFF): Phase.INTERRUPTED,
    (Phase.QUEUED, Cause.CUT_OFF): Phase.INTERRUPTED,
    (Phase.ARMED, Cause.CUT_OFF): Phase.INTERRUPTED,
    (Phase.RECEIVED, Cause.CUT_OFF): Phase.INTERRUPTED,
    (Phase.QUEUED, Cause.SERVED): Phase.SUCCEEDED,
    (Phase.ARMED, Cause.SERVED): Phase.SUCCEEDED,
    (Phase.RECEIVED, Cause.SERVED): Phase.SUCCEEDED,
    (Phase.PLAYING, Cause.STOPPED): Phase.INTERRUPTED,
}


def follow(phase: Phase, cause: Cause) -> Phase:
    """The next phase. A pair that is not in the table is our own bug, so it raises ``KeyError``."""
    return TABLE[phase, cause]
