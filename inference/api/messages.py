"""What a worker tells the bot: frozen values, each naming the job and the attempt it speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inference.api.jobs.model_defaults import ModelDefault
from inference.api.jobs.sizes import LATENT_CELL_PIXELS
from inference.api.notices import Notice


@dataclass(frozen=True, kw_only=True)
class DisplayCopy:
    """A picture made small enough for the place where it is shown; as `OutputFile`."""

    path: str
    width: int
    height: int
    media_type: str
    #: 1 to 100; 0 where no pixel was changed.
    quality: int = 0


@dataclass(frozen=True, kw_only=True)
class OutputFile:
    """One finished picture, lying in a file that now belongs to the receiver."""

    #: Where it lies: an absolute path in the outbox.
    path: str
    #: In pixels.
    width: int
    #: In pixels.
    height: int
    #: `image/png`, `image/webp` …
    media_type: str
    #: What the picture is within the job: `result`, `frame`, `sheet`, `preview`, `mask`.
    role: str = "result"
    #: The seed that made it, when there was one.
    seed: int | None = None
    #: The `parameters` text written into it.
    infotext: str = ""
    #: One to show in its stead, where the job named a limit that it is beyond.
    copies: tuple[DisplayCopy, ...] = ()


#: Repaints pictures by instructions and does nothing else (InstructPix2Pix).
INSTRUCT_ROLE = "instruct"
#: Only goes on from another checkpoint's pictures (SDXL's refiner).
REFINER_ROLE = "refiner"


#: Kinds of networks that restore.
FACE_RESTORER_KIND, COLOURISER_KIND = "face_restorer", "colouriser"


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What a worker can run: a checkpoint, an upscaler, a captioner."""

    #: Registry key, never a path.
    name: str
    #: `diffusion`, `upscaler`, `captioner`, `ranker`, `tagger`, `lora`, `face_restorer`,
    #: `colouriser`, `control`, `preprocessor`, or `mask`, whose names are `subject`, `face` and
    #: `words`.
    kind: str
    #: Natural side of its pictures in pixels (diffusion), its scale (upscaler), or 0.
    size: int
    #: What it is good for, in a few words.
    about: str = ""
    #: A checkpoint's short hash, where it is known already.
    digest: str = ""
    #: What a checkpoint does alone, `INSTRUCT_ROLE` or `REFINER_ROLE`; empty for all kinds of jobs.
    role: str = ""
    #: What else it is called: the name that its trainer gave a LoRA.
    alias: str = ""
    #: The most pictures that a checkpoint looks at in an edit by instructions; 0 for none.
    references: int = 0
    #: What a checkpoint or ControlNet is of: `sd1`, `sd2`, `sdxl`; empty where it is not known.
    family: str = ""
    #: TFLOP of an upscaler by megapixels of its input, 0 where nobody has counted.
    tflop: float = 0.0
    #: What sides of a checkpoint's pictures are multiples of, in pixels.
    multiple: int = LATENT_CELL_PIXELS
    #: What a checkpoint's jobs take where nobody says it.
    defaults: tuple[ModelDefault, ...] = ()
    #: How a checkpoint's weights fit the device: `whole`, in `parts` by turns, in `blocks` or
    #: `not`; empty for everything else.
    fit: str = ""


@dataclass(frozen=True, kw_only=True)
class WorkerReady:
    """The worker is up and takes jobs."""

    device: str
    dtype: str
    models: tuple[ModelInfo, ...]
    #: Things the host should know: a missing extra, a slow mode.
    notes: tuple[Notice, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ResidentModels:
    """Which checkpoints are in memory; told when that changes."""

    #: By every name that a job may give them; the host's own also by an empty one.
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ModelsChanged:
    """What the worker can run is not what it said: a file came, or a hash is known by now."""

    models: tuple[ModelInfo, ...]


@dataclass(frozen=True, kw_only=True)
class StartFailed:
    """The worker cannot start; its last words before it ends."""

    reason: Notice


@dataclass(frozen=True, kw_only=True)
class JobProgress:
    """A job came one step further; it renews that job's lease."""

    job_id: str
    attempt: int
    step: int
    steps: int
    #: A small JPEG of the picture so far, as a path in the outbox. It stays the worker's, which
    #: replaces it and takes it away with the job: read it at once, or do without.
    preview: str | None = None
    #: Rows of the network call that the step sat in; 0 before the first.
    rows: int = 0
    #: As in `JobFinished`, so far.
    flops: float = 0.0
    #: As in `JobFinished`, so far.
    gpu_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class JobsWaiting:
    """Jobs wait for their next step, or for being written, in a worker that works.

    It renews their leases. A worker says it between two pieces of work, never by a clock alone: one
    that hangs is silent.
    """

    #: Job id and attempt of each.
    jobs: tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True)
class PartFinished:
    """A part of a job is done: kept, it spares a later attempt the work."""

    job_id: str
    attempt: int
    #: Its number within the job, from 0.
    part: int
    #: Says exactly which work it was; a later attempt compares.
    mark: str
    image: OutputFile


