"""What workers told of their checkpoints; it is remembered while none of them is up."""

from __future__ import annotations

from inference.api.jobs.model_defaults import ModelDefault
from inference.api.jobs.price import DEFAULT_NATIVE_SIDE
from inference.api.jobs.sizes import LATENT_CELL_PIXELS
from inference.api.messages import INSTRUCT_ROLE, ModelInfo
from inference.api.workers import WorkerPool

CHECKPOINT_KIND, CAPTIONER_KIND = "diffusion", "captioner"
WEIGHTS_SUFFIX = ".safetensors"


class KnownCheckpoints:
    """Finds what a job's checkpoint is like by the name that the job gives it, or by none."""

    def __init__(self, service: WorkerPool, default_name: str = "") -> None:
        """Take who is asked, and the name of the host's own checkpoint; the first unless named."""
        self._service, self._default_name = service, default_name
        self._infos: dict[str, ModelInfo] = {}

    def find_info(self, name: str) -> ModelInfo | None:
        """Return what was told of a checkpoint; an empty name is the host's own."""
        for worker in self._service.worker_statuses:
            self._infos |= {m.name: m for m in worker.models if m.kind == CHECKPOINT_KIND}
        first_name = next(iter(self._infos), "")
        known_name = name or (
            self._default_name if self._default_name in self._infos else first_name
        )
        if known_name in self._infos:
            return self._infos[known_name]
        plain_name = _plain_name(known_name)
        return next((i for n, i in self._infos.items() if _plain_name(n) == plain_name), None)

    def native_side(self, name: str) -> int:
        """Return the side of a checkpoint's own pictures in pixels, of an unknown one the usual."""
        info = self.find_info(name) or self.find_info("")
        return info.size if info is not None and info.size > 0 else DEFAULT_NATIVE_SIDE

    def size_multiple(self, name: str) -> int:
        """Return what sides of a checkpoint's pictures are multiples of, in pixels."""
        info = self.find_info(name)
        return LATENT_CELL_PIXELS if info is None else info.multiple

    def is_instructed(self, name: str) -> bool:
        """Whether a checkpoint edits by instructions."""
        info = self.find_info(name)
        return info is not None and info.role == INSTRUCT_ROLE

    def can_caption(self) -> bool:
        """Whether some worker describes pictures."""
        return any(
            model.kind == CAPTIONER_KIND
            for worker in self._service.worker_statuses
            for model in worker.models
        )

    def model_defaults(self, name: str) -> tuple[ModelDefault, ...]:
        """Return what a checkpoint's jobs take where nobody says it."""
        info = self.find_info(name)
        return () if info is None else info.defaults


def _plain_name(name: str) -> str:
    """Leave out what people write with a name: folders, the file's ending, capitals."""
    return (
        name.strip().replace("\\", "/").rpartition("/")[2].casefold().removesuffix(WEIGHTS_SUFFIX)
    )
