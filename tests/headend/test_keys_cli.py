"""Officers' keys by commands alone: made, listed, protected, signed with; and no secret in anything left behind."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.core.units import UtcMs
from edge_agent.headend.cli import main
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.key_files import LockedKey, PlainKey
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.passphrases import FILE_VARIABLE, NEW_FILE_VARIABLE
from edge_agent.headend.public_files import names_known
from edge_agent.headend.roles import default_roles
from edge_agent.trust.keys import Scheme
from edge_agent.trust.orders import OrderType
from edge_agent.trust.role_limits import SOURCES_MAX
from tests.headend.fake_station import AREA
from tests.headend.ward_by_commands import DRAFT
from tests.host.softhsm import NEEDS_SOFTHSM, PIN, SO_PIN, Drawer, drawer, see_again
from tests.host.terminal import Person
from tests.trust import makers

PASSPHRASE = "trăng sáng vườn chè"
OFFICERS = [name for spec in default_roles(AREA, 2) if spec.of_officers for name in spec.key_names]
ON_TOKENS = ("ward-emergency-1", "ward-policy-1")
OF_A_KEY = "khóa / key "
CHEAP = "from edge_agent.headend import pkcs8_scrypt; pkcs8_scrypt.SCRYPT_N = 2"
CLI = f"{CHEAP}; import sys; from edge_agent.headend.cli import main; sys.exit(main(sys.argv[1:]))"


pytestmark = pytest.mark.usefixtures("cheap_keys")
# What a try costs is shown in ``test_key_files.py``.


class Ward:
    """A folder in which commands are typed, with the passphrase in a file that the environment names."""

    def __init__(self, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.place, self.folder = place, place / "ward"
        self._capsys, self._monkeypatch = capsys, monkeypatch
        (place / "draft.toml").write_text(DRAFT)

    def knows(self, secret: str, *variables: str) -> None:
        path = self.place / "secret"
        path.touch(0o600)
        path.write_text(secret)
        for variable in variables or (FILE_VARIABLE, NEW_FILE_VARIABLE):
            self._monkeypatch.setenv(variable, str(path))

    def init(self, *more: str, status: int = 0) -> str:
        """What it says on stderr."""
        words = ("--dir", str(self.folder), "--realm", "demo", "--area", AREA, *more)
        assert main(["keys", "init", *words]) == status
        said = self._capsys.readouterr().err
        if status == 0:
            assert main(["keys", "station", "--dir", str(self.folder), "--id", "tram-01", "--area", AREA]) == 0
            self._capsys.readouterr()
        return said

    def sign(self, *more: str, out: str = "order.json", status: int = 0) -> str:
        """What it says on stderr: nothing, where the ward's station would obey."""
        assert main(["sign", "--dir", str(self.folder), "--out", str(self.place / out), *more]) == status
        return self._capsys.readouterr().err

    def sign_draft(self, *keys: str, status: int = 0) -> str:
        return self.sign("--draft", str(self.place / "draft.toml"), "--key", *keys, status=status)

    def keys(self, *words: str, status: int = 0) -> tuple[str, str]:
        assert main(["keys", *words, "--dir", str(self.folder)]) == status
        said = self._capsys.readouterr()
        return said.out, said.err

    def listed(self) -> dict[str, str]:
        lines = self.keys("list")[0].splitlines()
        return dict(line.removeprefix(OF_A_KEY).split(": ", 1) for line in lines if line.startswith(OF_A_KEY))


