"""The link: commands of the bot to the seats, what they say back to the bot."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Collection
from typing import BinaryIO

from inference.api import wire
from inference.api.commands import (
    ConfigureLink,
    EventTaken,
    ExpectWork,
    KillWorker,
    StopWorker,
    WorkerCommand,
)
from inference.api.errors import WireError
from inference.api.messages import (
    Event,
    JobFailed,
    JobFinished,
    LinkJoined,
    SeatClosed,
    WorkerEvent,
)
from inference.api.notices import Notice
from inference.cluster.demand import SeatDemand
from inference.cluster.seat import OpenTransport, Seat
from inference.worker.stdio import EventSender

log = logging.getLogger(__name__)

#: Between two looks at whether seats are to be opened or closed.
DEMAND_SECONDS = 5.0  # seconds


class ClusterLink:
    """Keeps the seats of one bot."""

    def __init__(
        self,
        config: ConfigureLink,
        sender: EventSender,
        open_transport: OpenTransport,
        found_seats: Collection[int] = (),
    ) -> None:
        """With `found_seats`, the numbers of those that an earlier link has left."""
        self._config = config
        self._sender = sender
        self._open_transport = open_transport
        self._found_seats = sorted(found_seats)
        self._seats: dict[int, tuple[Seat, asyncio.Task[None]]] = {}
        self._demand = SeatDemand(config.min_seats, config.max_seats)

    async def serve_bot(self, stream: BinaryIO) -> None:
        """Keep the seats until the bot says that it ends, or is gone."""
        commands: asyncio.Queue[wire.Message | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def read_commands() -> None:
            command: wire.Message | None = None
            while True:
                try:
                    command = wire.read_message(stream)
                except WireError:
                    log.exception("The bot spoke nonsense.")
                    command = None
                loop.call_soon_threadsafe(commands.put_nowait, command)
                if command is None:
                    return

        threading.Thread(target=read_commands, name="commands", daemon=True).start()
        self._send(LinkJoined(seats=tuple(self._found_seats)))
        for seat_number in sorted({*range(self._config.min_seats), *self._found_seats}):
            self._open_seat(seat_number)
        demand_task = asyncio.create_task(self._follow_demand(), name="follow demand")
        while True:
            command = await commands.get()
            if command is None or isinstance(command, StopWorker):
                break
            self._run_command(command)
        demand_task.cancel()
        for _, task in self._seats.values():
            task.cancel()

    def _run_command(self, command: wire.Message) -> None:
        match command:
            case WorkerCommand(worker=worker):
                seat = self._find_seat(worker)
                if seat is not None:
                    seat.run_command(worker, wire.from_fields(command.command))
            case KillWorker(worker=worker):
                seat = self._find_seat(worker)
                if seat is not None:
                    seat.end_worker(worker)
            case EventTaken(receipt=receipt):
                seat_number = int(receipt.partition("/")[0])
                if seat_number in self._seats:
                    self._seats[seat_number][0].take_receipt(receipt)
            case ExpectWork(seconds=seconds):
                self._demand.note_work(seconds)
            case _:
                log.warning("The bot sent a %s.", type(command).__name__)

    def _find_seat(self, worker: str) -> Seat | None:
        return next((seat for seat, _ in self._seats.values() if seat.worker == worker), None)

    def _open_seat(self, seat_number: int) -> None:
        seat = Seat(seat_number, self._config, self._open_transport, self._send, self._send_event)
        task = asyncio.create_task(seat.keep_seat(), name=f"keep seat {seat_number}")
        self._seats[seat_number] = seat, task

    async def _follow_demand(self) -> None:
        """Open a seat where much waits for long, and close one with nothing to do."""
        while True:
            await asyncio.sleep(DEMAND_SECONDS)
            idle_since = {number: seat.last_busy_at for number, (seat, _) in self._seats.items()}
            if (new_number := self._demand.find_opening(idle_since)) is not None:
                log.info("Much waits: seat %d is opened.", new_number)
                self._open_seat(new_number)
            elif (idle_number := self._demand.find_closing(idle_since)) is not None:
                log.info("Seat %d has nothing to do and is closed.", idle_number)
                seat, task = self._seats.pop(idle_number)
                task.cancel()
                await seat.close_seat()
                self._send(SeatClosed(seat=idle_number))

    def _send(self, message: wire.Message) -> None:
        self._sender.send_event(message)

    def _send_event(self, worker: str, event: Event, receipt: str) -> None:
        """Send what a worker says; in place of a result that is too long, say so of its job."""
        try:
            fields = wire.to_fields(event)
            self._send(WorkerEvent(worker=worker, event=fields, receipt=receipt))
        except WireError:
            if not isinstance(event, JobFinished | JobFailed):
                raise
            failed_event = JobFailed(
                job_id=event.job_id,
                attempt=event.attempt,
                reason=Notice("job.result_too_long"),
                error_kind="input",
            )
            fields = wire.to_fields(failed_event)
            self._send(WorkerEvent(worker=worker, event=fields, receipt=receipt))
