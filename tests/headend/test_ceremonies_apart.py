"""Every key with its holder, in his own folder: what is signed apart is believed, what somebody slipped in is not."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge_agent.core.units import DAY_MS, MINUTE_MS
from edge_agent.headend.headend import utc_now
from edge_agent.headend.key_files import LockedKey
from edge_agent.headend.key_folder import KeyFolder
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.passphrases import FILE_VARIABLE, NEW_FILE_VARIABLE
from edge_agent.headend.public_files import fingerprint, read_public
from edge_agent.headend.trust_words import differences
from edge_agent.trust.bundle import read_document, write_file
from edge_agent.trust.documents import ROOT
from tests.headend.holders import NAMES, PROVINCE, ROOTS, WARD, Places, believes, read_first
from tests.host.softhsm import NEEDS_SOFTHSM, PIN, Drawer, drawer, see_again

Alter = Callable[[dict[str, object]], object]


@pytest.fixture
def tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drawer]:
    with drawer(tmp_path / "hsm", monkeypatch) as made:
        made.plug_in_new("LOA-GOC")
        see_again(made)
        yield made


def altered(file: Path, alter: Alter) -> None:
    """Somebody's hand on the way: the payload is another one, the signatures stay."""
    written = json.loads(file.read_bytes())
    payload = json.loads(base64.b64decode(written["payload"]))
    alter(payload)
    text = json.dumps(payload, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    written["payload"] = base64.b64encode(text.encode()).decode()
    file.write_text(json.dumps(written))


def test_keys_in_ten_places_make_a_network_that_a_station_believes(places: Places) -> None:
    places.finish(places.begin())
    assert believes(places.place / "ward") == [(ROOT, 1), (PROVINCE, 1), (WARD, 1)]
    keyring = Keyring(places.place / "ward")
    assert keyring.keys.names() == ["ack-1", "head-1", "welcome-1"], "no officer's key lies at the headend"
    assert {role.name for role in keyring.trust.roles} >= {"welcome", "province", "ward-routine", "ward-emergency"}


@NEEDS_SOFTHSM[0]
@pytest.mark.host
def test_a_token_a_locked_file_and_a_p256_key_hold_one_root(
    places: Places, tokens: Drawer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text(PIN)
    for variable in (FILE_VARIABLE, NEW_FILE_VARIABLE):
        monkeypatch.setenv(variable, str(secret))
    places.make_key("root-1", "--token", tokens.module, "--token-label", "LOA-GOC")
    see_again(tokens)
    places.make_key("root-2", "--encrypt")
    places.make_key("root-3", "--plain", "--scheme", "ecdsa-p256")
    drafts = places.begin()
    shown = places.sign(drafts / NAMES[ROOT], "root-2")
    assert "1/2 chữ ký" in shown
    places.finish(drafts)
    assert believes(places.place / "ward")[0] == (ROOT, 1)
    signed = json.loads((drafts / NAMES[ROOT]).read_bytes())["signatures"]
    assert len(signed) == 3, "all three kinds of key, one after the other"


def test_copies_signed_apart_are_merged_in_any_order(places: Places) -> None:
    root = places.begin() / NAMES[ROOT]
    copies = [Path(shutil.copyfile(root, places.place / f"{holder}.json")) for holder in ("root-1", "root-2")]
    for copy in copies:
        places.sign(copy, copy.stem)
    there, back = places.place / "there.json", places.place / "back.json"
    merged = places.trust("merge", "ward", *copies, "--out", there)
    assert "2/2 chữ ký" in merged
    (read_out,) = [line for line in merged.splitlines() if line.startswith("mã văn bản")]
    assert read_out in places.trust("show", "ward", there)
    places.trust("merge", "ward", *reversed(copies), there, "--out", back)
    assert there.read_bytes() == back.read_bytes()


def test_what_is_signed_or_merged_is_written_over_nothing_but_less_of_itself(places: Places) -> None:
    root = places.begin() / NAMES[ROOT]
    first, both = (Path(shutil.copyfile(root, places.place / name)) for name in ("first.json", "both.json"))
    places.sign(first, "root-1")
    for holder in ("root-1", "root-2"):
        places.sign(both, holder)
    other = Path(shutil.copyfile(places.place / "drafts" / NAMES[WARD], places.place / "other.json"))
    private, trust = places.place / "root-3" / "keys" / "root-3.pem", places.place / "trust.json"
    trust.write_bytes(write_file([root.read_bytes()]))
    nowhere = places.place / "nowhere.json"
    nowhere.symlink_to(places.place / "gone.json")
    for out in (both, private, trust, other, nowhere, places.handed):
        before = out.read_bytes() if out.is_file() else b""
        merging = places.trust("merge", "ward", first, root, "--out", out, status=1)
        signing = places.trust("sign", "root-3", first, "--key", "root-3", "--out", out, status=1)
        assert f"--out {out}: đã có" in merging
        assert f"--out {out}: đã có" in signing
        assert (out.read_bytes() if out.is_file() else b"") == before
    places.trust("sign", "root-3", first, "--key", "root-3", "--out", first)
    places.trust("merge", "ward", first, both, "--out", both)
    assert len(json.loads(both.read_bytes())["signatures"]) == 3


def test_a_lost_root_key_and_a_lost_delegates_key_are_replaced_apart(places: Places) -> None:
    places.finish(places.begin())
    places.make_key("root-4")
    drafts = places.draft("--replace", f"root-2={places.handed / 'root-4.json'}", "--yes", out="lost-root")
    root = drafts / NAMES[ROOT]
    assert [path.name for path in drafts.iterdir()] == [root.name]
    said = places.sign(root, "root-1")
    gone = read_public(places.handed / "root-2.json")[1].keyid
    assert any(line.startswith(f"  - bớt / removed   keys.{fingerprint(gone)}.") for line in said.splitlines())
    assert f"keys.root-2 ({fingerprint(gone)})." in places.trust("show", "ward", root)
    assert gone not in said, "nobody compares 64 letters in a row with a paper"
    places.trust("take", "root-4", places.place / "drafts" / NAMES[ROOT], "--first", read_first(places))
    places.sign(root, "root-4")
    missing = places.trust("take", "ward", root, status=1)
    assert "1/2 chữ ký" in missing, "the new holder's is none of the root before it"
    places.sign(root, "root-3")
    places.trust("take", "ward", root)
    assert believes(places.place / "ward")[0] == (ROOT, 2)

    places.make_key("ha-noi-trust-2")
    places.trust("take", "national-trust-1", root)
    lost = f"ha-noi-trust-1={places.handed / 'ha-noi-trust-2.json'}"
    drafts = places.draft("--replace", lost, "--yes", out="lost-delegate")
    province, ward = drafts / NAMES[PROVINCE], drafts / NAMES[WARD]
    places.sign(province, "national-trust-1")
    everything = [places.place / "drafts" / NAMES[ROOT], root, province]
    places.trust("take", "ha-noi-trust-2", *everything, "--first", read_first(places))
    assert "KHÔNG có trong" in places.trust("sign", "ha-noi-trust-2", ward, "--key", stray(places), status=1)
    places.sign(ward, "ha-noi-trust-2")
    before = (places.place / "ward" / "trust.json").read_bytes()
    torn = Path(shutil.copyfile(places.place / "drafts" / NAMES[WARD], places.place / "torn.json"))
    altered(torn, lambda payload: payload.update(version=9))
    places.trust("take", "ward", province, torn, status=1)
    assert (places.place / "ward" / "trust.json").read_bytes() == before, "all of it, or nothing"
    places.trust("take", "ward", province, ward)
    assert believes(places.place / "ward") == [(ROOT, 2), (PROVINCE, 2), (WARD, 1)]
    assert "sign" in places.trust("sign", "ha-noi-trust-1", ward, "--key", "ha-noi-trust-1", status=1)


def test_a_date_that_is_another_one_is_told_as_people_read_it() -> None:
    before, after = {"expires": 1_803_799_106_656}, {"expires": 1_803_885_506_656}
    told = list(differences(before, after, {}, ZoneInfo("Asia/Ho_Chi_Minh")))
    assert told == ["  ~ đổi / changed   expires: 28/02/2027 14h18:26 → 01/03/2027 14h18:26"]


def stray(places: Places) -> str:
    """Another key in that holder's folder."""
    places.run("keys", "new", "--dir", places.place / "ha-noi-trust-2", "--key", "other-1", "--plain")
    return "other-1"


def test_a_holder_is_added_and_one_more_must_sign(places: Places) -> None:
    places.finish(places.begin())
    places.make_key("root-4")
    added = ("--add", f"root={places.handed / 'root-4.json'}", "--threshold", "root=3")
    root = places.draft("--area", "root", *added, "--yes", out="added") / NAMES[ROOT]
    for holder in ("root-1", "root-2"):
        places.sign(root, holder)
    assert "2/3 chữ ký" in places.trust("take", "ward", root, status=1)
    places.sign(root, "root-3")
    places.trust("take", "ward", root)
    document = Keyring(places.place / "ward").chain.newest[ROOT].document
    assert document.signers is not None
    assert (len(document.signers.keys), document.signers.threshold) == (4, 3)


def test_a_draft_changed_after_the_first_signature(places: Places) -> None:
    root = places.begin() / NAMES[ROOT]
    places.sign(root, "root-1")
    altered(root, lambda payload: payload.update(expires=payload["expires"] - 1))  # type: ignore[operator]
    assert "it was changed after it was signed" in places.sign(root, "root-2", status=1)
    assert "it was changed after it was signed" in places.trust("show", "ward", root, status=1)


def test_a_draft_of_a_clock_that_runs_ahead_or_behind_is_neither_signed_nor_taken(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    places.finish(places.begin())
    area, now = places.draft("--area", WARD, out="renewed") / NAMES[WARD], utc_now()
    for elsewhere in (now - 10 * MINUTE_MS, now + 90 * DAY_MS):
        monkeypatch.setattr("edge_agent.headend.cli.trust_apart.utc_now", lambda utc=elsewhere: utc)
        assert "whose clock is wrong?" in places.sign(area, "ha-noi-trust-1", status=1)
    monkeypatch.undo()
    assert json.loads(area.read_bytes())["signatures"] == []
    places.sign(area, "ha-noi-trust-1")
    monkeypatch.setattr("edge_agent.headend.cli.trust_apart.utc_now", lambda: now - 10 * MINUTE_MS)
    assert "whose clock is wrong?" in places.trust("take", "ward", area, status=1)
    assert believes(places.place / "ward")[-1] == (WARD, 1)
    assert "whose clock is wrong?" in places.trust("draft", "ward", "--area", WARD, "--out", places.place, status=1)


def test_a_root_that_is_out_of_date_is_still_the_step_to_the_next_one(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody who is new could sign the next root otherwise."""
    root = places.begin() / NAMES[ROOT]
    for holder in ("root-1", "root-2"):
        places.sign(root, holder)
    read_out, years_later = places.read_out(root), utc_now() + 900 * DAY_MS
    monkeypatch.setattr("edge_agent.headend.cli.trust_apart.utc_now", lambda: years_later)
    assert "whose clock is wrong?" in places.sign(root, "root-3", status=1)
    places.trust("take", "root-3", root, "--first", read_out)
    again = ("--area", "root", "--out", places.place / "next")
    assert "add --yes" in places.trust("draft", "root-3", *again, status=1)
    places.trust("draft", "root-3", *again, "--yes")
    places.sign(places.place / "next" / NAMES[ROOT], "root-3")


def test_a_root_from_the_future_is_taken_where_somebody_has_looked_at_the_clock_as_the_step_to_the_next_one(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stations have it: whoever signs or serves the next one needs it as well."""
    places.finish(places.begin())
    now = utc_now()
    with monkeypatch.context() as ahead:
        ahead.setattr("edge_agent.headend.cli.trust_apart.utc_now", lambda: now + 30 * DAY_MS)
        wrong = places.draft("--area", "root", "--yes", out="wrong") / NAMES[ROOT]
        for holder in ("root-1", "root-2"):
            places.sign(wrong, holder)
    for holder in ("ward", "root-1", "root-2"):
        assert "if stations have it already, add --yes" in places.trust("take", holder, wrong, status=1)
        places.trust("take", holder, wrong, "--yes")
    right = places.draft("--area", "root", "--yes", out="right") / NAMES[ROOT]
    for holder in ("root-1", "root-2"):
        places.sign(right, holder)
    places.trust("take", "ward", right)
    places.trust("take", "root-3", wrong, right, "--yes")
    assert believes(places.place / "ward")[0] == believes(places.place / "root-3")[0] == (ROOT, 3)
    area = places.draft("--area", WARD, "--yes", out="area") / NAMES[WARD]
    altered(area, lambda payload: payload.update(issued_at=now + DAY_MS, expires=now + 2 * DAY_MS))
    monkeypatch.setattr("edge_agent.headend.cli.trust_apart.utc_now", lambda: now + DAY_MS)
    places.sign(area, "ha-noi-trust-1")
    monkeypatch.undo()
    assert "whose clock is wrong?" in places.trust("take", "ward", area, "--yes", status=1), "no station has an area's"


def test_an_epoch_that_no_root_can_have_is_not_signed(places: Places) -> None:
    """The two who sign would have ended the numbers of epochs for whoever comes after them."""
    first = Path(shutil.copyfile(places.begin() / NAMES[ROOT], places.place / "first.json"))
    altered(first, lambda payload: payload["delegates"].update(epoch=2**53 - 1))  # type: ignore[attr-defined]
    assert "delegates.epoch: at most issued_at" in places.sign(first, "root-1", status=1)
    places.finish(places.place / "drafts")
    root = places.draft("--area", "root", "--yes", out="next") / NAMES[ROOT]
    altered(root, lambda payload: payload["delegates"].update(epoch=2**53 - 1))  # type: ignore[attr-defined]
    assert "one more than in the root before it" in places.sign(root, "root-1", status=1)


def test_the_same_key_twice(places: Places) -> None:
    root = places.begin() / NAMES[ROOT]
    places.sign(root, "root-1")
    assert "đã ký văn bản này" in places.sign(root, "root-1", status=1)
    written = json.loads(root.read_bytes())
    written["signatures"] *= 2
    root.write_text(json.dumps(written))
    told = places.trust("take", "ward", root, "--first", places.read_out(root), status=1)
    assert "chưa đủ chữ ký / too few signatures: 1/2" in told
    assert "signed: root-1 (" in told


def test_a_signature_of_another_draft(places: Places) -> None:
    root = places.begin() / NAMES[ROOT]
    other = Path(shutil.copyfile(root, places.place / "other.json"))
    altered(other, lambda payload: payload.update(expires=payload["expires"] - 1))  # type: ignore[operator]
    places.sign(root, "root-1")
    places.sign(other, "root-2")
    assert "two DIFFERENT documents" in places.trust("merge", "ward", root, other, "--out", "x.json", status=1)
    grafted, written = (json.loads(file.read_bytes()) for file in (other, root))
    written["signatures"] += grafted["signatures"]
    root.write_text(json.dumps(written))
    assert "is not of this document" in places.sign(root, "root-3", status=1)


def test_a_draft_whose_version_is_not_the_next(places: Places) -> None:
    places.finish(places.begin())
    root = places.draft("--area", "root", "--yes", out="next") / NAMES[ROOT]
    altered(root, lambda payload: payload.update(version=1))
    assert "must be 2, draft it anew" in places.sign(root, "root-1", status=1)
    area = places.draft("--area", WARD, out="next-ward") / NAMES[WARD]
    altered(area, lambda payload: payload.update(version=1))
    assert "there is 1 already" in places.sign(area, "ha-noi-trust-1", status=1)


@pytest.mark.parametrize(("version", "between"), [(3, "2"), (5, "2 – 4")])
def test_a_holder_who_is_versions_behind_is_told_to_take_them_and_not_that_the_draft_is_wrong(
    places: Places, version: int, between: str
) -> None:
    places.finish(places.begin())
    root = places.draft("--area", "root", "--yes", out="next") / NAMES[ROOT]
    altered(root, lambda payload: payload.update(version=version))
    told = places.sign(root, "root-1", status=1)
    assert "thư mục này mới có 1, nhận bản ở giữa trước" in told
    assert f"`trust take` what is between first: {between}" in told
    assert "draft it anew" not in told


def test_a_holder_whose_level_above_is_in_a_newer_epoch_is_told_to_take_it_and_not_that_the_draft_is_wrong(
    places: Places,
) -> None:
    places.finish(places.begin())
    area = places.draft("--area", WARD, out="next") / NAMES[WARD]
    altered(area, lambda payload: payload.update(epoch=9))
    told = places.sign(area, "ha-noi-trust-1", status=1)
    assert "this folder has an older document of the level above" in told
    assert f"`trust take` the new one first: {NAMES[PROVINCE]}" in told
    assert "draft it anew" not in told


def test_a_holder_without_the_document_right_above_is_told_to_take_it_and_not_that_a_key_was_swapped(
    places: Places,
) -> None:
    """The page told the province's holder to take the root's alone."""
    drafts = places.begin()
    root = drafts / NAMES[ROOT]
    for holder in ("root-1", "root-2"):
        places.sign(root, holder)
    places.trust("take", "ha-noi-trust-1", root, "--first", places.read_out(root))
    told = places.sign(drafts / NAMES[WARD], "ha-noi-trust-1", status=1)
    assert f"thư mục này chưa có văn bản của {PROVINCE}, cấp ngay trên" in told
    assert f"first: `trust take {NAMES[PROVINCE]}`" in told
    assert "swapped" not in told


def test_the_nation_does_not_sign_a_wards_document_by_mistake(places: Places) -> None:
    """It was told 1/1, and the file was dead for everybody."""
    drafts = places.begin()
    root, ward = drafts / NAMES[ROOT], drafts / NAMES[WARD]
    for holder in ("root-1", "root-2"):
        places.sign(root, holder)
    read_out = places.read_out(root)
    places.trust("take", "national-trust-1", root, "--first", read_out)
    before = ward.read_bytes()
    told = places.sign(ward, "national-trust-1", status=1)
    assert f"thư mục này chưa có văn bản của {PROVINCE}" in told
    assert "mạng không có văn bản đó thì thêm --yes" in told
    assert ward.read_bytes() == before
    # Who means it, in a network without that level, may; who has signed by mistake is told by whom it is, below.
    places.trust("sign", "national-trust-1", ward, "--key", "national-trust-1", "--yes")
    places.sign(drafts / NAMES[PROVINCE], "national-trust-1")
    places.trust("take", "ha-noi-trust-1", root, drafts / NAMES[PROVINCE], "--first", read_out)
    assert "khóa không được ký văn bản này" in places.sign(ward, "ha-noi-trust-1", status=1)


def test_a_document_that_is_signed_and_looked_at_without_the_one_above_says_which_is_missing(places: Places) -> None:
    drafts = places.begin()
    places.finish(drafts)
    root, ward = drafts / NAMES[ROOT], drafts / NAMES[WARD]
    places.run("keys", "new", "--dir", places.place / "late", "--key", "late-1", "--plain")
    places.trust("take", "late", root, "--first", places.read_out(root))
    told = places.trust("show", "late", ward, status=1)
    assert "khóa không được ký văn bản này" in told
    assert f"first: `trust take {NAMES[PROVINCE]}`" in told


@pytest.mark.parametrize(
    "typed", ["", "MÃ VĂN BẢN GỐC", "FINGERPRINT OF THE ROOT", " ".join(["8bed"] * 15), " ".join(["8bed"] * 17)]
)
def test_a_fingerprint_that_is_none_is_no_alarm(places: Places, typed: str) -> None:
    root = places.begin() / NAMES[ROOT]
    for holder in ("root-1", "root-2"):
        places.sign(root, holder)
    told = places.trust("take", "ward", root, "--first", typed, status=1)
    assert "--first: phải là 16 nhóm 4 ký tự" in told
    assert "KHÔNG khớp" not in told


def test_a_swapped_key_file_that_was_drafted_with_is_corrected_as_the_message_says(places: Places) -> None:
    paper = {name: places.make_key(name) for name in ROOTS}
    good = (places.handed / "root-3.json").read_bytes()
    places.run("keys", "new", "--dir", places.place / "thief", "--key", "root-3", "--plain")
    shutil.copyfile(places.place / "thief" / "public" / "root-3.json", places.handed / "root-3.json")
    places.begin()
    (places.handed / "root-3.json").write_bytes(good)
    kept = places.place / "ward" / "public" / "root-3.json"
    again = ("--first", WARD, "--realm", "loa-vn", "--public", places.handed, "--out", places.place / "again")
    told = places.trust("draft", "ward", *again, "--public", kept.parent, status=1)
    stolen = fingerprint(read_public(kept)[1].keyid)
    assert f"{places.handed / 'root-3.json'} ({paper['root-3']}), {kept} ({stolen})" in told
    assert "so với giấy, xóa tệp không khớp, soạn lại" in told
    kept.unlink()
    places.trust("draft", "ward", *again, "--public", kept.parent)


def test_what_cannot_be_added_is_told_with_the_option_that_names_its_file(places: Places) -> None:
    places.finish(places.begin())
    file = places.handed / "ward-routine-1.json"
    out = ("--out", places.place / "out")
    told = places.trust("draft", "ward", "--area", WARD, "--add", f"ward-routine={file}", *out, status=1)
    assert f"--add ward-routine={file}: khóa này đã có trong / this key is already in ward-routine" in told
    other = places.handed / "ward-policy-1.json"
    told = places.trust(
        "draft",
        "ward",
        "--area",
        "root",
        "--add",
        f"welcome={file}",
        "--add",
        f"ack={other}",
        "--threshold",
        "welcome=8",
        "--yes",
        *out,
        status=1,
    )
    assert f"--add welcome={file} --add ack={other} --threshold welcome=8: văn bản ủy quyền sai" in told


def test_a_document_beyond_its_parent_is_not_signed(places: Places) -> None:
    places.finish(places.begin())
    area = places.draft("--area", WARD, out="wide") / NAMES[WARD]
    altered(area, lambda payload: payload["roles"][0]["limits"].update(areas=["vn/hue"]))  # type: ignore[index]
    assert "beyond what the level above grants" in places.sign(area, "ha-noi-trust-1", status=1)


def test_somebody_elses_public_key_file_is_swapped_in(places: Places) -> None:
    paper = {name: places.make_key(name) for name in ROOTS}
    places.run("keys", "new", "--dir", places.place / "thief", "--key", "root-2", "--plain")
    shutil.copyfile(places.place / "thief" / "public" / "root-2.json", places.handed / "root-2.json")
    root = places.begin() / NAMES[ROOT]
    shown = places.trust("show", "root-1", root)
    assert paper["root-1"] in shown
    assert paper["root-2"] not in shown, "who compares what is shown with the paper sees it"
    assert fingerprint(read_public(places.handed / "root-2.json")[1].keyid) in shown
    told = places.sign(root, "root-2", status=1)
    assert paper["root-2"] in told
    assert "Was its public key file swapped?" in told


def test_a_root_that_nobody_read_out_is_not_taken(places: Places) -> None:
    root = places.begin() / NAMES[ROOT]
    for holder in ("root-1", "root-2"):
        places.sign(root, holder)
    assert "is NOT this root's fingerprint" in places.trust("take", "ward", root, "--first", "00" * 32, status=1)
    assert "has no root yet" in places.trust("take", "ward", root, status=1)
    assert not (places.place / "ward" / "trust.json").exists()


def test_below_the_root_nobody_signs_before_he_has_taken_what_is_above(places: Places) -> None:
    drafts = places.begin()
    assert "`trust take` those above it first" in places.sign(drafts / NAMES[PROVINCE], "national-trust-1", status=1)
    places.finish(drafts)
    assert read_document((drafts / NAMES[WARD]).read_bytes()).area == WARD


def test_a_draft_is_refused_where_it_is_meant_wrongly(places: Places) -> None:
    drafts = places.begin()
    out = ("--out", places.place / "out")
    assert "no document is here" in places.trust("draft", "ward", "--area", "root", *out, status=1)
    servers = [places.place / "ward" / "public" / f"{name}-1.json" for name in ("welcome", "ack", "head")]
    few = [*servers, *(places.handed / f"{name}.json" for name in ("root-1", "national-trust-1"))]
    lacking = ("--first", WARD, "--realm", "loa-vn", *(word for path in few for word in ("--public", path)), *out)
    assert "public key files are missing: root-1 … root-3" in places.trust("draft", "ward", *lacking, status=1)
    assert "--realm" in places.trust("draft", "ward", "--first", WARD, *out, status=1)
    places.finish(drafts)
    assert "which document?" in places.trust("draft", "ward", *out, status=1)
    wrong = ("--area", "root", "--add", f"nobody={places.handed / 'root-1.json'}", "--yes", *out)
    assert "there are" in places.trust("draft", "ward", *wrong, status=1)
    assert "write it as NAME=" in places.trust("draft", "ward", "--area", "root", "--threshold", "root", *out, status=1)
    assert "from 1 to 8" in places.trust("draft", "ward", "--area", "root", "--threshold", "root=9", *out, status=1)
    gone = f"nobody={places.handed / 'root-1.json'}"
    assert "which key?" in places.trust("draft", "ward", "--replace", gone, *out, status=1)
    again = ("--area", "root", "--out", drafts, "--yes")
    assert "somebody may have signed it" in places.trust("draft", "ward", *again, status=1)


def test_a_key_of_a_name_that_is_another_ones_here_is_not_made(places: Places) -> None:
    places.begin()
    told = places.run("keys", "new", "--dir", places.place / "ward", "--key", "root-1", "--plain", status=1)
    assert "is of another key of that name" in told
    assert "root-1" not in KeyFolder(places.place / "ward" / "keys").names()


def test_a_key_whose_making_was_broken_off_before_its_public_half_is_handed_out_all_the_same(places: Places) -> None:
    places.make_key("root-1")
    public = places.place / "root-1" / "public" / "root-1.json"
    written = public.read_bytes()
    public.unlink()
    places.run("keys", "new", "--dir", places.place / "root-1", "--key", "root-1", "--plain")
    assert public.read_bytes() == written


@pytest.mark.usefixtures("cheap_keys")
def test_an_open_key_is_not_taken_for_the_locked_one_that_was_asked_for(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its making was broken off before its public half was written, and it stayed open."""
    places.make_key("root-1")
    folder = places.place / "root-1"
    (folder / "public" / "root-1.json").unlink()
    new, protect = (("keys", what, "--dir", folder, "--key", "root-1") for what in ("new", "protect"))
    told = places.run(*new, "--encrypt", status=1)
    assert f"keys protect --dir {folder} --key root-1" in told
    assert "exists, as a file" in places.run(*new, "--token", "/t.so", "--token-label", "LOA-GOC", status=1)
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text("trăng sáng vườn chè")
    monkeypatch.setenv(NEW_FILE_VARIABLE, str(secret))
    places.run(*protect)
    places.run(*new, "--encrypt")
    assert isinstance(KeyFolder(folder / "keys").key("root-1"), LockedKey)
    assert (folder / "public" / "root-1.json").exists()
    ward = places.place / "ward"
    places.run("keys", "init", "--dir", ward, "--realm", "loa-vn", "--area", WARD, "--apart")
    for name in ("welcome-1", "head"):
        served = ("keys", "protect", "--dir", ward, "--key", name)
        assert "starts with nobody there to type" in places.run(*served, status=1), "no document says whose it is yet"


def test_a_key_is_made_once_and_only_where_its_holder_says(places: Places) -> None:
    new = ("keys", "new", "--dir", places.place / "root-1", "--key")
    assert "say in what the key shall lie" in places.run(*new, "root-1", status=1)
    assert "write ROLE-NUMBER" in places.run(*new, "root", "--plain", status=1)
    places.make_key("root-1")
    assert "never overwritten" in places.run(*new, "root-1", "--plain", status=1)
    public = (places.handed / "root-1.json").read_text()
    assert "PRIVATE" not in public
    assert set(json.loads(public)) == {"type", "name", "scheme", "public"}
    private = places.place / "root-1" / "keys" / "root-1.pem"
    drawn = ("--first", WARD, "--realm", "loa-vn", "--public", private, "--out", places.place / "out")
    assert "is no public key file" in places.trust("draft", "ward", *drawn, status=1)
