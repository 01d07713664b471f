"""The books of deliveries: each is acknowledged once, an order only after the disk has had its say, and answered."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_agent.core import effects as fx
from edge_agent.core.events import AckToken, Connected, Event, JobSaved, JournalFailed, MessageArrived, PaperRead
from edge_agent.core.manifests import NO_DELIVERY
from edge_agent.core.state import State
from edge_agent.core.units import JobId


@dataclass
class Deliveries:
    """What was delivered and not acknowledged yet (``owing``: for which job), and which jobs need no save any more.

    ``answered``: of which somebody has heard.
    """

    saved: set[JobId] = field(default_factory=set)
    owing: dict[AckToken, JobId | None] = field(default_factory=dict)
    acked: set[AckToken] = field(default_factory=set)
    answered: set[JobId] = field(default_factory=set)

    def see(self, event: Event, effects: tuple[fx.Effect, ...], after: State) -> None:
        """Look at one step."""
        self._hear(event)
        self.answered |= {JobId(effect.job_id) for effect in effects if isinstance(effect, fx.SendAnswer)}
        for effect in effects:
            match effect:
                case fx.Ack(token=token):
                    self._ack(token, event, effects)
                case fx.CommitRecord(record=record, job_over=True):
                    self.saved.add(JobId(record.job_id))
                case fx.SendAnswer(verdict=verdict, reason=reason):
                    assert (reason is None) == (verdict is fx.Verdict.ACCEPTED), "every refusal has a reason, by name"
        self._nothing_is_forgotten(after)

    def _hear(self, event: Event) -> None:
        match event:
            case MessageArrived(token=token):
                self.owing[token] = None
            case Connected():
                self.owing.clear()  # what was delivered in an earlier connection is delivered again
            case JobSaved(job_id=job_id):
                self.saved.add(job_id)

    def _ack(self, token: AckToken, event: Event, effects: tuple[fx.Effect, ...]) -> None:
        assert token not in self.acked or token == NO_DELIVERY, "a delivery is acknowledged once"
        self.acked.add(token)
        job_id = self.owing.pop(token, None)
        if isinstance(event, MessageArrived | PaperRead):
            assert token == (NO_DELIVERY if isinstance(event, PaperRead) else event.token), (
                "acknowledged another delivery"
            )
            self._at_once(effects)
        else:
            assert isinstance(event, JobSaved | JournalFailed), "acknowledged before the disk had its say"
            assert job_id in (event.job_id, None), "acknowledged a delivery of another job"
            assert isinstance(event, JournalFailed) or event.job_id in self.answered, "saved, and nobody was answered"

    def _at_once(self, effects: tuple[fx.Effect, ...]) -> None:
        """What is acknowledged on arrival was refused, or is known and saved."""
        for answer in (effect for effect in effects if isinstance(effect, fx.SendAnswer)):
            assert answer.verdict is not fx.Verdict.ACCEPTED, "an order was accepted before it was saved"
            known = answer.verdict is fx.Verdict.KNOWN
            assert not known or answer.job_id in self.saved, "acknowledged a job that is not saved"

    def _nothing_is_forgotten(self, after: State) -> None:
        for token, job_id in self.owing.items():
            waiting = [job for job, delivered in after.waiting_acks.items() if token in delivered.tokens]
            assert waiting, "a delivery is neither acknowledged nor waiting for its save"
            self.owing[token] = waiting[0] if job_id is None else job_id
