"""What the agent and the device process may say to each other, as bytes: one JSON array a packet.

``["StopPlay", "play-7"]``: the message's name, then its fields in the order of its dataclass; nested dataclasses alike.
Arrays, because the longest programme that an order can name (20 items, 20 loops, group after group) must fit into one
packet.
Reading is strict and total: the bytes are exactly one known message, or a LinkError says what is wrong with them.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, NewType, Union, get_args, get_origin, get_type_hints

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
from edge_agent.core.programme import Gap, Live, Pause, Relayed, Sound, ZoneFeed
from edge_agent.core.site import LEVEL_DB_MIN, RISE_MS_MAX, VOLUME_MAX
from edge_agent.core.units import HOUR_MS, ClipKey, PlayId, ZoneId

PACKET_BYTES_MAX = 128 * 1024
# The longest StartPlay is about 112 kB (a test makes and sends it); a Unix socket's send buffer holds 208 kB by itself.
INTEGER_MAX = 2**53 - 1
# As on the wire to the server: what every JSON reader can hold exactly.
COUNT_MAX = 2**42
# Of ms and of frames that a device reports, which only ever count up: 139 years, a time that every calendar has. Later,
# or before the boot, no day has it: the record of it would end the agent, and each one after it as it starts.
FROM_MS_MAX = 3 * HOUR_MS
# Half as much again as the longest clip that can be signed: no staged sound has anything so far in.


class LinkError(Exception):
    """These bytes are no message of ours, or a message does not fit into a packet."""


@dataclass(frozen=True, slots=True)
class Renew:
    """The core has stepped: the lease begins anew."""


ToDevice = SwitchRelay | StartPlay | RoutePlay | StopPlay | Renew
"""From the agent to the device process."""

ToCore = DeviceUp | RelayChanged | RelayFailed | PlayStarted | PlayProgress | ZonesLost | ZoneHeard | PlayEnded
"""From the device process to the agent. DeviceUp comes first on every connection."""


def encode(message: ToDevice | ToCore) -> bytes:
    """One packet. Raises LinkError where it would be longer than ``PACKET_BYTES_MAX``."""
    text = json.dumps(_plain(message), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    packet = text.encode(errors="replace")  # an error's words may quote a file name that is no UTF-8
    if len(packet) > PACKET_BYTES_MAX:
        raise LinkError(f"{type(message).__name__} is {len(packet)} bytes, a packet holds {PACKET_BYTES_MAX}")
    return packet


def decode_to_device(packet: bytes) -> ToDevice:
    """Read what the agent said. Raises LinkError."""
    message: ToDevice = _read(ToDevice, _parse(packet), "message")
    return message


def decode_to_core(packet: bytes) -> ToCore:
    """Read what the device process said. Raises LinkError."""
    message: ToCore = _read(ToCore, _parse(packet), "message")
    return message


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, *(_plain(getattr(value, field.name)) for field in fields(value))]
    if isinstance(value, tuple):
        return [_plain(element) for element in value]
    if isinstance(value, Mapping):
        return {key: _plain(element) for key, element in value.items()}
    return value


def _parse(packet: bytes) -> Any:
    if len(packet) > PACKET_BYTES_MAX:
        raise LinkError(f"{len(packet)} bytes, a packet holds {PACKET_BYTES_MAX}")
    try:
        return json.loads(
            packet.decode(), object_pairs_hook=_no_twins, parse_float=_no_number, parse_constant=_no_number
        )
    except (ValueError, RecursionError) as exc:
        raise LinkError(f"not JSON as we write it: {exc}") from exc


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    known = dict(pairs)
    if len(known) != len(pairs):
        raise ValueError("a key stands twice")
    return known


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is not an integer")


def _read(kind: Any, value: Any, where: str) -> Any:
    """``value`` as the type ``kind``, which is one of those that messages are made of."""
    if isinstance(kind, NewType):
        return _in_form(kind, _read(kind.__supertype__, value, where), where)
    origin = get_origin(kind)
    if origin in (types.UnionType, Union):
        return _read_union(get_args(kind), value, where)
    if origin is tuple:
        return _read_tuple(get_args(kind)[0], value, where)
    if origin is not None:
        return _read_mapping(get_args(kind), value, where)
    if isinstance(kind, type) and is_dataclass(kind):
        return _read_dataclass(kind, value, where)
    return _read_scalar(kind, value, where)


def _in_form(kind: NewType, read: Any, where: str) -> Any:
    if kind in FORMS and FORMS[kind].fullmatch(read) is None:
        raise LinkError(f"{where}: not a {kind.__name__}")
    return read


def _read_union(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if type(None) in kinds:
        (kind,) = (kind for kind in kinds if kind is not type(None))
        return None if value is None else _read(kind, value, where)
    names = {kind.__name__: kind for kind in kinds}
    if not isinstance(value, list) or not value or not isinstance(value[0], str) or value[0] not in names:
        raise LinkError(f"{where}: none of {', '.join(names)}")
    return _read(names[value[0]], value, where)


def _read_tuple(kind: Any, value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise LinkError(f"{where}: not a list")
    return tuple(_read(kind, element, where) for element in value)


def _read_mapping(kinds: tuple[Any, ...], value: Any, where: str) -> Mapping[Any, Any]:
    if not isinstance(value, dict):
        raise LinkError(f"{where}: not an object")
    return {_read(kinds[0], key, where): _read(kinds[1], element, where) for key, element in value.items()}


def _read_dataclass(kind: type, value: Any, where: str) -> Any:
    hints = _hints(kind)
    if not isinstance(value, list) or len(value) != len(hints) + 1 or value[0] != kind.__name__:
        raise LinkError(f"{where}: not a {kind.__name__} of {len(hints)} fields")
    read = kind(
        *(
            _read(hint, element, f"{kind.__name__}.{name}")
            for (name, hint), element in zip(hints.items(), value[1:], strict=True)
        )
    )
    if kind in LIMITS and not LIMITS[kind](read):
        raise LinkError(f"{where}: {kind.__name__} out of range")
    return read


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _read_scalar(kind: type, value: Any, where: str) -> Any:
    if issubclass(kind, StrEnum) and isinstance(value, str):
        try:
            return kind(value)
        except ValueError as exc:
            raise LinkError(f"{where}: no such {kind.__name__}") from exc
    if type(value) is not kind:  # isinstance would take True for 1
        raise LinkError(f"{where}: not a {kind.__name__}")
    if isinstance(value, int) and abs(value) > INTEGER_MAX:
        raise LinkError(f"{where}: out of range")
    if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
        raise LinkError(f"{where}: holds half a character")
    return value


FORMS: dict[Any, re.Pattern[str]] = {
    ZoneId: re.compile(r"[!-~]{1,64}"),
    PlayId: re.compile(r"[!-~]{0,128}"),
    ClipKey: re.compile(r"[a-z0-9-]{1,64}"),
}
"""What names and keys are made of. A key becomes a file's name (``audio.clip``), a name stands in a line of the log and
in the answer, which must fit into a packet too: whoever has taken the agent over ends no device process by them."""


def _all_count(*numbers: int) -> bool:
    return all(0 <= number <= COUNT_MAX for number in numbers)


LIMITS: dict[type, Callable[[Any], bool]] = {
    SwitchRelay: lambda order: order.off_after_ms >= (1 if order.on else 0),
    ZoneFeed: lambda feed: 0 <= feed.volume <= VOLUME_MAX,
    Sound: lambda part: part.duration_ms >= 0 and 0 <= part.from_ms <= FROM_MS_MAX,
    Pause: lambda part: part.duration_ms >= 0,
    Gap: lambda part: part.duration_ms >= 0,
    Live: lambda part: part.duration_ms >= 0,
    Relayed: lambda spent: _all_count(spent.live_ms, spent.stand_in_ms, spent.silent_ms),
    StartPlay: lambda play: 0 <= play.rise_ms <= RISE_MS_MAX,
    RelayChanged: lambda told: _all_count(told.at),
    PlayStarted: lambda told: _all_count(told.at),
    PlayProgress: lambda told: _all_count(told.underruns, *told.zone_ms.values()),
    PlayEnded: lambda told: _all_count(told.at, told.frames, told.underruns, *told.zone_ms.values()),
    ZoneHeard: lambda heard: LEVEL_DB_MIN <= heard.level_db <= 0,
}
"""What the types alone do not say."""
