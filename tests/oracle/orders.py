"""Draw orders that aim at the edges of what a ward forbids, and keep them from meeting in a zone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

from tests.oracle.oracle import BUILT_IN
from tests.oracle.strips import SESSION_GAP_S, first_within
from tests.oracle.walltime import (
    DAY_S,
    HOUR_S,
    MINUTE_S,
    STATION_TIMEZONE,
    day_name,
    day_number,
    local_day,
    midnight,
    second_of_day,
    wall_name,
)
from tests.oracle.world import At, Closure, Cls, ExceptionWindow, Instant, Life, Play, Policy, Rule, instants

EXCLUDED_MAX = 12
APART_S = 8
# Between two sounds in a zone: a warm-up of 3 s, and 5 s for the relay to let go.
JOINING_GAPS_S = (APART_S, 15, 30, 45, 58, 59, 60, 61, 75, 90)
FIRST_START_S = 30 * MINUTE_S
# A life's first sound: the orders have to get there.
ORDINARY: tuple[Cls, ...] = ("normal", "normal", "priority")
LENGTHS_S = (10, 45, 60, 75, 120, 180, 240, 300, 420, 600, 720, 900)
LENGTH_S_MAX = 3600
# No amplifier stays on for longer.


def begin(life: Life) -> int:
    return midnight(day_number(life.first_day))


def end(life: Life) -> int:
    return begin(life) + life.days * DAY_S


@dataclass
class Draft:
    """Orders so far, and when each zone is taken."""

    dice: Random
    life: Life
    together: bool
    plays: list[Play] = field(default_factory=list)
    _taken: dict[int, list[Instant]] = field(default_factory=dict)
    _starts: set[int] = field(default_factory=set)
    _silences: tuple[Closure, ...] = ()

    def occurrences(self) -> list[Instant]:
        return [each for day in sorted(self._taken) for each in self._taken[day]]

    # -------------------------------- rules

    def order_rules(self) -> None:
        first = day_number(self.life.first_day)
        last = first + self.life.days - 1
        day = first
        while day <= last:
            until = min(day + self.dice.randint(30, 120), last)
            for _ in range(self.dice.randint(2, 3)):
                self._order_rule(day, until)
            day = until + 1

    def _order_rule(self, first: int, last: int) -> None:
        """A rule, and now and then a second one that follows so closely that both make one session."""
        play = self._drawn(cls=self.dice.choice(ORDINARY))
        rule = self._rule(first, last)
        if not self._accept(replace(play, when=rule)):
            return
        if self.dice.random() < 0.4 and rule.timezone == STATION_TIMEZONE:
            gap_s = play.length_s + self.dice.choice(JOINING_GAPS_S)
            times = tuple(wall_name(second_of_day(wall) + gap_s) for wall in rule.times)
            self._accept(replace(self._drawn(cls=play.cls), when=replace(rule, times=times)))

    def _rule(self, first: int, last: int) -> Rule:
        dice = self.dice
        days = range(first, last + 1)
        excluded = dice.sample(days, min(dice.randint(0, EXCLUDED_MAX), len(days) // 4))
        weekdays = dice.choice(((1, 2, 3, 4, 5, 6, 7), (2, 4, 6, 7), (1, 2, 3, 4, 5), (1, 3, 5)))
        abroad = dice.random() < 0.2
        if abroad:
            # Where Berlin's clocks skip or repeat an hour, on a Sunday: 07:00 to 10:00 in the ward.
            weekdays = (*weekdays[:-1], 7)
            times = {f"{dice.choice((2, 3)):02d}:{dice.randrange(0, 60, 5):02d}:00"}
        else:
            times = {f"{dice.randint(6, 10):02d}:{dice.randrange(0, 60, 5):02d}:00"}
            if dice.random() < 0.6:
                times.add(f"{dice.randint(11, 20):02d}:{dice.randrange(0, 60, 5):02d}:{dice.choice((0, 0, 30)):02d}")
        return Rule(
            "Europe/Berlin" if abroad else STATION_TIMEZONE,
            day_name(first),
            day_name(last),
            weekdays,
            tuple(sorted(times)),
            tuple(day_name(day) for day in sorted(excluded)),
        )

    # -------------------------------- single orders

    def order_singly(self, silences: tuple[Closure, ...]) -> None:
        self._silences = silences
        first = day_number(self.life.first_day)
        for regulation in self.life.regulations:
            start = regulation.takes_effect - self.dice.choice((0, 1))
            self._accept(replace(self._drawn(length_s=self.dice.choice((60, 900, 1800))), when=At(start)))
        edges = self._edges_by_day(silences)
        for day in range(first, first + self.life.days):
            todays = edges.get(day, [])
            for _ in range(self.dice.randint(1, 4)):
                self._order_on(day, todays)
            for edge in todays:
                self._order_about(edge)
            for window in self.life.exceptions:
                if local_day(window.begins) == day:
                    self._order_under(window)

    def _edges_by_day(self, silences: tuple[Closure, ...]) -> dict[int, list[int]]:
        edges: dict[int, list[int]] = {}
        moments = [
            *(moment for window in self.life.exceptions for moment in (window.begins, window.ends)),
            *(moment for silence in silences for moment in (silence.begins, silence.ends)),
            *(regulation.takes_effect for regulation in self.life.regulations),
        ]
        for moment in moments:
            edges.setdefault(local_day(moment), []).append(moment)
        return edges

    def _order_on(self, day: int, edges: list[int]) -> None:
        dice = self.dice
        move = dice.random()
        if move < 0.05:
            play = self._drawn(cls="emergency", length_s=dice.choice((8, 20, 60, 120)))
            start = midnight(day) + dice.randrange(DAY_S)
        elif move < 0.32:
            play, start = self._following(day)
        elif move < 0.40 and self.together:
            play, start = self._beside(day)
        elif move < 0.65:
            play, start = self._at_an_edge(dice.choice((*edges, *edges, *self._edges_of_policy(day))))
        elif move < 0.72:
            play = self._drawn(length_s=dice.choice((300, 900, 1200)))
            start = midnight(day + 1) - dice.choice((1, 30, 60, 299, 300, 600))
        elif move < 0.77:
            play = self._drawn(length_s=dice.choice((120, 600, 900)))
            start = dice.choice(self._edges_of_policy(day)) - dice.choice((1, 60, 119, 120, 300))
        else:
            play = self._drawn()
            start = midnight(day) + dice.randrange(5 * 12, 21 * 12) * 5 * MINUTE_S + dice.choice((0, 0, 1, 17, 59))
        self._accept(replace(play, when=At(start)))

    def _order_about(self, edge: int) -> None:
        play, start = self._at_an_edge(edge)
        self._accept(replace(play, when=At(start)))

    def _order_under(self, window: ExceptionWindow) -> None:
        """A few sounds that may use up what an exception allows, to the second or by one more."""
        dice = self.dice
        start, session_s, total_s = window.begins + dice.choice((0, 60)), 0, 0
        for _ in range(dice.randint(1, 4)):
            rests_s = [window.session_s - session_s, (window.total_s or window.session_s) - total_s]
            length_s = dice.choice([*(rest_s + dice.choice((0, 1)) for rest_s in rests_s if rest_s > 0), 60])
            play = self._drawn(cls=dice.choice(window.classes or ORDINARY), length_s=length_s)
            self._accept(replace(play, when=At(start)))
            gap_s = dice.choice(JOINING_GAPS_S)
            session_s = session_s + length_s + gap_s if gap_s < SESSION_GAP_S else 0
            total_s += length_s
            start += length_s + gap_s

    def _following(self, day: int) -> tuple[Play, int]:
        """Soon after another sound of that day; often just as long as these rules leave it, or a second longer."""
        dice = self.dice
        before = self._taken.get(day, [])
        if not before:
            return self._drawn(), midnight(day) + 17 * HOUR_S
        other = dice.choice(before)
        start = other.utc + other.play.length_s + dice.choice(JOINING_GAPS_S)
        rest_s = dice.choice(self._rests_s(day, other, start)) + dice.choice((0, 1))
        cls = other.play.cls if other.play.cls != "emergency" and dice.random() < 0.7 else None
        zones = other.play.zones if dice.random() < 0.6 else None
        return self._drawn(cls, rest_s if dice.random() < 0.6 else None, zones), start

    def _beside(self, day: int) -> tuple[Play, int]:
        """In other zones while another sounds; often just as long as the day has room for, overlaps counted once."""
        dice, before = self.dice, self._taken.get(day, [])
        elsewhere = [
            (other, zones)
            for other in before
            if (zones := tuple(zone.name for zone in self.life.zones if zone.name not in other.play.zones))
        ]
        if not elsewhere:
            return self._following(day)
        other, zones = dice.choice(elsewhere)
        start = other.utc + dice.randrange(1, max(2, other.play.length_s))
        over_s = other.utc + other.play.length_s - start
        rest_s = dice.choice(self._rests_s(day, other, start)) + over_s + dice.choice((0, 1))
        return self._drawn(None, min(rest_s, LENGTH_S_MAX) if dice.random() < 0.7 else None, zones), start

    def _rests_s(self, day: int, other: Instant, start: int) -> list[int]:
        """What would fill the session of another sound, or the day, had everything before this one sounded."""
        rests_s = [LENGTHS_S[0]]
        sounded_s = sum(each.play.length_s for each in self._taken[day] if each.utc < start)
        for clause in self._policy_on(day).clauses:
            if clause.session_s is not None:
                rests_s.append(other.utc + clause.session_s - start)
            if clause.day_s is not None:
                rests_s.append(clause.day_s - sounded_s)
        return [rest_s for rest_s in rests_s if 0 < rest_s < LENGTH_S_MAX]

    def _at_an_edge(self, edge: int) -> tuple[Play, int]:
        """Begins or ends there, or a second beside it."""
        play = self._drawn()
        beside = self.dice.choice((0, 0, 0, 1, -1))
        return play, edge + beside - self.dice.choice((0, play.length_s, play.length_s // 2))

    def _edges_of_policy(self, day: int) -> list[int]:
        walls = [wall for clause in self._policy_on(day).clauses for wall in clause.quiet or ()]
        return [midnight(day) + second_of_day(wall) for wall in walls or ["05:00"]]

    def _policy_on(self, day: int) -> Policy:
        noon = midnight(day) + DAY_S // 2
        in_force = [each.policy for each in self.life.regulations if each.takes_effect <= noon]
        return in_force[-1] if in_force else self.life.own_policy or BUILT_IN

    # -------------------------------- all orders

    def _drawn(self, cls: Cls | None = None, length_s: int | None = None, zones: tuple[str, ...] | None = None) -> Play:
        dice = self.dice
        names = [zone.name for zone in self.life.zones]
        some = tuple(sorted(dice.sample(names, dice.randint(1, len(names)))))
        loops = dice.choice((1, 1, 1, 2, 3)) if length_s is None else 1
        return Play(
            job_id=f"job-{len(self.plays):04d}",
            cls=dice.choice(ORDINARY) if cls is None else cls,
            zones=zones or (tuple(names) if dice.random() < 0.5 else some),
            when=At(0),
            sound_s=length_s or dice.choice(LENGTHS_S) // loops,
            loops=loops,
            gap_s=dice.choice((0, 5, 10)) if loops > 1 else 0,
            volume=dice.choice((100, 100, 90, 70, 35)),
            order=dice.choice((0, 0, 1, 2)),
        )

    def _accept(self, play: Play) -> bool:
        play = replace(play, job_id=f"job-{len(self.plays):04d}")
        ordered = instants(play)
        if not ordered or not all(self._is_free(each) for each in ordered):
            return False
        self.plays.append(play)
        for each in ordered:
            self._taken.setdefault(local_day(each.utc), []).append(each)
            self._starts.add(each.utc)
        return True

    def _is_free(self, wanted: Instant) -> bool:
        start, stop = wanted.utc, wanted.utc + wanted.play.length_s
        if not begin(self.life) + FIRST_START_S <= start < end(self.life):
            return False
        if any(start + beside in self._starts for beside in (-1, 0, 1)):
            return False
        if any(disputed(self.life, silence, wanted) for silence in self._silences):
            return False
        day = local_day(start)
        near = [each for around in (day - 1, day, day + 1) for each in self._taken.get(around, ())]
        return all(
            stop + APART_S <= each.utc or each.utc + each.play.length_s + APART_S <= start
            for each in near
            if not self.together or set(each.play.zones) & set(wanted.play.zones)
        )


def disputed(life: Life, silence: Closure, sound: Instant) -> bool:
    """A silence begins within a sound that quiet hours may have cut by then: is that a moment of the sound?"""
    if silence.zone not in sound.play.zones or not sound.utc < silence.begins < sound.utc + sound.play.length_s:
        return False
    cutting = [clause for policy in _policies(life) if policy.into_quiet == "cut" for clause in policy.clauses]
    return any(
        clause.quiet and first_within(*clause.quiet, sound.utc, silence.begins + 1) is not None for clause in cutting
    )


def _policies(life: Life) -> list[Policy]:
    own = [life.own_policy] if life.own_policy else []
    return own + [regulation.policy for regulation in life.regulations]
