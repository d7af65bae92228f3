"""The vectors of phrase lists: computed once for each list and CLIP, a few at a time, and kept."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from inference.vision.interrogation.ranking.clip_ranker import ClipRanker
from inference.vision.interrogation.ranking.features import PhraseFeatures, build_features
from inference.vision.interrogation.ranking.phrases import PhraseList

log = logging.getLogger(__name__)

#: Phrases encoded in one slice: a fraction of a second for the largest text tower on a CPU.
PHRASES_PER_SLICE = 64
FEATURES_KEY = "features"


class FeatureStore:
    """Features in memory, before that on disk, before that yet to be computed."""

    def __init__(self, folder: Path, chunk: int = PHRASES_PER_SLICE) -> None:
        self._folder = folder
        self._chunk = chunk
        self._known: dict[Path, PhraseFeatures] = {}
        self._begun: dict[Path, list[Tensor]] = {}

    def get(self, ranker: ClipRanker, phrases: PhraseList) -> PhraseFeatures | None:
        """Give a list's features; None while some lack."""
        path = self.features_path(ranker, phrases)
        if path not in self._known:
            stored_features = _read_features(path, len(phrases.phrases))
            if stored_features is None:
                return None
            self._known[path] = build_features(stored_features)
        return self._known[path]

    def encode_next(self, ranker: ClipRanker, phrases: PhraseList) -> int:
        """Encode the next few phrases of a list and say how many slices are left after that."""
        path = self.features_path(ranker, phrases)
        parts = self._begun.setdefault(path, [])
        encoded_count = sum(len(part) for part in parts)
        parts.append(
            ranker.encode_phrases(phrases.phrases[encoded_count : encoded_count + self._chunk])
        )
        remaining_count = len(phrases.phrases) - encoded_count - len(parts[-1])
        if remaining_count <= 0:
            del self._begun[path]
            features = torch.cat(parts)
            self._known[path] = build_features(features)
            _write_features(path, features)
        return self.count_slices(remaining_count)

    def count_slices(self, phrases: int) -> int:
        """Count the slices that so many phrases take."""
        return -(-max(0, phrases) // self._chunk)

    def clear_memory(self) -> None:
        """Let go of what also lies on disk."""
        self._known.clear()

    def features_path(self, ranker: ClipRanker, phrases: PhraseList) -> Path:
        """Name the file of a list's features after everything they depend on."""
        name = f"{phrases.name}-{phrases.digest[:16]}-{ranker.digest[:16]}.safetensors"
        return self._folder / name


def _read_features(path: Path, count: int) -> Tensor | None:
    """Read kept features; what cannot be read is computed again."""
    if not path.is_file():
        return None
    try:
        features = load_file(path)[FEATURES_KEY]
    except (SafetensorError, OSError, KeyError) as error:
        log.warning("%s cannot be read and is made again: %s", path.name, error)
        return None
    return features if features.ndim == 2 and len(features) == count else None


def _write_features(path: Path, features: Tensor) -> None:
    """Keep features; without room on disk they live in memory alone."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(save({FEATURES_KEY: features}))
        Path(name).replace(path)
    except OSError as error:
        log.warning("%s cannot be kept: %s", path.name, error)
