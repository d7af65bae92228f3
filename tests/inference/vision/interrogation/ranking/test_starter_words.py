import json

import pytest
import torch

from inference.model_files.errors import CorruptWeights
from inference.model_library import STARTER_FOLDER
from inference.vision.interrogation.ranking.matches import PhraseMatch
from inference.vision.interrogation.ranking.starter_words import (
    BACKGROUND_PHRASES,
    STYLE_PHRASES,
    read_subject_names,
    scene_captions,
    style_and_background,
)


def test_the_packs_names_are_read():
    names = json.loads((STARTER_FOLDER / "concepts.json").read_text())
    assert tuple(names) == read_subject_names(STARTER_FOLDER).phrases


@pytest.mark.parametrize("content", [None, "[]", "{}", "["])
def test_a_pack_without_names_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "concepts.json").write_text(content)
    with pytest.raises(CorruptWeights, match=r"concepts\.json"):
        read_subject_names(tmp_path)


def test_the_shares_of_scenes_are_summed():
    share = torch.zeros(len(STYLE_PHRASES) * len(BACKGROUND_PHRASES))
    for scene, value in (
        ("cat noto style on red background", 0.4),
        ("cat flat style on white background", 0.35),
        ("cat flat style on blue background", 0.25),
    ):
        share[scene_captions("cat").index(scene)] = value
    style, ground = style_and_background(share)
    assert style == PhraseMatch("flat style", pytest.approx(0.6))
    assert ground == PhraseMatch("on red background", pytest.approx(0.4))
