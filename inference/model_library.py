"""The models of one worker: found by registry key, loaded when needed, kept within a budget."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast

import torch

from inference.api.catalogue.memory_plan import LowMemory, WeightFormat
from inference.api.config import EngineConfig
from inference.api.did_you_mean import suggest_names
from inference.api.jobs.control import DEPTH_MAP, PREPROCESSOR_KIND
from inference.api.jobs.limits import JobLimits
from inference.api.jobs.model_defaults import is_guidance_too_high
from inference.api.messages import ModelInfo
from inference.api.notices import Notice
from inference.api.prompts.extra_networks import LoraTag
from inference.diffusion.control.library import ControlLibrary
from inference.diffusion.embeddings import count_vectors
from inference.diffusion.flow.language_notes import list_language_notes
from inference.diffusion.latent_preview import LatentPreviewer
from inference.diffusion.loader import CheckpointLoader, model_bytes
from inference.diffusion.lora.active import ActiveLoras
from inference.diffusion.lora.catalog import CATALOG_FILE, LoraCatalog
from inference.diffusion.lora.network_hashes import NetworkHashes
from inference.diffusion.lora.network_notes import list_network_notes
from inference.diffusion.lora.registry import LoraRegistry
from inference.diffusion.model import LatentModel, ModelTraits
from inference.diffusion.single_file import CONFIGS_DIR
from inference.model_files.defaults.recommendation import ModelRecommender, Recommendation
from inference.model_files.errors import ModelError, UnknownModel
from inference.model_files.files import (
    CHECKPOINTS_DIR,
    DESCRIBER,
    DIFFUSION,
    EMBEDDINGS_DIR,
    ModelFolder,
    Weights,
    find_checkpoints,
    find_unlisted,
    is_file,
    is_folder,
    path_name,
)
from inference.model_files.hashes import HASHES_FILE, FileHashes
from inference.model_files.header import read_header
from inference.model_files.inspection import list_usable
from inference.model_files.pipelines.families import check_family
from inference.model_files.pipelines.flow_families import FlowFamily
from inference.model_files.pipelines.part_weights import find_main_file
from inference.prompts.chunks import Tokenizer
from inference.restoration.library import RestorerLibrary
from inference.runtime.compiling import prepare_compiling
from inference.runtime.memory import count_usable_bytes, default_budget, folder_bytes
from inference.runtime.model_cache import ModelCache
from inference.runtime.precision import choose_device, choose_dtype, hasten_float32
from inference.upscaling.tiling.autotune_cache import AutotuneCache, machine_key
from inference.upscaling.upscalers import AUTOTUNE_FILE, UpscalerLibrary
from inference.vision.depth import DepthLibrary
from inference.vision.interrogation.interrogator import Interrogator
from inference.vision.segmentation.segmenters import ImageSegmenter

STARTER_FOLDER = Path(__file__).resolve().parent / "starter"
#: What compiled networks are kept in, within the cache folder.
COMPILED_DIR_NAME = "compiled"
AUTO_DTYPE = "auto"
#: LoRAs stay loaded up to this part of the checkpoints' budget.
LORA_BUDGET_DIVISOR = 8


class ModelLibrary:
    """Names to models; nothing outside the models folder can be named."""

    def __init__(
        self,
        config: EngineConfig,
        device: torch.device,
        dtype: torch.dtype,
        *,
        budget: int = 0,
        configs: Path = CONFIGS_DIR,
    ) -> None:
        """Take the host's choices; `budget` is the bytes of checkpoints that may stay loaded."""
        self._config = config
        #: What a prompt may come to once its words are drawn.
        self.job_limits = JobLimits(config.max_prompt_parts)
        self.folder = ModelFolder(Path(config.models_dir))
        #: What marks parts of pictures; small, and loaded beside the budget.
        self.segmenters = ImageSegmenter(self.folder.path)
        self._previewer = LatentPreviewer(self.folder.path)
        self.device, self.dtype = device, dtype
        self.model_cache: ModelCache[Any] = ModelCache(
            budget or config.weights_budget or default_budget(device, config.device_workers)
        )
        self._checkpoints: dict[str, Path] = {}
        self._default_name = ""
        self._traits: dict[str, ModelTraits] = {}
        #: Checkpoints that ran out of memory while they were loaded.
        self._sparing: set[str] = set()
        self._hashes = FileHashes(Path(config.cache_dir) / HASHES_FILE)
        #: What enlarges pictures; its networks lie within the same budget.
        self.upscalers = UpscalerLibrary(config, device, self._hashes, self.model_cache)
        catalog_file = Path(config.cache_dir) / CATALOG_FILE
        #: The host's LoRAs, by the names that prompts give them.
        self.lora_catalog = LoraCatalog(self.folder, self._hashes, catalog_file)
        lora_budget = self.model_cache.budget // LORA_BUDGET_DIVISOR
        self._loras = LoraRegistry(self.lora_catalog, lora_budget)
        self._networks = NetworkHashes(self.folder, self._hashes, self.lora_catalog)
        # Guidance doubles the rows of a call.
        max_compiled_entries = 2 * config.max_batch if config.compile else 0
        self._loader = CheckpointLoader(
            self.folder, configs, self._hashes, device, dtype, max_compiled_entries
        )
        #: What describes pictures; its networks lie within the same budget.
        self.describers = Interrogator(
            self.folder.path,
            Path(config.cache_dir) / "interrogation",
            STARTER_FOLDER,
            device,
            dtype,
            self.model_cache,
            lines=config.list_lines,
        )

    @cached_property
    def _recommender(self) -> ModelRecommender:
        """What says how each checkpoint draws best."""
        return ModelRecommender(
            self.folder.path, lambda path: self._hashes.known_short_hash(find_main_file(path))
        )

    @cached_property
    def controls(self) -> ControlLibrary:
        """What holds pictures to maps of others; its networks lie within the same budget."""
        return ControlLibrary(
            self.folder.path,
            self._loader.configs,
            self.device,
            self.dtype,
            self.model_cache,
            is_sparing=self._config.low_memory != "none",
        )

    @cached_property
    def depth(self) -> DepthLibrary:
        """What tells how near things are; its network lies within the same budget."""
        return DepthLibrary(self.folder.path, self.device, self.model_cache)

    @cached_property
    def restorers(self) -> RestorerLibrary:
        """What restores faces and colours; its networks lie within the same budget."""
        return RestorerLibrary(self._config, self.device, self.model_cache)

    @classmethod
    def open(cls, config: EngineConfig) -> ModelLibrary:
        """Find the device and its number format, and load the host's checkpoint.

        Raises:
            EngineError: the device is not there, or fails a trial.
            ModelError: the checkpoint is not there.
        """
        if config.threads or config.device_workers > 1:
            own_cores = max(1, torch.get_num_threads() // config.device_workers)
            torch.set_num_threads(config.threads or own_cores)
        if config.compile:
            prepare_compiling(Path(config.cache_dir) / COMPILED_DIR_NAME)
        device = choose_device(config.device)
        if not config.deterministic:
            hasten_float32(device)
        library = cls(config, device, _choose_kept_dtype(config, device))
        library.get_checkpoint("").try_decoding()
        return library

    def resolve_name(self, name: str) -> str:
        """Name the checkpoint meant: an empty name is the host's own.

        The models folder is listed anew: a job asks this first, and what it asks later is answered
        from that listing.

        Raises:
            UnknownModel: there is none of that name.
            UnsupportedWeights: there is one, but pickled, or a lone GGUF file.
        """
        default_name = self._list_folder()
        checkpoint_name = name or default_name
        if checkpoint_name in self._checkpoints:
            return checkpoint_name
        for name, path in self._checkpoints.items():
            if checkpoint_name == path_name(path, self.folder.path / CHECKPOINTS_DIR):
                return name
        if unlisted_file := find_unlisted(self.folder.path, checkpoint_name):
            read_header(unlisted_file)
        known_names = [info.name for info in self._list_checkpoints()]
        hint = suggest_names(checkpoint_name, known_names)
        raise UnknownModel("model.unknown_checkpoint", name=checkpoint_name, why=hint)

    def get_checkpoint(self, name: str) -> LatentModel:
        """Give a loaded checkpoint; the longest unused make room for it.

        Raises:
            ModelError: it is unknown or cannot be loaded.
        """
        # A name that is loaded was resolved before: no step of a job looks into folders.
        loaded_model: LatentModel | None = self.model_cache.get((DIFFUSION, name))
        if loaded_model is not None:
            return loaded_model
        key = self._known_name(name)
        resolved_model: LatentModel | None = self.model_cache.get((DIFFUSION, key))
        if resolved_model is not None:
            return resolved_model
        path = self._checkpoint_path(key)
        plan = self._loader.require_plan(path, key, *self._memory_terms(key))
        self.describers.release_features()
        model: LatentModel = self.model_cache.load_model(
            (DIFFUSION, key),
            self._loader.expected_bytes(path),
            lambda: self._loader.build_model(path, key, plan),
            model_bytes,
        )
        foreign_words = frozenset(model.text_encoders.embeddings.foreign)
        networks = partial(self._networks.infotext_hashes, unused_words=foreign_words)
        self._traits[key] = replace(model.model_traits, networks=networks)
        return model

    def model_traits(self, name: str) -> ModelTraits:
        """Tell what answers say about a checkpoint; it is loaded only the first time.

        Raises:
            ModelError: it is unknown or cannot be loaded.
        """
        key = self._known_name(name)
        if key not in self._traits:
            self.get_checkpoint(key)
        return self._traits[key]

    def checkpoint_tokenizer(self, name: str) -> Tokenizer:
        """Give the tokenizer by which a checkpoint's prompts are split, without loading it.

        Raises:
            ModelError: it is unknown or cannot be read.
        """
        return self._loader.checkpoint_tokenizer(self._checkpoint_path(name))

    def count_embedding_vectors(self, name: str) -> dict[str, int]:
        """Tell how many tokens the embeddings that fit a checkpoint take, without loading it.

        Raises:
            ModelError: it is unknown or cannot be read.
        """
        width = self._loader.text_width(self._checkpoint_path(name))
        return count_vectors(self.folder.list_files(EMBEDDINGS_DIR), width)

    def loadable_together(self, requested_weights: Sequence[Weights]) -> set[Weights]:
        """Say which weights can be loaded together: those loaded now, then the first named."""
        keys = {weights: self._cache_key(weights) for weights in requested_weights}
        fitting_keys = self.model_cache.fitting_keys(list(keys.values()), self._guess_bytes)
        return {weights for weights, key in keys.items() if key in fitting_keys}

    def free_memory(self, weights: Weights | None) -> bool:
        """Make memory go further for some weights after it ran out; say whether that can help.

        First others leave, then a checkpoint uses less at a time.
        """
        key = None if weights is None else self._cache_key(weights)
        if self.model_cache.evict_down_to(0, key):
            return True
        if key is None or key[0] != DIFFUSION:
            return False
        model: LatentModel | None = self.model_cache.get(key)
        if model is not None:
            return model.offload.escalate_level()
        if key[1] in self._sparing or self.device.type == "cpu":
            return False
        self._sparing.add(key[1])
        return True

    def active_loras(self, name: str, loras: Sequence[LoraTag]) -> ActiveLoras | None:
        """Give the LoRAs to run beside a checkpoint; None where a prompt names none.

        Raises:
            JobError: there is no LoRA of a name.
            ModelError: a file cannot be read, or is of another family.
        """
        if not loras:
            return None
        self._loras.check_loras_exist(loras)
        return self._loras.active_loras(self.get_checkpoint(name), loras)

    def list_prompt_notes(
        self,
        name: str,
        prompt: str,
        negative: str,
        clip_skip: int = 1,
        *,
        guidance: float = 1.0,
    ) -> list[Notice]:
        """Say what of a loaded checkpoint's prompts was read otherwise than it may be meant."""
        model = self.get_checkpoint(name)
        notes = list_network_notes(model, self._loras, prompt, negative)
        if clip_skip > 1 and model.text_encoders.has_fixed_layer:
            notes.append(Notice("prompt.fixed_layer", clip_skip=clip_skip))
        if model.text_encoders.is_language:
            notes += list_language_notes(model, prompt, negative, clip_skip, guidance)
        defaults = self._recommendation(name).defaults
        if model.guidance_kind == "cfg" and is_guidance_too_high(guidance, defaults):
            usual = next(f"{d.value:g}" for d in defaults if d.option == "guidance")
            notes.append(
                Notice("model.few_step_guidance", name=name, guidance=f"{guidance:g}", usual=usual)
            )
        return notes

    def preview_latents(self, name: str, latents: torch.Tensor) -> torch.Tensor | None:
        """Show latents [B, C, h, w] of a checkpoint as [B, 3, H, W] in −1..1, if that is known."""
        return self._previewer.preview_latents(self.get_checkpoint(name), latents)

    def natural_size(self, name: str) -> int:
        """Give the side of a checkpoint's own pictures in pixels, without loading it."""
        return self._recommendation(name).side or self._loader.natural_size(
            self._checkpoint_path(name)
        )

    def _recommendation(self, name: str) -> Recommendation:
        key = self._known_name(name)
        return self._recommender.find_recommendation(key, self._checkpoint_path(key))

    def size_multiple(self, name: str) -> int:
        """Say what sides of a checkpoint's pictures are multiples of, without loading it."""
        return self._loader.size_multiple(self._checkpoint_path(name))

    def flow_family(self, name: str) -> FlowFamily | None:
        """Name the flow family that a checkpoint is of, without loading it; None for others."""
        return self._loader.flow_family(self._checkpoint_path(name))

    def count_references(self, name: str) -> int:
        """Give the most pictures that a checkpoint looks at in an edit, without loading it."""
        return self._loader.count_references(self._checkpoint_path(name))

    def reference_fit(self, name: str) -> str:
        """Say how pictures that a flow checkpoint looks at are brought to size."""
        return self._loader.reference_fit(self._checkpoint_path(name))

    def checkpoint_role(self, name: str) -> str:
        """Say what a checkpoint does alone, as `ModelInfo.role`, without loading it."""
        return self._loader.checkpoint_role(self._checkpoint_path(name))

    def checkpoint_family(self, name: str) -> str:
        """Say whose ControlNets fit a checkpoint, `sd1`, `sd2` or `sdxl`; empty for no known."""
        return self._loader.checkpoint_family(self._checkpoint_path(name))

    def can_refine(self, name: str, model: str) -> bool:
        """Whether a checkpoint can go on from another's latents, without loading either."""
        return self._loader.can_refine(self._checkpoint_path(name), self._checkpoint_path(model))

    def checkpoint_hash(self, name: str) -> str:
        """Give a checkpoint's short hash, without loading it."""
        return self._hashes.short_hash(find_main_file(self._checkpoint_path(name)))

    def resident_checkpoints(self) -> tuple[str, ...]:
        """List the checkpoints that are loaded, the one used longest ago first."""
        keys = (cast("Weights", key) for key in self.model_cache)
        return tuple(name for kind, name in keys if kind == DIFFUSION)

    def checkpoint_aliases(self, key: str) -> set[str]:
        """List the names that jobs may give a checkpoint; the host's own has an empty one, too."""
        path = self._checkpoints.get(key)
        paths = () if path is None else (path_name(path, self.folder.path / CHECKPOINTS_DIR),)
        return {key, *paths, *([""] if key == self._default_name else ())}

    def known_digest(self, key: str) -> str:
        """Give a checkpoint's short hash if it is known already, else nothing."""
        path = self._checkpoints.get(key)
        return "" if path is None else self._hashes.known_short_hash(find_main_file(path))

    def list_models(self) -> tuple[ModelInfo, ...]:
        """List what can be named: checkpoints, upscalers whose weights are here, LoRAs."""
        self._list_folder()
        segmenters = self.segmenters.list_segmenters()
        runnable = (
            *self._list_checkpoints(),
            *self.upscalers.shelf.list_upscalers(),
            *self.restorers.list_restorers(finds_faces=any(s.name == "face" for s in segmenters)),
            *self.describers.model_infos(),
            *segmenters,
            *self.controls.list_networks(),
            *self._list_preprocessors(),
        )
        return (*runnable, *self.lora_catalog.list_loras())

    def _list_preprocessors(self) -> Iterator[ModelInfo]:
        """List the maps of pictures that take a network to be made."""
        if self.depth.has_network:
            yield ModelInfo(name=DEPTH_MAP, kind=PREPROCESSOR_KIND, size=0)

    def _list_checkpoints(self) -> Iterator[ModelInfo]:
        """List the checkpoints whose files can be read."""

        def inspect(name: str, path: Path) -> ModelInfo:
            size = self._loader.inspect_checkpoint(path)
            digest = self._hashes.known_short_hash(find_main_file(path))
            recommendation = self._recommender.find_recommendation(name, path)
            plan = self._loader.find_plan(path, *self._memory_terms(name))
            return ModelInfo(
                name=name,
                kind="diffusion",
                size=recommendation.side or size,
                digest=digest,
                role=self._loader.checkpoint_role(path),
                family=self._loader.checkpoint_family(path),
                references=self._loader.count_references(path),
                multiple=self._loader.size_multiple(path),
                defaults=recommendation.defaults,
                fit="not" if plan is None else plan.fit,
            )

        return list_usable("checkpoints", self._checkpoints.items(), inspect)

    def _list_folder(self) -> str:
        """List the models folder anew; name the host's own checkpoint."""
        self.folder.forget_files()
        self._recommender.forget_files()
        self._checkpoints, self._default_name = find_checkpoints(
            self.folder.path, self._config.model, STARTER_FOLDER
        )
        return self._default_name

    def _known_name(self, name: str) -> str:
        """Resolve a name that was resolved before, unless its file is gone."""
        path = self._checkpoints.get(name)
        return (
            name
            if path is not None and (is_file(path) or is_folder(path))
            else self.resolve_name(name)
        )

    def _checkpoint_path(self, name: str) -> Path:
        """Find a checkpoint; a folder of another family is refused before a part is missed in it.

        Raises:
            ModelError: it is unknown, or of a family that is not run.
        """
        key = self._known_name(name)
        path = self._checkpoints[key]
        if is_folder(path):
            check_family(path)
        return path

    def _memory_terms(self, key: str) -> tuple[int | None, LowMemory, WeightFormat | None]:
        """Give the bytes that a checkpoint may take, how sparingly at least, and the one format."""
        level = cast("LowMemory", self._config.low_memory)
        if level == "none" and key in self._sparing:
            level = "medvram"
        name = self._config.weight_format
        weight_format = None if name == "auto" else cast("WeightFormat", name)
        usable_bytes = count_usable_bytes(self.device, self._config.device_workers)
        return usable_bytes, level, weight_format

    def _cache_key(self, weights: Weights) -> Weights:
        """Give the key under which weights are held: describers go by their folders."""
        kind, name = weights
        return self.describers.weights_key(name) if kind == DESCRIBER else weights

    def _guess_bytes(self, key: Hashable) -> int:
        """Guess the bytes of what was never loaded; 0 where it cannot be, as its job will say."""
        kind, name = cast("Weights", key)
        try:
            match kind:
                case "upscaler":
                    return self.upscalers.expected_bytes(name)
                case "restorer":
                    return self.restorers.expected_bytes(name)
                case "describer":
                    return folder_bytes(Path(name))
                case _:
                    return self._loader.expected_bytes(self._checkpoint_path(name))
        except (ModelError, KeyError):
            return 0


def _choose_kept_dtype(config: EngineConfig, device: torch.device) -> torch.dtype:
    """Choose the number format of networks; what was timed on this machine is timed once."""
    autotune_cache = AutotuneCache(Path(config.cache_dir) / AUTOTUNE_FILE)
    key = f"{machine_key(device)}|network's format"
    timed_dtype = str(autotune_cache.get(key) or "")
    dtype = choose_dtype(config.dtype, device, timed_dtype)
    name = str(dtype).removeprefix("torch.")
    if config.dtype == AUTO_DTYPE and name != timed_dtype:
        autotune_cache.put(key, name)
    return dtype
