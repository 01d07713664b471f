"""The commands that run on, each in a process of its own: servers, a watch, and orders to stations that answer."""

from __future__ import annotations

import errno
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from http.client import HTTPSConnection
from pathlib import Path

import pytest
from cryptography.x509 import load_pem_x509_certificate

from edge_agent.core.effects import Verdict
from edge_agent.core.order import Timetable
from edge_agent.core.reasons import Reason
from edge_agent.core.units import JobId, UtcMs
from edge_agent.headend import pki
from edge_agent.headend.broker import BrokerSetup
from edge_agent.headend.cli import draft_examples, main, servers
from edge_agent.headend.given import heading_of
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.listening import LogBatch
from edge_agent.headend.logbook import Logbook
from edge_agent.headend.signing import digest_of, read_order
from edge_agent.identity.file_keys import FileKey
from edge_agent.sync import messages, reports
from edge_agent.sync.https import client_context
from edge_agent.sync.topics import subscriptions
from tests.headend.fake_station import AREA, RECORD, FakeStation, heads_here
from tests.headend.fake_station import AT as RECORD_AT
from tests.headend.mqtt_client import TIMEOUT_S, Client
from tests.headend.running import Running, run_broker
from tests.headend.ward_by_commands import TIMETABLE, make_ward, sign
from tests.host.ports import free_port

ENTRIES = f"""type = "timetable"
areas = ["{AREA}"]
[[entries]]
class = "normal"
volume = 70
when = {{{{ first_day = {{day}}, last_day = {{day}}, times = ["05:30"] }}}}
[[entries.items]]
title = "Bản tin"
approver = "nguoi-duyet-07"
text = "Bản tin."
"""
CALLED_OFF = UtcMs(RECORD_AT - 60_000)  # 05:29 in Hanoi


