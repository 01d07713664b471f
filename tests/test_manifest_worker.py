"""The thread that asks the home server: what was asked for, whole and proven, or why not; what the journal keeps."""

from __future__ import annotations

import hashlib
import queue
from dataclasses import replace

import pytest

from edge_agent.core.effects import FetchHeads, FetchManifest, FetchPaper, FetchRoot
from edge_agent.core.events import (
    Event,
    HeadsFetched,
    HomeAnswered,
    ManifestRead,
    MessageArrived,
    PaperMissed,
    PaperRead,
    RootFetched,
)
from edge_agent.core.heads import HEAD_BYTES_MAX, Head, Manifest
from edge_agent.core.manifests import NO_DELIVERY
from edge_agent.core.reasons import Reason
from edge_agent.core.units import StationId, UtcMs
from edge_agent.manifest_worker import (
    WELCOME_BYTES_MAX,
    ManifestWorker,
    PostHello,
    answer,
    kept_manifests,
    topic_of,
)
from edge_agent.trust.envelope import ENVELOPE_BYTES_MAX
from edge_agent.trust.judge import make_judge
from edge_agent.trust.manifests import head_payload, write_manifest
from tests.fakes.home import FakeHome
from tests.trust import makers

WARD = f"area/{makers.AREA}"
BODY = write_manifest(Manifest(WARD, 1, 3, {makers.ISSUER: 4}, (), ()), makers.REALM)
DIGEST = hashlib.sha256(BODY).hexdigest()
HEAD = Head(WARD, 1, 3, UtcMs(makers.NOON), DIGEST, len(BODY))
PATIENCE_S = 60


def envelope(head: Head = HEAD, by: str = "server") -> bytes:
    return makers.signed({**head_payload(head, makers.REALM)}, [by])


def test_each_head_is_given_or_the_reason_why_not() -> None:
    home = FakeHome({f"/head/{WARD}": b"one"})
    got = answer(home, FetchHeads((WARD, "area/vn")))
    assert got == HeadsFetched(((WARD, b"one"), ("area/vn", Reason.MANIFEST_UNREACHABLE)))


def test_a_manifest_is_read_where_its_digest_is_the_heads() -> None:
    got = answer(FakeHome({f"/paper/{DIGEST}": BODY}), FetchManifest(DIGEST, len(BODY)))
    assert isinstance(got, ManifestRead)
    assert (got.digest, got.raw, got.manifest.upto) == (DIGEST, BODY, {makers.ISSUER: 4})


@pytest.mark.parametrize(
    ("lies_there", "reason"),
    [
        (None, Reason.MANIFEST_UNREACHABLE),
        (BODY[:-1] + b" ", Reason.MANIFEST_ALTERED),
        (BODY[:-1], Reason.MANIFEST_ALTERED),
        (BODY + b" ", Reason.MANIFEST_UNREACHABLE),
    ],
)
def test_a_manifest_that_is_another_one_is_not_read(lies_there: bytes | None, reason: Reason) -> None:
    home = FakeHome({} if lies_there is None else {f"/paper/{DIGEST}": lies_there})
    for order in (FetchManifest(DIGEST, len(BODY)), FetchPaper(WARD, DIGEST, len(BODY))):
        got = answer(home, order)
        assert isinstance(got, PaperMissed)
        assert (got.envelope, got.reason) == (DIGEST, reason)


def test_what_each_answer_has_cost_is_told_with_it_and_whether_the_line_broke_off() -> None:
    home = FakeHome({f"/head/{WARD}": b"one", f"/paper/{DIGEST}": BODY, "/paper/other": b"1234"})
    cost = [answer(home, FetchHeads((WARD, "area/vn"))), answer(home, FetchManifest(DIGEST, len(BODY)))]
    cost += [answer(home, FetchPaper(WARD, DIGEST, len(BODY))), answer(home, FetchPaper(WARD, "other", 4))]
    assert [getattr(one, "came_bytes", None) for one in cost] == [3, len(BODY), len(BODY), 4]
    home.cut = True
    broken = answer(home, FetchPaper(WARD, DIGEST, len(BODY)))
    assert isinstance(broken, PaperMissed)
    assert (broken.broke_off, broken.came_bytes) == (True, 0)


