"""Rows gathered for one network call and scattered again; the rows stay the only lasting state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from inference.engine.row import DenoiseRow
from inference.sampling.denoiser import (
    Prediction,
    combine_guidance,
    from_x0,
    rescale_guidance,
    to_x0,
)


@dataclass(frozen=True, eq=False)
class Batch:
    """Inputs of the network: every row's conditions, then every guided row's unconditional half.

    x [N, C, h, w], sigma [N], text [N, tokens, width], extra [N, C + 1, h, w] or None; all float32.
    """

    x: Tensor
    sigma: Tensor
    text: Tensor
    inpaint_channels: Tensor | None
    #: [N, projection], for networks that look at the whole prompt's vector too.
    pooled: Tensor | None
    #: [K] the row of each conditional entry, and its prompt's weight.
    owners: Tensor
    weights: Tensor
    #: [B] guidance scale of each row.
    scale: Tensor
    #: [B] how far each row's spread goes back to its condition's.
    rescale: Tensor
    is_guided: bool
    #: What the network predicts, in terms of which spreads are compared.
    prediction: Prediction = "epsilon"

    @classmethod
    def gather(
        cls,
        rows: Sequence[DenoiseRow],
        device: torch.device,
        prediction: Prediction = "epsilon",
    ) -> Batch:
        """Lay the rows' latents, noise levels and conditions side by side."""
        entries = [
            (number, condition, weight)
            for number, row in enumerate(rows)
            for condition, weight in row.current_conditioning().conditions
        ]
        is_guided = rows[0].is_guided
        sources = [number for number, _, _ in entries]
        conditions = [condition for _, condition, _ in entries]
        if is_guided:
            sources += range(len(rows))
            conditions += [row.current_conditioning().unconditional for row in rows]
        pooled_vectors = [item.pooled for item in conditions if item.pooled is not None]
        extras = [rows[number].inpaint_channels for number in sources]
        channels = [extra for extra in extras if extra is not None]
        return cls(
            x=torch.stack([rows[number].x for number in sources]).to(device),
            sigma=torch.tensor([rows[number].sigma for number in sources], device=device),
            text=torch.stack([item.crossattn for item in conditions]).to(device),
            inpaint_channels=torch.stack(channels).to(device) if channels else None,
            pooled=torch.stack(pooled_vectors).to(device) if pooled_vectors else None,
            owners=torch.tensor(sources[: len(entries)], device=device),
            weights=torch.tensor([weight for _, _, weight in entries], device=device),
            scale=torch.tensor([row.guidance for row in rows], device=device),
            rescale=torch.tensor([row.guidance_rescale for row in rows], device=device),
            is_guided=is_guided,
            prediction=prediction,
        )

    def split_entries(self, max_entries: int) -> list[Batch]:
        """Give the inputs of as few calls as possible, each of at most so many entries."""
        calls = -(-len(self.x) // max_entries)
        if calls == 1:
            return [self]
        inputs = (self.x, self.sigma, self.text, self.inpaint_channels, self.pooled)
        parts = zip(
            *(
                [None] * calls if values is None else values.tensor_split(calls)
                for values in inputs
            ),
            strict=True,
        )
        return [
            replace(self, x=x, sigma=sigma, text=text, inpaint_channels=extra, pooled=pooled_embeds)
            for x, sigma, text, extra, pooled_embeds in parts
        ]

    def list_unconditional(self, denoised: Tensor) -> list[Tensor | None]:
        """Give each row's unconditional clean latent [C, h, w] of the call; None where none ran."""
        count = len(self.scale)
        return [*denoised[len(self.owners) :]] if self.is_guided else [None] * count

    def scatter(self, denoised: Tensor) -> Tensor:
        """Guide each row by its conditions: [N, C, h, w] of the call becomes [B, C, h, w].

        A row that asks for it has its spread brought back, in terms of what the network predicts.
        """
        if not self.is_guided:
            return denoised
        count = len(self.owners)
        unconditional, conditional = denoised[count:], denoised[:count]
        guided_x0 = combine_guidance(
            unconditional, conditional, self.owners, self.weights, self.scale
        )
        if not self.rescale.any():
            return guided_x0
        plain = combine_guidance(
            unconditional, conditional, self.owners, self.weights, torch.ones_like(self.scale)
        )
        x, sigma = self.x[count:], self.sigma[count:]
        rescaled_output = rescale_guidance(
            from_x0(guided_x0, x, sigma, self.prediction),
            from_x0(plain, x, sigma, self.prediction),
            self.rescale,
        )
        # A row that asks for nothing keeps its numbers to the bit.
        is_kept = (self.rescale == 0).reshape(-1, 1, 1, 1)
        return torch.where(is_kept, guided_x0, to_x0(rescaled_output, x, sigma, self.prediction))
