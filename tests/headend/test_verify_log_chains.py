"""Several chains of a station, and words that were kept elsewhere: what a log and its proof tell of both."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.core.as_run import RecordKind
from edge_agent.core.units import StationId
from edge_agent.headend import signing
from edge_agent.headend.desk import Desk, Kept
from edge_agent.headend.enrolment import Enrolled, write_stations
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.listening import LogBatch, Unheard
from edge_agent.headend.logbook import CHAINS_MAX, HeldChain, Logbook, Taken, line_of
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.proof import Proof, Whose, believe, canonical_form
from edge_agent.headend.roles import default_roles
from edge_agent.headend.verifying import Finding, Kind, verify
from edge_agent.journal.record import GENESIS, ChainPoint, chain
from edge_agent.sync.reports import LogCursor
from edge_agent.trust.keys import new_signer
from edge_agent.trust.orders import OrderType
from edge_agent.trust.roles import keys_for
from edge_agent.trust.strict_json import WireError
from tests.headend.fake_station import AREA, FakeStation
from tests.headend.kept_logs import NOW, SMALL, Files, Ward, records_of
from tests.rig import Order, Tone
from tests.sim import SimRig
from tests.test_sim_rotten_record import four_records, rot
from tests.trust import makers


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


def test_a_beginning_that_the_server_cut_off_is_told_though_another_chain_has_as_many_records(ward: Ward) -> None:
    """Where a chain begins is its word alone, and a record of another box is no record of this one."""
    ward.play(5)
    ward.station.new_chain("epoch-2")
    for number in range(6):  # other records than the first box had, or the hashes would be the same
        ward.station.play(replace(SMALL, job_id=f"new-{number}"))
        assert ward.take(ward.station.log(number + 1))
    files = ward.files()
    first, second = records_of(files)[:5], records_of(files)[5:]
    chains = (
        HeldChain("epoch-1", ChainPoint(), ChainPoint(5, first[4].hash)),
        HeldChain("epoch-2", ChainPoint(4, second[3].hash), ChainPoint(6, second[5].hash)),
    )
    held = signing.held("demo", StationId("tram-01"), NOW, chains, ward.keyring.signer("ack"))
    batches = [line for line in files.proof.splitlines(keepends=True) if _payload(line)["type"] == "log"]
    cut = replace(files.with_lines([*files.lines[:5], *files.lines[9:]]), proof=b"".join([*batches, held + b"\n"]))
    verdict = ward.verify(cut)
    assert verdict.finding is None, "no signature says where it began"
    assert [one.lacks for one in verdict.chains] == [None, (1, 4)]


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
    other = _ack(ward, 3, "e" * 64)
    assert ward.found(files, other) == Finding(Kind.CHANGED, 1, "epoch-1", 4, 4)


@pytest.mark.parametrize("seq", [2, 3])
def test_a_beginning_that_was_cut_off_is_found_by_a_word_of_a_server_for_what_stood_there(ward: Ward, seq: int) -> None:
    """Whoever holds the server signs that the log begins behind the night that shall vanish: it had acknowledged it."""
    files = taken_over(ward)
    assert ward.found(files, _ack(ward, seq)) == Finding(Kind.CUT, 1, "epoch-1", seq, 3)
    assert ward.verify(files, ward.station.hello(seq)[1]).finding is None, "the station had it, not this server"


def test_a_beginning_that_was_cut_off_is_found_by_an_earlier_word_of_where_the_log_began(ward: Ward) -> None:
    """That word reaches behind the cut: of the records that it vouches for by its hash each one is there."""
    files = taken_over(ward)
    head = ChainPoint(5, ward.station.records[4].hash)
    chains = (HeldChain("epoch-1", ChainPoint(), head),)
    earlier = signing.held("demo", StationId("tram-01"), NOW, chains, ward.keyring.signer("ack"))
    assert ward.found(files, earlier) == Finding(Kind.CUT, 1, "epoch-1", 1, 3)


def _ack(ward: Ward, seq: int, hash_: str = "") -> bytes:
    cursor = LogCursor("epoch-1", seq, hash_ or ward.station.records[seq - 1].hash)
    return signing.ack("demo", StationId("tram-01"), cursor, ward.keyring.signer("ack"))


@pytest.mark.parametrize("hash_", ["ab" * 32, GENESIS])
def test_a_first_record_that_names_one_before_it_is_found_whatever_a_server_has_signed(ward: Ward, hash_: str) -> None:
    """A server of an earlier version took such a chain, and signed that it begins there."""
    ward.station.play(SMALL)
    record = chain("epoch-1", ChainPoint(0, "ab" * 32), ward.station.records[0].body)
    ward.station.records = [record]
    log = ward.station.log(1)
    assert ward.take(log) == b"", "this one takes none of it"
    chains = (HeldChain("epoch-1", ChainPoint(0, hash_), ChainPoint(1, record.hash)),)
    held = signing.held("demo", StationId("tram-01"), NOW, chains, ward.keyring.signer("ack"))
    files = Files(line_of(record), log[1] + b"\n" + held + b"\n")
    assert ward.found(files) == Finding(Kind.CHANGED, 1, "epoch-1", 1, 1)


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


def test_a_server_that_cuts_off_a_tail_and_signs_anew_is_found_by_the_chain_that_cites_it(ward: Ward) -> None:
    """Of the old chain nothing of the station's is left; but its next one says, signed, what was held before it."""
    ward.play(2)
    second = ward.station.records[1]
    ward.station.new_chain("epoch-2")
    said = f"after epoch=epoch-1 seq=2 hash={second.hash}"
    ward.station.play(replace(SMALL, kind=RecordKind.CHAIN, detail=said))
    ward.take(ward.station.log(1))
    files = ward.files()
    assert ward.verify(files).finding is None
    first, _, third = files.lines
    chains = (HeldChain("epoch-1", ChainPoint(), ChainPoint(1, second.prev)), _held(files, "epoch-2"))
    own = signing.held("demo", StationId("tram-01"), NOW, chains, ward.keyring.signer("ack"))
    batch = [line for line in files.proof.splitlines(keepends=True) if _payload(line).get("epoch") == "epoch-2"]
    forged = replace(files.with_lines([first, third]), proof=b"".join([*batch, own + b"\n"]))
    assert replace(ward.found(forged), detail="") == Finding(Kind.CUT, 2, "epoch-1", 2, 2)
    assert "only record 1 of the chain epoch-2 says what was held" in ward.found(forged).detail


