"""What a trust document says, for whoever is to sign it: Vietnamese first, every key by its fingerprint. Pure.

All that it grants is told, and what is other than in the document before it: who signs what he has not read signs
anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo

from edge_agent.headend.apart import Count, Names, Sheet, told
from edge_agent.headend.public_files import fingerprint
from edge_agent.headend.words import day_and_hour, duration
from edge_agent.trust.documents import Document
from edge_agent.trust.keys import PublicKey
from edge_agent.trust.role_limits import Limits
from edge_agent.trust.roles import Quorum, Role
from edge_agent.trust.strict_json import JsonValue

KEYID = re.compile(r"\b[0-9a-f]{64}\b")
DATES = frozenset({"expires", "issued_at"})
ALWAYS_NEW = frozenset({"version", "issued_at", "epoch"})
"""Told at the head of the page."""


def in_full(sheet: Sheet, counted: Sequence[Count], names: Names, zone: ZoneInfo) -> Iterator[str]:
    """The document on a page; ``counted`` are those who must sign it."""
    document = sheet.document
    epoch = f", kỳ / epoch {document.epoch}" if document.area else ""
    yield f"VĂN BẢN ỦY QUYỀN / TRUST DOCUMENT: {document.area or 'gốc / root'}, mạng / network {document.realm}"
    yield f"phiên bản / version {document.version}{epoch}"
    issued, until = (day_and_hour(at, zone) for at in (document.issued_at, document.expires))
    yield f"lập / issued {issued}, hết hạn / expires {until}"
    yield read_out(sheet)
    yield from _who(document, names)
    for role in document.roles:
        yield from _role(role, names)
    yield from (f"chữ ký / signatures: {told(count, names)}" for count in counted)


def read_out(sheet: Sheet) -> str:
    """By which people know over the telephone that they have the same document before them."""
    return f"mã văn bản, đọc cho nhau / fingerprint, read it to each other: {fingerprint(sheet.envelope.digest)}"


def differences(
    before: Mapping[str, JsonValue], after: Mapping[str, JsonValue], names: Names, zone: ZoneInfo
) -> Iterator[str]:
    """Every field that is other than in the document before, by its path; keys and dates as they stand on paper."""

    def told(path: str, value: JsonValue) -> str:
        if path in DATES and isinstance(value, int):
            return day_and_hour(value, zone)
        return _called(str(value), names) if path.endswith("keyids") else str(value)

    old, new = ({_called(path, names): text for path, text in _flat("", {**one}, told)} for one in (before, after))
    for path in sorted(old.keys() | new.keys()):
        if path in ALWAYS_NEW or old.get(path) == new.get(path):
            continue
        if path not in old:
            yield f"  + thêm / added    {path}: {new[path]}"
        elif path not in new:
            yield f"  - bớt / removed   {path}: {old[path]}"
        else:
            yield f"  ~ đổi / changed   {path}: {old[path]} → {new[path]}"


def _who(document: Document, names: Names) -> Iterator[str]:
    if document.signers is not None:
        yield f"ai ký văn bản gốc sau này / who signs the next root: {_quorum(document.signers)}"
        yield from _keys(document.signers.keys, names)
    if document.delegates is None:
        return
    below, most = document.delegates, document.delegates.bounds
    whose = f"{_quorum(below.quorum)}, kỳ / epoch {below.epoch}"
    yield f"ai ký cho các địa bàn bên dưới / who signs for the areas below: {whose}"
    yield from _keys(below.quorum.keys, names)
    yield f"  giao tối đa / grants at most: {_listed(most.orders)}; {_listed(most.levels)}; {_limits(most.limits)}"


def _role(role: Role, names: Names) -> Iterator[str]:
    grant = role.grant
    whose = "trả lời trạm / answers stations" if grant is None else f"{grant.issuer}, {grant.level}"
    yield f"vai trò / role {role.name} ({whose}): {_listed(role.orders)}; {_quorum(Quorum(role.keys, role.threshold))}"
    yield from _keys(role.keys, names)
    if grant is not None:
        yield f"  trong giới hạn / within: {_limits(grant.limits)}"


def _keys(keys: frozenset[PublicKey], names: Names) -> Iterator[str]:
    for key in sorted(keys, key=lambda one: (names.get(one.keyid, "~"), one.keyid)):
        yield f"  {names.get(key.keyid, '?')}: {key.scheme}, {fingerprint(key.keyid)}"


def _quorum(quorum: Quorum) -> str:
    return f"{quorum.threshold} trong / of {len(quorum.keys)} khóa / keys"


def _limits(limits: Limits) -> str:
    parts = [
        f"địa bàn / areas {', '.join(limits.areas)}",
        f"hiệu lực tối đa / valid for {duration(limits.validity_max_ms)}",
    ]
    parts += [f"{_listed(limits.classes)}, âm lượng tối đa / volume {limits.volume_max}"] if limits.classes else []
    parts += [f"chỉ đề nghị / only offered {_listed(limits.offered)}"] if limits.offered else []
    parts += [f"lệnh / commands {_listed(limits.commands)}"] if limits.commands else []
    parts += [f"sự kiện / events {_listed(limits.events)}"] if limits.events else []
    parts += [f"tối đa / sounding {duration(limits.sound_max_ms)}"] if limits.sound_max_ms else []
    parts += [f"{limits.per_day} lần một ngày / a day"] if limits.per_day else []
    parts += [f"được tiếp âm / may relay {', '.join(limits.sources)}"] if limits.sources else []
    hours = ", ".join(f"{first:%H:%M}–{end:%H:%M}" for first, end in limits.hours)
    return "; ".join([*parts, *([f"giờ / hours {hours}"] if hours else [])])


def _listed(some: frozenset[str]) -> str:
    return ", ".join(sorted(some))


def _called(text: str, names: Names) -> str:
    """With every key's id as people compare it, and what the key is called here."""

    def call(found: re.Match[str]) -> str:
        name = names.get(found[0])
        return f"{name} ({fingerprint(found[0])})" if name else fingerprint(found[0])

    return KEYID.sub(call, text)


def _flat(path: str, value: JsonValue, told: Callable[[str, JsonValue], str]) -> Iterator[tuple[str, str]]:
    """Every leaf by its path; roles by their names, and a list of names or numbers as one value."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _flat(f"{path}.{name}" if path else name, one, told)
    elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        for one in value:
            assert isinstance(one, dict), "it was looked at"
            yield from _flat(f"{path}[{one.get('role', '')}]", one, told)
    elif isinstance(value, list):
        yield path, ", ".join(sorted(told(path, one) for one in value))
    else:
        yield path, told(path, value)
