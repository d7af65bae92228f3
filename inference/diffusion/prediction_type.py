"""What a checkpoint's network predicts: said by its file, or seen from what it does to noise."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from inference.model_files.identity import FileType
from inference.sampling.denoiser import Prediction

#: The line of the config that Stable Diffusion 2's makers publish beside their weights.
PARAMETERIZATION_LINE = re.compile(r"^\s*parameterization:\s*[\"']?(\w+)", re.MULTILINE)
PREDICTION_SPELLINGS: dict[str, Prediction] = {"v": "v_prediction", "eps": "epsilon"}
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
    # Every family but the second predicts the noise unless it says otherwise.
    return identity.prediction or (None if identity.family == "sd2" else "epsilon")


@torch.inference_mode()
def probe_prediction(unet: Any) -> Prediction:
    """Show a network pure noise at the last training step and see whether it answers with it.

    The noise is what a network of kind epsilon is to find; v = √ᾱ·ε − √(1 − ᾱ)·x0 is nearly the
    negative picture there (Salimans & Ho 2022, section 4), which the noise has no likeness to.
    """
    weight = next(unet.parameters())
    generator = torch.Generator().manual_seed(0)
    shape = (1, int(unet.config.in_channels), PROBE_CELLS, PROBE_CELLS)
    noise = torch.randn(shape, generator=generator)
    text = torch.zeros(1, 77, int(unet.config.cross_attention_dim))
    answer = unet(noise.to(weight), LAST_TRAINING_STEP, text.to(weight)).sample.float().cpu()
    pair = torch.stack([noise[:, : answer.shape[1]].flatten(), answer.flatten()])
    likeness = float(torch.corrcoef(pair)[0, 1])
    return "epsilon" if likeness > MIN_NOISE_CORRELATION else "v_prediction"
