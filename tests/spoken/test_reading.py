"""A text of a ward is read as people read it; what it says already in words stays as it is, and so do its pauses."""

from __future__ import annotations

import pytest

from edge_agent.spoken.reading import read, read_as_far_as_possible
from tests.spoken.pairs import heard, pairs


@pytest.mark.parametrize(("text", "words"), [pytest.param(text, words, id=name) for name, text, words in pairs()])
def test_a_text_is_read_as_people_read_it(text: str, words: str) -> None:
    told = read(text)
    assert isinstance(told, str), [piece.text() for piece in told]
    assert heard(told) == heard(words)


def test_there_are_pairs_of_every_file() -> None:
    assert (len(list(pairs("texts_vi.txt"))), len(list(pairs("more_vi.txt"))) >= 60) == (5, True)


@pytest.mark.parametrize("text", [text for _, text, _ in pairs()])
def test_what_was_read_once_comes_out_unchanged(text: str) -> None:
    told = read(text)
    assert isinstance(told, str)
    assert read(told) == told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Lũ! Rời nhà ngay.", "Lũ! Rời nhà ngay."),
        ("Cấm đường: 7h30, 9h; 11h?", "Cấm đường: bảy giờ ba mươi, chín giờ; mười một giờ?"),
        ("Gọi 024 0000 1234.", "Gọi không hai bốn, không không không không, một hai ba bốn."),
        ("0900000123", "không chín không không, không không không, một hai ba"),
        ("\u00d0ông Thành, \u00d0BQH", "Đông Thành, đại biểu Quốc hội"),
        ("Họp tổ – bàn việc chung", "Họp tổ, bàn việc chung"),
        ("Họp tổ - bàn việc chung", "Họp tổ, bàn việc chung"),
        ("Nghỉ (trừ Chủ nhật).", "Nghỉ (trừ Chủ nhật)."),
        ("Dòng một\n\n  - dòng hai\r\ndòng ba", "Dòng một\ndòng hai\ndòng ba"),
        ("Mời UBND,HĐND dự", "Mời Ủy ban nhân dân, Hội đồng nhân dân dự"),
        ("Ở TP.", "Ở thành phố."),
        ("Họp lúc 7h30.Mời dự.7h về.", "Họp lúc bảy giờ ba mươi. Mời dự. bảy giờ về."),
        (
            "1/ Thời gian: 7h.\n  2/ Địa điểm\nI/ Chung\na/ Thuế",
            "một. Thời gian: bảy giờ.\nhai. Địa điểm\nmột. Chung\na. Thuế",
        ),
        ("1.1. Thời gian: 7h", "một chấm một. Thời gian: bảy giờ"),
        ("Trân trọng cảm ơn./.", "Trân trọng cảm ơn."),
        ("Kính báo! ./.\nTổ trưởng/.", "Kính báo!.\nTổ trưởng."),
        ("Họp lúc 7h . mời dự", "Họp lúc bảy giờ. mời dự"),
        ("Cháu N.V.A. đi lạc", "Cháu nờ. vê. A. đi lạc"),
        ("Nghỉ (trừ Chủ nhật). mời bà con", "Nghỉ (trừ Chủ nhật.) mời bà con"),
        ("Gọi “tổ 5”. Mời bà con", "Gọi “tổ năm”. Mời bà con"),
    ],
)
def test_where_the_voice_pauses_is_kept(text: str, words: str) -> None:
    assert read(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("THÔNG BÁO CỦA UBND XÃ", "thông báo của Ủy ban nhân dân xã"),
        ("XI MĂNG và khóa XI", "xi măng và khóa mười một"),
        ("VI PHẠM Điều VI", "vi phạm Điều sáu"),
        ("Vắc-xin, ki-lô-mét", "Vắc-xin, ki-lô-mét"),
        ("bà H. ở xóm 3", "bà hát. ở xóm ba"),
        ("m² và km", "mét vuông và ki-lô-mét"),
        ("Có 5 Đ/c dự", "Có năm Đồng chí dự"),
        ("١٢ hộ", "mười hai hộ"),
        ("12\u200b5 hộ", "một trăm hai mươi lăm hộ"),
        ("Th\u00adông báo", "Thông báo"),
        ("gọi \u202d0900000123\u202c", "gọi không chín không không, không không không, một hai ba"),
        ("Khi cần gọi\n113", "Khi cần gọi\nmột một ba"),
        ("Tổ 5(024) 0000 1234", "Tổ năm không hai bốn, không không không không, một hai ba bốn"),
        ("TIN\nBà con nghe", "tin\nBà con nghe"),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_capitals_letters_and_digits_of_other_scripts(text: str, words: str) -> None:
    assert read(text) == words


def test_both_forms_of_unicode_are_read_alike() -> None:
    import unicodedata

    for _, text, _ in pairs():
        assert read(unicodedata.normalize("NFD", text)) == read(text)


def test_what_cannot_be_read_stands_as_it_was_written_for_who_must_speak_in_any_case() -> None:
    reading = read_as_far_as_possible("UBND mời XYZ họp 7h30, ngày 31/2.")
    assert reading.words == "Ủy ban nhân dân mời XYZ họp bảy giờ ba mươi, ngày 31/2."
    assert [piece.token for piece in reading.unread] == ["XYZ", "31/2"]
