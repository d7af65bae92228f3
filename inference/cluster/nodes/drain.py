"""A node, or one seat of it, that is to take nothing new: told by a file in the node's folder.

On the node itself: `python -m inference.cluster.nodes.drain FOLDER drain|undrain SECONDS`.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

#: While it is there, no seat of the node takes anything new; with a seat's number, that one alone.
DRAIN_FILE = "drain"
#: Holds the id of the process that keeps a seat's worker; gone once the worker has ended.
PID_FILE = "seat{seat}.pid"
LOOK_SECONDS = 0.5  # seconds


class SeatDrain:
    """The files of one seat: that it is to be drained, and that it has a worker."""

    def __init__(self, folder: Path, seat: int) -> None:
        self._node_file = folder / DRAIN_FILE
        self._seat_file = folder / f"{DRAIN_FILE}-seat{seat}"
        self._pid_file = folder / PID_FILE.format(seat=seat)

    @property
    def is_asked(self) -> bool:
        """Whether the seat is to take nothing new."""
        return self._node_file.exists() or self._seat_file.exists()

    def ask_drain(self, is_asked: bool) -> None:
        """Have this seat alone take nothing new, or anything again."""
        mark_drain(self._seat_file, is_asked)

    def note_worker(self, is_there: bool) -> None:
        """Note that the seat has a worker, or has none."""
        with contextlib.suppress(OSError):  # a full disk: whoever waits, waits for the node's end
            if is_there:
                self._pid_file.write_text(str(os.getpid()), encoding="utf-8")
            else:
                self._pid_file.unlink(missing_ok=True)


def mark_drain(path: Path, is_asked: bool) -> None:
    """Make the file that asks for it, or remove it."""
    if is_asked:
        path.touch()
    else:
        path.unlink(missing_ok=True)


def count_workers(folder: Path) -> int:
    """Count the seats of a node that still have a worker."""
    return sum(_is_alive(path) for path in folder.glob(PID_FILE.format(seat="*")))


def _is_alive(pid_file: Path) -> bool:
    try:
        os.kill(int(pid_file.read_text(encoding="utf-8")), 0)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


def main() -> int:
    """Ask for it and wait so many seconds at most; 1 where jobs are still in hand then."""
    folder, action, seconds = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    mark_drain(folder / DRAIN_FILE, action == "drain")
    if action != "drain":
        sys.stdout.write("This node takes jobs again.\n")
        return 0
    end = time.monotonic() + seconds
    while (count := count_workers(folder)) and time.monotonic() < end:
        time.sleep(LOOK_SECONDS)
    if count:
        sys.stdout.write(f"This node takes nothing new; {count} of its workers have not ended.\n")
    else:
        sys.stdout.write("This node is drained: nothing runs on it.\n")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
