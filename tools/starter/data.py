"""Rasterise the icon sets into one array of pictures, with their names and styles.

Run: python -m tools.starter.data --icons node_modules/@iconify-json --data data/starter
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tools.starter.captions import HELD_BACK_SET, STYLE_OF_SET, STYLES, concepts, name_of_icon
from tools.starter.captions import held_back as held_back_names

SIZE = 128  # pixels a side: a server's custom emoji
EMPTY_ALPHA = 8.0  # a mean alpha below this, of 255, is a picture that failed to draw

Images = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Icon:
    """One drawing of one set: its caption name, its style word and a whole SVG document."""

    name: str
    style: str
    svg: str


@dataclass(frozen=True)
class Dataset:
    """Rasterised icons: uint8 [N, 128, 128, 4] straight-alpha RGBA, with N names and styles."""

    images: Images
    names: tuple[str, ...]
    styles: tuple[str, ...]

    @property
    def concepts(self) -> list[str]:
        """The names that CLIP, the diffusion model and the judge know, sorted."""
        return concepts(self.names, self.styles)

    @property
    def held_back(self) -> frozenset[str]:
        """The names that no generative model is trained on."""
        return held_back_names(self.names)

    def rows(
        self, *, styles: tuple[str, ...] = STYLES, names: frozenset[str] | None = None
    ) -> npt.NDArray[np.int64]:
        """Return the row numbers of these styles and, where given, these names."""
        chosen = [
            row
            for row, (name, style) in enumerate(zip(self.names, self.styles, strict=True))
            if style in styles and (names is None or name in names)
        ]
        return np.asarray(chosen, dtype=np.int64)

    def training_rows(self, *, concepts_only: bool) -> npt.NDArray[np.int64]:
        """Return the rows to train on: the trained styles without the held-back names."""
        known = self.concepts if concepts_only else self.names
        return self.rows(names=frozenset(known) - self.held_back)


def icons_of_set(icon_set: dict[str, Any], style: str) -> Iterator[Icon]:
    """Yield the drawable icons of one parsed icons.json (the Iconify JSON format)."""
    for key, icon in icon_set["icons"].items():
        name = name_of_icon(key)
        if name is None:
            continue
        box = {
            edge: icon.get(edge, icon_set.get(edge, default))
            for edge, default in (("left", 0), ("top", 0), ("width", 16), ("height", 16))
        }
        view = f"{box['left']} {box['top']} {box['width']} {box['height']}"
        yield Icon(
            name,
            style,
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{view}" width="{SIZE}" height="{SIZE}">{icon["body"]}</svg>',
        )


def rasterise(icon: Icon) -> Images | None:
    """Draw one icon: uint8 [128, 128, 4] straight-alpha RGBA, or None where nothing was drawn."""
    import resvg_py  # only this step of the whole recipe needs it

    try:
        png = bytes(resvg_py.svg_to_bytes(svg_string=icon.svg, width=SIZE, height=SIZE))
    except ValueError:
        return None
    image = Image.open(io.BytesIO(png)).convert("RGBA")
    if image.size != (SIZE, SIZE):
        image = image.resize((SIZE, SIZE))
    pixels = np.asarray(image)
    return pixels if pixels[..., 3].mean() >= EMPTY_ALPHA else None


def build(icons: Path, data: Path) -> Dataset:
    """Rasterise every set under icons and write pictures.npy and pictures.json into data."""
    images: list[Images] = []
    names: list[str] = []
    styles: list[str] = []
    for folder, style in {**STYLE_OF_SET, HELD_BACK_SET: HELD_BACK_SET}.items():
        icon_set = json.loads((icons / folder / "icons.json").read_text())
        for icon in icons_of_set(icon_set, style):
            pixels = rasterise(icon)
            if pixels is not None:
                images.append(pixels)
                names.append(icon.name)
                styles.append(style)
    data.mkdir(parents=True, exist_ok=True)
    np.save(data / "pictures.npy", np.stack(images))
    (data / "pictures.json").write_text(json.dumps({"names": names, "styles": styles}))
    return load(data)


def load(data: Path) -> Dataset:
    """Read what build() wrote; the pictures stay on disk until they are indexed.

    Raises:
        FileNotFoundError: build() has not run for this folder.
    """
    labels = json.loads((data / "pictures.json").read_text())
    images = np.load(data / "pictures.npy", mmap_mode="r")
    return Dataset(images, tuple(labels["names"]), tuple(labels["styles"]))


def main(arguments: list[str] | None = None) -> None:
    """Build the data set from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--icons", type=Path, default=Path("node_modules/@iconify-json"))
    parser.add_argument("--data", type=Path, default=Path("data/starter"))
    options = parser.parse_args(arguments)
    dataset = build(options.icons, options.data)
    print(
        f"{len(dataset.names)} pictures, {len(set(dataset.names))} names, "
        f"{len(dataset.concepts)} concepts, {len(dataset.held_back)} names held back"
    )


if __name__ == "__main__":
    main()
