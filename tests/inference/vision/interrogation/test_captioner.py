import json
import math
import shutil

import pytest
import torch
from PIL import Image
from transformers import (
    BlipForConditionalGeneration,
    BlipProcessor,
    Florence2ForConditionalGeneration,
    Florence2Processor,
    pipeline,
)

from inference.model_files.errors import CorruptWeights, MissingWeights, UnsupportedWeights
from inference.vision.interrogation.captioner import CaptionSettings, load_captioner
from tests.doubles.describers import save_blip, save_florence

SETTINGS = [CaptionSettings(1, 6, 12), CaptionSettings(4, 3, 20), CaptionSettings()]


@pytest.fixture(scope="module")
def captioner(models, cpu):
    return load_captioner(models / "blip", cpu, torch.float32)


@pytest.mark.parametrize("settings", SETTINGS)
def test_captions_are_those_of_transformers_generate(captioner, models, noise, settings):
    model = BlipForConditionalGeneration.from_pretrained(models / "blip").eval()
    processor = BlipProcessor.from_pretrained(models / "blip")
    expected = []
    for image in noise:
        ids = model.generate(
            **processor(images=image, return_tensors="pt"),
            num_beams=settings.beams,
            min_length=settings.min_length,
            max_length=settings.max_length,
            do_sample=False,
        )
        expected.append(processor.decode(ids[0], skip_special_tokens=True))
    assert captioner.caption_images(noise, settings) == expected
    assert len(set(expected)) > 1


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_caption_is_as_sure_as_its_tokens_are_likely(captioner, models, noise, settings):
    model = BlipForConditionalGeneration.from_pretrained(models / "blip").eval()
    processor = BlipProcessor.from_pretrained(models / "blip")
    for image, caption in zip(noise, captioner.score_captions(noise, settings), strict=True):
        output = model.generate(
            **processor(images=image, return_tensors="pt"),
            num_beams=settings.beams,
            min_length=settings.min_length,
            max_length=settings.max_length,
            do_sample=False,
            output_scores=True,
            return_dict_in_generate=True,
        )
        scores = model.text_decoder.compute_transition_scores(
            output.sequences,
            output.scores,
            getattr(output, "beam_indices", None),
            normalize_logits=True,
        )[0]
        tokens = output.sequences[0, -len(scores) :].tolist()
        ends = {model.config.text_config.sep_token_id, model.config.text_config.pad_token_id}
        length = next((n for n, token in enumerate(tokens, 1) if token in ends), len(tokens))
        likely = [p for p in scores[:length].tolist() if p > float("-inf")]
        assert caption.confidence == pytest.approx(math.exp(sum(likely) / len(likely)), rel=1e-4)
        assert 0 < caption.confidence <= 1


def test_captions_are_those_of_transformers_pipeline(captioner, models, noise):
    say = pipeline(
        "image-text-to-text",
        model=BlipForConditionalGeneration.from_pretrained(models / "blip").eval(),
        processor=BlipProcessor.from_pretrained(models / "blip"),
        device="cpu",
    )
    lengths = {"min_length": 6, "max_length": 12, "num_beams": 2}
    answer = say(images=noise[0], text="", generate_kwargs=lengths)
    assert (
        captioner.caption_images(noise, CaptionSettings(2, 6, 12))[0] == answer[0]["generated_text"]
    )


@pytest.fixture(scope="module")
def florence(tmp_path_factory):
    folder = tmp_path_factory.mktemp("florence")
    save_florence(folder)
    return folder


@pytest.mark.parametrize("settings", SETTINGS)
def test_florence_captions_are_those_of_transformers_generate(florence, cpu, noise, settings):
    model = Florence2ForConditionalGeneration.from_pretrained(florence).eval()
    processor = Florence2Processor.from_pretrained(florence)
    expected = []
    for image in noise:
        ids = model.generate(
            **processor(images=image, text="<DETAILED_CAPTION>", return_tensors="pt"),
            num_beams=settings.beams,
            min_length=settings.min_length,
            max_length=settings.max_length,
            do_sample=False,
        )
        (text,) = processor.post_process_image_text_to_text(ids, skip_special_tokens=True)
        expected.append(text.strip())
    captioner = load_captioner(florence, cpu, torch.float32)
    assert captioner.caption_images(noise, settings) == expected
    assert len(set(expected)) > 1


def test_florence_without_a_tokenizer_says_what_to_add(florence, cpu, tmp_path):
    for name in ("config.json", "model.safetensors"):
        shutil.copy(florence / name, tmp_path)
    with pytest.raises(MissingWeights, match=r"put tokenizer\.json or vocab\.json"):
        load_captioner(tmp_path, cpu, torch.float32)


def test_a_captioner_that_brings_code_is_refused(florence, cpu, tmp_path):
    config = json.loads((florence / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "configuration_florence2.Florence2Config"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnsupportedWeights, match="code of its own, which Easel never does"):
        load_captioner(tmp_path, cpu, torch.float32)


def test_pictures_are_squashed_to_the_networks_square(captioner):
    pixels = captioner.processor(images=[Image.new("RGB", (90, 7))], return_tensors="pt")
    assert tuple(pixels.pixel_values.shape) == (1, 3, 16, 16)


def test_a_captioner_of_short_captions_ends_when_it_wants_to(cpu, tmp_path, noise):
    save_blip(tmp_path, positions=10)
    captioner = load_captioner(tmp_path, cpu, torch.float32)
    assert captioner.fit_settings(CaptionSettings(2, 24, 48)) == CaptionSettings(2, 0, 10)
    assert captioner.fit_settings(CaptionSettings(2, 4, 9)) == CaptionSettings(2, 4, 9)
    assert len(captioner.caption_images(noise, CaptionSettings())) == 3


def test_without_a_tokenizer_it_says_what_to_add(models, cpu, tmp_path):
    for name in ("config.json", "model.safetensors"):
        shutil.copy(models / "blip" / name, tmp_path)
    with pytest.raises(MissingWeights, match=r"lacks its tokenizer: put tokenizer\.json"):
        load_captioner(tmp_path, cpu, torch.float32)


def test_half_a_network_is_refused(models, cpu, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(models / "blip", tmp_path / "blip")
    weights = tmp_path / "blip" / "model.safetensors"
    kept = {name: value for name, value in load_file(weights).items() if "layers.1." not in name}
    save_file(kept, weights, metadata={"format": "pt"})
    with pytest.raises(CorruptWeights, match=r"lacks \d+ arrays of its network"):
        load_captioner(tmp_path / "blip", cpu, torch.float32)


def test_a_damaged_file_is_refused(models, cpu, tmp_path):
    shutil.copytree(models / "blip", tmp_path / "blip")
    (tmp_path / "blip" / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(CorruptWeights, match="cannot be read"):
        load_captioner(tmp_path / "blip", cpu, torch.float32)
