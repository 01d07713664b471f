"""Whose the files are, and what is said where a file, a key or a server is not what it should be."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.cli import identity
from edge_agent.identity import asking, installing, resetting
from edge_agent.identity.asking import NoIdentity, Refused, Server
from edge_agent.identity.certificate import NotOurs
from edge_agent.identity.codes import new_code
from edge_agent.identity.file_keys import FileKey, TlsKey
from edge_agent.identity.installing import CannotWrite, Places
from edge_agent.identity.messages import ANSWER_BYTES_MAX, read_refusal
from edge_agent.sync.tls import client_context
from edge_agent.trust.keys import UnusableKey, new_signer
from edge_agent.trust.strict_json import WireError, dump
from tests.cli.findings import NOBODY, is_root
from tests.headend.registrar.desks import new_box
from tests.host.content import running_content
from tests.identity.middle import Middle
from tests.identity.street import box, office
from tests.trust.makers import key_on_an_unknown_curve


@is_root
def test_what_root_makes_belongs_to_the_service_which_must_renew_it(tmp_path: Path) -> None:
    made = box(tmp_path / "a")
    text = made.file.read_text("utf-8")
    made.file.write_text(text.replace('[content]\nca_file = "identity/', '[content]\nca_file = "content/'), "utf-8")
    made.file.chmod(0o644)
    places = Places(made.file, made.config, (NOBODY, NOBODY))
    with office(tmp_path) as ward:
        code = ward.code("dt-01")
        places.tls_key.make()
        signer = FileKey(made.config.trust.station_key_file, places.owner).make()
        given = asking.enrol(Server(ward.url), code, signer, places.tls_key.request(""))
        installing.commit(places, given, ward.url)
        installing.finish(places)
    folder = made.folder / "identity"
    assert {path.name: path.stat().st_uid for path in (folder, *folder.iterdir())} == {
        "identity": NOBODY,
        "ca.pem": NOBODY,
        "station.pem": NOBODY,
        "station.key": NOBODY,
        "signing.key": NOBODY,
        "trust.json": NOBODY,
    }
    elsewhere = made.folder / "content"
    assert {path.stat().st_uid for path in (elsewhere, elsewhere / "ca.pem", places.config.paths.state_dir)} == {NOBODY}
    given = (elsewhere / "ca.pem", *(folder / name for name in ("ca.pem", "station.pem", "trust.json")))
    assert {path.stat().st_mode & 0o777 for path in given} == {0o640}
    assert made.file.stat().st_uid == 0  # the technician's own, as before
    assert made.file.stat().st_mode & 0o777 == 0o644  # and the service reads it


def test_what_is_made_out_to_another_is_neither_kept_nor_taken_in(tmp_path: Path) -> None:
    """Kept, it would be all that the box ever finishes: each later code would end at it."""
    made = box(tmp_path / "a")
    places = Places(made.file, made.config)
    with office(tmp_path) as ward:
        code = ward.code("dt-01")
        places.tls_key.make()
        signer = FileKey(made.config.trust.station_key_file).make()
        given = asking.enrol(Server(ward.url), code, signer, places.tls_key.request(""))
    with pytest.raises(NotOurs):
        installing.commit(places, replace(given, station="dt-02"), ward.url)
    assert not installing.unfinished(made.config)
    installing.commit(places, given, ward.url)
    before = made.files()
    (made.config.broker.key_file).unlink()
    places.tls_key.make()
    with pytest.raises(NotOurs):
        installing.finish(places)
    assert {name for name, content in made.files().items() if before.get(name) != content} == {"identity/station.key"}


@is_root
@pytest.mark.parametrize("kind", [FileKey, TlsKey])
def test_a_link_in_a_keys_place_gives_no_file_of_roots_away(tmp_path: Path, kind: type[FileKey | TlsKey]) -> None:
    """The service, taken over, owns the folder in which root makes the key."""
    roots_own = tmp_path / "shadow"
    roots_own.write_text("root:*")
    (tmp_path / "identity").mkdir()
    (tmp_path / "identity" / "station.key").symlink_to(roots_own)
    with contextlib.suppress(UnusableKey):
        kind(tmp_path / "identity" / "station.key", (NOBODY, NOBODY)).make()
    assert roots_own.stat().st_uid == 0


@is_root
def test_a_link_in_the_place_of_the_keys_folder_leads_root_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Behind it lies what root keeps under such a name."""
    made, behind = box(tmp_path / "a"), tmp_path / "roots"
    behind.mkdir()
    (behind / "ca.pem").write_text("of another program")
    link = made.folder / "identity"
    link.symlink_to(behind)
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    with office(tmp_path) as ward:
        assert made.enrol(ward, ward.code("dt-01")) == 1
        assert identity.renew(made.config) == 1
        assert identity.factory_reset(made.config, sure=True) == 1
        assert (
            capsys.readouterr().err.count(f"{link}: là liên kết không phải của root / is a link, and not root's") == 3
        )
        assert {path.name: path.read_text() for path in behind.iterdir()} == {"ca.pem": "of another program"}
        os.chown(link, 0, 0, follow_symlinks=False)  # whoever installs may keep the folder elsewhere
        assert made.enrol(ward, ward.code("dt-01")) == 0


