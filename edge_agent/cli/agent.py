"""Compose the agent's process: trust, journal, broker session, staging, the line to the device, and housekeeping."""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from edge_agent import element, host
from edge_agent.audio.live_decoder import LiveDecoder
from edge_agent.audio.loudness import levelling, spoken
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.speech import EspeakVoice
from edge_agent.audio.staging import Stager
from edge_agent.audio.stems import RecordedFirst, recorded_first
from edge_agent.cli import paths, signing_note
from edge_agent.cli.certificate_note import certificate_note
from edge_agent.cli.confinement import confinement
from edge_agent.cli.process import die_with_any_thread, log_to_stderr, on_stop
from edge_agent.clock import THIS_MACHINE, Readings, StationClock, boot_ms
from edge_agent.config import Config, Ntp
from edge_agent.core.trust_standing import TrustStanding
from edge_agent.core.units import HOUR_MS, MINUTE_MS, SECOND_MS, MonoMs
from edge_agent.fetch_and_stage import FetchAndStage, Memory
from edge_agent.free_space import MEMORY_FREE_BYTES_MIN
from edge_agent.host import HostReader, Way
from edge_agent.housekeeping import Chore, Housekeeping
from edge_agent.identity.installing import unfinished
from edge_agent.identity.pen import Pen
from edge_agent.identity.renewing import Renewal, Renewer
from edge_agent.identity.resetting import begun
from edge_agent.identity.tls_keys import in_element, tls_key
from edge_agent.identity.token_keys import signing_key
from edge_agent.identity.token_library import TokenError
from edge_agent.inbox import Inbox
from edge_agent.journal.port import Contents, JournalError
from edge_agent.journal.record import Origin
from edge_agent.journal.spare import SpareStore
from edge_agent.journal.store import Store
from edge_agent.link.client import DeviceClient
from edge_agent.live_worker import LiveWorker
from edge_agent.memory import settle
from edge_agent.restoring import beside, trust_file
from edge_agent.runtime import Ports, Runtime
from edge_agent.software import software
from edge_agent.sync.client import BrokerSettings
from edge_agent.sync.download import HttpsFetcher
from edge_agent.sync.home import HttpsHome
from edge_agent.sync.https import Trust as ContentTrust
from edge_agent.sync.live_stream import LiveStream
from edge_agent.sync.messages import Sender
from edge_agent.sync.mqtt import MqttSession
from edge_agent.sync.right_of_way import RightOfWay
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.keys import UnusableKey
from edge_agent.upstream import Identity, Upstream
from edge_agent.watchdog import Notifier, Progress

CORE, NETWORK = "core", "network"
CORE_MS_MAX = 5 * SECOND_MS
# The core steps at least every two seconds (runtime.LOOP_MS_MAX); systemd restarts after ten without a sign.
NETWORK_MS_MAX = 2 * SECOND_MS
# The session's thread turns each second. One that is late is not ended for it, only not fed until it turns again; with
# WatchdogSec=10 and RestartSec=2 another process stands in its place within 15 s.
HELLO_MS = 6 * HOUR_MS
SWEEP_MS = 24 * HOUR_MS
FIRST_MS = 10 * MINUTE_MS
# Of a sweep, and of a look at the certificate. Where mains are switched off every night, no process sees its second
# day, and where they are on for the broadcasts alone, none its sixth hour. Not sooner: welcome and manifests come
# first; what they name is kept, and by the time that they tell a certificate is due.
RENEWAL_MS = 6 * HOUR_MS
# Freshness is proven again this often (protocol). A renewal that fails at the first look has a thousand more before the
# certificate ends.
ANEW_MS = 30 * MINUTE_MS
# Between two starts for a key that fails. One costs a handshake and what the broker retains, some 10 kB.
JOURNAL_TRIES, JOURNAL_PAUSE_S = 3, 2.0
# A flash controller's hiccup is over by then.
EXIT_SETUP = 2

log = logging.getLogger(__name__)


