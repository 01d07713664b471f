"""A clock that is wrong at a ceremony: it signs nothing unasked, and what it has signed is no dead end."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from edge_agent.core.units import DAY_MS, UtcMs
from edge_agent.headend.ceremonies import renew, replace_key
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.trust_drafts import keys_in
from edge_agent.trust.documents import ROOT
from tests.headend.ceremony_desk import (
    LATER,
    NOW,
    OPERATIONS,
    PROVINCE,
    SOON,
    WARD,
    Station,
    new_key,
    new_network,
    on_the_clock,
    replace,
    run,
)

YEAR_MS = 365 * DAY_MS


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return new_network(tmp_path / "net")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    on_the_clock(monkeypatch, SOON)


@pytest.mark.parametrize("sure", [(), ("--yes",)], ids=["", "sure"])
@pytest.mark.parametrize("ceremony", [("renew",), ("replace", "--key", "ha-noi-trust-1")], ids=lambda one: one[0])
def test_a_clock_a_year_ahead_signs_nothing_unless_somebody_has_looked_at_it(
    keyring: Keyring,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    ceremony: tuple[str, ...],
    sure: tuple[str, ...],
) -> None:
    before, names = (keyring.directory / "trust.json").read_bytes(), keyring.keys.names()
    on_the_clock(monkeypatch, UtcMs(NOW + YEAR_MS))
    status, _, err = run(capsys, "trust", *ceremony, "--dir", str(keyring.directory), *sure)
    if sure:
        assert (status, (keyring.directory / "trust.json").read_bytes() == before) == (0, False)
        return
    assert (status, "whose clock is wrong?" in err, "add --yes" in err) == (1, True, True)
    assert "2026-09" in err, "both times are told"
    assert "2027-09" in err
    assert ((keyring.directory / "trust.json").read_bytes(), keyring.keys.names()) == (before, names)


def test_a_folder_signed_by_a_clock_ahead_is_helped_by_the_trust_json_of_before_and_the_stolen_key_falls(
    keyring: Keyring, capsys: pytest.CaptureFixture[str]
) -> None:
    station, stolen = Station(keyring), keyring.keys.key("ha-noi-trust-1").public
    before = (keyring.directory / "trust.json").read_bytes()
    ahead = UtcMs(SOON + YEAR_MS)
    replace_key(keyring, stolen, new_key(keyring, "ha-noi-trust-2"), ahead, sure=True)
    asked = ["trust", "replace", "--dir", str(keyring.directory), "--key", "ward-routine-1", "--yes"]
    status, _, err = run(capsys, *asked)
    assert (status, "put back the trust.json" in err, "new network" in err) == (1, True, False)
    (keyring.directory / "trust.json").write_bytes(before)
    again = ["--key", "ha-noi-trust-1", "--yes"]
    assert run(capsys, "trust", "replace", "--dir", str(keyring.directory), *again)[0] == 0
    assert station.greet(Keyring(keyring.directory)) == [PROVINCE, WARD]
    assert not [held for held in station.keeper.chain.standing if stolen in keys_in(held.document)]


MONTH_MS = 30 * DAY_MS


def printed(heading: str, pattern: str = r"^edge-agent-headend (trust .+)$") -> list[list[str]]:
    """The commands that this page of the operations prints, as somebody types them, without the broker."""
    page = OPERATIONS.read_text("utf-8").partition(f"### {heading}\n")[2].partition("\n### ")[0]
    typed = re.findall(pattern, page, re.MULTILINE)
    return [one.replace(" --broker localhost:8883", "").split() for one in typed]


WITHIN_THE_TEXT = r"`edge-agent-headend ([^`]+)`"
CLOCK_PAGES = ["Xem đồng hồ trước khi ký", "Look at the clock before you sign"]


@pytest.mark.deep
@pytest.mark.parametrize("heading", CLOCK_PAGES)
@pytest.mark.parametrize(
    "wrongly",
    [
        ("replace --key ha-noi-trust-1", "renew --area root"),
        ("replace --key root-1", "replace --key ha-noi-trust-1"),
        ("replace --key ha-noi-trust-1", "replace --key national-trust-1"),
    ],
)
def test_a_root_and_the_provinces_key_by_a_clock_a_month_ahead_are_no_dead_end(
    keyring: Keyring,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    heading: str,
    wrongly: tuple[str],
) -> None:
    """A new epoch of the province forbids to sign on, and a root that stations have forbids to go back."""
    station, stolen = Station(keyring), keyring.keys.key("ha-noi-trust-1").public
    monkeypatch.chdir(keyring.directory.parent)
    (keyring.directory.parent / "ward").symlink_to(keyring.directory)
    before = (keyring.directory / "trust.json").read_bytes()
    on_the_clock(monkeypatch, UtcMs(LATER + MONTH_MS))
    for words in wrongly:
        assert run(capsys, "trust", *words.split(), "--dir", "ward", "--yes")[0] == 0
    for part in ("trust", "trust_apart", "manifests"):
        monkeypatch.setattr(f"edge_agent.headend.cli.{part}.utc_now", lambda: LATER)
    station.hear(Keyring(keyring.directory), LATER)
    status, _, err = run(capsys, *printed(heading)[0])
    assert (status, "put back the trust.json" in err) == (1, True)
    keep, take_again, replace_again = printed(heading, WITHIN_THE_TEXT)
    assert run(capsys, *keep)[0] == 0
    (keyring.directory / "trust.json").write_bytes(before)
    keys = keyring.directory / "keys"
    (keys / "retired/ha-noi-trust-1.pem").rename(keys / "ha-noi-trust-1.pem")
    for typed in (take_again, *printed(heading), replace_again):
        status, out, err = run(capsys, *typed)
        assert status == 0, out + err
    assert station.hear(Keyring(keyring.directory), LATER) == [ROOT, PROVINCE, WARD]
    assert station.keeper.chain.trust == Keyring(keyring.directory).trust
    assert not [held for held in station.keeper.chain.standing if stolen in keys_in(held.document)]


@pytest.mark.parametrize("heading", CLOCK_PAGES)
def test_a_nations_key_replaced_by_a_clock_a_month_ahead_deafens_stations_until_what_the_page_prints_is_typed(
    keyring: Keyring, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, heading: str
) -> None:
    """They have taken the root, whose date they do not ask for, and nothing that is below it."""
    station, stolen = Station(keyring), keyring.keys.key("national-trust-1").public
    monkeypatch.chdir(keyring.directory.parent)
    (keyring.directory.parent / "ward").symlink_to(keyring.directory)
    with monkeypatch.context() as ahead:
        ahead.setattr("edge_agent.headend.cli.trust.utc_now", lambda: UtcMs(LATER + MONTH_MS))
        asked = ["trust", "replace", "--dir", "ward", "--key", "national-trust-1", "--yes"]
        assert run(capsys, *asked)[0] == 0
    on_the_clock(monkeypatch, LATER)
    assert station.hear(Keyring(keyring.directory), LATER) == [ROOT], "deaf"
    status, _, err = run(capsys, "trust", "renew", "--dir", "ward", "--area", "root")
    assert (status, "do not go back" in err, "add --yes" in err) == (1, True, True), "the page says the rest"
    for words in printed(heading):
        status, out, err = run(capsys, *words)
        assert status == 0, out + err
    assert station.hear(Keyring(keyring.directory), LATER) == [ROOT, PROVINCE, WARD]
    assert station.keeper.chain.trust == Keyring(keyring.directory).trust
    assert not [held for held in station.keeper.chain.standing if stolen in keys_in(held.document)]
    assert max(head.issued_at for head in station.keeper.standing.heads) == LATER, "no clock is held to that month"


def test_behind_a_root_signed_by_a_clock_ahead_the_nations_next_key_is_stolen_as_well(keyring: Keyring) -> None:
    station = Station(keyring)
    made = new_key(keyring, "national-trust-2")
    first = keyring.keys.key("national-trust-1").public
    replace_key(keyring, first, made, UtcMs(LATER + MONTH_MS), sure=True)
    assert station.hear(keyring, LATER) == [ROOT]
    (keyring.directory / "keys" / "national-trust-1.pem").unlink()
    thief = Keyring(Path(shutil.copytree(keyring.directory, keyring.directory.parent / "thief")))
    assert list(replace(keyring, "national-trust-2", "national-trust-3")) == [ROOT, PROVINCE]
    assert station.hear(keyring, LATER) == [ROOT, PROVINCE, WARD]
    renew(thief, PROVINCE, LATER, sure=True)
    station.keeper.take(thief.chain.newest[PROVINCE].envelope)
    assert station.keeper.chain.trust == keyring.trust, "what the thief signs is not believed any more"


def test_a_clock_ahead_by_less_than_a_renewal_signs_no_root_and_no_new_epoch_before_somebody_has_looked_at_it(
    keyring: Keyring, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No document that is here tells it; and nobody chooses a passphrase for a key that is not made."""

    def never(what: str) -> str:
        raise AssertionError(what)

    monkeypatch.setattr("edge_agent.headend.passphrases.getpass.getpass", never)
    on_the_clock(monkeypatch, UtcMs(NOW + MONTH_MS))
    before, names = (keyring.directory / "trust.json").read_bytes(), keyring.keys.names()
    ceremonies = [("renew", "--area", "root")]
    ceremonies += [("replace", "--encrypt", "--key", key) for key in ("national-trust-1", "ha-noi-trust-1", "root-2")]
    for words in ceremonies:
        status, _, err = run(capsys, "trust", *words, "--dir", str(keyring.directory))
        assert (status, "is this machine's clock right?" in err, "add --yes" in err) == (1, True, True), err
        assert "21h13 ngày 21/10/2026, giờ Việt Nam" in err
    assert ((keyring.directory / "trust.json").read_bytes(), keyring.keys.names()) == (before, names)
    assert run(capsys, "trust", "replace", "--dir", str(keyring.directory), "--key", "ward-routine-1")[0] == 0


