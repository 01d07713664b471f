"""A record's bytes and its place in the chain: whoever changes, cuts or moves anything is named."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.as_run import AsRun, Evidence, ItemAsRun, RecordKind, ZoneAsRun
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey, MonoMs, ZoneId
from edge_agent.journal.port import StoredRecord
from edge_agent.journal.record import (
    BODY_BYTES_MAX,
    DETAIL_CHARS_MAX,
    GENESIS,
    ChainFault,
    ChainPoint,
    Damage,
    Origin,
    body_of,
    canonical,
    chain,
    hash_of,
    sounded_in,
    verify_chain,
)
from tests.journal.samples import ORIGIN, PLANNED, record_of

SAID = json.loads(body_of(replace(record_of(started=PLANNED), series="lu-lut", version=3), ORIGIN))
WELL_SAID = sounded_in(canonical(SAID))
PAYLOAD_BYTES_MAX = 48_000
# What a station can sign and publish at once: base64 makes 64,000 of it, a packet holds 65,536.


def make_chain(length: int, epoch: str = "e" * 16, start: ChainPoint | None = None) -> list[StoredRecord]:
    before, made = start or ChainPoint(), []
    for number in range(length):
        made.append(chain(epoch, before, body_of(record_of(f"job-{number}"), ORIGIN)))
        before = ChainPoint(made[-1].seq, made[-1].hash)
    return made


def head_of(records: list[StoredRecord]) -> ChainPoint:
    return ChainPoint(records[-1].seq, records[-1].hash)


def test_a_record_is_these_bytes_for_ever() -> None:
    """Written out by hand: fields may be added, but who changes or takes one away breaks every auditor's script."""
    item = (
        f'{{"approver":"cb-01","field":"y tế","key":"{"ab" * 32}","language":"vi","source":"Trạm y tế",'
        '"title":"Lịch tiêm chủng"}'
    )
    zone = '{"evidence":3,"played_ms":10000,"reason":null,"relay_on":5000,"volume":60,"zone":"cho"}'
    assert body_of(record_of(), ORIGIN).decode() == (
        '{"attempt":1,"boot_id":"0123abcd","chimes_ms":0,"clock":"ntp","clock_error_ms":12,"cls":"normal","corrects":"",'
        '"detail":"",'
        '"digest":"digest of tiem-chung","ended":1790000011000,"ended_mono":16000,"event":"","evidence":3,'
        f'"frames":480000,"issuer":"dong-thanh","items":[{item}],"job_id":"tiem-chung","kind":"play","level":"commune",'
        '"outcome":"interrupted","planned":1790000001000,"planned_ms":20000,"played_ms":10000,"reason":"preempted",'
        '"rehearsal":false,"relayed":null,"role":"xa","series":"","signers":["k"],"software":"1.2.3","started":1790000001000,'
        f'"station":"dt-017","under":"","underruns":0,"version":0,"zones":[{zone}]}}'
    )


def test_the_hash_is_what_ten_lines_of_script_compute() -> None:
    first, second = make_chain(2)
    assert first.prev == GENESIS == "0" * 64
    assert first.hash == hashlib.sha256(b"0" * 64 + b"\n" + first.body).hexdigest()
    assert second.hash == hashlib.sha256(first.hash.encode() + b"\n" + second.body).hexdigest()


def test_every_field_of_the_record_is_in_the_body_beside_where_it_comes_from() -> None:
    body = json.loads(body_of(record_of(), ORIGIN))
    assert set(body) == {field.name for field in fields(AsRun)} | {"station", "software", "boot_id"}


def test_a_refusal_has_nulls_and_empty_lists_and_no_invented_values() -> None:
    refusal = record_of(
        kind=RecordKind.REFUSAL,
        cls=None,
        items=(),
        zones=(),
        planned=None,
        started=None,
        played_ms=None,
        reason=Reason.QUIET_HOURS,
    )
    body = json.loads(body_of(refusal, ORIGIN))
    assert [body[name] for name in ("cls", "planned", "started", "played_ms")] == [None] * 4
    assert (body["items"], body["zones"], body["reason"]) == ([], [], "quiet_hours")


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_body_read_and_written_again_by_the_centre_is_the_same_bytes(title: str, detail: str) -> None:
    item = ItemAsRun(title, "", "vi", "", "", ClipKey("ab" * 32))
    body = body_of(record_of(items=(item,), detail=detail), Origin("dt-017", "1", "b"))
    assert canonical(json.loads(body)) == body


