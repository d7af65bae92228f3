from __future__ import annotations

from inference.api.infotext.text import parse_infotext
from inference.api.jobs import ImagineJob
from inference.diffusion.model import ModelTraits
from inference.operations.shared.parameters import build_denoise_work, build_infotext


def networks(prompt: str, negative: str) -> dict[str, str]:
    return {"Lora hashes": f"{prompt}: 1, b: 2", "TI hashes": f"{negative}: 3"}


def test_networks_and_emphasis_are_written_as_the_field_writes_them():
    work = build_denoise_work(
        ImagineJob(prompt="a", negative_prompt="c", emphasis="Ignore"), "tiny", (64, 64)
    )
    text = build_infotext(work, ModelTraits("tiny", "", False, networks))
    assert 'Emphasis: Ignore, Lora hashes: "a: 1, b: 2", TI hashes: "c: 3", Version:' in text
    assert parse_infotext(text).values["Lora hashes"] == "a: 1, b: 2"


def test_the_usual_emphasis_needs_no_word():
    work = build_denoise_work(ImagineJob(), "tiny", (64, 64))
    assert "Emphasis" not in build_infotext(work, ModelTraits("tiny", "", False))
