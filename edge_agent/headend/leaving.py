"""Take a station off the list: a box that was stolen or scrapped, and that no other one replaces yet.

It is a stranger from then on, and so it stays until another code is used. What it was told before it goes on obeying,
and as long as it runs also what it fetches by itself: the heads and papers of its area are no secret.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_agent.core.units import StationId
from edge_agent.headend.code_book import CodeBook
from edge_agent.headend.enrolment import Enrolled
from edge_agent.headend.errors import HeadendError, KeyringError
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.station_certificates import alone_with_them, known, take_back

NOT_REVOKED = "CHƯA thu hồi được chứng thư / its certificates are NOT revoked"
NOT_DROPPED = "CHƯA hủy được mã một lần / its codes are NOT taken back"


@dataclass(frozen=True, slots=True)
class Left:
    """How many certificates and codes of the station that has gone are good no more."""

    certificates: int
    codes: int


def find(keyring: Keyring, station: str) -> Enrolled:
    """The station that is meant, gone or not."""
    enrolled = keyring.ever.get(StationId(station))
    if enrolled is None:
        raise KeyringError(
            f"{station}: không có trạm này, chưa đổi gì; xem `keys list` / there is no such station, nothing was "
            "changed; see `keys list`"
        )
    return enrolled


def take_off(directory: Path, station: str) -> Left:
    """To be done again where it was cut short: then it is done to its end."""
    keyring = Keyring(directory)
    with alone_with_them(keyring):
        keyring.refresh()
        enrolled = find(keyring, station)
        # First what no other file that is damaged may hinder: a broker that runs hands it nothing more.
        keyring.take_off(enrolled.station)
        certificates, revoked = _as_far_as_it_goes(NOT_REVOKED, lambda: _revoke(keyring, enrolled.station))
        # The box that has used one is given its place again by the same.
        codes, dropped = _as_far_as_it_goes(NOT_DROPPED, lambda: CodeBook(directory).drop(station))
    if left_undone := [told for told in (revoked, dropped) if told]:
        raise KeyringError(
            f"{station}: ĐÃ BỎ trạm, nhưng chưa xong; sửa rồi chạy lại lệnh này / is taken off, but not all is done; "
            f"mend this, then repeat the command: {'; '.join(left_undone)}"
        )
    return Left(certificates, codes)


def _revoke(keyring: Keyring, station: StationId) -> int:
    shown = known(keyring, station)
    take_back(keyring, shown)
    return len(shown)


def _as_far_as_it_goes(undone: str, do: Callable[[], int]) -> tuple[int, str]:
    """How many it was, and what is left undone: what hinders one step must neither hinder nor hide the other."""
    try:
        return do(), ""
    except (HeadendError, OSError) as error:
        return 0, f"{undone}: {error}"
