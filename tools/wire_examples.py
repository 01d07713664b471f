"""Write docs/examples: one message of every type, made by the code that really makes and reads them.

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
from tools import example_identity as identity
from tools import example_traffic as traffic
from tools import example_ward as ward
from tools.document import keep

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "examples"
DOCUMENT = ROOT / "docs" / "protocol.md"
LINE_MAX = 110
# What an engineer still reads without scrolling sideways.


PAE = (
    r"""jq -j '"DSSEv1 \(.payloadType|utf8bytelength) \(.payloadType) """
    r"""\(.payload|@base64d|utf8bytelength) \(.payload|@base64d)"'"""
)
"""What was signed, made from an envelope as it stands in a file."""

CHAIN = "<!-- verify chain prints -->\n```\n"
ENROLMENT = "<!-- verify enrolment prints -->\n```\n"


def files() -> dict[str, bytes]:
    """Everything in docs/examples, by name."""
    envelopes = {f"{name}.json": data + b"\n" for name, data in _examples().items()}
    signers = {key for keys in ward.SIGNERS.values() for key in keys}
    bodies = {f"{identity.FOLDER}/{name}.json": data + b"\n" for name, data in identity.bodies().items()}
    keys = {f"{key}.pub.pem": _pem(ward.key(key)) for key in signers}
    return envelopes | bodies | keys | {"trust.json": ward.trust_file()}


def with_examples(text: str) -> str:
    """The document with each example made anew: what it says, the commands that check it, and what they print."""
    for name in _examples():
        begin, end = f"<!-- example {name} -->\n", "<!-- end -->\n"
        before, found, rest = text.partition(begin)
        assert found, f"{DOCUMENT.name} has lost {begin!r}"
        text = before + begin + _shown(name) + end + rest.partition(end)[2]
    first, second = traffic.records()
    lines = (first.hash, first.hash, second.hash, second.hash, second.prev)
    return _printing(_printing(text, CHAIN, "\n".join(lines) + "\n"), ENROLMENT, identity.printed())


def _printing(text: str, mark: str, printed: str) -> str:
    before, found, rest = text.partition(mark)
    assert found, f"{DOCUMENT.name} has lost {mark!r}"
    return before + mark + printed + "```\n" + rest.partition("```\n")[2]


def commands(name: str) -> tuple[str, str]:
    """The commands that check an example, as one types them in the project's root, and what they print."""
    envelope = json.loads(_examples()[name])
    typed = ["cd docs/examples && t=$(mktemp -d)", f"{PAE} {name}.json > $t/pae"]
    printed = []
    for number, key in enumerate(ward.SIGNERS[name]):
        typed += [
            f"jq -r '.signatures[{number}].sig' {name}.json | openssl base64 -d -A > $t/sig",
            f"openssl pkeyutl -verify -pubin -inkey {key}.pub.pem -rawin -in $t/pae -sigfile $t/sig",
            f"openssl pkey -pubin -in {key}.pub.pem -outform DER | tail -c 32 | openssl dgst -sha256 -r | cut -c 1-64",
            f"jq -r '.signatures[{number}].keyid' {name}.json",
        ]
        printed += ["Signature Verified Successfully", *[envelope["signatures"][number]["keyid"]] * 2]
    typed += ["openssl dgst -sha256 -r $t/pae | cut -c 1-64"]
    printed += [ward.digest_of(_examples()[name])]
    return "\n".join(typed) + "\n", "\n".join(printed) + "\n"


def _examples() -> dict[str, bytes]:
    return traffic.orders() | traffic.reports()


def _shown(name: str) -> str:
    payload = json.loads(base64.b64decode(json.loads(_examples()[name])["payload"]))
    typed, printed = commands(name)
    opening = f"The payload of [{name}.json](examples/{name}.json):\n\n```json\n{_laid_out(payload)}\n```\n\n"
    checking = "To check it (three lines a signature, then the digest), and what that prints:\n\n"
    return f"{opening}{checking}```bash\n{typed}```\n\n```\n{printed}```\n"


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
    if "--check" in sys.argv:
        same = all((FOLDER / name).read_bytes() == content for name, content in files().items())
        return int(not same) or keep(DOCUMENT, with_examples)
    (FOLDER / identity.FOLDER).mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (FOLDER / name).write_bytes(content)
    return keep(DOCUMENT, with_examples)


if __name__ == "__main__":
    sys.exit(main())
