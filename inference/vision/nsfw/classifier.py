"""A host's own image classifier in transformers' format, such as Falconsai/nsfw_image_detection."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

UNSAFE_LABELS = frozenset(
    {"nsfw", "unsafe", "porn", "hentai", "sexy", "explicit", "sexual", "nudity", "medium", "high"}
)
"""Labels of published detectors that stand for what is not for everybody."""


class LabelChecker:
    """A network with one label for each kind of picture."""

    def __init__(self, folder: Path) -> None:
        """Load it; no other code is run than transformers' own, and nothing is fetched.

        Raises:
            OSError: files are missing or broken.
            ValueError: none of its labels is known to be unsafe.
        """
        self._processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        self._model = AutoModelForImageClassification.from_pretrained(
            folder, local_files_only=True, use_safetensors=True
        ).eval()
        labels = {int(n): str(label) for n, label in self._model.config.id2label.items()}
        self._unsafe = [n for n, label in labels.items() if label.casefold() in UNSAFE_LABELS]
        if not self._unsafe:
            raise ValueError(f"its labels are {', '.join(labels.values())}, none of them unsafe")
        self.name = folder.name
        self.about = "says what its own card says"

    @torch.inference_mode()
    def nsfw_score(self, image: Image.Image) -> float:
        """Return the sum of the unsafe labels' probabilities."""
        inputs = self._processor(images=image, return_tensors="pt")
        shares = self._model(**inputs).logits[0].softmax(-1)
        return float(shares[self._unsafe].sum())
