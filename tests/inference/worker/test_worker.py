from __future__ import annotations

import dataclasses
import io
import json
import logging
from pathlib import Path

import pytest
from PIL import Image

from inference.api import wire
from inference.api.commands import CancelJob, ConfigureWorker, StopWorker, SubmitJob
from inference.api.config import EngineConfig
from inference.api.errors import DeviceLost
from inference.api.jobs import LoopbackJob
from inference.api.log_relay import JsonLineFormatter
from inference.api.messages import (
    JobCancelled,
    JobFailed,
    JobFinished,
    JobProgress,
    JobsWaiting,
    WorkerReady,
)
from inference.diffusion.model import DiffusionModel
from inference.worker.worker import EXIT_DEVICE_LOST
from tests.inference.worker.conftest import Desk, submission


@pytest.fixture
def ready(desk):
    assert isinstance(desk.hear(), WorkerReady)
    return desk


def test_a_worker_says_what_it_can_do(desk):
    ready = desk.hear()

    assert isinstance(ready, WorkerReady)
    assert (ready.device, ready.dtype) == ("cpu", "float32")
    assert "tiny" in {model.name for model in ready.models}


def test_a_job_becomes_a_picture_in_the_outbox(ready, photo, config):
    ready.tell(submission("a", photo))

    heard = [ready.hear(progress=True)]
    while isinstance(heard[-1], JobProgress):
        heard.append(ready.hear(progress=True))

    *steps, finished = heard
    assert [(one.step, one.steps) for one in steps] == [(0, 2), (1, 2), (2, 2)]
    assert 0 < steps[1].gpu_seconds < steps[2].gpu_seconds <= finished.gpu_seconds
    assert isinstance(finished, JobFinished)
    assert (finished.job_id, finished.attempt) == ("a", 2)
    (image,) = finished.images
    assert Path(config.outbox) == Path(image.path).parent
    with Image.open(image.path) as opened:
        assert (image.width, image.height) == opened.size
        assert image.infotext == opened.info["parameters"]
    assert image.seed == 5
    assert finished.seconds > 0


def test_jobs_at_once_all_come_to_their_end(ready, photo):
    for number in range(5):
        ready.tell(submission(f"job-{number}", photo, seed=number))

    ended = [ready.hear() for _ in range(5)]

    assert {f"job-{number}" for number in range(5)} == {event.job_id for event in ended}
    assert all(isinstance(event, JobFinished) for event in ended)


def test_members_share_a_worker_before_their_jobs_do(config, photo):
    desk = Desk(dataclasses.replace(config, max_batch=1))
    try:
        assert isinstance(desk.hear(), WorkerReady)
        desk.tell(submission("a1", photo, "ada", steps=150))
        for job_id, owner in (("a2", "ada"), ("a3", "ada"), ("b1", "ben")):
            desk.tell(submission(job_id, photo, owner))
        assert [desk.hear().job_id for _ in range(4)] == ["a1", "b1", "a2", "a3"]
    finally:
        desk.close()


def test_a_cancelled_job_is_dropped_and_the_next_one_runs(ready, photo):
    ready.tell(submission("long", photo, steps=150))
    assert isinstance(ready.hear(progress=True), JobProgress)

    ready.tell(CancelJob(job_id="long", attempt=2))
    ready.tell(submission("next", photo))

    assert ready.hear() == JobCancelled(job_id="long", attempt=2)
    assert ready.hear().job_id == "next"


def test_a_stopped_loopback_shows_the_loops_it_made(ready, photo):
    job = LoopbackJob(prompt="a red apple", steps=2, seed=5, loops=32)
    ready.tell(
        SubmitJob(
            job_id="loops",
            attempt=2,
            kind=job.kind,
            params=job.to_params(),
            inputs={"image": str(photo)},
        )
    )
    step = 0
    while step < 5:
        step = ready.hear(progress=True).step

    ready.tell(CancelJob(job_id="loops", attempt=2, keep=True))

    finished = ready.hear()
    assert isinstance(finished, JobFinished)
    assert [note for note in finished.notes if str(note).startswith("Stopped after ")]
    roles = [image.role for image in finished.images]
    assert roles[:2] == ["result", "sheet"]
    assert set(roles[2:]) == {"frame"}


