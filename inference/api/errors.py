"""The errors of inference; the body hangs its own on the same tree.

InferenceError
├── JobError              a job that cannot be asked for; says which field and what to change
│   ├── OutOfRange        a number beyond its bounds
│   ├── UnknownChoice     a name that is not among the choices
│   └── ImageMissing    a picture that the kind needs was not given
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


class InferenceError(Exception):
    """Inference failed."""


class JobError(InferenceError):
    """The job is impossible."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


class OutOfRange(JobError):
    """A number lies beyond its bounds."""

    def __init__(self, field: str, value: float, low: float, high: float) -> None:
        super().__init__(
            field,
            f"{field.replace('_', ' ')} is {value:g}, but must lie between {low:g} and {high:g}.",
        )
        self.value, self.low, self.high = value, low, high


class UnknownChoice(JobError):
    """A name is not among the choices."""

    def __init__(self, field: str, value: str, choices: Sequence[str]) -> None:
        close = difflib.get_close_matches(value, choices, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(close)}?" if close else f"Use {', '.join(choices)}."
        super().__init__(field, f"There is no {field.replace('_', ' ')} “{value}”. {hint}")
        self.value, self.choices, self.close = value, tuple(choices), tuple(close)


class ImageMissing(JobError):
    """A picture that this kind of job needs was not given."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(name, f"{kind} needs the picture “{name}”: attach one.")
        self.kind = kind


class EngineError(InferenceError):
    """Running the job failed."""

    def __init__(self, words: str | None = None) -> None:
        super().__init__(words or self.__doc__)


class OutOfMemory(EngineError):
    """The picture does not fit the device's memory even alone: ask for a smaller one."""


class DeviceLost(EngineError):
    """The device is in a state that only a new process can leave."""


class WireError(InferenceError):
    """A frame on the wire could not be read."""


class ServiceError(InferenceError):
    """The inference service cannot work."""


class NoWorker(ServiceError):
    """No worker is running: the job stays in the queue until one is."""
