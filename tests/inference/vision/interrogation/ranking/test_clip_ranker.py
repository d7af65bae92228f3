import shutil

import pytest
import torch
from transformers import CLIPModel, CLIPProcessor, pipeline

from inference.model_files.errors import BrokenOutput, MissingWeights
from inference.model_library import STARTER_FOLDER
from inference.vision.interrogation.ranking.clip_ranker import load_clip_ranker
from inference.vision.interrogation.ranking.matches import phrase_probabilities, top_matches

PHRASES = ("a cat", "a very long phrase of many letters, far beyond the end", "dog", "UPPER case")


@pytest.fixture(scope="module")
def ranker(models, cpu):
    return load_clip_ranker(models / "clip", cpu)


def test_vectors_are_transformers_own(ranker, models, noise):
    model = CLIPModel.from_pretrained(models / "clip")
    processor = CLIPProcessor.from_pretrained(models / "clip")
    inputs = processor(
        text=list(PHRASES), images=noise, return_tensors="pt", padding=True, truncation=True
    )
    with torch.inference_mode():
        expected = model(**inputs)
    torch.testing.assert_close(ranker.encode_images(noise), expected.image_embeds)
    torch.testing.assert_close(ranker.encode_phrases(PHRASES), expected.text_embeds)


def test_ranks_are_those_of_transformers_pipeline(ranker, models, noise):
    classify = pipeline(
        "zero-shot-image-classification",
        model=str(models / "clip"),
        image_processor=str(models / "clip"),
        device="cpu",
    )
    short = [phrase for phrase in PHRASES if len(phrase) < 20]
    answer = classify(noise[0], candidate_labels=short, hypothesis_template="{}")
    features = ranker.encode_phrases(short)
    share = phrase_probabilities(ranker.encode_images(noise[:1])[0], features)
    matches = top_matches(share, short, len(short))
    assert [one["label"] for one in answer] == [match.phrase for match in matches]
    scores = pytest.approx([one["score"] for one in answer], abs=1e-5)
    assert [match.probability for match in matches] == scores


def test_a_phrases_vector_does_not_depend_on_its_neighbours(ranker):
    together = ranker.encode_phrases(PHRASES)
    alone = torch.cat([ranker.encode_phrases([phrase]) for phrase in PHRASES])
    torch.testing.assert_close(together, alone)


def test_without_a_tokenizer_it_says_what_to_add(models, cpu, tmp_path):
    for name in ("config.json", "model.safetensors"):
        shutil.copy(models / "clip" / name, tmp_path)
    with pytest.raises(MissingWeights, match=r"lacks its tokenizer: put tokenizer\.json"):
        load_clip_ranker(tmp_path, cpu)


def test_without_weights_it_says_what_to_do(models, cpu, tmp_path):
    shutil.copytree(models / "clip", tmp_path / "clip")
    (tmp_path / "clip" / "model.safetensors").unlink()
    with pytest.raises(MissingWeights, match="models import"):
        load_clip_ranker(tmp_path / "clip", cpu)


def test_the_digest_follows_the_vocabulary(models, cpu, ranker, tmp_path):
    shutil.copytree(models / "clip", tmp_path / "clip")
    assert load_clip_ranker(tmp_path / "clip", cpu).digest == ranker.digest
    with (tmp_path / "clip" / "tokenizer.json").open("a") as file:
        file.write("\n")
    assert ranker.digest != load_clip_ranker(tmp_path / "clip", cpu).digest


def test_no_numbers_are_an_error(models, cpu, noise):
    broken = load_clip_ranker(models / "clip", cpu)
    broken.model.visual_projection.weight.fill_(float("nan"))
    with pytest.raises(BrokenOutput, match="CLIP gave numbers"):
        broken.encode_images(noise)


def test_the_starter_packs_pictures_are_scaled_as_in_its_training(cpu, noise):
    ranker = load_clip_ranker(STARTER_FOLDER / "clip", cpu, STARTER_FOLDER / "tokenizer")
    square = noise[1].resize((128, 128))
    pixels = ranker.processor(images=[square], return_tensors="pt").pixel_values
    values = torch.tensor(list(square.tobytes())).view(128, 128, 3).permute(2, 0, 1)
    torch.testing.assert_close(pixels[0], values / 127.5 - 1, atol=1e-4, rtol=0)