@given(st.text(max_size=40))
def test_a_body_holds_nothing_that_a_strict_reader_refuses(detail: str) -> None:
    """One unreadable record would stop the upload of all that follow it."""
    text = json.loads(body_of(record_of(detail=detail), ORIGIN))["detail"]
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 or 0xD800 <= ord(char) < 0xE000 for char in text)


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("disk\nfull\x00", "disk full "),
        ("caf\udce9", "caf "),
        ("Tie\u0302\u0301ng", "Tiếng"),
        ("x" * (DETAIL_CHARS_MAX + 1), "x" * DETAIL_CHARS_MAX),
    ],
)
def test_an_errors_own_words_are_made_plain_and_short(said: str, written: str) -> None:
    assert json.loads(body_of(record_of(detail=said), ORIGIN))["detail"] == written


def test_what_was_signed_passes_unchanged() -> None:
    """Requirement B9, in every letter that Vietnamese has."""
    letters = "aáàảãạăắằẳẵặâấầẩẫậ đ eéèẻẽẹêếềểễệ iíìỉĩị oóòỏõọôốồổỗộơớờởỡợ uúùủũụưứừửữự yýỳỷỹỵ"
    text = letters + letters.upper() + "“…” – 17h30, 97,5 %"
    item = ItemAsRun(text, text, "vi", text, "cb-01", ClipKey("ab" * 32))
    assert json.loads(body_of(record_of(items=(item,)), ORIGIN))["items"][0]["title"] == text


def largest(letter: str, zones: int) -> AsRun:
    """As much as an order may hold, in letters of the given width, on so many zones."""
    item = ItemAsRun(letter * 200, letter * 40, "v" * 16, letter * 200, letter * 80, ClipKey("ab" * 32))
    zone = ZoneAsRun(ZoneId(""), Evidence.HEARD, 7_200_000, 100, MonoMs(2**53 - 1), Reason.CLOCK_NOT_TRUSTED)
    return record_of(
        "j" * 64,
        digest="ab" * 32,
        items=(item,) * 20,
        zones=tuple(replace(zone, zone=ZoneId(f"{number:032}")) for number in range(zones)),
        signers=("ab" * 32,) * 16,
        detail=letter * DETAIL_CHARS_MAX,
        clock=ClockSource.HOLDOVER,
    )


@pytest.mark.parametrize("letter", ["e", "ệ", "😀"])
@pytest.mark.parametrize("zones", [1, 64])
def test_the_largest_record_fits_one_upload(letter: str, zones: int) -> None:
    """A record that no packet holds would wait for ever, and all others behind it."""
    body = body_of(largest(letter, zones), Origin("s" * 64, "1.2.3", "b" * 36))
    assert len(body) <= BODY_BYTES_MAX
    record = {"seq": 2**53 - 1, "prev": GENESIS, "hash": GENESIS, "body": json.loads(body)}
    message = {"realm": "r" * 64, "type": "log", "station": "s" * 64, "epoch": "e" * 16, "records": [record]}
    assert len(canonical(message)) <= PAYLOAD_BYTES_MAX


def test_particulars_are_cut_short_only_where_they_must_be_and_visibly() -> None:
    kept = json.loads(body_of(largest("ệ", 64), ORIGIN))["items"]
    cut = json.loads(body_of(largest("😀", 64), ORIGIN))["items"]
    assert (kept[0]["title"], kept[19]["approver"]) == ("ệ" * 200, "ệ" * 80)
    assert (cut[0]["title"], cut[0]["field"]) == ("😀" * 59 + "…", "😀" * 40)


def test_an_intact_chain_has_no_fault() -> None:
    records = make_chain(5)
    assert verify_chain(records) is None
    assert verify_chain(records, head=head_of(records)) is None
    assert verify_chain(records[2:], start=ChainPoint(2, records[1].hash)) is None
    assert verify_chain([]) is None


@pytest.mark.parametrize("victim", range(5))
def test_a_changed_body_is_named(victim: int) -> None:
    records = make_chain(5)
    body = records[victim].body.replace(b'"played_ms":10000', b'"played_ms":20000')
    records[victim] = replace(records[victim], body=body)
    assert verify_chain(records) == ChainFault(victim + 1, Damage.CHANGED)


@pytest.mark.parametrize("victim", range(4))
def test_a_changed_body_with_a_fitting_hash_is_named_by_the_record_that_vouched_for_it(victim: int) -> None:
    records = make_chain(5)
    old = records[victim]
    body = old.body.replace(b'"played_ms":10000', b'"played_ms":20000')
    records[victim] = replace(old, body=body, hash=hash_of(old.prev, body))
    assert verify_chain(records) == ChainFault(victim + 1, Damage.CHANGED)


def test_a_chain_written_anew_to_its_end_is_found_by_a_head_that_somebody_kept() -> None:
    honest = make_chain(5)
    forged = honest[:2]
    for body in (b"{}", honest[3].body, honest[4].body):
        forged.append(chain(honest[0].epoch, head_of(forged), body))
    assert verify_chain(forged) is None
    assert verify_chain(forged, head=head_of(honest)) == ChainFault(5, Damage.CHANGED)
    assert verify_chain(forged, head=ChainPoint(3, honest[2].hash)) == ChainFault(3, Damage.CHANGED)


