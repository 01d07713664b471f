"""The documents say what the code says, where both can be compared."""

from __future__ import annotations

import base64
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from datetime import date
from enum import StrEnum
from pathlib import Path

import pytest

from edge_agent.cli import _parser as agent_parser
from edge_agent.core import policy
from edge_agent.core.as_run import AsRun, ItemAsRun, RecordKind, ZoneAsRun
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.effects import Verdict
from edge_agent.core.events import Rejected
from edge_agent.core.heads import Head
from edge_agent.core.job import Accepted, Audience, JobClass, LogAck, Preemption, Welcome
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import (
    AcceptedRule,
    Action,
    AllStop,
    Ask,
    Command,
    Heading,
    NextItem,
    Rank,
    SetVolume,
    Stop,
)
from edge_agent.core.reasons import WORDS_EN, WORDS_VI, Reason
from edge_agent.core.records import told
from edge_agent.core.site import IntoQuiet, LocalPolicy, Site, ZoneSite
from edge_agent.core.units import MINUTE_MS, JobId, UtcMs
from edge_agent.headend.cli import build_parser as headend_parser
from edge_agent.headend.enrolment import Enrolled
from edge_agent.headend.listening import Heard, hear
from edge_agent.headend.schemas import KINDS
from edge_agent.journal.record import Origin
from edge_agent.sync.reports import Why
from edge_agent.sync.topics import Up, up_topic
from edge_agent.trust.bundle import believe
from edge_agent.trust.chain import Chain, begin, offer
from edge_agent.trust.commands import What
from edge_agent.trust.keeper import Keeper, believing
from edge_agent.trust.keys import Scheme
from edge_agent.trust.orders import KNOWN_FIELDS
from tools import example_identity, example_traffic, example_ward, protocol_tables, reasons_table, wire_examples
from tools.phases import DOCUMENT, with_diagram

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "docs" / "examples"
OPERATIONS = ROOT / "docs" / "operations.md"
PROTOCOL = ROOT / "docs" / "protocol.md"
COMMAND_S_MAX = 60


def test_the_table_of_outcomes_has_the_reasons_that_stations_record() -> None:
    """A server that counts by this table must not meet a reason that stands nowhere in it."""
    text = PROTOCOL.read_text("utf-8")
    section = text.partition("| `outcome` | when | reasons |")[2].partition("**8.2 ")[0]
    rows = re.findall(r"^\| `([a-z]+)` \|[^|]*\|([^|]*)\|", section, re.MULTILINE)
    told: dict[str, list[str]] = {outcome: [] for outcome, _ in rows}
    for outcome, reasons in rows:
        told[outcome] += re.findall("`([a-z_]+)`", reasons)
    rules = section.partition("**The ward's rules**")[2].partition("**What held it back**")[0]
    assert {reason.value for _, reason in policy._CHECKS} <= {*re.findall("`([a-z_]+)`", rules)}
    assert Reason.LIVE_UNREACHABLE in told["failed"], "10.9"
    assert Reason.WITHDRAWN in told["interrupted"], "17.6"
    assert Reason.TOO_MUCH_SOUND in told["interrupted"], "a repetition that its role has no more sound for"


def test_the_diagram_of_an_occurrence_is_the_transition_table() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert text == with_diagram(text), "run python -m tools.phases"


def test_every_reason_stands_in_the_protocol_with_its_words() -> None:
    text = PROTOCOL.read_text("utf-8")
    for reason in Reason:
        row = f"| `{reason.value}` | {WORDS_VI[reason]} | {WORDS_EN[reason]} |"
        assert row in text, f"missing or different: {row}"


def test_the_table_of_reasons_is_the_catalogue() -> None:
    text = PROTOCOL.read_text("utf-8")
    assert text == reasons_table.with_table(text), "run python -m tools.reasons_table"


def test_the_examples_are_what_the_code_writes() -> None:
    files = [path for path in EXAMPLES.rglob("*") if path.is_file()]
    written = {path.relative_to(EXAMPLES).as_posix(): path.read_bytes() for path in files}
    assert written == wire_examples.files(), "run python -m tools.wire_examples"


def test_the_protocol_shows_the_payloads_that_the_examples_carry() -> None:
    text = PROTOCOL.read_text("utf-8")
    assert text == wire_examples.with_examples(text), "run python -m tools.wire_examples"


def _station() -> Site:
    zones = {zone: ZoneSite(zone, zone, 800) for zone in (example_ward.C1, example_ward.C2)}
    ward = example_ward
    return Site(ward.STATION, ward.REALM, ward.AREA, "Asia/Ho_Chi_Minh", zones)


