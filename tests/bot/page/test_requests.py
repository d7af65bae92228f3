"""What the page's server does with a drawing, and all that it refuses."""

from __future__ import annotations

import asyncio
import base64
import io
import re
import socket

import aiohttp
import discord
import pytest
from PIL import Image

from bot.errors import SettingsError
from bot.page.links import LINK_LIFE_SECONDS, MAX_MEMBER_LINKS, LinkPurpose, PageLinks
from bot.page.server import PageAddress, PageServer
from bot.settings import Settings
from tests.bot.page.visitors import Visitor, link_of, mask_text, visiting
from tests.doubles.cards import labels, more_of
from tests.doubles.images import bomb, png

SIZE = (320, 240)
OPTIONS = {"prompt": "a red hat", "strength": 0.9, "area": "only masked", "soft": False}
FORTY_MEGABYTES = 40 * 10**6


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


async def change_settings(easel, **settings):
    await easel.guilds.change_settings(str(easel.guild.id), "1", settings)


async def refused(easel, link, message=None, path="draw/send", **headers):
    """Send a drawing that must not become a job; return the status and the words."""
    before = await easel.count()
    async with visiting(link) as visitor:
        status, answer = await visitor.ask(path, message or drawing(), **headers)
    await easel.env.settle()
    assert await easel.count() == before
    return status, answer["error"]


async def test_a_drawing_becomes_a_job_with_its_card_in_the_channel(easel_with_page):
    easel = easel_with_page
    link = await pressed(easel)
    async with visiting(link) as visitor:
        status, state = await visitor.ask("draw")
        assert (status, state["picture"]) == (200, {"width": 320, "height": 240})
        _, picture = await visitor.ask("draw/picture")
        assert Image.open(io.BytesIO(picture["bytes"])).size == SIZE
        status, answer = await visitor.ask("draw/send", drawing())
    assert status == 200
    await easel.env.settle()
    record = await newest(easel)
    wanted = {"prompt": "a red hat", "strength": 0.9, "area": "only masked", "steps": 12}
    assert {name: record.params[name] for name in wanted} == wanted
    card = easel.messages()[-1]
    assert answer["url"].endswith(f"/{easel.guild.id}/{easel.channel.id}/{card.id}")
    mask = Image.open(io.BytesIO(await easel.blobs.get(record.inputs["mask"])))
    assert mask.getchannel("A").getbbox() == (10, 20, 100, 120)
    await easel.finish(size=SIZE)
    assert len(easel.messages()[-1].attachments) == 2  # before and after


async def test_the_form_begins_with_the_words_of_the_picture(easel_with_page):
    async with visiting(await pressed(easel_with_page)) as visitor:
        _, state = await visitor.ask("draw")
    values = {option["name"]: option["value"] for option in state["options"]}
    assert (values["prompt"], values["area"]) == ("a cat", "whole picture")
    assert "mask shape" not in state["more"]
    assert "sampler: Euler a" in state["more"]


async def test_a_picture_of_ones_own_is_drawn_on_from_its_grid(easel_with_page):
    easel = easel_with_page
    result = await easel.ask_plain("mask grid", image=("photo.png", png(SIZE, "green")))
    await easel.finish(size=(64, 48), role="preview")
    link = link_of((await easel.alice.click(result.response, label="Draw")).response)
    async with visiting(link) as visitor:
        _, picture = await visitor.ask("draw/picture")
        assert Image.open(io.BytesIO(picture["bytes"])).convert("RGB").getpixel((9, 9)) == (
            0,
            128,
            0,
        )
        assert (await visitor.ask("draw/send", drawing()))[0] == 200


async def test_a_link_works_once(easel_with_page):
    easel = easel_with_page
    link = await pressed(easel)
    async with visiting(link) as visitor:
        assert (await visitor.ask("draw/send", drawing()))[0] == 200
    await easel.env.settle()
    for path in ("draw/send", "draw", "draw/picture"):
        status, words = await refused(easel, link, path=path)
        assert (status, "used already" in words) == (403, True)


