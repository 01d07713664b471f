"""Read what came on a stick, by post or in a folder that others fill. Decides only that it can be read, and at once.

Whoever had it in his hands may have put there a pipe, a device, a file without end; or a name that moves the cursor and
writes over the page which people compare with their paper.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

from edge_agent import plain_file
from edge_agent.core.text import NOT_A_CHARACTER
from edge_agent.headend.errors import HeadendError
from edge_agent.trust.envelope import ENVELOPE_BYTES_MAX


class CannotBeRead(HeadendError):
    """It is no file that anybody has handed over."""


def read_envelope(path: Path, option: str) -> bytes:
    """What an order or a trust document travels in; ``option`` is where it was named."""
    try:
        return read_handed(path, ENVELOPE_BYTES_MAX)
    except CannotBeRead as error:
        raise CannotBeRead(f"{option} {error}") from error


def read_handed(path: Path, bytes_max: int) -> bytes:
    """What is in it. Whoever has laid a link himself may; what it leads to is a file as well."""
    if any(unicodedata.category(char) in NOT_A_CHARACTER for char in str(path)):
        raise CannotBeRead(
            f"{str(path)!a}: tên tệp có ký tự điều khiển: ai đặt tên đó? Đừng dùng / control characters in its "
            "name: who gave it? Do not use it"
        )
    try:
        with plain_file.begin(path.resolve()) as file:
            content = file.read(bytes_max + 1)
    except OSError as error:
        raise CannotBeRead(f"{path}: không đọc được / cannot be read ({error.strerror})") from error
    if len(content) > bytes_max:
        raise CannotBeRead(f"{path}: quá lớn / is too large: at most {bytes_max} bytes")
    return content
