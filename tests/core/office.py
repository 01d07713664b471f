"""The ward's office as half of a machine: what its officers may sign next, alone or in sequences."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.order import AcceptedRule, RuleOrder
from edge_agent.core.site import Site
from edge_agent.core.units import SECOND_MS, UtcMs, ZoneId
from tests.core.disorder import Disorder, Obliging
from tests.core.drafts import (
    CLIPS,
    SITES,
    STARTS,
    TEXTS,
    Draft,
    alarms,
    anything,
    commands,
    few,
    often,
    pauses,
    regulations,
    relays,
    routine,
    signed_command,
    signed_job,
    signed_regulation,
    signed_window,
    some_zones,
    texts,
    timetable,
    windows,
    zones,
)
from tests.trust import makers

URGENT = {"class": "emergency", "event": "lu"}


class Office(RuleBasedStateMachine):
    """Its rules are what may be ordered next; nothing is asserted here but by ``Disorder`` and ``Watch``."""

    @initialize(
        site=st.sampled_from(SITES),
        utc=st.sampled_from(STARTS),
        welcome=often,
        device=often,
        obliging=st.builds(Obliging, journal=often, stager=often, device=often),
    )
    def begin(self, site: Site, utc: UtcMs, welcome: bool, device: bool, obliging: Obliging) -> None:
        self.world = Disorder(site, utc, obliging)
        self.orders = 0
        self.targets: list[str] = []
        if device:
            self.world.device_up()
        if welcome:
            self.world.connect()
            self.world.welcome("good", 0)

    # Orders

    @rule(cls=routine, order=anything, items=relays, new=often)
    def order_now(self, cls: str, order: Draft, items: list[Draft], new: bool) -> None:
        self._order(order | {"class": cls, "items": items, "when": {"kind": "now"}}, new)

    @rule(cls=routine, order=anything, items=relays, new=often, in_s=st.integers(-15, 150))
    def order_soon(self, cls: str, order: Draft, items: list[Draft], new: bool, in_s: int) -> None:
        at = self.world.true_utc + in_s * SECOND_MS
        self._order(order | {"class": cls, "items": items, "when": {"kind": "at", "utc": at}, "valid_s": 10_800}, new)

    @rule(cls=routine, order=anything, items=relays, new=often, in_s=st.sampled_from((30, 90, 3_600)))
    def order_a_timetable(self, cls: str, order: Draft, items: list[Draft], new: bool, in_s: int) -> None:
        when = timetable(UtcMs(self.world.true_utc + in_s * SECOND_MS))
        self._order(order | {"class": cls, "items": items, "when": when, "valid_s": 30 * 86_400}, new)

    @rule(order=anything, alarm=alarms, items=st.lists(texts, min_size=1, max_size=2), new=often)
    def order_an_emergency(self, order: Draft, alarm: Draft, items: list[Draft], new: bool) -> None:
        self._order(order | alarm | URGENT | {"items": items, "when": {"kind": "now"}}, new)

    @rule(order=anything, in_s=st.sampled_from((5, 30, 90)), all_clear=st.sampled_from((0, 0, 1)))
    def rehearse(self, order: Draft, in_s: int, all_clear: int) -> None:
        when = {"kind": "at", "utc": self.world.true_utc + in_s * SECOND_MS}
        drill = URGENT | {"rehearsal": True, "items": TEXTS[:1], "when": when, "valid_s": 10_800, "from_s": 0}
        self._order(order | drill | {"all_clear": all_clear}, new=True)

    @rule(order=anything, versions=st.lists(st.integers(1, 3), min_size=2, max_size=3), cleared=few, then_s=few)
    def order_a_series(self, order: Draft, versions: list[int], cleared: int, then_s: int) -> None:
        """Several versions of one alert, in some order, and perhaps the end of it."""
        self._all_is_well()
        alert = order | URGENT | {"items": TEXTS[:1], "series": f"so-tan-{self.orders}", "per_day": 0}
        for version in versions:
            self._programme(alert | {"version": version, "every_s": 60}, 3 * then_s)
        if cleared < 3:
            self._programme(alert | {"version": 4 - cleared, "all_clear": 1}, 10)

    @rule(cls=routine, order=anything, zones=some_zones, wait_s=few, then_s=few)
    def a_correction_follows(self, cls: str, order: Draft, zones: list[ZoneId], wait_s: int, then_s: int) -> None:
        """What it corrects waits, sounds, or has sounded."""
        self._all_is_well()
        self._programme(order | {"class": cls, "items": [TEXTS[0]]}, 3 * wait_s)
        self._programme(order | {"class": cls, "zones": zones, "items": [TEXTS[1]], "corrects": 1}, 3 * then_s)

    # Rules

    @rule(draft=commands, new=often)
    def command(self, draft: Draft, new: bool) -> None:
        self._lay_down(signed_command(draft, self._next_rule(new), self.targets, self.world.true_utc))

    @rule(draft=windows, new=often)
    def order_a_window(self, draft: Draft, new: bool) -> None:
        self._lay_down(signed_window(draft, self._next_rule(new), self.world.true_utc))

    @rule(draft=regulations)
    def regulate(self, draft: Draft) -> None:
        self._lay_down(signed_regulation(draft, self._next_rule(new=True), self.world.true_utc))

    @rule(cls=routine, order=anything, s=st.sampled_from((1, 3, 13)), draft=commands, then=commands, then_s=pauses)
    def a_programme_is_commanded(self, cls: str, order: Draft, s: int, draft: Draft, then: Draft, then_s: int) -> None:
        """While its amplifiers warm up, or while it sounds; and a little later something else is commanded."""
        self._all_is_well()
        self._programme(order | {"class": cls, "items": [CLIPS[1], TEXTS[0]]}, s)
        for each in (draft, then):
            self._command_now(each)
            self._pass(then_s)

    @rule(cls=routine, order=anything, draft=commands)
    def an_offer_is_chosen(self, cls: str, order: Draft, draft: Draft) -> None:
        at = {"kind": "at", "utc": self.world.true_utc + 600 * SECOND_MS}
        self._order(order | {"class": cls, "items": [CLIPS[0]], "when": at, "valid_s": 900, "offered": True}, new=True)
        self.world.oblige()
        self._command_now(draft | {"what": "choose", "back": 0})

    @rule(cls=routine, order=anything, flooded=st.sets(zones, min_size=1), wait_s=few, then_s=pauses, draft=commands)
    def an_emergency_cuts_in(
        self, cls: str, order: Draft, flooded: set[ZoneId], wait_s: int, then_s: int, draft: Draft
    ) -> None:
        """What single rules seldom bring about: a long programme plays, an emergency takes some of its zones, or all.

        When that is over, the programme goes on; something may be commanded then.
        """
        self._all_is_well()
        self._programme(order | {"class": cls, "zones": [], "items": [CLIPS[2]]}, 10 + wait_s)
        self._programme(order | URGENT | {"zones": sorted(flooded), "items": [TEXTS[0]]}, then_s)
        if wait_s < 3:
            self._command_now(draft)
            self._pass(then_s)

    def _programme(self, order: Draft, passes_s: int) -> None:
        """Something for now is ordered, and everybody does his part for a while."""
        self._order(order | {"when": {"kind": "now"}, "from_s": 0, "valid_s": 600}, new=True)
        self.world.oblige()
        self._pass(passes_s)

    def _order(self, order: Draft, new: bool) -> None:
        """Sign it as it is; where it is not ``new``, under an id that may have been used for something else."""
        self.orders += new
        made = signed_job(order, self.orders, self.world.true_utc)
        self.targets.append(made.order_id)
        self.world.arrive(replace(made, digest=f"digest {len(self.world.sent)}"))

    def _command_now(self, draft: Draft) -> None:
        """A good command, and everybody does his part."""
        good = draft | {"issuer": makers.ISSUER, "skew_s": 0}
        self._lay_down(signed_command(good, self._next_rule(new=True), self.targets, self.world.true_utc))
        self.world.oblige()

    def _lay_down(self, order: RuleOrder) -> None:
        self.targets.append(order.heading.order_id)
        self.world.arrive(AcceptedRule(order, f"digest {len(self.world.sent)}", ("k1",), "ward"))

    def _next_rule(self, new: bool) -> str:
        self.orders += new
        return f"rule-{self.orders}"

    def _pass(self, s: int) -> None:
        self.world.let_pass(s * SECOND_MS, awake=True)
        self.world.oblige()

    def _all_is_well(self) -> None:
        """Mostly: a station that runs, knows the time and has been welcomed, on a device that answers."""
        if self.orders % 8 == 7:
            return
        if self.world.state.stopping:
            self.world.boot()
        self.world.set_clock(ClockSource.NTP, self.world.true_utc, 10)
        if not self.world.state.device_up:
            self.world.device_up()
        if not self.world.state.welcomed:
            self.world.connect()
            self.world.welcome("good", 0)
        self.world.oblige()
