"""What the page's server refuses, and what it does with a drawing that is in order."""

from __future__ import annotations

from tests.bot.page.visitors import link_of, mask_text, visiting
from tests.doubles.images import png

SIZE = (320, 240)
OPTIONS = {"prompt": "a red hat", "strength": 0.9, "area": "only masked", "soft": False}


async def pressed(easel, member=None):
    """Ask for a picture, press Draw under it, and return the link."""
    result = await easel.ask(prompt="a cat", image=("photo.png", png(SIZE)))
    await easel.finish(size=SIZE)
    return link_of((await (member or easel.alice).click(result.response, label="Draw")).response)


def drawing(box=(10, 20, 99, 119), **changes):
    return {"mask": mask_text(SIZE, box), "options": OPTIONS, "more": "steps: 12"} | changes


async def newest(easel):
    (record, *_) = await easel.jobs.reader.list_by_owner(str(easel.alice.id), limit=1)
    return record


async def test_a_drawing_becomes_a_job_with_its_card_in_the_channel(easel_with_page):
    easel = easel_with_page
    link = await pressed(easel)
    async with visiting(link) as visitor:
        status, state = await visitor.ask("draw")
        assert (status, state["picture"]) == (200, {"width": 320, "height": 240})
        assert (await visitor.ask("draw/picture"))[1]["bytes"].startswith(b"\x89PNG")
        status, answer = await visitor.ask("draw/send", drawing())
    assert status == 200
    await easel.env.settle()
    record = await newest(easel)
    assert (record.kind, record.params["prompt"], record.params["steps"]) == (
        "inpaint",
        "a red hat",
        12,
    )
    card = easel.messages()[-1]
    assert answer["url"].endswith(f"/{card.id}")
    await easel.finish(size=SIZE)
    assert len(easel.messages()[-1].attachments) == 1
