"""What the desk answers: welcomes that only the asking station takes, and no acknowledgement before the disk has it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.core.events import Rejected
from edge_agent.core.job import LogAck, Welcome
from edge_agent.core.site import Site
from edge_agent.core.units import DAY_MS, StationId, UtcMs
from edge_agent.durable import write_durably
from edge_agent.headend import logbook, proof
from edge_agent.headend.allowance import Allowance
from edge_agent.headend.ceremonies import renew, replace_key
from edge_agent.headend.desk import Desk, Kept, LogTrouble
from edge_agent.headend.enrolment import write_stations
from edge_agent.headend.greeting import Greeter
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.listening import Heard, Unheard
from edge_agent.headend.logbook import Logbook, StationLog
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.proof import Whose
from edge_agent.headend.roles import default_roles
from edge_agent.headend.serials import SERIALS_BEGAN
from edge_agent.headend.verifying import verify
from edge_agent.identity.file_keys import FileKey
from edge_agent.trust.judge import make_judge
from edge_agent.trust.keys import new_signer
from edge_agent.trust.orders import SERIAL_MARKS_MAX
from edge_agent.trust.strict_json import dump
from tests.headend.fake_station import AREA, NONCE, NOW, RECORD, TRUST, FakeStation, newer


def judged(keyring: Keyring, topic: str, envelope: bytes, station: str = "tram-01") -> object:
    """What a station makes of a reply."""
    site = Site(StationId(station), "demo", AREA, "Asia/Ho_Chi_Minh", {})
    return make_judge(keyring.trust, site)(topic, envelope)


def test_a_hello_is_answered_by_a_welcome_that_the_station_accepts(
    desk: Desk, station: FakeStation, keyring: Keyring
) -> None:
    keyring.serials.next("dong-thanh", SERIALS_BEGAN)
    _, (reply,) = desk.take(*station.hello(), NOW)
    assert reply.topic == "loa/1/d/tram-01/welcome"
    assert judged(keyring, reply.topic, reply.envelope) == Welcome(
        NONCE, NOW, keyring.newest(AREA), (("dong-thanh", 1),), "", 0, ""
    )


def test_serials_of_more_issuers_than_a_welcome_holds_silence_no_welcome(
    desk: Desk, station: FakeStation, keyring: Keyring
) -> None:
    """Those of issuers who have no role around the station are nobody's marks there."""
    strangers = {f"issuer-{number:02}": 7 for number in range(SERIAL_MARKS_MAX + 1)}
    (keyring.directory / "serials.json").write_bytes(dump({**strangers, "dong-thanh": 1, "ubnd-dong-thanh": 2}))
    _, (reply,) = desk.take(*station.hello(), NOW)
    welcome = judged(keyring, reply.topic, reply.envelope)
    assert isinstance(welcome, Welcome)
    assert welcome.serial_marks == (("dong-thanh", 1), ("ubnd-dong-thanh", 2))


