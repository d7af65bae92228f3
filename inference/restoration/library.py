"""The networks that restore, of one worker: named, found and loaded when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from inference.api.config import EngineConfig
from inference.api.did_you_mean import suggest_names
from inference.api.infotext.names import find_restorer
from inference.api.messages import COLOURISER_KIND, FACE_RESTORER_KIND, ModelInfo
from inference.model_files.errors import UnknownModel, UnsupportedWeights
from inference.model_files.files import RESTORER, RESTORERS_DIR, find_models, name_paths
from inference.model_files.header import count_weights, read_header
from inference.model_files.identity import FileType, identify_file
from inference.model_files.inspection import list_usable
from inference.restoration.networks import (
    NON_COMMERCIAL_ARCHITECTURES,
    Colouriser,
    FaceRestorer,
    check_runnable,
    face_side,
    load_restorer,
)
from inference.runtime.model_cache import ModelCache


class RestorerLibrary:
    """Names to networks that restore."""

    def __init__(
        self, config: EngineConfig, device: torch.device, model_cache: ModelCache[Any]
    ) -> None:
        """Take the host's choices, and what holds the networks."""
        #: A host's own files, and those that the catalogue has an address of.
        self._folders = (
            Path(config.models_dir) / RESTORERS_DIR,
            Path(config.cache_dir) / RESTORERS_DIR,
        )
        self._is_non_commercial = config.non_commercial
        self._device = device
        self._model_cache = model_cache

    def list_restorers(self, *, finds_faces: bool) -> Iterator[ModelInfo]:
        """List the networks that can be run; those for faces where these are found."""
        for info in list_usable("restorers", self._paths_by_name().items(), self._inspect_file):
            if finds_faces or info.kind == COLOURISER_KIND:
                yield info

    def resolve_name(self, name: str, kind: str) -> str:
        """Find the network that is meant by its name, or by its architecture's.

        Raises:
            UnknownModel: there is none of that name and kind.
            UnsupportedWeights: its licence forbids what the host may do with it.
            MissingWeights: what runs it is not installed.
        """
        networks = [
            ModelInfo(name=key, kind=file_type.kind, size=0, about=file_type.architecture)
            for key in self._paths_by_name()
            if (file_type := self._identify(key))
        ]
        if key := find_restorer(name, networks, kind):
            self._check_usable(key, self._identify(key).architecture)
            return key
        names = [network.name for network in networks if network.kind == kind]
        code = "restore.unknown_face" if kind == FACE_RESTORER_KIND else "restore.unknown_colour"
        raise UnknownModel(code, name=name, why=suggest_names(name, names))

    def get_restorer(self, name: str) -> FaceRestorer | Colouriser:
        """Give a loaded network.

        Raises:
            ModelError: it is unknown or cannot be loaded.
        """
        loaded_network: FaceRestorer | Colouriser | None = self._model_cache.get((RESTORER, name))
        if loaded_network is not None:
            return loaded_network
        path, architecture = self._find_path(name), self._identify(name).architecture
        new_network: FaceRestorer | Colouriser = self._model_cache.load_model(
            (RESTORER, name),
            self.expected_bytes(name),
            lambda: load_restorer(path, architecture, self._device),
            lambda network: network.nbytes,
        )
        return new_network

    def face_side(self, name: str) -> int:
        """Tell the side in pixels of a network's faces, without loading it.

        Raises:
            ModelError: it is unknown or cannot be read.
        """
        entries = read_header(self._find_path(name)).entries
        shapes = {key: entry.shape for key, entry in entries.items()}
        return face_side(shapes, self._identify(name).architecture)

    def expected_bytes(self, name: str) -> int:
        """Guess the bytes of a network that is not loaded yet.

        Raises:
            ModelError: it is unknown or cannot be read.
        """
        return torch.float32.itemsize * count_weights([self._find_path(name)])

    def _paths_by_name(self) -> dict[str, Path]:
        names: dict[str, Path] = {}
        for folder in self._folders:
            for name, path in name_paths(find_models(folder, lambda _: False), folder).items():
                names.setdefault(name, path)
        return names

    def _find_path(self, name: str) -> Path:
        paths = self._paths_by_name()
        if name not in paths:
            raise UnknownModel("restore.unknown_face", name=name, why=suggest_names(name, paths))
        return paths[name]

    def _identify(self, name: str) -> FileType:
        return identify_file(self._find_path(name))

    def _check_usable(self, name: str, architecture: str) -> None:
        check_runnable(architecture, name)
        if architecture in NON_COMMERCIAL_ARCHITECTURES and not self._is_non_commercial:
            raise UnsupportedWeights("restore.non_commercial", name=name)

    def _inspect_file(self, name: str, path: Path) -> ModelInfo:
        """Read a network's header.

        Raises:
            ModelError: it cannot be read or run, or is something else.
        """
        file_type = identify_file(path)
        if file_type.kind not in (FACE_RESTORER_KIND, COLOURISER_KIND):
            raise UnsupportedWeights("weights.no_restorer", file=path.name, title=file_type.title)
        self._check_usable(name, file_type.architecture)
        return ModelInfo(name=name, kind=file_type.kind, size=0, about=file_type.architecture)
