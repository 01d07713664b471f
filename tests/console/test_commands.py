"""Every typed line gets an answer that fits the terminal, in the language of whoever typed it."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.console.commands import (
    NAMES,
    UNKNOWN_MAX,
    Command,
    Session,
    answer,
    banner,
    new_session,
    respond,
    understand,
)
from edge_agent.console.screen import View
from edge_agent.console.status import Absence
from edge_agent.console.words import COLUMNS, Language, width
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.heads import ScopeStatus
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.outlook import InForce
from edge_agent.core.reasons import Reason
from edge_agent.core.units import HOUR_MS, JobId, UtcMs
from edge_agent.free_space import FETCH_FREE_BYTES_MIN
from edge_agent.sync.messages import NEXT_MAX
from edge_agent.sync.reports import HostStatus, OfferStatus, ZoneStatus
from tests.console.pictures import AT, BULLETIN, CHO, DINH, FLOOD, FLOOR, NAME, SITE, held, status

HEALTHY = View(status(), device_up=True)
PICTURES = (Command.STATUS, Command.NEXT, Command.WHY)


def session(language: Language = Language.VI) -> Session:
    return new_session(SITE, NAME, language)


def typed(line: str, at: Session | None = None, view: View = HEALTHY) -> str:
    return "\n".join(respond(at or session(), line, lambda: view)[1])


def never() -> View:
    raise AssertionError("the station was looked at")


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("?", Command.HELP),
        ("Trợ giúp", Command.HELP),
        ("tt", Command.STATUS),
        ("Tình trạng", Command.STATUS),
        ("KT", Command.NEXT),
        ("lịch", Command.NEXT),
        ("vì sao im lặng?", Command.WHY),
        (unicodedata.normalize("NFD", "vì sao"), Command.WHY),
        (" status  ", Command.STATUS),
        ("thoát", Command.QUIT),
        ("vì sao im lặng ?", Command.WHY),
        ("vì\u00a0sao", Command.WHY),
        ("\u00a0ｔｔ\u2003", Command.STATUS),
        ("？", Command.HELP),
        ("\ufffd", Command.UNKNOWN),
        ("€", Command.UNKNOWN),
        ("", Command.NONE),
        ("rm -rf /", Command.UNKNOWN),
    ],
)
def test_commands_are_known_with_and_without_diacritics(line: str, command: Command) -> None:
    assert understand(line) is command


def test_why_is_it_silent_takes_three_keys() -> None:
    assert min(len(f"{name}\r") for name, command in NAMES.items() if command is Command.WHY) <= 3


def test_every_command_has_a_name_that_can_be_typed() -> None:
    assert set(NAMES.values()) == set(Command) - {Command.UNKNOWN}
    assert {name for name in NAMES if understand(name) is not NAMES[name]} == set()


@pytest.mark.parametrize("language", Language)
def test_the_help_names_every_command(language: Language) -> None:
    lines = typed("?", session(language))
    words = set(lines.replace("(", " ").replace(")", " ").replace(",", " ").split())
    for command in set(Command) - {Command.NONE, Command.UNKNOWN}:
        assert words & {name for name, meant in NAMES.items() if meant is command}, command


def test_doctor_is_named_as_it_has_to_be_typed() -> None:
    """Without sudo it sees neither keys nor the state folder, and called a well station faulty."""
    assert "  sudo edge-agent doctor" in typed("?").splitlines()
    assert "   → kiểm tra mạng, SIM: sudo edge-agent doctor" in typed("vs", view=View(status(online=False), True))


def test_status_says_what_the_ear_at_a_horn_heard_and_how_loud() -> None:
    zones = (ZoneStatus(CHO, "Chợ", False, None, 80, True, -18), ZoneStatus(DINH, "Đình", False, None, 80, False, -58))
    told = typed("tt", view=View(status(zones=zones), device_up=True))
    assert "  cho: Chợ, rơ-le mở\n    đo được tiếng tại loa (-18 dB)\n" in told
    assert "  dinh-lang: Đình, rơ-le mở\n    KHÔNG ĐO ĐƯỢC TIẾNG TẠI LOA (-58 dB)\n" in told


def test_status_shows_clock_server_device_box_zones_and_the_next() -> None:
    assert typed("tt") == (
        "Trạm loa số 17, thôn Lương Nỗ (dt-017), edge-agent 1.2\n"
        "Giờ: 09:30:00 T4 25/11/2026 (UTC+0700), NTP, sai số ≤ 1 giây\n"
        "Máy chủ: đã trả lời; nhật ký chờ gửi: 0\n"
        "Âm thanh, rơ-le: đang chạy\n"
        "Hộp máy: địa chỉ 10.7.0.17, bộ nhớ trống 12405 MB, 45 °C\n"
        "Cụm loa:\n"
        "  cho: Cụm loa chợ Đông Thành, rơ-le mở\n"
        "  dinh-lang: Cụm loa đình làng Lương Nỗ, rơ-le mở\n"
        "Quy chế: của trạm, chưa có quy chế ký số; giờ không phát 21h00 – 05h00\n"
        "Sắp phát:\n"
        "  17h30 T4 25/11/2026  Bản tin sáng\n"
        "    sẵn sàng; Cụm loa chợ Đông Thành, Cụm loa đình làng Lương Nỗ"
    )


def test_status_says_when_the_line_to_a_server_that_has_answered_is_down() -> None:
    told = typed("tt", view=View(status(online=False, records_waiting=3), device_up=True))
    assert "\nMáy chủ: ĐANG MẤT KẾT NỐI, lệnh mới không đến được; nhật ký chờ gửi: 3\n" in told


def test_status_says_of_a_disputed_clock_that_one_of_two_is_wrong() -> None:
    view = View(status(clock=replace(FLOOR, source=ClockSource.DISPUTED)), device_up=True)
    assert "\n  → NTP hoặc máy chủ sai giờ: so với giờ điện thoại, báo trung tâm\n" in typed("tt", view=view)


@pytest.mark.parametrize(("free_mb", "full"), [(FETCH_FREE_BYTES_MIN // 1_000_000 + 1, False), (536, True), (0, True)])
def test_status_says_when_the_card_is_so_full_that_recordings_are_refused(free_mb: int, full: bool) -> None:
    told = typed("tt", view=View(status(host=HostStatus(storage_free_mb=free_mb)), device_up=True))
    assert f"\nHộp máy: bộ nhớ trống {free_mb} MB{', THẺ NHỚ GẦN ĐẦY: xóa bớt tệp' if full else ''}\n" in told


def test_status_of_a_station_in_trouble_says_so_in_capitals_with_remedies() -> None:
    zones = (ZoneStatus(CHO, "Chợ", None, FLOOD.job_id, 100),)
    view = View(
        status(clock=FLOOR, welcomed=False, zones=zones, playing=(FLOOD,), next=(), host=HostStatus(undervoltage=True)),
        device_up=False,
    )
    assert typed("status", session(Language.EN), view) == (
        "Trạm loa số 17, thôn Lương Nỗ (dt-017), edge-agent 1.2\n"
        "Clock: CLOCK NOT TRUSTED (only the last known time): 09:30:00 Wed 2026-11-25\n"
        "  (UTC+0700)\n"
        "  → check network and SIM: the time comes from the server or NTP\n"
        "Server: NO ANSWER since the start; records to be sent: 0\n"
        "Sound, relays: DOWN\n"
        "  → see: systemctl status edge-agent-io; sudo journalctl -u edge-agent-io -n 50\n"
        "Box: LOW VOLTAGE: check the power supply\n"
        "Zones:\n"
        '  cho: Chợ, relay unknown, PLAYING "Lũ trên sông Hồng"\n'
        "Policy: the station's own, no signed regulation; quiet hours 21:00 – 05:00\n"
        "Playing:\n"
        "  17:30 Wed 2026-11-25  [EMERGENCY] Lũ trên sông Hồng\n"
        "    playing; Chợ, dinh-lang\n"
        "Next: nothing yet; new orders that have come wait."
    )


def test_status_says_whose_policy_holds_who_is_kept_silent_and_what_waits_to_be_chosen() -> None:
    rules = InForce("128/QĐ-UBND", None, locked=(CHO,), silenced=(CHO, DINH))
    offer = OfferStatus(JobId("t-7"), "Chương trình thành phố", JobClass.NORMAL, "province", UtcMs(AT + 8 * HOUR_MS))
    told = typed("tt", view=View(status(rules=rules, offers=(offer,)), True))
    assert (
        "Quy chế: 128/QĐ-UBND\n"
        "KHÓA BẢO TRÌ (cấm phát): Cụm loa chợ Đông Thành\n"
        "Tạm ngừng phát theo yêu cầu của địa phương: Cụm loa chợ Đông Thành, Cụm loa đình\n"
        "  làng Lương Nỗ\n"
        "Bản tin chờ xã/phường lựa chọn:\n"
        "  “Chương trình thành phố”, chọn trước 17h30 T4 25/11/2026\n"
    ) in told


def test_status_says_what_is_lacking_and_what_is_wrong_with_a_manifest() -> None:
    well = ScopeStatus("area/vn", 1, 7, UtcMs(AT), 0, None)
    scopes = (well, replace(well, scope="station/dt-017", lacking=3), replace(well, reason=Reason.HEAD_STALE))
    told = typed("tt", view=View(status(manifests=scopes), True))
    assert "Bản kê lệnh station/dt-017: thiếu 3 lệnh (đang tải)\n" in told
    assert "Bản kê lệnh area/vn: thiếu 0 lệnh (bản kê lệnh cũ" in told
    assert told.count("Bản kê lệnh") == 2


def test_a_picture_of_an_agent_that_knows_no_rules_yet_shows_none() -> None:
    assert "Quy chế" not in typed("tt", view=View(replace(status(), rules=None), True))


def test_next_says_when_what_where_and_why_not() -> None:
    view = View(status(next=(held(Reason.QUIET_HOURS, Phase.RECEIVED), BULLETIN)), device_up=True)
    assert typed("kt", session(Language.VI_ASCII), view) == (
        "Sap phat:\n"
        "  17h30 T4 25/11/2026  Ban tin sang\n"
        "    dang nap; Cum loa cho Dong Thanh, Cum loa dinh lang Luong No\n"
        "    CHUA/KHONG PHAT: trong khung gio khong phat\n"
        "  17h30 T4 25/11/2026  Ban tin sang\n"
        "    san sang; Cum loa cho Dong Thanh, Cum loa dinh lang Luong No"
    )


def test_next_without_a_device_process_says_so_first() -> None:
    down = typed("kt", view=View(status(), device_up=False))
    assert down.startswith("Âm thanh, rơ-le: KHÔNG CHẠY\n  → xem: systemctl status edge-agent-io;"), (
        "what is ready is not heard"
    )
    assert typed("kt", view=View(status(), device_up=None)) == typed("kt")


def test_next_without_a_trusted_clock_says_so_first() -> None:
    assert typed("kt", view=View(status(clock=FLOOR), True)).startswith("Giờ: GIỜ CHƯA CHUẨN (chỉ biết giờ lần trước)")


def test_why_numbers_the_causes_and_names_the_remedy_below_each() -> None:
    lines = typed("vs", session(Language.EN), View(status(next=()), device_up=False)).splitlines()
    assert [line[:5] for line in lines] == ["1. Th", "   → ", "2. Th", "   → ", "     "]


@pytest.mark.parametrize("command", PICTURES)
@pytest.mark.parametrize("absence", Absence)
def test_without_a_picture_every_command_says_so_and_names_the_remedy(command: Command, absence: Absence) -> None:
    lines = answer(command, View(absence, device_up=None), SITE, Language.EN)
    assert len(lines) >= 2
    assert any(line.startswith("→ ") for line in lines)


def test_reading_the_help_or_changing_the_language_looks_at_nothing() -> None:
    for line in ("?", "", "en", "ascii", "vi", "nonsense", "q"):
        respond(session(), line, never)


def test_the_language_changes_for_this_session_and_goes_home_with_the_next() -> None:
    english, lines = respond(session(), "en", never)
    assert (english.language, lines) == (Language.EN, ("English.",))
    bare, lines = respond(english, "ascii", never)
    assert lines == ("Tieng Viet khong dau.",)
    gone, lines = respond(bare, "q", never)
    assert lines == ("Da thoat. Nhan Enter de vao lai.",)
    back, lines = respond(gone, "en", never)
    assert (back, lines) == (session(), banner(session()))


def test_an_empty_line_is_answered_by_nothing() -> None:
    assert typed("") == typed("   ") == ""


def test_what_is_no_command_is_shown_with_the_remedy() -> None:
    assert typed("phát thử") == "Không có lệnh “phát thử” → gõ ?"
    assert typed("x" * 80, session(Language.EN)) == f'No command "{"x" * 20}" → type ?'


def test_noise_of_a_wrong_speed_is_called_by_its_name() -> None:
    assert "115200" in typed("\ufffd\ufffdx")


@pytest.mark.parametrize("line", ["sudo edge-agent doctor", "Edge-agent doctor", "journalctl -u edge-agent -n 50"])
def test_what_a_remedy_names_is_sent_to_the_shell_that_knows_it(line: str) -> None:
    """The help named it, it was no command, and the way from there was the help."""
    assert typed(line) == "Lệnh này không gõ ở đây: đăng nhập vào trạm (SSH) rồi gõ. Ở đây: ?"
    assert understand(line) is Command.UNKNOWN


def unknown(times: int) -> tuple[Session, list[tuple[str, ...]]]:
    at, told = session(), []
    for _ in range(times):
        at, lines = respond(at, "loa>", never)
        told.append(lines)
    return at, told


def test_an_echo_of_our_own_answers_is_not_answered_for_ever() -> None:
    at, told = unknown(UNKNOWN_MAX + 3)
    assert [bool(lines) for lines in told] == [True] * UNKNOWN_MAX + [False] * 3
    assert "im lặng" in told[UNKNOWN_MAX - 1][-2] + told[UNKNOWN_MAX - 1][-1]
    assert at.muted


@pytest.mark.parametrize("language", Language)
def test_no_line_that_we_write_is_a_command_when_it_comes_back(language: Language) -> None:
    """The remedy for noise once ended with a line of its own, "?"."""
    ours = [*banner(session(language)), *typed("?", session(language)).splitlines()]
    at = session(language)
    for line in ("loa>",) * UNKNOWN_MAX:
        at, lines = respond(at, line, never)
        ours += lines
    plays = [replace(BULLETIN, title="x" * length + " ?") for length in range(40, 79)]
    for command in PICTURES:
        for play in plays:
            ours += answer(command, View(status(next=(play,)), True), SITE, language)
    assert {line for line in ours if understand(line) is not Command.UNKNOWN} == set()


def test_empty_lines_between_do_not_make_noise_a_person() -> None:
    at, _ = unknown(UNKNOWN_MAX - 1)
    at, _ = respond(at, "", never)
    at, _ = respond(at, "loa>", never)
    assert at.muted


def test_a_command_ends_the_silence() -> None:
    at, _ = unknown(UNKNOWN_MAX)
    at, lines = respond(at, "?", never)
    assert lines
    assert not at.muted


TITLES = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=80)


@given(TITLES, st.sampled_from(Language), st.sampled_from(Reason), st.sampled_from(Phase))
def test_no_answer_is_wider_than_80_columns(title: str, language: Language, reason: Reason, phase: Phase) -> None:
    play = replace(held(reason, phase), title=title)
    zones = (ZoneStatus(CHO, title, True, play.job_id, 0),)
    view = View(status(name=title, zones=zones, playing=(play,), next=(play,) * NEXT_MAX), device_up=False)
    for command in PICTURES:
        lines = answer(command, view, SITE, language)
        assert lines
        assert all(width(line) <= COLUMNS for line in lines)
        assert all("\x1b" not in line and "\u202e" not in line for line in lines)
        assert language is not Language.VI_ASCII or all(line.isascii() for line in lines)


@given(st.text(max_size=80), st.sampled_from(Language))
def test_any_line_is_answered_within_80_columns(line: str, language: Language) -> None:
    at, lines = respond(session(language), line, lambda: HEALTHY)
    assert all(width(shown) <= COLUMNS for shown in lines)
    assert at.site is SITE


def test_times_are_those_of_the_stations_own_zone() -> None:
    tokyo = new_session(replace(SITE, timezone="Asia/Tokyo"), NAME, Language.EN)
    assert "11:30:00 Wed 2026-11-25 (UTC+0900)" in typed("status", tokyo)
    assert "19:30 Wed 2026-11-25" in typed("next", tokyo)


@pytest.mark.parametrize(
    ("ahead_ms", "words"),
    [
        (0, "in 0 s"),
        (59_999, "in 59 s"),
        (61_000, "in 1 min 1 s"),
        (599_999, "in 9 min 59 s"),
        (3_600_000, "in 1 h"),
        (90_000_000, "in 1 d 1 h"),
    ],
)
def test_how_long_it_takes_is_told_in_the_units_that_matter(ahead_ms: int, words: str) -> None:
    view = View(status(next=(replace(BULLETIN, planned=UtcMs(AT + ahead_ms)),)), device_up=True)
    assert f", {words}." in typed("why", session(Language.EN), view).replace("\n   ", " ").replace("\n  ", " ")
