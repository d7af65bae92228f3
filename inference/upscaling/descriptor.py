"""Read a super-resolution network from a safetensors file, through spandrel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from inference.model_files.errors import CorruptWeights, MissingWeights, UnsupportedWeights

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor

PICKLE_SUFFIXES = frozenset({".pth", ".pt", ".ckpt", ".bin", ".pkl"})


def interpolate_states(
    first: dict[str, Tensor], second: dict[str, Tensor], share: float
) -> dict[str, Tensor]:
    """Blend two state dicts of one network into float32 arrays; share 0 gives the first.

    Raises:
        ValueError: the share is outside 0..1.
        UnsupportedWeights: they are not of the same network.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"The share must be from 0 to 1, not {share:g}.")
    shapes = ({name: value.shape for name, value in state.items()} for state in (first, second))
    if next(shapes) != next(shapes):
        raise UnsupportedWeights("weights.unblendable")
    return {name: torch.lerp(first[name].float(), second[name].float(), share) for name in first}


def describe_network(
    state: dict[str, Tensor], name: str, device: torch.device
) -> ImageModelDescriptor[torch.nn.Module]:
    """Let spandrel find the architecture of a state dict read from a file of that name."""
    # All architectures that there are take seconds to import, and many a worker needs none.
    from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError

    try:
        descriptor = ModelLoader(device).load_from_state_dict(state)
    except UnsupportedModelError as error:
        raise UnsupportedWeights("weights.no_architecture", name=name) from error
    except (RuntimeError, KeyError, IndexError, ValueError) as error:
        raise CorruptWeights("weights.arrays_misfit", name=name, error=error) from error
    if not isinstance(descriptor, ImageModelDescriptor):
        raise UnsupportedWeights("weights.inpainting", name=name)
    if (descriptor.input_channels, descriptor.output_channels) != (3, 3):
        raise UnsupportedWeights(
            "weights.channels",
            name=name,
            inputs=descriptor.input_channels,
            outputs=descriptor.output_channels,
        )
    return descriptor


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict, refusing every format that could run code."""
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise UnsupportedWeights("weights.upscaler_pickle", file=path.name)
    if path.suffix.lower() != ".safetensors":
        raise UnsupportedWeights("weights.no_safetensors", file=path.name)
    try:
        state: dict[str, Tensor] = load_file(path)
    except FileNotFoundError as error:
        raise MissingWeights("weights.no_file", file=path.name) from error
    except (SafetensorError, OSError) as error:
        raise CorruptWeights("weights.damaged", file=path.name, error=error) from error
    return state
