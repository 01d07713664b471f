"""``edge-agent-headend preview`` as an officer uses it: a file to listen to, a table, and nothing anywhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.headend.cli import main
from tests.audio.making import needs_decoder, needs_voice, sine
from tests.headend.fake_station import AREA
from tests.headend.preview_rig import EMERGENCY, HEAD, RATE, heard, items, loudest_hz

WATCHED = """
import os, sys
from edge_agent.headend.cli import main

def refuse(event, arguments):
    name = os.fspath(arguments[0]) if event == "open" and not isinstance(arguments[0], int) else ""
    if event.startswith("socket.") or str(name).startswith(("/dev/gpio", "/dev/snd", "/sys/class/gpio", "/run/edge")):
        raise SystemExit(f"reached for {event} {arguments}")

sys.addaudithook(refuse)
sys.exit(main(sys.argv[1:]))
"""


def draft_in(folder: Path, text: str, name: str = "ban-tin.toml") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def preview(folder: Path, *more: str) -> int:
    return main(["preview", "--out", str(folder / "nghe-thu.wav"), *more])


@pytest.mark.host
@needs_decoder
@needs_voice
def test_an_officer_hears_a_draft_and_reads_what_it_is_made_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sine(tmp_path / "a.wav", 2, "-ar", "48000", hz=1_000)
    draft = draft_in(tmp_path, HEAD + items('file = "a.wav"', 'text = "Xin chào."'))
    assert preview(tmp_path, "--draft", draft) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[2:4] == [" 00:00,000  00:02,000   0", " 00:02,000  00:00,300   khoảng nghỉ / pause"]
    assert shown[4].endswith("1 (máy đọc / spoken)")
    assert shown[-1] == f"đã ghi / written: {tmp_path / 'nghe-thu.wav'}"
    assert loudest_hz(heard(tmp_path / "nghe-thu.wav")[: 2 * RATE]) == pytest.approx(1_000, abs=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "ban-tin.toml", "nghe-thu.wav"]


@pytest.mark.host
@needs_decoder
def test_a_text_sounds_from_the_recorded_stems_of_the_stations(tmp_path: Path) -> None:
    stems = tmp_path / "cau-thu-san"
    stems.mkdir()
    sine(stems / "chao.wav", 2, "-ar", "48000", hz=1_000)
    (stems / "stems.toml").write_text('[vi]\n"chao.wav" = "Kính thưa bà con!"\n')
    draft = draft_in(tmp_path, HEAD + items('text = "Kính thưa bà con."'))
    assert preview(tmp_path, "--draft", draft, "--stems", str(stems)) == 0
    sound = heard(tmp_path / "nghe-thu.wav")
    assert len(sound) == pytest.approx(2 * RATE, abs=RATE // 100)
    assert loudest_hz(sound) == pytest.approx(1_000, abs=1)


@pytest.mark.host
@needs_decoder
@needs_voice
def test_it_opens_no_connection_and_no_device(tmp_path: Path) -> None:
    draft = draft_in(tmp_path, EMERGENCY + items('text = "Lũ!"'))
    words = ["preview", "--draft", draft, "--out", str(tmp_path / "nghe-thu.wav")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *words], capture_output=True, text=True, env=environment, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(heard(tmp_path / "nghe-thu.wav")) > 6 * RATE
    reaching = WATCHED.replace(
        "sys.exit(main", "import socket\nsocket.create_connection(('localhost', 1))\nsys.exit(main"
    )
    caught = subprocess.run(
        [sys.executable, "-c", reaching, *words], capture_output=True, text=True, env=environment, check=False
    )
    assert "reached for socket." in caught.stderr


@pytest.mark.host
@needs_decoder
def test_a_signed_order_sounds_as_its_draft_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sine(tmp_path / "a.mp3", 2)
    ward, order = tmp_path / "ward", tmp_path / "lenh.json"
    draft = draft_in(tmp_path, HEAD + items('file = "a.mp3"'))
    assert preview(tmp_path, "--draft", draft) == 0
    before = (tmp_path / "nghe-thu.wav").read_bytes()
    assert main(["keys", "init", "--dir", str(ward), "--realm", "demo", "--area", AREA]) == 0
    signing = ["--draft", draft, "--key", "ward-routine", "--out", str(order), "--content-url", "https://localhost:1"]
    assert main(["sign", "--dir", str(ward), *signing]) == 0
    assert preview(tmp_path, "--envelope", str(order), "--content-dir", str(ward / "content")) == 0
    assert (tmp_path / "nghe-thu.wav").read_bytes() == before
    capsys.readouterr()
    assert preview(tmp_path, "--envelope", str(order)) == 1
    assert "--content-dir" in capsys.readouterr().err


@pytest.mark.host
@needs_decoder
@pytest.mark.parametrize("name", ["a.mp3", "ban-tin.toml"])
def test_what_the_preview_is_made_from_is_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    sine(tmp_path / "a.mp3", 1)
    draft = draft_in(tmp_path, HEAD + items('file = "a.mp3"'))
    before = (tmp_path / name).read_bytes()
    assert main(["preview", "--draft", draft, "--out", str(tmp_path / name)]) == 1
    assert "is what this is made from; name another file" in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == before


@pytest.mark.host
@needs_decoder
@pytest.mark.parametrize(
    ("out", "told"),
    [
        ("no/o.wav", "o.wav: không ghi được / cannot be written (No such file or directory)"),
        (".", "cannot be written (Is a directory)"),
    ],
)
def test_a_place_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, out: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    sine(tmp_path / "a.mp3", 1)
    draft = draft_in(tmp_path, HEAD + items('file = "a.mp3"'))
    assert main(["preview", "--draft", draft, "--out", out]) == 1
    assert told in capsys.readouterr().err


@pytest.mark.host
@needs_decoder
def test_a_broken_file_is_named_as_a_station_would(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.mp3").write_bytes(b"#EXTM3U\nhttps://evil.example/a.mp3\n")
    draft = draft_in(tmp_path, HEAD + items('file = "a.mp3"'))
    assert preview(tmp_path, "--draft", draft) == 2
    assert "items[0].file: tệp âm thanh không đọc được / the audio could not be read or decoded [audio_unreadable]" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "nghe-thu.wav").exists()


@pytest.mark.parametrize(
    ("draft", "more", "status", "told"),
    [
        ('type = "command"\ndo = "stop"\nareas = ["vn"]\n', [], 2, 'type: "command" không phát ra tiếng'),
        (HEAD + items('file = "gone.mp3"'), [], 2, "items[0].file: "),
        (HEAD + items('text = "x"'), ["--entry", "1"], 2, "--entry: chỉ dùng với lịch phát"),
        ("class =", [], 2, "ban-tin.toml: không đọc được nội dung"),
    ],
)
def test_a_slip_is_one_line_on_stderr_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], draft: str, more: list[str], status: int, told: str
) -> None:
    assert preview(tmp_path, "--draft", draft_in(tmp_path, draft), *more) == status
    shown = capsys.readouterr()
    assert shown.err.startswith("lỗi / error: ")
    assert told in shown.err
    assert len(shown.err.splitlines()) == 1
    assert shown.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["ban-tin.toml"]


def test_an_envelope_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert preview(tmp_path, "--envelope", str(tmp_path / "lenh.json")) == 1
    assert "--envelope" in capsys.readouterr().err


def test_it_asks_for_no_key_and_explains_itself_in_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["preview", "--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert "nghe thử trước khi ký" in shown
    assert "The WAV is at volume 100" in shown
    assert "--key" not in shown
    assert "--dir " not in shown
