"""A station's signing key in a TPM: what a copy of its card is worth then, and what the chip itself may refuse."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pkcs11
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import Attribute, ObjectClass

from edge_agent.element import ElementHangs
from edge_agent.identity import token_keys
from edge_agent.identity.token import find_token, log_in, read_note
from edge_agent.identity.token_keys import TokenKey
from edge_agent.identity.token_library import NoTokenLibrary, PinLocked, TokenFailed, WrongPin
from edge_agent.trust.keys import P256_POINT_BYTES, Signer
from tests.host.swtpm import NEEDS_SWTPM, PIN, START_S, Board, board, see_again

pytestmark = [*NEEDS_SWTPM]
FIXED_TPM, FIXED_PARENT, ORIGIN = 0x02, 0x10, 0x20
# Of a key's public area (TPM 2.0 part 2, TPMA_OBJECT): no other chip takes it, no other parent; the chip made it.
OTHER_BOARD = r"token TRAM: .* a card of another board"
CUTS = 6
# Twice as many as swtpm suffers by default.


class Station:
    """A station's card, and the board that it was enrolled with."""

    def __init__(self, place: Path, tpm: Board) -> None:
        self.tpm = tpm
        self.card = place / "card"
        self.card.mkdir()
        (self.card / "signing.pin").write_text(PIN)
        (self.card / "signing.pin").chmod(0o600)

    @property
    def key(self) -> TokenKey:
        return TokenKey(self.card / "signing.token", self.tpm.module, "TRAM")

    def started(self) -> Signer:
        """The key, as an agent that has just been started opens it."""
        see_again(self.tpm)
        return self.key.open()


@pytest.fixture
def tpm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    with board(tmp_path / "board", monkeypatch) as made:
        yield made


@pytest.fixture
def station(tmp_path: Path, tpm: Board) -> Station:
    tpm.plug_in_new("TRAM")
    see_again(tpm)
    made = Station(tmp_path, tpm)
    made.key.make()
    return made


