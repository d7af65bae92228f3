"""What describes pictures on this worker: loaded when first asked, gone when memory is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from inference.api.messages import ModelInfo
from inference.model_files.errors import MissingWeights, ModelError
from inference.model_files.files import DESCRIBER, Weights
from inference.model_files.inspection import log_left_out
from inference.runtime.memory import default_budget, folder_bytes
from inference.runtime.model_cache import ModelCache
from inference.vision.interrogation.captioner import (
    Captioner,
    CaptionSettings,
    ScoredCaption,
    load_captioner,
)
from inference.vision.interrogation.installed import InstalledModels, find_installed
from inference.vision.interrogation.ranking import starter_words
from inference.vision.interrogation.ranking.clip_ranker import ClipRanker, load_clip_ranker
from inference.vision.interrogation.ranking.feature_store import FeatureStore
from inference.vision.interrogation.ranking.features import PhraseFeatures
from inference.vision.interrogation.ranking.matches import PhraseMatch, phrase_probabilities
from inference.vision.interrogation.ranking.phrases import (
    DEFAULT_RANKING,
    MAX_LIST_LINES,
    PhraseList,
    PhraseLists,
    RankingOptions,
    select_lists,
)
from inference.vision.interrogation.tagging.ratings import RatingScores, rating_scores
from inference.vision.interrogation.tagging.tagger import Tagger, load_tagger
from inference.vision.interrogation.tagging.tags import Tag
from inference.vision.interrogation.transformers_loader import read_config

#: The host's own lists, in its models folder.
LISTS_FOLDER = "lists"
MAX_INPUT_SIDE = 2**16  # pixels


@dataclass(frozen=True)
class RankingPending:
    """Phrases are still being encoded."""

    #: Slices until a ranking can be given.
    remaining_slices: int


class Interrogator:
    """The captioner, CLIP and tagger at hand."""

    def __init__(
        self,
        models: Path,
        cache: Path,
        pack: Path,
        device: torch.device,
        dtype: torch.dtype,
        resident: ModelCache[Any] | None = None,
        *,
        lines: int = MAX_LIST_LINES,
    ) -> None:
        """Take the host's models, where to keep features, the starter pack, and where to run.

        `resident` holds the networks; without one they get a budget of their own. Of each list
        `lines` lines count, all where that is 0.
        """
        self._models = models
        self._phrases = PhraseLists(models / LISTS_FOLDER, lines)
        self._pack = pack
        self._device = device
        self._dtype = dtype
        self._store = FeatureStore(cache)
        # An empty one counts as false.
        self.model_cache = ModelCache[Any](default_budget(device)) if resident is None else resident
        self._scenes: dict[tuple[str, str], Tensor] = {}

    def caption_images(
        self, images: Sequence[Image.Image], settings: CaptionSettings, name: str = ""
    ) -> list[str] | None:
        """Describe RGB pictures in a sentence each; None where there is no captioner.

        Raises:
            ModelError: there is no captioner of that name, or it cannot be loaded.
        """
        captions = self.score_captions(images, settings, name)
        return None if captions is None else [caption.text for caption in captions]

    def score_captions(
        self, images: Sequence[Image.Image], settings: CaptionSettings, name: str = ""
    ) -> list[ScoredCaption] | None:
        """Describe RGB pictures, with how sure the captioner is; None where there is none.

        Raises:
            ModelError: there is no captioner of that name, or it cannot be loaded.
        """
        folder = self.installed_models.find_captioner(name)
        if folder is None:
            return None
        captioner: Captioner = self._load_network(
            folder, lambda: load_captioner(folder, self._device, self._dtype)
        )
        return captioner.score_captions(images, settings)

    def rank_lists(
        self, images: Sequence[Image.Image], options: RankingOptions = DEFAULT_RANKING
    ) -> list[tuple[PhraseMatch, ...]] | RankingPending:
        """Rank lists for each RGB picture, the likeliest subject first.

        While phrases are not encoded yet, encodes a few of them instead. The pack's captioner says
        all that the pack's CLIP could add, so there nothing is ranked unless lists are named.

        Raises:
            JobError: a list is asked for that is not there.
            ModelError: there is no CLIP, it cannot be loaded, or a list is unusable.
        """
        models = self.installed_models
        if models.starter and models.captioners and not options.lists:
            return [()] * len(images)
        ranker = self._load_ranker(models)
        lists = select_lists(self._read_lists(models), options)
        features = [self._store.get(ranker, phrases) for phrases in lists]
        if any(list_features is None for list_features in features):
            return self._encode_next(ranker, lists, features)
        return [
            self._rank_image(
                ranker,
                image,
                lists,
                [list_features for list_features in features if list_features is not None],
            )
            for image in ranker.encode_images(images)
        ]

    def tag_images(self, images: Sequence[Image.Image], name: str = "") -> list[tuple[Tag, ...]]:
        """Give every tag of RGB pictures its probability.

        Raises:
            ModelError: there is no tagger of that name, none at all, or it cannot be loaded.
        """
        folder = self.installed_models.find_tagger(name)
        if folder is None:
            raise MissingWeights("model.no_tagger")
        tagger: Tagger = self._load_network(folder, lambda: load_tagger(folder, self._device))
        return tagger.tag_images(images)

    def rate_images(self, images: Sequence[Image.Image]) -> list[RatingScores] | None:
        """Say how delicate RGB pictures are; None where no tagger here knows ratings.

        Raises:
            ModelError: the tagger cannot be loaded.
        """
        if self.installed_models.find_tagger() is None:
            return None
        image_ratings = [rating_scores(tags) for tags in self.tag_images(images)]
        return (
            [scores for scores in image_ratings if scores is not None]
            if None not in image_ratings
            else None
        )

    @property
    def installed_models(self) -> InstalledModels:
        """The folders that answer now; a host may add one while the worker runs."""
        return find_installed(self._models, self._pack)

    def model_infos(self) -> tuple[ModelInfo, ...]:
        """List what describes pictures here."""
        models = self.installed_models
        for folder, error in models.broken.items():
            log_left_out("models that describe", folder.name, error)
        kinds = (
            (models.captioners, "captioner", "captions"),
            (models.clips[:1], "ranker", "rankings"),
            (models.taggers, "tagger", "tags"),
        )
        return tuple(
            ModelInfo(
                name=self._display_name(folder), kind=kind, size=_input_side(folder), about=output
            )
            for folders, kind, output in kinds
            for folder in folders
        )

    def release_features(self) -> None:
        """Let go of features: they lie on disk, or are soon made again."""
        self._scenes.clear()
        self._store.clear_memory()

    def weights_key(self, name: str) -> Weights:
        """Name the weights behind `captioner/NAME`, `tagger/NAME` or `ranker/`."""
        kind, _, model_name = name.partition("/")
        models = self.installed_models
        try:
            folder = {
                "captioner": models.find_captioner,
                "tagger": models.find_tagger,
            }.get(kind, lambda _: models.clip_folder)(model_name)
        except ModelError:
            folder = None
        return (DESCRIBER, str(folder or name))

    def _load_network(self, folder: Path, load: Callable[[], Any]) -> Any:
        """Give a loaded network; the longest unused of the worker make room for it."""
        key = (DESCRIBER, str(folder))
        cached_network = self.model_cache.get(key)
        if cached_network is not None:
            return cached_network
        size = folder_bytes(folder)
        return self.model_cache.load_model(key, size, load, lambda _network: size)

    def _display_name(self, folder: Path) -> str:
        """Name a folder as its host sees it; a part of the pack after the pack."""
        return f"{self._pack.name}/{folder.name}" if folder.parent == self._pack else folder.name

    def _load_ranker(self, models: InstalledModels) -> ClipRanker:
        folder = models.clip_folder
        if folder is None:
            raise MissingWeights("model.no_clip")
        spare = self._pack / "tokenizer" if models.starter else None
        ranker: ClipRanker = self._load_network(
            folder, lambda: load_clip_ranker(folder, self._device, spare)
        )
        return ranker

    def _read_lists(self, models: InstalledModels) -> list[PhraseList]:
        if models.starter:
            return [starter_words.read_subject_names(self._pack)]
        return self._phrases.read_all()

    def _encode_next(
        self,
        ranker: ClipRanker,
        lists: Sequence[PhraseList],
        features: Sequence[PhraseFeatures | None],
    ) -> RankingPending:
        lacking = [
            phrases
            for phrases, list_features in zip(lists, features, strict=True)
            if list_features is None
        ]
        remaining_slices = self._store.encode_next(ranker, lacking[0])
        later = sum(self._store.count_slices(len(phrases.phrases)) for phrases in lacking[1:])
        return RankingPending(remaining_slices + later)

    def _rank_image(
        self,
        ranker: ClipRanker,
        image: Tensor,
        lists: Sequence[PhraseList],
        features: Sequence[PhraseFeatures],
    ) -> tuple[PhraseMatch, ...]:
        """Rank every list for one encoded picture [D]."""
        matches = tuple(
            match
            for phrases, rows in zip(lists, features, strict=True)
            for match in rows.rank_phrases(image, phrases.phrases, phrases.top)
        )
        if not self.installed_models.starter:
            return matches
        rows = self._scene_features(ranker, matches[0].phrase)
        return matches + starter_words.style_and_background(phrase_probabilities(image, rows))

    def _scene_features(self, ranker: ClipRanker, name: str) -> Tensor:
        """Give the features of a thing's scenes, [60, D]; kept while CLIP is loaded."""
        key = (ranker.digest, name)
        if key not in self._scenes:
            self._scenes[key] = ranker.encode_phrases(starter_words.scene_captions(name))
        return self._scenes[key]


def _input_side(folder: Path) -> int:
    """Read the side of the pictures a network looks at, in pixels; 0 where it does not say."""
    config = read_config(folder)
    side = (config.get("vision_config") or config).get("image_size")
    return side if isinstance(side, int) and 0 < side <= MAX_INPUT_SIDE else 0
