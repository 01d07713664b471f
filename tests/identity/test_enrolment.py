"""A box becomes a station over real HTTPS: by the code alone, whoever sits on the line, wherever the power goes."""

from __future__ import annotations

import base64
import io
import json
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from ssl import DER_cert_to_PEM_cert

import pytest

from edge_agent.cli import identity, main
from edge_agent.cli.identity import Asked
from edge_agent.core.units import UtcMs
from edge_agent.headend.desk import Desk, Kept
from edge_agent.headend.logbook import Logbook
from edge_agent.headend.pki import create_authority
from edge_agent.identity import asking, codes, installing, resetting
from edge_agent.identity.certificate import read_certificate
from edge_agent.identity.codes import Code, answer_proof
from edge_agent.identity.file_keys import FileKey, TlsKey
from edge_agent.identity.token_keys import signing_key
from edge_agent.trust.bundle import believe
from edge_agent.trust.keys import Signer, new_signer
from edge_agent.trust.strict_json import dump
from tests.headend.fake_station import AT, RECORD, FakeStation
from tests.headend.registrar.desks import new_box
from tests.host import swtpm
from tests.host.content import Manners, running_content
from tests.host.softhsm import NEEDS_SOFTHSM, PIN, drawer, see_again
from tests.host.swtpm import NEEDS_SWTPM
from tests.identity.middle import Middle
from tests.identity.street import AREA, REALM, Box, Office, box, ctrl_c, office, office_again, with_broker
from tests.identity.test_certificate import made_out
from tests.sync import old_mail

GIVEN = ("ca.pem", "station.pem", "trust.json")


pytestmark = pytest.mark.usefixtures("cheap_codes")
# What a try costs is shown in ``test_codes.py``, and both sides pay it in ``dear``.


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path, 18_883) as made:
        yield made


def assert_station(made: Box, ward: Office, name: str) -> None:
    """Everything fits together, and the headend knows it by its own key."""
    config = made.config
    site = config.site
    assert (site.station, site.area, site.realm, config.name) == (name, AREA, REALM, f"Trạm {name}")
    assert (config.broker.host, config.broker.port, config.enrolment.url) == ("localhost", 18_883, ward.url)
    certificate = read_certificate(config.broker.cert_file.read_bytes())
    assert certificate.names == (name,)
    assert certificate.public == installing.Places(made.file, config).tls_key.public
    assert believe(config.trust.file.read_bytes(), (), site.areas()).trust.realm == REALM
    assert config.broker.ca_file.read_bytes() == ward.keyring.authority_path.read_bytes()
    assert FileKey(config.trust.station_key_file).open().keyid == ward.key_of(name)
    assert not installing.unfinished(config)


@pytest.mark.usefixtures("dear")
def test_a_box_with_a_code_becomes_a_station_and_its_file_keeps_every_remark(ward: Office, tmp_path: Path) -> None:
    made = box(tmp_path / "a")
    assert made.enrol(ward, ward.code("dt-01")) == 0
    assert_station(made, ward, "dt-01")
    text = made.file.read_text("utf-8")
    assert "# do not touch" in text
    assert "# mã trạm" in text
    for key in ("station.key", "signing.key"):
        assert (made.folder / "identity" / key).stat().st_mode & 0o777 == 0o600


