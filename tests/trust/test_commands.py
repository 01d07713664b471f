"""What a command wants done: every action with what it needs, each bound at its edge, an error that names the field."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from edge_agent.core.job import PlayAt, PlayNow
from edge_agent.core.order import (
    AllStop,
    Amplify,
    Ask,
    Cancel,
    Choose,
    Lock,
    NextItem,
    Pause,
    Rank,
    Restart,
    Resume,
    SelfTest,
    SetVolume,
    Stop,
)
from edge_agent.trust.commands import What, what_of
from tests.trust.makers import DAY_MS, HOUR_MS, NOON, command_dict, make_command, rule_when
from tests.trust.refusals import refusal
from tools.order_payloads import action_payload


def commanded(**do: Any) -> str:
    return refusal(command_dict(do=do))


COMMANDS = {
    What.CANCEL: ({"target": "job-1", "until": NOON + DAY_MS}, Cancel("job-1", NOON + DAY_MS)),
    What.STOP: ({}, Stop()),
    What.PAUSE: ({"for_s": 3_600}, Pause(3_600_000)),
    What.RESUME: ({}, Resume()),
    What.NEXT_ITEM: ({}, NextItem()),
    What.VOLUME: ({"volume": 40}, SetVolume(40)),
    What.AMPLIFIER: ({"on": True, "for_s": 600}, Amplify(True, 600_000)),
    What.RESTART: ({}, Restart()),
    What.SELF_TEST: ({}, SelfTest()),
    What.ALL_STOP: ({"for_s": 900}, AllStop(900_000)),
    What.LOCK: ({"for_s": 14_400}, Lock(14_400_000)),
    What.RANK: ({"job_ids": ["job-2", "job-1"]}, Rank(("job-2", "job-1"))),
    What.CHOOSE: ({"target": "tin-1", "when": {"kind": "at", "utc": NOON}}, Choose("tin-1", PlayAt(NOON))),
    What.ASK: ({"day": "2026-10-02"}, Ask(date(2026, 10, 2))),
}


@pytest.mark.parametrize("what", list(What))
def test_every_command_arrives_with_what_it_needs(what: What):
    needs, action = COMMANDS[what]
    command = make_command(do={"what": what.value, **needs})
    assert command.action == action
    assert what_of(command.action) is what
    assert action_payload(action) == {"what": what.value, **needs}
    for name in needs:
        without = {other: value for other, value in needs.items() if other != name}
        assert commanded(what=what.value, **without) == f"do.{name}: missing"


@pytest.mark.parametrize(("what", "most"), [("pause", 3_600), ("amplifier", 600), ("all_stop", 900), ("lock", 14_400)])
def test_whatever_holds_for_a_while_comes_to_its_end_by_itself(what: str, most: int):
    needs, _ = COMMANDS[What(what)]
    for wrong in (0, most + 1, True, None):
        assert commanded(what=what, **(needs | {"for_s": wrong})) == f"do.for_s: an integer from 1 to {most}"
    assert make_command(do={"what": what, **(needs | {"for_s": 1})})


@pytest.mark.parametrize(
    ("do", "message"),
    [
        ({}, "do.what: missing"),
        ({"what": "explode"}, "do.what: one of cancel, stop, pause,"),
        ({"what": "cancel", "target": "A", "until": NOON}, "do.target: 1 to 64"),
        ({"what": "cancel", "target": "a", "until": -1}, "do.until: an integer from 0"),
        ({"what": "volume", "volume": 101}, "do.volume: an integer from 0 to 100"),
        ({"what": "amplifier", "on": 1, "for_s": 60}, "do.on: true or false"),
        ({"what": "rank", "job_ids": []}, "do.job_ids: a list of 1 to 64"),
        ({"what": "rank", "job_ids": ["a", "a"]}, "do.job_ids[1]: each only once"),
        ({"what": "rank", "job_ids": [f"j{n}" for n in range(65)]}, "do.job_ids: a list of 1 to 64"),
        ({"what": "choose", "target": "a", "when": "now"}, "do.when: an object"),
        ({"what": "choose", "target": "a", "when": rule_when(times=[])}, "do.when.times: a list of 1 to 24"),
        ({"what": "ask", "day": "tomorrow"}, "do.day: a day"),
        ({"what": "ask", "day": "2026-02-30"}, "do.day: a day"),
    ],
)
def test_a_wrong_field_of_a_command_is_named(do: dict[str, Any], message: str):
    assert commanded(**do).startswith(message)
    assert refusal(command_dict(do="stop")) == "do: an object"


def test_an_offer_is_chosen_for_once_or_for_a_rule_and_is_never_repeated_like_an_emergency():
    assert make_command(do={"what": "choose", "target": "a", "when": {"kind": "now"}}).action == Choose("a", PlayNow())
    again = {"kind": "now", "every_s": 60, "until": NOON + HOUR_MS}
    assert commanded(what="choose", target="a", when=again) == (
        "do.when.every_s: nothing: only an emergency is repeated"
    )


def test_a_cancel_is_remembered_no_longer_than_any_order_may_come():
    assert make_command(do={"what": "cancel", "target": "a", "until": NOON + 400 * DAY_MS})
    refused = commanded(what="cancel", target="a", until=NOON + 400 * DAY_MS + 1)
    assert refused == "do.until: at most 400 days after not_before"


def test_a_cancel_does_not_take_itself_back():
    order_id = make_command().heading.order_id
    refused = commanded(what="cancel", target=order_id, until=NOON + DAY_MS)
    assert refused == "do.target: another order, this one cannot take itself back"
