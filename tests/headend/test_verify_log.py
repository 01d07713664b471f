"""A log proves itself by its signatures: what is done to its two files without the station's key is found and named."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.units import UtcMs
from edge_agent.headend import verifying
from edge_agent.headend.logbook import line_of
from edge_agent.headend.proof import believe
from edge_agent.headend.verifying import Finding, Kind, Proven, Verdict, verify
from edge_agent.trust.keys import PublicKey
from edge_agent.trust.strict_json import WireError, dump
from tests.headend.kept_logs import NOW, SMALL, Files, Ward, forged, records_of, rewritten

MASKS = (0x01, 0x20, 0x80)


def test_a_log_that_was_kept_is_whole(small: tuple[Ward, Files]) -> None:
    ward, files = small
    ended = SMALL.ended
    chains, by = (Proven("epoch-1", 1, 3, 3, ended, 3),), (ward.station.key.keyid,)
    assert ward.verify(files) == Verdict(chains, None, NOW, by)


@pytest.fixture
def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is read again as it was is read as it was: what one line means is asked of its bytes alone."""
    for name in ("_read_place", "_read_word"):
        monkeypatch.setattr(verifying, name, cache(getattr(verifying, name)))


@pytest.mark.campaign
@pytest.mark.usefixtures("read_once")
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("file", ["records", "proof"])
def test_no_flipped_byte_anywhere_goes_unnoticed(small: tuple[Ward, Files], file: str, mask: int) -> None:
    ward, files = small
    content, whose = bytearray(getattr(files, file)), ward.whose()
    missed = []
    for place in range(len(content)):
        content[place] ^= mask
        changed = {"records": files.records, "proof": files.proof} | {file: bytes(content)}
        if verify(changed["records"], changed["proof"], whose).finding is None:
            missed.append(place)
        content[place] ^= mask
    assert missed == []


REWRITINGS: dict[str, Callable[[bytes], bytes]] = {
    "spaces": lambda line: json.dumps(json.loads(line), ensure_ascii=False, sort_keys=True).encode() + b"\n",
    "another order": lambda line: (
        json.dumps(dict(reversed(json.loads(line).items())), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    ),
    "escapes": lambda line: line.replace(b"e", b"\\u0065", 1),
    "one more field": lambda line: dump({**json.loads(line), "note": "x"}) + b"\n",
    "carriage return": lambda line: line.replace(b"\n", b"\r\n"),
    "a blank before": lambda line: b" " + line,
    "an empty line": lambda line: line + b"\n",
    "no end": lambda line: line[:-1],
}


@pytest.mark.parametrize("way", REWRITINGS)
@pytest.mark.parametrize("file", ["records", "proof"])
def test_what_says_the_same_in_another_way_was_not_written_here(small: tuple[Ward, Files], file: str, way: str) -> None:
    ward, files = small
    lines = getattr(files, file).splitlines(keepends=True)
    lines[-1] = REWRITINGS[way](lines[-1])
    finding = ward.found(replace(files, **{file: b"".join(lines)}))
    expected = Kind.PROOF if file == "proof" else Kind.TORN if way == "no end" else Kind.CHANGED
    line = len(lines) + (way == "an empty line")
    assert (finding.kind, finding.line) == (expected, line)


def test_a_second_signature_that_nobody_needs_does_not_belong_there(small: tuple[Ward, Files]) -> None:
    ward, files = small
    first, rest = files.proof.split(b"\n", 1)
    envelope = json.loads(first)
    envelope["signatures"] *= 2
    assert ward.found(replace(files, proof=dump(envelope) + b"\n" + rest)).kind is Kind.PROOF


@pytest.mark.parametrize("file", ["records", "proof"])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_no_random_edit_goes_unnoticed(small: tuple[Ward, Files], file: str, data: st.DataObject) -> None:
    ward, files = small
    content = getattr(files, file)
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(content))] * 2)))
    piece = data.draw(st.binary(max_size=8) | st.sampled_from(content.splitlines(keepends=True)))
    edited = content[:first] + piece + content[last:]
    assert (ward.verify(replace(files, **{file: edited})).finding is None) is (edited == content)


@pytest.mark.parametrize("seq", [1, 2, 3])
def test_a_record_that_was_cut_out_is_named(small: tuple[Ward, Files], seq: int) -> None:
    ward, files = small
    lines = files.lines
    del lines[seq - 1]
    # Its place is the line where it should stand: the next record's, or the one behind the end.
    assert ward.found(files.with_lines(lines)) == Finding(Kind.CUT, seq, "epoch-1", seq, seq)


