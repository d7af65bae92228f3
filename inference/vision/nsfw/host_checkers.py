"""The checkers that a host adds by a folder of its own, each loaded by what the folder holds."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import transformers
from PIL import Image
from torch.nn.functional import cosine_similarity

from inference.vision.interrogation.tagging.ratings import ContentRating, rating_scores
from inference.vision.interrogation.tagging.tag_files import DEEP_DANBOORU_FILE, WD_FILE
from inference.vision.interrogation.tagging.tagger import load_tagger
from inference.vision.interrogation.tagging.tags import TagKind
from inference.vision.nsfw.checker import NsfwChecker

UNSAFE_LABELS = frozenset(
    {"nsfw", "unsafe", "porn", "hentai", "sexy", "explicit", "sexual", "nudity", "medium", "high"}
)
"""Labels of published detectors that stand for what is not for everybody."""


class LabelChecker:
    """A classifier in transformers' format, such as Falconsai/nsfw_image_detection."""

    def __init__(self, folder: Path) -> None:
        """Load it; no other code is run than transformers' own, and nothing is fetched.

        Raises:
            OSError: files are missing or broken.
            ValueError: none of its labels is known to be unsafe.
        """
        self._processor = transformers.AutoImageProcessor.from_pretrained(
            folder, local_files_only=True
        )
        self._model = transformers.AutoModelForImageClassification.from_pretrained(
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


class ConceptChecker:
    """Stable Diffusion's own: flags what is nearer to one of 17 concepts than that one allows."""

    def __init__(self, folder: Path) -> None:
        """Load it.

        Raises:
            OSError: files are missing or broken.
        """
        from diffusers.pipelines.stable_diffusion.safety_checker import (
            StableDiffusionSafetyChecker,
        )

        self._checker = StableDiffusionSafetyChecker.from_pretrained(
            folder, local_files_only=True, use_safetensors=True
        ).eval()
        size = self._checker.config.vision_config.image_size
        self._processor = transformers.CLIPImageProcessor(
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


class RatingTagger:
    """A tagger that also rates pictures, as the WD taggers and DeepDanbooru do."""

    def __init__(self, folder: Path) -> None:
        """Load it.

        Raises:
            ModelError: files are missing or broken.
            ValueError: none of its tags is a rating.
        """
        self._tagger = load_tagger(folder, torch.device("cpu"))
        if not any(label.kind is TagKind.RATING for label in self._tagger.labels):
            raise ValueError("none of its tags is a rating")
        self.name = folder.name
        self.about = "rates drawings as their readers do: questionable or explicit"

    def nsfw_score(self, image: Image.Image) -> float:
        """Return the probability of the likeliest rating from questionable on."""
        ratings = rating_scores(self._tagger.tag_images([image])[0])
        return 0.0 if ratings is None else ratings.probability_at_least(ContentRating.QUESTIONABLE)


def load_checker(folder: Path) -> NsfwChecker | None:
    """Load a checkpoint by what its folder holds; None where that is none."""
    if any((folder / name).is_file() for name in (WD_FILE, DEEP_DANBOORU_FILE)):
        return RatingTagger(folder)
    if not (folder / "config.json").is_file():
        return None
    kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))["architectures"]
    return (ConceptChecker if kind == ["StableDiffusionSafetyChecker"] else LabelChecker)(folder)
