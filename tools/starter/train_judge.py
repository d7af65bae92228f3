"""Train the judge on every trained set, held-back names included: it measures, it does not draw.

Run: python -m tools.starter.train_judge --minutes 8
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tools.starter.captions import HELD_BACK_SET, STYLES
from tools.starter.data import Dataset, load
from tools.starter.judge import Judge, ranks
from tools.starter.scenes import Chances, scenes, stacked
from tools.starter.training import Draw, Group, add_arguments, fit, plan_of

BATCH = 64
LEARNING_RATE = 2e-3
STYLE_WEIGHT = 0.3
CHANCES = Chances(coloured_ground=0.6, moved=0.7, recoloured=0.0, pair=0.0)


def blurred(images: Tensor, draw: Draw) -> Tensor:
    """Take fine detail from a random part of the batch [B, 3, H, W], as an autoencoder would."""
    factor = int(draw.choice.integers(1, 5))
    coarse = functional.interpolate(
        functional.avg_pool2d(images, factor), size=images.shape[-2:], mode="bilinear"
    )
    flags = torch.from_numpy(draw.choice.random(len(images)) < 0.5)
    noise = 0.06 * torch.randn(images.shape, generator=draw.noise)
    return torch.where(flags[:, None, None, None], coarse, images) + noise


@torch.no_grad()
def held_back_set_recall(judge: Judge, dataset: Dataset) -> tuple[float, float]:
    """Return top-1 and top-10 recall of the names on the set that the judge has not seen."""
    rows = dataset.rows(styles=(HELD_BACK_SET,), names=frozenset(judge.names))
    plain = Chances(0, 0, 0, 0)
    places = []
    for start in range(0, len(rows), BATCH):
        drawn = scenes(dataset, rows[start : start + BATCH], rows, np.random.default_rng(0), plain)
        wanted = torch.tensor([judge.names.index(s.name) for s in drawn])
        scores, _ = judge(stacked(drawn).to(next(judge.parameters()).device))
        places.append(ranks(scores.cpu(), wanted))
    found = torch.cat(places)
    return (found < 1).float().mean().item(), (found < 10).float().mean().item()


def main(arguments: list[str] | None = None) -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, "judge")
    options = parser.parse_args(arguments)
    plan = plan_of(options)
    dataset = load(options.data)
    names = dataset.concepts
    rows = dataset.rows(names=frozenset(names))
    torch.manual_seed(plan.seed)  # the initial weights alone come from the global generator
    judge = Judge(names).to(plan.device).to(memory_format=torch.channels_last).train()
    places = {name: place for place, name in enumerate(names)}
    size = options.batch or BATCH

    def loss(draw: Draw) -> tuple[Tensor, dict[str, float]]:
        drawn = scenes(dataset, draw.choice.choice(rows, size), rows, draw.choice, CHANCES)
        images = blurred(stacked(drawn), draw).to(plan.device)
        name = torch.tensor([places[s.name] for s in drawn], device=plan.device)
        style = torch.tensor([STYLES.index(s.style) for s in drawn], device=plan.device)
        with torch.autocast(plan.device.type, torch.bfloat16):
            images = images.contiguous(memory_format=torch.channels_last)
            name_scores, style_scores = judge(images)
        total = functional.cross_entropy(name_scores.float(), name, label_smoothing=0.05)
        total = total + STYLE_WEIGHT * functional.cross_entropy(style_scores.float(), style)
        found = (ranks(name_scores, name) < 1).float().mean().item()
        kind = (ranks(style_scores, style) < 1).float().mean().item()
        return total, {"top1": found, "style": kind}

    rate = options.learning_rate or LEARNING_RATE
    fit(judge, loss, [Group(judge.parameters(), rate)], plan, judge.save, weight_decay=0.05)
    first, tenth = held_back_set_recall(Judge.load(plan.out), dataset)
    print(f"unseen set: top-1 {first:.3f}, top-10 {tenth:.3f}")


if __name__ == "__main__":
    main()