@dataclass(frozen=True, kw_only=True)
class DescribedPhrase:
    """One part of what describes a picture."""

    #: `caption`, `match` (the best of a list) or `tag`.
    kind: str
    text: str
    #: How sure the network is, 0-1; None where it does not say.
    share: float | None = None


@dataclass(frozen=True, kw_only=True)
class JobFinished:
    """A job is done."""

    job_id: str
    attempt: int
    images: tuple[OutputFile, ...]
    #: Words that are the answer (interrogation), or go with it.
    text: str = ""
    #: The parts of a description, in their order.
    phrases: tuple[DescribedPhrase, ...] = ()
    #: What a person should know: "the mask was fitted to the picture".
    notes: tuple[Notice, ...] = ()
    #: The mask along whose edge the pictures show a seam, if they do; not to be shown itself.
    seams: tuple[OutputFile, ...] = ()
    #: From the worker's taking it to its end, in seconds.
    seconds: float = 0.0
    #: Network time charged to the job, in seconds: its share of every batch it sat in.
    gpu_seconds: float = 0.0
    #: Floating point operations that the networks ran for it, counted once for each model and size;
    #: 0 where not everything was counted.
    flops: float = 0.0


@dataclass(frozen=True, kw_only=True)
class JobFailed:
    """A job cannot be done; the reason is for its owner."""

    job_id: str
    attempt: int
    reason: Notice
    #: `input`, `model`, `memory` or `engine`; only `engine` is worth another attempt.
    error_kind: str = "engine"


@dataclass(frozen=True, kw_only=True)
class JobCancelled:
    """A job was given up on request: cancelled, or handed back at a drain."""

    job_id: str
    attempt: int


@dataclass(frozen=True, kw_only=True)
class WorkerLost:
    """A worker process ended with jobs in its hands; told by the service, not by the worker."""

    worker: str
    reason: Notice
    #: Job id and attempt of everything it held.
    jobs: tuple[tuple[str, int], ...]
    #: Whether one of the jobs may have ended it; not where its machine went away.
    counts: bool = True


@dataclass(frozen=True, kw_only=True)
class WorkerPaused:
    """A worker died too often and is not started for a while; told by the service."""

    worker: str
    reason: Notice
    #: Until it is tried again.
    seconds: float


@dataclass(frozen=True, kw_only=True)
class WorkerRecovered:
    """A worker that rested has done a job again; told by the service."""

    worker: str


@dataclass(frozen=True, kw_only=True)
class JobsFound:
    """What a worker that was found again has in hand, or has ended without being heard.

    Told by the service before anything else of these jobs.
    """

    #: Job id and attempt of each.
    jobs: tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True)
class SearchEnded:
    """No worker will be found again that was not by now; told by the service."""


Event = (
    WorkerReady
    | ResidentModels
    | ModelsChanged
    | StartFailed
    | JobProgress
    | JobsWaiting
    | PartFinished
    | JobFinished
    | JobFailed
    | JobCancelled
    | WorkerLost
    | WorkerPaused
    | WorkerRecovered
    | JobsFound
    | SearchEnded
)


@dataclass(frozen=True, kw_only=True)
class WorkerEvent:
    """What one of the link's workers says."""

    worker: str
    #: As `wire.to_fields` writes it.
    event: Mapping[str, Any]
    #: What the bot says in `EventTaken` once it has recorded it; empty where nobody waits for that.
    receipt: str = ""


@dataclass(frozen=True, kw_only=True)
class LinkJoined:
    """The link has joined its cluster."""

    #: Those that were there already, whose workers may have jobs in hand.
    seats: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class JobInHand:
    """An attempt at a job, and the worker that has it, or had it until it ended."""

    worker: str
    job_id: str
    attempt: int


@dataclass(frozen=True, kw_only=True)
class SeatAttached:
    """A seat is found or opened; told before all that is said there."""

    seat: int
    #: The one that runs there now.
    worker: str
    #: Of this bot, from before the link came; all that is said of them follows.
    jobs: tuple[JobInHand, ...]


@dataclass(frozen=True, kw_only=True)
class SeatReport:
    """How one of the link's workers is; told when that changes. Fields as in `WorkerStatus`."""

    #: Its number, which stays while workers come and go.
    seat: int
    name: str
    ready: bool
    capacity: int
    batch: int = 1
    node: str = ""
    device: str = ""
    #: As in `WorkerReady`.
    dtype: str = ""
    models: tuple[ModelInfo, ...] = ()
    resident: tuple[str, ...] = ()
    notes: tuple[Notice, ...] = ()
    #: Why it is not ready, where that is known: none or one.
    troubles: tuple[Notice, ...] = ()
    is_resting: bool = False


@dataclass(frozen=True, kw_only=True)
class SeatClosed:
    """A seat is given up, since there is too little to do for it."""

    seat: int


LinkEvent = WorkerEvent | LinkJoined | SeatAttached | SeatReport | SeatClosed
