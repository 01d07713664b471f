"""One-time codes that bring a station in: how they look, what is typed wrongly, and what is proved with them. Pure.

Sixteen characters of Crockford's base32: three name the code's entry at the headend and are no secret, twelve are the
secret (60 bits), the last one finds slips of the finger. Both sides turn the secret into the same key, slowly, and
prove with it that they know it; the secret itself never travels. ADR 18 says why, and how strong that is.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Crockford's: no I, L, O, U. Whoever reads 1 as I or 0 as O is understood.
READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1"})
BETWEEN = frozenset({"Pd", "Zs", "Cf", "Cc"})
# Hyphens, spaces, and what is not seen: of each kind a telephone or a word processor puts in what suits it.
SLOT_CHARS, SECRET_CHARS = 3, 12
CODE_CHARS = SLOT_CHARS + SECRET_CHARS + 1
GROUP_CHARS = 4
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**15, 8, 1
# 32 MiB and 0.15 s of a core a try, measured: 2^59 tries are 2.7 billion years of one core, for a code of three days.
SCRYPT_BYTES_MAX = 64 * 1024 * 1024
KEY_BYTES = 32
_SALT = b"loa enrolment code 1 "
_REQUEST, _ANSWER = b"loa enrol request 1\x00", b"loa enrol answer 1\x00"
# Two labels: what one side says can never pass for what the other says.


class WrongCode(ValueError):
    """Not a code: mistyped, or cut short."""


@dataclass(frozen=True, slots=True)
class Code:
    """A code that was typed right. Whether anybody gave it out, the headend knows."""

    slot: str
    secret: str = field(repr=False)

    def typed(self) -> str:
        """As people read and type it: ``K7QM-4DTX-9W2F-6HJ3``."""
        whole = self.slot + self.secret
        whole += _check(whole)
        return "-".join(whole[at : at + GROUP_CHARS] for at in range(0, CODE_CHARS, GROUP_CHARS))

    def key(self) -> bytes:
        """What both sides prove with, and all that the headend keeps of the code."""
        salt = _SALT + self.slot.encode()
        return hashlib.scrypt(
            self.secret.encode(),
            salt=salt,
            n=SCRYPT_N,
            r=SCRYPT_R,
            p=SCRYPT_P,
            maxmem=SCRYPT_BYTES_MAX,
            dklen=KEY_BYTES,
        )


def new_code(taken: frozenset[str] = frozenset(), draw: Callable[[str], str] = secrets.choice) -> Code:
    """A fresh one, whose slot is none of ``taken``; ``draw`` gives one of some characters, unforeseeably."""
    while (slot := _random(SLOT_CHARS, draw)) in taken:
        pass
    return Code(slot, _random(SECRET_CHARS, draw))


def read_code(text: str) -> Code:
    """What somebody typed or pasted: small or wide letters, spaces and hyphens do not matter. ``WrongCode`` says what
    is wrong."""
    typed = unicodedata.normalize("NFKC", text).upper().translate(READ_AS)
    plain = "".join(char for char in typed if unicodedata.category(char) not in BETWEEN)
    if not plain.isascii():
        raise WrongCode("mã không có chữ có dấu: tắt bộ gõ tiếng Việt / digits and letters without accents only")
    if len(plain) != CODE_CHARS:
        raise WrongCode(f"mã có {CODE_CHARS} ký tự, đã gõ {len(plain)} / a code has {CODE_CHARS} characters")
    if any(char not in ALPHABET for char in plain):
        raise WrongCode("mã chỉ có chữ số và chữ cái, không có U / digits and letters only, no U")
    if _check(plain[:-1]) != plain[-1]:
        raise WrongCode("gõ sai một ký tự, xem lại từng nhóm / a character is wrong; compare group by group")
    return Code(plain[:SLOT_CHARS], plain[SLOT_CHARS:-1])


def request_proof(key: bytes, request: bytes) -> str:
    """The station's: this request comes from where the code was typed."""
    return hmac.digest(key, _REQUEST + request, "sha256").hex()


def answer_proof(key: bytes, answer: bytes) -> str:
    """The headend's: this answer comes from where the code was made."""
    return hmac.digest(key, _ANSWER + answer, "sha256").hex()


def same(one: str, other: str) -> bool:
    """Whether two proofs are one, without telling by the time it takes how much of them is."""
    return hmac.compare_digest(one.encode(), other.encode())


def _random(chars: int, draw: Callable[[str], str]) -> str:
    return "".join(draw(ALPHABET) for _ in range(chars))


def _check(chars: str) -> str:
    # Odd weights have an inverse modulo 32, so one wrong character always shows; so do two that changed places, unless
    # they stand 16 apart in the alphabet.
    weighted = sum((2 * place + 1) * ALPHABET.index(char) for place, char in enumerate(chars))
    return ALPHABET[weighted % len(ALPHABET)]
