"""What every rule of reading has: a match, where it stands, and what stands before it. Pure.

A rule answers the words, a ``Puzzle`` where it knows the piece and cannot say it, or None where another rule may.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.spoken.unread import Puzzle

BEFORE_CHARS_MAX = 80
# Far enough for "gọi ngay số điện thoại đường dây nóng của phường: "; it bounds the work at each piece.
LAST_WORD = re.compile(r"([^\W\d_]+)[^\w.!?:;]*$")
NEXT_WORD = re.compile(r"[^\w.!?:;]*([^\W\d_]+)")
DASH = r"\s?[-–—]\s?"
END = r"(?![^\W_])(?![.,:/–-]\d)"
"""No letter or digit goes on behind, nor a number that belongs to it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A match at its place in the text."""

    found: re.Match[str]

    def __getitem__(self, group: int) -> str | None:
        text: str | None = self.found[group]
        return text

    @property
    def token(self) -> str:
        return self.found[0]

    @property
    def before(self) -> str:
        """What stands before it, as far as rules look; a line may have been broken anywhere."""
        start = self.found.start()
        return self.found.string[max(start - BEFORE_CHARS_MAX, 0) : start]

    @property
    def after(self) -> str:
        """What follows, as far as rules look."""
        end = self.found.end()
        return self.found.string[end : end + BEFORE_CHARS_MAX]

    @property
    def opens_line(self) -> bool:
        """Whether nothing stands before it on its line."""
        return not self.before.rpartition("\n")[2].strip()

    @property
    def next_word(self) -> str:
        """The word that follows in the same sentence and line; "" if none does."""
        found = NEXT_WORD.match(self.after.partition("\n")[0])
        return found[1] if found else ""

    @property
    def last_word(self) -> str:
        """The word before it in the same sentence and line; "" if there is none."""
        found = LAST_WORD.search(self.before.rpartition("\n")[2])
        return found[1] if found else ""

    def follows(self, context: re.Pattern[str]) -> bool:
        """Whether it stands behind such words; ``context`` ends with ``$``."""
        return context.search(self.before) is not None


Said = str | Puzzle | None
Say = Callable[[Piece], Said]


@dataclass(frozen=True, slots=True)
class Rule:
    """Where ``pattern`` matches, ``say`` is asked."""

    pattern: re.Pattern[str]
    say: Say


def behind(words: str) -> re.Pattern[str]:
    """The context of standing right behind one of these words (alternatives), capitals or not."""
    return re.compile(rf"(?<![^\W_])(?:{words})\s*$", re.IGNORECASE)