async def test_of_two_sendings_at_once_one_counts(easel_with_page):
    easel = easel_with_page
    before = await easel.count()
    async with visiting(await pressed(easel)) as visitor:
        answers = await asyncio.gather(*(visitor.ask("draw/send", drawing()) for _ in range(4)))
    await easel.env.settle()
    assert sorted(status for status, _ in answers) == [200, 403, 403, 403]
    assert await easel.count() == before + 2


async def test_a_drawing_that_was_refused_can_be_sent_again(easel_with_page):
    easel = easel_with_page
    link = await pressed(easel)
    shown = len(easel.messages())
    status, words = await refused(easel, link, drawing(options=OPTIONS | {"strength": 7}))
    assert (status, words) == (422, "strength is 7, but must lie between 0 and 1.")
    assert len(easel.messages()) == shown
    async with visiting(link) as visitor:
        assert (await visitor.ask("draw/send", drawing()))[0] == 200


async def test_a_link_ends_after_thirty_minutes(easel_with_page):
    easel = easel_with_page
    link = await pressed(easel)
    links = easel.services.page._links
    start = links.clock()
    links.clock = lambda: start + LINK_LIFE_SECONDS - 1
    async with visiting(link) as visitor:
        assert (await visitor.ask("draw"))[0] == 200
    links.clock = lambda: start + LINK_LIFE_SECONDS + 1
    status, words = await refused(easel, link)
    assert (status, "thirty minutes" in words) == (403, True)


def forgeries(token: str, visit):
    link_id, _, signature = token.partition(".")
    yield ""
    yield link_id
    yield f"{link_id}."
    yield f"{link_id}.{signature[:-1]}"
    yield f"{link_id}.{signature[::-1]}"
    yield f"{link_id[::-1]}.{signature}"
    yield f"{token}x"
    yield f"{token}.{token}"
    yield "é" * 50
    yield "x" * 7000
    yield PageLinks().issue_token(LinkPurpose.DRAW, visit)


async def test_what_no_link_of_this_easel_is_opens_nothing(easel_with_page):
    easel = easel_with_page
    link = await pressed(easel)
    address, _, token = link.partition("#")
    links = easel.services.page._links
    visit = links.find_link(token, LinkPurpose.DRAW).visit
    gallery_token = links.issue_token(LinkPurpose.GALLERY, visit)
    for forged in (*forgeries(token, visit), gallery_token):
        for path in ("draw", "draw/picture", "draw/send"):
            if not forged.isascii():
                continue
            status, words = await refused(easel, f"{address}#{forged}", path=path)
            assert (status, "not valid" in words) == (403, True), forged
    async with visiting(link) as visitor:
        status, _ = await visitor.ask("draw", Authorization=f"Basic {token}")
        assert status == 403
        assert (await visitor.ask("draw"))[0] == 200


async def test_a_restart_ends_all_links(easel_with_page):
    easel = easel_with_page
    token = (await pressed(easel)).partition("#")[2]
    links = PageLinks()
    with pytest.raises(Exception, match="not valid"):
        links.find_link(token, LinkPurpose.DRAW)


async def test_a_member_keeps_a_dozen_links(easel_with_page):
    easel = easel_with_page
    result = await easel.ask(prompt="a cat", image=("photo.png", png(SIZE)))
    await easel.finish(size=SIZE)
    tokens = []
    for _ in range(MAX_MEMBER_LINKS + 1):
        answer = await easel.alice.click(result.response, label="Draw")
        tokens.append(link_of(answer.response).partition("#")[2])
    links = easel.services.page._links
    with pytest.raises(Exception, match="not valid"):
        links.find_link(tokens[0], LinkPurpose.DRAW)
    for token in tokens[1:]:
        links.find_link(token, LinkPurpose.DRAW)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1", ""])
async def test_other_pages_are_not_answered(easel_with_page, origin):
    easel = easel_with_page
    link = await pressed(easel)
    for path in ("draw", "draw/picture", "draw/send"):
        status, words = await refused(easel, link, path=path, Origin=origin)
        assert (status, "another page" in words) == (403, True)