@pytest.mark.parametrize(("one", "other"), list(combinations(range(3), 2)))
def test_records_that_changed_places_are_named(small: tuple[Ward, Files], one: int, other: int) -> None:
    ward, files = small
    lines = files.lines
    lines[one], lines[other] = lines[other], lines[one]
    finding = Finding(Kind.REORDERED, one + 1, "epoch-1", other + 1, other + 1)
    assert ward.found(files.with_lines(lines)) == finding


@pytest.mark.parametrize(("seq", "at"), [(1, 1), (1, 3), (2, 2), (3, 3)])
def test_a_record_that_stands_twice_is_named(small: tuple[Ward, Files], seq: int, at: int) -> None:
    ward, files = small
    lines = files.lines
    lines.insert(at, lines[seq - 1])
    assert ward.found(files.with_lines(lines)) == Finding(Kind.DUPLICATED, at + 1, "epoch-1", seq, seq)


@pytest.mark.parametrize("seq", [1, 2, 3])
def test_a_record_with_a_hash_that_fits_its_new_words_is_named(small: tuple[Ward, Files], seq: int) -> None:
    ward, files = small
    records = records_of(files)
    records[seq - 1] = rewritten(records[seq - 1])
    finding = ward.found(files.with_lines([line_of(one) for one in records]))
    assert finding == Finding(Kind.CHANGED, seq, "epoch-1", seq, seq)


@pytest.mark.parametrize("seq", [1, 2, 3])
def test_a_record_whose_number_was_changed_is_named(small: tuple[Ward, Files], seq: int) -> None:
    ward, files = small
    records = records_of(files)
    records[seq - 1] = replace(records[seq - 1], seq=7)
    finding = ward.found(files.with_lines([line_of(one) for one in records]))
    assert (finding.kind, finding.line) == (Kind.CHANGED, seq)


@pytest.mark.parametrize("seq", [1, 2, 3])
def test_a_record_that_was_put_in_between_is_named(small: tuple[Ward, Files], seq: int) -> None:
    ward, files = small
    records = records_of(files)
    records.insert(seq - 1, rewritten(records[seq - 1]))
    finding = ward.found(files.with_lines([line_of(one) for one in records]))
    # Of two at the end that both fit, only the signature knows the right one; the chain names the second.
    line = seq if seq < 3 else 4
    assert finding == Finding(Kind.INSERTED, line, "epoch-1", seq, seq)


def test_a_record_of_another_station_is_named(ward: Ward) -> None:
    ward.play(2)
    ward.play(2, "tram-02")
    files = ward.files()
    lines = [files.lines[0], ward.files("tram-02").lines[1]]
    assert ward.found(files.with_lines(lines)) == Finding(Kind.FOREIGN, 2, "epoch-1", 2, 2)
    assert ward.found(replace(files, records=ward.files("tram-02").records)).kind is Kind.FOREIGN
    assert ward.found(replace(files, proof=ward.files("tram-02").proof)).kind is Kind.PROOF


@pytest.mark.parametrize("left", [0, 1, 2])
def test_a_tail_that_was_cut_off_is_found_by_what_was_signed(small: tuple[Ward, Files], left: int) -> None:
    ward, files = small
    finding = ward.found(files.with_lines(files.lines[:left]))
    assert finding == Finding(Kind.CUT, left + 1, "epoch-1", left + 1, 3)


@pytest.mark.parametrize("seq", [1, 2, 3])
def test_a_chain_that_was_hashed_anew_is_not_the_one_that_was_signed(small: tuple[Ward, Files], seq: int) -> None:
    ward, files = small
    finding = ward.found(forged(files, seq))
    # The newest batch holds record 3, and the hash of record 2: below that it is one of two.
    assert finding == (
        Finding(Kind.CHANGED, 3, "epoch-1", 3, 3) if seq == 3 else Finding(Kind.CHANGED, 1, "epoch-1", 1, 2)
    )


def test_within_the_signed_batch_the_changed_record_is_named_itself(ward: Ward) -> None:
    ward.station.play(*(replace(SMALL, job_id=f"job-{number}") for number in range(3)))
    ward.take(ward.station.log())
    for seq in (1, 2, 3):
        assert ward.found(forged(ward.files(), seq)) == Finding(Kind.CHANGED, seq, "epoch-1", seq, seq)


class Gullible(PublicKey):
    """A verifier that looks at no signature."""

    def signed(self, message: bytes, signature: bytes) -> bool:
        return True


