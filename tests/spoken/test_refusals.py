"""What has no certain reading is refused by name, with its place and what to write instead."""

from __future__ import annotations

import pytest

from edge_agent.spoken.reading import UNREAD_MAX, read
from edge_agent.spoken.unread import REMEDIES, Unread, Why


def refused(text: str) -> list[tuple[str, Why]]:
    told = read(text)
    return [] if isinstance(told, str) else [(piece.token, piece.why) for piece in told]


@pytest.mark.parametrize(
    ("text", "token", "why"),
    [
        ("Ban XYZ họp", "XYZ", Why.ABBREVIATION),
        ("Bác sĩ CKII", "CKII", Why.ABBREVIATION),
        ("TT họp", "TT", Why.UNCLEAR),
        ("BCH họp", "BCH", Why.UNCLEAR),
        ("nghỉ CN", "CN", Why.UNCLEAR),
        ("CA phường mời", "CA", Why.UNCLEAR),
        ("tiêm vào T2", "T2", Why.UNCLEAR),
        ("báo cáo Q3", "Q3", Why.UNCLEAR),
        ("họp 5/7", "5/7", Why.UNCLEAR),
        ("1/2 số hộ", "1/2", Why.UNCLEAR),
        ("ngày 15/9/26", "15/9/26", Why.UNCLEAR),
        ("bố/mẹ", "/", Why.UNCLEAR),
        ("2 xã/phường", "/", Why.UNCLEAR),
        ("nước lên 1m2", "1m2", Why.UNCLEAR),
        ("-3 đến 5 hộ", "-", Why.SIGN),
        ("tăng trưởng –5%", "–", Why.SIGN),
        ("hạ xuống –0,5 m", "–", Why.SIGN),
        ("nhiệt độ:–5°C", "–", Why.SIGN),
        ("Gọi 113 - 114", "-", Why.UNCLEAR),
        ("gặp ông Nam 0900 000 12", "0900 000 12", Why.NUMBER),
        ("liên hệ 090000012", "090000012", Why.NUMBER),
        ("gọi +84 900 000 12", "+84 900 000 12", Why.NUMBER),
        ("phí 500K", "500K", Why.UNCLEAR),
        ("NƯỚC SÂU 2M", "2M", Why.UNCLEAR),
        ("MỰC NƯỚC 5,65 M", "5,65 M", Why.UNCLEAR),
        ("RỘNG 1.500 M2", "1.500 M2", Why.UNCLEAR),
        ("LỆ PHÍ 50.000 Đ", "50.000 Đ", Why.UNCLEAR),
        ("LỆ PHÍ 5000Đ", "5000Đ", Why.UNCLEAR),
        ("sâu 12,405 m", "12,405 m", Why.UNCLEAR),
        ("1 500 000 đồng", "1 500 000", Why.UNCLEAR),
        ("hạ từ 5 - 3", "5 - 3", Why.UNCLEAR),
        ("21h - 2", "-", Why.UNCLEAR),
        ("ngày 10-11 họp", "10-11", Why.UNCLEAR),
        ("sáng 5-10 khám bệnh", "5-10", Why.UNCLEAR),
        ("họp thứ Hai 5-10", "5-10", Why.UNCLEAR),
        ("ngày 29/2/2026", "29/2/2026", Why.NO_SUCH_TIME),
        ("tháng 13/2026", "13/2026", Why.NO_SUCH_TIME),
        ("tháng 13-2026", "13-2026", Why.NO_SUCH_TIME),
        ("hồi 25h", "25h", Why.NO_SUCH_TIME),
        ("lúc 30 giờ", "30 giờ", Why.NO_SUCH_TIME),
        ("tính bằng m", "m", Why.UNCLEAR),
        ("Nguyễn Văn P. Bà con", "P.", Why.UNCLEAR),
        ("năm học 2026/2027", "2026/2027", Why.UNCLEAR),
        ("gọi 0900000123-0900000456", "0900000123-0900000456", Why.UNCLEAR),
        ("TDP 3,4 sơ tán", "3,4", Why.UNCLEAR),
        ("tổ dân phố số 3,4", "3,4", Why.UNCLEAR),
        ("khu phố 3,4", "3,4", Why.UNCLEAR),
        ("các tổ: 3,4 họp", "3,4", Why.UNCLEAR),
        ("thôn 1, 2,3 họp", "2,3", Why.UNCLEAR),
        ("tiêm mũi 1,2", "1,2", Why.UNCLEAR),
        ("năm 2025,2026", "2025,2026", Why.UNCLEAR),
        ("Quốc khánh 2-9", "2-9", Why.UNCLEAR),
        ("Sáng mai 2-9, mít tinh", "2-9", Why.UNCLEAR),
        ("hôm nay (5-9)", "5-9", Why.UNCLEAR),
        ("hạn nộp: 5-10.", "5-10", Why.UNCLEAR),
        ("chợ ở đường 2-9", "2-9", Why.UNCLEAR),
        ("báo cáo 9-2026", "9-2026", Why.UNCLEAR),
        ("nộp trước 5-10.", "5-10", Why.UNCLEAR),
        ("thứ Bảy (5-10) khám bệnh", "5-10", Why.UNCLEAR),
        ("Chủ nhật, 5-10, họp", "5-10", Why.UNCLEAR),
        ("Tết thiếu nhi 1-6", "1-6", Why.UNCLEAR),
        ("lễ hội 7-8 âm lịch", "7-8", Why.UNCLEAR),
        ("đường ống DN110", "DN110", Why.UNCLEAR),
        ("ống DN 200", "DN", Why.UNCLEAR),
        ("chị P. Bà con ai thấy xin báo", "P.", Why.UNCLEAR),
        ("P. Giám đốc Sở", "P.", Why.UNCLEAR),
        ("nộp tại P. Tài chính", "P.", Why.UNCLEAR),
        ("Q. Chủ tịch phường", "Q.", Why.UNCLEAR),
        ("đến TT. Phục vụ hành chính công", "TT.", Why.UNCLEAR),
        ("8h 15/9/10", "15/9/10", Why.UNCLEAR),
        ("đến 12/5 Trần Phú nhận quà", "12/5", Why.UNCLEAR),
        ("xã An Bình, H. Lục Nam", "H", Why.UNCLEAR),
        ("tại số 5, Đ. Trần Phú", "Đ", Why.UNCLEAR),
        ("nghỉ 1/2 ngày", "1/2", Why.UNCLEAR),
        ("sau 1/2 giờ nữa", "1/2", Why.UNCLEAR),
        ("đến 2/3 dân số đã tiêm", "2/3", Why.UNCLEAR),
        ("mất hết 1/3 diện tích", "1/3", Why.UNCLEAR),
        ("ngập đến 2/3 cửa", "2/3", Why.UNCLEAR),
        ("nghỉ 1/2 buổi", "1/2", Why.UNCLEAR),
        ("từ 1/2 km", "1/2", Why.UNCLEAR),
        ("nước rút xuống tới 1/5", "1/5", Why.UNCLEAR),
        ("gió cấp 6,7", "6,7", Why.UNCLEAR),
        ("tổ 3,4 sơ tán", "3,4", Why.UNCLEAR),
        ("bão số 5,6", "5,6", Why.UNCLEAR),
        ("tháng 4,5 đóng phí", "4,5", Why.UNCLEAR),
        ("ngày 5,6 tháng 9", "5,6", Why.UNCLEAR),
        ("họp lúc 7g sáng", "7g", Why.UNCLEAR),
        ("từ 7-11g", "7-11g", Why.UNCLEAR),
        ("đi bộ 5' là tới", "5'", Why.UNCLEAR),
        ("họp tại P.201", "P.", Why.UNCLEAR),
        ("gọi 38.123.456", "38.123.456", Why.NUMBER),
        ("điện thoại 3812 3456", "3812 3456", Why.NUMBER),
        ("điện thoại (84) 24 3812 3456", "(84) 24 3812 3456", Why.NUMBER),
        ("Đ/c: 12 Trần Phú", "Đ/c", Why.UNCLEAR),
        ("gửi về đ/c số 5 Trần Phú", "đ/c", Why.UNCLEAR),
        ("xe BS 29A-123.45", "BS", Why.UNCLEAR),
        ("liên hệ 3812 3456", "3812 3456", Why.NUMBER),
        ("liên lạc số máy 822.567", "822.567", Why.NUMBER),
        ("STK 123.456.789", "123.456.789", Why.NUMBER),
        ("xem Facebook Live", "Live", Why.WORD),
        ("Omicron", "Omicron", Why.WORD),
        ("Москва", "Москва", Why.WORD),
        ("có 12405", "12405", Why.NUMBER),
        ("sâu 3.5", "3.5", Why.NUMBER),
        ("thôn 1,2,3", "1,2,3", Why.NUMBER),
        ("nộp 2tr", "2tr", Why.NUMBER),
        ("12345678901234567 đồng", "12345678901234567 đồng", Why.NUMBER),
        ("1.000.000.000.000.000.000 đồng", "1.000.000.000.000.000.000 đồng", Why.NUMBER),
        ("lúc 7h75", "7h75", Why.NO_SUCH_TIME),
        ("lúc 25:30", "25:30", Why.NO_SUCH_TIME),
        ("ngày 31/2", "31/2", Why.NO_SUCH_TIME),
        ("ngày 15.13.2026", "15.13.2026", Why.NO_SUCH_TIME),
        ("từ 20/10–31/11", "20/10–31/11", Why.NO_SUCH_TIME),
        ("xem www.dongthanh.gov.vn", "www.dongthanh.gov.vn", Why.NET_ADDRESS),
        ("https://a.vn/b?c=1", "https://a.vn/b?c=1", Why.NET_ADDRESS),
        ("gửi ubnd@dongthanh.vn", "ubnd@dongthanh.vn", Why.NET_ADDRESS),
        ("xem dongthanh.gov.vn", "dongthanh.gov.vn", Why.NET_ADDRESS),
        ("vui 😀", "😀", Why.SIGN),
        ("-5 hộ", "-", Why.SIGN),
        ("hơn ½ số hộ", "½", Why.SIGN),
        ("a = b", "=", Why.SIGN),
    ],
)
def test_it_is_refused_by_name_and_never_guessed(text: str, token: str, why: Why) -> None:
    assert refused(text) == [(token, why)]


