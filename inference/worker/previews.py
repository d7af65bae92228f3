"""Looks at unfinished pictures: small JPEG files, made beside the steps and named in progress."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from torch import Tensor

from inference.engine.task import JobRun
from inference.engine.work import DenoiseResult, DenoiseWork
from inference.operations.shared.preview_file import encode_preview

log = logging.getLogger(__name__)

#: Pictures of a batch that are shown.
MAX_PREVIEW_IMAGES = 4
#: Between two previews of one job, in seconds: nobody's card changes more often.
PREVIEW_INTERVAL_SECONDS = 2.0

#: A checkpoint's name and latents [B, C, h, w] → [B, 3, H, W] in −1..1 on the CPU, if it can tell.
PreviewDecoder = Callable[[str, Tensor], Tensor | None]
AttemptKey = tuple[str, int]


@dataclass(eq=False)
class _PreviewState:
    """What is kept of one attempt's previews."""

    path: Path
    #: Progress at which the next one is due.
    due_step: int
    started_at: float = -math.inf
    pending_write: Future[bool] | None = None


class PreviewWriter:
    """Makes previews; whatever goes wrong with one, its job does not notice."""

    def __init__(
        self,
        decode_latents: PreviewDecoder,
        folder: Path,
        every_steps: int,
        interval_seconds: float = PREVIEW_INTERVAL_SECONDS,
    ) -> None:
        """Take who shows latents, where files go, and the steps between two (0 makes none)."""
        folder.mkdir(parents=True, exist_ok=True)
        self._show, self._folder, self._step_interval, self._pause = (
            decode_latents,
            folder,
            every_steps,
            interval_seconds,
        )
        self._looks: dict[AttemptKey, _PreviewState] = {}
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="previews")

    def update_preview(self, run: JobRun) -> str | None:
        """Begin a preview if one is due; name the one that got ready since the last step.

        The file stays the worker's: it may be replaced or gone a moment later.
        """
        if not self._step_interval:
            return None
        key = (run.job_id, run.attempt)
        step_interval = self._step_interval * max(
            1, len(run.tasks)
        )  # a step of each picture of a batch
        if key not in self._looks:
            self._looks[key] = _PreviewState(self._preview_path(key), due_step=step_interval)
        state = self._looks[key]
        if state.pending_write is not None:
            if not state.pending_write.done():
                return None
            is_written, state.pending_write = state.pending_write.result(), None
            return str(state.path) if is_written else None
        if run.steps_done >= state.due_step and time.monotonic() - state.started_at >= self._pause:
            state.due_step, state.started_at = run.steps_done + step_interval, time.monotonic()
            self._start_preview(run, state)
        return None

    def remove_preview(self, key: AttemptKey) -> None:
        """Remove what an attempt left, once its last file is written."""
        state = self._looks.pop(key, None)
        if state is not None:
            self._pool.submit(state.path.unlink, missing_ok=True)

    def finish_writing(self) -> None:
        """Wait until nothing is written any more."""
        for key in list(self._looks):
            self.remove_preview(key)
        self._pool.shutdown(wait=True)

    def _preview_path(self, key: AttemptKey) -> Path:
        return self._folder.resolve() / f"tmp-preview-{key[0]}-{key[1]}.jpg"

    def _start_preview(self, run: JobRun, state: _PreviewState) -> None:
        """Take from the device what is to be seen, and leave the rest to a thread."""
        try:
            images = self._visible_images(run)
        except Exception:
            log.warning("A preview of %s failed.", run.job_id, exc_info=True)
            return
        if images:
            state.pending_write = self._pool.submit(
                copy_context().run, _write_preview, images, state.path
            )

    def _visible_images(self, run: JobRun) -> list[Tensor | Image.Image]:
        """Give the first pictures of a run, as far as there is something to see."""
        visible_images: list[Tensor | Image.Image] = []
        for task in run.tasks:
            if len(visible_images) == MAX_PREVIEW_IMAGES:
                break
            if isinstance(task.result, DenoiseResult) and task.result.image is not None:
                visible_images.append(task.result.image)
            elif isinstance(task.work, DenoiseWork) and task.row is not None:
                clean = task.row.clean
                decoded_images = None if clean is None else self._show(task.checkpoint, clean[None])
                if decoded_images is not None:
                    visible_images.append(decoded_images[0])
        return visible_images


def _write_preview(images: list[Tensor | Image.Image], path: Path) -> bool:
    """Write a preview in one piece; say whether there is one."""
    try:
        data = encode_preview(images)
        fresh = path.with_suffix(".new")
        fresh.write_bytes(data)
        fresh.replace(path)
    except Exception:
        log.warning("The preview %s could not be written.", path.name, exc_info=True)
        return False
    return True
