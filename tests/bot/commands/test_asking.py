"""Every command that makes a job: accepted, refused, never half done."""

from __future__ import annotations

import pytest
import simcord

from bot.uploads.validation import FIRST_FRAME_NOTE
from inference.api.jobs import JOB_TYPES
from storage.errors import DiskFull, DiskReadOnly
from storage.records import JobState
from tests.doubles.cards import control_rows, press, words_of
from tests.doubles.images import animation, bomb, encoded, noise, png

ASKED = {
    "imagine": {"prompt": "a red apple"},
    "img2img": {"prompt": "a red apple"},
    "inpaint": {"mask_shape": "left 30%", "mask": ("mask.png", png(colour="white"))},
    "outpaint": {"right": 64},
    "loopback": {"loops": 2},
    "upscale": {"factor": 4.0},
    "interrogate": {"method": "tags"},
    "explain": {"prompt": "a (red:1.3) apple"},
    "preview": {"mask_shape": "B2-D4", "mask_mode": "not masked"},
}


@pytest.mark.parametrize("kind", JOB_TYPES)
async def test_a_command_becomes_a_job_and_its_card_the_result(easel, kind):
    result = await easel.ask(kind, **ASKED[kind])
    record = await easel.only_job()
    assert (
        kind,
        JobState.RUNNING,
        str(easel.alice.id),
    ) == (record.kind, record.state, record.owner)
    assert str(easel.guild.id) == record.guild
    given = {name: value for name, value in ASKED[kind].items() if name != "mask"}
    assert given.items() <= dict(easel.service.job.params).items()
    assert set(easel.service.job.inputs) == {"image", "mask"} & {
        *ASKED[kind],
        *JOB_TYPES[kind].required_images,
    }
    assert not result.ephemeral
    await easel.finish(text="a cat")
    assert len(easel.messages()) == 1
    assert "a cat" in result.response.content
    (attachment,) = result.response.attachments
    assert (await attachment.read()).startswith(b"\x89PNG")


async def test_a_picture_alone_is_enough(easel):
    await easel.ask("img2img")
    params = easel.service.job.params
    assert (params["strength"], params["steps"], params["guidance"]) == (0.75, 20, 7.0)
    assert params["seed"] >= 0


async def test_outpaint_alone_grows_on_all_sides(easel):
    await easel.ask("outpaint")
    params = easel.service.job.params
    assert params["preset"] == "zoom out 1.5x"


async def test_inpaint_alone_asks_where(easel):
    result = await easel.ask("inpaint")
    assert (easel.service.job.kind, easel.service.job.params["show"]) == ("preview", "grid")
    await easel.finish(role="preview")
    ((select,), *_) = control_rows(result.response)
    assert select["custom_id"].startswith("easel:cells:")


async def test_the_first_answer_comes_before_anything_is_read(easel):
    await easel.ask("img2img")
    requests = [entry.path for entry in easel.env.http_requests]
    callback = next(n for n, path in enumerate(requests) if path.endswith("/callback"))
    assert not any("attachments" in path for path in requests[:callback])
    answer = easel.env.http_requests[callback].json["data"]
    assert words_of("", answer["components"]).startswith("**img2img**")


async def test_a_result_carries_its_parameters_and_alt_text(easel):
    result = await easel.ask("img2img", prompt="a red apple")
    await easel.finish()
    (attachment,) = result.response.attachments
    assert attachment.description == "img2img: a red apple"
    assert b"parameters" in await attachment.read()


async def test_nobody_is_pinged(easel):
    await easel.ask("img2img", prompt="@everyone <@1>")
    await easel.finish()
    for entry in easel.env.http_requests:
        body = entry.json if isinstance(entry.json, dict) else {}
        data = body.get("data", body)
        if isinstance(data, dict) and "content" in data:
            assert data["allowed_mentions"] == {"parse": []}


async def test_what_was_done_to_the_picture_is_said(easel):
    result = await easel.ask("img2img", image=("film.gif", animation("GIF")))
    assert FIRST_FRAME_NOTE in result.response.content


async def test_progress_is_shown_at_most_every_two_and_a_half_seconds(easel):
    result = await easel.ask("img2img")
    for step in range(1, 5):
        easel.service.progress(step, 20)
        await easel.env.settle()
    assert "step 1 of 20" in result.response.content
    await easel.env.advance_time(2.6)
    easel.service.progress(9, 20)
    await easel.env.settle()
    assert "step 9 of 20" in result.response.content
    easel.service.progress(20, 20)
    await easel.finish()
    assert "Euler a" in result.response.content