@pytest.mark.parametrize("told", [True, False])
async def test_forty_megabytes_are_refused(easel_with_page, told):
    easel = easel_with_page
    link = await pressed(easel)

    async def pieces():
        yield b'{"mask": "'
        for _ in range(FORTY_MEGABYTES // 10**5):
            yield b"A" * 10**5
        yield b'"}'

    body = io.BytesIO(b" " * FORTY_MEGABYTES) if told else pieces()
    async with visiting(link) as visitor:
        headers = {"Authorization": f"Bearer {visitor.token}", "Origin": visitor.origin}
        headers["Content-Type"] = "application/json"
        try:
            async with visitor.session.post(
                f"{visitor.origin}/api/draw/send", data=body, headers=headers
            ) as response:
                assert response.status == 413
        except aiohttp.ClientConnectionError:
            pass  # cut off while it was still sending
        assert (await visitor.ask("draw"))[0] == 200  # the link is as it was, the server, too
        assert (await visitor.ask("draw/send", drawing()))[0] == 200


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (mask_text(SIZE, None), "mask"),
        (mask_text((321, 240), (0, 0, 9, 9)), "damaged"),
        (encoded(b"GIF89a no picture"), "damaged"),
        (encoded(b"%PDF-1.7 " + b"x" * 999), "PDF"),
        (encoded(bomb(50_000, 50_000)), "damaged|at most"),
        ("no base64 §§", "damaged"),
        (None, "no content"),
        (7, "no content"),
        ([1], "no content"),
        ("", "no content"),
    ],
)
async def test_what_is_no_mask_is_refused_in_words(easel_with_page, mask, words):
    easel = easel_with_page
    link = await pressed(easel)
    shown = len(easel.messages())
    status, said = await refused(easel, link, drawing(mask=mask))
    assert status == 422
    assert re.search(words, said), said
    assert len(easel.messages()) == shown


@pytest.mark.parametrize(
    "changes",
    [
        {"options": [1, 2]},
        {"options": "prompt"},
        {"options": {"prompt": 7}},
        {"options": {"strength": "0.5"}},
        {"options": {"mask_blur": 4.5}},
        {"options": {"masked_content": "gold"}},
        {"options": {"soft": "yes"}},
        {"options": {"prompt": "x" * 6001}},
        {"more": "colour: red"},
        {"more": "steps: many"},
        {"more": {"steps": 3}},
    ],
)
async def test_impossible_options_are_refused_in_words(easel_with_page, changes):
    easel = easel_with_page
    status, words = await refused(easel, await pressed(easel), drawing(**changes))
    assert (status, bool(words)) == (422, True)
    assert "Incident" not in words


async def test_a_body_that_is_no_json_object_is_refused(easel_with_page):
    async with visiting(await pressed(easel_with_page)) as visitor:
        headers = {"Authorization": f"Bearer {visitor.token}", "Origin": visitor.origin}
        for body, kind in (
            (b"[1]", "application/json"),
            (b"{", "application/json"),
            (b"\xff\xfe", "application/json"),
            (b'{"mask": ""}', "text/plain"),
        ):
            async with visitor.session.post(
                f"{visitor.origin}/api/draw/send",
                data=body,
                headers=headers | {"Content-Type": kind},
            ) as response:
                assert response.status == 422


async def test_where_the_mask_is_drawn_is_not_said_in_options(easel_with_page):
    easel = easel_with_page
    async with visiting(await pressed(easel)) as visitor:
        message = drawing(
            options=OPTIONS | {"mask_shape": "left 30%", "seed": 4}, more="mask_shape: left 30%"
        )
        assert (await visitor.ask("draw/send", message))[0] == 200
    await easel.env.settle()
    assert (await newest(easel)).params["mask_shape"] == ""


RULES = [
    ({"channels": ["{channel}"]}, "Easel is used in #elsewhere here."),
    ({"roles": ["{role}"]}, "Easel is for @painters."),
    ({"banned_words": ["red hat"]}, "red hat"),
    ({"quota": 0}, "GPU time"),
    ({"max_jobs": 1}, "1"),
    ({"max_steps": 5}, "steps"),
]


