"""A training realm (tập huấn, requirement B21): its stations switch no real relay, and no real station obeys it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.cli import doctor, main
from edge_agent.config import RelayDriver, load
from edge_agent.config.reader import Fault
from edge_agent.core.job import Accepted
from edge_agent.core.reasons import Reason
from edge_agent.core.site import TRAINING_PREFIX, is_training
from edge_agent.headend.cli import main as headend
from edge_agent.trust.judge import make_judge
from tests.cli.stations import AREA, REALM, make_station
from tests.config_texts import EXAMPLE, changed, line_number, problems_of, read
from tests.trust.makers import JOB_TOPIC, make_site, make_trust, signed_job

SIMULATED = '[relays]\ndriver = "simulated"\n[relays.simulated]\ndir = "relays"'
WORDS = "mạng TẬP HUẤN: không điều khiển rơ-le thật / a TRAINING network: no real relays"


@pytest.mark.parametrize("realm", ["tap-huan", "tap-huan-dong-thanh", "tap-huan2"])
def test_real_relays_in_a_training_realm_are_refused_with_both_fields_and_the_remedy(realm: str) -> None:
    text = changed('realm = "loa-vn"', f'realm = "{realm}"')
    (problem,) = problems_of(text)
    assert (problem.fault, problem.where) == (Fault.CLASH, "[relays] driver")
    assert problem.line == line_number(text, 'driver = "gpio"')
    assert problem.detail == f'[station] realm = "{realm}" là mạng tập huấn / is for training'
    assert 'driver = "simulated" and [relays.simulated]' in problem.remedy


def test_simulated_relays_train_and_real_ones_serve() -> None:
    start = EXAMPLE.index("[relays]")
    training = changed(
        'realm = "loa-vn"', 'realm = "tap-huan"', EXAMPLE[:start] + EXAMPLE[EXAMPLE.index("[[zones]]") :]
    )
    assert read(training.replace("[[zones]]", f"{SIMULATED}\n\n[[zones]]", 1)).site.realm == "tap-huan"
    assert read(changed('realm = "loa-vn"', 'realm = "khong-tap-huan"')).relays.driver is RelayDriver.GPIO


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [('driver = "gpio" ', 'driver = "mock" ', "[relays] driver"), ('"loa-vn"', '"tap-huan!"', "[station] realm")],
)
def test_a_mistake_in_one_of_the_fields_is_told_alone(old: str, new: str, where: str) -> None:
    text = changed(old, new)
    text = text if "tap-huan" in text else changed('"loa-vn"', '"tap-huan"', text)
    assert [problem.where for problem in problems_of(text)] == [where]


@pytest.mark.parametrize("task", ["run", "io", "relays-off"])
def test_a_training_station_with_real_relays_does_not_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], task: str
) -> None:
    file = make_station(tmp_path).file
    file.write_text(
        file.read_text().replace(f'"{REALM}"', '"tap-huan"').replace(SIMULATED, '[relays]\ndriver = "gpio"')
    )
    assert main([task, "--config", str(file)]) == 2
    assert "[relays] driver: xung đột / in conflict: [station] realm" in capsys.readouterr().err


def test_a_real_station_refuses_an_order_of_a_training_realm_even_of_its_own_officer() -> None:
    order = signed_job(realm="tap-huan")
    verdict = make_judge(make_trust(), make_site())(JOB_TOPIC, order)
    assert getattr(verdict, "reason", None) is Reason.WRONG_REALM
    training = make_judge(make_trust(realm="tap-huan"), make_site(realm="tap-huan"))
    assert isinstance(training(JOB_TOPIC, order), Accepted)


def test_a_real_station_knows_no_key_of_a_training_network(tmp_path: Path) -> None:
    order, draft = tmp_path / "lenh.json", tmp_path / "ban-tin.toml"
    draft.write_text(f'class = "normal"\nareas = ["{AREA}"]\nvolume = 50\nitems = [{{ title = "Tin", text = "x" }}]\n')
    ward = str(tmp_path / "ward")
    assert headend(["keys", "init", "--dir", ward, "--realm", "tap-huan", "--area", AREA]) == 0
    assert headend(["sign", "--dir", ward, "--draft", str(draft), "--key", "ward-routine", "--out", str(order)]) == 0
    verdict = make_judge(make_trust(), make_site())(JOB_TOPIC, order.read_bytes())
    assert getattr(verdict, "reason", None) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(("realm", "training"), [("tap-huan-dt", True), ("loa-vn", False)])
def test_the_headend_says_that_a_network_is_for_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], realm: str, training: bool
) -> None:
    ward = str(tmp_path / "ward")
    assert headend(["keys", "init", "--dir", ward, "--realm", realm, "--area", AREA]) == 0
    assert (WORDS in capsys.readouterr().out) is training
    assert headend(["keys", "list", "--dir", ward]) == 0
    assert (WORDS in capsys.readouterr().out) is training


def test_doctor_says_that_a_station_is_for_training(tmp_path: Path) -> None:
    file = make_station(tmp_path).file
    assert "TẬP HUẤN" not in doctor.configuration(load(file), file).seen
    file.write_text(file.read_text().replace(f'"{REALM}"', '"tap-huan-dt"'))
    assert doctor.configuration(load(file), file).seen.endswith("TẬP HUẤN / TRAINING: no real relays")


def test_only_the_beginning_of_the_name_counts() -> None:
    names = ("tap-huan", "tap-huan-2026", "tap-hu", "x-tap-huan", "demo")
    assert [name for name in names if is_training(name)] == ["tap-huan", "tap-huan-2026"]
    assert TRAINING_PREFIX == "tap-huan"
