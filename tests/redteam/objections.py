"""Every reason why an order does not explain a sound: each is a promise of docs/protocol.md.

None of them asks the core what it thinks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from edge_agent.core.heads import area_scope, station_scope
from edge_agent.core.programme import Live, Part, Sound, begun_at
from edge_agent.core.units import DAY_MS, SECOND_MS, ClipKey
from tests.redteam.heard import CLOCK_MS, OBEYED_MS, Heard
from tests.redteam.ledger import ITEM_GAPS_MS, Given, Programme, warns
from tests.redteam.memory import Manifest
from tests.redteam.papers import RELAYED, site
from tests.sim import TIMEZONE
from tests.soak.judges import UNSEEN_MS
from tests.trust.makers import ZONES

LATE_MS = 10 * SECOND_MS
# How late what is not ordered to be late may begin (8.2).
RELAYED_LATE_MS = 10 * SECOND_MS
# How long behind its time a relayed programme may still be heard (10.10).
OPENING_MS = 40 * SECOND_MS
# What a station says of a warning that nobody can date: some 80 letters before each loop of it.
APART_MS = 120 * SECOND_MS
# A clock that nobody has signed is wrong when it is so far before a signature (7.11).
ARMED_MS = 4 * SECOND_MS
# From when a relay is told to close until the first sample: it confirms within 3 s, and an amplifier is warm after one.
CHOSEN_MS = 600 * SECOND_MS
# For so long it may be played what was chosen for now (4.9).
WAITED_MS = 120 * SECOND_MS
# How long a warning may have waited for a zone before that.

Objection = Callable[[Heard, Programme], str | None]
OBJECTIONS: list[Objection] = []


def _objection(objection: Objection) -> Objection:
    OBJECTIONS.append(objection)
    return objection


@_objection
def only_where_it_was_ordered(heard: Heard, programme: Programme) -> str | None:
    zones = {zone for _, zones in heard.run.routes for zone in zones}
    wrong = [zone for zone in zones if not programme.sounds_in(heard.station, zone)]
    return f"not for {wrong}" if wrong else None


@_objection
def only_what_was_signed(heard: Heard, programme: Programme) -> str | None:
    sounds = set(_sounds(heard.run.play.parts))
    dated = _says_its_date(heard, programme)
    if sounds - programme.keys() and not dated:
        return f"other sounds: {sounds - programme.keys()}"
    length_ms = heard.run.ends - heard.run.begins - (OPENING_MS if dated else 0)
    return f"{length_ms} ms of {programme.longest_ms}" if length_ms > programme.longest_ms + SECOND_MS else None


@_objection
def only_from_a_source_that_may_be_relayed(heard: Heard, programme: Programme) -> str | None:
    wrong = [url for url in programme.sources().values() if not url.startswith(RELAYED)]
    return f"relays {wrong}" if wrong else None


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
    begun = not_before - CLOCK_MS <= heard.utc or (heard.lied_ms < 0 and heard.was_there(programme.order))
    valid = begun and heard.utc <= not_after + CLOCK_MS
    if heard.timed and not (heard.timeless or contradicted or valid):
        return f"at {heard.utc}, valid from {not_before} to {not_after}"
    return None


@_objection
def without_a_welcome_only_new_warnings_sound(heard: Heard, programme: Programme) -> str | None:
    """Signed since the last signed time, by two where no clock says that they are of today; and they say their date."""
    if heard.belief.dates or not heard.timed:
        return None
    order, memory = programme.order, heard.memory
    if heard.was_there(order) and not heard.timeless:
        return None  # the timetable, and what had begun
    taken = memory.since(order.order_id, heard.run.begins) is not None and programme.urgent
    if taken and any(memory.first[order.order_id] < died <= heard.run.begins for died in memory.deaths):
        return None  # it was taken while the time was known, and a crash has cut it off (8.5)
    floor, signed = heard.belief.floor, order.payload["issued_at"]
    if not programme.urgent or signed < floor:
        return f"no welcome since the start, signed at {signed}, and the last signed time is {floor}"
    if (heard.timeless or _is_contradicted(heard, programme)) and len(set(order.keys)) < 2:
        return "no clock says that it is of today, and no second officer"
    return None if _says_its_date(heard, programme) else "nobody has signed the time, and it does not say how old it is"


@_objection
def what_is_only_offered_sounds_by_choice(heard: Heard, programme: Programme) -> str | None:
    """From when on its signers may only offer it, until then it may have been planned as they had signed it."""
    for since, until in heard.only_offered(programme):
        sounds_ms = min(heard.run.ends, until) - since - (OBEYED_MS if since > heard.run.begins else 0)
        if sounds_ms > UNSEEN_MS and not any(heard.choices(programme)):
            return f"only offered since {since}, and nobody had chosen it"
    return None


@_objection
def only_when_it_was_planned(heard: Heard, programme: Programme) -> str | None:
    """By those who have signed it, or by whoever has chosen it."""
    against = [_off_time(heard, programme, *one) for one in _whens(heard, programme)]
    return None if None in against else next(iter(against), "nobody has said when")


@_objection
def what_is_relayed_is_over_in_time(heard: Heard, programme: Programme) -> str | None:
    """What a source gives later is another programme; it is the first item of these."""
    at_once = any(when["kind"] == "now" for when, _ in _whens(heard, programme))
    if at_once or not (heard.timed and programme.sources()):
        return None
    over = heard.planned + int(programme.payload["items"][0]["duration_ms"]) + ITEM_GAPS_MS + RELAYED_LATE_MS
    for at, part in begun_at(heard.run.play.parts):
        ends = min(heard.utc + at + part.duration_ms, heard.ends_utc)
        if isinstance(part, Live) and heard.utc + at < ends and ends > over + CLOCK_MS:
            return f"relayed until {ends}, and it is over at {over}"
    return None


@_objection
def a_revoked_key_orders_nothing(heard: Heard, programme: Programme) -> str | None:
    """By the newest documents that the station was shown, whoever has shown them."""
    order, begins = programme.order, heard.run.begins
    taken = heard.memory.since(order.order_id, begins)
    revoked = heard.revoked(order, begins if taken is None else min(begins, taken + OBEYED_MS))
    return f"revoked since {revoked}" if revoked is not None and heard.run.ends > revoked + OBEYED_MS else None


@_objection
def nothing_ordinary_begins_when_the_grace_is_over(heard: Heard, programme: Programme) -> str | None:
    """By a clock that a centre has told; a warning never stops for that (6.11)."""
    creed = heard.memory.creed(heard.run.begins - OBEYED_MS)
    if programme.urgent or not (heard.timed and heard.belief.dates and creed):
        return None
    until = creed.ordinary_until
    return f"the documents' grace was over at {until}" if heard.utc > until + CLOCK_MS else None


@_objection
def what_was_taken_back_is_silent(heard: Heard, programme: Programme) -> str | None:
    issuer = programme.order.payload["issuer"]
    cancel = heard.taken_back(issuer, programme.job_id, programme.order.order_id) if heard.timed else None
    return f"cancelled by {cancel.order_id}" if cancel else None


@_objection
def what_was_set_right_is_silent(heard: Heard, programme: Programme) -> str | None:
    """By its own issuer, and a warning by a warning alone (4.14)."""
    for right in heard.life.ledger.correcting(programme.job_id):
        ours = right.payload["issuer"] == programme.order.payload["issuer"] and right.is_for(heard.station)
        weighs = warns(right.payload) or not programme.urgent
        if ours and weighs and heard.timed and heard.goes_on_after(right):
            return f"set right by {right.order_id}"
    return None


@_objection
def what_ends_another_is_heard_where_that_was(heard: Heard, programme: Programme) -> str | None:
    """A correction, and an all-clear (4.12, 4.14)."""
    says = programme.payload
    if not (says.get("corrects") or says.get("all_clear")):
        return None
    meant = [one for one in heard.life.ledger.programmes.values() if _is_ended_by(programme, one)]
    names = {one.job_id for one in meant}
    before = [one for one in heard.life.worlds[heard.station].runs if one.job_id in names]
    where = {zone for one in before for zone, since, _ in one.spans(one.ends) if since < heard.run.begins}
    unheard = heard.zones - where
    return f"of {sorted(names)} nothing was heard in {sorted(unheard)}" if unheard else None


@_objection
def what_was_withdrawn_is_silent(heard: Heard, programme: Programme) -> str | None:
    """Every scope that its order names has a manifest on the card that knows of it, and none lists it (17.6)."""
    order, issuer = programme.order, programme.order.payload["issuer"]
    scopes = _scopes(heard.station, order)
    if programme.urgent or order.kind not in ("job", "timetable") or not scopes:
        return None
    for since, until, kept in heard.memory.manifests():
        known = [kept[scope] for scope in scopes if scope in kept]
        gone = [one.upto.get(issuer, 0) >= order.payload["serial"] and order.digest not in one.digests for one in known]
        sounds_ms = min(heard.run.ends, until) - max(heard.run.begins, since + OBEYED_MS)
        if len(known) == len(scopes) and all(gone) and sounds_ms > UNSEEN_MS:
            return f"withdrawn by what it keeps from {since} to {until}"
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
    listed = any(order.digest in one.digests for one in _kept_at(heard, taken))  # such a card takes it for new (17.7)
    believed = [memory.creed(at) for at in (shown, taken)]  # what it said holds for as long as its key is believed
    said_still = bool(frozenset.intersection(*(one.servers for one in believed if one is not None)))
    if order.at_ms < card.since < taken and shown <= taken and said_still and not listed:
        return f"taken at {taken}, on a card of {card.as_of} since {card.since}, shown to be old at {shown}"
    return None


@_objection
def what_is_superseded_does_not_begin(heard: Heard, programme: Programme) -> str | None:
    for other in heard.life.ledger.given.values():
        at_once = other.kind == "job" and heard.timed and heard.goes_on_after(other)
        newer = _replaces(other, programme.order) and other.is_for(heard.station)
        if newer and (at_once or heard.knew(other)):
            return f"superseded by {other.order_id}"
    return None


@_objection
def what_asks_for_silence_ends_what_sounds(heard: Heard, programme: Programme) -> str | None:
    """A lock, an all-stop, and a silence that has begun, as far as it sounds where they hold."""
    for order in heard.life.ledger.of("lock", "all_stop", "window"):
        silence = order.kind == "window"
        if not order.is_for(heard.station) or (silence and order.payload["kind"] != "silence"):
            continue
        if (silence and programme.urgent) or heard.may_be_over(order):
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
        if not heard.knew(command) or not command.is_for(heard.station) or heard.may_be_over(command):
            continue
        zones = set(command.payload["audience"]["zones"]) if command.does == "lock" else set()
        hit = not zones or bool(zones & heard.zones)
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
            if window.is_for(heard.station) and (not zones or zones & heard.zones):
                return f"silenced by {window.order_id}"
    # One that allows it may have just come; and by its own clock, one that forbids it may not have begun.
    for first, last in (_quiet(heard, OBEYED_MS, CLOCK_MS), _quiet(heard, OBEYED_MS, 0), _quiet(heard, 0, 0)):
        if not all(_within(at, first, last) for at in (begins - CLOCK_MS, begins, ends, ends + CLOCK_MS)):
            return None
    return None if _excepted(heard) else f"quiet from {first} to {last}"


def _scopes(station: str, order: Given) -> list[str]:
    """Those of the station that the order names."""
    audience = order.payload["audience"]
    areas = [area_scope(area) for area in audience.get("areas", ()) if area in site(station).areas()]
    return areas + [station_scope(one) for one in audience.get("stations", ()) if one == station]


def _kept_at(heard: Heard, at: int) -> Iterator[Manifest]:
    for since, until, kept in heard.memory.manifests():
        if since <= at < until:
            yield from kept.values()


def _sounds(parts: tuple[Part, ...]) -> Iterator[ClipKey]:
    for part in parts:
        if isinstance(part, Sound | Live):
            yield part.key
        if isinstance(part, Live) and part.stand_in is not None:
            yield part.stand_in


def _says_its_date(heard: Heard, programme: Programme) -> bool:
    """Whether it begins with words of the station's own, which only a warning may that nobody can date (7.11).

    Or could when its zones were switched on for it.
    """
    names = heard.life.worlds[heard.station].headend.names
    own = {part.key for part in heard.run.play.parts if isinstance(part, Sound)} - programme.keys()
    undated = not heard.belief.dates or any(0 <= heard.run.begins - at <= ARMED_MS for at in heard.memory.told)
    return programme.urgent and undated and len(own) == 1 and names.get(own.pop()) == "speech"


def _is_contradicted(heard: Heard, programme: Programme) -> bool:
    """Whether the clock may have been before its signatures when it began to wait for its zone."""
    signed = programme.order.payload["issued_at"]
    return not heard.belief.dates and bool(signed > heard.utc + APART_MS - WAITED_MS)


def _ceilings(heard: Heard, zone: str) -> list[int]:
    """What the desk has set for a zone, as far as the station knows it."""
    said = [one for one in heard.life.ledger.of("volume") if one.is_for(heard.station) and heard.knew(one)]
    return [one.payload["do"]["volume"] for one in said if zone in (one.payload["audience"]["zones"] or ZONES)]


def _is_ended_by(one: Programme, other: Programme) -> bool:
    """Whether that is the one which it sets right, or a version of the warning that is over."""
    mine, theirs = one.payload, other.payload
    if one.order.payload["issuer"] != other.order.payload["issuer"] or one.job_id == other.job_id:
        return False
    if mine.get("corrects"):
        return bool(other.job_id == mine["corrects"])
    return bool(theirs.get("series") == mine["series"])


def _replaces(other: Given, one: Given) -> bool:
    """Whether it is a newer version of the same series, or a newer timetable of the same issuer."""
    mine, theirs = one.payload, other.payload
    same = mine["issuer"] == theirs["issuer"] and other.kind == one.kind
    if not same or one.kind not in ("job", "timetable") or mine.get("series") != theirs.get("series"):
        return False
    weighs = one.kind == "timetable" or warns(theirs) or not warns(mine)
    return bool(weighs and theirs.get("version", 0) > mine.get("version", 0))


def _whens(heard: Heard, programme: Programme) -> Iterator[tuple[dict[str, Any], int]]:
    """Each with the latest instant for which it may say "now"."""
    offered_from = min((since for since, _ in heard.only_offered(programme)), default=None)
    if offered_from is None or offered_from > heard.run.begins:
        yield programme.payload["when"], programme.validity[1]
    for choice in heard.choices(programme):
        yield choice.payload["do"]["when"], choice.payload["not_after"] + CHOSEN_MS


def _off_time(heard: Heard, programme: Programme, when: dict[str, Any], until: int) -> str | None:
    if when["kind"] == "now":
        late = heard.timed and not heard.timeless and not programme.urgent and heard.utc > until + CLOCK_MS
        return f"now, and until {until}" if late else None
    if heard.planned not in _instants(when):
        return f"planned for {heard.planned}, ordered for {_instants(when)}"
    late_ms = max(LATE_MS, 1_000 * programme.payload.get("missed", {}).get("limit_s", 0))
    off_ms = heard.utc - heard.planned
    return f"{off_ms} ms off" if heard.timed and not -CLOCK_MS <= off_ms <= late_ms + CLOCK_MS else None


def _instants(when: dict[str, Any]) -> list[int]:
    if when["kind"] == "at":
        return [when["utc"]]
    first = datetime.fromisoformat(f"{when['first_day']}T{when['times'][0]}").replace(tzinfo=ZoneInfo(TIMEZONE))
    last = datetime.fromisoformat(f"{when['last_day']}T23:59:59").replace(tzinfo=ZoneInfo(TIMEZONE))
    begin, end = (round(one.timestamp() * 1000) for one in (first, last))
    return list(range(begin, end, DAY_MS))


def _quiet(heard: Heard, obeyed_ms: int, begun_ms: int) -> tuple[str, str]:
    """The newest regulation's hours, of those known and in force for so long; else the ward's own."""
    known = [
        one
        for one in heard.life.ledger.of("regulation")
        if heard.knew(one, obeyed_ms) and one.payload["not_before"] + begun_ms <= heard.utc
    ]
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
        and heard.was_let(window)
    ]
    zones = {zone for _, routed in heard.run.routes for zone in routed}
    return all(any(zone in (one.payload["audience"]["zones"] or ZONES) for one in let) for zone in zones)


def _within(utc: int, first: str, last: str) -> bool:
    wall = datetime.fromtimestamp(utc / 1000, UTC).astimezone(ZoneInfo(TIMEZONE)).strftime("%H:%M")
    return first <= wall < last if first < last else wall >= first or wall < last
