"""See what a ward's day came to, line by line, in the words in which it is expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from edge_agent.core.as_run import Evidence
from edge_agent.core.programme import (
    ALL_CLEAR,
    ALL_CLEAR_MS,
    ATTENTION_GAP_MS,
    ATTENTION_MS,
    CLOSING,
    ITEM_GAP_MS,
    OPENING,
)
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from tests.days.living import SIGNALS, Living
from tests.days.reading import HANOI

SOON_MS = 1_500
# From an order to the relay, and from a planned instant to the first sample.
CHIMES: dict[ClipKey, str] = {OPENING: "opening", CLOSING: "closing"}
OUTCOMES = {
    "played": {"succeeded"},
    "cut": {"interrupted"},
    "refused": {"rejected"},
    "skipped": {"missed"},
    "cancelled": {"cancelled", "interrupted", "rejected"},
    "expired": {"expired"},
    "superseded": {"superseded", "interrupted", "rejected"},
    "interrupted": {"interrupted"},
}


def differs(living: Living, line: Mapping[str, Any]) -> Iterator[str]:
    """What is not as a line expects it."""
    seen = Seen(living, line)
    if not seen.records:
        yield f"{line['id']}: no record of it"
        return
    for what, expected in line["expect"].items():
        found = getattr(seen, what)()
        if found != expected:
            yield f"{line['id']}: {what} is {found}, not {expected}"


class Seen:
    """What the headend and the street know of one line; a method for each expectation, as it would be written."""

    def __init__(self, living: Living, line: Mapping[str, Any]) -> None:
        self.living, self.line = living, line
        self.records = [one for one in living.world.headend.records if one["job_id"] == line["id"]]
        self.runs = [run for run in living.world.runs if run.job_id == line["id"]]

    def outcome(self) -> str:
        """How it came to an end, in the day's own words."""
        expected: str = self.line["expect"]["outcome"]
        last = self.records[-1]["outcome"]
        return expected if last in OUTCOMES[expected] else last

    def reason(self) -> str | None:
        reason: str | None = self.records[-1]["reason"]
        return reason

    def rehearsal(self) -> bool:
        return all(record["rehearsal"] for record in self.records)

    def played_s(self) -> float:
        """What was heard, with the day's own signals in place of the station's, and without its chimes."""
        chimes_ms = sum(ITEM_GAP_MS + lasts_ms for _, lasts_ms in self._chimes())
        total_ms = self.records[-1]["played_ms"] - chimes_ms - self._own_signals_ms()
        seconds = round(total_ms / 1000, 1)
        return int(seconds) if seconds == int(seconds) else seconds

    def live_s(self) -> int | float:
        return self._relayed_s("live_ms")

    def stand_in_s(self) -> int | float:
        return self._relayed_s("stand_in_ms")

    def _relayed_s(self, name: str) -> int | float:
        seconds: float = round(self.records[-1]["relayed"][name] / 1000, 1)
        return int(seconds) if seconds == int(seconds) else seconds

    def chimes(self) -> list[str]:
        """Which of the station's chimes were heard of the last occurrence, in order."""
        return [which for which, _ in self._chimes()]

    def _chimes(self) -> list[tuple[str, int]]:
        """Which, and how long."""
        last = f"{self.line['id']}.{self.records[-1]['planned']}."
        sounds = [
            (what, start, min(end, run.ends))
            for run in self.runs
            if run.play.play_id.startswith(last)
            for what, start, end in run.sounds(CHIMES)
        ]
        return [(what, end - start) for what, start, end in sounds if what in CHIMES.values() and start < end]

    def plays(self) -> int:
        return len(self.runs)

    def starts(self) -> list[str]:
        """When each run began, to the second of the written one."""
        written: list[str] = self.line["expect"]["starts"]
        return self._like(written, [run.begins for run in self.runs])

    def last_play(self) -> str:
        return self._like([self.line["expect"]["last_play"]], [self.runs[-1].begins])[0]

    def relay_on(self) -> dict[str, str]:
        """When the relays named closed for it."""
        written: dict[str, str] = self.line["expect"]["relay_on"]
        moved = self.living.world.relays.moved
        closed = {}
        for zone, text in written.items():
            first = self.runs[0].begins
            closings = [at for which, on, at in moved if (which, on) == (zone, True) and at <= first]
            closed[zone] = self._like([text], [closings[-1]])[0]
        return closed

    def heard(self) -> list[str]:
        """The zones that did."""
        return [zone["zone"] for zone in self.records[-1]["zones"] if zone["played_ms"]]

    def volume(self) -> int | list[int]:
        """Of every zone that heard it."""
        volumes = sorted({zone["volume"] for zone in self.records[-1]["zones"] if zone["played_ms"]})
        return volumes[0] if len(volumes) == 1 else volumes

    def zone_volume(self) -> dict[str, int]:
        named = self.line["expect"]["zone_volume"]
        return {zone["zone"]: zone["volume"] for zone in self.records[-1]["zones"] if zone["zone"] in named}

    def zone_reason(self) -> dict[str, str]:
        """Every zone that did not hear it."""
        zones = self.records[-1]["zones"]
        return {zone["zone"]: zone["reason"] for zone in zones if zone["reason"] is not None}

    def zone_heard(self) -> dict[str, str]:
        """Of the zones named, from which play on the ear at the horn heard nothing."""
        return {zone: self._heard_at(zone) for zone in self.line["expect"]["zone_heard"]}

    def _heard_at(self, named: str) -> str:
        """What every record from the first with that reason on says; and none before it."""
        told = [
            (record["planned"], zone["reason"], zone["evidence"])
            for record in self.records
            for zone in record["zones"]
            if zone["zone"] == named
        ]
        silent = [at for at, reason, _ in told if reason == Reason.NOT_HEARD]
        if not silent or any(at >= silent[0] and reason != Reason.NOT_HEARD for at, reason, _ in told):
            return f"heard now and then: {told}"
        if not all(evidence == Evidence.HEARD for at, _, evidence in told if at < silent[0]):
            return f"not listened to before: {told}"
        return f"not_heard from {datetime.fromtimestamp(silent[0] / 1000, HANOI):%H:%M} on"

    def _like(self, written: list[str], at_ms: list[int]) -> list[str]:
        """The written times where they are met; an emergency may need its amplifiers' warm-up."""
        station = self.living.day.station
        warm_ms = max(station["warm_up_s"].values()) * 1000 if self.line["cls"] == "emergency" else 0
        told = []
        for text, ms in zip(written, at_ms, strict=False):
            late_ms = ms - self.living.ms(text)
            told.append(text if -SOON_MS <= late_ms <= SOON_MS + warm_ms else f"{text} {late_ms:+} ms")
        return told + [f"{len(at_ms)} of {len(written)}"] * (len(at_ms) != len(written))

    def _own_signals_ms(self) -> int:
        """How much longer the station's own signal is than the item that stands for it."""
        if self.line["cls"] != "emergency":
            return 0
        keys = {getattr(part, "key", None) for run in self.runs for part in run.play.parts}
        own_ms = (ALL_CLEAR_MS if ALL_CLEAR in keys else ATTENTION_MS) + ATTENTION_GAP_MS
        written_ms = sum(item["s"] * 1000 for item in self.line["items"] if item["title"] in SIGNALS)
        return round(self.line.get("loops", 1) * (own_ms - written_ms))
