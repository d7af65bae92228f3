from __future__ import annotations


async def test_what_the_workers_have(house):
    result = await house.ask_plain("models")
    assert result.ephemeral
    assert result.response.content.splitlines() == [
        "**checkpoints**",
        "`starter` 128 px – small emoji",
        "**upscalers**",
        "`animevideov3` × 4 – fast",
    ]


async def test_no_worker_no_models(house):
    house.service.ready = False
    assert "No worker is ready" in (await house.ask_plain("models")).response.content
