"""The command as people use it: from new keys to a report, and every slip answered with the remedy on stderr."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPSConnection
from pathlib import Path
from typing import IO

import pytest

from edge_agent.core.effects import Verdict
from edge_agent.core.job import Job
from edge_agent.core.reasons import Reason
from edge_agent.core.units import UtcMs
from edge_agent.headend.cli import draft_examples, main
from edge_agent.headend.cli.actions import ACTIONS, Action
from edge_agent.headend.given import heading_of
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.listening import LogBatch
from edge_agent.headend.logbook import Logbook
from edge_agent.headend.rule_words import BY_ZONE
from edge_agent.headend.signing import digest_of, read_order
from edge_agent.sync import messages, reports
from edge_agent.sync.https import client_context
from edge_agent.sync.topics import subscriptions
from edge_agent.trust.commands import What
from edge_agent.trust.keys import load_signer
from tests.headend.fake_station import AREA, RECORD, FakeStation
from tests.headend.fake_station import AT as RECORD_AT
from tests.headend.mqtt_client import TIMEOUT_S, Client

DRAFT = """
class = "emergency"
event = "lu-quet"
areas = ["vn/ha-noi/dong-thanh"]
volume = 100
[[items]]
title = "Cảnh báo lũ quét"
text = "Nước đang lên."
"""

TIMETABLE = """
class = "normal"
areas = ["vn/ha-noi/dong-thanh"]
volume = 70
not_before = 2098-12-31T00:00:00+07:00
when = { first_day = 2099-01-01, last_day = 2099-03-31, times = ["05:30"] }
items = [{ title = "Tin", text = "Xin chào." }]
"""
CALLED_OFF = UtcMs(RECORD_AT - 60_000)  # 05:29 in Hanoi
AT = ["--dir", "{ward}", "--broker", "localhost:1"]


@pytest.fixture
def ward(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    place = tmp_path / "ward"
    assert main(["keys", "init", "--dir", str(place), "--realm", "demo", "--area", AREA]) == 0
    assert main(["keys", "station", "--dir", str(place), "--id", "tram-01", "--area", AREA, "--name", "Chợ"]) == 0
    (tmp_path / "draft.toml").write_text(DRAFT)
    capsys.readouterr()
    return place


def sign(ward: Path, *more: str) -> int:
    out = str(ward.parent / "order.json")
    return main(["sign", "--dir", str(ward), "--out", out, *more])


def test_two_officers_sign_one_after_the_other(ward: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draft, order = str(ward.parent / "draft.toml"), ward.parent / "order.json"
    assert sign(ward, "--draft", draft, "--key", "ward-emergency-1") == 0
    captured = capsys.readouterr()
    shown = captured.out
    assert "trạm tram-01 sẽ từ chối / will refuse: chưa đủ số chữ ký tối thiểu" in captured.err
    assert "loại: BẢN TIN KHẨN CẤP (lu-quet); âm lượng 100" in shown
    assert "bản tin 1: Cảnh báo lũ quét, trạm tự đọc, tiếng vi: “Nước đang lên.”" in shown
    assert sign(ward, "--add", str(order), "--key", "ward-emergency-2") == 0
    assert capsys.readouterr().err == ""
    assert len(json.loads(order.read_bytes())["signatures"]) == 2
    signed = read_order(order.read_bytes())
    assert isinstance(signed, Job)
    assert signed.event == "lu-quet"


@pytest.mark.parametrize("forged", [False, True], ids=["an officer's", "a stranger's"])
def test_what_an_officer_signed_at_her_own_computer_is_in_the_marks_that_welcomes_tell(
    ward: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, forged: bool
) -> None:
    monkeypatch.setattr("edge_agent.headend.dispatch.PUBLISH_S", 0.1)  # nobody is there to take it
    own, order = tmp_path / "own", ward.parent / "order.json"
    shutil.copytree(ward / "keys", own / "keys")
    shutil.copyfile(ward / "trust.json", own / "trust.json")
    keys = ("ward-emergency-1", "ward-emergency-2")
    assert sign(own, "--draft", str(ward.parent / "draft.toml"), "--key", *keys) == 0
    serial = heading_of(read_order(order.read_bytes())).serial
    if forged:
        written = json.loads(order.read_bytes())
        written["signatures"][0]["sig"] = base64.b64encode(bytes(64)).decode()
        order.write_text(json.dumps(written))
    capsys.readouterr()
    assert main(["publish", "--dir", str(ward), "--envelope", str(order), "--broker", "localhost:1"]) != 0
    assert Keyring(ward).serials() == ({} if forged else {"dong-thanh": serial})


@pytest.mark.parametrize("option", [["--content-url", "https://localhost:8443"], ["--content-dir", "audio"]])
def test_a_second_signature_refuses_options_that_only_a_draft_has_a_use_for(
    ward: Path, capsys: pytest.CaptureFixture[str], option: list[str]
) -> None:
    assert sign(ward, "--draft", str(ward.parent / "draft.toml"), "--key", "ward-emergency-1") == 0
    before = (ward.parent / "order.json").read_bytes()
    capsys.readouterr()
    assert sign(ward, "--add", str(ward.parent / "order.json"), "--key", "ward-emergency-2", *option) == 2
    assert capsys.readouterr().err.startswith(f"lỗi / error: {option[0]}: only with --draft")
    assert (ward.parent / "order.json").read_bytes() == before


@pytest.mark.parametrize("action", ACTIONS, ids=[action.name for action in ACTIONS])
def test_zones_and_records_are_asked_for_only_by_the_commands_that_use_them(
    capsys: pytest.CaptureFixture[str], action: Action
) -> None:
    with pytest.raises(SystemExit):
        main(["order", action.name, "--help"])
    shown = capsys.readouterr().out
    assert ("--zone" in shown) is (What(action.name.replace("-", "_")) in BY_ZONE)
    assert ("--records" in shown) is (action.name == "cancel")


@pytest.mark.parametrize(
    ("example", "key", "told"),
    [
        (draft_examples.EXCEPTION, "ward-policy", "Trường hợp đặc biệt được phép phát, mọi cụm loa, từ "),
        (draft_examples.REGULATION, "ward-policy", "Quy chế số 128/QĐ-UBND ngày 28/09/2026"),
        (draft_examples.TIMETABLE, "ward-routine", "Lịch phát main, phiên bản "),
    ],
)
def test_an_officer_reads_what_a_rule_does_and_whether_it_will_be_obeyed(
    ward: Path, capsys: pytest.CaptureFixture[str], example: str, key: str, told: str
) -> None:
    draft = ward.parent / "rule.toml"
    draft.write_text("\n".join(line.strip() for line in example.splitlines()[1:]))
    assert sign(ward, "--draft", str(draft), "--key", key) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(told)
    assert captured.err == ""
    draft.write_text(draft.read_text().replace("dong-thanh", "yen-son"))
    assert sign(ward, "--draft", str(draft), "--key", key) == 0
    assert "no enrolled station is addressed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("dong-thanh", "yen-son", "no enrolled station is addressed"),
        ('class = "emergency"\nevent = "lu-quet"', 'class = "normal"', "vượt thẩm quyền của đơn vị ban hành"),
        ('areas = ["vn/ha-noi/dong-thanh"]', 'areas = ["vn/ha-noi"]', "outside the role's areas"),
    ],
)
def test_an_officer_is_told_beforehand_what_stations_will_refuse(
    ward: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, told: str
) -> None:
    draft = ward.parent / "draft.toml"
    draft.write_text(DRAFT.replace(old, new))
    assert sign(ward, "--draft", str(draft), "--key", "ward-emergency-1", "ward-emergency-2") == 0
    assert told in capsys.readouterr().err


def test_keys_list_tells_roles_and_stations_and_no_secret(ward: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "list", "--dir", str(ward)]) == 0
    shown = capsys.readouterr().out
    assert "vai trò / role ward-emergency: job; cần / needs 2/2" in shown
    assert f"trạm / station tram-01: {AREA}, Chợ" in shown
    assert "PRIVATE" not in shown


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["keys", "init", "--dir", "{ward}", "--realm", "demo", "--area", AREA], 1, "lock every station out"),
        (["keys", "init", "--dir", "{new}", "--realm", "Demo!", "--area", AREA], 1, "realm: 'Demo!'"),
        (["keys", "init", "--dir", "{new}", "--realm", "demo", "--area", "VN"], 1, "--area VN"),
        (["keys", "station", "--dir", "{ward}", "--id", "tram-01", "--area", AREA], 1, "enrolled already"),
        (["keys", "station", "--dir", "{ward}", "--id", "x", "--area", AREA, "--name", "x" * 81], 1, "name: 'xxx"),
        (["keys", "station", "--dir", "{ward}", "--id", "headend", "--area", AREA], 1, "take another id"),
        (["keys", "list", "--dir", "{new}"], 1, "keys init"),
        (["sign", "--dir", "{ward}", "--draft", "{draft}", "--key", "nobody", "--out", "{new}"], 1, "ward-routine-1"),
        (["sign", "--dir", "{ward}", "--draft", "{bad}", "--key", "ward-routine", "--out", "{new}"], 2, "volume: "),
        (["sign", "--dir", "{ward}", "--add", "{new}", "--key", "ward-routine", "--out", "{new}"], 1, "--add"),
        (["publish", "--dir", "{ward}", "--envelope", "{draft}", "--broker", "localhost:1"], 1, "envelope: "),
        (["report", "--records", "{new}"], 1, "no records"),
        (["order", "stop", *AT], 2, "areas: stations or areas"),
        (["order", "lock", *AT, "--area", AREA, "--minutes", "600"], 2, "for_minutes: an integer from 1 to 240"),
        (["order", "volume", "120", *AT, "--area", AREA], 2, "volume: an integer from 0 to 100"),
        (["order", "stop", *AT, "--area", AREA, "--key", "welcome"], 1, "may sign no command; take one of ward-desk"),
        (["order", "choose", "x", "--at", "5h30", *AT, "--area", AREA], 2, "when.at: an instant with its offset"),
        (["order", "cancel", "Job!", *AT], 2, "target: 1 to 64"),
        (["order", "cancel", "x", *AT, "--job-envelope", "{new}"], 1, "--job-envelope"),
    ],
)
def test_a_failure_is_one_line_on_stderr_that_names_the_remedy(
    ward: Path, capsys: pytest.CaptureFixture[str], words: list[str], status: int, told: str
) -> None:
    bad = ward.parent / "bad.toml"
    bad.write_text(DRAFT.replace("volume = 100", "volume = 1000"))
    names = {"ward": ward, "new": ward.parent / "new", "draft": ward.parent / "draft.toml", "bad": bad}
    assert main([word.format(**names) for word in words]) == status
    shown = capsys.readouterr()
    assert shown.err.startswith("lỗi / error: ")
    assert told in shown.err
    assert len(shown.err.splitlines()) == 1
    assert shown.out == ""


@pytest.mark.parametrize(
    "words",
    [
        ["watch", "--dir", "x", "--broker", "localhost"],
        ["watch", "--dir", "x", "--broker", "localhost:99999"],
        ["report", "--records", "x", "--from", "6/10/2026"],
        ["report", "--records", "x", "--timezone", "Hanoi"],
        ["sign", "--dir", "x", "--key", "k", "--out", "o"],
        ["order", "lock", "--dir", "x", "--broker", "localhost:1"],
        ["order", "stop", "--dir", "x", "--broker", "localhost:1", "--wait-s", "61"],
        ["order", "ask", "--dir", "x", "--broker", "localhost:1", "--day", "hom-nay"],
        ["order", "all-stop", "--dir", "x", "--broker", "localhost:1", "--zone", "c1"],
        ["order", "lock", "--dir", "x", "--broker", "localhost:1", "--minutes", "5", "--records", "x"],
        ["report", "--records", "x", "--timezone", "right/Asia/Ho_Chi_Minh"],
        [],
    ],
)
def test_a_wrong_option_ends_with_2_and_says_what_would_be_right(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        *([], ["keys"], ["keys", "init"], ["keys", "protect"], ["sign"], ["publish"]),
        *(["order"], ["order", "cancel"], ["order", "all-stop"], ["order", "lock"]),
        *(["watch"], ["report"], ["verify-log"], ["broker"], ["content"], ["conform"]),
    ],
)
def test_every_command_explains_itself_in_both_languages(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert " / " in shown
    assert len(shown.splitlines()) > 5


class Running:
    """A command in a process of its own, read line by line."""

    def __init__(self, *words: str, stderr: IO[str] | int = subprocess.STDOUT) -> None:
        code = "import sys; from edge_agent.headend.cli import main; sys.exit(main(sys.argv[1:]))"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *words],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=environment,
        )

    def line_with(self, text: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if text in line:
                return line
        raise AssertionError(f"ended without saying {text!r}")

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode


@pytest.fixture
def started() -> Iterator[list[Running]]:
    running: list[Running] = []
    yield running
    for one in running:
        if one.process.poll() is None:
            one.end()  # properly: killed, it would leave its broker behind


@pytest.mark.host
def test_from_keys_to_report_by_commands_alone(
    ward: Path, capsys: pytest.CaptureFixture[str], started: list[Running]
) -> None:
    broker = Running("broker", "--dir", str(ward), "--listen", "127.0.0.1:0")
    started.append(broker)
    port = int(broker.line_with("Mosquitto: ").split(":")[2].split(",")[0])
    address = f"localhost:{port}"
    watch = Running("watch", "--dir", str(ward), "--broker", address)
    started.append(watch)
    watch.line_with("[connected]")

    folder = Keyring(ward).folder("tram-01")
    client = Client(folder.authority, folder.tls, port, "tram-01")
    client.subscribe(*subscriptions(FakeStation(load_signer(folder.sign)).sender.station, AREA))
    station = FakeStation(load_signer(folder.sign))
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
    client.close()

    assert (watch.end(), broker.end()) == (0, 0)
    assert main(["report", "--records", str(ward / "records")]) == 0
    assert "Tổng số lần phát theo lịch và lệnh: 1" in capsys.readouterr().out


class Desk:
    """A ward with a broker and one station that answers as it is told."""

    def __init__(self, ward: Path, started: list[Running], capsys: pytest.CaptureFixture[str]) -> None:
        broker = Running("broker", "--dir", str(ward), "--listen", "127.0.0.1:0")
        started.append(broker)
        port = int(broker.line_with("Mosquitto: ").split(":")[2].split(",")[0])
        self.ward, self._capsys = ward, capsys
        self._broker = f"localhost:{port}"
        folder = Keyring(ward).folder("tram-01")
        self.client = Client(folder.authority, folder.tls, port, "tram-01")
        self.station = FakeStation(load_signer(folder.sign))
        self.client.subscribe(*subscriptions(self.station.sender.station, AREA))

    def order(self, *words: str, wait_s: int = TIMEOUT_S, verdict: Verdict | None = Verdict.ACCEPTED) -> list[str]:
        """The last lines: of the order, and of what the station answered."""
        answering = threading.Thread(target=self._answer, args=(verdict,))
        if verdict is not None:
            answering.start()
        where = ("--dir", str(self.ward), "--broker", self._broker, "--wait-s", str(wait_s))
        assert main(["order", *words, *where]) == 0
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
    serials = Keyring(desk.ward).serials()
    words = ["publish", "--dir", str(desk.ward), "--envelope", str(order), "--broker", desk._broker]
    assert main(words) == 1
    assert main([*words, "--force"]) == 0
    assert desk.client.next()[1] == order.read_bytes()
    assert Keyring(desk.ward).serials() == serials
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
    broker = Running("broker", "--dir", str(ward), "--listen", "127.0.0.1:0")
    started.append(broker)
    port = int(broker.line_with("Mosquitto: ").split(":")[2].split(",")[0])
    watch = Running("watch", "--json", "--dir", str(ward), "--broker", f"localhost:{port}")
    started.append(watch)
    watch.line_with("linkup")
    folder = Keyring(ward).enrol("tram-02", AREA)
    client = Client(folder.authority, folder.tls, port, "tram-02")
    station = FakeStation(load_signer(folder.sign), "tram-02")
    until = time.monotonic() + TIMEOUT_S
    while client.publish(*station.hello()) != "Success" and time.monotonic() < until:
        time.sleep(0.1)  # the list is read every few seconds
    assert json.loads(watch.line_with('"station": "tram-02"'))["kind"] == "hello"
    client.close()


@pytest.mark.host
def test_a_log_whose_disk_is_full_leaves_no_station_without_its_content(ward: Path, started: list[Running]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
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
    broker = Running("broker", "--dir", str(ward), "--listen", "127.0.0.1:0")
    started.append(broker)
    port = int(broker.line_with("Mosquitto: ").split(":")[2].split(",")[0])
    whole = (ward / "stations.json").read_bytes()
    (ward / "stations.json").write_text("{")
    assert "goes on by the list" in broker.line_with("stations.json: ")
    (ward / "stations.json").write_bytes(whole)
    folder = Keyring(ward).folder("tram-01")
    client = Client(folder.authority, folder.tls, port, "tram-01")
    assert client.publish(*FakeStation(load_signer(folder.sign)).hello()) != "Not authorized"
    client.close()
    assert broker.end() == 0


@pytest.mark.host
def test_a_second_watch_ends_the_first_with_a_reason(ward: Path, started: list[Running]) -> None:
    broker = Running("broker", "--dir", str(ward), "--listen", "127.0.0.1:0")
    started.append(broker)
    port = int(broker.line_with("Mosquitto: ").split(":")[2].split(",")[0])
    words = ("watch", "--dir", str(ward), "--broker", f"localhost:{port}")
    first = Running(*words)
    started.append(first)
    first.line_with("[connected]")
    second = Running(*words)
    started.append(second)
    second.line_with("[connected]")
    assert "another client uses our certificate; is another `watch`" in first.line_with("lỗi / error")
    assert first.process.wait(TIMEOUT_S) == 1
