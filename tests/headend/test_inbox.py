"""What waits for the desk: however much one station says, the next word of every other one is taken in its turn."""

from __future__ import annotations

import threading
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.units import StationId, UtcMs
from edge_agent.headend.desk import Desk
from edge_agent.headend.inbox import LANE_BYTES_MAX, LANE_MESSAGES_MAX, Inbox, Overrun
from edge_agent.headend.logbook import Logbook
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.roles import default_roles
from edge_agent.headend.session import Arrival, LinkDown, LinkUp, Message
from edge_agent.identity.file_keys import FileKey
from edge_agent.sync.topics import Up, up_topic
from tests.headend.fake_station import AREA, FakeStation
from tests.trust.strategies import unhurried

NOW = UtcMs(1_791_239_999_000)
PATIENCE_S = 60
kinds = st.sampled_from(Up)


def message(station: str, kind: Up, said: int | bytes = 0) -> Message:
    return Message(up_topic(StationId(station), kind), said if isinstance(said, bytes) else b"%d" % said)


def inbox(*arrivals: Arrival | None) -> Inbox:
    made = Inbox()
    for arrival in arrivals:
        made.put(arrival)
    return made


def drained(waiting: Inbox) -> list[Arrival | Overrun]:
    waiting.put(None)
    return list(iter(waiting.get, None))


def test_a_flood_of_one_stations_words_keeps_no_other_station_waiting() -> None:
    flood = [message("thief", Up.STATE, number) for number in range(500)]
    honest = [message(f"tram-{number:02}", Up.HELLO) for number in range(20)]
    taken = drained(inbox(*flood, *honest))
    assert taken[0] == flood[0]
    assert taken[1:21] == honest  # each waited for one word of each other station
    assert taken[21:] == flood[1:]


def test_of_one_stations_waiting_hellos_and_heartbeats_the_newest_is_taken() -> None:
    said = [message("tram-01", kind, number) for number in range(900) for kind in (Up.HELLO, Up.HEARTBEAT, Up.HELLO)]
    assert drained(inbox(*said)) == said[-2:]


def test_one_hello_that_is_repeated_without_end_is_answered_once_before_anybody_elses(tmp_path: Path) -> None:
    keyring = create_keyring(tmp_path / "net", "demo", default_roles(AREA, 1), NOW)
    stations = {name: FakeStation(FileKey(keyring.enrol(name, AREA).sign).open(), name) for name in ("thief", "honest")}
    waiting = inbox(*[Message(*stations["thief"].hello())] * 2_000, Message(*stations["honest"].hello()))
    desk = Desk(keyring, Logbook(tmp_path / "records"))
    taken = [one for one in drained(waiting) if isinstance(one, Message)]
    answered = [reply.topic for one in taken for reply in desk.take(one.topic, one.payload, NOW)[1]]
    assert answered == ["loa/1/d/thief/welcome", "loa/1/d/honest/welcome"]


def test_what_is_said_beyond_a_lane_pushes_out_that_stations_oldest_and_is_told_as_it_doubles() -> None:
    beyond = 5
    flood = [message("thief", Up.ANSWER, number) for number in range(LANE_MESSAGES_MAX + beyond)]
    honest = message("tram-01", Up.ANSWER)
    *told, first, second, third = drained(inbox(honest, *flood))[:6]
    assert told == [Overrun("thief", 1), Overrun("thief", 2), Overrun("thief", 4)]
    assert (first, second, third) == (honest, flood[beyond], flood[beyond + 1])


def test_the_largest_messages_of_one_station_hold_so_many_bytes_and_no_more() -> None:
    large = b"x" * 65_536
    waiting = inbox(*(message("thief", Up.STATE, large) for _ in range(200)))
    assert waiting.waiting() * len(large) == LANE_BYTES_MAX
    assert waiting.waiting() == 64


def test_hellos_that_took_each_others_place_push_no_records_out() -> None:
    records = message("tram-01", Up.LOG)
    hellos = [message("tram-01", Up.HELLO, b"x" * 65_536) for _ in range(200)]
    assert drained(inbox(records, *hellos)) == [records, hellos[-1]]


def test_the_largest_messages_push_out_as_many_small_ones_as_it_takes() -> None:
    small = [message("thief", Up.STATE, number) for number in range(LANE_MESSAGES_MAX)]
    waiting = inbox(*small, *(message("thief", Up.STATE, b"x" * 65_536) for _ in range(200)))
    held = [one for one in drained(waiting) if isinstance(one, Message)]
    assert sum(len(one.payload) for one in held) <= LANE_BYTES_MAX


def test_the_last_of_the_connection_is_never_pushed_out() -> None:
    lost = LinkDown("another client uses our certificate", for_good=True)
    flaps = [one for _ in range(2_000) for one in (LinkUp(), LinkDown("gone", for_good=False))]
    assert drained(inbox(*flaps, lost)) == [LinkUp(), lost]


def test_whoever_takes_waits_for_a_word_and_is_ended_after_the_last_one() -> None:
    waiting, taken = Inbox(), list[object]()
    taker = threading.Thread(target=lambda: taken.extend(iter(waiting.get, None)), daemon=True)
    taker.start()
    waiting.put(message("tram-01", Up.STATE))
    waiting.put(None)
    taker.join(PATIENCE_S)
    assert taken == [message("tram-01", Up.STATE)]


@unhurried
@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), kinds), max_size=60))
def test_each_stations_words_are_taken_in_their_order_and_those_that_count_are_not_lost(
    said: list[tuple[str, Up]],
) -> None:
    messages = [message(station, kind, number) for number, (station, kind) in enumerate(said)]
    taken = drained(inbox(*messages))
    newest = {one.topic: one for one in messages}
    for station in "abc":
        own = [one for one in messages if one.topic.startswith(f"loa/1/u/{station}/")]
        kept = [
            one
            for one in own
            if one.topic.rpartition("/")[2] not in (Up.HELLO, Up.HEARTBEAT) or one is newest[one.topic]
        ]
        assert [one for one in taken if one in own] == kept