def run(config: Config) -> int:
    """Be the station's agent until told to stop."""
    log_to_stderr()
    die_with_any_thread()
    if trouble := paths.prepare(config):
        log.error("no folder to work in, không có thư mục field=[paths] error=%s next=edge-agent doctor", trouble)
        return EXIT_SETUP
    if begun(config):
        log.error("factory reset was cut short, xóa trạm còn dở next=sudo edge-agent factory-reset, or enrol")
        return EXIT_SETUP
    if unfinished(config):
        log.error("enrolment was cut short, chưa đăng ký xong next=sudo edge-agent enrol")
        return EXIT_SETUP
    try:
        trust = trust_file(config.trust.file, paths.journal(config), config.site)
    except (OSError, ValueError) as error:
        log.error("trust not usable error=%s next=edge-agent doctor", error)
        return EXIT_SETUP
    inbox = Inbox()
    pen = _pen(config, inbox)
    broker = _broker(config)
    on_stop(inbox.stop_asked)
    notifier = Notifier.from_environment()
    Runtime(_ports(config, trust, pen, broker, inbox, notifier), inbox).run()
    notifier.stopping()
    if element.hangs():
        os._exit(0)  # all is said and written; what else there is to end waits for the element, until systemd kills it
    return 0


def _ports(
    config: Config, trust: bytes | None, pen: Pen, server: BrokerSettings, inbox: Inbox, notifier: Notifier
) -> Ports:
    boot_id, named = secrets.token_hex(8), software()
    journal, kept = _journal(paths.journal(config), Origin(config.site.station, named, boot_id))
    keeper, contents = beside(trust, kept, config.site)
    clock = _clock(config, contents, keeper.standing)
    sign_as = partial(_sign, pen)
    renewer = Renewer(Renewal(config, pen), clock.now)
    note = certificate_note(config, paths.certificate_trouble(config), clock.now, renewer.refused)
    post = note.watch(inbox.post)
    session = MqttSession(server, post, clock.now, lambda: upstream.will(clock.now()), note.ended)
    sender = Sender(config.site.realm, config.site.station, boot_id, named)
    identity = Identity(sender, config.site.area, config.name)
    way = Way((config.broker.host, config.broker.port))
    box = HostReader(partial(host.read, config.paths.state_dir, way, config.serial))
    box.start()
    upstream = Upstream(identity, session, sign_as, box.latest)
    progress = Progress(notifier, {CORE: CORE_MS_MAX, NETWORK: NETWORK_MS_MAX}, boot_ms())
    stager = _stager(config)
    return Ports(
        site=config.site,
        clock=clock,
        journal=journal,
        contents=contents,
        session=session,
        device=DeviceClient(paths.socket(config), inbox.post),
        staging=_staging(config, clock, stager),
        live=_live(config, clock),
        upstream=upstream,
        trust=keeper,
        status_file=paths.status(config),
        spent_file=paths.spent(config),
        ready=partial(_ready, notifier, inbox, config.reporting.heartbeat_s, renewer, pen, stager),
        alive=partial(_alive, progress, session.turned_at),
        home=_home(config, clock),
    )


def _journal(folder: Path, origin: Origin, wait: Callable[[float], None] = time.sleep) -> tuple[Store, Contents]:
    """With what is in it. Where the disk gives none, one in its place: a warning needs none."""
    for left in reversed(range(JOURNAL_TRIES)):
        try:
            return _loaded(Store(folder, origin, hesitates=left > 0))
        except JournalError as error:
            refused = str(error)
            wait(JOURNAL_PAUSE_S)
    return _loaded(SpareStore(folder, origin, refused))


def _loaded(store: Store) -> tuple[Store, Contents]:
    try:
        return store, store.load()
    except JournalError:
        store.close()
        raise


def _clock(
    config: Config, contents: Contents, believed: TrustStanding, readings: Readings = THIS_MACHINE
) -> StationClock:
    ntp, rtc = config.clock.ntp is Ntp.AUTO, config.clock.rtc
    return StationClock(ntp=ntp, rtc=rtc, floor=believed.floor(contents.floor), kept=contents.kept, readings=readings)


def _broker(config: Config) -> BrokerSettings:
    """The certificate's key is prepared here, before there are threads; one that fails costs the line alone."""
    key = tls_key(config)
    try:
        key.prepare()
    except (OSError, ValueError, TokenError) as error:
        log.error("certificate cannot be shown field=[broker] key_file error=%s next=edge-agent doctor", error)
    return BrokerSettings(
        host=config.broker.host,
        port=config.broker.port,
        ca_file=config.broker.ca_file,
        cert_file=config.broker.cert_file,
        show=key.show,
        key_in_element=in_element(config),
        station=config.site.station,
        area=config.site.area,
        keepalive_s=config.broker.keepalive_s,
    )


