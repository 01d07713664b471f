"""Which trust documents a station believes; each test is called by the attack or the mishap."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.core.events import Rejected
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Site
from edge_agent.trust.chain import Chain, begin, offer, opened_payload, remembered
from edge_agent.trust.documents import ROOT
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.strict_json import WireError, dump
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
from tests.trust.makers import (
    AREA,
    DAY_MS,
    NOON,
    area_document,
    delegates,
    job_role,
    make_site,
    owner_role,
    signed_trust,
    signer,
)

SITE: Site = make_site()


def believe(chain: Chain, *envelopes: bytes) -> Chain:
    for envelope in envelopes:
        after = offer(chain, envelope, SITE.areas())
        assert isinstance(after, Chain), after
        chain = after
    return chain


def refusal(chain: Chain, envelope: bytes) -> Rejected:
    after = offer(chain, envelope, SITE.areas())
    assert isinstance(after, Rejected)
    return after


def whole() -> Chain:
    """Root, province and ward as they were first."""
    return believe(begin(ROOT_1), PROVINCE_1, WARD_1)


def areas(chain: Chain) -> list[str]:
    return [held.document.area for held in chain.standing]


def names(chain: Chain) -> list[str]:
    return [role.name for role in chain.trust.roles]


def test_trust_is_delegated_from_the_root_to_the_ward() -> None:
    assert areas(whole()) == [ROOT, PROVINCE, AREA]
    assert names(whole()) == ["server", "ward"]


def test_a_root_that_its_own_holders_have_not_signed_is_no_beginning() -> None:
    with pytest.raises(WireError, match="1 of 2 signatures"):
        begin(signed_trust(root(holders=("a", "b"), threshold=2), "a", "stranger"))
    with pytest.raises(WireError, match="the root's"):
        begin(WARD_1)
    with pytest.raises(WireError, match="payload"):
        begin(b"{}")


def test_several_steps_of_the_root_in_a_row_are_taken_one_after_the_other() -> None:
    second = signed_trust(root(2, holders=("a", "b"), threshold=2), "holder", "a", "b")
    third = signed_trust(root(3, holders=("c",)), "a", "b", "c")
    assert believe(whole(), second, third).trust.version == 3
    assert areas(believe(whole(), second, third)) == [ROOT, PROVINCE, AREA]


def test_a_step_of_the_root_that_is_left_out_is_named() -> None:
    third = signed_trust(root(3), "holder")
    assert refusal(whole(), third).reason is Reason.TRUST_GAP
    assert "2 must come first" in refusal(whole(), third).detail


@pytest.mark.parametrize(("signers", "whose"), [(("holder",), "its own"), (("a", "b"), "the root before it")])
def test_a_new_root_needs_the_holders_of_both(signers: tuple[str, ...], whose: str) -> None:
    both = signed_trust(root(2, holders=("a", "b"), threshold=2), *signers, NATIONAL)
    refused = refusal(whole(), both)
    assert (refused.reason, whose in refused.detail) == (Reason.TOO_FEW_SIGNATURES, True)


@pytest.mark.parametrize(("before", "after", "whose"), [(2, 3, "its own"), (3, 2, "the root before it")])
def test_a_new_root_needs_as_many_as_the_one_of_both_that_asks_for_more(before: int, after: int, whose: str) -> None:
    three = ("a", "b", "c")
    chain = begin(signed_trust(root(holders=three, threshold=before), *three))
    following = root(2, holders=three, threshold=after)
    refused = refusal(chain, signed_trust(following, "a", "b"))
    assert (refused.reason, refused.detail) == (Reason.TOO_FEW_SIGNATURES, f"{whose}: 2 of 3 signatures")
    assert believe(chain, signed_trust(following, *three)).trust.version == 2


def test_rollback_of_the_root_and_of_an_area() -> None:
    root_2, ward_5 = signed_trust(root(2), "holder"), signed_trust(ward(5), HANOI)
    chain = believe(whole(), root_2, ward_5)
    assert refusal(chain, ROOT_1).reason is Reason.TRUST_ROLLED_BACK
    assert refusal(chain, WARD_1).reason is Reason.TRUST_ROLLED_BACK
    assert "5 of epoch 1 was believed already" in refusal(chain, WARD_1).detail


def test_the_same_document_again_is_a_replay_and_another_of_the_same_version_an_equivocation() -> None:
    assert refusal(whole(), WARD_1).reason is Reason.REPLAYED
    other = signed_trust(ward(1, roles=[]), HANOI)
    assert refusal(whole(), other).reason is Reason.TRUST_EQUIVOCAL
    assert refusal(whole(), signed_trust(root(1, issued_at=NOON), "holder")).reason is Reason.TRUST_EQUIVOCAL


def test_mix_and_match_a_wards_document_under_another_province() -> None:
    elsewhere = signed_trust(area_document("vn/hue/phu-hoi", version=9), HANOI)
    assert refusal(whole(), elsewhere).reason is Reason.WRONG_AUDIENCE
    early = believe(begin(ROOT_1), PROVINCE_1)
    new = believe(early, signed_trust(province(2, NEXT_HANOI, delegates=delegates(NEXT_HANOI, epoch=2)), NATIONAL))
    assert refusal(new, WARD_1).reason is Reason.SIGNATURE_INVALID, "signed by whom the new province does not know"


def test_fast_forward_is_healed_by_a_new_epoch() -> None:
    driven = believe(whole(), signed_trust(ward(NOON - DAY_MS, roles=[]), HANOI))
    assert names(driven) == ["server"]
    assert refusal(driven, signed_trust(ward(2), HANOI)).reason is Reason.TRUST_ROLLED_BACK
    healed = believe(driven, signed_trust(province(2, NEXT_HANOI, delegates=delegates(NEXT_HANOI, epoch=2)), NATIONAL))
    assert areas(healed) == [ROOT, PROVINCE]
    back = believe(healed, signed_trust(ward(1, epoch=2), NEXT_HANOI))
    assert names(back) == ["server", "ward"]


def test_what_a_thief_of_the_nations_key_has_driven_up_is_passed_by_who_signs_later() -> None:
    """Epochs and versions as high as they can be at his time, in the province's document and in the ward's."""
    thiefs = province(2, "thief", delegates=delegates("thief", epoch=NOON - DAY_MS))
    driven = believe(
        whole(),
        signed_trust(thiefs, NATIONAL),
        signed_trust(ward(NOON - DAY_MS, epoch=NOON - DAY_MS, roles=[]), "thief"),
    )
    assert names(driven) == ["server"]
    new_root = root(2, delegates=delegates("national-2", epoch=2))
    new_root["keys"] |= _keys("national-2")
    later = {"issued_at": NOON}
    new_province = province(1, HANOI, epoch=2, delegates=delegates(HANOI, epoch=NOON), **later)
    healed = believe(
        driven,
        signed_trust(new_root, "holder"),
        signed_trust(new_province, "national-2"),
        signed_trust(ward(1, epoch=NOON, **later), HANOI),
    )
    assert names(healed) == ["server", "ward"]
    assert areas(healed) == [ROOT, PROVINCE, AREA]


def test_no_number_runs_ahead_of_the_time_of_signing() -> None:
    future = NOON - DAY_MS + 1
    assert "version: at most issued_at" in refusal(whole(), signed_trust(ward(future), HANOI)).detail
    assert refusal(whole(), signed_trust(ward(2, epoch=future), HANOI)).reason is Reason.TRUST_GAP
    ahead = province(2, delegates=delegates(HANOI, epoch=future))
    assert "delegates.epoch: at most issued_at" in refusal(whole(), signed_trust(ahead, NATIONAL)).detail


MONTH_MS = 30 * DAY_MS


def of_nation(version: int, epoch: int, **over: Any) -> bytes:
    """A root whose delegates are in that epoch."""
    return signed_trust(root(version, delegates=delegates(NATIONAL, epoch=epoch), **over), "holder")


def test_a_root_signed_by_a_clock_ahead_is_passed_by_one_of_the_right_time_and_everything_stands_again() -> None:
    """It is taken whatever its date, and the epoch that it begins is still to come."""
    ahead = NOON + MONTH_MS
    wrong = of_nation(2, ahead, issued_at=ahead, expires=ahead + DAY_MS)
    deaf = believe(whole(), wrong)
    assert names(deaf) == ["server"]
    right = {"issued_at": NOON, "expires": NOON + DAY_MS}
    for root_3, epoch in ((of_nation(3, ahead, **right), ahead), (of_nation(3, ahead + 1, **right), ahead + 1)):
        heard = believe(deaf, root_3, signed_trust(province(1, epoch=epoch, **right), NATIONAL))
        assert areas(heard) == [ROOT, PROVINCE, AREA]
        assert names(heard) == ["server", "ward"]
        assert max(held.document.issued_at for held in heard.standing) == NOON, "no clock is held to the month ahead"


def test_the_epoch_of_a_roots_delegates_goes_on_by_one_where_it_is_ahead_and_no_further() -> None:
    assert believe(whole(), of_nation(2, NOON - DAY_MS)).trust.version == 2, "its own time of signing"
    refused = refusal(whole(), of_nation(2, NOON - DAY_MS + 1))
    assert (refused.reason, "delegates.epoch: at most issued_at, or 2" in refused.detail) == (Reason.MALFORMED, True)
    ahead = NOON + MONTH_MS
    deaf = believe(whole(), of_nation(2, ahead, issued_at=ahead, expires=ahead + DAY_MS))
    assert f"or {ahead + 1}, which is one more" in refusal(deaf, of_nation(3, ahead + 2)).detail
    assert refusal(deaf, of_nation(3, ahead - 1)).reason is Reason.TRUST_ROLLED_BACK
    nobody = root(2)
    del nobody["delegates"]
    alone = begin(signed_trust(nobody | {"version": 1}, "holder"))
    assert believe(alone, signed_trust(nobody, "holder"), of_nation(3, 1)).trust.version == 3
    assert "or 1, which is one more" in refusal(alone, of_nation(2, NOON)).detail


def test_a_document_that_ends_before_it_begins_or_lasts_too_long_is_none() -> None:
    for area, days in ((ward, 0), (ward, 91), (province, 91)):
        wrong = area(2, expires=NOON - DAY_MS + days * DAY_MS)
        assert "expires" in refusal(whole(), signed_trust(wrong, HANOI)).detail
    assert "at most 800 days" in refusal(whole(), signed_trust(root(2, expires=NOON + 800 * DAY_MS), "holder")).detail


def test_an_epoch_that_goes_back_brings_nothing_back() -> None:
    second = believe(whole(), signed_trust(province(2, delegates=delegates(HANOI, epoch=2)), NATIONAL))
    refused = refusal(second, signed_trust(province(3), NATIONAL))
    assert (refused.reason, "delegates.epoch" in refused.detail) == (Reason.TRUST_ROLLED_BACK, True)
    assert areas(second) == [ROOT, PROVINCE]


def test_an_epoch_of_the_root_that_goes_back_brings_nothing_back() -> None:
    """Its holders take a key from the nation's delegates, and then give them their first epoch again."""
    second = believe(whole(), signed_trust(root(2, delegates=delegates(NATIONAL, epoch=2)), "holder"))
    assert areas(second) == [ROOT]
    without = root(3)
    del without["delegates"]
    for back in (root(3), without):
        refused = refusal(second, signed_trust(back, "holder"))
        assert (refused.reason, "delegates.epoch" in refused.detail) == (Reason.TRUST_ROLLED_BACK, True)


