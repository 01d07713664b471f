"""Decide what the station itself may be: its place, the ward's rules, its zones, its cards and how they are wired."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edge_agent.config.reader import Fault, Form, Table, shown
from edge_agent.config.sections import Card, Channel, Ear, LineInput, ZoneWiring
from edge_agent.core.site import (
    BANDS_MAX,
    LEAST_OFF_MS_MAX,
    LEAST_ON_MS_MAX,
    LEVEL_DB_MIN,
    RELAY_ON_MS_MAX,
    RISE_MS_MAX,
    SESSIONS_MAX,
    STAGGER_MS_MAX,
    STANDARD_FRAME,
    VOLUME_MAX,
    WARM_UP_MS_MAX,
    Frame,
    Group,
    IntoQuiet,
    LocalPolicy,
    Site,
    VolumeBand,
    ZoneSite,
)
from edge_agent.core.units import MINUTE_MS, SECOND_MS, StationId, ZoneId

LINE_MAX = 511
# The kernel's own ceiling of lines for a long time (ARCH_NR_GPIOS 512); a Raspberry Pi 5 has 54.
CARDS_MAX = 4
# What a Raspberry Pi's four USB sockets take; each costs two threads, and a writer's wake-ups while it plays.
RATES = (44_100, 48_000)
# What every USB and HAT card plays without resampling in the driver, in Hz.
PERIOD_MS_MIN, PERIOD_MS_MAX = 5, 400
# 10 ms already costs 1.6 % of a core; 400 ms is the longest that was measured.
PERIODS_MIN, PERIODS_MAX = 2, 4
# One period plays while the next is written; the sound of 4 × 400 ms is kept to be written again (audio.prefetch).
TRIM_DB_MAX = 24
# More than lies between horns of 30 W and of 5 W (8 dB) and two amplifiers' inputs; below it sounds get lost.
EAR_LEAST_DB = -50
# A microphone a metre from a horn of 30 W (some 115 dB) is near its full scale; what the next cluster's, 300 m away,
# brings there is 50 dB below. A wire from behind the amplifier is louder still.
DAY_MINUTES = 24 * 60

STATION = Form(re.compile(r"[a-z0-9-]{1,64}"), "1 to 64 of a–z, 0–9 and -")
AREA = Form(
    re.compile(r"[a-z0-9-]{1,64}(/[a-z0-9-]{1,64}){0,5}"),
    'one to six names of a–z, 0–9 and - with "/" between, such as "vn/ha-noi/dong-thanh"',
)
NAME = Form(re.compile(r"(?=.*\S).{1,80}"), "1 to 80 characters")
SERIAL = Form(re.compile(r"[A-Za-z0-9._-]{1,64}"), "1 to 64 letters, digits, '.', '_' and -")
TIMEZONE = Form(
    # That of orders (trust.timetable): what a station calls its own zone, the centre must be able to read in a plan.
    re.compile(r"(?=.{1,64}\Z)[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}"),
    'a name of the IANA database such as "Asia/Ho_Chi_Minh", not "localtime", "right/…" or "posix/…"',
)
ZONE = Form(re.compile(r"[a-z0-9-]{1,32}"), "1 to 32 of a–z, 0–9 and -")
MIXER = Form(re.compile(r"(?=.*\S).{1,43}"), "the name of a playback control, see `amixer scontrols`")
# ALSA's own bound of a control's name (snd_ctl_elem_id, 44 bytes with its end).
DEVICE = Form(re.compile(r"\S{1,128}"), "the name of an ALSA PCM, see `aplay -L`")
CAPTURE = Form(re.compile(r"\S{1,128}"), "the name of an ALSA PCM to capture, see `arecord -L`")
WALL_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")

QUIET_FORM = 'two different times of day such as ["21:00", "05:00"]'
WEEKDAYS_FORM = "numbers from 1 (Monday) to 7 (Sunday), each once, such as [1, 2, 3, 4, 5]"
BAND_FORM = 'each band is [start, end, volume 0 to 100] such as ["05:00", "06:00", 55]'


def read_site(station: Table, zones: Sequence[Table], policy: Table, programme: Table) -> Site:
    """What the core knows: ``[station]``, ``[policy]``, ``[programme]`` and the core's part of each ``[[zones]]``."""
    sites = [_zone_site(zone) for zone in zones]
    _refuse_twice(zones, "id", [site.zone for site in sites])
    neighbours = programme.boolean("stagger_neighbours", default=False)
    stagger_ms = _stagger_ms(programme, zones, sites, neighbours=neighbours)
    return Site(
        station=StationId(station.text("id", STATION)),
        realm=station.text("realm", STATION),
        area=station.text("area", AREA),
        timezone=_timezone(station),
        zones={site.zone: site for site in sites},
        policy=_policy(policy),
        frame=_frame(programme),
        stagger_ms=stagger_ms,
        neighbours_take_turns=neighbours,
    )


