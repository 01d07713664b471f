"""Faults planted in the ward's rules: what a hurried hand might make of docs/wards-day.md."""

from __future__ import annotations

from tests.plant.plants import CORE, Plant

POLICY = f"{CORE}/policy.py"
SESSIONS = f"{CORE}/sessions.py"
RULES = (
    Plant(
        "what begins a minute and a half later still belongs to the session",
        SESSIONS,
        "SESSION_GAP_MS = 60 * SECOND_MS",
        "SESSION_GAP_MS = 90 * SECOND_MS",
    ),
    Plant(
        "yesterday's sessions count today",
        POLICY,
        "sum(_day(rules, first) == day for first, _ in sessions(spans))",
        "len(sessions(spans))",
    ),
    Plant(
        "a day's minutes count what sounds at once twice",
        SESSIONS,
        "return sum(last - first for first, last in _joined(spans, 0))",
        "return sum(last - first for first, last in spans)",
    ),
    Plant(
        "what an exception let sound uses up the day",
        POLICY,
        "        and not sound.under\n",
        "",
    ),
    Plant(
        "an emergency uses up the day",
        POLICY,
        "        if sound.cls is not JobClass.EMERGENCY\n        and not",
        "        if sound.cls is not None\n        and not",
    ),
    Plant(
        "an exception has no end",
        POLICY,
        "    if wish.end > window.ends:\n        return Reason.OUTSIDE_EXCEPTION\n",
        "",
    ),
    Plant(
        "an exception for one zone is one for all",
        POLICY,
        "        if not _concerns(window, zone):\n            out[zone] = Reason.OUTSIDE_EXCEPTION\n",
        "        pass\n",
    ),
    Plant(
        "a silence holds only for what begins in it",
        POLICY,
        "    if any(silence.begins < wish.end and wish.start < silence.ends for silence in silences):",
        "    if any(silence.begins <= wish.start < silence.ends for silence in silences):",
    ),
    Plant(
        "holidays are days like any other",
        POLICY,
        "    (_on_holiday, Reason.HOLIDAY),\n",
        "",
    ),
    Plant(
        "only the band of the beginning makes it quieter",
        POLICY,
        "if _touches(rules, wish, (band.start, band.end))",
        "if _touches(rules, replace(wish, lasts_ms=1), (band.start, band.end))",
    ),
    Plant(
        "a lock is over at half of its time",
        f"{CORE}/standing.py",
        "            return MonoMs(rule.since + for_ms)\n",
        "            return MonoMs(rule.since + for_ms // 2)\n",
    ),
    Plant(
        "a newer version leaves the older one its repetitions",
        f"{CORE}/series.py",
        "        if known.job.version < job.version:\n",
        "        if known.job.version < job.version - 1:\n",
    ),
    Plant(
        "an older version that comes late sounds",
        f"{CORE}/series.py",
        "    return Reason.SUPERSEDED if newest(state, job) >= job.version > 0 else None\n\n\ndef takes_place",
        "    return None\n\n\ndef takes_place",
    ),
    Plant(
        "the all-clear sounds everywhere",
        f"{CORE}/zones.py",
        "    if not (job.all_clear or job.corrects):\n",
        "    if True:\n",
    ),
    Plant(
        "an all-stop stops what is issued after it too",
        f"{CORE}/standing.py",
        " and issued_at <= order.heading.issued_at\n",
        "\n",
    ),
    Plant(
        "a repeated warning catches up what it missed",
        f"{CORE}/schedule.py",
        "    return UtcMs(planned + max(0, now - planned) // job.when.every_ms * job.when.every_ms)",
        "    return planned",
    ),
)
