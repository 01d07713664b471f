"""The agent's unit with the drop-in for a TPM, on a booted system: within the walls the chip is there, and signs.

In the agent's place stands a program that makes both keys, signs, and shows a certificate by the second one. The TPM is
one of software, reached by this machine's own address, as no kernel lends a chip here; for the device file stands
another one with its name and its group.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.host.booted import SHARED, installed, needs_boot, run_booted
from tests.host.ossl_provider import NEEDS_PROVIDER
from tests.host.swtpm import NEEDS_SWTPM, PIN, library

ROOT = Path(__file__).parents[2]
SYSTEMD = ROOT / "systemd"
SHIPPED, TPM = SYSTEMD / "edge-agent.service", SYSTEMD / "drop-ins/edge-agent-tpm.conf"
IDENTITY, DEVICE = "/var/lib/edge-agent/identity", "/dev/tpmrm0"
CHIP = "swtpm:host=127.0.0.1,port=2321"
SIGNS = """
import json, os, socket, ssl, threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from edge_agent.identity.tls_keys import TlsToken
from edge_agent.identity.token_keys import TokenKey
from edge_agent.identity.token_library import TokenError
from edge_agent.sync.turns import TurnTakingSocket
own = Path("/var/lib/edge-agent/identity")
issuing = ec.generate_private_key(ec.SECP256R1())
def write(name, public):
    subject, issuer = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, who)]) for who in (name, "server.pem"))
    begun = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public).serial_number(7)
    at = datetime.now(UTC)
    dated = begun.not_valid_before(at - timedelta(days=1)).not_valid_after(at + timedelta(days=1))
    whole = dated.add_extension(x509.BasicConstraints(subject == issuer, None), critical=True)
    (own / name).write_bytes(whole.sign(issuing, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
def serve(context, line):
    with context.wrap_socket(line, server_side=True) as tls:
        tls.sendall(tls.getpeercert(binary_form=True) or b"nobody")
def shown():
    pin = own / "signing.pin"
    key = TlsToken(TokenKey(own / "station.token", "{library}", "TRAM", opened_by=pin))
    key.make()
    key.prepare()
    write("station.pem", serialization.load_der_public_key(key.public))
    write("server.pem", issuing.public_key())
    pem, pkcs8, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (own / "server.key").write_bytes(issuing.private_bytes(pem, pkcs8, plain))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(own / "server.pem", own / "server.key")
    server.load_verify_locations(own / "server.pem")
    server.verify_mode = ssl.CERT_REQUIRED
    ours, theirs = socket.socketpair()
    threading.Thread(target=serve, args=(server, theirs), daemon=True).start()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    key.show(context, own / "station.pem")
    ours.settimeout(30)
    with TurnTakingSocket(ours, context, None) as stream:
        stream.do_handshake()
        return stream.recv(9_999) == ssl.PEM_cert_to_DER_cert((own / "station.pem").read_text())
try:
    os.close(os.open("{device}", os.O_RDWR))
    chip = "opened"
except OSError as error:
    chip = type(error).__name__
try:
    signer = TokenKey(Path("{identity}/signing.token"), "{library}", "TRAM").make()
    signed = signer.public.signed(b"nhat ky", signer.sign(b"nhat ky"))
except TokenError as error:
    signed = type(error).__name__
try:
    met = shown()
except (TokenError, OSError) as error:
    met = str(error)
seen = sorted(name for name in os.listdir("/dev") if name in ("tpmrm0", "kmsg"))
print(json.dumps(dict(chip=chip, signed=signed, met=met, seen=seen)), flush=True)
"""
ASKS = """
set -eu
systemd-sysusers {shared}/users.conf 2>/dev/null
mkdir -p /run/edge-agent /run/chip
mknod {device} c 1 3
chgrp tss {device}
chmod 660 {device}
export TPM2_PKCS11_STORE={identity}/tpm TPM2_PKCS11_TCTI={chip} TPM2TOOLS_TCTI={chip} PIN={pin} SO=so-pin-0815
umask 077
mkdir -p $TPM2_PKCS11_STORE
echo $PIN >{identity}/signing.pin
exec 2>{shared}/tools.log
swtpm socket --tpm2 --tpmstate dir=/run/chip --server type=tcp,port=2321 --ctrl type=tcp,port=2322 \\
    --flags not-need-init,startup-clear --daemon
pkcs11-tool --module {library} --init-token --slot-index 0 --label TRAM --so-pin env:SO >&2
pkcs11-tool --module {library} --init-pin --token-label TRAM --so-pin env:SO --pin env:PIN >&2
chown -R edge-agent:edge-agent /var/lib/edge-agent
systemctl daemon-reload
for name in shipped with-tpm; do
    tpm2_flushcontext --transient-object  # as the kernel does for a process that ended
    systemctl start $name.service || true
    cat {shared}/$name.json
done
"""

pytestmark = [*NEEDS_SWTPM, *NEEDS_PROVIDER, needs_boot]


def test_with_the_drop_in_the_agent_signs_by_the_chip_and_sees_it_and_as_shipped_neither(tmp_path: Path) -> None:
    shared, added = tmp_path / "shared", tmp_path / "added"
    shared.mkdir()
    installed(added, ROOT / "edge_agent", "cryptography", "python-pkcs11")
    units = added / "etc/systemd/system"
    units.mkdir(parents=True)
    for name in ("shipped", "with-tpm"):
        (units / f"{name}.service").write_text(signing_instead(SHIPPED.read_text(), f"{SHARED}/{name}.json"))
    (units / "with-tpm.service.d").mkdir()
    (units / "with-tpm.service.d" / "tpm.conf").write_text(TPM.read_text())
    words = {"shared": SHARED, "identity": IDENTITY, "device": DEVICE, "chip": CHIP, "library": library(), "pin": PIN}
    (shared / "signs.py").write_text(SIGNS.format(**words))
    (shared / "asks.sh").write_text(ASKS.format(**words))
    (shared / "users.conf").write_text((SYSTEMD / "sysusers.d/edge-agent.conf").read_text())
    said = run_booted(shared, added, f"/bin/sh {SHARED}/asks.sh")
    shipped, with_tpm = map(read, said.splitlines())
    assert with_tpm == {"chip": "opened", "signed": True, "met": True, "seen": ["tpmrm0"]}
    assert shipped["chip"] == "FileNotFoundError"
    assert shipped["seen"] == []
    assert shipped["signed"] is not True
    assert shipped["met"] is not True


def read(line: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(line)
    return found


def signing_instead(unit: str, said: str) -> str:
    """The unit with another program, which ends by itself, and with the chip at this machine's address."""
    kept = re.sub(r"(?m)^(Exec\w+|Type|NotifyAccess|Restart|WatchdogSec|Wants|After)=.*\n", "", unit)
    program = f"Type=oneshot\nExecStart=/opt/edge-agent/bin/python {SHARED}/signs.py\n"
    own = f"StandardOutput=truncate:{said}\nStandardError=null\nEnvironment=TPM2_PKCS11_TCTI={CHIP} TSS2_LOG=all+NONE\n"
    return kept.replace("[Service]\n", f"[Service]\n{program}{own}", 1)