def test_a_job_that_cannot_be_opened_for_whatever_reason_fails_alone(ready, photo, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("inference.api.jobs.decode_job", lambda kind, params: [][0])
        ready.tell(submission("odd", photo))
        failed = ready.hear()
    ready.tell(submission("next", photo))

    assert isinstance(failed, JobFailed)
    assert (failed.job_id, failed.error_kind) == ("odd", "engine")
    assert ready.hear().job_id == "next"


def test_jobs_that_wait_behind_others_are_told_as_waiting(ready, photo, monkeypatch):
    monkeypatch.setattr("inference.worker.worker.WAITING_WORD_SECONDS", 0.0)
    ready.tell(submission("long", photo, steps=20))
    ready.tell(submission("other", photo, steps=20))

    heard = []
    while len([event for event in heard if isinstance(event, JobFinished)]) < 2:
        heard.append(wire.read_message(ready.events))

    told = {job for event in heard if isinstance(event, JobsWaiting) for job in event.jobs}
    assert told == {("long", 2), ("other", 2)}
    last_word = max(number for number, event in enumerate(heard) if isinstance(event, JobsWaiting))
    assert all(not isinstance(event, JobProgress) for event in heard[last_word + 1 :])


def test_another_attempt_is_not_cancelled(ready, photo):
    ready.tell(submission("a", photo))
    ready.tell(CancelJob(job_id="a", attempt=1))
    ready.tell(CancelJob(job_id="unknown", attempt=2))

    assert isinstance(ready.hear(), JobFinished)


def change(submit, **fields):
    return dataclasses.replace(submit, **fields)


@pytest.mark.parametrize(
    ("fields", "fault", "words"),
    [
        ({"kind": "img2vid"}, "input", "There is no kind “img2vid”"),
        ({"params": {"denoise": 1}}, "input", "img2img has no option “denoise”"),
        ({"params": {"steps": 0}}, "input", "must lie between 1 and 150"),
        ({"inputs": {}}, "input", "needs the picture “image”"),
        ({"params": {"model": "unheard-of"}}, "model", "unheard-of"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(ready, photo, fields, fault, words):
    ready.tell(change(submission("a", photo), **fields))

    failed = ready.hear()

    assert isinstance(failed, JobFailed)
    assert ("a", 2, fault) == (failed.job_id, failed.attempt, failed.error_kind)
    assert words in str(failed.reason)


@pytest.mark.parametrize("content", [b"", b"no picture", b"GIF89a"])
def test_a_picture_that_cannot_be_read_fails_its_job_alone(ready, photo, tmp_path, content):
    broken = tmp_path / "broken.png"
    broken.write_bytes(content)
    ready.tell(submission("bad", broken))
    ready.tell(submission("gone", tmp_path / "gone.png"))
    ready.tell(submission("good", photo))

    ended = {event.job_id: event for event in (ready.hear() for _ in range(3))}

    for name in ("bad", "gone"):
        assert ended[name].error_kind == "input"
        assert "cannot be read any more: send it again" in str(ended[name].reason)
    assert isinstance(ended["good"], JobFinished)


def test_a_picture_that_breaks_off_is_refused(ready, photo):
    photo.write_bytes(photo.read_bytes()[:-30])
    ready.tell(submission("a", photo))

    assert ready.hear().error_kind == "input"


def test_a_command_that_makes_no_sense_now_is_passed_over(ready, photo):
    ready.tell(ConfigureWorker(config=EngineConfig()))
    ready.tell(submission("a", photo))

    assert isinstance(ready.hear(), JobFinished)


def test_a_drain_lets_the_jobs_in_hand_end(ready, photo):
    ready.tell(submission("a", photo))
    ready.tell(submission("b", photo))
    ready.tell(StopWorker(drain=True))

    ended = [ready.hear(), ready.hear()]
    ready.thread.join()

    assert sorted(event.job_id for event in ended) == ["a", "b"]
    assert ready.code == 0


def test_a_stop_ends_in_the_middle_of_a_job(ready, photo):
    ready.tell(submission("a", photo, steps=150))
    assert isinstance(ready.hear(progress=True), JobProgress)
    ready.tell(StopWorker())

    ready.thread.join()

    assert ready.code == 0


def test_the_end_of_the_pipe_is_the_end_of_the_work(ready, photo):
    ready.tell(submission("a", photo, steps=150))
    assert isinstance(ready.hear(progress=True), JobProgress)
    ready.commands.close()

    ready.thread.join()

    assert ready.code == 0


def test_noise_on_the_pipe_is_the_end_of_the_work(ready):
    ready.commands.write(b"what is this?")
    ready.commands.flush()

    ready.thread.join()

    assert ready.code == 0


def test_a_result_that_cannot_be_saved_fails_its_job_with_words(ready, photo, config):
    outbox = Path(config.outbox)
    outbox.rmdir()
    ready.tell(submission("a", photo))

    failed = ready.hear()

    assert isinstance(failed, JobFailed)
    assert failed.error_kind == "engine"
    outbox.mkdir()


def test_what_a_worker_logs_names_the_job_at_work(ready, photo, config, monkeypatch):
    def broken(*_):
        log.warning("within a step")
        raise RuntimeError("no kernel")

    log = logging.getLogger("inference.test")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLineFormatter())
    logging.getLogger().addHandler(handler)
    try:
        Path(config.outbox).rmdir()
        ready.tell(submission("a", photo))
        assert isinstance(ready.hear(), JobFailed)
        Path(config.outbox).mkdir()
        monkeypatch.setattr(DiffusionModel, "denoise", broken)
        ready.tell(submission("b", photo))
        assert isinstance(ready.hear(), JobFailed)
    finally:
        logging.getLogger().removeHandler(handler)

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    told = {(line["event"], line.get("job"), line.get("attempt")) for line in lines}
    assert {
        ("Job a: its pictures could not be saved.", "a", 2),
        ("within a step", "b", 2),
        ("Job b failed.", "b", 2),
    } <= told


def test_a_lost_device_ends_the_worker_with_its_own_code(ready, photo, monkeypatch):
    def lost():
        raise DeviceLost

    monkeypatch.setattr(ready.worker._engine, "step", lost)
    ready.tell(submission("a", photo))

    ready.thread.join()

    assert ready.code == EXIT_DEVICE_LOST


def test_a_model_that_cannot_be_loaded_fails_its_jobs_and_no_others(
    config, tiny_model, photo, tmp_path
):
    shelf = tmp_path / "models"
    shelf.mkdir()
    (shelf / "tiny").symlink_to(tiny_model / "tiny")
    (shelf / "broken.safetensors").write_bytes(b"\xff" * 64)
    desk = Desk(dataclasses.replace(config, models_dir=str(shelf)))
    try:
        assert isinstance(desk.hear(), WorkerReady)
        desk.tell(submission("bad", photo, model="broken"))
        desk.tell(submission("good", photo))
        ended = {event.job_id: event for event in (desk.hear(), desk.hear())}
    finally:
        desk.close()

    assert ended["bad"].error_kind == "model"
    assert "broken" in str(ended["bad"].reason)
    assert isinstance(ended["good"], JobFinished)
