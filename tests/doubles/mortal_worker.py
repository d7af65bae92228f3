"""The real worker, whose model ends the process for one prompt, as a fault in a driver would."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from inference.engine import runner
from inference.worker import __main__ as worker

POISON = "poison"
prepare_rows = runner.prepare_rows


def prepare_or_die(works: Sequence[Any], *others: Any) -> Any:
    """Prepare rows, unless one of them is poisoned."""
    if any(POISON in work.prompt for work in works):
        os.kill(os.getpid(), signal.SIGKILL)
    return prepare_rows(works, *others)


if __name__ == "__main__":
    runner.prepare_rows = prepare_or_die
    sys.exit(worker.main())
