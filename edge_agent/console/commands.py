"""Understand a typed line and answer it. Pure: the picture of the station is looked up by the caller's ``look``.

Reading is free, so nobody is asked who they are. Nothing here changes the station or makes it sound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto

from edge_agent.console.screen import View, absent, coming_lines, silence_lines, status_lines
from edge_agent.console.status import Absence
from edge_agent.console.words import HANG, Language, Text, plain, screenful
from edge_agent.core.site import Site

UNKNOWN_MAX = 5
# So many lines in a row that are no command: it is not a person, but noise or an echo of our own answers.
SHOWN_CHARS_MAX = 20
SET_IN = " " * HANG
REPLACEMENT = "\ufffd"


class Command(Enum):
    """What may be asked for."""

    NONE = auto()  # an empty line
    HELP = auto()
    STATUS = auto()
    NEXT = auto()
    WHY = auto()
    VI = auto()
    VI_ASCII = auto()
    EN = auto()
    QUIT = auto()
    UNKNOWN = auto()


NAMES = {
    "": Command.NONE,
    "?": Command.HELP,
    "h": Command.HELP,
    "help": Command.HELP,
    "tro giup": Command.HELP,
    "tt": Command.STATUS,
    "status": Command.STATUS,
    "tinh trang": Command.STATUS,
    "trang thai": Command.STATUS,
    "kt": Command.NEXT,
    "next": Command.NEXT,
    "lich": Command.NEXT,
    "lich phat": Command.NEXT,
    "ke tiep": Command.NEXT,
    "vs": Command.WHY,
    "sao": Command.WHY,
    "vi sao": Command.WHY,
    "vi sao im lang": Command.WHY,
    "vi sao im lang?": Command.WHY,
    "vi sao im lang ?": Command.WHY,
    "why": Command.WHY,
    "vi": Command.VI,
    "ascii": Command.VI_ASCII,
    "vi-ascii": Command.VI_ASCII,
    "en": Command.EN,
    "q": Command.QUIT,
    "quit": Command.QUIT,
    "exit": Command.QUIT,
    "thoat": Command.QUIT,
}
"""What people type, as ``words.plain`` leaves it: with or without diacritics. Two letters and Enter are three keys."""

LANGUAGES = {Command.VI: Language.VI, Command.VI_ASCII: Language.VI_ASCII, Command.EN: Language.EN}

HELP = Text(
    """Lệnh (gõ có dấu hay không dấu đều được, rồi Enter):
  tt    tình trạng trạm loa                     (status)
  kt    lịch sắp phát: gì, khi nào, ở đâu       (next)
  vs    vì sao im lặng?                         (why, sao)
  vi    tiếng Việt     ascii  không dấu     en  English
  ?     trợ giúp       q      thoát
Bảng lệnh này chỉ để xem: không phát và không đổi gì.
Lệnh của máy (sudo, systemctl, journalctl) không gõ ở đây: đăng nhập vào trạm
(SSH) rồi gõ, ví dụ để kiểm tra kỹ hơn:
  sudo edge-agent doctor""",
    """Commands, each followed by Enter:
  status  (tt)   how the station is
  next    (kt)   what plays next, when and where
  why     (vs)   why is it silent?
  vi  tiếng Việt     ascii  Vietnamese without diacritics     en  English
  help    (?)    this help            quit  (q)
