"""``edge-agent-headend say`` as an officer uses it, and ``sign``, which refuses what cannot be read."""

from __future__ import annotations

import os
import subprocess
import sys
import wave
from collections.abc import Mapping
from pathlib import Path

import pytest

from edge_agent.core.job import Job, TextItem
from edge_agent.core.order import Timetable
from edge_agent.headend.cli import main
from edge_agent.headend.signing import read_order
from tests.audio.making import heard_hz, needs_decoder, needs_voice, sine
from tests.host.parts import needs
from tests.host.pulse import SYSTEM_ALSA_CONFIG, private_pulse
from tests.host.recording import Recorder

AREA = "vn/ha-noi/dong-thanh"
OWN = '[abbreviations]\n"NTL" = "Nam Từ Liêm"\n'
NOTICE = "UBND phường họp lúc 7h30, phòng 101."
NOTICE_WORDS = "Ủy ban nhân dân phường họp lúc bảy giờ ba mươi, phòng một trăm linh một."


def own_in(folder: Path, text: str = OWN) -> str:
    (folder / "tinh.toml").write_text(text)
    return str(folder / "tinh.toml")


def test_a_text_is_shown_in_the_words_that_are_spoken(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["say", NOTICE]) == 0
    assert capsys.readouterr() == (f"{NOTICE_WORDS}\n", "")


def test_a_file_is_read_with_the_provinces_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tin.txt").write_text("Quận NTL\nTDP số 1\n")
    assert main(["say", "--file", str(tmp_path / "tin.txt"), "--abbreviations", own_in(tmp_path)]) == 0
    assert capsys.readouterr().out == "Quận Nam Từ Liêm\ntổ dân phố số một\n"


def test_what_cannot_be_read_is_named_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["say", "Mời XYZ họp 5/7", "--out", str(tmp_path / "a.wav"), "--play"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert first.startswith("không đọc được / cannot be read: “XYZ” (dòng 1, ký tự 5 / line 1, character 5)")
    assert second.startswith("không đọc được / cannot be read: “5/7” (dòng 1, ký tự 13")
    assert not (tmp_path / "a.wav").exists()


def test_sound_is_never_written_over_the_text_that_it_is_made_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "tin.txt"
    text.write_text("Quận NTL\n")
    assert main(["say", "--file", str(text), "--abbreviations", own_in(tmp_path), "--out", str(text)]) == 1
    assert "name another file" in capsys.readouterr().err
    assert text.read_text() == "Quận NTL\n"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[abbreviation]\n"A" = "b"', "[abbreviation]: mục lạ, viết [abbreviations] hoặc [words] / unknown; write"),
        (
            '[abbreviations]\n"A" = 1',
            '[abbreviations] "A": viết thành lời trong ngoặc kép, 1 đến 200 ký tự / write "A" =',
        ),
    ],
)
def test_a_wrong_table_is_told_with_field_and_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], table: str, said: str
) -> None:
    assert main(["say", "Tin", "--abbreviations", own_in(tmp_path, table)]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\xff\xfe", "not UTF-8"), (b"a " * 1_001, "at most 2000"), (None, "cannot be read")],
)
def test_a_wrong_file_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "tin.txt").write_bytes(content)
    assert main(["say", "--file", str(tmp_path / "tin.txt")]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("words", [["say"], ["say", "a", "--file", "b"]])
def test_one_text_is_needed(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2


def test_it_explains_itself_in_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["say", "--help"])
    shown = capsys.readouterr().out
    assert all(words in shown for words in ("trước khi ký /", "lời bản tin / the text", "[abbreviations]"))


@pytest.mark.host
@needs_voice
def test_its_sound_is_written_by_the_stations_voice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["say", NOTICE, "--out", str(tmp_path / "a.wav")]) == 0
    assert capsys.readouterr().out == f"{NOTICE_WORDS}\nđã ghi / written: {tmp_path}/a.wav\n"
    with wave.open(str(tmp_path / "a.wav")) as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (1, 2, 22_050)
        assert 3 < wav.getnframes() / 22_050 < 15


def stems_in(folder: Path) -> str:
    """What an announcer has recorded for the ward; one file is no sound, one is lost."""
    where = folder / "cau-thu-san"
    where.mkdir()
    (where / "stems.toml").write_text(
        '[vi]\n"chao.wav" = "Kính thưa bà con!"\n"het.wav" = "Xin hết."\n'
        '"mat.wav" = "Xin nhắc lại."\n"x.wav" = "Họp 5/7."\n'
    )
    sine(where / "chao.wav", 2)
    (where / "het.wav").write_text("no sound")
    return str(where)


