"""What may sound, and which relay may close: judged by the ledger, the true time and what each card knows.

A sound needs one order that explains it. ``OBJECTIONS`` are the reasons why an order does not; each is a promise of
docs/protocol.md. None of them asks the core what it thinks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from edge_agent.core.programme import Sound
from edge_agent.core.units import DAY_MS, SECOND_MS
from tests.redteam.centre import REVOKED_BY
from tests.redteam.ledger import Given, Programme
from tests.redteam.memory import Belief, Memory
from tests.redteam.papers import OFFICER, SERVER, WARM_UP_MS
from tests.sim import BEGAN, TIMEZONE
from tests.soak.judges import UNSEEN_MS
from tests.soak.promises import Broken
from tests.trust.makers import ZONES
from tests.ward.card import Run, closed_spans
from tests.ward.ears import EARS_MS
from tests.ward.timing import STOP_MS

if TYPE_CHECKING:
    from tests.redteam.life import Life

CLOCK_MS = 30 * SECOND_MS
# The longest round trip of a welcome that counts (7.3): so far a clock may be off by what a broker delays.
LATE_MS = 10 * SECOND_MS
# How late what is not ordered to be late may begin (8.2).
OBEYED_MS = 1 * SECOND_MS
# From when an order is on the card until the last sound that it ends is gone.
REVOKED = f"trust {REVOKED_BY}"
EMERGENCY_TRIES = 3
TAIL_MS = 3 * SECOND_MS
# A relay that waits for its card: no first sample within 4 s, or no contact within 3 s, and it opens (8.5).
ARMED_MS = WARM_UP_MS + 4 * SECOND_MS + TAIL_MS
OPENING_MS = 40 * SECOND_MS
# What a station says of a warning that nobody can date: some 80 letters before each loop of it.
APART_MS = 120 * SECOND_MS
# A clock that nobody has signed is wrong when it is so far before a signature (7.11).
WAITED_MS = 120 * SECOND_MS
# How long a warning may have waited for a zone before that.
TEST_MS = 2 * SECOND_MS
# How long a self-test keeps a relay closed.


@dataclass(frozen=True, slots=True)
class Heard:
    """One sound, where it came from, and what its station knew."""

    life: Life
    station: str
    run: Run

    @property
    def memory(self) -> Memory:
        return self.life.memories[self.station]

    @property
    def lied_ms(self) -> int:
        """How far off the time was by which it plays, where nobody but a liar has told it any."""
        belief = self.belief
        return 0 if belief.utc is None or belief.signed else belief.utc - BEGAN - belief.at

    @property
    def utc(self) -> int:
        """By the station's own clock, where it could not know better."""
        return BEGAN + self.run.begins + self.lied_ms

    @property
    def ends_utc(self) -> int:
        """The same, of its end."""
        return BEGAN + self.run.ends + self.lied_ms

    @property
    def planned(self) -> int:
        return int(self.run.play.play_id.split(".")[-2])

    @property
    def timed(self) -> bool:
        """Whether anything can be said about the time: whoever has the server's key sets the clock (12.28)."""
        return SERVER not in self.life.script.setting.stolen

    @property
    def timeless(self) -> bool:
        """Whether it sounds where nobody tells the time (7.11)."""
        return self.belief.utc is None

    @property
    def belief(self) -> Belief:
        return self.memory.believed(self.run.play.play_id, self.run.begins)

    def knew(self, order: Given, obeyed_ms: int = OBEYED_MS) -> bool:
        """Whether the station had obeyed it, for so long, when this sound began."""
        return self._obeyed(order, self.run.begins - obeyed_ms)

    def goes_on_after(self, order: Given) -> bool:
        """Whether this sound went on although the station had obeyed it."""
        return self._obeyed(order, self.run.ends - OBEYED_MS)

    def holds(self, order: Given) -> Iterator[tuple[int, float]]:
        """From and to when the station obeys what asks for silence."""
        first, of, off_ms = self.memory.first.get(order.order_id, 0), order.payload, self.lied_ms
        over = of["ends"] - BEGAN - off_ms - CLOCK_MS if order.kind == "window" else first + 1_000 * of["do"]["for_s"]
        revoked = self.memory.since(REVOKED, self.run.ends) if OFFICER in order.keys else None
        for since, until in self.memory.known(order.order_id):
            ends = min(until, over - SECOND_MS, self.run.ends if revoked is None else revoked)
            begins = max(since, of["begins"] - BEGAN - off_ms + CLOCK_MS) if order.kind == "window" else since
            yield begins + OBEYED_MS, ends

    def _obeyed(self, order: Given, at: int) -> bool:
        """What a revoked key has ordered holds no more."""
        if OFFICER in order.keys and self.memory.since(REVOKED, self.run.ends) is not None:
            return False
        return self.memory.since(order.order_id, at) is not None


