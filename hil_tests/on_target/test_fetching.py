"""A commune's stations fetch their sound from one server: spread over minutes, and behind an emergency's clip.

Two hundred of the product's cores with its own staging threads, manifests and downloads over HTTPS, in one process; the
product's content server on a line of ten megabits. What a warning's clip needs is compared with what it needs on that
line alone, by ratio: one processor does the TLS of both ends.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from random import randbytes
from typing import Any

import pytest

from demo.ward import wait_until
from edge_agent.clock import boot_ms
from edge_agent.core.clips import RETRY_MS_MAX
from edge_agent.core.heads import Head, ListedOrder, Manifest, Paper
from edge_agent.core.look_ahead import SPREAD_MS
from edge_agent.core.manifests import SOON_MS
from edge_agent.core.units import SECOND_MS, JobId, UtcMs
from edge_agent.headend.content import ContentServer
from edge_agent.headend.pki import Issued, create_authority, issue_server
from edge_agent.trust.manifests import write_manifest
from hil_tests import commune
from hil_tests.commune import HEAD, Commune
from hil_tests.network import NAME, Network, laid_out
from tests.sync.rigs import host_clock
from tests.trust import makers

STATIONS = 200
LINE = ("rate", "10mbit", "delay", "30ms")
SIREN_BYTES, BULLETIN_BYTES, NOTICE_BYTES = 120_000, 480_000, 1_000_000
# At 32 kbit/s half a minute, at 64 kbit/s one, and two: what a ward sends.
GIVE_UP_S = 900
DOWN_S = 1_200
# Until all of them wait for the longest between two tries.
WARNING: dict[str, Any] = {"class": "emergency"}
WARD = f"area/{makers.AREA}"
LISTED = 300

pytestmark = [pytest.mark.wants("network"), pytest.mark.shows("bench.7", "O7")]


class Line:
    """The server's line, as its card counts it each second."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._over = threading.Event()
        self._counted: list[int] = []
        self._thread = threading.Thread(target=self._count, daemon=True)

    def __enter__(self) -> Line:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def busiest_bytes_s(self) -> int:
        return max(after - before for before, after in pairwise(self._counted))

    def _count(self) -> None:
        while not self._over.wait(1):
            self._counted.append(self._network.traffic().down)


@dataclass
class Ward:
    """A content server on its line, and the commune that knows it."""

    network: Network
    server: ContentServer
    identity: Issued
    commune: Commune

    def put(self, content: bytes) -> tuple[str, dict[str, Any]]:
        """Lay a recording on the server; its digest, and the item of an order that plays it."""
        digest = hashlib.sha256(content).hexdigest()
        (self.server.directory / digest).write_bytes(content)
        urls = [self.server.url(digest, NAME)]
        return digest, makers.clip_item(digest=digest, length=len(content), urls=urls)

    def all_have(self, key: str, count: int = STATIONS) -> list[Course]:
        """So many stations' way to a sound, once they have it."""
        end = boot_ms() + GIVE_UP_S * SECOND_MS
        while len(whole := self.commune.seen("whole", key)) < count:
            assert boot_ms() < end, f"{count - len(whole)} never had it"
            wait_until(boot_ms() + SECOND_MS)
        asked, began = ({one.station: one.at_ms for one in self.commune.seen(what, key)} for what in ("asked", "began"))
        return [Course(asked.get(one.station, 0), began.get(one.station, 0), one.at_ms) for one in whole]

    def restart(self) -> None:
        """It is there again, where it was."""
        self.server = ContentServer(
            self.server.directory, self.identity, self.network.wire.address, port=self.server.port
        )
        self.server.start()


@dataclass(frozen=True, slots=True)
class Course:
    """Boot times of one station and one sound; of several tries the last."""

    asked_ms: int
    began_ms: int
    whole_ms: int

    @property
    def lasted_s(self) -> float:
        return (self.whole_ms - self.began_ms) / SECOND_MS

    @property
    def after_s(self) -> float:
        return (self.whole_ms - self.asked_ms) / SECOND_MS


