"""The books of alerts: which version is the newest, what was corrected, and where each job was ever sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from edge_agent.core import effects as fx
from edge_agent.core.events import Event, Restored, SavedJob
from edge_agent.core.job import Accepted, Job, JobClass
from edge_agent.core.reasons import Reason
from edge_agent.core.state import State
from edge_agent.core.units import JobId, ZoneId

Series = tuple[str, str]


@dataclass
class Alerts:
    """One process life; ``sent`` (where a job was sent) and ``accepted`` outlive it.

    ``waits`` counts for how many releases a job waits: for a welcome, and for being chosen where it is only offered.
    ``versions`` are those that are obeyed, and all-clears of what was not heard here; ``corrected`` are jobs that were
    here when somebody set them right.
    """

    accepted: dict[str, Accepted]
    sent: dict[JobId, set[ZoneId]]
    waits: dict[JobId, int] = field(default_factory=dict)
    jobs: dict[JobId, Job] = field(default_factory=dict)
    versions: dict[Series, dict[JobId, Job]] = field(default_factory=dict)
    corrected: set[JobId] = field(default_factory=set)

    def see(self, event: Event, effects: tuple[fx.Effect, ...]) -> None:
        """Look at one step."""
        if isinstance(event, Restored):
            for saved in event.jobs:
                self._kept(saved)
        for effect in effects:
            match effect:
                case fx.SaveJob(saved=SavedJob() as saved):
                    self._kept(saved)
                case fx.ReleaseJob(job_id=job_id) if job_id in self.jobs:
                    self.waits[job_id] -= 1
                    self._obeyed(self.jobs[job_id])
                case fx.SendAnswer(verdict=fx.Verdict.REFUSED, reason=reason, digest=digest) if digest in self.accepted:
                    self._refused(self.accepted[digest].job, reason)

    def _kept(self, saved: SavedJob) -> None:
        job = saved.accepted.job
        if self.jobs.get(job.job_id) != job:
            self.jobs[job.job_id] = job
            self.waits[job.job_id] = saved.held + saved.accepted.offered
            self._obeyed(job)

    def _obeyed(self, job: Job) -> None:
        if self.waits.get(job.job_id, 0) > 0:
            return
        if job.series:
            self.versions.setdefault((job.issuer, job.series), {})[job.job_id] = job
        wrong = self.jobs.get(JobId(job.corrects))
        if wrong is not None and wrong.issuer == job.issuer and _ends(job, wrong):
            self.corrected.add(wrong.job_id)

    def _refused(self, job: Job, reason: Reason | None) -> None:
        if reason is Reason.NOT_HEARD_HERE:
            self._obeyed(job)
        elif reason is Reason.NOT_SAVED:
            self.versions.get((job.issuer, job.series), {}).pop(job.job_id, None)
            self.jobs.pop(job.job_id, None)

    def sounds(self, job: Job, zones: Iterable[ZoneId]) -> None:
        """A job is sent to zones."""
        if job.all_clear or job.corrects:
            ended = job.corrects
            meant = [one.job for one in self.accepted.values() if self._is_meant(one.job, job)]
            heard = {zone for one in meant for zone in self.sent.get(one.job_id, ())}
            assert set(zones) <= heard, f"cleared or corrected where nothing was heard: {ended or job.series}"
        self.sent.setdefault(job.job_id, set()).update(zones)

    @staticmethod
    def _is_meant(other: Job, job: Job) -> bool:
        if other.issuer != job.issuer or other.job_id == job.job_id:
            return False
        return other.job_id == job.corrects if job.corrects else other.series == job.series

    def in_order(self, playing: Iterable[Job], state: State) -> None:
        """What sounds at the end of a step is the newest of its kind, and not corrected; nobody rehearses an alert."""
        known = [one for one in state.jobs.values() if one.job.plays_as is JobClass.EMERGENCY and not one.called_off]
        for job in playing:
            others = self.versions.get((job.issuer, job.series), {}).values()
            versions = [other.version for other in others if _ends(other, job)]
            assert not job.series or job.version >= max(versions, default=0), "an older version sounds"
            assert job.job_id not in self.corrected, "what was corrected sounds"
            assert not (job.rehearsal and known), "a rehearsal while a real warning is in force"


def _ends(newer: Job, older: Job) -> bool:
    """What is no warning ends none."""
    return newer.plays_as is JobClass.EMERGENCY or older.plays_as is not JobClass.EMERGENCY
