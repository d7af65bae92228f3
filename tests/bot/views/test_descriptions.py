"""What stands under a description, and what comes of pressing it."""

from __future__ import annotations

import pytest

from bot.requests.descriptions import list_prompts, list_things
from inference.api.messages import DescribedPhrase, ModelInfo, WorkerReady
from storage.moderation import Verdict
from tests.bot.views.test_results import child_of
from tests.doubles.cards import labels, press
from tests.doubles.images import png
from tests.storage.factories import make_record

CAPTION = DescribedPhrase(kind="caption", text="a red apple on a wooden table", share=0.83)
STYLE = DescribedPhrase(kind="match", text="oil painting", share=0.4)
TAG = DescribedPhrase(kind="tag", text="red apple", share=0.97)
CAPTIONER = ModelInfo(name="blip", kind="captioner", size=384)
TAGGER = ModelInfo(name="wd", kind="tagger", size=448)
WORDS = ModelInfo(name="words", kind="mask", size=352)


async def told(easel, *models):
    """Workers have these models and no others."""
    easel.service.send_event(WorkerReady(device="cpu", dtype="float32", models=models))
    easel.service.models = models
    await easel.env.settle()


async def described(easel, *phrases, **options):
    result = await easel.ask(
        "interrogate", image=("photo.png", png((400, 300), "green")), **options
    )
    text = ", ".join(phrase.text for phrase in phrases)
    await easel.finish(images=0, text=text, phrases=phrases)
    return result.response


async def test_it_shows_the_picture_and_how_sure_it_is(easel):
    message = await described(easel, CAPTION, STYLE)
    (file,) = message.attachments
    assert file.description == "interrogate: a red apple on a wooden table, oil painting"
    assert "The network is sure of this (0.83 of 1)." in message.content


@pytest.mark.parametrize(("share", "words"), [(0.6, "fairly sure"), (0.3, "unsure")])
async def test_doubt_is_said(easel, share, words):
    message = await described(easel, DescribedPhrase(kind="tag", text="cat", share=share))
    assert words in message.content


async def test_where_no_network_says_how_sure_it_is_nothing_is_said(easel):
    await easel.ask("interrogate")
    await easel.finish(images=0, text="a cat")
    assert "network is" not in easel.messages()[-1].content


async def test_what_no_worker_can_do_is_not_offered(easel):
    await told(easel, CAPTIONER)
    message = await described(easel, CAPTION, STYLE)
    assert labels(message)[:3] == ["From the caption", "From the style", "From all of it"]
    await told(easel, CAPTIONER, TAGGER, WORDS)
    message = await described(easel, CAPTION, STYLE)
    assert labels(message)[:5] == [
        "From the caption",
        "From the style",
        "From the tags",
        "From all of it",
        "Repaint a part of it …",
    ]


@pytest.mark.parametrize(
    ("label", "prompt"),
    [
        ("From the caption", "a red apple on a wooden table"),
        ("From the style", "oil painting"),
        ("From all of it", "a red apple on a wooden table, oil painting"),
    ],
)
async def test_one_tap_paints_the_picture_from_its_words(easel, label, prompt):
    message = await described(easel, CAPTION, STYLE)
    record = await easel.only_job()
    await easel.restart()
    await press(easel.alice, message, label=label)
    job = await child_of(easel)
    assert (job.kind, job.params["prompt"]) == ("img2img", prompt)
    assert (job.inputs, job.parent) == (record.inputs, record.id)


async def test_tags_are_asked_for_before_they_are_painted_from(easel):
    await told(easel, CAPTIONER, TAGGER)
    message = await described(easel, CAPTION)
    await press(easel.alice, message, label="From the tags")
    job = await child_of(easel)
    assert (job.kind, job.params["method"]) == ("interrogate", "tags")
    await easel.finish(images=0, text="red apple", phrases=(TAG,))
    await press(easel.alice, easel.messages()[-1], label="From the tags")
    job = await child_of(easel)
    assert (job.kind, job.params["prompt"]) == ("img2img", "red apple")


async def test_a_thing_is_picked_marked_and_repainted(easel):
    await told(easel, CAPTIONER, WORDS)
    message = await described(easel, CAPTION)
    record = await easel.only_job()
    await easel.restart()
    await told(easel, CAPTIONER, WORDS)
    custom_id = f"easel:thing:{record.id}"
    marked = await easel.alice.select(message, ["wooden table"], custom_id=custom_id)
    job = await child_of(easel)
    assert (job.kind, job.params["mask_shape"]) == ("preview", '"wooden table"')
    await easel.finish()
    form = await press(easel.alice, marked.response, label="Go")
    await easel.alice.submit_modal(form, {"prompt": "a stone wall"})
    job = await child_of(easel)
    assert (job.kind, job.params["prompt"]) == ("inpaint", "a stone wall")
    assert job.params["mask_shape"] == '"wooden table"'
    assert job.inputs == record.inputs


async def test_somebody_elses_description_is_not_painted_from(easel):
    message = await described(easel, CAPTION)
    refused = await press(easel.bob, message, label="From the caption")
    assert refused.ephemeral
    assert await easel.count() == 1


async def test_a_picture_that_may_not_be_seen_is_not_shown_with_its_description(easel):
    await easel.guilds.change_settings(str(easel.guild.id), "1", {"nsfw_ordinary": "spoiler"})
    easel.detector.scores = [0.0, 0.99]
    message = await described(easel, CAPTION)
    record = await easel.only_job()
    screening = await easel.moderation.get_screening(record.id)
    assert screening.verdict is Verdict.SPOILER
    assert all(file.is_spoiler() for file in message.attachments)


def test_things_are_what_a_caption_names():
    words = "a woman wearing a red hat, standing next to two cats"
    record = make_record(kind="interrogate", params={}, result={"text": words})
    assert list_things(record) == ["woman", "red hat", "cats"]
    assert list_prompts(record) == {"caption": words}
