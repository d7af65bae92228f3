"""Bring models to all nodes: `python -m inference.cluster.model_sync ADDRESS MODELS CACHE`."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inference.api.version import find_version
from inference.cluster.model_sync.sender import Model, list_models, sync_node
from inference.cluster.transport import SeatTransport
from inference.model_files.hashes import HASHES_FILE, FileHashes

EXIT_FAILED = 1


def main() -> int:
    """Print a line for each model of each node; 1 where one of them lacks something."""
    address, models_folder, cache = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    models = list_models(models_folder, FileHashes(cache / HASHES_FILE))
    if not models:
        sys.stderr.write(f"There is nothing in {models_folder}.\n")
        return EXIT_FAILED
    import ray

    from inference.cluster.model_sync.ray_receivers import open_receivers

    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except Exception as error:
        sys.stderr.write(f"The cluster at {address} cannot be joined: {error}\n")
        return EXIT_FAILED
    is_whole = asyncio.run(sync_nodes(open_receivers(), models))
    return 0 if is_whole else EXIT_FAILED


async def sync_nodes(receivers: Mapping[str, SeatTransport], models: list[Model]) -> bool:
    """Bring models to nodes, side by side; False where one of them lacks something."""
    results = await asyncio.gather(
        *(_serve_node(node, receiver, models) for node, receiver in receivers.items())
    )
    return bool(results) and all(results)


async def _serve_node(node: str, receiver: SeatTransport, models: list[Model]) -> bool:
    try:
        description: dict[str, Any] = json.loads(await receiver.call_host("describe"))
        node = f"{description['node']} ({node})"
        if problem := description["problem"]:
            _write_line(f"{node}: {problem}")
            return False
        if description["version"] != find_version():
            _write_line(f"{node}: has Easel {description['version']}, not {find_version()}")
            return False
        return await sync_node(node, receiver.call_host, models, _write_line)
    except Exception as error:
        problem = " ".join(str(error).split())[:300]
        _write_line(f"{node}: went away; run this again to go on: {problem}")
        return False


def _write_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
