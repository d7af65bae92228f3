from __future__ import annotations

from dataclasses import replace


async def test_what_the_workers_have(easel):
    result = await easel.ask_plain("models")
    assert result.ephemeral
    assert result.response.content.splitlines() == [
        "**captioners**",
        "`captions`",
        "**checkpoints**",
        "`starter` 128 px – small emoji",
        "**mask networks**",
        "`face`",
        "`subject`",
        "**taggers**",
        "`tags`",
        "**upscalers**",
        "`animevideov3` × 4 – fast",
        "**LoRAs**",
        "`lineart`",
    ]


async def test_of_what_some_workers_lack_it_is_said_how_many_have_it(easel, monkeypatch):
    (status,) = easel.service.worker_statuses
    model, lora = (
        next(model for model in status.models if model.kind == kind)
        for kind in ("diffusion", "lora")
    )
    statuses = (
        replace(status, models=(model, lora)),
        replace(status, name="second", ready=False, models=(model,)),
        replace(status, name="third", models=(model, replace(model, name="other"))),
        replace(status, name="fourth", ready=False, models=()),  # it has not said yet
    )
    monkeypatch.setattr(type(easel.service), "worker_statuses", statuses)

    assert (await easel.ask_plain("models")).response.content.splitlines() == [
        "**checkpoints**",
        "`other` 128 px – small emoji (1 of 3 cards)",
        "`starter` 128 px – small emoji",
        "**LoRAs**",
        "`lineart` (1 of 3 cards)",
    ]


async def test_no_worker_no_models(easel):
    easel.service.ready = False
    assert "No worker is ready" in (await easel.ask_plain("models")).response.content


async def test_loras_that_a_server_does_not_allow_are_left_out(easel):
    await easel.guilds.change_settings(str(easel.guild.id), "1", {"loras": ["other"]})
    assert "lineart" not in (await easel.ask_plain("models")).response.content
