"""The bot on a Ray cluster, with workers that need no torch; see `quick_bot`."""

from __future__ import annotations

import sys
from dataclasses import replace

import main
from bot import app
from tests.doubles.quick_bot import WORKER

plan_cluster = app.plan_cluster


def plan_quick_cluster(settings, config):
    command = (sys.executable, "-m", WORKER)
    return replace(plan_cluster(settings, config), worker_command=command)


def run() -> int:
    """Do what `main.py run` does."""
    app.plan_cluster = plan_quick_cluster
    sys.argv = ["main.py", "run"]
    return main.main()


if __name__ == "__main__":
    sys.exit(run())
