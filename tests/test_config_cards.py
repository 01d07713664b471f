"""A station with several cards: what may stand in its file, and how each mistake is named with its remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_agent.config import Channel
from edge_agent.config.reader import Fault, Problem
from edge_agent.config.station import CARDS_MAX
from edge_agent.core.site import WARM_UP_MS_MAX
from edge_agent.core.units import MINUTE_MS, ZoneId
from tests.config_texts import EXAMPLE, changed, line_number, problems_of, read

HANDBOOK = (Path(__file__).parents[1] / "docs/operations.md").read_text("utf-8")
SECOND = '[cards.second]\ndevice = "plughw:CARD=Second"\nchannels = 2\n\n'
TWO = changed("[relays]", SECOND + "[relays]")
WIRED = changed('card = "main"\nchannel = "right"', 'card = "second"\nchannel = "left"', TWO)
"""Each of the two zones on the left of a card of its own."""


def only_problem(text: str, at: str) -> Problem:
    (problem,) = problems_of(text)
    assert problem.line == line_number(text, at)
    return problem


def card(name: str, **keys: object) -> str:
    lines = [f"{key} = {value}" for key, value in {"device": f'"plughw:CARD={name}"', "channels": 2, **keys}.items()]
    return f"[cards.{name}]\n" + "\n".join(lines) + "\n\n"


def many(count: int) -> str:
    """So many cards, with a zone on each."""
    cards = "".join(card(f"card{number}") for number in range(count))
    zone = (
        '[[zones]]\nid = "z{0}"\nname = "Cụm {0}"\ncard = "card{0}"\nchannel = "both"\nline = {0}\nwarm_up_ms = 0\n\n'
    )
    zones = "".join(zone.format(number) for number in range(count))
    start, end = EXAMPLE.index("[cards.main]"), EXAMPLE.index("[relays]")
    first, last = EXAMPLE.index("[[zones]]"), EXAMPLE.index("[policy]")
    return EXAMPLE[:start] + cards + EXAMPLE[end:first] + zones + EXAMPLE[last:]


def test_two_cards_have_each_its_zones() -> None:
    config = read(WIRED)
    assert {name: one.device for name, one in config.cards.items()} == {
        "main": "plughw:CARD=Device,DEV=0",
        "second": "plughw:CARD=Second",
    }
    assert {zone: (wired.card, wired.channel) for zone, wired in config.zones.items()} == {
        "cho": ("main", Channel.LEFT),
        "dinh-lang": ("second", Channel.LEFT),
    }
    assert config.rate == 48_000


@pytest.mark.parametrize("which", [0, 1])
def test_the_transmitter_of_the_handbook_is_a_zone_as_it_stands_there(which: int) -> None:
    blocks = re.findall(r"```toml\n(\[\[zones\]\]\nid = \"phat-thanh-fm\".*?)```", HANDBOOK, re.DOTALL)
    assert len(blocks) == 2
    first, second, rest = (EXAMPLE.index(begin) for begin in ("[[zones]]", 'id = "dinh-lang"', "[policy]"))
    left_one = EXAMPLE[first : EXAMPLE.rindex("[[zones]]", first, second)]
    config = read(EXAMPLE[:first] + left_one + blocks[which] + "\n" + EXAMPLE[rest:])
    zone = config.site.zones[ZoneId("phat-thanh-fm")]
    assert (zone.warm_up_ms, zone.on_ms_max, zone.least_off_ms) == (20_000, 30 * MINUTE_MS, 10_000)


def test_as_many_cards_as_there_are_sockets_and_not_one_more() -> None:
    assert len(read(many(CARDS_MAX)).cards) == CARDS_MAX
    problem = only_problem(many(CARDS_MAX + 1), "[cards.card4]")
    assert (problem.where, problem.fault) == ("[cards] card4", Fault.RANGE)
    assert "at most 4 cards" in problem.remedy


def test_two_zones_on_one_side_of_a_card_are_refused_and_on_two_cards_are_not() -> None:
    read(WIRED)
    text = changed('card = "second"\nchannel = "left"', 'card = "main"\nchannel = "left"', changed(SECOND, "", WIRED))
    (problem,) = problems_of(text)
    assert (problem.fault, problem.where) == (Fault.CLASH, "[[zones]] #2 channel")
    assert problem.remedy == "give each zone a channel of its own"


def test_a_card_without_zones_is_refused_by_name() -> None:
    problem = only_problem(TWO, "[cards.second]")
    assert (problem.where, problem.fault) == ("[cards] second", Fault.CLASH)
    assert 'card = "second"' in problem.remedy


def test_a_zone_on_a_card_that_is_not_there_names_both_that_are() -> None:
    (problem,) = problems_of(changed('card = "second"', 'card = "usb"', WIRED))
    assert problem.where == "[[zones]] #2 card"
    assert problem.remedy == 'write one of the cards: "main", "second"'


def test_one_device_is_not_two_cards() -> None:
    text = changed("CARD=Second", "CARD=Device,DEV=0", WIRED)
    (problem,) = problems_of(text)
    assert problem.line == line_number(text, "[cards.second]") + 1
    assert (problem.where, problem.fault) == ("[cards.second] device", Fault.CLASH)
    assert "[cards.main] device" in problem.detail


def test_all_cards_have_the_rate_at_which_sound_is_stored() -> None:
    text = changed("[relays]", "rate = 44100\n\n[relays]", WIRED)
    problem = only_problem(text, "rate = 44100")
    assert (problem.where, problem.fault) == ("[cards.second] rate", Fault.CLASH)
    assert "rate = 48000" in problem.remedy
    assert "plughw" in problem.remedy
    assert read(changed("# rate = 48000", "rate = 44100", text)).rate == 44_100


def test_a_rate_that_no_card_has_is_one_mistake() -> None:
    (problem,) = problems_of(changed("[relays]", "rate = 8000\n\n[relays]", WIRED))
    assert (problem.where, problem.fault) == ("[cards.second] rate", Fault.RANGE)


def test_a_mixer_control_comes_with_its_level() -> None:
    text = changed("# periods = 3", 'mixer = "PCM"\nmixer_volume = 85', WIRED)
    main, second = read(text).cards.values()
    assert (main.mixer, main.mixer_volume) == ("PCM", 85)
    assert (second.mixer, second.mixer_volume) == ("", 0)


@pytest.mark.parametrize(
    ("written", "where", "fault"),
    [
        ('mixer = "PCM"', "[cards.main] mixer_volume", Fault.MISSING),
        ("mixer_volume = 85", "[cards.main] mixer_volume", Fault.CLASH),
        ('mixer = " "\nmixer_volume = 85', "[cards.main] mixer", Fault.FORM),
        ('mixer = "PCM"\nmixer_volume = 101', "[cards.main] mixer_volume", Fault.RANGE),
    ],
)
def test_a_mixer_that_says_too_little_or_too_much_is_named(written: str, where: str, fault: Fault) -> None:
    (problem,) = problems_of(changed("# periods = 3", written, WIRED))
    assert (problem.where, problem.fault) == (where, fault)
    assert problem.remedy


def test_an_amplifier_may_take_a_minute_and_its_neighbour_no_time() -> None:
    text = changed("warm_up_ms = 1500", "warm_up_ms = 0", changed("warm_up_ms = 800", "warm_up_ms = 60000", WIRED))
    assert [zone.warm_up_ms for zone in read(text).site.zones.values()] == [WARM_UP_MS_MAX, 0]
    (problem,) = problems_of(changed("warm_up_ms = 60000", "warm_up_ms = 60001", text))
    assert (problem.where, problem.fault) == ("[[zones]] #1 warm_up_ms", Fault.RANGE)
