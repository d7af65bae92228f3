"""A mask drawn in a real browser, from the button under a result to the job."""

from __future__ import annotations

import io
from contextlib import asynccontextmanager

import pytest
from axe_playwright_python.async_playwright import Axe
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from inference.api.jobs.sizes import target_size
from inference.images import regions
from inference.images.mask import masks
from tests.bot.page.visitors import CHROMIUM, PHONE, browsing, link_of
from tests.doubles.images import png

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


SIZE = (320, 240)
TOUCH = {"viewport": PHONE, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}


async def result_link(easel, size=SIZE):
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


class Canvas:
    """The page as a hand uses it, in pixels of the picture."""

    def __init__(self, page):
        self.page = page

    async def place(self, x, y):
        box = await self.page.locator("#stage").bounding_box()
        scale = box["width"] / SIZE[0]
        return box["x"] + x * scale, box["y"] + y * scale

    async def choose(self, tool, size=30):
        await self.page.get_by_role("button", name=tool, exact=True).click()
        await self.page.locator("#size").fill(str(size))

    async def stroke(self, *points):
        mouse = self.page.mouse
        await mouse.move(*await self.place(*points[0]))
        await mouse.down()
        for point in points[1:]:
            await mouse.move(*await self.place(*point), steps=6)
        await mouse.up()

    async def send(self):
        await self.page.get_by_role("button", name="Repaint").click()
        await self.page.get_by_text("Sent. The result comes in the channel").wait_for()


@asynccontextmanager
async def canvas(easel, **context):
    link = await result_link(easel)
    async with browsing(**context) as page:
        await page.goto(link)
        await page.locator("#desk").wait_for()
        yield Canvas(page)


def painted(*shapes):
    """A mask of strokes, (width, points) each, and boxes."""
    mask = Image.new("L", SIZE, 0)
    draw = ImageDraw.Draw(mask)
    for shape in shapes:
        if len(shape) == 4:
            draw.rectangle(shape, fill=255)
            continue
        width, points = shape
        draw.line(points, fill=255, width=width)
        for x, y in points:
            draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)
    return mask


CORNER = ((60, 60), (200, 60), (200, 180))


async def test_what_is_drawn_is_the_jobs_mask(easel_with_page):
    async with canvas(easel_with_page) as hand:
        assert "#" not in hand.page.url
        await hand.choose("Brush")
        await hand.stroke(*CORNER)
        await hand.page.get_by_label("Prompt", exact=True).fill("a red hat")
        await hand.page.get_by_label("Masked content").select_option("fill")
        await hand.page.get_by_label("Denoising strength").fill("0.9")
        await hand.send()
    record, mask = await sent_job(easel_with_page)
    assert mask.size == SIZE
    assert agree(mask, painted((30, CORNER)))
    wanted = {"prompt": "a red hat", "masked_content": "fill", "strength": 0.9}
    assert {name: record.params[name] for name in wanted} == wanted


async def test_lasso_rectangle_eraser_and_swap(easel_with_page):
    async with canvas(easel_with_page) as hand:
        await hand.choose("Lasso")
        await hand.stroke((20, 20), (140, 20), (140, 100), (20, 100))
        await hand.choose("Rectangle")
        await hand.stroke((300, 220), (180, 130))
        await hand.choose("Eraser", size=20)
        await hand.stroke((30, 60), (130, 60))
        await hand.page.get_by_role("button", name="Swap inside and outside").click()
        await hand.send()
    _, mask = await sent_job(easel_with_page)
    expected = painted((20, 20, 140, 100), (180, 130, 300, 220))
    expected.paste(0, mask=painted((20, ((30, 60), (130, 60)))))
    assert agree(mask, ImageChops.invert(expected))


async def test_steps_are_undone_and_done_again(easel_with_page):
    async with canvas(easel_with_page) as hand:
        press = hand.page.keyboard.press
        await hand.choose("Rectangle")
        for left in range(0, 300, 10):  # more than lie between two canvases that are kept
            await hand.stroke((left, 10), (left + 8, 60))
        for _ in range(29):
            await press("Control+z")
        await hand.page.get_by_role("button", name="Redo").click()
        await press("Control+Shift+z")
        await press("Control+z")
        await hand.stroke((200, 150), (300, 200))
        assert await hand.page.get_by_role("button", name="Redo").is_disabled()
        await press("Control+Enter")
        await hand.page.get_by_text("Sent. The result comes in the channel").wait_for()
    _, mask = await sent_job(easel_with_page)
    assert agree(mask, painted((0, 10, 8, 60), (10, 10, 18, 60), (200, 150, 300, 200)))


