"""Run a worker: `python -m inference.worker`, frames on standard input and output."""

from __future__ import annotations

import ctypes
import gc
import logging
import platform
import sys
from pathlib import Path

from inference.api import log_relay
from inference.api.commands import ConfigureWorker
from inference.api.errors import InferenceError
from inference.api.messages import StartFailed
from inference.api.notices import Notice
from inference.api.parent_death import end_with_parent
from inference.api.wire import read_message
from inference.runtime.lazy_imports import defer_imports, keep_import_scans
from inference.worker.stdio import EventSender, open_stdin, reserve_stdout

#: A start that failed for a reason the host must mend: restarting does not help.
EXIT_CANNOT_START = 3
#: mallopt's names for: give back free memory at the heap's end above so many bytes; ask the kernel
#: for blocks above so many bytes. Source: malloc.h.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
#: Bytes; above the largest layer of any tile here.
MALLOC_THRESHOLD_BYTES = 2**30


def main() -> int:
    """Take the configuration, then work until told to stop; return the exit code."""
    end_with_parent()
    log_relay.configure_logging()
    keep_freed_memory()
    sender = EventSender(reserve_stdout())
    command_stream = open_stdin()
    first_message = read_message(command_stream)
    if not isinstance(first_message, ConfigureWorker):
        sender.send_event(StartFailed(reason=Notice("worker.bad_frame")))
        return EXIT_CANNOT_START
    # Importing torch takes seconds; a bad first frame should not have to wait for it. None of the
    # hundreds of thousands of objects that come now is garbage: looking for some takes a fifth of
    # the start.
    gc.disable()
    keep_import_scans(Path(first_message.config.cache_dir))
    if not first_message.config.compile:
        defer_imports()
    from inference.worker.worker import Worker

    try:
        worker = Worker.open(first_message.config, sender)
    except Exception as error:
        logging.exception("The worker cannot start.")
        reason = Notice("worker.failed", error=error)
        if isinstance(error, InferenceError):
            reason = error.notice
        sender.send_event(StartFailed(reason=reason))
        return EXIT_CANNOT_START
    gc.freeze()
    gc.enable()
    return worker.process_commands(command_stream)


def keep_freed_memory() -> bool:
    """Let glibc keep large freed blocks for the next ones; say whether it does. Others: no.

    It asks the kernel for every block above 32 MiB and gives it back when it is freed, so each
    layer of a network over a large picture or batch pays for its pages anew: a third of the time
    of eight tiles together. Kept, the same pages serve the next layer.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(
        mallopt(option, MALLOC_THRESHOLD_BYTES) for option in (TRIM_THRESHOLD, MMAP_THRESHOLD)
    )


if __name__ == "__main__":
    sys.exit(main())
