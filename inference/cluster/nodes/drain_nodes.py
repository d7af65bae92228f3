"""Drain a node or a worker from afar.

`python -m inference.cluster.nodes.drain_nodes ADDRESS NAMESPACE drain|undrain NAME`.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from inference.cluster.nodes.drain import DRAIN_FILE, mark_drain
from inference.cluster.ray_environment import NODE_FOLDER_VARIABLE

#: A seat's name as `cluster status` gives it, or within its worker's name.
SEAT_PATTERN = re.compile(r"(?:.*/)?(seat\d+)(?:-.*)?")
#: Digits of a node's id at least.
MIN_ID_DIGITS = 8
ANSWER_SECONDS = 60.0  # seconds


def main() -> int:
    """Tell the nodes of that name, or the worker; 1 where there is none or one does not answer."""
    address, namespace, action, name = sys.argv[1:]
    is_asked = action == "drain"
    import ray

    try:
        ray.init(address=address, namespace=namespace, log_to_driver=False, configure_logging=False)
    except Exception as error:
        sys.stderr.write(f"The cluster at {address} cannot be joined: {error}\n")
        return 1
    nodes = [node for node in ray.nodes() if node["Alive"] and is_named(node, name)]
    seat_match = SEAT_PATTERN.fullmatch(name)
    seat = seat_match[1] if seat_match else ""
    if nodes:
        calls = {describe_node(node): _call_node(ray, node, is_asked) for node in nodes}
    elif seat in ray.util.list_named_actors():
        calls = {seat: ray.get_actor(seat).ask_drain.remote(is_asked)}
    else:
        sys.stderr.write(f"No node or worker is called {name}: see `cluster status`.\n")
        return 1
    return max([_tell_answer(ray, *call, is_asked) for call in calls.items()])


def is_named(node: dict[str, Any], name: str) -> bool:
    """Whether a node is called so: by its host's name, its address, or its id's first digits."""
    is_id = len(name) >= MIN_ID_DIGITS and node["NodeID"].startswith(name)
    return is_id or name in (node["NodeManagerHostname"], node["NodeManagerAddress"])


def describe_node(node: dict[str, Any]) -> str:
    """Name a node so that no other has the name."""
    return f"{node['NodeManagerHostname']} ({node['NodeID'][:12]})"


def mark_node(is_asked: bool) -> str:
    """On the node: make its file or remove it; return what is wrong there, else nothing."""
    folder = os.environ.get(NODE_FOLDER_VARIABLE)
    if not folder:
        return f"{NODE_FOLDER_VARIABLE} is not set there"
    try:
        mark_drain(Path(folder, DRAIN_FILE), is_asked)
    except OSError as error:
        return str(error)
    return ""


def _call_node(ray: Any, node: dict[str, Any], is_asked: bool) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    strategy = NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)
    task = ray.remote(mark_node).options(num_cpus=0, scheduling_strategy=strategy, max_retries=0)
    return task.remote(is_asked)


def _tell_answer(ray: Any, name: str, answer: Any, is_asked: bool) -> int:
    try:
        problem = ray.get(answer, timeout=ANSWER_SECONDS)
    except Exception as error:
        problem = " ".join(str(error).split())[:300] or type(error).__name__
    if problem:
        sys.stderr.write(f"{name} was not told: {problem}\n")
        return 1
    if is_asked:
        sys.stdout.write(f"{name} takes nothing new; `cluster status` says when it is drained.\n")
    else:
        sys.stdout.write(f"{name} takes jobs again.\n")
    return 0


if __name__ == "__main__":
    # As a module of its own name: a task is known by that on the node.
    from inference.cluster.nodes import drain_nodes

    sys.exit(drain_nodes.main())
