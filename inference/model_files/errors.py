"""What can be wrong with a network's weights.

ModelError
├── UnknownModel         no entry of that name
├── MissingWeights       the entry is known, its weights are not on this machine
│   └── AccessDenied     they are not given to everybody
├── UnsupportedWeights   a kind of file or network that Easel does not run
├── CorruptWeights       the file is not what its name or its hash promises
└── BrokenOutput         the network ran and gave numbers that are no picture
"""

from __future__ import annotations

from inference.api.errors import InferenceError


class ModelError(InferenceError):
    """Something is wrong with a model."""

    default_code = "weights.wrong"
    error_kind = "model"


class UnknownModel(ModelError):
    """There is no model of that name."""

    default_code = "weights.unknown"


class MissingWeights(ModelError):
    """The model's weights are not on this machine."""

    default_code = "weights.missing"


class AccessDenied(MissingWeights):
    """The model's weights are not given to everybody."""


class UnsupportedWeights(ModelError):
    """These weights are of a kind that Easel does not run."""

    default_code = "weights.unsupported"


class CorruptWeights(ModelError):
    """The weights are damaged or not the ones expected."""

    default_code = "weights.corrupt"


class BrokenOutput(ModelError):
    """The network gave numbers that are no picture."""

    default_code = "model.broken"