Objection = Callable[[Heard, Programme], str | None]
OBJECTIONS: list[Objection] = []


def judge(life: Life) -> None:
    """Raises ``Broken`` with the name of the first promise that was not kept."""
    for station, world in life.worlds.items():
        for run in world.runs:
            if run.ends > run.begins:
                _explain(Heard(life, station, run))
        _count(life, station)
        _alone(life, station)
        _relays(life, station)


def _objection(objection: Objection) -> Objection:
    OBJECTIONS.append(objection)
    return objection


def _explain(heard: Heard) -> None:
    """One of the orders of that name must have nothing against it."""
    objections = []
    for programme in heard.life.ledger.may_be(heard.run.job_id):
        against = next(((one.__name__, said) for one in OBJECTIONS if (said := one(heard, programme))), None)
        if against is None:
            return
        objections.append(against)
    name, said = objections[0] if objections else ("only_what_was_ordered_sounds", "nobody has ordered it")
    raise Broken(name, f"{heard.station}: {heard.run.play.play_id} from {heard.run.begins} to {heard.run.ends}: {said}")


@_objection
def only_where_it_was_ordered(heard: Heard, programme: Programme) -> str | None:
    zones = {zone for _, zones in heard.run.routes for zone in zones}
    wrong = [zone for zone in zones if not programme.sounds_in(heard.station, zone)]
    return f"not for {wrong}" if wrong else None


@_objection
def only_what_was_signed(heard: Heard, programme: Programme) -> str | None:
    sounds = {part.key for part in heard.run.play.parts if isinstance(part, Sound)}
    dated = _says_its_date(heard, programme)
    if sounds - programme.keys() and not dated:
        return f"other sounds: {sounds - programme.keys()}"
    length_ms = heard.run.ends - heard.run.begins - (OPENING_MS if dated else 0)
    return f"{length_ms} ms of {programme.longest_ms}" if length_ms > programme.longest_ms + SECOND_MS else None


@_objection
def no_louder_than_it_was_ordered(heard: Heard, programme: Programme) -> str | None:
    """Nor than the desk has set for ordinary sound; of two settings the louder one, as the later one counts."""
    for feed in heard.run.play.feeds:
        set_to = [] if programme.urgent else _ceilings(heard, feed.zone)
        ceiling = min(programme.volume, max(set_to, default=100))
        if feed.volume > ceiling:
            return f"{feed.volume} in {feed.zone}, ordered {programme.volume}, set to {set_to}"
    return None


@_objection
def only_while_it_is_valid(heard: Heard, programme: Programme) -> str | None:
    not_before, not_after = programme.validity
    contradicted = programme.urgent and _is_contradicted(heard, programme)
    valid = not_before - CLOCK_MS <= heard.utc <= not_after + CLOCK_MS
    if heard.timed and not (heard.timeless or contradicted or valid):
        return f"at {heard.utc}, valid from {not_before} to {not_after}"
    return None


@_objection
def without_a_welcome_only_new_warnings_sound(heard: Heard, programme: Programme) -> str | None:
    """Signed since the last signed time, by two where no clock says that they are of today; and they say their date."""
    if heard.belief.dates or not heard.timed:
        return None
    order, memory = programme.order, heard.memory
    taken = memory.since(order.order_id, heard.run.begins)
    if taken is not None and taken < max(at for at in memory.powered if at <= heard.run.begins) and not heard.timeless:
        return None  # it was there when the machine started: the timetable, and what had begun
    if taken is not None and any(memory.first[order.order_id] < died <= heard.run.begins for died in memory.deaths):
        return None  # it was taken while the time was known, and a crash has cut it off (8.5)
    floor, signed = heard.belief.floor, order.payload["issued_at"]
    if not programme.urgent or signed < floor:
        return f"no welcome since the start, signed at {signed}, and the last signed time is {floor}"
    if (heard.timeless or _is_contradicted(heard, programme)) and len(set(order.keys)) < 2:
        return "no clock says that it is of today, and no second officer"
    return None if _says_its_date(heard, programme) else "nobody has signed the time, and it does not say how old it is"


