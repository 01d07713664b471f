"""The decoding unit as systemd runs it: sound comes out, an intruder gains nothing, nothing stays.

One boot of this machine's own system for all of it (``host.booted``); ``decode_desk`` is what runs there.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from edge_agent.audio.decoder import FfmpegDecoder
from edge_agent.audio.sandbox import Sandbox
from tests.audio.decode_desk import INTRUDER, KEY, RELAYS, WEAK, Kept, entered, relayed
from tests.audio.intruding import compiled, gains, needs_compiler
from tests.audio.making import needs_decoder, needs_voice, sine
from tests.host.booted import SHARED, installed, needs_boot, run_booted

ROOT = Path(__file__).parents[2]
PROCESSES_MAX = 64
CLIPS = ("a.mp3", "index-last.m4a", "a.flac", "a.ogg", "a.wav")

pytestmark = [pytest.mark.host, needs_boot, needs_compiler, needs_decoder, needs_voice]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("booted")
    (folder / "clips").mkdir()
    for name in CLIPS:
        sine(folder / "clips" / name, 2)
    (folder / "clips" / "list.mp3").write_text("#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n")
    return folder


RELAYS_LISTEN = f"""[Socket]
ListenSequentialPacket={RELAYS}
SocketUser=edge-agent-io
SocketGroup=edge-agent
SocketMode=0660
"""
"""What stands for the device process: where it listens nobody else can lay anything."""


@pytest.fixture(scope="module")
def found(shared: Path) -> Any:
    """What the desk saw."""
    added = shared / "added"
    installed(added, ROOT / "edge_agent")
    units = added / "etc/systemd/system"
    units.mkdir(parents=True)
    for unit in (ROOT / "systemd").glob("edge-agent-decode*"):
        text = unit.read_text().replace("/usr/bin/espeak-ng\n", f"/usr/bin/espeak-ng {INTRUDER}\n", 1)
        text = text.replace("/opt/edge-agent\n", f"/opt/edge-agent {INTRUDER}\n", 1)
        (units / unit.name).write_text(text)
        weak = text.replace("BindReadOnlyPaths=", "BindReadOnlyPaths=/etc/passwd ", 1)
        (units / unit.name.replace("decode", "weak")).write_text(weak.replace("edge-agent-decode.sock", WEAK.name))
    (units / "relays.socket").write_text(RELAYS_LISTEN)
    (units / "relays.service").write_text("[Service]\nExecStart=/bin/sleep infinity\n")
    (units / "sockets.target.wants").mkdir()
    for name in ("edge-agent-decode.socket", f"{WEAK.stem}.socket", "relays.socket"):
        (units / "sockets.target.wants" / name).symlink_to(f"../{name}")
    for kind in ("sysusers.d", "tmpfiles.d"):
        shutil.copytree(ROOT / "systemd" / kind, added / "usr/lib" / kind)
    (added / KEY.relative_to("/")).parent.mkdir(parents=True)
    (added / KEY.relative_to("/")).write_text("secret")
    with compiled() as program:
        shutil.copy(program, added / INTRUDER.removeprefix("/"))
    shutil.copy(ROOT / "tests/audio/decode_desk.py", added / "opt")
    script = f"/opt/edge-agent/bin/python /opt/decode_desk.py {SHARED}"
    return json.loads(run_booted(shared, added, script, as_the_agent()))


def as_the_agent() -> str:
    """What holds for the agent's unit holds for the desk: its user, and every wall."""
    _, _, service = (ROOT / "systemd/edge-agent.service").read_text().partition("[Service]\n")
    lines = service.partition("[Install]")[0].splitlines()
    return "\n".join(
        line for line in lines if not line.startswith(("Type", "NotifyAccess", "Exec", "Restart=", "Watchdog"))
    )


def test_every_format_comes_out_as_it_does_in_bubblewrap(found: Any, shared: Path) -> None:
    for name in CLIPS:
        kept = Kept()
        with open(shared / "clips" / name, "rb") as source:
            assert FfmpegDecoder(Sandbox()).decode(source, kept, 60_000) is None  # type: ignore[arg-type]
        digest = hashlib.sha256(kept.pcm).hexdigest()
        assert found["clips"][name] == {"trouble": None, "frames": len(kept.pcm) // 2, "sha256": digest}, name
    assert found["clips"]["list.mp3"]["trouble"] == "no sound but a playlist (HLS, M3U)"


def test_a_live_stream_comes_out_as_it_does_in_bubblewrap_and_leaves_no_worker(found: Any, shared: Path) -> None:
    here = relayed(entered(shared / "clips" / "a.mp3"), Sandbox())
    assert found["relayed"] == here
    assert (here["said"], here["early"]) == ("", True)
    assert (found["closed_early"], found["left"]) == ("", "")


def test_words_are_spoken(found: Any) -> None:
    assert found["spoken_bytes"] > 22_050


def test_only_the_agent_may_ask_and_only_for_what_the_unit_names(found: Any) -> None:
    assert (found["user"], found["socket"]) == (True, "0o600")
    assert "'/usr/bin/python3'] is none of" in found["other_program"]


def test_an_intruder_gains_nothing(found: Any) -> None:
    assert gains(found["intruder"]["said"]) == []


def test_a_unit_with_a_hole_is_found(found: Any) -> None:
    assert gains(found["weak"]["said"]) == ["read /etc/passwd"]


def test_threads_without_end_come_to_an_end(found: Any) -> None:
    assert 0 < int(found["threads"]["said"]) < PROCESSES_MAX


def test_an_agent_that_hangs_up_leaves_no_worker(found: Any) -> None:
    assert found["waits"]["how"] == "TOO_SLOW"
    assert found["left"] == ""


def test_an_intruder_that_stops_its_worker_stays_no_longer_either(found: Any) -> None:
    """Ten that stayed would leave none to speak an emergency."""
    assert found["frozen"]["how"] == "TOO_SLOW"
    assert found["left"] == ""
