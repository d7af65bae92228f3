"""Tells the bot what is loaded and what can be run, whenever that is not what it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from inference.api.messages import Event, ModelInfo, ModelsChanged, ResidentModels
from inference.model_files.files import DIFFUSION
from inference.model_library import ModelLibrary


class ModelReporter:
    """Compares a library with what was told of it."""

    def __init__(
        self,
        library: ModelLibrary,
        models: Iterable[ModelInfo],
        send_event: Callable[[Event], None],
    ) -> None:
        """Take the models that were told with `WorkerReady`."""
        self._library = library
        self._models = tuple(models)
        self._send_event = send_event
        self._resident: frozenset[str] = frozenset()

    def report_changes(self) -> None:
        """Tell what changed; cheap where nothing did."""
        resident = frozenset(self._library.resident_checkpoints())
        if resident == self._resident:
            return
        self._resident = resident
        aliases = (self._library.checkpoint_aliases(name) for name in resident)
        self._send_event(ResidentModels(names=tuple(sorted(set().union(*aliases)))))
        listed_names = {model.name for model in self._models if model.kind == DIFFUSION}
        if not resident <= listed_names:  # a file that came after the start
            self._change_models(self._library.list_models())
        self.report_digests()

    def report_digests(self) -> None:
        """Tell hashes that are known by now, of what is loaded."""
        digests = {name: self._library.known_digest(name) for name in self._resident}
        self._change_models(
            tuple(
                replace(model, digest=digests[model.name])
                if model.kind == DIFFUSION and digests.get(model.name, model.digest) != model.digest
                else model
                for model in self._models
            )
        )

    def _change_models(self, models: tuple[ModelInfo, ...]) -> None:
        if models != self._models:
            self._models = models
            self._send_event(ModelsChanged(models=models))
