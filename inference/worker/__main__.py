"""Run a worker: `python -m inference.worker`, frames on standard input and output."""

from __future__ import annotations

import logging
import sys

from inference import journal
from inference.commands import Configure
from inference.events import Troubled
from inference.wire import read
from inference.worker.heap import keep_freed_memory
from inference.worker.pipes import Outlet, own_input, own_output

#: A start that failed for a reason the host must mend: restarting does not help.
CANNOT_START = 3


def main() -> int:
    """Take the configuration, then work until told to stop; return the exit code."""
    journal.configure()
    keep_freed_memory()
    outlet = Outlet(own_output())
    inlet = own_input()
    first = read(inlet)
    if not isinstance(first, Configure):
        outlet.send(Troubled(reason="The first frame must be Configure."))
        return CANNOT_START
    # Importing torch takes seconds; a bad first frame should not have to wait for it.
    from inference.worker.worker import Worker

    try:
        worker = Worker.open(first.config, outlet)
    except Exception as error:
        logging.exception("The worker cannot start.")
        outlet.send(Troubled(reason=str(error)))
        return CANNOT_START
    return worker.work(inlet)


if __name__ == "__main__":
    sys.exit(main())