def test_delegates_that_are_left_out_once_do_not_come_back_in_an_old_epoch() -> None:
    fifth = believe(whole(), signed_trust(province(2, delegates=delegates(HANOI, epoch=5)), NATIONAL))
    without = province(3)
    del without["delegates"]
    refused = refusal(fifth, signed_trust(without, NATIONAL))
    assert (refused.reason, "delegates.epoch: none" in refused.detail) == (Reason.TRUST_ROLLED_BACK, True)


def test_signatures_that_a_broker_has_taken_off_do_not_keep_a_document_from_standing_later() -> None:
    both = signed_trust(province(delegates=delegates(HANOI, "second")) | {"keys": _keys(HANOI, "second")}, NATIONAL)
    document = ward()
    trimmed, whole_ = signed_trust(document, "second"), signed_trust(document, "second", HANOI)
    chain = believe(begin(ROOT_1), both, trimmed)
    assert refusal(chain, whole_).reason is Reason.REPLAYED
    without = believe(chain, signed_trust(province(2), NATIONAL))
    assert areas(without) == [ROOT, PROVINCE]
    assert areas(believe(without, whole_)) == [ROOT, PROVINCE, AREA]


def test_a_ward_that_reaches_beyond_its_province_is_not_believed() -> None:
    loud = ward(2, roles=[job_role(limits={"classes": ["normal"], "areas": ["vn"]})])
    assert refusal(whole(), signed_trust(loud, HANOI)).reason is Reason.TRUST_BEYOND_PARENT


