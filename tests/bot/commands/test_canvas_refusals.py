"""What cannot be done with masks and canvases, asked in Discord and answered by the real engine."""

from __future__ import annotations

import pytest
from PIL import Image

from inference.operations.registry import OPERATIONS
from inference.worker import command_reader
from inference.worker.result_writer import failed_event
from tests.doubles.images import encoded, png
from tests.inference.conftest import (  # noqa: F401 - the tiny checkpoint and what runs jobs on it
    make_engine,
    run_operation,
    studio,
    tiny_library,
    tiny_model,
)

PHOTO = ("photo.png", png(size=(64, 48)))


@pytest.fixture
def answer(easel, run_operation, studio):  # noqa: F811
    """Let the real intake and engine do what the worker was given, and tell what came of it."""

    async def tell():
        arrival = command_reader._open_job(easel.service.job)
        try:
            job = arrival.job
            outcome = run_operation(OPERATIONS[job.kind](job, arrival.images, studio))
        except Exception as error:
            event = failed_event("", 0, error)
            easel.service.fail(event.reason, event.error_kind)
            await easel.env.settle()
        else:
            await easel.finish(notes=outcome.notes)

    return tell


def mask(colour, size=(64, 48), mode="L"):
    return "mask.png", encoded(Image.new(mode, size, colour))


def shown(colour, size=(64, 48)):
    return "photo.png", encoded(Image.new("RGBA", size, colour))


REFUSED = [
    ("inpaint", {"mask": mask("black")}, "The mask has no white pixel"),
    ("inpaint", {"mask": mask("white"), "mask_mode": "not masked"}, "The mask is all white"),
    ("inpaint", {}, "inpaint must know where"),
    ("inpaint", {"image": shown((9, 9, 9, 0))}, "The picture is fully transparent"),
    ("outpaint", {"image": shown((9, 9, 9, 0)), "left": 64}, "The picture is fully transparent"),
    ("loopback", {"image": shown((9, 9, 9, 0))}, "The picture is fully transparent"),
    (
        "outpaint",
        {"image": ("big.png", png(size=(960, 960))), "left": 512},
        "at most 128 pixels a side fit",
    ),
    ("inpaint", {"image": ("s.png", png(size=(7, 64))), "mask": mask("white")}, "smaller than 8"),
    ("outpaint", {"image": ("s.png", png(size=(64, 7))), "left": 64}, "smaller than 8 × 8 pixels"),
    ("loopback", {"image": ("s.png", png(size=(1, 1)))}, "smaller than 8 × 8 pixels"),
]


@pytest.mark.parametrize(("command", "options", "words"), REFUSED)
async def test_it_says_what_to_change_to_who_asked_alone(easel, answer, command, options, words):
    card = await easel.ask(command, **{"image": PHOTO, "steps": 1, **options})
    if easel.service.held:
        await answer()
    (reason,) = card.followups or [card.response]
    assert reason.ephemeral
    assert words in reason.content.replace("\\", "")
    assert reason.attachments == []
    assert easel.messages() == []
    (button,) = reason.components[0]["components"]
    assert button["label"] == "Edit"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mask": mask("white")}, "The mask covers"),
        ({"mask": mask("white", (20, 60)), "padding": 0}, "has another shape than the picture"),
    ],
)
async def test_what_is_only_odd_is_done_and_said(easel, answer, options, words):
    card = await easel.ask("inpaint", image=PHOTO, steps=1, **options)
    await answer()
    assert len(card.response.attachments) == 1
    assert words in card.response.content


async def test_no_direction_is_refused_before_anything_is_read(easel):
    refused = await easel.ask("outpaint", image=PHOTO, left=0)
    assert refused.ephemeral
    assert (
        "Say how far: left, right, up or down in pixels, or a preset." in refused.response.content
    )
    assert await easel.count() == 0
