"""Every mistake in the station's file is named with its line, in Vietnamese and English, and with a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.config import ConfigError, load
from edge_agent.config.lines import index_lines
from edge_agent.config.parse import CONFIG_BYTES_MAX, RUN_DIR_BYTES_MAX
from edge_agent.config.reader import PROBLEMS_MAX, SHOWN_CHARS_MAX, SYNTAX_CHARS_MAX, Fault
from edge_agent.toml import DOTS_MAX, read_toml
from tests.config_texts import (
    EXAMPLE,
    changed,
    line_number,
    only_problem,
    problems_of,
    read,
)

NO_SERVERS = [
    *("https://[2001:db8::1::2]:8443", "https://[:::::]", "https://[10.0.0.1]", "https://a:0", "https://a:99999"),
    *("https://noi-dung..example", "https://.example", f"https://{'a' * 64}.example", "https://a:b", "https://["),
]


@pytest.mark.parametrize("url", NO_SERVERS)
@pytest.mark.parametrize(
    ("key", "written", "where"),
    [
        ("home", '# home = "https://content.example.vn:8443"', "[content] home"),
        ("url", '# [enrolment]\n# url = "https://mqtt.example.vn:8444"', "[enrolment] url"),
    ],
)
def test_an_address_at_which_no_server_can_be_is_refused_and_does_not_end_the_agent_that_asks_there(
    key: str, written: str, where: str, url: str
) -> None:
    table = "[enrolment]\n" if key == "url" else ""
    (problem,) = problems_of(changed(written, f'{table}{key} = "{url}"'))
    assert (problem.fault, problem.where) == (Fault.FORM, where)
    assert "https://" in problem.remedy


def test_a_port_behind_the_brokers_name_is_told_where_it_belongs() -> None:
    problem = only_problem('"mqtt.example.vn"', '"mqtt.example.vn:8883"')
    assert problem.remedy.endswith("a port is a key of its own")


@pytest.mark.parametrize("host", ["mqtt", "10.0.0.1", "::1", "2001:db8::7"])
def test_a_broker_may_be_written_as_an_address(host: str) -> None:
    assert read(changed('"mqtt.example.vn"', f'"{host}"')).broker.host == host


@pytest.mark.parametrize(
    "url", ["https://a", "https://a.", "https://10.0.0.1:1", "https://[::1]:65535", "https://noi_dung.example:8443"]
)
def test_an_address_at_which_a_server_can_be_is_one(url: str) -> None:
    assert read(changed('# home = "https://content.example.vn:8443"', f'home = "{url}"')).content.home == url


@pytest.mark.parametrize(
    ("old", "new", "fault", "where"),
    [
        ('id = "dt-017" ', 'id = "DT 017" ', Fault.FORM, "[station] id"),
        ('id = "dt-017" ', "id = 17 ", Fault.TYPE, "[station] id"),
        ('realm = "loa-vn"', 'realm = ""', Fault.FORM, "[station] realm"),
        ('"vn/ha-noi/dong-thanh"', '"vn//dong-thanh"', Fault.FORM, "[station] area"),
        ('"vn/ha-noi/dong-thanh"', '"vn/Hà Nội"', Fault.FORM, "[station] area"),
        ('"vn/ha-noi/dong-thanh"', '"a/b/c/d/e/f/g"', Fault.FORM, "[station] area"),
        ('"Asia/Ho_Chi_Minh"', '"Asia/Hanoi"', Fault.RANGE, "[station] timezone"),
        ('"Asia/Ho_Chi_Minh"', '"Asia"', Fault.RANGE, "[station] timezone"),
        ('"Asia/Ho_Chi_Minh"', '"../etc/passwd"', Fault.FORM, "[station] timezone"),
        ('"Asia/Ho_Chi_Minh"', '"localtime"', Fault.FORM, "[station] timezone"),
        ('"Asia/Ho_Chi_Minh"', '"right/Asia/Ho_Chi_Minh"', Fault.FORM, "[station] timezone"),
        ('"Asia/Ho_Chi_Minh"', '"posix/Asia/Ho_Chi_Minh"', Fault.FORM, "[station] timezone"),
        ('"Trạm loa số 17, thôn Lương Nỗ"', '"a\\nb"', Fault.FORM, "[station] name"),
        ('"mqtt.example.vn"', '"mqtts://mqtt.example.vn"', Fault.FORM, "[broker] host"),
        ('"mqtt.example.vn"', '"mqtt.example.vn:8883"', Fault.FORM, "[broker] host"),
        ('"mqtt.example.vn"', '"10.0.0.1:8883"', Fault.FORM, "[broker] host"),
        ('"mqtt.example.vn"', '"2001:db8::1::2"', Fault.FORM, "[broker] host"),
        ('"mqtt.example.vn"', '"mqtt..example"', Fault.FORM, "[broker] host"),
        ("# port = 8883", "port = 0", Fault.RANGE, "[broker] port"),
        ("# port = 8883", "port = 65536", Fault.RANGE, "[broker] port"),
        ("# port = 8883", "port = true", Fault.TYPE, "[broker] port"),
        ("# port = 8883", "port = 8883.0", Fault.TYPE, "[broker] port"),
        ("# keepalive_s = 60", "keepalive_s = 5", Fault.RANGE, "[broker] keepalive_s"),
        ("rtc = true", 'rtc = "yes"', Fault.TYPE, "[clock] rtc"),
        ('# ntp = "auto"', 'ntp = "on"', Fault.RANGE, "[clock] ntp"),
        ("channels = 2", "channels = 3", Fault.RANGE, "[cards.main] channels"),
        ("# rate = 48000", "rate = 47000", Fault.RANGE, "[cards.main] rate"),
        ("# rate = 48000", "rate = 8000", Fault.RANGE, "[cards.main] rate"),
        ('driver = "gpio" ', 'driver = "mock" ', Fault.RANGE, "[relays] driver"),
        ("warm_up_ms = 800", "warm_up_ms = 60001", Fault.RANGE, "[[zones]] #1 warm_up_ms"),
        ("warm_up_ms = 1500", "warm_up_ms = -1", Fault.RANGE, "[[zones]] #2 warm_up_ms"),
        ("volume_max = 70", "volume_max = 101", Fault.RANGE, "[[zones]] #2 volume_max"),
        ("# on_minutes_max = 120", "on_minutes_max = 0", Fault.RANGE, "[[zones]] #1 on_minutes_max"),
        ("# least_on_ms = 0 ", "least_on_ms = 10001", Fault.RANGE, "[[zones]] #1 least_on_ms"),
        ("# least_off_ms = 0 ", "least_off_ms = -1", Fault.RANGE, "[[zones]] #1 least_off_ms"),
        ('id = "cho"', 'id = "Chợ"', Fault.FORM, "[[zones]] #1 id"),
        ('id = "cho"', f'id = "{"c" * 33}"', Fault.FORM, "[[zones]] #1 id"),
        ('quiet = ["21:00", "05:00"]', 'quiet = ["21:00", "25:00"]', Fault.FORM, "[policy] quiet"),
        ('quiet = ["21:00", "05:00"]', 'quiet = ["21:00", "21:00"]', Fault.FORM, "[policy] quiet"),
        ('quiet = ["21:00", "05:00"]', 'quiet = ["21:00"]', Fault.FORM, "[policy] quiet"),
        ('quiet = ["21:00", "05:00"]', "quiet = 21:00:00", Fault.TYPE, "[policy] quiet"),
        ("session_minutes = 30", "session_minutes = 0", Fault.RANGE, "[policy] session_minutes"),
        ("session_minutes = 30", "weekdays = []", Fault.FORM, "[policy] weekdays"),
        ("session_minutes = 30", "weekdays = [1, 1]", Fault.FORM, "[policy] weekdays"),
        ("session_minutes = 30", "weekdays = [0, 8]", Fault.FORM, "[policy] weekdays"),
        ("session_minutes = 30", 'weekdays = ["T2"]', Fault.FORM, "[policy] weekdays"),
        ('into_quiet = "refuse"', 'into_quiet = "stop"', Fault.RANGE, "[policy] into_quiet"),
        ('quiet = ["21:00", "05:00"]', "volume1 = 1", Fault.UNKNOWN, "[policy] volume1"),
        ('channel = "left"', 'channel = "centre"', Fault.RANGE, "[[zones]] #1 channel"),
        # across keys
        ('id = "dinh-lang"', 'id = "cho" # again', Fault.CLASH, "[[zones]] #2 id"),
        ("line = 27", "line = 17 # again", Fault.CLASH, "[[zones]] #2 line"),
        ("# read_back_line = 22", "read_back_line = 17", Fault.CLASH, "[[zones]] #1 read_back_line"),
        ('channel = "right"', 'channel = "left" # again', Fault.CLASH, "[[zones]] #2 channel"),
        ('channel = "right"', 'channel = "both"', Fault.CLASH, "[[zones]] #2 channel"),
        ('channel = "right"', 'channel = "mono"', Fault.CLASH, "[[zones]] #2 channel"),
        (
            'key_file = "/var/lib/edge-agent/identity/station.key"',
            'key_file = "a.token"',
            Fault.CLASH,
            "[broker] key_file",
        ),
        # keys that nobody knows
        ("rtc = true", "rtc = true\nrct = true", Fault.UNKNOWN, "[clock] rct"),
        ('name = "Trạm loa', 'nmae = 1\nname = "Trạm loa', Fault.UNKNOWN, "[station] nmae"),
        ("[policy] ", "[polices]\n[policy] ", Fault.UNKNOWN, "[polices]"),
        ("warm_up_ms = 1500", "warm_up_ms = 1500\nwarmup_ms = 1500", Fault.UNKNOWN, "[[zones]] #2 warmup_ms"),
    ],
)
def test_a_wrong_value_is_named_where_it_stands(old: str, new: str, fault: Fault, where: str) -> None:
    problem = only_problem(old, new, at=where.split()[-1] if fault is Fault.UNKNOWN else None)
    assert (problem.fault, problem.where) == (fault, where)


@pytest.mark.parametrize(
    ("old", "where", "at"),
    [
        ('id = "dt-017"  ', "[station] id", "[station]"),
        ('file = "/var/lib/edge-agent/identity/trust.json"', "[trust] file", "[trust]"),
        ("warm_up_ms = 1500", "[[zones]] #2 warm_up_ms", "# cụm loa 2"),
        ('driver = "gpio" ', "[relays] driver", "[relays]"),
        ("channels = 2", "[cards.main] channels", "[cards.main]"),
    ],
)
def test_a_missing_key_is_named_at_its_table(old: str, where: str, at: str) -> None:
    problem = only_problem(old, "# ", at=at)
    assert (problem.fault, problem.where) == (Fault.MISSING, where)


def test_a_missing_table_is_one_problem_and_not_one_for_each_of_its_keys() -> None:
    start, end = EXAMPLE.index("[broker]"), EXAMPLE.index("[content]")
    (problem,) = problems_of(EXAMPLE[:start] + EXAMPLE[end:])
    assert (problem.fault, problem.where) == (Fault.MISSING, "[broker]")


@pytest.mark.parametrize(
    "band", ['["00:00", "00:00", 180]', '["00:00", "00:00", true]', '["00:00", 80]', '["24:00", "00:00", 80]', "80"]
)
def test_a_band_that_is_wrong_is_named_with_its_number(band: str) -> None:
    text = changed('["00:00", "00:00", 80]', band)
    (problem,) = problems_of(text)
    assert problem.detail.startswith("band #2")
    assert problem.line == line_number(text, "volume = [")


@pytest.mark.parametrize(
    ("line", "fault", "key"),
    [
        ("rise_s = 4", Fault.RANGE, "rise_s"),
        ("rise_s = 1.5", Fault.TYPE, "rise_s"),
        ('opening_chime = "on"', Fault.TYPE, "opening_chime"),
        ("closing_chime = 1", Fault.TYPE, "closing_chime"),
        ("chime = true", Fault.UNKNOWN, "chime"),
        ("stagger_ms = 10001", Fault.RANGE, "stagger_ms"),
        ("stagger_ms = -1", Fault.RANGE, "stagger_ms"),
        ("stagger_ms = true", Fault.TYPE, "stagger_ms"),
        ("stagger_ms = 1000", Fault.CLASH, "stagger_ms"),  # and every zone is of group "a"
        ("stagger_neighbours = true", Fault.CLASH, "stagger_neighbours"),  # without the gap that both must know
        ("stagger_ms = 1000\nstagger_neighbours = 1", Fault.TYPE, "stagger_neighbours"),
    ],
)
def test_what_frames_a_programme_is_refused_by_name(line: str, fault: Fault, key: str) -> None:
    (problem,) = problems_of(f"{EXAMPLE}\n[programme]\n{line}\n")
    assert (problem.fault, problem.where) == (fault, f"[programme] {key}")
    assert problem.remedy


@pytest.mark.parametrize("group", ['"c"', '"A"', "2"])
def test_a_group_that_there_is_not_is_refused_by_name(group: str) -> None:
    text = changed('# stagger_group = "a"', f"stagger_group = {group}")
    (problem,) = problems_of(f"{text}\n[programme]\nstagger_ms = 1000\n")
    assert problem.where == "[[zones]] #2 stagger_group"
    assert problem.remedy


def test_a_group_without_a_gap_is_refused_for_nothing_would_come_of_it() -> None:
    problem = only_problem('# stagger_group = "a"', 'stagger_group = "b"')
    assert (problem.fault, problem.where) == (Fault.CLASH, "[[zones]] #2 stagger_group")
    assert "stagger_ms = 1000" in problem.remedy


def test_a_gap_where_all_zones_are_of_the_second_group_is_refused() -> None:
    text = changed('# stagger_group = "a"', 'stagger_group = "b"')
    text = changed("warm_up_ms = 800 ", 'stagger_group = "b"\nwarm_up_ms = 800 ', text)
    (problem,) = problems_of(f"{text}\n[programme]\nstagger_ms = 1000\n")
    assert (problem.fault, problem.where) == (Fault.CLASH, "[programme] stagger_ms")
    assert 'stagger_group = "b"' in problem.remedy


@pytest.mark.parametrize(("line", "fault"), [('voice = "vi-vn-x-nowhere"', Fault.FORM), ("rate_wpm = 40", Fault.RANGE)])
def test_a_voice_that_espeak_would_silently_replace_is_refused(line: str, fault: Fault) -> None:
    problems = problems_of(f"{EXAMPLE}\n[speech]\n{line}\n")
    assert [(problem.fault, problem.where) for problem in problems] == [(fault, f"[speech] {line.split()[0]}")]


def test_no_band_at_all_is_not_taken_for_no_ceiling() -> None:
    text = EXAMPLE[: EXAMPLE.index("[policy]")] + "[policy]\nvolume = []\n"
    assert [(problem.fault, problem.where) for problem in problems_of(text)] == [(Fault.RANGE, "[policy] volume")]


def test_a_misspelt_key_comes_with_the_likely_one() -> None:
    problem = only_problem("# keepalive_s = 60", "keepalives = 60")
    assert problem.fault is Fault.UNKNOWN
    assert problem.remedy == "có phải là / did you mean keepalive_s?"


def test_a_setting_that_does_not_exist_yet_is_refused_by_name() -> None:
    """Nothing is accepted for later: a container as sandbox would otherwise be believed to work."""
    problem = only_problem('# [decoder]\n# sandbox = "auto"', '[decoder]\nsandbox = "docker"', at='sandbox = "docker"')
    assert problem.fault is Fault.RANGE


def test_a_zone_on_a_card_that_is_not_there_names_the_cards() -> None:
    text = EXAMPLE.replace('card = "main"', 'card = "usb"')
    found = problems_of(text)
    assert [problem.where for problem in found] == ["[[zones]] #1 card", "[[zones]] #2 card"]
    assert '"main"' in found[0].remedy


def test_a_mono_card_feeds_one_zone() -> None:
    text = changed("channels = 2", "channels = 1").replace('channel = "right"', 'channel = "mono"')
    text = text.replace('channel = "left"', 'channel = "mono"')
    (problem,) = problems_of(text)
    assert (problem.fault, problem.where) == (Fault.CLASH, "[[zones]] #2 channel")


def test_one_mistake_is_not_told_twice_through_what_depends_on_it() -> None:
    """A channel that cannot be read is no clash with its card as well, nor a number of channels with every zone."""
    second = EXAMPLE.index("[[zones]]                            # cụm loa 2")
    one_zone = changed("channels = 2", "channels = 1", EXAMPLE[:second] + EXAMPLE[EXAMPLE.index("[policy]") :])
    for text in (changed('channel = "left"', 'channel = "centre"', one_zone), changed("channels = 2", "channels = 3")):
        assert len(problems_of(text)) == 1


def test_no_card_at_all_is_a_problem() -> None:
    start, end = EXAMPLE.index("[cards.main]"), EXAMPLE.index("[relays]")
    text = EXAMPLE[:start] + "[cards]\n" + EXAMPLE[end:]
    assert "[cards] main" in [problem.where for problem in problems_of(text)]


def test_no_zone_at_all_is_a_problem() -> None:
    text = "zones = []\n" + EXAMPLE[: EXAMPLE.index("[[zones]]")]
    (problem,) = problems_of(text)
    assert (problem.fault, problem.line) == (Fault.RANGE, 1)


def test_zones_that_are_no_tables_are_a_problem() -> None:
    text = "zones = [1, 2]\n" + EXAMPLE[: EXAMPLE.index("[[zones]]")]
    assert [(problem.fault, problem.line) for problem in problems_of(text)] == [(Fault.TYPE, 1)]


def test_simulated_relays_need_their_folder() -> None:
    problem = only_problem('driver = "gpio" ', 'driver = "simulated" ', at="[relays]")
    assert (problem.fault, problem.where) == (Fault.MISSING, "[relays] simulated")


def test_a_simulation_left_in_the_file_of_a_real_station_is_refused() -> None:
    text = changed('# [relays.simulated]\n# dir = "simulated-relays"', '[relays.simulated]\ndir = "simulated-relays"')
    (problem,) = problems_of(text)
    assert (problem.fault, problem.where) == (Fault.CLASH, "[relays] simulated")
    assert problem.line == line_number(text, "[relays.simulated]")


def test_a_run_folder_too_long_for_a_socket_is_refused() -> None:
    long = "/run/" + "x" * RUN_DIR_BYTES_MAX
    text = changed("# [paths]", "[paths]").replace('# run_dir = "/run/edge-agent"', f'run_dir = "{long}"')
    assert [(problem.fault, problem.where) for problem in problems_of(text)] == [(Fault.RANGE, "[paths] run_dir")]


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    text = EXAMPLE
    for old, new in (("line = 27", 'line = "27"'), ('realm = "loa-vn"', "realm = 1"), ("channels = 2", "chanels = 2")):
        text = changed(old, new, text)
    found = problems_of(text)
    assert [problem.where for problem in found] == [
        "[station] realm",
        "[cards.main] channels",
        "[cards.main] chanels",
        "[[zones]] #2 line",
    ]


def test_the_message_is_one_line_with_file_line_vietnamese_and_remedy() -> None:
    text = changed("# port = 8883", "port = 0")
    with pytest.raises(ConfigError) as caught:
        read(text)
    place = f"station.toml:{line_number(text, 'port = 0')}: [broker] port"
    remedy = "must be a whole number from 1 to 65535"
    assert str(caught.value) == f"{place}: ngoài giới hạn / out of range: 0 → {remedy}"


def test_a_key_with_a_line_break_in_its_name_cannot_forge_a_second_message() -> None:
    with pytest.raises(ConfigError) as caught:
        read(changed("rtc = true", 'rtc = true\n"a\\nedge-agent.toml:1: all is well" = 1'))
    assert len(str(caught.value).split("\n")) == 1


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        ("[station\nid = 1", 1),
        ('[station]\nid = "a"\nid = "b"\n', 3),
        ('[station]\nid = "a', 2),
        ("a = " + "[" * 30_000, 1),
    ],
)
def test_what_is_not_toml_is_named_with_a_line(broken: str, line: int) -> None:
    (problem,) = problems_of(broken)
    assert (problem.fault, problem.line) == (Fault.SYNTAX, line)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    absent = tmp_path / "absent.toml"
    with pytest.raises(ConfigError, match=r"absent\.toml.*không đọc được tệp"):
        load(absent)


def test_a_file_that_is_not_utf_8_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "latin.toml"
    file.write_bytes(b'# one\n# two\nname = "Tr\xe2m"\n')
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert [(problem.line, problem.fault) for problem in caught.value.problems] == [(3, Fault.UNREADABLE)]


@pytest.mark.parametrize("breaks", ["\n", "\r\n"])
def test_a_file_saved_by_windows_editor_is_read_and_its_mistakes_have_their_lines(tmp_path: Path, breaks: str) -> None:
    file = tmp_path / "station.toml"
    text = EXAMPLE[EXAMPLE.index("[station]") :]
    file.write_bytes(text.replace("\n", breaks).encode("utf-8-sig"))
    assert load(file).site == read(text).site
    file.write_bytes(changed('realm = "loa-vn"', "# realm", text).replace("\n", breaks).encode("utf-8-sig"))
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert [(problem.line, problem.where) for problem in caught.value.problems] == [(1, "[station] realm")]


def test_a_file_without_end_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "huge.toml"
    file.write_bytes(b"#" * (CONFIG_BYTES_MAX + 1))
    with pytest.raises(ConfigError, match="more than 65536 bytes"):
        load(file)


def test_lines_are_found_past_comments_texts_and_arrays_that_look_like_keys() -> None:
    text = "\n".join(
        [
            'a = """',  # 1
            "[fake]",
            'b = 1"""',
            "# [comment]",
            "[[zones]]",  # 5
            "list = [",
            "  [1],",
            '  ["x"]',
            "]",
            'id = "#\\"["',  # 10
            "[zones.sub]",
            'deep."er key" = 1',
            "[[zones]]",
            "id = '[a]'",
        ]
    )
    assert index_lines(text) == {
        ("a",): 1,
        ("zones",): 5,
        ("zones", 0): 5,
        ("zones", 0, "list"): 6,
        ("zones", 0, "id"): 10,
        ("zones", 0, "sub"): 11,
        ("zones", 0, "sub", "deep"): 12,
        ("zones", 0, "sub", "deep", "er key"): 12,
        ("zones", 1): 13,
        ("zones", 1, "id"): 14,
    }