@pytest.mark.parametrize("content", [b"", b"no PEM", b"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n"])
def test_a_tls_key_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "station.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(UnusableKey, match=r"station\.key"):
        _ = TlsKey(path).public


def test_a_tls_key_of_another_kind_is_named(tmp_path: Path) -> None:
    new_signer().save(tmp_path / "station.key")
    with pytest.raises(UnusableKey, match="a P-256 key is needed"):
        _ = TlsKey(tmp_path / "station.key").public


def test_a_key_on_a_curve_that_is_not_known_here_is_named(tmp_path: Path) -> None:
    path = tmp_path / "station.key"
    path.touch(0o600)
    path.write_bytes(key_on_an_unknown_curve())
    with pytest.raises(UnusableKey, match=r"station\.key: no PKCS#8 private key"):
        FileKey(path).open()
    with pytest.raises(UnusableKey, match=r"station\.key: no PKCS#8 private key"):
        _ = TlsKey(path).public


def test_a_file_that_writes_a_table_on_one_line_is_told_beforehand(tmp_path: Path) -> None:
    made = box(tmp_path / "a")
    text = made.file.read_text("utf-8")
    inline = 'broker = { host = "localhost", ca_file = "a", cert_file = "b", key_file = "c" }\n'
    before, _, after = text.partition("[broker]")
    made.file.write_text(inline + before + after.partition("\n\n")[2], "utf-8")
    with pytest.raises(CannotWrite):
        installing.check_writable(Places(made.file, made.config))


def test_a_server_that_answers_something_else_is_no_enrolment_service(tmp_path: Path) -> None:
    def other(_answer: bytes) -> bytes:
        return b"<html>router login</html>"

    with office(tmp_path) as ward, Middle(tmp_path / "middle", ward.server.port, answered=other) as middle:
        box_of, code = new_box(), new_code()
        with pytest.raises(NoIdentity, match="no enrolment service"):  # the code is unknown, so it was a refusal
            asking.enrol(Server(middle.url), code, box_of.signer, box_of.csr())
        known = ward.code("dt-01")
        with pytest.raises(NoIdentity, match="not the server that gave the code"):
            asking.enrol(Server(middle.url), known, box_of.signer, box_of.csr())
        with pytest.raises(NoIdentity, match="makes no sense"):
            asking.renew(Server(middle.url), "test", "dt-01", box_of.signer, box_of.csr("dt-01"))


@pytest.mark.parametrize(("more", "told"), [(0, "not the server that gave the code"), (1, "no enrolment service")])
def test_an_answer_is_read_that_is_as_long_as_one_may_be_and_none_that_is_longer(
    tmp_path: Path, more: int, told: str
) -> None:
    """A trust file may have a megabyte; a box that cannot read so much becomes no station."""
    answered = bytes(ANSWER_BYTES_MAX + more)
    with (
        office(tmp_path) as ward,
        Middle(tmp_path / "middle", ward.server.port, answered=lambda _: answered) as middle,
        pytest.raises(NoIdentity, match=told),
    ):
        asking.enrol(Server(middle.url), ward.code("dt-01"), (asks := new_box()).signer, asks.csr())


