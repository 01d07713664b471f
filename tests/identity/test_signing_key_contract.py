"""Every place that a station's signing key may lie in keeps the same promises: a file, a secure element, a TPM."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_agent.config.sections import TrustFiles
from edge_agent.identity.file_keys import FileKey
from edge_agent.identity.port import SigningKey
from edge_agent.identity.token_keys import TokenKey, signing_key
from edge_agent.identity.token_library import TokenError
from edge_agent.trust.keys import Scheme, UnusableKey
from tests.host import swtpm
from tests.host.softhsm import NEEDS_SOFTHSM, PIN, drawer, see_again
from tests.host.swtpm import NEEDS_SWTPM
from tests.identity.sealed import NAME, handed_over


@dataclass
class Kind:
    """A kind of place. ``key`` is as at enrolment, ``again`` as a process that was started anew finds it."""

    key: SigningKey
    path: Path
    forget: Callable[[], None]
    credential: str = ""

    def again(self) -> SigningKey:
        self.forget()
        return signing_key(TrustFiles(Path("trust.json"), self.path, self.credential))


def in_file(place: Path, patch: pytest.MonkeyPatch, stack: ExitStack) -> Kind:
    path = place / "identity" / "signing.key"
    return Kind(FileKey(path), path, lambda: None)


def in_locked_file(place: Path, patch: pytest.MonkeyPatch, stack: ExitStack) -> Kind:
    handed_over(place / "credentials", patch)
    path = place / "identity" / "signing.key"
    return Kind(FileKey(path, credential=NAME), path, lambda: None, NAME)


def on_element(scheme: Scheme) -> Callable[[Path, pytest.MonkeyPatch, ExitStack], Kind]:
    def make(place: Path, patch: pytest.MonkeyPatch, stack: ExitStack) -> Kind:
        elements = stack.enter_context(drawer(place / "hsm", patch))
        elements.plug_in_new("TRAM")
        see_again(elements)
        path = place / "signing.token"
        path.with_suffix(".pin").write_text(f"{PIN}\n")
        path.with_suffix(".pin").chmod(0o600)
        return Kind(TokenKey(path, elements.module, "TRAM", scheme), path, lambda: see_again(elements))

    return make


def in_tpm(place: Path, patch: pytest.MonkeyPatch, stack: ExitStack) -> Kind:
    board = stack.enter_context(swtpm.board(place / "board", patch))
    board.plug_in_new("TRAM")
    swtpm.see_again(board)
    path = place / "signing.token"
    path.with_suffix(".pin").write_text(f"{swtpm.PIN}\n")
    path.with_suffix(".pin").chmod(0o600)
    return Kind(TokenKey(path, board.module, "TRAM"), path, lambda: swtpm.see_again(board))


KINDS = {
    "file": in_file,
    "locked-file": in_locked_file,
    **{f"element-{scheme}": on_element(scheme) for scheme in Scheme},
    "tpm": in_tpm,
}
NEEDS = {"element": NEEDS_SOFTHSM, "tpm": NEEDS_SWTPM}


@pytest.fixture(
    params=[pytest.param(make, id=name, marks=NEEDS.get(name.split("-")[0], ())) for name, make in KINDS.items()]
)
def kind(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kind]:
    with ExitStack() as stack:
        yield request.param(tmp_path, monkeypatch, stack)


def test_a_key_that_was_made_is_there_for_the_next_process(kind: Kind) -> None:
    made = kind.key.make()
    opened = kind.again().open()
    assert opened.public == made.public
    assert opened.public.signed(b"nhat ky", opened.sign(b"nhat ky"))


def test_making_again_makes_no_second_key(kind: Kind) -> None:
    made = kind.key.make().public
    kind.forget()
    assert kind.key.make().public == made


def test_what_is_left_on_the_disk_is_for_its_owner_alone(kind: Kind) -> None:
    kind.key.make()
    assert [path.stat().st_mode & 0o077 for path in kind.path.parent.iterdir() if path.is_file()] != []
    assert [path for path in kind.path.parent.iterdir() if path.is_file() and path.stat().st_mode & 0o077] == []


def test_a_key_that_was_destroyed_signs_no_more_and_the_next_one_is_another(kind: Kind) -> None:
    made = kind.key.make().public
    pin = kind.path.with_suffix(".pin")
    kept = pin.read_bytes() if pin.exists() else None
    kind.again().destroy()
    assert [path for path in kind.path.parent.iterdir() if path.is_file()] == []
    with pytest.raises((OSError, UnusableKey)):
        kind.again().open()
    if kept is not None:
        pin.write_bytes(kept)
        pin.chmod(0o600)
    kind.forget()
    assert kind.key.make().public != made


def test_destroying_what_is_not_there_is_no_fault(kind: Kind) -> None:
    kind.again().destroy()


def test_a_key_that_others_can_read_is_not_used(kind: Kind) -> None:
    kind.key.make()
    kind.path.chmod(0o644)
    with pytest.raises(UnusableKey, match="chmod 600"):
        kind.again().open()


@NEEDS_SOFTHSM[0]
@pytest.mark.host
def test_a_destroyed_key_of_an_element_is_gone_from_the_element_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        kind = on_element(Scheme.ECDSA_P256)(tmp_path, monkeypatch, stack)
        kind.key.make()
        note, pin = kind.path.read_bytes(), kind.path.with_suffix(".pin").read_bytes()
        kind.again().destroy()
        for path, content in ((kind.path, note), (kind.path.with_suffix(".pin"), pin)):
            path.write_bytes(content)  # as from a copy of the card
            path.chmod(0o600)
        with pytest.raises(TokenError, match="does not hold the key"):
            kind.again().open()


@NEEDS_SOFTHSM[0]
@pytest.mark.host
def test_without_a_pin_file_its_name_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as stack:
        kind = on_element(Scheme.ECDSA_P256)(tmp_path, monkeypatch, stack)
        kind.key.make()
        kind.path.with_suffix(".pin").unlink()
        with pytest.raises(UnusableKey, match=r"signing\.pin"):
            kind.again().open()


def test_without_a_library_and_a_name_no_key_can_be_made(tmp_path: Path) -> None:
    with pytest.raises(UnusableKey, match="--token, --label"):
        TokenKey(tmp_path / "signing.token").make()
