"""A private, real Icecast with TLS, and a source that feeds it in real time: what a commune has that streams."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_agent.headend.pki import Issued
from tests.audio.making import FFMPEG
from tests.host.ports import free_port

NOBODY = 65_534
# Icecast refuses to be root.
MOUNT = "live.mp3"
PASSWORD = "phat-thanh"
START_S = 60
WEB = "/usr/share/icecast2"

CONFIG = """<icecast>
  <location>test</location><admin>nobody@example.vn</admin><hostname>localhost</hostname>
  <authentication>
    <source-password>{password}</source-password>
    <admin-user>admin</admin-user><admin-password>{password}</admin-password>
  </authentication>
  <listen-socket><port>{tls}</port><bind-address>127.0.0.1</bind-address><ssl>1</ssl></listen-socket>
  <listen-socket><port>{plain}</port><bind-address>127.0.0.1</bind-address></listen-socket>
  <paths>
    <basedir>{folder}</basedir><logdir>{folder}</logdir>
    <webroot>{web}/web</webroot><adminroot>{web}/admin</adminroot>
    <ssl-certificate>{folder}/server.pem</ssl-certificate>
  </paths>
  <logging><accesslog>access.log</accesslog><errorlog>error.log</errorlog><loglevel>3</loglevel></logging>
  <security><chroot>0</chroot></security>
</icecast>
"""


class Icecast:
    """Listeners come by TLS, the source by a port of its own."""

    def __init__(self, tls: int, plain: int) -> None:
        self._plain = plain
        self.url = f"https://localhost:{tls}/{MOUNT}"

    @contextmanager
    def fed(self, hz: int) -> Iterator[None]:
        """A tone as MP3, 64 kbit/s, in real time, until the block ends: then as if its cable had been pulled out."""
        source = subprocess.Popen(
            [
                *(FFMPEG, "-nostdin", "-hide_banner", "-loglevel", "error", "-re"),
                *("-f", "lavfi", "-i", f"sine={hz}:sample_rate=44100", "-c:a", "libmp3lame", "-b:a", "64k"),
                *("-content_type", "audio/mpeg", "-f", "mp3"),
                f"icecast://source:{PASSWORD}@127.0.0.1:{self._plain}/{MOUNT}",
            ]
        )
        try:
            yield
        finally:
            source.kill()
            source.wait()


@contextmanager
def running_icecast(identity: Issued) -> Iterator[Icecast]:
    """Run one, in a folder that nobody may enter, until the block ends."""
    tls = free_port()
    plain = free_port()
    with tempfile.TemporaryDirectory(prefix="icecast-") as name:
        folder = Path(name)
        (folder / "server.pem").write_bytes(identity.certificate.read_bytes() + identity.key.read_bytes())
        config = folder / "icecast.xml"
        config.write_text(CONFIG.format(password=PASSWORD, tls=tls, plain=plain, folder=folder, web=WEB))
        command = [shutil.which("icecast2") or "icecast2", "-c", str(config)]
        if os.geteuid() == 0:
            for path in (folder, *folder.iterdir()):
                os.chown(path, NOBODY, NOBODY)
            command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _until_it_listens(child, tls, plain)
            yield Icecast(tls, plain)
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait()


def _until_it_listens(child: subprocess.Popen[bytes], *ports: int) -> None:
    until = time.monotonic() + START_S
    for port in ports:
        while True:
            assert child.poll() is None, "icecast2 has ended"
            assert time.monotonic() < until, "icecast2 does not listen"
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