@pytest.mark.parametrize("name", ["signers", "delegates"])
def test_a_servers_key_signs_no_documents(name: str) -> None:
    """Whoever breaks into the server has it, and would name officers of his own."""
    mixed = root()
    mixed[name]["keyids"] = [signer("server").keyid]
    with pytest.raises(WireError, match="no key that signs trust documents"):
        begin(signed_trust(mixed, "holder", "server"))
    with_server = province(2, HANOI, "server", delegates=delegates("server"))
    assert refusal(whole(), signed_trust(with_server, NATIONAL)).reason is Reason.TRUST_BEYOND_PARENT


def test_documents_stand_from_above_down_in_whatever_order_they_were_kept() -> None:
    for hamlet in ("a", "b", "c"):
        area = f"{AREA}/{hamlet}"
        below = signed_trust(area_document(area, "officer"), "officer-of-wards")
        with_delegates = ward(delegates=delegates("officer-of-wards", limits={"areas": [AREA]}))
        with_delegates["keys"] |= _keys("officer-of-wards")
        chain = remembered(ROOT_1, [below, signed_trust(with_delegates, HANOI), PROVINCE_1])
        assert areas(chain) == [ROOT, PROVINCE, AREA, area]


def test_an_old_document_does_not_come_back_where_only_the_keys_have_changed() -> None:
    """Ward 2 ends with the key that signed it; ward 1, signed by the key that stays, must not be next."""
    two = signed_trust(province(delegates=delegates(HANOI, "second")) | {"keys": _keys(HANOI, "second")}, NATIONAL)
    chain = believe(begin(ROOT_1), two, WARD_1, signed_trust(ward(2, roles=[]), "second"))
    without = believe(chain, signed_trust(province(2), NATIONAL))
    assert areas(without) == [ROOT, PROVINCE]
    assert refusal(without, WARD_1).reason is Reason.TRUST_ROLLED_BACK
    assert names(believe(without, signed_trust(ward(3), HANOI))) == ["server", "ward"]


