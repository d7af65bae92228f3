"""What the starter pack's CLIP can name: things, drawing styles and background colours."""

from __future__ import annotations

import json
from pathlib import Path

from torch import Tensor

from inference.interrogation.matches import Match, best
from inference.interrogation.phrases import SUBJECTS, PhraseList
from inference.models.errors import CorruptWeights

STYLES = tuple(f"{name} style" for name in ("noto", "blob", "fluent", "flat", "twemoji", "firefox"))
COLOURS = (
    *("white", "black", "red", "green", "blue"),
    *("yellow", "pink", "orange", "purple", "gray"),
)
BACKGROUNDS = tuple(f"on {name} background" for name in COLOURS)


def read_names(pack: Path) -> PhraseList:
    """Read the names of the things that the pack was trained on.

    Raises:
        CorruptWeights: concepts.json is missing or no list of names.
    """
    try:
        names = json.loads((pack / "concepts.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CorruptWeights(f"The starter pack's concepts.json cannot be read: {error}") from error
    if not isinstance(names, list) or not names:
        raise CorruptWeights("The starter pack's concepts.json lists no names.")
    return PhraseList(SUBJECTS, tuple(str(name) for name in names))


def scenes(name: str) -> tuple[str, ...]:
    """Write a thing's full captions, as the pack was trained on them: style by style, each ground.

    Styles and grounds said alone were never trained on; asked for within the caption of the thing
    that is seen, the ground is right nearly twice as often.
    """
    return tuple(f"{name} {style} {ground}" for style in STYLES for ground in BACKGROUNDS)


def style_and_ground(share: Tensor) -> tuple[Match, ...]:
    """Pick the likeliest style and the likeliest ground.

    Takes the probabilities of a thing's scenes, [60] float32; the share of a style is the sum over
    its grounds, and the other way round.
    """
    table = share.view(len(STYLES), len(BACKGROUNDS))
    return best(table.sum(dim=1), STYLES, 1) + best(table.sum(dim=0), BACKGROUNDS, 1)
