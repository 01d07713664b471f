"""What may sound, and which relay may close: judged by the ledger, the true time and what each card knows.

A sound needs one order that explains it (``objections``), no more often than it may, and alone in its zone; a relay
needs a sound, or an order (``closings``).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from edge_agent.core.heads import scopes_of
from tests.redteam import closings
from tests.redteam.heard import Heard
from tests.redteam.ledger import Given
from tests.redteam.memory import Memory
from tests.redteam.objections import OBJECTIONS
from tests.redteam.papers import SERVER
from tests.soak.judges import UNSEEN_MS
from tests.soak.promises import Broken
from tests.ward.card import Run
from tests.ward.ears import EARS_MS
from tests.ward.timing import STOP_MS

if TYPE_CHECKING:
    from tests.redteam.life import Life

EMERGENCY_TRIES = 3


def judge(life: Life) -> None:
    """Raises ``Broken`` with the name of the first promise that was not kept."""
    for station, world in life.worlds.items():
        for run in world.runs:
            if run.ends > run.begins:
                _explain(Heard(life, station, run))
        _count(life, station)
        _alone(life, station)
        closings.close_for_an_order(life, station)
        _keeps_the_newest(life, station)
        for told in life.worlds[station].air.in_vain():
            raise Broken("a_source_is_asked_for_to_be_heard", f"{station}: {told}")


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
            tries += _parted(life, station, heard) + _chosen_again(life, station, heard)
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


def _keeps_the_newest(life: Life, station: str) -> None:
    """No card goes back to an older manifest, whoever shows it; in the end each has what the centre gave out last.

    Where the server's stolen key is revoked, what it has driven up is forgotten.
    """
    setting = life.script.setting
    if SERVER in setting.stolen and setting.epochs:
        return
    for one, other in pairwise(life.memories[station].shelves):
        back = [scope for scope, kept in other.kept.items() if scope in one.kept and kept.place < one.kept[scope].place]
        if one.card == other.card and back:
            raise Broken("no_older_manifest_counts_again", f"{station}: {back} at {other.since}")
    if not setting.home or SERVER in setting.stolen:
        return
    shelves = life.memories[station].shelves
    kept = shelves[-1].kept if shelves else {}
    for scope in scopes_of(life.worlds[station].site):
        newest, place = life.shelf.made[scope][-1].head.place, kept[scope].place if scope in kept else None
        if place != newest:
            raise Broken("the_newest_manifest_counts_in_the_end", f"{station}: of {scope} {place}, and not {newest}")


def _once(life: Life, run: Run) -> str:
    """What may sound once: an order for now or for one instant, or one instant of a rule or of a repetition."""
    whens = [one.payload["do"]["when"] for one in _choices(life, run.job_id)]
    whens += [one.payload["when"] for one in life.ledger.may_be(run.job_id)]
    each_instant = any({"every_s", "times"} & {*when} for when in whens)
    each_instant |= any(one.order.kind == "timetable" for one in life.ledger.may_be(run.job_id))
    return run.play.play_id.rpartition(".")[0] if each_instant else run.job_id


def _parted(life: Life, station: str, runs: list[Run]) -> int:
    """How often somebody may have had it begin another part: paused, or gone on to the next item."""
    last = max((run.begins for run in runs), default=0)
    return sum(one.is_for(station) and one.at_ms < last for one in life.ledger.of("pause", "next_item"))


def _choices(life: Life, job_id: str) -> list[Given]:
    return [one for one in life.ledger.of("choose") if one.payload["do"]["target"] == job_id]


def _chosen_again(life: Life, station: str, runs: list[Run]) -> int:
    """How often somebody may have had it begin anew: what was cut off with its choice waits to be chosen again."""
    memory = life.memories[station]
    return sum(one.order_id in memory.first for run in runs[:1] for one in _choices(life, run.job_id)[1:])


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
