"""``week`` as people use it: every slip answered with the remedy, and a page made of what a real station told."""

from __future__ import annotations

import json
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from demo.ward import AREA, STATION, Fitting, Ward
from edge_agent.core.effects import Verdict
from edge_agent.core.reasons import Reason
from edge_agent.core.units import StationId
from edge_agent.headend.cli import main
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.week_replies import Replies

AT = ["--dir", "{ward}", "--broker", "localhost:1"]
REHEARSAL = {"class": "emergency", "event": "lu-quet", "rehearsal": True}
PATIENCE_S = 30
# Only there so that a fault cannot hang the tests.


@pytest.fixture
def ward(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    place = tmp_path / "ward"
    assert main(["keys", "init", "--dir", str(place), "--realm", "demo", "--area", AREA]) == 0
    (tmp_path / "names.toml").write_text('[tram-02]\nc1 = "Cổng chợ"\n')
    (tmp_path / "upper.toml").write_text('[tram-01]\nC1 = "Cổng chợ"\n')
    capsys.readouterr()
    return place


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ([], 1, "no station is enrolled in the key's area"),
        (["--station", "tram-09"], 2, "--station: tram-09: chưa đăng ký"),
        (["--key", "welcome"], 1, "may sign no command"),
        (["--names", "{new}"], 2, "cannot be read"),
    ],
)
def test_without_a_station_there_is_nobody_to_ask(
    ward: Path, capsys: pytest.CaptureFixture[str], words: list[str], status: int, told: str
) -> None:
    assert main(["week", *filled(ward, *AT, *words)]) == status
    assert_one_line(capsys, told)


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["--first", "2026-01-01"], 2, "--first: từ "),
        (["--first", "9999-12-31"], 2, "what has sounded is in `report`"),
        (["--names", "{names}"], 2, 'tram-02: không có trường này, có phải là "tram-01" / unknown field'),
        (["--names", "{upper}"], 2, "tram-01.C1: 1 đến 64 ký tự không dấu a-z, 0-9, - / 1 to 64 of a-z, 0-9 and -"),
        (["--names", "{names}", "--html", "{names}"], 1, "--html"),
        ([], 1, "broker localhost:1"),
    ],
)
def test_a_failure_is_one_line_that_names_the_remedy(
    ward: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    status: int,
    told: str,
) -> None:
    Keyring(ward).enrol("tram-01", AREA)
    monkeypatch.setattr("edge_agent.headend.dispatch.PUBLISH_S", 0.1)
    assert main(["week", *filled(ward, *AT, *words)]) == status
    assert_one_line(capsys, told)


def test_where_all_have_refused_nobody_is_told_that_they_did_not_answer(
    ward: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the officer looks for a fault in the broker; why they refused stands above."""
    Keyring(ward).enrol("tram-01", AREA)

    def refuse(args: object, keyring: object, envelopes: object, replies: Replies) -> None:
        replies.refusals |= {(StationId("tram-01"), day): Reason.OVER_LIMIT for day in replies.asked.values()}

    monkeypatch.setattr("edge_agent.headend.cli.week._ask", refuse)
    assert main(["week", *filled(ward, *AT, "--days", "1", "--html", "{new}")]) == 1
    shown = capsys.readouterr()
    assert "trạm loa từ chối trả lời / refused to answer: tram-01: vượt thẩm quyền" in shown.out
    assert shown.err == "lỗi / error: trạm đã từ chối, lý do ở trên / refused, for the reasons above\n"
    assert not (ward.parent / "new.toml").exists()


def test_stations_that_people_call_by_one_name_are_told_apart(
    ward: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could tell which of the two has not answered, and must be visited."""
    for station, name in (("tram-01", "Chợ"), ("tram-02", "Chợ"), ("tram-03", "Đình")):
        Keyring(ward).enrol(station, AREA, name)
    monkeypatch.setattr("edge_agent.headend.cli.week._ask", lambda *_: None)
    assert main(["week", *filled(ward, *AT, "--days", "1")]) == 1
    assert "did not answer: Chợ (tram-01), Chợ (tram-02), Đình\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        *(["--days", "0"], ["--days", "8"], ["--days", "-1"], ["--days", "x"], ["--wait-s", "121"]),
        *(["--station", ","], ["--key", ""], ["--first", "mai"]),
    ],
)
def test_a_wrong_option_ends_with_2(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["week", "--dir", "x", "--broker", "localhost:1", *words])
    assert ended.value.code == 2
    assert f"argument {words[0]}: " in capsys.readouterr().err


