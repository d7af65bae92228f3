"""Turn a PyTorch pickle into safetensors, in a process of its own that ends afterwards.

`python -m inference.model_files.unpickle FROM TO`. Only torch's restricted unpickler is used; it
knows tensors and plain containers, and a file with anything else in it is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

EXIT_REFUSED = 2
#: Where published files keep their weights, the averaged ones first.
WRAPPER_KEYS = ("state_dict", "params_ema", "params", "model")


def convert_pickle(source: Path, target: Path) -> int:
    """Convert a file; return the number of its tensors.

    Raises:
        ValueError: it holds no tensors by name.
        pickle.UnpicklingError: it holds more than tensors.
    """
    content = torch.load(source, map_location="cpu", weights_only=True, mmap=False)
    tensors = tensors_of(content)
    if not tensors:
        raise ValueError("it holds no weights by name")
    save_file({name: value.contiguous().clone() for name, value in tensors.items()}, target)
    return len(tensors)


def tensors_of(content: Any) -> dict[str, Tensor]:
    """Find the tensors of a checkpoint, an upscaler or an embedding."""
    if not isinstance(content, Mapping):
        return {}
    learned_vectors = content.get("string_to_param")
    if isinstance(learned_vectors, Mapping):
        return {"emb_params": next(iter(learned_vectors.values())).detach()}
    for wrapper in WRAPPER_KEYS:
        if isinstance(content.get(wrapper), Mapping):
            return tensors_of(content[wrapper])
    return {
        str(name): value.detach() for name, value in content.items() if isinstance(value, Tensor)
    }


def main(arguments: list[str]) -> int:
    """Convert as the two arguments say; the exit code tells whether it went well."""
    source, target = map(Path, arguments)
    try:
        convert_pickle(source, target)
    except Exception as error:  # any failure of a hostile file is this process's last word
        sys.stderr.write(f"{source.name} cannot be converted: {str(error).splitlines()[0]}\n")
        return EXIT_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
