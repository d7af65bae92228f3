"""Measure a starter pack and write the figures as JSON, with a contact sheet of 64 pictures.

Run: python -m tools.starter.evaluate --pack inference/starter --judge data/starter/judge
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional
from transformers import BlipForConditionalGeneration, BlipProcessor, CLIPModel

from inference.api.jobs.kinds import Img2ImgJob
from inference.model_files.files import INPAINT_DIR
from tools.starter.augment import compose, to_tensor
from tools.starter.captions import COLOURS, HELD_BACK_SET, STYLES, caption
from tools.starter.data import Dataset, load
from tools.starter.judge import Judge, ranks
from tools.starter.masks import ellipse
from tools.starter.measures import background_colours, head_word, seam_score, share
from tools.starter.pack import Pack
from tools.starter.train_vae import held_back_psnr

Figures = dict[str, float]
#: Side of the pictures that judge and models were trained on, in pixels.
JUDGED = 128
T = TypeVar("T")


def on_white(dataset: Dataset, rows: np.ndarray) -> Tensor:
    """Return the rows' pictures on white, float32 [B, 3, 128, 128] in -1 to 1."""
    return compose(to_tensor(dataset.images[rows]), torch.ones(1))


def spread(items: Sequence[T], count: int) -> list[T]:
    """Return count items evenly spread over all."""
    return [items[int(i * len(items) / count)] for i in range(count)]


def spread_rows(rows: np.ndarray, count: int) -> np.ndarray:
    """Return count rows, or all where there are fewer, evenly spread."""
    return rows[spread(range(len(rows)), min(count, len(rows)))]


def autoencoder(pack: Pack, dataset: Dataset) -> Figures:
    """Measure reconstruction of held-back names, and of every eighth picture of the unseen set."""
    unseen = dataset.rows(styles=(HELD_BACK_SET,))[::8]
    return {
        "psnr_held_back_names": held_back_psnr(
            pack.vae, dataset, dataset.rows(names=dataset.held_back)
        ),
        "psnr_unseen_set": held_back_psnr(pack.vae, dataset, unseen),
    }


@dataclass(frozen=True)
class Asked:
    """What is to be drawn: trained names, evenly spread, in all styles, half on a colour."""

    names: list[str]
    styles: list[str]
    grounds: list[str | None]

    @classmethod
    def of(cls, dataset: Dataset, judge: Judge, count: int) -> Asked:
        """Choose count of them."""
        trained = [name for name in judge.names if name not in dataset.held_back]
        colours = zip(range(count), cycle(COLOURS), strict=False)
        return cls(
            spread(trained, count),
            [s for _, s in zip(range(count), cycle(STYLES), strict=False)],
            [c if i % 2 else None for i, c in colours],
        )

    @property
    def prompts(self) -> list[str]:
        """Their captions."""
        return [
            caption(*parts) for parts in zip(self.names, self.styles, self.grounds, strict=True)
        ]

    def judged(self, judge: Judge, images: Tensor) -> Figures:
        """Measure whether the judge finds name and style, and whether the background is right."""
        wanted = torch.tensor([judge.names.index(name) for name in self.names])
        with torch.no_grad():
            name_scores, style_scores = judge(scaled(images, JUDGED))
        place = ranks(name_scores, wanted)
        style = ranks(style_scores, torch.tensor([STYLES.index(s) for s in self.styles]))
        seen = background_colours(images)
        return {
            "top1": share((place < 1).tolist()),
            "top10": share((place < 10).tolist()),
            "style": share((style < 1).tolist()),
            "background": share(
                [s == (g or "white") for s, g in zip(seen, self.grounds, strict=True)]
            ),
        }


def drawings(pack: Pack, dataset: Dataset, judge: Judge, count: int, guidance: float) -> Figures:
    """Measure drawings by the judge, and the background's colour."""
    asked = Asked.of(dataset, judge, count)
    return named("drawn", asked.judged(judge, pack.draw(asked.prompts, guidance=guidance)))


def enlarged(pack: Pack, dataset: Dataset, judge: Judge, count: int, guidance: float) -> Figures:
    """Measure drawings of twice the trained size, drawn so at once and by hires fix at 0.4."""
    asked = Asked.of(dataset, judge, count)
    start = scaled(pack.draw(asked.prompts, guidance=guidance), 2 * JUDGED)
    options: dict[str, Any] = {"guidance": guidance, "size": 2 * JUDGED}
    at_once = pack.draw(asked.prompts, **options)
    again = pack.draw(asked.prompts, start=start, strength=0.4, **options)
    figures = named("large", asked.judged(judge, at_once))
    return figures | named("hires", asked.judged(judge, again))


def scaled(images: Tensor, side: int) -> Tensor:
    """Return the pictures at another size, bicubic, still within -1 to 1."""
    if images.shape[-1] == side:
        return images
    size = (side, side)
    return functional.interpolate(images, size=size, mode="bicubic", antialias=True).clamp(-1, 1)


def named(kind: str, figures: Figures) -> Figures:
    """Put the kind of picture before the figures' names."""
    return {f"{kind}_{key}": value for key, value in figures.items()}


def restyled(pack: Pack, dataset: Dataset, judge: Judge, count: int) -> Figures:
    """Measure image-to-image at strength 0.6 from noto to "fluent style", by the judge's styles.

    Guidance is what `/img2img` takes where nothing is said.
    """
    rows = dataset.rows(styles=("noto",), names=frozenset(judge.names) - dataset.held_back)
    rows = spread_rows(rows, count)
    prompts = [caption(dataset.names[row], "fluent") for row in rows]
    start = on_white(dataset, rows)
    images = pack.draw(prompts, start=start, strength=0.6, guidance=Img2ImgJob.guidance)
    wanted = torch.tensor([judge.names.index(dataset.names[row]) for row in rows])
    with torch.no_grad():
        name_scores, style_scores = judge(images)
    fluent = style_scores.argmax(1) == STYLES.index("fluent")
    return {
        "restyled_fluent": share(fluent.tolist()),
        "restyled_top10": share((ranks(name_scores, wanted) < 10).tolist()),
    }