def _keeper() -> Keeper:
    return believing((EXAMPLES / "trust.json").read_bytes(), (), _station())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("job", Accepted),
        ("emergency", Accepted),
        ("regulation", AcceptedRule),
        ("window", AcceptedRule),
        ("command", AcceptedRule),
        ("timetable", AcceptedRule),
        ("welcome", Welcome),
        ("ack", LogAck),
        ("head", Head),
    ],
)
def test_a_station_obeys_each_example_that_comes_down(name: str, kind: type) -> None:
    last = name if name in ("welcome", "ack", "head") else "job"
    judgement = _keeper().judge(f"loa/1/d/{example_ward.STATION}/{last}", (EXAMPLES / f"{name}.json").read_bytes())
    assert isinstance(judgement, kind), judgement


def test_a_station_believes_each_trust_document_of_the_examples_and_they_are_its_trust_file() -> None:
    root, *others = [(EXAMPLES / f"{name}.json").read_bytes() for name in example_ward.DOCUMENTS]
    chain = begin(root)
    for envelope in others:
        after = offer(chain, envelope, _station().areas())
        assert isinstance(after, Chain), after
        chain = after
    assert believe((EXAMPLES / "trust.json").read_bytes(), (), _station().areas()).trust == chain.trust
    assert _keeper().standing.heads == example_ward.trust_heads()


def test_an_example_with_a_changed_word_is_refused_as_forged() -> None:
    changed = _changed((EXAMPLES / "job.json").read_bytes(), b'"volume":70', b'"volume":99')
    judgement = _keeper().judge(f"loa/1/d/{example_ward.STATION}/job", changed)
    assert isinstance(judgement, Rejected)
    assert judgement.reason is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("kind", list(Up))
def test_the_headend_believes_each_example_that_goes_up(kind: Up) -> None:
    station = example_ward.STATION
    enrolled = Enrolled(station, example_ward.AREA, "", example_ward.key("station").public)
    message = (EXAMPLES / f"{kind}.json").read_bytes()
    heard = hear({station: enrolled}, example_ward.REALM, up_topic(station, kind), message)
    assert isinstance(heard, Heard), heard


@pytest.mark.parametrize("name", sorted(example_ward.SIGNERS))
def test_the_commands_beside_each_example_check_it_with_openssl_and_jq_alone(name: str, tmp_path: Path) -> None:
    typed, printed = _beside(name)
    shutil.copytree(EXAMPLES, tmp_path / "docs" / "examples")
    done = _run(typed, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, printed, "")
    words = {line.split()[0] for part in typed.split("|") for line in part.splitlines() if line.strip()}
    assert words & {"openssl", "jq"}
    assert not words & {"python", "python3", "perl", "sed", "awk"}


@pytest.mark.parametrize("name", sorted(example_ward.SIGNERS))
def test_the_printed_commands_refuse_a_changed_message(name: str, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "docs" / "examples")
    message = tmp_path / "docs" / "examples" / f"{name}.json"
    message.write_bytes(_changed(message.read_bytes(), b'"demo"', b'"dema"'))
    done = _run(_beside(name)[0], tmp_path)
    assert done.returncode != 0
    assert "Verified Successfully" not in done.stdout


def test_the_printed_commands_follow_the_hash_chain(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "docs" / "examples")
    done = _run(_block("verify chain"), tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, _block("verify chain prints"), "")
    first, second = example_traffic.records()
    assert done.stdout.split() == [first.hash, first.hash, second.hash, second.hash, first.hash]


def test_the_printed_commands_check_an_enrolment_with_openssl_and_jq_alone(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "docs" / "examples")
    done = _run(_block("verify enrolment"), tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, _block("verify enrolment prints"), "")
    key, made, sent, _, digest, answered, proven, named, _, asked, certified = done.stdout.splitlines()
    assert (key, made, digest) == (example_identity.CODE.key().hex(), sent, named)
    assert (answered, asked) == (proven, certified)


def test_the_tables_of_fields_are_the_schemas() -> None:
    text = PROTOCOL.read_text("utf-8")
    assert text == protocol_tables.with_tables(text), "run python -m tools.protocol_tables"
    shown = {kind for _, _, kind, _ in protocol_tables.MARK.findall(text)}
    assert shown == {*KINDS, "clock", "host", "limits", "common"}


def test_every_rule_of_the_protocol_has_a_number_of_its_own() -> None:
    text = PROTOCOL.read_text("utf-8")
    numbers = [tuple(map(int, pair)) for pair in re.findall(r"(?:^|\| )\*\*(\d+)\.(\d+)\b", text, re.MULTILINE)]
    assert len(numbers) > 100
    assert numbers == sorted(set(numbers))
    sections = [int(number) for number in re.findall(r"^## (\d+)\. ", text, re.MULTILINE)]
    assert sections == list(range(1, 18))
    for section, rule in re.findall(r"\((?:[^()]* )?(\d+)\.(\d+)(?:, \d+\.\d+)*\)", text):
        assert (int(section), int(rule)) in numbers, f"{section}.{rule} is named but is no rule"


