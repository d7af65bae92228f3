"""Train the captioner: transformers' BlipForConditionalGeneration on pictures and captions.

Run: python -m tools.starter.train_captioner --minutes 10
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor
from transformers import CLIPModel

from tools.starter.augment import varied
from tools.starter.captioner import (
    build_captioner_tokenizer,
    build_processor,
    new_captioner,
    take_picture_side,
)
from tools.starter.captions import caption
from tools.starter.data import load
from tools.starter.scenes import Chances, Scene, scenes, stacked
from tools.starter.training import Draw, add_arguments, fit, groups_of, plan_of

BATCH = 64
LEARNING_RATE = 1e-3
IGNORED = -100  # the label that the loss leaves out
CHANCES = Chances(recoloured=0.04, pair=0.04)


def words_of(scene: Scene) -> str:
    """Return the caption to learn: always whole, in one order, white grounds unsaid."""
    return caption(scene.name, scene.style, None if scene.colour == "white" else scene.colour)


def main(arguments: list[str] | None = None) -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, "captioner")
    parser.add_argument("--clip", type=Path, default=Path("data/starter/clip"))
    options = parser.parse_args(arguments)
    plan = plan_of(options)
    dataset = load(options.data)
    rows = dataset.training_rows(concepts_only=True)
    tokenizer = build_captioner_tokenizer(dataset.names)
    torch.manual_seed(plan.seed)  # the initial weights alone come from the global generator
    captioner = new_captioner(tokenizer)
    take_picture_side(captioner, CLIPModel.from_pretrained(options.clip / "clip").float())
    captioner = captioner.to(plan.device).train()
    size = options.batch or BATCH

    def save(out: Path) -> None:
        captioner.save_pretrained(out / "captioner")
        build_processor(tokenizer).save_pretrained(out / "captioner")

    def loss(draw: Draw) -> tuple[Tensor, dict[str, float]]:
        drawn = scenes(dataset, draw.choice.choice(rows, size), rows, draw.choice, CHANCES)
        text = tokenizer([words_of(s) for s in drawn], padding=True, return_tensors="pt")
        ids, mask = text.input_ids.to(plan.device), text.attention_mask.to(plan.device)
        with torch.autocast(plan.device.type, torch.bfloat16):
            output = captioner(
                pixel_values=varied(stacked(drawn), draw.choice).to(plan.device),
                input_ids=ids,
                attention_mask=mask,
                labels=ids.masked_fill(mask == 0, IGNORED),
            )
        return output.loss.float(), {}

    rate = options.learning_rate or LEARNING_RATE
    fit(captioner, loss, groups_of(captioner, rate), plan, save, weight_decay=0.05)


if __name__ == "__main__":
    main()
