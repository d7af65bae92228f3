"""Cards within Discord's bounds, whatever stands on them, and cards of older versions."""

from __future__ import annotations

import discord
import pytest

from bot.requests.reply_target import KIND_COLOURS, ReplyTarget
from inference.api.jobs import JOB_TYPES
from inference.api.notices import Notice
from tests.doubles.cards import control_rows, labels, more_of, press, walk_parts, words_of
from tests.doubles.images import png

MAX_COMPONENTS, MAX_TEXT = 40, 4000
V2 = 1 << 15
LONG = "a very long prompt, " * 300


def container_of(message) -> dict:
    (container,) = message.components
    return container


@pytest.mark.parametrize(
    ("kind", "images", "options"),
    [
        ("imagine", 8, {"prompt": LONG, "batch": 8}),
        ("imagine", 1, {"prompt": LONG}),
        ("inpaint", 1, {"mask_shape": "left 30%", "prompt": LONG}),
        ("loopback", 12, {"loops": 12}),
        ("upscale", 1, {}),
        ("interrogate", 0, {}),
        ("explain", 0, {"prompt": LONG}),
        ("preview", 1, {"mask_shape": "B2 + C3"}),
    ],
)
async def test_a_card_keeps_to_discords_bounds(easel, kind, images, options):
    card = await easel.ask(kind, **options)
    texts = "word " * 3000 if not images else ""
    notes = ("much to be said " * 40,) * 20
    await easel.finish(images=images, text=texts, notes=notes, seam=kind == "inpaint")
    parts = list(walk_parts(card.response.components))
    assert len(parts) <= MAX_COMPONENTS
    assert len(words_of("", card.response.components)) <= MAX_TEXT
    assert container_of(card.response)["accent_color"] == KIND_COLOURS[kind]
    custom_ids = [part["custom_id"] for part in parts if "custom_id" in part]
    assert len(set(custom_ids)) == len(custom_ids)
    named = [item["media"]["url"] for part in parts for item in part.get("items", ())]
    named += [part["file"]["url"] for part in parts if "file" in part]
    assert sorted(named) == sorted(file.url for file in card.response.attachments)


def test_every_kind_has_a_colour_of_its_own():
    assert set(KIND_COLOURS) == set(JOB_TYPES)
    assert len(set(KIND_COLOURS.values())) == len(KIND_COLOURS)


@pytest.mark.parametrize("kind", ["imagine", "img2img", "inpaint", "outpaint", "upscale"])
async def test_four_buttons_and_a_select_stand_under_a_result(easel, kind):
    options = {"inpaint": {"mask_shape": "left 30%"}, "imagine": {"prompt": "a cat"}}
    card = await easel.ask(kind, **options.get(kind, {}))
    await easel.finish()
    assert [len(row) for row in control_rows(card.response)] == [4, 1]
    assert len(more_of(card.response)) >= 4


async def test_no_request_mixes_a_card_with_content(easel):
    card = await easel.ask()
    easel.service.progress(5, 20)
    await easel.env.settle()
    await easel.finish()
    await press(easel.alice, card.response, label="Again")
    sent = [r.json for r in easel.env.http_requests if r.json and "components" in str(r.json)]
    bodies = [body.get("data", body) for body in sent if isinstance(body, dict)]
    cards = [body for body in bodies if int(body.get("flags") or 0) & V2]
    assert len(cards) >= 4
    assert not [body for body in cards if body.get("content") or body.get("embeds")]


async def as_posted_before(easel, message, content: str, *rows: list[discord.ui.Button]) -> None:
    """Make a message what an older version posted: content, a file and rows of buttons."""
    stored = easel.env.backend.get_message(easel.channel.id, message.id)
    stored.flags &= ~V2
    stored.content = content
    stored.components = [
        {
            "type": 1,
            "id": 0,
            "components": [button.to_component_dict() | {"id": 0} for button in row],
        }
        for row in rows
    ]


def old_button(verb: str, job_id: str, label: str) -> discord.ui.Button:
    return discord.ui.Button(label=label, custom_id=f"easel:{verb}:{job_id}")


async def test_results_posted_before_go_on_working(easel):
    result = await easel.ask(prompt="a red apple")
    await easel.finish()
    job = (await easel.only_job()).id
    verbs = {
        "again": "Again",
        "subtle": "Vary (subtle)",
        "enlarge": "Upscale 2×",
        "grid": "Inpaint",
        "parameters": "Parameters",
        "delete": "Delete",
    }
    buttons = [old_button(verb, job, label) for verb, label in verbs.items()]
    await as_posted_before(easel, result.response, "**img2img**", buttons[:5], buttons[5:])
    assert labels(result.response) == list(verbs.values())
    await easel.restart()
    for label in ("Again", "Vary (subtle)", "Upscale 2×"):
        await easel.alice.click(result.response, label=label)
        await easel.finish()
    assert await easel.count() == 4
    shown = await easel.alice.click(result.response, label="Parameters")
    assert "Steps: 20" in shown.response.content
    asked = await easel.alice.click(result.response, label="Delete")
    await press(easel.alice, asked.response, label="Delete for good")
    assert result.response is None