@pytest.mark.host
@needs_decoder
@needs_voice
def test_what_is_heard_from_a_recording_and_what_from_the_voice_is_shown_and_sounds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"Kính thưa bà con! {NOTICE} Xin nhắc lại. Xin hết."
    stems, out = stems_in(tmp_path), tmp_path / "a.wav"
    assert main(["say", text, "--stems", stems, "--out", str(out)]) == 0
    shown, complaints = capsys.readouterr()
    assert shown.splitlines() == [
        "câu thu sẵn / recorded [chao.wav]: Kính thưa bà con!",
        f"máy đọc / the voice: {NOTICE_WORDS} Xin nhắc lại. Xin hết.",
        f"đã ghi / written: {out}",
    ]
    told = [line for line in complaints.splitlines() if line.startswith("--stems: ")]
    assert [line.split(":")[1] for line in told] == [" x.wav", " het.wav", " mat.wav"]
    assert told[-1].endswith("không dùng được, máy đọc thay / not usable, the voice says it")
    with wave.open(str(out)) as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (1, 2, 48_000)
        pcm = wav.readframes(wav.getnframes())
    assert heard_hz(pcm[9_600:180_000], 48_000) == pytest.approx(440, abs=2)
    assert 6 < len(pcm) / 2 / 48_000 < 20


@pytest.mark.parametrize("command", [["say", NOTICE], ["preview", "--draft", "tin.toml", "--out", "a.wav"]])
def test_a_folder_that_holds_no_listing_of_stems_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tin.toml").write_text(f"{HEAD}{item(NOTICE)}")
    assert main([*command, "--stems", str(tmp_path)]) == 1
    assert f"--stems {tmp_path}: không có / there is no stems.toml" in capsys.readouterr().err


