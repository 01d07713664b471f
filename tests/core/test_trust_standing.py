"""What the documents that stand say of the time: a floor that each of them raises, and that the root's end bounds."""

from __future__ import annotations

import pytest

from edge_agent.core.trust_standing import TrustHead, TrustStanding
from edge_agent.core.units import UtcMs

ROOT, WARD = TrustHead("", 0, 1, UtcMs(9_000), UtcMs(1_000)), TrustHead("vn/ha-noi", 1, 4, UtcMs(3_000), UtcMs(2_000))


@pytest.mark.parametrize(("signed", "floor"), [(500, 2_000), (1_500, 2_000), (2_500, 2_500), (8_999, 8_999)])
def test_it_is_not_earlier_than_any_document_that_is_believed_nor_than_the_last_signed_time(
    signed: int, floor: int
) -> None:
    assert TrustStanding((ROOT, WARD)).floor(UtcMs(signed)) == floor


def test_one_wrong_welcome_makes_no_clock_unbelievable_for_good() -> None:
    assert TrustStanding((ROOT, WARD)).floor(UtcMs(1_000_000)) == 9_000
