"""The link with hosts in its own process, in place of Ray's actors on nodes.

Run by `RemoteWorkerPool(command=…)` with the folder of the only node. What a test does to a host it
does by files in it: `silent` holds all answers back, `unavailable` lets no call through, `die` ends
the host, `full` is a disk without room.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from inference.api import log_relay
from inference.api.commands import ConfigureLink
from inference.api.parent_death import end_with_parent
from inference.api.wire import read_message
from inference.cluster import seat as seat_module
from inference.cluster import seat_host as seat_host_module
from inference.cluster.link import ClusterLink
from inference.cluster.seat_host import SeatHost
from inference.cluster.transport import SeatDied, SeatUnavailable
from inference.worker.stdio import EventSender, open_stdin, reserve_stdout

LOOK = 0.01  # seconds
SILENCE = 0.3  # seconds, in place of 15
LISTEN = 0.1  # seconds, in place of 5


class CrampedHost(SeatHost):
    """A host whose disk may be full."""

    async def write_piece(self, session: str, name: str, offset: int, data: bytes) -> str:
        if (self._folder / "full").exists():
            return "No space left on device"
        return await super().write_piece(session, name, offset, data)


class HostInProcess:
    """Speaks to a host as to one far away."""

    def __init__(self, host: SeatHost, faults: Path) -> None:
        self.host = host
        self.is_dead = False
        self._faults = faults
        self._tasks: set[asyncio.Task] = set()

    async def call_host(self, method: str, *arguments: Any) -> Any:
        call = asyncio.ensure_future(getattr(self.host, method)(*arguments))
        while True:
            if (self._faults / "die").exists():
                (self._faults / "die").unlink()
                self.destroy_host()
            if self.is_dead:
                call.cancel()
                raise SeatDied("It died.")
            if (self._faults / "unavailable").exists():
                call.cancel()
                raise SeatUnavailable("It may come back.")
            silent = (self._faults / "silent").exists()
            if call.done() and not silent:
                return call.result()
            await asyncio.wait({call}, timeout=LOOK)
            if call.done() and silent:
                await asyncio.sleep(LOOK)

    def destroy_host(self) -> None:
        self.is_dead = True
        task = asyncio.get_running_loop().create_task(self.host._close_pool())
        self._tasks.add(task)


def main() -> None:
    end_with_parent()
    seat_module.SILENCE_SECONDS = SILENCE
    seat_module.RETRY_SECONDS = LOOK
    seat_host_module.LISTEN_SECONDS = LISTEN
    log_relay.configure_logging()
    sender = EventSender(reserve_stdout())
    stream = open_stdin()
    config = read_message(stream)
    assert isinstance(config, ConfigureLink)
    folder = Path(sys.argv[1])
    hosts: dict[int, HostInProcess] = {}

    async def open_transport(seat: int) -> HostInProcess:
        if seat not in hosts or hosts[seat].is_dead:
            host = CrampedHost(seat, "node", folder, on_abandoned=lambda: None)
            hosts[seat] = HostInProcess(host, folder)
        return hosts[seat]

    asyncio.run(ClusterLink(config, sender, open_transport).serve_bot(stream))


if __name__ == "__main__":
    main()
