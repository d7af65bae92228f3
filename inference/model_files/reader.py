"""Read single weights out of a safetensors file into modules that were built empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.overrides import TorchFunctionMode
from transformers.initialization import no_init_weights

from inference.model_files.errors import CorruptWeights

#: What layers that hold their weights as bytes call those.
STORED_SUFFIX = "stored_weight"
#: Gives the tensor for a weight's name, or None where there is none.
Find = Callable[[str], Tensor | None]


class TensorFile:
    """The open safetensors files of one network; tensors are read one at a time.

    They come onto the processor. Files may be one or, in shards, several.
    """

    def __init__(self, path: Path, safe_files: Sequence[Any]) -> None:
        """Take what the network is called by in refusals, and its open files."""
        self.path = path
        self._files_by_name = {name: file for file in safe_files for name in file.keys()}  # noqa: SIM118
        self.names = frozenset(self._files_by_name)

    def get_tensor(self, *names: str) -> Tensor | None:
        """Read the first of several names that is there."""
        for name in names:
            if name in self.names:
                tensor: Tensor = self._files_by_name[name].get_tensor(name)
                return tensor
        return None

    def dtype_of(self, name: str) -> torch.dtype | None:
        """Give the number format of a weight, which is mapped and not read; None without one."""
        weight = self.get_tensor(name)
        return None if weight is None else weight.dtype


@contextmanager
def open_tensors(*paths: Path) -> Iterator[TensorFile]:
    """Open the safetensors files of one network.

    Raises:
        CorruptWeights: one cannot be read.
    """
    current_path = paths[0]
    try:
        with ExitStack() as stack:
            files = []
            for current_path in paths:
                safe_file = safe_open(str(current_path), framework="pt", device="cpu")
                files.append(stack.enter_context(safe_file))
            yield TensorFile(paths[0] if len(paths) == 1 else paths[0].parent, files)
    except (SafetensorError, OSError) as error:
        raise CorruptWeights(
            "weights.unreadable_file", name=current_path.name, error=error
        ) from error


class _EmptyNowhere(TorchFunctionMode):
    """Has tensors that are asked for without numbers made on the meta device."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        settings = dict(kwargs or {})
        if func is torch.empty:
            settings["device"] = "meta"
        return func(*args, **settings)


@contextmanager
def build_without_weights() -> Iterator[None]:
    """Have a module built whose weights take no memory and are not drawn: a file has them.

    Under `torch.device("meta")` what draws or counts numbers asks torch for Python's own arithmetic
    of symbols, which takes longer to import than a small checkpoint to load.
    """
    with no_init_weights(), _EmptyNowhere():
        yield


def load_into(module: Any, find: Find, path: Path, device: torch.device, dtype: torch.dtype) -> Any:
    """Give a module built on the meta device its weights, frozen and in evaluation mode.

    Layers that hold bytes have them already. A 1 × 1 convolution in the file may stand for a matrix
    of the module, and the other way round.

    Raises:
        CorruptWeights: a weight is missing or has another shape.
    """
    state = {}
    # A part in several files goes by its folder in the checkpoint's.
    file = path.name if path.suffix else "/".join(path.parts[-2:])
    for name, parameter in module.state_dict().items():
        if name.endswith(STORED_SUFFIX):
            continue
        weight = find(name)
        if weight is None:
            raise CorruptWeights("weights.lacks_weight", file=file, name=name)
        if weight.squeeze().shape != parameter.squeeze().shape:
            raise CorruptWeights(
                "weights.wrong_shape",
                file=file,
                name=name,
                shape=tuple(weight.shape),
                wanted=tuple(parameter.shape),
            )
        state[name] = weight.reshape(parameter.shape).to(device, dtype).contiguous()
    module.load_state_dict(state, strict=False, assign=True)
    return module.requires_grad_(False).eval()
