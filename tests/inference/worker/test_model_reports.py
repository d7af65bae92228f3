"""What a worker says of its models: a real one, with two checkpoints under a budget for one."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from inference.api.messages import JobFinished, ModelsChanged, ResidentModels, WorkerReady
from tests.inference.worker.conftest import Desk, submission


@pytest.fixture
def desk(config):
    desk = Desk(replace(config, weights_budget=1))
    try:
        yield desk
    finally:
        desk.close()


def hear_until_finished(desk: Desk) -> list[object]:
    """Return what is said of models until a job is done, and what follows at once."""
    heard = []
    while not heard or not isinstance(heard[-1], JobFinished):
        heard.append(desk.hear(models=True))
    return heard


def test_what_is_loaded_is_told_when_it_changes(desk, photo):
    assert isinstance(desk.hear(models=True), WorkerReady)
    # The host's own goes by an empty name, too.
    assert desk.hear(models=True) == ResidentModels(names=("", "tiny"))

    desk.tell(submission("a", photo))
    said = hear_until_finished(desk)
    assert not [event for event in said if isinstance(event, ResidentModels)]

    desk.tell(submission("b", photo, model="tiny-inpaint"))
    said += hear_until_finished(desk)
    residents = [event for event in said if isinstance(event, ResidentModels)]
    assert residents == [ResidentModels(names=("tiny-inpaint",))]


def test_a_hash_that_is_known_by_now_is_told(desk, photo):
    ready = desk.hear(models=True)
    assert {model.digest for model in ready.models if model.name == "tiny-inpaint"} == {""}

    desk.tell(submission("a", photo, model="tiny-inpaint"))
    desk.tell(submission("b", photo, model="tiny-inpaint"))
    said = [*hear_until_finished(desk), *hear_until_finished(desk)]
    (changed,) = [event for event in said if isinstance(event, ModelsChanged)]
    (digest,) = {model.digest for model in changed.models if model.name == "tiny-inpaint"}
    assert len(digest) == 10


def test_a_checkpoint_that_came_meanwhile_is_told_with_its_first_job(
    config, photo, tiny_model, tmp_path
):
    models = tmp_path / "models"
    shutil.copytree(tiny_model / "tiny", models / "tiny")
    desk = Desk(replace(config, models_dir=str(models)))
    try:
        assert isinstance(desk.hear(models=True), WorkerReady)
        shutil.copytree(tiny_model / "tiny", models / "checkpoints" / "deep" / "late")
        desk.tell(submission("a", photo, model="late"))
        said = hear_until_finished(desk)
        changed = [event for event in said if isinstance(event, ModelsChanged)]
        assert "late" in {model.name for model in changed[0].models}
        residents = [event for event in said if isinstance(event, ResidentModels)]
        assert set(residents[-1].names) == {"", "tiny", "late", "deep/late"}
    finally:
        desk.close()