@pytest.fixture
def ward(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ward:
    return Ward(tmp_path, capsys, monkeypatch)


def test_with_encrypt_officers_keys_have_a_passphrase_and_servers_start_without(ward: Ward) -> None:
    ward.knows(PASSPHRASE)
    ward.init("--encrypt")
    keys = Keyring(ward.folder).keys
    locked = [name for name in keys.names() if isinstance(keys.key(name), LockedKey)]
    assert locked == sorted(OFFICERS)
    assert all(isinstance(keys.key(name), PlainKey) for name in ("welcome-1", "ack-1"))
    assert ward.sign_draft("ward-emergency-1", "ward-emergency-2") == ""
    assert len(json.loads((ward.place / "order.json").read_bytes())["signatures"]) == 2


def test_whoever_begins_a_network_alone_is_told_by_which_clock(
    ward: Ward, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other holder's clock refuses his documents: by one that is ahead stations would be deaf until its day."""
    monkeypatch.setattr("edge_agent.headend.cli.keys.utc_now", lambda: UtcMs(makers.NOON + 35 * makers.DAY_MS))
    assert main(["keys", "init", "--dir", str(ward.folder), "--realm", "demo", "--area", AREA]) == 0
    (told,) = [line for line in capsys.readouterr().out.splitlines() if "signed at" in line]
    assert "12h00 ngày 05/11/2026, giờ Việt Nam" in told
    assert "begin anew" in told
    assert Keyring(ward.folder).documents != ()


def test_a_station_obeys_p256_keys(ward: Ward) -> None:
    ward.init("--scheme", "ecdsa-p256")
    keys = Keyring(ward.folder).keys
    assert {keys.key(name).public.scheme for name in OFFICERS} == {Scheme.ECDSA_P256}
    assert {keys.key(name).public.scheme for name in ("welcome-1", "ack-1")} == {Scheme.ED25519}
    assert "fewer valid signatures" in ward.sign_draft("ward-emergency-1")
    assert ward.sign_draft("ward-emergency-1", "ward-emergency-2") == ""
    assert "fewer valid signatures" in ward.sign_draft("ward-emergency-1")


def test_the_list_tells_where_each_key_lies_and_asks_for_nothing(ward: Ward) -> None:
    ward.knows(PASSPHRASE, NEW_FILE_VARIABLE)
    ward.init("--encrypt", "--scheme", "ecdsa-p256")
    listed = ward.listed()
    assert sorted(listed) == sorted([*OFFICERS, "welcome-1", "ack-1", "head-1"])
    assert listed["ward-policy-1"].startswith("tệp có mật khẩu / file with a passphrase; ecdsa-p256, ")
    assert listed["welcome-1"].startswith("tệp / file; ed25519, ")


def test_the_public_halves_tell_whose_key_it_is_when_its_holder_has_taken_it_away(ward: Ward) -> None:
    ward.init()
    made = Keyring(ward.folder).keys.readable()
    for name in OFFICERS:
        (ward.folder / "keys" / f"{name}.pem").unlink()
    assert names_known(ward.folder) == {key.keyid: name for name, key in made.items()}


def test_a_key_in_disorder_is_listed_with_its_fault_and_hides_no_other(ward: Ward) -> None:
    ward.init()
    (ward.folder / "keys" / "province-1.pem").chmod(0o644)
    listed = ward.listed()
    assert listed["province-1"].startswith("LỖI / FAULT: key province-1: ")
    assert listed["ward-policy-1"].startswith("tệp / file; ed25519, ")


def test_a_key_is_protected_and_from_then_on_takes_its_passphrase(ward: Ward) -> None:
    ward.init()
    public = Keyring(ward.folder).keys.key("ward-routine").public
    ward.knows(PASSPHRASE, NEW_FILE_VARIABLE)
    out, _ = ward.keys("protect", "--key", "ward-routine")
    assert "đã có mật khẩu mới / has a new passphrase" in out
    assert Keyring(ward.folder).keys.key("ward-routine").public == public
    ward.knows(PASSPHRASE, FILE_VARIABLE)
    assert Keyring(ward.folder).signer("ward-routine").public == public


@pytest.mark.parametrize("name", ["welcome", "ack-1"])
def test_a_servers_key_is_not_protected_as_nobody_is_there_when_it_starts(ward: Ward, name: str) -> None:
    ward.init()
    ward.knows(PASSPHRASE)
    assert "starts with nobody there to type" in ward.keys("protect", "--key", name, status=1)[1]
    assert isinstance(Keyring(ward.folder).keys.key(name), PlainKey)


def test_a_wrong_passphrase_is_one_line_and_signs_nothing(ward: Ward) -> None:
    ward.knows(PASSPHRASE)
    ward.init("--encrypt")
    ward.knows("trăng mờ vườn cà", FILE_VARIABLE)
    said = ward.sign_draft("ward-emergency-1", status=1)
    assert said.startswith("lỗi / error: key ward-emergency-1: sai mật khẩu")
    assert len(said.splitlines()) == 1
    assert not (ward.place / "order.json").exists()
    assert Keyring(ward.folder).serials.last() == {}  # no number was used up


def test_who_signs_beside_another_officer_sees_the_order_before_he_is_asked(
    ward: Ward, capsys: pytest.CaptureFixture[str]
) -> None:
    """One key is stolen: on the stick lies another warning than the one that the two have spoken of."""
    ward.knows(PASSPHRASE)
    ward.init("--encrypt")
    ward.sign_draft("ward-emergency-1")
    ward.knows("trăng mờ vườn cà", FILE_VARIABLE)
    order = str(ward.place / "order.json")
    added = ("--add", order, "--key", "ward-emergency-2", "--out", order)
    assert main(["sign", "--dir", str(ward.folder), *added]) == 1
    said = capsys.readouterr()
    assert "Nước đang lên." in said.out
    assert said.err.startswith("lỗi / error: key ward-emergency-2: sai mật khẩu")


def test_who_may_not_sign_it_is_told_before_anything_is_asked(ward: Ward) -> None:
    ward.knows(PASSPHRASE, NEW_FILE_VARIABLE)
    ward.init("--encrypt")

    def never(what: str) -> str:
        raise AssertionError(what)

    keyring = Keyring(ward.folder, never)
    with pytest.raises(KeyringError, match="may sign no window"):
        keyring.signers(["ward-routine"], OrderType.WINDOW)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--token", "/t.so"], "--token, --token-label: phải đi cùng nhau"),
        (["--token-label", "A"], "--token, --token-label: phải đi cùng nhau"),
        (["--token", "/t.so", "--token-label", "A", "--token-label", "B"], "the same keys meant twice"),
        (["--token", "/t.so", "--token-label", "ward-policy="], "one without a label"),
        (["--token", "/t.so", "--token-label", "ward-emergncy=A"], "--token-label ward-emergncy: không có khóa tên đó"),
        (["--token", "/no/t.so", "--token-label", "A"], "token library /no/t.so: cannot be loaded"),
        (["--encrypt"], "at least 12 characters"),
    ],
)
def test_a_wish_that_cannot_be_met_makes_nothing(ward: Ward, more: list[str], told: str) -> None:
    ward.knows("quá ngắn")
    assert told in ward.init(*more, status=1)
    assert not ward.folder.exists()


