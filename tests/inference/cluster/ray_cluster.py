"""A Ray cluster of one machine for tests, started by Easel's own commands; once a process."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[3]
PORTS_OF_A_NODE = 30
#: Little memory, and one worker a node: a resource of our own in place of a card.
NODE_OPTIONS = (
    """'--resources={"seat":1}' --object-store-memory=100000000 --num-gpus=0 --num-cpus=0"""
)
TRIES = 2
QUIET = 8.0  # seconds in which an actor that waited would have come up
GRACE = 10.0  # seconds for a node to end


@dataclass
class Node:
    """One `ray start --block`, and what it started; may be started again."""

    command: tuple[str, ...]
    log: Path
    #: Its data directory.
    folder: Path
    process: subprocess.Popen = field(init=False)

    def start(self) -> None:
        """Start it and wait until it is a node.

        Raises:
            RuntimeError: it ended at once, or does not come up.
        """
        environment = {**os.environ, "EASEL_DATA_DIR": str(self.folder), "OMP_NUM_THREADS": "1"}
        with self.log.open("w") as stream:
            self.process = subprocess.Popen(
                self.command,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self.folder.parent,
                start_new_session=True,
            )
        begin = time.monotonic()
        while "Ray runtime started" not in self.log.read_text():
            if self.process.poll() is not None or time.monotonic() - begin > PATIENCE:
                self.end()
                raise RuntimeError(f"It did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.1)

    def list_processes(self) -> list[int]:
        """List what it started."""
        return list_descendants(self.process.pid)

    def find_raylet(self) -> int:
        """Find the process that is the node to Ray."""
        for pid in self.list_processes():
            if Path(f"/proc/{pid}/comm").read_text().strip() == "raylet":
                return pid
        raise LookupError("no raylet")

    def kill(self) -> None:
        """End it and all that it started, as if its machine went out."""
        for pid in [*self.list_processes(), self.process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        """End it with everything that it started."""
        children = self.list_processes()
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(GRACE)
        self.process.kill()
        self.process.wait()
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@dataclass
class RayCluster:
    """A head and nodes; all in one folder, whose name is short since sockets lie in it."""

    folder: Path
    port: int
    ip: str = "127.0.0.1"
    nodes: list[Node] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{self.ip}:{self.port}"

    @property
    def token(self) -> Path:
        return self.folder / "head" / "cluster-token"

    @property
    def head(self) -> Node:
        return self.nodes[0]

    def start_head(self) -> Node:
        ray = f"--temp-dir={self.folder / 't'}"
        return self._start("head", self.port, self.ip, "head", ray=ray)

    def join(self, name: str, ip: str = "127.0.0.1", launcher: tuple[str, ...] = ()) -> Node:
        """Start another node, by a launcher if there is one."""
        folder = self.folder / name
        folder.mkdir()
        shutil.copy(self.token, folder / "cluster-token")
        return self._start(name, find_ports(), ip, "join", self.address, launcher=launcher)

    def _start(
        self,
        name: str,
        port: int,
        ip: str,
        *arguments: str,
        ray: str = "",
        launcher: tuple[str, ...] = (),
    ) -> Node:
        folder = self.folder / name
        (folder / "models").mkdir(parents=True, exist_ok=True)
        options = ["--ip", ip, "--port", str(port)]
        ray_options = f"{NODE_OPTIONS} {ray} --max-worker-port={port + PORTS_OF_A_NODE - 1}"
        command = [sys.executable, str(ROOT / "main.py"), "cluster", *arguments, *options]
        command = [*launcher, *command, "--ray", ray_options]
        node = Node(tuple(command), self.folder / f"{name}.log", folder)
        node.start()
        self.nodes.append(node)
        return node

    def list_processes(self) -> list[int]:
        """List what all nodes started."""
        return [pid for node in self.nodes for pid in node.list_processes()]

    def end_seats(self) -> None:
        """End the actors on the head, and those that take their places while nobody asks."""
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < QUIET:
            for pid in self.head.list_processes():
                with contextlib.suppress(OSError):
                    if "RaySeatHost" in Path(f"/proc/{pid}/cmdline").read_text():
                        os.kill(pid, signal.SIGKILL)
                        quiet_since = time.monotonic()
            time.sleep(0.1)

    def close(self) -> None:
        for node in reversed(self.nodes):
            node.end()
        shutil.rmtree(self.folder, ignore_errors=True)


def open_cluster(ip: str = "127.0.0.1") -> RayCluster:
    """Start a head, which is a node, too; a busy machine gets a second try."""
    for attempt in range(TRIES):
        cluster = RayCluster(Path(tempfile.mkdtemp(prefix="ec", dir="/tmp")), find_ports(), ip)
        try:
            cluster.start_head()
        except RuntimeError:
            cluster.close()
            if attempt == TRIES - 1:
                raise
        else:
            return cluster
    raise AssertionError


@functools.cache
def shared_cluster() -> RayCluster:
    """Give one cluster to all tests of this process."""
    cluster = open_cluster()
    atexit.register(cluster.close)
    return cluster


def find_ports() -> int:
    """Find so many free ports in a row as a node takes; return the first."""
    for first in range(21000 + os.getpid() % 500 * 10, 32000, PORTS_OF_A_NODE):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + PORTS_OF_A_NODE):
                probe = stack.enter_context(socket.socket())
                probe.bind(("127.0.0.1", port))
            return first
    raise RuntimeError("no free ports")


def find_parent(pid: int) -> int:
    """Read which process started a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def list_descendants(pid: int) -> list[int]:
    """List the processes that a process started, and those that these did."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found = list(children.get(pid, []))
    for child in found:
        found += children.get(child, [])
    return found
