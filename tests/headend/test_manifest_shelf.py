"""The headend's manifests on its shelf: what is listed, when a new one is given out, and after a backup came back."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from edge_agent.core.effects import FetchHeads, FetchManifest, FetchPaper, FetchRoot
from edge_agent.core.events import HeadsFetched, ManifestRead, PaperMissed, PaperRead, RootFetched
from edge_agent.core.heads import Head, Manifest
from edge_agent.core.manifests import HEAD_TOPIC
from edge_agent.core.reasons import Reason
from edge_agent.core.units import DAY_MS, HOUR_MS, MINUTE_MS, UtcMs
from edge_agent.durable import OWNER_ONLY, write_durably
from edge_agent.headend import ceremonies, manifest_shelf, manifests
from edge_agent.headend.broker import area_prefixes
from edge_agent.headend.cli import main
from edge_agent.headend.cli.servers import _renew_manifests
from edge_agent.headend.content import ContentServer
from edge_agent.headend.files import alone
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.manifest_shelf import OF, RENEW_MS, ShelfError, can_sign, is_covered, renew
from edge_agent.headend.manifests import paper_of
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.outbox import Outbox
from edge_agent.headend.roles import default_roles
from edge_agent.headend.signing import digest_of, read_order
from edge_agent.manifest_worker import answer, topic_of
from edge_agent.sync.home import HttpsHome
from edge_agent.sync.https import Trust
from edge_agent.trust.bundle import read_document
from edge_agent.trust.documents import ROOT, Document
from edge_agent.trust.envelope import Envelope, open_envelope
from edge_agent.trust.fields import Fields
from edge_agent.trust.judge import make_judge
from edge_agent.trust.manifests import parse_head, read_manifest
from edge_agent.trust.strict_json import parse
from tests.sync.rigs import host_clock
from tests.trust import makers

AREA = "vn/ha-noi/dong-thanh"
NOW = UtcMs(1_790_830_800_000)
WARD, STATION = f"area/{AREA}", "station/tram-01"


class Office:
    """A ward's headend that publishes, and its shelf."""

    def __init__(self, directory: Path, area: str = AREA) -> None:
        self.keyring = create_keyring(directory / "net", "demo", default_roles(area, 1), NOW)
        self.keyring.enrol("tram-01", area)
        self.shelf = directory / "shelf"
        self.now = NOW
        self.serial = 0

    def publish(self, **over: Any) -> str:
        """Keep a bulletin for tomorrow as published; returns its digest."""
        self.serial += 1
        given = {"realm": "demo", "job_id": f"job-{self.serial}", "serial": self.serial, "not_before": self.now}
        given |= {"when": {"kind": "at", "utc": self.now + DAY_MS}, "not_after": self.now + 2 * DAY_MS}
        return self.keep(makers.signed_job(**(given | over)))

    def warn(self, version: int) -> str:
        """A version of a warning."""
        over = {
            "class": "emergency",
            "event": "lu",
            "series": "so-tan",
            "version": version,
            "items": [makers.text_item()],
        }
        return self.publish(when={"kind": "now"}, **over)

    def command(self, audience: Any = None, **do: Any) -> str:
        """Keep a command as published."""
        self.serial += 1
        order_id, until = f"lenh-{self.serial}", self.now + 120_000
        command = {"realm": "demo", "order_id": order_id, "serial": self.serial, "not_before": self.now}
        command |= {"audience": audience} if audience else {}
        return self.keep(makers.signed_command(**command, not_after=until, do=do))

    def keep(self, envelope: bytes) -> str:
        Outbox(self.keyring.directory / "orders").keep(envelope, self.now)
        return digest_of(envelope)

    def renew(self) -> tuple[str, ...]:
        return renew(self.keyring, self.shelf, self.now)

    def head(self, scope: str = WARD) -> Head:
        opened = open_envelope((self.shelf / "head" / scope / "head.json").read_bytes())
        assert isinstance(opened, Envelope)
        return parse_head(Fields(parse(opened.payload)))

    def manifest(self, scope: str = WARD) -> Manifest:
        return read_manifest((self.shelf / "paper" / self.head(scope).digest).read_bytes())

    def pass_ms(self, ms: int) -> None:
        self.now = UtcMs(self.now + ms)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_every_scope_of_every_station_has_a_manifest(office: Office) -> None:
    assert set(office.renew()) == {STATION, "area/vn", "area/vn/ha-noi", WARD}
    assert office.manifest().orders == ()
    assert [one.area for one in office.manifest().trust] == ["", "vn/ha-noi", AREA]


