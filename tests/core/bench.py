"""Drive the core by hand: events in, effects out, and an obliging world that answers what it is told to answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edge_agent.core import effects as fx
from edge_agent.core import station
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.events import (
    AckToken,
    ClipFetched,
    ClipStaged,
    Connected,
    DeviceUp,
    Event,
    IntentSaved,
    JobSaved,
    Judgement,
    LogCompared,
    Mark,
    MessageArrived,
    PlayEnded,
    PlayStarted,
    RelayChanged,
    Restored,
    Tick,
    TimetableReleased,
)
from edge_agent.core.job import Accepted, Audience, Job, Welcome
from edge_agent.core.manifests import NO_DELIVERY
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import AcceptedRule, Command, Heading
from edge_agent.core.plays import Occurrence
from edge_agent.core.reasons import Reason
from edge_agent.core.units import JobId, MonoMs, PlayId, UtcMs, ZoneId
from tests.trust import makers

CLIP_MS = 10_000
SPEECH_MS = 3_000
CHO, DINH = (ZoneId(zone) for zone in makers.ZONES)


def at_work() -> Bench:
    """A station that has booted and is welcomed."""
    return Bench().boot()


def audience(*zones: str) -> dict[str, Any]:
    """Of an order for these zones of the ward; without any, for all."""
    return {"areas": [makers.AREA], "zones": [*zones]}


class Bench:
    """A station at noon with a trusted clock. ``deaf`` holds the effects that nobody answers.

    ``answered``: while time passes each of its hellos has its welcome.
    """

    def __init__(self, **site: Any) -> None:
        self.state = station.start(makers.make_site(**site))
        self.now = Now(MonoMs(1_000_000), UtcMs(makers.NOON), ClockSource.SIGNED, 10)
        self.said: list[fx.Effect] = []
        self.deaf: set[type] = set()
        self.answered = True
        self._judgements: dict[bytes, Judgement] = {}
        self._mid = 0

    def send(self, event: Event) -> list[fx.Effect]:
        """One step, then everything that follows from obliging answers; returns all effects of it."""
        before = len(self.said)
        self.state, effects = station.step(self.state, event, self.now, lambda _, payload: self._judgements[payload])
        self.said.extend(effects)
        for effect in effects:
            for answer in self._answers(effect):
                self.send(answer)
        return self.said[before:]

    def boot(self, *, welcomed: bool = True) -> Bench:
        """Restore nothing, find the device, connect, be welcomed."""
        self.send(Restored((), (), {}, 0, 0, "e1"))
        self.send(DeviceUp())
        self.send(Connected(1, "ab" * 16))
        if welcomed:
            self.welcome()
        self.pass_s(1)  # so that the centre has been shown everything
        self.said.clear()
        return self

    def welcome(self, nonce: str | None = None) -> list[fx.Effect]:
        """The headend answers the last hello (or another one)."""
        welcome = Welcome(nonce or self.state.link.nonce, self.now.utc, (), (), "", 0, "")
        return self.arrive(welcome, makers.WELCOME_TOPIC)

    def arrive(self, judgement: Judgement, topic: str = makers.JOB_TOPIC, *, vouched: bool = False) -> list[fx.Effect]:
        """A message of which ``verify`` will say so."""
        return self.send(replace(self.message(judgement, topic), token=AckToken(1, self._mid), vouched=vouched))

    def message(self, judgement: Judgement, topic: str) -> MessageArrived:
        """A message of which ``verify`` will say so, by another way than the broker."""
        self._mid += 1
        payload = str(self._mid).encode()
        self._judgements[payload] = judgement
        return MessageArrived(topic, payload, NO_DELIVERY)

    def order(self, **job: Any) -> JobId:
        """A good order arrives; returns its id."""
        made = self.make(**job)
        self.arrive(self.accept(made))
        return made.job_id

    def make(self, **job: Any) -> Job:
        """A job valid from now."""
        given: dict[str, Any] = {"issued_at": self.now.utc, "not_before": self.now.utc}
        if "not_after" not in job:
            given["not_after"] = self.now.utc + (
                600_000 if job.get("when", {"kind": "now"})["kind"] == "now" else 2**37
            )
        return makers.make_job(**{**given, **job})

    @staticmethod
    def accept(job: Job, digest: str = "") -> Accepted:
        return Accepted(job, digest or f"digest of {job.job_id}", ("k1",), "ward")

    def rule(self, order: Any, *, signers: tuple[str, ...] = ("k1",), **heading: Any) -> JobId:
        """A good command, or a window or regulation made by ``heading -> order``; returns its id."""
        self._mid += 1
        given: dict[str, Any] = {"order_id": JobId(f"rule-{self._mid}"), "issuer": makers.ISSUER, "zones": ()}
        given |= {"issued_at": self.now.utc, "not_after": UtcMs(self.now.utc + 120_000)} | heading
        zones = frozenset(ZoneId(zone) for zone in given.pop("zones"))
        audience = Audience(frozenset(), frozenset({makers.AREA}), zones)
        head = Heading(
            **{"level": "commune", "key_epoch": 0, "serial": 1, "not_before": self.now.utc, **given}, audience=audience
        )
        made = order(head) if callable(order) else Command(head, order)
        self.arrive(AcceptedRule(made, f"digest of {head.order_id}", signers, "ward"))
        return head.order_id

    def timetable(self, version: int, *entries: dict[str, Any], by: dict[str, Any] | None = None, **over: Any) -> JobId:
        """A good timetable of these entries arrives (``by``: more of what was judged); returns its id."""
        given: dict[str, Any] = {"order_id": f"lich-{version}", "version": version, "entries": list(entries)}
        made = makers.make_timetable(**{**given, "issued_at": self.now.utc, "not_before": self.now.utc, **over})
        digest = f"digest of {made.heading.order_id}"
        self.arrive(AcceptedRule(made, digest, ("k1",), "ward", **(by or {})))
        return made.heading.order_id

    def at(self, seconds: float, **job: Any) -> JobId:
        """A good order for an instant from now."""
        return self.order(when={"kind": "at", "utc": self.now.utc + round(seconds * 1000)}, **job)

    def playing(self, **job: Any) -> JobId:
        """A good order that sounds since a moment ago."""
        job_id = self.order(**job)
        self.pass_s(1)
        assert self.phase(job_id) is Phase.PLAYING
        return job_id

    def pass_s(self, seconds: float) -> list[fx.Effect]:
        """Let time pass in one jump, then look."""
        ms = round(seconds * 1000)
        self.now = replace(self.now, mono=MonoMs(self.now.mono + ms), utc=UtcMs(self.now.utc + ms))
        if self.answered and self.state.told.at is not None:  # every six hours, as a headend does
            self.state = replace(self.state, told=replace(self.state.told, at=self.now.mono))
        return self.send(Tick())

    def end(self, job_id: JobId, reason: Reason | None = None, ms: int = CLIP_MS) -> list[fx.Effect]:
        """The device reports that the job's run is over."""
        play = self.play(job_id)
        zone_ms = dict.fromkeys(play.zones, ms)
        return self.send(PlayEnded(play.play_id, zone_ms, ms * 48, 0, self.now.mono, reason))

    def confirm_relays(self) -> None:
        """The device, which was deaf, tells at last that both relays have closed."""
        for zone in (CHO, DINH):
            self.send(RelayChanged(zone, True, "order", self.now.mono))

    def play(self, job_id: JobId) -> Occurrence:
        """The open occurrence of a job."""
        (found,) = [play for play in self.state.plays.values() if play.job_id == job_id]
        return found

    def phase(self, job_id: JobId) -> Phase:
        return self.play(job_id).phase

    def every(self, kind: type) -> list[Any]:
        """All effects of a kind so far."""
        return [effect for effect in self.said if isinstance(effect, kind)]

    def outcomes(self) -> list[tuple[str, str, str | None]]:
        """(job, outcome, reason) of every record so far."""
        records = [effect.record for effect in self.every(fx.CommitRecord)]
        return [(one.job_id, one.outcome.value, one.reason.value if one.reason else None) for one in records]

    def answers(self) -> list[tuple[str, str | None]]:
        """(verdict, reason) of every answer so far."""
        return [(one.verdict.value, one.reason.value if one.reason else None) for one in self.every(fx.SendAnswer)]

    def wakes_in_ms(self) -> float:
        """Until the core wants to be woken; infinite where it does not."""
        wake = station.next_wake(self.state, self.now)
        return float("inf") if wake is None else wake - self.now.mono

    def closed(self) -> set[str]:
        """The zones whose relay is ordered closed."""
        return {zone for zone, relay in self.state.relays.items() if relay.ordered_on}

    def _answers(self, effect: fx.Effect) -> list[Event]:
        if type(effect) in self.deaf:
            return []
        match effect:
            case fx.SaveJob():
                return [JobSaved(effect.saved.accepted.order_id)]
            case fx.ReleaseJob(entries=fx.Entries()):
                return [TimetableReleased(effect.job_id)]
            case fx.FetchAhead():
                return [ClipFetched(effect.key)]
            case fx.FetchClip() | fx.SpeakText():
                return [ClipStaged(effect.key, SPEECH_MS if isinstance(effect, fx.SpeakText) else effect.duration_ms)]
            case fx.SaveMark(mark=Mark.INTENT):
                return [IntentSaved(effect.job_id, effect.planned)]
            case fx.CompareLog():
                return [LogCompared(effect.epoch, effect.seq, effect.hash, same=True, word=effect.word)]
            case fx.SwitchRelay():
                return [RelayChanged(effect.zone, effect.on, "order", self.now.mono)]
            case fx.StartPlay():
                return [PlayStarted(PlayId(effect.play_id), effect.at)]
        return []
