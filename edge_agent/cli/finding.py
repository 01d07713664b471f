"""What a check of ``edge-agent doctor`` found, and how it is written: one line, Vietnamese first. Decides no more."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.console.words import Text
from edge_agent.sync.tls_trouble import WORDS, TlsTrouble


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. ``seen`` is what was found: technical, English; our own words on a fault in Vietnamese first.

    A fault has a remedy, what is well has none.
    """

    what: Text
    seen: str
    remedy: Text | None = None

    @property
    def fault(self) -> bool:
        """Whether something has to be done."""
        return self.remedy is not None

    def line(self) -> str:
        """``LỖI/FAULT bo âm thanh / sound card: … → … / …``."""
        mark = "LỖI/FAULT" if self.remedy else "tốt/ok   "
        line = f"{mark} {self.what.vi} / {self.what.en}: {self.seen}"
        return f"{line} → {self.remedy.vi} / {self.remedy.en}" if self.remedy else line


def troubled(what: Text, where: str, trouble: TlsTrouble) -> Finding:
    """A certificate, or a clock, that is not as it should be."""
    told = WORDS[trouble.kind]
    return Finding(what, f"{where}: {trouble.vi} / {trouble.en}", Text(told.remedy_vi, told.remedy_en))


def words(exc: Exception) -> str:
    """An exception's own words; of a system call's failure only what the system says, without numbers and names."""
    return (exc.strerror if isinstance(exc, OSError) else None) or str(exc) or type(exc).__name__
