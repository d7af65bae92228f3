"""Bad input is refused alone, says what to change, and can be mended where it was written."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from inference.api.messages import ModelInfo
from inference.api.notices import Notice
from tests.doubles.cards import control_rows, press
from tests.doubles.forms import filled_in
from tests.doubles.images import encoded, png

PHOTO = ("photo.png", png(size=(64, 48)))
LAIONS = ("realesrgan-x4plus", "realesrgan-x4plus-anime", "lanczos")


def picture(colour: Any, size: tuple[int, int] = (64, 48), mode: str = "RGB") -> tuple[str, bytes]:
    return "photo.png", encoded(Image.new(mode, size, colour))


MASK = ("mask.png", png(size=(64, 48), colour="white"))
BLACK = ("mask.png", png(size=(64, 48), colour="black"))
CLEAR = picture((9, 9, 9, 0), mode="RGBA")

#: Command, options, words of the refusal: what ux.md tried, and its neighbours.
BAD = [
    ("img2img", {"model": "startr"}, "Did you mean starter?"),
    ("img2img", {"model": "nothing-like-it"}, "/models"),
    ("imagine", {"model": "../../etc/passwd"}, "There is no checkpoint"),
    ("explain", {"prompt": "a fox", "model": "sdxl"}, "There is no checkpoint"),
    ("redraw", {"model": "sdxl"}, "There is no checkpoint"),
    ("upscale", {"upscaler": "ESRGAN_4x"}, "There is no upscaler “ESRGAN_4x”"),
    ("upscale", {"upscaler": "animevideo"}, "Did you mean animevideov3?"),
    ("upscale", {"second": "gigapixel"}, "There is no upscaler"),
    ("imagine", {"hires_scale": 2.0, "hires_upscaler": "gigapixel"}, "There is no upscaler"),
    ("img2img", {"prompt": "a <lora:linart:1>"}, "Did you mean lineart?"),
    ("imagine", {"negative_prompt": "<lora:nothing:1>"}, "There is no LoRA “nothing”"),
    ("img2img", {"prompt": "a <lora:lineart:much>"}, "is not a number"),
    ("img2img", {"prompt": "a __coulours__ cat"}, "There is no list"),
    ("interrogate", {"model": "blip9"}, "There is no captioner"),
    ("interrogate", {"method": "tags", "model": "captions9"}, "There is no tagger"),
    ("inpaint", {"mask": BLACK}, "no white pixel"),
    ("inpaint", {"mask": MASK, "mask_mode": "not masked"}, "all white"),
    ("inpaint", {"prompt": "a hat"}, "must know where"),
    ("inpaint", {"mask_shape": "left thirty"}, "is no length"),
    ("inpaint", {"mask_shape": "F9"}, "columns A to E"),
    ("inpaint", {"mask_shape": "the hat"}, "There is no shape"),
    ("inpaint", {"mask_shape": '"the hat"'}, "Pick cells of the grid"),
    ("inpaint", {"mask_shape": "left 0%"}, "marks no pixel"),
    ("inpaint", {"mask_shape": "left 30%", "image": picture("red", (7, 7))}, "smaller than 8"),
    ("img2img", {"image": picture("red", (64, 7))}, "smaller than 8"),
    ("img2img", {"image": CLEAR}, "fully transparent"),
    ("inpaint", {"image": CLEAR, "mask": MASK}, "fully transparent"),
    ("outpaint", {"image": CLEAR, "left": 64}, "fully transparent"),
    ("outpaint", {"left": 0}, "Say how far"),
    ("img2img", {"more": "clip_skipp: 2"}, "Did you mean clip"),
    ("img2img", {"more": "clip_skip: many"}, "whole number"),
    ("img2img", {"more": "strength: 5"}, "between 0 and 1"),
    ("img2img", {"image": ("a.pdf", b"%PDF-1.7")}, "PDF document"),
    ("img2img", {"image": ("photo.png", png()[:60])}, "damaged"),
    ("mask preview", {"mask_shape": "circle 1 2"}, "needs 3 lengths"),
    ("mask preview", {"mask": BLACK}, "no white pixel"),
]


async def ask(easel, command: str, options: dict[str, Any]) -> Any:
    given = dict(options)
    if command not in ("imagine", "explain"):
        given.setdefault("image", PHOTO)
    return await easel.ask_plain(command, **given)


@pytest.mark.parametrize(("command", "options", "words"), BAD)
async def test_it_is_refused_alone_with_the_way_out(easel, command, options, words):
    result = await ask(easel, command, options)
    refusal = (result.followups or [result.response])[0]
    assert refusal.ephemeral
    assert words in refusal.content.replace("\\", "")
    assert easel.messages() == []
    assert await easel.count() == 0
    (button,) = refusal.components[0]["components"]
    assert button["label"] == "Edit"


async def test_what_needs_a_network_that_is_not_there_is_refused(easel):
    easel.service.models = tuple(m for m in easel.service.models if m.kind == "diffusion")
    for command, options in (
        ("interrogate", {"method": "tags"}),
        ("loopback", {"append": "tags"}),
        ("loopback", {"append": "caption"}),
        ("inpaint", {"mask_shape": "subject - face"}),
    ):
        result = await ask(easel, command, options)
        assert result.ephemeral, (command, options)
    assert await easel.count() == 0


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("R-ESRGAN 4x+", "realesrgan-x4plus"),
        ("R-ESRGAN 4x+ Anime6B", "realesrgan-x4plus-anime"),
        ("RealESRGAN_x4plus.pth", "realesrgan-x4plus"),
        ("Lanczos", "lanczos"),
        ("REALESRGAN-X4PLUS", "realesrgan-x4plus"),
    ],
)
async def test_upscalers_are_known_by_the_names_of_the_web_uis(easel, written, read):
    upscalers = (ModelInfo(name=name, kind="upscaler", size=4) for name in LAIONS)
    easel.service.models = (*easel.service.models, *upscalers)
    await easel.ask("upscale", upscaler=written)
    assert easel.service.job.params["upscaler"] == read


@pytest.mark.parametrize("written", ["Starter", "starter.safetensors", "starter [0123abcdef]"])
async def test_checkpoints_are_known_by_their_files(easel, written):
    await easel.ask("img2img", model=written)
    assert easel.service.job.params["model"] == "starter"


async def test_a_file_that_no_worker_has_told_yet_is_left_to_it(easel):
    folder = easel.settings.models_path / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "brandnew.safetensors").write_bytes(b"")
    await easel.ask("img2img", model="brandnew")
    assert easel.service.job.params["model"] == "brandnew"


async def test_while_no_worker_has_told_what_it_has_every_name_waits(easel):
    easel.service.ready = False
    result = await easel.ask("img2img", model="anything")
    assert not result.ephemeral


async def test_a_refused_command_is_mended_in_a_form_that_holds_it(easel):
    result = await easel.ask(
        "img2img", prompt="a red apple", model="startr", seed=5, more="rng: NV", strength=0.4
    )
    form = await press(easel.alice, result.response, label="Edit")
    values = filled_in(form)
    assert (values["prompt"], values["strength"]) == ("a red apple", "0.4")
    assert "model: startr" in values["more"]
    values["more"] = values["more"].replace("startr", "starter")
    await easel.alice.submit_modal(form, values)
    params = easel.service.job.params
    assert (params["model"], params["seed"], params["rng"]) == ("starter", 5, "NV")
    assert (params["prompt"], params["strength"]) == ("a red apple", 0.4)
    assert set(easel.service.job.inputs) == {"image"}


async def test_the_form_is_called_as_the_command_was(easel):
    for command in ("redraw", "upscale"):
        result = await ask(easel, command, {"upscaler": "gigapixel"})
        form = await easel.alice.click((result.followups or [result.response])[0], label="Edit")
        assert form.modal["title"] == f"Edit this {command}"


async def test_a_picture_of_no_use_is_exchanged_in_the_form(easel):
    result = await easel.ask("img2img", prompt="a fox", image=picture("red", (7, 7)))
    form = await press(easel.alice, result.followups[0], label="Edit")
    await easel.alice.submit_modal(form, filled_in(form, image=PHOTO))
    assert easel.service.job.params["prompt"] == "a fox"


FOUND_BY_THE_WORKER = Notice("prompt.too_many_parts", count=9, most=3)


async def test_what_only_the_worker_finds_is_told_to_who_asked_alone(easel):
    result = await easel.ask("img2img", prompt="a AND b", seed=5)
    easel.service.fail(FOUND_BY_THE_WORKER)
    await easel.env.settle()
    (reason,) = result.followups
    assert reason.ephemeral
    assert "9 parts joined by AND" in reason.content
    assert easel.messages() == []
    form = await press(easel.alice, reason, label="Edit")
    assert filled_in(form)["prompt"] == "a AND b"
    await easel.alice.submit_modal(form, filled_in(form, prompt="a"))
    assert (easel.service.job.params["prompt"], easel.service.job.params["seed"]) == ("a", 5)


async def test_after_the_token_the_card_says_nothing_but_that_and_a_button_why(easel):
    result = await easel.ask("img2img", prompt="a AND b")
    await easel.env.advance_time(901)
    easel.service.fail(FOUND_BY_THE_WORKER)
    await easel.env.settle()
    (card,) = easel.messages()
    assert card.content == (
        f"**img2img** for <@{easel.alice.id}> could not be done as asked. They alone can see why."
    )
    assert result.followups == []
    refused = await press(easel.bob, card, label="Why?")
    assert "Only they can see why" in refused.response.content
    told = await press(easel.alice, card, label="Why?")
    assert told.ephemeral
    assert "9 parts joined by AND" in told.response.content


async def test_what_broke_by_itself_is_said_where_it_was_asked_and_can_be_tried_again(easel):
    result = await easel.ask("img2img")
    for _ in range(3):
        easel.service.fail(Notice("job.failed"), "engine")
        await easel.env.settle()
    assert "Given up after 3 attempts" in result.response.content
    ((button, _),) = control_rows(result.response)
    assert button["label"] == "Try again"