def test_who_stands_between_is_found_though_the_authority_on_the_card_is_his(tmp_path: Path) -> None:
    """What a renewal believes is what the code has proven, and no file that somebody handed to the technician."""
    with office(tmp_path) as ward, Middle(tmp_path / "middle", ward.server.port) as middle:
        asks, code = new_box(), ward.code("dt-01")
        server = Server(middle.url, tmp_path / "middle" / "ca" / "ca.pem")
        with pytest.raises(NoIdentity, match="somebody stands between"):
            asking.enrol(server, code, asks.signer, asks.csr())
    assert middle.seen != []


def test_no_two_requests_are_the_same_or_an_old_answer_would_do_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[bytes] = []

    def kept(_server: Server, _path: str, body: bytes) -> bytes:
        bodies.append(body)
        return b""

    monkeypatch.setattr(asking, "_post", kept)
    server, code, signer = Server("https://localhost"), new_code(), new_signer()
    for _ in range(2):
        with pytest.raises(NoIdentity):
            asking.enrol(server, code, signer, b"csr")
        with pytest.raises(NoIdentity):
            asking.renew(server, "test", "dt-01", signer, b"csr")
    assert len(set(bodies)) == 4


def test_who_hangs_up_when_he_is_called_as_a_renewal_will_call_is_not_found_in_order(tmp_path: Path) -> None:
    """Or whoever stands between need only do that, and the station has no certificate in two years."""
    with socket.create_server(("127.0.0.1", 0)) as listener, running_content(tmp_path) as other:
        listener.settimeout(60)
        threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True).start()
        url, context = f"https://localhost:{listener.getsockname()[1]}", client_context(other.authority.path)
        with pytest.raises((ConnectionError, ssl.SSLError)):
            asking.trouble_at(url, context)
        assert asking.trouble_at(f"https://localhost:{other.port}", context) is None


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("no_more_stations", "[no_more_stations]"),
        ("gọi\u202e \U0001f50a", "[g?i? ?]"),  # what turns the line round is no terminal's
    ],
)
def test_a_newer_servers_reason_is_told_with_what_to_do(tmp_path: Path, said: str, shown: str) -> None:
    """As "no enrolment service" it sent the technician to look for another server."""

    def newer(_answer: bytes) -> bytes:
        return dump({"type": "refused", "reason": said})

    with office(tmp_path) as ward, Middle(tmp_path / "middle", ward.server.port, answered=newer) as middle:
        box_of = new_box()
        with pytest.raises(Refused) as refused:
            asking.enrol(Server(middle.url), new_code(), box_of.signer, box_of.csr())
    assert refused.value.reason == said
    assert "cập nhật phần mềm của trạm, hoặc báo trung tâm / refused" in str(refused.value)
    assert str(refused.value).endswith(shown)


@pytest.mark.parametrize("said", ["", "n" * 65, 1, None])
def test_a_reason_of_no_length_or_of_a_page_is_none(said: object) -> None:
    with pytest.raises(WireError):
        read_refusal(dump({"type": "refused", "reason": said}))


def test_a_key_that_cannot_be_destroyed_stops_the_reset_before_anything_is_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = box(tmp_path / "a", "signing.token")
    (made.folder / "identity").mkdir()
    for name in ("signing.token", "station.key"):
        (made.folder / "identity" / name).write_text("{}")
        (made.folder / "identity" / name).chmod(0o600)
    assert identity.factory_reset(made.config, sure=True) == 1
    assert "signing.token" in capsys.readouterr().err
    assert (made.folder / "identity" / "station.key").exists()
    assert not resetting.begun(made.config), "it is the station that it was"


def test_nor_does_it_take_the_mark_away_of_a_reset_that_was_cut_short_before(tmp_path: Path) -> None:
    """Half a station would be taken for a whole one, and the rest of its journal for the next one's."""
    made = box(tmp_path / "a", "signing.token")
    for half_gone in (made.folder / "identity" / "signing.token", resetting.mark(made.config)):
        half_gone.parent.mkdir(exist_ok=True)
        half_gone.write_text("{}")
    assert identity.factory_reset(made.config, sure=True) == 1
    assert resetting.begun(made.config)


