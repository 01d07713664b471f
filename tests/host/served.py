"""A private sound server for a test, or several, which this process's own alsa-lib finds too."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.parts import ABSENT
from tests.host.pulse import SYSTEM_ALSA_CONFIG, Pulse, missing, private_pulse


@contextlib.contextmanager
def served(folder: Path) -> Iterator[Pulse]:
    """Run one with its files in ``folder``; without the programs for it the test is left out."""
    with served_apart(folder, ("station",)) as (server,):
        yield server


@contextlib.contextmanager
def served_apart(folder: Path, sinks: tuple[str, ...]) -> Iterator[tuple[Pulse, ...]]:
    """Run one for each sink, so that one can be frozen or killed while the others go on, like cards do."""
    if absent := missing():
        pytest.skip(f"{ABSENT}{absent}")
    with contextlib.ExitStack() as stack:
        folders = [folder / sink if len(sinks) > 1 else folder for sink in sinks]
        servers = [stack.enter_context(private_pulse(own, (sink,))) for own, sink in zip(folders, sinks, strict=True)]
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in servers[0].env.items():
            patch.setenv(name, value)
        configs = [str(SYSTEM_ALSA_CONFIG), *(str(own / "asound.conf") for own in folders)]
        patch.setenv("ALSA_CONFIG_PATH", ":".join(configs))
        yield tuple(servers)
