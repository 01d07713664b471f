"""Generated mistakes in the station's file: each is named where it was made, with a remedy, and nothing else is blamed.

What may stand where is said here once more, in the words of docs/configuration.md, and not taken from the parser.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_agent.config.reader import Fault, Problem
from tests.config_texts import EXAMPLE, FULL, read, refusal_of

Literal = st.SearchStrategy[str]
LINES = FULL.split("\n")


def _places() -> dict[str, int]:
    """Where each key of FULL is written: ``[broker] port`` -> the number of its line, from 1."""
    places: dict[str, int] = {}
    table, zones = "", 0
    for number, line in enumerate(LINES, 1):
        if header := re.match(r"\[\[?([a-z.]+)\]\]?", line):
            zones += line.startswith("[[")
            table = f"[[zones]] #{zones}" if line.startswith("[[") else f"[{header[1]}]"
            places[table] = number
        elif key := re.match(r"([a-z_]+) = ", line):
            places[f"{table} {key[1]}"] = number
    return places


PLACES = _places()


def text(value: str) -> str:
    """A TOML text with every letter escaped that could mean something."""
    return '"' + "".join(char if char.isascii() and char.isalnum() else f"\\U{ord(char):08x}" for char in value) + '"'


other_types = st.sampled_from(["true", "1.5", "[]", '["a"]', "{a = 1}", "2026-10-01", "05:30:00", "nan"])
controls = st.sampled_from(['"a\\u0000b"', '"\\n"', '"\\u007f"', '"a\\u0085"'])


@pytest.mark.parametrize(
    "written",
    ["0x" + "f" * 5_000, "9" * 5_000, "9_9" * 5_000, "[0x" + "f" * 5_000 + "]"],
    ids=["hexadecimal", "decimal", "underscores", "in a list"],
)
@pytest.mark.parametrize("where", [where for where, number in PLACES.items() if " = " in LINES[number - 1]], ids=str)
def test_a_number_of_thousands_of_digits_is_refused_by_the_name_of_its_key(where: str, written: str) -> None:
    number = PLACES[where]
    key, _, value = LINES[number - 1].partition(" = ")
    rest = number if value != "[" else LINES.index("]", number) + 1
    refusal = refusal_of("\n".join([*LINES[: number - 1], f"{key} = {written}", *LINES[rest:]]))
    assert refusal is not None
    (problem, *_) = [one for one in refusal.problems if one.line == number]
    assert problem.where == where
    assert problem.remedy
    assert len(problem.text("station.toml")) < 500


def no_text(pattern: str) -> Literal:
    """Anything but a text of which the whole matches; never a lone surrogate, which TOML itself refuses."""
    letters = st.characters(exclude_categories=["Cs"])
    wrong = st.text(letters, max_size=90).filter(lambda value: re.fullmatch(pattern, value) is None)
    return other_types | controls | st.integers(-9, 9).map(str) | wrong.map(text)


def no_integer(least: int, most: int) -> Literal:
    """Anything but an integer from ``least`` to ``most``."""
    beyond = st.integers(max_value=least - 1) | st.integers(min_value=most + 1) | st.sampled_from((least - 1, most + 1))
    return other_types | st.sampled_from([text(str(least)), '""']) | beyond.map(str)


def no_choice(*choices: str) -> Literal:
    """Anything but one of these."""
    wrong = st.from_regex(r"[a-z-]{0,9}", fullmatch=True).filter(lambda value: value not in choices)
    return other_types | controls | st.integers(-9, 9).map(str) | wrong.map(text)


no_boolean = st.sampled_from(['"true"', "1", "0", '""', "[true]", "1.0"])
no_file = st.sampled_from(['""', "true", "1", "[]"]) | controls | st.just(text("x" * 1_001))
no_name = no_text(r"(?=.*\S).{1,80}")
NAME, ZONE_NAME = r"[a-z0-9-]{1,64}", r"[a-z0-9-]{1,32}"
WALL = r'\["[0-9:]{5}", "[0-9:]{5}"\]'
ZONE = {
    "id": no_text(ZONE_NAME),
    "name": no_name,
    "card": no_text(r"main") | st.just('"usb"'),
    "channel": no_choice("left", "right", "both", "mono"),
    "line": no_integer(0, 511),
    "warm_up_ms": no_integer(0, 60_000),
}
SERVER = r"https://([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?"
WRONG: dict[str, Literal] = {
    "[station] id": no_text(NAME),
    "[station] realm": no_text(NAME),
    "[station] name": no_name,
    "[station] area": no_text(r"[a-z0-9-]{1,64}(/[a-z0-9-]{1,64}){0,5}"),
    "[station] timezone": no_text(r"[A-Z].*") | st.sampled_from(['"Asia"', '"Asia/Hanoi"', '"../UTC"', '"/UTC"']),
    "[station] serial": no_text(r"[A-Za-z0-9._-]{1,64}"),
    "[broker] host": no_text(r"[A-Za-z0-9.:_-]{1,253}"),
    "[broker] port": no_integer(1, 65_535),
    "[broker] ca_file": no_file,
    "[broker] cert_file": no_file,
    "[broker] key_file": no_file,
    "[broker] keepalive_s": no_integer(15, 900),
    "[enrolment] url": no_text(SERVER),
    "[content] ca_file": no_file,
    "[content] home": no_text(f"{SERVER}/?"),
    "[trust] file": no_file,
    "[trust] station_key_file": no_file,
    "[trust] key_credential": no_text(r"[a-z0-9][a-z0-9._-]{0,63}"),
    "[paths] state_dir": no_file,
    "[paths] run_dir": no_file | st.just(text("/" + "r" * 90)),
    "[clock] ntp": no_choice("auto", "off"),
    "[clock] rtc": no_boolean,
    "[cards.main] device": no_text(r"\S{1,128}"),
    "[cards.main] channels": no_integer(1, 2),
    "[cards.main] rate": no_integer(44_100, 48_000) | st.integers(44_101, 47_999).map(str),
    "[cards.main] period_ms": no_integer(5, 400),
    "[cards.main] periods": no_integer(2, 4),
    "[cards.main] mixer": no_text(r"(?=.*\S).{1,43}"),
    "[cards.main] mixer_volume": no_integer(0, 100),
    "[inputs.mic] device": no_text(r"\S{1,128}"),
    "[inputs.mic] channels": no_integer(1, 2),
    "[relays] driver": no_choice("gpio", "simulated"),
    "[relays] chip": no_file,
    "[relays.simulated] dir": no_file,
    **{f"[[zones]] #1 {key}": wrong for key, wrong in ZONE.items()},
    **{f"[[zones]] #2 {key}": wrong for key, wrong in ZONE.items()},
    "[[zones]] #1 active_low": no_boolean,
    "[[zones]] #1 read_back_line": no_integer(0, 511),
    "[[zones]] #2 ear": no_text(r"\S{1,128}"),
    "[[zones]] #2 ear_channel": no_choice("mono", "left", "right"),
    "[[zones]] #2 ear_least_db": no_integer(-96, 0),
    "[[zones]] #1 trim_db": no_integer(0, 24),
    "[[zones]] #1 volume_max": no_integer(0, 100),
    "[[zones]] #2 volume_max": no_integer(0, 100),
    "[[zones]] #1 on_minutes_max": no_integer(1, 120),
    "[[zones]] #1 least_on_ms": no_integer(0, 10_000),
    "[[zones]] #1 least_off_ms": no_integer(0, 60_000),
    "[[zones]] #2 stagger_group": st.sampled_from(['"c"', '""', '"A"', "1", '["a"]']),
    "[programme] stagger_ms": no_integer(0, 10_000),
    "[programme] stagger_neighbours": no_boolean,
    "[policy] quiet": st.sampled_from(["[]", '"21:00"', '["21:00"]', '["21:00", "21:00"]', '["21:00", "24:00"]', "1"]),
    "[policy] weekdays": st.sampled_from(["[]", "[0]", "[8]", "[1, 1]", "1", '["T2"]', "[true]"]),
    "[policy] sessions_per_day": no_integer(0, 96),
    "[policy] session_minutes": no_integer(1, 1_440),
    "[policy] minutes_per_day": no_integer(1, 1_440),
    "[policy] live_minutes_per_day": no_integer(1, 1_440),
    "[policy] into_quiet": no_choice("refuse", "cut"),
    "[programme] opening_chime": no_boolean,
    "[programme] closing_chime": no_boolean,
    "[programme] rise_s": no_integer(0, 3),
    "[speech] voice": no_choice("vi", "vi-vn-x-central", "vi-vn-x-south"),
    "[speech] rate_wpm": no_integer(80, 450),
    "[speech] stems": no_file,
    "[cache] bytes_max": no_integer(1_000_000, 1_000_000_000_000),
    "[cache] fetch_mb_per_day": no_integer(1, 100_000),
    "[decoder] sandbox": no_choice("bwrap", "none"),
    "[reporting] heartbeat_s": no_integer(15, 3_600),
    "[console] language": no_choice("vi", "vi-ascii", "en"),
}
LEFT_TO_OTHERS = {"[policy] volume"}
"""Written over several lines; tests/test_config_refusals.py has its mistakes."""
REQUIRED = [
    *("[station] id", "[station] realm", "[station] name", "[station] area", "[station] timezone", "[broker] host"),
    *("[broker] ca_file", "[broker] cert_file", "[broker] key_file", "[content] ca_file", "[trust] file"),
    *("[trust] station_key_file", "[cards.main] device", "[cards.main] channels", "[relays] driver"),
    *("[relays.simulated] dir", *(f"[[zones]] #{number} {key}" for number in (1, 2) for key in ZONE)),
]


def problems_of(lines: list[str]) -> dict[str, Problem]:
    """Each problem by its place; the message as a whole is held to its form beside."""
    refusal = refusal_of("\n".join(lines))
    if refusal is None:
        return {}
    assert len(str(refusal).split("\n")) == len(refusal.problems) == len({one.where for one in refusal.problems})
    assert all(one.remedy and one.remedy.isprintable() for one in refusal.problems)
    assert str(refusal).startswith("station.toml:")
    return {one.where: one for one in refusal.problems}


def with_value(lines: list[str], place: str, literal: str) -> list[str]:
    number = PLACES[place]
    key = place.split()[-1]
    return [*lines[: number - 1], f"{key} = {literal}", *lines[number:]]


def test_every_key_of_the_file_is_spoilt_below_and_was_right_before() -> None:
    assert problems_of(LINES) == {}
    keys = {place for place in PLACES if not place.endswith("]") and " " in place.replace("]] #", "")}
    assert keys == WRONG.keys() | LEFT_TO_OTHERS
    assert WRONG.keys() >= set(REQUIRED)


@given(st.lists(st.sampled_from(sorted(WRONG)), min_size=1, max_size=4, unique=True), st.data())
def test_each_wrong_value_is_named_on_its_line_with_a_remedy_and_no_right_one_is(
    places: list[str], data: st.DataObject
) -> None:
    lines = LINES
    for place in places:
        lines = with_value(lines, place, data.draw(WRONG[place], place))
    found = problems_of(lines)
    assert found.keys() == set(places)
    assert {place: problem.line for place, problem in found.items()} == {place: PLACES[place] for place in places}
    assert not {problem.fault for problem in found.values()} & {Fault.UNKNOWN, Fault.MISSING, Fault.SYNTAX}


@given(st.sets(st.sampled_from(REQUIRED), min_size=1, max_size=4))
def test_each_missing_key_is_named_at_its_table_with_what_to_write(places: set[str]) -> None:
    gone = {PLACES[place] for place in places}
    found = problems_of([line if number not in gone else "#" for number, line in enumerate(LINES, 1)])
    assert found.keys() == places
    for place, problem in found.items():
        table, _, key = place.rpartition(" ")
        assert (problem.fault, problem.line) == (Fault.MISSING, PLACES[table])
        assert problem.remedy.startswith(f"write {key} = ")


KNOWN = {place.rpartition(" ")[2] for place in PLACES}
slips = st.from_regex(r"[a-z_]{1,14}", fullmatch=True).filter(lambda name: name not in KNOWN | {"main", "simulated"})


@given(st.sampled_from([place for place in PLACES if place.endswith("]") or place[-1].isdigit()]), slips, st.data())
def test_a_key_that_nobody_reads_is_named_on_its_line(table: str, slip: str, data: st.DataObject) -> None:
    value = data.draw(st.sampled_from(["1", '"a"', "[1]", "true", "{b = 2}"]))
    at = PLACES[table]
    found = problems_of([*LINES[:at], f"{slip} = {value}", *LINES[at:]])
    where = f"{table} {slip}"
    assert found.keys() == {where}
    assert (found[where].fault, found[where].line) == (Fault.UNKNOWN, at + 1)
    assert found[where].remedy.startswith(
        ("có phải là / did you mean", "bỏ dòng này; ở đây chỉ có / remove it; known here: ")
    )


@given(st.data())
def test_what_is_within_the_limits_is_taken_and_means_what_it_says(data: st.DataObject) -> None:
    given_: dict[str, Any] = {
        "[broker] port": data.draw(st.integers(1, 65_535)),
        "[broker] keepalive_s": data.draw(st.integers(15, 900)),
        "[station] name": data.draw(
            st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=80).filter(str.strip)
        ),
        "[cache] bytes_max": data.draw(st.integers(1_000_000, 1_000_000_000_000)),
        "[[zones]] #2 warm_up_ms": data.draw(st.integers(0, 60_000)),
        "[[zones]] #2 line": data.draw(st.integers(23, 511)),
        "[speech] rate_wpm": data.draw(st.integers(80, 450)),
    }
    lines = LINES
    for place, value in given_.items():
        lines = with_value(lines, place, text(value) if isinstance(value, str) else str(value))
    config = read("\n".join(lines))
    zone = config.site.zones["dinh-lang"]  # type: ignore[index]
    read_back = [config.broker.port, config.broker.keepalive_s, config.name, config.cache.bytes_max, zone.warm_up_ms]
    read_back += [config.zones[zone.zone].line, config.speech.rate_wpm]
    assert read_back == list(given_.values())


@given(st.text(max_size=120) | st.lists(st.sampled_from(EXAMPLE.split("\n")), max_size=30).map("\n".join))
def test_any_text_is_a_configuration_or_refused_with_lines_of_its_own(anything: str) -> None:
    for problem in problems_of(anything.split("\n")).values():
        assert 1 <= problem.line <= anything.count("\n") + 1


def cut(text: str, start: int, length: int, patch: str) -> str:
    start = start % (len(text) + 1)
    return text[:start] + patch + text[start + length :]


PATCHES = st.one_of(
    st.sampled_from(
        ['"', "'", '"""', "[", "]", "[[", "{", "}", "=", ",", "\n", "\r", "#", ".", "-", "1", "1e400", "nan"]
    ),
    st.sampled_from(["true", "[]", "{}", '""', "1979-05-27", "05:30:00", "\\u0000", "\ufeff", "[zones]", "[[cards]]"]),
    st.text(max_size=8),
)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 40), PATCHES), min_size=1, max_size=3))
@example([(0, 10_000, "")])
@example([(0, 10_000, "zones = 1\ncards = 2\nstation = []\nrelays = {simulated = 1}\npolicy = 1979-05-27")])
@example([(0, 10_000, "[cards]\nmain = 1\n[[zones]]\n[zones.card]\n[policy]\nquiet = [[]]\nvolume = [{}, [1, 2, 3]]")])
def test_any_change_of_the_example_is_either_understood_or_refused_with_a_line(
    changes: list[tuple[int, int, str]],
) -> None:
    text = FULL
    for start, length, patch in changes:
        text = cut(text, start, length, patch)
    refusal = refusal_of(text)
    if refusal is not None:
        last_line = text.count("\n") + 1
        assert refusal.problems
        assert all(1 <= problem.line <= last_line and problem.remedy for problem in refusal.problems)
        assert len(str(refusal).split("\n")) == len(refusal.problems)


JSONISH = st.recursive(
    st.one_of(
        st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.sampled_from(["", "a", "05:00", "left", "\u0001"])
    ),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(set(re.findall(r"(?m)^[a-z_]+(?= = )", FULL)))), JSONISH)
def test_any_value_for_any_key_is_either_understood_or_refused(key: str, value: object) -> None:
    written = json.dumps(value, ensure_ascii=True).replace("NaN", "nan").replace("Infinity", "inf")
    text = re.sub(rf"(?m)^{key} = .*?(?=\s+#|\n[^ \]])", lambda _: f"{key} = {written}", FULL, count=1, flags=re.DOTALL)
    refusal = refusal_of(text)
    assert refusal is None or all(problem.line >= 1 for problem in refusal.problems)