def test_a_network_of_many_roots_has_manifests_that_its_stations_read(office: Office) -> None:
    """Each ward that joins and each key that is lost makes a root, and each is listed: a station may stand there."""
    for time in range(1, 20):
        ceremonies.renew(office.keyring, ROOT, UtcMs(NOW + time * DAY_MS), sure=True)
    office.renew()
    assert [one.version for one in office.manifest().trust if one.area == ROOT] == [*range(1, 21)]


def test_what_was_published_stands_in_the_scopes_that_it_names_alone(office: Office) -> None:
    digest = office.publish()
    own = office.publish(audience={"stations": ["tram-01"]})
    office.renew()
    assert office.manifest().digests == {digest}
    assert office.manifest(STATION).digests == {own}
    assert office.manifest("area/vn").digests == frozenset()
    assert (dict(office.manifest().upto), dict(office.manifest(STATION).upto)) == ({"dong-thanh": 1}, {"dong-thanh": 2})


def test_a_new_one_is_given_out_when_something_changed_and_twice_a_day(office: Office) -> None:
    office.renew()
    first = office.head()
    office.pass_ms(RENEW_MS - 1)
    assert office.renew() == ()
    office.publish()
    assert office.renew() == (WARD,)
    assert office.head().place == (first.epoch, first.counter + 1)
    office.pass_ms(1)
    assert set(office.renew()) == {STATION, "area/vn", "area/vn/ha-noi"}
    office.pass_ms(RENEW_MS)
    assert WARD in office.renew()


def test_a_head_from_when_our_clock_was_a_year_ahead_is_followed_by_one_of_today(office: Office) -> None:
    office.pass_ms(365 * DAY_MS)
    assert WARD in office.renew()
    ahead = office.head()
    office.now = NOW
    assert WARD in office.renew()
    assert (office.head().issued_at, office.head().place > ahead.place) == (NOW, True)
    assert office.renew() == ()


def test_an_order_withdrawn_by_nobody_is_listed_again_after_our_clock_was_a_month_ahead(office: Office) -> None:
    """Two were published, the second by the wrong clock: stations would have dropped the first."""
    first = office.publish()
    office.renew()
    office.pass_ms(30 * DAY_MS)
    second = office.publish()
    office.renew()
    assert office.manifest().digests == {second}
    office.now = NOW
    office.renew()
    assert office.manifest().digests == {first, second}


def test_what_is_over_by_itself_is_listed_no_more_and_its_serial_still_covered(office: Office) -> None:
    office.publish()
    office.renew()
    office.pass_ms(3 * DAY_MS)
    office.renew()
    assert office.manifest().orders == ()
    assert dict(office.manifest().upto) == {"dong-thanh": 1}


@pytest.mark.parametrize("corrects", [False, True])
def test_what_was_taken_back_in_the_whole_ward_is_listed_for_none_of_its_stations(
    office: Office, corrects: bool
) -> None:
    """Or a station that was away, or has another card, plays it: nothing else tells it of a cancel any more."""
    kept = office.publish(audience={"stations": ["tram-01"]})
    office.publish(audience={"stations": ["tram-01"]}, job_id="cu")
    ward = {"areas": [AREA], "stations": [], "zones": []}
    if corrects:
        office.publish(corrects="cu", audience=ward)
    else:
        office.command(what="cancel", target="cu", until=NOW + 2 * DAY_MS, audience=ward)
    office.renew()
    assert (office.manifest(STATION).digests, office.manifest(STATION).upto["dong-thanh"]) == ({kept}, 2)


def test_what_was_taken_back_at_one_station_is_listed_for_the_others(office: Office) -> None:
    digest = office.publish(job_id="cu")
    office.command(
        what="cancel", target="cu", until=NOW + 2 * DAY_MS, audience={"areas": [], "stations": ["tram-01"], "zones": []}
    )
    office.renew()
    assert office.manifest().digests == {digest}


