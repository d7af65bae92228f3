"""Networks of the real classes with random weights, in the layout of the published files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from spandrel.architectures.GFPGAN import GFPGAN

from inference.restoration.networks import GFPGAN_SETTINGS

#: Pixels of the tiny network's faces.
TINY_SIDE = 32


def save_gfpgan(path: Path, seed: int = 0) -> Path:
    """Write a GFPGAN for faces of 32 pixels, a sixteenth as wide as the published ones."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = GFPGAN(
            **GFPGAN_SETTINGS, out_size=TINY_SIDE, num_style_feat=16, num_mlp=2, narrow=1 / 16
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: array.contiguous() for name, array in network.state_dict().items()}, path)
    return path


def save_codeformer(path: Path) -> Path:
    """Write a CodeFormer of the published convolutions with a small transformer."""
    codeformer = pytest.importorskip("spandrel_extra_arches.architectures.CodeFormer").CodeFormer
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = codeformer(
            dim_embd=64,
            n_head=8,
            n_layers=1,
            codebook_size=16,
            latent_size=256,
            connect_list=["32", "64", "128", "256"],
            fix_modules=[],
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: array.contiguous() for name, array in network.state_dict().items()}, path)
    return path


def save_ddcolor(path: Path) -> Path:
    """Write a DDColor of the smallest encoder with a small decoder."""
    ddcolor = pytest.importorskip("spandrel_extra_arches.architectures.DDColor").DDColor
    with torch.random.fork_rng():
        torch.manual_seed(2)
        network = ddcolor(
            encoder_name="convnext-t",
            decoder_name="MultiScaleColorDecoder",
            num_input_channels=3,
            input_size=(256, 256),
            nf=512,
            num_output_channels=2,
            last_norm="Spectral",
            do_normalize=False,
            num_queries=8,
            num_scales=3,
            dec_layers=3,
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: array.contiguous() for name, array in network.state_dict().items()}, path)
    return path
