"""What the parser says of a payload that it does not take, whatever kind of order it is."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.trust.fields import Fields
from edge_agent.trust.orders import OrderType, parse_order
from edge_agent.trust.strict_json import WireError


def refusal(payload: dict[str, Any]) -> str:
    """The error: the field, and the rule that it breaks."""
    with pytest.raises(WireError) as caught:
        parse_order(Fields(payload), OrderType(payload["type"]))
    return str(caught.value)
