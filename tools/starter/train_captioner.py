"""Train the captioner: transformers' BlipForConditionalGeneration on pictures and captions.

Beside the words it learns what the judge, a convolutional network, makes of the same picture: some
thousand icons are too few for a transformer to find out alone what a shape in a new style shows
(Touvron et al. 2021, "Training data-efficient image transformers", section 4).

Run: python -m tools.starter.train_captioner --minutes 90
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BlipForConditionalGeneration, CLIPModel

from tools.starter.augment import varied
from tools.starter.captioner import (
    WIDTH,
    build_captioner_tokenizer,
    build_processor,
    new_captioner,
    take_image_side,
)
from tools.starter.captions import caption
from tools.starter.data import load
from tools.starter.judge import Judge
from tools.starter.scenes import Chances, Scene, scenes, stacked
from tools.starter.training import Draw, add_arguments, fit, groups_of, plan_of

BATCH = 64
LEARNING_RATE = 1e-3
IGNORED = -100  # the label that the loss leaves out
CHANCES = Chances(recoloured=0.04, pair=0.04)
TEMPERATURE = 2.0
PLAIN = 0.5  # of the pictures that the captioner sees are not varied


class Pupil(nn.Module):
    """The captioner, and a head that names what its picture side saw; training alone needs it.

    names: how many names the head tells apart.
    """

    def __init__(self, captioner: BlipForConditionalGeneration, names: int) -> None:
        super().__init__()
        self.captioner = captioner
        self.head = nn.Linear(WIDTH, names)

    def named(self, seen: Tensor) -> Tensor:
        """Return name scores [B, names] from the picture side's states [B, tokens, WIDTH]."""
        scores: Tensor = self.head(seen.mean(1))
        return scores


def divergence(scores: Tensor, taught: Tensor, of: Tensor) -> Tensor:
    """Return the mean Kullback-Leibler divergence from the teacher's names to the pupil's.

    scores, taught: [B, names]. of: bool [B], the pictures of one thing; the teacher knows no pairs.
    """
    pupil = functional.log_softmax(scores.float() / TEMPERATURE, 1)
    teacher = functional.log_softmax(taught.float() / TEMPERATURE, 1)
    each = (teacher.exp() * (teacher - pupil)).sum(1) * TEMPERATURE**2
    return (each * of).sum() / of.sum().clamp_min(1)


def words_of(scene: Scene) -> str:
    """Return the caption to learn: always whole, in one order, white grounds unsaid."""
    return caption(scene.name, scene.style, None if scene.colour == "white" else scene.colour)


def main(arguments: list[str] | None = None) -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, "captioner")
    parser.add_argument("--clip", type=Path, default=Path("data/starter/clip"))
    parser.add_argument("--judge", type=Path, default=Path("data/starter/judge"))
    options = parser.parse_args(arguments)
    plan = plan_of(options)
    dataset = load(options.data)
    rows = dataset.training_rows(concepts_only=True)
    tokenizer = build_captioner_tokenizer(dataset.names)
    torch.manual_seed(plan.seed)  # the initial weights alone come from the global generator
    captioner = new_captioner(tokenizer)
    take_image_side(captioner, CLIPModel.from_pretrained(options.clip / "clip").float())
    judge = Judge.load(options.judge).to(plan.device).requires_grad_(False)
    pupil = Pupil(captioner, len(judge.names)).to(plan.device).train()
    judge = judge.to(memory_format=torch.channels_last)
    size = options.batch or BATCH

    def save(out: Path) -> None:
        captioner.save_pretrained(out / "captioner")
        build_processor(tokenizer).save_pretrained(out / "captioner")

    def loss(draw: Draw) -> tuple[Tensor, dict[str, float]]:
        drawn = scenes(dataset, draw.choice.choice(rows, size), rows, draw.choice, CHANCES)
        text = tokenizer([words_of(s) for s in drawn], padding=True, return_tensors="pt")
        ids, mask = text.input_ids.to(plan.device), text.attention_mask.to(plan.device)
        images = stacked(drawn)
        plain = torch.from_numpy(draw.choice.random(size) < PLAIN)[:, None, None, None]
        shown = torch.where(plain, images, varied(images, draw.choice)).to(plan.device)
        images = images.to(plan.device, memory_format=torch.channels_last)
        with torch.autocast(plan.device.type, torch.bfloat16):
            with torch.no_grad():
                taught, _ = judge(images)  # as they are: it has not learnt from varied ones
            output = captioner(
                pixel_values=shown,
                input_ids=ids,
                attention_mask=mask,
                labels=ids.masked_fill(mask == 0, IGNORED),
            )
            scores = pupil.named(output.last_hidden_state)
        one = torch.tensor([" left of " not in s.name for s in drawn], device=plan.device)
        apart = divergence(scores, taught, one)
        words = output.loss.float()
        agreed = (scores.argmax(1) == taught.argmax(1)).float().mean().item()
        return words + apart, {"words": words.item(), "agreed": agreed}

    rate = options.learning_rate or LEARNING_RATE
    fit(pupil, loss, groups_of(pupil, rate), plan, save, weight_decay=0.05)


if __name__ == "__main__":
    main()