def test_every_field_that_travels_stands_in_the_protocol() -> None:
    named = _named(PROTOCOL.read_text("utf-8"))
    missing = sorted({name for name in _travelling() if name not in named})
    assert missing == []


def test_every_value_of_an_enumeration_stands_in_the_protocol() -> None:
    named = _named(PROTOCOL.read_text("utf-8"))
    kinds: tuple[type[StrEnum], ...] = (
        *(JobClass, Preemption, Phase, Reason, Verdict, Why, ClockSource, RecordKind, Scheme, Up, What),
    )
    missing = [f"{kind.__name__}.{member.name}" for kind in kinds for member in kind if member.value not in named]
    assert missing == []


@pytest.mark.parametrize(
    "action",
    [
        Stop(),
        NextItem(),
        AllStop(300_000),
        SetVolume(60),
        Rank((JobId("first"), JobId("second"))),
        Ask(date(2026, 10, 1)),
    ],
)
def test_the_protocol_shows_what_the_record_of_a_command_says(action: Action) -> None:
    heading = Heading(JobId("x"), "a", "b", 0, 1, UtcMs(0), UtcMs(0), UtcMs(1), Audience(*[frozenset()] * 3))
    assert f"`{told(Command(heading, action))}`" in PROTOCOL.read_text()


def test_every_bound_in_the_protocol_is_the_codes() -> None:
    rows = re.findall(r"^\| `([a-z_.]+):([A-Z_]+)` \| ([\d,]+)", PROTOCOL.read_text("utf-8"), re.MULTILINE)
    assert len(rows) > 30
    written = {f"{module}:{name}": int(value.replace(",", "")) for module, name, value in rows}
    real = {f"{module}:{name}": getattr(importlib.import_module(module), name) for module, name, _ in rows}
    assert written == real


def test_both_halves_of_the_operations_name_the_same_commands_and_the_programs_understand_them() -> None:
    vietnamese, english = (_commands(half) for half in _halves())
    assert vietnamese == english
    programs = {command.split()[0] for command in vietnamese}
    assert programs == {"edge-agent", "edge-agent-headend"}
    for command in vietnamese:
        program, *words = shlex.split(command)
        # An unknown option ends in SystemExit.
        (headend_parser() if program == "edge-agent-headend" else agent_parser()).parse_args(words)


def test_both_halves_of_the_operations_name_every_account_that_an_installation_makes() -> None:
    made = re.findall(r"^u (\S+)", (ROOT / "systemd/sysusers.d/edge-agent.conf").read_text("utf-8"), re.MULTILINE)
    assert len(made) > 1
    for half, number in zip(_halves(), ("ba tài khoản", "three accounts"), strict=True):
        (sentence,) = re.findall(rf"{number} ((?:`[a-z-]+`,? ?(?:and )?)+)", half)
        assert re.findall("`([a-z-]+)`", sentence) == made


def test_doctor_first_looks_when_the_decoders_worker_is_there() -> None:
    """By root it has a fault where it is not: that its walls stand can be told before the station runs, and must be."""
    for half in _halves():
        install = half[half.index("edge-agent enrol --server") :]
        assert install.index("enable --now edge-agent-decode.socket") < install.index("sudo edge-agent doctor")


def test_every_log_line_that_the_operations_explain_is_written_somewhere() -> None:
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "edge_agent").rglob("*.py"))
    for half in _halves():
        _, _, log = half.partition("## 6.")
        rows = re.findall(r"^\| (`.+?`) \|", log.partition("## 7.")[0], re.MULTILINE)
        lines = [line for row in rows for line in re.findall(r"`([^`]+)`", row)]
        assert len(lines) > 15
        assert [line for line in lines if f'"{line}' not in source] == []


def test_the_operations_show_their_outputs_as_the_programs_word_them() -> None:
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "edge_agent").rglob("*.py"))
    for words in ("CHƯA/KHÔNG PHÁT", "HELD BACK", "LỖI/FAULT", "GIỜ CHƯA CHUẨN", "CLONE_SUSPECTED", "Không có lỗi"):
        assert words in OPERATIONS.read_text("utf-8"), words
        assert words in source, words


def test_every_link_between_documents_leads_somewhere() -> None:
    broken = []
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text("utf-8")):
            if not (document.parent / target).exists():
                broken.append(f"{document.relative_to(ROOT)} -> {target}")
    assert broken == []


