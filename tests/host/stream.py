"""A live source over HTTPS: MP3 of one tone, at the pace at which it is made, for as long as it is told to give any."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from edge_agent.headend.pki import Issued

BYTES_A_SECOND = 8_000
BURST_S = 3
# What a streaming server sends a new listener at once.
STEP_S = 0.1
TONE_S = 600


class ToneStream(ThreadingHTTPServer):
    """Serves on a port of its own, which is known before it has a certificate."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Listener, bind_and_activate=False)
        self.server_bind()
        self.gives = threading.Event()
        self.sound = b""

    @property
    def base(self) -> str:
        """How every address of it begins."""
        return f"https://localhost:{self.server_address[1]}/"

    def serve(self, identity: Issued, tone_hz: int, folder: Path) -> None:
        """Begin to answer, with nothing so far; told twice is told once."""
        if self.sound:
            return
        self.sound = _tone(tone_hz, folder)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(identity.certificate, identity.key)
        self.socket: socket.socket = tls.wrap_socket(self.socket, server_side=True)
        self.server_activate()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """Nobody is answered any more."""
        if self.sound:
            self.shutdown()
        self.server_close()


class _Listener(BaseHTTPRequestHandler):
    server: ToneStream

    def log_message(self, format: str, *args: Any) -> None:
        del format, args

    def do_GET(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "audio/mpeg")
        self.end_headers()
        sent = 0.0
        due = BURST_S * BYTES_A_SECOND
        while int(due) < len(self.server.sound):
            if self.server.gives.is_set():
                self.wfile.write(self.server.sound[int(sent) : int(due)])
                sent, due = due, due + STEP_S * BYTES_A_SECOND
            time.sleep(STEP_S)


def _tone(hz: int, folder: Path) -> bytes:
    path = folder / f"stream-{hz}.mp3"
    source = f"sine=frequency={hz}:sample_rate=44100:duration={TONE_S}"
    encoding = ("-af", "volume=4", "-ac", "1", "-codec:a", "libmp3lame", "-b:a", "64k")
    bare = ("-write_xing", "0", "-id3v2_version", "0")
    made = ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", source, *encoding, *bare, str(path)]
    subprocess.run(made, check=True)
    return path.read_bytes()