@pytest.mark.parametrize(("epoch", "seq", "kind"), [("epoch-1", 2, Kind.CHANGED), ("ghost", 9_000, Kind.CUT)])
def test_who_cites_with_a_stolen_key_what_never_was_makes_no_honest_log_look_changed_without_a_word(
    ward: Ward, epoch: str, seq: int, kind: Kind
) -> None:
    """The log is as the server wrote it; an auditor was told that it was changed there, and by whom he had to guess."""
    ward.play(3)
    ward.station.new_chain("of-the-thief")
    said = f"after epoch={epoch} seq={seq} hash={'e' * 64}"
    ward.station.play(replace(SMALL, kind=RecordKind.CHAIN, detail=said))
    assert ward.take(ward.station.log(1))
    assert ward.found().kind is kind
    assert ward.found().detail.endswith(
        "only record 1 of the chain of-the-thief says what was held, and false if the station's key was stolen"
    )
    files = ward.files()
    cut = files.with_lines([*files.lines[:2], files.lines[3]])
    assert ward.found(cut) == Finding(Kind.CUT, 3, "epoch-1", 3, 3), "and hides nothing that is proven"


def _held(files: Files, epoch: str) -> HeldChain:
    (line,) = [line for line in files.lines if json.loads(line)["epoch"] == epoch]
    one = json.loads(line)
    return HeldChain(epoch, ChainPoint(one["seq"] - 1, one["prev"]), ChainPoint(one["seq"], one["hash"]))


def enrolled_desk(place: Path) -> tuple[Desk, Whose]:
    """A headend's desk that knows the station in virtual time, and by whose keys its log is proven."""
    keyring = create_keyring(place, makers.REALM, default_roles(makers.AREA, 1), NOW)
    enrolled = Enrolled(StationId(makers.STATION), makers.AREA, "Trạm", makers.signer("station").public)
    write_stations(place / "stations.json", makers.REALM, {enrolled.station: enrolled})
    desk = Desk(Keyring(place), Logbook(place / "records"))
    return desk, Whose(makers.REALM, enrolled, keys_for(keyring.trust, OrderType.ACK))


