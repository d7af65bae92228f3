"""Make the pictures of docs/guide.md anew, with the starter model: `python -m tools.guide`.

To be run, and its pictures looked at, whenever the model changes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from benchmarks.canvas import Bench
from inference.api.jobs import (
    ImagineJob,
    Img2ImgJob,
    InpaintJob,
    Job,
    LoopbackJob,
    OutpaintJob,
    PreviewJob,
    UpscaleJob,
)
from inference.engine.work import JobResult
from inference.images.mask import language, preview

FOLDER = Path("docs/guide")
SAMPLE = Path("bot/samples/red-apple.png")
SIDE, GAP = 192, 8
DARK = (24, 25, 28)
APPLE = "red apple noto style on white background"
CAT = "cat face noto style on white background"
BURGER = "hamburger flat style on white background"


class Guide:
    """Runs jobs and lays their pictures side by side."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def make(self, job: Job, **images: Image.Image) -> JobResult:
        """Run one job."""
        return self._bench.run([(job, images)])[0]

    def image(self, job: Job, **images: Image.Image) -> Image.Image:
        """Run one job and return its first picture."""
        return self.make(job, **images).images[0].image


def opened(path: Path) -> Image.Image:
    """Open a source on white, 128 pixels a side."""
    image = Image.open(path).convert("RGBA")
    base = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(base, image).convert("RGB").resize((128, 128))


def drawing(guide: Guide) -> list[Image.Image]:
    """Turn a render into a drawing, at three strengths."""
    source = opened(FOLDER / "hamburger.png")
    return [
        source,
        *(
            guide.image(
                Img2ImgJob(prompt=BURGER, strength=strength, guidance=4.0, seed=3), image=source
            )
            for strength in (0.3, 0.5, 0.7)
        ),
    ]


def sketch(guide: Guide) -> list[Image.Image]:
    """Turn three shapes into a picture; three tries."""
    source = Image.new("RGB", (128, 128), "white")
    draw = ImageDraw.Draw(source)
    draw.ellipse((18, 34, 110, 120), fill=(214, 40, 32))
    draw.rectangle((61, 18, 67, 40), fill=(92, 42, 50))
    draw.ellipse((67, 14, 104, 34), fill=(62, 160, 48))
    job = Img2ImgJob(prompt=APPLE, strength=0.6, guidance=4.0, seed=7, batch=3)
    return [source, *(made.image for made in guide.make(job, image=source).images)]


def inpaint(guide: Guide) -> list[Image.Image]:
    """Show the source, the mask, one part changed, and softly the right half."""
    source = opened(SAMPLE)
    shape = "circle 50% 55% r28%"
    mask = language.draw_mask(shape, source.size)
    part = InpaintJob(
        prompt=CAT,
        mask_shape=shape,
        area="only masked",
        padding=16,
        strength=0.9,
        guidance=4.0,
        seed=2,
    )
    soft = InpaintJob(
        prompt="green apple noto style on white background",
        mask_shape="right 50%",
        mask_blur=10,
        soft=True,
        strength=0.9,
        guidance=4.0,
        seed=4,
    )
    return [
        source,
        preview.draw_mask_preview(source, mask),
        guide.image(part, image=source),
        guide.image(soft, image=source),
    ]


def checkpoint(guide: Guide) -> list[Image.Image]:
    """Show the source, the mask, and the half made from noise without and with the variant."""
    source = opened(SAMPLE)
    shape = "right 50%"
    job = InpaintJob(
        prompt=APPLE,
        mask_shape=shape,
        masked_content="latent noise",
        strength=1.0,
        guidance=4.0,
        seed=3,
    )
    return [
        source,
        preview.draw_mask_preview(source, language.draw_mask(shape, source.size)),
        guide.image(job, image=source),
        guide.image(replace(job, model="starter-inpaint"), image=source),
    ]


def seam(guide: Guide) -> list[Image.Image]:
    """Show a repaint whose border shows, and the same after the coherence pass."""
    source = opened(SAMPLE)
    prompt = "green apple noto style on white background"
    common: dict[str, Any] = {"prompt": prompt, "guidance": 4.0, "seed": 7}
    first = InpaintJob(mask_shape="right 50%", mask_blur=0, strength=0.9, **common)
    patched = guide.image(first, image=source)
    mask = language.draw_mask("right 50%", source.size)
    outcome = guide.make(
        InpaintJob(area="mask edge", strength=0.3, **common), image=patched, mask=mask
    )
    print(*outcome.notes, sep="\n")
    return [source, patched, outcome.images[0].image]


def mask(guide: Guide) -> list[Image.Image]:
    """Show a picture, and the mask over it with the box that only masked works on."""
    source = opened(SAMPLE).resize((512, 512), Image.Resampling.LANCZOS)
    return [source, guide.image(PreviewJob(mask_shape="circle 60% 40% r16%"), image=source)]


def outpaint(guide: Guide) -> list[Image.Image]:
    """Continue half a picture by both methods."""
    half = opened(SAMPLE).crop((0, 0, 64, 128))
    shown = Image.new("RGB", (128, 128), DARK)
    shown.paste(half)
    job: dict[str, Any] = {"prompt": APPLE, "right": 64, "mask_blur": 2, "steps": 30, "seed": 1}
    job |= {"guidance": 4.0}
    methods = ("mk2", "poor man's")
    return [shown, *(guide.image(OutpaintJob(method=m, **job), image=half) for m in methods)]


def loopback(guide: Guide) -> list[Image.Image]:
    """Show the source and five loops."""
    source = opened(FOLDER / "cat.png")
    job = LoopbackJob(prompt=CAT, loops=5, strength=0.35, final_strength=0.35, guidance=4.0, seed=8)
    made = guide.make(job, image=source).images
    frames = [one.image for one in made if one.role == "frame"]
    return [source, *frames, made[0].image]


def redraw(guide: Guide) -> list[Image.Image]:
    """Enlarge a small picture without a network, and redraw it with its own seed."""
    small = guide.image(ImagineJob(prompt=APPLE, seed=5, guidance=4.0))
    common: dict[str, Any] = {"upscaler": "lanczos", "factor": 2.0}
    redrawn = UpscaleJob(mode="redraw", prompt=APPLE, strength=0.25, seed=5, guidance=4.0, **common)
    return [
        small,
        guide.image(UpscaleJob(**common), image=small),
        guide.image(redrawn, image=small),
    ]


PAGES: tuple[Callable[[Guide], list[Image.Image]], ...] = (
    drawing,
    sketch,
    inpaint,
    checkpoint,
    seam,
    mask,
    outpaint,
    loopback,
    redraw,
)


def strip(images: Sequence[Image.Image], side: int) -> Image.Image:
    """Lay pictures side by side on a dark ground, each as high as `side`."""
    width = GAP + len(images) * (side + GAP)
    out = Image.new("RGB", (width, side + 2 * GAP), DARK)
    for number, image in enumerate(images):
        fitted = image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
        out.paste(fitted, (GAP + number * (side + GAP), GAP))
    return out


def main() -> None:
    """Make every page's strip."""
    with tempfile.TemporaryDirectory() as folder:
        guide = Guide(Bench(folder))
        for page in PAGES:
            side = 256 if page in (redraw, mask) else SIDE
            strip(page(guide), side).save(FOLDER / f"{page.__name__}.png", optimize=True)
            print(page.__name__, flush=True)


if __name__ == "__main__":
    main()
