"""A private sound server for a test, or several, which this process's own alsa-lib finds too."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.host.parts import ABSENT
from tests.host.pulse import SYSTEM_ALSA_CONFIG, Pulse, missing, private_pulse


@contextlib.contextmanager
def served(folder: Path, sinks: tuple[str, ...] = ("station",)) -> Iterator[Pulse]:
    """Run one with its files in ``folder`` and these sinks; without the programs for it the test is left out."""
    with _running({folder: sinks}) as (server,):
        yield server


@contextlib.contextmanager
def served_apart(folder: Path, sinks: tuple[str, ...]) -> Iterator[tuple[Pulse, ...]]:
    """Run one for each sink, so that one can be frozen or killed while the others go on, like cards do."""
    with _running({folder / sink: (sink,) for sink in sinks}) as servers:
        yield servers


@contextlib.contextmanager
def _running(wanted: Mapping[Path, tuple[str, ...]]) -> Iterator[tuple[Pulse, ...]]:
    if absent := missing():
        pytest.skip(f"{ABSENT}{absent}")
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(private_pulse(own, sinks)) for own, sinks in wanted.items()]
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in servers[0].env.items():
            patch.setenv(name, value)
        configs = [str(SYSTEM_ALSA_CONFIG), *(str(own / "asound.conf") for own in wanted)]
        patch.setenv("ALSA_CONFIG_PATH", ":".join(configs))
        yield tuple(servers)
