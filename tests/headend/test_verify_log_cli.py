"""``verify-log`` as an auditor uses it: what it needs, what it says of each finding, what it answers to a wrong use."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.core.units import StationId, UtcMs
from edge_agent.headend.cli import main
from edge_agent.headend.enrolment import write_stations
from edge_agent.trust.keys import Ed25519Signer, new_signer
from tests.headend.fake_station import FakeStation
from tests.headend.kept_logs import SMALL, Files, Ward, forged
from tests.trust.makers import P256Signer


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
    assert len(told) == 6


def test_what_a_server_says_it_never_had_is_told_though_the_rest_is_whole(
    ward: Ward, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever holds the server can sign that a log begins behind the night that shall vanish."""
    ward.station.play(*[SMALL] * 5)
    ward.take(ward.station.log(4, 5))
    box = ward.station
    box.epoch = "epoch-2"  # a card that was put back to its third record, and goes on behind it
    box.records = [*box.records[:4], replace(box.records[4], epoch="epoch-2")]
    ward.take(box.log(5))
    assert run(ward, "--station", "tram-01") == 0
    told = capsys.readouterr().out
    assert told.startswith(
        "tram-01: PHẦN NHẬT KÝ CÓ Ở ĐÂY NGUYÊN VẸN, CÓ PHẦN KHÔNG CÓ / whole, but for what is not here"
    )
    assert "    không có bản ghi 1–3, máy chủ nói nhật ký bắt đầu sau đó" in told
    assert "/ without 1–3: by the server's word it begins behind them" in told
    assert told.count("/ without ") == 1, "what the chain before it holds is here"
    ward.play(1, "tram-02")
    run(ward, "--station", "tram-02")
    assert "/ without " not in capsys.readouterr().out


@pytest.mark.parametrize("ended", [2**53 - 1, -1])
def test_an_end_beyond_all_calendars_hides_no_other_log(
    ward: Ward, capsys: pytest.CaptureFixture[str], ended: int
) -> None:
    """Who has stolen one station's key may write it, and have the headend keep it."""
    ward.station.play(replace(SMALL, ended=UtcMs(ended)))
    ward.take(ward.station.log())
    ward.play(2, "tram-02")
    assert run(ward) == 0
    told = capsys.readouterr().out
    assert "records 1–1 (1); trạm đã ký đến số / signed to 1;" in told
    assert "tram-02: NHẬT KÝ PHÁT NGUYÊN VẸN" in told


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
    assert "tram-02: không có bản ghi nào, chưa chứng minh được gì / no records, nothing is proven [empty]" in told


