"""``report``: the playback log as a table or as JSON."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_agent.headend.cli.options import CannotDo, Tasks, add_json, add_task, add_zone, day
from edge_agent.headend.report import Wanted, as_json, as_table, collect


def add(tasks: Tasks) -> None:
    """Add the command."""
    words = "báo cáo nhật ký phát sóng / what was played, planned and actually"
    more = "Kỳ báo cáo của Hà Nội / Hanoi's reporting year: --from 2025-12-15 --to 2026-12-14"
    parser = add_task(tasks, "report", _report, words, more)
    parser.add_argument("--records", type=Path, required=True, help="nơi `watch` lưu nhật ký / where records are")
    parser.add_argument("--from", dest="first", type=day, help="từ ngày / first day, 2026-10-01")
    parser.add_argument("--to", dest="last", type=day, help="đến hết ngày / last day, 2026-10-31")
    parser.add_argument("--station", default="", help="chỉ một trạm / one station only")
    add_zone(parser)
    add_json(parser)


def _report(args: argparse.Namespace) -> int:
    if args.first is not None and args.last is not None and args.first > args.last:
        # Else it is a report, and says that nothing was played.
        raise CannotDo(
            f"--from {args.first}, --to {args.last}: ngày đầu sau ngày cuối / the first day is after the last"
        )
    reported = collect(args.records, Wanted(args.timezone, args.first, args.last, args.station))
    print(as_json(reported) if args.json else as_table(reported, args.timezone), end="")
    return 0