def said_by(env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """``say --play`` on a computer with such sound."""
    command = [sys.executable, "-c", "from edge_agent.headend.cli import main; raise SystemExit(main())"]
    return subprocess.run(
        [*command, "say", "Xin chào bà con.", "--play"], env=dict(env), capture_output=True, text=True
    )


@pytest.mark.host
@pytest.mark.live
@needs("pulseaudio", "parec", "aplay")
@needs_voice
def test_it_is_heard_on_this_computer(tmp_path: Path) -> None:
    with private_pulse(tmp_path / "pulse") as pulse:
        with (pulse.folder / "asound.conf").open("a") as config:
            config.write("pcm.!default { type pulse }\n")
        with Recorder(pulse) as recorder:
            done = said_by(pulse.child_env())
            heard = recorder.stop()
    assert (done.returncode, done.stderr) == (0, "")
    first, last = heard.onset(0, above=500), heard.last(0, above=500)
    assert first is not None
    assert last is not None
    assert 1 < (last - first) / heard.rate < 5


@pytest.mark.host
@needs("aplay")
@needs_voice
def test_on_a_computer_without_sound_the_remedy_is_told(tmp_path: Path) -> None:
    (tmp_path / "asound.conf").write_text("pcm.!default { type hw card 31 }\n")
    done = said_by({**os.environ, "ALSA_CONFIG_PATH": f"{SYSTEM_ALSA_CONFIG}:{tmp_path / 'asound.conf'}"})
    assert done.returncode == 1
    assert "--play: " in done.stderr
    assert "--out FILE.wav" in done.stderr


HEAD = f'areas = ["{AREA}"]\nclass = "normal"\nvolume = 70\n'


def item(text: str, more: str = "") -> str:
    return f'[[items]]\ntitle = "Tin"\ntext = "{text}"\n{more}'


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    assert main(["keys", "init", "--dir", str(tmp_path / "ward"), "--realm", "demo", "--area", AREA]) == 0
    return tmp_path / "ward"


def sign(ward: Path, draft: str, *more: str) -> int:
    (ward.parent / "tin.toml").write_text(draft)
    files = ["--draft", str(ward.parent / "tin.toml"), "--out", str(ward.parent / "lenh.json")]
    return main(["sign", "--dir", str(ward), *files, "--key", "ward-routine", *more])


def signed(ward: Path) -> list[str]:
    order = read_order((ward.parent / "lenh.json").read_bytes())
    assert isinstance(order, Job | Timetable)
    jobs = order.jobs if isinstance(order, Timetable) else (order,)
    return [one.text for job in jobs for one in job.items if isinstance(one, TextItem)]


def test_an_officer_sees_the_words_when_he_signs_and_signs_what_he_wrote(
    ward: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sign(ward, HEAD + item(NOTICE)) == 0
    assert signed(ward) == [NOTICE]
    assert f"  bản tin 1 đọc là / is spoken: “{NOTICE_WORDS}”" in capsys.readouterr().out


def test_a_text_that_cannot_be_read_is_not_signed(ward: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sign(ward, HEAD + item("Tin.") + item("Mời XYZ họp 5/7.")) == 2
    said = capsys.readouterr().err
    assert "items[1].text: không đọc thành lời được / cannot be read aloud: “XYZ” (dòng 1, ký tự 5" in said
    assert "“5/7”" in said
    assert "--as-written" in said
    assert not (ward.parent / "lenh.json").exists()


@pytest.mark.parametrize("text", [" ", "…", "(?)", "\\u200b"])
def test_a_text_that_says_nothing_is_not_signed(ward: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A station would have no sound of it, and its ward no warning."""
    assert sign(ward, HEAD + item(text)) == 2
    assert "items[0].text: không có lời nào để đọc / no words to be spoken" in capsys.readouterr().err
    assert not (ward.parent / "lenh.json").exists()


def test_an_officer_may_leave_it_to_the_voice_as_it_is_written(ward: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sign(ward, HEAD + item("Mời XYZ họp 7h30."), "--as-written") == 0
    assert signed(ward) == ["Mời XYZ họp 7h30."]
    assert "“Mời XYZ họp bảy giờ ba mươi.”" in capsys.readouterr().out


def test_what_only_the_province_knows_is_written_out_before_it_is_signed(ward: Path) -> None:
    assert sign(ward, HEAD + item("UBND quận NTL"), "--abbreviations", own_in(ward.parent)) == 0
    assert signed(ward) == ["UBND quận Nam Từ Liêm"]


def test_a_text_in_another_language_is_not_touched(ward: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sign(ward, HEAD + item("XYZ at 5/7", 'language = "en"\n')) == 0
    assert signed(ward) == ["XYZ at 5/7"]
    assert "đọc là" not in capsys.readouterr().out


def test_an_officer_is_told_of_a_language_that_no_voice_speaks(ward: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """ "vn" is a country: without stems every station would be silent. Another language may be meant, with them."""
    assert sign(ward, HEAD + item("Lũ về.", 'language = "vi-VN"\n') + item("Flood.", 'language = "en"\n')) == 0
    assert "no voice" not in capsys.readouterr().out
    (ward.parent / "lenh.json").unlink()
    assert sign(ward, HEAD + item("Lũ về.", 'language = "vn"\n')) == 0
    shown = capsys.readouterr().out
    assert "bản tin 1: không có giọng đọc tiếng “vn”, chỉ trạm có thu sẵn mọi câu mới phát được / no voice" in shown


def test_every_entry_of_a_timetable_is_read(ward: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = (
        '[[entries]]\nclass = "normal"\nvolume = 70\n'
        'when = {{ first_day = 2099-11-01, last_day = 2099-11-30, times = ["05:30"] }}\n'
        '[[entries.items]]\ntitle = "Tin"\ntext = "{}"\n'
    )
    head = f'type = "timetable"\nareas = ["{AREA}"]\n'
    assert sign(ward, head + entry.format("UBND họp.") + entry.format("XYZ họp.")) == 2
    assert "entries[1].items[0].text: " in capsys.readouterr().err
    assert sign(ward, head + entry.format("UBND họp.") + entry.format("TDP 2 họp.")) == 0
    shown = capsys.readouterr().out
    assert "  mục 1, bản tin 1 đọc là / is spoken: “Ủy ban nhân dân họp.”" in shown
    assert "  mục 2, bản tin 1 đọc là / is spoken: “tổ dân phố hai họp.”" in shown


@pytest.mark.parametrize("option", [["--as-written"], ["--abbreviations", "x.toml"]])
def test_the_second_officer_changes_no_word(ward: Path, capsys: pytest.CaptureFixture[str], option: list[str]) -> None:
    assert sign(ward, HEAD + item("Tin.")) == 0
    order = str(ward.parent / "lenh.json")
    again = ["sign", "--dir", str(ward), "--add", order, "--out", order, "--key", "ward-routine", *option]
    assert main(again) == 2
    assert f"{option[0]}: chỉ đi với --draft" in capsys.readouterr().err