async def test_a_job_that_waits_says_behind_how_many(easel):
    easel.service.capacity = 1
    await easel.ask("img2img")
    await easel.ask("img2img", member=easel.bob)
    result = await easel.ask("img2img", member=easel.bob)
    assert "Number 2 in the queue, behind 1." in result.response.content


async def test_without_a_worker_jobs_wait_and_say_so(easel):
    easel.service.ready = False
    result = await easel.ask("img2img")
    assert "No worker is running now" in result.response.content
    assert (await easel.only_job()).state is JobState.QUEUED


async def test_while_a_worker_rests_jobs_are_kept(easel):
    easel.service.ready = False
    easel.service.trouble, easel.service.is_resting = "It ended three times.", True
    result = await easel.ask("img2img")
    assert "No worker is running now" in result.response.content
    assert (await easel.only_job()).state is JobState.QUEUED
    easel.service.trouble = ""


async def test_while_no_worker_can_start_nothing_is_queued(easel):
    easel.service.trouble = "There is no checkpoint at /srv/models/nothing."
    result = await easel.ask("img2img")
    assert result.ephemeral
    assert result.response.content.startswith("No model is loaded")
    assert "/srv" not in result.response.content
    assert await easel.count() == 0
    easel.service.trouble = ""
    await easel.ask("img2img")
    assert await easel.count() == 1


async def test_a_job_the_worker_refuses_says_why_and_can_be_tried_again(easel):
    result = await easel.ask("inpaint", mask_shape="left 30%")
    easel.service.fail("The mask is blank: mark what is to be repainted.")
    await easel.env.settle()
    assert "The mask is blank" in result.response.content
    again = await press(easel.alice, result.response, label="Try again")
    assert (await easel.count(), again.acknowledged) == (2, True)


async def test_a_worker_that_dies_is_not_the_members_business(easel):
    result = await easel.ask("img2img")
    easel.service.lose_worker()
    await easel.env.settle()
    assert easel.service.job.attempt == 2
    await easel.finish()
    assert len(result.response.attachments) == 1
    assert len(easel.messages()) == 1


async def test_three_dead_workers_end_a_job_with_words(easel):
    result = await easel.ask("img2img")
    for _ in range(3):
        easel.service.lose_worker("it ran out of memory")
        await easel.env.settle()
    assert "Given up after 3 attempts: it ran out of memory" in result.response.content


NOISE = noise((200, 200))
BAD_IMAGES = {
    "no picture": (("a.png", b"just words"), "is not a picture"),
    "text by its type": (("a.txt", b"just words"), "is not a picture but text/plain"),
    "0 bytes": (("a.png", b""), "0 bytes"),
    "truncated": (("a.jpg", encoded(NOISE, "JPEG")[:3000]), "is damaged"),
    "too many bytes": (("a.png", b"\0" * (2**20 + 1)), "at most 1 MiB"),
    "too many pixels": (("a.png", bomb(2000, 2000)), "at most 1 megapixels"),
    "a bitmap": (("a.bmp", encoded(NOISE, "BMP")), "is a BMP, which cannot be read here"),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
async def test_a_bad_picture_is_refused_for_the_member_alone(easel, case):
    image, words = BAD_IMAGES[case]
    result = await easel.ask("img2img", image=image)
    refusals = [m for m in (result.response, *result.followups) if m is not None]
    assert [message.ephemeral for message in refusals] == [True]
    assert words in refusals[0].content
    assert easel.messages() == []
    assert await easel.count() == 0


GOOD_IMAGES = {
    "CMYK": ("a.jpg", encoded(NOISE.convert("CMYK"), "JPEG")),
    "16 bit": ("a.png", encoded(NOISE.convert("I").convert("I;16"))),
    "palette with alpha": ("a.png", encoded(NOISE.quantize(8), transparency=0)),
    "animated WebP": ("a.webp", animation("WEBP")),
    "no extension": ("picture", encoded(NOISE)),
}


@pytest.mark.parametrize("case", GOOD_IMAGES)
async def test_an_odd_picture_is_taken(easel, case):
    await easel.ask("img2img", image=GOOD_IMAGES[case])
    assert await easel.count() == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"left": 0}, "Say how far"),
    ],
)
async def test_an_impossible_job_is_refused_before_anything_is_shown(easel, options, words):
    result = await easel.ask("outpaint", **options)
    assert result.ephemeral
    assert words in result.response.content
    assert len(easel.env.http_requests) == 3  # login, commands, this one answer