@pytest.mark.parametrize(("rule", "words"), RULES)
async def test_the_rules_of_the_moment_hold_when_it_is_sent(easel_with_page, rule, words):
    easel = easel_with_page
    link = await pressed(easel)
    if "max_jobs" in rule:
        await easel.ask(prompt="another one")
    ids = {
        "channel": easel.guild.create_text_channel("elsewhere").id,
        "role": easel.guild.create_role("painters").id,
    }
    rule = {
        name: [text.format_map(ids) for text in value] if name in ("channels", "roles") else value
        for name, value in rule.items()
    }
    await change_settings(easel, **rule)
    shown = len(easel.messages())
    status, said = await refused(easel, link)
    assert (status, words in said) == (422, True), said
    assert len(easel.messages()) == shown


async def test_who_left_the_server_can_send_nothing(easel_with_page):
    easel = easel_with_page
    link = await pressed(easel)
    easel.guild.remove_member(easel.alice)
    status, words = await refused(easel, link)
    assert (status, "no longer on" in words) == (422, True), words


async def test_a_channel_that_is_gone_is_said(easel_with_page):
    easel = easel_with_page
    link = await pressed(easel)
    await easel.bot.get_channel(easel.channel.id).delete()
    await easel.env.settle()
    status, words = await refused(easel, link)
    assert (status, "cannot be written to" in words) == (422, True)


async def test_the_host_can_shut_a_member_out_meanwhile(easel_with_page):
    easel = easel_with_page
    link = await pressed(easel)
    await easel.services.policy.access.set_rule("member", str(easel.alice.id), "block", "1")
    assert (await refused(easel, link))[0] == 422


async def test_a_place_that_allows_nothing_is_told_before_the_drawing(easel_with_page):
    easel = easel_with_page
    result = await easel.ask(prompt="a cat", image=("photo.png", png(SIZE)))
    await easel.finish(size=SIZE)
    await change_settings(easel, quota=0)
    answer = await easel.alice.click(result.response, label="Draw")
    assert "no GPU time" in answer.response.content
    assert answer.response.components == []


async def test_ceilings_below_the_usual_options_refuse_no_drawing(easel_with_page):
    easel = easel_with_page
    result = await easel.ask(prompt="a cat", image=("photo.png", png(SIZE)))
    await easel.finish(size=SIZE)
    await change_settings(easel, max_steps=5)
    link = link_of((await easel.alice.click(result.response, label="Draw")).response)
    async with visiting(link) as visitor:
        _, state = await visitor.ask("draw")
        assert "steps: 5" in state["more"]
        message = drawing(more=state["more"])
        assert (await visitor.ask("draw/send", message))[0] == 200


async def test_only_who_asked_for_the_picture_gets_a_link(easel_with_page):
    easel = easel_with_page
    result = await easel.ask(prompt="a cat", image=("photo.png", png(SIZE)))
    await easel.finish(size=SIZE)
    answer = await easel.bob.click(result.response, label="Draw")
    assert f"<@{easel.alice.id}>" in answer.response.content
    answer = await easel.alice.click(result.response, label="Draw")
    assert answer.response.flags.ephemeral
    easel.take_errors()


async def test_private_results_are_for_the_member_alone(easel_with_page):
    easel = easel_with_page
    await change_settings(easel, visibility="private")
    async with visiting(await pressed(easel)) as visitor:
        assert (await visitor.ask("draw/send", drawing()))[0] == 200
    await easel.env.settle()
    await easel.finish(size=SIZE)
    (*_, shown) = easel.channel.history(viewer=easel.alice)
    assert (len(shown.attachments), shown.flags.ephemeral) == (1, True)
    assert easel.messages() == []


async def test_a_private_answer_that_came_too_late_is_refused(easel_with_page):
    easel = easel_with_page
    await change_settings(easel, visibility="private")
    link = await pressed(easel)
    await easel.env.advance_time(15 * 60)
    status, words = await refused(easel, link)
    assert (status, "cannot be written to" in words) == (422, True)


async def test_after_a_quarter_of_an_hour_the_result_still_comes(easel_with_page):
    easel = easel_with_page
    link = await pressed(easel)
    await easel.env.advance_time(25 * 60)
    async with visiting(link) as visitor:
        assert (await visitor.ask("draw/send", drawing()))[0] == 200
    await easel.env.settle()
    await easel.finish(size=SIZE)
    assert len(easel.messages()[-1].attachments) == 2  # before and after


