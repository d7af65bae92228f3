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

from inference.interrogation.clip_ranker import ClipRanker
from inference.interrogation.features import Features, ready
from inference.interrogation.phrases import PhraseList

log = logging.getLogger(__name__)

#: Phrases encoded in one slice: a fraction of a second for the largest text tower on a CPU.
CHUNK = 64
FEATURES = "features"


class FeatureStore:
    """Features in memory, before that on disk, before that yet to be computed."""

    def __init__(self, folder: Path, chunk: int = CHUNK) -> None:
        self._folder = folder
        self._chunk = chunk
        self._known: dict[Path, Features] = {}
        self._begun: dict[Path, list[Tensor]] = {}

    def get(self, ranker: ClipRanker, phrases: PhraseList) -> Features | None:
        """Give a list's features; None while some lack."""
        path = self.path(ranker, phrases)
        if path not in self._known:
            kept = _read(path, len(phrases.phrases))
            if kept is None:
                return None
            self._known[path] = ready(kept)
        return self._known[path]

    def advance(self, ranker: ClipRanker, phrases: PhraseList) -> int:
        """Encode the next few phrases of a list and say how many slices are left after that."""
        path = self.path(ranker, phrases)
        parts = self._begun.setdefault(path, [])
        done = sum(len(part) for part in parts)
        parts.append(ranker.encode_phrases(phrases.phrases[done : done + self._chunk]))
        left = len(phrases.phrases) - done - len(parts[-1])
        if left <= 0:
            del self._begun[path]
            features = torch.cat(parts)
            self._known[path] = ready(features)
            _write(path, features)
        return self.slices(left)

    def slices(self, phrases: int) -> int:
        """Count the slices that so many phrases take."""
        return -(-max(0, phrases) // self._chunk)

    def forget(self) -> None:
        """Let go of what also lies on disk."""
        self._known.clear()

    def path(self, ranker: ClipRanker, phrases: PhraseList) -> Path:
        """Name the file of a list's features after everything they depend on."""
        name = f"{phrases.name}-{phrases.digest[:16]}-{ranker.digest[:16]}.safetensors"
        return self._folder / name


def _read(path: Path, count: int) -> Tensor | None:
    """Read kept features; what cannot be read is computed again."""
    if not path.is_file():
        return None
    try:
        features = load_file(path)[FEATURES]
    except (SafetensorError, OSError, KeyError) as error:
        log.warning("%s cannot be read and is made again: %s", path.name, error)
        return None
    return features if features.ndim == 2 and len(features) == count else None


def _write(path: Path, features: Tensor) -> None:
    """Keep features; without room on disk they live in memory alone."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(save({FEATURES: features}))
        Path(name).replace(path)
    except OSError as error:
        log.warning("%s cannot be kept: %s", path.name, error)
