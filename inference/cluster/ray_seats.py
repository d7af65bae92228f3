"""Seats as Ray actors: detached, one name each, found again by the next link."""

from __future__ import annotations

import asyncio
import os
import platform
import socket
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ActorDiedError, RayError, RayTaskError

from inference.api.commands import ConfigureLink
from inference.cluster.ray_environment import NODE_FOLDER_VARIABLE
from inference.cluster.seat_host import SeatHost
from inference.cluster.transport import SeatDied, SeatTransport, SeatUnavailable

#: Where Ray notes the cluster of its machine, for `auto`.
CURRENT_CLUSTER_FILE = Path("/tmp/ray/ray_current_cluster")  # noqa: S108 - Ray's choice
PROBE_SECONDS = 5.0  # seconds
#: What the names of seats' actors begin with; their number follows.
SEAT_NAME = "seat"
#: Of the calls to one host that run at once, most wait.
MAX_CALLS = 1000


class RaySeatHost(SeatHost):
    """A seat's host as an actor; Ray finds it by name in the Easel of the node."""

    def __init__(self, seat: int) -> None:
        # Ray sets it to the actor's share of the cores, which is none: torch decides for itself.
        os.environ.pop("OMP_NUM_THREADS", None)
        if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
            del os.environ["CUDA_VISIBLE_DEVICES"]
        folder = os.environ.get(NODE_FOLDER_VARIABLE, "")
        super().__init__(seat, platform.node(), Path(folder), on_abandoned=lambda: os._exit(0))
        if not folder:
            self.problem = f"{NODE_FOLDER_VARIABLE} is not set there"
        elif not Path(folder, "models").is_dir():
            self.problem = f"there is no folder {folder}/models"


class RayTransport:
    """Speaks to one actor."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    async def call_host(self, method: str, *arguments: Any) -> Any:
        """Call a method; see `SeatTransport`."""
        try:
            return await getattr(self._actor, method).remote(*arguments)
        except RayTaskError as error:
            raise error.cause from error
        except ActorDiedError as error:
            raise SeatDied(str(error)) from error
        except RayError as error:
            raise SeatUnavailable(str(error)) from error

    def destroy_host(self) -> None:
        """End the actor; one that is not reached ends when it is."""
        ray.kill(self._actor, no_restart=True)


def connect_to_cluster(config: ConfigureLink) -> None:
    """Join the cluster as the bot's driver.

    Raises:
        OSError: nothing listens there.
        Exception: Ray's own, where the token is not the head's.
    """
    probe_head(config.address)
    ray.init(
        address=config.address,
        namespace=config.namespace,
        log_to_driver=False,
        configure_logging=False,
        include_dashboard=False,
    )


def probe_head(address: str) -> None:
    """See that something listens at the head's address: Ray would wait for minutes.

    Raises:
        OSError: nothing does.
    """
    if address == "auto":
        if not CURRENT_CLUSTER_FILE.is_file():
            return  # Ray says it in its own words
        address = CURRENT_CLUSTER_FILE.read_text(encoding="utf-8").strip()
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), PROBE_SECONDS).close()


def find_seats(max_seats: int) -> list[int]:
    """Find the numbers of the seats that an earlier link has left; those beyond the last end."""
    found_numbers = []
    for name in ray.util.list_named_actors():
        number = name.removeprefix(SEAT_NAME)
        if not number.isdecimal():
            continue
        if int(number) < max_seats:
            found_numbers.append(int(number))
        else:
            ray.kill(ray.get_actor(name), no_restart=True)
    return found_numbers


def make_transport_opener(config: ConfigureLink) -> Any:
    """Make what finds or starts a seat's actor."""

    async def open_transport(seat: int) -> SeatTransport:
        needs = dict(config.needs)
        options = {
            "name": f"{SEAT_NAME}{seat}",
            "lifetime": "detached",
            "get_if_exists": True,
            "max_restarts": 0,
            "max_concurrency": MAX_CALLS,
            "num_cpus": needs.pop("CPU", 0),
            "num_gpus": needs.pop("GPU", 0),
            "resources": needs,
        }
        actor_class = ray.remote(RaySeatHost).options(**options)
        return RayTransport(await asyncio.to_thread(actor_class.remote, seat))

    return open_transport
