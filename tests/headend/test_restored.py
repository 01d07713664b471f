"""A headend out of a backup: codes that were used since let nobody in, and people are told what it remembers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from edge_agent.cli import main as station_main
from edge_agent.core.units import StationId
from edge_agent.headend import pki
from edge_agent.headend.ceremonies import renew as sign_anew
from edge_agent.headend.cli import main
from edge_agent.headend.code_book import CodeBook
from edge_agent.headend.headend import utc_now
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.manifest_shelf import renew
from edge_agent.headend.manifests import paper_of
from edge_agent.headend.trust_file import document_of
from edge_agent.identity.codes import Code
from edge_agent.trust.documents import ROOT
from edge_agent.trust.strict_json import INTEGER_MAX, dump
from tests.identity.street import AREA, Office, box, office

pytestmark = pytest.mark.usefixtures("cheap_codes")

STATION = StationId("tram-01")


@pytest.fixture
def central(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as made:
        yield made


def enrol(central: Office, folder: Path, code: Code) -> int:
    return station_main(["enrol", "--server", central.url, "--code", code.typed(), "--config", str(box(folder).file)])


def restored(central: Office) -> int:
    return main(["restored", "--dir", str(central.keyring.directory)])


@pytest.mark.parametrize("told", [True, False])
def test_a_code_that_was_used_since_the_backup_lets_another_box_in_until_restored_is_run(
    central: Office, tmp_path: Path, told: bool
) -> None:
    folder, backup = central.keyring.directory, tmp_path / "backup"
    code = central.code(STATION)
    shutil.copytree(folder, backup)
    assert enrol(central, tmp_path / "first", code) == 0
    assert enrol(central, tmp_path / "second", code) == 1, "it was used"
    shutil.rmtree(folder)
    shutil.copytree(backup, folder)
    if told:
        assert restored(central) == 0
        assert CodeBook(folder).entries() == {}
    assert enrol(central, tmp_path / "thief", code) == (1 if told else 0)
    assert (STATION in Keyring(folder).stations) is not told


def test_a_code_that_was_used_before_the_backup_is_taken_back_like_the_others(central: Office, tmp_path: Path) -> None:
    code = central.code(STATION)
    assert enrol(central, tmp_path / "first", code) == 0
    assert restored(central) == 0
    assert CodeBook(central.keyring.directory).entries() == {}


def test_what_the_folder_remembers_is_told_to_be_compared_with_the_paper(
    central: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    central.code(STATION)
    certificate = central.keyring.enrol("tram-02", AREA).tls.certificate
    pki.revoke(central.keyring.directory / "pki", x509.load_pem_x509_certificates(certificate.read_bytes()))
    central.keyring.serials.next("ward", utc_now())
    assert restored(central) == 0
    told = capsys.readouterr().out
    assert f"every code is taken back, of: {STATION}\n" in told
    assert f"văn bản ủy quyền / trust document {AREA}, kỳ / epoch 1, phiên bản / version 1, " in told
    assert "văn bản ủy quyền / trust document gốc / root, phiên bản / version 1, " in told
    assert "lệnh sau cùng / the last order: ward, số / serial " in told
    assert "trạm / stations: 1: tram-02\n" in told
    assert "chứng thư đã thu hồi / certificates taken back: 1, sau cùng / the last " in told
    places = [told.index(f"`{task}`") for task in ("trust take", "publish", "remove-station", "codes new")]
    assert places == sorted(places)


def test_manifests_are_counted_anew_for_nobody_knows_what_was_given_out(central: Office) -> None:
    folder = central.keyring.directory
    central.keyring.enrol("tram-01", AREA)
    renew(Keyring(folder), folder / "content", utc_now())
    before = json.loads((folder / "manifests.json").read_bytes())
    assert restored(central) == 0
    after = json.loads((folder / "manifests.json").read_bytes())
    assert after["epoch"] > before["epoch"]
    assert after["scopes"].keys() == before["scopes"].keys() != set()


def test_documents_that_the_backup_has_not_are_taken_from_the_shelf_of_another_machine(
    central: Office, tmp_path: Path
) -> None:
    folder, shelf = central.keyring.directory, tmp_path / "shelf"
    central.keyring.enrol("tram-01", AREA)
    shutil.copytree(folder, tmp_path / "backup")
    for area in (ROOT, AREA):
        sign_anew(central.keyring, area, utc_now(), sure=True)
    renew(Keyring(folder), shelf, utc_now())
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "backup", folder)
    assert restored(central) == 0
    signed = central.keyring.documents
    (of_ward,) = [paper_of(envelope).envelope for envelope in signed if document_of(envelope).area == AREA]
    papers = [str(shelf / "root" / "2"), str(shelf / "paper" / of_ward)]
    assert main(["trust", "take", *papers, "--dir", str(folder)]) == 0
    assert Keyring(folder).documents == signed


def test_a_number_that_no_clock_has_given_is_told_without_an_hour(
    central: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    (central.keyring.directory / "serials.json").write_bytes(dump({"ward": INTEGER_MAX}))
    assert restored(central) == 0
    assert f"ward, số / serial {INTEGER_MAX}, khoảng / about –\n" in capsys.readouterr().out


def test_a_folder_in_which_there_is_nothing_yet_is_told_about_as_well(
    central: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restored(central) == 0
    told = capsys.readouterr().out
    assert "every code is taken back, of: –\n" in told
    assert "trạm / stations: 0: –\n" in told
    assert "taken back: 0, sau cùng / the last –\n" in told
