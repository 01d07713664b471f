"""The planted faults: what a hurried hand might write, as a change of one place in the product.

``test_plant.py`` holds each to the product as it is today, so that none rots into a change that changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Plant:
    """In ``file``, ``good`` becomes ``bad``. ``name`` is what is wrong then."""

    name: str
    file: str
    good: str
    bad: str

    def applies(self, root: Path) -> bool:
        """Whether there is exactly one place for it."""
        return (root / self.file).read_text("utf-8").count(self.good) == 1

    def put_into(self, root: Path) -> None:
        """Change the copy under ``root``."""
        path = root / self.file
        path.write_text(path.read_text("utf-8").replace(self.good, self.bad), "utf-8")


CORE = "edge_agent/core"
PLANTS = (
    Plant(
        "an order is acknowledged before it is saved",
        f"{CORE}/intake.py",
        "    turn.emit(SaveJob(saved, event.payload, event.topic, entries))\n",
        "    turn.emit(Ack(event.token), SaveJob(saved, event.payload, event.topic, entries))\n",
    ),
    Plant(
        "a job is called saved although the disk refused it",
        "edge_agent/journal_worker.py",
        'self._post(JournalFailed("save job", order.saved.accepted.order_id, error))',
        "self._post(JobSaved(order.saved.accepted.order_id))",
    ),
    Plant(
        "a record that the disk refused is dropped",
        "edge_agent/journal_worker.py",
        "ReleaseJob():\n                    self._owed.append(order)",
        "ReleaseJob():\n                    pass",
    ),
    Plant(
        "the quiet hours are asked for but not obeyed",
        f"{CORE}/policy.py",
        "    (_in_quiet_hours, Reason.QUIET_HOURS),\n",
        "",
    ),
    Plant(
        "the quiet hours are those of Greenwich",
        f"{CORE}/policy.py",
        "return in_hours(hours, rules.site.timezone, wish.start, wish.lasts_ms)",
        'return in_hours(hours, "Etc/UTC", wish.start, wish.lasts_ms)',
    ),
    Plant(
        "a timetable plays by a clock that nobody trusts",
        f"{CORE}/beginning.py",
        "return job.plays_as is not JobClass.EMERGENCY and not turn.now.trusted",
        "return False",
    ),
    Plant(
        "relays stay closed when nothing claims them",
        f"{CORE}/switching.py",
        "        if relay.ordered_on and zone not in kept_closed and not is_claimed(turn.state, zone):\n",
        "        if relay.ordered_on and not turn.state.plays:\n",
    ),
    Plant(
        "the lease never runs out",
        "edge_agent/relay/interlock.py",
        "    if lapsed(lock, now):\n        return open_all(lock, Cause.LEASE)\n",
        "",
    ),
    Plant(
        "relays stay closed when the agent is gone",
        "edge_agent/device/loop.py",
        "        self._server.drop()\n"
        "        self._open(*interlock.open_all(self._lock, Cause.LINK_LOST), self._clock())\n",
        "        self._server.drop()\n",
    ),
    Plant(
        "the amplifier gets no time to warm up",
        f"{CORE}/switching.py",
        "    return warm_up_ms if since is None else max(0, since + warm_up_ms - turn.now.mono)",
        "    return 0",
    ),
    Plant(
        "an emergency leaves in its zone what sounds there",
        f"{CORE}/zones.py",
        "        if other.phase is Phase.PLAYING:\n            reroute(turn, other, Cause.CUT_OFF, Reason.PREEMPTED)\n",
        "",
    ),
    Plant(
        "that something sounds is not kept",
        f"{CORE}/programme_reports.py",
        "\n    keep_mark(turn, play, Mark.FIRST_SAMPLE)\n",
        "\n",
    ),
    Plant(
        "a boot forgets what had begun",
        "edge_agent/restoring.py",
        "        marks=contents.marks,\n",
        "        marks=(),\n",
    ),
    Plant(
        "a replay is an order",
        f"{CORE}/intake.py",
        "    turn.state = replace(turn.state, seen={**turn.state.seen, order_id: remembered})\n",
        "",
    ),
    Plant(
        "whoever signs, signs well",
        "edge_agent/trust/roles.py",
        "    return len(role.keys & signers) >= role.threshold",
        "    return True",
    ),
    Plant(
        "any signature is as good as the officer's",
        "edge_agent/trust/judge.py",
        "    if not signers:\n"
        '        return Rejected(Reason.SIGNATURE_INVALID, "no signature of a key that may sign this")\n',
        "    signers = signers or frozenset(key for role in trust.roles for key in role.keys)\n",
    ),
    Plant(
        "the ward next door may order here",
        "edge_agent/trust/limits.py",
        '        return "audience: neither this station nor its area"\n',
        "        return None\n",
    ),
    Plant(
        "what was not heard is recorded as played",
        f"{CORE}/programme_reports.py",
        "replace(run, played_ms=report.zone_ms.get(zone, run.played_ms))",
        "replace(run, played_ms=length_ms(play.parts))",
    ),
    Plant(
        "a failure is recorded without its reason",
        f"{CORE}/records.py",
        "        reason=reason,\n        detail=_besides(",
        "        reason=None if reason is Reason.DEVICE_FAILED else reason,\n        detail=_besides(",
    ),
    Plant(
        "an emergency is tried again for ever",
        f"{CORE}/sounding.py",
        "    return attempt < ATTEMPTS_MAX[job.plays_as] and (not sounded or job.plays_as is JobClass.EMERGENCY)",
        "    return (attempt < ATTEMPTS_MAX[job.plays_as] and not sounded) or job.plays_as is JobClass.EMERGENCY",
    ),
    Plant(
        "a routine job that was cut off by a crash begins again",
        f"{CORE}/sounding.py",
        "    return attempt < ATTEMPTS_MAX[job.plays_as] and (not sounded or job.plays_as is JobClass.EMERGENCY)",
        "    return attempt < ATTEMPTS_MAX[job.plays_as]",
    ),
    Plant(
        "the log is sent once and taken for delivered",
        f"{CORE}/talk.py",
        "    if link.log_sent_at is not None and turn.now.mono < _log_again_at(link, link.log_sent_at):",
        "    if link.log_sent_at is not None:",
    ),
    Plant(
        "a server that came back from a backup is not listened to",
        f"{CORE}/talk.py",
        "        turn.put_link(acked_seq=held, log_sent_at=None)\n",
        "",
    ),
    Plant(
        "two records share a place in the log",
        "edge_agent/journal/record.py",
        "    return StoredRecord(epoch, before.seq + 1, before.hash, hash_of(before.hash, body), body)",
        "    return StoredRecord(epoch, max(before.seq + 1, 2), before.hash, hash_of(before.hash, body), body)",
    ),
    Plant(
        "audio that failed is never asked for again",
        f"{CORE}/clips.py",
        "wakes += [clip.retry_at for clip in clips if clip.retry_at is not None]",
        "wakes += [clip.retry_at for clip in () if clip.retry_at is not None]",
    ),
    Plant(
        "an answer to an earlier hello tells the time",
        f"{CORE}/talk.py",
        '    return link.nonce != "" and nonce == link.nonce',
        '    return nonce != ""',
    ),
    Plant(
        "a play whose end never comes is waited for",
        f"{CORE}/sounding.py",
        "            conclude(turn, play, play.ending)\n    elif",
        "            pass\n    elif",
    ),
)
RELAYED = (
    Plant(
        "the source of a relay that is over stays open",
        f"{CORE}/live.py",
        "    for key in turn.state.live - wanted:\n",
        "    for key in turn.state.live - wanted - turn.state.live:\n",
    ),
    Plant(
        "a relay lasts as long as was ordered, however late it begins",
        f"{CORE}/programme.py",
        "    over_ms = begins + length_ms(without_closing(parts)) - until\n",
        "    over_ms = 0\n",
    ),
)
