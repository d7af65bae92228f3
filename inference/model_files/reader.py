"""Read single weights out of a safetensors file into modules that were built empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from inference.model_files.errors import CorruptWeights

#: Gives the tensor for a weight's name, or None where there is none.
Find = Callable[[str], Tensor | None]


class TensorFile:
    """One open safetensors file; tensors are read one at a time, onto the processor."""

    def __init__(self, path: Path, safe_file: Any) -> None:
        self.path = path
        self._opened = safe_file
        self.names = frozenset(safe_file.keys())

    def get_tensor(self, *names: str) -> Tensor | None:
        """Read the first of several names that is there."""
        for name in names:
            if name in self.names:
                tensor: Tensor = self._opened.get_tensor(name)
                return tensor
        return None


@contextmanager
def open_tensors(path: Path) -> Iterator[TensorFile]:
    """Open a safetensors file.

    Raises:
        CorruptWeights: it cannot be read.
    """
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            yield TensorFile(path, file)
    except (SafetensorError, OSError) as error:
        raise CorruptWeights("weights.unreadable_file", name=path.name, error=error) from error


def load_into(module: Any, find: Find, path: Path, device: torch.device, dtype: torch.dtype) -> Any:
    """Give a module built on the meta device its weights, frozen and in evaluation mode.

    A 1 × 1 convolution in the file may stand for a matrix of the module, and the other way round.

    Raises:
        CorruptWeights: a weight is missing or has another shape.
    """
    state = {}
    for name, parameter in module.state_dict().items():
        weight = find(name)
        if weight is None:
            raise CorruptWeights("weights.lacks_weight", file=path.name, name=name)
        if weight.squeeze().shape != parameter.squeeze().shape:
            raise CorruptWeights(
                "weights.wrong_shape",
                file=path.name,
                name=name,
                shape=tuple(weight.shape),
                wanted=tuple(parameter.shape),
            )
        state[name] = weight.reshape(parameter.shape).to(device, dtype).contiguous()
    module.load_state_dict(state, assign=True)
    return module.requires_grad_(False).eval()
