"""Whatever a job came to can be told, or its end says why not."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from inference.api import wire
from inference.api.commands import DisplayLimits
from inference.api.messages import JobFailed, JobFinished, JobsWaiting
from inference.api.notices import Notice
from inference.engine.task import JobRun
from inference.engine.work import JobResult, OutputImage
from inference.worker import result_writer as module
from inference.worker.result_writer import ResultWriter, find_display_limit
from inference.worker.stdio import EventSender
from tests.doubles.images import noise

PIXEL = Image.new("RGB", (1, 1))
#: Letters that JSON escapes, or that UTF-8 spends the most bytes on, or none at all.
LETTERS = ("a", '"', "\\", "\x01", "é", "美", "🎉", "\ud83d")


def tell(folder, result, limits=DisplayLimits()):  # noqa: B008 - frozen
    """Write a result; read what the bot reads."""
    stream = io.BytesIO()
    writer = ResultWriter(folder, EventSender(stream).send_event)
    writer.write_result(JobRun("a", 1, iter(())), result, 1.0, limits)
    writer.finish_writing()
    stream.seek(0)
    events = list(iter(lambda: wire.read_message(stream), None))
    (event,) = [event for event in events if not isinstance(event, JobsWaiting)]
    return event


def frames(count, infotext):
    return JobResult(
        images=tuple(
            OutputImage(image=PIXEL, role="frame", encoded_file=(b"x", "image/png"), infotext=text)
            for text in [infotext] * count
        )
    )


@pytest.mark.parametrize("letter", LETTERS)
def test_thirty_two_loops_of_the_longest_prompts_fit(tmp_path, letter):
    prompts_and_templates = letter * 4 * 6000
    event = tell(tmp_path, frames(34, prompts_and_templates))

    assert isinstance(event, JobFinished)
    assert {image.infotext for image in event.images} == {prompts_and_templates}


def test_what_is_still_too_long_stays_in_the_files(tmp_path):
    event = tell(tmp_path, frames(34, "🎉" * 100_000))

    assert isinstance(event, JobFinished)
    assert event.images[0].infotext == "🎉" * 100_000
    assert {image.infotext for image in event.images[1:]} == {""}
    assert event.notes == (Notice("result.parameters_in_files"),)


@example("🎉", 0, 3_000_000)
@example("🎉", 4, 3_000_000)
@given(st.sampled_from(LETTERS), st.integers(0, 40), st.sampled_from([0, 1, 10_000, 3_000_000]))
def test_every_result_is_told_or_ends_with_words(tmp_path_factory, letter, count, length):
    folder = tmp_path_factory.mktemp("outbox")
    result = JobResult(images=frames(min(count, 4), letter * length).images, text=letter * length)

    event = tell(folder, result)

    assert isinstance(event, JobFinished | JobFailed)
    if isinstance(event, JobFailed):
        assert (event.reason, event.error_kind) == (Notice("job.result_too_long"), "input")


def test_who_waits_to_be_written_is_told_as_waiting_before_each_file(tmp_path):
    stream = io.BytesIO()
    writer = ResultWriter(tmp_path, EventSender(stream).send_event)
    runs = [JobRun("a", 1, iter(())), JobRun("b", 2, iter(()))]
    held = threading.Event()
    writer._pool.submit(held.wait)
    for run in runs:
        writer.write_result(run, frames(1, ""), 1.0)
    held.set()
    writer.finish_writing()
    stream.seek(0)

    events = list(iter(lambda: wire.read_message(stream), None))

    assert [event.jobs for event in events if isinstance(event, JobsWaiting)] == [
        (("a", 1), ("b", 2)),
        (("b", 2),),
    ]
    assert [event.job_id for event in events if isinstance(event, JobFinished)] == ["a", "b"]


def noisy(count=1, role="result", size=(200, 100)):
    images = [OutputImage(image=noise(size), role=role, infotext="a fox") for _ in range(count)]
    return JobResult(images=tuple(images))


def test_beside_a_picture_beyond_the_limit_lies_a_copy_within_it(tmp_path):
    event = tell(tmp_path, noisy(), DisplayLimits(20_000, 10**6))

    (image,) = event.images
    (copy,) = image.copies
    assert Path(image.path).stat().st_size > 20_000 >= Path(copy.path).stat().st_size
    with Image.open(copy.path) as shown:
        assert (shown.size, shown.format) == ((copy.width, copy.height), "WEBP")
    assert copy.media_type == "image/webp"
    assert copy.quality in (95, 88, 80)


@pytest.mark.parametrize("limits", [DisplayLimits(), DisplayLimits(10**6, 10**6)])
def test_what_fits_or_is_shown_nowhere_has_no_copy(tmp_path, limits):
    event = tell(tmp_path, noisy(), limits)

    assert event.images[0].copies == ()


@pytest.mark.parametrize(
    ("result", "limit"),
    [
        (noisy(8), 40_000),  # a batch: one sheet, and each in a message of its own
        (noisy(4, role="frame"), 25_000),
        (noisy(20, role="frame"), 10_000),  # of which one message shows ten
        (JobResult(images=(*noisy(2).images, *noisy(1, role="mask").images)), 50_000),
    ],
)
def test_the_files_of_one_message_share_its_bytes_out(result, limit):
    limits = DisplayLimits(40_000 if limit == 40_000 else 10**6, 100_000)

    assert find_display_limit(limits, result.images[-1], result) == limit


def test_a_copy_that_cannot_be_made_costs_nobody_the_result(tmp_path, monkeypatch):
    def fail(*arguments):
        raise MemoryError

    monkeypatch.setattr(module, "encode_display_copy", fail)
    event = tell(tmp_path, noisy(), DisplayLimits(20_000, 10**6))

    assert event.images[0].copies == ()
    assert Path(event.images[0].path).is_file()
