"""How long a worker takes to be ready, over what importing torch alone takes.

`python -m benchmarks starts [--rounds N]`. The two alternate in one run, each in a process of its
own with the starter model; the first round is not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks.table import show, spread
from inference.api.config import EngineConfig
from inference.api.messages import WorkerReady
from inference.api.workers import LocalWorkerPool


def import_torch() -> float:
    """Return the seconds in which a process imports torch and ends."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return time.perf_counter() - begin


async def start_worker() -> float:
    """Return the seconds in which a worker is ready."""
    with tempfile.TemporaryDirectory() as folder:
        config = EngineConfig(outbox=folder, cache_dir=folder, models_dir=folder)
        begin = time.perf_counter()
        async with LocalWorkerPool((config,), grace_seconds=0) as service:
            _, event = await service.next_event()
            if not isinstance(event, WorkerReady):
                raise RuntimeError(str(event))
            return time.perf_counter() - begin


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(prog="benchmarks starts", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    imports, starts = [], []
    for number in range(rounds + 1):
        taken = import_torch(), asyncio.run(start_worker())
        if number:
            imports.append(taken[0])
            starts.append(taken[1])
    ratio = statistics.median(starts) / statistics.median(imports)
    rows = [
        ("`import torch`", spread(imports)),
        ("a worker, to ready", spread(starts)),
        ("ratio of the medians", f"{ratio:.2f}x"),
    ]
    show(f"A worker's start, {rounds} rounds", ("what", "took"), rows)


if __name__ == "__main__":
    main()