async def test_a_grid_posted_before_becomes_a_card_in_its_place(easel):
    grid = await easel.ask_plain("mask grid", image=("photo.png", png()))
    await easel.finish()
    job = (await easel.only_job()).id
    buttons = [old_button("subject", job, "Subject"), old_button("delete", job, "Delete")]
    await as_posted_before(easel, grid.response, "**mask**", buttons)
    await easel.restart()
    await easel.alice.click(grid.response, label="Subject")
    await easel.finish()
    assert grid.response.flags.value & V2
    assert "Go" in labels(grid.response)
    assert len(easel.messages()) == 1


async def test_a_card_that_waited_over_an_update_becomes_the_result(easel):
    card = await easel.ask()
    job = (await easel.only_job()).id
    await as_posted_before(
        easel, card.response, "**img2img**", [old_button("cancel", job, "Cancel")]
    )
    await easel.finish()
    assert card.response.flags.value & V2
    assert easel.env.backend.get_message(easel.channel.id, card.response.id).content == ""
    assert len(card.response.attachments) == 1


@pytest.mark.parametrize("end", ["done", "described", "failed", "cancelled"])
async def test_every_end_bears_the_mark_by_which_it_is_found_again(easel, end):
    kind = "interrogate" if end == "described" else "img2img"
    card = await easel.ask(kind)
    record = await easel.only_job()
    if end == "cancelled":
        await press(easel.alice, card.response, label="Cancel")
    elif end == "failed":
        for _ in range(3):
            easel.service.fail(Notice("job.failed"), "engine")
            await easel.env.settle()
    else:
        await easel.finish(images=end != "described", text="an apple" if end == "described" else "")
    await easel.env.settle()
    found = await easel.services.delivery.sender.find_delivered(
        ReplyTarget.from_json(record.reply_to), record
    )
    assert found == card.response.id


async def test_a_card_that_waits_is_not_taken_for_a_result(easel):
    await easel.ask()
    record = await easel.only_job()
    target = ReplyTarget.from_json(record.reply_to)
    assert await easel.services.delivery.sender.find_delivered(target, record) is None


async def test_a_result_is_shown_beside_what_the_channel_has_seen_before(easel):
    first = await easel.ask(prompt="a cat")
    await easel.finish()
    assert len(first.response.attachments) == 1  # what a member sent stays theirs
    shown = await press(easel.alice, first.response, label="Inpaint")
    await easel.finish()
    await easel.alice.select(shown.response, ["A1"])
    await easel.finish()
    form = await press(easel.alice, shown.response, label="Go")
    answer = await easel.alice.submit_modal(form, {"prompt": "a hat"})
    await easel.finish()
    assert len(answer.response.attachments) == 1  # made from the grid's picture, not the result's
    edited = await easel.alice.send(
        easel.channel, f"<@{easel.bot.user.id}> make it green", reply_to=first.response.message
    )
    assert edited
    await easel.finish(colour="green")
    before, after = easel.messages()[-1].attachments
    assert before.description == "Before: what the next picture was made from"
    assert "first what it was made from" in easel.messages()[-1].content.lower()
    assert "before" not in after.filename


async def test_what_a_member_sent_is_compared_for_them_alone(easel):
    first = await easel.ask(prompt="a cat", image=("photo.png", png((400, 300), "red")))
    await easel.finish(size=(400, 300))
    shown = await press(easel.alice, first.response, label="Before / after")
    assert shown.ephemeral
    before, after = shown.response.attachments
    assert "-before." in before.filename
    record = await easel.only_job()
    assert await after.read() == await easel.blobs.get(record.result["pictures"][0]["key"])
    refused = await press(easel.bob, first.response, label="Before / after")
    assert "Ask for one of your own" in refused.response.content


async def test_an_enlargement_is_compared_pixel_by_pixel(easel):
    first = await easel.ask("upscale", image=("photo.png", png((400, 300), "red")))
    await easel.finish(size=(800, 600))
    shown = await press(easel.alice, first.response, label="Before / after")
    assert "pixel by pixel" in shown.response.content
    assert len(shown.response.attachments) == 2


async def test_a_reply_and_the_apps_menu_take_the_picture_as_it_was_made(easel):
    first = await easel.ask(prompt="a cat", batch=3)
    await easel.finish(images=3)
    record = await easel.only_job()
    single = await press(easel.alice, first.response, label="U2")
    await easel.menu("Upscale 2×", single.response)
    assert easel.service.job.inputs["image"]
    (child, *_) = await easel.jobs.reader.list_by_owner(str(easel.alice.id))
    assert child.inputs == {"image": record.result["pictures"][1]["key"]}
    await easel.finish()
    await easel.alice.send(
        easel.channel, f"<@{easel.bot.user.id}> upscale", reply_to=first.response.message
    )
    (child, *_) = await easel.jobs.reader.list_by_owner(str(easel.alice.id))
    assert child.inputs == {"image": record.result["pictures"][0]["key"]}