def test_the_wards_day_tells_the_built_in_policy_as_it_is() -> None:
    """The page must be enough to write the rules again by."""
    (clause,) = LocalPolicy().clauses
    assert clause.quiet is not None
    (begins, ends), (early, whole_day) = clause.quiet, clause.volume_bands
    limits = (clause.day_ms, clause.live_day_ms, clause.session_ms)
    day, live, session = ((limit or 0) // MINUTE_MS for limit in limits)
    told = (
        f"quiet {begins:%H:%M}–{ends:%H:%M}, {clause.sessions_per_day} sessions and {day} minutes a day, {live} "
        f"minutes more of live relays (`live_day_s`), {session} minutes a session, volume {early.volume_max} from "
        f"{early.start:%H:%M} to {early.end:%H:%M} and {whole_day.volume_max} otherwise."
    )
    assert told in " ".join((ROOT / "docs/wards-day.md").read_text("utf-8").split())
    assert len(clause.weekdays or ()) == 7
    assert LocalPolicy().into_quiet is IntoQuiet.REFUSE


def test_every_file_of_tests_that_a_document_names_exists() -> None:
    missing = []
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        named = re.findall(r"`((?:hil_)?tests/[\w./]*)`", document.read_text("utf-8"))
        missing += [f"{document.relative_to(ROOT)}: {name}" for name in named if not (ROOT / name).exists()]
    assert missing == []


def test_every_file_that_one_job_names_exists() -> None:
    text = DOCUMENT.read_text("utf-8")
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*\.py)`", text))
    assert named
    missing = [name for name in named if not any((base / name).exists() for base in (ROOT, ROOT / "edge_agent"))]
    assert missing == []


@pytest.mark.parametrize("package", ["audio", "core", "headend", "sync"])
def test_the_map_of_a_package_names_each_of_its_files_once(package: str) -> None:
    folder = ROOT / "edge_agent" / package
    rows = re.findall(r"^ {4}(?:\S.*?)? {2,}(.+)$", (folder / "__init__.py").read_text("utf-8"), re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"\w+", row)]
    assert sorted(named) == sorted(file.stem for file in folder.glob("*.py") if file.stem != "__init__")


def _halves() -> tuple[str, str]:
    """The operations in Vietnamese and in English."""
    vietnamese, _, english = OPERATIONS.read_text("utf-8").partition("\n---\n")
    return vietnamese, english


def _commands(text: str) -> list[str]:
    """The lines for our programs in the blocks of commands, without sudo."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line.removeprefix("sudo ") for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("edge-agent")]


def _block(name: str) -> str:
    """The fenced block between the mark of that name and the end."""
    match = re.search(rf"<!-- {name} -->\n```(?:bash)?\n(.*?)```\n", PROTOCOL.read_text("utf-8"), re.DOTALL)
    assert match is not None
    return match[1]


def _run(script: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-e", "-c", script]
    env = {**os.environ, "TMPDIR": str(cwd)}  # else each run leaves fifty folders behind
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=COMMAND_S_MAX, check=False)


def _beside(name: str) -> tuple[str, str]:
    """The commands that the protocol prints beside an example, and what it says that they print."""
    _, _, shown = PROTOCOL.read_text("utf-8").partition(f"<!-- example {name} -->\n")
    match = re.search(r"```bash\n(.*?)```\n\n```\n(.*?)```\n<!-- end -->", shown, re.DOTALL)
    assert match is not None
    return match[1], match[2]


def _changed(envelope: bytes, old: bytes, new: bytes) -> bytes:
    """The envelope with one word of its payload replaced by another of the same length."""
    written = json.loads(envelope)
    payload = base64.b64decode(written["payload"])
    assert old in payload
    written["payload"] = base64.b64encode(payload.replace(old, new)).decode()
    return json.dumps(written, separators=(",", ":")).encode() + b"\n"


def _named(text: str) -> set[str]:
    """Everything that stands in backticks."""
    return {word for quoted in re.findall(r"`([^`\n]+)`", text) for word in re.findall(r"[a-z0-9_-]+", quoted)}


def _travelling() -> Iterator[str]:
    """The names of all fields: of the examples, of what a station reads, of a record, of the trust file."""
    for path in EXAMPLES.glob("*.json"):
        written = json.loads(path.read_bytes())
        yield from _names(json.loads(base64.b64decode(written["payload"])) if "payload" in written else written)
    for known in KNOWN_FIELDS.values():
        yield from known
    for kind in (AsRun, ZoneAsRun, ItemAsRun, Origin):
        yield from (field.name for field in fields(kind))


def _names(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _names(one)
    elif isinstance(value, dict):
        for name, inner in value.items():
            # Key ids and issuers are names of things, not of fields.
            if re.fullmatch(r"[a-z_]+", name):
                yield name
            yield from _names(inner)
