"""Run the link: `python -m inference.cluster`, frames on standard input and output."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading

from inference.api import log_relay
from inference.api.commands import ConfigureLink
from inference.api.messages import StartFailed, WorkerEvent
from inference.api.notices import Notice
from inference.api.parent_death import end_with_parent
from inference.api.wire import read_message, to_fields
from inference.cluster.link import ClusterLink
from inference.cluster.ray_environment import make_ray_variables
from inference.worker.stdio import EventSender, open_stdin, reserve_stdout

#: A start that failed for a reason the host must mend.
EXIT_CANNOT_START = 3
LINK_LABEL = "cluster"
#: A cluster that has not let the link in by then does not: Ray itself would try on and on.
JOIN_SECONDS = 90.0  # seconds


def main() -> int:
    """Take the configuration, then serve until the bot ends or is gone; return the exit code."""
    end_with_parent()
    log_relay.configure_logging()
    sender = EventSender(reserve_stdout())
    command_stream = open_stdin()
    config = read_message(command_stream)
    if not isinstance(config, ConfigureLink):
        logging.error("The first frame must be ConfigureLink.")
        return EXIT_CANNOT_START
    os.environ.update(make_ray_variables(config.token_path))
    limit = threading.Timer(JOIN_SECONDS, _give_up_joining, (sender, config.address))
    limit.daemon = True
    limit.start()
    try:
        from inference.cluster import ray_seats

        ray_seats.connect_to_cluster(config)
    except ImportError as error:
        return _refuse_start(sender, Notice("cluster.not_installed", error=error))
    except Exception as error:
        logging.warning("The cluster cannot be joined.", exc_info=error)
        problem = " ".join(str(error).split())[:300] or type(error).__name__
        return _refuse_start(
            sender, Notice("cluster.not_joined", address=config.address, error=problem)
        )
    finally:
        limit.cancel()
    log_relay.configure_logging()  # Ray has its own mind about logging
    found_seats = ray_seats.find_seats(config.max_seats)
    link = ClusterLink(config, sender, ray_seats.make_transport_opener(config), found_seats)
    asyncio.run(link.serve_bot(command_stream))
    return 0


def _give_up_joining(sender: EventSender, address: str) -> None:
    """Say that nobody lets the link in, and end, whatever Ray is still at."""
    problem = f"no answer in {JOIN_SECONDS:.0f} s; if it has certificates, they are missing here"
    _refuse_start(sender, Notice("cluster.not_joined", address=address, error=problem))
    os._exit(EXIT_CANNOT_START)


def _refuse_start(sender: EventSender, reason: Notice) -> int:
    event = to_fields(StartFailed(reason=reason))
    sender.send_event(WorkerEvent(worker=LINK_LABEL, event=event))
    return EXIT_CANNOT_START


if __name__ == "__main__":
    code = main()
    # Ray's own farewell at the interpreter's end may take longer than the bot waits.
    sys.stdout.flush()
    os._exit(code)
