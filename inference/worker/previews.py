"""Looks at unfinished pictures: small JPEG files, made beside the steps and named in progress."""

from __future__ import annotations

import io
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

from inference.engine.task import Run
from inference.engine.work import Paint, Painted
from inference.models.diffusion import to_picture

log = logging.getLogger(__name__)

#: Of the whole preview, in pixels: what a phone shows of a card.
SIDE = 320
#: Of one file; few are half as large.
MAX_BYTES = 16 * 1024
QUALITIES = (80, 60, 40, 20)
#: Pictures of a batch that are shown.
MOST = 4
#: Between two previews of one job, in seconds: nobody's card changes more often.
PAUSE = 2.0

#: A checkpoint's name and latents [B, C, h, w] → [B, 3, H, W] in −1..1 on the CPU, if it can tell.
Show = Callable[[str, Tensor], Tensor | None]
Key = tuple[str, int]


@dataclass(eq=False)
class _Look:
    """What is kept of one attempt's previews."""

    path: Path
    #: Progress at which the next one is due.
    due: int
    begun: float = -math.inf
    writing: Future[bool] | None = None


class Previews:
    """Makes previews; whatever goes wrong with one, its job does not notice."""

    def __init__(self, show: Show, folder: Path, every: int, pause: float = PAUSE) -> None:
        """Take who shows latents, where files go, and the steps between two (0 makes none)."""
        folder.mkdir(parents=True, exist_ok=True)
        self._show, self._folder, self._every, self._pause = show, folder, every, pause
        self._looks: dict[Key, _Look] = {}
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="previews")

    def step(self, run: Run) -> str | None:
        """Begin a preview if one is due; name the one that got ready since the last step.

        The file stays the worker's: it may be replaced or gone a moment later.
        """
        if not self._every:
            return None
        key = (run.job_id, run.attempt)
        every = self._every * max(1, len(run.tasks))  # a step of each picture of a batch
        if key not in self._looks:
            self._looks[key] = _Look(self._path(key), due=every)
        look = self._looks[key]
        if look.writing is not None:
            if not look.writing.done():
                return None
            ready, look.writing = look.writing.result(), None
            return str(look.path) if ready else None
        if run.step >= look.due and time.monotonic() - look.begun >= self._pause:
            look.due, look.begun = run.step + every, time.monotonic()
            self._begin(run, look)
        return None

    def forget(self, key: Key) -> None:
        """Remove what an attempt left, once its last file is written."""
        look = self._looks.pop(key, None)
        if look is not None:
            self._pool.submit(look.path.unlink, missing_ok=True)

    def close(self) -> None:
        """Wait until nothing is written any more."""
        for key in list(self._looks):
            self.forget(key)
        self._pool.shutdown(wait=True)

    def _path(self, key: Key) -> Path:
        return self._folder.resolve() / f"tmp-preview-{key[0]}-{key[1]}.jpg"

    def _begin(self, run: Run, look: _Look) -> None:
        """Take from the device what is to be seen, and leave the rest to a thread."""
        try:
            pictures = self._pictures(run)
        except Exception:
            log.warning("A preview of %s failed.", run.job_id, exc_info=True)
            return
        if pictures:
            look.writing = self._pool.submit(copy_context().run, _write, pictures, look.path)

    def _pictures(self, run: Run) -> list[Tensor | Image.Image]:
        """Give the first pictures of a run, as far as there is something to see."""
        seen: list[Tensor | Image.Image] = []
        for task in run.tasks:
            if len(seen) == MOST:
                break
            if isinstance(task.result, Painted) and task.result.picture is not None:
                seen.append(task.result.picture)
            elif isinstance(task.work, Paint) and task.row is not None:
                clean = task.row.clean
                shown = None if clean is None else self._show(task.work.model, clean[None])
                if shown is not None:
                    seen.append(shown[0])
        return seen


def _write(pictures: list[Tensor | Image.Image], path: Path) -> bool:
    """Write a preview in one piece; say whether there is one."""
    try:
        shown = [_opened(picture) for picture in pictures]
        data = encode(sheet(shown))
        fresh = path.with_suffix(".new")
        fresh.write_bytes(data)
        fresh.replace(path)
    except Exception:
        log.warning("The preview %s could not be written.", path.name, exc_info=True)
        return False
    return True


def _opened(picture: Tensor | Image.Image) -> Image.Image:
    if isinstance(picture, Image.Image):
        return picture.convert("RGB")
    return to_picture(picture)


def sheet(pictures: list[Image.Image]) -> Image.Image:
    """Lay pictures of one shape side by side, `SIDE` pixels along the longer side of it all."""
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    width, height = pictures[0].size
    scale = SIDE / max(width * columns, height * rows)
    cell = (max(1, round(width * scale)), max(1, round(height * scale)))
    canvas = Image.new("RGB", (cell[0] * columns, cell[1] * rows))
    for number, picture in enumerate(pictures):
        place = (number % columns * cell[0], number // columns * cell[1])
        canvas.paste(picture.resize(cell, Image.Resampling.BICUBIC), place)
    return canvas


def encode(picture: Image.Image) -> bytes:
    """Encode a picture as JPEG of at most `MAX_BYTES` bytes, smaller where it must be."""
    while True:
        for quality in QUALITIES:
            out = io.BytesIO()
            picture.save(out, "JPEG", quality=quality, optimize=True)
            if out.tell() <= MAX_BYTES:
                return out.getvalue()
        picture = picture.resize((max(1, picture.width // 2), max(1, picture.height // 2)))
