"""What words name in a picture, by CLIPSeg (Lüddecke and Ecker 2022, arXiv:2112.10003)."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers
from PIL import Image

from inference.model_files.errors import CorruptWeights
from inference.vision.interrogation.transformers_loader import load_pretrained
from inference.vision.segmentation.files import find_clipseg
from inference.vision.segmentation.subject import mask_from_certainty

MIN_WORD_CERTAINTY = 0.3  # certainty below which what the words name is not in the picture


class WordFinder:
    """The host's CLIPSeg, loaded once."""

    def __init__(self, models: Path) -> None:
        """Load the first CLIPSeg of the host's models, A–Z.

        Raises:
            ModelError: there is none, or it is damaged.
        """
        folder = find_clipseg(models)
        cpu = torch.device("cpu")
        self._network = load_pretrained(
            transformers.CLIPSegForImageSegmentation, folder, cpu, torch.float32
        )
        try:
            self._processor = transformers.AutoProcessor.from_pretrained(
                str(folder), local_files_only=True
            )
        except (OSError, ValueError) as error:
            raise CorruptWeights(
                "weights.lacks_processor", folder=folder.name, error=error
            ) from error

    def segment_text(self, image: Image.Image, text: str) -> Image.Image | None:
        """Mark what words name in an RGB picture; `L` 0 or 255 of its size, None if nothing."""
        inputs = self._processor(text=[text], images=[image], return_tensors="pt", truncation=True)
        with torch.inference_mode():
            logits = self._network(**inputs).logits
        certainty = torch.sigmoid(logits).reshape(logits.shape[-2:])
        return mask_from_certainty(certainty.numpy(), image.size, MIN_WORD_CERTAINTY)