def crowded(directory: Path) -> Keyring:
    """Around its station more issuers have a role, and have signed, than a welcome has room for."""
    specs = default_roles(AREA, 1)
    crowd = [
        replace(one, name=f"{one.name}-{number}", issuer=f"{one.issuer}-{number}", key_count=0, keys_of=one.name)
        for one in specs
        if one.name in ("ward-routine", "province")
        for number in range(SERIAL_MARKS_MAX // 2)
    ]
    keyring = create_keyring(directory, "demo", (*specs, *crowd), NOW)
    keyring.enrol("tram-01", AREA)
    issuers = {role.grant.issuer for role in keyring.trust.roles if role.grant is not None}
    (keyring.directory / "serials.json").write_bytes(dump(dict.fromkeys(issuers, 7)))
    assert len(issuers) > SERIAL_MARKS_MAX
    return keyring


def test_a_welcome_that_every_station_would_refuse_is_told_and_not_sent(tmp_path: Path) -> None:
    keyring = crowded(tmp_path / "crowded")
    station = FakeStation(FileKey(keyring.folder("tram-01").sign).open())
    desk = Desk(keyring, Logbook(tmp_path / "records"))
    (_, trouble), replies = desk.take(*station.hello(), NOW)
    assert isinstance(trouble, LogTrouble)
    assert trouble.detail.startswith("welcome: serial_marks: at most 64 issuers; trạm sẽ không nhận / no station would")
    assert replies == []
    assert Greeter(keyring.directory, tmp_path / "records", lambda: NOW).answer("tram-01", station.hello()[1]) is None


def test_a_welcome_is_for_one_station_only(desk: Desk, station: FakeStation, keyring: Keyring) -> None:
    _, (reply,) = desk.take(*station.hello(), NOW)
    assert isinstance(judged(keyring, reply.topic, reply.envelope, "tram-02"), Rejected)


def test_a_hello_gets_the_trust_documents_that_it_shows_to_be_lacking_from_above_down(
    desk: Desk, station: FakeStation, keyring: Keyring
) -> None:
    _, province, ward = keyring.documents
    _, (_, *given) = desk.take(*station.hello(trust=TRUST[:1]), NOW)
    assert [(reply.topic, reply.envelope) for reply in given] == [
        ("loa/1/d/tram-01/job", province),
        ("loa/1/d/tram-01/job", ward),
    ]
    renew(keyring, "vn/ha-noi", NOW)
    renewed = keyring.chain.newest["vn/ha-noi"].envelope
    assert [reply.envelope for reply in desk.take(*station.hello(), NOW)[1][1:]] == [renewed]


def test_a_new_welcome_key_is_named_before_it_signs(desk: Desk, station: FakeStation, keyring: Keyring) -> None:
    """Nobody could take the welcome otherwise, nor without one tell the time by which later documents are judged."""
    renew(Keyring(keyring.directory), "", NOW, sure=True)
    _, replies = desk.take(*station.hello(), NOW)
    assert [reply.topic.rpartition("/")[2] for reply in replies] == ["job", "welcome"]


def test_the_trust_file_is_read_anew_only_after_somebody_has_written_it(
    desk: Desk, station: FakeStation, keyring: Keyring
) -> None:
    desk.take(*station.hello(), NOW)
    before = keyring.chain, keyring.stations
    for _ in range(3):
        desk.take(*station.hello(), NOW)
    assert all(now is then for now, then in zip((keyring.chain, keyring.stations), before, strict=True))
    renew(Keyring(keyring.directory), "vn/ha-noi", NOW)
    desk.take(*station.hello(), NOW)
    assert keyring.chain.newest["vn/ha-noi"].document.version == 2


@pytest.mark.parametrize("name", ["trust.json", "stations.json"])
def test_a_file_that_somebody_has_damaged_is_told_and_ends_no_watch(
    desk: Desk, station: FakeStation, keyring: Keyring, name: str
) -> None:
    whole = (keyring.directory / name).read_bytes()
    (keyring.directory / name).write_text("{")
    for _ in range(2):  # until it is put right
        noted, replies = desk.take(*station.hello(), NOW)
        assert [type(one).__name__ for one in noted] == ["Heard", "LogTrouble"]
        assert len(replies) == 1
    write_durably(keyring.directory / name, whole)
    assert [type(one).__name__ for one in desk.take(*station.hello(), NOW)[0]] == ["Heard"]


def test_a_station_that_is_taken_out_while_its_log_is_read_ends_no_watch(
    keyring: Keyring, station: FakeStation, tmp_path: Path
) -> None:
    """A log of years takes seconds; it moves to another ward meanwhile."""

    class Slow(Logbook):
        def of(self, station: str) -> StationLog:
            write_stations(keyring.directory / "stations.json", "demo", {})
            return super().of(station)

    noted, replies = Desk(keyring, Slow(tmp_path / "records")).take(*station.hello(), NOW)
    assert [type(one) for one in noted] == [Unheard]
    assert replies == []


@pytest.mark.parametrize("name", ["trust.json", "stations.json"])
def test_a_file_that_another_account_has_written_is_told_and_ends_no_watch(
    desk: Desk, station: FakeStation, keyring: Keyring, name: str
) -> None:
    unreadable(keyring.directory / name)
    noted, replies = desk.take(*station.hello(), NOW)
    assert [type(one).__name__ for one in noted] == ["Heard", "LogTrouble"]
    assert len(replies) == 1


def unreadable(path: Path) -> None:
    """Also for a test that runs as root, who may open everybody's files."""
    path.unlink(missing_ok=True)
    path.mkdir()


@pytest.mark.parametrize("spoil", [lambda path: path.write_text("{"), unreadable])
def test_serials_that_nobody_can_read_are_told_and_end_no_watch(
    desk: Desk, station: FakeStation, keyring: Keyring, spoil: Callable[[Path], object]
) -> None:
    spoil(keyring.directory / "serials.json")
    noted, replies = desk.take(*station.hello(), NOW)
    assert [type(one).__name__ for one in noted] == ["Heard", "LogTrouble"]
    assert replies == [], "a welcome without the marks would let a restored card obey old orders again"


def test_records_are_taken_on_after_the_key_that_confirms_them_was_replaced(
    desk: Desk, station: FakeStation, keyring: Keyring, tmp_path: Path
) -> None:
    station.play(RECORD)
    desk.take(*station.log(), NOW)
    made = new_signer()
    made.save(keyring.directory / "keys" / "ack-2.pem")
    replace_key(keyring, keyring.keys.key("ack-1").public, made, NOW, sure=True)
    again = Desk(Keyring(keyring.directory), Logbook(tmp_path / "records"))
    station.play(RECORD)
    noted, replies = again.take(*station.log(), NOW)
    assert [type(one).__name__ for one in noted] == ["Kept"]
    (reply,) = replies
    assert isinstance(judged(Keyring(keyring.directory), reply.topic, reply.envelope), LogAck)


def test_a_station_that_says_more_records_than_any_honest_one_is_told_of_once_and_fills_no_disk(
    keyring: Keyring, tmp_path: Path
) -> None:
    thief, honest = (
        FakeStation(FileKey(keyring.enrol(name, AREA).sign).open(), name) for name in ("tram-08", "tram-09")
    )
    thief.play(*[RECORD] * 40)
    honest.play(RECORD)
    batches = [thief.log(number, number) for number in range(1, 41)]
    most = 10 * len(batches[0][1])
    desk = Desk(keyring, Logbook(tmp_path / "records"), Allowance(most))
    told = [desk.take(*batch, NOW) for batch in batches]
    taken = [noted for (noted, *_), (_,) in (one for one in told if one[1])]
    assert all(isinstance(one, Kept) for one in taken)
    assert len(taken) == 10
    (refused,) = [noted for noted, replies in told if noted and not replies]
    assert [type(one) for one in refused] == [LogTrouble]
    assert f"allowance: {most} bytes" in str(refused[0])
    assert (tmp_path / "records" / "tram-08.jsonl").stat().st_size < most
    assert desk.take(*batches[0], NOW)[1], "what is held is acknowledged again"
    assert desk.take(*honest.log(), NOW)[1], "every station has its own"
    tomorrow = UtcMs(NOW + DAY_MS)
    assert desk.take(*batches[10], tomorrow)[1]
    assert len(Logbook(tmp_path / "records").records("tram-08")) == 11


def test_a_batch_whose_last_record_is_held_already_is_one_of_the_day_as_well(
    keyring: Keyring, station: FakeStation, tmp_path: Path
) -> None:
    """Whoever has the station's key may put the old one behind the new ones: that batch seems to bring nothing."""
    station.play(*[RECORD] * 40)
    desk = Desk(keyring, Logbook(tmp_path / "records"), Allowance(1))
    assert desk.take(*station.log(1, 1), NOW)[1]
    for number in range(2, 41):
        desk.take(*station.batch([station.records[number - 1], station.records[0]]), NOW)
    assert len(Logbook(tmp_path / "records").records("tram-01")) == 1


def test_no_record_is_acknowledged_that_the_stations_signature_does_not_reach(
    desk: Desk, station: FakeStation, keyring: Keyring, tmp_path: Path
) -> None:
    """An honest headend would look to the auditor as if it had written what the station has sent."""
    station.play(RECORD, RECORD)
    desk.take(*station.log(1, 1), NOW)
    noted, replies = desk.take(*station.batch(station.records[::-1]), NOW)
    assert ([type(one) for one in noted], replies) == ([LogTrouble], [])
    desk.take(*station.log(2, 2), NOW)
    whose = Whose("demo", keyring.stations[StationId("tram-01")], keyring.every_ack_key)
    records, proof = ((tmp_path / "records" / f"tram-01.{kind}").read_bytes() for kind in ("jsonl", "proof"))
    assert verify(records, proof, whose).finding is None


def another_box(keyring: Keyring) -> FakeStation:
    """Takes the station's place, as the process that enrols notes it; this one is not told."""
    box = FakeStation(new_signer(), boot_id="boot-9")
    box.new_chain("epoch-9")
    elsewhere = Keyring(keyring.directory)
    elsewhere.admit(replace(elsewhere.stations[StationId("tram-01")], key=box.key.public))
    return box


def test_another_box_in_the_place_is_heard_at_once_and_the_one_before_it_no_more(
    desk: Desk, station: FakeStation, keyring: Keyring
) -> None:
    desk.take(*station.state(), NOW)
    box = another_box(keyring)
    ((old,), _), ((new,), _) = desk.take(*station.state(), NOW), desk.take(*box.state(), NOW)
    assert isinstance(old, Unheard)
    assert isinstance(new, Heard)


def test_records_are_taken_on_from_another_box_in_the_place_by_a_headend_that_begins_anew(
    desk: Desk, station: FakeStation, keyring: Keyring, tmp_path: Path
) -> None:
    station.play(RECORD)
    desk.take(*station.log(), NOW)
    box = another_box(keyring)
    again = Desk(Keyring(keyring.directory), Logbook(tmp_path / "records"))
    box.play(RECORD)
    noted, _ = again.take(*box.log(), NOW)
    assert noted == [Kept(StationId("tram-01"), "epoch-9", tuple(box.records))]


def test_records_are_acknowledged_once_they_are_on_disk(
    desk: Desk, station: FakeStation, keyring: Keyring, tmp_path: Path
) -> None:
    station.play(RECORD, RECORD)
    noted, (reply,) = desk.take(*station.log(), NOW)
    assert noted == [Kept(StationId("tram-01"), "epoch-1", tuple(station.records))]
    assert reply.topic == "loa/1/d/tram-01/ack"
    assert judged(keyring, reply.topic, reply.envelope) == LogAck("epoch-1", 2, station.records[1].hash)
    assert len((tmp_path / "records" / "tram-01.jsonl").read_bytes().splitlines()) == 2


def test_a_lost_acknowledgement_is_given_again(desk: Desk, station: FakeStation) -> None:
    station.play(RECORD)
    desk.take(*station.log(), NOW)
    noted, replies = desk.take(*station.log(), NOW)
    assert noted == [Kept(StationId("tram-01"), "epoch-1", ())]
    assert len(replies) == 1


def test_a_disk_that_fails_leaves_the_records_unacknowledged_and_nobody_without_time(
    desk: Desk, station: FakeStation, tmp_path: Path
) -> None:
    station.play(RECORD)
    (tmp_path / "records" / "tram-01.jsonl").mkdir()  # nothing can be written there
    ((trouble,), replies) = desk.take(*station.log(), NOW)
    assert isinstance(trouble, LogTrouble)
    assert "tram-01.jsonl: Is a directory; nothing was acknowledged" in trouble.detail
    assert replies == []
    noted, replies = desk.take(*station.hello(), NOW)
    assert ([type(one) for one in noted], len(replies)) == ([Heard, LogTrouble], 1)


@pytest.mark.parametrize("kind", ["jsonl", "proof"])
def test_a_disk_that_was_full_in_the_middle_of_a_line_leaves_a_log_that_goes_on(
    desk: Desk, station: FakeStation, keyring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    station.play(RECORD, RECORD, RECORD, RECORD)
    desk.take(*station.log(1, 1), NOW)

    def full(path: Path, content: bytes, *_: object) -> None:
        if kind == "jsonl":
            with path.open("ab") as file:
                file.write(content[:-400])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(*((logbook, "append_durably") if kind == "jsonl" else (proof, "write_durably")), full)
        ((trouble,), replies) = desk.take(*station.log(2, 3), NOW)
    assert isinstance(trouble, LogTrouble)
    assert f"tram-01.{kind}: No space left on device" in trouble.detail
    assert replies == []
    assert len(desk.take(*station.log(2, 3), NOW)[1]) == 1
    again = Desk(keyring, Logbook(tmp_path / "records"))
    assert isinstance(again.take(*station.log(4), NOW)[0][0], Kept)
    assert [one.seq for one in Logbook(tmp_path / "records").records("tram-01")] == [1, 2, 3, 4]


def test_two_that_keep_one_log_keep_each_record_once(
    desk: Desk, station: FakeStation, keyring: Keyring, tmp_path: Path
) -> None:
    """A `watch` that takes over from another, or two with a broker each: the first has something in its queue still."""
    other = Desk(keyring, Logbook(tmp_path / "records"))
    station.play(*[RECORD] * 6)
    for first, who in enumerate((desk, other, other, desk, other), 1):
        assert len(who.take(*station.log(first, first), NOW)[1]) == 1
        for one in (desk, other):  # no acknowledgement came: it is sent again, to whoever is there
            assert one.take(*station.log(first, first), NOW)[0] == [Kept(StationId("tram-01"), "epoch-1", ())]
    again = Desk(keyring, Logbook(tmp_path / "records"))
    assert isinstance(again.take(*station.log(6), NOW)[0][0], Kept)
    whose = Whose("demo", keyring.stations[StationId("tram-01")], keyring.every_ack_key)
    records, proof = ((tmp_path / "records" / f"tram-01.{kind}").read_bytes() for kind in ("jsonl", "proof"))
    assert verify(records, proof, whose).finding is None


def test_a_gap_is_named_and_nothing_is_acknowledged(desk: Desk, station: FakeStation) -> None:
    station.play(RECORD, RECORD, RECORD)
    desk.take(*station.log(1, 1), NOW)
    noted, replies = desk.take(*station.log(3), NOW)
    assert noted == [LogTrouble(StationId("tram-01"), "gap: record 2 is missing")]
    assert replies == []


def test_the_welcome_tells_a_restored_card_what_it_forgot(desk: Desk, station: FakeStation, keyring: Keyring) -> None:
    station.play(RECORD, RECORD)
    desk.take(*station.log(), NOW)
    noted, (reply,) = desk.take(*station.hello(seq=1), NOW)
    welcome = judged(keyring, reply.topic, reply.envelope)
    assert isinstance(welcome, Welcome)
    assert (welcome.log_epoch, welcome.log_seq, welcome.log_hash) == ("epoch-1", 2, station.records[1].hash)
    assert isinstance(noted[1], LogTrouble)
    assert "old card" in noted[1].detail


def test_a_damaged_file_of_one_station_is_told_and_does_not_silence_the_others(
    desk: Desk, station: FakeStation, keyring: Keyring, tmp_path: Path
) -> None:
    (tmp_path / "records" / "tram-01.jsonl").write_bytes(b"nothing\n")
    station.play(RECORD)
    noted, replies = desk.take(*station.log(), NOW)
    assert isinstance(noted[0], LogTrouble)
    assert replies == []
    noted, replies = desk.take(*station.hello(), NOW)
    assert isinstance(noted[1], LogTrouble)
    assert len(replies) == 1  # time it gets all the same


def test_a_hello_that_names_a_source_of_time_that_only_a_newer_station_knows_is_welcomed(
    desk: Desk, station: FakeStation, keyring: Keyring
) -> None:
    _, (reply,) = desk.take(*newer(station.key, "hello", ("clock", "source")), NOW)
    assert isinstance(judged(keyring, reply.topic, reply.envelope), Welcome)


def test_a_station_that_was_enrolled_a_moment_ago_is_heard(desk: Desk, keyring: Keyring) -> None:
    folder = Keyring(keyring.directory).enrol("tram-02", AREA)  # by another process
    noted, replies = desk.take(*FakeStation(FileKey(folder.sign).open(), "tram-02").hello(), NOW)
    assert isinstance(noted[0], Heard)
    assert [reply.topic for reply in replies] == ["loa/1/d/tram-02/welcome"]


def test_a_forged_hello_gets_no_answer(desk: Desk, keyring: Keyring) -> None:
    noted, replies = desk.take(*FakeStation(keyring.signer("welcome")).hello(), NOW)
    assert isinstance(noted[0], Unheard)
    assert replies == []
