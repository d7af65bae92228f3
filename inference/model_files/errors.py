"""What can be wrong with a network's weights.

ModelError
├── UnknownModel         no entry of that name
├── MissingWeights       the entry is known, its weights are not on this machine
├── UnsupportedWeights   a kind of file or network that Easel does not run
├── CorruptWeights       the file is not what its name or its hash promises
└── BrokenOutput         the network ran and gave numbers that are no picture
"""

from __future__ import annotations

from inference.api.errors import InferenceError


class ModelError(InferenceError):
    """Something is wrong with a model."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class UnknownModel(ModelError):
    """There is no model of that name."""


class MissingWeights(ModelError):
    """The model's weights are not on this machine."""


class UnsupportedWeights(ModelError):
    """These weights are of a kind that Easel does not run."""


class CorruptWeights(ModelError):
    """The weights are damaged or not the ones expected."""


class BrokenOutput(ModelError):
    """The network gave numbers that are no picture."""
