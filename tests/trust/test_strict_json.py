"""One text, one meaning: what two readers could read as two messages is refused, with the place and the rule."""

from __future__ import annotations

import json
import unicodedata
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.text import tidy
from edge_agent.trust.strict_json import DEPTH_MAX, INTEGER_MAX, WireError, dump, parse
from tests.trust.strategies import anything, unhurried


def refusal(data: bytes) -> WireError:
    with pytest.raises(WireError) as caught:
        parse(data)
    return caught.value


def nested(levels: int) -> bytes:
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize(
    "data",
    [b'{"a":1,"a":2}', b'{"b":{"a":1,"a":1}}', rb'{"a":1,"\u0061":2}'],
    ids=["plain", "inside", "one of them escaped"],
)
def test_duplicate_keys_are_refused_however_they_are_written(data: bytes):
    error = refusal(data)
    assert (error.where, error.rule) == ("a", "a field only once")


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1.0", "1e3", "-0.0", "1E400"])
def test_anything_but_an_integer_is_no_number(literal: str):
    error = refusal(b'{"a":%b}' % literal.encode())
    assert error.where.startswith(literal)
    assert error.rule.startswith("integers only")


@pytest.mark.parametrize("digits", [str(INTEGER_MAX + 1), str(-INTEGER_MAX - 1), "1" + "0" * 17, "-" + "9" * 17])
def test_an_integer_that_not_every_reader_holds_is_refused(digits: str):
    assert "2^53" in refusal(b'{"a":%b}' % digits.encode()).rule


@pytest.mark.parametrize("digits", [18, 4_301, 60_000])
def test_a_giant_integer_is_refused_unconverted(digits: int):
    # Converted it would be a ValueError of Python's own from 4,300 digits on, and slow before that.
    error = refusal(b'{"a":%b}' % (b"9" * digits))
    assert "2^53" in error.rule
    assert "999" in error.where  # by its digits: once it is a number, its field is named


@pytest.mark.parametrize("number", [INTEGER_MAX, -INTEGER_MAX, 0])
def test_the_largest_integers_pass(number: int):
    assert parse(b'{"a":%d}' % number) == {"a": number}


def test_nesting_is_refused_before_the_parser_sees_it():
    assert parse(nested(DEPTH_MAX))
    assert refusal(nested(DEPTH_MAX + 1)).rule == "at most 16 levels"
    assert refusal(b"[" * 60_000).rule == "at most 16 levels"
    assert refusal(b'{"a":' * 10_000).rule == "at most 16 levels"


def test_brackets_inside_strings_are_no_nesting():
    text = '["\\' * 1_000
    assert parse(json.dumps({"a": text}).encode()) == {"a": text}


@pytest.mark.parametrize("inside", [b'\\"[' * 20_000, b"[" * 20, b"[\\"], ids=["quotes", "brackets", "backslash"])
def test_an_unending_string_is_read_only_once_and_as_a_string(inside: bytes):
    # Read anew from each quote in it, 64 KiB would be half a billion steps, and its brackets would be nesting.
    assert refusal(b'{"a":"' + inside).rule == "JSON and nothing else"


@pytest.mark.parametrize("tail", [b"{}", b"x", b"\x00", b",", b"\xef\xbb\xbf"])
def test_trailing_bytes_are_refused(tail: bytes):
    assert refusal(b'{"a":1}' + tail).rule in ("JSON and nothing else", "UTF-8")


def test_a_byte_order_mark_is_refused():
    assert refusal(b"\xef\xbb\xbf{}").where == "character 0"


@pytest.mark.parametrize("data", [b'{"a":"\xff"}', b'{"a":"\xc0\xaf"}', b'{"a":"\xed\xa0\x80"}', "{}".encode("utf-16")])
def test_bytes_that_are_not_utf8_are_refused(data: bytes):
    assert refusal(data).rule == "UTF-8"


def test_text_that_is_not_nfc_is_refused_in_values_and_names():
    decomposed = unicodedata.normalize("NFD", "Đông Thành").encode()
    assert refusal(b'{"a":[{"b":"%b"}]}' % decomposed).where == "a[0].b"
    assert refusal(b'{"a":[{"b":"%b"}]}' % decomposed).rule == "text in Unicode's NFC form"
    assert refusal(b'{"%b":1}' % decomposed).rule == "text in Unicode's NFC form"


@pytest.mark.parametrize("escape", [r"\u0000", r"\n", r"\r", r"\u001b", r"\u007f", r"\u0085", r"\u2028", r"\ud800"])
def test_control_characters_and_lone_surrogates_are_refused(escape: str):
    error = refusal(b'{"title":"a%b"}' % escape.encode())
    assert error.where == "title"
    assert error.rule.startswith("no control characters")


def test_a_raw_control_character_is_not_json():
    assert refusal(b'{"a":"\n"}').rule == "JSON and nothing else"


def test_only_words_to_be_spoken_have_line_breaks():
    assert parse(rb'{"items":[{"text":"a\nb"}]}') == {"items": [{"text": "a\nb"}]}
    assert refusal(rb'{"items":[{"text":"a\rb"}]}').where == "items[0].text"
    assert refusal(rb'{"text":["a\nb"]}').where == "text[0]"
    assert refusal(rb'{"te\nxt":"a"}').where == r"'te\nxt'"


@pytest.mark.parametrize("data", [b"", b" ", b"[]", b'"a"', b"1", b"null", b"true", b"{'a':1}", b"{a:1}", b"//\n{}"])
def test_what_is_no_object_is_refused(data: bytes):
    refusal(data)


def test_an_error_is_one_short_printable_line_whatever_the_sender_wrote():
    error = refusal(b'{"%b":1,"%b":2}' % ((b"\\u202e\\n" * 500,) * 2))
    assert len(str(error)) < 200
    assert str(error).isascii()
    assert str(error).isprintable()


def test_dump_writes_sorted_keys_without_spaces_in_utf8():
    assert dump({"b": [1, True, None], "a": "xã"}) == '{"a":"xã","b":[1,true,null]}'.encode()


@pytest.mark.parametrize(
    "value",
    [{"a": 1.0}, {"a": float("nan")}, {"a": b"x"}, {1: "a"}, {"a": 2**53}, {"a": "x\ny"}, {"a": {"b": "e\u0301"}}],
)
def test_dump_refuses_what_nobody_would_accept(value: dict):
    with pytest.raises(WireError):
        dump(value)


def test_dump_refuses_what_is_too_deep():
    for wrap in (lambda inner: [inner], lambda inner: {"a": inner}):
        value: object = 1
        for _ in range(DEPTH_MAX):
            value = wrap(value)
        with pytest.raises(WireError, match="at most 16 levels"):
            dump({"a": value})


def test_tidy_makes_a_drivers_words_fit_to_be_sent():
    assert tidy("lỗi\x1b[31m\nALSA") == "lỗi [31m ALSA"
    assert dump({"detail": tidy("\ud800\r" + unicodedata.normalize("NFD", "Thành"))}) == '{"detail":"  Thành"}'.encode()


@unhurried
@given(st.binary(max_size=300))
def test_random_bytes_are_parsed_or_refused_but_never_raise_anything_else(data: bytes):
    with suppress(WireError):
        parse(data)


@unhurried
@given(anything)
def test_whatever_is_parsed_can_be_dumped_and_reads_back_the_same(value: object):
    try:
        found = parse(json.dumps({"a": value}).encode())
    except WireError:
        return
    assert parse(dump(found)) == found == {"a": value}
    assert dump(parse(dump(found))) == dump(found)