def read_cards(cards: Table) -> Mapping[str, Card]:
    """``[cards.NAME]``: one to CARDS_MAX, each its own device, all at one rate."""
    tables = dict(cards.named_tables())
    found = {name: _card(name, table) for name, table in tables.items()}
    if not found:
        cards.fault("main", Fault.MISSING, "", "write [cards.main] and its keys below it")
    for number, name in list(enumerate(found, start=1))[CARDS_MAX:]:
        cards.fault(name, Fault.RANGE, f"card {number}", f"remove it: a station has at most {CARDS_MAX} cards")
    for name, other in _pairs(tables, "device"):
        if found[name].device == found[other].device:
            detail = f"{shown(found[name].device)} is also [cards.{other}] device"
            tables[name].fault("device", Fault.CLASH, detail, "give each card its own device, see `aplay -L`")
    for name, other in _pairs(tables, "rate"):
        if found[name].rate != found[other].rate:
            # Sound is stored ready to play, once: at two rates every clip would have to be made and kept twice.
            detail = f"{found[name].rate}, but [cards.{other}] has {found[other].rate}, and sound is stored at one rate"
            remedy = f'write rate = {found[other].rate}; a card that cannot: device = "plughw:…", where ALSA converts'
            tables[name].fault("rate", Fault.CLASH, detail, remedy)
            break
    return found


def read_line_ins(line_ins: Table) -> Mapping[str, LineInput]:
    """``[inputs.NAME]``: what an order may relay as ``line-in:NAME``; there may be none."""
    found = {}
    for name, table in line_ins.named_tables():
        if ZONE.pattern.fullmatch(name) is None:
            line_ins.fault(name, Fault.FORM, shown(name), f"its name must be {ZONE.say}, as orders write it")
        found[name] = LineInput(
            device=table.text("device", CAPTURE), channels=table.integer("channels", 1, 2, default=1)
        )
        table.done()
    return found


def _pairs(tables: Mapping[str, Table], key: str) -> list[tuple[str, str]]:
    """(a card, one written before it) of all whose ``key`` may be compared; the first written comes first."""
    names = [name for name, table in tables.items() if table.sound(key)]
    return [(name, other) for number, name in enumerate(names) for other in names[:number]]


def read_wiring(
    zones: Sequence[Table], written: Table, cards: Mapping[str, Card], inputs: Mapping[str, LineInput]
) -> Mapping[ZoneId, ZoneWiring]:
    """How each of ``[[zones]]`` is wired; no channel, line or ear may serve two purposes, and no card none.

    ``written`` is the table ``[cards]`` that ``cards`` were read from.
    """
    wirings = [_wiring(zone) for zone in zones]
    for zone, wiring in zip(zones, wirings, strict=True):
        _check_card(zone, wiring, cards)
    _refuse_shared_channels(zones, wirings)
    _refuse_shared_lines(zones, wirings)
    _refuse_idle_cards(zones, wirings, written, cards)
    _refuse_shared_ears(zones, wirings, inputs)
    return {wiring.zone: wiring for wiring in wirings}


def _zone_site(zone: Table) -> ZoneSite:
    on_minutes = RELAY_ON_MS_MAX // MINUTE_MS
    return ZoneSite(
        zone=ZoneId(zone.text("id", ZONE)),
        name=zone.text("name", NAME),
        warm_up_ms=zone.integer("warm_up_ms", 0, WARM_UP_MS_MAX),
        volume_max=zone.integer("volume_max", 0, VOLUME_MAX, default=VOLUME_MAX),
        on_ms_max=zone.integer("on_minutes_max", 1, on_minutes, default=on_minutes) * MINUTE_MS,
        least_on_ms=zone.integer("least_on_ms", 0, LEAST_ON_MS_MAX, default=0),
        least_off_ms=zone.integer("least_off_ms", 0, LEAST_OFF_MS_MAX, default=0),
        group=zone.choice("stagger_group", Group, default=Group.A),
    )