async def test_a_soft_brush_fades_and_asks_for_soft_inpainting(easel_with_page):
    async with canvas(easel_with_page) as hand:
        await hand.choose("Brush", size=80)
        await hand.page.get_by_label("Softness of the edge").fill("60")
        await hand.stroke((80, 120), (240, 120))
        await hand.send()
    record, mask = await sent_job(easel_with_page)
    levels = [mask.getpixel((160, y)) for y in range(60, 121, 4)]
    assert levels == sorted(levels)
    assert sum(16 < level < 240 for level in levels) >= 4
    assert record.params["soft"] is True


async def test_all_of_it_can_be_done_by_keys(easel_with_page):
    async with canvas(easel_with_page) as hand:
        press = hand.page.keyboard.press
        await hand.page.locator("#size").fill("30")
        await hand.page.locator("#viewport").focus()
        await press("Space")  # from the middle on
        for _ in range(5):
            await press("ArrowRight")
        await press("Shift+ArrowDown")
        await press("Space")
        await press("r")
        for _ in range(10):
            await press("ArrowUp")
        await press("Space")
        await press("ArrowLeft")
        await press("ArrowDown")
        await press("Space")
        await press("Control+Enter")
        await hand.page.get_by_text("Sent. The result comes in the channel").wait_for()
    _, mask = await sent_job(easel_with_page)
    assert agree(mask, painted((30, ((160, 120), (200, 120), (200, 121))), (192, 41, 200, 49)))


async def test_two_fingers_zoom_and_one_draws_where_it_is(easel_with_page):
    async with canvas(easel_with_page, **TOUCH) as hand:
        await hand.page.locator("#size").fill("20")
        cdp = await hand.page.context.new_cdp_session(hand.page)

        async def touch(kind, *points):
            touches = [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(points)]
            await cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

        before = (await hand.page.locator("#stage").bounding_box())["width"]
        x, y = await hand.place(160, 120)
        await touch("touchStart", (x - 30, y))
        await touch("touchStart", (x - 30, y), (x + 30, y))
        for spread in range(40, 100, 10):
            await touch("touchMove", (x - spread, y), (x + spread, y))
        await touch("touchEnd")
        after = (await hand.page.locator("#stage").bounding_box())["width"]
        assert 2.5 < after / before < 3.5
        assert await hand.page.get_by_role("button", name="Undo").is_disabled()  # nothing drawn
        points = [await hand.place(x, 110) for x in range(140, 181, 8)]
        await touch("touchStart", points[0])
        for point in points[1:]:
            await touch("touchMove", point)
        await touch("touchEnd")
        await hand.send()
    _, mask = await sent_job(easel_with_page)
    assert agree(mask, painted((20, ((140, 110), (180, 110)))))


async def test_a_pens_pressure_is_the_strokes_width(easel_with_page):
    async with canvas(easel_with_page) as hand:
        await hand.choose("Brush", size=40)
        cdp = await hand.page.context.new_cdp_session(hand.page)

        async def pen(kind, x, y, force):
            left, top = await hand.place(x, y)
            await cdp.send(
                "Input.dispatchMouseEvent",
                {"type": kind, "x": left, "y": top, "button": "left", "buttons": 1, "clickCount": 1}
                | {"pointerType": "pen", "force": force},
            )

        for y, force in ((60, 0.1), (180, 0.8)):
            await pen("mousePressed", 60, y, force)
            for x in range(80, 261, 20):
                await pen("mouseMoved", x, y, force)
            await pen("mouseReleased", 260, y, 0)
        await hand.send()
    _, mask = await sent_job(easel_with_page)
    heights = [
        sum(mask.getpixel((160, y)) > 128 for y in range(*span)) for span in ((0, 120), (120, 240))
    ]
    assert heights[0] < 25 < 45 < heights[1]