@pytest.mark.parametrize("folder", ["originals", "audio", "journal", "journal.quarantined-1"])
def test_a_reset_empties_no_folder_to_which_a_link_leads(
    tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The service, taken over, owns the folder in which root deletes."""
    made = box(tmp_path / "a")
    (tmp_path / "etc" / "systemd").mkdir(parents=True)
    (tmp_path / "etc" / "passwd").write_text("root:x:0:0")
    made.config.paths.state_dir.mkdir()
    (made.config.paths.state_dir / folder).symlink_to(tmp_path / "etc")
    assert identity.factory_reset(made.config, sure=True) == 1
    assert f"{folder}: là liên kết, phía sau chưa xóa gì / is a link" in capsys.readouterr().err
    assert sorted(one.name for one in (tmp_path / "etc").iterdir()) == ["passwd", "systemd"]


def test_a_box_of_which_nobody_may_ask_whether_it_runs_is_not_reset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = box(tmp_path / "a")
    (made.folder / "identity").mkdir()
    key = made.folder / "identity" / "signing.key"
    key.write_bytes(b"secret")
    monkeypatch.setattr(identity, "device_up", lambda _: None)
    assert identity.factory_reset(made.config, sure=True) == 1
    assert key.exists()


def test_what_a_reset_has_emptied_is_synced_before_the_mark_of_the_reset_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut right behind it gave the next station the journal of this one, and nothing told of it."""
    made = box(tmp_path / "a")
    state = made.config.paths.state_dir
    folders = [state / name for name in ("originals", "audio", "journal", "journal.quarantined-1")]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "kept.bin").write_bytes(b"a ward's day")
    synced: list[Path] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        where = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if where in folders:
            assert resetting.begun(made.config)
            assert list(where.iterdir()) == []
            synced.append(where)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    assert identity.factory_reset(made.config, sure=True) == 0
    assert synced == folders
    assert not resetting.begun(made.config)


def test_sound_that_the_card_did_not_take_goes_from_memory_too(tmp_path: Path) -> None:
    """A box that is handed on with its power on would still hold what the ward was warned of."""
    made = box(tmp_path / "a")
    folders = [made.config.paths.run_dir / name for name in ("warnings", "live")]
    for folder in folders:
        (folder / "originals").mkdir(parents=True)
        (folder / "originals" / "kept.bin").write_bytes(b"a warning")
    assert identity.factory_reset(made.config, sure=True) == 0
    assert [list(folder.iterdir()) for folder in folders] == [[], []]


def test_a_link_within_a_folder_goes_with_it_and_what_lies_behind_stays(tmp_path: Path) -> None:
    """Nor does it keep the reset from its end: whoever took the service over would have a box nobody can give away."""
    made = box(tmp_path / "a")
    behind, folder = tmp_path / "etc", made.config.paths.state_dir / "audio"
    for made_first in (behind, folder):
        made_first.mkdir(parents=True)
    (behind / "passwd").write_text("root:x:0:0")
    (folder / "to-a-folder").symlink_to(behind)
    (folder / "to-a-file").symlink_to(behind / "passwd")
    assert identity.factory_reset(made.config, sure=True) == 0
    assert (list(folder.iterdir()), list(behind.iterdir())) == ([], [behind / "passwd"])


def test_a_token_is_asked_for_only_where_the_configuration_names_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = box(tmp_path / "a")
    with office(tmp_path) as ward:
        assert made.enrol(ward, ward.code("dt-01"), token=Path("/lib/t.so"), token_label="TRAM") == 1
    assert 'must end in ".token" where --token is used' in capsys.readouterr().err


def test_without_a_server_the_slip_is_pointed_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = box(tmp_path / "a")
    assert identity.enrol(made.config, made.file, identity.Asked("", new_code().typed())) == 1
    assert "--server https://" in capsys.readouterr().err
