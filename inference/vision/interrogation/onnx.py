"""Taggers published as ONNX files: the WD taggers and DeepDanbooru, each with its own pictures.

Both take [B, side, side, 3] float32 and end in a sigmoid. Sources: the WD taggers' published
example (SmilingWolf/wd-tagger); DeepDanbooru's evaluation as the web UIs run it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from inference.images.resize import ResizeMode, fit_image
from inference.model_files.errors import CorruptWeights, UnsupportedWeights
from inference.vision.interrogation.tagging.tag_files import WD_FILE

if TYPE_CHECKING:
    from inference.vision.interrogation.tagging.tagger import TaggerNetwork

ONNX_FILE = "model.onnx"
RGB_CHANNELS = 3

Floats = npt.NDArray[np.float32]


def find_onnx(folder: Path) -> Path | None:
    """Find a folder's network: `model.onnx`, else the first ONNX file, A–Z."""
    files = sorted(folder.glob("*.onnx"), key=lambda path: (path.name != ONNX_FILE, path.name))
    return files[0] if files else None


def load_onnx(folder: Path, device: torch.device) -> TaggerNetwork:
    """Open a folder's ONNX file; its tag file tells how it wants its pictures.

    Raises:
        UnsupportedWeights: onnxruntime is not installed, or it is no such network.
        CorruptWeights: the file cannot be read.
    """
    session = _open_session(folder, device)
    graph_input = session.get_inputs()[0]
    side = _input_side(graph_input.shape)
    if side is None:
        raise UnsupportedWeights("weights.tagger_shape", name=folder.name, shape=graph_input.shape)
    prepare = wd_pixels if (folder / WD_FILE).is_file() else deep_danbooru_pixels
    #: A graph whose first dimension is a number takes no other count of pictures.
    has_fixed_batch = isinstance(graph_input.shape[0], int)

    def predict_probabilities(images: Sequence[Image.Image]) -> Floats:
        pixels = np.stack([prepare(image, side) for image in images])
        batches = [pixels[i : i + 1] for i in range(len(pixels))] if has_fixed_batch else [pixels]
        outputs = [session.run(None, {graph_input.name: batch})[0] for batch in batches]
        return np.concatenate(outputs).astype(np.float32)

    return predict_probabilities


def wd_pixels(image: Image.Image, side: int) -> Floats:
    """Lay an RGB picture on a white square and scale that: [side, side, 3] BGR, 0–255."""
    longest = max(image.size)
    square = Image.new("RGB", (longest, longest), "white")
    square.paste(image, ((longest - image.width) // 2, (longest - image.height) // 2))
    scaled_image = square.resize((side, side), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(scaled_image, np.float32)[..., ::-1])


def deep_danbooru_pixels(image: Image.Image, side: int) -> Floats:
    """Fit an RGB picture into a square, its edges continued: [side, side, 3] RGB, 0–1."""
    fitted_image = fit_image(image, side, side, ResizeMode.RESIZE_AND_FILL)
    return np.asarray(fitted_image, np.float32) / np.float32(255)


def _open_session(folder: Path, device: torch.device) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise UnsupportedWeights("weights.tagger_runtime", name=folder.name) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # Threads that spin while they wait would take the denoiser's cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    preferred_providers = ["CPUExecutionProvider"]
    if device.type == "cuda":
        preferred_providers.insert(0, "CUDAExecutionProvider")
    available_providers = [
        name for name in preferred_providers if name in onnxruntime.get_available_providers()
    ]
    try:
        return onnxruntime.InferenceSession(
            str(find_onnx(folder)), options, providers=available_providers
        )
    except Exception as error:  # onnxruntime's errors have no common class
        first = str(error).splitlines()[0]
        raise CorruptWeights("weights.tagger_unreadable", name=folder.name, error=first) from error


def _input_side(shape: Sequence[object]) -> int | None:
    """Read the side of the pictures that a graph takes, in pixels; None for other inputs."""
    if len(shape) != 4 or shape[3] != RGB_CHANNELS or shape[1] != shape[2]:
        return None
    return shape[1] if isinstance(shape[1], int) else None
