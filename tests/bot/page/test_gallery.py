"""A member's own pictures on the page: which are shown, and to whom."""

from __future__ import annotations

import io

import pytest
from axe_playwright_python.async_playwright import Axe
from PIL import Image

from storage.moderation import ScreeningRecord, Verdict
from tests.bot.page.visitors import CHROMIUM, browsing, link_of, visiting
from tests.doubles.cards import walk_parts
from tests.doubles.images import png

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
LARGE = (900, 600)


async def made(easel, member=None, **how):
    """Ask for a picture made from a green one, and return its job."""
    await easel.ask(member=member, prompt="a cat", image=("photo.png", png(LARGE, "green")))
    await easel.finish(size=LARGE, **how)
    owner = str((member or easel.alice).id)
    return (await easel.jobs.reader.list_by_owner(owner, limit=1))[0]


async def gallery_link(easel, member=None):
    answer = await (member or easel.alice).slash(easel.channel, "history")
    (url,) = [part["url"] for part in walk_parts(answer.response.components) if part.get("url")]
    return url


async def opened(visitor):
    status, state = await visitor.ask("gallery")
    assert status == 200
    return state


def picture_request(state, job, number=1, small=False):
    return {"session": state["session"], "job": job.id, "number": number, "small": small}


async def test_it_shows_what_the_member_made_and_from_what(easel_with_page):
    easel = easel_with_page
    job = await made(easel)
    async with visiting(await gallery_link(easel)) as visitor:
        state = await opened(visitor)
        (entry,) = state["jobs"]
        assert (entry["id"], entry["prompt"], entry["hasSource"]) == (job.id, "a cat", True)
        sizes = []
        for number, small in ((1, False), (0, False), (1, True)):
            _, answer = await visitor.ask(
                "gallery/picture", picture_request(state, job, number, small)
            )
            sizes.append(Image.open(io.BytesIO(answer["bytes"])).size)
    assert sizes == [LARGE, LARGE, (480, 320)]


async def test_nobody_sees_anothers_pictures(easel_with_page):
    easel = easel_with_page
    mine, theirs = await made(easel), await made(easel, easel.bob)
    async with visiting(await gallery_link(easel)) as visitor:
        state = await opened(visitor)
        assert [entry["id"] for entry in state["jobs"]] == [mine.id]
        for job_id in (theirs.id, "0" * 20, "", "../../easel.db"):
            status, answer = await visitor.ask(
                "gallery/picture", picture_request(state, mine) | {"job": job_id}
            )
            assert (status, "no longer stored" in answer["error"]) == (422, True)


@pytest.mark.parametrize("number", [2, -1, 99, "1", None, 1.5])
async def test_a_number_that_is_none_is_refused(easel_with_page, number):
    easel = easel_with_page
    job = await made(easel)
    async with visiting(await gallery_link(easel)) as visitor:
        message = picture_request(await opened(visitor), job) | {"number": number}
        assert (await visitor.ask("gallery/picture", message))[0] == 422


async def test_it_goes_on_in_the_browser_that_opened_it_alone(easel_with_page):
    easel = easel_with_page
    job, link = await made(easel), await gallery_link(easel)
    async with visiting(link) as visitor, visiting(link) as thief:
        state = await opened(visitor)
        again = await visitor.ask("gallery", {"session": state["session"]})
        assert again[0] == 200
        for message in (None, {"session": "x"}, {"session": 7}):
            status, answer = await thief.ask("gallery", message)
            assert (status, "used already" in answer["error"]) == (403, True)
        status, _ = await thief.ask(
            "gallery/picture", picture_request(state, job) | {"session": ""}
        )
        assert status == 403


async def test_what_is_withheld_is_not_there(easel_with_page):
    easel = easel_with_page
    held, veiled, plain = [await made(easel) for _ in range(3)]
    for job, verdict in ((held, Verdict.HELD), (veiled, Verdict.SPOILER)):
        await easel.moderation.save_screening(
            job.id, ScreeningRecord(verdict=verdict, reason="a reason")
        )
    async with visiting(await gallery_link(easel)) as visitor:
        state = await opened(visitor)
        shown = {entry["id"]: entry["isHidden"] for entry in state["jobs"]}
        assert shown == {veiled.id: True, plain.id: False}
        for number in (0, 1):
            message = picture_request(state, held, number)
            assert (await visitor.ask("gallery/picture", message))[0] == 422


async def test_a_link_to_draw_opens_no_gallery(easel_with_page):
    easel = easel_with_page
    result = await easel.ask(prompt="a cat")
    await easel.finish()
    link = link_of((await easel.alice.click(result.response, label="Draw")).response)
    async with visiting(link) as visitor:
        assert (await visitor.ask("gallery"))[0] == 403


async def test_without_the_page_there_is_no_link_to_it(easel):
    await easel.ask(prompt="a cat")
    await easel.finish()
    answer = await easel.alice.slash(easel.channel, "history")
    items = [item for row in answer.response.components for item in row["components"]]
    assert [item for item in items if item.get("url")] == []


@needs_chromium
async def test_before_and_after_lie_beside_one_another(easel_with_page):
    easel = easel_with_page
    await made(easel, colour="red")
    async with browsing() as page:
        await page.goto(await gallery_link(easel))
        await page.locator("#jobs button img[src^=blob]").wait_for()
        await page.locator("#jobs button").click()
        await page.locator("#before[src^=blob]").wait_for()
        await page.wait_for_function("document.getElementById('before').complete")
        slider = page.get_by_label("How much of the picture from before is shown")
        for share in (25, 75):
            await slider.fill(str(share))
            picture = Image.open(
                io.BytesIO(await page.locator("#look-picture").screenshot())
            ).convert("RGB")
            row = [picture.getpixel((x, picture.height // 2)) for x in range(picture.width)]
            green = sum(pixel[1] > pixel[0] for pixel in row if max(pixel) < 250)
            assert abs(green / picture.width - share / 100) < 0.02
        assert (await Axe().run(page)).response["violations"] == []
        await page.get_by_role("button", name="Close").click()
        assert (await Axe().run(page)).response["violations"] == []
        await page.reload()  # the same tab may go on
        await page.locator("#jobs button img[src^=blob]").wait_for()
