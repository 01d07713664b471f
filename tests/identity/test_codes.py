"""One-time codes: what people type, what they type wrongly, and what a code proves."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.identity import codes
from edge_agent.identity.codes import ALPHABET, CODE_CHARS, Code, WrongCode, new_code, read_code

CODES = st.builds(Code, st.text(ALPHABET, min_size=3, max_size=3), st.text(ALPHABET, min_size=12, max_size=12))


@given(CODES)
def test_what_is_shown_reads_back_however_it_is_typed(code: Code) -> None:
    shown = code.typed()
    assert len(shown.replace("-", "")) == CODE_CHARS
    for typed in (shown, shown.lower(), shown.replace("-", " "), shown.replace("-", ""), f"  {shown}\n"):
        assert read_code(typed) == code
    assert read_code(shown.replace("0", "O").replace("1", "l")) == code
    wide = "".join(chr(ord(char) + 0xFEE0) if char.isalnum() else char for char in shown)
    for pasted in (shown.replace("-", "\u2013"), shown.replace("-", "\u00a0"), f"\ufeff{shown}\u200b", wide):
        assert read_code(pasted) == code, "out of a chat, or a word processor"


@given(CODES, st.integers(0, CODE_CHARS - 1), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_found_before_anybody_is_asked(code: Code, place: int, wrong: str) -> None:
    plain = code.typed().replace("-", "")
    if wrong == plain[place]:
        return
    with pytest.raises(WrongCode, match="gõ sai một ký tự"):
        read_code(plain[:place] + wrong + plain[place + 1 :])


@given(CODES, st.integers(0, CODE_CHARS - 3))
def test_two_characters_that_changed_places_are_found_unless_half_an_alphabet_apart(code: Code, place: int) -> None:
    plain = code.typed().replace("-", "")
    one, other = plain[place], plain[place + 1]
    if (ALPHABET.index(one) - ALPHABET.index(other)) % 16 == 0:
        return
    with pytest.raises(WrongCode):
        read_code(plain[:place] + other + one + plain[place + 2 :])


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "đã gõ 0"),
        ("K7QM-4DTX", "đã gõ 8"),
        ("U" * 16, "không có U"),
        ("é" * 16, "chữ có dấu"),
        ("K7QM-4ĐX-9Ư2F-6HJT", "tắt bộ gõ tiếng Việt"),
    ],
)
def test_what_is_no_code_is_told_in_words(typed: str, told: str) -> None:
    with pytest.raises(WrongCode, match=told):
        read_code(typed)


def test_a_secret_has_sixty_bits_and_codes_differ() -> None:
    assert len(ALPHABET) ** codes.SECRET_CHARS == 2**60
    made = [new_code() for _ in range(1_000)]
    assert len({code.secret for code in made}) == 1_000
    assert {len(code.slot) for code in made} == {codes.SLOT_CHARS}


def test_no_code_is_drawn_by_the_generator_whose_state_can_be_told_from_what_it_drew() -> None:
    """Whoever was given a few codes would know those of other stations."""
    made: list[Code] = []
    for _ in range(2):
        random.seed(20)
        made.append(new_code())
    assert made[0] != made[1]


def test_a_slot_that_is_taken_is_not_given_out_again() -> None:
    drawn = iter("AAA" + "AAB" + "C" * 12)
    assert new_code(frozenset({"AAA"}), lambda _: next(drawn)).slot == "AAB"


def test_a_code_does_not_show_its_secret_by_accident() -> None:
    code = Code("K7Q", "M4DTX9W2F6HJ")
    assert "M4DTX" not in repr(code)
    assert "M4DTX" not in f"{code}"


def test_a_try_costs_what_the_bound_says() -> None:
    """The strength against whoever recorded an enrolment: by ratio to a plain hash, not by this machine's speed."""
    begun = time.thread_time()
    Code("K7Q", "M4DTX9W2F6HJ").key()
    stretched_s = time.thread_time() - begun
    begun = time.thread_time()
    for _ in range(10_000):
        codes.request_proof(b"k", b"m")
    assert stretched_s > time.thread_time() - begun


def test_the_same_secret_in_another_slot_is_another_key() -> None:
    assert Code("K7Q", "M4DTX9W2F6HJ").key() != Code("K7R", "M4DTX9W2F6HJ").key()


def test_what_one_side_says_is_no_proof_of_the_other() -> None:
    assert codes.request_proof(b"k", b"m") != codes.answer_proof(b"k", b"m")


def test_two_proofs_are_one_only_where_all_of_both_is() -> None:
    proof = codes.request_proof(b"k", b"m")
    assert codes.same(proof, str(proof))
    for other in (proof[:-1], proof + "0", proof[:-1] + ("0" if proof[-1] != "0" else "1"), ""):
        assert not codes.same(proof, other)