def test_a_root_renewed_since_hides_no_clock_that_is_a_year_ahead(
    keyring: Keyring, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is valid for two years, the documents of areas for three months."""
    renew(keyring, ROOT, LATER, sure=True)
    on_the_clock(monkeypatch, UtcMs(LATER + YEAR_MS))
    status, _, err = run(capsys, "trust", "renew", "--dir", str(keyring.directory))
    assert (status, err.count("whose clock is wrong?"), err.count("expired 2026-12")) == (1, 2, 2), err
    assert Keyring(keyring.directory).documents == keyring.documents


def test_a_clock_behind_the_newest_document_signs_nothing_and_says_so(
    keyring: Keyring, capsys: pytest.CaptureFixture[str]
) -> None:
    renew(keyring, WARD, UtcMs(SOON + 1))
    status, _, err = run(capsys, "trust", "renew", "--dir", str(keyring.directory), "--area", PROVINCE)
    assert (status, "whose clock is wrong?" in err) == (1, True)
    assert "put back the trust.json" in err, "no root has gone with it"
    asked = ["trust", "renew", "--dir", str(keyring.directory), "--area", PROVINCE, "--yes"]
    assert run(capsys, *asked)[0] == 0, "the other clock was wrong, and no epoch has gone with it"


def test_a_document_from_the_future_or_out_of_date_is_taken_by_nobody(keyring: Keyring, tmp_path: Path) -> None:
    other = Keyring(Path(shutil.copytree(keyring.directory, tmp_path / "other")))
    renew(other, WARD, LATER)
    (envelope,) = [held.envelope for held in other.chain.standing if held.document.area == WARD]
    for now in (UtcMs(LATER - 120_001), UtcMs(LATER + 90 * DAY_MS)):
        with pytest.raises(KeyringError, match="whose clock is wrong"):
            keyring.add_document(envelope, now)
    keyring.add_document(envelope, UtcMs(LATER - 120_000))
    assert keyring.chain.newest[WARD].document.version == 2, "by as much as stations let clocks be wrong"
