"""The independent judge: a small residual classifier of names and styles, for evaluation alone.

It shares no weight with the models that it judges.
"""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from tools.starter.captions import STYLES

CHANNELS = (48, 96, 192, 320)
INPUT = 64  # pixels: shape and colour are there at half size, at a quarter of the cost


class Block(nn.Module):
    """Two normalised 3 x 3 convolutions beside a shortcut; the first one may halve the picture."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(inner), nn.BatchNorm2d(outer)])
        self.shortcut = nn.Conv2d(inner, outer, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, inner, H, W] to [B, outer, H / stride, W / stride]."""
        y = functional.relu(self.norms[0](x))
        z = self.second(functional.relu(self.norms[1](self.first(y))))
        mapped: Tensor = z + self.shortcut(y)
        return mapped


class Judge(nn.Module):
    """Say which name and which style a picture shows.

    names: the vocabulary, in the order of the scores.
    """

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self.names = names
        self.stem = nn.Conv2d(3, CHANNELS[0], 3, 2, 1, bias=False)
        widths = (CHANNELS[0], *CHANNELS)
        self.blocks = nn.Sequential(
            *(
                Block(inner, outer, 1 if index == 0 else 2)
                for index, (inner, outer) in enumerate(zip(widths, CHANNELS, strict=False))
            )
        )
        self.norm = nn.BatchNorm2d(CHANNELS[-1])
        self.name_head = nn.Linear(CHANNELS[-1], len(names))
        self.style_head = nn.Linear(CHANNELS[-1], len(STYLES))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return name scores [B, names] and style scores [B, STYLES].

        pictures: RGB [B, 3, 128, 128] in -1 to 1.
        """
        small = functional.interpolate(images, size=(INPUT, INPUT), mode="area")
        features = functional.relu(self.norm(self.blocks(self.stem(small)))).mean((2, 3))
        return self.name_head(features), self.style_head(features)

    def save(self, out: Path) -> None:
        """Write weights and names into a folder."""
        out.mkdir(parents=True, exist_ok=True)
        save_file(
            {k: v.contiguous() for k, v in self.state_dict().items()}, out / "judge.safetensors"
        )
        (out / "names.json").write_text(json.dumps(self.names))

    @classmethod
    def load(cls, folder: Path) -> Judge:
        """Read what save() wrote, ready to judge."""
        judge = cls(json.loads((folder / "names.json").read_text()))
        judge.load_state_dict(load_file(folder / "judge.safetensors"))
        return judge.eval()


def ranks(scores: Tensor, wanted: Tensor) -> Tensor:
    """Return the place, 0 the best, of each wanted index [B] among its scores [B, N]."""
    own = scores.gather(1, wanted[:, None])
    return (scores > own).sum(1)