@pytest.mark.parametrize(
    "box", [(40, 50, 90, 80), (0, 0, 30, 20), (250, 200, 319, 239), (10, 100, 310, 120)]
)
async def test_the_frame_is_what_only_masked_works_on(easel_with_page, box):
    easel = easel_with_page
    async with canvas(easel) as hand:
        await hand.choose("Rectangle")
        await hand.stroke(box[:2], box[2:])
        await hand.page.get_by_label("Inpaint area").select_option("only masked")
        await hand.page.get_by_label("Mask blur (pixels)").fill("6")
        await hand.page.get_by_label("Only masked padding (pixels)").fill("20")
        shown = await hand.page.locator("#frame").get_attribute("data-box")
        report = await hand.page.locator("#report").inner_text()
        await hand.send()
    record, mask = await sent_job(easel)
    assert (record.params["mask_blur"], record.params["padding"]) == (6, 20)
    render = target_size(None, None, SIZE, easel.service.models[0].size)
    cut = mask.point(lambda level: 255 * (level > 128))
    region = regions.crop_region(masks.blur_mask(cut, 6), 20, render)
    assert [int(edge) for edge in shown.split()] == pytest.approx(region, abs=2)
    gain = regions.ResolutionGain(region, render).scale_factor
    assert f"{gain:.1f}" in report or f"{gain - 0.1:.1f}" in report or f"{gain + 0.1:.1f}" in report


@pytest.mark.parametrize("context", [{}, TOUCH, {"color_scheme": "dark"}, TOUCH | {"locale": "de"}])
async def test_a_screen_reader_finds_everything_named(easel_with_page, context):
    async with canvas(easel_with_page, **context) as hand:
        await hand.stroke((60, 60), (90, 90))
        await hand.page.get_by_label("Inpaint area").select_option("only masked")
        for summary in await hand.page.locator("summary").all():
            await summary.click()
        assert (await Axe().run(hand.page)).response["violations"] == []
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await hand.page.evaluate(wide) == 0
        small = "[...document.querySelectorAll('#tools button')].map(b => b.offsetHeight)"
        assert min(await hand.page.evaluate(small)) >= 44
        await hand.page.get_by_role("button", name="Clear").click()
        await hand.page.get_by_role("button", name="Repaint").click()
        await hand.page.get_by_role("alert").get_by_text("Nothing is drawn yet").wait_for()
        assert (await Axe().run(hand.page)).response["violations"] == []
        await hand.stroke((60, 60), (90, 90))
        await hand.send()
        assert (await Axe().run(hand.page)).response["violations"] == []


async def test_what_is_refused_is_said_beside_the_button_and_keeps_the_drawing(easel_with_page):
    easel = easel_with_page
    async with canvas(easel, complaints_expected=True) as hand:
        await hand.stroke((60, 60), (90, 90))
        await hand.page.get_by_label("Denoising strength").fill("7")
        await hand.page.get_by_role("button", name="Repaint").click()
        await hand.page.get_by_role("alert").get_by_text("must lie between 0 and 1").wait_for()
        await hand.page.get_by_label("Denoising strength").fill("0.5")
        await hand.send()
    assert (await sent_job(easel))[0].params["strength"] == 0.5


async def test_a_reload_keeps_the_drawing_and_a_used_link_says_so(easel_with_page):
    easel = easel_with_page
    link = await result_link(easel)
    async with browsing() as page:
        await page.goto(link)
        await page.locator("#desk").wait_for()
        hand = Canvas(page)
        await hand.choose("Rectangle")
        await hand.stroke((20, 20), (60, 60))
        await hand.stroke((100, 20), (160, 60))
        await hand.page.keyboard.press("Control+z")
        await page.reload()
        await page.locator("#desk").wait_for()
        await hand.choose("Rectangle")
        await hand.stroke((200, 200), (240, 230))
        await hand.send()
    assert agree((await sent_job(easel))[1], painted((20, 20, 60, 60), (200, 200, 240, 230)))
    async with browsing(complaints_expected=True) as page:
        await page.goto(link)
        await page.get_by_text("This link was used already").wait_for()
        assert await page.locator("#desk").is_hidden()
