"""What no station would obey leaves nothing behind at the headend, and takes nothing out of force there."""

from __future__ import annotations

import json
import threading
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edge_agent.core.job import Job
from edge_agent.core.units import DAY_MS
from edge_agent.durable import write_durably
from edge_agent.headend.cli import main
from edge_agent.headend.cli.admitting import why_not_noted
from edge_agent.headend.composing import compose
from edge_agent.headend.files import alone
from edge_agent.headend.headend import utc_now
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.manifest_shelf import renew
from edge_agent.headend.new_network import create_keyring
from edge_agent.headend.outbox import Outbox
from edge_agent.headend.roles import default_roles
from edge_agent.headend.serials import SERIALS_LEFT
from edge_agent.headend.signing import read_order
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.keys import Signer, new_signer
from edge_agent.trust.strict_json import INTEGER_MAX, dump
from tests.headend.fake_station import AREA

ISSUER, OWNER = "dong-thanh", "ubnd-dong-thanh"
NOBODY_THERE = "localhost:1"
GENUINE = "dong-thanh-ban-tin-1"
TEXT = {
    "kind": "text",
    "title": "Bản tin",
    "field": "",
    "language": "vi",
    "source": "",
    "approver": "",
    "text": "Chào.",
}
EARLIER = -3 * 60_000


class Office:
    """A ward's headend that has published one bulletin, and a file that somebody lays on its desk."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.now = directory, utc_now()
        self.keyring = create_keyring(directory / "net", "demo", default_roles(AREA, 2), self.now)
        self.keyring.enrol("tram-01", AREA)
        self.genuine = self.signed(self.bulletin(), self.officer)
        Outbox(self.keyring.directory / "orders").keep(self.genuine, self.now)
        renew(self.keyring, self.shelf, self.now)
        self.before = self.noted()

    @property
    def officer(self) -> Signer:
        return self.keyring.signer("ward-routine")

    @property
    def shelf(self) -> Path:
        return self.keyring.directory / "content"

    def heading(self, serial: int, **over: Any) -> dict[str, Any]:
        head = {"realm": "demo", "issuer": ISSUER, "level": "commune", "key_epoch": 0, "serial": serial}
        times = {"issued_at": self.now, "not_before": self.now, "not_after": self.now + 100_000}
        return head | times | {"audience": {"areas": [AREA]}} | over

    def bulletin(self, **over: Any) -> dict[str, Any]:
        when = {"kind": "at", "utc": self.now + DAY_MS}
        job = {"type": "job", "job_id": GENUINE, "class": "normal", "volume": 60, "when": when, "items": [TEXT]}
        return self.heading(41, not_after=self.now + 30 * DAY_MS) | job | over

    def cancel(self, **over: Any) -> dict[str, Any]:
        do = {"what": "cancel", "target": GENUINE, "until": self.now + 30 * DAY_MS}
        return self.heading(42) | {"type": "command", "order_id": "dong-thanh-x", "do": do} | over

    def signed(self, payload: dict[str, Any], *by: Signer) -> bytes:
        return sign(payload_type(payload["type"]), dump(payload), by)

    def publish(self, envelope: bytes, *more: str) -> int:
        file = self.directory / "envelope.json"
        file.write_bytes(envelope)
        where = ("--dir", str(self.keyring.directory), "--broker", NOBODY_THERE)
        return main(["publish", *where, "--envelope", str(file), *more])

    def noted(self) -> tuple[dict[str, int], dict[str, bytes], list[str]]:
        """Serials, the outbox, and what the newest signed head says to be in force."""
        orders = {path.name: path.read_bytes() for path in (self.keyring.directory / "orders").iterdir()}
        head = json.loads((self.shelf / "head" / "area" / AREA / "head.json").read_bytes())
        body = self.shelf / "paper" / json.loads(b64decode(head["payload"]))["digest"]
        return self.keyring.serials.last(), orders, [one["order_id"] for one in json.loads(body.read_bytes())["orders"]]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def refused(office: Office, capsys: pytest.CaptureFixture[str], envelope: bytes) -> str:
    """What is said of it, when nothing of it was noted."""
    assert office.publish(envelope) == 1
    assert office.noted() == office.before
    return capsys.readouterr().err


def test_a_cancel_that_no_officer_has_signed_takes_nothing_out_of_the_signed_manifest(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else stations cut the officer's bulletin off while it sounds, by the head key's word."""
    told = refused(office, capsys, office.signed(office.cancel(), new_signer()))
    assert told.startswith("lỗi / error: dong-thanh-x: không trạm nào sẽ nhận / no station will take it: giả mạo: ")
    assert "chưa gửi, chưa ghi gì / not sent, nothing is noted; `--force`" in told
    assert office.before[2] == [GENUINE]


