"""The errors of inference; the body hangs its own on the same tree.

InferenceError
├── JobError              a job that cannot be asked for; says which field and what to change
│   ├── OutOfRange        a number beyond its bounds
│   ├── UnknownChoice     a name that is not among the choices
│   ├── ImageMissing    a picture that the kind needs was not given
│   └── UnreadableMask  a mask in words that cannot be understood
├── EngineError           running failed, whatever was asked
│   ├── OutOfMemory       a picture does not fit the device even alone
│   └── DeviceLost        only a new process can use the device again
├── ModelError            something is wrong with weights: models/errors.py
├── ImageError          a picture that cannot be worked on: pictures/errors.py
├── WireError             a frame that the other side cannot have meant
└── ServiceError          the workers as a whole
    └── NoWorker          nothing is running that could take the job
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any, ClassVar

from inference.api.notices import Notice, format_number


class InferenceError(Exception):
    """Inference failed.

    It holds a notice; a sentence in the place of the code is for what no member meets.
    """

    #: The notice of one that is raised without a code.
    default_code: ClassVar[str] = ""
    #: What it comes from: `input`, `model`, `memory` or `engine`.
    error_kind: ClassVar[str] = "engine"

    def __init__(self, code: str | Notice = "", /, **params: Any) -> None:
        self.notice = (
            code if isinstance(code, Notice) else Notice(code or self.default_code, **params)
        )
        super().__init__(str(self.notice))


class JobError(InferenceError):
    """The job is impossible."""

    error_kind = "input"

    def __init__(self, field: str, code: str | Notice, /, **params: Any) -> None:
        super().__init__(code, **params)
        self.field = field


class OutOfRange(JobError):
    """A number lies beyond its bounds."""

    def __init__(self, field: str, value: float, low: float, high: float) -> None:
        bounds = {"low": format_number(low), "high": format_number(high)}
        super().__init__(field, "option.range", option=field, value=format_number(value), **bounds)


class UnknownChoice(JobError):
    """A name is not among the choices."""

    def __init__(self, field: str, value: str, choices: Sequence[str]) -> None:
        close = difflib.get_close_matches(value, choices, n=3, cutoff=0.5)
        hint = Notice("names.use", names=", ".join(choices))
        if close:
            hint = Notice("names.did_you_mean", names=" or ".join(close))
        super().__init__(field, "option.unknown", option=field, value=value, hint=hint)
        self.value, self.choices, self.close = value, tuple(choices), tuple(close)


class ImageMissing(JobError):
    """A picture that this kind of job needs was not given."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(name, "image.missing", kind=kind, option=name)
        self.kind = kind


class UnreadableMask(JobError):
    """A mask's words cannot be read."""

    def __init__(self, code: str = "mask.unreadable", /, **params: Any) -> None:
        super().__init__("mask_shape", code, **params)


class EngineError(InferenceError):
    """Running the job failed."""

    default_code = "job.failed"


class OutOfMemory(EngineError):
    """The picture does not fit the device's memory even alone."""

    default_code = "job.out_of_memory"
    error_kind = "memory"


class DeviceLost(EngineError):
    """The device is in a state that only a new process can leave."""

    default_code = "worker.device_lost"


class WireError(InferenceError):
    """A frame on the wire could not be read."""


class ServiceError(InferenceError):
    """The inference service cannot work."""


class NoWorker(ServiceError):
    """No worker is running: the job stays in the queue until one is."""