# What costs more than it is worth: each of these took minutes, gigabytes, or a screen of letters.


@pytest.mark.parametrize(
    ("text", "line", "where"),
    [
        ("\n[broker]\nport = " + "9" * 5_000, 3, "[broker] port"),
        ("a = [\n1,\n" + "9" * 5_000 + "]", 3, ""),
    ],
    ids=["a key", "in a list of many lines"],
)
def test_a_decimal_number_that_python_does_not_read_is_named_with_its_line(text: str, line: int, where: str) -> None:
    (problem,) = problems_of(text)
    assert (problem.fault, problem.line, problem.where) == (Fault.RANGE, line, where)
    assert "more than 4300 digits" in problem.text("station.toml")


def test_a_key_with_dots_without_end_is_refused_before_the_library_sees_it() -> None:
    (problem,) = problems_of("a = 1\n" + "a." * 30_000 + "a = 1\n")
    assert (problem.fault, problem.line) == (Fault.SYNTAX, 2)
    assert f"More than {DOTS_MAX} dots" in problem.detail


def test_a_line_of_dots_under_a_heading_is_no_such_key() -> None:
    assert read_toml("# " + "." * 118 + "\na = 1\n") == {"a": 1}


def test_zones_beyond_their_number_are_counted_and_not_read() -> None:
    problems = problems_of(EXAMPLE + "\n[[zones]]" * 5_000)
    assert "must be 1 to 64" in " ".join(problem.remedy for problem in problems)
    assert not [problem for problem in problems if "#65" in problem.where]


def test_of_problems_without_end_the_first_are_told() -> None:
    problems = problems_of(EXAMPLE + "".join(f"\nx{number} = 1" for number in range(5_000)))
    assert len(problems) == PROBLEMS_MAX


@pytest.mark.parametrize(
    "text", ["a" * 60_000 + " = 1", "[cards." + "a" * 60_000 + "]", ("[" + "a" * 30_000 + "]\n") * 2]
)
def test_a_name_without_end_is_repeated_in_short(text: str) -> None:
    longest = max(len(problem.where) + len(problem.detail) + len(problem.remedy) for problem in problems_of(text))
    assert longest < 10 * SHOWN_CHARS_MAX + SYNTAX_CHARS_MAX
