"""`cluster`: make this machine the head of a Ray cluster, or a node of one, and look at it.

Ray's own command starts a node that takes orders from everybody: here it never starts without a
token, on fixed ports, without dashboard and without sending statistics of use.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import socket
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from bot.errors import MissingExtra, SettingsError
from bot.settings import CLUSTER_PATTERN, Settings
from bot.support.version import install_hint
from bot.worker_plan import TOKEN_FILE, find_token
from inference.api.workers.environment import (
    child_environment,
    find_tls_variables,
    module_command,
)

EXIT_DONE, EXIT_REFUSED = 0, 2
#: Bytes of memory for what travels; Ray would take a third of the machine's.
OBJECT_STORE_BYTES = 1_000_000_000
#: From the first port: the head's, two of each node's, and its workers'.
NODE_MANAGER_PORT, OBJECT_MANAGER_PORT, WORKER_PORTS = 1, 2, (20, 219)
TOKEN_BYTES = 32

SAFETY_TEXT = """\
Whoever reaches a port of Ray and has the token runs programs on every node, and what travels, the
token among it, is in the clear: put the nodes into a WireGuard network (or give Ray certificates,
RAY_USE_TLS=1) and let a firewall admit nodes alone to {first} to {last}.
"""


async def run_cluster_command(
    settings: Settings,
    action: str,
    target: str | None,
    *,
    ip: str | None = None,
    port: int = 6379,
    ray_options: str = "",
    wait_seconds: float = 0.0,
) -> int:
    """Do what was asked; of `head` and `join`, be Ray from then on, until it is ended.

    `target` is the head's address or, of `drain` and `undrain`, a node's or worker's name.
    """
    try:
        if find_spec("ray") is None:
            raise MissingExtra(f"A cluster needs an extra: {install_hint('cluster')}")
        if action == "status":
            return await show_status(settings, target)
        if action in ("drain", "undrain"):
            return await drain_nodes(settings, action, target, wait_seconds)
        if action == "head":
            options = _head_options(settings, ip or find_own_address(), port)
        else:
            options = _join_options(settings, target, ip)
        options += _node_options(port) + shlex.split(ray_options)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_REFUSED
    sys.stdout.write(SAFETY_TEXT.format(first=port, last=port + WORKER_PORTS[1]))
    sys.stdout.flush()
    return become_ray(settings, options)


def become_ray(settings: Settings, options: list[str]) -> NoReturn:
    """Put `ray start` in the place of this process: signals reach it as they are meant."""
    command = module_command("ray.scripts.scripts", "start", *options)
    os.execve(command[0], command, _node_environment(settings))  # noqa: S606 - no shell


async def show_status(settings: Settings, address: str | None) -> int:
    """Print the cluster's nodes and this bot's workers on them; 1 where it is not reached."""
    return await _ask_cluster(settings, address, "inference.cluster.show_nodes")


async def drain_nodes(
    settings: Settings, action: str, target: str | None, wait_seconds: float
) -> int:
    """Have a node or a worker take nothing new, or anything again; 1 where it is not told.

    Without a name it is this machine, whose jobs may be waited for: 1 where some are left then.
    """
    if target:
        return await _ask_cluster(
            settings, None, "inference.cluster.nodes.drain_nodes", action, target
        )
    command = module_command(
        "inference.cluster.nodes.drain",
        str(settings.data_dir.resolve()),
        action,
        str(wait_seconds),
    )
    process = await asyncio.create_subprocess_exec(*command, env=child_environment(os.environ))
    return await process.wait()


async def _ask_cluster(
    settings: Settings, address: str | None, module: str, *arguments: str
) -> int:
    """Run a module of the cluster's as a program, with its address and this bot's namespace."""
    from bot.app import engine_config
    from bot.worker_plan import plan_cluster

    address = address or settings.cluster or "auto"
    config = plan_cluster(settings.model_copy(update={"cluster": address}), engine_config(settings))
    command = module_command(module, address, config.namespace, *arguments)
    environment = _node_environment(settings)
    process = await asyncio.create_subprocess_exec(*command, env=environment)
    return await process.wait()


async def sync_models(settings: Settings, address: str | None) -> int:
    """Bring this machine's models to all nodes of a cluster; 1 where one of them lacks something.

    By default that is the bot's cluster, or the one whose head runs here.
    """
    from bot.app import engine_config

    try:
        if find_spec("ray") is None:
            raise MissingExtra(f"A cluster needs an extra: {install_hint('cluster')}")
        address = address or settings.cluster or "auto"
        if address != "auto" and not CLUSTER_PATTERN.fullmatch(address):
            raise SettingsError("Say which cluster: python main.py models sync HOST:6379")
        environment = _node_environment(settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_REFUSED
    config = engine_config(settings)
    command = module_command(
        "inference.cluster.model_sync", address, config.models_dir, config.cache_dir
    )
    process = await asyncio.create_subprocess_exec(*command, env=environment)
    return await process.wait()


def make_token(data_dir: Path) -> Path:
    """Make the cluster's token where there is none; return its file."""
    path = data_dir / TOKEN_FILE
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(TOKEN_BYTES))
    return find_token(data_dir)


def find_own_address() -> str:
    """Find the address by which this machine reaches others; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documentation, which nobody has
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def _head_options(settings: Settings, ip: str, port: int) -> list[str]:
    token = make_token(settings.data_dir)
    sys.stdout.write(
        f"On each other machine, with {token} copied into its data directory:\n"
        f"    python main.py cluster join {ip}:{port}\n"
        f"For the bot here: EASEL_CLUSTER={ip}:{port}\n\n"
    )
    # What has no card runs no worker, unless it is told to.
    own_port = [f"--node-ip-address={ip}", f"--port={port}"]
    return ["--head", *own_port, "--num-cpus=0", "--include-dashboard=false"]


def _join_options(settings: Settings, address: str | None, ip: str | None) -> list[str]:
    if not address or not CLUSTER_PATTERN.fullmatch(address):
        raise SettingsError("Say which cluster: python main.py cluster join HOST:6379")
    find_token(settings.data_dir)
    own_address = [f"--node-ip-address={ip}"] if ip else []
    return [f"--address={address}", *own_address]


def _node_options(port: int) -> list[str]:
    return [
        f"--node-manager-port={port + NODE_MANAGER_PORT}",
        f"--object-manager-port={port + OBJECT_MANAGER_PORT}",
        f"--min-worker-port={port + WORKER_PORTS[0]}",
        f"--max-worker-port={port + WORKER_PORTS[1]}",
        f"--object-store-memory={OBJECT_STORE_BYTES}",
        "--disable-usage-stats",
        "--block",
    ]


def _node_environment(settings: Settings) -> dict[str, str]:
    """Make what Ray and the workers it starts see: no secret of the bot's."""
    return child_environment(
        os.environ,
        EASEL_NODE_FOLDER=str(settings.data_dir.resolve()),
        RAY_AUTH_MODE="token",
        RAY_AUTH_TOKEN_PATH=str(find_token(settings.data_dir)),
        RAY_USAGE_STATS_ENABLED="0",
        **find_tls_variables(os.environ),
    )