def test_enrolling_again_is_told_and_changes_nothing(
    ward: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = box(tmp_path / "a")
    made.enrol(ward, ward.code("dt-01"))
    before = made.files()
    assert made.enrol(ward, ward.code("dt-01")) == 0
    assert "is enrolled already: dt-01" in capsys.readouterr().out
    assert made.files() == before


def test_what_a_certificate_names_moves_no_cursor_of_a_technicians(
    ward: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It lies in the service's folder beside its key, and whoever has taken the service over has both."""
    made = box(tmp_path / "a")
    made.enrol(ward, ward.code("dt-01"))
    key = TlsKey(made.config.broker.key_file)._private()
    by = create_authority(tmp_path / "stranger", "test", datetime.now(UTC))
    made.config.broker.cert_file.write_text(DER_cert_to_PEM_cert(made_out(by, "dt-01\x1b]0;evil\x07\x9b2J", key=key)))
    capsys.readouterr()
    assert made.enrol(ward, ward.code("dt-01")) == 0
    assert "is enrolled already: dt-01?]0;evil??2J;" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "told"),
    [("AAAA-BBBB", "đã gõ 8"), ("", "đã gõ 0"), (Code("AAA", "0" * 12).typed(), "a wrong code")],
    ids=["short", "nothing", "stranger"],
)
def test_a_code_that_is_none_changes_nothing_that_was_configured(
    ward: Office,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    told: str,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    made = box(tmp_path / "a")
    text = made.file.read_text()
    assert identity.enrol(made.config, made.file, Asked(ward.url, typed)) == 1
    assert told in capsys.readouterr().err
    assert made.file.read_text() == text
    assert [name for name in GIVEN if (made.folder / "identity" / name).exists()] == []


def test_a_server_that_is_down_is_told_and_the_code_stays_good(
    ward: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, code = box(tmp_path / "a"), ward.code("dt-01")
    for url in ("https://localhost:1", "http://localhost:8444", "https://", "https://[", "https://localhost:99999"):
        assert identity.enrol(made.config, made.file, Asked(url, code.typed())) == 1
        assert "không hỏi được máy chủ / cannot be asked" in capsys.readouterr().err
    assert made.enrol(ward, code) == 0


def test_a_server_of_an_older_tls_is_asked_nothing(ward: Office, tmp_path: Path) -> None:
    with running_content(tmp_path / "old", newest_tls=ssl.TLSVersion.TLSv1_2) as old:
        server = asking.Server(f"https://localhost:{old.port}")
        with pytest.raises(asking.NoIdentity, match="cannot be asked"):
            asking.enrol(server, ward.code("dt-01"), new_signer(), b"csr")


def test_no_answer_is_read_as_mail_for_that_reader_ends_the_thread_that_renews(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_mail.read_as_on_3_11(monkeypatch)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {old_mail.TWO_BOUNDARIES}\r\n".encode()
    with running_content(tmp_path) as other:
        other.manners, other.raw = Manners.RAW, [head + b"Content-Length: 2\r\n\r\n{}"]
        server = asking.Server(f"https://localhost:{other.port}", other.authority.path)
        with pytest.raises(asking.NoIdentity, match="makes no sense"):
            asking.renew(server, "vn-test", "dt-01", new_signer(), b"csr")


def test_a_file_that_only_a_person_can_change_is_told_before_the_code_is_used(
    ward: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, code = box(tmp_path / "a"), ward.code("dt-01")
    text = made.file.read_text("utf-8").replace('"Chưa đăng ký"', '"""Chưa đăng ký"""')
    made.file.write_text(text.replace('id = "chua-dang-ky"  ', 'id = """chua-dang-ky"""  '), "utf-8")
    assert made.enrol(ward, code) == 1
    assert "lỗi / error" in capsys.readouterr().err
    assert ward.book.entries()[code.slot].taken is None


def test_a_man_in_the_middle_who_changes_nothing_sees_no_secret_and_is_found_before_anything_is_kept(
    ward: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No renewal would ever pass him."""
    made, code = box(tmp_path / "a"), ward.code("dt-01")
    with Middle(tmp_path / "middle", ward.server.port) as middle:
        assert identity.enrol(made.config, made.file, Asked(middle.url, code.typed())) == 1
    assert "somebody stands between" in capsys.readouterr().err
    assert [name for name in GIVEN if (made.folder / "identity" / name).exists()] == []
    assert not installing.unfinished(made.config)
    heard = b"".join(middle.seen) + base64.b64decode(json.loads(middle.seen[0])["envelope"]["payload"])
    assert b"csr" in heard
    private = [line for path in made.folder.rglob("*.key") for line in path.read_bytes().splitlines()[1:-1]]
    assert len(private) > 2
    for secret in (code.secret.encode(), code.key().hex().encode(), *private):
        assert secret not in heard


def test_a_server_by_a_name_that_its_certificate_has_not_is_refused_before_anything_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Enrolment would believe the code, and every renewal after it refuse the name."""
    with office(tmp_path, host="127.0.0.2") as ward:
        made, code = box(tmp_path / "a"), ward.code("dt-01")
        text = made.file.read_text("utf-8")
        url = f"https://127.0.0.2:{ward.server.port}"
        assert identity.enrol(made.config, made.file, Asked(url, code.typed())) == 1
        told = capsys.readouterr().err
        assert "chứng thư của máy chủ không ghi tên 127.0.0.2, sau này không gia hạn được; chưa thay đổi gì" in told
        assert "the code is still good on this box" in told
        assert "one of the certificate's names: localhost, 127.0.0.1" in told
        assert made.file.read_text("utf-8") == text
        assert [name for name in GIVEN if (made.folder / "identity" / name).exists()] == []
    with office_again(tmp_path) as ward:  # the remedy
        assert made.enrol(ward, code) == 0
        assert identity.renew(made.config) == 0


def test_a_port_that_asks_for_a_certificate_is_not_said_to_refuse_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The broker's port was typed."""
    with with_broker(tmp_path) as street:
        made, code = box(tmp_path / "a"), street.ward.code("dt-01")
        url = f"https://localhost:{street.broker.port}"
        assert identity.enrol(made.config, made.file, Asked(url, code.typed())) == 1
    told = capsys.readouterr().err
    assert "ghi cổng của dịch vụ đăng ký, thường là 8444" in told
    assert "refused the station's certificate" not in told


def test_a_code_that_another_wards_server_does_not_know_points_at_the_address(
    ward: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stranger = Code("AAA", "0" * 12).typed()
    made = box(tmp_path / "a")
    assert identity.enrol(made.config, made.file, Asked(ward.url, stranger)) == 1
    assert "hoặc đây là máy chủ của xã khác; xem lại --server" in capsys.readouterr().err


def test_ctrl_c_at_the_question_for_a_code_is_a_short_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = box(tmp_path / "a")
    monkeypatch.setattr("builtins.input", ctrl_c)
    assert main(["enrol", "--config", str(made.file), "--server", "https://localhost:8444"]) == 130
    assert capsys.readouterr().err == "\nđã dừng / stopped: chưa thay đổi gì / nothing was changed\n"


def test_a_man_in_the_middle_cannot_put_his_own_keys_into_the_request(
    ward: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, code, thief = box(tmp_path / "a"), ward.code("dt-01"), new_box()

    def swap(body: bytes) -> bytes:
        stolen = json.loads(thief.asks(replace(code, secret="0" * 12))[0])
        return dump({**json.loads(body), "envelope": stolen["envelope"]})

    with Middle(tmp_path / "middle", ward.server.port, asked=swap) as middle:
        assert identity.enrol(made.config, made.file, Asked(middle.url, code.typed())) == 1
    assert "a wrong code" in capsys.readouterr().err
    ward.keyring.refresh()
    assert ward.keyring.stations == {}


def test_a_man_in_the_middle_cannot_put_his_own_authority_into_the_answer(
    ward: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, code = box(tmp_path / "a"), ward.code("dt-01")

    def swap(answer: bytes) -> bytes:
        payload = json.loads(base64.b64decode(json.loads(answer)["payload"]))
        forged = {**payload, "authority": payload["certificate"], "broker": {"host": "evil.example", "port": 1}}
        text = dump(forged)
        proof = answer_proof(b"what he has not got", text)
        return dump({**json.loads(answer), "payload": base64.b64encode(text).decode(), "proof": proof})

    with Middle(tmp_path / "middle", ward.server.port, answered=swap) as middle:
        assert identity.enrol(made.config, made.file, Asked(middle.url, code.typed())) == 1
    assert "not the server that gave the code; nothing was changed" in capsys.readouterr().err
    assert [name for name in GIVEN if (made.folder / "identity" / name).exists()] == []
    assert made.enrol(ward, code) == 0  # and with the real server it still becomes the station
    assert_station(made, ward, "dt-01")


def test_an_answer_to_another_enrolment_is_not_taken(ward: Office, tmp_path: Path) -> None:
    """He keeps the answer to the first try from the box, and plays it when it asks again."""
    made, code = box(tmp_path / "a"), ward.code("dt-01")
    kept: list[bytes] = []

    def first_one(answer: bytes) -> bytes:
        kept.append(answer)
        return b"{}" if len(kept) == 1 else kept[0]

    with Middle(tmp_path / "middle", ward.server.port, answered=first_one) as middle:
        for _ in range(2):
            assert identity.enrol(made.config, made.file, Asked(middle.url, code.typed())) == 1
    assert len(kept) == 2
    assert made.enrol(ward, code) == 0


def test_with_the_authority_on_the_card_the_line_itself_must_be_the_right_one(
    ward: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, code, ca = box(tmp_path / "a"), ward.code("dt-01"), ward.keyring.authority_path
    with Middle(tmp_path / "middle", ward.server.port) as middle:
        assert identity.enrol(made.config, made.file, Asked(middle.url, code.typed(), ca)) == 1
    assert middle.seen == []
    assert "the server's certificate is of another authority" in capsys.readouterr().err
    assert identity.enrol(made.config, made.file, Asked(ward.url, code.typed(), ca)) == 0


Cut = Callable[[int, Box, Code | None], int]
"""Enrols a box (without a code: resets it) until the Nth touch of the disk, and tells how its process ended."""


@pytest.fixture
def cut(ward: Office) -> Iterator[Cut]:
    command = [sys.executable, "-m", "tests.identity.cut", ward.url, str(codes.SCRYPT_N)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as boxes:
        asked, told = boxes.stdin, boxes.stdout
        assert asked is not None
        assert told is not None

        def enrol(number: int, made: Box, code: Code | None) -> int:
            typed = "" if code is None else code.typed()
            print(json.dumps([number, str(made.folder), typed]), file=asked, flush=True)
            return int(told.readline())

        yield enrol
        asked.close()


@pytest.mark.deep
@pytest.mark.host
def test_a_power_cut_at_any_touch_of_the_disk_is_healed_by_enrolling_again(
    ward: Office, tmp_path: Path, cut: Cut
) -> None:
    cuts = 0
    for number in range(1, 200):
        name = f"dt-{number:03}"
        made, code = box(tmp_path / name), ward.code(name)
        text = made.file.read_text("utf-8")
        status = cut(number, made, code)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        cuts += 1
        if (
            not installing.unfinished(made.config)
            and identity.enrolled_as(installing.Places(made.file, made.config)) is None
        ):
            assert made.file.read_text("utf-8") == text, f"cut {number}: changed before anything was kept"
            assert [one for one in GIVEN if (made.folder / "identity" / one).exists()] == []
        assert made.enrol(ward, code) == 0, f"cut {number}"
        assert_station(made, ward, name)
    assert cuts > 20
    print(f"cut at each of {cuts} touches, healed by enrolling again")


@pytest.mark.deep
@pytest.mark.host
def test_a_reset_cut_at_any_touch_of_the_disk_lets_the_box_become_no_other_station_with_the_old_journal(
    ward: Office, tmp_path: Path, cut: Cut, capsys: pytest.CaptureFixture[str]
) -> None:
    old = box(tmp_path / "old")
    assert old.enrol(ward, ward.code("dt-old")) == 0
    (old.folder / "state" / "journal").mkdir(parents=True)
    (old.folder / "state" / "journal" / "records.db").write_bytes(b"what dt-old did")
    whole, ends = old.files(), set[str]()
    for number in range(1, 200):
        made = Box(Path(shutil.copytree(old.folder, tmp_path / f"cut-{number}")))
        status = cut(number, made, None)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        left = {name: content for name, content in made.files().items() if not name.endswith(".part")}
        if not resetting.begun(made.config):
            assert left == whole or [*left] == ["station.toml"], f"cut {number}: half a reset, and nobody knows"
            ends.add("nothing" if left == whole else "everything")
            continue
        ends.add("half")
        capsys.readouterr()
        name = f"dt-{number:03}"
        assert made.enrol(ward, ward.code(name)) == 0, f"cut {number}"
        assert "a factory reset was cut short; it is finished first" in capsys.readouterr().out
        assert_station(made, ward, name)
        assert [one for one in made.files() if "records" in one] == [], f"cut {number}"
        assert not resetting.begun(made.config)
    assert ends == {"nothing", "half", "everything"}


def test_a_box_that_has_lost_its_signing_key_is_not_called_enrolled(
    ward: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By whatever way: without it the centre hears nothing, and nobody must be sent in a circle."""
    made = box(tmp_path / "a")
    assert made.enrol(ward, ward.code("dt-01")) == 0
    before = ward.key_of("dt-01")
    (made.folder / "identity" / "signing.key").unlink()
    assert made.enrol(ward, ward.code("dt-01")) == 0
    assert "is enrolled already" not in capsys.readouterr().out
    assert ward.key_of("dt-01") != before
    assert made.enrol(ward, ward.code("dt-01")) == 0
    assert "is enrolled already" in capsys.readouterr().out


@pytest.mark.deep
@pytest.mark.host
def test_a_reset_leaves_no_file_of_an_enrolment_that_was_cut_at_any_touch_of_the_disk(
    ward: Office, tmp_path: Path, cut: Cut
) -> None:
    """A key that has its name is for a moment there under its draft's name too."""
    left: dict[int, list[str]] = {}
    for number in range(1, 200):
        name = f"dt-{number:03}"
        made, code = box(tmp_path / name), ward.code(name)
        status = cut(number, made, code)
        assert identity.factory_reset(made.config, sure=True) == 0
        if files := [one for one in made.files() if one.startswith(("identity/", "state/"))]:
            left[number] = files
        if status == 0:
            break
    assert number > 20
    assert left == {}


Element = tuple[str, str, Callable[[], None]]
"""Its library, its PIN, and what makes this process see it as one that was started anew."""


@pytest.fixture(params=[pytest.param("element", marks=NEEDS_SOFTHSM), pytest.param("tpm", marks=NEEDS_SWTPM)])
def element(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Element]:
    if request.param == "tpm":
        with swtpm.board(tmp_path / "board", monkeypatch) as tpm:
            tpm.plug_in_new("TRAM")
            yield tpm.module, swtpm.PIN, lambda: swtpm.see_again(tpm)
    else:
        with drawer(tmp_path / "hsm", monkeypatch) as elements:
            elements.plug_in_new("TRAM")
            yield elements.module, PIN, lambda: see_again(elements)


def test_a_station_whose_signing_key_lies_in_a_secure_element(ward: Office, tmp_path: Path, element: Element) -> None:
    module, secret, start_anew = element
    start_anew()
    made = box(tmp_path / "a", "signing.token")
    (made.folder / "identity").mkdir()
    pin = made.folder / "identity" / "signing.pin"
    pin.write_text(secret)
    pin.chmod(0o600)
    on_element = {"token": Path(module), "token_label": "TRAM"}
    assert made.enrol(ward, ward.code("dt-01"), **on_element) == 0
    start_anew()
    assert believed(ward, new_signer()) == 0  # of who has copied the card and signs with what he has
    assert believed(ward, signing_key(made.config.trust).open()) == 2
    start_anew()
    assert identity.renew(made.config) == 0  # signed by the element
    assert "renewed dt-01" in ward.said[-1]
    start_anew()
    assert identity.factory_reset(made.config, sure=True) == 0
    assert not pin.exists()


def believed(ward: Office, key: Signer) -> int:
    """How many of two records that a key signed as the station's the headend takes."""
    ward.keyring.refresh()
    station = FakeStation(key, "dt-01", realm=REALM)
    station.play(*(replace(RECORD, job_id=f"job-{number}") for number in range(2)))
    desk = Desk(ward.keyring, Logbook(ward.keyring.directory / "records"))
    noted, _replies = desk.take(*station.log(), UtcMs(AT))
    return sum(len(one.new) for one in noted if isinstance(one, Kept))


def test_a_server_that_dawdles_holds_nobody_for_ever(tmp_path: Path) -> None:
    """Whatever comes after the deadline of the whole is not read, however soon after the byte before it."""
    made = box(tmp_path / "a")
    with office(tmp_path) as ward, Middle(tmp_path / "middle", ward.server.port) as middle:
        code, key = ward.code("dt-01"), installing.Places(made.file, made.config).tls_key
        key.make()
        csr, signer = key.request(""), new_box().signer
        with pytest.raises(asking.NoIdentity, match="too slow"):
            asking.enrol(asking.Server(middle.url, answer_s=0), code, signer, csr)
