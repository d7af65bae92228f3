"""A mask drawn in a real browser, from the button under a result to the job."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from tests.bot.page.visitors import CHROMIUM, browsing, link_of
from tests.doubles.images import png

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


async def result_link(easel, size=(320, 240)):
    """Ask for a picture, press Draw under it, and return the link."""
    result = await easel.ask(prompt="a cat", image=("photo.png", png(size)))
    await easel.finish(size=size)
    answer = await easel.alice.click(result.response, label="Draw")
    return link_of(answer.response)


async def sent_job(easel):
    await easel.env.settle()
    (record, *_) = await easel.jobs.reader.list_by_owner(str(easel.alice.id), limit=1)
    data = await easel.blobs.get(record.inputs["mask"])
    return record, Image.open(io.BytesIO(data)).convert("RGBA").getchannel("A")


def agree(first, second, pixels=2):
    """Whether each mask lies within the other, grown by so many pixels."""
    masks = [mask.point(lambda level: 255 * (level > 128)) for mask in (first, second)]
    grown = [mask.filter(ImageFilter.MaxFilter(2 * pixels + 1)) for mask in masks]
    beyond = [ImageChops.subtract(masks[n], grown[1 - n]).getbbox() for n in (0, 1)]
    return beyond == [None, None] and masks[0].getbbox() is not None


async def test_what_is_drawn_is_the_jobs_mask(easel_with_page):
    easel = easel_with_page
    link = await result_link(easel)
    async with browsing() as page:
        await page.goto(link)
        await page.locator("#desk").wait_for()
        assert "#" not in page.url
        picture = await page.locator("#stage").bounding_box()
        scale = picture["width"] / 320
        await page.locator("#size").fill("30")
        await page.mouse.move(picture["x"] + 60 * scale, picture["y"] + 60 * scale)
        await page.mouse.down()
        await page.mouse.move(picture["x"] + 200 * scale, picture["y"] + 60 * scale, steps=8)
        await page.mouse.move(picture["x"] + 200 * scale, picture["y"] + 180 * scale, steps=8)
        await page.mouse.up()
        await page.get_by_label("Prompt", exact=True).fill("a red hat")
        await page.get_by_role("button", name="Repaint").click()
        await page.get_by_text("Sent. The result comes in the channel").wait_for()

    record, mask = await sent_job(easel)
    expected = Image.new("L", (320, 240), 0)
    draw = ImageDraw.Draw(expected)
    draw.line(((60, 60), (200, 60), (200, 180)), fill=255, width=30)
    for x, y in ((60, 60), (200, 60), (200, 180)):
        draw.ellipse((x - 15, y - 15, x + 15, y + 15), fill=255)
    assert mask.size == (320, 240)
    assert agree(mask, expected)
    assert (record.kind, record.params["prompt"]) == ("inpaint", "a red hat")
