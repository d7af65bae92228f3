"""The ControlNets of one worker: named, found and loaded when asked for."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import torch

from inference.api.did_you_mean import suggest_names
from inference.api.errors import JobError
from inference.api.jobs.control import CONTROL_KIND
from inference.api.messages import ModelInfo
from inference.diffusion.control.kinds import find_kind, union_kind
from inference.diffusion.control.network import ControlNetwork
from inference.diffusion.control.reading import ControlPlan, load_network, plan_network
from inference.diffusion.model import DiffusionModel, LatentModel
from inference.diffusion.offload import CPU_DEVICE, OffloadedModule
from inference.model_files.errors import UnknownModel
from inference.model_files.files import (
    CONTROL,
    CONTROLS_DIR,
    DIFFUSION,
    find_models,
    is_file,
    name_paths,
)
from inference.model_files.header import count_weights
from inference.model_files.inspection import list_usable
from inference.model_files.pipeline_folder import CONFIG_FILE
from inference.runtime.model_cache import ModelCache
from inference.runtime.precision import PartFormats


class ControlLibrary:
    """Names to ControlNets."""

    def __init__(
        self,
        models_dir: Path,
        configs: Path,
        device: torch.device,
        dtype: torch.dtype,
        model_cache: ModelCache[Any],
        *,
        is_sparing: bool = False,
    ) -> None:
        """Take where they lie, how they are to run, and what holds them.

        `is_sparing` keeps their weights in the machine's memory between calls.
        """
        self._folder, self._configs = models_dir / CONTROLS_DIR, configs
        self._device, self._dtype = device, PartFormats.of_device(dtype, device).network
        self._model_cache = model_cache
        self._is_sparing = is_sparing and device.type != "cpu"

    def list_networks(self) -> Iterator[ModelInfo]:
        """List the networks that can be run: `about` is the kind of map, or a union's kinds."""
        yield from list_usable("ControlNets", self._paths_by_name().items(), self._inspect)

    def get_network(self, name: str, partner: Hashable = None) -> ControlNetwork:
        """Give a loaded network; the weights named by `partner` do not leave for it.

        Raises:
            ModelError: it is unknown or cannot be loaded.
        """
        key = (CONTROL, name)
        loaded_network: ControlNetwork | None = self._model_cache.get(key)
        if loaded_network is not None:
            return loaded_network
        path, plan = self._plan(name)
        network: ControlNetwork = self._model_cache.load_model(
            key,
            self._dtype.itemsize * count_weights(plan.files),
            lambda: self._load(name, path, plan),
            lambda made: made.count_bytes(),
            partner=partner,
        )
        return network

    def check_usable(self, name: str, kind: str, model: LatentModel) -> None:
        """See that a network can hold a checkpoint's pictures to a kind of map.

        Raises:
            JobError: it cannot.
            ModelError: it is unknown or cannot be loaded.
        """
        if not isinstance(model, DiffusionModel):
            raise JobError("control", "control.no_checkpoint", model=model.name)
        network = self.get_network(name, (DIFFUSION, model.name))
        if not network.fits_unet(model.unet):
            raise JobError("control", "control.other_family", name=name, model=model.name)
        if network.union_kinds and union_kind(kind, network.union_kinds) is None:
            kinds = ", ".join(network.union_kinds)
            raise JobError("control_kind", "control.union_kind", name=name, kinds=kinds)

    def _inspect(self, name: str, path: Path) -> ModelInfo:
        plan = plan_network(path, self._configs)
        kinds_text = ", ".join(plan.union_kinds) or find_kind(path, name)
        return ModelInfo(name=name, kind=CONTROL_KIND, size=0, about=kinds_text, family=plan.family)

    def _load(self, name: str, path: Path, plan: ControlPlan) -> ControlNetwork:
        place = CPU_DEVICE if self._is_sparing else self._device
        module = load_network(plan, path, place, self._dtype)
        offload = OffloadedModule(module, self._device, CPU_DEVICE) if self._is_sparing else None
        return ControlNetwork(name, module, plan.union_kinds, offload)

    def _plan(self, name: str) -> tuple[Path, ControlPlan]:
        paths = self._paths_by_name()
        if name not in paths:
            raise UnknownModel("control.unknown", name=name, why=suggest_names(name, paths))
        return paths[name], plan_network(paths[name], self._configs)

    def _paths_by_name(self) -> dict[str, Path]:
        models = find_models(self._folder, lambda path: is_file(path / CONFIG_FILE))
        return name_paths(models, self._folder)
