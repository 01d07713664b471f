"""Write docs/examples: one signed message of every type, made by the code that really makes and reads them.

``python -m tools.wire_examples`` writes; with ``--check`` it fails where something differs.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge_agent.trust.keys import Ed25519Signer
from edge_agent.trust.strict_json import dump
from tools import example_ward as ward

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "examples"
DOCUMENT = ROOT / "docs" / "protocol.md"
LINE_MAX = 110
# What an engineer still reads without scrolling sideways.


def files() -> dict[str, bytes]:
    """Everything in docs/examples, by name."""
    envelopes = {f"{name}.json": data + b"\n" for name, data in (ward.orders() | ward.reports()).items()}
    public = {"officer.pub.pem": _pem(ward.role_keys("ward-routine")[0]), "station.pub.pem": _pem(ward.key("station"))}
    return envelopes | public | {"trust.json": dump(ward.trust()) + b"\n"}


def with_examples(text: str) -> str:
    """The document with what it shows of the examples made anew: each payload, and what the printed commands say."""
    for name, envelope in (ward.orders() | ward.reports()).items():
        payload = json.loads(base64.b64decode(json.loads(envelope)["payload"]))
        text = _with_block(text, f"<!-- payload of docs/examples/{name}.json -->\n```json\n", _laid_out(payload))
    said = ("Signature Verified Successfully", ward.role_keys("ward-routine")[0].keyid, ward.routine_digest())
    return _with_block(text, "<!-- verify prints -->\n```\n", "\n".join(said))


def _with_block(text: str, begin: str, content: str) -> str:
    before, found, rest = text.partition(begin)
    assert found, f"{DOCUMENT.name} has lost {begin!r}"
    _, _, after = rest.partition("```\n")
    return before + begin + content + "\n```\n" + after


def _laid_out(value: object, depth: int = 0) -> str:
    """JSON for people: what fits a line stands on one."""
    short = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or len(short) + depth <= LINE_MAX:
        return short
    pad = " " * (depth + 1)
    if isinstance(value, list):
        lines, (begin, end) = [_laid_out(one, depth + 1) for one in value], "[]"
    else:
        begin, end = "{}"
        lines = [f"{json.dumps(name)}: {_laid_out(one, depth + 1)}" for name, one in value.items()]
    return f"{begin}\n{pad}" + f",\n{pad}".join(lines) + f"\n{' ' * depth}{end}"


def _pem(signer: Ed25519Signer) -> bytes:
    public = Ed25519PublicKey.from_public_bytes(signer.public.raw)
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def main() -> int:
    """Write, or check."""
    text = DOCUMENT.read_text("utf-8")
    if "--check" in sys.argv:
        same = all((FOLDER / name).read_bytes() == content for name, content in files().items())
        return int(not same or text != with_examples(text))
    FOLDER.mkdir(exist_ok=True)
    for name, content in files().items():
        (FOLDER / name).write_bytes(content)
    DOCUMENT.write_text(with_examples(text), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
