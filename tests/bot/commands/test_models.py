from __future__ import annotations


async def test_what_the_workers_have(house):
    result = await house.ask_plain("models")
    assert result.ephemeral
    assert result.response.content.splitlines() == [
        "**checkpoints**",
        "`starter` 128 px – small emoji",
        "**upscalers**",
        "`animevideov3` × 4 – fast",
        "**LoRAs**",
        "`lineart`",
    ]


async def test_no_worker_no_models(house):
    house.service.ready = False
    assert "No worker is ready" in (await house.ask_plain("models")).response.content


async def test_loras_that_a_server_does_not_allow_are_left_out(house):
    await house.guilds.change_settings(str(house.guild.id), "1", {"loras": ["other"]})
    assert "lineart" not in (await house.ask_plain("models")).response.content
