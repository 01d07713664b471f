"""Every order that the wire can carry, and every kind of value that it cannot, for property tests.

The suite tries some new examples each time; ``TRUST_EXAMPLES=5000`` tries that many.
"""

from __future__ import annotations

import os
from dataclasses import fields, replace
from datetime import date, time
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from edge_agent.core import order
from edge_agent.core.job import (
    Audience,
    ClipItem,
    Job,
    JobClass,
    LiveItem,
    PlayAt,
    PlayNow,
    Preemption,
    Rule,
    TextItem,
    When,
)
from edge_agent.core.site import Clause, IntoQuiet, LocalPolicy, VolumeBand
from edge_agent.core.units import DAY_MS, ClipKey, JobId, UtcMs, ZoneId
from edge_agent.trust.strict_json import INTEGER_MAX
from edge_agent.trust.timetable import UTC_MS_MAX

EXAMPLES = int(os.environ.get("TRUST_EXAMPLES", "100"))
unhurried = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For every property test here: a busy machine is no failure."""

_name_letters = "abcdefghijklmnopqrstuvwxyz0123456789-"
names = st.text(_name_letters, min_size=1, max_size=64)
areas = st.lists(st.text(_name_letters, min_size=1, max_size=20), min_size=1, max_size=6).map("/".join)
instants = st.integers(0, UTC_MS_MAX).map(UtcMs)
hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
zone_names = st.sampled_from(["Asia/Ho_Chi_Minh", "Asia/Bangkok", "UTC", "Etc/GMT-7", "America/Argentina/Ushuaia"])
_letters = "aăâbcdđeêghiklmnoôơpqrstuưvxyấậếệốộứựỳỷỹABC 0123456789.,:;?!-–()\"'\\/{}[]😀"


def words(least: int, most: int, *, extra: str = "") -> st.SearchStrategy[str]:
    """Text as people write it, with what might upset a parser."""
    # Drawn as one whole from one alphabet: letter by letter would take ten times as long.
    return st.text(_letters + extra, min_size=least, max_size=most)


languages = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", min_size=1, max_size=16)
_particulars = {
    "title": words(1, 200),
    "field": words(0, 40),
    "language": languages,
    "source": words(0, 200),
    "approver": words(0, 80),
}
_urls = st.builds(
    "https://{}{}{}".format,
    st.text("abcdefghijklmnopqrstuvwxyz0123456789.-", min_size=1, max_size=40),
    st.just("") | st.text("0123456789", min_size=1, max_size=4).map(":{}".format),
    st.just("") | st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=80).map("/{}".format),
)
clips = st.builds(
    ClipItem,
    **_particulars,
    digest=hashes.map(ClipKey),
    length_bytes=st.integers(1, 200_000_000),
    duration_ms=st.integers(1, 7_200_000),
    codec=words(0, 16),
    urls=st.lists(_urls, min_size=1, max_size=4, unique=True).map(tuple),
)
texts = st.builds(TextItem, **_particulars, text=words(1, 300, extra="\n"))
lives = st.builds(
    LiveItem,
    **_particulars,
    urls=st.lists(_urls, min_size=1, max_size=4, unique=True).map(tuple),
    duration_ms=st.integers(1, 7_200_000),
    stand_in=st.none() | clips,
)
_days = st.dates(date(2020, 1, 1), date(2099, 12, 31))
_seconds = st.times().map(lambda at: time(at.hour, at.minute, at.second))


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """A recurring timetable."""
    first, last = sorted(draw(st.tuples(_days, _days)))
    times = tuple(draw(st.lists(_seconds, min_size=1, max_size=24, unique=True)))
    weekdays = draw(st.frozensets(st.integers(1, 7), min_size=1))
    return Rule(draw(zone_names), first, last, weekdays, times, draw(st.frozensets(_days, max_size=10)))


@st.composite
def audiences(draw: st.DrawFn) -> Audience:
    """Some stations or areas, any zones."""
    stations = draw(st.frozensets(names, max_size=5))
    chosen = draw(st.frozensets(areas, min_size=0 if stations else 1, max_size=5))
    return Audience(stations, chosen, draw(st.frozensets(names.map(ZoneId), max_size=4)))


@st.composite
def headings(draw: st.DrawFn) -> order.Heading:
    """What any order says of itself, a job as well."""
    not_before, not_after = sorted(draw(st.lists(instants, min_size=2, max_size=2, unique=True)))
    return order.Heading(
        order_id=JobId(draw(names)),
        issuer=draw(names),
        level=draw(names),
        key_epoch=draw(st.integers(0, INTEGER_MAX)),
        serial=draw(st.integers(1, INTEGER_MAX)),
        issued_at=draw(instants),
        not_before=not_before,
        not_after=not_after,
        audience=draw(audiences()),
    )


def _beneath(heading: order.Heading) -> dict[str, Any]:
    """What a job has of a heading: all but its id."""
    return {field.name: getattr(heading, field.name) for field in fields(heading) if field.name != "order_id"}


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    """Any job that is well-formed."""
    heading = draw(headings())
    cls = draw(st.sampled_from(JobClass))
    emergency = cls is JobClass.EMERGENCY
    rehearsal = emergency and draw(st.booleans())
    series = draw(st.just("") | names)
    cap = draw(st.dictionaries(st.sampled_from(["identifier", "sender", "sent"]), words(0, 200)))
    items = draw(st.lists(clips | texts if emergency else clips | texts | lives, min_size=1, max_size=3))
    live = any(isinstance(item, LiveItem) for item in items)
    return Job(
        job_id=heading.order_id,
        **_beneath(heading),
        cls=cls,
        order=draw(st.integers(0, 9_999)),
        when=draw(_whens(cls, rehearsal, heading.not_before, heading.not_after)),
        loops=1 if live else draw(st.integers(1, 20)),
        gap_ms=draw(st.integers(0, 3_600)) * 1_000,
        items=tuple(items),
        volume=draw(st.integers(0, 100)),
        preemption=draw(st.sampled_from([one for one in Preemption if not live or one is not Preemption.RESTART])),
        late_limit_ms=draw(st.integers(0, 86_400)) * 1_000,
        event=draw(st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True)) if emergency else "",
        cap=tuple((name, cap[name]) for name in ("identifier", "sender", "sent") if name in cap),
        zones_limit_ms=0 if live else draw(st.integers(0, 86_400)) * 1_000,
        series=series,
        version=draw(st.integers(1, 9_999)) if series else 0,
        all_clear=emergency and series != "" and draw(st.booleans()),
        rehearsal=rehearsal,
        corrects=draw(st.just("") | names.map("{}-0".format).filter(lambda name: len(name) <= 64)),
    )


def _whens(cls: JobClass, rehearsal: bool, not_before: UtcMs, not_after: UtcMs) -> st.SearchStrategy[When]:
    planned = st.builds(PlayAt, at=instants) | rules()
    if cls is not JobClass.EMERGENCY:
        return st.builds(PlayNow) | planned
    again = st.integers(60, 3_600).map(lambda every_s: every_s * 1_000)
    until = st.integers(not_before + 1, not_after).map(UtcMs)
    return planned if rehearsal else st.builds(PlayNow) | st.builds(PlayNow, again, until)


_minutes = st.times().map(lambda at: time(at.hour, at.minute))
_walls = st.tuples(_minutes, _minutes)
_bands = st.lists(st.builds(VolumeBand, _minutes, _minutes, st.integers(0, 100)), min_size=1, max_size=24).map(tuple)
_ordinary = st.sampled_from([JobClass.NORMAL, JobClass.PRIORITY])


def _lasting(least: int, most: int) -> st.SearchStrategy[int]:
    return st.integers(least, most).map(lambda count: count * 1_000)


clauses = st.builds(
    Clause,
    classes=st.frozensets(_ordinary),
    zones=st.frozensets(names.map(ZoneId), max_size=3),
    quiet=st.none() | _walls,
    weekdays=st.none() | st.frozensets(st.integers(1, 7), min_size=1),
    holidays=st.frozensets(_days, max_size=5),
    sessions_per_day=st.none() | st.integers(0, 96),
    day_ms=st.none() | _lasting(0, 86_400),
    session_ms=st.none() | _lasting(1, 86_400),
    live_day_ms=st.none() | _lasting(0, 86_400),
    volume_bands=st.just(()) | _bands,
)
_general = st.builds(
    lambda clause, quiet, session_ms, bands: replace(
        clause, classes=frozenset(), zones=frozenset(), quiet=quiet, session_ms=session_ms, volume_bands=bands
    ),
    *(clauses, _walls, _lasting(1, 86_400), _bands),
)
regulations = st.builds(
    order.Regulation,
    heading=headings().map(
        lambda heading: replace(heading, audience=replace(heading.audience, zones=frozenset())),
    ),
    version=st.integers(1, INTEGER_MAX),
    number=words(1, 80),
    dated=_days,
    policy=st.builds(
        LocalPolicy,
        clauses=st.tuples(_general, st.lists(clauses, max_size=3)).map(lambda pair: (pair[0], *pair[1])),
        into_quiet=st.sampled_from(IntoQuiet),
    ),
)
loosenings = st.builds(
    order.Loosening,
    classes=st.frozensets(_ordinary, min_size=1),
    session_ms=_lasting(1, 86_400),
    total_ms=st.none() | _lasting(1, 16 * 86_400),
    volume_max=st.none() | st.integers(0, 100),
)


@st.composite
def windows(draw: st.DrawFn) -> order.Window:
    """An exception, or a silence."""
    heading = draw(headings())
    loosens = draw(st.none() | loosenings)
    longest = (16 if loosens else 31) * DAY_MS
    begins = draw(st.integers(max(0, heading.not_after - longest), heading.not_after - 1))
    ends = draw(st.integers(begins + 1, heading.not_after))
    return order.Window(heading, UtcMs(begins), UtcMs(ends), draw(words(1, 200)), loosens)


_jobs_named = names.map(JobId)


def actions(not_before: UtcMs) -> st.SearchStrategy[order.Action]:
    """Everything that can be commanded; what a cancel asks to be remembered is bounded from ``not_before`` on."""
    cancelled = st.integers(0, min(UTC_MS_MAX, not_before + 400 * DAY_MS)).map(UtcMs)
    return st.one_of(
        st.builds(order.Cancel, _jobs_named, cancelled),
        st.sampled_from([order.Stop(), order.Resume(), order.NextItem(), order.Restart(), order.SelfTest()]),
        st.builds(order.Pause, _lasting(1, 3_600)),
        st.builds(order.SetVolume, st.integers(0, 100)),
        st.builds(order.Amplify, st.booleans(), _lasting(1, 600)),
        st.builds(order.AllStop, _lasting(1, 900)),
        st.builds(order.Lock, _lasting(1, 14_400)),
        st.builds(order.Rank, st.lists(_jobs_named, min_size=1, max_size=64, unique=True).map(tuple)),
        st.builds(order.Choose, _jobs_named, st.builds(PlayNow) | st.builds(PlayAt, at=instants) | rules()),
        st.builds(order.Ask, _days),
    )


@st.composite
def commands(draw: st.DrawFn) -> order.Command:
    """Any command."""
    heading = draw(headings())
    made = actions(heading.not_before).filter(lambda action: getattr(action, "target", "") != heading.order_id)
    return order.Command(heading, draw(made))


@st.composite
def timetables(draw: st.DrawFn) -> order.Timetable:
    """Any timetable: jobs that are planned and ordinary, under one heading."""
    heading = draw(headings())
    by_itself = {"event": "", "series": "", "version": 0, "all_clear": False, "rehearsal": False, "corrects": ""}
    shared = _beneath(heading) | by_itself
    found = {}
    for job in draw(st.lists(jobs(), max_size=3)):
        cls = draw(_ordinary)
        when = draw(st.builds(PlayAt, at=instants) | rules())
        audience = draw(st.sampled_from([job.audience, heading.audience]))
        found[job.job_id] = replace(job, **(shared | {"cls": cls, "when": when, "audience": audience}))
    found.pop(heading.order_id, None)
    return order.Timetable(heading, draw(names), draw(st.integers(1, INTEGER_MAX)), tuple(found.values()))


rule_orders: st.SearchStrategy[order.RuleOrder] = regulations | windows() | commands() | timetables()


anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)
"""Whatever Python's own ``json`` writes, our rules or not."""
