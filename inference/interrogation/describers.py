"""What describes pictures on this worker: loaded when first asked, gone when memory is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from inference.events import ModelInfo
from inference.interrogation import starter_words
from inference.interrogation.captioner import Captioner, CaptionSettings, load_captioner
from inference.interrogation.clip_ranker import ClipRanker, load_clip_ranker
from inference.interrogation.feature_store import FeatureStore
from inference.interrogation.features import Features
from inference.interrogation.matches import Match, probabilities
from inference.interrogation.phrases import (
    EVERY_LIST,
    LINES,
    Lists,
    PhraseList,
    Ranking,
    select,
)
from inference.interrogation.ratings import Rated, rate
from inference.interrogation.reading import read_config
from inference.interrogation.shelf import Shelf, find_shelf
from inference.interrogation.tagger import Tagger, load_tagger
from inference.interrogation.tags import Tag
from inference.models.errors import MissingWeights, ModelError
from inference.models.files import DESCRIBER, Weights
from inference.models.resident import Resident, default_budget, folder_bytes

#: The host's own lists, in its models folder.
LISTS = "lists"


@dataclass(frozen=True)
class Pending:
    """Phrases are still being encoded."""

    #: Slices until a ranking can be given.
    left: int


class Describers:
    """The captioner, CLIP and tagger at hand."""

    def __init__(
        self,
        models: Path,
        cache: Path,
        pack: Path,
        device: torch.device,
        dtype: torch.dtype,
        resident: Resident[Any] | None = None,
        *,
        lines: int = LINES,
    ) -> None:
        """Take the host's models, where to keep features, the starter pack, and where to run.

        `resident` holds the networks; without one they get a budget of their own. Of each list
        `lines` lines count, all where that is 0.
        """
        self._models = models
        self._phrases = Lists(models / LISTS, lines)
        self._pack = pack
        self._device = device
        self._dtype = dtype
        self._store = FeatureStore(cache)
        # An empty one counts as false.
        self._resident = Resident[Any](default_budget(device)) if resident is None else resident
        self._scenes: dict[tuple[str, str], Tensor] = {}

    def caption(
        self, pictures: Sequence[Image.Image], settings: CaptionSettings, name: str = ""
    ) -> list[str] | None:
        """Describe RGB pictures in a sentence each; None where there is no captioner.

        Raises:
            ModelError: there is no captioner of that name, or it cannot be loaded.
        """
        folder = self.shelf.captioner(name)
        if folder is None:
            return None
        captioner: Captioner = self._network(
            folder, lambda: load_captioner(folder, self._device, self._dtype)
        )
        return captioner.caption(pictures, settings)

    def rank(
        self, pictures: Sequence[Image.Image], wanted: Ranking = EVERY_LIST
    ) -> list[tuple[Match, ...]] | Pending:
        """Rank lists for each RGB picture, the likeliest subject first.

        While phrases are not encoded yet, encodes a few of them instead. The pack's captioner says
        all that the pack's CLIP could add, so there nothing is ranked unless lists are named.

        Raises:
            JobError: a list is asked for that is not there.
            ModelError: there is no CLIP, it cannot be loaded, or a list is unusable.
        """
        shelf = self.shelf
        if shelf.starter and shelf.captioners and not wanted.lists:
            return [()] * len(pictures)
        ranker = self._ranker(shelf)
        lists = select(self._lists(shelf), wanted)
        features = [self._store.get(ranker, phrases) for phrases in lists]
        if any(found is None for found in features):
            return self._advance(ranker, lists, features)
        return [
            self._ranked(ranker, picture, lists, [found for found in features if found is not None])
            for picture in ranker.encode_pictures(pictures)
        ]

    def tag(self, pictures: Sequence[Image.Image], name: str = "") -> list[tuple[Tag, ...]]:
        """Give every tag of RGB pictures its probability.

        Raises:
            ModelError: there is no tagger of that name, none at all, or it cannot be loaded.
        """
        folder = self.shelf.tagger(name)
        if folder is None:
            raise MissingWeights(
                "There is no tagger on this server. Ask for method caption, or have its host put "
                "a tagger's folder (model.onnx or model.safetensors, with its selected_tags.csv or "
                "tags.txt) among the models."
            )
        tagger: Tagger = self._network(folder, lambda: load_tagger(folder, self._device))
        return tagger.tag(pictures)

    def rate(self, pictures: Sequence[Image.Image]) -> list[Rated] | None:
        """Say how delicate RGB pictures are; None where no tagger here knows ratings.

        Raises:
            ModelError: the tagger cannot be loaded.
        """
        if self.shelf.tagger() is None:
            return None
        rated = [rate(tags) for tags in self.tag(pictures)]
        return [found for found in rated if found is not None] if None not in rated else None

    @property
    def shelf(self) -> Shelf:
        """The folders that answer now; a host may add one while the worker runs."""
        return find_shelf(self._models, self._pack)

    def infos(self) -> tuple[ModelInfo, ...]:
        """List what describes pictures here."""
        shelf = self.shelf
        kinds = (
            (shelf.captioners, "captioner", "captions"),
            (shelf.clips[:1], "ranker", "rankings"),
            (shelf.taggers, "tagger", "tags"),
        )
        return tuple(
            ModelInfo(name=self._name(folder), kind=kind, size=_side(folder), about=about)
            for folders, kind, about in kinds
            for folder in folders
        )

    def release(self) -> None:
        """Let go of features: they lie on disk, or are soon made again."""
        self._scenes.clear()
        self._store.forget()

    def key(self, name: str) -> Weights:
        """Name the weights behind `captioner/NAME`, `tagger/NAME` or `ranker/`."""
        kind, _, wanted = name.partition("/")
        shelf = self.shelf
        try:
            folder = {
                "captioner": shelf.captioner,
                "tagger": shelf.tagger,
            }.get(kind, lambda _: shelf.clip)(wanted)
        except ModelError:
            folder = None
        return (DESCRIBER, str(folder or name))

    def _network(self, folder: Path, load: Callable[[], Any]) -> Any:
        """Give a loaded network; the longest unused of the worker make room for it."""
        key = (DESCRIBER, str(folder))
        found = self._resident.get(key)
        if found is not None:
            return found
        size = folder_bytes(folder)
        return self._resident.load(key, size, load, lambda _network: size)

    def _name(self, folder: Path) -> str:
        """Name a folder as its host sees it; a part of the pack after the pack."""
        return f"{self._pack.name}/{folder.name}" if folder.parent == self._pack else folder.name

    def _ranker(self, shelf: Shelf) -> ClipRanker:
        folder = shelf.clip
        if folder is None:
            raise MissingWeights(
                "There is no CLIP on this server to rank with: its host can put one's folder "
                "(config.json, model.safetensors, tokenizer) among the models."
            )
        spare = self._pack / "tokenizer" if shelf.starter else None
        ranker: ClipRanker = self._network(
            folder, lambda: load_clip_ranker(folder, self._device, spare)
        )
        return ranker

    def _lists(self, shelf: Shelf) -> list[PhraseList]:
        if shelf.starter:
            return [starter_words.read_names(self._pack)]
        return self._phrases.all()

    def _advance(
        self, ranker: ClipRanker, lists: Sequence[PhraseList], features: Sequence[Features | None]
    ) -> Pending:
        lacking = [phrases for phrases, found in zip(lists, features, strict=True) if found is None]
        left = self._store.advance(ranker, lacking[0])
        later = sum(self._store.slices(len(phrases.phrases)) for phrases in lacking[1:])
        return Pending(left + later)

    def _ranked(
        self,
        ranker: ClipRanker,
        picture: Tensor,
        lists: Sequence[PhraseList],
        features: Sequence[Features],
    ) -> tuple[Match, ...]:
        """Rank every list for one encoded picture [D]."""
        matches = tuple(
            match
            for phrases, rows in zip(lists, features, strict=True)
            for match in rows.rank(picture, phrases.phrases, phrases.top)
        )
        if not self.shelf.starter:
            return matches
        rows = self._scene_features(ranker, matches[0].phrase)
        return matches + starter_words.style_and_ground(probabilities(picture, rows))

    def _scene_features(self, ranker: ClipRanker, name: str) -> Tensor:
        """Give the features of a thing's scenes, [60, D]; kept while CLIP is loaded."""
        key = (ranker.digest, name)
        if key not in self._scenes:
            self._scenes[key] = ranker.encode_phrases(starter_words.scenes(name))
        return self._scenes[key]


def _side(folder: Path) -> int:
    """Read the side of the pictures a network looks at, in pixels; 0 where it does not say."""
    config = read_config(folder)
    return int((config.get("vision_config") or config).get("image_size") or 0)
