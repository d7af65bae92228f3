"""A checkpoint whose transformer predicts a flow, behind the same methods as any other."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from inference.api.jobs import DenoisingJob
from inference.diffusion.control.network import Residuals
from inference.diffusion.flow.networks import NetworkInputs, VelocityFunction
from inference.diffusion.lora.active import ActiveLoras
from inference.diffusion.model import LatentModel
from inference.diffusion.offload import UNET
from inference.model_files.pipelines.flow_families import PATCH_PIXELS, FlowFamily, GuidanceKind
from inference.prompts.language import count_text_tokens
from inference.runtime.transfer import send_tensor
from inference.sampling.denoiser import to_x0
from inference.sampling.flow_table import TOP_SIGMA, FlowTable
from inference.sampling.noise_table import NoiseTable

#: The guidance of a job that says none, far too much for a network that is told it.
USUAL_GUIDANCE = DenoisingJob.guidance
#: Texts that come to as many multiples of this share calls: networks pad to it anyhow.
TEXT_GRANULE = 32


@dataclass(frozen=True, eq=False, kw_only=True)
class FlowModel(LatentModel):
    """One loaded checkpoint of a family that predicts a flow."""

    transformer: Any
    family: FlowFamily
    run_network: VelocityFunction
    table: FlowTable
    #: Whether its index says that guidance was trained into it.
    is_distilled: bool = False
    #: The most pictures that it looks at while it paints one by an instruction.
    max_references: int = 0
    #: What it is told as guidance unless a job says another.
    own_guidance: float = 1.0

    @property
    def network(self) -> Any:
        """The denoising network."""
        return self.transformer

    @property
    def guidance_kind(self) -> GuidanceKind:
        """How its guidance works."""
        return self.family.guidance_kind(self.transformer.config, is_distilled=self.is_distilled)

    @property
    def keeps_lengths(self) -> bool:
        """Whether a guided patch has the length of its condition's."""
        return self.family.keeps_lengths

    def tell_guidance(self, guidance: float) -> float:
        """Give what a network that is told its guidance is told: its own for the usual value."""
        return self.own_guidance if guidance == USUAL_GUIDANCE else guidance

    def noise_table(self, width: int, height: int) -> NoiseTable:
        """Give the noise levels for pictures of a size in pixels: larger ones are noised more."""
        return self.table.for_tokens((width // PATCH_PIXELS) * (height // PATCH_PIXELS))

    def count_key_tokens(self, lengths: Sequence[int]) -> int:
        """Give the tokens by which texts share calls."""
        return count_text_tokens(lengths, TEXT_GRANULE)

    @torch.inference_mode()
    def denoise(
        self,
        x: Tensor,
        sigma: Tensor,
        text: Tensor,
        image_channels: Tensor | None = None,
        pooled_embeds: Tensor | None = None,
        active_loras: ActiveLoras | None = None,
        text_lengths: Sequence[int] | None = None,
        guidance: Tensor | None = None,
        references: Sequence[Tensor] = (),
        residuals: Residuals | None = None,
    ) -> Tensor:
        """Predict the clean latents x0 of rows at their own noise levels."""
        cells = sum(latent.shape[-2] * latent.shape[-1] for latent in (x, *references))
        self.offload.prepare_part(UNET, len(x) * cells)
        sigma = send_tensor(sigma, self.device)
        level = sigma.reshape(-1, 1, 1, 1)
        inputs = NetworkInputs(
            latents=(x / (1 + level)).to(self.dtype),
            # Told s itself, not what stands for it: 1,000 steps and 999.999 differ to some.
            levels=torch.where(sigma >= TOP_SIGMA, 1.0, sigma / (1 + sigma)),
            text=text.to(self.dtype),
            text_lengths=list(text_lengths or [text.shape[1]] * len(text)),
            pooled=None if pooled_embeds is None else pooled_embeds.to(self.dtype),
            guidance=None if guidance is None else send_tensor(guidance, self.device),
            references=tuple(latent.to(self.dtype) for latent in references),
        )
        with active_loras.applied_to_unet(self.transformer) if active_loras else nullcontext():
            velocity = self.run_network(self.transformer, inputs)
        clean: Tensor = to_x0(velocity.float(), x, sigma, "flow")
        return clean
