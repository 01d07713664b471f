"""Write a private key under a passphrase: PKCS#8 (RFC 5958), PBES2 with scrypt (RFC 7914) and AES-256-CBC (RFC 8018).

``cryptography`` and openssl read this form, but the former writes another one only: 2,048 rounds of PBKDF2, where a try
costs a thief 0.4 ms. Reading is left to it. That the key is the right one shows by its public half (``key_files``).
"""

from __future__ import annotations

import base64
import os
import textwrap

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7

SCRYPT_N = 1 << 14
SCRYPT_R = 8
SCRYPT_P = 5
# What OWASP asks for where memory is bounded: 16 MiB, which openssl's own tools still read, and 0.13 s a try
# (2026-11, x86-64).
LABEL = "ENCRYPTED PRIVATE KEY"
_KEY_BYTES, _BLOCK_BYTES = 32, 16
_LINE_LETTERS = 64
_INTEGER, _OCTETS, _OID, _SEQUENCE = 0x02, 0x04, 0x06, 0x30
_PBES2 = bytes.fromhex("2a864886f70d01050d")
_SCRYPT = bytes.fromhex("2b06010401da47040b")
_AES_256_CBC = bytes.fromhex("60864801650304012a")


def encrypted_pem(pkcs8: bytes, passphrase: str) -> bytes:
    """``pkcs8`` (DER) as PEM that opens with ``passphrase`` only."""
    salt, vector = os.urandom(_BLOCK_BYTES), os.urandom(_BLOCK_BYTES)
    key = Scrypt(salt, _KEY_BYTES, SCRYPT_N, SCRYPT_R, SCRYPT_P).derive(passphrase.encode())
    padder, cipher = PKCS7(_BLOCK_BYTES * 8).padder(), Cipher(AES256(key), CBC(vector)).encryptor()
    hidden = cipher.update(padder.update(pkcs8) + padder.finalize()) + cipher.finalize()
    return _pem(_der(_SEQUENCE, _how(salt, vector), _der(_OCTETS, hidden)))


def _how(salt: bytes, vector: bytes) -> bytes:
    price = (_der(_INTEGER, _integer(number)) for number in (SCRYPT_N, SCRYPT_R, SCRYPT_P))
    scrypt = _der(_SEQUENCE, _der(_OID, _SCRYPT), _der(_SEQUENCE, _der(_OCTETS, salt), *price))
    aes = _der(_SEQUENCE, _der(_OID, _AES_256_CBC), _der(_OCTETS, vector))
    return _der(_SEQUENCE, _der(_OID, _PBES2), _der(_SEQUENCE, scrypt, aes))


def _der(tag: int, *parts: bytes) -> bytes:
    """One value; a length beyond 127 is told with the number of its bytes before it."""
    content = b"".join(parts)
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    told = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(told)]) + told + content


def _integer(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")  # a leading bit of 1 would make it negative


def _pem(der: bytes) -> bytes:
    lines = textwrap.wrap(base64.b64encode(der).decode(), _LINE_LETTERS)
    return "\n".join([f"-----BEGIN {LABEL}-----", *lines, f"-----END {LABEL}-----", ""]).encode()
