"""What a person has recorded is heard in whole clauses, whatever way it is written; the voice says the rest."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.audio.speech import TEXT_CHARS_MAX
from edge_agent.spoken.reading import read
from edge_agent.spoken.stems import (
    FAULTS_MAX,
    LISTING_CHARS_MAX,
    PIECES_MAX,
    STEM_CHARS_MAX,
    STEMS_MAX,
    VOICE_CHARS_MAX,
    Piece,
    Recorded,
    Stems,
    parse,
    plan,
)
from tests.fuzz.parsers.parser import one_line
from tests.spoken.pairs import heard, pairs

GREETING, ISSUER, LEAVE, BOTH = "chao.wav", "ubnd.wav", "di.wav", "di-ngay.wav"
WARD = f"""
[vi]
"{GREETING}" = "Kính thưa bà con!"
"{ISSUER}" = "UBND xã Đồng Thanh thông báo:"
"{LEAVE}" = "Bà con rời nhà ngay."
"{BOTH}" = "Bà con rời nhà ngay. Không qua suối!"
[en]
"leave.wav" = "Leave your houses now."
[hmn]
"hmn.wav" = "Nej tsum tawm hauv tsev mus!"
"""
RECORDED: dict[str, str] = {file: text for section in tomllib.loads(WARD).values() for file, text in section.items()}


def ward(listing: str = WARD) -> Stems:
    stems = parse(listing)
    assert stems.faults == ()
    return stems


def told(pieces: tuple[Piece, ...]) -> list[tuple[str, str]]:
    """Each piece: its file, "" where the voice says it, and its words."""
    return [(piece.stem.file if isinstance(piece, Recorded) else "", piece.words) for piece in pieces]


def planned(text: str, stems: Stems | None = None, language: str = "vi") -> list[tuple[str, str]]:
    return told(plan(language, text, stems or ward()))


def test_recorded_clauses_are_heard_and_the_voice_says_what_lies_between() -> None:
    text = "Kính thưa bà con! UBND xã Đồng Thanh thông báo: lũ lên 5,65 m lúc 7h30. Bà con rời nhà ngay."
    assert planned(text) == [
        (GREETING, "Kính thưa bà con!"),
        (ISSUER, "Ủy ban nhân dân xã Đồng Thanh thông báo:"),
        ("", "lũ lên năm phẩy sáu mươi lăm mét lúc bảy giờ ba mươi."),
        (LEAVE, "Bà con rời nhà ngay."),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Ủy ban nhân dân xã Đồng Thanh thông báo: họp tổ.",
        "UỶ BAN NHÂN DÂN XÃ ĐỒNG THANH THÔNG BÁO; họp tổ.",
        "UBND xã “Đồng Thanh” thông báo\nhọp tổ.",
        "UBND  xã Đồng Thanh thông báo… họp tổ.",
    ],
)
def test_the_same_words_are_the_same_recording_however_they_are_written(text: str) -> None:
    assert [file for file, _ in planned(text)] == [ISSUER, ""]


def test_where_in_a_syllable_its_tone_was_put_makes_no_difference() -> None:
    stems = ward('[vi]\n"a.wav" = "Giữ hoà bình, khoẻ mạnh, uỷ viên."')
    assert planned("Giữ hòa bình, khỏe mạnh, ủy viên.", stems) == [("a.wav", "Giữ hòa bình, khỏe mạnh, ủy viên.")]
    assert planned("Giữ hóa bình, khỏe mạnh, ủy viên.", stems)[0][0] == ""


@pytest.mark.parametrize(
    "text",
    [
        "Mời bà con rời nhà ngay.",
        "Bà con rời nhà ngay khi có còi.",
        "Bà con, rời nhà ngay.",
        "Chiều nay, kính thưa bà con, xã họp.",
    ],
)
def test_less_than_a_whole_clause_is_never_taken_from_a_recording(text: str) -> None:
    assert planned(text) == [("", text)]


def test_a_comma_is_heard_so_it_must_agree() -> None:
    stems = ward('[vi]\n"a.wav" = "Không, qua suối."')
    assert planned("Không qua suối.", stems) == [("", "Không qua suối.")]


def test_the_recording_of_most_clauses_is_taken() -> None:
    assert planned("Bà con rời nhà ngay! Không qua suối. Xin hết.") == [
        (BOTH, "Bà con rời nhà ngay! Không qua suối."),
        ("", "Xin hết."),
    ]
    assert planned("Bà con rời nhà ngay! Qua suối phải bơi.") == [
        (LEAVE, "Bà con rời nhà ngay!"),
        ("", "Qua suối phải bơi."),
    ]


def test_a_recording_that_cannot_be_used_is_not_there_and_a_shorter_one_serves() -> None:
    text = "Bà con rời nhà ngay! Không qua suối."
    assert told(plan("vi", text, ward(), frozenset({BOTH}))) == [
        (LEAVE, "Bà con rời nhà ngay!"),
        ("", "Không qua suối."),
    ]
    assert told(plan("vi", text, ward(), frozenset({BOTH, LEAVE}))) == [("", text)]


def test_where_nothing_is_recorded_the_voice_has_the_text_as_it_was_written() -> None:
    text = "TT họp lúc 7h30.\nUBND mời."
    assert planned(text) == [("", text)]
    assert told(plan("vi", text, parse(""))) == [("", text)]


def test_a_language_has_its_own_recordings_and_may_have_no_voice_at_all() -> None:
    assert planned("Nej tsum tawm hauv tsev mus.", language="HMN-VN") == [("hmn.wav", "Nej tsum tawm hauv tsev mus.")]
    assert planned("Leave your houses now!", language="en-GB") == [("leave.wav", "Leave your houses now!")]
    assert planned("Kính thưa bà con!", language="en") == [("", "Kính thưa bà con!")]


def test_what_cannot_be_read_is_left_to_the_voice_as_it_was_written() -> None:
    assert planned("Kính thưa bà con! Ban XYZ họp.") == [(GREETING, "Kính thưa bà con!"), ("", "Ban XYZ họp.")]


def test_a_full_stop_inside_a_token_ends_no_clause() -> None:
    assert planned("Leave your houses now.see", language="en") == [("", "Leave your houses now.see")]


def test_a_text_that_would_change_voices_too_often_is_said_by_one() -> None:
    text = "Bà con rời nhà ngay. Xin nhắc lại. "
    most = PIECES_MAX // 2
    assert len(planned(text * most)) == PIECES_MAX
    assert planned(text * (most + 1)) == [("", text * (most + 1))]


def test_what_the_voice_gets_at_one_time_is_no_longer_than_it_takes() -> None:
    assert VOICE_CHARS_MAX == TEXT_CHARS_MAX
    numbers = "Xã có 98.765.432 cây, 12.345.678 hộ; "
    text = "Kính thưa bà con! " + numbers * 45
    assert len(text) < TEXT_CHARS_MAX
    pieces = planned(text)
    assert pieces[0][0] == GREETING
    assert len(pieces) > 2
    assert all(len(words) <= TEXT_CHARS_MAX for _, words in pieces)
    assert heard("".join(f"{words} " for _, words in pieces)) == heard(str(read(text)))


def test_one_clause_that_is_longer_leaves_all_to_the_voice() -> None:
    text = "Kính thưa bà con! Xã có " + "98.765.432, " * 100 + "hết."
    assert planned(text) == [("", text)]


@pytest.mark.parametrize(
    ("listing", "fault"),
    [
        ("[vi", "stems.toml: sai cú pháp TOML / not valid TOML"),
        ("x = 1\n" + "a." * 400 + "b = 1", "stems.toml: sai cú pháp TOML / not valid TOML: More than 300 dots"),
        (f'[{"v" * 60_000}]\n"a.wav" = "b"', f"[{'v' * 100}]: viết [vi]"),
        (f'[vi]\n"{"a" * 60_000}" = "b"', f"{'a' * 100}: tên tệp chỉ gồm"),
        ("a = " + "[" * 20_000, "stems.toml: sai cú pháp TOML / not valid TOML"),
        ("x" * (LISTING_CHARS_MAX + 1), "stems.toml: tối đa 65536 ký tự / at most 65536 characters"),
        ('vi = "a"', "[vi]: viết [vi], dưới đó mỗi dòng một câu"),
        ('[Vi-VN]\n"a.wav" = "Chào."', "[Vi-VN]: viết [vi], dưới đó mỗi dòng một câu"),
        ('[vi]\n"../a.wav" = "Chào."', "../a.wav: tên tệp chỉ gồm"),
        ('[vi]\n".wav" = "Chào."', ".wav: tên tệp chỉ gồm"),
        ('[vi]\n"stems.toml" = "Chào."', "stems.toml: tên tệp chỉ gồm"),
        ('[vi]\n"a\\u0000.wav" = "Chào."', "a?.wav: tên tệp chỉ gồm"),
        ('[vi]\n"a.wav" = 5', "a.wav: lời từ 1 đến 300 ký tự"),
        ('[vi]\n"a.wav" = ""', "a.wav: lời từ 1 đến 300 ký tự"),
        (f'[vi]\n"a.wav" = "{"a" * (STEM_CHARS_MAX + 1)}"', "a.wav: lời từ 1 đến 300 ký tự"),
        ('[vi]\n"a.wav" = "Họp 5/7."', "a.wav: không đọc được / cannot be read: “5/7”"),
        ('[vi]\n"a.wav" = "…!"', "a.wav: không có lời / no words"),
    ],
)
def test_a_wrong_entry_is_named_and_keeps_no_other_from_being_heard(listing: str, fault: str) -> None:
    found = parse(listing)
    (told_,) = found.faults
    assert told_.startswith(fault)
    assert found.stems == ()
    if listing.startswith("[vi]\n"):
        beside = parse(listing + '\n"chao.wav" = "Kính thưa bà con!"')
        assert beside.faults == found.faults
        assert planned("Kính thưa bà con!", beside) == [(GREETING, "Kính thưa bà con!")]


def test_a_listing_saved_by_windows_editor_is_one() -> None:
    listing = '[vi]\n"chao.wav" = "Kính thưa bà con!"\n'
    assert parse("\ufeff" + listing) == parse(listing)


def test_two_recordings_of_the_same_words_are_told_and_the_first_is_heard() -> None:
    found = parse('[vi]\n"a.wav" = "Họp lúc 7h00."\n"b.wav" = "HỌP LÚC BẢY GIỜ!"\n[en]\n"c.wav" = "Họp lúc bảy giờ"')
    assert found.faults == ("b.wav: trùng lời với a.wav / says the same as a.wav",)
    assert [stem.file for stem in found.stems] == ["a.wav", "c.wav"]


def test_more_than_a_folder_may_hold_is_told_once() -> None:
    listing = "[hmn]\n" + "\n".join(f'"{number}.wav" = "w {number}"' for number in range(STEMS_MAX + 2))
    found = parse(listing)
    assert len(found.stems) == STEMS_MAX
    assert found.faults == (f"{STEMS_MAX}.wav: tối đa {STEMS_MAX} câu / at most {STEMS_MAX} stems",)


def test_so_many_faults_are_told_and_no_more() -> None:
    assert len(parse("\n".join(f"a{number} = 1" for number in range(FAULTS_MAX + 5))).faults) == FAULTS_MAX


CLAUSES = ["Kính thưa bà con!", "Bà con rời nhà ngay.", "Không qua suối;", "Họp 7h30:", "XYZ\n", "…", "5/7.", "(a) b."]


@given(st.lists(st.sampled_from([*CLAUSES, *(text for _, text, _ in pairs())]), max_size=12).map(" ".join))
def test_nothing_of_a_text_is_lost_added_or_moved(text: str) -> None:
    pieces = plan("vi", text, ward())
    assert 1 <= len(pieces) <= PIECES_MAX
    whole = " ".join(piece.words for piece in pieces)
    said = read(whole)
    if isinstance(said, str) and isinstance(read(text), str):
        assert heard(said) == heard(str(read(text)))
    for piece in pieces:
        if isinstance(piece, Recorded):
            assert heard(piece.words) == heard(str(read(RECORDED[piece.stem.file])))


@given(st.text(max_size=200))
def test_any_listing_is_taken_or_named(listing: str) -> None:
    found = parse(listing)
    for fault in found.faults:
        one_line(fault)
