"""Who holds which key today, and every trust document that the honest have signed with them.

A ceremony is a name of ``CEREMONIES``; it answers what it has signed, in the order in which stations are to have it.
Each ends a key's epoch in its own way: another key, one more, fewer, a new kỳ of delegates, the next root, a date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from edge_agent.trust.bundle import write_file
from tests.redteam.papers import (
    DAY_MS,
    DEPUTY,
    HERE,
    NEW_OFFICER,
    NEXT_WARD,
    OFFICER,
    RADIO,
    SERVER,
    STATIONS,
    THERE,
    WARD,
    Dates,
    Radio,
    Staff,
    Ward,
    province_document,
    root_document,
    ward_document,
)
from tests.trust.delegation import HANOI, NATIONAL, PROVINCE
from tests.trust.makers import NOON

HOLDERS = ("holder-1", "holder-2", "holder-3")
DELEGATES = (HANOI, f"{HANOI}-2")
"""Two must sign of each of these."""
NEW_DEPUTY, ELDER = "deputy-2", "elder"
ROOTS_MAX = 8
# A manifest lists sixteen documents (17.2), each root among them.
GRACE_MS = 30 * DAY_MS
FROM_AHEAD_MS = 120_000
# How far ahead of a station's clock a document may be (6.7).
FIRST = Dates(NOON - DAY_MS, NOON + 60 * DAY_MS)
WARDS = {WARD: HERE, NEXT_WARD: THERE}
Signed = tuple[str, bytes]
"""(area, envelope)."""


class Offices:
    """``signed`` is every document by its area, the newest last."""

    def __init__(self, utc: Callable[[], int]) -> None:
        self._utc = utc
        self.holders, self.nation, self.delegates, self.server = HOLDERS, NATIONAL, DELEGATES, SERVER
        self.radio = Radio()
        self.staff = {area: Staff((ward.officer,), (ward.officer, DEPUTY), 2) for area, ward in WARDS.items()}
        self._nations = self._provinces = 1
        self.signed: dict[str, list[bytes]] = {}
        self.issued: dict[bytes, tuple[str, int]] = {}
        """Of each envelope its area, and when it was signed."""
        self._places: dict[str, tuple[int, int]] = {}
        self._sign_root(HOLDERS, FIRST)
        self._sign_province(FIRST)
        for area in WARDS:
            self._sign_ward(area, FIRST)

    def officer(self, ward: Ward) -> str:
        """Who signs there today."""
        return self.staff[ward.area].officers[-1]

    def trust_file(self, area: str) -> bytes:
        """What lies on an area's stations when they are new."""
        return write_file([self.signed[one][0] for one in ("", PROVINCE, area)])

    def around(self, station: str) -> tuple[str, ...]:
        """The areas of a station's documents, from above down."""
        return PROVINCE, STATIONS[station].area

    def place(self, area: str) -> tuple[int, int]:
        """(epoch, version) of the newest document."""
        return self._places[area]

    def lacking(self, station: str, has: dict[str, tuple[int, int]]) -> tuple[list[Signed], list[Signed]]:
        """What a station has to be sent that stands by these: each root since its own; then the rest, from above."""
        roots = [("", one) for one in self.signed[""][has[""][1] :]]
        below = [one for one in self.around(station) if has.get(one, (0, 0)) != self._places[one]]
        return roots, [(one, self.signed[one][-1]) for one in below]

    def in_force(self) -> tuple[bytes, ...]:
        """Every root, and the newest of each area."""
        return (*self.signed[""], *(self.signed[area][-1] for area in (PROVINCE, *WARDS)))

    # The ceremonies

    def renew(self) -> list[Signed]:
        """The same again; it ends a ward's lapsing."""
        return [self._sign_ward(WARD)]

    def revoke(self) -> list[Signed]:
        """Another officer alone."""
        return self._staffed(officers=(NEW_OFFICER,), warners=self._warners(OFFICER, NEW_OFFICER))

    def both_keys(self) -> list[Signed]:
        """One officer more: to change a key without a gap (6.13)."""
        old = self.staff[WARD].officers[0]
        return self._staffed(officers=(old, NEW_OFFICER) if old != NEW_OFFICER else (old,))

    def another_deputy(self) -> list[Signed]:
        return self._staffed(warners=self._warners(DEPUTY, NEW_DEPUTY))

    def three_warn(self) -> list[Signed]:
        warners = self.staff[WARD].warners
        return self._staffed(warners=(*warners[:2], ELDER), must_warn=3)

    def two_warn(self) -> list[Signed]:
        return self._staffed(must_warn=2)

    def hand_on(self) -> list[Signed]:
        """The province has other delegates, in another kỳ, and they sign for every ward anew."""
        self._provinces += 1
        self.delegates = tuple(f"{HANOI}-{self._provinces}-{number}" for number in (1, 2))
        return [self._sign_province(), *self._all_wards()]

    def another_epoch(self) -> list[Signed]:
        """The same delegates in another kỳ: what they have signed before is over all the same."""
        self._provinces += 1
        return [self._sign_province(), *self._all_wards()]

    def add_delegate(self) -> list[Signed]:
        """In the same kỳ: what was signed stands on."""
        self.delegates = (*self.delegates, f"{HANOI}-{self._provinces}-{len(self.delegates) + 1}")[:4]
        return [self._sign_province()]

    def nation_hands_on(self) -> list[Signed]:
        """The next root has another delegate, who signs for the province anew; its wards need nothing."""
        self._nations += 1
        self.nation = f"{NATIONAL}-{self._nations}"
        return [self._sign_root(self.holders), self._sign_province()]

    def another_holder(self) -> list[Signed]:
        before = self.holders
        self.holders = (*before[1:], f"holder-{len(self.signed['']) + 3}")
        return [self._sign_root(before)]

    def another_server(self) -> list[Signed]:
        self.server = f"{SERVER}-{len(self.signed['']) + 1}"
        return [self._sign_root(self.holders)]

    def root_steps(self) -> list[Signed]:
        """Some at once."""
        return [*self.another_holder(), *self.another_server(), *self.another_holder()]

    def offer_all(self) -> list[Signed]:
        """The radio plans nothing by itself any more."""
        return self._on_air(offered=("normal", "priority"))

    def offer_some(self) -> list[Signed]:
        return self._on_air(offered=("normal",))

    def offer_none(self) -> list[Signed]:
        """What it had offered it plans by itself now."""
        return self._on_air(offered=())

    def another_radio(self) -> list[Signed]:
        return self._on_air(key=f"{RADIO}-2")

    def lapse(self) -> list[Signed]:
        """A ward's document whose grace is over in a minute."""
        until = self._utc() - GRACE_MS + 60_000
        return [self._sign_ward(WARD, Dates(until - 10 * DAY_MS, until))]

    def _on_air(self, **over: Any) -> list[Signed]:
        self.radio = replace(self.radio, **over)
        return [self._sign_province()]

    def _staffed(self, **over: object) -> list[Signed]:
        staff = self.staff[WARD]
        given = {name: over.get(name, getattr(staff, name)) for name in ("officers", "warners", "must_warn")}
        self.staff[WARD] = Staff(**given)  # type: ignore[arg-type]
        return [self._sign_ward(WARD)]

    def _warners(self, old: str, new: str) -> tuple[str, ...]:
        return tuple(new if one == old else one for one in self.staff[WARD].warners)

    def _all_wards(self) -> Iterator[Signed]:
        for area in WARDS:
            yield self._sign_ward(area)

    def _now(self) -> Dates:
        return Dates(self._utc(), self._utc() + 60 * DAY_MS)

    def _sign_root(self, before: tuple[str, ...], dates: Dates | None = None) -> Signed:
        version = len(self.signed.get("", ())) + 1
        given = (self.holders, self.nation, self._nations, self.server)
        signers = (*dict.fromkeys((*before[-2:], *self.holders[-2:])),)
        dates = dates or self._now()
        return self._put("", (0, version), root_document(version, *given, dates, signers), dates)

    def _sign_province(self, dates: Dates | None = None) -> Signed:
        place = self._next(PROVINCE, self._nations)
        dates = dates or self._now()
        given = (self.delegates, self._provinces, self.radio, dates, self.nation)
        return self._put(PROVINCE, place, province_document(place, *given), dates)

    def _sign_ward(self, area: str, dates: Dates | None = None) -> Signed:
        place = self._next(area, self._provinces)
        dates = dates or self._now()
        given = (self.staff[area], dates, self.delegates[:2])
        return self._put(area, place, ward_document(WARDS[area], place, *given), dates)

    def _next(self, area: str, epoch: int) -> tuple[int, int]:
        before = self._places.get(area, (0, 0))
        return epoch, before[1] + 1 if before[0] == epoch else 1

    def _put(self, area: str, place: tuple[int, int], envelope: bytes, dates: Dates) -> Signed:
        self._places[area] = place
        self.issued[envelope] = (area, dates.issued_at)
        self.signed.setdefault(area, []).append(envelope)
        return area, envelope


OF_THE_ROOT = frozenset({"nation_hands_on", "another_holder", "another_server", "root_steps"})
CEREMONIES: dict[str, Callable[[Offices], list[Signed]]] = {
    one.__name__: one
    for one in (
        Offices.renew,
        Offices.revoke,
        Offices.both_keys,
        Offices.another_deputy,
        Offices.three_warn,
        Offices.two_warn,
        Offices.hand_on,
        Offices.another_epoch,
        Offices.add_delegate,
        Offices.nation_hands_on,
        Offices.another_holder,
        Offices.another_server,
        Offices.root_steps,
        Offices.lapse,
    )
}
ON_AIR: dict[str, Callable[[Offices], list[Signed]]] = {
    one.__name__: one for one in (Offices.offer_all, Offices.offer_some, Offices.offer_none, Offices.another_radio)
}
"""Ceremonies of the province's radio alone."""
