"""A log proves itself by its signatures: what is done to its two files without the station's key is found and named."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.units import StationId, UtcMs
from edge_agent.headend import signing
from edge_agent.headend.cli import main
from edge_agent.headend.desk import Desk, Kept
from edge_agent.headend.enrolment import Enrolled, write_stations
from edge_agent.headend.keyring import Keyring, create_keyring
from edge_agent.headend.logbook import Logbook, line_of
from edge_agent.headend.proof import Whose, Word, believe
from edge_agent.headend.roles import default_roles
from edge_agent.headend.verifying import Finding, Kind, Proven, Verdict, verify
from edge_agent.journal.port import StoredRecord
from edge_agent.journal.record import ChainPoint, canonical, chain
from edge_agent.sync.reports import LogCursor
from edge_agent.trust.keys import Ed25519Signer, PublicKey, load_signer
from edge_agent.trust.orders import OrderType
from edge_agent.trust.roles import keys_for
from edge_agent.trust.strict_json import WireError, dump
from tests.headend.fake_station import AREA, RECORD, FakeStation
from tests.rig import Order, Tone
from tests.sim import SimRig
from tests.trust import makers

NOW = UtcMs(1_791_239_999_000)
SMALL = replace(RECORD, items=(), zones=())
MASKS = (0x01, 0x20, 0x80)


@dataclass(frozen=True)
class Files:
    """What lies on the headend's disk of one station."""

    records: bytes
    proof: bytes

    @property
    def lines(self) -> list[bytes]:
        return self.records.splitlines(keepends=True)

    def with_lines(self, lines: list[bytes]) -> Files:
        return replace(self, records=b"".join(lines))


class Ward:
    """A headend, its stations, and the files that it has written by its own ways."""

    def __init__(self, place: Path) -> None:
        self.directory = place
        self.keyring = create_keyring(place, "demo", default_roles(AREA, 1), NOW)
        self.stations: dict[str, FakeStation] = {}
        for name in ("tram-01", "tram-02"):
            self.keyring.enrol(name, AREA)
            self.stations[name] = FakeStation(load_signer(self.keyring.folder(name).sign), name)
        self.restart()

    @property
    def station(self) -> FakeStation:
        return self.stations["tram-01"]

    def restart(self) -> None:
        self.desk = Desk(self.keyring, Logbook(self.directory / "records"))

    def take(self, message: tuple[str, bytes]) -> bytes:
        """The acknowledgement; b"" where there is none."""
        noted, replies = self.desk.take(*message, NOW)
        return replies[0].envelope if isinstance(noted[0], Kept) else b""

    def play(self, count: int = 1, station: str = "tram-01") -> bytes:
        """So many plays, each in a batch of its own as it happens in a ward; the last acknowledgement."""
        ack = b""
        for _ in range(count):
            who = self.stations[station]
            who.play(replace(SMALL, job_id=f"job-{len(who.records)}"))
            ack = self.take(who.log(len(who.records)))
        return ack

    def path(self, kind: str, station: str = "tram-01") -> Path:
        return self.directory / "records" / f"{station}.{kind}"

    def files(self, station: str = "tram-01") -> Files:
        return Files(self.path("jsonl", station).read_bytes(), self.path("proof", station).read_bytes())

    def put(self, files: Files) -> None:
        self.path("jsonl").write_bytes(files.records)
        self.path("proof").write_bytes(files.proof)

    def whose(self, station: str = "tram-01") -> Whose:
        enrolled = self.keyring.stations[StationId(station)]
        return Whose("demo", enrolled, keys_for(self.keyring.trust, OrderType.ACK))

    def verify(self, files: Files | None = None, *elsewhere: bytes) -> Verdict:
        files = files or self.files()
        words: list[Word] = [believe(one, self.whose()) for one in elsewhere]
        return verify(files.records, files.proof, self.whose(), words)

    def found(self, files: Files | None = None, *elsewhere: bytes) -> Finding:
        finding = self.verify(files, *elsewhere).finding
        assert finding is not None
        return finding


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    return Ward(tmp_path / "ward")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ward, Files]:
    """Three records that came one by one: to be read only."""
    ward = Ward(tmp_path_factory.mktemp("small") / "ward")
    ward.play(3)
    return ward, ward.files()


def test_a_log_that_was_kept_is_whole(small: tuple[Ward, Files]) -> None:
    ward, files = small
    ended = SMALL.ended
    assert ward.verify(files) == Verdict((Proven("epoch-1", 1, 3, 3, ended, 3),), None, NOW)


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


def records_of(files: Files) -> list[StoredRecord]:
    whole = [json.loads(line) for line in files.lines]
    return [StoredRecord(one["epoch"], one["seq"], one["prev"], one["hash"], canonical(one["body"])) for one in whole]


