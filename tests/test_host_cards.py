"""A station with two cards, as two real processes on a real broker: one card fails in the midst of an emergency.

"A fault in one zone never stops another" (S5), from the order to the record: what the other street hears, when each
relay opens, what the log says, and when the device process ends.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.ward import AREA, RelayMove, Ward
from edge_agent.cli.process import EXIT_BROKEN
from edge_agent.core.programme import ATTENTION_MS
from tests.host.parts import ABSENT
from tests.host.pulse import SYSTEM_ALSA_CONFIG, Pulse, missing, private_pulse
from tests.host.recording import Recorder

pytestmark = [pytest.mark.host, pytest.mark.live]

PATIENCE_S = 60
# Only so that a broken test ends; nothing is measured by it.
WORDS = "Nước sông lên nhanh. Đề nghị bà con ở ven sông lên chỗ cao ngay. " * 2


class TwoCards(Ward):
    """Each of the two zones on the left of a card of its own; a card is a sound server, to be killed or frozen."""

    cards: tuple[Pulse, ...] = ()

    def _listen(self, stack: contextlib.ExitStack) -> None:
        folders = [self.folder / "pulse" / name for name in ("station", "second")]
        self.cards = tuple(stack.enter_context(private_pulse(folder, (folder.name,))) for folder in folders)
        configs = ":".join(str(folder / "asound.conf") for folder in folders)
        self.sound_env = {**self.cards[0].env, "ALSA_CONFIG_PATH": f"{SYSTEM_ALSA_CONFIG}:{configs}"}
        self._recorder = stack.enter_context(Recorder(self.cards[0], "station"))

    def _write_config(self) -> Path:
        path = super()._write_config()
        text = path.read_text()
        second = '[cards.second]\ndevice = "second"\nchannels = 2\n\n[relays]'
        text = text.replace("[relays]", second, 1)
        text = text.replace('card = "main"\nchannel = "right"', 'card = "second"\nchannel = "left"')
        path.write_text(text)
        return path

    def device_ended(self, within_s: float) -> int | None:
        """The device process's exit status."""
        assert self._io is not None
        with contextlib.suppress(Exception):
            self._io.wait(within_s)
        return self._io.poll()


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[TwoCards]:
    if absent := missing():
        pytest.skip(f"{ABSENT}{absent}")
    with TwoCards(tmp_path) as ward:
        ward.switch_on()
        yield ward
        print(f"agent:\n{ward.agent_log()}\nio:\n{ward.device_log()}")


def order(ward: TwoCards, cls: str, words: str, *zones: str) -> str:
    """A station that was welcomed gets something to say at once."""
    until(ward, lambda: "welcome utc=" in ward.agent_log())
    item = {"title": "Lũ", "field": "thoi-su", "language": "vi", "source": "UBND phường", "approver": "ng-01"}
    draft = {"class": cls, "areas": [AREA], "zones": list(zones), "volume": 80, "when": "now"}
    event, key = ({"event": "lu-quet"}, "ward-emergency") if cls == "emergency" else ({}, "ward-routine")
    return ward.publish({**draft, **event, "items": [{**item, "text": words}]}, [key])


def warn(ward: TwoCards) -> str:
    return order(ward, "emergency", WORDS, "c1", "c2")


def until(ward: TwoCards, condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up_at, ward.agent_log()[-2_000:]
        time.sleep(0.1)


def moved(ward: TwoCards, zone: str) -> list[RelayMove]:
    return [move for move in ward.moves() if move.zone == zone]


def record_of(ward: TwoCards, job_id: str) -> dict[str, Any]:
    until(ward, lambda: any(row["job_id"] == job_id for row in ward.rows()))
    (row,) = [row for row in ward.rows() if row["job_id"] == job_id]
    return row


def sounds(ward: TwoCards) -> bool:
    return "edge_agent.runtime: playing job=" in ward.agent_log()


def plays(ward: TwoCards, job_id: str) -> int:
    """How often it has begun."""
    return ward.agent_log().count(f"edge_agent.runtime: playing job={job_id} ")


def lost(ward: TwoCards) -> bool:
    return "zones lost" in ward.agent_log()


def test_a_card_that_is_pulled_out_silences_its_own_street_only(ward: TwoCards) -> None:
    job_id = warn(ward)
    until(ward, lambda: sounds(ward))
    pid = ward.pids["io"]
    ward.cards[1].kill()
    row = record_of(ward, job_id)
    assert (row["outcome"], row["reason"], row["attempt"]) == ("succeeded", None, 1)
    zones = {zone["zone"]: zone for zone in row["zones"]}
    assert {name: zone["reason"] for name, zone in zones.items()} == {"c1": None, "c2": "device_failed"}
    assert zones["c2"]["played_ms"] < zones["c1"]["played_ms"] == row["played_ms"]
    assert row["underruns"] == 0
    until(ward, lambda: not moved(ward, "c1")[-1].on)
    closed, opened = moved(ward, "c2")
    assert (closed.on, opened.on, opened.cause) == (True, False, "switch")
    assert moved(ward, "c1")[-1].at_ms - opened.at_ms > ATTENTION_MS / 2, "its relay does not wait for the others' end"
    heard = ward.recording()
    first, last = heard.onset(0), heard.last(0)
    assert first is not None
    assert last is not None
    assert abs((last - first) * 1_000 / heard.rate - zones["c1"]["played_ms"]) < ATTENTION_MS / 2
    assert ward.pids["io"] == pid
    assert ward.device_ended(0) is None


def test_a_card_that_hangs_ends_the_device_process_only_after_the_warning(ward: TwoCards) -> None:
    job_id = warn(ward)
    until(ward, lambda: sounds(ward))
    ward.cards[1].freeze()
    until(ward, lambda: lost(ward))
    assert ward.device_ended(0) is None
    row = record_of(ward, job_id)
    assert (row["outcome"], row["reason"], row["underruns"]) == ("succeeded", None, 0)
    assert {zone["zone"]: zone["reason"] for zone in row["zones"]} == {"c1": None, "c2": "device_failed"}
    assert ward.device_ended(PATIENCE_S) == EXIT_BROKEN
    assert "has taken no sound" in ward.device_log()
    until(ward, lambda: not any(moved(ward, zone)[-1].on for zone in ("c1", "c2")))
    assert "cause=lease" not in ward.device_log(), "no lease on the hung writer opened all relays"
    assert len(moved(ward, "c1")) == 2, "closed once, opened once"


def test_a_warning_for_a_hung_card_is_worth_more_than_a_bulletin_on_the_other(ward: TwoCards) -> None:
    """Only a new device process frees the card; the warning's last try finds it."""
    bulletin = order(ward, "normal", WORDS * 4, "c1")
    until(ward, lambda: plays(ward, bulletin) == 1)
    warning = order(ward, "emergency", WORDS, "c2")
    until(ward, lambda: plays(ward, warning) == 1)
    ward.cards[1].freeze()
    assert ward.device_ended(PATIENCE_S) == EXIT_BROKEN
    ward.cards[1].thaw()
    ward.switch_on(agent=False)  # as systemd does
    row = record_of(ward, warning)
    assert (row["outcome"], row["reason"], row["attempt"]) == ("succeeded", None, 3)
    cut = record_of(ward, bulletin)
    assert (cut["outcome"], cut["reason"]) == ("failed", "device_failed")
