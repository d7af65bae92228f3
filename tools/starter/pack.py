"""A starter pack opened for evaluation: draw, redraw and inpaint in batches with DDIM."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer, PreTrainedTokenizerFast

from inference.diffusion.diffusers_folder import load_folder
from inference.model_files.files import INPAINT_DIR
from inference.runtime.precision import PartFormats
from tools.starter.latents import encoded
from tools.starter.masks import latent_mask

BATCH = 24


@dataclass(frozen=True)
class Pack:
    """The models of one pack folder, float32, in evaluation mode."""

    folder: Path
    tokenizer: Any
    text_encoder: CLIPTextModel
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    scheduler: DDIMScheduler

    @classmethod
    def load(cls, folder: Path) -> Pack:
        """Open a pack; one without vocab.json has the first version's word-level tokenizer."""
        names = folder / "tokenizer"
        if (names / "vocab.json").exists():
            tokenizer = CLIPTokenizer.from_pretrained(names)
        else:
            tokenizer = PreTrainedTokenizerFast(
                tokenizer_file=str(names / "tokenizer.json"), pad_token="<end>", model_max_length=16
            )
        unet = UNet2DConditionModel.from_pretrained(folder / "unet").float().eval()
        vae = AutoencoderKL.from_pretrained(folder / "vae").float().eval()
        return cls(
            folder,
            tokenizer,
            CLIPTextModel.from_pretrained(folder / "text_encoder").float().eval(),
            unet.to(memory_format=torch.channels_last),
            vae.to(memory_format=torch.channels_last),
            DDIMScheduler.from_pretrained(folder / "scheduler"),
        )

    def hidden(self, prompts: list[str]) -> Tensor:
        """Return the text encoder's last hidden states, float32 [B, positions, width]."""
        ids = self.tokenizer(
            prompts,
            padding="max_length",
            truncation=True,
            max_length=self.tokenizer.model_max_length,
            return_tensors="pt",
        ).input_ids
        hidden: Tensor = self.text_encoder(ids).last_hidden_state
        return hidden

    @torch.no_grad()
    def draw(
        self,
        prompts: list[str],
        *,
        seed: int = 0,
        steps: int = 25,
        guidance: float = 5.0,
        size: int = 128,
        start: Tensor | None = None,
        strength: float = 1.0,
        extra: Tensor | None = None,
        unet: UNet2DConditionModel | None = None,
    ) -> Tensor:
        """Return one picture a prompt, float32 [B, 3, size, size] in -1 to 1.

        start: pictures to redraw from, at this strength. extra: the inpainting UNet's further
        channels [B, 5, size/8, size/8]; unet then is that UNet.
        """
        made = []
        for at in range(0, len(prompts), BATCH):
            rows = slice(at, at + BATCH)
            part = prompts[rows]
            noise = torch.randn(
                len(part),
                4,
                size // 8,
                size // 8,
                generator=torch.Generator().manual_seed(seed + at),
            )
            latents = self._denoised(
                part,
                noise,
                (steps, guidance, strength),
                None if start is None else encoded(self.vae, start[rows]),
                None if extra is None else extra[rows],
                unet or self.unet,
            )
            made.append(self.decoded(latents))
        return torch.cat(made)

    def _denoised(
        self,
        prompts: list[str],
        noise: Tensor,
        settings: tuple[int, float, float],
        start: Tensor | None,
        extra: Tensor | None,
        unet: UNet2DConditionModel,
    ) -> Tensor:
        steps, guidance, strength = settings
        hidden = torch.cat([self.hidden([""] * len(prompts)), self.hidden(prompts)])
        self.scheduler.set_timesteps(steps)
        times = self.scheduler.timesteps[steps - int(steps * strength) :]
        latents = noise if start is None else self.scheduler.add_noise(start, noise, times[:1])
        for time in times:
            given = latents if extra is None else torch.cat([latents, extra], 1)
            with torch.autocast("cpu", torch.bfloat16):
                both = unet(torch.cat([given, given]), time, hidden).sample.float()
            without, with_words = both.chunk(2)
            guided = without + guidance * (with_words - without)
            latents = self.scheduler.step(guided, time, latents).prev_sample
        return latents

    @torch.no_grad()
    def decoded(self, latents: Tensor) -> Tensor:
        """Return the pictures of scaled latents, clamped to -1 to 1."""
        latents = latents / self.vae.config.scaling_factor
        with torch.autocast("cpu", torch.bfloat16):
            images = self.vae.decode(latents.contiguous(memory_format=torch.channels_last)).sample
        clamped: Tensor = images.float().clamp(-1, 1)
        return clamped

    def inpaint(self, prompts: list[str], images: Tensor, masks: Tensor, seed: int = 0) -> Tensor:
        """Redraw where masks [B, 1, H, W] are 1 with the nine-channel UNet; keep the rest."""
        variant = load_folder(
            self.folder / INPAINT_DIR,
            INPAINT_DIR,
            torch.device("cpu"),
            PartFormats(torch.float32, torch.float32),
        )
        hidden = encoded(self.vae, images * (1 - masks))
        extra = torch.cat([latent_mask(masks), hidden], 1)
        made = self.draw(prompts, seed=seed, extra=extra, unet=variant.unet, size=images.shape[-1])
        return made * masks + images * (1 - masks)
