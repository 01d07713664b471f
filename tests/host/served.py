"""A private sound server for a test, which this process's own alsa-lib finds too."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.parts import ABSENT
from tests.host.pulse import Pulse, missing, private_pulse


@contextlib.contextmanager
def served(folder: Path, sinks: tuple[str, ...] = ("station",)) -> Iterator[Pulse]:
    """Run one with its files in ``folder`` and these sinks; without the programs for it the test is left out."""
    if absent := missing():
        pytest.skip(f"{ABSENT}{absent}")
    with private_pulse(folder, sinks) as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.env.items():
            patch.setenv(name, value)
        yield server
