"""What officers, key holders and technicians are refused: Vietnamese first, then English, in one line."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from edge_agent.core.units import HOUR_MS, UtcMs
from edge_agent.headend.cli import main
from edge_agent.headend.headend import utc_now
from edge_agent.headend.passphrases import FILE_VARIABLE, NEW_FILE_VARIABLE
from edge_agent.spoken.table import TABLE_CHARS_MAX
from tests.headend.ward_by_commands import DRAFT, make_ward

VIETNAMESE = re.compile(r"[ăâđêôơưàáảãạằắẳẵặầấẩẫậèéẻẽẹềếểễệìíỉĩịòóỏõọồốổỗộờớởỡợùúủũụừứửữựỳýỷỹỵ]", re.IGNORECASE)
SHOWN_FIRST = re.compile(r"^(lỗi / error|edge-agent-headend .*: error): ")
"""What stands before every refusal is no part of it."""
ASK = ("week", "--dir", "{ward}", "--broker", "localhost:1")
INIT = ("keys", "init", "--dir", "{new}", "--area", "vn/ha-noi/dong-thanh", "--realm")
NEW_KEY = ("keys", "new", "--dir", "{new}", "--key")
STATION = ("keys", "station", "--dir", "{ward}", "--area", "vn/ha-noi/dong-thanh", "--id")
TRUST = ("--dir", "{ward}", "--out", "{new}")
REPLACE = ("trust", "replace", "--dir", "{ward}", "--key")
SIGN = ("sign", "--dir", "{ward}", "--out", "{new}", "--key", "ward-routine")
PROVE = ("verify-log", "--dir", "{ward}")
PASSPHRASE = "bon chu cai ngan"
CLIP = f"""
class = "normal"
areas = ["vn/ha-noi/dong-thanh"]
volume = 70
items = [{{ title = "Tin", digest = "{"0" * 64}", length = 1, duration_s = 1, urls = ["https://x/clip"] }}]
"""
FILES = {
    "draft.toml": DRAFT,
    "clip.toml": CLIP,
    "window.toml": 'type = "window"',
    "other.toml": 'type = "song"',
    "broken.toml": "class =",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_ward(tmp_path_factory.mktemp("made"))


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """Where the ward lies, which a test may spoil, and some drafts beside it."""
    shutil.copytree(made, tmp_path / "ward")
    (tmp_path / "ward" / "records").mkdir()
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    return tmp_path


def refusal(place: Path, capsys: pytest.CaptureFixture[str], words: Sequence[str]) -> str:
    """The line that is shown, without what stands before every one."""
    capsys.readouterr()
    try:
        status = main([word.format(ward=place / "ward", new=place / "new", beside=place) for word in words])
    except SystemExit as stopped:  # argparse, which shows the usage before it
        status = 2 if stopped.code == 2 else 0
    assert status in (1, 2)
    last = capsys.readouterr().err.splitlines()[-1]
    assert SHOWN_FIRST.match(last), last
    return SHOWN_FIRST.sub("", last)


@pytest.mark.parametrize(
    ("words", "english"),
    [
        (("week", "--dir", "{ward}", "--broker", "localhost"), "write HOST:PORT"),
        ((*ASK, "--station", ","), "write names"),
        ((*ASK, "--wait-s", "x"), "a whole number from"),
        ((*ASK, "--first", "mai"), "write a day as"),
        ((*ASK, "--timezone", "Hanoi"), "write a time zone as"),
        ((*ASK, "--station", "tram-09"), "not enrolled"),
        ((*ASK, "--first", "2020-01-01"), "what has sounded is in"),
        ((*ASK, "--key", "welcome"), "may sign no command"),
        ((*ASK, "--key", "nobody"), "there are "),
        ((*INIT, "LOA"), "will not do, use 1 to 64"),
        ((*INIT, "loa", "--apart", "--encrypt"), "no officer's key is made here"),
        ((*INIT, "loa", "--token", "/t.so"), "each needs the other"),
        ((*INIT, "loa", "--token", "/t.so", "--token-label", "root="), "one without a label"),
        ((*INIT, "loa", "--token", "/t.so", "--token-label", "rooot=A"), "no such key"),
        ((*NEW_KEY, "root", "--plain"), "write ROLE-NUMBER"),
        ((*STATION, "headend"), "is a session of the headend's own"),
        ((*STATION, "tram-01"), "is enrolled already"),
        ((*STATION, "tram-02", "--name", "x" * 81), "0 to 80 characters"),
        ((*REPLACE, "ward-emergency"), "which one?"),
        ((*REPLACE, "welcome-1", "--encrypt"), "serves a server"),
        (("trust", "draft", *TRUST, "--area", "vn/hue"), "this network has no document of it"),
        (("trust", "draft", *TRUST, "--area", "root", "--threshold", "root=0"), "a number from 1 to"),
        (("trust", "draft", *TRUST, "--area", "root", "--add", "root"), "write it as NAME="),
        ((*SIGN, "--draft", "{beside}/none.toml"), "cannot be read"),
        ((*SIGN, "--draft", "{beside}/broken.toml"), "not readable"),
        ((*SIGN, "--draft", "{beside}/other.toml"), "one of job"),
        ((*SIGN, "--add", "{beside}/none.json", "--content-url", "https://x"), "only with --draft"),
        ((*SIGN, "--draft", "{beside}/draft.toml", "--content-url", "https://x:84433"), "as https://mqtt"),
        ((*SIGN, "--draft", "{beside}/draft.toml", "--content-url", "x:8443"), "as https://mqtt"),
        (("preview", "--draft", "{beside}/window.toml", "--out", "{new}"), "makes no sound"),
        (("preview", "--draft", "{beside}/draft.toml", "--out", "{new}", "--entry", "1"), "only of a timetable"),
        (("preview", "--draft", "{beside}/clip.toml", "--out", "{new}"), "its file is not here"),
        ((*PROVE, "--head", "x"), "say which --station"),
        ((*PROVE, "--station", "tram-01"), "no records of tram-01"),
        ((*PROVE, "--station", "tram-01", "--key", "x"), "a public key, 64 hex digits"),
    ],
)
def test_a_refusal_says_in_vietnamese_first_what_it_says_in_english(
    place: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], english: str
) -> None:
    assert_both(refusal(place, capsys, words), english)


def test_so_does_one_of_an_order_whose_time_is_over(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = ("--draft", "{beside}/draft.toml", "--key", "ward-emergency-1", "ward-emergency-2", "--out", "{new}")
    assert (
        main([word.format(ward=place / "ward", new=place / "new", beside=place) for word in (*SIGN[:3], *signed)]) == 0
    )
    later = UtcMs(utc_now() + HOUR_MS)
    monkeypatch.setattr("edge_agent.headend.cli.orders.utc_now", lambda: later)
    words = ("publish", "--dir", "{ward}", "--envelope", "{new}", "--broker", "localhost:1")
    assert_both(refusal(place, capsys, words), "has passed; make and sign a new order")


@pytest.mark.parametrize("file", ["{", '{"epoch": "a", "seq": 1}'])
def test_so_does_one_of_a_log_that_is_damaged(place: Path, capsys: pytest.CaptureFixture[str], file: str) -> None:
    (place / "ward" / "records" / "tram-01.jsonl").write_text(f"{file}\n")
    assert_both(refusal(place, capsys, ("report", "--records", "{ward}/records")), "restore the file, or move it away")


@pytest.mark.parametrize("words", [("order", "stop", "--area", "vn/ha-noi/dong-thanh"), ("week",)])
def test_so_does_one_by_a_broker_that_does_not_run(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """What an officer is told most often."""
    monkeypatch.setattr("edge_agent.headend.dispatch.PUBLISH_S", 0.5)
    told = refusal(place, capsys, (*words, "--dir", "{ward}", "--broker", "localhost:1"))
    assert told.startswith("broker localhost:1: ")
    assert_both(told, "is it running, are address and certificates right?")


@pytest.mark.parametrize(
    ("table", "english"),
    [
        ("x = [", "not valid TOML"),
        ("[units]", "unknown; write [abbreviations]"),
        ("abbreviations = 1", "one entry a line"),
        ("#" * (TABLE_CHARS_MAX + 1), "at most 65536 characters"),
        ('[words]\na = " "', "1 to 200 characters"),
        ('[words]\n"1" = "a"', "as it stands in texts"),
        ('[words]\na = "XYZ"', "must be words"),
    ],
)
def test_so_does_one_of_the_provinces_own_words(
    place: Path, capsys: pytest.CaptureFixture[str], table: str, english: str
) -> None:
    (place / "own.toml").write_text(table)
    assert_both(refusal(place, capsys, ("say", "Tin", "--abbreviations", "{beside}/own.toml")), english)


@pytest.mark.parametrize(
    ("key", "mode", "english"),
    [
        ("x", 0o600, "not a PKCS#8"),
        ("{locked}", 0o600, "names no public key"),
        ("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", 0o600, "is damaged"),
        ("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n{locked}", 0o600, "the public key in it is damaged"),
        ("{other}{locked}", 0o600, "holds another key"),
        ("{curve}", 0o600, "an Ed25519 or P-256 key is needed"),
        ("x", 0o640, "others can read it"),
    ],
)
def test_so_does_one_of_a_spoilt_key(
    place: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    mode: int,
    english: str,
) -> None:
    parts = {"locked": locked(private()), "other": opened(private()), "curve": curve()}
    path = place / "ward" / "keys" / "ward-routine-1.pem"
    path.write_text(key.format(**parts))
    path.chmod(mode)
    secret = place / "secret"
    secret.write_text(PASSPHRASE)
    secret.chmod(0o600)
    monkeypatch.setenv(FILE_VARIABLE, str(secret))
    told = refusal(place, capsys, ("keys", "protect", "--dir", "{ward}", "--key", "ward-routine-1"))
    assert_both(told, english)


@pytest.mark.parametrize(
    ("secret", "mode", "english"),
    [
        (None, 0o600, "cannot be read"),
        (b"\xff", 0o600, "is not UTF-8"),
        (b"long enough", 0o644, "others can read it"),
        (b"", 0o600, "is empty"),
        (b"short", 0o600, "is too short"),
    ],
)
def test_so_does_one_of_a_passphrase_in_a_file(
    place: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    secret: bytes | None,
    mode: int,
    english: str,
) -> None:
    if secret is not None:
        (place / "secret").write_bytes(secret)
        (place / "secret").chmod(mode)
    monkeypatch.setenv(NEW_FILE_VARIABLE, str(place / "secret"))
    told = refusal(place, capsys, ("keys", "protect", "--dir", "{ward}", "--key", "ward-routine-1"))
    assert_both(told, english)


@pytest.mark.parametrize(
    ("file", "words", "english"),
    [
        ("trust.json", ("keys", "list", "--dir", "{ward}"), "JSON and nothing else"),
        ("stations.json", ("keys", "list", "--dir", "{ward}"), "JSON and nothing else"),
        ("codes.json", ("codes", "list", "--dir", "{ward}"), "remove it, and give out new codes"),
        ("serials.json", (*SIGN, "--draft", "{beside}/draft.toml"), "must never go back"),
        ("keys/ward-routine-1.pem", ("keys", "protect", "--dir", "{ward}", "--key", "ward-routine-1"), "PKCS#8"),
        ("keys/ward-routine-1.token", (*SIGN, "--draft", "{beside}/draft.toml"), "move the wrong one away"),
    ],
)
def test_so_does_one_that_tells_of_a_spoilt_file(
    place: Path, capsys: pytest.CaptureFixture[str], file: str, words: tuple[str, ...], english: str
) -> None:
    (place / "ward" / file).write_text("x")
    assert_both(refusal(place, capsys, words), english)


def private() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def opened(key: Ed25519PrivateKey) -> str:
    """The public half."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def locked(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE.encode())).decode()


def curve() -> str:
    """A key of no kind that signs here."""
    return generate_private_key(SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def assert_both(told: str, english: str) -> None:
    """Vietnamese letters stand before the first " / ", and these English words behind it."""
    before, slash, behind = told.partition(" / ")
    assert slash, told
    assert VIETNAMESE.search(before), told
    assert english in behind, told