def as_kept(tmp_path: Path, sent: list[tuple[str, bytes]]) -> tuple[bytes, bytes, Whose]:
    """Records and proof of the station at a headend that has had its log, and by which keys they are proven."""
    desk, whose = enrolled_desk(tmp_path)
    for message in [one for one in sent if one[0].endswith("/log")]:
        desk.take(*message, NOW)
    records, proof = ((tmp_path / "records" / f"{makers.STATION}.{kind}").read_bytes() for kind in ("jsonl", "proof"))
    return records, proof, whose


def test_the_log_of_a_station_whose_card_was_put_back_is_proven_whole(tmp_path: Path) -> None:
    rig = SimRig(chip=True)
    rig.world.supervised = True
    sent: list[tuple[str, bytes]] = []
    rig.world.broker.taps.append(lambda topic, data: sent.append((topic, data)))
    rig.switch_on()
    rig.run_until(1)
    for at_s in (60, 400, 800):
        rig.publish(Order(at_s=at_s, tones=(Tone(f"t-{at_s}", 5.0),)))
    rig.run_until(100)
    copy = rig.world.disk.committed
    rig.run_until(500)
    rig.world.disk.committed = copy
    rig.world.headend.card_was_put_back = True
    rig.kill_agent()
    rig.run_until(1_000)
    records, proof, whose = as_kept(tmp_path, sent)
    verdict = verify(records, proof, whose)
    assert verdict.finding is None
    old, new = verdict.chains
    assert ((old.first, old.last), (new.first, new.last)) == ((1, 2), (2, 4)), (
        "behind what was acknowledged to the copy"
    )


def test_the_log_of_a_station_on_whose_card_a_record_has_rotted_is_whole_but_for_that_one(tmp_path: Path) -> None:
    """And a server that cuts off what came before it is found: the chain behind it cites that."""
    rig = SimRig(chip=True)
    sent: list[tuple[str, bytes]] = []
    rig.world.broker.taps.append(lambda topic, data: sent.append((topic, data)))
    four_records(rig)
    rot(rig, 3, b"")
    rig.restore_network()
    rig.run_until(400)
    records, proof, whose = as_kept(tmp_path, sent)
    verdict = verify(records, proof, whose)
    assert verdict.finding is None
    assert [(one.first, one.last) for one in verdict.chains] == [(1, 2), (4, 5)]
    first, *behind = records.splitlines(keepends=True)
    cut = verify(b"".join([first, *behind[1:]]), proof, whose).finding
    assert cut is not None
    assert (cut.kind, cut.seq) == (Kind.CUT, 2)
    (old, new) = (HeldChain(one.epoch, *_ends(records, one.epoch)) for one in verdict.chains)
    before = next(iter(records.splitlines()))
    shorter = replace(old, head=ChainPoint(1, json.loads(before)["hash"]))
    ours = signing.held(makers.REALM, whose.station.station, NOW, (shorter, new), Keyring(tmp_path).signer("ack"))
    batch = [line for line in proof.splitlines(keepends=True) if _payload(line).get("epoch") == new.epoch]
    forged = verify(b"".join([first, *behind[1:]]), b"".join([*batch, ours + b"\n"]), whose).finding
    assert forged is not None
    assert (forged.kind, forged.epoch, forged.seq) == (Kind.CUT, old.epoch, 2)


def another_box(ward: Ward) -> FakeStation:
    """A new code was used: from now on the station signs by another key (12.30)."""
    box = FakeStation(new_signer(), "tram-01", boot_id="boot-9")
    ward.keyring.admit(Enrolled(StationId("tram-01"), AREA, "tram-01", box.key.public))
    box.new_chain("honest")
    box.play(SMALL)
    ward.stations["tram-01"] = box
    return box


def told(ward: Ward, box: FakeStation) -> tuple[str, int]:
    """Where the next welcome says that the log ends."""
    _, replies = ward.desk.take(*box.hello(), NOW)
    log = _payload(replies[-1].envelope)["log"]
    return log["epoch"], log["seq"]