def _timezone(station: Table) -> str:
    name = station.text("timezone", TIMEZONE)
    if not station.sound("timezone"):
        return name
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: "Asia" is a folder of the database
        remedy = 'write a name of the IANA database such as timezone = "Asia/Ho_Chi_Minh"'
        station.fault("timezone", Fault.RANGE, f"{shown(name)} is not known here", remedy)
    return name


def _policy(policy: Table) -> LocalPolicy:
    standard = LocalPolicy().clauses[0]
    clause = replace(
        standard,
        quiet=_quiet(policy) if policy.know("quiet") else standard.quiet,
        weekdays=_weekdays(policy) if policy.know("weekdays") else standard.weekdays,
        sessions_per_day=policy.integer("sessions_per_day", 0, SESSIONS_MAX, default=standard.sessions_per_day),
        day_ms=_minutes(policy, "minutes_per_day", standard.day_ms),
        session_ms=_minutes(policy, "session_minutes", standard.session_ms),
        live_day_ms=_minutes(policy, "live_minutes_per_day", standard.live_day_ms),
        volume_bands=_bands(policy) if policy.know("volume") else standard.volume_bands,
    )
    into_quiet = policy.choice("into_quiet", IntoQuiet, default=IntoQuiet.REFUSE)
    policy.done()
    return LocalPolicy((clause,), into_quiet)