def test_a_strangers_job_does_not_take_the_place_of_the_officers_of_its_id(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    other = office.bulletin(serial=43, volume=1)
    assert "no signature of a key" in refused(office, capsys, office.signed(other, new_signer()))


def test_nor_does_an_officers_own_second_one(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(office, capsys, office.signed(office.bulletin(serial=43, volume=1), office.officer))
    assert "another order was published by this id; ký lại với mã khác / sign it anew" in told


@pytest.mark.parametrize(
    ("over", "told"),
    [
        ({"issuer": OWNER}, "signed, but by no key of the issuer's roles"),
        ({"issuer": "nobody"}, "issuer: nobody"),
        ({"realm": "other"}, "realm: other"),
        ({"level": "province"}, "level: province, the role's is commune"),
        ({"audience": {"areas": ["vn"]}}, "audience.areas: vn is outside the role's areas"),
        ({"audience": {"areas": ["vn/ha-noi/khac"]}}, "outside the role's areas"),
        ({"not_after": -EARLIER}, "valid for 180 s, at most 120 s"),
        ({"critical": ["mast"]}, "critical: 'mast' is not known"),
    ],
)
def test_an_officers_order_beyond_what_he_may_leaves_nothing_behind(
    office: Office, capsys: pytest.CaptureFixture[str], over: dict[str, Any], told: str
) -> None:
    late = {"not_after": office.now + over["not_after"]} if "not_after" in over else {}
    assert told in refused(office, capsys, office.signed(office.cancel(**(over | late)), office.officer))


def test_what_too_few_have_signed_leaves_nothing_behind(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    flood = office.bulletin(
        job_id="lu",
        serial=43,
        event="lu-quet",
        not_after=office.now + 100_000,
        when={"kind": "now"},
        **{"class": "emergency"},
    )
    one = office.signed(flood, office.keyring.signer("ward-emergency-1"))
    assert "role ward-emergency: 1 of 2" in refused(office, capsys, one)


def test_a_cancel_that_is_over_is_not_noted(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    over = dict.fromkeys(("issued_at", "not_before"), office.now + EARLIER) | {"not_after": office.now - 1}
    told = refused(office, capsys, office.signed(office.cancel(**over), office.officer))
    assert "not_after: lệnh đã hết hiệu lực" in told


def test_no_order_ends_an_issuers_numbers(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither another issuer's officer, nor its own by one order: what is signed next has a number of its own."""
    last = office.cancel(issuer=OWNER, serial=INTEGER_MAX)
    refused(office, capsys, office.signed(last, office.officer))
    told = refused(office, capsys, office.signed(office.cancel(serial=INTEGER_MAX - SERIALS_LEFT + 1), office.officer))
    assert "dong-thanh sẽ hết số / would have no numbers left" in told
    silence = {"type": "window", "kind": "silence", "basis": "thi", "areas": [AREA]}
    hours = (datetime.fromtimestamp(office.now // 1_000 + hour * 3_600, UTC).isoformat() for hour in (24, 26))
    silence |= dict(zip(("begins", "ends"), hours, strict=True))
    compose(office.keyring, silence, ["ward-policy"], None, office.now)


def why_not(office: Office, payload: dict[str, Any]) -> str | None:
    envelope = office.signed(payload, office.officer)
    return why_not_noted(
        Keyring(office.keyring.directory), read_order(envelope), envelope, ZoneInfo("Asia/Ho_Chi_Minh")
    )


@pytest.mark.parametrize(
    "audience",
    [{"areas": [AREA]}, {"stations": ["tram-07"]}, {"areas": [f"{AREA}/xom-1"], "stations": ["tram-07", "tram-08"]}],
)
def test_what_stations_will_obey_that_are_not_enrolled_yet_is_noted(office: Office, audience: dict[str, Any]) -> None:
    assert why_not(office, office.cancel(audience=audience)) is None
    (office.keyring.directory / "stations.json").unlink()
    assert why_not(office, office.cancel(audience=audience)) is None


def test_an_order_that_one_of_its_stations_refuses_is_noted_for_the_others(office: Office) -> None:
    office.keyring.enrol("tram-09", "vn/ha-noi/khac")
    assert why_not(office, office.cancel(audience={"stations": ["tram-01", "tram-09"]})) is None
    assert why_not(office, office.cancel(audience={"stations": ["tram-09"]})) is not None


def test_the_same_order_may_come_with_more_signatures(office: Office) -> None:
    outbox = Outbox(office.keyring.directory / "orders")
    more = office.signed(office.bulletin(), office.officer, office.keyring.signer("ward-policy"))
    outbox.keep(more, office.now)
    found = outbox.find(GENUINE, office.now)
    assert isinstance(found, Job)
    assert found == read_order(office.genuine)
    assert outbox.envelopes(office.now) == [more]


@pytest.mark.parametrize(("issuer", "marks"), [(ISSUER, {ISSUER: 7}), (OWNER, {}), ("issuer-00", {})])
def test_a_serial_is_that_of_an_issuer_whose_officer_signed_it(
    office: Office, issuer: str, marks: dict[str, int]
) -> None:
    office.keyring.note_order(office.signed(office.cancel(issuer=issuer), office.officer), issuer, 7)
    assert office.keyring.serials.last() == marks


def test_an_order_that_was_signed_earlier_and_comes_later_takes_no_serial_back(office: Office) -> None:
    """The next order would have a number that stations have seen."""
    for serial in (9, 7):
        office.keyring.note_order(office.signed(office.cancel(serial=serial), office.officer), ISSUER, serial)
    assert office.keyring.serials.last() == {ISSUER: 9}


def test_a_serial_that_is_noted_while_another_is_given_out_is_not_lost(office: Office) -> None:
    envelope = office.signed(office.cancel(), office.officer)
    noting = threading.Thread(target=office.keyring.note_order, args=(envelope, ISSUER, 42))
    with alone(office.keyring.directory / "serials.lock"):
        before = office.keyring.serials.last()
        noting.start()
        noting.join(0.5)  # what waits for its turn, waits; what does not has written by then
        write_durably(office.keyring.directory / "serials.json", dump(before | {OWNER: 1}))
    noting.join()
    assert office.keyring.serials.last() == {ISSUER: 42, OWNER: 1}
