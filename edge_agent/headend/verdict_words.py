"""Say what became of proving a log: to people in Vietnamese and English with what to do next, or to machines. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from zoneinfo import ZoneInfo

from edge_agent.headend.proof import Whose
from edge_agent.headend.verifying import Finding, Kind, Proven, Verdict
from edge_agent.headend.words import day_and_hour
from edge_agent.trust.keys import PublicKey

_WORDS = {
    Kind.CHANGED: ("{what} đã bị sửa", "{which} was changed"),
    Kind.CUT: ("thiếu {what}, lẽ ra ở đây", "{which} missing here"),
    Kind.REORDERED: ("{what} đứng sai chỗ", "{which} out of order"),
    Kind.DUPLICATED: ("{what} có hai lần", "{which} stands twice"),
    Kind.INSERTED: ("{what} bị chèn thêm", "{which} was inserted"),
    Kind.FOREIGN: ("{what} là của trạm khác", "{which} of another station"),
    Kind.TORN: ("{what} chưa ghi hết", "{which} is not finished"),
    Kind.UNSIGNED: ("{what} chưa có chữ ký số của trạm", "{which} not covered by the station's signature"),
    Kind.UNCONFIRMED: ("{what} chưa có xác nhận của máy chủ", "{which} not confirmed by the server"),
    Kind.PROOF: ("tệp chứng cứ không còn nguyên", "the proof is not as it was written"),
}
_REWRITTEN = ("một bản ghi trong số {seq}–{until} đã bị sửa rồi băm lại đến hết", "one of {seq}–{until} was rewritten")
_LOOK = (
    "giữ nguyên tệp làm chứng cứ; so với bản sao lưu, và với nhật ký còn trong trạm (400 ngày)",
    "keep the file as evidence; compare a backup, and the station's own journal (400 days)",
)
_AGAIN = (
    "nếu `watch` đang ghi, chạy lại; nếu không, chờ bản ghi kế tiếp của trạm; đến lúc đó chưa chứng minh được",
    "run again if `watch` writes; else after the station's next record: until then nothing proves these",
)
_EMPTY = (
    "trạm mới thì chờ bản ghi đầu tiên; nếu không, cả nhật ký đã mất: lấy từ bản sao lưu, và xem nhật ký trong trạm "
    "(400 ngày)",
    "of a new station wait for its first record; else the whole log is gone: take it from a backup, and look into the "
    "station's own journal (400 days)",
)
_PROOF_LOST = (
    "lấy lại tệp .proof từ bản sao lưu; nếu khóa đã thay, dùng trust.json và stations.json của lúc đó",
    "restore the .proof file; if keys have changed, use trust.json and stations.json of that time",
)
_NOT_HERE = (
    "không có bản ghi {numbers}, máy chủ nói nhật ký bắt đầu sau đó: hỏi máy chủ trước nó, xem nhật ký trong trạm (400 "
    "ngày); nếu thẻ nhớ hỏng, `report` có ghi",
    "without {numbers}: by the server's word it begins behind them; ask the server before it, look into the station's "
    "own journal (400 days); `report` tells of a card that rotted",
)
"""Of a chain that a server took over in its middle, or says so: whoever holds it could have cut off its beginning."""
_NOTHING_BY_IT = ("ở đây không có gì ký bằng khóa này", "nothing here is signed by it")
"""That box may never have sent a record, or gone on with its log by another key; or whoever holds the server has taken
all that it sent away, and signed for what is left."""
_TAIL = (
    "CHƯA CHỨNG MINH ĐƯỢC là không còn bản ghi nào sau đó: hai tệp cùng bị thay bằng bản cũ trông vẫn như vậy",
    "NOT PROVEN that nothing came behind these: both files, put back to an earlier state, look the same",
)
_TAIL_NO_HEAD = ("cần một xác nhận giữ ở nơi khác (--head)", "that takes a head which was kept elsewhere (--head)")
_TAIL_HEAD = ("chỉ chắc đến số đã đối chiếu", "it is only up to what was compared with a head kept elsewhere")
"""What no file proves of itself; whoever reads `whole` would take it for proven."""
_REMEDIES = {Kind.TORN: _AGAIN, Kind.UNSIGNED: _AGAIN, Kind.UNCONFIRMED: _AGAIN, Kind.PROOF: _PROOF_LOST}


def well(verdict: Verdict) -> bool | None:
    """Whether the log is whole; None where there is none, of which nothing can be said."""
    if verdict.finding is not None:
        return False
    return True if verdict.chains else None


def for_people(verdict: Verdict, whose: Whose, zone: ZoneInfo) -> str:
    """What holds, the first thing that does not, what to do, and by which keys it was judged."""
    return "\n".join(_lines(verdict, whose, zone)) + "\n"


def for_machines(verdict: Verdict, whose: Whose) -> str:
    """One JSON object on one line: codes, UTC milliseconds."""
    before = [_public(key) for key in whose.station.before]
    keys = {"station_key": _public(whose.station.key), "before": before, "server_keys": _server_keys(whose)}
    told = {"station": whose.station.station, "well": well(verdict), **asdict(verdict), **keys}
    return json.dumps(told, ensure_ascii=False) + "\n"


def _lines(verdict: Verdict, whose: Whose, zone: ZoneInfo) -> Iterator[str]:
    station = whose.station.station
    if verdict.finding is not None:
        yield f"{station}: NHẬT KÝ PHÁT CÓ VẤN ĐỀ / not whole [{verdict.finding.kind}]"
        yield from _finding(verdict.finding, station)
    elif any(chain.lacks for chain in verdict.chains):
        yield f"{station}: PHẦN NHẬT KÝ CÓ Ở ĐÂY NGUYÊN VẸN, CÓ PHẦN KHÔNG CÓ / whole, but for what is not here [well]"
    elif verdict.chains:
        yield f"{station}: NHẬT KÝ PHÁT NGUYÊN VẸN / the log is whole [well]"
    else:
        yield f"{station}: không có bản ghi nào, chưa chứng minh được gì / no records, nothing is proven [empty]"
        yield f"  cần làm / what to do: {' / '.join(_EMPTY)}"
    for chain in verdict.chains:
        yield f"  {_chain(chain, zone)}"
        yield from _not_here(chain)
    if verdict.confirmed_at is not None:
        yield f"  máy chủ xác nhận lúc / the server confirmed at {day_and_hour(verdict.confirmed_at, zone)}"
    yield f"  khóa công khai của trạm / the station's public key: {_public(whose.station.key)}"
    for earlier in whose.station.before:
        lacking = well(verdict) and earlier.keyid not in verdict.signers
        nothing = f"; {' / '.join(_NOTHING_BY_IT)}" if lacking else ""
        yield f"  khóa của máy trước / the key of a box before it: {_public(earlier)}{nothing}"
    for key in _server_keys(whose):
        yield f"  khóa xác nhận của máy chủ / the server's key: {key}"
    if verdict.chains:
        more = _TAIL_HEAD if any(chain.kept for chain in verdict.chains) else _TAIL_NO_HEAD
        yield "  " + " / ".join(f"{what}; {until}" for what, until in zip(_TAIL, more, strict=True))


def _finding(finding: Finding, station: str) -> Iterator[str]:
    file = f"{station}.proof" if finding.kind is Kind.PROOF else f"{station}.jsonl"
    vietnamese, english = _WORDS[finding.kind]
    if finding.kind is Kind.CHANGED and finding.until > finding.seq:
        vietnamese, english = _REWRITTEN
    numbers = f"{finding.seq}–{finding.until}" if finding.until > finding.seq else f"{finding.seq}"
    what = f"bản ghi số {numbers}" if finding.seq else "bản ghi ở dòng này"
    which = f"record {numbers}" if finding.seq else "the record in this line"
    room = {"what": what, "which": which, "seq": finding.seq, "until": finding.until}
    chain = f" (chuỗi / chain {finding.epoch})" if finding.epoch else ""
    yield f"  {file}, dòng / line {finding.line}{chain}: {vietnamese.format(**room)} / {english.format(**room)}"
    if finding.detail:
        yield f"  chi tiết / detail: {finding.detail}"
    yield f"  cần làm / what to do: {' / '.join(_REMEDIES.get(finding.kind, _LOOK))}"


def _chain(chain: Proven, zone: ZoneInfo) -> str:
    count = chain.last - chain.first + 1
    signed = f"trạm đã ký đến số / signed to {chain.signed}" if chain.signed else "trạm chưa ký / not signed"
    at = f" ({day_and_hour(chain.signed_at, zone)})" if chain.signed_at is not None else ""
    confirmed = f"máy chủ đã xác nhận đến số / confirmed to {chain.confirmed}"
    if not chain.confirmed:
        confirmed = "máy chủ chưa xác nhận / not confirmed"
    held = f"bản ghi / records {chain.first}–{chain.last} ({count})"
    kept = f"; đã đối chiếu bản giữ nơi khác đến số / compared to {chain.kept}" if chain.kept else ""
    return f"chuỗi / chain {chain.epoch}: {held}; {signed}{at}; {confirmed}{kept}"


def _not_here(chain: Proven) -> Iterator[str]:
    if chain.lacks is not None:
        first, last = chain.lacks
        vietnamese, english = (words.format(numbers=f"{first}–{last}") for words in _NOT_HERE)
        yield f"    {vietnamese} / {english}"


def _server_keys(whose: Whose) -> list[str]:
    return sorted(_public(key) for key in whose.server)


def _public(key: PublicKey) -> str:
    """As it stands in trust.json and stations.json, and on paper."""
    return key.to_trust()["public"]