@pytest.mark.parametrize("apart", [(), ("--apart",)], ids=["", "apart"])
@pytest.mark.parametrize(
    "host",
    ["https://mqtt.example.vn", "mqtt.example.vn:8883", "mqtt example.vn", "máy-chủ.example.vn", "", "x" * 254],
)
def test_a_name_that_no_station_could_call_its_server_by_makes_nothing_and_asks_for_nothing(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, host: str, apart: tuple[str, ...]
) -> None:
    def never(what: str) -> str:
        raise AssertionError(what)

    monkeypatch.setattr("edge_agent.headend.passphrases.getpass.getpass", never)
    told = ward.init(*(apart or ("--encrypt",)), "--host", "mqtt.example.vn", "--host", host, status=1)
    assert told.startswith(f"lỗi / error: --host {host}: tên hoặc địa chỉ")
    assert not ward.folder.exists()


@pytest.mark.parametrize(
    "sources",
    [
        ["http://tiep-am.example.vn/xa.mp3"],
        ["tiep-am.example.vn"],
        ["line-in:mic", "line-in:mic"],
        [f"line-in:mic-{number}" for number in range(SOURCES_MAX + 1)],
    ],
    ids=["plain http", "no address", "twice", "too many"],
)
def test_live_sources_that_no_station_could_be_granted_make_nothing(ward: Ward, sources: list[str]) -> None:
    told = ward.init(*(word for source in sources for word in ("--source", source)), status=1)
    assert told.startswith("lỗi / error: --source: mỗi nguồn một lần, nhiều nhất 16, ")
    assert not ward.folder.exists()