@pytest.mark.parametrize("gone", ["emptied", "deleted"])
def test_a_log_that_is_gone_as_a_whole_is_not_called_well(
    ward: Ward, capsys: pytest.CaptureFixture[str], gone: str
) -> None:
    ward.play(2)
    ward.play(2, "tram-02")
    assert run(ward) == 0
    for ending in ("jsonl", "proof"):
        path = ward.path(ending, "tram-02")
        path.write_bytes(b"") if gone == "emptied" else path.unlink()
    capsys.readouterr()
    assert run(ward, "--json") == 3
    told = {one["station"]: one["well"] for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert told == {"tram-01": True, "tram-02": None}
    assert run(ward) == 3
    assert "else the whole log is gone: take it from a backup" in capsys.readouterr().out
    ward.path("jsonl", "tram-01").write_bytes(b"{}\n")
    assert run(ward) == 1, "what is not whole weighs more"


def test_a_station_that_was_taken_out_of_the_list_with_its_files_is_missed_by_whoever_counts(
    ward: Ward, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is left that knows of it: all the rest is whole, and the exit status 0."""
    ward.play(2)
    stations = {one: ward.keyring.stations[one] for one in ward.keyring.stations if one != "tram-02"}
    write_stations(ward.directory / "stations.json", "demo", stations)
    assert run(ward) == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert last.startswith("1 trạm có trong stations.json: ĐẾM LẠI theo biên bản nghiệm thu")
    assert run(ward, "--json") == 0
    assert [json.loads(line)["station"] for line in capsys.readouterr().out.splitlines()] == ["tram-01"]


def test_looking_at_nothing_proves_nothing(ward: Ward, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ward.play()
    assert run(ward, "--records", str(tmp_path / "recrods")) == 1
    assert "there is no such folder" in capsys.readouterr().err
    (ward.directory / "stations.json").unlink()
    (tmp_path / "empty").mkdir()
    assert run(ward, "--records", str(tmp_path / "empty")) == 1
    assert "there is no station: nothing is proven" in capsys.readouterr().err


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


def test_what_no_file_proves_of_itself_is_said_beside_the_word_whole(
    ward: Ward, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An old backup of both files proves itself: `whole` alone would be read as `and nothing came behind it`."""
    ward.play(2)
    head = tmp_path / "head"
    head.write_bytes(ward.play())
    ward.play()
    run(ward, "--station", "tram-01")
    *_, last = capsys.readouterr().out.splitlines()
    assert last.startswith("  CHƯA CHỨNG MINH ĐƯỢC là không còn bản ghi nào sau đó")
    assert last.endswith(
        "NOT PROVEN that nothing came behind these: both files, put back to an earlier state, look the "
        "same; that takes a head which was kept elsewhere (--head)"
    )
    run(ward, "--station", "tram-01", "--head", str(head))
    _, chain, *_, last = capsys.readouterr().out.splitlines()
    assert chain.endswith("/ confirmed to 4; đã đối chiếu bản giữ nơi khác đến số / compared to 3")
    assert last.endswith("; it is only up to what was compared with a head kept elsewhere")
    run(ward, "--station", "tram-01", "--head", str(head), "--json")
    assert json.loads(capsys.readouterr().out)["chains"][0]["kept"] == 3
    run(ward, "--station", "tram-02")
    assert "NOT PROVEN" not in capsys.readouterr().out, "of nothing nothing was said to be whole"


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
        (["--station", "tram-01", "--head", "/dev/null"], "nothing is in it; it proves nothing of tram-01"),
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


def test_what_a_file_is_called_moves_no_cursor_of_an_auditors(ward: Ward, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever holds the server names files there, and would have a log look whole that is not."""
    ward.play()
    ward.path("jsonl", "tram-03\x1b[2J\x1b[Htram-01").write_bytes(b"{}\n")
    assert run(ward) == 1
    told = capsys.readouterr()
    assert "tram-03?[2J?[Htram-01 is not in stations.json" in told.err
    assert main(["report", "--records", str(ward.directory / "records")]) == 1
    told_by_report = capsys.readouterr().err
    assert "tram-03?[2J?[Htram-01.jsonl" in told_by_report
    assert "\x1b" not in told.out + told.err + told_by_report


def test_a_station_that_was_taken_out_of_the_list_keeps_no_other_one_from_being_proven(
    ward: Ward, capsys: pytest.CaptureFixture[str]
) -> None:
    """It moved to another ward; the list of that time knows nothing of those that came since."""
    ward.play()
    ward.play(station="tram-02")
    ward.keyring.refresh()
    left = {StationId("tram-01"): ward.keyring.stations[StationId("tram-01")]}
    write_stations(ward.directory / "stations.json", "demo", left)
    assert run(ward) == 1
    told = capsys.readouterr()
    assert told.out.startswith("tram-01: ")
    assert "the log is whole" in told.out.splitlines()[0]
    assert "tram-02 is not in stations.json" in told.err
    assert run(ward, "--station", "tram-02") == 1
    assert "tram-02 is not in stations.json" in capsys.readouterr().err


def test_a_key_on_paper_that_is_another_one_is_believed_rather_than_the_list(
    ward: Ward, capsys: pytest.CaptureFixture[str]
) -> None:
    ward.play()
    other: Ed25519Signer = ward.keyring.signer("province")
    assert run(ward, "--station", "tram-01", "--key", other.public.raw.hex()) == 1
    assert "not signed by the key" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        run(ward, "--station", "tram-01", "--key", "12")


def test_a_key_on_paper_may_be_one_that_lies_in_a_secure_element(
    ward: Ward, capsys: pytest.CaptureFixture[str]
) -> None:
    box = ward.stations["tram-01"] = FakeStation(P256Signer("element"), "tram-01")
    ward.keyring.admit(replace(ward.keyring.stations[StationId("tram-01")], key=box.key.public))
    ward.restart()
    assert ward.play(2)
    assert run(ward, "--station", "tram-01", "--key", box.key.public.raw.hex()) == 0
    assert run(ward, "--station", "tram-01", "--key", P256Signer("another").public.raw.hex()) == 1
    assert "not signed by the key" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        run(ward, "--station", "tram-01", "--key", box.key.public.raw.hex()[:-2])
    assert "64 hex digits, or 130 of a key in a secure element" in capsys.readouterr().err


def test_the_log_of_a_place_in_which_two_boxes_stood_is_proven_by_the_keys_of_both(
    ward: Ward, capsys: pytest.CaptureFixture[str]
) -> None:
    first = ward.station
    ward.play(2)
    box = ward.stations["tram-01"] = FakeStation(new_signer(), "tram-01", "boot-9")
    box.new_chain("epoch-9")
    ward.keyring.admit(replace(ward.keyring.stations[StationId("tram-01")], key=box.key.public))
    ward.restart()
    assert ward.play(2)
    assert run(ward, "--station", "tram-01") == 0
    told = capsys.readouterr().out
    assert f"key of a box before it: {first.key.public.raw.hex()}\n" in told
    on_paper = [word for key in (box.key, first.key) for word in ("--key", key.public.raw.hex())]
    assert run(ward, "--station", "tram-01", *on_paper) == 0
    assert run(ward, "--station", "tram-01", *on_paper[:2]) == 1
    assert "not signed by the key" in capsys.readouterr().out
    files = ward.files()
    ward.put(replace(files, records=files.records.replace(b'"job_id":"job-1"', b'"job_id":"job-7"', 1)))
    assert run(ward, "--station", "tram-01") == 1


def test_a_box_by_whose_key_nothing_is_signed_is_told_though_the_rest_is_whole(
    ward: Ward, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever holds the server can take away all that the box before has sent, and sign for what is left."""
    first = ward.station
    box = ward.stations["tram-01"] = FakeStation(new_signer(), "tram-01", "boot-9")
    box.new_chain("epoch-9")
    ward.keyring.admit(replace(ward.keyring.stations[StationId("tram-01")], key=box.key.public))
    ward.restart()
    assert ward.play(2)
    on_paper = [word for key in (box.key, first.key) for word in ("--key", key.public.raw.hex())]
    for words in ((), on_paper):
        assert run(ward, "--station", "tram-01", *words) == 0
        lines = capsys.readouterr().out.splitlines()
        (earlier,) = [line for line in lines if first.key.public.raw.hex() in line]
        assert earlier.endswith("; ở đây không có gì ký bằng khóa này / nothing here is signed by it")
        (present,) = [line for line in lines if box.key.public.raw.hex() in line]
        assert present.endswith(box.key.public.raw.hex())