@pytest.fixture
def impatient() -> Iterator[pytest.MonkeyPatch]:
    """No longer than ``undo`` says: a chip that answers may take its time."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OPEN_S", "SIGN_S"):
            patch.setattr(token_keys, name, 0.2)
        yield patch


def test_a_chip_that_hangs_holds_nobody_who_opens_its_key(station: Station, impatient: pytest.MonkeyPatch) -> None:
    """It held the agent from READY: systemd ended it after a minute, and the next one, and no timetable was played."""
    see_again(station.tpm)
    with station.tpm.hanging(), pytest.raises(ElementHangs, match="không trả lời / the element does not answer"):
        station.key.open()


def test_a_chip_that_hangs_holds_nobody_who_signs(station: Station, request: pytest.FixtureRequest) -> None:
    signer = station.started()
    impatient: pytest.MonkeyPatch = request.getfixturevalue("impatient")
    with station.tpm.hanging(), pytest.raises(ElementHangs):
        signer.sign(b"nhat ky")
    impatient.undo()
    assert signer.public.signed(b"nhat ky", signer.sign(b"nhat ky"))


def test_the_chip_lets_the_key_go_nowhere(station: Station) -> None:
    see_again(station.tpm)
    session = log_in(find_token(station.tpm.module, "TRAM"), lambda _what: PIN)
    key = read_note(station.key.note)
    wanted = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: key.key_id}
    (private,) = session.get_objects(wanted)
    with pytest.raises(pkcs11.PKCS11Error):
        _ = private[Attribute.VALUE]
    (found,) = {
        int.from_bytes(area[6:10])  # TPM2B_PUBLIC: size, kind, digest, attributes
        for area in hexes(station.tpm.store)
        if area[2:6] == bytes.fromhex("0023000b") and key.public.raw[1:33] in area
    }
    assert found & (FIXED_TPM | FIXED_PARENT | ORIGIN) == FIXED_TPM | FIXED_PARENT | ORIGIN


def test_no_32_bytes_on_the_card_are_the_private_key(station: Station) -> None:
    public = read_note(station.key.note).public.raw
    assert private_bytes(station.card, public) == []
    assert private_bytes(station.tpm.store, public) == []


@pytest.mark.parametrize("form", [bytes, lambda key: key.hex().encode()], ids=["raw", "hex"])
def test_a_private_key_that_lies_on_a_card_is_found(tmp_path: Path, form: type[bytes]) -> None:
    made = ec.generate_private_key(ec.SECP256R1())
    public = made.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    key = made.private_numbers().private_value.to_bytes(32)
    (tmp_path / "store").write_bytes(b"\x00" * 300 + b"key: " + form(key) + b"; and more")
    assert private_bytes(tmp_path, public) == [key]


def test_a_copied_card_signs_nothing_on_a_board_with_a_new_chip(station: Station) -> None:
    station.tpm.another_chip()
    with pytest.raises(TokenFailed, match=OTHER_BOARD):
        station.started().sign(b"nhat ky")


def test_a_key_of_another_board_is_forgotten_by_its_note_as_its_chip_is_not_there_to_be_asked(station: Station) -> None:
    """What a reset does; the operations say so too."""
    station.tpm.another_chip()
    see_again(station.tpm)
    with pytest.raises(TokenFailed, match=OTHER_BOARD):
        station.key.destroy()
    station.key.note.unlink()
    station.key.destroy()
    assert list(station.card.iterdir()) == []


def test_a_copied_card_signs_nothing_on_the_board_of_another_station(station: Station, tmp_path: Path) -> None:
    """Whose chip keeps a parent of its own where the copied store looks for that of the first one."""
    copy = tmp_path / "copy"
    shutil.copytree(station.tpm.store, copy)
    shutil.rmtree(station.tpm.store)
    station.tpm.store.mkdir()
    station.tpm.another_chip()
    see_again(station.tpm)
    station.tpm.plug_in_new("TRAM")
    shutil.copytree(copy, station.tpm.store, dirs_exist_ok=True)
    with pytest.raises(TokenFailed, match=OTHER_BOARD):
        station.started().sign(b"nhat ky")


def test_a_card_that_was_only_copied_does_no_harm_to_the_station(station: Station, tmp_path: Path) -> None:
    """The same copy, on the chip that it came from: what failed above was the chip and nothing else."""
    copy = tmp_path / "copy"
    shutil.copytree(station.tpm.store, copy)
    shutil.rmtree(station.tpm.store)
    shutil.copytree(copy, station.tpm.store)
    signer = station.started()
    assert signer.public.signed(b"nhat ky", signer.sign(b"nhat ky"))


def test_who_has_the_board_and_a_copy_of_the_card_signs_after_a_reset_and_no_more_once_the_chip_was_cleared(
    station: Station, tmp_path: Path
) -> None:
    """The chip keeps no list of its keys: what lies on the card is the key, for this chip alone."""
    lying = (station.card, station.tpm.store)
    for folder in lying:
        shutil.copytree(folder, tmp_path / "copy" / folder.name)
    see_again(station.tpm)
    station.key.destroy()
    for folder in lying:
        shutil.copytree(tmp_path / "copy" / folder.name, folder, dirs_exist_ok=True)
    signer = station.started()
    assert signer.public.signed(b"nhat ky", signer.sign(b"nhat ky"))
    pkcs11.lib(station.tpm.module).finalize()
    station.tpm.tool("tpm2_clear")
    with pytest.raises(TokenFailed, match=OTHER_BOARD):
        station.started().sign(b"nhat ky")


def test_a_wrong_pin_has_a_name_and_the_next_try_is_heard(station: Station) -> None:
    pin = station.card / "signing.pin"
    pin.write_text("not-the-pin-99")
    with pytest.raises(WrongPin, match=r"sai mã PIN / wrong PIN"):
        station.started()
    pin.write_text(PIN)
    assert station.started().public == read_note(station.key.note).public


def test_a_chip_that_is_gone_while_the_agent_runs_fails_by_name_and_signs_again_when_it_is_back(
    station: Station,
) -> None:
    signer = station.started()
    station.tpm.cut()
    with pytest.raises(TokenFailed, match=r"token TRAM: thiết bị báo lỗi / failed \(.+\): was it pulled out\?"):
        signer.sign(b"nhat ky")
    station.tpm.power_on()
    again = station.started()
    assert signer.public.signed(b"nhat ky", again.sign(b"nhat ky"))


def test_a_board_whose_chip_does_not_answer_is_told_what_to_look_at(station: Station) -> None:
    station.tpm.cut()
    pkcs11.lib(station.tpm.module).finalize()
    pkcs11.unload(station.tpm.module)
    with pytest.raises(NoTokenLibrary, match=r"GeneralError.*TPM2_PKCS11_STORE"):
        station.key.open()
    station.tpm.power_on()


def cut_and_start(station: Station, cuts: int) -> Signer:
    """Each time in the midst of work, as the mains of a pole go."""
    for _ in range(cuts):
        station.started()
        station.tpm.cut()
        station.tpm.power_on()
    return station.started()


def test_a_chip_counts_power_cuts_as_wrong_pins_and_then_refuses_by_name(station: Station) -> None:
    with pytest.raises(PinLocked, match="a TPM, which takes power cuts for wrong PINs"):
        cut_and_start(station, CUTS)


def test_a_chip_that_was_told_to_forgive_power_cuts_signs_after_them(station: Station) -> None:
    station.tpm.forgive_cuts()
    signer = cut_and_start(station, CUTS)
    assert signer.public.signed(b"nhat ky", signer.sign(b"nhat ky"))


def test_a_chip_that_refuses_opens_again_by_itself_and_at_once_when_it_is_told_to_forgive(station: Station) -> None:
    locked(station)
    few = ("--max-tries=3", "--lockout-recovery-time=1000")  # as it was
    station.tpm.tool("tpm2_dictionarylockout", "--setup-parameters", "--recovery-time=1", *few)
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and not opens(station):
        time.sleep(0.2)
    assert opens(station)
    station.tpm.tool("tpm2_dictionarylockout", "--setup-parameters", "--recovery-time=1000", *few)
    locked(station)
    station.tpm.forgive_cuts()
    assert opens(station)


def locked(station: Station) -> None:
    with pytest.raises(PinLocked):
        cut_and_start(station, CUTS)


def opens(station: Station) -> bool:
    try:
        station.started()
    except PinLocked:
        return False
    return True


def hexes(folder: Path) -> Iterator[bytes]:
    """What stands in a folder's files in hex digits."""
    for path in folder.iterdir():
        for run in re.findall(rb"(?:[0-9a-f]{2}){32,}", path.read_bytes()):
            yield bytes.fromhex(run.decode())


def private_bytes(folder: Path, public: bytes) -> list[bytes]:
    """All 32 bytes in a row, as they are or in hex digits, that are the private half of a public key."""
    assert len(public) == P256_POINT_BYTES
    contents = [*(path.read_bytes() for path in folder.iterdir()), *hexes(folder)]
    rows = {content[start : start + 32] for content in contents for start in range(len(content) - 31)}
    return [row for row in rows if is_private(row, public)]


def is_private(row: bytes, public: bytes) -> bool:
    try:
        made = ec.derive_private_key(int.from_bytes(row), ec.SECP256R1())
    except ValueError:  # 0, or past the curve's order
        return False
    return made.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint) == public
