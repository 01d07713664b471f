"""Who a station is, written into its file: the values, and not one letter beside them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.identity import CannotWrite, with_words
from tests.config_texts import EXAMPLE, read

NAMES = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=80).filter(str.strip)
WORDS = {
    ("station", "id"): "dt-99",
    ("station", "realm"): "loa-vn-2",
    ("station", "name"): "Trạm loa “số 99” \\ chợ",
    ("station", "area"): "vn/ha-noi/yen-bai",
    ("broker", "host"): "mqtt2.example.vn",
    ("broker", "port"): 18_883,
    ("enrolment", "url"): "https://mqtt2.example.vn:8444",
}


def test_the_example_becomes_another_station_and_keeps_every_other_line() -> None:
    text = with_words(EXAMPLE, WORDS)
    config = read(text)
    assert (config.site.station, config.site.realm, config.site.area) == ("dt-99", "loa-vn-2", "vn/ha-noi/yen-bai")
    assert (config.name, config.broker.host, config.broker.port) == (
        WORDS["station", "name"],
        "mqtt2.example.vn",
        18_883,
    )
    assert config.enrolment.url == "https://mqtt2.example.vn:8444"
    changed = [line for line in text.split("\n") if line not in EXAMPLE.split("\n")]
    assert len(changed) == 8  # the seven values, and the header of [enrolment]
    gone = [line for line in EXAMPLE.split("\n") if line not in text.split("\n")]
    assert [line.split(" = ")[0] for line in gone] == ["id", "realm", "name", "area", "host"]
    assert all("#" not in line or line.split("#")[1] in text for line in gone)  # its remarks stand


def test_a_file_saved_by_windows_editor_becomes_another_station_too() -> None:
    text = "\ufeff" + EXAMPLE[EXAMPLE.index("[station]") :]
    assert read(with_words(text, WORDS)).site == read(with_words(EXAMPLE, WORDS)).site


def test_writing_the_same_again_changes_nothing() -> None:
    once = with_words(EXAMPLE, WORDS)
    assert with_words(once, WORDS) == once


@given(NAMES)
def test_any_name_that_people_give_reads_back(name: str) -> None:
    assert read(with_words(EXAMPLE, {("station", "name"): name})).name == name


def test_the_same_key_of_another_table_stays() -> None:
    text = with_words(EXAMPLE, {("station", "name"): "Trạm mới", ("station", "id"): "moi"})
    assert [zone.name for zone in read(text).site.zones.values()] == [
        zone.name for zone in read(EXAMPLE).site.zones.values()
    ]
    assert list(read(text).site.zones) == list(read(EXAMPLE).site.zones)


@pytest.mark.parametrize("written", ['"""dt-017"""', "'''dt-017'''", "[]"])
def test_a_value_that_is_written_otherwise_is_named_by_its_line_and_what_to_write(written: str) -> None:
    text = EXAMPLE.replace('id = "dt-017"', f"id = {written}")
    with pytest.raises(CannotWrite, match=r'line \d+: .* write \[station\] id = "x"'):
        with_words(text, {("station", "id"): "x"})
