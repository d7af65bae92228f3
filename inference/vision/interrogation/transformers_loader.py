"""Read one network from its folder: safetensors only, and nothing from the internet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from inference.model_files.errors import CorruptWeights, MissingWeights, ModelError
from inference.model_files.inspection import describe_error
from inference.model_files.json_files import read_json_object

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
WEIGHTS_INDEX_FILE = "model.safetensors.index.json"


def read_config(folder: Path) -> dict[str, Any]:
    """Read a folder's config.json; an empty one where there is none that can be read."""
    try:
        return read_json_object(folder / CONFIG_FILE)
    except ModelError:
        return {}


def load_pretrained(
    model_class: Any, folder: Path, device: torch.device, dtype: torch.dtype
) -> Any:
    """Load a transformers class for inference.

    Raises:
        MissingWeights: there are no weights, or only pickled ones.
        CorruptWeights: they cannot be read, or some are not there.
    """
    if not ((folder / WEIGHTS_FILE).is_file() or (folder / WEIGHTS_INDEX_FILE).is_file()):
        raise MissingWeights("weights.lacks_weights", folder=folder.name, file=WEIGHTS_FILE)
    try:
        model, report = model_class.from_pretrained(
            str(folder),
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    except Exception as error:  # settings can be wrong in ways that the library never foresaw
        reason = describe_error(error)
        raise CorruptWeights("weights.unreadable", name=folder.name, error=reason) from error
    if report["missing_keys"]:
        first = sorted(report["missing_keys"])[0]
        raise CorruptWeights(
            "weights.lacks_arrays",
            folder=folder.name,
            count=len(report["missing_keys"]),
            first=first,
        )
    return model.to(device).requires_grad_(False).eval()
