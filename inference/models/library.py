"""The models of one worker: found by registry key, loaded when needed, kept within a budget."""

from __future__ import annotations

import difflib
import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from inference.config import EngineConfig
from inference.errors import JobError
from inference.events import ModelInfo
from inference.interrogation.describers import Describers
from inference.models import folder
from inference.models.catalogue import UPSCALERS, upscaler_entry
from inference.models.checkpoint import CONFIGS, load_checkpoint, natural_side, read_vae
from inference.models.diffusion import DiffusionModel
from inference.models.embeddings import Embeddings, load_embeddings
from inference.models.errors import ModelError, UnknownModel
from inference.models.files import (
    EMBEDDINGS,
    LORAS,
    SUFFIX,
    Weights,
    find_checkpoints,
    find_files,
    main_file,
    part_files,
    vae_beside,
)
from inference.models.hashes import Hashes
from inference.models.header import read_header
from inference.models.lora.files import LoraFile, load_lora
from inference.models.lora.side import Side
from inference.models.resident import Resident, default_budget, weight_bytes
from inference.models.upscaler import Upscaler, load_upscaler
from inference.models.weights import is_installed, prepare
from inference.prompts.networks import Lora

log = logging.getLogger(__name__)

STARTER_FOLDER = Path(__file__).resolve().parent.parent / "starter"


#: LoRAs stay loaded up to this part of the checkpoints' budget.
LORA_SHARE = 8


