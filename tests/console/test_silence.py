"""Answers: "Why is it silent?" names every cause there is, the weightiest first, and what to do about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

import pytest

from edge_agent.console.silence import CANNOT_SIGN, NOTHING, why_silent
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.heads import ScopeStatus
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.outlook import InForce
from edge_agent.core.reasons import WORDS_EN, WORDS_VI, Reason
from edge_agent.core.units import HOUR_MS, MINUTE_MS, JobId, UtcMs
from edge_agent.sync.reports import OfferStatus, ZoneStatus
from tests.console.pictures import BULLETIN, CHO, DINH, FLOOD, FLOOR, NIGHT, SITE, TRUSTED, held, status


def causes(device_up: bool | None = True, **changes: object) -> list[str]:
    return [cause.words.en for cause in why_silent(status(**changes), SITE, device_up)]


def test_a_healthy_station_says_when_it_is_due() -> None:
    assert causes() == ['Not due yet: "Bản tin sáng" plays 17:30 Wed 2026-11-25, in 8 h.']


def test_what_should_sound_already_is_not_said_to_be_too_early() -> None:
    """Its audio comes over GPRS; the ward asks at ten past five where the bulletin of five is."""
    late = replace(BULLETIN, planned=UtcMs(TRUSTED.utc - 10 * MINUTE_MS), phase=Phase.RECEIVED)
    (loading,) = why_silent(status(next=(late,)), SITE, True)
    assert loading.words.vi == "Đã đến giờ: “Bản tin sáng” (09h20 T4 25/11/2026): đang nạp."
    assert "SIM" in loading.remedy.vi
    (closing,) = why_silent(status(playing=(replace(late, phase=Phase.ARMED),), next=()), SITE, True)
    assert closing.words.vi == "Đã đến giờ: “Bản tin sáng” (09h20 T4 25/11/2026): đang đóng rơ-le."
    assert closing.remedy == NOTHING


def test_the_words_are_vietnamese_too() -> None:
    (cause,) = why_silent(status(), SITE, True)
    assert cause.words.vi == "Chưa đến giờ: “Bản tin sáng” phát 17h30 T4 25/11/2026, còn 8 giờ."
    assert cause.remedy.vi == "buổi đã qua: sudo journalctl -u edge-agent | grep outcome", "which is what is asked for"


def test_no_jobs() -> None:
    (cause,) = why_silent(status(next=()), SITE, True)
    assert cause.words.en == "There is no broadcast job to play."
    assert "order refused" in cause.remedy.vi, "it may have been sent, and turned away"


@pytest.mark.parametrize(
    "waits", [{"welcomed": False}, {"waits": Reason.TRUST_BEHIND}], ids=lambda one: next(iter(one))
)
def test_while_new_orders_wait_to_be_let_in_nobody_is_told_that_none_has_come(waits: dict[str, object]) -> None:
    """The centre has its answer, accepted; what is held stands in no list of what is to come."""
    *_, none = why_silent(status(**waits, next=()), SITE, True)
    assert none.words.vi == "Không có lệnh phát nào đã nạp; lệnh mới, nếu đã đến, đang phải chờ."
    assert none.remedy == NOTHING, "the cause before it has it"


def test_what_waits_to_be_chosen_is_named_and_the_server_is_not_told_to_send_it() -> None:
    """The officer who asks why nothing came is the one who has to choose."""
    offer = OfferStatus(JobId("t-7"), "Chương trình thành phố", JobClass.NORMAL, "province", BULLETIN.planned)
    (cause,) = why_silent(status(next=(), offers=(offer,)), SITE, True)
    assert cause.words.vi == "“Chương trình thành phố”: chờ xã/phường lựa chọn, trước 17h30 T4 25/11/2026."
    assert "choose" in cause.remedy.vi
    assert why_silent(status(offers=(offer,)), SITE, True) == (*why_silent(status(), SITE, True), cause)


def test_quiet_hours_until_when() -> None:
    quiet, due = causes(clock=NIGHT, next=(replace(BULLETIN, planned=UtcMs(NIGHT.utc + 8 * HOUR_MS)),))
    assert quiet == "Quiet hours (21:00 – 05:00): only emergencies sound."
    assert due.startswith("Not due yet")


def test_the_quiet_hours_are_those_of_the_regulation_and_not_of_the_stations_file() -> None:
    rules = InForce("128/QĐ-UBND", (time(9), time(10)))
    assert causes(rules=rules)[0] == "Quiet hours (09:00 – 10:00): only emergencies sound."
    assert causes(clock=NIGHT, rules=InForce(quiet=None))[0].startswith("Due: ")


def test_an_agent_that_does_not_tell_its_rules_is_judged_by_the_stations_file() -> None:
    told = why_silent(replace(status(clock=NIGHT), rules=None), SITE, True)
    assert told[0].words.en.startswith("Quiet hours (21:00 – 05:00)")


def test_a_locked_zone_and_a_silenced_one_are_named() -> None:
    rules = InForce(locked=(CHO,), silenced=(DINH,))
    locked, silent, _ = why_silent(status(rules=rules), SITE, True)
    assert locked.words.vi == "Cụm loa chợ Đông Thành: cụm loa đang khóa bảo trì (cấm phát)."
    assert "4 hours" in locked.remedy.en
    assert "xã/phường hủy lệnh khóa" in locked.remedy.vi, "a commune is no ward"
    assert silent.words.en == "Zone Cụm loa đình làng Lương Nỗ: the zone is silent at the ward's own request."
    assert silent.remedy == NOTHING


@pytest.mark.parametrize("source", [ClockSource.UNSET, ClockSource.FLOOR, ClockSource.DISPUTED])
def test_a_clock_that_is_not_trusted_is_told_once_and_not_for_every_plan(source: ClockSource) -> None:
    clock = replace(FLOOR, source=source)
    plans = (held(Reason.CLOCK_NOT_TRUSTED), replace(held(Reason.CLOCK_NOT_TRUSTED), title="Bản tin chiều"))
    (cause,) = why_silent(status(clock=clock, next=plans), SITE, True)
    assert cause.words.en.startswith("CLOCK NOT TRUSTED")
    assert cause.words.vi.startswith("GIỜ CHƯA CHUẨN")
    assert "NTP" in cause.remedy.vi


def test_a_clock_that_two_sources_dispute_is_no_matter_of_the_sim() -> None:
    """Both have answered."""
    disputed = replace(TRUSTED, source=ClockSource.DISPUTED)
    clock, *_ = why_silent(status(clock=disputed), SITE, True)
    assert clock.remedy.vi == "NTP hoặc máy chủ sai giờ: so với giờ điện thoại, báo trung tâm"


def test_without_a_trusted_clock_nothing_is_said_of_quiet_hours() -> None:
    assert len(causes(clock=replace(NIGHT, source=ClockSource.FLOOR))) == 1


def test_a_clock_with_too_large_an_error_is_not_trusted_whatever_its_source() -> None:
    (cause,) = causes(clock=replace(TRUSTED, source=ClockSource.HOLDOVER, max_error_ms=121_000))
    assert cause.startswith("CLOCK NOT TRUSTED")


def test_a_dead_device_process_comes_first() -> None:
    first, due = why_silent(status(), SITE, device_up=False)
    assert "device process" in first.words.en
    assert "edge-agent-io" in first.remedy.vi
    assert due.words.en.startswith("Not due yet")


def test_a_device_process_that_nobody_may_ask_is_no_cause() -> None:
    assert causes(device_up=None) == causes(device_up=True)


def test_a_server_that_has_not_answered() -> None:
    waits, due = causes(welcomed=False)
    assert waits.startswith("The server has not answered since the start: new orders wait")
    assert due.startswith("Not due yet")


def test_a_server_that_has_answered_and_cannot_be_reached_now_is_named_with_the_network() -> None:
    """A SIM that was used up this morning: the centre need not be asked why it sends nothing."""
    gone, none = why_silent(status(online=False, next=()), SITE, True)
    assert gone.words.en.startswith("There is no connection to the server now: new orders do not come")
    assert "không còn lịch nào đã nạp" in gone.words.vi
    assert "SIM" in gone.remedy.vi
    assert none.words.en == "There is no broadcast job to play."


@pytest.mark.parametrize("waits", [{"welcomed": False}, {"online": False}], ids=lambda one: next(iter(one)))
def test_a_station_that_cannot_sign_does_not_say_that_orders_come_while_they_do_not(waits: dict[str, object]) -> None:
    """A passphrase that does not open its key, or a SIM that is used up beside a chip that is locked."""
    mute, server, _ = why_silent(status(**waits), SITE, True, CANNOT_SIGN)
    assert mute.words.vi == "Trạm không ký được: trung tâm không nhận được gì từ trạm, nhưng trạm vẫn phát."
    assert server == why_silent(status(**waits), SITE, True)[0]
    mute, due = why_silent(status(), SITE, True, CANNOT_SIGN)
    assert due.words.vi.startswith("Chưa đến giờ")


def test_a_server_that_has_been_silent_for_a_day_did_answer_since_the_start() -> None:
    first, *_ = causes(waits=Reason.NOT_WELCOMED)
    assert first.startswith("The server has not answered for more than 26 h: new orders wait")


@pytest.mark.parametrize(
    "waits",
    [{"welcomed": False}, {"waits": Reason.TRUST_BEHIND}, {"online": False}],
    ids=lambda one: next(iter(one)),
)
def test_who_waits_for_the_server_is_told_that_the_timetable_plays_only_where_there_is_one(
    waits: dict[str, object],
) -> None:
    """A trust document has just cancelled it."""
    assert why_silent(status(**waits), SITE, True)[0].words.vi.endswith("; lịch đã nạp vẫn phát.")
    told, _ = why_silent(status(**waits, next=(), playing=()), SITE, True)
    assert "vẫn phát" not in told.words.vi
    assert "không còn lịch nào đã nạp" in told.words.vi
    assert "cancelled with the key that signed it" in told.words.en


@pytest.mark.parametrize(
    "held_back",
    [{"clock": FLOOR}, {"next": (held(Reason.TRUST_EXPIRED),)}, {"next": (held(Reason.NOT_WELCOMED),)}],
    ids=["no clock", "expired", "not welcomed"],
)
def test_what_is_loaded_is_not_said_to_play_beside_a_cause_that_lets_it_wait(held_back: dict[str, object]) -> None:
    told = [cause.words.vi for cause in why_silent(status(**held_back, welcomed=False), SITE, True)]
    assert "Máy chủ chưa trả lời từ khi khởi động: lệnh phát mới phải chờ." in told


def test_orders_that_a_manifest_lists_and_that_have_not_come_are_named() -> None:
    """A broker keeps them back, or the content server is down: the bulletin is in force, and is not here."""
    scope = ScopeStatus("area/vn/ha-noi", 1, 7, TRUSTED.utc, 2, Reason.MANIFEST_UNREACHABLE)
    lacking, none = why_silent(status(manifests=(scope,), next=()), SITE, True)
    assert lacking.words.vi == f"Bản kê lệnh area/vn/ha-noi: thiếu 2 lệnh ({WORDS_VI[Reason.MANIFEST_UNREACHABLE]})."
    assert "SIM" in lacking.remedy.vi
    assert none.words.en == "There is no broadcast job to play."
    stale = replace(scope, lacking=0, reason=Reason.HEAD_STALE)
    assert len(why_silent(status(manifests=(stale,)), SITE, True)) == 1, "and everything plays on"


def test_a_zone_that_is_turned_down_to_nothing_is_named() -> None:
    zones = (ZoneStatus(CHO, "Chợ", False, None, 0), ZoneStatus(DINH, "Đình", False, None, 50))
    site = replace(SITE, zones={**SITE.zones, CHO: replace(SITE.zones[CHO], volume_max=0)})
    muted, _ = why_silent(status(zones=zones), site, True)
    assert muted.words.en == "Zone Chợ: its volume_max is 0."


def test_a_zone_that_a_command_has_turned_down_is_no_matter_of_its_configuration() -> None:
    """The commune silenced it yesterday, and asks today why nothing was heard."""
    zones = (ZoneStatus(CHO, "Chợ", False, None, 0), ZoneStatus(DINH, "Đình", False, None, 50))
    muted, _ = why_silent(status(zones=zones), SITE, True)
    assert muted.words.vi == "Chợ: có lệnh đặt âm lượng bằng 0, bản tin thường, ưu tiên phát không ra tiếng."
    assert "lệnh volume" in muted.remedy.vi


def test_a_zone_whose_relay_does_not_answer_is_named() -> None:
    """Somebody holds its line: the zone is silent, and every other one is well."""
    zones = (ZoneStatus(CHO, "Chợ", None, None, 80), ZoneStatus(DINH, "Đình", False, None, 80))
    cause, due = why_silent(status(zones=zones), SITE, True)
    assert cause.words.en == "Zone Chợ: nobody can tell whether its relay is on: its line or contact does not answer."
    assert "gpioinfo" in cause.remedy.vi
    assert due.words.en.startswith("Not due yet")
    down, *_ = why_silent(status(zones=zones), SITE, False)
    assert "device process" in down.words.en, "which is why nobody can tell"
    assert len(causes(device_up=False, zones=zones)) == 2


def test_a_horn_at_which_nothing_was_heard_is_named_with_what_to_look_at() -> None:
    zones = (ZoneStatus(CHO, "Chợ", False, None, 80, False, -58), ZoneStatus(DINH, "Đình", False, None, 80, True, -12))
    cause, _ = why_silent(status(zones=zones), SITE, True)
    assert cause.words.vi == "Chợ: đã phát nhưng không đo được tiếng tại loa.", "a name may begin with “Cụm loa”"
    assert "amplifier" in cause.remedy.en


@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.CLOCK_NOT_TRUSTED}))
def test_every_reason_that_holds_a_plan_is_told_in_both_languages(reason: Reason) -> None:
    (cause,) = why_silent(status(next=(held(reason),)), SITE, True)
    assert cause.words.en == f'"Bản tin sáng" 17:30 Wed 2026-11-25: {WORDS_EN[reason]}.'
    assert cause.words.vi == f"“Bản tin sáng” 17h30 T4 25/11/2026: {WORDS_VI[reason]}."


@pytest.mark.parametrize("reason", [one for one in Reason if one.startswith(("audio_", "relay_", "device_"))])
def test_what_fails_a_plan_is_told_with_what_to_do_about_it(reason: Reason) -> None:
    (cause,) = why_silent(status(next=(held(reason),)), SITE, True)
    assert cause.remedy != NOTHING
    (laid_down,) = why_silent(status(next=(held(Reason.HOLIDAY),)), SITE, True)
    assert laid_down.remedy == NOTHING


def test_the_first_plan_that_nothing_holds_is_named_beside_the_held_ones() -> None:
    later = replace(BULLETIN, title="Bản tin chiều")
    assert [words.split(":")[0] for words in causes(next=(held(Reason.AUDIO_UNREACHABLE), later))] == [
        "Not due yet",
        '"Bản tin sáng" 17',
    ]


def test_what_sounds_is_named_with_what_to_check_in_the_street() -> None:
    (cause,) = why_silent(status(playing=(FLOOD,)), SITE, True)
    where = "Cụm loa chợ Đông Thành, Cụm loa đình làng Lương Nỗ"
    assert cause.words.vi == f"ĐANG PHÁT “Lũ trên sông Hồng” tại {where}."
    assert "amplifier" in cause.remedy.en


def test_a_cluster_may_be_waiting_for_its_turn_where_there_are_turns_and_a_warning_never_does() -> None:
    turns = replace(SITE, stagger_ms=1_000)
    (bulletin,) = why_silent(status(playing=(replace(FLOOD, cls=JobClass.NORMAL),)), turns, True)
    assert bulletin.remedy.vi.startswith("phát lệch giờ: ")
    assert "amplifier" in bulletin.remedy.en
    (warning,) = why_silent(status(playing=(FLOOD,)), turns, True)
    (plain,) = why_silent(status(playing=(replace(FLOOD, cls=JobClass.NORMAL),)), SITE, True)
    assert warning.remedy == plain.remedy


def test_relays_that_are_closing_are_not_yet_sound() -> None:
    (cause,) = causes(playing=(replace(FLOOD, phase=Phase.ARMED),), next=())
    assert cause.startswith('Not due yet: "Lũ trên sông Hồng"')


def test_all_at_once_come_in_the_order_of_their_weight() -> None:
    told = causes(
        device_up=False, clock=FLOOR, welcomed=False, next=(held(Reason.CACHE_FULL),), zones=(
            ZoneStatus(CHO, "Chợ", False, None, 0),
        ),
    )  # fmt: skip
    assert [words.split()[0] for words in told] == ["The", "CLOCK", "The", "Zone", '"Bản']
