"""Run the conformance kit and show what it finds. What is tried, ``conform`` knows."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from edge_agent.core.site import IntoQuiet
from edge_agent.headend.cli.options import write_file
from edge_agent.headend.conform import report
from edge_agent.headend.conform.clause import Result
from edge_agent.headend.conform.clauses import chosen
from edge_agent.headend.conform.kit import Wanted, run
from edge_agent.headend.conform.orders import Rules
from edge_agent.headend.conform.verdicts import Mark
from edge_agent.headend.keyring import Keyring

EXIT_UNFINISHED = 1
WAITS = (
    "Trạm chưa kết nối thì chờ tối đa {minutes} phút. / A station that is not connected is waited for, {minutes} "
    "minutes at most."
)


def run_kit(args: argparse.Namespace) -> int:
    """Run what was asked for, and tell it; returns the exit status."""
    keyring, clauses = Keyring(args.dir), chosen(args.only)
    wanted = Wanted(
        station=args.station,
        broker=args.broker,
        records=args.records or args.dir / "records",
        rules=Rules(args.timezone, args.quiet, args.into_quiet == IntoQuiet.CUT),
        content=args.content,
        relay=args.relay,
        audible=args.audible,
    )
    _write(args, ())  # now, and not after four minutes: a place that takes nothing would take the results away
    print(WAITS.format(minutes=round(wanted.pace.back_s_max / 60)))
    print(report.heading(args.station, keyring.realm), flush=True)
    teller = _Teller()
    try:
        run(keyring, wanted, clauses, teller)
    except KeyboardInterrupt:
        print(f"dừng giữa chừng / stopped before the end, {len(clauses)} điều / clauses were wanted")
        return EXIT_UNFINISHED
    finally:
        print(report.closing(teller.results))
        _write(args, teller.results)
    return exit_status(teller.results)


def _write(args: argparse.Namespace, results: Sequence[Result]) -> None:
    """Also of a run that was broken off: what was decided stays decided."""
    if args.json is not None:
        write_file(args.json, report.as_json(args.station, results).encode(), "--json")


def exit_status(results: Sequence[Result]) -> int:
    """0 only if no clause failed."""
    return int(any(result.mark is Mark.FAILED for result in results))


class _Teller:
    """Keeps each result and prints it when it is decided, with a line above each group."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self._group = ""

    def __call__(self, result: Result) -> None:
        self.results.append(result)
        if result.clause.group != self._group:
            self._group = result.clause.group
            print(report.group_line(result.clause))
        print(report.line(result), flush=True)
