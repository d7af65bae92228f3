"""The checker that came with Stable Diffusion: CLIP's distance to 17 concepts, from diffusers."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from PIL import Image
from torch.nn.functional import cosine_similarity
from transformers import CLIPImageProcessor


class ConceptChecker:
    """Flags a picture that is nearer to one of its concepts than the concept allows."""

    def __init__(self, folder: Path) -> None:
        """Load it.

        Raises:
            OSError: files are missing or broken.
        """
        self._checker = StableDiffusionSafetyChecker.from_pretrained(
            folder, local_files_only=True, use_safetensors=True
        ).eval()
        size = self._checker.config.vision_config.image_size
        self._processor = CLIPImageProcessor(
            size={"shortest_edge": size}, crop_size={"height": size, "width": size}
        )
        self.name = folder.name
        self.about = "knows 17 concepts, drawn or photographed, and often errs on the safe side"

    @torch.inference_mode()
    def nsfw_score(self, image: Image.Image) -> float:
        """Return 1 where a concept's own bound is passed, else 0; its pictures are not blacked."""
        pixels = self._processor(images=image, return_tensors="pt").pixel_values
        pooled_output = self._checker.vision_model(pixels)[1]
        embedding = self._checker.visual_projection(pooled_output)
        nearness = cosine_similarity(embedding, self._checker.concept_embeds)
        return float((nearness > self._checker.concept_embeds_weights).any())