This console only shows: it neither plays nor changes anything.
Commands of the machine (sudo, systemctl, journalctl) are not typed here: log in
to the station (SSH) and type them there, such as for a closer check:
  sudo edge-agent doctor""",
)
GOODBYE = Text("Đã thoát. Nhấn Enter để vào lại.", "Goodbye. Press Enter to come back.")
SWITCHED = {
    Language.VI: "Tiếng Việt.",
    Language.VI_ASCII: "Tiếng Việt không dấu.",
    Language.EN: "English.",
}
NOISE = Text(
    "Nhận được ký tự lạ → đặt tốc độ đường truyền cho đúng (thường là 115200, 8N1) và bảng mã UTF-8.",
    "Strange characters arrive → set the right line speed (usually 115200, 8N1) and UTF-8.",
)
ELSEWHERE = Text(
    "Lệnh này không gõ ở đây: đăng nhập vào trạm (SSH) rồi gõ. Ở đây: ?",
    "That is not typed here: log in to the station (SSH), and type it there. Here: ?",
)
SHELLS = ("sudo ", "edge-agent ", "systemctl ", "journalctl ", "gpioinfo")
# What remedies name, and only a shell of the station knows.
MUTED = Text(
    "Quá nhiều dòng lạ: im lặng cho tới khi có một lệnh đúng, ví dụ: ?",
    "Too many lines that are no command: silent until one comes, such as: ?",
)


@dataclass(frozen=True, slots=True)
class Session:
    """One person at the console. ``home`` is the language it begins with; ``unknown`` counts lines that meant nothing.

    ``away`` after a goodbye: the next line only brings the banner back.
    """

    site: Site
    name: str
    home: Language
    language: Language
    unknown: int = 0
    away: bool = False

    @property
    def muted(self) -> bool:
        """Whether neither echo nor answers are worth sending."""
        return self.unknown >= UNKNOWN_MAX


def new_session(site: Site, name: str, language: Language) -> Session:
    """A console nobody has typed at yet."""
    return Session(site, name, language, language)


def banner(session: Session) -> tuple[str, ...]:
    """Who is speaking here, and the way to the help."""
    lines = (
        f"=== {session.name} ({session.site.station}) ===",
        Text("Gõ ? để xem trợ giúp / type en for English", "Type ? for help").say(session.language),
    )
    return screenful(lines, session.language)


def understand(line: str) -> Command:
    """The command in a typed line. What is set in like the second line of an answer is one that came back to us."""
    if line.startswith(SET_IN) and line.strip():
        return Command.UNKNOWN
    return NAMES.get(plain(line), Command.UNKNOWN)


def respond(session: Session, line: str, look: Callable[[], View]) -> tuple[Session, tuple[str, ...]]:
    """The session after a typed line, and the lines of the answer, none wider than 80 columns."""
    if session.away:
        back = new_session(session.site, session.name, session.home)
        return back, banner(back)
    command = understand(line)
    if command is Command.UNKNOWN:
        return _not_understood(session, line)
    if command is not Command.NONE:
        session = replace(session, unknown=0, language=LANGUAGES.get(command, session.language))
    if command is Command.QUIT:
        return replace(session, away=True), screenful([GOODBYE.say(session.language)], session.language)
    return session, screenful(_answer(command, session, look), session.language)


def answer(command: Command, view: View, site: Site, language: Language) -> tuple[str, ...]:
    """The answer to one of STATUS, NEXT and WHY, none of its lines wider than 80 columns."""
    return screenful(_picture(command, view, site, language), language)


def _answer(command: Command, session: Session, look: Callable[[], View]) -> Iterator[str]:
    if command is Command.HELP:
        yield from HELP.say(session.language).splitlines()
    elif command in LANGUAGES:
        yield SWITCHED[session.language]
    elif command is not Command.NONE:
        yield from _picture(command, look(), session.site, session.language)


def _picture(command: Command, view: View, site: Site, language: Language) -> Iterator[str]:
    status = view.status
    if isinstance(status, Absence):
        yield from absent(status, language)
    elif command is Command.STATUS:
        yield from status_lines(status, view, site, language)
    elif command is Command.NEXT:
        yield from coming_lines(status, view, site, language)
    else:
        yield from silence_lines(status, view, site, language)


def _not_understood(session: Session, line: str) -> tuple[Session, tuple[str, ...]]:
    after = replace(session, unknown=min(session.unknown + 1, UNKNOWN_MAX))
    if session.muted:
        return after, ()
    shown = line.strip()[:SHOWN_CHARS_MAX]
    words = Text(f"Không có lệnh “{shown}” → gõ ?", f'No command "{shown}" → type ?')
    if REPLACEMENT in line:
        words = NOISE
    elif plain(line).startswith(SHELLS):
        words = ELSEWHERE
    lines = [words.say(session.language), *([MUTED.say(session.language)] if after.muted else [])]
    return after, screenful(lines, session.language)
