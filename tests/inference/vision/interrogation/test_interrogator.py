import shutil

import pytest
import torch
from PIL import Image

from inference.model_files.errors import CorruptWeights, MissingWeights
from inference.vision.interrogation.captioner import CaptionSettings
from inference.vision.interrogation.interrogator import Interrogator, RankingPending
from inference.vision.interrogation.ranking.phrases import RankingOptions
from inference.vision.interrogation.ranking.starter_words import BACKGROUND_PHRASES, STYLE_PHRASES
from tests.doubles.describers import save_blip


@pytest.fixture
def make(tmp_path, cpu):
    def build(host, pack=None):
        nothing = tmp_path / "nothing"
        return Interrogator(host, tmp_path / "cache", pack or nothing, cpu, torch.float32)

    return build


def ranked(describers, images):
    answer = describers.rank_lists(images)
    left = []
    while isinstance(answer, RankingPending):
        left.append(answer.remaining_slices)
        answer = describers.rank_lists(images)
    return answer, left


def test_a_host_without_models_has_nothing_to_say(make, tmp_path, noise):
    describers = make(tmp_path / "empty")
    assert describers.caption_images(noise, CaptionSettings()) is None
    assert describers.model_infos() == ()
    with pytest.raises(MissingWeights, match="no CLIP on this server"):
        describers.rank_lists(noise)
    with pytest.raises(MissingWeights, match="ask for a caption"):
        describers.tag_images(noise)


def test_phrases_are_encoded_once_and_announced(make, models, noise):
    answer, left = ranked(make(models), noise)
    assert sorted(left, reverse=True) == left
    assert left[-1] == 0
    assert (len(answer), len(answer[0])) == (3, 4)
    assert make(models).rank_lists(noise) == answer


def test_a_batch_ranks_as_each_picture_alone(make, models, noise):
    describers = make(models)
    together, _ = ranked(describers, noise)
    alone = [describers.rank_lists([image])[0] for image in noise]
    for one, other in zip(together, alone, strict=True):
        assert [match.phrase for match in one] == [match.phrase for match in other]


def test_the_hosts_lists_are_ranked(make, models, tmp_path, noise):
    host = tmp_path / "host"
    shutil.copytree(models / "clip", host / "clip")
    (host / "lists").mkdir()
    (host / "lists" / "pets.top2.txt").write_text("cat\ndog\nhamster\n")
    answer, _ = ranked(make(host), noise)
    assert {"cat", "dog", "hamster"} >= {match.phrase for match in answer[0][4:6]}
    (host / "lists" / "pets.top2.txt").write_text("")
    with pytest.raises(CorruptWeights, match="is empty"):
        make(host).rank_lists(noise)


def test_networks_leave_and_come_back(make, models, noise):
    describers = make(models)
    expected, _ = ranked(describers, noise)
    describers.release_features()
    assert describers.rank_lists(noise) == expected


def test_what_describes_is_listed(make, models):
    found = [(info.name, info.kind, info.size) for info in make(models).model_infos()]
    expected = [("blip", "captioner", 16), ("clip", "ranker", 16), ("vit", "tagger", 16)]
    assert found == expected


def test_the_starter_pack_names_an_emoji(make, small_pack, tmp_path):
    with Image.open("tests/data/red-apple.png") as image:
        apple = image.convert("RGB")
    describers = make(tmp_path / "empty", small_pack)
    (answer,), _ = ranked(describers, [apple])
    assert answer[0].phrase == "red apple"
    assert answer[1].phrase in STYLE_PHRASES
    assert answer[2].phrase in BACKGROUND_PHRASES
    assert [info.name for info in describers.model_infos()] == ["pack/clip"]


def test_the_packs_captioner_speaks_as_soon_as_it_is_there(make, tmp_path, small_pack, noise):
    describers = make(tmp_path / "host", small_pack)
    assert describers.caption_images(noise, CaptionSettings()) is None
    ranked(describers, noise)

    save_blip(small_pack / "captioner", positions=20)

    assert [info.kind for info in describers.model_infos()] == ["captioner", "ranker"]
    said = describers.caption_images(noise, CaptionSettings())
    assert [type(sentence) for sentence in said] == [str] * 3
    assert describers.rank_lists(noise) == [()] * 3
    assert all(describers.rank_lists(noise, RankingOptions(("subjects",), 2)))
