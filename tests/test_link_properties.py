"""Whatever one process of the station can say to the other is read as it was said."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay, SwitchRelay
from edge_agent.core.events import (
    DeviceUp,
    PlayEnded,
    PlayProgress,
    PlayStarted,
    RelayChanged,
    RelayFailed,
    ZoneHeard,
    ZonesLost,
)
from edge_agent.core.programme import Gap, Pause, Sound, ZoneFeed
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Group
from edge_agent.core.units import ClipKey, MonoMs, PlayId, ZoneId
from edge_agent.link.messages import (
    COUNT_MAX,
    FROM_MS_MAX,
    LinkError,
    Renew,
    ToCore,
    ToDevice,
    decode_to_core,
    decode_to_device,
    encode,
)
from tests.trust.strategies import names

INTEGER_MAX = 2**53 - 1
zones = names.map(ZoneId)
plays = names.map(PlayId)
whole = st.integers(0, INTEGER_MAX)
monos = whole.map(MonoMs)
counts = st.integers(0, COUNT_MAX)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
turns = st.none() | st.sampled_from(Group)
parts = st.one_of(
    st.builds(Sound, names.map(ClipKey), whole, st.integers(0, FROM_MS_MAX), turns),
    st.builds(Pause, whole, turns),
    st.builds(Gap, whole),
)
feeds = st.lists(st.builds(ZoneFeed, zones, st.integers(0, 100), st.sampled_from(Group)), max_size=5).map(tuple)
later = st.lists(zones, max_size=5).map(tuple)
progress = st.dictionaries(zones, counts, max_size=5)
to_device: st.SearchStrategy[ToDevice] = st.one_of(
    st.builds(SwitchRelay, zones, st.just(True), st.integers(1, INTEGER_MAX)),
    st.builds(SwitchRelay, zones, st.just(False), whole),
    st.builds(
        StartPlay,
        plays,
        st.lists(parts, max_size=6).map(tuple),
        feeds,
        monos,
        st.integers(0, 3_000),
        later,
        st.booleans(),
    ),
    st.builds(RoutePlay, plays, feeds),
    st.builds(StopPlay, plays),
    st.builds(Renew),
)
to_core: st.SearchStrategy[ToCore] = st.one_of(
    st.builds(DeviceUp),
    st.builds(RelayChanged, zones, st.booleans(), texts, counts.map(MonoMs)),
    st.builds(RelayFailed, zones, texts, st.none() | st.booleans()),
    st.builds(PlayStarted, plays, counts.map(MonoMs)),
    st.builds(PlayProgress, plays, progress, counts),
    st.builds(ZonesLost, plays, later, st.sampled_from(Reason)),
    st.builds(ZoneHeard, zones, st.booleans(), st.integers(-96, 0)),
    st.builds(PlayEnded, plays, progress, counts, counts, counts.map(MonoMs), st.none() | st.sampled_from(Reason)),
)


@given(to_device, to_core)
def test_what_is_said_is_read_by_the_other_and_by_nobody_else(order: ToDevice, report: ToCore) -> None:
    assert decode_to_device(encode(order)) == order
    assert decode_to_core(encode(report)) == report
    with pytest.raises(LinkError):
        decode_to_core(encode(order))
    with pytest.raises(LinkError):
        decode_to_device(encode(report))


@given(to_device | to_core, st.sampled_from((-1, INTEGER_MAX + 1, -INTEGER_MAX - 1, True, "1", None)), st.data())
def test_a_number_out_of_range_is_refused_by_the_name_of_its_message(
    message: ToDevice | ToCore, wrong: object, data: st.DataObject
) -> None:
    numbers = [field.name for field in fields(message) if type(getattr(message, field.name)) is int]
    if not numbers or not is_dataclass(message):
        return
    name = data.draw(st.sampled_from(numbers))
    values = {field.name: getattr(message, field.name) for field in fields(message)} | {name: wrong}
    if wrong == -1 and isinstance(message, StartPlay) and name == "at":
        return  # what is due is due, however long since
    if wrong == -1 and isinstance(message, ZoneHeard):
        return  # a level
    decode = decode_to_device if isinstance(message, get_args(ToDevice)) else decode_to_core
    with pytest.raises(LinkError, match=type(message).__name__):
        decode(encode(type(message)(**values)))


@given(st.sampled_from((-1, COUNT_MAX + 1)))
def test_what_has_sounded_for_less_than_no_time_or_for_longer_than_there_are_days_was_not_played(wrong: int) -> None:
    """The agent ended by the one, and by the record of the other at each start anew."""
    for report in (
        PlayProgress(PlayId("p"), {ZoneId("c1"): wrong}, 0),
        PlayEnded(PlayId("p"), {ZoneId("c1"): wrong}, 0, 0, MonoMs(0), None),
    ):
        with pytest.raises(LinkError, match=type(report).__name__):
            decode_to_core(encode(report))
