"""What the job store takes and gives: frozen records, in which every time is aware and in UTC."""

from __future__ import annotations

import json
import math
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from storage.clock import ONE_MICROSECOND, UNIX_EPOCH

#: Crockford's base 32: no i, l, o, u; sorts as ASCII.
ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ID_LENGTH = 20  # characters of 5 bits; with a suffix it still fits Discord's 25 for a nonce
CHANCE_BITS = 55  # below 45 bits of milliseconds, which last until the year 3084
STEP_BITS = 32  # how far an id may jump past its predecessor when the clock has not moved on


def next_id(now_microseconds: int, last: str | None) -> str:
    """Return an id greater than `last`, from `now_microseconds` since 1970 where that allows.

    When the clock stands still or was set back, the id counts on from `last` instead, so ids
    order jobs by arrival whatever the clock does.
    """
    number = (now_microseconds // 1000 << CHANCE_BITS) | secrets.randbits(CHANCE_BITS)
    if last is not None and number <= (previous := _decode_id(last)):
        number = previous + 1 + secrets.randbits(STEP_BITS)
    return _encode_id(number)


def _encode_id(number: int) -> str:
    digits = (ID_ALPHABET[(number >> 5 * place) & 31] for place in reversed(range(ID_LENGTH)))
    return "".join(digits)


def _decode_id(text: str) -> int:
    number = 0
    for digit in text:
        number = number << 5 | ID_ALPHABET.index(digit)
    return number


Json = Mapping[str, Any]


class JobState(StrEnum):
    """Where a job is in its life."""

    #: Waits for a worker.
    QUEUED = "queued"
    #: A worker holds its lease.
    RUNNING = "running"
    #: Has a result. Terminal.
    DONE = "done"
    #: Has an error. Terminal.
    FAILED = "failed"
    #: Was called off. Terminal.
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether the job will never change its state again."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class DeliveryState(StrEnum):
    """Where the announcement of a job's end is."""

    #: Nothing to announce, or nothing yet.
    NONE = "none"
    #: Has to be announced.
    PENDING = "pending"
    #: Being announced; after a crash, perhaps announced.
    SENDING = "sending"
    #: Was announced. Terminal.
    SENT = "sent"
    #: Could not be announced; its owner can ask for it.
    UNDELIVERED = "undelivered"


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """What a job is asked with."""

    #: The kind of job, opaque here.
    kind: str
    #: The kind's own parameters, opaque here.
    params: Json
    #: The pictures it starts from: name to blob key.
    inputs: Mapping[str, str]
    #: The member who asks, by whom shares are counted.
    owner: str
    #: The server in which it was asked, or None in a direct message.
    guild: str | None = None
    #: Where the answer goes, opaque here.
    reply_to: str
    #: Names the request itself: the same key twice is the same job.
    idempotency_key: str
    #: The work it is thought to be, in the unit that all jobs share.
    cost: float
    #: Orders the jobs of one owner; higher is earlier.
    priority: int = 0
    #: The job that this one was made from.
    parent: str | None = None
    #: The owner's share against others: 2 is served twice as much as 1.
    weight: float = 1.0
    #: What a worker would have to load for it; jobs that share it are cheaper after one another.
    affinity: str | None = None
    #: GPU-seconds that it is thought to take; None where nothing is known yet.
    forecast_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class NewJob(JobRequest):
    """A job to enqueue; one that the queue could not keep cannot be built."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.cost) and self.cost >= 0):
            raise ValueError(f"cost is {self.cost}, but must be a finite number from 0 up.")
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise ValueError(f"weight is {self.weight}, but must be a finite number above 0.")
        for name in ("kind", "owner", "idempotency_key"):
            if not getattr(self, name):
                raise ValueError(f"{name} is empty, but every job needs one.")


@dataclass(frozen=True, kw_only=True)
class JobRecord(JobRequest):
    """A job as it stands in the database."""

    #: 20 characters, url-safe, in the order of arrival.
    id: str
    #: Where it is in its life.
    state: JobState
    #: How often it was claimed; fences off the workers of earlier attempts.
    attempt: int
    #: How many attempts ended without an answer.
    strikes: int
    #: Who holds it, or who held it when it ended.
    worker: str | None
    #: When the lease ends, by the store's steady clock.
    lease_until: datetime | None
    #: Steps done in the current attempt.
    step: int
    #: Steps to do, once the worker has said so.
    steps: int | None
    #: The cost charged to the owner so far.
    charged: float
    #: When it was enqueued.
    created_at: datetime
    #: When the last attempt began.
    started_at: datetime | None
    #: When it came to its terminal state.
    finished_at: datetime | None
    #: What came of it, opaque here; present exactly when done.
    result: Json | None
    #: Why it failed, in words for its owner.
    error: str | None
    #: Where its announcement is.
    delivery: DeliveryState
    #: How often its announcement was begun.
    deliveries: int
    #: By which way it was last tried, opaque here.
    delivery_route: str | None
    #: Why the last try did not succeed.
    delivery_note: str | None
    #: When the delivery last changed its state.
    delivery_at: datetime | None
    #: The message that shows the result, opaque here.
    message: str | None
    #: Whether its owner stopped it while it ran, to keep what it had made.
    stopping: bool = False
    #: The group in which it is tried, apart from all other jobs; None where nothing speaks
    #: against it.
    quarantine: int | None = None

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Self:
        """Return the record that a row of the table `job` holds."""
        values: dict[str, Any] = dict(zip(row.keys(), row, strict=True))
        for name in _INTERNAL_COLUMNS:
            del values[name]
        values["state"] = JobState(row["state"])
        values["stopping"] = bool(row["stopping"])
        values["delivery"] = DeliveryState(row["delivery"])
        values["params"] = json.loads(row["params"])
        values["inputs"] = json.loads(row["inputs"])
        values["result"] = None if row["result"] is None else json.loads(row["result"])
        for name in ("cost", "weight", "charged"):
            values[name] = float(row[name])  # RETURNING gives a whole REAL as an int
        for name in TIME_COLUMNS:
            if values[name] is not None:
                values[name] = UNIX_EPOCH + values[name] * ONE_MICROSECOND
        return cls(**values)


TIME_COLUMNS = ("created_at", "lease_until", "started_at", "finished_at", "delivery_at")
_INTERNAL_COLUMNS = frozenset(
    {"lease_length", "address_since", "ahead", "spent", "spent_seconds", "share"}
)


@dataclass(frozen=True, kw_only=True)
class LeaseRenewal:
    """How far an attempt is whose lease shall run anew; None leaves what was noted before."""

    #: The job.
    id: str
    #: The attempt that holds the lease; a renewal of another changes nothing.
    attempt: int
    #: Steps done in it.
    step: int | None = None
    #: Steps to do.
    steps: int | None = None
    #: The work that was measured of this attempt so far.
    spent: float | None = None
    #: The same in seconds of the GPU.
    spent_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class QuarantineTurn:
    """Which of the jobs that must be tried apart comes first."""

    #: Its group; None where all of them run already.
    group: int | None
    #: Whether it comes before all other jobs too.
    is_next: bool


@dataclass(frozen=True, kw_only=True)
class QueueLimits:
    """How many jobs may wait; those running do not count."""

    #: Waiting jobs of one member.
    per_owner: int
    #: Waiting jobs of one server.
    per_guild: int
    #: Waiting jobs in all.
    total: int


@dataclass(frozen=True, kw_only=True)
class QueuePlace:
    """Where a job stands, if nobody comes or goes."""

    #: 1 is next; 0 when the job does not wait.
    position: int
    #: The cost of the waiting jobs that will be served first, of those without a forecast.
    ahead_cost: float
    #: The cost that the running jobs without a forecast have still to do.
    running_cost: float
    #: Waiting jobs in all.
    queued: int
    #: Running jobs in all.
    running: int
    #: How many of those that will be served first are the same owner's.
    own_jobs_ahead: int = 0
    #: GPU-seconds that the others of those that will be served first are thought to take.
    ahead_seconds: float = 0.0
    #: GPU-seconds that the others of the running jobs are thought to take yet, of each no more
    #: than what is ahead and the job itself take: who runs longer takes turns with it.
    running_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class QueueWait:
    """How the queue's waiting jobs are served as a whole."""

    #: How many there are.
    jobs: int
    #: Since the oldest of them was asked for.
    longest: timedelta
    #: What they will take in GPU-seconds, of those for which that was foretold.
    work_seconds: float = 0.0


def encode_json(value: Json) -> str:
    """Return the JSON text of a mapping; NaN and infinity have no place in it."""
    return json.dumps(dict(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