@pytest.mark.parametrize("more", [("--source", "line-in:mic"), ("--emergency-threshold", "1")])
def test_what_only_a_draft_can_say_is_not_passed_over_where_keys_lie_apart(ward: Ward, more: tuple[str, str]) -> None:
    told = ward.init("--apart", *more, status=1)
    assert "những tùy chọn này là của `trust draft` / these options are for `trust draft`: no doc" in told
    assert not ward.folder.exists()


@pytest.mark.parametrize("apart", [(), ("--apart",)], ids=["", "apart"])
def test_the_names_of_the_server_are_told_in_the_end_as_none_can_be_added_later(
    ward: Ward, capsys: pytest.CaptureFixture[str], apart: tuple[str, ...]
) -> None:
    hosts = ("--host", "mqtt.example.vn", "--host", "10.0.0.7", "--host", "2001:db8::7")
    assert main(["keys", "init", "--dir", str(ward.folder), "--realm", "demo", "--area", AREA, *hosts, *apart]) == 0
    told = capsys.readouterr().out.splitlines()[-2]
    assert told.endswith("by one of these names: localhost, 127.0.0.1, mqtt.example.vn, 10.0.0.7, 2001:db8::7")


@pytest.mark.parametrize("words", [("trust", "renew"), ("codes", "new", "tram-09", "--area", AREA)])
def test_a_full_disk_is_told_in_words_and_changes_nothing(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    ward.init()
    before = {path: path.read_bytes() for path in ward.folder.rglob("*.json")}

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert main([*words, "--dir", str(ward.folder)]) == 1
    assert "No space left on device; dọn chỗ" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in ward.folder.rglob("*.json")} == before


@pytest.mark.parametrize(
    ("trouble", "remedy"),
    [(errno.EROFS, "ổ đĩa chỉ đọc: cho ghi, hoặc dùng ổ khác"), (errno.EACCES, "dùng tài khoản của thư mục")],
)
def test_a_disk_that_may_not_be_written_is_not_said_to_be_full(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], trouble: int, remedy: str
) -> None:
    ward.init()

    def refuses(_descriptor: int) -> None:
        raise OSError(trouble, os.strerror(trouble))

    monkeypatch.setattr(os, "fsync", refuses)
    assert main(["trust", "renew", "--dir", str(ward.folder)]) == 1
    told = capsys.readouterr().err
    assert remedy in told
    assert "dọn chỗ" not in told