def test_every_reason_is_seen_and_has_a_remedy_in_both_languages() -> None:
    assert set(REMEDIES) == set(Why)
    assert all(" / " in words for words in (*REMEDIES.values(), *Why))


def test_all_at_once_each_with_its_place_and_what_to_write_instead() -> None:
    assert read("Họp 5/7.\nMời XYZ dự.") == (
        Unread(
            "5/7",
            1,
            5,
            Why.UNCLEAR,
            "ngày tháng: viết “ngày 5/7”; phần: viết “5 trên 7” / a day: “ngày 5/7”; a share: “5 trên 7”",
        ),
        Unread("XYZ", 2, 5, Why.ABBREVIATION, REMEDIES[Why.ABBREVIATION]),
    )


def test_a_refusal_is_one_line_for_a_person() -> None:
    (piece,) = read("Mời XYZ dự.")
    assert isinstance(piece, Unread)
    assert piece.text().startswith("“XYZ” (dòng 1, ký tự 5 / line 1, character 5): chữ viết tắt lạ / unknown abbr")
    assert "\n" not in piece.text()


def test_an_abbreviation_with_several_meanings_lists_them() -> None:
    (piece,) = read("TT họp")
    assert isinstance(piece, Unread)
    assert piece.instead == "viết đầy đủ / write it out: thị trấn, trung tâm, thông tư, thông tin"


def test_a_text_of_nothing_but_signs_is_told_in_bounds() -> None:
    assert len(refused("@" * 2_000)) == UNREAD_MAX


def test_several_numbers_written_as_one_are_told_how_to_be_written_apart() -> None:
    (piece,) = read("thôn 1,2,3")
    assert isinstance(piece, Unread)
    assert piece.instead.startswith("nhiều số: viết “1, 2, 3”")
    assert read("thôn 1, 2, 3") == "thôn một, hai, ba"


def test_a_sign_that_compares_is_not_told_to_be_left_out() -> None:
    (piece,) = read("người ≥ 18 tuổi")
    assert isinstance(piece, Unread)
    assert piece.instead.startswith("viết “trên”, “dưới”, “từ 18 trở lên”")


@pytest.mark.parametrize(("text", "token"), [("lúc 7.30 sáng", "7.30"), ("sâu 3.5 m", "3.5 m")])
def test_a_time_or_a_decimal_with_a_full_stop_is_told_how_each_is_written(text: str, token: str) -> None:
    (piece,) = read(text)
    assert isinstance(piece, Unread)
    assert (piece.token, piece.instead[:30]) == (token, "giờ: viết 7h30; phần lẻ: viết ")