@_objection
def only_when_it_was_planned(heard: Heard, programme: Programme) -> str | None:
    when = programme.payload["when"]
    if when["kind"] == "now":
        return None
    if heard.planned not in _instants(when):
        return f"planned for {heard.planned}, ordered for {_instants(when)}"
    late_ms = max(LATE_MS, 1_000 * programme.payload.get("missed", {}).get("limit_s", 0))
    off_ms = heard.utc - heard.planned
    return f"{off_ms} ms off" if heard.timed and not -CLOCK_MS <= off_ms <= late_ms + CLOCK_MS else None


@_objection
def a_revoked_key_orders_nothing(heard: Heard, programme: Programme) -> str | None:
    if OFFICER not in programme.order.keys:
        return None
    since = heard.memory.since(REVOKED, heard.run.ends)
    return f"revoked since {since}" if since is not None and heard.run.ends > since + OBEYED_MS else None


@_objection
def what_was_taken_back_is_silent(heard: Heard, programme: Programme) -> str | None:
    for cancel in heard.life.ledger.of("cancel"):
        ours = cancel.payload["issuer"] == programme.order.payload["issuer"] and cancel.is_for(heard.station)
        target = cancel.payload["do"]["target"]
        named = target in (programme.job_id, programme.order.order_id)
        if ours and named and heard.timed and heard.goes_on_after(cancel):
            return f"cancelled by {cancel.order_id}"
    return None


@_objection
def an_old_card_takes_nothing_for_new(heard: Heard, programme: Programme) -> str | None:
    """Once a welcome has shown it to be old: but what was on it already, and emergencies (7.10)."""
    memory, order = heard.memory, programme.order
    card = next(card for card in reversed(memory.lives) if card.since <= heard.run.begins)
    shown = next((at for at in memory.shown_old if at > card.since), None)
    taken = memory.since(order.order_id, heard.run.begins)
    if programme.urgent or order.stolen or not heard.timed or shown is None or taken is None:
        return None
    if order.at_ms < card.since < taken and shown <= taken:
        return f"taken at {taken}, on a card of {card.as_of} since {card.since}, shown to be old at {shown}"
    return None


@_objection
def what_is_superseded_does_not_begin(heard: Heard, programme: Programme) -> str | None:
    for other in heard.life.ledger.given.values():
        if _replaces(other, programme.order) and other.is_for(heard.station) and heard.knew(other):
            return f"superseded by {other.order_id}"
    return None


@_objection
def what_asks_for_silence_ends_what_sounds(heard: Heard, programme: Programme) -> str | None:
    """A lock, an all-stop, and a silence that has begun, as far as it sounds where they hold."""
    for order in heard.life.ledger.of("lock", "all_stop", "window"):
        silence = order.kind == "window"
        if not order.is_for(heard.station) or (silence and order.payload["kind"] != "silence"):
            continue
        if silence and (programme.urgent or not heard.timed):
            continue
        later = programme.order.payload["issued_at"] >= order.payload["issued_at"]
        if order.does == "all_stop" and later:
            continue
        zones = set() if order.does == "all_stop" else set(order.payload["audience"]["zones"])
        for since, until in heard.holds(order):
            for zone, begins, ends in heard.run.spans(heard.run.ends):
                if (not zones or zone in zones) and min(ends, until) - max(begins, since) > UNSEEN_MS:
                    return (
                        f"{zone} sounds from {begins} to {ends}, silenced by {order.order_id} from {since} to {until}"
                    )
    return None


@_objection
def a_lock_and_a_stop_are_obeyed(heard: Heard, programme: Programme) -> str | None:
    for command in heard.life.ledger.of("lock", "all_stop"):
        if not heard.knew(command) or not command.is_for(heard.station):
            continue
        zones = set(command.payload["audience"]["zones"]) if command.does == "lock" else set()
        hit = not zones or any(zones & routed for _, routed in heard.run.routes)
        newer = command.does == "all_stop" and programme.order.payload["issued_at"] >= command.payload["issued_at"]
        first = heard.memory.first[command.order_id]
        if hit and not newer and heard.run.begins < first + 1_000 * command.payload["do"]["for_s"] - SECOND_MS:
            return f"{command.does} by {command.order_id} from {first}"
    return None


