"""An init as container engines start one: process 1, which passes signals on and buries orphans.

python -m tests.doubles.init COMMAND…
"""

from __future__ import annotations

import os
import signal
import sys


def run(*command: str) -> int:
    """Run a command until it ends, and end with its code."""
    child = os.spawnvp(os.P_NOWAIT, command[0], command)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: os.kill(child, number))
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status) & 0xFF


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]))