def test_a_chain_that_does_not_begin_where_it_should_is_named_at_its_first_record() -> None:
    records = make_chain(3, start=ChainPoint(0, "1" * 64))
    assert verify_chain(records) == ChainFault(1, Damage.CHANGED)


@pytest.mark.parametrize("victim", range(4))
def test_a_record_cut_out_is_named(victim: int) -> None:
    records = make_chain(5)
    del records[victim]
    assert verify_chain(records) == ChainFault(victim + 1, Damage.CUT)


@pytest.mark.parametrize("left", range(5))
def test_an_end_cut_off_is_found_by_the_head(left: int) -> None:
    records = make_chain(5)
    assert verify_chain(records[:left], head=head_of(records)) == ChainFault(left + 1, Damage.CUT)


@pytest.mark.parametrize(("one", "other"), [(0, 1), (1, 3), (0, 4), (3, 4)])
def test_two_records_that_changed_places_are_named_by_the_first_one_out_of_place(one: int, other: int) -> None:
    records = make_chain(5)
    records[one], records[other] = records[other], records[one]
    assert verify_chain(records) == ChainFault(other + 1, Damage.REORDERED)


@pytest.mark.parametrize("length", [2, 3])
def test_a_record_that_stands_twice_is_named(length: int) -> None:
    records = make_chain(length)
    records.insert(2, records[1])
    assert verify_chain(records) == ChainFault(2, Damage.REORDERED)


def test_records_that_changed_their_numbers_too_are_found() -> None:
    records = make_chain(4)
    records[1], records[2] = replace(records[2], seq=2), replace(records[1], seq=3)
    fault = verify_chain(records)
    assert fault is not None
    assert fault.seq in (1, 2)


def test_a_record_of_another_chain_is_named() -> None:
    records = make_chain(3)
    records[1] = replace(records[1], epoch="f" * 16)
    assert verify_chain(records) == ChainFault(2, Damage.FOREIGN)


@given(st.integers(0, 2**32))
def test_no_flipped_bit_anywhere_goes_unnoticed(seed: int) -> None:
    chance = random.Random(seed)
    records = make_chain(4)
    victim = chance.randrange(4)
    name = chance.choice(["prev", "hash", "body"])
    old = getattr(records[victim], name)
    content = bytearray(old if isinstance(old, bytes) else old.encode())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(7)
    new = bytes(content) if isinstance(old, bytes) else content.decode()
    records[victim] = replace(records[victim], **{name: new})
    assert verify_chain(records) == ChainFault(victim + 1, Damage.CHANGED)


def test_a_body_with_brackets_without_end_tells_of_no_sound() -> None:
    assert sounded_in(b'{"kind":"play","items":' + b"[" * 100_000) is None


@pytest.mark.parametrize("rotten", [b"E", b"."])
def test_one_rotten_digit_makes_no_instant_that_no_calendar_has(rotten: bytes) -> None:
    body = body_of(record_of(started=PLANNED), ORIGIN)
    at = body.index(b'"started":1') + len(b'"started":1')
    assert sounded_in(body) is not None
    assert sounded_in(body[:at] + rotten + body[at + 1 :]) is None


@pytest.mark.parametrize("wrong", [None, True, 7, -7, 10**30, -(10**30), "x", ["x"], {"x": 1}])
@pytest.mark.parametrize("field", sorted(SAID))
def test_a_field_of_another_kind_tells_of_no_sound_or_of_one_of_the_right_kinds(field: str, wrong: object) -> None:
    """Whatever compared it would end each start anew: for a month, the station would warn nobody."""
    sounded = sounded_in(canonical(SAID | {field: wrong}))
    for told in () if sounded is None else fields(sounded):
        assert type(getattr(sounded, told.name)) is type(getattr(WELL_SAID, told.name)), told.name
    if sounded is not None:
        assert abs(sounded.started) < 10**15
        assert sounded.started <= sounded.ended < 10**15, "the day's limit would be given back what nobody has heard"


@pytest.mark.parametrize(("clock", "dated"), [("ntp", True), ("disputed", True), ("floor", False), ("unset", False)])
def test_by_no_clock_but_those_that_bound_nothing_is_a_warning_without_a_date(clock: str, dated: bool) -> None:
    """One of today by NTP alone says that it is unproven, and counts among the day's all the same, over a restart."""
    sounded = sounded_in(canonical(SAID | {"clock": clock, "detail": "freshness_unproven"}))
    assert sounded is not None
    assert (sounded.undated_at is None) is dated


def test_a_name_that_is_null_tells_of_no_sound() -> None:
    """Found by the fuzzer: a second "job_id" behind the first, as one page over another leaves it."""
    body = canonical(SAID)
    assert sounded_in(body) == WELL_SAID
    assert sounded_in(body.replace(b'"rehearsal"', b'"job_id":null,"rehearsal"')) is None
