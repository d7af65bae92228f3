"""Print a cluster's nodes: `python -m inference.cluster.show_nodes ADDRESS NAMESPACE`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

ANSWER_SECONDS = 10.0  # seconds
#: A clock that is so far off is told; nothing depends on it.
CLOCK_SECONDS = 5.0  # seconds


def main() -> int:
    """Print a line for each node and each worker of the namespace; 1 where nothing is reached."""
    address, namespace = sys.argv[1:]
    import ray

    try:
        ray.init(address=address, namespace=namespace, log_to_driver=False, configure_logging=False)
    except Exception as error:
        sys.stderr.write(f"The cluster at {address} cannot be joined: {error}\n")
        return 1
    for node in ray.nodes():
        resources = node["Resources"]
        offer = ", ".join(
            f"{resources[name]:g} {name}"
            for name in sorted(resources)
            if not name.startswith(("node:", "memory", "object_store_memory"))
        )
        state = "up" if node["Alive"] else "gone"
        name, address = node["NodeManagerHostname"], node["NodeManagerAddress"]
        node_id = node["NodeID"][:12]
        sys.stdout.write(f"{name:<24} {address:<16} {node_id:<12} {state:<5} {offer}\n")
    for line in asyncio.run(describe_workers(ray)):
        sys.stdout.write(f"{line}\n")
    return 0


async def describe_workers(ray: Any) -> list[str]:
    """Describe each worker of the namespace in a line; all are asked at once."""
    names = sorted(ray.util.list_named_actors())
    return list(await asyncio.gather(*(describe_worker(ray, name) for name in names)))


async def describe_worker(ray: Any, name: str) -> str:
    """Say where a worker is, what it does and whether its node's clock is off."""
    begin = time.time()
    try:
        call = ray.get_actor(name).describe.remote()
        answer = json.loads(await asyncio.wait_for(call, ANSWER_SECONDS))
    except Exception as error:
        return f"worker {name:<8} no answer ({type(error).__name__}): no node has room for it yet?"
    end = time.time()
    words = [f"worker {name:<8} on {answer['node']}: {answer['problem'] or answer['state']}"]
    offset_seconds = find_clock_offset(float(answer["now"]), begin, end)
    if offset_seconds:
        words.append(f"its clock is {abs(offset_seconds):.0f} s {_side(offset_seconds)}")
    return "; ".join(words)


def find_clock_offset(node_time: float, begin: float, end: float) -> float:
    """Find by how many seconds a node's clock is off; 0 where it may be right.

    It was read at some time between `begin` and `end`, all three in seconds since 1970.
    """
    if begin - CLOCK_SECONDS <= node_time <= end + CLOCK_SECONDS:
        return 0.0
    return node_time - (begin + end) / 2


def _side(offset_seconds: float) -> str:
    return "ahead" if offset_seconds > 0 else "behind"


if __name__ == "__main__":
    sys.exit(main())
