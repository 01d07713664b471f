"""Whatever a thief sends, in whatever order and between whatever honest documents: what stands in the end is honest.

He holds an officer's key and the province's key that its wards' documents are signed by, until a new epoch begins; he
signs whatever he likes with them, and replays all that was ever sent. ``TRUST_EXAMPLES=5000`` tries that many.
"""

from __future__ import annotations

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.trust.chain import Chain, begin, offer
from edge_agent.trust.documents import ROOT
from tests.trust.delegation import (
    HANOI,
    NATIONAL,
    NEXT_HANOI,
    PROVINCE,
    PROVINCE_1,
    ROOT_1,
    WARD_1,
    province,
    root,
    ward,
)
from tests.trust.makers import AREA, DAY_MS, NOON, delegates, job_role, make_site, signed_trust, signer
from tests.trust.strategies import EXAMPLES

AREAS = make_site().areas()
THIEFS = job_role(role="thief", keyids=[signer("thief").keyid], limits={"classes": ["normal"]})
THIEFS_KEYS = {signer("thief").keyid: signer("thief").public.to_trust()}
HONEST = (
    PROVINCE_1,
    WARD_1,
    signed_trust(ward(2), HANOI),
    signed_trust(root(2, holders=("a", "b"), threshold=2), "holder", "a", "b"),
    signed_trust(province(2), NATIONAL),
    signed_trust(root(3, holders=("b", "c"), threshold=2), "a", "b", "c"),
    signed_trust(province(3, NEXT_HANOI, delegates=delegates(NEXT_HANOI, epoch=2)), NATIONAL),
    signed_trust(ward(1, epoch=2), NEXT_HANOI),
)


@cache
def by_thief(area: str, version: int, epoch: int, keys: tuple[str, ...]) -> bytes:
    """His own role, in the ward's document, the province's or the root's."""
    if area == ROOT:
        document = root(version, holders=("thief",))
        document["roles"].append(THIEFS)
    elif area == PROVINCE:
        document = province(version, "thief", epoch=epoch, roles=[THIEFS])
    else:
        document = ward(version, epoch=epoch, roles=[THIEFS])
    return signed_trust(document | {"keys": document["keys"] | THIEFS_KEYS}, *keys)


attacks = st.builds(
    by_thief,
    st.sampled_from((ROOT, PROVINCE, AREA)),
    st.sampled_from((1, 2, 3, 4, 9, NOON - DAY_MS)),
    st.sampled_from((1, 2, 3, NOON - DAY_MS)),
    st.sampled_from(((HANOI,), ("officer",), ("thief",), (HANOI, "officer", "thief"))),
)


def stolen(chain: Chain) -> bool:
    return any(role.name == "thief" for role in chain.trust.roles)


def offered(chain: Chain, envelope: bytes) -> Chain:
    after = offer(chain, envelope, AREAS)
    return after if isinstance(after, Chain) else chain


def told(chain: Chain) -> list[tuple[str, str]]:
    return [(held.document.area, held.digest) for held in chain.standing]


def in_peace() -> Chain:
    chain = begin(ROOT_1)
    for envelope in HONEST:
        chain = offered(chain, envelope)
    return chain


PEACE = told(in_peace())


@settings(max_examples=EXAMPLES)
@given(st.lists(st.tuples(st.integers(0, len(HONEST)), attacks | st.sampled_from(HONEST)), max_size=12))
def test_once_all_honest_documents_have_come_only_they_stand(sent: list[tuple[int, bytes]]) -> None:
    chain = begin(ROOT_1)
    for number in range(len(HONEST) + 1):
        for envelope in [envelope for at, envelope in sent if at == number]:
            chain = offered(chain, envelope)
            above = [held.document for held in chain.standing if held.document.area != AREA]
            assert not any(role.name == "thief" for document in above for role in document.roles)
        if number < len(HONEST):
            chain = offered(chain, HONEST[number])
    assert told(chain) == PEACE
    assert not stolen(chain)


@given(st.permutations(HONEST))
def test_in_whatever_order_they_come_they_are_believed_when_they_have_come_often_enough(order: list[bytes]) -> None:
    """A hello brings what is lacking again: each round believes at least one more."""
    chain, rounds = begin(ROOT_1), [begin(ROOT_1)]
    for _ in HONEST:
        for envelope in order:
            chain = offered(chain, envelope)
        if chain == rounds[-1]:
            break  # and so it would stay
        rounds.append(chain)
    assert told(chain) == PEACE


def test_the_thief_does_order_while_nobody_has_taken_the_key_away() -> None:
    """So that the tests above can fail."""
    chain = begin(ROOT_1)
    for envelope in (PROVINCE_1, by_thief(AREA, 9, 1, (HANOI,))):
        chain = offered(chain, envelope)
    assert stolen(chain)
