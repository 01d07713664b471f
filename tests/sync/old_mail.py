"""The library's reader of mail as Debian 12's Python has it, on any Python: two boundaries are a TypeError there.

That is no trouble of a line, so it ends whoever asks which type a body has.
"""

from __future__ import annotations

from http.client import HTTPMessage

import pytest

TWO_BOUNDARIES = "multipart/mixed; boundary*=us-ascii''a; boundary*0=b"


def read_as_on_3_11(monkeypatch: pytest.MonkeyPatch) -> None:
    def boundary(*_: object) -> str:
        raise TypeError("'<' not supported between instances of 'int' and 'NoneType'")

    monkeypatch.setattr(HTTPMessage, "get_boundary", boundary)