def rewritten(record: StoredRecord, before: StoredRecord | None = None) -> StoredRecord:
    """Another body with a hash that fits it, behind ``before``."""
    place = ChainPoint(record.seq - 1, before.hash if before else record.prev)
    return chain(record.epoch, place, record.body.replace(b"succeeded", b"missed"))


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


def forged(files: Files, seq: int) -> Files:
    """What a thief of the files writes: record ``seq`` in other words, and every hash after it anew."""
    records = records_of(files)
    for place in range(seq - 1, len(records)):
        before = records[place - 1] if place else None
        records[place] = rewritten(records[place], before)
    return files.with_lines([line_of(one) for one in records])


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


def test_records_behind_the_last_signature_are_named(ward: Ward) -> None:
    ward.play(2)
    proof = ward.files().proof
    ward.play(2)
    assert ward.found(replace(ward.files(), proof=proof)) == Finding(Kind.UNSIGNED, 3, "epoch-1", 3, 4)


@pytest.fixture
def two_chains(ward: Ward) -> Ward:
    """The journal of the station was damaged after two records, and it began anew."""
    ward.play(2)
    ward.station.new_chain("epoch-2")
    ward.play(2)
    return ward


def test_both_chains_of_a_station_are_proven(two_chains: Ward) -> None:
    verdict = two_chains.verify()
    assert [(one.epoch, one.first, one.last, one.signed, one.confirmed) for one in verdict.chains] == [
        ("epoch-1", 1, 2, 2, 2),
        ("epoch-2", 1, 2, 2, 2),
    ]
    assert verdict.finding is None


@pytest.mark.parametrize("epoch", ["epoch-1", "epoch-2"])
def test_a_whole_chain_that_is_missing_is_found(two_chains: Ward, epoch: str) -> None:
    files = two_chains.files()
    kept = files.with_lines([line for line in files.lines if epoch.encode() not in line])
    assert two_chains.found(kept) == Finding(Kind.CUT, 3, epoch, 1, 2)
    proof = [line for line in files.proof.splitlines(keepends=True) if epoch not in str(_payload(line).get("epoch"))]
    # With its batch taken out as well, our own word still says that it was there.
    finding = two_chains.found(replace(kept, proof=b"".join(proof)))
    assert finding == Finding(Kind.CUT, 3, epoch, 1, 2)


def _payload(line: bytes) -> dict[str, object]:
    payload: dict[str, object] = json.loads(b64decode(json.loads(line)["payload"]))
    return payload


def test_chains_in_another_order_than_they_came_are_named(two_chains: Ward) -> None:
    files = two_chains.files()
    swapped = files.with_lines(files.lines[2:] + files.lines[:2])
    assert two_chains.found(swapped) == Finding(Kind.REORDERED, 1, "epoch-2", 1, 1)


@pytest.mark.parametrize("line", range(4))
def test_a_record_under_another_chains_name_is_found(two_chains: Ward, line: int) -> None:
    files = two_chains.files()
    lines = files.lines
    epochs = (b"epoch-1", b"epoch-2")
    lines[line] = lines[line].replace(*(epochs if line < 2 else epochs[::-1]))
    assert two_chains.found(files.with_lines(lines)).line in (line + 1, line + 2)


def test_a_whole_chain_under_another_name_is_found(small: tuple[Ward, Files]) -> None:
    ward, files = small
    renamed = replace(files, records=files.records.replace(b"epoch-1", b"epoch-9"))
    assert ward.found(renamed) == Finding(Kind.CUT, 4, "epoch-1", 1, 3)


def taken_over(ward: Ward) -> Files:
    """This headend got the station in the middle of its chain."""
    ward.station.play(*[SMALL] * 5)
    ward.take(ward.station.log(4, 5))
    return ward.files()


def test_a_chain_that_was_taken_over_begins_where_the_server_signed_that_it_began(ward: Ward) -> None:
    files = taken_over(ward)
    assert [(one.first, one.last) for one in ward.verify(files).chains] == [(4, 5)]
    assert ward.verify(files).finding is None
    assert ward.found(files.with_lines(files.lines[1:])) == Finding(Kind.CUT, 1, "epoch-1", 4, 4)
    earlier = [chain("epoch-1", ChainPoint(2, ward.station.records[1].hash), ward.station.records[2].body)]
    assert ward.found(files.with_lines([line_of(earlier[0]), *files.lines])).kind is Kind.REORDERED
    assert ward.found(replace(files, proof=files.proof.replace(b"A", b"B", 1))).kind is Kind.PROOF
    ack_before = _ack(ward, 3)
    assert ward.verify(files, ack_before).finding is None
    other = _ack(ward, 3, "e" * 64)
    assert ward.found(files, other) == Finding(Kind.CHANGED, 1, "epoch-1", 4, 4)