@pytest.mark.parametrize(("looks", "finds"), [(True, True), (False, False)])
def test_a_forged_proof_is_found_and_by_nothing_but_its_signatures(
    small: tuple[Ward, Files], *, looks: bool, finds: bool
) -> None:
    """The thief rewrites both files with care, but has neither key; one that skips the signatures believes him."""
    ward, files = small
    false = forged(files, 2)
    head = records_of(false)[-1]
    lines = []
    for line in files.proof.splitlines():
        envelope = json.loads(line)
        payload = json.loads(b64decode(envelope["payload"]))
        if payload["type"] == "log":
            payload["records"] = [json.loads(false.lines[-1])]
            del payload["records"][0]["epoch"]
        else:
            payload["chains"][0]["head"]["hash"] = head.hash
        lines.append(dump(envelope | {"payload": b64encode(dump(payload)).decode()}) + b"\n")
    whose = ward.whose()
    if not looks:
        blind = Gullible(whose.station.key.scheme, whose.station.key.raw)
        server = frozenset(Gullible(key.scheme, key.raw) for key in whose.server)
        whose = replace(whose, station=replace(whose.station, key=blind), server=server)
    verdict = verify(false.records, b"".join(lines), whose)
    assert (verdict.finding is not None) is finds
    assert verdict.finding is None or verdict.finding.kind is Kind.PROOF


def test_a_key_of_the_headend_signs_for_no_station(ward: Ward) -> None:
    ward.play()
    ward.station.key = ward.keyring.signer("ack")
    with pytest.raises(WireError, match="not signed by the key"):
        believe(ward.station.log()[1], ward.whose())


def test_both_files_put_back_together_are_found_only_by_a_head_that_was_kept_elsewhere(ward: Ward) -> None:
    ward.play(2)
    earlier = ward.files()
    ack = ward.play(2)
    hello = ward.station.hello(4)[1]
    held = ward.files().proof.splitlines()[-1]
    assert ward.verify(earlier).finding is None  # nothing in the two files can tell
    for head in (ack, hello, held):
        assert ward.found(earlier, head) == Finding(Kind.CUT, 3, "epoch-1", 3, 4)
        assert ward.verify(None, head).finding is None


def test_a_hello_that_was_kept_tells_when_its_records_were_there(ward: Ward) -> None:
    ward.play(2)
    ward.station.records[1:] = []
    files = Files(ward.files().lines[0], b"")
    (chain_,) = ward.verify(files, ward.station.hello(1)[1]).chains
    assert (chain_.signed, chain_.signed_at) == (1, 1_791_239_400_000)
    nothing = ward.station.hello(0)[1]
    assert ward.verify(files, nothing).chains[0].signed == 0


def test_nobody_is_told_when_a_station_has_signed_whose_clock_was_not_set(ward: Ward) -> None:
    ward.station.play(replace(SMALL, clock=ClockSource.UNSET, ended=UtcMs(7_000)))
    ward.take(ward.station.log())
    (chain_,) = ward.verify().chains
    assert (chain_.signed, chain_.signed_at) == (1, None)


@pytest.mark.parametrize(
    ("drop", "kind", "seq"), [("log", Kind.UNSIGNED, 1), ("held", Kind.UNCONFIRMED, 1), ("both", Kind.UNSIGNED, 1)]
)
def test_a_proof_that_is_missing_leaves_the_log_unproven(
    small: tuple[Ward, Files], drop: str, kind: Kind, seq: int
) -> None:
    ward, files = small
    batch, held = files.proof.splitlines(keepends=True)
    proof = {"log": held, "held": batch, "both": b""}[drop]
    assert ward.found(replace(files, proof=proof)) == Finding(kind, 1, "epoch-1", seq, 3)


def test_the_lines_of_a_proof_have_one_order_and_none_stands_twice(small: tuple[Ward, Files]) -> None:
    ward, files = small
    batch, held = files.proof.splitlines(keepends=True)
    for lines, line in (([held, batch], 2), ([batch, batch, held], 2), ([batch, held, held], 3)):
        finding = ward.found(replace(files, proof=b"".join(lines)))
        assert (finding.kind, finding.line) == (Kind.PROOF, line)


@pytest.mark.parametrize("behind", [1, 2])
def test_records_behind_the_last_signature_are_named(ward: Ward, behind: int) -> None:
    ward.play(2)
    proof = ward.files().proof
    ward.play(behind)
    assert ward.found(replace(ward.files(), proof=proof)) == Finding(Kind.UNSIGNED, 3, "epoch-1", 3, 2 + behind)