@_objection
def quiet_hours_and_silences_are_kept(heard: Heard, programme: Programme) -> str | None:
    if programme.urgent or not heard.timed:
        return None
    begins, ends = heard.utc + CLOCK_MS, heard.ends_utc - CLOCK_MS
    for window in heard.life.ledger.of("window"):
        overlaps = window.payload["begins"] + CLOCK_MS < heard.utc < window.payload["ends"] - CLOCK_MS
        if window.payload["kind"] == "silence" and overlaps and heard.knew(window):
            zones = set(window.payload["audience"]["zones"])
            if window.is_for(heard.station) and (not zones or any(zones & routed for _, routed in heard.run.routes)):
                return f"silenced by {window.order_id}"
    for first, last in (_quiet(heard, OBEYED_MS), _quiet(heard, 0)):  # one that allows it may have just come
        if not all(_within(at, first, last) for at in (begins - CLOCK_MS, begins, ends, ends + CLOCK_MS)):
            return None
    return None if _excepted(heard) else f"quiet from {first} to {last}"


def _says_its_date(heard: Heard, programme: Programme) -> bool:
    """Whether it begins with words of the station's own, which only a warning may that nobody can date (7.11)."""
    names = heard.life.worlds[heard.station].headend.names
    own = {part.key for part in heard.run.play.parts if isinstance(part, Sound)} - programme.keys()
    return programme.urgent and not heard.belief.dates and len(own) == 1 and names.get(own.pop()) == "speech"


def _is_contradicted(heard: Heard, programme: Programme) -> bool:
    """Whether the clock may have been before its signatures when it began to wait for its zone."""
    signed = programme.order.payload["issued_at"]
    return not heard.belief.dates and bool(signed > heard.utc + APART_MS - WAITED_MS)


def _ceilings(heard: Heard, zone: str) -> list[int]:
    """What the desk has set for a zone, as far as the station knows it."""
    said = [one for one in heard.life.ledger.of("volume") if one.is_for(heard.station) and heard.knew(one)]
    return [one.payload["do"]["volume"] for one in said if zone in (one.payload["audience"]["zones"] or ZONES)]


def _replaces(other: Given, one: Given) -> bool:
    """Whether it is a newer version of the same series, or a newer timetable of the same issuer."""
    mine, theirs = one.payload, other.payload
    same = mine["issuer"] == theirs["issuer"] and other.kind == one.kind
    if not same or one.kind not in ("job", "timetable") or mine.get("series") != theirs.get("series"):
        return False
    return bool(theirs.get("version", 0) > mine.get("version", 0))


def _instants(when: dict[str, Any]) -> list[int]:
    if when["kind"] == "at":
        return [when["utc"]]
    first = datetime.fromisoformat(f"{when['first_day']}T{when['times'][0]}").replace(tzinfo=ZoneInfo(TIMEZONE))
    last = datetime.fromisoformat(f"{when['last_day']}T23:59:59").replace(tzinfo=ZoneInfo(TIMEZONE))
    begin, end = (round(one.timestamp() * 1000) for one in (first, last))
    return list(range(begin, end, DAY_MS))


def _quiet(heard: Heard, obeyed_ms: int) -> tuple[str, str]:
    """The newest regulation's hours, of those that the station had known for so long; else the ward's own."""
    known = [one for one in heard.life.ledger.of("regulation") if heard.knew(one, obeyed_ms)]
    newest = max(known, key=lambda one: one.payload["version"], default=None)
    return ("21:00", "05:00") if newest is None else newest.payload["clauses"][0]["quiet"]


def _excepted(heard: Heard) -> bool:
    """Whether the owner has let it pass, in every zone that hears it, and the station knows of it."""
    let = [
        window
        for window in heard.life.ledger.of("window")
        if window.payload["kind"] == "exception"
        and window.payload["begins"] <= heard.utc + CLOCK_MS
        and heard.ends_utc - CLOCK_MS <= window.payload["ends"]
        and window.is_for(heard.station)
        and heard.knew(window, 0)
    ]
    zones = {zone for _, routed in heard.run.routes for zone in routed}
    return all(any(zone in (one.payload["audience"]["zones"] or ZONES) for one in let) for zone in zones)


def _within(utc: int, first: str, last: str) -> bool:
    wall = datetime.fromtimestamp(utc / 1000, UTC).astimezone(ZoneInfo(TIMEZONE)).strftime("%H:%M")
    return first <= wall < last if first < last else wall >= first or wall < last


# How often


def _count(life: Life, station: str) -> None:
    """By each card's own memory: what it had heard when it was copied counts, what came after it does not."""
    world, memory = life.worlds[station], life.memories[station]
    by_name: dict[str, list[Run]] = {}
    for run in world.runs:
        if run.ends - run.begins > UNSEEN_MS:
            by_name.setdefault(_once(life, run), []).append(run)
    for name, runs in by_name.items():
        if len(runs) == 1:
            continue
        urgent = any(programme.urgent for programme in life.ledger.may_be(runs[0].job_id))
        for card in range(len(memory.lives)):
            heard = [*_on_card(memory, runs, card, 1 << 62)]
            tries = _tries(memory, heard, urgent=urgent)
            tries += _parted(life, station, heard)
            if len(heard) > tries:
                begins = [run.begins for run in heard]
                raise Broken("nothing_sounds_twice", f"{station}: {name} sounds at {begins}, and may {tries} times")


