from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from inference.api import wire
from inference.api.commands import SubmitJob
from inference.api.config import EngineConfig
from inference.api.jobs import Img2ImgJob
from inference.api.messages import (
    JobProgress,
    JobsWaiting,
    ModelsChanged,
    PartFinished,
    ResidentModels,
)
from inference.worker.stdio import EventSender
from inference.worker.worker import Worker


class Desk:
    """A worker in a thread of this process, and both ends of its pipes."""

    def __init__(self, config: EngineConfig) -> None:
        self.inlet, commands = (os.fdopen(end, mode) for end, mode in _pipe())
        self.commands = commands
        self.events, self._outlet = (os.fdopen(end, mode) for end, mode in _pipe())
        self.worker = Worker.open(config, EventSender(self._outlet))
        self.code: int | None = None
        self.thread = threading.Thread(target=self._work, name="worker")
        self.thread.start()

    def _work(self) -> None:
        self.code = self.worker.process_commands(self.inlet)

    def tell(self, command: wire.Message) -> None:
        wire.write_message(self.commands, command)

    def hear(
        self, *, progress: bool = False, parts: bool = False, models: bool = False
    ) -> wire.Message:
        """Read the next event; progress, finished parts and models only when asked for."""
        while True:
            event = wire.read_message(self.events)
            assert event is not None
            if isinstance(event, JobsWaiting) or (isinstance(event, JobProgress) and not progress):
                continue
            if isinstance(event, PartFinished) and not parts:
                continue
            if isinstance(event, ResidentModels | ModelsChanged) and not models:
                continue
            return event

    def close(self) -> None:
        if not self.commands.closed:
            self.commands.close()
        self.thread.join()
        self._outlet.close()
        self.events.close()
        self.inlet.close()


def _pipe() -> tuple[tuple[int, str], tuple[int, str]]:
    read, write = os.pipe()
    return (read, "rb"), (write, "wb")


@pytest.fixture
def config(tiny_model, tmp_path) -> EngineConfig:
    return EngineConfig(
        model="tiny",
        models_dir=str(tiny_model),
        cache_dir=str(tmp_path / "cache"),
        outbox=str(tmp_path / "outbox"),
        device="cpu",
        dtype="float32",
    )


@pytest.fixture
def desk(config) -> Iterator[Desk]:
    """Give a worker that has said Ready, which is yet to be heard."""
    desk = Desk(config)
    try:
        yield desk
    finally:
        desk.close()


@pytest.fixture
def photo(tmp_path) -> Path:
    path = tmp_path / "photo.png"
    Image.new("RGB", (64, 64), "red").save(path)
    return path


def submission(job_id: str, image: Path | None, owner: str = "", **options: object) -> SubmitJob:
    job = Img2ImgJob(**{"prompt": "a red apple", "steps": 2, "seed": 5} | options)
    return SubmitJob(
        job_id=job_id,
        attempt=2,
        kind=job.kind,
        params=job.to_params(),
        owner=owner,
        inputs={} if image is None else {"image": str(image)},
    )
