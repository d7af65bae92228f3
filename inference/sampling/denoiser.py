"""Between the sampler's x0 and what networks predict: scaling, conversion and guidance.

Latents are [B, C, H, W]; ``sigma`` and ``scale`` are [B], one value a row.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn.functional import avg_pool2d

Prediction = Literal["epsilon", "v_prediction", "sample", "flow"]


def scale_input(x: Tensor, sigma: Tensor) -> Tensor:
    """Scale x0 + σ·noise to the unit variance the network was trained on: x/√(σ² + 1)."""
    return x / _broadcast_rows(x, deviate_input(sigma))


def deviate_input(sigma: Tensor) -> Tensor:
    """Give each row's standard deviation, of x0 + σ·noise: √(σ² + 1)."""
    return (sigma**2 + 1).sqrt()


def to_x0(output: Tensor, x: Tensor, sigma: Tensor, prediction: Prediction) -> Tensor:
    """Turn the network's output for the latent ``x`` (not yet scaled) into the clean latent.

    epsilon: x − σ·out. v_prediction: x/(σ² + 1) − σ·out/√(σ² + 1) (Salimans and Ho 2022,
    appendix D). sample: out. flow: (x − σ·out)/(1 + σ), of a network that sees
    y = (1 − s)·x0 + s·noise = x/(1 + σ) with s = σ/(1 + σ), and answers noise − x0.

    Raises:
        ValueError: the prediction is none of these.
    """
    level = _broadcast_rows(x, sigma)
    match prediction:
        case "epsilon":
            return x - level * output
        case "flow":
            return (x - level * output) / (1 + level)
        case "v_prediction":
            total = level**2 + 1
            return x / total - output * (level / total.sqrt())
        case "sample":
            return output
        case _:
            raise ValueError(f"no network predicts {prediction!r}")


def from_x0(x0: Tensor, x: Tensor, sigma: Tensor, prediction: Prediction) -> Tensor:
    """Give what the network would have to predict for a clean latent: `to_x0` backwards.

    Raises:
        ValueError: the prediction is none of these.
    """
    level = _broadcast_rows(x, sigma)
    match prediction:
        case "epsilon":
            return (x - x0) / level
        case "flow":
            return (x - x0) / level - x0
        case "v_prediction":
            total = level**2 + 1
            return (x / total - x0) * (total.sqrt() / level)
        case "sample":
            return x0
        case _:
            raise ValueError(f"no network predicts {prediction!r}")


def apply_guidance(uncond: Tensor, cond: Tensor, scale: Tensor) -> Tensor:
    """Move from the unconditional towards the conditional x0 by the row's guidance scale.

    uncond + scale·(cond − uncond) (Ho and Salimans 2022, equation 6); scale 1 gives cond.
    """
    return uncond + _broadcast_rows(uncond, scale) * (cond - uncond)


def combine_guidance(
    uncond: Tensor, conds: Tensor, rows: Tensor, weights: Tensor, scale: Tensor
) -> Tensor:
    """Guide each row by several prompts: uncond + Σ weight·scale·(cond − uncond).

    ``conds`` is [N, C, H, W], its i-th prompt belongs to row ``rows[i]`` with ``weights[i]``, which
    may be negative; rows [N] are whole numbers (Liu et al. 2022, equation 11).
    """
    pull = _broadcast_rows(conds, weights * scale[rows]) * (conds - uncond[rows])
    return uncond.index_add(0, rows, pull.to(uncond.dtype))


def guide_by_image(guided_x0: Tensor, wordless: Tensor, empty: Tensor, scale: Tensor) -> Tensor:
    """Guide each row by its picture too: guided + (scale − 1)·(wordless − empty).

    ``wordless`` [B, C, H, W] saw the picture without the words, ``empty`` neither; with the words'
    guidance from ``wordless`` that is equation 3 of Brooks et al. 2023 (InstructPix2Pix).
    """
    return guided_x0 + _broadcast_rows(wordless, scale - 1) * (wordless - empty)


def rescale_guidance(guided_x0: Tensor, cond: Tensor, amount: Tensor) -> Tensor:
    """Bring a guided prediction's spread back towards the conditional one's, by ``amount`` [B].

    Amount 0 leaves it, 1 gives it the conditional's standard deviation over the whole row
    (Lin et al. 2024, section 3.4). Zero-terminal-SNR networks want about 0.7.
    """
    spread = guided_x0.flatten(1).std(dim=1)
    ratio = cond.flatten(1).std(dim=1) / spread.clamp_min(1e-8)
    return guided_x0 * _broadcast_rows(guided_x0, 1 + amount * (ratio - 1))


def keep_patch_lengths(guided: Tensor, cond: Tensor) -> Tensor:
    """Scale each 2 x 2 patch of a guided prediction to the length of the conditional one's.

    Both are [B, C, H, W] in terms of what the network predicts; the length is over all channels of
    a patch. Qwen-Image was tuned to be guided so.
    """
    guided_length, cond_length = _patch_lengths(guided), _patch_lengths(cond)
    ratio = cond_length / guided_length.clamp_min(1e-12)
    return guided * ratio.repeat_interleave(2, -1).repeat_interleave(2, -2)


def _patch_lengths(values: Tensor) -> Tensor:
    squares = values.square().sum(1, keepdim=True)
    return (avg_pool2d(squares, 2) * 4).sqrt()


def _broadcast_rows(x: Tensor, row: Tensor) -> Tensor:
    """Shape a [B] vector so that it spreads over x's other dimensions."""
    return row.reshape(-1, *[1] * (x.ndim - 1))
