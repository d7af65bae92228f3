"""What the starter pack's CLIP can name: things, drawing styles and background colours."""

from __future__ import annotations

import json
from pathlib import Path

from torch import Tensor

from inference.model_files.errors import CorruptWeights
from inference.vision.interrogation.ranking.matches import PhraseMatch, top_matches
from inference.vision.interrogation.ranking.phrases import SUBJECT_LIST, PhraseList

STYLE_PHRASES = tuple(
    f"{name} style" for name in ("noto", "blob", "fluent", "flat", "twemoji", "firefox")
)
COLOUR_NAMES = (
    *("white", "black", "red", "green", "blue"),
    *("yellow", "pink", "orange", "purple", "gray"),
)
BACKGROUND_PHRASES = tuple(f"on {name} background" for name in COLOUR_NAMES)


def read_subject_names(pack: Path) -> PhraseList:
    """Read the names of the things that the pack was trained on.

    Raises:
        CorruptWeights: concepts.json is missing or no list of names.
    """
    try:
        names = json.loads((pack / "concepts.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CorruptWeights("weights.concepts_unreadable", error=error) from error
    if not isinstance(names, list) or not names:
        raise CorruptWeights("weights.no_concepts")
    return PhraseList(SUBJECT_LIST, tuple(str(name) for name in names))


def scene_captions(name: str) -> tuple[str, ...]:
    """Write a thing's full captions, as the pack was trained on them: style by style, each ground.

    Styles and grounds said alone were never trained on; asked for within the caption of the thing
    that is seen, the ground is right nearly twice as often.
    """
    return tuple(
        f"{name} {style} {ground}" for style in STYLE_PHRASES for ground in BACKGROUND_PHRASES
    )


def style_and_background(share: Tensor) -> tuple[PhraseMatch, ...]:
    """Pick the likeliest style and the likeliest ground.

    Takes the probabilities of a thing's scenes, [60] float32; the share of a style is the sum over
    its grounds, and the other way round.
    """
    table = share.view(len(STYLE_PHRASES), len(BACKGROUND_PHRASES))
    return top_matches(table.sum(dim=1), STYLE_PHRASES, 1) + top_matches(
        table.sum(dim=0), BACKGROUND_PHRASES, 1
    )
