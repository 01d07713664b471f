"""What a clause is: one thing that docs/protocol.md asks of a station, and how the kit tries it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from edge_agent.headend.conform.bench import Bench
from edge_agent.headend.conform.verdicts import Failed, Mark, NotTried, Passed, Verdict

Trial: TypeAlias = "Callable[[Bench], Verdict]"


@dataclass(frozen=True, slots=True)
class Clause:
    """``section`` is that of docs/protocol.md, ``vi`` the clause's line in the table, ``says`` the rule itself,
    ``how`` what the kit does to see it."""

    number: str
    section: str
    vi: str
    says: str
    how: str
    trial: Trial

    @property
    def group(self) -> str:
        """``JOB`` of ``JOB-3``."""
        return self.number.partition("-")[0]


@dataclass(frozen=True, slots=True)
class Result:
    """A clause and its verdict."""

    clause: Clause
    verdict: Verdict

    @property
    def mark(self) -> Mark:
        match self.verdict:
            case Passed():
                return Mark.PASSED
            case Failed():
                return Mark.FAILED
            case NotTried():
                return Mark.NOT_TRIED


def never(number: str, section: str, vi: str, says: str, why: str) -> Clause:
    """A clause of the protocol that nobody can see from the broker; in the table so that it is not forgotten."""
    return Clause(number, section, vi, says, f"not tried: {why}", lambda _bench: NotTried(why))