def _ack(ward: Ward, seq: int, hash_: str = "") -> bytes:
    cursor = LogCursor("epoch-1", seq, hash_ or ward.station.records[seq - 1].hash)
    return signing.ack("demo", StationId("tram-01"), cursor, ward.keyring.signer("ack"))


def test_a_head_that_nobody_should_have_cut_is_not_signed_away_at_the_next_start(ward: Ward) -> None:
    ward.play(3)
    files = ward.files()
    for lines in (files.lines[1:], files.lines[:1]):
        ward.put(files.with_lines(lines))
        ward.restart()
        ward.station.play(SMALL)
        ward.take(ward.station.log(len(ward.station.records)))
        assert ward.found().kind is Kind.CUT


@pytest.mark.parametrize("station", ["tram-01", "tram-02"])
def test_a_word_for_another_station_or_realm_proves_nothing(ward: Ward, station: str) -> None:
    ack = ward.play(1, station)
    held = ward.files(station).proof.splitlines()[-1]
    whose = replace(ward.whose(station), realm="elsewhere")
    other = ward.whose("tram-02" if station == "tram-01" else "tram-01")
    for word in (ack, held):
        believe(word, ward.whose(station))
        for wrong in (whose, other):
            with pytest.raises(WireError):
                believe(word, wrong)
        with pytest.raises(WireError, match="may acknowledge"):
            believe(word, replace(ward.whose(station), server=frozenset()))


@pytest.mark.parametrize("kind", ["state", "heartbeat"])
def test_what_is_no_word_about_a_log_is_refused(ward: Ward, kind: str) -> None:
    _, message = getattr(ward.station, kind)()
    with pytest.raises(WireError, match="log, hello, ack or held"):
        believe(message, ward.whose())


def test_what_a_whole_station_really_sends_is_kept_and_proven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The station's own journal, batches and signature, in virtual time; a crash and an outage among them."""
    rig = SimRig()
    rig.world.supervised = True
    sent: list[tuple[str, bytes]] = []
    rig.world.broker.taps.append(lambda topic, data: sent.append((topic, data)))
    rig.switch_on()
    rig.run_until(1)
    for at_s in (60, 400, 800, 1_200):
        rig.publish(Order(at_s=at_s, tones=(Tone(f"t-{at_s}", 5.0),)))
    rig.run_until(300)
    rig.cut_network()
    rig.run_until(900)
    rig.kill_agent()
    rig.restore_network()
    rig.run_until(1_400)
    keyring = create_keyring(tmp_path, makers.REALM, default_roles(makers.AREA, 1), NOW)
    key = makers.signer("station").public
    enrolled = Enrolled(StationId(makers.STATION), makers.AREA, "Trạm", key)
    write_stations(tmp_path / "stations.json", makers.REALM, {enrolled.station: enrolled})
    desk = Desk(Keyring(tmp_path), Logbook(tmp_path / "records"))
    batches = [message for message in sent if message[0].endswith("/log")]
    for message in batches:
        assert isinstance(desk.take(*message, NOW)[0][0], Kept)
    whose = Whose(makers.REALM, enrolled, keys_for(keyring.trust, OrderType.ACK))
    records, proof = ((tmp_path / "records" / f"{makers.STATION}.{kind}").read_bytes() for kind in ("jsonl", "proof"))
    verdict = verify(records, proof, whose)
    assert verdict.finding is None
    assert [(one.first, one.last, one.signed, one.confirmed) for one in verdict.chains] == [(1, 4, 4, 4)]
    assert len(batches) > 2
    hellos = [believe(data, whose) for topic, data in sent if topic.endswith("/hello")]
    assert verify(records, proof, whose, hellos).finding is None


# The command


def run(ward: Ward, *more: str) -> int:
    return main(["verify-log", "--dir", str(ward.directory), *more])