@pytest.mark.parametrize("restarts", [False, True])
def test_chains_without_end_by_a_thief_of_the_key_do_not_keep_the_next_boxs_log_out(ward: Ward, restarts: bool) -> None:
    for number in range(CHAINS_MAX + 2):
        ward.station.new_chain(f"theirs-{number}")
        assert (ward.play() != b"") == (number < CHAINS_MAX)
    box = another_box(ward)
    if restarts:
        ward.restart()
    assert told(ward, box) == (f"theirs-{CHAINS_MAX - 1}", 1), "it knows no order: what was heard before it may come"
    assert ward.take(box.log())
    box.play(SMALL)
    assert ward.take(box.log(2))
    assert told(ward, box) == ("honest", 2)
    ward.restart()
    assert told(ward, box) == ("honest", 2)
    verdict = ward.verify()
    assert verdict.finding is None
    assert len(verdict.chains) == CHAINS_MAX + 1


def test_the_servers_word_of_more_chains_than_one_envelope_holds_is_in_two_and_neither_can_be_cut(ward: Ward) -> None:
    for number in range(CHAINS_MAX):
        ward.station.new_chain(f"theirs-{number:03}")
        ward.play()
    assert ward.take(another_box(ward).log())
    files = ward.files()
    *batches, first, second = files.proof.splitlines(keepends=True)
    assert [len(_payload(line)["chains"]) for line in (first, second)] == [CHAINS_MAX, 1]
    without = {"first": second, "second": first, "order": second + first, "twice": first + first + second}
    found = {how: ward.found(replace(files, proof=b"".join([*batches, rest]))).kind for how, rest in without.items()}
    assert found == dict.fromkeys(("first", "second"), Kind.UNCONFIRMED) | dict.fromkeys(("order", "twice"), Kind.PROOF)


def test_records_without_a_name_that_an_earlier_version_took_are_proven_still_and_hinder_no_other(ward: Ward) -> None:
    ward.station.new_chain("")
    ward.station.play(SMALL)
    taken_before(ward)
    box = another_box(ward)
    assert told(ward, box) == ("", 0)
    assert ward.take(box.log())
    assert told(ward, box) == ("honest", 1)
    verdict = ward.verify()
    assert verdict.finding is None
    assert [(one.epoch, one.signed, one.confirmed) for one in verdict.chains] == [("", 1, 1), ("honest", 1, 1)]


def taken_before(ward: Ward) -> None:
    """What the version before made of a batch."""
    _, envelope = ward.station.log()
    batch, log = (
        LogBatch(ward.station.epoch, tuple(ward.station.records)),
        Logbook(ward.directory / "records").of("tram-01"),
    )
    assert isinstance(log.add(batch), Taken)
    Proof(ward.path("proof"), ward.whose()).keep(
        batch,
        canonical_form(envelope, [ward.station.key.public]),
        log.held(),
        lambda chains: signing.held("demo", StationId("tram-01"), NOW, chains, ward.keyring.signer("ack")),
    )


def test_a_batch_of_an_epoch_without_a_name_is_not_taken_and_the_next_box_begins_clean(ward: Ward) -> None:
    ward.station.new_chain("")
    ward.station.play(SMALL)
    ((noted,), replies) = ward.desk.take(*ward.station.log(), NOW)
    assert isinstance(noted, Unheard)
    assert replies == []
    assert told(ward, another_box(ward)) == ("", 0)


def _ends(records: bytes, epoch: str) -> tuple[ChainPoint, ChainPoint]:
    lines = [one for one in map(json.loads, records.splitlines()) if one["epoch"] == epoch]
    return ChainPoint(lines[0]["seq"] - 1, lines[0]["prev"]), ChainPoint(lines[-1]["seq"], lines[-1]["hash"])


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
    desk, whose = enrolled_desk(tmp_path)
    batches = [message for message in sent if message[0].endswith("/log")]
    for message in batches:
        assert isinstance(desk.take(*message, NOW)[0][0], Kept)
    records, proof = ((tmp_path / "records" / f"{makers.STATION}.{kind}").read_bytes() for kind in ("jsonl", "proof"))
    verdict = verify(records, proof, whose)
    assert verdict.finding is None
    assert [(one.first, one.last, one.signed, one.confirmed) for one in verdict.chains] == [(1, 4, 4, 4)]
    assert len(batches) > 2
    hellos = [believe(data, whose) for topic, data in sent if topic.endswith("/hello")]
    assert verify(records, proof, whose, hellos).finding is None