def test_what_has_the_digest_and_is_no_manifest_is_told() -> None:
    digest = hashlib.sha256(b"{}").hexdigest()
    got = answer(FakeHome({f"/paper/{digest}": b"{}"}), FetchManifest(digest, 2))
    assert isinstance(got, PaperMissed)
    assert (got.reason, got.detail) == (Reason.MANIFEST_ALTERED, "type: missing")


def test_an_order_comes_with_the_topic_of_its_scope() -> None:
    got = answer(FakeHome({f"/paper/{DIGEST}": BODY}), FetchPaper("station/dt-01", DIGEST, len(BODY)))
    assert got == PaperRead(DIGEST, makers.JOB_TOPIC, BODY)
    assert topic_of("area/vn") == "loa/1/area/vn/job"


def test_the_next_root_comes_with_the_topic_of_the_station_or_is_not_there() -> None:
    home = FakeHome({"/root/7": b"root"})
    got = answer(home, FetchRoot("station/dt-01", 7))
    assert isinstance(got, RootFetched)
    assert got.root == MessageArrived(makers.JOB_TOPIC, b"root", NO_DELIVERY)
    assert (got.version, got.came_bytes) == (7, 4)
    assert answer(home, FetchRoot("station/dt-01", 8)) == RootFetched(8, None)
    home.cut = True
    assert answer(home, FetchRoot("station/dt-01", 8)) == RootFetched(8, None, broke_off=True)


def test_a_welcome_comes_with_the_topic_of_welcomes_and_none_is_made_up() -> None:
    hello = PostHello(StationId("dt-01"), b"hello")
    home = FakeHome(answer=lambda path, body: b"welcome to " + body if path == "/hello/dt-01" else None)
    welcome = MessageArrived(makers.WELCOME_TOPIC, b"welcome to hello", NO_DELIVERY)
    assert answer(home, hello) == HomeAnswered(welcome)
    assert answer(FakeHome(), hello) == HomeAnswered(None)


@pytest.mark.parametrize("more", [0, 1])
def test_what_is_longer_than_any_of_its_kind_is_not_had(more: int) -> None:
    """Whoever answers for the home server has it in his hands what the SIM pays for each question."""
    kinds = HEAD_BYTES_MAX, ENVELOPE_BYTES_MAX, WELCOME_BYTES_MAX
    head, root, welcome = (bytes(most + more) for most in kinds)
    home = FakeHome({f"/head/{WARD}": head, "/root/7": root}, answer=lambda *_: welcome)
    heads, got = answer(home, FetchHeads((WARD,))), answer(home, FetchRoot(WARD, 7))
    greeted = answer(home, PostHello(StationId("dt-01"), b"hello"))
    assert isinstance(heads, HeadsFetched)
    assert isinstance(got, RootFetched)
    assert isinstance(greeted, HomeAnswered)
    assert (heads.heads[0][1] == head, got.root is not None, greeted.welcome is not None) == (not more,) * 3


def test_the_thread_answers_in_order() -> None:
    events: queue.Queue[Event] = queue.Queue()
    worker = ManifestWorker(FakeHome({f"/paper/{DIGEST}": BODY}), events.put)
    worker.order(FetchHeads((WARD,)))
    worker.order(FetchManifest(DIGEST, len(BODY)))
    worker.start()
    assert [type(events.get(timeout=PATIENCE_S)) for _ in range(2)] == [HeadsFetched, ManifestRead]


def test_what_the_journal_keeps_is_believed_by_todays_keys_and_only_whole() -> None:
    judge = make_judge(makers.make_trust(), makers.make_site())
    (kept,) = kept_manifests([(envelope(), BODY)], judge)
    assert (kept.head, kept.envelope) == (HEAD, envelope())
    revoked = envelope(by="stranger")
    other = envelope(replace(HEAD, digest="ab" * 32))
    rotten = BODY[:-1] + b" "
    assert kept_manifests([(revoked, BODY), (other, BODY), (envelope(), rotten), (b"", b"")], judge) == ()
