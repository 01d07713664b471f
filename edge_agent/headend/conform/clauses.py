"""The numbered clauses, in the order in which a run tries them. Numbers are never given out twice."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.headend.conform import (
    trials_audio,
    trials_envelope,
    trials_hello,
    trials_job,
    trials_log,
    trials_repeat,
    trials_rules,
    trials_session,
    trials_sound,
    trials_state,
)
from edge_agent.headend.conform.clause import Clause
from edge_agent.headend.errors import HeadendError

GROUPS = {
    "SES": "Phiên kết nối / session",
    "HEL": "Chào và trả lời / hello and welcome",
    "CLK": "Đồng hồ / clock",
    "STA": "Trạng thái / state",
    "ENV": "Phong bì và chữ ký số / envelope and signatures",
    "JOB": "Lệnh phát / orders",
    "CMD": "Lệnh điều khiển / commands",
    "RUL": "Quy chế và trường hợp đặc biệt / regulations and windows",
    "TIM": "Lịch phát trọn gói / whole timetables",
    "TRU": "Văn bản ủy quyền / trust documents",
    "REP": "Gửi lại / redelivery",
    "AUD": "Âm thanh / audio",
    "SND": "Phát ra loa / sound",
    "LOG": "Nhật ký phát / as-run log",
    "ANS": "Trả lời lệnh / answers",
    "UP": "Mọi tin gửi lên / everything said",
}

ALL: tuple[Clause, ...] = (
    *trials_session.CLAUSES,
    *trials_hello.CLAUSES,
    *trials_state.CLAUSES,
    *trials_envelope.CLAUSES,
    *trials_job.CLAUSES,
    *trials_rules.CLAUSES,
    *trials_repeat.CLAUSES,
    *trials_sound.CLAUSES,
    *trials_audio.CLAUSES,
    *trials_log.CLAUSES,
    *trials_log.LAST,
    *trials_session.LAST,
    *trials_repeat.LAST,
    *trials_state.LAST,
)


class UnknownClause(HeadendError):
    """``--only`` names what is not in the table."""


def chosen(only: Sequence[str] = ()) -> tuple[Clause, ...]:
    """The clauses of these numbers or groups (``JOB-3``, ``ENV``), in the table's order; all of them without any."""
    known = {clause.number for clause in ALL} | set(GROUPS)
    unknown = sorted(set(only) - known)
    if unknown:
        raise UnknownClause(
            f"--only {','.join(unknown)}: viết như / write numbers as JOB-3, hoặc nhóm / or groups: {', '.join(GROUPS)}"
        )
    return tuple(clause for clause in ALL if not only or clause.number in only or clause.group in only)
