"""What the bot tells a worker: frozen values on the same wire as the events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inference.api.config import EngineConfig


@dataclass(frozen=True, kw_only=True)
class ConfigureWorker:
    """The first frame: how to run."""

    config: EngineConfig


@dataclass(frozen=True, kw_only=True)
class FinishedPart:
    """A part of a job that an earlier attempt has finished."""

    #: Its number within the job, from 0.
    number: int
    #: As the event had it.
    mark: str
    #: The absolute path of its picture, which stays the sender's.
    path: str


@dataclass(frozen=True)
class DisplayLimits:
    """Bytes that a place takes where a result is shown; 0 where it is shown nowhere."""

    file_bytes: int = 0
    #: Of all files that are shown together.
    message_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class SubmitJob:
    """Take a job."""

    job_id: str
    attempt: int
    kind: str
    params: Mapping[str, Any]
    #: Whose it is, as the sender names members: their jobs share what one member may have at once.
    owner: str = ""
    #: Picture name to the absolute path of its file, which stays the sender's.
    inputs: Mapping[str, str] = field(default_factory=dict)
    #: What need not be done again.
    parts: tuple[FinishedPart, ...] = ()
    #: Of the place where the result is shown.
    display: DisplayLimits = DisplayLimits()


@dataclass(frozen=True, kw_only=True)
class CancelJob:
    """Give a job up at the next step boundary."""

    job_id: str
    attempt: int
    #: Whether it may end with what it has made so far.
    keep: bool = False


@dataclass(frozen=True, kw_only=True)
class StopWorker:
    """End: at once, or after the jobs in hand."""

    drain: bool = False


Command = ConfigureWorker | SubmitJob | CancelJob | StopWorker


@dataclass(frozen=True, kw_only=True)
class ConfigureLink:
    """The first frame to the link, which speaks for the workers of a cluster."""

    #: As for every worker; folders, the outbox aside, are each node's own.
    config: EngineConfig
    #: Where the cluster's head listens: `10.0.0.1:6379`.
    address: str
    #: Which workers of the cluster are this bot's.
    namespace: str
    #: The file with the cluster's token.
    token_path: str
    #: Workers at most, and those that are kept with nothing to do.
    max_seats: int = 1
    min_seats: int = 1
    #: What a worker takes of its node, as Ray counts it: `{"GPU": 1}`.
    needs: Mapping[str, float] = field(default_factory=dict)
    #: The Easel that the nodes must have, too.
    version: str = ""
    #: How long a worker, or the link, that keeps ending is left alone.
    rest_seconds: float = 600.0
    #: What a node runs as a worker; empty for its own Easel's.
    worker_command: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class WorkerCommand:
    """A command for one of the link's workers."""

    worker: str
    #: As `wire.to_fields` writes it.
    command: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class KillWorker:
    """End a worker that does nothing any more."""

    worker: str


@dataclass(frozen=True, kw_only=True)
class ExpectWork:
    """So much work waits for each worker that there is; more of it is worth more workers."""

    #: GPU-seconds a worker.
    seconds: float


@dataclass(frozen=True, kw_only=True)
class EventTaken:
    """What became of an event is recorded: whoever keeps it need not say it again."""

    receipt: str


LinkCommand = ConfigureLink | WorkerCommand | KillWorker | ExpectWork | EventTaken