def _keys(*named: str) -> dict[str, Any]:
    return {signer(name).keyid: signer(name).public.to_trust() for name in named}


def test_a_document_of_another_epoch_than_the_delegates_above() -> None:
    assert refusal(whole(), signed_trust(ward(2, epoch=2), HANOI)).reason is Reason.TRUST_GAP
    second = believe(whole(), signed_trust(province(2, delegates=delegates(HANOI, epoch=2)), NATIONAL))
    assert areas(second) == [ROOT, PROVINCE]
    late = signed_trust(ward(7), HANOI)
    assert refusal(second, late).reason is Reason.TRUST_ROLLED_BACK


def test_a_key_that_the_root_revokes_ends_all_that_was_signed_by_it_at_once() -> None:
    revoked = root(2, delegates=delegates("national-2", epoch=2))
    revoked["keys"] |= _keys("national-2")
    after = believe(whole(), signed_trust(revoked, "holder"))
    assert areas(after) == [ROOT]
    assert names(after) == ["server"]


def test_of_what_only_revoked_delegates_have_signed_no_word_is_looked_at() -> None:
    """They may sign nothing any more, so whatever bears their signatures is a stranger's."""
    others = root(2, delegates=delegates("national-2", epoch=2))
    others["keys"] |= _keys("national-2")
    chain = believe(whole(), signed_trust(others, "holder"))
    assert areas(chain) == [ROOT]
    by_the_wards_signer = refusal(chain, signed_trust(ward(2) | {"realm": "chosen-by-a-thief"}, HANOI))
    assert (by_the_wards_signer.reason, "thief" in by_the_wards_signer.detail) == (Reason.SIGNATURE_INVALID, False)


