"""Teach the OpenSSL that Python's ``ssl`` uses to sign by a PKCS#11 library, and to do nothing else by it.

OpenSSL calls such a teacher a provider; Debian's package is ``pkcs11-provider``. It is loaded into this process alone,
by the calls that OpenSSL has for it: a configuration file of OpenSSL's would change every program that reads it. Each
of the three settings is there because of what happened without it: see ADR 18.
"""

from __future__ import annotations

import _ssl
import ctypes
import os
from collections.abc import Callable

from edge_agent.element import IN_USE
from edge_agent.identity.token_library import NoTokenLibrary

PACKAGE = "pkcs11-provider"
_UTF8_STRING = 4
# OSSL_PARAM_UTF8_STRING of OpenSSL's core.h.
_WAYS = {
    # At once. Woken later, it was asked to check servers' signatures too, whatever had been wished below.
    "pkcs11-module-load-behavior": "early",
    # Its copies of a key are shared by connections, and gone with the first one that ends.
    "pkcs11-module-cache-keys": "false",
}
_OWN_WORK_STAYS_HERE = b"?provider=default"
# OpenSSL promises no order among those who can do the same work; so it is said that its own do what they can.
_loaded: list[str] = []


class _Param(ctypes.Structure):
    """OSSL_PARAM of OpenSSL's core.h."""

    _fields_ = (
        ("key", ctypes.c_char_p),
        ("data_type", ctypes.c_uint),
        ("data", ctypes.c_char_p),
        ("data_size", ctypes.c_size_t),
        ("return_size", ctypes.c_size_t),
    )


def _linked() -> ctypes.CDLL:
    """What ssl itself was linked with, and no other OpenSSL; without a file it is part of the program."""
    return ctypes.CDLL(getattr(_ssl, "__file__", None))


def load(module: str, openssl: Callable[[], ctypes.CDLL] = _linked) -> None:
    """Have keys of the library ``module`` (its whole path) understood. Before the process has threads; once is enough.

    ``openssl`` is what is taught. Raises ``NoTokenLibrary``.
    """
    with IN_USE:
        if module in _loaded:
            return
        if _loaded:
            raise NoTokenLibrary(f"{module}: chỉ dùng được một thư viện / there is one at a time, {_loaded[0]}")
        _load(module, openssl())
        # In a child it sets itself right, and would wait there for ever for whoever was at work in it at that moment.
        os.register_at_fork(before=IN_USE.acquire, after_in_parent=IN_USE.release, after_in_child=IN_USE.release)
        _loaded.append(module)


def loaded(module: str) -> bool:
    """Whether ``load`` was."""
    return module in _loaded


def _load(module: str, library: ctypes.CDLL) -> None:
    try:
        plain, with_ways = library.OSSL_PROVIDER_load, library.OSSL_PROVIDER_load_ex
    except AttributeError as error:
        raise NoTokenLibrary(
            f"OpenSSL quá cũ / too old, 3.2 is needed (Debian 13 has 3.5): {error}; [broker] key_file as a file works"
        ) from error
    plain.restype = with_ways.restype = ctypes.c_void_p
    plain.argtypes = (ctypes.c_void_p, ctypes.c_char_p)
    with_ways.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(_Param))
    # By itself OpenSSL loads its own only as long as nobody has loaded any.
    if plain(None, b"default") is None or with_ways(None, b"pkcs11", _params(module)) is None:
        raise NoTokenLibrary(
            f"OpenSSL không dùng được / cannot use {module}: sudo apt-get install {PACKAGE}, then restart the agent; "
            "is the module's path right, and may we open the element?"
        )
    wish = library.EVP_set_default_properties
    wish.argtypes = (ctypes.c_void_p, ctypes.c_char_p)
    if wish(None, _OWN_WORK_STAYS_HERE) != 1:
        raise NoTokenLibrary("OpenSSL keeps nothing of its own work to itself; [broker] key_file as a file works")


def _params(module: str) -> ctypes.Array[_Param]:
    ways = {"pkcs11-module-path": module, **_WAYS}
    told = [(name.encode(), value.encode()) for name, value in ways.items()]
    params = [_Param(name, _UTF8_STRING, value, len(value), 0) for name, value in told]
    return (_Param * (len(params) + 1))(*params)  # the last one, all zero, ends the list
