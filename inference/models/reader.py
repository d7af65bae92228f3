"""Read single weights out of a safetensors file into modules that were built empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from inference.models.errors import CorruptWeights

#: Gives the tensor for a weight's name, or None where there is none.
Find = Callable[[str], Tensor | None]


class Reader:
    """One open safetensors file; tensors are read one at a time, onto the processor."""

    def __init__(self, path: Path, opened: Any) -> None:
        self.path = path
        self._opened = opened
        self.names = frozenset(opened.keys())

    def get(self, *names: str) -> Tensor | None:
        """Read the first of several names that is there."""
        for name in names:
            if name in self.names:
                tensor: Tensor = self._opened.get_tensor(name)
                return tensor
        return None


@contextmanager
def opened(path: Path) -> Iterator[Reader]:
    """Open a safetensors file.

    Raises:
        CorruptWeights: it cannot be read.
    """
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            yield Reader(path, file)
    except (SafetensorError, OSError) as error:
        raise CorruptWeights(f"{path.name} cannot be read: {error}.") from error


def fill(module: Any, find: Find, path: Path, device: torch.device, dtype: torch.dtype) -> Any:
    """Give a module built on the meta device its weights, frozen and in evaluation mode.

    A 1 × 1 convolution in the file may stand for a matrix of the module, and the other way round.

    Raises:
        CorruptWeights: a weight is missing or has another shape.
    """
    state = {}
    for name, wanted in module.state_dict().items():
        found = find(name)
        if found is None:
            raise CorruptWeights(f"{path.name} lacks the weight {name}: the file is not whole.")
        if found.squeeze().shape != wanted.squeeze().shape:
            raise CorruptWeights(
                f"{path.name} holds {name} with shape {tuple(found.shape)} where its family has "
                f"{tuple(wanted.shape)}: it is a model of another kind."
            )
        state[name] = found.reshape(wanted.shape).to(device, dtype).contiguous()
    module.load_state_dict(state, assign=True)
    return module.requires_grad_(False).eval()
