"""ENV: signatures, base64 and JSON (docs/protocol.md, sections 3 and 5)."""

from __future__ import annotations

from edge_agent.core.job import JobClass
from edge_agent.core.reasons import Reason
from edge_agent.headend.conform import envelopes, judges
from edge_agent.headend.conform.asking import acceptance, ask, refusal, take
from edge_agent.headend.conform.bench import Bench
from edge_agent.headend.conform.clause import Clause, never
from edge_agent.headend.conform.orders import Order, Orders, Pen, identity
from edge_agent.headend.conform.verdicts import CannotTry, Passed, Verdict
from edge_agent.trust.envelope import ENVELOPE_BYTES_MAX, payload_type
from edge_agent.trust.keys import new_signer
from edge_agent.trust.strict_json import dump

JOB = payload_type("job")
BROKER_BYTES = 400
# Of the broker's 65,536 the packet's head, topic and properties take some; this is left for them.


def _forged(orders: Orders) -> Order:
    return orders.signed(orders.payload(orders.pen()), [new_signer()])


def _by_server(orders: Orders) -> Order:
    return orders.signed(orders.payload(orders.pen()), [orders.keyring.signer("welcome")])


def _pen_for_several(orders: Orders) -> Pen:
    for pen in orders.pens():
        if pen.role.threshold > 1:
            return pen
    raise CannotTry("no role of the trust file needs two signatures")


def _by_too_few(orders: Orders) -> Order:
    pen = _pen_for_several(orders)
    assert pen.role.grant is not None, "a pen's role may order sound"
    if JobClass.EMERGENCY in pen.role.grant.limits.classes:
        return orders.signed(orders.emergency_payload(), pen.signers[: pen.role.threshold - 1])
    return orders.signed(orders.payload(pen), pen.signers[: pen.role.threshold - 1])


def _twice_by_one(orders: Orders) -> Order:
    return _by_too_few(orders).spoilt(envelopes.signed_twice_by_one, readable=True)


def _with_foreign_signature(orders: Orders) -> Order:
    return orders.normal().spoilt(
        lambda envelope: envelopes.with_signature_of(envelope, _forged(orders).envelope), readable=True
    )


def _with_spare_bits(orders: Orders) -> Order:
    pen, extra = orders.pen(), ""
    payload = orders.payload(pen)
    while len(dump(payload | {"note": extra})) % 3 == 0:
        extra += "."
    return orders.signed(payload | {"note": extra}, pen.enough).spoilt(envelopes.with_spare_bits)


def _altered(orders: Orders) -> Order:
    envelope = envelopes.altered(orders.normal().envelope)
    return Order(envelope, identity(JOB, envelopes.payload_of(envelope)))


def _of_type(orders: Orders, kind: str) -> Order:
    payload = orders.payload(orders.pen())
    return orders.signed(payload, orders.pen().enough, kind)


def _raw(orders: Orders, content: bytes) -> Order:
    """A properly signed payload that is no strict JSON."""
    return orders.sealed(content, orders.pen().enough, JOB)


def _content(orders: Orders) -> bytes:
    return dump(orders.payload(orders.pen()))


def _fields(orders: Orders, field: str) -> Order:
    return _raw(orders, envelopes.with_text(_content(orders), field.encode()))


def _nearly_full(orders: Orders) -> Order:
    payload = orders.payload(orders.pen())
    room = (ENVELOPE_BYTES_MAX - BROKER_BYTES) * 3 // 4 - len(dump(payload)) - BROKER_BYTES
    return orders.signed(payload | {"note": "x" * room}, orders.pen().enough)


def _written_otherwise(bench: Bench) -> Verdict:
    order = bench.orders.normal()
    first = take(bench, order)
    if not isinstance(first, Passed):
        return first
    return judges.known(ask(bench, order.spoilt(envelopes.respelled, readable=True)), order.job_id)


def _not_an_envelope(_orders: Orders) -> Order:
    return Order(b"loa loa loa", "", readable=False)


BAD, FORGED = Reason.MALFORMED, Reason.SIGNATURE_INVALID
FEW = Reason.TOO_FEW_SIGNATURES

