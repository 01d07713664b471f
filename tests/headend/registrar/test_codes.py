"""One-time codes at the registrar: each is good once, for its hours, and for so many tries."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest

from edge_agent.core.units import DAY_MS, HOUR_MS, StationId, UtcMs
from edge_agent.headend import code_book
from edge_agent.headend.code_book import HOURS, HOURS_MAX, TRIES_MAX, CodeBook
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.pki import PkiError, renew_authority
from edge_agent.headend.registrar import Refused
from edge_agent.identity.codes import SECRET_CHARS, Code, new_code
from edge_agent.identity.messages import Refusal
from tests.headend.registrar.desks import AREA, NOW, STATION, Box, Desk, assert_refused, enrol, new_box


def test_a_code_is_good_until_its_hour_and_no_longer(desk: Desk, box: Box) -> None:
    code = desk.code()
    assert_refused(Refusal.CODE_EXPIRED, lambda: enrol(desk, box, code, UtcMs(NOW + HOURS * HOUR_MS + 1)))
    assert desk.keyids == {}
    assert enrol(desk, box, code, UtcMs(NOW + HOURS * HOUR_MS)).station == STATION


def test_a_code_that_was_used_gives_its_certificate_again_until_its_hour_and_no_longer(desk: Desk, box: Box) -> None:
    code = desk.code()
    given = enrol(desk, box, code)
    assert enrol(desk, box, code, UtcMs(NOW + HOURS * HOUR_MS)) == given
    assert_refused(Refusal.CODE_EXPIRED, lambda: enrol(desk, box, code, UtcMs(NOW + HOURS * HOUR_MS + 1)))


def test_after_ten_wrong_tries_even_the_right_code_is_dead(desk: Desk, box: Box) -> None:
    code = desk.code()
    for _ in range(10):  # what is promised (docs/en-303-645.md, 5.1-5), and not what the code says
        assert_refused(Refusal.WRONG_CODE, lambda: enrol(desk, box, replace(code, secret="0" * 12)))
    assert_refused(Refusal.WRONG_CODE, lambda: enrol(desk, box, code))
    assert desk.keyids == {}


def test_a_code_that_was_used_is_burnt_by_wrong_tries_like_any_other(desk: Desk, box: Box) -> None:
    code = desk.code()
    enrol(desk, box, code)
    for _ in range(10):  # protocol, 16.4
        assert_refused(Refusal.WRONG_CODE, lambda: enrol(desk, box, replace(code, secret="0" * 12)))
    assert_refused(Refusal.WRONG_CODE, lambda: enrol(desk, box, code))


def test_one_try_less_and_the_right_code_is_still_good(desk: Desk, box: Box) -> None:
    code = desk.code()
    for _ in range(TRIES_MAX - 1):
        assert_refused(Refusal.WRONG_CODE, lambda: enrol(desk, box, replace(code, secret="0" * 12)))
    assert enrol(desk, box, code).station == STATION


def test_a_slot_that_nobody_was_given_looks_like_a_wrong_code(desk: Desk, box: Box) -> None:
    assert_refused(Refusal.WRONG_CODE, lambda: enrol(desk, box, Code("AAA", "0" * 12)))


def test_a_new_code_ends_the_one_before_it(desk: Desk, box: Box) -> None:
    first = desk.code()
    second = desk.code()
    assert_refused(Refusal.WRONG_CODE, lambda: enrol(desk, box, first))
    assert enrol(desk, box, second).station == STATION


def test_a_new_code_takes_no_slot_in_which_another_stations_lies(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a thousand that are out, one in thirty draws would end the code of a technician who is on his way."""
    first = desk.code("dt-02")
    drawn = iter(first.slot + ("AAA" if first.slot != "AAA" else "BBB") + "0" * SECRET_CHARS)
    monkeypatch.setattr(code_book, "new_code", partial(new_code, draw=lambda _: next(drawn)))
    desk.code()
    assert {one.station for one in CodeBook(desk.keyring.directory).entries().values()} == {"dt-02", STATION}


def test_a_code_that_is_out_of_date_makes_room_for_a_new_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a province that has let a thousand lapse could enrol nobody any more."""
    monkeypatch.setattr(code_book, "CODES_MAX", 2)
    desk.code("dt-02")
    kept = desk.code("dt-03", UtcMs(NOW + 1)).slot
    new = desk.code(now=UtcMs(NOW + HOURS * HOUR_MS + 1)).slot
    assert CodeBook(desk.keyring.directory).entries().keys() == {kept, new}


def test_a_clock_ahead_for_an_hour_takes_nobodys_code(desk: Desk, box: Box) -> None:
    code = desk.code()  # the technician is on his way
    desk.code("dt-02", UtcMs(NOW + 30 * DAY_MS))
    assert enrol(desk, box, code, UtcMs(NOW + HOUR_MS)).station == STATION


def test_a_code_of_a_clock_ahead_is_good_for_no_year(desk: Desk, box: Box) -> None:
    code = desk.code(now=UtcMs(NOW + 365 * DAY_MS))
    assert_refused(Refusal.CODE_EXPIRED, lambda: enrol(desk, box, code, UtcMs(NOW + 300 * DAY_MS)))
    assert desk.keyids == {}


def test_a_clock_that_is_set_back_by_some_hours_takes_nobodys_code(desk: Desk, box: Box) -> None:
    code = CodeBook(desk.keyring.directory).give_out(
        StationId(STATION), AREA, "Trạm 1", UtcMs(NOW + 7 * HOUR_MS), HOURS_MAX
    )
    assert enrol(desk, box, code, NOW).station == STATION


def test_tries_at_the_same_moment_are_all_counted(desk: Desk, box: Box) -> None:
    code = desk.code()
    wrong = box.asks(replace(code, secret="0" * 12))[0]

    def one_try() -> None:
        with pytest.raises(Refused):
            desk.registrar.enrol(wrong, NOW)

    threads = [threading.Thread(target=one_try) for _ in range(TRIES_MAX - 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert CodeBook(desk.keyring.directory).entries()[code.slot].tries == TRIES_MAX - 1


def test_a_code_that_is_used_while_a_clerk_gives_out_another_one_is_used(desk: Desk, box: Box) -> None:
    """Written back as the clerk had read it, the code would bring a second box in."""
    code = desk.code()
    using = threading.Thread(target=enrol, args=(desk, box, code))
    with CodeBook(desk.keyring.directory).changing() as entries:
        using.start()
        using.join(0.5)  # what waits for the book, waits; what does not is through by then
        entries["AAA"] = replace(entries[code.slot], station=StationId("dt-02"))
    using.join()
    assert_refused(Refusal.CODE_USED, lambda: enrol(desk, new_box(), code))
    assert desk.keyids == {STATION: box.signer.keyid}


def test_a_damaged_book_of_codes_is_named(desk: Desk) -> None:
    (desk.keyring.directory / "codes.json").write_text('{"type":"codes","codes":{"??":{}}}')
    with pytest.raises(KeyringError, match=r"codes\.json: tệp hỏng.*a slot has 3 characters"):
        desk.code()


def test_where_the_authority_has_ended_a_good_code_is_answered_with_the_remedy_and_stays_good(
    desk: Desk, box: Box
) -> None:
    then = UtcMs(NOW + 4_000 * DAY_MS)
    code = desk.code(now=then)
    with pytest.raises(PkiError, match="`certificates renew`"):
        enrol(desk, box, code, then)
    renew_authority(desk.keyring.directory / "pki", datetime.fromtimestamp(then / 1000, UTC))
    assert enrol(desk, box, code, then).station == STATION
