"""What cannot be done with masks and canvases, asked on the command line."""

from __future__ import annotations

import pytest
from PIL import Image

from inference.api.workers.process import WorkerProcess
from tests.inference.conftest import tiny_model  # noqa: F401 - a checkpoint for a real worker

START = WorkerProcess.start


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["loopback", "--loops", "33"], "loops is 33, but must lie between 1 and 32."),
        (["loopback", "--loops", "0"], "loops is 0, but must lie between 1 and 32."),
        (["outpaint"], "Say how far: left, right, up or down in pixels, or a preset."),
        (["outpaint", "--left", "513"], "left is 513, but must lie between 0 and 512."),
        (["inpaint", "--mask-blur", "65"], "must lie between 0 and 64."),
        (["upscale", "--mode", "redraw", "--overlap", "257"], "must lie between 0 and 256."),
    ],
)
async def test_what_is_impossible_is_refused_at_once(call, photo, words, reason):
    code, (event,) = await call("job", *words, "--image", str(photo), "--json")
    assert (code, event["event"]) == (2, "refused")
    assert reason in event["reason"]


@pytest.mark.slow
async def test_a_real_worker_says_what_to_change(call, tiny_model, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(WorkerProcess, "start", START)
    images = {
        "photo": Image.new("RGB", (64, 48), "red"),
        "clear": Image.new("RGBA", (64, 48)),
        "tiny": Image.new("RGB", (7, 64)),
        "large": Image.new("RGB", (2000, 2000)),
        "black": Image.new("L", (64, 48)),
        "white": Image.new("L", (64, 48), 255),
        "tall": Image.new("L", (20, 60), 255),
    }
    for name, picture in images.items():
        picture.save(tmp_path / f"{name}.png")
    host = {"model": "tiny", "models_dir": tiny_model}

    async def ask(kind, image, *words, mask=None):
        files = ["--image", str(tmp_path / f"{image}.png")]
        files += ["--mask", str(tmp_path / f"{mask}.png")] if mask else []
        command = ("job", kind, *files, *words, "--json", "--out", str(tmp_path / "out"))
        code, events = await call(*command, changed=host)
        return code, events[-1]

    for kind, image, words, mask, reason in (
        ("inpaint", "photo", (), "black", "has no white pixel"),
        ("inpaint", "clear", (), None, "fully transparent"),
        ("outpaint", "large", ("--left", "512"), None, "at most 48 pixels a side fit"),
        ("outpaint", "tiny", ("--left", "64"), None, "smaller than 8 × 8 pixels"),
    ):
        code, event = await ask(kind, image, *words, mask=mask)
        assert (code, event["event"]) == (1, "failed")
        assert reason in event["reason"]
    for mask, note in (("white", "covers 100%"), ("tall", "has another shape than the picture")):
        code, event = await ask("inpaint", "photo", "--steps", "1", mask=mask)
        assert code == 0
        assert any(note in said for said in event["notes"])
