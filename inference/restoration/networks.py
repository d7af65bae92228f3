"""Load a network that restores faces or colours, and run pictures through it.

Faces go in cut out and upright, at the network's own side; GFPGAN (Wang et al., "Towards
Real-World Blind Face Restoration with Generative Facial Prior", 2021) and CodeFormer (Zhou et al.,
"Towards Robust Blind Face Restoration with Codebook Lookup Transformer", 2022) take and give values
of −1 to 1. DDColor (Kang et al., 2023) finds the colours of a small grey copy and leaves the
lightness of every pixel what it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from spandrel import ImageModelDescriptor
from spandrel.architectures.GFPGAN import GFPGAN
from torch import Tensor

from inference.model_files.errors import BrokenOutput, CorruptWeights, MissingWeights
from inference.runtime.memory import weight_bytes
from inference.upscaling.descriptor import read_state

EXTRA_PACKAGE = "spandrel_extra_arches"
#: Architectures of that package, which it takes to run them.
EXTRA_ARCHITECTURES = frozenset({"CodeFormer", "DDColor"})
#: Architectures whose licence forbids any use that earns money: CodeFormer's S-Lab License 1.0.
NON_COMMERCIAL_ARCHITECTURES = frozenset({"CodeFormer"})
#: Pixels of a CodeFormer's faces.
CODEFORMER_SIDE = 512
#: What of a GFPGAN no file differs in.
GFPGAN_SETTINGS: Mapping[str, Any] = {
    "channel_multiplier": 2,
    "decoder_load_path": None,
    "fix_decoder": False,
    "input_is_latent": True,
    "different_w": True,
    "sft_half": True,
}
#: Channels of its last convolution downwards, in a network of the published width.
GFPGAN_CHANNELS = 256

Shapes = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class FaceRestorer:
    """One network on one device, ready for faces."""

    architecture: str
    model: torch.nn.Module
    device: torch.device
    side: int
    """Pixels of the faces that it takes and gives."""

    @property
    def nbytes(self) -> int:
        """Bytes of its weights."""
        return weight_bytes(self.model)

    @torch.inference_mode()
    def restore_faces(self, faces: Sequence[Image.Image], weight: float) -> list[Image.Image]:
        """Restore RGB faces of the network's side in one call.

        `weight` is how closely CodeFormer keeps to each of them, 0 to 1; GFPGAN knows none.

        Raises:
            BrokenOutput: the network gave NaN or infinity.
        """
        pixels = np.stack([np.asarray(face, dtype=np.float32) for face in faces])
        batch = torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()).to(self.device) / 127.5 - 1
        if self.architecture == "CodeFormer":
            output: Tensor = self.model(batch, weight=weight)[0]
        else:
            # Its stored noise: with noise drawn anew a face would be another each time.
            output = self.model(batch, return_rgb=False, randomize_noise=False)[0]
        return _as_images((output.float() + 1) / 2)


@dataclass(frozen=True)
class Colouriser:
    """One network on one device, ready for grey pictures."""

    descriptor: ImageModelDescriptor[torch.nn.Module]
    device: torch.device

    @property
    def nbytes(self) -> int:
        """Bytes of its weights."""
        return weight_bytes(self.descriptor.model)

    def colourise_image(self, image: Image.Image) -> Image.Image:
        """Give an RGB picture colours; its own, if it has any, are not looked at.

        Raises:
            BrokenOutput: the network gave NaN or infinity.
        """
        grey = torch.from_numpy(np.asarray(image.convert("L"), dtype=np.float32) / 255)
        (coloured_image,) = _as_images(self.descriptor(grey[None, None].to(self.device)))
        return coloured_image


def load_restorer(path: Path, architecture: str, device: torch.device) -> FaceRestorer | Colouriser:
    """Load a network of an architecture from a safetensors file.

    Raises:
        MissingWeights: there is no such file, or what runs it is not installed.
        UnsupportedWeights: another format.
        CorruptWeights: the file is damaged, or its arrays do not fit its architecture.
    """
    state = read_state(path)
    shapes = {name: tuple(array.shape) for name, array in state.items()}
    try:
        if architecture == "GFPGAN":
            model: torch.nn.Module = build_gfpgan(shapes)
            model.load_state_dict(state)
            model.to(device).requires_grad_(False).eval()
            return FaceRestorer(architecture, model, device, face_side(shapes, architecture))
        descriptor = _load_extra(architecture, state, path.stem)
    except (RuntimeError, LookupError, ValueError, TypeError) as error:
        raise CorruptWeights("weights.arrays_misfit", name=path.name, error=error) from error
    descriptor.model.to(device).requires_grad_(False).eval()
    if architecture == "DDColor":
        return Colouriser(descriptor, device)
    return FaceRestorer(architecture, descriptor.model, device, face_side(shapes, architecture))


def face_side(shapes: Shapes, architecture: str) -> int:
    """Tell the side in pixels of a network's faces by the shapes of its arrays."""
    if architecture != "GFPGAN":
        return CODEFORMER_SIDE
    return 4 * int(2 ** _count_layers(shapes, "toRGB.{}.weight"))


def build_gfpgan(shapes: Shapes) -> torch.nn.Module:
    """Build a GFPGAN whose arrays have these shapes, with random weights.

    Raises:
        KeyError: an array that every one has is missing.
    """
    network: torch.nn.Module = GFPGAN(
        **GFPGAN_SETTINGS,
        out_size=face_side(shapes, "GFPGAN"),
        num_style_feat=shapes["stylegan_decoder.style_mlp.1.weight"][0],
        # Layers of which every second one is an activation, behind a normalisation.
        num_mlp=_count_layers(shapes, "stylegan_decoder.style_mlp.{}.weight", first=1, step=2),
        narrow=shapes["final_conv.weight"][0] / GFPGAN_CHANNELS,
    )
    return network


def check_runnable(architecture: str, name: str) -> None:
    """See that what runs an architecture is installed.

    Raises:
        MissingWeights: it is not.
    """
    if architecture in EXTRA_ARCHITECTURES and find_spec(EXTRA_PACKAGE) is None:
        raise MissingWeights("restore.no_package", name=name)


def _load_extra(
    architecture: str, state: dict[str, Tensor], name: str
) -> ImageModelDescriptor[torch.nn.Module]:
    """Let spandrel's second package build a network and fill in its weights."""
    check_runnable(architecture, name)
    module = import_module(f"{EXTRA_PACKAGE}.architectures.{architecture}")
    loader = getattr(module, f"{architecture}Arch")()
    descriptor: ImageModelDescriptor[torch.nn.Module] = loader.load(state)
    return descriptor


def _count_layers(shapes: Shapes, pattern: str, first: int = 0, step: int = 1) -> int:
    count = 0
    while pattern.format(first + count * step) in shapes:
        count += 1
    return count


def _as_images(batch: Tensor) -> list[Image.Image]:
    """Turn [B, 3, h, w] of 0..1 into RGB pictures; what lies beyond is cut off."""
    if not bool(batch.sum().isfinite()):
        raise BrokenOutput("restore.broken")
    pixels = batch.clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(image) for image in pixels]