def test_it_explains_itself_in_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["week", "--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert "lịch phát công khai những ngày tới / the public timetable of the next days" in shown
    assert '[dong-thanh-01]\n  c1 = "Nhà văn hóa tổ dân phố số 1"\n' in shown


def filled(ward: Path, *words: str) -> list[str]:
    files = {name: ward.parent / f"{name}.toml" for name in ("new", "names", "upper")}
    return [word.format(ward=ward, **files) for word in words]


def assert_one_line(capsys: pytest.CaptureFixture[str], told: str) -> None:
    shown = capsys.readouterr()
    assert shown.err.startswith("lỗi / error: ")
    assert told in shown.err
    assert (len(shown.err.splitlines()), shown.out) == (1, "")


@pytest.mark.host
def test_a_real_station_tells_residents_what_will_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And another one, that is switched off, has no silent days."""
    with Ward(tmp_path, fitting=Fitting(recorded=False)) as ward:
        Keyring(ward.keyring.directory).enrol("dong-thanh-02", AREA, "Trạm loa Đông Thành 02")
        ward.switch_on(device=False)
        assert ward.headend.wait_for(lambda: is_welcomed(ward), PATIENCE_S), ward.agent_log()
        zone = ZoneInfo(ward.timezone)
        tomorrow = datetime.now(zone).date() + timedelta(days=1)
        last = tomorrow + timedelta(days=1)
        drill = datetime.combine(last, time(10), zone)
        daily = {"timezone": zone.key, "first_day": tomorrow, "last_day": last, "times": ["09:30", "23:30"]}
        order(ward, "ward-routine", "Lịch <b>tiêm chủng</b>", **{"class": "normal"}, when=daily)
        about = {"not_before": drill - timedelta(minutes=5), "not_after": drill + timedelta(minutes=5)}
        order(ward, "ward-emergency", "Sơ tán", **REHEARSAL, **about, when={"at": drill})
        (tmp_path / "names.toml").write_text(f'[{STATION}]\nc1 = "Cổng chợ"\nc9 = "Bến đò"\n')
        page = tmp_path / "lich.html"
        where = ["--dir", str(ward.keyring.directory), "--broker", f"localhost:{ward.broker.port}"]
        asked = ["week", *where, "--timezone", ward.timezone, "--first", str(tomorrow), "--days", "3"]
        only = ["--station", STATION, "--names", str(tmp_path / "names.toml")]
        assert main([*asked, *only, "--html", str(page)]) == 0, ward.agent_log()
        (shown, told), written = capsys.readouterr(), page.read_text("utf-8")
        assert f"--names: {STATION}: c9 không có trong lịch" in told
        assert "c2 has no name" in told
        assert main([*asked, *only, "--html", str(tmp_path)]) == 1
        assert "cannot be written" in capsys.readouterr().err
        main([*asked, "--json", "--wait-s", "1"])  # a busy machine may need longer, but the other one never answers
        days = json.loads(capsys.readouterr().out)["days"]
        assert ["dong-thanh-02" in [one["id"] for one in day["unanswered"]] for day in days] == [True] * 3
        assert main([*asked, "--station", "dong-thanh-02", "--html", str(page)]) == 1
        assert "no station told its plan" in capsys.readouterr().err
        assert page.read_text("utf-8") == written, "the page of before is better than an empty one"
    # Its end is told once its words are spoken: sooner or later, as busy as the machine is.
    shown = shown.replace("09h30–09h31", "09h30")
    lines = [day.splitlines()[1:] for day in shown.split("\n\n")[1:]]
    morning = "  09h30  Lịch <b>tiêm chủng</b>; Trạm loa Đông Thành 01: Cổng chợ, cụm c2"
    rehearsal = "  10h00–10h01  DIỄN TẬP / rehearsal: Sơ tán; Trạm loa Đông Thành 01: Cổng chợ, cụm c2"
    assert lines == [[morning], [morning, rehearsal], ["  không có chương trình nào / nothing is planned"]]
    assert written.count("Lịch &lt;b&gt;tiêm chủng&lt;/b&gt;") == 2
    assert page.stat().st_mode & 0o777 == 0o644


def is_welcomed(ward: Ward) -> bool:
    state = ward.headend.states.get(StationId(STATION))
    return state is not None and state.welcomed


def order(ward: Ward, key: str, title: str, **draft: object) -> None:
    """A broadcast that the station has accepted."""
    items = [{"title": title, "text": "Xin chào.", "approver": "ng-01"}]
    order_id = ward.headend.publish_order({"areas": [AREA], "volume": 60, "items": items, **draft}, [key])
    assert ward.headend.wait_for(lambda: bool(ward.headend.answers(order_id)), PATIENCE_S), ward.agent_log()
    answers = [answer for _, answer in ward.headend.answers(order_id)]
    assert [answer.verdict for answer in answers] == [Verdict.ACCEPTED], answers