def test_a_cancelled_order_is_listed_no_more_and_for_as_long_as_it_could_come_again(office: Office) -> None:
    until = office.now + 90 * DAY_MS
    digest = office.publish(job_id="cu", not_after=until)
    office.command(what="cancel", target="cu", until=until)
    office.renew()
    assert digest not in office.manifest().digests
    office.pass_ms(60 * DAY_MS)
    office.publish()  # which tidies up
    office.renew()
    assert digest not in office.manifest().digests


def test_one_scope_with_more_orders_than_fit_keeps_no_other_one_from_being_renewed(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was cancelled in the ward would be listed on for whoever was away."""
    office.publish(job_id="goes")
    office.renew()
    monkeypatch.setattr(manifest_shelf, "MANIFEST_ORDERS_MAX", 1)
    for _ in range(2):
        office.publish(audience={"stations": ["tram-01"]})
    office.command(what="cancel", target="goes", until=office.now + DAY_MS)
    with pytest.raises(ShelfError, match=f"{STATION} has 2 orders in force, 1 fit"):
        office.renew()
    assert office.manifest().orders == ()
    assert _renew_manifests(office.keyring, office.shelf, anew=True), "or each look would begin one more epoch"


@pytest.mark.parametrize("spoilt", [None, b"rotten"], ids=["lost", "rotten"])
def test_a_paper_that_a_disk_has_spoilt_of_a_scope_that_is_full_hides_not_what_to_do(
    office: Office, monkeypatch: pytest.MonkeyPatch, spoilt: bytes | None
) -> None:
    office.renew()
    paper = office.shelf / "paper" / office.head(STATION).digest
    monkeypatch.setattr(manifest_shelf, "MANIFEST_ORDERS_MAX", 1)
    for _ in range(2):
        office.publish(audience={"stations": ["tram-01"]})
    paper.unlink() if spoilt is None else paper.write_bytes(spoilt)
    office.command(what="cancel", target="goes", until=office.now + DAY_MS)
    with pytest.raises(ShelfError, match=f"{STATION} has 2 orders in force, 1 fit"):
        office.renew()


def test_commands_are_never_listed(office: Office) -> None:
    office.command(what="stop")
    office.renew()
    assert office.manifest().orders == ()


def test_only_the_newest_version_of_an_alert_is_listed(office: Office) -> None:
    office.warn(1)
    newest = office.warn(2)
    office.renew()
    assert office.manifest().digests == {newest}


def test_a_warning_is_listed_whatever_broadcast_says_to_be_newer_or_to_correct_it(office: Office) -> None:
    warning = office.warn(1)
    newer = office.publish(series="so-tan", version=9_999)
    right = office.publish(corrects="job-1")
    office.renew()
    assert office.manifest().digests == {warning, newer, right}


def test_a_key_that_answers_stations_signs_it_and_a_station_believes_it(office: Office) -> None:
    office.renew()
    envelope = (office.shelf / "head" / WARD / "head.json").read_bytes()
    judge = make_judge(office.keyring.trust, makers.make_site(realm="demo", area=AREA))
    assert judge(HEAD_TOPIC, envelope) == office.head()


def test_a_headend_that_came_back_from_a_backup_begins_a_new_epoch(office: Office, tmp_path: Path) -> None:
    office.renew()
    shutil.copytree(office.keyring.directory, tmp_path / "backup")
    office.pass_ms(MINUTE_MS)
    office.publish()
    office.renew()
    lost = office.head()
    shutil.rmtree(office.keyring.directory)
    shutil.copytree(tmp_path / "backup", office.keyring.directory)
    office.pass_ms(HOUR_MS)
    office.keyring = Keyring(office.keyring.directory)
    assert len(office.renew()) == 4
    assert office.head().place > lost.place
    assert office.head().epoch > lost.epoch
    assert office.manifest().upto == {}, "what it has forgotten it withdraws from nobody"


def test_where_the_shelf_came_back_with_the_headend_whoever_begins_to_watch_begins_a_new_epoch(
    office: Office, tmp_path: Path
) -> None:
    """Its folder holds both. What it gives out would be older than what stations have: they would call it stale."""
    office.renew()
    both = ("net", "shelf")
    for one in both:
        shutil.copytree(tmp_path / one, tmp_path / "backup" / one)
    office.publish()
    office.renew()
    lost = office.head()
    for one in both:
        shutil.rmtree(tmp_path / one)
        shutil.copytree(tmp_path / "backup" / one, tmp_path / one)
    office.pass_ms(RENEW_MS)
    office.renew()
    assert office.head().place == lost.place, "and another one"
    assert len(renew(office.keyring, office.shelf, office.now, anew=True)) == 4
    assert office.head().place > lost.place
    assert office.renew() == ()


def test_watch_begins_a_new_epoch_once_and_not_before_it_could_write_it(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    office.renew()
    before, shelf = office.head(), office.shelf.rename(office.shelf.with_name("elsewhere"))
    office.shelf.write_bytes(b"no folder")
    assert not _renew_manifests(office.keyring, office.shelf, anew=True)
    assert "manifests: " in capsys.readouterr().err
    office.shelf.unlink()
    shelf.rename(office.shelf)
    assert _renew_manifests(office.keyring, office.shelf, anew=True)
    assert office.head().epoch > before.epoch
    assert "new manifest: station/tram-01" in capsys.readouterr().err


def test_two_wards_on_one_shelf_withdraw_nothing_that_the_other_has_listed(office: Office, tmp_path: Path) -> None:
    """One content server for several wards: the areas above both have one head there, and one of the folders writes it.

    The other's would say of an order for the whole province that it is known, and not in force.
    """
    order = office.publish(audience={"areas": ["vn/ha-noi"]})
    office.renew()
    other = Office(tmp_path / "other", "vn/ha-noi/xa-hai")
    other.shelf, other.serial = office.shelf, 7
    other.publish(audience={"areas": ["vn/ha-noi"]})
    with pytest.raises(ShelfError, match=f"one folder per ward, and this one is of {AREA}"):
        other.renew()
    assert office.renew() == ()
    assert office.manifest("area/vn/ha-noi").digests == {order}
    assert set(Office(tmp_path / "again", "vn/ha-noi/xa-hai").renew()) >= {"area/vn/ha-noi/xa-hai"}


@pytest.mark.parametrize(("of", "then"), [("vn/ha-noi", AREA), (f"{AREA}/thon-1", f"{AREA}/thon-1")])
def test_a_shelf_stays_with_the_folder_to_which_a_document_above_or_below_has_come(
    office: Office, of: str, then: str
) -> None:
    office.renew()
    (office.shelf / "head" / OF).write_text(of)
    office.publish()
    assert office.renew() == (WARD,)
    assert (office.shelf / "head" / OF).read_text() == then


def test_a_head_that_was_noted_and_not_written_is_given_out_at_the_next_look(office: Office) -> None:
    """The power goes between the two."""
    office.renew()
    before = (office.shelf / "head" / WARD / "head.json").read_bytes()
    office.publish()
    office.renew()
    (office.shelf / "head" / WARD / "head.json").write_bytes(before)
    assert office.renew() == (WARD,)
    assert office.head().counter == 3


def test_a_new_epoch_that_is_begun_by_a_clock_that_is_behind_is_above_the_one_before(office: Office) -> None:
    """Else stations would call every head old until the clock has come to where it was."""
    office.renew()
    before = office.head()
    office.pass_ms(-DAY_MS)
    assert len(renew(office.keyring, office.shelf, office.now, anew=True)) == 4
    assert office.head().epoch == before.epoch + 1


def test_no_head_is_given_out_that_could_not_be_noted(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one would bear its number."""
    office.renew()
    before = office.head()
    office.publish()

    def full(path: Path, content: bytes, mode: int = OWNER_ONLY) -> None:
        if path.name == "manifests.json":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write_durably(path, content, mode)

    with monkeypatch.context() as at_first:
        at_first.setattr(manifest_shelf, "write_durably", full)
        with pytest.raises(ShelfError, match=r"manifests\.json: No space left"):
            office.renew()
    assert office.head() == before
    assert office.renew() == (WARD,)


def test_what_was_given_out_is_noted_once_however_many_scopes_there_are(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names all of them: written for each, the work grows with the square of the stations, and publishers wait."""
    noted: list[str] = []

    def counted(path: Path, content: bytes, mode: int = OWNER_ONLY) -> None:
        write_durably(path, content, mode)
        noted.append(path.name)

    monkeypatch.setattr(manifest_shelf, "write_durably", counted)
    office.renew()
    assert noted.count("head.json") == 4
    assert noted.count("manifests.json") == 1
    assert noted.index("manifests.json") < noted.index("head.json")


def test_each_trust_document_is_read_once_for_an_area_and_not_for_each_of_its_stations(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a minute: of 200 stations, after twenty roots, that took five seconds."""
    for number in range(2, 12):
        office.keyring.enrol(f"tram-{number:02}", AREA)
    readings: list[bytes] = []

    def counted(envelope: bytes) -> Document:
        readings.append(envelope)
        return read_document(envelope)

    monkeypatch.setattr(manifests, "read_document", counted)
    office.renew()
    assert len(readings) == len(area_prefixes(AREA)) * len(office.keyring.documents)


def test_a_station_that_somebody_else_has_enrolled_since_has_its_manifest_at_the_next_look(office: Office) -> None:
    office.renew()
    Keyring(office.keyring.directory).enrol("tram-02", AREA)
    assert office.renew() == ("station/tram-02",)


def test_of_two_who_give_out_heads_one_waits_for_the_other(office: Office) -> None:
    """Else both give out the same number for two contents."""
    office.renew()
    before = office.head()
    office.publish()
    second = threading.Thread(target=office.renew)
    with alone(office.keyring.directory / "manifests.lock"):
        second.start()
        second.join(1)  # what waits for its turn, waits; what does not is through by then
        assert office.head() == before
    second.join()
    assert office.head().counter == before.counter + 1


def test_what_a_head_names_lies_on_the_shelf_before_it(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.publish()
    named: list[bool] = []

    def noted(path: Path, content: bytes, mode: int = OWNER_ONLY) -> None:
        write_durably(path, content, mode)
        if path.name == "head.json":
            scope = str(path.parent.relative_to(office.shelf / "head"))
            papers = {office.head(scope).digest, *office.manifest(scope).papers}
            named.append(all((office.shelf / "paper" / one).exists() for one in papers))

    monkeypatch.setattr(manifest_shelf, "write_durably", noted)
    office.renew()
    assert named == [True] * 4


def test_an_order_that_is_published_late_is_known_to_be_covered(office: Office) -> None:
    late = makers.signed_job(realm="demo", job_id="late", serial=1)
    assert not is_covered(office.keyring, read_order(late)), "there is no manifest yet"
    office.serial = 1
    office.publish()
    office.renew()
    assert is_covered(office.keyring, read_order(late))
    assert not is_covered(office.keyring, read_order(makers.signed_job(realm="demo", job_id="new", serial=3)))
    elsewhere = makers.signed_job(realm="demo", job_id="x", serial=1, audience={"stations": ["tram-01"]})
    assert not is_covered(office.keyring, read_order(elsewhere)), "of another scope"


def test_the_command_renews_them_once_and_says_which(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    ward = ["--dir", str(office.keyring.directory), "--content-dir", str(office.shelf)]
    assert main(["manifests", *ward]) == 0
    assert "mới / new: station/tram-01" in capsys.readouterr().out
    assert main(["manifests", *ward]) == 0
    assert capsys.readouterr().out == "0 bản kê mới / new manifests\n"


def test_the_command_says_that_an_older_network_has_no_role_for_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_keyring(tmp_path / "net", "demo", [role for role in default_roles(AREA, 1) if role.name != "head"], NOW)
    assert main(["manifests", "--dir", str(tmp_path / "net")]) == 1
    assert "has no role for heads" in capsys.readouterr().err


def test_papers_that_nobody_lists_go_after_a_day(office: Office) -> None:
    office.renew()
    old = office.shelf / "paper" / office.head().digest
    office.publish()
    office.renew()
    assert old.exists()
    os.utime(old, (0, 0))
    office.publish()
    office.renew()
    assert not old.exists()
    assert (office.shelf / "paper" / office.head().digest).exists()


def test_a_paper_that_was_listed_for_long_stays_for_a_day_behind_that(office: Office) -> None:
    """Or a station that has begun to fetch it finds nothing there, whose head was right a moment ago."""
    digest = office.publish(not_after=office.now + 3 * DAY_MS + HOUR_MS)
    for _ in range(3):
        office.renew()
        (order,) = [one.paper.envelope for one in office.manifest().orders if one.digest == digest]
        office.pass_ms(DAY_MS)
    office.renew()
    office.pass_ms(2 * HOUR_MS)
    office.renew()
    assert digest not in office.manifest().digests
    assert (office.shelf / "paper" / order).exists()
    office.pass_ms(DAY_MS)
    office.renew()
    assert not (office.shelf / "paper" / order).exists()


@pytest.mark.parametrize("of_the_manifest", [True, False], ids=["the manifest", "an order"])
@pytest.mark.parametrize("damaged", [True, False], ids=["damaged", "gone"])
def test_a_paper_that_was_lost_on_the_shelf_is_put_there_again(
    office: Office, of_the_manifest: bool, damaged: bool
) -> None:
    office.publish()
    office.renew()
    order = office.manifest().orders[0].paper.envelope
    lost = office.shelf / "paper" / (office.head().digest if of_the_manifest else order)
    lost.write_bytes(b"half") if damaged else lost.unlink()
    assert WARD in office.renew()
    assert {office.head().digest, order} <= {paper_of(one.read_bytes()).envelope for one in lost.parent.iterdir()}
    assert office.renew() == ()


def test_every_root_lies_on_the_shelf_by_its_version_and_is_put_there_again(office: Office) -> None:
    office.renew()
    (first,) = (office.shelf / "root").iterdir()
    assert (first.name, first.read_bytes()) == ("1", office.keyring.documents[0])
    first.write_bytes(b"rot")
    assert office.renew() == ()
    assert first.read_bytes() == office.keyring.documents[0]


def test_only_what_is_in_force_lies_on_the_shelf(office: Office) -> None:
    office.publish(not_after=office.now + HOUR_MS, when={"kind": "at", "utc": office.now + MINUTE_MS})
    office.pass_ms(2 * HOUR_MS)
    office.publish()
    office.renew()
    lying = {one.name for one in (office.shelf / "paper").iterdir()}
    heads = {office.head(scope).digest for scope in (WARD, STATION, "area/vn", "area/vn/ha-noi")}
    assert lying == heads | office.manifest().papers
    assert len(office.manifest().orders) == 1


def test_a_network_from_before_there_were_manifests_has_none(tmp_path: Path) -> None:
    roles = [role for role in default_roles(AREA, 1) if role.name != "head"]
    assert not can_sign(create_keyring(tmp_path / "net", "demo", roles, NOW))


@pytest.mark.host
def test_a_station_has_it_all_by_real_https(office: Office) -> None:
    digest = office.publish()
    office.renew()
    (listed,) = office.manifest().orders
    with ContentServer(office.shelf, office.keyring.server("content")) as server:
        home = HttpsHome(f"https://localhost:{server.port}", Trust(office.keyring.authority_path, host_clock))
        heads = answer(home, FetchHeads((WARD, STATION, "area/vn/elsewhere")))
        assert isinstance(heads, HeadsFetched)
        assert [scope for scope, got in heads.heads if isinstance(got, bytes)] == [WARD, STATION]
        assert dict(heads.heads)["area/vn/elsewhere"] is Reason.MANIFEST_UNREACHABLE
        read = answer(home, FetchManifest(office.head().digest, office.head().length))
        assert isinstance(read, ManifestRead)
        assert read.manifest == office.manifest()
        paper = answer(home, FetchPaper(WARD, listed.paper.envelope, listed.paper.length))
        assert isinstance(paper, PaperRead)
        assert (digest_of(paper.payload), paper.topic) == (digest, f"loa/1/area/{AREA}/job")
        root = answer(home, FetchRoot(STATION, 1))
        assert isinstance(root, RootFetched)
        assert root.root is not None
        assert root.root.payload == office.keyring.documents[0]
        assert answer(home, FetchRoot(STATION, 2)) == RootFetched(2, None)
        altered = office.shelf / "paper" / listed.paper.envelope
        altered.write_bytes(altered.read_bytes()[:-1] + b" ")
        assert answer(home, FetchPaper(WARD, listed.paper.envelope, listed.paper.length)) == PaperMissed(
            listed.paper.envelope, Reason.MANIFEST_ALTERED, "SHA-256 differs"
        )


def test_each_scopes_orders_come_on_its_own_topic() -> None:
    assert topic_of(WARD) == f"loa/1/area/{AREA}/job"
    assert topic_of(STATION) == "loa/1/d/tram-01/job"
