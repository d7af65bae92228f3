"""How each family's transformer is called: cells into patches, one call, patches into cells.

All take [N, C, h, w] with h and w even and give the same shape: noise − x0, in the number format of
what they were given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from inference.runtime.transfer import send_tensor

#: Cells along each side of a patch.
PATCH_CELLS = 2


@dataclass(frozen=True, eq=False)
class NetworkInputs:
    """What one call sees."""

    #: y = (1 − s)·x0 + s·noise, [N, C, h, w].
    latents: Tensor
    #: s of each entry, [N] float32.
    levels: Tensor
    #: [N, tokens, width], padded with zeros behind each entry's own length.
    text: Tensor
    text_lengths: list[int]
    #: [N, projection], where a family looks at the whole prompt's vector too.
    pooled: Tensor | None = None
    #: [N], where a network is told its guidance.
    guidance: Tensor | None = None
    #: Clean latents of further pictures, [N, C, h, w] each, with sides of their own.
    references: tuple[Tensor, ...] = ()


VelocityFunction = Callable[[Any, NetworkInputs], Tensor]


def run_z_image(transformer: Any, inputs: NetworkInputs) -> Tensor:
    """Call Z-Image: lists of latents and texts without padding; it is told 1 − s and answers −v.

    The class pads texts to multiples of 32 with a token that was learned: entries whose rounded
    lengths agree need no attention mask.
    """
    texts = [text[:length] for text, length in zip(inputs.text, inputs.text_lengths, strict=True)]
    latents = list(inputs.latents[:, :, None])
    answers = transformer(latents, 1 - inputs.levels, texts, return_dict=False)[0]
    return -torch.stack(answers)[:, :, 0]


def run_flux1(transformer: Any, inputs: NetworkInputs) -> Tensor:
    """Call FLUX.1: patches as tokens with their row and column, words with neither.

    Kontext's reference is behind the picture's own, and told from it by a 1 before its places.
    """
    height, width = inputs.latents.shape[-2:]
    device, dtype = inputs.latents.device, inputs.latents.dtype
    is_told = bool(transformer.config.guidance_embeds)
    answer = transformer(
        hidden_states=pack_pictures(inputs),
        timestep=inputs.levels,
        guidance=inputs.guidance if is_told else None,
        pooled_projections=inputs.pooled,
        encoder_hidden_states=inputs.text,
        txt_ids=torch.zeros(inputs.text.shape[1], 3, device=device, dtype=dtype),
        img_ids=send_tensor(picture_positions(inputs, 1).to(dtype), device),
        return_dict=False,
    )[0]
    return unpack_patches(answer, height, width)


def run_flux2(transformer: Any, inputs: NetworkInputs) -> Tensor:
    """Call FLUX.2: as FLUX.1, with four numbers a token, of which words count their place.

    Before the places of the references stand 10, 20 and so on.
    """
    height, width = inputs.latents.shape[-2:]
    positions = torch.nn.functional.pad(picture_positions(inputs, 10), (0, 1))
    places = torch.arange(inputs.text.shape[1])[:, None]
    is_told = bool(transformer.config.guidance_embeds)
    answer = transformer(
        hidden_states=pack_pictures(inputs),
        timestep=inputs.levels,
        guidance=inputs.guidance if is_told else None,
        encoder_hidden_states=inputs.text,
        txt_ids=send_tensor(torch.nn.functional.pad(places, (3, 0)), inputs.latents.device),
        img_ids=send_tensor(positions, inputs.latents.device),
        return_dict=False,
    )[0]
    return unpack_patches(answer, height, width)


def run_chroma(transformer: Any, inputs: NetworkInputs) -> Tensor:
    """Call Chroma: as FLUX.1; of the padding behind a text only the first token is seen.

    The mask is added as a number to what attention weighs, as in diffusers' own pipeline.
    """
    height, width = inputs.latents.shape[-2:]
    device, dtype = inputs.latents.device, inputs.latents.dtype
    tokens = inputs.text.shape[1]
    lengths = send_tensor(torch.tensor(inputs.text_lengths), device)
    is_seen = torch.arange(tokens, device=device) <= lengths[:, None]
    patches = pack_patches(inputs.latents)
    answer = transformer(
        hidden_states=patches,
        timestep=inputs.levels,
        encoder_hidden_states=inputs.text,
        txt_ids=torch.zeros(tokens, 3, device=device, dtype=dtype),
        img_ids=send_tensor(patch_positions(height, width).to(dtype), device),
        attention_mask=torch.nn.functional.pad(is_seen.to(dtype), (0, patches.shape[1]), value=1.0),
        return_dict=False,
    )[0]
    return unpack_patches(answer, height, width)


def run_qwen(transformer: Any, inputs: NetworkInputs) -> Tensor:
    """Call Qwen-Image: as FLUX.1, told the sides of its pictures; padding is masked where any is.

    It counts their places itself, by those of the first entry: all have the same.
    """
    height, width = inputs.latents.shape[-2:]
    count, tokens = inputs.text.shape[:2]
    sides = [
        (1, latents.shape[-2] // PATCH_CELLS, latents.shape[-1] // PATCH_CELLS)
        for latents in (inputs.latents, *inputs.references)
    ]
    mask = None
    if min(inputs.text_lengths) < tokens:
        lengths = torch.tensor(inputs.text_lengths, device=inputs.text.device)
        mask = torch.arange(tokens, device=inputs.text.device) < lengths[:, None]
    answer = transformer(
        hidden_states=pack_pictures(inputs),
        timestep=inputs.levels,
        encoder_hidden_states=inputs.text,
        encoder_hidden_states_mask=mask,
        img_shapes=[sides] * count,
        return_dict=False,
    )[0]
    return unpack_patches(answer, height, width)


def run_sd3(transformer: Any, inputs: NetworkInputs) -> Tensor:
    """Call Stable Diffusion 3, which cuts patches itself and counts levels to 1,000."""
    answer: Tensor = transformer(
        hidden_states=inputs.latents,
        timestep=inputs.levels * 1000,
        encoder_hidden_states=inputs.text,
        pooled_projections=inputs.pooled,
        return_dict=False,
    )[0]
    return answer


def pack_patches(latents: Tensor) -> Tensor:
    """Lay 2 x 2 cells behind each other: [N, C, h, w] becomes [N, h/2·w/2, 4·C]."""
    count, channels, height, width = latents.shape
    patches = latents.reshape(
        count, channels, height // PATCH_CELLS, PATCH_CELLS, width // PATCH_CELLS, PATCH_CELLS
    )
    return patches.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def pack_pictures(inputs: NetworkInputs) -> Tensor:
    """Lay the patches of the picture and then of each reference behind each other."""
    return torch.cat([pack_patches(latents) for latents in (inputs.latents, *inputs.references)], 1)


def picture_positions(inputs: NetworkInputs, stride: int) -> Tensor:
    """Give the place of each patch, [patches, 3]: stride·number of its picture, row, column."""
    pictures = (inputs.latents, *inputs.references)
    return torch.cat(
        [
            patch_positions(latents.shape[-2], latents.shape[-1], number * stride)
            for number, latents in enumerate(pictures)
        ]
    )


def unpack_patches(tokens: Tensor, height: int, width: int) -> Tensor:
    """Undo `pack_patches`, for so many cells; what lies behind them is left out."""
    tokens = tokens[:, : height // PATCH_CELLS * (width // PATCH_CELLS)]
    count, _, channels = tokens.shape
    patches = tokens.reshape(
        count,
        height // PATCH_CELLS,
        width // PATCH_CELLS,
        channels // PATCH_CELLS**2,
        PATCH_CELLS,
        PATCH_CELLS,
    )
    return patches.permute(0, 3, 1, 4, 2, 5).reshape(count, -1, height, width)


def patch_positions(height: int, width: int, picture: int = 0) -> Tensor:
    """Give (picture, row, column) of each patch of so many cells, [h/2·w/2, 3]."""
    rows, columns = torch.arange(height // PATCH_CELLS), torch.arange(width // PATCH_CELLS)
    return torch.cartesian_prod(torch.tensor([picture]), rows, columns)


#: By the transformer's class.
VELOCITY_FUNCTIONS: Mapping[str, VelocityFunction] = {
    "ZImageTransformer2DModel": run_z_image,
    "FluxTransformer2DModel": run_flux1,
    "Flux2Transformer2DModel": run_flux2,
    "ChromaTransformer2DModel": run_chroma,
    "QwenImageTransformer2DModel": run_qwen,
    "SD3Transformer2DModel": run_sd3,
}
