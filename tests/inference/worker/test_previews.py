from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from inference.api.messages import JobFinished, JobProgress, WorkerReady
from inference.engine.task import JobRun
from inference.engine.work import DenoiseResult, DenoiseWork, WorkRequest
from inference.operations.shared.preview_file import MAX_PREVIEW_BYTES, PREVIEW_SIDE_PIXELS
from inference.worker import previews
from inference.worker.previews import PreviewWriter
from tests.inference.worker.conftest import Desk, submission


class Row:
    """What a preview looks at of a row."""

    def __init__(self, clean: torch.Tensor | None) -> None:
        self.clean = clean


def make_run(count: int = 1) -> JobRun:
    run = JobRun("job", 1, iter(()))
    work = DenoiseWork(
        model="tiny",
        width=64,
        height=64,
        prompt="",
        negative_prompt="",
        steps=20,
        guidance=1,
        sampler="Euler",
        schedule="Automatic",
        seed=1,
    )
    for task in run.create_tasks(WorkRequest(works=(work,) * count)):
        task.row = Row(torch.zeros(4, 8, 8))
    return run


def advance(run: JobRun, steps: int) -> JobRun:
    for task in run.tasks:
        task.units += steps
    return run


def grey(_model: str, latents: torch.Tensor) -> torch.Tensor:
    return torch.zeros(len(latents), 3, 8, 8)


@pytest.fixture
def make(tmp_path):
    made: list[PreviewWriter] = []

    def make_previews(show=grey, every: int = 5, pause: float = 0.0) -> PreviewWriter:
        made.append(PreviewWriter(show, tmp_path / "outbox", every, pause))
        return made[-1]

    yield make_previews
    for one in made:
        one.finish_writing()


def ready(made: PreviewWriter, run: JobRun) -> str | None:
    """Take a step after everything that was begun is written."""
    look = made._looks[run.job_id, run.attempt]
    if look.pending_write is not None:
        look.pending_write.result()
    return made.update_preview(run)


def test_every_few_steps_a_small_jpeg_lies_in_the_outbox(make, tmp_path):
    made, run = make(every=5), make_run()
    told = []
    for _ in range(20):
        told.append(made.update_preview(advance(run, 1)) or ready(made, run))

    paths = [path for path in told if path]
    assert len(paths) == 4
    path = Path(paths[0])
    assert tmp_path / "outbox" == path.parent
    with Image.open(path) as image:
        assert (image.format, image.size) == ("JPEG", (PREVIEW_SIDE_PIXELS, PREVIEW_SIDE_PIXELS))
    assert path.stat().st_size <= MAX_PREVIEW_BYTES


def test_none_are_made_where_the_host_wants_none(make):
    made, run = make(every=0), make_run()

    assert [made.update_preview(advance(run, 1)) for _ in range(20)] == [None] * 20


def test_nobody_waits_for_a_preview_that_is_being_written(make, monkeypatch):
    made, run = make(every=1), make_run()
    made.update_preview(advance(run, 1))
    made._looks["job", 1].pending_write = unfinished = previews.Future()

    assert made.update_preview(advance(run, 1)) is None

    unfinished.set_result(True)
    assert made.update_preview(advance(run, 1)) is not None


def test_a_pause_lies_between_two(make):
    made, run = make(every=1, pause=3600.0), make_run()

    made.update_preview(advance(run, 1))
    told = [ready(made, advance(run, 1)) for _ in range(10)]

    assert sum(path is not None for path in told) == 1


@pytest.mark.parametrize("every", [1, 5])
def test_what_goes_wrong_is_nobodys_trouble(make, every):
    def broken(_model: str, _latents: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("out of memory")

    made, run = make(show=broken, every=every), make_run()

    assert [made.update_preview(advance(run, 1)) for _ in range(12)] == [None] * 12


def test_an_outbox_that_is_gone_is_nobodys_trouble(make, tmp_path):
    made, run = make(every=1), make_run()
    (tmp_path / "outbox").rmdir()
    made.update_preview(advance(run, 1))

    assert ready(made, run) is None


def test_numbers_that_are_no_picture_are_still_shown(make):
    made, run = make(show=lambda *_: torch.full((1, 3, 8, 8), torch.nan), every=1), make_run()
    made.update_preview(advance(run, 1))

    assert ready(made, run) is not None


def test_rows_that_did_not_begin_are_left_out(make):
    made, run = make(every=1), make_run(3)
    run.tasks[0].row = None
    run.tasks[1].row.clean = None
    run.tasks[2].set_result(DenoiseResult(image=Image.new("RGB", (64, 32)), latent=torch.zeros(1)))
    made.update_preview(run)
    path = ready(made, run)

    with Image.open(path) as image:
        assert image.size == (PREVIEW_SIDE_PIXELS, PREVIEW_SIDE_PIXELS // 2)


def test_the_file_goes_with_its_job(make):
    made, run = make(every=1), make_run()
    made.update_preview(advance(run, 1))
    path = Path(ready(made, run))
    assert path.exists()
    made.remove_preview(("job", 1))
    made.finish_writing()

    assert not list(path.parent.iterdir())


def test_a_worker_tells_of_its_previews(config, photo, monkeypatch):
    monkeypatch.setattr(previews.PreviewWriter.__init__, "__defaults__", (0.0,))
    desk = Desk(config)
    try:
        assert isinstance(desk.hear(), WorkerReady)
        desk.tell(submission("a", photo, steps=60))
        heard = [desk.hear(progress=True)]
        while isinstance(heard[-1], JobProgress):
            heard.append(desk.hear(progress=True))
    finally:
        desk.close()

    assert isinstance(heard[-1], JobFinished)
    assert any(event.preview for event in heard[:-1])
    assert not list(Path(config.outbox).glob("tmp-preview*"))