@pytest.fixture
def ward(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    place = make_ward(tmp_path)
    capsys.readouterr()
    return place


@pytest.mark.host
def test_from_keys_to_report_by_commands_alone(
    ward: Path, capsys: pytest.CaptureFixture[str], started: list[Running]
) -> None:
    broker, port = run_broker(ward, started)
    address = f"localhost:{port}"
    watch = Running("watch", "--dir", str(ward), "--broker", address)
    started.append(watch)
    watch.line_with("[connected]")

    folder = Keyring(ward).folder("tram-01")
    client = Client(folder.authority, folder.tls, port, "tram-01")
    client.subscribe(*subscriptions(FakeStation(FileKey(folder.sign).open()).sender.station, AREA))
    station = FakeStation(FileKey(folder.sign).open())
    client.publish(*station.state(), retain=True)
    assert "bắt đầu kết nối [birth]" in watch.line_with("tram-01: ")

    draft, order = str(ward.parent / "draft.toml"), str(ward.parent / "order.json")
    assert sign(ward, "--draft", draft, "--key", "ward-emergency-1", "ward-emergency-2") == 0
    assert main(["publish", "--dir", str(ward), "--envelope", order, "--broker", address]) == 0
    assert f"→ loa/1/area/{AREA}/job: máy chủ đã nhận" in capsys.readouterr().out
    assert client.next()[0] == f"loa/1/area/{AREA}/job"
    other = ["--station", "tram-09"]
    assert main(["publish", "--dir", str(ward), "--envelope", order, "--broker", address, *other]) == 1
    assert "không trạm nào đang nhận" in capsys.readouterr().out

    station.play(RECORD)
    client.publish(*station.log())
    assert "đã phát xong [succeeded]" in watch.line_with("nhật ký phát số 1")
    assert client.next()[0] == "loa/1/d/tram-01/ack"

    for envelope, told in ((Keyring(ward).documents[0], "văn bản ủy quyền"), (Path(order).read_bytes(), "lệnh dong-")):
        bad = reports.AnswerMsg(
            Verdict.REFUSED, digest_of(envelope), JobId(""), Reason.SIGNATURE_INVALID, UtcMs(RECORD_AT)
        )
        client.publish(*station.signed(messages.answer(station.sender, bad)))
        assert f"tram-01: từ chối {told}" in watch.line_with("[signature_invalid]")
    client.close()

    assert (watch.end(), broker.end()) == (0, 0)
    assert main(["report", "--records", str(ward / "records")]) == 0
    assert "Tổng số lần phát theo lịch và lệnh: 1" in capsys.readouterr().out


class Desk:
    """A ward with a broker and one station that answers as it is told."""

    def __init__(self, ward: Path, started: list[Running], capsys: pytest.CaptureFixture[str]) -> None:
        _, port = run_broker(ward, started)
        self.ward, self._capsys = ward, capsys
        self._broker = f"localhost:{port}"
        folder = Keyring(ward).folder("tram-01")
        self.client = Client(folder.authority, folder.tls, port, "tram-01")
        self.station = FakeStation(FileKey(folder.sign).open())
        self.client.subscribe(*subscriptions(self.station.sender.station, AREA))

    def order(self, *words: str, wait_s: int = TIMEOUT_S, verdict: Verdict | None = Verdict.ACCEPTED) -> list[str]:
        """The last lines: of the order, and of what the station answered."""
        answering = threading.Thread(target=self._answer, args=(verdict,))
        if verdict is not None:
            answering.start()
        where = ("--dir", str(self.ward), "--broker", self._broker, "--wait-s", str(wait_s))
        assert main(["order", *words, *where]) == (verdict is Verdict.REFUSED), "what a script is told"
        if verdict is not None:
            answering.join()
        else:
            self.client.next()
        return self._capsys.readouterr().out.splitlines()

    def _answer(self, verdict: Verdict) -> None:
        envelope = self.client.next()[1]
        order_id, reason = heading_of(read_order(envelope)).order_id, None
        if verdict is Verdict.REFUSED:
            reason = Reason.NOT_THE_OWNER
        said = reports.AnswerMsg(verdict, digest_of(envelope), order_id, reason, CALLED_OFF)
        self.client.publish(*self.station.answer(Verdict.ACCEPTED, "another-order"))  # is not mistaken for its own
        self.client.publish(*self.station.signed(messages.answer(self.station.sender, said)))


@pytest.fixture
def desk(ward: Path, started: list[Running], capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    desk = Desk(ward, started, capsys)
    yield desk
    desk.client.close()


@pytest.mark.host
def test_a_command_is_signed_sent_and_answered_at_once(desk: Desk) -> None:
    lines = desk.order("lock", "--station", "tram-01", "--zone", "c1", "--minutes", "120")
    assert lines[0] == "Khóa bảo trì, cụm loa c1, 2 giờ"
    assert lines[-2].startswith("dong-thanh-")
    assert "→ loa/1/d/tram-01/job: máy chủ đã nhận" in lines[-2]
    assert lines[-1] == "tram-01: đã nhận lệnh lúc 06/10/2026 05h29 / accepted"
    assert desk.order("stop", "--area", AREA, verdict=Verdict.REFUSED)[-1].startswith("tram-01: từ chối lệnh / refused")
    nobody = desk.order("all-stop", wait_s=1, verdict=None)
    assert nobody[:2] == ["DỪNG PHÁT TOÀN BỘ, mọi cụm loa, 15 phút", f"  vùng phát: {AREA}"]
    assert nobody[-1] == "tram-01: CHƯA TRẢ LỜI, có thể chưa nhận lệnh / NO ANSWER, it may not have it"


@pytest.mark.host
def test_a_command_that_its_role_may_not_give_is_sent_and_nothing_is_noted_of_it(desk: Desk) -> None:
    """Stations judge it; what it would take back stays in the manifests."""
    desk.order("stop", "--area", AREA, "--key", "ward-policy", wait_s=1, verdict=None)
    assert not (desk.ward / "orders").exists()
    desk.order("stop", "--area", AREA, wait_s=1, verdict=None)
    assert len(list((desk.ward / "orders").iterdir())) == 1


@pytest.mark.host
def test_by_force_what_stations_will_refuse_is_sent_and_nothing_is_noted_of_it(desk: Desk) -> None:
    draft, order = str(desk.ward.parent / "draft.toml"), desk.ward.parent / "order.json"
    assert sign(desk.ward, "--draft", draft, "--key", "ward-emergency-1") == 0
    serials = Keyring(desk.ward).serials.last()
    words = ["publish", "--dir", str(desk.ward), "--envelope", str(order), "--broker", desk._broker]
    assert main(words) == 1
    assert main([*words, "--force"]) == 0
    assert desk.client.next()[1] == order.read_bytes()
    assert Keyring(desk.ward).serials.last() == serials
    assert not (desk.ward / "orders").exists()
    assert not (desk.ward / "manifests.json").exists()


@pytest.mark.host
def test_a_cancel_is_answered_per_station(desk: Desk) -> None:
    lock = desk.order("lock", "--station", "tram-01", "--minutes", "120")[-2].split(" ")[0]
    told = desk.order("cancel", lock)
    assert told[0].startswith(f"Hủy lệnh {lock}, kể cả khi lệnh đó đến muộn (trước ")
    assert "  vùng phát: tram-01" in told  # that of the lock
    assert told[-1] == "tram-01: đã hủy lúc 06/10/2026 05h29 / cancelled"

    timetable = desk.ward.parent / "job.toml"
    timetable.write_text(TIMETABLE)
    assert sign(desk.ward, "--draft", str(timetable), "--key", "ward-routine") == 0
    envelope = desk.ward.parent / "order.json"
    job_id = heading_of(read_order(envelope.read_bytes())).order_id
    gone = desk.order("cancel", job_id, "--job-envelope", str(envelope), wait_s=1, verdict=None)
    assert gone[-1].startswith("tram-01: CHƯA TRẢ LỜI: vẫn có thể phát lúc 01/01/2099 05h30, 02/01/2099 05h30")
    assert "không rõ giờ nào" in desk.order("cancel", "another", wait_s=1, verdict=None)[-1]

    desk.station.play(replace(RECORD, job_id="another"))
    Logbook(desk.ward / "records").of("tram-01").add(LogBatch("epoch-1", tuple(desk.station.records)))
    assert "trước đó đã phát xong lúc 06/10/2026 05h31:01" in desk.order("cancel", "another")[-1]


@pytest.mark.host
def test_a_cancel_of_what_was_never_published_here_says_that_its_id_may_be_wrong(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """The station answers "cancelled" of a mistyped id as well, and what was meant would sound."""
    words = ("--dir", str(desk.ward), "--broker", desk._broker, "--wait-s", "0")
    assert main(["order", "cancel", "dong-thanh-99", *words]) == 0
    assert "dong-thanh-99: chưa gửi từ máy này, xem lại mã" in capsys.readouterr().err
    lock = desk.order("lock", "--station", "tram-01", "--minutes", "120", wait_s=1, verdict=None)[-2].split(" ")[0]
    timetable = desk.ward.parent / "lich.toml"
    timetable.write_text(ENTRIES.format(day=date.today() + timedelta(days=2)))
    assert sign(desk.ward, "--draft", str(timetable), "--key", "ward-routine") == 0
    envelope = desk.ward.parent / "order.json"
    order = read_order(envelope.read_bytes())
    assert isinstance(order, Timetable)
    assert main(["publish", "--dir", str(desk.ward), "--envelope", str(envelope), "--broker", desk._broker]) == 0
    capsys.readouterr()
    for known in (lock, order.heading.order_id, order.jobs[0].job_id):
        assert main(["order", "cancel", known, *words]) == 0
        assert capsys.readouterr().err == ""


@pytest.mark.host
def test_a_correction_of_what_was_never_published_here_says_that_its_id_may_be_wrong(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was meant would sound on, and the station says that it was not heard there."""
    draft, order = desk.ward.parent / "job.toml", desk.ward.parent / "order.json"

    def published(text: str) -> str:
        draft.write_text(text)
        assert sign(desk.ward, "--draft", str(draft), "--key", "ward-routine") == 0
        capsys.readouterr()
        where = ("--dir", str(desk.ward), "--broker", desk._broker)
        assert main(["publish", "--envelope", str(order), *where]) == 0
        return capsys.readouterr().err

    published(TIMETABLE)
    wrong = heading_of(read_order(order.read_bytes())).order_id
    assert published(f'corrects = "{wrong}"\n{TIMETABLE}') == ""
    assert f"corrects: {wrong}x: không có trong sổ lệnh đã gửi" in published(f'corrects = "{wrong}x"\n{TIMETABLE}')


@pytest.mark.host
def test_what_is_sent_to_one_station_of_its_audience_is_not_said_to_stay_there(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others find it in their manifest, and play it."""
    draft, order = desk.ward.parent / "job.toml", desk.ward.parent / "order.json"
    told = "chú ý / note: lệnh vẫn là của cả vùng phát đã ký, trạm khác nhận qua bản kê"
    for audience, expected in ((f'areas = ["{AREA}"]', True), ('stations = ["tram-01"]', False)):
        draft.write_text(TIMETABLE.replace(f'areas = ["{AREA}"]', audience))
        assert sign(desk.ward, "--draft", str(draft), "--key", "ward-routine") == 0
        capsys.readouterr()
        where = ("--dir", str(desk.ward), "--broker", desk._broker, "--station", "tram-01")
        assert main(["publish", "--envelope", str(order), *where]) == 0
        assert (told in capsys.readouterr().err) is expected


@pytest.mark.host
def test_who_cancels_an_entry_of_a_timetable_is_told_when_it_may_still_be_heard(desk: Desk) -> None:
    """It has no envelope of its own, so that --job-envelope was no remedy."""
    timetable, day = desk.ward.parent / "lich.toml", date.today() + timedelta(days=2)
    timetable.write_text(ENTRIES.format(day=day))
    assert sign(desk.ward, "--draft", str(timetable), "--key", "ward-routine") == 0
    envelope = desk.ward.parent / "order.json"
    order = read_order(envelope.read_bytes())
    assert isinstance(order, Timetable)
    assert main(["publish", "--dir", str(desk.ward), "--envelope", str(envelope), "--broker", desk._broker]) == 0
    desk.client.next()
    told = desk.order("cancel", order.jobs[0].job_id, wait_s=1, verdict=None)
    assert told[-1] == f"tram-01: CHƯA TRẢ LỜI: vẫn có thể phát lúc {day:%d/%m/%Y} 05h30 / may still play then"


@pytest.mark.host
def test_who_cancels_what_is_not_his_is_told_whose_it_is(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    envelope = desk.ward.parent / "order.json"
    draft = desk.ward.parent / "rule.toml"
    draft.write_text("\n".join(line.strip() for line in draft_examples.EXCEPTION.splitlines()[1:]))
    assert sign(desk.ward, "--draft", str(draft), "--key", "ward-policy") == 0
    window = heading_of(read_order(envelope.read_bytes())).order_id
    words = ("cancel", "--job-envelope", str(envelope), "--dir", str(desk.ward), "--broker", desk._broker)
    assert main(["order", *words, "--wait-s", "0", window]) == 0
    assert "only ubnd-dong-thanh may cancel it" in capsys.readouterr().err
    assert main(["order", *words, "--wait-s", "0", "--key", "ward-policy", window]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.host
def test_a_station_enrolled_later_is_let_in_and_heard_without_a_restart(ward: Path, started: list[Running]) -> None:
    _, port = run_broker(ward, started)
    watch = Running("watch", "--json", "--dir", str(ward), "--broker", f"localhost:{port}")
    started.append(watch)
    watch.line_with("linkup")
    folder = Keyring(ward).enrol("tram-02", AREA)
    client = Client(folder.authority, folder.tls, port, "tram-02")
    station = FakeStation(FileKey(folder.sign).open(), "tram-02")
    until = time.monotonic() + TIMEOUT_S
    while client.publish(*station.hello()) != "Success" and time.monotonic() < until:
        time.sleep(0.1)  # the list is read every few seconds
    assert json.loads(watch.line_with('"station": "tram-02"'))["kind"] == "hello"
    client.close()


@pytest.mark.host
def test_content_tells_of_a_document_that_is_not_here_as_watch_does(ward: Path, started: list[Running]) -> None:
    server = Running("content", "--welcome", "--dir", str(ward), "--listen", "127.0.0.1:0")
    started.append(server)
    found = re.search(r"127\.0\.0\.1:(\d+)", server.line_with("HTTPS"))
    assert found is not None
    keyring = Keyring(ward)
    *above, of_ward = heads_here(keyring)
    ahead = (*above, replace(of_ward, version=of_ward.version + 1))
    _, hello = FakeStation(FileKey(keyring.folder("tram-01").sign).open()).hello(trust=ahead)
    context = client_context(ward / "pki" / "ca.pem")
    connection = HTTPSConnection("localhost", int(found[1]), timeout=TIMEOUT_S, context=context)
    connection.request("POST", "/hello/tram-01", hello)
    assert connection.getresponse().status == 200
    connection.close()
    server.process.terminate()
    assert server.line_with("trust_ahead").rstrip().endswith(f"[trust_ahead]: {AREA}, kỳ 1, phiên bản 2")


@pytest.mark.host
def test_a_log_whose_disk_is_full_leaves_no_station_without_its_content(ward: Path, started: list[Running]) -> None:
    port = free_port()
    with Path("/dev/full").open("w") as full:
        server = Running("content", "--dir", str(ward), "--listen", f"127.0.0.1:{port}", stderr=full)
    started.append(server)
    context, until = client_context(ward / "pki" / "ca.pem"), time.monotonic() + TIMEOUT_S
    while True:
        connection = HTTPSConnection("localhost", port, timeout=TIMEOUT_S, context=context)
        try:
            connection.request("GET", f"/clip/{'0' * 64}")
            break
        except ConnectionRefusedError:
            assert server.process.poll() is None, "it has not begun for want of a log"
            assert time.monotonic() < until
            time.sleep(0.1)
    assert connection.getresponse().status == 404
    connection.close()
    assert server.end() == 0


@pytest.mark.host
def test_a_list_of_stations_that_somebody_has_spoiled_is_told_once_and_ends_no_broker(
    ward: Path, started: list[Running]
) -> None:
    broker, port = run_broker(ward, started)
    whole = (ward / "stations.json").read_bytes()
    (ward / "stations.json").write_text("{")
    assert "goes on by the list" in broker.line_with("stations.json: ")
    (ward / "stations.json").write_bytes(whole)
    folder = Keyring(ward).folder("tram-01")
    client = Client(folder.authority, folder.tls, port, "tram-01")
    assert client.publish(*FakeStation(FileKey(folder.sign).open()).hello()) != "Not authorized"
    client.close()
    assert broker.end() == 0


class Followed:
    """Stands for Mosquitto: at each look of ``broker`` one thing happens, and behind the last one it has died."""

    port = 8883
    put_aside: Path | None = None

    def __init__(self, *steps: Callable[[], object], full: bool = False) -> None:
        self.admitted: list[BrokerSetup] = []
        self.looked_at_log = False
        self._steps, self._full = iter(steps), full

    def __call__(self, _setup: BrokerSetup, _port: int) -> Followed:
        return self

    def runs(self) -> bool:
        step = next(self._steps, None)
        if step is not None:
            step()
        return step is not None

    def admit(self, setup: BrokerSetup) -> None:
        full, self._full = self._full, False
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "broker/acl")
        self.admitted.append(setup)

    def keep_log_short(self) -> None:
        self.looked_at_log = True

    def log_tail(self) -> str:
        return ""

    def __enter__(self) -> Followed:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def follow(ward: Path, broker: Followed, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(servers, "Mosquitto", broker)
    monkeypatch.setattr(servers, "LOOK_S", 0)
    monkeypatch.setattr(servers, "end_at_sigterm", lambda: None)
    return main(["broker", "--dir", str(ward)])


def nothing() -> None:
    """Time goes by."""


def test_a_certificate_that_is_taken_back_is_told_to_the_broker_although_no_station_is_another_one(
    ward: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A box that keeps its signing key and has another TLS key now: what the old one opens ends (protocol, 16.4)."""
    old = load_pem_x509_certificate(Keyring(ward).folder("tram-01").tls.certificate.read_bytes())
    broker = Followed(nothing, lambda: pki.revoke(ward / "pki", [old]), nothing, nothing)
    assert follow(ward, broker, monkeypatch) == 1
    assert len(broker.admitted) == 1
    assert broker.looked_at_log


def test_a_disk_that_is_full_when_a_station_is_enrolled_ends_no_broker_and_admits_it_later(
    ward: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broker = Followed(nothing, lambda: Keyring(ward).enrol("tram-07", AREA), nothing, nothing, full=True)
    assert follow(ward, broker, monkeypatch) == 1
    assert "tram-07" in broker.admitted[0].stations
    assert capsys.readouterr().err.count("broker/acl") == 1


def test_queues_that_could_not_be_read_are_told(
    ward: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broker = Followed(nothing)
    broker.put_aside = ward / "broker" / "mosquitto.db.damaged"
    assert follow(ward, broker, monkeypatch) == 1
    assert f"is damaged, and was moved to {broker.put_aside}: `publish` again" in capsys.readouterr().err


@pytest.mark.host
def test_a_second_watch_ends_the_first_with_a_reason(ward: Path, started: list[Running]) -> None:
    _, port = run_broker(ward, started)
    words = ("watch", "--dir", str(ward), "--broker", f"localhost:{port}")
    first = Running(*words)
    started.append(first)
    first.line_with("[connected]")
    second = Running(*words)
    started.append(second)
    second.line_with("[connected]")
    assert "another client uses our certificate; is another `watch`" in first.line_with("lỗi / error")
    assert first.process.wait(TIMEOUT_S) == 1