CLAUSES: tuple[Clause, ...] = (
    refusal("ENV-1", "5, step 6", "chữ ký của khóa lạ", "a signature of an unknown key is none", _forged, FORGED),
    refusal("ENV-2", "3", "nội dung bị sửa sau khi ký", "what was signed is not changed unseen", _altered, FORGED),
    refusal("ENV-3", "6", "khóa máy chủ không ra lệnh phát", "a server's key starts no sound", _by_server, FORGED),
    refusal("ENV-4", "5, step 9", "thiếu chữ ký", "as many keys must sign as the role needs", _by_too_few, FEW),
    refusal("ENV-5", "3", "một khóa ký hai lần", "one key that signs twice counts once", _twice_by_one, FEW),
    acceptance(
        "ENV-6", "3", "bỏ qua chữ ký lạ thêm vào", "signatures of unknown keys are ignored", _with_foreign_signature
    ),
    refusal("ENV-7", "3", "base64 thừa bit", "base64 is canonical: no spare bits are set", _with_spare_bits, BAD),
    refusal(
        "ENV-8",
        "3",
        "base64 có dấu cách",
        "base64 has no foreign characters",
        lambda orders: orders.normal().spoilt(envelopes.with_blank),
        BAD,
    ),
    refusal(
        "ENV-9",
        "3",
        "base64 thiếu dấu =",
        "base64 is padded",
        lambda orders: orders.normal().spoilt(envelopes.unpadded),
        BAD,
    ),
    refusal(
        "ENV-10",
        "3",
        "keyid viết hoa",
        "a keyid is 64 lower-case hex digits",
        lambda orders: orders.normal().spoilt(envelopes.upper_keyid),
        BAD,
    ),
    refusal(
        "ENV-11",
        "3",
        "quá 16 chữ ký",
        "an envelope has at most 16 signatures",
        lambda orders: orders.normal().spoilt(envelopes.signed_too_often),
        BAD,
    ),
    refusal(
        "ENV-12",
        "3",
        "trùng tên trường ở phong bì",
        "no name twice in the envelope",
        lambda orders: orders.normal().spoilt(envelopes.named_twice),
        BAD,
    ),
    refusal("ENV-13", "3", "không phải JSON", "an envelope is one JSON object", _not_an_envelope, BAD),
    refusal(
        "ENV-14",
        "3",
        "thừa ký tự sau JSON",
        "nothing follows the object",
        lambda orders: orders.normal().spoilt(lambda envelope: envelope + b"{}"),
        BAD,
    ),
    refusal(
        "ENV-15",
        "3",
        "trùng tên trường ở nội dung",
        "no name twice in a payload",
        lambda orders: _fields(orders, '"volume":10'),
        BAD,
    ),
    refusal(
        "ENV-16",
        "3",
        "số có phần lẻ",
        "integers only: no fractions, no exponents",
        lambda orders: _fields(orders, '"note":1.5'),
        BAD,
    ),
    refusal(
        "ENV-17",
        "3",
        "số quá lớn",
        "integers within ±(2^53−1)",
        lambda orders: _fields(orders, '"note":9007199254740992'),
        BAD,
    ),
    refusal(
        "ENV-18",
        "3",
        "chữ không theo NFC",
        "all text is in Unicode NFC",
        lambda orders: _fields(orders, '"note":"e\u0301"'),
        BAD,
    ),
    refusal(
        "ENV-19",
        "3",
        "ký tự điều khiển trong chữ",
        "no control characters in text",
        lambda orders: _fields(orders, '"note":"a\\u0007"'),
        BAD,
    ),
    refusal(
        "ENV-20",
        "3",
        "JSON lồng quá 16 tầng",
        "at most 16 levels",
        lambda orders: _raw(orders, envelopes.too_deep(_content(orders))),
        BAD,
    ),
    refusal(
        "ENV-21",
        "5, step 4",
        "loại nội dung khác chủ đề",
        "the payload type is the topic's last segment",
        lambda orders: _of_type(orders, "welcome"),
        BAD,
    ),
    refusal(
        "ENV-22",
        "5, step 3",
        "loại nội dung chưa biết",
        "a payload type that is not known is named so",
        lambda orders: _of_type(orders, "su-kien"),
        Reason.UNSUPPORTED,
    ),
    Clause(
        "ENV-23",
        "3",
        "một lệnh, phong bì viết cách khác",
        "the identity of a message is the SHA-256 of its PAE, however the envelope is written",
        "a silent order, then the same in an envelope of other order, blanks and an unknown field: `known`",
        _written_otherwise,
    ),
    acceptance("ENV-24", "3", "phong bì gần 65.536 byte", "an envelope may have up to 65,536 bytes", _nearly_full),
    never(
        "ENV-25",
        "5, step 1",
        "phong bì quá 65.536 byte",
        "a larger one is `too_large`",
        "a broker that is set up as section 1 says passes none on",
    ),
)
