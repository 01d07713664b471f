"""Two wards of one province: a folder for each, whose documents never meet, and a key that both stand below."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from edge_agent.headend.keyring import Keyring
from edge_agent.trust.documents import ROOT
from tests.headend.holders import NAMES, OFFICERS, PROVINCE, SITE, WARD, Places, believes, read_first

SECOND = "vn/ha-noi/xa-hai"


def second_ward(places: Places) -> Path:
    """Its folder, its servers' keys and the public keys of its officers, who are called as the first ward's are."""
    folder, handed = places.place / "ward2", places.place / "handed2"
    places.run("keys", "init", "--dir", folder, "--realm", "loa-vn", "--area", SECOND, "--apart")
    handed.mkdir()
    for name in (one for one in OFFICERS if one.startswith("ward-")):
        places.run("keys", "new", "--dir", places.place / f"second-{name}", "--key", name, "--plain")
        shutil.copyfile(places.place / f"second-{name}" / "public" / f"{name}.json", handed / f"{name}.json")
    return folder


def test_a_second_ward_of_the_province_has_a_folder_of_its_own_and_lives_on_when_the_provinces_key_is_replaced(
    places: Places,
) -> None:
    drafts = places.begin()
    places.finish(drafts)
    second, out = second_ward(places), places.place / "drafts2"
    root, province = drafts / NAMES[ROOT], drafts / NAMES[PROVINCE]
    places.trust("take", "ward2", root, province, "--first", read_first(places))
    places.trust("draft", "ward2", "--first", SECOND, "--public", places.place / "handed2", "--out", out)
    servers = [f"{name}={second / 'public' / name}-1.json" for name in ("welcome", "ack", "head")]
    added = [word for one in servers for word in ("--add", one)]
    places.trust("draft", "ward2", "--area", "root", *added, "--yes", "--out", out)
    next_root, ward = out / NAMES[ROOT], out / "vn.ha-noi.xa-hai.json"
    for holder in ("root-1", "root-2"):
        places.sign(next_root, holder)
    places.sign(ward, "ha-noi-trust-1")
    places.trust("take", "ward2", next_root, ward)
    places.trust("take", "ward", next_root)
    of_second = replace(SITE, area=SECOND)
    assert believes(second, of_second) == [(ROOT, 2), (PROVINCE, 1), (SECOND, 1)]
    assert believes(places.place / "ward") == [(ROOT, 2), (PROVINCE, 1), (WARD, 1)]
    for folder in (second, places.place / "ward"):
        keyring = Keyring(folder)
        assert keyring.signer("welcome").public in keyring.server_keys, "its server may answer stations"

    places.make_key("ha-noi-trust-2")
    places.trust("take", "national-trust-1", next_root)
    lost = f"ha-noi-trust-1={places.handed / 'ha-noi-trust-2.json'}"
    replaced = places.draft("--replace", lost, "--yes", out="lost")
    places.sign(replaced / NAMES[PROVINCE], "national-trust-1")
    everything = [root, next_root, replaced / NAMES[PROVINCE]]
    places.trust("take", "ha-noi-trust-2", *everything, "--first", read_first(places))
    places.sign(replaced / NAMES[WARD], "ha-noi-trust-2")
    places.trust("take", "ward", replaced / NAMES[PROVINCE], replaced / NAMES[WARD])
    assert f"must be signed anew: {SECOND}" in places.trust("take", "ward2", replaced / NAMES[PROVINCE])
    places.trust("draft", "ward2", "--area", SECOND, "--out", places.place / "anew")
    anew = places.place / "anew" / ward.name
    places.sign(anew, "ha-noi-trust-2")
    places.trust("take", "ward2", anew)
    assert believes(second, of_second) == [(ROOT, 2), (PROVINCE, 2), (SECOND, 1)]
    assert believes(places.place / "ward") == [(ROOT, 2), (PROVINCE, 2), (WARD, 1)]


def test_a_server_of_many_wards_has_its_keys_in_the_folder_of_each(places: Places) -> None:
    """As the root's document has no room for three keys of every ward of a province."""
    drafts = places.begin()
    places.finish(drafts)
    second = second_ward(places)
    for name in ("welcome-1", "ack-1", "head-1"):
        shutil.copyfile(places.place / "ward" / "keys" / f"{name}.pem", second / "keys" / f"{name}.pem")
    first = [drafts / NAMES[area] for area in (ROOT, PROVINCE)]
    places.trust("take", "ward2", *first, "--first", read_first(places))
    keyring = Keyring(second)
    assert {keyring.signer(name).public for name in ("welcome", "ack", "head")} == keyring.server_keys


def test_the_documents_of_two_wards_do_not_come_into_one_folder(places: Places) -> None:
    places.finish(places.begin())
    second_ward(places)
    public, out = ("--public", places.place / "handed2"), ("--out", places.place / "drafts2")
    before = {path: path.read_bytes() for path in (places.place / "ward").rglob("*.json")}
    told = places.trust("draft", "ward", "--first", SECOND, *public, *out, status=1)
    assert f"here is already {WARD}; mỗi xã một thư mục / one folder per ward" in told
    told = places.trust("draft", "ward", "--area", WARD, *public, *out, status=1)
    assert "ward-emergency-1.json: là của khóa khác cùng tên / is of another key of that name" in told
    first = [places.place / "drafts" / NAMES[area] for area in (ROOT, PROVINCE)]
    places.trust("take", "ward2", *first, "--first", read_first(places))
    places.trust("draft", "ward2", "--first", SECOND, *public, *out)
    document = places.place / "drafts2" / "vn.ha-noi.xa-hai.json"
    places.sign(document, "ha-noi-trust-1")
    for holder in ("ward", "ha-noi-trust-1"):
        assert "one folder per ward" in places.trust("take", holder, document, status=1)
    assert {path: path.read_bytes() for path in (places.place / "ward").rglob("*.json")} == before
