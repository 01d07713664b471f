"""Read what a command wants done. Who may command it is decided in ``limits``.

Every action that holds for a while says for how long: a station that nobody reaches any more comes back by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from edge_agent.core.job import PlayNow
from edge_agent.core.order import (
    Action,
    AllStop,
    Amplify,
    Ask,
    Cancel,
    Choose,
    Lock,
    NextItem,
    Pause,
    Rank,
    Restart,
    Resume,
    SelfTest,
    SetVolume,
    Stop,
)
from edge_agent.core.site import VOLUME_MAX
from edge_agent.core.units import SECOND_MS, JobId
from edge_agent.trust.fields import NAME, Fields
from edge_agent.trust.timetable import read_day, read_instant, read_when

PAUSE_S_MAX = 3_600  # an hour later it is another programme
AMPLIFIER_S_MAX = 600  # long enough to measure a line by hand; a horn must not hum through the night
ALL_STOP_S_MAX = 900  # 15 minutes (requirement B16): one signature must not silence a ward for longer
LOCK_S_MAX = 14_400  # 4 hours on a ladder (requirement S7)
RANK_MAX = 64  # more than wait for one zone on the fullest day


class What(StrEnum):
    """The actions, by the word that a role's ``commands`` and the field ``do.what`` have for them."""

    CANCEL = "cancel"
    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"
    NEXT_ITEM = "next_item"
    VOLUME = "volume"
    AMPLIFIER = "amplifier"
    RESTART = "restart"
    SELF_TEST = "self_test"
    ALL_STOP = "all_stop"
    LOCK = "lock"
    RANK = "rank"
    CHOOSE = "choose"
    ASK = "ask"


def read_action(fields: Fields) -> Action:
    """The field ``do``, or ``WireError``."""
    return _READ[fields.choice("what", What)](fields)


def what_of(action: Action) -> What:
    """The word for an action."""
    return _WORD[type(action)]


def _seconds(fields: Fields, most: int) -> int:
    return fields.integer("for_s", 1, most) * SECOND_MS


def _read_rank(fields: Fields) -> Rank:
    return Rank(tuple(JobId(name) for name in fields.texts("job_ids", NAME, 1, RANK_MAX)))


def _read_choose(fields: Fields) -> Choose:
    when = fields.record("when")
    chosen = Choose(JobId(fields.text("target", NAME)), read_when(when))
    if isinstance(chosen.when, PlayNow) and chosen.when.every_ms:
        raise when.wrong("every_s", "nothing: only an emergency is repeated")
    return chosen


_READ: Mapping[What, Callable[[Fields], Action]] = {
    What.CANCEL: lambda fields: Cancel(JobId(fields.text("target", NAME)), read_instant(fields, "until")),
    What.STOP: lambda _: Stop(),
    What.PAUSE: lambda fields: Pause(_seconds(fields, PAUSE_S_MAX)),
    What.RESUME: lambda _: Resume(),
    What.NEXT_ITEM: lambda _: NextItem(),
    What.VOLUME: lambda fields: SetVolume(fields.integer("volume", 0, VOLUME_MAX)),
    What.AMPLIFIER: lambda fields: Amplify(fields.boolean("on"), _seconds(fields, AMPLIFIER_S_MAX)),
    What.RESTART: lambda _: Restart(),
    What.SELF_TEST: lambda _: SelfTest(),
    What.ALL_STOP: lambda fields: AllStop(_seconds(fields, ALL_STOP_S_MAX)),
    What.LOCK: lambda fields: Lock(_seconds(fields, LOCK_S_MAX)),
    What.RANK: _read_rank,
    What.CHOOSE: _read_choose,
    What.ASK: lambda fields: Ask(read_day(fields, "day")),
}
_WORD: Mapping[type, What] = {
    Cancel: What.CANCEL,
    Stop: What.STOP,
    Pause: What.PAUSE,
    Resume: What.RESUME,
    NextItem: What.NEXT_ITEM,
    SetVolume: What.VOLUME,
    Amplify: What.AMPLIFIER,
    Restart: What.RESTART,
    SelfTest: What.SELF_TEST,
    AllStop: What.ALL_STOP,
    Lock: What.LOCK,
    Rank: What.RANK,
    Choose: What.CHOOSE,
    Ask: What.ASK,
}
