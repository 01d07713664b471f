"""The command as people use it, and every slip answered with the remedy on stderr. What runs on: test_running_cli."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tomllib
from datetime import date, timedelta
from pathlib import Path

import pytest

from edge_agent.core.job import Job
from edge_agent.core.units import DAY_MS, UtcMs
from edge_agent.headend.cli import draft_examples, main
from edge_agent.headend.cli.actions import ACTIONS, Action
from edge_agent.headend.given import heading_of
from edge_agent.headend.headend import utc_now
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.rule_words import BY_ZONE
from edge_agent.headend.signing import read_order
from edge_agent.trust.commands import What
from tests.headend.fake_station import AREA
from tests.headend.ward_by_commands import DRAFT, make_ward, sign

AT = ["--dir", "{ward}", "--broker", "localhost:1"]


@pytest.fixture
def ward(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    place = make_ward(tmp_path)
    capsys.readouterr()
    return place


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


def test_what_a_text_is_spoken_as_makes_no_lines_of_the_page_either(
    ward: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draft = ward.parent / "draft.toml"
    draft.write_text(draft.read_text().replace("Nước đang lên.", "Nước đang lên.\\n\\nLên cao."))
    assert sign(ward, "--draft", str(draft), "--key", "ward-emergency-1") == 0
    assert "đọc là / is spoken: “Nước đang lên. Lên cao.”\n" in capsys.readouterr().out


def test_who_signs_twice_is_told_by_which_key(ward: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draft, order = str(ward.parent / "draft.toml"), ward.parent / "order.json"
    assert sign(ward, "--draft", draft, "--key", "ward-emergency-1") == 0
    capsys.readouterr()
    assert sign(ward, "--add", str(order), "--key", "ward-emergency-1") == 1
    assert "khóa / key ward-emergency-1: đã ký lệnh này, phải là khóa của người khác" in capsys.readouterr().err


def test_what_is_no_order_is_told_with_its_file(ward: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A trust document, or any other file, where an order was asked for."""
    file = ward.parent / "root.json"
    file.write_bytes(Keyring(ward).documents[0])
    at = ["--dir", str(ward), "--broker", "localhost:1"]
    for option, words in {
        "--envelope": ["publish", *at],
        "--add": ["sign", "--dir", str(ward), "--key", "ward-routine", "--out", str(file)],
        "--job-envelope": ["order", "cancel", "x", *at],
    }.items():
        assert main([*words, option, str(file)]) == 1
        told = capsys.readouterr().err
        assert (
            f"lỗi / error: {option} {file}: không phải lệnh dùng được / is no order that can be used: envelope" in told
        )


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
    assert Keyring(ward).serials.last() == ({} if forged else {"dong-thanh": serial})


@pytest.mark.parametrize("option", [["--content-url", "https://localhost:8443"], ["--content-dir", "audio"]])
def test_a_second_signature_refuses_options_that_only_a_draft_has_a_use_for(
    ward: Path, capsys: pytest.CaptureFixture[str], option: list[str]
) -> None:
    assert sign(ward, "--draft", str(ward.parent / "draft.toml"), "--key", "ward-emergency-1") == 0
    before = (ward.parent / "order.json").read_bytes()
    capsys.readouterr()
    assert sign(ward, "--add", str(ward.parent / "order.json"), "--key", "ward-emergency-2", *option) == 2
    assert capsys.readouterr().err.startswith(f"lỗi / error: {option[0]}: chỉ đi với --draft")
    assert (ward.parent / "order.json").read_bytes() == before


