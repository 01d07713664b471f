"""What a test says when a program that it needs is not installed, and where that is a failure.

Whoever runs pytest by hand may do without. ``./run test`` has installed everything, so nothing may be left out there
for want of it; what needs root, or another kernel, may.
"""

from __future__ import annotations

import os
import shutil

import pytest

ABSENT = "absent: "
# Begins the reason of every such skip.


def required() -> bool:
    """Whether everything that can be installed has been."""
    return os.environ.get("REQUIRE_PARTS") == "1"


def needs(*programs: str) -> pytest.MarkDecorator:
    """Leave a test out where one of these is not installed."""
    absent = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(absent), reason=ABSENT + ", ".join(absent))
