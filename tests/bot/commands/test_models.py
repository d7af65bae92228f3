from __future__ import annotations


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


async def test_no_worker_no_models(easel):
    easel.service.ready = False
    assert "No worker is ready" in (await easel.ask_plain("models")).response.content


async def test_loras_that_a_server_does_not_allow_are_left_out(easel):
    await easel.guilds.change_settings(str(easel.guild.id), "1", {"loras": ["other"]})
    assert "lineart" not in (await easel.ask_plain("models")).response.content
