"""Let one thread at a time into a secure element's library (PKCS#11), whoever it is that wants something signed there.

Two ways lead into the same library: python-pkcs11, which initialises it without locks of its own, and OpenSSL, for the
key of our certificate (ADR 18). Two threads in it at once made signatures that were none, and broke the heap.
"""

from __future__ import annotations

import threading

IN_USE = threading.RLock()
"""Held for one call into the library, or one step of a handshake; never while the network is waited for."""
