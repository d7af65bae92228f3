"""With certificates jobs run as ever, and the head speaks to nobody without one."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from importlib.util import find_spec

import pytest

from bot.cli.cluster import find_own_address
from inference.api.workers import RemoteWorkerPool
from tests.inference.api.workers.conftest import configure_link

if find_spec("ray") is None:
    pytest.skip("ray is not installed (extra: cluster)", allow_module_level=True)

from tests.inference.cluster.job_watch import JobWatch, write_photo
from tests.inference.cluster.ray_cluster import open_cluster
from tests.patience import PATIENCE

pytestmark = [pytest.mark.slow, pytest.mark.proof]


@pytest.fixture
def certificate(tmp_path, monkeypatch):
    """A certificate for this machine's addresses, told to all processes of Ray."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    names = {"127.0.0.1", find_own_address(), socket.gethostbyname(socket.gethostname())}
    places = ",".join(["DNS:localhost", *(f"IP:{name}" for name in sorted(names))])
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", str(key), "-out", str(certificate), "-subj", "/CN=easel"),
            *("-addext", f"subjectAltName={places}"),
        ],
        check=True,
        capture_output=True,
    )
    monkeypatch.setenv("RAY_USE_TLS", "1")
    monkeypatch.setenv("RAY_TLS_SERVER_CERT", str(certificate))
    monkeypatch.setenv("RAY_TLS_SERVER_KEY", str(key))
    monkeypatch.setenv("RAY_TLS_CA_CERT", str(certificate))
    return certificate


def call(cluster) -> socket.socket:
    return socket.create_connection((cluster.ip, cluster.port))


def greets(connection: socket.socket) -> bool:
    """Whether the other side answers a call of gRPC's, which goes over HTTP/2."""
    with connection:
        connection.settimeout(PATIENCE)
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
        try:
            connection.sendall(preface)
            reply = connection.recv(9)
        except OSError:
            return False
        return reply[3:4] == b"\x04"  # its settings, in a frame of their own


async def test_with_certificates_jobs_run_and_who_has_none_is_not_let_in(tmp_path, certificate):
    cluster = open_cluster()
    try:
        link = configure_link(
            tmp_path,
            "unhurried",
            address=cluster.address,
            namespace=tmp_path.name,
            token_path=str(cluster.token),
            needs={"seat": 1},
        )
        async with RemoteWorkerPool(link) as service:
            watch = JobWatch(service, write_photo(tmp_path), steps=3)
            await watch.hand_over()
            await watch.watch_until(lambda: watch.taken)
            assert (watch.taken, watch.losses) == (1, [])

        assert not greets(call(cluster))
        trust = ssl.create_default_context(cafile=certificate)
        trust.set_alpn_protocols(["h2"])
        assert not greets(trust.wrap_socket(call(cluster), server_hostname=cluster.ip))
        trust.load_cert_chain(certificate, certificate.with_name("key.pem"))
        assert greets(trust.wrap_socket(call(cluster), server_hostname=cluster.ip))
    finally:
        cluster.close()