class Library:
    """Names to models; nothing outside the models folder can be named."""

    def __init__(
        self,
        config: EngineConfig,
        device: torch.device,
        dtype: torch.dtype,
        *,
        budget: int | None = None,
        configs: Path = CONFIGS,
    ) -> None:
        """Take the host's choices; `budget` is the bytes of checkpoints that may stay loaded."""
        self._config = config
        self._device = device
        self._dtype = dtype
        self._configs = configs
        self._resident: Resident[DiffusionModel] = Resident(
            default_budget(device) if budget is None else budget
        )
        self._loras: Resident[LoraFile] = Resident(self._resident.budget // LORA_SHARE)
        #: Bytes of checkpoints that were asked for but not loaded yet.
        self._guesses: dict[str, int] = {}
        self._hashes = Hashes(Path(config.cache_dir) / "hashes.json")
        self._upscalers: dict[str, Upscaler] = {}
        #: What describes pictures; it loads its own networks.
        self.describers = Describers(
            Path(config.models_dir),
            Path(config.cache_dir) / "interrogation",
            STARTER_FOLDER,
            device,
            dtype,
        )

    def resolve(self, name: str) -> str:
        """Name the checkpoint meant: an empty name is the host's own.

        Raises:
            UnknownModel: there is none of that name.
        """
        found, own = find_checkpoints(self._shelf, self._config.model, STARTER_FOLDER)
        chosen = name or own
        if chosen in found:
            return chosen
        hint = _nearest(chosen, found) or f"There are: {', '.join(found)}."
        raise UnknownModel(f"There is no checkpoint “{chosen}” here. {hint}")

    def diffusion(self, name: str) -> DiffusionModel:
        """Give a loaded checkpoint; the longest unused make room for it.

        Raises:
            ModelError: it is unknown or cannot be loaded.
        """
        # A name that is loaded was resolved before: no step of a job looks into folders.
        model = self._resident.get(name)
        if model is not None:
            return model
        key = self.resolve(name)
        model = self._resident.get(key)
        if model is not None:
            return model
        self.describers.release()
        path = self._path(key)
        return self._resident.load(
            key, self._expected(path), lambda: self._load(path, key), _weights
        )

    def fitting(self, wanted: Sequence[Weights]) -> set[Weights]:
        """Say which weights can be loaded together: those loaded now, then the first named.

        One alone is always let in, however large.
        """
        loaded = [weights for weights in wanted if weights[1] in self._resident]
        if len(loaded) == len(wanted):
            return set(wanted)
        chosen: set[Weights] = set()
        left = self._resident.budget
        for weights in sorted(wanted, key=lambda weights: weights not in loaded):
            size = self._size(weights)
            if size <= left or not chosen:
                chosen.add(weights)
                left -= size
        return chosen

    def side(self, name: str, loras: Sequence[Lora]) -> Side | None:
        """Give the LoRAs to run beside a checkpoint; None where a prompt names none.

        Raises:
            JobError: there is no LoRA of a name.
            ModelError: a file cannot be read, or is of another family.
        """
        if not loras:
            return None
        files = find_files(self._shelf, LORAS)
        for lora in loras:
            if lora.name not in files:
                raise JobError("prompt", _no_lora(lora.name, files))
        model = self.diffusion(name)
        return Side([(lora, self._lora(model, files[lora.name])) for lora in loras])

    def natural_size(self, name: str) -> int:
        """Give the side of a checkpoint's own pictures in pixels, without loading it."""
        return self._natural(self._path(self.resolve(name)))

    def digest(self, name: str) -> str:
        """Give a checkpoint's short hash, without loading it."""
        return self._hashes.short(main_file(self._path(self.resolve(name))))

    def upscaler(self, key: str) -> Upscaler:
        """Give a loaded upscaler.

        Raises:
            ModelError: it is unknown, not installed or cannot be loaded.
        """
        if key not in self._upscalers:
            path = prepare(upscaler_entry(key), Path(self._config.cache_dir) / "upscalers")
            self._upscalers[key] = load_upscaler(path, self._device)
        return self._upscalers[key]

    def infos(self) -> tuple[ModelInfo, ...]:
        """List what can be named: checkpoints, and upscalers whose weights are here."""
        checkpoints = tuple(self._checkpoints())
        upscalers = tuple(
            ModelInfo(name=entry.key, kind="upscaler", size=entry.scale, about=entry.purpose)
            for entry in UPSCALERS
            if is_installed(entry) or self._own_upscaler(entry.key).is_file()
        )
        return checkpoints + upscalers + self.describers.infos()

    def _checkpoints(self) -> Iterator[ModelInfo]:
        """List the checkpoints whose files can be read."""
        for name, path in find_checkpoints(self._shelf, self._config.model, STARTER_FOLDER)[
            0
        ].items():
            try:
                yield ModelInfo(name=name, kind="diffusion", size=self._natural(path))
            except ModelError as error:
                log.warning("Left out of the checkpoints: %s", error)

    def _own_upscaler(self, key: str) -> Path:
        """Name the file in which the host's own, pulled or laid there, would be."""
        return Path(self._config.cache_dir) / "upscalers" / f"{key}{SUFFIX}"

    @property
    def _shelf(self) -> Path:
        return Path(self._config.models_dir)

    def _path(self, key: str) -> Path:
        return find_checkpoints(self._shelf, self._config.model, STARTER_FOLDER)[0][key]

    def _natural(self, path: Path) -> int:
        return folder.natural_size(path) if path.is_dir() else natural_side(path, self._configs)

    def _size(self, weights: Weights) -> int:
        """Give the bytes of weights, guessed where they are not loaded; 0 where none can be."""
        _, key = weights
        if key in self._resident:
            return self._resident.size(key)
        if key not in self._guesses:
            try:
                self._guesses[key] = self._expected(self._path(key))
            except (ModelError, KeyError):
                return 0  # its job fails with words as soon as it is let in
        return self._guesses[key]

    def _expected(self, path: Path) -> int:
        """Guess a checkpoint's bytes once loaded, by the headers of its files."""
        files = part_files(path)
        weights = sum(
            math.prod(entry.shape) for file in files for entry in read_header(file).entries.values()
        )
        return weights * self._dtype.itemsize

    def _lora(self, model: DiffusionModel, path: Path) -> LoraFile:
        """Give a LoRA's weights for a checkpoint; a file that was changed is read again."""
        key = f"{model.name}|{path}|{path.stat().st_mtime_ns}"
        found = self._loras.get(key)
        if found is not None:
            return found
        return self._loras.load(
            key,
            path.stat().st_size,
            lambda: load_lora(path, model.unet, model.words.models),
            lambda file: file.nbytes,
        )

    def _load(self, path: Path, key: str) -> DiffusionModel:
        """Load a folder or a file, with the autoencoder laid beside it."""
        vae = vae_beside(self._shelf, key)
        if path.is_dir():
            model = folder.load_folder(path, key, self._device, self._dtype)
            if vae is not None:
                config = dict(model.vae.config)
                model = replace(model, vae=read_vae(vae, config, self._device, self._dtype))
        else:
            model = load_checkpoint(
                path, key, self._device, self._dtype, configs=self._configs, vae=vae
            )
        return replace(
            model,
            digest=self._hashes.short(main_file(path)),
            words=replace(model.words, embeddings=self._embeddings(model)),
        )

    def _embeddings(self, model: DiffusionModel) -> Embeddings:
        widths = [int(text.config.hidden_size) for text in model.words.models]
        return load_embeddings(find_files(self._shelf, EMBEDDINGS), widths)


def _no_lora(name: str, files: Iterable[str]) -> str:
    hint = _nearest(name, files) or (
        f"There are: {', '.join(files)}." if files else "The host has none."
    )
    return f"There is no LoRA “{name}” here. {hint}"


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(close)}?" if close else ""


def _weights(model: DiffusionModel) -> int:
    return weight_bytes(model.unet, model.vae, *model.words.models)