def test_a_full_disk_under_a_new_passphrase_is_told_in_words(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ward.init()
    ward.knows("four words are enough")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert main(["keys", "protect", "--dir", str(ward.folder), "--key", "ward-routine-1"]) == 1
    told = capsys.readouterr().err
    assert "không ghi được, khóa vẫn như cũ / cannot be written, the key is as it was (No space left on device)" in told
    assert "Errno" not in told


def test_a_holders_folder_without_a_root_is_sent_to_the_root_and_not_to_a_new_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "ng"
    assert main(["keys", "new", "--dir", str(folder), "--key", "root-1", "--plain"]) == 0
    capsys.readouterr()
    assert main(["keys", "list", "--dir", str(folder)]) == 1
    told = capsys.readouterr().err
    assert 'trust take root.json --first "MÃ VĂN BẢN GỐC"' in told
    assert "keys init" not in told


def test_a_network_is_not_half_made_where_somebodys_keys_lie(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It left eight keys and an authority behind, which then were in the way of `--apart`."""
    folder = tmp_path / "ng"
    assert main(["keys", "new", "--dir", str(folder), "--key", "root-1", "--plain"]) == 0
    before = sorted(folder.rglob("*"))
    init = ["keys", "init", "--dir", str(folder), "--realm", "loa-vn", "--area", AREA]
    assert main(init) == 1
    told = capsys.readouterr().err
    assert f"--dir {folder}: ở đây đã có / here is already root-1; chưa tạo gì" in told
    assert sorted(folder.rglob("*")) == before
    assert main([*init, "--apart"]) == 0
    assert main([*init, "--apart"]) == 1
    assert "here is already ack-1, head-1, welcome-1, pki; chưa tạo gì" in capsys.readouterr().err


def test_nobody_types_passphrases_for_a_network_that_cannot_be_made(ward: Ward) -> None:
    ward.init()
    said = ward.init("--encrypt", status=1)  # which could ask nobody
    assert "trust.json: đã có; khóa mới sẽ làm mọi trạm không vào được, dùng --dir khác" in said
    assert "new keys would lock every station out" in said


@pytest.fixture
def tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drawer]:
    with drawer(tmp_path / "hsm", monkeypatch) as made:
        for label in ("LOA-A", "LOA-B"):
            made.plug_in_new(label)
        see_again(made)
        yield made


@NEEDS_SOFTHSM[0]
@pytest.mark.host
def test_two_officers_with_a_token_each_warn_a_ward_and_a_third_key_is_a_file(ward: Ward, tokens: Drawer) -> None:
    ward.knows(PIN)
    labels = ("--token-label", "ward-emergency-1=LOA-A", "--token-label", "ward-emergency-2=LOA-B")
    assert ward.init("--encrypt", "--token", tokens.module, *labels) == ""
    see_again(tokens)
    listed = ward.listed()
    assert listed["ward-emergency-1"].startswith("thiết bị ký số PKCS#11 / token LOA-A (")
    assert "; ecdsa-p256, " in listed["ward-emergency-2"]
    assert listed["ward-routine-1"].startswith("tệp có mật khẩu")
    ward.sign_draft("ward-emergency-1")
    see_again(tokens)
    added = ("--add", str(ward.place / "order.json"), "--key", "ward-emergency-2")
    assert ward.sign(*added) == ""


@NEEDS_SOFTHSM[0]
@pytest.mark.host
def test_one_token_for_two_officers_is_made_and_warned_of(ward: Ward, tokens: Drawer) -> None:
    ward.knows(PIN)
    said = ward.init("--token", tokens.module, "--token-label", "LOA-A", "--scheme", "ed25519")
    assert "ward-emergency cần 2 chữ ký" in said
    assert "one person signs for two" in said
    see_again(tokens)
    assert ward.sign_draft("ward-emergency-1", "ward-emergency-2") == ""


@NEEDS_SOFTHSM[0]
@pytest.mark.host
def test_a_key_that_replaces_one_onto_the_other_officers_token_is_warned_of(
    ward: Ward, tokens: Drawer, capsys: pytest.CaptureFixture[str]
) -> None:
    ward.knows(PIN)
    labels = ("--token-label", "ward-emergency-1=LOA-A", "--token-label", "ward-emergency-2=LOA-B")
    ward.init("--encrypt", "--token", tokens.module, *labels)
    see_again(tokens)
    asked = ["trust", "replace", "--dir", str(ward.folder), "--key", "ward-emergency-2", "--token", tokens.module]
    assert main([*asked, "--token-label", "LOA-B"]) == 0
    assert capsys.readouterr().err == "", "her own token, on which the old key still lies"
    see_again(tokens)
    asked[asked.index("ward-emergency-2")] = "ward-emergency-3"
    assert main([*asked, "--token-label", "LOA-A"]) == 0
    assert "this token holds ward-emergency-1 already" in capsys.readouterr().err


@NEEDS_SOFTHSM[0]
@pytest.mark.host
def test_two_keys_of_one_role_made_apart_on_one_token_are_warned_of(
    ward: Ward, tokens: Drawer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each in a folder of its own: only the token itself knows of both."""
    ward.knows(PIN)
    for number, told in ((1, ""), (2, "this token holds ward-emergency-1 already")):
        asked = ["keys", "new", "--dir", str(ward.place / f"officer-{number}"), "--key", f"ward-emergency-{number}"]
        assert main([*asked, "--token", tokens.module, "--token-label", "LOA-A"]) == 0
        said = capsys.readouterr().err
        assert told in said
        assert bool(told) == bool(said)
        see_again(tokens)


@NEEDS_SOFTHSM[0]
@pytest.mark.host
def test_a_wrong_pin_is_found_out_before_anything_is_made(ward: Ward, tokens: Drawer) -> None:
    ward.knows("not-the-pin-1234")
    assert "sai mã PIN / wrong PIN" in ward.init("--token", tokens.module, "--token-label", "LOA-A", status=1)
    assert not ward.folder.exists()


@NEEDS_SOFTHSM[0]
@pytest.mark.host
def test_no_secret_is_seen_or_written_anywhere(tmp_path: Path, tokens: Drawer) -> None:
    """Typed at a terminal: neither shown, nor an argument, nor in the environment, nor in a file."""
    secrets = {PASSPHRASE, "mật khẩu thứ hai đây", PIN, SO_PIN}
    ward = str(tmp_path / "ward")
    (tmp_path / "draft.toml").write_text(DRAFT)
    labels = ("--token-label", "ward-emergency-1=LOA-A", "--token-label", "ward-policy=LOA-B")
    people = []

    def at_terminal(*words: str, answers: list[tuple[str, str]], status: int = 0) -> None:
        person = Person("-c", CLI, *words)
        people.append(person)
        for prompt, secret in answers:
            seen = (Path(f"/proc/{person.process.pid}") / name for name in ("cmdline", "environ"))
            assert not any(one.encode() in path.read_bytes() for path in seen for one in secrets)
            person.answer(prompt, secret)
        assert person.leave() == status, person.seen

    new = [
        (f"key {name}, {word}", PASSPHRASE)
        for name in OFFICERS
        if name not in ON_TOKENS
        for word in ("mới / new", "nhập lại / again")
    ]
    pins = [("PIN of token LOA-A", PIN), ("PIN of token LOA-B", PIN)]
    init = ("keys", "init", "--dir", ward, "--realm", "demo", "--area", AREA, "--encrypt")
    at_terminal(*init, "--token", tokens.module, *labels, answers=[*pins, *new])
    draft = ("sign", "--dir", ward, "--draft", str(tmp_path / "draft.toml"), "--out", str(tmp_path / "order.json"))
    typed = [("PIN of token LOA-A", PIN), ("passphrase of key ward-emergency-2", PASSPHRASE)]
    at_terminal(*draft, "--key", "ward-emergency-1", "ward-emergency-2", answers=typed)
    at_terminal(*draft, "--key", "ward-emergency-1", answers=[("PIN of token LOA-A", PASSPHRASE)], status=1)
    at_terminal(*draft, "--key", "ward-emergency-2", answers=[("of key ward-emergency-2", PIN)], status=1)
    change = [("passphrase of key ward-routine-1: ", PASSPHRASE)]
    change += [(word, "mật khẩu thứ hai đây") for word in ("mới / new", "nhập lại / again")]
    at_terminal("keys", "protect", "--dir", ward, "--key", "ward-routine", answers=change)
    at_terminal("keys", "list", "--dir", ward, answers=[])

    assert "sai mã PIN" in people[2].seen
    assert "sai mật khẩu" in people[3].seen
    written = [path for path in tmp_path.rglob("*") if path.is_file() and tmp_path / "hsm" not in path.parents]
    assert len(written) > 20
    contents = [*(path.read_bytes() for path in written), *(person.seen.encode() for person in people)]
    assert [secret for secret in secrets for content in contents if secret.encode() in content] == []
    assert {path.stat().st_mode & 0o077 for path in written if path.parent.name == "keys"} == {0}
