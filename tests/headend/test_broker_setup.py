"""What the broker's files say; ``test_broker_rules`` proves that Mosquitto obeys them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.headend.broker import BrokerSetup, access_list, area_prefixes, configuration
from edge_agent.headend.pki import Issued


@pytest.fixture
def setup(tmp_path: Path) -> BrokerSetup:
    identity = Issued(tmp_path / "broker.pem", tmp_path / "broker.key")
    return BrokerSetup(tmp_path, tmp_path / "ca.pem", identity, {"tram-01": "vn/ha-noi", "tram-02": "vn"})


def test_areas_go_from_the_country_down_to_the_ward() -> None:
    assert area_prefixes("vn/ha-noi/dong-thanh") == ("vn", "vn/ha-noi", "vn/ha-noi/dong-thanh")


def test_a_station_is_given_its_own_topics_and_its_areas_and_nothing_else(setup: BrokerSetup) -> None:
    blocks = dict(block.split("\n", 1) for block in access_list(setup).split("user ")[1:])
    assert blocks["tram-01"].split("\n")[:-2] == [
        "topic read loa/1/d/tram-01/#",
        *(f"topic write loa/1/u/tram-01/{kind}" for kind in ("hello", "state", "heartbeat", "log", "answer", "plan")),
        "topic read loa/1/area/vn/job",
        "topic read loa/1/area/vn/head",
        "topic read loa/1/area/vn/ha-noi/job",
        "topic read loa/1/area/vn/ha-noi/head",
    ]
    assert "ha-noi" not in blocks["tram-02"]


def test_the_certificate_decides_who_a_client_is(setup: BrokerSetup) -> None:
    lines = configuration(setup, 8883).splitlines()
    for line in (
        "tls_version tlsv1.3",
        "require_certificate true",
        "use_identity_as_username true",
        "use_username_as_clientid true",
        "allow_anonymous false",
        "max_packet_size 65536",
        "persistence true",
    ):
        assert line in lines
