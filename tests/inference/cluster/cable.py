"""A cable between this machine and a node that can be pulled, where root may make one."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator


class Cable:
    """Two network namespaces and a pair of interfaces between them; this machine's end is ours."""

    def __init__(self) -> None:
        number = os.getpid() % 200 + 20
        self.name = f"easel{number}"
        self.head_ip, self.node_ip = f"10.231.{number}.1", f"10.231.{number}.2"

    def plug_in(self) -> None:
        near, far = f"{self.name}a", f"{self.name}b"
        _ip("netns", "add", self.name)
        _ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", self.name)
        _ip("addr", "add", f"{self.head_ip}/24", "dev", near)
        _ip("link", "set", near, "up")
        for command in (
            ("addr", "add", f"{self.node_ip}/24", "dev", far),
            ("link", "set", far, "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", self.name, *command)

    @property
    def launcher(self) -> tuple[str, ...]:
        """What starts a program at the far end."""
        return ("ip", "netns", "exec", self.name)

    def set_state(self, state: str) -> None:
        """Pull it out (`down`) or put it in again (`up`)."""
        _ip("link", "set", f"{self.name}a", state)

    def remove(self) -> None:
        for command in (("link", "del", f"{self.name}a"), ("netns", "del", self.name)):
            with contextlib.suppress(OSError, subprocess.CalledProcessError):
                _ip(*command)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextlib.contextmanager
def open_cable() -> Iterator[Cable | None]:
    """Lay a cable; None where that is not allowed."""
    cable = Cable()
    try:
        cable.plug_in()
    except (OSError, subprocess.CalledProcessError):
        cable.remove()
        yield None
        return
    try:
        yield cable
    finally:
        cable.remove()
