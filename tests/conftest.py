"""What holds for every property test: a busy machine is no failure, and a failure says how it is seen again."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")