def test_a_signed_order_is_never_written_over_its_own_draft(ward: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draft = ward.parent / "order.json"  # ``sign`` below writes there
    draft.write_text(json.dumps(tomllib.loads(DRAFT)))
    before = draft.read_bytes()
    assert sign(ward, "--draft", str(draft), "--key", "ward-emergency-1") == 1
    assert "name another file" in capsys.readouterr().err
    assert draft.read_bytes() == before


@pytest.mark.parametrize("there", ["keys/ward-routine-1.pem", "trust.json", "pki/ca.key"])
def test_a_signed_order_is_written_over_nothing_but_an_order(
    ward: Path, capsys: pytest.CaptureFixture[str], there: str
) -> None:
    draft, out = str(ward.parent / "draft.toml"), ward / there
    before = out.read_bytes()
    words = ["sign", "--dir", str(ward), "--draft", draft, "--key", "ward-emergency-1", "--out"]
    assert main([*words, str(out)]) == 1
    assert "is no signed order; take another name" in capsys.readouterr().err
    assert out.read_bytes() == before
    (ward.parent / "empty.json").touch()
    for _ in range(2):
        assert main([*words, str(ward.parent / "empty.json")]) == 0


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
    soon = f"{date.today() + timedelta(days=40):%Y-%m}"  # what is over by now is told, too
    example = example.replace("2026-11-30", f"{soon}-28").replace("2026-11", soon)
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


def test_a_station_that_is_not_enrolled_is_named_beside_one_that_is(
    ward: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slip in one of two names leaves that one silent, and nobody else could tell."""
    draft = ward.parent / "draft.toml"
    draft.write_text(DRAFT.replace('areas = ["vn/ha-noi/dong-thanh"]', 'stations = ["tram-01", "tram-o2"]'))
    assert sign(ward, "--draft", str(draft), "--key", "ward-emergency-1", "ward-emergency-2") == 0
    told = "chú ý / note: tram-o2: chưa đăng ký, xem `keys list` / not enrolled; `keys list` names those that are\n"
    assert capsys.readouterr().err == told


ONE_ENTRY = """type = "timetable"
{heading}
[[entries]]
class = "normal"
volume = 70
{entry}
when = {{ at = {day}T05:30:00+07:00 }}
items = [{{ title = "Tin", text = "Xin chào." }}]
"""


@pytest.mark.parametrize(
    ("heading", "entry", "told"),
    [
        (f'areas = ["{AREA}"]', 'stations = ["tram-01", "tram-o2"]', "tram-o2: chưa đăng ký"),
        ('stations = ["tram-01"]', 'stations = ["tram-02"]', "mục 1 / entry 1: không trạm nào nhận lịch này"),
    ],
)
def test_an_entry_that_some_station_will_never_have_is_named(
    ward: Path, capsys: pytest.CaptureFixture[str], heading: str, entry: str, told: str
) -> None:
    """One that is enrolled does not get a timetable that is for another one."""
    assert main(["keys", "station", "--dir", str(ward), "--id", "tram-02", "--area", AREA]) == 0
    draft = ward.parent / "lich.toml"
    for words, expected in ((entry, told), ('stations = ["tram-01"]', "")):
        draft.write_text(ONE_ENTRY.format(heading=heading, entry=words, day=date.today() + timedelta(days=9)))
        capsys.readouterr()
        assert sign(ward, "--draft", str(draft), "--key", "ward-routine") == 0
        err = capsys.readouterr().err
        assert expected in err if expected else not err


def test_a_timetable_that_was_over_before_it_goes_out_is_told_when_it_does(
    ward: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was good when it was signed, and the ward would be silent."""
    draft, later = ward.parent / "lich.toml", UtcMs(utc_now() + 20 * DAY_MS)
    day = date.today() + timedelta(days=9)
    draft.write_text(ONE_ENTRY.format(heading=f'areas = ["{AREA}"]', entry="", day=day))
    assert sign(ward, "--draft", str(draft), "--key", "ward-routine") == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("edge_agent.headend.cli.orders.utc_now", lambda: later)
    monkeypatch.setattr("edge_agent.headend.dispatch.PUBLISH_S", 0.1)
    assert (
        main(["publish", *(word.format(ward=ward) for word in AT), "--envelope", str(ward.parent / "order.json")]) == 1
    )
    assert "once it is sent, all is SILENT" in capsys.readouterr().err


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
        (["order", "stop", *AT], 2, "--station, --area: ghi ít nhất một trạm"),
        (["order", "lock", *AT, "--area", AREA, "--minutes", "600"], 2, "--minutes: số nguyên từ 1 đến 240 / an"),
        (["order", "volume", "120", *AT, "--area", AREA], 2, "volume: số nguyên từ 0 đến 100 / an integer"),
        (["order", "volume", "60.5", *AT, "--area", AREA], 2, "volume: số nguyên từ 0 đến 100 / an integer"),
        (["order", "volume", "-5", *AT, "--area", AREA], 2, "volume: số nguyên từ 0 đến 100 / an integer"),
        (["order", "lock", *AT, "--area", AREA, "--minutes", "1h"], 2, "--minutes: số nguyên từ 1 đến 240 / an"),
        (["order", "stop", *AT, "--area", AREA, "--key", "welcome"], 1, "may sign no command; take one of ward-desk"),
        (
            ["order", "choose", "x", "--at", "5h30", *AT, "--area", AREA],
            2,
            "--at: giờ kèm múi giờ",
        ),
        (["report", "--records", "{new}", "--from", "2026-11-01", "--to", "2026-10-01"], 1, "ngày đầu sau"),
        (["order", "cancel", "Job!", *AT], 2, "target: 1 đến 64 ký tự không dấu a-z, 0-9, - / 1 to 64"),
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
    ("words", "most"),
    [
        (["keys", "init", "--dir", "x", "--realm", "x", "--area", AREA, "--emergency-threshold", "hai"], 2),
        (["keys", "init", "--dir", "x", "--realm", "x", "--area", AREA, "--emergency-threshold", "3"], 2),
        (["preview", "--draft", "x", "--out", "x", "--entry", "1.5"], 60),
    ],
)
def test_a_number_that_is_none_is_refused_in_vietnamese_first_with_its_bounds(
    capsys: pytest.CaptureFixture[str], words: list[str], most: int
) -> None:
    with pytest.raises(SystemExit):
        main(words)
    told = f"{words[-2]}: {words[-1]!r}: số nguyên từ 1 đến {most} / a whole number from 1 to {most}"
    assert told in capsys.readouterr().err


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


def test_a_terminal_without_vietnamese_letters_gets_what_it_can_show(ward: Path) -> None:
    """The files were written, and then a traceback stood where it should have been told."""
    command = "from edge_agent.headend.cli import main; raise SystemExit(main())"
    words = [sys.executable, "-c", command, "keys", "list", "--dir", str(ward)]
    done = subprocess.run(
        words, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "?" in done.stdout
