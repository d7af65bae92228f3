"""What a checkpoint's network predicts: said by its file, or seen from what it does to noise."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import torch

from inference.model_files.identity import FileType
from inference.sampling.denoiser import Prediction
from inference.sampling.noise_table import NoiseTable

#: The line of the config that Stable Diffusion 2's makers publish beside their weights.
PARAMETERIZATION_LINE = re.compile(r"^\s*parameterization:\s*[\"']?(\w+)", re.MULTILINE)
PREDICTION_SPELLINGS: dict[str, Prediction] = {"v": "v_prediction", "eps": "epsilon"}
EARLY_TRAINING_STEP = 100  # of training: a third of the input is noise
LAST_TRAINING_STEP = 999  # of training: the input is noise, with next to no picture in it
PROBE_CELLS = 32  # latent cells
#: Least correlation of a network's answer with the noise shown to it to count as that noise.
MIN_NOISE_CORRELATION = 0.5


def stated_prediction(path: Path, identity: FileType) -> Prediction | None:
    """Read what the file, or the config of its name beside it (.yaml), says; None where neither."""
    yaml_path = path.with_suffix(".yaml")
    if yaml_path.is_file():
        match = PARAMETERIZATION_LINE.search(
            yaml_path.read_text(encoding="utf-8", errors="replace")
        )
        if match:
            return PREDICTION_SPELLINGS.get(match[1])
    # The first family predicts the noise unless it says otherwise; others come in both kinds. A
    # refiner never saw the strong noise that would tell.
    is_known = identity.family in ("sd1", "refiner")
    return identity.prediction or ("epsilon" if is_known else None)


@torch.inference_mode()
def probe_prediction(unet: Any, family: str = "sd2") -> Prediction:
    """Show a network pure noise at the last training step and see whether it answers with it.

    The noise is what a network of kind epsilon is to find; v = √ᾱ·ε − √(1 − ᾱ)·x0 is nearly the
    negative picture there (Salimans & Ho 2022, section 4), which the noise has no likeness to. Of
    SDXL, whose networks predict the noise as a rule, only one counts as of the other kind that does
    find noise where there is little of it.
    """
    if _noise_likeness(unet, LAST_TRAINING_STEP) > MIN_NOISE_CORRELATION:
        return "epsilon"
    if family == "sdxl" and not _noise_likeness(unet, EARLY_TRAINING_STEP) > MIN_NOISE_CORRELATION:
        return "epsilon"
    return "v_prediction"


def _noise_likeness(unet: Any, step: int) -> float:
    """Correlate a network's answer to noise over a grey picture with that noise."""
    weight = next(unet.parameters())
    generator = torch.Generator().manual_seed(0)
    shape = (1, int(unet.config.in_channels), PROBE_CELLS, PROBE_CELLS)
    noise = torch.randn(shape, generator=generator)
    sigma = NoiseTable.from_config({}).t_to_sigma(step)
    level = sigma / math.sqrt(sigma**2 + 1)
    text = torch.zeros(1, 77, int(unet.config.cross_attention_dim))
    options = {"added_cond_kwargs": _added_conditioning(unet)} if _is_sdxl(unet) else {}
    answer = unet((level * noise).to(weight), step, text.to(weight), **options).sample.float().cpu()
    pair = torch.stack([noise[:, : answer.shape[1]].flatten(), answer.flatten()])
    return float(torch.corrcoef(pair)[0, 1])


def _is_sdxl(unet: Any) -> bool:
    return getattr(unet.config, "addition_embed_type", None) == "text_time"


def _added_conditioning(unet: Any) -> dict[str, torch.Tensor]:
    """Give what SDXL looks at beside its words: no prompt, and a picture of its own size."""
    weight = next(unet.parameters())
    side = int(unet.config.sample_size) * 8
    sizes = torch.tensor([[side, side, 0, 0, side, side]])
    width = int(unet.config.projection_class_embeddings_input_dim)
    width -= sizes.numel() * int(unet.config.addition_time_embed_dim)
    return {"text_embeds": torch.zeros(1, width).to(weight), "time_ids": sizes.to(weight)}
