"""A station whose horns have ears: what may stand in its file, and how each mistake is named with its remedy."""

from __future__ import annotations

import pytest

from edge_agent.config import Channel, Ear
from edge_agent.config.reader import Fault, Problem
from edge_agent.config.station import EAR_LEAST_DB
from tests.config_texts import EXAMPLE, changed, line_number, problems_of, read

FIRST, SECOND = 'name = "Cụm loa chợ Đông Thành"\n', 'name = "Cụm loa đình làng Lương Nỗ"\n'
INPUT = '[inputs.mic]\ndevice = "hw:3,0"\n\n'


def with_ears(first: str = "", second: str = "", text: str = EXAMPLE) -> str:
    """The example with more keys in its first and its second zone."""
    return changed(SECOND, SECOND + second, changed(FIRST, FIRST + first, text))


def only_problem(text: str, at: str) -> Problem:
    (problem,) = problems_of(text)
    assert problem.line == line_number(text, at)
    return problem


def test_without_a_word_nobody_listens() -> None:
    assert [wiring.ear for wiring in read(EXAMPLE).zones.values()] == [None, None]


def test_an_ear_of_its_own_for_each_zone() -> None:
    text = with_ears('ear = "hw:2,0"\n', 'ear = "hw:3,0"\near_channel = "right"\near_least_db = -35\n')
    first, second = (wiring.ear for wiring in read(text).zones.values())
    assert first == Ear("hw:2,0", Channel.MONO, EAR_LEAST_DB)
    assert second == Ear("hw:3,0", Channel.RIGHT, -35)
    assert (first.channels, second.channels) == (1, 2)


def test_two_zones_may_share_a_device_with_a_side_for_each() -> None:
    text = with_ears('ear = "hw:2,0"\near_channel = "left"\n', 'ear = "hw:2,0"\near_channel = "right"\n')
    assert [wiring.ear and wiring.ear.channel for wiring in read(text).zones.values()] == [Channel.LEFT, Channel.RIGHT]


@pytest.mark.parametrize(("first", "second"), [("left", "left"), ("mono", "left"), ("right", "mono"), ("mono", "mono")])
def test_one_side_of_a_device_cannot_listen_for_two_zones(first: str, second: str) -> None:
    text = with_ears(f'ear = "hw:2,0"\near_channel = "{first}"\n', f'ear = "hw:2,0"\near_channel  = "{second}"\n')
    problem = only_problem(text, "ear_channel  =")
    assert (problem.where, problem.fault) == ("[[zones]] #2 ear_channel", Fault.CLASH)
    assert "#1" in problem.detail
    assert problem.remedy == "give each zone a channel of its own"


def test_what_is_relayed_cannot_listen_too() -> None:
    text = with_ears('ear = "hw:3,0"\n', text=changed("[relays]", INPUT + "[relays]"))
    problem = only_problem(text, "ear =")
    assert (problem.where, problem.fault) == ("[[zones]] #1 ear", Fault.CLASH)
    assert "[inputs.mic]" in problem.detail


@pytest.mark.parametrize("key", ["ear_channel", "ear_least_db"])
def test_particulars_of_an_ear_that_is_not_there_are_refused(key: str) -> None:
    text = with_ears(f"{key} = {-40 if key == 'ear_least_db' else chr(34) + 'left' + chr(34)}\n")
    problem = only_problem(text, key)
    assert (problem.where, problem.fault, problem.detail) == (f"[[zones]] #1 {key}", Fault.CLASH, "there is no ear")


def test_an_ear_hears_one_side_and_not_both() -> None:
    problem = only_problem(with_ears('ear = "hw:2,0"\near_channel = "both"\n'), "ear_channel")
    assert (problem.where, problem.remedy) == ("[[zones]] #1 ear_channel", 'write "mono", "left" or "right"')
