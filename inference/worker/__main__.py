"""Run a worker: `python -m inference.worker`, frames on standard input and output."""

from __future__ import annotations

import logging
import sys

from inference.api import log_relay
from inference.api.commands import ConfigureWorker
from inference.api.messages import StartFailed
from inference.api.wire import read_message
from inference.worker.malloc import keep_freed_memory
from inference.worker.stdio import EventSender, open_stdin, reserve_stdout

#: A start that failed for a reason the host must mend: restarting does not help.
EXIT_CANNOT_START = 3


def main() -> int:
    """Take the configuration, then work until told to stop; return the exit code."""
    log_relay.configure_logging()
    keep_freed_memory()
    sender = EventSender(reserve_stdout())
    command_stream = open_stdin()
    first_message = read_message(command_stream)
    if not isinstance(first_message, ConfigureWorker):
        sender.send_event(StartFailed(reason="The first frame must be Configure."))
        return EXIT_CANNOT_START
    # Importing torch takes seconds; a bad first frame should not have to wait for it.
    from inference.worker.worker import Worker

    try:
        worker = Worker.open(first_message.config, sender)
    except Exception as error:
        logging.exception("The worker cannot start.")
        sender.send_event(StartFailed(reason=str(error)))
        return EXIT_CANNOT_START
    return worker.process_commands(command_stream)


if __name__ == "__main__":
    sys.exit(main())
