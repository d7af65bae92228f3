"""The bot with a worker that needs no torch: a life begins in a second, so many can be ended."""

from __future__ import annotations

import functools
import sys

import main
from bot import app

WORKER = "tests.inference.api.workers.child"


def run() -> int:
    """Do what `main.py run` does."""
    command = (sys.executable, "-m", WORKER)
    app.LocalWorkerPool = functools.partial(app.LocalWorkerPool, command=command)  # type: ignore[misc,assignment]
    sys.argv = ["main.py", "run"]
    return main.main()


if __name__ == "__main__":
    sys.exit(run())
