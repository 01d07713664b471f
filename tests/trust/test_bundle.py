"""The trust file and what a station has kept: it goes on from the newer of both, and rot is no way back."""

from __future__ import annotations

import json

import pytest

from edge_agent.trust.bundle import DOCUMENTS_MAX, FILE_BYTES_MAX, believe, read_document, read_file, write_file
from edge_agent.trust.documents import ROOT
from edge_agent.trust.strict_json import WireError
from tests.trust.delegation import HANOI, PROVINCE_1, ROOT_1, WARD_1, root, ward
from tests.trust.makers import AREA, NOON, make_site, signed_trust

AREAS = make_site().areas()
FILE = write_file([ROOT_1, PROVINCE_1, WARD_1])
ROOT_2 = signed_trust(root(2), "holder")
WARD_2 = signed_trust(ward(2), HANOI)


def versions(*kept: bytes, file: bytes = FILE) -> dict[str, int]:
    return {held.document.area: held.document.version for held in believe(file, kept, AREAS).standing}


def test_a_trust_file_reads_back_as_the_documents_that_it_holds() -> None:
    assert read_file(FILE) == (ROOT_1, PROVINCE_1, WARD_1)
    assert read_document(WARD_1).area == AREA
    assert versions() == {ROOT: 1, "vn/ha-noi": 1, AREA: 1}


def test_a_station_goes_on_from_what_it_has_kept_where_that_is_newer() -> None:
    assert versions(WARD_2) == {ROOT: 1, "vn/ha-noi": 1, AREA: 2}
    assert versions(ROOT_2, WARD_2) == {ROOT: 2, "vn/ha-noi": 1, AREA: 2}


def test_of_two_roots_of_one_version_the_files_counts() -> None:
    other = signed_trust(root(1, issued_at=NOON), "holder")
    assert believe(FILE, [other], AREAS).newest[ROOT].envelope == ROOT_1


def test_a_newer_file_brings_what_the_station_has_missed() -> None:
    newer = write_file([ROOT_1, ROOT_2, PROVINCE_1, WARD_2])
    assert versions(WARD_1, file=newer) == {ROOT: 2, "vn/ha-noi": 1, AREA: 2}


def test_an_older_file_takes_nothing_back() -> None:
    assert versions(ROOT_2, PROVINCE_1, WARD_2) == {ROOT: 2, "vn/ha-noi": 1, AREA: 2}


@pytest.mark.parametrize("rotten", [b"", b"\x00" * 40, ROOT_2[:-30], ROOT_2.replace(b'"sig":"', b'"sig":"AAAA')])
def test_a_rotten_document_is_as_if_it_had_not_come(rotten: bytes) -> None:
    assert versions(rotten, WARD_2) == {ROOT: 1, "vn/ha-noi": 1, AREA: 2}


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (write_file([WARD_1]), "root.area"),
        (write_file([signed_trust(root(), "stranger")]), "root.signatures"),
        (json.dumps({"type": "trust", "documents": []}).encode(), "type"),
        (json.dumps({"type": "trust-file", "documents": []}).encode(), "documents"),
        (write_file([ROOT_1] * (DOCUMENTS_MAX + 1)), "documents"),
        (FILE.ljust(FILE_BYTES_MAX + 1), "at most"),
        (b"{", "JSON"),
    ],
)
def test_a_file_without_a_good_root_is_refused_by_name(file: bytes, says: str) -> None:
    with pytest.raises(WireError, match=says):
        believe(file, (), AREAS)