def _frame(programme: Table) -> Frame:
    standard = STANDARD_FRAME
    frame = Frame(
        opening=programme.boolean("opening_chime", default=standard.opening),
        closing=programme.boolean("closing_chime", default=standard.closing),
        rise_ms=programme.integer("rise_s", 0, RISE_MS_MAX // SECOND_MS, default=standard.rise_ms // SECOND_MS)
        * SECOND_MS,
    )
    programme.done()
    return frame


def _stagger_ms(programme: Table, zones: Sequence[Table], sites: Sequence[ZoneSite], *, neighbours: bool) -> int:
    """The silence between two turns; who writes half of what it takes is told, for nothing would come of it."""
    stagger_ms = programme.integer("stagger_ms", 0, STAGGER_MS_MAX, default=0)
    sound = programme.sound("stagger_ms") and programme.sound("stagger_neighbours")
    if not (sound and all(zone.sound("stagger_group") for zone in zones)):
        return stagger_ms
    groups = {site.group for site in sites}
    if neighbours and not programme.know("stagger_ms"):
        remedy = "write stagger_ms = 1000 too, the same in all of these stations, or remove it"
        programme.fault("stagger_neighbours", Fault.CLASH, "there is no stagger_ms", remedy)
    if stagger_ms and len(groups) == 1 and not neighbours:
        remedy = 'write stagger_group = "b" in the zones that speak second ("a" in the others), or remove it'
        programme.fault("stagger_ms", Fault.CLASH, f'every zone is of group "{min(groups)}"', remedy)
    for zone, site in zip(zones, sites, strict=True):
        if site.group is not Group.A and not programme.know("stagger_ms"):
            remedy = "write stagger_ms = 1000 below [programme] (0: for now all speak at once), or remove it"
            zone.fault("stagger_group", Fault.CLASH, "there is no [programme] stagger_ms", remedy)
    return stagger_ms


def _minutes(policy: Table, key: str, standard_ms: int | None) -> int:
    return policy.integer(key, 1, DAY_MINUTES, default=(standard_ms or 0) // MINUTE_MS) * MINUTE_MS


def _weekdays(policy: Table) -> frozenset[int]:
    days = policy.values("weekdays", WEEKDAYS_FORM)
    found = [day for day in days if type(day) is int and 1 <= day <= 7]
    if policy.sound("weekdays") and (not days or len(set(found)) != len(days)):
        policy.fault("weekdays", Fault.FORM, shown(days), f"must be {WEEKDAYS_FORM}")
    return frozenset(found)


def _quiet(policy: Table) -> tuple[time, time]:
    quiet = policy.values("quiet", QUIET_FORM)
    times = [moment for moment in map(_wall_time, quiet) if moment is not None]
    if len(quiet) == len(times) == 2 and times[0] != times[1]:
        return times[0], times[1]
    if policy.sound("quiet"):
        policy.fault("quiet", Fault.FORM, shown(quiet), f"must be {QUIET_FORM}")
    return time(), time()


def _bands(policy: Table) -> tuple[VolumeBand, ...]:
    bands = policy.values("volume", BAND_FORM)
    if policy.sound("volume") and not 1 <= len(bands) <= BANDS_MAX:
        policy.fault("volume", Fault.RANGE, f"{len(bands)} bands", f"must be 1 to {BANDS_MAX} bands; {BAND_FORM}")
    found = [_band(band) for band in bands]
    for number, (band, written) in enumerate(zip(found, bands, strict=True), start=1):
        if band is None:
            policy.fault("volume", Fault.FORM, f"band #{number}, {shown(written)}", BAND_FORM)
    return tuple(band for band in found if band is not None)


def _band(band: object) -> VolumeBand | None:
    if not isinstance(band, list) or len(band) != 3:
        return None
    start, end, volume = _wall_time(band[0]), _wall_time(band[1]), band[2]
    if start is None or end is None or type(volume) is not int or not 0 <= volume <= VOLUME_MAX:
        return None
    return VolumeBand(start, end, volume)


def _wall_time(text: object) -> time | None:
    if not isinstance(text, str) or WALL_TIME.fullmatch(text) is None:
        return None
    return time(int(text[:2]), int(text[3:]))


def _card(name: str, card: Table) -> Card:
    rate = card.integer("rate", RATES[0], RATES[-1], default=RATES[-1])
    if card.sound("rate") and rate not in RATES:
        card.fault("rate", Fault.RANGE, shown(rate), "must be one of " + ", ".join(map(str, RATES)))
    mixer, mixer_volume = _level(card)
    found = Card(
        name=name,
        device=card.text("device", DEVICE),
        rate=rate,
        channels=card.integer("channels", 1, 2),
        period_ms=card.integer("period_ms", PERIOD_MS_MIN, PERIOD_MS_MAX, default=200),
        periods=card.integer("periods", PERIODS_MIN, PERIODS_MAX, default=3),
        mixer=mixer,
        mixer_volume=mixer_volume,
    )
    card.done()
    return found


def _level(card: Table) -> tuple[str, int]:
    """The card's own volume control, "" where it is not touched, and where it is to stand."""
    if card.know("mixer"):
        return card.text("mixer", MIXER), card.integer("mixer_volume", 0, 100)
    if card.know("mixer_volume"):
        remedy = 'write mixer = "PCM" or what `amixer scontrols` names, or remove it'
        card.fault("mixer_volume", Fault.CLASH, "there is no mixer", remedy)
    return "", 0


def _wiring(zone: Table) -> ZoneWiring:
    return ZoneWiring(
        zone=ZoneId(zone.text("id", ZONE)),
        card=zone.text("card", NAME),
        channel=zone.choice("channel", Channel),
        line=zone.integer("line", 0, LINE_MAX),
        active_low=zone.boolean("active_low", default=False),
        read_back_line=zone.integer("read_back_line", 0, LINE_MAX) if zone.know("read_back_line") else None,
        trim_db=zone.integer("trim_db", 0, TRIM_DB_MAX, default=0),
        ear=_ear(zone),
    )


def _ear(zone: Table) -> Ear | None:
    if not zone.know("ear"):
        for key in ("ear_channel", "ear_least_db"):
            if zone.know(key):
                zone.fault(key, Fault.CLASH, "there is no ear", 'write ear = "hw:…", see `arecord -L`, or remove it')
        return None
    channel = zone.choice("ear_channel", Channel, default=Channel.MONO)
    if channel is Channel.BOTH:
        zone.fault("ear_channel", Fault.RANGE, shown(channel), 'write "mono", "left" or "right"')
    return Ear(zone.text("ear", CAPTURE), channel, zone.integer("ear_least_db", LEVEL_DB_MIN, 0, default=EAR_LEAST_DB))


def _check_card(zone: Table, wiring: ZoneWiring, cards: Mapping[str, Card]) -> None:
    if not zone.sound("card"):
        return
    if wiring.card not in cards:
        known = ", ".join(f'"{name}"' for name in cards) or "none"
        zone.fault("card", Fault.RANGE, f"there is no [cards.{wiring.card}]", f"write one of the cards: {known}")
    elif not zone.sound("channel") or ("cards", wiring.card, "channels") in zone.report.faulty:
        return
    elif (cards[wiring.card].channels == 1) != (wiring.channel is Channel.MONO):
        channels = cards[wiring.card].channels
        fitting = '"mono"' if channels == 1 else '"left", "right" or "both"'
        zone.fault("channel", Fault.CLASH, f"[cards.{wiring.card}] has channels = {channels}", f"write {fitting}")


def _refuse_shared_channels(zones: Sequence[Table], wirings: Sequence[ZoneWiring]) -> None:
    taken: dict[tuple[str, int], int] = {}
    for number, (zone, wiring) in enumerate(zip(zones, wirings, strict=True), start=1):
        if not zone.sound("card", "channel"):
            continue
        for side in sorted(wiring.channel.sides()):
            other = taken.setdefault((wiring.card, side), number)
            if other != number:
                detail = f'"{wiring.channel}" of [cards.{wiring.card}] is used by [[zones]] #{other}'
                zone.fault("channel", Fault.CLASH, detail, "give each zone a channel of its own")


def _refuse_shared_lines(zones: Sequence[Table], wirings: Sequence[ZoneWiring]) -> None:
    taken: dict[int, str] = {}
    for number, (zone, wiring) in enumerate(zip(zones, wirings, strict=True), start=1):
        for key, line in (("line", wiring.line), ("read_back_line", wiring.read_back_line)):
            if line is None or not zone.sound(key):
                continue
            use = f"[[zones]] #{number} {key}"
            other = taken.setdefault(line, use)
            if other != use:
                zone.fault(key, Fault.CLASH, f"line {line} is {other}", "give each relay and read-back its own line")


def _refuse_idle_cards(
    zones: Sequence[Table], wirings: Sequence[ZoneWiring], written: Table, cards: Mapping[str, Card]
) -> None:
    if not zones or not all(zone.sound("card") for zone in zones):
        return  # a misspelt name is one mistake, and not two
    used = {wiring.card for wiring in wirings}
    for name in [name for name in cards if name not in used]:
        remedy = f'write card = "{name}" in the zone that hangs on it, or remove it'
        written.fault(name, Fault.CLASH, "no zone hangs on it", remedy)


def _refuse_shared_ears(zones: Sequence[Table], wirings: Sequence[ZoneWiring], inputs: Mapping[str, LineInput]) -> None:
    taken: dict[str, list[tuple[Channel, int]]] = {}
    for number, (zone, ear) in enumerate(zip(zones, (wiring.ear for wiring in wirings), strict=True), start=1):
        if ear is None or not zone.sound("ear", "ear_channel"):
            continue
        # A device is opened once, with so many channels: whoever opens it otherwise, or relays it, finds it busy.
        for name in [name for name, given in inputs.items() if given.device == ear.device]:
            remedy = "listen with a device of its own, see `arecord -L`"
            zone.fault("ear", Fault.CLASH, f"{shown(ear.device)} is also [inputs.{name}] device", remedy)
        for channel, other in taken.get(ear.device, []):
            if channel is ear.channel or Channel.MONO in (channel, ear.channel):
                detail = f'"{channel}" of {shown(ear.device)} listens for [[zones]] #{other}'
                zone.fault("ear_channel", Fault.CLASH, detail, "give each zone a channel of its own")
        taken.setdefault(ear.device, []).append((ear.channel, number))


def _refuse_twice(zones: Sequence[Table], key: str, values: Sequence[str]) -> None:
    for number, (zone, value) in enumerate(zip(zones, values, strict=True)):
        if zone.sound(key) and value in values[:number]:
            detail = f"{shown(value)} is also [[zones]] #{values.index(value) + 1}"
            zone.fault(key, Fault.CLASH, detail, f"give each zone its own {key}")