async def test_where_the_bot_may_not_write_the_press_is_answered(easel_with_page):
    easel = easel_with_page
    rules = {easel.guild.default_role: discord.PermissionOverwrite(attach_files=False)}
    easel.channel = easel.guild.create_text_channel("quiet", overwrites=rules)
    link = await pressed(easel)
    async with visiting(link) as visitor:
        assert (await visitor.ask("draw/send", drawing()))[0] == 200
    await easel.env.settle()
    await easel.finish(size=SIZE)
    assert len(easel.messages()[-1].attachments) == 2  # before and after


async def test_the_files_are_strict_and_say_nothing(easel_with_page):
    easel = easel_with_page
    address = (await pressed(easel)).partition("#")[0]
    origin = address.rpartition("/")[0]
    async with aiohttp.ClientSession() as session:
        for path in ("draw", "static/draw.js", "static/page.css", "static/mark.svg", "nothing"):
            async with session.get(f"{origin}/{path}") as response:
                assert response.status == (404 if path == "nothing" else 200)
                policy = response.headers["Content-Security-Policy"]
                assert policy.startswith("default-src 'none'; script-src 'self';")
                assert "unsafe" not in policy
                assert "frame-ancestors 'none'" in policy
                assert response.headers["Referrer-Policy"] == "no-referrer"
                assert response.headers["Cache-Control"] == "no-store"
                assert "Set-Cookie" not in response.headers
                assert "Server" not in response.headers
        for path in ("api/draw", "api/draw/send", "static/../server.py", "static/..%2fserver.py"):
            async with session.get(f"{origin}/{path}") as response:
                assert response.status in (404, 405)
                assert "Content-Security-Policy" in response.headers


async def test_words_come_in_the_members_language(easel_with_page):
    easel = easel_with_page
    link = await pressed(easel)
    async with visiting(link) as visitor:
        _, state = await visitor.ask("draw")
        assert (state["texts"]["language"], state["texts"]["send"]) == ("en", "Repaint")
        visitor.token = "forged"
        _, answer = await visitor.ask("draw", Accept_Language="de-DE,de;q=0.9,en;q=0.5")
        assert answer["error"].startswith("Dieser Link gilt nicht")


async def test_a_picture_that_was_deleted_is_said(easel_with_page):
    easel = easel_with_page
    link = await pressed(easel)
    record = await newest(easel)
    await easel.blobs.delete_blob(record.result["pictures"][0]["key"])
    for path in ("draw", "draw/picture", "draw/send"):
        status, words = await refused(easel, link, path=path)
        assert (status, bool(words)) == (422, True)


async def test_without_a_public_address_there_is_no_page(easel):
    result = await easel.ask(prompt="a cat")
    await easel.finish()
    offered = [*labels(result.response), *more_of(result.response)]
    assert "Inpaint" in offered
    assert "Draw" not in offered
    assert easel.services.page is None


def test_a_visitor_reads_its_link():
    visitor = Visitor(None, "http://127.0.0.1:1/draw#a.b")
    assert (visitor.origin, visitor.token) == ("http://127.0.0.1:1", "a.b")


async def test_a_port_that_is_taken_is_said_with_its_setting(easel):
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = PageAddress("http://127.0.0.1", "127.0.0.1", other.getsockname()[1])
        page = PageServer(easel.bot, address, PageLinks(), None, None)
        with pytest.raises(SettingsError, match="EASEL_PAGE_PORT"):
            await page.start()
        await page.stop()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("page_url", "http://easel.example", "use https"),
        ("page_url", "easel.example", "begins with https"),
        ("page_url", "https://easel.example/?a=b", "address alone"),
        ("page_url", "https://me:secret@easel.example/", "address alone"),
        ("page_address", "easel.example", "of this machine"),
        ("page_port", "0", "greater than or equal to 1"),
    ],
)
def test_impossible_addresses_are_refused(name, value, words):
    with pytest.raises(ValueError, match=words):
        Settings(_env_file=None, **{name: value})


def test_an_address_may_have_a_path():
    settings = Settings(_env_file=None, page_url="https://example.org/easel/")
    assert settings.page_url == "https://example.org/easel"
