"""What a latent shows, told in a moment: a linear map to colours, or a tiny autoencoder.

Neighbouring cells of these autoencoders' latents hold the colours of their 8 × 8 pixels in a
nearly linear way, so one small matrix gives a picture an eighth as wide and high.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from diffusers import AutoencoderTiny
from torch import Tensor

from inference.model_files.errors import MissingWeights, ModelError
from inference.model_files.files import is_folder
from inference.model_files.json_files import read_json_object

if TYPE_CHECKING:
    from inference.diffusion.model import LatentModel

log = logging.getLogger(__name__)

#: Beside a folder's autoencoder: the map that was fitted to it, `{"weight": …, "bias": …}`.
MAP_FILE = Path("vae", "preview.json")
#: The folder of the models folder in which the host may lay tiny autoencoders.
TINY_VAE_DIR = "vae_approx"
#: Cells a side that a tiny autoencoder is given: 512 pixels, and little time.
TINY_CELLS = 64


#: What a map is fitted to: fields of a few random colours that run into each other.
FIT_FIELDS, FIT_COLOURS, FIT_CELLS, FIT_PIXELS_PER_CELL = 6, 4, 16, 8
#: Keeps factors small where cells do not tell.
FIT_RIDGE = 1e-3


@dataclass(frozen=True)
class LinearMap:
    """RGB in −1..1 = weight · latent + bias: `weight` 3 rows of C numbers, `bias` 3."""

    weight: tuple[tuple[float, ...], ...]
    bias: tuple[float, ...] = (0.0, 0.0, 0.0)

    def __call__(self, latents: Tensor) -> Tensor:
        """Turn [B, C, h, w] into [B, 3, h, w], both in the latents' own place and float32."""
        weight = torch.tensor(self.weight, device=latents.device)
        bias = torch.tensor(self.bias, device=latents.device)
        return torch.einsum("rc,bchw->brhw", weight, latents.float()) + bias[:, None, None]


@dataclass(frozen=True)
class LatentFamily:
    """The latents that several checkpoints share."""

    rgb: LinearMap
    #: The tiny autoencoder made for them (Bohan 2023), as its folder is called.
    tiny: str


#: Families by the scaling factor of their autoencoder, which no two of them share. The factors are
#: those that the field's programs print (fitted by their users to decoded pictures; for SD 1 and 2
#: since "Decoding latents to RGB without upscaling", keturn 2022).
LATENT_FAMILIES: Mapping[float, LatentFamily] = {
    0.18215: LatentFamily(
        LinearMap(
            (
                (0.3512, 0.3250, -0.2829, -0.2120),
                (0.2297, 0.4974, 0.1762, -0.2616),
                (0.3227, 0.2350, 0.2721, -0.7177),
            )
        ),
        "taesd",
    ),
    0.13025: LatentFamily(
        LinearMap(
            (
                (0.3651, -0.2533, 0.1076, -0.3165),
                (0.4232, -0.0042, 0.1111, -0.2492),
                (0.4341, 0.1068, -0.0362, -0.2188),
            ),
            (0.1084, -0.0175, -0.0011),
        ),
        "taesdxl",
    ),
}


def read_preview_map(folder: Path) -> LinearMap | None:
    """Read the map that a checkpoint's folder brings along; None where it has none of use."""
    try:
        content = read_json_object(folder / MAP_FILE)
        weight = tuple(tuple(float(part) for part in row) for row in content["weight"])
        bias = tuple(float(part) for part in content["bias"])
    except MissingWeights:
        return None
    except (ModelError, ValueError, KeyError, TypeError) as error:
        log.warning("The preview map of %s is of no use: %s", folder.name, error)
        return None
    if len(weight) != 3 or len(bias) != 3 or len({len(row) for row in weight}) != 1:
        log.warning("The preview map of %s has not three rows.", folder.name)
        return None
    return LinearMap(weight, bias)


class LatentPreviewer:
    """Shows latents of any loaded checkpoint; a tiny autoencoder of the host's goes before maps."""

    def __init__(self, models_dir: Path) -> None:
        """Take the host's models folder."""
        self._models_dir = models_dir
        self._tiny: dict[tuple[str, torch.device], Any] = {}

    @torch.inference_mode()
    def preview_latents(self, model: LatentModel, latents: Tensor) -> Tensor | None:
        """Turn [B, C, h, w] in the network's scale into [B, 3, H, W] in −1..1, on the CPU.

        None where neither a map nor a tiny autoencoder is known for such latents.
        """
        scaling_factor = float(getattr(model.vae.config, "scaling_factor", 0.0))
        family = LATENT_FAMILIES.get(round(scaling_factor, 5))
        tiny = self._load_tiny_vae(family.tiny, model) if family else None
        if tiny is not None:
            small = _shrink_to_cells(latents, TINY_CELLS).to(model.dtype)
            return torch.as_tensor(tiny.decode(small).sample).float().cpu()
        rgb = model.rgb or (family.rgb if family else None)
        if rgb is None or len(rgb.weight[0]) != latents.shape[1]:
            return None
        return rgb(latents).cpu()

    def _load_tiny_vae(self, name: str, model: LatentModel) -> Any:
        """Give the host's tiny autoencoder, once loaded; None where there is none of use."""
        key = (name, model.device)
        if key not in self._tiny:
            self._tiny[key] = None
            folder = self._models_dir / TINY_VAE_DIR / name
            if is_folder(folder):
                try:
                    tiny_vae = AutoencoderTiny.from_pretrained(
                        str(folder), use_safetensors=True, local_files_only=True
                    )
                    self._tiny[key] = tiny_vae.to(model.device, model.dtype).eval()
                except Exception as error:  # whatever is wrong with it: maps do as well
                    log.warning("%s/%s is of no use for previews: %s", TINY_VAE_DIR, name, error)
        return self._tiny[key]


def fit_preview_map(model: LatentModel) -> LinearMap:
    """Fit a map to a model's autoencoder, by how it encodes some smooth coloured fields.

    For families that nobody has published factors of; least squares over every cell.
    """
    generator = torch.Generator().manual_seed(0)
    side = FIT_CELLS * FIT_PIXELS_PER_CELL
    fields = torch.rand(FIT_FIELDS, 3, FIT_COLOURS, FIT_COLOURS, generator=generator) * 2 - 1
    pixels = torch.nn.functional.interpolate(fields, (side, side), mode="bilinear")
    latents = model.encode_pixels(pixels).cpu()
    targets = torch.nn.functional.interpolate(pixels, latents.shape[-2:], mode="area")
    inputs = latents.permute(0, 2, 3, 1).flatten(0, 2)
    inputs = torch.cat([inputs, torch.ones(len(inputs), 1)], 1).double()
    square = inputs.T @ inputs + FIT_RIDGE * torch.eye(inputs.shape[1], dtype=torch.float64)
    outputs = targets.permute(0, 2, 3, 1).flatten(0, 2).double()
    solution = torch.linalg.solve(square, inputs.T @ outputs).T.tolist()
    weight = tuple(tuple(row[:-1]) for row in solution)
    red, green, blue = (row[-1] for row in solution)
    return LinearMap(weight, (red, green, blue))


def _shrink_to_cells(latents: Tensor, cells: int) -> Tensor:
    """Scale [B, C, h, w] down until its longer side has at most that many cells."""
    share = cells / max(latents.shape[-2:])
    if share >= 1:
        return latents
    height, width = (max(1, round(side * share)) for side in latents.shape[-2:])
    return torch.nn.functional.interpolate(latents, size=(height, width), mode="area")
