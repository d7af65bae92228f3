from __future__ import annotations

import socket
import sys
import uuid

import pytest

from bot.hosting.systemd import ServiceNotifier

pytestmark = pytest.mark.skipif(
    not hasattr(socket, "AF_UNIX"), reason="this system has no such sockets"
)
KINDS = [
    "path",
    pytest.param(
        "abstract",
        marks=pytest.mark.skipif(
            sys.platform != "linux", reason="Linux alone has sockets in no folder"
        ),
    ),
]


@pytest.fixture(params=KINDS)
def manager(request, tmp_path):
    """Give a socket as a service manager opens one, and its address as the environment has it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.settimeout(10)
        if request.param == "path":
            address = str(tmp_path / "notify")
            channel.bind(address)
        else:
            address = f"@easel-{uuid.uuid4()}"
            channel.bind("\0" + address[1:])
        yield channel, address


def test_states_are_sent_as_the_protocol_has_them(manager):
    channel, address = manager
    notifier = ServiceNotifier(address, 60.0)

    notifier.notify_ready()
    notifier.ping_watchdog()
    notifier.show_status("all\nis well")
    notifier.notify_stopping()

    received = [channel.recv(4096) for _ in range(4)]
    assert received == [b"READY=1", b"WATCHDOG=1", b"STATUS=all is well", b"STOPPING=1"]
    assert notifier.ping_interval_seconds == 30.0


@pytest.mark.parametrize("address", [None, "", "/no/such/socket", "@nobody", "x" * 500, "a\0b"])
def test_a_manager_that_is_not_there_is_no_trouble(address):
    notifier = ServiceNotifier(address)

    notifier.notify_ready()

    assert notifier.ping_interval_seconds is None


def test_a_manager_that_does_not_read_holds_nothing_up(manager):
    _, address = manager
    notifier = ServiceNotifier(address)

    for _ in range(10_000):
        notifier.ping_watchdog()