def test_the_command_needs_public_things_only_and_says_what_it_found(
    ward: Ward, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ward.play(3)
    auditor = tmp_path / "auditor"
    (auditor / "records").mkdir(parents=True)
    for name in ("trust.json", "stations.json", "records/tram-01.jsonl", "records/tram-01.proof"):
        (auditor / name).write_bytes((ward.directory / name).read_bytes())
    key = ward.keyring.stations[StationId("tram-01")].key.raw.hex()
    assert main(["verify-log", "--dir", str(auditor), "--station", "tram-01", "--key", key]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "tram-01: NHẬT KÝ PHÁT NGUYÊN VẸN / the log is whole [well]"
    assert told[1].startswith(
        "  chuỗi / chain epoch-1: bản ghi / records 1–3 (3); trạm đã ký đến số / signed to 3 (06/10"
    )
    assert key in told[3]
    assert len(told) == 5


def test_the_command_names_line_record_and_remedy(ward: Ward, capsys: pytest.CaptureFixture[str]) -> None:
    ward.play(3)
    files = ward.files()
    ward.put(files.with_lines([files.lines[0], files.lines[1].replace(b"succeeded", b"missed"), files.lines[2]]))
    assert run(ward) == 1
    told = capsys.readouterr().out
    assert "tram-01: NHẬT KÝ PHÁT CÓ VẤN ĐỀ / not whole [changed]" in told
    where = "tram-01.jsonl, dòng / line 2 (chuỗi / chain epoch-1): bản ghi số 2 đã bị sửa / record 2 was changed"
    assert where in told
    assert "cần làm / what to do: giữ nguyên tệp làm chứng cứ" in told
    assert "tram-02: chưa có bản ghi nào / no records [empty]" in told


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda files: forged(files, 1), "line 1 (chuỗi / chain epoch-1): một bản ghi trong số 1–2 đã bị sửa"),
        (
            lambda files: files.with_lines(files.lines[:1]),
            "line 2 (chuỗi / chain epoch-1): thiếu bản ghi số 2–3",
        ),
        (lambda files: replace(files, records=b"{}\n"), "dòng / line 1: bản ghi ở dòng này đã bị sửa"),
        (lambda files: replace(files, proof=b"{}\n"), "tram-01.proof, dòng / line 1: tệp chứng cứ không còn nguyên"),
        (lambda files: replace(files, proof=b""), "trạm chưa ký / not signed; máy chủ chưa xác nhận / not confirmed"),
    ],
)
def test_each_finding_is_told_in_words(
    ward: Ward, capsys: pytest.CaptureFixture[str], spoil: Callable[[Files], Files], told: str
) -> None:
    ward.play(3)
    ward.put(spoil(ward.files()))
    assert run(ward, "--station", "tram-01") == 1
    assert told in capsys.readouterr().out


def test_the_command_tells_machines_the_same(ward: Ward, capsys: pytest.CaptureFixture[str]) -> None:
    ward.play(2)
    assert run(ward, "--station", "tram-01", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["well"] is True
    assert told["chains"][0]["signed"] == 2
    ward.path("proof").unlink()
    assert run(ward, "--station", "tram-01", "--json") == 1
    assert json.loads(capsys.readouterr().out)["finding"]["kind"] == "unsigned"


@pytest.mark.parametrize("form", ["proof", "envelope", "printed"])
def test_a_head_kept_elsewhere_may_be_a_file_of_any_layout(
    ward: Ward, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    ward.play(1)
    earlier = ward.files()
    ack = ward.play(2)
    later = ward.files()
    head = tmp_path / "head"
    content = {"proof": later.proof, "envelope": ack, "printed": json.dumps(json.loads(ack), indent=1).encode()}
    head.write_bytes(content[form])
    assert run(ward, "--station", "tram-01", "--head", str(head)) == 0
    ward.put(earlier)
    assert run(ward, "--station", "tram-01") == 0
    capsys.readouterr()
    assert run(ward, "--station", "tram-01", "--head", str(head)) == 1
    assert "thiếu bản ghi số 2–3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "remedy"),
    [
        (["--station", "tram-09"], "no records of tram-09 here"),
        (["--head", "x"], "say which --station"),
        (["--station", "tram-01", "--head", "/nowhere"], "cannot be read"),
        (["--station", "tram-01", "--head", "{ward}/trust.json"], "it proves nothing of tram-01"),
    ],
)
def test_a_wrong_use_of_the_command_is_answered_with_the_remedy(
    ward: Ward, capsys: pytest.CaptureFixture[str], more: list[str], remedy: str
) -> None:
    ward.play()
    assert run(ward, *(word.format(ward=ward.directory) for word in more)) == 1
    assert remedy in capsys.readouterr().err


def test_records_of_a_station_that_is_not_enrolled_are_not_passed_over(
    ward: Ward, capsys: pytest.CaptureFixture[str]
) -> None:
    ward.play()
    ward.path("jsonl", "tram-03").write_bytes(ward.files().records)
    assert run(ward) == 1
    assert "tram-03 is not in stations.json" in capsys.readouterr().err


def test_a_key_on_paper_that_is_another_one_is_believed_rather_than_the_list(
    ward: Ward, capsys: pytest.CaptureFixture[str]
) -> None:
    ward.play()
    other: Ed25519Signer = ward.keyring.signer("province")
    assert run(ward, "--station", "tram-01", "--key", other.public.raw.hex()) == 1
    assert "not signed by the key" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        run(ward, "--station", "tram-01", "--key", "12")
