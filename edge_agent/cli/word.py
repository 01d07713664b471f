"""Print the centre's last signed word for this station's log, for whoever must prove that a server's file was cut.

It is the acknowledgement as it came: ``edge-agent-headend verify-log`` takes it beside the server's own files.
"""

from __future__ import annotations

import re
import sys

from edge_agent.cli import paths
from edge_agent.config import Config
from edge_agent.console.words import printable
from edge_agent.journal.port import JournalError
from edge_agent.journal.reading import read_journal

EXIT_NO_WORD = 1
ENVELOPE = re.compile(rb"[\t\n\r -~]+")
# What its JSON is made of. The journal is a file of the service's, and root's terminal obeys what else may stand there.


def run(config: Config) -> int:
    """The envelope on standard output; whatever is to be said about it goes to people."""
    try:
        contents = read_journal(paths.journal(config))
    except (OSError, JournalError) as error:
        remedy = "chạy bằng sudo? rồi: edge-agent doctor / use sudo? then: edge-agent doctor"
        told = f"không đọc được nhật ký / cannot read the journal: {error} → {remedy}"
        print(printable(told), file=sys.stderr)  # SQLite quotes what it finds there
        return EXIT_NO_WORD
    if not contents.word:
        print("máy chủ chưa xác nhận bản ghi nào / the server has acknowledged nothing yet", file=sys.stderr)
        return EXIT_NO_WORD
    if not ENVELOPE.fullmatch(contents.word):
        print("lời xác nhận trong nhật ký bị hỏng / what the journal keeps of it is damaged", file=sys.stderr)
        return EXIT_NO_WORD
    print(contents.word.decode())
    told = printable(f"{contents.epoch} {contents.acked_seq}/{contents.last_seq}")
    print(f"máy chủ đã ký xác nhận nhật ký / the server has signed for the log: {told}", file=sys.stderr)
    return 0