@torch.no_grad()
def interrogation(pack: Pack, dataset: Dataset, judge: Judge) -> Figures:
    """Measure captions, and CLIP's ranking, on all trained names in the unseen style."""
    names = frozenset(judge.names) - dataset.held_back
    rows = dataset.rows(styles=(HELD_BACK_SET,), names=names)
    images = on_white(dataset, rows)
    figures = clip_recall(pack, images, [dataset.names[row] for row in rows], judge.names)
    if not (pack.folder / "captioner").exists():
        return figures
    processor = BlipProcessor.from_pretrained(pack.folder / "captioner")
    captioner = BlipForConditionalGeneration.from_pretrained(pack.folder / "captioner").float()
    said = []
    for start in range(0, len(images), 32):
        part = images[start : start + 32]
        ids = captioner.eval().generate(pixel_values=part, max_new_tokens=20)
        said += processor.batch_decode(ids, skip_special_tokens=True)
    found = [
        head_word(dataset.names[row]) in text.split() for row, text in zip(rows, said, strict=True)
    ]
    whole = [f"{dataset.names[row]} " in text for row, text in zip(rows, said, strict=True)]
    return {**figures, "caption_head_word": share(found), "caption_whole_name": share(whole)}


@torch.no_grad()
def clip_recall(pack: Pack, images: Tensor, names: list[str], choices: list[str]) -> Figures:
    """Measure how often the pack's CLIP puts the name first, or among ten, of all the choices."""
    clip = CLIPModel.from_pretrained(pack.folder / "clip").float().eval()
    ids = pack.tokenizer(
        choices,
        padding="max_length",
        truncation=True,
        max_length=pack.tokenizer.model_max_length,
        return_tensors="pt",
    ).input_ids
    scores = clip(input_ids=ids, pixel_values=images).logits_per_image
    place = ranks(scores, torch.tensor([choices.index(name) for name in names]))
    return {
        "clip_top1": share((place < 1).tolist()),
        "clip_top10": share((place < 10).tolist()),
    }


def inpainting(pack: Pack, dataset: Dataset, judge: Judge, count: int) -> Figures:
    """Measure the seam that inpainting an ellipse leaves, against the untouched pictures' own."""
    rows = spread_rows(dataset.training_rows(concepts_only=True), count)
    images = on_white(dataset, rows)
    choice = np.random.default_rng(0)
    masks = torch.stack([ellipse(images.shape[-1], choice) for _ in rows])
    prompts = [caption(dataset.names[row], dataset.styles[row]) for row in rows]
    made = pack.inpaint(prompts, images, masks)
    wanted = torch.tensor([judge.names.index(dataset.names[row]) for row in rows])
    with torch.no_grad():
        place = ranks(judge(made)[0], wanted)
    return {
        "inpaint_seam": seam_score(made, masks),
        "inpaint_seam_untouched": seam_score(images, masks),
        "inpaint_top10": share((place < 10).tolist()),
    }


def speed(pack: Pack) -> Figures:
    """Time one 20-step picture, bfloat16, on the threads that torch has."""
    pack.draw(["red apple"], steps=2)
    began = time.perf_counter()
    pack.draw(["red apple"], steps=20)
    return {"seconds_20_steps": time.perf_counter() - began}


def contact_sheet(pack: Pack, prompts: list[str], path: Path, guidance: float) -> None:
    """Draw the prompts and write them as one sheet, eight a row."""
    images = ((pack.draw(prompts, guidance=guidance) + 1) * 127.5).round().byte()
    rows = [torch.cat(list(images[i : i + 8]), dim=2) for i in range(0, len(images), 8)]
    Image.fromarray(torch.cat(rows, dim=1).permute(1, 2, 0).numpy()).save(path)


def main(arguments: list[str] | None = None) -> None:
    """Evaluate from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data/starter"))
    parser.add_argument("--pack", type=Path, default=Path("inference/starter"))
    parser.add_argument("--judge", type=Path, default=Path("data/starter/judge"))
    parser.add_argument("--out", type=Path, default=Path("data/starter/evaluation"))
    parser.add_argument("--prompts", type=Path, help="a file of prompts for the contact sheet")
    parser.add_argument("--count", type=int, default=240, help="drawings to judge")
    parser.add_argument("--guidance", type=float, default=5.0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    dataset, pack = load(options.data), Pack.load(options.pack)
    judge, count = Judge.load(options.judge), options.count
    parts: list[Callable[[], Figures]] = [
        lambda: autoencoder(pack, dataset),
        lambda: drawings(pack, dataset, judge, count, options.guidance),
        lambda: enlarged(pack, dataset, judge, count // 4, options.guidance),
        lambda: restyled(pack, dataset, judge, count),
        lambda: interrogation(pack, dataset, judge),
        lambda: speed(pack),
    ]
    if (options.pack / INPAINT_DIR).exists():
        parts.append(lambda: inpainting(pack, dataset, judge, count // 4))
    figures: Figures = {}
    options.out.mkdir(parents=True, exist_ok=True)
    for part in parts:
        found = part()
        print(json.dumps(found), flush=True)
        figures |= found
        (options.out / "figures.json").write_text(json.dumps(figures, indent=1))
    if options.prompts:
        prompts = options.prompts.read_text().splitlines()
        contact_sheet(pack, prompts, options.out / "samples.png", options.guidance)


if __name__ == "__main__":
    main()
