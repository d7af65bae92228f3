"""Receivers of models as Ray actors, one on each node."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from inference.cluster.model_sync.receiver import ModelReceiver
from inference.cluster.ray_environment import NODE_FOLDER_VARIABLE
from inference.cluster.ray_seats import RayTransport
from inference.cluster.transport import SeatTransport


class RayModelReceiver(ModelReceiver):
    """A receiver for the folder that its node was started with."""

    def __init__(self) -> None:
        folder = Path(os.environ.get(NODE_FOLDER_VARIABLE, ""))
        super().__init__(platform.node(), folder / "models", folder / "cache")
        if not os.environ.get(NODE_FOLDER_VARIABLE):
            self.problem = f"{NODE_FOLDER_VARIABLE} is not set there"
        elif not (folder / "models").is_dir():
            self.problem = f"there is no folder {folder}/models"


def open_receivers() -> dict[str, SeatTransport]:
    """Start one on each node that is up; by the node's address. They end with this process."""
    receivers: dict[str, SeatTransport] = {}
    for node in ray.nodes():
        if node["Alive"]:
            place = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            actor_class = ray.remote(RayModelReceiver).options(
                num_cpus=0, scheduling_strategy=place
            )
            address = f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"
            receivers[address] = RayTransport(actor_class.remote())
    return receivers
