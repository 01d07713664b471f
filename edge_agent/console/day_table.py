"""Lay out a day's plan as lines: what plays when, where and how loud, and why anything will not. Pure, judges nothing.

Lines are made in the fullest form; ``words.screenful`` fits them to the language's letters and to 80 columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from edge_agent.console.catalogue import CLASSES, CLOCK_NOT_TRUSTED, OFFERS, class_words, reason_words
from edge_agent.console.times import moment, span, wall, weekday
from edge_agent.console.words import Language, Text
from edge_agent.core import policy
from edge_agent.core.explain import DaySheet
from edge_agent.core.outlook import Offer, Planned
from edge_agent.core.policy import Rules
from edge_agent.core.sessions import Span, sessions, sounding_ms
from edge_agent.core.site import Clause, Site
from edge_agent.core.units import MINUTE_MS, SECOND_MS, UtcMs, ZoneId
from edge_agent.core.wall_time import local_time

WARM_UP_MS = 5 * SECOND_MS
# Whoever waits for its zones begins so much later as an amplifier takes; nobody wants to see a minute for that.
NOT_PLAYED = Text("KHÔNG PHÁT", "NOT PLAYED")
EMPTY = Text("Không có gì để phát.", "Nothing is to be played.")
WHOLE_STATION = Text("cả trạm", "the whole station")
UNRANKED = Text("chưa xếp thứ tự", "no order set")
SINCE_THE_DAY_BEFORE = Text("từ hôm trước", "since the day before")


def in_zone(plan: tuple[Planned, ...], zone: ZoneId) -> tuple[Planned, ...]:
    """The day as one zone lives it."""
    return tuple(one for one in plan if zone in one.zones)


def at_minute(plan: tuple[Planned, ...], at: UtcMs) -> tuple[Planned, ...]:
    """What is to sound in that minute, and the first that sounds after it."""
    ends = at + MINUTE_MS
    then = [one for one in plan if one.starts < ends and (one.ends > at or one.starts >= at)]
    after = [one for one in plan if one.starts >= ends and one.reason is None]
    return (*then, *after[:1])


def day_lines(sheet: DaySheet, shown: tuple[Planned, ...], site: Site, language: Language) -> Iterator[str]:
    """The table: whose rules, each instant that is ``shown``, and what the whole day has used of its limits."""
    yield from _head(sheet, language)
    yield ""
    for one in shown:
        yield from _entry(one, sheet, site, language)
    if not shown:
        yield EMPTY.say(language)
    yield ""
    yield _used(sheet, site).say(language)
    yield from _waiting(sheet.offers, site, language)


def _head(sheet: DaySheet, language: Language) -> Iterator[str]:
    day = weekday(sheet.day)
    yield Text(
        f"Lịch phát {day.vi} {sheet.day:%d/%m/%Y} ({sheet.day})", f"Plan of {day.en} {sheet.day} ({sheet.day:%d/%m/%Y})"
    ).say(language)
    yield _policy(sheet).say(language)
    if not sheet.now.trusted:
        yield CLOCK_NOT_TRUSTED.say(language)


def _policy(sheet: DaySheet) -> Text:
    paper = sheet.regulation
    own = Text("Quy chế: của trạm, chưa có quy chế ký số", "Policy: the station's own, no signed regulation")
    if paper is not None:
        own = Text(
            f"Quy chế: {paper.number} ngày {paper.dated:%d/%m/%Y}",
            f"Policy: regulation {paper.number} of {paper.dated}",
        )
    quiet = policy.general_quiet(sheet.rules)
    hours = [Text(*(f"{getattr(wall(a), way)} – {getattr(wall(b), way)}" for way in ("vi", "en"))) for a, b in quiet]
    if not hours:
        return own
    told_vi, told_en = (", ".join(hour.say(language) for hour in hours) for language in (Language.VI, Language.EN))
    return Text(f"{own.vi}; giờ không phát {told_vi}", f"{own.en}; quiet hours {told_en}")


def _entry(one: Planned, sheet: DaySheet, site: Site, language: Language) -> Iterator[str]:
    times = f"{_clock(one.starts, site, language)}–{_end(one, site, language)}"
    since = [SINCE_THE_DAY_BEFORE] if local_time(one.starts, site.timezone).date() < sheet.day else []
    marks = [text.say(language) for text in (class_words(one), *since, *_order(one, sheet.plan))]
    where = "" if one.reason is not None else f"; {_where(one, site, language)}"
    yield f"{times}  [{', '.join(marks)}] {one.title}{where}"
    for line in _remarks(one, sheet.rules, site):
        yield f"    {line.say(language)}"


def _remarks(one: Planned, rules: Rules, site: Site) -> Iterator[Text]:
    if one.reason is not None:
        why = reason_words(one.reason)
        yield Text(f"{NOT_PLAYED.vi}: {why.vi}", f"{NOT_PLAYED.en}: {why.en}")
        return
    if one.starts - one.planned >= MINUTE_MS:
        due = wall(local_time(one.planned, site.timezone).time())
        yield Text(f"lịch {due.vi}, phát muộn vì phải chờ cụm loa", f"due at {due.en}, waits for its zones")
    if one.under:
        basis = _basis(one.under, rules)
        yield Text(f"theo trường hợp đặc biệt: {basis}", f"by the exception: {basis}")
    for zone, reason in one.out.items():
        name, why = site.zones[zone].name, reason_words(reason)
        yield Text(f"không phát ở {name}: {why.vi}", f"not at {name}: {why.en}")
    if one.cut:
        ends = wall(local_time(one.ends, site.timezone).time())
        yield Text(f"bị cắt lúc {ends.vi}: bắt đầu giờ không phát", f"cut at {ends.en}: quiet hours begin")


def _basis(under: str, rules: Rules) -> str:
    return next((window.basis for window in rules.windows if window.heading.order_id == under), under)


def _order(one: Planned, plan: Sequence[Planned]) -> Iterator[Text]:
    if one.order is not None:
        yield Text(f"thứ tự {one.order}", f"no. {one.order}")
    elif any(_compete(one, other) for other in plan):
        yield UNRANKED


def _compete(one: Planned, other: Planned) -> bool:
    """Whether they want a zone at the same time, in the names of different levels, and nobody has set an order."""
    apart = one.ends <= other.planned or other.ends <= one.planned
    alike = one.cls is other.cls and one.level != other.level and other.order is None
    return alike and not apart and bool({*one.zones} & {*other.zones})


def _where(one: Planned, site: Site, language: Language) -> str:
    """The zones that hear it with their volume, said once where it is the same."""
    names = [(site.zones[zone].name, volume) for zone, volume in one.volumes.items()]
    if len({volume for _, volume in names}) == 1:
        everywhere = len(names) == len(site.zones)
        told = WHOLE_STATION.say(language) if everywhere else ", ".join(name for name, _ in names)
        return f"{told}; {Text('âm lượng', 'volume').say(language)} {names[0][1]}"
    label = Text("âm lượng", "volume").say(language)
    return "; ".join(f"{name}, {label} {volume}" for name, volume in names)


def _clock(utc: UtcMs, site: Site, language: Language) -> str:
    return wall(local_time(utc, site.timezone).time()).say(language)


def _end(one: Planned, site: Site, language: Language) -> str:
    """Rounded up to a minute, but for the seconds of a warm-up; "?": words that nobody has measured yet."""
    if one.ends == one.starts:
        return "?"
    minute = max(-(-(one.ends - WARM_UP_MS) // MINUTE_MS), one.starts // MINUTE_MS + 1)
    return _clock(UtcMs(minute * MINUTE_MS), site, language)


def _used(sheet: DaySheet, site: Site) -> Text:
    """Sessions and minutes of the day, what has sounded already included, and how much the general clauses allow.

    What is relayed is told for itself where it has minutes of its own.
    """
    to_come = (one.counts for one in sheet.plan if one.counts is not None and one.starts >= sheet.now.utc)
    rules = replace(sheet.rules, past=(*sheet.rules.past, *to_come))
    by_sessions = _strictest(rules, lambda clause: clause.sessions_per_day)
    by_minutes = _strictest(rules, lambda clause: clause.day_ms)
    by_relays = _strictest(rules, lambda clause: clause.live_day_ms)
    spans = sessions(policy.counted(rules, by_sessions))
    begun = _of(len(_begun_on(sheet.day, spans, site)), by_sessions.sessions_per_day)
    minutes = _minutes(_begun_on(sheet.day, policy.counted(rules, by_minutes), site), by_minutes.day_ms)
    used = Text(f"Cả ngày: {begun} buổi, {minutes} phút", f"The whole day: {begun} sessions, {minutes} min")
    relayed = _begun_on(sheet.day, policy.counted(rules, by_relays, live=True), site)
    if by_relays.live_day_ms is None or not relayed:
        return used
    minutes = _minutes(relayed, by_relays.live_day_ms)
    return Text(f"{used.vi}; tiếp âm {minutes} phút", f"{used.en}; live relays {minutes} min")


def _strictest(rules: Rules, limit: Callable[[Clause], int | None]) -> Clause:
    """The general clause that allows least; where none says anything, one that allows everything."""
    limited = [(most, clause) for clause in policy.general(rules) if (most := limit(clause)) is not None]
    return min(limited, key=lambda one: one[0], default=(0, Clause()))[1]


def _begun_on(day: date, spans: Sequence[Span], site: Site) -> list[Span]:
    return [span for span in spans if _day(span[0], site) == day]


def _minutes(spans: Sequence[Span], most_ms: int | None) -> str:
    """Rounded up, of so many."""
    return _of(-(-sounding_ms(spans) // MINUTE_MS), None if most_ms is None else most_ms // MINUTE_MS)


def _of(used: int, most: int | None) -> str:
    return f"{used}" if most is None else f"{used}/{most}"


def _day(utc: UtcMs, site: Site) -> date:
    return local_time(utc, site.timezone).date()


def _waiting(offers: Sequence[Offer], site: Site, language: Language) -> Iterator[str]:
    if offers:
        yield f"{OFFERS.say(language)}: {len(offers)}"
    for offer in offers:
        until, lasts, cls = moment(offer.expires, site.timezone), span(offer.lasts_ms), CLASSES[offer.cls]
        yield Text(
            f"  “{offer.title}” ({cls.vi}, {lasts.vi}): chọn trước {until.vi}",
            f'  "{offer.title}" ({cls.en}, {lasts.en}): to be chosen by {until.en}',
        ).say(language)