def test_nobody_signs_for_an_area_above_or_beside_his_own() -> None:
    assert refusal(whole(), signed_trust(province(2), HANOI)).reason is Reason.TOO_FEW_SIGNATURES
    assert refusal(whole(), signed_trust(root(2), HANOI)).reason is Reason.TOO_FEW_SIGNATURES
    assert refusal(whole(), signed_trust(ward(2), NATIONAL)).reason is Reason.TOO_FEW_SIGNATURES
    assert refusal(whole(), signed_trust(ward(2), "officer")).reason is Reason.SIGNATURE_INVALID


def test_one_holder_under_two_names_is_one_holder() -> None:
    pair = province(2, HANOI, NEXT_HANOI, delegates=delegates(HANOI, NEXT_HANOI, threshold=2, epoch=2))
    chain = believe(whole(), signed_trust(pair, NATIONAL))
    twice = signed_trust(ward(1, epoch=2), HANOI, HANOI)
    assert refusal(chain, twice).detail == "1 of 2 signatures"


def test_a_document_before_the_one_above_it_waits_for_it_by_name() -> None:
    alone = believe(begin(signed_trust(root(delegates=delegates(HANOI)) | {"keys": _root_keys()}, "holder")), WARD_1)
    assert areas(alone) == [ROOT, AREA], "the root's delegates may sign for every area below"
    nobody = root()
    del nobody["delegates"]
    assert refusal(begin(signed_trust(nobody, "holder")), signed_trust(ward(), "holder")).reason is Reason.TRUST_GAP


def _root_keys() -> dict[str, Any]:
    keys: dict[str, Any] = root()["keys"]
    return keys | _keys(HANOI)


def test_a_document_of_another_realm_or_of_no_sense() -> None:
    assert refusal(whole(), signed_trust(ward(2, realm="other"), HANOI)).reason is Reason.WRONG_REALM
    nonsense = refusal(whole(), signed_trust(ward(0), HANOI))
    assert (nonsense.reason, "version" in nonsense.detail) == (Reason.MALFORMED, True)
    assert refusal(whole(), b"no envelope").reason is Reason.MALFORMED


def test_an_order_in_the_form_of_a_trust_document_is_none() -> None:
    as_job = signed_trust(ward(2), HANOI).replace(b"vnd.loa.trust", b"vnd.loa.other")
    assert refusal(whole(), as_job).reason is Reason.SIGNATURE_INVALID
    signed_as_job = sign(payload_type("job"), dump(ward(2)), [signer(HANOI)])
    assert refusal(whole(), signed_as_job).reason is Reason.UNSUPPORTED