def _alone(life: Life, station: str) -> None:
    """Two programmes do not sound in one zone."""
    world = life.worlds[station]
    spans = sorted(span for run in world.runs for span in run.spans(world.mono))
    for (zone, _, end), (next_zone, start, _) in pairwise(spans):
        if zone == next_zone and start < end - STOP_MS - EARS_MS:
            raise Broken("one_programme_at_a_time_in_a_zone", f"{station}: two sound in {zone} at {start}")


def _once(life: Life, run: Run) -> str:
    """What may sound once: an order for now or for one instant, or one instant of a rule or of a repetition."""
    each_instant = any(
        one.order.kind == "timetable" or {"every_s", "times"} & {*one.payload["when"]}
        for one in life.ledger.may_be(run.job_id)
    )
    return run.play.play_id.rpartition(".")[0] if each_instant else run.job_id


def _parted(life: Life, station: str, runs: list[Run]) -> int:
    """How often somebody may have had it begin another part: paused, or gone on to the next item."""
    last = max((run.begins for run in runs), default=0)
    return sum(one.is_for(station) and one.at_ms < last for one in life.ledger.of("pause", "next_item"))


def _tries(memory: Memory, runs: list[Run], *, urgent: bool) -> int:
    if not urgent or not runs:
        return 1
    first, last = min(run.begins for run in runs), max(run.begins for run in runs)
    return min(EMERGENCY_TRIES, 1 + sum(first <= died <= last for died in memory.deaths))


def _on_card(memory: Memory, runs: list[Run], card: int, until: int) -> Iterator[Run]:
    """What a card knows to have sounded before ``until``."""
    since, as_of = memory.lives[card].since, memory.lives[card].as_of
    ended = memory.lives[card + 1].since if card + 1 < len(memory.lives) else 1 << 62
    yield from (run for run in runs if since <= run.begins < ended and run.begins + UNSEEN_MS < until)
    if as_of >= 0:
        before = max(index for index in range(card) if memory.lives[index].since <= as_of)
        yield from _on_card(memory, runs, before, as_of)


# Relays


def _relays(life: Life, station: str) -> None:
    """Every ms of a closed relay belongs to a sound, to what was just about to sound, to a test, or to an order."""
    world = life.worlds[station]
    for zone in world.site.zones:
        explained = [*_reasons(life, station, zone)]
        for on, off in closed_spans(world.relays.driven, zone):
            at = on
            for since, until in sorted(explained):
                at = until if since <= at < until else at
            if (
                at < min(off, world.mono)
                and not _test(life, station, on, off)
                and not _armed(life, station, zone, on, off)
            ):
                raise Broken(
                    "relays_close_for_an_order", f"{station}: {zone} is closed from {on} to {off}, unexplained {at}"
                )


def _reasons(life: Life, station: str, zone: str) -> Iterator[tuple[int, int]]:
    world, memory = life.worlds[station], life.memories[station]
    for run in world.runs:
        if any(zone in routed for _, routed in run.routes):
            yield run.begins - ARMED_MS, run.ends + TAIL_MS
    for warm in life.ledger.of("amplifier"):
        for since, until in memory.known(warm.order_id):
            lasts_ms = 1_000 * warm.payload["do"]["for_s"] + SECOND_MS
            begins = [since, *(boot for boot in memory.boots if since <= boot < until)]
            if warm.is_for(station):
                yield from ((at - SECOND_MS, at + lasts_ms + TAIL_MS) for at in begins)


def _test(life: Life, station: str, on: int, off: float) -> bool:
    return off - on <= TEST_MS and any(
        test.is_for(station) and test.at_ms <= on <= test.payload["not_after"] - BEGAN + CLOCK_MS
        for test in life.ledger.of("self_test")
    )


def _armed(life: Life, station: str, zone: str, on: int, off: float) -> bool:
    """Whether it was about to sound, and did not: only for as long as a warm-up and the wait for a sample take."""
    return off - on <= ARMED_MS and any(
        programme.sounds_in(station, zone)
        and programme.validity[0] - CLOCK_MS <= BEGAN + on + lied_ms <= programme.validity[1] + CLOCK_MS
        for programme in life.ledger.programmes.values()
        for lied_ms in life.lies
    )
