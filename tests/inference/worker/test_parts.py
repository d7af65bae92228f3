from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from inference.api.commands import FinishedPart, SubmitJob
from inference.api.jobs import LoopbackJob
from inference.api.messages import JobFinished, JobProgress, PartFinished, WorkerReady

JOB = LoopbackJob(prompt="a red apple", steps=2, seed=5, loops=4)


@pytest.fixture
def ready(desk):
    assert isinstance(desk.hear(), WorkerReady)
    return desk


def submit(photo, *parts, attempt=1):
    return SubmitJob(
        job_id="a",
        attempt=attempt,
        kind=JOB.kind,
        params=JOB.to_params(),
        inputs={"image": str(photo)},
        parts=parts,
    )


def hear_all(desk):
    """Hear a job to its end: steps told of, parts, and what it came to."""
    steps, parts = [], []
    while True:
        match desk.hear(progress=True, parts=True):
            case JobProgress(step=step):
                steps.append(step)
            case PartFinished() as part:
                parts.append(part)
            case JobFinished() as finished:
                return steps, parts, finished


def digests(finished):
    return [hashlib.sha256(Path(made.path).read_bytes()).hexdigest() for made in finished.images]


def test_a_later_attempt_goes_on_where_the_parts_end(ready, photo):
    ready.tell(submit(photo))
    _, parts, whole = hear_all(ready)
    assert [part.part for part in parts] == [0, 1, 2, 3]

    known = [
        FinishedPart(number=part.part, mark=part.mark, path=part.image.path) for part in parts[:3]
    ]
    ready.tell(submit(photo, *known, attempt=2))
    steps, rest, again = hear_all(ready)

    assert min(steps) == 6
    assert [part.part for part in rest] == [3]
    assert digests(whole) == digests(again)


def test_a_part_that_cannot_be_read_is_done_again(ready, photo, tmp_path):
    ready.tell(submit(photo))
    _, parts, whole = hear_all(ready)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")

    known = FinishedPart(number=0, mark=parts[0].mark, path=str(broken))
    ready.tell(submit(photo, known, attempt=2))
    _, rest, again = hear_all(ready)

    assert [part.part for part in rest] == [0, 1, 2, 3]
    assert digests(whole) == digests(again)