def _staging(config: Config, clock: StationClock, stager: Stager) -> FetchAndStage:
    trust, way = ContentTrust(config.content.ca_file, clock.now), RightOfWay()
    fetcher = HttpsFetcher(paths.originals(config), trust, way=way)
    root = paths.warnings_in_memory(config) / "originals"
    beside = HttpsFetcher(root, trust, free_bytes_min=MEMORY_FREE_BYTES_MIN, way=way)
    return FetchAndStage(fetcher, stager, config.cache.bytes_max, Memory(beside, _stager_in_memory(config)))


def _home(config: Config, clock: StationClock) -> HttpsHome | None:
    if not config.content.home:
        return None
    return HttpsHome(config.content.home, ContentTrust(config.content.ca_file, clock.now))


def _live(config: Config, clock: StationClock) -> LiveWorker:
    decoder = LiveDecoder(confinement(config.decoder.sandbox))
    line = LiveStream(ContentTrust(config.content.ca_file, clock.now))
    return LiveWorker(paths.live(config), config.rate, decoder, line)


def _stager(config: Config) -> Stager:
    stager = recorded_first(_plain(config, paths.audio(config)), config.speech.stems)
    log.info("sound from outside is confined by %s", confinement(config.decoder.sandbox))
    log.info("pinned emergency set: %s", stager.ensure_pinned())
    return stager


def _stager_in_memory(config: Config) -> Stager:
    """Without recorded stems, which lie on the card."""
    left = MEMORY_FREE_BYTES_MIN
    return replace(_plain(config, paths.warnings_in_memory(config)), text_free_bytes_min=left, clip_free_bytes_min=left)


def _plain(config: Config, root: Path) -> Stager:
    confined = confinement(config.decoder.sandbox)
    store = PcmStore(root)
    store.sweep()
    voice = EspeakVoice(confined, config.speech.voice, config.speech.rate_wpm)
    return Stager(store, levelling(confined, store.scratch), voice, config.rate, spoken(confined))


def _pen(config: Config, inbox: Inbox) -> Pen:
    note = paths.cannot_sign(config)
    signing_note.clear(note)
    return Pen(signing_key(config.trust), partial(signing_note.write, note), inbox.anew_wanted)


def _sign(pen: Pen, kind: str, payload: bytes) -> bytes | None:
    try:
        return sign(payload_type(kind), payload, [pen])
    except UnusableKey:  # the pen has said so
        return None


def _ready(notifier: Notifier, inbox: Inbox, heartbeat_s: int, renewer: Renewer, pen: Pen, stager: Stager) -> None:
    notifier.ready()
    renewer.start()
    Housekeeping(chores(inbox, heartbeat_s, renewer.remind, pen.remind), boot_ms).start()
    make_stems_ready(stager)
    settle()


def chores(
    inbox: Inbox, heartbeat_s: int, renew: Callable[[], None], sign_again: Callable[[], None]
) -> tuple[Chore, ...]:
    """What the agent is reminded of, and how often."""
    return (
        Chore(inbox.heartbeat_due, heartbeat_s * SECOND_MS),
        Chore(inbox.hello_due, HELLO_MS),
        Chore(inbox.sweep_due, SWEEP_MS, FIRST_MS),
        Chore(renew, RENEWAL_MS, FIRST_MS),
        Chore(sign_again, ANEW_MS),
    )


def make_stems_ready(stager: Stager) -> None:
    """Decode what is recorded, beside all else: a warning that needs it will not wait for it."""
    if isinstance(stager.voice, RecordedFirst):
        threading.Thread(target=stager.voice.prepare, name="stems", daemon=True).start()


def _alive(progress: Progress, network_turned_at: Callable[[], MonoMs]) -> None:
    """The core has just stepped."""
    now = boot_ms()
    progress.mark(CORE, now)
    progress.mark(NETWORK, network_turned_at())
    progress.feed(now)