def most_in_a_second(moments_ms: Iterable[int]) -> int:
    return max(Counter(at // SECOND_MS for at in moments_ms).values())


def most_at_once(courses: list[Course]) -> int:
    return max(sum(one.began_ms <= at.began_ms < one.whole_ms for one in courses) for at in courses)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    with laid_out(tmp_path) as network:
        network.spoil(*LINE)
        yield network


@pytest.fixture
def ward(network: Network, tmp_path: Path) -> Iterator[Ward]:
    authority = create_authority(tmp_path / "ca", "test")
    identity = issue_server(authority, tmp_path / "server", "content", [NAME])
    server = ContentServer(tmp_path / "shelf", identity, network.wire.address)
    (tmp_path / "shelf").mkdir()
    server.start()
    home = f"https://{NAME}:{server.port}"
    with commune.opened(tmp_path / "commune", network.wire.enter, authority.path, home, STATIONS) as stations:
        ward = Ward(network, server, identity, stations)
        ward.commune.switch_on(asdict(published(server.directory)))
        yield ward
        ward.server.stop()


def published(shelf: Path) -> Head:
    """The ward's newest manifest, a full one, and its head. What it lists is over: nobody lacks it."""
    paper = Paper("ab" * 32, 3_000)
    listed = tuple(
        ListedOrder(f"{number:064x}", JobId(f"lenh-{number:040}"), UtcMs(makers.NOON - 1), paper)
        for number in range(LISTED)
    )
    body = write_manifest(Manifest(WARD, 1, 1, {}, listed, ()), makers.REALM)
    head = Head(WARD, 1, 1, UtcMs(host_clock().utc), hashlib.sha256(body).hexdigest(), len(body))
    (shelf / "paper").mkdir()
    (shelf / "paper" / head.digest).write_bytes(body)
    (shelf / "head" / WARD).mkdir(parents=True)
    (shelf / "head" / WARD / "head.json").write_bytes(HEAD)
    return head


def manifest_of(ward: Ward) -> str:
    (body,) = (ward.server.directory / "paper").iterdir()
    return body.name


def test_of_a_commune_that_is_welcomed_in_one_second_each_looks_at_the_manifests_in_its_own(ward: Ward) -> None:
    with Line(ward.network) as line:
        had = ward.all_have(manifest_of(ward))
        looks = [one.at_ms for one in ward.commune.seen("began", "FetchHeads")]
    print(
        f"manifests of {STATIONS} stations: looked at within {(max(looks) - min(looks)) / 1000:.0f} s, at most "
        f"{most_in_a_second(looks)} in a second, all had after {(max(o.whole_ms for o in had) - min(looks)) / 1000:.0f}"
        f" s; the server's busiest second {line.busiest_bytes_s() / 1e6:.2f} MB"
    )
    assert most_in_a_second(looks) <= 20, "seven a second in the mean"
    assert max(looks) - min(looks) > 0.8 * SOON_MS


def test_a_bulletin_for_the_next_half_hour_is_fetched_spread_and_as_fast_as_by_a_station_alone(ward: Ward) -> None:
    ward.all_have(manifest_of(ward))
    first, item = ward.put(randbytes(BULLETIN_BYTES))
    ward.commune.order(1, job_id="alone", items=[item])
    (alone,) = ward.all_have(first, 1)
    key, item = ward.put(randbytes(BULLETIN_BYTES))
    with Line(ward.network) as line:
        ward.commune.order(job_id="all", items=[item], when={"kind": "at", "utc": host_clock().utc + 1_800_000})
        had = ward.all_have(key)
    begun = sorted(one.began_ms for one in had)
    lasted = sorted(one.lasted_s for one in had)
    print(
        f"a bulletin of {BULLETIN_BYTES} bytes, ordered to {STATIONS} stations at once: begun within "
        f"{(begun[-1] - begun[0]) / 1000:.0f} s, half within {(begun[STATIONS // 2] - begun[0]) / 1000:.0f} s, at most "
        f"{most_in_a_second(begun)} in a second, {most_at_once(had)} under way at once; the server's busiest second "
        f"{line.busiest_bytes_s() / 1e6:.2f} MB; it lasted {alone.lasted_s:.2f} s for one alone, "
        f"{lasted[STATIONS // 2]:.2f} s for half of them, {lasted[-1]:.2f} s at the most"
    )
    assert 0.9 * SPREAD_MS < begun[-1] - begun[0] <= 1.1 * SPREAD_MS
    assert most_in_a_second(begun) <= 6, "one in three seconds in the mean"
    assert most_at_once(had) <= 12
    assert lasted[STATIONS // 2] <= 3 * alone.lasted_s
    assert not ward.commune.seen("failed", key)


def test_a_commune_whose_server_was_gone_comes_back_spread(ward: Ward) -> None:
    """All have failed in the same second, at each try, which is the worst case."""
    ward.all_have(manifest_of(ward))
    key, item = ward.put(randbytes(BULLETIN_BYTES))
    ward.server.stop()
    now = host_clock().utc
    ward.commune.order(job_id="all", items=[item], not_after=now + 3_600_000)
    wait_until(boot_ms() + DOWN_S * SECOND_MS)
    together = most_in_a_second(one.at_ms for one in ward.commune.seen("failed", key))
    ward.restart()
    back_ms = boot_ms()
    with Line(ward.network) as line:
        had = ward.all_have(key)
    begun = sorted(one.began_ms for one in had)
    print(
        f"{STATIONS} stations that failed together ({together} in a second at first) after {DOWN_S} s without a "
        f"server: begun within {(begun[-1] - back_ms) / 1000:.0f} s, half within "
        f"{(begun[STATIONS // 2] - back_ms) / 1000:.0f} s, at most {most_in_a_second(begun)} in a second, "
        f"{most_at_once(had)} under way at once; the server's busiest second {line.busiest_bytes_s() / 1e6:.2f} MB"
    )
    assert begun[-1] - back_ms <= RETRY_MS_MAX + SECOND_MS
    assert most_in_a_second(begun) <= 8, "one in two or three seconds in the mean"
    assert most_at_once(had) <= 20


def test_an_emergencys_clip_comes_before_what_all_are_downloading(ward: Ward) -> None:
    ward.all_have(manifest_of(ward))
    first, item = ward.put(randbytes(SIREN_BYTES))
    ward.commune.order(1, job_id="alone", items=[item], **WARNING)
    (alone,) = ward.all_have(first, 1)
    quiet_key, item = ward.put(randbytes(SIREN_BYTES))
    ward.commune.order(job_id="quiet", items=[item], **WARNING)
    quiet = ward.all_have(quiet_key)

    notice, item = ward.put(randbytes(NOTICE_BYTES))
    before = ward.network.traffic().down
    ward.commune.order(job_id="notice", items=[item])
    until_all_are_downloading(ward, notice)
    siren, item = ward.put(randbytes(SIREN_BYTES))
    have_bytes, have = ward.commune.bytes_of(notice), len(ward.commune.seen("whole", notice))
    ward.commune.order(job_id="flood", items=[item], **WARNING)
    warned = ward.all_have(siren)
    meanwhile_bytes = ward.commune.bytes_of(notice) - have_bytes
    ward.all_have(notice)
    told = ward.network.traffic().down - before

    slowest = [max(one.after_s for one in them) for them in (quiet, warned)]
    together = STATIONS * SIREN_BYTES
    print(
        f"an emergency's clip of {SIREN_BYTES} bytes: {alone.after_s:.2f} s for a station alone, "
        f"{slowest[0]:.1f} s until the last of {STATIONS} has it, {slowest[1]:.1f} s where all download something else "
        f"({have} had done), of which {meanwhile_bytes / 1e6:.2f} MB came meanwhile, beside {together / 1e6:.0f} MB; "
        f"all in all {told / 1e6:.0f} MB for {STATIONS * (SIREN_BYTES + NOTICE_BYTES) / 1e6:.0f}"
    )
    assert have <= 0.1 * STATIONS, "they were not downloading any more"
    assert slowest[1] <= 1.5 * slowest[0]
    assert meanwhile_bytes <= 0.1 * together
    assert told <= 1.25 * STATIONS * (SIREN_BYTES + NOTICE_BYTES), "what was begun was fetched anew"


def until_all_are_downloading(ward: Ward, key: str) -> None:
    end = boot_ms() + GIVE_UP_S * SECOND_MS
    while (left := STATIONS - ward.commune.begun(key)) > 0:
        assert boot_ms() < end, f"{left} never began"
        wait_until(boot_ms() + SECOND_MS)