def test_a_ward_that_orders_in_the_provinces_name_is_not_believed() -> None:
    reach = {"areas": [PROVINCE], "classes": ["normal"]}
    mine = job_role(role="province", issuer="ha-noi", level="province", limits=reach)
    chain = believe(begin(ROOT_1), signed_trust(province(1, HANOI, "officer", roles=[mine]), NATIONAL))
    stolen = job_role(role="stolen", issuer="ha-noi", limits={"classes": ["normal"]})
    for roles in ([stolen], [job_role(limits={"classes": ["normal"]}), stolen]):
        refused = refusal(chain, signed_trust(ward(1, roles=roles), HANOI))
        assert (refused.reason, "in whose name others order" in refused.detail) == (Reason.TRUST_BEYOND_PARENT, True)


def test_a_ward_that_lets_whoever_orders_for_the_province_loosen_what_binds_him_is_not_believed() -> None:
    """It has the key in his own name; in the province's document, which is nearer than the root's, he orders jobs."""
    reach = {"areas": [PROVINCE], "classes": ["normal"]}
    mine = job_role(role="province", issuer="ha-noi", level="province", limits=reach)
    chain = believe(begin(ROOT_1), signed_trust(province(1, HANOI, "officer", roles=[mine]), NATIONAL))
    both = owner_role(keyids=[signer("officer").keyid])
    refused = refusal(chain, signed_trust(ward(1, roles=[both]), HANOI))
    assert (refused.reason, "no key that also orders jobs" in refused.detail) == (Reason.TRUST_BEYOND_PARENT, True)


def test_a_ward_that_lets_a_servers_key_order_is_not_believed() -> None:
    with_server = ward(1, roles=[job_role(keyids=[signer("server").keyid], limits={"classes": ["normal"]})])
    with_server["keys"] |= _keys("server")
    refused = refusal(believe(begin(ROOT_1), PROVINCE_1), signed_trust(with_server, HANOI))
    assert (refused.reason, "with the documents above" in refused.detail) == (Reason.TRUST_BEYOND_PARENT, True)


def test_what_was_believed_is_remembered_with_its_floor() -> None:
    chain = believe(whole(), signed_trust(ward(5), HANOI))
    kept = [held.envelope for area, held in chain.newest.items() if area != ROOT]
    again = remembered(chain.newest[ROOT].envelope, kept)
    assert again == chain
    assert refusal(again, WARD_1).reason is Reason.TRUST_ROLLED_BACK
    with pytest.raises(WireError):
        remembered(ROOT_1, [b"torn"])


def test_a_floor_outlives_a_document_that_is_void() -> None:
    ended = believe(whole(), signed_trust(ward(5), HANOI), signed_trust(province(2, NEXT_HANOI), NATIONAL))
    assert areas(ended) == [ROOT, PROVINCE]
    kept = [held.envelope for area, held in ended.newest.items() if area != ROOT]
    assert refusal(remembered(ended.newest[ROOT].envelope, kept), signed_trust(ward(4), NEXT_HANOI)).reason is (
        Reason.TRUST_ROLLED_BACK
    )


def test_a_version_that_was_signed_twice_is_told_also_where_the_first_is_void() -> None:
    void = believe(whole(), signed_trust(ward(5), HANOI), signed_trust(province(2, NEXT_HANOI), NATIONAL))
    other = signed_trust(ward(5, roles=[]), NEXT_HANOI)
    assert refusal(void, other).reason is Reason.TRUST_EQUIVOCAL


def test_it_expires_with_the_first_of_its_documents() -> None:
    assert whole().expires == min(held.document.expires for held in whole().standing)
    assert whole().expires < begin(ROOT_1).expires


def test_what_was_signed_is_there_to_be_written_anew() -> None:
    assert opened_payload(whole().newest[ROOT]) == root()