@pytest.mark.parametrize(
    "options",
    [{"strength": 1.5}, {"steps": 0}, {"steps": 151}, {"sampler": "Eulerr"}, {"width": 4096}],
)
async def test_discord_itself_keeps_values_in_their_range(easel, options):
    with pytest.raises(simcord.SetupError):
        await easel.ask("img2img", **options)


async def test_a_full_queue_is_said_to_the_member_alone(easel):
    easel.service.ready = False
    for _ in range(3):
        await easel.ask("img2img")
    result = await easel.ask("img2img")
    (refusal,) = result.followups
    assert refusal.ephemeral
    assert "You already have 3 waiting jobs, and the limit is 3." in refusal.content
    assert len(easel.messages()) == 3
    assert await easel.count() == 3


@pytest.mark.parametrize(
    ("error", "words"), [(DiskFull, "The disk is full"), (DiskReadOnly, "The disk is read-only")]
)
async def test_a_full_disk_is_said_and_queues_nothing(easel, monkeypatch, error, words):
    def full(content):
        raise error

    monkeypatch.setattr(easel.blobs, "_put_new_sync", full)
    result = await easel.ask("img2img")
    (refusal,) = result.followups
    assert refusal.ephemeral
    assert words in refusal.content
    assert await easel.count() == 0


async def test_a_refused_upload_leaves_nothing(easel):
    easel.service.ready = False
    for _ in range(3):
        await easel.ask("img2img")
    keys = await easel.blobs.list_keys()

    result = await easel.ask("img2img", image=("other.png", png(colour="purple")))

    assert "the limit is 3" in result.followups[0].content
    assert await easel.blobs.list_keys() == keys


async def test_a_member_who_keeps_too_much_is_told_and_leaves_nothing(easel):
    easel.services.submitter.member_storage.max_bytes = 10
    result = await easel.ask("img2img")
    (refusal,) = result.followups
    assert refusal.ephemeral
    assert "which your unfinished jobs need" in refusal.content
    assert await easel.count() == 0
    assert await easel.blobs.list_keys() == set()


async def test_an_interaction_delivered_twice_makes_one_job(easel):
    await easel.ask("img2img")
    record = await easel.only_job()
    dispatcher = easel.services.dispatcher
    twice = await dispatcher.submit_job(
        job=dispatcher.check_job(JOB_TYPES["upscale"](), {"image": png()}),
        images={"image": png()},
        owner=record.owner,
        guild=record.guild,
        reply_to=record.reply_to,
        idempotency_key=record.idempotency_key,
    )
    assert (twice.created, twice.record.id) == (False, record.id)


async def test_an_error_of_our_own_is_an_incident(easel, monkeypatch, caplog):
    async def broken(*args, **kwargs):
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr(easel.services.dispatcher, "submit_job", broken)
    result = await easel.ask("img2img")
    (answer,) = result.followups
    assert answer.ephemeral
    assert "Something went wrong on Easel's side" in answer.content
    assert "fire" not in answer.content
    assert "the disk is on fire" in caplog.text
    assert easel.messages() == []
    assert any("on fire" in str(error) for error in easel.take_errors())


async def test_models_and_upscalers_are_completed(easel):
    complete = easel.alice.autocomplete
    models = await complete(easel.channel, "img2img", "model", "sta")
    upscalers = await complete(easel.channel, "upscale", "upscaler", "")
    assert [choice["value"] for choice in models] == ["starter"]
    assert [choice["name"] for choice in upscalers] == ["animevideov3 – fast"]
    assert await complete(easel.channel, "img2img", "model", "nothing like it") == []


async def test_a_direct_message_works_too(easel):
    user = easel.alice.user
    result = await user.slash("img2img", image=("a.png", png()))
    await easel.finish()
    assert len(result.response.attachments) == 1
    assert (await easel.only_job()).guild is None


@pytest.mark.parametrize("seed", [5, 2**53 + 1, 2**64 - 1])
async def test_a_seed_of_64_bits_is_written_as_text(easel, seed):
    await easel.ask("imagine", prompt="a fox", seed=seed)
    assert easel.service.job.params["seed"] == seed


async def test_a_drawn_seed_is_one_that_every_program_takes(easel, monkeypatch):
    monkeypatch.setattr("random.randrange", lambda bound: bound - 1)
    await easel.ask("imagine", prompt="a fox")
    assert easel.service.job.params["seed"] < 2**32


@pytest.mark.parametrize(
    ("seed", "words"),
    [("lucky", "seed must be a whole number, not “lucky”"), (2**64, "18446744073709551615")],
)
async def test_an_impossible_seed_is_refused_with_what_is_possible(easel, seed, words):
    refused = await easel.ask("imagine", prompt="a fox", seed=seed)
    assert words in refused.response.content
